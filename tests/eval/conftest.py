"""A store in which everything has happened once: a pilot answered by experts, second opinions, audits, a certificate.

The panel is the scripted fake and the experts are drawn: figures made from it show plumbing, never quality.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from solon import Project
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.records.evaluation import records_of
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.overlaps import half_of
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.items import load_items
from solon.store.tables.people import Assignment

CONFIG: dict[str, Any] = {
    "models": {
        "default": {"model": "scripted:default", "price": {"input": 1.0, "output": 2.0}},
        "other": {"model": "scripted:split", "price": {"input": 3.0, "output": 4.0}},
    },
    "judges": [
        {"model": "default", "persona": "a careful expert"},
        {"model": "other", "persona": "the person who asked"},
    ],
    "generator": {"revise": False},
    "routing": {"policy": "pilot", "pilot": 60, "pilot_share": 0.5, "audit_share": 0.4, "alpha": 0.4},
}


def seed_rows(n: int) -> list[dict[str, object]]:
    return [
        {
            "id": f"s{i}",
            "prompt": f"Explain topic {i * 7919 % 1000} in two sentences.",
            "group": f"g{i // 2}",
            "specialty": "law" if i % 3 else "medicine",
            "lang": "en",
            "source": "made for tests",
            "licence": "CC0-1.0" if i % 2 else None,
        }
        for i in range(n)
    ]


@dataclass(frozen=True)
class Known:
    """What the fixture did, for tests to count against."""

    url: str
    folder: Path
    run_id: str
    experts: tuple[str, str]
    pilots: int
    seconds: int
    overlaps: int
    audits: int
    audits_agreed: int
    local: int
    config: dict[str, Any]
    rows: list[dict[str, object]]


def _waiting(project: Project, kind: str, rule: str | None = None) -> list[ReviewRow]:
    with project.store.connect() as connection:
        found = [r for r in list_reviews(connection, limit=10_000) if r.kind == kind]
    names = {item.id: item.external_id for item in load_items(project.store, [r.item_id for r in found])}
    # By name: ids differ from one making of the store to the next, and nothing here may depend on them.
    return sorted((r for r in found if rule is None or r.rule == rule), key=lambda r: names[r.item_id])


def _second(store: Store, review: ReviewRow, actor: str, candidate: str) -> None:
    now = time.time()
    row = {
        "id": f"second-{review.id}"[:64],
        "review_id": review.id,
        "actor": actor,
        "state": "second",
        "token": f"t-{review.id}",
        "opened_at": now,
        "expires_at": now,
        "closed_at": now,
        "answer": {"choice": "prefer", "candidate": candidate, "principles": ["true-claims"]},
    }
    with store.transaction() as connection:
        insert_rows(connection, [(Assignment, row)])


def _without_token(project: Project, review: ReviewRow) -> None:
    answer = {"choice": "prefer", "candidate": review.candidates[0]}
    decide(project.store, review.id, answer, actor="local:test", channel="python")


def _make(folder: Path) -> Known:
    url = f"sqlite:///{folder}/solon.db"
    draw = random.Random(5)
    with Project(url, config=CONFIG) as project, project.store.transaction() as connection:
        connection.execute(text("UPDATE meta SET value = :key WHERE name = 'key'"), {"key": "5" * 64})
    with Project(url, config=CONFIG) as project:
        actors = tuple(
            add_expert(project.store, name, by="local:test", specialties=["law"], credential="licensed")[
                0
            ].actor
            for name in ("Ada Secretname", "Grace Secretname")
        )
        project.run("preference", seed_rows(80))
        pilots = _waiting(project, "interrupt", "pilot")
        overlaps = _waiting(project, "overlap")
        twice = {review.item_id for review in overlaps}
        # One pilot is answered without an expert's token, as runs made before may hold it, whatever else ids decide.
        # How many reviews are left at the end does depend on them, since audits and overlaps are drawn by item id, and
        # what is learned by both. It is none of the held-out half, where it would be a question that was passed over.
        own = next(r for r in pilots if r.item_id not in twice and _half(project, r) == "seen")
        pilots.remove(own)
        _without_token(project, own)
        seconds = 0
        for review in pilots:
            pick = _better(project, review)
            answer = {
                "choice": "prefer",
                "candidate": review.candidates[pick],
                "principles": ["true-claims"],
                "rationale": "It is <b>right</b>.",
            }
            times = {"opened_at": time.time() - 30, "active_seconds": 20.0}
            decide(project.store, review.id, answer, actor=actors[0], channel="api", counts=True, times=times)
            if draw.random() < 0.3 and review.item_id not in twice:
                other = pick if draw.random() < 0.8 else 1 - pick
                _second(project.store, review, actors[1], review.candidates[other])
                seconds += 1
        for review in overlaps:
            pick = _better(project, review) if draw.random() < 0.9 else 0
            answer = {"choice": "prefer", "candidate": review.candidates[pick]}
            decide(project.store, review.id, answer, actor=actors[1], channel="api", counts=True)
        project.resume()
        project.learn()
        project.resume()
        # An item that a new consensus version moved may be audited in both its attempts; figures count items.
        audits = list({review.item_id: review for review in _waiting(project, "audit")}.values())
        agreed = 0
        for number, review in enumerate(audits):
            chosen = _chosen(project, review)
            pick = chosen if number % 10 else next(c for c in review.candidates if c != chosen)
            agreed += pick == chosen
            flags = {chosen: ["unsafe"]} if number == 0 else {}
            answer = {"choice": "prefer", "candidate": pick, "flags": flags}
            decide(project.store, review.id, answer, actor=actors[1], channel="api", counts=True)
        rest = _waiting(project, "interrupt")[:3]
        for review in rest:
            _without_token(project, review)
        project.resume()
        run_id = project.summarize().run_id
    return Known(
        url=url,
        folder=folder,
        run_id=run_id,
        experts=(actors[0], actors[1]),
        pilots=len(pilots),
        seconds=seconds,
        overlaps=len(overlaps),
        audits=len(audits),
        audits_agreed=agreed,
        local=1 + len(rest),
        config=CONFIG,
        rows=seed_rows(80),
    )


def _half(project: Project, review: ReviewRow) -> str:
    [item] = load_items(project.store, [review.item_id])
    row = next(row for row in seed_rows(80) if row["id"] == item.external_id)
    return half_of(project.store.key, str(row["group"]))


def _better(project: Project, review: ReviewRow) -> int:
    from solon.store.runs.verdicts import votes_on

    with project.store.connect() as connection:
        votes = votes_on(connection, [(review.item_id, review.attempt, review.candidates)])[review.item_id]
    known = [vote.p for vote in votes if vote.p is not None and vote.judge.endswith("default")]
    return 0 if not known or sum(known) / len(known) > 0.5 else 1


def _chosen(project: Project, review: ReviewRow) -> str:
    """What the audited record chose; a later attempt may have replaced it since."""
    with project.store.connect() as connection:
        found = records_of(connection, [(review.item_id, review.attempt)])[review.item_id, review.attempt]
    assert found.chosen_id is not None
    return found.chosen_id


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Made once, never changed: tests that write take `copied`."""
    return _make(tmp_path_factory.mktemp("decided"))


@pytest.fixture
def store(known: Known) -> Iterator[Store]:
    with Store(known.url) as opened:
        yield opened


@pytest.fixture
def copied(known: Known, tmp_path: Path) -> str:
    """The URL of a copy that may be changed."""
    for file in known.folder.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path / file.name)
    return f"sqlite:///{tmp_path}/solon.db"


@pytest.fixture
def solon(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line in this process, in an empty folder: its exit code, output and errors."""
    from solon.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call
