"""Forget a seed: find what came of it, and take it out in one transaction that leaves only keyed hashes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, func, literal, or_, select

from solon.errors import StoreError, UsageError
from solon.observers import warn
from solon.store.database import audit_log
from solon.store.database.chunks import chunks
from solon.store.database.events import event
from solon.store.database.store import Store
from solon.store.database.tombstones import Stone, Tombstones, add_stones, make_stone, words_of, write_stones
from solon.store.database.writer import insert_rows
from solon.store.privacy import erasing
from solon.store.privacy.erasing import table
from solon.store.privacy.passages import Passages, strings_of
from solon.store.records import releasing
from solon.store.runs.items import FORGOTTEN

_READ_ONLY = re.compile(r"read-?only|permission denied|unable to open database file", re.IGNORECASE)
"""What databases say of a store that may be read and not written: of the last, its folder may not."""
LEAST = 4
"""Least number of characters of a phrase that is searched for: a shorter one is in everything."""
COUNTED = (
    ("candidates", "candidates"),
    ("critiques", "critiques"),
    ("verdicts", "verdicts"),
    ("resolutions", "resolutions"),
    ("reviews", "reviews"),
    ("decisions", "decisions"),
    ("precedents", "precedents"),
    ("records", "records"),
    ("fingerprints", "fingerprints"),
    ("holds", "privacy_holds"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks to be forgotten; exactly one of these is given.

    Attributes:
        seed: id of a seed in its file, or the beginning of the id of a seed, item, record or review.
        group: all seeds of this group.
        subject: all seeds of this person.
        text_hash: SHA-256 of a text, in hexadecimal digits.
        match: a phrase that is looked for in every text.
    """

    seed: str | None = None
    group: str | None = None
    subject: str | None = None
    text_hash: str | None = None
    match: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """What is reached from some seeds: everything that came of them.

    Attributes:
        seed_ids: the seeds.
        threads: (item, attempt) whose checkpoints go.
        counts: rows by table, with `texts` that hold something and `calls`.
        shown: calls of other items that were shown a decision on these, or one of them as an example; of the texts that
            go with each, the ids.
        releases: name of a release -> records in it.
        exports: files that were written since, as the log has them.
        amendments: those that cite decisions on these: their words are law or a draft of it, and a lead must look.
        similar: other seeds that share a passage.
        seed_files: names of the files or sets of seeds that the runs over them read.
        words: what the seeds and their people wrote, for looking into files; never stored.
        tables: of PostgreSQL, which hold rows of them that are dead now.
    """

    seed_ids: tuple[str, ...]
    threads: tuple[tuple[str, int], ...]
    counts: dict[str, int]
    shown: tuple[dict[str, Any], ...]
    releases: dict[str, int]
    exports: tuple[dict[str, Any], ...]
    amendments: tuple[dict[str, Any], ...]
    similar: tuple[str, ...]
    seed_files: tuple[str, ...]
    words: tuple[str, ...] = field(repr=False)
    tables: tuple[str, ...] = ()


def find_seeds(store: Store, connection: Connection, wanted: Wanted) -> list[str]:
    """Ids of the seeds that are meant; already forgotten ones are not among them.

    Raises:
        UsageError: nothing, or not exactly one thing, is named.
    """
    named = [getattr(wanted, name) for name in Wanted.__slots__ if getattr(wanted, name) is not None]
    if len(named) != 1 or not str(named[0]).strip():
        raise UsageError(
            "name what to forget: one SEED, --group, --subject, --text-hash or --match",
            next_step="see `solon forget --help`",
        )
    seeds = table("seeds")
    if wanted.seed is not None:
        found = _named_seeds(connection, wanted.seed)
    elif wanted.group is not None or wanted.subject is not None:
        column = seeds.c.group if wanted.group is not None else seeds.c.subject
        query = select(seeds.c.id).where(column == (wanted.group or wanted.subject))
        found = list(connection.execute(query).scalars())
    else:
        found = _searched_seeds(connection, wanted)
    return sorted(set(found) & _standing(connection, found))


def _standing(connection: Connection, seed_ids: Collection[str]) -> set[str]:
    seeds, texts = table("seeds"), table("texts")
    found: set[str] = set()
    for part in chunks(seed_ids):
        query = select(seeds.c.id).join(texts, texts.c.id == seeds.c.text_id).where(seeds.c.id.in_(part))
        found.update(connection.execute(query.where(texts.c.erased_at.is_(None))).scalars())
    return found


def _seed_files(connection: Connection, ids: Sequence[str]) -> tuple[str, ...]:
    runs, items = table("runs"), table("items")
    query = select(runs.c.seeds_name).distinct().join(items, items.c.run_id == runs.c.id)
    read = (connection.execute(query.where(items.c.id.in_(part))).scalars() for part in chunks(ids))
    return tuple(sorted({name for found in read for name in found if name}))


def _named_seeds(connection: Connection, name: str) -> list[str]:
    """By the id of the file, else by the beginning of the id of a seed, item, record or review."""
    seeds, items = table("seeds"), table("items")
    found = list(connection.execute(select(seeds.c.id).where(seeds.c.external_id == name)).scalars())
    if found or len(name) < 6:
        return found
    begins = seeds.c.id.startswith(name, autoescape=True)
    found = list(connection.execute(select(seeds.c.id).where(begins)).scalars())
    found += connection.execute(
        select(items.c.seed_id).where(items.c.id.startswith(name, autoescape=True))
    ).scalars()
    for other in ("records", "reviews"):
        rows = table(other)
        query = select(items.c.seed_id).join(rows, rows.c.item_id == items.c.id)
        found += connection.execute(query.where(rows.c.id.startswith(name, autoescape=True))).scalars()
    if len(set(found)) > 1:
        raise UsageError(f"{name!r} fits several seeds", next_step="give more of the id")
    return found


def _searched_seeds(connection: Connection, wanted: Wanted) -> list[str]:
    texts, seeds = table("texts"), table("seeds")
    phrase = " ".join((wanted.match or "").casefold().split())
    digest = (wanted.text_hash or "").strip().lower()
    if wanted.match is not None and len(phrase) < LEAST:
        raise UsageError(
            f"a phrase of {len(phrase)} characters is in everything", next_step="give a longer one"
        )

    def is_meant(body: str) -> bool:
        if digest:
            return hashlib.sha256(body.encode("utf-8", "replace")).hexdigest() == digest
        return phrase in " ".join(body.casefold().split())

    found: set[str] = set()
    query = select(texts.c.id, texts.c.seed_id, texts.c.body).where(
        texts.c.body.is_not(None), texts.c.seed_id.is_not(None)
    )
    for row in connection.execute(query.execution_options(stream_results=True)):
        if row.seed_id not in found and (row.id == digest or any(map(is_meant, strings_of(row.body)))):
            found.add(row.seed_id)
    if phrase:
        names = [seeds.c.external_id, seeds.c.group, seeds.c.subject, seeds.c.source, seeds.c.consent]
        for row in connection.execute(select(seeds.c.id, *names)):
            if any(phrase in str(value or "").casefold() for value in row[1:]):
                found.add(row.id)
    return list(found)


def reach_of(connection: Connection, seed_ids: Sequence[str]) -> Reach:
    """Everything that these seeds led to, counted."""
    calls, texts, seeds = table("calls"), table("texts"), table("seeds")
    threads = _threads_of(connection, seed_ids)
    counts = {"seeds": len(seed_ids), "texts": 0, "calls": 0}
    words: list[str] = []
    for part in chunks(seed_ids):
        held = texts.c.seed_id.in_(part) & texts.c.body.is_not(None)
        counts["texts"] += connection.execute(select(func.count()).where(held)).scalar_one()
        counts["calls"] += connection.execute(
            select(func.count()).where(calls.c.seed_id.in_(part))
        ).scalar_one()
        rows = connection.execute(
            select(texts.c.body, seeds.c.external_id)
            .join(seeds, seeds.c.text_id == texts.c.id)
            .where(seeds.c.id.in_(part))
        )
        for body, name in rows.all():
            words += [name, *(text for text in list(strings_of(body or ""))[1:])]
    ids = [item for item, _ in threads]
    counts["items"] = len(ids)
    for key, name in COUNTED:
        rows_of = table(name)
        counts[key] = sum(
            connection.execute(select(func.count()).where(rows_of.c.item_id.in_(part))).scalar_one()
            for part in chunks(ids)
        )
    decided, precedents, records = (
        _of_items(connection, n, ids) for n in ("decisions", "precedents", "records")
    )
    words += _written(connection, ids)
    shown = erasing.shown_in(connection, [*precedents, *decided], seed_ids)
    shown += erasing.drawn_in(connection, seed_ids)
    kept = tuple(word for word in dict.fromkeys(words) if word.strip())
    return Reach(
        tuple(seed_ids),
        threads,
        counts,
        tuple(shown),
        _releases(connection, records),
        _exports(connection, ids),
        _amendments(connection, decided, Passages(kept)),
        _similar(connection, seed_ids, Passages(kept)),
        _seed_files(connection, ids),
        kept,
    )


def _threads_of(connection: Connection, seed_ids: Sequence[str]) -> tuple[tuple[str, int], ...]:
    items = table("items")
    found: list[tuple[str, int]] = []
    for part in chunks(seed_ids):
        query = select(items.c.id, items.c.attempt).where(items.c.seed_id.in_(part)).order_by(items.c.id)
        found += [(row.id, int(row.attempt)) for row in connection.execute(query)]
    return tuple(found)


def _of_items(connection: Connection, name: str, item_ids: Collection[str]) -> list[str]:
    rows = table(name)
    found: list[str] = []
    for part in chunks(item_ids):
        found += connection.execute(select(rows.c.id).where(rows.c.item_id.in_(part))).scalars()
    return found


def _written(connection: Connection, item_ids: Collection[str]) -> list[str]:
    """What people wrote about these items."""
    decisions, texts = table("decisions"), table("texts")
    found: list[str] = []
    for part in chunks(item_ids):
        ids = decisions.c.edit_id, decisions.c.guidance_id, decisions.c.rationale_id
        query = select(texts.c.body).join(decisions, or_(*(texts.c.id == name for name in ids)))
        query = query.where(decisions.c.item_id.in_(part), texts.c.body.is_not(None))
        found += connection.execute(query).scalars()
    return found


def _releases(connection: Connection, record_ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for names in releasing.releases_of(connection, record_ids).values():
        for name in names:
            found[name] = found.get(name, 0) + 1
    return found


def _exports(connection: Connection, item_ids: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """Exports that were written after a record (or review) of these items was made, of its run or of all; and what is
    left of releases that were never finished."""
    events = table("events")
    made: list[Any] = []
    for of, name in (("records", "records"), ("reviews", "reviews")):
        rows = table(name)
        for part in chunks(item_ids):
            query = select(rows.c.run_id, rows.c.recipe, rows.c.created_at, literal(of).label("of"))
            made += connection.execute(query.where(rows.c.item_id.in_(part))).all()
    found = []
    written = events.c.kind.in_((EXPORTED, BEGUN))
    for row in connection.execute(select(events).where(written).order_by(events.c.at)):
        said = row.detail or {}
        if row.kind == BEGUN and not any(Path(folder).exists() for folder in said["files"]):
            continue  # it was finished, or cleaned up
        if any(
            said.get("of") == record.of
            and said.get("run") in (None, record.run_id)
            and said.get("recipe") in (None, record.recipe)
            and record.created_at <= row.at
            for record in made
        ):
            found.append({"files": said.get("files", []), "at": row.at})
    return tuple(found)


EXPORTED, BEGUN = "exported", "release_begun"


def mark_begun(
    store: Store, actor: str, name: str, folder: Path, *, run: str | None, recipe: str | None
) -> None:
    """Note where a release is written, so that forgetting can name the folder where its making was killed."""
    detail = {"files": [str(folder.resolve())], "run": run, "recipe": recipe, "of": "records"}
    with store.transaction() as connection:
        insert_rows(connection, [event(actor, BEGUN, name, detail)])


def mark_export(
    store: Store,
    actor: str,
    files: Sequence[str],
    *,
    run: str | None,
    recipe: str | None = None,
    of: Literal["records", "reviews"] = "records",
) -> None:
    """Note where records, or reviews for another tool, were written to, so that forgetting can name the files; and in
    the audit log that they were read. A read-only store keeps no note; where it cannot be written for another cause,
    the user is warned."""
    names = [str(Path(name).resolve()) for name in files]
    detail = {"files": names, "run": run, "recipe": recipe, "of": of}
    try:
        with store.transaction() as connection:
            insert_rows(connection, [event(actor, EXPORTED, run or "store", detail)])
            detail_of_log = {"of": of, "run": run, "recipe": recipe, "files": len(names)}
            audit_log.append(store, connection, actor, "export.written", run or "store", detail_of_log)
    except StoreError as error:
        said = getattr(error.__cause__, "orig", None) or error.__cause__  # without the store's place
        if not store.read_only and not _READ_ONLY.search(str(said)):
            warn(
                f"{', '.join(names)}: written, but the store could not note it, so `solon forget` will not name it "
                f"({error.cause}); export it again once that is mended"
            )


def _amendments(
    connection: Connection, decision_ids: Collection[str], passages: Passages
) -> tuple[dict[str, Any], ...]:
    amendments, known = table("amendments"), set(decision_ids)
    found = []
    for row in connection.execute(select(amendments)).mappings():
        cites = bool(known & {*(row["cites"] or ()), *(row["overrules"] or ())})
        repeats = any(
            passages.shared_by(text)
            for text in (row["reason"] or "", json.dumps(row["document"], ensure_ascii=False))
        )
        if cites or repeats:
            found.append({"id": row["id"], "state": row["state"], "cites": cites, "repeats": repeats})
    return tuple(found)


def _similar(connection: Connection, seed_ids: Collection[str], passages: Passages) -> tuple[str, ...]:
    """Other seeds whose own words repeat a passage of these: perhaps the same person under another id."""
    seeds, texts, own = table("seeds"), table("texts"), set(seed_ids)
    query = select(seeds.c.id, texts.c.body).join(texts, texts.c.id == seeds.c.text_id)
    found = []
    for row in connection.execute(
        query.where(texts.c.body.is_not(None)).execution_options(stream_results=True)
    ):
        if row.id not in own and any(map(passages.shared_by, list(strings_of(row.body))[1:])):
            found.append(str(row.id))
    return tuple(sorted(found))


def stones_for(
    store: Store, connection: Connection, wanted: Wanted, seed_ids: Sequence[str], act: str
) -> list[Stone]:
    """The tombstones against what may not come back: each seed and its words, and what was named.

    Args:
        act: id of this act of forgetting.
    """
    seeds, texts = table("seeds"), table("texts")
    stones: dict[str, Stone] = {}

    def add(kind: str, value: str | None) -> None:
        if value:
            stone = make_stone(store.key, kind, value, act)
            stones.setdefault(stone.id, stone)

    add("group", wanted.group)
    add("subject", wanted.subject)
    for part in chunks(seed_ids):
        query = select(seeds.c.id, seeds.c.external_id, texts.c.body)
        query = query.join(texts, texts.c.id == seeds.c.text_id).where(seeds.c.id.in_(part))
        for row in connection.execute(query):
            add("seed", row.id)
            add("text", words_of(json.loads(row.body)) if row.body else None)
            if wanted.seed is not None:
                add("id", row.external_id)
    return list(stones.values())


def marked_seeds(store: Store, connection: Connection, marks: Tombstones) -> list[str]:
    """Ids of seeds that stand in the store although a tombstone stands against them."""
    seeds, texts = table("seeds"), table("texts")
    query = select(seeds, texts.c.body).join(texts, texts.c.id == seeds.c.text_id)
    query = query.where(texts.c.erased_at.is_(None))
    marked = []
    for row in connection.execute(query.execution_options(stream_results=True)).mappings():
        if marks.marks(row["id"], dict(row), json.loads(row["body"]) if row["body"] else {}):
            marked.append(str(row["id"]))
    return sorted(marked)


def forget(
    store: Store,
    connection: Connection,
    reach: Reach,
    stones: Sequence[Stone],
    act: str,
    *,
    actor: str,
    by: str,
) -> Reach:
    """Erase what was reached, in the caller's transaction. Checkpoints and free pages are cleared after it.

    Returns:
        The reach with the items that there are by now, and the tables that hold dead rows.

    Raises:
        UsageError: a run is at work.
    """
    erasing.lock_out_imports(connection)
    erasing.refuse_while_working(connection)
    write_stones(store, stones)
    add_stones(connection, stones)
    reach = replace(reach, threads=_threads_of(connection, reach.seed_ids))
    items = [item for item, _ in reach.threads]
    erased = erasing.erase_texts(connection, seed_ids=reach.seed_ids)
    erased += erasing.scrub_calls(connection, reach.shown)
    erasing.scrub_items(connection, items)
    erasing.close_items(connection, items)
    erasing.close_disputes(connection, items)
    erasing.scrub_jobs(connection, Passages(reach.words))
    erasing.scrub_seeds(store, connection, reach.seed_ids)
    detail = {
        "by": by,
        "seeds": list(reach.seed_ids),
        "texts": erased,
        "tombstones": len(stones),
        "releases": sorted(reach.releases),
    }
    insert_rows(connection, [event(actor, FORGOTTEN, act, {"seeds": len(reach.seed_ids)})])
    audit_log.append(store, connection, actor, "privacy.forgotten", act, detail)
    return replace(reach, tables=erasing.changed_tables(connection))
