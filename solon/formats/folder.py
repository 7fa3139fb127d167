"""A dataset folder: data files with a dataset card and Croissant metadata beside them.

`datasets.load_dataset(FOLDER)` reads it through the card's `configs`; a hub takes it as it is. Imports
`errors` and `formats` only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from solon.errors import UsageError
from solon.formats.card import write_card
from solon.formats.containers import new_folder, write_text_at_once
from solon.formats.contract import Format
from solon.formats.croissant import write_croissant
from solon.formats.exports import ENDINGS, ExportSummary, export, find_format
from solon.formats.records import ExportRow

CARD, CROISSANT, DATA = "README.md", "croissant.json", "data"


@dataclass(frozen=True, slots=True)
class About:
    """What only its owner can say of a data set.

    Attributes:
        name: its title; default: the folder's name.
        licence: of the set as a whole (an SPDX identifier); default: the seeds' own, where they all state the
            same.
        limits: what it does not know, one sentence each.
        made: what is told of its making beyond what was counted, one sentence each.
        set_rubric: what is known of its originality, diversity, quality control and documentation, one sentence each.
    """

    name: str = ""
    licence: str = ""
    limits: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    set_rubric: tuple[str, ...] = ()


def export_folder(
    rows: Iterable[ExportRow], *, format: str, path: str | Path, about_set: About = About(), **options: Any
) -> ExportSummary:
    """Write `data/`, `README.md`, `croissant.json` and the manifest into a new folder, and return what was
    written.

    The folder appears under its name only when it is complete.

    Args:
        format: name of the format.
        about_set: what the card says beyond what was counted.
        options: as of `export`.

    Raises:
        UsageError: there is something at `path` already.
        SolonError: it cannot be written.
    """
    form, target = find_format(format), Path(path)
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", next_step="make it first, or name another")
    with new_folder(target) as scratch:
        (scratch / DATA).mkdir()
        file = scratch / DATA / f"records{ENDINGS.get(form.container, '.jsonl')}"
        written = export(rows, format=format, path=file, **options)
        manifest = scratch / f"{file.name}.manifest.json"
        os.replace(written.manifest, manifest)
        files = tuple(replace(one, path=f"{DATA}/{Path(one.path).name}") for one in written.files)
        placed_inside = replace(written, files=files, manifest=manifest.name)
        named = replace(about_set, name=about_set.name or target.name)
        card = write_card(placed_inside, form, **asdict(named))
        write_text_at_once(scratch / CARD, [card])
        croissant = write_croissant(
            placed_inside, form, name=named.name, licence=named.licence, limits=named.limits
        )
        write_text_at_once(scratch / CROISSANT, [croissant])
        write_beside(scratch, placed_inside, form, named.name)
    placed = tuple(replace(one, path=str(target / one.path)) for one in placed_inside.files)
    return replace(placed_inside, files=placed, manifest=str(target / placed_inside.manifest))


def write_beside(folder: Path, summary: ExportSummary, form: Format, name: str) -> list[str]:
    """Write what a consumer of the format reads beside the data, and return the names of these files.

    Args:
        folder: where it goes; paths of the summary's files are relative to it.
        name: of the data set.

    Raises:
        UsageError: the consumer could not use the data as it is split.
    """
    splits: dict[str, str] = {file.split or "train": file.path if file.rows else "" for file in summary.files}
    texts = form.beside(name, splits) if form.beside is not None and any(splits.values()) else {}
    for file, text in texts.items():
        write_text_at_once(folder / file, [text])
    return list(texts)
