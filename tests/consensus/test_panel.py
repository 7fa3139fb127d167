"""One item's consensus: properties that hold for any verdicts."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.consensus.model import Calibration, ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.errors import ConfigError, InternalError

verdict = st.builds(
    Vote,
    judge=st.sampled_from(["a", "b", "c", "d"]),
    seat=st.sampled_from(["s", "t"]),
    order=st.sampled_from(["AB", "BA", ""]),
    sample=st.integers(0, 3),
    outcome=st.sampled_from(["A", "B", "tie", "abstain", "nonsense"]),
    p=st.one_of(st.none(), st.floats(0.0, 1.0)),
    confidence=st.one_of(st.none(), st.floats(0.0, 1.0)),
)
weight = st.floats(-3.0, 3.0)
models = st.builds(
    ConsensusModel,
    weights=st.dictionaries(st.sampled_from(["a", "b", "c"]), weight),
    channels=st.dictionaries(st.sampled_from(["a|s|AB", "b|t|BA"]), weight),
    position=st.dictionaries(st.sampled_from(["a", "b"]), weight),
)


@given(models, st.lists(verdict, max_size=12))
def test_posterior_is_a_distribution_and_best_is_its_top(model: ConsensusModel, given_: list[Vote]) -> None:
    found = judge_item(model, given_)
    assert math.isclose(sum(found.posterior.values()), 1.0, abs_tol=1e-9)
    assert found.posterior[found.best] == max(found.posterior.values())
    assert 0.0 <= found.margin <= 1.0
    assert 0.0 <= found.confidence <= 1.0
    assert sum(found.votes.values()) == len(given_)
    assert all(math.isfinite(x) for x in found.signals.values())


@given(models, st.lists(verdict, max_size=10), st.randoms())
def test_the_order_of_judges_changes_nothing(model: ConsensusModel, given_: list[Vote], rng: object) -> None:
    turned = list(given_)
    rng.shuffle(turned)  # type: ignore[attr-defined]
    a, b = judge_item(model, given_), judge_item(model, turned)
    assert a.posterior == pytest.approx(b.posterior)
    assert a.split == b.split
    assert a.signals == pytest.approx(b.signals)


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from(["A", "B", "tie"])), max_size=8))
def test_an_agreeing_verdict_never_lowers_the_confidence_of_equal_judges(
    given_: list[tuple[str, str]],
) -> None:
    model = ConsensusModel.prior()
    verdicts = [Vote(judge, outcome=outcome) for judge, outcome in given_]
    before = judge_item(model, verdicts)
    after = judge_item(model, [*verdicts, Vote("new", outcome=before.best)])
    assert after.posterior[before.best] >= before.posterior[before.best] - 1e-9


@given(st.lists(verdict, max_size=8))
def test_swapping_the_sides_swaps_the_posterior(given_: list[Vote]) -> None:
    other = {"A": "B", "B": "A"}
    turned = [
        Vote(
            v.judge,
            seat=v.seat,
            order=v.order,
            sample=v.sample,
            outcome=other.get(v.outcome, v.outcome),
            p=None if v.p is None else 1 - v.p,
        )
        for v in given_
    ]
    model = ConsensusModel.prior()
    assert judge_item(model, given_).posterior["A"] == pytest.approx(judge_item(model, turned).posterior["B"])


def test_orders_and_samples_of_one_model_are_one_voter() -> None:
    model = ConsensusModel.prior()
    one = judge_item(model, [Vote("m", outcome="A")])
    many = judge_item(
        model,
        [Vote("m", seat=f"seat{i}", order=o, sample=i, outcome="A") for i in range(5) for o in ("AB", "BA")],
    )
    assert many.posterior == pytest.approx(one.posterior)
    two = judge_item(model, [Vote("m", outcome="A"), Vote("n", outcome="A")])
    assert two.posterior["A"] > one.posterior["A"]


def test_unanimous_unchecked_judges_never_become_certain() -> None:
    found = judge_item(ConsensusModel.prior(), [Vote(str(i), outcome="A") for i in range(200)])
    assert found.posterior["A"] < 0.95


def test_no_verdict_leaves_the_prior_and_a_broken_judge_is_no_disagreement() -> None:
    model = ConsensusModel.prior()
    assert judge_item(model, []).posterior == {"A": 0.5, "B": 0.5}
    found = judge_item(model, [Vote("a", outcome="A"), Vote("b", outcome="abstain")])
    assert not found.split
    assert found.votes["abstain"] == 1
    assert found.signals["vote_entropy"] == 0.0


def test_a_flip_under_the_swap_is_a_split_and_moves_nothing() -> None:
    found = judge_item(
        ConsensusModel.prior(), [Vote("a", order="AB", outcome="A"), Vote("a", order="BA", outcome="B")]
    )
    assert found.split
    assert found.signals["flips"] == 1.0
    assert found.margin == pytest.approx(0.0)


def test_a_judge_that_leans_to_the_first_answer_is_discounted() -> None:
    model = ConsensusModel(weights={"a": 1.0}, position={"a": 0.8})
    first = judge_item(model, [Vote("a", order="AB", outcome="A")]).posterior["A"]
    second = judge_item(model, [Vote("a", order="BA", outcome="A")]).posterior["A"]
    assert second > first


def test_probabilities_weigh_by_their_distance_from_one_half() -> None:
    model = ConsensusModel.prior()
    sure = judge_item(model, [Vote("a", outcome="A", p=0.95)])
    unsure = judge_item(model, [Vote("a", outcome="A", p=0.55)])
    assert sure.margin > unsure.margin
    assert sure.signals["logprob_margin"] > unsure.signals["logprob_margin"]
    with pytest.raises(InternalError):
        judge_item(model, [Vote("a", outcome="A", p=1.5)])


def test_a_tie_of_scores_is_split_over_the_best_only() -> None:
    model = ConsensusModel.prior(("0", "1", "2"))
    found = judge_item(model, [Vote("a", outcome="tie", scores=(7.0, 7.0, 3.0))])
    assert found.posterior["0"] == pytest.approx(found.posterior["1"])
    assert found.posterior["2"] < found.posterior["0"]


@settings(max_examples=50)
@given(models, st.lists(verdict, max_size=6))
def test_json_round_trip(model: ConsensusModel, given_: list[Vote]) -> None:
    again = ConsensusModel.from_json(json.loads(json.dumps(model.to_json())))
    assert again == model
    assert judge_item(again, given_) == judge_item(model, given_)


def test_calibration_round_trip_and_interpolation() -> None:
    calibration = Calibration("isotonic", knots=(0.5, 1.0), values=(0.4, 0.8), n=3)
    assert Calibration.from_json(calibration.to_json()) == calibration
    assert calibration.apply(0.75, {}) == pytest.approx(0.6)
    assert calibration.apply(0.2, {}) == pytest.approx(0.4)


def test_refusals_say_what_to_do() -> None:
    for outcomes in (("A",), ("A", "A"), ("A", "tie")):
        with pytest.raises(ConfigError) as error:
            ConsensusModel(outcomes=outcomes)
        assert error.value.next_step
    with pytest.raises(ConfigError):
        ConsensusModel.from_json({"format": 99})
