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
class RuleOrigin:
    """A rule that is or was law, as it was last worded.

    Attributes:
        rule: the rule.
        version: of the rules in which it came in this wording.
        since: when that came into force, epoch seconds.
        amendment: id of the amendment that brought it; empty where it was imported.
        by: actors whose votes brought it.
        in_force: whether it votes in new runs.
        held_out: its figures on unseen decisions, see `rule_impact.RuleEffect`; None where it was imported.
    """

    rule: Rule
    version: str
    since: float
    amendment: str
    by: tuple[str, ...]
    in_force: bool
    held_out: dict[str, Any] | None


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
        measured = (amendment.impact or {}).get("rules", ()) if amendment is not None else ()
        now = {rule.id: rule.text for rule in book.rules}
        for rule in book.rules:
            if before.get(rule.id) != rule.text:
                origins[rule.id] = RuleOrigin(
                    rule,
                    version.version,
                    version.in_force_at or version.created_at,
                    amendment.id if amendment is not None else "",
                    tuple(vote["actor"] for vote in cast if vote["choice"] == "for"),
                    False,  # until it is known which is the last version
                    next((figures for figures in measured if figures["id"] == rule.id), None),
                )
        before = now
    return {
        name: replace(origin, in_force=before.get(name) == origin.rule.text)
        for name, origin in origins.items()
    }
