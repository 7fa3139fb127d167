"""The command line. Importing it loads neither graphs nor database: each command imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `solon` with these arguments (default: those of the process); returns the exit code."""
    try:
        if arguments is None:
            from solon.cli.streams import guard_streams

            guard_streams()
        from solon.cli.app import run_command
    except KeyboardInterrupt:  # before anything has begun
        return 4

    return run_command(arguments)
