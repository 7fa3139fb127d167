"""Who gave the records: each tier of the panel, people's votes, or a person; what that cost, how often experts agree.

Source of the figures a cascade is judged by: FrugalGPT, Chen et al. 2023 (arXiv 2305.05176).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.eval.result import NO_RECORDS, Figure, SuiteResult, rate
from solon.eval.suites.audit import audited_records
from solon.store.records import counts
from solon.store.records.evaluation import settled_items
from solon.store.runs.verdicts import tell_not_asked

if TYPE_CHECKING:
    from solon.eval.material import Material

BY_PEOPLE = {"decided": "a person", "voted": "votes of people"}
"""Route of a record that people settled -> who gave it, in words."""


class Tier(BaseModel):
    """What one tier of the panel settled, or people.

    Attributes:
        name: `tier 0`, the first that is asked, `tier 1`, ...; `votes of people`; or `a person`.
        share: of all records in force.
        calls: model calls a record, of all tiers that were asked.
        cost: their price a record; None where the price of one is not known.
        agreement: share of its records that experts agreed with when these were audited blind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    share: Figure
    calls: float
    cost: float | None
    agreement: Figure


class Tiers(SuiteResult):
    """Who gave the records in force, what they cost, and how often experts agree.

    Attributes:
        tiers: who gave any, the first tier first and people last.
        without_people: share of the records that no person settled.
        calls: model calls a record, over all.
        cost: their price a record; None where the price of one is not known.
    """

    tiers: tuple[Tier, ...]
    without_people: Figure
    calls: float
    cost: float | None

    def headline(self) -> dict[str, Figure]:
        """The share that needed no person, and the shares of the first tiers."""
        shares = {f"records of {tier.name}": tier.share for tier in self.tiers[:2]}
        return {"records that no person settled": self.without_people, **shares}

    def next_step(self) -> str:
        """What to do where there is nothing to see."""
        return "" if self.n else NO_RECORDS


def evaluate(material: Material) -> Tiers:
    """Return who gave the records in force of these runs, what that cost, and how often audits agree with it."""
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    agreed: dict[str, list[bool]] = defaultdict(list)
    settled = material.settled
    among = settled_items(material.run_ids) if settled else None
    with material.store.connect() as connection:
        for row in counts.count_tiers(connection, material.run_ids, among=among):
            by_name[_name(row["tier"], row["route"])].append(row)
        for run in material.runs:
            for one in audited_records(connection, run, settled=settled):
                agreed[_name(one.tier, one.route)].append(one.agrees)
        made = sum(row["calls"] for row in counts.count_calls(connection, material.run_ids))
        notes = [tell_not_asked(connection, material.run_ids)]
    rows = [row for of_name in by_name.values() for row in of_name]
    beside = made - sum(row["calls"] for row in rows)
    n = sum(row["records"] for row in rows)
    if beside and not settled:
        notes.append(f"{beside} further calls were made for items without a record, such as those that wait")
    alone = n - sum(row["records"] for row in rows if row["route"] in BY_PEOPLE)
    return Tiers(
        suite="tiers",
        n=n,
        tiers=tuple(
            Tier(
                name=name,
                share=rate(sum(row["records"] for row in by_name[name]), n),
                **_costs(by_name[name]),
                agreement=rate(sum(agreed[name]), len(agreed[name]), "none of them was audited"),
            )
            for name in sorted(by_name, key=lambda name: (name in BY_PEOPLE.values(), name))
        ),
        without_people=rate(alone, n, "there are no records in force"),
        **_costs(rows),
        notes=tuple(filter(None, notes)),
    )


def _name(tier: int | None, route: str) -> str:
    return BY_PEOPLE.get(route, "no panel" if tier is None else f"tier {tier}")


def _costs(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    records = max(sum(row["records"] for row in rows), 1)
    known = not any(row["unpriced"] for row in rows)
    return {
        "calls": sum(row["calls"] for row in rows) / records,
        "cost": sum(row["cost"] for row in rows) / records if known else None,
    }
