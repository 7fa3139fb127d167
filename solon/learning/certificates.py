"""One look at the held-out random decisions: how sure the panel, or each tier of a cascade, must be to be accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from solon.consensus.panel import judge_item
from solon.consensus.tiers import tier_reached, up_to
from solon.consensus.traits import UNKNOWN
from solon.graphs.routing import bears_out
from solon.learning.evidence import Evidence

if TYPE_CHECKING:
    from solon.config import Config
    from solon.consensus.cascade import Tier
    from solon.consensus.certify import Certificate
    from solon.consensus.model import ConsensusModel
    from solon.store.learning.evidence import DecidedItem


def certify_sample(
    model: ConsensusModel,
    config: Config,
    sample: Sequence[DecidedItem],
    outcomes: Mapping[str, str],
    evidence: Evidence,
    delta: float,
    presumed: str | None = None,
) -> dict[str, Any]:
    """What one look at the sample shows, as plain values.

    Of a cascade `tiers` holds a certificate for each tier, which share `delta`; `threshold` is then the cut
    of the last tier that may accept at all, and the counts are of all tiers together.

    Args:
        sample: the held-out decisions that were drawn at random.
        outcomes: decision -> what the promise's target says of its question.
        evidence: the verdicts on them.
        delta: probability of error that this look may spend.
        presumed: the outcome that the making of the candidates speaks for, None for none: the panel alone accepts no
            other.
    """
    import numpy as np

    from solon.consensus.cascade import certify_cascade, run_cascade
    from solon.consensus.certify import certify_weighted

    alpha = config.routing.alpha
    inclusion = np.array([d.inclusion or 1.0 for d in sample])
    tiers = [
        _tier(model, config.tiers, tier, sample, outcomes, evidence, presumed)
        for tier in range(max(config.tiers) + 1)
    ]
    if len(tiers) == 1:
        promised = tiers[0].promised
        one = certify_weighted(
            tiers[0].score[promised], tiers[0].agreed[promised], inclusion[promised], alpha=alpha, delta=delta
        ).to_json()
        return {**one, "sample": len(sample)}
    certificates = certify_cascade(tiers, alpha=alpha, delta=delta, inclusion=inclusion)
    accepted = run_cascade(tiers, [each.threshold for each in certificates]).accepted_by >= 0
    return {**_together(certificates), "sample": len(sample), "coverage": float(accepted.mean())}


def _tier(
    model: ConsensusModel,
    seats: Sequence[int],
    tier: int,
    sample: Sequence[DecidedItem],
    outcomes: Mapping[str, str],
    evidence: Evidence,
    presumed: str | None,
) -> Tier:
    """Score and agreement of one tier on every item of the sample; no number where it was not asked.

    The promise is about records. A single answer that the panel would reject becomes none, nor does a pair in which it
    finds other than was presumed: panel and experts who agree on such say nothing of what is accepted.
    """
    import numpy as np

    from solon.consensus.cascade import Tier

    score, agreed = np.full(len(sample), np.nan), np.zeros(len(sample))
    promised = np.ones(len(sample), dtype=np.bool_)
    for place, decided in enumerate(sample):
        votes = evidence.votes[decided.item_id]
        if tier_reached(votes, seats) < tier:
            continue
        against = evidence.against[decided.item_id]
        traits = evidence.traits.get(decided.item_id, UNKNOWN)
        consensus = judge_item(model.at(tier), up_to(votes, tier, seats), against=against, traits=traits)
        score[place] = consensus.confidence
        agreed[place] = float(consensus.best == outcomes[decided.decision_id])
        promised[place] = decided.question.gives_record(consensus.best) and bears_out(consensus, presumed)
    return Tier(f"tier {tier}", score, agreed, promised=promised)


def _together(found: Sequence[Certificate]) -> dict[str, Any]:
    granted = [each for each in found if each.threshold is not None]
    reasons = "; ".join(f"tier {tier}: {each.why}" for tier, each in enumerate(found))
    last = granted[-1] if granted else found[-1]
    return {
        **last.to_json(),
        "n": sum(each.n for each in granted),
        "agreed": sum(each.agreed for each in granted),
        "bound": min((each.bound for each in granted), default=0.0),
        "tests": sum(each.tests for each in found),
        "why": reasons,
        "tiers": [each.to_json() for each in found],
    }


def cuts_of(certificate: Mapping[str, Any]) -> tuple[float | None, ...]:
    """The confidence from which each tier accepts under a certificate just made; None where it accepts
    nothing."""
    tiers = certificate.get("tiers")
    return tuple(tier["threshold"] for tier in tiers) if tiers else (certificate["threshold"],)
