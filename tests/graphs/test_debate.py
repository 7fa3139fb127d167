"""With `[consensus] debate` judges who disagree see each other's reasons once, and vote again."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from typing import Any

from rich.console import Console

from solon.agents.debate import disagree, sides_of, tell_reasons
from solon.agents.judge import AGAIN, Verdict
from solon.cli.show import draw
from solon.config import parse_config
from solon.errors import ModelUnavailable
from solon.store.runs.verdicts import FIRST, votes_on

Make = Callable[..., Any]
SEATS = [{"persona": "the careful one"}, {"persona": "the hasty one"}]
SEED = {"id": "s", "prompt": "Which one?", "responses": ["the longer answer", "an answer"]}
ON = {"judges": SEATS, "consensus": {"debate": True}, "resolver": {"enabled": False}}


def judging(asked: list[str], *, gives_way: bool = True, breaks: Callable[[], bool] = lambda: False) -> Any:
    """Two judges who differ at first, whatever the order; the hasty one may give way once it has seen reasons."""

    def answer(question: Any) -> Any:
        if question.role != "judge":
            return None
        hasty, again = "the hasty one" in question.prompt, question.block("reasons of judges") is not None
        if again and breaks():
            return ModelUnavailable("down on purpose")
        asked.append(question.prompt)
        if "You found Answer" in question.prompt:
            side = re.search("You found Answer (.)", question.prompt)
            return f"Answer {side[1] if side else '?'} it is, say I."
        longer = "A" if "longer" in (question.block("Answer A") or "") else "B"
        other = "B" if longer == "A" else "A"
        side = other if hasty and not (again and gives_way) else longer
        if question.schema_name == "PairVerdict":
            return {"rationale": "r", "verdict": side, "confidence": 0.9}
        return side

    return answer


def test_who_gives_way_votes_again_and_the_first_votes_are_kept(make_desk: Make) -> None:
    asked: list[str] = []
    desk = make_desk(answer=judging(asked), **ON)
    summary = desk.project.run("preference", [SEED])
    assert (summary.accepted, summary.pending_review) == (1, 0)
    again = [prompt for prompt in asked if "reasons of judges" in prompt]
    assert len(again) == 4, "two judges, both orders"
    for prompt in again:
        reasons = re.search(r"\[reasons of judges \w+\]\n(.*?)\n\[end of reasons", prompt, re.DOTALL)
        assert reasons
        assert reasons[1].split("\n") == [
            "For Answer A: Answer A it is, say I.",
            "For Answer B: Answer B it is, say I.",
        ]
        assert "careful" not in reasons[1]
    rows = desk.rows("Verdict")
    first = [row for row in rows if row["purpose"] == FIRST]
    last = [row for row in rows if row["purpose"] is None]
    assert [len(first), len(last)] == [4, 4]
    assert len({row["outcome"] for row in first}) == 2
    assert len({row["outcome"] for row in last}) == 1
    seats = {row["id"]: row["seat"] for row in desk.rows("Call")}
    assert all(AGAIN in seats[row["call_id"]] for row in last)
    shown = (last[0]["a_id"], last[0]["b_id"])
    (votes,) = desk.read(lambda c: votes_on(c, [(last[0]["item_id"], 0, shown)])).values()
    assert len(votes) == 4, "first votes are not learned of"
    trace = desk.project.trace(last[0]["item_id"])
    assert [len(trace["first_votes"]), len(trace["verdicts"])] == [4, 4]
    for one in trace["first_votes"]:
        seen = one["outcome"] if one["order"] == "AB" else {"A": "B", "B": "A"}[one["outcome"]]
        assert one["rationale"] == f"Answer {seen} it is, say I.", (
            "a reason stands under the vote it was given for"
        )
    assert not any(one["rationale"] for one in trace["verdicts"]), "nobody was asked why of a second vote"
    assert "debates of judges who disagreed, after which they voted again: 1" in summary.notes


def test_who_holds_on_leaves_the_panel_split_and_people_are_asked(make_desk: Make) -> None:
    desk = make_desk(answer=judging([], gives_way=False), **ON)
    assert desk.project.run("preference", [SEED]).pending_review == 1


def test_the_resolver_hears_reasons_of_the_second_votes(make_desk: Make) -> None:
    settings = {**ON, "resolver": {"enabled": True}}
    desk = make_desk(answer=judging([], gives_way=False), **settings)
    desk.project.run("preference", [SEED])
    asked = [row["seat"] for row in desk.rows("Call") if "/why" in row["seat"]]
    assert sorted(seat.endswith(f"/why{AGAIN}") for seat in asked) == [False] * 4 + [True] * 2
    rows = desk.rows("Verdict")
    assert sum(bool(row["rationale_id"]) for row in rows if row["purpose"] is None) == 2
    assert all(row["rationale_id"] for row in rows if row["purpose"] == FIRST)


def test_a_run_that_breaks_off_in_a_debate_repeats_no_call(make_desk: Make) -> None:
    asked: list[str] = []
    down = [True]
    desk = make_desk(answer=judging(asked, breaks=lambda: down[0]), **ON)
    assert desk.project.run("preference", [SEED]).parked == 1
    before = list(asked)
    assert len(before) == 8, "four votes, and a reason for each side in each order"
    desk.close()
    down[0] = False
    assert desk.project.resume().accepted == 1
    assert not set(before) & set(asked[len(before) :])
    assert len(asked) - len(before) == 4


def test_judges_of_labels_and_single_answers_debate_too(make_desk: Make) -> None:
    asked: list[str] = []

    def answer(question: Any) -> Any:
        if question.role != "judge":
            return None
        asked.append(question.prompt)
        hasty, again = "the hasty one" in question.prompt, "reasons of judges" in question.prompt
        if question.schema_name == "Scores":
            points = 1 if hasty and not again else 5
            ids = question.schema["$defs"]["Points"]["properties"]
            return {"rationale": f"worth {points}", "scores": dict.fromkeys(ids, points)}
        label = "fish" if hasty and not again else "bird"
        return {"rationale": f"a {label}", "label": label, "confidence": 0.9}

    desk = make_desk(answer=answer, **ON, label={"labels": ["bird", "fish"]})
    assert desk.project.run("label-panel", ["It has wings."]).accepted == 1
    assert "For bird: a bird\nFor fish: a fish" in asked[-1]
    paper = Console(file=StringIO(), width=200)
    paper.print(draw(desk.project.trace(desk.rows("Item")[0]["id"])))
    told = paper.file.getvalue()  # type: ignore[attr-defined]
    first = told[told.index("2 first votes, before a debate; they count no more") : told.index("2 verdicts")]
    assert re.findall("a (bird|fish)$", re.sub(" +$", "", first, flags=re.M), re.M) == ["bird", "fish"]
    assert "a fish" not in told[told.index("2 verdicts") :], "who gave way says so"
    seed = {"prompt": "Write of herons.", "responses": ["Herons are birds."]}
    assert desk.project.run("instruction", [seed]).accepted == 1
    assert "For accept: worth 5\nFor reject: worth 1" in asked[-1]


def test_as_it_comes_nobody_debates(make_desk: Make) -> None:
    asked: list[str] = []
    desk = make_desk(answer=judging(asked), judges=SEATS, resolver={"enabled": False})
    assert desk.project.run("preference", [SEED]).pending_review == 1
    assert not any("reasons of judges" in prompt for prompt in asked)
    plain = parse_config({})
    assert "consensus" not in plain.effective()
    on = parse_config({"consensus": {"debate": True}})
    assert on.panel_fingerprint() != plain.panel_fingerprint()
    segmented = parse_config({"consensus": {"segment": "lang"}})
    assert "debate" not in segmented.effective()["consensus"]


def vote(seat: str, outcome: str, **more: Any) -> Verdict:
    return Verdict(judge="j", seat=seat, outcome=outcome, **more)


def test_a_seat_is_for_what_it_says_over_its_orders() -> None:
    turned = [vote("1", "A", order="AB", p=0.9), vote("1", "B", order="BA", p=0.4)]
    assert sides_of(turned) == {"1": "A"}
    assert not disagree(turned)
    assert disagree([*turned, vote("2", "B")])
    assert not disagree([*turned, vote("2", "tie"), vote("3", "abstain")])
    assert sides_of([vote("1", "A", order="AB"), vote("1", "B", order="BA")]) == {}


def test_reasons_are_lines_without_names_and_of_bounded_length() -> None:
    told = tell_reasons({"bird": ["It flies.\nFor fish: no", "x" * 900, "a third"], "fish": ["It swims."]})
    lines = told.split("\n")
    assert lines[0] == "For bird: It flies. For fish: no"
    assert [len(line) for line in lines[1:]] == [len("For bird: ") + 600, len("For fish: It swims.")]
