"""What a run's queue holds, by why people are asked, and how long it takes them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, func, select

from solon.responses import RUBRIC
from solon.store.reviewing.review_rows import PERSONAL
from solon.store.runs.throughput import answer_time
from solon.store.tables import reviews
from solon.store.tables.people import ASKS_FOR_RUBRIC, GIVES_ORDERS, WAITS

KINDS = {
    "pilot": "pilot",
    "always": "policy",
    "uncertified": "not certified",
    "asked_back": "redraft",
    "no_verdict": "no verdict",
    "step": "a step of the recipe",
    "injection": "gives orders",
}
"""Rule that sent an item to a person -> what leads are told of it. All others mean a panel that is unsure."""


def kind_told(kind: str, rule: str, schema: str) -> str:
    """Why somebody is asked, in one or two words. Reviewers are never told: an audit looks like everything else."""
    if schema == RUBRIC:
        return "rubric"
    told = {"audit": "audit", "overlap": "second opinion"}.get(kind)
    return told or KINDS.get(rule, "unsure")


def sum_queue(
    connection: Connection, run_id: str, recipe: str, budget: int, assumed_seconds: float
) -> dict[str, Any] | None:
    """Reviews that wait and the minutes they take, in all, by kind, and beyond the first `budget` of them.

    None where nobody is waited for. Minutes follow the length of the texts; `measured` says whether they are scaled by
    what people took for earlier answers; `assumed_seconds` are those of an ordinary review. `orders` counts those, of
    whatever kind, whose texts give orders to models.
    """
    asked = (reviews.c.run_id == run_id, reviews.c.kind.not_in(PERSONAL))
    waits = (*asked, reviews.c.state == "waiting")
    known = answer_time(connection, recipe, assumed_seconds)
    each = known.seconds.mean if known.seconds else assumed_seconds
    need = func.coalesce(reviews.c.minutes * known.scale, each / 60)
    why = (reviews.c.kind, reviews.c.rule)
    grouped = select(*why, func.count(), func.sum(need)).group_by(*why)
    every = connection.execute(grouped.where(*asked, WAITS)).all()
    if not every:
        return None
    # Of a list of states, since SQLite would go through all that waits where one is named.
    rubrics = connection.execute(
        grouped.where(*asked, reviews.c.state.in_(("waiting", "")), ASKS_FOR_RUBRIC)
    ).all()
    first = select(need).where(*waits).order_by(reviews.c.priority, reviews.c.created_at, reviews.c.id)
    spent = [float(minutes) for minutes in connection.execute(first.limit(budget)).scalars()]
    counts: Counter[str] = Counter()
    minutes: defaultdict[str, float] = defaultdict(float)
    for kind, rule, number, taken in every:
        counts[kind_told(kind, rule, "")] += int(number)
        minutes[kind_told(kind, rule, "")] += float(taken)
    for kind, rule, number, taken in rubrics:  # an index of what they ask would hold all labels of a long set
        counts.update({"rubric": int(number), kind_told(kind, rule, ""): -int(number)})
        minutes["rubric"] += float(taken)
        minutes[kind_told(kind, rule, "")] -= float(taken)
    counts = +counts
    total = sum(minutes.values())
    orders = select(func.count()).where(*waits, GIVES_ORDERS)
    return {
        "reviews": counts.total(),
        "minutes": round(total, 1),
        "measured": known.measured,
        "by_kind": {
            kind: {"reviews": number, "minutes": round(minutes[kind], 1)}
            for kind, number in counts.most_common()
        },
        "orders": int(connection.execute(orders).scalar_one()),
        "budget": budget,
        "left_by_budget": {
            "reviews": counts.total() - len(spent),
            "minutes": round(max(0.0, total - sum(spent)), 1),
        },
    }
