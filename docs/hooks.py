"""What the site takes from elsewhere than its pages: the list of decisions, and the commands from themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

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
