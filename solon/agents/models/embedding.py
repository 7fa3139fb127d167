"""Texts as vectors: by the small static model in wordllama's wheel (no download, no accelerator; extra `embeddings`),
or by their words alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.errors import ConfigError
from solon.words import find_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from solon.config.sections import LawConfig

LONGEST = 2000
"""Characters of a text that are looked at: how a request begins says what it is about."""
WIDTH = 512
"""Numbers of a vector of words."""


def check_embedding(law: LawConfig) -> None:
    """Check that requests can be compared as the configuration asks.

    Raises:
        ConfigError: by meaning, and the extra that does it is not installed.
    """
    if law.similarity == "meaning" and not can_embed():
        raise ConfigError(
            '[law] similarity = "meaning" needs an embedding model',
            next_step="pip install 'solon[embeddings]'",
        )


def can_embed() -> bool:
    """Whether the extra `embeddings` is installed."""
    return find_spec("wordllama") is not None


def embed(texts: Sequence[str], longest: int = LONGEST) -> NDArray[np.float64]:
    """Texts as (n, 256) vectors of length 1; a text without a known word gives zeros. Needs the extra, see
    `can_embed`.

    Args:
        longest: characters of a text that are looked at.
    """
    import numpy as np

    if not texts:
        return np.zeros((0, 256))
    vectors = np.asarray(_model().embed([text[:longest] or " " for text in texts]), dtype=np.float64)
    return _unit(np.nan_to_num(vectors))


def embed_words(texts: Sequence[str], longest: int = LONGEST) -> NDArray[np.float64]:
    """Texts as (n, WIDTH) vectors of length 1, by signed hashing of words and word pairs with log counts (Weinberger et
    al. 2009); an empty text gives zeros.

    Args:
        longest: characters of a text that are looked at.
    """
    import numpy as np

    vectors = np.zeros((len(texts), WIDTH))
    for row, text in enumerate(texts):
        words = find_words(text[:longest])
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


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0.0, length, 1.0))


@cache
def _model() -> Any:
    import wordllama

    # Its tokenizer lies in the wheel too, but is looked for there only when the wheel is named as the cache.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
