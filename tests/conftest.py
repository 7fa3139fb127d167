"""Fixtures for tests in any folder: stores on both databases. Nothing here reaches the network.

With SOLON_TEST_DATABASE=postgres the whole suite keeps its stores and checkpoints on PostgreSQL (`make test-postgres`).
With SOLON_TEST_STORES=FILE, too, it takes those of them that cover what is sent to a store (tests/covering.py), by
what a run on SQLite noted there, and leaves the others, the browser and the built-in model out (`make test-stores`).
"""

from __future__ import annotations

import itertools
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import settings
from sqlalchemy import Connection, Engine, event

from benchmarks.postgres import private_server
from solon.agents import calls
from solon.config import Config
from solon.store.database import ids, store
from solon.store.reviewing import experts

sys.path.insert(0, str(Path(__file__).parent))  # covering.py

from covering import Noted, cover, read_notes, write_notes

# A busy machine is no finding: examples are not timed.
settings.register_profile("solon", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True)
# Where a red test holds others up, the same examples are tried each time.
settings.load_profile("same" if os.environ.get("CI") else "solon")

SWITCH = os.environ.get("SOLON_TEST_DATABASE", "sqlite")
OVER_POSTGRES = SWITCH == "postgres"
STAND_IN = Path(__file__).parent / "stand_in"


NOTES = Path(os.environ["SOLON_TEST_STORES"]) if os.environ.get("SOLON_TEST_STORES") else None
NOTING = NOTES is not None and not OVER_POSTGRES
_under_way = Noted()
"""What the test under way has asked of stores."""
_noted: dict[str, Noted] = {}


def pytest_configure() -> None:
    if SWITCH not in ("sqlite", "postgres"):
        raise pytest.UsageError(f"SOLON_TEST_DATABASE is {SWITCH!r}; it may be sqlite or postgres")
    if NOTING:
        event.listen(Engine, "before_cursor_execute", _under_way.statement)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items if OVER_POSTGRES else ():
        for mark in item.iter_markers("sqlite"):
            item.add_marker(pytest.mark.skip(reason=f"about SQLite itself: {mark.args[0]}"))
    if OVER_POSTGRES and NOTES is not None:
        if not NOTES.is_file():
            raise pytest.UsageError(
                f"there is no {NOTES}: run `make test` first, it notes what each test asks of a store"
            )
        apart = ("browser", "builtin")
        may = {item.nodeid: not any(map(item.get_closest_marker, apart)) for item in items}
        wanted = cover(may, read_notes(NOTES))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
        items[:] = [item for item in items if item.nodeid in wanted]


if NOTING:

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup() -> None:
        _under_way.sent.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
        yield
        item.user_properties.append(("sent", dict(_under_way.sent)))

    def pytest_runtest_logreport(report: pytest.TestReport) -> None:
        if report.when == "teardown" and "sent" in (told := dict(report.user_properties)):
            _noted[report.nodeid] = Noted(Counter(told["sent"]))

    def pytest_sessionfinish(session: pytest.Session) -> None:
        if NOTES is not None and not hasattr(session.config, "workerinput"):
            write_notes(NOTES, _noted)


@contextmanager
def draws_of(name: str) -> Iterator[None]:
    """Ids and store keys follow from a name, and with them what is drawn: pilots, audits, halves."""
    draw = random.Random(name)
    seconds = itertools.count(1_700_000_000)
    tokens = SimpleNamespace(token_hex=lambda size: draw.randbytes(size).hex())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "clock", SimpleNamespace(now=lambda: next(seconds)))
        patch.setattr(ids, "secrets", tokens)
        patch.setattr(store, "secrets", tokens)
        yield


@event.listens_for(Engine, "engine_connect")
def _leave_writing_to_the_system(connection: Connection) -> None:
    """A commit does not wait for the disk: a killed process loses nothing by that, and no test takes the power away."""
    if connection.dialect.name == "sqlite" and not connection.info.get("unsynced"):
        connection.info["unsynced"] = True
        connection.connection.cursor().execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session", autouse=True)
def quick_tokens() -> Iterator[None]:
    """Tokens are hashed as little as Argon2 allows; in processes that tests start as ever."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experts, "_hasher", lambda: hasher)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_patience() -> Iterator[None]:
    """A run whose model is away ends at once, where it would wait for as long as it is shipped to; a test of outages
    says how long it waits."""
    shipped = Config.model_fields["run"].get_default().patience
    real = calls.seconds_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "seconds_of", lambda said: 0.0 if said == shipped else real(said))
        yield


@pytest.fixture(autouse=True)
def own_draws(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test's draws follow from its own name."""
    with draws_of(request.node.nodeid):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
    """What several tests share is made before any of them: its draws follow from the name of its fixture."""
    if fixturedef.scope == "function":
        return (yield)
    with draws_of(f"{fixturedef.baseid}::{fixturedef.argname}[{request.param_index}]"):
        return (yield)


SCREENS = ((1440, "light"), (390, "dark"))
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TARGETS = "button, .button, select, summary, textarea, nav a, label:has(input), input:not([type=hidden], :is(label *))"
SMALL = """selector => [...document.querySelectorAll(selector)].filter(one => {
    const box = one.getBoundingClientRect();
    return one.checkVisibility({visibilityProperty: true}) && box.width > 1 && Math.min(box.width, box.height) < 24;
  }).map(one => one.outerHTML.slice(0, 160))"""


@pytest.fixture(scope="session")
def look() -> Callable[[Any, str], list[str]]:
    """`look(page, name)` lists what is wrong with a page for people who do not see, hear or point as most do.

    That is WCAG 2.2 AA and best practice by axe-core, targets under 24 pixels, and what a narrow screen cuts off; on a
    wide screen in light colours, and on a narrow one in dark.
    """
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
    ).Axe()

    def find(page: Any, name: str) -> list[str]:
        found: list[str] = []
        before = page.viewport_size
        for width, scheme in SCREENS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            told = axe.run(page, options={"runOnly": AXE_TAGS, "resultTypes": ["violations"]}).response
            for one in told["violations"]:
                found += [f"{one['id']} ({one['impact']}): {node['html'][:160]}" for node in one["nodes"]]
            found += [f"under 24 pixels: {html}" for html in page.evaluate(SMALL, TARGETS)]
            if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
                found.append(f"{wide} pixels wide")
        page.set_viewport_size(before)
        return [f"{name}: {told}" for told in found]

    return find


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a database on a private PostgreSQL server; skips where none starts, unless all is to run on it."""
    server = private_server()
    try:
        url = server.__enter__()
    except Exception as error:
        if OVER_POSTGRES:
            raise
        pytest.skip(f"PostgreSQL does not start here: {error}")
    yield url
    server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def new_postgres_database(postgres_server: str) -> Callable[[], str]:
    """Makes an empty database, and gives its URL."""
    import psycopg
    from sqlalchemy import make_url

    made = 0

    def create() -> str:
        nonlocal made
        made += 1
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE solon_{made}")
        return make_url(postgres_server).set(database=f"solon_{made}").render_as_string(hide_password=False)

    return create


@pytest.fixture(params=["postgresql"] if OVER_POSTGRES else ["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, once on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url: str = request.getfixturevalue("new_postgres_database")()
    return url


if OVER_POSTGRES:

    @pytest.fixture(scope="session", autouse=True)
    def stand_in(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
        """A database in the place of each store file that a test names, in processes that it starts too."""
        sys.path.insert(0, str(STAND_IN))
        import stand_in as standing_in

        os.environ[standing_in.SERVER] = postgres_server
        os.environ[standing_in.UNDER] = str(tmp_path_factory.getbasetemp())
        standing_in.from_environment().make_template()
        standing_in.install()
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(STAND_IN), before)))
        return standing_in.from_environment()

    @pytest.fixture(autouse=True)
    def own_databases(stand_in: Any, tmp_path: Path) -> Iterator[None]:
        """The databases of a test end with it."""
        yield
        stand_in.drop_under(tmp_path)
