"""The critic: holds one candidate against the constitution and says what is wrong with it, and by which principle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from solon.agents import plugged
from solon.agents.calls import Ask
from solon.agents.case import Case
from solon.agents.outputs import MOST_FINDINGS, Finding, Findings, findings_schema
from solon.formats.records import LONGEST_QUOTE
from solon.quotes import find_quotes
from solon.store.runs.journal import Outcome

SEVERITIES = ("none", "minor", "major", "fatal")


@dataclass(frozen=True, slots=True)
class Critique:
    """Findings on one candidate. A critic that gave no usable answer abstains by name, unless code noticed something.

    Attributes:
        findings: what code noticed, then what the critic found.
        outcome: the call that the critic's findings come from.
        abstained: why there are no findings to count; empty where there are some, and where the critic answered.
    """

    findings: tuple[Finding, ...]
    outcome: Outcome
    abstained: str = ""

    @property
    def worst(self) -> str:
        """The gravest severity among the findings, or `none`."""
        return max((f.severity for f in self.findings), key=SEVERITIES.index, default="none")

    @property
    def principles(self) -> list[str]:
        """The ids of the principles that the findings cite, sorted, each once."""
        return sorted({f.principle for f in self.findings if f.principle})

    def as_text(self) -> str:
        """The findings as text for the generator's next prompt, one line each."""
        lines = [
            f"- ({f.severity}) [{f.principle or 'general'}] {f.quote!r}: {f.suggestion}"
            for f in self.findings
        ]
        return "\n".join(lines)

    def as_json(self) -> str:
        """The findings as a JSON list, as the store keeps them."""
        return json.dumps([f.model_dump() for f in self.findings], ensure_ascii=False)


async def critique(
    case: Case, answer: str, *, ordinal: int = 0, round: int = 0, noticed: Sequence[Finding] = ()
) -> Critique:
    """What the critic, a model or a function, finds on one answer.

    A principle that the constitution does not have is not a citation, and a quote that is not in the answer
    is not a quote: both are blanked, the finding stays.

    Args:
        case: the item, with the request that the answer is to.
        answer: the candidate's text.
        ordinal: the candidate's place among those of the round.
        round: how often the item was redrafted before.
        noticed: what was found without the critic, and stands before its own findings.
    """
    config = case.config.critic
    grounded = config.grounded and bool(case.input)
    noticed = [*noticed, *(check_quotations(answer, case.input) if grounded else ())]
    if config.python:
        outcome, findings = await plugged.criticise(case, config.python, answer, ordinal=ordinal, round=round)
        why = "" if findings is not None else plugged.ABSTAINED if outcome.ok else outcome.outcome
        own = [Finding.model_validate(entry) for entry in findings or ()]
        return _put_together(case, answer, outcome, noticed, own, why)
    rendered = case.prompts["critic.grounded" if grounded else "critic.critique"].render(
        case.mark,
        constitution=case.principles,
        prompt=case.prompt,
        input=case.input,
        answer=answer,
    )
    ask = Ask(
        role="critic",
        seat="critic",
        model=config.model,
        prompt=rendered,
        max_tokens=config.max_tokens,
        temperature=0.0,
        seed=case.draw("critic", round, ordinal),
        sample=ordinal,
        round=round,
        schema=findings_schema(tuple(case.constitution.ids())),
    )
    outcome, parsed = await case.caller.parsed(ask)
    if not isinstance(parsed, Findings):
        return _put_together(case, answer, outcome, noticed, (), outcome.outcome)
    return _put_together(case, answer, outcome, noticed, parsed.findings)


def _put_together(
    case: Case,
    answer: str,
    outcome: Outcome,
    noticed: Sequence[Finding],
    own: Sequence[Finding],
    abstained: str = "",
) -> Critique:
    found = _checked(case, [*noticed, *own], answer)
    return Critique(found, outcome, abstained="" if found else abstained)


def check_quotations(answer: str, text: str) -> list[Finding]:
    """What is wrong with the quotations of an answer, without a model: major where one does not stand in the text,
    minor where it is spelt otherwise there."""
    found = []
    for quote in find_quotes(answer, text):
        told = f"These words stand in the input with another {' and another '.join(quote.differs)}."
        if quote.source is None:
            told = "These words do not stand in the input: quote what does, or leave them out."
        if quote.source is None or quote.differs:
            severity: Literal["major", "minor"] = "minor" if quote.source else "major"
            words = answer[quote.start : quote.end][:LONGEST_QUOTE]
            found.append(Finding(principle="", quote=words, severity=severity, suggestion=told))
    return found[:MOST_FINDINGS]


def narrow(case: Case, most: int, *, round: int, ordinal: int, turn: int) -> Case:
    """The case under `most` of its principles, drawn for one critique; the whole of them where 0 are asked for.

    The turns of one candidate go through all principles before one comes again.

    Args:
        most: how many principles.
        round: how often the item was redrafted before.
        ordinal: the candidate's place among those of the round.
        turn: how often the candidate was revised before.
    """
    whole = case.constitution.ordered()
    if not 0 < most < len(whole):
        return case
    drawn = Random(case.draw("principles", round, ordinal)).sample(whole, len(whole))
    chosen = [drawn[(turn * most + place) % len(whole)] for place in range(most)]
    return replace(case, constitution=case.constitution.model_copy(update={"principles": chosen}))


def _checked(case: Case, findings: Iterable[Finding], answer: str) -> tuple[Finding, ...]:
    known = set(case.constitution.ids())
    return tuple(
        f.model_copy(
            update={
                "principle": f.principle.strip("[] ") if f.principle.strip("[] ") in known else "",
                "quote": f.quote if f.quote and f.quote in answer else "",
            }
        )
        for f in findings
    )
