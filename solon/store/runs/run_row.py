"""A run as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as it is stored."""

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
