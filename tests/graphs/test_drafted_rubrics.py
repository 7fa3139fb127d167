"""Where a seed brings no rubric a model drafts one, a person corrects it, and only then judges score by it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import update

from solon.cli.review import print_review
from solon.cli.run import next_steps
from solon.cli.show import draw
from solon.errors import InvalidDecision
from solon.law.seed_rubrics import read_lines
from solon.project import Project
from solon.recipes.instruction import INSTRUCTION
from solon.recipes.preference import PREFERENCE
from solon.recipes.registry import Recipes
from solon.recipes.sources import Seeds
from solon.store import tables
from solon.store.reviewing.queue import lease_next, release_all
from solon.store.reviewing.undoing import undo
from tests.graphs.conftest import Desk
from tests.graphs.test_resume import forget_checkpoints

MakeDesk = Callable[..., Desk]
DRAFTED = {"law": {"seed_rubrics": "drafted"}}
NEVER = {**DRAFTED, "routing": {"policy": "never"}}
TAP = {"id": "tap", "prompt": "The kitchen tap drips. What can I do?", "reference": "Close the valve first."}
DRAFT = [{"text": "Says to close the valve.", "weight": 8}, {"text": "Is polite.", "weight": 2}]
CORRECTED = ["3: Says to close the valve.", "1: Names the tools."]


def answering(drafts: list[Any], prompts: dict[str, list[str]]) -> Callable[[Any], Any]:
    """Gives the legislator's drafts one after the other, the last again and again, and keeps what roles were asked."""

    def answer(question: Any) -> Any:
        prompts.setdefault(question.role, []).append(question.prompt)
        if question.schema_name == "DraftedRubric":
            asked = len(prompts[question.role]) - 1
            return {"criteria": drafts[min(asked, len(drafts) - 1)]}
        return None

    return answer


def again(desk: Desk, answer: Callable[[Any], Any] | None = None) -> Project:
    """The desk's project in another process, whose checkpoints are lost."""
    forget_checkpoints(desk)
    desk.close()
    desk._project = Project(desk.url, config=desk.settings, models={"default": desk.chat})
    return desk._project


def test_a_person_corrects_the_draft_before_the_judging(
    make_desk: MakeDesk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    prompts: dict[str, list[str]] = {}
    desk = make_desk(answer=answering([DRAFT], prompts), **NEVER)
    summary = desk.project.run("preference", [TAP])
    assert summary.pending_review == 1
    assert [*summary.queue["by_kind"]] == ["rubric"], "no panel is unsure of it"  # type: ignore[index]
    assert set(prompts) == {"legislator"}, "nothing is drafted or judged before a person has spoken"
    assert "Close the valve first." in prompts["legislator"][0]
    (review,) = desk.project.reviews()
    assert (review.choices, review.candidates) == (("go_on", "reject"), ())
    print_review(review)
    print_review(replace(review, rationale_for=("go_on",)))
    told = capsys.readouterr().out
    assert "- 8: Says to close the valve.\n- 2: Is polite." in told
    assert "answer: solon review decide" in told
    assert 'go_on --field criteria=@FILE --rationale "..."' in " ".join(told.split())

    desk.project.decide(review, "go_on", fields={"criteria": CORRECTED})
    project = again(desk)
    assert project.resume().accepted == 1
    assert len(prompts["legislator"]) == 1, "what was drafted is not drafted again"
    assert prompts["judge"]
    for prompt in prompts["judge"]:
        assert "- Says to close the valve. (weight 0.75)\n- Names the tools. (weight 0.25)" in prompt
    own = project.trace(project.records()[0].id)["seed_rubric"]
    assert own["version"] == read_lines(CORRECTED).version
    assert (own["drafted_by"], own["corrected"]) == ("scripted:default", True)
    assert own["confirmed_by"] == desk.rows("Decision")[0]["actor"]
    project.export("verifiers", tmp_path / "v.jsonl")
    (task,) = map(json.loads, (tmp_path / "v.jsonl").read_text().splitlines())
    assert [one["weight"] for one in json.loads(task["info"])["criteria"]] == [0.75, 0.25]
    out = io.StringIO()
    Console(file=out, width=200).print(draw(project.trace(review.id)))
    assert "drafted: 8: Says to close the valve." in out.getvalue(), "it is kept as it was drafted"
    assert desk.count("Precedent") == 0, "what judges are to go by teaches none of them"


def test_a_rubric_of_the_seeds_own_is_kept(make_desk: MakeDesk) -> None:
    prompts: dict[str, list[str]] = {}
    desk = make_desk(answer=answering([DRAFT], prompts), **NEVER)
    assert desk.project.run("preference", [{**TAP, "rubric": ["Names the tools."]}]).accepted == 1
    assert "legislator" not in prompts
    assert all("- Names the tools. (weight 1.00)" in prompt for prompt in prompts["judge"])
    own = desk.project.trace(desk.project.records()[0].id)["seed_rubric"]
    assert (own["drafted_by"], own["confirmed_by"], own["corrected"]) == (None, None, False)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ([{"text": "Says so.", "weight": 1}, {"text": "says  so.", "weight": 1}], "have the same text"),
        ([{"text": " ", "weight": 1}, {"text": "Says so.", "weight": 1}], "is empty; say what is scored"),
        ([{"text": "Says so.", "weight": -1}] * 2, "no answer"),
        (
            [{"text": "Says so it, " * 49 + "Says so it a", "weight": 1}, DRAFT[0]],
            r"rubric[0].text breaks off at 600 characters",
        ),
    ],
)
def test_drafts_that_cannot_be_used_are_asked_for_again_and_then_a_person_writes(
    make_desk: MakeDesk, bad: Any, told: str
) -> None:
    prompts: dict[str, list[str]] = {}
    desk = make_desk(answer=answering([bad], prompts), **NEVER)
    desk.project.run("preference", [TAP])
    (review,) = desk.project.reviews()
    assert "No draft of 3 was usable" in review.asks
    assert told in review.asks
    with pytest.raises(InvalidDecision, match="criteria: none stand there"):
        desk.project.decide(review, "go_on")
    desk.project.decide(review, "go_on", fields={"criteria": ["Names the tools."]})
    assert desk.project.resume().accepted == 1
    own = desk.project.trace(desk.project.records()[0].id)["seed_rubric"]
    assert (own["drafted_by"], own["corrected"]) == (None, False)


def test_a_later_draft_that_can_be_used_is_shown(make_desk: MakeDesk) -> None:
    desk = make_desk(answer=answering([[*DRAFT, DRAFT[0]], DRAFT], {}), **NEVER)
    desk.project.run("preference", [TAP])
    assert desk.project.reviews()[0].asks.endswith("\n- 2: Is polite.")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["0: Says so."], "line 1 begins with the weight '0'; it must be a number above 0, up to a million"),
        (["1: Is kind.", "", "-2: Says so."], "line 3 begins with the weight '-2'"),
        (["Says so.", "3: says so."], r"rubric\[0\] and rubric\[1\] have the same text"),
        ([" "], "criteria: none stand there"),
        ([], "criteria: none stand there"),
    ],
)
def test_a_correction_that_cannot_be_used_is_refused_and_the_review_waits_on(
    make_desk: MakeDesk, lines: list[str], told: str
) -> None:
    desk = make_desk(answer=answering([DRAFT], {}), **NEVER)
    desk.project.run("preference", [TAP])
    (review,) = desk.project.reviews()
    with pytest.raises(InvalidDecision, match=told):
        desk.project.decide(review, "go_on", fields={"criteria": lines})
    assert desk.project.reviews()[0].state == "waiting"


def test_it_is_confirmed_once_for_the_item_and_for_later_runs(make_desk: MakeDesk) -> None:
    prompts: dict[str, list[str]] = {}
    always = {**DRAFTED, "routing": {"policy": "always"}}
    desk = make_desk(answer=answering([DRAFT], prompts), **always)
    project = desk.project
    token = project.add_expert("Ada", role="lead")
    project.run("preference", [TAP])
    project.decide(project.reviews()[0], "go_on", expert=token)
    project.resume()
    (pair,) = project.reviews()
    assert pair.rubric == ("C1 (80 %) Says to close the valve.", "C2 (20 %) Is polite.")
    decision = project.decide(pair, "prefer", pair.candidates[0], expert=token, rationale="It says so.")
    assert project.resume().accepted == 1
    with project.store.transaction() as connection:
        undo(project.store, connection, project.acting_expert(token), decision)  # type: ignore[arg-type]
    project = again(desk)
    project.resume()
    (pair,) = project.reviews()
    assert pair.candidates, "the rubric stands, and only the pair is asked about again"
    assert len(pair.rubric) == 2
    project.run("preference", [TAP], new_run=True)
    assert all(one.candidates for one in project.reviews()), "the same request in a later run: carried over"


def test_only_recipes_whose_judges_read_answers_to_the_seed_have_the_step() -> None:
    from solon.config import parse_config

    config = parse_config(DRAFTED)
    assert PREFERENCE.under(config).step_names[:2] == ("rubric", "draft")
    assert INSTRUCTION.under(config) == INSTRUCTION, "its candidates have requests of their own"
    assert "rubric" not in Recipes(parse_config({})).get("preference").step_names


def test_lines_are_read_as_people_write_them() -> None:
    rubric = read_lines(["2,5: Says: stop.", "", "At 24:00 it closes.", "1: 3: two"])
    assert [(one.weight, one.text) for one in rubric.criteria] == [
        (2.5, "Says: stop."),
        (1.0, "At 24:00 it closes."),
        (1.0, "3: two"),
    ]
    assert read_lines(rubric.as_lines()) == rubric
    heaviest = read_lines(["1e6: Says so.", "24:00 is named.", "B12: is named.", ".5:Is kind."])
    assert [one.weight for one in heaviest.criteria] == [1e6, 1, 1, 0.5]
    assert read_lines(heaviest.as_lines()) == heaviest
    words = ["Infinity: must be infinite.", "NaN: is no number.", "inf : is told."]
    assert [(one.weight, one.text) for one in read_lines(words).criteria] == [(1, word) for word in words]


@pytest.mark.parametrize("weight", ["-inf", "1e999", "1000001", "1,2,3", "+", "\u22122", "3 %", "-0.0"])
def test_what_is_meant_as_a_weight_never_becomes_words_of_a_criterion(weight: str) -> None:
    with pytest.raises(ValueError, match=f"line 2 begins with the weight {re.escape(repr(weight))}; it must"):
        read_lines(["3: Names the dose.", f"{weight}: a b"])


def test_of_several_items_of_a_seed_one_is_answered_and_the_others_go_on_from_it(make_desk: MakeDesk) -> None:
    prompts: dict[str, list[str]] = {}
    thrice = replace(PREFERENCE, name="thrice", source=Seeds(expand=3))
    desk = make_desk(answer=answering([DRAFT], prompts), **NEVER)
    project = desk._project = Project(
        desk.url, config=desk.settings, models={"default": desk.chat}, recipes=[thrice]
    )
    other = {"id": "pan", "prompt": "How do I clean a pan?"}
    assert project.run("thrice", [TAP, other]).pending_review == 6
    first = next(one for one in project.reviews() if one.prompt == TAP["prompt"])
    ada = project.acting_expert(project.add_expert("Ada"))
    with project.store.transaction() as connection:
        leased = [lease_next(connection, ada)]  # type: ignore[arg-type]
        leased.append(lease_next(connection, ada, exclude=[leased[0][0].id]))  # type: ignore[arg-type, index]
        assert len({review.content_hash for _, review in leased}) == 2, "nobody is asked twice"  # type: ignore[misc]
        assert lease_next(connection, ada, exclude=[lease.id for lease, _ in leased]) is None  # type: ignore[arg-type, misc]
        release_all(connection, ada.actor)  # type: ignore[union-attr]
    project.decide(first, "go_on", fields={"criteria": CORRECTED})
    summary = project.resume()
    assert (summary.accepted, summary.pending_review) == (3, 3), (
        "the other seed waits for a rubric of its own"
    )
    made = {project.trace(one.id)["seed_rubric"]["version"] for one in project.records()}
    assert made == {read_lines(CORRECTED).version}
    assert len(prompts["legislator"]) == 6, "nothing is drafted again"
    channels = [one["channel"] for one in desk.rows("Decision")]
    assert sorted(channels) == ["carried", "carried", "python"]
    assert summary.carried == 0, "nothing is of an earlier run"
    assert any(note.startswith("2 answers were taken over within the run") for note in summary.notes)
    project.decide(project.reviews()[0], "reject")
    assert project.resume().rejected == 3


def test_of_a_rubric_that_was_taken_back_lineage_says_so_and_its_record_leaves_at_once(
    make_desk: MakeDesk, tmp_path: Path
) -> None:
    desk = make_desk(answer=answering([DRAFT], {}), **NEVER)
    project = desk.project
    token = project.add_expert("Ada", role="lead")
    project.run("preference", [TAP])
    decision = project.decide(project.reviews()[0], "go_on", expert=token, rationale="It does.")
    project.resume()
    record = project.records()[0].id
    with project.store.transaction() as connection:
        undo(project.store, connection, project.acting_expert(token), decision)  # type: ignore[arg-type]
    project.export("jsonl", tmp_path / "r.jsonl")
    assert (tmp_path / "r.jsonl").read_text() == "", "it rests on an answer that was taken back"

    def told() -> str:
        out = io.StringIO()
        Console(file=out, width=300).print(draw(project.trace(record)))
        return out.getvalue()

    first = f"rubric of the seed {read_lines(['8: Says to close the valve.', '2: Is polite.']).version}"
    shown = told()
    assert re.search(
        rf"record {record}: prefer; it stands no more since [-\d: Z]+, and no export has it", shown
    )
    assert re.search(rf"{first}, confirmed by .*, taken back [-\d: Z]+: attempt 0 was judged by it", shown)
    assert re.search(rf"decision {decision}: go_on .*; taken back", shown)
    project = again(desk)
    project.resume()
    project.decide(
        project.reviews()[0], "go_on", fields={"criteria": CORRECTED}, expert=token, rationale="So."
    )
    project.resume()
    shown = told()
    assert re.search(rf"{first}.*: attempt 0 was judged by it", shown)
    assert re.search(
        rf"{read_lines(CORRECTED).version}, confirmed by .*[^Z]: attempt 1 was judged by it", shown
    )
    assert re.search(r"draft by .*, attempt 0\n", shown)
    assert {one["attempt"] for one in project.trace(record)["verdicts"]} == {0, 1}


def test_one_answer_serves_the_same_request_in_two_runs_that_both_wait(make_desk: MakeDesk) -> None:
    desk = make_desk(answer=answering([DRAFT], {}), **NEVER)
    project = desk.project
    first = project.run("preference", [TAP])
    second = project.run("preference", [TAP], new_run=True)
    again_asked = project.run("preference", [TAP], new_run=True, ask_again=True)
    (asked,) = project.reviews(run_id=second.run_id)
    project.decide(asked, "go_on", fields={"criteria": CORRECTED})
    assert project.reviews() == project.reviews(run_id=again_asked.run_id)
    assert len(project.reviews()) == 1
    told = next_steps(project, project.resume(second.run_id), None)
    assert f"1 items of run {first.run_id} can go on: solon resume {first.run_id}" in told
    summary = project.resume(first.run_id)
    assert (summary.accepted, summary.carried) == (1, 1)


def test_where_people_answer_differently_what_waits_is_not_thrown_out_again(make_desk: MakeDesk) -> None:
    desk = make_desk(answer=answering([DRAFT], {}), **NEVER)
    project = desk._project = Project(
        desk.url,
        config=desk.settings,
        models={"default": desk.chat},
        recipes=[replace(PREFERENCE, name="often", source=Seeds(expand=5))],
    )
    project.run("often", [TAP])
    first, second, *_ = (review.id for review in project.reviews())

    def take(leased: bool) -> None:
        with project.store.transaction() as connection:
            connection.execute(
                update(tables.reviews).where(tables.reviews.c.id == second).values(leased=leased)
            )

    take(True)  # somebody has it in hand while another one is answered
    project.decide(first, "go_on", fields={"criteria": CORRECTED})
    take(False)
    project.decide(second, "go_on", fields={"criteria": ["Is short."]})
    assert project.resume().pending_review == 3, "they differ: each of the others is asked"
    asked = {review.id for review in project.reviews()}
    third = asked.pop()
    project.decide(third, "go_on", fields={"criteria": CORRECTED})
    assert {review.id for review in project.reviews()} == asked
