"""The starters that ship with Solon: complete, short, and pleasant to edit."""

from __future__ import annotations

import pytest

from solon.law.documents import (
    dump_yaml,
    load_constitution,
    load_rubric,
    parse_constitution,
    parse_rubric,
    starter_names,
)

NAMES = ["code", "education", "general", "legal", "medical"]


def test_there_is_a_rubric_for_every_constitution() -> None:
    assert starter_names("constitutions") == starter_names("rubrics") == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_starter_constitution(name: str) -> None:
    document = load_constitution(name)
    assert document.name == name
    assert 6 <= len(document.principles) <= 11
    assert sorted(p.priority for p in document.principles) == list(range(1, len(document.principles) + 1))
    assert all(30 <= len(p.text) <= 240 and p.text.endswith(".") for p in document.principles)
    assert len(document.as_prompt()) < 1500  # about 350 tokens: small contexts read it with every call
    assert parse_constitution(dump_yaml(document)) == document


@pytest.mark.parametrize("name", NAMES)
def test_a_starter_rubric(name: str) -> None:
    document = load_rubric(name)
    assert document.name == name
    assert 4 <= len(document.criteria) <= 7
    for criterion in document.criteria:
        assert criterion.text.endswith("?")
        assert len(set(criterion.anchors.values())) == 5
    assert len(document.as_prompt()) < 1500
    assert parse_rubric(dump_yaml(document)) == document


@pytest.mark.parametrize("name", NAMES)
def test_special_starters_are_scoped_and_the_general_one_is_not(name: str) -> None:
    for document in (load_constitution(name), load_rubric(name)):
        assert bool(document.scope.tags) == (name != "general")
        assert document.version == "1.0.0"
        assert document.reason
