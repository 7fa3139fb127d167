"""The data set holds each item once, however many runs there are over the same rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon import Project
from solon.errors import UsageError
from solon.eval.material import gather
from solon.store.records.exporting import export_rows
from solon.store.tables import items, records

Row = dict[str, Any]
MODEL = {"models": {"default": {"model": "scripted:default"}}, "resolver": {"enabled": False}}


def pair(number: int, better: str = "A", **more: Any) -> Row:
    """A row with its two answers and the one verdict on them: no model is asked about it."""
    answers = [{"text": f"Answer {letter} to {number}."} for letter in "AB"]
    verdicts = [{"judge": "elsewhere", "verdict": better, "order": order} for order in ("AB", "BA")]
    return {"prompt": f"Question {number}?", "responses": answers, "verdicts": verdicts, **more}


def run(url: str, rows: Sequence[Row] | Path, policy: str = "never") -> str:
    """A new run over the rows, each settled by its verdict or, with `always`, waiting for a person."""
    with Project(url, config={**MODEL, "routing": {"policy": policy, "audit_share": 0.0}}) as project:
        return project.run("preference", rows, new_run=True).run_id


def decide(url: str, run_id: str, **choices: str) -> None:
    """Answer the reviews of a run, those that follow, too: by the prompt's number as `n1=`, the text of the better one,
    or a choice."""
    with Project(url, config=MODEL) as project:
        while waiting := project.reviews(run_id=run_id):
            for review in waiting:
                said = choices[f"n{review.prompt.split()[1].rstrip('?')}"]
                chosen = [one for one in review.candidates if one.text == said]
                project.decide(review, "prefer" if chosen else said, chosen[0] if chosen else None)
            project.resume(run_id)


def held(url: str, **which: Any) -> tuple[dict[str, str], dict[str, int]]:
    """Prompt -> what is chosen, and what is left out; every prompt once."""
    with Project(url, config=MODEL) as project:
        left_out, rows = export_rows(project.store, **which)
        found = [(row.prompt, row.chosen or "") for row in rows]
    assert len(dict(found)) == len(found), "a pair stands twice"
    return dict(found), left_out


def test_the_newest_run_stands_and_the_others_are_counted_and_named(store_url: str, tmp_path: Path) -> None:
    old = run(store_url, [pair(n, "A") for n in range(5)])
    new = run(store_url, [pair(n, "B") for n in range(4)])
    found, left_out = held(store_url)
    newest = {f"Question {n}?": f"Answer B to {n}." for n in range(4)}
    assert found == {**newest, "Question 4?": "Answer A to 4."}
    assert left_out == {"other_run": 4}
    with Project(store_url, config=MODEL) as project:
        made = project.export("trl-preference", tmp_path / "once.jsonl")
        assert (made.read, made.written, made.left_out) == (5, 5, {"other_run": 4})
        assert made.runs == {old: 1, new: 4}
        told = json.loads((tmp_path / "once.jsonl.manifest.json").read_text())
        assert (told["runs"], told["left_out"]) == (made.runs, made.left_out)
        every = project.export("trl-preference", tmp_path / "all.jsonl", all_runs=True)
        assert (every.read, every.written, every.left_out) == (9, 1, {"contradicted": 8})
        assert every.runs == {old: 1, new: 0}, "the runs settled these rows in opposite ways"
        one = project.export("trl-preference", tmp_path / "one.jsonl", run_id=old[:-2])
        assert (one.written, one.left_out, one.runs) == (5, {}, {old: 5})
        project.export("trl-preference", tmp_path / "set", folder=True)
        card = (tmp_path / "set" / "README.md").read_text()
        assert f"{old} \\(1\\), {new} \\(4\\)" in card or f"{old} (1), {new} (4)" in card
        assert "- 4 other\\_run" in card
        with pytest.raises(UsageError, match="one run and all runs"):
            project.export("jsonl", tmp_path / "x.jsonl", run_id=old, all_runs=True)
        assert len(project.records()) == 5
        assert len(project.records(all_runs=True)) == 9
        assert gather(project.store).records()[1] == 5
        assert gather(project.store, [old, new]).records()[1] == 9


def test_a_persons_decision_stands_before_a_newer_run_of_the_panel(store_url: str) -> None:
    old = run(store_url, [pair(n) for n in range(3)], policy="always")
    decide(store_url, old, n0="Answer B to 0.", n1="Answer B to 1.", n2="tie")
    new = run(store_url, [pair(n, "A") for n in range(3)])
    found, left_out = held(store_url)
    assert found["Question 0?"] == "Answer B to 0."
    assert found["Question 1?"] == "Answer B to 1."
    assert left_out == {"other_run": 3}
    third = run(store_url, [pair(0), pair(1)], policy="always")
    with Project(store_url, config=MODEL) as project:
        assert not project.reviews(run_id=third), "the decisions are carried over, and newer"
        rows = {row.prompt: row.lineage["run"] for row in project.records()}
    assert rows == {"Question 0?": third, "Question 1?": third, "Question 2?": old}
    assert held(store_url, run_id=new)[0]["Question 0?"] == "Answer A to 0."


def test_an_item_that_waits_in_the_newest_run_stands_as_before(store_url: str) -> None:
    run(store_url, [pair(0), pair(1)])
    new = run(store_url, [pair(n) for n in (1, 2)], policy="always")
    found, left_out = held(store_url)
    assert (sorted(found), left_out) == (["Question 0?", "Question 1?"], {"pending": 1})
    decide(store_url, new, n1="both_bad", n2="Answer A to 2.")
    found, left_out = held(store_url)
    assert sorted(found) == ["Question 0?", "Question 2?"], "a person found both bad since"
    assert left_out == {"rejected": 1, "other_run": 1}


def test_a_row_is_what_it_asks_and_not_its_name_or_its_file(store_url: str, tmp_path: Path) -> None:
    run(store_url, [pair(0, id="x"), pair(1, id="y", note=1), pair(2, id="z")])
    file = tmp_path / "again.jsonl"
    named = [dict(reversed(pair(n, "B", id=name).items())) for n, name in ((1, "x"), (0, "7"))]
    file.write_bytes("\r\n".join(json.dumps(row) for row in named).encode())
    run(store_url, file)
    run(store_url, [pair(3, id="z")])
    found, left_out = held(store_url)
    assert found == {
        "Question 0?": "Answer B to 0.",
        "Question 1?": "Answer B to 1.",
        "Question 2?": "Answer A to 2.",
        "Question 3?": "Answer A to 3.",
    }
    assert left_out == {"other_run": 2}


def test_equal_rows_of_a_file_are_rows_of_their_own_in_every_run(store_url: str) -> None:
    twins = [pair(0, id="a"), pair(0, id="b"), pair(0, id="c"), pair(1, id="d")]
    run(store_url, twins)
    run(store_url, [dict(row, verdicts=pair(0, "B")["verdicts"]) for row in twins[:2]])
    with Project(store_url, config=MODEL) as project:
        left_out, rows = export_rows(project.store)
        chosen = sorted((row.seed_id, row.chosen) for row in rows)
    assert left_out == {"other_run": 2}
    assert chosen == [
        ("a", "Answer B to 0."),
        ("b", "Answer B to 0."),
        ("c", "Answer A to 0."),
        ("d", "Answer A to 1."),
    ]


def test_other_answers_or_another_recipe_ask_something_else(store_url: str) -> None:
    run(store_url, [pair(0)])
    other = pair(0)
    other["responses"] = [{"text": "Answer A to 0."}, {"text": "A third answer."}]
    run(store_url, [other])
    turned = pair(0, "B")
    turned["responses"] = turned["responses"][::-1]
    run(store_url, [turned])
    config = {**MODEL, "routing": {"policy": "never", "audit_share": 0.0}}
    with Project(store_url, config=config) as project:
        project.run("instruction", ["Question 0?"], new_run=True)
        left_out, rows = export_rows(project.store)
        pairs = [row for row in rows if row.recipe == "preference"]
    assert len({frozenset((row.chosen, row.rejected)) for row in pairs}) == len(pairs) == 2
    assert left_out["other_run"] == 1


def test_as_of_a_time_the_run_that_was_newest_then_stands(store_url: str) -> None:
    run(store_url, [pair(0)])
    with Project(store_url, config=MODEL) as project, project.store.connect() as connection:
        then = connection.execute(select(records.c.created_at)).scalar_one()
    run(store_url, [pair(0, "B")])
    assert held(store_url)[0] == {"Question 0?": "Answer B to 0."}
    assert held(store_url, as_of=then)[0] == {"Question 0?": "Answer A to 0."}


def test_a_set_imported_twice_stands_once(store_url: str, tmp_path: Path) -> None:
    from solon.eval.importing import import_file

    rows = [{"prompt": f"Q{n}", "chosen": "Hazel.", "rejected": "Bolt."} for n in range(3)]
    named = [{**row, "id": f"n{place}"} for place, row in enumerate(reversed(rows))]
    file = tmp_path / "pairs.jsonl"
    for these in (rows, named):
        file.write_text("".join(json.dumps(row) + "\n" for row in these))
        with Project(store_url, config=MODEL) as project:
            import_file(project, "trl-preference", file)
    found, left_out = held(store_url)
    assert (sorted(found), left_out) == (["Q0", "Q1", "Q2"], {"other_run": 3})


def test_a_set_that_was_exported_and_imported_again_stands_once(store_url: str, tmp_path: Path) -> None:
    from solon.eval.importing import import_file

    with Project(store_url, config={**MODEL, "routing": {"policy": "never"}}) as project:
        drafted = project.run("preference", [{"prompt": "Question 0?"}, {"prompt": "Question 1?"}]).run_id
        before = {row.prompt: {row.chosen, row.rejected} for row in project.records()}
        project.export("trl-preference", tmp_path / "pairs.jsonl")
        imported = import_file(project, "trl-preference", tmp_path / "pairs.jsonl").run_id
        made = project.export("trl-preference", tmp_path / "again.jsonl")
        assert {row.prompt: {row.chosen, row.rejected} for row in project.records()} == before
    assert len(before) == 2
    assert (made.written, made.left_out) == (2, {"other_run": 2})
    assert made.runs == {drafted: 0, imported: 2}


@pytest.mark.parametrize("version", ["0013", "0035"])
def test_stores_made_before_learn_which_rows_are_the_same(store_url: str, version: str) -> None:
    from alembic import command
    from alembic.config import Config

    from solon.store import migrations
    from solon.store.database.engine import make_engine
    from solon.store.database.store import Store

    engine = make_engine(store_url)
    migrations.upgrade(engine, "0001")  # a store that has grown can go back, too
    engine.dispose()
    run(store_url, [pair(0, id="a"), pair(0, id="b"), pair(1)])
    query = select(items.c.row_key, records.c.pair_key).join(records, records.c.item_id == items.c.id)
    with Store(store_url) as store:
        with store.connect() as connection:
            before = dict(connection.execute(query).all())
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.set_main_option("path_separator", "os")
        with store.engine.connect().execution_options(solon_write=True) as connection, connection.begin():
            connection.execute(records.update().values(pair_key="as keys were made then"))
            config.attributes["connection"] = connection
            command.downgrade(config, version)
    with Store(store_url, create=True) as store, store.connect() as connection:
        assert dict(connection.execute(query).all()) == before
    assert len(before) == 3
    assert len(set(before.values())) == 2
    run(store_url, [pair(0, "B")])
    with Project(store_url, config=MODEL) as project:
        left_out, rows = export_rows(project.store)
        assert len(list(rows)) == 3
    assert left_out == {"other_run": 1}


def test_the_commands_say_which_runs_are_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from solon.cli import main

    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path}/s.db"
    old, new = run(url, [pair(0), pair(1)]), run(url, [pair(0, "B"), pair(1)])

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--store", url])
        return code, *capfd.readouterr()

    for arguments in (("export", "-f", "jsonl", "-o", "o.jsonl"), ("release", "create", "v1")):
        code, out, err = call(*arguments, "--json")
        assert code == 0, err
        told = json.loads(out.splitlines()[-1])
        told = told.get("export", told)
        assert (told["runs"], told["left_out"]) == ({old: 0, new: 2}, {"other_run": 2})
        assert f"{old} (0 records written)" in err
        assert f"{new} (2 records written)" in err
        assert "2 records are left out" in err
    assert call("export", "-f", "jsonl", "-o", "o.jsonl", "--all-runs")[0] == 0
    assert len(Path("o.jsonl").read_text().splitlines()) == 4
    code, _, err = call("release", "create", "v2", "--all-runs", "--run", old)
    assert (code, "not both" in err) == (2, True)
    code, _, err = call("release", "create", "v2", "--run", old, "--json")
    assert (code, [said for said in err.splitlines() if "2 of 2 records are provisional" not in said]) == (
        0,
        [],
    )
    told = json.loads(call("release", "diff", "v2", "v1", "--json")[1])
    assert (told["added"], told["dropped"], len(told["changed"])) == ([], [], 2)
    assert told["reasons"]["another run's record stands in its place"] == 2
    assert told["reasons"]["another answer or label"] == 1
    assert call("release", "verify", "v1")[0] == call("release", "verify", "v2")[0] == 0
