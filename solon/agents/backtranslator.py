"""The backtranslator: writes the request that an existing text answers, or a question that a text answers with its own
words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solon.agents.outputs import QuotedDraft, RequestDraft
from solon.quotes import as_quotation

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.agents.drafts import Draft


async def write_request(case: Case, *, guidance: str, findings: str, rewrites: bool) -> Draft:
    """The request that the case's text answers, with that text as the answer, or with what a second call makes of it.
    Errors are those of `Case.ask`.

    Source: Li et al. 2023, "Self-Alignment with Instruction Backtranslation", section 2.2; rewriting: Nguyen et al.
    2024, "Better Alignment with Instruction Back-and-Forth Translation".

    Args:
        guidance: what an expert asked for in this draft; empty without.
        findings: what critics found on the draft before; empty in the first.
        rewrites: whether the answer is written anew.
    """
    text = text_of(case)
    asked = await case.ask(
        "generator.request", schema=RequestDraft, passage=text, guidance=guidance, findings=findings
    )
    if rewrites:
        answer = await case.ask("generator.rewrite", request=asked.instruction, passage=text)
        return case.draft(answer, prompt=asked.instruction)
    return case.draft(text, prompt=asked.instruction)


async def write_question(case: Case, *, guidance: str, findings: str) -> Draft:
    """A question about the case's text, with an answer that ends with quotations, a line each. Whether they stand in
    the text is for the caller to check. Arguments and errors are those of `write_request`."""
    text = text_of(case)
    asked = await case.ask(
        "generator.quoted", schema=QuotedDraft, passage=text, guidance=guidance, findings=findings
    )
    quotes = [as_quotation(words) for words in asked.quotes if words.strip()]
    return case.draft("\n".join([asked.response.strip(), "", *quotes]), prompt=asked.instruction, input=text)


def text_of(case: Case) -> str:
    """The text that is worked on: the seed's input, or without one its prompt."""
    return case.input or case.prompt
