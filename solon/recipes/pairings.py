"""Pairings: which of an item's candidates are put before the panel together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from solon.recipes.failures import naming_failures

if TYPE_CHECKING:
    from solon.config import Config


@dataclass(frozen=True, slots=True)
class Contender:
    """A candidate as a pairing sees it.

    Attributes:
        id: its id.
        score: its mean score on the rubric by the first tier of the panel; None where it has none.
        parent: id of the text that it is a revision of, however often that was revised; None of any other candidate.
    """

    id: str
    score: float | None = None
    parent: str | None = None


class Pairing:
    """Which candidates are shown together.

    Attributes:
        scored: where there are more candidates than are shown at once, the first tier of the panel scores them, and
            they stand in the order of their scores. Else they stand in the order in which they were made.
        beside: a revision stands beside the text that it revises, as a further candidate. Else it takes the place of
            a draft, and given texts are not revised.
        presumes: of those shown the first was made to be the better one. Where the panel finds otherwise, a person is
            asked.
        mends_fatal: a draft that cannot be used at all is revised like any other. Else, where all are so, the item is
            drafted again.
        turns: critiques of a text at most, each followed by a revision, until one finds nothing.
        principles: so many of the constitution's are drawn for each critique; 0: all of them count.
        edits: a revision replaces only the words that the critic quoted, each by a call of its own.
    """

    scored: bool = True
    beside: bool = False
    presumes: bool = False
    mends_fatal: bool = False
    turns: int = 1
    principles: int = 0
    edits: bool = False

    def under(self, config: Config) -> Pairing:
        """The pairing under this configuration: itself, unless that says which one it is."""
        return self

    def shown(self, ranked: Sequence[Contender], tried: int, size: int) -> list[str]:
        """The ids of the next candidates to show; fewer than `size` where there are none left.

        Args:
            ranked: the candidates, the most promising first, see `scored`.
            tried: how many sets of this round were shown before.
            size: how many the question shows at once.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class BestSecond(Pairing):
    """The two best, then the next two."""

    def shown(self, ranked: Sequence[Contender], tried: int, size: int) -> list[str]:
        """The candidates in the order of their rank, `size` at a time."""
        return [one.id for one in ranked[tried * size : (tried + 1) * size]]


@dataclass(frozen=True)
class BestWorst(Pairing):
    """The best and the worst, then the second best and the second worst.

    Source: Pace et al. 2024, "West-of-N: Synthetic Preferences for Self-Improving Reward Models".
    """

    def shown(self, ranked: Sequence[Contender], tried: int, size: int) -> list[str]:
        """Two candidates, as many places from the top as from the bottom."""
        return [ranked[tried].id, ranked[-1 - tried].id] if 2 * tried + 1 < len(ranked) else []


@dataclass(frozen=True)
class Sweet(Pairing):
    """The best, and the one whose score is nearest to the mean less two standard deviations: plainly worse, but no
    outlier. Up to five candidates that is always the worst one.

    Source: Xiao et al. 2025, "Finding the Sweet Spot: Preference Data Construction for Scaling Preference
    Optimization".
    """

    def shown(self, ranked: Sequence[Contender], tried: int, size: int) -> list[str]:
        """The best of those that are left, and of the rest the nearest to that score; one without a score last."""
        scores = [one.score for one in ranked if one.score is not None]
        aim = fmean(scores) - 2 * pstdev(scores) if scores else 0.0
        pair, left = list[Contender](), list(ranked)
        for _ in range(tried + 1):
            if len(left) < 2:
                return []
            best = left.pop(0)
            worse = min(left, key=lambda one: (one.score is None, abs((one.score or 0.0) - aim)))
            left.remove(worse)
            pair = [best, worse]
        return [one.id for one in pair]


@dataclass(frozen=True)
class DraftRevision(Pairing):
    """A text and its revision, then the next two. What was not revised is in no pair.

    Source: Bai et al. 2022, "Constitutional AI: Harmlessness from AI Feedback".
    """

    scored = False
    beside = True

    def shown(self, ranked: Sequence[Contender], tried: int, size: int) -> list[str]:
        """A text and what was made of it, in the order in which the texts were made."""
        there = {one.id for one in ranked}
        pairs = [[one.parent, one.id] for one in ranked if one.parent in there]
        return [name for name in pairs[tried] if name is not None] if tried < len(pairs) else []


@dataclass(frozen=True)
class RevisionDraft(DraftRevision):
    """The last revision of a text, made to be the better one, and the text itself. The panel checks it.

    Source: Bai et al. 2022, "Constitutional AI: Harmlessness from AI Feedback", section 3.
    """

    presumes: bool = True
    mends_fatal: bool = True
    turns: int = 1
    principles: int = 0
    edits: bool = False

    def shown(self, ranked: Sequence[Contender], tried: int, size: int) -> list[str]:
        """A text's last revision and the text, in the order in which the texts were made."""
        return super().shown(ranked, tried, size)[::-1]


@dataclass(frozen=True)
class Proposal(Pairing):
    """Each text as it was given, one at a time. Its revision is no candidate beside it but a proposal for an edit, seen
    as a difference by whoever reads the text."""

    scored = False
    beside = True
    mends_fatal = True

    def shown(self, ranked: Sequence[Contender], tried: int, size: int) -> list[str]:
        """The next texts that are no revisions of others, in the order in which they were made."""
        there = {one.id for one in ranked}
        return [one.id for one in ranked if one.parent not in there][tried * size : (tried + 1) * size]


@dataclass(frozen=True)
class Contrast(BestWorst):
    """The first and the last as they were made: whoever makes them begins with what shall be best. The panel checks
    it.

    Source: Yang et al. 2023, "RLCD: Reinforcement Learning from Contrastive Distillation".
    """

    scored = False
    presumes = True


PAIRINGS: Mapping[str, Pairing] = {
    "best-second": BestSecond(),
    "best-worst": BestWorst(),
    "sweet": Sweet(),
    "draft-revision": DraftRevision(),
    "revision-draft": RevisionDraft(),
    "contrast": Contrast(),
}
"""The pairings by the names that a configuration gives them."""


@dataclass(frozen=True)
class Configured(Pairing):
    """The pairing that `[preference] pairing` names, with the settings beside it."""

    def under(self, config: Config) -> Pairing:
        """The pairing of that name."""
        named, said = PAIRINGS[config.preference.pairing], config.preference
        if not isinstance(named, RevisionDraft):
            return named
        return replace(named, turns=said.turns, principles=said.principles, edits=said.edits)


def pick(pairing: Pairing, ranked: Sequence[Contender], tried: int, size: int, *, guarded: bool) -> list[str]:
    """The next candidates that the pairing shows; arguments and result as of `Pairing.shown`.

    Args:
        guarded: seeds may name people, so that the words of a foreign error are left out.

    Raises:
        PartFailed: its `shown` raised, or gave anything but ids of these candidates, each once; names the method.
    """
    known = {one.id for one in ranked}
    with naming_failures(pairing, "shown", guarded=guarded) as expect:
        shown = pairing.shown(ranked, tried, size)
        right = isinstance(shown, list) and known.issuperset(shown) and len({*shown}) == len(shown)
        expect(right, f"{shown!r:.80}", "return a list of ids of the candidates, each at most once")
    return shown
