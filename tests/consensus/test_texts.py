"""What texts tell besides the judges: found where experts go by it, nothing where they do not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panels import make_panel

from solon.consensus.learn import Decision, fit
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.consensus.traits import FEATURES, SCORES, UNKNOWN, Traits, compare_scores, compare_texts

Items = dict[str, list[Vote]]


def with_texts(truth: list[str], leaning: float, seed: int) -> dict[str, Traits]:
    """Lengths of which the shorter is the better one on a share of the items; lines that say nothing."""
    rng = np.random.default_rng(seed)
    traits = {}
    for row, right in enumerate(truth):
        short = (right == "A") == (rng.random() < leaning)
        length = float(abs(rng.normal()) + 0.2) * (-1.0 if short else 1.0)
        traits[str(row)] = Traits(texts={"length": length, "lines": float(rng.normal())})
    return traits


def right_on(items: Items, truth: list[str], traits: dict[str, Traits], n: int) -> float:
    shares = []
    for seed in range(5):
        turn = np.random.default_rng(seed).permutation(len(truth))
        model = fit(items, [Decision(str(i), truth[i]) for i in turn[:n]], traits=traits)
        found = [judge_item(model, items[str(i)], traits=traits.get(str(i), UNKNOWN)).best for i in turn[n:]]
        shares.append(np.mean([best == truth[i] for best, i in zip(found, turn[n:], strict=True)]))
    return float(np.mean(shares))


def test_what_experts_prefer_of_texts_is_learned_from_decisions() -> None:
    items, truth = make_panel(400, [0.65, 0.6], seed=1)
    traits = with_texts(truth, 0.85, seed=2)
    assert right_on(items, truth, traits, 50) > right_on(items, truth, {}, 50) + 0.08


@pytest.mark.parametrize("seed", [3, 4])
def test_texts_that_tell_nothing_cost_next_to_nothing(seed: int) -> None:
    items, truth = make_panel(400, [0.75, 0.7, 0.65], seed=seed)
    traits = with_texts(truth, 0.5, seed=seed)
    for n in (20, 50, 100):
        assert right_on(items, truth, traits, n) > right_on(items, truth, {}, n) - 0.015, n


def test_under_twenty_decisions_texts_say_nothing() -> None:
    items, truth = make_panel(60, [0.65, 0.6], seed=5)
    traits = with_texts(truth, 1.0, seed=5)
    assert not fit(items, [Decision(str(i), truth[i]) for i in range(19)], traits=traits).texts
    model = fit(items, [Decision(str(i), truth[i]) for i in range(20)], traits=traits)
    assert model.texts["length"] < 0.0
    assert set(model.texts) == set(FEATURES)
    assert ConsensusModel.from_json(json.loads(json.dumps(model.to_json()))) == model


def test_labels_of_several_kinds_and_texts_all_alike_are_left_alone() -> None:
    items, truth = make_panel(60, [0.8, 0.6], seed=6)
    decisions = [Decision(str(i), truth[i]) for i in range(40)]
    traits = with_texts(truth, 1.0, seed=6)
    assert not fit(items, decisions, outcomes=("A", "B", "C"), traits=traits).texts
    level = {name: Traits(texts=dict.fromkeys(FEATURES, 0.0)) for name in items}
    assert not any(fit(items, decisions, traits=level).texts.values())


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_texts_the_other_way_round_differ_the_other_way_round(request: str, one: str, two: str) -> None:
    there, back = compare_texts(request, one, two), compare_texts(request, two, one)
    assert there == {name: -value for name, value in back.items()}
    assert all(np.isfinite(value) for value in there.values())


def test_what_is_compared() -> None:
    found = compare_texts("Name three rivers", "The rivers are\nRhine\nand Elbe", "No no no")
    assert found["length"] > 0
    assert found["lines"] == pytest.approx(np.log(3))
    assert found["overlap"] == pytest.approx(1 / 3)
    assert found["vocabulary"] == pytest.approx(2 / 3)


def with_scores(truth: list[str], noise: float, seed: int) -> dict[str, Traits]:
    """How much higher judges scored the first text of each pair, which is nearer to the truth the smaller the noise."""
    rng = np.random.default_rng(seed)
    means = [1.0 if right == "A" else -1.0 for right in truth]
    return {
        str(row): Traits(texts={SCORES: float(mean + noise * rng.normal())}) for row, mean in enumerate(means)
    }


def test_scores_of_a_shortlist_count_as_far_as_they_foretell_decisions() -> None:
    items, truth = make_panel(400, [0.65, 0.6], seed=8)
    for n in (20, 50, 100):
        without = right_on(items, truth, {}, n)
        assert right_on(items, truth, with_scores(truth, 1.0, seed=8), n) > without + 0.1, n


@pytest.mark.parametrize("n", [20, 50])
def test_scores_of_a_shortlist_that_tell_nothing_cost_next_to_nothing(n: int) -> None:
    lost = []
    for seed in range(3):
        items, truth = make_panel(400, [0.65, 0.6], seed=seed)
        with_noise = right_on(items, truth, with_scores(truth, 50.0, seed), n)
        lost.append(right_on(items, truth, {}, n) - with_noise)
    assert np.mean(lost) < 0.015


def test_scores_of_a_shortlist_are_compared_where_both_texts_have_some() -> None:
    first, second = [{"a": 4.0, "b": 3.0}, {"a": 5.0, "b": 4.0}], [{"a": 2.5, "b": 2.5}]
    assert compare_scores(first, second) == {SCORES: 1.5}
    assert compare_scores(second, first) == {SCORES: -1.5}
    assert compare_scores(first, ()) == compare_scores([{}], second) == {}
