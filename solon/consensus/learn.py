"""Learning the next consensus version from decisions. Imports numpy only, no I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solon.consensus.ballots import Ballots, Floats, collect
from solon.consensus.calibrate import calibrate_isotonic, calibrate_venn_abers, fit_confidence
from solon.consensus.logit import log_softmax
from solon.consensus.model import OTHERS, PRIOR_CORRELATION, Calibration, ConsensusModel
from solon.consensus.panel import TIE, Vote, critic_against, judge_item, lead_of, share_of
from solon.consensus.terms import Terms, learn_terms
from solon.consensus.tiers import tier_reached, up_to
from solon.consensus.traits import UNKNOWN, Traits
from solon.consensus.weights import Weights, learn_weights
from solon.errors import ConfigError

SIGNALS = ("flips", "within_voter", "tie_share", "sample_variance", "critic_against", "said_doubt")
"""Signals that calibration listens to besides the posterior; each is 0 where the panel is of one mind."""


@dataclass(frozen=True, slots=True)
class Decision:
    """An expert's answer to one item, as learning sees it.

    Attributes:
        item: name of the item.
        outcome: one of the outcomes; ``"tie"``, which weighs half for each; or anything else (both bad, edit,
            reject), which says nothing of who is right but counts as disagreement.
        reliability: probability that the answer is right; 1 for a proven expert, less for a reviewer who is
            evidence only.
    """

    item: str
    outcome: str
    reliability: float = 1.0


def fit(
    votes_by_item: Mapping[str, Sequence[Vote]],
    decisions: Sequence[Decision],
    *,
    outcomes: Sequence[str] = ("A", "B"),
    correlation: float = PRIOR_CORRELATION,
    calibration: str = "platt",
    signals: Sequence[str] = SIGNALS,
    turn_after: int = 20,
    early_turn: bool = True,
    unlabelled: bool = True,
    extra: Mapping[str, Mapping[str, float]] | None = None,
    against: Mapping[str, Mapping[str, float]] | None = None,
    calibrate_on: Collection[str] | None = None,
    directed: bool | None = None,
    rubric: Mapping[str, float] | None = None,
    traits: Mapping[str, Traits] | None = None,
) -> ConsensusModel:
    """Return the consensus model learned from N >= 0 decisions: judge weights and a calibration map.

    Items without a decision still inform the weights by the agreement of their judges. Calibration is fitted
    on leave-one-out posteriors, so no decision calibrates a score that it helped to fit.

    Args:
        votes_by_item: votes of every item, decided or not.
        correlation, turn_after, early_turn, directed, rubric: see ``weights.learn_weights``; a correlation of 0 is for
            independent people.
        calibration: ``none``, ``platt``, ``isotonic`` or ``venn-abers``.
        signals: names of the signals that calibration listens to.
        unlabelled: whether items without a decision inform the weights.
        extra, against: per item, as ``judge_item`` takes them; further signals count if they are named in
            ``signals``.
        calibrate_on: the decided items that calibrate, for instance where only some were drawn at random;
            None: all.
        traits: what is known of items besides their votes, where reliability may follow from it, see ``terms``.

    Raises:
        ConfigError: a decision names an item without votes, or there is no calibration of that kind.
    """
    names = list(votes_by_item)
    at = {name: i for i, name in enumerate(names)}
    for decision in decisions:
        if decision.item not in at:
            raise ConfigError(
                f"a decision names item {decision.item!r}, which has no votes here",
                next_step="fit with the votes of every decided item",
            )
    decided = {d.item for d in decisions}
    kept = names if unlabelled else [n for n in names if n in decided]
    at = {name: i for i, name in enumerate(kept)}
    ballots = collect([votes_by_item[name] for name in kept], outcomes)
    chosen = [d for d in decisions if d.outcome in outcomes or d.outcome == TIE]
    rows, target = np.array([at[d.item] for d in chosen], dtype=np.int64), targets(chosen, outcomes)
    weights = learn_weights(
        ballots,
        rows,
        target,
        correlation=correlation,
        turn_after=turn_after,
        early_turn=early_turn,
        directed=directed,
        rubric=rubric,
    )
    model = _as_model(ballots, weights, outcomes, correlation, len(decisions))
    if traits and decisions:
        start = ConsensusModel.prior(outcomes).default_weight / (
            1.0 + correlation * max(0, len(ballots.voters) - 1)
        )
        of_chosen = [traits.get(d.item, UNKNOWN) for d in chosen]
        terms = learn_terms(ballots, rows, target, weights.left_out, of_chosen, start)
        model, weights = _with_terms(model, ballots, terms), replace(weights, left_out=terms.left_out)
    if not decisions or calibration == "none":
        return model
    other = [d for d in decisions if d.outcome not in outcomes and d.outcome != TIE]
    return replace(
        model,
        calibration=_calibrate(
            model,
            weights,
            votes_by_item,
            [*chosen, *other],
            calibration,
            signals,
            extra or {},
            against or {},
            calibrate_on,
            traits or {},
        ),
    )


def fit_cascade(
    votes_by_item: Mapping[str, Sequence[Vote]],
    decisions: Sequence[Decision],
    seats: Sequence[int],
    drawn: Collection[str],
    **options: Any,
) -> ConsensusModel:
    """Return one model for a cascade, with a model per tier over the votes that are there when the tier has
    spoken.

    A tier learns from the decided items that reached it. Only items ``drawn`` at random, which every tier was
    asked about, calibrate it, because who is sent on follows from the votes of the tiers before. Agreement on
    undecided items teaches nothing here, since the judges of later tiers speak only where the earlier ones
    were not sure.

    Args:
        seats: tier per place of the panel.
        drawn: names of the items that calibrate.
        options: as for ``fit``.
    """
    last = max(seats)
    reached = {d.item: tier_reached(votes_by_item.get(d.item, ()), seats) for d in decisions}
    tiers = []
    for tier in range(last + 1):
        mine = [d for d in decisions if reached[d.item] >= tier]
        there = {d.item: up_to(votes_by_item[d.item], tier, seats) for d in mine}
        learned = fit(there, mine, **{**options, "unlabelled": False}, calibrate_on=drawn)
        tiers.append(learned)
    return replace(tiers[-1], n_decisions=len(decisions), seats=tuple(seats), tiers=tuple(tiers[:-1]))


def targets(decisions: Sequence[Decision], outcomes: Sequence[str]) -> Floats:
    """Return the probability of each outcome, (n, K), given what the reviewer said and how reliable the
    reviewer is.
    """
    k = len(outcomes)
    out = np.full((len(decisions), k), 1.0 / k)
    for row, decision in enumerate(decisions):
        if decision.outcome in outcomes:
            right = min(max(decision.reliability, 1.0 / k), 1.0)
            out[row] = (1.0 - right) / (k - 1)
            out[row, list(outcomes).index(decision.outcome)] = right
    return out


def _as_model(
    ballots: Ballots, weights: Weights, outcomes: Sequence[str], correlation: float, n: int
) -> ConsensusModel:
    prior = ConsensusModel.prior(outcomes)
    if not ballots.voters:
        return prior
    return replace(
        prior,
        kind="supervised" if n else "unlabelled",
        weights=dict(zip(ballots.voters, weights.voter.tolist(), strict=True)),
        channels={c: w for c, w in zip(ballots.channels, weights.channel.tolist(), strict=True) if w},
        position={v: w for v, w in zip(ballots.voters, weights.position.tolist(), strict=True) if w},
        base={o: w for o, w in zip(outcomes, weights.base.tolist(), strict=True) if w},
        default_weight=prior.default_weight * weights.plain,
        correlation=correlation,
        n_decisions=n,
        **_directed(ballots, weights),
        notes={f"estimator:{name}": share for name, share in weights.mixture.items() if share > 0.005},
    )


def _with_terms(model: ConsensusModel, ballots: Ballots, terms: Terms) -> ConsensusModel:
    added = {
        name: dict(zip(ballots.voters, values.tolist(), strict=True))
        for name, values in terms.segments.items()
    }
    notes = {f"estimator:{name}": share for name, share in terms.shares.items() if share > 0.005}
    return replace(model, segments=added, texts=terms.texts, notes={**model.notes, **notes})


def _directed(ballots: Ballots, weights: Weights) -> dict[str, Any]:
    """The tables of a model that knows confusions, silences or scores."""
    names = [*ballots.voters, OTHERS]
    found: dict[str, Any] = {}
    if weights.confusion is not None:
        there = names if len(weights.confusion) > 1 else [OTHERS]
        tables = weights.confusion.tolist()
        found["confusions"] = {n: tuple(map(tuple, t)) for n, t in zip(there, tables, strict=True)}
    if weights.silence is not None:
        found["silences"] = {
            voter: said
            for voter, row in zip(ballots.voters, weights.silence.tolist(), strict=True)
            if (said := {o: added for o, added in zip(ballots.outcomes, row, strict=True) if added})
        }
    if weights.ratings is not None:
        maps = weights.ratings
        points = np.stack([maps.levels, maps.values], axis=2).tolist()
        found["ratings"] = {n: tuple(map(tuple, t)) for n, t in zip(names, points, strict=True)}
        found["rubric"] = dict(zip(ballots.criteria, maps.rubric.tolist(), strict=True))
        by = zip(ballots.criteria, maps.criteria.tolist(), strict=True)
        found["criteria"] = {name: added for name, added in by if added}
    return found


def _calibrate(
    model: ConsensusModel,
    weights: Weights,
    votes: Mapping[str, Sequence[Vote]],
    decisions: Sequence[Decision],
    kind: str,
    names: Sequence[str],
    extra: Mapping[str, Mapping[str, float]],
    against: Mapping[str, Mapping[str, float]],
    only: Collection[str] | None,
    traits: Mapping[str, Traits],
) -> Calibration:
    """``decisions``: first those that ``weights.left_out`` is about, in order, then those that chose no
    outcome. ``only``: items that calibrate.
    """
    top, correct, rows, lead, alike = [], [], [], [], []
    index = {outcome: i for i, outcome in enumerate(model.outcomes)}
    left_out = np.exp(log_softmax(weights.left_out)) if len(weights.left_out) else np.zeros((0, 2))
    for i, decision in enumerate(decisions):
        if only is not None and decision.item not in only:
            continue
        known = traits.get(decision.item, UNKNOWN)
        seen = judge_item(model, votes[decision.item], extra.get(decision.item), traits=known)
        posterior = left_out[i] if i < len(left_out) else np.array(list(seen.posterior.values()))
        best = int(np.argmax(posterior))
        top.append(float(posterior[best]))
        cast = (share_of(vote, index, len(index)) for vote in votes[decision.item])
        lead.append(lead_of([share for share in cast if share is not None], best))
        alike.append(max(seen.posterior.values()))
        if decision.item in against:  # of the outcome that is best without this decision
            held = critic_against(against[decision.item], model.outcomes[best])
            seen.signals["critic_against"] = held
        agrees = model.outcomes[best] == decision.outcome
        correct.append(decision.reliability if agrees else min(1.0 - decision.reliability, 1.0))
        rows.append([seen.signals.get(name, 0.0) for name in names])
    tops, rights = np.array(top), np.array(correct)
    if kind == "platt":
        told = np.array(rows).reshape(len(rows), len(names))
        return fit_confidence(tops, np.array(lead), np.array(alike), rights, told, names)
    if kind == "isotonic":
        return calibrate_isotonic(tops, rights)
    if kind == "venn-abers":
        return calibrate_venn_abers(tops, rights)
    raise ConfigError(f"no calibration of kind {kind!r}", next_step="use none, platt, isotonic or venn-abers")
