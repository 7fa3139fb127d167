"""`solon eval replay` and `solon learn` as a person runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solon.eval.replay.replay import replay as replay_from_python
from solon.eval.table import HEAD, tabulate

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A fake recording of two judges."""
    rng = np.random.default_rng(2)
    rows = []
    for i in range(24):
        gold = "AB"[rng.integers(0, 2)]
        other = "BA"["AB".index(gold)]
        judges = {
            f"{name}/plain#{order}": {"verdict": gold if rng.random() < p else other, "order": order}
            for name, p in (("good", 0.9), ("poor", 0.55))
            for order in ("AB", "BA")
        }
        rows.append(
            {
                "id": f"i{i}",
                "judges": judges,
                "human": [gold] * 3,
                "gold": gold,
                "subset": "Even" if i % 2 else "Odd",
            }
        )
    path = tmp_path / "panel.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_replay_takes_every_option_and_prints_one_object(solon: Cli, recording: Path) -> None:
    code, out, err = solon(
        "eval", "replay", recording, "--panel", "good/plain", "--panel", "poor/plain#AB", "--labels", 5,
        "--reviewer", "single", "--budget", "0.1", "--budget", "0.4", "--alpha", "0.2", "--delta", "0.2",
        "--policy", "disagreement", "--seed", 3, "--seeds", 2, "--draws", 2, "--json",
    )  # fmt: skip
    assert code == 0, err
    assert len(out.splitlines()) == 1
    report = json.loads(out)
    assert report["n"] == 24
    assert report["panel"] == ["good/plain", "poor/plain"]
    assert report["engine"] == "graph"
    assert report["graph"]["same_as_direct"] == 1.0
    experts = report["graph"]["with_experts"]
    assert experts["asked"] >= report["graph"]["routes"].get("review", 0)
    assert experts["accuracy"] >= report["graph"]["accuracy"]
    assert report["labels"] == 5
    assert {"0.1", "0.4"} <= set(report["routed"])
    assert "0.2" not in report["routed"]
    assert {c["alpha"] for c in report["certified"]} == {0.2}
    assert report["reviewer"]["kind"] == "single"


def test_replay_takes_several_values_after_one_option(solon: Cli, recording: Path) -> None:
    code, out, err = solon(
        "eval", "replay", "--budget", "0.1", "0.4", "--panel", "good/plain", "poor/plain#AB", recording,
        "--policy", "certified(0.2, 0.3)", "--seeds", 2, "--draws", 2, "--json",
    )  # fmt: skip
    assert code == 0, err
    report = json.loads(out)
    assert report["panel"] == ["good/plain", "poor/plain"]
    assert {"0.1", "0.4"} <= set(report["routed"])
    assert "0.2" not in report["routed"]
    certificate = report["policy"]["certificate"]
    assert (certificate["alpha"], certificate["delta"]) == (0.2, 0.3)
    code, _, err = solon("eval", "replay", recording, "--policy", "threshold(0.2, 0.3)", "--seeds", 2)
    assert code == 2
    assert "no policy" in err


def test_replay_prints_a_table_for_people(solon: Cli, recording: Path) -> None:
    code, out, _ = solon("eval", "replay", recording, "--subset", "Even", "--seeds", 2, "--draws", 2)
    assert code == 0
    assert "12 of 12 items" in out
    assert "majority" in out
    assert "learned" in out


def test_the_table_has_a_row_for_each_report(recording: Path) -> None:
    report = replay_from_python(recording, seeds=2, draws=2)
    rows = tabulate([("mine", report)]).splitlines()
    assert len(rows) == 3
    cells = [cell.strip() for cell in rows[2].strip("|").split("|")]
    assert len(cells) == len(HEAD)
    assert cells[:3] == ["mine", "24", f"{report['majority']['accuracy']:.3f}"]
    assert cells[-1].endswith("% of 2")


def test_replay_draws_plots(solon: Cli, recording: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    code, out, _ = solon(
        "eval", "replay", recording, "--seeds", 2, "--draws", 2, "--plots", "plots", "--json"
    )
    assert code == 0
    written = json.loads(out)["plots"]
    assert len(written) == 3
    assert all((tmp_path / path).read_bytes().startswith(b"\x89PNG") for path in written)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--panel", "nobody"), "no judge named 'nobody'"),
        (("--reviewer", "god"), "no reviewer 'god'"),
        (("--budget", "3"), "is no fraction"),
        (("--policy", "sometimes"), "no policy 'sometimes'"),
        (("--subset", "Nowhere"), "no rows of subset"),
    ],
)
def test_replay_explains_mistakes(solon: Cli, recording: Path, options: tuple[str, ...], told: str) -> None:
    code, _, err = solon("eval", "replay", recording, *options)
    assert code == 2
    assert told in err
    assert "\n  -> " in err


def test_learn_makes_a_version_once_and_says_why_not_again(solon: Cli, copied: str) -> None:
    code, out, _ = solon("learn", "--store", copied, "--json")
    assert code == 0
    learned = json.loads(out)
    assert learned["version"] is None, learned
    assert "nothing new" in learned["why"]
    code, out, _ = solon("learn", "--store", copied)
    assert code == 0
    assert out.startswith("nothing new")


def test_status_shows_versions_looks_promise_and_audits(solon: Cli, copied: str, known: Any) -> None:
    code, out, err = solon("learn", known.run_id[:12], "--status", "--store", copied, "--json")
    assert code == 0, err
    status = json.loads(out)
    assert status["run_id"] == known.run_id
    assert status["not_counted"] == known.local
    assert status["counted"] == known.pilots + known.overlaps + known.audits
    numbers = [version["number"] for version in status["versions"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers
    assert status["looks"]
    assert sum(look["spent_delta"] for look in status["looks"]) <= 0.1
    for look in status["looks"]:
        assert (look["threshold"] is None) == (look["status"] == "refused")
        assert look["why"] or look["promise"]
    assert status["audit"]["n"] == known.audits
    code, out, _ = solon("learn", "--status", "--store", copied)
    assert f"audits since the newest certificate: {status['audit']['agreed']} of {known.audits} agreed" in out
    assert "version 1" in out


def test_learn_without_a_run_says_what_to_do(solon: Cli) -> None:
    code, _, err = solon("learn", "--store", "sqlite:///none.db")
    assert code == 1
    assert "there is no store" in err


def test_a_suite_begins_with_three_figures_and_the_next_step(solon: Cli, known: Any) -> None:
    code, out, err = solon("eval", "agreement", "--store", known.url)
    assert code == 0, err
    first, *figures, step = out.splitlines()[:5]
    assert first.startswith("agreement: n = ")
    assert len(figures) == 3
    assert all(", n = " in figure for figure in figures)
    assert step.startswith("  next: ")
    as_json = json.loads(solon("eval", "agreement", "--store", known.url, "--json")[1])
    assert len(as_json["headline"]) == 3
    assert as_json["headline"]["two experts agree with each other"] == as_json["ceiling"]["experts_agree"]


def test_a_suite_without_data_is_one_line(solon: Cli, known: Any, tmp_path: Path) -> None:
    from solon import Project

    with Project(f"sqlite:///{tmp_path}/new.db", config=known.config) as project:
        project.run("preference", known.rows[:2])
    for suite in ("agreement", "audit", "drift", "judges"):
        code, out, err = solon("eval", suite, "--store", f"sqlite:///{tmp_path}/new.db")
        assert code == 0, err
        assert " ".join(out.split()).startswith(f"{suite}: nothing to measure: ")
        assert ". Next: " in " ".join(out.split())
        assert "- (" not in out
        assert "├" not in out


def test_a_figure_of_few_is_not_told_as_if_it_meant_something() -> None:
    from solon.cli.evaluate import spell_figure
    from solon.eval.result import rate

    assert spell_figure(rate(1, 1)) == "unknown (too few, n = 1, 5 are the least)"
    assert spell_figure(rate(5, 5)).startswith("1.000 (0.478 to 1.000, n = 5")
    assert spell_figure(rate(0, 0, "nobody answered")) == "unknown (nobody answered, n = 0)"


def test_a_refused_certificate_says_so_and_why() -> None:
    from solon.cli.learn import spell_learned
    from solon.learning import LearningResult

    look = {"status": "refused", "threshold": None, "why": "2 decisions are too few"}
    learned = LearningResult(2, 5, 2, look, doubted=3, turned=1, why="version 2 is in force")
    assert not learned.granted
    assert learned.refused == "2 decisions are too few"
    assert learned.to_json()["refused"] == learned.refused
    assert "no certificate, refused: 2 decisions are too few" in repr(learned)
    told = spell_learned(learned)
    assert "certificate refused: 2 decisions are too few" in told
    assert (
        "out of the set: 3 records, since of 2 the panel is no longer sure enough, and for 1 it now chooses otherwise"
    ) in told
    assert LearningResult(None, 0, 0, None).refused == ""


def test_a_round_of_learning_tells_what_became_of_its_certificate(solon: Cli, copied: str) -> None:
    code, out, err = solon("learn", "--store", copied, "--json")
    assert code == 0, err
    learned = json.loads(out)
    assert {"granted", "refused", "doubted", "turned"} <= set(learned)
    if learned["certificate"] is not None:
        assert learned["certificate"]["status"] == ("granted" if learned["granted"] else "refused")


def test_power_says_how_a_pilot_would_fare(solon: Any, recording: Path) -> None:
    code, out, _ = solon("eval", "power", "--alpha", "0.2", "--projects", 20, "--panel", recording, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["pilot"] == 60
    assert [one["agreement"] for one in found["simulated"]] == [1.0, 0.97, 0.95, 0.9]
    assert found["simulated"][0]["granted"] == found["simulated"][0]["exact"] == 1.0
    assert found["panel"][0]["pilot"] == 60
    code, out, _ = solon("eval", "power", "--projects", 20, "--agreement", 0.95)
    assert "a pilot of 120, promise 90.0% with confidence 90%" in out
    assert "experts agree on 95.0%: granted in" in out
