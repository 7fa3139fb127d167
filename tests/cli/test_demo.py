"""`solon demo`: the tour and the loop on a model, to their ends, with commands that work as printed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from solon.agents.models.weights import find_builtin_model

Cli = Callable[..., Any]


@pytest.fixture
def same_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which answers teach and which only test is drawn with a store's key: here always the same."""
    from solon.store.database import store

    monkeypatch.setattr(store, "secrets", SimpleNamespace(token_hex=lambda n: "7" * 2 * n))


@pytest.fixture
def tour(solon: Cli, same_halves: None) -> dict[str, Any]:
    """What the tour tells programs; its files are in the folder `solon-demo`."""
    told = solon("demo", "--json")
    assert told.code == 0, told
    found: dict[str, Any] = told.json
    return found


@pytest.mark.sqlite("the files beside its store")
def test_the_tour_shows_every_step_and_says_that_no_model_answers(
    solon: Cli, same_halves: None, folder: Path
) -> None:
    told = solon("demo")
    assert told.code == 0, told
    shown = " ".join(told.out.split())
    for part in (
        "scripted answers, no model",
        "the folder solon-demo.",
        "17 accepted by the panel; 13 wait for a person",
        "so: accepted by safe-doses:",
        "why: the resolver handed over",
        "given by this demo as Dr Demo",
        "28 records now; 2 wait for you",
        "none yet:",
        "5 decisions are too few",
        "[what-to-note] added:",
        "unseen: agreement with the expert",
        "28 preference pairs",
        "/login?link=",
    ):
        assert part in shown, (part, told.out)
    commands = told.out.split("Next\n")[1].splitlines()[:3]
    assert [line.split("#")[0].split()[-2] for line in commands] == ["review", "show", "init"]
    assert "<svg" in (folder / "solon-demo" / "report.html").read_text()


@pytest.mark.sqlite("the files beside its store")
def test_what_the_tour_tells_is_in_its_folder(
    solon: Cli, tour: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solon.store.database.store import Store
    from solon.store.reviewing.sessions import use_login_link

    monkeypatch.chdir(folder / tour["folder"])
    assert tour["records"] == 28
    assert tour["by_panel"] == 17
    assert tour["resolved"]["cites"] == ["safe-doses"]
    assert tour["amendment"]["impact"]["unseen"]["n"] >= 1
    assert len(Path(tour["pairs"]).read_text().splitlines()) == 28
    assert solon("status", "--json").json["pending_review"] == 2
    assert tour["review_id"] in {review["id"] for review in solon("review", "list", "--json").json["reviews"]}
    decided = [solon("show", tour["record_id"]), solon("constitution", "history")]
    assert all(shown.code == 0 for shown in decided)
    assert tour["amendment"]["id"] in decided[1].out
    assert "made: pairs.jsonl, pairs.jsonl.manifest.json" in solon("forget", "clinic-01", "--dry-run").out
    with Store("sqlite:///solon.db", create=False) as store:
        secret = tour["link"].partition("link=")[2]
        with store.transaction() as connection:
            found = use_login_link(store, connection, secret)
            assert found is not None
            assert found.role == "admin"
            assert use_login_link(store, connection, secret) is None


def test_every_answer_of_the_tour_is_an_experts_own(tour: dict[str, Any], folder: Path) -> None:
    from solon.cli.seeds.clinic import read_clinic
    from solon.project import Project

    config = folder / tour["folder"] / "solon.toml"
    with Project(f"sqlite:///{config.parent / 'solon.db'}", config=config) as project:
        decided = [project.trace(record.id) for record in project.records() if record.route == "decided"]
    assert len(decided) == tour["answers"] == 12
    good = {row["good"] for row in read_clinic()}
    for way in decided:
        assert way["decisions"][0]["actor"].startswith("expert:")
        assert {one["id"]: one["text"] for one in way["candidates"]}[way["record"]["chosen_id"]] in good


@pytest.mark.sqlite("the files beside its store")
def test_a_second_tour_leaves_the_first_alone(solon: Cli, tour: dict[str, Any], folder: Path) -> None:
    before = (folder / tour["folder"] / "pairs.jsonl").read_bytes()
    assert solon("demo", "--json").json["folder"] == "solon-demo-2"
    assert (folder / tour["folder"] / "pairs.jsonl").read_bytes() == before


@pytest.mark.sqlite("the files beside its store")
def test_the_tour_keeps_to_its_own_store(
    solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, same_halves: None
) -> None:
    monkeypatch.setenv("SOLON_STORE", "sqlite:///ours.db")
    told = solon("demo")
    assert not (folder / "ours.db").exists()
    assert "review serve --store sqlite:///solon.db" in told.out
    assert solon("demo", "--store", "sqlite:///given.db").code == 0
    assert (folder / "given.db").exists()


@pytest.mark.sqlite("the files beside its store")
def test_the_page_is_served_at_the_end_until_it_is_stopped(
    solon: Cli, monkeypatch: pytest.MonkeyPatch, same_halves: None
) -> None:
    from solon.review import serve

    served = []

    def stop(project: Any, options: Any, *, say: Callable[[str], None], **_about: Any) -> None:
        served.append((project.store.url, options.work))
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "serve", stop)
    told = solon("demo", "--serve")
    assert told.code == 0
    assert served == [("sqlite:///solon.db", True)]
    assert "solon review serve" in told.out.splitlines()[-1]


def test_what_only_the_other_demo_has_is_refused(solon: Cli) -> None:
    solon("demo", "--limit", "2").fails(2, "--limit", "--real")
    solon("demo", "--real", "--serve").fails(2, "--serve")


@pytest.mark.sqlite("the files beside its store")
def test_the_demo_shows_the_loop_and_its_next_commands_work(solon: Cli, folder: Path, rules: str) -> None:
    told = solon("demo", "--model", rules)
    assert told.code == 0
    for part in (
        "seed:",
        "draft",
        "critique of",
        "verdict:",
        "A review that waits",
        "A record that came out",
    ):
        assert part in told.out, part
    assert told.out.count("shown first") == 2
    assert '[models.default]\nmodel = "openai:' in told.out
    commands = [line.strip() for line in told.out.split("Next\n")[1].splitlines()]
    assert [shlex.split(command)[1] for command in commands] == [
        "review",
        "review",
        "resume",
        "show",
        "export",
    ]
    for command in commands:
        assert solon(*shlex.split(command)[1:]).code in (0, 3), command
    rows = [
        json.loads(line) for line in (folder / "solon-demo-real" / "pairs.jsonl").read_text().splitlines()
    ]
    summary = solon("demo", "--model", rules, "--json").json
    assert len(rows) == summary["accepted"]


def test_the_honest_words_belong_to_the_built_in_model(solon: Cli) -> None:
    from solon.cli import demo

    assert "at chance" in demo._HONESTLY
    assert "one model under two personas" in demo._HONESTLY
    assert "at chance" not in solon("demo", "--model", "scripted:default").out


def test_missing_weights_are_fetched_after_saying_so(solon: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from solon.agents.models import weights
    from solon.errors import ConfigError

    def refuse() -> Path:
        raise ConfigError("no network in a test", next_step="go on")

    monkeypatch.setattr(weights, "find_builtin_model", lambda: None)
    monkeypatch.setattr(weights, "fetch_builtin_model", refuse)
    told = solon("demo", "--real")
    told.fails(2, "no network in a test")
    assert "writes poor text" in " ".join(told.err.split("98 MB")[0].split())
    assert told.err.index("98 MB") < told.err.index("error:")


def test_a_folder_that_cannot_be_made(solon: Cli, folder: Path) -> None:
    (folder / "solon-demo-real").write_text("a file is in the way")
    solon("demo", "--model", "scripted:default").fails(2, "solon-demo-real", "--store")


@pytest.mark.builtin
@pytest.mark.skipif(
    find_builtin_model() is None, reason="the built-in model is not installed: solon model fetch"
)
def test_one_seed_on_the_built_in_model(solon: Cli) -> None:
    told = solon("demo", "--real", "--limit", "1")
    assert told.code == 0, told
    assert "judges at chance" in " ".join(told.out.split())
    assert "1 items:" in told.out
