"""`solon run`, `resume`, `status`: counts, exit codes, limits, going on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.store.records import release_sets

Cli = Callable[..., Any]

REQUIRED = {
    "run_id", "items", "accepted", "rejected", "pending_review", "failed", "model_calls", "tokens", "cost", "seconds",
}  # fmt: skip


def adds_up(summary: dict[str, Any]) -> bool:
    ended = sum(summary[key] for key in ("accepted", "rejected", "pending_review", "failed"))
    return bool(ended + summary["queued"] == summary["items"])


@pytest.mark.parametrize("recipe", ["preference", "instruction"])
def test_a_run_ends_with_counts_that_add_up_and_one_json_object_last(
    solon: Cli, five_seeds: Path, recipe: str
) -> None:
    result = solon("run", recipe, "--seeds", five_seeds, "--json")
    summary = result.json
    assert summary.keys() >= REQUIRED
    assert summary["items"] == 5
    assert adds_up(summary)
    assert result.code == (3 if summary["pending_review"] else 0) == summary["exit_code"]
    assert len(result.out.splitlines()) == 1
    assert summary["cost"] is None  # no price is not a price of nothing


def test_the_plan_is_told_before_and_the_summary_after(solon: Cli, five_seeds: Path) -> None:
    result = solon("run", "preference", "--seeds", five_seeds)
    assert "5 of 5 items to do, up to 10 model calls each (50 in all)" in result.err
    assert "5 items:" in result.out
    assert "cost unknown" in result.out


def test_the_same_command_goes_on_and_calls_nothing_again(solon: Cli, five_seeds: Path) -> None:
    first = solon("run", "preference", "--seeds", five_seeds, "--limit", "2", "--json").json
    assert first["items"] == 2
    second = solon("run", "preference", "--seeds", five_seeds, "--json").json
    third = solon("run", "preference", "--seeds", five_seeds, "--json").json
    assert second["run_id"] == first["run_id"] == third["run_id"]
    assert second["items"] == 5
    assert third["model_calls"] == second["model_calls"]


def test_another_configuration_says_what_differs_and_wants_new_run(
    solon: Cli, five_seeds: Path, folder: Path
) -> None:
    first = solon("run", "preference", "--seeds", five_seeds, "--json").json
    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\ntemperature = 0.1\n')
    refused = solon("run", "preference", "--seeds", five_seeds)
    refused.fails(2, "models.default.temperature was 0.7, now 0.1", "--new-run", first["run_id"])
    new = solon("run", "preference", "--seeds", five_seeds, "--new-run", "--json").json
    assert new["run_id"] != first["run_id"]


def test_reuse_makes_no_equal_call_again(solon: Cli, five_seeds: Path) -> None:
    first = solon("run", "preference", "--seeds", five_seeds, "--json").json
    again = solon(
        "run", "preference", "--seeds", five_seeds, "--new-run", "--reuse", first["run_id"], "--json"
    ).json
    assert again["run_id"] != first["run_id"]
    assert again["model_calls"] == 0
    assert [again[k] for k in ("accepted", "pending_review")] == [
        first[k] for k in ("accepted", "pending_review")
    ]


def test_a_limit_on_calls_stops_cleanly_and_resume_finishes(solon: Cli, five_seeds: Path) -> None:
    stopped = solon("run", "preference", "--seeds", five_seeds, "--max-calls", "12", "--json")
    assert stopped.code == 4
    assert stopped.json["stopped_because"] == "--max-calls 12 reached"
    assert stopped.json["model_calls"] == 12
    assert stopped.json["queued"] > 0
    assert adds_up(stopped.json)
    again = solon("resume", "--max-calls", "12")
    assert "go on: solon resume --max-calls N   # with N above 12, since it counts the whole run" in again.err
    done = solon("resume", "--json")
    assert done.code in (0, 3)
    assert done.json["queued"] == 0
    assert done.json["stopped_because"] is None
    whole = solon("run", "preference", "--seeds", five_seeds, "--new-run", "--json").json
    assert done.json["model_calls"] == whole["model_calls"]


def test_a_limit_on_tokens_stops(solon: Cli, five_seeds: Path) -> None:
    stopped = solon("run", "preference", "--seeds", five_seeds, "--max-tokens", "2000", "--json")
    assert stopped.code == 4
    assert "--max-tokens" in stopped.json["stopped_because"]


def test_a_limit_on_cost_wants_every_price(solon: Cli, five_seeds: Path, folder: Path) -> None:
    solon("run", "preference", "--seeds", five_seeds, "--max-cost", "1").fails(
        2, "scripted:default has none", "[models.default.price]"
    )
    with (folder / "solon.toml").open("a") as file:
        file.write("price = { input = 100.0, output = 100.0 }\n")
    stopped = solon("run", "preference", "--seeds", five_seeds, "--max-cost", "0.2", "--json")
    assert stopped.code == 4
    assert 0.2 <= stopped.json["cost"] < 2
    solon("resume", "--max-cost", "100", "--json")
    assert solon("status", "--json").json["runs"][0]["queued"] == 0


def test_status_reads_every_run(solon: Cli, five_seeds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_sets, "count_taken_back", lambda _: {"one": 2})
    solon("run", "preference", "--seeds", five_seeds)
    solon("run", "instruction", "--seeds", five_seeds)
    told = solon("status", "--json").json
    assert {run["recipe"] for run in told["runs"]} == {"preference", "instruction"}
    assert told["taken_back"] == {"one": 2}
    assert all(adds_up(run) for run in told["runs"])
    assert told["pending_review"] == sum(run["pending_review"] for run in told["runs"])
    one = solon("status", told["runs"][0]["run_id"])
    assert one.code == 0
    assert one.out.count("items:") == 1


def test_a_file_of_seeds_is_named_from_the_working_folder_on(solon: Cli, five_seeds: Path) -> None:
    solon("run", "preference", "--seeds", str(five_seeds.absolute()))
    assert f"(preference, {five_seeds.name}):" in solon("status").out


def test_the_store_comes_from_option_then_environment_then_file(
    solon: Cli, five_seeds: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / "solon.toml").open("r+") as file:
        text = file.read()
        file.seek(0)
        file.write(f'store = "sqlite:///from-file.db"\n{text}')
    assert solon("run", "preference", "--seeds", five_seeds, "--limit", "1").code in (0, 3)
    assert (folder / "from-file.db").exists()
    monkeypatch.setenv("SOLON_STORE", "sqlite:///from-environment.db")
    assert solon("run", "preference", "--seeds", five_seeds, "--limit", "1").code in (0, 3)
    assert (folder / "from-environment.db").exists()
    assert solon(
        "run", "preference", "--seeds", five_seeds, "--limit", "1", "--store", "sqlite:///o.db"
    ).code in (0, 3)
    assert (folder / "o.db").exists()


def test_a_store_that_is_not_there_is_begun_by_run_alone(solon: Cli, folder: Path) -> None:
    for command in (["status"], ["resume"], ["review", "list"], ["show", "abc"]):
        solon(*command).fails(1, "there is no store solon.db", "solon run")
    assert not (folder / "solon.db").exists()


def test_an_unknown_run_is_refused(solon: Cli, five_seeds: Path) -> None:
    solon("run", "preference", "--seeds", five_seeds, "--limit", "1")
    solon("resume", "no-such-run").fails(2, "'no-such-run'", "solon status")


def test_items_in_the_hands_of_another_process_are_not_done(
    solon: Cli, five_seeds: Path, folder: Path
) -> None:
    from solon import Project
    from solon.store.runs import items

    with Project() as project:
        run = project.load("preference", five_seeds)
        with items.working() as other:
            with project.store.transaction() as connection:
                assert len(items.claim(connection, run.id, 2, other)) == 2
            summary = project.run("preference", five_seeds)
        assert summary.queued == 2
        assert summary.stopped_because == "another process is at work on 2 items"
        assert project.run("preference", five_seeds).stopped_because is None


def test_why_nothing_came_of_items_is_told_with_one_to_look_at(
    solon: Cli, five_seeds: Path, folder: Path
) -> None:
    (folder / "mute.json").write_text('{"rules": [{"role": "generator", "fail": "empty"}]}')
    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:mute.json"\n')
    told = solon("run", "preference", "--seeds", five_seeds)
    why = "rejected: 5 x too few usable drafts: 4 empty"
    assert why in told.err
    assert why in solon("status").out
    item = told.err.split("solon show ")[1].split()[0]
    assert "too few usable drafts" in solon("show", item).out


def test_what_does_not_fit_a_model_says_so_in_its_item(solon: Cli, five_seeds: Path, folder: Path) -> None:
    (folder / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\ncontext = 300\n')
    told = solon("run", "preference", "--seeds", five_seeds)
    assert told.code == 1
    assert "do not fit the model's context" in told.err
    item = told.err.split("solon show ")[1].split()[0]
    assert "but the context is 300" in solon("show", item).out
    assert "but the context is 300" in solon("show", item, "--json").json["calls"][0]["error"]


def test_a_limit_below_one_is_refused_in_python_too(folder: Path) -> None:
    from solon import Project
    from solon.errors import UsageError

    with Project() as project, pytest.raises(UsageError, match="limit is 0"):
        project.run("preference", ["Why?"], limit=0)


def test_a_function_that_gives_nothing_usable_is_told(solon: Cli, five_seeds: Path, folder: Path) -> None:
    code = 'from solon import judge\n\n\n@judge("odd", "1")\ndef odd(a, b):\n    return "neither of them"\n'
    (folder / "odd_judges.py").write_text(code)
    judges = '[[judges]]\npython = "odd_judges:odd"\n[[judges]]\n'
    (folder / "solon.toml").write_text(
        f'{(folder / "solon.toml").read_text()}{judges}[routing]\npolicy = "always"\n'
    )
    ran = solon("run", "preference", "--seeds", five_seeds)
    told = " ".join(ran.out.split())
    assert "judge python:odd@1+" in told
    assert "gave nothing usable on 5 of 5 texts; first: bad_output: " in told
    assert "5 of 5 texts" in " ".join(solon("status").out.split())
    assert solon("status", "--json").json["runs"][0]["unusable"][0]["texts"] == 5
