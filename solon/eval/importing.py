"""Bring existing preference and label sets, recorded panels and other tools' annotations into a store.

Rows become seeds of a run, with their answers as candidates; verdicts that they bring take the panel's place,
so that no model is asked; what people said of them answers the reviews through the outbox, under the channel
`import`.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.errors import AlreadyDecided, InvalidDecision, NotPending, SeedError, UsageError
from solon.eval.replay import recorded
from solon.eval.replay.graph import recorded_verdicts
from solon.formats import annotation, imports
from solon.formats.cells import decode_cells
from solon.formats.headers import name_columns
from solon.formats.imported import OURS, Imported, ImportFormat, Lines, Said, Skipped
from solon.formats.json_values import Verbatim, deeper_than
from solon.formats.paths import is_absent
from solon.formats.seed_files import BadRow, excerpt_of, find_reader, read_json, sum_up
from solon.formats.seed_rows import MAX_ID, RowProblem, SeedRow, parse_row, plain_row
from solon.formats.seeds import SeenIds, write_bad_rows
from solon.formats.trace_layouts import Span
from solon.formats.traces import NOTES, trace_formats
from solon.questions import PAIR
from solon.responses import is_label
from solon.store.database.local_actor import local_actor
from solon.store.database.storable import storable
from solon.store.database.tombstones import read_tombstones
from solon.store.reviewing.answering import answer_review
from solon.store.reviewing.measuring_runs import asks_golden, refuse_without_token, token_wanted
from solon.store.reviewing.reading import read_candidates
from solon.store.reviewing.review_rows import LeaseLost, NotThere, each_review, find_review, waiting_review
from solon.store.runs.items import load_items
from solon.store.runs.row_keys import spoken
from solon.sync import run_sync
from solon.workspace.seeds import admitted, why_forgotten, without_values
from solon.workspace.spool import Spool

if TYPE_CHECKING:
    from solon.config import Config
    from solon.graphs.runner import Runner
    from solon.store.database.engine import Connection
    from solon.store.reviewing.experts import ExpertRow
    from solon.store.reviewing.review_rows import ReviewRow
    from solon.store.runs.items import ItemRow
    from solon.workspace.workspace import Workspace

Pieces = Iterator[tuple[Imported, dict[str, Any]]]
"""What rows become: seeds with their rows, and answers to reviews with an empty one."""
CHANNEL = "import"
DECIDED_BEFORE = "already_decided"
PANEL, AUTO, MAP = "panel", "auto", "map"
READ = 500
"""Reviews that are read at a time."""
SAMPLE = 50
"""Rows by which `auto` tells what a file holds."""
LONGEST = 2_000_000
"""Characters of one row."""
DEEPEST = 128
"""Levels of lists and objects within each other; a tree of messages takes two for each turn."""


class Imports(BaseModel):
    """What an import did.

    Attributes:
        format: name of the format.
        run_id: the run that the rows became; None where the file only answers reviews.
        recipe: recipe of that run; None without one.
        rows: rows that were read.
        seeds: rows that became seeds of the run.
        decisions: answers that were taken as decisions.
        votes: verdicts that the rows bring along, such as thumbs of a trace.
        counted: whether an expert vouched for them, so that they count for reliability and certificates.
        unused: answers that were not taken, by reason, and rows without one.
        contradictions: lines of rows that say of the same answers to the same request the opposite of an earlier row.
        accepted: items of the run that are accepted.
        pending_review: items of the run that wait for an expert.
        metadata: columns that the format has no use for: they are kept with the seeds.
        empty: columns that say nothing in any of the rows.
        bad_rows: rows that were refused.
        refusals: why, a line for each of the commonest reasons with the number of rows and the first lines.
        bad_rows_file: where these are listed with their reasons; None where there are none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    run_id: str | None
    recipe: str | None
    rows: int
    seeds: int
    decisions: int
    votes: int
    counted: bool
    unused: dict[str, int]
    contradictions: list[int]
    accepted: int
    pending_review: int
    metadata: list[str]
    empty: list[str]
    bad_rows: int
    refusals: list[str]
    bad_rows_file: str | None

    @staticmethod
    def heading(reason: str) -> str:
        """Return under which heading a key of `unused` is told: not all of them are answers."""
        if reason == DECIDED_BEFORE:
            return "decided before"
        return "noted" if NOTES.fullmatch(reason) else "not a decision"


@dataclass(slots=True)
class _Read:
    """What was found in a file so far, but for the rows that can be used, of which no text is kept.

    Attributes:
        why_forgotten: why a seed is refused against which a tombstone stands; empty where none does.
        columns: name -> whether any row says something there.
        metadata: names of the columns that seeds keep as such.
        seeds: kinds of the rows that become seeds, with their number.
        votes: verdicts that they bring.
        said: those of which somebody said something; silent: the others, by what the summary calls them.
        names, wholes: what seeds are called, and all that they say.
        asked, settled: what is asked about which answers, and that with what was first said of it.
    """

    format: str = ""
    why_forgotten: Callable[[SeedRow], str] = lambda _seed: ""
    bad: list[BadRow] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    columns: dict[str, bool] = field(default_factory=dict)
    metadata: dict[str, None] = field(default_factory=dict)
    contradictions: list[int] = field(default_factory=list)
    seeds: Counter[str] = field(default_factory=Counter)
    votes: int = 0
    said: int = 0
    silent: Counter[str] = field(default_factory=Counter)
    names: SeenIds = field(default_factory=SeenIds)
    wholes: SeenIds = field(default_factory=SeenIds)
    asked: SeenIds = field(default_factory=SeenIds)
    settled: SeenIds = field(default_factory=SeenIds)

    def note_columns(self, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            if not self.columns.get(name):
                self.columns[name] = not is_absent(value)

    def count(self, lines: Lines) -> Lines:
        """The lines, each of which counts as a row."""
        for line in lines:
            self.rows += 1
            yield line

    def note_seed(self, one: Imported) -> None:
        self.seeds[one.kind] += 1
        self.votes += len(one.seed.get("verdicts") or ())
        self.metadata.update(dict.fromkeys(name for name in one.metadata if name != "record"))
        self.said += bool(one.said)
        if not one.said:
            self.silent["nobody_decided" if "verdicts" in one.seed else "no_answer"] += 1

    def contradicts(self, question: str, answer: str) -> bool:
        """Whether something else was said of the question by an earlier row."""
        if self.asked.add(question):
            self.settled.add(question + answer)
        return question + answer not in self.settled


def format_names() -> list[str]:
    """Return the names of the formats that `import_file` reads."""
    return sorted([*imports.FORMATS, *annotation.FORMATS, PANEL, AUTO, MAP])


def import_file(
    project: Workspace,
    format: str,
    path: str | Path,
    *,
    judge: bool = False,
    policy: str = "always",
    expert: ExpertRow | None = None,
    limit: int | None = None,
    progress: bool | None = None,
) -> Imports:
    """Bring a file into the project's store, and return what that did; doing it again goes on where it
    stopped.

    The file is read once, to its end, before anything is stored; the rows lie on the disk meanwhile. Then each answer
    of the file becomes a decision as soon as its item waits for one, while later rows are still on their way.

    Args:
        format: one of `format_names`; `auto` tells it by the first rows, `map` is the layout of `[import] map`.
        judge: ask the panel of the configuration about the rows too; without it no model is asked, and only
            verdicts that the file brings weigh.
        policy: of routing; `always` opens a review of every row, so that every answer of the file is a
            decision.
        expert: who vouches for the answers as theirs, given blind; only then they count for reliability,
            calibration and certificates. Without, they move their items and are precedents, nothing else; a
            run that measures takes none.
        limit: take the first so many rows.
        progress: show how far the run of the rows is, by a bar or lines; default: in a notebook only.

    Raises:
        UsageError: no such format, or `auto` knows none that the rows fit.
        TokenWanted: nobody vouches for the answers, and the policy, or the run of a review that they answer, measures.
        SeedError: the file cannot be read, or no row can be used.
        StoreError: there is no room for the rows in the folder for temporary files, or as of a run.
    """
    marks = read_tombstones(project.store)
    file, read = Path(path), _Read(format, partial(why_forgotten, project.store, marks))
    with Spool() as rows, Spool() as reviews:
        for one, row in _read(read, file, limit, project.config):
            if one.review:
                reviews.add(asdict(one))
                continue
            if judge:
                row.pop("verdicts", None)
            note = {"texts": _hash(_texts(row)), "said": [asdict(said) for said in one.said]}
            rows.add(plain_row(_coded(row, one.metadata), OURS), name=row["id"], note=note)
        _refuse_unusable(project, file, read, format, len(reviews))
        if expert is None:
            _refuse_unvouched(project, read, reviews, policy)
        answers = _Answers(project, rows, expert, read.skipped, progress)
        run_sync(answers.give_to_reviews(reviews))
        run_id = recipe = None
        if rows:
            recipe = project.recipes.asking(f"{next(iter(read.seeds))}@1")
            run_id = _run(project, recipe, read, rows, answers, judge=judge, policy=policy)
    return _summary(project, read, run_id, recipe, answers.decided, judge, expert)


def _refuse_unusable(project: Workspace, file: Path, read: _Read, format: str, answers: int) -> None:
    """Refuse a file before anything of it is stored, where it cannot be imported."""
    if len(read.seeds) > 1:
        raise SeedError(
            f"{file} mixes pairs and single answers",
            next_step="import them from two files; `solon export --recipe NAME` writes one recipe's records",
        )
    if not read.seeds and not answers:
        why = "".join(f"; {line}" for line in sum_up(_told(project, read)))
        raise SeedError(
            f"{file}: no row can be imported as {read.format}{why}" if read.rows else f"{file} is empty",
            next_step=_other_format(format, file, project.config) or "see docs/formats.md",
        )


def _told(project: Workspace, read: _Read) -> list[BadRow]:
    """The refused rows as they may be told and written to a file."""
    bad = (row for row in admitted(read.bad, project.store) if isinstance(row, BadRow))
    return without_values(project.config, bad)


def _refuse_unvouched(project: Workspace, read: _Read, reviews: Spool, policy: str) -> None:
    """Refuse answers for which nobody vouches, before one of them is stored, where one of them would measure."""
    known = set[tuple[str, str, str]]()
    with project.store.connect() as connection:
        if read.said:
            routing = project.config.routing.model_copy(update={"policy": policy})
            recipe = project.recipes.asking(f"{next(iter(read.seeds))}@1")
            if routing.measures or asks_golden(connection, recipe):
                raise token_wanted()
        for one in reviews:
            with suppress(NotThere):
                review = find_review(connection, one["review"]) if one["said"] else None
                if review is None:
                    continue
                own = review.item_id if is_label(review.response_schema) else ""
                if (alike := (review.run_id, review.response_schema, own)) not in known:
                    refuse_without_token(connection, review)
                    known.add(alike)


def _summary(
    project: Workspace,
    read: _Read,
    run_id: str | None,
    recipe: str | None,
    decisions: int,
    judge: bool,
    expert: ExpertRow | None,
) -> Imports:
    summary = None if run_id is None else project.summarize(run_id)
    bad_file = project.bad_rows_file(run_id or "import")
    refused = _told(project, read)
    if refused:
        write_bad_rows(bad_file, refused)
    return Imports(
        format=read.format,
        run_id=run_id,
        recipe=recipe,
        rows=read.rows,
        seeds=read.seeds.total(),
        decisions=decisions,
        votes=0 if judge else read.votes,
        counted=expert is not None,
        unused=dict(sorted((read.skipped + Counter()).items())),
        contradictions=read.contradictions,
        accepted=summary.accepted if summary else 0,
        pending_review=summary.pending_review if summary else 0,
        metadata=list(read.metadata),
        empty=[name for name, used in read.columns.items() if not used],
        bad_rows=len(refused),
        refusals=sum_up(refused),
        bad_rows_file=str(bad_file) if refused else None,
    )


def _run(
    project: Workspace,
    recipe: str,
    read: _Read,
    rows: Spool,
    answers: _Answers,
    *,
    judge: bool,
    policy: str,
) -> str:
    """Run the rows; the answers are carried to their items as these come to wait, and those to what opens later."""
    config = project.config
    changed: dict[str, Any] = {
        "routing": config.routing.model_copy(update={"policy": policy}),
        "seeds": config.seeds.model_copy(update={"map": OURS}),
    }
    if not judge:
        changed["resolver"] = config.resolver.model_copy(update={"enabled": False})
    project.config = config.model_copy(update=changed)
    run_id = project.run(recipe, rows, progress=answers.progress, on_runner=answers.follow).run_id
    while read.said and run_sync(answers.give(run_id)):
        # what was learned may open further reviews, audits among them
        project.resume(run_id, progress=answers.progress, on_runner=answers.follow)
    read.skipped.update(read.silent)
    if len(answers.answered) < read.said:
        read.skipped[DECIDED_BEFORE] += answers.find_decided(run_id)
    read.skipped["no_review_open"] += read.said - len(answers.answered)
    return run_id


class _Answers:
    """What people said of the rows of a file, given to the reviews that ask it.

    Attributes:
        decided: how many answers were taken as decisions.
        answered: names of the rows whose answer was given to a review, or stands as decided before.
        progress: whether the run shows how far it is, as of `import_file`.
    """

    def __init__(
        self,
        project: Workspace,
        rows: Spool,
        expert: ExpertRow | None,
        unused: Counter[str],
        progress: bool | None,
    ) -> None:
        """`rows`: with what was said of each, and a hash of its texts, as its note."""
        self.decided, self.answered, self.progress = 0, SeenIds(), progress
        self._project, self._store, self._rows = project, project.store, rows
        self._expert, self._unused = expert, unused
        self._tried, self._audited = SeenIds(), SeenIds()

    def follow(self, runner: Runner) -> None:
        """Answer the reviews of a run as its items come to wait."""
        runner.answering = self._answer_item

    async def _answer_item(self, item: ItemRow) -> bool:
        with self._store.connect() as connection:
            review = waiting_review(connection, item.id)
            said = self._said_of(connection, item.external_id, review) if review else []
        if review is None or not said:
            return False
        return await self._decide(review.id, review.candidates, said)

    async def give(self, run_id: str) -> int:
        """Answer whatever of a run waits, some at a time; returns how many answers were taken."""
        before = self.decided
        for part in self._reviews(run_id, "waiting"):
            with self._store.connect() as connection:
                found = [(one, self._said_of(connection, name, one)) for name, one in part]
            await _all(self._decide(one.id, one.candidates, said) for one, said in found if said)
        return self.decided - before

    def find_decided(self, run_id: str) -> int:
        """How many rows have an answer that reached no review, since theirs was decided before."""
        found = 0
        for part in self._reviews(run_id, "decided"):
            with self._store.connect() as connection:
                for name, review in part:
                    note = self._note_of(name, review)
                    if note and _speaks_of(connection, note, review):
                        found += self.answered.add(name)
        return found

    def _reviews(self, run_id: str, state: str) -> Iterator[list[tuple[str, ReviewRow]]]:
        """The reviews of a run in a state, some at a time, each with the name of its row."""
        last = None
        while True:
            with self._store.connect() as connection:
                part = list(each_review(connection, state=state, run_id=run_id, limit=READ, after=last))
            if not part:
                return
            items = load_items(self._store, [review.item_id for review in part])
            names = {item.id: item.external_id for item in items}
            yield [(names[review.item_id], review) for review in part if review.item_id in names]
            last = part[-1]

    async def give_to_reviews(self, reviews: Spool) -> None:
        """Answer reviews that waited here while the file was elsewhere. `solon resume` carries the answers on."""
        left = iter(reviews)
        while part := list(islice(left, READ)):
            silent = sum(not one["said"] for one in part)
            self._unused["no_answer"] += silent
            await _all(
                self._decide(one["review"], one["candidates"], [Said(**said) for said in one["said"]])
                for one in part
                if one["said"]
            )

    def _said_of(self, connection: Connection, name: str, review: ReviewRow) -> list[Said]:
        """What is to be answered to a review, if it asks about the answers of the file and not about a redraft; once.

        Nothing for a second expert: the file's answer must not be given twice as if by two people.
        """
        note = self._note_of(name, review)
        if not note:
            return []
        # A promise of several experts has as many audits of one item.
        if not self._tried.add(review.id) or (review.kind == "audit" and not self._audited.add(name)):
            return []
        if not _speaks_of(connection, note, review):
            return []
        self.answered.add(name)
        return [Said(**said) for said in note["said"]]

    def _note_of(self, name: str, review: ReviewRow) -> dict[str, Any] | None:
        """What was said of a row, and a hash of its texts, where the file may answer the review; None otherwise."""
        note = self._rows.note_of(name) if review.kind in ("interrupt", "audit") else None
        return note if note and note["said"] else None

    async def _decide(self, review_id: str, candidates: Sequence[str], answers: Sequence[Said]) -> bool:
        """The first answer is the decision; further ones are counted. True where it was taken."""
        first = answers[0]
        self._unused["further_answers"] += len(answers) - 1
        answer: dict[str, Any] = {"choice": first.choice}
        if first.response is not None and first.choice in ("prefer", "accept", "reject"):
            answer["candidate"] = candidates[first.response] if first.response < len(candidates) else ""
        if first.rationale.strip():
            answer["rationale"] = first.rationale
        by = self._expert or (f"{CHANNEL}:{first.by[:100]}" if first.by else local_actor())
        people, match = self._project.config.reviewers, self._project.config.review.match
        try:
            await self._store.writer.run(
                lambda connection: answer_review(
                    self._store,
                    review_id,
                    answer,
                    by=by,
                    channel=CHANNEL,
                    reviewers=people,
                    match=match,
                    within=connection,
                )
            )
        except AlreadyDecided:
            self._unused[DECIDED_BEFORE] += 1
        except (NotPending, LeaseLost):
            self._unused["no_review_open"] += 1
        except InvalidDecision:
            self._unused["not_an_answer_here"] += 1
        else:
            self.decided += 1
            return True
        return False


def _speaks_of(connection: Connection, note: Mapping[str, Any], review: ReviewRow) -> bool:
    """Whether the review shows the texts of the row that has this note, and not a redraft."""
    asked: str = note["texts"]
    return _hash([one.text for one in read_candidates(connection, review.candidates)]) == asked


async def _all(deciding: Iterable[Coroutine[Any, Any, bool]]) -> None:
    """Wait for all of them, also where one fails, so that none is stored after the import has ended."""
    for done in await asyncio.gather(*deciding, return_exceptions=True):
        if isinstance(done, BaseException):
            raise done


def _storable(one: Imported) -> Imported:
    """What people said, of which review or record, in texts that a store can hold."""
    said = (replace(each, by=storable(each.by), rationale=storable(each.rationale)) for each in one.said)
    candidates = tuple(map(storable, one.candidates))
    review, record = storable(one.review), storable(one.record)
    return replace(one, said=tuple(said), review=review, candidates=candidates, record=record)


def _seed_row(one: Imported) -> dict[str, Any]:
    """The seed with a name and a group: rows of one request never stand on both sides of a split."""
    row = {name: value for name, value in one.seed.items() if value is not None}
    row.setdefault("verdicts", [])
    asked = json.dumps([row.get("messages") or row.get("prompt"), row.get("input") or ""], ensure_ascii=True)
    row.setdefault("group", hashlib.sha256(asked.encode()).hexdigest()[:16])
    if row.get("id") in (None, ""):
        row["id"] = _hash([asked, [one if isinstance(one, str) else one["text"] for one in row["responses"]]])
    row["id"] = str(row["id"])
    return row


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=True, default=str).encode()).hexdigest()[:16]


def _coded(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """A seed and its metadata as one row of a run."""
    return {**metadata, **{OURS[name]: value for name, value in row.items()}}


def _texts(row: Mapping[str, Any]) -> list[str]:
    return [one if isinstance(one, str) else str(one["text"]) for one in row["responses"]]


def _read(content: _Read, file: Path, limit: int | None, config: Config) -> Pieces:
    """Yield what the rows of a file become one by one, seeds each with its row, and note the others in `content`."""
    if content.format not in (PANEL, AUTO):
        _find_format(content.format, config)
    lines = _lines(file, config) if content.format != PANEL else iter(())
    sample = list(islice(lines, SAMPLE))
    if content.format == AUTO:
        content.format = _recognise(file, sample, config)
    if content.format == PANEL:
        yield from _read_panel(content, file, limit, config.seeds.max_chars)
        return
    form = _find_format(content.format, config)
    first = [raw[1] for raw in sample if not isinstance(raw, BadRow)]
    read = form.settled(first) if form.settled else form.read
    of_lines = form.counts_lines and limit is None
    counted = content.count(chain(sample, lines)) if of_lines else chain(sample, lines)
    for raw in islice(form.gather(counted), limit):
        content.rows += not of_lines
        if isinstance(raw, BadRow):
            content.bad.append(raw)
            continue
        line, row = raw
        content.note_columns(row)
        try:
            for one in read(row):
                if isinstance(one, Skipped):
                    content.skipped[one.reason] += 1
                else:
                    mended = _storable(one)
                    yield mended, _take(content, mended, line, config.seeds.max_chars)
        except RowProblem as problem:
            content.bad.append(BadRow(line, str(problem), _excerpt(row)))


def _excerpt(row: Mapping[str, Any]) -> str:
    """How a refused row begins; of a span of a trace, which it is."""
    span = row.get("span")
    return str(span) if isinstance(span, Span) else excerpt_of(json.dumps(row, default=str)[:400])


def _find_format(name: str, config: Config) -> ImportFormat:
    if name == MAP and config.import_.map is None:
        raise UsageError(
            "there is no layout to read the file by",
            next_step='write it into solon.toml, e.g. [import] and below it map = { prompt = "question", '
            'answers = "completions[*].text", scores = "completions[*].score" }',
        )
    known = _formats(config)
    if name not in known:
        near = difflib.get_close_matches(name, format_names(), n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            f"there is no format {name!r} to import", next_step=f"{guess}known: {', '.join(format_names())}"
        )
    return known[name]


def _formats(config: Config) -> dict[str, ImportFormat]:
    """Every format by its name, in the order in which `auto` tries them: a layout of one's own goes first."""
    own = config.import_.map
    mapped = {} if own is None else {MAP: imports.of_map(MAP, "rows as [import] map says", own)}
    return {**mapped, **annotation.FORMATS, **imports.FORMATS, **trace_formats(config.import_.thumbs)}


def _other_format(format: str, file: Path, config: Config) -> str:
    """What to do about a file that is of another format than it was called; empty where that is not known."""
    try:
        found = _recognise(file, list(islice(_lines(file, config), SAMPLE)), config)
    except (UsageError, SeedError):
        return ""
    return f"`auto` reads it as {found}" if found != format and format != AUTO else ""


def _recognise(file: Path, sample: Sequence[tuple[int, Mapping[str, Any]] | BadRow], config: Config) -> str:
    """The name of the first format, which is the most particular, that more than half of the rows fit, so that a hole
    in a row does not turn the layout of the file; where there is none, of the one that most fit.
    """
    if not sample:
        raise SeedError(f"{file} is empty", next_step="see docs/formats.md")
    rows = [raw[1] for raw in sample if not isinstance(raw, BadRow)]
    fitting = Counter({PANEL: sum("judges" in row and "response_a" in row for row in rows)})
    for name, form in _formats(config).items():
        fitting[name] = sum(form.fits(row) for row in rows)
    best = max(fitting, key=lambda name: fitting[name])
    if fitting[best]:
        return next((name for name in fitting if 2 * fitting[name] > len(rows)), best)
    columns = ", ".join(dict.fromkeys(str(name)[:40] for row in rows for name in row))
    raise UsageError(
        f"{file}: the layout is none that is known (columns: {columns[:400] or 'none'})",
        next_step="name the format, or say where the parts stand with [import] map in solon.toml and import as `map`",
    )


def _take(found: _Read, one: Imported, line: int, max_chars: int) -> dict[str, Any]:
    """Note a seed, and return its row, if the run it goes to would take it; an empty one for answers to a review.

    Raises:
        RowProblem: it would not.
    """
    if one.review:
        return {}
    row = _seed_row(one)
    seed = parse_row(_coded(row, one.metadata), column_map=OURS, max_chars=max_chars, line=line)
    if why := found.why_forgotten(seed):
        raise RowProblem(why)
    name = row["id"] = seed.id
    whole = _hash([row, one.metadata, one.record, [asdict(said) for said in one.said]])
    if whole in found.wholes:
        raise RowProblem(f"duplicate id ({name}): an identical row stands above")
    settled = _settled(seed, one.said[0]) if one.said and one.said[0].response is not None else None
    found.note_seed(one)
    if name in found.names:  # another run's record of the same seed, or another row with the same id
        if one.seed.get("id") not in (None, "") and not one.record:
            one.metadata.setdefault("id", name)
        mark = one.record or whole
        name = one.seed["id"] = row["id"] = f"{name[: MAX_ID - 1 - len(mark)]}:{mark}"
    found.names.add(name)
    found.wholes.add(whole)
    if settled is not None and found.contradicts(*settled):
        found.contradictions.append(line)
    return row


def _settled(seed: SeedRow, said: Said) -> tuple[str, str]:
    """Hashes of a request with its answers, in whatever order, and of what is said of them.

    Raises:
        RowProblem: the answer that is meant has no text.
    """
    answers = [spoken(response.text) for response in seed.responses]
    if said.response is not None and said.response >= len(answers):
        raise RowProblem(f"answer {said.response + 1}, which was chosen, has no text")
    asked = [[turn["role"], spoken(turn["content"])] for turn in seed.conversation()]
    assert said.response is not None
    return _hash([asked, sorted(answers)]), _hash([said.choice, answers[said.response]])


def _lines(file: Path, config: Config) -> Lines:
    own = config.import_.map
    names = imports.known_columns(*(() if own is None else (own,)))
    if not file.is_file():
        raise SeedError(f"there is no file {file}", next_step="check the path")
    read = find_reader(file)
    for raw in read(file, LONGEST):
        if isinstance(raw, BadRow):
            yield raw
            continue
        line, row = raw[0], decode_cells(name_columns(raw[1], names))
        if read is read_json:
            row = {name: Verbatim(cell) if type(cell) is str else cell for name, cell in row.items()}
        deep = [name for name, value in row.items() if deeper_than(value, DEEPEST)]
        yield (
            BadRow(line, f"column {deep[0]!r:.60} is nested deeper than {DEEPEST} levels", "")
            if deep
            else (line, row)
        )


def _read_panel(content: _Read, file: Path, limit: int | None, max_chars: int) -> Pieces:
    """A recorded panel: verdicts of judges elsewhere, and the agreed human answer where there is one."""
    recording = recorded.load(file)
    if recording.kind != "pair":
        raise SeedError(
            f"{file} records {recording.kind}, not verdicts on pairs",
            next_step="replay it: solon eval replay FILE",
        )
    for line, (row, item) in enumerate(zip(recorded.read_lines(file), recording.items, strict=True), 1):
        if limit is not None and content.rows >= limit:
            break
        content.rows += 1
        texts = [row.get("response_a"), row.get("response_b")]
        if not isinstance(row.get("prompt"), str) or not all(isinstance(t, str) and t.strip() for t in texts):
            content.bad.append(
                BadRow(line, "prompt, response_a or response_b is no text", excerpt_of(repr(row)[:200]))
            )
            continue
        facts = {name: row[name] for name in ("input", "group", "lang", "source", "licence") if row.get(name)}
        seed = {**facts, "id": item.id, "prompt": row["prompt"], "responses": texts}
        seed["verdicts"] = recorded_verdicts(item)
        try:
            one = Imported("pair", seed, said=_agreed(item.gold))
            yield one, _take(content, one, line, max_chars)
        except RowProblem as problem:
            content.bad.append(BadRow(line, str(problem), excerpt_of(repr(row)[:200])))


def _agreed(gold: str | None) -> tuple[Said, ...]:
    place = PAIR.place(gold)
    if place is not None:
        return (Said("prefer", place),)
    return (Said("tie"),) if gold == "tie" else ()
