"""After ratification: what the new law may change is judged again, under a budget, and exports tell versions apart."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from solon import Project
from solon.errors import UsageError
from solon.eval.material import gather
from solon.eval.releases.diff import diff_releases
from solon.eval.releases.releases import create_release, verify_release
from solon.eval.report.page import render_page
from solon.eval.report.report import build_report
from solon.eval.suites.drift import evaluate
from solon.law.amendments import Edit, apply_edits
from solon.law.documents import load_constitution
from solon.lawmaking.drafting import import_law
from solon.lawmaking.rejudging import Rejudged, rank_stale, rejudge
from solon.store.lawmaking.principles import count_uses
from solon.store.records.evaluation import accepted
from solon.store.records.exporting import export_rows
from solon.store.reviewing.experts import find_expert
from solon.store.reviewing.queue import lease_next, lease_review
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.runs.laws import history

from .conftest import CONFIG, RULE, UNSEEN, Court, Fake, seed_rows
from .test_lawmaking import cast, draft, measure, query

NEVER = {**CONFIG, "routing": {"policy": "never", "audit_share": 0.0}}
DOUBTFUL = {**CONFIG, "routing": {"policy": "threshold", "threshold": 0.3, "audit_share": 0.25}}


def run_under(court: Court, config: dict[str, Any], first: int, number: int) -> str:
    with Project(court.store.url, config=config, models=court.models) as project:
        return project.run("preference", seed_rows(first, number)).run_id


def ratify(court: Court) -> None:
    amendment = measure(court, draft(court, RULE))
    for lead in (court.ada, court.ben):
        cast(court, amendment, lead)


def again(court: Court, config: dict[str, Any] = CONFIG, **options: Any) -> Rejudged:
    with Project(court.store.url, config=config, models=court.models) as project:
        work = rejudge(project.store, project.config, by="local:test", models=court.models, **options)
        return asyncio.run(work)


def right(court: Court, run_id: str) -> tuple[int, int]:
    """Records in force of a run that follow the rule, and all of them."""
    sql = (
        "SELECT texts.body FROM records JOIN candidates ON candidates.id = records.chosen_id "
        f"JOIN texts ON texts.id = candidates.text_id WHERE records.run_id = '{run_id}' "
        "AND records.superseded_at IS NULL"
    )
    bodies = [body for (body,) in query(court, sql)]
    return sum("litres" in body for body in bodies), len(bodies)


def test_stale_records_are_confirmed_or_replaced_and_the_old_ones_stay(court: Court) -> None:
    run_id = run_under(court, NEVER, 100, UNSEEN)
    before, total = right(court, run_id)
    assert before < 0.6 * total
    ratify(court)
    decided = query(court, "SELECT id FROM records WHERE decision_id IS NOT NULL ORDER BY id")
    done = again(court)
    assert (done.stale, done.confirmed, done.replaced) == (UNSEEN, before, UNSEEN - before)
    assert (done.left, done.queued, done.failed, done.stopped) == (0, 0, 0, None)
    assert right(court, run_id) == (UNSEEN, UNSEEN)
    assert query(
        court, "SELECT count(*) FROM records WHERE stale_at IS NOT NULL AND superseded_at IS NULL"
    ) == [(0,)]
    old = query(court, f"SELECT count(*), count(superseded_at) FROM records WHERE run_id = '{run_id}'")
    assert old == [(2 * UNSEEN, UNSEEN)]
    assert query(court, "SELECT id FROM records WHERE decision_id IS NOT NULL ORDER BY id") == decided
    # Two orders of one judge, and nothing drafted or criticised anew.
    assert done.calls == 2 * UNSEEN
    assert again(court).stale == 0
    kinds = query(
        court,
        "SELECT DISTINCT kind FROM candidates WHERE attempt = 1 AND parent_id IS NOT NULL "
        f"AND item_id IN (SELECT id FROM items WHERE run_id = '{run_id}')",
    )
    assert kinds == [("given",)]


def test_a_budget_leaves_what_it_does_not_reach_as_it_was(court: Court) -> None:
    run_id = run_under(court, NEVER, 100, UNSEEN)
    before, _ = right(court, run_id)
    ratify(court)
    first = again(court, max_calls=15)
    assert first.calls <= 15
    assert first.stopped
    judged = first.confirmed + first.replaced
    assert 0 < judged <= 7
    assert first.left == UNSEEN - judged
    after, total = right(court, run_id)
    assert total == UNSEEN  # no item is without its record
    assert after == before + first.replaced
    states = query(court, f"SELECT DISTINCT state FROM items WHERE run_id = '{run_id}'")
    assert states == [("accepted",)]
    rest = again(court)
    assert rest.stale == UNSEEN - judged
    assert first.calls + rest.calls == 2 * UNSEEN  # what the first had paid for is not asked again
    assert right(court, run_id) == (UNSEEN, UNSEEN)


def test_the_most_doubtful_come_first(court: Court) -> None:
    run_under(court, NEVER, 100, UNSEEN)
    ratify(court)
    with court.store.transaction() as connection:
        connection.execute(text("UPDATE records SET margin = 0.9 WHERE stale_at IS NOT NULL"))
        doubtful = connection.execute(
            text("SELECT id FROM records WHERE stale_at IS NOT NULL ORDER BY id LIMIT 3")
        ).scalars()
        ids = list(doubtful)
        connection.execute(text(f"UPDATE records SET margin = 0.0 WHERE id IN {tuple(ids)}"))
    ranked = rank_stale(court.store)
    assert len(ranked) == UNSEEN
    assert {doubt.target.record_id for doubt in ranked[:3]} == set(ids)
    assert all(0 < doubt.p < 1 for doubt in ranked)
    assert [doubt.p for doubt in ranked] == sorted((doubt.p for doubt in ranked), reverse=True)


def test_reviews_that_new_law_settles_leave_the_queue(court: Court) -> None:
    run_id = run_under(court, DOUBTFUL, 100, UNSEEN)
    waiting = (
        f"SELECT count(*) FROM reviews WHERE run_id = '{run_id}' AND state = 'waiting' AND kind = 'interrupt'"
    )
    assert query(court, waiting) == [(UNSEEN,)]
    with court.store.transaction() as connection:
        leased = lease_next(connection, court.ada)
    assert leased is not None
    in_hand = leased[1].id
    drafted = query(court, f"SELECT id FROM reviews WHERE run_id = '{run_id}' AND id != '{in_hand}' LIMIT 1")[
        0
    ][0]
    with court.store.transaction() as connection:
        connection.execute(text("INSERT INTO texts (id, body) VALUES ('typed', 'I think that')"))
        connection.execute(
            text(
                "INSERT INTO assignments (id, review_id, actor, state, token, draft_id, opened_at, expires_at) "
                f"VALUES ('a', '{drafted}', 'expert:x', 'released', 't', 'typed', 0, 0)"
            )
        )
    ratify(court)
    done = again(court, DOUBTFUL)
    assert (done.waiting, done.settled, done.unsettled) == (UNSEEN - 2, UNSEEN - 2, 0)
    assert query(court, waiting) == [(2,)]
    kept = query(
        court,
        f"SELECT id FROM reviews WHERE run_id = '{run_id}' AND state = 'waiting' AND kind = 'interrupt'",
    )
    assert {row[0] for row in kept} == {in_hand, drafted}
    assert right(court, run_id) == (UNSEEN - 2, UNSEEN - 2)
    withdrawn = query(
        court, "SELECT DISTINCT actor, CAST(detail AS TEXT) FROM events WHERE kind = 'withdrawn'"
    )
    assert [(actor, json.loads(detail)["why"]) for actor, detail in withdrawn] == [
        ("system", "settled by new law")
    ]
    audits = query(court, f"SELECT count(*) FROM reviews WHERE run_id = '{run_id}' AND kind = 'audit'")[0][0]
    assert 2 <= audits <= 20  # a quarter of those settled, drawn before anything was known of them
    assert query(court, "SELECT count(*) FROM precedents") == [(60,)]


def test_reviews_that_new_law_does_not_settle_wait_on(court: Court) -> None:
    run_id = run_under(
        court, {**DOUBTFUL, "routing": {"policy": "threshold", "threshold": 0.9, "audit_share": 0.0}}, 100, 5
    )
    ratify(court)
    done = again(court)
    assert (done.waiting, done.settled, done.unsettled, done.left) == (5, 0, 5, 0)
    states = query(court, f"SELECT DISTINCT state, attempt FROM reviews WHERE run_id = '{run_id}'")
    assert states == [("waiting", 0)]


def test_reviews_that_the_policy_wants_answered_cost_nothing(court: Court) -> None:
    run_under(court, CONFIG, 100, 3)
    ratify(court)
    done = again(court)
    assert (done.waiting, done.unsettled, done.calls) == (3, 3, 0)


def test_a_doubtful_record_goes_to_a_person_and_their_word_ends_it(court: Court) -> None:
    run_id = run_under(
        court, {**DOUBTFUL, "routing": {"policy": "threshold", "threshold": 0.2, "audit_share": 0.0}}, 100, 6
    )
    ratify(court)
    court.fake.split = True  # the panel is of two minds under the new law
    done = again(court)
    assert (done.stale, done.review) == (6, 6)
    assert right(court, run_id) == (0, 0)  # a record in doubt is not exported
    with Project(court.store.url, config=DOUBTFUL, models=court.models) as project:
        ada = project.add_expert("Dr Ada Lind")
        with Project(court.store.url, config=DOUBTFUL, models=court.models, expert=ada) as hers:
            for review in hers.reviews(run_id=run_id):
                better = next(c for c in review.candidates if "litres" in c.text)
                hers.decide(review, "prefer", better, rationale="the unit")
        summary = project.resume(run_id)
    assert (summary.accepted, summary.pending_review) == (6, 0)
    assert right(court, run_id) == (6, 6)


def test_one_expert_settles_a_doubtful_record_whatever_its_audit(court: Court) -> None:
    """Nobody is asked the same twice: of a record and its audit, only one is ever left to be asked."""
    routing = {"policy": "threshold", "threshold": 0.2, "audit_share": 0.5}
    audited = {**DOUBTFUL, "routing": routing, "run": {"seed": 7}}
    run_id = run_under(court, audited, 100, 24)  # of which half are audited, by lot
    with Project(court.store.url, config=audited, models=court.models) as project:
        ada = project.add_expert("Dr Ada Lind")
    with court.store.connect() as connection:
        hers = find_expert(connection, "Dr Ada Lind")
    answered, begun, *others = [review.id for review in list_reviews_of(court, run_id)]
    assert others
    with Project(court.store.url, config=audited, models=court.models, expert=ada) as project:
        project.decide(answered, "prefer", project.review(answered).candidates[0].id, rationale="the unit")
    with court.store.transaction() as connection:
        lease_review(connection, hers, begun)
    ratify(court)
    court.fake.split = True
    done = again(court)
    assert (done.stale, done.review, done.left) == (24, 23, 0), "one was settled by its audit"
    states = dict(
        query(
            court,
            f"SELECT state, COUNT(*) FROM reviews WHERE run_id = '{run_id}' AND kind = 'audit' GROUP BY 1",
        )
    )
    assert states == {"decided": 1, "waiting": 1, "withdrawn": len(others)}
    with Project(court.store.url, config=audited, models=court.models, expert=ada) as project:
        for review in list(project.reviews(run_id=run_id)):
            project.decide(review, "prefer", review.candidates[0], rationale="the unit")
        summary = project.resume(run_id)
        assert (summary.accepted, summary.pending_review) == (24, 0)
    assert right(court, run_id)[1] == 24


def list_reviews_of(court: Court, run_id: str) -> list[ReviewRow]:
    with court.store.connect() as connection:
        return list_reviews(connection, run_id=run_id)


def test_a_limit_on_cost_ends_what_the_resolver_asks_too(court: Court) -> None:
    config = {
        **DOUBTFUL,
        "models": {"default": {"model": "scripted:default", "price": {"input": 1000.0, "output": 1000.0}}},
        "routing": {"policy": "threshold", "threshold": 0.2, "audit_share": 0.0},
        "resolver": {"enabled": True},
        "run": {"concurrency": 1},
    }
    run_id = run_under(court, config, 100, 6)
    ratify(court)
    court.fake.split = True  # only the resolver can tell
    looked = again(court, config, max_calls=2 * 6)
    assert (looked.stale, looked.left, looked.cost > 0) == (6, 6, True)
    done = again(court, config, max_cost=looked.cost / 6)
    asked = [question for question in court.fake.prompts if question.role == "resolver"]
    assert len(asked) == 1, "one item's worth of calls is paid for"
    states = dict(query(court, f"SELECT state, count(*) FROM items WHERE run_id = '{run_id}' GROUP BY 1"))
    assert (done.stale, sum(states.values()), states.get("failed")) == (6, 6, None)


def test_rejudging_goes_on_after_a_crash_between_moving_and_carrying(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = run_under(court, NEVER, 100, 6)
    ratify(court)

    async def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("solon.lawmaking.rejudging._Sessions.carry_on", crash)
    with pytest.raises(KeyboardInterrupt):
        again(court)
    calls = query(court, "SELECT count(*) FROM calls")
    with Project(court.store.url, config=NEVER, models=court.models) as project:
        summary = project.resume(run_id)
    assert (summary.accepted, summary.queued) == (6, 0)
    assert right(court, run_id) == (6, 6)
    assert query(court, "SELECT count(*) FROM calls") == calls


def test_exports_by_version_and_by_date(court: Court, tmp_path: Path) -> None:
    run_id = run_under(court, NEVER, 100, UNSEEN)
    ratify(court)
    then = time.time()
    before = [row.chosen for row in export_rows(court.store, run_id=run_id)[1]]
    again(court)
    with court.store.connect() as connection:
        old, new = history(connection, "constitution", "general")

    def rows(**which: Any) -> list[Any]:
        return list(export_rows(court.store, run_id=run_id, **which)[1])

    assert {row.lineage["constitution"] for row in rows()} == {new.id}
    assert rows(constitution=old.id) == []
    assert len(rows(constitution=new.id)) == UNSEEN
    past = rows(as_of=then)
    assert [row.chosen for row in past] == before
    assert {row.lineage["constitution"] for row in past} == {old.id}
    assert len(rows(as_of=then, constitution=old.id)) == UNSEEN
    assert export_rows(court.store, run_id=run_id, constitution=old.id)[0] == {"other_constitution": UNSEEN}
    told = court.project.export("jsonl", tmp_path / "then.jsonl", run_id=run_id, as_of=then)
    assert told.written == UNSEEN
    about = json.loads((tmp_path / "then.jsonl.manifest.json").read_text())["about"]
    assert about == {"as_of": then}
    early = court.project.export("jsonl", tmp_path / "early.jsonl", run_id=run_id, as_of="2001-01-01")
    assert early.written == 0
    with pytest.raises(UsageError, match="no constitution"):
        court.project.export("jsonl", tmp_path / "x.jsonl", constitution="general@9.9.9")
    with pytest.raises(UsageError, match="is no date"):
        court.project.export("jsonl", tmp_path / "x.jsonl", as_of="yesterday")
    with court.store.transaction() as connection:
        chosen = f"SELECT chosen_id FROM records WHERE id = '{rows()[0].id}'"
        erased = f"(SELECT text_id FROM candidates WHERE id = ({chosen}))"
        connection.execute(text(f"UPDATE texts SET body = NULL WHERE id = {erased}"))
    assert export_rows(court.store, run_id=run_id, constitution=old.id)[0] == {"other_constitution": UNSEEN}
    assert export_rows(court.store, run_id=run_id, constitution=new.id)[0] == {"forgotten": 1}


def test_records_in_doubt_are_marked_and_no_training_format_takes_them(court: Court, tmp_path: Path) -> None:
    run_id = run_under(court, NEVER, 100, UNSEEN)
    before = time.time()
    ratify(court)

    def written(format: str, **options: Any) -> tuple[int, int]:
        found = court.project.export(format, tmp_path / "out.jsonl", run_id=run_id, **options)
        return found.written, found.left_out.get("stale", 0)

    def outcomes(**which: Any) -> set[str]:
        return {row.outcome for row in export_rows(court.store, run_id=run_id, **which)[1]}

    for format in ("trl-preference", "trl-sft", "trl-unpaired-preference", "llama-factory", "alpaca"):
        assert written(format) == (0, UNSEEN)
        assert written(format, as_of=before)[0] >= UNSEEN
    assert written("jsonl") == (UNSEEN, 0)
    assert (outcomes(), outcomes(as_of=before)) == ({"stale"}, {"accepted"})
    with court.store.connect() as connection:
        assert all(row.stale for row in accepted(connection, [run_id]))
    then = time.time()
    again(court)
    assert written("trl-preference") == (UNSEEN, 0)
    assert (outcomes(), outcomes(as_of=then)) == ({"accepted"}, {"stale"})


def test_the_report_tells_how_its_law_came_to_be(court: Court) -> None:
    run_id = run_under(court, NEVER, 100, UNSEEN)
    ratify(court)
    made = build_report(gather(court.store, [run_id]))
    told = {
        law["version"]: (law["status"], law["items"]) for law in made.law if law["kind"] == "constitution"
    }
    assert told == {"1.0.0": ("superseded", UNSEEN), "1.1.0": ("in_force", 0)}
    [amended] = made.amendments
    assert (amended.state, amended.verdict, amended.stale) == ("ratified", "green", UNSEEN)
    assert amended.unseen.n > 0
    assert amended.unseen.low > 0
    assert {vote.choice for vote in amended.votes} == {"for"}
    people = {vote.by for vote in amended.votes}
    assert len(people) == 2
    assert not people & {court.ada.actor, court.ben.actor}
    page = render_page(made)
    assert "How it was amended" in page
    assert all(name in page for name in people)


def test_releases_by_version_and_by_date(court: Court, tmp_path: Path) -> None:
    run_id = run_under(court, NEVER, 100, UNSEEN)
    ratify(court)
    with court.store.connect() as connection:
        old, new = history(connection, "constitution", "general")
    then = time.time()
    again(court)

    def made(name: str, **which: Any) -> dict[str, Any]:
        return create_release(court.store, name, tmp_path / name, run_id=run_id, **which)

    assert made("past", as_of=then, constitution=old.id)["rows"] == {
        **made("then", as_of=then)["rows"],
        "records": UNSEEN,
    }
    assert made("old", constitution="general@1.0.0")["rows"]["records"] == 0
    found = made("new", constitution="general@1.1.0")
    assert found["rows"]["records"] == UNSEEN
    assert found["options"]["constitution"] == new.id
    for name in ("past", "old", "new"):
        assert verify_release(court.store, tmp_path / name).passed
    assert diff_releases(court.store, tmp_path / "past").same == UNSEEN
    assert diff_releases(court.store, tmp_path / "old").same == 0
    assert len(diff_releases(court.store, tmp_path / "past", tmp_path / "new").changed) == UNSEEN
    with pytest.raises(UsageError, match="no constitution"):
        made("none", constitution="general@9.9.9")


def test_learning_leaves_items_under_newer_law_alone(court: Court) -> None:
    run_id = run_under(court, DOUBTFUL, 100, 20)
    ratify(court)
    again(court, DOUBTFUL)
    with Project(court.store.url, config=DOUBTFUL, models=court.models) as project:
        learned = project.learn(run_id)
    assert learned.moved_items == learned.confirmed == 0


def test_law_imported_in_place_of_another_is_followed_up_on_either_database(store_url: str) -> None:
    fake = Fake()
    models = {"default": fake.chat()}
    with Project(store_url, config=NEVER, models=models) as project:
        project.run("preference", seed_rows(0, 8))
        general = load_constitution("general")
        rule = Edit(action="add", id="names-units", text=RULE, priority=1)
        document = apply_edits(general, [rule], author="me", reason="units")
        made = import_law(project.store, document, by="me", replace_in_force=True, reason="units")
        then = time.time()
        done = asyncio.run(rejudge(project.store, project.config, by="me", models=models))
        assert (done.stale, done.confirmed + done.replaced, done.left) == (8, 8, 0)
        now = list(export_rows(project.store, constitution=made.id)[1])
        assert all("litres" in (row.chosen or "") for row in now)
        assert len(now) == len(list(export_rows(project.store, as_of=then)[1])) == 8
        with project.store.connect() as connection:
            assert {use.id for use in count_uses(connection, made)} >= {"names-units"}
        assert not evaluate(gather(project.store)).alarm
