"""Requests and tokens a minute that one deployment takes: as configured, else as the headers of its answers tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def _headers(of: str) -> tuple[tuple[str, str], ...]:
    """Under which names servers tell a limit a minute, and how much of it is left."""
    return (
        (f"x-ratelimit-limit-{of}", f"anthropic-ratelimit-{of}-limit"),
        (f"x-ratelimit-remaining-{of}", f"anthropic-ratelimit-{of}-remaining"),
    )


_REQUESTS, _TOKENS = _headers("requests"), _headers("tokens")


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

    @property
    def limited(self) -> bool:
        """Whether there is a rate to keep to."""
        return bool(self.requests.minute or self.tokens.minute)

    def book(self, now: float, tokens: Callable[[], float]) -> float:
        """Take one request of so many tokens, and return the seconds until it may be sent."""
        pause = self.requests.book(now, 1)
        return max(pause, self.tokens.book(now, tokens())) if self.tokens.minute else pause

    def learn(self, now: float, headers: Mapping[str, str]) -> None:
        """Read the headers of an answer or a refusal; what cannot be read is left out."""
        for rate, (limits, remaining) in ((self.requests, _REQUESTS), (self.tokens, _TOKENS)):
            if (limit := _number(headers, limits)) and (left := _number(headers, remaining)) is not None:
                rate.learn(now, limit, left)


def _number(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        value = headers.get(name)
        if value is not None and (digits := value.strip()).isascii() and digits.isdigit():
            return float(digits[:12])
    return None
