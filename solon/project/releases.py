"""Frozen exports of a project that can be rebuilt and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.eval.releases.benchmark import make_gate
from solon.eval.releases.diff import diff_releases
from solon.eval.releases.releases import create_release, verify_release
from solon.store.database.local_actor import local_actor

if TYPE_CHECKING:
    from solon.eval.releases.diff import ReleaseDiff
    from solon.eval.releases.releases import Verification
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
    ) -> dict[str, Any]:
        """Freeze what an export would write now: ids, hashes, versions, certificates, prompts, models, the log's head.

        Args:
            name: its name, once and for all.
            folder: default: `releases/NAME`.
            format, run_id, recipe, all_runs, constitution, as_of, min_margin, certified_only, extra_columns,
                test_fraction, require_clean, drop_contaminated: as of `Project.export`.

        Returns:
            The manifest, as `release.json` holds it.

        Raises:
            UsageError: the name is taken or no name, the folder exists, there is no such run or version, or another
                process is making this release.
            SolonError: it was sealed and cannot be put in its place; the same call goes on. Or a record holds a text
                of a benchmark.
        """
        return create_release(
            self._workspace.store,
            name,
            Path(folder) if folder is not None else FOLDER / name,
            format=format,
            run_id=run_id,
            recipe=recipe,
            all_runs=all_runs,
            constitution=constitution,
            as_of=as_of,
            actor=local_actor(),
            min_margin=min_margin,
            certified_only=certified_only,
            extra_columns=tuple(extra_columns),
            test_fraction=test_fraction,
            gate=make_gate(require_clean, drop=drop_contaminated),
        )

    def verify(self, name: str | Path) -> Verification:
        """Check the seal and the hashes, rebuild every file without network or model, and compare the bytes.

        Raises:
            UsageError: there is no such release.
        """
        return verify_release(self._workspace.store, find_folder(name))

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
