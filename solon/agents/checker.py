"""The checker: reads a person's answer before it is sent, and says what may be wrong with it.

It reads the answer against the law, the guidelines and earlier decisions, never against what the panel found. The
person may change the answer or send it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, Field, WithJsonSchema

from solon.agents.calls import Ask
from solon.agents.case import Case
from solon.store.runs.journal import Outcome

MOST = 4
MAX_TOKENS = 500
NONE_GIVEN = "(none given)"


Kind = Literal["contradiction", "principle", "precedent", "missing_reason"]
"""What speaks against an answer: its own reason, a principle, an earlier decision; or that a reason is missing."""
KINDS: tuple[Kind, ...] = get_args(Kind)


class CheckRemark(BaseModel):
    """One thing that may be wrong with an answer."""

    kind: Kind
    """What speaks against the answer."""
    text: str = Field(min_length=1, max_length=400)
    """The remark, in a sentence."""
    cites: list[Annotated[str, Field(max_length=64)]] = Field(default_factory=list, max_length=3)
    """Ids of principles and precedents."""


class DraftedRemark(CheckRemark):
    """A remark as a model writes it: one of a kind that there is not costs the others nothing."""

    kind: Annotated[str, WithJsonSchema({"enum": list(KINDS), "type": "string"})]  # type: ignore[assignment]
    """What speaks against the answer, as the model calls it."""


class CheckAnswer(BaseModel):
    """The checker's answer."""

    remarks: list[DraftedRemark] = Field(default_factory=list, max_length=MOST)


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

    Left out are remarks of a kind that there is not, about a principle or an earlier decision without the id of one, or
    about a reason where none was given.

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
    principles = frozenset(case.constitution.ids())
    read = (_as_remark(drafted, given, principles, precedent_ids) for drafted in parsed.remarks)
    return [remark for remark in read if remark is not None], outcome


def _as_remark(
    drafted: DraftedRemark, given: GivenAnswer, principles: frozenset[str], precedents: frozenset[str]
) -> CheckRemark | None:
    """The remark with those of its citations that there are; None where nothing that there is bears it out."""
    cited = dict.fromkeys(one.strip("[] ") for one in drafted.cites)
    cites = [one for one in cited if one in principles or one in precedents]
    borne_out: dict[Kind, bool] = {
        "contradiction": bool(given.rationale.strip()),
        "principle": not principles.isdisjoint(cites),
        "precedent": not precedents.isdisjoint(cites),
        "missing_reason": True,
    }
    for kind, stands in borne_out.items():
        if kind == drafted.kind and stands:
            return CheckRemark(kind=kind, text=drafted.text, cites=cites)
    return None
