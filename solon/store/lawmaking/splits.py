"""Principles and criteria that were split: which parts the decisions that cited them may belong to. Reads only.

A decision goes on citing what was in force when it was made; where that leads today is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from solon.law.amendments import parts_of
from solon.law.documents import diff
from solon.law.lineage import may_belong, splits_of, successors
from solon.store.lawmaking.precedents import precedents_under
from solon.store.runs.laws import Document, LawVersion, history


@dataclass(frozen=True, slots=True)
class Belonging:
    """A decision that cited what is split now, and the parts that it may belong to.

    Attributes:
        precedent_id: the precedent that the decision made.
        decision_id: the decision.
        item_id: the item decided.
        part: half of the precedent, `seen` or `held_out`.
        cited: id of the principle or criterion that is split.
        may: ids of the parts that the decision may belong to, the likeliest first.
    """

    precedent_id: str
    decision_id: str
    item_id: str
    part: str
    cited: str
    may: tuple[str, ...]


def belongings(
    connection: Connection, base: Document, draft: Document, *, unseen: bool
) -> tuple[list[Belonging], int]:
    """Decisions that cited what the draft splits, and how many more are held out and may not be told yet.

    Args:
        unseen: tell those of the held-out half too; only once the draft is ratified.
    """
    split = {change.id: change.new for change in diff(base, draft) if change.action == "split"}  # type: ignore[type-var]
    if not split:
        return [], 0
    parts = {part.id: part for part in parts_of(draft)}
    belonging: list[Belonging] = []
    hidden = 0
    for row in precedents_under(connection, draft):
        for cited in row.principles:
            if cited not in split:
                continue
            if row.half != "seen" and not unseen:
                hidden += 1
                continue
            may = may_belong(row.rationale or row.request, [parts[part["id"]] for part in split[cited]])
            belonging.append(Belonging(row.id, row.decision_id, row.item_id, row.half, cited, may))
    return belonging, hidden


def covered_ids(connection: Connection, law: LawVersion) -> set[str]:
    """Ids that a decision may cite and be covered by the law: those in force, and those whose parts are."""
    versions = [version.document for version in history(connection, law.kind, law.name)]
    splits = splits_of([*versions, law.document])
    known = set(law.document.ids())
    return known | {old for old in splits if known & set(successors(splits, old))}


def split_notes(versions: Sequence[LawVersion]) -> dict[str, dict[str, tuple[str, ...]]]:
    """What each version split, and into what, by the version's id; versions that split nothing are missing.

    Args:
        versions: of several names and scopes, the oldest first.
    """
    last: dict[tuple[str, str], LawVersion] = {}
    notes = {}
    for version in versions:
        before = last.get((version.name, version.scope))
        last[version.name, version.scope] = version
        if before is None:
            continue
        changes = diff(before.document, version.document)  # type: ignore[type-var]
        parts_of_id = {c.id: tuple(part["id"] for part in c.new) for c in changes if c.action == "split"}
        if parts_of_id:
            notes[version.id] = parts_of_id
    return notes
