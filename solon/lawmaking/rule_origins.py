"""Where ratified rules come from: the amendment that brought each, who voted for it, and what it did on decisions that
its author could not see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from solon.law.documents import RULES, RuleBook
from solon.store.lawmaking.amendments import list_amendments, votes_on
from solon.store.runs.laws import history

if TYPE_CHECKING:
    from solon.law.documents import Rule
    from solon.store.database.engine import Connection


@dataclass(frozen=True, slots=True)
class Repeal:
    """How a rule went.

    Attributes:
        version: of the rules, the first without it.
        at: when that came into force, epoch seconds.
        amendment: id of the amendment that repealed it; empty where the version was imported.
        by: actors whose votes repealed it.
    """

    version: str
    at: float
    amendment: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleOrigin:
    """A rule that is or was law, as it was last worded.

    Attributes:
        rule: the rule.
        version: of the rules in which it came in this wording.
        since: when that came into force, epoch seconds.
        amendment: id of the amendment that brought it; empty where it was imported.
        by: actors whose votes brought it.
        repealed: how it went; None while it votes in new runs.
        held_out: its figures on unseen decisions, see `rule_impact.RuleEffect`; None where it was imported.
    """

    rule: Rule
    version: str
    since: float
    amendment: str
    by: tuple[str, ...]
    repealed: Repeal | None
    held_out: dict[str, Any] | None

    @property
    def in_force(self) -> bool:
        """Whether it votes in new runs."""
        return self.repealed is None


def rule_origins(connection: Connection) -> dict[str, RuleOrigin]:
    """Every rule that is or was law, by its name."""
    ratified = {a.document_id: a for a in list_amendments(connection, kind="rules", states=("ratified",))}
    origins: dict[str, RuleOrigin] = {}
    before: dict[str, str] = {}
    for version in history(connection, "rules", RULES):
        book = version.document
        assert isinstance(book, RuleBook)
        amendment = ratified.get(version.id)
        cast = votes_on(connection, amendment.id) if amendment is not None else []
        by = tuple(vote["actor"] for vote in cast if vote["choice"] == "for")
        change = amendment.id if amendment is not None else ""
        at = version.in_force_at or version.created_at
        measured = (amendment.impact or {}).get("rules", ()) if amendment is not None else ()
        now = {rule.id: rule.text for rule in book.rules}
        for rule in book.rules:
            if before.get(rule.id) != rule.text:
                figures = next((one for one in measured if one["id"] == rule.id), None)
                origins[rule.id] = RuleOrigin(rule, version.version, at, change, by, None, figures)
        for name in before.keys() - now.keys():
            origins[name] = replace(origins[name], repealed=Repeal(version.version, at, change, by))
        before = now
    return origins
