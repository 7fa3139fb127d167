"""Every error that Solon raises on purpose, split by who must act. Imports nothing of Solon.

SolonError
├── UsageError            the person who wrote the command, config or file must act (exit 2)
│   ├── ConfigError         a key, type or value in solon.toml or the environment
│   │   └── EngineError       what a model runs on is missing, or cannot start (exit 1)
│   ├── OtherRecipe         a run's recipe is not here, or is another one by now; other runs are not concerned
│   ├── PartFailed          a part of a recipe of one's own raised, or gave what it may not; its item is parked
│   └── SeedError           a seed file that cannot be read at all (bad rows are reported, not raised)
├── ModelError            the provider of a model must act, or someone must reach it (exit 1)
│   ├── ModelUnavailable    connection, timeout, 5xx or 429 after all retries
│   ├── ModelRefused        4xx: key, model name, request
│   ├── TooLong             the prompt does not fit the model's context; nothing was sent
│   └── BadOutput           the answer does not follow the schema, after bounded repair
├── NoAnswer              a model gave nothing that can be used to a part of a recipe, or to an agent alone
├── ReviewError           the reviewer must act
│   ├── NotPending          unknown review, or one that no longer waits
│   ├── AlreadyDecided      someone else's decision was first; nothing changed
│   ├── TokenWanted         the answer measures the panel, and came without an expert's token
│   └── InvalidDecision     the answer is not in the review's closed set
├── StoreError            the store: read-only, full, or of another version
│   ├── NoStore             there is none yet
│   └── NewerStore          a newer Solon made it
├── LimitReached          a limit on cost, tokens or calls stopped the run cleanly (exit 4)
├── ClaimLost             another process has taken over what this one worked on (exit 5)
└── InternalError         us: an invariant of Solon is broken
"""

from __future__ import annotations


class SolonError(Exception):
    """Root of all errors raised by Solon: ``cause``, then what to do next.

    Attributes:
        exit_code: of a command that ends with it.
        about: what a program may want to know besides, by the names of the command's JSON.
    """

    exit_code = 1

    def __init__(self, cause: str, *, next_step: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.next_step = next_step
        self.about: dict[str, object] = {}

    def __str__(self) -> str:
        return f"{self.cause}\n  -> {self.next_step}" if self.next_step else self.cause


class UsageError(SolonError):
    """The command, its options or a file given to it is wrong; whoever wrote it must act."""

    exit_code = 2


class OtherRecipe(UsageError):
    """A run was begun with a recipe that is not here, or that is another one by now. Other runs are not concerned."""


class PartFailed(UsageError):
    """A part of a recipe raised, or gave what it may not. The item is kept, and what was paid for it with it."""


class ConfigError(UsageError):
    """A key, type or value in the configuration is wrong."""


class EngineError(ConfigError):
    """What a model runs on (a package, its weights, a device) is missing or cannot start: nobody was asked anything."""

    exit_code = 1


class SeedError(UsageError):
    """A seed file cannot be read at all."""


class ModelError(SolonError):
    """A call to a model failed for good.

    Attributes:
        kind: a word for it, kept with the item.
        systemic: whether every other call would fail alike, until somebody acts.
        of_item: whether the server answers, and only what it said for this item cannot be used.
        outage: whether the server was waited for in vain, so that the call was not even tried.
        model: the model that was asked, as the configuration names it; empty where nobody was.
    """

    kind = "model_error"
    systemic = False
    of_item = False
    outage = False
    model = ""


class ModelUnavailable(ModelError):
    """The server cannot be reached, is overloaded or broken, and retries did not help."""

    kind = "unavailable"


class ModelRefused(ModelError):
    """The server answered 4xx: wrong key, unknown model or a request that it does not accept."""

    kind = "refused"
    systemic = True


class TooLong(ModelError):
    """The prompt and the room for its answer do not fit the context; the call was not sent."""

    kind = "too_long"


class BadOutput(ModelError):
    """The answer does not follow the asked schema, after bounded repair."""

    kind = "bad_output"


CUT = "cut"
"""Kind of a `BadOutput`: the answer's room was used up before the answer began."""
WITHHELD = "withheld"
"""Kind of a `BadOutput`: the provider kept the answer back, and would again."""


class NoAnswer(SolonError):
    """A model answered, and nothing in it can be used; it would be the same again.

    Attributes:
        problem: why, in a word: `empty`, `cut`, `echo`, or the kind of a failed call.
    """

    def __init__(self, cause: str, *, problem: str, next_step: str = "") -> None:
        super().__init__(cause, next_step=next_step)
        self.problem = problem


class ReviewError(SolonError):
    """An answer to a review cannot be taken."""


class NotPending(ReviewError):
    """There is no such review, or it no longer waits."""


class AlreadyDecided(ReviewError):
    """Another decision was first. Nothing was changed."""


class TokenWanted(ReviewError):
    """The answer came without an expert's token, in a run whose questions measure how well the panel judges."""

    exit_code = 2


class InvalidDecision(ReviewError):
    """The answer is outside the closed set of this review."""

    exit_code = 2


class StoreError(SolonError):
    """The store is missing, read-only, full, locked or of another version."""


class NoStore(StoreError):
    """There is no store yet where one is named."""


class NewerStore(StoreError):
    """A newer Solon made the store: this one does not know its schema, and leaves it as it is."""


class LimitReached(SolonError):
    """A limit on cost, tokens or calls was reached; the run stopped cleanly and can be resumed."""

    exit_code = 4


class ClaimLost(SolonError):
    """Another process has taken over an item that this one worked on; what this one makes of it is not stored."""

    exit_code = 5

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        super().__init__(
            f"item {item_id} was taken over by another process, since this one was paused for longer than its claim on "
            "it, or the clock of a machine jumped; nothing that this one made of it since is stored",
            next_step="nothing is lost: see `solon status`; `solon resume` goes on with what nobody works on",
        )


class InternalError(SolonError):
    """An invariant of Solon is broken: please report it."""
