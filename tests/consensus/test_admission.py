"""Which voters are admitted: exact bounds, no better than chance, and how seldom a useful voter is refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from solon.consensus.admission import Admission, admit, refuse
from solon.consensus.binomial import lower_bound
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item

PAIR = ("A", "B")
SINGLE = ("accept", "reject")
FIVE = ("one", "two", "three", "four", "five")


def admitted(
    vote: Callable[[str, int], str | tuple[str, ...]],
    outcomes: Sequence[str],
    n: int,
    scores: Callable[[str, int], float] | None = None,
    wanted: float = 0.8,
) -> Admission:
    """One voter on `n` items, whose truths take turns."""
    truth = {str(i): outcomes[i % len(outcomes)] for i in range(n)}
    votes = {}
    for item, said in truth.items():
        given = vote(said, int(item))
        listed = (given,) if isinstance(given, str) else given
        votes[item] = [Vote("m", seat="1", sample=k, outcome=one) for k, one in enumerate(listed)]
    ranked = {"m": {item: scores(said, int(item)) for item, said in truth.items()}} if scores else None
    [found] = admit(votes, truth, outcomes, scores=ranked, wanted=wanted)
    return found


def other(said: str, outcomes: Sequence[str]) -> str:
    return outcomes[(outcomes.index(said) + 1) % len(outcomes)]


@pytest.mark.parametrize(("n", "standing"), [(26, "probation"), (28, "admitted")])
def test_fourteen_right_ones_on_either_side_admit(n: int, standing: str) -> None:
    found = admitted(lambda said, _: said, PAIR, n)
    assert found.standing == standing
    assert {name: (tally.right, tally.n) for name, tally in found.rates.items()} == {
        "A": (n // 2, n // 2),
        "B": (n // 2, n // 2),
    }
    assert found.rates["A"].low == lower_bound(n // 2, n // 2, 0.05)
    assert admitted(lambda said, _: said, PAIR, n, wanted=0.7).standing == "admitted"


def test_one_good_rate_does_not_make_up_for_the_other() -> None:
    lenient = admitted(lambda said, i: "accept" if said == "accept" or i % 3 else "reject", SINGLE, 200)
    assert lenient.rates["accept"].low > 0.9
    assert lenient.rates["reject"].low < 0.4
    assert lenient.standing == "probation"


def test_who_accepts_everything_is_refused_unless_its_scores_rank() -> None:
    assert admitted(lambda *_: "accept", SINGLE, 60).standing == "refused"
    assert admitted(lambda *_: "accept", SINGLE, 60, scores=lambda *_: 5.0).standing == "refused"
    ranks = admitted(lambda *_: "accept", SINGLE, 60, scores=lambda said, i: 4.0 + (said == "accept") * 0.5)
    assert ranks.standing == "probation", "its verdicts say nothing, but its scores do"


def test_coins_and_reversed_voters_are_refused_with_enough_labels() -> None:
    draw = random.Random(5)
    assert admitted(lambda *_: draw.choice(PAIR), PAIR, 20).standing == "probation"
    assert admitted(lambda *_: draw.choice(PAIR), PAIR, 800).standing == "refused"
    assert admitted(lambda said, _: other(said, PAIR), PAIR, 20).standing == "refused"
    assert admitted(lambda said, _: other(said, PAIR), PAIR, 19).standing == "probation", "too few to say"


def test_ties_speak_neither_for_nor_against() -> None:
    found = admitted(lambda *_: ("A", "B"), PAIR, 100)
    assert (found.rates["A"].undecided, found.rates["A"].low, found.standing) == (50, 0.0, "probation")
    assert admitted(lambda *_: "tie", PAIR, 100).standing == "probation"


def test_who_abstains_or_was_never_compared_is_on_probation() -> None:
    assert admit({"x": [Vote("m", outcome="abstain")]}, {"x": "A"}, PAIR) == []
    [found] = admit({"x": [Vote("m", outcome="A")]}, {}, PAIR)
    assert (found.n, found.rates, found.standing) == (0, {}, "probation")


def test_experts_who_gave_one_outcome_alone_refuse_nobody() -> None:
    votes = {str(i): [Vote("m", outcome="accept")] for i in range(60)}
    [found] = admit(votes, dict.fromkeys(votes, "accept"), SINGLE)
    assert found.standing == "probation", "nobody knows what it says of a bad one"


def test_labels_are_pooled() -> None:
    found = admitted(lambda said, i: said if i % 20 else other(said, FIVE), FIVE, 100)
    assert list(found.rates) == ["all"]
    assert (found.rates["all"].right, found.rates["all"].n, found.standing) == (95, 100, "admitted")
    assert admitted(lambda *_: "one", FIVE, 200).standing == "refused"
    many = tuple(f"label {n}" for n in range(77))
    assert admitted(lambda said, _: said, many, 154).standing == "admitted"


def test_a_rule_that_speaks_only_where_it_matches_is_no_judge() -> None:
    truth = {str(i): SINGLE[i % 2] for i in range(100)}
    votes = {
        item: [Vote("rule", outcome="accept" if said == "accept" else "silent"), Vote("m", outcome=said)]
        for item, said in truth.items()
    }
    assert [one.voter for one in admit(votes, truth, SINGLE)] == ["m"]


def test_a_useful_voter_is_seldom_refused() -> None:
    """Right on .60: over chance by a fifth of the way. At most 5 % of refusals are allowed; there are fewer."""
    draw = random.Random(11)

    def vote(said: str, _: int) -> str:
        return said if draw.random() < 0.6 else other(said, PAIR)

    for n in (20, 40, 100):
        refused = sum(admitted(vote, PAIR, n).standing == "refused" for _ in range(400))
        assert refused <= 20, n


def test_a_refused_voter_has_no_weight_and_the_version_says_so() -> None:
    model = refuse(ConsensusModel.prior(), ["bad"])
    model = ConsensusModel.from_json(model.to_json())
    assert model.refused == ("bad",)
    assert ConsensusModel.prior().refused == ()
    votes = [Vote("good", outcome="A"), Vote("bad", outcome="B"), Vote("bad", outcome="B", sample=1)]
    told = judge_item(model, votes)
    assert (told.best, told.split) == ("A", False)
    assert told == judge_item(model, votes[:1])
