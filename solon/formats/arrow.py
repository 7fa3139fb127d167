"""Loads pyarrow on first use, with a clear error where it is not installed. Imports `errors` only."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from solon.errors import UsageError


def load_arrow(path: Path, error: type[UsageError] = UsageError) -> tuple[Any, Any]:
    """Return the modules `pyarrow` and `pyarrow.parquet` (they have no types, hence Any).

    Args:
        path: the file that needs them, for the message.
        error: the class of the error that is raised where they are not installed.

    Raises:
        UsageError: as `error`, naming the file that needs them and the extra that brings them.
    """
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise error(
            f"{path} is a Parquet file, and pyarrow is not installed",
            next_step='install the extra, pip install "solon[parquet]", or use JSONL',
        ) from None
