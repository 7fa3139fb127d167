"""How a run's budget of reviews is spent once all items are judged: on what is worth most, and on a random part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from solon.agents.models.embedding import can_embed, embed
from solon.config.sections import RoutingConfig
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.reviewing.budget import (
    PickedReview,
    Spent,
    asked_items,
    held_reviews,
    requests_of,
    spent_budget,
)
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.runs.throughput import review_seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from solon.store.runs.run_row import RunRow

LEAST_EXPLORED = 10
"""A smaller budget has no random part: it could show nothing."""


def choose_reviews(
    store: Store, run: RunRow, routing: RoutingConfig
) -> tuple[list[PickedReview], list[ReviewRow]]:
    """The held reviews that enter the queue under the run's budget, and those whose items take the panel's
    answer.

    Reads only. The random part is drawn from what is left after the most valuable ones, by an order that was
    fixed before anything was known of the items.
    """
    with store.connect() as connection:
        held = held_reviews(connection, run.id)
        spent = spent_budget(connection, run.id)
        before = asked_items(connection, run.id) if held else []
        diverse = bool(held) and routing.diversity > 0 and can_embed()
        requests = requests_of(connection, [r.item_id for r in held]) if diverse else []
        asked = requests_of(connection, before) if diverse else []
        measured = review_seconds(connection, run.recipe)
    if not held:
        return [], []
    scale = 1.0 if measured is None else measured.mean / routing.review_seconds
    vectors, covered = (embed(requests), embed(asked)) if diverse else (None, None)
    picked = pick(held, spent, routing, scale=scale, vectors=vectors, covered=covered)
    names = {p.review.id for p in picked}
    return picked, [review for review in held if review.id not in names]


def pick(
    held: Sequence[ReviewRow],
    spent: Spent,
    routing: RoutingConfig,
    *,
    scale: float = 1.0,
    vectors: NDArray[Any] | None = None,
    covered: NDArray[Any] | None = None,
) -> list[PickedReview]:
    """The reviews that a budget buys: the most value per minute, and a random part, each with its probability
    of being picked.

    Args:
        held: reviews that wait for the budget.
        spent: what of the budget is used up.
        scale: measured over assumed seconds of a review.
        vectors: (n, d) of the held items' requests; None where likeness does not count.
        covered: (m, d) of the requests that were asked before.
    """
    import numpy as np

    from solon.consensus.select import select

    minutes = np.array([max((r.minutes or 1.0) * scale, 1e-3) for r in held])
    # An item of no value comes last, not never: the budget was given to be spent.
    value = np.array([max(r.value or 0.0, 0.0) + 1e-6 * (1.0 - (r.confidence or 0.5)) + 1e-9 for r in held])
    in_minutes = routing.budget_minutes is not None
    share = routing.explore if routing.review_budget >= LEAST_EXPLORED else 0.0
    total = float(routing.budget_minutes or routing.budget)
    left = max(0.0, total - (spent.minutes * scale if in_minutes else spent.reviews))
    if left <= 0.0:
        return []
    limit = {"minutes": left * (1 - share)} if in_minutes else {"items": round(left * (1 - share))}
    chosen = select(
        value, cost=minutes, embeddings=vectors, covered=covered, diversity=routing.diversity, **limit
    ).tolist()
    best = [_picked(held[i], float(value[i] / minutes[i]), 1.0) for i in chosen]
    taken = set(chosen)
    rest = sorted((i for i in range(len(held)) if i not in taken), key=lambda i: _draw(held[i]))
    if in_minutes:
        room = int((left - float(minutes[chosen].sum())) / float(minutes[rest].mean())) if rest else 0
    else:
        room = int(left) - len(chosen)
    drawn = rest[: max(0, room)]
    # Where among the others a drawn one stands says nothing of it: whoever stops half-way leaves a random part.
    high = max((float(value[i] / minutes[i]) for i in chosen), default=1.0)
    places = [high * (1.0 - (turn + 0.5) / len(drawn)) for turn in range(len(drawn))]
    share = len(drawn) / max(len(rest), 1)
    return best + [_picked(held[i], place, share) for i, place in zip(drawn, places, strict=True)]


def _draw(review: ReviewRow) -> str:
    return hash_id("explore", review.item_id, review.attempt or 0)


def _picked(review: ReviewRow, place: float, inclusion: float) -> PickedReview:
    worth = (
        f"a decision here is worth {review.value or 0.0:.3f} records in {review.minutes or 1.0:.1f} minutes"
    )
    drawn = "among the most valuable" if inclusion == 1.0 else f"drawn at random, one in {1 / inclusion:.1f}"
    reason = {"code": "value", "text": f"{worth}: {drawn}", "value": round(review.value or 0.0, 6)}
    return PickedReview(review, -round(place, 6), round(inclusion, 9), reason)
