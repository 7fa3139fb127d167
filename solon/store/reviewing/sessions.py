"""How a person logs in: by single-use links and browser sessions. Secrets are kept hashed."""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Connection, insert, select, update

from solon.errors import UsageError
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.claims import has_run_out
from solon.store.database.store import Store
from solon.store.reviewing.experts import ExpertRow, expert_row, find_expert
from solon.store.tables import experts, sessions
from solon.store.tables import login_links as links

LINK_SECONDS = 600.0
SESSION_SECONDS = 12 * 3600.0
SEEN_EVERY = 60.0


def _hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def make_login_link(store: Store, name_or_id: str, *, by: str) -> str:
    """A new secret for a login link that works once within ten minutes.

    Raises:
        UsageError: nobody is called so, or their access was revoked.
    """
    secret = secrets.token_urlsafe(32)
    now = clock.now()
    with store.transaction() as connection:
        expert = find_expert(connection, name_or_id)
        if expert.revoked_at is not None:
            raise UsageError(
                f"the access of {expert.name!r} was revoked", next_step="`solon expert rotate` gives it back"
            )
        row = {"id": _hash_secret(secret), "expert_id": expert.id}
        connection.execute(insert(links), [{**row, "created_at": now, "expires_at": now + LINK_SECONDS}])
        append(store, connection, by, "link.made", expert.id)
    return secret


def use_login_link(store: Store, connection: Connection, secret: str) -> ExpertRow | None:
    """Spend a link: the person it was made for, or None where it is unknown, used or too old."""
    now = clock.now()
    used = connection.execute(
        update(links)
        .where(links.c.id == _hash_secret(secret), links.c.used_at.is_(None))
        .where(~has_run_out(links.c.expires_at, LINK_SECONDS))
        .values(used_at=now)
    )
    if used.rowcount != 1:
        return None
    query = (
        select(experts)
        .join(links, links.c.expert_id == experts.c.id)
        .where(links.c.id == _hash_secret(secret), experts.c.revoked_at.is_(None))
    )
    row_of_expert = connection.execute(query).mappings().first()
    return expert_row(row_of_expert) if row_of_expert is not None else None


def begin_session(store: Store, connection: Connection, expert: ExpertRow) -> str:
    """Log a browser in; returns the secret that its cookie holds."""
    secret = secrets.token_urlsafe(32)
    now = clock.now()
    row = {"id": _hash_secret(secret), "expert_id": expert.id, "created_at": now, "seen_at": now}
    connection.execute(insert(sessions), [{**row, "expires_at": now + SESSION_SECONDS}])
    append(store, connection, expert.actor, "session.begun", expert.id)
    return secret


def find_session(connection: Connection, secret: str) -> tuple[ExpertRow, float] | None:
    """The person who is logged in with this secret, and when they were last seen; None where nobody is."""
    query = (
        select(experts, sessions.c.seen_at)
        .join(sessions, sessions.c.expert_id == experts.c.id)
        .where(
            sessions.c.id == _hash_secret(secret),
            sessions.c.ended_at.is_(None),
            ~has_run_out(sessions.c.expires_at, SESSION_SECONDS),
            experts.c.revoked_at.is_(None),
        )
    )
    row = connection.execute(query).mappings().first()
    return (expert_row(row), float(row["seen_at"])) if row is not None else None


def touch_session(connection: Connection, secret: str) -> None:
    """Prolong a session: it lasts twelve hours from when it was last used."""
    now = clock.now()
    connection.execute(
        update(sessions)
        .where(sessions.c.id == _hash_secret(secret), sessions.c.ended_at.is_(None))
        .values(seen_at=now, expires_at=now + SESSION_SECONDS)
    )


def end_session(store: Store, connection: Connection, secret: str, expert: ExpertRow) -> None:
    """Log a browser out."""
    connection.execute(
        update(sessions).where(sessions.c.id == _hash_secret(secret)).values(ended_at=clock.now())
    )
    append(store, connection, expert.actor, "session.ended", expert.id)


def revoke_expert(store: Store, name_or_id: str, *, by: str) -> ExpertRow:
    """End a person's access at once: token, links, sessions and leases. What they decided stays."""
    from solon.store.reviewing.queue import release_all

    now = clock.now()
    with store.transaction() as connection:
        expert = find_expert(connection, name_or_id)
        connection.execute(update(experts).where(experts.c.id == expert.id).values(revoked_at=now))
        connection.execute(
            update(sessions)
            .where(sessions.c.expert_id == expert.id, sessions.c.ended_at.is_(None))
            .values(ended_at=now)
        )
        connection.execute(
            update(links).where(links.c.expert_id == expert.id, links.c.used_at.is_(None)).values(used_at=now)
        )
        release_all(connection, expert.actor)
        append(store, connection, by, "expert.revoked", expert.id)
        return find_expert(connection, expert.id)
