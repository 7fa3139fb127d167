"""Means measured over the runs of a store: calls, tokens, cost and time an item takes, how often an expert is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import Connection, Subquery, case, exists, func, select

from solon.responses import REQUEST, RUBRIC
from solon.store.tables import calls, decisions, items, reviews, runs

MOST = 2000
"""Items and answers that are looked at, the newest ones: enough for a mean."""
BY_DOUBT = ("threshold", "disagreement", "certified")
"""Rules by which nothing but the panel's doubt sends an item to a person."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A measured mean of `n` values with the standard error of that mean."""

    mean: float
    error: float
    n: int


@dataclass(frozen=True, slots=True)
class MeasuredRates:
    """What an item takes, measured over finished items of the store's runs.

    Attributes:
        items: number of items measured.
        calls: requests for one item; functions that play a role make none.
        input_tokens: tokens of prompts for one item.
        output_tokens: tokens of answers for one item.
        cost: of one item, in the run's currency; None where a call has no price.
        model_seconds: seconds that models and functions took for one item.
        unsure: share of items, outside the pilot and policies that force it, that a person was asked about; None
            where there are no such items.
    """

    items: int
    calls: Rate
    input_tokens: Rate
    output_tokens: Rate
    cost: Rate | None
    model_seconds: Rate
    unsure: Rate | None


def measured_rates(connection: Connection, recipe: str, config_ids: list[str]) -> MeasuredRates | None:
    """The measured means of one recipe under these configurations; None before an item was finished.

    Args:
        config_ids: of those runs whose items take the same calls as the planned one.
    """
    done = _finished_items(recipe, config_ids)
    sent = calls.c.attempts > 0
    unknown = func.sum(case((sent & calls.c.cost.is_(None), 1), else_=0))
    query = (
        select(
            func.sum(case((sent, 1), else_=0)),
            func.sum(func.coalesce(calls.c.input_tokens, 0)),
            func.sum(func.coalesce(calls.c.output_tokens, 0)),
            func.sum(func.coalesce(calls.c.cost, 0.0)),
            unknown,
            func.sum(calls.c.seconds),
        )
        .join(done, done.c.id == calls.c.item_id)
        .group_by(calls.c.item_id)
    )
    rows = connection.execute(query).all()
    if not rows:
        return None
    columns = zip(*rows, strict=True)
    requests, given, written, costs, unpriced, seconds = ([float(one) for one in each] for each in columns)
    return MeasuredRates(
        items=len(rows),
        calls=_rate(requests),
        input_tokens=_rate(given),
        output_tokens=_rate(written),
        cost=None if any(unpriced) else _rate(costs),
        model_seconds=_rate(seconds),
        unsure=_unsure(connection, done),
    )


def _finished_items(recipe: str, config_ids: list[str]) -> Subquery:
    """The newest items of these configurations that the panel was through with, each with whether it is of a pilot."""
    own = select(runs.c.id).where(
        runs.c.recipe == recipe,
        runs.c.config_id.in_(config_ids),
        runs.c.reuse_run_id.is_(None),  # a run that takes over calls makes fewer than an item takes
    )
    about_request = exists().where(  # its answers are not drafted yet
        reviews.c.item_id == items.c.id,
        reviews.c.state == "waiting",
        reviews.c.response_schema.in_((REQUEST, RUBRIC)),
    )
    return (
        select(items.c.id, items.c.pilot)
        .where(items.c.run_id.in_(own), items.c.state.in_(("accepted", "rejected", "waiting")))
        .where(~about_request)
        .order_by(items.c.created_at.desc(), items.c.id)
        .limit(MOST)
        .subquery()
    )


def _unsure(connection: Connection, done: Subquery) -> Rate | None:
    """Among items that nothing but the panel's doubt could have sent to a person."""
    asked = (
        select(reviews.c.item_id)
        .where(reviews.c.kind == "interrupt", reviews.c.ordinal == 0, reviews.c.rule.in_(BY_DOUBT))
        .distinct()
    )
    forced = select(reviews.c.item_id).where(
        reviews.c.kind == "interrupt", reviews.c.ordinal == 0, reviews.c.rule.not_in(BY_DOUBT)
    )
    table = done.c
    free = select(func.count()).where(table.id.not_in(forced))
    total = int(connection.execute(free).scalar_one())
    if not total:
        return None
    doubted = select(func.count()).where(table.id.in_(asked), table.id.not_in(forced))
    share = int(connection.execute(doubted).scalar_one()) / total
    # Agresti and Coull 1998: an error that is not zero at 0 or 1.
    near = (share * total + 2) / (total + 4)
    return Rate(share, math.sqrt(near * (1 - near) / (total + 4)), total)


@dataclass(frozen=True, slots=True)
class AnswerTime:
    """How long a person takes for one answer to a recipe's question, and where that is from.

    Attributes:
        seconds: for one answer; None before anybody was asked.
        scale: people take so many times what the length of the texts says of a review.
        measured: on at least five answers that told how long a person was active, with an expert's own token; else the
            length of the texts of the reviews says it.
    """

    seconds: Rate | None = None
    scale: float = 1.0
    measured: bool = False


def answer_time(connection: Connection, recipe: str, ordinary: float) -> AnswerTime:
    """Return how long an answer takes: the one place that whoever tells experts' minutes reads.

    Args:
        ordinary: seconds of a review of ordinary length, where its own is not known.
    """
    read = (60 * reviews.c.minutes).label("read")
    query = (
        select(decisions.c.active_seconds, func.coalesce(read, ordinary).label("read"))
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(reviews.c.recipe == recipe, decisions.c.counts, decisions.c.active_seconds > 0)
        .order_by(decisions.c.decided_at.desc())
        .limit(MOST)
    )
    rows = connection.execute(query).all()
    if len(rows) >= 5:
        taken = _rate([float(row.active_seconds) for row in rows])
        return AnswerTime(taken, taken.mean * len(rows) / sum(float(row.read) for row in rows), True)
    lengths = select(read).where(reviews.c.recipe == recipe, reviews.c.minutes > 0)
    newest = connection.execute(lengths.order_by(reviews.c.created_at.desc()).limit(MOST)).scalars().all()
    return AnswerTime(_rate([float(one) for one in newest]) if newest else None)


def review_seconds_by_group(connection: Connection, recipe: str) -> dict[tuple[str, str], Rate]:
    """The mean of the seconds that a person was active on one answer, by (specialty, language), each in lower case
    and empty where a seed names none. Groups with fewer than five answers are left out.
    """
    query = (
        select(reviews.c.specialty, reviews.c.lang, decisions.c.active_seconds)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(reviews.c.recipe == recipe, decisions.c.counts, decisions.c.active_seconds > 0)
        .order_by(decisions.c.decided_at.desc())
        .limit(10 * MOST)
    )
    by_group: dict[tuple[str, str], list[float]] = {}
    for row in connection.execute(query):
        by_group.setdefault((row.specialty or "", row.lang or ""), []).append(float(row.active_seconds))
    return {group: _rate(seconds) for group, seconds in by_group.items() if len(seconds) >= 5}


def _rate(values: list[float]) -> Rate:
    n = len(values)
    mean = sum(values) / n
    spread = sum((value - mean) ** 2 for value in values) / (n - 1) if n > 1 else mean**2
    return Rate(mean, math.sqrt(spread / n), n)
