"""How varied prompts and answers are: n-grams, self-BLEU, compression, openings, spread, clusters, coverage."""

from __future__ import annotations

import hashlib
import math
import random
import zlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from solon.eval.embedding import Embedder, load_embedder
from solon.eval.material import spell_sample
from solon.eval.result import NO_RECORDS, Figure, SuiteResult, mean, nothing
from solon.eval.spread import Spread, measure_spread
from solon.store.records import counts, evaluation
from solon.words import find_words
from solon.workspace.spool import Spool

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.formats.records import ExportRow

T = TypeVar("T")
AT_ONCE = 250
"""Records that are read at a time."""
SAMPLE = 200
"""Texts that self-BLEU compares with each other: its cost grows with their square."""
DRAWS = 100
MOST_VALUES = 30
"""Different values that a column of the metadata may take to be looked at as an attribute."""
NOT_STATED = "not stated"


class Variety(BaseModel):
    """How varied one set of texts is.

    Attributes:
        texts: how many there are.
        distinct_1: different words by all words (Li et al. 2016); falls as a set grows, so compare sets of
            one size only.
        distinct_2: the same of word pairs.
        self_bleu: BLEU-4 of each text against the others of a sample (Zhu et al. 2018); higher is more alike.
        compression: size by compressed size (zlib, level 9); higher is more repetitive; None without texts.
        same_opening: share of texts whose first three words begin another text too.
        openings: the commonest first three words that begin several texts, with their number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    texts: int
    distinct_1: Figure
    distinct_2: Figure
    self_bleu: Figure
    compression: float | None
    same_opening: Figure
    openings: dict[str, int]


class Diversity(SuiteResult):
    """How varied the prompts and answers of the records are.

    Attributes:
        prompts: variety of the different prompts.
        answers: variety of the accepted answers.
        embedding: what the spreads were measured with.
        prompts_spread: spread of the prompts; examples of clusters are records.
        answers_spread: spread of the answers; examples of clusters are records.
        from_seeds: how far new prompts are from their seeds, 1 minus the cosine of their embeddings.
        coverage: how many records carry each value of each attribute that seeds state (tags: each of them; of
            the metadata those columns that take few values), and of recipe and route.
    """

    prompts: Variety
    answers: Variety
    embedding: str
    prompts_spread: Spread
    answers_spread: Spread
    from_seeds: Figure
    coverage: dict[str, dict[str, int]]

    def headline(self) -> dict[str, Figure]:
        """How alike the answers are, and how far new requests are from their seeds."""
        return {
            "answers that open alike": self.answers.same_opening,
            "self-BLEU of the answers": self.answers.self_bleu,
            "distance of new requests to their seeds": self.from_seeds,
        }

    def next_step(self) -> str:
        """Look for twins, once there are records."""
        if not self.n:
            return NO_RECORDS
        return "find what is nearly the same: `solon eval duplicates`"


def evaluate(material: Material) -> Diversity:
    """Return how varied the records in force are."""
    embedder = load_embedder()
    with Texts() as prompts, Texts() as answers:
        sample, found = material.sample(), _Found(material, embedder)
        asked: set[bytes] = set()
        reading = iter(sample)
        while rows := list(islice(reading, AT_ONCE)):
            for row in rows:
                if (key := hash_text(row.prompt)) not in asked:
                    asked.add(key)
                    prompts.add(row.id, row.prompt)
                if row.answer:
                    answers.add(row.id, row.answer)
            found.add(rows)
        return Diversity(
            suite="diversity",
            n=sample.shown,
            prompts=measure_variety(prompts, material.seed),
            answers=measure_variety(answers, material.seed),
            embedding=embedder.name,
            prompts_spread=measure_spread(prompts.named(), len(prompts), embedder.embed, material.seed),
            answers_spread=measure_spread(answers.named(), len(answers), embedder.embed, material.seed),
            from_seeds=mean(found.far, material.seed, "no record has a prompt other than its seed's"),
            coverage=found.coverage(sample.shown),
            notes=(*spell_sample(sample.shown, sample.seen), *embedder.notes),
        )


def hash_text(text: str) -> bytes:
    """Return 8 bytes that tell whether two texts are the same."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class Texts:
    """Texts with names that lie on the disk, to be read as often as needed; a context manager."""

    def __init__(self) -> None:
        self._rows = Spool()

    def __enter__(self) -> Self:
        self._rows.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._rows.__exit__(*exc)

    def add(self, name: str, text: str) -> None:
        """Set a text aside."""
        self._rows.add({"name": name, "text": text})

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return (text for _, text in self.named())

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield name and text of each."""
        return ((row["name"], row["text"]) for row in self._rows)


class _Found:
    """What was found of the records read so far: counts by attribute, and 8 bytes for each new prompt."""

    def __init__(self, material: Material, embedder: Embedder) -> None:
        self.far = array("d")
        self._store, self._embed = material.store, embedder.embed
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._columns: dict[str, _Column] = defaultdict(_Column)

    def add(self, rows: Sequence[ExportRow]) -> None:
        """Read some records."""
        ids = sorted({row.lineage["item"] for row in rows})
        with self._store.connect() as connection:
            stated = counts.seed_attributes(connection, ids)
            asked = evaluation.seed_prompts(connection, ids)
        for row in rows:
            specialty, tags = stated.get(row.lineage["item"], (None, ()))
            for name, value in (
                ("language", row.lang), ("recipe", row.recipe), ("route", row.route), ("specialty", specialty),
                *(("tags", tag) for tag in tags or (None,)), ("licence", row.licence), ("source", row.source),
            ):  # fmt: skip
                self._counts[name][value or NOT_STATED] += 1
            for name, value in row.metadata.items():
                self._columns[name].add(value)
        self._measure_far(rows, asked)

    def _measure_far(self, rows: Sequence[ExportRow], asked: Mapping[str, str]) -> None:
        """Of records whose prompt is not their seed's own: recipes of instructions write new ones."""
        pairs = [
            (row.prompt, seed)
            for row in rows
            if (row.recipe == "instruction" or "descent" in row.lineage)
            and (seed := asked.get(row.lineage["item"])) is not None
            and seed != row.prompt
        ]
        if pairs:
            new, old = (self._embed([pair[side] for pair in pairs]) for side in (0, 1))
            self.far.extend((1.0 - (new * old).sum(axis=1)).tolist())

    def coverage(self, n: int) -> dict[str, dict[str, int]]:
        """The number of the `n` records by attribute and value, the 50 commonest values of each."""
        order = ("language", "recipe", "route", "specialty", "tags", "licence", "source")
        values_of = {name: self._counts[name] for name in order}
        for name, column in sorted(self._columns.items()):
            if column.is_attribute:
                values_of[f"metadata: {name}"] = column.values + Counter({NOT_STATED: n - column.seen})
        return {name: dict(counted.most_common(50)) for name, counted in values_of.items()}


class _Column:
    """A column of the metadata: its values, as long as they are few."""

    def __init__(self) -> None:
        self.values, self.seen, self._plain, self._few = Counter[str](), 0, 0, True
        self._different: set[str | bool | int] = set()

    def add(self, value: Any) -> None:
        """Count a value."""
        self.seen += 1
        if self._few:
            if isinstance(value, str | bool | int):
                self._plain += 1
                self._different.add(value)
                self._few = len(self._different) <= MOST_VALUES and len(str(value)) <= 80
            self.values[NOT_STATED if value is None else str(value)] += 1

    @property
    def is_attribute(self) -> bool:
        """Whether it takes few words, numbers and truths: one that says something new of nearly every record is a name
        or a text."""
        return self._few and 0 < len(self._different) <= self._plain / 2


class Reread(Protocol):
    """Texts that can be read again."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...


def measure_variety(texts: Reread, seed: int = 0) -> Variety:
    """Return every figure of one set of texts, which is read twice: held are 20 bytes for each of their words."""
    read = _Words(texts)
    opened = np.flatnonzero(read.lengths)
    _, first, place, times = np.unique(
        read.openings, return_index=True, return_inverse=True, return_counts=True
    )
    common = sorted(np.flatnonzero(times > 1).tolist(), key=lambda kind: (-times[kind], first[kind]))[:10]
    likened = find_sample((read.lengths > 0).tolist(), seed)
    wanted = {*likened, *opened[first[common]].tolist()}
    words = {place: find_words(text) for place, text in enumerate(texts) if place in wanted}
    return Variety(
        texts=len(texts),
        distinct_1=_distinct(read.words, read.lengths, seed),
        distinct_2=_distinct(*read.pairs(), seed),
        self_bleu=measure_self_bleu([words[place] for place in likened], seed),
        compression=read.compression,
        same_opening=mean((times[place] > 1).astype(np.float64), seed),
        openings={" ".join(words[int(opened[first[kind]])][:3]): int(times[kind]) for kind in common},
    )


class _Words:
    """The words of texts as numbers, the same for the same.

    Attributes:
        words: of all texts, one text behind the other.
        lengths: how many each text has.
        openings: of each text that has words, a hash of the first three.
        compression: size by compressed size of the texts, a line each; None without texts.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        known: dict[str, int] = {}
        words, lengths, openings = array("I"), array("I"), array("Q")
        deflate, size, packed = zlib.compressobj(9), 0, 0
        for place, text in enumerate(texts):
            own = find_words(text)
            words.extend(known.setdefault(word, len(known)) for word in own)
            lengths.append(len(own))
            if own:
                openings.frombytes(hash_text(" ".join(own[:3])))
            part = (f"\n{text}" if place else text).encode("utf-8", "replace")
            size += len(part)
            packed += len(deflate.compress(part))
        self.compression = size / (packed + len(deflate.flush())) if size else None
        self.words, self.lengths, self.openings = (
            np.array(held, copy=False) for held in (words, lengths, openings)
        )

    def pairs(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """A number for each pair of neighbours, and how many pairs each text has."""
        inside = np.ones(len(self.words), dtype=bool)
        inside[np.cumsum(self.lengths, dtype=np.int64)[self.lengths > 0] - 1] = False
        last = self.words[:-1].astype(np.uint64) << np.uint64(32)
        return (last | self.words[1:])[inside[:-1]], np.maximum(self.lengths, 1) - 1


def _distinct(numbers: npt.NDArray[Any], lengths: npt.NDArray[Any], seed: int) -> Figure:
    """Different numbers by all numbers, of texts that have so many each."""

    def measure(places: Sequence[int]) -> float | None:
        drawn = np.zeros(len(lengths), dtype=bool)
        drawn[np.array(places, dtype=np.int64)] = True
        part = numbers[np.repeat(drawn, lengths)]
        part.sort()
        return (1 + int((part[1:] != part[:-1]).sum())) / len(part) if len(part) else None

    return resample_halves(range(len(lengths)), measure, seed)


def measure_distinct(words: Sequence[Sequence[str]], n: int) -> float | None:
    """Return the number of different n-grams by that of all n-grams; None where there is none."""
    grams = Counter(gram for text in words for gram in _ngrams(text, n))
    total = sum(grams.values())
    return len(grams) / total if total else None


def _ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def resample_halves(words: Sequence[T], figure: Callable[[Sequence[T]], float | None], seed: int) -> Figure:
    """Return a figure of texts with its interval by halves drawn without replacement: a bootstrap would repeat texts,
    and repeat their n-grams."""
    value = figure(words)
    if value is None or len(words) < 4:
        return nothing("fewer than four texts", len(words)) if value is None else _alone(value, len(words))
    draw = random.Random(seed)
    half = len(words) // 2
    halves = sorted(v for _ in range(DRAWS) if (v := figure(draw.sample(words, half))) is not None)
    if not halves:
        return _alone(value, len(words))
    centre = sum(halves) / len(halves)
    spread = (sum((v - centre) ** 2 for v in halves) / len(halves)) ** 0.5
    # A half drawn without replacement varies about its mean as the whole set does about its own.
    return Figure(
        value=value, low=max(0.0, value - 1.96 * spread), high=min(1.0, value + 1.96 * spread), n=len(words)
    )


def _alone(value: float, n: int) -> Figure:
    return Figure(value=value, low=0.0, high=1.0, n=n, why="too few texts for an interval")


def measure_self_bleu(words: Sequence[Sequence[str]], seed: int = 0, sample: int = SAMPLE) -> Figure:
    """Return the mean BLEU-4 of each sampled text against all others of the sample, smoothed by one (Lin and
    Och 2004).
    """
    chosen = [words[place] for place in find_sample([len(text) > 0 for text in words], seed, sample)]
    if len(chosen) < 2:
        return nothing("fewer than two texts", len(chosen))
    counts = [[Counter(_ngrams(text, n)) for n in range(1, 5)] for text in chosen]
    top = [_two_highest([own[n] for own in counts]) for n in range(4)]
    lengths = [len(text) for text in chosen]
    scores = [_bleu(i, counts[i], top, lengths) for i in range(len(chosen))]
    return mean(scores, seed)


def find_sample(fit: Sequence[bool], seed: int = 0, sample: int = SAMPLE) -> list[int]:
    """Return the places of those that fit, or of a sample of them where they are more."""
    places = [place for place, fits in enumerate(fit) if fits]
    return random.Random(seed).sample(places, sample) if len(places) > sample else places


_Top = dict[tuple[str, ...], tuple[int, int, int]]


def _two_highest(counts: Sequence[Counter[tuple[str, ...]]]) -> _Top:
    """n-gram -> highest count, whose it is, and the highest of the others: the references of any one text."""
    top: _Top = {}
    for i, own in enumerate(counts):
        for gram, number in own.items():
            best, whose, other = top.get(gram, (0, -1, 0))
            top[gram] = (number, i, best) if number > best else (best, whose, max(other, number))
    return top


def _bleu(
    i: int, own: Sequence[Counter[tuple[str, ...]]], top: Sequence[_Top], lengths: Sequence[int]
) -> float:
    logs = 0.0
    for n in range(4):
        clipped = 0
        for gram, number in own[n].items():
            best, whose, other = top[n][gram]
            clipped += min(number, other if whose == i else best)
        total, extra = sum(own[n].values()), int(n > 0)
        if not clipped + extra or not total + extra:
            return 0.0
        logs += math.log((clipped + extra) / (total + extra)) / 4
    mine = lengths[i]
    closest = min((abs(length - mine), length) for j, length in enumerate(lengths) if j != i)[1]
    return math.exp(logs) * (1.0 if mine > closest else math.exp(1 - closest / mine))
