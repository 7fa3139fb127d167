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
    """A lead's vote on an amendment.

    Attributes:
        by: pseudonym of the lead.
        choice: what the lead voted.
        override: True where the vote is for it although its impact is not green.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str
    choice: str
    override: bool


class Amended(BaseModel):
    """A proposed change of law and what became of it.

    Attributes:
        id: of the amendment.
        kind: `constitution`, `rubric` or `rules`.
        name: of the document that it changes.
        version: number of the version that it proposes.
        state: `drafted`, `measured`, `ratified` or `rejected`.
        verdict: on its impact, `green`, `red` or `grey`; empty where nothing was measured.
        why: the verdict in words; empty with it.
        before: agreement with experts under the old law, on decisions that its author could not see; None
            where nothing was measured.
        after: the same under the new law.
        unseen: the difference of the two, paired.
        proposer: pseudonym of a person, or the name of the machine that drafted it.
        reason: that was given for it.
        drafted: when.
        closed: when it was ratified or rejected; empty while it is open.
        cites: number of decisions that it rests on.
        overrules: number of decisions that it declares wrong.
        votes: of the leads.
        stale: records that it brought into doubt when it became law.
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
    """Return every version of the laws that items of the runs were pinned to, and all others of the same
    names.

    Each says under `items` how many items were pinned to it.
    """
    return tuple(_version(row) for row in counts.law_history(connection, run_ids))


def _version(row: dict[str, Any]) -> dict[str, Any]:
    document = row.pop("document") or {}
    rules = document.get("principles") or document.get("criteria") or ()
    since = moment(row["in_force_at"]) if row["in_force_at"] else ""
    return {**row, "in_force_at": since, "rules": [str(rule.get("id", "")) for rule in rules]}


def read_amendments(
    connection: Connection, versions: Sequence[dict[str, Any]], pseudonym: Callable[[str], str]
) -> tuple[Amended, ...]:
    """Return the amendments of the laws of those names, and of rules, in whatever state, the oldest first.

    Args:
        versions: of `read_versions`.
        pseudonym: makes a name for a person.
    """
    names = {(version["kind"], version["name"]) for version in versions}
    amendments = [
        row for row in list_amendments(connection) if row.kind == "rules" or (row.kind, row.name) in names
    ]
    return tuple(_amended(connection, row, pseudonym) for row in reversed(amendments))


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
