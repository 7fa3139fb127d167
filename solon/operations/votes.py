"""Labels that people gave elsewhere, a row each, as seeds whose verdicts take the panel's place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.errors import SeedError, UsageError
from solon.formats.containers import check_target
from solon.formats.seed_files import sum_up
from solon.formats.seeds import write_bad_rows
from solon.formats.votes import Votes, holds_votes, read_votes, write_seeds
from solon.questions import LABELLED
from solon.workspace.seeds import without_values

if TYPE_CHECKING:
    from solon.workspace.workspace import Workspace

ONE_SIDED = 10
"""Votes from which a worker who always gives the same label is named."""
MOST = 10
"""Workers and labels that a note names."""


class VotesImport(BaseModel):
    """What came of a file of votes.

    Attributes:
        output: the file of seeds.
        seeds: how many it holds.
        votes: votes that they bring along.
        workers: how many people gave them.
        labels: label -> how often it was given.
        rows: rows that were read.
        bad_rows: rows that were refused.
        refusals: why, a line for each of the commonest reasons with the number of rows and the first lines.
        bad_rows_file: beside `output`, where these are listed with their reasons; None where there are none.
        notes: what a reader of the votes should know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: str
    seeds: int
    votes: int
    workers: int
    labels: dict[str, int]
    rows: int
    bad_rows: int
    refusals: list[str]
    bad_rows_file: str | None
    notes: list[str]


def import_votes(
    workspace: Workspace,
    path: str | Path,
    output: str | Path,
    *,
    recipe: str = "label-panel",
    texts: str | Path | None = None,
) -> VotesImport:
    """Write the votes of a file, a row each, as seeds with verdicts: JSON lines that `run` of the recipe reads.

    Args:
        path: JSON lines, CSV or Parquet with the columns `item` (or `text`, or both), `worker` and `label`.
        output: the file to write.
        recipe: whose labels they are.
        texts: a file of seeds with the items' texts, by `id`; None: the votes come with them.

    Raises:
        UsageError: the recipe asks for no label, or the file to write is one of those that are read.
        SeedError: a file cannot be read, or no row can be used.
    """
    found = workspace.recipe(recipe)
    question = found.question.asked(workspace.config)
    if question.kind != LABELLED or not found.has_panel:
        raise UsageError(
            f"the recipe {recipe!r} has no use for votes on labels",
            next_step="take label-panel, or a recipe of yours with a Choice and the step `judge`",
        )
    file, target, by_id = Path(path), Path(output), None if texts is None else Path(texts)
    check_target(target)
    if target.resolve() in {one.resolve() for one in (file, by_id) if one is not None}:
        raise UsageError(f"{target} is the file that is read", next_step="write another one with --output")
    if target.is_file() and not holds_votes(target):
        raise UsageError(
            f"{target} is there already, and holds seeds without votes",
            next_step="write another one with --output",
        )
    most = workspace.config.seeds.max_chars
    votes = read_votes(file, question.outcomes, most)
    if not votes.cast:
        why = "".join(f"; {line}" for line in sum_up(without_values(workspace.config, votes.bad)))
        raise SeedError(f"{file}: no row is a vote{why}", next_step="see docs/label-adjudicate.md")
    seeds = write_seeds(votes, file, by_id, target, most)
    refused = without_values(workspace.config, votes.bad)
    bad_file = target.with_name(f"{file.stem}.bad-rows.jsonl")
    if refused:
        write_bad_rows(bad_file, refused)
    return VotesImport(
        output=str(target),
        seeds=seeds,
        votes=sum(votes.counts.values()),
        workers=len(votes.workers),
        labels=votes.counts,
        rows=votes.rows,
        bad_rows=len(refused),
        refusals=sum_up(refused),
        bad_rows_file=str(bad_file) if refused else None,
        notes=_notes(votes),
    )


def _notes(votes: Votes) -> list[str]:
    notes = []
    if silent := [label for label, n in votes.counts.items() if not n]:
        notes.append(f"nobody gave {_named(silent)}")
    if one_sided := votes.one_sided(ONE_SIDED):
        notes.append(f"always one and the same label, {ONE_SIDED} times or more: {_named(one_sided)}")
    single = sum(len(cast) == 2 for cast in votes.cast.values())
    if single == len(votes.cast):
        notes.append("no item has more than one vote: nothing is known of how far people agree")
    return notes


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(f"{name!r:.60}" for name in names[:MOST]) + more
