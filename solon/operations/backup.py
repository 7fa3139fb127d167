"""Back a store up while runs and servers work on it, and put it back: a folder that holds all that belongs to it.

The folder has the store, its checkpoints, its tombstones, its files of refused rows, and a list of them with their
hashes. They are copied in this order: checkpoints, store, tombstones. So no checkpoint names what the store does not
hold yet, and what is forgotten meanwhile is forgotten again when the backup is put back. Nothing of the environment is
in it: no key of a model, no SOLON_SECRET_KEY.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon import __version__
from solon.errors import NewerStore, StoreError, UsageError
from solon.formats.containers import explain_os_error, new_folder, write_text_at_once
from solon.reading import parse_json, read_text
from solon.store.database import clock
from solon.store.database.engine import checkpoint_location, spell_place, sqlite_path
from solon.store.database.local_actor import local_actor
from solon.store.database.store import SCHEMA, Store, check_folder
from solon.store.database.tombstones import (
    Stone,
    add_lines,
    missing_stones,
    stones_in_file,
    stones_in_store,
    tombstones_file,
    write_stones,
)
from solon.store.upkeep import backups
from solon.store.upkeep.pruning import damage_of, set_aside
from solon.sync import run_sync
from solon.workspace.seeds import name_bad_rows_file

if TYPE_CHECKING:
    from solon.operations.forget import Erasure

MANIFEST = "manifest.json"
STORE, CHECKPOINTS, DUMP, TOMBSTONES = (
    "store.db",
    "store.checkpoints.db",
    "store.dump",
    "store.tombstones.jsonl",
)
_REFUSED = re.compile(r"store\.(\w+)\.bad-rows\.jsonl")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup in its folder.

    Attributes:
        folder: where it lies.
        database: `sqlite` or `postgresql`.
        schema: that of the store in it, e.g. `0054`.
        version: of the Solon that made it.
        made_at: when it was made, ISO 8601, UTC.
        files: name -> SHA-256 of each file, in hex digits.
        bytes: size of all files together.
    """

    folder: str
    database: str
    schema: str
    version: str
    made_at: str
    files: dict[str, str]
    bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was put back.

    Attributes:
        backup: what was put back.
        store: URL of the store, without its password.
        forgotten: what was forgotten after the backup was made and was forgotten again; None where nothing was.
        left: what is still to do, one sentence each.
    """

    backup: Backup
    store: str
    forgotten: Erasure | None
    left: tuple[str, ...]


def back_up(store: Store, folder: str | Path) -> Backup:
    """Write a backup of a store into a new folder, which appears under its name only when it is complete.

    Raises:
        UsageError: there is something in the folder already, or `pg_dump` is wanted and not there.
        StoreError: the store is damaged, or cannot be read.
        SolonError: the folder cannot be written.
    """
    target = Path(folder)
    with new_folder(target, mode=0o700) as scratch:
        made = _fill(store, scratch)
    return Backup(str(target), **made)


def _fill(store: Store, folder: Path) -> dict[str, Any]:
    made_at = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="seconds")
    path = sqlite_path(store.url)
    if path is None:
        backups.dump_postgres(store.url, folder / DUMP)
    else:
        if Path(store.checkpoints).exists():
            backups.copy_file(Path(store.checkpoints), folder / CHECKPOINTS)
        backups.copy_file(path, folder / STORE)
        damage = damage_of(folder / STORE)
        if damage:
            raise StoreError(
                f"the store {path} is damaged ({damage}); no backup was made of it",
                next_step="put an earlier backup back: `solon restore FOLDER --replace`",
            )
    for run in backups.run_ids(store):
        with suppress(FileNotFoundError):
            shutil.copyfile(name_bad_rows_file(store.url, run), folder / f"store.{run}.bad-rows.jsonl")
    write_stones(store, stones_in_file(store).values(), folder / TOMBSTONES)
    files = {file.name: _hash(file) for file in sorted(folder.iterdir())}
    told = {
        "database": "sqlite" if path else "postgresql",
        "schema": SCHEMA,
        "version": __version__,
        "made_at": made_at,
        "files": files,
        "bytes": sum((folder / name).stat().st_size for name in files),
    }
    write_text_at_once(folder / MANIFEST, [json.dumps(told, indent=1) + "\n"])
    return told


def read_backup(folder: str | Path) -> Backup:
    """A backup as its folder tells it, once every file in it is found to be whole.

    Raises:
        UsageError: the folder holds no backup.
        StoreError: a file of it is missing, cut short or changed, or a newer Solon made it.
    """
    place = Path(folder)
    if not (place / MANIFEST).exists():
        raise UsageError(
            f"{place} holds no backup: there is no {MANIFEST}",
            next_step="name a folder that `solon backup` wrote; one without the file was never finished",
        )
    text = read_text(place / MANIFEST, raises=StoreError, next_step=_EARLIER)
    try:
        made = Backup(str(place), **dict(parse_json(text)))
        names = set(dict.keys(made.files))
        if not all(isinstance(one, str) for one in (made.schema, made.version, *made.files.values())):
            raise TypeError
    except ValueError as error:
        raise StoreError(f"{place / MANIFEST} cannot be read: {error}", next_step=_EARLIER) from None
    except TypeError:
        raise StoreError(_odd(place), next_step=_EARLIER) from None
    main = STORE if made.database == "sqlite" else DUMP
    known = {main, CHECKPOINTS, TOMBSTONES}
    odd = sorted(name for name in names if name not in known and not _REFUSED.fullmatch(name))
    if odd or main not in names or not re.fullmatch(r"\d{4}", str(made.schema)):
        raise StoreError(_odd(place), next_step=_EARLIER)
    if made.schema > SCHEMA:
        raise StoreError(
            f"{place} was made by a newer Solon, {made.version}: its store has schema {made.schema}, and this one, "
            f"{__version__}, knows {SCHEMA}",
            next_step="upgrade with `pip install --upgrade solon`; nothing was changed",
        )
    for name, wanted in made.files.items():
        file = place / name
        if not file.is_file() or _hash(file) != wanted:
            what = "is not as it was written: cut short, or changed" if file.is_file() else "is missing"
            raise StoreError(f"{file} {what}", next_step=_EARLIER)
    return made


def _odd(place: Path) -> str:
    return f"{place / MANIFEST} is not as `solon backup` writes it"


_EARLIER = "fetch the backup once more, or take an earlier one; nothing was changed"


def restore(folder: str | Path, url: str, *, replace: bool = False) -> Restored:
    """Put a backup back, and forget again what was forgotten after it was made.

    Args:
        url: where the store shall stand: of the kind of database that it was made from.
        replace: what stands there is given up.

    Raises:
        UsageError: the folder holds no backup; a store stands at the URL and `replace` was not said, or others have it
            open. Nothing was changed.
        StoreError: the backup is damaged, a newer Solon made it or its store has another schema than it says, and
            nothing was changed; or the store cannot be written.
        ConfigError: the URL is no store URL.
        KeyboardInterrupt: it was stopped; with words where the backup stands there already.
    """
    made = read_backup(folder)
    path = sqlite_path(url)
    if (path is not None) != (made.database == "sqlite"):
        raise UsageError(
            f"{folder} holds a store of {made.database}",
            next_step="restore it into a database of that kind, then move it with `solon migrate --to`",
        )
    copy = Path(folder) / (DUMP if path is None else STORE)
    schema = backups.schema_in(copy)
    if schema != made.schema:
        raise StoreError(
            f"the schema of {copy} is {schema!r:.30}, and not {made.schema}, as {MANIFEST} says",
            next_step=_EARLIER,
        )
    if path is not None:
        check_folder(path)
    _give_up(url, replace)
    try:
        if path is None:
            backups.load_postgres(url, Path(folder) / DUMP)
        else:
            _put_files(Path(folder), made, path)
        _put_beside(Path(folder), made, url)
    except OSError as error:
        raise explain_os_error(path or Path.cwd(), error) from None
    with _told_as(_PUT_BACK):
        return _settle(made, url)


_PUT_BACK = "the backup stands at its place already, but not all is done: ask again with --replace"


@contextmanager
def _told_as(standing: str) -> Iterator[None]:
    """A context in which an interrupt says what stands at the store's place."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(standing) from None


def _give_up(url: str, replace: bool) -> None:
    """Refuse where a store stands, unless it may be replaced: then only its tombstones are kept."""
    path = sqlite_path(url)
    damaged = path is not None and damage_of(path)
    if path is not None and not damaged and backups.is_empty(path):
        return
    if not damaged and _schema_at(url) is None:
        if path is None:
            return
        raise UsageError(f"{path} is no store of Solon", next_step="name another file with --store")
    if not replace:
        raise UsageError(
            f"a store stands at {spell_place(url)}",
            next_step="name another place with --store; or add --replace, and what stands there is gone",
        )
    if path is not None and damaged:
        set_aside(path)
        return
    stones: dict[str, Stone] = {}
    with suppress(StoreError), Store(url, restoring=True) as store:  # of an older schema: its file has them
        stones = stones_in_store(store)
    if stones:
        write_stones(store, stones.values())


def _schema_at(url: str) -> str | None:
    """The schema of the store at a URL; where a newer Solon made it, the refusal says how to go back to this one."""
    try:
        return backups.schema_at(url)
    except NewerStore as error:
        path = sqlite_path(url)
        moved = (
            f"move {path} away, and {path}-wal and {path}-shm with it where they lie there" if path else ""
        )
        elsewhere = f"name {'another place' if path else 'an empty database'} with --store"
        error.next_step = (
            f"to go back to this Solon with the backup: {f'{moved}, or {elsewhere}' if moved else elsewhere}; "
            "to keep what stands there: upgrade with `pip install --upgrade solon`; nothing was changed"
        )
        raise


def _put_files(folder: Path, made: Backup, path: Path) -> None:
    """Checkpoints first, as they were copied: killed in between, the older of the two are never the store's rows."""
    checkpoints = Path(checkpoint_location(f"sqlite:///{path}"))
    if damage_of(checkpoints):
        set_aside(checkpoints)
    with ExitStack() as held:
        store = held.enter_context(backups.only_ours(path))
        threads = held.enter_context(backups.only_ours(checkpoints))
        backups.put_file(folder / CHECKPOINTS if CHECKPOINTS in made.files else None, threads, checkpoints)
        with _told_as(_PUT_BACK):  # SQLite ends what it copies before an interrupt is raised
            backups.put_file(folder / STORE, store, path)


def _put_beside(folder: Path, made: Backup, url: str) -> None:
    """The files of refused rows; and tombstones, added to those that lie there."""
    for name in made.files:
        refused = _REFUSED.fullmatch(name)
        if refused:
            shutil.copyfile(folder / name, name_bad_rows_file(url, refused[1]))
    if TOMBSTONES in made.files:
        add_lines(tombstones_file(url), (folder / TOMBSTONES).read_text(encoding="utf-8").splitlines())


def _settle(made: Backup, url: str) -> Restored:
    """What is to be done before anybody works on a store that was put back."""
    from solon.operations import forget as forgetting

    if made.schema != SCHEMA:
        left = ("its schema is older: run `solon doctor --migrate`",)
        return Restored(made, spell_place(url), None, left)
    with Store(url, restoring=True) as store:
        with store.transaction() as connection:
            backups.free_claims(connection)
        run_sync(forgetting.drop_threads(store, backups.forgotten_items(store)))
        if not missing_stones(store):
            return Restored(made, spell_place(url), None, ())
        again = run_sync(forgetting.again(store, actor=local_actor()))
        return Restored(made, spell_place(url), again, again.left)


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
