"""Before the first call: what may name a person stays here until somebody answers for it, and hosts are kept to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon.config import parse_config
from solon.config.pinned import config_of_run
from solon.errors import ConfigError, ModelUnavailable, UsageError
from solon.project import Project
from solon.store.database import audit_log
from solon.store.runs.holds import close_hold, list_holds
from solon.store.tables import table_of
from solon.store.tables.experts import AuditEntry
from solon.store.tables.privacy import Hold
from solon.store.tables.runs import Call, Item

LETTER = "Patient Anna Schmidt, born 3 March 1961, MRN 4471-882, has asthma. What now?"
CLEAN = "Explain to a child in a few words what asthma is."


class Server(ThreadingHTTPServer):
    """A fake that keeps a log of every request and answers each with the words that it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.log: list[str] = []
        self.status = 500

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.log.append(f"{self.path} {body}")
        answer = json.dumps({"error": {"message": f"I cannot read: {body}"}}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.server.log.append(self.path)
        self.send_error(404)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def guarded(class_: str = "personal", **privacy: Any) -> dict[str, Any]:
    return {"privacy": {"class": class_, **privacy}}


def rows(project: Project, table: Any) -> list[Any]:
    with project.store.connect() as connection:
        return list(connection.execute(select(table_of(table))))


@pytest.mark.parametrize("class_", ["personal", "deidentified"])
def test_a_fake_servers_log_shows_no_call(
    class_: str, open_project: Any, server: Server, find_bytes: Any, folder: Path
) -> None:
    model = {"model": "openai:m", "base_url": server.base_url, "retries": 0}
    project = open_project(models={"default": model}, **guarded(class_))
    seen = project.run(
        "preference", [{"id": "p1", "prompt": LETTER}, {"id": "p2", "prompt": "Hi", "input": LETTER}]
    )
    assert server.log == []
    assert (seen.held, seen.failed, seen.parked, seen.model_calls) == (2, 2, 0, 0)
    with project.store.connect() as connection:
        first, second = list_holds(connection)
    kinds = {kind: LETTER[start:end] for kind, field, start, end in first.findings if field == "prompt"}
    assert kinds == {"name": "Anna Schmidt", "birth_date": "3 March 1961", "record_number": "4471-882"}
    assert {field for _, field, _, _ in second.findings} == {"input"}
    # neither hold nor item nor log says what was found, only kinds and places
    for table in (Hold, Item, AuditEntry):
        assert "Schmidt" not in str(rows(project, table))
    again = project.resume()
    assert (again.held, server.log) == (2, [])


def test_a_named_person_releases_and_rejects(open_project: Any, find_bytes: Any) -> None:
    project = open_project(**guarded())
    seeds = [
        {"id": "p1", "prompt": LETTER},
        {"id": "p2", "prompt": LETTER + " Please."},
        {"id": "ok", "prompt": CLEAN},
    ]
    assert project.run("preference", seeds).pending_review == 1
    with project.store.connect() as connection:
        one, two = list_holds(connection)

    def close(item: str, release: bool, by: str = "Dr. Weiss", reason: str = "an invented person") -> None:
        with project.store.transaction() as connection:
            close_hold(
                project.store, connection, item, release=release, by=by, actor="local:me", reason=reason
            )

    for by, reason in (("", "why"), ("Dr. Weiss", " ")):
        with pytest.raises(UsageError, match="named person"):
            close(one.item_id, True, by, reason)
    close(one.item_id[:8], True)
    close(two.item_id, False)
    with pytest.raises(UsageError, match="no item that the privacy scan holds"):
        close(one.item_id, True)
    done = project.resume()
    assert (done.held, done.pending_review, done.rejected) == (0, 2, 1)
    entries = [row for row in rows(project, AuditEntry) if row.action.startswith("privacy.")]
    assert [row.action for row in entries] == ["privacy.held"] * 2 + ["privacy.released", "privacy.rejected"]
    assert entries[2].detail["by"] == "Dr. Weiss"
    assert "invented" not in str(entries)
    assert audit_log.verify(project.store).intact
    # what was decided of a seed holds in the next run: nobody is asked twice
    later = project.run("preference", seeds, new_run=True)
    assert (later.held, later.rejected) == (0, 1)
    # a preview knows it too, and holds what nobody has seen
    from solon.operations.preview import preview

    shown = preview(
        "preference", [*seeds, {"id": "new", "prompt": "Mrs. Eva Klein asks what asthma is."}], project, n=4
    )
    assert {item.seed: item.where for item in shown.items}["new"] == "held"
    assert {item.seed: item.where for item in shown.items}["p1"] == "expert"


def test_more_found_in_a_released_seed_is_held_again(
    open_project: Any, monkeypatch: Any, folder: Path
) -> None:
    project = open_project(**guarded())
    project.run("preference", [{"id": "p1", "prompt": LETTER}])
    with project.store.transaction() as connection:
        (hold,) = list_holds(connection)
        close_hold(
            project.store, connection, hold.item_id, release=True, by="Dr. W", actor="local:me", reason="fine"
        )
    (folder / "finder.py").write_text("def find(text):\n    return [('ward', 0, 7)]\n")
    other = open_project(**guarded(scanner="finder:find"))
    assert other.run("preference", [{"id": "p1", "prompt": LETTER}], new_run=True).held == 1


def test_a_scanner_of_ones_own(open_project: Any, folder: Path) -> None:
    source = (
        "from types import SimpleNamespace as Found\n"
        "def find(text):\n"
        "    at = text.find('asthma')\n"
        "    return [Found(entity_type='CONDITION', start=at, end=at + 6)] if at >= 0 else []\n"
        "def fail(text):\n    raise ValueError(text)\n"
        "def wrong(text):\n    return [('x', 5, 5000)]\n"
    )
    (folder / "own_scanner.py").write_text(source)
    project = open_project(**guarded(scanner="own_scanner:find"))
    assert project.run("preference", [{"id": "a", "prompt": CLEAN}]).held == 1
    with project.store.connect() as connection:
        (hold,) = list_holds(connection)
    assert [finding[0] for finding in hold.findings] == ["condition"]
    for name in ("fail", "wrong", "missing"):
        broken = open_project(**guarded(scanner=f"own_scanner:{name}"))
        with pytest.raises(ConfigError, match=r"privacy\.scanner") as refused:
            broken.run("preference", [{"id": name, "prompt": CLEAN}])
        assert "asthma" not in str(refused.value)
        assert not [row for row in rows(broken, Call) if row.seed_id == name]


def test_hosts_are_checked_before_the_first_call(open_project: Any) -> None:
    def run(model: dict[str, Any], **privacy: Any) -> None:
        project = open_project(models={"default": {"retries": 0, **model}}, **guarded(**privacy))
        project.run("preference", [{"id": "x", "prompt": CLEAN}], new_run=True)

    far = {"model": "openai:m", "base_url": "https://models.example.org/v1"}
    with pytest.raises(ConfigError, match=r"'models\.example\.org' is not in privacy\.allowed_hosts"):
        run(far)
    with pytest.raises(ConfigError, match="allowed_hosts"):
        run(far, allowed_hosts=["example.org", "models.example.org:8443"])
    with pytest.raises(ConfigError, match="allowed_hosts"):  # a list binds whatever the class
        run(far, class_="synthetic", allowed_hosts=["example.org"])
    project = open_project(models={"default": far}, **guarded(allowed_hosts=["Models.Example.org"]))
    from solon.agents.calls import ModelPool

    ModelPool(project.config).prepare()
    ModelPool(parse_config({"models": {"default": far}})).prepare()


def test_a_model_of_ones_own_must_say_where_it_calls(open_project: Any) -> None:
    from langchain_core.language_models.fake_chat_models import FakeListChatModel

    project = open_project(given={"default": FakeListChatModel(responses=["x"])}, **guarded())
    with pytest.raises(ConfigError, match="cannot be told"):
        project.run("preference", [{"id": "x", "prompt": CLEAN}])


def test_errors_of_failed_calls_repeat_nothing(
    open_project: Any, server: Server, find_bytes: Any, folder: Path
) -> None:
    model = {"model": "openai:m", "base_url": server.base_url, "retries": 0}
    for status in (400, 500):
        server.status = status
        project = open_project(models={"default": model}, **guarded())
        with pytest.raises(Exception, match="withheld") as failed:
            project.run(
                "preference", [{"id": f"x{status}{i}", "prompt": CLEAN} for i in range(9)], new_run=True
            )
        assert "asthma" not in str(failed.value)
        assert failed.value.__cause__ is None
    assert server.log
    assert "asthma" in server.log[0]
    assert not any("asthma" in (row.reason or "") for row in rows(project, Item))
    # without a class that guards, the server's words help to mend it
    server.status = 500
    project = open_project(f"sqlite:///{folder / 'other.db'}", models={"default": model})
    with pytest.raises(ModelUnavailable, match=r"I cannot read|HTTP 500"):
        project.run("preference", [{"id": f"y{i}", "prompt": CLEAN} for i in range(9)])


def test_spans_never_hold_texts_that_may_name_people(
    open_project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solon import tracing
    from solon.graphs import runner

    seen: list[bool] = []

    def noted(config: Any) -> Any:
        seen.append(config.capture_content)
        return tracing.OFF

    monkeypatch.setattr(runner, "make_tracing", noted)
    for class_ in ("synthetic", "deidentified", "personal"):
        project = open_project(tracing={"enabled": True, "capture_content": True}, **guarded(class_))
        project.run("preference", [{"id": class_, "prompt": CLEAN}], new_run=True)
    assert seen == [True, False, False]


def test_refused_rows_repeat_nothing(open_project: Any, find_bytes: Any, folder: Path) -> None:
    project = open_project(**guarded())
    bad = [{"id": "x", "prompt": 5, "note": LETTER}, {"id": "y", "messages": LETTER}, {"question": LETTER}]
    seen = project.run("preference", [*bad, {"id": "ok", "prompt": CLEAN}])
    assert seen.bad_rows == 3
    lines = (folder / f"solon.{seen.run_id}.bad-rows.jsonl").read_text()
    assert "Schmidt" not in lines
    assert "messages is text that is not JSON" in lines


def test_a_class_is_tightened_in_the_middle_of_a_run_and_never_loosened() -> None:
    loose, strict = parse_config({}), parse_config(guarded(allowed_hosts=["a"]))
    assert loose.fingerprint() == strict.fingerprint()
    assert config_of_run(loose.effective(), strict, "r").privacy.class_ == "personal"
    back = config_of_run(strict.effective(), loose, "r").privacy
    assert (back.class_, back.allowed_hosts) == ("personal", ())


def test_command_line(command: Any, folder: Path) -> None:
    (folder / "solon.toml").write_text(
        '[models.default]\nmodel = "scripted:default"\n[privacy]\nclass = "personal"\n[routing]\npolicy = "always"\n'
    )
    seeds = [{"id": "p1", "prompt": LETTER}, {"id": "ok", "prompt": CLEAN}]
    (folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in seeds))
    code, out, err = command("run", "preference", "--seeds", "seeds.jsonl")
    assert (code, "1 held by the privacy scan" in out) == (3, True), err
    assert "solon privacy list" in err
    code, out, _ = command("privacy", "list", "--json")
    (held,) = json.loads(out.splitlines()[-1])["held"]
    assert {finding["kind"] for finding in held["findings"]} == {"name", "birth_date", "record_number"}
    assert "Schmidt" not in out
    code, out, _ = command("privacy", "list")
    assert "birth_date prompt:27-39" in " ".join(out.split()).replace("- ", "-")
    assert command("privacy", "release", held["item_id"])[0] == 2
    assert command("privacy", "release", held["item_id"], "--by", "Dr. Weiss", "--reason", "invented")[0] == 0
    code, out, _ = command("resume", "--json")
    told = json.loads(out.splitlines()[-1])
    assert (told["held"], told["pending_review"]) == (0, 2)
    code, out, err = command("audit", "list", "--json")
    assert "Dr. Weiss" in out or code != 0


def test_what_nobody_foresaw_is_told_without_its_words(
    command: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solon.workspace import loading

    def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError(LETTER)

    (folder / "solon.toml").write_text(
        '[privacy]\nclass = "personal"\n[models.default]\nmodel = "scripted:default"\n'
    )
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("SOLON_DEBUG", "1")
    monkeypatch.setattr(loading, "read_rows", broken)
    (folder / "seeds.jsonl").write_text('{"prompt": "x"}\n')
    code, out, err = command("run", "preference", "--seeds", "seeds.jsonl")
    assert code == 1
    (traceback,) = folder.glob("solon-*.traceback.txt")
    for text in (out, err, traceback.read_text()):
        assert "Schmidt" not in text
    assert "in broken" in traceback.read_text()
