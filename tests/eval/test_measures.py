"""The measures behind the newer suites, on cases whose answer is known: constraints, spread, wins, likeness, gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from solon import Project
from solon.agents.models.embedding import embed_words
from solon.constraints import find_constraints
from solon.errors import UsageError
from solon.eval.embedding import load_embedder
from solon.eval.material import gather
from solon.eval.releases.benchmark import Contaminated, Gate
from solon.eval.replay.winning import Duels, measure_wins
from solon.eval.spread import group_vectors, measure_spread, measure_vendi
from solon.eval.suites import contamination, diversity, downstream, judges, replay
from solon.eval.suites.downstream import _arm, _Pair
from solon.formats.benchmarks import Benchmark
from solon.formats.records import ExportRow
from solon.store.database.store import Store

Cli = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("prompt", "answer", "kept"),
    [
        ("Explain it in two sentences.", "It is. It was.", [True]),
        ("Explain it in two sentences.", "It is.", [False]),
        ("Answer in at most five words, please.", "one two three four five six", [False]),
        ("Say it in 50 words or less, all lowercase.", "very short", [True, True]),
        ("Give exactly 3 bullet points.", "- a\n- b\n- c", [True]),
        ("Respond only in JSON.", '```json\n{"a": [1]}\n```', [True]),
        ("Respond only in JSON.", "Sure! {}", [False]),
        ("Write it without using any commas.", "no, never", [False]),
        ('Include the word "dog" and end with "Bye."', "A dog. Bye.", [True, True]),
        ("Do not use the word 'cat'.", "A Cat sat.", [False]),
        ("Tell me of words, sentences and JSON.", "x", []),
    ],
)  # fmt: skip
def test_constraints_that_a_request_states(prompt: str, answer: str, kept: list[bool]) -> None:
    assert sorted(one.check(answer) for one in find_constraints(prompt, {})) == sorted(kept)


def test_constraints_in_the_columns_of_ifeval() -> None:
    metadata = {
        "instruction_id_list": [
            "punctuation:no_comma", "length_constraints:number_words", "unknown:kind", "keywords:existence",
        ],
        "kwargs": [{}, {"num_words": 3, "relation": "less than"}, {}, {}],
    }  # fmt: skip
    for relation, words, kept in (("at most", 2, True), ("at most", 1, False), ("less than", 2, False)):
        asked = {"num_words": words, "relation": relation}
        columns = {"instruction_id_list": ["length_constraints:number_words"], "kwargs": [asked]}
        assert [one.check("a, b") for one in find_constraints("", columns)] == [kept]
    found = find_constraints("in two sentences", metadata)
    assert [(one.kind, one.check("a, b")) for one in found] == [
        ("punctuation:no_comma", False),
        ("length_constraints:number_words", True),
    ]


def test_vendi_counts_unlike_texts() -> None:
    assert measure_vendi(np.eye(6)) == pytest.approx(6.0)
    assert measure_vendi(np.tile(np.eye(6)[0], (10, 1))) == pytest.approx(1.0)
    assert measure_vendi(np.repeat(np.eye(3), 4, axis=0)) == pytest.approx(3.0)


def test_clusters_find_what_belongs_together() -> None:
    texts = [f"the tiger hunts number {i}" for i in range(12)] + [
        f"taxes on income of {i} euros" for i in range(12)
    ]
    names = [f"r{i}" for i in range(24)]
    vectors = embed_words(texts)
    place, _ = group_vectors(vectors, 2, np.random.default_rng(0))
    assert len(set(place[:12])) == len(set(place[12:])) == 1
    found = measure_spread(zip(names, texts, strict=True), len(texts), embed_words, most=2)
    assert [cluster.texts for cluster in found.clusters] == [12, 12]
    assert {"tiger", "taxes"} <= {word for cluster in found.clusters for word in cluster.words}
    assert all(set(cluster.examples) <= set(names) for cluster in found.clusters)
    assert found.vendi.low <= (found.vendi.value or 0) <= found.vendi.high <= 24
    assert measure_spread([("a", "x")], 1, embed_words).vendi.value is None


def test_an_author_who_wins_by_length_alone_does_not_win_at_equal_length() -> None:
    draw = np.random.default_rng(1)
    duels, few = Duels(), Duels()
    for i in range(400):
        longer = bool(draw.random() < 0.8)
        lengths = (300, 100) if longer else (100, 300)
        won = float(draw.random() < (0.9 if longer else 0.1))
        for into in (duels, *((few,) if i < 4 else ())):
            if i % 2:
                into.add("wordy", "plain", lengths, won)
            else:
                into.add("plain", "wordy", lengths[::-1], 1 - won)
    plain, wordy = measure_wins(duels)
    assert wordy.name == "wordy"
    assert (wordy.raw.value or 0) > 0.65
    assert wordy.controlled.low <= 0.5 <= wordy.controlled.high
    assert (plain.controlled.value or 0) == pytest.approx(1 - (wordy.controlled.value or 0), abs=0.02)
    assert measure_wins(few)[0].controlled.value is None
    assert measure_wins(Duels()) == ()


def test_embeddings_are_unit_rows_and_say_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a cat sat on the mat", "the cat sits on a mat", "quarterly tax returns", ""]
    monkeypatch.setattr("solon.agents.models.embedding.find_spec", lambda name: None)
    plain = load_embedder()
    monkeypatch.undo()
    assert plain.name == "hashed words"
    assert any("not installed" in note for note in plain.notes)
    for embedder in (plain, load_embedder()):
        rows = embedder.embed(texts)
        assert np.linalg.norm(rows[:3], axis=1) == pytest.approx(1.0)
        assert rows[0] @ rows[1] > rows[0] @ rows[2]
        assert embedder.embed([]).shape[0] == 0


def test_the_gate_stops_an_export_or_leaves_the_record_out(
    solon: Cli, known: Any, store: Store, tmp_path: Path
) -> None:
    rows, _ = gather(store).records()
    dirty = [row for row in rows if row.answer == rows[0].answer]
    bench = tmp_path / "bench.jsonl"
    bench.write_text(json.dumps({"question": rows[0].answer}) + "\n")
    assert Benchmark(bench).shares(rows[0].answer or "") == {1: 1.0}
    export = (
        "export",
        "--store",
        known.url,
        "--format",
        "jsonl",
        "--output",
        "o.jsonl",
        "--require-clean",
        bench,
    )
    code, _, err = solon(*export)
    assert code == 1
    assert "holds 100% of line 1 of bench.jsonl" in err
    assert "--drop-contaminated" in err
    assert not (tmp_path / "o.jsonl").exists()
    code, out, _ = solon(*export, "--drop-contaminated", "--json")
    assert code == 0
    summary = json.loads(out.splitlines()[-1])
    assert summary["left_out"]["contaminated"] >= len(dirty) >= 1
    assert rows[0].id not in (tmp_path / "o.jsonl").read_text()
    with pytest.raises(Contaminated):
        Gate([bench])(rows[0])
    with pytest.raises(UsageError, match="no such file"):
        Gate([tmp_path / "none"])


def test_contamination_sees_a_paraphrase_as_alike(store: Store, tmp_path: Path) -> None:
    rows, _ = gather(store).records()
    words = (rows[0].answer or "").split()
    (tmp_path / "b.txt").write_text(
        " ".join([*words[:6], *words[7:]]) + "\nunrelated words about nothing in particular here\n"
    )
    [file] = contamination.evaluate(gather(store, against=[tmp_path / "b.txt"])).files
    assert file.alike.n == len(rows)
    assert rows[0].id in {o.name for o in file.closest}
    assert all(o.share >= 0.9 and o.line == 1 for o in file.closest)


def test_coverage_covers_every_attribute_that_seeds_state(tmp_path: Path) -> None:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "never", "audit_share": 0.0},
    }
    rows = [
        {
            "id": f"s{i}", "prompt": f"Explain topic {i} in two sentences.", "specialty": "law" if i else None,
            "tags": ["short", "tax"] if i % 2 else [], "licence": "CC0-1.0", "source": f"book {i % 2}",
            "level": i % 3, "note": f"only of {i}", "parts": [i], "mark": "good" if i < 3 else i + 0.5,
        }
        for i in range(6)
    ]  # fmt: skip
    with Project(f"sqlite:///{tmp_path}/c.db", config=config) as project:
        assert project.run("preference", rows).accepted == 6
        found = diversity.evaluate(gather(project.store)).coverage
    assert found["specialty"] == {"law": 5, "not stated": 1}
    assert found["tags"] == {"short": 3, "tax": 3, "not stated": 3}
    assert found["licence"] == {"CC0-1.0": 6}
    assert found["source"] == {"book 0": 3, "book 1": 3}
    assert found["metadata: level"] == {"0": 2, "1": 2, "2": 2}
    assert found["metadata: mark"] == {"good": 3, "3.5": 1, "4.5": 1, "5.5": 1}
    assert {name for name in found if name.startswith("metadata")} == {"metadata: level", "metadata: mark"}


def test_diversity_and_judges_have_their_new_parts(store: Store) -> None:
    found = diversity.evaluate(gather(store))
    assert found.prompts_spread.vendi.n == found.prompts.texts
    assert sum(cluster.texts for cluster in found.answers_spread.clusters) == found.answers_spread.sampled
    for judge in judges.evaluate(gather(store)).judges:
        assert all(0 <= wins.raw.low <= wins.raw.high <= 1 for wins in judge.wins)


def test_downstream_tests_on_decisions_that_it_never_saw(store: Store, known: Any) -> None:
    found = downstream.evaluate(gather(store))
    assert found.n == known.pilots + known.seconds + known.overlaps + known.audits
    names = [arm.name for arm in found.arms]
    assert names == ["with the experts' answers", "without the doubtful ones", "with the panel's answers"]
    with_experts, without, _ = found.arms
    assert with_experts.trained_on >= without.trained_on
    for arm in found.arms:
        assert arm.accuracy.value is None or arm.accuracy.n == found.n
    assert "experts' answers" in found.verdict


def test_the_arms_differ_in_the_doubtful_pairs_only() -> None:
    sure = _Pair("a", "b", 0)
    agreed = _Pair("c", "d", 1, decided=True, panel_first=True)
    against = _Pair("e", "f", 2, decided=True, panel_first=False)
    training = [sure, agreed, against]
    assert _arm(training, "with the experts' answers") == training
    assert _arm(training, "without the doubtful ones") == [sure]
    assert [(p.better, p.worse) for p in _arm(training, "with the panel's answers")] == [
        ("a", "b"),
        ("c", "d"),
        ("f", "e"),
    ]


def test_replay_is_a_suite_like_the_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="--against"):
        replay.evaluate(gather(store))
    report = {
        "file": "p.jsonl", "n": 30, "majority": {"accuracy": 0.6, "ci": [0.4, 0.8]},
        "learned": {"0": {"accuracy": 0.6, "ci": [0.4, 0.8]}, "20": {"accuracy": 0.7, "ci": [0.5, 0.9]}},
    }  # fmt: skip
    monkeypatch.setattr(replay, "replay", lambda file, seed: report)
    (tmp_path / "p.jsonl").write_text("{}\n")
    found = replay.evaluate(gather(store, against=[tmp_path / "p.jsonl"]))
    assert (found.suite, found.n) == ("replay", 30)
    assert found.learned["p.jsonl"].value == 0.7


def test_parts_that_a_benchmark_could_be_in_are_those_that_are_written() -> None:
    row = ExportRow(
        id="r", recipe="preference", seed_id="s", prompt="P", messages=[], chosen="C", rejected="R"
    )
    seen: list[str] = []
    gate = Gate([])
    gate._benchmarks = [SimpleNamespace(name="b", shares=lambda text: seen.append(text) or {})]  # type: ignore[list-item]
    assert gate(row) is None
    assert seen == ["P", "C", "R"]
