"""Runs: the versions that they pin, their items, what they spent."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, desc, exists, func, select, update

from solon.config.sections import BUILTIN
from solon.errors import UsageError
from solon.formats.seed_rows import SeedResponse, SeedRow, SeedVerdict, as_plain
from solon.law.scopes import domains_of, narrowest
from solon.store.database import clock
from solon.store.database.ids import begins, hash_id, new_id
from solon.store.database.store import Store
from solon.store.database.tombstones import Tombstones
from solon.store.database.writer import Row, insert_rows
from solon.store.runs.certificates import Promise, certificate_in_force, newest_consensus, scope_of
from solon.store.runs.row_keys import RowKeys
from solon.store.runs.run_row import RunRow
from solon.store.tables import calls, items, runs, seeds
from solon.store.tables.law import ConsensusVersion
from solon.store.tables.runs import ConfigVersion, GraphVersion, Item, PromptSet, Run, Seed

if TYPE_CHECKING:
    from solon.store.runs.laws import LawVersion

CHUNK = 500
PREVIEW = "preview"
"""Status of the run, one per recipe, under which the calls of previews stand; it is in no list of runs."""
KNOWN_RUN = "known"
"""Status of the run, one per recipe, that holds questions whose answer is known; it is in no list of runs either."""
UNLISTED = (PREVIEW, KNOWN_RUN)


@dataclass(frozen=True, slots=True)
class Pins:
    """The versions that new items of a run are pinned to.

    Attributes:
        config_id: effective configuration.
        constitution_id: constitution.
        rubric_id: rubric.
        prompts_id: set of prompts.
        graph_version: version of the recipe's graph.
        consensus_id: consensus version.
        certificate_id: certificate in force, None without one.
        scope: id of the scope of consensus and certificate.
        tagged: versions of law that take the place of the two above for seeds of a domain.
    """

    config_id: str
    constitution_id: str
    rubric_id: str
    prompts_id: str
    graph_version: str
    consensus_id: str
    certificate_id: str | None
    scope: str
    tagged: tuple[LawVersion, ...] = ()

    @property
    def law(self) -> tuple[str, ...]:
        """The ids of all law that the run's items may be under."""
        return self.constitution_id, self.rubric_id, *(version.id for version in self.tagged)

    def law_of(self, recipe: str, seed: SeedRow) -> dict[str, str]:
        """The ids of the constitution and the rubric for one seed, as columns of its item."""
        domains = domains_of(seed.specialty, seed.tags)
        law = {"constitution_id": self.constitution_id, "rubric_id": self.rubric_id}
        for kind in ("constitution", "rubric"):
            tagged = narrowest([v for v in self.tagged if v.kind == kind], recipe, domains)
            if tagged is not None:
                law[f"{kind}_id"] = tagged.id
        return law


@dataclass(frozen=True, slots=True)
class Spent:
    """What the requests of a run took.

    Attributes:
        calls: requests sent.
        input_tokens: tokens of prompts, estimated where the provider did not tell.
        output_tokens: tokens of answers, estimated where the provider did not tell.
        cached_tokens: those of `input_tokens` that providers read from their caches.
        unknown_tokens: calls whose tokens the provider did not tell.
        cost: of the priced calls, in the run's currency.
        unpriced: calls without a price.
        builtin: calls that the built-in model answered.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    unknown_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0
    builtin: int = 0


def pin_versions(
    connection: Connection,
    *,
    config: dict[str, Any],
    fingerprint: str,
    law: tuple[str, str],
    tagged: tuple[LawVersion, ...] = (),
    prompts: tuple[str, dict[str, Any]],
    graph: tuple[str, str, dict[str, Any]],
    consensus: dict[str, Any],
    panel: str,
    source: str,
) -> Pins:
    """Store the versions in force, where they are not there yet, and return what new items are pinned to.

    Args:
        config: the effective configuration; fingerprint: its hash, of what shapes the data.
        law: ids of the constitution and the rubric in force.
        tagged: further versions, for seeds of a domain.
        prompts: id and templates of the set of prompts.
        graph: version, recipe and shape of the graph.
        consensus: what is believed before any decision; a learned version of the same scope goes before it.
        panel: fingerprint of the judges; part of a certificate's scope.
        source: fingerprint of the seeds, which a certificate must have been granted for.
    """
    now = clock.now()
    constitution_id, rubric_id = law
    config_id = hash_id(json.dumps(config, sort_keys=True), fingerprint)
    prior_id = hash_id(json.dumps(consensus, sort_keys=True))
    rows: list[tuple[type, Row]] = [
        (
            ConfigVersion,
            {"id": config_id, "payload": {**config, "fingerprint": fingerprint}, "created_at": now},
        ),
        (PromptSet, {"id": prompts[0], "templates": prompts[1], "created_at": now}),
        (GraphVersion, {"id": graph[0], "recipe": graph[1], "shape": graph[2], "created_at": now}),
        (
            ConsensusVersion,
            {
                "id": prior_id,
                "number": 0,
                "kind": "prior",
                "scope": "",
                "payload": consensus,
                "created_at": now,
            },
        ),
    ]
    insert_rows(connection, rows)
    whole = ":".join([constitution_id, *(version.id for version in tagged)])
    scope = scope_of(graph[1], panel, whole, rubric_id, prompts[0])
    certificate = certificate_in_force(connection, scope, source, Promise.wanted(config))
    # A certificate speaks about the scores of its own version: while it is in force, no newer one is adopted.
    consensus_id = (
        certificate.consensus_id if certificate else newest_consensus(connection, scope) or prior_id
    )
    return Pins(
        config_id,
        constitution_id,
        rubric_id,
        prompts[0],
        graph[0],
        consensus_id,
        certificate.id if certificate else None,
        scope,
        tagged,
    )


def take_turn(connection: Connection) -> None:
    """Wait for this process's turn to look for a run to go on with or to begin one. Until the end of the transaction
    nobody else does, so that two commands at once work on one run. SQLite has one writer at a time in any case.
    """
    from solon.store.tables import meta

    connection.execute(select(meta.c.name).where(meta.c.name == "key").with_for_update())


def create_run(
    connection: Connection,
    *,
    recipe: str,
    pins: Pins,
    seeds_name: str,
    seeds_fingerprint: str,
    random_seed: int,
    actor: str,
    reuse_run_id: str | None = None,
) -> str:
    """Add a run in the status `loading`, before its items; returns its id."""
    run_id = new_id()
    row = {
        "id": run_id,
        "recipe": recipe,
        "status": "loading",
        "config_id": pins.config_id,
        "seeds_name": seeds_name,
        "seeds_fingerprint": seeds_fingerprint,
        "scope": pins.scope,
        "random_seed": random_seed,
        "reuse_run_id": reuse_run_id,
        "bad_rows": 0,
        "actor": actor,
        "created_at": clock.now(),
        "active_seconds": 0.0,
    }
    insert_rows(connection, [(Run, row)])
    return run_id


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item that is to be stored.

    Attributes:
        seed: its seed.
        position: place of the item in the order of the seeds, from 0.
        number: which of its seed's items it is, from 0.
        row_key: as of `Item`.
    """

    seed: SeedRow
    position: int
    number: int
    row_key: str


def new_items(
    store: Store, recipe: str, rows: Iterable[tuple[int, SeedRow]], *, expand: int = 1, layer: int = 0
) -> Iterator[NewItem]:
    """Yield the items that seeds become, in the order of the seeds.

    Args:
        rows: place of a seed among the seeds, from 0, and the seed.
        expand: how many items each seed is.
        layer: of so many seeds all first items come before all second ones, and so on; 0: those of a seed follow each
            other.
    """
    keys = RowKeys(store.key)
    for place, seed in rows:
        block, within = divmod(place, layer) if layer else (place, 0)
        for number in range(expand):
            position = (block * expand + number) * (layer or 1) + within
            yield NewItem(seed, position, number, keys.of_seed(recipe, seed))


def storing(store: Store, run: RunRow, pins: Pins, some: Iterable[NewItem]) -> Callable[[Connection], None]:
    """What inserts items with their seeds through the connection of a transaction. Items that are there stay as they
    are, and what was forgotten is not added, also where it is forgotten while its file is read.
    """
    made = []
    for item in some:
        named = seed_identity(store, item.seed)
        rows = seed_and_item(store, run, pins, item.position, item.seed, named, item.row_key, item.number)
        made.append((item.seed, named[0], rows))

    def insert(connection: Connection) -> None:
        marks = Tombstones(store, connection)
        admitted = (rows for seed, seed_id, rows in made if not marks.refuse(seed, seed_id))
        insert_rows(connection, chain.from_iterable(admitted))

    return insert


def add_items(
    store: Store,
    run: RunRow,
    pins: Pins,
    rows: Iterable[tuple[int, SeedRow]],
    *,
    expand: int = 1,
    layer: int = 0,
) -> int:
    """Add seeds and their queued items in chunks, see `storing`; returns how many items were made. Arguments as of
    `new_items`."""
    made, left = 0, new_items(store, run.recipe, rows, expand=expand, layer=layer)
    while chunk := list(islice(left, CHUNK)):
        made += len(chunk)
        insert = storing(store, run, pins, chunk)
        with store.transaction() as connection:
            insert(connection)
    return made


def seed_identity(store: Store, seed: SeedRow) -> tuple[str, str]:
    """The id of a seed in this store, and its content as JSON."""
    content: dict[str, Any] = {
        "prompt": seed.prompt,
        "messages": seed.messages,
        "input": seed.input,
        "reference": seed.reference,
        "responses": seed.responses,
        "metadata": seed.metadata,
    }
    if seed.verdicts is not None:  # only then: a seed without keeps the id that it always had
        content["verdicts"] = seed.verdicts
    body = json.dumps(content, ensure_ascii=False, sort_keys=True, default=_plain)
    return hash_id(store.key, seed.id, body), body


def seed_and_item(
    store: Store,
    run: RunRow,
    pins: Pins,
    position: int,
    seed: SeedRow,
    named: tuple[str, str],
    row_key: str | None = None,
    number: int = 0,
) -> list[tuple[type, Row]]:
    """The rows of a seed, its text and its queued item.

    Args:
        position: place of the item in the order of the seeds, from 0.
        named: the seed's `seed_identity`.
        row_key: as of `Item`.
        number: which of the seed's items it is, from 0.
    """
    seed_id, body = named
    now = clock.now()
    text_id, text_row = store.text_row(body, seed_id)
    facts = ("lang", "specialty", "group", "subject", "source", "licence", "consent")
    seed_row = {
        "id": seed_id,
        "external_id": seed.id,
        "text_id": text_id,
        "tags": list(seed.tags or ()),
        "created_at": now,
        **{name: getattr(seed, name) for name in facts},
    }
    item_id = hash_id(run.id, seed_id, number) if number else hash_id(run.id, seed_id)
    item_row = {
        "id": item_id,
        "run_id": run.id,
        "seed_id": seed_id,
        "row_key": row_key,
        "recipe": run.recipe,
        "position": position,
        "number": number,
        "state": "queued",
        "attempt": 0,
        "starts": 0,
        "config_id": pins.config_id,
        **pins.law_of(run.recipe, seed),
        "prompts_id": pins.prompts_id,
        "graph_version": pins.graph_version,
        "consensus_id": pins.consensus_id,
        "certificate_id": pins.certificate_id,
        "pilot": False,
        "precedents_until": now,
        "random_seed": item_random_seed(run.random_seed, seed.id, number),
        "created_at": now,
    }
    return [text_row, (Seed, seed_row), (Item, item_row)]


def item_random_seed(root: int, seed_name: str, number: int = 0) -> int:
    """The random seed of an item, 48 bits. It depends on the seed's name and the item's number, not on the run, so that
    the same seed draws alike in every run with the same root.
    """
    return int(hash_id(root, seed_name, *([number] if number else []))[:12], 16)


def _plain(value: object) -> object:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, SeedResponse | SeedVerdict):
        return as_plain(value)
    return str(value)


def find_run(connection: Connection, run_id: str | None = None) -> RunRow:
    """The run with this id or with an id that begins so; without one, the newest run.

    Raises:
        UsageError: there is none, or the beginning fits several.
    """
    query = select(runs).order_by(desc(runs.c.created_at))
    if run_id is not None:
        query = query.where(begins(runs.c.id, run_id, "a run"))
    else:
        query = query.where(runs.c.status.not_in(UNLISTED))
    fitting = connection.execute(query.limit(2)).mappings().all()
    if not fitting:
        name = f" {run_id!r}" if run_id is not None else ""
        raise UsageError(
            f"the store has no run{name}", next_step="see `solon status`, or start one with `solon run`"
        )
    if run_id is not None and len(fitting) > 1:
        raise UsageError(f"{run_id!r} fits several runs", next_step="give more of its id")
    return RunRow(**fitting[0])


def find_same_run(
    connection: Connection, recipe: str, seeds_fingerprint: str, fingerprint: str
) -> RunRow | None:
    """The newest run of the same recipe, seeds and data-shaping configuration; None without one."""
    for row in _runs_over(connection, recipe, seeds_fingerprint):
        payload = config_payload(connection, row.config_id)
        if payload.get("fingerprint") == fingerprint:
            return row
    return None


def is_run_of(connection: Connection, seeds_fingerprint: str | None, seed_ids: Collection[str]) -> bool:
    """Whether a run over the seeds with this fingerprint, or any run, holds one of these."""
    query = select(items.c.id).where(items.c.seed_id.in_(seed_ids))
    if seeds_fingerprint is not None:
        query = query.join(runs, items.c.run_id == runs.c.id)
        query = query.where(runs.c.seeds_fingerprint == seeds_fingerprint)
    return connection.execute(query.limit(1)).first() is not None


def latest_over_seeds(connection: Connection, recipe: str, seeds_fingerprint: str) -> RunRow | None:
    """The newest run of the recipe over the same seeds, under whatever configuration, that finished a call or brought
    an item to a review or an end; None without one.
    """
    over_seeds = _runs_over(connection, recipe, seeds_fingerprint)
    return next((row for row in over_seeds if _came_to_anything(connection, row.id)), None)


def _came_to_anything(connection: Connection, run_id: str) -> bool:
    finished_calls = select(calls.c.id).where(calls.c.run_id == run_id, calls.c.attempts > 0)
    finished_calls = finished_calls.where(calls.c.content_key != calls.c.id)  # see `ItemJournal.write_vain`
    rest = select(items.c.id).where(items.c.run_id == run_id)
    rest = rest.where(items.c.state.in_(("waiting", "accepted", "rejected")))
    return any(connection.execute(query.limit(1)).first() for query in (finished_calls, rest))


def _runs_over(connection: Connection, recipe: str, seeds_fingerprint: str) -> Sequence[RunRow]:
    query = (
        select(runs)
        .where(runs.c.recipe == recipe, runs.c.seeds_fingerprint == seeds_fingerprint)
        .where(runs.c.status.not_in(UNLISTED))
        .order_by(desc(runs.c.created_at))
    )
    return [RunRow(**row) for row in connection.execute(query).mappings()]


def all_runs(connection: Connection) -> list[RunRow]:
    """Every run that people see, the newest first."""
    query = select(runs).where(runs.c.status.not_in(UNLISTED)).order_by(desc(runs.c.created_at))
    return [RunRow(**row) for row in connection.execute(query).mappings()]


def recipes_of_runs(connection: Connection) -> list[str]:
    """The names of the recipes of all runs, in the order of the alphabet."""
    return list(connection.execute(select(runs.c.recipe).distinct().order_by(runs.c.recipe)).scalars())


def config_payload(connection: Connection, config_id: str) -> dict[str, Any]:
    """An effective configuration as it is stored, with its `fingerprint`."""
    from solon.store.tables import configs as table

    return dict(connection.execute(select(table.c.payload).where(table.c.id == config_id)).scalar_one())


def told_families(connection: Connection, rows: Iterable[RunRow]) -> dict[str, str]:
    """The families of models that the configurations of these runs state, by `provider:model`."""
    families = {}
    for row in rows:
        for model in config_payload(connection, row.config_id).get("models", {}).values():
            if model.get("family"):
                families[str(model["model"])] = str(model["family"])
    return families


def has_subjects(connection: Connection, run_id: str) -> bool:
    """Does any seed of a run say whom it is about?"""
    of_run = exists().where(items.c.seed_id == seeds.c.id, items.c.run_id == run_id)
    about = select(seeds.c.id).where(seeds.c.subject > "", of_run)
    return connection.execute(about.limit(1)).first() is not None


def set_run(connection: Connection, run_id: str, **values: Any) -> None:
    """Set columns of a run, by name."""
    connection.execute(update(runs).where(runs.c.id == run_id).values(**values))


def add_active_seconds(connection: Connection, run_id: str, seconds: float) -> None:
    """Add to the time that processes have worked on a run."""
    connection.execute(
        update(runs).where(runs.c.id == run_id).values(active_seconds=runs.c.active_seconds + seconds)
    )


def has_answered(connection: Connection, run_id: str, model: str) -> bool:
    """Has a model, as the configuration names it, answered any call of a run?"""
    query = select(calls.c.id).where(
        calls.c.run_id == run_id, calls.c.model == model, calls.c.outcome == "ok"
    )
    return connection.execute(query.limit(1)).first() is not None


def count_calls(connection: Connection, run_id: str) -> int:
    """How many calls the journal of a run has. None is ever taken away or altered in what it cost, so that what was
    `spent` is the same as long as this is.
    """
    return int(connection.execute(select(func.count()).where(calls.c.run_id == run_id)).scalar_one())


def spent(connection: Connection, run_id: str) -> Spent:
    """The totals over the journal of a run: every request once, also those that came to nothing. It counts the run's
    calls, and reads them all where there are more than when `keep_spent` was called last.
    """
    return _read_kept(connection, run_id) or _add_up(connection, run_id)[1]


def keep_spent(store: Store, run_id: str) -> Spent:
    """Keep with a run what is `spent` now, for whoever asks before it makes another call; returns it. It adds up before
    it writes, so that nobody waits for it."""
    with store.connect() as connection:
        if (kept := _read_kept(connection, run_id)) is not None:
            return kept
        counted, totals = _add_up(connection, run_id)
    with store.transaction() as connection:
        set_run(connection, run_id, spent={"calls": counted, "totals": asdict(totals)})
    return totals


def _read_kept(connection: Connection, run_id: str) -> Spent | None:
    """What `keep_spent` kept; None where the run has made further calls since."""
    kept = connection.execute(select(runs.c.spent).where(runs.c.id == run_id)).scalar()
    if not kept or kept["calls"] != count_calls(connection, run_id):
        return None
    return Spent(**kept["totals"])


def _add_up(connection: Connection, run_id: str) -> tuple[int, Spent]:
    """How many calls a run has and what they took, by one query, so that the two belong together whoever else is at
    work."""
    untold = calls.c.input_tokens.is_(None) | calls.c.output_tokens.is_(None)
    ones = (
        calls.c.attempts,
        calls.c.input_tokens,
        calls.c.output_tokens,
        calls.c.cached_tokens,
        case((calls.c.estimated.is_(True) | untold, 1), else_=0),
        calls.c.cost,
        case((calls.c.cost.is_(None), 1), else_=0),
        case((calls.c.model == BUILTIN, 1), else_=0),
    )
    sums = (func.sum(one).filter(calls.c.attempts > 0) for one in ones)
    counted, *found = connection.execute(select(func.count(), *sums).where(calls.c.run_id == run_id)).one()
    row = [one or 0 for one in found]
    return int(counted), Spent(
        calls=int(row[0]),
        input_tokens=int(row[1]),
        output_tokens=int(row[2]),
        cached_tokens=int(row[3]),
        unknown_tokens=int(row[4]),
        cost=float(row[5]),
        unpriced=int(row[6]),
        builtin=int(row[7]),
    )
