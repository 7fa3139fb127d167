"""Labels of others, checked: which of a file are probably wrong, by a classifier that did not see them and by what a
store's panel said of the same texts; reviews of the first; and how many of the reviewed were wrong."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from solon.consensus.ballots import Floats, Ints
from solon.consensus.label_errors import ConfidentJoint, add_evidence, join_confidently, rank_label_errors
from solon.errors import SeedError, UsageError
from solon.eval.label_reviews import find_decided, find_waiting, hear_panels, key_of, open_reviews
from solon.eval.result import Figure, SuiteResult, rate
from solon.eval.suites.duplicates import find_twins
from solon.formats.containers import CsvSink, JsonlSink, check_target, write_text_at_once
from solon.formats.labelled import Labelled, read_labelled, refuse_misspelt
from solon.formats.seed_files import BadRow, sum_up
from solon.formats.tables import disarm
from solon.store.database.ids import hash_id
from solon.workspace.seeds import without_values

if TYPE_CHECKING:
    from solon.config import Config
    from solon.eval.material import Material
    from solon.workspace.workspace import Workspace

FEWEST = 5
"""Texts that a label must have: five folds cannot judge a label of fewer."""
MOST_CELLS = 20_000_000
"""Texts times labels."""
SHOWN = 20
SINKS_BY_ENDING: dict[str, type[JsonlSink | CsvSink]] = {".jsonl": JsonlSink, ".csv": CsvSink}
NOT_ASKED = "nobody has decided any of them: open reviews with --review"


class Suspect(BaseModel):
    """A text whose label is probably wrong.

    Attributes:
        line: where it stands in the file.
        text: the text.
        given: its label.
        suggested: the likeliest other label.
        p_given: probability of the given label.
        p_suggested: probability of the suggested one.
        panel: whether the panel of the store spoke of it.
        decided: what a person decided; None where nobody has.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: int
    text: str
    given: str
    suggested: str
    p_given: float
    p_suggested: float
    panel: bool = False
    decided: str | None = None


class Mistaken(BaseModel):
    """A label that was given where another is likely right.

    Attributes:
        given: the label given.
        likely: the label that is likely right.
        texts: on how many texts.
        share: of the texts that the label was given to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    given: str
    likely: str
    texts: int
    share: Figure


class LabelCheck(SuiteResult):
    """What is probably wrong with the labels of a file; `n` is the number of texts that were judged.

    Attributes:
        suspected: share of the labels that confident learning holds for wrong, an estimate.
        reviewed: of the suspects that people decided, the share whose given label was wrong.
        others: of the other texts that people decided, the same share.
        mistaken: given -> likely label, the most frequent first.
        suspects: the first rows, the most doubtful first.
        labels: label -> texts that it was given to.
        left_out: labels of too few texts to be judged -> how many.
        features: what the classifier saw, `words` or `meaning`.
        voted: texts of which the store's panel spoke.
        bad_rows: rows that were refused; `notes` say why.
        opened: reviews opened by this call.
        waiting: suspects that wait for an answer.
        run_id: the run whose reviews were opened; None where none was.
    """

    suspected: Figure
    reviewed: Figure
    others: Figure
    mistaken: tuple[Mistaken, ...]
    suspects: tuple[Suspect, ...]
    labels: dict[str, int]
    left_out: dict[str, int] = Field(default_factory=dict)
    features: str
    voted: int = 0
    bad_rows: int = 0
    opened: int = 0
    waiting: int = 0
    run_id: str | None = None

    def next_step(self) -> str:
        """Let people decide the suspects."""
        if not self.suspects:
            return "no label is suspected"
        if self.waiting or self.opened:
            return "let experts answer: `solon review serve`; then the same command says how many were wrong"
        if not self.reviewed.n:
            return "open reviews of these: the same command with --review"
        return "correct the file by `decided`, or look further with a higher --top"


@dataclass(frozen=True)
class Judged:
    """Rows with what is believed of their labels.

    Attributes:
        rows: those that were judged.
        labels: the K labels.
        given: (n,) place of the label that each has.
        beliefs: (n, K) probability of each label.
        joint: of given and likely labels.
        order: places of the rows, the most doubtful first.
        odds: (n,) see `rank_label_errors`.
    """

    rows: Sequence[Labelled]
    labels: tuple[str, ...]
    given: Ints
    beliefs: Floats
    joint: ConfidentJoint
    order: Ints
    odds: Floats


def judge_labels(beliefs: Floats, rows: Sequence[Labelled], labels: Sequence[str], seed: int = 0) -> Judged:
    """Return the rows ranked by how doubtful their labels are, given the probability (n, K) of every label."""
    at = {label: place for place, label in enumerate(labels)}
    given = np.array([at[row.label] for row in rows], dtype=np.int64)
    odds = rank_label_errors(beliefs, given)
    joint = join_confidently(beliefs, given, seed)
    return Judged(rows, tuple(labels), given, beliefs, joint, np.argsort(odds, kind="stable"), odds)


def believe_unseen(rows: Sequence[Labelled], labels: Sequence[str], features: str, seed: int = 0) -> Floats:
    """Return (n, K) probability of each label by a classifier that did not see the text, nor one of its group, nor a
    near-duplicate: five folds.

    Raises:
        ConfigError: it goes by meaning, and the extra that does it is not installed.
        UsageError: all texts are of one group.
    """
    from solon.agents.voters import as_vectors
    from solon.config.sections import ClassifierConfig
    from solon.consensus.classifier import train

    vectors = as_vectors(ClassifierConfig.model_validate({"features": features}), [row.text for row in rows])
    at = {label: place for place, label in enumerate(labels)}
    target = np.eye(len(labels))[[at[row.label] for row in rows]]
    found = train(vectors, target, group_alike(rows, seed), features=features, outcomes=labels)
    if found is None:
        raise UsageError(
            "all texts are near-duplicates, or of one group: none can be judged by the others",
            next_step="give texts that differ, or leave out the column `group`",
        )
    return found[1]


def group_alike(rows: Sequence[Labelled], seed: int = 0) -> list[str]:
    """Return a name for each row that it shares with the rows of its group and its near-duplicates, drawn by `seed`."""
    parent = list(range(len(rows)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    first: dict[str, int] = {}
    for place, row in enumerate(rows):
        for name in filter(None, (row.group and f"group {row.group}", f"text {key_of(row.text)}")):
            parent[root(place)] = root(first.setdefault(name, place))
    for twins in find_twins((str(place), row.text) for place, row in enumerate(rows)):
        parent[root(int(twins.name))] = root(int(twins.other))
    return [hash_id(str(seed), str(root(place))) for place in range(len(rows))]


@dataclass(frozen=True)
class _Read:
    rows: list[Labelled]
    labels: dict[str, int]
    left_out: dict[str, int]
    bad: list[BadRow]
    seen: int
    drawn: int


def _read(file: Path, config: Config, text: str | None, label: str | None, limit: int, seed: int) -> _Read:
    """Read the rows of a file, at most `limit` of them drawn at random (Vitter 1985, algorithm R)."""
    draw, kept, bad, seen = random.Random(seed), list[Labelled](), list[BadRow](), 0
    for row in read_labelled(file, text=text, label=label, max_chars=config.seeds.max_chars):
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        seen += 1
        if len(kept) < limit:
            kept.append(row)
        elif (place := draw.randrange(seen)) < limit:
            kept[place] = row
    kept.sort(key=lambda row: row.line)
    good, misspelt = refuse_misspelt(kept, config.label.labels)
    bad = sorted([*bad, *misspelt], key=lambda row: row.line)
    counts = Counter(row.label for row in good)
    labels = {name: n for name, n in sorted(counts.items()) if n >= FEWEST}
    if len(labels) < 2:
        raise _nothing_to_judge(file, counts, without_values(config, bad))
    rows = [row for row in good if row.label in labels]
    if len(rows) * len(labels) > MOST_CELLS:
        raise UsageError(
            f"{len(rows)} texts with {len(labels)} labels are too many to be judged at once",
            next_step=f"judge fewer at random: --limit {MOST_CELLS // len(labels)}, or the file in parts",
        )
    return _Read(rows, labels, {name: n for name, n in counts.items() if n < FEWEST}, bad, seen, len(kept))


def _nothing_to_judge(file: Path, counts: Mapping[str, int], bad: Sequence[BadRow]) -> SeedError:
    if len(counts) == 1:
        why = f"all texts have the label {next(iter(counts))!r:.60}"
    elif counts:
        most = "; ".join(f"{name!r:.60} has {n}" for name, n in Counter(counts).most_common(3))
        why = f"no two of its {len(counts)} labels have {FEWEST} texts ({most})"
    else:
        why = "no row has a text with a label"
    told = "".join(f"; {line}" for line in sum_up(bad))
    return SeedError(
        f"{file}: {why}{told}", next_step=f"give at least two labels, each with {FEWEST} texts or more"
    )


def check_labels(
    file: Path,
    config: Config,
    *,
    project: Workspace | None = None,
    text: str | None = None,
    label: str | None = None,
    features: Literal["words", "meaning"] | None = None,
    top: int = 50,
    review: bool = False,
    recipe: str = "label",
    limit: int = 20_000,
    seed: int = 0,
) -> LabelCheck:
    """Return which labels of a file are probably wrong.

    Args:
        file: JSON lines, CSV or Parquet.
        project: whose store's votes and decisions on the same texts count, and in which reviews are opened; None: the
            file alone.
        text: name of the column of texts; None: the usual ones are looked for.
        label: name of the column of labels, likewise.
        features: what the classifier sees, `words` or `meaning`; None: `meaning` where it is installed.
        top: suspects to list, and to open reviews of.
        review: open reviews of the suspects, without their given labels.
        recipe: of the run that asks: `label` asks people alone, `label-panel` the panel first.
        limit: rows at most, drawn at random where there are more.
        seed: of every random draw.

    Raises:
        SeedError: the file cannot be read, or has no two labels that can be judged.
        UsageError: there are too many labels, or reviews are wanted without a store.
        ConfigError: a label cannot be asked for.
    """
    from solon.agents.models.embedding import can_embed

    read = _read(file, config, text, label, limit, seed)
    features = features or ("meaning" if can_embed() else "words")
    rows, labels = read.rows, tuple(read.labels)
    beliefs = believe_unseen(rows, labels, features, seed)
    material = _gather(project)
    voted: set[int] = set()
    if material is not None:
        evidence, voted = hear_panels(material, rows, labels)
        beliefs = add_evidence(beliefs, evidence)
    judged = judge_labels(beliefs, rows, labels, seed)
    every = (*labels, *read.left_out)
    known = find_decided(material, rows, every) if material is not None else {}
    waiting = find_waiting(material, rows) if material is not None else set()
    found = _tell(read, judged, known, voted, features, top)
    first = set(_first(judged, top))
    found = found.model_copy(update={"waiting": len(first & waiting), "notes": _notes(read, config)})
    if not review:
        return found
    if project is None:
        raise UsageError("there is no store to open reviews in", next_step="name one with --store")
    wanted = [rows[place] for place in _first(judged, top) if place not in known and place not in waiting]
    if not wanted:
        return found
    summary = open_reviews(project, wanted, sorted(every), recipe)
    opened = {"opened": summary.pending_review, "run_id": summary.run_id}
    return found.model_copy(update={"waiting": found.waiting + summary.pending_review, **opened})


def _gather(project: Workspace | None) -> Material | None:
    from solon.eval.material import Material
    from solon.store.runs.runs import all_runs

    if project is None:
        return None
    with project.store.connect() as connection:
        return Material(project.store, tuple(all_runs(connection)[::-1]))


def _first(judged: Judged, top: int) -> list[int]:
    """Places of the first suspects: another label is likelier than theirs."""
    return [int(place) for place in judged.order[:top] if judged.odds[place] < 0.0]


def _tell(
    read: _Read, judged: Judged, known: Mapping[int, str], voted: set[int], features: str, top: int
) -> LabelCheck:
    rows, labels, joint, n = judged.rows, judged.labels, judged.joint, len(judged.rows)
    doubted = set(np.flatnonzero(judged.odds < 0.0).tolist())
    wrong = {place for place, said in known.items() if said != rows[place].label}
    counts = joint.counts.copy()
    np.fill_diagonal(counts, 0)
    pairs = sorted(zip(*map(np.ndarray.tolist, np.nonzero(counts)), strict=True), key=lambda at: -counts[at])
    return LabelCheck(
        suite="labels",
        n=n,
        suspected=Figure(value=joint.wrong, low=joint.low, high=joint.high, n=n),
        reviewed=rate(len(wrong & doubted), len(known.keys() & doubted), NOT_ASKED),
        others=rate(len(wrong - doubted), len(known.keys() - doubted), "nobody has decided any other text"),
        mistaken=tuple(
            Mistaken(
                given=labels[i],
                likely=labels[j],
                texts=int(counts[i, j]),
                share=rate(int(counts[i, j]), read.labels[labels[i]]),
            )
            for i, j in pairs
        ),
        suspects=tuple(_suspect(judged, place, known, voted) for place in _first(judged, top)),
        labels=read.labels,
        left_out=read.left_out,
        features=features,
        voted=len(voted),
        bad_rows=len(read.bad),
    )


def _suspect(judged: Judged, place: int, known: Mapping[int, str], voted: set[int]) -> Suspect:
    row, own, others = judged.rows[place], judged.given[place], judged.beliefs[place].copy()
    others[own] = -1.0
    best = int(others.argmax())
    return Suspect(
        line=row.line,
        text=row.text,
        given=row.label,
        suggested=judged.labels[best],
        p_given=round(float(judged.beliefs[place, own]), 6),
        p_suggested=round(float(others[best]), 6),
        panel=place in voted,
        decided=known.get(place),
    )


def _notes(read: _Read, config: Config) -> tuple[str, ...]:
    notes = [f"not read: {told}" for told in sum_up(without_values(config, read.bad), most=SHOWN)]
    few = sorted(read.left_out, key=lambda name: (read.left_out[name], name))
    if few:
        named = ", ".join(f"{name} ({read.left_out[name]})" for name in few[:SHOWN])
        more = f" and {len(few) - SHOWN} more" if len(few) > SHOWN else ""
        notes.append(f"not judged, since under {FEWEST} texts have the label: {named}{more}")
    if read.seen > read.drawn:
        notes.append(f"of {read.seen} rows {read.drawn} were drawn at random: --limit takes more")
    return tuple(notes)


def check_output(file: Path) -> None:
    """Refuse a file that suspects cannot be written to, before any work is done.

    Raises:
        UsageError: its ending is no known one, or its folder is missing.
    """
    if file.suffix.lower() not in SINKS_BY_ENDING:
        raise UsageError(
            f"{file}: suspects are written as {' or '.join(SINKS_BY_ENDING)}", next_step="name such a file"
        )
    check_target(file)


def write_suspects(found: LabelCheck, file: Path) -> None:
    """Write the suspects, a row each, as JSON lines or CSV, by the file's ending; cells that a spreadsheet would take
    for formulas are disarmed in CSV."""
    columns = tuple(Suspect.model_fields)
    stream = BytesIO()
    sink = SINKS_BY_ENDING[file.suffix.lower()](stream, columns)
    for one in found.suspects:
        row = one.model_dump()
        sink.write(row if isinstance(sink, JsonlSink) else {name: disarm(row[name]) for name in columns})
    sink.close()
    write_text_at_once(file, [stream.getvalue().decode()])
