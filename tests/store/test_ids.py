"""Ids: the same thing has one id, different things have different ones, and no part can imitate a separator."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from solon.store.database.ids import hash_id, keyed_hash, new_id
from solon.store.runs.journal import CallKey

anything = st.text(st.characters(exclude_categories=()), max_size=12)
parts = st.lists(anything, max_size=5)


@given(parts, parts)
def test_equal_parts_and_only_they_have_equal_ids(one: list[str], other: list[str]) -> None:
    assert (hash_id(*one) == hash_id(*other)) == (one == other)


@given(parts)
def test_the_key_decides(own: list[str]) -> None:
    assert keyed_hash("00" * 16, *own) != keyed_hash("01" * 16, *own)
    assert keyed_hash("00" * 16, *own) == keyed_hash("00" * 16, *own)
    assert len(keyed_hash("00" * 16, *own)) == 24


def test_new_ids_differ_and_follow_time() -> None:
    made = [new_id() for _ in range(2000)]
    assert len(set(made)) == 2000
    assert [name[:11] for name in made] == sorted(name[:11] for name in made)


fields = {
    "role": anything,
    "seat": anything,
    "sample": st.integers(0, 9),
    "round": st.integers(0, 9),
    "model": anything,
    "parameters": st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.floats(0, 2), st.booleans())),
    "prompt": anything,
    "schema": anything,
}


@settings(max_examples=60)
@given(st.fixed_dictionaries(fields), st.sampled_from(sorted(fields)), st.data())
def test_every_part_of_a_call_decides_its_key(
    values: dict[str, object], name: str, data: st.DataObject
) -> None:
    """... but for the template's name: equal prompts from two versions of a template are one call."""
    changed = {**values, name: data.draw(fields[name])}
    one = CallKey(**values, template="a@1")  # type: ignore[arg-type]
    other = CallKey(**changed, template="a@2")  # type: ignore[arg-type]
    assert (one.content_key("seed") == other.content_key("seed")) == (values == changed)
    assert one.content_key("seed") != one.content_key("another seed")
