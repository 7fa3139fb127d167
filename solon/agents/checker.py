"""The checker: reads a person's answer before it is sent, and says what may be wrong with it.

It reads the answer against the law, the guidelines and earlier decisions, never against what the panel found. The
person may change the answer or send it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from solon.agents.calls import Ask
from solon.agents.case import Case
from solon.store.runs.journal import Outcome

MOST = 4
MAX_TOKENS = 500
NONE_GIVEN = "(none given)"


class CheckRemark(BaseModel):
    """One thing that may be wrong with an answer."""

    kind: Literal["contradiction", "principle", "precedent", "missing_reason"]
    """What speaks against the answer: its own reason, a principle, an earlier decision; or that a reason is missing."""
    text: str = Field(min_length=1, max_length=400)
    """The remark, in a sentence."""
    cites: list[Annotated[str, Field(max_length=64)]] = Field(default_factory=list, max_length=3)
    """Ids of principles and precedents."""


class CheckAnswer(BaseModel):
    """The checker's answer."""

    remarks: list[CheckRemark] = Field(default_factory=list, max_length=MOST)


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """A person's answer as the checker reads it.

    Attributes:
        texts: what the question is about, under the names by which the answer speaks of them.
        choice: what was chosen, in words.
        rationale: why, in the person's words; empty where they said nothing.
        principles: ids of the principles that they cite.
    """

    texts: str
    choice: str
    rationale: str
    principles: tuple[str, ...] = ()


async def check(
    case: Case,
    given: GivenAnswer,
    *,
    model: str,
    seat: str,
    guidelines: str = "",
    precedents: str = "",
    precedent_ids: frozenset[str] = frozenset(),
) -> tuple[list[CheckRemark] | None, Outcome]:
    """Let a model read an answer; returns its remarks, None where it gave no answer, and the call.

    A remark about a principle or an earlier decision that cites none of those that there are is left out.

    Args:
        model: the model's name in [models].
        seat: what the call is journalled under.
        guidelines: what people were told about the task; empty without.
        precedents: similar earlier decisions as text for the prompt; `precedent_ids`: of those.
    """
    prompt = case.prompts["answer.check"].render(
        case.mark,
        constitution=case.principles,
        guidelines=guidelines,
        prompt=case.prompt,
        input=case.input,
        texts=given.texts,
        choice=given.choice,
        rationale=given.rationale or NONE_GIVEN,
        cited=", ".join(given.principles) or NONE_GIVEN,
        precedents=precedents,
    )
    known = {*case.constitution.ids(), *precedent_ids}
    ask = Ask(
        role="checker",
        seat=seat,
        model=model,
        prompt=prompt,
        max_tokens=MAX_TOKENS,
        temperature=0.0,
        seed=case.draw("checker", seat),
        schema=CheckAnswer,
    )
    outcome, parsed = await case.caller.parsed(ask)
    if not isinstance(parsed, CheckAnswer):
        return None, outcome
    remarks = []
    for remark in parsed.remarks:
        cites = [c for c in dict.fromkeys(cited.strip("[] ") for cited in remark.cites) if c in known]
        if cites or remark.kind in ("contradiction", "missing_reason"):
            remarks.append(remark.model_copy(update={"cites": cites}))
    return remarks, outcome
