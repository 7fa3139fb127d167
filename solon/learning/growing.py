"""A pilot that grows: its random order simply goes on, up to the next planned look."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solon.consensus.looks import size_reaching
from solon.errors import UsageError
from solon.learning.looks import Looking
from solon.store.learning.rerouting import at_work, grow_pilot
from solon.store.runs import certificates
from solon.store.runs.interactive import is_interactive
from solon.store.runs.pilot import count_items, count_pilot, count_pilot_within, drawn_at_first

if TYPE_CHECKING:
    from solon.config.sections import RoutingConfig
    from solon.store.database.engine import Connection
    from solon.store.database.store import Store
    from solon.store.runs.run_row import RunRow


@dataclass(frozen=True, slots=True)
class PilotGrowth:
    """What was drawn into a pilot.

    Attributes:
        run_id: the run.
        drawn: items that were added, or that will be as they come, where items are opened one by one.
        asked: those of them that experts were not asked about for a stratum before.
        size: of the pilot from now on.
        items: of the run.
        passed: sizes at which looks were planned that are passed over.
        awaited: size at which a look is still to come without them; None where there is none.
    """

    run_id: str
    drawn: int
    asked: int
    size: int
    items: int
    passed: tuple[int, ...] = ()
    awaited: int | None = None

    @property
    def look(self) -> str:
        """The look for which they are drawn, in words."""
        over = f", past those at {', '.join(map(str, self.passed))}" if self.passed else ""
        early = (
            f" (the look at {self.awaited} is still to come, and may do without them)" if self.awaited else ""
        )
        return f"the next planned look at {self.size}{over}{early}"

    def __str__(self) -> str:
        return (
            f"{self.drawn} more items are drawn into the pilot, which has {self.size} now, for {self.look}; "
            f"`solon resume {self.run_id[:8]}` asks about them"
        )


def grow(
    store: Store, run: RunRow, routing: RoutingConfig, more: int, *, dry_run: bool = False
) -> PilotGrowth:
    """Draw at least `more` items into the pilot, up to a planned size, so that nobody can choose the moment of a look.

    Args:
        dry_run: draw nothing, and only tell what would be.

    Raises:
        UsageError: the run has no pilot, no item that is not in it, or a certificate in force; or a process is at work
            on it.
    """
    if more < 1:
        raise UsageError(f"--more {more} draws nothing", next_step="give a number of 1 or more")
    with store.transaction() as connection:
        _check(connection, run, routing)
        total, streams = count_items(connection, run.id), is_interactive(run)
        first = drawn_at_first(connection, run.id, routing, grows=streams)
        before = max(count_pilot(connection, run.id), first if streams else 0)
        size = size_reaching(first, before + more)
        if not streams:
            size = min(size, total)
            if size <= before:
                raise UsageError(
                    f"all {total} items of run {run.id} are in the pilot already",
                    next_step="a larger run, or `solon release create --promise` on the records that there are",
                )
        planned = first << len(Looking.at(connection, run, routing).over)
        known = 0 if streams else count_pilot_within(connection, run.id, size) - before
        drawn = size - before if dry_run else grow_pilot(connection, run, size, interactive=streams)
    looks = itertools.takewhile(lambda at: at < size, (first << n for n in itertools.count()))
    passed = tuple(at for at in looks if at > before)
    awaited = planned if planned <= before else None
    return PilotGrowth(run.id, drawn, drawn - known, size, total, passed, awaited)


def _check(connection: Connection, run: RunRow, routing: RoutingConfig) -> None:
    if not routing.draws_pilot:
        raise UsageError(
            f"run {run.id} has policy {routing.policy}, and no pilot",
            next_step="raise routing.budget"
            if routing.policy == "budget"
            else 'set [routing] policy = "pilot"',
        )
    if certificates.certificate_of(connection, run) is not None:
        raise UsageError(
            f"run {run.id} has a certificate in force, which needs no further decisions",
            next_step="see `solon learn --status`",
        )
    if n := at_work(connection, run.id):
        raise UsageError(
            f"a process is at work on {n} items of run {run.id}",
            next_step="let it end, or stop it (Ctrl-C loses nothing), and repeat the command",
        )
