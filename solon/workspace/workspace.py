"""An opened store with its configuration: run recipes, list and answer reviews, resume. `Project` stands on it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from solon.config import Config, load_config, parse_config
from solon.config.pinned import check_prices, config_of_run, list_differences
from solon.config.sections import RoutingConfig
from solon.display.notebook import Listing
from solon.display.progress import shown
from solon.errors import ConfigError, LimitReached, ModelError, UsageError
from solon.formats.imported import OURS
from solon.formats.seeds import write_bad_rows
from solon.plugins import add_plugins, bind
from solon.store.database import clock
from solon.store.database.local_actor import local_actor
from solon.sync import run_sync
from solon.workspace.seeds import (
    Seeds,
    check_rules,
    check_source,
    check_strata,
    name_bad_rows_file,
    name_given,
    name_of,
    name_seeds,
    nothing_to_run,
    with_given,
)
from solon.workspace.views import (
    Candidate,
    Item,
    Review,
    RunSummary,
    check_state,
    spell_outcome,
    summarize,
    view_review,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

    from solon.agents.calls import ModelPool
    from solon.config import Config
    from solon.formats.records import ExportRow
    from solon.graphs.arrivals import Arrivals
    from solon.graphs.runner import Progress, Runner
    from solon.law.documents import Constitution, Rubric
    from solon.learning import LearningResult
    from solon.learning.carrying import CarryOver
    from solon.learning.growing import PilotGrowth
    from solon.plugins import Plugin
    from solon.recipes.recipe import Recipe
    from solon.recipes.registry import Recipes
    from solon.store.database.store import Store
    from solon.store.reviewing.answering import AnswerResult
    from solon.store.reviewing.experts import ExpertRow
    from solon.store.runs.run_row import RunRow
    from solon.store.runs.runs import Pins
    from solon.workspace.loading import Loading


class Workspace:
    """One store with its configuration.

    Args:
        store: URL of the store; default: `store` of the configuration (`SOLON_STORE`, `solon.toml`).
        config: a `Config`, plain values, or the path of a TOML file; default: `solon.toml` if it is there.
        models: chat models of your own by the name that the configuration gives them; any LangChain chat model.
        recipes: recipes of your own, see `solon.recipes`; one takes the place of a shipped one of its name.
        plugins: judges, critics and generators of your own, see `solon.plugins`.
        create: make the store where it is missing.
        expert: token of the expert who answers; default: that in the environment variable SOLON_TOKEN. Reviews are then
            shown as the page shows them, without what the panel found.
        read_only: let the database refuse every write: for whoever only looks. The store must be there.
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        config: Config | Mapping[str, Any] | str | Path | None = None,
        models: Mapping[str, BaseChatModel] | None = None,
        recipes: Sequence[Recipe] | Recipes = (),
        plugins: Sequence[Plugin] = (),
        create: bool = True,
        expert: str | None = None,
        read_only: bool = False,
    ) -> None:
        from solon.store.database.store import Store
        from solon.store.reviewing.experts import TokenCheck

        self.models = dict(models or {})
        given = {name: name_given(chat) for name, chat in self.models.items()}
        if isinstance(config, Config):
            self.config = with_given(config, given)
        elif isinstance(config, Mapping):
            self.config = parse_config(config, given=given)
        else:
            self.config = load_config(config, given=given)
        self.config, self.plugins = add_plugins(self.config, plugins)
        self._given_recipes = recipes
        if recipes:
            _ = self.recipes  # what was given is checked before a store is made
        self._runner: Runner | None = None
        url = self.config.store if store is None else store
        self.store: Store = Store(url, create=create, read_only=read_only)
        self._tokens, self._token = TokenCheck(self.store), expert
        if expert is not None:
            try:
                self.acting_expert()
            except UsageError:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit and release the store; using it afterwards is a `StoreError`."""
        self.store.close()

    @cached_property
    def recipes(self) -> Recipes:
        """The recipes that there are: shipped, configured, installed, and given."""
        from solon.recipes.registry import Recipes

        given = self._given_recipes
        return given if isinstance(given, Recipes) else Recipes(self.config, given)

    # Running ---------------------------------------------------------------------------------------------------

    def run(
        self,
        recipe: str,
        seeds: Seeds,
        *,
        limit: int | None = None,
        new_run: bool = False,
        reuse: str | None = None,
        ask_again: bool = False,
        progress: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_runner: Callable[[Runner], None] | None = None,
    ) -> RunSummary:
        """Run a recipe over seeds and return where the run stands: `arun` for scripts and notebooks, with its arguments
        and errors. An interrupt in a notebook ends it as a limit does."""
        work = self.arun(
            recipe,
            seeds,
            limit=limit,
            new_run=new_run,
            reuse=reuse,
            ask_again=ask_again,
            progress=progress,
            on_progress=on_progress,
            on_runner=on_runner,
        )
        return run_sync(work, stop=self.stop)

    async def arun(
        self,
        recipe: str,
        seeds: Seeds,
        *,
        limit: int | None = None,
        new_run: bool = False,
        reuse: str | None = None,
        ask_again: bool = False,
        progress: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_runner: Callable[[Runner], None] | None = None,
    ) -> RunSummary:
        """Run a recipe over seeds, or go on with the last run of the same seeds and configuration.

        Args:
            recipe: name of a recipe, shipped or your own: `solon recipes` lists them.
            seeds: a file (JSONL, CSV, Parquet), a data frame, or rows: mappings with the columns of a seed file, or
                prompts.
            limit: take the first so many seeds only; a later call without it goes on with the rest.
            new_run: start a new run even where there is one of the same recipe and seeds.
            reuse: id of a run whose finished calls shall not be made again.
            ask_again: ask people also what they have decided in an earlier run over the same candidates.
            progress: show a bar or lines; default: in a notebook only.
            on_progress, on_runner: called after every change with the counts, and once with the runner. What
                `on_progress` raises is told once, in a `SolonWarning`, and changes nothing.

        Raises:
            UsageError: a run over these seeds has results under another configuration, and `new_run` is not set. Where
                they differ in `[routing]` alone, what is promised aside, the run is routed anew in its place instead.
            SeedError: no row of the seeds can be used.
        """
        if roles := self.recipe(recipe).roles:
            self.model_pool(self.config).prepare(roles)  # one that cannot be made shows before there is a run
        from solon.graphs.arrivals import Arrivals
        from solon.workspace.loading import begin_early, parts_of

        begun = self._begin(recipe, seeds, limit, new_run=new_run, reuse=reuse, ask_again=ask_again)
        arrivals = None
        if begin_early(begun, self.config, self.store):
            parts = parts_of(begun, self.config, self.store)
            arrivals = Arrivals(self.store, parts, begun.survey.items)
        else:
            self._load(begun)
        async with shown(on_progress, progress) as tell:
            return await self._work(begun.run, tell, on_runner, arrivals)

    def load(
        self,
        recipe: str,
        seeds: Seeds,
        *,
        limit: int | None = None,
        new_run: bool = False,
        reuse: str | None = None,
        ask_again: bool = False,
    ) -> RunRow:
        """Make the items of a run, or find the run to go on with, and call no model yet. Arguments as of `arun`.

        Raises:
            UsageError, SeedError: as of `arun`.
        """
        begun = self._begin(recipe, seeds, limit, new_run=new_run, reuse=reuse, ask_again=ask_again)
        self._load(begun)
        return begun.run

    def _begin(
        self,
        recipe: str,
        seeds: Seeds,
        limit: int | None,
        *,
        new_run: bool,
        reuse: str | None,
        ask_again: bool,
    ) -> Loading:
        """Find the run to go on with or make one, and read the seeds once; none of them is stored yet."""
        from solon.store.reviewing import reuse as carrying
        from solon.workspace.loading import Loading, survey_seeds

        self.config = bind(self.config, self.plugins)
        check_prices(self.config)
        if limit is not None and limit < 1:
            raise UsageError(f"limit is {limit}", next_step="take 1 or more, or leave it out")
        name_of(seeds)
        made_by = self.recipe(recipe)
        check_source(seeds, self.config, made_by)
        check_rules(seeds, self.config, made_by)
        check_strata(seeds, self.config, made_by, limit)
        survey = survey_seeds(seeds, self.config, recipe, made_by, self.store, limit)
        if not survey.items:  # before there is a run: one without a seed would only be in the way
            raise nothing_to_run(seeds, survey.bad, self.bad_rows_file("no-run"))
        run, pins = self.prepare_run(
            recipe, seeds, new_run=new_run, reuse=reuse, fingerprint=survey.fingerprint
        )
        if ask_again:
            carrying.ask_again(self.store, run.id, local_actor())
        if survey.bad:
            write_bad_rows(self.bad_rows_file(run.id), survey.bad)
        return Loading(run, pins, made_by, seeds, limit, survey)

    def _load(self, begun: Loading) -> None:
        """Store the seeds of a run, all of them, as queued items."""
        from solon.workspace.loading import parts_of

        for part in parts_of(begun, self.config, self.store):
            with self.store.transaction() as connection:
                part(connection)

    def resume(
        self,
        run_id: str | None = None,
        *,
        progress: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_runner: Callable[[Runner], None] | None = None,
    ) -> RunSummary:
        """Apply decisions, go on with a run and return where it stands: `aresume` for scripts and notebooks, with its
        arguments and errors."""
        work = self.aresume(run_id, progress=progress, on_progress=on_progress, on_runner=on_runner)
        return run_sync(work, stop=self.stop)

    async def aresume(
        self,
        run_id: str | None = None,
        *,
        progress: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_runner: Callable[[Runner], None] | None = None,
    ) -> RunSummary:
        """Go on with a run (default: the newest) under the configuration that it was started with.

        By default decisions on items of earlier runs are carried to them, too (`earlier_runs` of the summary says how
        many); nothing else of those runs is begun.

        Args:
            run_id: the run's id or the beginning of it.
            progress, on_progress, on_runner: as of `arun`.

        Raises:
            UsageError: there is no such run, or it was stopped while its seeds were read.
        """
        run = self._loaded_run(run_id)
        async with shown(on_progress, progress) as tell:
            summary = await self._work(run, tell, on_runner)
        if run_id is None and summary.stopped_because is None:
            return replace(summary, earlier_runs=await self._deliver_elsewhere(run, on_runner))
        return summary

    def _loaded_run(self, run_id: str | None) -> RunRow:
        """A run (default: the newest) of which all seeds are stored.

        Raises:
            UsageError: there is no such run, or not all of its seeds are stored.
        """
        from solon.store.runs.runs import config_payload, find_run

        with self.store.connect() as connection:
            run = find_run(connection, run_id)
            of_import = config_payload(connection, run.config_id)["seeds"]["map"] == OURS
        if run.status == "loading":
            began = (
                "solon import FORMAT FILE"
                if of_import
                else f"solon run {run.recipe} --seeds {run.seeds_name}"
            )
            raise UsageError(
                f"run {run.id} was stopped while its seeds were read, or they are read just now",
                next_step=f"repeat the command that began it: {began}",
            )
        return run

    def adopt_recipe(self, run_id: str | None = None) -> str:
        """Let a run (default: the newest) go on under the recipe of its name that there is now, and return the identity
        of that. Its certificates do not count for it any more.

        Raises:
            UsageError: there is no such run or no such recipe.
        """
        from solon.recipes.registry import bind_recipe
        from solon.store.runs import adopting, runs

        with self.store.transaction() as connection:
            run = runs.find_run(connection, run_id)
            stored = runs.config_payload(connection, run.config_id)
            begun, found = config_of_run(stored, self.config, run.id), self.recipes.find(run.recipe)
            config = bind_recipe(begun.model_copy(update={"recipes": self.config.recipes}), found)
            shape = f"{config.fingerprint()}:{str(stored['fingerprint']).partition(':')[2]}"
            adopting.adopt_recipe(
                connection, run, config.effective(), shape, found.identity, actor=local_actor()
            )
        return found.identity

    def stop(self) -> None:
        """End the run under way as a limit does: calls in flight are finished and kept. From any thread or task."""
        if self._runner is not None:
            self._runner.stop("interrupted")

    def prepare_run(
        self,
        recipe: str,
        seeds: Seeds,
        *,
        new_run: bool,
        reuse: str | None,
        fingerprint: str | None = None,
    ) -> tuple[RunRow, Pins]:
        """The run to go on with, or a new one, with the versions in force that it is pinned to. Arguments as of `arun`
        and `name_seeds`.

        Raises:
            UsageError: a run over these seeds has results under another configuration, and `new_run` is not set.
        """
        from solon.recipes.registry import key_of
        from solon.store.learning.rerouting import reroute
        from solon.store.runs import runs

        name, fingerprint = name_seeds(seeds, self.config, self.store, fingerprint=fingerprint)
        pins = self.pin(recipe, fingerprint)
        config = self.config_for(recipe)
        with self.store.transaction() as connection:
            runs.take_turn(connection)
            reuse_id = runs.find_run(connection, reuse).id if reuse is not None else None
            shape = self.shape_of(*pins.law, pins.prompts_id, config=config)
            same = runs.find_same_run(connection, recipe, fingerprint, shape)
            if same is not None and not new_run:
                return same, pins
            other = runs.latest_over_seeds(connection, recipe, fingerprint)
            if other is not None and same is None and not new_run:
                old = runs.config_payload(connection, other.config_id)
                if self._routes_otherwise(config, old, pins):
                    reroute(connection, other, pins.config_id, self.config.routing, actor=local_actor())
                    return runs.find_run(connection, other.id), pins
                changes, key = list_differences(old, config.effective()), key_of(recipe)
                adopt = f"; under today's recipe it goes on by: solon resume {other.id} --adopt-recipe"
                raise UsageError(
                    f"run {other.id} over the same seeds was made differently: {changes}",
                    next_step=f"add --new-run (with --reuse {other.id} no equal call is made again), "
                    f"or take its config back{adopt if f'plugins.{key} was' in changes else ''}",
                )
            run_id = runs.create_run(
                connection,
                recipe=recipe,
                pins=pins,
                seeds_name=name,
                seeds_fingerprint=fingerprint,
                random_seed=self.config.run.seed,
                actor=local_actor(),
                reuse_run_id=reuse_id,
            )
            return runs.find_run(connection, run_id), pins

    def _routes_otherwise(self, config: Config, stored: Mapping[str, Any], pins: Pins) -> bool:
        """Whether a stored configuration differs from today's in nothing but whom it asks about: what is promised
        stays, since nobody may choose it after a look at the answers."""
        promised = {
            key: getattr(self.config.routing, key) for key in ("alpha", "delta", "target", "probes", "strata")
        }
        before = RoutingConfig.model_validate({**stored["routing"], **promised})
        as_then = config.model_copy(update={"routing": before})
        return self.shape_of(*pins.law, pins.prompts_id, config=as_then) == str(stored["fingerprint"])

    def config_for(self, recipe_name: str) -> Config:
        """The configuration that a new run of a recipe is pinned to: with the recipe's own settings, and the ratified
        rules among its `rules`."""
        from solon.agents.voters import with_rules
        from solon.recipes.registry import bind_recipe
        from solon.store.runs.laws import rules_in_force

        found = self.recipes.find(recipe_name)
        config = bind_recipe(self.config, found)
        if not found.recipe.has_panel:
            return config
        with self.store.connect() as connection:
            ratified = rules_in_force(connection).rules
        return with_rules(config, ratified, found.recipe.question.asked(config))

    def shape_of(self, *law: str, config: Config) -> str:
        """Hash of all that shapes the data: configuration, constitution, rubric, prompts."""
        return f"{config.fingerprint()}:{hashlib.sha256(':'.join(law).encode()).hexdigest()[:16]}"

    def pin(self, recipe_name: str, source: str) -> Pins:
        """The versions in force, stored; `source` is the fingerprint of the seeds."""
        from solon.agents.filters import check_filters
        from solon.agents.voters import check_voters
        from solon.consensus.model import ConsensusModel
        from solon.graphs.versions import graph_version
        from solon.lawmaking.drafting import pin_law
        from solon.prompts.library import PromptLibrary
        from solon.questions import ACCEPT, check_told_apart
        from solon.recipes.makers import count_drafts
        from solon.recipes.registry import read_settings
        from solon.store.runs.runs import pin_versions

        found = self.recipes.find(recipe_name)
        recipe, config = found.recipe, self.config_for(recipe_name)
        # What cannot be asked or is set wrongly shows before anything is stored.
        question = recipe.question.asked(config)
        check_told_apart(question.outcomes)
        recipe.pairing_under(config)
        if recipe.has_panel:
            check_voters(config, question, recipe.name)
        check_filters(config, recipe.name, marks_spans=recipe.maker.merges)
        read_settings(recipe, config)
        count_drafts(recipe.maker, config)
        outcomes = question.outcomes if recipe.has_panel else ACCEPT.outcomes
        labels = recipe.has_panel and recipe.record == "label"
        library = PromptLibrary(self.config.prompts_dir, recipe=found.templates).for_recipe(
            _asked_with(recipe, config)
        )
        version, drawn = graph_version(recipe)
        with self.store.transaction() as connection:
            law, tagged = pin_law(self.store, connection, self.config, recipe_name)
            return pin_versions(
                connection,
                config=config.effective(),
                fingerprint=self.shape_of(
                    *law, *(version.id for version in tagged), library.version, config=config
                ),
                law=law,
                tagged=tagged,
                prompts=(library.version, library.manifest()),
                graph=(version, recipe_name, drawn),
                consensus=ConsensusModel.prior(outcomes=outcomes).to_json(),
                panel=config.panel_fingerprint(outcomes if labels else (), readers=recipe.maker.merges),
                source=source,
            )

    def bad_rows_file(self, run_id: str) -> Path:
        """Where the rows that could not be used are named."""
        return name_bad_rows_file(self.store.url, run_id)

    async def _work(
        self,
        run: RunRow,
        on_progress: Callable[[Progress], None] | None,
        on_runner: Callable[[Runner], None] | None,
        arrivals: Arrivals | None = None,
    ) -> RunSummary:
        from solon.store.runs import runs

        if run.stopped_because is not None:  # were this session killed, that of an earlier one would be told
            with self.store.transaction() as connection:
                runs.set_run(connection, run.id, stopped_because=None)
        try:
            runner = self.make_runner(run, on_progress=on_progress)
            runner.arrivals = arrivals
            stopped = await self._drive(runner, on_runner)
        except (ModelError, ConfigError) as error:
            status = "stopped" if arrivals is None or arrivals.stored else "loading"
            with self.store.transaction() as connection:
                runs.set_run(connection, run.id, status=status, stopped_because=error.cause)
            runs.keep_spent(self.store, run.id)
            error.about = asdict(self.summarize(run.id))
            raise
        used = runs.keep_spent(self.store, run.id)
        summary = summarize(self.store, run.id, self.bad_rows_file, self.config, used=used)
        if summary.queued and stopped is None:
            stopped = f"another process is at work on {summary.queued} items"
        summary = replace(summary, stopped_because=stopped)
        status = "stopped" if stopped else "waiting" if summary.pending_review + summary.held else "done"
        with self.store.transaction() as connection:
            runs.set_run(connection, run.id, status=status, stopped_because=stopped, finished_at=clock.now())
        return summary

    async def _drive(self, runner: Runner, on_runner: Callable[[Runner], None] | None) -> str | None:
        """Work, learn, and work on what that moved. Returns why it was stopped, None where it came to its end."""
        from solon.learning.withdrawn import recheck

        self._runner = runner
        if on_runner is not None:
            on_runner(runner)
        stopped = None
        try:
            recheck(self.store, runner.run)
            runner.learned = self.close_round(runner.run, runner.config)
            await runner.work()
            if self._learn(runner.run, runner.config).moved_items:
                await runner.work()
        except LimitReached as limit:
            stopped = limit.cause
        finally:
            await runner.pool.aclose()
        return stopped

    async def _deliver_elsewhere(
        self, newest: RunRow, on_runner: Callable[[Runner], None] | None
    ) -> dict[str, int]:
        """Carry decisions of other runs to their items: run -> how many were applied. One whose run cannot be gone on
        with here (its recipe or a model is missing) stays where it is."""
        from solon.graphs.courier import Courier
        from solon.store.reviewing import deliveries
        from solon.store.runs import runs
        from solon.store.runs.requeued import is_settled

        def waiting() -> dict[str, int]:
            with self.store.connect() as connection:
                return deliveries.runs_with_deliveries(connection)

        applied: dict[str, int] = {}
        for run_id, before in waiting().items():
            if run_id == newest.id:
                continue
            with self.store.connect() as connection:
                run = runs.find_run(connection, run_id)
            if run.status == "loading":  # whoever stores the rest of it carries them
                continue
            try:
                stopped = await self._drive(self.make_runner(run, kind=Courier), on_runner)
                runs.keep_spent(self.store, run_id)
            except (ModelError, UsageError):
                stopped = None
            applied[run_id] = before - waiting().get(run_id, 0)
            with self.store.transaction() as connection:
                if is_settled(connection, run_id):
                    runs.set_run(connection, run_id, status="done", finished_at=clock.now())
            if stopped is not None:
                break
        return applied

    def make_runner(
        self,
        run: RunRow,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        kind: type[Runner] | None = None,
    ) -> Runner:
        """What works on a run, under the configuration that it was started with; its caller closes its `pool`.

        Args:
            kind: what works on it; default: what begins all of its items.
        """
        from solon.agents.calls import Meter
        from solon.graphs.runner import Runner
        from solon.store.runs import runs

        with self.store.connect() as connection:
            stored = runs.config_payload(connection, run.config_id)
            before = runs.spent(connection, run.id)
        config = config_of_run(stored, self.config, run.id)
        check_prices(config)
        meter = Meter.make(config.limits, before, run.active_seconds)
        recipe = self.recipes.of_run(run.recipe, config.plugins, run.id, config)
        pool = self.model_pool(config)
        return (kind or Runner)(self.store, run, config, pool, meter, recipe=recipe, on_progress=on_progress)

    def model_pool(self, config: Config) -> ModelPool:
        """The chat models of a configuration, and what was given from Python."""
        from solon.agents.calls import ModelPool

        return ModelPool(config, given=self.models, plugins=self.plugins)

    def learn(self, run_id: str | None = None, *, everything: bool = True) -> LearningResult:
        """Make the next consensus version from all counted decisions; `resume` then moves the items it concerns.

        A run does this by itself with decisions that are ten decisions, or a session, old; so does `everything=False`.

        Returns:
            What was learned; `granted` says whether there is a certificate, `refused` why not, `doubted` how many
            records leave the set.
        """
        run = self._loaded_run(run_id)
        return self._learn(run, self.config_of(run), everything=everything)

    def config_of(self, run: RunRow) -> Config:
        """The configuration that a run was begun with, as far as what stands here now may not change it."""
        from solon.store.runs import runs

        with self.store.connect() as connection:
            return config_of_run(runs.config_payload(connection, run.config_id), self.config, run.id)

    def extend_pilot(self, run_id: str | None = None, more: int = 1, *, dry_run: bool = False) -> PilotGrowth:
        """Draw further items of a run into its pilot, up to the next planned look; `resume` then asks about them.

        Args:
            more: at least so many.
            dry_run: draw nothing, and only tell what would be.

        Raises:
            UsageError: the run has no pilot, no item that is not in it, or a certificate in force; or a process is at
                work on it.
        """
        from solon.learning.growing import grow

        run = self._loaded_run(run_id)
        return grow(self.store, run, self.config_of(run).routing, more, dry_run=dry_run)

    def carry_certificate(self, run_id: str | None = None) -> CarryOver:
        """Ask random probes of what an earlier certificate would accept in a run that it does not cover, since panel,
        model, prompt, law or seeds were changed; once enough of them agree it is in force again. It can be repeated.

        Raises:
            UsageError: the run has a certificate, or none can be carried over to it.
        """
        from solon.learning.carrying import carry
        from solon.recipes.questions import find_schema

        run = self._loaded_run(run_id)
        config = self.config_of(run)
        recipe = self.recipes.of_run(run.recipe, config.plugins, run.id, config)
        if not recipe.has_panel:
            raise UsageError(f"recipe {run.recipe} has no panel to certify", next_step="see `solon recipes`")
        schema = find_schema(recipe.question, config)
        return carry(
            self.store, run, recipe, config, self.config.reviewers, schema=schema, actor=local_actor()
        )

    def _learn(self, run: RunRow, config: Config, *, everything: bool = False) -> LearningResult:
        from solon.learning import learn
        from solon.learning.audits import watch_audits

        watch_audits(self.store, run, config)
        people = self.config.reviewers
        return learn(
            self.store,
            run,
            self.recipes.of_run(run.recipe, config.plugins, run.id, config),
            config,
            reviewers=people,
            everything=everything,
        )

    def close_round(self, run: RunRow, config: Config) -> int | None:
        """Learn where all of a budget's round is answered, see `learning.close_round`."""
        from solon.learning import close_round

        if not config.routing.in_rounds:
            return None
        recipe = self.recipes.of_run(run.recipe, config.plugins, run.id, config)
        return close_round(self.store, run, recipe, config, reviewers=self.config.reviewers)

    def recipe(self, name: str) -> Recipe:
        """The recipe of a name, see `recipes.find`."""
        return self.recipes.get(name)

    # Reviewing -------------------------------------------------------------------------------------------------

    def acting_expert(self, token: str | None = None) -> ExpertRow | None:
        """Who answers: the holder of this token, of the project's, or of that in SOLON_TOKEN; None where none is given.

        Raises:
            UsageError: the token is wrong, was replaced or was revoked.
        """
        from solon.store.reviewing.experts import TOKEN_VARIABLE

        given = self._token if token is None else token
        if given is not None:
            return self._tokens.holder(given, "`expert`")
        found = os.environ.get(TOKEN_VARIABLE)
        return self._tokens.holder(found, TOKEN_VARIABLE) if found else None

    def actor(self) -> str:
        """How logs name who acts: an expert by their token, else whoever sits here."""
        expert = self.acting_expert()
        return expert.actor if expert is not None else local_actor()

    def add_expert(
        self,
        name: str,
        *,
        role: str = "expert",
        specialties: Sequence[str] = (),
        languages: Sequence[str] = (),
        credential: str = "",
        trust: str = "",
        email: str = "",
        ready: bool | None = None,
    ) -> str:
        """Add a person who may answer, as `solon expert add` does; returns their token, which is stored hashed only.

        Args:
            name: how leads see this person.
            role: worker (answers are votes), expert, lead or admin.
            specialties: fields whose reviews come to them first, such as `cardiology`.
            languages: codes of the languages that they read, such as `en`.
            credential: what makes them an expert, in a few words.
            trust: proven (answers decide) or unproven (answers are votes); empty: by the role.
            email: for the daily digest.
            ready: answers at once; default: as `onboarding` in [review] says.

        Raises:
            UsageError: the name is empty or taken, or a fact is none that there is.
        """
        from solon.store.reviewing.experts import add_expert, first_stage

        stage = first_stage(self.config.review.onboarding, ready)
        return add_expert(
            self.store,
            name,
            role=role,
            specialties=specialties,
            languages=languages,
            credential=credential,
            trust=trust,
            email=email,
            stage=stage,
            by=local_actor(),
        )[1]

    def decide(
        self,
        review: str | Review,
        choice: str,
        candidate: str | Candidate | None = None,
        *,
        expert: str | None = None,
        text: str | None = None,
        guidance: str | None = None,
        rationale: str | None = None,
        principles: Sequence[str] | None = None,
        flags: Mapping[str, Sequence[str]] | None = None,
        scores: Mapping[str, int] | None = None,
        strength: int | None = None,
        evidence: Sequence[Mapping[str, Any]] | None = None,
        reason: str | None = None,
        **fields: Any,
    ) -> str:
        """Answer a review; returns the decision's id (of someone not proven: the vote's). `resume` moves the item on.

        Args:
            choice: one of the review's `choices`, or skip | decline | escalate.
            candidate: the candidate that is preferred or edited.
            expert: token of the expert whose answer it is; default: the project's. It counts as one from the page does.
            text: the edited answer.
            guidance: what a redraft shall do.
            rationale: why; later judges learn from it.
            principles: ids of principles that decided.
            flags: candidate's id -> unsafe, factually_wrong, outdated or personal_data.
            scores: criterion of the rubric -> 1 to 5.
            strength: 1 barely, 2, 3 clearly.
            evidence: words that a flag is about, or that decided, each with `candidate` (its id), `start` and `end` in
                characters of its text, the end exclusive, and `flag`, None for the reason.
            reason: of who declines: not_my_field, needs_context, personal_data or broken.
            fields: of a form of your own, by their names.

        Raises:
            TokenWanted: no expert's token is given, and the run measures.
            UsageError: the token is wrong, was replaced or was revoked.
            AlreadyDecided: someone else was first; nothing was changed.
            InvalidDecision, NotPending: saying what is wrong; nothing was changed.
        """
        taken = self.answer(
            review,
            choice,
            candidate,
            expert=expert,
            channel="python",
            text=text,
            guidance=guidance,
            rationale=rationale,
            principles=principles,
            flags=flags,
            scores=scores,
            strength=strength,
            evidence=evidence,
            reason=reason,
            **fields,
        )
        return taken.decision_id or taken.assignment_id

    def answer(
        self,
        review: str | Review,
        choice: str,
        candidate: str | Candidate | None = None,
        *,
        expert: str | None = None,
        channel: str,
        **answer: Any,
    ) -> AnswerResult:
        """Answer a review as `decide` does, by a channel (cli, python); returns what became of the answer.

        Args:
            answer: the parts of the answer by name, as of `decide`; None is left out.
        """
        from solon.store.reviewing.answering import answer_review

        values = {"choice": choice, "candidate": getattr(candidate, "id", candidate), **answer}
        return answer_review(
            self.store,
            review.id if isinstance(review, Review) else review,
            {name: value for name, value in values.items() if value is not None},
            by=self.acting_expert(expert) or local_actor(),
            channel=channel,
            reviewers=self.config.reviewers,
            answers=self.config.review.answers,
            answers_below=self.config.review.answers_below,
            doubt=self.config.review.doubt,
            match=self.config.review.match,
        )

    # Looking -----------------------------------------------------------------------------------------------------

    def runs(self) -> Listing[RunSummary]:
        """Where every run stands, the newest first."""
        from solon.store.runs.runs import all_runs

        with self.store.connect() as connection:
            ids = [run.id for run in all_runs(connection)]
        columns = ("run_id", "recipe", "items", "accepted", "rejected", "pending_review", "failed", "queued")
        return Listing(map(self.summarize, ids), columns=columns)

    def items(
        self, state: str | None = None, *, run_id: str | None = None, limit: int = 1000
    ) -> Listing[Item]:
        """Items of a run in the order of their seeds.

        Args:
            state: only those in this state: queued, running, waiting, accepted, rejected, failed, parked, forgotten.
            run_id: the run's id or the beginning of it; default: the newest.
            limit: at most so many.

        Raises:
            UsageError: there is no such state or run.
        """
        from solon.store.records.overview import list_items
        from solon.store.runs.items import STATES
        from solon.store.runs.runs import find_run

        if state is not None:
            check_state("item", state, STATES)
        with self.store.connect() as connection:
            run = find_run(connection, run_id)
        rows = list_items(self.store, run_id=run.id, state=state, limit=limit)
        return Listing(
            (Item(**row) for row in rows), columns=("id", "seed", "prompt", "state", "route", "reason")
        )

    def item(self, some_id: str) -> Item:
        """The item of this id, or the one behind a record, review or decision, with its whole way."""
        way = self.trace(some_id)
        item, run, seed = way["item"], way["run"], way["seed"]
        return Item(
            id=item["id"],
            run_id=run["id"],
            recipe=run["recipe"],
            seed=seed.get("external_id", ""),
            prompt=seed["prompt"],
            state=item["state"],
            route=item["route"],
            reason=item["reason"],
            attempt=item["attempt"],
            way=way,
        )

    def trace(self, some_id: str, *, prompts: bool = False) -> dict[str, Any]:
        """Everything behind a record, item, review or decision, or behind what a row of a seed file became; with
        `prompts` the texts of its model calls, too."""
        from solon.store.records.lineage import trace

        return trace(self.store, some_id, prompts=prompts)

    def records(
        self, *, run_id: str | None = None, recipe: str | None = None, all_runs: bool = False
    ) -> Listing[ExportRow]:
        """The records in force, all of them in memory: `Project.export` streams, and leaves out what a format cannot
        hold.

        Args:
            run_id: records of this run only, its id or the beginning of it; default: each item once, as a person
                decided it, otherwise as of the newest run.
            recipe: records of this recipe only.
            all_runs: every record of every run.

        Raises:
            UsageError: there is no such run, or one run and all runs are asked for.
        """
        from solon.store.records.exporting import export_rows
        from solon.workspace.views import find_wanted

        which = find_wanted(self.store, run_id=run_id, recipe=recipe, all_runs=all_runs)
        _, rows = export_rows(self.store, **which)
        columns = ("id", "prompt", "chosen", "rejected", "response", "label", "route", "confidence")
        return Listing(rows, columns=columns)

    def constitution(self, named: str | None = None) -> Constitution:
        """The constitution in force, or `NAME`, `NAME@VERSION`, or the beginning of an id.

        Raises:
            UsageError: the store has none: its first run brings one.
        """
        from solon.law.documents import Constitution
        from solon.lawmaking.drafting import law_in_force

        with self.store.connect() as connection:
            document = law_in_force(connection, self.config, "constitution", named).document
        assert isinstance(document, Constitution)
        return document

    def rubric(self, named: str | None = None) -> Rubric:
        """The rubric in force, or the one named; see `constitution`."""
        from solon.law.documents import Rubric
        from solon.lawmaking.drafting import law_in_force

        with self.store.connect() as connection:
            document = law_in_force(connection, self.config, "rubric", named).document
        assert isinstance(document, Rubric)
        return document

    def summarize(self, run_id: str | None = None, *, budget: int | None = None) -> RunSummary:
        """Where a run (default: the newest) stands, read from the store.

        Args:
            budget: reviews that people have time for, see `queue` of the summary; default: `routing.budget`.
        """
        return summarize(self.store, run_id, self.bad_rows_file, self.config, budget)

    def reviews(
        self,
        state: str = "waiting",
        *,
        run_id: str | None = None,
        reason: str | None = None,
        limit: int = 100,
        blind: bool | None = None,
    ) -> Listing[Review]:
        """Reviews in a state: those that wait in the order of the queue, others the oldest first.

        Whoever answers by their token sees none of the panel's reasons, candidates at the places that they have on the
        page, and each question once, without those that they have answered; leads see of which kind each is.

        Args:
            state: waiting, decided, opening, held, withdrawn, or disputed: people differ, and a lead has still to
                settle it.
            run_id: reviews of this run only; default: of all runs.
            reason: only those with a reason of this code, such as `injection` or `margin`; it tells why they wait, so
                they are not read blind.
            limit: at most so many.
            blind: without the panel's reasons; default: for whoever answers by a token. Only leads may say False.

        Raises:
            UsageError: there is no such state or run, the token is wrong, or it is not a lead's and what leads see is
                asked for.
        """
        from solon.store.reviewing.queue import answerable
        from solon.store.reviewing.review_rows import DISPUTED, STATES, each_review
        from solon.store.runs.runs import find_run

        check_state("review", state, STATES)
        expert, blind, kinds = self._sight(False if reason else blind)
        if state == DISPUTED and expert is not None and not expert.may("lead"):
            raise UsageError("what people differ in is shown to leads", next_step="ask a lead")
        with self.store.connect() as connection:
            if run_id is not None:
                run_id = find_run(connection, run_id).id
            found = each_review(connection, state=state, run_id=run_id, reason=reason)
            if expert is not None and state == "waiting":
                mine = (one for one in found if expert.may("lead") or not one.escalated)
                found = answerable(connection, expert.actor, mine)
            rows = sorted(
                islice(found, limit), key=lambda one: not one.escalated
            )  # to leads first what is theirs
        shown_columns = ("id", "recipe", "kind", "prompt", "reasons", "state")
        orders = self.config.looks_for_orders
        actor = expert.actor if expert else None
        views = (
            view_review(self.store, row, actor=actor, blind=blind, kinds=kinds, orders=orders) for row in rows
        )
        return Listing(views, columns=shown_columns)

    def _sight(self, blind: bool | None) -> tuple[ExpertRow | None, bool, bool]:
        """Who reads reviews, whether without the panel's reasons, and whether they see of which kind each is."""
        expert = self.acting_expert()
        if expert is None:
            return None, blind is True, blind is not True
        lead = expert.may("lead")
        if blind is False and not lead:
            raise UsageError(
                "the panel's reasons are shown to leads, and to others after their answer",
                next_step="read it blind; `solon show` is the panel's view, and it is noted that you saw it",
            )
        return expert, blind is not False, lead and blind is not True

    def open_review(self, review_id: str, *, blind: bool | None = None) -> Review:
        """One review as the page shows it to whoever answers by their token: with the choices that need a reason, and
        with the panel's suggestion where `[review] suggestion` shows one. What is shown is kept with the answer, so the
        review is then theirs for half an hour."""
        from solon.errors import ReviewError
        from solon.store.reviewing.answering import needs_why
        from solon.store.reviewing.queue import lease_review
        from solon.store.reviewing.review_rows import find_review
        from solon.store.reviewing.suggestions import may_carry, suggest

        found, expert = self.review(review_id, blind=blind), self.acting_expert()
        how = self.config.review.suggestion
        if expert is None:
            return found
        with self.store.transaction() as connection:
            review = find_review(connection, found.id)
            found = replace(found, rationale_for=needs_why(self.store, review, expert.actor))
            decides = expert.believed(self.config.reviewers).final
            if how not in ("shown", "randomised") or not decides or not may_carry(review):
                return found
            try:
                lease, review = lease_review(connection, expert, review.id, reviewers=self.config.reviewers)
            except ReviewError:  # it is in somebody else's hands, or waits no more
                return found
            return replace(
                found,
                suggestion=spell_outcome(
                    found, review, suggest(connection, self.store.key, lease, review, how)
                ),
            )

    def told_after(self, review: Review) -> str:
        """What the panel had found of a review that the holder of a token has decided; empty where it is not told."""
        from solon.store.reviewing.review_rows import find_review
        from solon.store.reviewing.suggestions import may_carry

        if self.config.review.suggestion == "hidden" or self.acting_expert() is None:
            return ""
        with self.store.connect() as connection:
            row = find_review(connection, review.id)
        return spell_outcome(review, row, str(row.best)) if may_carry(row) else ""

    def review(self, review_id: str, *, blind: bool | None = None) -> Review:
        """One review by its id or the beginning of it; see `reviews`."""
        from solon.store.reviewing.review_rows import find_review

        expert, blind, _ = self._sight(blind)
        with self.store.connect() as connection:
            row = find_review(connection, review_id)
        actor, orders = expert.actor if expert else None, self.config.looks_for_orders
        return view_review(self.store, row, actor=actor, blind=blind, orders=orders)


def _asked_with(recipe: Recipe, config: Config) -> set[str]:
    """The names of the templates that this recipe asks with and others do not."""
    from solon.prompts import library as of
    from solon.recipes.questions import Pair
    from solon.recipes.rubrics import RUBRIC

    labels = recipe.has_panel and recipe.record == "label"
    parts = (
        (labels, of.ABOUT_LABELS),
        (recipe.source.batch, of.OF_POOLS),
        (recipe.has_panel and any(rule.prompt for rule in config.rules), of.OF_RULES),
        (recipe.record == "spans", of.OF_SPANS),
        (recipe.pairing_under(config).edits, of.OF_EDITS),
        (config.critic.grounded, of.OF_GROUNDED),
        (recipe.has_resolver and not isinstance(recipe.question, Pair), of.OF_RESOLVED_OUTCOMES),
        (recipe.has_seats and config.informs_judges, of.OF_INFORMED),
        (RUBRIC in recipe.steps, of.OF_RUBRICS),
    )
    return {
        *recipe.maker.templates,
        *recipe.question.templates,
        *(name for holds, names in parts if holds for name in names),
    }
