"""The legislator: reads decisions that the law does not cover and drafts the rule that experts follow in them; and
reads decided texts of one label and drafts rules that recognise others of it.

What it writes is a draft that rests on decisions; a person ratifies it, after its effect was measured.
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
from solon.law.casebook import Worked, render, shorten
from solon.law.documents import MAX_PATTERN, Constitution, Rule
from solon.store.runs.journal import Outcome

AUTHOR = "legislator"
MAX_TOKENS = 500
CASE_CHARS = 700
CHANGES = 2
PARTS = 4
RULES = 3
TEXT_CHARS = 300


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


class DraftedRule(BaseModel):
    """A rule as a model writes it: keywords, or a pattern."""

    keywords: list[Annotated[str, Field(max_length=60)]] = Field(default_factory=list, max_length=8)
    regex: str | None = Field(None, max_length=MAX_PATTERN)


class RulesAnswer(BaseModel):
    """The legislator's rules for one label."""

    reason: str = Field("", max_length=800)
    rules: list[DraftedRule] = Field(default_factory=list, max_length=RULES)


@dataclass(frozen=True, slots=True)
class DraftedRules:
    """What the legislator made of the texts of one label.

    Attributes:
        rules: its rules, each one that can be read.
        problems: why there are no others, in words.
    """

    rules: tuple[Rule, ...]
    problems: tuple[str, ...]


async def draft_rules(
    case: Case,
    label: str,
    texts: Sequence[tuple[str, str]],
    others: Sequence[tuple[str, str]],
    known: Sequence[str],
    taken: Collection[str],
    *,
    model: str,
) -> DraftedRules:
    """Let the legislator draft rules that recognise the texts of one label.

    Args:
        texts: decided texts of the label, each with the reason for the decision, or an empty one.
        others: decided texts of other labels, likewise.
        known: what the rules of the label that there are look for.
        taken: names that a new rule may not have.
        model: the model's name in [models].
    """
    values = {"label": label, "texts": _list_texts(texts), "others": _list_texts(others)}
    prompt = case.prompts["legislator.rules"].render(case.mark, known="\n".join(known), **values)
    ask = Ask(
        role="legislator",
        seat=f"rules/{label}",
        model=model,
        prompt=prompt,
        max_tokens=MAX_TOKENS,
        temperature=0.0,
        seed=case.draw("legislator", "rules", label),
        schema=RulesAnswer,
    )
    outcome, parsed = await case.caller.parsed(ask)
    if not isinstance(parsed, RulesAnswer):
        return DraftedRules((), (f"{label}: the legislator gave no answer ({outcome.outcome})",))
    if not parsed.rules:
        return DraftedRules((), (f"{label}: the legislator found nothing that sets its texts apart",))
    rules: list[Rule] = []
    problems = []
    for drafted in parsed.rules:
        try:
            rules.append(as_rule(drafted, label, {*taken, *(rule.id for rule in rules)}))
        except ValidationError as error:
            told = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            problems.append(f"{label}: a drafted rule cannot be used: {told}")
    return DraftedRules(tuple(rules), tuple(problems))


def _list_texts(texts: Sequence[tuple[str, str]]) -> str:
    lines = []
    for text, reason in texts:
        lines.append(f"- {shorten(text, TEXT_CHARS)}")
        if reason.strip():
            lines.append(f"  because: {shorten(reason, TEXT_CHARS)}")
    return "\n".join(lines)


def as_rule(drafted: DraftedRule, label: str, taken: Collection[str]) -> Rule:
    """A rule that a model wrote, checked as if a person had written it, under a name that nothing else has.

    Of one with both keywords and a pattern the keywords stay, which are the plainer.

    Raises:
        ValidationError: it says nothing, or its pattern cannot be read.
    """
    keywords = list(dict.fromkeys(word for word in drafted.keywords if word.strip()))
    wanted = slug(f"{label} {' '.join(keywords[:1])}", "")
    free = (wanted, *(f"{wanted[:36]}-{number}" for number in range(2, 1000)))
    name = next(name for name in free if name not in taken)
    return Rule(id=name, label=label, keywords=keywords, regex="" if keywords else drafted.regex or "")


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
    if change.action == "reword" and slug(name, change.text or "") not in base.ids():
        plain["action"] = "add"
    if change.anchors:
        plain["anchors"] = dict(enumerate(change.anchors, 1))
    if change.action == "split":
        plain["into"] = [{"id": slug(part.id, part.text), "text": part.text} for part in change.into]
    return Edit.model_validate({**plain, "id": slug(name, change.text or "")})


def slug(name: str, text: str) -> str:
    """An id as documents have them; where `name` holds none, from the first words of the text that it names."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain)
    if not words and text:
        return slug(" ".join(text.split()[:4]), "")
    joined = "-".join(words)
    return (joined if joined[:1].isalpha() else f"rule-{joined}")[:40].strip("-")
