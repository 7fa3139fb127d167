"""Curves of a report: confidence against agreement, risk against coverage, agreement by consensus version."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.calibrate import measure_aurc, measure_auroc, measure_brier, measure_ece, risk_coverage
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import judge_item
from solon.eval.coefficients import order_of
from solon.eval.result import Figure, calibration_interval, rate
from solon.eval.suites.agreement import ALL, AUDIT_RULE, first_answers
from solon.store.records import counts, evaluation
from solon.store.runs import certificates
from solon.store.runs.pilot import drawn_for_strata

if TYPE_CHECKING:
    from solon.eval.replay.opinions import Opinion, Said
    from solon.store.database.engine import Connection
    from solon.store.runs.run_row import RunRow

RULES = (ALL, AUDIT_RULE)
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


class Found:
    """What was found of the answers read so far: confidences, whether the expert agreed, and when, 17 bytes
    each."""

    def __init__(self, connection: Connection, key: str, runs: Sequence[RunRow]) -> None:
        """`key`: of the store; draws the halves."""
        self._key, self._scope, self._versions = key, *_learned(connection, runs)
        self._beyond = drawn_for_strata(connection, [run.id for run in runs])
        self._score = {rule: array("d") for rule in RULES}
        self._right = {rule: array("b") for rule in RULES}
        self._at = {rule: array("d") for rule in RULES}
        self._hits, self._tests = [0] * len(self._versions), 0

    def add(self, connection: Connection, said: Said) -> None:
        """Read what people answered about some of the items."""
        unseen = counts.held_out(connection, self._key, self._scope, said.part) if self._versions else set()
        for what, opinion in first_answers(said.opinions, self._beyond):
            answer = opinion.answer
            if what in RULES:
                self._score[what].append(opinion.consensus.confidence)
                self._right[what].append(opinion.agrees)
                self._at[what].append(answer.at)
                if answer.id in unseen and answer.kind == "interrupt":
                    self._try(opinion)

    def _try(self, opinion: Opinion) -> None:
        """Judge a held-out item by each version."""
        self._tests += 1
        for place, (_, model) in enumerate(self._versions):
            speaking = model.speaking_of(opinion.answer.question.outcomes)
            best = judge_item(speaking, opinion.votes, traits=opinion.traits).best
            self._hits[place] += best == opinion.answer.outcome

    def tell(self) -> Curves:
        """Return the curves of what was read; the learning curve is that of the newest run for which anything was
        learned."""
        of = ALL if self._score[ALL] or not self._score[AUDIT_RULE] else AUDIT_RULE
        order = order_of(self._at[of])  # bootstraps draw by position
        score, right = np.array(self._score[of])[order], np.array(self._right[of], dtype=np.float64)[order]
        coverage, risk = risk_coverage(score, right)
        n = len(score)
        kept = np.unique(np.linspace(0, n - 1, POINTS).astype(int)) if n else np.array([], dtype=int)
        return Curves(
            n=n,
            of="all items" if of == ALL else "accepted records",
            calibration=_calibration(score, right) if n else (),
            risk_coverage=tuple((float(coverage[i]), float(risk[i])) for i in kept),
            ece=measure_ece(score, right) if n else None,
            ece_interval=calibration_interval(measure_ece, score, right) if n else None,
            brier=measure_brier(score, right) if n else None,
            brier_interval=calibration_interval(measure_brier, score, right) if n else None,
            auroc=measure_auroc(score, right) if n else None,
            aurc=measure_aurc(score, right) if n else None,
            learning=tuple(
                Step(x=float(fitted), agreement=rate(hits, self._tests))
                for (fitted, _), hits in zip(self._versions, self._hits, strict=True)
            )
            if self._tests
            else (),
        )


def _learned(
    connection: Connection, runs: Sequence[RunRow]
) -> tuple[list[str], list[tuple[int, ConsensusModel]]]:
    """Runs of one scope, recipe and panel, and its versions with the number of decisions that fitted each, the prior
    first; empty where nothing was learned. Versions say nothing of what another panel judged."""
    learned = {run.scope: evaluation.consensus_versions(connection, run.scope) for run in runs}
    scope = next((run.scope for run in reversed(runs) if learned[run.scope]), None)
    if scope is None:
        return [], []
    models = []
    for version in learned[scope]:
        payload = certificates.consensus_payload(connection, version.id)
        models.append((version.decisions, ConsensusModel.from_json(payload)))
    prior = ConsensusModel.prior(outcomes=models[0][1].outcomes)
    return [run.id for run in runs if run.scope == scope], [(0, prior), *models]


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
