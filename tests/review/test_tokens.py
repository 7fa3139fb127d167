"""Answers from the command line and Python with an expert's token count as those from the page do; and in a run that
measures, answers without one are refused on every review, in the same words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cases import CONFIG, seeds
from sqlalchemy import select, text, update

from solon.cli import main
from solon.errors import AlreadyDecided, InvalidDecision, NotPending, TokenWanted, UsageError
from solon.project import Project
from solon.store.database.engine import sqlite_path
from solon.store.learning import evidence
from solon.store.reviewing import queue
from solon.store.reviewing.disagreements import ask_others
from solon.store.reviewing.experts import find_expert, rotate_token
from solon.store.reviewing.review_rows import ReviewRow, find_review, list_reviews
from solon.store.reviewing.sessions import revoke_expert
from solon.store.tables import decisions, reviews, table_of
from solon.store.tables.experts import AuditEntry
from solon.store.tables.people import Assignment

PILOT = {**CONFIG, "routing": {"policy": "pilot", "pilot": 8, "pilot_share": 1.0}}


@pytest.fixture
def pilot(tmp_path: Path) -> Iterator[Project]:
    """A run under the default policy, with a pilot."""
    with Project(f"sqlite:///{tmp_path}/pilot.db", config=PILOT) as opened:
        opened.run("preference", seeds(8))
        yield opened


def waiting(project: Project) -> list[ReviewRow]:
    with project.store.connect() as connection:
        return list_reviews(connection)


def made(project: Project, decision_id: str) -> Any:
    with project.store.connect() as connection:
        return connection.execute(select(decisions).where(decisions.c.id == decision_id)).one()


def prefer(review: ReviewRow) -> dict[str, Any]:
    return {
        "choice": "prefer",
        "candidate": review.candidates[0],
        "rationale": "It promises nothing unknown.",
    }


def solon(*arguments: str) -> int:
    return main(list(arguments))


def test_an_answer_with_a_token_is_the_experts_by_every_way(
    pilot: Project,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    serving: Any,
    client: Any,
) -> None:
    """One from Python, one from the command line, one from the API: what is kept differs in the channel only."""
    token = pilot.add_expert("Dr Ada Lind", specialties=["cardiology"])
    with pilot.store.connect() as connection:
        ada = find_expert(connection, "Dr Ada Lind")
    assert (ada.specialties, ada.stage) == (("cardiology",), "proven")
    first, second, third = [one for one in waiting(pilot) if one.kind == "interrupt"][:3]
    given = [pilot.decide(first.id, **prefer(first), expert=token)]
    monkeypatch.setenv("SOLON_TOKEN", token)
    command = [
        "review",
        "decide",
        second.id,
        "prefer",
        "--candidate",
        second.candidates[0],
        "--rationale",
        "so",
    ]
    capfd.readouterr()
    assert solon(*command, "--json", "--store", pilot.store.url) == 0
    given.append(json.loads(capfd.readouterr().out.splitlines()[-1])["decision_id"])

    async def send() -> str:
        async with serving(pilot) as app, client(app, token) as http:
            item = (await http.post(f"/api/v1/reviews/{third.id}/lease")).json()
            body = {"token": item["token"], "answer": prefer(third)}
            return (await http.post(f"/api/v1/reviews/{third.id}/decision", json=body)).json()["decision"]

    given.append(asyncio.run(send()))
    kept = [made(pilot, decision_id) for decision_id in given]
    assert [(row.actor, row.counts) for row in kept] == [(ada.actor, True)] * 3
    assert [row.channel for row in kept] == ["python", "cli", "api"]
    with pilot.store.connect() as connection:
        counted = evidence.counted_decisions(connection, pilot.store.key, [first.run_id])
        blind = evidence.blind_answers(connection)
        held = connection.execute(select(table_of(Assignment))).all()
    assert {one.decision_id for one in counted} == set(given)
    assert len(blind) == 3
    assert {(row.actor, row.state) for row in held} == {(ada.actor, "decided")}
    monkeypatch.delenv("SOLON_TOKEN")
    assert pilot.resume().accepted == 3


@pytest.mark.sqlite("it reads the file of the store")
def test_the_token_is_kept_nowhere(pilot: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    token = pilot.add_expert("Ada")
    review = waiting(pilot)[0]
    pilot.decide(review.id, **prefer(review), expert=token)
    with pytest.raises(UsageError) as refused:
        pilot.decide(review.id, "tie", expert=f"{token}x")
    secret = token.split("_", 2)[2]  # it may hold one itself
    assert secret not in str(refused.value) + caplog.text
    assert secret not in repr(pilot) + str(vars(pilot.config))
    path = sqlite_path(pilot.store.url)
    assert path is not None
    assert all(secret.encode() not in file.read_bytes() for file in path.parent.glob("pilot.*"))


@pytest.mark.parametrize("how", ["wrong", "revoked", "replaced", "empty", "no text"])
def test_a_token_that_is_none_is_refused(pilot: Project, how: str) -> None:
    token: Any = pilot.add_expert("Ada")
    review = waiting(pilot)[0]
    with Project(pilot.store.url, config=PILOT, expert=token) as before:
        if how == "revoked":
            revoke_expert(pilot.store, "Ada", by="local:test")
        elif how == "replaced":
            rotate_token(pilot.store, "Ada", by="local:test")
        else:
            token = {"wrong": f"{token[:-3]}...", "empty": "", "no text": 7}[how]
        with pytest.raises(UsageError, match="wrong, was replaced or was revoked") as refused:
            pilot.decide(review.id, **prefer(review), expert=token)
        assert "solon expert rotate" in refused.value.next_step
        if how in ("revoked", "replaced"):  # also where it was right when the project was opened
            with pytest.raises(UsageError, match="revoked"):
                before.decide(review.id, **prefer(review))
    with pytest.raises(UsageError):
        Project(pilot.store.url, config=PILOT, expert=token)
    assert waiting(pilot)[0].state == "waiting"


def test_the_command_line_names_the_variable(
    pilot: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOLON_TOKEN", "solon_0123456789abcdef_" + "x" * 43)
    review = waiting(pilot)[0]
    assert solon("review", "decide", review.id, "tie", "--store", pilot.store.url) == 2
    told = capfd.readouterr().err
    assert "SOLON_TOKEN" in told
    assert "xxx" not in told


def refusal(project: Project, review_id: str, choice: str = "tie", **answer: Any) -> tuple[str, str]:
    with pytest.raises(TokenWanted) as refused:
        project.decide(review_id, choice, **answer)
    return refused.value.cause, refused.value.next_step


def test_without_a_token_every_review_of_a_run_with_a_pilot_is_refused_alike(
    pilot: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = waiting(pilot)
    assert {one.kind for one in shown} == {"interrupt", "overlap"}
    token = pilot.add_expert("Ada")
    pilot.decide(shown[0].id, **prefer(shown[0]), expert=token)  # and one that is decided
    told = {refusal(pilot, one.id) for one in shown}
    told |= {refusal(pilot, shown[1].id, choice) for choice in ("skip", "nonsense", "escalate")}
    assert len(told) == 1
    cause, next_step = told.pop()
    assert "expert's token" in cause
    assert 'export SOLON_TOKEN="$(solon expert add YOUR_NAME)"' in next_step
    assert solon("review", "decide", shown[1].id, "tie", "--store", pilot.store.url) == 2
    assert cause in capfd.readouterr().err


def audits(project: Project) -> None:
    """As the graph draws them: a blind check of what is accepted."""
    review = waiting(project)[0]
    with project.store.transaction() as connection:
        connection.execute(
            update(reviews).where(reviews.c.id == review.id).values(kind="audit", rule="audit")
        )


def overlaps(project: Project) -> None:
    with project.store.transaction() as connection:
        ask_others(connection, find_review(connection, waiting(project)[0].id), 2)


def golden(project: Project) -> None:
    row = {"prompt": "May I?", "responses": ["No.", "Yes."], "answer": "1"}
    with TemporaryDirectory() as folder:
        file = Path(folder, "golden.jsonl")
        file.write_text(json.dumps(row) + "\n")
        assert solon("golden", "import", str(file), "--store", project.store.url) == 0


@pytest.mark.parametrize("measure", [audits, overlaps, golden])
def test_and_so_is_every_review_where_there_are_audits_overlaps_or_golden_questions(
    project: Project, measure: Any
) -> None:
    """Before, as in README's quickstart, whoever sits here may answer."""
    one = waiting(project)[0]
    project.decide(one.id, "tie")
    measure(project)
    assert len({refusal(project, review.id) for review in waiting(project)}) == 1


def test_audits_that_a_run_may_still_draw_are_enough(tmp_path: Path) -> None:
    config = {**CONFIG, "routing": {"policy": "threshold", "threshold": 1.0}}
    with Project(f"sqlite:///{tmp_path}/a.db", config=config) as project:
        project.run("preference", seeds(2))
        review = waiting(project)[0]
        assert review.kind == "interrupt"
        refusal(project, review.id)
    config["routing"] = {"policy": "threshold", "threshold": 1.0, "audit_share": 0.0}
    with Project(f"sqlite:///{tmp_path}/b.db", config=config) as project:
        project.run("preference", seeds(2))
        assert project.decide(waiting(project)[0].id, "tie")


def test_the_configuration_is_the_runs_own(pilot: Project) -> None:
    """Another one of today changes nothing of what the run was begun as."""
    with Project(pilot.store.url, config=CONFIG) as project:
        refusal(project, waiting(project)[0].id)


def test_several_are_asked_whoever_answers_from_python(project: Project) -> None:
    project.config = project.config.model_copy(
        update={"review": project.config.review.model_copy(update={"answers": 2})}
    )
    review = waiting(project)[0]
    refusal(project, review.id)
    project.decide(review.id, **prefer(review), expert=project.add_expert("Ada"))
    assert [one.kind for one in waiting(project) if one.content_hash == review.content_hash] == ["overlap"]


def test_an_expert_can_answer_all_that_is_listed_for_them(pilot: Project) -> None:
    """A quarter of the pilot is asked of two people: nobody is listed a second opinion on their own answer."""
    twice = len(waiting(pilot)) - 8
    assert twice > 0
    with Project(pilot.store.url, config=PILOT, expert=pilot.add_expert("Ada")) as opened:
        for review in opened.reviews():
            opened.decide(review, "prefer", review.candidates[0], rationale="It promises nothing unknown.")
        assert opened.reviews() == []
    assert len(waiting(pilot)) == twice


def test_a_limit_counts_what_the_expert_may_answer(pilot: Project) -> None:
    """A second opinion on what they answered stands first in the queue, and is for somebody else."""
    token = pilot.add_expert("Ada")
    with Project(pilot.store.url, config=PILOT, expert=token) as opened:
        all_of_them = [review.id for review in opened.reviews()]
        for review in opened.reviews(limit=3):
            opened.decide(review.id, "prefer", review.candidates[0], rationale="so")
        with pilot.store.transaction() as connection:
            twin = reviews.c.state == "decided"
            for row in connection.execute(select(reviews).where(twin)).mappings().all():
                again = {**row, "id": f"{row['id'][:-1]}x", "state": "waiting", "kind": "overlap"}
                connection.execute(reviews.insert(), [{**again, "priority": -9.0, "leased": False}])
        left = all_of_them[3:]
        assert [review.id for review in opened.reviews(limit=2)] == left[:2]
        assert [review.id for review in opened.reviews()] == left


def test_an_expert_reads_blind_and_the_log_says_who(
    pilot: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    token = pilot.add_expert("Ada")
    review = waiting(pilot)[0]
    assert pilot.review(review.id).reasons
    with Project(pilot.store.url, config=PILOT, expert=token) as blind:
        assert blind.review(review.id).reasons == ()
        assert {one.reasons for one in blind.reviews()} == {()}
    monkeypatch.setenv("SOLON_TOKEN", token)
    capfd.readouterr()
    assert solon("review", "show", review.id, "--store", pilot.store.url) == 0
    assert "why:" not in capfd.readouterr().out
    assert solon("review", "show", review.id, "--unblind", "--store", pilot.store.url) == 2, "for leads"
    made_by = pilot.decide(review.id, **prefer(review))
    assert made(pilot, made_by).counts
    with pilot.store.connect() as connection:
        ada = find_expert(connection, "Ada").actor
        entries = connection.execute(select(table_of(AuditEntry)).where(AuditEntry.actor == ada)).all()
    assert {row.action for row in entries} >= {"review.read", "review.decided"}


def test_who_looked_at_the_lineage_first_is_no_blind_witness(
    pilot: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = pilot.add_expert("Ada")
    review = waiting(pilot)[0]
    monkeypatch.setenv("SOLON_TOKEN", token)
    assert solon("show", review.item_id, "--store", pilot.store.url) == 0
    assert not made(pilot, pilot.decide(review.id, **prefer(review))).counts


def test_what_the_page_asks_is_asked_here(pilot: Project) -> None:
    token = pilot.add_expert("Ada")
    review, other = [one for one in waiting(pilot) if one.kind == "interrupt"][:2]
    with pytest.raises(InvalidDecision, match="rationale"):
        pilot.decide(review.id, "both_bad", expert=token)
    with pytest.raises(InvalidDecision, match="reason"):
        pilot.decide(review.id, "decline", expert=token)
    pilot.decide(review.id, "decline", reason="not_my_field", expert=token)
    pilot.decide(other.id, **prefer(other), expert=token)
    with pytest.raises(AlreadyDecided):
        pilot.decide(other.id, **prefer(other), expert=token)


def test_a_worker_votes_and_nobody_takes_what_somebody_has_open(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ann, eva = project.add_expert("Ann", role="worker"), project.add_expert("Eva")
    review, other = waiting(project)[:2]
    monkeypatch.setenv("SOLON_TOKEN", ann)
    capfd.readouterr()
    command = ["review", "decide", review.id, "tie", "--rationale", "alike", "--store", project.store.url]
    assert solon(*command, "--json") == 0
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (told["decision_id"], bool(told["assignment_id"])) == (None, True)
    assert solon(*command) == 1
    with project.store.transaction() as connection:
        queue.lease_review(connection, find_expert(connection, "Eva"), other.id)
    with pytest.raises(Exception, match="someone else has this review open"):
        project.decide(other.id, "tie", rationale="alike", expert=ann)
    assert project.decide(other.id, "tie", rationale="alike", expert=eva)


def test_onboarding_comes_first_where_the_project_wants_it(project: Project) -> None:
    project.config = project.config.model_copy(
        update={"review": project.config.review.model_copy(update={"onboarding": True})}
    )
    new, ready = project.add_expert("New"), project.add_expert("Ready", ready=True)
    review = waiting(project)[0]
    with pytest.raises(NotPending):
        project.decide(review.id, **prefer(review), expert=new)
    assert project.decide(review.id, **prefer(review), expert=ready)


def test_nobody_can_say_to_be_somebody_else(project: Project) -> None:
    review = waiting(project)[0]
    with pytest.raises(InvalidDecision, match="actor"):
        project.decide(review.id, "tie", actor="expert:somebody")
    with project.store.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM decisions")).scalar_one() == 0


def test_who_shows_a_lineage_is_told_what_their_answer_is_worth(
    pilot: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = [one for one in waiting(pilot) if one.kind == "interrupt"][:2]
    store = ["--store", pilot.store.url]
    assert solon("show", first.item_id, *store) == 0
    assert "teach" not in capfd.readouterr().err, "without a token nothing is blind anyway"
    monkeypatch.setenv("SOLON_TOKEN", pilot.add_expert("Ada"))
    assert solon("show", first.item_id, *store) == 0
    assert f"your answer to review {first.id} will decide, but teach nothing" in capfd.readouterr().err
    for review, told in ((first, True), (second, False)):
        decide = ["review", "decide", review.id, "prefer", "--candidate", "1", "--rationale", "so"]
        assert solon(*decide, *store) == 0
        assert ("decides, but teaches nothing" in capfd.readouterr().err) is told
    assert solon("show", second.item_id, *store) == 0
    assert "teach" not in capfd.readouterr().err, "they have answered already"
