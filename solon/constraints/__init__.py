"""Constraints on an answer that code can verify: those that an expert wrote into a row, those of IFEval's columns, and
those that the wording of a request states. Pure: no I/O, no models. Must never import the store, agents or formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solon.constraints.constraint import Constraint
from solon.constraints.ifeval import not_verified, of_columns, of_wording
from solon.constraints.written import COLUMN, read_constraints

__all__ = ["find_constraints", "stated_constraints", "unverified_constraints"]


def stated_constraints(metadata: Mapping[str, Any]) -> list[Constraint]:
    """Return the constraints that the further columns of a row state: `constraints` as an expert writes them, else
    those of IFEval.

    Raises:
        ValueError: what stands in `constraints` are none.
    """
    written = metadata.get(COLUMN)
    return of_columns(metadata) if written is None else read_constraints(written).as_list()


def unverified_constraints(metadata: Mapping[str, Any]) -> list[str]:
    """Return the ids of those instructions of IFEval that a row states and for which no check is known; none where it
    has `constraints`."""
    return not_verified(metadata) if metadata.get(COLUMN) is None else []


def find_constraints(prompt: str, metadata: Mapping[str, Any]) -> list[Constraint]:
    """Return the checkable constraints of a request, as far as a program can tell: those that its row states, else
    those of its wording."""
    try:
        stated = stated_constraints(metadata)
    except ValueError:  # a column of this name that means something else
        stated = []
    return stated or list(of_wording(prompt))
