"""Critiques and revisions to learn from, as messages: what a critic found on an answer, and the answer without it.
Imports `contract` and `records` only.

Sources: Saunders et al. 2022, "Self-critiquing models" (arXiv 2206.05802); Bai et al. 2022, "Constitutional AI" (arXiv
2212.08073), section 3, where a model is trained on revisions.
"""

from __future__ import annotations

from collections.abc import Iterator

from solon.formats.contract import Format, LeftOut, Piece, assistant, find_answer, spell_request
from solon.formats.records import CritiqueOf, ExportRow, ScoredRow

CRITIQUE = (
    "Name what is wrong with the answer. One line for each fault: its severity, the principle that it breaks, the "
    "words that are wrong, and how to mend it."
)
REVISION = "Revise the answer so that none of these faults is left. Write nothing but the revised answer."
SOUND = "Nothing is wrong with it."
"""What is to be said of an answer on which the critic found nothing, and which was accepted."""


def critique(row: ExportRow) -> Iterator[Piece]:
    """Yield a row for each text of the record that a critic read as it stands: request, answer and what was found.

    An accepted text without a finding is a row as well; a rejected one without any is none, since something is wrong
    with it."""
    found = _find(row)
    if isinstance(found, LeftOut):
        yield found
        return
    prompt, critiques = found
    told = [one for one in critiques if one.findings or one.accepted]
    for one in told:
        said = "\n".join(one.findings) or SOUND
        yield {"messages": [_ask(prompt, one.text, CRITIQUE), assistant(said)]}
    if not told:
        yield LeftOut("not_criticised")


def revision(row: ExportRow) -> Iterator[Piece]:
    """Yield request, answer, what was found on it, and the accepted answer that it was revised into; or why there is
    none."""
    found = _find(row)
    if isinstance(found, LeftOut):
        yield found
        return
    prompt, critiques = found
    revised = [one for one in critiques if one.revision is not None and one.findings]
    for one in revised:
        faults = "Faults:\n" + "\n".join(one.findings) + f"\n\n{REVISION}"
        yield {"messages": [_ask(prompt, one.text, faults), assistant(one.revision or "")]}
    if not revised:
        yield LeftOut("not_revised")


def _find(row: ExportRow) -> tuple[str, tuple[CritiqueOf, ...]] | LeftOut:
    answer = find_answer(row)
    if isinstance(answer, LeftOut):
        return answer
    return spell_request(row), row.critiques if isinstance(row, ScoredRow) else ()


def _ask(prompt: str, answer: str, task: str) -> dict[str, str]:
    return {"role": "user", "content": f"Request:\n{prompt}\n\nAnswer:\n{answer}\n\n{task}"}


FORMATS = (
    Format("critique-sft", "messages: an answer, and what a critic found on it (SFT)", critique, scored=True),
    Format(
        "revision-sft", "messages: an answer with its faults, and its revision (SFT)", revision, scored=True
    ),
)
