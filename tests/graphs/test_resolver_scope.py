"""With `[resolver] scope = "all"` the resolver speaks of single texts, too: it cites a rule, or a person is asked."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon import judge
from solon.agents.models.scripted import ScriptedChat
from solon.config import parse_config
from solon.config.sections import ResolverConfig
from solon.consensus.tiers import tier_of
from solon.graphs.versions import goes_on, graph_version
from solon.presets import PRESETS
from solon.project import Project
from solon.recipes.instruction import INSTRUCTION
from solon.recipes.label import LABEL, LABEL_PANEL
from solon.recipes.preference import PREFERENCE
from solon.recipes.registry import Recipes
from solon.recipes.spans import LABEL_SPANS
from solon.store.runs.items import count_judged_elsewhere
from solon.store.runs.verdicts import RESOLVER, votes_on
from solon.store.tables import resolutions

Make = Callable[..., Any]
ALL = ResolverConfig(scope="all")


@judge("bird", "1")
def bird(answer: str, labels: list[str]) -> dict[str, Any]:
    return {"verdict": labels[0], "rationale": "It has wings."}


@judge("fish", "1")
def fish(answer: str, labels: list[str]) -> dict[str, Any]:
    return {"verdict": labels[1], "rationale": "It has fins."}


@judge("accepts", "1")
def accepts(answer: str) -> str:
    return "accept"


@judge("rejects", "1")
def rejects(answer: str) -> str:
    return "reject"


def split(make_desk: Make, first: str, second: str, said: dict[str, Any], **more: Any) -> Any:
    """A desk whose two judges differ, and whose resolver says this."""
    prompts: list[str] = []

    def answer(question: Any) -> Any:
        if question.role == "resolver":
            prompts.append(question.prompt)
            return said
        return None

    seats = [{"python": f"{__name__}:{name}"} for name in (first, second)]
    desk = make_desk(answer=answer, judges=seats, label={"labels": ["bird", "fish"]}, **more)
    desk.prompts = prompts
    return desk


def test_a_label_is_settled_by_a_rule_that_is_cited(make_desk: Make) -> None:
    said = {"reason": "It is what was asked.", "cites": ["answers-question"], "verdict": "fish"}
    desk = split(make_desk, "bird", "fish", said, resolver={"scope": "all"})
    summary = desk.project.run("label-panel", ["A flying fish."])
    assert (summary.accepted, summary.pending_review) == (1, 0)
    (prompt,) = desk.prompts
    assert "For bird: It has wings." in prompt
    assert "For fish: It has fins." in prompt
    (row,) = desk.rows("Resolution")
    assert (row["outcome"], row["cites"], row["handed_over"]) == ("fish", ["answers-question"], None)
    (record,) = desk.rows("Record")
    assert (record["label"], record["route"]) == ("fish", "resolved")
    wanted = [(row["item_id"], row["attempt"], (row["favours_id"],))]
    (votes,) = desk.read(lambda connection: votes_on(connection, wanted)).values()
    assert [(vote.seat, vote.outcome) for vote in votes if vote.seat == RESOLVER] == [(RESOLVER, "fish")]


NAMES = (
    "x",
    " ",
    "0",
    "1",
    "2: a sceptic",
    "99999",
    ":",
    "1:",
    "²",
    "٣",
    "resolver",
    "reading",
    "a|b",
    "ü: é",
)
"""What a seat elsewhere may be called; on this panel there are two, `1` and `2`."""


@pytest.mark.parametrize("policy", ["disagreement", "threshold", "pilot", "always", "never"])
def test_verdicts_that_came_along_may_have_seats_of_any_name(make_desk: Make, policy: str) -> None:
    said = {"reason": "r", "cites": ["answers-question"], "favours": "B"}
    desk = make_desk(
        answer=lambda question: said if question.role == "resolver" else None,
        judges=[{"tier": 0}, {"tier": 1}],
        routing={"policy": policy},
    )
    responses = [{"text": "By wing."}, {"text": "By fin."}]
    seeds = []
    for n, name in enumerate(NAMES):
        verdicts = [
            {"judge": name if name.strip() else "me", "seat": name, "verdict": "A"},
            {"judge": "other", "verdict": "B"},
        ]
        seeds.append({"id": f"s{n}", "prompt": f"How? {n}", "responses": responses, "verdicts": verdicts})
    run = desk.project.load("preference", seeds)
    assert desk.read(lambda connection: count_judged_elsewhere(connection, run.id, 2)) == len(NAMES)
    assert desk.read(lambda connection: count_judged_elsewhere(connection, run.id, 3)) == 0
    summary = desk.project.resume()
    assert (summary.failed, summary.items) == (0, len(NAMES))
    assert {call["role"] for call in desk.rows("Call")} <= {"resolver"}
    seats = {row["seat"] for row in desk.rows("Verdict")}
    assert seats >= {"x", "me", "brought: 1", "brought: 2: a sceptic", "brought: resolver", "ü: é"}
    assert all(tier_of(seat, (0, 1)) == 1 for seat in seats)  # they stand for the whole panel
    heard = {"disagreement": len(NAMES), "threshold": len(NAMES)}
    assert desk.count("Resolution") == heard.get(policy, desk.count("Resolution"))


def test_metadata_with_verdicts_of_its_own_judges_nothing(make_desk: Make) -> None:
    desk, verdicts = make_desk(), [{"judge": "me", "verdict": "A"}]
    own = [{"prompt": f"How? {n}", "metadata": {"by": {"a": 1, "verdicts": verdicts}}} for n in range(2)]
    brought = {
        "prompt": "Why?",
        "responses": [{"text": "By wing."}, {"text": "By fin."}],
        "verdicts": verdicts,
    }
    run = desk.project.load("preference", [*own, brought])
    assert desk.read(lambda connection: count_judged_elsewhere(connection, run.id, 2)) == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"cites": ["no-such-rule"], "verdict": "accept"}, "the resolver gave no answer (bad_output)"),
        ({"cites": [], "verdict": "hand_over"}, "the resolver handed over"),
        ({"cites": ["answers-question"], "verdict": "reject"}, None),
    ],
)
def test_a_single_answer_without_a_rule_goes_to_a_person(
    make_desk: Make, said: dict[str, Any], told: str | None
) -> None:
    desk = split(make_desk, "accepts", "rejects", {"reason": "r", **said}, resolver={"scope": "all"})
    summary = desk.project.run("instruction", ["Write of herons."])
    assert (summary.rejected, summary.pending_review) == ((1, 0) if told is None else (0, 1))
    assert [row["handed_over"] for row in desk.rows("Resolution")] == [told]


def test_as_it_comes_it_hears_pairs_alone(make_desk: Make) -> None:
    desk = split(make_desk, "bird", "fish", {})
    assert desk.project.run("label-panel", ["A flying fish."]).pending_review == 1
    assert desk.count("Resolution") == 0
    plain = parse_config({})
    assert "scope" not in plain.effective()["resolver"]
    assert parse_config({"resolver": {"scope": "pairs"}}).panel_fingerprint() == plain.panel_fingerprint()
    assert parse_config({"resolver": {"scope": "all"}}).panel_fingerprint() != plain.panel_fingerprint()


def test_which_recipes_it_speaks_in_and_what_waits_goes_on() -> None:
    for recipe in (INSTRUCTION, LABEL_PANEL):
        heard = recipe.with_resolver(ALL)
        assert heard.step_names[-2:] == ("resolve", "review")
        assert "resolver" in heard.roles
        assert goes_on(recipe, graph_version(heard)[0])
        assert goes_on(recipe, graph_version(recipe)[0])
        assert recipe.with_resolver(ResolverConfig()) is recipe
    for recipe in (PREFERENCE, LABEL, LABEL_SPANS):
        assert recipe.with_resolver(ALL) is recipe


SPEAKS_NOT = {
    "preference-expert": "people alone",
    "label": "people alone",
    "label-adjudicate": "people alone",
    "label-spans": "readings have no reasons",
}
"""Presets in which there is no panel whose reasons a resolver could weigh."""
TEXTS = {  # rules are for two labels at once
    "label-weak": "My parcel arrived broken.",
    "label-cascade": "What fee is charged for a card?",
    "label-active": "I cannot log in.",
}


def of_preset(name: str) -> dict[str, Any]:
    """The configuration of a preset on the scripted fake, with the resolver in all recipes."""
    people = {"@first": "a nurse", "@second": "a lawyer", "@labels": ["a", "b"]}
    written = PRESETS[name].write({"@model": "scripted:default", "@key": "", "@url": "", **people})
    config = tomllib.loads(written)
    models = config.get("models") or {"default": {"model": "scripted:default"}}
    return {
        **config, "models": models, "resolver": {"scope": "all"}, "routing": {"policy": "disagreement"},
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in SPEAKS_NOT])
def test_it_speaks_and_cites_in_every_preset_with_a_panel(name: str, tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(question: Any) -> Any:
        if question.role == "resolver":
            asked.append(question.prompt)
            verdicts = question.schema["properties"]["verdict"]["enum"]
            return {"reason": "By the rule.", "cites": ["avoids-harm"], "verdict": verdicts[0]}
        if question.role == "judge" and "scores" in (question.schema or {}).get("properties", ()):
            (scores,) = (one for one in question.schema["$defs"].values() if "properties" in one)
            score = 5 if "a nurse" in question.system else 1
            given = {
                "rationale": f"It is worth {score}.",
                "scores": dict.fromkeys(scores["properties"], score),
            }
            return given | ({"turn": 1} if question.schema_name == "TurnScores" else {})
        if question.schema_name == "LabelVerdict":
            labels = question.schema["properties"]["label"]["enum"]
            label = labels["a lawyer" in question.system or "the customer" in question.system]
            return {"rationale": f"It is {label}.", "label": label, "confidence": 0.6}
        return None

    chat = ScriptedChat(script={"otherwise": "split"}, respond=answer)
    config, preset = of_preset(name), PRESETS[name]
    seeds = [TEXTS[name]] if name in TEXTS else preset.seeds or ["Why is the sky blue?"]
    chats = dict.fromkeys(config["models"], chat)
    with Project(f"sqlite:///{tmp_path}/own.db", config=config, models=chats) as project:
        project.run(preset.recipe, seeds, limit=2)
        with project.store.connect() as connection:
            found = connection.execute(select(resolutions.c.cites, resolutions.c.handed_over)).all()
    assert found, "the resolver was not asked about a panel that is split"
    assert set(map(str, found)) == {"(['avoids-harm'], None)"}
    if not preset.recipe.startswith("preference"):
        assert all("For " in prompt for prompt in asked), "it reads what judges said"


def test_where_it_does_not_speak_there_is_no_panel_to_hear() -> None:
    found = {
        name
        for name in PRESETS
        if not Recipes(parse_config(of_preset(name))).get(PRESETS[name].recipe).has_resolver
    }
    assert found == set(SPEAKS_NOT)
