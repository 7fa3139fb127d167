"""Experts, tokens, links, sessions and the sealed log."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import text, update

from solon.errors import UsageError
from solon.project import Project
from solon.store.database import audit_log, clock
from solon.store.reviewing import experts, sessions
from solon.store.reviewing.experts import TokenCheck
from solon.store.reviewing.sessions import revoke_expert
from solon.store.tables import table_of
from solon.store.tables.experts import Expert, LoginLink


def test_token_is_stored_hashed_and_found_again(project: Project, person: Any) -> None:
    expert, token = person("Ada", role="lead", specialties=["Cardiology"], languages=["EN", "de"])
    with project.store.connect() as connection:
        row = connection.execute(table_of(Expert).select()).mappings().one()
    assert token.split("_", 2)[2] not in str(dict(row))
    assert row["token_hash"].startswith("$argon2id$")
    check = TokenCheck(project.store)
    assert check.remembered(token) is None
    found = check.check(token)
    assert found == expert
    assert check.remembered(token) == expert
    assert (found.specialties, found.languages) == (("cardiology",), ("de", "en"))
    assert check.check(token[:-1] + ("a" if token[-1] != "a" else "b")) is None
    assert check.check("solon_nonsense") is None


def test_rotate_keeps_the_person_and_ends_the_old_token(project: Project, person: Any) -> None:
    expert, old = person("Ada")
    check = TokenCheck(project.store)
    assert check.check(old) is not None
    again, new = experts.rotate_token(project.store, "Ada", by="local:test")
    assert again.id == expert.id
    assert check.check(old) is None
    assert check.check(new) is not None
    revoke_expert(project.store, "Ada", by="local:test")
    assert check.check(new) is None


def test_names_and_roles_are_checked(person: Any) -> None:
    person("Ada")
    with pytest.raises(UsageError, match="already"):
        person(" Ada ")
    with pytest.raises(UsageError, match="no role"):
        person("Bo", role="king")


def test_login_link_works_once_and_for_ten_minutes(project: Project, person: Any) -> None:
    expert, _ = person("Ada")
    store = project.store
    secret = sessions.make_login_link(store, "Ada", by="local:test")
    with store.transaction() as connection:
        assert sessions.use_login_link(store, connection, secret) == expert
        assert sessions.use_login_link(store, connection, secret) is None
    late = sessions.make_login_link(store, "Ada", by="local:test")
    with store.transaction() as connection:
        connection.execute(update(table_of(LoginLink)).values(expires_at=1.0))
        assert sessions.use_login_link(store, connection, late) is None
        assert sessions.use_login_link(store, connection, "guess") is None


@pytest.mark.parametrize("jump", [86400, -86400])
def test_links_and_sessions_end_when_the_clock_jumps(
    project: Project, person: Any, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """In either direction: a clock that is set back makes none last longer."""
    expert, _ = person("Ada")
    link = sessions.make_login_link(project.store, "Ada", by="local:test")
    with project.store.transaction() as connection:
        session = sessions.begin_session(project.store, connection, expert)
        monkeypatch.setattr(clock, "now", lambda: time.time() + jump)
        assert sessions.find_session(connection, session) is None
        assert sessions.use_login_link(project.store, connection, link) is None
        again = sessions.begin_session(project.store, connection, expert)
        assert sessions.find_session(connection, again) is not None


def test_session_ends_with_revocation(project: Project, person: Any) -> None:
    expert, _ = person("Ada")
    with project.store.transaction() as connection:
        secret = sessions.begin_session(project.store, connection, expert)
        assert sessions.find_session(connection, secret) is not None
    revoke_expert(project.store, "Ada", by="local:test")
    with project.store.connect() as connection:
        assert sessions.find_session(connection, secret) is None


def _log(project: Project, n: int) -> audit_log.AuditReport:
    with project.store.transaction() as connection:
        for i in range(n):
            audit_log.append(
                project.store, connection, "local:test", "test.noted", f"{i}", {"n": i, "x": 0.1}
            )
    return audit_log.verify(project.store)


def test_audit_chain_verifies_and_names_its_head(project: Project) -> None:
    before = audit_log.verify(project.store).entries
    report = _log(project, 5)
    assert report.intact
    assert report.entries == before + 5
    assert _log(project, 1).intact
    assert audit_log.verify(project.store, report.head).intact
    assert not audit_log.verify(project.store, "f" * 64).intact


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE audit_log SET actor = 'expert:other' WHERE seq = 2", "changed"),
        ("UPDATE audit_log SET detail = '{\"n\": 9}' WHERE seq = 2", "changed"),
        ("DELETE FROM audit_log WHERE seq = 2", "missing"),
        ("UPDATE audit_log SET seq = 99 WHERE seq = 5", "missing"),
    ],
)
def test_audit_chain_shows_tampering(project: Project, change: str, told: str) -> None:
    _log(project, 5)
    with project.store.transaction() as connection:
        connection.execute(text(change))
    report = audit_log.verify(project.store)
    assert not report.intact
    assert told in report.problem


def test_cut_off_end_is_seen_with_the_noted_head(project: Project) -> None:
    head = _log(project, 5).head
    with project.store.transaction() as connection:
        connection.execute(text("DELETE FROM audit_log WHERE seq > 3"))
    assert audit_log.verify(project.store).intact
    assert "cut off" in audit_log.verify(project.store, head).problem


def test_another_key_is_named_as_such(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    _log(project, 2)
    monkeypatch.setenv(audit_log.KEY_VARIABLE, "another secret")
    assert "another key" in audit_log.verify(project.store).problem
