"""Items whose law was replaced: accepted records that are stale and reviews that wait, and their way back to work.

What a person decided is never judged again. A review that somebody has in hand, has begun to answer or has handed to
a lead stays where it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, select, update

from solon.law.scopes import domains_of, narrowest
from solon.store.database.events import event
from solon.store.database.writer import insert_rows
from solon.store.learning.adoption import IN_MIND, withdraw_audits, withdraw_review
from solon.store.runs.items import next_attempt
from solon.store.runs.laws import Kind, LawVersion, history
from solon.store.runs.runs import PREVIEW
from solon.store.tables import amendment_trials as trials
from solon.store.tables import (
    amendments,
    assignments,
    candidates,
    critiques,
    items,
    precedents,
    records,
    resolutions,
    reviews,
    runs,
    seeds,
    texts,
)

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Target:
    """An item under law that is in force no more: with a stale record, or with a review that waits.

    Attributes:
        item_id: the item.
        run_id: its run.
        recipe: its recipe.
        attempt: its present attempt.
        pilot: it belongs to the pilot.
        shown: ids of the candidates that were judged.
        margin: the panel's margin; None where it has none.
        constitution_id: the constitution that it is under.
        rubric_id: the rubric that it is under.
        domains: the seed's specialty and tags, in lower case.
        record_id: the stale record; None where a review waits.
        chosen: id of the text that the record chose; None where a review waits.
        review_id: the review that waits; None where there is a record.
    """

    item_id: str
    run_id: str
    recipe: str
    attempt: int
    pilot: bool
    shown: tuple[str, ...]
    margin: float | None
    constitution_id: str
    rubric_id: str
    domains: frozenset[str]
    record_id: str | None = None
    chosen: str | None = None
    review_id: str | None = None


_ITEM = (
    items.c.id,
    items.c.run_id,
    items.c.recipe,
    items.c.attempt,
    items.c.pilot,
    items.c.constitution_id,
    items.c.rubric_id,
    seeds.c.specialty,
    seeds.c.tags,
)


def stale_records(connection: Connection, run_id: str | None = None) -> list[Target]:
    """Items whose records in force the panel accepted under law that was amended since."""
    query = (
        select(*_ITEM, records.c.shown, records.c.margin, records.c.id.label("record"), candidates.c.text_id)
        .join(records, records.c.item_id == items.c.id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(candidates, candidates.c.id == records.c.chosen_id)
        .where(
            items.c.state == "accepted",
            records.c.stale_at.is_not(None),
            records.c.superseded_at.is_(None),
            records.c.decision_id.is_(None),
        )
        .order_by(records.c.id)
    )
    if run_id is not None:
        query = query.where(items.c.run_id == run_id)
    rows = connection.execute(query).mappings()
    return [_target(row, row["shown"], record_id=row["record"], chosen=row["text_id"]) for row in rows]


def waiting_reviews(
    connection: Connection, run_id: str | None = None, *, but_under: tuple[list[str], list[str]] = ([], [])
) -> list[Target]:
    """Items whose reviews wait, and that nobody has in hand, begun to answer or handed on, the oldest first.

    Args:
        but_under: ids of constitutions and of rubrics; items under one of each are left out.
    """
    others = ~(items.c.constitution_id.in_(but_under[0]) & items.c.rubric_id.in_(but_under[1]))
    query = (
        select(*_ITEM, reviews.c.candidates, reviews.c.margin, reviews.c.id.label("review"))
        .join(reviews, (reviews.c.item_id == items.c.id) & (reviews.c.attempt == items.c.attempt))
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(
            items.c.state == "waiting",
            reviews.c.state == "waiting",
            reviews.c.kind == "interrupt",
            reviews.c.leased.is_(False),
            reviews.c.escalated.is_(False),
            reviews.c.prefer_actor.is_(None),
            ~_is_drafted(),
            # So that the items are looked through in their order, and not one by one from the reviews.
            reviews.c.item_id.in_(select(items.c.id).where(items.c.state == "waiting", others)),
        )
        .order_by(reviews.c.created_at, reviews.c.id)
    )
    if run_id is not None:
        query = query.where(items.c.run_id == run_id)
    rows = connection.execute(query).mappings()
    return [_target(row, row["candidates"], review_id=row["review"]) for row in rows]


def _is_drafted() -> Any:
    return exists().where(
        assignments.c.review_id == reviews.c.id,
        assignments.c.draft_id.is_not(None),
        assignments.c.state.in_(IN_MIND),
    )


def _target(row: Any, shown: Sequence[str] | None, **about: Any) -> Target:
    same = ("run_id", "recipe", "attempt", "margin", "constitution_id", "rubric_id")
    return Target(
        item_id=row["id"],
        pilot=bool(row["pilot"]),
        shown=tuple(shown or ()),
        domains=domains_of(row["specialty"], row["tags"]),
        **{name: row[name] for name in same},
        **about,
    )


class LawNow:
    """Which version governs an item now, of the names that it is pinned to."""

    def __init__(self, connection: Connection) -> None:
        kinds: tuple[Kind, ...] = ("constitution", "rubric")
        self._known = {kind: {v.id: v for v in history(connection, kind)} for kind in kinds}

    def version(self, kind: Kind, version_id: str) -> LawVersion:
        """A version of a kind by its id."""
        return self._known[kind][version_id]

    def of(self, target: Target) -> tuple[str, str]:
        """Ids of the constitution and the rubric that govern the item now."""
        return (
            self._governing("constitution", target.constitution_id, target),
            self._governing("rubric", target.rubric_id, target),
        )

    def _governing(self, kind: Kind, pinned: str, target: Target) -> str:
        known = self._known[kind]
        name = known[pinned].name
        in_force = [v for v in known.values() if v.name == name and v.status == "in_force"]
        version = narrowest(in_force, target.recipe, target.domains)
        return version.id if version is not None else pinned

    def settled(self) -> tuple[list[str], list[str]]:
        """Ids of the constitutions, and of the rubrics, that govern whatever is under them: no other version of their
        name is in force."""
        found = []
        for known in self._known.values():
            names = Counter(v.name for v in known.values() if v.status == "in_force")
            found.append([v.id for v in known.values() if v.status == "in_force" and names[v.name] == 1])
        return found[0], found[1]

    def changed(self, target: Target) -> bool:
        """Is the law in force for this item now other than the law that it is under?"""
        return self.of(target) != (target.constitution_id, target.rubric_id)


def count_doubtful(connection: Connection) -> tuple[int, int]:
    """How many stale records, and how many waiting reviews, are under law that is not in force for them now."""
    now = LawNow(connection)
    stale = sum(now.changed(target) for target in stale_records(connection))
    waiting = waiting_reviews(connection, but_under=now.settled())
    return stale, sum(now.changed(target) for target in waiting)


def begin_again(
    connection: Connection, target: Target, law: tuple[str, str], *, until: float, by: str, why: str
) -> bool:
    """Begin a new attempt of an item under other law, with the candidates that it has.

    False where somebody was faster: the review was taken or begun, or the item has moved on.

    Args:
        law: ids of the constitution and the rubric.
        until: precedents known by then are shown, whenever the attempt is replayed.
        by: who asked for it.
        why: noted with the review that is withdrawn.
    """
    if target.review_id is not None:
        drafted = select(reviews.c.id).where(reviews.c.id == target.review_id, _is_drafted())
        if connection.execute(drafted).first() is not None:
            return False
        if not withdraw_review(connection, target.review_id, why=why):
            return False
    else:
        withdraw_audits(connection, target.item_id, why=why)
    state = "waiting" if target.review_id is not None else "accepted"
    values = {
        "constitution_id": law[0],
        "rubric_id": law[1],
        "certificate_id": None,
        "precedents_until": until,
        "carried": list(target.shown),
    }
    own = (items.c.id == target.item_id, items.c.attempt == target.attempt, items.c.state == state)
    if connection.execute(update(items).where(*own).values(**values)).rowcount != 1:
        return False
    next_attempt(connection, target.item_id)
    connection.execute(
        update(items).where(items.c.id == target.item_id).values(state="queued", finished_at=None)
    )
    detail = {"record": target.record_id, "review": target.review_id, "law": list(law)}
    insert_rows(connection, [event(by, "item.rejudged", target.item_id, detail)])
    return True


@dataclass(frozen=True, slots=True)
class End:
    """Where an item stands after it was judged again.

    Attributes:
        state: state of the item.
        record_id: its record in force; None without one.
        chosen: id of the text that the record chose; None without one.
    """

    state: str
    record_id: str | None
    chosen: str | None


def ends_of(connection: Connection, item_ids: Sequence[str]) -> dict[str, End]:
    """Where each item stands now, by the item's id."""
    ends: dict[str, End] = {}
    join = items.outerjoin(records, (records.c.item_id == items.c.id) & records.c.superseded_at.is_(None))
    join = join.outerjoin(candidates, candidates.c.id == records.c.chosen_id)
    for start in range(0, len(item_ids), CHUNK):
        query = (
            select(items.c.id, items.c.state, records.c.id.label("record"), candidates.c.text_id)
            .select_from(join)
            .where(items.c.id.in_(item_ids[start : start + CHUNK]))
        )
        ends.update({row.id: End(row.state, row.record, row.text_id) for row in connection.execute(query)})
    return ends


# For the ranking ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrialSeen:
    """A precedent that a ratified amendment was measured on: did the panel's verdict turn?"""

    item_id: str
    margin: float
    flipped: bool


def trials_of_ratified(connection: Connection) -> list[TrialSeen]:
    """Every trial of a ratified amendment, the newest amendments first."""
    query = (
        select(precedents.c.item_id, trials.c.margin_before, trials.c.before, trials.c.after)
        .join(precedents, precedents.c.id == trials.c.precedent_id)
        .join(amendments, amendments.c.id == trials.c.amendment_id)
        .where(amendments.c.state == "ratified")
        .order_by(amendments.c.closed_at.desc(), trials.c.id)
        .limit(2000)
    )
    return [TrialSeen(row[0], float(row[1]), row[2] != row[3]) for row in connection.execute(query)]


def cited_principles(connection: Connection, item_ids: Sequence[str]) -> dict[str, set[str]]:
    """The principles that critics and resolver cited on each item, by the item's id."""
    cited: dict[str, set[str]] = {}
    for start in range(0, len(item_ids), CHUNK):
        part = item_ids[start : start + CHUNK]
        for table, column in ((critiques, critiques.c.principles), (resolutions, resolutions.c.cites)):
            query = select(table.c.item_id, column).where(table.c.item_id.in_(part))
            for item_id, cites in connection.execute(query):
                cited.setdefault(item_id, set()).update(cites or ())
    return cited


def requests_of(connection: Connection, item_ids: Sequence[str]) -> dict[str, str]:
    """The request of each item's seed, by the item's id; items whose seeds were forgotten are missing."""
    requests: dict[str, str] = {}
    for start in range(0, len(item_ids), CHUNK):
        query = (
            select(items.c.id, texts.c.body)
            .join(seeds, seeds.c.id == items.c.seed_id)
            .join(texts, texts.c.id == seeds.c.text_id)
            .join(runs, runs.c.id == items.c.run_id)
            .where(
                items.c.id.in_(item_ids[start : start + CHUNK]),
                texts.c.body.is_not(None),
                runs.c.status != PREVIEW,
            )
        )
        requests.update(
            {row.id: json.loads(row.body).get("prompt") or "" for row in connection.execute(query)}
        )
    return requests
