"""Edits of documents: what they do, how the version moves, what is refused."""

from __future__ import annotations

import pytest

from solon.agents.legislator import DraftedEdit, as_edit
from solon.errors import UsageError
from solon.law.amendments import Edit, apply_edits, find_warnings, parse_amendment, telling, touched
from solon.law.documents import Rubric, diff, load_constitution, load_rubric

LAW, RUBRIC = load_constitution("general"), load_rubric("general")


def edited(*edits: dict[str, object], base: object = LAW) -> object:
    return apply_edits(base, [Edit.model_validate(e) for e in edits], author="me", reason="why")  # type: ignore[arg-type]


def test_a_rule_added_first_moves_the_others_back() -> None:
    made = edited({"action": "add", "id": "new-rule", "text": "Is new.", "priority": 1})
    assert made.ids() == ["new-rule", *LAW.ids()]  # type: ignore[attr-defined]
    assert made.version == "1.1.0"  # type: ignore[attr-defined]


def test_versions_tell_what_kind_of_change_it_was() -> None:
    first = LAW.ids()[0]
    cases = {
        "1.1.0": {"action": "reword", "id": first, "text": "Otherwise."},
        "2.0.0": {"action": "retire", "id": first},
    }
    for version, edit in cases.items():
        assert edited(edit).version == version  # type: ignore[attr-defined]
    assert edited({"action": "reorder", "id": first, "priority": 3}).version == "2.0.0"  # type: ignore[attr-defined]
    same = LAW.principles[0].text
    told = edited({"action": "reword", "id": first, "text": same, "examples": ["An example."]})
    assert told.version == "1.0.1"  # type: ignore[attr-defined]


def test_anchors_and_weights_of_a_rubric() -> None:
    first = RUBRIC.ids()[0]
    made = edited(
        {"action": "anchor", "id": first, "score": 3, "text": "So so."},
        {"action": "weight", "id": first, "weight": 7},
        base=RUBRIC,
    )
    fields = {change.field for change in diff(RUBRIC, made)}  # type: ignore[type-var]
    assert fields == {"anchors.3", "weight"}


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        ({"action": "retire", "id": "nowhere"}, "there is no"),
        ({"action": "add", "id": LAW.ids()[0], "text": "x"}, "already"),
        ({"action": "weight", "id": LAW.ids()[0], "weight": 2}, "a principle has none"),
        ({"action": "reword", "id": LAW.ids()[0], "text": LAW.ordered()[0].text}, "changes nothing"),
        ({"action": "reword", "id": LAW.ids()[0], "text": "hid\u202eden"}, "hidden control"),
    ],
)
def test_what_cannot_be_is_refused(edit: dict[str, object], problem: str) -> None:
    with pytest.raises((UsageError, ValueError), match=problem):
        edited(edit)


def test_a_file_names_what_is_wrong() -> None:
    with pytest.raises(UsageError, match=r"my\.yaml: changes\.0.*needs 'text'"):
        parse_amendment("amends: general\nreason: x\nchanges: [{action: add, id: a}]", source="my.yaml")


def test_rules_that_nearly_repeat_or_contradict_are_pointed_out() -> None:
    text = LAW.ordered()[2].text
    assert "nearly the same" in find_warnings(edited({"action": "add", "id": "twin", "text": text}))[0]  # type: ignore[arg-type]


def test_new_numbers_are_no_change_that_is_told() -> None:
    base = load_constitution("general")
    first = apply_edits(
        base, [Edit(action="add", id="new", text="Is new.", priority=1)], author="", reason="x"
    )
    assert [(c.action, c.id) for c in telling(diff(base, first))] == [("added", "new")]  # type: ignore[type-var]
    assert touched(diff(base, first)) == {"new"}  # type: ignore[type-var]
    ids = base.ids()
    turned = apply_edits(base, [Edit(action="reorder", id=ids[1], priority=1)], author="", reason="x")
    assert touched(diff(base, turned)) == set(ids[:2])  # type: ignore[type-var]
    assert {c.field for c in telling(diff(base, turned))} == {"order"}  # type: ignore[type-var]


def test_a_criterion_that_a_model_writes_comes_with_its_five_anchors() -> None:
    rubric = load_rubric("general")
    anchors = ["no unit", "a wrong unit", "some units", "nearly all", "every amount has its unit"]
    written = {"action": "add", "id": "Names Units", "text": "Gives units.", "weight": 2, "anchors": anchors}
    made = apply_edits(rubric, [as_edit(DraftedEdit.model_validate(written), rubric)], author="l", reason="r")
    assert isinstance(made, Rubric)
    added = made.criteria[-1]
    assert (added.id, added.weight, added.anchors[1], added.anchors[5]) == (
        "names-units",
        2.0,
        "no unit",
        "every amount has its unit",
    )
    short = as_edit(DraftedEdit.model_validate({**written, "anchors": anchors[:3]}), rubric)
    with pytest.raises(UsageError):
        apply_edits(rubric, [short], author="l", reason="r")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("1a1ff54566920c0b6260f", "a-good-answer-is"),
        ("right-length", "right-length"),
        ("Short One!", "short-one"),
    ],
)
def test_a_model_that_rewords_what_is_not_there_adds_it(name: str, rule: str) -> None:
    """As small models do, which take the id of a decision for that of a rule."""
    base = load_constitution("general")
    text = "A good answer is as short as it can be."
    written = DraftedEdit.model_validate(
        {"action": "reword", "id": name, "text": text, "priority": 1, "score": 1}
    )
    made = apply_edits(base, [as_edit(written, base, ["1a1ff54566920c0b6260f"])], author="l", reason="r")
    [found] = [part for part in made.principles if part.text == text]  # type: ignore[union-attr]
    assert found.id == rule
    assert len(made.ids()) == len(base.ids()) + (rule != "right-length")
