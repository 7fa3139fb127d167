"""Standard streams that cannot stop a command: what nobody reads goes nowhere, and the work goes on to its end."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


def guard_streams() -> None:
    """Replace the process's standard streams by some that outlive their reader, and that are there where they
    were closed.

    A command then ends with the code of its work, whether or not anybody read all that it said.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    for number, name in ((1, "stdout"), (2, "stderr")):
        before = getattr(sys, name)
        raw = _Unheard(number, "wb", closefd=False)
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=getattr(before, "encoding", "utf-8"),
            errors=getattr(before, "errors", "replace"),
            line_buffering=getattr(before, "line_buffering", False),
            write_through=getattr(before, "write_through", False),
        )
        setattr(sys, name, stream)


class _Unheard(io.FileIO):
    """Writes to nowhere once its reader is gone. That a disk is full is told of the output, once."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if self.fileno() == 1 and not isinstance(error, BrokenPipeError):
                raise
            return len(memoryview(data).cast("B"))
