"""What drafted rules would have changed on earlier decisions: replayed on stored texts and verdicts, without any model.

The label model is fitted twice on the decisions of the seen half, with the rules in force and with those of the draft,
and compared on decisions that the author of the draft could not see. There each rule is also counted by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from solon.agents.voters import Rule as RuleVoter
from solon.agents.voters import as_config, with_rules
from solon.consensus.binomial import clopper_pearson, tail_at_least
from solon.consensus.panel import SILENT, Vote
from solon.law.documents import RuleBook
from solon.law.impact import LEVEL, Paired, Trial, Verdict, level_of
from solon.lawmaking.rule_drafts import local_rules, speaks

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import RuleConfig
    from solon.consensus.panel import Consensus
    from solon.law.documents import Rule as LawRule
    from solon.store.lawmaking.precedents import PrecedentRow

NAMED = 5
"""Of rules that do not hold, so many are named in the verdict; each stands in the figures."""
MOST_DECISIONS = 5000
"""Where more decisions than these would be needed, no number is told."""
Votes = Mapping[str, Sequence[Vote]]


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """A rule that is new, changed or repealed on decisions that the author of the draft could not see.

    Attributes:
        id: its name.
        says: its label, and where it matches.
        n: decisions.
        spoke: on how many of them it matches.
        right: on how many of these its label was decided.
        precision: 95% interval of right / spoke (Clopper and Pearson 1934).
        coverage: 95% interval of spoke / n.
        conflicts: on how many of the texts that it matches another rule names another label.
        common: share of its label among the decisions.
        p_value: exact, one-sided, that its label is no commoner where it matches.
    """

    id: str
    says: str
    n: int
    spoke: int
    right: int
    precision: tuple[float, float]
    coverage: tuple[float, float]
    conflicts: int
    common: float
    p_value: float


def changed_rules(base: RuleBook, draft: RuleBook) -> list[LawRule]:
    """The rules of a draft that are new or say something else than in the rules that it was made from."""
    before = {rule.id: rule.text for rule in base.rules}
    return [rule for rule in draft.rules if before.get(rule.id) != rule.text]


def repealed_rules(base: RuleBook, draft: RuleBook) -> list[LawRule]:
    """The rules that a draft leaves out of those that it was made from."""
    return [rule for rule in base.rules if rule.id not in draft.ids()]


def replay(
    config: Config,
    base: RuleBook,
    draft: RuleBook,
    rows: Sequence[PrecedentRow],
    parts: Mapping[str, str],
    votes: Votes,
) -> list[tuple[Trial, tuple[float, float]]]:
    """What the label model says of decisions with the rules in force and with those of the draft, with its margins.

    Args:
        rows: decisions, those of the seen half among them, which the label model is fitted on.
        parts: precedent -> its part, of those that are told of.
        votes: item -> the stored votes of its panel.
    """
    from solon.consensus.learn import Decision

    trials = []
    touched = {rule.label for rule in (*base.rules, *draft.rules)}
    for outcomes in dict.fromkeys(row.question.outcomes for row in rows):
        asked = [row for row in rows if row.question.outcomes == outcomes]
        if not touched & set(outcomes):
            continue
        decisions = [Decision(row.item_id, row.outcome) for row in asked if row.half == "seen"]
        before, after = (
            _weigh(
                {row.item_id: _heard(config, book, row, votes.get(row.item_id, ())) for row in asked},
                decisions,
                outcomes,
            )
            for book in (base, draft)
        )
        for row in asked:
            if row.id in parts:
                old, new = before[row.item_id], after[row.item_id]
                trial = Trial(row.id, parts[row.id], row.outcome, old.best, new.best)
                trials.append((trial, (old.margin, new.margin)))
    return trials


def _weigh(votes: Votes, decisions: Sequence[Any], outcomes: tuple[str, ...]) -> dict[str, Consensus]:
    from solon.consensus.learn import fit
    from solon.consensus.panel import judge_item

    model = fit(votes, decisions, outcomes=outcomes, calibration="none")
    return {item: judge_item(model, cast) for item, cast in votes.items()}


def _heard(config: Config, book: RuleBook, row: PrecedentRow, cast: Sequence[Vote]) -> tuple[Vote, ...]:
    """The stored votes on an item, with what today's rules and those of a book say of its text in the place of what
    rules said then. Rules that ask a function or a model are heard as they spoke."""
    rules = with_rules(config, book.rules, row.question).rules
    asked = {RuleVoter(rule, "").identity for rule in rules if rule.prompt}
    kept = [vote for vote in cast if not vote.judge.startswith("rule:") or vote.judge in asked]
    own = [rule for rule in rules if not rule.prompt and not rule.python]
    return (*kept, *(_vote(rule, row.answers[0]) for rule in own))


def _vote(rule: RuleConfig, text: str) -> Vote:
    outcome = rule.label if speaks(rule, text) else SILENT
    return Vote(RuleVoter(rule, "").identity, seat=rule.name, outcome=outcome)


def count_effects(
    config: Config, book: RuleBook, wanted: Sequence[LawRule], unseen: Sequence[tuple[str, str]]
) -> list[RuleEffect]:
    """Return what some rules of a book do on unseen decisions, beside the others of the book and of the configuration.

    Args:
        unseen: texts with the labels that were decided.
    """
    rules = {**local_rules(config), **{rule.id: as_config(rule) for rule in book.rules}}
    said = [{name: rule.label for name, rule in rules.items() if speaks(rule, text)} for text, _ in unseen]
    n, effects = len(unseen), []
    for rule in wanted:
        on = [place for place, by_rule in enumerate(said) if rule.id in by_rule]
        right = sum(unseen[place][1] == rule.label for place in on)
        common = sum(label == rule.label for _, label in unseen) / n if n else 0.0
        effects.append(
            RuleEffect(
                id=rule.id,
                says=rule.text,
                n=n,
                spoke=len(on),
                right=right,
                precision=clopper_pearson(right, len(on)),
                coverage=clopper_pearson(len(on), n),
                conflicts=sum(bool({*said[place].values()} - {rule.label}) for place in on),
                common=common,
                p_value=tail_at_least(right, len(on), common) if on else 1.0,
            )
        )
    return effects


def _list_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _list_repealed(repealed: Sequence[RuleEffect]) -> str:
    """What goes, and how often it was right: a repeal that costs nothing where nothing is known of it says little."""
    figures = [
        f"{one.id} was right on {one.right} of the {one.spoke} unseen decisions that it matches"
        for one in repealed
    ]
    return "".join(f"; {one}" for one in figures[:NAMED])


def decisions_that_would_do(effect: RuleEffect, level: float) -> int | None:
    """How many unseen decisions would show a rule right by more than chance, were it right, and did it match, as often
    as here; None where it would not be within `MOST_DECISIONS`."""
    most = MOST_DECISIONS * effect.spoke // max(1, effect.n)
    for spoke in range(effect.spoke, most + 1) if effect.spoke else ():
        if tail_at_least(spoke * effect.right // effect.spoke, spoke, effect.common) <= level:
            return -(-spoke * effect.n // effect.spoke)
    return None


def _tell_enough(weak: Sequence[RuleEffect], level: float) -> str:
    wanted = [decisions_that_would_do(effect, level) for effect in weak]
    if None in wanted:
        return ""
    return f" (about {max(filter(None, wanted))} unseen decisions would do, were they right as often there)"


def judge_rules(
    effects: Sequence[RuleEffect],
    earlier: int,
    unseen: Paired,
    measurement: int,
    *,
    repealed: Sequence[RuleEffect] = (),
) -> tuple[Verdict, str]:
    """Return the verdict on drafted rules, and the reason in words.

    Green: every new rule matches unseen decisions and none is wrong as often as right, and either the label model
    agrees with people more often for certain,
    or it agrees no less often, and each rule is right more often than its label is common for certain. Red: the model
    agrees less often for certain. Grey: we cannot tell. The level falls with every earlier measurement on these
    decisions or of one of its rules, see `level_of`, and for the rules is divided by their number.

    Args:
        earlier: how often one of the rules was measured in drafts from other versions.
        measurement: the how-manieth on any of these decisions this is, of all drafts from the same version.
        repealed: rules that the draft leaves out.
    """
    level = level_of(measurement + earlier)
    if not unseen.n:
        few = math.ceil(1 - math.log2(level))
        return "grey", (
            "cannot tell: there is no decision that the author of the draft could not see. Decisions made from now on "
            f"are such: {few} that the label model mends by the draft, with none that it spoils, would do"
        )
    change = (
        f"{unseen.before:.0%} to {unseen.after:.0%} on {unseen.n} unseen decisions{_list_repealed(repealed)}"
    )
    if unseen.difference < 0 and (unseen.p_value <= LEVEL or unseen.interval[1] < 0):
        return "red", f"agreement falls: {change}"
    wrong = [effect.id for effect in effects if effect.spoke and 2 * effect.right <= effect.spoke]
    if wrong:
        return "grey", f"as often wrong as right: {_list_some(wrong)}; {change}"
    silent = [effect.id for effect in effects if not effect.spoke]
    if silent:
        return "grey", f"cannot tell: on no unseen decision matches {_list_some(silent)}; {change}"
    if unseen.difference > 0 and unseen.p_value <= level and unseen.interval[0] > 0:
        return "green", f"agreement rises: {change}"
    each = level / max(1, len(effects))
    weak = [effect for effect in effects if effect.p_value > each]
    if weak:
        names = _list_some([effect.id for effect in weak])
        enough = _tell_enough(weak, each)
        return "grey", f"cannot tell whether they are right by more than chance: {names}{enough}; {change}"
    if unseen.difference < 0:
        return "grey", f"cannot tell whether agreement falls: {change}"
    told = "every new rule is right by more than chance; " if effects else ""
    return "green", f"{told}agreement does not fall: {change}"


def as_figures(effects: Sequence[RuleEffect], repealed: Sequence[RuleEffect]) -> dict[str, Any]:
    """What is kept with the impact of an amendment: each new rule by itself, the names of those that go, and these by
    themselves."""
    return {
        "rules": [asdict(effect) for effect in effects],
        "repealed": [effect.id for effect in repealed],
        "gone": [asdict(effect) for effect in repealed],
    }
