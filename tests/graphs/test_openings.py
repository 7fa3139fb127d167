"""What the prompts of a run have in common is stored once, and nothing of a seed is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from solon.agents.case import Case
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
    openings = {(row["template"], row["opening_id"]) for row in calls}
    assert len(openings) == len({(row["template"], row["seat"].split("/")[0]) for row in calls})
    for template, opening in openings:
        assert bodies[opening].startswith("[system]\nPrinciples:\n[avoids-harm] "), template
        assert "heron" not in bodies[opening], template


def test_forgetting_a_seed_leaves_the_opening_and_takes_the_rest(make_desk: Make) -> None:
    desk = make_desk(routing={"policy": "never"})
    desk.project.run("preference", SEEDS[:1])
    [seed] = desk.rows("Seed")
    desk.project.forget(seed["id"])
    calls, texts = desk.rows("Call"), {row["id"]: row for row in desk.rows("Text")}
    assert {texts[row["prompt_id"]]["body"] for row in calls} == {None}
    assert all(texts[row["opening_id"]]["body"] for row in calls)
    assert not [row for row in texts.values() if "heron" in (row["body"] or "")]


def test_an_opening_ends_before_what_a_seed_or_a_mark_has_a_part_in() -> None:
    of_seats = {"constitution": "[a] Be kind.", "persona": "a teacher"}
    for prompt in PromptLibrary():
        values: dict[str, Any] = {name: f"<<{name}>>" for name in prompt.variables} | of_seats
        rendered = prompt.render("secret", **{name: values[name] for name in prompt.variables})
        opening = rendered.text[: rendered.opening]
        assert opening, prompt.name
        assert "<<" not in opening, prompt.name
        assert rendered.mark not in opening, prompt.name
    prompt = PromptLibrary()["judge.pair"]
    rendered = prompt.render("secret", **(dict.fromkeys(prompt.variables, "text") | of_seats))
    assert "[a] Be kind.\n\nYou judge which of two answers" in rendered.text[: rendered.opening]


def test_a_block_that_ends_after_the_opening_has_none(tmp_path: Path) -> None:
    (tmp_path / "judge.pair.md").write_text(
        PromptLibrary()["judge.pair"]
        .source.replace("Principles:", "{% if persona %}\nPrinciples:")
        .replace("\n# user", "{% endif %}\n\n# user")
    )
    prompt = PromptLibrary(tmp_path)["judge.pair"]
    values = dict.fromkeys(prompt.variables, "text")
    assert prompt.render("secret", **values).opening == 0


def test_what_a_part_of_a_recipe_puts_for_a_persona_is_no_opening() -> None:
    """It may be of a seed, and an opening stays when the seed is forgotten."""

    async def openings() -> list[int]:
        values = {"guidance": "", "findings": ""}
        settings = {
            "generator": {"personas": ["a nurse"]},
            "models": {"default": {"model": "scripted:default"}},
        }
        async with Case.open(settings, prompt="Tell of herons.") as case:
            return [
                case._render("generator.draft", {**values, **more}).opening
                for more in (
                    {"persona": "a nurse"},
                    {"persona": "Mrs Heron of row 17"},
                    {"persona": "", "constitution": "Be as Mrs Heron."},
                )
            ]

    ours, of_seed, of_law = asyncio.run(openings())
    assert (ours > 0, of_seed, of_law) == (True, 0, 0)
