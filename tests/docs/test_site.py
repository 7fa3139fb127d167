"""The documentation builds as a site, complete, and fetches nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from docs import hooks

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']?(https?:)?//[^\s\"'>]+", re.IGNORECASE
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning, such as of a link that leads nowhere, fails."""
    pytest.importorskip("mkdocs", reason="the group `docs` is not installed")
    pytest.importorskip("mkdocstrings", reason="the group `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        found = FETCHED.search(page.read_text(encoding="utf-8"))
        assert found is None, f"{page}: {found.group()}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import\s+)[\"']?https?:", sheet.read_text(encoding="utf-8")), sheet


def test_the_reference_is_made_from_the_code(site: Path) -> None:
    python = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ("arun", "decide", "records", "to_pandas", "RunSummary", "SolonError"):
        assert name in python, name
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "solon review decide" in commands
    assert "--new-run" in commands
    assert "Keep a Changelog" in (site / "changelog.html").read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation() -> None:
    named = set(
        re.findall(r"[\w/-]+\.md", yaml.safe_dump(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    )
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    missing = {page for page in pages - named if not page.startswith("decisions/")}
    assert not missing, "add them to `nav` in mkdocs.yml"
    assert named <= pages


def test_llms_txt_names_every_page() -> None:
    """SOLON_WRITE_DOCS=1 writes it anew."""
    written = hooks.spell_pages(ROOT, "docs/{}")
    if os.environ.get("SOLON_WRITE_DOCS"):
        (ROOT / "llms.txt").write_text(written)
    assert (ROOT / "llms.txt").read_text() == written
    linked = set(re.findall(r"\(docs/([\w/.-]+\.md)\)", written))
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert linked == {page for page in pages if not re.match(r"decisions/\d", page)}
    assert written.startswith("# Solon\n\n> ")
