"""Rounds of a budget: when all of one is answered, the panel learns, and what is held back is judged anew by what it
learned, so that the next round is chosen by it. Chosen decisions teach; only what was drawn at random certifies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from solon.learning.evidence import is_drawn_at_random
from solon.store.learning.adoption import send_again
from solon.store.learning.evidence import DecidedItem, held_items
from solon.store.reviewing.budget import open_reviews, spent_budget
from solon.store.reviewing.drawn_questions import drawn_questions, group_sizes
from solon.store.runs import certificates

if TYPE_CHECKING:
    from solon.config.sections import RoutingConfig
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.runs.run_row import RunRow

AT_ONCE = 200
"""Items that one transaction sends on."""


def answered_round(store: Store, run: RunRow, routing: RoutingConfig) -> int | None:
    """How many reviews the budget has opened where all of them are answered, so that a round has ended; None where there
    are no rounds, or one is under way."""
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


def let_chosen_teach(
    connection: Connection, key: str, run: RunRow, usable: Sequence[DecidedItem]
) -> list[DecidedItem]:
    """The decisions, where those of the run that a round chose teach, whichever half their seed is in.

    They can certify nothing, since they were chosen by what was decided before. One whose item was drawn too, or whose
    group has other items, stays where it is: what tests must never have been seen.
    """
    drawn = {question.item_id for question in drawn_questions(connection, key, run.id)}
    several = group_sizes(connection, run.id)

    def chosen(one: DecidedItem) -> bool:
        return (
            (one.run_id, one.rule, one.kind) == (run.id, "budget", "interrupt")
            and not is_drawn_at_random(one)
            and one.item_id not in drawn
            and one.group not in several
        )

    return [replace(one, held_out=False) if one.held_out and chosen(one) else one for one in usable]
