"""What a panel believes of one item: from the votes to a posterior over the outcomes. Imports no numpy, no
I/O.

Called once per item inside the graph, so it works on plain floats (tens of microseconds).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import Any

from solon.consensus.model import OTHERS, Calibration, ConsensusModel
from solon.consensus.tiers import tier_reached
from solon.consensus.traits import UNKNOWN, Traits
from solon.errors import InternalError

__all__ = ["Calibration", "Consensus", "ConsensusModel", "Vote", "channel_of", "judge_item", "share_of"]

PLACES = ("A", "B")
Bounds = tuple[float, float]
TIE = "tie"
ABSTAIN = "abstain"
SILENT = "silent"
"""What a rule says of a text that it does not match. It is no vote, and no missing one."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one verdict of one judge on one item says to the consensus.

    Attributes:
        judge: the independent voter, that is the model behind the seat.
        seat: place in the panel that it spoke from; empty where unknown.
        order: order in which it saw the candidates, ``AB`` or ``BA``; empty where unknown.
        sample: number of its answer where it was asked several times, from 0.
        outcome: one of the model's outcomes, ``"tie"``, ``"abstain"`` or ``"silent"``; anything else counts as
            an abstention.
        p: probability of the first outcome where known; for two outcomes only.
        shares: outcome -> probability where it gave one for each; None where it did not.
        scores: one per outcome, in the order of the outcomes; None where it gave none.
        confidence: what the judge said of its own certainty, in [0, 1]; None where it said nothing.
        rated: what a judge of a single text scored it by criterion; None where it scored none.
    """

    judge: str
    _: KW_ONLY
    seat: str = ""
    order: str = ""
    sample: int = 0
    outcome: str = ABSTAIN
    p: float | None = None
    scores: tuple[float, ...] | None = None
    confidence: float | None = None
    shares: Mapping[str, float] | None = None
    rated: Mapping[str, float] | None = None

    @classmethod
    def of(cls, verdict: Any) -> Vote:
        """Return the vote of a judge's verdict, or of a stored one: of whatever has attributes of these
        names.

        Scores are taken by criterion, as a judge of a single text gives them; those by a seed's own rubric, whose
        criteria are others with each item, are not.
        """
        return cls(
            verdict.judge,
            seat=verdict.seat,
            order=verdict.order,
            sample=verdict.sample,
            outcome=verdict.outcome,
            p=verdict.p,
            confidence=verdict.confidence,
            shares=verdict.shares,
            rated=None if _of_seed(verdict.scores) else verdict.scores,
        )


def _of_seed(scores: Mapping[str, float] | None) -> bool:
    """Whether these are scores by a seed's own rubric: its criteria are C1, C2, ..., all others in small letters."""
    return any(name[:1] == "C" for name in scores or ())


def is_directed(outcomes: Sequence[str]) -> bool:
    """Whether the outcomes are more than the two places of a pair, which say nothing of what stands there."""
    return tuple(outcomes) != PLACES


_IN_ORDER = attrgetter("judge", "seat", "order", "sample")


@dataclass(frozen=True, slots=True)
class Consensus:
    """What a panel thinks of one item.

    Attributes:
        posterior: probability per outcome; it sums to 1.
        best: the most probable outcome.
        margin: posterior of the best outcome minus that of the second.
        confidence: calibrated probability that an expert would agree with ``best``; the posterior itself
            while nothing is calibrated.
        signals: what else the votes tell, by name, see ``judge_item``.
        votes: number of votes by outcome, with ``tie`` and ``abstain``.
        split: True where any two votes differ, whether of two seats, two orders or two samples; a tie is an
            answer of its own, an abstention is none. Seats of one model are one voter in the posterior, and yet
            may be of two minds.
        judges: seats of the panel that voted.
        swapped: those of them that saw the answers in both orders.
        turned: those of them that changed sides with the order.
        wavering: those of them that answered differently when asked the same again.
        open: votes were not asked that could change what is found, see ``settled``.
    """

    posterior: dict[str, float]
    best: str
    margin: float
    confidence: float
    signals: dict[str, float]
    votes: dict[str, int]
    split: bool
    judges: int = 0
    swapped: int = 0
    turned: int = 0
    wavering: int = 0
    open: bool = False


def channel_of(judge: str, seat: str, order: str) -> str:
    """Return the key of one voter's seat in one order, as used in ``ConsensusModel.channels``."""
    return f"{judge}|{seat}|{order}"


class HeardVoter:
    __slots__ = ("logits", "n", "orders", "rated", "shares")

    def __init__(self, k: int) -> None:
        self.n = 0
        self.shares = [0.0] * k
        self.logits = [0.0] * k
        self.orders: dict[str, list[float]] = {}
        self.rated: dict[str, list[float]] = {}


@dataclass(slots=True)
class Heard:
    """What the votes on an item say, voter by voter, and what they tell besides an outcome; for `k` outcomes, and with
    those that are missing by judge."""

    k: int
    votes: dict[str, int]
    missing: dict[str, list[Vote]]
    voters: dict[str, HeardVoter] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    samples: dict[tuple[str, str, str], list[list[float]]] = field(default_factory=dict)
    resampled: bool = False

    @property
    def open(self) -> int:
        """How many votes are missing."""
        return sum(map(len, self.missing.values()))

    def told(self) -> dict[str, float]:
        """Signals that only some judges give."""
        signals: dict[str, float] = {}
        if self.margins:
            signals["score_margin"] = sum(self.margins) / len(self.margins)
        if self.logprobs:
            signals["logprob_margin"] = abs(sum(self.logprobs)) / len(self.logprobs)
        if self.said:
            signals["said_confidence"] = sum(self.said) / len(self.said)
            signals["said_doubt"] = 1.0 - signals["said_confidence"]
        if self.resampled:
            signals["sample_variance"] = _sample_variance(self.samples.values())
        return signals

    def note(self, v: Vote, share: list[float]) -> None:
        """Keep what `v` tells besides its outcome."""
        self.resampled = self.resampled or v.sample > 0
        self.samples.setdefault((v.judge, v.seat, v.order), []).append(share)
        if v.scores is not None and len(v.scores) == len(share):
            ranked = sorted(v.scores)
            self.margins.append(ranked[-1] - ranked[-2])
        if v.p is not None:
            self.logprobs.append(_log_odds(v.p))
        if v.confidence is not None:
            self.said.append(v.confidence)


def hear(model: ConsensusModel, votes: Sequence[Vote], missing: Sequence[Vote] = ()) -> Heard:
    """Add up the shares of every voter, as they are and weighed by what is known of the channel they came by."""
    outcomes, k = model.outcomes, len(model.outcomes)
    index = {outcome: i for i, outcome in enumerate(outcomes)}
    heard = Heard(k, {**dict.fromkeys(outcomes, 0), TIE: 0, ABSTAIN: 0}, {})
    for v in missing:
        heard.missing.setdefault(v.judge, []).append(v)
    channels, position = model.channels, model.position
    for v in sorted(votes, key=_IN_ORDER):  # sums of floats depend on it, and a store keeps no order
        share = share_of(v, index, k)
        if share is None:
            heard.votes[ABSTAIN] += v.outcome != SILENT
            if v.outcome == SILENT:
                heard.silent.append(v.judge)
            continue
        heard.votes[v.outcome if v.outcome in index else TIE] += 1
        voter = heard.voters.get(v.judge)
        if voter is None:
            voter = heard.voters[v.judge] = HeardVoter(k)
        voter.n += 1
        deviation = channels.get(channel_of(v.judge, v.seat, v.order), 0.0) if channels else 0.0
        seen = voter.orders.get(v.order)
        if seen is None:
            seen = voter.orders[v.order] = [0.0] * k
        for i, s in enumerate(share):
            voter.shares[i] += s
            voter.logits[i] += deviation * s
            seen[i] += s
        if position and k == 2 and v.order:
            lean = position.get(v.judge, 0.0) * (0.5 if v.order == "AB" else -0.5)
            voter.logits[0] -= lean
            voter.logits[1] += lean
        if v.rated:
            for criterion, score in v.rated.items():
                voter.rated.setdefault(criterion, []).append(score)
        heard.note(v, share)
    return heard


def judge_item(
    model: ConsensusModel,
    votes: Sequence[Vote],
    extra: Mapping[str, float] | None = None,
    *,
    against: Mapping[str, float] | None = None,
    traits: Traits = UNKNOWN,
) -> Consensus:
    """Return what the panel thinks of one item: posterior, margin, confidence and signals.

    It gives an answer for any votes, none included, in whatever order they come. Of a cascade, the model of
    the last tier that voted is used.

    Args:
        extra: further signals for the calibration to listen to.
        against: what critics hold against each outcome, from 0 (nothing) to 1 (fatal).
        traits: what else is known of the item; a segment that the model does not know changes nothing.
    """
    if model.tiers:
        model = model.at(tier_reached(votes, model.seats))
    outcomes = model.outcomes
    if model.refused:
        votes = [vote for vote in votes if vote.judge not in model.refused]
    heard = hear(model, votes)
    voters = heard.voters
    posterior = find_posterior(model, voters, heard.silent, traits)
    order = sorted(range(len(outcomes)), key=lambda i: -posterior[i])
    top, second = posterior[order[0]], posterior[order[1]]
    signals, split = _signals(voters, heard.votes, len(outcomes))
    if extra:
        signals.update(extra)
    signals["margin"] = top - second
    signals["lead"] = lead_of([voter.shares for voter in voters.values()], order[0])
    entropy = -sum(p * math.log(p) for p in posterior if p > 0.0)
    signals["posterior_entropy"] = entropy / math.log(len(outcomes))
    signals.update(heard.told())
    if against:
        signals["critic_against"] = critic_against(against, outcomes[order[0]])
    signals["model_change"] = _model_change(voters, posterior)
    judges, swapped, turned, wavering = _count_seats(heard.samples)
    return Consensus(
        posterior=dict(zip(outcomes, posterior, strict=True)),
        best=outcomes[order[0]],
        margin=top - second,
        confidence=model.calibration.apply(top, signals),
        signals=signals,
        votes=heard.votes,
        split=split or sum(n > 0 for answer, n in heard.votes.items() if answer != ABSTAIN) > 1,
        judges=judges,
        swapped=swapped,
        turned=turned,
        wavering=wavering,
    )


def lead_of(shares: Iterable[Sequence[float]], best: int) -> float:
    """Return the part of all votes that went to an outcome, less that of the best other one; 0 without votes.

    Args:
        shares: per voter, its votes by outcome.
        best: index of the outcome.
    """
    totals = [sum(column) for column in zip(*shares, strict=True)]
    if not totals:
        return 0.0
    other = max(t for i, t in enumerate(totals) if i != best)
    return float((totals[best] - other) / sum(totals))


def _count_seats(samples: Mapping[tuple[str, str, str], list[list[float]]]) -> tuple[int, int, int, int]:
    """Seats of the panel that voted, those asked in both orders, those of these that changed sides, and those whose
    samples differ."""
    sides: dict[tuple[str, str], list[int]] = {}
    wavering: set[tuple[str, str]] = set()
    for (judge, seat, _), shares in samples.items():
        if len(shares) > 1 and len({side_of(share) for share in shares}) > 1:
            wavering.add((judge, seat))
        sides.setdefault((judge, seat), []).append(
            side_of([sum(column) for column in zip(*shares, strict=True)])
        )
    swapped = [seen for seen in sides.values() if len(seen) > 1]
    turned = sum(len(set(seen) - {-1}) > 1 for seen in swapped)
    return len(sides), len(swapped), turned, len(wavering)


def critic_against(against: Mapping[str, float], best: str) -> float:
    """Return how much more critics hold against the best outcome than against the least blamed other one,
    from 0 to 1.
    """
    others = [held for outcome, held in against.items() if outcome != best]
    return max(0.0, against.get(best, 0.0) - min(others, default=0.0))


def _sample_variance(samples: Iterable[list[list[float]]]) -> float:
    """Gini impurity of the samples of one judge, seat and order, mean over those that were asked twice or more."""
    several = [shares for shares in samples if len(shares) > 1]
    spread = 0.0
    for shares in several:
        spread += _impurity([sum(column) for column in zip(*shares, strict=True)], len(shares))
    return spread / len(several) if several else 0.0


def _impurity(shares: Iterable[float], n: int) -> float:
    """Gini impurity of the mean of `n` votes that come to `shares`."""
    return 1.0 - sum((s / n) ** 2 for s in shares)


def _model_change(voters: dict[str, HeardVoter], posterior: Sequence[float]) -> float:
    """Expected length of the gradient that a decision would add (Settles et al. 2008), per root of the voters."""
    if not voters:
        return 0.0
    squares = [0.0] * len(posterior)
    for voter in voters.values():
        expected = sum(q * s for q, s in zip(posterior, voter.shares, strict=True))
        for j, share in enumerate(voter.shares):
            squares[j] += ((share - expected) / voter.n) ** 2
    change = sum(p * math.sqrt(square) for p, square in zip(posterior, squares, strict=True))
    return change / math.sqrt(len(voters))


def _log_odds(p: float) -> float:
    p = min(max(p, 1e-6), 1.0 - 1e-6)
    return math.log(p / (1.0 - p))


def share_of(v: Vote, index: dict[str, int], k: int) -> list[float] | None:
    """Return the share of one vote per outcome, or None for an abstention (an unknown outcome is one).

    A tie is split over all outcomes, or over those with the highest score where scores are known.

    Args:
        index: place of each outcome.
        k: number of outcomes.

    Raises:
        InternalError: ``p`` is no probability.
    """
    if v.outcome == ABSTAIN:
        return None
    if v.shares is not None:
        share = [float(v.shares.get(outcome, 0.0)) for outcome in index]
        total = sum(share)
        return [s / total for s in share] if total > 0.0 else None
    if v.p is not None and k == 2:
        if not 0.0 <= v.p <= 1.0:
            raise InternalError(f"a vote of {v.judge!r} has p={v.p!r}, which is no probability")
        return [v.p, 1.0 - v.p]
    if v.outcome == TIE:
        if v.scores is not None and len(v.scores) == k:
            high = max(v.scores)
            level = sum(s >= high for s in v.scores)
            return [1.0 / level if s >= high else 0.0 for s in v.scores]
        return [1.0 / k] * k
    i = index.get(v.outcome)
    if i is None:
        return None
    share = [0.0] * k
    share[i] = 1.0
    return share


def find_posterior(
    model: ConsensusModel, voters: dict[str, HeardVoter], silent: Sequence[str], traits: Traits
) -> list[float]:
    outcomes = model.outcomes
    base = model.base
    logits = [base.get(o, 0.0) for o in outcomes] if base else [0.0] * len(outcomes)
    damped = model.default_weight / (1.0 + model.correlation * max(0, len(voters) - 1))
    added = model.segments.get(traits.segment, {}) if model.segments else {}
    for name, voter in voters.items():
        weight = model.weights.get(name, damped) + added.get(name, 0.0)
        for i, s in enumerate(voter.shares):
            logits[i] += (weight * s + voter.logits[i]) / voter.n
        if model.confusions:
            table = model.confusions.get(name) or model.confusions.get(OTHERS, ())
            for s, row in zip(voter.shares, table, strict=False):
                if s:
                    for i, cell in enumerate(row):
                        logits[i] += s / voter.n * cell
        if model.ratings and voter.rated:
            logits[0] += _from_scores(model, name, voter.rated)
    for name in silent if model.silences else ():
        if name in voters:
            continue
        for outcome, part in model.silences.get(name, {}).items():
            logits[outcomes.index(outcome)] += part
    if model.texts:
        logits[0] += sum(weight * traits.texts.get(name, 0.0) for name, weight in model.texts.items())
    high = max(logits)
    exps = [math.exp(x - high) for x in logits]
    total = sum(exps)
    return [e / total for e in exps]


def _from_scores(model: ConsensusModel, name: str, rated: Mapping[str, Sequence[float]]) -> float:
    """What the scores of one voter add to the log odds of the first outcome."""
    scores = {c: sum(given) / len(given) for c, given in rated.items() if c in model.rubric}
    total = sum(model.rubric[c] for c in scores)
    points = model.ratings.get(name) or model.ratings.get(OTHERS, ())
    if not total or not points:
        return 0.0
    mean = sum(score * model.rubric[c] for c, score in scores.items()) / total
    apart = sum(model.criteria.get(c, 0.0) * (score - mean) for c, score in scores.items())
    return apart + _between(points, mean)


def _between(points: Sequence[Sequence[float]], x: float) -> float:
    """Straight between points in rising order, flat outside."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def _signals(voters: dict[str, HeardVoter], votes: dict[str, int], k: int) -> tuple[dict[str, float], bool]:
    """Signals of disagreement, each 0 where the panel is of one mind."""
    sides: set[int] = set()
    flips = pairs = 0
    within = 0.0
    totals = [0.0] * k
    split = False
    for voter in voters.values():
        mean = [s / voter.n for s in voter.shares]
        within += 1.0 - sum(s * s for s in mean)
        for i, s in enumerate(mean):
            totals[i] += s
        order_sides = {side_of(seen) for seen in voter.orders.values()} - {-1}
        if len(voter.orders) > 1:
            pairs += 1
            flips += len(order_sides) > 1
        split = split or len(order_sides) > 1
        side = side_of(voter.shares)
        if side >= 0:
            sides.add(side)
    n = len(voters)
    active = sum(count for name, count in votes.items() if name != ABSTAIN)
    cast = active - votes[TIE]
    entropy = 0.0
    if n:
        entropy = -sum(
            share * math.log(share) for share in (t / n for t in totals) if share > 0.0
        ) / math.log(k)
    ranked = sorted(totals)
    signals = {
        "flips": flips / pairs if pairs else 0.0,
        "vote_entropy": entropy,
        "vote_margin": (ranked[-1] - ranked[-2]) / n if n else 0.0,
        "within_voter": within / n if n else 0.0,
        "tie_share": votes[TIE] / active if active else 0.0,
        "n_voters": float(n),
        "n_votes": float(active),
        "n_cast": float(cast),
        "n_abstain": float(votes[ABSTAIN]),
    }
    return signals, split or len(sides) > 1


def side_of(shares: Sequence[float]) -> int:
    """Index of the one outcome that leads, -1 where two lead together."""
    high = max(shares)
    best = [i for i, s in enumerate(shares) if s >= high - 1e-12]
    return best[0] if len(best) == 1 else -1


# The same while votes are missing -----------------------------------------------------------------------------------


def _bound_mean(known: Sequence[float], open: Sequence[tuple[float, bool]]) -> Bounds:
    """The least and the greatest mean of values, where some are only known to lie between 0 and a bound.

    Args:
        open: the bound of each of these, and whether it takes part for certain.
    """
    certain = [*known, *(high for high, certain in open if certain)]
    total, n = sum(certain), len(certain)
    for high in sorted((high for high, certain in open if not certain), reverse=True):
        if n and high * n <= total:
            break
        total, n = total + high, n + 1
    everyone = len(known) + len(open)
    return (sum(known) / everyone if everyone else 0.0), (total / n if n else 0.0)


def _widest(shares: Sequence[float], n: int) -> float:
    """The greatest Gini impurity of the mean of up to `n` votes of which those that are there come to `shares`."""
    least = max(shares) / n  # of the share of the one that leads now
    if least * len(shares) <= 1.0:
        return 1.0 - 1.0 / len(shares)
    return 1.0 - least * least - (1.0 - least) ** 2 / (len(shares) - 1)


def _bound_flips(heard: Heard, _best: int) -> Bounds:
    known, open = [], []
    for name in heard.voters | heard.missing:
        orders = heard.voters[name].orders if name in heard.voters else {}
        missing = heard.missing.get(name)
        if missing is None:
            sides = {side_of(seen) for seen in orders.values()} - {-1}
            known += [float(len(sides) > 1)] if len(orders) > 1 else []
        elif len({*orders, *(vote.order for vote in missing)}) > 1:
            open.append((1.0, len(orders) > 1))
    return _bound_mean(known, open)


def _bound_within(heard: Heard, _best: int) -> Bounds:
    known, open = [], []
    for name in heard.voters | heard.missing:
        voter, more = heard.voters.get(name), len(heard.missing.get(name, ()))
        if not more and voter is not None:
            known.append(_impurity(voter.shares, voter.n))
        else:
            shares, n = (voter.shares, voter.n) if voter is not None else ([0.0] * heard.k, 0)
            open.append((_widest(shares, n + more), voter is not None))
    return _bound_mean(known, open)


def _bound_samples(heard: Heard, _best: int) -> Bounds:
    more = Counter(
        (vote.judge, vote.seat, vote.order) for missing in heard.missing.values() for vote in missing
    )
    known, open = [], []
    for place in heard.samples | more:
        cast = heard.samples.get(place, [])
        shares, n = (
            [sum(column) for column in zip(*cast, strict=True)] or [0.0] * heard.k,
            len(cast) + more[place],
        )
        if n > 1 and not more[place]:
            known.append(_impurity(shares, n))
        elif n > 1:
            open.append((_widest(shares, n), len(cast) > 1))
    return _bound_mean(known, open)


def _bound_ties(heard: Heard, _best: int) -> Bounds:
    ties = heard.votes[TIE]
    cast = sum(n for answer, n in heard.votes.items() if answer != ABSTAIN) + heard.open
    return ties / cast, (ties + heard.open) / cast


def _bound_doubt(heard: Heard, _best: int) -> Bounds:
    doubts = [1.0 - said for said in heard.said]
    return _bound_mean(doubts, [(1.0, False)] * heard.open)


def _bound_lead(heard: Heard, best: int) -> Bounds:
    totals = [sum(column) for column in zip(*(v.shares for v in heard.voters.values()), strict=True)]
    other = max(total for i, total in enumerate(totals) if i != best)
    return (totals[best] - other - heard.open) / (sum(totals) + heard.open), 1.0


SIGNAL_BOUNDS: dict[str, Callable[[Heard, int], Bounds]] = {
    "flips": _bound_flips,
    "within_voter": _bound_within,
    "tie_share": _bound_ties,
    "sample_variance": _bound_samples,
    "said_doubt": _bound_doubt,
    "lead": _bound_lead,
}
"""Signal that calibration may listen to -> the least and the greatest that the missing votes can make of it."""
