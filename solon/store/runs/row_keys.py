"""Keys by which items of different runs are the same: they came from the same row of seeds, or came to the same
record.

A row is what it asks, not its name, its place or the bytes of its file: the recipe, the conversation and the answers
that came with it, in whatever order. The second of two equal rows of a run is the second one in every run. A record
of another row is the same where it sets the same answers to the same conversation: one that was exported and
imported. White space around a text counts in a row, which stays as it was given, and not in a record: see `spoken`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from solon.dialogues import spell_turn
from solon.formats.seed_rows import SeedRow
from solon.formats.seeds import SeenIds
from solon.store.database.ids import keyed_hash

WIDTH = 24
"""Characters of a key without the number that tells equal rows of a run apart."""
WHITE = "".join(filter(str.isspace, map(chr, range(0x3001))))
"""Every character that `str.strip` takes away, for a database that does the same."""


class RowKeys:
    """The keys of one run's rows, to be asked for in the order of the rows. It remembers 13 to 27 bytes a row."""

    def __init__(self, store_key: str) -> None:
        self._store_key = store_key
        self._seen = SeenIds()
        self._again: Counter[str] = Counter()

    def of_seed(self, recipe: str, seed: SeedRow) -> str:
        """The key of the next row, from the row as it was read."""
        return self._key(recipe, seed.conversation(), [answer.text for answer in seed.responses])

    def of_content(self, recipe: str, content: Mapping[str, Any]) -> str:
        """The key of the next row, from the text of its seed as the store keeps it."""
        answers = [answer["text"] for answer in content.get("responses") or ()]
        return self._key(recipe, conversation_of(content), answers)

    def _key(self, recipe: str, turns: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> str:
        key = _hash(self._store_key, "row", recipe, turns, answers)
        if self._seen.add(key):
            return key
        self._again[key] += 1
        return f"{key}.{self._again[key]}"


def pair_key(
    store_key: str, recipe: str, turns: Sequence[Mapping[str, Any]], answers: Sequence[str | None]
) -> str:
    """The key of a record, from its conversation and its answers, whichever of them is chosen."""
    said = [{"role": turn["role"], "content": spoken(spell_turn(turn))} for turn in turns]
    return _hash(store_key, "pair", recipe, said, [spoken(one) for one in answers if one is not None])


def spoken(text: str) -> str:
    """A text as a model is trained on it: whatever its line ends, and without the white space around it, which chat
    templates take away."""
    return _plain(text).strip()


def _hash(
    store_key: str, kind: str, recipe: str, turns: Sequence[Mapping[str, Any]], answers: Sequence[str]
) -> str:
    spoken = [part for turn in turns for part in (turn["role"], _plain(spell_turn(turn)))]
    return keyed_hash(store_key, kind, recipe, str(len(spoken)), *spoken, *sorted(map(_plain, answers)))


def conversation_of(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chat of a stored seed up to and including the last user turn, with its `input` below it."""
    turns = [dict(turn) for turn in content.get("messages") or ()] or [
        {"role": "user", "content": content["prompt"]}
    ]
    if content.get("input"):
        turns[-1]["content"] = f"{turns[-1]['content']}\n\n{content['input']}"
    return turns


def _plain(text: str) -> str:
    """A text whatever the line ends of its file: tables are written with either."""
    return text.replace("\r\n", "\n")
