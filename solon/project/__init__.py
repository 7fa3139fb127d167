"""A project from Python: everything that the command line does. The commands stand on it. Must never import review
or cli."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from solon.display.notebook import Listing
from solon.store.database.local_actor import local_actor
from solon.sync import run_sync
from solon.workspace.workspace import Workspace

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.agents.calls import Meter
    from solon.config import Config
    from solon.eval.admission import Standings
    from solon.eval.gate import Gate
    from solon.eval.importing import Imports
    from solon.eval.labels import LabelCheck
    from solon.eval.probes import ProbeCost
    from solon.eval.report.report import Report
    from solon.eval.result import SuiteResult
    from solon.eval.rules import Rules
    from solon.formats.exports import ExportSummary
    from solon.graphs.item_graph import ItemGraph
    from solon.graphs.own_saver import Saver
    from solon.graphs.pruning import Pruned
    from solon.graphs.runner import Progress, Runner
    from solon.lawmaking.rejudging import Doubt, Rejudged
    from solon.operations.annotating import ReviewExport
    from solon.operations.backup import Backup, Restored
    from solon.operations.compare import Comparison
    from solon.operations.doctor import Check
    from solon.operations.forget import Erasure
    from solon.operations.migrate import MigrationResult
    from solon.operations.planning import Plan
    from solon.operations.preview import Preview
    from solon.operations.recipes import RecipeFacts
    from solon.operations.votes import VotesImport
    from solon.project.law import Constitutions, Rubrics, Rulebook
    from solon.project.people import Experts, GoldenQuestions, HeldSeeds
    from solon.project.prompts import Prompts
    from solon.project.releases import Releases
    from solon.store.database.audit_log import AuditReport
    from solon.store.reviewing.experts import ExpertRow
    from solon.workspace.interactive import Interactive
    from solon.workspace.seeds import Seeds


class Project(Workspace):
    """One store with its configuration, and all that can be done with them.

    Args:
        store: URL of the store; default: `store` of the configuration (`SOLON_STORE`, `solon.toml`).
        config: a `Config`, plain values, or the path of a TOML file; default: `solon.toml` if it is there.
        models: chat models of your own by the name that the configuration gives them; any LangChain chat model.
        recipes: recipes of your own in place of built-in ones of the same name.
        plugins: judges, critics and generators of your own, see `solon.plugins`.
        create: make the store where it is missing.
        expert: token of the expert who answers; default: that in the environment variable SOLON_TOKEN. Reviews are then
            shown as the page shows them, without what the panel found.

    What belongs together stands under one name: `experts`, `golden`, `privacy`, `constitutions`, `rubrics`, `rulebook`,
    `prompts`, `releases`.
    """

    def __repr__(self) -> str:
        return f"Project({self.store.engine.url.render_as_string()!r})"  # without its password

    # Families ---------------------------------------------------------------------------------------------------

    @cached_property
    def experts(self) -> Experts:
        """Who may answer: add, list, trust, revoke, rotate, link."""
        from solon.project.people import Experts

        return Experts(self)

    @cached_property
    def golden(self) -> GoldenQuestions:
        """Questions whose answer is known: import_, retire, count."""
        from solon.project.people import GoldenQuestions

        return GoldenQuestions(self)

    @cached_property
    def privacy(self) -> HeldSeeds:
        """Seeds that the privacy scan holds back: list, release, reject."""
        from solon.project.people import HeldSeeds

        return HeldSeeds(self)

    @cached_property
    def constitutions(self) -> Constitutions:
        """The principles that agents apply: list, show, diff, history, import_, propose, impact, ratify, stats."""
        from solon.project.law import Constitutions

        return Constitutions(self)

    @cached_property
    def rubrics(self) -> Rubrics:
        """The criteria that are scored: list, show, diff, history, import_, propose, impact, ratify, weights."""
        from solon.project.law import Rubrics

        return Rubrics(self)

    @cached_property
    def rulebook(self) -> Rulebook:
        """Rules by law, beside `[[rules]]`: list, show, diff, history, import_, propose, impact, ratify."""
        from solon.project.law import Rulebook

        return Rulebook(self)

    @cached_property
    def prompts(self) -> Prompts:
        """The templates that agents are asked with: list, show, check, copy."""
        from solon.project.prompts import Prompts

        return Prompts(self.config.prompts_dir, self.recipes)

    @cached_property
    def releases(self) -> Releases:
        """Frozen exports: create, verify, diff."""
        from solon.project.releases import Releases

        return Releases(self)

    def close(self) -> None:
        """End what is under way where it can go on, commit, and release the store; using it afterwards is a
        `StoreError`."""
        if "interactive" in self.__dict__:
            self.interactive.close()
        super().close()

    # Graphs of one's own ----------------------------------------------------------------------------------------

    @cached_property
    def interactive(self) -> Interactive:
        """Items that are worked on one by one, as a graph of one's own asks for them."""
        from solon.workspace.interactive import Interactive

        return Interactive(self)

    def graph(
        self, recipe: str, *, checkpointer: Saver | Literal[False] | None = None, texts: bool = True
    ) -> ItemGraph:
        """A recipe as a compiled LangGraph: a seed in, a record or an interrupt out.

        The item of each call lies in the store as any other: journal, lineage, review page and certificate know it. It
        may be invoked, streamed, and stand as a node in another graph, which then keeps its thread. The project must
        stay open meanwhile.

        Args:
            recipe: name of a recipe, see `list_recipes`.
            checkpointer: keeps the threads of calls by themselves; default: the store. False: none does, as for
                `langgraph dev`, which brings its own.
            texts: interrupts and records hold texts; without, only ids, for `forget` does not reach what another
                checkpointer keeps.

        Raises:
            UsageError, ConfigError: there is no such recipe, or it cannot be used.
        """
        from solon.graphs.item_graph import make_item_graph

        self.recipe(recipe)
        desk = self.interactive
        saver = desk.saver(recipe) if checkpointer is None else checkpointer or None
        return make_item_graph(desk, recipe, key=self.store.key, saver=saver, texts=texts)

    def checkpointer(self, graph: str) -> Saver:
        """What keeps the threads of a graph of one's own in the store's checkpoints, where `forget` and `prune` reach
        them: to compile a graph with that has a recipe's graph as a node.

        Args:
            graph: a name for that graph, so that threads of two graphs are told apart.
        """
        return self.interactive.saver(graph)

    # Before and beside a run ------------------------------------------------------------------------------------

    def list_recipes(self) -> Listing[RecipeFacts]:
        """The recipes that there are, the shipped ones first: outcomes, who decides, steps, origin, calls per row. One
        that cannot be used as it is says why in `problem`."""
        from solon.operations.recipes import list_recipes

        columns = ("name", "record", "outcomes", "lead", "steps", "origin", "calls", "problem")
        return Listing(list_recipes(self.recipes, self.config), columns=columns)

    def plan(
        self,
        items: int | None = None,
        *,
        experts: int,
        minutes: float,
        days: int,
        seeds: Seeds | None = None,
        recipe: str = "preference",
        words: float | None = None,
    ) -> Plan:
        """What a project takes of machines and people, before it begins. Calls no model.

        Args:
            items: seeds to be worked on; default: as many as `seeds` has.
            experts: people who answer reviews.
            minutes: that each of them gives a day.
            days: that it may take.
            seeds: what specialties, languages and word counts are read from, as for `run`.
            recipe: name of a recipe, see `list_recipes`.
            words: mean words of a seed, where you know it.

        Raises:
            UsageError: neither `items` nor `seeds` is given, no row can be used, a number below what makes sense, or an
                unknown recipe.
        """
        from dataclasses import replace

        from solon.eval.suites.audit import tell_saving
        from solon.operations.planning import plan_home

        made = plan_home(
            self,
            items=items,
            seeds=seeds,
            experts=experts,
            minutes=minutes,
            days=days,
            recipe=recipe,
            words=words,
        )
        saving = tell_saving(self.store)
        return replace(made, notes=(*made.notes, saving)) if saving else made

    def preview(
        self,
        recipe: str,
        seeds: Seeds,
        *,
        n: int = 5,
        draw: int | None = None,
        against: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Preview:
        """Try a recipe on a few random seeds: `apreview` for scripts and notebooks, with its arguments and errors. A
        notebook shows each item as a card, with what every agent said."""
        return run_sync(
            self.apreview(recipe, seeds, n=n, draw=draw, against=against, on_progress=on_progress)
        )

    async def apreview(
        self,
        recipe: str,
        seeds: Seeds,
        *,
        n: int = 5,
        draw: int | None = None,
        against: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_runner: Callable[[Runner], None] | None = None,
    ) -> Preview:
        """Send `n` random seeds through the recipe in a scratch store; nothing of it stays but finished model calls.

        Args:
            recipe: preference, instruction, or one of your own.
            seeds: as for `run`.
            n: how many seeds, 1 to 200.
            draw: root of the sample; the same one draws the same seeds, None draws others each time.
            against: id of an earlier run; its seeds are drawn from, and compared.
            on_progress: called after every change with the counts.
            on_runner: called once with the runner.

        Raises:
            UsageError: `n` is out of its range, or `against` shares no seed with the file.
            SeedError: no row of the seeds can be used.
        """
        from solon.operations.preview import apreview

        return await apreview(
            recipe, seeds, self, n=n, draw=draw, against=against, on_progress=on_progress, on_runner=on_runner
        )

    def diff(self, run_a: str, run_b: str, *, html: str | Path | None = None) -> Comparison:
        """What changed between two runs, seed by seed: the texts, the winner, the way.

        Args:
            run_a: a run's id or the beginning of it.
            run_b: the run to set against it.
            html: write every change, word by word, as a page.

        Raises:
            UsageError: there is no such run, the two are of different recipes, or the page cannot be written there.
        """
        from solon.formats.containers import check_target, write_text_at_once
        from solon.operations.compare import compare_runs, render_page

        if html is not None:
            check_target(Path(html))
        comparison = compare_runs(self.store, run_a, run_b)
        if html is not None:
            write_text_at_once(Path(html), [render_page(comparison)])
        return comparison

    def import_(
        self,
        format: str,
        path: str | Path,
        *,
        judge: bool = False,
        policy: str = "always",
        limit: int | None = None,
        expert: str | ExpertRow | None = None,
        progress: bool | None = None,
    ) -> Imports:
        """Bring an existing set into the store: rows as seeds with answers, labels as decisions, verdicts as a panel.

        Answers of Argilla or Label Studio to reviews that `export_reviews` wrote become decisions on them. Doing it
        again goes on where it stopped.

        Args:
            format: `auto`, which tells it by the first rows; `map`, the layout of `[import] map`; or a name:
                trl-preference, nectar, argilla, panel, ...
            path: JSON lines, a JSON list, CSV or Parquet.
            judge: ask the panel of the configuration about the rows too; without it no model is asked.
            policy: routing of the rows; `always` makes every answer of the file a decision.
            limit: take the first so many rows.
            expert: token of the expert whose answers these are, given blind; only then they count for reliability,
                calibration and certificates.
            progress: show a bar or lines; default: in a notebook only.

        Raises:
            UsageError: there is no such format, or the token is wrong.
            TokenWanted: nobody vouches for the answers, and the policy measures.
            SeedError: the file cannot be read, or no row can be used.
        """
        from solon.eval.importing import import_file

        owner = self.acting_expert(expert) if isinstance(expert, str) else expert
        return import_file(
            self, format, path, judge=judge, policy=policy, expert=owner, limit=limit, progress=progress
        )

    def import_votes(
        self,
        path: str | Path,
        output: str | Path,
        *,
        recipe: str = "label-panel",
        texts: str | Path | None = None,
    ) -> VotesImport:
        """Write labels that people gave elsewhere, a row each, as seeds that bring them along; `run` reads these.

        Args:
            path: JSON lines, CSV or Parquet with the columns `item` (or `text`, or both), `worker` and `label`.
            output: the file of JSON lines to write.
            recipe: whose labels they are.
            texts: a file of seeds with the items' texts, by `id`; None: the votes come with them.

        Raises:
            UsageError: the recipe asks for no label.
            SeedError: a file cannot be read, or no row can be used.
        """
        from solon.operations.votes import import_votes

        return import_votes(self, path, output, recipe=recipe, texts=texts)

    # Learning and law -------------------------------------------------------------------------------------------

    def learned(self, run_id: str | None = None) -> dict[str, Any]:
        """What the scope of a run (default: the newest) has learned, as plain values: versions, every look at the
        certification sample, the certificate in force, audits. Learns nothing; `learn` does.

        Raises:
            UsageError: there is no such run.
        """
        from solon.eval.report.writing import read_learned

        return read_learned(self.store, run_id)

    def rank_stale(self, run_id: str | None = None) -> Listing[Doubt]:
        """Records whose law was amended since, the most likely to change first. No model is asked.

        Args:
            run_id: records of this run only; default: of all runs.

        Raises:
            UsageError: there is no such run.
        """
        from solon.lawmaking.rejudging import rank_stale

        return Listing(rank_stale(self.store, self._run_id(run_id)), columns=("p", "margin", "similarity"))

    def rejudge(
        self,
        run_id: str | None = None,
        *,
        only: Literal["reviews", "records"] | None = None,
        max_calls: int | None = None,
        max_cost: float | None = None,
        on_judged: Callable[[int, int, Meter], None] | None = None,
    ) -> Rejudged:
        """Judge again what a ratified amendment may change: `arejudge` for scripts and notebooks, with its arguments
        and errors."""
        return run_sync(
            self.arejudge(run_id, only=only, max_calls=max_calls, max_cost=max_cost, on_judged=on_judged)
        )

    async def arejudge(
        self,
        run_id: str | None = None,
        *,
        only: Literal["reviews", "records"] | None = None,
        max_calls: int | None = None,
        max_cost: float | None = None,
        on_judged: Callable[[int, int, Meter], None] | None = None,
    ) -> Rejudged:
        """Judge again, under the law now in force, what a ratified amendment may change.

        Waiting reviews that it settles leave the queue; stale records are confirmed, replaced or sent to a person.
        `resume` goes on with the items.

        Args:
            run_id: items of this run only; default: of all runs.
            only: only waiting reviews, or only stale records.
            max_calls: stop after so many model calls; what is not reached stays as it is.
            max_cost: stop at this cost, in the currency of the prices.
            on_judged: called with how many the panel has judged again, of how many, and what they took.

        Raises:
            UsageError: there is no such run, or a limit on cost and a model without a price.
            ModelError: no model answers.
        """
        from solon.lawmaking.rejudging import rejudge

        return await rejudge(
            self.store,
            self.config,
            by=local_actor(),
            models=self.models,
            recipes=self.recipes,
            plugins=self.plugins,
            run_id=self._run_id(run_id),
            max_calls=max_calls,
            max_cost=max_cost,
            reviews=only != "records",
            records=only != "reviews",
            tell=on_judged,
        )

    # Measuring --------------------------------------------------------------------------------------------------

    def judges(
        self,
        run_id: str | None = None,
        *,
        probe: int = 0,
        max_calls: int | None = None,
        max_cost: float | None = None,
        on_cost: Callable[[ProbeCost], None] | None = None,
    ) -> Standings:
        """How every judge of a run's panel stands: `ajudges` for scripts and notebooks, with its arguments and
        errors."""
        return run_sync(
            self.ajudges(run_id, probe=probe, max_calls=max_calls, max_cost=max_cost, on_cost=on_cost)
        )

    async def ajudges(
        self,
        run_id: str | None = None,
        *,
        probe: int = 0,
        max_calls: int | None = None,
        max_cost: float | None = None,
        on_cost: Callable[[ProbeCost], None] | None = None,
    ) -> Standings:
        """How every judge of a run's panel stands by experts' labels: how often it is right, with exact lower bounds,
        and whether it is admitted, on probation or refused.

        Args:
            run_id: the run; default: the newest.
            probe: plant length, order, authorship and a claim of agreement on so many judged items, beside the same
                questions asked again. Calls are journalled: none that was answered is made again. 0: no model is asked.
            max_calls: stop the probes after so many model calls.
            max_cost: stop the probes at this cost, in the currency of the prices.
            on_cost: told what the probes take, before the first call; what it raises ends them.

        Raises:
            UsageError: there is no such run, people answer all of it, or it asks for labels and is to be probed.
            ModelError: no model answers.
        """
        from solon.eval.admission import list_standings
        from solon.store.runs.runs import find_run

        with self.store.connect() as connection:
            run = find_run(connection, run_id)
        return await list_standings(
            self.store,
            self.config,
            run,
            self.recipe(run.recipe),
            probe=probe,
            models=self.models,
            recipes=self.recipes,
            plugins=self.plugins,
            max_calls=max_calls,
            max_cost=max_cost,
            on_cost=on_cost,
        )

    def rules(self, runs: str | Sequence[str] = (), *, seeds: Seeds | None = None) -> Rules:
        """What each rule covers, where others speak too or against it, and how often experts agree with it. No model is
        asked.

        Args:
            runs: ids of runs, or their beginnings; one as it is; default: all.
            seeds: texts to try the rules of a new run on, the configured and the ratified ones, in place of a run.

        Raises:
            UsageError: there is no such run, or no rule to try.
            SeedError: the seeds cannot be read.
        """
        from solon.eval.material import gather
        from solon.eval.rules import list_rules, try_rules
        from solon.store.reviewing.experts import list_experts
        from solon.store.runs.laws import rules_in_force

        if seeds is not None:
            with self.store.connect() as connection:
                ratified = rules_in_force(connection).rules
            return try_rules(self.config, seeds, self.plugins, ratified=ratified)
        with self.store.connect() as connection:
            names = {expert.actor: expert.name for expert in list_experts(connection)}
        return list_rules(gather(self.store, runs), lambda actor: names.get(actor, actor))

    def labels(
        self,
        file: str | Path,
        *,
        text: str | None = None,
        label: str | None = None,
        features: Literal["words", "meaning"] | None = None,
        top: int = 50,
        review: bool = False,
        recipe: str = "label",
        limit: int = 20_000,
        seed: int = 0,
    ) -> LabelCheck:
        """Which labels of a file are probably wrong, by a classifier that did not see the text and by what panels of
        the store said of it; how many of those that people decided were.

        Args:
            file: JSON lines, CSV or Parquet.
            text: name of the column of texts; default: the usual ones are looked for.
            label: name of the column of labels, likewise.
            features: what the classifier sees; default: `meaning` where it is installed, else `words`.
            top: suspects to list, and to open reviews of.
            review: open reviews of the suspects, in a run that does not hold their labels.
            recipe: of that run: `label` asks people alone, `label-panel` the panel first.
            limit: rows at most, drawn at random where there are more.
            seed: of every random draw.

        Raises:
            SeedError: the file cannot be read, or has no two labels with five texts.
            UsageError: there are too many labels for so many texts, or they are all near-duplicates.
            ConfigError: a label cannot be asked for, or meaning is wanted without its extra.
        """
        from solon.eval.labels import check_labels

        return check_labels(
            Path(file),
            self.config,
            project=self,
            text=text,
            label=label,
            features=features,
            top=top,
            review=review,
            recipe=recipe,
            limit=limit,
            seed=seed,
        )

    def evaluate(
        self,
        suite: str,
        runs: str | Sequence[str] = (),
        *,
        against: str | Path | Sequence[str | Path] = (),
        limit: int = 20_000,
        seed: int = 0,
    ) -> SuiteResult:
        """Run one suite over the records and decisions of the store. No model is asked.

        Args:
            suite: agreement, audit, drift, judges, quality, diversity, ..., or one of a package.
            runs: ids of runs, or their beginnings; one as it is; default: all.
            against: files of text, JSON lines or CSV to compare with.
            limit: records at most, drawn at random where there are more.
            seed: of every random draw.

        Raises:
            UsageError: there is no such suite or run, or a file cannot be read.
        """
        from solon.eval.material import gather
        from solon.eval.registry import find_suite

        wanted = find_suite(suite)
        files = [Path(file) for file in ((against,) if isinstance(against, str | Path) else against)]
        return wanted(gather(self.store, runs, against=files, limit=limit, seed=seed))

    def gate(
        self,
        bounds: Mapping[str, Any] | None = None,
        *,
        runs: str | Sequence[str] = (),
        limit: int = 20_000,
        seed: int = 0,
    ) -> Gate:
        """Hold the data to the bounds of `[gate]`, as continuous integration does; `passed` says whether all hold. No
        model is asked.

        Args:
            bounds: keys of `[gate]` that go before the configuration's; None as a value: that bound is not looked at.
            runs: ids of runs, or their beginnings; one as it is; default: all.
            limit: records at most, drawn at random where there are more.
            seed: of every random draw.

        Raises:
            ConfigError: there is no such bound, or its value is outside its range.
            UsageError: no bound is set, there is no such run, or a benchmark cannot be read.
        """
        from solon.config import parse_config
        from solon.eval.gate import hold
        from solon.eval.material import gather

        wanted = parse_config({"gate": {**self.config.gate.model_dump(), **(bounds or {})}}).gate
        files = [Path(file) for file in wanted.benchmarks]
        return hold(gather(self.store, runs, against=files, limit=limit, seed=seed), wanted)

    def score(
        self,
        runs: str | Sequence[str] = (),
        *,
        judge: str = "default",
        limit: int = 50,
        own_family: bool = False,
        max_calls: int | None = None,
        seed: int = 0,
    ) -> SuiteResult:
        """Let a judge other than their producers score accepted answers on the rubric.

        Args:
            runs: ids of runs, or their beginnings; one as it is; default: all.
            judge: a name in [models]: who scores.
            limit: records, drawn at random.
            own_family: let it score what its own family wrote.
            max_calls: stop before more model calls.
            seed: of the draw.

        Raises:
            UsageError: there is no such model or run, or it would score what its own family wrote.
            LimitReached: `max_calls` are made; what was scored is kept.
        """
        from solon.eval.material import gather
        from solon.eval.scoring import score_records

        material = gather(self.store, runs, limit=limit, seed=seed)
        work = score_records(
            material, self.config, judge, models=self.models, own_family=own_family, max_calls=max_calls
        )
        return run_sync(work)

    @staticmethod
    def attack(
        config: Config | Mapping[str, Any] | str | Path | None = None,
        judge: str = "default",
        *,
        models: Mapping[str, BaseChatModel] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> SuiteResult:
        """How often a model as a judge obeys texts that order it to choose the worse answer. Needs no store.

        Args:
            config: a file, plain values or a configuration; default: `solon.toml` if it is there.
            judge: a name in [models].
            models: chat models by name, in place of those of the configuration.
            limit: attacks, drawn at random; default: all of them.
            seed: of the draw.

        Raises:
            ConfigError: naming the key, the value seen and what would be right.
            UsageError: there is no such model.
        """
        from solon.eval.attacks import attack_judge

        return run_sync(attack_judge(config, judge, models=models, limit=limit, seed=seed))

    @staticmethod
    def power(
        *,
        alpha: float = 0.1,
        pilot: int | None = None,
        delta: float = 0.1,
        agreements: Sequence[float] = (1.0, 0.97, 0.95, 0.9),
        auroc: float = 0.7,
        panel: str | Path | None = None,
        projects: int = 500,
        seed: int = 0,
        plots: str | Path | None = None,
    ) -> dict[str, Any]:
        """How likely a pilot leads to a certificate, what it covers, and how often it is false. Needs no store.

        Args:
            alpha: promise 1 - alpha agreement.
            pilot: decisions; default: 12 / alpha.
            delta: chance that a certificate is false.
            agreements: rates at which experts agree with the panel.
            auroc: how well its confidence ranks right before wrong, .5 to 1.
            panel: a file of recorded verdicts with human answers, whose panel is replayed, too.
            projects: how many are simulated.
            seed: of every random draw.
            plots: a folder for the chance by size of the pilot as PNG (needs matplotlib).

        Raises:
            ConfigError: a rate outside its range.
            UsageError: the file is no recording, or matplotlib is missing.
        """
        from solon.eval.power import measure_power

        return measure_power(
            alpha, pilot or round(12 / alpha), delta, agreements, auroc=auroc, panel=panel, projects=projects,
            seed=seed, plots=plots,
        )  # fmt: skip

    @staticmethod
    def replay(
        path: str | Path,
        *,
        panel: Sequence[str] = (),
        labels: int = 20,
        reviewer: str = "oracle",
        budget: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.5),
        alpha: float | None = None,
        delta: float = 0.1,
        policy: str = "never",
        seed: int = 0,
        seeds: int = 100,
        draws: int = 100,
        subset: str | None = None,
        graph: bool = True,
        plots: str | Path | None = None,
    ) -> dict[str, Any]:
        """What would be asked of recorded people about a recorded panel, and what it would be worth. Needs no store.

        Args:
            path: JSON lines with recorded verdicts and human answers.
            panel: judges; default: all.
            labels: decisions known beforehand, drawn at random.
            reviewer: who answers: oracle (the agreed answer), single or worker (one person).
            budget: shares of the items sent to the expert.
            alpha: certify 1 - alpha agreement; default: .10 and .20.
            delta: chance that a certificate is false.
            policy: always, never, disagreement, threshold(T), pilot(N), certified(ALPHA, DELTA) or budget(F).
            seed: of every random draw.
            seeds: random draws of the known decisions.
            draws: random pilots of the certification.
            subset: rows whose `subset` contains this.
            graph: pairs: run the items through the real graph too, in a scratch store, with the people answering.
            plots: a folder for plots as PNG (needs matplotlib).

        Raises:
            UsageError: a file or an option that makes no sense.
        """
        from solon.eval.replay.graph import run_graph
        from solon.eval.replay.replay import replay

        return replay(
            path,
            panel=panel or None,
            subset=subset,
            labels=labels,
            reviewer=reviewer,
            budget=tuple(budget),
            alpha=alpha,
            delta=delta,
            policy=policy,
            seed=seed,
            seeds=seeds,
            draws=draws,
            plots=plots,
            run_graph=run_graph if graph else None,
        )

    def report(
        self,
        path: str | Path = "report.html",
        *,
        run_id: str | None = None,
        title: str = "",
        with_texts: bool = False,
    ) -> Report:
        """Write a self-contained page with every figure, its interval and its limits, and the same as JSON beside it.

        Args:
            path: the page, with a name in .html; its short form in Markdown, with one in .md.
            run_id: this run only; default: all runs.
            title: of the page.
            with_texts: show example texts; without it the report holds none.

        Returns:
            The figures that stand on the page.

        Raises:
            UsageError: the page cannot be written there, or there is no such run.
        """
        from solon.eval.releases.promises import recheck_promises
        from solon.eval.report.writing import write_report
        from solon.project.releases import FOLDER

        now = recheck_promises(self.store, FOLDER, self.config.reviewers)
        return write_report(
            self.store, Path(path), run_id=run_id, title=title, with_texts=with_texts, rechecked=now
        )

    # Taking out -------------------------------------------------------------------------------------------------

    def export(
        self,
        format: str,
        path: str | Path,
        *,
        run_id: str | None = None,
        recipe: str | None = None,
        all_runs: bool = False,
        constitution: str | None = None,
        as_of: str | float | None = None,
        min_margin: float | None = None,
        certified_only: bool = False,
        extra_columns: Sequence[str] = (),
        test_fraction: float = 0.0,
        folder: bool = False,
        licence: str = "",
        require_clean: Sequence[str | Path] = (),
        drop_contaminated: bool = False,
        k: int | None = None,
    ) -> ExportSummary:
        """Write the records in force, each item once: as a person decided it, otherwise as of the newest run.

        Args:
            format: jsonl, trl-preference, trl-sft, ...; see the page on formats.
            path: the file to write; a manifest lies beside it.
            run_id: records of this run only, its id or the beginning of it.
            recipe: records of this recipe only.
            all_runs: every record of every run.
            constitution: records accepted under NAME@VERSION (or its id) only.
            as_of: the records as they stood at the end of that day (UTC), or at a time (ISO text or epoch seconds).
            min_margin: leave out records with a smaller margin, and those that have none.
            certified_only: leave out provisional records.
            extra_columns: columns to add to a training format, such as `id` or `margin`.
            test_fraction: split off this share of the seed groups as NAME.test.EXT.
            folder: write a dataset folder with data, card and Croissant metadata instead.
            licence: of the set as a whole (SPDX), with `folder`; default: the seeds' own.
            require_clean: benchmarks; write only if no record holds a text of them.
            drop_contaminated: leave such records out instead.
            k: write so many records only, those that cover the others best; default: all, and of icl 8.

        Returns:
            What was written, and what was left out by reason.

        Raises:
            UsageError: an unknown format, column, run or version, or a path that cannot be a file.
            SolonError: the file could not be written, or a record holds a text of a benchmark. What was there before is
                unchanged.
        """
        from solon.eval.demonstrations import covering
        from solon.eval.material import gather
        from solon.eval.releases.benchmark import make_gate
        from solon.eval.set_rubric import judge_set
        from solon.eval.suites import generations
        from solon.formats.exports import export, find_format
        from solon.formats.folder import About, export_folder
        from solon.store.privacy.forgetting import mark_export
        from solon.store.records.exporting import export_rows, runs_in_force
        from solon.workspace.views import find_wanted

        gate = make_gate(require_clean, drop=drop_contaminated)
        which = find_wanted(
            self.store,
            run_id=run_id,
            recipe=recipe,
            all_runs=all_runs,
            constitution=constitution,
            as_of=as_of,
        )
        about = {name: which[name] for name in ("constitution", "as_of") if which[name] is not None}
        options: dict[str, Any] = {
            "min_margin": min_margin,
            "certified_only": certified_only,
            "extra_columns": tuple(extra_columns),
            "test_fraction": test_fraction,
            "runs": runs_in_force(self.store, **which),
            "refuse": gate,
            "about": {**about, "clean_of": gate.describe()} if gate is not None else about,
        }
        if folder:
            material = gather(self.store, run_id or ())
            made, by_rubric = generations.evaluate(material).spell(), judge_set(material).spell()
            options["about_set"] = About(licence=licence, made=made, set_rubric=by_rubric)
        form = find_format(format)
        if k is not None or form.chosen:
            options["choose"] = covering(form.chosen if k is None else k)
        left_out, rows = export_rows(self.store, **which, rejected=as_of is None, scored=form.scored)
        write = export_folder if folder else export
        with closing(rows):
            summary = write(rows, format=format, path=Path(path), left_out=left_out, **options)
        files = [*(file.path for file in summary.files), summary.manifest]
        mark_export(self.store, local_actor(), files, run=which["run_id"], recipe=recipe)
        return summary

    def export_reviews(
        self, format: str, path: str | Path, *, run_id: str | None = None, limit: int = 1000
    ) -> ReviewExport:
        """Write waiting reviews for Argilla or Label Studio; `import_` brings the answers back.

        Args:
            format: argilla or label-studio.
            path: the JSON file to write; what the other tool is to ask lies beside it.
            run_id: reviews of this run only; default: of all runs.
            limit: at most so many, in the order of the queue.

        Raises:
            UsageError: there is no such format or run, or the file cannot be written there.
        """
        from solon.operations.annotating import export_reviews

        return export_reviews(self, format, path, run_id=run_id, limit=limit)

    # Upkeep -----------------------------------------------------------------------------------------------------

    def doctor(self, *, offline: bool = False, repair: bool = False) -> Listing[Check]:
        """Check store, models, disk, packages and what waits; each finding says what to do.

        Args:
            offline: do not ask model servers.
            repair: bring in answers that led nowhere, and set damaged checkpoints aside.
        """
        from solon.operations.doctor import examine

        config = self.config.model_copy(update={"store": self.store.url})
        checks = examine(config, offline=offline, repair=repair, given=self.plugins)
        return Listing(checks, columns=("name", "state", "told", "next_step"))

    def verify_audit(self, head: str | None = None) -> AuditReport:
        """Check every seal of the log of what everyone did; `intact` says whether all hold, `problem` what does not.

        Args:
            head: a seal noted earlier, which must still be there.
        """
        from solon.store.database import audit_log

        return audit_log.verify(self.store, head)

    def forget(
        self,
        seed: str | None = None,
        *,
        group: str | None = None,
        subject: str | None = None,
        text_hash: str | None = None,
        match: str | None = None,
        by: str = "",
        dry_run: bool = False,
        many: bool = False,
    ) -> Erasure:
        """Erase every text that seeds led to, for good: `aforget` for scripts and notebooks, with its arguments and
        errors."""
        work = self.aforget(
            seed,
            group=group,
            subject=subject,
            text_hash=text_hash,
            match=match,
            by=by,
            dry_run=dry_run,
            many=many,
        )
        return run_sync(work)

    async def aforget(
        self,
        seed: str | None = None,
        *,
        group: str | None = None,
        subject: str | None = None,
        text_hash: str | None = None,
        match: str | None = None,
        by: str = "",
        dry_run: bool = False,
        many: bool = False,
    ) -> Erasure:
        """Erase every text that seeds led to: requests, calls, drafts, findings, reasons, decisions, checkpoints.

        What is left is ids and keyed hashes, which keep it from coming back. It cannot be undone; exports and backups
        stay yours. A store that was put back from an older copy is opened by `solon forget --again` alone.

        Args:
            seed: the id that the seed file gave, or that of a seed, item or record.
            group: every seed of this group, such as a patient.
            subject: every seed about this subject.
            text_hash: seeds that led to a text with this SHA-256.
            match: seeds that led to a text with this phrase.
            by: who asked for it, for the log; default: whoever sits here.
            dry_run: say what would go; change nothing.
            many: more than 50 seeds at once are meant.

        Raises:
            UsageError: nothing is found, too much is, or a run is at work. Nothing was changed.
            StoreError: the store cannot be written.
        """
        from solon.operations import forget as forgetting
        from solon.store.privacy.forgetting import Wanted

        wanted = Wanted(seed, group, subject, text_hash, match)
        if dry_run:
            return forgetting.look(self.store, wanted)
        return await forgetting.forget(self.store, wanted, actor=local_actor(), by=by, many=many)

    def backup(self, folder: str | Path) -> Backup:
        """Write a backup of store and checkpoints into a new folder, while runs and servers go on working.

        Raises:
            UsageError: there is something in the folder already; a store in PostgreSQL needs `pg_dump`.
            StoreError: the store is damaged, or cannot be read.
        """
        from solon.operations.backup import back_up

        return back_up(self.store, folder)

    @staticmethod
    def restore(folder: str | Path, store: str, *, replace: bool = False) -> Restored:
        """Put a backup back, and forget again what was forgotten after it was made. No project may have the store open.

        Args:
            folder: what `backup` wrote.
            store: URL where the store shall stand; of the kind of database that the backup was made from.
            replace: what stands there is given up.

        Raises:
            UsageError: there is no backup; a store stands at the URL and `replace` was not said; or others have it
                open. Nothing was changed.
            StoreError: the backup is damaged or a newer Solon made it, and nothing was changed.
        """
        from solon.operations.backup import restore

        return restore(folder, store, replace=replace)

    def sweep(self) -> tuple[str, ...]:
        """Clear free pages and logs of the database once more; returns what is left to do, empty where it is done."""
        from solon.operations.forget import sweep

        return tuple(sweep(self.store))

    def prune(self, *, dry_run: bool = False, compact: bool = False) -> Pruned:
        """Drop the checkpoints of items that wait for nobody, and give the space back. Records and journal stay.

        Args:
            dry_run: only count what would go.
            compact: then write the whole store anew, without free pages: it takes as much free disk, and others wait.

        Returns:
            How many were dropped and kept; in `held` the tables that others held, so that they were not written anew.
        """
        from solon.graphs.pruning import prune_checkpoints
        from solon.store.upkeep import pruning

        pruned = run_sync(prune_checkpoints(self.store, dry_run=dry_run))
        if not compact or dry_run:
            return pruned
        return replace(pruned, held=tuple(pruning.compact(self.store)))

    def migrate(
        self, target: str, *, on_progress: Callable[[str, int, int], None] | None = None
    ) -> Mapping[str, int]:
        """Copy the whole store into an empty database of another kind; returns rows by table. The source stays.

        Args:
            target: URL of an empty database: postgresql://... or sqlite:///FILE.
            on_progress: called with a table, its rows copied so far, and all of them.

        Raises:
            StoreError: the target holds a store already, or cannot be written.
            UsageError: a process still works on the source.
            ConfigError: the target is no URL of a store.
        """
        from solon.store.upkeep.copying import copy_store

        return copy_store(self.store, target, on_progress)

    def migrate_threads(
        self, run_id: str | None = None, *, max_calls: int = 0, dry_run: bool = False
    ) -> MigrationResult:
        """Bring waiting items to the graph of this version of Solon, and hand them the decisions given meanwhile.

        Args:
            run_id: items of this run only; default: of all runs.
            max_calls: model calls that it may make where a journal has a gap.
            dry_run: count only.

        Returns:
            What became of them; in `left` what could not be done, item by item.

        Raises:
            UsageError: there is no such run.
        """
        from solon.operations.migrate import migrate_threads

        work = migrate_threads(
            self.store,
            self.config,
            models=self.models,
            plugins=self.plugins,
            recipes=self.recipes,
            run_id=self._run_id(run_id),
            max_calls=max_calls,
            dry_run=dry_run,
        )
        return run_sync(work)

    def _run_id(self, named: str | None) -> str | None:
        """The whole id of a run that is named; None where none is, which means all of them."""
        from solon.store.runs.runs import find_run

        if named is None:
            return None
        with self.store.connect() as connection:
            return find_run(connection, named).id
