"""No role is played by a model that nobody named: each is told by name, or refused before the first call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from solon import critic, judge
from solon.agents.models.scripted import ScriptedChat
from solon.config import BUILTIN_NOTE, Config, parse_config
from solon.errors import ConfigError
from solon.operations.planning import make_plan
from solon.operations.preview import preview
from solon.project import Project

SEEDS = [{"id": f"s{i}", "prompt": f"Say what {i} is"} for i in range(2)]
JUDGE_ALONE = '[models.judge]\nmodel = "scripted:default"\n[[judges]]\nmodel = "judge"\n'
COMMANDS = (
    ("run", "preference", "--seeds", "seeds.jsonl"),
    ("preview", "preference", "--seeds", "seeds.jsonl"),
    ("plan", "--items", "5", "--experts", "1", "--minutes", "3", "--days", "3"),
    ("doctor", "--offline"),
)


@judge("counts_words", "1")
def counts_words(a: str, b: str) -> str:
    return "A" if len(a.split()) >= len(b.split()) else "B"


@critic("content", "1")
def content(answer: str) -> list[dict[str, str]]:
    return []


@pytest.mark.parametrize("asked", COMMANDS, ids=[asked[0] for asked in COMMANDS])
def test_a_role_without_a_model_is_refused_where_others_are_named(
    command: Any, folder: Path, seed_file: Path, asked: tuple[str, ...]
) -> None:
    (folder / "solon.toml").write_text(JUDGE_ALONE)
    code, out, err = command(*asked)
    assert (code, out) == (2, "")
    for told in (
        "solon.toml: the generator has no model: generator.models = 'default'",
        "the critic has no model: critic.model = 'default'",
        "[models] has only: judge",
        "add [models.default], or name one of these there",
    ):
        assert told in err
    assert not (folder / "solon.db").exists()


def test_roles_that_ask_no_model_need_none() -> None:
    named = {"strong": {"model": "scripted:default"}}
    roles = {"generator": {"models": ["strong"]}, "critic": {"python": "a:c"}, "resolver": {"enabled": False}}
    config = parse_config({"models": named, **roles, "judges": [{"python": "a:b"}, {"model": "strong"}]})
    assert config.models_in_use() == ("strong",)
    assert len(config.panel_fingerprint()) == 16
    assert config.own_judges() == {"scripted:default": ("scripted:default",)}
    with pytest.raises(ConfigError, match=r"the resolver has no model: resolver.model = 'default'"):
        parse_config({"models": named, **roles, "resolver": {}, "judges": [{"python": "a:b"}]})


def test_a_table_without_a_model_is_refused_beside_one_with() -> None:
    with pytest.raises(ConfigError, match=r"models.default names no model, and others do.*'builtin:smollm2'"):
        parse_config({"models": {"default": {"temperature": 0.1}, "judge": {"model": "scripted:default"}}})
    alone = parse_config({"models": {"default": {"temperature": 0.1}}})
    assert alone.models["default"].model == "builtin:smollm2"


def test_the_built_in_model_is_told_by_name(command: Any, folder: Path, seed_file: Path) -> None:
    (folder / "solon.toml").unlink(missing_ok=True)
    (folder / "empty.toml").write_text("")
    told = f"{BUILTIN_NOTE}; it is the generator, resolver, critic, judge 1, judge 2"
    assert told in command(*COMMANDS[2], "--config", "empty.toml")[2]
    plan = json.loads(command(*COMMANDS[2], "--config", "empty.toml", "--json")[1].splitlines()[-1])
    assert told in plan["notes"]
    checks = json.loads(command(*COMMANDS[3], "--config", "empty.toml", "--json")[1].splitlines()[-1])[
        "checks"
    ]
    assert told in [check["told"] for check in checks]
    assert told == Config().builtin_note()
    assert parse_config({"models": {"default": {"model": "scripted:default"}}}).builtin_note() == ""


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The built-in model under its own name, without its weights."""
    from solon.agents.models import factory

    monkeypatch.setitem(factory._OWN, "builtin", lambda config: ScriptedChat())


def test_runs_and_previews_say_that_it_acts(
    command: Any, folder: Path, seed_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    (folder / "solon.toml").write_text('[routing]\npolicy = "always"\n')
    code, out, err = command(*COMMANDS[1], "-n", "1", "--json")
    assert code == 0, err
    assert any(note.startswith(BUILTIN_NOTE) for note in json.loads(out.splitlines()[-1])["notes"])
    code, out, err = command(*COMMANDS[0], "--json")
    assert code == 3, err
    assert err.index(BUILTIN_NOTE) < err.index("items, ")  # before the first call
    [note] = json.loads(out.splitlines()[-1])["notes"]
    assert note.startswith(BUILTIN_NOTE)
    assert BUILTIN_NOTE in command("status")[1]
    assert BUILTIN_NOTE in command("resume")[2]


def test_labels_ask_no_model_so_that_none_is_told(command: Any, folder: Path, seed_file: Path) -> None:
    (folder / "solon.toml").write_text('[label]\nlabels = ["a", "b"]\n')
    code, out, err = command("run", "label", "--seeds", seed_file, "--json")
    assert code == 3, err
    assert BUILTIN_NOTE not in out + err


def test_a_preview_names_who_wrote_every_text(command: Any, folder: Path, seed_file: Path) -> None:
    models = "".join(f'[models.{name}]\nmodel = "scripted:{rules}"\n' for name, rules in
                     (("default", "default"), ("critic", "critic.json"), ("resolver", "resolver.json")))  # fmt: skip
    for name in ("critic", "resolver"):
        (folder / f"{name}.json").write_text('{"otherwise": "split"}')
    roles = '[critic]\nmodel = "critic"\n[resolver]\nmodel = "resolver"\n[routing]\npolicy = "disagreement"\n'
    judges = '[[judges]]\nmodel = "resolver"\n[[judges]]\nmodel = "critic"\npersona = "x"\n'
    (folder / "solon.toml").write_text(models + roles + judges)
    asked = ("preview", "preference", "--seeds", seed_file, "-n", 2, "--draw", 1)
    items = json.loads(command(*asked, "--json")[1].splitlines()[-1])["items"]
    wrote = {kind: {row["model"] for item in items for row in item[kind]}
             for kind in ("candidates", "critiques", "verdicts", "resolutions")}  # fmt: skip
    assert wrote == {
        "candidates": {"scripted:default"},
        "critiques": {"scripted:critic.json"},
        "verdicts": {"scripted:resolver.json", "scripted:critic.json"},
        "resolutions": {"scripted:resolver.json"},
    }
    out = " ".join(command(*asked)[1].split())
    told = sum(len(item[kind]) for item in items for kind in ("critiques", "verdicts", "resolutions"))
    assert out.count("[scripted:") == told
    assert "draft by scripted:default" in out


def test_a_page_of_a_preview_names_them_too(open_project: Any) -> None:
    found = preview("preference", SEEDS, open_project(plugins=[counts_words, content]), n=1, draw=1)
    page = found._repr_html_()
    for author in ("by scripted:default", counts_words.identity, content.identity):
        assert author in page
    assert found.items[0]._repr_html_() in page


def test_a_model_from_python_is_told_by_its_own_name(folder: Path) -> None:
    with Project(f"sqlite:///{folder}/solon.db", config={}, models={"default": ScriptedChat()}) as project:
        run = project.run("preference", SEEDS)
        with project.store.connect() as connection:
            models = set(connection.execute(text("SELECT model FROM calls")).scalars())
    assert models == {"given:ScriptedChat"}
    assert run.notes == ()
    with Project(
        f"sqlite:///{folder}/solon.db", config=Config(), models={"default": ScriptedChat()}
    ) as again:
        assert again.config.models["default"].model == "given:ScriptedChat"
    with (
        Project(f"sqlite:///{folder}/solon.db", config={}) as bare,
        pytest.raises(ConfigError, match="pass it again"),
    ):
        bare.resume()


def test_a_plan_says_what_it_knows_of_the_models() -> None:
    made = make_plan(Config(), items=5, experts=1, minutes=3, days=3)
    assert any(note.startswith(BUILTIN_NOTE) for note in made.notes)
