"""Known questions: golden ones that nothing marks, and the way of a new expert through practice and calibration."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from solon.cli.app import run_command
from solon.errors import NotPending
from solon.learning.evidence import rate_reviewers
from solon.project import Project
from solon.store.reviewing import queue
from solon.store.reviewing.known import Mix, count_known, known_outcomes, next_known
from solon.store.tables import reviews, table_of
from solon.store.tables.law import Precedent
from solon.store.tables.people import Assignment


def rows(n: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": f"known-{i}",
            "prompt": f"May a patient take drug {i} while breast-feeding?",
            "responses": [
                {"text": f"No, drug {i} passes into milk."},
                {"text": f"Yes, drug {i} is harmless."},
            ],
            "answer": "1",
            "why": "The label says so.",
            **more,
        }
        for i in range(n)
    ]


@pytest.fixture
def load(project: Project, tmp_path: Path) -> Any:
    """Import known questions by the command."""

    def run(n: int, purpose: str = "golden", **more: Any) -> int:
        file = tmp_path / f"{purpose}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows(n, **more)))
        return run_command(["golden", "import", str(file), "--for", purpose, "--store", project.store.url])

    return run


async def next_item(http: Any, **asked: Any) -> dict[str, Any]:
    answer = await http.post("/api/v1/next", json=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def prefer(http: Any, item: dict[str, Any], words: str) -> dict[str, Any]:
    """Choose the answer whose text begins so."""
    chosen = next(c["id"] for c in item["candidates"] if c["text"].startswith(words))
    answer = {"choice": "prefer", "candidate": chosen, "rationale": "by the label"}
    body = {"token": item["token"], "answer": answer}
    taken = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
    assert taken.status_code == 200, taken.text
    found: dict[str, Any] = taken.json()
    return found


def test_importing_twice_adds_once_and_stands_in_no_list(project: Project, load: Any) -> None:
    before = project.summarize()
    assert load(3) == 0
    assert load(3) == 0
    with project.store.connect() as connection:
        assert count_known(connection) == {"golden": 3, "practice": 0, "calibration": 0}
    assert project.summarize() == before
    assert len(project.reviews()) == 12


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answer": "3"}, "answer '3'"),
        ({"answer": None}, "answer"),
        ({"responses": [{"text": "one"}]}, "1 responses"),
    ],
)
def test_wrong_files_add_nothing(
    project: Project, load: Any, capsys: pytest.CaptureFixture[str], change: dict[str, Any], told: str
) -> None:
    assert load(2, **change) == 2
    assert told in capsys.readouterr().err
    with project.store.connect() as connection:
        assert sum(count_known(connection).values()) == 0


def test_golden_questions_look_like_any_and_count_in_reliability_only(
    project: Project, person: Any, serving: Any, client: Any, load: Any
) -> None:
    ada, token = person("Ada")
    load(2)

    async def go() -> None:
        async with serving(project, mix=Mix(golden_share=1.0)) as app, client(app, token) as http:
            golden = (await next_item(http))["item"]
            assert "breast-feeding" in golden["prompt"]
            await prefer(http, golden, "No")
            second = (await next_item(http))["item"]
            done = await prefer(http, second, "Yes")
            ordinary = (await next_item(http))["item"]
            assert "breast-feeding" not in ordinary["prompt"]
            assert ordinary.keys() == golden.keys()
            assert [type(v) for v in ordinary.values()] == [type(v) for v in golden.values()]
            url = f"/api/v1/assignments/{done['assignment']}/explanation"
            told = (await http.get(url)).json()
            assert "golden" not in json.dumps(told)
            assert told["known"] is None
            mine = (await http.get("/api/v1/statistics")).json()["me"]
            assert (mine["known"], mine["known_right"]) == (2, 1)

    asyncio.run(go())
    with project.store.connect() as connection:
        assert known_outcomes(connection) == {ada.actor: [True, False]}
    rated = rate_reviewers(project.store, project.config.reviewers)[ada.actor]
    assert rated.n == 2
    assert rated.reliability == pytest.approx((1 + 0.75 * 4) / (2 + 4))
    with project.store.connect() as connection:
        assert connection.execute(select(table_of(Precedent).c.id)).all() == []
    assert project.summarize().decisions_to_apply == 0


def test_nobody_gets_the_same_golden_within_sixty_days(project: Project, person: Any, load: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    load(1)
    mix = Mix(golden_share=1.0)

    def offer(expert: Any) -> str | None:
        with project.store.transaction() as connection:
            found = next_known(project.store, connection, expert, mix)
            if found is not None:
                lease, _ = queue.lease_review(connection, expert, found)
                queue.release(connection, lease.id, expert.actor)
                connection.execute(update(reviews).where(reviews.c.id == found).values(state="withdrawn"))
            return found

    assert offer(ada) is not None
    assert offer(ada) is None
    other = offer(bo)
    assert other is not None
    with project.store.transaction() as connection:
        days = update(table_of(Assignment)).where(table_of(Assignment).c.actor == ada.actor)
        connection.execute(days.values(opened_at=time.time() - 61 * 24 * 3600))
    assert offer(ada) is not None


def test_a_known_question_is_for_its_person_only(project: Project, person: Any, load: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    load(1)
    with project.store.transaction() as connection:
        made = next_known(project.store, connection, ada, Mix(golden_share=1.0))
        assert made is not None
        with pytest.raises(NotPending):
            queue.lease_review(connection, bo, made)


def test_a_new_expert_learns_first(
    project: Project, person: Any, serving: Any, client: Any, load: Any
) -> None:
    """Guidelines, practice with feedback, calibration that all share; then ordinary reviews."""
    _, token = person("New", stage="guidelines")
    _, other = person("Newer", stage="guidelines")
    load(3, "practice", prompt="How is a practice question answered?")
    load(2, "calibration", answer=None)
    shared: dict[str, list[str]] = {}

    async def learn(http: Any, name: str) -> None:
        first = await next_item(http)
        assert (first["item"], first["empty"]) == (None, "guidelines")
        assert (await http.get("/api/v1/me")).json()["stage"] == "guidelines"
        told = (await http.post("/api/v1/guidelines/acknowledge")).json()
        assert told["acknowledged"]
        assert told["constitutions"]
        for _ in range(2):
            item = (await next_item(http))["item"]
            assert item["prompt"].startswith("How is a practice")
            done = await prefer(http, item, "Yes")
            why = (await http.get(f"/api/v1/assignments/{done['assignment']}/explanation")).json()["known"]
            right = next(c for c in item["candidates"] if c["text"].startswith("No"))
            assert why["why"] == "The label says so."
            assert why["place"] == 1 + item["candidates"].index(right)
        for _ in range(2):
            item = (await next_item(http))["item"]
            assert "breast-feeding" in item["prompt"]
            shared.setdefault(name, []).append(item["prompt"])
            await prefer(http, item, "No")
        item = (await next_item(http))["item"]
        assert "breast-feeding" not in item["prompt"]
        assert (await http.get("/api/v1/me")).json()["stage"] == "proven"

    async def go() -> None:
        mix = Mix(practice=2, calibration=10)
        async with serving(project, mix=mix) as app, client(app, token) as http, client(app, other) as next_:
            before = await http.get(f"/api/v1/reviews/{project.reviews()[0].id}/lease")
            assert before.status_code == 405
            refused = await http.post(f"/api/v1/reviews/{project.reviews()[0].id}/lease")
            assert refused.status_code == 409
            await learn(http, "New")
            await learn(next_, "Newer")

    asyncio.run(go())
    assert shared["New"] == shared["Newer"]
    assert project.summarize().decisions_to_apply == 0


def test_a_stage_without_questions_is_passed(
    project: Project, person: Any, serving: Any, client: Any
) -> None:
    _, token = person("New", stage="guidelines")

    async def go() -> None:
        async with serving(project, mix=Mix(practice=5, calibration=5)) as app, client(app, token) as http:
            await http.post("/api/v1/guidelines/acknowledge")
            assert (await next_item(http))["item"] is not None

    asyncio.run(go())


def test_a_practice_question_set_aside_is_done_with(
    project: Project, person: Any, serving: Any, client: Any, load: Any
) -> None:
    _, token = person("New", stage="practice")
    load(1, "practice")

    async def go() -> None:
        async with serving(project, mix=Mix(practice=5)) as app, client(app, token) as http:
            item = (await next_item(http))["item"]
            body = {"token": item["token"], "answer": {"choice": "skip"}}
            await http.post(f"/api/v1/reviews/{item['review']}/decision", json=body)
            assert "breast-feeding" not in (await next_item(http))["item"]["prompt"]

    asyncio.run(go())
    with project.store.connect() as connection:
        query = select(reviews.c.state).where(reviews.c.kind == "practice")
        assert connection.execute(query).scalars().all() == ["withdrawn"]
