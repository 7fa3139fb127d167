"""The requests that one call sends. The first is admitted with the call; every further one (a try after a failure, a
question for an answer that can be read, the same without what a model does not take) asks leave before it is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solon.agents.models.lean import Completion


@dataclass(slots=True)
class Tries:
    """How many requests a call has sent, and the tokens of all their answers, also of those that nobody could read;
    None as soon as one of them does not tell. `leave`: raises where no further request may be sent."""

    leave: Callable[[], Awaitable[None]] | None = None
    sent: int = 1
    input_tokens: int | None = 0
    output_tokens: int | None = 0

    def add(self, answer: Completion) -> None:
        """An answer has come."""
        self.input_tokens = _sum(self.input_tokens, answer.input_tokens)
        self.output_tokens = _sum(self.output_tokens, answer.output_tokens)


OF_CALL: ContextVar[Tries | None] = ContextVar("OF_CALL", default=None)
"""Of the call under way; a chat model is asked through LangChain too, which hands nothing else through."""


async def ask_leave() -> None:
    """To be called before each further request of a call.

    Raises:
        LimitReached: the run has reached a limit.
    """
    tries = OF_CALL.get()
    if tries is not None:
        if tries.leave is not None:
            await tries.leave()
        tries.sent += 1


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
