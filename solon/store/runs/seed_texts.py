"""The texts of one seed that are stored while it is worked on, and prompts that quote them.

A prompt repeats what is stored already: the request, each answer up to four times, and the template's own last words.
It is stored without them, with the places where they stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from solon.store.database.storable import storable
from solon.store.database.store import Store
from solon.store.database.writer import Row
from solon.store.tables import calls, texts

SHORTEST = 64
"""Characters of the shortest text that is quoted: a place and an id take about 35."""
WORTH_A_ROW = 256
"""Characters of the shortest text that is stored only to be quoted: its row and places in indexes take about 170."""

Quoted = list[tuple[int, str]]
"""Place in the prompt behind its opening, and id of the text that stands there, in the order of the places."""


class SeedTexts:
    """Stores texts of a seed, and knows which of them a prompt of the same seed may quote.

    Texts of other seeds and precedents are never quoted: they would not be erased with the call that showed them.
    """

    def __init__(self, store: Store, seed_id: str, given: tuple[str, ...] = ()) -> None:
        """`given`: long parts of the seed, such as its request, which the first prompt that holds them stores."""
        self._store, self._seed = store, seed_id
        self._kept: dict[str, tuple[str, tuple[type, Row]]] = {}
        self._given = tuple(storable(body) for body in given if len(body) >= WORTH_A_ROW)

    def row(self, body: str) -> tuple[str, tuple[type, Row]]:
        """The id of a text of the seed and the row to insert for it; prompts may quote it from now on."""
        if body in self._kept:
            return self._kept[body]
        made = self._store.text_row(body, self._seed)
        if len(body) >= SHORTEST:
            self._kept[str(made[1][1]["body"])] = made
        return made

    def quote(self, prompt: str, closing: int) -> tuple[str, Quoted, list[tuple[type, Row]]]:
        """A prompt without what it quotes, what it quotes, and the rows of those texts.

        Args:
            prompt: behind its opening.
            closing: how many of its last characters are its template's own.
        """
        prompt = storable(prompt)
        spans: list[tuple[int, int, str]] = []
        rows: list[tuple[type, Row]] = []
        if closing >= SHORTEST:
            start = len(prompt) - closing
            text_id, row = self._store.shared_row(prompt[start:])
            spans.append((start, len(prompt), text_id))
            rows.append(row)
        for body in sorted({*self._kept, *self._given}, key=len, reverse=True):
            places = [at for at in _places(prompt, body) if not _overlaps(at, at + len(body), spans)]
            if places:
                text_id, row = self.row(body)
                spans += [(at, at + len(body), text_id) for at in places]
                rows.append(row)
        spans.sort()
        pieces, end = [], 0
        for start, stop, _ in spans:
            pieces.append(prompt[end:start])
            end = stop
        pieces.append(prompt[end:])
        return "".join(pieces), [(start, text_id) for start, _, text_id in spans], rows


def _places(prompt: str, body: str) -> list[int]:
    places, at = [], prompt.find(body)
    while at >= 0:
        places.append(at)
        at = prompt.find(body, at + len(body))
    return places


def _overlaps(start: int, stop: int, spans: list[tuple[int, int, str]]) -> bool:
    return any(start < other_stop and other < stop for other, other_stop, _ in spans)


def put_together(prompt: str, quoted: Iterable[tuple[int, str]], bodies: Mapping[str, str]) -> str:
    """A prompt with the texts that it quotes in their places."""
    for place, text_id in quoted:
        prompt = prompt[:place] + bodies[text_id] + prompt[place:]
    return prompt


def load_prompt(connection: Connection, call_id: str) -> str | None:
    """The whole prompt of a call as it was sent; None where any of it was erased, or there is no such call."""
    query = select(calls.c.opening_id, calls.c.prompt_id, calls.c.quoted).where(calls.c.id == call_id)
    call = connection.execute(query).one_or_none()
    if call is None:
        return None
    ids = {call.prompt_id, *(text_id for _, text_id in call.quoted or ())}
    ids |= {call.opening_id} - {None}
    rows = connection.execute(select(texts.c.id, texts.c.body).where(texts.c.id.in_(ids)))
    found: dict[str, Any] = {row.id: row.body for row in rows}
    if any(found.get(text_id) is None for text_id in ids):
        return None
    body = put_together(found[call.prompt_id], call.quoted or (), found)
    return f"{found[call.opening_id]}{body}" if call.opening_id else body
