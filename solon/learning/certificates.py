"""One look at random decisions: how sure the panel, or each tier of a cascade, must be to be accepted.

Every decision certifies. The score of an item comes from a fit that its fold had no part in (`consensus.crossfit`), on
a scale that all fits share: the place of its confidence among those of the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from solon.consensus.panel import Vote, judge_item
from solon.consensus.tiers import tier_reached, up_to
from solon.consensus.traits import UNKNOWN, Traits
from solon.graphs.routing import bears_out
from solon.learning.strata import certify_strata
from solon.store.database.ids import keyed_hash

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import RoutingConfig
    from solon.consensus.ballots import Floats
    from solon.consensus.cascade import Tier
    from solon.consensus.certify import Certificate
    from solon.consensus.model import ConsensusModel
    from solon.consensus.panel import Consensus
    from solon.learning.sample import Sample
    from solon.questions import Question

POOL = 2000
"""Items of the pool at most: a place is known to half a thousandth, and each is judged by six fits."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of an item when it is judged again.

    Attributes:
        item_id: the item.
        votes: of the panel.
        against: what critics hold against each outcome.
        traits: what else is known of it.
        pilot: every tier was asked.
    """

    item_id: str
    votes: Sequence[Vote]
    against: Mapping[str, float]
    traits: Traits = UNKNOWN
    pilot: bool = False


@dataclass(frozen=True, slots=True)
class Crossfit:
    """A version with the fits that left out a fold each.

    Attributes:
        model: fitted on all decisions; the one that is put in force.
        folds: by fold, fitted on the decisions of the others.
        key: of the store; draws the folds.
    """

    model: ConsensusModel
    folds: tuple[ConsensusModel, ...]
    key: str

    @classmethod
    def of(
        cls, model: ConsensusModel, key: str, refit: Callable[[Callable[[str], bool]], ConsensusModel] | None
    ) -> Crossfit:
        """The fits of a version.

        Args:
            refit: the version's fit on the decisions whose group is kept; None where nothing is to be certified.
        """
        from solon.consensus.crossfit import FOLDS

        if refit is None:
            return cls(model, (), key)
        folds = (refit(lambda group, fold=fold: fold_of(key, group) != fold) for fold in range(FOLDS))  # type: ignore[misc]
        return cls(model, tuple(folds), key)


def fold_of(key: str, group: str) -> int:
    """The fold that decisions on a seed's group are in, which the key of the store draws."""
    from solon.consensus.crossfit import FOLDS

    return int(keyed_hash(key, "fold", group)[:8], 16) % FOLDS


def certify_sample(
    fits: Crossfit,
    config: Config,
    sample: Sample,
    pool: Sequence[Judged],
    question: Question,
    presumed: str | None = None,
) -> dict[str, Any]:
    """What one look at the sample shows, as plain values.

    Of a cascade `tiers` holds a certificate for each tier, which share `delta`; `threshold` is then the cut
    of the last tier that may accept at all, and the counts are of all tiers together. `strata` holds what is shown of
    each stratum, see `certify_strata`.

    Args:
        pool: items of the run, among which places are taken; the sample joins them.
        presumed: the outcome that the making of the candidates speaks for, None for none: the panel alone accepts no
            other.
    """
    whole = replace(sample, decisions=sample.every)
    looking = _Looking(fits, config.tiers, whole, _with_sample(whole, pool), question, presumed)
    scored = [looking.tier(tier) for tier in range(max(config.tiers) + 1)]
    if len(scored) == 1:
        return _certify_panel(looking, sample, config.routing, *scored[0])
    return _certify_tiers(looking, sample, config.routing, scored)


def _certify_panel(
    looking: _Looking, sample: Sample, routing: RoutingConfig, own: Tier, confidences: Floats
) -> dict[str, Any]:
    """What the look shows of a panel without tiers, and of each stratum, where there are any."""
    import numpy as np

    from solon.consensus.certify import certify_weighted

    alpha, delta, n = routing.alpha, sample.look.delta, len(sample.decisions)
    inclusion = np.array([d.inclusion or 1.0 for d in sample.decisions])
    ours = np.arange(len(own.score)) < n
    promised = ours if own.promised is None else ours & own.promised
    certificate = certify_weighted(
        own.score[promised],
        own.agreed[promised],
        inclusion[promised[:n]],
        alpha=alpha,
        delta=delta,
        cuts=own.cuts,
    )
    shown = {
        **_at_confidence(certificate, confidences),
        "tested": int(promised.sum()),
        "agreed_in_all": float(own.agreed[promised].sum()),
        "together": 0 if own.cuts is None else int((own.score[promised] >= own.cuts.max()).sum()),
        "sample": n,
        "relied_on": [looking.relied_on(own, certificate.threshold, ours)],
    }
    if not routing.strata:
        return shown
    every = looking.sample.decisions
    strata = certify_strata(own, every, sample.strata, certificate, alpha=alpha, delta=delta)
    return {
        **shown,
        "strata": [
            {
                **_at_confidence(found, confidences),
                "name": stratum.name,
                "items": stratum.items,
                "relied_on": looking.relied_on(own, found.threshold, inside),
            }
            for stratum, found, inside in strata
        ],
        "unpromised": dict(sample.unpromised),
    }


def _certify_tiers(
    looking: _Looking, sample: Sample, routing: RoutingConfig, scored: Sequence[tuple[Tier, Floats]]
) -> dict[str, Any]:
    """What the look shows of the tiers of a cascade, each with the confidences of the version in the pool."""
    import numpy as np

    from solon.consensus.cascade import certify_cascade, run_cascade

    tiers = [tier for tier, _ in scored]
    inclusion = np.array([d.inclusion or 1.0 for d in sample.decisions])
    certificates = certify_cascade(tiers, alpha=routing.alpha, delta=sample.look.delta, inclusion=inclusion)
    accepted = run_cascade(tiers, [each.threshold for each in certificates]).accepted_by
    found = [
        _at_confidence(certificate, confidences)
        for certificate, (_, confidences) in zip(certificates, scored, strict=True)
    ]
    relied_on = [
        looking.relied_on(tier, each.threshold, accepted == place)
        for place, (tier, each) in enumerate(zip(tiers, certificates, strict=True))
    ]
    return {
        **_together(found),
        "sample": len(sample.decisions),
        "coverage": float((accepted >= 0).mean()),
        "relied_on": relied_on,
    }


def _with_sample(sample: Sample, pool: Sequence[Judged]) -> list[Judged]:
    """The pool with the sample, as many as are judged again at most: those of the smallest ids, which are hashes."""
    evidence = sample.evidence
    own = {
        d.item_id: Judged(
            d.item_id,
            evidence.votes[d.item_id],
            evidence.against[d.item_id],
            evidence.traits.get(d.item_id, UNKNOWN),
            pilot=True,
        )
        for d in sample.decisions
    }
    others = sorted((one for one in pool if one.item_id not in own), key=lambda one: one.item_id)
    return [*own.values(), *others[: max(0, POOL - len(own))]]


@dataclass(frozen=True, slots=True)
class _Looking:
    """A look at a sample; attributes as the arguments of `certify_sample`."""

    fits: Crossfit
    seats: Sequence[int]
    sample: Sample
    pool: Sequence[Judged]
    question: Question
    presumed: str | None

    def tier(self, tier: int) -> tuple[Tier, Floats]:
        """Score and agreement of one tier on every item of the sample, and the confidences of the version in the pool.

        The promise is about records. A single answer that the panel would reject becomes none, nor does a pair in which
        it finds other than was presumed: panel and experts who agree on such say nothing of what is accepted.
        """
        import numpy as np

        from solon.consensus.cascade import Tier
        from solon.consensus.crossfit import cuts_in, place_in

        decisions = self.sample.decisions
        n = len(decisions)
        score, agreed, promised = np.full(n, np.nan), np.zeros(n), np.ones(n, dtype=np.bool_)
        pools = [self._confidences(model, tier) for model in self.fits.folds]
        for place, decided in enumerate(decisions):
            if tier_reached(self.sample.evidence.votes[decided.item_id], self.seats) < tier:
                continue
            fold = fold_of(self.fits.key, decided.group)
            consensus = self._judge(self.fits.folds[fold], self.pool[place], tier)
            luck = int(keyed_hash(self.fits.key, "luck", decided.item_id)[:8], 16) / 0xFFFFFFFF
            sure, drawn = np.array([consensus.confidence]), np.array([luck])
            score[place] = place_in(pools[fold], sure, drawn)[0]
            agreed[place] = float(consensus.best == self.sample.outcomes[decided.decision_id])
            promised[place] = self._promises(consensus)
        confidences = self._confidences(self.fits.model, tier)
        return Tier(f"tier {tier}", score, agreed, promised=promised, cuts=cuts_in(confidences)), confidences

    def _confidences(self, model: ConsensusModel, tier: int) -> Floats:
        """Of items of the pool that would become records; of a later tier of the pilot alone, where all were asked."""
        import numpy as np

        asked = [
            one
            for one in self.pool
            if tier_reached(one.votes, self.seats) >= tier and (one.pilot or not tier)
        ]
        found = [self._judge(model, one, tier) for one in asked]
        return np.array([consensus.confidence for consensus in found if self._promises(consensus)])

    def _judge(self, model: ConsensusModel, one: Judged, tier: int) -> Consensus:
        votes = up_to(one.votes, tier, self.seats)
        return judge_item(model.at(tier), votes, against=one.against, traits=one.traits)

    def _promises(self, consensus: Consensus) -> bool:
        return self.question.gives_record(consensus.best) and bears_out(consensus, self.presumed)

    def relied_on(self, tier: Tier, cut: float | None, accepted: Any) -> list[str]:
        """The decisions that a certificate counts as agreement."""
        if cut is None or tier.promised is None:
            return []
        counted = (tier.score >= cut) & tier.promised & accepted & (tier.agreed > 0)
        return [d.decision_id for d, one in zip(self.sample.decisions, counted, strict=True) if one]


def _at_confidence(certificate: Certificate, confidences: Floats) -> dict[str, Any]:
    """A certificate with its place as the confidence of the version in force."""
    from solon.consensus.crossfit import threshold_at

    place = certificate.threshold
    threshold = None if place is None else threshold_at(confidences, place)
    return {**replace(certificate, threshold=threshold).to_json(), "place": place}


def _together(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    granted = [each for each in found if each["threshold"] is not None]
    reasons = "; ".join(f"tier {tier}: {each['why']}" for tier, each in enumerate(found))
    last = granted[-1] if granted else found[-1]
    return {
        **last,
        "n": sum(each["n"] for each in granted),
        "agreed": sum(each["agreed"] for each in granted),
        "bound": min((each["bound"] for each in granted), default=0.0),
        "tests": sum(each["tests"] for each in found),
        "why": reasons,
        "tiers": list(found),
    }


def cuts_of(certificate: Mapping[str, Any]) -> tuple[float | None, ...]:
    """The confidence from which each tier accepts under a certificate just made; None where it accepts
    nothing."""
    tiers = certificate.get("tiers")
    return tuple(tier["threshold"] for tier in tiers) if tiers else (certificate["threshold"],)
