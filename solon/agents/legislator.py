"""The legislator: reads decisions that the law does not cover and drafts the rule that experts follow in them.

What it writes is a draft that cites decisions; a person ratifies it, after its effect was measured.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, create_model

from solon.agents.calls import Ask
from solon.agents.case import Case
from solon.errors import UsageError
from solon.law.amendments import Document, Edit, apply_edits
from solon.law.casebook import Worked, render
from solon.law.documents import Constitution
from solon.store.runs.journal import Outcome

AUTHOR = "legislator"
MAX_TOKENS = 500
CASE_CHARS = 700
CHANGES = 2
PARTS = 4


class DraftedPart(BaseModel):
    """One of those that a rule is split into, as a model writes it."""

    id: str = Field(max_length=60)
    text: str = Field(max_length=600)


class DraftedEdit(BaseModel):
    """One change as a model writes it; what it leaves out is looked for later. `anchors`: of an added criterion, what
    an answer with each score from 1 to 5 looks like."""

    action: Literal["add", "reword", "reorder", "retire", "split", "anchor", "weight"]
    """What is done to the rule."""
    id: str = Field(max_length=60)
    """Id of the rule, or a name for a new one."""
    text: str | None = Field(None, max_length=600)
    """The new words; None where they stay."""
    priority: int | None = Field(None, ge=1, le=999)
    """Place of the rule among the others; None where it stays."""
    score: int | None = Field(None, ge=1, le=5)
    """Which score an anchor describes; None for other actions."""
    weight: float | None = Field(None, gt=0, le=100)
    """The new weight of a criterion; None where it stays."""
    into: list[DraftedPart] = Field(default_factory=list, max_length=PARTS)
    """The rules that one is split into."""
    anchors: list[Annotated[str, Field(max_length=300)]] = Field(default_factory=list, max_length=5)
    """Of an added criterion: what an answer with each score from 1 to 5 looks like."""


class DraftAnswer(BaseModel):
    """The legislator's answer."""

    reason: str = Field("", max_length=800)
    cites: list[Annotated[str, Field(max_length=64)]] = Field(default_factory=list, max_length=12)
    changes: list[DraftedEdit] = Field(default_factory=list, max_length=CHANGES)


@lru_cache(maxsize=64)
def draft_schema(citable: tuple[str, ...]) -> type[DraftAnswer]:
    """The schema of a legislator's answer that can cite only the decisions it was shown."""
    cites: Any = (list[Literal[citable]], Field(max_length=12))  # type: ignore[valid-type]
    return create_model("DraftAnswer", __base__=DraftAnswer, cites=cites)


@dataclass(frozen=True, slots=True)
class Drafted:
    """What the legislator made of some decisions: a draft, or why there is none.

    Attributes:
        document: the next version of the document; None without a draft.
        cites: ids of decisions that the draft rests on, all of them shown to the legislator.
        problem: why there is no draft, in words; empty where there is one.
        outcome: the call that it comes from.
    """

    document: Document | None
    cites: tuple[str, ...]
    problem: str
    outcome: Outcome


async def draft(case: Case, base: Document, decided: Sequence[Worked], *, model: str, seat: str) -> Drafted:
    """Let the legislator draft one amendment from decisions that belong together.

    Args:
        base: the document to amend.
        decided: cases whose ids are those of their decisions.
        model: the model's name in [models].
        seat: what the call is journalled under.
    """
    is_constitution = isinstance(base, Constitution)
    prompt = case.prompts["legislator.draft"].render(
        case.mark,
        constitution=base.as_prompt() if is_constitution else "",
        rubric=base.as_prompt() if not is_constitution else "",
        decisions="\n".join(render(worked, CASE_CHARS) for worked in decided),
    )
    ask = Ask(
        role="legislator",
        seat=seat,
        model=model,
        prompt=prompt,
        max_tokens=MAX_TOKENS,
        temperature=0.0,
        seed=case.draw("legislator", seat),
        schema=draft_schema(tuple(worked.id for worked in decided)),
    )
    outcome, parsed = await case.caller.parsed(ask)
    if not isinstance(parsed, DraftAnswer):
        return Drafted(None, (), f"the legislator gave no answer ({outcome.outcome})", outcome)
    known = {worked.id for worked in decided}
    cites = tuple(dict.fromkeys(c.strip("[] ") for c in parsed.cites if c.strip("[] ") in known))
    if not parsed.changes:
        return Drafted(None, cites, "the legislator found no common rule", outcome)
    if not cites:
        return Drafted(None, (), "the legislator cited no decision that it was shown", outcome)
    try:
        edits = [as_edit(change, base, known) for change in parsed.changes]
        document = apply_edits(base, edits, author=AUTHOR, reason=parsed.reason)
    except (UsageError, ValidationError) as error:
        problem = error.cause if isinstance(error, UsageError) else str(error.errors()[0]["msg"])
        return Drafted(None, cites, f"the legislator's draft cannot be used: {problem}", outcome)
    return Drafted(document, cites, "", outcome)


def as_edit(change: DraftedEdit, base: Document, decisions: Collection[str] = ()) -> Edit:
    """A change that a model wrote, as an edit of `base` that is checked as if a person had written it.

    Ids come out of models in every form, and are brought into the form of documents. A new text for a rule
    that is not there, under the id of a decision for instance, is a new rule.

    Args:
        decisions: ids of the decisions that the model was shown; none of them names a rule.

    Raises:
        ValidationError: no edit has this shape.
    """
    plain = change.model_dump(exclude_none=True, exclude={"into", "anchors"})
    name = "" if change.id in decisions else change.id
    if change.action == "reword" and _slug(name, change.text or "") not in base.ids():
        plain["action"] = "add"
    if change.anchors:
        plain["anchors"] = dict(enumerate(change.anchors, 1))
    if change.action == "split":
        plain["into"] = [{"id": _slug(part.id, part.text), "text": part.text} for part in change.into]
    return Edit.model_validate({**plain, "id": _slug(name, change.text or "")})


def _slug(name: str, text: str) -> str:
    """An id as documents have them; where `name` holds none, from the first words of the text that it names."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain)
    if not words and text:
        return _slug(" ".join(text.split()[:4]), "")
    slug = "-".join(words)
    return (slug if slug[:1].isalpha() else f"rule-{slug}")[:40].strip("-")
