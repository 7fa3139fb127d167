"""Decided items that resemble one: by words and word pairs, as precedents are found for judges."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from solon.law.casebook import ALIKE, Index
from solon.store.lawmaking.precedents import NEWEST, PrecedentRow, all_precedents
from solon.store.reviewing.reading import seed_content
from solon.store.reviewing.review_lists import items_asked_about

if TYPE_CHECKING:
    from solon.store.database.engine import Connection

FRESH_SECONDS = 60.0
MOST = 5


class Similar:
    """An index of decided items for each recipe, made anew once a minute at most.

    Only the seen half of the precedents is in it (whoever drafts law must not read the held-out half), and no item that
    someone is still to be asked about: its answer would not be blind any more.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[float, list[PrecedentRow], Index]] = {}

    def find(
        self, connection: Connection, item_id: str, recipe: str, most: int = MOST
    ) -> list[dict[str, Any]]:
        """Return the decided items that are most similar to an item, the most similar first.

        Each has item, prompt, choice, rationale, principles and similarity in [0, 1].

        Args:
            most: how many are returned at most.
        """
        rows, index = self._index(connection, recipe)
        item, content = seed_content(connection, item_id)
        prompt = str(content.get("prompt") or "")
        if not rows or not prompt:
            return []
        open_ = items_asked_about(connection)
        scores = index.similar(prompt)
        similar: dict[str, dict[str, Any]] = {}
        for place in scores.argsort()[::-1]:
            row, score = rows[int(place)], float(scores[int(place)])
            if score < ALIKE or len(similar) >= most:
                break
            if row.item_id == item_id or row.seed_id == item["seed_id"] or row.item_id in open_:
                continue
            similar.setdefault(
                row.item_id,
                {
                    "item": row.item_id,
                    "prompt": row.request[:300],
                    "choice": row.choice,
                    "rationale": row.rationale[:600],
                    "principles": list(row.principles),
                    "similarity": round(min(1.0, score), 3),
                },
            )
        return list(similar.values())

    def _index(self, connection: Connection, recipe: str) -> tuple[list[PrecedentRow], Index]:
        made = self._made.get(recipe)
        if made is None or time.monotonic() - made[0] > FRESH_SECONDS:
            seen = [
                row
                for row in all_precedents(connection, recipe)
                if row.half == "seen" and row.overruled_at is None
            ][-NEWEST:]
            made = self._made[recipe] = (time.monotonic(), seen, Index([row.request for row in seen]))
        return made[1], made[2]
