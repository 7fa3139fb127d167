"""Events on their way to webhooks: found in the rows of the store, sent once each, and tried again for about a day.

Nothing that makes an event knows of webhooks: a server looks for what happened since it last looked, whichever process
did it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, exists, or_, select, update

from solon.store.database import clock
from solon.store.database.claims import has_run_out
from solon.store.database.events import CONTINUED, WAITING
from solon.store.database.ids import hash_id
from solon.store.database.writer import Rows, insert_rows
from solon.store.reviewing.review_rows import PERSONAL
from solon.store.tables import constitutions, decisions, events, meta, reviews
from solon.store.tables import hook_deliveries as hooks
from solon.store.tables.disputes import HookDelivery
from solon.store.tables.runs import Meta

SINCE = "hooks.since"
WAITS = (60.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
"""Seconds before each further round of tries; then an event is given up."""
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class HookRow:
    """An event that is to be sent to one webhook.

    Attributes:
        id: id of the delivery.
        event: name of the event, such as `review.created`.
        subject: id of what it happened to.
        hook: address of the webhook.
        created_at: when it happened, in epoch seconds.
        tries: how often it was tried in vain.
    """

    id: str
    event: str
    subject: str
    hook: str
    created_at: float
    tries: int


def untold_events(connection: Connection, urls: Sequence[str], events: Sequence[str]) -> Rows | None:
    """Rows to be inserted for the events that have happened and are not on their way yet, one for each address.

    None before the first look was noted, see `note_first_look`. It reads all that happened since then, so that nobody
    who writes has to wait for it.

    Args:
        urls: addresses of the webhooks.
        events: names of the events that are wanted.
    """
    now = clock.now()
    since = connection.execute(select(meta.c.value).where(meta.c.name == SINCE)).scalar_one_or_none()
    if since is None:
        return None
    return [
        (HookDelivery, _row(event, subject, happened, url, float(at or now), now))
        for event, query in _sources(float(since))
        if event in events
        for subject, at, happened in connection.execute(query.limit(AT_ONCE)).all()
        for url in urls
    ]


def note_first_look(connection: Connection) -> None:
    """Note the time from which on events are sent; what happened before is never sent."""
    insert_rows(connection, [(Meta, {"name": SINCE, "value": repr(clock.now())})])


def _row(event: str, subject: str, happened: str, url: str, at: float, now: float) -> dict[str, Any]:
    return {
        "id": hash_id("hook", event, happened, url),
        "event": event,
        "subject": subject,
        "hook": url,
        "created_at": at,
        "due_at": now,
        "tries": 0,
    }


def _sources(since: float) -> Iterator[tuple[str, Select[Any]]]:
    """Event and query of its subject, its time, and the id of what happened: a review is decided anew after an undo."""

    def untold(event: str, column: Any, *more: Any) -> Any:
        return ~exists().where(hooks.c.subject == column, hooks.c.event == event, *more)

    created = select(reviews.c.id, reviews.c.created_at, reviews.c.id.label("happened")).where(
        reviews.c.created_at > since,
        reviews.c.kind.not_in(PERSONAL),
        untold("review.created", reviews.c.id),
    )
    # One that was answered before anyone looked was asked too; one that a replay or an earlier run answered was not.
    answered = exists().where(decisions.c.review_id == reviews.c.id, decisions.c.carried_from.is_(None))
    yield "review.created", created.where(reviews.c.state == "waiting")
    yield "review.created", created.where(reviews.c.state.in_(("decided", "withdrawn")), answered)
    yield (
        "review.decided",
        select(decisions.c.review_id, decisions.c.decided_at, decisions.c.id.label("happened"))
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(
            decisions.c.decided_at > since,
            decisions.c.undone_at.is_(None),
            reviews.c.kind.not_in(PERSONAL),
            untold("review.decided", decisions.c.review_id, hooks.c.created_at == decisions.c.decided_at),
        ),
    )
    for kind in (WAITING, CONTINUED):
        yield (
            kind,
            select(events.c.subject, events.c.at, events.c.id.label("happened")).where(
                events.c.at > since,
                events.c.kind == kind,
                untold(kind, events.c.subject, hooks.c.created_at == events.c.at),
            ),
        )
    yield (
        "constitution.ratified",
        select(constitutions.c.id, constitutions.c.in_force_at, constitutions.c.id.label("happened")).where(
            constitutions.c.in_force_at > since, untold("constitution.ratified", constitutions.c.id)
        ),
    )


def due_hooks(connection: Connection, limit: int = 50) -> list[HookRow]:
    """Events that are to be sent now, those that are due the longest first."""
    query = (
        select(*(hooks.c[name] for name in HookRow.__dataclass_fields__))
        .where(hooks.c.delivered_at.is_(None), hooks.c.given_up_at.is_(None), _is_due())
        .order_by(hooks.c.due_at, hooks.c.id)
        .limit(limit)
    )
    return [HookRow(**row) for row in connection.execute(query).mappings()]


def _is_due() -> ColumnElement[bool]:
    """An event is due at its time, and where that lies further ahead than a wait can be: the clock was set back."""
    longest = case(dict(enumerate(WAITS, 1)), value=hooks.c.tries, else_=WAITS[0])
    return or_(hooks.c.due_at == clock.now(), has_run_out(hooks.c.due_at, longest))


def claim_hook(connection: Connection, hook: HookRow, seconds: float) -> bool:
    """Keep other servers from sending an event for so many seconds; False where another one was faster."""
    statement = (
        update(hooks)
        .where(hooks.c.id == hook.id, hooks.c.delivered_at.is_(None), _is_due())
        .values(due_at=clock.now() + seconds)
    )
    return int(connection.execute(statement).rowcount) == 1


def hook_done(connection: Connection, hook: HookRow, problem: str) -> None:
    """Note that an event was sent, or why it was not (`problem`); after the last round of tries it is given up."""
    now, tries = clock.now(), hook.tries + 1
    values: dict[str, Any] = {"tries": tries, "problem": problem[:300] or None}
    if not problem:
        values["delivered_at"] = now
    elif tries > len(WAITS):
        values["given_up_at"] = now
    else:
        values["due_at"] = now + WAITS[tries - 1]
    connection.execute(update(hooks).where(hooks.c.id == hook.id).values(**values))


def list_hooks(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """The newest deliveries, with what became of them."""
    query = select(hooks).order_by(hooks.c.created_at.desc(), hooks.c.id).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]
