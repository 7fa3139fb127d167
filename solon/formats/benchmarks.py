"""A benchmark file as word n-grams, so that texts which hold one of its texts are found."""

from __future__ import annotations

import hashlib
from pathlib import Path

from solon.formats.named_texts import read_texts
from solon.words import find_words

N = 13
"""Words of an n-gram that two texts hardly share by chance (Brown et al. 2020, appendix C)."""
SHORT = 5
"""A benchmark text of fewer than N words counts as a whole, if it has at least so many."""
MOST_OF_IT = 0.5
"""Share of a benchmark text's n-grams from which a record holds it."""
BODIES = 20_000


class Benchmark:
    """The texts of one file by their n-grams, which take 8 bytes each, whatever they say.

    Attributes:
        name: of the file.
        sha256: of its bytes, in hex digits.
        texts: how many texts it has.
        too_short: texts of so few words that they are not looked for.
        bodies: (line, text) of the first texts, for measures that need them whole.
    """

    def __init__(self, file: Path) -> None:
        self.name = file.name
        with file.open("rb") as stream:
            self.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self.texts = self.too_short = 0
        self.bodies: list[tuple[int, str]] = []
        self._lines: list[int] = []
        self._totals: list[int] = []
        self._where: dict[bytes, list[int]] = {}
        self._lengths: set[int] = set()
        for line, text in read_texts(file):
            self._add(line, text)

    def _add(self, line: int, text: str) -> None:
        self.texts += 1
        words = find_words(text)
        if len(words) < SHORT:
            self.too_short += 1
            return
        if len(self.bodies) < BODIES:
            self.bodies.append((line, text))
        size = min(N, len(words))
        self._lengths.add(size)
        grams = set(_grams(words, size))
        for gram in grams:
            self._where.setdefault(gram, []).append(len(self._lines))
        self._lines.append(line)
        self._totals.append(len(grams))

    def shares(self, text: str) -> dict[int, float]:
        """Return, by line, the largest share of one of its texts' n-grams that `text` holds; only lines that
        share any.
        """
        words = find_words(text)
        hits: dict[int, int] = {}
        for gram in {gram for size in self._lengths for gram in _grams(words, size)}:
            for number in self._where.get(gram, ()):
                hits[number] = hits.get(number, 0) + 1
        largest: dict[int, float] = {}
        for number, count in hits.items():
            line = self._lines[number]
            largest[line] = max(largest.get(line, 0.0), count / self._totals[number])
        return largest

    def line_in(self, text: str) -> int | None:
        """The line of one of its texts that `text` holds, half of it or more; None where it holds none."""
        line, share = max(self.shares(text).items(), key=lambda pair: pair[1], default=(None, 0.0))
        return line if share >= MOST_OF_IT else None


def _grams(words: list[str], size: int) -> list[bytes]:
    return [
        hashlib.blake2b(" ".join(words[i : i + size]).encode("utf-8", "replace"), digest_size=8).digest()
        for i in range(len(words) - size + 1)
    ]
