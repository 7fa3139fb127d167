"""What became of principles and criteria that were split, and to which part a case may belong. Pure.

Earlier decisions go on citing what was in force then. Nothing here rewrites them; it tells where they lead today.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from solon.law.casebook import Index

if TYPE_CHECKING:
    from solon.law.amendments import Document
    from solon.law.documents import Criterion, Principle

NEARLY = 0.5
"""Parts that a text resembles at least half as much as the nearest one are told with it."""


def splits_of(versions: Iterable[Document]) -> dict[str, tuple[str, ...]]:
    """Return, by old id, what it was split into, over versions of one name."""
    from solon.law.amendments import parts_of

    parts_of_old: dict[str, dict[str, None]] = {}
    for version in versions:
        for part in parts_of(version):
            if part.split_from is not None:
                parts_of_old.setdefault(part.split_from, {})[part.id] = None
    return {old: tuple(parts) for old, parts in parts_of_old.items()}


def successors(splits: dict[str, tuple[str, ...]], old: str) -> tuple[str, ...]:
    """Return what an id leads to in the end, where its parts were split again; empty where it was never
    split.
    """
    ends: dict[str, None] = {}
    seen = {old}
    waiting = list(splits.get(old, ()))
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name in splits:
            waiting = [*splits[name], *waiting]
        else:
            ends[name] = None
    return tuple(ends)


def may_belong(text: str, parts: Sequence[Principle | Criterion]) -> tuple[str, ...]:
    """Return the ids of the parts that a text resembles in its words, the nearest first; all of them where it
    resembles none.
    """
    scores = Index([part.text for part in parts]).similar(text)
    best = float(max(scores, default=0.0))
    ranked = sorted(zip(scores, parts, strict=True), key=lambda pair: -float(pair[0]))
    return tuple(part.id for score, part in ranked if best <= 0 or float(score) >= NEARLY * best)
