"""Drafts: texts that models or functions wrote, before they become candidates."""

from __future__ import annotations

from dataclasses import dataclass

from solon.store.runs.journal import Outcome


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that a generator wrote.

    Attributes:
        text: the response; may be empty or cut where there is a problem.
        outcome: the call that it comes from.
        author: the model or function that wrote it, under the name by which it votes.
        prompt: the request, where the generator wrote that too; else empty.
        input: what that request speaks of; empty where there is nothing.
        problem: why the draft cannot be used (empty, cut, only an echo of the prompt, or the kind of a failed call);
            empty where it can.
    """

    text: str
    outcome: Outcome
    author: str
    prompt: str = ""
    input: str = ""
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the draft can be used."""
        return not self.problem
