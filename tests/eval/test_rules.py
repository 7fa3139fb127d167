"""What rules cover and how often they are right, counted by hand; bad rules and bad texts are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon import Project, judge
from solon.config import parse_config
from solon.errors import ConfigError, SeedError
from solon.eval.rules import measure_rules, try_rules

CONFIG = {
    "judges": [],
    "label": {"labels": ["card", "fee"]},
    "rules": [
        {"name": "card", "label": "card", "keywords": ["card"]},
        {"name": "fee", "label": "fee", "regex": "fee|charge"},
        {"name": "long", "label": "fee", "python": f"{__name__}:long"},
        {"name": "angry", "label": "fee", "prompt": "Is it angry?"},
    ],
}
SEEDS = ["my card", "the card fee", "charged again", "nothing"]


@judge("long", "1")
def long(answer: str) -> bool:
    return len(answer) > 10


@judge("broken", "1")
def broken(answer: str) -> str:
    raise RuntimeError("no")


def test_figures_are_counted_by_hand() -> None:
    said = [{"a": "x", "b": "silent"}, {"a": "x", "b": "y"}, {"a": "silent", "b": "y"}, {"a": "x", "b": "x"}]
    found = measure_rules([*said, {"a": "silent", "b": "silent"}], ["x", "y", "y", None, "x"])
    a, b = found.rules
    assert (a.coverage.value, a.overlap.value, a.conflict.value) == (3 / 5, 2 / 3, 1 / 3)
    assert (a.precision.value, a.precision.n) == (1 / 2, 2)
    assert (b.precision.value, b.precision.n, b.labels) == (1.0, 2, ("y", "x"))
    assert a.against == {"b": 1}
    assert (found.covered.value, found.several.value, found.split.value) == (4 / 5, 2 / 5, 1 / 5)
    assert a.precision.low < 0.02


def test_an_answer_that_no_rule_names_counts_against_those_that_speak() -> None:
    [rule] = measure_rules([{"a": "x"}, {"a": "x"}], ["z", "x"]).rules
    assert (rule.precision.value, rule.precision.n) == (0.5, 2)


def test_configured_rules_are_tried_without_a_store_or_a_model(tmp_path: Path) -> None:
    found = try_rules(parse_config(CONFIG), SEEDS)
    by_name = {rule.name: rule for rule in found.rules}
    assert by_name["card"].coverage.value == 0.5
    assert by_name["long"].coverage.value == 0.5
    assert by_name["card"].against == {"fee": 1, "long": 1}
    assert found.left_out == {"angry": "it asks a model"}
    with Project(f"sqlite:///{tmp_path}/x.db", config=CONFIG, create=True) as project:
        assert project.rules(seeds=SEEDS) == found


def test_what_is_wrong_is_named() -> None:
    rules = [{"name": "bad", "label": "card", "python": f"{__name__}:broken"}, CONFIG["rules"][0]]
    found = try_rules(parse_config({**CONFIG, "rules": rules}), SEEDS)
    assert found.left_out == {"bad": "its function failed: RuntimeError: no"}
    assert [rule.name for rule in found.rules] == ["card"]
    runaway = parse_config({**CONFIG, "rules": [{"name": "x", "label": "card", "regex": "(a+)+$"}]})
    with pytest.raises(ConfigError, match="'x' runs away"):
        try_rules(runaway, ["a" * 5000 + "!"])
    mistyped = [{"name": "x", "label": "Fee ", "keywords": "fee"}]
    with pytest.raises(ConfigError, match="votes for 'Fee ', which is no outcome") as error:
        try_rules(parse_config({**CONFIG, "rules": mistyped}), SEEDS)
    assert error.value.next_step == "did you mean 'fee'?"
    bare = try_rules(parse_config({**CONFIG, "rules": CONFIG["rules"][:1]}), SEEDS)
    assert bare.notes == ("no rule names fee",)
    with pytest.raises(SeedError, match=r"none\.jsonl"):
        try_rules(parse_config(CONFIG), "none.jsonl")
    empty = try_rules(parse_config(CONFIG), [{"id": "e", "prompt": " "}, {"id": "f", "prompt": "card"}])
    assert empty.n == 1
    assert "not read" in empty.notes[0]
