"""How often each principle was cited, by whom, and how often the side that it was cited for won.

A critic's finding is against the candidate that it is about; a judge's rationale and a resolution are for the side
that they favour; an expert's citation is for what the expert chose. The side that won is what a person decided with
their own token, else what the record in force has chosen. Only totals are told, so that held-out decisions count too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from solon.consensus.binomial import clopper_pearson
from solon.law.documents import Constitution
from solon.law.lineage import splits_of, successors
from solon.questions import PAIR
from solon.store.reviewing.review_rows import REPEAT
from solon.store.runs.laws import LawVersion, history
from solon.store.runs.runs import PREVIEW
from solon.store.runs.verdicts import panel_votes
from solon.store.tables import (
    candidates,
    critiques,
    decisions,
    items,
    records,
    resolutions,
    reviews,
    runs,
    texts,
)

SOURCES = ("critics", "judges", "resolver", "experts")


@dataclass(frozen=True, slots=True)
class Use:
    """Citations of one principle by one source.

    Attributes:
        cited: how often it was cited.
        sided: of these, where one of two sides won in the end.
        won: of these, where the side won that it was cited for.
        by_people: (won, sided) where a person decided.
    """

    cited: int = 0
    sided: int = 0
    won: int = 0
    by_people: tuple[int, int] = (0, 0)

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95% interval of won / sided."""
        return clopper_pearson(self.won, self.sided)

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values, with the rate of those won and its interval."""
        won, sided = self.by_people
        return {
            "cited": self.cited,
            "sided": self.sided,
            "won": self.won,
            "rate": self.won / self.sided if self.sided else None,
            "interval": list(self.interval),
            "decided_by_people": {"sided": sided, "won": won},
        }


@dataclass(frozen=True, slots=True)
class PrincipleUse:
    """A principle with its uses by source.

    Attributes:
        id: id of the principle.
        text: what it says.
        in_force: it is part of the version in force.
        uses: source (critics, judges, resolver, experts) -> use.
        split_into: ids that stand in its place since it was split; what was cited before stays counted here.
    """

    id: str
    text: str
    in_force: bool
    uses: Mapping[str, Use]
    split_into: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The principle as plain values, with the figures of each source."""
        about: dict[str, Any] = {"id": self.id, "text": self.text, "in_force": self.in_force}
        about["split_into"] = list(self.split_into)
        return {**about, **{source: use.to_json() for source, use in self.uses.items()}}


@dataclass(frozen=True, slots=True)
class _Citation:
    source: str
    principle: str
    item_id: str
    text_id: str | None
    """The text of the candidate that it speaks for, or against."""
    against: bool = False


def count_uses(
    connection: Connection, law: LawVersion, *, version_only: bool = False, run_ids: Sequence[str] = ()
) -> list[PrincipleUse]:
    """Uses of every principle of a constitution, in its order; retired ones after them.

    Args:
        version_only: count items under this version only; default: under every version of its name.
        run_ids: count these runs only.
    """
    versions = [law] if version_only else history(connection, "constitution", law.name)
    known: dict[str, str] = {}
    for version in [*versions, law]:
        assert isinstance(version.document, Constitution)
        known |= {principle.id: principle.text for principle in version.document.principles}
    pinned = items.c.constitution_id.in_([version.id for version in versions])
    wanted = [pinned, runs.c.status != PREVIEW, *([items.c.run_id.in_(run_ids)] if run_ids else [])]
    winners = _winners(connection, wanted)
    tally: dict[tuple[str, str], list[int]] = {}
    for cited in _citations(connection, wanted, list(known)):
        if cited.principle not in known:
            continue
        counts = tally.setdefault((cited.principle, cited.source), [0, 0, 0, 0, 0])
        counts[0] += 1
        chosen, rejected, by_person = winners.get(cited.item_id, (None, None, False))
        if chosen is None or rejected is None or cited.text_id not in (chosen, rejected):
            continue
        won = int((cited.text_id == chosen) is not cited.against)
        counts[1] += 1
        counts[2] += won
        counts[3] += by_person * won
        counts[4] += by_person
    current = law.document.ids()
    ordered = [*current, *sorted(set(known) - set(current))]
    splits = splits_of(version.document for version in [*versions, law])
    return [
        PrincipleUse(
            name,
            known[name],
            name in current,
            {s: _use(tally.get((name, s))) for s in SOURCES},
            () if name in current else successors(splits, name),
        )
        for name in ordered
    ]


def items_lost(connection: Connection, law: LawVersion) -> set[str]:
    """Ids of items that a person decided against the side for which a judge or the resolver had cited a principle."""
    assert isinstance(law.document, Constitution)
    names = law.document.ids()
    versions = [version.id for version in history(connection, "constitution", law.name)]
    wanted = [items.c.constitution_id.in_(versions), runs.c.status != PREVIEW]
    winners = _winners(connection, wanted)
    lost = set()
    for cited in (*_by_judges(connection, wanted, names), *_by_resolver(connection, wanted)):
        _, rejected, by_person = winners.get(cited.item_id, (None, None, False))
        if by_person and cited.principle in names and cited.text_id is not None and cited.text_id == rejected:
            lost.add(cited.item_id)
    return lost


def _use(counts: list[int] | None) -> Use:
    if counts is None:
        return Use()
    cited, sided, won, won_by_people, by_people = counts
    return Use(cited, sided, won, (won_by_people, by_people))


def _winners(connection: Connection, wanted: Sequence[Any]) -> dict[str, tuple[str | None, str | None, bool]]:
    """item -> texts of the side that won and of the one that lost, and whether a person said so."""
    won, lost = candidates.alias("won"), candidates.alias("lost")
    query = (
        select(records.c.item_id, won.c.text_id, lost.c.text_id, records.c.decision_id)
        .join(items, items.c.id == records.c.item_id)
        .join(runs, runs.c.id == items.c.run_id)
        .join(won, won.c.id == records.c.chosen_id)
        .join(lost, lost.c.id == records.c.rejected_id)
        .where(records.c.superseded_at.is_(None), *wanted)
    )
    found: dict[str, tuple[str | None, str | None, bool]] = {
        row[0]: (row[1], row[2], row[3] is not None) for row in connection.execute(query)
    }
    said = (
        select(decisions.c.item_id, decisions.c.candidate_id, reviews.c.candidates)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .join(items, items.c.id == decisions.c.item_id)
        .join(runs, runs.c.id == items.c.run_id)
        .where(decisions.c.choice == "prefer", decisions.c.counts, decisions.c.undone_at.is_(None), *wanted)
        .order_by(decisions.c.decided_at.desc())
    )
    rows = [row for row in connection.execute(said) if len(row[2]) == 2]
    text_of = _texts_of(connection, [name for row in rows for name in row[2]])
    for item_id, chosen, shown in rows:
        other = shown[1] if chosen == shown[0] else shown[0]
        found[item_id] = (text_of.get(chosen), text_of.get(other), True)
    return found


def _citations(connection: Connection, wanted: Sequence[Any], names: Sequence[str]) -> Iterator[_Citation]:
    yield from _by_critics(connection, wanted)
    yield from _by_judges(connection, wanted, names)
    yield from _by_resolver(connection, wanted)
    yield from _by_experts(connection, wanted)


def _of_items(query: Any, table: Any, wanted: Sequence[Any]) -> Any:
    return (
        query.join(items, items.c.id == table.c.item_id)
        .join(runs, runs.c.id == items.c.run_id)
        .where(*wanted)
        .execution_options(stream_results=True)
    )


def _by_critics(connection: Connection, wanted: Sequence[Any]) -> Iterator[_Citation]:
    query = select(critiques.c.item_id, critiques.c.principles, candidates.c.text_id).join(
        candidates, candidates.c.id == critiques.c.candidate_id
    )
    for item_id, principles, text_id in connection.execute(_of_items(query, critiques, wanted)):
        for name in dict.fromkeys(principles or ()):
            yield _Citation("critics", name, item_id, text_id, against=True)


def _by_judges(connection: Connection, wanted: Sequence[Any], names: Sequence[str]) -> Iterator[_Citation]:
    """A principle is cited where a rationale names its id as a word of its own."""
    spoken = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, names)) or '(?!)'})(?![\w-])")
    a, b = candidates.alias("a"), candidates.alias("b")
    query = (
        select(
            panel_votes.c.item_id,
            panel_votes.c.outcome,
            texts.c.body,
            a.c.text_id.label("a_text"),
            b.c.text_id.label("b_text"),
        )
        .join(texts, texts.c.id == panel_votes.c.rationale_id)
        .join(a, a.c.id == panel_votes.c.a_id)
        .join(b, b.c.id == panel_votes.c.b_id, isouter=True)
    )
    for row in connection.execute(_of_items(query, panel_votes, wanted)):
        side, _ = PAIR.chosen(row.outcome, (row.a_text, row.b_text))
        for name in dict.fromkeys(spoken.findall(row.body or "")):
            yield _Citation("judges", name, row.item_id, side)


def _by_resolver(connection: Connection, wanted: Sequence[Any]) -> Iterator[_Citation]:
    query = select(resolutions.c.item_id, resolutions.c.cites, candidates.c.text_id).join(
        candidates, candidates.c.id == resolutions.c.favours_id, isouter=True
    )
    for item_id, cites, text_id in connection.execute(_of_items(query, resolutions, wanted)):
        for name in dict.fromkeys(cites or ()):
            yield _Citation("resolver", name, item_id, text_id)


def _by_experts(connection: Connection, wanted: Sequence[Any]) -> Iterator[_Citation]:
    query = (
        select(decisions.c.item_id, decisions.c.principles, candidates.c.text_id)
        .join(reviews, (reviews.c.id == decisions.c.review_id) & (reviews.c.kind != REPEAT))
        .join(candidates, candidates.c.id == decisions.c.candidate_id, isouter=True)
        .where(decisions.c.undone_at.is_(None))
    )
    for item_id, principles, text_id in connection.execute(_of_items(query, decisions, wanted)):
        for name in dict.fromkeys(principles or ()):
            yield _Citation("experts", name, item_id, text_id)


def _texts_of(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    unique = sorted(set(ids))
    for start in range(0, len(unique), 500):
        query = select(candidates.c.id, candidates.c.text_id).where(
            candidates.c.id.in_(unique[start : start + 500])
        )
        found.update({row.id: row.text_id for row in connection.execute(query)})
    return found
