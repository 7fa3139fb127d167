"""Votes collected elsewhere come in as seeds: bad rows are named, nothing else is lost, and a run weighs them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from solon import Project
from solon.cli import main
from solon.errors import SeedError, UsageError
from solon.operations.votes import VotesImport
from solon.questions import nearest

LABELS = ["card", "fees", "login"]
CONFIG: dict[str, Any] = {
    "label": {"labels": LABELS},
    "judges": [],
    "classifier": {"enabled": True},
    "routing": {"policy": "threshold", "threshold": 0.5, "audit_share": 0.0},
}


def brought(
    folder: Path, text: str, name: str = "votes.csv", **options: Any
) -> tuple[VotesImport, list[dict[str, Any]]]:
    file = folder / name
    file.write_text(text)
    with Project(f"sqlite:///{folder}/votes.db", config=CONFIG) as project:
        made = project.import_votes(file, folder / "seeds.jsonl", **options)
    return made, [json.loads(line) for line in (folder / "seeds.jsonl").read_text().splitlines()]


def test_rows_of_an_item_become_one_seed_wherever_they_stand(tmp_path: Path) -> None:
    made, seeds = brought(
        tmp_path,
        "Item,Text,Worker,Label\n1,Lost it,ann,card\n2,What is this,ann,fees\n1,Lost it,ben,fees\n2,,ben,fees\n",
    )
    assert (made.seeds, made.votes, made.workers, made.bad_rows) == (2, 4, 2, 0)
    assert made.labels == {"card": 1, "fees": 3, "login": 0}
    assert made.notes == ["nobody gave 'login'"]
    assert seeds[0] == {
        "id": "1",
        "prompt": "Lost it",
        "verdicts": [{"judge": "ann", "verdict": "card"}, {"judge": "ben", "verdict": "fees"}],
    }


def test_texts_may_stand_in_a_file_of_seeds(tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    rows = [{"id": f"t{n}", "prompt": f"text {n}", "lang": "en"} for n in range(3)]
    texts.write_text("\n".join(map(json.dumps, rows)))
    votes = [
        {"task": "t0", "annotator": 7, "answer": "card"},
        {"task": "t1", "annotator": 7, "answer": "fees"},
        {"task": "t9", "annotator": 7, "answer": "fees"},
    ]
    made, seeds = brought(tmp_path, "\n".join(map(json.dumps, votes)), "votes.jsonl", texts=texts)
    assert [len(seed["verdicts"]) for seed in seeds] == [1, 1, 0], "of what nobody voted on people are asked"
    assert seeds[0]["lang"] == "en"
    assert made.bad_rows == 1
    assert "line 3: item: 't9' is left out, it is not in" in made.refusals[0]
    assert any("no item has more than one vote" in note for note in made.notes)


def test_a_file_without_items_is_told_apart_by_its_texts(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow
    from pyarrow import parquet

    table = {"text": ["a", "b", "a"], "worker": ["x", "x", "y"], "label": ["card", "fees", "card"]}
    parquet.write_table(pyarrow.table(table), tmp_path / "votes.parquet")
    with Project(f"sqlite:///{tmp_path}/votes.db", config=CONFIG) as project:
        made = project.import_votes(tmp_path / "votes.parquet", tmp_path / "seeds.jsonl")
    assert (made.seeds, made.votes) == (2, 3)


BAD = [
    {"item": "1", "text": "one", "worker": "ann", "label": "card"},
    {"item": "1", "text": "one", "worker": "ben", "label": "Card "},
    {"item": "1", "text": "one", "worker": "cy", "label": "crad"},
    {"item": "1", "text": "one", "worker": "ann", "label": "fees"},
    {"item": "1", "text": "one", "worker": "ann", "label": "card"},
    {"item": "1", "text": "other", "worker": "dee", "label": "card"},
    {"item": "1", "text": "one", "worker": " ", "label": "card"},
    {"item": "1", "text": "one", "worker": "dee", "label": None},
    {"item": "", "text": "  ", "worker": "dee", "label": "card"},
    {"item": "1", "text": ["one"], "worker": "dee", "label": "card"},
    {"item": "2", "worker": "dee", "label": "card"},
    {"item": "1", "text": "one", "worker": "dee\x00", "label": "card"},
    {"item": "1", "text": "one", "worker": "eve", "label": "login"},
]


def test_bad_rows_are_named_and_the_others_stay(tmp_path: Path) -> None:
    file = "\n".join([*map(json.dumps, BAD), "{broken"])
    made, seeds = brought(tmp_path, file, "votes.jsonl")
    assert [one["judge"] for one in seeds[0]["verdicts"]] == ["ann", "eve"]
    assert made.bad_rows_file is not None
    told = {
        row["line"]: row["reason"]
        for row in map(json.loads, Path(made.bad_rows_file).read_text().splitlines())
    }
    assert told[2] == "label: 'Card ' is no label of the recipe; did you mean 'card'?"
    assert told[3].endswith("did you mean 'card'?")
    assert told[4] == "worker: 'ann' gave item '1' the label 'card' in a row above"
    assert told[5] == "worker: 'ann' gave item '1' twice"
    assert "has another one in a row above" in told[6]
    assert told[7].startswith("worker: it is empty")
    assert told[8].startswith("label: it is empty")
    assert told[9].startswith("item: neither")
    assert told[10].startswith("text: a list")
    assert told[11] == "item: '2' is left out, no row gives it a text"
    assert 12 in told
    assert "malformed JSON" in told[14]
    assert made.rows == 14
    assert made.bad_rows == 12


def test_what_differs_in_case_and_space_only_is_the_nearest() -> None:
    assert nearest("NOT  urgent", ("urgent", "not urgent")) == "did you mean 'not urgent'?"
    assert nearest("xyz", ("urgent", "not urgent")) == "it must be one of urgent, not urgent"


def test_the_most_labels_there_may_be_and_a_worker_with_one(tmp_path: Path) -> None:
    labels = [f"kind {n}" for n in range(60)]
    rows = [f"t{n},text {n},ann,kind {n}" for n in range(50, 60)]
    rows += [f"t{n},text {n},ben,kind 3" for n in range(50, 60)]
    file = tmp_path / "votes.csv"
    file.write_text("\n".join(["item,text,worker,label", *rows]))
    with Project(f"sqlite:///{tmp_path}/votes.db", config={**CONFIG, "label": {"labels": labels}}) as project:
        made = project.import_votes(file, tmp_path / "seeds.jsonl")
    assert made.votes == 20
    assert "always one and the same label, 10 times or more: 'ben'" in made.notes
    assert made.notes[0].endswith("more"), "labels that nobody gave are counted, not all named"


def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text("item,text,worker,label\n1,one,ann,nothing\n")
    with Project(f"sqlite:///{tmp_path}/votes.db", config=CONFIG) as project:
        with pytest.raises(UsageError, match="is the file that is read"):
            project.import_votes(file, file)
        with pytest.raises(UsageError, match="no use for votes"):
            project.import_votes(file, tmp_path / "out.jsonl", recipe="label")
        with pytest.raises(SeedError, match="no row is a vote; line 2: label: 'nothing'"):
            project.import_votes(file, tmp_path / "out.jsonl")
        with pytest.raises(SeedError, match="there is no file"):
            project.import_votes(tmp_path / "none.csv", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_the_votes_are_a_panel_and_what_they_leave_open_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = random.Random(3)
    rows = [
        {
            "item": f"t{n}",
            "text": f"text {n}",
            "worker": worker,
            "label": LABELS[n % 3] if n < 20 else draw.choice(LABELS),
        }
        for n in range(30)
        for worker in ("ann", "ben", "cy")
    ]
    Path("votes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Path("solon.toml").write_text(
        'judges = []\n[label]\nlabels = ["card", "fees", "login"]\n[classifier]\nenabled = true\n'
        '[routing]\npolicy = "threshold"\nthreshold = 0.5\naudit_share = 0.0\n'
    )
    assert main(["import", "votes", "votes.jsonl"]) == 0
    told = capsys.readouterr()
    assert "90 votes of 3 people on 30 items, written to votes.seeds.jsonl" in told.out
    assert "next: solon run label-panel --seeds votes.seeds.jsonl" in told.out + told.err
    assert main(["run", "label-panel", "--seeds", "votes.seeds.jsonl"]) in (0, 3)
    with Project("sqlite:///solon.db", config="solon.toml") as project:
        summary = project.summarize()
        assert summary.accepted >= 20
        assert summary.pending_review >= 3
        assert summary.model_calls == 0
        project.export("jsonl", "out.jsonl")
    out = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    shares = {one["label"]: one["share"] for one in out[0]["shares"]}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert main(["judges", "--confusions"]) == 0
    assert "nothing is known" in capsys.readouterr().out
