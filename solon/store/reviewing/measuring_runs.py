"""Runs whose questions measure the panel and its reviewers: there, it has to be known who answers."""

from __future__ import annotations

from sqlalchemy import Connection, literal_column, select

from solon.config.sections import RoutingConfig
from solon.errors import TokenWanted
from solon.responses import is_label
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.runs.runs import config_payload, find_run
from solon.store.runs.verdicts import panel_votes
from solon.store.tables import items, reviews
from solon.store.tables import known_items as known


def refuse_without_token(connection: Connection, review: ReviewRow, answers: int = 1) -> None:
    """Refuse an answer without an expert's token in a run that measures, in the same words for each of its reviews.

    Args:
        answers: so many people are asked each question.

    Raises:
        TokenWanted: the run of the review measures.
    """
    if answers > 1 or measures(connection, review):
        raise token_wanted()


def token_wanted() -> TokenWanted:
    """The error for an answer without a token; it says how to get one."""
    return TokenWanted(
        "this run measures its panel and its reviewers (by a pilot, audits, overlaps or golden questions), so that "
        "each of its answers needs an expert's token",
        next_step='export SOLON_TOKEN="$(solon expert add YOUR_NAME)" adds you (give it the same --store) and keeps '
        "the token; solon expert rotate NAME gives somebody known a new one; in Python: Project(expert=token), where "
        "project.add_expert(NAME) gives a token; for an import: --as-expert",
    )


def measures(connection: Connection, review: ReviewRow) -> bool:
    """Does the run of a review draw questions that measure, as its pinned configuration says, or hold such already?"""
    run = find_run(connection, review.run_id)
    routing = RoutingConfig.model_validate(config_payload(connection, run.config_id).get("routing", {}))
    judged = select(panel_votes.c.id).where(panel_votes.c.item_id == review.item_id).limit(1)
    people_alone = is_label(review.response_schema) and connection.execute(judged).first() is None
    if routing.measures and not people_alone:
        return True
    # The kind is written out and the order given, so that SQLite reads the index of what was drawn, and not all reviews
    # that wait.
    drawn = (
        select(reviews.c.id)
        .where(reviews.c.run_id == run.id, reviews.c.kind != literal_column("'interrupt'"))
        .order_by(reviews.c.item_id)
    )
    return connection.execute(drawn.limit(1)).first() is not None or asks_golden(connection, run.recipe)


def asks_golden(connection: Connection, recipe: str) -> bool:
    """Are there golden questions that reviewers of this recipe are asked?"""
    golden = (
        select(known.c.id)
        .join(items, items.c.id == known.c.item_id)
        .where(known.c.purpose == "golden", known.c.retired_at.is_(None), items.c.recipe == recipe)
    )
    return connection.execute(golden.limit(1)).first() is not None
