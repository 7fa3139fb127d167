"""What the tests in a headless Chromium share. Screenshots go to the folder named by SOLON_SCREENSHOTS, where set."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from running import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BROWSER_MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt-get install chromium)"),
    # playwright's own event loop leaves sockets to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


def shot(page: Any, name: str, **options: Any) -> None:
    folder = os.environ.get("SOLON_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", **options)


def log_in(browser: Any, server: Server, token: str, *, clock: bool = False, **context: Any) -> Any:
    """A page of somebody logged in, with an item before them. `clock`: its time can be wound forward."""
    page = browser.new_context(**{"viewport": DESKTOP, **context}).new_page()
    page.problems = []
    if clock:
        page.clock.install()
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on(
        "console",
        lambda said: page.problems.append(said.text) if "Content Security" in said.text else None,
    )
    page.set_default_timeout(120_000)
    fetched: list[str] = []
    page.on("response", lambda got: fetched.append(got.url) if got.url.endswith("/page/next") else None)
    page.goto(server.address)
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: not url.endswith("/login"))
    if page.url.endswith("/lead"):  # the first page of leads
        page.goto(server.address)
    page.wait_for_selector(".item")
    for _ in range(200):  # the one on screen, and the one after it
        if len(fetched) >= 2:
            break
        page.wait_for_timeout(50)
    return page


def request_text(page: Any) -> str:
    return str(page.inner_text(".request .text"))


def answer(page: Any, key: str = "1", why: str = "") -> None:
    """Choose by key, say why where it is wanted, send, and wait for another item."""
    before = request_text(page)
    page.keyboard.press(key)
    if why or page.locator(".why .needed").count():
        page.keyboard.press("Tab") if page.evaluate("document.activeElement.id") == "" else None
        page.focus("#rationale")
        page.keyboard.type(why or "Clearer and safer.")
        page.keyboard.press("Control+Enter")
    else:
        page.keyboard.press("Enter")
    page.wait_for_function(
        "before => document.querySelector('.request .text')?.innerText !== before", arg=before
    )


def settled(page: Any, today: int) -> None:
    page.wait_for_function("n => document.querySelector('#today').textContent === String(n)", arg=today)


def tab_to(page: Any, selector: str, most: int = 80) -> None:
    """Walk there by the Tab key alone."""
    for _ in range(most):
        if page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key never reaches {selector}")
