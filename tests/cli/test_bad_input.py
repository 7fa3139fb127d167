"""Bad input and bad luck: each gets a cause and a next step, none a traceback, and the rest goes on."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from solon.cli.export import spell_empty

Cli = Callable[..., Any]


def test_every_bad_row_is_named_and_the_rest_runs(solon: Cli, write_seeds: Callable[..., Path]) -> None:
    seeds = write_seeds(
        {"id": "good", "prompt": "What is a kettle?"},
        '{"id": "torn", "prompt": ',
        {"id": "wrong-column", "question": "What is a kettle?"},
        {"id": "empty", "prompt": "   "},
        {"id": "good", "prompt": "Another with the same id"},
        {"id": "huge", "prompt": "x" * 1_000_000},
        b'{"id": "latin", "prompt": "caf\xe9"}',
        {"id": "last", "prompt": "And what is a pan?"},
    )
    result = solon("run", "preference", "--seeds", seeds, "--json")
    summary = result.json
    assert result.code in (0, 3)
    assert (summary["items"], summary["bad_rows"]) == (2, 6)
    rows = [json.loads(line) for line in Path(summary["bad_rows_file"]).read_text().splitlines()]
    reasons = {row["line"]: row["reason"] for row in rows}
    assert sorted(reasons) == [2, 3, 4, 5, 6, 7]
    for line, part in (
        (2, "malformed JSON"), (3, "question"), (4, "empty"), (5, "duplicate id"), (6, "max_chars"), (7, "not UTF-8"),
    ):  # fmt: skip
        assert part in reasons[line], reasons
    assert summary["bad_rows_file"] in result.err
    text = solon("status").out
    assert "6 bad rows" in text


def test_a_file_without_one_good_row(solon: Cli, write_seeds: Callable[..., Path]) -> None:
    seeds = write_seeds({"question": "?"})
    solon("run", "preference", "--seeds", seeds).fails(2, "no row can be used", "question", "[seeds] map")


def test_renamed_columns_run(solon: Cli, write_seeds: Callable[..., Path], folder: Path) -> None:
    with (folder / "solon.toml").open("a") as file:
        file.write('[seeds]\nmap = { prompt = "question" }\n')
    assert (
        solon("run", "preference", "--seeds", write_seeds({"question": "Why?"}), "--json").json["items"] == 1
    )


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("missing.jsonl", None, "there is no seed file"),
        ("seeds.xlsx", b"PK", "'.xlsx'"),
        ("seeds.jsonl", b"PK\x03\x04\x14\x00", "ZIP archive"),
    ],
)
def test_a_seed_file_that_cannot_be_read(
    solon: Cli, folder: Path, name: str, content: bytes | None, part: str
) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    solon("run", "preference", "--seeds", folder / name).fails(2, part)


@pytest.mark.parametrize(
    ("toml", "part"),
    [
        ("[routing]\ntreshold = 0.3\n", "routing.treshold: unknown key"),
        ("[routing]\nthreshold = 'high'\n", "routing.threshold"),
        ("[routing]\nthreshold = 3\n", "(saw 3)"),
        ("[models.default]\nmodel = 'gpt-5'\n", "names no provider"),
        ("[critic]\nmodel = 'other'\n", "critic.model = 'other'"),
        ("[models.default\n", "cannot be read as TOML"),
        ("[models.default]\nmodel = 'openay:gpt-5'\n", "unknown provider 'openay'"),
        ("[models.default]\nmodel = 'gguf:/nowhere/model.gguf'\n", "there is no model file"),
        ("[models.default]\nmodel = 'openai:gpt-5-mini'\n", "OPENAI_API_KEY"),
        (
            "[models.default]\nmodel = 'openai:m'\nbase_url = 'http://127.0.0.1:9/v1'\napi_key_env = 'MY_KEY'\n",
            "MY_KEY",
        ),
        ("[models.default]\nmodel = 'openai:m'\nbase_url = 'not a url'\n", "base_url"),
        ("[models.default]\nmodel = 'scripted:nowhere.json'\n", "nowhere.json"),
        ("[law]\nconstitution = 'nowhere.yaml'\n", "nowhere.yaml"),
        ("store = 'mysql://x/y'\n", "mysql"),
    ],
)
def test_a_wrong_configuration_exits_2(
    solon: Cli, five_seeds: Path, folder: Path, toml: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (folder / "solon.toml").write_text(toml)
    solon("run", "preference", "--seeds", five_seeds).fails(2, part)


def test_a_missing_configuration_file_and_a_wrong_option(solon: Cli, five_seeds: Path) -> None:
    solon("status", "--config", "nowhere.toml").fails(2, "nowhere.toml", "--config")
    assert solon("run", "preference").code == 2
    assert solon("run", "preference", "--seeds", five_seeds, "--limit", "0").code == 2
    assert solon("nonsense").code == 2
    solon("run", "poetry", "--seeds", five_seeds).fails(
        2, "'poetry'", "preference, preference-contrast, preference-expert, instruction"
    )


def test_json_of_a_failure_is_the_last_line_too(solon: Cli, five_seeds: Path) -> None:
    told = solon("run", "poetry", "--seeds", five_seeds, "--json")
    assert told.code == 2
    assert told.json["exit_code"] == 2
    assert "poetry" in told.json["error"]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and does not listen."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def test_a_server_that_is_down_exits_1_and_everything_can_be_resumed(
    solon: Cli, five_seeds: Path, folder: Path, closed_port: int
) -> None:
    (folder / "solon.toml").write_text(
        f"[models.default]\nmodel = 'openai:m'\nbase_url = 'http://127.0.0.1:{closed_port}/v1'\nretries = 0\n"
    )
    told = solon("run", "preference", "--seeds", five_seeds, "--json")
    assert told.code == 1
    assert "Traceback" not in told.err
    assert f"127.0.0.1:{closed_port}" in told.err
    (run,) = solon("status", "--json").json["runs"]
    assert run["accepted"] + run["rejected"] + run["pending_review"] == 0
    assert run["parked"] + run["queued"] == 5


@pytest.mark.sqlite("permissions of its file")
def test_a_read_only_store_says_so_and_stays_intact(
    solon: Cli, five_seeds: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solon("run", "preference", "--seeds", five_seeds, "--limit", "2")
    before = solon("status", "--json").json["runs"]
    if os.geteuid() == 0:
        # Permissions do not bind root: the driver is asked to open the file as if it could only read.
        connect = sqlite3.dbapi2.connect
        monkeypatch.setattr(
            sqlite3.dbapi2,
            "connect",
            lambda name, *a, **k: connect(f"{name}?mode=ro", *a, **k),
        )
    else:
        (folder / "solon.db").chmod(0o444)
        folder.chmod(0o555)
    refused = solon("run", "preference", "--seeds", five_seeds)
    monkeypatch.undo()
    folder.chmod(0o755)
    (folder / "solon.db").chmod(0o644)
    refused.fails(1, "readonly", "writable")
    monkeypatch.chdir(folder)
    assert solon("status", "--json", "--config", folder / "solon.toml").json["runs"] == before


def test_files_that_are_no_store(solon: Cli, folder: Path) -> None:
    (folder / "text.db").write_text("this is no database, it only has its name" * 100)
    solon("status", "--store", "sqlite:///text.db").fails(1, "not a database", "--store")
    sqlite3.connect(folder / "other.db").close()
    (folder / "other.db").touch()
    solon("status", "--store", "sqlite:///other.db").fails(1, "holds no Solon store")
    solon("run", "preference", "--seeds", "x.jsonl", "--store", "sqlite:///no/such/folder/s.db").fails(
        1, "mkdir -p"
    )


def test_what_nobody_foresaw_is_ours_and_the_traceback_goes_to_a_file(
    solon: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr("solon.cli.options.read_config", explode)
    told = solon("status")
    told.fails(1, "ZeroDivisionError: unforeseen", "mistake in Solon")
    path = Path(told.err.split("report it with ")[1].split(" (")[0])
    assert "Traceback" in path.read_text()
    path.unlink()


def test_debug_shows_the_traceback(solon: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLON_DEBUG", "1")
    assert "Traceback" in solon("status").err


def test_seeds_without_a_good_row_leave_no_run_behind(solon: Cli, write_seeds: Callable[..., Path]) -> None:
    refused = solon("run", "preference", "--seeds", write_seeds({"question": "?"}, "[]"))
    refused.fails(2, "solon.no-run.bad-rows.jsonl")
    assert len(Path("solon.no-run.bad-rows.jsonl").read_text().splitlines()) == 2
    assert solon("status", "--json").json["runs"] == []
    empty = write_seeds("", name="empty.jsonl")
    solon("run", "preference", "--seeds", empty).fails(2, "there is no row")


def test_a_wrong_option_is_a_failure_like_any_other(solon: Cli, five_seeds: Path) -> None:
    told = solon("run", "preference", "--json")
    told.fails(2, "--seeds", "run --help")
    assert told.json["exit_code"] == 2
    assert "--seeds" in told.json["error"]
    solon("run", "preference", "--seeds", five_seeds, "--limit", "0").fails(2, "--limit")
    solon("runn").fails(2, "'runn'", "run")


@pytest.mark.parametrize("arguments", [(), ("review",)])
def test_nothing_said_shows_the_help(solon: Cli, arguments: tuple[str, ...]) -> None:
    told = solon(*arguments)
    assert told.code == 2
    assert "Start:" in told.err if not arguments else "Commands:" in told.err
    assert "error:" not in told.err


@pytest.mark.parametrize(
    ("toml", "part"),
    [
        ('[models.default]\nmodel = "opnai:x"\n', "'opnai'"),
        ('[models.default]\nmodel = "openai:x"\napi_key_env = "NOT_SET_HERE"\n', "NOT_SET_HERE"),
        ('[models.default]\nmodel = "scripted:nowhere.json"\n', "nowhere.json"),
    ],
)
def test_a_model_that_cannot_be_made_leaves_no_run_behind(
    solon: Cli, five_seeds: Path, folder: Path, toml: str, part: str
) -> None:
    (folder / "solon.toml").write_text(toml)
    solon("run", "preference", "--seeds", five_seeds).fails(2, part)
    assert solon("status", "--json").json["runs"] == []
    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\n')
    assert solon("run", "preference", "--seeds", five_seeds, "--json").json["items"] == 5


def test_a_run_that_came_to_nothing_does_not_stand_in_the_way(
    solon: Cli, five_seeds: Path, folder: Path, closed_port: int
) -> None:
    dead = (
        f'[models.default]\nmodel = "openai:x"\nbase_url = "http://127.0.0.1:{closed_port}/v1"\nretries = 0\n'
    )
    (folder / "solon.toml").write_text(dead)
    first = solon("run", "preference", "--seeds", five_seeds, "--json").json
    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\n')
    second = solon("run", "preference", "--seeds", five_seeds, "--json").json
    assert second["run_id"] != first["run_id"]
    assert second["failed"] == 0


def test_a_key_written_where_its_variable_belongs_is_refused_and_not_repeated(
    solon: Cli, five_seeds: Path, folder: Path
) -> None:
    for toml in ('api_key_env = "sk-abc123"', 'api_key = "sk-abc123"'):
        (folder / "solon.toml").write_text(f'[models.default]\nmodel = "openai:x"\n{toml}\n')
        told = solon("run", "preference", "--seeds", five_seeds).fails(2, "models.default.api_key")
        assert "sk-abc123" not in told.err + told.out


def test_an_unknown_key_says_what_would_be_right(
    solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for toml, meant in (
        ("[routing]\npolcy = 1\n", "'policy'"),
        ("[[judges]]\nmodl = 1\n", "'model'"),
        ("[models.big]\nmodel = 'a:b'\ntimout = 1\n", "'timeout'"),
        ("[privacy]\nclas = 1\n", "'class'"),
        ("[run]\nzzz = 1\n", "concurrency, patience, seed"),
        ("[judges]\nmodel = 'default'\n", "[[judges]]"),
    ):
        (folder / "solon.toml").write_text(toml)
        solon("config", "check").fails(2, meant)
    (folder / "solon.toml").write_text("")
    monkeypatch.setenv("SOLON_ROUTNG__POLICY", "always")
    solon("config", "check").fails(2, "SOLON_ROUTNG__POLICY", "SOLON_ROUTING__")
    monkeypatch.delenv("SOLON_ROUTNG__POLICY")
    monkeypatch.setenv("SOLON_ROUTING__POLCY", "always")
    solon("config", "check").fails(2, "SOLON_ROUTING__POLCY: routing.polcy", "'policy'")


def test_no_file_takes_the_place_of_a_pipe_or_a_device(solon: Cli, five_seeds: Path, folder: Path) -> None:
    assert solon("run", "preference", "--seeds", five_seeds).code in (0, 3)
    os.mkfifo(folder / "pipe")
    run = solon("status", "--json").json["runs"][0]["run_id"]
    solon("export", "--format", "jsonl", "--output", "pipe").fails(2, "pipe is no file")
    solon("diff", run, run, "--html", "pipe").fails(2, "pipe is no file")
    solon("report", "--output", "pipe").fails(2, "pipe is no file")
    solon("report", "--output", "report.json").fails(2, "report.json")
    assert (folder / "pipe").is_fifo()
    assert not (folder / "report.json").exists()


def test_what_is_wrong_in_the_configuration_is_named_with_its_line(solon: Cli, folder: Path) -> None:
    (folder / "solon.toml").write_text(
        'store = "sqlite:///x.db"\n[models.default]\nmodel = "scripted:default"\ntempature = 1\n'
        "price = { input = 1.0 }\n[[judges]]\npersona = 'a'\n[[judges]]\n  samples = 99\n"
        "# samples = 98\n[routing]\npolicy = 'plot'\n[lawx]\na = 1\n[profiles.big.run]\nconcurrancy = 3\n"
    )
    told = solon("config", "check")
    told.fails(2)
    for line, key in (
        (4, "models.default.tempature"),
        (5, "models.default.price.output"),
        (9, "judges.1.samples"),
        (12, "routing.policy"),
        (13, "lawx"),
    ):
        assert f"solon.toml, line {line}: {key}: " in told.err, told.err
    solon("--profile", "big", "config", "check").fails(2, "solon.toml, line 16: run.concurrancy: ")


def test_an_export_of_nothing_says_why() -> None:
    assert spell_empty("jsonl", {"pending": 2}).startswith("nothing is decided yet: 2 wait")
    assert "no record has what trl-sft holds" in spell_empty("trl-sft", {"pending": 2, "no_response": 1})
