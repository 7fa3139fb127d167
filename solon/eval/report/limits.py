"""What a reader of a report might believe and should not, in plain words, from the report's own figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from solon.eval.result import LEAST

if TYPE_CHECKING:
    from solon.eval.suites.agreement import Agreement
    from solon.eval.suites.audit import Audit
    from solon.eval.suites.judges import Judges
    from solon.store.learning.adoption import TakenOut

FEW = 30


def find_limits(
    audited: Audit,
    agreed: Agreement,
    judged: Judges,
    counted: int,
    provisional: Mapping[str, int],
    money: float | None,
    with_texts: bool,
    *,
    collapsing: Sequence[str] = (),
    drifting: Sequence[str] = (),
    stale: int = 0,
    standing_back: int = 0,
    taken_out: Mapping[str, TakenOut | None] | None = None,
) -> tuple[str, ...]:
    """Return one sentence for each thing that a reader might believe and should not.

    Args:
        counted: answers of experts that count.
        provisional: run -> records that were accepted while no certificate was in force.
        money: what the runs cost; None where a price is not known.
        with_texts: whether the report holds texts.
        collapsing: what speaks for model collapse.
        drifting: where agreement fell over the weeks, and why that is said.
        stale: records whose law was amended since, and that were not judged again.
        standing_back: records of other runs over the same rows.
        taken_out: run -> records that learning took out of the set.
    """
    sentences = [
        *_of_audits(audited, counted, provisional),
        *(f"Agreement fell {where}." for where in drifting),
        *(f"Model collapse: {why}." for why in collapsing),
    ]
    if stale:
        sentences.append(
            f"{stale} records are stale: their law was amended since, and they were not judged again. They are counted "
            "here, and no training format takes them."
        )
    sentences += _of_sets(standing_back, taken_out or {})
    sentences += _of_experts(agreed, counted)
    if len({judge.model for judge in judged.judges}) == 1:
        sentences.append("All judges are one model. Where it is wrong, they are wrong together.")
    if any(judge.own_family for judge in judged.judges):
        sentences.append("Some judges judged answers of their own model family.")
    if money is None:
        sentences.append("The cost is not known, because some model has no price in the configuration.")
    sentences.append(
        "Agreement with experts is not truth: where the experts err, so does what was measured against them."
    )
    sentences.append(
        "A promise holds for the panel, law, prompts and kind of seeds that it was made with, and for nothing else."
    )
    if not with_texts:
        sentences.append(
            "This report holds no texts. What the records say was not shown to whoever reads only this."
        )
    return tuple(sentences)


def _of_sets(standing_back: int, taken_out: Mapping[str, TakenOut | None]) -> Iterator[str]:
    """What is not among the records, although it was once accepted."""
    if standing_back:
        yield (
            f"{standing_back} records of other runs over the same rows are not counted: each item counts once, as a "
            "person decided it, otherwise as of the newest run."
        )
    for run_id, out in taken_out.items():
        if out:
            yield (
                f"In run {run_id}, learning took out of the set {out}; {out.without_record} of these items have no "
                "record now."
            )


def _of_audits(audited: Audit, counted: int, provisional: Mapping[str, int]) -> Iterator[str]:
    """What answers and audits leave open of the accepted records, and of each run's promise."""
    if not counted:
        yield "No expert has answered anything that counts. Nothing here says how good the records are."
    elif not audited.n:
        yield "No accepted record was checked by a blind audit. The agreement among them is not known."
    elif audited.n < FEW:
        yield f"Only {audited.n} accepted records were audited. A quality well below the promise could go unseen."
    for run in audited.runs:
        if not run.promised:
            waiting = provisional.get(run.name, 0)
            also = f"{waiting} of its records are provisional, and " if waiting else ""
            yield f"Run {run.name} has no certificate in force: {also}{run.promise:.0%} is an aim, not a promise."
        if run.state == "alarm":
            yield f"Audits of run {run.name} raised an alarm: {run.why}."


def _of_experts(agreed: Agreement, counted: int) -> Iterator[str]:
    ceiling = agreed.ceiling.best_panel
    if counted and ceiling.value is None:
        yield (
            "No item was answered by two experts. How far experts agree with each other, and so how good any panel "
            "could be, is not known."
        )
    elif counted and not ceiling.known:
        yield (
            f"Too few items were answered by two experts (n = {ceiling.n}, {LEAST} are the least). How far experts "
            "agree with each other is not known."
        )
    elif ceiling.known:
        yield (
            f"Experts agree with each other {agreed.ceiling.experts_agree.value:.0%} of the time; no panel can be "
            f"expected to agree with one of them more than {ceiling.value:.0%} "
            f"({ceiling.low:.0%} to {ceiling.high:.0%})."
        )
