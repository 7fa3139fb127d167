"""Makers: where the candidates of an item come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from solon.agents import backtranslator, generator, marker
from solon.agents.conversation import converse
from solon.agents.drafts import Draft
from solon.agents.outputs import Finding
from solon.agents.tasks import find_refusal, why_unfit
from solon.dialogues import ASSISTANT, write_dialogue
from solon.errors import ConfigError, NoAnswer
from solon.quotes import find_quotes
from solon.recipes.failures import naming_failures
from solon.recipes.personas import draw_line, has_lines
from solon.spans import merge_spans, read_spans, write_spans

if TYPE_CHECKING:
    from pydantic import BaseModel

    from solon.agents.case import Case
    from solon.config import Config

STANDS = "stands-alone"
"""The principle of the starters about tasks; one's own constitution need not have it."""


class Maker:
    """Where candidates come from. What it draws and asks goes through the case, so that a killed item is made again
    exactly as it was.

    Attributes:
        unique: a draft that nearly repeats the seed's request, or that of another item, is refused as a duplicate.
        merges: the drafts of a round become one candidate, by `merge`; each draft is a vote on it.
        keeps: drafts stand each for itself: where others of their round cannot be used, only these are drafted again.
        templates: of Solon's own, those that it asks with and no other maker does.
    """

    templates: ClassVar[frozenset[str]] = frozenset()
    unique: bool = False
    merges: bool = False
    keeps: ClassVar[bool] = False

    def brief(self, settings: BaseModel | None) -> str:
        """What critics, judges and whoever drafts read of all items, below the principles; empty where that is nothing.

        Args:
            settings: of the recipe, as its own model read them; None where it has none.
        """
        return ""

    def count(self, config: Config) -> int:
        """How many candidates a round has; as many are drafted as the seed did not bring. 0: nothing is."""
        return 0

    def calls(self, config: Config) -> int:
        """How many calls a draft takes."""
        return 1

    def given(self, case: Case, responses: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The candidates that are there before anything is drafted: the seed's own responses."""
        return responses

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """Draft number `index` of a round: `case.draft(...)` of what `case.ask(...)` gave, or what
        `generator.draft` gives.

        Args:
            round: how often the item was redrafted before.
            guidance: what an expert asked for in this redraft; empty without.
            findings: what critics found on the candidates of the round before; empty in the first.
        """
        raise NotImplementedError

    def refuse(self, case: Case, draft: Draft) -> str:
        """Why a usable draft may not become a candidate; empty where it may."""
        return ""

    def merge(self, case: Case, drafts: Sequence[str], weights: Sequence[float]) -> str:
        """The one candidate that the drafts of a round become.

        Args:
            drafts: the texts of the usable ones, in order.
            weights: how far each author is to be trusted, by what was learned; all the same while nothing was.
        """
        raise NotImplementedError

    def notice(self, case: Case, answer: str, *, own_task: bool) -> list[Finding]:
        """What is wrong with a candidate that can be seen without a critic; it goes before the critic's findings.

        Args:
            answer: the candidate's text.
            own_task: its request was drafted with it.
        """
        return []


# What the graph asks of a maker. Each raises `PartFailed` where the maker's method raised, or gave what it may not.


def brief_of(maker: Maker, settings: BaseModel | None, *, guarded: bool) -> str:
    """What agents read of all items of a recipe; arguments as of `Maker.brief`."""
    with naming_failures(maker, "brief", guarded=guarded) as expect:
        brief = maker.brief(settings)
        expect(isinstance(brief, str), f"{type(brief).__name__}, no text", "return a text, or an empty one")
    return brief


def count_drafts(maker: Maker, config: Config) -> int:
    """How many candidates the maker wants in a round."""
    with naming_failures(maker, "count", guarded=config.privacy.guarded) as expect:
        number = maker.count(config)
        right = type(number) is int and number >= 0
        expect(right, f"{number!r:.80}", "return a whole number, 0 or more")
    return number


def count_texts(maker: Maker, config: Config) -> int:
    """How many texts of an item are there for critics: the drafts of a round, or the given ones where nothing is
    drafted."""
    return count_drafts(maker, config) or (maker.most if isinstance(maker, Given) else 0)


def take_given(maker: Maker, case: Case, responses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The candidates that are there before anything is drafted; arguments as of `Maker.given`."""
    with naming_failures(maker, "given", guarded=case.config.privacy.guarded) as expect:
        given = list(maker.given(case, responses))
        right = all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in given)
        expect(right, "what is no response", 'return responses, each a dict with a "text"')
    return given


async def make_draft(
    maker: Maker, case: Case, index: int, *, round: int, guidance: str, findings: str
) -> Draft:
    """The maker's draft number `index` of a round; arguments as of `Maker.make`. Errors of calls stay as they are."""
    with naming_failures(maker, "make", guarded=case.config.privacy.guarded) as expect:
        own = case.at(round, index)
        try:
            draft = await maker.make(own, index, round=round, guidance=guidance, findings=findings)
        except NoAnswer as error:
            draft = own.draft("", problem=error.problem)
        right = "return case.draft(text)"
        expect(isinstance(draft, Draft), f"{type(draft).__name__}, no Draft", right)
    return draft


def reason_against(maker: Maker, case: Case, draft: Draft) -> str:
    """Why a usable draft may not become a candidate; empty where it may."""
    with naming_failures(maker, "refuse", guarded=case.config.privacy.guarded) as expect:
        reason = maker.refuse(case, draft)
        right = "return the reason in a word, or an empty text"
        expect(isinstance(reason, str), f"{type(reason).__name__}, no text", right)
    return reason


def merge_drafts(maker: Maker, case: Case, drafts: Sequence[str], weights: Sequence[float]) -> str:
    """The one candidate that drafts become; arguments as of `Maker.merge`."""
    with naming_failures(maker, "merge", guarded=case.config.privacy.guarded) as expect:
        merged = maker.merge(case, drafts, weights)
        expect(isinstance(merged, str) and bool(merged), "no text", "return the merged text")
    return merged


def notice_findings(maker: Maker, case: Case, answer: str, *, own_task: bool) -> list[Finding]:
    """What is wrong with a candidate that can be seen without a critic; arguments as of `Maker.notice`."""
    with naming_failures(maker, "notice", guarded=case.config.privacy.guarded) as expect:
        findings = list(maker.notice(case, answer, own_task=own_task))
        right = all(isinstance(one, Finding) for one in findings)
        expect(right, "what is no Finding", "return a list of solon.recipes.Finding")
    return findings


@dataclass(frozen=True)
class Given(Maker):
    """Nothing is drafted: the candidates are the seed's responses, or else its input, or its prompt.

    Attributes:
        most: so many of the responses are taken.
    """

    most: int = 1

    def given(self, case: Case, responses: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The responses, or else the seed's text."""
        return responses[: self.most] or [{"text": case.input or case.prompt, "source": "seed"}]


@dataclass(frozen=True)
class Answer(Maker):
    """Answers to the seed's request, as many as `generator.n` says."""

    keeps: ClassVar[bool] = True

    def count(self, config: Config) -> int:
        """`generator.n`."""
        return config.generator.n

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """One answer."""
        return await generator.draft(case, index, round=round, guidance=guidance, findings=findings)


def refuse_functions(config: Config, why: str, next_step: str) -> None:
    """Refuse `[generator] python`, for a maker that only models can be asked by.

    Raises:
        ConfigError: functions are to draft; with the reason why they cannot.
    """
    if config.generator.python:
        named = list(config.generator.python)
        raise ConfigError(f"[generator] python = {named}: functions {why}", next_step=next_step)


@dataclass(frozen=True)
class Contrasted(Maker):
    """Two answers to the seed's request: the first is asked to follow a principle of the constitution, the second to
    break it. The principle is drawn for the item, and another one when it is drafted again.

    Source: Yang et al. 2023, "RLCD: Reinforcement Learning from Contrastive Distillation".
    """

    templates: ClassVar[frozenset[str]] = frozenset({"generator.contrast"})

    def count(self, config: Config) -> int:
        """Two.

        Raises:
            ConfigError: functions are to draft.
        """
        refuse_functions(
            config,
            "draft answers, and none of them can be told to follow a principle or to break it",
            "leave it out, or run the recipe preference",
        )
        return 2

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """The answer that follows the principle, then the one that breaks it."""
        principles = case.constitution.ordered()
        principle = principles[(case.draw("contrast") + round) % len(principles)]
        return await generator.contrast(
            case, index, principle, breaks=index > 0, round=round, guidance=guidance
        )


@dataclass(frozen=True)
class Instruct(Maker):
    """A new instruction with its response, related to the seed."""

    template: ClassVar[str] = "generator.instruction"
    unique: bool = True

    def count(self, config: Config) -> int:
        """One candidate a round."""
        return 1

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """A new instruction with its response."""
        return await generator.write_instruction(
            case, index, round=round, guidance=guidance, findings=findings
        )

    def refuse(self, case: Case, draft: Draft) -> str:
        """`dangling_reference` or `template_echo` where the new task does not stand by itself."""
        template = self._source(case)
        if not template:
            return ""
        return why_unfit(draft.prompt, draft.input, template=template, principles=case.constitution.ids())

    def notice(self, case: Case, answer: str, *, own_task: bool) -> list[Finding]:
        """An answer that declines the task with which it was written, or speaks of being a model."""
        words = find_refusal(answer) if own_task and self._source(case) else ""
        told = "Do what the task asks, without declining it and without speaking of being a model."
        return [Finding(principle=STANDS, quote=words, severity="major", suggestion=told)] if words else []

    def _source(self, case: Case) -> str:
        """The source of the template that tasks are drafted by; empty where it asks for no input. Items that are pinned
        to such a one are replayed as they were drafted: nothing of them is refused."""
        source = case.prompts[self.template].source
        return source if '"input"' in source else ""


@dataclass(frozen=True)
class Backtranslate(Maker):
    """A request for an existing text, the seed's; or a question about it with an answer that quotes it, as `[documents]
    answer` says."""

    templates: ClassVar[frozenset[str]] = frozenset(
        {"generator.request", "generator.rewrite", "generator.quoted"}
    )
    unique: bool = True

    def count(self, config: Config) -> int:
        """One candidate a round.

        Raises:
            ConfigError: functions are to draft.
        """
        refuse_functions(
            config,
            "draft answers, and requests for texts are written by models",
            "leave it out, or run the recipe instruction",
        )
        return 1

    def calls(self, config: Config) -> int:
        """Two where the answer is written anew."""
        return 2 if config.documents.answer == "rewritten" else 1

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """A request with its answer."""
        how = case.config.documents.answer
        if how == "quoted":
            return await backtranslator.write_question(case, guidance=guidance, findings=findings)
        return await backtranslator.write_request(
            case, guidance=guidance, findings=findings, rewrites=how == "rewritten"
        )

    def refuse(self, case: Case, draft: Draft) -> str:
        """`dangling_reference` or `template_echo` where the request does not stand by itself; `unquoted` where the
        answer to a question quotes nothing, `misquoted` where a quotation does not stand in the text."""
        name = "generator.quoted" if draft.input else "generator.request"
        unfit = why_unfit(
            draft.prompt,
            draft.input,
            template=case.prompts[name].source,
            principles=case.constitution.ids(),
        )
        if unfit or not draft.input:
            return unfit
        quotes = find_quotes(draft.text, draft.input)
        if not quotes:
            return "unquoted"
        return "" if all(quote.source for quote in quotes) else "misquoted"


@dataclass(frozen=True)
class Converse(Maker):
    """A dialogue that begins with the seed's request: a model plays the user, `[dialogue]` says whom and for how many
    turns, and generators answer."""

    templates: ClassVar[frozenset[str]] = frozenset({"generator.user"})

    def count(self, config: Config) -> int:
        """One candidate a round.

        Raises:
            ConfigError: no model is there to play the user, or the file of personas has none.
        """
        if not config.generator.models:
            raise ConfigError(
                "[generator] models = []: functions answer, and a model is to play the user",
                next_step="name a model in generator.models",
            )
        try:
            has_lines(Path(config.dialogue.personas) if config.dialogue.personas else None)
        except ValueError as problem:
            raise ConfigError(
                f"[dialogue] personas = {config.dialogue.personas!r}: {problem}",
                next_step="name a text file with a person on each line, or leave it out",
            ) from None
        return 1

    def calls(self, config: Config) -> int:
        """One for each turn, the user's first excepted."""
        return 2 * config.dialogue.turns - 1

    def given(self, case: Case, responses: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """An answer that came with the seed, as the dialogue of this one turn."""
        return [{**one, "text": write_dialogue([(ASSISTANT, one["text"])])} for one in responses]

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """One dialogue."""
        settings = case.config.dialogue
        given = settings.model_dump_json()
        path = Path(settings.personas)
        drawn: dict[str, Any] = {}
        if settings.personas:
            drawn["persona"] = case.keep(
                "persona", lambda: draw_line(path, case.draw("persona")), given=given
            )
        found = await converse(
            case,
            index,
            person=drawn.get("persona", ""),
            turns=settings.turns,
            round=round,
            guidance=guidance,
            findings=findings,
        )
        drawn |= {"turns": found.turns, "ended": found.ended}
        case.keep("dialogue", lambda: drawn, given=given)
        return found.draft


@dataclass(frozen=True)
class Mark(Maker):
    """Readings of a text, as many as `[spans] readings` says: in each a model marks spans. They are merged by
    support."""

    merges: bool = True

    def count(self, config: Config) -> int:
        """`[spans] readings`.

        Raises:
            ConfigError: functions are to mark.
        """
        refuse_functions(
            config,
            "draft answers, and spans are marked by models",
            "leave it out; what a program finds can come as `spans` of a seed's row",
        )
        return config.spans.readings

    async def make(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """One reading."""
        return await marker.mark(case)

    def merge(self, case: Case, drafts: Sequence[str], weights: Sequence[float]) -> str:
        """The spans for which more than `[spans] support` of all weight speaks."""
        spans = case.config.spans
        readings = [(read_spans(text) or (), weight) for text, weight in zip(drafts, weights, strict=True)]
        return write_spans(merge_spans(readings, support=spans.support, overlap=spans.overlap))
