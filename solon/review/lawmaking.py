"""What the law pages and endpoints both do: an amendment as it is shown, a vote, a rule proposed from a decision."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from solon.errors import NotPending, UsageError
from solon.law.amendments import Edit, apply_edits, telling
from solon.law.documents import diff
from solon.law.scopes import narrowest
from solon.lawmaking.drafting import leave_out
from solon.review.characters import name_hidden
from solon.review.comparing import word_diff
from solon.review.law_jobs import last_job, show_job
from solon.review.state import Room
from solon.store.database.audit_log import append
from solon.store.lawmaking import amendments as stored
from solon.store.lawmaking.amendments import OPEN, AmendmentRow, Standing, find_amendment
from solon.store.lawmaking.precedents import PrecedentRow, find_precedent, precedent_of_review
from solon.store.lawmaking.rejudging import count_doubtful
from solon.store.lawmaking.splits import belongings
from solon.store.reviewing.experts import ExpertRow, list_experts
from solon.store.reviewing.jobs import JobRow, add_job, find_job
from solon.store.reviewing.review_rows import NotThere
from solon.store.runs import laws
from solon.store.runs.laws import load_version

if TYPE_CHECKING:
    from solon.store.database.engine import Connection
    from solon.store.runs.laws import LawVersion

WORDS = 4
"""Words of a rule that name it, where its author gives no name."""
PARTS = {
    "seen": "that its author could see",
    "held_out": "held out from its author",
    "fresh": "decided after it was written",
}


def show_amendment(room: Room, connection: Connection, amendment_id: str) -> dict[str, Any]:
    """Return an amendment with its diff, its impact, the flips that may be told, and its votes, as plain values."""
    amendment = _find(connection, amendment_id)
    base = laws.load_version(connection, amendment.kind, amendment.base_id)
    names = {expert.actor: expert.name for expert in list_experts(connection)}
    standing = stored.count_votes(connection, amendment, room.project.config.law.quorum)
    changes = [asdict(change) for change in telling(diff(base.document, amendment.document))]  # type: ignore[type-var]
    told_all = amendment.state == "ratified"
    belongs, unseen = belongings(connection, base.document, amendment.document, unseen=told_all)
    job = last_job(connection, "impact", amendment.id)
    ids = amendment.document.ids()
    for change in changes:
        change["place"] = ids.index(change["id"]) + 1 if change["id"] in ids else None
    same = ("id", "kind", "name", "scope", "reason", "cites", "overrules", "warnings", "state", "verdict")
    times = ("created_at", "measured_at", "closed_at")
    return {
        **{name: getattr(amendment, name) for name in (*same, *times, "stale_records")},
        "impact": amendment.impact
        and {"rules": [], "repealed": [], "gone": [], "worn": 0, **amendment.impact},
        "version": amendment.document.version,
        "base": {"id": base.id, "version": base.version, "status": base.status},
        "proposer": names.get(amendment.proposer, amendment.proposer),
        "proposer_actor": amendment.proposer,
        "changes": changes,
        "parts": len(ids),
        "flips": stored.visible_flips(connection, amendment),
        "belongs": [asdict(one) for one in belongs],
        "belongs_unseen": unseen,
        "job": show_job(job) if job is not None else None,
        "works": room.jobs.works,
        "votes": [
            {
                **{k: v[k] for k in ("choice", "override", "reason", "created_at")},
                "by": names.get(v["actor"], "-"),
            }
            for v in stored.votes_on(connection, amendment.id)
        ],
        "standing": asdict(standing),
        "open": amendment.state in stored.OPEN,
    }


def mark_changes(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return changes with both sides as text, and as HTML (`before`, `after`) with what differs marked word by word.

    `before` and `after` are None where a part is new or gone.
    """
    marked = []
    for change in changes:
        if change["action"] == "split":
            marked.append(change)
            continue
        old, new = _spell(change["old"]), _spell(change["new"])
        compared = word_diff(old, new) if change["action"] == "changed" else None
        before, after = compared or (None, None)
        marked.append({**change, "old": old, "new": new, "before": before, "after": after})
    return marked


def _spell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def show_flip(
    room: Room, connection: Connection, amendment_id: str, precedent_id: str, reader: ExpertRow
) -> dict[str, Any]:
    """Return one flip with the decided case behind it.

    Reading is noted: the reader's later answers to the case are not blind.

    Raises:
        NotThere: the verdict on it did not turn, or may not be told yet.
    """
    amendment = _find(connection, amendment_id)
    flips = [f for f in stored.visible_flips(connection, amendment) if f["precedent_id"] == precedent_id]
    if not flips:
        raise NotThere("this is no flip that may be told", next_step="see the amendment")
    row = find_precedent(connection, precedent_id)
    append(room.store, connection, reader.actor, "item.read", row.item_id, {"amendment": amendment.id})
    return {
        **flips[0],
        "amendment": amendment.id,
        "request": row.request,
        "answers": [{"place": letter, "text": text} for letter, text in zip("AB", row.answers, strict=False)],
        "choice": row.choice,
        "rationale": row.rationale,
        "principles": list(row.principles),
    }


def cast_vote(
    room: Room, connection: Connection, amendment_id: str, lead: ExpertRow, **about: Any
) -> Standing:
    """Store a lead's vote and return how the votes stand; the one that completes the quorum brings it into force.

    Args:
        about: in_favour, override, reason.

    Raises:
        NotThere: there is no such amendment.
    """
    amendment = _find(connection, amendment_id)
    quorum = room.project.config.law.quorum
    return stored.vote(room.store, connection, amendment.id, lead, quorum=quorum, **about)


def leave_rules_out(
    room: Room, connection: Connection, amendment_id: str, names: Sequence[str]
) -> AmendmentRow:
    """Return a draft of rules again without some of its new ones.

    Raises:
        NotThere: there is no such amendment. UsageError: no rule is named, or see `drafting.leave_out`.
    """
    _find(connection, amendment_id)
    if not names:
        raise UsageError("no rule is marked", next_step="mark those that shall be left out")
    return leave_out(room.store, connection, amendment_id, names)


def cited_case(connection: Connection, review_id: str, expert: ExpertRow) -> PrecedentRow:
    """Return the decided case of a review, for the person who decided it, or a lead.

    Raises:
        NotThere: nobody decided it, or somebody else did.
    """
    row = precedent_of_review(connection, review_id)
    if row is None or (row.actor != expert.actor and not expert.may("lead")):
        raise NotThere("this is no decision of yours", next_step="decide it first, or ask a lead")
    return row


def propose_rule(
    room: Room,
    connection: Connection,
    review_id: str,
    expert: ExpertRow,
    *,
    text: str,
    reason: str,
    name: str = "",
    first: bool = False,
) -> AmendmentRow:
    """Return a draft that adds one principle to the constitution which governs a decided case, resting on its decision.

    Args:
        text: the principle.
        reason: why it is needed.
        name: its id; without one, its first words.
        first: put it before all other principles, else after them.

    Raises:
        NotThere: see `cited_case`. UsageError: the rule cannot be one, or its name is taken.
    """
    row = cited_case(connection, review_id, expert)
    if not text.strip() or not reason.strip():
        raise UsageError("a rule needs a text and a reason", next_step="write both")
    base = law_of_case(connection, row)
    named = name_rule(name) if name else _free_name(text, set(base.document.ids()))
    edit = {"action": "add", "id": named, "text": text, "priority": 1 if first else None}
    return _draft(room, connection, base, row, expert, edit, reason)


def propose_split(
    room: Room,
    connection: Connection,
    review_id: str,
    expert: ExpertRow,
    *,
    principle: str,
    parts: Sequence[tuple[str, str]],
    reason: str,
) -> AmendmentRow:
    """Return a draft that divides one principle of the constitution which governs a decided case.

    Args:
        principle: id of the principle to divide.
        parts: texts of the new principles, each with its name or an empty one; they stand where the old one stood.

    Raises:
        NotThere: see `cited_case`. UsageError: fewer than two parts, or no such principle, or a name is taken.
    """
    row = cited_case(connection, review_id, expert)
    written = [(text, name) for text, name in parts if text.strip()]
    if len(written) < 2 or not reason.strip():
        raise UsageError("a split needs two rules or more, and a reason", next_step="write them")
    base = law_of_case(connection, row)
    taken = set(base.document.ids())
    into = []
    for text, name in written:
        into.append({"id": name_rule(name) if name.strip() else _free_name(text, taken), "text": text})
        taken.add(into[-1]["id"])
    return _draft(
        room, connection, base, row, expert, {"action": "split", "id": principle, "into": into}, reason
    )


def law_of_case(connection: Connection, row: PrecedentRow) -> LawVersion:
    """Return the constitution that governs a decided case now.

    Raises:
        UsageError: none of its name is in force for the case.
    """
    pinned = laws.load_version(connection, "constitution", row.constitution_id)
    in_force = laws.versions_in_force(connection, "constitution", pinned.name, row.recipe)
    base = narrowest(in_force, row.recipe, row.domains)
    if base is None:
        raise UsageError(f"no constitution {pinned.name!r} is in force for this case")
    return base


def _free_name(text: str, taken: set[str]) -> str:
    wanted = name_rule(text)
    return next(n for n in (wanted, *(f"{wanted[:36]}-{i}" for i in range(2, 99))) if n not in taken)


def _draft(
    room: Room,
    connection: Connection,
    base: LawVersion,
    row: PrecedentRow,
    expert: ExpertRow,
    edit: dict[str, Any],
    reason: str,
) -> AmendmentRow:
    try:
        checked = Edit.model_validate(edit)
        document = apply_edits(base.document, [checked], author=expert.name, reason=reason)
    except ValidationError as error:
        raise UsageError(
            f"this cannot be a rule: {error.errors()[0]['msg']}", next_step="put it in one sentence"
        ) from None
    return stored.add_amendment(
        room.store, connection, base, document, proposer=expert.actor, cites=[row.decision_id]
    )


def name_rule(text: str) -> str:
    """Return a principle's id, made of the first words of its text."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    while words and not words[0][0].isalpha():
        words.pop(0)
    return "-".join(words[:WORDS])[:40].strip("-") or "new-rule"


def _find(connection: Connection, amendment_id: str) -> AmendmentRow:
    try:
        return stored.find_amendment(connection, amendment_id)
    except UsageError as error:
        raise NotThere(name_hidden(error.cause), next_step="see the list of amendments") from None


COMMANDS = {"impact": "solon {kind} impact {id}", "rejudge": "solon rejudge --budget CALLS"}


def ask_for_impact(
    room: Room, connection: Connection, amendment_id: str, lead: ExpertRow, **limits: Any
) -> JobRow:
    """Queue the measurement of an open amendment and return its job, or the job under way, where there is one.

    Args:
        limits: sample, max_calls, max_cost.

    Raises:
        NotThere: there is no such amendment.
        NotPending: this server asks no models, or the amendment is closed, or its base was replaced.
    """
    try:
        amendment = find_amendment(connection, amendment_id)
    except UsageError as error:
        raise NotThere(name_hidden(error.cause), next_step="see the list of amendments") from None
    _check_works(room, COMMANDS["impact"].format(kind=amendment.kind, id=amendment.id))
    base = load_version(connection, amendment.kind, amendment.base_id)
    if amendment.state not in OPEN:
        raise NotPending(f"this amendment is {amendment.state}", next_step="propose the change again")
    if base.status != "in_force":
        raise NotPending(
            f"the version that it changes, {base.version}, is in force no more", next_step="propose it again"
        )
    standing = last_job(connection, "impact", amendment.id)
    if standing is not None and standing.open:
        return standing
    return _ask(room, connection, "impact", lead, {"amendment": amendment.id, **limits})


def show_rejudging(room: Room) -> dict[str, Any]:
    """Return how many records and reviews stand under replaced law, and the newest rejudging, as plain values."""
    with room.store.connect() as connection:
        stale, waiting = count_doubtful(connection)
        job = last_job(connection, "rejudge")
    shown = show_job(job) if job is not None else None
    return {"stale": stale, "waiting": waiting, "works": room.jobs.works, "job": shown}


def ask_for_rejudging(room: Room, connection: Connection, lead: ExpertRow, **limits: Any) -> JobRow:
    """Queue judging again what new law may change and return its job, or the job under way, where there is one.

    Args:
        limits: max_calls, max_cost.

    Raises:
        NotPending: this server asks no models.
    """
    _check_works(room, COMMANDS["rejudge"])
    standing = last_job(connection, "rejudge")
    if standing is not None and standing.open:
        return standing
    return _ask(room, connection, "rejudge", lead, limits)


def _check_works(room: Room, command: str) -> None:
    if not room.jobs.works:
        raise NotPending("this server asks no models (--no-work)", next_step=f"run `{command}`")


def _ask(room: Room, connection: Connection, kind: str, lead: ExpertRow, asked: dict[str, Any]) -> JobRow:
    job_id = add_job(connection, kind, lead.actor, asked)
    append(room.store, connection, lead.actor, f"{kind}.asked", job_id, asked)
    return find_job(connection, job_id)
