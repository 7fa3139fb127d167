"""Whether further decisions still pay, by what they correct and by what they teach. Imports numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solon.consensus.ballots import Floats
from solon.consensus.select import score_value

LEAST = 30
"""Fewer decisions to learn from cannot show whether further ones pay."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Whether to stop asking for decisions, and the figures behind it.

    Attributes:
        stop: True where further decisions do not pay.
        direct: records that one decision of the next block puts right itself.
        learning: records that one decision puts right among the rest by what it teaches, from the learning
            curve; None before the curve shows it.
        learning_error: standard error of ``learning``; None with it.
        why: in words.
        pays: whether they pay; None where that cannot be told yet.
    """

    stop: bool
    direct: float
    learning: float | None
    learning_error: float | None
    why: str
    pays: bool | None = None


def judge_stopping(
    confidence: Floats,
    reliability: float,
    *,
    curve: Sequence[tuple[int, float]] = (),
    block: int = 20,
    worth: float = 0.02,
    least: int = LEAST,
    chosen: int | None = None,
    short: str = "",
) -> Stopping:
    """Return whether the next ``block`` decisions are worth asking for.

    It says to stop only after ``least`` decisions, when both what the decisions correct themselves and, by
    two standard errors, what they teach lie under ``worth``; or where nothing is open.

    Args:
        confidence: (n,) calibrated, of the items still open.
        reliability: of the expert who would be asked.
        curve: (decisions, expected share right) at past versions, measured on items that did not fit them.
        worth: records put right that one decision must buy.
        chosen: how many decisions there are, where rounds chose them: none is held out, so that there is no curve, and
            only what the next ones put right themselves counts.
        short: why there are too few decisions to tell, in words; empty: how many there are.
    """
    order = np.sort(confidence)[:block]
    direct = float(score_value(order, reliability).mean()) if len(order) else 0.0
    done = chosen if chosen is not None else curve[-1][0] if curve else 0
    slope, error = _slope(curve)
    learning = None if slope is None else slope * len(confidence)
    spread = None if error is None else error * len(confidence)
    high = math.inf if learning is None or spread is None else learning + 2.0 * spread
    if chosen is not None:
        high = 0.0
    if not len(order):
        return Stopping(True, 0.0, learning, spread, "nothing is open", False)
    pays = None if direct < worth and (done < least or high >= worth) else direct >= worth
    if direct >= worth:
        right, least_right = (
            f"{n:.1f}" if n >= 0.1 else f"{n:.2g}" for n in np.multiply(len(order), (direct, worth))
        )
        why = (
            f"of the next {len(order)} records that people decide they are expected to put {right} right, whether "
            f"or not a certificate follows; it pays from {least_right} on"
        )
    elif done < least:
        why = short or f"this takes {least} decisions to learn from, and there are {done}"
    elif high >= worth:
        why = "the next decisions correct little, but may still teach the panel something"
    else:
        why = f"a decision buys {max(direct, learning or 0.0):.3f} records, less than {worth:g}"
    return Stopping(pays is False, direct, learning, spread, why, pays)


def _slope(curve: Sequence[tuple[int, float]]) -> tuple[float | None, float | None]:
    """Gain per decision at the end of the curve: a line in 1/n, accuracy = a - b / n (standard error by
    least squares).
    """
    points = [(n, a) for n, a in curve if n > 0]
    if len(points) < 4:
        return None, None
    n = np.array([p[0] for p in points], dtype=np.float64)
    y = np.array([p[1] for p in points])
    x = np.column_stack([np.ones(len(n)), -1.0 / n])
    coefficients, *_ = np.linalg.lstsq(x, y, rcond=None)
    residual = y - x @ coefficients
    variance = float(residual @ residual) / (len(n) - 2)
    error = math.sqrt(max(variance * float(np.linalg.pinv(x.T @ x)[1, 1]), 0.0))
    last = float(n[-1])
    return max(float(coefficients[1]), 0.0) / last**2, error / last**2
