"""Words of an answer that a flag or a reason points to: kept by their places, quoted wherever the answer is shown."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, DESKTOP, shot
from cases import CONFIG, build
from running import Server
from sqlalchemy import select
from test_adjudication import cases, first_review, give, other_review

from solon.cli.app import run_command
from solon.dialogues import read_dialogue
from solon.errors import InvalidDecision
from solon.project import Project
from solon.review.cases import show_case
from solon.review.checks import _in_words
from solon.store.reviewing.citations import read_answer
from solon.store.reviewing.drafts import read_draft
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.queue import lease_next
from solon.store.reviewing.reading import read_candidates
from solon.store.reviewing.review_rows import find_review
from solon.store.reviewing.undoing import undo
from solon.store.tables import decisions

FALSE = "at least 5 litres"
TEXTS = [f"🧪 Drink {FALSE} a day.", "مع الماء 250-500 mg\nيوميا"]


def browser_marks(test: Any) -> Any:
    for mark in BROWSER_MARKS:
        test = mark(test)
    return test


@pytest.fixture
def project(tmp_path: Path) -> Any:
    """One question with two answers; the first begins with an emoji."""
    responses = [{"text": text, "source": str(n)} for n, text in enumerate(TEXTS)]
    url = build(tmp_path, [{"id": "a", "prompt": "How much?", "responses": responses}])
    with Project(url, config=CONFIG, create=False) as opened:
        yield opened


def about(project: Project, review_id: str, **facts: Any) -> dict[str, Any]:
    """An answer that flags the text with the emoji and points to the false words in it."""
    named = next(c.id for c in project.review(review_id).candidates if FALSE in c.text)
    at = TEXTS[0].index(FALSE)
    place = {"candidate": named, "start": at, "end": at + len(FALSE), "flag": "factually_wrong"}
    return {"flags": {named: ["factually_wrong"]}, "evidence": [{**place, **facts}]}


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"text": "at least 6 litres"}, "does not stand there"),
        ({"end": 4000}, "is no part of a text"),
        ({"flag": "outdated"}, "does not give that candidate"),
        ({"flag": "ugly"}, "evidence.0.flag"),
        ({"candidate": "nobody", "flag": None}, "not part of this review"),
    ],
)
def test_what_cannot_be_evidence(project: Project, facts: dict[str, Any], told: str) -> None:
    review = first_review(project)
    with pytest.raises(InvalidDecision, match=told):
        project.decide(review, "tie", rationale="so", **about(project, review, **facts))


def test_it_is_kept_and_shown_wherever_the_answer_is(
    project: Project, tmp_path: Path, serving: Any, capfd: Any
) -> None:
    """In adjudication, by `review show` and `show`, on the lead's page, and in what is exported."""
    ada, bo = (add_expert(project.store, name, by="local:test")[0] for name in ("Ada", "Bo"))
    review_id = first_review(project)
    shown = project.review(review_id).candidates
    wrong = next(n for n, one in enumerate(shown) if FALSE in one.text)
    _, review = give(project, ada, review_id, 1 - wrong, **about(project, review_id, text=FALSE))
    give(project, bo, other_review(project, review), wrong)

    async def read() -> Any:
        async with serving(project) as app:
            with project.store.connect() as connection:
                (case,) = cases(project)
                return show_case(app.state.room, connection, case)

    case = asyncio.run(read())
    (told,) = [told for one in case.answers for told in one.evidence]
    assert (told.quote, told.flag, told.candidate) == (FALSE, "factually_wrong", shown[wrong].id)
    project.resume()
    folder = f"sqlite:///{tmp_path}/solon.db"
    for command in (["review", "show", review_id, "--unblind"], ["show", review_id]):
        assert run_command([*command, "--store", folder]) == 0
        assert FALSE in capfd.readouterr().out.split("candidate", 3)[-1].rpartition("day.")[2]
    assert run_command(["review", "show", review_id, "--store", folder]) == 0
    assert "marked as" not in capfd.readouterr().out, "who may still be asked sees nothing of it"
    with project.store.connect() as connection:
        kept = connection.execute(select(decisions.c.evidence)).scalars().first()
    assert FALSE not in json.dumps(kept), (
        "the words stand in the answer's text alone, and are forgotten with it"
    )


def test_it_is_exported_by_side_and_comes_back_when_the_answer_is_taken_back(
    project: Project, tmp_path: Path
) -> None:
    ada = add_expert(project.store, "Ada", by="local:test")[0]
    review_id = first_review(project)
    wrong = next(n for n, one in enumerate(project.review(review_id).candidates) if FALSE in one.text)
    done, _ = give(project, ada, review_id, 1 - wrong, **about(project, review_id))
    project.resume()
    project.export(format="jsonl", path=tmp_path / "out.jsonl")
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    ((side, (place,)),) = row["evidence"].items()
    assert side == "rejected"
    assert row["rejected"][place["start"] : place["end"]] == FALSE
    assert place["flag"] == "factually_wrong"
    with project.store.transaction() as connection:
        undo(project.store, connection, ada, str(done.decision_id))
    project.resume()
    with project.store.transaction() as connection:
        taken = lease_next(connection, ada)
        assert taken is not None
        draft = read_draft(connection, taken[0])
    assert draft is not None
    assert [told["candidate"] for told in draft["evidence"]] == [taken[1].candidates[wrong]]


def test_a_check_reads_what_is_marked(project: Project) -> None:
    review = first_review(project)
    candidates = [one.id for one in project.review(review).candidates]
    told = about(project, review)
    with project.store.connect() as connection:
        response = read_answer(connection, find_review(connection, review), {"choice": "tie", **told})
    texts = [one.text for one in project.review(review).candidates]
    place = candidates.index(told["evidence"][0]["candidate"]) + 1
    assert f"marked in answer {place} as factually wrong: {FALSE}" in _in_words(response, candidates, texts)


@browser_marks
def test_it_is_marked_by_key(browser: Any, project: Project) -> None:
    """The exact text stands in the answer's place meanwhile; a mark sets its flag, and the draft keeps it."""
    _, token = add_expert(project.store, "Ada", by="local:test")
    server = Server(project, work=False)
    server.start()
    try:
        page = log_in_alone(browser, server, token)
        place = page.evaluate(
            "[...document.querySelectorAll('.candidate')].findIndex(one => one.textContent.includes('litres'))"
        )
        for _ in range(place + 1):
            page.keyboard.press("m")
            page.wait_for_selector(".being-marked .marked")
        page.wait_for_selector(f".candidate:nth-child({place + 1}).being-marked")
        assert page.inner_text(".being-marked .marked") == TEXTS[0]
        page.keyboard.press("Home")
        for _ in range(2):
            page.keyboard.press("Control+ArrowRight")
        page.keyboard.press("ArrowRight")
        for _ in range(3):
            page.keyboard.press("Control+Shift+ArrowRight")
            page.keyboard.press("Control+Shift+ArrowRight")
        shot(page, "evidence")
        page.keyboard.press("2")
        assert page.inner_text(".being-marked mark") != ""
        quoted = page.inner_text(".being-marked mark")
        with page.expect_response("**/draft"):
            page.keyboard.press("Escape")
        assert page.is_visible(".candidate .text >> nth=0")
        assert page.is_checked(f".candidate >> nth={place} >> [value=factually_wrong]")
        page.reload()
        page.wait_for_selector(".item")
        page.keyboard.press("b")
        page.keyboard.type("The amount is wrong.")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#last:not([hidden])")
        with project.store.connect() as connection:
            ((told,),) = connection.execute(select(decisions.c.evidence)).scalars().all()
        assert TEXTS[0][told["start"] : told["end"]] == quoted
        assert told["flag"] == "factually_wrong"
        assert page.problems == []
    finally:
        server.stop()


@browser_marks
def test_a_turn_of_a_dialogue_is_marked_by_its_button(browser: Any, tmp_path: Path) -> None:
    """Hostile turns stand there as text; the mark covers its turn, may be taken away, and goes with the answer."""
    attack = "<img src=x onerror=alert(1)>\nuser:\nThanks!"
    seed = {"id": "d", "prompt": "How much?", "responses": [{"text": attack, "source": "x"}]}
    url = build(tmp_path, [seed], recipe="instruction-dialogue")
    with Project(url, config=CONFIG, create=False) as project:
        _, token = add_expert(project.store, "Ada", by="local:test")
        server = Server(project, work=False)
        server.start()
        try:
            page = log_in_alone(browser, server, token)
            assert page.locator(".dialogue .turn").count() == 1
            assert page.locator(".dialogue img").count() == 0
            button = page.locator("[data-do=turn]")
            for pressed in ("true", "false", "true"):
                button.click()
                assert button.get_attribute("aria-pressed") == pressed
            page.click("[data-choice=reject]")
            page.fill("#rationale", "Not this.")
            button.focus()
            page.keyboard.press("Space")
            assert button.get_attribute("aria-pressed") == "false"
            page.keyboard.press("Space")
            page.keyboard.press("Enter")  # sends, and does not press the button
            page.wait_for_selector("#last:not([hidden])")
            with project.store.connect() as connection:
                ((told,),) = connection.execute(select(decisions.c.evidence)).scalars().all()
                (text,) = (one.text for one in read_candidates(connection, [told["candidate"]]))
            (turn,) = read_dialogue(text) or ()
            assert (told["start"], told["end"], told["flag"]) == (turn.start, turn.end, None)
            assert turn.content == attack
            assert page.problems == []
        finally:
            server.stop()


def log_in_alone(browser: Any, server: Server, token: str) -> Any:
    """The page of the only item that there is."""
    page = browser.new_context(viewport=DESKTOP).new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.set_default_timeout(120_000)
    page.goto(server.address)
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector(".item")
    return page


def test_the_command_line_marks_words(project: Project, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    """By the words, which stand once in the text, or by their place; what is neither is refused with what to write."""
    monkeypatch.setenv("SOLON_TOKEN", add_expert(project.store, "Ada", by="local:test")[1])
    review = first_review(project)
    shown = project.review(review).candidates
    place = 1 + [FALSE in one.text for one in shown].index(True)
    at = TEXTS[0].index(FALSE)
    given = ("review", "decide", review, "tie", "--store", project.store.url, "--rationale", "so")
    flag = ("--flag", f"{place}=factually_wrong")
    for wrong, told in (
        ("unsafe", "is neither CANDIDATE[:FLAG]=WORDS nor"),
        (f"{place}:factually_wrong=6 litres", "stands nowhere in answer"),
        (f"{place}= ", "stands more than once"),
        (f"{place}@4-4000", "is no part of a text"),
        (f"{place}:outdated={FALSE}", "does not give that candidate"),
    ):
        assert run_command([*given, *flag, "--evidence", wrong]) != 0
        assert told in capfd.readouterr().err
    marks = ("--evidence", f"{place}:factually_wrong={FALSE}", "--evidence", f"{place}@0-{len('🧪 Drink')}")
    assert run_command([*given, *flag, *marks]) == 0
    with project.store.connect() as connection:
        kept = connection.execute(select(decisions.c.evidence)).scalar_one()
    assert [(one["start"], one["end"], one["flag"]) for one in kept] == [
        (at, at + len(FALSE), "factually_wrong"),
        (0, 7, None),
    ]
