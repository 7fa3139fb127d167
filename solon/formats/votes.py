"""Votes that were collected elsewhere, a row each (item or text, worker, label), as seeds with verdicts.

A file is read twice: once for who said what, in 8 bytes a vote, and once for the texts. Imports `errors`, `questions`
and neighbours only.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from solon.errors import SeedError
from solon.formats.containers import write_text_at_once
from solon.formats.headers import fold, known_headers, name_columns
from solon.formats.json_values import kind_of, show
from solon.formats.marked import as_votes
from solon.formats.seed_files import BadRow, excerpt_of, find_reader
from solon.formats.seed_rows import MAX_ID, RowProblem
from solon.formats.text_files import why_not_unicode
from solon.questions import nearest

ALIASES = {
    "item": ("item", "task", "item_id", "task_id", "id"),
    "text": ("text", "prompt"),
    "worker": ("worker", "annotator", "judge", "worker_id", "user"),
    "label": ("label", "verdict", "answer", "response"),
}
"""Column of a vote -> headers that mean it, the first that is there."""


MAX_LINE = 1 << 20


@dataclass(slots=True)
class Votes:
    """The votes of a file, and what was wrong with its rows.

    Attributes:
        outcomes: labels that a vote may name.
        places: label -> its number.
        rows: rows that were read.
        workers: name -> number.
        cast: item -> its votes, as numbers of worker and label by turns.
        by_worker: worker and label, by number -> how often.
        bad: rows that were refused.
        lines: item -> the line of its first vote.
        texts: item -> a hash of its text, where a row gave it.
    """

    outcomes: tuple[str, ...]
    places: dict[str, int]
    rows: int = 0
    workers: dict[str, int] = field(default_factory=dict)
    cast: dict[str, array[int]] = field(default_factory=dict)
    by_worker: Counter[tuple[int, int]] = field(default_factory=Counter)
    bad: list[BadRow] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How often each label was given; 0 for one that nobody gave."""
        totals: Counter[int] = Counter()
        for (_, label), n in self.by_worker.items():
            totals[label] += n
        return {outcome: totals[number] for number, outcome in enumerate(self.outcomes)}

    def one_sided(self, least: int) -> list[str]:
        """Workers who gave one and the same label always, at least so often."""
        labels: dict[int, list[int]] = {}
        for (worker, _), n in self.by_worker.items():
            labels.setdefault(worker, []).append(n)
        return [name for name, i in self.workers.items() if len(labels[i]) == 1 and labels[i][0] >= least]

    def add(self, line: int, vote: Mapping[str, str]) -> None:
        """Count a vote.

        Raises:
            RowProblem: its label is none, the same worker gave the item another one, or the item has another text.
        """
        item, worker, label = vote["item"], vote["worker"], vote["label"]
        said = self.places.get(label)
        if said is None:
            raise RowProblem(
                f"label: {label!r:.60} is no label of the recipe; {nearest(label, self.outcomes)}"
            )
        for name in ("item", "worker", "text"):
            if reason := why_not_unicode(vote[name]):
                raise RowProblem(f"{name}: {reason}")
        text = blake2b(vote["text"].encode(), digest_size=8).digest() if vote["text"] else b""
        if text and self.texts.setdefault(item, text) != text:
            raise RowProblem(f"text: item {item!r:.60} has another one in a row above")
        who = self.workers.setdefault(worker, len(self.workers))
        cast = self.cast.setdefault(item, array("I"))
        before = next((cast[at + 1] for at in range(0, len(cast), 2) if cast[at] == who), None)
        if before is not None:
            told = "twice" if before == said else f"the label {self.outcomes[before]!r} in a row above"
            raise RowProblem(f"worker: {worker!r:.60} gave item {item!r:.60} {told}")
        cast.extend((who, said))
        self.lines.setdefault(item, line)
        self.by_worker[who, said] += 1


def read_votes(file: Path, outcomes: Sequence[str], max_chars: int) -> Votes:
    """Return the votes of a file of JSON lines, CSV or Parquet; rows that are none are kept as refused.

    Raises:
        SeedError: the file cannot be read.
    """
    found = Votes(tuple(outcomes), {label: number for number, label in enumerate(outcomes)})
    for raw in _rows(file, max_chars):
        found.rows += 1
        if isinstance(raw, BadRow):
            found.bad.append(raw)
            continue
        line, row = raw
        try:
            found.add(line, _vote(row))
        except RowProblem as problem:
            found.bad.append(BadRow(line, str(problem), excerpt_of(json.dumps(row, default=str)[:400])))
    return found


def write_seeds(found: Votes, file: Path, texts: Path | None, output: Path, max_chars: int) -> int:
    """Write a seed for each item with its votes as `verdicts`, and return how many; items without a text are refused.

    Args:
        texts: seeds whose `id` is the item; each is written as it is, also without a vote. None: the file of votes has
            the texts.
        output: the JSONL file, replaced at once.
    """
    seeds = _with_text(found, file, max_chars) if texts is None else _of_texts(texts, max_chars)
    written: set[str] = set()
    workers = list(found.workers)

    def lines() -> Iterator[str]:
        for item, seed in seeds:
            if item not in written:
                written.add(item)
                cast = found.cast.get(item, array("I"))
                pairs = zip(cast[::2], cast[1::2], strict=True)
                said = [{"judge": workers[who], "verdict": found.outcomes[label]} for who, label in pairs]
                yield json.dumps({**seed, "verdicts": said}, ensure_ascii=False, default=str) + "\n"

    write_text_at_once(output, lines())
    where = "no row gives it a text" if texts is None else f"it is not in {texts}"
    missing = [item for item in found.cast if item not in written]
    found.bad += [
        BadRow(found.lines[item], f"item: {item!r:.60} is left out, {where}", "") for item in missing
    ]
    return len(written)


def holds_votes(file: Path) -> bool:
    """Whether a file is one that `write_seeds` wrote, by its first line."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        first = lines.readline(MAX_LINE)
    try:
        row = json.loads(first) if first.strip() else {"verdicts": []}
    except ValueError:
        return False
    return isinstance(row, dict) and "verdicts" in row


def _with_text(found: Votes, file: Path, max_chars: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for raw in _rows(file, max_chars):
        if isinstance(raw, BadRow):
            continue
        try:
            vote = _vote(raw[1])
        except RowProblem:
            continue
        item, text = vote["item"], vote["text"]
        if text and item in found.cast:
            yield item, {"prompt": text} if item == text else {"id": item, "prompt": text}


def _of_texts(texts: Path, max_chars: int) -> Iterator[tuple[str, dict[str, Any]]]:
    names = known_headers(("id",))
    for raw in find_reader(texts)(texts, max_chars):
        if not isinstance(raw, BadRow):
            row = name_columns(raw[1], names)
            yield str(row.get("id")), row


def _rows(file: Path, max_chars: int) -> Iterator[tuple[int, Mapping[str, Any]] | BadRow]:
    if not file.is_file():
        raise SeedError(f"there is no file {file}", next_step="check the path")
    return _votes_in(find_reader(file)(file, max_chars))


def _votes_in(
    rows: Iterator[tuple[int, Mapping[str, Any]] | BadRow],
) -> Iterator[tuple[int, Mapping[str, Any]] | BadRow]:
    """A row for each vote; a task of an annotation tool holds several."""
    for raw in rows:
        if isinstance(raw, BadRow):
            yield raw
            continue
        line, row = raw
        try:
            for vote in as_votes(row):
                yield line, vote
        except RowProblem as problem:
            yield BadRow(line, str(problem), excerpt_of(json.dumps(row, default=str)[:400]))


def _vote(row: Mapping[str, Any]) -> dict[str, str]:
    """The columns of a vote as texts; `item` is the text itself where the row names none.

    Raises:
        RowProblem: one is missing or is no text.
    """
    headers = {fold(name): name for name in row}
    vote: dict[str, str] = {}
    for column, names in ALIASES.items():
        header = next((headers[name] for name in names if name in headers), None)
        value = None if header is None else row[header]
        if isinstance(value, (list, dict, bool, float)) and value == value:
            raise RowProblem(f"{column}: {kind_of(value)}, where a text was expected")
        vote[column] = "" if value is None or value != value else str(value)
    text = vote["text"] = vote["text"] if vote["text"].strip() else ""
    vote["item"] = vote["item"].strip() or text
    if not vote["item"]:
        raise RowProblem("item: neither an item nor a text is named (columns `item` and `text`)")
    for column in ("worker", "label"):
        if not vote[column].strip():
            raise RowProblem(
                f"{column}: it is empty (column `{column}`, or {', '.join(ALIASES[column][1:3])})"
            )
    vote["worker"] = vote["worker"].strip()
    if len(vote["worker"]) > MAX_ID or not vote["worker"].isprintable():
        raise RowProblem(f"worker: {show(vote['worker'], 40)} is longer than {MAX_ID}, or not printable")
    if vote["item"] != text and (len(vote["item"]) > MAX_ID or not vote["item"].isprintable()):
        raise RowProblem(f"item: {show(vote['item'], 40)} is longer than {MAX_ID}, or not printable")
    return vote
