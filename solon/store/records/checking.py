"""Records as questions to experts: what each says, what was answered about it, and asking further people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, or_, select, update

from solon.questions import CONVERSED, LABELLED, NEITHER, PAIR, TIE, question_of
from solon.responses import for_given
from solon.store.database import clock
from solon.store.database.events import event
from solon.store.database.ids import hash_id
from solon.store.database.writer import Row, insert_rows
from solon.store.learning.evidence import blind_answers
from solon.store.reviewing.overlaps import CERTIFIES, overlap_row, seed_facts
from solon.store.tables import adjudications, candidates, decisions, items, records, reviews
from solon.store.tables.people import Review

CHUNK = 500
AUDIT = "audit"
ORDINAL = -40
"""Of reviews that a release asks for: a graph's own are from 0, audits -1, overlaps from -2, repeats -20."""
Asked = tuple[str, str]
"""An item, and the hash that names a question about it."""


@dataclass(frozen=True, slots=True)
class RecordQuestion:
    """A record as a question that can be put to experts.

    Attributes:
        record_id: the record.
        item_id: its item.
        run_id: the run of the item.
        attempt: the attempt of the item that made it.
        recipe: recipe of the run.
        name: the content hash of the question, the same for the same request with the same candidates.
        shown: ids of the candidates, in the order in which the panel saw them.
        says: the text that it prefers, its label, `accept` or `tie`; None where it chose a text that nobody was asked
            about, such as an edited one.
        best: the panel's outcome in words of the question; None where a person decided.
        margin: the panel's best probability minus its second.
        confidence: probability that an expert agrees.
        decision_id: the decision that settled it; None where the panel did.
        by_expert: that decision was given by an expert with a token, or is a lead's ruling, and stands.
    """

    record_id: str
    item_id: str
    run_id: str
    attempt: int
    recipe: str
    name: str
    shown: tuple[str, ...]
    says: str | None
    margin: float | None
    confidence: float | None
    decision_id: str | None
    by_expert: bool

    @property
    def asked(self) -> Asked:
        """What answers to it are found by."""
        return self.item_id, self.name

    @property
    def can_be_asked(self) -> bool:
        """Whether anybody can be asked about it."""
        return self.says is not None and bool(self.shown)


def questions_of(connection: Connection, record_ids: Iterable[str]) -> dict[str, RecordQuestion]:
    """Records by id as questions, those that are superseded, too."""
    found: dict[str, RecordQuestion] = {}
    for part in _parts(record_ids):
        query = (
            select(records, items.c.seed_id)
            .join(items, items.c.id == records.c.item_id)
            .where(records.c.id.in_(part))
        )
        rows = [dict(row) for row in connection.execute(query).mappings()]
        texts = _texts_of(
            connection, {name for row in rows for name in (*(row["shown"] or ()), row["chosen_id"])}
        )
        experts = _by_experts(connection, [row["decision_id"] for row in rows if row["decision_id"]])
        for row in rows:
            shown = tuple(row["shown"] or ())
            parts = sorted("".join(texts[name]) for name in shown if name in texts)
            found[row["id"]] = RecordQuestion(
                row["id"],
                row["item_id"],
                row["run_id"],
                row["attempt"],
                row["recipe"],
                hash_id(row["recipe"], row["seed_id"], *parts),
                shown,
                _says(row, {name: own[0] for name, own in texts.items()}),
                row["margin"],
                row["confidence"],
                row["decision_id"],
                row["route"] == "decided" and row["decision_id"] in experts,
            )
    return found


def records_of(connection: Connection, item_ids: Iterable[str]) -> list[str]:
    """The ids of the records in force of these items."""
    found: list[str] = []
    for part in _parts(item_ids):
        query = select(records.c.id).where(records.c.item_id.in_(part), records.c.superseded_at.is_(None))
        found += connection.execute(query).scalars()
    return found


def _says(row: Row, texts: dict[str, str]) -> str | None:
    if row["weight"] is not None:
        return None  # a pair of a ranking was not asked about alone
    kind, chosen = row["kind"], row["chosen_id"]
    if kind in (TIE, "accept"):
        return str(kind)
    if kind == CONVERSED:
        return "accept" if chosen in (row["shown"] or ()) else None
    if kind == LABELLED or row["label"] is not None:
        return None if row["label"] is None else str(row["label"])
    return texts.get(chosen) if chosen in (row["shown"] or ()) else None


def _texts_of(connection: Connection, names: Collection[str | None]) -> dict[str, tuple[str, str, str]]:
    """candidate -> ids of its text, of its own request and of that one's input (empty without)."""
    found: dict[str, tuple[str, str, str]] = {}
    columns = (candidates.c.text_id, candidates.c.prompt_text_id, candidates.c.input_text_id)
    for part in _parts(sorted(name for name in names if name)):
        query = select(candidates.c.id, *columns).where(candidates.c.id.in_(part))
        for name, text, prompt, own_input in connection.execute(query):
            found[name] = text, prompt or "", own_input or ""
    return found


def _by_experts(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the decisions that an expert gave by their token, that repeat such a one, or that a lead ruled."""
    first = decisions.alias("first")
    query = (
        select(decisions.c.id)
        .join(first, first.c.id == decisions.c.carried_from, isouter=True)
        .where(decisions.c.id.in_(ids), decisions.c.undone_at.is_(None))
        .where(
            or_(
                decisions.c.counts,
                decisions.c.channel == "adjudication",
                first.c.counts & first.c.undone_at.is_(None),
            )
        )
    )
    return set(connection.execute(query).scalars()) if ids else set()


def answers_to(
    connection: Connection, questions: Iterable[RecordQuestion], since: float = 0.0
) -> dict[Asked, list[tuple[str, str]]]:
    """What people answered blind to these questions since a time: (person, what they say), each person's first answer,
    the first one first. What is said is the text preferred, the label, or the answer's name."""
    wanted = {one.asked for one in questions}
    own = {item for item, _ in wanted}
    said = [one for one in blind_answers(connection) if one.item_id in own and one.at >= since]
    asked: dict[str, Any] = {}
    for part in _parts(sorted({one.review_id for one in said})):
        columns = (reviews.c.id, reviews.c.content_hash, reviews.c.candidates, reviews.c.response_schema)
        asked |= {row.id: row for row in connection.execute(select(*columns).where(reviews.c.id.in_(part)))}
    texts = _texts_of(connection, {name for row in asked.values() for name in row.candidates})
    answers: dict[Asked, list[tuple[str, str]]] = {}
    for one in said:
        review = asked[one.review_id]
        name = (one.item_id, review.content_hash)
        given = answers.setdefault(name, [])
        if name in wanted and one.actor not in [actor for actor, _ in given]:
            given.append((one.actor, _in_words(review, one.outcome, texts)))
    return answers


def _in_words(review: Any, outcome: str | None, texts: dict[str, tuple[str, str, str]]) -> str:
    place = PAIR.place(outcome) if question_of(review.response_schema) == PAIR else None
    if place is None:
        return outcome or NEITHER
    return texts.get(review.candidates[place], (NEITHER,))[0]


def rulings_on(connection: Connection, asked: Collection[Asked]) -> dict[Asked, str]:
    """What leads ruled on these questions, in the same words as answers; without what stays contested."""
    query = select(
        adjudications.c.item_id,
        adjudications.c.content_hash,
        adjudications.c.choice,
        adjudications.c.candidate_id,
    ).where(adjudications.c.state == "decided")
    rows = [row for row in connection.execute(query) if (row.item_id, row.content_hash) in asked]
    texts = _texts_of(connection, {row.candidate_id for row in rows})
    return {
        (row.item_id, row.content_hash): texts[row.candidate_id][0]
        if row.choice == "prefer" and row.candidate_id in texts
        else str(row.choice)
        for row in rows
    }


def ask_about(
    connection: Connection,
    release: str,
    question: RecordQuestion,
    people: int,
    schema: str,
) -> None:
    """Put a question about a record to so many further people, who cannot tell what it is asked for.

    What the panel accepted is asked as a blind audit is; what an expert decided, as a second opinion on the same
    question, whose disagreement a lead settles. Asking again changes nothing.

    Args:
        release: id of the frozen set, which tells its reviews from others.
        schema: response schema of such a question, where nobody was asked this one yet.
    """
    row = None if question.decision_id is None else _decided_review(connection, question.decision_id)
    if row is None or not question.by_expert:
        row = _audit_row(connection, question, schema)
    again = [
        {
            **row,
            "id": hash_id("release", release, question.record_id, n),
            **seed_facts(connection, question.item_id),
        }
        for n in range(people)
    ]
    insert_rows(connection, [(Review, one) for one in again])


def _decided_review(connection: Connection, decision_id: str) -> Row | None:
    """The row of a second opinion on what a decision answered."""
    query = select(reviews).join(decisions, decisions.c.review_id == reviews.c.id)
    row = connection.execute(query.where(decisions.c.id == decision_id)).mappings().first()
    return None if row is None else {**overlap_row(dict(row)), "rule": CERTIFIES, "ordinal": ORDINAL}


def _audit_row(connection: Connection, question: RecordQuestion, schema: str) -> Row:
    known = select(reviews.c.response_schema).where(
        reviews.c.item_id == question.item_id, reviews.c.content_hash == question.name
    )
    before = connection.execute(known.limit(1)).scalar_one_or_none()
    given = for_given(schema) if _all_given(connection, question.shown) else schema
    place = hash_id("place", question.record_id, ORDINAL)
    return {
        "item_id": question.item_id,
        "run_id": question.run_id,
        "recipe": question.recipe,
        "attempt": question.attempt,
        "ordinal": ORDINAL,
        "kind": AUDIT,
        "state": "waiting",
        "response_schema": before or given,
        "candidates": list(question.shown),
        "reasons": [],
        "rule": AUDIT,
        "margin": question.margin,
        "confidence": question.confidence,
        "thread_id": f"{question.item_id}:{question.attempt}",
        "content_hash": question.name,
        "priority": -int(place[:8], 16) / 0xFFFFFFFF,
        "created_at": clock.now(),
    }


def _all_given(connection: Connection, shown: Sequence[str]) -> bool:
    """Whether all of these came with the seed, or are revisions of such."""
    names = list(shown)
    while names:
        query = select(candidates.c.kind, candidates.c.parent_id).where(candidates.c.id.in_(names))
        rows = connection.execute(query).all()
        names = [str(row.parent_id) for row in rows if row.kind == "revision" and row.parent_id]
        if any(row.kind != "given" and not (row.kind == "revision" and row.parent_id) for row in rows):
            return False
    return True


def withdraw_questions(connection: Connection, release: str, record_ids: Iterable[str], most: int) -> int:
    """Take the open questions of a frozen set out of the queue; returns how many there were. What somebody has in hand
    stays.

    Args:
        most: so many people are asked about a record at most.
    """
    names = [hash_id("release", release, record, n) for record in record_ids for n in range(most)]
    withdrawn = 0
    for part in _parts(names):
        open_ones = (reviews.c.id.in_(part), reviews.c.state == "waiting", reviews.c.leased.is_(False))
        ids = list(connection.execute(select(reviews.c.id).where(*open_ones)).scalars())
        connection.execute(
            update(reviews).where(*open_ones).values(state="withdrawn", resolved_at=clock.now())
        )
        insert_rows(connection, [event("system", "withdrawn", name, {"why": "release"}) for name in ids])
        withdrawn += len(ids)
    return withdrawn


def _parts(values: Iterable[str], size: int = CHUNK) -> Iterable[list[str]]:
    left = iter(values)
    while part := list(islice(left, size)):
        yield part
