"""Whom a certificate's promise speaks of: one expert, the majority of several, or experts after adjudication.

Pure functions over outcomes in the panel's words (A, B, tie, accept, ...).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from solon.consensus.ceiling import majority_right
from solon.errors import ConfigError

NOBODYS = "contested"
"""The outcome of a question on which the target has no opinion; no panel agrees with it."""
TARGET = re.compile(r"single|adjudicated|majority\(([3579])\)")


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a certificate's promise speaks of.

    Where two experts differ in an audit of an adjudicated promise, a third stands in for the ruling, since an
    audit opens no case.

    Attributes:
        name: ``single``, ``adjudicated`` or ``majority(K)``.
        experts: how many people whose decision is final are asked each question that certifies, blind.
        audited_by: how many of them are asked about each audited item.
    """

    name: str
    experts: int
    audited_by: int

    def outcome(self, said: Sequence[str], ruling: str | None = None) -> str | None:
        """Return what the target says of a question; None while too few have answered.

        Args:
            said: answers of such people in the order they were given; of a majority only the first
                ``experts`` count.
            ruling: what a lead settled it to be. Until there is one, answers that differ are ``contested``,
                which understates the panel: to leave such questions out would overstate it.
        """
        if len(said) < self.experts:
            return None
        if self.name == "adjudicated":
            return ruling or (said[0] if len(set(said)) == 1 else NOBODYS)
        return _majority(said[: self.experts])

    def audit_outcome(self, said: Sequence[str]) -> str | None:
        """Return what the target says of an audited item; None while too few have answered."""
        return _majority(said[: self.audited_by]) if len(said) >= self.audited_by else None

    def best_possible(self, right: float) -> float:
        """Return the agreement of a perfect panel with the target, if one expert is right with probability
        ``right`` (binary).

        Rulings are taken to be right, so that an adjudicated answer is wrong where both experts are.
        """
        if self.name == "adjudicated":
            return 1.0 - (1.0 - right) ** 2
        return majority_right(right, self.experts)

    def __str__(self) -> str:
        named = {"single": "a single expert", "adjudicated": "experts after adjudication"}
        return named.get(self.name, f"the majority of {self.experts} experts")


def read_target(text: str) -> Target:
    """Return the target of ``single``, ``adjudicated``, or ``majority(K)`` with K 3, 5, 7 or 9.

    Raises:
        ConfigError: any other text.
    """
    match = TARGET.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"target {text[:60]!r} is unknown",
            next_step="single, adjudicated, majority(3), majority(5), majority(7) or majority(9)",
        )
    if text.strip() == "adjudicated":
        return Target("adjudicated", 2, 3)
    experts = int(match[1] or 1)
    return Target(text.strip(), experts, experts)


def _majority(said: Sequence[str]) -> str:
    """What more than half of them say."""
    [(most, times)] = Counter(said).most_common(1)
    return most if 2 * times > len(said) else NOBODYS
