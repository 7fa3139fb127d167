"""The page on the field holds against the code, and the code against the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from solon.presets import PRESETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "field.md").read_text(encoding="utf-8")
ARXIV = re.compile(r"\b\d{4}\.\d{4,5}\b|cmp-lg/\d{7}")
CELLS = {"people": 1, "together": 2, "panel": 3}
ROWS = {"label": "labels", "instruction": "instructions", "preference": "preferences"}


def rows() -> Iterator[list[str]]:
    """The cells of each row of each table, without headings."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and set(line) - set("|- ") and cells[0] not in ("", "method", "what"):
            yield cells


def methods() -> list[list[str]]:
    return [cells for cells in rows() if len(cells) == 6]


def test_each_preset_stands_in_its_cell_and_no_other_does() -> None:
    cells = {row[0]: row for row in rows() if len(row) == 4}
    for name, preset in PRESETS.items():
        kind = ROWS[name.split("-", 1)[0]]
        assert f"`{name}`" in cells[kind][CELLS[preset.leads]].split(", "), name
    assert sum(row.count("`") // 2 for line in cells.values() for row in line) == len(PRESETS)


def test_each_preset_has_a_method_and_each_name_a_preset() -> None:
    named = {name for row in methods() for name in re.findall(r"`([^`]+)`", row[2])}
    assert named == set(PRESETS)


@pytest.mark.parametrize("part", sorted({row[3].strip("`") for row in methods()}))
def test_each_part_exists(part: str) -> None:
    holder, _, name = part.rpartition(".")
    try:
        import_module(part)
    except ModuleNotFoundError:
        assert hasattr(import_module(holder), name), part


def test_each_row_is_whole() -> None:
    assert len(methods()) > 40
    for row in methods():
        assert all((row[0], row[5])), row
        (page,) = re.findall(r"\[page\]\((\w[\w-]*\.md)\)", row[4])
        assert (ROOT / "docs" / page).is_file(), page


def test_each_source_that_code_and_presets_name_is_on_the_page() -> None:
    code = {
        found
        for path in (ROOT / "solon").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "arxiv" in line.lower() or "ArXiv" in line or re.match(r"\s*\(?\d{4}\.\d{4,5}\)", line)
        for found in ARXIV.findall(line)
    }
    pages = {
        found
        for path in (ROOT / "docs").glob("*.md")
        for found in re.findall(r"arxiv\.org/abs/([\w./-]+)\)", path.read_text(encoding="utf-8"))
    }
    presets = {found for preset in PRESETS.values() for found in ARXIV.findall(preset.paper)}
    missing = sorted((code | pages | presets) - set(ARXIV.findall(PAGE)))
    assert not missing, "add a row for each of these papers to docs/field.md"


@pytest.mark.parametrize("what", ["images", "robots", "PEFT", "BADGE", "GLAD", "CorrSynth", "tree search"])
def test_what_is_left_out_is_said_with_its_reason(what: str) -> None:
    left_out = PAGE.split("## Left out on purpose")[1]
    assert any(what in row and len(row.split("|")[2]) > 60 for row in left_out.splitlines() if "|" in row)
