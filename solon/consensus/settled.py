"""Whether the votes of a panel that are still missing can change what it finds. Imports no numpy, no I/O.

The margin and the confidence of an item are bounded over everything that the missing votes may say: any outcome, any
shares of the outcomes, a tie or nothing at all. Where the bounds cannot be told, the votes are to be asked.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from solon.consensus.model import OTHERS, ConsensusModel
from solon.consensus.panel import (
    SIGNAL_BOUNDS,
    Consensus,
    Heard,
    HeardVoter,
    Vote,
    channel_of,
    critic_against,
    find_posterior,
    hear,
    judge_item,
)
from solon.consensus.tiers import tier_reached
from solon.consensus.traits import UNKNOWN, Traits

SURE = 1e-9
"""A gap of log odds, a margin or a confidence must be ahead by so much, since sums of floats depend on their order."""


def find_floor(
    model: ConsensusModel,
    votes: Sequence[Vote],
    missing: Sequence[Vote],
    *,
    against: Mapping[str, float] | None = None,
    traits: Traits = UNKNOWN,
) -> Consensus | None:
    """Return what the panel finds whatever the missing votes say: its margin and confidence are the least that they can
    leave, the rest is that of the votes that are there. None where the best outcome can change, or the bounds cannot be
    told.

    Args:
        model: of the tier that is being asked.
        votes: those that are there.
        missing: those that are not, by judge, seat, order and sample; what else they hold is not looked at.
        against, traits: as ``judge_item`` takes them.
    """
    if model.tiers:
        model = model.at(tier_reached([*votes, *missing], model.seats))
    found = judge_item(model, votes, against=against, traits=traits)
    missing = [vote for vote in missing if vote.judge not in model.refused]
    if not missing:
        return found
    heard = hear(model, [vote for vote in votes if vote.judge not in model.refused], missing)
    if not heard.voters or model.criteria:
        return None
    best = model.outcomes.index(found.best)
    panel = _Panel(model, heard, best, traits)
    gaps = [panel.least_gap(rival) for rival in range(len(model.outcomes)) if rival != best]
    if min(gaps) <= SURE:
        return None
    rivals = [math.exp(-gap) for gap in gaps]
    top = 1.0 / (1.0 + sum(rivals))
    confidence = _least_confidence(panel, top, against)
    if confidence is None:
        return None
    return replace(found, margin=top * (1.0 - max(rivals)) - SURE, confidence=confidence - SURE)


def judge_stopped(
    model: ConsensusModel,
    votes: Sequence[Vote],
    missing: Sequence[Vote],
    *,
    against: Mapping[str, float] | None = None,
    traits: Traits = UNKNOWN,
) -> Consensus:
    """Return what the panel thinks of an item whose missing votes nobody will ask: as ``find_floor``, and where that
    finds nothing as ``judge_item``, with `open` set. Arguments as of ``find_floor``."""
    floor = find_floor(model, votes, missing, against=against, traits=traits) if missing else None
    if floor is not None:
        return floor
    found = judge_item(model, votes, against=against, traits=traits)
    return replace(found, open=True) if missing else found


def order_calls(model: ConsensusModel, missing: Sequence[Vote]) -> list[int]:
    """Return the places of missing votes in the order in which to ask them: those first that can move the panel most,
    by the weight of the voter over the number of its votes. Equal ones keep their order.
    """
    n = Counter(vote.judge for vote in missing)

    def sway(place: int) -> float:
        judge = missing[place].judge
        return abs(model.weights.get(judge, model.default_weight)) / n[judge]

    return sorted(range(len(missing)), key=lambda place: -sway(place))


class _Panel:
    """What is known of a panel's votes on one item, and of those that are missing."""

    def __init__(self, model: ConsensusModel, heard: Heard, best: int, traits: Traits) -> None:
        self.model, self.heard, self.best = model, heard, best
        self.k, self.voters, self.missing = heard.k, heard.voters, heard.missing
        self.unheard = [name for name in self.missing if name not in self.voters]
        self.added = model.segments.get(traits.segment, {})
        silent = [name for name in heard.silent if name not in self.voters]
        self.plain = [math.log(max(p, 1e-300)) for p in find_posterior(model, {}, silent, traits)]

    def least_gap(self, rival: int) -> float:
        """The least by which the log odds of the best outcome can lie over those of another one."""
        gaps = []
        for there in range(len(self.voters), len(self.voters) + len(self.unheard) + 1):
            damped = self.model.default_weight / (1.0 + self.model.correlation * max(0, there - 1))
            held = sum(self._least_of(name, rival, damped) for name in self.voters)
            # Who is not heard yet may stay away, so that so many of them speak: those that harm most.
            harm = sorted(self._least_of(name, rival, damped) for name in self.unheard)
            gaps.append(held + sum(harm[: there - len(self.voters)]))
        return self.plain[self.best] - self.plain[rival] + min(gaps)

    def _least_of(self, name: str, rival: int, damped: float) -> float:
        """The least that one voter, who gives a vote, can add to the gap."""
        model, best = self.model, self.best
        weight = model.weights.get(name, damped) + self.added.get(name, 0.0)
        table = (model.confusions.get(name) or model.confusions.get(OTHERS, ())) if model.confusions else ()
        voter = self.voters.get(name) or HeardVoter(self.k)

        def sides(j: int) -> int:
            return (j == best) - (j == rival)

        def told(j: int) -> float:
            return weight * sides(j) + (table[j][best] - table[j][rival] if table else 0.0)

        known = sum(share * told(j) for j, share in enumerate(voter.shares) if share)
        known += voter.logits[best] - voter.logits[rival]
        worst = sorted(
            min(told(j) + self._channel(vote) * sides(j) for j in range(self.k)) + self._lean(vote, rival)
            for vote in self.missing.get(name, ())
        )
        least, total = (known / voter.n if voter.n else math.inf), known
        for n, harm in enumerate(worst, start=voter.n + 1):
            total += harm
            least = min(least, total / n)
        return least + self._least_scored(name, voter, rival)

    def _channel(self, vote: Vote) -> float:
        return self.model.channels.get(channel_of(vote.judge, vote.seat, vote.order), 0.0)

    def _lean(self, vote: Vote, rival: int) -> float:
        """What the place in which an answer is shown adds to the gap."""
        if not self.model.position or self.k != 2 or not vote.order:
            return 0.0
        lean = self.model.position.get(vote.judge, 0.0) * (1.0 if vote.order == "AB" else -1.0)
        return lean if rival == 0 else -lean

    def _least_scored(self, name: str, voter: HeardVoter, rival: int) -> float:
        """The least that the scores of one voter can add to the gap: they speak for or against the first outcome."""
        model = self.model
        points = model.ratings.get(name) or model.ratings.get(OTHERS, ()) if model.ratings else ()
        if not points or 0 not in (self.best, rival):
            return 0.0
        if name not in self.missing and not voter.rated:
            return 0.0
        values = [y if self.best == 0 else -y for _, y in points]
        return min(0.0, *values)


def _least_confidence(panel: _Panel, top: float, against: Mapping[str, float] | None) -> float | None:
    """The least calibrated confidence, from the least posterior and the worst of every signal; None where a signal
    cannot be bounded or the calibration does not rise with its score."""
    calibration = panel.model.calibration
    if calibration.kind == "none":
        return top
    rises = all(x < y for x, y in pairwise(calibration.knots)) and all(
        x <= y for x, y in pairwise(calibration.values)
    )
    if calibration.slope < 0.0 or not rises:
        return None
    z = 0.0
    for name, weight in calibration.signals.items():
        if not weight:
            continue
        if name == "critic_against":
            held = critic_against(against, panel.model.outcomes[panel.best]) if against else 0.0
            z += weight * held
        elif name in SIGNAL_BOUNDS:
            low, high = SIGNAL_BOUNDS[name](panel.heard, panel.best)
            z += weight * (low if weight > 0.0 else high)
        else:
            return None
    # A signal under the name of no other: its weight is 1 and its value what all of them come to.
    return replace(calibration, signals={"all": 1.0}).apply(top, {"all": z})


def count_next(
    model: ConsensusModel,
    votes: Sequence[Vote],
    missing: Sequence[Vote],
    settles: Callable[[Consensus], bool],
    *,
    against: Mapping[str, float] | None = None,
    traits: Traits = UNKNOWN,
) -> int:
    """Return how many of the missing votes to ask for at once, in their order: the fewest that can settle the item,
    were all of them for the outcome that leads, and all where no smaller number can. 0 where it is settled.

    Args:
        settles: whether what is found whatever the missing votes say is enough.
        model, votes, missing, against, traits: see ``find_floor``.
    """
    leader = judge_item(model, votes, against=against, traits=traits).best
    for n in range(len(missing)):
        hoped = [*votes, *(replace(vote, outcome=leader) for vote in missing[:n])]
        floor = find_floor(model, hoped, missing[n:], against=against, traits=traits)
        if floor is not None and settles(floor):
            return n
    return len(missing)
