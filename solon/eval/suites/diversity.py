"""How varied prompts and answers are: n-grams, self-BLEU, compression, openings, spread, clusters, coverage."""

from __future__ import annotations

import math
import random
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.ballots import Ints
from solon.eval.embedding import Embedder, load_embedder
from solon.eval.material import spell_sample
from solon.eval.result import NO_RECORDS, Figure, SuiteResult, mean, nothing
from solon.eval.spread import Spread, measure_spread
from solon.store.records import counts, evaluation
from solon.words import find_words

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.formats.records import ExportRow

T = TypeVar("T")
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
    rows, seen = material.records()
    asked: dict[str, str] = {}
    for row in rows:
        asked.setdefault(row.prompt, row.id)
    prompts = list(asked)
    answered = [(row.id, row.answer) for row in rows if row.answer]
    answers = [text for _, text in answered]
    embedder = load_embedder()
    with material.store.connect() as connection:
        stated = counts.seed_attributes(connection, material.run_ids)
    return Diversity(
        suite="diversity",
        n=len(rows),
        prompts=measure_variety(prompts, material.seed),
        answers=measure_variety(answers, material.seed),
        embedding=embedder.name,
        prompts_spread=measure_spread(list(asked.values()), prompts, embedder.embed, material.seed),
        answers_spread=measure_spread([name for name, _ in answered], answers, embedder.embed, material.seed),
        from_seeds=_from_seeds(material, rows, embedder),
        coverage=measure_coverage(rows, stated),
        notes=(*spell_sample(len(rows), seen), *embedder.notes),
    )


def _from_seeds(material: Material, rows: Sequence[ExportRow], embedder: Embedder) -> Figure:
    """Of records whose prompt is not their seed's own: recipes of instructions write new ones."""
    with material.store.connect() as connection:
        asked = evaluation.seed_prompts(connection, sorted({row.lineage["item"] for row in rows}))
    pairs = [
        (row.prompt, seed)
        for row in rows
        if (row.recipe == "instruction" or "descent" in row.lineage)
        and (seed := asked.get(row.lineage["item"])) is not None
        and seed != row.prompt
    ]
    far: list[float] = []
    for start in range(0, len(pairs), 1000):
        new, old = (embedder.embed([pair[side] for pair in pairs[start : start + 1000]]) for side in (0, 1))
        far += (1.0 - (new * old).sum(axis=1)).tolist()
    return mean(far, material.seed, "no record has a prompt other than its seed's")


def measure_coverage(
    rows: Sequence[ExportRow], stated: Mapping[str, tuple[str | None, tuple[str, ...]]]
) -> dict[str, dict[str, int]]:
    """Return the number of records by attribute and value, the 50 commonest values of each.

    Args:
        stated: item -> specialty and tags of its seed.
    """
    about = [stated.get(row.lineage["item"], (None, ())) for row in rows]
    values_of: dict[str, Counter[str]] = {
        "language": Counter(row.lang or NOT_STATED for row in rows),
        "recipe": Counter(row.recipe for row in rows),
        "route": Counter(row.route for row in rows),
        "specialty": Counter(specialty or NOT_STATED for specialty, _ in about),
        "tags": Counter(tag for _, tags in about for tag in tags or (NOT_STATED,)),
        "licence": Counter(row.licence or NOT_STATED for row in rows),
        "source": Counter(row.source or NOT_STATED for row in rows),
    }
    columns = sorted({name for row in rows for name in row.metadata})
    for name in columns:
        values = [row.metadata.get(name) for row in rows]
        plain = [value for value in values if isinstance(value, str | bool | int)]
        different = len(set(plain))
        # A column that says something new of nearly every record is no attribute but a name or a text.
        if plain and different <= min(MOST_VALUES, len(plain) / 2) and max(len(str(v)) for v in plain) <= 80:
            values_of[f"metadata: {name}"] = Counter(
                NOT_STATED if value is None else str(value) for value in values
            )
    return {name: dict(counted.most_common(50)) for name, counted in values_of.items()}


def measure_variety(texts: Sequence[str], seed: int = 0) -> Variety:
    """Return every figure of one set of texts."""
    known: dict[str, int] = {}
    numbers = [number_words(find_words(text), known) for text in texts]
    opening = [" ".join(w[:3]) for text in texts if (w := find_words(text))]
    openings = Counter(opening)
    shared = [float(openings[begun] > 1) for begun in opening]
    likened = find_sample([len(w) > 0 for w in numbers], seed)
    return Variety(
        texts=len(texts),
        distinct_1=resample_halves(numbers, _distinct, seed),
        distinct_2=resample_halves([pair_numbers(own) for own in numbers], _distinct, seed),
        self_bleu=measure_self_bleu([find_words(texts[place]) for place in likened], seed),
        compression=_compression(texts),
        same_opening=mean(shared, seed),
        openings={name: n for name, n in openings.most_common(10) if n > 1},
    )


def _compression(texts: Sequence[str]) -> float | None:
    """Size by compressed size of the texts, a line each."""
    deflate, size, packed = zlib.compressobj(9), 0, 0
    for place, text in enumerate(texts):
        part = (f"\n{text}" if place else text).encode("utf-8", "replace")
        size += len(part)
        packed += len(deflate.compress(part))
    return size / (packed + len(deflate.flush())) if size else None


def number_words(words: Sequence[str], known: dict[str, int]) -> Ints:
    """Return a number for each word, the same for the same; `known` keeps those that were given."""
    return np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int64)


def pair_numbers(numbers: Ints) -> Ints:
    """Return a number for each pair of neighbours among words that have numbers below 2**31."""
    return (numbers[:-1] << 32) | numbers[1:]


def _distinct(part: Sequence[Ints]) -> float | None:
    """Different numbers by all numbers; None where there is none."""
    together = np.concatenate(part) if part else np.empty(0)
    return len(np.unique(together)) / len(together) if len(together) else None


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
