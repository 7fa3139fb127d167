"""A project with waiting reviews (panel: the deterministic scripted model), a server over it, and people."""

from __future__ import annotations

import gc
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from fastapi import FastAPI

from solon.project import Project
from solon.review.app import create_app
from solon.review.state import Options
from solon.store.reviewing.experts import ExpertRow, add_expert

sys.path.insert(0, str(Path(__file__).parent))  # modules that several tests of this folder share

from browsing import CHROMIUM, FLAGS
from cases import CONFIG, build, seeds
from running import Server


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
    return httpx.AsyncClient(transport=transport, base_url="http://solon.test", headers=headers, timeout=300)


@pytest.fixture
def serving() -> Any:
    """`async with serving(project, **options) as app`: the app with its worker."""
    return _serving


@pytest.fixture
def client() -> Any:
    """`client(app, token)`: an HTTP client of the app."""
    return _client


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()
    gc.collect()  # what it leaves to the garbage collector comes up here, and in no other test


@pytest.fixture
def server(project: Project) -> Iterator[Server]:
    """A server on a port of its own."""
    running = Server(project)
    running.start()
    yield running
    running.stop()
