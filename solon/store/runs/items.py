"""Items: reading one with its pinned versions, claiming them for work, and setting where they ended."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)

from solon.errors import InternalError
from solon.store.database import clock
from solon.store.database.chunks import chunks
from solon.store.database.claims import Claim, has_run_out
from solon.store.database.ids import hash_id, new_id
from solon.store.database.store import Store
from solon.store.database.writer import Row
from solon.store.runs.examples import ExampleId
from solon.store.tables import candidates, items, records, runs, seeds, texts, verdicts
from solon.store.tables import privacy_holds as holds
from solon.store.tables.work import Candidate

FORGOTTEN = "forgotten"
"""State and reason of an item whose seed was forgotten: what was found of it before is told no more."""
STATES = ("queued", "running", "waiting", "accepted", "rejected", "failed", "parked", FORGOTTEN)
FINAL = ("accepted", "rejected", "failed", FORGOTTEN)
CLAIM_SECONDS = 120.0
PART = 500
MANY = 2000
"""What all items have to be read for is read while somebody waits as long as there are no more of them."""


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item with its seed, as the graph needs it.

    Attributes:
        id: id of the item.
        run_id: its run.
        seed_id: its seed.
        recipe: name of its recipe.
        attempt: 0, and one more each time that it is judged anew.
        config_id: effective configuration that it is pinned to.
        constitution_id: constitution that it is pinned to.
        rubric_id: rubric that it is pinned to.
        prompts_id: set of prompts that it is pinned to.
        graph_version: version of the recipe's graph that it is pinned to.
        consensus_id: consensus version that it is pinned to.
        certificate_id: certificate that it is pinned to, None without one.
        pilot: it was drawn into the random pilot sample.
        random_seed: 48 bits that decide its draws.
        precedents_until: only precedents that were retrievable before this are shown to its judges, epoch seconds.
        carried: ids of candidates that it begins with instead of drafts; None where it begins with drafts.
        position: its place in the order of the seeds, from 0.
        number: which of its seed's items it is, from 0.
        examples: what its drafts are shown out of a pool; None where nothing was drawn.
        fresh: it was never started before, so that the journal of its run holds nothing of it.
        external_id: name of the seed in its file.
        group: group of the seed, None where it names none.
        content: prompt, messages, input, ... of the seed; empty once it was forgotten.
        claimed_by: name of the worker that holds it, None where none does.
    """

    id: str
    run_id: str
    seed_id: str
    recipe: str
    attempt: int
    config_id: str
    constitution_id: str
    rubric_id: str
    prompts_id: str
    graph_version: str
    consensus_id: str
    certificate_id: str | None
    pilot: bool
    random_seed: int
    precedents_until: float
    carried: tuple[str, ...] | None
    position: int
    number: int
    examples: tuple[ExampleId, ...] | None
    fresh: bool
    external_id: str
    group: str | None
    content: dict[str, Any]
    claimed_by: str | None = None

    @property
    def claim(self) -> Claim | None:
        """The claim under which its attempt is written; None where nobody works on it."""
        return None if self.claimed_by is None else Claim(self.id, self.attempt, self.claimed_by)


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A candidate as it is stored.

    Attributes:
        id: id of the candidate.
        item_id: the item that it answers.
        attempt: the attempt of the item.
        round: 0 for the first drafts, one more with every redraft.
        ordinal: its place among those of its step.
        kind: draft, given, revision or edit; of a draft that was not used what was wrong with it.
        text_id: its text.
        prompt_text_id: the instruction that it answers, where it has one of its own; None: that of the seed.
        input_text_id: what that instruction of its own speaks of; None where there is nothing.
        parent_id: the candidate that it revises, edits or repeats; None otherwise.
        call_id: the model call that wrote it, None where no call did.
        author: the model, function, person or source that wrote it.
        created_at: when it was stored, epoch seconds.
    """

    id: str
    item_id: str
    attempt: int
    round: int
    ordinal: int
    kind: str
    text_id: str
    prompt_text_id: str | None
    input_text_id: str | None
    parent_id: str | None
    call_id: str | None
    author: str
    created_at: float

    @property
    def text_ids(self) -> list[str]:
        """Its text, and its own request and what that speaks of, where it has them."""
        named = (self.text_id, self.prompt_text_id, self.input_text_id)
        return [text_id for text_id in named if text_id is not None]

    def as_insert(self) -> tuple[type, Row]:
        """The table and the row to insert for it."""
        return Candidate, {name: getattr(self, name) for name in self.__slots__}


_CANDIDATE = select(candidates).where(candidates.c.id == bindparam("of_id"))
_SET_STATE = (
    update(items)
    .where(
        items.c.id == bindparam("of_item"),
        items.c.attempt == bindparam("of_attempt"),
        *(items.c.state != state for state in FINAL),  # a list would be spelt out anew at each execution
        or_(items.c.state != "waiting", bindparam("by_graph", type_=Boolean())),
    )
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        route=func.coalesce(bindparam("new_route", type_=items.c.route.type), items.c.route),
        finished_at=func.coalesce(bindparam("ended_at", type_=items.c.finished_at.type), items.c.finished_at),
        claimed_by=None,
        claimed_until=None,
    )
)
"""Built once: building a statement costs more than running it."""


def owner() -> str:
    """The name of this process: not that of an earlier one with the same number, nor of one with the same number and
    host name in another container.
    """
    return f"{socket.gethostname()}@{_place()}:{os.getpid()}:{_started(os.getpid())}"


@cache
def _place() -> str:
    """A name for the set of process numbers that this process sees: those of one boot of a machine, or of a
    container on it.

    Where that cannot be found out, the name is of this process alone, so that none of the others is taken for ended.
    """
    if not sys.platform.startswith("linux"):
        return "-"  # no containers share its host name
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return hash_id(boot, os.stat("/proc/self/ns/pid").st_ino)[:12]
    except OSError:
        return new_id()


_at_work: set[str] = set()


@contextmanager
def working() -> Iterator[str]:
    """A fresh name to claim items under, for the time of the context. What is still held under it at its end is free
    at once.
    """
    name = f"{owner()}:{new_id()}"
    _at_work.add(name)
    try:
        yield name
    finally:
        _at_work.discard(name)


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return "0"


def is_gone(claimed_by: str) -> bool:
    """Whether the claiming worker is known to have ended; False where that cannot be seen from here."""
    place, pid, started, _ = claimed_by.rsplit(":", 3)
    if place != f"{socket.gethostname()}@{_place()}":
        return False
    if claimed_by.startswith(f"{owner()}:"):
        return claimed_by not in _at_work
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(int(pid)) != started


def unrested(connection: Connection, run_id: str) -> dict[str, set[str]]:
    """The ids of a run's items that are `queued`, and of those that are `running`."""
    found: dict[str, set[str]] = {"queued": set(), "running": set()}
    query = select(items.c.state, items.c.id).where(items.c.run_id == run_id, items.c.state.in_(found))
    for state, item_id in connection.execute(query):
        found[state].add(item_id)
    return found


def release_dead(connection: Connection, run_id: str) -> int:
    """Queue the items again whose worker is dead or whose claim has run out; returns how many.

    An item of a dead worker goes on in its attempt. A claim that has run out may be that of a worker that only
    sleeps: its items begin a new attempt, see `fence`.
    """
    running = (items.c.run_id == run_id, items.c.state == "running")
    names = list(connection.execute(select(items.c.claimed_by).where(*running).distinct()).scalars())
    dead = [name for name in names if name is not None and is_gone(name)]
    gone = or_(items.c.claimed_by.in_(dead), items.c.claimed_by.is_(None))
    return _put_back(connection, *running, gone) + _put_back(connection, *running, has_lapsed(), fenced=True)


def has_lapsed() -> ColumnElement[bool]:
    """The condition that the claim on an item has run out."""
    return has_run_out(items.c.claimed_until, CLAIM_SECONDS)


def fence(connection: Connection, run_id: str, by: str) -> int:
    """Take the items of a worker that was given up, and keep it from writing should it still live; returns how many.

    Each begins a new attempt, and the claim on the old one is lost: whatever the worker may yet write of it is
    refused, and its thread is another one. The new attempt is replayed from the journal.

    Args:
        by: the worker's `owner`.
    """
    own = items.c.claimed_by.startswith(f"{by}:", autoescape=True)
    return _put_back(
        connection, items.c.run_id == run_id, items.c.state == "running", own, fenced=True, wait=True
    )


def _put_back(
    connection: Connection, *which: ColumnElement[bool], fenced: bool = False, wait: bool = False
) -> int:
    """Queue the chosen items again and return how many; with `fenced` in a new attempt.

    Args:
        wait: also those that are being written just now; otherwise they stay with their worker, which lives.
    """
    chosen = select(items.c.id).where(*which).order_by(items.c.id).with_for_update(skip_locked=not wait)
    item_ids = connection.execute(chosen).scalars()
    statement = (
        update(items)
        .where(items.c.id == bindparam("of_item"))
        .values(state="queued", attempt=items.c.attempt + int(fenced), claimed_by=None, claimed_until=None)
    )
    ids = [{"of_item": item_id} for item_id in item_ids]
    if ids:
        connection.execute(statement, ids)
    return len(ids)


def claim(connection: Connection, run_id: str, limit: int, by: str, *, batch: int = 0) -> list[str]:
    """Claim up to `limit` queued items of a run for the worker `by`, in the order of the seeds; returns their ids.

    Args:
        batch: of so many places, none is taken before all items of the places before have come to rest; 0: any.
    """
    chosen = select(items.c.id).where(items.c.run_id == run_id, items.c.state == "queued")
    if batch:
        unrested = items.c.run_id == run_id, items.c.state.in_(("queued", "running"))
        first = connection.execute(select(func.min(items.c.position)).where(*unrested)).scalar_one() or 0
        chosen = chosen.where(items.c.position < (first // batch + 1) * batch)
    return take(connection, chosen.order_by(items.c.position).limit(limit), by)


def claim_named(connection: Connection, ids: Sequence[str], by: str, *, state: str = "queued") -> list[str]:
    """Claim those of the items with these ids that are still in the given state; returns their ids."""
    return take(connection, select(items.c.id).where(items.c.id.in_(ids), items.c.state == state), by)


def take(connection: Connection, chosen: Select[Any], by: str) -> list[str]:
    """Claim the items that a query of ids chooses, but for those that another process takes just now; returns their
    ids.
    """
    ids = list(connection.execute(chosen.with_for_update(skip_locked=True, of=items)).scalars())
    if ids:
        connection.execute(update(items).where(items.c.id.in_(ids)).values(claimed(by)))
    return ids


def claimed(by: str) -> dict[str, Any]:
    """The columns that change on an item when the worker `by` takes it."""
    until = clock.now() + CLAIM_SECONDS
    return {"state": "running", "claimed_by": by, "claimed_until": until, "starts": items.c.starts + 1}


def keep_claims(connection: Connection, by: str) -> None:
    """Prolong the claims of the worker `by`, and its account in the run's spending, by `CLAIM_SECONDS` from now."""
    connection.execute(
        update(items)
        .where(items.c.claimed_by == by, items.c.state == "running")
        .values(claimed_until=clock.now() + CLAIM_SECONDS)
    )
    from solon.store.tables import spending

    until = clock.now() + CLAIM_SECONDS
    connection.execute(update(spending).where(spending.c.by == by).values(until=until))


_OF_IDS = (
    select(items, seeds.c.external_id, seeds.c.group, texts.c.body)
    .join(seeds, seeds.c.id == items.c.seed_id)
    .join(texts, texts.c.id == seeds.c.text_id)
    .where(items.c.id.in_(bindparam("of_ids", expanding=True)))
)


def load_items(store: Store, ids: Sequence[str]) -> list[ItemRow]:
    """Items with the texts of their seeds, in the order of `ids`."""
    with store.connect() as connection:
        rows = connection.execute(_OF_IDS, {"of_ids": list(ids)}).mappings().all()
        by_id = {row["id"]: _item(row) for row in rows}
    return [by_id[item_id] for item_id in ids if item_id in by_id]


def _item(row: RowMapping) -> ItemRow:
    return ItemRow(
        id=row["id"],
        run_id=row["run_id"],
        seed_id=row["seed_id"],
        recipe=row["recipe"],
        attempt=row["attempt"],
        config_id=row["config_id"],
        constitution_id=row["constitution_id"],
        rubric_id=row["rubric_id"],
        prompts_id=row["prompts_id"],
        graph_version=row["graph_version"],
        consensus_id=row["consensus_id"],
        certificate_id=row["certificate_id"],
        pilot=row["pilot"],
        random_seed=row["random_seed"],
        precedents_until=row["precedents_until"],
        carried=tuple(row["carried"]) if row["carried"] else None,
        position=row["position"],
        number=row["number"],
        examples=None if row["examples"] is None else tuple(ExampleId(**one) for one in row["examples"]),
        fresh=row["starts"] <= 1 and row["attempt"] == 0,
        external_id=row["external_id"],
        group=row["group"],
        content=json.loads(row["body"]) if row["body"] else {},
        claimed_by=row["claimed_by"],
    )


def name_of(external_id: str, number: int) -> str:
    """What an item is called in lists and comparisons: its seed's name, a further one with its number."""
    return f"{external_id} ({number + 1})" if number else external_id


def list_items(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """State, route, reason and name of the seed of every item of a run, in the order of the seeds."""
    query = (
        select(items.c.id, items.c.state, items.c.route, items.c.reason, items.c.pilot, seeds.c.external_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(items.c.run_id == run_id)
        .order_by(items.c.position)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def requeue_parked(connection: Connection, run_id: str, item_id: str | None = None) -> None:
    """Queue parked items of a run again (or one of them): what stood against them may be mended. Those that a person
    must decide on stay parked.
    """
    held = exists().where(holds.c.item_id == items.c.id, holds.c.state == "held")
    parked = [items.c.run_id == run_id, items.c.state == "parked", ~held]
    if item_id is not None:
        parked.append(items.c.id == item_id)
    connection.execute(update(items).where(*parked).values(state="queued"))


def next_attempt(connection: Connection, item_id: str) -> int:
    """Begin a new attempt of an item and return its number; the record of earlier attempts is superseded, never
    deleted.
    """
    now = clock.now()
    connection.execute(
        update(items)
        .where(items.c.id == item_id)
        .values(attempt=items.c.attempt + 1, state="running", finished_at=None)
    )
    connection.execute(
        update(records)
        .where(records.c.item_id == item_id, records.c.superseded_at.is_(None))
        .values(superseded_at=now)
    )
    return int(connection.execute(select(items.c.attempt).where(items.c.id == item_id)).scalar_one())


def set_state(
    connection: Connection,
    item_id: str,
    attempt: int,
    state: str,
    *,
    route: str | None = None,
    reason: str | None = None,
) -> bool:
    """Move an item to another state, unless that attempt is over already; returns whether it moved.

    An item that waits for a person is moved by its graph alone, which names the route: whatever goes wrong around
    it, it goes on waiting.
    """
    if state not in STATES:
        raise InternalError(f"{state!r} is no state of an item")
    values = {
        "of_item": item_id,
        "of_attempt": attempt,
        "new_state": state,
        "new_reason": reason,
        "new_route": route,
        "by_graph": route is not None,
        "ended_at": clock.now() if state in FINAL else None,
    }
    return int(connection.execute(_SET_STATE, values).rowcount) == 1


def keep_rationale(connection: Connection, verdict_id: str, text_id: str) -> None:
    """Add to a verdict the rationale that its judge gave when it was asked later; one that it gave with its vote
    stays."""
    without = (verdicts.c.id == verdict_id) & verdicts.c.rationale_id.is_(None)
    connection.execute(update(verdicts).where(without).values(rationale_id=text_id))


def ending_of(connection: Connection, item_id: str) -> tuple[str, str | None]:
    """The state that an item is in, and why; None where nothing needs saying."""
    row = connection.execute(select(items.c.state, items.c.reason).where(items.c.id == item_id)).one()
    return str(row.state), row.reason


def count_states(connection: Connection, run_id: str) -> dict[str, int]:
    """How many items are in each state; they sum to the items of the run."""
    query = select(items.c.state, func.count()).where(items.c.run_id == run_id).group_by(items.c.state)
    counts = dict.fromkeys(STATES, 0)
    counts.update((state, n) for state, n in connection.execute(query))
    return counts


def count_states_by_run(connection: Connection) -> dict[str, dict[str, int]]:
    """How many items of each run are in each state, by id of the run; states without an item are left out."""
    query = select(items.c.run_id, items.c.state, func.count()).group_by(items.c.run_id, items.c.state)
    counts: dict[str, dict[str, int]] = {}
    for run_id, state, n in connection.execute(query):
        counts.setdefault(run_id, {})[state] = int(n)
    return counts


def parts_of_items(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[ColumnElement[bool]]:
    """Conditions that cut the items that meet `conditions` into parts of at most `PART`, run by run in the order of
    their seeds.

    Sorting all records or votes at once would hold all of them in memory: SQLite sorts where `temp_store` says. The
    index of items leads with run, state and position, so a part is a few seeks once the states are named.
    """
    low, high = func.min(items.c.position), func.max(items.c.position)
    query = select(items.c.run_id, items.c.state, low, high).group_by(items.c.run_id, items.c.state)
    spans: dict[str, list[Any]] = {}
    for row in connection.execute(query.where(*conditions)):
        spans.setdefault(row[0], []).append(row)
    for run_id, found in sorted(spans.items()):
        states = [row[1] for row in found]
        for start in range(min(row[2] for row in found), max(row[3] for row in found) + 1, PART):
            part = items.c.position.between(start, start + PART - 1)
            yield and_(items.c.run_id == run_id, items.c.state.in_(states), part)


def are_many(connection: Connection) -> bool:
    """Whether the store has more than `MANY` items, of which no more are looked at."""
    return connection.execute(select(items.c.id).offset(MANY).limit(1)).first() is not None


def count_replayed(connection: Connection, run_id: str) -> int:
    """How many queued items of a run have been judged before and are routed anew."""
    query = select(func.count()).where(
        items.c.run_id == run_id, items.c.state == "queued", items.c.attempt > 0
    )
    return int(connection.execute(query).scalar_one())


def count_judged_elsewhere(connection: Connection, run_id: str, least: int) -> int:
    """How many items of a run that are still to be judged have seeds that brought verdicts, and at least so many
    responses of which they speak."""
    brought = texts.c.body.like('%"verdicts": [%')  # or what is called so deeper down
    query = select(texts.c.body).select_from(
        items.join(seeds, seeds.c.id == items.c.seed_id).join(texts, texts.c.id == seeds.c.text_id)
    )
    to_do = items.c.state.in_(("queued", "running", "parked")) & (items.c.attempt == 0)
    wanted = query.where(items.c.run_id == run_id, to_do, brought).execution_options(stream_results=True)
    seeds_of = map(json.loads, connection.execute(wanted).scalars())
    return sum("verdicts" in seed and len(seed.get("responses") or ()) >= least for seed in seeds_of)


def count_provisional(connection: Connection, run_id: str) -> int:
    """How many records of a run are provisional, without superseded ones: no expert decided them and no certificate
    in force covers them.
    """
    query = select(func.count()).where(
        records.c.run_id == run_id, records.c.superseded_at.is_(None), records.c.provisional
    )
    return int(connection.execute(query).scalar_one())


def queued_elsewhere(connection: Connection, run_id: str) -> dict[str, int]:
    """Items of other runs that waited for people and may go on, since what they asked was answered elsewhere or taken
    back: how many, by run."""
    query = (
        select(items.c.run_id, func.count())
        .join(runs, runs.c.id == items.c.run_id)
        .where(items.c.state == "queued", runs.c.status.in_(("waiting", "done")), runs.c.id != run_id)
        .group_by(items.c.run_id)
        .order_by(items.c.run_id)
    )
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def load_text(store: Store, text_id: str) -> str:
    """The body of a text; empty where it was erased."""
    with store.connect() as connection:
        return connection.execute(select(texts.c.body).where(texts.c.id == text_id)).scalar_one() or ""


def load_candidate(store: Store, candidate_id: str) -> CandidateRow:
    """A candidate by its id, which must exist."""
    with store.connect() as connection:
        row = connection.execute(_CANDIDATE, {"of_id": candidate_id}).mappings().one()
    return CandidateRow(**row)


def load_candidates(store: Store, ids: Sequence[str]) -> list[tuple[CandidateRow, dict[str, str]]]:
    """Candidates by their ids, each with the bodies of its texts by id; empty where they were erased."""
    loaded = []
    with store.connect() as connection:
        for part in chunks(ids):
            found = connection.execute(select(candidates).where(candidates.c.id.in_(part))).mappings()
            rows = [CandidateRow(**row) for row in found]
            wanted = {text_id for row in rows for text_id in row.text_ids}
            query = select(texts.c.id, texts.c.body).where(texts.c.id.in_(wanted))
            bodies = {text_id: body or "" for text_id, body in connection.execute(query)}
            loaded += [(row, {text_id: bodies[text_id] for text_id in row.text_ids}) for row in rows]
    return loaded


def load_drafts(store: Store, item_id: str, attempt: int, round: int) -> list[CandidateRow]:
    """The usable drafts of a round of an item, in their order."""
    query = (
        select(*(candidates.c[name] for name in CandidateRow.__dataclass_fields__))
        .where(candidates.c.item_id == item_id, candidates.c.attempt == attempt)
        .where(candidates.c.round == round, candidates.c.kind == "draft")
        .order_by(candidates.c.ordinal)
    )
    with store.connect() as connection:
        return [CandidateRow(**row) for row in connection.execute(query).mappings()]


def authors_of(connection: Connection, ids: Sequence[str]) -> set[str]:
    """The models, functions and people that wrote these candidates."""
    query = select(candidates.c.author).where(candidates.c.id.in_(ids)).distinct()
    return set(connection.execute(query).scalars())
