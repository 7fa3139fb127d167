"""What a consensus knows of lenient judges, directions of error and scores, and that none of it breaks on bad input."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from benchmarks.consensus import (
    CRITERIA,
    SINGLE,
    by_logistic_regression,
    by_naive_bayes,
    compare,
    learned,
    lenient_panel,
    scoring_panel,
    strict_panel,
)
from solon.consensus.ballots import collect
from solon.consensus.calibrate import compare_auroc, fit_confidence
from solon.consensus.learn import Decision, fit
from solon.consensus.logit import log_softmax
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item, lead_of
from solon.consensus.weights import learn_weights

LABELS = tuple(f"kind {i}" for i in range(77))


@pytest.mark.parametrize("panel", [lenient_panel, strict_panel])
def test_lenient_and_strict_judges_are_as_well_understood_as_by_naive_bayes(panel) -> None:  # type: ignore[no-untyped-def]
    found = compare(panel, {"solon": learned, "naive bayes": by_naive_bayes}, draws=4, sizes=(20, 50))
    for size in (20, 50):
        assert found["solon"][size] > found["naive bayes"][size] - 0.03, found


def test_scores_say_more_than_their_cut() -> None:
    found = compare(
        scoring_panel,
        {"solon": learned, "regression": by_logistic_regression, "cut": by_naive_bayes},
        3,
        (20, 50),
    )
    for size in (20, 50):
        assert found["solon"][size] > found["regression"][size] - 0.03, found
        assert found["solon"][size] > found["cut"][size] + 0.04, found


def crowd(k: int, voters: int, n: int = 200, seed: int = 0) -> tuple[dict[str, list[Vote]], list[str]]:
    """A crowd that often says the first label, whatever is right."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    said = np.where(rng.random((n, voters)) < 0.5, truth[:, None], 0)
    items = {
        str(i): [Vote(f"v{v}", outcome=LABELS[s]) for v, s in enumerate(row)] for i, row in enumerate(said)
    }
    return items, [LABELS[t] for t in truth]


def test_a_crowd_that_errs_in_one_direction_is_understood() -> None:
    items, truth = crowd(3, 3)
    decided = [Decision(str(i), truth[i]) for i in range(60)]
    model = fit(items, decided, outcomes=LABELS[:3])
    right = [judge_item(model, items[str(i)]).best == truth[i] for i in range(60, 200)]
    plain = [
        judge_item(ConsensusModel.prior(LABELS[:3]), items[str(i)]).best == truth[i] for i in range(60, 200)
    ]
    assert np.mean(right) > np.mean(plain) + 0.1
    assert model.confusions


@pytest.mark.parametrize("kind", ["scores", "labels"])
def test_arrays_and_items_agree_and_a_model_is_read_as_it_was_written(kind: str) -> None:
    if kind == "scores":
        panel = scoring_panel(1, items=150)
        items, outcomes = {str(i): v for i, v in enumerate(panel.votes)}, SINGLE
        truth = [SINGLE[g] for g in panel.gold]
    else:
        items, truth = crowd(4, 3)
        outcomes = LABELS[:4]
    model = fit(items, [Decision(str(i), truth[i]) for i in range(50)], outcomes=outcomes, calibration="none")
    assert ConsensusModel.from_json(json.loads(json.dumps(model.to_json()))) == model
    assert model.to_json()["format"] == 2
    ballots = collect(list(items.values()), outcomes)
    target = np.eye(len(outcomes))[[outcomes.index(t) for t in truth[:50]]]
    by_array = np.exp(log_softmax(learn_weights(ballots, np.arange(50), target).logits(ballots)))
    for i, said in enumerate(items.values()):
        assert list(judge_item(model, said).posterior.values()) == pytest.approx(
            by_array[i].tolist(), abs=1e-9
        )


def test_the_places_of_a_pair_have_no_direction() -> None:
    items = {str(i): [Vote("a", outcome="A"), Vote("b", outcome="AB"[i % 2])] for i in range(40)}
    model = fit(items, [Decision(str(i), "AB"[i % 2]) for i in range(40)])
    assert not model.confusions
    assert not model.base
    assert model.to_json()["format"] == 1


def test_a_decided_criterion_counts_more_than_the_others() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(1, 6, (300, 2, len(CRITERIA))).astype(float)
    truth = [SINGLE[0] if row[:, 0].mean() > 3.0 else SINGLE[1] for row in scores]
    items = {
        str(i): [
            Vote(
                f"j{v}",
                outcome=SINGLE[int(s.mean() < 3.5)],
                rated=dict(zip(CRITERIA, s.tolist(), strict=True)),
            )
            for v, s in enumerate(row)
        ]
        for i, row in enumerate(scores)
    }
    model = fit(items, [Decision(str(i), truth[i]) for i in range(100)], outcomes=SINGLE)
    assert max(model.criteria, key=lambda name: model.criteria[name]) == CRITERIA[0]


def rated(judge: str, score: float) -> Vote:
    return Vote(judge, outcome=SINGLE[int(score < 3.5)], rated={"all": score})


BAD = {
    "one score for everything": [[rated("a", 5.0), rated("b", 1.0 + i % 5)] for i in range(40)],
    "the same score by all": [[rated("a", 5.0)] for _ in range(40)],
    "scores outside the rubric": [[rated("a", (-1e6, 0.0, 1e6)[i % 3])] for i in range(40)],
    "a voter with one verdict": [
        [rated("a", 1.0 + i % 5), *([rated("b", 2.0)] if i == 0 else [])] for i in range(40)
    ],
    "all abstain": [[Vote("a")] for _ in range(40)],
    "nobody speaks": [[] for _ in range(40)],
}


@pytest.mark.parametrize("only_accept", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_a_model_that_judges(name: str, only_accept: bool) -> None:
    items = {str(i): votes for i, votes in enumerate(BAD[name])}
    decided = [Decision(str(i), SINGLE[0 if only_accept else i % 2]) for i in range(30)]
    model = fit(items, decided, outcomes=SINGLE)
    for votes in (*items.values(), [], [rated("stranger", 4.0)], [Vote("a", outcome="accept")]):
        found = judge_item(model, votes)
        assert sum(found.posterior.values()) == pytest.approx(1.0)
        assert 0.0 <= found.confidence <= 1.0
    assert json.loads(json.dumps(model.to_json(), allow_nan=False))


def test_many_labels_of_which_most_were_never_seen_stay_small() -> None:
    items, truth = crowd(77, 5, n=150)
    model = fit(items, [Decision(str(i), truth[i]) for i in range(40)], outcomes=LABELS)
    assert len(json.dumps(model.to_json())) < 300_000
    assert sum(judge_item(model, items["100"]).posterior.values()) == pytest.approx(1.0)


def test_a_panel_of_eight_learns_from_a_thousand_decisions_at_once() -> None:
    panel = scoring_panel(0, items=1200, means=(4.3, 4.0, 3.8, 4.1, 3.9, 3.5, 3.3, 4.2))
    items = {str(i): votes for i, votes in enumerate(panel.votes)}
    decided = [Decision(str(i), SINGLE[panel.gold[i]]) for i in range(1000)]
    begun = time.process_time()
    fit(items, decided, outcomes=SINGLE)
    assert time.process_time() - begun < 60.0, "a second on an idle core; minutes hang"


def test_confidence_falls_back_to_the_plain_lead_where_that_ranks_better() -> None:
    rng = np.random.default_rng(5)
    lead = rng.choice([0.2, 0.6, 1.0], 300)
    right = (rng.random(300) < 0.4 + 0.55 * lead).astype(float)
    noise = rng.uniform(0.5, 0.99, 300)
    found = fit_confidence(noise, lead, noise, right)
    assert found.apply(0.7, {"lead": 1.0}) > found.apply(0.7, {"lead": 0.2}) + 0.1
    assert found.slope == 0.0
    good = np.clip(0.4 + 0.55 * lead, 0.0, 0.99)
    assert fit_confidence(good, rng.permutation(lead), good, right).slope > 0.0
    ahead, error = compare_auroc(lead, noise, right)
    assert ahead > 2 * error > 0.0
    assert lead_of([[2.0, 1.0], [0.5, 0.5]], 0) == pytest.approx(0.25)
    assert lead_of([], 0) == 0.0
