"""Checks of everything that a run needs: store, models, disk, packages. Each says what to do; none changes anything
but the one migration that is asked for."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from solon.config import Config, ModelConfig
from solon.errors import SolonError
from solon.extras import EXTRAS, absent_extras

State = Literal["ok", "note", "broken"]

PACKAGES = (
    "langgraph",
    "langgraph-checkpoint-sqlite",
    "langchain-core",
    "sqlalchemy",
    "sqlmodel",
    "pydantic",
    "aiohttp",
)
LOW_DISK = 1 << 30
SERVER_SECONDS = 5.0
OWN_FAMILY = "give judges a model of another family, or set `[routing] own_family = true`"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `note`: works, but worth knowing."""

    name: str
    state: State
    told: str
    next_step: str = ""


def examine(config: Config, *, migrate: bool = False, offline: bool = False) -> list[Check]:
    """Every check, in the order in which a newcomer would meet the problems."""
    return [
        *_guarded("python", check_python),
        *_guarded("packages", check_packages),
        *_guarded("configuration", lambda: check_law(config)),
        *_guarded("panel", lambda: check_panel(config)),
        *_guarded("store", lambda: check_store(config.store, migrate=migrate)),
        *_guarded("disk", lambda: check_disk(config.store)),
        *check_models(config, offline=offline),
    ]


def _guarded(name: str, check: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return list(check())
    except SolonError as error:
        return [Check(name, "broken", error.cause, error.next_step)]


def check_python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= (3, 11)
    yield Check("python", "ok" if fine else "broken", version, "" if fine else "install Python 3.11 or later")


def check_packages() -> Iterator[Check]:
    from solon import __version__

    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, version in found.items() if version is None]
    told = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    if missing:
        yield Check(
            "packages", "broken", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    yield Check("packages", "ok", f"solon {__version__}, {told}")
    absent = absent_extras()
    there = ", ".join(extra for extra in sorted(set(EXTRAS.values())) if extra not in absent)
    yield Check("optional", "ok", f"extras that are installed: {there or 'none'}")
    if absent:
        told = f"extras that are not: {', '.join(absent)}"
        yield Check("optional", "ok", told, f"where one is needed: pip install 'solon[{absent[0]}]', ...")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_law(config: Config) -> Iterator[Check]:
    from solon.law.documents import load_constitution, load_rubric
    from solon.prompts import PromptLibrary

    constitution, rubric = load_constitution(config.law.constitution), load_rubric(config.law.rubric)
    told = f"constitution {constitution.name} {constitution.version}, rubric {rubric.name} {rubric.version}"
    yield Check("configuration", "ok", f"{told}, prompts {PromptLibrary(config.prompts_dir).version}")


def check_panel(config: Config) -> Iterator[Check]:
    """Does any judge judge what its own family wrote?"""
    for judge, drafting in config.own_judges().items():
        told = f"the judge {judge} is of the family that drafts ({', '.join(drafting)})"
        yield Check("panel", "note", f"{told}: it may prefer its own", OWN_FAMILY)


def check_store(url: str, *, migrate: bool) -> Iterator[Check]:
    from solon.store import Store
    from solon.store.engine import sqlite_path

    path = sqlite_path(url)
    if path is not None and not path.exists():
        folder_is_there = path.parent.is_dir()
        state: State = "note" if folder_is_there and os.access(path.parent, os.W_OK) else "broken"
        step = (
            "`solon run` begins one"
            if state == "note"
            else f"make {path.parent} a folder that can be written"
        )
        yield Check("store", state, f"there is no store {path} yet", step)
        return
    with Store(url, create=migrate) as store:
        yield Check("store", "ok", f"{url if path is None else path}, schema as wanted")
        if path is not None and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            yield Check(
                "store", "broken", f"{path} or its folder is read-only", f"chmod u+w {path} {path.parent}"
            )
        yield from _check_contents(store)


def _check_contents(store: object) -> Iterator[Check]:
    from solon.store import Store
    from solon.store.deliveries import delivery_problems
    from solon.store.records import overview

    assert isinstance(store, Store)
    problem = overview.check_soundness(store)
    if problem:
        yield Check(
            "store",
            "broken",
            f"the file is damaged: {problem}",
            "restore a copy; `solon export` saves what reads",
        )
    states = overview.count_reviews(store)
    told = ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none yet"
    yield Check("reviews", "ok", told, "see `solon review list`" if states.get("waiting") else "")
    with store.connect() as connection:
        problems = delivery_problems(connection)
    for problem, number in problems:
        yield Check(
            "decisions", "note", f"{number} could not be applied: {problem}", "run `solon resume` again"
        )
    yield from _check_threads(overview.waiting_graph_versions(store))


def _check_threads(waiting: list[tuple[str, str, int]]) -> Iterator[Check]:
    """Threads of another graph are not lost: their items are replayed from the journal up to the decision."""
    from solon.graphs.versions import graph_version

    for recipe, version, number in waiting:
        current, _ = graph_version(recipe)
        if version == current:
            yield Check(
                "threads", "ok", f"{number} waiting {recipe} items stand in the current graph ({version})"
            )
            continue
        yield Check(
            "threads",
            "note",
            f"{number} waiting {recipe} items stand in graph {version}, this version of Solon has {current}",
            "run `solon migrate-threads`: it replays them from the journal, without paying again",
        )


def check_disk(url: str) -> Iterator[Check]:
    from solon.store.engine import sqlite_path

    path = sqlite_path(url)
    folder = path.parent if path is not None else Path.cwd()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    low = free < LOW_DISK
    yield Check(
        "disk",
        "note" if low else "ok",
        f"{free / (1 << 30):.1f} GiB free at {folder}",
        "free some space" if low else "",
    )


def check_models(config: Config, *, offline: bool) -> list[Check]:
    """Can each model be made, and does its server answer? The weights of a local model are hashed."""
    checks = []
    for name, model in config.models.items():
        try:
            checks.append(_check_model(name, model, offline=offline))
        except SolonError as error:
            checks.append(Check(f"model {name}", "broken", f"{model.model}: {error.cause}", error.next_step))
    return checks


def _check_model(name: str, model: ModelConfig, *, offline: bool) -> Check:
    from solon.agents.models.factory import make_chat_model

    chat = make_chat_model(model)
    label = f"model {name}"
    if model.provider in ("builtin", "gguf"):
        return _check_local(label, model)
    if model.provider == "scripted":
        return Check(label, "note", f"{model.model} is a scripted fake: its records are no data", "")
    base_url = str(getattr(chat, "base_url", "") or "")
    if offline or not base_url:
        return Check(label, "ok", f"{model.model}: settings hold; its server was not asked")
    key = getattr(chat, "key", None)
    return asyncio.run(_ask_server(label, model, base_url, key.get_secret_value() if key is not None else ""))


def _check_local(label: str, model: ModelConfig) -> Check:
    from solon.agents.models.weights import SHA256, builtin_model

    if _version("xllamacpp") is None:
        return Check(label, "broken", f"{model.model} needs xllamacpp", "pip install 'solon[local]'")
    if model.provider == "gguf":
        size = Path(model.name).expanduser().stat().st_size
        return Check(label, "ok", f"{model.model}: {size / 1e6:.0f} MB")
    return Check(
        label, "ok", f"{model.model}: weights at {builtin_model()}, sha256 {SHA256[:12]}... as expected"
    )


async def _ask_server(label: str, model: ModelConfig, base_url: str, key: str) -> Check:
    """GET /models, which every OpenAI-compatible server has; a server without it still counts as reached."""
    import aiohttp

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=SERVER_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{base_url.rstrip('/')}/models", headers=headers) as response,
        ):
            if response.status in (401, 403):
                return Check(
                    label,
                    "broken",
                    f"{base_url} refuses the key (HTTP {response.status})",
                    "check the key in api_key_env",
                )
            body = await response.json(content_type=None) if response.status == 200 else {}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        problem = str(error) or type(error).__name__
        return Check(
            label,
            "broken",
            f"no answer from {base_url}: {problem}",
            "start the server, or mend base_url in the configuration",
        )
    rows = body.get("data") if isinstance(body, dict) else None
    names = [str(row.get("id")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if names and model.name not in names:
        return Check(
            label,
            "broken",
            f"{base_url} answers but has no model {model.name!r}",
            f"it has: {', '.join(names[:8])}",
        )
    return Check(label, "ok", f"{model.model}: {base_url} answers")
