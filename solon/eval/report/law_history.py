"""The law that runs were made under, for the report: every version of its names, and how each came to be.

No author of a version is told: that is a person's name. Who proposed and who voted stand under their pseudonyms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.agents.legislator import AUTHOR as LEGISLATOR
from solon.display.text import moment
from solon.eval.result import Figure
from solon.lawmaking.weights import AUTHOR as WEIGHTS
from solon.store.lawmaking.amendments import list_amendments, votes_on
from solon.store.records import counts

if TYPE_CHECKING:
    from solon.store.database.engine import Connection
    from solon.store.lawmaking.amendments import AmendmentRow

MACHINES = (LEGISLATOR, WEIGHTS)


class Ballot(BaseModel):
    """A lead's vote. `override`: for it although its impact is not green."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str
    choice: str
    override: bool


class Amended(BaseModel):
    """A proposed change of law and what became of it.

    Attributes:
        state: drafted | measured | ratified | rejected. verdict: green | red | grey; empty where nothing was measured.
        unseen: change of the agreement with experts on decisions that its author could not see, paired.
        before, after: that agreement under the old and the new law; None where nothing was measured.
        cites, overrules: numbers of decisions. stale: records that it brought into doubt when it became law.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: str
    name: str
    version: str
    state: str
    verdict: str
    why: str
    before: float | None
    after: float | None
    unseen: Figure
    proposer: str
    reason: str
    drafted: str
    closed: str
    cites: int
    overrules: int
    votes: tuple[Ballot, ...]
    stale: int


def read_versions(connection: Connection, run_ids: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """Every version of the names that items of the runs were pinned to; `items`: how many were, 0 for the others."""
    return tuple(_version(row) for row in counts.law_history(connection, run_ids))


def _version(row: dict[str, Any]) -> dict[str, Any]:
    document = row.pop("document") or {}
    rules = document.get("principles") or document.get("criteria") or ()
    since = moment(row["in_force_at"]) if row["in_force_at"] else ""
    return {**row, "in_force_at": since, "rules": [str(rule.get("id", "")) for rule in rules]}


def read_amendments(
    connection: Connection, versions: Sequence[dict[str, Any]], pseudonym: Callable[[str], str]
) -> tuple[Amended, ...]:
    """Amendments of those names in whatever state, the oldest first."""
    names = {(version["kind"], version["name"]) for version in versions}
    found = [row for row in list_amendments(connection) if (row.kind, row.name) in names]
    return tuple(_amended(connection, row, pseudonym) for row in reversed(found))


def _amended(connection: Connection, row: AmendmentRow, pseudonym: Callable[[str], str]) -> Amended:
    impact = row.impact or {}
    unseen = impact.get("unseen") or {"n": 0}
    return Amended(
        id=row.id,
        kind=row.kind,
        name=row.name,
        version=row.document.version,
        state=row.state,
        verdict=row.verdict or "",
        why=str(impact.get("why", "")),
        before=unseen.get("before"),
        after=unseen.get("after"),
        unseen=_change(unseen),
        proposer=row.proposer if row.proposer in MACHINES else pseudonym(row.proposer),
        reason=row.reason,
        drafted=moment(row.created_at),
        closed=moment(row.closed_at) if row.closed_at else "",
        cites=len(row.cites),
        overrules=len(row.overrules),
        votes=tuple(
            Ballot(by=pseudonym(vote["actor"]), choice=vote["choice"], override=bool(vote["override"]))
            for vote in votes_on(connection, row.id)
        ),
        stale=row.stale_records,
    )


def _change(found: dict[str, Any]) -> Figure:
    if not found["n"]:
        return Figure(value=None, low=-1.0, high=1.0, n=0, why="not measured on unseen decisions")
    low, high = found["interval"]
    gained = found["gained"] - found["lost"]
    return Figure(value=gained / found["n"], low=low, high=high, n=found["n"])
