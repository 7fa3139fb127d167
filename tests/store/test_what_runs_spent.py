"""What a run spent is added up once for the calls that it has, and again when there are more."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event, literal, select

from solon.agents.models.scripted import ScriptedChat
from solon.project import Project
from solon.store.database.store import Store
from solon.store.records.overview import count_filtered, unusable_answers
from solon.store.reviewing.measuring_runs import measures
from solon.store.reviewing.review_rows import find_review
from solon.store.runs.runs import count_calls, keep_spent, spent
from solon.store.tables import calls, runs

CONFIG = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "always"}}
SEEDS = [{"id": f"s{i}", "prompt": f"Explain in plain words what thing number {i} does"} for i in range(3)]


def asked_in(store: Store, work: Any) -> tuple[Any, list[tuple[str, Any]]]:
    """What the work returned, and the statements that it sent."""
    told: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        told.append((statement, parameters))

    with store.connect() as connection:
        event.listen(store.engine, "before_cursor_execute", note)
        found = work(connection)
        event.remove(store.engine, "before_cursor_execute", note)
    return found, told


def test_what_a_run_spent_is_kept_until_it_makes_another_call(store_url: str) -> None:
    with Project(store_url, config=CONFIG, models={"default": ScriptedChat()}) as project:
        summary = project.run("preference", SEEDS)
        run, store = summary.run_id, project.store
        kept, told = asked_in(store, lambda c: spent(c, run))
        assert kept.calls == summary.model_calls > 0
        assert kept.input_tokens + kept.output_tokens == summary.tokens > 0
        assert not any("sum(" in statement for statement, _ in told), "the run's end added it up"

        with store.transaction() as connection:
            assert spent(connection, run) == kept
            connection.execute(runs.update().where(runs.c.id == run).values(spent=None))
            assert spent(connection, run) == kept, "a store of an earlier version has nothing kept"
        keep_spent(store, run)
        with store.connect() as connection:
            assert (connection.scalar(select(runs.c.spent)) or {})["calls"] == count_calls(connection, run)

        other = {"id": literal("another"), "attempts": literal(7)}
        copied = select(*(other.get(column.name, column) for column in calls.columns))
        with store.transaction() as connection:
            one = copied.where(calls.c.attempts == 1).order_by(calls.c.id).limit(1)
            connection.execute(calls.insert().from_select(list(calls.columns), one))
            later = spent(connection, run)
            assert later.calls == kept.calls + 7, "the further call is added up"
        keep_spent(store, run)
        with store.connect() as connection:
            assert spent(connection, run) == later


@pytest.mark.sqlite("its query plans")
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_few_rows_are_read_where_there_are_few(store_url: str) -> None:
    """Whether a run measures, what failed and what was dropped in it is found without reading all that it has."""
    with Project(store_url, config=CONFIG, models={"default": ScriptedChat()}) as project:
        run = project.run("preference", SEEDS).run_id
        with project.store.connect() as connection:
            review = find_review(connection, project.reviews()[0].id)
        for ask, index in (
            (lambda c: measures(c, review), "ix_reviews_drawn"),
            (lambda c: unusable_answers(c, run), "ix_calls_failed"),
            (lambda c: count_filtered(c, run), "ix_candidates_unused"),
        ):
            _, told = asked_in(project.store, ask)
            with project.store.connect() as connection:
                plans = [
                    row[3]
                    for statement, parameters in told
                    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                ]
            assert any(index in step for step in plans), plans


OF_RUN = re.compile(
    r"(?:SCAN|SEARCH) (?:items|reviews|calls|candidates|verdicts) (USING .*)\(run_id=\?(?: AND state=\?)?\)$"
)
"""A step that goes through all rows of a run, or all of them in a state."""
OF_FEW = ("ix_items_pilot", "ix_calls_failed", "ix_reviews_orders", "ix_reviews_rubrics")
COUNTED = {
    "USING COVERING INDEX ix_calls_run_seed ",
    "USING COVERING INDEX ix_items_run_state ",
    "USING COVERING INDEX ix_reviews_waiting ",
}


@pytest.mark.sqlite("its query plans")
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_resume_reads_no_row_of_what_goes_on_waiting(store_url: str) -> None:
    """Calls, items by state and reviews that wait are counted, each from an index alone; calls before and after."""
    with Project(store_url, config=CONFIG, models={"default": ScriptedChat()}) as project:
        project.run("preference", SEEDS)
        review = project.reviews()[0]
        project.decide(review, "prefer", review.candidates[0])
        _, told = asked_in(project.store, lambda _: project.resume())
        with project.store.connect() as connection:
            plans = [
                (row[3], str(parameters))
                for statement, parameters in told
                if statement.startswith(("SELECT", "UPDATE")) and isinstance(parameters, tuple)
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]
    read = [
        found[1]
        for step, parameters in plans
        if (found := OF_RUN.match(step)) and ("state=?" not in step or "waiting" in parameters)
    ]
    assert {index for index in read if not any(few in index for few in OF_FEW)} == COUNTED
    assert sum("ix_calls_run_seed" in index for index in read) == 2
    whole = [step for step, _ in plans if re.match(r"SCAN (items|reviews|calls|candidates|verdicts)\b", step)]
    assert [
        step for step in whole if "ix_reviews_made" not in step and "ix_candidates_unused" not in step
    ] == []
