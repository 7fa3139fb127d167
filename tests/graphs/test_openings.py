"""What the prompts of a run have in common is stored once, and nothing of a seed is in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solon.prompts.library import PromptLibrary

Make = Callable[..., Any]
SEEDS = [f"Tell of the secret heron number {n}." for n in range(3)]


def test_prompts_are_whole_again_with_their_openings(make_desk: Make) -> None:
    desk = make_desk(routing={"policy": "never"})
    sent: list[str] = []

    def see(question: Any) -> None:
        (_, system), (_, user) = question.messages
        sent.append(f"[system]\n{system}\n[user]\n{user}")

    desk.answer = see
    desk.project.run("preference", SEEDS)
    bodies = {row["id"]: row["body"] for row in desk.rows("Text")}
    calls = desk.rows("Call")
    stored = [bodies.get(row["opening_id"], "") + bodies[row["prompt_id"]] for row in calls]
    assert sorted(stored) == sorted(sent)
    openings = {row["opening_id"] for row in calls}
    assert len(openings) == 1
    [opening] = openings
    assert bodies[opening].startswith("[system]\nPrinciples:\n[avoids-harm] ")
    assert "heron" not in bodies[opening]


def test_forgetting_a_seed_leaves_the_opening_and_takes_the_rest(make_desk: Make) -> None:
    desk = make_desk(routing={"policy": "never"})
    desk.project.run("preference", SEEDS[:1])
    [seed] = desk.rows("Seed")
    desk.project.forget(seed["id"])
    calls, texts = desk.rows("Call"), {row["id"]: row for row in desk.rows("Text")}
    assert {texts[row["prompt_id"]]["body"] for row in calls} == {None}
    assert all(texts[row["opening_id"]]["body"] for row in calls)
    assert not [row for row in texts.values() if "heron" in (row["body"] or "")]


def test_only_what_begins_with_the_principles_has_an_opening() -> None:
    """A template that names anything of a seed before them shares nothing."""
    shared = {prompt.name: prompt._opening is not None for prompt in PromptLibrary()}
    assert shared["judge.pair"]
    assert shared["generator.draft"]
    prompt = PromptLibrary()["judge.pair"]
    values: dict[str, Any] = dict.fromkeys(prompt.variables, "text") | {"constitution": "[a] Be kind."}
    rendered = prompt.render("secret", **values)
    assert rendered.text[: rendered.opening] == "[system]\nPrinciples:\n[a] Be kind."
