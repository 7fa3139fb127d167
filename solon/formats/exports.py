"""Writes records in a named format: streamed, counted, hashed, replaced in one step.

Imports `errors` and `formats` only. `FORMATS` is the one place where a format is registered.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from solon.errors import UsageError
from solon.formats import (
    alpaca,
    critiques,
    demonstrations,
    lm_eval,
    scored,
    sharegpt,
    span_formats,
    tables,
    trainers,
    trl,
)
from solon.formats.containers import PendingFile, check_target, explain_os_error, write_text_at_once
from solon.formats.contract import Format, LeftOut, Remark, finite
from solon.formats.facts import NOT_STATED, Facts
from solon.formats.records import ExportRow
from solon.formats.splits import Split, split_of

__all__ = [
    "EXTRA_COLUMNS",
    "FORMATS",
    "ExportFile",
    "ExportSummary",
    "export",
    "find_format",
    "first_rows",
    "split_of",
]

FORMATS: Mapping[str, Format] = {
    form.name: form
    for family in (
        tables.FORMATS,
        trl.FORMATS,
        sharegpt.FORMATS,
        alpaca.FORMATS,
        trainers.FORMATS,
        lm_eval.FORMATS,
        scored.FORMATS,
        critiques.FORMATS,
        demonstrations.FORMATS,
        span_formats.FORMATS,
    )
    for form in family
}
EXTRA_COLUMNS = (
    "id", "seed_id", "group", "recipe", "lang", "label", "margin", "confidence", "soft_label", "route",
    "provisional", "weight", "annotator", "source", "licence", "consent", "score_chosen", "score_rejected",
    "score_margin", "question",
)  # fmt: skip
SUFFIX = {"csv": ".csv", "parquet": ".parquet", "text": ".conll"}
"""Container -> how the name of its file must end."""
ENDINGS = {**SUFFIX, "json": ".json"}
"""Container -> how the name of its file ends where nobody named it; of others `.jsonl`."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of an export.

    Attributes:
        path: where it lies.
        split: `train` or `test`; None where the export was not split.
        rows: number of rows in it.
        bytes: its size.
        sha256: of its bytes, in hex digits.
    """

    path: str
    split: Split | None
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export wrote, and what it left out.

    Attributes:
        format: name of the format.
        files: the files, `train` first where the export was split.
        manifest: path of the manifest.
        read: records that came in.
        written: rows that were written.
        withheld: records written with a text nulled because an expert flagged it.
        left_out: what was not written, counted by reason.
        runs: how many records of each run in force were written, by id of the run.
        facts: what the written records are like, see `solon.formats.facts`.
    """

    format: str
    files: tuple[ExportFile, ...]
    manifest: str
    read: int
    written: int
    withheld: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, or of the first one (train) of a split export."""
        return self.files[0].sha256

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        return asdict(self)


def find_format(name: str) -> Format:
    """Return the format of that name.

    Raises:
        UsageError: there is none; it names the nearest one and lists all.
    """
    form = FORMATS.get(name)
    if form is None:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            f"there is no export format {name!r}", next_step=f"{guess}known: {', '.join(sorted(FORMATS))}"
        )
    return form


def export(
    rows: Iterable[ExportRow],
    *,
    format: str,
    path: str | Path,
    extra_columns: tuple[str, ...] = (),
    certified_only: bool = False,
    min_margin: float | None = None,
    test_fraction: float = 0.0,
    split_key: str = "solon",
    left_out: Mapping[str, int] | None = None,
    runs: Iterable[str] = (),
    refuse: Callable[[ExportRow], str | None] | None = None,
    written: Callable[[ExportRow], None] | None = None,
    about: Mapping[str, Any] | None = None,
    choose: Callable[[list[ExportRow]], list[int]] | None = None,
) -> ExportSummary:
    """Write `rows` to `path` with `<path>.manifest.json` beside it, and return what was written and left out.

    The same rows in the same order give the same bytes. Nothing is replaced before everything is written.

    Args:
        format: name of the format, see `FORMATS`.
        extra_columns: of EXTRA_COLUMNS, added to every row that has none of the name. Beware: TRL's and
            OpenRLHF's reward trainers use a column named `margin` in their loss.
        certified_only: leave out provisional records.
        min_margin: leave out records with a smaller margin, and those that have none.
        test_fraction: if above 0, write `name.train.ext` and `name.test.ext`, split by seed group.
        split_key: names the split; another key deals the groups anew.
        left_out: what the caller left out before, by reason; it joins the counts.
        runs: ids of the runs in force, which are named also where no record of theirs is written.
        refuse: a filter of the caller's: the reason to leave a record out, or None. What it raises ends the
            export, and what was there before is unchanged.
        written: is told each record of which anything was written, as soon as it was.
        about: further facts for the manifest (versions, snapshot, ids); JSON values.
        choose: is given all records that would be written, which it holds in memory, and says the places of those to
            write, in their order; the others are left out as `not_chosen`.

    Raises:
        UsageError: unknown format or column, or a path that cannot be a file.
        SolonError: the file could not be written; what was there before is unchanged.
    """
    form, target = find_format(format), Path(path)
    options = _Options(tuple(extra_columns), certified_only, min_margin, test_fraction, split_key)
    _check_options(form, target, options)
    job = _Job(form, options, Counter(left_out or {}), Counter(dict.fromkeys(runs, 0)), refuse, written)
    try:
        job.open(target)
        for row in rows if choose is None else job.choose(rows, choose):
            job.take(row)
        files = job.publish()
    except OSError as error:
        raise explain_os_error(target, error) from None
    finally:
        job.discard()
    summary = ExportSummary(
        format=form.name,
        files=files,
        manifest=str(target.with_name(target.name + ".manifest.json")),
        read=job.read,
        written=sum(file.rows for file in files),
        withheld=job.withheld,
        left_out=dict(sorted(job.left_out.items())),
        runs=dict(sorted(job.runs.items())),
        facts=job.facts.as_dict(),
    )
    _write_manifest(summary, form, options, dict(about or {}))
    return summary


def first_rows(
    rows: Iterable[ExportRow],
    *,
    format: str,
    certified_only: bool = False,
    wanted: int = 5,
    at_most: int = 1000,
) -> list[dict[str, Any]]:
    """Return the first rows that an export of these records would write, as they stand in its file.

    Args:
        format: name of the format, see `FORMATS`.
        certified_only: leave out provisional records.
        wanted: how many rows.
        at_most: after so many records no further one is read.
    """
    form, found = find_format(format), []
    for row in islice(rows, at_most):
        if certified_only and row.provisional:
            continue
        found += [piece for piece in form.pieces(row) if isinstance(piece, dict)]
        if len(found) >= wanted:
            break
    return found[:wanted]


@dataclass(frozen=True, slots=True)
class _Options:
    extra_columns: tuple[str, ...]
    certified_only: bool
    min_margin: float | None
    test_fraction: float
    split_key: str


@dataclass(slots=True)
class _Job:
    """The open files and the counts of one export."""

    form: Format
    options: _Options
    left_out: Counter[str]
    runs: Counter[str]
    refuse: Callable[[ExportRow], str | None] | None = None
    written: Callable[[ExportRow], None] | None = None
    facts: Facts = field(default_factory=Facts)
    read: int = 0
    withheld: int = 0
    files: dict[Split | None, PendingFile] = field(default_factory=dict)

    def open(self, target: Path) -> None:
        splits: tuple[Split | None, ...] = ("train", "test") if self.options.test_fraction > 0 else (None,)
        for split in splits:
            name = f"{target.stem}.{split}{target.suffix}" if split else target.name
            extra = self.options.extra_columns
            self.files[split] = PendingFile(target.with_name(name), self.form.container, extra)

    def choose(
        self, rows: Iterable[ExportRow], choose: Callable[[list[ExportRow]], list[int]]
    ) -> list[ExportRow]:
        """The records that are chosen of those that would be written; all others are counted."""
        able: list[ExportRow] = []
        for row in rows:
            if self._refuse(row) or not any(isinstance(piece, dict) for piece in self.form.pieces(row)):
                self.take(row)
            else:
                able.append(row)
        places = choose(able)
        left = len(able) - len(places)
        self.read += left
        self.left_out += Counter({"not_chosen": left})
        return [able[place] for place in places]

    def take(self, row: ExportRow) -> None:
        self.read += 1
        reason = self._refuse(row)
        if reason:
            self.left_out[reason] += 1
            return
        file = self._file_of(row)
        before = file.rows
        for piece in self.form.pieces(row):
            if isinstance(piece, LeftOut):
                self.left_out[piece.reason] += 1
                continue
            if isinstance(piece, Remark):
                self.facts.remark(piece.about, row)
                continue
            names = [name for name in self.options.extra_columns if name not in piece]
            extra = {name: finite(getattr(row, name)) for name in names}
            try:
                file.write({**piece, **extra})
            except UnicodeEncodeError:
                self.left_out["invalid_text"] += 1
            else:
                self.withheld += "withheld" in piece and bool(tables.withheld_of(row))
                self.facts.see_columns({**piece, **extra})
        if file.rows > before:
            self.facts.see(row)
            self.runs[row.lineage.get("run") or NOT_STATED] += 1
            if self.written is not None:
                self.written(row)

    def _refuse(self, row: ExportRow) -> str | None:
        smallest = self.options.min_margin
        if self.options.certified_only and row.provisional:
            return "provisional"
        if smallest is not None and row.margin is None:
            return "no_margin"
        if smallest is not None and row.margin is not None and not row.margin >= smallest:
            return "below_min_margin"
        return self.refuse(row) if self.refuse is not None else None

    def _file_of(self, row: ExportRow) -> PendingFile:
        if self.options.test_fraction == 0:
            return self.files[None]
        return self.files[split_of(row.split_group, self.options.split_key, self.options.test_fraction)]

    def publish(self) -> tuple[ExportFile, ...]:
        done = []
        for split, file in self.files.items():
            size, digest = file.finish()
            done.append(ExportFile(str(file.target), split, file.rows, size, digest))
        for file in self.files.values():
            file.publish()
        return tuple(done)

    def discard(self) -> None:
        for file in self.files.values():
            file.discard()


def _check_options(form: Format, target: Path, options: _Options) -> None:
    check_target(target)
    suffix = target.suffix.lower()
    wanted = SUFFIX.get(form.container)
    if suffix != wanted and (wanted or suffix in SUFFIX.values()):
        right = wanted or ENDINGS.get(form.container, ".jsonl")
        raise UsageError(
            f"the format {form.name!r} writes {form.container.upper()}, but {target} ends in {suffix!r}",
            next_step=f"write to {target.with_suffix(right)}, or choose another format",
        )
    if form.container == "text" and options.extra_columns:
        raise UsageError(
            f"the format {form.name!r} has two columns and takes no other",
            next_step="leave --column out, or take the format spans",
        )
    unknown = [name for name in options.extra_columns if name not in EXTRA_COLUMNS]
    if unknown:
        raise UsageError(
            f"{unknown[0]!r} is no extra column", next_step=f"choose among {', '.join(EXTRA_COLUMNS)}"
        )
    if not 0 <= options.test_fraction < 1:
        raise UsageError(
            f"the test fraction {options.test_fraction} is outside [0, 1)", next_step="give e.g. 0.1"
        )


def _write_manifest(summary: ExportSummary, form: Format, options: _Options, about: dict[str, Any]) -> None:
    from importlib import metadata  # slow to import, and only needed here

    files = [{**asdict(file), "path": Path(file.path).name} for file in summary.files]
    content = {
        "solon": metadata.version("solon"),
        "format": summary.format,
        "container": form.container,
        "files": files,
        "read": summary.read,
        "written": summary.written,
        "withheld": summary.withheld,
        "left_out": summary.left_out,
        "runs": summary.runs,
        "facts": summary.facts,
        "options": asdict(options),
        "load": dict(form.load),
        "about": about,
    }
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    write_text_at_once(Path(summary.manifest), [text])
