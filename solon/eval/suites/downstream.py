"""Does reviewing pay? A small reward model trained on what is exported, tested on experts' decisions that it never saw.

The model is logistic on the difference of two answers' embeddings and lengths (Bradley and Terry 1952). It is far too
small to be used: it asks whether the labels teach anything, and whether the decided ones teach more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.ballots import Floats
from solon.consensus.logit import fit_logit
from solon.consensus.resample import mean_interval
from solon.eval.embedding import load_embedder
from solon.eval.replay.opinions import Opinion, counted, opinions_on
from solon.eval.result import ASK_EXPERTS, Figure, SuiteResult, nothing, rate
from solon.questions import PAIR
from solon.store.records import evaluation, exporting

if TYPE_CHECKING:
    from solon.eval.material import Material

FOLDS = 5
FEWEST = 20
PRECISION = 4.0
"""Of the Gaussian prior on every weight: with few pairs the model stays near indifference."""
RANDOM = ("pilot", "audit", "always")


class Arm(BaseModel):
    """One way to make the training pairs.

    Attributes:
        name: in words.
        trained_on: pairs, over all folds on average.
        accuracy: on held-out decisions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    trained_on: float
    accuracy: Figure


class Downstream(SuiteResult):
    """What a small reward model learns from the exported pairs.

    Arms differ in the doubtful pairs, those that an expert decided: with the expert's answer, without them,
    or with what the panel alone would have said.

    Attributes:
        n: held-out decisions.
        embedding: what the texts were turned into vectors with.
        folds: of the cross-fit.
        arms: the three ways.
        reviewed_over_panel: accuracy with the experts' answers minus that with the panel's, decision by
            decision.
        reviewed_over_without: accuracy with the experts' answers minus that without the doubtful pairs.
        longer: how often the longer answer is the expert's, the cheapest rule there is.
        verdict: in words; "cannot tell" unless an interval leaves zero out.
    """

    embedding: str
    folds: int
    arms: tuple[Arm, ...]
    reviewed_over_panel: Figure
    reviewed_over_without: Figure
    longer: Figure
    verdict: str

    def headline(self) -> dict[str, Figure]:
        """What the experts' answers add, and the simplest rule beside it."""
        return {
            "experts' answers over the panel's": self.reviewed_over_panel,
            "experts' answers over leaving the doubtful out": self.reviewed_over_without,
            "the longer answer is the better": self.longer,
        }

    def next_step(self) -> str:
        """Collect enough decisions to tell."""
        if self.n >= FEWEST:
            return ""
        wanted = f"it takes {FEWEST} decisions on items drawn at random, {self.n} are there"
        return f"{wanted}: `solon review serve`" if self.n else f"{wanted}; {ASK_EXPERTS}"


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two candidates, the better one first. `panel_first`: would the panel alone have put the same one first?"""

    better: str
    worse: str
    fold: int
    decided: bool = False
    panel_first: bool | None = None


def evaluate(material: Material) -> Downstream:
    """Return what the pairs teach, cross-fitted by seed group: a decision is tested by a model that saw no
    pair of its group.
    """
    with material.store.connect() as connection:
        opinions = opinions_on(connection, counted(evaluation.answers(connection, material.run_ids)))
        texts = {text.id: text.body for text in evaluation.candidate_texts(connection, material.run_ids)}
    groups, training = _training(material, opinions)
    tests = [pair for opinion in opinions if (pair := _test(opinion, groups, texts)) is not None]
    embedder = load_embedder()
    enough = len(tests) >= FEWEST and len(training) >= FEWEST
    features = _features(texts, [*training, *tests], embedder.embed) if enough else {}
    arms, right = [], {}
    for name in ("with the experts' answers", "without the doubtful ones", "with the panel's answers"):
        pairs = _arm(training, name)
        right[name], trained = _cross_fit(pairs, tests, features) if enough else (np.zeros(0), 0.0)
        why = f"{len(tests)} decisions and {len(training)} pairs; {FEWEST} of each are the least"
        accuracy = rate(float(right[name].sum()), len(right[name]), why)
        arms.append(Arm(name=name, trained_on=trained, accuracy=accuracy))
    first, without, panel = (right[arm.name] for arm in arms)
    over_panel, over_without = _gap(first, panel, material.seed), _gap(first, without, material.seed)
    longer = [_longer(texts, pair) for pair in tests]
    differing = [value for value in longer if value is not None]
    return Downstream(
        suite="downstream",
        n=len(tests),
        embedding=embedder.name,
        folds=FOLDS,
        arms=tuple(arms),
        reviewed_over_panel=over_panel,
        reviewed_over_without=over_without,
        longer=rate(sum(differing), len(differing), "no decided pair differs in length"),
        verdict=_spell(over_panel, over_without),
        notes=(
            "the test is on decisions drawn at random (pilot, audit, always), by people with a token of their own",
            "a small model on fixed embeddings: it compares labels, it does not tell how good a trained model would be",
            "where the consensus learned from some of these decisions, it is in the panel's labels of other groups",
            *embedder.notes,
        ),
    )


def _training(material: Material, opinions: Sequence[Opinion]) -> tuple[dict[str, str], list[_Pair]]:
    """Item -> its seed group, and the exported pairs."""
    panel = {(o.answer.item_id, o.answer.shown[0], o.answer.shown[-1]): o.consensus.best for o in opinions}
    groups: dict[str, str] = {}
    pairs = []
    for run_id in material.run_ids:
        for row in exporting.export_rows(material.store, run_id=run_id)[1]:
            item, chosen, rejected = (row.lineage[name] for name in ("item", "chosen", "rejected"))
            groups[item] = row.split_group
            if not row.has_pair or row.flags or row.outcome != "accepted":
                continue
            turned = panel.get((item, rejected, chosen))
            best = panel.get((item, chosen, rejected)) or (PAIR.other(turned) if turned else None)
            decided = row.route == "decided"
            first = best == PAIR.outcomes[0] if decided and PAIR.is_outcome(best) else None
            pairs.append(_Pair(chosen, rejected, _fold(row.split_group), decided, first))
    return groups, pairs


def _test(opinion: Opinion, groups: Mapping[str, str], texts: Mapping[str, str]) -> _Pair | None:
    answer = opinion.answer
    known = all(candidate in texts for candidate in answer.shown)
    if (
        answer.question != PAIR
        or not PAIR.is_outcome(answer.outcome)
        or answer.rule not in RANDOM
        or not known
    ):
        return None
    better, worse = PAIR.chosen(str(answer.outcome), answer.shown)
    return _Pair(str(better), str(worse), _fold(groups.get(answer.item_id, answer.item_id)))


def _fold(group: str) -> int:
    return hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8).digest()[0] % FOLDS


def _arm(training: Sequence[_Pair], name: str) -> list[_Pair]:
    if name.startswith("with the experts"):
        return list(training)
    machine = [pair for pair in training if not pair.decided]
    if name.startswith("without"):
        return machine
    doubtful = [pair for pair in training if pair.decided and pair.panel_first is not None]
    return machine + [p if p.panel_first else _Pair(p.worse, p.better, p.fold) for p in doubtful]


def _features(
    texts: Mapping[str, str], pairs: Sequence[_Pair], embed: Callable[[Sequence[str]], Floats]
) -> dict[str, Floats]:
    """Candidate -> its embedding and the logarithm of its length."""
    names = sorted({name for pair in pairs for name in (pair.better, pair.worse) if name in texts})
    vectors = embed([texts[name] for name in names])
    lengths = np.log1p([len(texts[name]) for name in names])[:, None] / 4.0
    return dict(zip(names, np.hstack([vectors, lengths]), strict=True))


def _cross_fit(
    pairs: Sequence[_Pair], tests: Sequence[_Pair], features: Mapping[str, Floats]
) -> tuple[Floats, float]:
    """1, 0 or one half for each test, and how many pairs a fold was trained on."""
    right = np.full(len(tests), 0.5)
    sizes = []
    for fold in range(FOLDS):
        train = [p for p in pairs if p.fold != fold and p.better in features and p.worse in features]
        sizes.append(len(train))
        places = [i for i, test in enumerate(tests) if test.fold == fold]
        if len(train) < FEWEST or not places:
            continue
        weights = _fit(np.array([features[p.better] - features[p.worse] for p in train]))
        for i in places:
            gap = float((features[tests[i].better] - features[tests[i].worse]) @ weights)
            right[i] = 0.5 + 0.5 * np.sign(gap)
    return right, float(np.mean(sizes))


def _fit(gaps: Floats) -> Floats:
    """Weights by which the better answer comes out better; every pair is seen once, its better side first."""
    x = np.stack([gaps, np.zeros_like(gaps)], axis=1)
    target = np.tile([1.0, 0.0], (len(gaps), 1))
    width = gaps.shape[1]
    return fit_logit(x, target, np.zeros(width), np.full(width, PRECISION)).weights


def _gap(first: Floats, second: Floats, seed: int) -> Figure:
    if len(first) < 2:
        return nothing("too few decisions or pairs", len(first), low=-1.0)
    gaps = first - second
    low, high = mean_interval(gaps, seed=seed)
    return Figure(value=float(gaps.mean()), low=low, high=high, n=len(gaps))


def _longer(texts: Mapping[str, str], pair: _Pair) -> bool | None:
    a, b = len(texts[pair.better]), len(texts[pair.worse])
    return None if a == b else a > b


def _spell(over_panel: Figure, over_without: Figure) -> str:
    parts = []
    for figure, other in (
        (over_panel, "the panel's answers on the same pairs"),
        (over_without, "leaving them out"),
    ):
        if figure.value is None or figure.low <= 0.0 <= figure.high:
            parts.append(f"cannot tell whether the experts' answers teach more than {other}")
        else:
            word = "more" if figure.value > 0 else "less"
            parts.append(f"the experts' answers teach {word} than {other}")
    return "; ".join(parts)
