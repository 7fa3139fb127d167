"""The example files do what the pages say that they do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from solon.graphs.item_graph import ItemOutput

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = EXAMPLES.parent / "docs" / "graphs.md"
PRINTED = {
    "own_graph": "waits for a person: check_units: 2 of 2 answers leave out mg\naccepted by way of decided\n",
    "inside_langgraph": "waits for an answer: http://127.0.0.1:8321/?review=...\naccepted | True\n",
}


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs_and_stands_in_the_page(name: str, tmp_path: Path) -> None:
    file = EXAMPLES / f"{name}.py"
    assert f"```python\n{file.read_text()}```" in PAGE.read_text()
    ended = subprocess.run(
        [sys.executable, str(file)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.stdout == PRINTED[name], ended.stderr[-2000:]


def test_a_support_agent_sends_no_empty_reply_after_a_tie() -> None:
    found: dict[str, Any] = {"__name__": "inside_langgraph"}
    exec((EXAMPLES / "inside_langgraph.py").read_text(), found)
    tie = {"outcome": "accepted", "reason": "tie", "record": {"chosen": None, "label": "tie"}}
    assert found["reply"](tie) == {"reply": "A colleague will call you (tie)."}


def test_the_graph_for_a_server_is_compiled_without_a_checkpointer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, _, name = json.loads((EXAMPLES / "langgraph.json").read_text())["graphs"]["preference"].partition(
        ":"
    )
    found: dict[str, object] = {}
    exec((EXAMPLES / file).read_text(), found)
    graph = found[name]
    try:
        assert graph.checkpointer is None  # type: ignore[attr-defined]
        assert set(graph.get_output_jsonschema()["properties"]) == set(ItemOutput.__annotations__)  # type: ignore[attr-defined]
    finally:
        found["project"].close()  # type: ignore[attr-defined]
