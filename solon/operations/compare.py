"""Compare two runs seed by seed: what changed in the texts, in the winner and in the way; also as a page."""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from solon.display.notebook import SHOWN, card, table

if TYPE_CHECKING:
    from solon.store.database.store import Store
    from solon.store.records.outcomes import ItemOutcome

Winner = Literal["same", "changed", "other texts", "none"]
MAX_WORDS = 4000
"""Longer texts are shown whole, one after the other: aligning them word by word would take too long."""


@dataclass(frozen=True, slots=True)
class SeedChange:
    """One seed in two runs.

    Attributes:
        seed: its id in the file.
        before, after: what became of it in the one run and in the other.
        texts: the answers judged are others.
        winner: `other texts` where the answers differ, so that there is no common winner to speak of; `none` where
            one of the runs has not chosen.
        route: the item stands elsewhere, or came there another way.
        rule: another rule of the policy sent it to an expert; that alone is no change.
    """

    seed: str
    before: ItemOutcome
    after: ItemOutcome
    texts: bool
    winner: Winner
    route: bool
    rule: bool

    @property
    def forgotten(self) -> bool:
        """The seed was forgotten, so that nothing can be compared."""
        return self.after.state == "forgotten"

    @property
    def changed(self) -> bool:
        """Are the texts, the winner or the way others? Nothing is said of a forgotten seed."""
        return not self.forgotten and (self.texts or self.route or self.winner == "changed")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs seed by seed.

    Attributes:
        before: id of the first run.
        after: id of the second run.
        changes: seeds of both runs, in the order of the first, those without a change too.
        only_before, only_after: seeds of one run alone.
    """

    before: str
    after: str
    changes: tuple[SeedChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Comparison({self.before!r}, {self.after!r}, {self.counts()})"

    def _repr_html_(self) -> str:
        changed = [change for change in self.changes if change.changed]
        rows = [
            (c.seed, describe_way(c.before), describe_way(c.after), c.before.result, c.after.result)
            for c in changed[:SHOWN]
        ]
        columns = ("seed", "way before", "way after", "chosen before", "chosen after")
        changes = [table(columns, [[cell or "" for cell in row] for row in rows])] if rows else []
        more = [f"<p>{SHOWN} of {len(changed)} changes are shown</p>"] if len(changed) > SHOWN else []
        return card(f"{self.before} against {self.after}", {"seeds": describe_counts(self)}, *changes, *more)

    def counts(self) -> dict[str, int]:
        """How many seeds are in both, and how many of them changed in what."""
        kept = [change for change in self.changes if not change.forgotten]
        return {
            "seeds": len(self.changes),
            "same": sum(not change.changed for change in kept),
            "texts": sum(change.texts for change in kept),
            "winner": sum(change.winner == "changed" for change in kept),
            "route": sum(change.route for change in kept),
            "rule": sum(change.rule for change in kept),
            "forgotten": len(self.changes) - len(kept),
            "only_before": len(self.only_before),
            "only_after": len(self.only_after),
        }

    def to_plain(self) -> dict[str, Any]:
        """Plain values for JSON; seeds without a change are only counted."""
        return {
            "before": self.before,
            "after": self.after,
            **self.counts(),
            "changes": [change_to_plain(change) for change in self.changes if change.changed],
        }


def compare_runs(store: Store, before: str, after: str) -> Comparison:
    """Compare two runs of a store, given by id or the beginning of it.

    Raises:
        UsageError: there is no such run, or the two are of different recipes.
    """
    from solon.errors import UsageError
    from solon.store.records.outcomes import item_outcomes
    from solon.store.runs.runs import find_run

    with store.connect() as connection:
        first, second = find_run(connection, before), find_run(connection, after)
    if first.recipe != second.recipe:
        raise UsageError(
            f"run {first.id} is of recipe {first.recipe}, run {second.id} of {second.recipe}",
            next_step="compare runs of one recipe; see `solon status`",
        )
    return compare(first.id, item_outcomes(store, first.id), second.id, item_outcomes(store, second.id))


def compare(
    before: str, first: Mapping[str, ItemOutcome], after: str, second: Mapping[str, ItemOutcome]
) -> Comparison:
    """Compare the outcomes of two runs by the names of their seeds."""
    return Comparison(
        before,
        after,
        tuple(compare_seed(first[seed], second[seed]) for seed in first if seed in second),
        tuple(seed for seed in first if seed not in second),
        tuple(seed for seed in second if seed not in first),
    )


def compare_seed(before: ItemOutcome, after: ItemOutcome) -> SeedChange:
    """What changed for one seed."""
    texts = before.answers != after.answers
    winner: Winner = "same"
    if texts:
        winner = "other texts"
    elif not before.kind or not after.kind:
        winner = "none"
    elif (before.kind, before.result) != (after.kind, after.result):
        winner = "changed"
    route = (before.state, before.route) != (after.state, after.route)
    rule = not route and before.rule != after.rule
    return SeedChange(before.seed, before, after, texts, winner, route, rule)


def change_to_plain(change: SeedChange) -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        "seed": change.seed,
        "texts": change.texts,
        "winner": change.winner,
        "route": change.route,
        "rule": change.rule,
        "before": asdict(change.before),
        "after": asdict(change.after),
    }


def describe_counts(comparison: Comparison) -> str:
    """How many seeds are in both runs, and what changed for how many."""
    counts = comparison.counts()
    told = (
        f"{counts['seeds']} seeds in both: {counts['same']} the same, {counts['texts']} with other texts, "
        f"{counts['winner']} with another winner, {counts['route']} on another way"
    )
    if counts["rule"]:
        told += f"; {counts['rule']} asked of an expert by another rule only"
    if counts["forgotten"]:
        told += f"; {counts['forgotten']} forgotten"
    if counts["only_before"] or counts["only_after"]:
        told += f"; {counts['only_before']} only before, {counts['only_after']} only after"
    return told


def describe_way(outcome: ItemOutcome) -> str:
    """Where an item stands and how it came there, in a few words."""
    told = outcome.state
    if outcome.state == "waiting":
        told = f"waits for an expert ({outcome.rule})"
    elif outcome.route:
        told = f"{outcome.state} by {outcome.route}"
    return told if outcome.confidence is None else f"{told}, confidence {outcome.confidence:.2f}"


def mark_words(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Pieces of both texts with `same`, `gone` or `new`, aligned word by word."""
    first, second = _words(before), _words(after)
    if len(first) + len(second) > MAX_WORDS:
        yield "gone", before
        yield "new", after
        return
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            yield "same", "".join(first[a:b])
            continue
        if b > a:
            yield "gone", "".join(first[a:b])
        if d > c:
            yield "new", "".join(second[c:d])


def _words(text: str) -> list[str]:
    return re.findall(r"\s+|[^\s]+", text)


def render_page(comparison: Comparison) -> str:
    """The comparison as one HTML page without scripts or foreign resources; every text is escaped."""
    told = f"{describe_counts(comparison)}."
    parts = "\n".join(_render_change(change) for change in comparison.changes if change.changed)
    title = f"{comparison.before} against {comparison.after}"
    return _PAGE.format(
        title=html.escape(title), told=html.escape(told), parts=parts or "<p>Nothing changed.</p>"
    )


def _render_change(change: SeedChange) -> str:
    before, after = change.before, change.after
    marks = [name for name, on in (("texts", change.texts), ("way", change.route)) if on]
    marks += ["winner"] if change.winner == "changed" else []
    rows = [("way", describe_way(before), describe_way(after))]
    if change.texts:
        # Answers have no order of their own: each is set against its nearest.
        rows += [(f"answer {i + 1}", a, b) for i, (a, b) in enumerate(_paired(before.answers, after.answers))]
    if change.winner == "changed":
        rows.append(("chosen", before.result or "-", after.result or "-"))
    body = "".join(f"<tr><th>{name}</th><td>{_marked(a, b)}</td></tr>" for name, a, b in rows)
    return (
        f"<section><h2>{html.escape(change.seed)} <small>{', '.join(marks)}</small></h2>"
        f"<p class=prompt>{html.escape(before.prompt[:2000])}</p><table>{body}</table></section>"
    )


def _paired(first: tuple[str, ...], second: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    left = list(second)
    for text in first:
        near = max(left, key=lambda other: _likeness(text, other), default="")
        if left:
            left.remove(near)
        yield text, near
    yield from (("", text) for text in left)


def _likeness(a: str, b: str) -> float:
    if a == b:
        return 1.0
    first, second = set(a.split()), set(b.split())
    return len(first & second) / (len(first | second) or 1) * 0.999


def _marked(before: str, after: str) -> str:
    tags = {"same": "span", "gone": "del", "new": "ins"}
    return "".join(
        f"<{tags[kind]}>{html.escape(text)}</{tags[kind]}>" for kind, text in mark_words(before, after)
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }}
section {{ border-top: 1px solid #ccc; margin-top: 1.5rem }}
h1 {{ font-size: 1.3rem }} h2 {{ font-size: 1rem; overflow-wrap: anywhere }}
small {{ font-weight: normal; color: #555 }}
.prompt, td {{ white-space: pre-wrap; overflow-wrap: anywhere }} .prompt {{ color: #444 }}
th {{ text-align: left; vertical-align: top; padding-right: 1rem; font-weight: 600; white-space: nowrap }}
del {{ background: #fbdcdc; color: #7a1212 }} ins {{ background: #d9f2dd; color: #0d4f1c; text-decoration: none }}
</style></head>
<body><h1>{title}</h1><p>{told}</p>
{parts}
</body></html>
"""
