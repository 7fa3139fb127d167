"""A process dies, or freezes, at each durable boundary of what Solon does: `python -m benchmarks.seams`.

A seam is the commit of a transaction that wrote something, of the store or of the checkpoints, a file that takes
another's place, or bytes that are forced to the disk. The process that is to die puts its own hooks around them; Solon
has none. Each scenario is first done undisturbed, which counts its seams, and then once for every seam: killed before
it and behind it, frozen behind it until another process did the work, or with a PostgreSQL server that crashes and
restarts there. Or the disk is full, or read-only, from the seam on; or the clock jumps there by a day. What a person
would do next is done in a new process, and the store must then be as if nothing had been: see `check`.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import tarfile
import tempfile
import threading
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, make_url
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.postgres import private_server
from solon.cli import main as solon
from solon.errors import SolonError, StoreError, UsageError
from solon.graphs import pruning as checkpoint_pruning
from solon.graphs.sqlite_saver import SqliteSaver
from solon.project import Project
from solon.store.database import clock
from solon.store.database.engine import make_engine, mapped_errors
from solon.store.reviewing.experts import add_expert
from solon.store.runs import items, requeued
from solon.store.upkeep import backups, pruning

CONFIG = """
[models.default]
model = "scripted:default"
concurrency = 4
options = { log = "calls.jsonl" }
[routing]
policy = "always"
audit_share = 0.0
[privacy]
class = "synthetic"
[run]
concurrency = 2
[[judges]]
persona = "a careful expert"
"""
SECRET = "Quillon of Tromsoe"
"""Words of the seed that is forgotten; no file may hold them afterwards."""
SEEDS = [
    {"id": "seed-0", "prompt": f"What should {SECRET} do about the cough?"},
    *({"id": f"seed-{n}", "prompt": f"Explain thing number {n} of the long list."} for n in (1, 2)),
]
MADE_BEFORE = Path(__file__).parents[1] / "tests" / "store" / "made_before" / "0.1.0.tar.xz"
CLAIM_SECONDS = 0.3
"""In place of two minutes: what a frozen process holds is free after it."""
RECOVERY_SECONDS = 120.0
"""A server that crashed must take connections again within so long, also on a busy machine."""
WRITES = re.compile(
    r"\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM|(CREATE|ALTER|DROP) \w+)\s+\"?(\w+)", re.IGNORECASE
)
REFUSED = {
    "full": (errno.ENOSPC, "database or disk is full"),
    "readonly": (errno.EROFS, "attempt to write a readonly database"),
}
"""What the operating system and SQLite say from the seam on; the process tells it in Solon's words, or goes on."""
JUMPS = {"forward": 86400.0, "backward": -86400.0}
"""Seconds by which the clock of the process is off from the seam on."""
BROKEN, KILLED = 1, -signal.SIGKILL


class Seams:
    """The hooks of a process around its seams, of which one may be its last.

    Args:
        at: the number of the seam at which it dies, from 0; None: it goes through all of them.
        side: `before` or `after` the seam.
        fault: `kill`, `freeze`, or `restart`: the server restarts, and the process lives. Or one of `REFUSED`, `JUMPS`.
    """

    def __init__(self, at: int | None = None, side: str = "before", fault: str = "kill") -> None:
        self._at, self._side, self._fault = at, side, fault
        self._numbers = itertools.count()
        self._written: dict[int, set[str]] = {}
        self._log = os.open("seams.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    @contextmanager
    def around(self, name: str) -> Iterator[int]:
        number = next(self._numbers)
        os.write(self._log, f"{name}\n".encode())
        self._reached(number, "before")
        yield number
        self._reached(number, "after")

    def refuse(self, number: int, error: type[Exception] = OSError) -> None:
        """Say as the system does, or SQLite, that nothing can be written, from the seam on."""
        if self._fault in REFUSED and self._at is not None and number >= self._at:
            code, words = REFUSED[self._fault]
            raise OSError(code, os.strerror(code)) if error is OSError else error(words)

    def _reached(self, number: int, side: str) -> None:
        if (number, side) == (self._at, self._side):
            if self._fault == "restart":
                crash_server()
            elif self._fault in JUMPS:
                off = JUMPS[self._fault]
                clock.now = lambda: time.time() + off
            elif self._fault not in REFUSED:
                os.kill(os.getpid(), signal.SIGKILL if self._fault == "kill" else signal.SIGSTOP)

    def install(self) -> None:
        """Put the hooks in place, for as long as this process lives."""
        event.listen(Engine, "before_cursor_execute", self._note)
        commit, transaction = DefaultDialect.do_commit, SqliteSaver.transaction

        def do_commit(dialect: Any, connection: Any) -> None:
            written = self._written.pop(id(connection.dbapi_connection), set())
            if not written:
                commit(dialect, connection)
                return
            with self.around(f"commit {'+'.join(sorted(written))}") as number:
                self.refuse(number, sqlite3.OperationalError)
                commit(dialect, connection)

        def do_rollback(dialect: Any, connection: Any) -> None:
            self._written.pop(id(connection.dbapi_connection), None)
            rollback(dialect, connection)

        @contextmanager
        def saving(saver: Any) -> Iterator[Any]:
            with self.around("commit checkpoints") as number, transaction(saver) as connection:
                yield connection
                self.refuse(number, sqlite3.OperationalError)

        rollback = DefaultDialect.do_rollback
        DefaultDialect.do_commit, DefaultDialect.do_rollback = do_commit, do_rollback  # type: ignore[method-assign]
        SqliteSaver.transaction = saving  # type: ignore[method-assign, assignment]
        for owner, name in (
            (os, "replace"),
            (os, "fsync"),
            (backups, "copy_file"),
            (backups, "put_file"),
            (pruning, "compact_file"),
            (pruning, "cut_log"),
            (checkpoint_pruning, "compact_file"),
        ):
            setattr(owner, name, self._wrapped(owner, getattr(owner, name)))

    def _note(self, connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        told = WRITES.match(statement)
        if told:
            written = self._written.setdefault(id(connection.connection.dbapi_connection), set())
            written.add("schema" if told[1] else told[2])

    def _wrapped(self, owner: Any, real: Callable[..., Any]) -> Callable[..., Any]:
        """A function with hooks around it. What Solon does to a file of SQLite's tells itself what SQLite says."""

        def call(*given: Any, **options: Any) -> Any:
            with self.around(real.__name__) as number:
                if owner is os:
                    self.refuse(number)
                else:
                    with mapped_errors(f"sqlite:///{given[-1]}"):
                        self.refuse(number, sqlite3.OperationalError)
                return real(*given, **options)

        return call


def crash_server() -> None:
    """Kill one process of the PostgreSQL server that a folder's store lies on: it ends all others, and begins again."""
    import psycopg

    url = tomllib.loads(Path("solon.toml").read_text())["store"]
    with suppress(psycopg.Error), psycopg.connect(url) as witness, psycopg.connect(url) as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        while True:  # until the server has seen it: it takes connections before that
            witness.execute("SELECT 1")
            time.sleep(0.005)
    ends = time.monotonic() + RECOVERY_SECONDS
    while time.monotonic() < ends:
        with suppress(psycopg.OperationalError), psycopg.connect(url):
            return
        time.sleep(0.02)


def fork(folder: Path, work: Callable[[], Any], seams: tuple[Any, ...] | None = None) -> int:
    """Begin a process that does the work in a folder, with hooks where seams are named; gives its number.

    Its result is in `result.json`, and why it failed in `said.txt`.
    """
    number = os.fork()
    if number:
        return number
    try:
        os.chdir(folder)
        said = os.open("said.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(said, 1)
        os.dup2(said, 2)
        items.CLAIM_SECONDS = requeued.OUTBOX_CLAIM_SECONDS = CLAIM_SECONDS
        if seams is not None:
            Seams(*seams).install()
        result = work()
        Path("result.json").write_text(json.dumps(result))
        Path("modules.txt").write_text("\n".join(sys.modules))
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(BROKEN)


def wait(number: int) -> int:
    """The exit code of a process, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def do(folder: Path, work: Callable[[], Any], seams: tuple[Any, ...] | None = None) -> Any:
    """Do the work in a process of its own, and give its result; None where it was killed.

    Raises:
        AssertionError: it failed; with what it said.
    """
    code = wait(fork(folder, work, seams))
    if code == KILLED:
        return None
    assert code == 0, (folder / "said.txt").read_text()[-1500:]
    return json.loads((folder / "result.json").read_text())


def import_all(folder: Path) -> None:
    """What the last process in a folder had imported, so that none of the next has to."""
    for name in (folder / "modules.txt").read_text().splitlines():
        with suppress(Exception):
            import_module(name)
    assert threading.active_count() == 1, "a process with threads must not be forked"


# What is done ------------------------------------------------------------------------------------------------------


def project(store: str | None = None) -> Project:
    return Project(store, config="solon.toml")


def begin() -> None:
    """An empty store: what its runs draw follows from its key."""
    project().close()


def run() -> None:
    with project() as opened:
        opened.run("preference", SEEDS)


def resume() -> None:
    with project() as opened:
        opened.resume()


def decide_each_its_way() -> None:
    """One is preferred, one edited, one drafted anew."""
    with project() as opened:
        by_seed = {
            str(opened.trace(review.item_id)["seed"]["external_id"]): review for review in opened.reviews()
        }
        for seed, review in sorted(by_seed.items()):
            first = min(review.candidates, key=lambda candidate: candidate.text)
            if seed == "seed-0":
                opened.decide(review, "prefer", first, rationale="The rule.")
            elif seed == "seed-1":
                opened.decide(review, "edit", first, text="A better text.", rationale="The rule.")
            else:
                opened.decide(review, "redraft", guidance="Shorter.")


def prefer_all() -> None:
    with project() as opened:
        answer(opened)


def finish() -> None:
    """Whatever waits is answered, and comes to its end."""
    with project() as opened:
        for _ in range(4):
            answer(opened)
            if not opened.resume().pending_review:
                break


def answer(opened: Project) -> None:
    for review in opened.reviews():
        chosen = min(review.candidates, key=lambda candidate: candidate.text)
        opened.decide(review, "prefer", chosen, rationale="The rule.")


def propose() -> None:
    """An amendment, measured, and the tokens of two leads to vote with."""
    with project() as opened:
        for name in ("Ada", "Ben"):
            _, token = add_expert(opened.store, name, role="lead", by="local:seams")
            Path(f"{name}.token").write_text(token)
        with opened.store.connect() as connection:
            cited = connection.exec_driver_sql("SELECT id FROM decisions ORDER BY id").scalar()
        Path("units.yaml").write_text(
            f"amends: general\nreason: units matter\ncites: ['{cited}']\n"
            "changes: [{action: add, id: names-units, text: Names the unit of every amount.}]\n"
        )
        (draft,) = opened.constitutions.propose("units.yaml").amendments
        opened.constitutions.impact(draft.id)
        Path("amendment.txt").write_text(draft.id)


def ratify() -> None:
    """Two leads vote, each again until the amendment is law."""
    draft = Path("amendment.txt").read_text()
    with project() as opened:
        for name in ("Ada", "Ben"):
            token = Path(f"{name}.token").read_text()
            if state_of(opened, draft) != "ratified":
                opened.constitutions.ratify(draft, override=True, reason="a clear case", expert=token)
        assert state_of(opened, draft) == "ratified"


def state_of(opened: Project, draft: str) -> str:
    (amendment,) = (one for one in opened.constitutions.history().amendments if one.id == draft)
    return amendment.state


def run_by_the_panel() -> None:
    """Records on which nobody was asked: what a new law puts in doubt."""
    config = tomllib.loads(Path("solon.toml").read_text())
    config["routing"]["policy"] = "never"
    with Project(config=config) as opened:
        seeds = [{"id": f"more-{n}", "prompt": f"Explain the other thing number {n}."} for n in range(3)]
        opened.run("preference", seeds)


def rejudge() -> None:
    with project() as opened:
        opened.rejudge()
        opened.resume()


def export() -> None:
    """What lies under the name of an export is whole, or nothing does."""
    with project() as opened:
        if Path("pairs.jsonl").exists():
            assert len(Path("pairs.jsonl").read_text().splitlines()) == len(SEEDS)
        opened.export("jsonl", "pairs.jsonl")


def release() -> None:
    """A release that was begun is made again under its name, or stands already."""
    with project() as opened:
        with suppress(UsageError):
            opened.releases.create("first", "first")
        told = opened.releases.verify("first")
        assert told, told


def migrate() -> None:
    with project() as opened:
        with suppress(StoreError):
            opened.migrate("sqlite:///moved.db")
    with project("sqlite:///moved.db") as moved:
        assert moved.summarize().items == len(SEEDS)


def upgrade() -> None:
    assert solon(["doctor", "--migrate", "--offline"]) in (0, 1), "no schema is half made"


def forget() -> None:
    """Asked for again, also where a tombstone without its deed keeps the store shut."""
    try:
        with project() as opened, suppress(UsageError):
            opened.forget(match=SECRET)
        with project() as opened:
            opened.sweep()
    except StoreError:
        command("forget", "--again")


def command(*arguments: str) -> None:
    """A command as a person gives it, which prints what stands against it."""
    code = solon([*arguments])
    if code:
        raise UsageError(f"`solon {' '.join(arguments)}` ended with {code}")


def after_forgetting() -> None:
    """The id comes back with another text, which has a life of its own."""
    with project() as opened:
        opened.run("preference", [{"id": "seed-0", "prompt": "Another text under the same id."}])
    finish()
    for file in Path.cwd().iterdir():
        assert SECRET.encode() not in file.read_bytes(), f"{file.name} holds what was forgotten"


def prune() -> None:
    with project() as opened:
        opened.prune(compact=True)


def back_up() -> None:
    with project() as opened, suppress(UsageError):
        opened.backup("saved")


def restore_copy() -> None:
    """What was saved is put back in the place of the store, and goes on there."""
    put_back()
    finish()


def put_back() -> None:
    Project.restore("saved", "sqlite:///solon.db", replace=True)


# What must hold ----------------------------------------------------------------------------------------------------

RULES = {
    "a seed has two items in a run": "SELECT run_id FROM items GROUP BY run_id, seed_id, number HAVING count(*) > 1",
    "an item is in no known state": "SELECT id FROM items WHERE state NOT IN ('queued', 'running', 'waiting', "
    "'accepted', 'rejected', 'failed', 'parked', 'forgotten', 'preview')",
    "an item runs, and nobody works on it": "SELECT id FROM items WHERE state IN ('running', 'queued')",
    "an item failed": "SELECT id FROM items WHERE state IN ('failed', 'parked')",
    "an item has two records in force": "SELECT item_id FROM records WHERE superseded_at IS NULL "
    "GROUP BY item_id HAVING count(*) > 1",
    "an accepted item has no record": "SELECT id FROM items WHERE state = 'accepted' AND id NOT IN "
    "(SELECT item_id FROM records WHERE superseded_at IS NULL)",
    "a decision was not applied": "SELECT decision_id FROM outbox WHERE applied_at IS NULL",
    "a review has two decisions": "SELECT review_id FROM decisions GROUP BY review_id HAVING count(*) > 1",
    "the journal has a call twice": "SELECT content_key FROM calls GROUP BY content_key HAVING count(*) > 1",
    "a record names no candidate": "SELECT records.id FROM records LEFT JOIN candidates ON candidates.id = chosen_id "
    "WHERE chosen_id IS NOT NULL AND candidates.id IS NULL",
    "a draft has no call": "SELECT candidates.id FROM candidates LEFT JOIN calls ON calls.id = call_id "
    "WHERE call_id IS NOT NULL AND calls.id IS NULL",
    "an item follows no constitution": "SELECT items.id FROM items LEFT JOIN constitutions ON "
    "constitutions.id = constitution_id WHERE constitutions.id IS NULL",
    "two constitutions of a name are in force": "SELECT name FROM constitutions WHERE status = 'in_force' "
    "GROUP BY name HAVING count(*) > 1",
}


def check(last: Callable[[], Any]) -> dict[str, Any]:
    """Do the last steps, and give what must be as in the undisturbed round.

    Raises:
        AssertionError: an invariant does not hold.
    """
    last()
    with project() as opened:
        with opened.store.connect() as connection:
            for name, query in RULES.items():
                rows = connection.exec_driver_sql(query).fetchall()
                assert not rows, f"{name}: {rows[:3]}"
            if connection.dialect.name == "sqlite":
                assert not connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            law = connection.exec_driver_sql(
                "SELECT name, version, status FROM constitutions ORDER BY name, version"
            ).fetchall()
            votes = connection.exec_driver_sql("SELECT count(*) FROM amendment_votes").scalar()
        assert opened.verify_audit().intact, "the chain of the audit log is broken"
        broken = [check for check in opened.doctor(offline=True) if check.state == "broken"]
        assert not broken, broken
        for record in opened.records():
            assert opened.trace(record.id)["calls"], f"record {record.id} has no lineage"
        opened.export("jsonl", "out.jsonl")
        rows = map(json.loads, Path("out.jsonl").read_text().splitlines())
        summary = opened.summarize()
        pairs = sorted([row["seed_id"], row["chosen"], row["rejected"], row["outcome"]] for row in rows)
        return {"pairs": pairs, "law": [list(row) for row in law], "votes": votes, "items": summary.items}


def paid(log: str = "calls.jsonl") -> tuple[set[str], int]:
    """Keys of the calls that the journal holds, and how many the fake has answered so far."""
    made = len(Path(log).read_text().splitlines()) if Path(log).exists() else 0
    url = tomllib.loads(Path("solon.toml").read_text()).get("store", "sqlite:///solon.db")
    engine, keys = make_engine(url), set()
    with suppress(SQLAlchemyError), engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT request_id FROM calls").fetchall()
        keys = {str(row[0]).removeprefix("scripted-") for row in rows}
    engine.dispose()
    return keys, made


# Rounds ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is done, killed and done again.

    Attributes:
        before: steps that make the store on which it is done, each in a process of its own.
        act: what is killed; a person who sees it killed asks for it again.
        last: what is done in the end.
        replays: every call that was answered is in the journal, so that none is made again.
    """

    before: tuple[Callable[[], Any], ...]
    act: Callable[[], Any]
    last: Callable[[], Any] = finish
    replays: bool = True


JUDGED = (run,)
DECIDED = (*JUDGED, decide_each_its_way)
ENDED = (*DECIDED, finish)
SCENARIOS: dict[str, Scenario] = {
    "run": Scenario((begin,), run),
    "decide": Scenario(JUDGED, prefer_all),
    "resume": Scenario(DECIDED, resume),
    "ratify": Scenario((*ENDED, propose), ratify),
    "rejudge": Scenario((*ENDED, run_by_the_panel, propose, ratify), rejudge),
    "export": Scenario(ENDED, export),
    "release": Scenario(ENDED, release),
    "forget": Scenario(DECIDED, forget, after_forgetting, replays=False),
    "prune": Scenario(DECIDED, prune),
    "migrate": Scenario(DECIDED, migrate),
    "upgrade": Scenario((), upgrade),
    "backup": Scenario(DECIDED, back_up, restore_copy),
    "restore": Scenario((*DECIDED, back_up, finish), put_back, finish, replays=False),
}


def place(folder: Path, server: str, template: str = "template1") -> None:
    """The store of a folder: in a file there, or in a database of its own on a server, which begins as a copy."""
    store = "sqlite:///solon.db"
    if server:
        import psycopg

        name = name_database(folder)
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        store = make_url(server).set(database=name).render_as_string(hide_password=False)
    (folder / "solon.toml").write_text(f'store = "{store}"\n{CONFIG}')


def name_database(folder: Path) -> str:
    return re.sub(r"\W", "_", "_".join(folder.parts[-2:]))


def copy(base: Path, folder: Path, server: str) -> Path:
    """A folder with a copy of the base's store."""
    shutil.copytree(base, folder)
    if server:
        place(folder, server, name_database(base))
    return folder


def make_base(name: str, folder: Path, server: str) -> Path:
    """The folder with the store on which a scenario is done."""
    folder.mkdir(parents=True)
    if name == "upgrade":
        with tarfile.open(MADE_BEFORE) as archive:
            archive.extractall(folder, filter="data")
    else:
        place(folder, server)
    for step in SCENARIOS[name].before:
        do(folder, step)
        import_all(folder)
    (folder / "calls.jsonl").write_text("")
    return folder


def again(scenario: Scenario) -> dict[str, Any]:
    """What a person does after the fault: the same again, and then on to the end."""
    known, made = paid()
    scenario.act()
    told = check(scenario.last)
    calls = [json.loads(line)["key"] for line in Path("calls.jsonl").read_text().splitlines()[made:]]
    repeated = known & set(calls)
    assert not (scenario.replays and repeated), f"{len(repeated)} finished calls were made again"
    return told


def one_round(base: Path, name: str, number: int, side: str, fault: str, server: str) -> dict[str, Any]:
    """A scenario with a fault at one seam; what went wrong is told under `wrong`."""
    scenario = SCENARIOS[name]
    folder = copy(base, base.parent / f"{name}-{number}-{side}-{fault}", server)
    row: dict[str, Any] = {"scenario": name, "seam": number, "side": side, "fault": fault}
    try:
        frozen = fork(folder, scenario.act, (number, side, fault))
        if fault == "kill":
            row["reached"] = wait(frozen) == KILLED
            row["end"] = do(folder, lambda: again(scenario))
        elif fault in REFUSED:
            row["survived"] = wait(frozen) == 0
            row["reached"] = len((folder / "seams.txt").read_text().splitlines()) > number
            said = (folder / "said.txt").read_text()
            last = said.rstrip().rpartition("\n\n")[2]
            foreseen = "\nsolon.errors." in f"\n{last}" and "a mistake in Solon" not in said
            assert row["survived"] or foreseen, f"not told in Solon's words: {last[-900:]}"
            row["end"] = do(folder, lambda: again(scenario))
        elif fault == "restart" or fault in JUMPS:
            row["survived"] = wait(frozen) == 0
            row["reached"] = len((folder / "seams.txt").read_text().splitlines()) > number
            row["end"] = do(folder, lambda: again(scenario))
        else:
            row["reached"] = os.WIFSTOPPED(os.waitpid(frozen, os.WUNTRACED)[1])
            time.sleep(CLAIM_SECONDS * 1.2)  # its claim runs out: this is the fault itself
            row["held"] = wait(fork(folder, scenario.act)) != 0
            said = (folder / "said.txt").read_text()
            # another thread of the frozen process may have been stopped within a transaction of SQLite's
            refused = "database is locked" in said and "a mistake in Solon" not in said
            assert not row["held"] or (row["reached"] and refused), said[-1500:]
            if row["reached"]:
                os.kill(frozen, signal.SIGCONT)
                row["thawed"] = wait(frozen)
            row["end"] = do(folder, lambda: again(scenario))
    except (AssertionError, SolonError) as error:
        row["wrong"] = str(error)
    return row


def siege(
    name: str, folder: Path, sides: list[str], fault: str, every: int, server: str
) -> Iterator[dict[str, Any]]:
    """Every round of a scenario; the first row is the undisturbed one, with its seams by name."""
    base = make_base(name, folder / name / "base", server)
    undisturbed = copy(base, folder / name / "undisturbed", server)
    do(undisturbed, SCENARIOS[name].act, ())
    seams = (
        (undisturbed / "seams.txt").read_text().splitlines() if (undisturbed / "seams.txt").exists() else []
    )
    reference = do(undisturbed, lambda: again(SCENARIOS[name]))
    import_all(undisturbed)
    yield {"scenario": name, "seams": dict(Counter(seams))}
    for number, side in itertools.product(range(0, len(seams), every), sides):
        row = one_round(base, name, number, side, fault, server)
        row["at"] = seams[number]
        if "wrong" not in row and row.pop("end") != reference:
            row["wrong"] = "it does not end as the undisturbed round does"
        if "wrong" not in row:
            shutil.rmtree(folder / name / f"{name}-{number}-{side}-{fault}")
        yield row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--fault", default="kill", choices=("kill", "freeze", "restart", *REFUSED, *JUMPS))
    parser.add_argument("--every", type=int, default=1, help="only every so-manyth seam")
    options = parser.parse_args()
    os.environ.pop("SOLON_STORE", None)
    os.environ.pop("SOLON_TOKEN", None)
    assert threading.active_count() == 1, "a process with threads must not be forked"
    folder = Path(tempfile.mkdtemp(prefix="seams-"))
    with private_server() if options.fault == "restart" else nullcontext("") as server:
        told = [tell(name, folder, options, server) for name in options.scenarios]
    print(json.dumps({"fault": options.fault, "folder": str(folder), "scenarios": told}))
    return 1 if any(row["wrong"] for row in told) else 0


def tell(name: str, folder: Path, options: argparse.Namespace, server: str) -> dict[str, Any]:
    """The figures of a scenario; what went wrong is printed beside them."""
    one = {"freeze": "after"} | dict.fromkeys((*REFUSED, *JUMPS), "before")
    sides = [one[options.fault]] if options.fault in one else ["before", "after"]
    undisturbed, *rows = siege(name, folder, sides, options.fault, options.every, server)
    for row in rows:
        if "wrong" in row:
            print(json.dumps(row), file=sys.stderr, flush=True)
    told = {
        "scenario": name,
        "seams": sum(undisturbed["seams"].values()),
        "kinds": len(undisturbed["seams"]),
        "rounds": len(rows),
        "reached": sum(row.get("reached", False) for row in rows),
        "wrong": sum("wrong" in row for row in rows),
        **{
            name: sum(row.get(name, 0) for row in rows)
            for name in ("survived", "held")
            if rows and name in rows[0]
        },
    }
    print(json.dumps(told), file=sys.stderr, flush=True)
    return told


if __name__ == "__main__":
    sys.exit(main())
