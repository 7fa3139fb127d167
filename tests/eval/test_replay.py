"""Reading recorded panels and replaying them; the recorded sets where they are present."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from solon.consensus.model import ConsensusModel
from solon.consensus.panel import judge_item
from solon.errors import UsageError
from solon.eval.replay.recorded import RecordedItem, load
from solon.eval.replay.replay import Routed, replay

DATA = Path(os.environ.get("SOLON_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


def data(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"recorded data {name} is not in {DATA} (set SOLON_DATA)")
    return path


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("\n".join(json.dumps(r) for r in rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A fake recording: three judges of which one is good, three people."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(80):
        gold = "AB"[rng.integers(0, 2)]
        say = lambda p, g=gold: g if rng.random() < p else "BA"["AB".index(g)]  # noqa: E731
        judges = {
            f"{name}/plain#{order}": {"verdict": say(p), "order": order}
            for name, p in (("good", 0.9), ("fair", 0.65), ("poor", 0.5))
            for order in ("AB", "BA")
        }
        rows.append(
            {"id": f"i{i}", "response_a": "x", "response_b": "y", "judges": judges,
             "human": [say(0.9), say(0.9), say(0.9)], "gold": gold, "subset": "Even" if i % 2 == 0 else "Odd"}
        )  # fmt: skip
    return write(tmp_path / "pairs.jsonl", rows)


def test_dirt_is_counted_never_fatal(tmp_path: Path) -> None:
    path = write(
        tmp_path / "dirty.jsonl",
        [
            {"id": "a", "response_a": False, "response_b": "y", "gold": None, "human": ["A", None, "B"],
             "judges": {"m#AB": {"verdict": "none", "order": "AB"}, "m-run2#BA": {"verdict": "A", "order": "BA"},
                        "odd": "text", "n": {"verdict": None}}},
            {"id": "b", "gold": "A", "judges": {"m#AB": {"verdict": "tie", "order": "AB", "score_a": 7, "score_b": 7}}},
            {"judges": None, "gold": "B"},
        ],
    )  # fmt: skip
    recording = load(path)
    assert recording.dirt == {
        "response is no text": 1, "verdict is none": 2, "judge entry is no object": 1, "gold is missing": 1
    }  # fmt: skip
    first, second, third = recording.items
    assert first.gold is None
    assert first.human == ("A", "B")
    run = next(v for v in first.verdicts if v.sample == 2)
    assert (run.judge, run.seat, run.order, run.outcome) == ("m", "m", "BA", "A")
    assert second.verdicts[0].scores == (7.0, 7.0)
    assert third.verdicts == ()
    assert third.id == "line-3"


def test_a_name_without_order_takes_every_order_and_run(pairs: Path) -> None:
    assert {v.judge for i in load(pairs, panel=["good/plain"]).items for v in i.verdicts} == {"good"}
    assert len(load(pairs, panel=["good/plain"]).items[0].verdicts) == 2
    assert len(load(pairs, panel=["good/plain#AB"]).items[0].verdicts) == 1
    assert len(load(pairs, subset="Even").items) == 40


def test_wrong_names_and_files_are_explained(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no judge named 'nobody'") as error:
        load(pairs, panel=["nobody"])
    assert "good/plain" in error.value.next_step
    with pytest.raises(UsageError, match="no rows of subset"):
        load(pairs, subset="Nowhere")
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="line 1: not JSON"):
        load(bad)
    empty = write(tmp_path / "empty.jsonl", [{"id": "a", "judges": {}}])
    with pytest.raises(UsageError, match="no judge and no worker"):
        load(empty)
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "missing.jsonl")
    for options in ({"reviewer": "god"}, {"budget": [2.0]}, {"policy": "sometimes"}):
        with pytest.raises(UsageError):
            replay(pairs, **options)  # type: ignore[arg-type]


def test_scores_are_shuffled_and_crowds_are_read(tmp_path: Path) -> None:
    row = {"n_responses": 3, "gold": 0, "judges": {"m/base": [[9, 9], [1, 2], [3, 3]]}}
    scored = load(write(tmp_path / "s.jsonl", [{"id": f"{i}"} | row for i in range(30)]))
    assert scored.kind == "scores"
    assert len({i.gold for i in scored.items}) == 3
    assert all(v.outcome == i.gold for i in scored.items for v in i.verdicts)
    crowd = load(
        write(tmp_path / "c.jsonl", [{"id": "1", "labels": [["w", "x"], ["v", "y"], "odd"], "gold": "x"}])
    )
    assert crowd.outcomes == ("x", "y")
    assert crowd.dirt == {"label is no pair of worker and label": 1}
    raters = load(write(tmp_path / "d.jsonl", [{"id": "1", "crowd": ["Yes", "Unsure"], "gold_expert": "No"}]))
    assert raters.outcomes == ("No", "Yes")
    assert [v.outcome for v in raters.items[0].verdicts] == ["Yes", "abstain"]


def test_the_report_has_its_keys_is_json_and_repeats(pairs: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    options = {"seeds": 3, "draws": 4, "reviewer": "single", "budget": [0.05, 0.2]}
    report = replay(pairs, plots=tmp_path / "plots", **options)  # type: ignore[arg-type]
    again = replay(pairs, **options)  # type: ignore[arg-type]
    written = [Path(p) for p in report.pop("plots")]
    assert all(p.suffix == ".png" and p.stat().st_size > 2000 for p in written)
    assert json.loads(json.dumps(report)) == json.loads(json.dumps(again))
    assert report["n"] == 80
    assert {"accuracy", "ci"} <= set(report["majority"])
    assert {"0", "10", "20", "50"} <= set(report["learned"])
    assert {"accuracy", "ci", "random", "gain_ci"} <= set(report["routed"]["0.05"])
    assert "accuracy" in report["routed_learned"]["20"]["0.2"]
    assert {"share", "accuracy", "errors_share"} <= set(report["unanimous"])
    assert {"ece", "auroc", "aurc"} <= set(report["calibration"])
    wanted = {"alpha", "delta", "coverage", "agreement", "false", "draws", "pilot"}
    assert all(wanted <= set(c) for c in report["certified"])
    assert report["reviewer"]["kind"] == "single"
    assert "panel_alone" in report["reviewer"]


def test_policies_ask_what_they_say(pairs: Path) -> None:
    shares = {}
    for policy in ("always", "threshold(0.8)", "budget(0.25)", "pilot(40)"):
        found = replay(pairs, seeds=2, draws=2, policy=policy)["policy"]
        shares[policy] = found["asked_share"]
        assert found["final"] >= 0.5
    assert shares["always"] == 1.0
    assert shares["budget(0.25)"] == pytest.approx(0.25, abs=0.02)


def test_the_graph_hook_gets_the_recorded_verdicts(pairs: Path) -> None:
    seen: list[str] = []

    def run_graph(items: Sequence[RecordedItem], model: ConsensusModel, policy: str) -> list[Routed]:
        """A fake graph: judges directly, sends splits to review."""
        seen.append(policy)
        found = [(i.id, judge_item(model, i.verdicts)) for i in items]
        return [Routed(name, c, "review" if c.split else "accept") for name, c in found]

    report = replay(pairs, seeds=2, draws=2, policy="disagreement", run_graph=run_graph)
    assert seen == ["disagreement"]
    assert report["engine"] == "graph"
    assert report["graph"]["same_as_direct"] == 1.0
    assert report["graph"]["items"] == 80
    assert sum(report["graph"]["routes"].values()) == 80


# --- recorded sets: the figures that the documentation states, with room for their own intervals


def test_recorded_gptinst_learns_from_twenty_labels() -> None:
    names = [f"{m}/Vanilla" for m in ("GPT-4", "ChatGPT", "LLaMA2", "PaLM2")]
    report = replay(data("llmbar.jsonl"), panel=names, subset="GPTInst", seeds=20, draws=2)
    assert report["n"] == 92
    assert report["majority"]["accuracy"] == pytest.approx(0.587, abs=0.001)
    assert report["learned"]["20"]["accuracy"] > 0.86
    assert report["learned"]["20"]["over_naive_bayes_ci"][1] > -0.01
    assert report["routed_learned"]["20"]["0.2"]["accuracy"] > 0.96


@pytest.mark.parametrize("name", ["prd_vicuna80", "pandalm"])
def test_recorded_panels_route_better_than_random(name: str) -> None:
    report = replay(data(f"{name}.jsonl"), seeds=5, draws=4, reviewer="single")
    assert report["routed"]["0.2"]["gain_ci"][0] > 0.0
    assert report["learned"]["50"]["over_majority_ci"][1] > 0.0
    reviewed = report["reviewer"]
    assert reviewed["0.5"]["gain_ci"][1] >= 0.0
    if name == "pandalm":
        assert reviewed["0.5"]["accuracy"] >= 0.9


def test_recorded_scores_cascade() -> None:
    report = replay(
        data("rb2_k8_scores.jsonl"), panel=["gpt-5.4-mini/base", "gpt-5.4/base"], seeds=2, draws=2
    )
    cascade = report["scores"]["cascade"][0]
    assert cascade["cheap"] < cascade["strong"] + 0.02
    assert cascade["0.4"]["minus_strong_ci"][1] >= 0.0
    assert report["scores"]["judges"]["gpt-5.4/base"]["auroc_margin"] >= 0.8


def test_the_graph_spends_a_budget_on_recorded_items(pairs: Path) -> None:
    from solon.eval.replay.graph import run_graph
    from solon.eval.replay.recorded import load

    items = list(load(pairs, panel=None, subset=None, seed=0).items)[:20]
    found = run_graph(items, ConsensusModel.prior(), "budget(0.25)")
    asked = [routed for routed in found if routed.route == "review"]
    left = [routed for routed in found if routed.route == "accept"]
    assert (len(asked), len(left)) == (5, 15)
    worth = [min(routed.consensus.confidence, 0.9) for routed in asked]
    assert sum(worth) / 5 < sum(min(routed.consensus.confidence, 0.9) for routed in left) / 15


def test_recorded_people_answer_what_the_graph_sends_to_them(pairs: Path) -> None:
    from solon.eval.replay.graph import run_graph
    from solon.eval.replay.recorded import load

    items = list(load(pairs, panel=None, subset=None, seed=0).items)[:30]
    gold = {item.id: item.gold for item in items}
    for policy, asked in (("always", 30), ("never", 0), ("pilot(10)", None)):
        found = run_graph(items, ConsensusModel.prior(), policy)
        answered = [routed for routed in found if routed.asked]
        assert all(routed.final == gold[routed.item] for routed in answered)
        assert all(routed.final in ("A", "B") for routed in found)
        assert len(answered) == asked if asked is not None else 10 <= len(answered) <= 30
