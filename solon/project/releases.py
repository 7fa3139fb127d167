"""Frozen exports of a project that can be rebuilt and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.errors import UsageError
from solon.eval.releases.benchmark import make_gate
from solon.eval.releases.diff import diff_releases
from solon.eval.releases.hub import push_release
from solon.eval.releases.promises import Wanted, create_promised, verify_promised, withdraw_promised
from solon.eval.releases.releases import create_release
from solon.eval.releases.signatures import sign_release
from solon.recipes.questions import find_schema
from solon.store.database.local_actor import local_actor
from solon.store.runs.runs import find_run

if TYPE_CHECKING:
    from solon.eval.releases.diff import ReleaseDiff
    from solon.eval.releases.hub import Push
    from solon.eval.releases.releases import Verification
    from solon.store.records.checking import RecordQuestion
    from solon.workspace.workspace import Workspace

FOLDER = Path("releases")


class Releases:
    """Frozen exports: `project.releases`. A release is named by its name in `releases/`, or by its folder."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def create(
        self,
        name: str,
        folder: str | Path | None = None,
        *,
        format: str = "jsonl",
        run_id: str | None = None,
        recipe: str | None = None,
        all_runs: bool = False,
        constitution: str | None = None,
        as_of: str | float | None = None,
        min_margin: float | None = None,
        certified_only: bool = False,
        extra_columns: Sequence[str] = (),
        test_fraction: float = 0.0,
        require_clean: Sequence[str | Path] = (),
        drop_contaminated: bool = False,
        promise: float | None = None,
        confidence: float = 0.9,
        slips: int = 2,
        dry_run: bool = False,
        settle: bool = False,
    ) -> dict[str, Any]:
        """Freeze what an export would write now: ids, hashes, versions, certificates, prompts, models, the log's head.

        Args:
            name: its name, once and for all.
            folder: default: `releases/NAME`.
            format, run_id, recipe, all_runs, constitution, as_of, min_margin, certified_only, extra_columns,
                test_fraction, require_clean, drop_contaminated: as of `Project.export`.
            promise: the share of its records that is to agree with the experts, in (0, 1). The first call freezes the
                set, draws a sample of what experts have not decided, and opens those reviews; the same call writes the
                release once they are answered. None: nothing is promised.
            confidence: of that promise, in (0, 1).
            slips: disagreements that the first look at the sample leaves room for; the sample is extended once.
            dry_run: with a promise, only say what would be asked.
            settle: write a smaller promise than was planned, although open answers could still show the planned one.

        Returns:
            The manifest, as `release.json` holds it. Where a promise waits for answers, and in a dry run, only `name`
            and `promise`, with its `state`, the plan, and what is answered.

        Raises:
            UsageError: the name is taken or no name, the folder exists, there is no such run or version, or another
                process is making this release.
            SolonError: it was sealed and cannot be put in its place; the same call goes on. Or a record holds a text
                of a benchmark.
            PromiseRefused: the answers do not show what was to be promised; it says what they show.
        """
        target = Path(folder) if folder is not None else FOLDER / name
        options: dict[str, Any] = {
            "format": format,
            "run_id": run_id,
            "recipe": recipe,
            "all_runs": all_runs,
            "constitution": constitution,
            "as_of": as_of,
            "min_margin": min_margin,
            "certified_only": certified_only,
            "extra_columns": tuple(extra_columns),
            "test_fraction": test_fraction,
            "gate": make_gate(require_clean, drop=drop_contaminated),
        }
        store = self._workspace.store
        if promise is None:
            if dry_run:
                raise UsageError("a dry run is of a promise", next_step="give --promise .95, say")
            return create_release(store, name, target, actor=local_actor(), **options)
        return create_promised(
            store,
            name,
            target,
            Wanted(promise, confidence, slips, dry_run, settle),
            actor=local_actor(),
            reviewers=self._workspace.config.reviewers,
            schema_of=self._schema_of,
            **options,
        )

    def _schema_of(self, question: RecordQuestion) -> str:
        """The response schema under which the recipe of a record's run asks about it."""
        with self._workspace.store.connect() as connection:
            run = find_run(connection, question.run_id)
        config = self._workspace.config_of(run)
        recipe = self._workspace.recipes.of_run(run.recipe, config.plugins, run.id, config)
        return find_schema(recipe.question, config)

    def withdraw(self, name: str) -> int:
        """Give up the set that is frozen for a promise under this name; its open reviews leave the queue.

        Returns:
            How many reviews there were.

        Raises:
            UsageError: no set of this name waits.
        """
        return withdraw_promised(self._workspace.store, name, actor=local_actor())

    def sign(self, name: str | Path) -> dict[str, Any]:
        """Sign, as a lead by their token, for what a release promises; what is signed says what it does not say.

        Returns:
            The signature: name, role, date, sentence, and the hash of what was signed.

        Raises:
            UsageError: there is no such release, it promises nothing or does not verify, or no lead's token is given.
        """
        self._check_verifies(name)
        return sign_release(self._workspace.store, find_folder(name), self._workspace.acting_expert())

    def verify(self, name: str | Path) -> Verification:
        """Check the seal and the hashes, rebuild every file without network or model, and compare the bytes; recompute
        what it promises, and check who signed.

        Raises:
            UsageError: there is no such release.
        """
        return verify_promised(self._workspace.store, find_folder(name), self._workspace.config.reviewers)

    def push(
        self,
        name: str | Path,
        repository: str,
        *,
        public: bool = False,
        existing: bool = False,
        dry_run: bool = False,
    ) -> Push:
        """Send a release that verifies to a repository of the Hugging Face Hub, with the token in HF_TOKEN.

        Args:
            repository: `OWNER/NAME`.
            public: everyone may read it; otherwise the new repository is private.
            existing: add to a repository that is there, in place of making one.
            dry_run: only say what would be sent.

        Raises:
            UsageError: there is no such release or it does not verify, there is no token, the repository has no right
                name or exists, or texts name people.
            SolonError: the hub refused, or was not reached.
        """
        self._check_verifies(name)
        workspace = self._workspace
        return push_release(
            workspace.store,
            find_folder(name),
            repository,
            public=public,
            existing=existing,
            dry_run=dry_run,
            privacy=workspace.config.privacy.class_,
            actor=local_actor(),
        )

    def _check_verifies(self, name: str | Path) -> None:
        found = self.verify(name)
        if failed := [check for check in found.checks if not check.passed]:
            raise UsageError(
                f"the release does not verify: {failed[0].name}: {failed[0].told}",
                next_step="see `solon release verify`, and make another one",
            )

    def diff(self, a: str | Path, b: str | Path | None = None) -> ReleaseDiff:
        """The rows added, dropped and changed between two releases, with reasons.

        Args:
            b: the other release; default: what the same options would release now.

        Raises:
            UsageError: there is no such release.
        """
        return diff_releases(self._workspace.store, find_folder(a), find_folder(b) if b is not None else None)


def find_folder(name: str | Path) -> Path:
    """The folder of a release: the path itself where there is one, else that name in `releases/`."""
    return Path(name) if Path(name).is_dir() else FOLDER / name
