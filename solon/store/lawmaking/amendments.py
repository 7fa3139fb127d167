"""Amendments in the store: drafts, their impact, votes, and the one transaction that brings one into force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, desc, select, update

from solon.errors import UsageError
from solon.law import documents, impact
from solon.law.amendments import find_warnings
from solon.store.database import clock
from solon.store.database.audit_log import append
from solon.store.database.events import event
from solon.store.database.ids import begins, hash_id, new_id
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.lawmaking.precedents import count_use, overrule
from solon.store.reviewing.experts import ExpertRow, list_experts
from solon.store.runs.laws import Document, Kind, LawVersion, bring_into_force, law_id, load_version
from solon.store.tables import amendment_trials as trials
from solon.store.tables import amendment_votes as votes
from solon.store.tables import amendments, decisions, precedents, records
from solon.store.tables.amendments import Amendment, Trial, Vote

OPEN = ("drafted", "measured")
QUORUM = 2
"""Votes that an amendment needs, where the configuration says nothing else."""


@dataclass(frozen=True, slots=True)
class AmendmentRow:
    """An amendment as it is stored; its document never changes.

    Attributes:
        id: its id.
        kind: constitution, rubric or rules.
        name: name of the law that it amends.
        scope: which seeds that law governs, as a key.
        base_id: the version that it would replace.
        document_id: id of the version that it would be.
        document: the whole draft.
        proposer: who drafted it.
        reason: why, in words.
        cites: ids of the decisions that it rests on.
        overrules: ids of decisions that would hold no longer as precedents.
        warnings: what was noticed in the draft, in words.
        state: drafted, measured, ratified or rejected.
        verdict: green, red or grey, by its impact; None before it was measured.
        impact: the figures of its impact; None before it was measured.
        created_at: when it was drafted, in epoch seconds.
        measured_at: when its impact was last measured, in epoch seconds; None before.
        closed_at: when it was ratified or rejected, in epoch seconds; None before.
        stale_records: how many records came into doubt when it was ratified.
    """

    id: str
    kind: Kind
    name: str
    scope: str
    base_id: str
    document_id: str
    document: Document
    proposer: str
    reason: str
    cites: tuple[str, ...]
    overrules: tuple[str, ...]
    warnings: tuple[str, ...]
    state: str
    verdict: str | None
    impact: dict[str, Any] | None
    created_at: float
    measured_at: float | None
    closed_at: float | None
    stale_records: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the votes leave an amendment.

    Attributes:
        state: its state by these votes; `ratified` and `rejected` where they settle it.
        in_favour: votes for it.
        needed: votes that it needs.
        missing: what it still needs, in words; empty where nothing.
    """

    state: str
    in_favour: int
    needed: int
    missing: str = ""


def add_amendment(
    store: Store,
    connection: Connection,
    base: LawVersion,
    document: Document,
    *,
    proposer: str,
    cites: Sequence[str],
    overrules: Sequence[str] = (),
) -> AmendmentRow:
    """Store a draft, which never changes again.

    Args:
        cites, overrules: ids of decisions, or the beginnings of ids.

    Raises:
        UsageError: it cites nothing, or what is no decision, or the same draft is there already.
    """
    cited = _decision_ids(connection, cites)
    if not cited:
        raise UsageError(
            "an amendment rests on decisions, and this one cites none", next_step="name them under `cites:`"
        )
    document_id = law_id(document)
    open_ = (amendments.c.document_id == document_id) & amendments.c.state.in_(OPEN)
    same = connection.execute(select(amendments.c.id).where(open_)).first()
    if same is not None:
        raise UsageError(f"amendment {same.id} says the same", next_step=f"see `solon {base.kind} history`")
    amendment_id = new_id()
    row = {
        "id": amendment_id,
        "kind": base.kind,
        "name": base.name,
        "scope": base.scope,
        "base_id": base.id,
        "document_id": document_id,
        "document": document.model_dump(mode="json"),
        "proposer": proposer,
        "reason": document.reason,
        "cites": list(cited),
        "overrules": list(_decision_ids(connection, overrules)),
        "warnings": find_warnings(document),
        "state": "drafted",
        "created_at": clock.now(),
        "stale_records": 0,
    }
    detail = {"base": base.id, "cites": len(cited)}
    insert_rows(connection, [(Amendment, row), event(proposer, "amendment.drafted", amendment_id, detail)])
    append(store, connection, proposer, "amendment.drafted", amendment_id, detail)
    return find_amendment(connection, amendment_id)


def _decision_ids(connection: Connection, named: Sequence[str]) -> tuple[str, ...]:
    ids_named = []
    for name in dict.fromkeys(named):
        query = select(decisions.c.id).where(begins(decisions.c.id, name, "a decision")).limit(2)
        ids = list(connection.execute(query).scalars())
        if len(ids) != 1:
            problem = "fits several decisions" if ids else "is no decision of this store"
            raise UsageError(f"{name!r} {problem}", next_step="give the id of a decision")
        ids_named.append(str(ids[0]))
    return tuple(ids_named)


def find_amendment(connection: Connection, amendment_id: str, *, lock: bool = False) -> AmendmentRow:
    """An amendment by its id or the beginning of it.

    Args:
        lock: keep other votes out until the transaction ends.

    Raises:
        UsageError: there is none, or the beginning fits several.
    """
    query = select(amendments).where(begins(amendments.c.id, amendment_id, "an amendment")).limit(2)
    rows = connection.execute(query.with_for_update() if lock else query).mappings().all()
    if len(rows) != 1:
        problem = "fits several amendments" if rows else "is no amendment of this store"
        raise UsageError(f"{amendment_id!r} {problem}", next_step="see `solon constitution history`")
    return _amendment(rows[0])


def list_amendments(
    connection: Connection, *, kind: Kind | None = None, states: Sequence[str] = ()
) -> list[AmendmentRow]:
    """Amendments of a kind and in some states (default: all), the newest first."""
    query = select(amendments).order_by(desc(amendments.c.created_at), desc(amendments.c.id))
    if kind is not None:
        query = query.where(amendments.c.kind == kind)
    if states:
        query = query.where(amendments.c.state.in_(states))
    return [_amendment(row) for row in connection.execute(query).mappings()]


def _amendment(row: RowMapping) -> AmendmentRow:
    model = documents.MODELS[row["kind"]]
    lists = {name: tuple(row[name] or ()) for name in ("cites", "overrules", "warnings")}
    return AmendmentRow(**{**row, **lists, "document": model.model_validate(row["document"])})


def add_trial(
    connection: Connection, amendment_id: str, trial: impact.Trial, *, margins: tuple[float, float]
) -> None:
    """Keep the trial of an amendment on one precedent. A held-out precedent wears with each draft that is tried on it.

    Args:
        margins: the panel's margins, before and after.
    """
    trial_id = hash_id("trial", amendment_id, trial.precedent_id)
    if connection.execute(select(trials.c.id).where(trials.c.id == trial_id)).first() is not None:
        return
    row = {"id": trial_id, "amendment_id": amendment_id, **asdict(trial), "created_at": clock.now()}
    row |= {"margin_before": round(margins[0], 6), "margin_after": round(margins[1], 6)}
    insert_rows(connection, [(Trial, row)])
    if trial.part == "held_out":
        count_use(connection, [trial.precedent_id])


def count_tried(connection: Connection, amendment: AmendmentRow, on: Sequence[impact.Trial]) -> int:
    """How often other drafts from the same version of the law were measured on any of these unseen precedents.

    Drafts count whatever became of them: who looks at twenty and proposes one has looked at twenty.
    """
    unseen = {trial.precedent_id for trial in on if trial.part != "seen"}
    same = select(amendments.c.id, amendments.c.impact).where(
        amendments.c.kind == amendment.kind,
        amendments.c.base_id == amendment.base_id,
        amendments.c.id != amendment.id,
    )
    measured = {row.id: row.impact for row in connection.execute(same) if row.impact}
    shared = select(trials.c.amendment_id, trials.c.precedent_id).where(
        trials.c.amendment_id.in_(list(measured)), trials.c.part != "seen"
    )
    touched = {row.amendment_id for row in connection.execute(shared) if row.precedent_id in unseen}
    return sum(int(measured[name].get("look", 1)) for name in touched)


def trials_of(connection: Connection, amendment_id: str) -> list[impact.Trial]:
    """Every trial of an amendment, in a stable order. For code that measures: people see `visible_flips`."""
    columns = [trials.c[name] for name in impact.Trial.__dataclass_fields__]
    query = select(*columns).where(trials.c.amendment_id == amendment_id).order_by(trials.c.id)
    return [impact.Trial(**row) for row in connection.execute(query).mappings()]


def settled_precedents(connection: Connection) -> set[str]:
    """Ids of precedents that came out right in the trial of a draft which is law now: they need no further rule."""
    query = (
        select(trials.c.precedent_id)
        .join(amendments, amendments.c.id == trials.c.amendment_id)
        .where(amendments.c.state == "ratified", trials.c.after == trials.c.decided)
    )
    return set(connection.execute(query).scalars())


def visible_flips(connection: Connection, amendment: AmendmentRow) -> list[dict[str, Any]]:
    """What changed sides, as item and decision ids. Of unseen precedents nothing until the amendment is ratified."""
    query = (
        select(trials, precedents.c.item_id, precedents.c.decision_id)
        .join(precedents, precedents.c.id == trials.c.precedent_id)
        .where(trials.c.amendment_id == amendment.id, trials.c.before != trials.c.after)
        .order_by(trials.c.part.desc(), trials.c.id)
    )
    if amendment.state != "ratified":
        query = query.where(trials.c.part == "seen")
    names = ("precedent_id", "item_id", "decision_id", "part", "decided", "before", "after")
    return [{name: row[name] for name in names} for row in connection.execute(query).mappings()]


def set_measured(
    store: Store, connection: Connection, amendment: AmendmentRow, found: dict[str, Any], *, by: str
) -> None:
    """Keep the measured impact of an open amendment, with its verdict."""
    connection.execute(
        update(amendments)
        .where(amendments.c.id == amendment.id, amendments.c.state.in_(OPEN))
        .values(state="measured", impact=found, verdict=found["verdict"], measured_at=clock.now())
    )
    append(store, connection, by, "amendment.measured", amendment.id, {"verdict": found["verdict"]})


def vote(
    store: Store,
    connection: Connection,
    amendment_id: str,
    lead: ExpertRow,
    *,
    in_favour: bool,
    override: bool = False,
    reason: str = "",
    quorum: int = QUORUM,
) -> Standing:
    """Take a lead's vote in, in the caller's transaction; the vote that completes the quorum brings the draft into
    force there and then. A later vote of the same lead takes the place of the earlier.

    Args:
        quorum: votes needed, where so many leads may vote.

    Raises:
        UsageError: not a lead, the proposer, not open, not measured, or an override without a reason.
    """
    amendment = find_amendment(connection, amendment_id, lock=True)
    _check_vote(amendment, lead, in_favour, override, reason)
    vote_id = hash_id("vote", amendment.id, lead.actor)
    connection.execute(votes.delete().where(votes.c.id == vote_id))
    row = {
        "id": vote_id,
        "amendment_id": amendment.id,
        "actor": lead.actor,
        "choice": "for" if in_favour else "against",
        "override": override,
        "reason": reason.strip()[:2000],
        "created_at": clock.now(),
    }
    detail = {"choice": row["choice"], "override": override}
    insert_rows(connection, [(Vote, row), event(lead.actor, "amendment.vote", amendment.id, detail)])
    append(store, connection, lead.actor, "amendment.vote", amendment.id, detail)
    standing = count_votes(connection, amendment, quorum)
    if standing.state == "ratified":
        _enact(store, connection, amendment, by=lead.actor)
    elif standing.state == "rejected":
        _close(connection, amendment, "rejected")
    return standing


def _check_vote(
    amendment: AmendmentRow, lead: ExpertRow, in_favour: bool, override: bool, reason: str
) -> None:
    if not lead.may("lead") or lead.revoked_at is not None:
        raise UsageError(
            f"{lead.name!r} is no lead", next_step="leads ratify: `solon expert add --role lead`"
        )
    if lead.actor == amendment.proposer:
        raise UsageError("whoever proposes an amendment does not vote on it", next_step="ask another lead")
    if amendment.state not in OPEN:
        raise UsageError(f"amendment {amendment.id} is {amendment.state} already")
    if in_favour and amendment.state != "measured":
        raise UsageError(
            f"amendment {amendment.id} was not measured yet",
            next_step=f"solon {amendment.kind} impact {amendment.id}",
        )
    if override and not reason.strip():
        raise UsageError("an override needs a reason", next_step="give it with --reason")


def votes_on(connection: Connection, amendment_id: str) -> list[dict[str, Any]]:
    """Every vote cast on an amendment, the oldest first."""
    query = select(votes).where(votes.c.amendment_id == amendment_id).order_by(votes.c.created_at, votes.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def count_votes(connection: Connection, amendment: AmendmentRow, quorum: int = QUORUM) -> Standing:
    """Where the votes of those who are leads now leave an open amendment.

    It takes the quorum, or all leads who may vote where they are fewer. An amendment whose impact is not green also
    needs a lead who votes for it with an override and a reason, and a second lead for it: a voter, or its proposer.
    """
    leads = {e.actor for e in list_experts(connection, revoked=False) if e.may("lead")}
    voters = leads - {amendment.proposer}
    needed = max(1, min(quorum, len(voters)))
    query = select(votes).where(votes.c.amendment_id == amendment.id, votes.c.actor.in_(sorted(voters)))
    cast = list(connection.execute(query).mappings())
    given = {v["actor"]: v for v in cast if v["choice"] == "for"}
    if sum(v["choice"] == "against" for v in cast) >= needed:
        return Standing("rejected", len(given), needed)
    missing = []
    if len(given) < needed:
        missing.append(f"{needed - len(given)} more vote(s) of leads")
    if amendment.verdict != "green":
        backers = set(given) | ({amendment.proposer} & leads)
        if not any(v["override"] for v in given.values()):
            missing.append(f"its impact is {amendment.verdict}: a lead must override that with a reason")
        if len(backers) < 2:
            missing.append("a second lead for it")
    state = amendment.state if missing else "ratified"
    return Standing(state, len(given), needed, "; ".join(missing))


def _enact(store: Store, connection: Connection, amendment: AmendmentRow, *, by: str) -> None:
    """New law, overruled precedents, stale records and the amendment's end, in one transaction or not at all."""
    base = load_version(connection, amendment.kind, amendment.base_id)
    bring_into_force(store, connection, amendment.document, by=by, instead_of=base.id, amendment=amendment.id)
    overrule(connection, amendment.overrules)
    stale = mark_stale(connection, amendment.kind, amendment.base_id)
    _close(connection, amendment, "ratified", stale)


def mark_stale(connection: Connection, kind: Kind, replaced_id: str) -> int:
    """Mark as stale the records that the panel accepted under the version replaced; returns how many.

    Their verdict may be another now. What a person decided stays. Rules belong to a run, and leave its records as
    they are.
    """
    if kind == "rules":
        return 0
    accepted_under = records.c.constitution_id if kind == "constitution" else records.c.rubric_id
    statement = (
        update(records)
        .where(
            accepted_under == replaced_id,
            records.c.superseded_at.is_(None),
            records.c.decision_id.is_(None),
            records.c.stale_at.is_(None),
        )
        .values(stale_at=clock.now())
    )
    return int(connection.execute(statement).rowcount)


def _close(connection: Connection, amendment: AmendmentRow, state: str, stale: int = 0) -> None:
    closed = connection.execute(
        update(amendments)
        .where(amendments.c.id == amendment.id, amendments.c.state.in_(OPEN))
        .values(state=state, closed_at=clock.now(), stale_records=stale)
    )
    if closed.rowcount != 1:
        raise UsageError(f"amendment {amendment.id} was closed by someone else just now")
