"""Erase what came of a seed: texts, what repeats them in other columns, and the bytes that a database keeps of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update

from solon.errors import UsageError
from solon.store import tables
from solon.store.database import clock
from solon.store.database.chunks import chunks
from solon.store.database.ids import keyed_hash
from solon.store.database.store import Store
from solon.store.privacy.passages import Passages
from solon.store.runs.items import FORGOTTEN, is_gone
from solon.store.tables.runs import CALL_TEXTS


def table(name: str) -> Any:
    """A table of the store by its name."""
    return tables.metadata.tables[name]


def refuse_while_working(connection: Connection) -> None:
    """Refuse to forget while an item is being worked on: its worker holds texts in memory and would write them again.

    Raises:
        UsageError: an item is being worked on.
    """
    items = table("items")
    query = (
        select(items.c.claimed_by)
        .where(items.c.state == "running", items.c.claimed_until > clock.now())
        .distinct()
    )
    alive = [name for name in connection.execute(query).scalars() if name is not None and not is_gone(name)]
    if alive:
        raise UsageError(
            "a run is at work on this store and holds texts in memory",
            next_step="stop it (Ctrl-C, once), then forget, then `solon resume`; where none runs, "
            "`solon resume RUN` takes back what a dead one held",
        )


def lock_out_imports(connection: Connection) -> None:
    """Keep others from adding seeds until this transaction ends. SQLite has one writer at a time in any case."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE tombstones IN ACCESS EXCLUSIVE MODE"))


def changed_tables(connection: Connection) -> tuple[str, ...]:
    """Tables in which this transaction left dead rows (PostgreSQL; SQLite overwrites in place)."""
    if connection.dialect.name != "postgresql":
        return ()
    query = "SELECT relname FROM pg_stat_xact_user_tables WHERE n_tup_upd + n_tup_del > 0 ORDER BY relname"
    return tuple(connection.execute(text(query)).scalars())


LETTER = 2
"""Texts of so few characters stay: a verdict's A or B repeats nothing, and the same text stands behind other calls."""


def erase_texts(connection: Connection, *, seed_ids: Collection[str] = (), ids: Collection[str] = ()) -> int:
    """Blank texts, whose rows stay; returns how many held something.

    Args:
        seed_ids: seeds whose texts are blanked, all of them.
        ids: texts that are blanked but for letters, see `LETTER`.
    """
    texts = table("texts")
    number = 0
    for column, values, least in ((texts.c.seed_id, seed_ids, -1), (texts.c.id, ids, LETTER)):
        for part in chunks(values):
            statement = update(texts).where(column.in_(part), func.length(texts.c.body) > least)
            number += connection.execute(statement.values(body=None, erased_at=clock.now())).rowcount
    return number


def scrub_seeds(store: Store, connection: Connection, seed_ids: Collection[str]) -> None:
    """Blank the names that files gave to seeds, and close their precedents to judges.

    Groups and subjects are replaced by their keyed hashes, so that what belonged together still does.
    """
    seeds, precedents, items = table("seeds"), table("precedents"), table("items")
    for part in chunks(seed_ids):
        query = select(seeds.c.id, seeds.c.group, seeds.c.subject).where(seeds.c.id.in_(part))
        for row in connection.execute(query).all():
            names: dict[str, Any] = {
                name: keyed_hash(store.key, name, value) if value else None
                for name, value in (("group", row.group), ("subject", row.subject))
            }
            blank = {
                "external_id": f"{FORGOTTEN}-{row.id[:12]}",
                "tags": None,
                "source": None,
                "consent": None,
            }
            connection.execute(update(seeds).where(seeds.c.id == row.id).values(**names, **blank))
            own = select(items.c.id).where(items.c.seed_id == row.id)
            connection.execute(
                update(precedents)
                .where(precedents.c.item_id.in_(own))
                .values(group=names["group"], retrievable=False)
            )


def close_items(connection: Connection, item_ids: Collection[str]) -> None:
    """End items as forgotten: nothing of them can be worked on, asked, delivered or exported any more."""
    now = clock.now()
    items, records, reviews = table("items"), table("records"), table("reviews")
    assignments, outbox, holds = table("assignments"), table("outbox"), table("privacy_holds")
    for part in chunks(item_ids):
        ended = {"reason": FORGOTTEN, "claimed_by": None, "claimed_until": None, "random_seed": 0}
        own = items.c.id.in_(part)
        connection.execute(update(items).where(own, items.c.state == "preview").values(**ended))
        connection.execute(
            update(items)
            .where(own, items.c.state != "preview")
            .values(state=FORGOTTEN, finished_at=func.coalesce(items.c.finished_at, now), **ended)
        )
        connection.execute(
            update(records)
            .where(records.c.item_id.in_(part), records.c.superseded_at.is_(None))
            .values(superseded_at=now)
        )
        asked = select(reviews.c.id).where(reviews.c.item_id.in_(part))
        open_ = (reviews.c.item_id.in_(part), reviews.c.state.in_(("opening", "waiting", "held")))
        connection.execute(
            update(assignments)
            .where(assignments.c.review_id.in_(asked), assignments.c.state == "leased")
            .values(state="released", closed_at=now)
        )
        connection.execute(
            update(reviews).where(*open_).values(state="withdrawn", leased=False, resolved_at=now)
        )
        connection.execute(
            update(outbox)
            .where(outbox.c.item_id.in_(part))
            .values(problem=FORGOTTEN, applied_at=func.coalesce(outbox.c.applied_at, now))
        )
        connection.execute(
            update(holds).where(holds.c.item_id.in_(part), holds.c.state == "held").values(state="rejected")
        )


def close_disputes(connection: Connection, item_ids: Collection[str]) -> None:
    """End adjudications, known questions and proposals about these items: nobody is asked about a forgotten text."""
    adjudications, known, proposals = table("adjudications"), table("known_items"), table("proposals")
    reviews, now = table("reviews"), clock.now()
    for part in chunks(item_ids):
        connection.execute(
            update(adjudications)
            .where(adjudications.c.item_id.in_(part), adjudications.c.state == "open")
            .values(state="withdrawn", decided_at=now)
        )
        connection.execute(
            update(known)
            .where(known.c.item_id.in_(part), known.c.retired_at.is_(None))
            .values(retired_at=now)
        )
        asked = select(reviews.c.id).where(reviews.c.item_id.in_(part))
        connection.execute(
            update(proposals)
            .where(proposals.c.review_id.in_(asked), proposals.c.state == "open")
            .values(state="declined")
        )


def scrub_jobs(connection: Connection, passages: Passages) -> None:
    """Blank what was asked for over the API, and its result, in jobs that repeat a passage."""
    jobs = table("jobs")
    for row in connection.execute(select(jobs.c.id, jobs.c.asked, jobs.c.result, jobs.c.problem)).all():
        content = json.dumps([row.asked, row.result, row.problem], ensure_ascii=False, default=str)
        if passages.shared_by(content):
            blank = {"asked": None, "result": None, "problem": FORGOTTEN}
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(**blank))


def scrub_items(connection: Connection, item_ids: Collection[str]) -> None:
    """Blank what other columns may repeat of a text: first tokens, free reasons, hashes of answers, fingerprints."""
    calls, candidates, reviews = table("calls"), table("candidates"), table("reviews")
    assignments, fingerprints, decisions = table("assignments"), table("fingerprints"), table("decisions")
    for part in chunks(item_ids):
        connection.execute(
            update(calls).where(calls.c.item_id.in_(part)).values(logprobs=None, request_id=None)
        )
        connection.execute(
            update(candidates)
            .where(candidates.c.item_id.in_(part), candidates.c.kind == "given")
            .values(author="given")
        )
        connection.execute(delete(fingerprints).where(fingerprints.c.item_id.in_(part)))
        connection.execute(update(decisions).where(decisions.c.item_id.in_(part)).values(label=None))
        query = select(reviews.c.id, reviews.c.reasons).where(reviews.c.item_id.in_(part))
        for row in connection.execute(query).all():
            blank = [
                {"code": reason.get("code", ""), "text": f"({FORGOTTEN})"} for reason in row.reasons or ()
            ]
            connection.execute(update(reviews).where(reviews.c.id == row.id).values(reasons=blank))
        asked = select(reviews.c.id).where(reviews.c.item_id.in_(part))
        for row in connection.execute(
            select(assignments.c.id, assignments.c.answer).where(assignments.c.review_id.in_(asked))
        ).all():
            answer = {**row.answer, "digest": FORGOTTEN} if row.answer else row.answer
            statement = update(assignments).where(assignments.c.id == row.id)
            connection.execute(statement.values(answer=answer, reason=None))


def scrub_calls(connection: Connection, found: Collection[Mapping[str, Any]]) -> int:
    """Erase the texts of these calls, and the reasons read from them; returns how many texts held something.

    They are calls of other items whose prompts showed a forgotten precedent or example, see `shown_in` and `drawn_in`.
    """
    verdicts, resolutions, calls = table("verdicts"), table("resolutions"), table("calls")
    ids = {call[name] for call in found for name in CALL_TEXTS}
    for part in chunks([call["id"] for call in found]):
        for query in (
            select(verdicts.c.rationale_id).where(verdicts.c.call_id.in_(part)),
            select(resolutions.c.text_id).where(resolutions.c.call_id.in_(part)),
        ):
            ids.update(connection.execute(query).scalars())
        connection.execute(update(calls).where(calls.c.id.in_(part)).values(logprobs=None))
    return erase_texts(connection, ids={name for name in ids if name})


def shown_in(connection: Connection, ids: Collection[str], seed_ids: Collection[str]) -> list[dict[str, Any]]:
    """Calls of other seeds whose prompts showed a model one of these precedents or decisions, with their text ids."""
    from solon.law.casebook import cases_in

    wanted, own = set(ids), set(seed_ids)
    if not wanted:
        return []
    calls, texts = table("calls"), table("texts")
    names = ("id", "item_id", "seed_id", *CALL_TEXTS)
    query = (
        select(*(calls.c[name] for name in names), texts.c.body)
        .join(texts, texts.c.id == calls.c.prompt_id)
        .where(texts.c.body.contains("] experts decided: "))
    )
    showing = []
    for row in connection.execute(query.execution_options(stream_results=True)).mappings():
        if row["seed_id"] not in own and wanted & cases_in(row["body"]):
            showing.append({name: row[name] for name in names})
    return showing


NO_DRAFT = ("critic", "judge", "resolver")
"""Roles that see nothing of what drafts are shown."""


def drawn_in(connection: Connection, seed_ids: Collection[str]) -> list[dict[str, Any]]:
    """Calls that drafted items of other seeds and showed one of these seeds, or a record of theirs, as an example; with
    their text ids. The answer stays: it is what its own item was made of."""
    items, calls, own = table("items"), table("calls"), set(seed_ids)
    query = select(items.c.id, items.c.seed_id, items.c.examples).where(items.c.examples.is_not(None))
    showing = [
        row.id
        for row in connection.execute(query.execution_options(stream_results=True))
        if row.seed_id not in own and any(one["seed_id"] in own for one in row.examples)
    ]
    names = ("id", "item_id", "seed_id", *CALL_TEXTS)
    found: list[dict[str, Any]] = []
    for part in chunks(showing):
        drafting = select(*(calls.c[name] for name in names)).where(calls.c.role.not_in(NO_DRAFT))
        rows = connection.execute(drafting.where(calls.c.item_id.in_(part))).mappings()
        found += [{**row, "answer_id": None} for row in rows]
    return found
