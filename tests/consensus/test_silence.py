"""What a rule's silence says: in learning, in judging, and in what a version keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solon.consensus.ballots import collect
from solon.consensus.learn import Decision, fit
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import SILENT, Vote, judge_item
from solon.consensus.weights import learn_weights

LABELS = ("card", "fee", "login", "loan")


def panel(seed: int, n: int = 400) -> tuple[dict[str, list[Vote]], list[str]]:
    """Two rules a label, each right on .6 to .95 of the .2 to .7 of its label that it speaks on; and the truth."""
    draw = np.random.default_rng(seed)
    truth = [LABELS[place] for place in draw.integers(0, 4, n)]
    votes: dict[str, list[Vote]] = {f"t{row}": [] for row in range(n)}
    for label in LABELS:
        for number in range(2):
            right, covers = draw.uniform(0.6, 0.95), draw.uniform(0.2, 0.7)
            elsewhere = covers * (1.0 - right) / right / 3.0
            for row, name in enumerate(votes):
                speaks = draw.random() < (covers if truth[row] == label else elsewhere)
                votes[name].append(Vote(f"{label}{number}", outcome=label if speaks else SILENT))
    return votes, truth


def share_right(model: ConsensusModel, votes: dict[str, list[Vote]], truth: list[str]) -> float:
    """Among texts on which a rule speaks."""
    told = [
        judge_item(model, cast).best == right
        for cast, right in zip(votes.values(), truth, strict=True)
        if any(v.outcome != SILENT for v in cast)
    ]
    return sum(told) / len(told)


def test_silence_helps_without_a_decision_and_with_some() -> None:
    before, after, taught = [], [], []
    for seed in range(12):
        votes, truth = panel(seed)
        spoken = {name: [v for v in cast if v.outcome != SILENT] for name, cast in votes.items()}
        before.append(share_right(ConsensusModel.prior(LABELS), spoken, truth))
        after.append(share_right(fit(votes, [], outcomes=LABELS), votes, truth))
        decisions = [Decision(name, right) for name, right in zip(list(votes)[:24], truth, strict=False)]
        taught.append(share_right(fit(votes, decisions, outcomes=LABELS), votes, truth))
    assert np.mean(after) > np.mean(before) + 0.005
    assert min(np.subtract(after, before)) > -0.04, "never much worse than the plain vote"
    assert np.mean(taught) > np.mean(before) + 0.005


def test_a_label_whose_rules_are_silent_is_less_likely() -> None:
    votes, _ = panel(1)
    model = fit(votes, [], outcomes=LABELS)
    assert model.silences["card0"].keys() == {"card"}, "it says nothing of the others among each other"
    assert model.silences["card0"]["card"] < 0.0
    spoken = [Vote("fee0", outcome="fee"), Vote("card0", outcome=SILENT), Vote("card1", outcome=SILENT)]
    heard = judge_item(model, spoken).posterior
    assert heard["card"] < heard["loan"]
    assert judge_item(model, spoken[:1]).posterior["card"] > heard["card"]


def test_a_voter_with_two_seats_is_silent_where_both_are() -> None:
    votes, _ = panel(2)
    model = fit(votes, [], outcomes=LABELS)
    both = [Vote("fee0", outcome="fee"), Vote("fee0", seat="2", outcome=SILENT)]
    assert judge_item(model, both).posterior == judge_item(model, both[:1]).posterior


def test_a_version_keeps_what_silence_says_and_one_without_rules_stays_as_it_was() -> None:
    votes, truth = panel(3)
    model = fit(
        votes, [Decision(n, t) for n, t in zip(list(votes)[:20], truth, strict=False)], outcomes=LABELS
    )
    again = ConsensusModel.from_json(model.to_json())
    assert again == model
    assert again.silences
    spoken = {name: [v for v in cast if v.outcome != SILENT] for name, cast in votes.items()}
    plain = fit(spoken, [], outcomes=LABELS)
    assert "silences" not in plain.to_json()


def test_arrays_and_single_items_agree() -> None:
    votes, truth = panel(4, n=60)
    ballots = collect(list(votes.values()), LABELS)
    target = np.eye(4)[[LABELS.index(label) for label in truth[:20]]]
    weights = learn_weights(ballots, np.arange(20), target)
    decisions = [Decision(n, t) for n, t in zip(list(votes)[:20], truth, strict=False)]
    model = replace(fit(votes, decisions, outcomes=LABELS), calibration=ConsensusModel().calibration)
    logits = weights.logits(ballots)
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    for row, cast in zip(share, votes.values(), strict=True):
        assert list(judge_item(model, cast).posterior.values()) == pytest.approx(row.tolist(), abs=1e-9)


def test_rules_of_a_very_common_label_do_not_speak_against_it() -> None:
    draw = np.random.default_rng(5)
    votes = {
        f"t{row}": [
            Vote("ham", outcome="ham" if draw.random() < 0.9 else SILENT),
            Vote("spam", outcome="spam" if draw.random() < 0.03 else SILENT),
        ]
        for row in range(300)
    }
    model = fit(votes, [], outcomes=("spam", "ham"))
    assert judge_item(model, [Vote("ham", outcome="ham"), Vote("spam", outcome=SILENT)]).best == "ham"
