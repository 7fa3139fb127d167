"""The votes of many items as arrays. Imports numpy, no I/O.

Shares are the unit: a voter's share of an outcome is the part of its votes that went there, a tie is
split evenly, an abstention takes no part. So a voter counts once, whatever it said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solon.consensus.panel import SILENT, Vote, channel_of, share_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ballots:
    """The votes of ``n`` items as arrays, with ``V`` voters, ``C`` channels (a voter's seat in one order) and
    ``K`` outcomes.

    Attributes:
        outcomes: (K,) names of the outcomes.
        voters: (V,) names of the voters, sorted.
        channels: (C,) names of the channels, as ``panel.channel_of`` makes them.
        owner: (C,) index of the voter that each channel belongs to.
        shares: (n, V, K) share of each voter's votes per outcome; rows of a voter that voted sum to 1, others
            to 0.
        channel: (n, C, K) what each channel adds to its voter's share.
        seen: (n, C) 1 where the channel said something, else 0.
        lean: (n, V) +1 where all of a voter's votes saw order AB, -1 where all saw BA, 0 where they balance
            or the order is unknown.
        votes: (n, K) plain count of votes, ties split evenly.
        asked: (V,) votes of each voter on an item: seats, orders and samples. The median over the items that it voted
            on, so that single abstentions change nothing.
        criteria: (R,) names of the criteria that judges of single texts scored, sorted.
        rated: (n, V, R) a voter's mean score by criterion; NaN where it gave none.
        silent: (n, V) 1 where a voter was silent and said nothing else, else 0.
    """

    outcomes: tuple[str, ...]
    voters: tuple[str, ...]
    channels: tuple[str, ...]
    owner: Ints
    shares: Floats
    channel: Floats
    seen: Floats
    lean: Floats
    votes: Floats
    asked: Floats
    criteria: tuple[str, ...]
    rated: Floats
    silent: Floats

    def __len__(self) -> int:
        return int(self.shares.shape[0])

    @property
    def active(self) -> Floats:
        """(n, V): 1 where a voter said something on an item."""
        return np.asarray(self.shares.sum(axis=2) > 0.5, dtype=np.float64)

    def take(self, rows: Ints) -> Ballots:
        """Return the ballots of the given items only, with the same voters and channels."""
        return Ballots(
            self.outcomes, self.voters, self.channels, self.owner, self.shares[rows], self.channel[rows],
            self.seen[rows], self.lean[rows], self.votes[rows], self.asked, self.criteria, self.rated[rows],
            self.silent[rows],
        )  # fmt: skip


def collect(items: Sequence[Sequence[Vote]], outcomes: Sequence[str] = ("A", "B")) -> Ballots:
    """Return the votes of many items as arrays. A vote for an outcome that is not in ``outcomes`` counts as
    an abstention.
    """
    index = {o: i for i, o in enumerate(outcomes)}
    keys = sorted({(v.judge, v.seat, v.order) for item in items for v in item})
    voters = sorted({key[0] for key in keys})
    at = {key: i for i, key in enumerate(keys)}
    owner = np.array([voters.index(key[0]) for key in keys], dtype=np.int64)
    n, k, n_voters = len(items), len(outcomes), len(voters)
    raw = np.zeros((n, len(keys), k))
    count, silent = np.zeros((n, len(keys))), np.zeros((n, n_voters))
    for row, item in enumerate(items):
        for v in item:
            share = share_of(v, index, k)
            if v.outcome == SILENT:
                silent[row, voters.index(v.judge)] = 1.0
            if share is not None:
                c = at[(v.judge, v.seat, v.order)]
                raw[row, c] += share
                count[row, c] += 1.0
    member = np.zeros((len(keys), n_voters))
    member[np.arange(len(keys)), owner] = 1.0
    per_voter = count @ member
    whole = np.where(per_voter > 0.0, per_voter, 1.0)
    channel = raw / whole[:, owner][:, :, None]
    sign = np.array([{"AB": 1.0, "BA": -1.0}.get(key[2], 0.0) for key in keys])
    return Ballots(
        outcomes=tuple(outcomes),
        voters=tuple(voters),
        channels=tuple(channel_of(*key) for key in keys),
        owner=owner,
        shares=np.add.reduceat(channel, np.searchsorted(owner, np.arange(n_voters)), axis=1),
        channel=channel,
        seen=np.asarray(count > 0.0, dtype=np.float64),
        lean=((count * sign) @ member) / whole,
        votes=raw.sum(axis=1),
        asked=np.array([float(np.median(c[c > 0.0])) if (c > 0.0).any() else 1.0 for c in per_voter.T]),
        **_scores(items, voters, index, k),
        silent=np.where(per_voter > 0.0, 0.0, silent),
    )


def _scores(
    items: Sequence[Sequence[Vote]], voters: Sequence[str], index: dict[str, int], k: int
) -> dict[str, Any]:
    """Mean scores by criterion of the votes that are no abstention."""
    criteria = tuple(sorted({name for item in items for v in item for name in v.rated or ()}))
    total = np.zeros((len(items), len(voters), len(criteria)))
    count = np.zeros_like(total)
    at = {voter: i for i, voter in enumerate(voters)}
    place = {name: i for i, name in enumerate(criteria)}
    for row, item in enumerate(items if criteria else ()):
        for v in item:
            if v.rated and share_of(v, index, k) is not None:
                for name, score in v.rated.items():
                    total[row, at[v.judge], place[name]] += score
                    count[row, at[v.judge], place[name]] += 1.0
    rated = np.where(count > 0.0, total / np.where(count > 0.0, count, 1.0), np.nan)
    return {"criteria": criteria, "rated": rated}
