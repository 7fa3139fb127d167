"""Texts as vectors, by the small static model in wordllama's wheel: no download, no accelerator. Extra `embeddings`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from solon.config.sections import LawConfig

LONGEST = 2000
"""Characters of a text that are looked at: how a request begins says what it is about."""


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


def embed(texts: Sequence[str]) -> NDArray[np.float64]:
    """Texts as (n, 256) vectors of length 1; a text without a known word gives zeros. Needs the extra, see
    `can_embed`."""
    import numpy as np

    if not texts:
        return np.zeros((0, 256))
    vectors = np.asarray(_model().embed([text[:LONGEST] or " " for text in texts]), dtype=np.float64)
    vectors = np.nan_to_num(vectors)
    length = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.where(length > 0.0, length, 1.0))


@cache
def _model() -> Any:
    import wordllama

    # Its tokenizer lies in the wheel too, but is looked for there only when the wheel is named as the cache.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
