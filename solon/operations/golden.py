"""Questions whose answer is known, from a file of seeds into a store: for reliability, practice and calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solon.errors import SeedError, UsageError
from solon.recipes.questions import find_schema
from solon.store.database.local_actor import local_actor
from solon.store.reviewing.known_import import import_known, retire_known
from solon.workspace.seeds import good_rows, read_rows

if TYPE_CHECKING:
    from solon.formats.seed_files import BadRow
    from solon.store.reviewing.known_import import Imported
    from solon.workspace.seeds import Seeds
    from solon.workspace.workspace import Workspace

PURPOSES = ("golden", "practice", "calibration")


def add_questions(
    workspace: Workspace, seeds: Seeds, *, purpose: str = "golden", recipe: str = "preference"
) -> Imported:
    """Add questions whose answer is known; the same question for the same purpose is there once.

    Args:
        seeds: as for a run, with the candidates in `responses`, what is right in `answer`, and `why`.
        purpose: golden (mixed into the queue), practice or calibration (for new experts).

    Raises:
        UsageError: there is no such purpose or recipe.
        SeedError: naming the row and what is wrong; nothing was added.
    """
    check_purpose(purpose)
    bad: list[BadRow] = []
    rows = list(good_rows(read_rows(seeds, workspace.config), bad, None))
    if bad or not rows:
        problem = f"line {bad[0].line}: {bad[0].reason}" if bad else "there is no row"
        name = seeds if isinstance(seeds, str) or hasattr(seeds, "__fspath__") else "the questions"
        raise SeedError(f"{name}: {problem}", next_step="nothing was added; mend the file")
    pins = workspace.pin(recipe, "known")
    schema = find_schema(workspace.recipe(recipe).question, workspace.config)
    return import_known(workspace.store, pins, recipe, schema, rows, purpose, local_actor())


def retire_questions(workspace: Workspace, purpose: str) -> int:
    """Ask the questions of a purpose no more; the answers to them stay. Returns how many questions there were.

    Raises:
        UsageError: there is no such purpose.
    """
    check_purpose(purpose)
    return retire_known(workspace.store, purpose, local_actor())


def check_purpose(purpose: str) -> None:
    """Refuse what is no purpose of known questions.

    Raises:
        UsageError: there is no such purpose.
    """
    if purpose not in PURPOSES:
        raise UsageError(f"--for {purpose!r} is no purpose", next_step=f"purposes: {', '.join(PURPOSES)}")
