"""What the rules of a project cover, where they conflict, and how often they are right: of a store, or of a file of
texts before any run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from solon.agents.voters import check_rule_labels, with_rules
from solon.consensus.coverage import QUIET, count_coverage
from solon.consensus.panel import SILENT
from solon.display.text import moment
from solon.errors import UsageError
from solon.eval.replay.opinions import counted
from solon.eval.result import Figure, SuiteResult, rate
from solon.eval.suites.agreement import DRAWN_RULES
from solon.formats.seed_files import BadRow, sum_up
from solon.formats.seed_rows import SeedRow
from solon.lawmaking.rule_origins import rule_origins
from solon.plugins import load_plugin, read_rule
from solon.questions import LabelQuestion
from solon.store.records import evaluation
from solon.sync import run_sync
from solon.workspace.seeds import read_rows

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import RuleConfig
    from solon.eval.material import Material
    from solon.law.documents import Rule as LawRule
    from solon.lawmaking.rule_origins import RuleOrigin
    from solon.plugins import Plugin
    from solon.store.database.engine import Connection
    from solon.workspace.seeds import Seeds

NO_TEXT = "no text was read"
NO_ANSWER = "no decision on a text where it speaks"
CHOSEN = "Decisions on texts that were sent to people because voters differ show every rule worse than it is."


class RuleFigures(BaseModel):
    """One rule.

    Attributes:
        name: its name.
        labels: the outcomes that it named, the commonest first.
        coverage: share of the texts that it was put on which it speaks.
        overlap: share of those on which another rule speaks, too.
        conflict: share of those on which another rule names another outcome.
        against: rule -> on how many texts it names another outcome than this one.
        precision: how often it is right where it speaks, by people's decisions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    labels: tuple[str, ...]
    coverage: Figure
    overlap: Figure
    conflict: Figure
    against: dict[str, int]
    precision: Figure


class RatifiedRule(BaseModel):
    """A rule that is or was law; the others are of the configuration.

    Attributes:
        name: its name.
        says: its label, and where it matches.
        version: of the rules in which it came.
        amendment: id of the amendment that brought it; empty where it was imported.
        ratified_by: who voted for it.
        since: when it came into force.
        in_force: whether it votes in new runs; False where it was repealed.
        repealed_by: who voted for its repeal; empty where it is in force, or a version without it was imported.
        repeal: id of the amendment that repealed it; empty likewise.
        repealed_at: when it went; empty where it is in force.
        held_out: how often it was right where it speaks, on decisions that its author could not see.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    says: str
    version: str
    amendment: str
    ratified_by: tuple[str, ...]
    since: str
    in_force: bool
    held_out: Figure
    repealed_by: tuple[str, ...] = ()
    repeal: str = ""
    repealed_at: str = ""

    def spell_repeal(self) -> str:
        """Since when it votes no more, and by whom, in words; empty where it is in force."""
        if self.in_force:
            return ""
        by = (
            f"amendment {self.repeal}, ratified by {', '.join(self.repealed_by)}" if self.repeal else "import"
        )
        return f"repealed {self.repealed_at}, {by}"


class Rules(SuiteResult):
    """All rules together; `n` is the number of texts.

    Attributes:
        covered: share of the texts on which any rule speaks.
        several: share on which two or more do.
        split: share on which they name different outcomes.
        rules: each of them, in their order.
        never: those that match no text.
        left_out: those that were not tried, with why.
        by_law: those that were ratified, repealed ones too.
        tried: they were tried on texts, before any run.
    """

    covered: Figure
    several: Figure
    split: Figure
    rules: tuple[RuleFigures, ...]
    never: tuple[str, ...]
    left_out: dict[str, str] = Field(default_factory=dict)
    by_law: tuple[RatifiedRule, ...] = ()
    tried: bool = False

    def next_step(self) -> str:
        """Mend what never matches, then let people decide."""
        if not self.rules:
            return "write [[rules]] in solon.toml: see the page Voters of the docs"
        if self.never:
            return f"{self.never[0]} matches none of {self.n} texts: mend it, or leave it out"
        if self.tried:
            return (
                "`solon run label-panel --seeds FILE` lets them vote; what they leave open waits for people"
            )
        if not any(rule.precision.n for rule in self.rules):
            return "let people decide some: `solon review list`; then this table says how often each rule is right"
        return "`solon learn` weighs the rules by these decisions"


def measure_rules(said: Sequence[Mapping[str, str]], known: Sequence[str | None]) -> Rules:
    """Return the figures of rules.

    Args:
        said: of each text, rule -> the outcome that it names, or `silent`.
        known: the right outcome of each text; None where nobody decided it.
    """
    names = list(dict.fromkeys(name for by_rule in said for name in by_rule))
    outcomes = sorted({told for by_rule in said for told in by_rule.values()} - {SILENT})
    at = {outcome: place for place, outcome in enumerate(outcomes)}
    spoken = np.array([[at.get(by_rule.get(name, SILENT), QUIET) for name in names] for by_rule in said])
    spoken = spoken.reshape(len(said), len(names)).astype(np.int64)
    # An answer that no rule names is right nowhere, and yet an answer.
    right = [QUIET if answer is None else at.get(answer, len(outcomes)) for answer in known]
    found = count_coverage(spoken, np.array(right, dtype=np.int64))
    n, rules = len(said), []
    for place, name in enumerate(names):
        spoke, against = int(found.spoke[place]), found.against[place]
        labels, times = np.unique(spoken[spoken[:, place] != QUIET, place], return_counts=True)
        rules.append(
            RuleFigures(
                name=name,
                labels=tuple(outcomes[label] for label in labels[np.argsort(-times, kind="stable")]),
                coverage=rate(spoke, sum(name in by_rule for by_rule in said), NO_TEXT),
                overlap=rate(int(found.beside[place]), spoke, "it matches no text"),
                conflict=rate(int(found.disputed[place]), spoke, "it matches no text"),
                against={
                    names[other]: int(against[other])
                    for other in np.argsort(-against, kind="stable")
                    if against[other]
                },
                precision=rate(int(found.right[place]), int(found.checked[place]), NO_ANSWER),
            )
        )
    return Rules(
        suite="rules",
        n=n,
        covered=rate(found.covered, n, NO_TEXT),
        several=rate(found.several, n, NO_TEXT),
        split=rate(found.split, n, NO_TEXT),
        rules=tuple(rules),
        never=tuple(rule.name for rule in rules if not rule.coverage.value),
    )


def list_rules(material: Material, name_of: Callable[[str], str] = str) -> Rules:
    """Return the figures of the rules that voted in runs, with the decisions of experts on the same texts: the first
    blind answer that came by an expert's token.

    Args:
        name_of: makes a name of the actor who ratified a rule.
    """
    said: list[Mapping[str, str]] = []
    known: list[str | None] = []
    alike: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
    chosen = False
    with material.store.connect() as connection:
        for part in evaluation.parts_of_runs(connection, material.run_ids):
            spoken = _spoken(connection, part)
            answers = counted(evaluation.answers(connection, material.run_ids, part=part)) if spoken else []
            first: dict[evaluation.Shown, str] = {}
            for answer in answers:
                chosen |= answer.rule not in DRAWN_RULES and answer.what in spoken
                if answer.outcome is not None:
                    first.setdefault(answer.what, answer.outcome)
            said += (alike.setdefault(tuple(by_rule.items()), by_rule) for by_rule in spoken.values())
            known += map(first.get, spoken)
        by_law = [_ratified(origin, name_of) for origin in rule_origins(connection).values()]
    found = measure_rules(said, known)
    return found.model_copy(update={"notes": (CHOSEN,) if chosen else (), "by_law": tuple(by_law)})


def _spoken(connection: Connection, part: evaluation.Part) -> dict[evaluation.Shown, dict[str, str]]:
    """What was shown of some items -> rule, in their order -> what it named."""
    spoken: dict[evaluation.Shown, dict[str, str]] = {}
    for vote in sorted(evaluation.rule_votes(connection, part), key=lambda vote: vote.place):
        spoken.setdefault(vote.what, {})[vote.rule] = vote.outcome
    return spoken


def _ratified(origin: RuleOrigin, name_of: Callable[[str], str]) -> RatifiedRule:
    figures, gone = origin.held_out or {"right": 0, "spoke": 0}, origin.repealed
    return RatifiedRule(
        name=origin.rule.id,
        says=origin.rule.text,
        version=origin.version,
        amendment=origin.amendment,
        ratified_by=tuple(map(name_of, origin.by)),
        since=moment(origin.since),
        in_force=origin.in_force,
        repealed_by=tuple(map(name_of, gone.by)) if gone else (),
        repeal=gone.amendment if gone else "",
        repealed_at=moment(gone.at) if gone else "",
        held_out=rate(figures["right"], figures["spoke"], "not measured on unseen decisions"),
    )


def try_rules(
    config: Config,
    seeds: Seeds,
    plugins: Mapping[str, Plugin] | None = None,
    *,
    ratified: Sequence[LawRule] = (),
) -> Rules:
    """Return the figures of the rules that would vote in a new run on the texts of seeds: of each row its first
    response, or else its input, or its prompt. No model is asked, so a rule with a `prompt` is left out; no store is
    read.

    Args:
        ratified: rules that are law, which a run takes in behind the configured ones.

    Raises:
        UsageError: there are no rules.
        ConfigError: a pattern runs away on a text, a function cannot be found, a rule votes for what is no label, or a
            configured rule has the name of a ratified one and says something else.
        SeedError: the file cannot be read.
    """
    own, labels = len(config.rules), config.label.labels
    question = LabelQuestion(labels or tuple(dict.fromkeys(rule.label for rule in ratified)))
    config = with_rules(config, ratified, question)
    if not config.rules:
        raise UsageError("there are no rules to try", next_step="write [[rules]] in solon.toml")
    if labels:
        check_rule_labels(config, labels)
    rows = list(read_rows(seeds, config))
    good = [row for row in rows if isinstance(row, SeedRow)]
    texts = [row.responses[0].text if row.responses else row.input or row.prompt for row in good]
    found = run_sync(_try_on_texts(config, texts, plugins))
    bad = [row for row in rows if isinstance(row, BadRow)]
    notes = [f"not read: {told}" for told in sum_up(bad)]
    if by_law := [rule.name for rule in config.rules[own:]]:
        notes.append(f"ratified, and tried as in a new run: {', '.join(by_law)}")
    if idle := [rule.id for rule in ratified if rule.label not in question.outcomes]:
        notes.append(f"ratified, and not tried, for their label is none of these: {', '.join(idle)}")
    named = {rule.label for rule in config.rules}
    if "" not in named and (bare := [label for label in labels if label not in named]):
        notes.append(f"no rule names {', '.join(bare)}")
    return found.model_copy(update={"notes": tuple(notes), "tried": True})


async def _try_on_texts(config: Config, texts: Sequence[str], plugins: Mapping[str, Plugin] | None) -> Rules:
    tried = {rule.name: rule for rule in config.rules if not rule.prompt}
    functions = {
        name: load_plugin(rule.python, "judge", plugins) for name, rule in tried.items() if rule.python
    }
    failed: dict[str, str] = {}
    said: list[dict[str, str]] = []
    for text in texts:
        said.append({})
        for name, rule in tried.items():
            if name not in failed:
                try:
                    said[-1][name] = await _say(rule, functions.get(name), text, config.label.labels)
                except Exception as error:  # a function may raise anything, and must not end the others
                    if name not in functions:
                        raise
                    failed[name] = f"its function failed: {type(error).__name__}: {error}"
    said = [{name: told for name, told in by_rule.items() if name not in failed} for by_rule in said]
    found = measure_rules(said, [None] * len(said))
    asked = {rule.name: "it asks a model" for rule in config.rules if rule.prompt}
    return found.model_copy(update={"left_out": {**asked, **failed}})


async def _say(rule: RuleConfig, function: Plugin | None, text: str, labels: Sequence[str]) -> str:
    from solon.agents.voters import match_or_refuse

    if function is None:
        return rule.label if match_or_refuse(rule, text) else SILENT
    answer = await function.answer({"answer": text, "prompt": text, "labels": list(labels)})
    opinion = read_rule(answer, rule.label, labels)
    return SILENT if opinion is None else opinion.verdict
