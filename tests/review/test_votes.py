"""Reviewers who are not proven: their answers are votes, merged with the panel's until together they are sure.

The panel is scripted, so these tests show that the machinery holds; they claim no rate.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select, update

from solon.config.sections import ReviewersConfig
from solon.errors import NotPending, UsageError
from solon.learning.evidence import rate_reviewers
from solon.project import Project
from solon.store.records.counts import count_decisions
from solon.store.reviewing import queue
from solon.store.reviewing.adjudicating import list_cases
from solon.store.reviewing.answering import AnswerResult, answer_lease
from solon.store.reviewing.disagreements import ask_others
from solon.store.reviewing.drafts import Lease, read_draft
from solon.store.reviewing.experts import ExpertRow, add_expert, find_expert, save_measured, set_trust
from solon.store.reviewing.review_lists import count_answers, list_own_answers
from solon.store.reviewing.review_rows import VOTES, NotThere, ReviewRow, find_review, list_reviews
from solon.store.reviewing.undoing import undo
from solon.store.reviewing.unvoting import replayed, take_back
from solon.store.reviewing.voting import tally
from solon.store.tables import assignments, decisions, records, reviews


def first_review(project: Project) -> ReviewRow:
    with project.store.connect() as connection:
        return list_reviews(connection)[0]


def give(
    project: Project,
    expert: ExpertRow,
    review: ReviewRow,
    choice: str = "prefer",
    which: int = 0,
    reviewers: ReviewersConfig | None = None,
    **more: Any,
) -> AnswerResult:
    given: dict[str, Any] = {"choice": choice, "rationale": "clear", **more}
    if choice == "prefer":
        given["candidate"] = review.candidates[which]
    with project.store.transaction() as connection:
        lease, _ = queue.lease_review(connection, expert, review.id)
        return answer_lease(
            project.store,
            connection,
            expert,
            lease.token,
            given,
            review_id=review.id,
            channel="api",
            times={},
            reviewers=reviewers,
        )


def now(project: Project, review: ReviewRow) -> ReviewRow:
    with project.store.connect() as connection:
        return find_review(connection, review.id)


def test_a_vote_decides_nothing_alone_and_further_people_are_asked(project: Project, person: Any) -> None:
    review = first_review(project)
    ann, ben, cem = (person(name, role="worker")[0] for name in ("Ann", "Ben", "Cem"))
    first = give(project, ann, review)
    assert (first.kind, first.decision_id) == ("vote", None)
    assert now(project, review).state == "waiting"
    with project.store.transaction() as connection:
        offered = queue.lease_next(connection, ann)
    assert offered is not None
    assert offered[1].content_hash != review.content_hash, "nobody votes twice"
    with project.store.connect() as connection:
        assert count_answers(connection, ann.actor) == (1, 1, 1)
        assert count_decisions(connection, review.run_id) == (0, 0)
    states = [now(project, review).state]
    for expert in (ben, cem):
        if states[-1] == "waiting":
            give(project, expert, review)
            states.append(now(project, review).state)
    assert states[-1] == "decided"
    with project.store.connect() as connection:
        row = connection.execute(select(decisions).where(decisions.c.review_id == review.id)).one()
    assert (row.actor, row.choice, row.candidate_id) == (VOTES, "prefer", review.candidates[0])
    assert not row.counts
    assert 0.9 <= row.confidence < 1.0


def test_what_votes_decide_becomes_a_provisional_record_of_its_own_route(
    project: Project, person: Any
) -> None:
    review = first_review(project)
    for name in ("Ann", "Ben", "Cem", "Dan"):
        if now(project, review).state == "waiting":
            give(project, person(name, role="worker")[0], review)
    project.resume()
    with project.store.connect() as connection:
        record = connection.execute(select(records).where(records.c.item_id == review.item_id)).one()
    assert (record.route, record.chosen_id) == ("voted", review.candidates[0])
    assert record.provisional
    assert record.certificate_id is None
    assert record.confidence == record.soft_label >= 0.9
    assert record.shares["A"] == record.confidence
    assert sum(record.shares.values()) == pytest.approx(1.0, abs=1e-5)


def test_an_expert_decides_alone_and_the_single_user_notices_nothing(project: Project, person: Any) -> None:
    review = first_review(project)
    assert give(project, person("Eva")[0], review).kind == "decided"
    other = first_review(project)
    project.decide(other.id, "prefer", other.candidates[1])
    assert now(project, other).state == "decided"


def test_votes_that_disagree_go_to_a_lead_at_the_limit(project: Project, person: Any) -> None:
    review = first_review(project)
    few = ReviewersConfig(settles=0.99, most_votes=4)
    for number in range(4):
        expert = person(f"W{number}", role="worker")[0]
        give(project, expert, review, which=number % 2, reviewers=few)
    found = now(project, review)
    assert (found.state, found.escalated) == ("waiting", True)
    fifth = person("W5", role="worker")[0]
    with project.store.transaction() as connection, pytest.raises(NotPending):
        queue.lease_review(connection, fifth, review.id)


def test_two_who_find_both_bad_are_heard_by_a_lead(project: Project, person: Any) -> None:
    review = first_review(project)
    for name in ("Ann", "Ben"):
        give(project, person(name, role="worker")[0], review, choice="both_bad")
    found = now(project, review)
    assert (found.state, found.escalated) == ("waiting", True)


def test_measured_reliability_weighs_the_vote(project: Project, person: Any) -> None:
    review = first_review(project)
    ann = person("Ann", role="worker")[0]
    with project.store.connect() as connection:
        before = tally(connection, review, ReviewersConfig()).posterior["A"]
    give(project, ann, review, which=0)
    figures: dict[str, float] = {}
    for reliability in (0.55, 0.75, 0.85):
        with project.store.transaction() as connection:
            save_measured(connection, {ann.actor: {"reliability": reliability, "n": 9, "low": 0, "high": 1}})
            figures[str(reliability)] = tally(connection, review, ReviewersConfig()).posterior["A"]
    assert before < figures["0.55"] < figures["0.75"] < figures["0.85"]


def test_a_vote_after_looking_at_the_judges_weighs_nothing(project: Project, person: Any) -> None:
    review = first_review(project)
    ann = person("Ann", role="worker")[0]
    with project.store.transaction() as connection:
        lease, _ = queue.lease_review(connection, ann, review.id)
        queue.reveal(connection, lease.id, ann.actor)
    give(project, ann, review)
    with project.store.connect() as connection:
        assert tally(connection, review, ReviewersConfig()).votes == ()


def test_a_lead_says_who_is_proven(project: Project, person: Any) -> None:
    review = first_review(project)
    eva = person("Eva", trust="unproven")[0]
    assert give(project, eva, review).kind == "vote"
    set_trust(project.store, "Eva", "proven", by="local:test")
    other = next(r for r in _waiting(project) if r.item_id != review.item_id)
    with project.store.connect() as connection:
        eva = find_expert(connection, "Eva")
    assert give(project, eva, other).kind == "decided"
    with pytest.raises(UsageError, match="nobody is ever"):
        set_trust(project.store, "Eva", "brilliant", by="local:test")


def _waiting(project: Project) -> list[ReviewRow]:
    with project.store.connect() as connection:
        return list_reviews(connection)


def test_configuration_says_which_roles_are_proven(project: Project, person: Any) -> None:
    crowd = ReviewersConfig(proven_roles=("lead", "admin"))
    review = first_review(project)
    assert give(project, person("Eva")[0], review, reviewers=crowd).kind == "vote"
    assert give(project, person("Lea", role="lead")[0], review, reviewers=crowd).kind == "decided"


def test_people_are_measured_beside_proven_ones_and_never_beside_the_panel(
    project: Project, person: Any
) -> None:
    ann, eva = person("Ann", role="worker")[0], person("Eva")[0]
    same = 0
    for number, review in enumerate(_waiting(project)):
        give(project, ann, review, which=0)
        if now(project, review).state == "waiting":
            give(project, eva, review, which=0 if number else 1)
            same += 1
    rated = rate_reviewers(project.store, ReviewersConfig())
    assert rated[ann.actor].n == same
    assert rated[eva.actor].n == 0
    with project.store.connect() as connection:
        measured = find_expert(connection, "Ann").measured
    assert measured is not None
    assert measured["n"] == same
    assert measured["low"] < measured["reliability"] < measured["high"]


def test_audits_and_the_pilot_wait_for_proven_people(project: Project, person: Any) -> None:
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(rule="pilot"))
    ann = person("Ann", role="worker")[0]
    with project.store.transaction() as connection:
        alone = queue.lease_next(connection, ann)
    assert alone is not None, "where there are workers only, they answer the pilot too"
    with project.store.transaction() as connection:
        queue.release(connection, alone[0].id, ann.actor)
    person("Eva")
    with project.store.transaction() as connection:
        assert queue.lease_next(connection, ann) is None
        connection.execute(update(reviews).values(kind="audit", rule="audit"))
        assert queue.lease_next(connection, ann) is None


def test_a_lead_takes_back_what_votes_decided(project: Project, person: Any) -> None:
    review = first_review(project)
    for name in ("Ann", "Ben", "Cem", "Dan"):
        if now(project, review).state == "waiting":
            give(project, person(name, role="worker")[0], review)
    lea = person("Lea", role="lead")[0]
    with project.store.connect() as connection:
        made = connection.execute(
            select(decisions.c.id).where(decisions.c.review_id == review.id)
        ).scalar_one()
    with project.store.transaction() as connection:
        undo(project.store, connection, lea, made)
    assert now(project, review).prefer_actor == lea.actor
    assert give(project, lea, review, which=1).kind == "decided"


def back(project: Project, expert: ExpertRow, vote: AnswerResult) -> Lease | None:
    with project.store.transaction() as connection:
        return take_back(project.store, connection, expert, vote.assignment_id)[0]


def test_a_vote_is_taken_back_and_given_again(project: Project, person: Any) -> None:
    review = first_review(project)
    ann, ben = (person(name, role="worker")[0] for name in ("Ann", "Ben"))
    given = give(project, ann, review, which=1, strength=2)
    with project.store.connect() as connection:
        (mine,) = list_own_answers(connection, ann.actor)
    assert (mine["decision"], mine["kind"], mine["undoable"]) == (given.assignment_id, "vote", True)
    with pytest.raises(NotThere):
        back(project, ben, given)
    lease = back(project, ann, given)
    assert lease is not None
    with project.store.connect() as connection:
        draft = read_draft(connection, lease)
        assert tally(connection, review, ReviewersConfig()).votes == ()
        assert list_own_answers(connection, ann.actor) == []
    assert draft == {
        "choice": "prefer", "candidate": review.candidates[1], "rationale": "clear", "strength": 2,
    }  # fmt: skip
    with pytest.raises(NotPending, match="already"):
        back(project, ann, given)
    assert give(project, ann, review, which=0).kind == "vote"
    with project.store.connect() as connection:
        assert [vote.outcome for vote in tally(connection, review, ReviewersConfig()).votes] == ["A"]


def test_a_vote_taken_back_brings_the_question_back_from_the_leads(project: Project, person: Any) -> None:
    review = first_review(project)
    people = [person(name, role="worker")[0] for name in ("Ann", "Ben")]
    given = [give(project, expert, review, choice="both_bad") for expert in people]
    assert now(project, review).escalated
    lease = back(project, people[1], given[1])
    assert lease is not None
    assert not now(project, review).escalated


def vote_until_decided(
    project: Project, person: Any, review: ReviewRow
) -> list[tuple[ExpertRow, AnswerResult]]:
    given = []
    for name in ("Ann", "Ben", "Cem", "Dan"):
        if now(project, review).state == "waiting":
            expert = person(name, role="worker")[0]
            given.append((expert, give(project, expert, review)))
    assert now(project, review).state == "decided"
    return given


def test_what_votes_decided_falls_with_one_of_them(project: Project, person: Any) -> None:
    review = first_review(project)
    given = vote_until_decided(project, person, review)
    lease = back(project, *given[-1])
    assert lease is not None
    assert now(project, review).state == "waiting"
    assert project.resume().accepted == 0
    with project.store.connect() as connection:
        assert len(tally(connection, review, ReviewersConfig()).votes) == len(given) - 1
    assert give(project, given[-1][0], review).kind == "vote"
    assert now(project, review).state == "decided"
    assert project.resume().accepted == 1


def test_a_vote_taken_back_after_the_record_was_made(project: Project, person: Any) -> None:
    """The item begins a new attempt at no model cost, comes back to the voter, and the other votes still count."""
    review = first_review(project)
    given = vote_until_decided(project, person, review)
    before = project.resume()
    assert before.accepted == 1
    assert back(project, *given[0]) is None
    summary = project.resume()
    assert (summary.accepted, summary.model_calls) == (0, before.model_calls)
    first = given[0][0]
    again = next(r for r in _waiting(project) if r.item_id == review.item_id)
    assert (again.attempt, again.prefer_actor, again.escalated) == (review.attempt + 1, first.actor, False)
    with project.store.connect() as connection:
        assert replayed(connection, given[0][1].assignment_id, first.actor) == again.id
        votes = tally(connection, again, ReviewersConfig()).votes
    assert {vote.outcome for vote in votes} == {"A"}
    assert len(votes) == len(given) - 1
    with project.store.transaction() as connection:
        lease, _ = queue.lease_review(connection, first, again.id)
        draft = read_draft(connection, lease)
        queue.release(connection, lease.id, first.actor)
    assert draft is not None
    assert draft["candidate"] == again.candidates[0]
    assert give(project, first, again).kind == "vote"
    assert now(project, again).state == "decided"
    assert project.resume().accepted == 1


def test_a_vote_on_what_an_expert_decided_stays(project: Project, person: Any) -> None:
    review = first_review(project)
    ann, eva = person("Ann", role="worker")[0], person("Eva")[0]
    given = give(project, ann, review)
    assert give(project, eva, review).kind == "decided"
    with pytest.raises(NotPending, match="someone else has decided"):
        back(project, ann, given)


def test_the_server_takes_a_vote_back(project: Project, person: Any, serving: Any, client: Any) -> None:
    _, token = person("Ann", role="worker")

    async def go() -> None:
        async with serving(project, work=False) as app, client(app, token) as http:
            item = (await http.post("/api/v1/next", json={})).json()["item"]
            answer = {"choice": "tie", "rationale": "both say the same"}
            given = {"token": item["token"], "answer": answer}
            sent = (await http.post(f"/api/v1/reviews/{item['review']}/decision", json=given)).json()
            (mine,) = (await http.get("/api/v1/me/answers")).json()
            assert (mine["kind"], mine["decision"]) == ("vote", sent["assignment"])
            undone = await http.post(f"/api/v1/decisions/{mine['decision']}/undo")
            assert undone.status_code == 200
            assert undone.json()["item"]["review"] == item["review"]
            assert undone.json()["item"]["draft"] == answer

    asyncio.run(go())


def test_the_server_takes_votes(project: Project, person: Any, serving: Any, client: Any) -> None:
    tokens = [person(name, role="worker")[1] for name in ("Ann", "Ben")]

    async def vote(http: Any) -> dict[str, Any]:
        item = (await http.post("/api/v1/next", json={})).json()["item"]
        answer = {"choice": "tie", "rationale": "both say the same"}
        given = {"token": item["token"], "answer": answer}
        sent = await http.post(f"/api/v1/reviews/{item['review']}/decision", json=given)
        assert sent.status_code == 200
        taken: dict[str, Any] = sent.json()
        return taken

    async def both() -> list[dict[str, Any]]:
        async with serving(project, work=False) as app:
            taken = []
            for token in tokens:
                async with client(app, token) as http:
                    taken.append(await vote(http))
            return taken

    first, second = asyncio.run(both())
    assert first["review"] == second["review"], "an undecided item is asked of the next person"
    assert [(t["kind"], t["decision"]) for t in (first, second)] == [("vote", None)] * 2


LABEL_SETS = [["clinical", "legal"], ["clinical", "legal", "neither"], ["accept", "tie"]]


def labelling(folder: Any, label: dict[str, Any]) -> Project:
    project = Project(f"sqlite:///{folder}/labels.db", config={"label": label})
    project.run("label", [{"id": f"t{n}", "prompt": f"Text number {n}."} for n in range(2)])
    return project


@pytest.mark.parametrize("labels", LABEL_SETS, ids=["two", "three", "words of the panel"])
def test_two_who_agree_settle_a_label(tmp_path: Any, labels: list[str]) -> None:
    with labelling(tmp_path, {"labels": labels}) as project:
        agreed, split = _waiting(project)
        people = [
            add_expert(project.store, name, role="worker", by="local:test")[0]
            for name in ("Ann", "Ben", "Cem", "Dan")
        ]
        assert [give(project, expert, agreed, labels[1]).kind for expert in people[:2]] == ["vote"] * 2
        assert now(project, agreed).state == "decided"
        for expert, label in zip(people, (labels[0], labels[1], labels[1], labels[1]), strict=True):
            assert now(project, split).state == "waiting", "one against one settles nothing"
            give(project, expert, split, label)
        assert now(project, split).state == "decided"
        assert project.resume().accepted == 2
        with project.store.connect() as connection:
            found = connection.execute(select(records.c.label, records.c.route)).all()
    assert {tuple(row) for row in found} == {(labels[1], "voted")}


def test_votes_on_a_form_keep_what_was_filled_in(tmp_path: Any) -> None:
    with labelling(tmp_path, {"form": "forms:Triage"}) as project:
        review = _waiting(project)[0]
        for name, minutes in (("Ann", 5), ("Ben", 20)):
            expert = add_expert(project.store, name, role="worker", by="local:test")[0]
            give(project, expert, review, "now", setting="ward", minutes=minutes)
        assert now(project, review).state == "decided"
        project.resume()
        project.export(format="jsonl", path=tmp_path / "out.jsonl")
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert (row["label"], row["fields"]["minutes"]) == ("now", 5)


def test_the_same_person_has_one_vote(project: Project, person: Any) -> None:
    review = first_review(project)
    ann = person("Ann", role="worker")[0]
    given = give(project, ann, review)
    with pytest.raises(NotPending, match="answered this question already"):
        give(project, ann, review)
    with project.store.transaction() as connection:
        ask_others(connection, review, 2)
    (overlap,) = [one for one in _waiting(project) if one.kind == "overlap"]
    with pytest.raises(NotPending, match="answered this question already"):
        give(project, ann, overlap)
    assert len(votes_on(project, review)) == 1
    assert back(project, ann, given) is not None
    assert give(project, ann, review).kind == "vote"


def votes_on(project: Project, review: ReviewRow) -> list[str]:
    with project.store.connect() as connection:
        return [vote.actor for vote in tally(connection, review, ReviewersConfig()).votes]


def test_a_second_answer_of_someone_unproven_stays_a_vote(project: Project, person: Any) -> None:
    """Asked beside an expert, or late: it is no decision, opens no disagreement, and counts with the other votes."""
    review = first_review(project)
    ann, ben, eva = person("Ann", role="worker")[0], person("Ben", role="worker")[0], person("Eva")[0]
    with project.store.transaction() as connection:
        ask_others(connection, review, 2)
        late, _ = queue.lease_review(connection, ben, review.id)
        connection.execute(update(assignments).values(expires_at=0.0))
    (overlap,) = [one for one in _waiting(project) if one.kind == "overlap"]
    beside = give(project, ann, overlap, which=1)
    assert (beside.kind, beside.decision_id) == ("vote", None)
    assert votes_on(project, review) == [ann.actor]
    assert now(project, overlap).state == "withdrawn", "it was for one person"
    assert give(project, eva, review).kind == "decided"
    with project.store.transaction() as connection:
        answer = {"choice": "prefer", "candidate": review.candidates[1], "rationale": "clear"}
        about = {"review_id": review.id, "channel": "api", "times": {}}
        said = answer_lease(project.store, connection, ben, late.token, answer, **about)
        assert list_cases(connection, None) == []
        made = connection.execute(select(decisions.c.actor)).scalars().all()
    assert (said.kind, said.decision_id) == ("vote", None)
    assert made == [eva.actor]


def test_a_vote_that_came_after_the_decision_is_taken_back_alone(project: Project, person: Any) -> None:
    review = first_review(project)
    dan = person("Late", role="worker")[0]
    with project.store.transaction() as connection:
        late, _ = queue.lease_review(connection, dan, review.id)
        queue.release(connection, late.id, dan.actor)
    vote_until_decided(project, person, review)
    with project.store.transaction() as connection:
        answer = {"choice": "tie", "rationale": "both say the same"}
        about = {"review_id": review.id, "channel": "api", "times": {}}
        said = answer_lease(project.store, connection, dan, late.token, answer, **about)
    assert back(project, dan, said) is None
    assert now(project, review).state == "decided"
