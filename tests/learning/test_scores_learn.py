"""The recipe `instruction` with judges who accept everything and yet rank well: what they scored is learned from."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from solon import Project, generator, judge
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.questions import AcceptQuestion
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.verdicts import against_on, votes_on
from solon.store.tables import candidates, consensus_versions, items, records, texts

ITEMS = 160


def is_good(text: str) -> bool:
    return random.Random(f"good:{text.split()[-1]}").random() < 0.4


def scored(name: str, text: str, criteria: list[str]) -> dict[str, float]:
    """From 4 to 5 for everything, and mostly 5 for what is good."""
    draw = random.Random(f"{name}:{text}")
    return {one: 5.0 if draw.random() < (0.8 if is_good(text) else 0.2) else 4.0 for one in criteria}


@judge("kind", "1")
def kind(answer: str, criteria: list[str]) -> dict[str, float]:
    return scored("kind", answer, criteria)


@judge("kinder", "1")
def kinder(answer: str, criteria: list[str]) -> dict[str, float]:
    return scored("kinder", answer, criteria)


@generator("tasks", "1")
def tasks(prompt: str, seed: int) -> dict[str, str]:
    return {"instruction": f"task {seed} {seed + 1}", "response": f"answer {seed}"}


def test_scores_are_learned_from_and_judged_alike_in_the_run_and_from_the_store(tmp_path: Path) -> None:
    plugins = {f"{__name__}:{one.name}": one for one in (kind, kinder, tasks)}
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "generator": {"models": [], "python": f"{__name__}:tasks"},
        "judges": [{"python": f"{__name__}:kind"}, {"python": f"{__name__}:kinder"}],
        "routing": {"policy": "pilot", "pilot": 120, "pilot_share": 1.0, "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/scores.db", config=config) as project:
        project.plugins = plugins
        project.store.key = "5a" * 32
        project.run("instruction", [{"id": f"s{n}", "prompt": f"thing {n}"} for n in range(ITEMS)])
        ada, _ = add_expert(project.store, "Ada", role="expert", by="local:test")
        with project.store.connect() as connection:
            query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
            text_of = {row.id: row.body for row in connection.execute(query)}
            asked = [one for one in list_reviews(connection, limit=5000) if one.kind == "interrupt"]
        for review in asked:
            good = is_good(text_of[review.candidates[0]])
            said = {"choice": "accept" if good else "reject"}
            decide(project.store, review.id, said, actor=ada.actor, channel="api", counts=True)
        learned = project.learn()
        assert learned.version == 1
        lenient = r"python:kind@1\S* is lenient \(accepts 100% of the \d+ that experts reject\), "
        assert re.match(lenient + r"a good ranker by its scores \(0\.\d\d\)", learned.told), learned.told
        assert project.learned()["versions"][-1]["told"] == learned.told
        project.resume()
        with project.store.connect() as connection:
            payload = connection.execute(
                select(consensus_versions.c.payload).where(consensus_versions.c.number == 1)
            ).scalar_one()
            model = ConsensusModel.from_json(payload)
            judged = connection.execute(
                select(items.c.id, items.c.attempt, records.c.shown, records.c.confidence)
                .join(records, records.c.item_id == items.c.id)
                .where(records.c.superseded_at.is_(None), records.c.decision_id.is_(None))
            ).all()
            votes = votes_on(connection, [(row.id, row.attempt, row.shown) for row in judged])
            against = against_on(connection, [(AcceptQuestion(), tuple(row.shown)) for row in judged])
        assert model.ratings
        high = dict.fromkeys(model.rubric, 5.0)
        low = dict.fromkeys(model.rubric, 4.0)
        said = next(iter(votes.values()), ())
        assert {vote.outcome for vote in said} <= {"accept"}
        assert all(vote.rated for vote in said)
        by = [
            judge_item(model, [_as(vote, rated) for vote in said]).posterior["accept"]
            for rated in (high, low)
        ]
        assert by[0] > 0.5 > by[1]
        for row in judged:
            found = judge_item(model, votes[row.id], against=against[tuple(row.shown)])
            assert found.confidence == pytest.approx(row.confidence, abs=1e-6)
        assert project.export("jsonl", tmp_path / "set.jsonl")


def _as(vote: Vote, rated: dict[str, float]) -> Vote:
    return replace(vote, rated=rated)
