"""Seeds by specialty and language: how many there are and how long. Imports `formats` only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from solon.formats.seed_rows import SeedRow


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """Seeds of one specialty and language, empty where they name none. `words`: mean of a seed, if known."""

    specialty: str
    lang: str
    items: int
    words: float | None = None


def count_groups(rows: Iterable[SeedRow]) -> list[SeedGroup]:
    """Seeds by specialty and language, with their mean words, the largest group first."""
    counts: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        texts = [turn["content"] for turn in row.conversation()]
        entry = counts.setdefault(((row.specialty or "").lower(), (row.lang or "").lower()), [0, 0])
        entry[0] += 1
        entry[1] += sum(len(text.split()) for text in texts)
    found = [SeedGroup(*name, n, words / n) for name, (n, words) in counts.items()]
    return sorted(found, key=lambda group: (-group.items, group.specialty, group.lang))
