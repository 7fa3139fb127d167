"""What an answer to a review may cite: the candidates that are shown, and the law that its item is pinned to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from solon.errors import InvalidDecision
from solon.responses import Response, parse_response
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.tables import constitutions, items, rubrics


def read_answer(connection: Connection, review: ReviewRow, answer: Mapping[str, Any]) -> Response:
    """The answer to a review, checked against the review's schema and the law of its item, whoever gives it.

    Raises:
        InvalidDecision: naming the field, and the id that is not in force for this item.
    """
    response = parse_response(review.response_schema, answer, review.candidates)
    check_cited(connection, review.item_id, response.principles, response.scores)
    return response


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
        unknown = next((name for name in named if name not in known), None)
        if unknown is not None:
            raise InvalidDecision(
                f"{kind}: {unknown[:60]!r} is not in force for this item, whose {table.name[:-1]} is {law.name}",
                next_step=f"cite one of: {', '.join(known)}",
            )
