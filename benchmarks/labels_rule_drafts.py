"""What becomes of rules that are drafted from decisions: how many hold on decisions that their author could not see,
and what they do to the label model on texts that were never decided.

`python -m benchmarks.labels_rule_drafts`, with SOLON_DATA the folder of recordings (default ../shared/data). The texts
and the rules that stand there before are those of `benchmarks.labels_weak`: two a label, written by a person who had
seen other texts. Of the decisions one half teaches and the other measures; keywords are drafted by counting (as the
scripted fake drafts them), up to three a label, each behind the checks of the legislator. Brackets are 95%: exact for
shares of rules and of matches, bootstrap over texts for accuracy.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.labels_weak import DATA, LABELS, RULES, Texts, heard, read
from solon.agents.models.scripted_keywords import draft_keywords
from solon.agents.voters import as_config
from solon.config.sections import RuleConfig
from solon.consensus.ballots import Floats, Ints
from solon.consensus.binomial import clopper_pearson, tail_at_least
from solon.consensus.learn import Decision, fit
from solon.consensus.panel import SILENT, Vote
from solon.consensus.replay import score_right
from solon.consensus.resample import ratio_interval
from solon.law.documents import Rule
from solon.lawmaking.rule_drafts import SHOWN, find_fault, speaks


@dataclass(frozen=True)
class Draft:
    """A drafted rule that the checks let pass, counted by itself.

    Attributes:
        rule: the rule.
        taught: how often it was right where it spoke, and how often it spoke, on the half that teaches.
        held_out: the same on the half that measures.
        unseen: the same on texts that were never decided.
    """

    rule: Rule
    taught: tuple[int, int]
    held_out: tuple[int, int]
    unseen: tuple[int, int]

    @property
    def holds(self) -> bool:
        """Whether it spoke on the half that measures, and was right more often than wrong."""
        right, spoke = self.held_out
        return 2 * right > spoke

    @property
    def is_sure(self) -> bool:
        """Whether it was right there by more than chance (5 %), where labels are equally common."""
        right, spoke = self.held_out
        return self.holds and spoke > 1 and tail_at_least(right, spoke, 1 / len(LABELS)) <= 0.05


def draft(texts: Texts, taught: Ints, tally: Counter[str]) -> list[Rule]:
    """Return the rules that pass the checks, drafted from the half that teaches; `tally` counts all."""
    known = {
        f"{label}_{place}": RuleConfig(name=f"{label}_{place}", label=label, regex=pattern)
        for label, patterns in RULES.items()
        for place, pattern in enumerate(patterns)
    }
    rows = [(texts.texts[row], LABELS[texts.gold[row]]) for row in taught]
    kept: list[Rule] = []
    for label, n in Counter(label for _, label in rows).most_common():
        if n < 2:
            continue
        own = [text for text, said in rows if said == label][:SHOWN]
        others = by_turns([(text, said) for text, said in rows if said != label])[:SHOWN]
        for keywords in draft_keywords(own, others):
            name = f"{label.replace('_', '-')}-{len(known)}"[:40]
            rule = Rule(id=name, label=label, keywords=keywords)
            tally["drafted"] += 1
            if not find_fault(rule, rows, known):
                kept.append(rule)
                known[rule.id] = as_config(rule)
    return kept


def by_turns(rows: Sequence[tuple[str, str]]) -> list[str]:
    """The first text of each label, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    turns = []
    for text, label in rows:
        seen[label] += 1
        turns.append((seen[label], text))
    return [text for _, text in sorted(turns, key=lambda pair: pair[0])]


def count(texts: Texts, rule: Rule, rows: Ints) -> tuple[int, int]:
    """How often a rule is right where it speaks, and how often it speaks."""
    on = [row for row in rows if speaks(as_config(rule), texts.texts[row])]
    return sum(LABELS[texts.gold[row]] == rule.label for row in on), len(on)


def vote_too(texts: Texts, rules: Sequence[Rule], *, alone: bool = False) -> Mapping[str, tuple[Vote, ...]]:
    """What the written rules and the drafted ones say, or the drafted ones alone."""
    return {
        name: (
            *(() if alone else cast),
            *(
                Vote(rule.id, outcome=rule.label if speaks(as_config(rule), text) else SILENT)
                for rule in rules
            ),
        )
        for text, (name, cast) in zip(texts.texts, texts.votes.items(), strict=True)
    }


def measure(texts: Texts, size: int, draws: int) -> None:
    """Print what becomes of drafts from one number of decisions."""
    tally: Counter[str] = Counter()
    drafts: list[Draft] = []
    sums: dict[str, tuple[Floats, Floats]] = {}
    for seed in range(draws):
        turn = np.random.default_rng(seed).permutation(len(texts.gold))
        taught, held_out, test = turn[: size // 2], turn[size // 2 : size], turn[size:]
        found = [
            Draft(rule, count(texts, rule, taught), count(texts, rule, held_out), count(texts, rule, test))
            for rule in draft(texts, taught, tally)
        ]
        drafts += found
        every, some = [one.rule for one in found], [one.rule for one in found if one.holds]
        sure = [one.rule for one in found if one.is_sure]
        ways: dict[str, tuple[Mapping[str, tuple[Vote, ...]], Ints]] = {
            "written rules": (texts.votes, taught),
            "and every draft": (vote_too(texts, every), taught),
            "and those that hold": (vote_too(texts, some), taught),
            "and those right by more than chance": (vote_too(texts, sure), taught),
            "and those that hold, weighed by the other half": (vote_too(texts, some), held_out),
            "written rules, weighed by the other half": (texts.votes, held_out),
            "those that hold alone": (vote_too(texts, some, alone=True), taught),
        }
        for way, (votes, decided) in ways.items():
            decisions = [Decision(texts.names[row], LABELS[texts.gold[row]]) for row in decided]
            believed = heard(fit(votes, decisions, outcomes=LABELS, calibration="none"), votes)
            right, tests = sums.setdefault(way, (np.zeros(len(turn)), np.zeros(len(turn))))
            right[test] += score_right(believed, texts.gold)[test]
            tests[test] += 1.0
    tell_drafts(size, tally["drafted"], drafts, draws)
    tell_accuracy(size, sums)


def tell_drafts(size: int, drafted: int, kept: Sequence[Draft], draws: int) -> None:
    """Print the shares of drafts, and how often those that passed are right."""
    hold, sure = [one for one in kept if one.holds], [one for one in kept if one.is_sure]
    print(f"{size} decisions, {draws} draws: {drafted} drafted, {spell(len(kept), drafted)} pass the checks,")
    print(f"  of these {spell(len(hold), len(kept))} hold on the other half,")
    print(f"  and {spell(len(sure), len(kept))} are right there by more than chance")
    for told, some in (("every one that passes", kept), ("those that hold", hold), ("those sure", sure)):
        for part in ("taught", "held_out", "unseen"):
            right = sum(getattr(one, part)[0] for one in some)
            spoke = sum(getattr(one, part)[1] for one in some)
            print(f"  {told}, right where it speaks, {part}: {spell(right, spoke)}")


def spell(k: int, n: int) -> str:
    """A share with its exact interval, which takes matches for independent, and n."""
    low, high = clopper_pearson(k, n)
    return f"{k / max(1, n):.3f} [{low:.3f}, {high:.3f}] of {n}"


def tell_accuracy(size: int, sums: Mapping[str, tuple[Floats, Floats]]) -> None:
    """Print accuracy on texts that were never decided, and the paired difference to the written rules."""
    plain = sums["written rules"][0]
    for way, (right, tests) in sums.items():
        seen = tests > 0
        low, high = ratio_interval(right[seen], tests[seen])
        share = right[seen].sum() / tests[seen].sum()
        apart = (right[seen] - plain[seen]).sum() / tests[seen].sum()
        least, most = ratio_interval(right[seen] - plain[seen], tests[seen])
        print(
            f"| {size} | {way} | {share:.3f} [{low:.3f}, {high:.3f}] | {apart:+.3f} [{least:+.3f}, {most:+.3f}] |",
            flush=True,
        )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=(48, 96, 192))
    parser.add_argument("--draws", type=int, default=20)
    args = parser.parse_args()
    texts = read(DATA)
    for size in args.sizes:
        measure(texts, size, args.draws)


if __name__ == "__main__":
    main()
