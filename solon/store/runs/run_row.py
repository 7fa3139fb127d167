"""The row of a run, for modules that need nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as it is stored.

    Attributes:
        id: id of the run.
        recipe: name of its recipe.
        status: loading, running, waiting (for people), stopped or done; `preview` and `known` for runs in no list.
        config_id: its effective configuration.
        seeds_name: name of the file or set of seeds.
        seeds_fingerprint: hash of the set of seeds.
        reuse_run_id: an earlier run whose finished calls are taken over, None without.
        scope: id of the scope of its consensus and certificates, see `store.runs.certificates`.
        random_seed: root of every random draw of the run.
        bad_rows: rows of the file that could not be read.
        actor: who began it.
        created_at: when it began, epoch seconds.
        active_seconds: time that processes have worked on it.
        finished_at: when a process last stopped working on it, None while the first one does.
        stopped_because: why it stopped before its end, None where it did not.
        spent: what its calls took when a process last stopped working on it, see `store.runs.runs.spent`.
    """

    id: str
    recipe: str
    status: str
    config_id: str
    seeds_name: str
    seeds_fingerprint: str
    reuse_run_id: str | None
    scope: str
    random_seed: int
    bad_rows: int
    actor: str
    created_at: float
    active_seconds: float
    finished_at: float | None
    stopped_because: str | None
    spent: dict[str, Any] | None = None
