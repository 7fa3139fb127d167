"""Reviews in the words of LangChain's inboxes: a HumanInterrupt or a HITLRequest out, a HumanResponse or a HITLResponse
in.

The shapes are those of `langgraph.prebuilt.interrupt` and, in `hitl`, of LangChain's human-in-the-loop middleware.
Whatever comes in is coerced through the review's own response schema, so that nothing else can be said here than
elsewhere. Before the answer it tells no more than a `BlindItem`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import Field, JsonValue

from solon.display.text import shorten
from solon.errors import InvalidDecision
from solon.formats.seed_rows import ROLES
from solon.questions import question_of
from solon.responses import NOT_ANSWERS, Response, choices_of, is_label
from solon.review.hitl import (
    ActionAsked,
    HitlDecision,
    HitlRequest,
    HitlResponse,
    ReviewPolicy,
    allowed_decisions,
    choice_of,
)
from solon.review.schemas import examples
from solon.review.schemas.examples import example
from solon.review.schemas.queue import BlindItem, Id, Wire
from solon.store.reviewing.answering import DECLINE_REASONS

T = TypeVar("T")
LISTS = ("principles",)
NUMBERS = ("strength",)
KEPT = ("rationale", "principles", "strength", "scores", "flags", "proposal")
"""Fields of an answer that an acceptance may carry along."""
TYPED = (
    "choice",
    "candidate",
    "text",
    "guidance",
    "rationale",
    "principles",
    "strength",
    "proposal",
    "reason",
)


class InboxConfig(Wire):
    """What the inbox offers. `accept` says nothing about which of two is better, so a pair has no such button.

    Attributes:
        allow_ignore: the review may be skipped.
        allow_respond: a redraft may be asked for, with a text that guides it.
        allow_edit: the fields of the answer may be filled in.
        allow_accept: the candidate may be accepted as it is.
    """

    allow_ignore: bool
    allow_respond: bool
    allow_edit: bool
    allow_accept: bool


class ActionRequest(Wire):
    """What is asked, with the fields of an answer as texts; empty ones are not given."""

    action: str = Field(max_length=100)
    args: dict[str, JsonValue] = Field(max_length=40)


class HumanInterrupt(Wire):
    """A review as the inbox shows it; `description` is Markdown with every foreign text in a code block."""

    action_request: ActionRequest
    config: InboxConfig
    description: str


class HumanResponse(Wire):
    """`accept` and `edit` bring the args back, `response` a text (a redraft's guidance), `ignore` nothing (a skip)."""

    type: Literal["accept", "ignore", "response", "edit"]
    args: ActionRequest | str | None = None


class InboxItem(Wire):
    """A leased review.

    Attributes:
        assignment: the lease of this review by this person.
        review: id of the review.
        token: the token of the lease, which the response must bring back.
        leased_until: epoch seconds at which the lease ends.
        interrupt: the review as the Agent Inbox shows it.
        request: the same as LangChain's human-in-the-loop middleware asks it.
    """

    assignment: Id
    review: Id
    token: str
    leased_until: float
    interrupt: HumanInterrupt
    request: HitlRequest


class InboxNext(Wire, json_schema_extra=example(examples.INBOX_NEXT)):
    """The next review, or why there is none."""

    item: InboxItem | None
    message: str = ""


class InboxAnswer(Wire):
    """The response: a HumanResponse, alone or as the list of one that the Agent Inbox resumes a graph with, or a
    HITLResponse with one decision."""

    token: str = Field(max_length=128, examples=["6f0a1c3be2f94d5f8a7b6c5d4e3f2a1b"])
    response: HumanResponse | list[HumanResponse] | HitlResponse = Field(
        examples=[
            {"decisions": [{"type": "reject", "message": "Both give twice the safe dose."}]},
            {
                "type": "edit",
                "args": {"action": "preference", "args": {"choice": "tie", "rationale": "equal"}},
            },
        ]
    )


def to_interrupt(item: BlindItem) -> HumanInterrupt:
    """Return a review as the inbox shows it before the answer: fields to fill in, buttons and a description."""
    return HumanInterrupt(
        action_request=ActionRequest(action=item.recipe, args=_args(item)),
        config=InboxConfig(
            allow_ignore=True,
            allow_respond="redraft" in item.choices,
            allow_edit=True,
            allow_accept="accept" in item.choices,
        ),
        description=describe(item),
    )


def to_request(item: BlindItem) -> HitlRequest:
    """Return a review as the middleware asks it: one action, whose args are the fields to fill in."""
    asked = ActionAsked(name=item.recipe, args=_args(item), description=describe(item))
    policy = ReviewPolicy(
        action_name=item.recipe,
        allowed_decisions=allowed_decisions(item.answer_schema),
        args_schema=_args_schema(item),
    )
    return HitlRequest(action_requests=[asked], review_configs=[policy])


def _args_schema(item: BlindItem) -> dict[str, Any]:
    """The schema of an answer, where a field that is not given may stand as an empty text, and numbers and lists as
    texts, as `_args` has them; only `choice` has to be filled in."""
    schema = answer_schema(item)
    fields = schema["properties"]
    text, empty = {"type": "string"}, {"const": ""}
    for name, other in {"candidate": empty, "reason": empty, "strength": text, "principles": text}.items():
        fields[name] = {"anyOf": [fields[name], other]}
    return schema


def _args(item: BlindItem) -> dict[str, JsonValue]:
    args: dict[str, JsonValue] = dict.fromkeys(TYPED, "")
    if question_of(item.answer_schema).shown == 1:
        args["candidate"] = item.candidates[0].id
    for name, value in (item.draft or {}).items():
        if name in TYPED and isinstance(value, str | int):
            args[name] = str(value)
    return args


def describe(item: BlindItem) -> str:
    """Return a review before the answer as Markdown: the choices, and every foreign text in a code block."""
    parts = [f"choices: {', '.join([*item.choices, *NOT_ANSWERS])}"]
    if item.rationale_wanted:
        parts.append("A rationale is wanted.")
    for turn in item.turns:
        speaker = turn.role if turn.role in ROLES else "turn"
        parts.append(f"**{speaker}**\n\n{_block(turn.content)}")
    parts += [f"**request**\n\n{_block(item.prompt)}"]
    parts += [
        f"**{name}**\n\n{_block(text)}"
        for name, text in (("input", item.input), ("reference", item.reference))
        if text
    ]
    parts += [f"**candidate** `{one.id}`\n\n{_block(one.text)}" for one in item.candidates]
    return "\n\n".join(parts)


def answer_schema(item: BlindItem) -> dict[str, Any]:
    """Return the JSON schema of an answer to a review, for a form. What it leaves out (flags, scores, evidence) may be
    given, too."""
    text = {"type": "string"}
    own = {
        name: {key: value for key, value in field.items() if key != "required"}
        for name, field in item.fields.items()
    }
    return {
        "type": "object",
        "required": ["choice"],
        "properties": {
            "choice": {"type": "string", "enum": [*item.choices, *NOT_ANSWERS]},
            "candidate": {"type": "string", "enum": [one.id for one in item.candidates]},
            "text": {**text, "description": "of edit and write: the whole answer as it should be"},
            "guidance": {**text, "description": "of redraft: what the new draft shall do"},
            "reason": {**text, "enum": list(DECLINE_REASONS), "description": "of decline"},
            "rationale": {**text, "description": "why, in a sentence"},
            "strength": {"type": "integer", "minimum": 1, "maximum": 3},
            "principles": {"type": "array", "items": text},
            "proposal": {**text, "description": "a principle that is missing, in a sentence"},
            **own,
        },
    }  # fmt: skip


def _block(text: str) -> str:
    """A code block that the text cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def to_answer(
    schema: str, response: HumanResponse | list[HumanResponse] | HitlResponse, action: str
) -> dict[str, Any]:
    """Return the answer that a response means; the response schema then checks it like any other.

    Args:
        schema: the response schema of the review.
        action: the name of the action that was asked, which an answer that names one must bring back.
        response: the response, or several, of which there must be one.

    Raises:
        InvalidDecision: the response is no answer; the cause names the field.
    """
    if isinstance(response, HitlResponse):
        decision = _only("decisions", response.decisions)
        if decision.edited_action is not None:
            _check_action("edited_action.name", decision.edited_action.name, action)
        return _decided(schema, decision)
    given = _only("response", response if isinstance(response, list) else [response])
    if isinstance(given.args, ActionRequest):
        _check_action("args.action", given.args.action, action)
    return _responded(schema, given)


def _check_action(field: str, given: str, asked: str) -> None:
    if given != asked:
        raise InvalidDecision(
            f"{field}: {shorten(given, 60)!r} is not the action that was asked",
            next_step=f"bring back the name that came with the review: {asked}",
        )


def _only(field: str, given: Sequence[T]) -> T:
    if len(given) != 1:
        raise InvalidDecision(
            f"{field}: {len(given)} of them, where one answers a review", next_step="send exactly one"
        )
    return given[0]


def _decided(schema: str, decision: HitlDecision) -> dict[str, Any]:
    allowed, words = allowed_decisions(schema), (decision.message or "").strip()
    if decision.type not in allowed:
        raise InvalidDecision(
            f"type: {decision.type!r} says nothing here", next_step=f"allowed: {', '.join(allowed)}"
        )
    if decision.type == "edit":
        if decision.edited_action is None:
            raise InvalidDecision("edited_action: it is missing", next_step="send the args filled in")
        return _edited(schema, _fields(decision.edited_action.args))
    if decision.type == "respond":
        if not words:
            raise InvalidDecision("message: a response is a text", next_step="say what it shall be")
        return {"choice": words} if is_label(schema) else {"choice": "redraft", "guidance": words}
    return {"choice": choice_of(decision.type, schema)} | ({"rationale": words} if words else {})


def _responded(schema: str, response: HumanResponse) -> dict[str, Any]:
    args = response.args
    if response.type == "ignore":
        return {"choice": "skip"}
    if response.type == "response":
        if not isinstance(args, str):
            raise InvalidDecision("args: a response is a text", next_step="say what the new draft shall do")
        return {"choice": "redraft", "guidance": args}
    fields = _fields(args.args) if isinstance(args, ActionRequest) else {}
    if response.type == "accept":
        if "accept" not in choices_of(schema):
            raise InvalidDecision(
                "type: nothing to accept here", next_step="edit the args: choice, candidate"
            )
        return {"choice": "accept"} | {name: fields[name] for name in KEPT if name in fields}
    return _edited(schema, fields)


def _edited(schema: str, fields: dict[str, Any]) -> dict[str, Any]:
    choices = choices_of(schema)
    if "choice" not in fields:
        raise InvalidDecision("choice: it is missing", next_step=f"choices: {', '.join(choices)}")
    if choices and fields["choice"] not in ("prefer", "edit"):
        fields.pop("candidate", None)
    return fields


def _fields(args: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were filled in, as an answer holds them: the inbox sends every field, and each as a text."""
    known = {*Response.model_fields, "proposal", "reason"}
    filled: dict[str, Any] = {}
    for name, value in args.items():
        if name not in known:
            raise InvalidDecision(
                f"{name[:60]}: no field of an answer", next_step=f"fields: {', '.join(TYPED)}"
            )
        if value in ("", None, [], {}):
            continue
        if name in LISTS and isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if name in NUMBERS and isinstance(value, str):
            if not value.strip().isdigit():
                raise InvalidDecision(f"{name}: {value[:20]!r} is no number")
            value = int(value.strip()[:6])
        filled[name] = value
    return filled
