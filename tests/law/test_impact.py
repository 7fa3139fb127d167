"""The figures of an amendment: exact tests, intervals, and the three verdicts."""

from __future__ import annotations

import random
from typing import Any

import pytest

from solon.law.impact import LEVEL, Trial, level_of, mcnemar, measure


def trials(part: str, *kinds: tuple[str, int], again: str | None = None) -> list[Trial]:
    """kinds: `bg` was bad and is good, `gg`, `gb`, `bb`, each so often."""
    side = {"g": "A", "b": "B"}
    made = []
    for kind, number in kinds:
        for _ in range(number):
            made.append(
                Trial(f"{part}{len(made)}", part, "A", side[kind[0]], side[kind[1]], again and side[again])
            )
    return made


def test_mcnemar_is_exact() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(10, 0) == pytest.approx(2 / 2**10)
    assert mcnemar(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 2**10)
    assert mcnemar(3, 3) == 1.0


def test_only_unseen_precedents_decide() -> None:
    found = measure(trials("seen", ("bg", 40)) + trials("held_out", ("bb", 20), ("gg", 20)))
    assert found.parts["seen"].after == 1.0
    assert found.unseen.n == 40
    assert found.verdict == "grey"
    assert measure(trials("seen", ("bg", 40))).verdict == "grey"


def test_green_and_red() -> None:
    assert measure(trials("held_out", ("bg", 12), ("gg", 20), ("gb", 1))).verdict == "green"
    assert measure(trials("held_out", ("bg", 1), ("gg", 20), ("gb", 12))).verdict == "red"
    few = measure(trials("held_out", ("bg", 3), ("gg", 2)))
    assert few.verdict == "grey"
    assert "cannot tell" in few.why


def test_what_judging_twice_moves_is_no_gain() -> None:
    rows = trials("held_out", ("bg", 10), ("bb", 5), ("gg", 15))
    assert measure(rows).verdict == "green"
    # judged again under the old law, all that was bad came out good as well
    noisy = [Trial(t.precedent_id, t.part, t.decided, t.before, t.after, "A") for t in rows]
    found = measure(noisy)
    assert found.noise is not None
    assert found.noise.after == 1.0
    assert found.verdict == "grey"
    assert "judging twice" in found.why


def test_null_amendments_are_seldom_green() -> None:
    draw = random.Random(3)
    green = 0
    for _ in range(200):
        rows = [Trial(str(i), "held_out", "A", draw.choice("AB"), draw.choice("AB")) for i in range(60)]
        green += measure(rows).verdict == "green"
    assert green <= 10  # 2.5% expected by construction, 10 of 200 is far out in its tail


def test_who_measures_again_until_it_is_green_finds_a_higher_bar() -> None:
    """Nine gained and two lost, p = .065, are grey; ten and two, p = .039, are green at the first look alone."""

    def flipped(gained: int, lost: int) -> list[Trial]:
        flips = [("B", "A")] * gained + [("A", "B")] * lost + [("A", "A")] * 20
        return [Trial(f"p{i}", "fresh", "A", old, new) for i, (old, new) in enumerate(flips)]

    first = measure(flipped(9, 2))
    assert (first.verdict, first.look) == ("grey", 1)
    assert measure(flipped(10, 2)).verdict == "green"
    again = measure(flipped(10, 2), before=first.to_json())
    assert (again.verdict, again.look) == ("grey", 2)
    assert "measurement 2 on these decisions takes 0.015" in again.why
    same = measure(flipped(9, 2), before=first.to_json())
    assert same.look == 1
    assert measure(flipped(14, 2), before=first.to_json()).verdict == "green"
    assert measure(flipped(2, 10), before=again.to_json()).verdict == "red"


def test_drafts_of_others_on_the_same_precedents_raise_the_bar_and_ties_are_no_agreement() -> None:
    rows = trials("held_out", ("bg", 9), ("gb", 1), ("gg", 20))
    assert measure(rows).verdict == "green"
    third = measure(rows, tried=2)
    assert (third.verdict, third.look, third.tried) == ("grey", 1, 2)
    assert "measurement 3 on these decisions takes 0.0068" in third.why
    same = measure(rows, before=third.to_json(), tried=7)
    assert (same.look, same.tried, same.why) == (1, 2, third.why), "the same precedents again"
    assert measure(trials("held_out", ("bg", 14), ("gg", 20)), tried=9).verdict == "green"
    assert sum(level_of(i) for i in range(1, 10_000)) / 2 < LEVEL
    tied = [Trial("t", "held_out", "A", "tie", "both_bad")]
    assert (measure(tied).unseen.before, measure(tied).unseen.after) == (0.0, 0.0)


def test_a_draft_without_effect_is_seldom_green_however_often_it_is_measured() -> None:
    """Fifteen looks, ten fresh decisions between two: at most one draft in twenty is ever green."""
    ever = 0
    for seed in range(200):
        draw = random.Random(seed)
        found: list[Trial] = []
        before: dict[str, Any] | None = None
        for _ in range(15):
            found += [
                Trial(f"p{len(found) + i}", "fresh", *(draw.choice("AB") for _ in range(3)))
                for i in range(10)
            ]
            impact = measure(found, before=before)
            before = impact.to_json()
            if impact.verdict == "green":
                ever += 1
                break
    assert ever <= 0.05 * 200 + 2 * (0.05 * 0.95 * 200) ** 0.5
