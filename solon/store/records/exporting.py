"""Records as the neutral rows that every export format is written from: streamed from one snapshot."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    true,
)

from solon.constraints import stated_constraints, unverified_constraints
from solon.dialogues import ASSISTANT, Turn, find_turn, place_in_turn, read_dialogue
from solon.formats.records import Completion, CritiqueOf, ExportRow, ScoredRow, plain_model
from solon.formats.turns import say_beside
from solon.law.seed_rubrics import SeedRubric
from solon.questions import ACCEPT, CONVERSED, MARKED, PAIR, STANDS, TIE, question_of
from solon.quotes import find_quotes
from solon.responses import is_dialogue, read_fields
from solon.spans import count_readings, read_spans, text_of
from solon.store.database.ids import keyed_hash
from solon.store.database.store import Store
from solon.store.records.completions import completions_of, scores_of_records, sides_of
from solon.store.records.critiques import critiques_of
from solon.store.records.generations import Descent, descents, drawn_for
from solon.store.records.principles import compared_in, contrasts_of, principles_of
from solon.store.records.rankings import reversed_by_others
from solon.store.reviewing.disagreements import contested_shares, open_disputes, text_ids
from solon.store.reviewing.reading import fixes_of
from solon.store.runs.items import FORGOTTEN, parts_of_items
from solon.store.runs.journal import DRAWS
from solon.store.runs.row_keys import WHITE, WIDTH, conversation_of, pair_key
from solon.store.runs.seed_rubrics import seed_rubrics_on
from solon.store.runs.verdicts import count_not_asked
from solon.store.tables import calls, candidates, critiques, decisions, items, records, seeds, texts

PROVENANCE = ("group", "lang", "source", "licence", "consent")
PINNED = ("constitution", "rubric", "prompts", "consensus")
CHUNK = 500
_Answer = tuple[str | None, dict[str, Any] | None]
OTHER_RUN = "other_run"
"""Why a record is left out in whose place another run's stands."""
DISPUTED = "disputed"
"""The outcome of a record on whose question people differ and that no lead has settled yet."""
CONTRADICTED = "contradicted"
"""The outcome of a record of which another record that is wanted says the opposite."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which records are wanted: those of one run, of all runs, or by default the data set.

    In the data set the same row of seeds stands once, and the same pair: as a person decided it, otherwise as the
    newest run that has a record of it.

    Attributes:
        run_id: of this run only; None: of no one run.
        recipe: of this recipe only; None: any.
        constitution: id of the version that they were accepted under; None: any.
        as_of: the records that were in force at this time (epoch seconds); None: now.
        all_runs: every record of every run.
        rejected: also the single answers that people rejected, which have no record: as bad examples.
        scored: each with all candidates of its request that the panel scored, and what critics found on its texts.
    """

    run_id: str | None = None
    recipe: str | None = None
    constitution: str | None = None
    as_of: float | None = None
    all_runs: bool = False
    rejected: bool = False
    scored: bool = False

    def in_force(self, of: FromClause = records) -> ColumnElement[bool]:
        """The condition on a record that it is in force at the time asked for."""
        stands: ColumnElement[bool] = of.c.superseded_at.is_(None)
        if self.as_of is None:
            return stands
        begun: ColumnElement[bool] = of.c.created_at <= self.as_of
        return and_(begun, stands | (of.c.superseded_at > self.as_of))

    def not_stale(self) -> ColumnElement[bool]:
        """The condition on a record that it was not in doubt at the time asked for."""
        sound: ColumnElement[bool] = records.c.stale_at.is_(None)
        return sound if self.as_of is None else sound | (records.c.stale_at > self.as_of)

    def of_records(self, of: FromClause = records) -> list[ColumnElement[bool]]:
        """Conditions on a record: it is in force, and under the constitution asked for."""
        version = of.c.constitution_id == self.constitution
        return [self.in_force(of)] if self.constitution is None else [self.in_force(of), version]

    def comes_first(self) -> ColumnElement[bool]:
        """The condition on an item, joined with its record, that no other run's item of its row or pair goes before it.

        What a person rejected since an older run's record was made goes before that record, too.
        """
        if self.run_id is not None or self.all_runs:
            return true()
        other, other_record = items.alias("other_item"), records.alias("other_record")
        theirs, own = self._rank(other, other_record), self._rank(items, records)
        stands = and_(other_record.c.item_id == other.c.id, *self.of_records(other_record))
        before = (
            select(other.c.id)
            .where(other.c.run_id != items.c.run_id, other.c.state != "preview")
            .where(or_(theirs > own, and_(theirs == own, other.c.run_id > items.c.run_id)))
            .correlate(items, records)
        )
        row = before.select_from(other.outerjoin(other_record, stands)).where(
            other.c.row_key == items.c.row_key
        )
        # Pairs of unlike rows: equal rows are told apart by their place.
        pair = before.select_from(other_record.join(other, stands)).where(
            other_record.c.pair_key == records.c.pair_key,
            func.substr(other.c.row_key, 1, WIDTH) != func.substr(items.c.row_key, 1, WIDTH),
        )
        return and_(~exists(row), ~exists(pair))

    def _rank(self, item: FromClause, record: FromClause) -> ColumnElement[int]:
        """2: a person's decision is its record; 1: it has a record, or a person rejected it; 0: neither. Between equals
        the run's id decides, which begins with the time of its making."""
        ended = true() if self.as_of is None else item.c.finished_at <= self.as_of
        rejected = and_(
            item.c.state == "rejected",
            item.c.route == "decided",
            func.coalesce(item.c.reason, "") != FORGOTTEN,
            ended,
        )
        return case((record.c.route == "decided", 2), (record.c.id.is_not(None), 1), (rejected, 1), else_=0)

    def of_items(self) -> list[ColumnElement[bool]]:
        """Conditions on an item: it is of the run and of the recipe asked for."""
        conditions = []
        if self.run_id is not None:
            conditions.append(items.c.run_id == self.run_id)
        if self.recipe is not None:
            conditions.append(items.c.recipe == self.recipe)
        return conditions


def export_rows(
    store: Store,
    *,
    run_id: str | None = None,
    recipe: str | None = None,
    constitution: str | None = None,
    as_of: float | None = None,
    all_runs: bool = False,
    rejected: bool = False,
    scored: bool = False,
) -> tuple[dict[str, int], Generator[ExportRow]]:
    """How many items have no row, by state or reason, and the records in force as rows, in a stable order; see `Which`.

    All of it is read in one snapshot, so that a decision in the middle does not tear it. What an expert flagged since
    `as_of` is withheld, and what was erased since is gone: the past is told as it may be told now.
    Whoever may stop before the last row closes the generator: it holds a connection.
    """
    rows = _stream(store, Which(run_id, recipe, constitution, as_of, all_runs, rejected, scored))
    first = next(rows)
    assert isinstance(first, dict)
    return first, rows  # type: ignore[return-value]


def count_rows(store: Store, run_id: str | None = None) -> int:
    """How many rows `export_rows` gives now of a run, or of the data set."""
    which = Which(run_id)
    query = (
        select(func.count())
        .select_from(records.join(items, items.c.id == records.c.item_id))
        .where(*which.of_records(), *which.of_items(), which.comes_first())
    )
    with store.connect() as connection:
        forgotten = sum(_forgotten(connection, which).values())
        return int(connection.execute(query).scalar_one()) - forgotten


def record_of_item(store: Store, item_id: str) -> ExportRow | None:
    """The (first) record in force of an item; None where it has none."""
    with store.connect() as connection:
        query = with_seeds().where(records.c.item_id == item_id, Which().in_force(), records.c.place == 0)
        found = [dict(row) for row in connection.execute(query).mappings()]
        return next(iter(rows_of(store, connection, found)), None)


def runs_in_force(store: Store, **which: Any) -> list[str]:
    """Ids of the runs that have records in force, the oldest first, whether or not another run's stand in their place;
    arguments as of `export_rows`."""
    with store.connect() as connection:
        return _runs_of(connection, Which(**which))


def of_data_set() -> ColumnElement[bool]:
    """The condition on a record in force, joined with its item, that it stands in the data set, where each item stands
    once, whatever runs it went through."""
    return Which().comes_first()


def with_seeds() -> Select[Any]:
    """The query of records with the facts and the text of their seeds."""
    return (
        select(
            records,
            items.c.seed_id,
            items.c.prompts_id,
            seeds.c.external_id,
            *(seeds.c[name] for name in PROVENANCE),
            texts.c.body,
        )
        .join(items, items.c.id == records.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
    )


def _stream(store: Store, which: Which) -> Generator[dict[str, int] | ExportRow]:
    with store.connect() as connection:
        counts = (_without_record, _forgotten, _of_other_runs)
        yield dict(sum((Counter(count(connection, which)) for count in counts), Counter()))
        query = (
            with_seeds()
            .where(*which.of_records(), *which.of_items(), which.comes_first())
            .order_by(items.c.position, records.c.place, records.c.id)
        )
        rejected = _keys_of_rejected(store, connection, which) if which.rejected else {}
        contradicted = _reversed_pairs(connection, which) | _accepted_too(connection, which, rejected)
        for window in parts_of_items(connection, *which.of_items()):
            chunk = [dict(row) for row in connection.execute(query.where(window)).mappings()]
            yield from rows_of(store, connection, chunk, which.as_of, contradicted, scored=which.scored)
            if rejected:
                ends = _ends_rejected(connection, which, window)
                keyed = [{**row, "pair_key": rejected[row["id"]]} for row in ends]
                yield from rows_of(store, connection, keyed, contradicted=contradicted)


def _without_record(connection: Connection, which: Which) -> dict[str, int]:
    """Items without a record in force, by their state now (by none, where an earlier time is asked for)."""
    joined = items.outerjoin(records, and_(records.c.item_id == items.c.id, which.in_force()))
    conditions = [records.c.id.is_(None), items.c.state != "preview", *which.of_items(), which.comes_first()]
    conditions.append(
        items.c.state != "accepted" if which.as_of is None else items.c.created_at <= which.as_of
    )
    query = select(items.c.state, func.count()).select_from(joined).where(*conditions).group_by(items.c.state)
    names = {"waiting": "pending"}
    counted = {names.get(state, state): int(n) for state, n in connection.execute(query)}
    if which.rejected and "rejected" in counted:
        whole = connection.execute(_rejected(which).with_only_columns(func.count(items.c.id.distinct())))
        counted["rejected"] -= int(whole.scalar_one())
    if which.as_of is not None:
        counted = {"no_record_then": sum(counted.values())} if counted else {}
    if which.constitution is not None:
        others = (
            select(func.count())
            .select_from(records.join(items, items.c.id == records.c.item_id))
            .where(which.in_force(), *which.of_items(), records.c.constitution_id != which.constitution)
        )
        counted["other_constitution"] = int(connection.execute(others).scalar_one())
    return {name: n for name, n in counted.items() if n}


def _forgotten(connection: Connection, which: Which) -> dict[str, int]:
    """Records in force whose texts were erased: they are in no row, and in this count."""
    chosen = texts.alias("chosen")
    query = (
        select(func.count())
        .select_from(records)
        .join(items, items.c.id == records.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .join(candidates, candidates.c.id == records.c.chosen_id, isouter=True)
        .join(chosen, chosen.c.id == candidates.c.text_id, isouter=True)
        .where(*which.of_records(), *which.of_items(), which.comes_first())
        .where(texts.c.body.is_(None) | (records.c.chosen_id.is_not(None) & chosen.c.body.is_(None)))
    )
    count = int(connection.execute(query).scalar_one())
    return {FORGOTTEN: count} if count else {}


def _of_other_runs(connection: Connection, which: Which) -> dict[str, int]:
    """Records in force in whose place another run's item of the same row stands."""
    if which.run_id is not None or which.all_runs or len(_runs_of(connection, which)) < 2:
        return {}
    query = (
        select(func.count())
        .select_from(records.join(items, items.c.id == records.c.item_id))
        .where(*which.of_records(), *which.of_items(), ~which.comes_first())
    )
    count = int(connection.execute(query).scalar_one())
    return {OTHER_RUN: count} if count else {}


def _runs_of(connection: Connection, which: Which) -> list[str]:
    query = (
        select(records.c.run_id)
        .join(items, items.c.id == records.c.item_id)
        .where(*which.of_records(), *which.of_items())
        .distinct()
    )
    return sorted(connection.execute(query).scalars())


def _reversed_pairs(connection: Connection, which: Which) -> set[str]:
    """The keys of pairs of which one record that is wanted prefers the one answer, and another the other one.

    Only keys that several records have are looked at, so that no more texts are read than these have.
    """
    chosen = texts.alias("chosen")
    repeated = (
        select(records.c.pair_key)
        .where(records.c.pair_key.is_not(None))
        .group_by(records.c.pair_key)
        .having(func.count() > 1)
    )
    spoken = func.trim(func.replace(chosen.c.body, "\r\n", "\n"), WHITE)
    query = (
        select(records.c.pair_key)
        .join(items, items.c.id == records.c.item_id)
        .join(candidates, candidates.c.id == records.c.chosen_id)
        .join(chosen, chosen.c.id == candidates.c.text_id)
        .where(records.c.pair_key.in_(repeated), records.c.rejected_id.is_not(None), which.not_stale())
        .where(*which.of_records(), *which.of_items(), which.comes_first())
        .group_by(records.c.pair_key)
        .having(func.count(spoken.distinct()) > 1)
    )
    return set(connection.execute(query).scalars())


def _keys_of_rejected(store: Store, connection: Connection, which: Which) -> dict[str, str]:
    """item -> the key that a record of its answer would have, of every single answer that people rejected.

    All of them are known before the first row is told, for what is rejected last may contradict it. So the texts of
    these answers are read here, and no texts are held.
    """
    keys = {}
    for window in parts_of_items(connection, *which.of_items()):
        ends = _ends_rejected(connection, which, window)
        answers = _answers(connection, ends)
        for row in ends:
            text, own = answers[row["chosen_id"]]
            turns = conversation_of(own or json.loads(row["body"]))
            keys[row["id"]] = pair_key(store.key, row["recipe"], turns, [text])
    return keys


def _accepted_too(connection: Connection, which: Which, rejected: Mapping[str, str]) -> set[str]:
    """Those of the keys of rejected answers that a record which is wanted has, too."""
    query = (
        select(records.c.pair_key)
        .join(items, items.c.id == records.c.item_id)
        .where(records.c.rejected_id.is_(None), records.c.label.is_(None), which.not_stale())
        .where(*which.of_records(), *which.of_items(), which.comes_first())
    )
    keys, found = sorted(set(rejected.values())), set[str]()
    for start in range(0, len(keys), CHUNK):
        part = records.c.pair_key.in_(keys[start : start + CHUNK])
        found.update(connection.execute(query.where(part)).scalars())
    return found


def _ends_rejected(connection: Connection, which: Which, window: ColumnElement[bool]) -> list[dict[str, Any]]:
    """What records would say of the single answers that people rejected, each as it was last decided."""
    query = _rejected(which).where(window).order_by(items.c.position, items.c.id, decisions.c.decided_at)
    last = {row["id"]: {**_NO_RECORD, **row} for row in connection.execute(query).mappings()}
    return list(last.values())


def rows_of(
    store: Store,
    connection: Connection,
    chunk: list[dict[str, Any]],
    as_of: float | None = None,
    contradicted: Collection[str] = (),
    *,
    scored: bool = False,
) -> Iterator[ExportRow]:
    make: Callable[..., ExportRow] = ExportRow
    answers = _answers(connection, chunk)
    completions: dict[str, tuple[Completion, ...]] = {}
    critiques: dict[str, tuple[CritiqueOf, ...]] = {}
    if scored:
        make, completions = ScoredRow, completions_of(connection, chunk)
        critiques = critiques_of(connection, chunk)
    item_ids = [row["item_id"] for row in chunk]
    flags, evidence, actors = _flags(connection, item_ids)
    lineages = _Lineages.read(store.key, connection, chunk, answers, actors)
    found_faults = _faults(connection, answers)
    forms = {**_forms(connection, chunk), **_marked(connection, chunk, answers)}
    divided = contested_shares(connection, item_ids)
    contested = _contested(connection, chunk, divided)
    disputed = open_disputes(connection, item_ids, as_of)
    turned = reversed_by_others(connection, chunk, as_of)
    tied = _tied(connection, chunk, flags)
    for row in chunk:
        content = json.loads(row["body"]) if row["body"] else None
        chosen, rejected = answers.get(row["chosen_id"]), answers.get(row["rejected_id"])
        if content is None or (row["chosen_id"] and (chosen is None or chosen[0] is None)):
            continue  # forgotten
        single = row["rejected_id"] is None and row["kind"] != "tie"
        alone = single or len(row["shown"] or ()) == 1  # an edit stands before the response that it mends
        task = chosen[1] if chosen and chosen[1] else content
        messages = conversation_of(task)
        dialogue = _Dialogue.read(row, chosen)
        if dialogue is not None:
            chosen, messages = (dialogue.answer, None), [*messages, *dialogue.earlier]
        faults, pointed = _by_side(row, found_faults), _by_side(row, evidence.get(row["item_id"], {}))
        flagged = flags.get(row["item_id"], {})
        yield make(
            **({"completions": completions[row["id"]], "critiques": critiques[row["id"]]} if scored else {}),
            id=row["id"],
            recipe=row["recipe"],
            seed_id=row["external_id"],
            **{name: row[name] for name in PROVENANCE if name != "group"},
            group=row["group"] or "",
            prompt=messages[-1]["content"],
            messages=messages,
            input=task.get("input") or "",
            chosen=None if single or chosen is None else chosen[0],
            rejected=rejected[0] if rejected else None,
            response=chosen[0] if alone and chosen is not None and row["kind"] != MARKED else None,
            label="contested" if row["id"] in contested else row["label"] or _kind(row),
            margin=_lead(row),
            confidence=row["confidence"],
            soft_label=contested.get(row["id"], row["soft_label"]),
            shares=divided.get(row["item_id"], row["shares"]) if row["label"] is not None else None,
            reference=content.get("reference"),
            given=_given(content, {"chosen": chosen, "rejected": rejected}, tied.get(row["id"], {})),
            fields=forms.get(row["id"], forms.get(row["decision_id"], {})),
            outcome=_outcome(
                row,
                row["id"] in contested,
                row["item_id"] in disputed or row["id"] in turned,
                as_of,
                contradicted,
            ),
            route=row["route"],
            provisional=bool(row["provisional"]),
            flags=() if row["kind"] == "reject" else tuple(flagged.get(row["chosen_id"], ())),
            flagged_candidates=tuple(sorted(flagged)),
            faults=dialogue.place_faults(faults) if dialogue else faults,
            evidence=dialogue.place_evidence(pointed) if dialogue else pointed,
            lineage=lineages.of(row, chosen, task, content, dialogue),
            metadata=_metadata(content, lineages.drawn.get(row["chosen_id"], {})),
        )


@dataclass(frozen=True, slots=True)
class _Dialogue:
    """The dialogue that a record's text stands for.

    Attributes:
        text: that text.
        turns: its turns, at least one; the last is the answer that is to be learned from.
    """

    text: str
    turns: tuple[Turn, ...]

    @classmethod
    def read(cls, row: Mapping[str, Any], chosen: _Answer | None) -> _Dialogue | None:
        """That of a record of the kind, or of a dialogue that was rejected; None of all others."""
        of_kind = row["kind"] == CONVERSED or is_dialogue(row.get("response_schema") or "")
        turns = read_dialogue(chosen[0]) if of_kind and chosen is not None else None
        return cls(chosen[0], turns) if turns and chosen and chosen[0] else None

    @property
    def answer(self) -> str:
        """The last turn, which is the assistant's."""
        return self.turns[-1].content

    @property
    def earlier(self) -> list[dict[str, str]]:
        """The turns before the last one, as messages."""
        return [{"role": turn.role, "content": turn.content} for turn in self.turns[:-1]]

    def place_faults(self, found: dict[str, Any]) -> dict[str, Any]:
        """Faults by the places of the last turn; one of an earlier turn is a fault without a place in it."""
        last = self.turns[-1]
        return {
            side: [
                [place_in_turn(last, self.text, at) for at in (start, end)]
                if start >= last.start
                else [-1, -1]
                for start, end in places
            ]
            for side, places in found.items()
        }

    def place_evidence(self, pointed: dict[str, Any]) -> dict[str, Any]:
        """Evidence by the places of the turn in which it begins, with the number of that turn, from 1; one that begins
        in none is left out."""
        found: dict[str, Any] = {}
        for side, marks in pointed.items():
            for mark in marks:
                place = find_turn(self.turns, mark["start"])
                if place is not None:
                    turn = self.turns[place]
                    start, end = (place_in_turn(turn, self.text, mark[at]) for at in ("start", "end"))
                    told = {**mark, "start": start, "end": end, "turn": place + 1}
                    found.setdefault(side, []).append(told)
        return found


def _by_side(row: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What was found of a record's candidates, by their sides; only of those of which something was."""
    sides = {side: row[f"{side}_id"] for side in ("chosen", "rejected")}
    return {side: found[name] for side, name in sides.items() if name in found}


@dataclass(frozen=True, slots=True)
class _Lineages:
    """What the lineages of some records tell.

    Attributes:
        key: of the store, under which people have pseudonyms.
        calls: item -> its calls, their templates and models.
        actors: decision -> who made it.
        principles: candidate -> those that it was made by.
        contrasts: candidate -> the principle that it was asked to follow or to break.
        scores: record -> the panel's scores of its texts.
        descents: item -> its generation.
        drawn: candidate -> what was drawn for it.
        fixes: record -> what became of the fix that was proposed.
        seed_rubrics: item -> the rubric that its seed brought, where judges went by it.
        not_asked: item and attempt -> how many votes of the panel nobody was asked for.
    """

    key: str
    calls: Mapping[str, dict[str, Any]]
    actors: Mapping[str, str]
    principles: Mapping[str, list[str]]
    contrasts: Mapping[str, dict[str, str]]
    scores: Mapping[str, dict[str, dict[str, Any]]]
    descents: Mapping[str, Descent]
    drawn: Mapping[str, dict[str, Any]]
    fixes: Mapping[str, str]
    seed_rubrics: Mapping[str, SeedRubric]
    not_asked: Mapping[tuple[str, int], int]

    @classmethod
    def read(
        cls,
        key: str,
        connection: Connection,
        chunk: list[dict[str, Any]],
        answers: Mapping[str, _Answer],
        actors: Mapping[str, str],
    ) -> _Lineages:
        """Of these records, whose candidates are `answers`."""
        item_ids = [row["item_id"] for row in chunk]
        return cls(
            key,
            _calls(connection, item_ids),
            actors,
            principles_of(connection, {name for row in chunk for name in compared_in(row)}),
            contrasts_of(connection, answers),
            scores_of_records(connection, chunk),
            descents(connection, item_ids),
            drawn_for(connection, answers),
            _fixes(connection, chunk, answers),
            seed_rubrics_on(connection, item_ids),
            count_not_asked(connection, item_ids),
        )

    def of(
        self,
        row: Mapping[str, Any],
        chosen: _Answer | None,
        task: dict[str, Any],
        content: dict[str, Any],
        dialogue: _Dialogue | None,
    ) -> dict[str, Any]:
        """The lineage of one record; what does not stand in it there is nothing of.

        Args:
            task: what the chosen text answers.
            content: of the seed.
            dialogue: that the record's text stands for; None for none.
        """
        item, actor = row["item_id"], self.actors.get(row["decision_id"])
        principles = {name for made in compared_in(row) for name in self.principles.get(made, ())}
        descent = self.descents.get(item) if chosen and chosen[1] else None
        told = {
            "principles": sorted(principles),
            "contrast": _by_side(row, self.contrasts),
            "scores": self.scores.get(row["id"]),
            "descent": descent and asdict(descent),
            "drawn": _drawn(self.drawn.get(row["chosen_id"], {}), dialogue),
            "ranking": _in_ranking(row),
            "fix": self.fixes.get(row["id"]),
            "not_asked": self.not_asked.get((item, row["attempt"])),
        }
        own = self.seed_rubrics.get(item) if not (chosen and chosen[1]) else None
        return {
            "run": row["run_id"],
            "item": item,
            "attempt": row["attempt"],
            "chosen": row["chosen_id"],
            "rejected": row["rejected_id"],
            **{name: row[f"{name}_id"] for name in PINNED},
            **{name: value for name, value in told.items() if value},
            **_quotes(chosen, task, content),
            **_constraints(chosen, content),
            **({} if own is None else {"seed_rubric": own.version, "criteria": own.told()}),
            "tier": row["tier"],
            "decision": row["decision_id"],
            "decided_by": keyed_hash(self.key, "actor", actor) if actor else None,
            **self.calls.get(item, {}),
        }


def _drawn(drawn: Mapping[str, Any], dialogue: _Dialogue | None) -> dict[str, Any] | None:
    """What was drawn for a record, with the turns that its own dialogue has."""
    told = {name: value for name, value in drawn.items() if name != "filled"}
    if dialogue is not None and "turns" in told:
        told["turns"] = sum(turn.role == ASSISTANT for turn in dialogue.turns)
    return told or None


def _metadata(content: dict[str, Any], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The further columns of a record's row, with what a model put into its slots."""
    metadata: dict[str, Any] = content.get("metadata") or {}
    filled = metadata.get("filled")
    written = drawn.get("filled")
    if not isinstance(written, dict):
        return metadata
    return {**metadata, "filled": {**(filled if isinstance(filled, dict) else {}), **written}}


def _in_ranking(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The weight and the question of a pair of a ranking; None of any other record."""
    if row["weight"] is None:
        return None
    return {"weight": row["weight"], **({"question": row["question"]} if row["question"] else {})}


def _fixes(
    connection: Connection, chunk: list[dict[str, Any]], answers: Mapping[str, _Answer]
) -> dict[str, str]:
    """record id -> what a person did with the fix that they were shown: `taken`, `edited` or `kept` (the text stayed as
    it was); only of records whose text had one."""
    query = select(decisions.c.id, decisions.c.response_schema).where(
        decisions.c.id.in_([row["decision_id"] for row in chunk if row["decision_id"]])
    )
    shown = {row.id for row in connection.execute(query) if question_of(row.response_schema).proposes}
    written = {
        row["id"]: (row["chosen_id"], row["rejected_id"] or row["chosen_id"])
        for row in chunk
        if row["decision_id"] in shown and row["kind"] != "reject"
    }
    fixes = fixes_of(connection, [before for _, before in written.values()])
    return {
        name: "kept" if chosen == before else "taken" if answers[chosen][0] == fixes[before] else "edited"
        for name, (chosen, before) in written.items()
        if before in fixes and chosen in answers
    }


def _quotes(answer: _Answer | None, task: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """The quotations of an answer that stand in the input of its request, as `quotes`; nothing without any."""
    text = task.get("input")
    if not text or answer is None or not answer[0]:
        return {}
    passage = (content.get("metadata") or {}).get("passage")
    quotes = []
    for quote in find_quotes(answer[0], text):
        if quote.source:
            told = {
                "start": quote.start,
                "end": quote.end,
                "source": [*quote.source],
                "differs": [*quote.differs],
            }
            quotes.append(told | _in_document(passage, quote.source))
    return {"quotes": quotes} if quotes else {}


def _constraints(answer: _Answer | None, content: dict[str, Any]) -> dict[str, Any]:
    """What the row of a record constrains, each with whether the answer keeps it (None where no check is known), as
    `constraints`; nothing without any."""
    try:
        stated = stated_constraints(content.get("metadata") or {})
    except ValueError:  # a column of this name that means something else
        return {}
    if answer is None or answer[0] is None:
        return {}
    told: list[dict[str, Any]] = [{"kind": one.kind, "kept": one.check(answer[0])} for one in stated]
    told += [{"kind": kind, "kept": None} for kind in unverified_constraints(content.get("metadata") or {})]
    return {"constraints": told} if told else {}


def _in_document(passage: Any, source: tuple[int, int]) -> dict[str, Any]:
    """The place of a quotation in the document of which its passage is one."""
    if not isinstance(passage, dict) or type(passage.get("start")) is not int:
        return {}
    start = passage["start"]
    return {"document": passage.get("document"), "in_document": [start + place for place in source]}


def _lead(row: Mapping[str, Any]) -> float | None:
    """By how much the panel's probability of what the record says leads that of the next outcome: below 0 where a
    person decided against the panel. None without a panel, and where it never saw the chosen text."""
    if row["route"] not in ("decided", "voted"):
        return None if row["margin"] is None else float(row["margin"])
    shares, shown = dict(row["shares"] or {}), row["shown"] or ()
    if row["chosen_id"] not in shown:
        return None
    of_one = STANDS if row["kind"] == MARKED else ACCEPT.outcomes[0]
    said = row["label"] or (PAIR.side(row["chosen_id"], shown) if row["rejected_id"] else of_one)
    own = shares.pop(said, None)
    return round(own - max(shares.values()), 6) if own is not None and shares else None


def _kind(row: dict[str, Any]) -> str | None:
    """The record's kind; None of a label that was never written down."""
    return None if row["kind"] == "label" else row["kind"]


_NO_RECORD = {
    **dict.fromkeys(
        (
            "rejected_id",
            "label",
            "margin",
            "confidence",
            "soft_label",
            "shares",
            "shown",
            "tier",
            "stale_at",
            "weight",
        )
    ),
    "kind": "reject",
    "provisional": False,
}
"""What a record would say of an answer that was rejected."""


def _rejected(which: Which) -> Select[Any]:
    """The query of single answers that a person rejected, and that no other run's record stands in place of."""
    stands = and_(records.c.item_id == items.c.id, *which.of_records())
    answer = texts.alias("answer")
    pins = ("run_id", "attempt", "recipe", "route", *(f"{name}_id" for name in PINNED))
    return (
        select(
            items.c.id,
            items.c.id.label("item_id"),
            *(items.c[name] for name in pins),
            decisions.c.id.label("decision_id"),
            decisions.c.candidate_id.label("chosen_id"),
            decisions.c.response_schema,
            seeds.c.external_id,
            *(seeds.c[name] for name in PROVENANCE),
            texts.c.body,
        )
        .select_from(items.outerjoin(records, stands))
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == seeds.c.text_id)
        .join(decisions, decisions.c.item_id == items.c.id)
        .join(candidates, candidates.c.id == decisions.c.candidate_id)
        .join(answer, answer.c.id == candidates.c.text_id)
        .where(items.c.state == "rejected", items.c.route == "decided", decisions.c.choice == "reject")
        .where(decisions.c.undone_at.is_(None), decisions.c.overruled_by.is_(None), records.c.id.is_(None))
        .where(texts.c.body.is_not(None), answer.c.body.is_not(None), *which.of_items(), which.comes_first())
    )


def _tied(
    connection: Connection, chunk: list[dict[str, Any]], flags: Mapping[str, Mapping[str, list[str]]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """record of a tie -> `A` and `B` -> the text and who wrote it, and whether it is withheld, since it was flagged."""
    sides = {row["id"]: sides_of(row) for row in chunk if row["kind"] == TIE}
    wanted = {name for shown in sides.values() for name in shown.values()}
    query = (
        select(candidates.c.id, candidates.c.item_id, candidates.c.kind, candidates.c.author, texts.c.body)
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(candidates.c.id.in_(wanted), texts.c.body.is_not(None))
    )
    found = {
        row.id: {
            "text": row.body,
            "model": None if row.kind == "given" else plain_model(row.author),
            "withheld": bool(flags.get(row.item_id, {}).get(row.id)),
        }
        for row in (connection.execute(query) if wanted else ())
    }
    return {
        record: {side: found[name] for side, name in shown.items() if name in found}
        for record, shown in sides.items()
    }


def _given(
    content: dict[str, Any], sides: dict[str, _Answer | None], tied: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """side -> what came with its text, where the seed brought it; of a tie the text, too, perhaps marked `withheld`."""
    responses = {one["text"]: one for one in content.get("responses") or ()}
    written = {side: {"text": answer[0]} for side, answer in sides.items() if answer is not None} | dict(tied)
    given = {}
    for side, own in written.items():
        one = responses.get(own["text"], {})
        named = {name: one.get(name) for name in ("model", "source")}
        facts = say_beside({**named, **(one.get("metadata") or {})}, ())
        if side in tied:
            known = {name: value for name, value in own.items() if value}
            facts = known | facts | known  # whatever further columns of that name the seed brings
        given[side] = facts
    return {side: facts for side, facts in given.items() if facts}


def _outcome(
    row: dict[str, Any], contested: bool, disputed: bool, as_of: float | None, contradicted: Collection[str]
) -> str:
    """In doubt since its law was amended goes before all else; what came into doubt after `as_of` was not then. Next
    goes what people differ on and a lead has not settled. A label says what a text is, not that it is good: formats
    that are trained on leave it out by that name."""
    if row["kind"] == "reject":
        return CONTRADICTED if row["pair_key"] in contradicted else "rejected"
    if row["stale_at"] is not None and (as_of is None or row["stale_at"] <= as_of):
        return "stale"
    if disputed:
        return DISPUTED
    if row["label"] is not None or row["kind"] == "label":
        return "label"
    if row["kind"] == MARKED:
        return MARKED
    if contested or row["kind"] == "tie":
        return "tie"
    return CONTRADICTED if row["pair_key"] in contradicted else "accepted"


def _forms(connection: Connection, chunk: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """decision -> what its form said beside the label."""
    ids = [row["decision_id"] for row in chunk if row["label"] is not None]
    query = (
        select(decisions.c.id, texts.c.body)
        .join(texts, texts.c.id == decisions.c.edit_id)
        .where(decisions.c.id.in_(ids), texts.c.body.is_not(None))
    )
    return {row.id: read_fields(row.body) for row in connection.execute(query)} if ids else {}


def _marked(
    connection: Connection, chunk: list[dict[str, Any]], answers: Mapping[str, _Answer]
) -> dict[str, dict[str, Any]]:
    """record -> its spans, each with its words and how many readings of the text had it; how many readings there were,
    and how many spans of theirs were repaired and dropped. Only of records of spans."""
    wanted = {row["item_id"]: row for row in chunk if row["kind"] == MARKED and row["body"]}
    query = (
        select(candidates.c.item_id, candidates.c.attempt, texts.c.body)
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(candidates.c.item_id.in_(wanted), candidates.c.kind == "draft", texts.c.body.is_not(None))
        .order_by(candidates.c.ordinal)
    )
    readings: dict[str, list[str]] = {}
    for one in connection.execute(query) if wanted else ():
        if one.attempt == wanted[one.item_id]["attempt"]:
            readings.setdefault(one.item_id, []).append(one.body)
    found = {}
    for item_id, row in wanted.items():
        spans = read_spans(answers[row["chosen_id"]][0]) or ()
        found[row["id"]] = count_readings(text_of(json.loads(row["body"])), spans, readings.get(item_id, ()))
    return found


def _answers(connection: Connection, chunk: list[dict[str, Any]]) -> dict[str, _Answer]:
    """candidate id -> its text, and its own request as the text of a seed keeps one."""
    ids = {row[column] for row in chunk for column in ("chosen_id", "rejected_id") if row[column]}
    prompts, inputs = texts.alias("prompts"), texts.alias("inputs")
    query = (
        select(candidates.c.id, texts.c.body, prompts.c.body.label("prompt"), inputs.c.body.label("input"))
        .join(texts, texts.c.id == candidates.c.text_id)
        .join(prompts, prompts.c.id == candidates.c.prompt_text_id, isouter=True)
        .join(inputs, inputs.c.id == candidates.c.input_text_id, isouter=True)
        .where(candidates.c.id.in_(ids))
    )
    rows = connection.execute(query)
    return {r.id: (r.body, {"prompt": r.prompt, "input": r.input} if r.prompt else None) for r in rows}


def _faults(connection: Connection, answers: dict[str, _Answer]) -> dict[str, list[list[int]]]:
    """candidate id -> spans of its text that a critic found major or fatal faults in; only those criticised."""
    found: dict[str, list[list[int]]] = {}
    query = (
        select(critiques.c.candidate_id, texts.c.body)
        .join(texts, texts.c.id == critiques.c.text_id)
        .where(critiques.c.candidate_id.in_(answers), critiques.c.abstained.is_(None))
        .order_by(critiques.c.id)
    )
    for row in connection.execute(query):
        text = answers[row.candidate_id][0]
        if row.body is None or text is None:
            continue
        spans = found.setdefault(row.candidate_id, [])
        for finding in json.loads(row.body):
            if finding.get("severity") in ("major", "fatal"):
                quote = finding.get("quote") or ""
                start = text.find(quote) if quote else -1
                spans.append([start, start + len(quote) if start >= 0 else -1])
    return found


def _flags(
    connection: Connection, item_ids: list[str]
) -> tuple[dict[str, dict[str, list[str]]], dict[str, dict[str, list[dict[str, Any]]]], dict[str, str]]:
    """item -> candidate -> flags, the same of evidence, and decision -> actor."""
    flags: dict[str, dict[str, list[str]]] = {}
    evidence: dict[str, dict[str, list[dict[str, Any]]]] = {}
    actors: dict[str, str] = {}
    columns = (getattr(decisions.c, name) for name in ("id", "item_id", "flags", "evidence", "actor"))
    query = select(*columns).where(decisions.c.item_id.in_(item_ids), decisions.c.undone_at.is_(None))
    for row in connection.execute(query):
        actors[row.id] = row.actor
        for candidate, given in (row.flags or {}).items():
            known = flags.setdefault(row.item_id, {}).setdefault(candidate, [])
            known += [flag for flag in given if flag not in known]
        for told in row.evidence or ():
            place = {name: told[name] for name in ("start", "end", "flag")}
            places = evidence.setdefault(row.item_id, {}).setdefault(told["candidate"], [])
            places += [place] if place not in places else []
    for found in (flags, evidence):
        for item_id, known_of_item in found.items():
            _spread(connection, item_id, known_of_item)
    return flags, evidence, actors


def _contested(
    connection: Connection, chunk: list[dict[str, Any]], shares: Mapping[str, dict[str, float]]
) -> dict[str, float | None]:
    """record -> share of people for its chosen text, where people stay divided: a soft label, and no pair. None where
    they are divided over labels, which one number does not tell.

    Args:
        shares: of people for each text or label, by item.
    """
    text_of = text_ids(
        connection, [r["chosen_id"] for r in chunk if r["item_id"] in shares and r["chosen_id"]]
    )
    found: dict[str, float | None] = {}
    for row in chunk:
        if row["label"] is not None and row["item_id"] in shares:
            found[row["id"]] = None
            continue
        share = shares.get(row["item_id"], {}).get(text_of.get(row["chosen_id"] or "", ""))
        if share is not None:
            found[row["id"]] = share
    return found


def _spread(connection: Connection, item_id: str, told: dict[str, list[Any]]) -> None:
    """What is told of a candidate is about a text, and the same text has another id in every attempt of its item."""
    query = select(candidates.c.id, candidates.c.text_id).where(candidates.c.item_id == item_id)
    text_of = {row.id: row.text_id for row in connection.execute(query)}
    by_text = {text_of[candidate]: given for candidate, given in told.items() if candidate in text_of}
    told.update({c: list(by_text[text_id]) for c, text_id in text_of.items() if text_id in by_text})


def _calls(connection: Connection, item_ids: list[str]) -> dict[str, dict[str, Any]]:
    """item -> its calls, their templates and models."""
    found: dict[str, dict[str, Any]] = {}
    query = (
        select(calls.c.id, calls.c.item_id, calls.c.template, calls.c.model)
        .where(calls.c.item_id.in_(item_ids), calls.c.role != DRAWS)
        .order_by(calls.c.item_id, calls.c.id)
    )
    for row in connection.execute(query):
        entry = found.setdefault(row.item_id, {"calls": [], "templates": [], "models": []})
        entry["calls"].append(row.id)
        for name, value in (("templates", row.template), ("models", plain_model(row.model))):
            if value not in entry[name]:
                entry[name] = sorted([*entry[name], value])
    return found
