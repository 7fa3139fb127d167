"""The clock of the store: the one place that tells the time of day, so that a test can set it."""

from __future__ import annotations

import time


def now() -> float:
    """Seconds since the epoch (UTC)."""
    return time.time()
