"""Curves of a report: confidence against agreement, risk against coverage, agreement by consensus version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.calibrate import measure_aurc, measure_auroc, measure_brier, measure_ece, risk_coverage
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import judge_item
from solon.eval.result import Figure, calibration_interval, rate
from solon.eval.suites.agreement import AUDIT_RULE, DRAWN_RULES
from solon.store.records import counts, evaluation
from solon.store.runs import certificates

if TYPE_CHECKING:
    from solon.eval.replay.opinions import Opinion
    from solon.store.database.engine import Connection
    from solon.store.runs.run_row import RunRow

BINS = 8
POINTS = 60


class Step(BaseModel):
    """One point of a curve.

    Attributes:
        x: the mean confidence that was told, or the number of decisions that were learned from.
        agreement: with the experts, as it was found there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: float
    agreement: Figure


class Curves(BaseModel):
    """How well the panel's confidence fits its agreement with experts, and how that grew with what it
    learned.

    The answers are blind ones to reviews that were drawn at random among all items; where there are only
    audits, to these. Reviews that were routed to people are left out, because they are harder than the rest.

    Attributes:
        n: answers that the curves rest on.
        of: what they were drawn among, `all items` or `accepted records`.
        calibration: mean confidence of a bin against the agreement in it.
        risk_coverage: (share accepted, share wrong among them), the most confident first.
        ece: expected calibration error; None without answers.
        ece_interval: its 95% bootstrap interval; None without answers.
        brier: mean squared error of the confidences; None without answers.
        brier_interval: its 95% bootstrap interval; None without answers.
        auroc: chance that an answer on which both agree has the higher confidence than one on which they do
            not; None where it is not defined.
        aurc: area under the risk-coverage curve; None without answers.
        learning: decisions that fitted a consensus version, against its agreement on held-out decisions, the
            same for all versions; the first is the prior.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int
    of: str
    calibration: tuple[Step, ...]
    risk_coverage: tuple[tuple[float, float], ...]
    ece: float | None
    ece_interval: tuple[float, float] | None
    brier: float | None
    brier_interval: tuple[float, float] | None
    auroc: float | None
    aurc: float | None
    learning: tuple[Step, ...]


def measure_curves(
    connection: Connection, key: str, runs: Sequence[RunRow], opinions: Sequence[Opinion]
) -> Curves:
    """Return the curves of these runs.

    The learning curve is that of the newest run for which anything was learned.
    """
    whole = [o for o in opinions if o.answer.rule in DRAWN_RULES]
    drawn = whole or [o for o in opinions if o.answer.rule == AUDIT_RULE]
    score = np.array([o.consensus.confidence for o in drawn])
    right = np.array([float(o.agrees) for o in drawn])
    coverage, risk = risk_coverage(score, right)
    kept = (
        np.unique(np.linspace(0, len(risk) - 1, POINTS).astype(int)) if len(risk) else np.array([], dtype=int)
    )
    return Curves(
        n=len(drawn),
        of="all items" if whole or not drawn else "accepted records",
        calibration=_calibration(score, right) if drawn else (),
        risk_coverage=tuple((float(coverage[i]), float(risk[i])) for i in kept),
        ece=measure_ece(score, right) if drawn else None,
        ece_interval=calibration_interval(measure_ece, score, right) if drawn else None,
        brier=measure_brier(score, right) if drawn else None,
        brier_interval=calibration_interval(measure_brier, score, right) if drawn else None,
        auroc=measure_auroc(score, right) if drawn else None,
        aurc=measure_aurc(score, right) if drawn else None,
        learning=_learning(connection, key, runs, drawn),
    )


def _calibration(score: np.ndarray, right: np.ndarray) -> tuple[Step, ...]:
    edges = np.unique(np.quantile(score, np.linspace(0.0, 1.0, min(BINS, max(1, len(score) // 5)) + 1)))
    place = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, max(len(edges) - 2, 0))
    steps = []
    for b in np.unique(place):
        part = place == b
        steps.append(
            Step(x=float(score[part].mean()), agreement=rate(float(right[part].sum()), int(part.sum())))
        )
    return tuple(steps)


def _learning(
    connection: Connection, key: str, runs: Sequence[RunRow], drawn: Sequence[Opinion]
) -> tuple[Step, ...]:
    """Of one scope, recipe and panel: versions say nothing of what another panel judged."""
    learned = {run.scope: evaluation.consensus_versions(connection, run.scope) for run in runs}
    scope = next((run.scope for run in reversed(runs) if learned[run.scope]), None)
    if scope is None:
        return ()
    unseen = counts.held_out(connection, key, [run.id for run in runs if run.scope == scope])
    test = [o for o in drawn if o.answer.id in unseen and o.answer.kind == "interrupt"]
    if not test:
        return ()
    models = []
    for version in learned[scope]:
        payload = certificates.consensus_payload(connection, version.id)
        models.append((version.decisions, ConsensusModel.from_json(payload)))
    steps = []
    for fitted, model in [(0, ConsensusModel.prior(outcomes=models[0][1].outcomes)), *models]:
        best_of = [
            judge_item(model.speaking_of(o.answer.question.outcomes), o.votes, traits=o.traits).best
            for o in test
        ]
        hits = sum(best == o.answer.outcome for best, o in zip(best_of, test, strict=True))
        steps.append(Step(x=float(fitted), agreement=rate(hits, len(test))))
    return tuple(steps)
