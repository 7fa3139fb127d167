"""A file that passes a limit is refused with line and limit; it is never called a mistake in Solon."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.config import load_config
from solon.errors import ConfigError, UsageError
from solon.law.amendments import parse_amendment
from solon.plugins import find_function
from solon.prompts.library import PromptLibrary
from solon.reading import read_objects, read_text

FRONT = "---\nname: draft.single\nversion: 9\nvariables: []\noutput: text\n---\n# system\n{}\n# user\nhello\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\na = " + "[" * 20_000 + "]" * 20_000, "line 2: it is nested deeper"),
        ("[run]\nseed = " + "9" * 5000, "line 2: a number has more than 4300 digits"),
        ("a = " + "{b = " * 9000 + "1" + "}" * 9000, "line 1: it is nested deeper"),
        ("[" + "a." * 20_000 + "a]\nb = 1", "deeper than 64 levels"),
        ("a" + ".a" * 70 + " = 1", "deeper than 64 levels"),
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
        ("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "calls itself without end"),
        (
            "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
            "line 8: .*joins has more than",
        ),
        ("one\n{{ '%9999999999d' % 1 }}", "line 9: .*not formatted"),
        ("{{ 'x'|center(10000000000) }}", "No filter named 'center'"),
        ("{% include 'other.md' %}", "line 8: .*no loader"),
        ("{% import 'other.md' as o %}", "line 8: .*no loader"),
        ("one\n{{ 'x' * 10000000000 }}", "line 9: .*too large"),
        ("{{ 10 ** 10000000000 }}", "too large"),
        ("one\ntwo\n{{ 1 / 0 }}", "line 10: .*division by zero"),
        ("{{ range(1000000000) }}", "a number over 1000000"),
        ("{{ range(200000) }}", "too big"),
        ("{{ 'x'.ljust(10000000000) }}", "a number over 1000000"),
        ("{{ 'a\nb' | indent(10000000000) }}", "a number over 1000000"),
        ("{{ '{:9999999999}'.format(1) }}", "not formatted with `format`"),
        ("{{ lipsum(n=1000) }}", "lipsum"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested deeper"),
        ("one\n{% for %}", "line 9: "),
    ],
)
def test_a_template_beyond_a_limit(tmp_path: Path, body: str, told: str) -> None:
    library = PromptLibrary()
    with pytest.raises(ConfigError, match=told):
        library._add("draft.md", FRONT.format(body)).render("mark")


def test_a_template_within_the_limits() -> None:
    body = "{% for n in range(3) %}{{ loop.index }}{% endfor %} {{ '-' * 3 }} {{ 2 ** 8 }}{{ 'a\nb' | indent(1) }}"
    assert PromptLibrary()._add("draft.md", FRONT.format(body)).render("mark").system == "123 --- 256a\n b"


def test_aliases_in_front_matter_are_refused() -> None:
    text = FRONT.format("x").replace("version: 9", "version: &a 9\nmore: *a")
    with pytest.raises(ConfigError, match="aliases are not allowed"):
        PromptLibrary()._add("draft.md", text)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'a = 1\nb = "caf\xe9"\n', "line 2 is not UTF-8: byte 0xe9 at 9"),
        ("a = 1\n".encode("utf-16"), "it is UTF-16; save it as UTF-8"),
    ],
)
def test_a_configuration_in_another_encoding(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "solon.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        load_config(file)


def test_a_configuration_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "solon.toml"
    file.write_text("[run]\nseed = 7\n", encoding="utf-8-sig")
    assert load_config(file).run.seed == 7


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the configuration is a folder"):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[" * 100_000, "line 2: it is nested deeper"),
        ('{"a": ' + "9" * 5000 + "}", "line 2: a number has more than 4300 digits"),
        ('{"a": 1', "line 2: not JSON"),
        ("[1]", "line 2: a list, not an object"),
        ("caf\udce9", "line 2 is not UTF-8: byte 0xe9 at 4"),
    ],
)
def test_a_line_of_json_beyond_a_limit(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(f'{{"a": 1}}\n{line}\n'.encode("utf-8", "surrogateescape"))
    rows = read_objects(file)
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(UsageError, match=told):
        next(rows)


def test_a_file_without_end_is_not_read_into_memory() -> None:
    with pytest.raises(UsageError, match="more than 4096 bytes"):
        read_text(Path("/dev/zero"), most=4096)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\nraise RuntimeError('no card')", "line 2: RuntimeError: no card"),
        ("import sys\nsys.exit(3)", "line 2: SystemExit: 3"),
    ],
)
def test_a_module_that_fails_as_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, told: str
) -> None:
    name = f"plugged_{len(source)}"
    (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"{name}.py, {told}"):
        find_function(f"{name}:judge")
