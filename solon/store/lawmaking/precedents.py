"""Precedents: decided items as case law. Which may be shown, which an amendment is measured on, how worn they are."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select, update

from solon.law.casebook import Worked
from solon.law.documents import Constitution, Rubric, RuleBook
from solon.law.scopes import domains_of, narrowest
from solon.questions import NEITHER, Question, question_of
from solon.store.database import clock
from solon.store.reviewing.review_rows import REPEAT, NotThere, find_review
from solon.store.runs.laws import history, scope_key, versions_in_force
from solon.store.runs.verdicts import panel_votes
from solon.store.tables import (
    calls,
    candidates,
    decisions,
    experts,
    items,
    precedents,
    reviews,
    seeds,
    texts,
)

WORN = 5
"""Uses after which a held-out precedent retires: every look at it tells the authors of drafts a little."""
NEWEST = 2000
"""A casebook holds at most so many precedents."""
CHUNK = 400


@dataclass(frozen=True, slots=True)
class PrecedentRow:
    """A precedent with its decision and texts.

    Attributes:
        id: its id.
        decision_id: the decision that made it.
        item_id: the item decided.
        seed_id: seed of the item.
        run_id: run of the item.
        recipe: recipe of the item.
        half: `seen` or `held_out`.
        group: group of the seed; None without one.
        uses: how many drafts were measured on it while it was held out.
        retrievable: judges may be shown it.
        overruled_at: when it ceased to hold, in epoch seconds; None while it holds.
        created_at: when it was made, in epoch seconds.
        actor: who decided.
        choice: what was chosen.
        question: what was asked.
        outcome: the decision as an outcome of the question, tie or neither.
        principles: ids of the principles that the decision cites.
        rationale: why, in words; empty where nothing was said.
        request: what the candidates answer.
        shown: ids of the candidates, in the order shown.
        answers: their texts, in the same order; an erased one is empty.
        attempt: attempt of the item in which it was decided.
        constitution_id: the constitution that the item is pinned to.
        rubric_id: the rubric that the item is pinned to.
        domains: the seed's specialty and tags, in lower case.
    """

    id: str
    decision_id: str
    item_id: str
    seed_id: str
    run_id: str
    recipe: str
    half: str
    group: str | None
    uses: int
    retrievable: bool
    overruled_at: float | None
    created_at: float
    actor: str
    choice: str
    question: Question
    outcome: str
    principles: tuple[str, ...]
    rationale: str
    request: str
    shown: tuple[str, ...]
    answers: tuple[str, ...]
    attempt: int
    constitution_id: str
    rubric_id: str
    domains: frozenset[str]

    @property
    def worn(self) -> bool:
        """Has it been used too often to be held out any longer?"""
        return self.half == "held_out" and self.uses >= WORN

    @property
    def rank(self) -> int | None:
        """Which of the answers shown was preferred, counted from 0; None where none was."""
        better, _ = self.question.chosen(self.outcome, self.shown)
        return self.shown.index(better) if better is not None else None

    def worked(self) -> Worked:
        """The precedent as it is shown to judges."""
        answer = dict(zip(self.shown, self.answers, strict=False))
        better, worse = (
            answer.get(side or "", "") for side in self.question.chosen(self.outcome, self.shown)
        )
        return Worked(
            self.id,
            self.item_id,
            self.seed_id,
            self.group,
            self.request,
            better,
            worse,
            self.choice,
            self.rationale,
            self.principles,
        )


def mark_retrievable(connection: Connection, proven: Collection[str] = ()) -> int:
    """Let decisions of leads, and of experts who are proven, be shown to judges from now on. Returns how many."""
    leads = select(experts.c.id).where(experts.c.role.in_(("lead", "admin")), experts.c.revoked_at.is_(None))
    actors = {f"expert:{expert_id}" for expert_id in connection.execute(leads).scalars()} | set(proven)
    theirs = select(decisions.c.id).where(
        decisions.c.actor.in_(sorted(actors)), decisions.c.undone_at.is_(None)
    )
    statement = (
        update(precedents)
        .where(
            precedents.c.retrievable.is_(False),
            precedents.c.overruled_at.is_(None),
            precedents.c.decision_id.in_(theirs),
        )
        .values(retrievable=True, retrievable_at=clock.now())
    )
    return int(connection.execute(statement).rowcount) if actors else 0


def retrievable_cases(connection: Connection, recipe: str, until: float) -> list[Worked]:
    """What judges of a recipe may be shown of what was known at `until`: the seen half, by leads and proven experts.

    Later marks and rulings change nothing here, so that an item is shown the same whenever it is replayed.
    """
    condition = (
        precedents.c.recipe == recipe,
        precedents.c.half == "seen",
        precedents.c.created_at < until,
        precedents.c.retrievable_at < until,
        or_(precedents.c.overruled_at.is_(None), precedents.c.overruled_at >= until),
    )
    rows = _load(connection, *condition)[-NEWEST:]
    return [row.worked() for row in rows if row.rank is not None or row.rationale]


def all_precedents(connection: Connection, recipe: str | None = None) -> list[PrecedentRow]:
    """Every precedent, the oldest first; overruled ones too, marked."""
    return _load(connection, *([precedents.c.recipe == recipe] if recipe else []))


def find_precedent(connection: Connection, precedent_id: str) -> PrecedentRow:
    """A precedent by its whole id.

    Raises:
        NotThere: there is none, or its texts were erased.
    """
    rows = _load(connection, precedents.c.id == precedent_id)
    if not rows:
        raise NotThere("there is no such precedent", next_step="its texts may have been erased")
    return rows[0]


def precedent_of_review(connection: Connection, review_id: str) -> PrecedentRow | None:
    """The precedent that a review's standing decision made; None where there is none.

    Of a question asked again, it is that of the person's first decision.
    """
    review = find_review(connection, review_id)
    if review.kind == REPEAT:
        same = (decisions.c.actor == review.prefer_actor) & (decisions.c.item_id == review.item_id)
        standing = same & (decisions.c.content_hash == review.content_hash) & decisions.c.undone_at.is_(None)
    else:
        standing = (decisions.c.review_id == review_id) & decisions.c.undone_at.is_(None)
    rows = _load(connection, standing)
    return rows[-1] if rows else None


def precedents_under(
    connection: Connection, document: Constitution | Rubric | RuleBook
) -> list[PrecedentRow]:
    """The first standing decision on each item that was judged under any version of this name, where the document's
    scope is the one that governs the item's seed now. Of rules: on each seed of which one text was shown.

    Two answers to one question are one precedent: to measure on both would count it twice.
    """
    if isinstance(document, RuleBook):
        return _on_one_text(connection)
    known = {version.id for version in history(connection, document.kind, document.name)}
    in_force = versions_in_force(connection, document.kind, document.name)
    scope = scope_key(document.scope)
    first: dict[str, PrecedentRow] = {}
    rows = all_precedents(connection, document.scope.recipe or None)
    for row in sorted(rows, key=lambda row: row.overruled_at is not None):
        pinned = row.constitution_id if document.kind == "constitution" else row.rubric_id
        governing = narrowest(in_force, row.recipe, row.domains)
        if pinned in known and (governing is None or governing.scope == scope):
            first.setdefault(row.item_id, row)
    return sorted(first.values(), key=lambda row: (row.created_at, row.id))


def _on_one_text(connection: Connection) -> list[PrecedentRow]:
    first: dict[str, PrecedentRow] = {}
    rows = [row for row in all_precedents(connection) if row.question.shown == 1 and row.answers[0]]
    for row in sorted(rows, key=lambda row: row.overruled_at is not None):
        first.setdefault(row.seed_id, row)
    return sorted(first.values(), key=lambda row: (row.created_at, row.id))


def count_use(connection: Connection, ids: Sequence[str]) -> None:
    """Count one more use of held-out precedents: another draft was measured on them."""
    for start in range(0, len(ids), CHUNK):
        connection.execute(
            update(precedents)
            .where(precedents.c.id.in_(ids[start : start + CHUNK]))
            .values(uses=precedents.c.uses + 1)
        )


def overrule(connection: Connection, decision_ids: Sequence[str]) -> int:
    """Mark the precedents of these decisions as overruled, since new law says otherwise; returns how many.

    They stay, and are shown to no later judge.
    """
    statement = (
        update(precedents)
        .where(precedents.c.decision_id.in_(list(decision_ids)), precedents.c.overruled_at.is_(None))
        .values(overruled_at=clock.now())
    )
    return int(connection.execute(statement).rowcount)


def judged_at(connection: Connection, row: PrecedentRow) -> tuple[int, int]:
    """Round, and number of the pair (or single candidate), in which the panel judged it; 0, 0 where it never did."""
    query = (
        select(panel_votes.c.round, calls.c.seat)
        .join(calls, calls.c.id == panel_votes.c.call_id)
        .where(
            panel_votes.c.item_id == row.item_id,
            panel_votes.c.attempt == row.attempt,
            panel_votes.c.a_id == row.shown[0],
        )
        .limit(1)
    )
    row_of_call = connection.execute(query).first()
    if row_of_call is None:
        return 0, 0
    parts = str(row_of_call.seat).split("/")  # seat/pair/order, or seat/score/ordinal
    number = parts[2] if len(parts) > 2 and parts[1] == "score" else parts[1] if len(parts) > 1 else "0"
    return int(row_of_call.round), int(number) if number.isdigit() else 0


def _load(connection: Connection, *conditions: Any) -> list[PrecedentRow]:
    rationale, content = texts.alias("rationale"), texts.alias("content")
    query = (
        select(
            precedents,
            decisions.c.actor,
            decisions.c.choice,
            decisions.c.candidate_id,
            decisions.c.principles,
            items.c.seed_id,
            items.c.run_id,
            items.c.constitution_id,
            items.c.rubric_id,
            seeds.c.specialty,
            seeds.c.tags,
            reviews.c.candidates,
            reviews.c.response_schema.label("schema"),
            reviews.c.attempt,
            rationale.c.body.label("why"),
            content.c.body.label("content"),
        )
        .join(decisions, decisions.c.id == precedents.c.decision_id)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .join(items, items.c.id == precedents.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(content, content.c.id == seeds.c.text_id)
        .join(rationale, rationale.c.id == decisions.c.rationale_id, isouter=True)
        .where(*conditions)
        .order_by(precedents.c.created_at, precedents.c.id)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    answers, own = _answers(connection, [c for row in rows for c in row["candidates"]])
    return [_row(row, answers, own) for row in rows if row["content"]]


def _row(row: dict[str, Any], answers: dict[str, str], own: dict[str, str]) -> PrecedentRow:
    seed = json.loads(row["content"])
    shown, question = tuple(row["candidates"]), question_of(row["schema"])
    values = {name: row[name] for name in PrecedentRow.__dataclass_fields__ if name in row}
    values |= {
        "question": question,
        "outcome": question.outcome_of(row["choice"], row["candidate_id"], shown) or NEITHER,
        "principles": tuple(row["principles"] or ()),
        "rationale": row["why"] or "",
        "request": own.get(shown[0], "") or seed.get("prompt") or "",
        "shown": shown,
        "answers": tuple(answers.get(candidate, "") for candidate in shown),
        "domains": domains_of(row["specialty"], row["tags"]),
    }
    return PrecedentRow(**values)


def _answers(connection: Connection, ids: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Candidate -> its text, and its own prompt where it has one."""
    answers: dict[str, str] = {}
    prompts: dict[str, str] = {}
    prompt = texts.alias("prompt")
    unique = sorted(set(ids))
    for start in range(0, len(unique), CHUNK):
        query = (
            select(candidates.c.id, texts.c.body, prompt.c.body.label("prompt"))
            .join(texts, texts.c.id == candidates.c.text_id)
            .join(prompt, prompt.c.id == candidates.c.prompt_text_id, isouter=True)
            .where(candidates.c.id.in_(unique[start : start + CHUNK]))
        )
        for row in connection.execute(query):
            answers[row.id] = row.body or ""
            prompts[row.id] = row.prompt or ""
    return answers, prompts
