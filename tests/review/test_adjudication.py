"""Two people differ: a third, who sees no names, settles it; the item follows, and the reviewers may reply once."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cases import CONFIG
from running import until
from sqlalchemy import select, update

from solon.cli.app import run_command
from solon.errors import AlreadyDecided, InvalidDecision, NotPending, UsageError
from solon.formats.contract import LeftOut, find_answer, find_pair
from solon.project import Project
from solon.store.reviewing import adjudicating, queue
from solon.store.reviewing.adjudicating import Case
from solon.store.reviewing.answering import AnswerResult, answer_lease
from solon.store.reviewing.disagreements import open_disputes, outcome_of, soft_shares
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.review_rows import NotThere, ReviewRow, find_review
from solon.store.reviewing.reviews import set_escalated
from solon.store.reviewing.undoing import undo
from solon.store.tables import assignments, decisions, precedents, reviews


def give(
    project: Project, expert: ExpertRow, review_id: str, which: int, **more: Any
) -> tuple[AnswerResult, ReviewRow]:
    """Lease a review and answer it: for the candidate of this place, in the order of the store."""
    with project.store.transaction() as connection:
        lease, review = queue.lease_review(connection, expert, review_id)
        answer = {"choice": "prefer", "candidate": review.candidates[which], "rationale": f"for {which}"}
        done = answer_lease(
            project.store,
            connection,
            expert,
            lease.token,
            {**answer, **more},
            review_id=review_id,
            channel="api",
            times={},
            answers=2,
        )
    return done, review


def first_review(project: Project) -> str:
    with project.store.connect() as connection:
        firsts = (
            reviews.c.state == "waiting",
            reviews.c.kind != "overlap",
        )  # those stand a millisecond behind
        query = select(reviews.c.id).where(*firsts).order_by(reviews.c.created_at)
        return str(connection.execute(query.limit(1)).scalar_one())


def other_review(project: Project, review: ReviewRow) -> str:
    """The question as it is put to the second person."""
    with project.store.connect() as connection:
        query = select(reviews.c.id).where(
            reviews.c.content_hash == review.content_hash,
            reviews.c.kind == "overlap",
            reviews.c.state == "waiting",
        )
        return str(connection.execute(query).scalar_one())


def cases(project: Project, state: str | None = "open") -> list[Case]:
    with project.store.connect() as connection:
        return adjudicating.list_cases(connection, state)


def rule(project: Project, lead: ExpertRow, case: Case, choice: str, which: int | None = None) -> Case:
    with project.store.transaction() as connection:
        return adjudicating.adjudicate(
            project.store,
            connection,
            lead,
            case.id,
            choice=choice,
            candidate=None if which is None else case.review.candidates[which],
            principle="true-claims",
            reason="The second answer invents a fact.",
        )


@pytest.fixture
def split(project: Project, person: Any) -> tuple[ExpertRow, ExpertRow, Case]:
    """Ada and Bo answered one question differently."""
    ada, bo = person("Ada")[0], person("Bo")[0]
    _, review = give(project, ada, first_review(project), 0)
    give(project, bo, other_review(project, review), 1)
    (case,) = cases(project)
    return ada, bo, case


def test_two_are_asked_and_agreement_opens_nothing(project: Project, person: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    _, review = give(project, ada, first_review(project), 0)
    give(project, bo, other_review(project, review), 0)
    assert cases(project, None) == []


def test_an_answer_in_sight_of_the_panel_is_held_against_a_blind_one(project: Project, person: Any) -> None:
    """It certifies nothing, but the record goes on with it."""
    ada, bo = person("Ada")[0], person("Bo")[0]
    with project.store.transaction() as connection:
        lease, review = queue.lease_review(connection, ada, first_review(project))
        connection.execute(update(assignments).where(assignments.c.id == lease.id).values(revealed_at=1.0))
    _, review = give(project, ada, review.id, 0)
    give(project, bo, other_review(project, review), 1)
    (case,) = cases(project)
    assert {one.actor: one.alone for one in case.given} == {ada.actor: False, bo.actor: True}
    with project.store.connect() as connection:
        assert open_disputes(connection, [review.item_id]) == {review.item_id}


def test_a_lead_has_the_last_word_on_what_was_handed_over(project: Project, person: Any) -> None:
    lea = person("Lea", role="lead")[0]
    with project.store.transaction() as connection:
        asked = first_review(project)
        set_escalated(connection, asked)
    _, review = give(project, lea, asked, 0)
    with project.store.connect() as connection:
        query = select(reviews.c.id).where(reviews.c.content_hash == review.content_hash)
        assert connection.execute(query).scalars().all() == [review.id]


def test_an_edit_agrees_with_a_preference_for_the_same_answer() -> None:
    assert outcome_of("edit", "t1") == outcome_of("prefer", "t1") != outcome_of("prefer", "t2")
    assert outcome_of("both_bad", None) == outcome_of("redraft", None) != outcome_of("tie", None)
    assert outcome_of("edit", None) == outcome_of("reject", None) or outcome_of("edit", None) == "neither"


def test_soft_shares() -> None:
    assert soft_shares(["a", "b", "a"], ["a", "b"]) == {"a": 0.666667, "b": 0.333333}
    assert soft_shares(["a", "tie"], ["a", "b"]) == {"a": 0.75, "b": 0.25}
    assert soft_shares(["neither", "neither"], ["a", "b"]) == {"a": 0.5, "b": 0.5}
    assert soft_shares(["accept", "reject", "accept"], ["a"]) == {"a": 0.666667}


def test_the_same_outcome_leaves_the_item_alone(project: Project, person: Any, split: Any) -> None:
    _, _, case = split
    project.resume()
    settled = rule(project, person("Lea", role="lead")[0], case, "prefer", 0)
    assert settled.state == "decided"
    with project.store.connect() as connection:
        assert connection.execute(select(decisions.c.overruled_by)).scalars().all() == [None, None]
        assert settled.decision_id in connection.execute(select(decisions.c.id)).scalars().all()
    assert project.summarize().accepted == 1


@pytest.mark.parametrize("delivered", [False, True])
def test_another_outcome_takes_the_place_of_the_first(
    project: Project, person: Any, split: Any, delivered: bool
) -> None:
    """Whether the graph has the first answer or not: the record says what the adjudicator said, at no model cost."""
    _, _, case = split
    before = project.resume() if delivered else project.summarize()
    settled = rule(project, person("Lea", role="lead")[0], case, "prefer", 1)
    after = project.resume()
    assert (after.accepted, after.pending_review) == (1, 11)
    assert after.model_calls == before.model_calls
    trace = project.trace(case.item_id)
    texts = {c["id"]: c["text"] for c in trace["candidates"]}
    assert texts[trace["record"]["chosen_id"]] == texts[case.review.candidates[1]]
    assert trace["record"]["decision_id"] == settled.decision_id
    with project.store.connect() as connection:
        rows = {r["id"]: r for r in connection.execute(select(decisions)).mappings()}
    assert not rows[str(settled.decision_id)]["counts"]  # whoever saw both answers is no blind evidence
    assert [r["counts"] for r in rows.values() if r["overruled_by"] == settled.decision_id] == [True]


def test_learning_takes_the_ruling_for_what_was_decided(project: Project, person: Any, split: Any) -> None:
    """The first answer stays evidence of its author; as a label it gives way to the ruling."""
    from solon.store.learning.evidence import counted_decisions

    case = split[2]
    project.resume()
    run_id = project.summarize().run_id

    def learned() -> list[tuple[str, str | None]]:
        with project.store.connect() as connection:
            found = counted_decisions(connection, project.store.key, [run_id])
        return [
            (d.choice, d.candidate_id) for d in found if d.item_id == case.item_id and d.kind == "interrupt"
        ]

    before = learned()
    rule(project, person("Lea", role="lead")[0], case, "tie")
    assert [choice for choice, _ in before] == ["prefer"]
    assert learned() == [("tie", None)]


def test_the_legislator_hears_of_what_stays_contested(
    project: Project, person: Any, split: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision that the law covers and the panel shares is no case for it, until experts differ to the end."""
    from solon.lawmaking import drafting
    from solon.lawmaking.drafting import law_in_force, unsettled

    project.resume()
    with project.store.transaction() as connection:
        connection.execute(precedents.update().values(half="seen"))
        connection.execute(decisions.update().values(principles=["true-claims"]))
    monkeypatch.setattr(drafting, "_panel_found", lambda *_: {})

    def heard() -> set[str]:
        with project.store.connect() as connection:
            law = law_in_force(connection, project.config, "constitution")
            return {row.item_id for row in unsettled(connection, law)}

    assert heard() == set()
    rule(project, person("Lea", role="lead")[0], split[2], "contested")
    assert heard() == {split[2].item_id}


def test_nobody_settles_their_own_disagreement(project: Project, person: Any) -> None:
    lea, bo = person("Lea", role="lead")[0], person("Bo")[0]
    _, review = give(project, lea, first_review(project), 0)
    give(project, bo, other_review(project, review), 1)
    (case,) = cases(project)
    for who in (lea, bo):
        with pytest.raises(NotPending):
            rule(project, who, case, "tie")
    other = person("Max", role="lead")[0]
    rule(project, other, case, "tie")
    with pytest.raises(AlreadyDecided):
        rule(project, person("Eve", role="lead")[0], case, "tie")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"choice": "edit"}, "choice"),
        ({"choice": "prefer", "candidate": "nobody"}, "candidate"),
        ({"choice": "tie", "principle": "unheard-of"}, "principle"),
        ({"choice": "tie", "reason": " "}, "reason"),
    ],
)
def test_wrong_rulings_name_their_field(
    project: Project, person: Any, split: Any, given: dict[str, Any], field: str
) -> None:
    lead = person("Lea", role="lead")[0]
    values = {"candidate": None, "principle": None, "reason": "because", **given}
    with pytest.raises(InvalidDecision, match=f"^{field}:"), project.store.transaction() as connection:
        adjudicating.adjudicate(project.store, connection, lead, split[2].id, **values)
    assert cases(project)[0].state == "open"


def test_taking_an_answer_back_closes_the_case(project: Project, person: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    _, review = give(project, ada, first_review(project), 0)
    done, _ = give(project, bo, other_review(project, review), 1)
    with project.store.transaction() as connection:
        undo(project.store, connection, bo, str(done.decision_id))
    assert [case.state for case in cases(project, None)] == ["withdrawn"]
    give(project, bo, done.review_id, 1, strength=2)
    assert [case.state for case in cases(project, None)] == ["open"]


def test_a_settled_answer_is_not_taken_back(project: Project, person: Any) -> None:
    ada, bo = person("Ada")[0], person("Bo")[0]
    done, review = give(project, ada, first_review(project), 0)
    give(project, bo, other_review(project, review), 1)
    rule(project, person("Lea", role="lead")[0], cases(project)[0], "prefer", 1)
    with pytest.raises(NotPending, match="settled"), project.store.transaction() as connection:
        undo(project.store, connection, ada, str(done.decision_id))


def test_maintained_answers_leave_it_contested_with_a_soft_label(
    project: Project, person: Any, split: Any, tmp_path: Any
) -> None:
    ada, bo, case = split
    project.resume()
    rule(project, person("Lea", role="lead")[0], case, "prefer", 0)
    with project.store.transaction() as connection:
        adjudicating.reply(project.store, connection, ada, case.id, stance="accepts", words="")
        with pytest.raises(InvalidDecision, match=r"^words"):
            adjudicating.reply(project.store, connection, bo, case.id, stance="maintains", words="")
        kept = adjudicating.reply(
            project.store, connection, bo, case.id, stance="maintains", words="The label says otherwise."
        )
        with pytest.raises(AlreadyDecided):
            adjudicating.reply(project.store, connection, bo, case.id, stance="accepts", words="")
    assert kept.state == "contested"
    assert sorted((kept.soft or {}).values()) == [0.333333, 0.666667]
    from solon.store.records.exporting import export_rows

    _, rows = export_rows(project.store)
    (row,) = list(rows)
    assert (row.label, row.outcome, row.soft_label) == ("contested", "tie", 0.666667)
    assert find_pair(row) == find_answer(row) == LeftOut("contested")


def test_split_again_is_contested(project: Project, person: Any, split: Any) -> None:
    kept = rule(project, person("Lea", role="lead")[0], split[2], "contested")
    assert (kept.state, kept.decision_id) == ("contested", None)
    assert set((kept.soft or {}).values()) == {0.5}
    stranger = person("Cy")[0]
    with pytest.raises(NotThere), project.store.transaction() as connection:
        adjudicating.reply(project.store, connection, stranger, kept.id, stance="accepts", words="")


def test_over_http_without_names_until_it_is_settled(
    project: Project, person: Any, serving: Any, client: Any, split: Any
) -> None:
    _, _, case = split
    _, lead = person("Lea", role="lead")
    ada = _token(project, "Ada")

    async def go() -> None:
        async with serving(project, work=True) as app, client(app, lead) as http, client(app, ada) as mine:
            assert (await mine.get("/api/v1/adjudications")).status_code == 403
            assert (await mine.get("/api/v1/me/outcomes")).json() == []
            listed = (await http.get("/api/v1/adjudications")).json()
            assert [line["id"] for line in listed] == [case.id]
            raw = await http.get(f"/api/v1/adjudications/{case.id}")
            assert not re.search(r"Ada|\bBo\b|expert:", raw.text)
            shown = raw.json()
            assert [one["reviewer"] for one in shown["answers"]] == [1, 2]
            assert {one["rationale"] for one in shown["answers"]} == {"for 0", "for 1"}
            ruling = {"choice": "prefer", "candidate": shown["candidates"][1]["id"], "reason": "It is true."}
            url = f"/api/v1/adjudications/{case.id}/decision"
            settled = await http.post(url, json=ruling)
            assert settled.status_code == 200, settled.text
            assert {one["name"] for one in settled.json()["answers"]} == {"Ada", "Bo"}
            assert (await http.post(url, json=ruling)).status_code == 409
            (outcome,) = (await mine.get("/api/v1/me/outcomes")).json()
            assert outcome["may_reply"]
            assert outcome["outcome"]["reason"] == "It is true."
            assert "Bo" not in str(outcome)
            reply = f"/api/v1/me/outcomes/{case.id}/reply"
            said = await mine.post(reply, json={"stance": "maintains", "words": "I see it otherwise."})
            assert (said.status_code, said.json()["state"]) == (200, "contested")
            assert (await mine.post(reply, json={"stance": "accepts"})).status_code == 409
            # where the ruling was applied before the reply, the item goes its way once more
            await until(lambda: project.summarize().accepted == 1)

    asyncio.run(go())
    assert project.summarize().accepted == 1


def _token(project: Project, name: str) -> str:
    from solon.store.reviewing.experts import rotate_token

    return rotate_token(project.store, name, by="local:test")[1]


def test_pages(project: Project, person: Any, serving: Any, client: Any, split: Any) -> None:
    """The forms work without a script, and only with the session's own token."""
    from solon.review.auth import COOKIE

    _, _, case = split
    _, lead = person("Lea", role="lead")

    async def log_in(http: Any, token: str) -> str:
        entered = await http.post("/login", data={"token": token})
        http.cookies.set(COOKIE, entered.cookies[COOKIE])
        found = re.search(r'name="csrf" value="(\w+)"', (await http.get("/outcomes")).text)
        assert found is not None
        return found[1]

    async def go() -> None:
        async with serving(project) as app, client(app) as http, client(app) as mine:
            csrf = await log_in(http, lead)
            url = f"/lead/adjudications/{case.id}"
            page = (await http.get(url)).text
            assert "Reviewer 1" in page
            assert "Ada" not in page
            assert case.id in (await http.get("/lead/adjudications")).text
            form = {"choice": "tie", "reason": "Both say the same."}
            assert (await http.post(url, data=form)).status_code == 403
            assert "choice" in (await http.post(url, data={**form, "csrf": csrf, "choice": "edit"})).text
            assert (await http.post(url, data={**form, "csrf": csrf})).status_code == 303
            assert "Ada" in (await http.get(url)).text
            own = await log_in(mine, _token(project, "Ada"))
            assert "Both say the same." in (await mine.get("/outcomes")).text
            sent = await mine.post(f"/outcomes/{case.id}", data={"csrf": own, "stance": "accepts"})
            assert sent.status_code == 303
            assert "You replied" in (await mine.get("/outcomes")).text

    asyncio.run(go())


def test_the_review_of_a_case_is_found_in_any_attempt(project: Project, split: Any) -> None:
    with project.store.connect() as connection:
        assert find_review(connection, split[2].review.id).content_hash == split[2].review.content_hash


def test_what_waits_for_a_lead_is_told_and_exported_as_disputed(
    project: Project, person: Any, split: tuple[ExpertRow, ExpertRow, Case], tmp_path: Path
) -> None:
    _, _, case = split
    project.resume()
    assert [one.id for one in project.reviews("disputed")] == [case.review.id]
    assert project.summarize().disputed == 1
    own = project.export("jsonl", tmp_path / "all.jsonl")
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["disputed"]
    assert (own.written, own.left_out.get("disputed")) == (1, None)
    pairs = project.export("trl-preference", tmp_path / "pairs.jsonl")
    assert (pairs.written, pairs.left_out["disputed"]) == (0, 1)
    before = project.export("jsonl", tmp_path / "then.jsonl", as_of=case.created_at - 1)
    assert before.written == 0, "it had no record yet"
    with project.store.connect() as connection:
        assert open_disputes(connection, [case.item_id], case.created_at - 1) == set()
    lead = person("Lea", role="lead")[0]
    rule(project, lead, case, "prefer", 0)
    settled = project.export("trl-preference", tmp_path / "settled.jsonl")
    assert (settled.written, project.summarize().disputed, project.reviews("disputed")) == (1, 0, [])


def test_reviewers_are_not_told_what_waits_for_a_lead(
    project: Project,
    person: Any,
    split: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    at = ["--store", project.store.url]
    for role, told in (("expert", False), ("lead", True)):
        token = person(f"A {role}", role=role)[1]
        monkeypatch.setenv("SOLON_TOKEN", token)
        capfd.readouterr()
        assert run_command(["review", "list", *at]) == 0
        assert ("for a lead to settle: 1" in "".join(capfd.readouterr())) is told
        assert run_command(["review", "list", "--state", "disputed", *at]) == (0 if told else 2)
        monkeypatch.delenv("SOLON_TOKEN")
        with Project(project.store.url, config=CONFIG, expert=token, create=False) as opened:
            if told:
                assert len(opened.reviews("disputed")) == 1
            else:
                with pytest.raises(UsageError, match="shown to leads"):
                    opened.reviews("disputed")


def test_a_form_is_shown_per_reviewer_and_set_by_the_lead(tmp_path: Path, serving: Any, client: Any) -> None:
    """A label that nobody chose is settled too, with what its form wants."""
    from solon.review.auth import COOKIE
    from solon.store.reviewing.experts import add_expert

    with Project(f"sqlite:///{tmp_path}/solon.db", config={"label": {"form": "forms:Triage"}}) as project:
        project.run("label", [{"id": "t", "prompt": "A patient on warfarin has black stools."}])
        (ada, own), (bo, _) = (add_expert(project.store, name, by="local:test") for name in ("Ada", "Bo"))
        _, token = add_expert(project.store, "Lea", role="lead", by="local:test")
        told = {"candidate": None, "rationale": "so"}
        _, review = give(
            project, ada, first_review(project), 0, choice="now", setting="ward", minutes=5, **told
        )
        second = {"choice": "not_at_all", "fields": {"setting": "clinic", "minutes": 5}, **told}
        give(project, bo, other_review(project, review), 0, **second)
        (case,) = cases(project)
        project.resume()

        async def go() -> None:
            async with serving(project) as app, client(app) as http:
                entered = await http.post("/login", data={"token": token})
                http.cookies.set(COOKIE, entered.cookies[COOKIE])
                url = f"/lead/adjudications/{case.id}"
                page = (await http.get(url)).text
                shown = re.findall(r"<dt>(\w+)</dt><dd[^>]*>(\w+)</dd>", page)
                assert {("Where", "ward"), ("Where", "clinic"), ("Minutes", "5")} <= set(shown)
                assert re.search(r'name="take:minutes" value="1" checked', page), "what is alike is set"
                assert not re.search(r'name="take:setting" value="[12]" checked', page)
                found = re.search(r'name="csrf" value="(\w+)"', page)
                assert found is not None
                form = {"csrf": found[1], "choice": "this_week", "reason": "Not at once."}
                refused = (await http.post(url, data=form)).text
                assert 'role="alert">Where: it is missing.<' in refused
                assert 'data-required="Where"' in refused
                assert "{" not in refused.partition('role="alert">')[2].partition("<")[0]
                assert "Not at once." in refused
                answers = (await http.get(f"/api/v1/adjudications/{case.id}")).json()["answers"]
                clinic = next(str(one["reviewer"]) for one in answers if one["fields"]["setting"] == "clinic")
                form |= {
                    "take:setting": clinic,
                    "take:minutes": "",
                    "field:minutes": "90",
                    "field:urgent": "yes",
                }
                assert "(0 to 120)" in page
                assert "> now</label>" in page, "a label of one's own is written as it is"
                assert page.count("black stools") == 2, "the text is shown once, and its characters"
                assert (await http.post(url, data=form)).status_code == 303
                settled_page = (await http.get(url)).text.partition("<h2>Outcome</h2>")[2]
                assert re.findall(r"<dt>(\w+)</dt>", settled_page) == ["Where", "Minutes", "Urgent"]
                http.cookies.delete(COOKIE)  # another browser: a login ends the session that this one had
                http.cookies.set(COOKIE, (await http.post("/login", data={"token": own})).cookies[COOKIE])
                outcome = (await http.get("/outcomes")).text
                assert re.findall(r"<dt>(Where|Minutes|Urgent|Words)", outcome) == [
                    "Where",
                    "Minutes",
                    "Urgent",
                ]
                http.cookies.set(COOKIE, entered.cookies[COOKIE])
                settled = (await http.get(f"/api/v1/adjudications/{case.id}")).json()
                assert settled["outcome"]["fields"] == {
                    "setting": "clinic", "minutes": 90, "urgent": True, "passages": []
                }  # fmt: skip

        asyncio.run(go())
        assert cases(project) == []
        project.resume()
        project.export(format="jsonl", path=tmp_path / "out.jsonl")
        (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert (row["label"], row["fields"]["minutes"]) == ("this_week", 90)


def test_a_form_is_set_otherwise_where_the_label_stays(tmp_path: Path) -> None:
    from solon.store.reviewing.experts import add_expert

    with Project(f"sqlite:///{tmp_path}/solon.db", config={"label": {"form": "forms:Triage"}}) as project:
        project.run("label", [{"id": "t", "prompt": "A patient on warfarin has black stools."}])
        people = {name: add_expert(project.store, name, role=role, by="local:test")[0]
                  for name, role in (("Ada", "expert"), ("Bo", "expert"), ("Lea", "lead"))}  # fmt: skip
        told = {"candidate": None, "rationale": "so", "setting": "ward"}
        _, review = give(project, people["Ada"], first_review(project), 0, choice="now", **told)
        give(project, people["Bo"], other_review(project, review), 0, choice="not_at_all", **told)
        (case,) = cases(project)
        about = {"choice": "now", "candidate": None, "principle": None, "reason": "At once."}
        with project.store.transaction() as connection, pytest.raises(InvalidDecision, match="no form"):
            adjudicating.adjudicate(
                project.store,
                connection,
                people["Lea"],
                case.id,
                **{**about, "choice": "contested"},
                fields={},
            )
        with project.store.transaction() as connection:
            fields = {"setting": "clinic"}
            adjudicating.adjudicate(project.store, connection, people["Lea"], case.id, **about, fields=fields)
        project.resume()
        project.export(format="jsonl", path=tmp_path / "out.jsonl")
        (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert (row["label"], row["fields"]["setting"]) == ("now", "clinic")
