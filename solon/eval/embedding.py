"""Texts as unit vectors, without network: by meaning where the extra is installed, else by words (and it says so)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from solon.agents.models.embedding import can_embed, embed, embed_words
from solon.consensus.ballots import Floats

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
    if can_embed():
        return Embedder("wordllama l2_supercat 256", partial(embed, longest=MOST))
    return Embedder(
        "hashed words",
        partial(embed_words, longest=MOST),
        (
            "likeness is of words, not of meaning: wordllama is not installed "
            '(pip install "solon[embeddings]")',
        ),
    )
