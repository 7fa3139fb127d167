"""The preset label-weak, whole: begun, killed in the middle, gone on with, weighed, answered and exported; and what
`solon rules` says before and after."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon import Project
from solon.store.tables import verdicts

Cli = Callable[..., Any]
KILLER = '''
"""A rule that ends the process at one text, the first time."""

import os
import signal
from pathlib import Path

from solon import judge

SEEN = Path("seen")


@judge("sofa", "1")
def sofa(answer: str) -> bool:
    if "sofa" in answer and not SEEN.exists():
        SEEN.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "sofa" in answer
'''
RULE = """
[[rules]]
name = "sofa"
label = "delivery"
python = "stopping_rule:sofa"

[classifier]"""


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert solon("init", "label-weak", "--privacy", "synthetic").code == 0
    monkeypatch.chdir(folder / "label-weak")
    return folder / "label-weak"


def test_rules_are_tried_before_any_run(solon: Cli, home: Path) -> None:
    found = solon("rules", "--seeds", "seeds.jsonl", "--json").json
    assert not (home / "solon.db").exists()
    assert (found["n"], found["never"]) == (10, [])
    rules = {rule["name"]: rule for rule in found["rules"]}
    assert rules["late"]["coverage"]["value"] == 0.3
    assert rules["damaged"]["against"] == {"late": 1, "money_back": 1, "changed_mind": 1}
    assert found["covered"]["value"] == 0.9
    text = (home / "solon.toml").read_text()
    (home / "solon.toml").write_text(
        text.replace('"invoice", "receipt", "VAT"', '"invioce", "reciept", "VTA"')
    )
    told = solon("rules", "--seeds", "seeds.jsonl")
    assert "never matches: paper" in told.out
    assert "paper matches none of 10 texts" in told.out


def test_it_is_killed_resumed_weighed_answered_and_exported(solon: Cli, home: Path) -> None:
    (home / "stopping_rule.py").write_text(KILLER)
    config = home / "solon.toml"
    config.write_text(config.read_text().replace("\n[classifier]", RULE))
    words = [sys.executable, "-m", "solon", "run", "label-panel", "--seeds", "seeds.jsonl"]
    killed = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["failed"]) == (10, 0)
    with Project("sqlite:///solon.db") as project:
        [version] = project.learned()["versions"]
        assert (version["kind"], version["decisions"]) == ("unlabelled", 0), (
            "silence was weighed, with no decision"
        )
        rules = {rule.name: rule for rule in project.rules().rules}
        assert rules["sofa"].coverage.value == 0.1, "it was asked of one text twice, and counts once"
        assert rules["money_back"].conflict.value == pytest.approx(2 / 3)
        assert rules["money_back"].precision.n == 0
    ada = solon("expert", "add", "ada", "--json").json["token"]
    for row in solon("review", "list", "--json").json["reviews"]:
        with Project("sqlite:///solon.db", expert=ada) as project:
            project.decide(row["id"], "refund", rationale="They want their money back.")
    assert solon("resume").code == 0
    after = solon("rules", "--json").json
    assert sum(rule["precision"]["n"] for rule in after["rules"]) > 0
    assert solon("rules").out.count("n = ") > 0
    assert solon("export", "--format", "jsonl", "--output", "labels.jsonl").code == 0
    rows = [json.loads(line) for line in Path("labels.jsonl").read_text().splitlines()]
    assert {row["label"] for row in rows} <= {"delivery", "refund", "broken", "invoice"}
    assert len(rows) == 10
    assert solon("report").code == 0
    page = Path("report.html").read_text()
    assert "<h3>Rules</h3>" in page
    assert "money_back" in page


LAW = """kind: rules
name: rules
version: {version}
rules:
- {{id: who-pays, label: refund, keywords: [{word}]}}
"""


def test_a_killed_run_goes_on_under_the_rules_that_it_began_with(solon: Cli, home: Path) -> None:
    (home / "stopping_rule.py").write_text(KILLER)
    config = home / "solon.toml"
    config.write_text(config.read_text().replace("\n[classifier]", RULE))
    (home / "law.yaml").write_text(LAW.format(version="1.0.0", word="shoes"))
    assert solon("rules", "import", "law.yaml").code == 0
    words = [sys.executable, "-m", "solon", "run", "label-panel", "--seeds", "seeds.jsonl"]
    killed = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (home / "law.yaml").write_text(LAW.format(version="1.1.0", word="jacket"))
    assert solon("rules", "import", "law.yaml", "--in-force", "--reason", "another word").code == 0
    assert solon("resume", "--json").json["failed"] == 0
    query = select(verdicts.c.item_id, verdicts.c.judge, verdicts.c.outcome)
    with Project("sqlite:///solon.db") as project, project.store.connect() as connection:
        said = [row for row in connection.execute(query) if row.judge.startswith("rule:who-pays+")]
    assert len({row.item_id for row in said}) == 10
    assert len({row.judge for row in said}) == 1, "one wording of it over the whole run"
    assert [row.outcome for row in said if row.outcome != "silent"] == ["refund"], "the shoes, and no jacket"


def test_without_its_rules_it_labels_nothing(solon: Cli, home: Path) -> None:
    """What the preset's own part does: the plain panel of this configuration asks people of everything."""
    config = home / "solon.toml"
    head, _, rest = config.read_text().partition("[[rules]]")
    config.write_text(head + "[classifier]" + rest.partition("\n[classifier]")[2])
    summary = solon("run", "label-panel", "--seeds", "seeds.jsonl", "--json").json
    assert (summary["items"], summary["accepted"]) == (10, 0)
    solon("rules", "--seeds", "seeds.jsonl").fails(2, "no rules to try")
