"""A run on Ray: two nodes on this machine and a PostgreSQL store; one node is killed. Scripted model."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from solon.errors import ConfigError, UsageError
from solon.project import Project
from solon.store import tables
from solon.store.runs.items import claim, count_states, fence, load_items, owner, set_state, working

CONFIG: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "routing": {"policy": "never", "audit_share": 0},
    "run": {"concurrency": 4},
}
SEEDS = [f"Question {n}?" for n in range(60)]
pytestmark = pytest.mark.filterwarnings("default")


def test_a_lost_worker_is_shut_out(tmp_path: Path) -> None:
    """What a cut-off worker writes later moves nothing: its attempt is over."""
    with Project(f"sqlite:///{tmp_path / 'store.db'}", config=CONFIG) as project:
        run = project.load("preference", SEEDS[:3])
        with working() as me, project.store.transaction() as connection:
            held = claim(connection, run.id, 2, me)
            assert fence(connection, run.id, "elsewhere:1:1") == 0
            assert fence(connection, run.id, owner()) == 2
            assert count_states(connection, run.id)["queued"] == 3
            assert not set_state(connection, held[0], 0, "accepted")
        assert [item.attempt for item in load_items(project.store, held)] == [1, 1]
        assert project.run("preference", SEEDS[:3]).accepted == 3


@pytest.mark.sqlite("a file that machines cannot share")
def test_a_cluster_needs_a_store_that_it_can_share(tmp_path: Path) -> None:
    from solon.operations.cluster import run_on_ray

    with Project(f"sqlite:///{tmp_path / 'store.db'}", config=CONFIG) as project:
        run = project.load("preference", SEEDS[:1])
        with pytest.raises(UsageError, match="cannot share a SQLite file") as caught:
            run_on_ray(project, run, address="auto")
        assert "solon migrate" in caught.value.next_step


@pytest.fixture
def two_nodes() -> Iterator[Any]:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'solon[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster, second
        cluster.shutdown()


def workers_of(node: Any) -> list[Any]:
    """The processes of a node's workers."""
    psutil = pytest.importorskip("psutil")
    [raylet] = node.all_processes["raylet"]
    return list(psutil.Process(raylet.process.pid).children(recursive=True))


def holds_items(project: Project, processes: list[Any]) -> bool:
    """Is an item in hand of one of these?"""
    rows = tables.items
    with project.store.connect() as connection:
        running = select(rows.c.claimed_by).where(rows.c.state == "running").distinct()
        owners = list(connection.execute(running).scalars())
    pids = {str(process.pid) for process in processes}
    return any(set(claimed.split(":")) & pids for claimed in owners if claimed)


def test_a_killed_node_costs_nothing_but_calls_in_flight(
    two_nodes: Any, new_postgres_database: Callable[[], str]
) -> None:
    from solon.operations.cluster import run_on_ray

    cluster, second = two_nodes
    slow = {**CONFIG, "models": {"default": {"model": "scripted:default", "options": {"latency": 0.2}}}}
    with Project(new_postgres_database(), config=slow) as project:
        run = project.load("preference", SEEDS)
        killed = threading.Event()

        def watch(counts: Any) -> None:
            if counts["accepted"] < 10 or killed.is_set():
                return
            if holds_items(project, workers := workers_of(second)):
                killed.set()
                # By themselves workers end only when they miss their node: a machine without power takes them along.
                for worker in workers:
                    worker.kill()
                cluster.remove_node(second, allow_graceful=False)

        summary = run_on_ray(project, run, address=cluster.address, workers=2, on_counts=watch)
        assert killed.is_set(), "the node was to die in the middle of the run"
        assert (summary.items, summary.accepted, summary.failed, summary.queued) == (60, 60, 0, 0)
        with project.store.connect() as connection:
            rows = tables.items
            records = tables.records
            in_force = select(records.c.item_id).where(records.c.superseded_at.is_(None))
            items = list(connection.execute(in_force).scalars())
            taken_over = select(func.count()).select_from(rows).where(rows.c.starts > 1)
            assert connection.execute(taken_over).scalar_one() > 0, "the dead worker held items"
        assert len(items) == len(set(items)) == 60


def test_without_ray_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from solon.operations.cluster import run_on_ray

    monkeypatch.setitem(sys.modules, "ray", None)
    with Project(f"sqlite:///{tmp_path / 'store.db'}", config=CONFIG) as project:
        run = project.load("preference", SEEDS[:1])
        with pytest.raises(ConfigError, match="needs Ray"):
            run_on_ray(project, run)
