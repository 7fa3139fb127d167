"""Probes: how many random items show that an earlier certificate holds after a change.

The cut of the certificate is kept, so that nothing is searched and one exact test does: of all items that it would
accept now so many are drawn at random, and the certificate is carried over where so few of them disagree that more than
``alpha`` of all would show fewer with probability ``level`` at most (Clopper and Pearson 1934). It rests on the draw
alone: not on the earlier sample, nor on how little was changed. The draw is without replacement, which makes so few
slips rarer still than the binomial distribution has it (Uhlmann 1966, Metrika 11), whatever the number of items.
"""

from __future__ import annotations

from dataclasses import dataclass

from solon.consensus.binomial import least_passing, tail_at_least
from solon.consensus.certify import SLIPS, least_with
from solon.errors import ConfigError

PART = 0.5
"""Part of what is left of delta that the probes may spend; the other half stays for a pilot, should they not do."""


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """How a certificate is tested after a change.

    Attributes:
        asked: items that are drawn.
        slips: so many of them may disagree.
        alpha: highest share of disagreement that is promised.
        level: probability with which the test passes, at most, where more disagree.
    """

    asked: int
    slips: int
    alpha: float
    level: float

    def passes(self, agreed: int) -> bool:
        """Return whether so many that agree are enough, whatever became of the others."""
        return agreed >= self.asked - self.slips

    def chance(self, agreement: float) -> float:
        """Return the probability that the certificate is carried over, at this agreement above its cut."""
        return tail_at_least(self.asked - self.slips, self.asked, agreement)


def plan_probes(
    alpha: float, left: float, *, asked: int | None = None, items: int | None = None
) -> ProbePlan | None:
    """Return how many items are drawn, and how many of them may disagree; None where there are too few items even for
    none.

    Args:
        alpha: highest share of disagreement that is promised.
        left: what may still be spent of the probability of a false promise.
        asked: the number; None: as many as leave room for two slips, for one or none where there are too few items.
        items: that can be drawn; None: enough.

    Raises:
        ConfigError: the number is too small even if all agree, or nothing is left of delta.
    """
    level = PART * left
    if not level > 0.0:
        raise ConfigError(
            "nothing is left of delta to test probes with: earlier looks over these seeds spent it",
            next_step="begin a new run over other seeds",
        )
    if asked is not None:
        needed = least_passing(asked, 1.0 - alpha, level)
        if needed is None:
            least = least_with(0, alpha, level)
            raise ConfigError(
                f"routing.probes = {asked}: even if all of so few agree, they do not show {1 - alpha:.0%} agreement",
                next_step=f"set it to {least} or more, or leave it out",
            )
        plans = [ProbePlan(asked, asked - needed, alpha, level)]
    else:
        plans = [ProbePlan(least_with(n, alpha, level), n, alpha, level) for n in range(SLIPS, -1, -1)]
    return next((plan for plan in plans if items is None or plan.asked <= items), None)


def spell_counts(asked: int, agreed: int, disagreed: int, unasked: int) -> str:
    """How probes were answered by now, in words. `unasked`: those without an answer that nobody is asked about any
    more."""
    told = (
        f"{agreed} of {asked} probes agreed, {disagreed} did not, {asked - agreed - disagreed - unasked} wait"
    )
    return f"{told}, {unasked} are not asked any more and count as disagreement" if unasked else told
