"""The replay of recorded panels as a suite: one replay for each file of `--against`, with recorded people as
experts.

`solon eval replay FILE` has the options of a replay; this is the same with its defaults, in the form of every
suite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solon.errors import UsageError
from solon.eval.replay.replay import replay
from solon.eval.result import Figure, SuiteResult

if TYPE_CHECKING:
    from solon.eval.material import Material


class Replays(SuiteResult):
    """What replays of recorded panels found.

    Attributes:
        majority: by file, agreement of the plain vote with people.
        learned: by file, agreement after the most decisions known beforehand.
        reports: everything that each replay measured.
    """

    majority: dict[str, Figure]
    learned: dict[str, Figure]
    reports: tuple[dict[str, Any], ...]

    def headline(self) -> dict[str, Figure]:
        """The plain vote and the learned one, file by file, as far as three figures go."""
        figures = [
            (f"{name} in {file}", found[file])
            for file in self.majority
            for name, found in (
                ("plain vote and people agree", self.majority),
                ("after learning", self.learned),
            )
        ]
        return dict(figures[:3])


def evaluate(material: Material) -> Replays:
    """Replay every file that was named, and return the figures.

    Raises:
        UsageError: no file was named, or one is no recording.
    """
    if not material.against:
        raise UsageError("a replay needs recorded panels", next_step="name them with --against FILE")
    reports = tuple(replay(file, seed=material.seed) for file in material.against)
    return Replays(
        suite="replay",
        n=sum(report["n"] for report in reports),
        majority={report["file"]: _figure(report["majority"], report["n"]) for report in reports},
        learned={report["file"]: _figure(_last(report["learned"]), report["n"]) for report in reports},
        reports=reports,
    )


def _last(learned: dict[str, dict[str, Any]]) -> dict[str, Any]:
    measured = {int(n): figures for n, figures in learned.items() if "accuracy" in figures}
    return measured[max(measured)]


def _figure(found: dict[str, Any], n: int) -> Figure:
    return Figure(value=found["accuracy"], low=found["ci"][0], high=found["ci"][1], n=n)
