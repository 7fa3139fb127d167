"""Which voters of a panel are admitted: exact bounds of how often each is right, by what the experts said.

Imports no numpy, no I/O. The wanted level, lower 95 % bounds of both rates of at least .80, is that of the calibrated
evaluation of agents by awslabs (calibrated-agent-evaluation). Nobody can show that a voter is exactly as good as
chance: refused is one who is shown to be at most a tenth of the way from chance to always right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

from solon.consensus.binomial import lower_bound
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import SILENT, Vote, share_of

Standing = Literal["admitted", "probation", "refused"]
WANTED = 0.8
"""Right on four of five whatever the truth is: such a verdict moves the odds by four, two of them by sixteen."""
DELTA = 0.05
ONE_SIDED = 1.6449
"""Quantile of the normal distribution that leaves out `DELTA` on one side."""
USELESS = 0.1
"""Part of the way from chance to always right: whose skill is shown to be under it is refused."""
LEAST = 20
"""Labels from which a voter may be refused; under them the bound of a mean is too rough."""


@dataclass(frozen=True, slots=True)
class Tally:
    """A voter's votes on items with one true outcome.

    Attributes:
        right: votes for it.
        undecided: votes that choose nothing: ties, or orders that contradict each other.
        n: all of them.
    """

    right: int = 0
    undecided: int = 0
    n: int = 0

    @property
    def low(self) -> float:
        """The exact lower 95 % bound of how often it is right; who is undecided is not right."""
        return lower_bound(self.right, self.n, DELTA)

    @property
    def rate(self) -> float | None:
        """How often it is right; None without a vote."""
        return self.right / self.n if self.n else None

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.right + other.right, self.undecided + other.undecided, self.n + other.n)


@dataclass(frozen=True, slots=True)
class Admission:
    """What is known of one voter from experts' labels.

    Attributes:
        voter: the model or function that votes; all its seats are one voter.
        rates: outcome -> its votes on items of which experts said so; of more than two outcomes all together, as
            `all`, since of each there are few.
        n: items with an expert's label that it voted on.
        skill_at_most: upper 95 % bound of its skill, from 0 (chance) to 1 (always right), all outcomes counting alike;
            1 where there is nothing to go by.
        wanted: the lower bounds that admit it.
    """

    voter: str
    rates: Mapping[str, Tally] = field(default_factory=dict)
    n: int = 0
    skill_at_most: float = 1.0
    wanted: float = WANTED

    @property
    def standing(self) -> Standing:
        """`admitted` where every lower bound reaches the wanted level, `refused` where it is shown to be no better
        than chance, else on `probation`."""
        if self.n >= LEAST and self.skill_at_most < USELESS:
            return "refused"
        sure = self.rates and all(tally.low >= self.wanted for tally in self.rates.values())
        return "admitted" if sure else "probation"


def admit(
    votes: Mapping[str, Sequence[Vote]],
    truth: Mapping[str, str],
    outcomes: Sequence[str],
    *,
    scores: Mapping[str, Mapping[str, float]] | None = None,
    wanted: float = WANTED,
) -> list[Admission]:
    """What experts' labels say of every voter, by its name.

    The items should be drawn at random among all. Among those that were sent to people because the panel is split,
    every voter is right about half the time, however good it is. Voters that are silent on some items, such as rules,
    are left out: they are there to be right where they speak, not to tell all items apart.

    Args:
        votes: by item.
        truth: item -> the outcome that an expert gave.
        outcomes: of the question.
        scores: voter -> item -> how good it found a single text. One who accepts everything may still rank well, and is
            not refused then.
        wanted: lower bounds from which a voter is admitted.
    """
    silent = {vote.judge for cast in votes.values() for vote in cast if vote.outcome == SILENT}
    sides = sides_of(votes, outcomes)
    found = []
    for voter in sorted(sides.keys() - silent):
        tallies = _count(sides[voter], truth, outcomes)
        pooled = len(outcomes) > 2
        rates = {"all": sum(tallies.values(), Tally())} if pooled else tallies
        ranked = _by_median((scores or {}).get(voter, {}), outcomes)
        told = [each for each in (tallies, _count(ranked, truth, outcomes)) if _told(each)]
        skill = max(map(_skill_at_most, told), default=1.0)
        n = sum(tally.n for tally in tallies.values())
        found.append(Admission(voter, rates if n else {}, n, skill, wanted))
    return found


def refuse(model: ConsensusModel, voters: Iterable[str]) -> ConsensusModel:
    """The model by which the votes of these voters count for nothing."""
    names = tuple(sorted(voters))
    return replace(model, refused=names, tiers=tuple(refuse(tier, names) for tier in model.tiers))


def sides_of(
    votes: Mapping[str, Sequence[Vote]], outcomes: Sequence[str]
) -> dict[str, dict[str, str | None]]:
    """voter -> item -> the outcome that most of its share goes to over seats, orders and samples, None where it is
    undecided. Who abstains said nothing."""
    index = {outcome: place for place, outcome in enumerate(outcomes)}
    sides: dict[str, dict[str, str | None]] = {}
    for item, cast in votes.items():
        sums: dict[str, list[float]] = {}
        for vote in cast:
            share = share_of(vote, index, len(outcomes))
            if share is not None:
                so_far = sums.setdefault(vote.judge, [0.0] * len(outcomes))
                sums[vote.judge] = [a + b for a, b in zip(so_far, share, strict=True)]
        for voter, total in sums.items():
            top = max(total)
            best = [outcomes[i] for i, one in enumerate(total) if top - one < 1e-9]
            sides.setdefault(voter, {})[item] = best[0] if len(best) == 1 else None
    return sides


def _by_median(scores: Mapping[str, float], outcomes: Sequence[str]) -> dict[str, str | None]:
    """The outcomes where a score over the voter's own median speaks for the first: no label has a part in that cut."""
    middle = median(scores.values()) if scores else 0.0
    return {item: outcomes[0] if score > middle else outcomes[1] for item, score in scores.items()}


def _count(
    sides: Mapping[str, str | None], truth: Mapping[str, str], outcomes: Sequence[str]
) -> dict[str, Tally]:
    tallies = {outcome: Tally() for outcome in outcomes}
    for item, side in sides.items():
        said = truth.get(item)
        if said in tallies:
            tallies[said] += Tally(int(side == said), int(side is None), 1)
    return tallies


def _told(tallies: Mapping[str, Tally]) -> bool:
    return any(tally.n for tally in tallies.values())


def _skill_at_most(tallies: Mapping[str, Tally]) -> float:
    """The upper 95 % bound of the mean rate over outcomes, from chance at 0; being undecided counts in favour.

    The normal bound of a stratified mean, with two pseudo-votes an outcome (Agresti and Coull 1998), so that it holds
    for few votes, too. An outcome that no expert gave may be one on which the voter is always right.
    """
    k = len(tallies)
    mean = variance = 0.0
    for tally in tallies.values():
        if not tally.n:
            mean += 1.0 / k
            continue
        p = (tally.right + tally.undecided + 1.0) / (tally.n + 2.0)
        mean += (tally.right + tally.undecided) / tally.n / k
        variance += p * (1.0 - p) / tally.n / k**2
    upper = min(1.0, mean + ONE_SIDED * math.sqrt(variance))
    return (upper - 1.0 / k) / (1.0 - 1.0 / k)
