"""Seeds by specialty and language: how many there are and how long. Imports `formats` only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from solon.formats.seed_rows import SeedRow


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """The seeds of one specialty and language.

    Attributes:
        specialty: in lower case; empty where the seeds name none.
        lang: in lower case; empty where the seeds name none.
        items: how many there are.
        words: mean number of words of a seed; None where it is not known.
    """

    specialty: str
    lang: str
    items: int
    words: float | None = None


def count_groups(rows: Iterable[SeedRow]) -> list[SeedGroup]:
    """Return the seeds by specialty and language, with their mean words, the largest group first."""
    counts: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        texts = [turn["content"] for turn in row.conversation()]
        entry = counts.setdefault(((row.specialty or "").lower(), (row.lang or "").lower()), [0, 0])
        entry[0] += 1
        entry[1] += sum(len(text.split()) for text in texts)
    groups = [SeedGroup(*name, n, words / n) for name, (n, words) in counts.items()]
    return sorted(groups, key=lambda group: (-group.items, group.specialty, group.lang))
