"""Replay recorded panels with recorded people as the experts: what Solon would have asked, and what that was
worth.

Reading is in ``recorded``, statistics in ``solon.consensus``; this module joins them into one report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solon.consensus import replay as figures
from solon.consensus import replay_trust as trust
from solon.consensus.ballots import Ballots, Floats, Ints, collect
from solon.consensus.calibrate import measure_aurc, measure_auroc
from solon.consensus.certify import certify
from solon.consensus.crossfit import cuts_in, threshold_at
from solon.consensus.looks import plan_look
from solon.consensus.model import PRIOR_CORRELATION, ConsensusModel
from solon.consensus.panel import Consensus
from solon.consensus.resample import mean_interval
from solon.errors import UsageError
from solon.eval.replay.people import find_ceiling, measure_crowd, measure_reviewers
from solon.eval.replay.recorded import RecordedItem, Recording, load
from solon.questions import PAIR

REVIEWERS = ("oracle", "single", "worker")
CERTIFIED = (0.1, 0.2)
PILOTS = (60, 120, 200)
"""Decisions of a pilot whose certificate is replayed."""
FEW = (20, 50, 100)
"""Decisions after which the confidence is measured."""
_PLAIN = r"(always|never|disagreement|threshold|pilot|budget)(?:\(([0-9.]+)\))?"
_POLICY = re.compile(rf"^{_PLAIN}$|^(certified)(?:\((0?\.[0-9]+)(?:, *(0?\.[0-9]+))?\))?$")


@dataclass(frozen=True, slots=True)
class Routed:
    """What the graph did with one recorded item.

    Attributes:
        item: id of the item.
        consensus: what the panel thinks of it.
        route: where routing sent it (accept, review, ...).
        asked: whether the recorded people were asked about it, sooner or later.
        final: `A` or `B`, which its record chose; None where it chose neither.
    """

    item: str
    consensus: Consensus
    route: str
    asked: bool = False
    final: str | None = None


RunGraph = Callable[[Sequence[RecordedItem], ConsensusModel, str], Sequence[Routed]]
"""Runs the real graph: items with their recorded verdicts, the consensus version in force, the policy."""


def replay(
    path: str | Path, *, panel: Sequence[str] | None = None, subset: str | None = None, labels: int = 20,
    reviewer: str = "oracle", budget: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.5), alpha: float | None = None,
    delta: float = 0.1, policy: str = "never", seed: int = 0, seeds: int = 100, draws: int = 100,
    plots: str | Path | None = None, run_graph: RunGraph | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return one report of a recorded file, ready for JSON: what Solon would have asked, and what that had
    been worth.

    Args:
        panel, subset: as of ``recorded.load``.
        labels: decisions known beforehand.
        reviewer: ``oracle``, ``single`` or ``worker``, see ``people.measure_reviewers``.
        budget: shares of the items that people are asked about.
        alpha: of the certification; None certifies at .10 and .20.
        delta: of the certification.
        policy: of routing.
        seeds: random draws of labels (at least 20).
        draws: random pilots of the certification.
        plots: folder to draw into; None: no plots.
        run_graph: runs the real graph; without it verdicts are judged directly, and the report says so.

    Raises:
        UsageError: a file or option makes no sense.
    """
    _check(reviewer, budget, policy, seeds)
    recording = load(path, panel=panel, subset=subset, seed=seed)
    items = usable_items(path, recording)
    ballots = collect([i.verdicts for i in items], recording.outcomes)
    gold = np.array([recording.outcomes.index(i.gold) for i in items if i.gold is not None], dtype=np.int64)
    crowd = recording.kind == "labels"
    correlation = 0.0 if crowd else PRIOR_CORRELATION
    seeds = min(seeds, 20) if len(ballots.channels) > 30 else seeds
    report: dict[str, Any] = {
        "file": recording.file, "subset": subset, "kind": recording.kind, "n": len(items),
        "rows": len(recording.items), "dirt": dict(recording.dirt),
        "panel": list(recording.judges())[:200], "voters": len(ballots.voters),
        "outcomes": list(recording.outcomes), "labels": labels, "seed": seed, "engine": "direct",
    }  # fmt: skip
    report["majority"] = figures.measure_majority(ballots, gold, seed)
    sizes = sorted({*figures.SIZES, labels})
    curve = figures.measure_learning(
        ballots, gold, sizes=sizes, seeds=seeds, correlation=correlation, seed=seed
    )
    report["learned"] = curve.figures
    shares = sorted({0.0, *budget})
    plain = figures.score_right(ballots.votes, gold)
    margin = figures.gap(ballots.votes)
    report["routed"] = figures.measure_routing(margin, plain, shares, seed)
    report["routed_learned"] = figures.measure_routing_learned(curve, gold, shares, seed)
    report["unanimous"] = figures.measure_unanimous(ballots, gold)
    report["calibration"] = trust.measure_calibration(ballots, gold, seed=seed, correlation=correlation)
    report["calibration"]["after"] = [
        trust.measure_calibration_after(ballots, gold, labels=few, seed=seed, correlation=correlation)
        for few in FEW
        if few <= 0.8 * len(gold)
    ]
    report["certified"] = _certified(ballots, gold, alpha, delta, draws, seed, correlation)
    report["reviewer"] = measure_reviewers(
        recording, items, ballots, gold, reviewer, labels, shares, seed, correlation
    )
    report["ceiling"] = find_ceiling(items, recording)
    if crowd:
        report["crowd"] = measure_crowd(items, recording, gold)
    if recording.kind == "scores":
        report["scores"] = _scores(items, gold, recording, panel, seed)
    if policy != "never" or run_graph is not None:
        report["policy"] = _policy(
            policy, items, ballots, gold, labels, margin, plain, seed, correlation, alpha or 0.1, delta
        )
    if run_graph is not None and recording.outcomes == PAIR.outcomes:
        report["engine"] = "graph"
        report["graph"] = _graph(run_graph, items, ballots, gold, recording, policy)
    if plots is not None:
        from solon.eval.plots import draw

        report["plots"] = draw(report, Path(plots))
    return report


def usable_items(path: str | Path, recording: Recording) -> list[RecordedItem]:
    """Items of a recording that have verdicts and an answer on which people agree.

    Raises:
        UsageError: there are hardly any.
    """
    items = [i for i in recording.items if i.gold in recording.outcomes and i.verdicts]
    if len(items) < 10:
        raise UsageError(
            f"{path}: {len(items)} items have verdicts and an agreed answer, ten are the least for any figure",
            next_step="choose another panel, subset or file",
        )
    return items


def _certified(
    ballots: Ballots,
    gold: Ints,
    alpha: float | None,
    delta: float,
    draws: int,
    seed: int,
    correlation: float,
) -> list[dict[str, Any]]:
    """At the asked level, or at .10 and .20, for pilots of each size; by the learned score, which many channels make
    slow, and by the margin."""
    fewer = min(draws, 20) if len(ballots.channels) > 30 else draws
    return [
        trust.measure_certification(
            ballots, gold, alpha=level, delta=delta, pilot=pilot, draws=draws if score == "margin" else fewer,
            seed=seed, correlation=correlation, score=score,
        )
        for level in (CERTIFIED if alpha is None else (alpha,))
        for pilot in PILOTS
        for score in ("learned", "margin")
    ]  # fmt: skip


def _check(reviewer: str, budget: Sequence[float], policy: str, seeds: int) -> None:
    if reviewer not in REVIEWERS:
        raise UsageError(
            f"no reviewer {reviewer!r} in a replay", next_step=f"choose one of {', '.join(REVIEWERS)}"
        )
    for share in budget:
        if not 0.0 <= share <= 1.0:
            raise UsageError(
                f"budget {share!r} is no fraction of the items", next_step="give fractions, .2 for 20%"
            )
    if _POLICY.match(policy) is None:
        raise UsageError(
            f"no policy {policy!r}",
            next_step="always, never, disagreement, threshold(t), pilot(n), certified(alpha, delta), budget(fraction)",
        )
    if seeds < 1:
        raise UsageError(f"seeds={seeds}", next_step="use at least 20")


def _scores(
    items: Sequence[RecordedItem], gold: Ints, recording: Recording, panel: Sequence[str] | None, seed: int
) -> dict[str, Any]:
    judges: dict[str, Any] = {}
    kept: dict[str, tuple[Floats, Floats]] = {}
    for seat in recording.judges():
        tables = [[v.scores for v in i.verdicts if v.seat == seat and v.scores is not None] for i in items]
        if min(map(len, tables)) == 0:
            continue
        scores = np.full((len(items), len(recording.outcomes), max(map(len, tables))), np.nan)
        for row, table in enumerate(tables):
            scores[row, :, : len(table)] = np.array(table).T
        judges[seat], margin, right = trust.measure_score_judge(scores, gold, seed)
        kept[seat] = (margin, right)
    named = [p for p in panel or () if p in kept]
    if len(named) == 2:
        pairs = [(named[0], named[1])]
    else:
        strong = max(kept, key=lambda s: judges[s]["accuracy"], default="")
        pairs = [(s, strong) for s in kept if s != strong]
    cascades = [
        {"cheap": c, "strong": s} | trust.measure_cascade(kept[c][0], kept[c][1], kept[s][1], seed=seed)
        for c, s in pairs
    ]
    return {"judges": judges, "cascade": cascades}


def _policy(
    policy: str, items: Sequence[RecordedItem], ballots: Ballots, gold: Ints, labels: int, margin: Floats,
    plain: Floats,
    seed: int, correlation: float, alpha: float, delta: float,
) -> dict[str, Any]:  # fmt: skip
    """What one policy would have sent to an oracle, with ``labels`` (or the pilot's) decisions known before."""
    match = _POLICY.match(policy)
    assert match is not None
    name, figure = match.group(1) or match.group(3), float(match.group(2)) if match.group(2) else None
    if name == "certified":
        alpha, delta = float(match.group(4) or alpha), float(match.group(5) or delta)
    known = int(figure) if name == "pilot" and figure else max(labels, 0)
    turn = np.random.default_rng(seed).permutation(len(gold))
    known = min(known, len(gold) // 2)
    train, test = turn[:known], turn[known:]
    logits = figures.learn(ballots, train, gold, correlation).logits(ballots)
    top, right = trust.top_of(logits), figures.score_right(logits, gold)
    asked = np.zeros(len(test), dtype=bool)
    out: dict[str, Any] = {"policy": policy, "known_beforehand": known}
    if name == "always":
        asked[:] = True
    elif name == "disagreement":
        cast = ballots.votes[test].sum(axis=1)
        asked = ballots.votes[test].max(axis=1) < cast - 1e-9
    elif name == "threshold":
        asked = top[test] < (0.9 if figure is None else figure)
    elif name == "budget":
        share = 0.2 if figure is None else figure
        count = round(share * len(test)) if share <= 1.0 else min(round(share), len(test))
        asked[np.argsort(top[test], kind="stable")[:count]] = True
    elif name in ("pilot", "certified"):
        sure, place, agreed = trust.crossfit_pilot(ballots, train, gold, seed, correlation)
        look = plan_look(len(train), 0, delta)
        certificate = certify(place, agreed, alpha=alpha, delta=look.delta, cuts=cuts_in(sure))
        out["certificate"] = {**certificate.to_json(), "delta": delta}
        cut = certificate.threshold
        asked = ~asked if cut is None else sure[test] < threshold_at(sure, cut)
    final = np.where(asked, 1.0, right[test])
    kept = right[test][~asked]
    out |= {
        "asked": int(asked.sum()), "asked_share": float(asked.mean()), "n": len(test),
        "accepted_agreement": float(kept.mean()) if len(kept) else None,
        "accepted_ci": list(mean_interval(kept)) if len(kept) else None,
        "final": float(final.mean()), "final_ci": list(mean_interval(final)),
    }  # fmt: skip
    return out


def _graph(
    run_graph: RunGraph,
    items: Sequence[RecordedItem],
    ballots: Ballots,
    gold: Ints,
    recording: Recording,
    policy: str,
) -> dict[str, Any]:
    """Runs every item through the graph under the prior and compares with the same verdicts judged directly."""
    model = ConsensusModel.prior(recording.outcomes)
    results: Mapping[str, Routed] = {r.item: r for r in run_graph(items, model, policy)}
    missing = [i.id for i in items if i.id not in results]
    strength = np.zeros((len(items), len(recording.outcomes)))
    routes: dict[str, int] = {}
    for row, item in enumerate(items):
        routed = results.get(item.id)
        if routed is not None:
            strength[row] = [routed.consensus.posterior.get(o, 0.0) for o in recording.outcomes]
            routes[routed.route] = routes.get(routed.route, 0) + 1
    right = figures.score_right(strength, gold)
    score = figures.gap(strength)
    final = np.array([float(results[i.id].final == i.gold) if i.id in results else 0.0 for i in items])
    asked = sum(routed.asked for routed in results.values())
    return {
        "with_experts": {"asked": asked, "accuracy": float(final.mean()), "ci": list(mean_interval(final))},
        "items": len(results), "missing": missing[:20], "routes": routes, "accuracy": float(right.mean()),
        "ci": list(mean_interval(right)), "auroc": measure_auroc(score, right), "aurc": measure_aurc(score, right),
        "same_as_direct": float(
            np.mean(np.abs(strength - _direct(model, items)).max(axis=1) < 1e-9)
        ),
    }  # fmt: skip


def _direct(model: ConsensusModel, items: Sequence[RecordedItem]) -> Floats:
    from solon.consensus.panel import judge_item

    return np.array([[judge_item(model, i.verdicts).posterior[o] for o in model.outcomes] for i in items])
