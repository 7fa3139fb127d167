"""Commands that show: lineage, exports, graph, law, prompts, configuration, model, doctor, help."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from solon.agents.models.weights import find_builtin_model
from solon.cli.app import command_tree
from solon.cli.help import PANELS
from solon.config import Config, parse_config
from solon.formats.exports import FORMATS

Cli = Callable[..., Any]


@pytest.fixture
def records(solon: Cli, folder: Path, rules: str) -> list[dict[str, Any]]:
    """The records of the demo on a scripted fake."""
    assert solon("demo", "--model", rules, "--store", "sqlite:///solon.db").code == 0
    solon("export", "--format", "jsonl", "--output", folder / "all.jsonl")
    rows = [json.loads(line) for line in (folder / "all.jsonl").read_text().splitlines()]
    assert rows
    return rows


def test_show_draws_the_lineage(solon: Cli, records: list[dict[str, Any]]) -> None:
    found = solon("show", records[0]["id"], "--json").json
    assert found["record"]["id"] == records[0]["id"]
    assert {call["role"] for call in found["calls"]} >= {"generator", "critic", "judge"}
    assert len(found["verdicts"]) >= 4
    drawn = solon("show", records[0]["id"]).out
    for part in (
        "seed demo-",
        "constitution general 1.0.0",
        "(chosen)",
        "(rejected)",
        "order AB",
        "judge.pair 1",
    ):
        assert part in drawn, part
    for call in found["calls"]:
        assert call["id"] in drawn
    solon("show", "nothing").fails(2, "'nothing'")


def test_show_prints_prompts_as_they_were_sent(solon: Cli, records: list[dict[str, Any]]) -> None:
    record = records[0]
    calls = solon("show", record["id"], "--prompts", "--json").json["calls"]
    for call in calls:
        assert call["prompt"].startswith("[system]\n")
        assert record["prompt"] in call["prompt"]
    judged = [call["prompt"] for call in calls if call["role"] == "judge" and "/AB" in call["seat"]]
    assert judged
    assert all(record["chosen"] in prompt and record["rejected"] in prompt for prompt in judged)
    drawn = solon("show", record["id"], "--prompts").out
    assert drawn.count("prompt: [system]") == drawn.count("answer: ") == len(calls)
    lineage = solon("show", record["id"], "--json").json
    assert solon("forget", lineage["seed"]["external_id"], "--yes").code == 0
    assert "prompt: erased" in solon("show", lineage["item"]["id"], "--prompts").out


def test_export_counts_what_it_leaves_out(solon: Cli, records: list[dict[str, Any]], folder: Path) -> None:
    told = solon("export", "--format", "trl-preference", "--output", folder / "pairs.jsonl", "--json").json
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    assert told["written"] == len(rows) == len(records)
    assert all(set(row) == {"prompt", "chosen", "rejected"} for row in rows)
    assert "left out:" in solon("export", "-f", "trl-sft", "-o", folder / "sft.jsonl").out
    none = solon("export", "-f", "jsonl", "-o", folder / "c.jsonl", "--certified-only", "--json").json
    assert none["written"] == 0
    solon("export", "-f", "trl-prefrence", "-o", folder / "x.jsonl").fails(
        2, "did you mean 'trl-preference'?"
    )


@pytest.mark.parametrize("recipe", ["preference", "instruction"])
def test_graph_is_mermaid_with_every_node(solon: Cli, recipe: str) -> None:
    drawn = solon("graph", recipe)
    assert "graph TD;" in drawn.out
    for node in ("draft", "critique", "revise", "judge", "review"):
        assert node in drawn.out
    assert len(solon("graph", recipe, "--json").json["version"]) == 16


def test_law_is_listed_and_shown(solon: Cli) -> None:
    for kind in ("constitution", "rubric"):
        rows = solon(kind, "list", "--json").json[f"{kind}s"]
        assert {row["name"] for row in rows} >= {"general", "medical", "legal", "code", "education"}
        assert [row["name"] for row in rows if row["in_force"]] == ["general"]
        assert "general" in solon(kind, "list").out
        shown = solon(kind, "show", "medical").out
        assert "name: medical" in shown
        solon(kind, "show", "nowhere").fails(2, "nowhere", "starters")
    in_force = solon("constitution", "show", "--json").json
    assert in_force["name"] == "general"


def test_a_constitution_of_ones_own_is_in_force_and_kept_in_the_store(
    solon: Cli, folder: Path, five_seeds: Path
) -> None:
    own = solon("constitution", "show", "medical").out.replace("name: medical", "name: clinic")
    (folder / "clinic.yaml").write_text(own)
    with (folder / "solon.toml").open("a") as file:
        file.write('[law]\nconstitution = "clinic.yaml"\n')
    rows = solon("constitution", "list", "--json").json["constitutions"]
    assert [row["name"] for row in rows if row["in_force"]] == ["clinic"]
    solon("run", "preference", "--seeds", five_seeds, "--limit", "1")
    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\n')
    rows = solon("constitution", "list", "--json").json["constitutions"]
    assert ("clinic", "store") in {(row["name"], row["source"]) for row in rows}


def test_prompts(solon: Cli, folder: Path) -> None:
    names = [prompt["name"] for prompt in solon("prompts", "list", "--json").json["prompts"]]
    assert "judge.pair" in names
    assert solon("prompts", "check", "--json").json["checked"] == names
    source = solon("prompts", "show", "judge.pair").out
    assert source.startswith("---\nname: judge.pair")
    mine = folder / "mine"
    mine.mkdir()
    (mine / "judge.pair.md").write_text(source.replace("{{ constitution }}", "{{ misspelt }}"))
    solon("prompts", "check", "--folder", mine).fails(2, "judge.pair", "misspelt")
    solon("prompts", "show", "judge.poem").fails(2, "'judge.poem'", "judge.pair")


def test_config_show_check_schema(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLON_ROUTING__THRESHOLD", "0.35")
    assert solon("config", "show", "--json").json["routing"]["threshold"] == 0.35
    assert json.loads(solon("config", "show").out)["models"]["default"]["model"] == "scripted:default"
    assert solon("config", "check", "--json").json["ok"] is True
    assert solon("config", "check").out.startswith("the configuration holds")
    assert "routing" in solon("config", "schema").json["properties"]
    monkeypatch.delenv("SOLON_ROUTING__THRESHOLD")
    values = tomllib.loads(solon("config", "schema", "--format", "toml").out)
    assert parse_config(values) == Config()


def test_doctor_on_a_healthy_store(solon: Cli, waiting: list[dict[str, Any]]) -> None:
    told = solon("doctor", "--json")
    assert told.code == 0
    checks = {check["name"]: check for check in told.json["checks"]}
    assert checks["store"]["state"] == "ok"
    assert f"{len(waiting)} waiting" in checks["reviews"]["told"]
    assert "current graph" in checks["threads"]["told"]
    assert checks["model default"]["state"] == "note"
    assert "disk" in solon("doctor").out


def test_doctor_tells_of_judges_who_judge_their_own_family(solon: Cli, folder: Path) -> None:
    def panel(family: str = "", *lines: str) -> list[str]:
        models = "[models.default]\nmodel = 'scripted:default'\n[models.other]\nmodel = 'scripted:split'\n"
        models += f"family = '{family}'\n"
        judges = "[[judges]]\nmodel = 'default'\n[[judges]]\nmodel = 'other'\n"
        (folder / "solon.toml").write_text("\n".join([models, judges, *lines]))
        checks = solon("doctor", "--json", "--offline").json["checks"]
        return [check["told"] for check in checks if check["name"] == "panel"]

    [told] = panel()
    assert "scripted:default is of the family that drafts" in told
    assert len(panel("Default")) == 2
    assert panel("Default", "[routing]\nown_family = true") == []


def test_doctor_names_what_is_broken_and_what_to_do(solon: Cli, folder: Path) -> None:
    (folder / "solon.toml").write_text(
        "[models.default]\nmodel = 'openai:m'\nbase_url = 'http://127.0.0.1:9/v1'\n"
    )
    told = solon("doctor")
    assert told.code == 1
    assert "no answer from http://127.0.0.1:9/v1" in told.out
    assert "-> start the server" in told.out
    assert "there is no store solon.db yet" in told.out
    assert solon("doctor", "--offline").code == 0
    assert solon("doctor", "--store", "sqlite:///no/folder/s.db", "--offline").code == 1


@pytest.mark.builtin
@pytest.mark.skipif(
    find_builtin_model() is None, reason="the built-in model is not installed: solon model fetch"
)
def test_model_fetch_checks_the_weights(solon: Cli) -> None:
    told = solon("model", "fetch", "--json").json
    assert told["sha256"].startswith("b179c952")
    assert Path(told["path"]).is_file()
    assert "as expected" in solon("model", "fetch").out


def command_paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that is no group, by its words; hidden ones too."""
    below = getattr(command, "commands", None)
    if not below:
        yield path
    for name, one in (below or {}).items():
        yield from command_paths(one, (*path, name))


PATHS = list(command_paths(command_tree()))


@pytest.mark.parametrize("command", PATHS, ids=" ".join)
def test_help_teaches_with_an_example_and_the_next_step(
    solon: Cli, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = solon(*command, "--help")
    assert told.code == 0
    assert "Example: " in told.out
    assert "\n  Next: " in told.out, "name it in PANELS of solon/cli/help.py"
    assert max(map(len, told.out.splitlines())) <= 80


def test_every_command_has_its_place_in_a_group(solon: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = [tuple(name.split()) for commands in PANELS.values() for name in commands]
    assert sorted(placed) == sorted(PATHS)
    monkeypatch.setenv("COLUMNS", "80")
    told = solon("--help").out
    shown = [line for line in told.splitlines() if line[:1].isalpha() and line.endswith(":")]
    assert [line.removesuffix(":") for line in shown] == ["Options", *PANELS]
    assert "Begin with `solon demo`" in told
    for group in ((), *{path[:-1] for path in PATHS if len(path) > 1}):
        told = solon(*group, "--help").out
        assert "..." not in told.split("--help", 1)[1]
        assert max(map(len, told.splitlines())) <= 80


def test_the_help_of_export_names_every_format(solon: Cli) -> None:
    listed = solon("export", "--help").out.split("Formats, by what they are for")[1].split("Next: ")[0]
    assert set(re.findall(r"[a-z]+(?:-[a-z]+)*", listed)) >= set(FORMATS)


def test_version(solon: Cli) -> None:
    from solon import __version__

    assert solon("--version").out == f"solon {__version__}\n"


HEAVY = [
    "langgraph",
    "langchain_core",
    "sqlalchemy",
    "sqlmodel",
    "pydantic",
    "numpy",
    "aiohttp",
    "pyarrow",
    "rich.console",
    "jinja2",
]


@pytest.mark.parametrize("code", ["import solon", "from solon.cli import main; main(['--help'])"])
def test_neither_import_nor_help_loads_anything_heavy(code: str) -> None:
    script = f"{code}\nimport sys\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_export_says_that_records_are_provisional_and_of_scripted_models(
    solon: Cli, write_seeds: Any, folder: Path
) -> None:
    (folder / "solon.toml").write_text(
        '[models.default]\nmodel = "scripted:default"\n[routing]\npolicy = "never"\n'
    )
    solon("run", "preference", "--seeds", write_seeds({"id": "a", "prompt": "Why is the sky blue?"}))
    told = "1 of 1 records are provisional"
    for command in (("export", "--format", "jsonl", "--output", "r.jsonl"), ("release", "create", "one")):
        done = solon(*command)
        assert done.code == 0, done
        assert told in done.err
        assert "scripted models took part (scripted:default)" in done.err


def test_doctor_tells_the_law_in_force(solon: Cli, waiting: list[dict[str, Any]], folder: Path) -> None:
    assert "in force is" not in solon("doctor", "--offline").out
    document = yaml.safe_load(solon("constitution", "show", "general").out)
    document["principles"][0]["text"] = "Says what is known and what is not."
    (folder / "next.yaml").write_text(yaml.safe_dump(document))
    assert solon("constitution", "import", "next.yaml", "--in-force", "--reason", "a try").code == 0
    told = " ".join(solon("doctor", "--offline").out.split())
    assert re.search(
        r"in force is constitution general [1-9.]+[0-9.]* of the store, not 1.0.0 of the", told
    ), told


def test_forget_says_how_many_more_there_are() -> None:
    from solon.cli.forget import name_some

    assert name_some([f"s{n}" for n in range(8)]) == "s0, s1, s2, s3, s4, s5, s6, s7"
    assert name_some([f"s{n}" for n in range(11)]).endswith("s7 and 3 more (all with --json)")
