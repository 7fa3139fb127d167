"""A run with a scripted panel and a pilot, and people who side with the panel as often as they are told to."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import text

from solon import Project
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide

ROUTING = {"policy": "pilot", "pilot": 80, "pilot_share": 0.5, "audit_share": 0.2}


def make_project(folder: Path, also: dict[str, Any] | None = None, **routing: Any) -> Project:
    """The key is fixed, since the scripted verdicts depend on it: the same ones in every run of the tests."""
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "generator": {"revise": False},
        "routing": {**ROUTING, **routing},
        **(also or {}),
    }
    made = Project(f"sqlite:///{folder}/solon.db", config=config)
    made.store.key = "5a" * 32
    return made


def query(project: Project, sql: str) -> list[tuple[object, ...]]:
    with project.store.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def answer_all(
    project: Project,
    rule: str,
    *,
    right: float,
    counts: bool = True,
    seed: int = 1,
    kind: str = "interrupt",
    actor: str = "expert:test",
) -> int:
    """Answer as an expert who sides with the panel's mean at the given rate. Of several reviews of one item the
    second is answered by `actor` 2, and so on: nobody is asked the same twice."""
    draw = random.Random(seed)
    with project.store.connect() as connection:
        rows = list_reviews(connection, limit=10_000)
    waiting = [r for r in rows if r.rule == rule and r.kind == kind]
    before: Counter[str] = Counter()
    for review in waiting:
        sql = f"SELECT avg(p) FROM verdicts WHERE a_id = '{review.candidates[0]}' AND attempt = {review.attempt}"
        [(mean,)] = query(project, sql)
        best = 0 if mean is None or float(str(mean)) > 0.5 else 1
        pick = best if draw.random() < right else 1 - best
        answer = {"choice": "prefer", "candidate": review.candidates[pick]}
        before[review.item_id] += 1
        who = actor if before[review.item_id] == 1 else f"{actor}{before[review.item_id]}"
        decide(project.store, review.id, answer, actor=who, channel="api", counts=counts)
    return len(waiting)


def seeds(n: int) -> list[str]:
    return [f"Explain topic {i * 7919 % 1000} in two sentences." for i in range(n)]
