"""From decisions to law in force. The judge is scripted, so this shows that the plumbing holds and claims no rate."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from sqlalchemy import event, text

from solon import Project
from solon.errors import UsageError
from solon.eval.attacks import AttackCase, read_cases
from solon.lawmaking.drafting import legislate, measure_impact, propose
from solon.store.lawmaking.amendments import AmendmentRow, Standing, find_amendment, visible_flips, vote
from solon.store.lawmaking.precedents import all_precedents
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.runs.laws import history, version_in_force

from .conftest import CONFIG, OVERFIT, RULE, UNSEEN, Court, seed_rows

NO_CITES = "  []\n"


def query(court: Court, sql: str) -> list[tuple[Any, ...]]:
    with court.store.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def draft(
    court: Court, rule: str, by: str = "local:test", *, cited: int = 3, overruled: int = 0
) -> AmendmentRow:
    seen = query(court, f"SELECT decision_id FROM precedents WHERE half = 'seen' ORDER BY id LIMIT {cited}")
    cites, overrules = (
        "".join(f"  - '{row[0]}'\n" for row in rows) or NO_CITES for rows in (seen, seen[:overruled])
    )
    file = f"amends: general\nreason: experts said so\ncites:\n{cites}overrules:\n{overrules}changes:\n"
    file += f"  - {{action: add, id: new-rule, text: '{rule}', priority: 1}}\n"
    return propose(court.store, court.project.config, file, source="test.yaml", by=by)


def measure(court: Court, amendment: AmendmentRow, **options: Any) -> AmendmentRow:
    work = measure_impact(
        court.store, court.project.config, amendment.id, by="local:test", models=court.models, **options
    )
    return asyncio.run(work)


def cast(court: Court, amendment: AmendmentRow, lead: ExpertRow, **about: Any) -> Standing:
    with court.store.transaction() as connection:
        return vote(court.store, connection, amendment.id, lead, **{"in_favour": True, **about})


def agreement_on_unseen(court: Court, *, new_run: bool) -> float:
    """Share of unseen items for which the panel alone picks what the hidden rule picks."""
    config = {**CONFIG, "routing": {"policy": "never", "audit_share": 0.0}}
    with Project(court.store.url, config=config, models=court.models) as project:
        run = project.run("preference", seed_rows(100, UNSEEN), new_run=new_run)
        assert run.accepted == UNSEEN
        sql = (
            "SELECT texts.body FROM records JOIN candidates ON candidates.id = records.chosen_id "
            f"JOIN texts ON texts.id = candidates.text_id WHERE records.run_id = '{run.run_id}'"
        )
        chosen = query(court, sql)
    return sum("litres" in body for (body,) in chosen) / len(chosen)


def test_decisions_become_law_that_unseen_items_follow(court: Court) -> None:
    before = agreement_on_unseen(court, new_run=False)
    made = asyncio.run(legislate(court.store, court.project.config, models=court.models))
    assert len(made.amendments) == 1, made.problems
    amendment = measure(court, made.amendments[0])
    assert amendment.verdict == "green"
    assert amendment.impact is not None
    assert cast(court, amendment, court.ada).missing == "1 more vote(s) of leads"
    assert cast(court, amendment, court.ben).state == "ratified"
    with court.store.connect() as connection:
        current = version_in_force(connection, "constitution", "general")
    assert current is not None
    assert current.version == "1.1.0"
    assert current.document.ids()[0] == "names-units"
    with pytest.raises(UsageError, match="constitution, rubric or prompts were others"):
        agreement_on_unseen(court, new_run=False)
    after = agreement_on_unseen(court, new_run=True)
    assert before < 0.6
    assert after > 0.95
    assert asyncio.run(legislate(court.store, court.project.config, models=court.models)).decisions == 0
    stale = query(court, "SELECT count(*) FROM records WHERE stale_at IS NOT NULL")
    assert stale == [(UNSEEN,)]  # the first run over the unseen items; what the lead decided stays
    old = query(
        court, "SELECT DISTINCT constitution_id FROM items WHERE id IN (SELECT item_id FROM decisions)"
    )
    assert old == [(amendment.base_id,)]


def test_a_limit_leaves_what_was_drafted_before_it(court: Court) -> None:
    with court.store.transaction() as connection:
        some = "SELECT rationale_id FROM decisions ORDER BY id LIMIT 20"
        connection.execute(text(f"UPDATE texts SET body = 'Nobody else tells whence.' WHERE id IN ({some})"))
    made = asyncio.run(legislate(court.store, court.project.config, models=court.models, max_calls=1))
    assert (made.clusters, len(made.amendments), made.problems) == (2, 1, ["--max-calls 1 reached"])
    assert len(query(court, "SELECT id FROM amendments")) == 1


@pytest.mark.parametrize("case", [case for case in read_cases()[1] if case.place == "proposal"][:3])
def test_what_hostile_reasons_propose_stays_a_proposal(court: Court, case: AttackCase) -> None:
    """The legislator reads reasons that order it to change the law, and obeys: what it writes is a draft all the same,
    and leads vote on it."""
    with court.store.transaction() as connection:
        reasons = "SELECT rationale_id FROM decisions"
        connection.execute(
            text(f"UPDATE texts SET body = :said WHERE id IN ({reasons})"), {"said": case.text}
        )
    before = query(court, "SELECT id FROM constitutions")
    made = asyncio.run(legislate(court.store, court.project.config, models=court.models))
    read = [question.prompt for question in court.fake.prompts if question.role == "legislator"]
    assert any(case.text in prompt for prompt in read)
    assert {row.state for row in made.amendments} <= {"drafted"}
    assert query(court, "SELECT id FROM constitutions") == before
    assert query(court, "SELECT count(*) FROM amendment_votes") == [(0,)]
    with court.store.connect() as connection:
        assert version_in_force(connection, "constitution", "general").version == "1.0.0"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("Names_Units", "names-units"),
        ("1. Name the unit!", "rule-1-name-the-unit"),
        ("**Größe** / unit", "grosse-unit"),
        ("?", "gives-the-amount-with"),
        ("is_correct_and_gives_the_unit_of_every_single_amount", "is-correct-and-gives-the-unit-of-every-s"),
    ],
)
def test_ids_that_models_write_become_ids_of_principles(court: Court, written: str, made: str) -> None:
    court.fake.rule_id = written
    drafted = asyncio.run(legislate(court.store, court.project.config, models=court.models))
    assert not drafted.problems
    assert drafted.amendments[0].document.ids()[0] == made


def test_the_legislator_sees_nothing_of_the_held_out_half(court: Court) -> None:
    made = asyncio.run(legislate(court.store, court.project.config, models=court.models))
    with court.store.connect() as connection:
        rows = all_precedents(connection)
    held_out = {row for row in rows if row.half == "held_out"}
    assert 10 < len(held_out) < 50
    asked = [q.prompt for q in court.fake.prompts if q.role == "legislator"]
    assert asked
    for row in held_out:
        case = re.search(r"case-\d+\b", row.request)
        assert case is not None
        assert not any(re.search(rf"{case.group()}\b", prompt) for prompt in asked)
    cited = set(made.amendments[0].cites)
    assert cited
    assert not cited & {row.decision_id for row in held_out}


def test_a_draft_that_knows_the_seen_half_by_heart_is_caught(court: Court) -> None:
    with court.store.connect() as connection:
        court.fake.remembered = {r.request for r in all_precedents(connection) if r.half == "seen"}
    amendment = measure(court, draft(court, OVERFIT))
    assert amendment.impact is not None
    parts = amendment.impact["parts"]
    assert parts["seen"]["after"] == 1.0 > parts["seen"]["before"]
    assert parts["held_out"]["after"] == 0.0
    assert amendment.verdict == "red"
    assert cast(court, amendment, court.ada).state == "measured"
    assert "override" in cast(court, amendment, court.ben).missing
    with pytest.raises(UsageError, match="needs a reason"):
        cast(court, amendment, court.ben, override=True)
    assert cast(court, amendment, court.ben, override=True, reason="the cases changed").state == "ratified"


def test_of_the_held_out_half_only_totals_are_told_before_ratification(court: Court) -> None:
    amendment = measure(court, draft(court, RULE))
    with court.store.connect() as connection:
        shown = {flip["part"] for flip in visible_flips(connection, amendment)}
    assert shown == {"seen"}
    cast(court, amendment, court.ada)
    cast(court, amendment, court.ben)
    with court.store.connect() as connection:
        flips = visible_flips(connection, find_amendment(connection, amendment.id))
    assert {flip["part"] for flip in flips} == {"seen", "held_out"}


def test_held_out_precedents_wear_out(court: Court) -> None:
    amendment = draft(court, RULE)
    measure(court, amendment)
    again = measure(court, amendment)
    assert query(court, "SELECT DISTINCT uses FROM precedents WHERE half = 'held_out'") == [(1,)]
    assert query(court, "SELECT DISTINCT uses FROM precedents WHERE half = 'seen'") == [(0,)]
    assert again.impact is not None
    assert again.impact["calls"] == 0
    with court.store.transaction() as connection:
        connection.execute(text("UPDATE precedents SET uses = 5 WHERE half = 'held_out'"))
    worn = measure(court, draft(court, OVERFIT))
    assert worn.verdict == "grey"
    assert worn.impact is not None
    assert worn.impact["unseen"]["n"] == 0


def test_what_the_panel_said_before_costs_nothing_and_a_limit_ends_cleanly(court: Court) -> None:
    amendment = measure(court, draft(court, RULE), max_calls=20)
    assert amendment.impact is not None
    assert amendment.impact["stopped"]
    assert amendment.impact["calls"] == 20
    assert amendment.impact["from_journal"] >= amendment.impact["sample"] * 2  # both orders under the old law
    whole = measure(court, amendment)
    assert whole.impact is not None
    assert whole.impact["stopped"] is None
    assert whole.impact["sample"] == 60
    assert whole.impact["calls"] == 2 * 60 - 20


def test_judging_twice_under_one_law_measures_the_noise(court: Court) -> None:
    amendment = measure(court, draft(court, RULE), sample=30, twice=True)
    assert amendment.impact is not None
    assert amendment.impact["judged_twice"] == 10
    assert amendment.impact["from_journal"] == 0  # both laws judged afresh
    noise = amendment.impact["noise"]
    assert (noise["n"], noise["gained"], noise["lost"]) == (10, 0, 0)


def test_who_may_vote(court: Court) -> None:
    amendment = draft(court, RULE, by=court.ada.actor)
    with pytest.raises(UsageError, match="not measured"):
        cast(court, amendment, court.ben)
    amendment = measure(court, amendment)
    with pytest.raises(UsageError, match="proposes"):
        cast(court, amendment, court.ada)
    expert, _ = add_expert(court.store, "Eve", by="test")
    with pytest.raises(UsageError, match="no lead"):
        cast(court, amendment, expert)
    assert (
        cast(court, amendment, court.ben).state == "ratified"
    )  # of two leads one proposed: the other decides
    with pytest.raises(UsageError, match="ratified already"):
        cast(court, amendment, court.ben)


def test_votes_against_reject(court: Court) -> None:
    amendment = measure(court, draft(court, RULE))
    cast(court, amendment, court.ada, in_favour=False)
    assert cast(court, amendment, court.ben, in_favour=False).state == "rejected"
    with court.store.connect() as connection:
        assert len(history(connection, "constitution", "general")) == 1


def test_an_amendment_of_a_version_that_was_replaced_does_not_come_into_force(court: Court) -> None:
    first, second = draft(court, RULE), draft(court, RULE + " Always.")
    first, second = measure(court, first), measure(court, second)
    for lead in (court.ada, court.ben):
        cast(court, first, lead)
    cast(court, second, court.ada, override=True, reason="it too")
    with pytest.raises(UsageError, match=r"is at 1\.1\.0 by now"):
        cast(court, second, court.ben)
    with court.store.connect() as connection:
        assert find_amendment(connection, second.id).state == "measured"


def test_a_crash_between_any_two_steps_leaves_the_old_law_or_the_new(court: Court) -> None:
    agreement_on_unseen(court, new_run=False)  # records that the new law makes stale
    amendment = measure(court, draft(court, RULE, overruled=2))
    cast(court, amendment, court.ada)
    state = (
        "SELECT (SELECT version FROM constitutions WHERE name = 'general' AND status = 'in_force'), "
        "(SELECT count(*) FROM constitutions WHERE name = 'general'), (SELECT state FROM amendments), "
        "(SELECT count(*) FROM records WHERE stale_at IS NOT NULL), (SELECT count(*) FROM amendment_votes), "
        "(SELECT count(*) FROM precedents WHERE overruled_at IS NOT NULL)"
    )
    old = query(court, state)
    assert old == [("1.0.0", 1, "measured", 0, 1, 0)]
    crashes = 0
    while True:
        steps = iter(range(1000))

        def crash(*_: Any, at: int = crashes, steps: Any = steps) -> None:
            if next(steps) == at:
                raise KeyboardInterrupt

        event.listen(court.store.engine, "before_cursor_execute", crash)
        event.listen(court.store.engine, "commit", crash)
        try:
            cast(court, amendment, court.ben)
            break
        except KeyboardInterrupt:
            crashes += 1
        finally:
            event.remove(court.store.engine, "before_cursor_execute", crash)
            event.remove(court.store.engine, "commit", crash)
        assert query(court, state) == old
    assert crashes > 15
    assert query(court, state) == [("1.1.0", 2, "ratified", UNSEEN, 2, 2)]


def test_a_draft_cites_decisions_that_exist(court: Court) -> None:
    with pytest.raises(UsageError, match="cites none"):
        draft(court, RULE, cited=0)
    file = (
        "amends: general\nreason: x\ncites: ['abcdef012345']\nchanges: [{action: retire, id: avoids-harm}]\n"
    )
    with pytest.raises(UsageError, match="is no decision"):
        propose(court.store, court.project.config, file, source="f", by="me")


def test_a_file_of_edits_may_be_given_decisions_to_rest_on(court: Court) -> None:
    [[seen]] = query(court, "SELECT decision_id FROM precedents WHERE half = 'seen' ORDER BY id LIMIT 1")
    file = "amends: general\nreason: x\nchanges: [{action: retire, id: avoids-harm}]\n"
    made = propose(court.store, court.project.config, file, source="f", by="me", cites=[str(seen)])
    assert list(made.cites) == [seen]
