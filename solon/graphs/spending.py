"""How a run's budget of reviews is spent once all items are judged: on what is worth most, and on a random part."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from solon.agents.models.embedding import can_embed, embed, embed_words
from solon.config.sections import RoutingConfig
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import judge_item
from solon.questions import PAIR
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.reviewing.budget import (
    PickedReview,
    Spent,
    asked_items,
    held_reviews,
    open_reviews,
    pinned_consensus,
    requests_of,
    spent_budget,
)
from solon.store.reviewing.review_rows import ReviewRow
from solon.store.runs.certificates import consensus_payload, newest_stopping
from solon.store.runs.throughput import answer_time
from solon.store.runs.verdicts import votes_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from solon.store.database.engine import Connection
    from solon.store.runs.run_row import RunRow

CHOSEN_BY = {
    "value": "among the most valuable",
    "uncertainty": "the panel is least sure of what it finds likeliest",
    "margin": "the panel can hardly tell the two likeliest outcomes apart",
    "entropy": "the panel is unsure between many outcomes",
    "committee": "the voters of the panel differ",
    "core-set": "unlike all that was asked before",
}
"""Acquisition -> why what it ranks first is asked."""
RANKED_FIRST = "what the panel ranks first for an outcome, while nothing is learned yet"
LEAST_EXPLORED = 10
"""A smaller budget has no random part: it could show nothing."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the held items besides their reviews.

    Attributes:
        vectors: (n, d) of their requests; None where likeness does not count.
        covered: (m, d) of the requests that were asked before; None likewise.
        scores: (n,) what asking is worth by the acquisition; None: records put right, as the reviews say.
        chosen_by: why those with the highest scores are asked, in words.
        asked: items that the budget was spent on before.
        scale: measured over assumed seconds of a review.
    """

    vectors: NDArray[Any] | None = None
    covered: NDArray[Any] | None = None
    scores: NDArray[Any] | None = None
    chosen_by: str = "among the most valuable"
    asked: Collection[str] = field(default=())
    scale: float = 1.0


def choose_reviews(
    store: Store, run: RunRow, routing: RoutingConfig, outcomes: Sequence[str], learned: int | None = None
) -> tuple[list[PickedReview], list[ReviewRow]]:
    """The held reviews that enter the queue under the run's budget, and those whose items take the panel's
    answer.

    Reads only. The random part is drawn by an order that was fixed before anything was known of the items. In rounds
    nothing enters the queue while a round is under way, nor before the panel has learned from it, and nothing is left
    to the panel before the last one is answered, or where `routing.stops` a further one would not pay.

    Args:
        outcomes: of the question.
        learned: how many reviews the budget had opened when the panel last learned from all of them; None where it has
            not.
    """
    with store.connect() as connection:
        held = held_reviews(connection, run.id)
        if not held:
            return [], []
        spent = spent_budget(connection, run.id)
        if routing.in_rounds and (
            open_reviews(connection, run.id) or (spent.reviews and spent.reviews != learned)
        ):
            return [], []
        if routing.stops and spent.reviews and (newest_stopping(connection, run.scope) or {}).get("stop"):
            return [], held
        known = _look_up(connection, run, routing, outcomes, held)
    picked = pick(held, spent, routing, known)
    if routing.in_rounds and picked:
        return picked, []
    names = {p.review.id for p in picked}
    return picked, [review for review in held if review.id not in names]


def _look_up(
    connection: Connection,
    run: RunRow,
    routing: RoutingConfig,
    outcomes: Sequence[str],
    held: Sequence[ReviewRow],
) -> Known:
    """Where there is no embedding model, only the core set goes by the words of requests."""
    vectors = covered = None
    if routing.acquisition == "core-set" or (routing.diversity > 0 and can_embed()):
        before = requests_of(connection, asked_items(connection, run.id))
        requests = requests_of(connection, [r.item_id for r in held])
        vectors, covered = (embed if can_embed() else embed_words)(requests), None
        covered = (embed if can_embed() else embed_words)(before)
    scores, chosen_by = _score(connection, routing.acquisition, outcomes, held, vectors, covered)
    return Known(
        vectors,
        covered,
        scores,
        chosen_by,
        asked_items(connection, run.id, rule="budget"),
        answer_time(connection, run.recipe, routing.review_seconds).scale,
    )


def _score(
    connection: Connection,
    how: str,
    outcomes: Sequence[str],
    held: Sequence[ReviewRow],
    vectors: NDArray[Any] | None,
    covered: NDArray[Any] | None,
) -> tuple[NDArray[Any] | None, str]:
    """(n,) what asking is worth by the acquisition, None where the reviews say it; and why the first are asked.

    While nothing was learned, what the panel ranks first for each outcome comes first; not of pairs, whose outcomes are
    places.
    """
    import numpy as np

    from solon.consensus.ballots import collect
    from solon.consensus.select import pick_core_set, pick_ranked, score_acquisition

    if how == "value":
        return None, CHOSEN_BY[how]
    if how == "core-set" and vectors is not None:
        before = np.zeros((0, vectors.shape[1])) if covered is None else covered
        whole = np.vstack([before, vectors])
        order = pick_core_set(whole, len(held), np.arange(len(before))) - len(before)
        return _in_turn(order, len(held)), CHOSEN_BY[how]
    cast = votes_on(connection, [(r.item_id, r.attempt or 0, tuple(r.candidates)) for r in held])
    pinned = pinned_consensus(connection, [r.item_id for r in held])
    models = {
        name: ConsensusModel.from_json(consensus_payload(connection, name)).speaking_of(outcomes)
        for name in set(pinned.values())
    }
    votes = [cast[r.item_id] for r in held]
    found = [judge_item(models[pinned[r.item_id]], said) for r, said in zip(held, votes, strict=True)]
    posterior = np.array([[one.posterior[outcome] for outcome in outcomes] for one in found])
    # of two answers each is the first one as often as the second, so that neither needs an example
    needs_examples = tuple(outcomes) != PAIR.outcomes
    if needs_examples and not any(model.n_decisions for model in models.values()):
        return _in_turn(pick_ranked(posterior, len(held)), len(held)), RANKED_FIRST
    ballots = collect(votes, outcomes)
    member = np.where(ballots.active[:, :, None] > 0.0, ballots.shares, posterior[:, None, :])
    return score_acquisition(how, posterior, member), CHOSEN_BY[how]


def _in_turn(order: NDArray[Any], n: int) -> NDArray[Any]:
    """(n,) falling from 1 in this order of rows."""
    import numpy as np

    value = np.zeros(n)
    value[order] = 1.0 - np.arange(len(order)) / n
    return value


def pick(
    held: Sequence[ReviewRow], spent: Spent, routing: RoutingConfig, known: Known = Known()
) -> list[PickedReview]:
    """The reviews that a budget buys now: the most value per minute, and a random part, each with its probability
    of being picked.

    In one round the random part is drawn from what the most valuable leave. In several it is drawn of all, before
    anything is known, and what is chosen beside it, by what was decided, has no probability.

    Args:
        held: reviews that wait for the budget.
        spent: what of the budget is used up.
    """
    import numpy as np

    minutes = np.array([max((r.minutes or 1.0) * known.scale, 1e-3) for r in held])
    # An item of no value comes last, not never: the budget was given to be spent.
    unsure = np.array([1e-6 * (1.0 - (r.confidence or 0.5)) + 1e-9 for r in held])
    worth = np.array([max(r.value or 0.0, 0.0) for r in held]) if known.scores is None else known.scores
    value = worth + unsure
    in_minutes = routing.budget_minutes is not None
    total = float(routing.budget_minutes or routing.budget)
    end, used = _end_of_round(total, routing, spent, known.scale)
    left = max(0.0, end - used)
    if left <= 0.0:
        return []
    share = routing.explore if routing.review_budget >= LEAST_EXPLORED else 0.0
    if routing.in_rounds:
        each = float(minutes.mean()) if in_minutes else 1.0
        drawn, apart, chance = _draw_part(held, known.asked, share, total / each, end / each)
        part = left - (float(minutes[drawn].sum()) if in_minutes else len(drawn))
        chosen = _choose(
            np.delete(np.arange(len(held)), apart), value, minutes, part, in_minutes, known, routing
        )
        sure = None
    else:
        chosen = _choose(np.arange(len(held)), value, minutes, left * (1 - share), in_minutes, known, routing)
        rest = sorted(set(range(len(held))) - set(chosen), key=lambda i: _draw(held[i]))
        room = int(left) - len(chosen)
        if in_minutes:
            room = int((left - float(minutes[chosen].sum())) / float(minutes[rest].mean())) if rest else 0
        drawn, sure = rest[: max(0, room)], 1.0
        chance = len(drawn) / max(len(rest), 1)
    # Where among the others a drawn one stands says nothing of it: whoever stops half-way leaves a random part.
    high = max((float(value[i] / minutes[i]) for i in chosen), default=1.0)
    places = [high * (1.0 - (turn + 0.5) / len(drawn)) for turn in range(len(drawn))]
    best = [_picked(held[i], float(value[i] / minutes[i]), sure, known.chosen_by) for i in chosen]
    at_random = f"drawn at random, one in {1 / chance:.1f}" if 0.0 < chance < 1.0 else "all that is left"
    return best + [_picked(held[i], place, chance, at_random) for i, place in zip(drawn, places, strict=True)]


def _end_of_round(total: float, routing: RoutingConfig, spent: Spent, scale: float) -> tuple[float, float]:
    """What of the budget is used up when the round that comes now has ended, and what is used up before it."""
    if routing.budget_minutes is not None:
        used, ends = (
            spent.minutes * scale,
            [total * turn / routing.rounds for turn in range(1, routing.rounds + 1)],
        )
    else:
        used = float(spent.reviews)
        ends = [float(round(total * turn / routing.rounds)) for turn in range(1, routing.rounds + 1)]
    return next((end for end in ends if end > used + 1e-9), total), used


def _draw_part(
    held: Sequence[ReviewRow], asked: Collection[str], share: float, total: float, end: float
) -> tuple[list[int], list[int], float]:
    """Rows of the random part that are due by the end of this round, rows of all of it, and how likely an item is in
    it. The same items are drawn in every round, by an order that knows nothing of them.

    Args:
        asked: items that the budget was spent on before.
        share: of the budget that is drawn.
        total, end: reviews that the budget buys, in all and by the end of this round.
    """
    everyone = sorted({*asked, *(r.item_id for r in held)}, key=lambda name: hash_id("explore", name))
    total = min(total, float(len(everyone)))
    drawn = everyone[: round(total * share)]
    before, row = set(asked), {r.item_id: i for i, r in enumerate(held)}
    apart = [row[name] for name in drawn if name in row]
    due = round(len(drawn) * min(1.0, end / total)) - sum(name in before for name in drawn)
    return apart[: max(0, due)], apart, len(drawn) / len(everyone)


def _choose(
    rows: NDArray[Any],
    value: NDArray[Any],
    minutes: NDArray[Any],
    left: float,
    in_minutes: bool,
    known: Known,
    routing: RoutingConfig,
) -> list[int]:
    """The most valuable of these rows, as many as there is budget left for."""
    from solon.consensus.select import select

    limit = {"minutes": left} if in_minutes else {"items": round(left)}
    vectors = None if known.vectors is None or routing.acquisition == "core-set" else known.vectors[rows]
    picked = select(
        value[rows], cost=minutes[rows], embeddings=vectors, covered=known.covered, diversity=routing.diversity, **limit
    )  # fmt: skip
    return [int(i) for i in rows[picked]]


def _draw(review: ReviewRow) -> str:
    return hash_id("explore", review.item_id, review.attempt or 0)


def _picked(review: ReviewRow, place: float, inclusion: float | None, why: str) -> PickedReview:
    worth = (
        f"a decision here is worth {review.value or 0.0:.3f} records in {review.minutes or 1.0:.1f} minutes"
    )
    reason = {"code": "value", "text": f"{why}; {worth}", "value": round(review.value or 0.0, 6)}
    return PickedReview(review, -round(place, 6), inclusion and round(inclusion, 9), reason)
