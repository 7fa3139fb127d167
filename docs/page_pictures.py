"""Make the pictures of the main pages in docs/images again: `make page-pictures` (needs Chromium).

The store is made anew, of a scripted panel over the tests' questions: its figures say nothing of any model.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from calling import Caller
from cases import CASES, CONFIG, seeds
from PIL import Image
from playwright.sync_api import sync_playwright
from running import Server

from solon import Project

IMAGES = Path(__file__).parent / "images"
PAGES = {
    "item": ("expert", "/"),
    "overview": ("lead", "/lead"),
    "adjudication": ("lead", "/lead/adjudications/{case}"),
    "queue": ("lead", "/lead/queue"),
    "runs": ("lead", "/lead/runs"),
    "constitution": ("lead", "/lead/constitution"),
}
"""Name of each picture, who looks, and where."""
PEOPLE = {
    "expert": ("Dr Ada Lind", "expert"),
    "another": ("Dr Bo Ek", "expert"),
    "lead": ("Dr Lea Sund", "lead"),
    "admin": ("Admin", "admin"),
}
SCREEN = {"width": 1280, "height": 800}
COLOURS = 64
PILOT = {"policy": "pilot", "pilot": 12, "pilot_share": 0.5, "alpha": 0.4, "audit_share": 0.0}
PROMISED = {"models": {"default": {"model": "scripted:default"}}, "routing": PILOT}


def main() -> None:
    """Write every picture of PAGES, of a run whose questions wait and one under a certificate."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/solon.db"
        with Project(url, config=CONFIG) as project:
            project.run("preference", seeds(4))
        with Project(url, config=PROMISED) as project:
            tokens = {role: project.add_expert(name, role=rights) for role, (name, rights) in PEOPLE.items()}
            certify(project, [tokens["expert"], tokens["another"]])
            server = Server(project, answers=2, work=False)
            server.start()
            caller = Caller(server, tokens)
            take_pictures(caller, differ(caller))
            server.stop()


def certify(project: Project, people: list[str]) -> None:
    """Run thirty questions and answer their pilot as the panel does, so that a certificate is granted."""
    run = project.run("preference", [row | {"prompt": f"{row['prompt']} Be brief."} for row in seeds(30)])
    asked: list[str] = []
    for review in project.reviews(run_id=run.run_id):
        verdicts = project.trace(review.id)["verdicts"]
        mean = sum(verdict["p"] for verdict in verdicts) / len(verdicts)
        chosen = verdicts[0]["a_id" if mean > 0.5 else "b_id"]
        who = people[asked.count(review.prompt)]  # some are asked of two people
        project.decide(review.id, "prefer", chosen, expert=who, rationale="It is safe, and says why.")
        asked.append(review.prompt)
    project.resume(run.run_id)
    project.learn()
    project.resume(run.run_id)


def differ(caller: Caller) -> str:
    """Let two people answer one question differently; return the id of the case that a lead settles."""
    prompt, good, poor = CASES[0]
    waiting = caller.send("list_reviews", "lead").json()["reviews"]
    first = next(one["id"] for one in waiting if one["prompt"] == prompt)
    for role, text, why in (
        ("expert", good, "It names the interaction."),
        ("another", poor, "It answers what was asked, and she can use it."),
    ):
        review = first if role == "expert" else caller.asked_again(first)
        item = caller.call("lease_review", role, {"review_id": review})
        chosen = next(one["id"] for one in item["candidates"] if one["text"] == text)
        answer = {"choice": "prefer", "candidate": chosen, "rationale": why, "strength": 2}
        caller.answer(role, item, answer)
    return str(caller.send("list_adjudications", "lead").json()[0]["id"])


def take_pictures(caller: Caller, case: str) -> None:
    """Write each picture, in few colours, so that all are small."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name, (role, path) in PAGES.items():
            page = browser.new_context(viewport=SCREEN).new_page()
            page.goto(f"{caller.address}/login")
            page.fill("#token", caller.tokens[role])
            page.keyboard.press("Enter")
            page.wait_for_selector("header.top")
            page.goto(caller.address + path.format(case=case))
            page.wait_for_selector(".item" if path == "/" else "h1")
            picture = Image.open(io.BytesIO(page.screenshot()))
            picture.convert("RGB").quantize(COLOURS).save(IMAGES / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
