"""A verdict in the first token: what of it can be read, in which shape, and what it is worth."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.agents.models.logprobs import expected_number, first_token, label_shares, number_tokens


def token(name: str, p: float) -> dict[str, Any]:
    return {"token": name, "logprob": math.log(p)}


def first(chosen: dict[str, Any], *top: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**chosen, "top_logprobs": list(top)}]


def shares(told: Any, labels: tuple[str, ...] = ("A", "B")) -> tuple[dict[str, float], bool] | None:
    found = label_shares(told, labels)
    return None if found is None else (pytest.approx(found.shares, abs=1e-4), found.bound)


def test_variants_are_added_up_and_the_rest_is_left_out() -> None:
    seen = first(
        token("A", 0.4),
        token("A", 0.4),
        token(" A", 0.1),
        token("B", 0.2),
        token("**B", 0.05),
        token("The", 0.2),
    )
    assert shares(seen) == ({"A": 0.5 / 0.75, "B": 0.25 / 0.75}, False)
    assert label_shares({"content": seen}) == label_shares(seen)
    assert label_shares(first_token(seen)) == label_shares(seen), "what is kept says the same again"


MAP = {"A": -0.1053605, "B": -2.3025851}


@pytest.mark.parametrize(
    "told",
    [
        {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": MAP}]},
        {"content": [{"top_logprobs": [{"token": name, "logprob": value} for name, value in MAP.items()]}]},
        {"content": [{"token": "A", "logprob": None, "top_logprobs": MAP}]},
        {
            "content": [
                {"token": "A", "logprob": math.nan, "top_logprobs": {**MAP, "C": math.nan, "D": -math.inf}}
            ]
        },
        {
            "content": [
                {"token": "A", "logprob": "-0.10536", "top_logprobs": {n: str(v) for n, v in MAP.items()}}
            ]
        },
        {"content": [{"token": "A", "prob": 0.9, "top_logprobs": [{"token": "B", "prob": 0.1}]}]},
        {"content": [{"token": "A", "logprob": 0.9, "top_logprobs": [{"token": "B", "logprob": 0.1}]}]},
        {
            "content": [
                {"content": "A", "probs": [{"tok_str": "A", "prob": 0.9}, {"tok_str": "B", "prob": 0.1}]}
            ]
        },
        {"content": [MAP]},
        {"tokens": ["A"], "token_logprobs": [-0.1053605], "top_logprobs": [MAP], "text_offset": [0]},
        {
            "tokens": ["A", "."],
            "token_logprobs": [-0.1053605, -1.0],
            "top_logprobs": [[token("B", 0.1)], None],
        },
        {"top_logprobs": [MAP], "token_logprobs": [None]},
        [[token("A", 0.9), token("B", 0.1)]],
        [
            {
                "17": {"logprob": -0.1053605, "decoded_token": "A"},
                "18": {"logprob": -2.3025851, "decoded_token": "B"},
            }
        ],
        MAP,
        [MAP],
    ],
)
def test_every_shape_that_can_be_read_is_read(told: Any) -> None:
    assert shares(told) == ({"A": 0.9, "B": 0.1}, False)


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        [None],
        [[]],
        [7],
        "A",
        {"content": None},
        {"content": []},
        {"content": "A"},
        {"content": [{}]},
        {"content": [{"token": "A"}]},
        {"content": [{"token": "A", "logprob": None, "top_logprobs": None}]},
        {"content": [{"token": "A", "logprob": True}]},
        {"content": [{"token": "A", "logprob": math.inf}]},
        {"content": [{"token": "A", "logprob": -math.inf}]},
        {"content": [{"token": "A", "logprob": -9999.0}]},
        {"content": [{"token": "A", "logprob": 10**400}]},
        {"content": [{"token": "A", "logprob": {"value": -0.1}}]},
        {"content": [{"token": None, "logprob": -0.1}]},
        {"content": [{"logprob": -0.1}]},
        {"content": [{"token": "A", "logprob": 90, "top_logprobs": {"A": 90, "B": 10}}]},
        {"content": [{"token": "A", "logprob": 0.0, "top_logprobs": {"A": 0.0, "B": 0.0}}]},
        {"tokens": [], "token_logprobs": [], "top_logprobs": []},
        {"tokens": None, "token_logprobs": [None], "top_logprobs": [None]},
        first(token("The", 0.9), token("a", 0.1)),
    ],
)
def test_what_cannot_be_read_is_no_verdict(told: Any) -> None:
    assert label_shares(told) is None


def test_under_half_of_the_mass_is_no_verdict() -> None:
    """The model meant to say something else: the letters are the tail of it."""
    assert label_shares(first(token("<think>", 0.999), token("A", 1e-7), token("B", 1e-8))) is None
    assert label_shares(first(token("The", 0.51), token("A", 0.39), token("B", 0.1))) is None
    assert shares(first(token("The", 0.49), token("A", 0.41), token("B", 0.1))) == (
        {"A": 0.41 / 0.51, "B": 0.1 / 0.51},
        False,
    )


@pytest.mark.parametrize(
    ("told", "p"),
    [
        (first(token("A", 0.6)), 0.6),
        (first(token("A", 0.9), token("A", 0.9), token("x", 0.06)), 0.9 / 0.94),
        (first(token("A", 0.9), token("B", 0.0001), token("x", 0.06)), 0.9 / 0.9001),
        ({"content": [{"token": "A", "logprob": -0.69, "top_logprobs": []}]}, 0.5016),
        ({"content": [{"token": "A", "logprob": math.log(0.5)}]}, 0.5),
        (
            {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": {"A": -0.1, "B": -9999.0}}]},
            math.exp(-0.1),
        ),
    ],
)
def test_a_label_that_is_not_listed_may_have_what_is_not_listed(told: Any, p: float) -> None:
    found = label_shares(told)
    assert found is not None
    assert found.shares["A"] == pytest.approx(p, abs=1e-4)
    assert found.bound == ("B" not in json.dumps(told) or "-9999" in json.dumps(told))


def test_what_is_not_listed_is_never_impossible() -> None:
    found = label_shares(first({"token": "A", "logprob": 0.0}))
    assert found is not None
    assert found.bound
    assert 0.99 < found.shares["A"] < 1.0


def test_more_than_two_labels() -> None:
    three = ("good", "fair", "poor")
    assert shares(first(token("good", 0.5), token("fair", 0.3), token("poor", 0.1)), three) == (
        {"good": 5 / 9, "fair": 3 / 9, "poor": 1 / 9},
        False,
    )
    assert shares(first(token("good", 0.6), token("x", 0.2)), three) == (
        {"good": 0.75, "fair": 0.125, "poor": 0.125},
        True,
    )
    assert shares(first(token("good", 0.4), token("fair", 0.3), token("x", 0.1)), three) == (
        {"good": 4 / 9, "fair": 3 / 9, "poor": 2 / 9},
        True,
    )
    # A third one, not listed, may lead.
    assert label_shares(first(token("good", 0.3), token("fair", 0.25)), three) is None


NUMBERS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just(10**400)
)
TOKENS = st.sampled_from(["A", "B", " A", "B.", "x", "", "\x00", "\ud800"])
KEYS = st.sampled_from(
    ["token", "logprob", "top_logprobs", "content", "prob", "tokens", "token_logprobs", "A", "B", "text"]
)
SHAPES = st.recursive(
    st.one_of(NUMBERS, TOKENS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)


@given(SHAPES)
def test_no_shape_is_a_mistake_of_ours(told: Any) -> None:
    """What is kept is plain JSON that both databases take, and a verdict is a distribution without certainty by
    absence."""
    kept = first_token(told)
    json.dumps(kept, allow_nan=False).encode()
    assert "\\u0000" not in json.dumps(kept)
    found = label_shares(told)
    assert found == label_shares(kept)
    if found is not None:
        assert sum(found.shares.values()) == pytest.approx(1)
        assert all(0.0 < share < 1.0 for share in found.shares.values())


@given(st.floats(0.01, 0.99), st.floats(0.0, 1.0))
def test_a_bound_is_never_surer_than_any_truth_that_fits(a: float, share: float) -> None:
    """Whatever part of the mass that is not listed is the other letter's: A is at least as likely as was said."""
    found = label_shares(first(token("A", a)))
    assert (found is not None) == (a > 0.5 - 1e-4)
    if found is not None:
        truth = a / (a + share * (1.0 - a))
        assert 0.5 <= found.shares["A"] <= truth + 1e-4


def test_depth_is_no_way_in() -> None:
    told: Any = [{"token": "A", "logprob": -0.1}]
    for _ in range(100_000):
        told = {"content": told}
    assert label_shares(told) is None


SCORES = (1, 2, 3, 4, 5)
SAID = [
    *('{"', "rationale", '":', ' "it', " says ", '\\"', "clarity", '\\":', " 1", '", "', "scores", '": {"'),
    *("clarity", '":', " ", "5", ',"', "safety", '": ', "5", "}}"),
]
DIGITS = {"5": 0.5, " 4": 0.25, "3,": 0.15, "good": 0.1}


def written(alternatives: dict[str, float] = DIGITS) -> list[dict[str, Any]]:
    """An answer in JSON, token by token; what else could have stood in the place of a digit is listed there."""
    top = [token(name, p) for name, p in alternatives.items()]
    return [
        {"token": said, "logprob": math.log(0.5), "top_logprobs": top if said.strip().isdigit() else []}
        for said in SAID
    ]


@pytest.mark.parametrize("shape", ["chat", "list", "completions"])
def test_a_score_is_the_mean_over_the_probabilities_of_its_token(shape: str) -> None:
    told: Any = written()
    if shape == "chat":
        told = {"content": told}
    if shape == "completions":
        names = {"tokens": "token", "token_logprobs": "logprob", "top_logprobs": "top_logprobs"}
        told = {column: [entry[name] for entry in told] for column, name in names.items()}
    numbers = number_tokens(told)
    assert numbers is not None
    assert sorted(numbers) == ["clarity", "safety"], "what a text within the JSON says is no score"
    mean = (0.5 * 5 + 0.25 * 4 + 0.15 * 3) / 0.9
    assert expected_number(numbers["clarity"], 5, SCORES) == pytest.approx(mean, abs=1e-4)
    assert number_tokens(told) == numbers
    assert expected_number(json.loads(json.dumps(numbers))["clarity"], 5, SCORES) == pytest.approx(
        mean, abs=1e-4
    )


@pytest.mark.parametrize(
    ("alternatives", "given"),
    [(DIGITS, 4), ({"5": 0.3, "good": 0.6}, 5), ({"5": 0.4, "6": 0.5}, 5)],
    ids=["another number stands there", "most of the mass is no number", "a number that cannot be said"],
)
def test_a_score_is_taken_as_given_where_its_token_does_not_tell(
    alternatives: dict[str, float], given: int
) -> None:
    numbers = number_tokens(written(alternatives))
    assert numbers is not None
    assert expected_number(numbers["clarity"], given, SCORES) is None


@pytest.mark.parametrize(
    "told", [None, 5, "text", [], {}, [None], {"content": None}, {"tokens": [1], "token_logprobs": 7}]
)
def test_of_what_cannot_be_read_no_number_is_known(told: Any) -> None:
    assert number_tokens(told) is None
