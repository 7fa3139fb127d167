"""What the rows of an export are like, counted as they are written: for the manifest, the card and Croissant.

Imports `contract` and `records` only. Memory does not grow with the rows: each count keeps its commonest values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from solon.formats.records import ExportRow

Kind = Literal[
    "text",
    "number",
    "integer",
    "boolean",
    "texts",
    "booleans",
    "turn",
    "turns",
    "said",
    "saids",
    "share",
    "shares",
    "json",
]
"""Of a cell. turn: {role, content}; said: {from, value}; share: {label, share}; in the plural a list of them."""
LEAST_OF_PEOPLE = 0.1
"""Share of people's texts below which data of models is warned of: with so many, what collapse costs stays small
(Shumailov et al. 2024, doi 10.1038/s41586-024-07566-y, figure 1)."""
KEPT = 50
"""Values that a count keeps; beyond them it says how many rows had another one."""
VERSIONS = {
    "constitutions": "constitution", "rubrics": "rubric", "consensus_versions": "consensus", "prompt_sets": "prompts",
}  # fmt: skip
"""Count -> the version in a record's lineage that it counts."""
OLDER_SHARES = (
    "their `shares` and `soft_label` are what the panel held before that, and the label may have a low share there; to "
    "train on soft labels, give the `label` of such a record (`route` is `decided`) the whole weight"
)
"""Where a person decided, what was weighed before is no picture of what is right."""
REMARKS = {
    "widened": "have a span that begins or ends within a token, which is tagged as a whole; `spans` has the exact edges"
}
"""What formats remark of rows that they write -> what is so of these records."""
NAMED = 5
"""Of records that something was remarked of, the seeds of so many are named."""
COUNTED = ("languages", "licences", "sources", "consents", "recipes", "routes", "models", *VERSIONS)
NOT_STATED, OTHERS = "not stated", "(others)"


@dataclass(slots=True)
class Facts:
    """Counts over the records that were written, and the columns with their kinds.

    Attributes:
        records: records of which something was written.
        provisional: those that were accepted while no certificate was in force.
        decided: those that a person decided.
        weighed: those with a share for each label.
        shown: texts that the drafts of tasks were made of and shown.
        shown_seeds: seeds among these.
        annotators: pseudonyms of the people who decided.
        counts: what was counted (languages, licences, sources, ...) -> value -> records.
        remarks: what was remarked -> of how many records, and the ids of the first ones' seeds.
        columns: name -> kind, as the first row that has a value shows it; None until one does.
    """

    records: int = 0
    provisional: int = 0
    decided: int = 0
    weighed: int = 0
    shown: int = 0
    shown_seeds: int = 0
    annotators: set[str] = field(default_factory=set)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in COUNTED})
    remarks: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    columns: dict[str, Kind | None] = field(default_factory=dict)

    def see(self, row: ExportRow) -> None:
        """Count a record of which something was written."""
        self.records += 1
        self.provisional += row.provisional
        self.decided += row.route == "decided"
        self.weighed += row.shares is not None
        if row.annotator is not None:
            self.annotators.add(row.annotator)
        self._count("languages", [row.lang or NOT_STATED])
        self._count("licences", [row.licence or NOT_STATED])
        self._count("sources", [row.source or NOT_STATED])
        self._count("consents", [row.consent or NOT_STATED])
        self._count("recipes", [row.recipe])
        self._count("routes", [row.route])
        self._count("models", row.lineage.get("models") or ())
        if descent := row.lineage.get("descent"):
            self._count("generations", [str(descent["generation"])])
            self.shown += descent["seeds"] + descent["records"]
            self.shown_seeds += descent["seeds"]
        for name, version in VERSIONS.items():
            self._count(name, [row.lineage.get(version) or NOT_STATED])

    def remark(self, about: str, row: ExportRow) -> None:
        """Count a record of which its format remarks something, and keep the first ones' seeds."""
        records, first = self.remarks.get(about, (0, ()))
        self.remarks[about] = (records + 1, (*first, row.seed_id)[:NAMED])

    def see_columns(self, piece: Mapping[str, Any]) -> None:
        """Learn the kinds of the columns from a row that was written."""
        for name, value in piece.items():
            if self.columns.get(name) is None:
                self.columns[name] = kind_of(value)

    def _count(self, name: str, values: Iterable[str]) -> None:
        counter = self.counts.setdefault(name, Counter())
        for value in values:
            counter[value if value in counter or len(counter) < KEPT else OTHERS] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as plain values in a stable order; of the annotators only their number."""
        return {
            "records": self.records,
            "provisional": self.provisional,
            "decided": self.decided,
            "weighed": self.weighed,
            "annotators": len(self.annotators),
            **({"shown": self.shown, "shown_seeds": self.shown_seeds} if self.shown else {}),
            **{
                name: dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0])))
                for name, counter in sorted(self.counts.items())
            },
            "remarks": {
                about: {"records": records, "first": list(first)}
                for about, (records, first) in sorted(self.remarks.items())
            },
            "columns": {name: kind or "text" for name, kind in self.columns.items()},
        }


def spell_cautions(facts: Mapping[str, Any]) -> list[str]:
    """Return what whoever trains on the rows must know, a sentence each: that some are provisional, that scripted
    models took part, that shares are older than people's decisions, what its format remarks of some; nothing where none
    of these is so."""
    cautions = []
    if facts.get("provisional"):
        cautions.append(
            f"{facts['provisional']} of {facts['records']} records are provisional: no certificate was in force when "
            "they were accepted, and no expert decided them; --certified-only leaves them out"
        )
    cautions += spell_scripted(facts.get("models", ()))
    cautions += spell_collapse(facts.get("shown_seeds", 0), facts.get("shown", 0))
    if facts.get("decided") and "shares" in facts.get("columns", ()):
        cautions.append(
            f"{facts['decided']} of {facts['records']} records were decided by a person: {OLDER_SHARES}"
        )
    for about, found in facts.get("remarks", {}).items():
        named = ", ".join(found["first"]) + (", ..." if found["records"] > len(found["first"]) else "")
        cautions.append(f"{found['records']} of {facts['records']} records {REMARKS[about]} (seeds {named})")
    return cautions


def spell_scripted(models: Iterable[str]) -> list[str]:
    """Return the warning that some of these models are scripted; nothing where none is."""
    scripted = ", ".join(name for name in models if name.startswith("scripted:"))
    told = "their answers come from rules or files, not from a model"
    return [f"scripted models took part ({scripted}): {told}"] if scripted else []


def spell_collapse(seeds: int, shown: int) -> list[str]:
    """Return the warning that too few of the texts that tasks were made of are people's; nothing where enough are."""
    if seeds >= LEAST_OF_PEOPLE * shown:
        return []
    return [
        f"{seeds} of the {shown} texts that tasks were made of and shown are seeds, the others are models' own: "
        "whoever trains on such data loses what is rare (model collapse, Shumailov et al. 2024)"
    ]


def kind_of(value: Any) -> Kind | None:
    """Return the kind of a cell; None where an empty one does not tell."""
    if value is None or value == []:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return _OBJECTS.get(frozenset(value), "json")
    kinds = {kind_of(part) for part in value}
    return _LISTS.get(kinds.pop() or "json", "json") if len(kinds) == 1 else "json"


_OBJECTS: Mapping[frozenset[str], Kind] = {
    frozenset({"role", "content"}): "turn",
    frozenset({"from", "value"}): "said",
    frozenset({"label", "share"}): "share",
}
_LISTS: Mapping[Kind, Kind] = {
    "text": "texts", "boolean": "booleans", "turn": "turns", "said": "saids", "share": "shares",
}  # fmt: skip
