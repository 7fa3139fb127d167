"""With `[resolver] scope = "all"` the resolver speaks of single texts, too: it cites a rule, or a person is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from solon import judge
from solon.config import parse_config
from solon.config.sections import ResolverConfig
from solon.graphs.versions import goes_on, graph_version
from solon.recipes.instruction import INSTRUCTION
from solon.recipes.label import LABEL, LABEL_PANEL
from solon.recipes.preference import PREFERENCE
from solon.recipes.spans import LABEL_SPANS
from solon.store.runs.verdicts import RESOLVER, votes_on

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
