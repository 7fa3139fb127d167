"""The formats that can be imported, by name: records of Solon, steps, and every layout that is a preset.

Imports `formats` and `config.sections` only, and touches no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from solon.config.sections import ImportMap
from solon.formats.headers import known_headers
from solon.formats.imported import Imported, ImportFormat, Pieces, Row, Said, as_object
from solon.formats.layouts import (
    ASKED,
    HISTORY,
    REFERENCE,
    SYSTEM,
    columns_of,
    fits,
    maps_in_use,
    read_mapped,
)
from solon.formats.message_trees import gather_trees
from solon.formats.outcomes import number_of
from solon.formats.paths import is_absent
from solon.formats.presets import ALIKE, ANSWERS_ONLY, COMMON, SETS, Preset
from solon.formats.seed_rows import CHAT_COLUMNS, COLUMNS, RowProblem
from solon.formats.traces import trace_formats
from solon.formats.trl import STEP
from solon.formats.turns import read_transcript

_PAIR = ImportMap(prompt="prompt", chosen="chosen", rejected="rejected")
_SINGLE = ImportMap(prompt="prompt", answers="response")
_STEPS = ImportMap(answers="completion")
_OF_SEED = ("group", "lang", "source", "licence", "consent", "reference")
_READ = (
    *_OF_SEED,
    "messages",
    "prompt",
    "seed_id",
    "chosen",
    "rejected",
    "response",
    "given",
    "metadata",
    "withheld",
)
"""Columns of a record that become the seed's; the others are kept as they were, as `record` in its metadata."""


def read_record(row: Row) -> Pieces:
    """Yield the seed and the answer of a record that Solon exported (`jsonl`).

    Only a record that was accepted says that its answer stands, and one that was rejected that it does not; others are
    seeds with responses.

    Raises:
        RowProblem: it is the record of a label, or has neither a pair nor a response.
    """
    if row.get("outcome") == "label":
        raise RowProblem(
            "the record labels a text and answers nothing; labels are given by `solon run label`"
        )
    texts = {side: row[side] for side in ("chosen", "rejected", "response") if not is_absent(row.get(side))}
    if not ("response" in texts or {"chosen", "rejected"} <= texts.keys()):
        raise RowProblem("the record has neither a pair nor a response (a tie, or its text was withheld)")
    asked = {
        "prompt": row.get("messages") or row.get("prompt"),
        **texts,
        **{name: row.get(name) for name in _OF_SEED},
    }
    metadata = dict(as_object(row.get("metadata")))
    record = {
        name: _value_of(name, row[name]) for name in row if name not in _READ and not is_absent(row[name])
    }
    if "record" in metadata:
        record["record"] = metadata["record"]
    given = as_object(row.get("given"))
    for one in read_mapped((_SINGLE if "response" in texts else _PAIR,), asked):
        assert isinstance(one, Imported)
        for response in one.seed["responses"]:
            beside = as_object(
                given.get("rejected" if response["text"] == texts.get("rejected") else "chosen")
            )
            response.update({name: beside[name] for name in ("model", "scores", "facts") if beside.get(name)})
        said = one.said or (Said("accept", 0),) if row.get("outcome") == "accepted" else ()
        if row.get("outcome") == "rejected" and row.get("label") == "reject":
            said = (Said("reject", 0),)
        seed = {**one.seed, "id": row.get("seed_id")}
        metadata = {**one.metadata, **metadata, **({"record": record} if record else {})}
        yield replace(one, seed=seed, metadata=metadata, said=said, record=str(row.get("id") or ""))


_NUMBERS = (
    "margin", "confidence", "soft_label", "weight", "score_chosen", "score_rejected", "score_margin",
)  # fmt: skip


def _value_of(name: str, value: Any) -> Any:
    """A value of a record as lines of JSON have it; tables know text only."""
    if isinstance(value, str) and name in _NUMBERS:
        return number_of(value)
    return value.lower() == "true" if isinstance(value, str) and name == "provisional" else value


_OF_STEPS = ("completions", "labels")


def read_steps(row: Row) -> Pieces:
    """Yield an answer in steps, accepted where every step is right, from `prompt`, `completions` and `labels`.

    Raises:
        RowProblem: steps and labels are not lists of the same length, or there is no prompt.
    """
    steps, labels = row.get("completions"), row.get("labels")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps) or not steps:
        raise RowProblem("completions is no list of texts")
    if (
        not isinstance(labels, list)
        or len(labels) != len(steps)
        or not all(isinstance(x, bool) for x in labels)
    ):
        raise RowProblem("labels is no list of true and false, one for each step")
    said = (Said("accept" if all(labels) else "reject", 0),)
    for one in read_mapped((_STEPS,), {**row, "completion": STEP.join(steps)}):
        # The steps stay with the seed, so that they can be written out again with their labels.
        yield replace(one, said=said) if isinstance(one, Imported) else one


def of_map(name: str, about: str, one: ImportMap) -> ImportFormat:
    """Return the format whose rows a map describes."""
    return _of_preset(Preset(name, about, (one,)))


def _of_preset(preset: Preset) -> ImportFormat:
    read, looks = partial(read_mapped, preset.maps), partial(_fits, preset)
    if any(one.tree for one in preset.maps):
        return ImportFormat(preset.name, preset.about, read, looks, gather=gather_trees, counts_lines=True)
    return ImportFormat(preset.name, preset.about, read, looks, settled=partial(_settled, preset))


def _settled(preset: Preset, rows: Sequence[Row]) -> Callable[[Row], Pieces]:
    return partial(read_mapped, maps_in_use(preset.maps, rows))


def _fits(preset: Preset, row: Row) -> bool:
    if not all(column in row for column in preset.columns):
        return False
    if not all(isinstance(row.get(name), str) and read_transcript(row[name]) for name in preset.transcripts):
        return False
    if any(one.tree for one in preset.maps) and {"message_id", "parent_id", "text", "role"} <= row.keys():
        return True
    return any(fits(one, row) for one in preset.maps)


FORMATS: Mapping[str, ImportFormat] = {
    form.name: form
    for form in (
        ImportFormat(
            "jsonl",
            "records that Solon exported",
            read_record,
            lambda row: {"seed_id", "outcome", "lineage"} <= row.keys(),
        ),
        *trace_formats().values(),
        *map(_of_preset, SETS),
        ImportFormat(
            "trl-stepwise",
            "prompt, completions, labels",
            read_steps,
            lambda row: isinstance(row.get("completions"), list) and isinstance(row.get("labels"), list),
        ),
        *map(_of_preset, (*COMMON, *ALIKE, *ANSWERS_ONLY)),
    )
}
"""Every format by its name, in the order in which `auto` tries them."""


def known_columns(*own: ImportMap) -> dict[str, str]:
    """Return header -> name of every column that some format reads; those of one's own maps go first."""
    presets = (*SETS, *COMMON, *ALIKE, *ANSWERS_ONLY)
    of_maps = chain.from_iterable(columns_of(one) for preset in presets for one in preset.maps)
    of_presets = chain.from_iterable(preset.columns for preset in presets)
    usual = (*COLUMNS, *CHAT_COLUMNS, *SYSTEM, *HISTORY, *ASKED, *REFERENCE, *_OF_STEPS)
    theirs = known_headers(chain(of_maps, of_presets, usual))
    return {**theirs, **known_headers(chain.from_iterable(map(columns_of, own)))}
