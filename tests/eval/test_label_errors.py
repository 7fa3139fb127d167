"""Labels of others, checked: the joint and the ranking by hand, a file with planted errors, its bad rows, what a panel
adds, and reviews in which nobody sees the given label."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from solon import Project
from solon.config import Config, parse_config
from solon.consensus.label_errors import add_evidence, join_confidently, rank_label_errors
from solon.errors import ConfigError, SeedError, UsageError
from solon.eval.label_reviews import key_of
from solon.eval.labels import MOST_CELLS, check_labels, check_output, group_alike, write_suspects
from solon.formats.labelled import Labelled
from solon.store import tables
from solon.store.records import evaluation

WORDS = {
    "card": "card chip pin contactless plastic wallet",
    "fee": "fee charge cost price expensive deducted",
    "login": "password login account locked email reset",
}
FILLER = ("please", "today", "my", "the", "again", "still", "why", "help", "now", "really", "never", "maybe")
LABELS = tuple(WORDS)


def texts(n: int = 40) -> list[dict[str, Any]]:
    """Rows of three labels that are told apart by their words."""
    draw = random.Random(7)
    rows = []
    for i in range(n * len(LABELS)):
        label = LABELS[i % len(LABELS)]
        words = draw.sample(WORDS[label].split(), 3) + draw.sample(FILLER, 4)
        draw.shuffle(words)
        rows.append({"text": " ".join(words), "label": label})
    return rows


def with_errors(rows: Sequence[dict[str, Any]], every: int = 10) -> tuple[list[dict[str, Any]], set[int]]:
    """The rows with one label in `every` made wrong, and the lines of these."""
    wrong = range(0, len(rows), every)
    changed = [dict(row) for row in rows]
    for place in wrong:
        at = LABELS.index(rows[place]["label"])
        changed[place]["label"] = LABELS[(at + 1) % len(LABELS)]
    return changed, {place + 1 for place in wrong}


def write(folder: Path, rows: Sequence[dict[str, Any]], name: str = "rows.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def check(file: Path, **options: Any) -> Any:
    return check_labels(file, Config(), **{"features": "words", **options})


def test_the_joint_is_counted_by_hand() -> None:
    beliefs = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8], [0.75, 0.25], [0.45, 0.55]])
    found = join_confidently(beliefs, np.array([0, 0, 0, 1, 1, 1]))
    assert found.thresholds == pytest.approx([(0.9 + 0.7 + 0.1) / 3, (0.8 + 0.25 + 0.55) / 3])
    assert found.likely.tolist() == [0, 0, 1, 1, 0, 1]
    assert found.counts.tolist() == [[2, 1], [1, 2]]
    assert found.wrong == pytest.approx(2 / 6)
    assert found.low < 2 / 6 < found.high


def test_a_text_that_reaches_no_threshold_keeps_its_label() -> None:
    beliefs = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9], [0.34, 0.33, 0.33]])
    assert join_confidently(beliefs, np.array([0, 1, 2, 1])).likely.tolist() == [0, 1, 2, 1]


def test_ranking_is_by_log_odds_and_evidence_multiplies() -> None:
    beliefs, given = np.array([[0.5, 0.4, 0.1], [0.001, 0.5, 0.499], [0.2, 0.7, 0.1]]), np.array([0, 0, 0])
    assert rank_label_errors(beliefs, given) == pytest.approx(np.log([5 / 4, 0.002, 2 / 7]))
    assert add_evidence(beliefs, np.ones((3, 3))) == pytest.approx(beliefs)
    told = add_evidence(beliefs, np.array([[0.1, 1.0, 1.0]] * 3))
    assert told[0] == pytest.approx(np.array([0.05, 0.4, 0.1]) / 0.55)


def test_planted_errors_come_first(tmp_path: Path) -> None:
    rows, wrong = with_errors(texts())
    found = check(write(tmp_path, rows), top=len(wrong))
    assert len(found.suspects) == len(wrong) == 12
    assert len({one.line for one in found.suspects} & wrong) >= 11, "random would find one"
    right = {i + 1: row["label"] for i, row in enumerate(texts())}
    assert all(one.suggested == right[one.line] for one in found.suspects if one.line in wrong)
    assert found.suspected.low <= 0.1 <= found.suspected.high
    assert found.mistaken[0].texts == max(pair.texts for pair in found.mistaken)
    assert found == check(write(tmp_path, rows), top=len(wrong)), "seeded"


def test_a_near_duplicate_does_not_vouch_for_a_wrong_label(tmp_path: Path) -> None:
    rows = texts()
    twin = "my card chip pin contactless plastic wallet please help again today"
    twins = [{"text": f"{twin} {word}", "label": "fee"} for word in ("now", "why", "still", "maybe", "never")]
    found = check(write(tmp_path, [*rows, *twins]))
    assert {one.line for one in found.suspects} >= set(range(len(rows) + 1, len(rows) + 6))
    names = group_alike(
        [Labelled(0, twin, "fee"), Labelled(1, f"{twin} now", "fee"), Labelled(2, "x y z", "card")]
    )
    assert names[0] == names[1] != names[2]
    stated = group_alike(
        [Labelled(0, "a b c", "x", "g"), Labelled(1, "d e f", "x", "g"), Labelled(2, "g h i", "x")]
    )
    assert stated[0] == stated[1] != stated[2]


def test_bad_rows_are_named_and_the_others_judged(tmp_path: Path) -> None:
    rows = texts()
    rows[3]["label"] = " Card"
    rows[4]["text"] = " "
    rows[5]["label"] = None
    rows[6]["label"] = "rare"
    found = check(write(tmp_path, rows))
    notes = "\n".join(found.notes)
    assert "line 4: label ' Card' differs from 'card' only in case or space: write 'card'" in notes
    assert "line 5: text is empty" in notes
    assert "line 6: label is empty" in notes
    assert "rare (1)" in notes
    assert (found.n, found.bad_rows, found.left_out) == (len(rows) - 4, 3, {"rare": 1})
    listed = parse_config({"label": {"labels": ["card", "fee", "login"]}})
    found = check_labels(write(tmp_path, [*rows, {"text": "a", "label": "cart"}]), listed, features="words")
    assert any("'cart' is none of [label] labels; did you mean 'card'?" in note for note in found.notes)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": f"text {i}", "label": "card"} for i in range(9)], "all texts have the label 'card'"),
        ([{"text": f"text {i}", "label": str(i)} for i in range(10_000)], "no two of its 10000 labels"),
        ([{"text": "", "label": "card"}], "no row has a text with a label; line 1: text is empty"),
        ([{"words": "x", "labell": "card"}], "no column of texts that is known .columns: words, labell"),
        ([{"text": "x", "labell": "card"}], "no column of labels"),
    ],
)
def test_what_cannot_be_judged_says_why(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(SeedError, match=message):
        check(write(tmp_path, rows))


def test_too_many_labels_are_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_CELLS >= 20_000 * 1000
    monkeypatch.setattr("solon.eval.labels.MOST_CELLS", 100)
    with pytest.raises(UsageError, match="120 texts with 3 labels") as told:
        check(write(tmp_path, texts()))
    assert "--limit 33" in str(told.value.next_step)


def test_all_texts_of_one_group_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="near-duplicates, or of one group"):
        check(write(tmp_path, [{**row, "group": "g"} for row in texts()]))


def test_columns_are_named_and_csv_is_read(tmp_path: Path) -> None:
    rows, _ = with_errors(texts())
    file = tmp_path / "rows.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerows([["Message", "topic"], *([row["text"], row["label"]] for row in rows)])
    found = check(file, label="topic")
    plain = check(write(tmp_path, rows))
    assert [one.text for one in found.suspects] == [one.text for one in plain.suspects]
    with pytest.raises(SeedError, match="no column 'topics'") as told:
        check(file, label="topics")
    assert "did you mean 'topic'" in str(told.value.next_step)


def test_a_file_of_many_rows_is_drawn_from(tmp_path: Path) -> None:
    found = check(write(tmp_path, texts()), limit=60)
    assert found.n == 60
    assert any("of 120 rows 60 were drawn at random" in note for note in found.notes)


def test_suspects_are_written_and_formulas_disarmed(tmp_path: Path) -> None:
    rows, _ = with_errors(texts())
    rows[0]["text"] = "=card " + rows[0]["text"]
    found = check(write(tmp_path, rows))
    for name in ("s.csv", "s.jsonl"):
        check_output(tmp_path / name)
        write_suspects(found, tmp_path / name)
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert len(written) == len(found.suspects)
    assert [row["text"][0] for row in written if row["line"] == "1"] == ["'"]
    lines = (tmp_path / "s.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0])["suggested"] == found.suspects[0].suggested
    with pytest.raises(UsageError, match=r"\.jsonl or \.csv"):
        check_output(tmp_path / "s.txt")


def project_at(folder: Path, **config: Any) -> Project:
    return Project(f"sqlite:///{folder}/x.db", config=config, create=True)


def test_what_a_panel_said_of_the_same_texts_counts(tmp_path: Path) -> None:
    rows, _ = with_errors(texts())
    file = write(tmp_path, rows)
    rules = [
        {"name": label, "label": label, "regex": "|".join(words.split())} for label, words in WORDS.items()
    ]
    with project_at(tmp_path, judges=[], label={"labels": list(LABELS)}, rules=rules) as project:
        before = project.labels(file, features="words")
        assert before.voted == 0
        project.run("label-panel", [{"id": str(i), "prompt": row["text"]} for i, row in enumerate(rows[:60])])
        after = project.labels(file, features="words")
        asked = project.labels(file, features="words", top=3, review=True, recipe="label-panel")
        assert (asked.opened + after.waiting >= 3, asked.waiting) == (True, 3)
        assert asked.opened
        with project.store.connect() as connection:
            assert evaluation.is_judged(connection, str(asked.run_id)), "the panel spoke first"
    assert after.voted == 60
    told = {one.line: one.p_given for one in before.suspects}
    voted = [one for one in after.suspects if one.line <= 60 and one.line in told]
    assert voted
    assert all(one.panel and one.p_given < told[one.line] for one in voted)
    assert not any(one.panel for one in after.suspects if one.line > 60)


def test_reviews_hide_the_label_and_their_answers_give_the_precision(tmp_path: Path) -> None:
    rows, wrong = with_errors(texts())
    right = {key_of(row["text"]): f"about {row['label']}" for row in texts()}
    file = write(tmp_path, [{**row, "label": f"about {row['label']}"} for row in rows])
    with project_at(tmp_path) as project:
        opened = project.labels(file, features="words", top=8, review=True)
        assert (opened.opened, opened.waiting, opened.reviewed.n) == (8, 8, 0)
        again = project.labels(file, features="words", top=8, review=True)
        assert (again.opened, again.waiting) == (0, 8), "they wait already"
        more = project.labels(file, features="words", top=10, review=True)
        assert (more.opened, more.waiting) == (2, 10)
        with project.store.connect() as connection:
            stored = list(connection.execute(select(tables.texts.c.body)).scalars())
        assert len(stored) >= 10
        assert not any("about" in body for body in stored), "nothing of a given label is in the store"
        token = project.experts.add("ana")
        for review in project.reviews(limit=100):
            [candidate] = project.review(review.id).candidates
            project.decide(review.id, right[key_of(candidate.text)], rationale="it says so", expert=token)
        found = project.labels(file, features="words", top=10)
    suspects = {one.line for one in found.suspects}
    assert found.reviewed.n == 10
    assert found.reviewed.value == len(suspects & wrong) / 10
    assert all(one.decided == right[key_of(one.text)] for one in found.suspects)
    assert (found.waiting, found.others.n) == (0, 0)


def test_a_label_that_no_page_can_show_is_named(tmp_path: Path) -> None:
    rows, _ = with_errors(texts())
    file = write(tmp_path, [{**row, "label": row["label"].replace("fee", "<fee>")} for row in rows])
    with project_at(tmp_path) as project, pytest.raises(ConfigError, match="'<fee>' cannot be asked for"):
        project.labels(file, features="words", review=True)
