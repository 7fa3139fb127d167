"""Reviews as interrupts of the Agent-User Interaction protocol (AG-UI 1.0): a run ends with the next review as its
interrupt, and the next run resumes with the answer.

The shapes are those of the protocol's schema; names are as it writes them. Before the answer an interrupt tells no more
than a `BlindItem`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field

from solon.errors import InvalidDecision
from solon.review.inbox import answer_schema, describe
from solon.review.schemas.queue import BlindItem, DecisionOut, NextOut, Wire

VERSION = "1.0"
Event = dict[str, Any]


class ResumeEntry(Wire):
    """An answer to an interrupt.

    Attributes:
        interruptId: id of the interrupt.
        status: `cancelled` sets the review aside, as a skip does.
        payload: the answer, an object with `choice` and what belongs to it.
    """

    model_config = ConfigDict(extra="ignore")

    interruptId: str = Field(max_length=128)
    status: Literal["resolved", "cancelled"]
    payload: Any = None


class RunAgentInput(Wire):
    """A request to run: what else the protocol sends (messages, tools, state) is not read.

    Attributes:
        threadId: the conversation; any name of the client's.
        runId: the run; any name of the client's.
        resume: answers to the interrupts that ended the run before.
    """

    model_config = ConfigDict(extra="ignore")

    threadId: str = Field(min_length=1, max_length=200, examples=["reviews"])
    runId: str = Field(min_length=1, max_length=200, examples=["1"])
    resume: list[ResumeEntry] | None = Field(None, max_length=32)


def answer_of(entry: ResumeEntry) -> dict[str, Any]:
    """Return the answer that an entry means; the response schema of the review then checks it.

    Raises:
        InvalidDecision: the payload is no object.
    """
    if entry.status == "cancelled":
        return {"choice": "skip"}
    if not isinstance(entry.payload, Mapping):
        raise InvalidDecision("payload: an answer is an object", next_step='such as {"choice": "skip"}')
    return dict(entry.payload)


def run_started(given: RunAgentInput) -> Event:
    """Return the event that opens a run."""
    return {"type": "RUN_STARTED", "protocolVersion": VERSION, **_named(given)}


def answered(done: DecisionOut) -> Event:
    """Return the event that says what became of an answer."""
    value = done.model_dump(mode="json", exclude={"next"})
    return {"type": "CUSTOM", "name": "solon.answer", "value": value}


def run_finished(given: RunAgentInput, found: NextOut) -> Event:
    """Return the event that closes a run: interrupted by the next review, or successful where there is none."""
    if found.item is None:
        result = {"empty": found.empty, "message": found.message}
        return {
            "type": "RUN_FINISHED",
            **_named(given),
            "outcome": {"type": "success"},
            "result": result,
        }
    return {
        "type": "RUN_FINISHED",
        **_named(given),
        "outcome": {"type": "interrupt", "interrupts": [to_interrupt(found.item)]},
    }


def to_interrupt(item: BlindItem) -> dict[str, Any]:
    """Return a leased review as an interrupt; its id is the token of the lease, under which it is answered once."""
    return {
        "id": item.token,
        "reason": "input_required",
        "message": describe(item),
        "responseSchema": answer_schema(item),
        "metadata": {"solon": item.model_dump(mode="json", exclude={"token"})},
    }


def encode(events: Iterable[Event]) -> str:
    """Return events as server-sent events, in the protocol's JSON."""
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


def _named(given: RunAgentInput) -> Event:
    return {"threadId": given.threadId, "runId": given.runId}
