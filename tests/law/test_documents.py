"""Constitutions and rubrics: round trips, errors that can be acted on, differences, rendering."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solon.errors import UsageError
from solon.law.documents import (
    Change,
    Constitution,
    Criterion,
    Principle,
    Rubric,
    Scope,
    diff,
    dump_yaml,
    load_constitution,
    load_rubric,
    parse_constitution,
    parse_rubric,
)

GOOD = """\
name: ours
version: 1.2.0
scope: {recipe: preference, tags: [law]}
author: A. Lead
reason: first try
principles:
  - {id: second, priority: 2, text: Comes second.}
  - {id: first, priority: 1, text: "Comes\\n first.", examples: ["one\\n  two"]}
"""

SLUGS = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,2}", fullmatch=True)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
LINES = WORDS.filter(
    lambda text: (
        text.strip() and not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(text)
    )
)
BLOCKS = st.lists(LINES, min_size=1, max_size=3).map("\n".join)
SCOPES = st.builds(Scope, recipe=st.sampled_from(["", "preference"]), tags=st.lists(SLUGS, max_size=2))
VERSIONS = st.tuples(*[st.integers(0, 30)] * 3).map(lambda parts: ".".join(map(str, parts)))
PRINCIPLES = st.builds(
    Principle, id=SLUGS, text=LINES, priority=st.integers(1, 5), examples=st.lists(BLOCKS, max_size=2)
)
CRITERIA = st.builds(
    Criterion,
    id=SLUGS,
    text=LINES,
    weight=st.floats(0.01, 100),
    anchors=st.fixed_dictionaries(dict.fromkeys(range(1, 6), LINES)),
)
HEAD: dict[str, Any] = {
    "name": SLUGS,
    "version": VERSIONS,
    "scope": SCOPES,
    "author": st.just("") | LINES,
    "reason": st.just("") | BLOCKS,
}
CONSTITUTIONS = st.builds(
    Constitution, principles=st.lists(PRINCIPLES, min_size=1, max_size=4, unique_by=lambda p: p.id), **HEAD
)
RUBRICS = st.builds(
    Rubric, criteria=st.lists(CRITERIA, min_size=1, max_size=3, unique_by=lambda c: c.id), **HEAD
)


def constitution(*principles: Principle, **changes: Any) -> Constitution:
    return Constitution(name="c", principles=list(principles), **changes)


def principle(name: str, priority: int = 1, **changes: Any) -> Principle:
    return Principle(**{"id": name, "text": f"Text of {name}.", "priority": priority, **changes})


def criterion(name: str, weight: float = 1.0, **changes: Any) -> Criterion:
    anchors = {score: f"Anchor {score}." for score in range(1, 6)}
    return Criterion(
        **{"id": name, "text": f"Is it {name}?", "weight": weight, "anchors": anchors, **changes}
    )


@settings(deadline=None)
@given(CONSTITUTIONS)
def test_a_constitution_survives_yaml(document: Constitution) -> None:
    again = parse_constitution(dump_yaml(document))
    assert again == document
    assert again.fingerprint() == document.fingerprint()
    assert diff(document, again) == []


@settings(deadline=None)
@given(RUBRICS)
def test_a_rubric_survives_yaml_and_json(document: Rubric) -> None:
    assert parse_rubric(dump_yaml(document)) == document
    assert Rubric.model_validate_json(document.model_dump_json()) == document
    assert Rubric.model_validate(document.model_dump(mode="json")) == document
    assert sum(document.weights().values()) == pytest.approx(1)


@settings(deadline=None)
@given(CONSTITUTIONS, CONSTITUTIONS)
def test_the_difference_is_empty_exactly_where_the_law_is_the_same(
    old: Constitution, new: Constitution
) -> None:
    same_version = new.model_copy(update={"version": old.version})
    assert (diff(old, new) == []) == (old.fingerprint() == same_version.fingerprint())
    back = diff(new, old)
    assert {c.id for c in diff(old, new) if c.action == "added"} == {
        c.id for c in back if c.action == "retired"
    }


@settings(deadline=None)
@given(CONSTITUTIONS, st.data())
def test_one_edit_is_one_difference(old: Constitution, data: st.DataObject) -> None:
    moved = data.draw(st.permutations(old.principles))
    reordered = old.model_copy(update={"principles": moved})
    assert (diff(old, reordered) == []) == (old.ids() == reordered.ids())
    assert (diff(old, reordered) == []) == (old.fingerprint() == reordered.fingerprint())
    reworded = moved[0].model_copy(update={"text": moved[0].text + " Also."})
    after = reordered.model_copy(update={"principles": [reworded, *moved[1:]]})
    assert diff(reordered, after) == [
        Change("changed", moved[0].id, "text", moved[0].text, moved[0].text + " Also.")
    ]


@settings(deadline=None)
@given(CONSTITUTIONS)
def test_the_prompt_has_one_line_per_principle(document: Constitution) -> None:
    lines = document.as_prompt().split("\n")
    assert [line.partition("] ")[0] + "]" for line in lines] == [f"[{name}]" for name in document.ids()]
    assert len(document.as_prompt().splitlines()) == len(document.principles)


def test_reading_orders_by_priority_and_cleans_texts() -> None:
    document = parse_constitution(GOOD)
    assert document.as_prompt() == "[first] Comes first.\n[second] Comes second."
    assert document.principles[1].examples == ["one\n  two"]
    assert (document.scope.recipe, document.scope.tags) == ("preference", ["law"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "version: 1.2.0",
            "version: 1.2",
            "c.yaml: version: Input should be a valid string (saw 1.2); put it in quotes",
        ),
        ("version: 1.2.0", "version: v1", "c.yaml: version:"),
        ("name: ours", "name: Our Law", "c.yaml: name:"),
        ("name: ours", "nmae: ours", "c.yaml: nmae: unknown key"),
        ("id: first", "id: second", "principles.1.id: 'second' is there twice"),
        ("id: first", "id: no", "c.yaml: principles.1.id: Input should be a valid string (saw False)"),
        (
            "priority: 2",
            "priority: 0",
            "c.yaml: principles.0.priority: Input should be greater than or equal to 1 (saw 0)",
        ),
        ("priority: 2", "priority: high", "(saw 'high')"),
        ("text: Comes second.", "text: ''", "c.yaml: principles.0.text"),
        ("text: Comes second.", "text: '  '", "c.yaml: principles.0.text"),
        ("text: Comes second.", f"text: {'x' * 601}", "at most 600 characters"),
        ("text: Comes second.", 'text: "a\\u202Eb"', "hidden control character (U+202E)"),
        ("text: Comes second.", 'text: "a\\0b"', "hidden control character (U+0000)"),
        ("author: A. Lead", "author: A. Lead\nauthor: B", "the key 'author' is there twice"),
        ("author: A. Lead", "author: *x", "aliases are not allowed"),
        (
            "author: A. Lead",
            "author: !!python/object/apply:os.system ['true']",
            "could not determine a constructor",
        ),
        ("author: A. Lead", "kind: rubric", "Input should be 'constitution'"),
    ],
)
def test_errors_name_file_key_and_value(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    file = tmp_path / "c.yaml"
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_constitution(file)
    assert "c.yaml" in str(caught.value)
    assert message in str(caught.value)
    assert caught.value.next_step


def test_a_document_must_be_a_mapping_and_within_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds a list"):
        parse_constitution("- a")
    with pytest.raises(UsageError, match="not YAML"):
        parse_constitution("[" * 5000)
    (tmp_path / "big.yaml").write_text("a" * 1_000_001)
    with pytest.raises(UsageError, match="more than 1000000 bytes"):
        load_rubric(tmp_path / "big.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_rubric(str(tmp_path / "latin.yaml"))


@pytest.mark.parametrize("source", ["generall", "missing.yaml", "a\x00b", "."])
def test_a_source_that_is_not_there_names_the_starters(source: str) -> None:
    with pytest.raises(UsageError, match="cannot be read") as caught:
        load_constitution(source)
    assert "code, education, general, legal, medical" in caught.value.next_step


def test_anchors_must_be_whole() -> None:
    with pytest.raises(ValueError, match=r"scores 1 to 5 \(saw \[1, 2\]\)"):
        criterion("a", anchors={1: "x", 2: "y"})
    with pytest.raises(ValueError, match="finite"):
        criterion("a", weight=float("nan"))


def test_differences_of_a_constitution() -> None:
    old = constitution(principle("a", 1), principle("b", 2), principle("c", 3))
    new = constitution(principle("b", 1), principle("a", 2, text="New."), principle("d", 4), reason="x")
    assert diff(old, new) == [
        Change("retired", "c", "", "Text of c.", None),
        Change("added", "d", "", None, "Text of d."),
        Change("changed", "b", "priority", 2, 1),
        Change("changed", "a", "text", "Text of a.", "New."),
        Change("changed", "a", "priority", 1, 2),
        Change("changed", "", "order", ["a", "b"], ["b", "a"]),
    ]
    assert str(diff(old, new)[3]) == "[a] text: 'Text of a.' -> 'New.'"
    assert str(diff(old, new)[0]) == "[c] retired: Text of c."


def test_differences_of_a_rubric() -> None:
    old = Rubric(name="r", criteria=[criterion("a"), criterion("b")])
    anchors = {**old.criteria[0].anchors, 3: "Other."}
    new = Rubric(
        name="r", scope=Scope(tags=["x"]), criteria=[criterion("a", 2.0, anchors=anchors), criterion("b")]
    )
    assert diff(old, new) == [
        Change("changed", "", "scope", {}, {"tags": ["x"]}),
        Change("changed", "a", "weight", 1.0, 2.0),
        Change("changed", "a", "anchors.3", "Anchor 3.", "Other."),
    ]


def test_author_and_reason_do_not_change_the_fingerprint_but_the_version_does() -> None:
    one = constitution(principle("a"))
    assert one.fingerprint() == constitution(principle("a"), author="me", reason="why").fingerprint()
    assert one.fingerprint() != constitution(principle("a"), version="1.0.1").fingerprint()
    assert len(one.fingerprint()) == 64


def test_the_place_in_the_file_does_not_matter_where_priorities_differ() -> None:
    one = constitution(principle("a", 1), principle("b", 2))
    two = constitution(principle("b", 2), principle("a", 1))
    assert one.fingerprint() == two.fingerprint()
    assert one.as_prompt() == two.as_prompt()


def test_a_rubric_as_prompt() -> None:
    rubric = Rubric(name="r", criteria=[criterion("a"), criterion("b", 3.0)])
    assert rubric.as_prompt().split("\n")[0] == "[a] Is it a? (1: Anchor 1. 3: Anchor 3. 5: Anchor 5.)"
    assert rubric.as_prompt(anchors="none") == "[a] Is it a?\n[b] Is it b?"
    assert "2: Anchor 2." in rubric.as_prompt(anchors="all")
    assert rubric.weights() == {"a": 0.25, "b": 0.75}
