"""Projects on the scripted fake: no model stands behind any answer here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from solon.agents.models.scripted import ScriptedChat
from solon.project import Project
from solon.store import tables
from solon.store.tables import table_of

Answer = Callable[[Any], Any]


@dataclass
class Desk:
    """A project with the fake behind it. `answer` may be changed between runs; None leaves it to the fake's rules."""

    url: str
    settings: dict[str, Any]
    answer: Answer | None = None
    chat: ScriptedChat = field(default_factory=ScriptedChat)
    _project: Project | None = None

    def __post_init__(self) -> None:
        self.chat = ScriptedChat(
            name=self.settings["models"]["default"]["model"].split(":", 1)[1],
            script={"otherwise": "split" if self.settings.pop("split", False) else "default"},
            respond=lambda question: self.answer(question) if self.answer else None,
        )

    @property
    def project(self) -> Project:
        if self._project is None:
            self._project = Project(self.url, config=self.settings, models={"default": self.chat})
        return self._project

    def close(self) -> None:
        """As when the process ends; the next use opens the store again."""
        if self._project is not None:
            self._project.close()
            self._project = None

    def read(self, query: Callable[[Connection], Any]) -> Any:
        with self.project.store.connect() as connection:
            return query(connection)

    def rows(self, table: str) -> list[dict[str, Any]]:
        columns = table_of(getattr(tables, table))
        return [dict(r) for r in self.read(lambda c: c.execute(select(columns)).mappings().all())]

    def count(self, table: str) -> int:
        columns = table_of(getattr(tables, table))
        return int(self.read(lambda c: c.execute(select(func.count()).select_from(columns)).scalar_one()))

    def states(self) -> dict[str, int]:
        return dict(Counter(row["state"] for row in self.rows("Item")))

    def text(self, text_id: str) -> str:
        (body,) = [row["body"] for row in self.rows("Text") if row["id"] == text_id]
        return str(body)

    def record_texts(self) -> list[tuple[Any, ...]]:
        """What the records in force say, without ids and times."""
        bodies = {row["id"]: row["body"] for row in self.rows("Text")}
        texts = {row["id"]: bodies[row["text_id"]] for row in self.rows("Candidate")}
        seeds = {row["id"]: row["seed_id"] for row in self.rows("Item")}
        return sorted(
            (
                seeds[row["item_id"]],
                row["kind"],
                row["route"],
                texts.get(row["chosen_id"]) or "",
                texts.get(row["rejected_id"]) or "",
                row["margin"],
            )
            for row in self.rows("Record")
            if row["superseded_at"] is None
        )


def merge(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if nested else value
    return merged


BASE: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "routing": {"policy": "threshold", "audit_share": 0.0},
}


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes a project; `url` for another database than a file in the test's folder."""
    made: list[Desk] = []

    def make(url: str = "", answer: Answer | None = None, **settings: Any) -> Desk:
        desk = Desk(url or f"sqlite:///{tmp_path / 'store.db'}", merge(BASE, settings), answer)
        made.append(desk)
        return desk

    yield make
    for desk in made:
        desk.close()
