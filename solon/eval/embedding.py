"""Texts as unit vectors, without network: by wordllama where it is installed, else by hashed words (and it
says so).
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from solon.consensus.ballots import Floats
from solon.eval.writing import find_words

WIDTH = 512
MOST = 20_000
"""Characters of a text that are looked at."""


@dataclass(frozen=True, slots=True)
class Embedder:
    """What turns texts into vectors.

    Attributes:
        name: what makes the vectors.
        embed: returns unit rows (n, width) of n texts; of an empty text, zeros.
        notes: what a reader of figures made with it should know.
    """

    name: str
    embed: Callable[[Sequence[str]], Floats]
    notes: tuple[str, ...] = ()


def load_embedder() -> Embedder:
    """Return the best embedder that is installed."""
    if importlib.util.find_spec("wordllama") is not None:
        import wordllama

        # The package ships its weights and tokenizer, but looks for the latter in another folder than its own, and
        # would go to the network for it: told where it lies, it does not.
        folder = Path(wordllama.__file__).parent
        model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
        return Embedder("wordllama l2_supercat 256", lambda texts: _by_model(model, texts))
    return Embedder(
        "hashed words",
        embed_hashed,
        (
            "likeness is of words, not of meaning: wordllama is not installed "
            '(pip install "solon[embeddings]")',
        ),
    )


def _by_model(model: Any, texts: Sequence[str]) -> Floats:
    if not texts:
        return np.zeros((0, 256))
    vectors = np.asarray(model.embed([text[:MOST] or " " for text in texts]), dtype=np.float64)
    return _unit(np.nan_to_num(vectors))


def embed_hashed(texts: Sequence[str]) -> Floats:
    """Return unit rows (n, WIDTH) by signed hashing of words and word pairs with log counts (Weinberger et
    al. 2009).
    """
    vectors = np.zeros((len(texts), WIDTH))
    for row, text in enumerate(texts):
        words = find_words(text[:MOST])
        counts: dict[str, int] = {}
        for gram in (*words, *(" ".join(pair) for pair in pairwise(words))):
            counts[gram] = counts.get(gram, 0) + 1
        for gram, count in counts.items():
            digest = int.from_bytes(
                hashlib.blake2b(gram.encode("utf-8", "replace"), digest_size=8).digest(), "big"
            )
            sign = 1.0 if digest >> 63 else -1.0
            vectors[row, digest % WIDTH] += sign * np.log1p(count)
    return _unit(vectors)


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0))
