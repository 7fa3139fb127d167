"""`solon mcp`: the reference client over standard input and output; what is refused; nothing is written."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client
from sqlalchemy import select

from solon import Project
from solon.cli.app import command_tree
from solon.cli.mcp import MOST, Tools, find_sections, make_server
from solon.cli.options import open_project
from solon.errors import StoreError, UsageError
from solon.store import tables
from solon.store.database.store import Store

CONFIG = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}
SEEDS = [{"id": f"s{n}", "prompt": f"Explain thing {n}"} for n in range(3)]


@pytest.fixture
def project(folder: Path) -> Iterator[Project]:
    """A project of three items: one is decided, two wait for a person."""
    with Project("sqlite:///solon.db", config=CONFIG) as made:
        made.run("preference", SEEDS)
        review = made.reviews()[0]
        made.decide(review, "prefer", review.candidates[0], rationale="It is shorter.")
        made.resume()
        yield made


def dump(store: Store) -> dict[str, list[Any]]:
    with store.connect() as connection:
        return {
            table.name: connection.execute(select(table)).all() for table in tables.metadata.sorted_tables
        }


def ask(client: Any, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """What a client is told, call by call: the value, or the text of the error."""

    async def talk() -> list[Any]:
        told = []
        async with Client(client) as talking:
            for name, arguments in calls:
                result = await talking.call_tool(name, arguments)
                told.append(result.content[0].text if result.is_error else result.structured_content)
        return told

    return asyncio.run(talk())


def served(**given: Any) -> Any:
    """The server in this process."""
    opened = {"store": "sqlite:///solon.db", "file": None, **given}
    return make_server(Tools(lambda: open_project(**opened, read_only=True), command_tree()))


def test_the_reference_client_reads_everything_and_nothing_is_written(project: Project) -> None:
    before = dump(project.store)
    waits, [decided] = project.reviews()[0], project.reviews("decided")
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "solon", "mcp", "--store", "sqlite:///solon.db"],
        env={**os.environ, "SOLON_TOKEN": "nobody's"},
    )

    async def talk() -> tuple[list[Any], list[Any]]:
        async with Client(stdio_client(command)) as client:
            tools = (await client.list_tools()).tools
            calls = (
                ("read_status", {}),
                ("list_reviews", {"limit": 1}),
                ("show_review", {"review": waits.id}),
                ("show_lineage", {"some_id": decided.id}),
                ("show_lineage", {"some_id": waits.item_id}),
                ("evaluate", {"suite": "judges"}),
                ("read_docs", {"part": "formats", "about": "trl preference"}),
            )
            return tools, [await client.call_tool(*call) for call in calls]

    tools, results = asyncio.run(talk())
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)
    status, listed, review, lineage, refused, figures, docs = results
    [run] = status.structured_content["runs"]
    assert (run["items"], run["pending_review"]) == (3, 2)
    assert run["queue"]["reviews"] == 2
    assert "by_kind" not in run["queue"], "why a person is asked, the blind review hides"
    [first] = listed.structured_content["reviews"]
    assert (first["id"], first["choices"]) == (waits.id, list(waits.choices))
    shown = review.structured_content
    assert shown["prompt"] == waits.prompt
    assert shown["kind"] is None
    assert shown["reasons"] == []
    assert lineage.structured_content["verdicts"]
    assert [one["choice"] for one in lineage.structured_content["decisions"]] == ["prefer"]
    assert refused.is_error
    assert waits.id in refused.content[0].text
    assert figures.structured_content["suite"] == "judges"
    decided_votes = len(lineage.structured_content["verdicts"])
    told = sum(one["verdicts"] for one in figures.structured_content["judges"])
    assert told == decided_votes < sum(judge.verdicts for judge in project.evaluate("judges").judges)
    assert "trl-preference" in docs.structured_content["result"]
    assert dump(project.store) == before


def test_what_is_wrong_is_told_with_the_next_step(project: Project) -> None:
    unknown, suite, state, words, limit, none, many, long, asking = ask(
        served(),
        ("show_lineage", {"some_id": "nothing"}),
        ("evaluate", {"suite": "judge"}),
        ("list_reviews", {"state": "open"}),
        ("read_docs", {"part": "errors", "about": "xylophone"}),
        ("list_reviews", {"limit": "many"}),
        ("list_reviews", {"limit": 0}),
        ("list_reviews", {"limit": 10**30}),
        ("show_review", {"review": "a" * 200_000}),
        ("evaluate", {"suite": "scores"}),
    )
    assert "'nothing'" in unknown
    assert "did you mean 'judges'?" in suite
    assert "states: waiting" in state
    assert "xylophone" in words
    assert "limit" in limit
    assert all("from 1 to 1000" in told for told in (none, many))
    assert "review: 200000 characters" in long
    assert len(long) < 300
    assert "asks a model" in asking
    [misspelt] = ask(served(), ("read_docs", {"words": "trl"}))
    assert misspelt == "read_docs has no argument 'words': it has part, about"
    [missing] = ask(served(store="sqlite:///other.db"), ("read_status", {}))
    assert "there is no store" in missing
    assert "  -> " in missing
    assert not Path("other.db").exists()


@pytest.mark.parametrize(("schema", "told"), [("9999", "newer Solon"), ("0001", "solon doctor --migrate")])
def test_a_store_of_another_version_is_refused(project: Project, schema: str, told: str) -> None:
    with project.store.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{schema}'")
    [refused] = ask(served(), ("read_status", {}))
    assert told in refused


def test_texts_that_name_people_go_to_no_agent(folder: Path) -> None:
    people = {"privacy": {"class": "personal"}}
    with Project("sqlite:///solon.db", config={**CONFIG, **people}) as made:
        made.run("preference", SEEDS)
        review = made.reviews()[0]
        made.decide(review, "prefer", review.candidates[0], rationale="It is shorter.")
        made.resume()
    listed, figures, *refused = ask(
        served(),
        ("list_reviews", {}),
        ("evaluate", {"suite": "judges"}),
        ("show_review", {"review": review.id}),
        *(("evaluate", {"suite": suite}) for suite in ("diversity", "rankings", "generations")),
    )
    assert figures["suite"] == "judges"
    assert "Explain" not in str([listed, figures])
    assert all("name people" in told for told in refused)


def test_the_votes_on_what_waits_are_in_no_figure(folder: Path) -> None:
    with Project("sqlite:///solon.db", config=CONFIG) as made:
        made.run("preference", SEEDS[:1])
        assert made.evaluate("judges").judges
        item = made.reviews()[0].item_id
    told, refused = ask(served(), ("evaluate", {"suite": "judges"}), ("show_lineage", {"some_id": item}))
    assert told["judges"] == []
    assert "not answered yet" in refused


def test_a_record_whose_audit_waits_is_in_no_figure_of_routes_or_tiers(folder: Path) -> None:
    routing = {"policy": "never", "audit_share": 0.5}
    config = {"models": {"default": {"model": "scripted:default"}}, "routing": routing}
    with Project("sqlite:///solon.db", config=config) as made:
        made.run("preference", [{"id": f"s{n}", "prompt": f"Explain thing {n}"} for n in range(8)])
        waiting = len(made.reviews())
        assert made.evaluate("tiers").n == 8
    tiers, audit = ask(served(), ("evaluate", {"suite": "tiers"}), ("evaluate", {"suite": "audit"}))
    assert 0 < waiting < 8
    assert (tiers["n"], tiers["notes"]) == (8 - waiting, [])
    assert audit["runs"][0]["waiting"] == waiting


def test_the_order_of_candidates_tells_nothing_of_the_models(folder: Path) -> None:
    with Project("sqlite:///solon.db", config=CONFIG) as made:
        made.run("preference", [{"id": f"s{n}", "prompt": f"Explain thing {n}"} for n in range(12)])
        stored = {review.id: [one.id for one in review.candidates] for review in made.reviews()}
    twice = [ask(served(), *(("show_review", {"review": name}) for name in stored)) for _ in range(2)]
    assert twice[0] == twice[1]
    shown = {one["id"]: [candidate["id"] for candidate in one["candidates"]] for one in twice[0]}
    assert all(sorted(shown[name]) == sorted(ids) for name, ids in stored.items())
    assert 0 < sum(shown[name] == ids for name, ids in stored.items()) < len(stored)


def test_a_store_that_is_only_read_refuses_every_write(project: Project) -> None:
    with Project("sqlite:///solon.db", config=CONFIG, read_only=True) as reading:
        review = reading.reviews()[0]
        with pytest.raises(StoreError, match="opened for reading only"):
            reading.decide(review, "tie", rationale="They are equal.")
        with pytest.raises(StoreError, match=r"(?i)read-?only"), reading.store.connect() as connection:
            connection.exec_driver_sql("DELETE FROM reviews")
    with pytest.raises(StoreError, match="there is no store"):
        Project("sqlite:///other.db", config=CONFIG, create=False, read_only=True)


def test_sections_are_found_by_words() -> None:
    text = "# All\n\n## Export\n\nexport a file\n\n### Import\n\na file of another tool, exported\n\n## Rest\n\nx"
    assert find_sections(text, "import_ file").startswith("### Import")
    assert find_sections(text, "") == text
    assert len(find_sections("long " * MOST, "")) < MOST + 100
    with pytest.raises(UsageError, match="nope"):
        find_sections(text, "nope")
