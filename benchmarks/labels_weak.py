"""How a label model over rules fares against the majority of rules, without decisions and with some.

`python -m benchmarks.labels_weak`, with SOLON_DATA the folder of recordings (default ../shared/data). The rules,
two for each of the twelve labels of `labels_banking12`, were written by a person who had seen the first 240 texts only;
the figures are of the other 240. Decisions are drawn from these at random, and the figures are of those that were not
drawn; brackets are 95% bootstrap intervals over texts, of which each has its mean over the draws that tested it.
`--imbalance S` draws 160 of the texts so that labels are unequally common (log-normal shares of that deviation).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import loads
from pathlib import Path

import numpy as np

from solon.agents.models.embedding import can_embed, embed, embed_words
from solon.agents.voters import matches
from solon.config.sections import RuleConfig
from solon.consensus.ballots import Floats, Ints, collect
from solon.consensus.classifier import train
from solon.consensus.learn import Decision, fit, targets
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import SILENT, Vote, judge_item
from solon.consensus.replay import score_right
from solon.consensus.resample import mean_interval, ratio_interval

DATA = Path(os.environ.get("SOLON_DATA", "../shared/data"))
SEEN = 240
"""Texts that whoever wrote the rules had seen."""
RULES: dict[str, tuple[str, str]] = {
    "card_arrival": (
        r"\b(waiting|wait|track(ing)?|deliver\w*|arriv\w*|status)\b.*\bcard\b|\bcard\b.*\b(arriv\w*|deliver\w*|track\w*)",
        r"\bnot? (yet )?received\b|don't have my card|\b(a|1|one|two|2) weeks?\b",
    ),
    "card_linking": (
        r"\b(re)?(link|sync|connect|reactivat|reactive|add)\w*\b.*\bcard\b|\bcard\b.*\b(link|reactiv)\w*",
        r"\bcard\b.*\bin the app\b|\bfound\b.*\bcard\b|\bcard\b.*\b(to|on|with|through) (the|my) app\b",
    ),
    "card_payment_fee_charged": (
        r"\b(fees?|charg\w+|free)\b.*\b(card|payments?|paying|pay|paid|purchase)\b",
        r"\bcard\b.*\b(fees?|free|charged)\b|\bfees?\b.*\bcard\b",
    ),
    "declined_card_payment": (
        r"\b(card|credit card)\b.*\b(declin\w+|reject\w+|not accepted)",
        r"\bpayment\b.*\b(declin\w+|\w*n.t work\w*|not work|not complete)|\bdeclin\w+\b.*\bpayment\b",
    ),
    "declined_transfer": (
        r"\btransfers?\b.*\bdeclin\w+|\bdeclin\w+\b.*\btransfers?\b",
        r"\bdeclin\w+\b.*\b(online|twice|times)\b|\bonline\b.*\bdeclin\w+",
    ),
    "exchange_rate": (r"\bexchange\b|\bforeign\b|\bcurrenc\w+", r"\brates?\b"),
    "failed_transfer": (
        r"\btransfers?\b.*\b(fail\w*|\w*n.t work|not (to )?work|not go through|\w*n.t go through|unsuccessful)",
        r"\b(unsuccessful|fail\w*|could(n.t| not)|unable|not able|\w*n.t complete|error|returned)\b.*\btransfer\w*"
        r"|\btransfer\w*\b.*\b(could(n.t| not)|can't|error|returned|issue)",
    ),
    "lost_or_stolen_card": (
        r"\b(stol\w+|steal|theft|taken)\b",
        r"\b(lost|missing|locate|can't find|cannot find)\b",
    ),
    "pending_transfer": (
        r"\bpend(ing|s)?\b",
        r"\b(still|yet|has ?n.t)\b.*\btransfer|\btransfer\w*\b.*\b(still|yet)\b",
    ),
    "top_up_failed": (
        r"\btop(ped|ping)?[- ]?ups?\b",
        r"\b(fail\w*|denied|unsuccessful|not work|\w*n.t work|not accept)\b",
    ),
    "transfer_fee_charged": (
        r"\b(fees?|charg\w+|free)\b.*\btransfer\w*|\btransfer\w*\b.*\b(fees?|charg\w+|free)",
        r"\b(extra|additional)\b.*\b(charg\w+|fees?)|\bdid not get the same\b|\bless than\b",
    ),
    "transfer_timing": (
        r"\bhow (long|soon|many days)\b",
        r"\b(when|fastest|days?|approximate\w*)\b.*\b(transfer\w*|money|funds|account)\b",
    ),
}

LABELS = tuple(RULES)


@dataclass(frozen=True)
class Texts:
    """Texts with their labels and what the rules say of them.

    Attributes:
        texts: in their order.
        gold: (n,) index of the right label.
        votes: name of a text -> what the rules say of it, silence included.
    """

    texts: tuple[str, ...]
    gold: Ints
    votes: Mapping[str, tuple[Vote, ...]]

    @property
    def names(self) -> list[str]:
        return list(self.votes)

    def take(self, rows: Sequence[int]) -> Texts:
        """Some of them; one that is taken twice is two."""
        votes = {f"{place}": self.votes[self.names[row]] for place, row in enumerate(rows)}
        return Texts(tuple(self.texts[row] for row in rows), self.gold[list(rows)], votes)


def read(folder: Path, *, seen: bool = False) -> Texts:
    """Return the texts that the rules are tried on, or those that had been seen."""
    lines = (folder / "labels_banking12.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [loads(line) for line in lines][: SEEN if seen else None][0 if seen else SEEN :]
    rules = [
        RuleConfig(name=f"{label}_{place}", label=label, regex=pattern)
        for label, patterns in RULES.items()
        for place, pattern in enumerate(patterns)
    ]
    votes = {
        row["id"]: tuple(
            Vote(rule.name, outcome=rule.label if matches(rule, row["text"]) else SILENT) for rule in rules
        )
        for row in rows
    }
    gold = np.array([LABELS.index(row["gold"]) for row in rows], dtype=np.int64)
    return Texts(tuple(row["text"] for row in rows), gold, votes)


def heard(model: ConsensusModel, votes: Mapping[str, Sequence[Vote]]) -> Floats:
    """(n, K) what a model believes of each text."""
    found = [judge_item(model, cast).posterior for cast in votes.values()]
    return np.array([[posterior[label] for label in LABELS] for posterior in found])


def rules_alone(texts: Texts, decided: Ints) -> Iterator[tuple[str, Floats]]:
    """Yield what each way to weigh the rules makes of the texts, (n, K)."""
    decisions = [Decision(texts.names[row], LABELS[texts.gold[row]]) for row in decided]
    yield "majority of rules", collect(list(texts.votes.values()), LABELS).votes
    spoken = {name: [v for v in cast if v.outcome != SILENT] for name, cast in texts.votes.items()}
    yield "silence left out", heard(fit(spoken, decisions, outcomes=LABELS), spoken)
    yield "label model", heard(fit(texts.votes, decisions, outcomes=LABELS), texts.votes)


def with_classifier(
    texts: Texts, decided: Ints, vectors: Floats, features: str
) -> Iterator[tuple[str, Floats]]:
    """Yield what a classifier alone makes of the texts, and one that votes beside the rules, as in a run; without
    decisions, one that learns what the label model believes (the end model of weak supervision)."""
    if not len(decided):
        weak = heard(fit(texts.votes, [], outcomes=LABELS), texts.votes)
        spoke = np.array([any(v.outcome != SILENT for v in cast) for cast in texts.votes.values()])
        names = np.array(texts.names)[spoke].tolist()
        found = train(vectors[spoke], weak[spoke], names, features=features, outcomes=LABELS)
        assert found is not None
        yield f"classifier ({features}) of the label model", found[0].shares(vectors)
        return
    names = [texts.names[row] for row in decided]
    decisions = [Decision(name, LABELS[texts.gold[row]]) for name, row in zip(names, decided, strict=True)]
    found = train(vectors[decided], targets(decisions, LABELS), names, features=features, outcomes=LABELS)
    if found is None:
        return
    said = found[0].shares(vectors)
    yield f"classifier ({features}) alone", said.copy()
    said[decided] = found[1]
    votes = {
        name: (
            *cast,
            Vote("classifier", shares=dict(zip(LABELS, row.tolist(), strict=True)), outcome="classifier"),
        )
        for (name, cast), row in zip(texts.votes.items(), said, strict=True)
    }
    yield f"label model with classifier ({features})", heard(fit(votes, decisions, outcomes=LABELS), votes)


def measure(texts: Texts, size: int, draws: int, features: Sequence[str]) -> dict[str, tuple[Floats, Floats]]:
    """Return for each way how often each text was right, and how often it was tested, summed over draws."""
    embedded = {"words": embed_words, "meaning": embed}
    vectors = {name: embedded[name](texts.texts) for name in features}
    sums: dict[str, tuple[Floats, Floats]] = {}
    for seed in range(draws if size else 1):
        turn = np.random.default_rng(seed).permutation(len(texts.gold))
        decided, test = turn[:size], turn[size:]
        ways = [*rules_alone(texts, decided)]
        for name in features:
            ways += with_classifier(texts, decided, vectors[name], name)
        for way, believed in ways:
            right, tests = sums.setdefault(way, (np.zeros(len(turn)), np.zeros(len(turn))))
            right[test] += score_right(believed, texts.gold)[test]
            tests[test] += 1.0
    return sums


def spell(size: int, sums: Mapping[str, tuple[Floats, Floats]]) -> Iterator[str]:
    """Rows of a table: accuracy with its interval, and the paired difference to the majority."""
    plain = sums["majority of rules"][0]
    for way, (right, tests) in sums.items():
        seen = tests > 0
        low, high = ratio_interval(right[seen], tests[seen])
        apart = (right[seen] - plain[seen]).sum() / tests[seen].sum()
        least, most = ratio_interval(right[seen] - plain[seen], tests[seen])
        share = right[seen].sum() / tests[seen].sum()
        yield f"| {size} | {way} | {share:.3f} [{low:.3f}, {high:.3f}] | {apart:+.3f} [{least:+.3f}, {most:+.3f}] |"


def measure_imbalance(texts: Texts, deviation: float, draws: int) -> str:
    """Without decisions: the label model over the majority where labels are unequally common, over draws of texts."""
    apart = []
    for seed in range(draws):
        draw = np.random.default_rng(seed)
        share = np.exp(draw.normal(0.0, deviation, len(LABELS)))[texts.gold]
        some = texts.take(draw.choice(len(texts.gold), 160, p=share / share.sum()).tolist())
        ways = dict(rules_alone(some, np.zeros(0, dtype=np.int64)))
        right = {way: float(score_right(believed, some.gold).mean()) for way, believed in ways.items()}
        apart.append(right["label model"] - right["majority of rules"])
    low, high = mean_interval(np.array(apart))
    return f"| {deviation:g} | {np.mean(apart):+.3f} [{low:+.3f}, {high:+.3f}] | {draws} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=(0, 24))
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--imbalance", type=float, nargs="*", default=(0.0, 0.5, 1.0))
    parser.add_argument("--seen", action="store_true", help="on the texts that the rules were written by")
    args = parser.parse_args()
    texts = read(DATA, seen=args.seen)
    spoke = np.array([[v.outcome != SILENT for v in cast] for cast in texts.votes.values()]).sum(axis=1)
    print(
        f"{len(spoke)} texts; {(spoke > 0).mean():.3f} with a rule that speaks, {(spoke > 1).mean():.3f} with several"
    )
    print("| decisions | way | right | over majority |\n|---|---|---|---|")
    for size in args.sizes:
        sums = measure(texts, size, args.draws, ["words", *(["meaning"] if can_embed() else [])])
        print("\n".join(spell(size, sums)), flush=True)
    print("| deviation of log shares | label model over majority, no decision | draws |\n|---|---|---|")
    for deviation in args.imbalance:
        print(measure_imbalance(texts, deviation, args.draws), flush=True)


if __name__ == "__main__":
    main()
