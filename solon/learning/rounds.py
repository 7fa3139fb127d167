"""Rounds of a budget: when all of one is answered, the panel learns, and what is held back is judged anew by what it
learned, so that the next round is chosen by it. Chosen decisions teach; only what was drawn at random certifies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solon.consensus.traits import UNKNOWN
from solon.learning.evidence import Evidence, is_drawn_at_random
from solon.store.learning.adoption import send_again
from solon.store.learning.evidence import DecidedItem, held_items
from solon.store.reviewing.budget import open_reviews, spent_budget
from solon.store.reviewing.review_rows import VOTES
from solon.store.runs import certificates

if TYPE_CHECKING:
    from solon.config.sections import RoutingConfig
    from solon.consensus.model import ConsensusModel
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.runs.run_row import RunRow

FOLDS = 5
AT_ONCE = 200
"""Items that one transaction sends on."""


def answered_round(store: Store, run: RunRow, routing: RoutingConfig) -> int | None:
    """How many reviews the budget has opened where all of them are answered, so that a round has ended; None where
    there are no rounds, or one is under way."""
    if not routing.in_rounds:
        return None
    with store.connect() as connection:
        opened = spent_budget(connection, run.id).reviews
        return opened if opened and not open_reviews(connection, run.id) else None


def is_under_way(connection: Connection, run: RunRow, routing: RoutingConfig) -> bool:
    """Whether a budget is spent in rounds and some of it is left or unanswered: its random part is looked at once, when
    all of it is there."""
    if not routing.in_rounds:
        return False
    spent = spent_budget(connection, run.id)
    left = routing.spent_part(spent.reviews, spent.minutes) < 1.0
    return open_reviews(connection, run.id) > 0 or (left and bool(held_items(connection, run.id, "")))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often a version is right where it was not told, on decided items that were drawn at random.

    Attributes:
        n: how many there are.
        right: how many of them it is right on.
        low, high: exact 95% interval of the rate.
    """

    n: int
    right: int
    low: float
    high: float

    def __str__(self) -> str:
        if not self.n:
            return "no decision on an item drawn at random yet"
        rate = f"{self.right / self.n:.2f}, 95% {self.low:.2f} to {self.high:.2f}"
        return f"right on {self.right} of {self.n} drawn at random ({rate})"


def measure_accuracy(evidence: Evidence, refit: Callable[[list[DecidedItem]], ConsensusModel]) -> Accuracy:
    """How good the panel is by now on items like those drawn at random, each where its fifth was left out of the fit,
    which is a little too careful.

    Args:
        refit: the version from fewer decisions.
    """
    from solon.consensus.binomial import clopper_pearson
    from solon.consensus.panel import judge_item

    drawn = [d for d in evidence.usable if is_drawn_at_random(d) and d.actor != VOTES]
    place = {group: turn for turn, group in enumerate(sorted({d.group for d in drawn}))}
    right = 0
    for fold in range(min(FOLDS, len(place))):
        part = [d for d in drawn if place[d.group] % FOLDS == fold]
        groups = {d.group for d in part}
        fitted = refit([d for d in evidence.usable if d.group not in groups])
        for d in part:
            seen = judge_item(
                fitted, evidence.votes[d.item_id], traits=evidence.traits.get(d.item_id, UNKNOWN)
            )
            right += seen.best == d.outcome
    return Accuracy(len(drawn), right, *clopper_pearson(right, len(drawn)))


def judge_held_again(store: Store, run: RunRow) -> int:
    """Queue what a budget holds back, where it was judged by an older version than the newest; returns how many items.

    They are replayed from the journal, so that it costs no call but those of tiers and voters that had not spoken.
    """
    with store.connect() as connection:
        newest = certificates.newest_consensus(connection, run.scope)
        if newest is None:
            return 0
        in_force = certificates.certificate_of(connection, run)
        held = held_items(connection, run.id, newest)
    speaks = in_force is not None and in_force.consensus_id == newest
    pins = {"consensus_id": newest, "certificate_id": in_force.id if speaks and in_force else None}
    sent = 0
    for start in range(0, len(held), AT_ONCE):
        with store.transaction() as connection:
            for item in held[start : start + AT_ONCE]:
                sent += send_again(connection, item, pins, why="judged again before the next round")
    return sent
