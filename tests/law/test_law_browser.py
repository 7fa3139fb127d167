"""From a decision to law in force in a headless Chromium: propose, impact, flip, vote, history.

Screenshots go to the folder named by SOLON_SCREENSHOTS, where it is set.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs the extra solon[review]")
from solon.store.lawmaking.amendments import find_amendment, list_amendments
from solon.store.reviewing.experts import rotate_token
from tests.review.running import Server

from .conftest import RULE, Court
from .test_lawmaking import query

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here (Debian: apt-get install chromium)"
)
sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture
def address(court: Court) -> Iterator[str]:
    """The real server over the decided store, on a port of its own."""
    server = Server(court.project)
    server.start()
    yield server.address
    server.stop()


def shot(page: Any, name: str, height: int) -> None:
    folder = os.environ.get("SOLON_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        clip = {"x": 0, "y": 0, "width": 1100, "height": height}
        page.screenshot(path=f"{folder}/{name}.png", full_page=True, clip=clip)


def test_from_a_decision_to_law_in_force(court: Court, address: str, look: Any) -> None:
    [(review,)] = query(
        court,
        "SELECT d.review_id FROM decisions d JOIN precedents p ON p.decision_id = d.id WHERE p.half = 'seen' LIMIT 1",
    )
    ada, ben = (rotate_token(court.store, name, by="test")[1] for name in ("Ada", "Ben"))
    problems: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        def enter(token: str, width: int = 1100) -> Any:
            page = browser.new_context(viewport={"width": width, "height": 760}).new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on(
                "console",
                lambda said: problems.append(said.text) if "Content Security" in said.text else None,
            )
            page.set_default_timeout(120_000)
            page.goto(f"{address}/login")
            page.fill("#token", token)
            page.keyboard.press("Enter")
            page.wait_for_selector("header.top")
            return page

        page = enter(ada)
        page.goto(f"{address}/law/propose/{review}")
        page.fill("#text", RULE)
        page.check("input[value=first]")
        page.click("summary")
        shot(page, "law-propose", 900)
        page.click("button.send")
        page.wait_for_url(f"{address}/lead/amendments/*")
        assert "Not measured yet" in page.inner_text("main")
        with court.store.connect() as connection:
            [drafted] = list_amendments(connection)
        page.fill("#impact-calls", "400")
        page.click("form[action$=impact] button.send")
        page.wait_for_selector("text=agreement rises", timeout=300_000)  # the page follows by itself

        page = enter(ben)
        page.goto(f"{address}/lead/amendments")
        page.click("tbody a")
        assert "agreement rises" in page.inner_text("main")
        shot(page, "law-amendment", 900)
        assert look(page, "amendment") == []
        page.click("tbody td a")
        page.wait_for_url("**/flips/*")
        assert "It names the unit of the amount" in page.inner_text("main")
        shot(page, "law-flip", 600)
        assert look(page, "flip") == []
        page.go_back()
        page.fill("#reason", "Units are what readers need.")
        page.click("button[value=for]")
        page.wait_for_selector("text=In force since")
        page.click("text=judge them again")
        assert "stale records" in page.inner_text("main").lower()
        page.goto(f"{address}/lead/constitution")
        assert RULE in page.inner_text("main")
        shot(page, "law-constitution", 700)
        page.goto(f"{address}/lead/principles")
        assert "names-units" not in page.inner_text("main")
        phone = enter(ben, 390)
        phone.goto(f"{address}/lead/amendments/{drafted.id}")
        assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        browser.close()
    assert problems == []
    with court.store.connect() as connection:
        assert find_amendment(connection, drafted.id).state == "ratified"
