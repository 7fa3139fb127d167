"""The payload of one consensus version: judge weights, calibration and threshold. Imports no numpy, no I/O.

A model is immutable and travels as JSON. Its parameters are the weights of a conditional logit over
outcomes (McFadden 1974): every independent voter adds its weight times the share of its verdicts that
went to an outcome, so that orders, seats and samples of one voter never count more than once.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from solon.errors import ConfigError

FORMAT = 2
"""Of a model with confusions, silences or maps of scores; one without is written in format 1, as it always was."""
OTHERS = ""
"""Stands for voters of whom nothing is known."""
Table = tuple[tuple[float, ...], ...]
PRIOR_ACCURACY = 0.7
"""What is believed of a judge that nobody has checked: right on seven of ten items."""
PRIOR_CORRELATION = 0.3
"""Correlation of the errors of unchecked judges; unanimous unchecked judges never become certain."""


def sigmoid(x: float) -> float:
    """Return the logistic function of ``x``, without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def logit(p: float) -> float:
    """Return the log odds of ``p``, clipped to [1e-6, 1 - 1e-6]."""
    p = min(max(p, 1e-6), 1.0 - 1e-6)
    return math.log(p / (1.0 - p))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map from the posterior of the best outcome and the item's signals to P(an expert agrees).

    ``confidence = step(sigmoid(intercept + slope * logit(top) + sum(signals[name] * value)))``, where
    ``step`` interpolates linearly between ``knots`` and ``values``.

    Attributes:
        kind: ``none`` (the posterior as it is), ``platt``, ``isotonic`` or ``venn-abers``.
        intercept: added to the log odds.
        slope: by which the log odds of the posterior are multiplied.
        signals: weight per name of a signal.
        knots: where ``step`` is known, in rising order; empty: the identity.
        values: what ``step`` is at each knot.
        n: decisions that it was fitted on.
    """

    kind: str = "none"
    intercept: float = 0.0
    slope: float = 1.0
    signals: Mapping[str, float] = field(default_factory=dict)
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    n: int = 0

    def apply(self, top: float, signals: Mapping[str, float]) -> float:
        """Return the probability in [0, 1] that an expert agrees with the best outcome.

        Args:
            top: posterior probability of the best outcome.
            signals: values of the item's signals; one that is missing counts as 0.
        """
        if self.kind == "none":
            return top
        z = self.intercept + self.slope * logit(top)
        for name, weight in self.signals.items():
            z += weight * signals.get(name, 0.0)
        p = sigmoid(z)
        knots = self.knots
        if not knots:
            return p
        if p <= knots[0]:
            return self.values[0]
        if p >= knots[-1]:
            return self.values[-1]
        i = bisect_right(knots, p)
        x0, x1, y0, y1 = knots[i - 1], knots[i], self.values[i - 1], self.values[i]
        return y0 + (y1 - y0) * (p - x0) / (x1 - x0)

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as plain values, for ``from_json``."""
        return {
            "kind": self.kind,
            "intercept": self.intercept,
            "slope": self.slope,
            "signals": dict(self.signals),
            "knots": list(self.knots),
            "values": list(self.values),
            "n": self.n,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """Return the calibration that ``to_json`` made the values of."""
        return cls(
            kind=str(data["kind"]),
            intercept=float(data["intercept"]),
            slope=float(data["slope"]),
            signals={str(k): float(v) for k, v in data["signals"].items()},
            knots=tuple(float(x) for x in data["knots"]),
            values=tuple(float(x) for x in data["values"]),
            n=int(data["n"]),
        )


@dataclass(frozen=True, slots=True)
class ConsensusModel:
    """Everything that turns the verdicts of an item into a posterior; one immutable consensus version.

    Attributes:
        kind: ``prior`` before anything was learned, ``unlabelled`` where only agreement was, else
            ``supervised``.
        outcomes: the closed set that a panel chooses from.
        weights: log-odds weight per independent voter; voters that are not in it get ``default_weight``,
            damped.
        channels: deviation from that weight per ``judge|seat|order``.
        position: log-odds per voter by which it leans to the answer shown first.
        base: log prior per outcome; empty for pairs.
        default_weight: log-odds weight of a voter of whom nothing is known.
        correlation: of the errors of such voters; it damps ``default_weight`` by the number of voters
            present.
        calibration: from the posterior to the probability that an expert agrees.
        threshold: confidence from which items are accepted; None where no certificate gave one.
        certificate: id of the certificate that gave the threshold; None where there is none.
        reviewers: reliability (probability of being right) per reviewer, see the module ``reviewers``.
        n_decisions: decisions that the model was learned from.
        notes: further figures of the fit, such as the share of each estimator.
        seats: of a cascade, the tier of every place of the panel; empty where there is no cascade.
        tiers: of a cascade, the model for each tier but the last; this model itself speaks for the last.
        refused: voters whose votes count for nothing, see ``consensus.admission``.
        classifier: plain values of the classifier that votes with this version, see ``consensus.classifier``; None
            where none was trained.
        segment: field of the seed that tells segments apart; empty where nothing does.
        segments: segment -> what it adds to the weight of each voter, see ``consensus.terms``.
        texts: feature of texts, see ``consensus.traits`` -> what a unit adds to the log odds of the first outcome.
        confusions: per voter, what its share of each outcome (rows) adds to the log-odds of each outcome; voters that
            are not in it add what stands under ``OTHERS``, and nothing where that is missing.
        silences: voter -> what its silence adds to the log-odds of outcomes, see ``consensus.silence``.
        rubric: weight by criterion in a judge's mean score.
        ratings: per voter, pairs of a mean score and what it adds to the log-odds of the first outcome, straight
            between them and flat outside; ``OTHERS`` as in ``confusions``.
        criteria: what a point over the mean of a judge's scores adds, by criterion.
    """

    kind: str = "prior"
    outcomes: tuple[str, ...] = ("A", "B")
    weights: Mapping[str, float] = field(default_factory=dict)
    channels: Mapping[str, float] = field(default_factory=dict)
    position: Mapping[str, float] = field(default_factory=dict)
    base: Mapping[str, float] = field(default_factory=dict)
    default_weight: float = math.log(PRIOR_ACCURACY / (1.0 - PRIOR_ACCURACY))
    correlation: float = PRIOR_CORRELATION
    calibration: Calibration = Calibration()
    threshold: float | None = None
    certificate: str | None = None
    reviewers: Mapping[str, float] = field(default_factory=dict)
    n_decisions: int = 0
    notes: Mapping[str, float] = field(default_factory=dict)
    seats: tuple[int, ...] = ()
    tiers: tuple[ConsensusModel, ...] = ()
    refused: tuple[str, ...] = ()
    classifier: Mapping[str, Any] | None = None
    segment: str = ""
    segments: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    confusions: Mapping[str, Table] = field(default_factory=dict)
    silences: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rubric: Mapping[str, float] = field(default_factory=dict)
    ratings: Mapping[str, Table] = field(default_factory=dict)
    criteria: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, float] = field(default_factory=dict)

    def at(self, tier: int) -> ConsensusModel:
        """Return the model that says what is believed where the cascade went up to ``tier``."""
        return self.tiers[tier] if tier < len(self.tiers) else self

    def __post_init__(self) -> None:
        if len(self.outcomes) < 2 or len(set(self.outcomes)) != len(self.outcomes):
            raise ConfigError(
                f"a consensus needs at least two different outcomes, got {list(self.outcomes)!r}",
                next_step="name the closed set of outcomes of the recipe, for instance ('A', 'B')",
            )
        if {"tie", "abstain"} & set(self.outcomes):
            raise ConfigError(
                f"'tie' and 'abstain' are ways not to choose, not outcomes: {list(self.outcomes)!r}",
                next_step="leave them out of the outcomes; verdicts may still carry them",
            )

    @classmethod
    def prior(cls, outcomes: Sequence[str] = ("A", "B")) -> ConsensusModel:
        """Return the model that holds before any decision: all voters equally good, and correlated."""
        k = len(outcomes)
        weight = math.log(PRIOR_ACCURACY * (k - 1) / (1.0 - PRIOR_ACCURACY)) if k > 1 else 0.0
        return cls(outcomes=tuple(outcomes), default_weight=weight)

    def speaking_of(self, outcomes: Sequence[str]) -> ConsensusModel:
        """Return this model where it chooses from these outcomes, else their prior: what was learned of others says
        nothing of them."""
        return self if set(self.outcomes) == set(outcomes) or len(outcomes) < 2 else self.prior(outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return the model as plain values, for ``from_json`` and as the payload of a consensus version."""
        directed = {
            "confusions": {name: [list(row) for row in table] for name, table in self.confusions.items()},
            "rubric": dict(self.rubric),
            "ratings": {name: [list(row) for row in table] for name, table in self.ratings.items()},
            "criteria": dict(self.criteria),
        }
        known = bool(self.confusions or self.ratings or self.silences)
        silences = {name: dict(added) for name, added in self.silences.items()}
        cascade = {"seats": list(self.seats), "tiers": [tier.to_json() for tier in self.tiers]}
        trained = {"classifier": dict(self.classifier)} if self.classifier is not None else {}
        by_segment = {name: dict(added) for name, added in self.segments.items()}
        parted = {"segment": self.segment, "segments": by_segment} if self.segment or self.segments else {}
        return {
            "format": FORMAT if known else 1,
            "kind": self.kind,
            "outcomes": list(self.outcomes),
            "weights": dict(self.weights),
            "channels": dict(self.channels),
            "position": dict(self.position),
            "base": dict(self.base),
            "default_weight": self.default_weight,
            "correlation": self.correlation,
            "calibration": self.calibration.to_json(),
            "threshold": self.threshold,
            "certificate": self.certificate,
            "reviewers": dict(self.reviewers),
            "n_decisions": self.n_decisions,
            "notes": dict(self.notes),
            **(directed if known else {}),
            **(cascade if self.tiers else {}),
            **({"refused": list(self.refused)} if self.refused else {}),
            **trained,
            **parted,
            **({"texts": dict(self.texts)} if self.texts else {}),
            **({"silences": silences} if silences else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ConsensusModel:
        """Return the model that ``to_json`` made the values of.

        Raises:
            ConfigError: the payload has another format.
        """
        if data.get("format") not in (1, FORMAT):
            raise ConfigError(
                f"this consensus version has format {data.get('format')!r}, this Solon reads up to {FORMAT}",
                next_step="upgrade Solon, or fit the consensus again from the stored decisions",
            )
        return cls(
            kind=str(data["kind"]),
            outcomes=tuple(str(x) for x in data["outcomes"]),
            weights={str(k): float(v) for k, v in data["weights"].items()},
            channels={str(k): float(v) for k, v in data["channels"].items()},
            position={str(k): float(v) for k, v in data["position"].items()},
            base={str(k): float(v) for k, v in data["base"].items()},
            default_weight=float(data["default_weight"]),
            correlation=float(data["correlation"]),
            calibration=Calibration.from_json(data["calibration"]),
            threshold=None if data["threshold"] is None else float(data["threshold"]),
            certificate=None if data["certificate"] is None else str(data["certificate"]),
            reviewers={str(k): float(v) for k, v in data["reviewers"].items()},
            n_decisions=int(data["n_decisions"]),
            notes={str(k): float(v) for k, v in data["notes"].items()},
            seats=tuple(int(tier) for tier in data.get("seats", ())),
            tiers=tuple(cls.from_json(tier) for tier in data.get("tiers", ())),
            refused=tuple(str(name) for name in data.get("refused", ())),
            classifier=data.get("classifier"),
            segment=str(data.get("segment", "")),
            segments={
                str(name): {str(voter): float(w) for voter, w in added.items()}
                for name, added in data.get("segments", {}).items()
            },
            confusions=_tables(data.get("confusions", {})),
            silences={
                str(name): {str(outcome): float(part) for outcome, part in added.items()}
                for name, added in data.get("silences", {}).items()
            },
            rubric={str(k): float(v) for k, v in data.get("rubric", {}).items()},
            ratings=_tables(data.get("ratings", {})),
            criteria={str(k): float(v) for k, v in data.get("criteria", {}).items()},
            texts={str(name): float(w) for name, w in data.get("texts", {}).items()},
        )


def _tables(data: Mapping[str, Any]) -> dict[str, Table]:
    return {str(name): tuple(tuple(float(x) for x in row) for row in table) for name, table in data.items()}
