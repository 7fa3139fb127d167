"""Steps of one's own: a function that looks at an item between two of Solon's steps, and may send it elsewhere."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from solon.errors import ConfigError
from solon.recipes.failures import naming_failures

if TYPE_CHECKING:
    from solon.agents.case import Case

READABLE = ("prompt", "input", "reference", "metadata", "candidates", "verdicts")
"""What a step may say that it reads of an item."""


@dataclass(frozen=True, slots=True)
class Reject:
    """The item ends, rejected. `reason`: why, in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Redraft:
    """New candidates are drafted, as often as `max_redrafts` allows. `guidance`: what they shall do."""

    guidance: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person is asked. Before the drafts: about the request, whether it may go on. Later: about the candidates,
    whatever the panel finds.

    Attributes:
        reason: why, in words.
        criteria: of a request: a drafted rubric, a line for each criterion as `solon.law.seed_rubrics.read_lines` takes
            them; the person corrects it, and judges go by what they confirm. Empty: they write one. None: the person is
            asked for no rubric.
    """

    reason: str
    criteria: tuple[str, ...] | None = None


Word = Reject | Redraft | Ask
WORDS: dict[str, type[Word]] = {"reject": Reject, "redraft": Redraft, "ask": Ask}


@dataclass(frozen=True, slots=True)
class StepCandidate:
    """A candidate as a step sees it.

    Attributes:
        id: its id.
        text: its text.
        prompt: the request that it answers, where it has one of its own; empty: the seed's.
        kind: draft, given, revision or edit.
    """

    id: str
    text: str
    prompt: str
    kind: str


@dataclass(frozen=True, slots=True)
class StepItem:
    """An item as a step sees it: of what stands here, only what the step says that it `reads`.

    Attributes:
        id: id of the item.
        round: how often it was redrafted.
        case: asks models (`await item.case.ask(...)`) and draws, through the journal.
        prompt: the request, with the earlier turns of a conversation.
        input: what the request speaks of; empty without.
        reference: the seed's reference answer; empty without.
        metadata: further columns of the seed.
        candidates: those that are shown to the panel, or before it all that there are; none before the drafts.
        verdicts: of the panel on these: `seat`, `outcome`, `p`, `abstained`.
    """

    id: str
    round: int
    case: Case = field(repr=False)
    read: dict[str, Any] = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        if name in READABLE:
            if name in self.read:
                return self.read[name]
            raise AttributeError(
                f"the step does not say that it reads {name!r}: Step(..., reads=({name!r}, ...))"
            )
        raise AttributeError(f"an item has no {name!r}; a step may read {', '.join(READABLE)}")


@dataclass(frozen=True)
class Step:
    """A step of one's own. It stands among the steps of a recipe where it shall be taken.

    Attributes:
        name: its name in the graph, in reasons and in the lineage.
        run: an async function of a `StepItem`; None lets the item go on. What it answers is journalled: an item that is
            made again is not looked at again, unless what it reads has changed.
        reads: what it reads of an item, out of `READABLE`.
        may: what it may answer besides None; the graph has these ways and no others.
    """

    name: str
    run: Callable[[StepItem], Awaitable[Word | None]]
    reads: tuple[str, ...] = ("prompt", "input", "candidates")
    may: tuple[type[Word], ...] = (Reject, Redraft, Ask)

    def __post_init__(self) -> None:
        """Refuses what cannot be a step.

        Raises:
            ConfigError: naming the step and what would be right.
        """
        if not isinstance(self.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", self.name):
            _refuse(self.name, "is no name of a step", "lower-case letters, digits and _, a letter first")
        if not inspect.iscoroutinefunction(self.run):
            _refuse(self.name, f"runs {self.run!r:.80}, no async function", "async def check(item): ...")
        if unknown := [name for name in self.reads if name not in READABLE]:
            _refuse(
                self.name, f"reads {unknown[0]!r}, which an item has not", f"out of {', '.join(READABLE)}"
            )
        if not self.may or any(word not in WORDS.values() for word in self.may):
            _refuse(self.name, f"may answer {self.may!r:.80}", "out of Reject, Redraft and Ask")
        object.__setattr__(self, "reads", tuple(self.reads))
        object.__setattr__(self, "may", tuple(self.may))


def _refuse(name: object, cause: str, right: str) -> None:
    raise ConfigError(f"step {name!r} {cause}", next_step=right)


async def take_step(step: Step, item: StepItem) -> str:
    """What a step answers, as it is journalled.

    Raises:
        PartFailed: it raised, or answered what it may not.
        SolonError: a call of it failed.
    """
    with naming_failures(step.run, "", guarded=item.case.config.privacy.guarded) as expect:
        word = await step.run(item)
        right = f"answer None or {' or '.join(one.__name__ for one in step.may)}, or say so in `may`"
        expect(
            word is None or isinstance(word, step.may), f"{type(word).__name__} in step {step.name}", right
        )
        said = next((str(getattr(word, name)) for name in ("reason", "guidance") if hasattr(word, name)), "")
        expect(word is None or bool(said.strip()), f"{type(word).__name__} without words", "say why")
    kind = next((kind for kind, model in WORDS.items() if isinstance(word, model)), "on")
    criteria = getattr(word, "criteria", None)
    return json.dumps([kind, said, *([] if criteria is None else [list(criteria)])])


def read_word(answer: str) -> Word | None:
    """A journalled answer of a step as the step gave it."""
    kind, said, *criteria = json.loads(answer)
    return WORDS[kind](said, *map(tuple, criteria)) if kind in WORDS else None
