"""From decisions to law: what new items are pinned to, drafts of amendments, and their impact on earlier decisions.

The author of a draft sees the seen half of the precedents only; its impact is judged on the other half, of which
nothing but totals is shown until the draft is ratified.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from solon.errors import LimitReached, UsageError
from solon.law import amendments as edits
from solon.law import impact
from solon.law.documents import RULES, RuleBook, Scope, load_constitution, load_rubric, parse_document
from solon.lawmaking.rule_drafts import draft_book, refuse_unfit
from solon.lawmaking.rule_impact import (
    as_figures,
    changed_rules,
    count_effects,
    judge_rules,
    repealed_rules,
    replay,
)
from solon.lawmaking.rule_origins import rule_origins
from solon.observers import watched
from solon.store.lawmaking import amendments as stored
from solon.store.lawmaking.amendments import AmendmentRow
from solon.store.lawmaking.precedents import PrecedentRow, mark_retrievable, precedents_under
from solon.store.lawmaking.principles import items_lost
from solon.store.lawmaking.splits import covered_ids
from solon.store.lawmaking.trial_sample import choose_sample
from solon.store.reviewing.adjudicating import list_cases
from solon.store.reviewing.proposals import list_proposals
from solon.store.runs import laws
from solon.store.runs.laws import Document, Kind, LawVersion
from solon.store.runs.verdicts import votes_on

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.agents.calls import Meter
    from solon.config import Config
    from solon.graphs.bench import Bench
    from solon.recipes.registry import Recipes
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store

Models = Mapping[str, "BaseChatModel"]
DETERMINISTIC = ("scripted", "builtin", "gguf")
"""Providers that at temperature 0 answer the same question the same way; with others, judging twice is measured."""
CLUSTER_SHOWN = 8
EVERY = 10_000
SAMPLE = 200


def pin_law(
    store: Store, connection: Connection, config: Config, recipe: str
) -> tuple[tuple[str, str], tuple[LawVersion, ...]]:
    """The law that new items of a recipe follow. Decisions of leads become case law first.

    What the store has in force goes before the configured file or starter of the same name.

    Returns:
        Ids of the constitution and the rubric, and the versions that go before them for seeds of certain
            domains.
    """
    from solon.store.database.local_actor import local_actor

    mark_retrievable(connection)
    pinned: list[str] = []
    tagged: list[LawVersion] = []
    for document, source in (
        (load_constitution(config.law.constitution), config.law.constitution),
        (load_rubric(config.law.rubric), config.law.rubric),
    ):
        kind = document.kind
        version = laws.law_of_run(store, connection, kind, document, source, recipe=recipe, by=local_actor())
        pinned.append(version.id)
        in_force = laws.versions_in_force(connection, kind, document.name, recipe)
        tagged += [version for version in in_force if version.document.scope.tags]
    return (pinned[0], pinned[1]), tuple(tagged)


def law_in_force(connection: Connection, config: Config, kind: Kind, named: str | None = None) -> LawVersion:
    """The version that is named (see `laws.find_version`); without a name, the one in force of the configured
    document.

    Raises:
        UsageError: the store has none.
    """
    if named is None and kind == "rules":
        named = RULES
    if named is None:
        law = config.law
        source = law.constitution if kind == "constitution" else law.rubric
        named = (load_constitution(source) if kind == "constitution" else load_rubric(source)).name
    version = laws.find_version(connection, kind, named)
    if version is None and kind == "rules":
        raise UsageError("no rules were ever ratified", next_step="`solon rules propose` drafts some")
    if version is None:
        raise UsageError(
            f"the store has no {kind} {named!r}", next_step=f"see `solon {kind} list`, or import one"
        )
    return version


def import_law(
    store: Store, document: Document, *, by: str, replace_in_force: bool = False, reason: str = ""
) -> LawVersion:
    """Bring a document into force: the first of its name and scope, or with a reason in place of the one in
    force.

    Args:
        by: who does it, for the audit log.
        replace_in_force: replace the version in force without measuring or ratifying anything.

    Raises:
        UsageError: one is in force and is not to be replaced, or no reason is given.
    """
    with store.transaction() as connection:
        scope = laws.scope_key(document.scope)
        current = laws.version_in_force(connection, document.kind, document.name, scope=scope)
        if current is None:
            return laws.bring_into_force(store, connection, document, by=by)
        if not replace_in_force or not reason.strip():
            raise UsageError(
                f"{document.kind} {document.name} {current.version} is in force",
                next_step="`propose` measures and ratifies a change; --in-force with --reason skips that",
            )
        draft = edits.next_version(current.document, document.model_dump(), author=by, reason=reason)
        version = laws.bring_into_force(store, connection, draft, by=by, instead_of=current.id)
        stored.mark_stale(connection, current.kind, current.id)
        return version


# Drafts ---------------------------------------------------------------------------------------------------------


def propose(store: Store, config: Config, text: str, *, source: str, by: str, **about: Any) -> AmendmentRow:
    """The amendment that a person drafted, stored as a proposal: a list of edits, or the whole next document.

    Args:
        text: the amendment or document.
        source: where it comes from, for errors.
        by: who proposes it.
        about: kind and reason, where `text` is a document and does not say them itself; cites and overrules, beside
            those that it names.

    Raises:
        UsageError: there is nothing in force to amend, no reason, or a draft that cannot be used.
    """
    if edits.is_amendment(text):
        file = edits.parse_amendment(text, source=source)
        if file.kind == "rules":
            begin_rules(store, by=by)
        with store.connect() as connection:
            base = _amended(connection, config, file.kind, file.amends, file.scope)
        document = edits.apply_edits(base.document, file.changes, author=by, reason=file.reason)
        cites = [*dict.fromkeys([*file.cites, *about.get("cites", [])])]
        overrules = [*dict.fromkeys([*file.overrules, *about.get("overrules", [])])]
    else:
        kind: Kind = about.get("kind", "constitution")
        draft = parse_document(kind, text, source=source)
        if kind == "rules":
            begin_rules(store, by=by)
        with store.connect() as connection:
            base = _amended(connection, config, kind, draft.name, draft.scope)
        reason = about.get("reason") or draft.reason
        if not reason or reason == base.document.reason:
            raise UsageError("an amendment needs a reason", next_step="give it with --reason")
        document = edits.next_version(base.document, draft.model_dump(), author=by, reason=reason)
        cites, overrules = about.get("cites", []), about.get("overrules", [])
    check_rules(store, config, document)
    with store.transaction() as connection:
        return stored.add_amendment(
            store, connection, base, document, proposer=by, cites=cites, overrules=overrules
        )


def leave_out(store: Store, connection: Connection, amendment_id: str, names: Sequence[str]) -> AmendmentRow:
    """The draft of rules again without some of its new ones, as a further amendment of the same proposer, in the
    caller's write transaction.

    Raises:
        UsageError: it is of no rules, or closed; none of its new rules has such a name; or none would be left.
    """
    amendment = stored.find_amendment(connection, amendment_id)
    base = laws.load_version(connection, amendment.kind, amendment.base_id)
    old, draft = base.document, amendment.document
    if not isinstance(draft, RuleBook) or not isinstance(old, RuleBook):
        raise UsageError(f"amendment {amendment.id} is of a {amendment.kind}, and not of rules")
    if amendment.state not in stored.OPEN:
        raise UsageError(f"amendment {amendment.id} is {amendment.state}")
    new = [rule.id for rule in changed_rules(old, draft)]
    unknown = next((name for name in names if name not in new), None)
    if unknown is not None:
        raise UsageError(
            f"amendment {amendment.id} has no new rule {unknown!r}", next_step=f"it has {', '.join(new)}"
        )
    before = {rule.id: rule for rule in old.rules}
    kept = [before.get(rule.id) if rule.id in names else rule for rule in draft.rules]
    content = {**draft.model_dump(), "rules": [rule.model_dump() for rule in kept if rule is not None]}
    reason = f"{amendment.reason}; without {', '.join(names)}"[:2000]
    document = edits.next_version(old, content, author=draft.author, reason=reason)
    return stored.add_amendment(
        store, connection, base, document, proposer=amendment.proposer, cites=amendment.cites
    )


def check_rules(store: Store, config: Config, document: Document) -> None:
    """Check what is new in rules against those in force, the configuration and the labels that there are.

    Raises:
        UsageError: see `refuse_unfit`.
    """
    if isinstance(document, RuleBook):
        with store.connect() as connection:
            labels = _labels(connection, config, document)
            refuse_unfit(config, laws.rules_in_force(connection), document, labels)


def begin_rules(store: Store, *, by: str) -> LawVersion:
    """The version of the rules in force; where there is none, the first, which holds no rule."""
    with store.transaction() as connection:
        version = laws.version_in_force(connection, "rules", RULES)
        return version or laws.bring_into_force(store, connection, RuleBook(), by=by)


def _labels(connection: Connection, config: Config, document: RuleBook) -> tuple[str, ...]:
    """The labels that there are: those of the configuration, and outcomes of what was decided."""
    decided = (row.question.outcomes for row in precedents_under(connection, document))
    return tuple(
        dict.fromkeys([*config.label.labels, *(label for outcomes in decided for label in outcomes)])
    )


def _amended(connection: Connection, config: Config, kind: Kind, name: str, scope: Scope) -> LawVersion:
    """The version in force of a name and scope; where it names no scope, also one that is alone in force."""
    version = laws.version_in_force(connection, kind, name, scope=laws.scope_key(scope))
    if version is None and scope != Scope():
        raise UsageError(
            f"no {kind} {name!r} is in force for {laws.scope_key(scope)}",
            next_step=f"`solon {kind} import` brings the first one into force",
        )
    return version or law_in_force(connection, config, kind, name)


@dataclass(frozen=True, slots=True)
class Legislated:
    """What the legislator made of the decisions.

    Attributes:
        amendments: its drafts.
        clusters: groups of decisions with similar reasons that there were.
        decisions: decisions that the law in force does not settle.
        problems: why other clusters gave no draft, in words.
    """

    amendments: list[AmendmentRow] = field(default_factory=list)
    clusters: int = 0
    decisions: int = 0
    problems: list[str] = field(default_factory=list)


async def legislate(
    store: Store,
    config: Config,
    *,
    kind: Kind = "constitution",
    named: str | None = None,
    models: Models | None = None,
    model: str | None = None,
    least: int = 3,
    most: int = 3,
    max_calls: int | None = None,
) -> Legislated:
    """Let the legislator draft amendments from clusters of decisions that the law in force does not settle.

    It sees decisions of the seen half that have a rationale, see `unsettled`. Of rules it drafts one amendment for all
    labels, from decisions of that half with or without a rationale.

    Args:
        kind: amend the constitution or the rubric.
        named: the version to amend; default: the configured one.
        model: a name in [models]; default: the resolver's.
        least: decisions that make a cluster.
        most: drafts.
        max_calls: where it stops; `problems` says so, and what was drafted by then stays. None: no limit.
    """
    from solon.agents.legislator import AUTHOR, draft
    from solon.graphs.bench import Bench
    from solon.law.casebook import cluster, own_words

    if kind == "rules":
        bench = Bench(store, config, models, max_calls=max_calls)
        return await _legislate_rules(bench, model or config.resolver.model)
    with store.connect() as connection:
        base = law_in_force(connection, config, kind, named)
        rows = unsettled(connection, base)
        taken = {
            cited for amendment in stored.list_amendments(connection, kind=kind) for cited in amendment.cites
        }
        settled = stored.settled_precedents(connection)
    rows = [row for row in rows if row.decision_id not in taken and row.id not in settled]
    reasons = [own_words(row.rationale, row.request, *row.answers) for row in rows]
    groups = [group for group in cluster(reasons, least) if len(group) >= least]
    bench = Bench(store, config, models, max_calls=max_calls)
    result = Legislated([], len(groups), len(rows), [])
    try:
        for group in groups[:most]:
            shown = [rows[place] for place in group[:CLUSTER_SHOWN]]
            worked = [replace(row.worked(), id=row.decision_id) for row in shown]
            context = bench.context(shown[0])
            drafted = await draft(
                context.case, base.document, worked, model=model or config.resolver.model, seat=base.id
            )
            await bench.flush(context)
            if drafted.document is None:
                result.problems.append(drafted.problem)
                continue
            try:
                with store.transaction() as connection:
                    row = stored.add_amendment(
                        store, connection, base, drafted.document, proposer=AUTHOR, cites=drafted.cites
                    )
                result.amendments.append(row)
            except UsageError as error:
                result.problems.append(error.cause)
    except LimitReached as limit:
        result.problems.append(limit.cause)
    finally:
        await bench.aclose()
    return result


async def _legislate_rules(bench: Bench, model: str) -> Legislated:
    """Rules for every label, as one amendment: they are measured together, and wear the held-out half once."""
    from solon.agents.legislator import AUTHOR

    store = bench.store
    base = begin_rules(store, by=AUTHOR)
    assert isinstance(base.document, RuleBook)
    with store.connect() as connection:
        rows = [row for row in precedents_under(connection, base.document) if _teaches(row)]
        repealed = [one.rule for one in rule_origins(connection).values() if not one.in_force]
    try:
        drafted = await draft_book(bench, base.document, rows, model=model, repealed=repealed)
    finally:
        await bench.aclose()
    result = Legislated([], drafted.labels, drafted.decisions, [*drafted.problems])
    if drafted.document is None:
        return result
    try:
        with store.transaction() as connection:
            made = stored.add_amendment(
                store, connection, base, drafted.document, proposer=AUTHOR, cites=drafted.cites
            )
        result.amendments.append(made)
    except UsageError as error:
        result.problems.append(error.cause)
    return result


def _teaches(row: PrecedentRow) -> bool:
    return row.half == "seen" and row.overruled_at is None and row.question.is_outcome(row.outcome)


def unsettled(connection: Connection, law: LawVersion) -> list[PrecedentRow]:
    """The decisions of the seen half that the law leaves open, for the legislator to draft a rule from.

    Each has a rationale, was not overruled, and shows that something is missing: no principle of the law
    covers it or the panel lost; a principle was cited for the side that lost; experts differ to the end; or
    one of them proposed a rule.
    """
    known = covered_ids(connection, law)
    rows = precedents_under(connection, law.document)
    panel = _panel_found(connection, rows)
    lost = items_lost(connection, law) if law.kind == "constitution" else set()
    contested = {case.item_id for case in list_cases(connection, "contested", limit=EVERY)}
    proposed = {proposal.item_id: proposal.text for proposal in list_proposals(connection, limit=EVERY)}
    open_rows = []
    for row in rows:
        row = replace(row, rationale=" ".join(filter(None, (row.rationale, proposed.get(row.item_id)))))
        if row.half != "seen" or row.overruled_at is not None or row.rank is None or not row.rationale:
            continue
        uncovered = not known & set(row.principles) or panel.get(row.item_id, row.outcome) != row.outcome
        if uncovered or row.item_id in lost or row.item_id in contested or row.item_id in proposed:
            open_rows.append(row)
    return open_rows


def _panel_found(connection: Connection, rows: Sequence[PrecedentRow]) -> dict[str, str]:
    """item -> what the panel alone found, for decided items."""
    from solon.consensus.model import ConsensusModel
    from solon.consensus.panel import judge_item

    votes = votes_on(connection, [(row.item_id, row.attempt, row.shown) for row in rows])
    by_item = {}
    for row in rows:
        if votes[row.item_id]:
            prior = ConsensusModel.prior(outcomes=row.question.outcomes)
            by_item[row.item_id] = judge_item(prior, votes[row.item_id]).best
    return by_item


# Impact ---------------------------------------------------------------------------------------------------------


async def measure_impact(
    store: Store,
    config: Config,
    amendment_id: str,
    *,
    by: str,
    models: Models | None = None,
    recipes: Recipes | None = None,
    sample: int = SAMPLE,
    max_calls: int | None = None,
    max_cost: float | None = None,
    twice: bool | None = None,
    tell: Callable[[int, int, Meter], None] | None = None,
) -> AmendmentRow:
    """The amendment with its impact, measured by letting the panel re-judge precedents under the law in force
    and under the draft.

    Every call goes through the journal of its item, so that what the panel said before under the same law
    costs nothing, and an interrupted measurement goes on where it stopped. A limit ends it with what is known
    by then.

    Args:
        sample: precedents at most, halves and outcomes in equal shares.
        twice: judge a third of them twice under the law in force; default: where a judge is not
            deterministic.
        tell: called with how many are judged, of how many, and what they took.

    Raises:
        UsageError: the amendment is closed, its base was replaced, or a limit on cost and a model without a
            price.
    """
    from solon.config.pinned import check_prices
    from solon.graphs.bench import Bench

    check_prices(config.model_copy(update={"limits": config.limits.model_copy(update={"cost": max_cost})}))
    tell = watched("tell", tell)
    with store.connect() as connection:
        amendment = stored.find_amendment(connection, amendment_id)
        base = laws.load_version(connection, amendment.kind, amendment.base_id)
        if amendment.state not in stored.OPEN or base.status != "in_force":
            why = (
                amendment.state
                if amendment.state not in stored.OPEN
                else f"of {base.version}, in force no more"
            )
            raise UsageError(f"amendment {amendment.id} is {why}", next_step="propose the change again")
        done = {trial.precedent_id for trial in stored.trials_of(connection, amendment.id)}
        chosen, worn = choose_sample(connection, amendment, sample, done)
    if amendment.kind == "rules":
        return _measure_rules(store, config, amendment, base, chosen, worn, by=by)
    again = _needs_twice(config) if twice is None else twice
    bench = Bench(store, config, models, recipes, max_calls=max_calls, max_cost=max_cost)
    todo = [pair for pair in chosen if pair[0].id not in done]
    stopped = await _try_all(bench, amendment, base, todo, again, tell)
    with store.transaction() as connection:
        trials = stored.trials_of(connection, amendment.id)
        tried = stored.count_tried(connection, amendment, trials)
        figures = impact.measure(trials, before=amendment.impact, tried=tried).to_json()
        figures |= {
            "sample": len(trials),
            "eligible": len(chosen),
            "judged_twice": sum(trial.again is not None for trial in trials),
            "calls": bench.meter.calls,
            "from_journal": bench.meter.cached,
            "cost": None if bench.meter.unknown_cost else round(bench.meter.cost, 6),
            "stopped": stopped,
            "worn": worn,
        }
        stored.set_measured(store, connection, amendment, figures, by=by)
        return stored.find_amendment(connection, amendment.id)


def _measure_rules(
    store: Store,
    config: Config,
    amendment: AmendmentRow,
    base: LawVersion,
    chosen: list[tuple[PrecedentRow, str]],
    worn: int,
    *,
    by: str,
) -> AmendmentRow:
    """The amendment with the impact of its rules, replayed on stored texts and verdicts: no model is asked."""
    from functools import partial

    old, new = base.document, amendment.document
    assert isinstance(old, RuleBook)
    assert isinstance(new, RuleBook)
    with store.connect() as connection:
        teaching = [row for row in precedents_under(connection, new) if _teaches(row)]
        rows = list({row.id: row for row in (*teaching, *(row for row, _ in chosen))}.values())
        votes = votes_on(connection, [(row.item_id, row.attempt, row.shown) for row in rows])
        earlier = _looks_before(connection, amendment)
    parts = {row.id: part for row, part in chosen}
    unseen = [(row.answers[0], row.outcome) for row, part in chosen if part != "seen"]
    effects = count_effects(config, new, changed_rules(old, new), unseen)
    repealed = count_effects(config, old, repealed_rules(old, new), unseen)
    verdict = partial(judge_rules, effects, earlier, repealed=repealed)
    with store.transaction() as connection:
        for trial, margins in replay(config, old, new, rows, parts, votes):
            stored.add_trial(connection, amendment.id, trial, margins=margins)
        trials = stored.trials_of(connection, amendment.id)
        found = impact.measure(
            trials,
            before=amendment.impact,
            tried=stored.count_tried(connection, amendment, trials),
            judged_by=lambda unseen, _, measurement: verdict(unseen, measurement),
        )
        counted = {"sample": len(trials), "eligible": len(chosen), "judged_twice": 0}
        nothing = {"calls": 0, "from_journal": 0, "cost": 0.0, "stopped": None}
        figures = {**found.to_json(), **counted, **nothing, **as_figures(effects, repealed), "worn": worn}
        stored.set_measured(store, connection, amendment, figures, by=by)
        return stored.find_amendment(connection, amendment.id)


def _looks_before(connection: Connection, amendment: AmendmentRow) -> int:
    """How often one of an amendment's new rules was measured in drafts from other versions."""
    looks: dict[str, int] = {}
    for other in stored.list_amendments(connection, kind="rules"):
        if other.base_id != amendment.base_id and other.impact is not None:
            for rule in other.impact["rules"]:
                looks[rule["says"]] = looks.get(rule["says"], 0) + int(other.impact["look"])
    base = laws.load_version(connection, "rules", amendment.base_id).document
    assert isinstance(base, RuleBook)
    assert isinstance(amendment.document, RuleBook)
    return max((looks.get(rule.text, 0) for rule in changed_rules(base, amendment.document)), default=0)


def _needs_twice(config: Config) -> bool:
    return any(
        judge.temperature > 0
        or (not judge.python and config.models[judge.model].provider not in DETERMINISTIC)
        for judge in config.judges
    )


async def _try_all(
    bench: Bench,
    amendment: AmendmentRow,
    base: LawVersion,
    todo: list[tuple[PrecedentRow, str]],
    again: bool,
    tell: Callable[[int, int, Meter], None] | None,
) -> str | None:
    """Re-judge and keep each precedent; returns why it stopped early."""
    gate = asyncio.Semaphore(bench.width)
    judged = 0

    async def one(place: int, row: PrecedentRow, part: str) -> None:
        nonlocal judged
        async with gate:
            trial, margins = await bench.try_one(
                row, part, amendment.document, base.document, again, again and place % 3 == 0
            )
            await bench.store.writer.run(
                lambda connection: stored.add_trial(connection, amendment.id, trial, margins=margins)
            )
            judged += 1
            if tell is not None:
                tell(judged, len(todo), bench.meter)

    try:
        results = await asyncio.gather(
            *(one(place, row, part) for place, (row, part) in enumerate(todo)), return_exceptions=True
        )
    finally:
        await bench.aclose()
    for error in results:
        if isinstance(error, BaseException) and not isinstance(error, LimitReached):
            raise error
    errors = [error for error in results if isinstance(error, LimitReached)]
    return errors[0].cause if errors else None
