"""A project with waiting reviews (panel: the deterministic scripted model), a server over it, and people."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi", reason="the review server needs the extra solon[review]")

from fastapi import FastAPI

from solon.project import Project
from solon.review.app import create_app
from solon.review.room import Options
from solon.store.experts import ExpertRow, add_expert

sys.path.insert(0, str(Path(__file__).parent))  # the server that several tests run

CONFIG = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}

CASES = [
    (
        "A patient on warfarin asks whether she may take ibuprofen for a sprained ankle. What do you tell her?",
        "**Better not.** Ibuprofen and warfarin together raise the risk of bleeding, above all from the stomach.\n\n"
        "- Paracetamol is the usual first choice for a sprain.\n- Rest, ice, compression and elevation help too.\n\n"
        "If she has taken some already, she should watch for black stools or bruises and ring her clinic.",
        "Ibuprofen is fine for a few days if she takes it with food. Warfarin works on vitamin K and ibuprofen on "
        "prostaglandins, so the two do not interact. She should drink enough water.",
    ),
    (
        "Our tenant has not paid for two months. May we change the locks?",
        "No. Changing the locks without a court order is unlawful in most places, even when rent is owed. Send a "
        "written demand first, then give notice as your law requires, and ask the court for possession.",
        "Yes, once two months' rent is owed the contract is broken and you may take the flat back. Give the tenant "
        "24 hours to fetch their things.",
    ),
    (
        "How much fluid should an adult with a mild fever drink?",
        "Enough that the urine stays pale: for most adults 1.5 to 2 litres a day, and somewhat more with a fever. "
        "People with heart or kidney failure should ask first.",
        "At least 5 litres a day. The more the better, as water washes the infection out.",
    ),
    (
        "Explain the statute of limitations to a client in two sentences.",
        "It is the time within which a claim must be brought to court; after it, the other side can refuse to answer. "
        "How long it is depends on the kind of claim and the place, so the dates should be checked at once.",
        "It is a law that says when crimes expire. After seven years everything is forgiven.",
    ),
]


def seeds(n: int, **extra: Any) -> list[dict[str, Any]]:
    """Seeds that bring their two answers along."""
    rows = []
    for i in range(n):
        prompt, good, poor = CASES[i % len(CASES)]
        round_ = f" (case {i + 1})" if i >= len(CASES) else ""
        responses = [{"text": good, "source": "a"}, {"text": poor, "source": "b"}]
        rows.append({"id": f"case-{i}", "prompt": prompt + round_, "responses": responses, **extra})
    return rows


def build(folder: Path, rows: list[dict[str, Any]], recipe: str = "preference", **config: Any) -> str:
    """Run a recipe over rows until every item waits; the URL of its store."""
    url = f"sqlite:///{folder}/solon.db"
    with Project(url, config={**CONFIG, **config}) as project:
        project.run(recipe, rows)
    return url


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    build(folder, seeds(12))
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Iterator[Project]:
    """Twelve reviews that wait."""
    for file in template.iterdir():
        shutil.copy(file, tmp_path / file.name)
    with Project(f"sqlite:///{tmp_path}/solon.db", config=CONFIG, create=False) as opened:
        yield opened


Add = Callable[..., tuple[ExpertRow, str]]


@pytest.fixture
def person(project: Project) -> Add:
    """Add someone: returns them and their token."""

    def add(name: str, role: str = "expert", **facts: Any) -> tuple[ExpertRow, str]:
        return add_expert(project.store, name, role=role, by="local:test", **facts)

    return add


@asynccontextmanager
async def _serving(project: Project, **options: Any) -> AsyncIterator[FastAPI]:
    """The app with its worker running, as under a real server."""
    app = create_app(project, Options(**{"work": False, "poll_seconds": 0.05, **options}))
    async with app.router.lifespan_context(app):
        yield app


def _client(app: FastAPI, token: str = "") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://solon.test", headers=headers, timeout=60)


@pytest.fixture
def serving() -> Any:
    """`async with serving(project, **options) as app`: the app with its worker."""
    return _serving


@pytest.fixture
def client() -> Any:
    """`client(app, token)`: an HTTP client of the app."""
    return _client
