"""Promises of strata: what each is tested on, what the test shows, and how it is told.

They stand beside the promise over all and change nothing of what is accepted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from solon.display.text import shorten
from solon.learning.withdrawn import still_shown, tell_withdrawn
from solon.store.learning.evidence import withdrawn_among
from solon.store.runs.strata import drawn_strata, hash_of, items_by_stratum
from solon.store.runs.traits import LONGEST

if TYPE_CHECKING:
    from collections.abc import Collection

    from solon.consensus.cascade import Tier
    from solon.consensus.certify import Certificate
    from solon.store.database.engine import Connection
    from solon.store.learning.evidence import DecidedItem
    from solon.store.reviewing.drawn_questions import DrawnQuestion


@dataclass(frozen=True, slots=True)
class Strata:
    """The strata of a run.

    Attributes:
        samples: of each that may be promised something, the items of its sample in the random order.
        sizes: items of the run by stratum.
        groups: how many items of the run are in a stratum and a group.
        further: the items of the samples that the pilot itself does not hold, with their states.
    """

    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[tuple[str, str], int] = field(default_factory=dict)
    further: Mapping[str, str] = field(default_factory=dict)

    @property
    def unpromised(self) -> dict[str, int]:
        """Items of the strata that have too few for a promise of their own; under the empty name those without one."""
        return {name: n for name, n in sorted(self.sizes.items()) if name not in self.samples}

    def questions_of(self, name: str, asked: Sequence[DrawnQuestion]) -> list[DrawnQuestion]:
        """The questions of a stratum's sample, each as drawn within the stratum."""
        sample = frozenset(self.samples[name])
        chance = len(sample) / self.sizes[name]
        return [
            replace(q, chance=chance, size=self.groups[name, q.group]) for q in asked if q.item_id in sample
        ]


@dataclass(frozen=True, slots=True)
class StratumSample:
    """The decisions that the promise of one stratum is tested on.

    Attributes:
        name: of the stratum.
        items: that the run has of it.
        decisions: one for each group, in the order of the draw, each with its probability within the stratum.
    """

    name: str
    items: int
    decisions: list[DecidedItem]


def read_strata(connection: Connection, run_id: str, column: str, pilot: Collection[str]) -> Strata:
    """The strata of a run: of each that was fixed when the pilot was drawn the first of its items, as many as were
    drawn then, or as many as the pilot holds by now.

    Args:
        column: of the seeds, that names them; without one there are none.
        pilot: items of the pilot that the look is about.
    """
    drawn = drawn_strata(connection, run_id) if column else None
    if drawn is None:
        return Strata()
    order = items_by_stratum(connection, run_id, column)
    own: dict[str, list[str]] = {}
    for one in order:
        if one.pilot and hash_of(one.stratum) in drawn:
            own.setdefault(one.stratum, []).append(one.id)
    samples = {
        name: tuple(ids[: max(drawn[hash_of(name)], sum(item in pilot for item in ids))])
        for name, ids in sorted(own.items())
    }
    beyond = {item for ids in samples.values() for item in ids if item not in pilot}
    return Strata(
        samples,
        Counter(one.stratum for one in order),
        Counter((one.stratum, one.group) for one in order),
        {one.id: one.state for one in order if one.id in beyond},
    )


def certify_strata(
    scored: Tier,
    every: Sequence[DecidedItem],
    strata: Sequence[StratumSample],
    over_all: Certificate,
    *,
    alpha: float,
    delta: float,
) -> Iterator[tuple[StratumSample, Certificate, Any]]:
    """What the sample shows of each stratum, at an equal part of the look's delta; and which rows of `scored` are its.

    Nothing is shown of items that the certificate over all does not accept: a stratum's threshold is that one or
    higher. Where that one was refused it is the lowest that the stratum's own decisions bear out.

    Args:
        scored: every decision of the sample and its strata.
        every: the same decisions.
        strata: the samples.
        over_all: what the same look shows of all.
        delta: of the look.
    """
    import numpy as np

    from solon.consensus.certify import certify_weighted

    place = {d.item_id: row for row, d in enumerate(every)}
    floor = 0.0 if over_all.threshold is None else over_all.threshold
    for stratum in strata:
        rows = np.array([place[d.item_id] for d in stratum.decisions], dtype=np.int64)
        chance = np.array([d.inclusion or 1.0 for d in stratum.decisions])
        if scored.promised is not None:
            kept = scored.promised[rows]
            rows, chance = rows[kept], chance[kept]
        # A look over all that tests nothing is planned again at the same level: so is that of its strata.
        tested = rows if over_all.tests else rows[:0]
        found = certify_weighted(
            scored.score[tested],
            scored.agreed[tested],
            chance[: len(tested)],
            alpha=alpha,
            delta=delta / len(strata),
            cuts=scored.cuts,
            floor=floor,
        )
        if found.threshold is None and over_all.threshold is not None and not found.n:
            sure = int((scored.score[rows] >= floor).sum())
            found = replace(found, why=f"{found.why}: {sure} of {len(rows)} are as sure as what is accepted")
        inside = np.zeros(len(scored.score), dtype=np.bool_)
        inside[rows] = True
        yield stratum, found, inside


# How it is told --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StratumPromise:
    """What is shown of one stratum.

    Attributes:
        name: of the stratum; hostile text, as any of the seeds.
        items: that the run has of it.
        threshold: confidence from which its accepted records agree as often as is promised; None where it is not shown.
        n: decisions at or above it; where it is not shown, those that were tested at last.
        agreed: how many of those agreed.
        why: why nothing is shown; empty where it is.
    """

    name: str
    items: int
    threshold: float | None
    n: int
    agreed: int
    why: str

    def __str__(self) -> str:
        name = shorten(self.name, LONGEST)
        if self.threshold is None:
            return f"{name}: not shown ({self.why})"
        return f"{name}: from confidence {self.threshold:.3f} on, {self.agreed} of {self.n} agreed"


def strata_in(figures: Mapping[str, Any], connection: Connection | None = None) -> tuple[StratumPromise, ...]:
    """What a look shows of each stratum that may be promised something.

    Args:
        figures: of the look.
        connection: agreements that were withdrawn since count as disagreement; None: the look was just taken.
    """
    found = []
    for test in figures.get("strata", ()):
        gone = len(withdrawn_among(connection, test["relied_on"])) if connection is not None else 0
        shown = test["threshold"] is not None and still_shown(test, gone, float(figures["alpha"]))
        why = test["why"] if test["threshold"] is None else tell_withdrawn(gone)
        threshold = test["threshold"] if shown else None
        found.append(
            StratumPromise(
                test["name"], test["items"], threshold, test["n"], round(test["agreed"]), "" if shown else why
            )
        )
    return tuple(found)


def tell_strata(
    figures: Mapping[str, Any], strata: Sequence[StratumPromise], *, in_force: bool = True
) -> list[str]:
    """What a look shows of strata, a sentence each.

    Args:
        in_force: the certificate over all is.
    """
    shown = [str(one) for one in strata if one.threshold is not None]
    not_shown = [str(one) for one in strata if one.threshold is None]
    told = []
    if shown:
        each, alone = float(figures["delta"]) / len(strata), len(strata) == 1
        wrong = f"this is wrong with probability of at most {each:.2g}"
        if not alone:
            wrong = (
                f"each of these is wrong with probability of at most {each:.2g}, any of them with at most "
                f"{figures['delta']:.2g}"
            )
        beside = "" if in_force else "; nothing is accepted by it while there is no certificate over all"
        promise = f"at least {1 - figures['alpha']:.0%} agreement in each of these strata by itself"
        told.append(f"{promise}: {'; '.join(shown)}. {wrong[0].upper()}{wrong[1:]}{beside}")
    if not_shown:
        told.append(f"no promise of their own: {'; '.join(not_shown)}")
    few = figures.get("unpromised") or {}
    if few:
        named = [f"{shorten(name, LONGEST) or 'without a stratum'} ({n} items)" for name, n in few.items()]
        told.append(f"too few items for a promise of their own: {', '.join(named)}")
    return told
