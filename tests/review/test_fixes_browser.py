"""A proposed fix in a headless Chromium: shown as a difference at once, and taken by a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, log_in, shot
from running import Server, wait_for

from solon import Project

pytestmark = BROWSER_MARKS
FIX = "Open the valve until water comes."
FOUND = {"principle": "$id", "quote": "Opne", "severity": "minor", "suggestion": "spell it right"}
RULES = [
    {"role": "critic", "prompt": r"^\[(?P<id>[\w.-]+)\] ", "answer": json.dumps({"findings": [FOUND]})},
    {"role": "generator", "answer": FIX},
]


@pytest.fixture
def asked(browser: Any, tmp_path: Path) -> Iterator[tuple[Any, Project]]:
    """The page that shows a text with a fix, and its project."""
    (tmp_path / "rules.json").write_text(json.dumps(RULES))
    models = {"default": {"model": f"scripted:{tmp_path}/rules.json"}}
    project = Project(
        f"sqlite:///{tmp_path}/solon.db", config={"models": models, "routing": {"policy": "always"}}
    )
    text = "Opne the valve until water comes."
    project.run("instruction-curate", [{"prompt": "How do I bleed it?", "responses": [{"text": text}]}])
    server = Server(project)
    server.start()
    page = log_in(browser, server, project.add_expert("ada"))
    page.wait_for_selector(".diff ins")
    yield page, project
    server.stop()
    project.close()


def test_the_difference_is_shown_at_once_and_the_fix_taken_by_a_key(
    asked: tuple[Any, Project], look: Any
) -> None:
    page, project = asked
    assert (page.inner_text(".diff del"), page.inner_text(".diff ins")) == ("Opne", "Open")
    assert "spell it right" in page.inner_text(".remarks")
    assert not look(page, "fix"), "for everybody"
    shot(page, "fix")
    page.keyboard.press("d")
    assert page.is_hidden(".diff >> nth=0"), "without the marks"
    page.keyboard.press("t")
    assert page.input_value("#text") == FIX
    page.fill("#rationale", "It is spelt right.")
    page.keyboard.press("Control+Enter")
    wait_for(lambda: [one for one in project.items() if one.state == "accepted"])
    (record,) = project.records()
    assert (record.response, record.lineage["fix"]) == (FIX, "taken")
