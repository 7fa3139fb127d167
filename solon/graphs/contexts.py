"""Make the context of an item from what it is pinned to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from solon.agents.calls import Caller, Meter, ModelPool
from solon.agents.case import Case
from solon.agents.voters import Readings, Voter, voters_beside
from solon.config import Config
from solon.consensus.model import ConsensusModel
from solon.dialogues import spell_turn
from solon.graphs.context import ItemContext
from solon.graphs.examples import Examples
from solon.graphs.routing import Cuts
from solon.law.casebook import Casebook
from solon.law.documents import Constitution, Rubric
from solon.law.seed_rubrics import SeedRubric, seed_rubric_of
from solon.prompts.library import PromptLibrary
from solon.recipes.makers import brief_of
from solon.recipes.questions import Seats
from solon.recipes.recipe import Recipe
from solon.recipes.registry import read_settings
from solon.store.database.ids import keyed_hash
from solon.store.database.store import Store
from solon.store.lawmaking.precedents import retrievable_cases
from solon.store.reviewing import reuse
from solon.store.runs.certificates import find_certificate
from solon.store.runs.interactive import is_interactive
from solon.store.runs.items import CandidateRow, ItemRow, load_candidates
from solon.store.runs.journal import ItemJournal
from solon.store.runs.preview_journal import find_preview_run
from solon.store.runs.run_row import RunRow
from solon.store.runs.seed_rubrics import confirmed_rubrics
from solon.store.runs.seed_texts import SeedTexts
from solon.store.runs.versions import load_law
from solon.tracing import OFF, Tracing

if TYPE_CHECKING:
    from solon.law.casebook import Embed


class Contexts:
    """Makes the contexts of the items of one run; what many items share is read once.

    Attributes:
        watchers: by the ids of items, what is told of each step that is taken with them.
    """

    def __init__(
        self,
        store: Store,
        run: RunRow,
        recipe: Recipe,
        config: Config,
        pool: ModelPool,
        meter: Meter,
        tracing: Tracing = OFF,
        *,
        known: Sequence[str] = (),
    ) -> None:
        """`known`: further runs whose finished calls are not made again."""
        self.recipe = recipe
        self.watchers: dict[str, Callable[[str], None]] = {}
        self._store, self._run = store, run
        self._grows = is_interactive(run)
        self._config, self._pool, self._meter, self._tracing = config, pool, meter, tracing
        with store.connect() as connection:
            again = reuse.is_asking_again(connection, run.id)
            self.carries = not again and reuse.has_decisions(connection, run.id)
        # Calls that a preview made of the same seed are equal calls: they are not made again.
        previewed = find_preview_run(store, run.recipe)
        self._earlier = [name for name in (previewed, run.reuse_run_id, *known) if name is not None]
        self._laws: dict[tuple[str, ...], tuple[Constitution, Rubric, PromptLibrary, ConsensusModel]] = {}
        self._casebooks: dict[float, Casebook] = {}
        self._heard: dict[str, bool] = {}
        self._voters: dict[int, tuple[Voter, ...]] = {}
        self._ahead: dict[str, list[tuple[CandidateRow, dict[str, str]]]] = {}
        self._settings = read_settings(recipe, config)
        self._brief = brief_of(recipe.maker, self._settings, guarded=config.privacy.guarded)
        self._examples = Examples(store, recipe)
        self._question, self._pairing = recipe.question.asked(config), recipe.pairing_under(config)
        self._outcomes = self._question.outcomes if recipe.has_panel else ()

    def read_ahead(self, candidate_ids: Sequence[str]) -> None:
        """Read candidates with their texts at once, for the next context of each of their items, instead of one by
        one."""
        found: dict[str, list[tuple[CandidateRow, dict[str, str]]]] = {}
        for row, bodies in load_candidates(self._store, candidate_ids):
            found.setdefault(row.item_id, []).append((row, bodies))
        self._ahead |= found

    def make(self, item: ItemRow) -> ItemContext:
        """The context of an item, with the law, prompts and consensus that it is pinned to."""
        constitution, rubric, prompts, consensus = self._law(item)
        content = item.content
        earlier = content.get("messages") or []
        prompt, given = _with_earlier_turns(earlier, content.get("prompt") or ""), content.get("input") or ""
        stored = SeedTexts(self._store, item.seed_id, (prompt, given))
        journal = ItemJournal(
            self._store,
            stored,
            run_id=item.run_id,
            item_id=item.id,
            seed_id=item.seed_id,
            number=item.number,
            reuse_run_ids=self._earlier,
            fresh=item.fresh,
            claim=item.claim,
        )
        case = Case(
            caller=Caller(self._pool, journal, self._meter, self._tracing, self._heard),
            config=self._config,
            prompts=prompts,
            constitution=constitution,
            rubric=rubric,
            prompt=prompt,
            input=given,
            reference=content.get("reference") or "",
            mark=keyed_hash(self._store.key, "mark", item.seed_id),
            random_seed=item.random_seed,
            metadata=content.get("metadata") or {},
            settings=self._settings,
            brief=self._brief,
            seed_rubric=self._seed_rubric(item),
        )
        responses = content.get("responses") or []
        context = ItemContext(
            self._store,
            item,
            self.recipe,
            stored,
            self._question,
            self._pairing,
            case,
            consensus.speaking_of(self._outcomes),
            responses,
            self._examples,
            self._cuts(item.certificate_id),
            self._precedents(item),
            content.get("verdicts"),
            on_step=self.watchers.get(item.id),
            voters=self._voters_of(consensus),
        )
        context.know(pair for pair in self._ahead.pop(item.id, ()) if pair[0].attempt == item.attempt)
        return context

    def _seed_rubric(self, item: ItemRow) -> SeedRubric | None:
        """The rubric that the seed brought, or the one that a person confirmed for the item."""
        wanted = self._config.law.seed_rubrics
        given = seed_rubric_of(item.content.get("metadata")) if wanted != "off" else None
        if given is not None or wanted != "drafted" or item.fresh:
            return given
        with self._store.connect() as connection:
            return confirmed_rubrics(connection, [item.id]).get(item.id)

    def _voters_of(self, consensus: ConsensusModel) -> tuple[Voter, ...]:
        """The voters of the panel, made once for each consensus version: its classifier is one of them."""
        if id(consensus) not in self._voters:
            tiers = range(max(self._config.tiers) + 1) if self.recipe.has_panel else ()
            seats = [Seats(self.recipe.question, tier) for tier in tiers]
            trained = consensus.speaking_of(self._outcomes).classifier
            beside = voters_beside(self._config, trained) if self.recipe.has_panel else ()
            readings = (Readings(),) if self.recipe.has_panel and self.recipe.maker.merges else ()
            self._voters[id(consensus)] = (*seats, *readings, *beside)
        return self._voters[id(consensus)]

    def _precedents(self, item: ItemRow) -> Casebook:
        """Case law as it stood when the run was pinned, or when the item was opened by itself or judged again: the same
        at every replay."""
        own = self._grows or item.carried is not None
        until = item.precedents_until if own else self._run.created_at
        if until not in self._casebooks:
            with self._store.connect() as connection:
                self._casebooks[until] = Casebook(
                    retrievable_cases(connection, self._run.recipe, until), self._embedding()
                )
        return self._casebooks[until]

    def _embedding(self) -> Embed | None:
        """What compares requests by their meaning, where the run's configuration asks for it.

        Raises:
            ConfigError: the extra that does it is not installed.
        """
        if self._config.law.similarity == "words":
            return None
        from solon.agents.models.embedding import check_embedding, embed

        check_embedding(self._config.law)
        return embed

    def _cuts(self, certificate_id: str | None) -> Cuts:
        """From which confidence the item's certificate accepts at each tier; an alarm may have suspended it since."""
        if certificate_id is None:
            return None
        with self._store.connect() as connection:
            certificate = find_certificate(connection, certificate_id)
        return None if certificate.suspended_at is not None else certificate.cuts

    def _law(self, item: ItemRow) -> tuple[Constitution, Rubric, PromptLibrary, ConsensusModel]:
        pins = (item.constitution_id, item.rubric_id, item.prompts_id, item.consensus_id)
        if pins not in self._laws:
            law = load_law(self._store, *pins)
            prompts = PromptLibrary.from_manifest(law.prompts)
            self._laws[pins] = (
                law.constitution,
                law.rubric,
                prompts,
                ConsensusModel.from_json(law.consensus),
            )
        return self._laws[pins]


TURNS_APART = "\n\n"
"""What stands between the turns of a conversation that is one request."""


def turns_of(messages: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The turns of a seed's conversation as its request has them: who speaks, and what is said."""
    return [(f"{turn['role']}: ", spell_turn(turn)) for turn in messages] if len(messages) > 1 else []


def _with_earlier_turns(messages: list[dict[str, Any]], prompt: str) -> str:
    """A conversation as one request: earlier turns by role, then the last user turn."""
    return TURNS_APART.join(role + said for role, said in turns_of(messages)) or prompt
