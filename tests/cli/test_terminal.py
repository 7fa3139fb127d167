"""Texts of seeds and models cannot command the terminal, nor be taken for markup."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.display.text import clean, shorten

Cli = Callable[..., Any]

HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m[bold red]x[/bold red] \u202egnp.exe\r done [/nonsense]"


def test_clean_shows_what_a_terminal_would_obey() -> None:
    assert clean("a\x1b[2Jb\x9bc\u202ed\r\n\te") == "a\\x1b[2Jb\\x9bc\\u202ed\\r\n\te"
    assert clean("naïve 日本語 👩\u200d🔬 [bold]") == "naïve 日本語 👩\u200d🔬 [bold]"


@given(st.text())
def test_clean_leaves_nothing_to_obey(text: str) -> None:
    shown = clean(text)
    assert all(char in "\n\t" or (ord(char) >= 32 and not 127 <= ord(char) < 160) for char in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


@given(st.text(), st.integers(4, 80))
def test_shorten_keeps_to_one_line_of_that_width(text: str, width: int) -> None:
    line = shorten(text, width)
    assert len(line) <= width
    assert "\n" not in line


@pytest.fixture
def hostile_review(solon: Cli, write_seeds: Callable[..., Path]) -> str:
    seeds = write_seeds({"prompt": HOSTILE, "responses": [HOSTILE, f"other {HOSTILE}"]})
    assert solon("run", "preference", "--seeds", seeds, "--json").json["items"] == 1
    found = solon("review", "list", "--json").json["reviews"]
    if not found:
        pytest.skip("the panel was sure")
    return str(found[0]["review_id"])


def test_no_command_prints_control_characters(solon: Cli, hostile_review: str) -> None:
    for command in (
        ["review", "list"],
        ["review", "show", hostile_review],
        ["show", hostile_review],
        ["status"],
    ):
        shown = solon(*command)
        assert shown.code == 0
        for stream in (shown.out, shown.err):
            assert not set(stream) & set("\x1b\x07\x9b\r\u202e"), command
    assert "[bold red]x[/bold red]" in solon("review", "show", hostile_review).out
    printed = solon("review", "show", hostile_review, "--json").out
    assert printed.isascii()
    assert json.loads(printed)["prompt"] == HOSTILE
