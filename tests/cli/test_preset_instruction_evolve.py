"""The preset instruction-evolve, whole: begun, killed in its second generation, gone on with, answered and exported;
and what its own parts do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon import Project

Cli = Callable[..., Any]
PAINT = "How much paint do I need for a room?"
RULES = {
    "rules": [
        {
            "role": "generator",
            "prompt": rf"\[(task|example) \w+\]\n{PAINT[:-1]}",
            "answer": {"instruction": PAINT.upper(), "input": "", "response": "Ten litres of it."},
        },
        {
            "role": "generator",
            "answer": '{"instruction": "Tell $seed, what $seed does.", "input": "", "response": "Done $seed times."}',
        },
        {"role": "critic", "answer": {"findings": []}},
    ]
}
"""Every task is a new one, but for one seed, whose task comes back in capitals."""
RUN = ("run", "instruction-evolve", "--seeds", "seeds.jsonl", "--limit", "4")


@pytest.fixture
def home(solon: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = solon("init", "instruction-evolve", "--model", "scripted:rules.json", "--yes")
    assert made.code == 0
    home = folder / "instruction-evolve"
    (home / "rules.json").write_text(json.dumps(RULES))
    (home / "personas.txt").write_text("a nurse\n\n" + json.dumps({"persona": "a carpenter"}) + "\n")
    config = (home / "solon.toml").read_text()
    config = config.replace("# personas", "personas").replace(
        "[instruction]", "[instruction]\naccept_score = 1"
    )
    (home / "solon.toml").write_text(config)
    monkeypatch.chdir(home)
    return home


def drawn_by_item(project: Project) -> dict[str, list[Any]]:
    """Of each item the examples that it was shown, and what was drawn for it."""
    found = {}
    for item in project.items():
        way = project.trace(item.id)
        drawn = [call["round"] for call in way["calls"] if call["role"] == "draw"]
        found[item.id] = [way["item"]["examples"], sorted(drawn)]
    return found


def test_it_is_killed_resumed_answered_and_exported(
    solon: Cli, home: Path, killed: Callable[..., None]
) -> None:
    killed("solon.agents.generator:evolve", 8, *RUN)
    with Project("sqlite:///solon.db") as project:
        before = {name: one for name, one in drawn_by_item(project).items() if one[0] is not None}
    summary = solon("resume", "--json").json
    assert (summary["items"], summary["failed"], summary["rejected"]) == (12, 0, 3)
    ada = solon("expert", "add", "ada", "--json").json["token"]
    with Project("sqlite:///solon.db", expert=ada) as project:
        after = drawn_by_item(project)
        assert {name: after[name][0] for name in before} == {name: one[0] for name, one in before.items()}
        assert all(len({*rounds}) == len(rounds) for _, rounds in after.values()), "nothing is drawn twice"
        (reason,) = {item.reason for item in project.items() if item.state == "rejected"}
        assert reason.endswith("2 unchanged"), "an operator that returns its input is told"
        for review in project.reviews():
            project.decide(review, "accept", review.candidates[0], rationale="Somebody could ask this.")
    assert solon("resume", "--json").json["accepted"] == 9
    assert solon("export", "--format", "jsonl", "--output", "tasks", "--folder").code == 0
    rows = [json.loads(line) for line in Path("tasks/data/records.jsonl").read_text().splitlines()]
    made = Counter(row["lineage"]["descent"]["generation"] for row in rows)
    assert made[1] > made[2] > 0 < made[3]
    assert {row["lineage"]["drawn"]["persona"] for row in rows} == {"a nurse", "a carpenter"}
    assert len({row["lineage"]["drawn"]["operator"] for row in rows}) > 1
    assert "code" not in {name for row in rows for name in row["lineage"]["models"]}
    card = Path("tasks/README.md").read_text()
    assert "Generation 3: yield 1.00" in card
    assert f"(1: made of a seed, each further one of a task before): 1 ({made[1]})" in card
    figures = solon("eval", "generations", "--json").json
    first = figures["generations"]["1"]
    assert first["dropped"] == {"unchanged": 6}, "three items, each drafted anew once"
    assert (first["drafts"], first["items"]) == (made[1] + 6, made[1] + 3)
    assert {sum(values.values()) for values in figures["coverage"].values()} == {9}
    assert solon("report").code == 0
    assert "Tasks by generation" in Path("report.html").read_text()


def test_without_its_parts_nothing_is_evolved(solon: Cli, home: Path) -> None:
    """What the preset's own parts do: under the plain recipe each task is made of the seed, and one that says what the
    seed says is only known as a near-duplicate."""
    config = (home / "solon.toml").read_text().replace('policy = "pilot" ', 'policy = "never" ')
    (home / "solon.toml").write_text(config)
    (home / "few.jsonl").write_text(
        f'{{"prompt": "{PAINT}"}}\n{{"prompt": "Which vegetables are sown in March?"}}\n'
    )
    found = {}
    for recipe in ("instruction-evolve", "instruction"):
        store = f"sqlite:///{recipe}.db"
        assert solon("run", recipe, "--seeds", "few.jsonl", "--store", store, "--json").json["failed"] == 0
        with Project(store) as project:
            lineages = [row.lineage for row in project.records()]
            reason = next(item.reason for item in project.items() if item.state == "rejected")
            found[recipe] = (
                [one.get("descent", {}).get("generation") for one in lineages],
                reason.split()[-1],
            )
    assert found == {
        "instruction-evolve": ([1, 2, 3], "unchanged"),
        "instruction": ([None], "duplicate"),
    }


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ('operators = ["shorten"]', "operators"),
        ('operators = ["deepen", "deepen"]', "each once"),
        ('personas = "nowhere.txt"', "cannot be read"),
        ('personas = "empty.txt"', "no line"),
        ('attributes.length = ["short"]', "two values"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_stored(
    solon: Cli, home: Path, key: str, told: str
) -> None:
    (home / "empty.txt").write_text("\n \n")
    config = (home / "solon.toml").read_text()
    head, _, rest = config.partition("[recipes.instruction-evolve]")
    (home / "solon.toml").write_text(
        f"{head}[recipes.instruction-evolve]\n{key}\n[instruction]{rest.split('[instruction]')[1]}"
    )
    solon(*RUN).fails(2, "recipes.instruction-evolve", told)
    assert not (home / "solon.db").exists() or solon("runs", "--json").json == []


def test_functions_are_refused(solon: Cli, home: Path) -> None:
    source = 'from solon import generator\n\n\n@generator("own", "1")\ndef own(seed):\n    return "text"\n'
    (home / "writes_by_itself.py").write_text(source)
    config = (home / "solon.toml").read_text()
    (home / "solon.toml").write_text(config + '\n[generator]\npython = ["writes_by_itself:own"]\n')
    solon(*RUN).fails(2, "evolve none", "leave it out")
