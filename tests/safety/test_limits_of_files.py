"""A file that passes a limit is refused with line and limit; it is never called a mistake in Solon."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.config import load_config
from solon.errors import ConfigError, UsageError
from solon.law.amendments import parse_amendment
from solon.prompts.library import PromptLibrary

FRONT = "---\nname: draft.single\nversion: 9\nvariables: []\noutput: text\n---\n# system\n{}\n# user\nhello\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\na = " + "[" * 20_000 + "]" * 20_000, "line 2: it is nested deeper"),
        ("[run]\nseed = " + "9" * 5000, "line 2: a number has more than 4300 digits"),
        ("a = " + "{b = " * 9000 + "1" + "}" * 9000, "line 1: it is nested deeper"),
    ],
)
def test_a_configuration_beyond_a_limit(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "solon.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        load_config(file)


@pytest.mark.parametrize(
    ("text", "told"),
    [("a: " + "[" * 20_000, "nested deeper"), ("a: 1\nb: " + "9" * 5000, "line 2: a number")],
)
def test_an_amendment_beyond_a_limit(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_amendment(text, source="amendment.yaml")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{% for a in range(9999) %}{% for b in range(9999) %}.{% endfor %}{% endfor %}", "100000 steps"),
        ("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{% include 'other.md' %}", "line 1 .*no loader"),
        ("{% import 'other.md' as o %}", "line 1 .*no loader"),
        ("one\n{{ 'x' * 10000000000 }}", "line 2 .*too large"),
        ("{{ 10 ** 10000000000 }}", "too large"),
        ("one\ntwo\n{{ 1 / 0 }}", "line 3 .*division by zero"),
        ("{{ range(1000000000) }}", "too big"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested deeper"),
        ("one\n{% for %}", "line 2 "),
    ],
)
def test_a_template_beyond_a_limit(tmp_path: Path, body: str, told: str) -> None:
    library = PromptLibrary()
    with pytest.raises(ConfigError, match=told):
        library._add("draft.md", FRONT.format(body)).render("mark")


def test_a_template_within_the_limits() -> None:
    body = "{% for n in range(3) %}{{ loop.index }}{% endfor %} {{ '-' * 3 }} {{ 2 ** 8 }}"
    assert PromptLibrary()._add("draft.md", FRONT.format(body)).render("mark").system == "123 --- 256"


def test_aliases_in_front_matter_are_refused() -> None:
    text = FRONT.format("x").replace("version: 9", "version: &a 9\nmore: *a")
    with pytest.raises(ConfigError, match="aliases are not allowed"):
        PromptLibrary()._add("draft.md", text)
