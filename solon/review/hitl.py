"""Reviews in the words of LangChain's human-in-the-loop middleware: a HITLRequest out, a HITLResponse in.

The shapes are those of `langchain.agents.middleware.human_in_the_loop`: one action, decided by approve, edit, reject or
respond. An answer goes through the review's own response schema, as everywhere.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from solon.responses import choices_of, is_label
from solon.review.schemas.queue import Wire

Kind = Literal["approve", "edit", "reject", "respond"]
APPROVING = ("accept", "stands", "go_on")
"""Choices that take what is shown as it is."""
REJECTING = ("reject", "both_bad", "all_bad")
"""Choices by which nothing that is shown will do."""


class Action(Wire):
    """An action with the fields of an answer as its `args`."""

    name: str = Field(max_length=100)
    args: dict[str, JsonValue] = Field(max_length=40)


class ActionAsked(Action):
    """What is asked; `description` is Markdown with every foreign text in a code block."""

    description: str


class ReviewPolicy(Wire):
    """How an action may be decided, and the JSON schema of its args."""

    action_name: str
    allowed_decisions: list[Kind]
    args_schema: dict[str, JsonValue]


class HitlRequest(Wire):
    """A review as the middleware would ask it: always one action with one policy."""

    action_requests: list[ActionAsked]
    review_configs: list[ReviewPolicy]


class HitlDecision(Wire):
    """What a person decided.

    Attributes:
        type: `approve` takes what is shown as it is, `reject` none of it, `edit` brings an answer back, `respond` says
            the label, or what a new draft shall do.
        edited_action: of an `edit`: the args filled in.
        message: of a `reject` why, of a `respond` the words.
    """

    type: Kind
    edited_action: Action | None = None
    message: str | None = None


class HitlResponse(Wire):
    """The decisions, one for each action: always one."""

    decisions: list[HitlDecision] = Field(max_length=10)


def allowed_decisions(schema: str) -> list[Kind]:
    """Return the decisions that mean something under a response schema; `edit` always does."""
    fits: dict[Kind, bool] = {
        "approve": choice_of("approve", schema) is not None,
        "edit": True,
        "reject": choice_of("reject", schema) is not None,
        "respond": is_label(schema) or "redraft" in choices_of(schema),
    }
    return [kind for kind, does in fits.items() if does]


def choice_of(kind: Kind, schema: str) -> str | None:
    """Return the choice that an approval or a rejection means under a response schema; None where it means none."""
    wanted = {"approve": APPROVING, "reject": REJECTING}.get(kind, ())
    return next((choice for choice in wanted if choice in choices_of(schema)), None)
