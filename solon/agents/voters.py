"""Voters of a panel: rules, a classifier that learns from decisions, readings of a text, and what was said elsewhere.
The seats of models and functions are voters too, see `solon.recipes.questions.Seats`.

A voter is put what is under judgement and gives verdicts: an outcome of the question, or nothing. All verdicts are
stored, weighed and learned of alike, and any mixture of voters may stand in any tier.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, Field

from solon.agents import plugged
from solon.agents.calls import Ask
from solon.agents.judge import Verdict
from solon.consensus.panel import ABSTAIN, SILENT
from solon.errors import ConfigError
from solon.questions import CHANGED, STANDS, nearest
from solon.spans import read_spans
from solon.words import MATCH_SECONDS, has_keyword, has_pattern

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from solon.agents.case import Case
    from solon.config import Config
    from solon.config.sections import ClassifierConfig, RuleConfig
    from solon.consensus.classifier import Classifier
    from solon.law.documents import Rule as LawRule
    from solon.questions import Question


@dataclass(frozen=True, slots=True)
class Put:
    """What voters are asked about.

    Attributes:
        answers: the texts of the candidates shown.
        outcomes: what may be said of them.
        round: how often the item was redrafted before.
        pair: how many sets of candidates of this round were shown before.
        precedents: similar earlier decisions as text for a prompt; empty without any.
        drafts: author and text of each draft that the answer was merged from; empty where it is a draft itself.
    """

    answers: tuple[str, ...]
    outcomes: tuple[str, ...]
    round: int = 0
    pair: int = 0
    precedents: str = ""
    drafts: tuple[tuple[str, str], ...] = ()


class Voter(Protocol):
    """What votes on what is shown.

    Attributes:
        tier: the tier in which it is asked: 0 first, the next where those before are not sure enough.
    """

    @property
    def tier(self) -> int:
        """The tier in which it is asked."""

    async def vote(self, case: Case, put: Put) -> list[Verdict]:
        """Its verdicts; it abstains rather than raises, but where a model cannot be reached."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Verdicts that came with a seed, as a voter."""

    said: Sequence[Mapping[str, Any]]
    tier: int = 0

    async def vote(self, case: Case, put: Put) -> list[Verdict]:
        """What was said."""
        return [Verdict.from_seed(recorded) for recorded in self.said]


@dataclass(frozen=True, slots=True)
class Readings:
    """The readings of a text as voters: each is for the spans that they were merged into where it has the same ones.
    Readings of one model are samples of one voter."""

    tier: int = 0

    async def vote(self, case: Case, put: Put) -> list[Verdict]:
        """One verdict for each reading."""
        merged, seen = read_spans(put.answers[0]), Counter[str]()
        verdicts = []
        for author, text in put.drafts:
            outcome = STANDS if read_spans(text) == merged else CHANGED
            verdicts.append(
                Verdict(judge=author, seat="reading", sample=seen[author], outcome=outcome, basis="reading")
            )
            seen[author] += 1
        return verdicts


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as a voter: for its label where it matches, silent where it does not."""

    config: RuleConfig
    seat: str

    @property
    def tier(self) -> int:
        """The tier in which it is asked."""
        return self.config.tier

    @property
    def identity(self) -> str:
        """Its name as a voter, with a hash of what it does: a changed rule is another voter."""
        told = self.config.model_dump(mode="json", exclude={"tier"})
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return f"rule:{self.config.name}+{digest[:8]}"

    async def vote(self, case: Case, put: Put) -> list[Verdict]:
        """One verdict; it abstains where its function fails, its question is not answered or its pattern takes too
        long."""
        if self.config.python:
            return [await self._by_function(case, self.config.python, put)]
        if self.config.prompt:
            return [await self._by_model(case, self.config.prompt, put)]
        try:
            return [self._said(matches(self.config, put.answers[0]))]
        except TimeoutError:
            return [Verdict(judge=self.identity, seat=self.seat, abstained="timeout")]

    def _said(self, matched: bool | None, **details: Any) -> Verdict:
        """`matched`: None where it could not be found out."""
        outcome = self.config.label if matched else SILENT if matched is not None else ABSTAIN
        basis = "rule" if matched else ""
        return Verdict(judge=self.identity, seat=self.seat, outcome=outcome, basis=basis, **details)

    async def _by_function(self, case: Case, reference: str, put: Put) -> Verdict:
        outcome, opinion, plugin = await plugged.apply_rule(
            case, reference, put.answers[0], put.outcomes, self.config.label, seat=self.seat, round=put.round,
            ordinal=put.pair,
        )  # fmt: skip
        if not outcome.ok:
            return Verdict(judge=plugin.identity, seat=self.seat, call=outcome, abstained=outcome.outcome)
        if opinion is None:
            return Verdict(judge=plugin.identity, seat=self.seat, outcome=SILENT, call=outcome)
        return Verdict(
            judge=plugin.identity,
            seat=self.seat,
            outcome=opinion.verdict,
            call=outcome,
            p=opinion.p,
            confidence=opinion.confidence,
            rationale=opinion.rationale,
            shares=opinion.shares,
            basis="rule",
        )

    async def _by_model(self, case: Case, question: str, put: Put) -> Verdict:
        values = {"question": question, "prompt": case.prompt, "input": case.input, "text": put.answers[0]}
        ask = Ask(
            role="judge",
            seat=f"rule/{self.config.name}/{put.pair}",
            model=self.config.model,
            prompt=case.prompts["judge.rule"].render(case.mark, **values),
            max_tokens=256,
            temperature=0.0,
            seed=case.draw("rule", self.config.name, put.round, put.pair),
            round=put.round,
            schema=_Holds,
        )
        outcome, parsed = await case.caller.parsed(ask)
        if not isinstance(parsed, _Holds):
            return self._said(None, call=outcome, abstained=outcome.outcome)
        return self._said(parsed.holds == "yes", call=outcome, rationale=parsed.rationale)


class _Holds(BaseModel):
    """A model's answer to the question of a rule."""

    rationale: str = Field("", max_length=600)
    holds: Literal["yes", "no"]


def matches(rule: RuleConfig, text: str) -> bool:
    """Whether the pattern of a rule is found in a text, or one of its words stands in it, in upper or lower case.

    Raises:
        TimeoutError: the pattern took longer than `MATCH_SECONDS`.
    """
    return has_pattern(rule.regex, text, any_case=True) if rule.regex else has_keyword(rule.keywords, text)


@dataclass(frozen=True, slots=True)
class ClassifierVoter:
    """The classifier of a consensus version as a voter; silent where none was trained yet."""

    config: ClassifierConfig
    seat: str
    trained: Classifier | None

    @property
    def tier(self) -> int:
        """The tier in which it is asked."""
        return self.config.tier

    async def vote(self, case: Case, put: Put) -> list[Verdict]:
        """One verdict: the probability of each outcome by what was decided of other texts."""
        verdict = partial(Verdict, judge=classifier_identity(self.config), seat=self.seat)
        if self.trained is None:
            return [verdict(outcome=SILENT)]
        shares = self.trained.shares(as_vectors(self.config, put.answers[:1]))[0].tolist()
        return [verdict(basis="classifier", **said_by_shares(self.trained.outcomes, shares))]


def classifier_identity(config: ClassifierConfig) -> str:
    """The name under which the classifier votes: what it sees of a text is part of it."""
    return f"classifier:{config.features}"


def as_vectors(config: ClassifierConfig, texts: Sequence[str]) -> NDArray[np.float64]:
    """Texts as the classifier sees them, each a vector of length 1.

    Raises:
        ConfigError: it goes by meaning, and the extra that does it is not installed.
    """
    from solon.agents.models.embedding import can_embed, embed, embed_words

    if config.features == "words":
        return embed_words(texts)
    if not can_embed():
        raise ConfigError(
            '[classifier] features = "meaning" needs an embedding model',
            next_step="pip install 'solon[embeddings]', or features = \"words\"",
        )
    return embed(texts)


def said_by_shares(outcomes: Sequence[str], shares: Sequence[float]) -> dict[str, Any]:
    """`outcome` and `shares` of a voter that gives a probability for each outcome."""
    best = max(range(len(outcomes)), key=lambda place: shares[place])
    told = {outcome: round(share, 6) for outcome, share in zip(outcomes, shares, strict=True)}
    return {"outcome": outcomes[best], "shares": told}


def as_config(rule: LawRule) -> RuleConfig:
    """A ratified or drafted rule as one of `[[rules]]`."""
    from solon.config.sections import RuleConfig

    return RuleConfig(name=rule.id, label=rule.label, keywords=tuple(rule.keywords), regex=rule.regex or None)


def with_rules(config: Config, ratified: Sequence[LawRule], question: Question) -> Config:
    """The configuration with the ratified rules that can vote on a question behind its own `[[rules]]`: those whose
    label is an outcome, where it shows one text. A rule that stands in both is one voter.

    Raises:
        ConfigError: two rules of one name say different things.
    """
    known = {rule.name: rule for rule in config.rules}
    added = []
    for rule in ratified if question.shown == 1 else ():
        if rule.label not in question.outcomes:
            continue
        voter = as_config(rule)
        own = known.get(rule.id)
        if own is None:
            added.append(voter)
        elif own.model_copy(update={"tier": voter.tier}) != voter:
            raise ConfigError(
                f"the rule {rule.id!r} of [[rules]] says something else than the ratified rule of that name",
                next_step="give it another name in [[rules]]",
            )
    return config.model_copy(update={"rules": (*config.rules, *added)}) if added else config


def voters_beside(config: Config, trained: Mapping[str, Any] | None = None) -> tuple[Voter, ...]:
    """The voters beside the seats of a panel, in their order.

    Args:
        trained: plain values of the classifier of a consensus version; None where it has none.
    """
    first = len(config.judges) + 1
    rules = [Rule(rule, f"{first + i}: {rule.name}") for i, rule in enumerate(config.rules)]
    if not config.classifier.enabled:
        return tuple(rules)
    from solon.consensus.classifier import Classifier

    seat = classifier_seat(config)
    known = Classifier.from_json(trained) if trained is not None else None
    return (*rules, ClassifierVoter(config.classifier, seat, known))


def classifier_seat(config: Config) -> str:
    """The place of the classifier on the panel, and its name."""
    return f"{len(config.judges) + len(config.rules) + 1}: classifier"


def check_voters(config: Config, asked: Question, recipe: str) -> None:
    """Check that the voters beside the seats can vote on a question.

    Raises:
        ConfigError: it shows more than one text, a rule votes for what is no outcome, or the classifier goes by
            meaning and the extra for it is not installed.
    """
    if not config.has_voters_beside:
        return
    if asked.shown != 1:
        raise ConfigError(
            f"recipe {recipe!r} sets {asked.shown} texts against each other, and rules and the classifier speak of one",
            next_step="leave [[rules]] and [classifier] out, or let a @judge function compare them",
        )
    check_rule_labels(config, asked.outcomes)
    if config.classifier.enabled:
        as_vectors(config.classifier, [""])


def check_rule_labels(config: Config, outcomes: Sequence[str]) -> None:
    """Check that every rule votes for an outcome.

    Raises:
        ConfigError: naming the first that does not, and the nearest outcome.
    """
    for place, rule in enumerate(config.rules):
        if rule.label and rule.label not in outcomes:
            raise ConfigError(
                f"{config.place_of('rules', str(place), 'label')}: the rule {rule.name!r} votes for {rule.label!r}, "
                "which is no outcome",
                next_step=nearest(rule.label, outcomes),
            )


def try_rules(config: Config, texts: Iterable[str]) -> None:
    """Check that the patterns of all rules come to an end on these texts.

    Raises:
        ConfigError: one takes longer than `MATCH_SECONDS` on a text.
    """
    patterns = [rule for rule in config.rules if rule.regex]
    for text in texts if patterns else ():
        for rule in patterns:
            match_or_refuse(rule, text)


def match_or_refuse(rule: RuleConfig, text: str) -> bool:
    """`matches`, where a pattern that runs away is the fault of whoever wrote it.

    Raises:
        ConfigError: it takes longer than `MATCH_SECONDS`.
    """
    try:
        return matches(rule, text)
    except TimeoutError:
        raise ConfigError(
            f"the pattern of the rule {rule.name!r} runs away: it took longer than {MATCH_SECONDS} s on "
            f"a text of {len(text)} characters",
            next_step="write it without a repetition inside a repetition, such as (a+)+",
        ) from None
