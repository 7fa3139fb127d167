"""kill -9 of a foreign graph with Solon as a node, at each of its nodes and under both ways of keeping its thread: the
item is found again, no call is paid twice, and its answer decides once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from solon.project import Project

GRAPH = """
import json, os, signal, sys
from typing import TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from solon.project import Project

folder, durability, kill_at, answers = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4]


class Outer(TypedDict, total=False):
    prompt: str
    item: str
    outcome: str
    record: dict


def die(at):
    if at == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)


def dying(desk):
    open_, drive, offer, waits = desk.open, desk.drive, desk.offer, desk.is_waiting

    async def open(*given):
        item = await open_(*given)
        die("open")
        return item

    async def driven(item, *, on_step, texts):
        def told(step):
            die(step)
            on_step(step)

        standing = await drive(item, on_step=told, texts=texts)
        die("driven")
        return standing

    async def offered(*given):
        note = await offer(*given)
        die("offered")
        return note

    def is_waiting(review):
        die("wait")
        return waits(review)

    desk.open, desk.drive, desk.offer, desk.is_waiting = open, driven, offered, is_waiting


config = {
    "models": {"default": {"model": "scripted:split", "options": {"log": f"{folder}/calls.jsonl"}}},
    "routing": {"policy": "always" if answers != "none" else "never"},
}
with Project(f"sqlite:///{folder}/store.db", config=config) as project:
    dying(project.interactive)
    graph = StateGraph(Outer)
    graph.add_node("solon", project.graph("preference"))
    graph.add_edge(START, "solon")
    graph.add_edge("solon", END)
    with SqliteSaver.from_conn_string(f"{folder}/outer.db") as saver:
        outer = graph.compile(checkpointer=saver)
        thread = {"configurable": {"thread_id": "a"}}
        begun = outer.get_state(thread)
        given = None if begun.next else {"prompt": "Why is the sky blue?"}
        state = outer.invoke(given, thread, durability=durability)
        if "__interrupt__" in state and answers == "yes":
            told = state["__interrupt__"][0].value
            answer = {"choice": "prefer", "candidate": told["candidates"][0]["id"], "rationale": "More."}
            state = outer.invoke(Command(resume=answer), thread, durability=durability)
    print(json.dumps({"waits": "__interrupt__" in state, "outcome": state.get("outcome")}))
"""


def call(folder: Path, durability: str, kill_at: str, answers: str) -> dict[str, Any]:
    """One process of the foreign graph; `kill_at` empty: it comes to its end."""
    command = [sys.executable, "-c", GRAPH, str(folder), durability, kill_at, answers]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == (-signal.SIGKILL if kill_at else 0), ended.stderr[-3000:]
    told: dict[str, Any] = json.loads(ended.stdout) if not kill_at else {}
    return told


def check(folder: Path, decisions: int) -> None:
    made = Counter(json.loads(line)["key"] for line in (folder / "calls.jsonl").read_text().splitlines())
    with Project(f"sqlite:///{folder / 'store.db'}") as project:
        (run,) = project.runs()
        assert (run.items, run.accepted) == (1, 1)
        assert len(project.reviews("decided")) == decisions
        (record,) = project.records()
        again = [key for key, times in made.items() if times > 1]
        assert run.model_calls <= len(made) + len(again)
        assert len(again) <= 4, "only what was in flight is asked again"
        assert record.route == ("decided" if decisions else "consensus")


@pytest.mark.parametrize("durability", ["sync", "exit"])
@pytest.mark.parametrize("kill_at", ["open", "judge", "driven", "wait"])
def test_killed_before_the_answer(tmp_path: Path, kill_at: str, durability: str) -> None:
    call(tmp_path, durability, kill_at, "no")
    assert call(tmp_path, durability, "", "yes") == {"waits": False, "outcome": "accepted"}
    check(tmp_path, 1)


@pytest.mark.parametrize("durability", ["sync", "exit"])
def test_killed_with_the_answer_taken_in(tmp_path: Path, durability: str) -> None:
    call(tmp_path, durability, "", "no")
    call(tmp_path, durability, "offered", "yes")
    assert call(tmp_path, durability, "", "yes")["outcome"] == "accepted"
    check(tmp_path, 1)


@pytest.mark.parametrize("durability", ["sync", "exit"])
def test_killed_after_the_end_of_an_item(tmp_path: Path, durability: str) -> None:
    """The item has ended, and its outcome did not reach the foreign graph: it is given once more, not made anew."""
    call(tmp_path, durability, "driven", "none")
    assert call(tmp_path, durability, "", "none")["outcome"] == "accepted"
    check(tmp_path, 0)
