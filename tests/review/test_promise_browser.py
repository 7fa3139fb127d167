"""The picture of what is promised, on the lead's page and in the report: the same, on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, PHONE, shot
from cases import build, seeds
from running import Server

from solon.project import Project
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide

pytestmark = BROWSER_MARKS
ROUTING = {"policy": "pilot", "pilot": 12, "pilot_share": 0.5, "alpha": 0.4, "audit_share": 0.0}
SMALL = {"width": 1280, "height": 720}
MODELS = {"default": {"model": "scripted:default"}}


@pytest.fixture
def promised(tmp_path: Path) -> Iterator[Project]:
    """A run whose pilot an expert answered as the panel does but for one question: a certificate is in force."""
    url = build(tmp_path, seeds(30), routing=ROUTING, models=MODELS)
    with Project(url, config={"models": MODELS, "routing": ROUTING}) as project:
        with project.store.connect() as connection:
            asked = [review for review in list_reviews(connection) if review.rule == "pilot"]
        for number, review in enumerate(asked):
            chosen = _chosen(project, review.item_id)
            pick = next(c for c in review.candidates if (c == chosen) == bool(number))
            answer = {"choice": "prefer", "candidate": pick}
            decide(project.store, review.id, answer, actor="expert:ada", channel="api", counts=True)
        project.resume()
        project.learn()
        project.resume()
        yield project


def _chosen(project: Project, item_id: str) -> str:
    """The candidate that the panel's verdicts speak for."""
    verdicts = project.trace(item_id)["verdicts"]
    mean = sum(verdict["p"] for verdict in verdicts) / len(verdicts)
    return str(verdicts[0]["a_id"] if mean > 0.5 else verdicts[0]["b_id"])


def test_the_lead_and_the_report_are_shown_the_same(promised: Project, browser: Any, tmp_path: Path) -> None:
    _, token = add_expert(promised.store, "Dr Lea Sund", role="lead", by="local:test")
    made = promised.report(tmp_path / "report.html")
    [found] = made.promised
    assert (found.state, found.drawn, found.answered) == ("in force", 12, 12)
    server = Server(promised, work=False)
    server.start()
    try:
        page = browser.new_context(viewport=SMALL).new_page()
        page.goto(server.address)
        page.fill("#token", token)
        page.keyboard.press("Enter")
        page.wait_for_selector("header.top")
        shot(page, "overview")
        assert page.get_attribute("figure.promise svg", "aria-label") == " ".join(found.lines())
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="dark")
        page.goto(f"{server.address}/lead/runs")
        shot(page, "promise-phone", full_page=True)
        seen = page.inner_text("figure.promise")
        read_out = page.get_attribute("figure.promise svg", "aria-label")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.goto((tmp_path / "report.html").as_uri())
        shot(page, "promise-report", full_page=True)
        assert page.inner_text("figure.promise") == seen
        assert page.get_attribute("figure.promise svg", "aria-label") == read_out == " ".join(found.lines())
        assert found.sentence in seen
        assert f"{found.shown.value:.1%}" in seen
    finally:
        server.stop()
