"""Releases: frozen exports that can be rebuilt and compared, without network or model.

A release is a folder: the exported files, `rows.jsonl` (every record's ids, figures and the hash of its texts, but no
text), `lock.txt` (the libraries it was made with) and `release.json`. Its hash is sealed in the store's log. Records
keep changing in the store: a later consensus version gives them new figures. So a rebuild takes the figures from
`rows.jsonl` and only the texts from the store.

A release is written beside its place under a hidden name, sealed in the store, and put in its place as the last act.
Whatever ends its making before the seal leaves no release; what was sealed is put in its place by the same command.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.display.text import moment
from solon.errors import SolonError, UsageError
from solon.formats.card import write_card
from solon.formats.containers import explain_os_error
from solon.formats.exports import ExportSummary, export, find_format
from solon.formats.facts import spell_cautions
from solon.formats.folder import write_beside
from solon.formats.records import ExportRow, plain_model
from solon.reading import parse_json, read_objects, read_text
from solon.store.database import audit_log, clock
from solon.store.privacy.forgetting import mark_begun
from solon.store.records import evaluation, release_sets, releasing
from solon.store.records.exporting import export_rows, runs_in_force
from solon.workspace.views import find_wanted

if TYPE_CHECKING:
    from solon.eval.releases.benchmark import Gate
    from solon.store.database.store import Store

FORMAT = 1
MANIFEST, ROWS, LOCK, CARD = "release.json", "rows.jsonl", "lock.txt", "README.md"
VERSIONS = ("consensus", "constitution", "rubric", "prompts")
TEXTS = ("prompt", "messages", "chosen", "rejected", "response", "metadata")
WHICH = ("run_id", "recipe", "constitution", "as_of", "all_runs")
"""Options that say which records; a release that was made before there were all of them lacks some."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SUFFIX = {"csv": ".csv", "csv-spreadsheet": ".csv", "parquet": ".parquet"}


AFTER_FREEZING = "accepted_after_freezing"
"""Why a record is left out of a release with a promise: it was not there when the set was frozen."""


@dataclass(frozen=True, slots=True)
class PromisedRecord:
    """A record that a promise speaks of.

    Attributes:
        by: how it is known: `experts`, `sample`, or `changed` since it was frozen.
        texts_sha256: the hash of its texts.
    """

    by: str
    texts_sha256: str


@dataclass(frozen=True, slots=True)
class Promised:
    """A promise about the records of a release.

    Attributes:
        records: those that it speaks of, by id; no others are written.
        left_out: why others are not, by id.
        section: the promise as the manifest holds it.
    """

    records: Mapping[str, PromisedRecord]
    left_out: Mapping[str, str]
    section: Mapping[str, Any]


class Check(BaseModel):
    """One thing that a verification looked at.

    Attributes:
        name: what was looked at.
        passed: whether it is as it should be.
        told: what was seen, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    passed: bool
    told: str


class Verification(BaseModel):
    """What the verification of a release found.

    Attributes:
        release: its name.
        passed: True only where every check passed.
        checks: in the order in which they were made.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    release: str
    passed: bool
    checks: tuple[Check, ...]


def create_release(
    store: Store,
    name: str,
    folder: Path,
    *,
    format: str = "jsonl",
    run_id: str | None = None,
    recipe: str | None = None,
    constitution: str | None = None,
    as_of: str | float | None = None,
    all_runs: bool = False,
    actor: str = "system",
    created_at: float | None = None,
    gate: Gate | None = None,
    promised: Promised | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Freeze what an export would write now into a folder, and return the manifest.

    Where an earlier call was ended between the seal of this release and its place, what that one sealed is
    put there.

    Args:
        name: of the release.
        folder: where it goes; it must not exist.
        format: name of the export format.
        constitution, as_of: only what was accepted under this version, or stood at the end of that day, as
            for an export.
        run_id, recipe, all_runs: as for an export.
        actor: who makes it, for the store's log.
        created_at: time of making, in seconds since 1970; None: now.
        gate: benchmarks that the release must be clean of. What it leaves out is noted row by row, so that
            the release can be verified without the benchmarks.
        promised: what is promised of its records, and which these are; see `solon.eval.releases.promises`.
        options: of `solon.formats.exports.export`.

    Raises:
        UsageError: the name is taken or no name, the folder exists, there is no such version, or another
            process is making this release.
        SolonError: it was sealed and cannot be put in its place; the same call goes on.
        Contaminated: a record holds a text of a benchmark, and the gate does not drop it.
    """
    scratch = _scratch(name, folder)
    check_new(store, name, folder)
    if promised is None:
        _check_not_pending(store, name)
    which = find_wanted(
        store, run_id=run_id, recipe=recipe, constitution=constitution, as_of=as_of, all_runs=all_runs
    )
    wanted = json.loads(json.dumps({"format": format, **which, **options}))
    with explained(folder), _hold(scratch):
        if _is_sealed(store, name, scratch):
            manifest = read_manifest(scratch)
        else:
            try:
                mark_begun(store, actor, name, scratch, run=which["run_id"], recipe=which["recipe"])
                manifest = _make(store, name, scratch, which, wanted, options, gate, created_at, promised)
                _sync(*scratch.iterdir(), scratch)
                sealed = {"sha256": hash_file(scratch / MANIFEST), "records": manifest["rows"]["records"]}
                releasing.mark_release(store, name, (row["id"] for row in read_rows(scratch)), actor, sealed)
            except BaseException:
                if not _is_sealed(store, name, scratch):
                    shutil.rmtree(scratch, ignore_errors=True)
                raise
        _put(scratch, folder)
    if manifest["options"] != wanted:
        raise UsageError(
            f"{folder} holds the release {name!r} as it was sealed by an earlier command with other options",
            next_step="choose another name for a release with these",
        )
    return manifest


def _make(
    store: Store,
    name: str,
    folder: Path,
    which: Mapping[str, Any],
    said: Mapping[str, Any],
    options: Mapping[str, Any],
    gate: Gate | None,
    created_at: float | None,
    promised: Promised | None,
) -> dict[str, Any]:
    """Write a whole release into a folder that holds nothing, or what an earlier call left unfinished."""
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    frozen = _Frozen(gate, promised, written=None if promised is None else {})
    left_out, summary = _freeze(store, folder, name, said["format"], which, options, frozen)
    form = find_format(said["format"])
    beside = [Path(summary.manifest).name, *write_beside(folder, _beside(summary), form, name)]
    if promised is not None:
        _check_promised(promised, frozen.written or {})
        made = _tell_panels(store, summary.runs)
        card = write_card(_beside(summary), form, name=name, promise=promised.section, made=made)
        (folder / CARD).write_text(card, encoding="utf-8")
    (folder / LOCK).write_text(_lock(), encoding="utf-8")
    manifest = {
        "release": FORMAT,
        "name": name,
        "created_at": moment(created_at or clock.now()),
        "options": said,
        "clean_of": gate.describe() if gate else [],
        "left_out_before": left_out,
        "export": _spell(summary),
        "rows": {
            "file": ROWS,
            "records": frozen.records,
            "stale": frozen.stale,
            "sha256": hash_file(folder / ROWS),
        },
        **_versions(store, folder, frozen),
        "environment": _environment(),
        "lock": {"file": LOCK, "sha256": hash_file(folder / LOCK)},
        "beside": [{"path": file, "sha256": hash_file(folder / file)} for file in beside],
    }
    if promised is not None:
        manifest |= {
            "promise": promised.section,
            "card": {"file": CARD, "sha256": hash_file(folder / CARD)},
        }
    text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def _tell_panels(store: Store, runs: Iterable[str]) -> list[str]:
    """The seats that judged in each run, with their models, a sentence each."""
    with store.connect() as connection:
        votes = {run: evaluation.count_votes(connection, run) for run in runs}
    seats = {
        run: sorted({f"{seat} [{plain_model(judge)}]" for seat, judge, came in found if not came})
        for run, found in votes.items()
    }
    return [f"The panel of run {run}: {'; '.join(named)}." for run, named in seats.items() if named]


@contextmanager
def _hold(scratch: Path) -> Iterator[None]:
    """One process at a time works in the folder; the hold of one that is killed ends with it."""
    scratch.parent.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(mode=0o700, exist_ok=True)
    held = os.open(scratch, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = scratch.exists() and os.path.samestat(scratch.stat(), os.fstat(held))
        except BlockingIOError:
            mine = False
        if not mine:
            raise UsageError(
                "another process is making this release", next_step="wait for it, then repeat the command"
            )
        yield
    finally:
        os.close(held)


def _is_sealed(store: Store, name: str, folder: Path) -> bool:
    """Does the folder hold the release of this name that the store's log has sealed?"""
    with store.connect() as connection:
        entry = releasing.find_release(connection, name)
    return entry is not None and _seals(entry, folder)


def _seals(entry: Mapping[str, Any], folder: Path) -> bool:
    path = folder / MANIFEST
    return path.is_file() and bool(entry["detail"]["sha256"] == hash_file(path))


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Tell errors of the file system about a folder as our own, with what to do."""
    try:
        yield
    except OSError as error:
        raise explain_os_error(folder, error) from None


def _sync(*paths: Path) -> None:
    """Bring files and lists of folders to the disk."""
    for path in paths:
        place = os.open(path, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)


def _put(scratch: Path, folder: Path) -> None:
    try:
        scratch.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        raise SolonError(
            f"the release is sealed, but {folder} cannot be put in its place: {error.strerror or error}",
            next_step="see to that, then repeat the command",
        ) from None


def _freeze(
    store: Store,
    folder: Path,
    name: str,
    format: str,
    which: Mapping[str, Any],
    options: Mapping[str, Any],
    frozen: _Frozen,
) -> tuple[dict[str, int], ExportSummary]:
    """Write the files and, beside them, every row that was read; what had no record, and what was written."""
    runs = runs_in_force(store, **which)
    left_out, rows = export_rows(store, **which, scored=find_format(format).scored)
    file = folder / f"{name}{_SUFFIX.get(format, '.jsonl')}"
    refuse = frozen.ask if frozen.gate or frozen.promised else None
    with (folder / ROWS).open("w", encoding="utf-8", newline="\n") as stream, closing(rows):
        tee = frozen.write(rows, stream)
        summary = export(
            tee,
            format=format,
            path=file,
            left_out=left_out,
            runs=runs,
            refuse=refuse,
            written=frozen.see_written,
            **options,
        )
        for _ in tee:
            pass
    return left_out, summary


def survey_records(
    store: Store,
    *,
    format: str = "jsonl",
    run_id: str | None = None,
    recipe: str | None = None,
    constitution: str | None = None,
    as_of: str | float | None = None,
    all_runs: bool = False,
    gate: Gate | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Return the frozen rows of the records that a release would write into its files now; arguments as of
    `create_release`."""
    which = find_wanted(
        store, run_id=run_id, recipe=recipe, constitution=constitution, as_of=as_of, all_runs=all_runs
    )
    written: dict[str, str] = {}
    frozen = _Frozen(gate, written=written)
    with tempfile.TemporaryDirectory(prefix="solon-survey-") as scratch:
        _freeze(store, Path(scratch), "survey", format, which, options, frozen)
        return [row for row in read_rows(Path(scratch)) if row["id"] in written]


def _check_promised(promised: Promised, written: Mapping[str, str]) -> None:
    """Refuse to write other records than were promised of.

    Raises:
        SolonError: the store changed since they were looked at.
    """
    if written != {name: one.texts_sha256 for name, one in promised.records.items()}:
        raise SolonError(
            "the store changed while the release was written; nothing was released",
            next_step="repeat the command",
        )


def _beside(summary: ExportSummary) -> ExportSummary:
    """The summary with the paths of files as they are beside the card."""
    files = tuple(replace(file, path=Path(file.path).name) for file in summary.files)
    return replace(summary, files=files, manifest=Path(summary.manifest).name)


def verify_release(store: Store, folder: Path) -> Verification:
    """Return whether a release is what was sealed, and whether it can be rebuilt.

    Hashes and the seal are checked; then every file is rebuilt from the store and compared byte by byte.
    """
    manifest = read_manifest(folder)
    seal, rows = _check_manifest(store, folder, manifest)
    checks = [seal, _check_log(store, str(manifest["audit_log"]["head"])), rows]
    beside = [{"path": manifest[one]["file"], **manifest[one]} for one in ("lock", "card") if one in manifest]
    beside += manifest.get("beside", ())
    for file in (*manifest["export"]["files"], *beside):
        path = folder / file["path"]
        same = path.is_file() and hash_file(path) == file["sha256"]
        seen = "as released" if same else "changed" if path.is_file() else "not there"
        checks.append(Check(name=f"file {file['path']}", passed=same, told=seen))
    if rows.passed:
        checks += _rebuild(store, folder, manifest)
    return Verification(
        release=str(manifest["name"]), passed=all(check.passed for check in checks), checks=tuple(checks)
    )


def is_sealed(store: Store, folder: Path) -> bool:
    """Whether manifest and frozen rows of a release are those that were sealed; its other files are not looked at."""
    return all(check.passed for check in _check_manifest(store, folder, read_manifest(folder)))


def _check_manifest(store: Store, folder: Path, manifest: Mapping[str, Any]) -> list[Check]:
    """Compare the manifest with its seal, and the frozen rows with the manifest."""
    with store.connect() as connection:
        entry = releasing.find_release(connection, str(manifest["name"]))
    rows_ok = (folder / ROWS).is_file() and hash_file(folder / ROWS) == manifest["rows"]["sha256"]
    told = "as released" if rows_ok else f"{ROWS} was changed"
    return [_check_seal(entry, folder), Check(name="rows", passed=rows_ok, told=told)]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what `release.json` of a folder holds.

    Raises:
        UsageError: there is none, or it is none of ours.
    """
    if not (folder / MANIFEST).is_file():
        raise UsageError(
            f"{folder} is no release: it has no {MANIFEST}", next_step="name the folder of a release"
        )
    try:
        manifest = parse_json(read_text(folder / MANIFEST, next_step="restore the release"))
    except ValueError as error:
        raise UsageError(f"{folder / MANIFEST}, {error}", next_step="restore the release") from None
    if not isinstance(manifest, dict) or manifest.get("release") != FORMAT:
        raise UsageError(
            f"{folder}: a release of another format", next_step="verify it with the Solon that made it"
        )
    return manifest


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the frozen rows of a release.

    Raises:
        UsageError: they cannot be read.
    """
    for _, row in read_objects(folder / ROWS, next_step="restore the release"):
        yield row


def freeze_row(row: ExportRow) -> dict[str, Any]:
    """Return a record without its texts, and with one hash over them. Where a tie has a text stands None."""
    # The input is the end of the prompt, which is hashed: so releases made before it had a column verify as they did.
    content = {f.name: getattr(row, f.name) for f in fields(ExportRow) if f.name not in (*TEXTS, "input")}
    given = {side: facts | ({"text": None} if "text" in facts else {}) for side, facts in row.given.items()}
    # A record without texts of a tie has the hash that it had before there were any.
    tied = [facts["text"] for facts in row.given.values() if facts.get("text") is not None]
    texts = [*(getattr(row, name) for name in TEXTS), *tied]
    hashed = hashlib.sha256(json.dumps(texts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
    return {**content, "given": given, "texts_sha256": hashed}


@dataclass(slots=True)
class _Frozen:
    """The rows of a release on their way to its file, and what they name. `written`: the hash of the texts of those
    that came into the files, by id; None where nobody asks."""

    gate: Gate | None
    promised: Promised | None = None
    records: int = 0
    stale: int = 0
    versions: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in VERSIONS})
    models: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    refused: str | None = None
    written: dict[str, str] | None = None

    def ask(self, row: ExportRow) -> str | None:
        """Why a record is left out, by the gate or the promise, kept until the row is written; None where it is not."""
        self.refused = self.gate(row) if self.gate else None
        if self.refused is None and self.promised is not None and row.id not in self.promised.records:
            self.refused = self.promised.left_out.get(row.id, AFTER_FREEZING)
        return self.refused

    def see_written(self, row: ExportRow) -> None:
        """Note a record that came into the files, where that is wanted."""
        if self.written is not None:
            self.written[row.id] = ""

    def write(self, rows: Iterator[ExportRow], stream: Any) -> Iterator[ExportRow]:
        for row in rows:
            yield row  # the export asks the gate now, if its own filters kept the row
            kept = json.loads(json.dumps(freeze_row(row)))
            if self.refused is not None:
                kept["refused"], self.refused = self.refused, None
            if self.written is not None and row.id in self.written:
                self.written[row.id] = kept["texts_sha256"]
                if self.promised is not None and row.id in self.promised.records:
                    kept["promise"] = self.promised.records[row.id].by
            # Keys keep their order: some formats write the lineage as it stands.
            stream.write(json.dumps(kept, separators=(",", ":")) + "\n")
            self.stale += row.outcome == "stale"
            self._see(kept["lineage"])

    def _see(self, lineage: Mapping[str, Any]) -> None:
        self.records += 1
        self.models.update(lineage.get("models", ()))
        self.runs.add(lineage["run"])
        for kind, known in self.versions.items():
            if lineage.get(kind):
                known.add(lineage[kind])


def _rebuild(store: Store, folder: Path, manifest: dict[str, Any]) -> list[Check]:
    options = dict(manifest["options"])
    form = str(options.pop("format"))
    for name in WHICH:
        options.pop(name, None)
    options["extra_columns"] = tuple(options.get("extra_columns") or ())
    restored = _Restored()
    with tempfile.TemporaryDirectory(prefix="solon-release-") as scratch:
        file = Path(scratch) / f"{manifest['name']}{_SUFFIX.get(form, '.jsonl')}"
        rows, left_out = (
            restored.read(store, folder, scored=find_format(form).scored),
            manifest["left_out_before"],
        )
        summary = export(rows, format=form, path=file, left_out=left_out, refuse=restored.ask, **options)
        rebuilt = {Path(f.path).name: f.sha256 for f in summary.files}
    released = {f["path"]: f["sha256"] for f in manifest["export"]["files"]}
    same = rebuilt == released
    why = "the same bytes, from the store"
    if not same:
        counts = {"erased": len(restored.frozen), "changed": restored.changed}
        parts = [f"{number} records with {kind} texts" for kind, number in counts.items() if number]
        if manifest["environment"] != _environment():
            parts.append("other versions of Solon or its libraries than at the release")
        why = f"other bytes: {'; '.join(parts) or 'the store and the release disagree'}"
    return [Check(name="rebuilt", passed=same, told=why)]


@dataclass(slots=True)
class _Restored:
    """Rows as they were released: figures as frozen, texts from the store. `frozen`: what it still waits for."""

    frozen: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: int = 0
    refused: str | None = None

    def ask(self, _row: ExportRow) -> str | None:
        """What the gate said at the release."""
        return self.refused

    def read(self, store: Store, folder: Path, *, scored: bool) -> Iterator[ExportRow]:
        for fresh in releasing.rows_by_id(store, self._ids(folder), scored=scored):
            kept = self.frozen.pop(fresh.id)
            digest, self.refused = kept.pop("texts_sha256"), kept.pop("refused", None)
            kept.pop("promise", None)
            for name in ("flags", "flagged_candidates"):
                kept[name] = tuple(kept[name])
            for side, facts in kept.get("given", {}).items():
                if "text" in facts:
                    facts["text"] = fresh.given.get(side, {}).get("text")
            row = replace(fresh, **kept)
            self.changed += freeze_row(row)["texts_sha256"] != digest
            yield row

    def _ids(self, folder: Path) -> Iterator[str]:
        for row in read_rows(folder):
            self.frozen[row["id"]] = row
            yield row["id"]


def _scratch(name: str, folder: Path) -> Path:
    return folder.parent / f".{name}.making"


def _check_not_pending(store: Store, name: str) -> None:
    """Refuse to release without a promise what was frozen for one."""
    with store.connect() as connection:
        pending = release_sets.find_pending(connection, name)
        sealed = releasing.find_release(connection, name)
    if pending is not None and sealed is None:
        raise UsageError(
            f"the set of {name!r} is frozen for a promise of {pending.promise:g}",
            next_step=f"repeat its command, or give it up: `solon release withdraw {name}`",
        )


def check_new(store: Store, name: str, folder: Path) -> None:
    """Refuse a name for a release that is none or taken, and a folder that exists.

    Raises:
        UsageError: saying which.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a release",
            next_step="use letters, digits, dots, dashes and underscores",
        )
    with store.connect() as connection:
        known = releasing.find_release(connection, name)
    if known is not None and (folder.exists() or not _seals(known, _scratch(name, folder))):
        raise UsageError(
            f"there is a release {name!r} already, made {moment(known['at'])}",
            next_step="choose another name",
        )
    if folder.exists():
        raise UsageError(f"{folder} exists already", next_step="choose another folder with --output")


def _check_seal(entry: dict[str, Any] | None, folder: Path) -> Check:
    if entry is None:
        return Check(name="seal", passed=False, told="this store's log knows no release of this name")
    same = _seals(entry, folder)
    seen = (
        f"sealed {moment(entry['at'])}"
        if same
        else f"{MANIFEST} is not what was sealed {moment(entry['at'])}"
    )
    return Check(name="seal", passed=same, told=seen)


def _check_log(store: Store, head: str) -> Check:
    report = audit_log.verify(store, None if head == audit_log.START else head)
    seen = f"{report.entries} entries, intact" if report.intact else report.problem
    return Check(name="log", passed=report.intact, told=seen)


def _versions(store: Store, folder: Path, frozen: _Frozen) -> dict[str, Any]:
    log = audit_log.verify(store)
    with store.connect() as connection:
        named = releasing.certificates_under(connection, (row["id"] for row in read_rows(folder)))
        return {
            "versions": {
                kind: releasing.versions_named(connection, kind, sorted(ids))
                for kind, ids in frozen.versions.items()
            },
            "certificates": releasing.certificates_named(connection, sorted(named)),
            "models": sorted(frozen.models),
            "runs": sorted(frozen.runs),
            "audit_log": {"entries": log.entries, "head": log.head, "intact": log.intact},
        }


def _lock() -> str:
    """Every library of this environment with its version, one a line, as pip reads it."""
    import platform
    from importlib import metadata

    named = {
        str(installed.metadata["Name"]).lower(): installed.version for installed in metadata.distributions()
    }
    lines = [f"{name}=={version}" for name, version in sorted(named.items())]
    return "\n".join([f"# Python {platform.python_version()}", *lines]) + "\n"


def _environment() -> dict[str, str]:
    """Versions of what shapes the bytes."""
    from importlib import metadata

    versions = {}
    for name in ("solon", "pyarrow", "sqlalchemy", "pydantic"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _spell(summary: ExportSummary) -> dict[str, Any]:
    files = [
        {"path": Path(f.path).name, "split": f.split, "rows": f.rows, "bytes": f.bytes, "sha256": f.sha256}
        for f in summary.files
    ]
    return {
        "files": files,
        "read": summary.read,
        "written": summary.written,
        "withheld": summary.withheld,
        "left_out": summary.left_out,
        "runs": summary.runs,
        "cautions": spell_cautions(summary.facts),
    }


def hash_file(path: Path) -> str:
    """SHA-256 of a file, in hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
