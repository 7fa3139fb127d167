"""What an answer to a review may cite: the candidates that are shown, and the law that its item is pinned to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from solon.dialogues import read_dialogue, write_dialogue
from solon.errors import InvalidDecision
from solon.law.seed_rubrics import read_lines
from solon.questions import CHANGED, STANDS
from solon.responses import (
    RankingResponse,
    Response,
    RubricResponse,
    SpansResponse,
    is_dialogue,
    kinds_of,
    may_overlap,
    parse_response,
    told_fields,
)
from solon.spans import SpanProblem, check_spans, read_spans, text_of, write_spans
from solon.store.reviewing.rankings import check_ranking
from solon.store.reviewing.reading import read_candidates, seed_content
from solon.store.reviewing.review_rows import ReviewRow, drafted_criteria
from solon.store.runs.seed_rubrics import seed_rubrics_on
from solon.store.tables import constitutions, items, rubrics


def read_answer(connection: Connection, review: ReviewRow, answer: Mapping[str, Any]) -> Response:
    """The answer to a review, checked against the review's schema and the law of its item, whoever gives it.

    Raises:
        InvalidDecision: naming the field, and the id that is not in force for this item.
    """
    response = parse_response(review.response_schema, answer, review.candidates)
    if isinstance(response, SpansResponse) and response.spans is not None:
        response = _compare_spans(connection, review, response)
    if response.choice == "edit" and is_dialogue(review.response_schema):
        response = _read_edited(response)
    if isinstance(response, RankingResponse):
        response = check_ranking(connection, review, response)
    if isinstance(response, RubricResponse):
        response = _read_rubric(review, response)
    check_cited(connection, review.item_id, response.principles, response.scores)
    _check_evidence(connection, response)
    return response


def _check_evidence(connection: Connection, response: Response) -> None:
    shown = read_candidates(connection, sorted({one.candidate for one in response.evidence}))
    texts = {one.id: one.text for one in shown}
    for n, one in enumerate(response.evidence):
        text = texts[one.candidate]
        if not one.start < one.end <= len(text):
            raise InvalidDecision(
                f"evidence.{n}: from {one.start} to {one.end} is no part of a text of {len(text)} characters",
                next_step="offsets count the characters (code points) of the candidate, the end exclusive",
            )
        if one.text is not None and one.text != text[one.start : one.end]:
            raise InvalidDecision(
                f"evidence.{n}: {one.text[:80]!r} does not stand there (saw {text[one.start : one.end][:80]!r})",
                next_step="offsets count the characters (code points) of the candidate, the end exclusive",
            )


def _read_edited(response: Response) -> Response:
    """An answer that brings a dialogue, written in the one way in which dialogues are."""
    turns = read_dialogue(response.text)
    if turns is None:
        raise InvalidDecision(
            "text: the edited answer is no dialogue",
            next_step="begin each turn with a line `assistant:` or `user:`, by turns, the first and the last "
            "`assistant:`, none of them empty",
        )
    written = write_dialogue((turn.role, turn.content) for turn in turns)
    return response.model_copy(update={"text": written})


def _read_rubric(review: ReviewRow, response: RubricResponse) -> RubricResponse:
    """An answer that confirms a rubric, with all of it as judges will go by it: whoever leaves the criteria out takes
    them as they were drafted."""
    if response.choice != "go_on":
        return response.model_copy(update={"criteria": None, "text": None})
    lines = drafted_criteria(review) if response.criteria is None else response.criteria
    if not any(line.strip() for line in lines):
        raise InvalidDecision(
            "criteria: none stand there, and judges are to go by them",
            next_step="write a line for each criterion, its weight first (3: Names the dose.), or reject the request",
        )
    try:
        rubric = read_lines(lines)
    except ValueError as problem:
        raise InvalidDecision(
            f"criteria: {problem}",
            next_step="write a line for each criterion, its weight first, e.g. 3: Names the dose.",
        ) from None
    whole = response.model_copy(update={"criteria": tuple(rubric.as_lines())})
    return whole.model_copy(update={"text": told_fields(whole)})


def _compare_spans(connection: Connection, review: ReviewRow, response: SpansResponse) -> SpansResponse:
    """An answer that brings spans, checked against the text, with the choice that they amount to: what was proposed
    stands, or is changed, whatever the answer calls it."""
    schema = review.response_schema
    content = seed_content(connection, review.item_id)[1]
    told = [one.model_dump() for one in response.spans or ()]
    try:
        spans = check_spans(told, text_of(content), kinds_of(schema), overlap=may_overlap(schema))
    except SpanProblem as problem:
        raise InvalidDecision(
            str(problem),
            next_step="offsets count the characters (code points) of the text, the end exclusive",
        ) from None
    proposed = read_spans(read_candidates(connection, review.candidates)[0].text)
    if proposed is not None and set(spans) == set(proposed):
        return response.model_copy(update={"choice": STANDS, "spans": None, "text": None})
    return response.model_copy(update={"choice": CHANGED, "text": write_spans(spans)})


def check_cited(
    connection: Connection, item_id: str, principles: Iterable[str], criteria: Iterable[str] = ()
) -> None:
    """Refuse a principle or criterion that is not in the constitution or rubric of an item.

    Raises:
        InvalidDecision: naming it, and those that there are.
    """
    for table, column, part, kind, cited in (
        (constitutions, items.c.constitution_id, "principles", "principle", principles),
        (rubrics, items.c.rubric_id, "criteria", "criterion", criteria),
    ):
        named = list(cited)
        if not named:
            continue
        query = select(table.c.document, table.c.name).join(items, column == table.c.id)
        law = connection.execute(query.where(items.c.id == item_id)).one()
        known = [one["id"] for one in law.document[part]]
        own = seed_rubrics_on(connection, [item_id]).get(item_id) if kind == "criterion" else None
        known = own.ids() + known if own else known
        unknown = next((name for name in named if name not in known), None)
        if unknown is not None:
            raise InvalidDecision(
                f"{kind}: {unknown[:60]!r} is not in force for this item, whose {table.name[:-1]} is {law.name}",
                next_step=f"cite one of: {', '.join(known)}",
            )
