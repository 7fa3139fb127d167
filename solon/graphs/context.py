"""What the nodes of one item work with: its pinned case, its texts and candidates, and the way to the store.

Nodes read only their state and this context, so that an item replayed from its seed does the same again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from solon.agents.case import Case
from solon.agents.voters import Recorded, Voter
from solon.consensus.audit import is_drawn
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Consensus
from solon.consensus.settled import count_next, judge_stopped
from solon.consensus.traits import SCORES, Traits, compare_scores
from solon.graphs.examples import Examples
from solon.graphs.routing import Cuts, presumption, settles, stand
from solon.law.casebook import Casebook, Shown
from solon.questions import Question
from solon.recipes.makers import Given
from solon.recipes.pairings import BestSecond, Contender, Pairing, pick
from solon.recipes.questions import Seats, asks_call_by_call
from solon.recipes.steps import Step
from solon.store.database import clock
from solon.store.database.ids import hash_id
from solon.store.database.store import Store
from solon.store.database.writer import Row
from solon.store.runs.items import CandidateRow, ItemRow, load_candidate, load_drafts, load_text
from solon.store.runs.seed_texts import SeedTexts
from solon.store.runs.traits import compare_pair, traits_on
from solon.store.runs.verdicts import SEVERITY, cited_on, severities, shortlisted

if TYPE_CHECKING:
    from langgraph.types import Command

    from solon.agents.judge import Verdict
    from solon.recipes.recipe import Recipe


AS_THEY_COME = BestSecond()
"""Of candidates that are paired already."""


@dataclass(slots=True)
class ItemContext:
    """One item's context, made when it starts or goes on.

    Attributes:
        store: the store of the run.
        item: the item's row as it was claimed.
        recipe: how the item is drafted, judged and recorded.
        stored: texts of the seed that are stored with the item.
        question: what answers about the candidates shown mean: the outcomes, and what each chooses.
        pairing: which candidates are shown together, as it is configured.
        case: what the agents see of the item.
        consensus: the weights and calibration that the item is pinned to.
        responses: the seed's own responses; empty where it came with none.
        examples: draws what the item's drafts are shown.
        pinned_cuts: thresholds of the item's certificate by tier; None without a certificate in force.
        casebook: precedents that judges may be shown; None without case law.
        verdicts: what was said elsewhere of the seed's responses; None where nothing came with it.
        on_step: is told the name of each step that is taken; None where nobody watches.
        voters: of the panel; empty where it has none.
        arrived: the state and the node to which the item came by plain awaits, until its thread has taken it up, see
            `first_pass`.
        decided: the decision of the person that the item waits for, until its node takes it; None: it is to wait.
    """

    store: Store
    item: ItemRow
    recipe: Recipe
    stored: SeedTexts
    question: Question
    pairing: Pairing
    case: Case
    consensus: ConsensusModel
    responses: list[dict[str, Any]]
    examples: Examples
    pinned_cuts: Cuts = None
    casebook: Casebook | None = None
    verdicts: list[dict[str, Any]] | None = None
    on_step: Callable[[str], None] | None = None
    voters: tuple[Voter, ...] = ()
    arrived: Command[Any] | None = None
    decided: Mapping[str, Any] | None = None
    _severities: dict[str, float] = field(default_factory=dict)
    _cited: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _scores: dict[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _candidates: dict[str, CandidateRow] = field(default_factory=dict)
    _rows: list[tuple[type, Row]] = field(default_factory=list)
    _writing: asyncio.Future[None] | None = None

    @property
    def cuts(self) -> Cuts:
        """The thresholds of the item's certificate by tier; None without one in force, and where another model took a
        seat of the panel that it speaks of."""
        return None if self.case.caller.stood_in else self.pinned_cuts

    def judged_elsewhere(self, round: int, pair: int = 0) -> bool:
        """Whether verdicts that came with the seed take the place of the panel's seats. They speak of its first
        responses only, or of the text itself where there are none."""
        given = len(self.responses) >= self.question.shown or isinstance(self.recipe.maker, Given)
        has_panel = self.recipe.has_panel
        return self.verdicts is not None and given and has_panel and round == 0 and pair == 0

    @property
    def voters_elsewhere(self) -> list[Voter]:
        """The voters where verdicts that came with the seed take the place of the seats."""
        beside = [voter for voter in self.voters if not isinstance(voter, Seats)]
        return [Recorded(self.verdicts or ()), *beside]

    def row_id(self, node: str, ordinal: str | int) -> str:
        """The id of a row that a node writes: the same whenever the attempt is replayed."""
        return hash_id(self.item.id, self.item.attempt, node, ordinal)

    def text(self, text_id: str | None) -> str:
        """The body of a text; empty without one."""
        if text_id is None:
            return ""
        if text_id not in self._texts:
            self._texts[text_id] = load_text(self.store, text_id)
        return self._texts[text_id]

    def add_text(self, body: str) -> str:
        """The id of a text, which is stored with the next `commit`. The same text of the same seed has the same
        id."""
        text_id, row = self.stored.row(body)
        self._texts[text_id] = str(row[1]["body"])
        self._rows.append(row)
        return text_id

    def candidate(self, candidate_id: str) -> CandidateRow:
        """A candidate by its id, read from the store where it was not made here."""
        if candidate_id not in self._candidates:
            self._candidates[candidate_id] = load_candidate(self.store, candidate_id)
        return self._candidates[candidate_id]

    def know(self, candidates: Iterable[tuple[CandidateRow, Mapping[str, str]]]) -> None:
        """Take candidates that were read already, each with the bodies of its texts by id."""
        for row, bodies in candidates:
            self._candidates[row.id] = row
            self._texts |= bodies

    def answer(self, candidate_id: str) -> str:
        """The text of a candidate."""
        return self.text(self.candidate(candidate_id).text_id)

    def drafts_of(self, round: int) -> tuple[tuple[str, str], ...]:
        """Author and text of each usable draft of a round, in their order."""
        rows = {row.id: row for row in load_drafts(self.store, self.item.id, self.item.attempt, round)}
        rows |= {
            row.id: row for row in self._candidates.values() if row.round == round and row.kind == "draft"
        }
        return tuple(
            (row.author, self.text(row.text_id)) for row in sorted(rows.values(), key=lambda r: r.ordinal)
        )

    def trust(self, author: str) -> float:
        """How far an author is to be trusted, by the votes that it gave before: 1 for all while nothing is learned."""
        weights = self.consensus.weights
        return max(weights.get(author, self.consensus.default_weight), 0.01) if weights else 1.0

    def prompt(self, candidate_id: str) -> str:
        """The request that a candidate answers: its own, or the seed's."""
        return self.case_of(candidate_id).prompt

    def own_task(self, candidate_id: str) -> dict[str, str]:
        """The request that a candidate has of its own (`prompt`) and what it speaks of (`input`), as `add_candidate`
        takes them; both empty where it answers the seed's."""
        candidate = self.candidate(candidate_id)
        return {"prompt": self.text(candidate.prompt_text_id), "input": self.text(candidate.input_text_id)}

    def case_of(self, candidate_id: str) -> Case:
        """What agents see of the item where they look at this candidate. A request of its own stands in place of the
        seed's, to which the seed's input, reference and rubric belong."""
        task = self.own_task(candidate_id)
        if not task["prompt"]:
            return self.case
        return replace(self.case, prompt=task["prompt"], input=task["input"], reference="", seed_rubric=None)

    def pairing_in(self, round: int) -> Pairing:
        """The pairing of a round. What comes judged, or is judged again, is shown as it was: it is not paired anew."""
        came_paired = self.judged_elsewhere(round) or (round == 0 and self.item.carried)
        return AS_THEY_COME if came_paired else self.pairing

    def show(
        self,
        candidates: Sequence[str],
        tried: int,
        *,
        round: int,
        scores: Mapping[str, float | None] | None = None,
    ) -> list[str]:
        """The candidates to show after so many sets of this round; empty where not enough are left.

        Args:
            candidates: the live ones, the most promising first.
            scores: of the candidates; None: as they were stored when they were scored.
        """
        pairing, size = self.pairing_in(round), self.question.shown
        if scores is None:
            scored = pairing.scored and len(candidates) > size
            scores = self._stored_scores(candidates) if scored else {}
        ranked = [Contender(name, scores.get(name), self._revised(name)) for name in candidates]
        shown = pick(pairing, ranked, tried, size, guarded=self.case.config.privacy.guarded)
        return shown if len(shown) == size else []

    def _stored_scores(self, candidates: Sequence[str]) -> dict[str, float | None]:
        scores = self._scores_of(candidates)
        return {name: self.mean_score(scores[name]) for name in candidates}

    def mean_score(self, scores: Iterable[Mapping[str, float]]) -> float | None:
        """The mean of what judges scored an answer by the rubric, or by the seed's own; None where none did."""
        means = [self.case.criteria.mean(by_criterion) for by_criterion in scores]
        return fmean(means) if means else None

    def came_with_seed(self, candidates: Iterable[str]) -> bool:
        """Whether all of these candidates are given texts, or revisions that stand beside such. A given text stays as
        it is: it may be refused, but nothing is drafted in its place."""
        return all(self._origin(candidate).kind == "given" for candidate in candidates)

    def _revised(self, candidate_id: str) -> str | None:
        row, origin = self.candidate(candidate_id), self._origin(candidate_id)
        return row.parent_id if origin is row else origin.id

    def _origin(self, candidate_id: str) -> CandidateRow:
        """What a candidate is a revision of; else the candidate itself."""
        row = self.candidate(candidate_id)
        return self._origin(row.parent_id) if row.kind == "revision" and row.parent_id else row

    def remember_critique(self, candidate_id: str, worst: str, principles: Sequence[str] = ()) -> None:
        """Keep what a critic found, for what follows on the same way through the graph."""
        self._severities[candidate_id] = SEVERITY[worst]
        self._cited[candidate_id] = tuple(principles)

    def weigh(
        self, verdicts: Iterable[Verdict], shown: Sequence[str], not_asked: Iterable[Verdict] = ()
    ) -> Consensus:
        """The panel's consensus on the candidates shown, from its verdicts on them and from what critics found; where
        some were not asked, what it is at least whatever they would have said."""
        votes, missing = [one.vote() for one in verdicts], [one.vote() for one in not_asked]
        against = self._held_against(shown)
        return judge_stopped(self.consensus, votes, missing, against=against, traits=self._traits(shown))

    def count_next(
        self, verdicts: Iterable[Verdict], missing: Iterable[Verdict], shown: Sequence[str], tier: int
    ) -> int:
        """How many of the missing verdicts of a tier to ask for at once; 0 where none of them can change what the panel
        ends the item with."""
        config, outcome = self.case.config, self.question
        routing, standing = config.routing, stand(self.item.pilot, self.cuts, tier)
        presumed = presumption(self.pairing, outcome)

        def settled(floor: Consensus) -> bool:
            may_end, last = outcome.may_end(floor.best), tier == max(config.tiers)
            return settles(floor, routing, standing, presumed=presumed, may_end=may_end, last=last)

        return count_next(
            self.consensus,
            [one.vote() for one in verdicts],
            [one.vote() for one in missing],
            settled,
            against=self._held_against(shown),
            traits=self._traits(shown),
        )

    @property
    def is_audited(self) -> bool:
        """Whether the item is checked blind should the panel accept it: drawn by its own seed, whatever its verdicts,
        and in each attempt anew. Else a certificate that comes back, after people have answered the audits before it,
        would never be audited."""
        return _is_audited(self.case, self.item, self.item.attempt)

    @property
    def asks_all(self) -> bool:
        """Whether every judge is asked whatever the others say: as the run is configured, or since a person may decide
        on the item, see `consensus.settled`. It is the same in every attempt, by the audits drawn for the first one,
        before anything was known of the verdicts: what is routed again asks nobody who was not asked then."""
        config, recipe = self.case.config, self.recipe
        return (
            config.consensus.stop == "off"
            or (config.consensus.debate and recipe.can_debate)
            or self.item.pilot
            or _is_audited(self.case, self.item, 0)
            or any(isinstance(step, Step) for step in recipe.steps)
            or not asks_call_by_call(recipe.question)
        )

    def _traits(self, shown: Sequence[str]) -> Traits:
        """What the item's consensus version goes by besides votes."""
        model, item = self.consensus, self.item
        segment = ""
        if model.segment:
            with self.store.connect() as connection:
                found = traits_on(connection, [(item.id, shown)], segment=model.segment, texts=False)
            segment = found[tuple(shown)].segment
        if not model.texts or len(shown) != 2:
            return Traits(segment)
        pair = [(self.answer(name), *self.own_task(name).values()) for name in shown]
        compared = compare_pair(item.content, *pair)
        if SCORES in model.texts:
            compared |= compare_scores(*(self._scores_of(shown)[name] for name in shown))
        return Traits(segment, compared)

    def remember_scores(self, candidate_id: str, scores: Sequence[Mapping[str, float]]) -> None:
        """Keep what each judge of the first tier scored a candidate of the shortlist, for what follows on the same way
        through the graph."""
        self._scores[candidate_id] = scores

    def _scores_of(self, candidates: Sequence[str]) -> dict[str, Sequence[Mapping[str, float]]]:
        """What each judge scored candidates of the shortlist, the same whether it is remembered or read."""
        if any(name not in self._scores for name in candidates):
            with self.store.connect() as connection:
                stored = shortlisted(connection, candidates)
            self._scores |= {name: stored.get(name, ()) for name in candidates}
        return self._scores

    def _held_against(self, shown: Sequence[str]) -> dict[str, float]:
        """What critics hold against each outcome."""
        return self.question.held_against(shown, self.severities(shown))

    def severities(self, candidates: Sequence[str]) -> Mapping[str, float]:
        """candidate -> the worst that critics found, the same whether it is remembered or read. Those are missing of
        which no critic said anything usable."""
        if any(candidate not in self._severities for candidate in candidates):
            with self.store.connect() as connection:
                self._severities |= severities(connection, candidates)
        return self._severities

    def precedents(self, *shown: str) -> Shown:
        """The earlier decisions that judges of these candidates are shown. All of the candidates answer one
        request."""
        if not self.casebook:
            return Shown()
        item = self.item
        return self.casebook.consult(
            self.prompt(shown[0]),
            item_id=item.id,
            seed_id=item.seed_id,
            group=item.group,
            principles=self._principles_at_issue(shown),
        )

    def _principles_at_issue(self, shown: Sequence[str]) -> set[str]:
        """What critics cited of these texts, in whichever attempt: one that is judged again meets no critic."""
        unread = [self.candidate(name) for name in shown if name not in self._cited]
        if unread:
            with self.store.connect() as connection:
                self._cited |= cited_on(connection, {c.id: (c.item_id, c.text_id) for c in unread})
        return {name for candidate in shown for name in self._cited.get(candidate, ())}

    def add_candidate(
        self,
        node: str,
        ordinal: int,
        *,
        round: int,
        kind: str,
        text: str,
        author: str,
        prompt: str = "",
        input: str = "",
        parent_id: str | None = None,
        call_id: str | None = None,
    ) -> str:
        """The id of a new candidate, which is stored with the next `commit`."""
        row = CandidateRow(
            id=self.row_id(node, f"{round}.{ordinal}"),
            item_id=self.item.id,
            attempt=self.item.attempt,
            round=round,
            ordinal=ordinal,
            kind=kind,
            text_id=self.add_text(text),
            prompt_text_id=self.add_text(prompt) if prompt else None,
            input_text_id=self.add_text(input) if prompt and input else None,
            parent_id=parent_id,
            call_id=call_id,
            author=author,
            created_at=clock.now(),
        )
        self._candidates[row.id] = row
        self.add(*row.as_insert())
        return row.id

    def add(self, table: type, row: Row) -> None:
        """Add a row; it is stored with the next `commit`."""
        self._rows.append((table, row))

    async def commit(self, *, wait: bool = False) -> None:
        """Store what a node made, in one transaction, with its calls before it.

        Without `wait` the item goes on while its rows are written, but never further ahead of the disk than one node:
        what the node before made is committed first, and a write that failed stops the item here.
        """
        rows, self._rows = self._rows, []
        before, self._writing = self._writing, self.store.writer.send(rows, self.item.claim) if rows else None
        try:
            for writing in (before, self._writing if wait else None):
                if writing is not None:
                    # Shielded: a cancelled task must not undo what the thread is about to commit.
                    await asyncio.shield(writing)
        finally:
            # What kept a call from being stored comes first: rows that lean on it could not be stored either.
            self.case.caller.journal.check()


def _is_audited(case: Case, item: ItemRow, attempt: int) -> bool:
    """Whether the audits of an attempt have drawn the item."""
    drawn = f"audit:{case.mark[:6]}:{item.random_seed}" + (f":{attempt}" if attempt else "")
    return is_drawn(drawn, case.config.routing.audit_share)
