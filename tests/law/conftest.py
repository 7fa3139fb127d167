"""A store whose lead decided sixty pairs by a rule that the constitution does not have, made once and copied.

The judge is a scripted fake whose taste depends on the words of the constitution: plumbing, no rate of anything.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.agents.models.scripted import Scripted, ScriptedChat
from solon.agents.models.scripted_answers import Question
from solon.store.reviewing.experts import ExpertRow, add_expert, find_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide

RULE = "Gives the amount with its unit."
OVERFIT = "Remembers the earlier cases."
DECIDED, UNSEEN = 60, 40
CONFIG: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "judges": [{"persona": "one judge"}],
    "generator": {"revise": False},
    "routing": {"policy": "always", "audit_share": 0.0},
    "resolver": {"enabled": False},
}


def seed_rows(first: int, number: int) -> list[dict[str, Any]]:
    """Requests with two answers; one of them, not always the first, names a unit."""
    rows = []
    for i in range(first, first + number):
        answers = [f"About {i} litres, case-{i}.", f"About {i}, for case-{i}."]
        if i % 2:
            answers.reverse()
        prompt = f"How much water does case-{i} of pump kind {i % 7} need on day {i * 13 % 31}?"
        rows.append(
            {"id": f"s{i}", "prompt": prompt, "responses": [{"text": a, "source": "given"} for a in answers]}
        )
    return rows


@dataclass
class Fake:
    """What answers for every role. `remembered`: requests that an overfitted draft knows by heart."""

    prompts: list[Question] = field(default_factory=list)
    remembered: set[str] = field(default_factory=set)
    split: bool = False
    rule_id: str = "Names_Units"

    def chat(self) -> ScriptedChat:
        return ScriptedChat(respond=self.respond)

    def respond(self, question: Question) -> dict[str, Any] | Scripted | None:
        self.prompts.append(question)
        if question.role == "critic":
            return {"findings": []}
        if question.role == "legislator":
            ids = re.findall(r"^\[([0-9a-f]{20,})\] experts decided", question.prompt, re.MULTILINE)
            change = {"action": "add", "id": self.rule_id, "text": RULE, "priority": 1}
            return {"reason": "Experts prefer amounts with a unit.", "cites": ids, "changes": [change]}
        if question.role == "resolver":
            cited = re.findall(r"^\[([0-9a-f]{20,})\] experts decided", question.prompt, re.MULTILINE)
            return {"reason": "as before", "cites": cited[:1], "verdict": "A"}
        return self.judge(question) if question.role == "judge" and question.logprobs else None

    def judge(self, question: Question) -> Scripted:
        a, b = str(question.block("Answer A")), str(question.block("Answer B"))
        right = 0.95 if "litres" in a else 0.05
        if self.split:
            p = 0.9  # whatever comes first
        elif RULE in question.system:
            p = right
        elif OVERFIT in question.system:
            p = right if question.block("request") in self.remembered else 1 - right
        else:
            first = min(a, b, key=lambda text: hashlib.sha256(text.encode()).hexdigest())
            p = 0.8 if first == a else 0.2
        return Scripted("A" if p > 0.5 else "B", {"A": p, "B": 1 - p})


@dataclass
class Court:
    """A project with its people and its fake."""

    project: Project
    fake: Fake
    ada: ExpertRow
    ben: ExpertRow

    @property
    def store(self) -> Any:
        return self.project.store

    @property
    def models(self) -> dict[str, Any]:
        return {"default": self.fake.chat()}


def answer_by_the_rule(project: Project, actor: str) -> None:
    with project.store.connect() as connection:
        waiting = list_reviews(connection, limit=1000)
    for review in waiting:
        shown = project.review(review.id).candidates
        better = next(c for c in shown if "litres" in c.text)
        case = re.search(r"case-\d+", better.text)
        why = f"It names the unit of the amount, which {case.group() if case else ''} needs."
        answer = {"choice": "prefer", "candidate": better.id, "rationale": why}
        decide(project.store, review.id, answer, actor=actor, channel="api", counts=True)


@pytest.fixture(scope="session")
def decided_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("court") / "solon.db"
    fake = Fake()
    with Project(f"sqlite:///{path}", config=CONFIG, models={"default": fake.chat()}) as project:
        for name in ("Ada", "Ben"):
            add_expert(project.store, name, role="lead", by="test")
        with project.store.connect() as connection:
            ada = find_expert(connection, "Ada")
        assert project.run("preference", seed_rows(0, DECIDED)).pending_review == DECIDED
        answer_by_the_rule(project, ada.actor)
    return path


@pytest.fixture
def court(decided_store: Path, tmp_path: Path) -> Iterator[Court]:
    for file in decided_store.parent.glob("solon.db*"):
        shutil.copy(file, tmp_path / file.name)
    fake = Fake()
    with Project(f"sqlite:///{tmp_path}/solon.db", config=CONFIG, models={"default": fake.chat()}) as project:
        with project.store.connect() as connection:
            ada, ben = find_expert(connection, "Ada"), find_expert(connection, "Ben")
        yield Court(project, fake, ada, ben)
