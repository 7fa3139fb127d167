"""Make the pictures of a report in docs/images again: `make report-pictures` (needs SOLON_DATA, and Chromium).

The report is of PandaLM's test set with its recorded judges and people; no model is asked.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from solon import Project

DATA = Path(os.environ.get("SOLON_DATA", "../shared/data")) / "pandalm.jsonl"
IMAGES = Path(__file__).parent / "images"
ROUTING = {"pilot": 240, "pilot_share": 0.3, "alpha": 0.2, "audit_share": 0.1}
TITLE = "PandaLM's test set: recorded judges, recorded people"
PARTS = {
    "report-begin": (None, "What is promised"),
    "report-promise": ("What is promised", "What was made"),
    "report-figures": ("How good it is", "The texts"),
    "report-auditors": ("Examples by confidence", None),
}
"""Name of each picture, the heading that it begins with, and the one before which it ends."""
WIDTH = 1040


def main() -> None:
    """Write every part of the report in light and in dark."""
    with TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        with Project(f"sqlite:///{folder}/solon.db", config={"routing": ROUTING}) as project:
            project.store.key = "5a" * 32  # draws pilot, halves and audits: the same figures each time
            people = project.add_expert(
                "People", credential="recorded people: the majority of three annotators"
            )
            project.import_("panel", DATA, policy="pilot", expert=people)
            project.report(page, title=TITLE)
        take_pictures(page)


def take_pictures(report: Path) -> None:
    """Write each part of PARTS to IMAGES, as a browser shows it."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme=scheme)
            page.goto(report.as_uri())
            for name, (first, after) in PARTS.items():
                top, bottom = edge_of(page, first, 0), edge_of(page, after, None)
                clip = {"x": 0, "y": top, "width": WIDTH, "height": bottom - top}
                page.screenshot(path=IMAGES / f"{name}-{scheme}.png", full_page=True, clip=clip)
        browser.close()


def edge_of(page: Any, heading: str | None, otherwise: float | None) -> float:
    """Where a heading begins, in pixels from the top; without one `otherwise`, or the end of the page."""
    if heading is not None:
        return float(page.locator("h2, h3").filter(has_text=heading).first.bounding_box()["y"])
    return page.evaluate("document.documentElement.scrollHeight") if otherwise is None else otherwise


if __name__ == "__main__":
    main()
