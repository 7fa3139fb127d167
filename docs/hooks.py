"""What the site takes from elsewhere than its pages: the list of decisions, and the commands from themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

COMMANDS = "<!-- commands -->"


def on_config(config: Any) -> Any:
    """Put every decision into the navigation, in the order of their numbers."""
    folder = Path(config.docs_dir) / "decisions"
    pages = ["decisions/README.md", *(f"decisions/{path.name}" for path in sorted(folder.glob("[0-9]*.md")))]
    for entry in config.nav:
        if "Decisions" in entry:
            entry["Decisions"] = pages
    return config


def on_page_markdown(markdown: str, **_page: Any) -> str:
    """Put the help of every command where a page wants it."""
    if COMMANDS not in markdown:
        return markdown
    command = [sys.executable, "-m", "typer", "solon.cli.app", "utils", "docs", "--name", "solon"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    made = made.replace("\b\n", "")  # a mark for terminals
    return markdown.replace(COMMANDS, made.split("\n", 1)[1])  # the page has a title already


def on_post_build(config: Any) -> None:
    """Write llms.txt beside the pages, with the pages' addresses."""
    root = Path(config.docs_dir).parent
    (Path(config.site_dir) / "llms.txt").write_text(
        re.sub(r"\.md\)", ".html)", spell_pages(root, "{}")), encoding="utf-8"
    )


def spell_pages(root: Path, address: str) -> str:
    """Return llms.txt (llmstxt.org): what Solon is, and every page of the navigation with what the first page
    says of it, or its own first sentence.

    Args:
        root: of the repository.
        address: of a page, with `{}` for its path in the folder of pages.
    """
    told = _told_by_index(root)
    site = yaml.safe_load((root / "mkdocs.yml").read_text(encoding="utf-8"))
    lines = [f"# {site['site_name']}", "", f"> {site['site_description']}."]
    lines += ["", "The interface as one text, made from the installed code: `solon agent-context`."]
    seen: set[str] = set()
    for heading, entries in _sections(site["nav"]):
        new = [(title, page) for title, page in entries if page not in seen]
        seen |= {page for _, page in new}
        lines += ["", f"## {heading}", ""] if new else []
        for title, page in new:
            about = told.get(page) or _first_sentence(root / "docs" / page)
            lines.append(f"- [{title}]({address.format(page)}){f': {about}' if about else ''}")
    return "\n".join(lines) + "\n"


def _sections(nav: list[dict[str, Any]]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    plain = [one for one in nav if isinstance(next(iter(one.values())), str)]
    last = [{"Decisions": "decisions/README.md"}, *(one for one in plain if "Changes" in one)]
    yield "Begin", [pair for one in plain if "Changes" not in one for pair in one.items()]
    for one in nav:
        [(heading, within)] = one.items()
        if isinstance(within, list) and within:
            yield heading, [pair for entry in within for pair in entry.items()]
    yield "Optional", [pair for one in last for pair in one.items()]


def _told_by_index(root: Path) -> dict[str, str]:
    """Page -> what the tables of the first page say of it."""
    index = (root / "docs" / "index.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| \[[^\]]+\]\(([\w/-]+\.md)\)[^|]* \| ([^|]+) \|$", index, re.MULTILINE))


def _first_sentence(page: Path) -> str:
    """The first sentence of a page's first paragraph; empty where there is none."""
    paragraphs = re.split(r"\n\s*\n", page.read_text(encoding="utf-8"))
    text = next((" ".join(one.split()) for one in paragraphs if re.match(r"[`A-Z]", one)), "")
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    sentence = re.match(r".*?[.:?](?=\s|$)", text)
    return sentence.group().rstrip(":") if sentence else ""
