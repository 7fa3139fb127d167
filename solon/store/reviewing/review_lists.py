"""Lists and figures about reviews: the leads' filtered queue, one's own answers, how much everyone did."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    tuple_,
)

from solon.errors import InvalidDecision
from solon.store.database import clock
from solon.store.reviewing.answering import ASIDE
from solon.store.reviewing.review_rows import VOTES, has_reason
from solon.store.reviewing.undoing import UNDO_LAST
from solon.store.runs.verdicts import panel_votes
from solon.store.tables import assignments, constitutions, decisions, events, items, reviews, seeds, texts

LOOKED_THROUGH = 5_000
"""Reviews that a page of the leads' list looks through for what no index knows: a text, a reason, a judge, a law."""
PLACE = tuple_(reviews.c.created_at, reviews.c.id)
CHOSEN = {state: choice for choice, state in ASIDE.items()}
"""State of a turn that was set aside -> what its person chose."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the leads' list is narrowed to; None is no condition.

    Attributes:
        status: state of the review.
        reason: code of one of its reasons.
        recipe: name of the recipe.
        run: id of the run.
        judge: a judge that gave a verdict on the item.
        kind: kind of the review, such as `interrupt` or `audit`.
        constitution: id of a version, or its name and version; the item is pinned to it.
        min_margin: the panel's margin is this or more.
        max_margin: the panel's margin is this or less.
        escalated: the review is for leads only, or is not.
        text: stands somewhere in the seed's text, in upper or lower case.
    """

    status: str | None = None
    reason: str | None = None
    recipe: str | None = None
    run: str | None = None
    judge: str | None = None
    kind: str | None = None
    constitution: str | None = None
    min_margin: float | None = None
    max_margin: float | None = None
    escalated: bool | None = None
    text: str | None = None

    @property
    def tells_why(self) -> bool:
        """Does a list under these filters tell what brought its reviews here?"""
        told = (self.reason, self.judge, self.kind, self.min_margin, self.max_margin)
        return any(one is not None for one in told)

    @property
    def searches(self) -> bool:
        """Is something asked for that no index knows, so that each review has to be looked at?"""
        return any(one is not None for one in (self.text, self.reason, self.judge, self.constitution))


def list_filtered(
    connection: Connection, filters: Filters, *, cursor: str | None, limit: int, most: int | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Reviews by age in a stable order; returns them and the cursor that continues after the last.

    Args:
        most: look through so many reviews at most where the filters search; there may be a cursor though fewer rows
            than `limit`, or none, were found among them. None: through all.

    Raises:
        InvalidDecision: the cursor is none of ours.
    """
    query = (
        select(
            reviews,
            texts.c.body,
            constitutions.c.name.label("constitution_name"),
            constitutions.c.version.label("constitution_version"),
        )
        .join(items, items.c.id == reviews.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .join(constitutions, constitutions.c.id == items.c.constitution_id)
        .where(*_conditions(filters))
        .order_by(reviews.c.created_at, reviews.c.id)
        .limit(limit + 1)
    )
    after = [] if cursor is None else [tuple_(*_read_cursor(cursor)) < PLACE]
    end = _end_of_search(connection, filters, after, most) if most is not None and filters.searches else None
    until = [] if end is None else [tuple_(*end) >= PLACE]
    rows = [_listed(dict(row)) for row in connection.execute(query.where(*after, *until)).mappings()]
    if len(rows) > limit:
        rows = rows[:limit]
        end = rows[-1]["created_at"], rows[-1]["id"]
    return rows, f"{end[0]!r}~{end[1]}" if end is not None else None


def _end_of_search(
    connection: Connection, filters: Filters, after: list[Any], most: int
) -> tuple[float, str] | None:
    """The place of the last of the `most` reviews that come next; None where there are no more than these."""
    equal = ((reviews.c.state, filters.status), (reviews.c.run_id, filters.run))
    those = [column == wanted for column, wanted in equal if wanted is not None]
    query = select(reviews.c.created_at, reviews.c.id).where(*those, *after)
    ends = connection.execute(
        query.order_by(reviews.c.created_at, reviews.c.id).offset(most - 1).limit(2)
    ).all()
    return (ends[0].created_at, ends[0].id) if len(ends) == 2 else None


def filtered(query: Select[Any], filters: Filters) -> Select[Any]:
    """The query of reviews narrowed to what fits the filters; items, seeds and texts are joined to it."""
    return (
        query.join(items, items.c.id == reviews.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .where(*_conditions(filters))
    )


def _conditions(filters: Filters) -> list[Any]:
    equal = {
        reviews.c.state: filters.status,
        reviews.c.recipe: filters.recipe,
        reviews.c.run_id: filters.run,
        reviews.c.kind: filters.kind,
        reviews.c.escalated: filters.escalated,
    }
    found: list[Any] = [column == wanted for column, wanted in equal.items() if wanted is not None]
    if filters.constitution is not None:
        named = constitutions.c.name + " " + constitutions.c.version
        wanted = or_(constitutions.c.id == filters.constitution, named == filters.constitution)
        found.append(items.c.constitution_id.in_(select(constitutions.c.id).where(wanted)))
    if filters.min_margin is not None:
        found.append(reviews.c.margin >= filters.min_margin)
    if filters.max_margin is not None:
        found.append(reviews.c.margin <= filters.max_margin)
    if filters.reason is not None:
        found.append(has_reason(filters.reason))
    if filters.judge is not None:
        found.append(
            exists().where(panel_votes.c.item_id == reviews.c.item_id, panel_votes.c.judge == filters.judge)
        )
    if filters.text is not None:
        found.append(has_text(filters.text))
    return found


def has_text(words: str) -> ColumnElement[bool]:
    """The condition on a seed's text that these words stand in it, in upper or lower case."""
    return func.lower(texts.c.body).contains(words.lower(), autoescape=True)


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    body = row.pop("body")
    row["prompt"] = (json.loads(body).get("prompt") or "")[:300] if body else "(forgotten)"
    row["constitution"] = f"{row.pop('constitution_name')} {row.pop('constitution_version')}"
    row["reasons"] = [reason["text"] for reason in row["reasons"] or ()]
    return row


def _read_cursor(cursor: str) -> tuple[float, str]:
    at, _, review_id = cursor.partition("~")
    try:
        return float(at), review_id
    except ValueError:
        raise InvalidDecision(
            "cursor: it was not given by this list", next_step="begin without one"
        ) from None


OWN_PROMPT = 600
"""Characters of a request that stand in the list of one's own answers."""


def list_own_answers(connection: Connection, actor: str, limit: int = UNDO_LAST) -> list[dict[str, Any]]:
    """A person's last answers that stand or that somebody else took back, the newest first.

    Each has decision, review, choice, candidate, text_id, decided_at, prompt, kind (decided, taken_back, vote, or how a
    question that waits was set aside) and undoable. But for decisions the id of the assignment stands under `decision`.
    """
    answers = [*_own_decisions(connection, actor, limit), *_own_others(connection, actor, limit)]
    answers.sort(key=lambda answer: (answer["decided_at"], answer["decision"]), reverse=True)
    for position, answer in enumerate(answers[:limit]):
        body = answer.pop("body")
        answer["prompt"] = (json.loads(body).get("prompt") or "")[:OWN_PROMPT] if body else "(forgotten)"
        answer["undoable"] = position < UNDO_LAST and answer["kind"] != "taken_back"
    return answers[:limit]


def _own_others(connection: Connection, actor: str, limit: int) -> list[dict[str, Any]]:
    query = (
        select(
            assignments.c.id.label("decision"),
            assignments.c.review_id.label("review"),
            assignments.c.state.label("kind"),
            assignments.c.answer,
            assignments.c.closed_at.label("decided_at"),
            texts.c.body,
        )
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .join(items, items.c.id == reviews.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .where(
            assignments.c.actor == actor,
            or_(
                assignments.c.state == "vote",
                and_(assignments.c.state.in_([*ASIDE.values()]), reviews.c.state == "waiting"),
            ),
        )
        .order_by(assignments.c.closed_at.desc(), assignments.c.id.desc())
        .limit(limit)
    )
    found = [dict(row) for row in connection.execute(query).mappings()]
    for row in found:
        kept = row.pop("answer") or {}
        said = kept if row["kind"] == "vote" else {"choice": CHOSEN[row["kind"]]}
        row |= {
            "choice": said.get("choice", ""),
            "candidate": said.get("candidate"),
            "text_id": said.get("text"),
        }
    return found


def _own_decisions(connection: Connection, actor: str, limit: int) -> list[dict[str, Any]]:
    query = (
        select(
            decisions.c.id.label("decision"),
            decisions.c.review_id.label("review"),
            decisions.c.choice,
            decisions.c.candidate_id.label("candidate"),
            decisions.c.edit_id.label("text_id"),
            decisions.c.decided_at,
            case((decisions.c.undone_at.is_(None), "decided"), else_="taken_back").label("kind"),
            texts.c.body,
        )
        .join(items, items.c.id == decisions.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .where(decisions.c.actor == actor, or_(decisions.c.undone_at.is_(None), _taken_back()))
        .order_by(decisions.c.decided_at.desc(), decisions.c.id.desc())
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _taken_back() -> ColumnElement[bool]:
    """The condition on a decision that somebody else than its author took it back, or one before it on its item."""
    on_item = reviews.alias()
    return exists().where(
        on_item.c.item_id == decisions.c.item_id,
        events.c.subject == on_item.c.id,
        events.c.kind == "decision.undone",
        events.c.actor != decisions.c.actor,
        events.c.at == decisions.c.undone_at,
    )


def count_answers(connection: Connection, actor: str, since: float | None = None) -> tuple[int, int, int]:
    """How many answers a person has given since then, how many in all, and how many everyone has.

    A vote is an answer; a decision that votes made is none, nor is one that was carried over: it was given before.

    Args:
        since: epoch seconds; None: the last 24 hours.
    """
    since = since if since is not None else clock.now() - 24 * 3600
    stands = (decisions.c.undone_at.is_(None), decisions.c.actor != VOTES, decisions.c.carried_from.is_(None))
    count = select(func.count()).select_from(decisions).where(*stands)
    votes = select(func.count()).select_from(assignments).where(assignments.c.state == "vote")
    conditions = (
        (
            (decisions.c.actor == actor, decisions.c.decided_at >= since),
            (assignments.c.actor == actor, assignments.c.closed_at >= since),
        ),
        ((decisions.c.actor == actor,), (assignments.c.actor == actor,)),
        ((), ()),
    )
    today, mine, team = (
        int(connection.execute(count.where(*decided)).scalar_one())
        + int(connection.execute(votes.where(*voted)).scalar_one())
        for decided, voted in conditions
    )
    return today, mine, team


@dataclass(slots=True)
class Work:
    """What one person did.

    Attributes:
        decided: decisions that stand, but for second opinions and those that were carried over, given before.
        vote: votes.
        second: second opinions: answers to an overlap, and those that came after another's decision.
        skipped: reviews skipped.
        declined: reviews declined.
        escalated: reviews handed to a lead.
        median_seconds: of active work on an answer (decision, vote or second opinion); None without any time.
    """

    decided: int = 0
    vote: int = 0
    second: int = 0
    skipped: int = 0
    declined: int = 0
    escalated: int = 0
    median_seconds: float | None = None


def work_by_actor(connection: Connection) -> dict[str, Work]:
    """Return how much everyone did, by actor."""
    work: dict[str, Work] = defaultdict(Work)
    states = (
        select(assignments.c.actor, assignments.c.state, func.count())
        .where(assignments.c.state.in_(("vote", "second", "skipped", "declined", "escalated")))
        .group_by(assignments.c.actor, assignments.c.state)
    )
    for actor, state, n in connection.execute(states):
        setattr(work[actor], state, n)
    seconds: dict[str, list[float]] = defaultdict(list)
    kept = select(assignments.c.actor, assignments.c.answer).where(
        assignments.c.state.in_(("vote", "second"))
    )
    for actor, answer in connection.execute(kept):
        active = ((answer or {}).get("times") or {}).get("active_seconds")
        if active is not None:
            seconds[actor].append(active)
    stands = (
        select(decisions.c.actor, decisions.c.active_seconds, reviews.c.kind)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(decisions.c.undone_at.is_(None), decisions.c.carried_from.is_(None))
    )
    for actor, active, kind in connection.execute(stands):
        if kind == "overlap":
            work[actor].second += 1
        else:
            work[actor].decided += 1
        if active is not None:
            seconds[actor].append(active)
    for actor, taken in seconds.items():
        work[actor].median_seconds = round(median(taken), 1)
    return dict(work)


def items_asked_about(connection: Connection) -> set[str]:
    """Items that are decided and about which someone is still to be asked: by an audit or an overlap."""
    query = select(reviews.c.item_id).where(
        reviews.c.state == "waiting",
        # Both values each: so the index is followed down to the kind, and not the whole queue read.
        reviews.c.leased.in_((False, True)),
        reviews.c.escalated.in_((False, True)),
        reviews.c.kind.in_(("audit", "overlap")),
    )
    return set(connection.execute(query).scalars())
