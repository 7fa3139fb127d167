"""Every command and every snippet of the documentation runs, and every command that it names is there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pages import REMARKS, Walk, fits, read_blocks

from solon.cli.app import command_tree
from solon.consensus.binomial import lower_bound
from solon.consensus.looks import plan_look

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNNING = [page for page in PAGES if page != TUTORIAL and any(block.runs for block in read_blocks(page))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.usefixtures("at_work", "same_draws")
@pytest.mark.parametrize("page", RUNNING, ids=name_of)
def test_every_block_of_a_page_runs(page: Path) -> None:
    Walk(page).run()


@pytest.mark.sqlite("the page shows the names of files beside its store")
@pytest.mark.usefixtures("same_draws")
def test_the_month_of_the_tutorial_goes_as_it_is_told() -> None:
    Walk(TUTORIAL).run()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_commands_is_marked_as_one(page: Path) -> None:
    for block in read_blocks(page):
        if block.language not in ("sh", "text"):
            assert not re.search(r"^solon ", block.text, re.MULTILINE), f"{block}: write ```sh"
        if block.remark:
            assert block.value, f"{block}: `{block.remark}` needs a word of why, or a value"
    remarks = re.findall(r"<!--\s*([^:]{1,20}):", page.read_text(encoding="utf-8"))
    assert set(remarks) <= set(REMARKS)


def commands_named_in(page: Path) -> Iterator[str]:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`(solon [^`]+)`", text):
        yield " ".join(code.replace("\\|", "|").split())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_and_option_named_is_there(page: Path) -> None:
    """`solon review list|show REVIEW --json`: a path of commands, alternatives, then arguments and options."""
    for line in commands_named_in(page):
        check_command(line, page)


def check_command(line: str, page: Path) -> None:
    words = line.split()[1:]
    command: Any = command_tree()
    if words and words[0].startswith("--"):  # an option before the command
        words = words[2:]
    while words and hasattr(command, "commands") and re.match(r"[a-z]", words[0]):
        names = [name.rstrip(",") for name in words.pop(0).split("|")]
        # `solon eval NAME`: every other name is that of a suite
        found = [command.commands.get(name, command.commands.get("suite")) for name in names]
        assert all(found), f"{page.name}: `{line}`: there is no such command"
        command = found[0]
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}
    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(words)):
        assert option in known, f"{page.name}: `{line}`: there is no option {option}"


def pages_to_read() -> list[Path]:
    """The pages that somebody reads from the top down: not what is made from the code, and not the decisions."""
    made = {"configuration.md", "changelog.md"}
    return [page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in made]


def test_a_command_that_begins_a_folder_asks_nobody() -> None:
    """Whoever copies it into a script has nobody there who says of what class the seeds are."""
    begun = [
        line
        for page in PAGES
        for line in re.findall(r"(?m)^solon init .*--model.*$", page.read_text("utf-8"))
    ]
    assert len(begun) > 10
    assert not [line for line in begun if "--privacy" not in line and "--yes" not in line]


@pytest.mark.parametrize("page", pages_to_read(), ids=name_of)
def test_every_page_leads_on_to_another(page: Path) -> None:
    last = page.read_text(encoding="utf-8").rstrip().split("\n\n")[-1]
    assert last.startswith("Next: "), f"{page.name} ends without a next step"
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", last)]
    assert targets
    assert all((page.parent / target).is_file() for target in targets), targets


def test_the_glossary_has_every_word_once_in_order() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    entries = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")][1:]
    words = [word for entry in entries for word in entry.split(", ")]
    assert [entry.lower() for entry in entries] == sorted(entry.lower() for entry in entries)
    assert len(words) == len(set(words))
    wanted = (
        "pilot certificate policy audit overlap law precedent release hold tombstone seat split promise queue"
    )
    assert set(wanted.split()) <= set(words)


def test_the_least_sample_that_leads_are_told_is_the_one_that_is_asked_for() -> None:
    """The table of docs/leads.md: decisions at a first look, by how many of them disagree."""
    rows = re.findall(
        r"^\| on all.* \| (\d+) \| (\d+) \|$", (ROOT / "docs/leads.md").read_text(), re.MULTILINE
    )
    first_look = plan_look(1, 0, 0.1).delta
    for wrong, row in zip((0, 1, 2, 4), rows, strict=True):
        for promise, n in zip((0.9, 0.8), map(int, row), strict=True):
            assert lower_bound(n - wrong, n, first_look) >= promise, (wrong, promise)
            assert lower_bound(n - 1 - wrong, n - 1, first_look) < promise, (wrong, promise)


def test_what_can_be_expected_of_a_pilot_is_as_leads_are_told() -> None:
    """The table of docs/certificates.md: the chance of a certificate by size and agreement."""
    page = (ROOT / "docs/certificates.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (\d+)% \| ([\d.]+) \| ([\d.]+) \| ([\d.]+)", page, re.MULTILINE)
    assert len(rows) == 6
    for pilot, promise, *told in rows:
        test = plan_look(int(pilot), 0, 0.1).test(1 - int(promise) / 100)
        assert [f"{test.chance(rate):.2f}" for rate in (1.0, 0.97, 0.95)] == [
            f"{float(one):.2f}" for one in told
        ]


def test_outputs_are_compared_but_for_what_changes() -> None:
    assert fits("run 0194c0a1b2c3: 5 items\n...\ndone\n", "run 99aac0a1b2ff: 5 items\nmore\nand more\ndone\n")
    assert fits("a\n...\n", "a\n")
    assert not fits("run 0194c0a1b2c3: 5 items\n", "run 0194c0a1b2c3: 6 items\n")
    assert not fits("a\nb\n", "a\nmore\nb\n")
    assert not fits("run 0194c0a1b2c3: 5 items\n", "run 99aac0a1b2ff: 5 items\n", ids=True)


def test_remarks_and_outputs_are_read(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Text\n\n<!-- not run: a reason -->\n```sh\nsolon status\n```\n\n```text\nout\n```\n\n"
        "<!-- file: a.toml -->\n```toml\nx = 1\n```\n\n```sh\nmake\n```\n\n```sh\nsolon status\n```\n"
    )
    blocks = read_blocks(page)
    assert [(block.remark, block.value) for block in blocks] == [
        ("not run", "a reason"), ("", ""), ("file", "a.toml"), ("", ""), ("", ""),
    ]  # fmt: skip
    assert [block.runs for block in blocks] == [False, False, False, False, True]


def test_the_architecture_names_every_room_in_the_order_that_is_checked() -> None:
    """Rows from the top down, as the layers of the import contract."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    height = {
        room.strip(): place for place, layer in enumerate(contract["layers"]) for room in layer.split("|")
    }
    rows = [
        re.findall(r"`solon/(\w+)(?:\.py|/)`", line.split("|")[1])
        for line in (ROOT / "docs" / "architecture.md").read_text().splitlines()
        if line.startswith("| `solon/")
    ]
    there = {path.stem for path in (ROOT / "solon").iterdir() if path.stem not in ("__init__", "__pycache__")}
    assert sorted(room for row in rows for room in row) == sorted(there - {"__main__"})
    for above, below in pairwise(rows):
        assert max(height[room] for room in above) <= min(height[room] for room in below), (above, below)
