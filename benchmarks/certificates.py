"""Certificates by simulation with known truth: how often one is false, and how often one is granted.

`python -m benchmarks.certificates [--projects 2000]`. Every project has a population of items, a panel, experts, and a
pilot of random items that grows by planned looks, each with cross-fitted scores as a run has them (`solon.consensus`).
Where agreement lies just under the promise whatever the panel says (the least favourable truth), every certificate is
false; elsewhere one is false where what it accepts agrees less than it promises. Intervals are exact, 95 %.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from solon.consensus.ballots import Ballots, Floats, Ints, collect
from solon.consensus.binomial import clopper_pearson
from solon.consensus.certify import certify
from solon.consensus.crossfit import FOLDS, cuts_in, place_in, threshold_at
from solon.consensus.looks import look_needed, plan_look
from solon.consensus.panel import Vote
from solon.consensus.probes import plan_probes
from solon.consensus.replay_trust import confidence_in
from solon.consensus.strata import plan_strata

OUTCOMES = ("a", "b", "c", "d", "e")
Rate = Callable[[Floats], Floats]
"""Agreement of an item from the share of the panel that holds its commonest outcome."""


def just_under(alpha: float) -> Rate:
    """The same everywhere, a hair under the promise."""
    return lambda share: np.full_like(share, 1.0 - alpha - 0.001)


def cliff(alpha: float) -> Rate:
    """Kept by a little where the panel is of one mind, and not at all elsewhere."""
    return lambda share: np.where(share > 0.99, 1.0 - alpha + 0.02, 1.0 - 2.0 * alpha)


def worst_on_top(alpha: float) -> Rate:
    """The panel is wrong most often where it is of one mind."""
    return lambda share: np.where(share > 0.99, 1.0 - 1.5 * alpha, 1.0 - 0.5 * alpha)


def constant(rate: float) -> Rate:
    """The same everywhere."""
    return lambda share: np.full_like(share, rate)


@dataclass(frozen=True)
class World:
    """A population of items.

    Attributes:
        ballots: what the panel says.
        best: the commonest outcome of each item.
        rate: probability that an expert holds it.
        said: what the expert holds.
    """

    ballots: Ballots
    best: Ints
    rate: Floats
    said: Ints


def make_world(
    rng: np.random.Generator,
    rate: Rate,
    *,
    items: int = 400,
    k: int = 2,
    judges: int = 4,
    changes: bool = False,
) -> World:
    """A population whose judges are right independently, .65 to .85 of the time.

    Args:
        changes: the second half of the items is judged by other judges, under the same names.
    """
    truth = rng.integers(k, size=items)
    accuracy = np.tile(rng.uniform(0.65, 0.85, judges), (items, 1))
    if changes:
        accuracy[items // 2 :] = rng.uniform(0.65, 0.85, judges)
    right = rng.random((items, judges)) < accuracy
    other = (truth[:, None] + rng.integers(1, k, size=(items, judges))) % k
    said = np.where(right, truth[:, None], other)
    votes = [[Vote(f"judge-{j}", seat="s", outcome=OUTCOMES[v]) for j, v in enumerate(row)] for row in said]
    ballots = collect(votes, OUTCOMES[:k])
    best = ballots.votes.argmax(axis=1)
    share = ballots.votes.max(axis=1) / ballots.votes.sum(axis=1)
    agrees = rate(share)
    elsewhere = (best + rng.integers(1, k, size=items)) % k
    return World(ballots, best, agrees, np.where(rng.random(items) < agrees, best, elsewhere))


@dataclass(frozen=True)
class Granted:
    """A certificate.

    Attributes:
        look: number of the look that granted it.
        agreement: of what it accepts, in truth.
        coverage: share of all items that it accepts.
    """

    look: int
    agreement: float
    coverage: float


@dataclass(frozen=True)
class Scored:
    """Decisions as a look tests them.

    Attributes:
        place: cross-fitted score of each row.
        agreed: 1 where the panel agreed.
        sure: confidence of every item by the version in force.
        truth: probability that an expert holds what that version finds.
    """

    place: Floats
    agreed: Floats
    sure: Floats
    truth: Floats

    def accepted(self, cut: float | None) -> Ints:
        """The items that a threshold at this place accepts; none without one."""
        return (
            np.flatnonzero(self.sure >= threshold_at(self.sure, cut)) if cut is not None else np.zeros(0, int)
        )


def score_rows(world: World, rows: Ints, missing: Ints, fold: Ints, luck: Floats) -> Scored:
    """The decisions on some rows; those missing of them were passed over."""
    answered = np.setdiff1d(rows, missing, assume_unique=True)
    place, agreed = np.zeros(len(rows)), np.zeros(len(rows))
    for f in range(FOLDS):
        mine = fold[rows] == f
        if not mine.any():
            continue
        sure, best = confidence_in(world.ballots, answered[fold[answered] != f], world.said)
        place[mine] = place_in(sure, sure[rows[mine]], luck[rows[mine]])
        agreed[mine] = best[rows[mine]] == world.said[rows[mine]]
    agreed[np.isin(rows, missing)] = 0.0
    sure, best = confidence_in(world.ballots, answered, world.said)
    return Scored(place, agreed, sure, np.where(best == world.best, world.rate, 0.0))


def take_look(
    world: World, rows: Ints, missing: Ints, fold: Ints, luck: Floats, alpha: float, delta: float, number: int
) -> Granted | None:
    """One look at the decisions on some rows; those missing of them were passed over."""
    scored = score_rows(world, rows, missing, fold, luck)
    found = certify(scored.place, scored.agreed, alpha=alpha, delta=delta, cuts=cuts_in(scored.sure))
    if found.threshold is None:
        return None
    inside = scored.accepted(found.threshold)
    return Granted(number, float(scored.truth[inside].mean()), len(inside) / len(scored.sure))


@dataclass(frozen=True)
class StrataPath:
    """Strata of which some or all agree a hair less than is promised, so that each promise of those is false.

    Attributes:
        name: of the path.
        alpha: disagreement that is allowed.
        first: items of the pilot.
        shares: of the items, by stratum.
        others: agreement of the first stratum; None: just under, as in the others.
        looks: the pilot grows to, until one of them certifies over all.
        k: outcomes.
    """

    name: str
    alpha: float
    first: int
    shares: tuple[float, ...]
    others: float | None = None
    looks: int = 1
    k: int = 2

    @property
    def many(self) -> bool:
        """Whether as many projects are simulated as are asked for; elsewhere 300."""
        return self.alpha == 0.10 and self.k == 2


STRATA = tuple(
    StrataPath(name, alpha, first, shares, others, looks, k)
    for looks, k in ((1, 2), (2, 2), (2, 5))
    for alpha, first in ((0.10, 120), (0.20, 60))
    for name, shares, others in (
        ("one of two just under", (0.8, 0.2), 0.99),
        ("both just under", (0.8, 0.2), None),
        ("all of five just under", (0.4, 0.15, 0.15, 0.15, 0.15), None),
    )
)


@dataclass(frozen=True)
class StrataWorld:
    """A project with strata.

    Attributes:
        stratum: of each item.
        turn: the items in the random order.
        fold: of each item, in the cross-fit.
        luck: that breaks the ties of each item.
        fewest: decisions that each promised stratum is drawn at least.
        promised: the strata with a promise of their own.
    """

    world: World
    stratum: Ints
    turn: Ints
    fold: Ints
    luck: Floats
    fewest: int
    promised: tuple[int, ...]


def make_strata(path: StrataPath, number: int, items: int) -> StrataWorld:
    """The project of this number."""
    rng = np.random.default_rng([number, path.first, len(path.shares), int(path.others is None)])
    world = make_world(rng, just_under(path.alpha), items=items, k=path.k)
    stratum = rng.choice(len(path.shares), p=path.shares, size=items)
    if path.others is not None:
        keeps = stratum == 0
        agrees = rng.random(items) < path.others
        said = np.where(keeps, np.where(agrees, world.best, (world.best + 1) % path.k), world.said)
        world = World(world.ballots, world.best, np.where(keeps, path.others, world.rate), said)
    turn, fold, luck = rng.permutation(items), rng.integers(FOLDS, size=items), rng.random(items)
    plan = plan_strata({str(s): int((stratum == s).sum()) for s in range(len(path.shares))}, path.alpha, 0.1)
    return StrataWorld(world, stratum, turn, fold, luck, plan.fewest, tuple(sorted(map(int, plan.promised))))


def promise_strata(path: StrataPath, number: int, *, items: int = 480) -> tuple[bool, bool, bool]:
    """One project with strata: whether a promise of a stratum is granted by any of its looks, whether one of them is
    false, and whether the stratum that keeps more than is promised has one."""
    made = make_strata(path, number, items * 2 ** (path.looks - 1))
    found = []
    for look in range(path.looks):
        granted, over = look_at_strata(path, made, look)
        found += granted
        if over:
            break
    false = any(agreement < 1.0 - path.alpha - 1e-9 for _, agreement in found)
    return bool(found), false, path.others is not None and any(own == 0 for own, _ in found)


def look_at_strata(path: StrataPath, made: StrataWorld, number: int) -> tuple[list[tuple[int, float]], bool]:
    """The strata that one look promises something of, each with the agreement of what is accepted of it, in truth; and
    whether the look certifies over all."""
    look = plan_look(path.first, number, 0.1)
    main = made.turn[: look.size]
    samples = {}
    for own in made.promised:
        order = made.turn[made.stratum[made.turn] == own]
        samples[own] = order[: max(int((made.stratum[main] == own).sum()), made.fewest)]
    rows = np.concatenate([main, *(np.setdiff1d(sample, main) for sample in samples.values())])
    scored = score_rows(made.world, rows, np.zeros(0, dtype=np.int64), made.fold, made.luck)
    cuts, size = cuts_in(scored.sure), len(main)
    over_all = certify(
        scored.place[:size], scored.agreed[:size], alpha=path.alpha, delta=look.delta, cuts=cuts
    )
    granted = []
    for own, sample in samples.items():
        mine = np.isin(rows, sample)
        found = certify(
            scored.place[mine], scored.agreed[mine], alpha=path.alpha, delta=look.delta / len(samples), cuts=cuts,
            floor=over_all.threshold or 0.0,
        )  # fmt: skip
        inside = scored.accepted(found.threshold)
        inside = inside[made.stratum[inside] == own]
        if found.threshold is not None and len(inside):
            granted.append((own, float(scored.truth[inside].mean())))
    return granted, over_all.threshold is not None


def measure_strata(path: StrataPath, projects: int) -> tuple[int, int, int]:
    """In how many of so many projects a promise of a stratum is granted, in how many any of them is false, and in how
    many the stratum that keeps more than is promised has one."""
    found = [promise_strata(path, number) for number in range(projects)]
    return sum(g for g, _, _ in found), sum(f for _, f, _ in found), sum(k for _, _, k in found)


def run_project(
    rng: np.random.Generator, rate: Rate, *, first: int, looks: int, alpha: float, delta: float = 0.1, k: int = 2,
    items: int = 400, sly: bool = False,
) -> Granted | None:  # fmt: skip
    """One project: a look at the pilot, then at twice as many, until one certifies or they are over.

    Args:
        sly: whoever answers sees what the panel says, leaves out the questions on which it is wrong as long as looks
            are taken with gaps, has a look taken, and then fills them and has it repeated.
    """
    world = make_world(rng, rate, items=items, k=k)
    turn, fold, luck = rng.permutation(items), rng.integers(FOLDS, size=items), rng.random(items)
    for number in range(looks):
        look = plan_look(first, number, delta)
        rows = turn[: look.size]
        gaps: list[Ints] = [np.zeros(0, dtype=np.int64)]
        if sly:
            wrong = rows[world.best[rows] != world.said[rows]]
            gaps.insert(0, wrong[: int(alpha * len(rows))])
        for missing in gaps:
            found = take_look(world, rows, missing, fold, luck, alpha, look.delta, number)
            if found is not None:
                return found
    return None


@functools.cache
def covered_after_change(seed: int, first: int, k: int, items: int) -> int:
    """How many of so many items a certificate accepts after a change of the panel, by the version of before."""
    rng = np.random.default_rng([seed, first, k])
    world = make_world(rng, constant(0.99), items=2 * items, k=k, changes=True)
    sure, _ = confidence_in(world.ballots, rng.permutation(items)[:first], world.said)
    cut = np.quantile(sure[:items], 0.25)  # the least confident quarter was not covered
    return int((sure[items:] >= cut).sum())


def carry_over(number: int, *, first: int, alpha: float, delta: float = 0.1, k: int = 2) -> Granted | None:
    """The probes of a certificate after a change of the panel, where one item more disagrees than may: the least
    favourable truth, since which ones they are makes no difference to a simple random sample. Ten projects share the
    panel."""
    rng, items = np.random.default_rng([number, first, k, 7]), 400
    covered = covered_after_change(number // 10, first, k, items)
    plan = plan_probes(alpha, delta, items=covered)
    if plan is None:
        return None
    agrees = rng.permutation(covered) > int(covered * alpha + 1e-9)
    if not plan.passes(int(agrees[: plan.asked].sum())):
        return None
    return Granted(0, float(agrees.mean()), covered / items)


@dataclass(frozen=True)
class Path:
    """A way to a certificate under a truth where most or all of them are false."""

    name: str
    rate: Callable[[float], Rate]
    alpha: float
    first: int
    looks: int = 1
    k: int = 2
    sly: bool = False
    many: bool = False
    carried: bool = False


PATHS = (
    Path("pilot", just_under, 0.10, 60, many=True),
    Path("pilot", just_under, 0.10, 120, many=True),
    Path("pilot", just_under, 0.20, 60),
    Path("pilot", just_under, 0.05, 240),
    Path("pilot, five labels", just_under, 0.10, 120, k=5),
    Path("pilot, five labels", just_under, 0.20, 60, k=5),
    Path("pilot, five labels", just_under, 0.05, 240, k=5),
    Path("extended twice", just_under, 0.10, 60, looks=3, many=True),
    Path("extended twice", just_under, 0.20, 60, looks=3),
    Path("extended twice, five labels", just_under, 0.20, 60, looks=3, k=5),
    Path("answers with the panel in sight", just_under, 0.10, 60, looks=2, sly=True, many=True),
    Path("answers with the panel in sight", just_under, 0.20, 60, looks=2, sly=True),
    Path("kept where of one mind only", cliff, 0.10, 120),
    Path("wrong where of one mind", worst_on_top, 0.20, 60),
    *(
        Path("carried over", just_under, alpha, first, k=k, carried=True, many=True)
        for alpha, first in ((0.05, 240), (0.10, 120), (0.20, 60))
        for k in (2, 5)
    ),
)


def measure_false(path: Path, projects: int) -> tuple[int, int]:
    """How many of so many projects end with a false certificate, and with any."""
    false = granted = 0
    for number in range(projects):
        rng = np.random.default_rng(
            [number, path.first, round(path.alpha * 100), path.k, path.looks, path.sly]
        )
        if path.carried:
            found = carry_over(number, first=path.first, alpha=path.alpha, k=path.k)
            granted += found is not None
            false += found is not None and found.agreement < 1.0 - path.alpha - 1e-9
            continue
        found = run_project(
            rng, path.rate(path.alpha), first=path.first, looks=path.looks, alpha=path.alpha, k=path.k,
            items=max(400, 2 * path.first * 2 ** (path.looks - 1)), sly=path.sly,
        )  # fmt: skip
        granted += found is not None
        false += found is not None and found.agreement < 1.0 - path.alpha - 1e-9
    return false, granted


def hold_with_panel(world: World, rows: Ints, fold: Ints, *, rounds: int = 12) -> World:
    """The same world whose experts hold on these rows what the panel finds, learnt from the answers of the other folds.

    Where four judges are two against two, or weights learnt from few answers turn three against two, that is another
    outcome than the commonest; experts who hold the commonest do not agree with the panel there.
    """
    for _ in range(rounds):
        said = world.said.copy()
        for f in range(FOLDS):
            _, best = confidence_in(world.ballots, rows[fold[rows] != f], world.said)
            mine = rows[fold[rows] == f]
            said[mine] = best[mine]
        if (said == world.said).all():
            break
        world = replace(world, said=said)
    return world


def measure_power(
    items: int, rate: float, alpha: float, projects: int, *, looks: int = 1, with_panel: bool = False
) -> tuple[int, int, int]:
    """The pilot of a run of so many items, how many of so many projects get a certificate by its first look, and how
    many by the look that a refusal names.

    The agreement that a refusal goes by is what its own pilot showed. `with_panel`: experts hold what the panel finds,
    else the commonest outcome of the votes as often as `rate` says.
    """
    first = min(round(12 / alpha), max(1, items // 4))
    granted = named = 0
    for number in range(projects):
        rng = np.random.default_rng([number, items, round(rate * 1000)])
        world = make_world(rng, constant(rate), items=max(items, 8 * first) if looks > 1 else items)
        turn = rng.permutation(len(world.best))
        fold, luck = rng.integers(FOLDS, size=len(turn)), rng.random(len(turn))
        look, rows = plan_look(first, 0, 0.1), turn[:first]
        none = np.zeros(0, dtype=np.int64)
        if with_panel:
            world = hold_with_panel(world, rows, fold)
        if take_look(world, rows, none, fold, luck, alpha, look.delta, 0) is not None:
            granted += 1
            continue
        agreement = float((world.best[rows] == world.said[rows]).mean())
        needed = look_needed(first, look, alpha, 0.1, agreement, agreement, len(turn)) if looks > 1 else None
        if needed is not None:
            rows = turn[: needed.size]
            named += take_look(world, rows, none, fold, luck, alpha, needed.delta, needed.number) is not None
    return first, granted, named


def power_at_named(first: int, rate: float, alpha: float, projects: int) -> tuple[int, int]:
    """The number of questions that a refusal names where the agreement is what it seems, and how many of so many
    projects get a certificate there."""
    needed = look_needed(first, plan_look(first, 0, 0.1), alpha, 0.1, rate, rate, 100_000)
    if needed is None:
        return 0, 0
    granted = 0
    for number in range(projects):
        rng = np.random.default_rng([number, first, needed.size])
        world = make_world(rng, constant(rate), items=needed.size)
        rows, fold, luck = (
            np.arange(needed.size),
            rng.integers(FOLDS, size=needed.size),
            rng.random(needed.size),
        )
        none = np.zeros(0, dtype=np.int64)
        granted += take_look(world, rows, none, fold, luck, alpha, needed.delta, needed.number) is not None
    return needed.size, granted


def _spell(k: int, n: int) -> str:
    low, high = clopper_pearson(k, n)
    return f"{k} of {n}, {k / n:.3f} [{low:.3f}, {high:.3f}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=2000, help="where many are asked for; elsewhere 300")
    parser.add_argument("--only", choices=("false", "power", "strata"), default=None)
    parser.add_argument("--path", default="", help="only paths whose name begins so")
    given = parser.parse_args(arguments)
    if given.only in (None, "false"):
        for path in (path for path in PATHS if path.name.startswith(given.path)):
            began, n = time.perf_counter(), given.projects if path.many else min(300, given.projects)
            false, granted = measure_false(path, n)
            sys.stdout.write(
                f"| {path.name} | {path.alpha:g} | {path.first} | {path.k} | {_spell(false, n)} | {granted} granted "
                f"| {time.perf_counter() - began:.0f} s |\n"
            )
            sys.stdout.flush()
    if given.only in (None, "strata"):
        for kind in STRATA:
            n = given.projects if kind.many else min(300, given.projects)
            granted, false, kept = measure_strata(kind, n)
            sys.stdout.write(
                f"| strata: {kind.name} | {kind.alpha:g} | {kind.first} | {kind.k} | {kind.looks} looks | "
                f"{_spell(false, n)} | {granted} granted, {kept} where more is kept |\n"
            )
            sys.stdout.flush()
    if given.only in (None, "power"):
        few = min(300, given.projects)
        for with_panel, items in itertools.product((True, False), (100, 240, 480, 2000)):
            first, granted, _ = measure_power(items, 1.0, 0.1, few, with_panel=with_panel)
            whom = "what the panel finds" if with_panel else "the commonest vote"
            sys.stdout.write(f"| hold {whom} | {items} items | pilot {first} | {_spell(granted, few)} |\n")
            sys.stdout.flush()
        for items in (480, 800):
            first, granted, named = measure_power(items, 0.95, 0.1, few, looks=2)
            refused = few - granted
            sys.stdout.write(
                f"| agree .95 | {items} items | pilot {first} | {_spell(granted, few)} "
                f"| then at the look that the refusal names {_spell(named, refused)} of the refused |\n"
            )
            sys.stdout.flush()
        for first, rate in ((60, 0.96), (120, 0.95), (120, 0.97)):
            size, granted = power_at_named(first, rate, 0.1, few)
            sys.stdout.write(f"| named after {first}, agreement {rate} | {size} | {_spell(granted, few)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
