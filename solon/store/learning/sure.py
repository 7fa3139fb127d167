"""Questions that people have answered so surely that their answer can try other people: one's own golden questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from solon.questions import PAIR, question_of
from solon.store.learning.evidence import blind_answers, chosen_of
from solon.store.reviewing.known import own_answers
from solon.store.runs.runs import UNLISTED
from solon.store.tables import adjudications, candidates, items, reviews, runs, texts
from solon.store.tables import known_items as known

CHUNK = 500
ASKED = ("interrupt", "overlap", "audit")
"""Kinds of reviews whose answers say what is right; known questions and repeats do not."""
NO_OUTCOME = "no outcome chosen"
"""Why a tie, an edit or `both_bad` is no golden question: there is nothing to be right about."""
MORE_THAN_OUTCOME = "spans and rankings are no answers out of a closed set"


@dataclass(frozen=True, slots=True)
class Said:
    """One person's blind answer: who gave it, what it says (a text's id for a side of a pair), and as what outcome."""

    actor: str
    says: str
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that people answered, by its newest review, with what they said.

    Attributes:
        content_hash: names the question.
        item_id: the item.
        attempt: its attempt.
        recipe: recipe of the item.
        schema: form of the answer.
        shown: ids of the candidates, in the order in which the panel saw them.
        audited: an audit asked it.
        readable: all of its texts are still there.
        said: one blind answer of each person, the first one.
        answered: everybody who answered it, in whatever way.
    """

    content_hash: str
    item_id: str
    attempt: int
    recipe: str
    schema: str
    shown: tuple[str, ...]
    audited: bool
    readable: bool
    said: tuple[Said, ...]
    answered: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sure:
    """A question with the answer that is sure.

    Attributes:
        asked: the question.
        outcome: the right one.
        settled_by: a lead, agreement (of experts), audit (an expert confirmed what the panel had accepted), or ruling.
        people: whose answers it rests on.
    """

    asked: Asked
    outcome: str
    settled_by: str
    people: int


def find_sure(
    connection: Connection,
    *,
    leads: Collection[str],
    final: Collection[str],
    askable: Collection[str],
    recipe: str | None = None,
    strict: bool = False,
) -> tuple[list[Sure], dict[str, int]]:
    """Questions whose answer is sure, by their name, and how many were left out, by why.

    A lead's blind answer is sure, so are two experts who agree and an audit that confirms its record, unless anybody
    answered otherwise; then a blind ruling is. The panel's confidence makes no answer sure, or people would be measured
    against the panel.

    Args:
        leads: people whose single answer is sure.
        final: people whose decision is final; answers of others are heard only where they differ.
        askable: people who may be asked golden questions.
        recipe: of the items; None: of all.
        strict: only what two of the final people answered alike and nobody otherwise.
    """
    there = set(connection.execute(select(known.c.content_hash).where(known.c.purpose == "golden")).scalars())
    sure, left_out = [], Counter[str]()
    found = _asked_questions(connection, recipe)
    audited = [(one.item_id, one.attempt) for one in found if one.audited]
    ruled = {} if strict else _rulings(connection)
    rules = _Rules(leads, final, strict, ruled, chosen_of(connection, audited))
    for asked in found:
        settled = rules.settle(asked)
        if asked.content_hash in there:
            left_out["is or was a golden question"] += 1
        elif not asked.readable:
            left_out["its texts were erased"] += 1
        elif isinstance(settled, str):
            left_out[settled] += 1
        elif not set(askable) - asked.answered:
            left_out["everybody has answered it"] += 1
        else:
            sure.append(settled)
    return sorted(sure, key=lambda one: one.asked.content_hash), dict(left_out)


@dataclass(frozen=True, slots=True)
class _Rules:
    """Whose word is sure, as of `find_sure`; rulings by question, and by (item, attempt) what its record says."""

    leads: Collection[str]
    final: Collection[str]
    strict: bool
    ruled: Mapping[str, tuple[str, str | None] | None]
    recorded: Mapping[tuple[str, int], tuple[str | None, str | None, str | None]]

    def settle(self, asked: Asked) -> Sure | str:
        """The sure answer to a question, or why there is none."""
        question = question_of(asked.schema)
        if question.detailed:
            return MORE_THAN_OUTCOME
        if asked.content_hash in self.ruled:
            ruling = self.ruled[asked.content_hash]
            if ruling is None:
                return "contested, or ruled by a lead who had read the panel"
            outcome = question.outcome_of(*ruling, asked.shown)
            return Sure(asked, str(outcome), "ruling", 1) if question.is_outcome(outcome) else NO_OUTCOME
        if len({one.says for one in asked.said}) > 1:
            return "people differ"
        experts = [one for one in asked.said if one.actor in self.final]
        if not experts:
            return "no expert answered it blind"
        outcome = experts[0].outcome
        if outcome is None or not question.is_outcome(outcome):
            return NO_OUTCOME
        by = self._settled_by(asked, outcome, experts)
        return (
            Sure(asked, outcome, by, len(experts))
            if by
            else "one expert answered it, and nobody confirmed that"
        )

    def _settled_by(self, asked: Asked, outcome: str, experts: Sequence[Said]) -> str:
        if len(experts) > 1:
            return "agreement"
        if self.strict:
            return ""
        if experts[0].actor in self.leads:
            return "lead"
        chosen_id, label, _ = self.recorded.get((asked.item_id, asked.attempt), (None, None, None))
        confirmed = question_of(asked.schema).said_by(chosen_id, label, asked.shown) == outcome
        return "audit" if asked.audited and confirmed else ""


def _asked_questions(connection: Connection, recipe: str | None) -> list[Asked]:
    """Every question that somebody answered blind in a run of these, with the answers."""
    said = blind_answers(connection)
    rows = _reviews_of(connection, sorted({one.review_id for one in said}), recipe)
    shown = sorted({name for row in rows.values() for name in row.candidates})
    text_of = _readable_texts(connection, shown)
    by_question: dict[str, list[Said]] = {}
    newest: dict[str, Any] = {}
    audited = {row.content_hash for row in rows.values() if row.kind == "audit"}
    for one in said:
        row = rows.get(one.review_id)
        if row is None:
            continue
        newest[row.content_hash] = row
        answers = by_question.setdefault(row.content_hash, [])
        if one.actor not in [known.actor for known in answers]:
            answers.append(_say(row, text_of, one.actor, one.outcome))
    answered = _everybody_who_answered(connection)
    return [
        Asked(
            name,
            row.item_id,
            row.attempt,
            row.recipe,
            row.response_schema,
            tuple(row.candidates),
            name in audited,
            row.state != "forgotten" and all(candidate in text_of for candidate in row.candidates),
            tuple(_turned(row, text_of, one) for one in by_question[name]),
            frozenset(answered.get(name, ())),
        )
        for name, row in newest.items()
    ]


def _say(row: Any, text_of: Mapping[str, str], actor: str, outcome: str | None) -> Said:
    """An answer by what it says: the sides of a pair have other names in other runs, its texts do not."""
    place = PAIR.place(outcome) if question_of(row.response_schema) == PAIR else None
    says = str(outcome) if place is None else text_of.get(row.candidates[place], str(outcome))
    return Said(actor, says, outcome)


def _turned(row: Any, text_of: Mapping[str, str], said: Said) -> Said:
    """The answer as an outcome of this review, where the same texts may stand the other way round."""
    sides = zip(PAIR.outcomes, row.candidates, strict=False)
    names = {text_of[candidate]: side for side, candidate in sides if candidate in text_of}
    return Said(said.actor, said.says, names.get(said.says, said.outcome))


def _reviews_of(connection: Connection, ids: Sequence[str], recipe: str | None) -> dict[str, Any]:
    columns = ("id", "item_id", "attempt", "kind", "recipe", "response_schema", "candidates", "content_hash")
    found: dict[str, Any] = {}
    for start in range(0, len(ids), CHUNK):
        query = (
            select(*(reviews.c[name] for name in columns), items.c.state)
            .join(items, items.c.id == reviews.c.item_id)
            .join(runs, runs.c.id == reviews.c.run_id)
            .where(
                reviews.c.id.in_(ids[start : start + CHUNK]),
                reviews.c.kind.in_(ASKED),
                runs.c.status.not_in(UNLISTED),
                *([reviews.c.recipe == recipe] if recipe else []),
            )
        )
        found |= {row.id: row for row in connection.execute(query)}
    return found


def _readable_texts(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """candidate -> id of its text, without those whose text was erased."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), CHUNK):
        query = (
            select(candidates.c.id, candidates.c.text_id)
            .join(texts, texts.c.id == candidates.c.text_id)
            .where(candidates.c.id.in_(ids[start : start + CHUNK]), texts.c.body.is_not(None))
        )
        found |= {row.id: row.text_id for row in connection.execute(query)}
    return found


def _rulings(connection: Connection) -> dict[str, tuple[str, str | None] | None]:
    """question -> what a lead ruled blind; None where the question is contested or open, or the lead had read the
    panel."""
    query = select(
        adjudications.c.content_hash,
        adjudications.c.state,
        adjudications.c.informed,
        adjudications.c.choice,
        adjudications.c.candidate_id,
    ).where(adjudications.c.state != "withdrawn")
    return {
        row.content_hash: (row.choice, row.candidate_id)
        if row.state == "decided" and not row.informed and row.choice
        else None
        for row in connection.execute(query)
    }


def _everybody_who_answered(connection: Connection) -> dict[str, set[str]]:
    answered: dict[str, set[str]] = {}
    for name, actor in connection.execute(own_answers()):
        answered.setdefault(name, set()).add(actor)
    return answered
