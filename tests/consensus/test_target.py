"""Whom a promise speaks of: outcomes of several blind answers, and what a perfect panel could reach."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from solon.consensus.ceiling import best_agreement
from solon.consensus.certify import certify_weighted
from solon.consensus.target import NOBODYS, read_target
from solon.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "said", "ruling", "outcome"),
    [
        ("single", [], None, None),
        ("single", ["B", "A"], None, "B"),
        ("majority(3)", ["A", "A"], None, None),
        ("majority(3)", ["A", "B", "A"], None, "A"),
        ("majority(3)", ["A", "B", "tie"], None, NOBODYS),
        ("majority(3)", ["A", "B", "B", "A", "A"], None, "B"),
        ("majority(5)", ["A", "B", "B", "A", "A"], None, "A"),
        ("adjudicated", ["A"], "A", None),
        ("adjudicated", ["A", "A"], None, "A"),
        ("adjudicated", ["A", "B"], None, NOBODYS),
        ("adjudicated", ["A", "B"], "B", "B"),
    ],
)
def test_what_the_target_says(name: str, said: list[str], ruling: str | None, outcome: str | None) -> None:
    assert read_target(name).outcome(said, ruling) == outcome


def test_an_audit_of_an_adjudicated_promise_takes_three() -> None:
    target = read_target("adjudicated")
    assert target.audit_outcome(["A", "B"]) is None
    assert target.audit_outcome(["A", "B", "B"]) == "B"
    assert target.audit_outcome(["A", "B", "tie"]) == NOBODYS


@pytest.mark.parametrize("text", ["", "both", "majority(2)", "majority(11)", "majority", "Single"])
def test_an_unknown_target_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="target"):
        read_target(text)


@pytest.mark.parametrize("name", ["single", "majority(3)", "majority(5)", "adjudicated"])
def test_best_possible_is_what_counting_gives(name: str) -> None:
    """Every way in which independent experts can be right or wrong, weighed by its chance; rulings are right."""
    right, target = best_agreement(0.8), read_target(name)
    counted = 0.0
    for said in product("AB", repeat=target.experts):
        chance = 1.0
        for one in said:
            chance *= right if one == "A" else 1 - right
        counted += chance * (target.outcome(said, "A" if len(set(said)) > 1 else None) == "A")
    assert target.best_possible(right) == pytest.approx(counted)


@pytest.mark.parametrize(
    ("name", "ruled"), [("majority(3)", 1.0), ("adjudicated", 1.0), ("adjudicated", 0.5)]
)
def test_false_certificates_stay_under_delta(name: str, ruled: float) -> None:
    """Known truth: experts right .887 of the time, a panel that is too sure of itself. A certificate is false where
    what it accepts agrees with the target, all rulings given, less than it promises."""
    draw, target, alpha, delta, times = np.random.default_rng(3), read_target(name), 0.15, 0.1, 400

    def ask(n: int, ruled: float) -> tuple[np.ndarray, np.ndarray]:
        sure = draw.uniform(0.5, 1.0, n)
        panel = np.where(draw.random(n) < sure - 0.04, "A", "B")  # the truth is A
        said = np.where(draw.random((n, target.experts)) < 0.887, "A", "B")
        ruling = draw.random(n) < ruled
        found = [
            target.outcome(list(one), "A" if given and len(set(one)) > 1 else None)
            for one, given in zip(said, ruling, strict=True)
        ]
        return sure, (np.array(found) == panel).astype(float)

    sure, agreed = ask(20_000, 1.0)
    false = 0
    for _ in range(times):
        found = certify_weighted(*ask(60, ruled), np.ones(60), alpha=alpha, delta=delta)
        false += found.threshold is not None and agreed[sure >= found.threshold].mean() < 1 - alpha
    assert false / times <= delta
