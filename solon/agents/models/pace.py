"""Requests and tokens a minute that one deployment takes: as configured, else as the headers of its answers tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_LIMIT = ("x-ratelimit-limit-{}", "anthropic-ratelimit-{}-limit")
_LEFT = ("x-ratelimit-remaining-{}", "anthropic-ratelimit-{}-remaining")


@dataclass(slots=True)
class Rate:
    """So many a minute, of which up to a tenth may be taken at once.

    Attributes:
        minute: how many a minute; None without a limit.
        fixed: it was configured, and headers do not change it.
    """

    minute: float | None = None
    fixed: bool = False
    _due: float = float("-inf")

    def book(self, now: float, amount: float) -> float:
        """Take so many, and return the seconds until they may be used."""
        if not self.minute or not amount:
            return 0.0
        second = self.minute / 60
        self._due = max(self._due, now - self.minute / 10 / second) + amount / second
        return max(0.0, self._due - now)

    def learn(self, now: float, minute: float, left: float) -> None:
        """Take over what a server tells: its limit, and that no more than `left` may be taken before some come back."""
        if not self.fixed:
            self.minute = minute
        if self.minute:
            burst = min(left, self.minute / 10)
            self._due = max(self._due, now - burst * 60 / self.minute)


@dataclass(slots=True)
class Pace:
    """The rates of one deployment.

    Attributes:
        requests: requests a minute.
        tokens: tokens a minute, prompts and answers together.
    """

    requests: Rate = field(default_factory=Rate)
    tokens: Rate = field(default_factory=Rate)

    @classmethod
    def of(cls, requests: float | None, tokens: float | None) -> Pace:
        """The pace with these rates as configured; None: learnt from headers, unlimited until then."""
        return cls(Rate(requests, requests is not None), Rate(tokens, tokens is not None))

    def book(self, now: float, tokens: float) -> float:
        """Take one request of so many tokens, and return the seconds until it may be sent."""
        return max(self.requests.book(now, 1), self.tokens.book(now, tokens))

    def learn(self, now: float, headers: Mapping[str, str]) -> None:
        """Read the headers of an answer or a refusal; what cannot be read is left out."""
        for name, rate in (("requests", self.requests), ("tokens", self.tokens)):
            limit, left = (_number(headers, names, name) for names in (_LIMIT, _LEFT))
            if limit and left is not None:
                rate.learn(now, limit, left)


def _number(headers: Mapping[str, str], names: tuple[str, ...], of: str) -> float | None:
    for name in names:
        value = headers.get(name.format(of), "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:12])
    return None
