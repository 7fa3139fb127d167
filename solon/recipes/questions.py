"""Questions: what judges and experts are asked about the candidates shown. What answers mean stands in
`solon.questions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from solon import questions
from solon.agents import judge
from solon.consensus.panel import ABSTAIN
from solon.dialogues import read_dialogue
from solon.errors import ConfigError
from solon.formats.seed_rows import RowProblem, SeedResponse, read_cell
from solon.law.seed_rubrics import COLUMN as RUBRIC
from solon.law.seed_rubrics import read_seed_rubric
from solon.recipes.failures import naming_failures
from solon.responses import (
    CURATED,
    DIALOGUE,
    LABEL,
    RANKING,
    SPANS,
    label_schema,
    model_of,
    ranking_schema,
    spans_schema,
)
from solon.spans import SpanProblem, check_kinds, check_spans, text_of, write_spans

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.agents.judge import Verdict
    from solon.agents.voters import Put
    from solon.config import Config
    from solon.formats.seed_rows import SeedRow


class Question:
    """What is asked about the candidates shown.

    Attributes:
        base: the response schema in general, which is part of the graph's version.
        orders: how often each seat is asked, so that the order of what is shown cannot decide.
        by: what a confident panel goes by, in words, for the reason of an item's outcome.
        seated: the seats of `[[judges]]` are asked it; where not, the drafts are the votes.
        templates: of Solon's own, those that it is asked with and no other question is.
    """

    templates: ClassVar[frozenset[str]] = frozenset()
    base: str = ""
    by: str = "consensus"
    orders: int = 1
    seated: bool = True

    def schema(self, config: Config) -> str:
        """The response schema that a review is opened under, which holds the outcomes.

        Raises:
            ConfigError: the question cannot be asked as it is configured.
        """
        raise NotImplementedError

    def asked(self, config: Config) -> questions.Question:
        """What answers mean: the outcomes, and what each chooses.

        Raises:
            ConfigError: as of `schema`; or the schema has fewer than two outcomes.
            PartFailed: `schema` of a question of one's own failed.
        """
        schema = find_schema(self, config)
        asked = questions.question_of(schema)
        if len(asked.outcomes) < 2:
            raise ConfigError(
                f"a question needs two different outcomes or more; {schema!r:.80} has {list(asked.outcomes)}",
                next_step="name the labels, or take the response schema of a pair or a single candidate",
            )
        return asked

    def read_row(self, row: SeedRow, config: Config) -> SeedRow:
        """A row of a seed file as the question is asked about it: the row itself, with its own rubric in one form where
        judges go by such.

        Raises:
            RowProblem: it cannot be asked about this row.
        """
        column = next((name for name in row.metadata if name.casefold() == RUBRIC), "")
        if config.law.seed_rubrics == "off" or row.metadata.get(column) in (None, ""):
            return row
        try:
            rubric = read_seed_rubric(read_cell(row.metadata[column], RUBRIC))
        except ValueError as problem:
            raise RowProblem(str(problem)) from None
        others = {name: value for name, value in row.metadata.items() if name != column}
        return replace(row, metadata={**others, RUBRIC: rubric.as_plain()})

    async def ask(
        self, case: Case, answers: Sequence[str], *, round: int, pair: int, precedents: str, tier: int
    ) -> list[Verdict]:
        """The verdicts of a tier of the panel.

        Args:
            answers: the texts of the candidates shown.
            round: how often the item was redrafted before.
            pair: how many sets of candidates of this round were shown before.
            precedents: similar earlier decisions as text for the prompt; empty without any.
            tier: the seats to ask.
        """
        raise NotImplementedError


def asks_call_by_call(question: Question) -> bool:
    """Whether some of a panel's calls can be made without the others: of a question that asks as Solon's own do."""
    return type(question).ask in (Pair.ask, Accept.ask, Dialogue.ask, Choice.ask)


def find_schema(question: Question, config: Config) -> str:
    """The response schema that a review is opened under; errors are those of `Question.schema`.

    Raises:
        PartFailed: `schema` of a question of one's own raised, or gave no text.
    """
    with naming_failures(question, "schema", guarded=config.privacy.guarded) as expect:
        schema = question.schema(config)
        right = "return the name of a response schema"
        expect(isinstance(schema, str), f"{type(schema).__name__}, no text", right)
    return schema


@dataclass(frozen=True, slots=True)
class Seats:
    """The seats of one tier of the panel, models and functions, as a voter: each is asked as the question asks it."""

    question: Question
    tier: int

    async def vote(self, case: Case, put: Put) -> list[Verdict]:
        """The verdicts of these seats. Errors of calls stay as they are.

        Raises:
            PartFailed: `ask` of a question of one's own raised, or gave anything but verdicts with its outcomes.
        """
        with naming_failures(self.question, "ask", guarded=case.config.privacy.guarded) as expect:
            said = await self.question.ask(
                case,
                put.answers,
                round=put.round,
                pair=put.pair,
                precedents=put.precedents,
                tier=self.tier,
            )
            verdicts = list(said)
            for one in verdicts:
                expect(isinstance(one, judge.Verdict), f"{type(one).__name__}, no Verdict", "return verdicts")
            known = (*put.outcomes, questions.TIE, ABSTAIN)
            for one in verdicts:
                expect(one.outcome in known, f"the outcome {one.outcome!r:.60}", f"one of {', '.join(known)}")
        return verdicts


@dataclass(frozen=True)
class Pair(Question):
    """Which of two candidates is better, asked in both orders."""

    base: str = "pair@1"
    orders: int = 2

    def schema(self, config: Config) -> str:
        """The schema of a pair."""
        return self.base

    async def ask(
        self, case: Case, answers: Sequence[str], *, round: int, pair: int, precedents: str, tier: int
    ) -> list[Verdict]:
        """Each seat's verdicts in both orders."""
        a, b = answers
        return await judge.pair(case, a, b, round=round, pair=pair, precedents=precedents, tier=tier)


@dataclass(frozen=True)
class Accept(Question):
    """Whether a candidate will do, by its scores on the rubric."""

    base: str = "single@1"
    by: str = "rubric score,"

    def schema(self, config: Config) -> str:
        """The schema of a single candidate."""
        return self.base

    async def ask(
        self, case: Case, answers: Sequence[str], *, round: int, pair: int, precedents: str, tier: int
    ) -> list[Verdict]:
        """Each seat's scores, `accept` from `instruction.accept_score` on."""
        return await judge.score(
            case, answers[0], round=round, ordinal=pair, precedents=precedents, tier=tier
        )


@dataclass(frozen=True)
class Dialogue(Accept):
    """Whether a dialogue will do, by its scores on the rubric. Judges name the turn that is worst, and people may mark
    it."""

    templates: ClassVar[frozenset[str]] = frozenset({"judge.dialogue"})
    base: str = DIALOGUE

    async def ask(
        self, case: Case, answers: Sequence[str], *, round: int, pair: int, precedents: str, tier: int
    ) -> list[Verdict]:
        """Each seat's scores, with the worst turn marked."""
        turns = read_dialogue(answers[0]) or ()
        return await judge.score(
            case, answers[0], round=round, ordinal=pair, precedents=precedents, tier=tier, turns=turns
        )


@dataclass(frozen=True)
class Curate(Accept):
    """Whether a text that a person wrote will do. Whoever answers sees what critics found in it, and what a model would
    make of it, and keeps the text, takes that, or edits."""

    base: str = CURATED


@dataclass(frozen=True)
class Choice(Question):
    """Which label of a closed set a text gets: these, or those of `[label]` (labels, or a form of one's own)."""

    labels: tuple[str, ...] = ()
    base: str = LABEL

    def __post_init__(self) -> None:
        """A list of labels will do: it is kept as what can be compared."""
        if not isinstance(self.labels, str):
            object.__setattr__(self, "labels", tuple(self.labels))

    def schema(self, config: Config) -> str:
        """The schema that holds the labels, or the configured form.

        Raises:
            ConfigError: there are fewer than two different labels and no form, or they cannot be asked for.
        """
        form = "" if self.labels else config.label.form
        labels = self.labels or config.label.labels
        if not form and not labels:
            raise ConfigError(
                "the recipe label needs labels", next_step='e.g. [label] labels = ["yes", "no"]'
            )
        schema = form or label_schema(labels)
        model_of(schema)  # what will not do shows before any item waits
        return schema

    async def ask(
        self, case: Case, answers: Sequence[str], *, round: int, pair: int, precedents: str, tier: int
    ) -> list[Verdict]:
        """Each seat's label."""
        labels = self.asked(case.config).outcomes
        return await judge.label(
            case, answers[0], labels, round=round, ordinal=pair, precedents=precedents, tier=tier
        )


@dataclass(frozen=True)
class Ranking(Question):
    """In which order people put the answers to a request, `generator.n` of them; by each of `preference.questions`."""

    base: str = RANKING
    seated: bool = False

    def schema(self, config: Config) -> str:
        """The schema that holds how many answers there are, and the questions.

        Raises:
            ConfigError: so many answers cannot be ranked.
        """
        number, most = config.generator.n, len(questions.PLACES)
        if not 2 <= number <= most:
            raise ConfigError(
                f"generator.n = {number}: people rank 2 to {most} answers",
                next_step="set how many answers to a request are ranked, e.g. [generator] n = 4",
            )
        return ranking_schema(number, config.preference.questions)

    async def ask(
        self, case: Case, answers: Sequence[str], *, round: int, pair: int, precedents: str, tier: int
    ) -> list[Verdict]:
        """No verdicts: seats are not asked."""
        return []


@dataclass(frozen=True)
class Spans(Question):
    """Whether the spans that were proposed of a text stand, of the kinds of `[spans]`. The readings that they were
    merged from are the votes: one is for them where it has the same spans."""

    base: str = SPANS
    seated: bool = False

    def schema(self, config: Config) -> str:
        """The schema that holds the kinds.

        Raises:
            ConfigError: there are none.
        """
        check_kinds(config.spans.kinds)
        return spans_schema(config.spans.kinds, overlap=config.spans.overlap)

    def read_row(self, row: SeedRow, config: Config) -> SeedRow:
        """The row, with the spans that it brought as its response: they stand in place of a model's.

        Raises:
            RowProblem: it is a conversation, has no text, or its spans cannot be those of its text.
        """
        told = row.metadata.get("spans")
        text = text_of({"input": row.input, "prompt": row.prompt})
        if len(row.messages) > 1:
            raise RowProblem(
                "messages: spans are marked in one text, and this is a conversation; give it as prompt"
            )
        if row.responses:
            raise RowProblem("responses: spans are marked in the prompt (or input); leave responses out")
        if told is None:
            return row
        try:
            found = check_spans(told, text, config.spans.kinds, overlap=config.spans.overlap)
        except SpanProblem as problem:
            raise RowProblem(str(problem)) from None
        brought = SeedResponse(write_spans(found), source=row.source or "brought")
        metadata = {name: value for name, value in row.metadata.items() if name != "spans"}
        return replace(row, responses=(brought,), metadata=metadata)

    async def ask(
        self, case: Case, answers: Sequence[str], *, round: int, pair: int, precedents: str, tier: int
    ) -> list[Verdict]:
        """No verdicts: seats are not asked."""
        return []
