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


def still_shown(test: Mapping[str, Any], gone: int, alpha: float) -> bool:
    """Whether a test would have passed with so many of the agreements that it counts as disagreements."""
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
        told = f"{lost} {'decision' if lost == 1 else 'decisions'} that certificate {row.id} relies on"
        told += " was" if lost == 1 else " were"
        if stands:
            return f"{told} withdrawn: it stands with them counted as disagreement"
        certificates.suspend(connection, row.id, why=f"{told} withdrawn", note={WITHDRAWN: lost})
        return f"{told} withdrawn: it is suspended until they are answered again and the look is repeated"
