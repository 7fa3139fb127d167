"""Precedents in later runs: whose are shown, which are not, and that a resolver may cite one."""

from __future__ import annotations

import re

from sqlalchemy import select, text

from solon import Project
from solon.store.lawmaking.precedents import all_precedents, mark_retrievable, overrule, retrievable_cases
from solon.store.tables import table_of
from solon.store.tables.work import Resolution

from .conftest import CONFIG, Court, seed_rows


def shown_in(prompts: list[str]) -> set[str]:
    return {
        found for prompt in prompts for found in re.findall(r"^\[([0-9a-f]{20,})\] experts", prompt, re.M)
    }


def test_judges_see_the_seen_half_of_what_leads_decided_before(court: Court) -> None:
    court.fake.prompts.clear()
    court.project.run("preference", seed_rows(200, 6))
    asked = [q.prompt for q in court.fake.prompts if q.role == "judge"]
    shown = shown_in(asked)
    with court.store.connect() as connection:
        rows = {row.id: row for row in all_precedents(connection)}
    assert shown
    assert {rows[found].half for found in shown} == {"seen"}
    system = [q.system for q in court.fake.prompts if q.role == "judge"]
    assert not any("names the unit" in part for part in system)  # rationales are data, never orders


def test_what_nobody_proven_decided_is_not_shown(court: Court) -> None:
    with court.store.transaction() as connection:
        connection.execute(text("UPDATE decisions SET actor = 'local:someone'"))
    court.fake.prompts.clear()
    court.project.run("preference", seed_rows(200, 3))
    assert not shown_in([q.prompt for q in court.fake.prompts])
    with court.store.transaction() as connection:
        assert mark_retrievable(connection, {"local:someone"}) == 60
        assert mark_retrievable(connection, {"local:someone"}) == 0


def test_nothing_later_changes_what_was_known_then(court: Court) -> None:
    with court.store.transaction() as connection:
        assert mark_retrievable(connection) == 60
        [(marked,)] = connection.execute(text("SELECT max(retrievable_at) FROM precedents"))
    then = marked + 0.001
    with court.store.connect() as connection:
        assert retrievable_cases(connection, "preference", marked) == []
        before = retrievable_cases(connection, "preference", then)
        decision = connection.execute(text("SELECT decision_id FROM precedents WHERE half = 'seen'")).scalar()
    assert before
    with court.store.transaction() as connection:
        assert overrule(connection, [str(decision)]) == 1
        connection.execute(text("UPDATE precedents SET overruled_at = overruled_at + 60"))
    with court.store.connect() as connection:
        assert retrievable_cases(connection, "preference", then) == before
        assert len(retrievable_cases(connection, "preference", then + 120)) == len(before) - 1
        assert len(all_precedents(connection)) == 60  # marked, never deleted


def test_a_resolver_may_settle_a_split_by_citing_a_precedent(court: Court) -> None:
    court.fake.split = True
    config = {
        **CONFIG,
        "resolver": {"enabled": True},
        "routing": {"policy": "disagreement", "audit_share": 0.0},
    }
    with Project(court.store.url, config=config, models=court.models) as project:
        project.run("preference", seed_rows(300, 3))
    with court.store.connect() as connection:
        found = connection.execute(select(table_of(Resolution).c.cites)).scalars().all()
        known = {row.id for row in all_precedents(connection) if row.half == "seen"}
    cited = {name for cites in found for name in cites}
    assert cited
    assert cited <= known
