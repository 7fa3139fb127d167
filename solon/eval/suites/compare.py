"""Two runs over the same seeds, paired seed by seed, with intervals and a verdict in words."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.consensus.binomial import tail_at_least
from solon.errors import UsageError
from solon.eval.result import Figure, SuiteResult, mean, nothing, rate
from solon.eval.suites.audit import audited_records
from solon.store.records import evaluation
from solon.words import find_words

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.formats.records import ExportRow
    from solon.store.database.engine import Connection
    from solon.store.runs.run_row import RunRow

CLEAR = ("higher in B", "lower in B")


class Difference(BaseModel):
    """One figure in both runs.

    Attributes:
        name: of the figure.
        a: its mean in the first run, over the seeds that have it in both; None with fewer than two of them.
        b: its mean in the second run.
        difference: B minus A, seed by seed.
        verdict: `higher in B`, `lower in B`, `the same` or `cannot tell`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    a: float | None
    b: float | None
    difference: Figure
    verdict: str


class Comparison(SuiteResult):
    """Two runs over the same seeds, compared.

    Attributes:
        n: seeds in both runs.
        a: id of the first run.
        b: id of the second run.
        only_a: seeds that only the first has.
        only_b: seeds that only the second has.
        states_a: items of the first run by state.
        states_b: items of the second run by state.
        same_chosen: of seeds with a record in both, the share with the same answer, and the same label where one
            was asked for.
        same_route: of seeds with a record in both, the share settled by the same route.
        routes: how often each route in the first run met each route in the second.
        differences: figures of both runs.
        verdict: in words.
    """

    a: str
    b: str
    only_a: int
    only_b: int
    states_a: dict[str, int]
    states_b: dict[str, int]
    same_chosen: Figure
    same_route: Figure
    routes: dict[str, int]
    differences: tuple[Difference, ...]
    verdict: str

    def headline(self) -> dict[str, Figure]:
        """What stayed the same, and the first difference that is clear."""
        first = next((d for d in self.differences if d.verdict in CLEAR), None)
        shown = {"the same answer in both": self.same_chosen, "the same way to it": self.same_route}
        clear = first or next(iter(self.differences), None)
        return shown | ({f"{clear.name}, second minus first": clear.difference} if clear else {})

    def next_step(self) -> str:
        """See the texts side by side."""
        return f"see what changed, text by text: `solon diff {self.a} {self.b} --html diff.html`"


def evaluate(material: Material) -> Comparison:
    """Return how two runs differ, paired by the seeds' own ids.

    Raises:
        UsageError: not exactly two different runs, or they share no seed.
    """
    if len(material.runs) != 2 or material.runs[0].id == material.runs[1].id:
        raise UsageError(
            f"compare needs two different runs, got {len({run.id for run in material.runs})}",
            next_step="solon eval compare RUN_A RUN_B",
        )
    run_a, run_b = material.runs
    with material.store.connect() as connection:
        a, b = (_facts(connection, run) for run in material.runs)
    by_item = {
        row.lineage["item"]: _Record.of(row) for run in material.runs for row in material.sample(run.id)
    }
    records_a, records_b = (
        {name: by_item[str(fact["item"])] for name, fact in of.items() if fact["item"] in by_item}
        for of in (a, b)
    )
    both = sorted(seed for seed in set(a) & set(b) if "forgotten" not in (a[seed]["state"], b[seed]["state"]))
    if not both:
        raise UsageError(
            f"runs {run_a.id} and {run_b.id} share no seed", next_step="compare runs over the same seeds"
        )
    why = "no seed has a record in both"
    paired = [seed for seed in both if seed in records_a and seed in records_b]
    differences = _differences(a, b, records_a, records_b, both, material.seed)
    clear = [d for d in differences if d.difference.n and (d.difference.low > 0 or d.difference.high < 0)]
    return Comparison(
        suite="compare",
        n=len(both),
        a=run_a.id,
        b=run_b.id,
        only_a=len(set(a) - set(b)),
        only_b=len(set(b) - set(a)),
        states_a=dict(Counter(fact["state"] for fact in a.values())),
        states_b=dict(Counter(fact["state"] for fact in b.values())),
        same_chosen=rate(sum(records_a[s].says == records_b[s].says for s in paired), len(paired), why),
        same_route=rate(sum(records_a[s].route == records_b[s].route for s in paired), len(paired), why),
        routes=dict(Counter(f"{records_a[s].route} -> {records_b[s].route}" for s in paired).most_common()),
        differences=differences,
        verdict=_verdict(differences, clear),
        notes=(
            f"{len(differences)} figures are compared at once: about one in twenty shows an interval without zero "
            "by chance",
            *(
                f"run {run.id} took over calls of an earlier run: its tokens are those of the calls that it made itself"
                for run in material.runs
                if run.reuse_run_id
            ),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Record:
    """A record without its texts.

    Attributes:
        says: hash of what it came to, the label where one was asked for, else the answer; empty where it has none.
        route: the way to it.
        margin: the panel's margin; None without a panel.
        confidence: how sure panel (and votes) were of it; None without either.
        words: of the answer; None without one.
    """

    says: bytes
    route: str
    margin: float | None
    confidence: float | None
    words: float | None

    @classmethod
    def of(cls, row: ExportRow) -> _Record:
        said = row.label if row.outcome == "label" else row.answer
        words = None if row.answer is None else float(len(find_words(row.answer)))
        told = (said or "").encode("utf-8", "surrogatepass")
        says = b"" if said is None else hashlib.blake2b(told, digest_size=16).digest()
        return cls(says, sys.intern(row.route), row.margin, row.confidence, words)


def _facts(connection: Connection, run: RunRow) -> dict[str, dict[str, float | str]]:
    """An item by its name: its state, and what it took."""
    facts: dict[str, dict[str, float | str]] = {
        fact.name: {
            "state": fact.state,
            "accepted": float(fact.state == "accepted"),
            "asked": float(fact.reviews > 0),
            "tokens": float(fact.tokens),
            "item": fact.item_id,
        }
        for fact in evaluation.item_facts(connection, run.id)
    }
    agreed: dict[str, float] = {}
    for one in audited_records(connection, run):
        agreed.setdefault(one.item_id, float(one.agrees))
    for fact in facts.values():
        if fact["item"] in agreed:
            fact["audit"] = agreed[str(fact["item"])]
    return facts


Facts = Mapping[str, Mapping[str, float | str]]


def _differences(
    a: Facts,
    b: Facts,
    records_a: Mapping[str, _Record],
    records_b: Mapping[str, _Record],
    seeds: list[str],
    seed: int,
) -> tuple[Difference, ...]:
    def fact(of: Facts, name: str) -> Callable[[str], float | None]:
        return lambda key: None if name not in of[key] else float(of[key][name])

    def value(
        of: Mapping[str, _Record], take: Callable[[_Record], float | None]
    ) -> Callable[[str], float | None]:
        return lambda key: take(of[key]) if key in of else None

    named: list[tuple[str, Callable[[str], float | None], Callable[[str], float | None]]] = [
        ("share accepted", fact(a, "accepted"), fact(b, "accepted")),
        ("share that people were asked about", fact(a, "asked"), fact(b, "asked")),
        ("tokens per item", fact(a, "tokens"), fact(b, "tokens")),
        ("agreement in blind audits", fact(a, "audit"), fact(b, "audit")),
        ("panel margin", value(records_a, lambda r: r.margin), value(records_b, lambda r: r.margin)),
        ("confidence", value(records_a, lambda r: r.confidence), value(records_b, lambda r: r.confidence)),
        ("words of the answer", value(records_a, lambda r: r.words), value(records_b, lambda r: r.words)),
    ]
    return tuple(_difference(name, of_a, of_b, seeds, seed) for name, of_a, of_b in named)


def _difference(
    name: str,
    of_a: Callable[[str], float | None],
    of_b: Callable[[str], float | None],
    seeds: list[str],
    seed: int,
) -> Difference:
    pairs = [(x, y) for key in seeds if (x := of_a(key)) is not None and (y := of_b(key)) is not None]
    if len(pairs) < 2:
        gap = nothing("fewer than two seeds have it in both runs", len(pairs), low=0.0, high=0.0)
        return Difference(name=name, a=None, b=None, difference=gap, verdict="cannot tell")
    gaps = np.array([y - x for x, y in pairs])
    gap = mean(gaps, seed)
    return Difference(
        name=name,
        a=float(np.mean([x for x, _ in pairs])),
        b=float(np.mean([y for _, y in pairs])),
        difference=gap,
        verdict=_word(gap, gaps),
    )


def _word(gap: Figure, gaps: np.ndarray) -> str:
    """Higher or lower only where the interval and the sign test (two-sided, exact) both say so."""
    up, down = int((gaps > 0).sum()), int((gaps < 0).sum())
    if not up and not down:
        return "the same"
    p = min(1.0, 2 * tail_at_least(max(up, down), up + down, 0.5))
    if gap.low > 0 and p < 0.05:
        return "higher in B"
    if gap.high < 0 and p < 0.05:
        return "lower in B"
    return "cannot tell"


def _verdict(differences: tuple[Difference, ...], clear: list[Difference]) -> str:
    shown = [d for d in clear if d.verdict in CLEAR]
    if not shown:
        return "no difference that these seeds can show"
    sentence = "; ".join(f"{d.name} is {d.verdict} ({d.a:.3g} to {d.b:.3g})" for d in shown)
    audited = next(d for d in differences if d.name == "agreement in blind audits")
    better = {
        "higher in B": "B agrees more with the experts",
        "lower in B": "B agrees less with the experts",
    }.get(audited.verdict, "whether one agrees more with the experts cannot be told")
    return f"{sentence}. {better[0].upper()}{better[1:]}."
