"""What an item costs, in what does not jitter: calls, rows, bytes, prompts, steps of LangGraph. No times.

A number that rises fails here. Where it must rise, raise it in the commit that makes it, and say why.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langgraph.pregel import Pregel
from sqlalchemy import func, select

from benchmarks import work
from benchmarks.run import fake_server
from solon.agents.models import logprobs
from solon.project import Project
from solon.prompts.library import Prompt
from solon.store import tables
from solon.store.runs.journal import CallKey

ITEMS = 8
ROWS = {
    "texts": 15,  # beside those that all seeds share
    "calls": 6,
    "candidates": 2,
    "critiques": 2,
    "verdicts": 2,
    "records": 1,
    "items": 1,
    "seeds": 1,
}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each of these was done."""
    counts: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(Prompt, "render")
    count(CallKey, "_hash")
    count(Pregel, "astream")
    count(logprobs, "_read")
    return counts


def run(tmp_path: Path, policy: str) -> dict[str, float]:
    """Rows an item, by table, and the characters of its texts, of a run on the fake server of the benchmarks."""
    url = f"sqlite:///{tmp_path / 'cost.db'}"
    with fake_server() as port, Project(url, config=work.config(port, policy=policy)) as project:
        summary = project.run("preference", work.seeds(ITEMS))
        assert summary.model_calls == work.CALLS * ITEMS
        with project.store.connect() as connection:
            found = {
                name: connection.execute(select(func.count()).select_from(getattr(tables, name))).scalar_one()
                for name in ROWS.keys() - {"texts"}
            }
            own = select(func.count(), func.sum(func.length(tables.texts.c.body))).where(
                tables.texts.c.seed_id.is_not(None)
            )
            found["texts"], found["characters"] = connection.execute(own).one()
    return {name: n / ITEMS for name, n in found.items()}


def test_an_item_that_its_panel_ends(tmp_path: Path, counted: Counter[str]) -> None:
    told = run(tmp_path, "never")
    characters = told.pop("characters")
    assert {name: n for name, n in told.items() if n > ROWS[name]} == {}
    assert characters < 6_400
    assert counted["render"] <= 6 * ITEMS, "no prompt is rendered twice"
    assert counted["_hash"] <= 6 * ITEMS, "no call's key is hashed twice"
    assert counted["_read"] <= 2 * ITEMS, "no log probabilities are read twice"
    assert counted["astream"] == 0, "LangGraph begins where an item waits for a person"


def test_an_item_that_waits_for_a_person(tmp_path: Path, counted: Counter[str]) -> None:
    run(tmp_path, "always")
    assert counted["astream"] <= ITEMS
