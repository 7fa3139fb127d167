"""Sources: which items a recipe works on."""

from __future__ import annotations

import random
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from solon.errors import ConfigError
from solon.formats.documents import PART
from solon.formats.seed_rows import RowProblem, SeedRow
from solon.recipes.failures import naming_failures
from solon.words import has_words

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.config import Config

Named = TypeVar("Named")
_PARAGRAPH = re.compile(r"\n\s*\n\s*")
_SENTENCE = re.compile(r"""(?:[.!?…]["'”’)\]]*\s+|[。！？]["'”’」』）]*\s*|\n\s*)""")
_SPACE = re.compile(r"\s+")


class Source:
    """Which items there are: the seeds that the rows of a file stand for, and how many items each of them is.

    Attributes:
        most_given: how many responses of a seed the recipe has a use for, a row with more is refused; None: however
            many there are.
        expand: how many items each seed is. They draw differently, and are one group.
        batch: how many seeds are worked on at once, before the next so many begin; what these may be shown is drawn for
            them. 0: all of them, and nothing is drawn.
        recalls: an item is shown what people decided on before, as `recall` chooses it when the item begins.
        evolves: a further item of a seed goes on from the latest record of the one before (`case.origin`). The first
            items of all seeds of a batch are worked on before the second ones, and so on.
        documents: seeds may come as texts, pages and PDF files.
    """

    most_given: int | None = None
    expand: int = 1
    batch: int = 0
    recalls: bool = False
    evolves: bool = False
    documents: bool = False

    @property
    def at_once(self) -> int:
        """How many items are worked on before the next so many begin; 0: all of them."""
        return self.batch if self.evolves else self.batch * self.expand

    def under(self, config: Config) -> Source:
        """The source as it is configured: itself."""
        return self

    def seeds(self, row: SeedRow) -> Iterable[SeedRow]:
        """The seeds that a row of the file stands for, each under an id that no other has: the row itself.

        Raises:
            RowProblem: there can be none of this row; it is refused, and the others are worked on.
        """
        return (row,)

    def draw(self, case: Case, accepted: Sequence[Named], start: Sequence[Named]) -> Sequence[Named]:
        """The examples that the drafts of an item are shown: none. What is drawn is kept, and asked for once.

        Args:
            accepted: what names the records that were accepted of the batches before.
            start: what names the other seeds.
        """
        return ()

    def recall(self, case: Case, texts: Sequence[str]) -> Sequence[int]:
        """The places of those texts that an item is shown with what people decided on them, the best example first:
        none."""
        return ()


def find_seeds(source: Source, row: SeedRow) -> list[SeedRow]:
    """The seeds that a row of the file stands for.

    Raises:
        RowProblem: the row is none that the source can make seeds of, as it says itself.
        ConfigError: the source's `seeds` raised, or gave anything but seeds; names the method and the row.
    """
    called = f"{type(source).__module__}:{type(source).__qualname__}.seeds"
    try:
        found = list(source.seeds(row))
    except RowProblem:
        raise
    except Exception as error:  # a foreign method may fail in any way
        raise ConfigError(
            f"row {row.line}: {called} raised {type(error).__name__}",
            next_step="mend it and run the command again",
        ) from error
    if wrong := next((one for one in found if not isinstance(one, SeedRow)), None):
        raise ConfigError(
            f"row {row.line}: {called} gave a {type(wrong).__name__}, no SeedRow",
            next_step="return rows that are made of the given one, by dataclasses.replace",
        )
    return found


def draw_examples(
    source: Source, case: Case, accepted: Sequence[Named], start: Sequence[Named]
) -> list[Named]:
    """The examples that the drafts of an item are shown; arguments as of `Source.draw`.

    Raises:
        PartFailed: the source's `draw` raised, or drew what is not there; names the method.
    """
    with naming_failures(source, "draw", guarded=case.config.privacy.guarded) as expect:
        drawn = list(source.draw(case, accepted, start))
        there = {*accepted, *start}
        right = "draw out of what it is given, and nothing else"
        expect(all(one in there for one in drawn), "what was not there", right)
    return drawn


def recall_examples(source: Source, case: Case, texts: Sequence[str]) -> list[int]:
    """The places of the texts that an item is shown; arguments as of `Source.recall`.

    Raises:
        PartFailed: the source's `recall` raised, or chose a place where no text is; names the method.
    """
    with naming_failures(source, "recall", guarded=case.config.privacy.guarded) as expect:
        chosen = list(source.recall(case, texts))
        right = all(type(place) is int and 0 <= place < len(texts) for place in chosen)
        expect(right, "a place where no text is", "return places in the list of texts, from 0")
    return chosen


@dataclass(frozen=True)
class Seeds(Source):
    """One seed for each row of a seed file."""

    most_given: int | None = None
    expand: int = 1


@dataclass(frozen=True)
class Pool(Source):
    """Drafts are shown examples out of what was accepted so far, as Self-Instruct does (Wang et al., 2023,
    arXiv:2212.10560): records of the batches before, and for want of these other seeds.

    Attributes:
        start: which seeds there are.
        examples: how many examples each item is shown.
        batch: how many seeds are worked on before the next so many begin. A small one grows the pool
            sooner, a large one has more calls in flight.
        most_given: as of every source; None: as of `start`.
        expand: as of every source.
    """

    start: Source = field(default_factory=Seeds)
    examples: int = 3
    batch: int = 20
    most_given: int | None = None
    expand: int = 1

    def __post_init__(self) -> None:
        """What is not said of given responses is as of `start`, and so is whether it reads documents."""
        object.__setattr__(self, "documents", getattr(self.start, "documents", False))
        if self.most_given is None and isinstance(self.start, Source):
            object.__setattr__(self, "most_given", self.start.most_given)

    def seeds(self, row: SeedRow) -> Iterable[SeedRow]:
        """Those of `start`."""
        return self.start.seeds(row)

    def draw(self, case: Case, accepted: Sequence[Named], start: Sequence[Named]) -> Sequence[Named]:
        """So many records at random, and where there are fewer, seeds."""
        return self._fill(case, (accepted, self.examples), (start, self.examples))

    def _fill(self, case: Case, *pools: tuple[Sequence[Named], int]) -> list[Named]:
        """At random out of each pool until there are so many."""
        drawn: list[Named] = []
        for pool, last in pools:
            wanted = min(last - len(drawn), len(pool))
            drawn += random.Random(case.draw("examples", len(drawn))).sample(pool, wanted)
        return drawn


@dataclass(frozen=True)
class Generations(Pool):
    """A pool in which each further item of a seed goes on from the latest record of the seed's items before: a seed is
    made into a task, this one into another, and so on.

    Attributes:
        of_start: so many of the examples are seeds, however many records there are, so that models do not learn from
            models alone; Wang et al. show six of eight.
        expand: how many generations there are, where each item of a seed is accepted.
        evolves: as of every source.
    """

    of_start: int = 2
    most_given: int | None = 0
    expand: int = 3
    evolves: bool = True

    def draw(self, case: Case, accepted: Sequence[Named], start: Sequence[Named]) -> Sequence[Named]:
        """So many seeds at random, and records; where there are too few of these, more seeds."""
        return self._fill(case, (accepted, self.examples - self.of_start), (start, self.examples))


@dataclass(frozen=True)
class Confirmed(Source):
    """One seed for each row, and as examples the texts most like it that people decided on: in-context examples chosen
    by similarity do better than any (Liu et al. 2022, arXiv:2101.06804). They are found as precedents are, by words or
    by meaning (`[law] similarity`); a text is never an example of itself, nor of its group.

    Attributes:
        most_given: as of every source.
        expand: as of every source.
    """

    most_given: int | None = 1
    expand: int = 1
    recalls: bool = True

    def recall(self, case: Case, texts: Sequence[str]) -> Sequence[int]:
        """So many as `[spans] examples` says, the most similar first."""
        if not texts or not case.config.spans.examples:
            return ()
        import numpy as np

        from solon.agents.models.embedding import check_embedding, embed, embed_words

        check_embedding(case.config.law)
        as_vectors = embed if case.config.law.similarity == "meaning" else embed_words
        vectors = as_vectors([case.input or case.prompt, *texts])
        order = np.argsort(-(vectors[1:] @ vectors[0]), kind="stable")
        return [int(place) for place in order[: case.config.spans.examples]]


@dataclass(frozen=True)
class Documents(Source):
    """A seed for each passage of a document: of a file that is one, else of the row's `input`, or without one of its
    `prompt`.

    A passage ends where a paragraph does, else a sentence, else a word, and is the very text between its offsets. They
    stand in the seed's metadata: `passage` with `document` (the file, or the row's id), `start` and `end`, in
    characters. The passages of a document are one group, unless its row names one.

    Attributes:
        size: the most characters of a passage.
        overlap: the most characters at the end of a passage that the next one repeats, in whole sentences.
        most_given: 0, for an answer to a document is none to its passages.
        expand: as of every source.
    """

    size: int = 2000
    overlap: int = 0
    most_given: int | None = 0
    expand: int = 1
    documents = True

    def seeds(self, row: SeedRow) -> Iterable[SeedRow]:
        """One for each passage with a word, `DOCUMENT#START-END`.

        Raises:
            RowProblem: there is none.
        """
        text = row.input or row.prompt
        if not has_words(text):
            raise RowProblem("not a word of text in the document")
        name, before = _begin(row)
        metadata = {key: value for key, value in row.metadata.items() if key != PART}
        for start, end in cut_passages(text, self.size, self.overlap):
            if not has_words(text[start:end]):
                continue
            place = {"document": name, "start": before + start, "end": before + end}
            passage = replace(
                row,
                id=f"{name}#{before + start}-{before + end}",
                group=row.group or name,
                metadata={**metadata, "passage": place},
            )
            yield _with_text(passage, text[start:end])


@dataclass(frozen=True)
class ConfiguredDocuments(Documents):
    """Passages as long as `[documents]` says."""

    def under(self, config: Config) -> Source:
        """`Documents` with these numbers."""
        return Documents(size=config.documents.size, overlap=config.documents.overlap)


def _begin(row: SeedRow) -> tuple[str, int]:
    """The document that a row is a part of, and its first character in it."""
    match row.metadata.get(PART):
        case {"document": str(name), "start": int(start)}:
            return name, start
        case _:
            return row.id, 0


def _with_text(row: SeedRow, text: str) -> SeedRow:
    if row.input:
        return replace(row, input=text)
    messages = (*row.messages[:-1], {**row.messages[-1], "content": text}) if row.messages else ()
    return replace(row, prompt=text, messages=messages)


def cut_passages(text: str, size: int, overlap: int = 0) -> list[tuple[int, int]]:
    """Where the passages of a text begin and end, in order; what lies between them is white space. But for
    white space each has a tenth of `size` or more, unless the text has less."""
    ends = [[one.end() for one in pattern.finditer(text)] for pattern in (_PARAGRAPH, _SENTENCE, _SPACE)]
    found: list[tuple[int, int]] = []
    start, end = _skip_space(text, 0), 0
    while start < len(text):
        rest = len(text) - start
        end = _find_end(ends, start, end, size, len(text)) if rest > size else len(text)
        found.append((start, start + len(text[start:end].rstrip())))
        start = len(text) if end == len(text) else _find_start(text, ends[1], start, end, size, overlap)
    return found


def _find_end(ends: Sequence[Sequence[int]], start: int, before: int, size: int, length: int) -> int:
    """The end of the passage that begins at `start` and reaches beyond the one `before`: of a paragraph, if that leaves
    half a passage, else of a sentence, else of a word. It leaves enough for a passage behind it."""
    paragraphs, sentences, words = ends
    above, most = max(start + size // 10, before), min(start + size, length - size // 10)
    half = _last(paragraphs, max(above, start + size // 2), most)
    return half or _last(sentences, above, most) or _last(words, above, most) or most


def _find_start(text: str, sentences: Sequence[int], start: int, end: int, size: int, overlap: int) -> int:
    """The beginning of the passage after one: that of a sentence in the overlap, if a further sentence fits in behind
    it."""
    index = bisect_left(sentences, max(end - overlap, start + 1))
    begin = sentences[index] if index < len(sentences) else end
    fits = begin + size >= len(text) or _last(sentences, end, begin + size)
    return _skip_space(text, begin if begin < end and fits else end)


def _last(places: Sequence[int], above: int, most: int) -> int:
    """The last of the sorted places that is above the one and not beyond the other; 0 where there is none."""
    index = bisect_right(places, most)
    return places[index - 1] if index and places[index - 1] > above else 0


def _skip_space(text: str, start: int) -> int:
    space = _SPACE.match(text, start)
    return space.end() if space else start


def problem_of(source: Source) -> tuple[str, str] | None:
    """What is wrong with the numbers of a source, and what would be right; None where nothing is."""
    name, numbers = type(source).__name__, {"expand": 1, "batch": 0}
    numbers |= {"examples": 1, "batch": 1} if isinstance(source, Pool) else {}
    numbers |= {"of_start": 0} if isinstance(source, Generations) else {}
    numbers |= {"size": 1, "overlap": 0} if isinstance(source, Documents) else {}
    for key, least in numbers.items():
        value = getattr(source, key)
        if type(value) is not int or value < least:
            return f"{name}({key}={value!r:.40})", f"a whole number, {least} or more"
    if isinstance(source, Generations) and source.of_start > source.examples:
        return f"{name}(of_start={source.of_start})", "at most as many as `examples`"
    if isinstance(source, Documents) and source.overlap * 2 > source.size:
        return f"{name}(overlap={source.overlap}) repeats most of a passage", "at most half of `size`"
    if isinstance(source, Pool):
        if not isinstance(source.start, Source) or source.start.expand != 1 or source.start.batch:
            return (
                f"{name}(start={source.start!r:.80})",
                "Seeds() or Documents(); `expand` is said of the Pool",
            )
        return problem_of(source.start)
    return None
