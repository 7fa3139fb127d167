"""The command line. Importing it loads neither graphs nor database: each command imports what it needs when it runs."""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `solon` with these arguments (default: those of the process); returns the exit code."""
    try:
        if arguments is None:
            # Matrices are small here, and NumPy's threads wait for each other by spinning: beside a busy model a fit of
            # milliseconds took half a minute.
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            from solon.cli.streams import guard_streams

            guard_streams()
        from solon.cli.app import run_command
    except KeyboardInterrupt:  # before anything has begun
        return 4

    return run_command(arguments)
