"""How far texts are spread in a space of embeddings: the Vendi score, and clusters with examples. numpy only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.ballots import Floats, Ints
from solon.eval.result import Figure, nothing
from solon.words import find_words

SAMPLE = 2000
DRAWS = 50
ROUNDS = 50
EXAMPLES = 3
COMMON = 3
"""A word names a cluster only where so many of its texts have it: no single text shows through."""


class Cluster(BaseModel):
    """Texts that are near each other.

    Attributes:
        texts: how many there are.
        share: of all texts that were looked at.
        likeness: mean cosine to the middle of the cluster.
        words: what sets it apart from the other texts.
        examples: names of the texts nearest its middle.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    texts: int
    share: float
    likeness: float
    words: tuple[str, ...]
    examples: tuple[str, ...]


class Spread(BaseModel):
    """How far texts are spread in a space of embeddings.

    Attributes:
        sampled: texts that were looked at.
        vendi: as how many unlike texts the set counts, with the cosine as kernel (Friedman and Dieng 2023).
            It grows with the set, so compare sets of one size only, or `vendi_share`.
        vendi_share: `vendi` by the number of texts; None with fewer than four texts.
        clusters: the largest first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampled: int
    vendi: Figure
    vendi_share: float | None
    clusters: tuple[Cluster, ...]


def measure_spread(
    named: Iterable[tuple[str, str]],
    n: int,
    embed: Callable[[Sequence[str]], Floats],
    seed: int = 0,
    most: int = 8,
) -> Spread:
    """Return how far texts are spread; of more than SAMPLE a sample is taken.

    Args:
        named: (name, text) of each, read once; names are for examples.
        n: how many there are.
        embed: returns unit rows (n, width) of n texts.
        most: clusters at most.
    """
    if n < 4:
        return Spread(
            sampled=n, vendi=nothing("fewer than four texts", n, high=float(n)), vendi_share=None, clusters=()
        )
    draw = np.random.default_rng(seed)
    chosen = set(draw.permutation(n)[:SAMPLE].tolist())
    names, texts = zip(*(pair for place, pair in enumerate(named) if place in chosen), strict=True)
    part = embed(texts)
    score = measure_vendi(part)
    halves = [measure_vendi(part[draw.permutation(len(part))[: len(part) // 2]]) for _ in range(DRAWS)]
    # A half varies about its own mean as the whole does about its own; the score itself grows with the set.
    width = 1.96 * float(np.std(halves)) * score / float(np.mean(halves))
    figure = Figure(
        value=score, low=max(1.0, score - width), high=min(float(len(part)), score + width), n=len(part)
    )
    clusters = _clusters(names, texts, part, min(most, len(part) // 4), draw)
    return Spread(sampled=len(part), vendi=figure, vendi_share=score / len(part), clusters=clusters)


def measure_vendi(vectors: Floats) -> float:
    """Return the Vendi score: exp of the entropy of the eigenvalues of the kernel over n.

    Where it is smaller, the covariance is taken, which has the same eigenvalues.
    """
    kernel = vectors.T @ vectors if vectors.shape[1] < len(vectors) else vectors @ vectors.T
    values = np.linalg.eigvalsh(kernel / len(vectors))
    values = values[values > 1e-12]
    values = values / values.sum() if len(values) else values
    return float(np.exp(-(values * np.log(values)).sum()))


def _clusters(
    names: Sequence[str], texts: Sequence[str], vectors: Floats, k: int, draw: np.random.Generator
) -> tuple[Cluster, ...]:
    if k < 2:
        return ()
    place, centres = group_vectors(vectors, k, draw)
    words = [set(find_words(text)) for text in texts]
    everywhere = Counter(word for own in words for word in own)
    clusters = []
    for number in range(k):
        own = np.flatnonzero(place == number)
        if not len(own):
            continue
        near = vectors[own] @ centres[number]
        clusters.append(
            Cluster(
                texts=len(own),
                share=len(own) / len(texts),
                likeness=float(near.mean()),
                words=_telling([words[i] for i in own], everywhere, len(texts)),
                examples=tuple(names[own[i]] for i in np.argsort(-near, kind="stable")[:EXAMPLES]),
            )
        )
    return tuple(sorted(clusters, key=lambda cluster: -cluster.texts))


def group_vectors(vectors: Floats, k: int, draw: np.random.Generator) -> tuple[Ints, Floats]:
    """Return the cluster of each row and the unit centres, by spherical k-means with k-means++ starts."""
    first = int(draw.integers(len(vectors)))
    centres = vectors[[first]]
    while len(centres) < k:
        far = np.clip(1.0 - (vectors @ centres.T).max(axis=1), 0.0, None) ** 2
        chances = far / far.sum() if far.sum() > 0 else None
        centres = np.vstack([centres, vectors[int(draw.choice(len(vectors), p=chances))]])
    place = np.full(len(vectors), -1, dtype=np.int64)
    for _ in range(ROUNDS):
        moved = np.asarray((vectors @ centres.T).argmax(axis=1), dtype=np.int64)
        if (moved == place).all():
            break
        place = moved
        for number in range(k):
            own = vectors[place == number].sum(axis=0)
            length = float(np.linalg.norm(own))
            if length > 0:
                centres[number] = own / length
    return place, centres


def _telling(words: Sequence[set[str]], everywhere: Counter[str], n: int) -> tuple[str, ...]:
    """Words that are commoner here than elsewhere, by the difference of their shares."""
    here = Counter(word for own in words for word in own)
    gain = {
        word: count / len(words) - everywhere[word] / n
        for word, count in here.items()
        if count >= COMMON and len(word) > 3
    }
    ordered = sorted(gain.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(word for word, value in ordered[:5] if value > 0.05)
