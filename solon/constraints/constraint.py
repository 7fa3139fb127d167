"""One constraint on an answer, with the check that verifies it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Check = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A checkable constraint.

    Attributes:
        kind: what it constrains, in a word or as IFEval calls it.
        check: tells whether a text keeps it.
        told: what it asks for, as a sentence to whoever answers; empty: only its kind is known.
        fault: how a text that does not keep it breaks it, in words; None: what it asks for says that.
    """

    kind: str
    check: Check
    told: str = ""
    fault: Callable[[str], str] | None = None

    def find_fault(self, text: str) -> str:
        """Return how a text breaks the constraint, in words; empty where it keeps it."""
        if self.check(text):
            return ""
        return self.fault(text) if self.fault else self.told or self.kind
