"""The gate of one deployment: how many tries it has in flight, how fast they follow each other, and whether it answers
at all. Knows nothing of HTTP or of models.

A try that is refused halves the allowance, and answers let it grow again: Chiu and Jain (1989), "Analysis of the
increase and decrease algorithms for congestion avoidance", section 2. It never falls under what the deployment has just
shown to serve at once, which is answers a second times seconds an answer (Little 1961).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from statistics import fmean, median

from solon.agents.models.pace import Pace

MISSES = 8
"""Tries in a row that brought no answer, those in flight that hang included, after which there is an outage: tries of
more than one call, or to a server that is not there, since one call may be what a server cannot answer."""
TOLERATED = 0.25
"""Share of recent tries that may be refused without a sign of load: one replica among several that is unwell."""
RECENT = 32
"""Ends of tries from which shares are taken."""
ANSWERS = 64
"""Answers of one kind of call from which it is known how long one usually takes."""
ENOUGH = 8
"""Answers without which nothing is said of how long one takes."""
HANGS_FROM = 4.0
"""Times the usual: a try that takes longer hangs."""
LEAST_HANG = 1.0
"""Seconds below which no try hangs."""
LOOK = 0.1
"""Seconds from one look at the tries in flight to the next. A try hangs that is too long in flight at two in a row: a
loop that was held up has not read at the first what has come meanwhile."""
MOST_IN_FLIGHT = 8
"""Times the ceiling: tries in flight at most, hanging ones included."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds between two probes of a deployment that does not answer: doubled after each."""


class GateClosed(Exception):
    """The deployment does not answer, and it is not this call's turn to probe it."""


class Gate:
    """Lets tries of one deployment through, for all calls of one event loop.

    It starts at its ceiling, so that a healthy server is used at once. A try that hangs (see `HANGS_FROM`) takes only
    part of a place, the square of the share that hangs have among recent tries: of a fifth that hang each takes a 25th,
    while a server all of whose tries hang gets no more of them.

    Attributes:
        ceiling: most tries in flight that do not hang.
        allowed: how many there may be now.
        in_flight: how many there are, hanging ones included.
        pace: requests and tokens a minute.
        newest: when the try was sent that was sent last of those that were answered, by the loop's clock.
        patience: seconds of an outage that calls wait for its end, once the deployment has answered; 0: they do not.
    """

    def __init__(self, ceiling: int, *, pace: Pace | None = None, patience: float = 0.0) -> None:
        if ceiling < 1:
            raise ValueError(f"ceiling {ceiling} must be at least 1")
        self.ceiling = ceiling
        self.allowed = float(ceiling)
        self.in_flight = self.hanging = 0
        self.pace = pace or Pace()
        self.patience = patience
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._ends: deque[str] = deque(maxlen=RECENT)
        self._served: deque[tuple[float, float]] = deque(maxlen=ANSWERS)
        self._usual: dict[str, deque[float]] = {}
        self._places: dict[Place, None] = {}
        self._looks = False
        self._decreased = float("-inf")
        self.newest = float("-inf")
        self._misses, self._since = 0, 0.0
        self._missed: set[int] = set()
        self._out = False
        self._probe: Place | None = None
        self._next_probe, self._pause = 0.0, FIRST_PAUSE

    def place(self, kind: str = "", tokens: Callable[[], int] = lambda: 0) -> Place:
        """A place for one call and its tries.

        Args:
            kind: of calls that take about equally long, such as those of one role.
            tokens: tells about how many a try takes, prompt and answer together; asked where tokens a minute are
                limited.
        """
        return Place(self, kind, tokens)

    @property
    def waiting(self) -> int:
        """How many tries wait for a place."""
        return len(self._waiters)

    @property
    def patient(self) -> bool:
        """Whether calls wait for the end of an outage: the deployment has answered before."""
        return self.newest > float("-inf") and self.patience > 0

    @property
    def outage(self) -> float:
        """Seconds since tries began to bring no answer, in an outage; 0 without one."""
        return max(_now() - self._since, 1e-9) if self._out and self.patient else 0.0

    @property
    def closed(self) -> bool:
        """Whether there is an outage and no probe is due: whoever has a call waits, or asks elsewhere."""
        return self.outage > 0 and (self._probe is not None or _now() < self._next_probe)

    @property
    def until_probe(self) -> float:
        """Seconds until an outage is probed again; 0 while a probe is in flight."""
        return max(0.0, self._next_probe - _now())

    def usual(self, kind: str) -> float | None:
        """Seconds that an answer of this kind takes: the median of recent ones; None while too few are known."""
        known = self._usual.get(kind, ())
        return median(known) if len(known) >= ENOUGH else None

    def _longest(self, kind: str) -> float:
        """Seconds after which a try of this kind hangs."""
        usual = self.usual(kind)
        return float("inf") if usual is None else max(LEAST_HANG, HANGS_FROM * usual)

    def hedge_after(self, kind: str) -> float | None:
        """Seconds after which a second try of such a call pays: twice the usual, where those that took longer had, in
        the mean, still more than the usual before them. None where they had not, or too little is known.

        Dean and Barroso (2013), "The tail at scale", hedged requests.
        """
        usual = self.usual(kind)
        longer = [seconds for seconds in self._usual[kind] if seconds > 2 * usual] if usual else []
        return 2 * usual if usual and len(longer) >= 2 and fmean(longer) > 3 * usual else None

    @property
    def has_room(self) -> bool:
        """Whether another try may be sent now."""
        share = self._share("hung") if self.hanging and len(self._ends) >= ENOUGH else 1.0
        taken = self.in_flight - self.hanging + self.hanging * share**2
        return taken < int(self.allowed) and self.in_flight < MOST_IN_FLIGHT * self.ceiling

    def _share(self, end: str) -> float:
        return self._ends.count(end) / max(1, len(self._ends))

    def _serves(self) -> float:
        """How many tries the deployment has just served at once; 0 while too little is known."""
        usual = median(seconds for _, seconds in self._served) if self._served else 0.0
        since = _now() - max(1.0, 4 * usual)
        recent = [seconds for end, seconds in self._served if end >= since]
        if len(recent) < ENOUGH:
            return 0.0
        begun = min(end for end, _ in self._served if end >= since)
        return sum(recent) / max(_now() - begun, 1e-6)

    def _answer(self, kind: str, begun: float) -> None:
        now = _now()
        seconds = now - begun
        self.newest = max(self.newest, begun)
        self._misses, self._out, self._pause = 0, False, FIRST_PAUSE
        self._missed.clear()
        self._ends.append("answered")
        self._served.append((now, seconds))
        self._usual.setdefault(kind, deque(maxlen=ANSWERS)).append(seconds)
        self.allowed = min(float(self.ceiling), self.allowed + 1 / self.allowed)

    def _refuse(self, begun: float) -> None:
        """Halve the allowance, unless the try was sent before it was last halved, or refusals are few."""
        self._ends.append("refused")
        if begun > self._decreased and self._share("refused") > TOLERATED:
            self._decreased = _now()
            self.allowed = max(1.0, self.allowed / 2, min(self._serves(), self.allowed))

    def _miss(self, place: Place, *, unreachable: bool = False) -> None:
        if not self._misses:
            self._since = _now()
        self._misses += 1
        self._missed.add(id(place))
        if not self._out and self._misses >= MISSES and (unreachable or len(self._missed) > 1):
            self._out, self._next_probe = True, _now() + self._pause

    def _watch(self, place: Place) -> None:
        """Look at this try from time to time until it ends."""
        self._places[place] = None
        if not self._looks:
            self._looks = True
            asyncio.get_running_loop().call_later(LOOK, self._look)

    def _look(self) -> None:
        """Find the tries that hang, and look again as long as any is in flight."""
        now = _now()
        longest = {kind: self._longest(kind) for kind in {place.kind for place in self._places}}
        for place in [*self._places]:
            place.look(now, longest[place.kind])
        self._looks = bool(self._places)
        if self._looks:
            asyncio.get_running_loop().call_later(LOOK, self._look)

    def _probed(self) -> None:
        self._probe = None
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)
        self._next_probe = _now() + self._pause

    async def _queue(self, *, first: bool = False) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.insert(0 if first else len(self._waiters), turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.in_flight -= 1
                self._wake()
            else:
                self._waiters.remove(turn)
            raise

    def _wake(self) -> None:
        """Hand free places over: a place is counted before its waiter runs, so nobody can slip in between."""
        while self._waiters and self.has_room:
            turn = self._waiters.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)


class Place:
    """A call's place at a gate: held while a try is in flight, given back between two of them."""

    __slots__ = ("_begun", "_first", "_hangs", "_held", "_late", "_tokens", "gate", "kind")

    def __init__(self, gate: Gate, kind: str, tokens: Callable[[], int]) -> None:
        self.gate, self.kind, self._tokens = gate, kind, tokens
        self._held = self._late = self._hangs = self._first = False
        self._begun = 0.0

    def second(self) -> Place:
        """A place for a second try of this call beside the first, which from now on counts as one that hangs. It goes
        before all that wait, since its call has waited before."""
        self._hang()
        place = Place(self.gate, self.kind, self._tokens)
        place._first = True
        return place

    @property
    def hedge_after(self) -> float | None:
        """Seconds after which a second try pays, see `Gate.hedge_after`."""
        return self.gate.hedge_after(self.kind)

    @property
    def alone(self) -> bool:
        """Whether only this call failed: a try was answered that was sent after its own last one."""
        return self.gate.newest > self._begun

    async def take(self) -> None:
        """Wait until a try may be sent, first come first served; at once where the place is held already.

        Raises:
            GateClosed: there is an outage, and another call probes it.
        """
        if self._held:
            return
        gate = self.gate
        if gate.outage:
            self._probe()
        else:
            if gate.pace.limited and (pause := gate.pace.book(_now(), self._tokens)):
                await asyncio.sleep(pause)
            if not gate.has_room or (gate._waiters and not self._first):
                await gate._queue(first=self._first)
            else:
                gate.in_flight += 1
        self._held, self._late, self._hangs, self._begun = True, False, False, _now()
        gate._watch(self)
        if gate.outage and gate._probe is not self:  # it began while this one waited
            self.leave()
            raise GateClosed

    def _probe(self) -> None:
        """Become the probe of an outage. It waits for nobody: all that is in flight may hang."""
        if self.gate.closed:
            raise GateClosed
        self.gate._probe = self
        self.gate.in_flight += 1

    def leave(self) -> None:
        """Give the place back, whatever came of the try; without effect where it is not held."""
        if not self._held:
            return
        self._held = False
        del self.gate._places[self]
        self.gate.in_flight -= 1
        self.gate.hanging -= self._hangs
        if self.gate._probe is self:
            self.gate._probed()
        self.gate._wake()

    def answered(self) -> None:
        """Take note that the try was answered: an outage is over, and the allowance grows by one for each full round of
        answers."""
        self.gate._answer(self.kind, self._begun)

    def refused(self) -> None:
        """Take note that the try was refused for load."""
        self.gate._refuse(self._begun)
        self.failed()

    def failed(self, *, unreachable: bool = False) -> None:
        """Take note that the try brought no answer. `unreachable`: nothing was there that could have given one."""
        if not self._hangs:  # else it was counted when it began to hang
            self.gate._miss(self, unreachable=unreachable)

    def end(self, *, failed: bool = False) -> None:
        """Take note of how a call ended whose chat model knows nothing of its place: it held the place all along."""
        if self._held and failed:
            self.failed()
        elif self._held:
            self.answered()
        self.leave()

    def look(self, now: float, longest: float) -> None:
        """Say that the try hangs where it was in flight too long at the last look already."""
        if now - self._begun < longest:
            return
        if self._late:
            self._hang()
        self._late = True

    def _hang(self) -> None:
        if self._hangs or not self._held:
            return
        self._hangs = True
        self.gate._usual[self.kind].append(self.gate._longest(self.kind))
        self.gate.hanging += 1
        self.gate._ends.append("hung")
        self.gate._miss(self)
        self.gate._wake()


def _now() -> float:
    return asyncio.get_running_loop().time()
