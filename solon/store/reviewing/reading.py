"""What a reviewer is shown of an item: its seed, candidates and, once they have answered, what the panel said."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, text

from solon.dialogues import spell_turn
from solon.questions import question_of
from solon.responses import read_fields
from solon.store import tables
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.runs.verdicts import panel_votes

FORGOTTEN = "(this text was erased)"


def _table(name: str) -> Any:
    return tables.metadata.tables[name]


def check_readable(connection: Connection) -> None:
    """Read from the store once: the error of the database is raised where it cannot be read."""
    connection.execute(text("SELECT 1"))


def seed_content(connection: Connection, item_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """An item's row and the texts of its seed; the texts are empty once forgotten."""
    items, seeds, texts = _table("items"), _table("seeds"), _table("texts")
    query = (
        select(items, texts.c.body)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .where(items.c.id == item_id)
    )
    row = dict(connection.execute(query).mappings().one())
    body = row.pop("body")
    return row, json.loads(body) if body else {}


class ShownText(NamedTuple):
    """A candidate as a reviewer reads it.

    Attributes:
        id: its id.
        text: its words.
        prompt: its own request; None where that is the seed's.
        input: its own input; empty where that is the seed's.
    """

    id: str
    text: str
    prompt: str | None
    input: str


def read_candidates(connection: Connection, ids: Sequence[str]) -> list[ShownText]:
    """Candidates with their texts, in the order of `ids`."""
    candidates, texts = _table("candidates"), _table("texts")
    prompts, inputs = texts.alias("prompts"), texts.alias("inputs")
    query = (
        select(candidates.c.id, texts.c.body, prompts.c.body.label("prompt"), inputs.c.body.label("input"))
        .join(texts, texts.c.id == candidates.c.text_id)
        .outerjoin(prompts, prompts.c.id == candidates.c.prompt_text_id)
        .outerjoin(inputs, inputs.c.id == candidates.c.input_text_id)
        .where(candidates.c.id.in_(ids))
    )
    rows = connection.execute(query) if ids else ()
    row_of = {row.id: ShownText(row.id, row.body or FORGOTTEN, row.prompt, row.input or "") for row in rows}
    return [row_of[name] for name in ids]


def request_of(shown: Sequence[ShownText], content: Mapping[str, Any]) -> tuple[str, str]:
    """The request that candidates answer and what it speaks of: their own, otherwise those of the seed's content."""
    for candidate in shown:
        if candidate.prompt:
            return candidate.prompt, candidate.input
    return content.get("prompt") or FORGOTTEN, content.get("input") or ""


def earlier_turns(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """What was said before the request, each with its `role` and `content`: the system's text, too; of a tool's result
    that ends a conversation all before it."""
    return [
        {"role": str(turn.get("role", "")), "content": spell_turn(turn)}
        for turn in (content.get("messages") or [])[:-1]
    ]


def texts_shown(
    prompt: str, input: str, candidates: Sequence[Any], turns: Sequence[Mapping[str, str]], rubric: str = ""
) -> dict[str, str]:
    """The texts that somebody sees of a question, each by what it is: `prompt`, `input`, the id of a candidate,
    `rubric` (the seed's own), or `turn 1` of those before the request."""
    shown = {"prompt": prompt, "input": input, **{one.id: one.text for one in candidates}, "rubric": rubric}
    return shown | {f"turn {number}": turn["content"] for number, turn in enumerate(turns, start=1)}


def text_bodies(connection: Connection, ids: Sequence[str | None]) -> dict[str | None, str]:
    """The bodies of texts by their ids; empty where one was erased."""
    wanted = [text_id for text_id in ids if text_id]
    texts = _table("texts")
    query = select(texts.c.id, texts.c.body).where(texts.c.id.in_(wanted))
    return {row.id: row.body or "" for row in connection.execute(query)} if wanted else {}


def quote_evidence(connection: Connection, evidence: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Evidence as it is stored, each with the words it points to as `quote`; empty where their text was erased."""
    rows = read_candidates(connection, sorted({str(one["candidate"]) for one in evidence}))
    texts = {one.id: "" if one.text == FORGOTTEN else one.text for one in rows}
    return [{**one, "quote": texts.get(one["candidate"], "")[one["start"] : one["end"]]} for one in evidence]


def decided_evidence(connection: Connection, decision_id: str) -> list[dict[str, Any]]:
    """The words that a decision points to, see `quote_evidence`."""
    decisions = _table("decisions")
    query = select(decisions.c.evidence).where(decisions.c.id == decision_id)
    return quote_evidence(connection, connection.execute(query).scalar_one_or_none() or ())


def form_in(connection: Connection, text_id: str | None) -> dict[str, Any]:
    """What an answer filled in beside its choice, where its text is a form; empty where there is none."""
    body = text_bodies(connection, [text_id]).get(text_id)
    return read_fields(body) if body else {}


def decided_form(connection: Connection, decision_id: str) -> dict[str, Any]:
    """What a decision filled in beside its choice; empty where there is nothing."""
    decisions = _table("decisions")
    query = select(decisions.c.edit_id).where(decisions.c.id == decision_id)
    return form_in(connection, connection.execute(query).scalar_one_or_none())


def set_aside_rows(connection: Connection, item_id: str) -> list[dict[str, Any]]:
    """Who skipped, declined or handed over an item's reviews, in their order: the reason of whoever declined, what they
    wrote, and the answer that went along to a lead as a vote (`choice`, `candidate`)."""
    reviews, assignments = _table("reviews"), _table("assignments")
    query = (
        select(assignments)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(reviews.c.item_id == item_id, assignments.c.state.in_(("skipped", "declined", "escalated")))
        .order_by(assignments.c.closed_at, assignments.c.id)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    said = [row["answer"] or {} for row in rows]
    bodies = text_bodies(connection, [one.get("rationale") for one in said])
    return [
        {
            **{name: row[name] for name in ("id", "review_id", "actor", "state", "reason", "closed_at")},
            "choice": one.get("choice"),
            "candidate_id": one.get("candidate"),
            "rationale": bodies.get(one.get("rationale")),
        }
        for row, one in zip(rows, said, strict=True)
    ]


def tell_handed_over(connection: Connection, item_id: str, review_id: str) -> list[str]:
    """What reviewers wrote to the lead whom they left a review to, a sentence each."""
    rows = set_aside_rows(connection, item_id)
    said = [row["rationale"] for row in rows if row["state"] == "escalated" and row["review_id"] == review_id]
    return [f"A reviewer handed it to a lead: {words}" for words in said if words]


def critiques_of(connection: Connection, candidates: Collection[str]) -> list[tuple[str, str | None]]:
    """Of every critique on these candidates, the candidate and the id of the text with the findings."""
    critiques = _table("critiques")
    query = select(critiques.c.candidate_id, critiques.c.text_id).where(
        critiques.c.candidate_id.in_(candidates)
    )
    return [(row.candidate_id, row.text_id) for row in connection.execute(query)]


FINDING = ("principle", "quote", "severity", "suggestion")
"""What a finding says."""


def findings_in(body: str | None) -> list[dict[str, str]]:
    """The findings of a critique, as it is stored; none where they were erased."""
    return [{name: str(one.get(name, "")) for name in FINDING} for one in (json.loads(body) if body else ())]


class Proposed(NamedTuple):
    """What stands beside a candidate whose question `proposes`.

    Attributes:
        findings: what code and critics found in it.
        fix: its revision, which may be taken in its place; empty where there is none.
    """

    findings: tuple[dict[str, str], ...] = ()
    fix: str = ""


def read_proposed(connection: Connection, review: ReviewRow) -> Proposed:
    """What stands beside the candidate of a review; nothing where its question does not propose."""
    if not question_of(review.response_schema).proposes:
        return Proposed()
    bodies = text_bodies(connection, [text_id for _, text_id in critiques_of(connection, review.candidates)])
    findings = tuple(one for body in bodies.values() for one in findings_in(body))
    return Proposed(findings, fixes_of(connection, review.candidates).get(review.candidates[0], ""))


def fixes_of(connection: Connection, names: Collection[str]) -> dict[str, str]:
    """candidate id -> the text of its revision; only of those that have one, and whose text was not erased."""
    candidates, texts = _table("candidates"), _table("texts")
    query = (
        select(candidates.c.parent_id, texts.c.body)
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(candidates.c.parent_id.in_(names), candidates.c.kind == "revision", texts.c.body.is_not(None))
    )
    return {row.parent_id: row.body for row in connection.execute(query)} if names else {}


def drafts_behind(connection: Connection, candidates: Collection[str]) -> dict[str, str]:
    """The drafts that these candidates are revisions of, each with its candidate: critics speak of drafts."""
    table = _table("candidates")
    drafts: dict[str, str] = {}
    wanted = {name: name for name in candidates}
    while wanted:
        query = select(table.c.id, table.c.parent_id).where(
            table.c.id.in_(wanted), table.c.parent_id.is_not(None)
        )
        wanted = {row.parent_id: wanted[row.id] for row in connection.execute(query)}
        wanted = {draft: name for draft, name in wanted.items() if draft not in {*drafts, *candidates}}
        drafts.update(wanted)
    return drafts


def verdicts_on(connection: Connection, item_id: str, shown: Collection[str]) -> list[Mapping[Any, Any]]:
    """The verdicts on the candidates shown, in the order of seats."""
    query = (
        select(panel_votes)
        .where(
            panel_votes.c.item_id == item_id,
            panel_votes.c.a_id.in_(shown),
            panel_votes.c.b_id.in_(shown) | panel_votes.c.b_id.is_(None),
        )
        .order_by(panel_votes.c.seat, panel_votes.c.judge, panel_votes.c.order, panel_votes.c.sample)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def last_resolution(connection: Connection, item_id: str, attempt: int) -> Mapping[Any, Any] | None:
    """What the resolver said last in this attempt; None where it was not asked."""
    resolutions = _table("resolutions")
    query = (
        select(resolutions)
        .where(resolutions.c.item_id == item_id, resolutions.c.attempt == attempt)
        .order_by(resolutions.c.round.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return dict(row) if row is not None else None


def decision_row(connection: Connection, decision_id: str) -> Mapping[Any, Any]:
    """A decision as it is stored."""
    decisions = _table("decisions")
    return dict(connection.execute(select(decisions).where(decisions.c.id == decision_id)).mappings().one())


def law_document(connection: Connection, kind: str, law_id: str) -> dict[str, Any]:
    """The document of a version; `kind` is the table: constitutions or rubrics."""
    columns = _table(kind).c
    return dict(connection.execute(select(columns.document).where(columns.id == law_id)).scalar_one())


def law_rows(connection: Connection, kind: str) -> list[Mapping[Any, Any]]:
    """Every version of the constitutions or rubrics, the newest first."""
    table = _table(kind)
    query = select(table).order_by(table.c.created_at.desc(), table.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]
