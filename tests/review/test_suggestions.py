"""What the panel found as a suggestion: hidden, after, shown, to a random half; what was seen certifies nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from sqlalchemy import select

from solon import Project, judge
from solon.consensus.binomial import rate_difference
from solon.errors import InvalidDecision
from solon.learning.evidence import is_drawn_at_random
from solon.review import blind
from solon.review.rendering import render
from solon.review.schemas.queue import BlindItem
from solon.store.learning.evidence import counted_decisions
from solon.store.reviewing.experts import add_expert
from solon.store.runs.runs import find_run
from solon.store.tables import decisions, reviews

pytestmark = pytest.mark.anyio


@judge("sorter", "1")
def sorter(answer: str) -> str:
    return "card" if "card" in answer else "transfer"


@pytest.fixture
def labelling(tmp_path: Path) -> Any:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "label": {"labels": ["card", "transfer"]},
        "judges": [{"python": f"{__name__}:sorter"}],
        "routing": {"policy": "budget", "budget": 40, "explore": 0.25, "diversity": 0.0, "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        project.plugins = {f"{__name__}:sorter": sorter}
        project.store.key = "5a" * 32
        words = ("the card is gone", "money was sent")
        project.run("label-panel", [{"id": f"t{n}", "prompt": f"{words[n % 2]} {n}"} for n in range(60)])
        yield project


async def answer_all(project: Project, serving: Any, client: Any, how: Any) -> list[dict[str, Any]]:
    """Answer what waits as the panel suggests, or with `card` where nothing is shown; returns what was shown."""
    _, token = add_expert(project.store, "Ada", role="expert", by="local:test")
    shown = []
    async with serving(project, suggestion=how) as app, client(app, token) as ada:
        while (item := (await ada.post("/api/v1/next")).json()["item"]) is not None:
            choice = item["suggestion"] or "card"
            answer = {"choice": choice, "rationale": "as it says"}
            sent = {"token": item["token"], "answer": answer}
            told = await ada.post(f"/api/v1/reviews/{item['review']}/decision", json=sent)
            assert told.status_code == 200, told.text
            shown.append(
                {"review": item["review"], "suggestion": item["suggestion"], "told": told.json()["message"]}
            )
    return shown


def stored(project: Project) -> list[Any]:
    query = select(decisions, reviews.c.inclusion).join(reviews, reviews.c.id == decisions.c.review_id)
    with project.store.connect() as connection:
        return list(connection.execute(query))


async def test_a_suggestion_that_is_hidden_changes_nothing(labelling: Any, serving: Any, client: Any) -> None:
    shown = await answer_all(labelling, serving, client, "hidden")
    assert {(one["suggestion"], "had found" in one["told"]) for one in shown} == {("", False)}
    assert {(row.counts, row.suggestion) for row in stored(labelling)} == {(True, None)}


async def test_after_the_answer_it_is_told_and_the_answer_stays_blind(
    labelling: Any, serving: Any, client: Any
) -> None:
    shown = await answer_all(labelling, serving, client, "after")
    assert {one["suggestion"] for one in shown} == {""}
    assert sum("The panel had found: " in one["told"] for one in shown) == 30, (
        "not of the ten drawn at random"
    )
    assert {row.counts for row in stored(labelling)} == {True}


async def test_what_is_shown_is_stored_teaches_and_certifies_nothing(
    labelling: Any, serving: Any, client: Any
) -> None:
    await answer_all(labelling, serving, client, "shown")
    seen = [row for row in stored(labelling) if row.suggestion]
    blind = [row for row in stored(labelling) if not row.suggestion]
    assert len(seen) == 30
    assert {(row.counts, row.suggestion["seen"], row.suggestion["how"]) for row in seen} == {
        (False, True, "shown")
    }
    assert all(row.choice == row.suggestion["outcome"] for row in seen)
    assert {row.counts for row in blind} == {True}
    assert {row.inclusion < 1.0 for row in blind} == {True}, "what is drawn at random is asked blind"
    with labelling.store.connect() as connection:
        run = find_run(connection)
        taught = counted_decisions(connection, labelling.store.key, [run.id], voted=True)
        counted = counted_decisions(connection, labelling.store.key, [run.id])
    assert (len(taught), len(counted)) == (40, 10)
    assert sum(is_drawn_at_random(one) for one in taught) == 10
    learned = labelling.learn()
    assert learned.fitted_on > 10
    assert labelling.evaluate("agreement").n == 10, "only blind answers measure"


async def test_to_a_random_half_it_says_how_much_it_moves_people(
    labelling: Any, serving: Any, client: Any
) -> None:
    await answer_all(labelling, serving, client, "randomised")
    drawn = [row.suggestion for row in stored(labelling) if row.suggestion]
    assert {one["how"] for one in drawn} == {"randomised"}
    seen = [one for one in drawn if one["seen"]]
    assert 5 <= len(seen) <= 25
    found = labelling.evaluate("agreement")
    moved = found.anchoring
    assert moved.n == 30
    hidden = [row for row in stored(labelling) if row.suggestion and not row.suggestion["seen"]]
    agree = sum(row.choice == row.suggestion["outcome"] for row in hidden)
    assert moved.value == pytest.approx(1 - agree / len(hidden))
    assert moved.low < moved.value <= moved.high
    assert any("the panel's suggestion moves people by +" in note for note in found.notes)


async def test_the_page_shows_it_as_plain_text_and_opening_more_takes_its_weight(
    labelling: Any, serving: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hostile(*given: Any) -> str:
        return "<script>alert(1)</script>" if given[-1] else ""

    monkeypatch.setattr(blind, "spell_suggestion", hostile)
    _, token = add_expert(labelling.store, "Ada", role="expert", by="local:test")
    answer = {"choice": "card", "rationale": "as it says"}
    async with serving(labelling, suggestion="shown") as app, client(app, token) as ada:
        item = (await ada.post("/api/v1/next")).json()["item"]
        while not item["suggestion"]:
            sent = {"token": item["token"], "answer": answer}
            await ada.post(f"/api/v1/reviews/{item['review']}/decision", json=sent)
            item = (await ada.post("/api/v1/next")).json()["item"]
        page = render(app.state.room, "_item.html", item=BlindItem(**item))
        assert "The panel suggests" in page
        assert "<script>" not in page
        assert "&lt;script&gt;alert(1)" in page
        await ada.post(f"/api/v1/assignments/{item['assignment']}/reveal")
        sent = {"token": item["token"], "answer": answer}
        await ada.post(f"/api/v1/reviews/{item['review']}/decision", json=sent)
    mine = next(row for row in stored(labelling) if row.review_id == item["review"])
    assert (mine.counts, mine.suggestion) == (False, None)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    value, low, high = rate_difference(56, 70, 48, 80) or (0, 0, 0)
    assert (round(value, 4), round(low, 4), round(high, 4)) == (0.2, 0.0524, 0.3339)
    assert rate_difference(1, 2, 0, 0) is None


@pytest.mark.parametrize("how", ["hidden", "after", "shown", "randomised"])
def test_the_command_line_shows_what_the_page_shows_and_keeps_it(
    labelling: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = labelling.config
    labelling.config = config.model_copy(
        update={"review": config.review.model_copy(update={"suggestion": how})}
    )
    _, token = add_expert(labelling.store, "Ada", role="expert", by="local:test")
    monkeypatch.setenv("SOLON_TOKEN", token)
    drawn = {row.id for row in waiting_reviews(labelling) if (row.inclusion or 0) < 1.0}
    shown, told = {}, {}
    for review in labelling.reviews(limit=100):
        found = labelling.open_review(review.id)
        assert labelling.open_review(review.id).suggestion == found.suggestion, "as it was first shown"
        shown[found.id] = found.suggestion
        taken = labelling.answer(found, found.suggestion or "card", channel="cli", rationale="as it says")
        told[found.id] = labelling.told_after(found) if taken.kind == "decided" else ""
    assert len(shown) == 40
    assert not any(shown[name] or told[name] for name in drawn), "never of what was drawn at random"
    seen = {name for name, suggestion in shown.items() if suggestion}
    assert len(seen) in {"shown": {30}, "randomised": range(5, 26)}.get(how, {0})
    assert sum(map(bool, told.values())) == (0 if how == "hidden" else 30)
    kept = {row.review_id: row for row in stored(labelling)}
    assert {name for name, row in kept.items() if row.suggestion and row.suggestion["seen"]} == seen
    assert {kept[name].counts for name in seen} <= {False}
    assert all(row.counts for name, row in kept.items() if name not in seen)


def waiting_reviews(project: Project) -> list[Any]:
    with project.store.connect() as connection:
        return list(connection.execute(select(reviews).where(reviews.c.state == "waiting")))


def test_a_reason_that_is_needed_is_told_beforehand(labelling: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = add_expert(labelling.store, "Ada", role="expert", by="local:test")
    monkeypatch.setenv("SOLON_TOKEN", token)
    needed = 0
    for review in labelling.reviews(limit=100):
        found = labelling.open_review(review.id)
        assert found.rationale_for in ((), found.choices)
        needed += bool(found.rationale_for)
        if found.rationale_for:
            with pytest.raises(InvalidDecision, match="a sentence why is needed"):
                labelling.answer(found, "card", channel="cli")
        else:
            labelling.answer(found, "card", channel="cli")
    assert 0 < needed < 20, "of a random fifth"
