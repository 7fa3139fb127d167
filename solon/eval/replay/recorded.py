"""Recorded judge panels with human answers, read from JSON lines. It knows the file formats, and no
statistics.

There are four shapes of a row: pairwise verdicts (``judges: {name: {verdict, order, ...}}``), samples of
scores (``judges: {name: [[...] per response]}``), crowd labels (``labels: [[worker, label]]``) and crowd
lists with an expert's label (``crowd``, ``gold_expert``).
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solon.consensus.panel import ABSTAIN, TIE, Vote
from solon.errors import UsageError
from solon.formats.json_values import show
from solon.questions import PAIR
from solon.reading import read_objects

A, B = PAIR.outcomes
MOST_RESPONSES = 1000
_SHAPES = {
    "judges": (dict, "object"),
    "labels": (list, "list"),
    "crowd": (list, "list"),
    "human": (list, "list"),
}
_RUN = re.compile(r"-run(\d+)$")
_CHOICES = {"a": A, "b": B, "tie": TIE, "a=b": TIE}
_UNSURE = {"unsure", "unknown", "n/a", "na", "", "none", "null"}


@dataclass(frozen=True, slots=True)
class RecordedItem:
    """One item of a recording.

    Attributes:
        id: of the item, or its line.
        verdicts: of the judges; of a file of crowd labels, of the workers.
        gold: the answer that counts; None where there is no agreed one.
        human: what the people said, one outcome each.
        subset: name of the part of the file that it belongs to; may be empty.
        people: who said it, one for each of `human`; empty where nobody is named.
    """

    id: str
    verdicts: tuple[Vote, ...]
    gold: str | None
    human: tuple[str, ...] = ()
    subset: str = ""
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of recorded verdicts, all of one kind.

    Attributes:
        file: its name.
        kind: `pair`, `scores` or `labels`.
        outcomes: what was chosen from.
        items: in the order of the file.
        dirt: what was odd in it, with counts.
    """

    file: str
    kind: str
    outcomes: tuple[str, ...]
    items: tuple[RecordedItem, ...]
    dirt: Mapping[str, int] = field(default_factory=dict)

    def judges(self) -> tuple[str, ...]:
        """Return the names of all seats in the file, sorted."""
        return tuple(sorted({v.seat for item in self.items for v in item.verdicts}))


def load(
    path: str | Path, *, panel: Sequence[str] | None = None, subset: str | None = None, seed: int = 0
) -> Recording:
    """Return a recording. Odd values are counted as dirt.

    Args:
        panel: names of judges; one without ``#`` takes every order and run of that judge. None: all.
        subset: keeps the rows whose ``subset`` contains this text.
        seed: shuffles the responses of score files, whose right answer is always recorded first.

    Raises:
        UsageError: a line is bad (naming file and line), no row is left, or there is no such judge.
    """
    path = Path(path)
    dirt: Counter[str] = Counter()
    rows = [row for row in read_lines(path) if subset is None or subset in str(row.get("subset", ""))]
    if not rows:
        raise UsageError(
            f"{path}: no rows" + (f" of subset {subset!r}" if subset else ""),
            next_step="check the path and the name of the subset",
        )
    kind = _kind(path, rows)
    wanted = _wanted(path, rows, panel) if kind != "labels" else None
    if kind == "labels" and panel:
        raise UsageError(
            f"{path}: crowd files have workers, no named judges: --panel {list(panel)!r} means nothing here",
            next_step="leave --panel out",
        )
    read = {"pair": _pair, "scores": _scores, "labels": _labels}[kind]
    items = tuple(read(row, wanted, dirt, seed) for row in rows)
    outcomes = _outcomes(kind, rows, items)
    return Recording(path.name, kind, outcomes, items, dict(dirt))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a recording, each with an `id`.

    Raises:
        UsageError: naming file and line.
    """
    for number, row in read_objects(path):
        for key, (kind, called) in _SHAPES.items():
            if row.get(key) and not isinstance(row[key], kind):
                raise UsageError(
                    f"{path}, line {number}: {key}: {show(row[key])} is no {called}",
                    next_step="see how recordings look in docs/evaluation.md",
                )
        if not 0 <= _responses_of(row) <= MOST_RESPONSES:
            raise UsageError(
                f"{path}, line {number}: n_responses: {show(row['n_responses'])} is outside 0 to {MOST_RESPONSES}",
                next_step="say how many responses the row has",
            )
        row.setdefault("id", f"line-{number}")
        yield row


def _kind(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    for row in rows:
        if row.get("labels") or "crowd" in row:
            return "labels"
        for entry in (row.get("judges") or {}).values():
            return "scores" if isinstance(entry, list) else "pair"
    raise UsageError(
        f"{path}: no judge and no worker said anything in it",
        next_step="replay needs a file with recorded verdicts ('judges', 'labels' or 'crowd')",
    )


def _wanted(path: Path, rows: Sequence[Mapping[str, Any]], panel: Sequence[str] | None) -> set[str] | None:
    if not panel:
        return None
    known = {name for row in rows for name in (row.get("judges") or {})}
    chosen: set[str] = set()
    for name in panel:
        matches = {k for k in known if k == name or ("#" not in name and _seat(k)[1] == name)}
        if not matches:
            some = ", ".join(sorted({_seat(k)[1] for k in known})[:12])
            raise UsageError(
                f"{path}: no judge named {name!r}", next_step=f"judges in the file, among others: {some}"
            )
        chosen |= matches
    return chosen


def _seat(name: str) -> tuple[str, str, str, int]:
    """Voter, seat, order in the name (or empty) and run of a recorded judge's name.

    ``MODEL/STRATEGY-runN#ORDER``: what stands before the first slash is the independent voter.
    """
    plain, _, order = name.partition("#")
    run = _RUN.search(plain)
    seat = plain[: run.start()] if run else plain
    return (
        seat.split("/", 1)[0],
        seat,
        order if order in ("AB", "BA") else "",
        int(run.group(1)) if run else 0,
    )


def _choice(value: object) -> str | None:
    return _CHOICES.get(value.strip().lower()) if isinstance(value, str) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        return None
    return float(value)


def _responses_of(row: Mapping[str, Any]) -> int:
    return int(_number(row.get("n_responses")) or 0)


def _pair(row: Mapping[str, Any], wanted: set[str] | None, dirt: Counter[str], seed: int) -> RecordedItem:
    for key in ("response_a", "response_b"):
        if key in row and not isinstance(row[key], str):
            dirt["response is no text"] += 1
    verdicts = []
    judges = row.get("judges")
    for name, entry in sorted((judges if isinstance(judges, dict) else {}).items()):
        if wanted is not None and name not in wanted:
            continue
        if not isinstance(entry, dict):
            dirt["judge entry is no object"] += 1
            continue
        voter, seat, order, run = _seat(name)
        outcome = _choice(entry.get("verdict"))
        if outcome is None:
            dirt["verdict is none"] += 1
        a, b = _number(entry.get("score_a")), _number(entry.get("score_b"))
        seen_order = str(entry.get("order") or order)
        verdicts.append(
            Vote(
                judge=voter,
                seat=seat,
                order=seen_order if seen_order in ("AB", "BA") else "",
                sample=run,
                outcome=outcome or ABSTAIN,
                scores=(a, b) if a is not None and b is not None else None,
            )
        )
    human = tuple(h for h in (_choice(x) for x in row.get("human") or ()) if h is not None)
    gold = _choice(row.get("gold"))
    if gold is None:
        dirt["gold is missing"] += 1
    return RecordedItem(str(row["id"]), tuple(verdicts), gold, human, str(row.get("subset", "")))


def _scores(row: Mapping[str, Any], wanted: set[str] | None, dirt: Counter[str], seed: int) -> RecordedItem:
    k = _responses_of(row)
    turn = list(range(k))
    random.Random(f"{seed}:{row['id']}").shuffle(turn)
    verdicts = []
    for name, table in sorted((row.get("judges") or {}).items()):
        if wanted is not None and name not in wanted:
            continue
        voter, seat, order, _ = _seat(name)
        if (
            not isinstance(table, list)
            or not table
            or len(table) != k
            or any(not isinstance(r, list) for r in table)
        ):
            dirt["scores of another shape"] += 1
            continue
        for sample in range(min(map(len, table))):
            drawn = [_number(table[i][sample]) for i in turn]
            if any(s is None for s in drawn):
                dirt["score is no number"] += 1
                verdicts.append(Vote(voter, seat=seat, order=order, sample=sample))
                continue
            scores = tuple(float(s or 0.0) for s in drawn)
            best = [i for i, s in enumerate(scores) if s == max(scores)]
            outcome = str(best[0]) if len(best) == 1 else TIE
            verdicts.append(
                Vote(voter, seat=seat, order=order, sample=sample, outcome=outcome, scores=scores)
            )
    gold = row.get("gold")
    right = str(turn.index(gold)) if isinstance(gold, int) and 0 <= gold < k else None
    return RecordedItem(str(row["id"]), tuple(verdicts), right, (), str(row.get("subset", "")))


def _labels(row: Mapping[str, Any], wanted: set[str] | None, dirt: Counter[str], seed: int) -> RecordedItem:
    entries = row.get("labels")
    if entries is None:
        entries = [[f"rater-{i:03d}", label] for i, label in enumerate(row.get("crowd") or ())]
    verdicts = []
    for entry in entries:
        if not isinstance(entry, list | tuple) or len(entry) != 2:
            dirt["label is no pair of worker and label"] += 1
            continue
        worker, label = str(entry[0]), "" if entry[1] is None else str(entry[1])
        if label.strip().lower() in _UNSURE:
            dirt["label is unsure"] += 1
            label = ABSTAIN
        verdicts.append(Vote(worker, seat=worker, outcome=label))
    gold = row.get("gold", row.get("gold_expert"))
    if gold is None:
        dirt["gold is missing"] += 1
    people = tuple(v.judge for v in verdicts if v.outcome != ABSTAIN)
    human = tuple(v.outcome for v in verdicts if v.outcome != ABSTAIN)
    return RecordedItem(
        str(row["id"]),
        tuple(verdicts),
        None if gold is None else str(gold),
        human,
        str(row.get("subset", "")),
        people,
    )


def _outcomes(kind: str, rows: Sequence[Mapping[str, Any]], items: Sequence[RecordedItem]) -> tuple[str, ...]:
    if kind == "pair":
        return PAIR.outcomes
    if kind == "scores":
        return tuple(str(i) for i in range(max(map(_responses_of, rows))))
    seen = {v.outcome for item in items for v in item.verdicts} | {
        i.gold for i in items if i.gold is not None
    }
    return tuple(sorted(seen - {ABSTAIN, TIE}))
