"""`solon preview`: a few random seeds through the recipe, in a scratch store."""

from __future__ import annotations

from json import loads as json_of
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.diff import print_changes
from solon.cli.interrupts import Stopper
from solon.cli.options import ConfigOption, JsonOption, StoreOption, read_config
from solon.cli.terminal import FAILED, STOPPED, console, print_json, say
from solon.display.progress import ProgressDisplay
from solon.display.text import clean, shorten

if TYPE_CHECKING:
    from solon.config import Config
    from solon.operations.preview import Preview, PreviewItem
    from solon.project import Project

_TEXT = 400
_SHORT = 160


def register(app: typer.Typer) -> None:
    """Add `solon preview` to the command line."""
    app.command("preview")(preview)


def preview(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe: `solon recipes` lists them.")],
    seeds: Annotated[Path, typer.Option("--seeds", metavar="FILE", help="JSONL, CSV or Parquet.")],
    n: Annotated[int, typer.Option("-n", min=1, max=200, metavar="N", help="So many random seeds.")] = 5,
    draw: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="NUMBER", help="Draw the same seeds as an earlier preview; it tells its number."
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="RUN", help="Compare with what this run made of the same seeds.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Try a recipe on a few random seeds: drafts, critiques, verdicts, where each would go, what all would cost.

    Opens no review and makes no record. Finished model calls are kept for the next preview and the run.

    Example: solon preview preference --seeds seeds.jsonl -n 5
    """
    from solon.operations.preview import apreview

    settings = read_config(config, store)
    home = open_home(settings)
    display = ProgressDisplay()
    stopper = Stopper(display.restore_terminal)
    try:
        with display:
            found = stopper.run(
                lambda: apreview(
                    recipe,
                    seeds,
                    home,
                    n=n,
                    draw=draw,
                    against=against,
                    on_progress=display.show,
                    on_runner=stopper.watch,
                ),
                tick=display.tick,
            )
    finally:
        close = getattr(home, "close", None)
        if close is not None:
            close()
    if json:
        print_json(found.to_plain())
    else:
        print_preview(found)
        say(f"the same seeds again: --draw {found.drawn_with}")
        for note in found.notes:
            say(f"note: {note}")
    if found.stopped_because:
        say(f"stopped: {found.stopped_because}")
        raise typer.Exit(STOPPED)
    if found.items and all(item.where == "failed" for item in found.items):
        raise typer.Exit(FAILED)


def open_home(config: Config) -> Project | Config:
    """The project, where there is a store already; otherwise its configuration alone, since a preview must not
    make a store."""
    from solon.project import Project
    from solon.store.database.engine import sqlite_path

    file = sqlite_path(config.store)
    if file is not None and not file.exists():
        return config
    return Project(config=config, create=False)


def print_preview(found: Preview) -> None:
    """Print every item of a preview with what the agents made of it, then the sum."""
    out = console()
    for item in found.items:
        _print_item(item)
    went = ", ".join(f"{number} {where}" for where, number in sorted(found.destinations().items()))
    out.print(f"{len(found.items)} of {found.seeds} seeds: {went}", style="bold")
    cost = "cost unknown (no price for a model)" if found.cost is None else f"cost {found.cost:.4f}"
    guess = f" (usage not told for {found.usage_not_told} calls: estimated)" if found.usage_not_told else ""
    out.print(f"  {found.calls_made} model calls made, {found.calls_reused} reused; {cost}{guess}")
    if found.bad_rows:
        out.print(f"  {found.bad_rows} rows of the file cannot be used; `solon run` names them")
    if found.whole:
        told = ", ".join(f"{name} {estimate.spell(name)}" for name, estimate in sorted(found.whole.items()))
        out.print(f"  all {found.seeds} seeds (as the cheapest, the mean, the dearest seen): {told}")
        if "cost" not in found.whole:
            out.print("  cost of the whole is unknown: add [models.*.price]")
    if found.against is not None:
        print_changes(found.against)


def _print_item(item: PreviewItem) -> None:
    out = console()
    pilot = " (pilot)" if item.pilot else ""
    audit = " (would be audited)" if item.would_be_audited else ""
    out.print(clean(f"seed {item.seed}: {item.where}{pilot}{audit}"), style="bold")
    out.print(f"  {shorten(item.prompt, _SHORT)}")
    for reason in item.why:
        out.print(f"  because {shorten(reason, _SHORT)}")
    names = {c["id"]: f"candidate {i + 1}" for i, c in enumerate(item.candidates)}
    for candidate in item.candidates:
        head = f"{names[candidate['id']]}, {candidate['kind']} by {candidate['author']}"
        out.print(clean(f"  {head}: {shorten(candidate['text'] or '', _TEXT)}"))
        for critique in item.critiques:
            if critique["candidate_id"] == candidate["id"]:
                out.print(f"    critique: {_spell_critique(critique)}")
    for verdict in item.verdicts:
        out.print(f"    {_spell_verdict(verdict, names)}")
    for resolution in item.resolutions:
        side = resolution["outcome"] or names.get(resolution["favours_id"], "nobody")
        said = resolution["handed_over"] or f"favours {side} by {', '.join(resolution['cites'] or ())}"
        out.print(f"    resolver: {shorten(said, _SHORT)}{_spell_author(resolution)}")


def _spell_critique(critique: dict[str, Any]) -> str:
    if critique["abstained"]:
        return f"none ({clean(critique['abstained'])}){_spell_author(critique)}"
    cited = ", ".join(critique["principles"] or ())
    found = json_of(critique["text"] or "[]")
    said = "; ".join(f"{entry['quote']!r}: {entry['suggestion']}" for entry in found)
    told = f"{critique['worst']}{f' ({cited})' if cited else ''} {shorten(said, _SHORT)}".rstrip()
    return clean(told) + _spell_author(critique)


def _spell_author(row: dict[str, Any]) -> str:
    """The model whose call brought it."""
    return clean(f" [{row['model']}]") if row["model"] else ""


def _spell_verdict(verdict: dict[str, Any], names: dict[str, str]) -> str:
    from solon.questions import PAIR

    a, b = PAIR.outcomes
    sides = {a: names.get(verdict["a_id"], a), b: names.get(verdict["b_id"], b)}
    said = f"abstains ({verdict['abstained']})" if verdict["abstained"] else verdict["outcome"]
    said = sides.get(said, said)
    first = {"AB": sides[a], "BA": sides[b]}.get(verdict["order"], "")
    saw = f", saw {first} first" if first else ""
    p = f", p {verdict['p']:.2f} for {sides[a]}" if verdict["p"] is not None and verdict["order"] else ""
    why = f": {shorten(verdict['rationale'], _SHORT)}" if verdict.get("rationale") else ""
    return clean(f"judge {verdict['seat']} [{verdict['judge']}]{saw}: {said}{p}{why}")
