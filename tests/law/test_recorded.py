"""Law-making over recorded decisions: experts' written justifications as the legislator's input, and the choice
between two rubrics on half of the items.

The legislator is scripted: what is shown is that it gets and cites the right decisions, not that it writes good rules.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.agents.models.scripted import ScriptedChat
from solon.agents.models.scripted_answers import Question
from solon.law.impact import Trial, judge, measure
from solon.lawmaking.drafting import Legislated, legislate
from solon.store.database.ids import hash_id
from solon.store.lawmaking.precedents import PrecedentRow, all_precedents
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide

from .conftest import CONFIG

DATA = Path(os.environ.get("SOLON_DATA") or Path(__file__).parents[2] / "../shared/data")
ROWS = 120
JUDGES = ("gpt-5.4", "gpt-5.4-mini", "claude-sonnet-4.6", "claude-haiku-4.5")


def read(name: str) -> list[dict[str, Any]]:
    file = DATA / name
    if not file.is_file():
        pytest.skip(f"no recorded data at {file}: set SOLON_DATA to its folder")
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@dataclass
class Legislator:
    """Cites all that it was shown, and where it has `others`, decisions that it was not shown too."""

    prompts: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def respond(self, question: Question) -> dict[str, Any] | None:
        if question.role == "critic":
            return {"findings": []}
        if question.role != "legislator":
            return None
        self.prompts.append(question.prompt)
        shown = re.findall(r"^\[([0-9a-f]{20,})\] experts decided", question.prompt, re.MULTILINE)
        change = {
            "action": "add",
            "id": f"rule-{len(self.prompts)}",
            "text": f"Follows rule {len(self.prompts)}.",
        }
        return {"reason": "as experts say", "cites": [*self.others[:3], *shown], "changes": [change]}


@dataclass
class Recorded:
    made: Legislated
    forged: Legislated
    prompts: list[str]
    precedents: list[PrecedentRow]
    justification: dict[str, str]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Experts' recorded choices between two long answers, decided with their own words, then legislated on."""
    rows = read("lfqa_expert.jsonl")[:ROWS]
    seeds = [
        {
            "id": row["id"],
            "prompt": row["prompt"],
            "group": hash_id(row["prompt"]),  # several rows compare other answers to the same question
            "responses": [{"text": row[f"response_{side}"], "source": "given"} for side in "ab"],
        }
        for row in rows
    ]
    by_texts = {frozenset(row[f"response_{side}"].strip() for side in "ab"): row for row in rows}
    fake = Legislator()
    models = {"default": ScriptedChat(respond=fake.respond)}
    url = f"sqlite:///{tmp_path_factory.mktemp('recorded')}/solon.db"
    with Project(url, config=CONFIG, models=models) as project:
        project.run("preference", seeds)
        ada, _ = add_expert(project.store, "Ada", role="lead", by="test")
        with project.store.connect() as connection:
            waiting = [r for r in list_reviews(connection, limit=1000) if r.kind == "interrupt"]
        why = {}
        for review in waiting:
            seen = project.review(review.id)
            row = by_texts[frozenset(c.text.strip() for c in seen.candidates)]
            preferred = row[f"response_{row['gold'].lower()}"].strip()
            better = next(c for c in seen.candidates if c.text.strip() == preferred)
            answer = {
                "choice": "prefer",
                "candidate": better.id,
                "rationale": row["expert_justification"].strip() or "no reason was written",
            }
            decision = decide(
                project.store, review.id, answer, actor=ada.actor, channel="import", counts=True
            )
            why[decision] = row["expert_justification"]
        with project.store.connect() as connection:
            precedents = all_precedents(connection)
        made = asyncio.run(legislate(project.store, project.config, models=models))
        prompts = list(fake.prompts)
        fake.others = [row.decision_id for row in precedents if row.half == "held_out"]
        forged = asyncio.run(legislate(project.store, project.config, models=models))
        yield Recorded(made, forged, prompts, precedents, why)


def test_amendments_cite_decisions_that_the_legislator_was_shown(recorded: Recorded) -> None:
    assert recorded.made.decisions > 30
    assert recorded.made.amendments, recorded.made.problems
    known = {row.decision_id: row for row in recorded.precedents}
    for amendment, prompt in zip(recorded.made.amendments, recorded.prompts, strict=True):
        shown = set(re.findall(r"^\[([0-9a-f]{20,})\] experts decided", prompt, re.MULTILINE))
        assert set(amendment.cites) == shown
        assert len(shown) >= 3
        for cited in amendment.cites:
            begins = " ".join(recorded.justification[cited].split())[:40]
            assert begins in prompt
            assert known[cited].half == "seen"


def test_nothing_of_the_held_out_half_reaches_the_legislator(recorded: Recorded) -> None:
    held_out = [row for row in recorded.precedents if row.half == "held_out"]
    assert 0.3 * ROWS < len(held_out) < 0.7 * ROWS
    for prompt in recorded.prompts:
        for row in held_out:
            assert row.decision_id not in prompt
            assert " ".join(row.request.split())[:60] not in prompt
    cited = {name for amendment in recorded.made.amendments for name in amendment.cites}
    assert not cited & {row.decision_id for row in held_out}


def test_a_draft_that_cites_what_it_was_not_shown_is_refused(recorded: Recorded) -> None:
    assert recorded.forged.clusters > 0
    assert recorded.forged.amendments == []
    assert set(recorded.forged.problems) == {"the legislator gave no answer (bad_output)"}


# The choice between two rubrics ----------------------------------------------------------------------------------


def best_of(row: dict[str, Any], judges: tuple[str, ...], prompt: str) -> str | None:
    """The response with the highest mean score over samples and judges; ties by an order that knows nothing.

    The right response always stands first in the file.
    """
    order = list(range(row["n_responses"]))
    random.Random(row["id"]).shuffle(order)
    total = [0.0] * len(order)
    for name in judges:
        scores = row["judges"].get(f"{name}/{prompt}")
        if scores is None:
            return None
        for place, samples in enumerate(scores):
            given = [score for score in samples if score is not None]
            total[place] += sum(given) / len(given) if given else 0.0
    return str(max(order, key=lambda place: (total[place], -order.index(place))))


def trials_of(rows: list[dict[str, Any]], subset: str, judges: tuple[str, ...]) -> list[Trial]:
    """Base rubric against the one with a criterion added, on the half that is chosen on (seen) and on the other."""
    found = []
    for row in rows:
        before, after = (best_of(row, judges, prompt) for prompt in ("base", "criteria"))
        if row["subset"] == subset and before is not None and after is not None:
            half = "seen" if int(hash_id("half", row["id"])[:8], 16) % 2 else "held_out"
            found.append(Trial(row["id"], half, "0", before, after))
    return found


def test_the_rubric_chosen_on_half_of_the_items_holds_on_the_other_half() -> None:
    """Per subset, by the panel: the better one on the chosen half is never the worse one on the other."""
    rows = read("rb2_k8_scores.jsonl")
    subsets = sorted({row["subset"] for row in rows})
    assert len(subsets) == 5
    gained = lost = 0
    for subset in subsets:
        found = measure(trials_of(rows, subset, JUDGES))
        seen, held_out = found.parts["seen"], found.parts["held_out"]
        assert min(seen.n, held_out.n) > 30
        chosen = 1 if seen.difference > 0 else -1
        assert chosen * held_out.difference >= 0, subset
        gained, lost = gained + held_out.gained, lost + held_out.lost
    assert gained > lost


def test_only_a_clear_difference_decides_and_then_it_holds() -> None:
    """Per judge and subset: where the interval excludes zero, the other half points the same way; else it is grey."""
    rows = read("rb2_k8_scores.jsonl")
    decided = {}
    for name in JUDGES:
        for subset in sorted({row["subset"] for row in rows}):
            found = measure(trials_of(rows, subset, (name,)))
            verdict, _ = judge(found.parts["seen"], None)
            if verdict != "grey":
                decided[name, subset] = (verdict, found.parts["held_out"].difference)
    assert decided
    assert len(decided) <= 5  # most of twenty comparisons on half of the items cannot be told apart
    for verdict, held_out in decided.values():
        assert (held_out > 0) == (verdict == "green")
