"""Questions whose answer is known, from a file of seeds into a store: for reliability, practice and calibration."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solon.consensus.balance import draw_balanced
from solon.errors import SeedError, UsageError
from solon.recipes.questions import Ranking, Spans, find_schema
from solon.store.database.local_actor import local_actor
from solon.store.learning.picking import add_picked
from solon.store.learning.sure import find_sure
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.known_import import import_known, retire_known
from solon.store.reviewing.voting import who_decides
from solon.workspace.seeds import good_rows, read_rows

if TYPE_CHECKING:
    from solon.formats.seed_files import BadRow
    from solon.store.learning.sure import Sure
    from solon.store.reviewing.known_import import Imported
    from solon.workspace.seeds import Seeds
    from solon.workspace.workspace import Workspace

PURPOSES = ("golden", "practice", "calibration")
SOURCES = ("decided", "certain")
"""Where golden questions are picked from: what a lead, an audit or two experts say, or what two experts say alike."""


@dataclass(frozen=True, slots=True)
class PickedQuestion:
    """A question that became, or would become, a golden one.

    Attributes:
        item_id: the item that it was asked about.
        recipe: recipe of the item.
        outcome: what is right: A or B (as the panel saw them), accept, reject or a label.
        settled_by: lead, agreement, audit or ruling.
        people: whose answers it rests on.
    """

    item_id: str
    recipe: str
    outcome: str
    settled_by: str
    people: int


@dataclass(frozen=True, slots=True)
class Picked:
    """What `solon golden pick` picked.

    Attributes:
        questions: the golden questions.
        outcomes: how many of them have which answer.
        sure: questions whose answer is sure, from which they were drawn.
        left_out: why others were left out, and how many.
        dry_run: nothing was stored.
    """

    questions: tuple[PickedQuestion, ...]
    outcomes: dict[str, int]
    sure: int
    left_out: dict[str, int]
    dry_run: bool


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
    refuse_detailed(workspace, recipe)
    bad: list[BadRow] = []
    rows = list(good_rows(read_rows(seeds, workspace.config), bad, None))
    if bad or not rows:
        problem = f"line {bad[0].line}: {bad[0].reason}" if bad else "there is no row"
        name = seeds if isinstance(seeds, str) or hasattr(seeds, "__fspath__") else "the questions"
        raise SeedError(f"{name}: {problem}", next_step="nothing was added; mend the file")
    pins = workspace.pin(recipe, "known")
    schema = find_schema(workspace.recipe(recipe).question, workspace.config)
    return import_known(workspace.store, pins, recipe, schema, rows, purpose, local_actor())


def pick_questions(
    workspace: Workspace, n: int, *, recipe: str | None, source: str, seed: int, dry_run: bool
) -> Picked:
    """Make golden questions of those whose answer people have settled surely, balanced over the answers.

    Raises:
        UsageError: there is no such source or recipe, or n is under 1.
    """
    if source not in SOURCES:
        raise UsageError(f"--from {source!r} is no source", next_step=f"sources: {', '.join(SOURCES)}")
    if n < 1:
        raise UsageError(f"--n {n} picks nothing", next_step="give a number of 1 or more")
    if recipe is not None:
        refuse_detailed(workspace, recipe)
    with workspace.store.connect() as connection:
        people = [one for one in list_experts(connection) if one.revoked_at is None]
        actors = [one.actor for one in list_experts(connection)]
        beliefs = who_decides(connection, actors, workspace.config.reviewers)
        final = {actor for actor, belief in beliefs.items() if belief.final}
        sure, left_out = find_sure(
            connection,
            leads={one.actor for one in people if one.may("lead")} & final,
            final=final,
            askable={one.actor for one in people if one.stage == "proven"},
            recipe=recipe,
            strict=source == "certain",
        )
    places = draw_balanced([(one.asked.recipe, one.outcome) for one in sure], n, seed)
    chosen = [sure[place] for place in places]
    if len(chosen) < len(sure):
        left_out["not drawn"] = len(sure) - len(chosen)
    if chosen and not dry_run:
        pins = {name: workspace.pin(name, "known") for name in {one.asked.recipe for one in chosen}}
        add_picked(workspace.store, pins, chosen, local_actor())
    outcomes = Counter(one.outcome for one in chosen)
    return Picked(tuple(map(_tell, chosen)), dict(sorted(outcomes.items())), len(sure), left_out, dry_run)


def _tell(sure: Sure) -> PickedQuestion:
    asked = sure.asked
    return PickedQuestion(asked.item_id, asked.recipe, sure.outcome, sure.settled_by, sure.people)


def retire_questions(workspace: Workspace, purpose: str) -> int:
    """Ask the questions of a purpose no more; the answers to them stay. Returns how many questions there were.

    Raises:
        UsageError: there is no such purpose.
    """
    check_purpose(purpose)
    return retire_known(workspace.store, purpose, local_actor())


def refuse_detailed(workspace: Workspace, recipe: str) -> None:
    """Refuse a recipe whose answers say more than their outcome: a known question has one answer out of a closed set.

    Raises:
        UsageError: it is such a recipe, or there is none of the name.
    """
    question = workspace.recipe(recipe).question
    if isinstance(question, Spans | Ranking):
        what, suite = ("spans", "spans") if isinstance(question, Spans) else ("a ranking", "rankings")
        raise UsageError(
            f"{recipe} asks for {what}, and a known question has one answer out of a closed set",
            next_step=f"compare people with each other: [review] answers = 2, then `solon eval {suite}`",
        )


def check_purpose(purpose: str) -> None:
    """Refuse what is no purpose of known questions.

    Raises:
        UsageError: there is no such purpose.
    """
    if purpose not in PURPOSES:
        raise UsageError(f"--for {purpose!r} is no purpose", next_step=f"purposes: {', '.join(PURPOSES)}")
