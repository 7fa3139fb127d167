"""What the site takes from the folder instead of from mkdocs.yml: the list of decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Put every decision into the navigation, in the order of their numbers."""
    folder = Path(config.docs_dir) / "decisions"
    pages = ["decisions/README.md", *(f"decisions/{path.name}" for path in sorted(folder.glob("[0-9]*.md")))]
    for entry in config.nav:
        if "Decisions" in entry:
            entry["Decisions"] = pages
    return config
