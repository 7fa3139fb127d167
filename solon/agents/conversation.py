"""Self-chat: a model plays the user of a conversation, and a generator answers, turn by turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from solon.agents import generator
from solon.agents.outputs import UserTurn
from solon.dialogues import ASSISTANT, USER, write_dialogue
from solon.errors import NoAnswer
from solon.words import find_words

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.agents.drafts import Draft

BOUND, ENDED, REPEATED = "bound", "user", "repeated"
"""How a dialogue ends: after so many answers, by the user, or with a turn that repeats an earlier one. Else by a turn
that cannot be used, under the name of its problem."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A dialogue as it was drafted.

    Attributes:
        draft: its text, with the call and the author of the last answer; the first answer where that cannot be used.
        turns: how many answers it has.
        ended: by what, see above.
    """

    draft: Draft
    turns: int
    ended: str


async def converse(
    case: Case, index: int, *, person: str, turns: int, round: int, guidance: str, findings: str
) -> Conversation:
    """A dialogue that begins with the case's request. A turn that repeats an earlier one word for word, or cannot be
    used, is dropped and ends it, and with an answer goes the turn that it was to.

    Source: Xu et al. 2023, "Baize: An Open-Source Chat Model with Parameter-Efficient Tuning on Self-Chat Data",
    section 3.

    Args:
        person: whom the model plays; empty: nobody in particular.
        turns: answers at most.
        guidance: what an expert asked for in this redraft; empty without.
        findings: what critics found on the dialogue of the round before; empty in the first.
    """
    said: list[tuple[str, str]] = []
    answer = last = None
    ended = ""
    while not ended:
        so_far = "\n\n".join(filter(None, (case.prompt, write_dialogue(said))))
        answer = await generator.draft(
            replace(case, prompt=so_far), index, round=round, guidance=guidance, findings=findings
        )
        ended = answer.problem or (REPEATED if _repeats(answer.text, case, said) else "")
        if not ended:
            last = answer
            said.append((ASSISTANT, answer.text))
            ended = BOUND if len(said) == 2 * turns - 1 else await _ask_on(case, person, said, guidance)
    if last is None:
        assert answer is not None
        return Conversation(replace(answer, problem=ended), 0, ended)
    if said[-1][0] == USER:
        said.pop()
    return Conversation(replace(last, text=write_dialogue(said)), len(said) // 2 + 1, ended)


async def _ask_on(case: Case, person: str, said: list[tuple[str, str]], guidance: str) -> str:
    """Add what the user says next; where they say nothing that can be used, by what the dialogue ends."""
    try:
        turn = await case.ask(
            "generator.user",
            schema=UserTurn,
            sample=len(said),
            person=person,
            dialogue=write_dialogue(said),
            guidance=guidance,
        )
    except NoAnswer as problem:
        return problem.problem
    message = turn.message.strip()
    if turn.ends or not message:
        return ENDED
    if _repeats(message, case, said):
        return REPEATED
    said.append((USER, message))
    return ""


def _repeats(text: str, case: Case, said: list[tuple[str, str]]) -> bool:
    """Whether a turn has the words of the request or of an earlier turn, whoever spoke."""
    words = find_words(text)
    return any(words == find_words(one) for one in (case.prompt, *(content for _, content in said)))
