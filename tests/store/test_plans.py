"""What is asked for every item, decision or page follows an index: it takes no longer in a store of millions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, and_, event

from solon.store.database.store import Store
from solon.store.learning.evidence import counted_decisions
from solon.store.records import counts, evaluation
from solon.store.reviewing import deliveries, drawn_questions, queue, review_lists
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.review_lists import Filters
from solon.store.reviewing.review_rows import list_reviews
from solon.store.runs import items, pilot, requeued, verdicts

GROWS = "items|reviews|calls|outbox|decisions|assignments|texts|candidates|verdicts|records"
RUN = "a-run"
SOME = and_(
    items.items.c.run_id == RUN, items.items.c.state == "accepted", items.items.c.position.between(0, 499)
)
Ask = Callable[[Connection, ExpertRow], Any]


def _list(**filters: Any) -> Ask:
    return lambda c, _: review_lists.list_filtered(c, Filters(**filters), cursor=None, limit=20)


ASKED: dict[str, Ask] = {
    "claim items": lambda c, _: items.claim(c, RUN, 8, "h:1:1:x"),
    "keep claims": lambda c, _: items.keep_claims(c, "h:1:1:x"),
    "claim deliveries": lambda c, _: deliveries.claim_deliveries(c, "h:1:1:x", 8, run_id=RUN),
    "recover the outbox": lambda c, _: deliveries.recover_outbox(c, RUN),
    "settle what arrived": lambda c, _: deliveries.settle_arrived(c, RUN),
    "runs with work": lambda c, _: requeued.runs_with_work(c, begun=True),
    "is a run settled": lambda c, _: requeued.is_settled(c, RUN),
    "answers that tell of a promise": lambda c, _: evaluation.answers(c, [RUN], telling=True),
    "answers about some items": lambda c, _: evaluation.answers(c, [RUN], part=SOME),
    "held-out decisions about some items": lambda c, _: counts.held_out(c, "key", [RUN], SOME),
    "counted decisions about some items": lambda c, _: counted_decisions(c, "key", [RUN], part=SOME),
    "scores that texts were given": lambda c, _: verdicts.scores_on(c, ["a", "b"], verdicts.scores_given),
    "scores of a shortlist": lambda c, _: verdicts.scores_on(c, ["a", "b"], verdicts.shortlist_scores),
    "questions drawn at random": lambda c, _: drawn_questions.drawn_items(c, RUN),
    "the pilot": lambda c, _: pilot.pilot_in_order(c, RUN),
    "leases": lambda c, _: queue.reviews_in_hand(c),
    "next review": lambda c, expert: queue.lease_next(c, expert),
    "reviews that wait": lambda c, _: list_reviews(c),
    "all reviews": _list(),
    "reviews in a state": _list(status="decided"),
    "reviews of a run": _list(run=RUN),
}
SORTED = (
    "claim items",
    "claim deliveries",
    "reviews that wait",
    "all reviews",
    "reviews in a state",
    "reviews of a run",
)
"""These read the first few in an order: sorting all of them first would read them all."""


@pytest.mark.sqlite("its query plans")
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("asked", ASKED)
def test_an_index_is_followed(store: Store, asked: str) -> None:
    expert, _ = add_expert(store, "Ada", by="test")
    told: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        told.append((statement, parameters))

    with store.transaction() as connection:
        event.listen(store.engine, "before_cursor_execute", note)
        ASKED[asked](connection, expert)
        event.remove(store.engine, "before_cursor_execute", note)
        plans = [
            row[3]
            for statement, parameters in told
            if statement.startswith(("SELECT", "UPDATE"))
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert plans
    scans = [step for step in plans if re.match(rf"SCAN ({GROWS})\b", step)]
    assert [step for step in scans if asked not in SORTED or "USING INDEX" not in step] == []
    if "outbox" in asked or "arrived" in asked:
        assert [step for step in plans if step.startswith("LIST SUBQUERY")] == []  # all items of the run
    if "some items" in asked:
        assert [
            step for step in plans if re.search("AUTOMATIC|expiry|SCAN precedents", step)
        ] == []  # the whole store
    if asked in SORTED:
        assert [step for step in plans if "TEMP B-TREE FOR ORDER BY" in step] == []
