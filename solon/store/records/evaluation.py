"""What evaluation and reports read: answers, verdicts with their cost, records, versions, counts. Reads only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    union,
)

from solon.consensus.panel import SILENT, Vote
from solon.questions import Question, question_of
from solon.store.database.chunks import chunks
from solon.store.reviewing.checks import first_answer, is_changed
from solon.store.reviewing.drawn_questions import WAS_DRAWN
from solon.store.reviewing.overlaps import DOUBT
from solon.store.reviewing.review_rows import REPEAT
from solon.store.runs.items import name_of, parts_of_items
from solon.store.runs.verdicts import panel_votes, shown_to_judge, votes_on
from solon.store.tables import (
    assignments,
    calls,
    candidates,
    critiques,
    decisions,
    items,
    records,
    resolutions,
    reviews,
    seeds,
    texts,
)
from solon.store.tables import consensus_versions as versions

Part = ColumnElement[bool]
"""A condition on items that names some of them, see `parts_of_items`."""
Shown = tuple[str, int, tuple[str, ...]]
"""Item, attempt, candidates in the order in which the panel saw them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's answer to one review.

    Attributes:
        id: id of the decision, or of the assignment of a second opinion.
        review_id: the review.
        item_id: the item.
        attempt: attempt of the item in which it was asked.
        shown: ids of the candidates, in the order in which the panel saw them.
        kind: kind of the review.
        rule: what sent the review to an expert.
        schema: the response schema that it was answered under.
        actor: who answered.
        choice: what was chosen.
        candidate_id: the candidate named; None where none was.
        counts: given with an expert's token, before the votes were shown.
        second: it came after another's decision and is kept as a blind second opinion.
        at: when it was given, in epoch seconds.
        active_seconds: of work on it; None where that is not known.
        channel: by which way it came, such as `page`.
        principles: ids of the principles cited.
        flags: candidate -> what it was flagged as.
        scores: criterion -> score.
        specialty: field of the seed; None where none is stated.
        lang: language of the seed; None where none is stated.
    """

    id: str
    review_id: str
    item_id: str
    attempt: int
    shown: tuple[str, ...]
    kind: str
    rule: str
    schema: str
    actor: str
    choice: str
    candidate_id: str | None
    counts: bool
    second: bool
    at: float
    active_seconds: float | None
    channel: str
    principles: tuple[str, ...]
    flags: dict[str, Any]
    scores: dict[str, int]
    specialty: str | None
    lang: str | None

    @property
    def what(self) -> Shown:
        """What was shown: item, attempt and candidates."""
        return self.item_id, self.attempt, self.shown

    @property
    def question(self) -> Question:
        """What was asked."""
        return question_of(self.schema)

    @property
    def outcome(self) -> str | None:
        """The answer as an outcome of its question, tie or neither; None where it cannot be read."""
        return self.question.outcome_of(self.choice, self.candidate_id, self.shown)


def answers(
    connection: Connection,
    run_ids: Sequence[str],
    *,
    telling: bool = False,
    kind: str = "",
    settled: bool = False,
    part: ColumnElement[bool] | None = None,
) -> list[Answer]:
    """Every answer that was not taken back, second opinions included, repeats not, the oldest first.

    Args:
        telling: only those about items that were drawn at random, or that several people may have been asked about:
            what is said of a promise rests on no others, and of a large run they are few.
        kind: only those to reviews of this kind; empty: of any.
        settled: only those on items that `are_settled`.
        part: only those on these items, see `parts_of_items`.
    """
    facts = (
        reviews.c.id.label("review_id"),
        reviews.c.item_id,
        reviews.c.attempt,
        reviews.c.candidates,
        reviews.c.kind,
        reviews.c.rule,
        reviews.c.response_schema.label("schema"),
        seeds.c.specialty,
        seeds.c.lang,
    )
    among: list[ColumnElement[bool]] = []
    if telling:
        among.append(reviews.c.item_id.in_(_telling_items(run_ids)))
    if kind:
        among.append(reviews.c.kind == kind)
    if settled:
        among.append(are_settled())
    if part is not None:
        among.append(part)
    decided = (
        _of_runs(select(*facts, decisions).join(reviews, reviews.c.id == decisions.c.review_id), run_ids)
        .where(decisions.c.undone_at.is_(None), reviews.c.kind != REPEAT, *among)
        .order_by(decisions.c.decided_at, decisions.c.id)
    )
    given_answers = [_decision(dict(row)) for row in connection.execute(decided).mappings()]
    # As an expression, since a plain comparison has SQLite read every second opinion of the store for each part.
    second = func.coalesce(assignments.c.state, "") == "second"
    later = _of_runs(
        select(*facts, assignments).join(reviews, reviews.c.id == assignments.c.review_id), run_ids
    ).where(second, *among)
    given_answers += [_second(dict(row)) for row in connection.execute(later).mappings()]
    return sorted(given_answers, key=lambda answer: (answer.at, answer.id))


def _telling_items(run_ids: Sequence[str]) -> CompoundSelect[Any]:
    """Ids of the items that were drawn at random, or that several people may have been asked about."""
    asked = select(reviews.c.item_id).where(reviews.c.run_id.in_(run_ids))
    seconds = asked.join(assignments, assignments.c.review_id == reviews.c.id)
    return union(
        asked.where(or_(reviews.c.kind != literal_column("'interrupt'"), WAS_DRAWN)),
        select(items.c.id).where(items.c.run_id.in_(run_ids), items.c.pilot),
        seconds.where(assignments.c.state == "second"),
    )


def are_settled() -> ColumnElement[bool]:
    """The condition on items that they were accepted or rejected, and that nobody has still to answer anything about
    them."""
    asked = reviews.alias("asked")
    open_ = exists().where(asked.c.item_id == items.c.id, asked.c.state.not_in(("decided", "withdrawn")))
    return items.c.state.in_(("accepted", "rejected")) & ~open_


def settled_items(run_ids: Sequence[str]) -> Select[Any]:
    """Ids of the items of runs that `are_settled`."""
    return select(items.c.id).where(items.c.run_id.in_(run_ids), are_settled())


def _of_runs(query: Select[Any], run_ids: Sequence[str]) -> Select[Any]:
    return (
        query.join(items, items.c.id == reviews.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(reviews.c.run_id.in_(run_ids))
    )


def _decision(row: dict[str, Any]) -> Answer:
    """A decision; where it was changed after a check, the blind answer before that."""
    blind = first_answer(row["checked"])
    return Answer(
        **_facts(row),
        choice=blind.choice if blind else row["choice"],
        candidate_id=blind.candidate_id if blind else row["candidate_id"],
        counts=(bool(row["counts"]) or blind is not None) and row["rule"] != DOUBT,
        second=False,
        at=row["decided_at"],
        active_seconds=row["active_seconds"],
        channel=row["channel"],
        principles=tuple(row["principles"] or ()),
        flags=blind.flags if blind else row["flags"] or {},
        scores=blind.scores if blind else row["scores"] or {},
    )


def _second(row: dict[str, Any]) -> Answer:
    given, closed, seen = row["answer"] or {}, row["closed_at"] or row["opened_at"], row["revealed_at"]
    blind = first_answer(row["checked"])
    shown = question_of(row["schema"]).proposes
    alone = (seen is None or seen >= closed) and not is_changed(row["checked"]) and not shown
    return Answer(
        **_facts(row),
        choice=blind.choice if blind else str(given.get("choice", "")),
        candidate_id=blind.candidate_id if blind else given.get("candidate"),
        counts=(alone or blind is not None) and row["rule"] != DOUBT,
        second=True,
        at=closed,
        active_seconds=(given.get("times") or {}).get("active_seconds"),
        channel="page",
        principles=tuple(given.get("principles") or ()),
        flags=blind.flags if blind else given.get("flags") or {},
        scores=blind.scores if blind else given.get("scores") or {},
    )


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    same = ("id", "review_id", "item_id", "attempt", "kind", "rule", "schema", "actor", "specialty", "lang")
    return {**{name: row[name] for name in same}, "shown": tuple(row["candidates"])}


def votes_for(connection: Connection, wanted: Iterable[Shown]) -> dict[Shown, tuple[Vote, ...]]:
    """The panel's votes by what was shown; an item may have been shown in several attempts."""
    votes_by_shown: dict[Shown, tuple[Vote, ...]] = {}
    left = list(dict.fromkeys(wanted))
    while left:
        batch: dict[str, Shown] = {}
        for shown in left:
            batch.setdefault(shown[0], shown)
        votes = votes_on(connection, batch.values())
        votes_by_shown.update({shown: votes[item_id] for item_id, shown in batch.items()})
        taken = set(batch.values())
        left = [shown for shown in left if shown not in taken]
    return votes_by_shown


def consensus_of_items(connection: Connection, item_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The payload of the consensus version that each item is pinned to, by the item's id."""
    version_of: dict[str, str] = {}
    for part in chunks(item_ids):
        query = select(items.c.id, items.c.consensus_id).where(items.c.id.in_(part))
        version_of.update({row.id: row.consensus_id for row in connection.execute(query)})
    query = select(versions.c.id, versions.c.payload).where(versions.c.id.in_(set(version_of.values())))
    payloads = {row.id: row.payload for row in connection.execute(query)}
    return {item_id: payloads[version] for item_id, version in version_of.items()}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a record of an attempt chose, and by which route.

    Attributes:
        chosen_id: the candidate chosen; None where none was.
        label: the label given; None where none was asked for.
        route: how the item got there, such as `consensus`, `resolved` or `decided`.
        certificate_id: the certificate that it was accepted under; None without one.
        provisional: no certificate stood for it, and no expert decided it.
        tier: the last tier of the panel that was asked; None without a panel.
    """

    chosen_id: str | None
    label: str | None
    route: str
    certificate_id: str | None
    provisional: bool
    tier: int | None = None


def records_of(connection: Connection, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Choice]:
    """The (first) record of each (item, attempt), superseded or not; those without one are missing.

    An audit speaks of the record that it was drawn for.
    """
    keys = set(wanted)
    names = ("item_id", "attempt", "chosen_id", "label", "route", "certificate_id", "provisional", "tier")
    columns = [records.c[name] for name in names]
    choices: dict[tuple[str, int], Choice] = {}
    for part in chunks(sorted({item_id for item_id, _ in keys})):
        for row in connection.execute(
            select(*columns).where(records.c.item_id.in_(part), records.c.place == 0)
        ):
            if (row.item_id, row.attempt) in keys:
                choices[row.item_id, row.attempt] = Choice(
                    row.chosen_id, row.label, row.route, row.certificate_id, bool(row.provisional), row.tier
                )
    return choices


@dataclass(frozen=True, slots=True)
class PaidVote:
    """A judge's vote with what its call took.

    Attributes:
        what: item, attempt and candidates that it is on.
        vote: the vote.
        call_id: the call; None where the vote was recorded elsewhere.
        cost: price of the call; None where it is not known.
        tokens: tokens of the call, read and written.
        recorded: it was given elsewhere, and came with the seed.
    """

    what: Shown
    vote: Vote
    call_id: str | None
    cost: float | None
    tokens: int
    recorded: bool


def paid_votes(
    connection: Connection,
    run_ids: Sequence[str],
    *,
    settled: bool = False,
    part: ColumnElement[bool] | None = None,
) -> Iterator[PaidVote]:
    """Votes of the panel in the items' attempts in force, without the resolver's, streamed item by item; of items that
    `are_settled` alone, or of a part of them, where these are asked for. Of rules only where they match: silence is no
    vote."""
    tokens = func.coalesce(calls.c.input_tokens, 0) + func.coalesce(calls.c.output_tokens, 0)
    query = (
        select(panel_votes, calls.c.cost, tokens.label("tokens"))
        .join(items, (items.c.id == panel_votes.c.item_id) & (items.c.attempt == panel_votes.c.attempt))
        .join(calls, calls.c.id == panel_votes.c.call_id, isouter=True)
        .where(panel_votes.c.outcome != SILENT, *((are_settled(),) if settled else ()))
        .order_by(items.c.position, panel_votes.c.id)
    )
    for one in parts_of_runs(connection, run_ids) if part is None else (part,):
        for row in connection.execute(query.where(one)):
            yield PaidVote(
                what=(row.item_id, row.attempt, shown_to_judge(row)),
                vote=Vote.of(row),
                call_id=row.call_id,
                cost=row.cost,
                tokens=int(row.tokens or 0),
                recorded=row.call_id is None and not row.basis,
            )


def parts_of_runs(connection: Connection, run_ids: Sequence[str]) -> Iterator[ColumnElement[bool]]:
    """Conditions that cut the items of runs into parts that can be held, see `parts_of_items`."""
    return parts_of_items(connection, items.c.run_id.in_(run_ids))


def count_votes(connection: Connection, run_id: str) -> Counter[tuple[str, str, bool]]:
    """How many votes `paid_votes` has, by seat, judge and whether they were recorded elsewhere."""
    recorded = panel_votes.c.call_id.is_(None) & (func.coalesce(panel_votes.c.basis, "") == "")
    by = (panel_votes.c.seat, panel_votes.c.judge, recorded)
    query = (
        select(*by, func.count())
        .join(items, (items.c.id == panel_votes.c.item_id) & (items.c.attempt == panel_votes.c.attempt))
        .where(items.c.run_id == run_id, panel_votes.c.outcome != SILENT)
        .group_by(*by)
    )
    return Counter({(row[0], row[1], bool(row[2])): int(row[3]) for row in connection.execute(query)})


@dataclass(frozen=True, slots=True)
class RuleVote:
    """What a rule said of what was shown.

    Attributes:
        what: item, attempt and candidates that it is on.
        rule: its name, as configured.
        place: on the panel, from 1.
        outcome: that it named, or `silent`.
    """

    what: Shown
    rule: str
    place: int
    outcome: str


def rule_votes(connection: Connection, part: Part) -> Iterator[RuleVote]:
    """What rules said in the attempts in force of these items, silence included."""
    by_rule = (panel_votes.c.basis == "rule") | (
        (panel_votes.c.outcome == SILENT) & ~panel_votes.c.judge.startswith("classifier:")
    )
    query = (
        select(panel_votes)
        .join(items, (items.c.id == panel_votes.c.item_id) & (items.c.attempt == panel_votes.c.attempt))
        .where(part, by_rule)
        .order_by(panel_votes.c.id)
    )
    for row in connection.execution_options(stream_results=True).execute(query):
        place, _, name = row.seat.partition(": ")
        what = (row.item_id, row.attempt, shown_to_judge(row))
        yield RuleVote(what, name, int(place), row.outcome)


def asked_questions(
    connection: Connection,
    run_ids: Sequence[str],
    kind: str,
    rules: Sequence[str] = (),
    part: ColumnElement[bool] | None = None,
) -> set[tuple[str, int]]:
    """Questions that were put to people and are open or answered, as item and attempt.

    Args:
        kind: of their reviews, such as `audit`.
        rules: that asked; empty: whichever did.
        part: only those about these items, see `parts_of_items`.
    """
    query = select(reviews.c.item_id, reviews.c.attempt).where(
        reviews.c.run_id.in_(run_ids), reviews.c.kind == kind, reviews.c.state.in_(("waiting", "decided"))
    )
    if rules:
        query = query.where(reviews.c.rule.in_(rules))
    if part is not None:
        query = query.join(items, items.c.id == reviews.c.item_id).where(part)
    return {(row.item_id, row.attempt) for row in connection.execute(query)}


def is_judged(connection: Connection, run_id: str) -> bool:
    """Whether a panel gave verdicts on items of the run; else people alone answer it."""
    query = (
        select(panel_votes.c.id)
        .join(items, items.c.id == panel_votes.c.item_id)
        .where(items.c.run_id == run_id)
    )
    return connection.execute(query.limit(1)).first() is not None


def authors_by_role(connection: Connection, run_id: str) -> dict[str, list[str]]:
    """The models and functions whose answers stand behind the run's items, by role.

    Those of an earlier run's calls are among them, where the items use these.
    """
    models_of: dict[str, set[str]] = {}
    for table in (candidates, critiques, panel_votes, resolutions):
        query = (
            select(calls.c.role, calls.c.model)
            .join(table, table.c.call_id == calls.c.id)
            .join(items, items.c.id == table.c.item_id)
            .where(items.c.run_id == run_id)
            .distinct()
        )
        for role, model in connection.execute(query):
            models_of.setdefault(role, set()).add(model)
    return {role: sorted(models) for role, models in sorted(models_of.items())}


@dataclass(frozen=True, slots=True)
class CandidateText:
    """A candidate's text with who wrote it.

    Attributes:
        id: id of the candidate.
        author: who or what wrote it.
        kind: how it came to be, such as a draft, a revision, an edit or a given response.
        body: the text.
    """

    id: str
    author: str
    kind: str
    body: str


def candidate_texts(
    connection: Connection, run_ids: Sequence[str], part: ColumnElement[bool] | None = None
) -> Iterator[CandidateText]:
    """Candidates of the runs, or of a part of their items, with their texts, streamed; forgotten ones are left out."""
    query = (
        select(candidates.c.id, candidates.c.author, candidates.c.kind, texts.c.body)
        .join(texts, texts.c.id == candidates.c.text_id)
        .join(items, items.c.id == candidates.c.item_id)
        .where(items.c.run_id.in_(run_ids) if part is None else part, texts.c.body.is_not(None))
        .order_by(candidates.c.id)
    )
    for row in connection.execution_options(stream_results=True).execute(query):
        yield CandidateText(row.id, row.author, row.kind, row.body)


def seed_prompts(connection: Connection, item_ids: Sequence[str]) -> dict[str, str]:
    """The prompt of each item's seed, by the item's id; forgotten ones are left out."""
    prompts: dict[str, str] = {}
    for part in chunks(item_ids):
        query = (
            select(items.c.id, texts.c.body)
            .join(seeds, seeds.c.id == items.c.seed_id)
            .join(texts, texts.c.id == seeds.c.text_id)
            .where(items.c.id.in_(part), texts.c.body.is_not(None))
        )
        prompts.update({row.id: json.loads(row.body)["prompt"] for row in connection.execute(query)})
    return prompts


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A consensus version of a scope.

    Attributes:
        id: its id.
        number: its number; later ones are higher.
        kind: kind of its consensus model.
        decisions: how many decisions it was fitted on.
        created_at: when it was made, in epoch seconds.
        told: how often it is right, where a budget is spent in rounds, and what it learned of the voters, in words;
            empty where nothing showed.
    """

    id: str
    number: int
    kind: str
    decisions: int
    created_at: float
    told: str = ""


def consensus_versions(connection: Connection, scope: str) -> list[VersionRow]:
    """The consensus versions of a scope, the oldest first."""
    columns = (versions.c[name] for name in ("id", "number", "kind", "fitted_on", "created_at"))
    query = select(*columns).where(versions.c.scope == scope).order_by(versions.c.number)
    return [
        VersionRow(
            row.id,
            row.number,
            row.kind,
            len((row.fitted_on or {}).get("decisions", ())),
            row.created_at,
            (row.fitted_on or {}).get("told", ""),
        )
        for row in connection.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record in force, as figures: no text.

    Attributes:
        id: its id.
        item_id: its item.
        route: how the item got there, such as `consensus`, `resolved` or `decided`.
        kind: what was recorded, such as prefer, tie, edit or accept.
        margin: the panel's margin; None without a panel.
        confidence: how sure panel (and votes) were of it; None without either.
        provisional: no certificate stood for it, and no expert decided it.
        certificate_id: the certificate that it was accepted under; None without one.
        stale: it is in doubt, since its law was amended.
    """

    id: str
    item_id: str
    route: str
    kind: str
    margin: float | None
    confidence: float | None
    provisional: bool
    certificate_id: str | None
    stale: bool


def accepted(
    connection: Connection,
    run_ids: Sequence[str],
    *,
    settled: bool = False,
    among: ColumnElement[bool] | None = None,
) -> Iterator[Accepted]:
    """Records in force of the runs, streamed in the order of their items; of items that `are_settled` alone where these
    are asked for.

    Args:
        among: a condition on them, joined with their items, such as `of_data_set`.
    """
    names = ("id", "item_id", "route", "kind", "margin", "confidence", "provisional", "certificate_id")
    columns = [records.c[name] for name in names]
    query = (
        select(*columns, records.c.stale_at.is_not(None).label("stale"))
        .join(items, items.c.id == records.c.item_id)
        .where(records.c.superseded_at.is_(None), *((are_settled(),) if settled else ()))
        .order_by(items.c.position, records.c.id)
    )
    if among is not None:
        query = query.where(among)
    for part in parts_of_runs(connection, run_ids):
        for row in connection.execute(query.where(part)).mappings():
            yield Accepted(**{**row, "provisional": bool(row["provisional"]), "stale": bool(row["stale"])})


def count_accepted(connection: Connection, run_id: str, person: str) -> tuple[int, int, int]:
    """How many records in force of a run people gave, a certificate covers, and neither.

    Args:
        person: the route of what people gave.
    """
    covered = and_(records.c.certificate_id.is_not(None), records.c.provisional.is_(False))
    part = case((records.c.route == person, 0), (covered, 1), else_=2).label("part")
    query = (
        select(part, func.count())
        .where(records.c.run_id == run_id, records.c.superseded_at.is_(None))
        .group_by(part)
    )
    counts = {int(row[0]): int(row[1]) for row in connection.execute(query)}
    return counts.get(0, 0), counts.get(1, 0), counts.get(2, 0)


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """Where an item stands, how often people were asked about it, and the tokens it took.

    Attributes:
        item_id: the item.
        name: what it is called, see `name_of`.
        state: state of the item.
        reviews: how often people were asked; audits are none.
        tokens: tokens of its calls in this run, read and written.
    """

    item_id: str
    name: str
    state: str
    reviews: int
    tokens: int


def item_facts(connection: Connection, run_id: str) -> list[ItemFacts]:
    """Every item of a run, in the order of its seeds. Audits are no questions: their items were accepted."""
    asking = (
        select(reviews.c.item_id, func.count())
        .where(reviews.c.run_id == run_id, reviews.c.kind == "interrupt", reviews.c.state != "withdrawn")
        .group_by(reviews.c.item_id)
    )
    asked = {row[0]: int(row[1]) for row in connection.execute(asking)}
    total = func.sum(func.coalesce(calls.c.input_tokens, 0) + func.coalesce(calls.c.output_tokens, 0))
    using = select(calls.c.item_id, total).where(calls.c.run_id == run_id).group_by(calls.c.item_id)
    used = {row[0]: int(row[1]) for row in connection.execute(using)}
    query = (
        select(items.c.id, items.c.number, seeds.c.external_id, items.c.state)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(items.c.run_id == run_id)
        .order_by(items.c.position)
    )
    return [
        ItemFacts(
            row.id,
            name_of(row.external_id, row.number),
            row.state,
            asked.get(row.id, 0),
            used.get(row.id, 0),
        )
        for row in connection.execute(query)
    ]
