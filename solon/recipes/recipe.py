"""A recipe: the parts that turn seeds into one kind of record."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from solon.errors import ConfigError
from solon.questions import KNOWN
from solon.recipes.makers import Answer, Contrasted, Given, Maker
from solon.recipes.pairings import BestSecond, BestWorst, Configured, DraftRevision, Pairing, Sweet
from solon.recipes.questions import Accept, Choice, Pair, Question, Ranking, Spans
from solon.recipes.rubrics import RUBRIC
from solon.recipes.sources import Seeds, Source, problem_of
from solon.recipes.steps import Redraft, Step
from solon.responses import RESERVED

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import LawConfig, ResolverConfig

STEPS = ("draft", "critique", "revise", "judge", "resolve", "review")
"""The steps of an item that a recipe chooses from, in the order in which they are taken."""
RECORD_OF: dict[type[Question], str] = {
    Pair: "preference",
    Accept: "instruction",
    Choice: "label",
    Spans: "spans",
    Ranking: "preference",
}
"""A question -> the kind of records that its outcomes make."""
WITHIN = ("consensus", "settle", "finish", "end")
"""Names of what a graph has besides its steps."""
NEEDS = {"revise": "critique", "resolve": "judge"}
"""A step -> the one without which it has nothing to do."""
LABELS_ARE = "a label is a text of 1 to 60 characters on one line, without | and without spaces around it"


@dataclass(frozen=True)
class Recipe:
    """What turns seeds into one kind of record: a value of parts.

    Attributes:
        name: what it is called on the command line, in the configuration and in the store.
        record: which records it makes, and so which export formats there are.
        maker: where the candidates of an item come from.
        question: what judges and experts are asked of them, with its outcomes.
        source: which items there are.
        pairing: which candidates are shown together.
        steps: what an item goes through, out of `STEPS`, with steps of one's own (`solon.recipes.steps`) between them.
            Without `judge` no model takes part, and people answer all.
        shows_reference: the expert may see the seed's reference answer.
        version: to be raised by its author when what it does changes in a way that its source does not show.
        settings: the model of `[recipes.NAME]`; parts find what was set as `case.settings`. None without settings.
        resumes: earlier versions of its graph whose waiting items this one goes on with as they are.
    """

    name: str
    record: Literal["preference", "instruction", "label", "spans"]
    maker: Maker
    question: Question
    source: Source = field(default_factory=Seeds)
    pairing: Pairing = field(default_factory=BestSecond)
    steps: tuple[str | Step, ...] = STEPS
    shows_reference: bool = True
    version: str = ""
    settings: type[BaseModel] | None = None
    resumes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses parts that do not fit each other, before anything is made of them.

        Raises:
            ConfigError: naming the recipe, the part and what would be right.
        """
        self._check_names()
        self._check_parts()
        self._check_source()
        if not isinstance(self.steps, str):  # a list will do: it is kept as it is compared
            object.__setattr__(self, "steps", tuple(self.steps))
        self._check_signatures()
        self._check_steps()
        self._check_pairing(self.pairing)
        self._check_labels()

    def _check_names(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", self.name):
            right = "lower-case letters, digits, - and _, at most 40, a letter first"
            self._refuse(f"{self.name!r} is no name", right)
        if self.record not in RECORD_OF.values():
            self._refuse(f"record {self.record!r} is none", "preference, instruction, label or spans")
        if not isinstance(self.version, str):
            self._refuse(f"version {self.version!r} is no text", f'version="{self.version}"')

    def _check_parts(self) -> None:
        kinds = {"maker": Maker, "question": Question, "source": Source, "pairing": Pairing}
        for name, kind in kinds.items():
            part = getattr(self, name)
            if not isinstance(part, kind):
                self._refuse(f"{name} {part!r:.80} is no {kind.__name__}", f"derive it from {kind.__name__}")
        made = next((record for kind, record in RECORD_OF.items() if isinstance(self.question, kind)), "")
        if made and made != self.record:
            asked = type(self.question).__name__
            self._refuse(f"a {asked} makes no {self.record} records", f"record={made!r}, or another question")
        most = self.source.most_given
        if most is not None and (type(most) is not int or most < 0):
            right = "a whole number, or None for all that a seed has"
            self._refuse(f"{type(self.source).__name__} takes most_given={most!r} responses", right)
        maker = type(self.maker)
        if maker.count is not Maker.count and maker.make is Maker.make:
            self._refuse(f"{maker.__name__} says how many it makes, and has no `make`", "write `make`")
        if self.settings is not None and not _is_model(self.settings):
            right = "name a class that derives from pydantic.BaseModel"
            self._refuse(f"settings {self.settings!r:.80} is no model", right)

    def _check_source(self) -> None:
        if problem := problem_of(self.source):
            self._refuse(*problem)
        if self.source.batch and type(self.maker) in (Answer, Given):
            told = f"{type(self.maker).__name__} shows none of the examples that a {type(self.source).__name__} draws"
            self._refuse(told, "take Instruct(), or a maker of your own that reads `case.examples`")

    def _check_given(self, pairing: Pairing) -> None:
        if not isinstance(self.maker, Given):
            return
        most, asked = self.maker.most, KNOWN.get(self.question.base)
        least = 1 if asked is None or pairing.beside else asked.shown  # a revision will stand beside it
        if type(most) is not int or most < least:
            asks = type(self.question).__name__
            self._refuse(f"Given(most={most!r}) never has what a {asks} shows", f"Given(most={least})")

    def _check_signatures(self) -> None:
        """Each method of a part of one's own takes what that of the base class takes."""
        parts: tuple[tuple[object, type], ...] = (
            (self.source, Source),
            (self.maker, Maker),
            (self.question, Question),
            (self.pairing, Pairing),
        )
        for part, kind in parts:
            for name, method in vars(kind).items():
                own = getattr(type(part), name, None)
                if not inspect.isfunction(method) or own is method or name.startswith("_"):
                    continue
                called = f"{type(part).__module__}:{type(part).__qualname__}.{name}"
                wanted, taken = inspect.signature(method), inspect.signature(own)  # type: ignore[arg-type]
                try:
                    taken.bind(*_arguments(wanted)[0], **_arguments(wanted)[1])
                except TypeError as error:
                    self._refuse(f"{called}{taken}: {error}", f"its parameters are {name}{wanted}")
                if inspect.iscoroutinefunction(method) and not inspect.iscoroutinefunction(own):
                    self._refuse(f"{called} is not async", f"write `async def {name}`")

    def _check_labels(self) -> None:
        if not isinstance(self.question, Choice) or not self.question.labels:
            return
        labels = self.question.labels
        if isinstance(labels, str):
            self._refuse(f"the labels {labels!r:.80} are one text", 'e.g. Choice(("yes", "no"))')
        for label in labels:
            if not _is_label(label):
                self._refuse(f"{label!r:.80} can be no label", LABELS_ARE)
            if label in RESERVED:
                self._refuse(
                    f"{label!r} can be no label: it has a meaning of its own", "give it another name"
                )
        shown = [label.replace("_", " ") for label in labels]
        twice = [label for label, words in zip(labels, shown, strict=True) if shown.count(words) > 1]
        if len(labels) < 2:
            self._refuse(
                f"a choice needs two labels or more, not {list(labels)}", 'e.g. Choice(("yes", "no"))'
            )
        if twice:
            self._refuse(
                f"the label {twice[0]!r} stands there twice", "leave one out (_ is shown as a space)"
            )
        if self.has_panel and {"tie", "abstain", "silent", "hand_over"} & set(labels):
            self._refuse(
                "'tie', 'abstain', 'silent' and 'hand_over' are ways not to choose, no labels for a panel",
                "call them otherwise",
            )

    def _check_steps(self) -> None:
        ours = [step for step in self.steps if not isinstance(step, Step)]
        unknown = [step for step in ours if step not in STEPS]
        if unknown:
            self._refuse(
                f"there is no step {unknown[0]!r}", f"steps: {', '.join(STEPS)}, or a Step of your own"
            )
        if ours != [step for step in STEPS if step in ours]:
            self._refuse(f"steps {', '.join(map(str, ours))} are out of order", f"steps: {', '.join(STEPS)}")
        self._check_own_steps()
        for step in ("draft", "review"):
            if step not in self.steps:
                self._refuse(
                    f"the step {step!r} is missing",
                    "every item is drafted (or given) and may wait for a person",
                )
        for step, needed in NEEDS.items():
            if step in self.steps and needed not in self.steps:
                self._refuse(f"the step {step!r} has nothing to do without {needed!r}", f"add {needed!r}")
        if self.has_resolver and not self.can_debate:
            self._refuse(
                "the step 'resolve' weighs what judges say, and nobody says why spans stand", "leave it out"
            )
        if isinstance(self.question, Spans) and (
            "critique" in self.steps or isinstance(self.maker, Given | Answer)
        ):
            self._refuse(
                "spans are marked in a text, which stays as it is", "take maker=Mark() and no step critique"
            )
        if isinstance(self.question, Ranking) and self.has_panel:
            self._refuse("people alone rank answers", "leave the step 'judge' out, or ask a Pair")
        if isinstance(self.question, Choice) and (
            "critique" in self.steps or not isinstance(self.maker, Given)
        ):
            self._refuse("a text that gets a label stays as it is", "take maker=Given() and no step critique")

    def _check_own_steps(self) -> None:
        names = list(self.step_names)
        taken = next((name for name in names if names.count(name) > 1 or name in WITHIN), "")
        if taken:
            self._refuse(f"two steps are called {taken!r}", "give one of them another name")
        if self.steps and isinstance(self.steps[-1], Step):
            self._refuse(
                f"the step {names[-1]!r} stands after the review, where nothing is left to do",
                "put it before 'review'",
            )
        for step in self.before_draft:
            if set(step.reads) & {"candidates", "verdicts"}:
                right = 'reads=("prompt", "input")'
                self._refuse(f"the step {step.name!r} reads candidates before there are any", right)
            if Redraft in step.may:
                self._refuse(
                    f"the step {step.name!r} may redraft before anything is drafted", "may=(Reject, Ask)"
                )

    def _check_pairing(self, pairing: Pairing) -> None:
        name, two = type(pairing).__name__, isinstance(pairing, BestWorst | Sweet | DraftRevision)
        if (two or pairing.presumes) and not isinstance(self.question, Pair):
            self._refuse(
                f"the pairing {name} sets two candidates against each other", "ask a Pair, or leave it out"
            )
        if pairing.beside and "revise" not in self.steps:
            self._refuse(f"the pairing {name} needs revisions", "add the steps 'critique' and 'revise'")
        if not isinstance(pairing, Configured):
            self._check_given(pairing)

    def pairing_under(self, config: Config) -> Pairing:
        """The pairing as it is configured.

        Raises:
            ConfigError: there would be nothing to pair.
        """
        pairing, writer = self.pairing.under(config), config.generator
        self._check_pairing(pairing)
        alone = isinstance(self.maker, Answer) and writer.n < 2 and not pairing.beside
        if alone and isinstance(self.question, Pair):
            self._refuse("one candidate alone has nothing to be compared with", "set generator.n = 2 or more")
        if pairing.beside and not (writer.revise and writer.models):
            self._refuse(
                f"the pairing {type(pairing).__name__} needs revisions, and no model revises",
                "set generator.revise = true, and name a model in generator.models",
            )
        return pairing

    def _refuse(self, cause: str, right: str) -> None:
        raise ConfigError(f"recipe {self.name!r}: {cause}", next_step=right)

    @property
    def step_names(self) -> tuple[str, ...]:
        """The names of its steps, in their order."""
        return tuple(step.name if isinstance(step, Step) else step for step in self.steps)

    @property
    def own_steps(self) -> tuple[Step, ...]:
        """Its steps that are not Solon's."""
        return tuple(step for step in self.steps if isinstance(step, Step))

    @property
    def before_draft(self) -> tuple[Step, ...]:
        """Its own steps that are taken before anything is drafted."""
        return tuple(takewhile(lambda step: isinstance(step, Step), self.steps))  # type: ignore[arg-type]

    def place_of(self, step: Step) -> str:
        """What there is of an item when a step of its own is taken: its `request` alone, its `drafts`, or what was
        `judged`."""
        if step in self.before_draft:
            return "request"
        before = self.steps[: self.steps.index(step)]
        return "judged" if "judge" in before else "drafts"

    @property
    def has_panel(self) -> bool:
        """Whether there are models that vote. Without, every item goes to a person."""
        return "judge" in self.steps

    @property
    def has_seats(self) -> bool:
        """Whether the seats of `[[judges]]` vote."""
        return self.has_panel and self.question.seated

    @property
    def roles(self) -> frozenset[str]:
        """The roles that its steps give to models."""
        drafts = type(self.maker).make is not Maker.make
        asked = {"draft": drafts, "revise": True, "critique": True, "judge": self.has_seats, "resolve": True}
        played_by = {"draft": "generator", "revise": "generator", "critique": "critic", "resolve": "resolver"}
        return frozenset(played_by.get(step, step) for step in self.step_names if asked.get(step))

    @property
    def can_debate(self) -> bool:
        """Whether there is a panel of seats whose reasons a resolver, or other judges, could weigh."""
        return self.has_panel and isinstance(self.question, Pair | Accept | Choice)

    def with_resolver(self, resolver: ResolverConfig) -> Recipe:
        """The recipe with the step `resolve` before the review, where the resolver speaks in all recipes; else the
        recipe as it is."""
        if resolver.scope != "all" or self.has_resolver or not self.can_debate:
            return self
        place = self.steps.index("judge") + 1
        return replace(self, steps=(*self.steps[:place], "resolve", *self.steps[place:]))

    def with_rubrics(self, law: LawConfig) -> Recipe:
        """The recipe with the step that drafts a rubric before the drafts, where rubrics of seeds are drafted and its
        judges read answers to the seed's request; else the recipe as it is."""
        reads = self.has_seats and isinstance(self.question, Pair | Accept)
        answers = isinstance(self.maker, Answer | Contrasted | Given)
        if law.seed_rubrics != "drafted" or not (reads and answers) or RUBRIC.name in self.step_names:
            return self
        place = self.steps.index("draft")
        return replace(self, steps=(*self.steps[:place], RUBRIC, *self.steps[place:]))

    @property
    def drafts_rubrics(self) -> bool:
        """Whether a model drafts the rubric of a seed that brings none, and a person is asked about it."""
        return RUBRIC in self.steps

    def under(self, config: Config) -> Recipe:
        """The recipe with the steps that a configuration adds to it."""
        return self.with_resolver(config.resolver).with_rubrics(config.law)

    @property
    def has_resolver(self) -> bool:
        """Whether a split panel may ask the resolver."""
        return "resolve" in self.steps


def _arguments(signature: inspect.Signature) -> tuple[list[None], dict[str, None]]:
    """Placeholders for what a method is called with: by place and by name."""
    by_name = {name for name, one in signature.parameters.items() if one.kind is one.KEYWORD_ONLY}
    return [None] * (len(signature.parameters) - len(by_name)), dict.fromkeys(sorted(by_name))


def _is_model(settings: object) -> bool:
    return isinstance(settings, type) and issubclass(settings, BaseModel)


def _is_label(label: object) -> bool:
    """Whether it can stand in the name of a response schema, in a record and on a button as it is."""
    if not isinstance(label, str) or "|" in label:
        return False
    return 1 <= len(label) <= 60 and label.isprintable() and label == label.strip()
