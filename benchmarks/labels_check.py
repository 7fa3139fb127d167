"""How many of the labels that are held for wrong are wrong, where it is known which were made wrong.

`python -m benchmarks.labels_check`, with SOLON_DATA the folder of recordings (default ../shared/data). Of the 480
messages of `labels_banking12` one in ten gets another label, drawn evenly from the other eleven, in each draw anew.
The first 50 of the ranking are looked at: precision is the share of them that was made wrong, recall the share of
those made wrong that is among them. The ranking was chosen on draws 0 to 7; the figures are of draws from 100 on. With
the panel: the recorded model's probabilities in three orders of the labels, as one voter of a consensus that learned
from no decision, or from 48 drawn at random. Brackets are 95 % bootstrap intervals of the mean, over draws: they hold
chance in what is made wrong, and not in the choice of the messages.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from solon.agents.models.embedding import can_embed, embed, embed_words
from solon.consensus.ballots import Floats, Ints
from solon.consensus.label_errors import add_evidence, join_confidently, rank_label_errors
from solon.consensus.learn import Decision, fit
from solon.consensus.panel import Vote, judge_item
from solon.consensus.resample import mean_interval
from solon.eval.labels import believe_unseen
from solon.formats.labelled import Labelled

DATA = Path(os.environ.get("SOLON_DATA", "../shared/data"))
FIRST = 50
FIRST_DRAW = 100
DECISIONS = 48
Row = dict[str, Any]


def flip(gold: Ints, k: int, share: float, seed: int, near: Ints | None = None) -> Ints:
    """Give a share of the labels another one, drawn evenly from the others; or, where `near` (K,) says so, the one that
    is nearest to the right one."""
    draw = np.random.default_rng(seed)
    rows = draw.choice(len(gold), round(len(gold) * share), replace=False)
    given = gold.copy()
    given[rows] = (given[rows] + draw.integers(1, k, len(rows))) % k if near is None else near[gold[rows]]
    return given


def find_nearest(rows: Sequence[Row], gold: Ints, k: int) -> Ints:
    """(K,) the label whose texts mean most nearly the same as those of each label."""
    vectors = (embed if can_embed() else embed_words)([row["text"] for row in rows])
    means = np.array([vectors[gold == label].mean(axis=0) for label in range(k)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray((means @ means.T - 2.0 * np.eye(k)).argmax(axis=1))


def read_votes(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, tuple[Vote, ...]]:
    """What the recorded model said: a voter at three seats, one for each order of the labels."""
    votes = {}
    for row in rows:
        cast = []
        for seat, said in row["judges"].items():
            shares = {label: max(said["p"].get(label, 0.0), 1e-6) for label in labels}
            total = sum(shares.values())
            shares = {label: share / total for label, share in shares.items()}
            cast.append(Vote("qwen", seat=seat, outcome=max(shares, key=shares.__getitem__), shares=shares))
        votes[row["id"]] = tuple(cast)
    return votes


def hear(
    votes: dict[str, tuple[Vote, ...]], gold: Ints, labels: Sequence[str], n: int, seed: int
) -> tuple[Floats, Floats]:
    """Posterior of a panel that learned from `n` decisions, and its evidence: the posterior over the prior."""
    names = list(votes)
    drawn = np.random.default_rng(1000 + seed).choice(len(names), n, replace=False)
    decisions = [Decision(names[row], labels[gold[row]]) for row in drawn]
    model = fit(votes, decisions, outcomes=tuple(labels))
    said = [judge_item(model, cast).posterior for cast in votes.values()]
    prior = judge_item(model, ()).posterior
    posterior = np.array([[one[label] for label in labels] for one in said])
    return posterior, posterior / np.array([prior[label] for label in labels])


def believe(
    rows: Sequence[Row], gold: Ints, given: Ints, labels: Sequence[str], seed: int
) -> Iterator[tuple[str, Floats]]:
    """Yield what each way believes of the labels, (n, K)."""
    votes = read_votes(rows, labels)
    panels = {f"panel, {n} decisions": hear(votes, gold, labels, n, seed) for n in (0, DECISIONS)}
    for name, (said, _) in panels.items():
        yield f"{name}, alone", said
    labelled = [Labelled(i, row["text"], labels[given[i]]) for i, row in enumerate(rows)]
    for features in ("words", *(["meaning"] if can_embed() else [])):
        beliefs = believe_unseen(labelled, labels, features, seed)
        yield features, beliefs
        for name, (_, evidence) in panels.items():
            yield f"{features} and {name}", add_evidence(beliefs, evidence)


def rankings(beliefs: Floats, given: Ints) -> dict[str, Floats]:
    """Each way to rank that was tried, the lowest first: ours, and those of the paper."""
    rows = np.arange(len(given))
    others = beliefs.copy()
    others[rows, given] = -1.0
    margin = beliefs[rows, given] - others.max(axis=1)
    off = join_confidently(beliefs, given).likely != given
    return {
        "log odds": rank_label_errors(beliefs, given),
        "self-confidence": beliefs[rows, given],
        "normalised margin": margin,
        "confident joint, then margin": np.where(off, -10.0, 0.0) + margin,
    }


def estimate_as_paper(beliefs: Floats, given: Ints) -> float:
    """The share held for wrong as the paper counts it: texts of which no belief reaches its threshold are left out, and
    the others of their given label scaled up."""
    k = beliefs.shape[1]
    reached = beliefs >= join_confidently(beliefs, given).thresholds
    likely, clear = np.where(reached, beliefs, -1.0).argmax(axis=1), reached.any(axis=1)
    counts = np.bincount(given[clear] * k + likely[clear], minlength=k * k).reshape(k, k)
    right = np.diag(counts) / np.maximum(counts.sum(axis=1), 1)
    return float(1.0 - right @ np.bincount(given, minlength=k) / len(given))


def spell(values: Sequence[float] | Floats, places: int = 3) -> str:
    low, high = mean_interval(np.array(values))
    return f"{np.mean(values):.{places}f} [{low:.{places}f}, {high:.{places}f}]"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument(
        "--near", action="store_true", help="wrong labels are those nearest to the right ones"
    )
    args = parser.parse_args()
    rows = [json.loads(line) for line in (DATA / "labels_banking12.jsonl").open(encoding="utf-8")]
    labels = sorted({row["gold"] for row in rows})
    gold = np.array([labels.index(row["gold"]) for row in rows], dtype=np.int64)
    near = find_nearest(rows, gold, len(labels)) if args.near else None
    found: dict[tuple[str, str], list[float]] = {}
    told: dict[str, list[tuple[float, float, float]]] = {}
    recall: dict[str, list[float]] = {}
    scaled: dict[str, list[float]] = {}
    for seed in range(FIRST_DRAW, FIRST_DRAW + args.draws):
        given = flip(gold, len(labels), args.share, seed, near)
        wrong = given != gold
        for way, beliefs in believe(rows, gold, given, labels, seed):
            for ranking, odds in rankings(beliefs, given).items():
                first = np.argsort(odds, kind="stable")[:FIRST]
                found.setdefault((way, ranking), []).append(float(wrong[first].mean()))
                if ranking == "log odds":
                    recall.setdefault(way, []).append(float(wrong[first].sum() / wrong.sum()))
            joint = join_confidently(beliefs, given, seed)
            scaled.setdefault(way, []).append(estimate_as_paper(beliefs, given))
            told.setdefault(way, []).append((joint.wrong, joint.low, joint.high))
    print(f"{len(rows)} texts, {args.share:.0%} made wrong, {args.draws} draws")
    print(f"at random: precision {args.share:.3f}, recall {FIRST / len(rows):.3f}")
    print(
        "| way | precision of the first 50 | recall | wrong, as the paper | wrong, as here | truth in its interval |"
    )
    print("|---|---|---|---|---|---|")
    for way, shares in told.items():
        within = np.mean([low <= args.share <= high for _, low, high in shares])
        figures = (found[way, "log odds"], recall[way], scaled[way], [one[0] for one in shares])
        print(f"| {way} | {' | '.join(map(spell, figures))} | {within:.2f} |")
    print("\n| precision over the same without a panel, paired | |\n|---|---|")
    for way in [way for way in told if " and " in way]:
        plain = found[way.split(" and ")[0], "log odds"]
        print(f"| {way} | {spell(np.subtract(found[way, 'log odds'], plain))} |")
    names = list(rankings(beliefs, given))
    print(f"\n| precision by ranking | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for way in told:
        print(f"| {way} | {' | '.join(spell(found[way, name]) for name in names)} |")


if __name__ == "__main__":
    main()
