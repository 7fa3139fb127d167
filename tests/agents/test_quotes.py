"""Quotations: which words of an answer are some, where they stand, and what a critic says of those that do not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.agents import critic
from solon.agents.case import Case
from solon.agents.critic import check_quotations
from solon.quotes import as_quotation, find_quotes

TEXT = "The “old” mill – it’s from 1802 –\nstill turns. It grinds  rye."


@pytest.mark.parametrize(
    ("answer", "source", "differs"),
    [
        ('It says "grinds  rye" of it.', None, None),  # two words are a term
        ("> grinds  rye", "grinds  rye", ()),
        ("> grinds rye.", "grinds  rye", ("white space",)),
        ('He wrote "mill – it’s from 1802."', "mill – it’s from 1802", ()),
        ("«mill - it's from 1802»", "mill – it’s from 1802", ("dash", "quotation mark")),
        ("„1802 – still turns“", "1802 –\nstill turns", ("line break",)),
        ("“the Mill – it’s from 1803”", "", ()),
        ("> STILL TURNS", "", ()),
        ("It says 'open the door at dawn' of it.", "", ()),
        ("‘open the miller’s door at dawn’", "", ()),
        ("``open the door at dawn''", "", ()),
        ("''open the door at dawn'', it says", "", ()),
        ('“open the door at dawn"', "", ()),
        ("”open the door at dawn”", "", ()),
        ("'mill – it's from 1802'", "mill – it’s from 1802", ("quotation mark",)),
        ("'Tis the millers' wheel, from the '90s, that isn't the boys' or girls'.", None, None),
        ("It's the mill's `wheel that still turns` at the millers' house", None, None),
        ("> ", None, None),
        ("> ...", None, None),
    ],
)
def test_a_quotation_and_its_place(answer: str, source: str | None, differs: tuple[str, ...] | None) -> None:
    quotes = find_quotes(answer, TEXT)
    assert len(quotes) == (source is not None)
    for quote in quotes:
        assert ("" if quote.source is None else TEXT[slice(*quote.source)]) == source
        assert quote.differs == differs


@given(st.text('ab –-"“\n\t', max_size=60), st.data())
def test_what_is_copied_stands_there(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    words = text[start : data.draw(st.integers(start, len(text)))]
    for quote in find_quotes(as_quotation(words), text):
        assert quote.source is not None
        assert 0 <= quote.source[0] < quote.source[1] <= len(text)


@pytest.mark.parametrize(
    "answer",
    [
        "“" * 50_000,
        '"' * 50_001,
        ">" * 50_000,
        "> \t" * 30_000,
        "\n>" * 50_000,
        " 'a" * 30_000,
        "'a" * 50_000,
        "``a" * 30_000,
    ],
)
def test_marks_alone_quote_nothing(answer: str) -> None:
    assert not any(quote.source for quote in find_quotes(answer, "a text " * 1000))


def test_what_does_not_stand_in_the_input_is_found_without_a_model() -> None:
    answer = "> it’s from 1802 - still turns\n> it grinds wheat and oats"
    found = check_quotations(answer, TEXT)
    assert [(one.severity, one.quote) for one in found] == [
        ("minor", "it’s from 1802 - still turns"),
        ("major", "it grinds wheat and oats"),
    ]


@pytest.mark.parametrize("grounded", [True, False])
@pytest.mark.parametrize("text", [TEXT, ""])
def test_the_critic_holds_an_answer_against_its_input(tmp_path: Path, grounded: bool, text: str) -> None:
    said = {"principle": "avoids-harm", "quote": "", "severity": "fatal", "suggestion": "It is not there."}
    rules = [{"prompt": "against the input", "answer": {"findings": [said]}}, {"answer": {"findings": []}}]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    model = {"model": f"scripted:{tmp_path / 'rules.json'}"}
    config = {"critic": {"grounded": grounded}, "models": {"default": model}}

    async def ask() -> critic.Critique:
        async with Case.open(config, prompt="What is it?", input=text) as case:
            return await critic.critique(case, "“the mill that was never there”")

    severities = [one.severity for one in asyncio.run(ask()).findings]
    assert severities == (["major", "fatal"] if grounded and text else [])


@pytest.mark.parametrize("answer", ["“the mill that was never there”", "no quotation"])
def test_what_code_noticed_counts_where_the_critic_says_nothing_usable(tmp_path: Path, answer: str) -> None:
    (tmp_path / "rules.json").write_text(json.dumps([{"answer": "I would rather not."}]))
    model = {"model": f"scripted:{tmp_path / 'rules.json'}"}

    async def ask() -> critic.Critique:
        config = {"critic": {"grounded": True}, "models": {"default": model}}
        async with Case.open(config, prompt="What is it?", input=TEXT) as case:
            return await critic.critique(case, answer)

    found = asyncio.run(ask())
    assert not found.outcome.ok
    assert (found.worst, bool(found.abstained)) == (("major", False) if "“" in answer else ("none", True))
