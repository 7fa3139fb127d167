"""From decisions to the next consensus version, its certificate, and what it moves.

Three samples never mix: decisions of the seen half fit weights and calibration; decisions of the held-out half that
lie in the random pilot certify, each look at them spending its own delta; audits alone say how good accepted items
are. Which half a decision is in was fixed by its seed's group when it was made.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Consensus, Verdict, judge_item
from solon.graphs.routing import Standing, choose_route
from solon.store import certificates, learning
from solon.store.learning import Decided, Judged
from solon.store.precedents import mark_retrievable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from solon.config import Config
    from solon.consensus.audit import AuditReport
    from solon.graphs.recipes import Recipe
    from solon.store import Store
    from solon.store.runs import RunRow

OLD_ENOUGH = 10
"""The newest decisions are not learned from yet, so that taking one back costs nothing."""
SESSION_SECONDS = 1800.0
"""After so long without a decision the session has ended, and nothing is held back."""
MEASURED = 5
"""Overlapped answers from which an expert's own agreement with others says more than the assumption."""
UNMEASURED = 0.9
"""What is assumed of an expert whom nobody has been compared with: right on nine of ten items."""
OTHER_CHOICES = {"tie": "tie", "both_bad": "neither", "edit": "neither", "redraft": "neither"}


@dataclass(frozen=True, slots=True)
class Learned:
    """What a round of learning did. `why` says it in words, also where nothing was done."""

    version: int | None
    fitted_on: int
    certified_on: int
    certificate: dict[str, Any] | None
    queued_adopted: int = 0
    settled: int = 0
    doubted: int = 0
    confirmed: int = 0
    why: str = ""

    @property
    def moved_items(self) -> int:
        """Items that are queued again because of this."""
        return self.settled + self.doubted

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def learn(store: Store, run: RunRow, recipe: Recipe, config: Config, *, everything: bool = False) -> Learned:
    """Learn the next consensus version of the run's scope, try to certify it, adopt it.

    Args:
        everything: the session has ended: the newest decisions count too.
    """
    scope = run.scope
    with store.connect() as connection:
        before = certificates.certificate_in_force(connection, scope, run.seeds_fingerprint)
        scope_runs = learning.runs_of_scope(connection, run)
        decided = [d for d in learning.counted_decisions(connection, scope_runs) if d.kind == "interrupt"]
        usable = _old_enough(decided, everything)
        fit_on = [d for d in usable if not d.held_out]
        known = certificates.newest_consensus(connection, scope)
        last = certificates.consensus_payload(connection, known)["n_decisions"] if known else 0
        if not usable or len(fit_on) <= int(last):
            why = f"nothing new: {len(decided)} counted decisions, {len(decided) - len(usable)} of them too fresh"
            return Learned(None, len(fit_on), 0, None, why=why)
        everyone = learning.counted_decisions(connection, scope_runs)
        judged = learning.judged_items(connection, run.id)
        votes = learning.votes_on(connection, [(d.item_id, d.attempt, d.shown) for d in usable])
    answers = _answers_by_item(everyone)
    reliability = _reliability(answers)
    model = _fit(recipe, fit_on, votes, judged, reliability)
    sample = [d for d in usable if d.held_out and d.pilot and d.run_id == run.id]
    with store.transaction() as connection:
        mark_retrievable(connection, [name for name, known in reliability.items() if known == 1.0])
        version_id, number = certificates.add_consensus(
            connection, scope, model.to_json(), {"decisions": [d.decision_id for d in fit_on]}
        )
        certificate = _certify(connection, config, scope, run, version_id, model, sample, votes, answers)
    granted = certificate is not None and certificate["threshold"] is not None
    in_force = certificate["id"] if granted and certificate else None
    standing = certificate["threshold"] if granted and certificate else None
    if before is not None and not granted:
        why = f"version {number} waits: certificate {before.id} is in force and speaks for its own version"
        return Learned(number, len(fit_on), len(sample), certificate, why=why)
    moved = _adopt(store, run, config, model, judged, version_id, in_force, standing)
    return Learned(number, len(fit_on), len(sample), certificate, *moved, why=f"version {number} is in force")


def _old_enough(decided: list[Decided], everything: bool) -> list[Decided]:
    ended = not decided or time.time() - decided[-1].decided_at > SESSION_SECONDS
    return decided if everything or ended else decided[:-OLD_ENOUGH]


def outcome_of(decision: Decided) -> str:
    """A decision in the panel's words: the side preferred, tie, or neither."""
    if decision.choice == "prefer" and decision.candidate_id in decision.shown:
        return "AB"[decision.shown.index(decision.candidate_id)]
    if decision.choice in ("accept", "reject"):
        return decision.choice
    return OTHER_CHOICES.get(decision.choice, "neither")


def watch_audits(store: Store, run: RunRow, config: Config) -> AuditReport:
    """What blind audits say of the run's accepted items, against the promise; an alarm suspends the certificate.

    Audited items were drawn at random before anything was known of them, and decided by people who could not tell.
    """
    from solon.consensus.audit import watch

    with store.connect() as connection:
        audits = [d for d in learning.counted_decisions(connection, [run.id]) if d.kind == "audit"]
        chosen = learning.chosen_of(connection, [(d.item_id, d.attempt) for d in audits])
    agreed = [
        d.choice in ("prefer", "accept") and d.candidate_id == chosen.get((d.item_id, d.attempt))
        for d in audits
    ]
    report = watch(agreed, 1 - config.routing.alpha, delta=config.routing.delta)
    if report.state == "alarm":
        with store.transaction() as connection:
            in_force = certificates.certificate_in_force(connection, run.scope, run.seeds_fingerprint)
            if in_force is not None:
                certificates.suspend(connection, in_force.id)
    return report


def _answers_by_item(everyone: list[Decided]) -> dict[str, dict[str, str]]:
    """item -> expert -> answer, over ordinary, overlapped and audited answers; each person's first one counts."""
    answers: dict[str, dict[str, str]] = {}
    for decided in everyone:
        answers.setdefault(decided.item_id, {}).setdefault(decided.actor, outcome_of(decided))
    return answers


def _reliability(answers: dict[str, dict[str, str]]) -> dict[str, float]:
    """How far each expert is believed: proven ones fully, others as their agreement with people shows."""
    from solon.consensus.reviewers import rate_all

    rated = rate_all(answers)
    return {
        name: 1.0 if reviewer.proven else reviewer.reliability if reviewer.n >= MEASURED else UNMEASURED
        for name, reviewer in rated.items()
    }


def _fit(
    recipe: Recipe,
    fit_on: list[Decided],
    votes: dict[str, tuple[Verdict, ...]],
    judged: list[Judged],
    reliability: dict[str, float],
) -> ConsensusModel:
    from solon.consensus.learn import Decision, fit

    by_item = {j.item_id: j.votes for j in judged}
    by_item.update({d.item_id: votes[d.item_id] for d in fit_on})
    decisions = [Decision(d.item_id, outcome_of(d), reliability.get(d.actor, UNMEASURED)) for d in fit_on]
    model = fit(by_item, decisions, outcomes=recipe.outcomes)
    return replace(model, reviewers=reliability)


def _certify(
    connection: Connection,
    config: Config,
    scope: str,
    run: RunRow,
    version_id: str,
    model: ConsensusModel,
    sample: list[Decided],
    votes: dict[str, tuple[Verdict, ...]],
    answers: dict[str, dict[str, str]],
) -> dict[str, Any] | None:
    """One look at the held-out pilot decisions, or none where the pilot is not answered yet."""
    import numpy as np

    from solon.consensus.ceiling import measure_ceiling
    from solon.consensus.certify import certify

    before = certificates.looks(connection, scope)
    if not sample or (before and len(sample) < 1.5 * before[-1].figures.get("sample", 0)):
        return None
    routing = config.routing
    # Looks 1, 2, 3, ... spend 6/(pi^2 i^2) of delta each: together never more than delta.
    spent = routing.delta * 6 / (math.pi**2 * (len(before) + 1) ** 2)
    judged = [(judge_item(model, votes[d.item_id]), d) for d in sample]
    score = np.array([consensus.confidence for consensus, _ in judged])
    agreed = np.array([float(consensus.best == outcome_of(d)) for consensus, d in judged])
    found = certify(score, agreed, alpha=routing.alpha, delta=spent)
    ceiling = measure_ceiling([list(given.values()) for given in answers.values()])
    outcome = {
        **found.to_json(),
        "delta": routing.delta,
        "look": len(before) + 1,
        "ceiling": {
            "experts_agree": ceiling.agreement,
            "interval": list(ceiling.interval),
            "items": ceiling.items,
            "best_possible": ceiling.single,
            "best_possible_interval": list(ceiling.single_interval),
            "reaches": ceiling.reaches(routing.alpha),
        },
    }
    certificate_id = certificates.add_certificate(
        connection,
        scope=scope,
        source=run.seeds_fingerprint,
        granted=found.granted,
        spent_delta=spent,
        consensus_id=version_id,
        outcome=outcome,
        covers={"recipe": run.recipe, "seeds": run.seeds_name, "target": "single"},
    )
    return {"id": certificate_id, **outcome}


def _adopt(
    store: Store,
    run: RunRow,
    config: Config,
    model: ConsensusModel,
    judged: list[Judged],
    version_id: str,
    certificate_id: str | None,
    threshold: float | None,
) -> tuple[int, int, int, int]:
    """Apply a version to items to come, to those that wait and to those accepted; how many of each it moved."""
    settled = doubted = confirmed = 0
    with store.transaction() as connection:
        queued = learning.adopt_for_queued(connection, run.id, version_id, certificate_id)
    for item in judged:
        found = judge_item(model, item.votes)
        route = choose_route(found, config.routing, Standing(item.pilot, threshold), can_resolve=False)
        accepts = route.where == "accept"
        with store.transaction() as connection:
            if item.state == "waiting":
                if accepts:
                    why = f"settled by consensus version {version_id}"
                    settled += learning.send_again(connection, item, version_id, certificate_id, why=why)
            elif not accepts or _chooses_other(found, item):
                doubted += learning.send_again(connection, item, version_id, certificate_id, why="doubted")
            else:
                confirmed += 1
                learning.confirm_record(
                    connection,
                    item,
                    version_id,
                    certificate_id,
                    margin=found.margin,
                    confidence=found.confidence,
                )
    return queued, settled, doubted, confirmed


def _chooses_other(found: Consensus, item: Judged) -> bool:
    return len(item.shown) == 2 and item.shown["AB".index(found.best)] != item.chosen_id
