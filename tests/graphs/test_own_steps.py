"""Steps of one's own between those of Solon: what they may answer, and that an item is asked exactly once for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from solon.cli.review import print_review
from solon.errors import ConfigError
from solon.graphs.build import lay_out
from solon.graphs.versions import draw_mermaid, graph_version
from solon.project import Project
from solon.recipes import Accept, Answer, Ask, Choice, Given, Pair, Recipe, Redraft, Reject, Step, StepItem
from solon.recipes.preference import PREFERENCE
from solon.recipes.registry import identify
from solon.store.reviewing.undoing import undo
from solon.workspace.views import Review
from tests.graphs.conftest import Desk
from tests.graphs.test_resume import forget_checkpoints

MakeDesk = Callable[..., Desk]
NEVER = {"routing": {"policy": "never"}}
SEEDS = ["How many milligrams are in a gram?"]


def recipe(*steps: str | Step, **parts: Any) -> Recipe:
    fixed: dict[str, Any] = {"record": "preference", "maker": Answer(), "question": Pair()}
    return Recipe("stepped", steps=steps or ("draft", "judge", "review"), **{**fixed, **parts})


def project_of(desk: Desk, made: Recipe) -> Project:
    """The desk's project, which knows the recipe; opened anew, as in another process."""
    desk.close()
    desk._project = Project(desk.url, config=desk.settings, models={"default": desk.chat}, recipes=[made])
    return desk._project


def step(answer: Any, name: str = "check", **how: Any) -> Step:
    """A step that answers so, or what a function makes of the item."""

    async def run(item: StepItem) -> Any:
        return answer(item) if callable(answer) else answer

    return Step(name, run, **how)


def test_a_step_stands_where_it_is_put() -> None:
    made = recipe(
        step(None, "before", reads=("prompt",), may=(Reject, Ask)),
        "draft",
        "critique",
        step(None, "mid"),
        "judge",
        step(None, "after"),
        "review",
    )
    ways = lay_out(made)
    assert ways["before"] == {"on": "draft", "end": "finish", "ask": "review"}
    assert ways["critique"]["on"] == ways["critique"]["mend"] == "mid"
    assert ways["mid"]["on"] == "judge"
    assert ways["judge"]["on"] == "after"
    assert ways["after"]["on"] == "consensus"
    assert ways["settle"]["past before"] == "draft"
    drawn = draw_mermaid(made)
    assert all(f"{name}(" in drawn for name in ("before", "mid", "after"))
    assert graph_version(made)[0] != graph_version(recipe("draft", "critique", "judge", "review"))[0]


def test_shipped_recipes_keep_their_graphs() -> None:
    assert graph_version(PREFERENCE)[0] == "325b98f8c178357a"


def test_what_may_not_be_answered_is_no_way_of_the_graph() -> None:
    only = step(None, may=(Ask,))
    assert lay_out(recipe("draft", "judge", only, "review"))["check"] == {"on": "consensus"}


def test_none_lets_the_item_go_on(make_desk: MakeDesk) -> None:
    desk = make_desk(**NEVER)
    seen: list[StepItem] = []
    look = step(lambda item: seen.append(item), reads=("prompt", "candidates", "verdicts"))
    project = project_of(desk, recipe("draft", "judge", look, "review"))
    assert project.run("stepped", SEEDS).accepted == 1
    (item,) = seen
    assert item.prompt == SEEDS[0]
    assert [one.text for one in item.candidates] == [
        c["text"] for c in project.item(project.records()[0].id).way["candidates"]
    ]
    assert {one["outcome"] for one in item.verdicts} <= {"A", "B", "tie"}
    with pytest.raises(AttributeError, match="does not say that it reads 'input'"):
        _ = item.input


def test_reject_ends_the_item(make_desk: MakeDesk) -> None:
    desk = make_desk(**NEVER)
    made = recipe("draft", step(Reject("no units")), "judge", "review")
    project = project_of(desk, made)
    assert project.run("stepped", SEEDS).rejected == 1
    (item,) = project.items()
    assert item.reason == "check: no units"
    assert desk.count("Verdict") == 0


def test_redraft_is_bounded_and_brings_its_guidance(make_desk: MakeDesk) -> None:
    asked: list[str] = []
    desk = make_desk(answer=lambda question: asked.append(str(question)), **NEVER)
    made = recipe("draft", "judge", step(Redraft("Say the unit.")), "review")
    project = project_of(desk, made)
    assert project.run("stepped", SEEDS).rejected == 1
    (item,) = project.items()
    assert item.reason == "check: Say the unit. (still so after 1 redrafts)"
    assert {row["round"] for row in desk.rows("Candidate")} == {0, 1}
    assert any("Say the unit." in question for question in asked)


def test_given_texts_are_never_redrafted(make_desk: MakeDesk) -> None:
    desk = make_desk(**NEVER)
    project = project_of(desk, recipe("draft", "judge", step(Redraft("Longer.")), "review"))
    seeds = [{"prompt": "Which?", "responses": [{"text": "one"}, {"text": "two"}]}]
    assert project.run("stepped", seeds).rejected == 1
    assert "nothing is drafted in place of given texts" in str(project.items()[0].reason)
    assert {row["kind"] for row in desk.rows("Candidate")} == {"given"}


def test_ask_sends_the_candidates_to_a_person(make_desk: MakeDesk) -> None:
    desk = make_desk(**NEVER)
    project = project_of(desk, recipe("draft", "judge", step(Ask("the units differ")), "review"))
    assert project.run("stepped", SEEDS).pending_review == 1
    (review,) = project.reviews()
    assert review.reasons[0] == "check: the units differ"
    project.decide(review, "prefer", review.candidates[0], rationale="It is right.")
    assert project.resume().accepted == 1
    assert project.records()[0].route == "decided"


def twice() -> Recipe:
    """Asks about the request, and once more about what the panel judged."""
    return recipe(
        step(Ask("Is this a request for us?"), "scope", reads=("prompt",), may=(Reject, Ask)),
        "draft",
        "judge",
        step(Ask("Look at the units."), "units"),
        "review",
    )


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
def test_an_item_is_asked_twice_and_the_last_answer_is_the_record(
    make_desk: MakeDesk, capsys: pytest.CaptureFixture[str], lost: bool
) -> None:
    """Also where the checkpoints are lost before each answer is taken in."""
    desk = make_desk(**NEVER)
    project = project_of(desk, twice())
    assert project.run("stepped", SEEDS).pending_review == 1
    assert desk.chat.calls == 0, "nothing is drafted before the request may go on"
    (first,) = project.reviews()
    assert (first.choices, first.candidates) == (("go_on", "reject"), ())
    assert first.asks == "Is this a request for us?"
    print_review(first)
    told = capsys.readouterr().out
    assert "Is this a request for us?" in told
    assert f"answer: solon review decide {first.id} go_on\n" in told
    project.decide(first, "go_on", guidance="In one sentence.")
    if lost:
        forget_checkpoints(desk)
    project = project_of(desk, twice())
    assert project.resume().pending_review == 1
    (second,) = project.reviews()
    assert second.reasons[0] == "units: Look at the units."
    calls = desk.chat.calls
    project.decide(second, "prefer", second.candidates[1], rationale="It is right.")
    if lost:
        forget_checkpoints(desk)
        project = project_of(desk, twice())
    assert project.resume().accepted == 1
    assert project.records()[0].chosen == second.candidates[1].text
    assert (desk.chat.calls, desk.count("Decision")) == (calls, 2)
    assert desk.count("Precedent") == 1, "whether a request may go on teaches no judge"
    assert len({row["prompt_id"] for row in desk.rows("Call") if row["role"] == "step"}) == 2


def test_a_request_that_may_not_go_on_ends_its_item(make_desk: MakeDesk) -> None:
    desk = make_desk(**NEVER)
    project = project_of(desk, twice())
    project.run("stepped", SEEDS)
    project.decide(project.reviews()[0], "reject", rationale="Not ours.")
    assert project.resume().rejected == 1
    assert desk.chat.calls == 0


def test_undoing_the_first_answer_asks_both_again(make_desk: MakeDesk) -> None:
    desk = make_desk(**NEVER)
    project = project_of(desk, twice())
    token = project.add_expert("Ada", role="lead")
    project.run("stepped", SEEDS)
    first = project.reviews()[0]
    decision = project.decide(first, "go_on", expert=token, rationale="Ours.")
    project.resume()
    second = project.reviews()[0]
    project.decide(second, "prefer", second.candidates[0], expert=token, rationale="It is right.")
    assert project.resume().accepted == 1
    calls = desk.chat.calls
    with project.store.transaction() as connection:
        undo(project.store, connection, project.acting_expert(token), decision)  # type: ignore[arg-type]
    project = project_of(desk, twice())
    assert project.resume().pending_review == 1
    again = project.reviews()[0]
    assert again.choices == ("go_on", "reject")
    project.decide(again, "go_on", expert=token, rationale="Ours.")
    assert project.resume().pending_review == 1
    last = project.reviews()[0]
    assert [one.text for one in last.candidates] == [one.text for one in second.candidates]
    project.decide(last, "prefer", last.candidates[1], expert=token, rationale="It is right.")
    assert project.resume().accepted == 1
    assert desk.chat.calls == calls, "what was paid for is not paid again"
    assert project.records()[0].chosen == last.candidates[1].text


def test_what_a_step_answered_is_not_asked_again(make_desk: MakeDesk) -> None:
    """A step that looks something up may find something else tomorrow: the item goes on as it was asked."""
    desk = make_desk(**NEVER)
    count = iter(range(10))
    made = recipe("draft", "judge", step(lambda item: Ask(f"look {next(count)}")), "review")
    project = project_of(desk, made)
    project.run("stepped", SEEDS)
    (review,) = project.reviews()
    forget_checkpoints(desk)
    project = project_of(desk, made)
    project.decide(review, "tie", rationale="Equal.")
    assert project.resume().accepted == 1
    assert next(count) == 1


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: recipe("draft", "judge", "review", step(None)), "stands after the review"),
        (lambda: recipe(step(None), "draft", "review"), "reads candidates before there are any"),
        (lambda: recipe(step(None, reads=("prompt",)), "draft", "review"), "may redraft before anything"),
        (lambda: recipe("draft", step(None, "judge"), "judge", "review"), "two steps are called 'judge'"),
        (lambda: recipe("draft", step(None, "settle"), "review"), "two steps are called 'settle'"),
        (lambda: step(None, "Check it"), "is no name of a step"),
        (lambda: Step("check", lambda item: None), "no async function"),  # type: ignore[arg-type,return-value]
        (lambda: step(None, reads=("weather",)), "reads 'weather'"),
        (lambda: step(None, may=(str,)), "may answer"),
    ],
)
def test_steps_that_cannot_be_are_refused_where_they_are_written(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make()


def test_a_step_that_raises_or_answers_nonsense_parks_its_item_by_name(make_desk: MakeDesk) -> None:
    desk = make_desk(**NEVER)

    def fails(item: StepItem) -> Any:
        raise ValueError("no such unit")

    for answer, told in (
        (fails, "test_own_steps:step.<locals>.run raised ValueError: no such unit"),
        ("reject", "str in step check"),
        (Redraft("x"), "Redraft in step check"),
    ):
        project = project_of(desk, recipe("draft", "judge", step(answer, may=(Reject, Ask)), "review"))
        project.run("stepped", SEEDS, new_run=True)
        (item,) = project.items()
        assert item.state == "parked"
        assert told in str(item.reason)


def test_a_changed_step_is_another_recipe() -> None:
    one, other = (
        recipe("draft", step(word), "review", question=Accept(), record="instruction", maker=Answer())
        for word in (None, None)
    )
    assert identify(one, "x") == identify(other, "x")
    renamed = replace(one, steps=("draft", step(None, "other"), "review"))
    assert identify(one, "x") != identify(renamed, "x")


def test_a_step_over_labels(make_desk: MakeDesk) -> None:
    desk = make_desk(routing={"policy": "always"})
    made = recipe(
        "draft",
        step(lambda item: Reject("too short") if len(item.candidates[0].text) < 5 else None),
        "review",
        record="label",
        maker=Given(),
        question=Choice(("yes", "no")),
    )
    project = project_of(desk, made)
    summary = project.run("stepped", ["Hi", "A longer text"])
    assert (summary.rejected, summary.pending_review) == (1, 1)


def asked_in_two_runs(project: Project) -> dict[str, Review]:
    """run -> its question about the request; both ask before either is answered."""
    asked: dict[str, Review] = {}
    for new in (False, True):
        run = project.run("stepped", SEEDS, new_run=new).run_id
        (asked[run],) = [one for one in project.reviews() if one not in asked.values()]
    return asked


def test_what_another_run_decided_is_taken_where_only_another_question_was_taken_back(
    make_desk: MakeDesk,
) -> None:
    """Guidance decides which pair is drafted: the second run comes to the first one's after its own was taken back."""
    desk = make_desk(**NEVER)
    project = project_of(desk, twice())
    token = project.add_expert("Ada", role="lead")
    asked = asked_in_two_runs(project)
    for (run, question), guidance in zip(asked.items(), ("In one sentence.", "At length."), strict=True):
        decision = project.decide(question, "go_on", expert=token, guidance=guidance, rationale="Ours.")
        assert project.resume(run).pending_review == 1
        (pair,) = [one for one in project.reviews() if one.candidates]
        project.decide(pair, "prefer", pair.candidates[0], expert=token, rationale="It is right.")
        assert project.resume(run).accepted == 1

    def take_back_and_go_on_with(guidance: str) -> Any:
        nonlocal decision
        with project.store.transaction() as connection:
            undo(project.store, connection, project.acting_expert(token), decision)  # type: ignore[arg-type]
        project.resume()
        (again,) = project.reviews()
        decision = project.decide(again, "go_on", expert=token, guidance=guidance, rationale="Ours.")
        return project.resume()

    assert take_back_and_go_on_with("In one sentence.").carried == 1
    assert take_back_and_go_on_with("In one sentence.").pending_review == 1, "taken back on this very item"


def test_an_answer_that_is_brought_to_its_item_may_be_followed_by_one_that_is_carried(
    make_desk: MakeDesk,
) -> None:
    desk = make_desk(**NEVER)
    project = project_of(desk, twice())
    asked = asked_in_two_runs(project)
    first, second = asked
    project.decide(asked[first], "go_on")
    assert project.resume(first).pending_review == 1
    (pair,) = [one for one in project.reviews() if one.candidates]
    project.decide(pair, "prefer", pair.candidates[0], rationale="It is right.")
    assert project.resume(first).accepted == 1
    project.decide(asked[second], "go_on")
    summary = project.resume(second)
    assert (summary.accepted, summary.carried, summary.decisions_to_apply) == (1, 1, 0)
