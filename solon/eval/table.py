"""`python -m solon.eval.table FILE...`: the main figures of replay reports as one Markdown table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HEAD = (
    "set", "n", "majority", "10 labels", "20", "50", "20% routed", "random", "20% routed after 20",
    "certified .20, pilot 120: coverage", "agreement", "false",
)  # fmt: skip


def tabulate(reports: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return the main figures as a Markdown table with one row a report; a dash where it has no such figure."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(_row(name, report) for name, report in reports)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _row(name: str, report: Mapping[str, Any]) -> tuple[str, ...]:
    learned, routed = report["learned"], report["routed"].get("0.2", {})
    after = report["routed_learned"].get("20", {}).get("0.2", {})
    certified: dict[str, Any] = next(
        (
            c
            for c in report["certified"]
            if (c["alpha"], c.get("score"), c.get("pilot")) == (0.2, "learned", 120)
        ),
        {},
    )
    false = f"{certified['false']:.1%} of {certified['draws']}" if certified else "-"
    return (
        name,
        str(report["n"]),
        _figure(report["majority"].get("accuracy")),
        *(_figure(learned.get(n, {}).get("accuracy")) for n in ("10", "20", "50")),
        _figure(routed.get("accuracy")),
        _figure(routed.get("random")),
        _figure(after.get("accuracy")),
        _figure(certified.get("coverage")),
        _figure(certified.get("agreement")),
        false,
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main(paths: Sequence[str]) -> None:
    """Print the table of the files; the last line of each is a report as one JSON object."""
    reports = [
        (Path(p).stem, json.loads(Path(p).read_text(encoding="utf-8").splitlines()[-1])) for p in paths
    ]
    sys.stdout.write(tabulate([(name, report) for name, report in reports if "majority" in report]))


if __name__ == "__main__":
    main(sys.argv[1:])
