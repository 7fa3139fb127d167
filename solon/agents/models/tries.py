"""The requests that one call sends, and the leave that each further one needs.

The first request is admitted with the call. Every further one (a try after a failure, a repeated question
after an answer that could not be read, a request without a parameter that the model does not take) asks leave
before it is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from solon.agents.models.tokens import read_cached, read_usage
from solon.errors import LimitReached

if TYPE_CHECKING:
    from solon.agents.models.gate import Place


class Waiter(Protocol):
    """Who a call waits for that may take hours: the meter of its run.

    Attributes:
        leaving: the run is being stopped, and what waits at a provider is left there.
    """

    leaving: bool

    def await_batches(self, which: str) -> None:
        """Say which batches are waited for; empty: none any more."""

    def leave_behind(self, what: str) -> None:
        """Say what is left at a provider."""


class LeftBehind(LimitReached):
    """The run was stopped while a request waits at the provider's batch API. It is no request in vain: the next session
    finds it there by its id, and counts it then."""


@dataclass(slots=True)
class Tries:
    """How many requests a call has sent, and the tokens of all their answers, also of those that nobody could
    read.

    Attributes:
        leave: called before each further request; raises where none may be sent. None: every request may.
        sent: requests so far; the first is counted from the start.
        input_tokens: of all prompts that were answered.
        output_tokens: of all answers.
        estimated: whether any of these tokens were estimated, since the server did not tell them.
        spent: is told the input and output tokens of each answer as it comes; None: nobody asks.
        needs: names of the features without which an answer is of no use to whoever asks.
        place: the call's place at the gate of the deployment that is asked; None where the chat model has a gate of
            its own.
        cached_tokens: those of the input tokens that the provider read from its cache.
        call_id: of the call in the journal of its run, the same in each session; empty where nothing is journalled.
        run: the run's id; empty where there is none.
        waiter: is told what is waited for for hours; None: nobody listens.
        left: it was broken off while a request was with a batch API: whoever takes its answer counts it.
    """

    leave: Callable[[], Awaitable[None]] | None = None
    sent: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    spent: Callable[[int, int], None] | None = None
    needs: frozenset[str] = frozenset()
    place: Place | None = None
    cached_tokens: int = 0
    call_id: str = ""
    run: str = ""
    waiter: Waiter | None = None
    left: bool = False

    def add(self, input_tokens: int, output_tokens: int, *, estimated: bool, cached: int = 0) -> None:
        """Add the tokens of an answer that has come; `cached` of the input tokens came from the provider's cache."""
        self.cached_tokens += min(cached, input_tokens)
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.estimated |= estimated
        if self.spent is not None:
            self.spent(input_tokens, output_tokens)

    def add_vain(self, body: Mapping[str, Any]) -> None:
        """Add the tokens that a server tells of an answer of which nothing can be used."""
        usage = body.get("usage")
        prompt, answer = read_usage(usage)
        if prompt or answer:
            self.add(prompt or 0, answer or 0, estimated=False, cached=read_cached(usage))


OF_CALL: ContextVar[Tries | None] = ContextVar("OF_CALL", default=None)
"""Of the call under way; a chat model is asked through LangChain too, which hands nothing else through."""


async def ask_leave() -> None:
    """Ask whether a further request of the current call may be sent, and count it. To be awaited before each
    but the first.

    Raises:
        LimitReached: the run has reached a limit.
    """
    tries = OF_CALL.get()
    if tries is not None:
        if tries.leave is not None:
            await tries.leave()
        tries.sent += 1
