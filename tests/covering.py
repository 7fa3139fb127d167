"""Which tests run over PostgreSQL too: enough that every statement which Solon sends to a store is sent to it.

A run on SQLite notes for each test the statements that it sends. The same SQL means the same work on either database,
so the tests over PostgreSQL are a cover of those statements, not all tests that open a store (which `make
test-postgres` runs): each statement in `TIMES` tests where so many send it.
"""

from __future__ import annotations

import heapq
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

TIMES = 2
"""Data differs from test to test: a statement that is sent once with one row proves less than twice."""
ALWAYS = ("tests/store/", "tests/savers/", "tests/graphs/test_kill.py")
"""Where the store, the checkpoints and what a kill leaves of them are themselves what is tested."""
_VALUES, _ROWS = re.compile(r"\?(?:, *\?)+"), re.compile(r"(\([^()]*\))(?:, *\1)+")


@cache
def _name(statement: str) -> str:
    """A short name of a statement, the same for any number of values in a list."""
    return blake2b(_ROWS.sub(r"\1", _VALUES.sub("?", statement)).encode(), digest_size=5).hexdigest()


@dataclass(slots=True)
class Noted:
    """What one test asked of stores.

    Attributes:
        sent: how often this process sent which statement to SQLite; what others send that it starts is not known.
    """

    sent: Counter[str] = field(default_factory=Counter)

    def statement(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        """Note a statement: what SQLAlchemy calls before it sends one."""
        if connection.dialect.name == "sqlite":
            self.sent[_name(statement)] += 1


def write_notes(path: Path, noted: Mapping[str, Noted]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: one.sent for name, one in noted.items()}, indent=0, sort_keys=True))


def read_notes(path: Path) -> dict[str, Noted]:
    return {name: Noted(Counter(sent)) for name, sent in json.loads(path.read_text()).items()}


def cover(offered: Mapping[str, bool], noted: Mapping[str, Noted]) -> set[str]:
    """The names of the tests to run: those nobody has seen, those of `ALWAYS`, and a cover of all statements.

    Greedy: next comes the test that sends the most that is still missing for what it costs, counted in statements.

    Args:
        offered: names of tests, and whether they may run here.
    """
    wanted = {name for name, may in offered.items() if may and name not in noted}
    known = {name: noted[name] for name, may in offered.items() if may and name in noted}
    wanted |= {name for name, one in known.items() if one.sent and name.startswith(ALWAYS)}
    missing = {statement: TIMES for one in known.values() for statement in one.sent}

    def take(name: str) -> None:
        wanted.add(name)
        for statement in known[name].sent if name in known else ():
            missing[statement] -= 1

    def worth(name: str) -> float:
        sent = known[name].sent
        return sum(missing[statement] > 0 for statement in sent) / (sent.total() + 20)

    for name in sorted(wanted):
        take(name)
    waiting = [(-worth(name), name) for name in known.keys() - wanted if known[name].sent]
    heapq.heapify(waiting)
    while waiting:
        stale, name = heapq.heappop(waiting)
        now = worth(name)
        if now and -stale > now:  # others have sent some of it since
            heapq.heappush(waiting, (-now, name))
        elif now:
            take(name)
    return wanted
