"""What every peer is given, and how it is measured. Knows no library: it runs in the environment of each of them."""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import work

Row = dict[str, Any]
Template = tuple[str, str]

LETTER = {"logprobs": True, "top_logprobs": 10}
TEMPERATURES = (0.7, 1.0)


class Prompts:
    """Solon's own prompts with their places named as a template engine wants them."""

    def __init__(self, file: Path) -> None:
        self._made = json.loads(file.read_text())
        self.response_format: dict[str, Any] = self._made["schema"]

    def template(self, name: str, **places: str) -> Template:
        """System and user text; `places`: prompt, first and second, with what stands there."""
        system, user = self._made[name]
        for place, mark in (("prompt", "<P>"), ("first", "<1>"), ("second", "<2>")):
            user = user.replace(mark, places.get(place, mark))
        return system, user


def find_vocabulary() -> str:
    """The folder of tiktoken's vocabulary that litellm brings, so that counting tokens needs no network."""
    from importlib.util import find_spec

    found = find_spec("litellm")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / "litellm_core_utils" / "tokenizers")


def main(library: str, run: Callable[[list[Row], str, Prompts, str], list[Row]]) -> None:
    """Run a peer: a short run to warm up, then the measured one; one JSON object on the last line.

    Args:
        run: from seeds, the server's base URL, prompts and an empty folder to rows with a draft in `draft_1` and
            `draft_2`, findings in `critique_1` and `critique_2`, and letters in `judge_ab` and `judge_ba`.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--core", type=int, default=None)
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    url, prompts = f"http://127.0.0.1:{given.port}/v1", Prompts(given.prompts)
    with tempfile.TemporaryDirectory() as warm, tempfile.TemporaryDirectory() as folder:
        run(work.seeds(10), url, prompts, warm)
        before, begun = _cpu(), time.perf_counter()
        rows = run(work.seeds(given.rows), url, prompts, folder)
        wall, cpu = time.perf_counter() - begun, _cpu() - before
    check(rows, given.rows)
    told = {
        "what": library,
        "rows": given.rows,
        "seconds": round(wall, 4),
        "rows_per_s": round(given.rows / wall, 1),
        "cpu_ms_per_row": round(1000 * cpu / given.rows, 3),
        "peak_mb": round(_peak_kb() / 1024, 1),
    }
    work.tell(told)


def check(rows: list[Row], wanted: int) -> None:
    """All the work was done: otherwise its cost tells nothing."""
    assert len(rows) == wanted, f"{len(rows)} of {wanted} rows"
    for row in rows:
        assert str(row["draft_1"]).startswith("draft "), row
        assert str(row["draft_2"]).startswith("draft "), row
        assert "right-length" in str(row["critique_1"]), row
        assert "right-length" in str(row["critique_2"]), row
        assert {row["judge_ab"], row["judge_ba"]} == {"A", "B"}, row


def _cpu() -> float:
    """Seconds of this process and of the processes that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _peak_kb() -> int:
    """Of the largest process."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
