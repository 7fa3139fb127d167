"""Dealing records to train and test, by a keyed hash of the seed group. Imports nothing of Solon."""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

Split = Literal["train", "test"]


def split_of(group: str, key: str, fraction: float) -> Split:
    """Return where a group belongs. It never moves, whatever else is exported; a larger `fraction` only adds
    groups to `test`.

    Args:
        key: names the split; another key deals the groups anew.
        fraction: expected share of groups in `test`, in [0, 1].
    """
    digest = hmac.new(key.encode(), group.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return "test" if int.from_bytes(digest[:8], "big") < fraction * 2**64 else "train"
