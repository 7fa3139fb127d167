"""Rules for labels, drafted by the legislator from decisions of the seen half: what it is shown, and which of its
drafts are kept.

A draft is hostile until it was tried: its pattern is run on texts that make patterns run away before anybody sees it,
and no draft ever holds code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solon.agents.legislator import AUTHOR, DraftedRules, draft_rules
from solon.agents.voters import as_config, matches
from solon.errors import LimitReached, UsageError
from solon.law.amendments import next_version
from solon.law.documents import Rule, RuleBook
from solon.questions import nearest

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import RuleConfig
    from solon.graphs.bench import Bench
    from solon.store.lawmaking.precedents import PrecedentRow

SHOWN = 12
"""Texts of a label that the legislator sees, and as many of other labels."""
LEAST = 2
"""Decisions on which a draft must be right: what stands in one text alone may be somebody's name."""
PROBE_SECONDS = 1.0
PROBE = 2000
"""Characters of the texts on which a pattern is tried."""


@dataclass(frozen=True, slots=True)
class DraftedBook:
    """What the legislator made of the decisions.

    Attributes:
        document: the next version of the rules; None where no draft was kept.
        cites: ids of the decisions that the new rules match and are right on.
        problems: why other drafts, or labels, gave no rule.
        labels: labels with decisions enough to draft from.
        decisions: decisions that it could see.
    """

    document: RuleBook | None
    cites: tuple[str, ...]
    problems: tuple[str, ...]
    labels: int
    decisions: int


def local_rules(config: Config) -> dict[str, RuleConfig]:
    """The rules of a configuration that need no function and no model, by their names."""
    return {rule.name: rule for rule in config.rules if not rule.python and not rule.prompt}


async def draft_book(
    bench: Bench,
    base: RuleBook,
    rows: Sequence[PrecedentRow],
    *,
    model: str,
    repealed: Sequence[Rule] = (),
) -> DraftedBook:
    """Let the legislator draft rules for each label that has decisions, the commonest first, and keep those without a
    fault. A limit ends it with what was kept by then.

    Args:
        base: the rules in force.
        rows: decisions of the seen half, each on one text.
        model: who drafts, a name in [models].
        repealed: rules that were law; none is drafted again, and no other one under its name.
    """
    gone = {rule.id: as_config(rule) for rule in repealed}
    known = {**local_rules(bench.config), **{rule.id: as_config(rule) for rule in base.rules}}
    common = [label for label, n in Counter(row.outcome for row in rows).most_common() if n >= LEAST]
    kept: list[Rule] = []
    problems: list[str] = []
    taught = [(row.answers[0], row.outcome) for row in rows]
    try:
        for label in common:
            drafted = await _draft_for(bench, label, rows, known, {*known, *gone}, model)
            problems += drafted.problems
            for rule in drafted.rules:
                fault = find_fault(rule, taught, known, gone)
                if fault:
                    problems.append(f"{rule.id} ({rule.text}): {fault}")
                    continue
                kept.append(rule)
                known[rule.id] = as_config(rule)
    except LimitReached as limit:
        problems.append(limit.cause)
    if not kept:
        return DraftedBook(None, (), tuple(problems), len(common), len(rows))
    reason = f"{len(kept)} rules for {len({rule.label for rule in kept})} labels, drafted from {len(rows)} decisions"
    content = {**base.model_dump(), "rules": [rule.model_dump() for rule in (*base.rules, *kept)]}
    document = next_version(base, content, author=AUTHOR, reason=reason)
    assert isinstance(document, RuleBook)
    cites = tuple(row.decision_id for row in rows if _speaks_right(row, kept))
    return DraftedBook(document, cites, tuple(problems), len(common), len(rows))


async def _draft_for(
    bench: Bench,
    label: str,
    rows: Sequence[PrecedentRow],
    known: Mapping[str, RuleConfig],
    taken: Collection[str],
    model: str,
) -> DraftedRules:
    """What the legislator drafts for one label, beside the rules that are known, under names that are not taken."""
    own = [row for row in rows if row.outcome == label]
    others = _by_turns([row for row in rows if row.outcome != label])
    there = [rule for rule in known.values() if rule.label == label]
    context = bench.context(own[0])
    drafted = await draft_rules(
        context.case,
        label,
        _show(own, there),
        _show(others, []),
        [", ".join(rule.keywords) or str(rule.regex) for rule in there],
        {*taken, *(rule.name for rule in bench.config.rules)},
        model=model,
    )
    await bench.flush(context)
    return drafted


def _speaks_right(row: PrecedentRow, rules: Sequence[Rule]) -> bool:
    return any(rule.label == row.outcome and speaks(as_config(rule), row.answers[0]) for rule in rules)


def _show(rows: Sequence[PrecedentRow], known: Sequence[RuleConfig]) -> list[tuple[str, str]]:
    """Text and reason of some decisions, those first that no known rule finds."""
    found = [any(speaks(rule, row.answers[0]) for rule in known) for row in rows]
    order = sorted(range(len(rows)), key=lambda place: found[place])
    return [(rows[place].answers[0], rows[place].rationale) for place in order[:SHOWN]]


def _by_turns(rows: Sequence[PrecedentRow]) -> list[PrecedentRow]:
    """The first of each label, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    turns = []
    for row in rows:
        seen[row.outcome] += 1
        turns.append((seen[row.outcome], row))
    return [row for _, row in sorted(turns, key=lambda pair: pair[0])]


def speaks(rule: RuleConfig, text: str) -> bool:
    """Whether a rule matches a text; one that takes too long does not."""
    try:
        return matches(rule, text)
    except TimeoutError:
        return False


def find_fault(
    rule: Rule,
    taught: Sequence[tuple[str, str]],
    known: Mapping[str, RuleConfig],
    repealed: Mapping[str, RuleConfig] | None = None,
) -> str:
    """Return why a drafted rule is not proposed, in words; empty where nothing speaks against it.

    Args:
        taught: texts with their labels, of the half that teaches.
        known: rules that there are, by their names.
        repealed: rules that were law, likewise.
    """
    own = as_config(rule)
    if gone := next((name for name, one in (repealed or {}).items() if _way(one) == _way(own)), None):
        return f"it says what {gone} said, which was repealed; a person can propose it again"
    if runs_away(rule, [text for text, _ in taught]):
        return "its pattern runs away"
    on = [place for place, (text, _) in enumerate(taught) if speaks(own, text)]
    right = sum(taught[place][1] == rule.label for place in on)
    share = sum(label == rule.label for _, label in taught) / max(1, len(taught))
    if right < LEAST:
        return f"it is right on {right} of {len(taught)} decisions, and {LEAST} are the least"
    if len(on) == len(taught):
        return "it matches every text"
    if 2 * right <= len(on) or right / len(on) <= share:
        return f"it is right on {right} of the {len(on)} decisions that it matches"
    for name, other in known.items():
        if other.label == rule.label and on == [
            n for n, (text, _) in enumerate(taught) if speaks(other, text)
        ]:
            return f"it says what {name} says"
    return ""


def runs_away(rule: Rule, texts: Sequence[str] = ()) -> bool:
    """Whether a pattern takes longer than a second on one of these texts, or on one that is made to let patterns run
    away: long repetitions of what stands in the pattern, with an end that it cannot match."""
    import regex

    if not rule.regex:
        return False
    longest = max(texts, key=len, default="") or "a text of no label "
    signs = list(dict.fromkeys(sign for sign in rule.regex if sign.isalnum() or sign.isspace()))[:12]
    pieces = [*signs, "a", "1", " ", "a ", "-", "".join(signs), longest]
    # With the pattern itself behind and before: what it asks for is there, and it is not given up before it is tried.
    behind = [f"{(piece * PROBE)[:PROBE]}\x00{rule.regex}" for piece in pieces if piece]
    probes = [*behind, *(rule.regex + probe for probe in behind)]
    try:
        for text in (*texts, *probes):
            regex.search(rule.regex, text, flags=regex.IGNORECASE, timeout=PROBE_SECONDS)
    except (TimeoutError, MemoryError, RecursionError):
        return True
    return False


def refuse_unfit(config: Config, base: RuleBook, draft: RuleBook, labels: Sequence[str]) -> None:
    """Check the rules of a draft that are new or changed, whoever wrote them.

    Args:
        labels: the labels that there are; empty where none is known.

    Raises:
        UsageError: a rule's label is none, its pattern runs away, or it repeats another rule or the name of one.
    """
    before = {rule.id: rule for rule in base.rules}
    configured = {rule.name: rule for rule in config.rules}
    for rule in draft.rules:
        if before.get(rule.id) == rule:
            continue
        own = as_config(rule)
        if labels and rule.label not in labels:
            raise UsageError(
                f"the rule {rule.id!r} votes for {rule.label!r}, which is no label",
                next_step=nearest(rule.label, labels),
            )
        if runs_away(rule):
            raise UsageError(
                f"the pattern of the rule {rule.id!r} runs away",
                next_step="write it without a repetition inside a repetition, such as (a+)+",
            )
        if rule.id in configured:
            raise UsageError(
                f"[[rules]] has a rule {rule.id!r} already", next_step="give the new one another name"
            )
        others = [*configured.values(), *(as_config(one) for one in draft.rules if one.id != rule.id)]
        same = next((one.name for one in others if _way(one) == _way(own)), None)
        if same is not None:
            raise UsageError(
                f"the rule {rule.id!r} says what {same!r} says", next_step="leave one of them out"
            )


def _way(rule: RuleConfig) -> tuple[object, ...]:
    """What a rule says, whatever its name, and in whatever order and case its keywords stand."""
    if rule.python or rule.prompt:
        return (rule.name,)
    return (rule.label, rule.regex, frozenset(" ".join(word.casefold().split()) for word in rule.keywords))
