"""The queue as one person sees it: the next review for them, held by a lease that a heartbeat keeps, with its draft."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from solon.config.sections import ReviewersConfig
from solon.errors import NotPending
from solon.store.database import clock
from solon.store.database.claims import has_run_out
from solon.store.database.ids import new_id
from solon.store.reviewing.drafts import (
    DONE_WITH,
    Lease,
    find_lease,
    kept_draft,
    own_lease,
    undone_answer,
    write_draft,
)
from solon.store.reviewing.overlaps import CERTIFIES, DOUBT
from solon.store.reviewing.proposals import withdrawn_proposal
from solon.store.reviewing.review_rows import PERSONAL, LeaseLost, ReviewRow, find_review
from solon.store.reviewing.suggestions import forget_suggestion
from solon.store.tables import assignments, experts, reviews

if TYPE_CHECKING:
    from solon.store.reviewing.experts import ExpertRow


LEASE_SECONDS = 1800.0
"""A lease outlives the last heartbeat by so much."""
MAX_LEASES = 8
"""So many reviews one person may hold at once."""
MAX_LEFT = 1000
"""So many questions are counted as left for one person; a page says "more than" of the rest."""
WAIT_FOR_PREFERRED = 24 * 3600.0
"""After so long, a redraft is offered to others than the one who asked for it."""


def lease_next(
    connection: Connection,
    expert: ExpertRow,
    *,
    exclude: Collection[str] = (),
    match: str = "prefer",
    reviewers: ReviewersConfig | None = None,
    offer: Callable[[], str | None] | None = None,
) -> tuple[Lease, ReviewRow] | None:
    """Lease the next review to a person, atomically. A question whose answer they took back comes first, then what they
    hold already.

    Args:
        exclude: ids of assignments that the caller has on screen or has just answered.
        match: `require` gives only reviews of the person's specialties and languages, `prefer` gives those first.
        reviewers: who is proven; others get no audits, and no pilot items while someone else can decide them.
        offer: gives the id of a review made for this person, which goes before the queue, or None.

    Returns:
        The lease and its review; None where nothing is left for this person.

    Raises:
        NotPending: they hold too many reviews already.
    """
    expire(connection)
    open_to_all = _open_to(connection, expert, reviewers)
    held, back = list(_held(connection, expert.actor)), _taken_back(connection, expert.actor)
    if back and expert.stage == "proven" and len(held) < MAX_LEASES:
        held += _take_again(connection, expert, back, open_to_all)
    # Those taken back have a time below zero: they come first, the newest before the others.
    for lease in sorted(held, key=lambda one: one.opened_at * (-1 if one.review_id in back else 1)):
        if lease.id not in exclude:
            return lease, find_review(connection, lease.review_id)
    if len(held) >= MAX_LEASES:
        raise NotPending(f"you hold {len(held)} reviews already", next_step="answer or release one of them")
    offered_id = offer() if offer is not None else None
    taken = _lease(connection, offered_id, expert.actor) if offered_id is not None else None
    if taken is not None:
        return taken, find_review(connection, taken.review_id)
    if expert.stage != "proven":
        return None
    for review_id in _offered(connection, expert, match, open_to_all):
        taken = _lease(connection, review_id, expert.actor)
        if taken is not None:
            return taken, find_review(connection, review_id)
    return None


def _taken_back(connection: Connection, actor: str) -> set[str]:
    """Ids of the waiting reviews that ask again for an answer which this person took back."""
    was = reviews.alias("was")
    query = (
        select(reviews.c.id)
        .select_from(assignments)
        .join(was, was.c.id == assignments.c.review_id)
        .join(reviews, (reviews.c.item_id == was.c.item_id) & (reviews.c.ordinal == was.c.ordinal))
        .where(
            assignments.c.actor == actor,
            assignments.c.state == "undone",
            reviews.c.state.concat("") == "waiting",  # not by the index of all that waits
        )
    )
    return set(connection.execute(query).scalars())


def _take_again(
    connection: Connection,
    expert: ExpertRow,
    back: Collection[str],
    open_to: Collection[ColumnElement[bool]],
) -> Iterator[Lease]:
    """Take up one of the questions whose answers a person took back, where it is free and nobody else's first."""
    mine = or_(reviews.c.prefer_actor.is_(None), reviews.c.prefer_actor == expert.actor)
    free = (reviews.c.id.in_(sorted(back)), reviews.c.escalated.is_(False), mine, *open_to)
    review_id = _one(connection, _FEW, expert.actor, free)
    taken = _lease(connection, review_id, expert.actor) if review_id is not None else None
    if taken is not None:
        yield taken


def _offered(
    connection: Connection, expert: ExpertRow, match: str, open_to: Collection[ColumnElement[bool]]
) -> Iterator[str]:
    """The first review of each tier, in order of preference."""
    for condition in _tiers(expert, match):
        review_id = _one(connection, _FREE, expert.actor, (*condition, *open_to))
        if review_id is not None:
            yield review_id
    late = _late(connection, expert, match, open_to)
    if late is not None:
        yield late
    skipped = find_skipped(connection, expert.actor, open_to)
    if skipped is not None:
        yield skipped


def expire(connection: Connection) -> None:
    """Give back to the queue the reviews whose leases ran out."""
    over = has_run_out(assignments.c.expires_at, LEASE_SECONDS)
    query = select(assignments.c.id, assignments.c.review_id).where(assignments.c.state == "leased", over)
    late = list(connection.execute(query))
    if late:
        _close(connection, [row.id for row in late], "expired")
        _set_leased(connection, [row.review_id for row in late], False)


def _held(connection: Connection, actor: str) -> Iterator[Lease]:
    query = (
        select(assignments)
        .where(assignments.c.actor == actor, assignments.c.state == "leased")
        .order_by(assignments.c.opened_at, assignments.c.id)
    )
    for row in connection.execute(query).mappings():
        yield Lease(**row)


def _tiers(expert: ExpertRow, match: str) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Conditions in order of preference. Each is an equality on the leading columns of an index."""
    langs: tuple[str | None, ...] = (*expert.languages, None) if expert.languages else ()
    if expert.may("lead"):
        yield (reviews.c.escalated.is_(True),)
    yield (reviews.c.escalated.is_(False), reviews.c.prefer_actor == expert.actor)
    mine = (reviews.c.escalated.is_(False), reviews.c.prefer_actor.is_(None))
    for specialty in (*expert.specialties, None):
        field = reviews.c.specialty.is_(None) if specialty is None else reviews.c.specialty == specialty
        if not langs:
            yield (*mine, field)
        for lang in langs:
            yield (*mine, field, reviews.c.lang.is_(None) if lang is None else reviews.c.lang == lang)
    if match == "prefer":
        yield mine


def own_fields(expert: ExpertRow) -> list[ColumnElement[bool]]:
    """Conditions on a review that a person can answer where fields are required, as `ExpertRow.can_answer` says."""
    field = reviews.c.specialty.is_(None) | reviews.c.specialty.in_(expert.specialties)
    return [field, *([spoken(expert)] if expert.languages else [])]


def spoken(expert: ExpertRow) -> ColumnElement[bool]:
    """The condition on a review that is in one of a person's languages, or in none."""
    return or_(reviews.c.lang.is_(None), reviews.c.lang.in_(expert.languages))


def _open_to(
    connection: Connection, expert: ExpertRow, reviewers: ReviewersConfig | None
) -> tuple[ColumnElement[bool], ...]:
    """Audits and the pilot measure the panel against proven people; an overlap measures whoever answers it."""
    if expert.believed(reviewers).final:
        return ()
    roles = (reviewers or ReviewersConfig()).proven_roles
    others = select(experts.c.id).where(
        experts.c.revoked_at.is_(None),
        experts.c.trust != "unproven",
        experts.c.role.in_(roles) | (experts.c.trust == "proven"),
    )
    measures = [reviews.c.kind != "audit"]
    if connection.execute(others.limit(1)).first() is not None:
        among_all = (reviews.c.kind == "overlap") & reviews.c.rule.not_in((CERTIFIES, DOUBT))
        measures.append(or_(among_all, reviews.c.rule.not_in(("pilot", CERTIFIES, DOUBT))))
    return tuple(measures)


def count_left(
    connection: Connection,
    expert: ExpertRow,
    *,
    match: str = "prefer",
    reviewers: ReviewersConfig | None = None,
    most: int = MAX_LEFT,
) -> int:
    """Return how many questions a person has in hand or would be given now. Counting ends at `most` reviews: then it is
    that number, which stands for all beyond.

    A question that waits for several people is one: nobody is asked it twice. What they skipped, and what waits for
    another person, comes to them later and is not among these.
    """
    held = sum(1 for _ in _held(connection, expert.actor))
    if expert.stage != "proven":
        return held
    # Whoever is offered other fields in the end is offered every field: which come first makes no difference here.
    offered = replace(expert, specialties=(), languages=()) if match == "prefer" else expert
    mine = or_(*(and_(*condition) for condition in _tiers(offered, match)))
    found = select(reviews.c.content_hash).where(*_ASKABLE, mine, *_open_to(connection, expert, reviewers))
    first = found.limit(most).subquery()
    query = select(func.count(), func.count(first.c.content_hash.distinct())).select_from(first)
    rows, free = connection.execute(query, {"me": expert.actor}).one()
    return most if rows == most else min(most, held + free)


def _askable() -> tuple[ColumnElement[bool], ...]:
    """Conditions on a free review that `:me` may still be asked about."""
    me: BindParameter[str] = bindparam("me")
    done = exists().where(
        assignments.c.review_id == reviews.c.id,
        assignments.c.actor == me,
        assignments.c.state.in_(DONE_WITH),
    )
    # Nobody is asked twice about the same candidates: an audit or overlap is for somebody else.
    same = reviews.alias("same")
    # One condition within the other: SQLite may else go through all that the person was ever handed.
    by_me = exists().where(
        assignments.c.review_id == same.c.id,
        assignments.c.actor == me,
        assignments.c.state.in_((*DONE_WITH, "leased")),
    )
    asked = exists().where(same.c.content_hash == reviews.c.content_hash, same.c.id != reviews.c.id, by_me)
    waits = (reviews.c.state == "waiting", reviews.c.leased.is_(False))
    return (*waits, ~done, or_(reviews.c.prefer_actor == me, ~asked))


_ASKABLE = _askable()
"""Built once: a statement costs more to make than to run."""


def _free(first: Any = reviews.c.priority) -> Select[tuple[str]]:
    """The first free review that `:me` may still be asked about; built once, too."""
    return (
        select(reviews.c.id)
        .where(*_ASKABLE)
        .order_by(first, reviews.c.created_at, reviews.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=reviews)
    )


_FREE = _free()
_FEW = _free(reviews.c.priority + 0)
"""Sorts what it finds, for conditions that few reviews meet: walking the queue in its order would read all of it."""


def _one(
    connection: Connection, query: Select[tuple[str]], actor: str, condition: Collection[ColumnElement[bool]]
) -> str | None:
    found = connection.execute(query.where(*condition), {"me": actor}).scalar_one_or_none()
    return None if found is None else str(found)


def _late(connection: Connection, expert: ExpertRow, match: str, open_to: Collection[Any]) -> str | None:
    """A review that waited for one person in vain. Few reviews wait for one person; the index by person holds them."""
    late = (
        reviews.c.escalated.is_(False),
        reviews.c.prefer_actor > "",
        has_run_out(reviews.c.created_at + WAIT_FOR_PREFERRED, WAIT_FOR_PREFERRED),  # not by the index by age
        reviews.c.kind.not_in(PERSONAL),
    )
    own = own_fields(expert) if match == "require" else ()
    return _one(connection, _FEW, expert.actor, (*late, *own, *open_to))


def _lease(connection: Connection, review_id: str, actor: str) -> Lease | None:
    """Compare and swap free -> leased; None where someone else was first."""
    swap = (
        update(reviews)
        .where(reviews.c.id == review_id, reviews.c.state == "waiting", reviews.c.leased.is_(False))
        .values(leased=True)
    )
    if connection.execute(swap).rowcount != 1:
        return None
    now = clock.now()
    row = {
        "id": new_id(),
        "review_id": review_id,
        "actor": actor,
        "state": "leased",
        "token": secrets.token_hex(16),
        "draft_id": kept_draft(connection, review_id, actor),
        "opened_at": now,
        "expires_at": now + LEASE_SECONDS,
        "heartbeat_at": now,
    }
    connection.execute(insert(assignments), [row])
    if row["draft_id"] is None:
        review = find_review(connection, review_id)
        undone = undone_answer(connection, review, actor)
        if undone is not None:
            proposal = withdrawn_proposal(connection, review, actor)
            kept = {**undone, "proposal": proposal} if proposal else undone
            write_draft(connection, str(row["id"]), review_id, kept)
    return find_lease(connection, str(row["id"]))


def lease_review(
    connection: Connection,
    expert: ExpertRow,
    review_id: str,
    *,
    match: str = "prefer",
    reviewers: ReviewersConfig | None = None,
) -> tuple[Lease, ReviewRow]:
    """Lease one named review; returns the lease and the review.

    Raises:
        LeaseLost: someone else holds it, or it is not in the person's fields and `match` requires that.
        NotPending: it does not wait for this person, or they have answered its question already.
    """
    expire(connection)
    review = find_review(connection, review_id)
    for lease in _held(connection, expert.actor):
        if lease.review_id == review.id:
            return lease, review
    others = review.kind in PERSONAL and review.prefer_actor != expert.actor
    unproven = expert.stage != "proven" and review.kind not in PERSONAL
    leads_only = review.escalated and not expert.may("lead")
    audits = (
        review.kind == "audit" and not expert.believed(reviewers).final
    )  # in no words of its own: it is blind
    if review.state != "waiting" or others or unproven or leads_only or audits:
        raise NotPending("this review does not wait for you", next_step="ask for the next one")
    theirs = review.kind in PERSONAL or review.prefer_actor == expert.actor
    if not theirs and _has_answered(connection, expert.actor, review):
        raise NotPending("you have answered this question already", next_step="ask for the next one")
    handed = theirs or review.escalated  # whatever the field, as the queue does
    if match == "require" and not handed and not expert.can_answer(review.specialty, review.lang, match):
        raise LeaseLost("this review is of another field or language", next_step="ask for the next one")
    lease_taken = _lease(connection, review.id, expert.actor)
    if lease_taken is None:
        raise LeaseLost("someone else has this review open", next_step="ask for the next one")
    return lease_taken, find_review(connection, review.id)


def answerable(connection: Connection, actor: str, waiting: Iterable[ReviewRow]) -> Iterator[ReviewRow]:
    """The reviews that a person can answer one after the other: each question once, and none that they have
    answered. A second opinion on their own answer is for somebody else.
    """
    seen: set[tuple[str, str]] = set()
    for review in waiting:
        question = (review.item_id, review.content_hash)
        if question not in seen and not _has_answered(connection, actor, review):
            yield review
        seen.add(question)


def _has_answered(connection: Connection, actor: str, review: ReviewRow) -> bool:
    """Has this person answered the question, by whatever review of it? Taken back, it is not answered."""
    query = (
        select(assignments.c.id)
        .join(reviews, reviews.c.id == assignments.c.review_id)
        .where(
            reviews.c.item_id == review.item_id,
            reviews.c.content_hash == review.content_hash,
            reviews.c.kind.not_in(PERSONAL),
            assignments.c.actor == actor,
            assignments.c.state.in_(("decided", "second", "vote")),
        )
    )
    return connection.execute(query.limit(1)).first() is not None


def keep_lease(connection: Connection, lease_id: str, actor: str) -> Lease:
    """Prolong a lease by `LEASE_SECONDS`, as each heartbeat does; one that ran out is taken up again where it is free.

    Raises:
        LeaseLost: naming the assignment whose draft was kept.
    """
    lease = own_lease(connection, lease_id, actor)
    now = clock.now()
    if lease.state in ("expired", "released"):
        _take_up(connection, lease)
    elif lease.state != "leased":
        raise LeaseLost(
            f"this review was answered already ({lease.state})",
            next_step="ask for the next one",
            kept=lease.id,
        )
    connection.execute(
        update(assignments)
        .where(assignments.c.id == lease.id)
        .values(expires_at=now + LEASE_SECONDS, heartbeat_at=now)
    )
    return find_lease(connection, lease.id)


def _take_up(connection: Connection, lease: Lease) -> None:
    expire(connection)
    swap = (
        update(reviews)
        .where(reviews.c.id == lease.review_id, reviews.c.state == "waiting", reviews.c.leased.is_(False))
        .values(leased=True)
    )
    if connection.execute(swap).rowcount != 1:
        raise LeaseLost(
            "the time for this review ran out and it went to someone else; your draft is kept",
            next_step="send your answer all the same: the first one decides, the other is a second opinion",
            kept=lease.id,
        )
    connection.execute(
        update(assignments).where(assignments.c.id == lease.id).values(state="leased", closed_at=None)
    )


def release(connection: Connection, lease_id: str, actor: str) -> None:
    """Give a review back to the queue; its draft is kept for this person."""
    lease = own_lease(connection, lease_id, actor)
    if lease.state == "leased":
        close_lease(connection, lease, "released")


def release_all(connection: Connection, actor: str) -> None:
    """Give back all that a person holds."""
    for lease in list(_held(connection, actor)):
        close_lease(connection, lease, "released")


def close_lease(connection: Connection, lease: Lease, state: str, **values: Any) -> None:
    """End a lease and free its review."""
    _close(connection, [lease.id], state, **values)
    _set_leased(connection, [lease.review_id], False)


def close_asked_once(connection: Connection, review: ReviewRow) -> None:
    """Withdraw a review that was made for one person, once they have voted on it or set it aside.

    Known questions, repeats and overlaps are for nobody else; reviews of other kinds stay as they are.
    """
    if review.kind in (*PERSONAL, "overlap"):
        connection.execute(
            update(reviews)
            .where(reviews.c.id == review.id, reviews.c.state == "waiting")
            .values(state="withdrawn", leased=False, resolved_at=clock.now())
        )


def _close(connection: Connection, ids: Collection[str], state: str, **values: Any) -> None:
    connection.execute(
        update(assignments)
        .where(assignments.c.id.in_(ids))
        .values(state=state, closed_at=clock.now(), **values)
    )


def _set_leased(connection: Connection, ids: Collection[str], leased: bool) -> None:
    connection.execute(update(reviews).where(reviews.c.id.in_(ids)).values(leased=leased))


def reveal(connection: Connection, lease_id: str, actor: str) -> Lease:
    """Note that a person has seen why a review is here and what the machines found. The first time stands."""
    lease = own_lease(connection, lease_id, actor)
    forget_suggestion(connection, lease)
    connection.execute(
        update(assignments)
        .where(assignments.c.id == lease.id, assignments.c.revealed_at.is_(None))
        .values(revealed_at=clock.now())
    )
    return find_lease(connection, lease.id)


RESTS = 3600.0
"""Seconds before a skipped review comes back to whoever skipped it, or the last ones would go round and round."""


def find_skipped(connection: Connection, actor: str, open_to: Collection[ColumnElement[bool]]) -> str | None:
    """The free review that a person skipped the longest ago, and whose question they have not answered since."""
    before = clock.now() - RESTS
    skipped = assignments.alias("skipped")
    same: Any = reviews.alias("same")
    more = (
        exists()
        .where(
            same.c.content_hash == reviews.c.content_hash,
            assignments.c.review_id == same.c.id,
            assignments.c.actor == actor,
            assignments.c.state.in_((*DONE_WITH, "leased")),
            (assignments.c.state != "skipped") | (assignments.c.closed_at >= before),
        )
        .correlate(reviews)
    )
    query = (
        select(reviews.c.id)
        .join(skipped, skipped.c.review_id == reviews.c.id)
        .where(
            skipped.c.actor == actor,
            skipped.c.state == "skipped",
            skipped.c.closed_at < before,
            reviews.c.state == "waiting",
            reviews.c.leased.is_(False),
            reviews.c.escalated.is_(False),
            ~more,
            *open_to,
        )
        .order_by(skipped.c.closed_at, reviews.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=reviews)
    )
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else str(found)


def count_waiting(connection: Connection) -> dict[str, int]:
    """How many reviews are free, leased, escalated, still being prepared, and held back under a budget; without those
    made for one person."""
    query = (
        select(reviews.c.state, reviews.c.leased, reviews.c.escalated, func.count())
        .where(reviews.c.state.in_(("waiting", "opening", "held")), reviews.c.kind.not_in(PERSONAL))
        .group_by(reviews.c.state, reviews.c.leased, reviews.c.escalated)
    )
    counts = {"free": 0, "leased": 0, "escalated": 0, "opening": 0, "held": 0}
    for state, leased, escalated, n in connection.execute(query):
        waits = "leased" if leased else "escalated" if escalated else "free"
        counts[waits if state == "waiting" else state] += n
    return counts


def count_in_hand(connection: Connection, actor: str) -> tuple[int, int]:
    """How many reviews others have open, and how many are escalated to a lead and in nobody's hands."""
    by = (
        select(assignments.c.actor)
        .where(assignments.c.review_id == reviews.c.id, assignments.c.state == "leased")
        .limit(1)
        .scalar_subquery()
    )
    theirs = reviews.c.leased.is_(True) & (by != actor)
    query = (
        select(reviews.c.leased, func.count())
        .where(reviews.c.state == "waiting", reviews.c.kind.not_in(PERSONAL))
        .where(theirs | (reviews.c.leased.is_(False) & reviews.c.escalated.is_(True)))
        .group_by(reviews.c.leased)
    )
    counts = {bool(leased): int(n) for leased, n in connection.execute(query)}
    return counts.get(True, 0), counts.get(False, 0)


def count_not_offered(connection: Connection, expert: ExpertRow, match: str) -> Counter[str]:
    """How many free reviews are not offered to a person who has nothing left, by why: `aside` (they set the question
    aside), `elsewhere` (not of their fields and languages, where `match` requires these) or `others` (for other people:
    a second opinion on their own answer, or somebody else's to answer first). Counting ends at `MAX_LEFT`.
    """
    same = reviews.alias("same")
    aside = exists().where(
        same.c.content_hash == reviews.c.content_hash,
        assignments.c.review_id == same.c.id,
        assignments.c.actor == expert.actor,
        assignments.c.state.in_(("skipped", "declined")),
    )
    elsewhere = [(~and_(*own_fields(expert)), "elsewhere")] if match == "require" else []
    waits = (reviews.c.state == "waiting", reviews.c.leased.is_(False), reviews.c.escalated.is_(False))
    why = case((aside, "aside"), *elsewhere, else_="others").label("why")
    query = select(why).where(*waits, reviews.c.kind.not_in(PERSONAL)).limit(MAX_LEFT)
    return Counter(connection.execute(query).scalars())


def reviews_in_hand(connection: Connection) -> dict[str, tuple[int, float]]:
    """How many reviews each person has in hand, and since when (epoch seconds) the oldest of them, by actor."""
    query = (
        select(assignments.c.actor, func.count(), func.min(assignments.c.opened_at))
        .where(
            assignments.c.state == literal_column("'leased'")
        )  # written out: the index of leases is followed
        .group_by(assignments.c.actor)
    )
    return {row[0]: (int(row[1]), float(row[2])) for row in connection.execute(query)}
