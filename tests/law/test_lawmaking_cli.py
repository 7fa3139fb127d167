"""The story of an amendment on the command line, from a file to the vote that brings it into force."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon.cli.app import run_command
from solon.store.reviewing.experts import rotate_token

from .conftest import Court
from .test_rejudging import NEVER, ratify, run_under

TOML = """[models.default]
model = "scripted:default"
[[judges]]
persona = "one judge"
[resolver]
enabled = false
"""


def test_from_file_to_law(
    court: Court, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOLON_STORE", court.store.url)
    (tmp_path / "solon.toml").write_text(TOML)

    def solon(*arguments: str, code: int = 0) -> Any:
        assert run_command([*arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    def yaml(*arguments: str) -> str:
        assert run_command(list(arguments)) == 0
        return capsys.readouterr().out

    with court.store.connect() as connection:
        cited = connection.exec_driver_sql("SELECT id FROM decisions LIMIT 1").scalar()
    (tmp_path / "units.yaml").write_text(
        f"amends: general\nreason: units matter\ncites: ['{cited}']\n"
        "changes: [{action: add, id: names-units, text: Names the unit of every amount.}]\n"
    )
    [made] = solon("constitution", "propose", "units.yaml")["amendments"]
    assert made["version"] == "1.1.0"
    changes = solon("constitution", "diff", "general", made["id"])["changes"]
    assert [(change["action"], change["id"]) for change in changes] == [("added", "names-units")]
    measured = solon("constitution", "impact", made["id"], "--sample", "8")
    assert measured["impact"]["sample"] == 8
    assert "a vote needs a lead's own token" in solon("constitution", "ratify", made["id"], code=2)["error"]
    states = []
    for name in ("Ada", "Ben"):
        monkeypatch.setenv("SOLON_TOKEN", rotate_token(court.store, name, by="test")[1])
        vote = ("ratify", made["id"], "--override", "--reason", "small sample, clear case")
        states.append(solon("constitution", *vote)["state"])
    assert states == ["measured", "ratified"]
    listed = {
        (row["name"], row["version"]): row["in_force"]
        for row in solon("constitution", "list")["constitutions"]
    }
    assert listed["general", "1.1.0"]
    assert not listed["general", "1.0.0"]
    assert "names-units" in yaml("constitution", "show")
    assert "names-units" not in yaml("constitution", "show", "general@1.0.0")
    told = solon("constitution", "history", "general")
    assert [(v["version"], v["status"]) for v in told["versions"]] == [
        ("1.0.0", "superseded"),
        ("1.1.0", "in_force"),
    ]
    assert told["amendments"][0]["state"] == "ratified"
    whole = yaml("constitution", "show").replace("Names the unit of every amount.", "Says the unit, always.")
    (tmp_path / "whole.yaml").write_text(whole)
    assert "is in force" in solon("constitution", "import", "whole.yaml", code=2)["error"]
    imported = solon("constitution", "import", "whole.yaml", "--in-force", "--reason", "wording")
    assert imported["version"] == "1.2.0"
    assert solon("rubric", "import", "medical")["version"] == "1.0.0"
    spoken = yaml("rubric", "history")
    assert "medical 1.0.0" in spoken


def test_after_ratification_from_the_command_line(
    court: Court, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = run_under(court, NEVER, 100, 12)
    ratify(court)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOLON_STORE", court.store.url)
    (tmp_path / "solon.toml").write_text(TOML)

    def solon(*arguments: str, code: int = 0) -> Any:
        assert run_command([*arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    def spoken(*arguments: str) -> str:
        assert run_command(list(arguments)) == 0
        return capsys.readouterr().out

    ranked = solon("rejudge", "--ranking")["stale"]
    assert len(ranked) == 12
    assert set(ranked[0]) == {"record", "item", "p", "margin", "cites_changed", "similarity"}
    assert "12 stale records" in spoken("rejudge", "--ranking", "--run", run_id)
    some = solon("rejudge", "--budget", "4", "--only", "records")
    assert some["calls"] <= 4
    assert some["confirmed"] + some["replaced"] == 2
    assert some["left"] == 10
    assert "10 stale records" in spoken("rejudge")
    assert solon("rejudge")["stale"] == 0
    fare = solon("constitution", "stats")
    assert fare["version"] == "1.1.0"
    assert next(p["id"] for p in fare["principles"]) == "new-rule"
    assert "times cited" in spoken("constitution", "stats", "general@1.0.0")
    assert solon("rubric", "weights", "--dry-run")["amendment"] is None
    assert "rubric general" in spoken("rubric", "weights", "--dry-run")
    drift = solon("eval", "drift")
    assert (drift["n"], drift["alarm"]) == (60, False)
    new = solon(
        "export", "-f", "jsonl", "-o", "new.jsonl", "--run", run_id, "--constitution", "general@1.1.0"
    )
    old = solon(
        "export", "-f", "jsonl", "-o", "old.jsonl", "--run", run_id, "--constitution", "general@1.0.0"
    )
    assert (new["written"], old["written"], old["left_out"]) == (12, 0, {"other_constitution": 12})
    early = solon("export", "-f", "jsonl", "-o", "early.jsonl", "--as-of", "2001-01-01")
    assert early["written"] == 0
    assert "is no date" in solon("export", "-f", "jsonl", "-o", "x.jsonl", "--as-of", "then", code=2)["error"]
