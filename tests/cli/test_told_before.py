"""What is wrong or missing is told at once, before any work, and nothing is spoken of that takes no part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def rules_at_home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the preset `label-weak`, in which no model takes part."""
    made = solon("init", "label-weak", "--privacy", "synthetic", "--json").json
    home = folder / made["folder"]
    monkeypatch.chdir(home)
    return home


def test_a_rule_that_votes_for_no_label_shows_wherever_the_configuration_is_checked(
    solon: Cli, rules_at_home: Path
) -> None:
    file = rules_at_home / "solon.toml"
    file.write_text(file.read_text().replace('label = "refund"', 'label = "refnd"', 1))
    wrong = ("the rule 'money_back' votes for 'refnd'", "did you mean 'refund'?")
    solon("config", "check").fails(2, *wrong)
    solon("run", "label-panel", "--seeds", "seeds.jsonl").fails(2, *wrong)
    told = solon("doctor", "--offline")
    assert told.code == 1
    assert all(part in told.out for part in wrong)


def test_labels_that_nobody_can_tell_apart_are_found_by_the_check(solon: Cli, rules_at_home: Path) -> None:
    file = rules_at_home / "solon.toml"
    file.write_text(file.read_text().replace('"invoice"]', '"invoice", "Refund"]', 1))
    solon("config", "check").fails(2, "'refund' and 'Refund' differ only in case")


def test_doctor_and_check_speak_of_no_model_where_none_takes_part(solon: Cli, rules_at_home: Path) -> None:
    told = solon("doctor", "--offline").out
    assert "generator" not in told
    assert "smollm2" not in told
    assert solon("config", "check").out.startswith("the configuration holds: models none")
    file = rules_at_home / "solon.toml"
    file.write_text(file.read_text().replace("\njudges = []", "\n[[judges]]\npersona = 'a clerk'"))
    told = solon("doctor", "--offline").out
    assert "it is the judge 1\n" in told, "a judge is asked now, and still nothing is drafted"


def test_the_next_step_of_rules_tried_on_texts_needs_no_store(solon: Cli, rules_at_home: Path) -> None:
    told = solon("rules", "--seeds", "seeds.jsonl")
    assert "next: `solon run label-panel --seeds FILE`" in told.out
    assert not (rules_at_home / "solon.db").exists()


def test_all_that_a_command_needs_is_named_at_once(solon: Cli) -> None:
    solon("plan").fails(2, "missing: --experts, --minutes, --days", "plan --help")
    solon("plan", "--minutes", "5").fails(2, "missing: --experts, --days")
    solon("plan", "--minutes", "5", "--days", "2").fails(2, "Missing option '--experts'")
    solon("review", "decide").fails(2, "missing: REVIEW, CHOICE")


def test_votes_of_elsewhere_need_no_model_in_the_folder_of_label_adjudicate(
    solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = solon("init", "label-adjudicate", "--privacy", "synthetic", "--json").json
    monkeypatch.chdir(folder / made["folder"])
    votes = ["item,text,worker,label"]
    votes += [f"{n},Where is my card {n}?,{who},card" for n in range(3) for who in ("ann", "ben")]
    Path("votes.csv").write_text("\n".join(votes))
    assert solon("import", "votes", "votes.csv", "--output", "voted.jsonl").code == 0
    solon("run", "label-panel", "--seeds", "voted.jsonl")
    [run] = solon("status", "--json").json["runs"]
    assert (run["items"], run["failed"], run["model_calls"]) == (3, 0, 0)
