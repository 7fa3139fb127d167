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
    id: str = Field(max_length=60)
    text: str | None = Field(None, max_length=600)
    priority: int | None = Field(None, ge=1, le=999)
    score: int | None = Field(None, ge=1, le=5)
    weight: float | None = Field(None, gt=0, le=100)
    into: list[DraftedPart] = Field(default_factory=list, max_length=PARTS)
    anchors: list[Annotated[str, Field(max_length=300)]] = Field(default_factory=list, max_length=5)


class DraftAnswer(BaseModel):
    """The legislator's answer."""

    reason: str = Field("", max_length=800)
    cites: list[Annotated[str, Field(max_length=64)]] = Field(default_factory=list, max_length=12)
    changes: list[DraftedEdit] = Field(default_factory=list, max_length=CHANGES)


@lru_cache(maxsize=64)
def draft_schema(citable: tuple[str, ...]) -> type[DraftAnswer]:
    """`DraftAnswer` that can only cite the decisions it was shown."""
    cites: Any = (list[Literal[citable]], Field(max_length=12))  # type: ignore[valid-type]
    return create_model("DraftAnswer", __base__=DraftAnswer, cites=cites)


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft, or why there is none. `cites`: ids of decisions it was shown."""

    document: Document | None
    cites: tuple[str, ...]
    problem: str
    outcome: Outcome


async def draft(case: Case, base: Document, decided: Sequence[Worked], *, model: str, seat: str) -> Drafted:
    """One amendment from decisions that belong together. `decided`: cases whose ids are those of their decisions."""
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
        told = error.cause if isinstance(error, UsageError) else str(error.errors()[0]["msg"])
        return Drafted(None, cites, f"the legislator's draft cannot be used: {told}", outcome)
    return Drafted(document, cites, "", outcome)


def as_edit(change: DraftedEdit, base: Document, decisions: Collection[str] = ()) -> Edit:
    """Ids come out of models in every form; the rest is checked as if a person had written it.

    A new text for a rule that is not there, under the id of a decision for instance, is a new rule.
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
