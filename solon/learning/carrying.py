"""A certificate after a change: random probes of what it would accept now bring it back, or show that it no longer
holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from solon.consensus.binomial import lower_bound
from solon.consensus.model import ConsensusModel
from solon.consensus.probes import plan_probes, spell_counts
from solon.consensus.target import read_target
from solon.errors import UsageError
from solon.graphs.routing import is_covered, presumption
from solon.learning.adopting import adopt, rest
from solon.learning.evidence import answers_by_question, final_among, question_of, with_traits
from solon.learning.withdrawn import WITHDRAWN
from solon.store.database import clock
from solon.store.database.ids import keyed_hash, new_id
from solon.store.learning import adoption, carries, evidence
from solon.store.learning.carries import ASKED, GRANTED, REFUSED, CarryRow, Probe
from solon.store.records import checking
from solon.store.runs import certificates
from solon.store.runs.interactive import is_interactive
from solon.store.runs.pilot import count_items

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import ReviewersConfig, RoutingConfig
    from solon.recipes.recipe import Recipe
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.learning.evidence import JudgedItem
    from solon.store.runs.certificates import CertificateRow
    from solon.store.runs.run_row import RunRow


@dataclass(frozen=True, slots=True)
class CarryOver:
    """Where a run stands with the probes of an earlier certificate.

    Attributes:
        run_id: the run.
        certificate: the certificate that is to be carried over.
        why: what has changed since it was made, in words.
        promise: share of agreement that the probes are to show.
        items: how many it would accept now.
        asked: probes that were drawn among them.
        slips: so many of them may disagree.
        agreed: probes on which the experts agree with the panel.
        disagreed: those on which they do not.
        unasked: those without an answer that nobody is asked about any more; they count as disagreement.
        state: `asked`, `granted` or `refused`.
        moved: items that are queued again because of this.
        now: it came out just now.
    """

    run_id: str
    certificate: str
    why: str
    promise: float
    items: int
    asked: int
    slips: int
    agreed: int
    disagreed: int
    unasked: int
    state: str
    moved: int = 0
    now: bool = False

    @property
    def needed(self) -> int:
        """Probes that have to agree."""
        return self.asked - self.slips

    @property
    def open(self) -> int:
        """Probes that wait for an answer."""
        return self.asked - self.agreed - self.disagreed - self.unasked

    @property
    def counted(self) -> str:
        """How the probes were answered by now, in words."""
        return spell_counts(self.asked, self.agreed, self.disagreed, self.unasked)

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {**asdict(self), "open": self.open}

    def __str__(self) -> str:
        if self.state == GRANTED:
            return (
                f"certificate {self.certificate} is carried over: {self.counted}; at least {self.promise:.0%} "
                f"agreement; `solon resume {self.run_id[:8]}` carries {self.moved} items on"
            )
        if self.state == REFUSED:
            return (
                f"certificate {self.certificate} is not carried over: {self.counted}, and {self.slips} may disagree; "
                "the pilot is the other way to one"
            )
        return (
            f"certificate {self.certificate} comes back when {self.needed} of {self.asked} random probes "
            f"agree, drawn among the {self.items} items that it would accept now: {self.counted}. They are asked "
            f"first in each field: `solon review serve`, then `solon learn {self.run_id[:8]}`"
        )


def carry(
    store: Store,
    run: RunRow,
    recipe: Recipe,
    config: Config,
    reviewers: ReviewersConfig,
    *,
    schema: str,
    actor: str,
) -> CarryOver:
    """Plan the probes that may bring an earlier certificate back for a run, and ask about them; where they are
    answered, say what they show. It can be repeated.

    Args:
        reviewers: whose answers decide.
        schema: response schema of the recipe's question, for what nobody was asked about yet.
        actor: who wants it.

    Raises:
        UsageError: the run has a certificate, or none can be carried over to it.
    """
    with store.transaction() as connection:
        plan = carries.find_carry(connection, run.id)
        if plan is None:
            plan = _plan(store.key, connection, run, recipe, config, actor)
            carries.add_carry(connection, plan)
        if plan.state == ASKED:
            _ask(connection, plan, config, schema)
    found = settle(store, run, recipe, config, reviewers)
    assert found is not None
    return found


def _plan(
    key: str, connection: Connection, run: RunRow, recipe: Recipe, config: Config, actor: str
) -> CarryRow:
    """The plan of a run's one look: every item that the certificate would accept now is known when it is made, and the
    order of the draw was fixed with the run's id."""
    row = _certificate_for(connection, run, config)
    routing = config.routing
    accepted = _accepted(connection, run, recipe, config, row)
    probes = plan_probes(
        routing.alpha, left_of_delta(connection, run, routing), asked=routing.probes, items=len(accepted)
    )
    if probes is None:
        raise UsageError(
            f"certificate {row.id} would accept {len(accepted)} items of run {run.id}: too few to draw probes from",
            next_step="answer the pilot, or promise of the finished set: `solon release create --promise`",
        )
    drawn = sorted(accepted, key=lambda one: keyed_hash(key, "probe", run.id, one.item_id))[: probes.asked]
    return CarryRow(
        id=new_id(),
        run_id=run.id,
        scope=run.scope,
        source=run.seeds_fingerprint,
        certificate_id=row.id,
        why=carries.what_changed(connection, row, run),
        alpha=probes.alpha,
        level=probes.level,
        slips=probes.slips,
        items=len(accepted),
        probes=tuple(drawn),
        state=ASKED,
        actor=actor,
        created_at=clock.now(),
        closed_at=None,
    )


def left_of_delta(connection: Connection, run: RunRow, routing: RoutingConfig) -> float:
    """What looks over a run's scope and seeds have left of the probability of a false promise."""
    seeds = run.seeds_fingerprint
    rows = certificates.looks(connection, run.scope)
    spent = sum(row.spent_delta for row in rows if row.covers.get("source") == seeds)
    return max(0.0, routing.delta - spent - carries.reserved(connection, run.scope, seeds))


def _certificate_for(connection: Connection, run: RunRow, config: Config) -> CertificateRow:
    """The certificate that may be carried over to a run.

    Raises:
        UsageError: there is none, with what would do.
    """
    if certificates.certificate_of(connection, run) is not None:
        raise UsageError(f"run {run.id} has a certificate in force", next_step="see `solon learn --status`")
    row = carries.newest_elsewhere(connection, run)
    if row is None:
        own = certificates.newest_granted(connection, run)
        if own is None:
            raise UsageError(
                f"run {run.id} has no earlier certificate of its recipe to carry over",
                next_step=f"answer the pilot, then `solon learn {run.id[:8]}`",
            )
        why = own.figures.get(certificates.SUSPENDED)
        raise UsageError(
            f"the certificate of run {run.id} was suspended, and nothing was changed: {why}",
            next_step=f"let the pilot grow: `solon learn {run.id[:8]} --more 1`",
        )
    if problem := cannot_carry(connection, run, config, row):
        raise UsageError(
            f"certificate {row.id} cannot be carried over to run {run.id}: {problem}",
            next_step="answer the pilot",
        )
    if n := carries.count_unjudged(connection, run.id):
        raise UsageError(
            f"{n} items of run {run.id} are not judged yet, and probes are drawn among all",
            next_step=f"let it end: `solon resume {run.id[:8]}`, then repeat the command",
        )
    return row


def cannot_carry(connection: Connection, run: RunRow, config: Config, row: CertificateRow) -> str:
    """Why a certificate cannot be carried over to a run by probes, in words; empty where it can."""
    if not config.routing.draws_pilot:
        return f"policy {config.routing.policy} goes by none"
    if is_interactive(run):
        return "its items are opened one by one, so that there is nothing yet to draw from"
    if config.consensus.stop != "off":
        return "not every judge was asked about each of its items"
    if row.figures.get("tiers") or max(config.tiers):
        return "each tier of a cascade has a cut of its own"
    if (
        config.classifier.enabled
        or ConsensusModel.from_json(certificates.consensus_payload(connection, row.consensus_id)).classifier
    ):
        return "a classifier that was trained for it votes, too"
    return ""


def _accepted(
    connection: Connection, run: RunRow, recipe: Recipe, config: Config, row: CertificateRow
) -> list[Probe]:
    """What a certificate would accept now of the items of a run that no person has decided, as questions."""
    question = recipe.question.asked(config)
    model, judged = _judged(connection, run, recipe, config, row)
    if model.outcomes != question.outcomes:
        raise UsageError(
            f"certificate {row.id} speaks of other outcomes than run {run.id}", next_step="answer the pilot"
        )
    presumed = presumption(recipe.pairing_under(config), question)
    accepted = []
    for one in judged:
        consensus, standing, _ = rest(model, one, config, row.cuts)
        if is_covered(consensus, standing, presumed) and question.gives_record(consensus.best):
            accepted.append(Probe(one.item_id, one.attempt, consensus.best))
    return accepted


def _judged(
    connection: Connection, run: RunRow, recipe: Recipe, config: Config, row: CertificateRow
) -> tuple[ConsensusModel, list[JudgedItem]]:
    """The consensus version of a certificate, and the items of a run that no person has decided."""
    model = ConsensusModel.from_json(certificates.consensus_payload(connection, row.consensus_id))
    judged = evidence.judged_items(connection, run.id, recipe.question.asked(config))
    return model, with_traits(connection, judged, (model,))


def _ask(connection: Connection, plan: CarryRow, config: Config, schema: str) -> None:
    """Open the reviews that are missing: blind audits of what was accepted; what waits for a person waits already."""
    people = read_target(config.routing.target).audited_by
    carries.ask_waiting(connection, plan, people)
    for question in _questions(connection, plan).values():
        checking.ask_about(connection, plan.id, question, people, schema)
    carries.put_first(connection, plan)


def _questions(connection: Connection, plan: CarryRow) -> Mapping[str, checking.RecordQuestion]:
    """The probes that the panel accepted, as questions, by the id of the record."""
    drawn = {one.item_id: one.attempt for one in plan.probes}
    found = checking.questions_of(connection, checking.records_of(connection, drawn))
    return {
        name: one
        for name, one in found.items()
        if one.attempt == drawn[one.item_id] and one.decision_id is None
    }


# What they show --------------------------------------------------------------------------------------------------


def settle(
    store: Store, run: RunRow, recipe: Recipe, config: Config, reviewers: ReviewersConfig
) -> CarryOver | None:
    """Where a run stands with its probes, once it has been acted on: the certificate is granted as soon as enough of
    them agree, whatever the open ones will say, refused as soon as too many do not, and suspended where answers that it
    relies on were taken back. So nothing is gained by the moment. None where no probes were planned.
    """
    with store.connect() as connection:
        if carries.find_carry(connection, run.id) is None:
            return None
    with store.transaction() as connection:
        plan = carries.find_carry(connection, run.id)
        assert plan is not None
        found = count_probes(connection, plan, config.routing.target, reviewers)
        state = _next_state(connection, run, plan, found)
        if state == plan.state:
            return found
        carries.set_state(connection, plan, state)
        found = replace(found, state=state, now=True)
        if state == ASKED:
            return found
        row = certificates.find_certificate(connection, plan.certificate_id)
        certificate_id = _keep(connection, run, config, plan, found, row)
        most = read_target(config.routing.target).audited_by
        checking.withdraw_questions(connection, plan.id, _questions(connection, plan), most)
        if state == REFUSED:
            return found
        model, judged = _judged(connection, run, recipe, config, row)
        pilot = [one.item_id for one in judged if one.pilot]
        carries.leave_pilot(connection, pilot + adoption.queued_pilot(connection, run.id))
    question = recipe.question.asked(config)
    presumed = presumption(recipe.pairing_under(config), question)
    judged = [replace(one, pilot=False) for one in judged]
    queued, settled, doubted, _, _ = adopt(
        store, run, config, question, model, judged, row.consensus_id, certificate_id, row.cuts, presumed
    )
    return replace(found, moved=queued + settled + doubted)


def _next_state(connection: Connection, run: RunRow, plan: CarryRow, found: CarryOver) -> str:
    """The state of a plan by the answers that there are. A certificate of its own that they no longer bear out is
    suspended."""
    enough = found.agreed >= found.needed
    in_force = certificates.certificate_of(connection, run)
    if plan.state == ASKED and found.disagreed + found.unasked > found.slips:
        return REFUSED
    if plan.state == ASKED and enough and in_force is None:
        return GRANTED
    of_plan = in_force is not None and (in_force.figures.get("carry") or {}).get("plan") == plan.id
    if plan.state == GRANTED and of_plan and in_force is not None and not enough:
        why = (
            f"answers to its probes were taken back or changed: {found.agreed} of {found.asked} agree by now, and "
            f"{found.needed} have to"
        )
        certificates.suspend(connection, in_force.id, why=why, note={WITHDRAWN: found.open})
        return ASKED
    return plan.state


def count_probes(
    connection: Connection, plan: CarryRow, speaks_of: str, reviewers: ReviewersConfig
) -> CarryOver:
    """How the probes were answered by now. Each person's first blind answer counts; what nobody can be asked about any
    more, as its item went another way first or as enough others agreed, counts as disagreement.

    Args:
        speaks_of: the name of the target.
    """
    target = read_target(speaks_of)
    drawn = {one.item_id for one in plan.probes}
    said = [one for one in evidence.blind_answers(connection) if one.item_id in drawn]
    final = final_among(connection, {one.actor for one in said}, reviewers)
    answers = answers_by_question(said)
    still_open = carries.still_open(connection, plan)
    agreed = disagreed = unasked = 0
    for probe in plan.probes:
        by_person = answers.get(question_of(probe.item_id, probe.attempt), {})
        outcome = target.audit_outcome([answer for who, answer in by_person.items() if who in final])
        if outcome is not None:
            agreed, disagreed = agreed + (outcome == probe.best), disagreed + (outcome != probe.best)
        else:
            unasked += probe.item_id not in still_open
    return CarryOver(
        plan.run_id, plan.certificate_id, plan.why, 1.0 - plan.alpha, plan.items, len(plan.probes), plan.slips,
        agreed, disagreed, unasked, plan.state,
    )  # fmt: skip


def _keep(
    connection: Connection, run: RunRow, config: Config, plan: CarryRow, found: CarryOver, row: CertificateRow
) -> str:
    """Keep what the look at the probes shows, as a certificate of the run or its refusal; returns its id."""
    granted, n = found.state == GRANTED, found.asked
    changed = f"after a change ({plan.why})"
    bound = lower_bound(found.agreed, n, plan.level) if granted else 0.0
    why = (
        f"carried over from {row.id} {changed}: {found.agreed} of {n} random probes agreed, at least {bound:.3f} "
        f"with confidence {1 - plan.level:.3g}"
        if granted
        else f"not carried over from {row.id} {changed}: {found.counted}, and {plan.slips} may disagree"
    )
    wanted = certificates.wanted_by(connection, run)
    outcome = {
        "alpha": plan.alpha,
        "delta": config.routing.delta,
        "threshold": row.threshold if granted else None,
        "coverage": plan.items / max(count_items(connection, run.id), 1) if granted else 0.0,
        "n": n,
        "agreed": float(found.agreed),
        "bound": bound,
        "sample": n,
        "tests": 1,
        "level": plan.level,
        "why": why,
        "target": wanted.target,
        "ceiling": row.figures.get("ceiling"),
        "carry": {"plan": plan.id, "from": row.id, "why": plan.why, "slips": plan.slips, "items": plan.items},
    }
    return certificates.add_certificate(
        connection,
        scope=run.scope,
        source=run.seeds_fingerprint,
        granted=granted,
        spent_delta=plan.level if plan.closed_at is None else 0.0,
        consensus_id=row.consensus_id,
        outcome=outcome,
        covers={
            "recipe": run.recipe,
            "seeds": run.seeds_name,
            "target": wanted.target,
            "run": run.id,
            "made": wanted.made,
        },
    )
