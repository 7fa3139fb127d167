"""The beginning of a report: three figures, and what to do now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.eval.result import ASK_EXPERTS, Figure, nothing

if TYPE_CHECKING:
    from solon.eval.report.run_part import RunPart
    from solon.eval.suites.agreement import Agreement
    from solon.eval.suites.audit import Audit

OPEN = ("waiting", "opening", "held")
"""States of a review that nobody has answered."""


class Headline(BaseModel):
    """The three figures that a report begins with, and the next step.

    Attributes:
        records: accepted records in force, each item once.
        items: seeds that they come from, each once.
        agreement: the figure that says the most of the records, with its interval.
        agreement_of: what that figure is of, in words.
        agreement_gaps: how many questions stand behind it without an answer, and what it would be if all of those were
            disagreements; empty where none do.
        waiting: questions to people that nobody has answered yet.
        next_step: what to do now, in words with the command.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    records: int
    items: int
    agreement: Figure
    agreement_of: str
    agreement_gaps: str
    waiting: int
    next_step: str


def choose_agreement(audited: Audit, agreed: Agreement, *, labels: bool) -> tuple[str, Figure, str]:
    """Return the figure that says the most of the records, with what it is of and what its questions without an answer
    could hide: blind audits of the newest run that has
    any, else items drawn at random among all, else people among each other where no panel judged.

    Items that went to people because the panel was unsure do not speak for the rest.
    """
    for run in reversed(audited.runs):
        if run.agreement.n:
            return (
                f"accepted records that an expert agrees with, by blind audits of run {run.name[:10]}",
                run.agreement,
                str(run.asked),
            )
    if agreed.random.n:
        return "panel and expert agree, on items drawn at random among all", agreed.random, str(agreed.asked)
    if labels:
        return "two experts give the same label", agreed.ceiling.experts_agree, ""
    why = "no expert has answered a question that was drawn at random"
    if agreed.routed.n:
        why += f"; the {agreed.routed.n} answers to what the panel was unsure of do not speak for the rest"
    return "panel and expert agree", nothing(why), ""


def count_open(reviews: Mapping[str, int]) -> int:
    """Return how many questions nobody has answered, of the counts by kind and state."""
    return sum(n for name, n in reviews.items() if name.rsplit(" ", 1)[-1] in OPEN)


def find_next_step(
    runs: Sequence[RunPart], audited: Audit, *, waiting: int, counted: int, unapplied: int, learnable: bool
) -> str:
    """Return the first thing that a person should do now.

    Args:
        waiting: questions that nobody has answered.
        counted: answers of experts that count.
        unapplied: decisions that have not been brought to their items.
        learnable: whether there are decisions that nothing was learned from yet.
    """
    people_alone = all(run.people_alone for run in runs)
    alarmed = next((run.name for run in audited.runs if run.state == "alarm"), None)
    if alarmed:
        return f"an audit alarm: read why before anything is exported, `solon learn --status {alarmed}`"
    for run in reversed(runs):
        if left := _not_done(run.states):
            return f"{left} items of run {run.id} are not done yet: `solon resume {run.id}`"
    if unapplied:
        return f"{unapplied} decisions are not applied yet: `solon resume`"
    if waiting and (counted or people_alone):
        return f"{waiting} questions wait for people: `solon review serve`"
    if stale := sum(run.stale for run in runs):
        return f"{stale} records are in doubt since their law was amended: `solon rejudge`"
    if not counted:
        return f"nothing is known of how good the records are: {ASK_EXPERTS}"
    if people_alone:
        return "take the records out: `solon release create NAME`"
    return _after_answers(runs, learnable)


def _not_done(states: Mapping[str, int]) -> int:
    return sum(states.get(state, 0) for state in ("queued", "running"))


def _after_answers(runs: Iterable[RunPart], learnable: bool) -> str:
    if learnable:
        return "learn from the decisions and try for a certificate: `solon learn`"
    if any(run.standing.in_force for run in runs):
        return "take the records out: `solon release create NAME`"
    return "no certificate is in force, and there is nothing new to learn from: see `solon learn --status`"
