"""Drafts: texts that models or functions wrote, before they become candidates."""

from __future__ import annotations

from dataclasses import dataclass

from solon.agents.echoes import ECHO
from solon.agents.models.failures import ending
from solon.errors import CUT
from solon.store.runs.journal import Outcome


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that a generator wrote.

    Attributes:
        text: the response; may be empty or cut where there is a problem.
        outcome: the call that it comes from; None where nobody was asked.
        author: the model or function that wrote it, under the name by which it votes.
        prompt: the request, where the generator wrote that too; else empty.
        input: what that request speaks of; empty where there is nothing.
        problem: why the draft cannot be used (empty, cut, only an echo of the prompt, or the kind of a failed call);
            empty where it can.
    """

    text: str
    outcome: Outcome | None
    author: str
    prompt: str = ""
    input: str = ""
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the draft can be used."""
        return not self.problem

    @property
    def call_id(self) -> str | None:
        """The id of the call that it comes from; None where nobody was asked."""
        return self.outcome.call_id if self.outcome is not None else None


def problem_of(outcome: Outcome, text: str) -> str:
    """Why an answer cannot be used, in a word; empty where it can.

    Args:
        outcome: the call.
        text: what is left of its answer without what that repeats of the prompt.
    """
    if not outcome.ok:
        return outcome.outcome
    if not text:
        return ECHO if outcome.text.strip() else "empty"
    return CUT if ending(outcome.finish_reason) == "cut" else ""
