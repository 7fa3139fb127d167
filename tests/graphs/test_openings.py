"""What the prompts of a run have in common is stored once, and nothing of a seed is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from solon.agents.case import Case
from solon.prompts.library import PromptLibrary
from solon.store.database.storable import storable
from solon.store.runs.seed_texts import SeedTexts, load_prompt, put_together
from solon.store.tables.runs import Text

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
    with desk.project.store.connect() as connection:
        assert sorted(str(load_prompt(connection, row["id"])) for row in calls) == sorted(sent)
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


WORDS = st.text(alphabet="ab \n\u00e9\x00", max_size=9)


@given(
    bodies=st.lists(WORDS.map(lambda text: text * 9), max_size=4),
    glue=st.lists(WORDS, min_size=5, max_size=5),
)
def test_a_prompt_is_what_it_was_whatever_it_quotes(bodies: list[str], glue: list[str]) -> None:
    def row(body: str, seed_id: str | None = None) -> Any:
        return body, (Text, {"id": body, "body": storable(body)})

    store: Any = SimpleNamespace(text_row=row, shared_row=row)
    stored = SeedTexts(store, "s1", given=("ab" * 200,))
    for body in bodies:
        stored.row(body)
    prompt = (
        "".join(chain.from_iterable(zip(glue, [*bodies, "ab" * 200], strict=False))) + "".join(bodies) * 2
    )
    rest, quoted, rows = stored.quote(prompt, closing=70 if len(prompt) > 70 else 0)
    assert quoted == sorted(quoted)
    assert {text_id for _, text_id in quoted} <= {row["id"] for _, row in rows}
    assert put_together(rest, quoted, {row["id"]: row["body"] for _, row in rows}) == storable(prompt)


def test_prompts_quote_texts_of_their_own_seed_and_say_nothing_once_it_is_forgotten(make_desk: Make) -> None:
    desk = make_desk(routing={"policy": "never"})
    desk.answer = lambda question: (
        f"A long answer to heron {'A' * 90}" if question.role == "generator" else None
    )
    desk.project.run("preference", [f"{seed} {'Tell all of it. ' * 20}" for seed in SEEDS])
    texts = {row["id"]: row for row in desk.rows("Text")}
    calls = desk.rows("Call")
    for call in calls:
        owners = {texts[text_id]["seed_id"] for _, text_id in call["quoted"]}
        assert owners <= {call["seed_id"], None}
        assert call["seed_id"] in owners  # its request at least
        assert "heron" not in texts[call["prompt_id"]]["body"]
    seed = desk.rows("Seed")[0]
    desk.project.forget(seed["id"])
    with desk.project.store.connect() as connection:
        known = {call["id"]: load_prompt(connection, call["id"]) for call in calls}
    assert {call["id"] for call in calls if call["seed_id"] == seed["id"]} == {
        call_id for call_id, prompt in known.items() if prompt is None
    }


def test_a_template_ends_with_its_own_words_alone() -> None:
    for prompt in PromptLibrary():
        rendered = prompt.render("secret", **{name: f"<<{name}>>" for name in prompt.variables})
        closing = rendered.text[len(rendered.text) - rendered.closing :]
        assert "<<" not in closing, prompt.name
        assert rendered.mark not in closing, prompt.name
        assert prompt.source.endswith((f"{closing}\n", closing)), prompt.name
