"""Decisions that a certificate counts as agreement, and that were taken back, or ruled otherwise, since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from solon.store.learning.evidence import withdrawn_among
from solon.store.runs import certificates

WITHDRAWN = "withdrawn"
"""What is noted with a certificate that was suspended since decisions were withdrawn."""

if TYPE_CHECKING:
    from solon.store.database.store import Store
    from solon.store.runs.run_row import RunRow


def tell_withdrawn(n: int) -> str:
    """How many decisions that a certificate, or the promise of a stratum, relies on were withdrawn, in words."""
    return (
        "1 decision that it relies on was withdrawn"
        if n == 1
        else f"{n} decisions that it relies on were withdrawn"
    )


def still_shown(test: Mapping[str, Any], gone: int, alpha: float) -> bool:
    """Whether a test would still pass if, of the decisions that it counts as agreements, this many were disagreements.

    Args:
        test: its figures: how many decisions (`n`) it looked at, how many `agreed`, the `level` and the `threshold`.
        gone: how many agreements were withdrawn since.
        alpha: of the promise.
    """
    from solon.consensus.binomial import tail_at_least

    if not gone or test["threshold"] is None:
        return True
    return tail_at_least(round(test["agreed"]) - gone, int(test["n"]), 1.0 - alpha) <= float(test["level"])


def recheck(store: Store, run: RunRow) -> str:
    """Test the certificate in force of a run again where decisions that it relies on were withdrawn: each counts as
    disagreement. It is suspended where it would not have been granted so. What was found, in words; empty where nothing
    was withdrawn.
    """
    with store.transaction() as connection:
        row = certificates.certificate_of(connection, run)
        relied_on = row.figures.get("relied_on") if row is not None else None
        if row is None or not relied_on:
            return ""
        tests = row.figures.get("tiers") or [row.figures]
        lost, stands = 0, True
        for test, names in zip(tests, relied_on, strict=True):
            gone = len(withdrawn_among(connection, names))
            stands = stands and still_shown(test, gone, row.alpha)
            lost += gone
        if not lost:
            return ""
        told = tell_withdrawn(lost)
        if stands:
            return f"certificate {row.id} stands: {told}, and each counts as disagreement"
        certificates.suspend(connection, row.id, why=told, note={WITHDRAWN: lost})
        return (
            f"certificate {row.id} is suspended until what was withdrawn is answered again and the look is repeated: "
            f"{told}"
        )
