"""Imports into a store: rows become records, labels decisions, recorded panels runs, other tools' answers decisions."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.cli.terminal import STOPPED
from solon.errors import SeedError
from solon.eval.importing import import_file
from solon.formats.exports import export
from solon.formats.records import ExportRow
from solon.store.records import evaluation
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.runs import runs
from tests.exchange.reading import read_import

Cli = Callable[..., tuple[int, str, str]]
STORE = "sqlite:///imported.db"
DATA = Path(os.environ.get("SOLON_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pairs(n: int = 6) -> list[dict[str, Any]]:
    return [
        {"prompt": f"Question {i // 2}?", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(n)
    ]


def last(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def test_a_preference_set_becomes_records_without_a_model(solon: Cli, tmp_path: Path) -> None:
    write(tmp_path / "pairs.jsonl", [*pairs(), {"prompt": "no answer"}])
    code, out, err = solon("import", "trl-preference", "pairs.jsonl", "--store", STORE, "--json")
    assert code == 0, err
    found = last(out)
    assert (found["seeds"], found["decisions"], found["accepted"], found["bad_rows"]) == (6, 6, 6, 1)
    assert found["counted"] is False
    assert (
        "no 'rejected'" in Path(found["bad_rows_file"]).read_text()
        or "no 'chosen'" in Path(found["bad_rows_file"]).read_text()
    )
    with Project(STORE, create=False) as project:
        assert project.summarize().model_calls == 0
        with project.store.connect() as connection:
            answers = evaluation.answers(connection, [found["run_id"]])
    assert {answer.channel for answer in answers} == {"import"}
    assert not any(answer.counts for answer in answers)
    code, out, _ = solon(
        "export", "--store", STORE, "--format", "trl-preference-standard", "-o", "back.jsonl"
    )
    assert code == 0
    back = [json.loads(line) for line in (tmp_path / "back.jsonl").read_text().splitlines()]
    assert back == pairs()


def test_importing_again_changes_nothing(solon: Cli, tmp_path: Path) -> None:
    write(tmp_path / "pairs.jsonl", pairs())
    first = last(solon("import", "trl-preference", "pairs.jsonl", "--store", STORE, "--json")[1])
    again = last(solon("import", "trl-preference", "pairs.jsonl", "--store", STORE, "--json")[1])
    assert (again["run_id"], again["decisions"], again["accepted"]) == (first["run_id"], 0, 6)
    assert again["unused"] == {"already_decided": 6}
    out = solon("import", "trl-preference", "pairs.jsonl", "--store", STORE)[1]
    assert "decided before: 6 already_decided" in out


def test_what_is_stopped_names_the_command_that_goes_on(
    solon: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    write(tmp_path / "pairs.jsonl", pairs())
    monkeypatch.setattr(Project, "run", stop)
    code, _, err = solon("import", "trl-preference", "pairs.jsonl", "--store", STORE)
    assert code == STOPPED
    assert "`solon import trl-preference pairs.jsonl`, with the same options, goes on" in err


def test_an_id_that_comes_twice_is_no_column_and_finds_its_item(solon: Cli, tmp_path: Path) -> None:
    rows = [{"id": f"row-{min(n, 2)}", **pair} for n, pair in enumerate(pairs(4))]
    write(tmp_path / "pairs.jsonl", rows)
    code, out, _ = solon("import", "trl-preference", "pairs.jsonl", "--store", STORE)
    assert (code, "columns not used" in out) == (0, False)
    shown = last(solon("show", "row-1", "--store", STORE, "--json")[1])
    assert (shown["seed"]["external_id"], shown["record"]["item_id"]) == ("row-1", shown["item"]["id"])
    again = write(tmp_path / "again.jsonl", [{**row, "source": "elsewhere"} for row in rows])
    solon("import", "trl-preference", again.name, "--store", STORE)
    code, _, err = solon("show", "row-1", "--store", STORE)
    assert (code, shown["item"]["id"] in err) == (2, True)
    assert "fits several items" in err


def test_rows_of_one_request_are_one_group(solon: Cli, tmp_path: Path) -> None:
    write(tmp_path / "pairs.jsonl", pairs())
    solon("import", "trl-preference", "pairs.jsonl", "--store", STORE)
    solon("export", "--store", STORE, "--format", "jsonl", "-o", "o.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert len({row["group"] for row in rows}) == 3


def test_labels_of_single_answers_accept_and_reject(solon: Cli, tmp_path: Path) -> None:
    rows = [{"prompt": f"Q{i}", "completion": f"answer {i}", "label": i % 2 == 0} for i in range(4)]
    (tmp_path / "kto.json").write_text(json.dumps(rows))
    code, out, err = solon("import", "trl-unpaired-preference", "kto.json", "--store", STORE, "--json")
    assert code == 0, err
    found = last(out)
    assert (found["recipe"], found["decisions"], found["accepted"]) == ("instruction", 4, 2)
    solon("export", "--store", STORE, "--format", "trl-sft-standard", "-o", "o.jsonl")
    got = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert got == [{"prompt": f"Q{i}", "completion": f"answer {i}"} for i in (0, 2)]


def as_csv(rows: list[dict[str, Any]]) -> str:
    """As a table is written from rows: lists and objects as JSON, true and false as Python spells them."""
    stream = io.StringIO(newline="")
    table = csv.DictWriter(stream, list(rows[0]))
    table.writeheader()
    for row in rows:
        cells = {k: json.dumps(v) if isinstance(v, (list, dict)) else v for k, v in row.items()}
        table.writerow(cells)
    return stream.getvalue()


def seeds_in(name: str, file: Path) -> list[Any]:
    found = read_import(name, file)
    assert found.bad == []
    return [
        (one.kind, {**one.metadata, **{k: v for k, v in one.seed.items() if v is not None}}, one.said)
        for one in found.seeds
    ]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("trl-unpaired-preference", [{"prompt": "Q", "completion": f"a{i}", "label": i == 0} for i in (0, 1)]),
        (
            "trl-preference",
            [
                {
                    "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Q"}],
                    "chosen": [{"role": "assistant", "content": "good"}],
                    "rejected": [{"role": "assistant", "content": "bad"}],
                }
            ],
        ),
        ("axolotl", [{"messages": [{"role": "user", "content": "Q"}], "chosen": {"role": "assistant",
         "content": "good"}, "rejected": {"role": "assistant", "content": "bad"}}]),
        ("trl-preference-standard", [{"prompt": '["sort", "this"]', "chosen": '{"a": 1}', "rejected": "[]"}]),
        ("trl-stepwise", [{"prompt": "Q", "completions": ["one", "two"], "labels": [True, False]}]),
        ("sharegpt", [{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}]),
        ("alpaca", [{"instruction": "Q", "input": "", "output": "A", "system": "", "history": [["q", "a"]]}]),
    ],
)  # fmt: skip
def test_tables_say_what_lines_of_json_say(tmp_path: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (tmp_path / "rows.csv").write_text(as_csv(rows), encoding="utf-8", newline="")
    lines = write(tmp_path / "rows.jsonl", rows)
    assert seeds_in(name, tmp_path / "rows.csv") == seeds_in(name, lines)


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_exported_tables_come_back_whole(tmp_path: Path, format: str) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    asked = [{"role": "user", "content": "Q"}]
    facts: dict[str, Any] = {"prompt": "Q", "messages": asked, "metadata": {"level": 3, "topics": ["a", "b"]}}
    rows = [
        ExportRow("r1", "preference", "s1", chosen="good", rejected="bad", lang="en", **facts),
        ExportRow("r2", "preference", "s2", chosen="good", rejected="bad", outcome="stale", **facts),
    ]
    singles = [ExportRow("r3", "instruction", "s3", response="[1, 2]", **facts)]
    for part in (rows, singles):
        for name in ("jsonl", format):
            export(part, format=name, path=tmp_path / f"rows.{name}")
        [*back] = seeds_in("jsonl", tmp_path / f"rows.{format}")
        assert back == seeds_in("jsonl", tmp_path / "rows.jsonl")
        assert all(seed["level"] == 3 and seed["topics"] == ["a", "b"] for _, seed, _ in back)


def panel(n: int = 12) -> list[dict[str, Any]]:
    """A fake recording: two judges who agree on two thirds, a human answer on all but two."""
    rows = []
    for i in range(n):
        verdicts = {"x": "A", "y": "A" if i % 3 else "B"}
        rows.append(
            {
                "id": f"p{i}",
                "prompt": f"Question {i}?",
                "response_a": f"first {i}",
                "response_b": f"second {i}",
                "judges": {name: {"verdict": verdict, "order": "AB"} for name, verdict in verdicts.items()},
                "gold": None if i >= n - 2 else "A",
            }
        )
    return rows


def test_a_recorded_panel_becomes_a_run(solon: Cli, tmp_path: Path) -> None:
    (tmp_path / "solon.toml").write_text("[routing]\naudit_share = 0.0\n")  # audits would be answered, too
    write(tmp_path / "panel.jsonl", panel())
    code, out, err = solon(
        "import", "panel", "panel.jsonl", "--policy", "disagreement", "--store", STORE, "--json"
    )
    assert code == 0, err
    found = last(out)
    # A third is split and goes to review; the recorded people have answered all of those but the last two items.
    assert (found["seeds"], found["decisions"]) == (12, 4)
    assert found["accepted"] + found["pending_review"] == 12
    with Project(STORE, create=False) as project:
        assert project.summarize().model_calls == 0
        with project.store.connect() as connection:
            given = list(evaluation.paid_votes(connection, [runs.find_run(connection).id]))
    assert len(given) == 24
    assert {paid.vote.judge for paid in given} == {"x", "y"}
    assert all(paid.call_id is None for paid in given)


def test_a_recorded_answer_counts_once_where_three_people_audit(
    solon: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's one answer to an item must not pass for the answers of three people."""
    (tmp_path / "solon.toml").write_text('[routing]\naudit_share = 0.5\ntarget = "majority(3)"\n')
    write(tmp_path / "panel.jsonl", [{**row, "judges": {"x": row["judges"]["x"]}} for row in panel(20)])
    asked = ("import", "panel", "panel.jsonl", "--policy", "never", "--store", STORE, "--json")
    code, _, err = solon(*asked)
    assert code == 2, "an answer without a token measures nothing, and would use the audits up"
    assert "--as-expert" in err
    with Project(STORE) as project:
        monkeypatch.setenv("SOLON_TOKEN", project.add_expert("Ada"))
    code, out, err = solon(*asked, "--as-expert")
    assert code == 0, err
    with Project(STORE, create=False) as project, project.store.connect() as connection:
        found = {state: list_reviews(connection, state=state) for state in ("decided", "waiting")}
    assert all(review.kind == "audit" for reviews in found.values() for review in reviews)
    answered = Counter(review.item_id for review in found["decided"])
    asked = answered + Counter(review.item_id for review in found["waiting"])
    assert set(asked.values()) == {3}, "each is asked of three people"
    assert answered
    assert set(answered.values()) == {1}
    assert last(out)["decisions"] == answered.total()


@pytest.mark.parametrize("format", ["argilla", "label-studio"])
def test_reviews_go_out_and_their_answers_resume_the_graph(solon: Cli, tmp_path: Path, format: str) -> None:
    rows = [{**row, "gold": None} for row in panel(6)]
    write(tmp_path / "panel.jsonl", rows)
    waiting = last(solon("import", "panel", "panel.jsonl", "--store", STORE, "--json")[1])
    assert waiting["pending_review"] == 6
    code, out, err = solon(
        "review", "export", "--format", format, "-o", "out.json", "--store", STORE, "--json"
    )
    assert code == 0, err
    tasks = json.loads((tmp_path / "out.json").read_text())
    assert len(tasks) == last(out)["reviews"] == 6
    text = json.dumps(tasks)
    assert "verdict" not in text
    assert "scripted" not in text
    for number, task in enumerate(tasks[:4]):
        if format == "argilla":
            value = "tie" if number == 0 else "prefer answer_2"
            task["responses"] = {"choice": [{"value": value, "user_id": "u1"}]}
        else:
            value = {"choices": ["tie"]} if number == 0 else {"selected": "right"}
            task["annotations"] = [{"result": [{"value": value}], "completed_by": 3}]
    (tmp_path / "answered.json").write_text(json.dumps(tasks))
    found = last(solon("import", format, "answered.json", "--store", STORE, "--json")[1])
    assert (found["decisions"], found["seeds"], found["unused"]) == (4, 0, {"no_answer": 2})
    code, out, err = solon("resume", "--store", STORE, "--json")
    assert code == 3, err
    assert (last(out)["accepted"], last(out)["pending_review"]) == (4, 2)
    solon("export", "--store", STORE, "--format", "jsonl", "-o", "o.jsonl")
    done = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert sorted(row["outcome"] for row in done) == ["accepted", "accepted", "accepted", "tie"]
    assert all(row["chosen"].startswith("second") for row in done if row["outcome"] == "accepted")
    again = last(solon("import", format, "answered.json", "--store", STORE, "--json")[1])
    assert again["unused"] == {"already_decided": 4, "no_answer": 2}


def test_answers_count_only_where_an_expert_vouches(
    solon: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "pairs.jsonl", pairs())
    code, _, err = solon("import", "trl-preference", "pairs.jsonl", "--store", STORE, "--as-expert")
    assert code == 2
    assert "SOLON_EXPERT_TOKEN" in err
    with Project(STORE) as project:
        expert, token = add_expert(project.store, "Ada", by="local:test")
    monkeypatch.setenv("SOLON_EXPERT_TOKEN", token)
    found = last(
        solon("import", "trl-preference", "pairs.jsonl", "--store", STORE, "--as-expert", "--json")[1]
    )
    assert (found["decisions"], found["counted"]) == (6, True)
    with Project(STORE) as project, project.store.connect() as connection:
        answers = evaluation.answers(connection, [found["run_id"]])
    assert {(answer.actor, answer.counts) for answer in answers} == {(expert.actor, True)}


@pytest.mark.parametrize(("match", "taken"), [("prefer", 6), ("require", 0)])
def test_an_experts_import_goes_by_how_the_queue_is_handed_out(
    tmp_path: Path, match: str, taken: int
) -> None:
    write(tmp_path / "pairs.jsonl", [{**row, "specialty": "medicine"} for row in pairs()])
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "seeds": {"map": {"specialty": "specialty"}},
        "review": {"match": match},
    }
    with Project(f"sqlite:///{tmp_path}/run.db", config=config) as project:
        ada, _ = add_expert(project.store, "Ada", specialties=["law"], by="local:test")
        found = import_file(project, "trl-preference", tmp_path / "pairs.jsonl", expert=ada)
    assert (found.decisions, found.pending_review) == (taken, 6 - taken)


def test_mistakes_are_explained(solon: Cli, tmp_path: Path) -> None:
    code, _, err = solon("import", "trl-preferense", "x.jsonl", "--store", STORE)
    assert code == 2
    assert "did you mean 'trl-preference'?" in err
    code, _, err = solon("import", "trl-sft", "x.jsonl", "--store", STORE)
    assert code == 2
    assert "there is no file" in err
    write(tmp_path / "bad.jsonl", [{"a": 1}])
    code, _, err = solon("import", "trl-preference", "bad.jsonl", "--store", STORE)
    assert code == 2
    assert "no row can be imported" in err
    (tmp_path / "x.json").write_text("{}")
    code, _, err = solon("import", "argilla", "x.json", "--store", STORE)
    assert code == 2
    assert "it is no review that Solon wrote" in err


def test_recorded_verdicts_take_the_panels_place_in_a_run_too(tmp_path: Path) -> None:
    """The column `verdicts` of a seed: also without an import. The scripted model must not be asked."""
    rows = [
        {
            "id": f"s{i}",
            "prompt": f"Question {i}?",
            "responses": ["one", "two"],
            "verdicts": [{"judge": "elsewhere", "verdict": "B", "p": 0.1}],
        }
        for i in range(3)
    ]
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "never", "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/run.db", config=config) as project:
        summary = project.run("preference", rows)
        assert (summary.accepted, summary.model_calls) == (3, 0)
        project.export("jsonl", tmp_path / "o.jsonl")
    got = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert {(row["chosen"], row["rejected"]) for row in got} == {("two", "one")}


@pytest.mark.parametrize("verdict", [{"judge": "x"}, {"verdict": "A"}, {"judge": "x", "verdict": "C"}, "A",
                                     {"judge": "x", "verdict": "A", "p": 2}])  # fmt: skip
def test_bad_verdicts_cost_their_row(tmp_path: Path, verdict: Any) -> None:
    good = {"prompt": "Q?", "responses": ["a", "b"], "verdicts": [{"judge": "x", "verdict": "A"}]}
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "never", "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/run.db", config=config) as project:
        summary = project.run("preference", [good, {**good, "prompt": "R?", "verdicts": [verdict]}])
    assert (summary.items, summary.bad_rows) == (1, 1)


def test_real_recorded_verdicts_run_through_the_graph(tmp_path: Path) -> None:
    file = DATA / "prd_vicuna80.jsonl"
    if not file.exists():
        pytest.skip(f"recorded data is not in {DATA} (set SOLON_DATA)")
    config = {"models": {"default": {"model": "scripted:default"}}}
    with Project(f"sqlite:///{tmp_path}/run.db", config=config) as project:
        ada, _ = add_expert(project.store, "Ada", by="local:test")
        found = import_file(project, "panel", file, policy="disagreement", limit=60, expert=ada)
        assert found.seeds + found.bad_rows == 60
        assert found.accepted + found.pending_review == found.seeds
        assert found.decisions > 10
        assert project.summarize(found.run_id).model_calls == 0


def test_a_folder_from_the_command_line(solon: Cli, tmp_path: Path) -> None:
    write(tmp_path / "pairs.jsonl", [{**row, "licence": "MIT", "lang": "en"} for row in pairs()])
    solon("import", "trl-preference", "pairs.jsonl", "--store", STORE)
    code, out, err = solon(
        "export", "--store", STORE, "--format", "trl-preference", "--folder", "-o", "set", "--test-fraction", 0.4,
        "--extra-column", "annotator", "--json",
    )  # fmt: skip
    assert code == 0, err
    summary = last(out)
    assert summary["facts"]["decided"] == 6
    assert summary["facts"]["licences"] == {"MIT": 6}
    assert {Path(file["path"]).parent.name for file in summary["files"]} == {"data"}
    assert Path(summary["manifest"]).exists()
    assert "license: mit" in (tmp_path / "set" / "README.md").read_text()
    groups = [
        {json.loads(line)["prompt"][0]["content"] for line in Path(file["path"]).read_text().splitlines()}
        for file in summary["files"]
    ]
    assert not groups[0] & groups[1]
    assert len(groups[0] | groups[1]) == 3
    code, _, err = solon("export", "--store", STORE, "--format", "jsonl", "--folder", "-o", "set")
    assert code == 2
    assert "exists already" in err


def test_forgotten_records_are_counted(solon: Cli, tmp_path: Path) -> None:
    from sqlalchemy import text

    write(tmp_path / "pairs.jsonl", pairs())
    solon("import", "trl-preference", "pairs.jsonl", "--store", STORE)
    with Project(STORE) as project, project.store.transaction() as connection:
        connection.execute(
            text("UPDATE texts SET body = NULL WHERE id = (SELECT text_id FROM seeds ORDER BY id LIMIT 1)")
        )
    code, out, err = solon("export", "--store", STORE, "--format", "trl-sft", "-o", "o.jsonl", "--json")
    assert code == 0, err
    assert (last(out)["written"], last(out)["left_out"]) == (5, {"forgotten": 1})


def test_what_was_forgotten_is_not_told_as_rejected(solon: Cli, tmp_path: Path) -> None:
    write(tmp_path / "pairs.jsonl", [{"id": f"r{i}", **row} for i, row in enumerate(pairs())])
    solon("import", "trl-preference", "pairs.jsonl", "--store", STORE)
    code, _, err = solon("forget", "r1", "--by", "test", "--yes", "--store", STORE)
    assert code == 0, err
    _, out, _ = solon("export", "--store", STORE, "--format", "trl-sft", "-o", "o.jsonl", "--json")
    found = last(out)
    assert found["written"] + sum(found["left_out"].values()) == 6
    assert set(found["left_out"]) == {"forgotten"}


def test_records_of_one_seed_in_two_runs_all_come_back(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "Q"}]
    facts: dict[str, Any] = {"prompt": "Q", "messages": asked, "metadata": {"id": "of the metadata"}}
    rows = [
        ExportRow(f"{n:024d}", "preference", "s1", chosen=f"good {n}", rejected="bad", **facts)
        for n in range(3)
    ]
    export(rows, format="jsonl", path=tmp_path / "rows.jsonl")
    with Project(
        f"sqlite:///{tmp_path}/s.db", config={"models": {"default": {"model": "scripted:default"}}}
    ) as project:
        found = import_file(project, "jsonl", tmp_path / "rows.jsonl")
        assert (found.seeds, found.decisions, found.bad_rows) == (3, 3, 0)
        again = project.export("jsonl", tmp_path / "again.jsonl")
    back = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()]
    assert again.written == 3
    assert {row["chosen"] for row in back} == {"good 0", "good 1", "good 2"}
    assert len({row["group"] for row in back}) == 1
    assert "s1" in {row["seed_id"] for row in back}


def test_a_label_is_not_taken_for_an_answer(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "Q"}]
    row = ExportRow("r", "label", "s", "Q", asked, response="A text.", label="legal", outcome="label")
    export([row], format="jsonl", path=tmp_path / "rows.jsonl")
    with (
        Project(
            f"sqlite:///{tmp_path}/s.db", config={"models": {"default": {"model": "scripted:default"}}}
        ) as project,
        pytest.raises(SeedError, match="labels a text"),
    ):
        import_file(project, "jsonl", tmp_path / "rows.jsonl")


def test_an_export_reads_one_snapshot(solon: Cli, tmp_path: Path) -> None:
    """What changes while it is written does not tear it."""
    from sqlalchemy import text

    from solon.store.records.exporting import export_rows

    write(tmp_path / "pairs.jsonl", pairs())
    solon("import", "trl-preference", "pairs.jsonl", "--store", STORE)
    with Project(STORE) as reader, Project(STORE) as writer:
        left_out, rows = export_rows(reader.store)
        assert left_out == {}
        with writer.store.transaction() as connection:
            connection.execute(text("UPDATE records SET superseded_at = 1.0"))
        assert len(list(rows)) == 6
        assert list(export_rows(reader.store)[1]) == []


@pytest.mark.parametrize(
    ("suffix", "rows", "empty"),
    [
        (
            "jsonl",
            [{"label": None, "note": "", "tags": []}, {"label": "", "note": None}],
            ["label", "note", "tags"],
        ),
        ("csv", [{"label": "", "note": ""}, {"label": "", "note": "seen"}], ["label"]),
        ("jsonl", [{"label": None}, {"label": False}], []),
    ],
)
def test_columns_that_are_empty_in_every_row_are_named(
    solon: Cli, tmp_path: Path, suffix: str, rows: list[dict[str, Any]], empty: list[str]
) -> None:
    whole = [{"prompt": f"Q{n}", "completion": "Hazel.", **row} for n, row in enumerate(rows)]
    file = tmp_path / f"rows.{suffix}"
    if suffix == "csv":
        file.write_text(
            "".join(",".join(cells) + "\n" for cells in (whole[0], *(row.values() for row in whole)))
        )
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in whole))
    _, out, _ = solon("import", "auto", str(file))
    named = [line.partition(": ")[2].split(", ") for line in out.splitlines() if "empty in every row" in line]
    assert named == ([empty] if empty else [])
