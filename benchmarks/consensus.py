"""What the consensus gets right, beside plain references: simulated panels with a known truth, and recorded crowds.

    python -m benchmarks.consensus [--data FOLDER] [--draws 10] [-o consensus.json]
    python -m benchmarks.consensus --data FOLDER --crowd-kit    # crowds without any label, beside crowd-kit

Every figure is the accuracy on the items that nobody decided, averaged over the draws, after N random decisions. The
references are fitted on the same decisions: a logistic regression on the mean score, naive Bayes with a prior and two
error rates a judge, naive Bayes with a prior and pooled confusions, and always saying the commonest class.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solon.consensus.ballots import Floats, Ints, collect
from solon.consensus.dawid_skene import Aggregate, Crowd, dawid_skene
from solon.consensus.learn import Decision, fit
from solon.consensus.logit import fit_logit
from solon.consensus.mace import mace
from solon.consensus.panel import Vote, judge_item
from solon.consensus.replay import score_right
from solon.eval.replay.recorded import load

SIZES = (20, 50, 100)
CUT = 3.5
CRITERIA = ("correct", "complete", "clear", "safe")
CROWDS = ("labels_medical_response", "crowd_web", "crowd_rte", "crowd_bluebird")
SINGLE = ("accept", "reject")


@dataclass(frozen=True, slots=True)
class Panel:
    """Judged items with their truth.

    Attributes:
        votes: of each item.
        gold: index of the right outcome of each item.
        outcomes: what was chosen from.
    """

    votes: list[list[Vote]]
    gold: Ints
    outcomes: tuple[str, ...]


def scoring_panel(
    seed: int,
    items: int = 800,
    good: float = 0.37,
    means: Sequence[float] = (4.3, 4.0, 3.8),
    apart: float = 0.75,
) -> Panel:
    """Judges who score four criteria from 1 to 5 and rank well, and whose means lie over the cut.

    Args:
        apart: by how much what is good scores higher than what is not.
    """
    rng = np.random.default_rng(seed)
    truth = rng.random(items) < good
    votes: list[list[Vote]] = [[] for _ in range(items)]
    for judge, mean in enumerate(means):
        felt = mean + apart * (truth - good) + rng.normal(0.0, 0.7, items)
        by_criterion = felt[:, None] + rng.normal(0.0, 0.5, (items, len(CRITERIA)))
        scores = np.clip(np.round(by_criterion), 1, 5)
        for item, row in enumerate(scores):
            rated = dict(zip(CRITERIA, row.tolist(), strict=True))
            outcome = SINGLE[0] if row.mean() >= CUT else SINGLE[1]
            votes[item].append(Vote(f"judge-{judge}", seat=str(judge), outcome=outcome, rated=rated))
    return Panel(votes, np.where(truth, 0, 1), SINGLE)


def leaning_panel(
    seed: int, hits: Sequence[float], alarms: Sequence[float], good: float, items: int = 800
) -> Panel:
    """Judges who accept what is good and what is not with different chances.

    Args:
        hits: chance, by judge, that it accepts what is good.
        alarms: chance, by judge, that it accepts what is not.
        good: share of the good ones.
    """
    rng = np.random.default_rng(seed)
    truth = rng.random(items) < good
    accepts = rng.random((items, len(hits))) < np.where(truth[:, None], hits, alarms)
    votes = [
        [Vote(f"judge-{v}", seat=str(v), outcome=SINGLE[0 if yes else 1]) for v, yes in enumerate(row)]
        for row in accepts
    ]
    return Panel(votes, np.where(truth, 0, 1), SINGLE)


def lenient_panel(seed: int) -> Panel:
    """Three judges who accept nearly everything."""
    return leaning_panel(seed, (0.97, 0.95, 0.90), (0.75, 0.60, 0.70), 0.35)


def strict_panel(seed: int) -> Panel:
    """Three judges who reject nearly everything."""
    return leaning_panel(seed, (0.50, 0.60, 0.55), (0.05, 0.10, 0.20), 0.80)


def recorded_crowd(path: Path) -> Panel:
    """A recorded crowd: the items with a gold label and at least one verdict."""
    recording = load(path)
    items = [i for i in recording.items if i.gold in recording.outcomes and i.verdicts]
    gold = np.array([recording.outcomes.index(str(i.gold)) for i in items], dtype=np.int64)
    return Panel([list(i.verdicts) for i in items], gold, recording.outcomes)


def learned(panel: Panel, rows: Ints, *, correlation: float = 0.3) -> Floats:
    """What the consensus believes of every item after the decisions on some rows."""
    named = {str(i): votes for i, votes in enumerate(panel.votes)}
    decisions = [Decision(str(i), panel.outcomes[panel.gold[i]]) for i in rows.tolist()]
    model = fit(named, decisions, outcomes=panel.outcomes, correlation=correlation, calibration="none")
    return np.array([list(judge_item(model, votes).posterior.values()) for votes in panel.votes])


def by_logistic_regression(panel: Panel, rows: Ints) -> Floats:
    """A logistic regression of the answer on the mean of all scores, all but unpenalised."""
    mean = np.array(
        [np.mean([np.mean(list((v.rated or {}).values())) for v in said]) for said in panel.votes]
    )
    unit = (mean - mean[rows].mean()) / max(float(mean[rows].std()), 1e-6)
    feature = np.column_stack([np.ones(len(mean)), unit])
    x = np.zeros((len(mean), 2, 2))
    x[:, 0] = feature
    found = fit_logit(x[rows], np.eye(2)[panel.gold[rows]], np.zeros(2), np.array([1e-3, 1e-1]))
    return np.asarray(x @ found.weights)


def by_naive_bayes(panel: Panel, rows: Ints, *, pooled: bool = False) -> Floats:
    """Naive Bayes with a prior and confusions, one pseudo-count a cell.

    Args:
        pooled: one confusion matrix for all voters.
    """
    k = len(panel.outcomes)
    ballots = collect(panel.votes, panel.outcomes)
    target = np.eye(k)[panel.gold[rows]]
    counts = np.einsum("nj,nvl->vjl", target, ballots.shares[rows])
    if pooled:
        counts = np.broadcast_to(counts.sum(axis=0), counts.shape)
    likely = np.log((counts + 1.0) / (counts.sum(axis=2, keepdims=True) + k))
    return np.asarray(np.log(target.sum(axis=0) + 1.0) + np.einsum("nvl,vjl->nj", ballots.shares, likely))


def by_commonest(panel: Panel, rows: Ints) -> Floats:
    """Always the commonest class of the decisions."""
    counts = np.bincount(panel.gold[rows], minlength=len(panel.outcomes)).astype(np.float64)
    return np.tile(counts, (len(panel.gold), 1))


Method = Callable[[Panel, NDArray[np.int64]], Floats]
PLAIN: dict[str, Method] = {"commonest": by_commonest, "naive bayes": by_naive_bayes}
SIMULATED: dict[str, tuple[Callable[[int], Panel], dict[str, Method]]] = {
    "scores": (scoring_panel, {"logistic regression": by_logistic_regression}),
    "lenient": (lenient_panel, {}),
    "strict": (strict_panel, {}),
}


def compare(
    panels: Callable[[int], Panel], methods: Mapping[str, Method], draws: int, sizes: Sequence[int] = SIZES
) -> dict[str, dict[int, float]]:
    """The accuracy of each method after N decisions drawn at random, averaged over draws."""
    found: dict[str, dict[int, float]] = {name: dict.fromkeys(sizes, 0.0) for name in methods}
    for seed in range(draws):
        panel = panels(seed)
        turn = np.random.default_rng(1000 + seed).permutation(len(panel.gold))
        for size in sizes:
            test = turn[size:]
            for name, method in methods.items():
                right = score_right(method(panel, turn[:size])[test], panel.gold[test])
                found[name][size] += float(right.mean()) / draws
    return found


def beside_crowd_kit(panel: Panel) -> dict[str, tuple[float, float, float, float]]:
    """The accuracy on a crowd without any label, ours and crowd-kit's, and the CPU seconds of both, by method."""
    import pandas as pd
    from crowdkit import aggregation

    said = [(item, vote.judge, vote.outcome) for item, votes in enumerate(panel.votes) for vote in votes]
    frame = pd.DataFrame(said, columns=["task", "worker", "label"]).drop_duplicates(["task", "worker"])
    frame["label"] = frame["label"].map(panel.outcomes.index)
    worker, names = pd.factorize(frame["worker"])
    sizes = len(panel.votes), len(names), len(panel.outcomes)
    crowd = Crowd(frame["task"].to_numpy(), worker, frame["label"].to_numpy(), *sizes)
    rivals: dict[str, tuple[Callable[[Crowd], Aggregate], Any]] = {
        "dawid-skene": (dawid_skene, aggregation.DawidSkene(n_iter=50)),
        "mace": (mace, aggregation.MACE(random_state=0)),
    }
    found = {}
    for name, (ours, theirs) in rivals.items():
        begun = time.process_time()
        mine = ours(crowd).posterior.argmax(axis=1)
        between = time.process_time()
        other = theirs.fit_predict(frame).sort_index().to_numpy()
        ended = time.process_time()
        right, of_theirs = (float((one == panel.gold).mean()) for one in (mine, other))
        found[name] = (right, of_theirs, between - begun, ended - between)
    return found


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of recorded crowds; default: simulations only")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--crowd-kit", action="store_true", help="beside crowd-kit, which must be installed")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.crowd_kit:
        for name in CROWDS[1:]:
            crowd = recorded_crowd(options.data / f"{name}.jsonl")
            for method, (mine, theirs, seconds, of_theirs) in beside_crowd_kit(crowd).items():
                print(f"{name:16} {method:12} {mine:.3f} ({theirs:.3f}), {seconds:.3f} and {of_theirs:.3f} s")
        return
    found = {
        name: compare(panels, {"solon": learned, **PLAIN, **more}, options.draws)
        for name, (panels, more) in SIMULATED.items()
    }
    for name in CROWDS if options.data else ():
        panel = recorded_crowd(options.data / f"{name}.jsonl")
        pooled: Method = lambda panel, rows: by_naive_bayes(panel, rows, pooled=True)  # noqa: E731
        people: Method = lambda panel, rows: learned(panel, rows, correlation=0.0)  # noqa: E731
        methods = {"solon": people, **PLAIN, "pooled confusions": pooled}
        sizes = [size for size in SIZES if size <= 0.8 * len(panel.gold)]
        found[name] = compare(lambda _, panel=panel: panel, methods, options.draws, sizes)  # type: ignore[misc]
    for name, methods_found in found.items():
        for method, figures in methods_found.items():
            told = "  ".join(f"{size}: {value:.3f}" for size, value in figures.items())
            print(f"{name:28} {method:22} {told}")
    if options.output:
        options.output.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
