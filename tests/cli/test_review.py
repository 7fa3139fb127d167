"""`solon review`: the queue, one review, and every kind of answer to it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.project import Project
from solon.questions import PAIR
from solon.store.reviewing.manners import order_seen
from solon.store.reviewing.review_rows import find_review
from solon.workspace.views import spell_outcome

Cli = Callable[..., Any]
Reviews = list[dict[str, Any]]


def test_list_and_show_name_ids_and_choices_and_why_only_where_it_is_asked_for(
    solon: Cli, waiting: Reviews
) -> None:
    listed = solon("review", "list")
    assert waiting[0]["review_id"] in listed.out
    assert "policy: every item" not in listed.out
    assert "policy: every item" in solon("review", "list", "--unblind").out
    shown = solon("review", "show", waiting[0]["review_id"][:8]).out
    for candidate in waiting[0]["candidates"]:
        assert candidate["id"] in shown
        assert candidate["text"].split()[0] in shown
    assert "prefer, tie, both_bad, edit, redraft" in shown
    assert "why:" not in shown
    assert "why: policy: every item" in solon("review", "show", waiting[0]["review_id"], "--unblind").out
    as_json = solon("review", "show", waiting[0]["review_id"], "--json").json
    assert as_json["choices"] == ["prefer", "tie", "both_bad", "edit", "redraft"]


def test_a_decision_names_an_id_and_resume_makes_the_record(solon: Cli, waiting: Reviews) -> None:
    review = waiting[0]
    chosen = review["candidates"][1]["id"]
    told = solon("review", "decide", review["review_id"], "prefer", "--candidate", chosen, "--json").json
    assert (told["choice"], told["candidate"]) == ("prefer", chosen)
    assert solon("status", "--json").json["runs"][0]["decisions_to_apply"] == 1
    assert solon("resume", "--json").json["accepted"] == 1
    lineage = solon("show", told["decision_id"], "--json").json
    assert lineage["record"]["chosen_id"] == chosen
    assert [(d["choice"], d["channel"]) for d in lineage["decisions"]] == [("prefer", "cli")]
    assert lineage["decisions"][0]["actor"].startswith("local:")


def test_a_number_is_translated_to_the_id_at_that_place(solon: Cli, waiting: Reviews) -> None:
    review = waiting[0]
    told = solon("review", "decide", review["review_id"], "prefer", "--candidate", "2", "--json").json
    assert told["candidate"] == review["candidates"][1]["id"]


def test_numbers_of_the_holder_of_a_token_are_the_places_on_the_page(
    solon: Cli, waiting: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOLON_TOKEN", solon("expert", "add", "Ada").out.strip())
    with Project(create=False) as project:
        actor, store = project.actor(), project.store
        with store.connect() as connection:
            rows = [find_review(connection, one["review_id"]) for one in waiting]
            orders = {row.id: order_seen(connection, store.key, row, actor) for row in rows}
        assert any(orders[row.id] != list(row.candidates) for row in rows), "drawn, not as stored"
        for row in rows:
            told = spell_outcome(project.review(row.id), row, PAIR.outcomes[0])
            assert told == f"candidate {orders[row.id].index(row.candidates[0]) + 1}"
    for listed in solon("review", "list", "--json").json["reviews"]:
        name, order = listed["review_id"], orders[listed["review_id"]]
        shown = solon("review", "show", name)
        assert [shown.out.index(one) for one in order] == sorted(shown.out.index(one) for one in order)
        assert [one["id"] for one in listed["candidates"]] == order
        told = solon(
            "review", "decide", name, "prefer", "--candidate", "1", "--rationale", "clearer", "--json"
        )
        assert told.json["candidate"] == order[0], told


def test_the_second_answer_is_refused_and_changes_nothing(solon: Cli, waiting: Reviews) -> None:
    review = waiting[0]["review_id"]
    assert solon("review", "decide", review, "tie").code == 0
    solon("review", "decide", review, "both_bad").fails(
        1, "was decided by you before; nothing was changed", "solon review list"
    )
    assert [d["choice"] for d in solon("show", review, "--json").json["decisions"]] == ["tie"]


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["prefer"], 2, "needs the id of a candidate"),
        (["prefer", "--candidate", "3"], 2, "candidate '3' is not part of review"),
        (["prefer", "--candidate", "deadbeefdeadbeefdeadbeef"], 2, "is not part of review"),
        (["accept"], 2, "prefer, tie, both_bad, edit, redraft"),
        (["edit", "--candidate", "1"], 2, "needs the answer as it should be"),
        (["redraft"], 2, "needs what the new draft shall do"),
        (["tie", "--flag", "1=ugly"], 2, "unsafe"),
        (["tie", "--flag", "unsafe"], 2, "is not NAME=VALUE"),
        (["tie", "--score", "accuracy=9"], 2, "outside 1 to 5"),
        (["edit", "--candidate", "1", "--text", "@missing.txt"], 2, "missing.txt cannot be read"),
    ],
)
def test_answers_outside_the_closed_set_are_refused(
    solon: Cli, waiting: Reviews, arguments: list[str], code: int, part: str
) -> None:
    review = waiting[0]["review_id"]
    solon("review", "decide", review, *arguments).fails(code, part)
    assert solon("show", review, "--json").json["decisions"] == []


def test_texts_come_from_options_files_and_standard_input(
    solon: Cli, waiting: Reviews, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "edit.txt").write_text("A better answer, é.", encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("because ß".encode())))
    review = waiting[0]["review_id"]
    answer = [
        "edit",
        "--candidate",
        "1",
        "--text",
        "@edit.txt",
        "--rationale",
        "-",
        "--flag",
        "2=unsafe",
        "--strength",
        "3",
    ]
    assert solon("review", "decide", review, *answer, "--principle", "true-claims").code == 0
    (decision,) = solon("show", review, "--json").json["decisions"]
    assert decision["edit"] == "A better answer, é."
    assert decision["rationale"] == "because ß"
    assert decision["flags"] == {waiting[0]["candidates"][1]["id"]: ["unsafe"]}
    assert decision["principles"] == ["true-claims"]
    solon("resume")
    lineage = solon("show", review, "--json").json
    texts = {c["id"]: c["text"] for c in lineage["candidates"]}
    assert texts[lineage["record"]["chosen_id"]] == "A better answer, é."


def test_redraft_comes_back_as_a_new_review(solon: Cli, waiting: Reviews) -> None:
    review = waiting[0]["review_id"]
    assert solon("review", "decide", review, "redraft", "--guidance", "shorter, please").code == 0
    solon("resume")
    reviews = solon("show", review, "--json").json["reviews"]
    assert [r["state"] for r in reviews] == ["decided", "waiting"]


@pytest.mark.parametrize("choice", ["skip", "decline", "escalate"])
def test_setting_aside_leaves_it_waiting(solon: Cli, waiting: Reviews, choice: str) -> None:
    review = waiting[0]["review_id"]
    told = solon("review", "decide", review, choice, "--json").json
    assert told["decision_id"] is None
    assert solon("review", "show", review, "--json").json["state"] == "waiting"


def test_what_was_handed_to_a_lead_comes_first_with_what_was_said(
    solon: Cli, waiting: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = waiting[-1]["review_id"]
    with monkeypatch.context() as ada:
        ada.setenv("SOLON_TOKEN", solon("expert", "add", "Ada").out.strip())
        solon("review", "decide", last, "escalate", "--rationale", "two rules collide here")
        assert last not in solon("review", "list").out, "it is for leads now"
    assert solon("review", "list", "--json").json["reviews"][0]["review_id"] == last
    assert "two rules collide" not in solon("review", "show", last).out
    assert "two rules collide here" in solon("review", "show", last, "--unblind").out


def test_a_review_that_is_not_there(solon: Cli, waiting: Reviews) -> None:
    solon("review", "show", "zzz").fails(1, "'zzz' is no review of this store", "solon review list")
    solon("review", "list", "--state", "late").fails(2, "'late'", "waiting")


def test_flagged_texts_are_left_out_of_training_files_and_counted(
    solon: Cli, waiting: Reviews, folder: Path
) -> None:
    review = waiting[0]["review_id"]
    solon("review", "decide", review, "prefer", "--candidate", "1", "--flag", "1=factually_wrong")
    solon("resume")
    told = solon("export", "--format", "trl-preference", "--output", folder / "p.jsonl", "--json").json
    assert told["written"] == 0
    assert told["left_out"]["flagged"] == 1


def test_a_worker_is_trusted_later(solon: Cli, tmp_path: Path) -> None:
    store = ("--store", f"sqlite:///{tmp_path}/people.db")
    solon("expert", "add", "Ann", "--role", "worker", *store)
    assert "votes" in solon("expert", "list", *store).out
    assert "decisions are final" in solon("expert", "trust", "Ann", "proven", *store).out
    assert "votes" not in solon("expert", "list", *store).out
    solon("expert", "trust", "Ann", "wise", *store).fails(2, "nobody is ever 'wise'")


def test_a_misspelt_state_is_refused_with_all_states(solon: Cli, waiting: Reviews) -> None:
    solon("review", "list", "--state", "wating").fails(
        2, "'wating'", "did you mean 'waiting'?", "held, withdrawn"
    )


def test_no_label_is_suggested_and_no_candidate_is_needed(solon: Cli, five_seeds: Path, folder: Path) -> None:
    (folder / "solon.toml").write_text('[label]\nlabels = ["clinical", "legal"]\n')
    solon("run", "label", "--seeds", five_seeds)
    review = solon("review", "list", "--json").json["reviews"][0]["review_id"]
    shown = solon("review", "show", review).out
    assert "labels: clinical, legal; without an answer" in shown
    assert f"answer: solon review decide {review} LABEL\n" in shown
    assert solon("review", "decide", review, "legal").code == 0
