"""Crowd aggregation against crowd-kit, calibration against scikit-learn, selection and reviewers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.consensus.ballots import collect
from solon.consensus.calibrate import (
    as_map,
    calibrate_isotonic,
    calibrate_venn_abers,
    cross_fit,
    fit_isotonic,
    fit_platt,
    measure_aurc,
    measure_auroc,
    measure_brier,
    measure_ece,
    merge_venn_abers,
    risk_coverage,
    venn_abers,
)
from solon.consensus.dawid_skene import Crowd, dawid_skene, majority, one_coin
from solon.consensus.mace import mace
from solon.consensus.panel import Vote
from solon.consensus.reviewers import (
    Reviewer,
    merge,
    pool,
    rate_all,
    rate_from_overlap,
    rate_reviewer,
    vote_weight,
)
from solon.consensus.select import (
    pick_core_set,
    score_committee_kl,
    score_entropy,
    score_margin,
    score_model_change,
    score_uncertainty,
    score_value,
    score_vote_entropy,
    select,
)
from solon.errors import ConfigError


def make_crowd(
    items: int = 400, workers: int = 30, labels: int = 3, seed: int = 0
) -> tuple[Crowd, np.ndarray]:
    """A fake crowd: a third of the workers spam."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, items)
    skill = np.where(np.arange(workers) % 3 == 0, 1.0 / labels, 0.8)
    item = np.repeat(np.arange(items), 7)
    worker = np.concatenate([rng.choice(workers, 7, replace=False) for _ in range(items)])
    right = rng.random(len(item)) < skill[worker]
    label = np.where(right, truth[item], rng.integers(0, labels, len(item)))
    return Crowd(item, worker, label, items, workers, labels), truth


@pytest.mark.filterwarnings("ignore")
def test_aggregation_is_as_good_as_crowd_kit() -> None:
    aggregation = pytest.importorskip("crowdkit.aggregation")
    pandas = pytest.importorskip("pandas")
    totals = {"dawid_skene": [0.0, 0.0], "mace": [0.0, 0.0]}
    for seed in range(3):
        crowd, truth = make_crowd(items=200, seed=seed)
        frame = pandas.DataFrame({"task": crowd.item, "worker": crowd.worker, "label": crowd.label})
        rivals = {
            "dawid_skene": (dawid_skene, aggregation.DawidSkene(n_iter=50)),
            "mace": (mace, aggregation.MACE(n_restarts=1, random_state=0)),
        }
        for name, (ours, theirs) in rivals.items():
            found = ours(crowd)
            other = theirs.fit_predict(frame).sort_index().to_numpy()
            totals[name][0] += (found.posterior.argmax(1) == truth).mean() / 3
            totals[name][1] += (other == truth).mean() / 3
            assert found.posterior.sum(axis=1) == pytest.approx(np.ones(crowd.items))
            spam, honest = found.accuracy[0::3], found.accuracy[np.arange(30) % 3 > 0]
            assert spam.mean() < honest.mean() - 0.2, "spammers come out last"
    for name, (mine, rival) in totals.items():
        assert mine >= rival - 0.005, (name, mine, rival)


def test_known_labels_stay_and_weights_count() -> None:
    crowd, truth = make_crowd(items=60)
    known = np.full(60, -1)
    known[:10] = (truth[:10] + 1) % 3
    found = dawid_skene(crowd, known=known)
    assert (found.posterior[:10].argmax(1) == known[:10]).all()
    assert one_coin(crowd).posterior.shape == (60, 3)
    skill = np.where(np.arange(30) % 3 == 0, 0.0, 1.0)
    weighted = (majority(crowd, skill).argmax(1) == truth).mean()
    assert weighted >= (majority(crowd).argmax(1) == truth).mean()


# --- calibration


def test_isotonic_matches_scikit_learn() -> None:
    isotonic = pytest.importorskip("sklearn.isotonic")
    rng = np.random.default_rng(1)
    x = rng.integers(0, 40, 300) / 40.0
    y = (rng.random(300) < x).astype(float)
    knots, values = fit_isotonic(x, y)
    assert values == pytest.approx(isotonic.IsotonicRegression().fit(x, y).predict(knots))
    assert (np.diff(values) >= -1e-12).all()


def test_measures_match_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    p = rng.integers(0, 20, 400) / 20.0
    y = (rng.random(400) < p).astype(float)
    assert measure_auroc(p, y) == pytest.approx(metrics.roc_auc_score(y, p))
    assert measure_brier(p, y) == pytest.approx(metrics.brier_score_loss(y, p))
    assert measure_auroc(p, np.ones(400)) is None
    assert measure_ece(p, y) < 0.08
    coverage, risk = risk_coverage(p, y)
    assert coverage[-1] == 1.0
    assert risk[-1] == pytest.approx(1 - y.mean())
    assert measure_aurc(p, y) < measure_aurc(1 - p, y)


def test_maps_repair_overconfidence() -> None:
    rng = np.random.default_rng(3)
    true = rng.uniform(0.5, 0.9, 40)[rng.integers(0, 40, 900)]
    said = 1 / (1 + np.exp(-3 * np.log(true / (1 - true))))
    right = (rng.random(900) < true).astype(float)
    before = measure_ece(said, right)
    for fit in (fit_platt, calibrate_isotonic, calibrate_venn_abers):
        out = cross_fit(lambda a, b, fit=fit: as_map(fit(a, b)), said, right, folds=3)  # type: ignore[misc]
        assert measure_ece(out, right) < 0.075 < before
    assert fit_platt(said[:5], right[:5]).kind == "none"


def test_a_telling_signal_is_used_by_platt() -> None:
    rng = np.random.default_rng(4)
    flip = (rng.random(600) < 0.5).astype(float)
    right = (rng.random(600) < np.where(flip > 0, 0.55, 0.95)).astype(float)
    found = fit_platt(np.full(600, 0.8), right, flip[:, None], ["flips"])
    assert found.apply(0.8, {"flips": 0.0}) > found.apply(0.8, {"flips": 1.0}) + 0.2


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30), st.floats(0, 1))
def test_venn_abers_brackets(sample: list[tuple[float, bool]], new: float) -> None:
    score = np.array([s for s, _ in sample])
    label = np.array([float(b) for _, b in sample])
    low, high = venn_abers(score, label, np.array([new]))
    assert 0.0 <= low[0] <= high[0] <= 1.0
    assert low[0] - 1e-9 <= merge_venn_abers(low, high)[0] <= high[0] + 1e-9


# --- selection


posteriors = st.lists(st.floats(0.01, 0.99), min_size=2, max_size=20).map(
    lambda p: np.column_stack([p, [1 - x for x in p]])
)


@given(posteriors)
def test_uncertainty_scores_agree_on_two_outcomes(posterior: np.ndarray) -> None:
    order = np.argsort(score_uncertainty(posterior), kind="stable")
    for score in (score_margin, score_entropy):
        assert (np.diff(score(posterior)[order]) >= -1e-9).all()


def test_committee_scores_see_disagreement() -> None:
    agree = [Vote("a", outcome="A"), Vote("b", outcome="A")]
    differ = [Vote("a", outcome="A"), Vote("b", outcome="B")]
    entropy = score_vote_entropy(collect([agree, differ, []]))
    assert entropy.tolist() == pytest.approx([0.0, 1.0, 1.0], abs=1e-9)
    member = np.array([[[0.9, 0.1], [0.9, 0.1]], [[0.9, 0.1], [0.1, 0.9]]])
    kl = score_committee_kl(member)
    assert kl[0] == pytest.approx(0.0)
    assert kl[1] > 0.3
    features = np.zeros((2, 2, 1))
    features[1, 0, 0] = 1.0
    change = score_model_change(features, np.array([[0.5, 0.5], [0.5, 0.5]]))
    assert change[0] == 0.0 < change[1]


@given(st.lists(st.floats(0.1, 1.0), min_size=1, max_size=30), st.floats(0.5, 20.0), st.integers(0, 10_000))
def test_selection_keeps_its_budget(value: list[float], minutes: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0.2, 3.0, len(value))
    for diversity in (0.0, 0.7):
        rows = select(
            np.array(value),
            minutes=minutes,
            cost=cost,
            embeddings=rng.normal(size=(len(value), 4)),
            diversity=diversity,
        )
        assert cost[rows].sum() <= minutes + 1e-6
        assert len(set(rows.tolist())) == len(rows)


def test_selection_prefers_value_per_minute_and_diversity() -> None:
    assert select(np.array([0.4, 0.3, 0.0]), items=3, cost=np.array([4.0, 1.0, 1.0])).tolist() == [1, 0]
    twins = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert select(np.array([1.0, 0.99, 0.5]), items=2, embeddings=twins, diversity=1.0).tolist() == [0, 2]
    assert score_value(np.array([0.6, 0.95]), 0.9).tolist() == pytest.approx([0.3, 0.0])
    with pytest.raises(ConfigError):
        select(np.ones(3))
    with pytest.raises(ConfigError):
        select(np.ones(3), items=1, cost=np.zeros(3))


def test_core_set_covers_clusters() -> None:
    rng = np.random.default_rng(5)
    points = np.concatenate([rng.normal(c, 0.01, size=(20, 2)) for c in ((0, 0), (5, 0), (0, 5), (9, 9))])
    assert {int(row) // 20 for row in pick_core_set(points, 4)} == {0, 1, 2, 3}
    rest = pick_core_set(points, 2, covered=np.array([0, 20]))
    assert {int(row) // 20 for row in rest} == {2, 3}
    assert len(pick_core_set(points, 500)) == 80


# --- reviewers


def test_reviewers_are_rated_by_golden_answers_or_each_other_never_by_the_panel() -> None:
    rng = np.random.default_rng(6)
    truth = {str(i): "AB"[rng.integers(0, 2)] for i in range(400)}
    skill = {"good": 0.95, "fair": 0.8, "weak": 0.6}
    answers = {
        i: {w: t if rng.random() < s else "BA"["AB".index(t)] for w, s in skill.items()}
        for i, t in truth.items()
    }
    golden = rate_all(answers, truth)
    assert golden["good"].proven
    assert not golden["weak"].proven
    assert golden["weak"].reliability == pytest.approx(0.6, abs=0.08)
    overlap = rate_all(answers)
    assert overlap["good"].reliability > overlap["weak"].reliability
    assert not rate_reviewer("new", 20, 20).proven, "thirty answers are the least"
    assert rate_from_overlap("x", 0, 0).reliability == pytest.approx(0.75)


@given(st.floats(0.01, 0.99), st.floats(0.0, 1.0), st.sampled_from(["A", "B"]))
def test_an_agreeing_reviewer_never_lowers_and_chance_moves_nothing(p: float, r: float, said: str) -> None:
    before = {"A": p, "B": 1 - p}
    after = merge(before, [(said, r)])
    assert after[said] >= before[said] - 1e-9
    assert sum(after.values()) == pytest.approx(1.0)
    assert merge(before, [(said, 0.5)]) == pytest.approx(before)
    assert merge(before, [("tie", 0.9)]) == pytest.approx(before)
    assert vote_weight(r) >= 0.0


def test_a_person_measured_on_questions_of_several_sizes_is_the_mean_by_answers() -> None:
    of_two = {"ada": Reviewer("ada", 0.9, 30, (0.8, 0.95)), "bo": Reviewer("bo", 0.75, 0, (0.0, 1.0))}
    of_five = {"ada": Reviewer("ada", 0.6, 10, (0.4, 0.8)), "bo": Reviewer("bo", 0.7, 4, (0.3, 0.9))}
    pooled = pool([of_two, of_five])
    assert pooled["ada"].n == 40
    assert pooled["ada"].reliability == pytest.approx(0.825)
    assert pooled["ada"].interval == pytest.approx((0.7, 0.9125))
    assert pooled["bo"] == of_five["bo"], "what rests on no answer counts for nothing"
