"""What is checked, named and compared before a run begins: seeds, configurations, prices."""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.config import Config
from solon.config.sections import GIVEN
from solon.consensus.panel import ABSTAIN, TIE
from solon.errors import ConfigError, SeedError, UsageError
from solon.formats.dataset_folders import list_data_files
from solon.formats.documents import is_document
from solon.formats.headers import fold
from solon.formats.seed_files import BadRow, excerpt_of, sum_up
from solon.formats.seed_rows import CHAT_COLUMNS, RowProblem, SeedRow, SeedVerdict
from solon.formats.seeds import SeenIds, read_seed_rows, read_seeds, write_bad_rows
from solon.formats.turns import find_turns
from solon.questions import nearest
from solon.workspace.spool import Spool

if TYPE_CHECKING:
    from solon.recipes.questions import Question
    from solon.recipes.recipe import Recipe
    from solon.recipes.sources import Source
    from solon.store.database.store import Store
    from solon.store.database.tombstones import Tombstones

Seeds = str | Path | Iterable[Mapping[str, Any] | str]
"""A file, or rows; a data frame (pandas, polars, Arrow, datasets) counts as its rows, see `as_rows`."""

TRIED = 200
"""Rows on whose texts the patterns of rules are tried before a run."""
_LISTS = ("to_dicts", "to_pylist", "to_list")
"""What gives the rows of a frame of polars, Arrow and datasets."""


def as_rows(seeds: Seeds) -> Seeds:
    """A data frame as a list of its rows, by column name; an index is left out. Anything else as it is.

    Raises:
        UsageError: two columns of a frame have the same name.
    """
    if isinstance(seeds, str | Path | list | tuple | Spool):
        return seeds
    names = getattr(seeds, "columns", None)
    if hasattr(seeds, "to_dict") and names is not None:  # pandas, which is not imported for it
        if len(set(names)) < len(names):
            raise UsageError(
                "two columns of the data frame have the same name", next_step="rename one of them"
            )
        rows: list[Mapping[str, Any]] = seeds.to_dict("records")
        return rows
    convert = next((getattr(seeds, name) for name in _LISTS if hasattr(seeds, name)), None)
    return convert() if convert is not None else seeds


def read_rows(
    seeds: Seeds,
    config: Config,
    recipe: Recipe | None = None,
    *,
    each: Callable[[SeedRow], None] | None = None,
) -> Iterator[SeedRow | BadRow]:
    """Seeds one by one, from a file or from rows, under the names that the configuration gives their columns.

    Args:
        recipe: whose source refuses rows with more responses than it has a use for and may make several seeds of a
            row, and whose question refuses verdicts that are none of its outcomes; None: the rows are the seeds.
        each: is told every row that can be read, before the recipe has a say.

    Raises:
        ConfigError: while they are read: a seed says whom it is about, and nobody has chosen the class of the seeds; or
            the source cannot make seeds, or the recipe's question cannot be asked.
        SeedError: while they are read: the source gave an id twice.
    """
    section = config.seeds
    seeds = as_rows(seeds)
    if isinstance(seeds, str | Path):
        rows = read_seeds(
            seeds,
            column_map=section.map,
            max_chars=section.max_chars,
            split=section.split,
            documents=recipe is None or recipe.source.documents,
        )
    else:
        rows = read_seed_rows(seeds, column_map=section.map, max_chars=section.max_chars)
    if each is not None:
        rows = _telling(rows, each)
    if recipe is not None:
        rows = _of_source(rows, recipe.source.under(config))
        rows = _as_asked(rows, recipe.question, config)
        rows = (
            _with_known_verdicts(rows, recipe.question.asked(config).outcomes) if recipe.has_panel else rows
        )
    if not config.privacy.chosen:
        name = str(seeds) if isinstance(seeds, str | Path) else "the rows"
        return (_about_nobody(row, name) for row in rows)
    return map(_without_values, rows) if config.privacy.guarded else iter(rows)


def _telling(rows: Iterable[SeedRow | BadRow], each: Callable[[SeedRow], None]) -> Iterator[SeedRow | BadRow]:
    for row in rows:
        if isinstance(row, SeedRow):
            each(row)
        yield row


def _about_nobody(row: SeedRow | BadRow, name: str) -> SeedRow | BadRow:
    if isinstance(row, SeedRow) and row.subject is not None:
        raise ConfigError(
            f"{name}: line {row.line} has a `subject`, so seeds are about people, and [privacy] class was left at its "
            "default, synthetic",
            next_step='choose, and write it into solon.toml: [privacy] and below it class = "personal" (calls go to '
            'allowed hosts only), "deidentified" (names are gone; seeds are scanned) or "synthetic" (the people are '
            "invented)",
        )
    return row


def tell_content_aside(seeds: Seeds, config: Config) -> str:
    """Which columns of the first rows look like content and are kept as metadata only, in words; empty for none."""
    from solon.formats.layouts import tell_aside

    if isinstance(seeds, str | Path) and (is_document(Path(seeds)) or not Path(seeds).is_file()):
        return ""
    rows = (row for row in islice(read_rows(seeds, config), TRIED) if isinstance(row, SeedRow))
    said = [
        name
        for row in rows
        for name, value in row.metadata.items()
        if value and isinstance(value, str | list)
        # what messages say beside role and content stands under the name of their column
        if fold(name) not in ("messages", *CHAT_COLUMNS) or find_turns(value) is not None
    ]
    return tell_aside(dict.fromkeys(said))


def check_source(seeds: Seeds, config: Config, recipe: Recipe) -> None:
    """Read the seeds of a recipe whose source makes its own once, so that what is wrong with it shows before there is a
    run. Errors are those of `read_rows`."""
    from solon.recipes.sources import Source as Plain

    if type(recipe.source).seeds is not Plain.seeds:
        for _ in read_rows(seeds, config, recipe):
            pass


def count_strata(seeds: Seeds, config: Config, recipe: Recipe, limit: int | None = None) -> Counter[str]:
    """Return how many of the first seeds, or of all, each stratum of `[routing] strata` has; none where there are no
    strata. Errors are those of `read_rows`.
    """
    from solon.store.runs.traits import COLUMNS, segment_of

    field, found = config.routing.strata, Counter[str]()
    if not field:
        return found
    good = (row for row in read_rows(seeds, config, recipe) if isinstance(row, SeedRow))
    for row in islice(good, limit):
        own = {name: getattr(row, name) for name in COLUMNS}
        found[segment_of({**own, "content": {"metadata": row.metadata}}, field)] += 1
    del found[""]
    return found


def check_strata(seeds: Seeds, config: Config, recipe: Recipe, limit: int | None) -> Counter[str]:
    """Count the strata that `[routing] strata` asks for, so that what is wrong with them shows before there is a run;
    returned as by `count_strata`.

    Raises:
        ConfigError: no seed names one, or there are too many. Other errors are those of `read_rows`.
    """
    from solon.consensus.strata import MOST

    field = config.routing.strata
    if not field:
        return Counter()
    found = count_strata(seeds, config, recipe, limit)
    if not found:
        raise ConfigError(
            f"routing.strata names {field!r}, and no seed states it",
            next_step="name a column of the seeds, such as specialty, or leave routing.strata out",
        )
    if len(found) > MOST:
        raise ConfigError(
            f"routing.strata names {field!r}, which has {len(found)} values in the seeds, and {MOST} is the most",
            next_step="name a column with fewer values, or add one that joins them",
        )
    return found


def check_rules(seeds: Seeds, config: Config, recipe: Recipe) -> None:
    """Try the patterns of rules on the first texts, so that one that runs away shows before there is a run.

    Raises:
        ConfigError: one does. Other errors are those of `read_rows`.
    """
    from solon.agents.voters import try_rules

    if recipe.has_panel and any(rule.regex for rule in config.rules):
        first = islice(read_rows(seeds, config, recipe), TRIED)
        rows = [row for row in first if isinstance(row, SeedRow)]
        try_rules(
            config,
            (
                text
                for row in rows
                for text in (row.prompt, row.input or "", *(r.text for r in row.responses))
            ),
        )


def _as_asked(
    rows: Iterable[SeedRow | BadRow], question: Question, config: Config
) -> Iterator[SeedRow | BadRow]:
    for row in rows:
        try:
            yield row if isinstance(row, BadRow) else question.read_row(row, config)
        except RowProblem as problem:
            yield BadRow(row.line, str(problem), excerpt_of(getattr(row, "prompt", "")))


def _with_known_verdicts(
    rows: Iterable[SeedRow | BadRow], outcomes: Sequence[str]
) -> Iterator[SeedRow | BadRow]:
    known = (*outcomes, TIE, ABSTAIN)
    for row in rows:
        said = (row.verdicts or ()) if isinstance(row, SeedRow) else ()
        problems = (_problem_of(one, f"verdicts[{place}]", known) for place, one in enumerate(said))
        problem = next(filter(None, problems), "")
        yield BadRow(row.line, problem, excerpt_of(row.id)) if problem and isinstance(row, SeedRow) else row


def _problem_of(said: SeedVerdict, where: str, known: Sequence[str]) -> str:
    """What is wrong with a verdict that came with a seed; empty where nothing is."""
    shares = said.shares or {}
    named = [(f"{where}.verdict", said.verdict), *((f"{where}.shares", outcome) for outcome in shares)]
    for place, outcome in named:
        if outcome not in known:
            return f"{place}: {outcome!r:.40} is no outcome of the recipe; {nearest(outcome, known)}"
    best = max(shares, key=lambda outcome: shares[outcome], default=said.verdict)
    if said.verdict not in (TIE, ABSTAIN) and shares.get(said.verdict, 0.0) < shares.get(best, 0.0):
        return f"{where}.verdict is {said.verdict!r:.40}, and its shares are highest for {best!r:.40}"
    return ""


def _of_source(rows: Iterable[SeedRow | BadRow], source: Source) -> Iterator[SeedRow | BadRow]:
    from solon.recipes.sources import Source as Plain
    from solon.recipes.sources import find_seeds

    most, plain, seen = source.most_given, type(source).seeds is Plain.seeds, SeenIds()
    for read in rows:
        row = read if most is None else _without_surplus(read, most)
        if plain or isinstance(row, BadRow):
            yield row
            continue
        try:
            found = find_seeds(source, row)
        except RowProblem as problem:
            yield BadRow(row.line, str(problem), excerpt_of(row.id))
            continue
        for seed in found:
            if not seen.add(seed.id):
                raise SeedError(
                    f"row {row.line}: {type(source).__name__} gave a seed an id that another has already",
                    next_step='let `seeds` give each an id of its own, such as f"{row.id}#{number}"',
                )
            yield seed


def _without_surplus(row: SeedRow | BadRow, most: int) -> SeedRow | BadRow:
    if not isinstance(row, SeedRow) or len(row.responses) <= most:
        return row
    instead = "give each a row of its own" if most else "leave them out"
    reason = (
        f"responses: there are {len(row.responses)}, and the recipe has a use for {most} of them; {instead}. "
        f"The first without one: {row.responses[most].text!r:.60}"
    )
    return BadRow(row.line, reason, excerpt_of(row.id))


def without_values(config: Config, rows: Iterable[BadRow]) -> list[BadRow]:
    """Refused rows as they may be written to a file under a configuration."""
    if not config.privacy.guarded:
        return list(rows)
    return [row for row in map(_without_values, rows) if isinstance(row, BadRow)]


def _without_values(row: SeedRow | BadRow) -> SeedRow | BadRow:
    """A refused row is written to a file: where seeds may name people, without anything that it said."""
    if isinstance(row, SeedRow):
        return row
    return BadRow(row.line, re.sub(r"""\s*['"(].*""", " ...", row.reason, flags=re.DOTALL), "")


def admitted(rows: Iterable[SeedRow | BadRow], store: Store | None) -> Iterator[SeedRow | BadRow]:
    """Rows against which no tombstone of the store stands; the others become bad rows that say so.

    Where anything was forgotten, refused rows repeat nothing that they said: it may be just that.
    """
    from solon.store.database.tombstones import read_tombstones

    marks = read_tombstones(store) if store is not None else None
    for row in rows:
        if store is not None and marks and isinstance(row, SeedRow):
            why = why_forgotten(store, marks, row)
            if why:
                yield BadRow(row.line, why, "")
                continue
        yield _without_values(row) if marks else row


def why_forgotten(store: Store, marks: Tombstones, row: SeedRow) -> str:
    """Why a row is refused against which a tombstone stands; empty where none does."""
    from solon.store.runs.runs import seed_identity

    kind = marks.refuse(row, seed_identity(store, row)[0]) if marks else ""
    return f"forgotten: a tombstone stands against its {kind}" if kind else ""


def good_rows(
    rows: Iterable[SeedRow | BadRow], bad: list[BadRow], limit: int | None
) -> Iterator[tuple[int, SeedRow]]:
    """The rows that can be used, each with its place among them; the others are put into `bad` on the way.

    Args:
        limit: end after so many good rows; None: never.
    """
    position = 0
    for row in rows:
        if limit is not None and position >= limit:
            return
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        yield position, row
        position += 1


def nothing_to_run(seeds: Seeds, bad: list[BadRow], file: Path) -> SeedError:
    """The error for seeds without one good row; where there are bad ones, `file` names them all."""
    name = str(seeds) if isinstance(seeds, str | Path) else "the rows"
    if not bad:
        return SeedError(f"{name}: there is no row", next_step="give a file with at least one seed")
    write_bad_rows(file, bad)
    first = bad[0]
    unreadable = first.reason.startswith(("not ", "malformed"))
    return SeedError(
        f"{name}: no row can be used as a seed; {'; '.join(sum_up(bad))} (all of them: {file})",
        next_step="mend that line; is the file what its ending says, in UTF-8?"
        if unreadable
        else "a seed needs `prompt` or `messages`; rename columns with [seeds] map",
    )


def name_seeds(
    seeds: Seeds, config: Config, store: Store, *, fingerprint: str | None = None
) -> tuple[str, str]:
    """Name and fingerprint of seeds, under which a store keeps their runs and certificates.

    Older versions took the bytes of the file for it. A run that they began over these very bytes keeps that one, as
    long as it holds seeds as they are read today.

    Args:
        fingerprint: as of `fingerprint_seeds`, where it is known.
    """
    from solon.store.runs.runs import is_run_of, seed_identity

    name = name_of(seeds)
    fingerprint = fingerprint or fingerprint_seeds(seeds, config)[1]
    rows = (row for row in read_rows(seeds, config) if isinstance(row, SeedRow))
    first = [seed_identity(store, row)[0] for row in islice(rows, 100)]
    with store.connect() as connection:
        if not is_run_of(connection, None, first):
            return name, fingerprint
        of_bytes = _fingerprint_bytes(seeds, config)
        return name, of_bytes if is_run_of(connection, of_bytes, first) else fingerprint


def name_of(seeds: Seeds) -> str:
    """What seeds are called: by their path, or by how many rows there are.

    Raises:
        UsageError: they are neither a path nor a list or frame of rows.
    """
    seeds = as_rows(seeds)
    if not isinstance(seeds, str | Path | list | tuple | Spool):
        raise UsageError("seeds must be a path or a list of rows", next_step="pass list(seeds)")
    return str(Path(seeds)) if isinstance(seeds, str | Path) else f"{len(seeds)} rows"


def fingerprint_seeds(seeds: Seeds, config: Config) -> tuple[str, str]:
    """Name and hash of seeds: of the rows that can be used, in whatever order, file and spelling they stand."""
    name, tally = name_of(seeds), Tally()
    for _ in read_rows(seeds, config, each=tally.add):
        pass
    return name, tally.fingerprint()


class Tally:
    """The fingerprint of a set of rows, row by row."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, row: SeedRow) -> None:
        """Count a row in."""
        self._total += row.digest()

    def fingerprint(self) -> str:
        """The hash of the rows, in whatever order they came."""
        return hashlib.sha256(str(self._total).encode()).hexdigest()[:24]


def _fingerprint_bytes(seeds: Seeds, config: Config) -> str:
    """The hash of the bytes of the file or of a folder's files, or of rows as they were given."""
    digest = hashlib.sha256(json.dumps(config.seeds.model_dump(), sort_keys=True).encode())
    seeds = as_rows(seeds)
    if isinstance(seeds, str | Path):
        path = Path(seeds)
        for each in list_data_files(path) if path.is_dir() else [path]:
            with each.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    else:
        with contextlib.suppress(
            ValueError, TypeError, RecursionError
        ):  # of what has no JSON there was no run
            for place, row in enumerate(seeds):  # as `json.dumps` writes the list, and never whole in memory
                written = json.dumps(row, sort_keys=True, default=_spell_value)
                digest.update(f"{', ' if place else '['}{written}".encode())
            digest.update(b"]")
    return digest.hexdigest()[:24]


def _spell_value(value: Any) -> Any:
    # An array of a data frame in full: its text would leave out the middle.
    return value.tolist() if hasattr(value, "tolist") else str(value)


def name_given(chat: object) -> str:
    """What a chat model that was passed from Python is called where its configuration does not say it."""
    name = getattr(chat, "model_name", None) or getattr(chat, "model", None) or type(chat).__name__
    return f"{GIVEN}:{name}"


def with_given(config: Config, given: Mapping[str, str]) -> Config:
    """The configuration with the names of models that were passed from Python, where it says nothing of them."""
    models = {
        name: model.model_copy(update={"model": given[name]})
        if name in given and "model" not in model.model_fields_set
        else model
        for name, model in config.models.items()
    }
    return config.model_copy(update={"models": models})


@dataclass(frozen=True, slots=True)
class Sample:
    """Random rows of a file.

    Attributes:
        rows: the sample.
        pilot: names of those that a run over the whole file would draw into its pilot.
        seeds: good rows of the whole file.
        items: that they are.
        bad_rows: rows of the whole file that cannot be used.
    """

    rows: list[SeedRow]
    pilot: set[str]
    seeds: int
    items: int
    bad_rows: int


def draw_sample(
    seeds: Seeds,
    config: Config,
    n: int,
    draw: int,
    only: set[str] | None,
    bad_rows_file: Path,
    store: Store | None = None,
    recipe: Recipe | None = None,
) -> Sample:
    """Draw `n` rows, the same ones for the same `draw`; `only` from these names. The file is read once, row by row.

    Args:
        store: the project's, whose tombstones stand against rows.
        recipe: as of `read_rows`. Of its items of a seed the first one stands in the sample.
    """
    bad: list[BadRow] = []
    pilot_draws: list[tuple[int, str]] = []
    every = array("Q")
    root, routing, expand = config.run.seed, config.routing, recipe.source.expand if recipe else 1

    def good() -> Iterator[SeedRow]:
        for row in admitted(read_rows(seeds, config, recipe), store):
            if isinstance(row, BadRow):
                bad.append(row)
                continue
            every.extend(_pilot_draw(root, row, number) for number in range(expand))
            if only is None or row.id in only:
                yield row

    rows = heapq.nsmallest(n, good(), key=lambda row: _share(draw, row.id))
    if not every:
        raise nothing_to_run(seeds, bad, bad_rows_file)
    if not rows:
        raise UsageError(
            "the run to compare with has none of these seeds",
            next_step="give the seeds that it was made from",
        )
    pilot: set[str] = set()
    if routing.draws_pilot:
        limit = heapq.nsmallest(routing.pilot_of(len(every)), every)[-1]
        pilot_draws = [(_pilot_draw(root, row, 0), row.id) for row in rows]
        pilot = {name for drawn, name in pilot_draws if drawn <= limit}
    return Sample(rows, pilot, len(every) // expand, len(every), len(bad))


def _pilot_draw(root: int, row: SeedRow, number: int) -> int:
    from solon.store.runs.runs import item_random_seed

    return item_random_seed(root, row.id, number)


def _share(draw: int, name: str) -> bytes:
    return hashlib.blake2b(f"{draw}:{name}".encode(), digest_size=8).digest()


def name_bad_rows_file(store_url: str, run_id: str) -> Path:
    """The side file of a run, beside its store (in the working folder, where the store is no file)."""
    from solon.store.database.engine import sqlite_path

    store_file = sqlite_path(store_url)
    folder = store_file.parent if store_file is not None else Path.cwd()
    return folder / f"{store_file.stem if store_file else 'solon'}.{run_id}.bad-rows.jsonl"
