"""Statistics of panels and experts: what a panel believes of an item, and when no expert need be asked.

Imports numpy, the standard library and solon.errors only. What the graph needs per item is light and imported
here; everything that learns is imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from solon.consensus.model import Calibration, ConsensusModel
from solon.consensus.panel import Consensus, Vote, judge_item

if TYPE_CHECKING:
    from solon.consensus.learn import Decision, fit

__all__ = ["Calibration", "Consensus", "ConsensusModel", "Decision", "Vote", "fit", "judge_item"]

_LAZY = {"Decision": "solon.consensus.learn", "fit": "solon.consensus.learn"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
