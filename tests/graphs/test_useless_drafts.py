"""Models that give nothing end a run early; a few items that a provider refuses, or one bad draft, do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from solon.agents.models.scripted import Scripted, ScriptedChat
from solon.errors import BadOutput
from solon.store.tables import items

Make = Callable[..., Any]
NOTHING = {"run": {"concurrency": 12}, "routing": {"policy": "never"}}


def refused(question: Any) -> Any:
    return Scripted("", None, "content_filter") if "bomb" in question.prompt else None


@pytest.mark.parametrize("good", [range(3, 40, 5), range(8), range(11, 12)], ids=["few", "block", "one"])
def test_refusals_that_come_back_first_end_no_good_run(
    make_desk: Make, monkeypatch: pytest.MonkeyPatch, good: range
) -> None:
    """Drafts come later than refusals of which more than enough items have ended."""
    answer, came = ScriptedChat._answer_once, 0

    async def slow(self: ScriptedChat, messages: Any, *rest: Any) -> Any:
        nonlocal came
        came += (bad := "bomb" in str(messages))
        for _ in range(0 if bad else 3000):
            if came >= 44:  # two a seed: 22 items, of which at most 11 have not ended
                break
            await asyncio.sleep(0)
        return await answer(self, messages, *rest)

    monkeypatch.setattr(ScriptedChat, "_answer_once", slow)
    desk = make_desk(answer=refused, **NOTHING)
    seeds = [f"Which river is number {n}?" if n in good else f"A bomb, number {n}?" for n in range(40)]
    summary = desk.project.run("preference", seeds)
    assert (summary.accepted, summary.rejected, summary.queued) == (len(good), 40 - len(good), 0)
    assert desk.rows("Run")[0]["status"] == "done"


def test_a_run_without_anything_stops_and_one_that_goes_on_after_something_does_not(make_desk: Make) -> None:
    desk = make_desk(answer=refused, **NOTHING)
    with pytest.raises(BadOutput, match="one item after the other"):
        desk.project.run("preference", [f"A bomb, number {n}?" for n in range(40)])
    assert desk.states()["queued"] > 0
    run = desk.project.load("preference", ["Which river?", *(f"A bomb of {n}?" for n in range(40))])
    with desk.project.store.transaction() as connection:
        ending = {"state": "accepted", "reason": None}
        first = (items.c.run_id == run.id) & (items.c.position == 0)
        assert connection.execute(items.update().where(first).values(ending)).rowcount == 1
    assert desk.project.resume(run.id).rejected == 40


@pytest.mark.parametrize(
    ("given", "calls", "accepted"),
    [("-x", 4, 1), ("x", 2, 0), ("x-.x", 4, 0), ("xx", 2, 0)],
)
def test_an_empty_draft_is_made_again_beside_one_that_was_withheld(
    make_desk: Make, given: str, calls: int, accepted: int
) -> None:
    """`given`: what each call in turn brings: `-` nothing, `x` that it is withheld; further ones a draft."""
    asked: list[str] = []

    def answer(question: Any) -> Any:
        if question.role != "generator":
            return None
        asked.append(given[len(asked)] if len(asked) < len(given) else ".")
        return {"x": Scripted("", None, "content_filter"), "-": Scripted("", None, "stop")}.get(asked[-1])

    desk = make_desk(answer=answer, routing={"policy": "never", "max_redrafts": 2})
    summary = desk.project.run("preference", ["Which river?"])
    assert (len(asked), summary.accepted) == (calls, accepted)


def test_an_item_with_one_good_draft_is_not_one_of_which_no_model_gave_any(make_desk: Make) -> None:
    asked: list[str] = []

    def answer(question: Any) -> Any:
        asked.append(question.role)
        return Scripted("", None, "content_filter") if len(asked) % 2 else None

    desk = make_desk(answer=answer, run={"concurrency": 1})
    assert desk.project.run("preference", [f"Which river, {n}?" for n in range(12)]).rejected == 12
    assert set(asked) == {"generator"}
