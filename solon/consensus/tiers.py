"""Which tier of a cascade a vote comes from, and how far the cascade went. Imports no numpy, no I/O.

A cascade asks cheap judges first and dearer ones only where those before are not sure enough, so that the judges of
later tiers are missing, not at random, on the items that stopped earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class Seated(Protocol):
    """A vote or a verdict, of which only the seat is looked at."""

    @property
    def seat(self) -> str:
        """Name of the seat that it was given from."""


V = TypeVar("V", bound=Seated)


def place_of(seat: str, seats: int) -> int | None:
    """Return which seat of a panel of so many a name (`2` or `2: persona`) is of, from 0; None where it is of none,
    such as the resolver, or a judge whose verdict came with a seed."""
    number = seat.split(":", 1)[0]
    place = int(number) if number.isdecimal() else 0
    return place - 1 if 1 <= place <= seats else None


def tier_of(seat: str, seats: Sequence[int]) -> int:
    """Return the tier of a seat, by its name (`2` or `2: persona`).

    What is no seat of the panel, such as the resolver, speaks after all tiers.

    Args:
        seats: tier per place of the panel.
    """
    place = place_of(seat, len(seats))
    return max(seats, default=0) if place is None else seats[place]


def tier_reached(votes: Iterable[Seated], seats: Sequence[int]) -> int:
    """Return the last tier that was asked, whether its judges answered or abstained; 0 where there is no
    vote.
    """
    return max((tier_of(v.seat, seats) for v in votes), default=0)


def up_to(votes: Iterable[V], tier: int, seats: Sequence[int]) -> tuple[V, ...]:
    """Return the votes that were there when `tier` had spoken."""
    return tuple(v for v in votes if tier_of(v.seat, seats) <= tier)
