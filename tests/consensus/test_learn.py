"""Learning from decisions: what a panel with known truth must show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import make_panel

from solon.consensus.ballots import collect
from solon.consensus.learn import Decision, fit
from solon.consensus.logit import fit_logit, log_softmax
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.consensus.weights import learn_weights
from solon.errors import ConfigError


def accuracy(model: ConsensusModel, items: dict[str, list[Vote]], truth: list[str], start: int) -> float:
    right = [judge_item(model, items[str(i)]).best == truth[i] for i in range(start, len(truth))]
    return sum(right) / len(right)


def decide(truth: list[str], n: int) -> list[Decision]:
    return [Decision(str(i), truth[i]) for i in range(n)]


def test_one_good_judge_among_bad_ones_is_found() -> None:
    items, truth = make_panel(600, [0.95, 0.5, 0.5, 0.5, 0.5], seed=1)
    before = accuracy(fit(items, [], unlabelled=False), items, truth, 100)
    after = accuracy(fit(items, decide(truth, 60)), items, truth, 100)
    assert before < 0.8
    assert after > 0.9


def test_a_judge_below_chance_is_turned_around_only_when_shown() -> None:
    items, truth = make_panel(600, [0.15, 0.6, 0.6], seed=2)
    few = fit(items, decide(truth, 15), early_turn=False)
    assert few.weights["judge-0"] >= 0.0
    many = fit(items, decide(truth, 60), early_turn=False)
    assert many.weights["judge-0"] < -0.3
    assert accuracy(many, items, truth, 100) > 0.8


def test_copies_of_one_judge_do_not_outvote_better_independent_ones() -> None:
    items, truth = make_panel(800, [0.6, 0.8, 0.8], seed=3)
    for said in items.values():
        said.extend(Vote(f"copy-{i}", seat="s", order="AB", outcome=said[0].outcome) for i in range(6))
    model = fit(items, decide(truth, 150))
    assert accuracy(model, items, truth, 200) > 0.76
    copies = sum(w for name, w in model.weights.items() if name.startswith("copy")) + model.weights["judge-0"]
    assert copies < model.weights["judge-1"] + model.weights["judge-2"]


def test_position_bias_is_learned() -> None:
    rng = np.random.default_rng(4)
    truth = ["AB"[i] for i in rng.integers(0, 2, 500)]
    items = {}
    for i, right in enumerate(truth):
        outcome = right if rng.random() < 0.6 else "A"
        items[str(i)] = [Vote("j", seat="s", order="AB", outcome=outcome)]
    model = fit(items, decide(truth, 300))
    assert model.position["j"] > 0.2
    assert (
        judge_item(model, [Vote("j", seat="s", order="AB", outcome="B")]).margin
        > judge_item(model, [Vote("j", seat="s", order="AB", outcome="A")]).margin
    )


def test_the_passage_from_no_decision_is_smooth() -> None:
    items, truth = make_panel(300, [0.8, 0.75, 0.7, 0.65], seed=5, copies=2)
    last = fit(items, [])
    assert last.kind == "unlabelled"
    for n in (1, 2, 3):
        model = fit(items, decide(truth, n))
        moved = max(abs(model.weights[j] - last.weights[j]) for j in model.weights)
        assert moved < 0.6
        last = model


def test_more_decisions_never_make_a_uniform_panel_much_worse() -> None:
    items, truth = make_panel(1000, [0.7] * 5, seed=6)
    base = accuracy(ConsensusModel.prior(), items, truth, 200)
    for n in (0, 10, 20, 50, 100):
        assert accuracy(fit(items, decide(truth, n)), items, truth, 200) > base - 0.05


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 30))
def test_fit_ignores_the_order_of_items_and_decisions(seed: int, n: int) -> None:
    items, truth = make_panel(40, [0.8, 0.6, 0.55], seed=seed, copies=2)
    a = fit(items, decide(truth, n))
    b = fit(dict(reversed(list(items.items()))), list(reversed(decide(truth, n))))
    assert a.weights == pytest.approx(b.weights, abs=1e-5)
    assert ConsensusModel.from_json(a.to_json()) == a


def test_array_and_item_paths_agree() -> None:
    items, truth = make_panel(120, [0.8, 0.6, 0.55], seed=7, copies=2, lean=0.2)
    model = fit(items, decide(truth, 40))
    ballots = collect(list(items.values()))
    target = np.array([[t == "A", t == "B"] for t in truth[:40]], dtype=float)
    logits = learn_weights(ballots, np.arange(40), target).logits(ballots)
    by_array = np.exp(log_softmax(logits))[:, 0]
    by_item = [judge_item(model, said).posterior["A"] for said in items.values()]
    assert by_item == pytest.approx(by_array.tolist(), abs=1e-9)


def test_calibration_is_honest_on_new_items() -> None:
    items, truth = make_panel(2400, [0.75, 0.7, 0.65, 0.6], seed=8)
    for kind in ("platt", "isotonic", "venn-abers"):
        model = fit(items, decide(truth, 200), calibration=kind)
        found = [judge_item(model, items[str(i)]) for i in range(200, 2400)]
        right = [c.best == truth[i] for i, c in enumerate(found, 200)]
        assert np.mean([c.confidence for c in found]) == pytest.approx(np.mean(right), abs=0.05), kind


def test_unreliable_decisions_teach_less_and_odd_ones_count_as_disagreement() -> None:
    items, truth = make_panel(200, [0.9, 0.5], seed=9)
    sure = fit(items, decide(truth, 40))
    weak = fit(items, [Decision(str(i), truth[i], 0.6) for i in range(40)])
    gap = lambda m: m.weights["judge-0"] - m.weights["judge-1"]  # noqa: E731
    assert gap(weak) < gap(sure)
    rejected = fit(items, [*decide(truth, 40), *(Decision(str(i), "both_bad") for i in range(40, 80))])
    one = items["100"]
    assert judge_item(rejected, one).confidence < judge_item(sure, one).confidence
    assert fit(items, [Decision("0", "tie")]).n_decisions == 1


def test_several_outcomes_and_unknown_items() -> None:
    rng = np.random.default_rng(10)
    truth = [str(i) for i in rng.integers(0, 4, 200)]
    items = {
        str(i): [
            Vote(f"j{k}", outcome=t if rng.random() < a else str(rng.integers(0, 4)))
            for k, a in enumerate((0.8, 0.3))
        ]
        for i, t in enumerate(truth)
    }
    model = fit(items, decide(truth, 60), outcomes=("0", "1", "2", "3"))
    assert model.weights["j0"] > model.weights["j1"]
    with pytest.raises(ConfigError):
        fit(items, [Decision("nowhere", "0")], outcomes=("0", "1", "2", "3"))
    with pytest.raises(ConfigError):
        fit(items, decide(truth, 12), outcomes=("0", "1", "2", "3"), calibration="magic")


def test_leave_one_out_is_close_to_refitting() -> None:
    rng = np.random.default_rng(11)
    x = rng.normal(size=(30, 2, 3))
    target = np.eye(2)[rng.integers(0, 2, 30)]
    mean, precision = np.zeros(3), np.ones(3)
    found = fit_logit(x, target, mean, precision)
    for i in range(0, 30, 7):
        rest = np.arange(30) != i
        again = fit_logit(x[rest], target[rest], mean, precision)
        assert log_softmax(found.left_out)[i] == pytest.approx(log_softmax(x @ again.weights)[i], abs=0.02)


def test_logit_matches_scipy() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(12)
    x = rng.normal(size=(40, 3, 4))
    target = rng.dirichlet(np.ones(3), size=40)
    mean, precision = np.full(4, 0.3), np.full(4, 2.0)

    def loss(w: np.ndarray) -> float:
        return float(-(target * log_softmax(x @ w)).sum() + 0.5 * (precision * (w - mean) ** 2).sum())

    assert fit_logit(x, target, mean, precision).weights == pytest.approx(
        optimize.minimize(loss, mean).x, abs=1e-4
    )
