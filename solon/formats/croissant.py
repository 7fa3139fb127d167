"""Croissant metadata (MLCommons, 1.0) with the responsible-AI vocabulary. Imports `contract`, `card`, `exports` only.

Sources: docs.mlcommons.org, "Croissant Format Specification 1.0" and "Croissant RAI Specification 1.0". What the
responsible-AI fields say is counted, or known of every Solon project; what only the owner knows is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from solon.formats.card import STANDING_LIMITS, common_value, hub_languages
from solon.formats.contract import Container, Format
from solon.formats.exports import ExportSummary
from solon.formats.facts import NOT_STATED, OLDER_SHARES

CONFORMS = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0")
_MEDIA: Mapping[Container, str] = {
    "jsonl": "application/jsonlines",
    "csv": "text/csv",
    "parquet": "application/x-parquet",
    "text": "text/plain",
    "json": "application/json",
}
_TYPES = {"number": "sc:Float", "integer": "sc:Integer", "boolean": "sc:Boolean", "booleans": "sc:Boolean"}
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def write_croissant(
    summary: ExportSummary, form: Format, *, name: str, licence: str = "", limits: Sequence[str] = ()
) -> str:
    """Return the metadata as JSON-LD, with one record set for each file that has rows.

    Paths of `summary.files` are relative to it. Arguments as of `card.write_card`.
    """
    facts = summary.facts
    metadata: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": re.sub(r"[^A-Za-z0-9 _.-]", "_", name) or "dataset",
        "description": f"{summary.written} rows of the format {form.name} ({form.about}) from {facts['records']} "
        "records of a panel of language-model agents and a few experts.",
        "conformsTo": list(CONFORMS),
        "license": licence or common_value(facts["licences"]) or "unknown",
        "version": "1.0.0",
        "isLiveDataset": False,
        "keywords": ["synthetic", "made-with-solon", form.name],
        **({"inLanguage": languages} if (languages := hub_languages(facts["languages"])) else {}),
        **_responsible(facts, (*limits, *STANDING_LIMITS)),
        "distribution": [_file(file, form.container) for file in summary.files],
        "recordSet": [
            _record_set(file.path, file.split or "train", facts) for file in summary.files if file.rows
        ],
    }
    return json.dumps(metadata, ensure_ascii=False, indent=2) + "\n"


def _file(file: Any, container: Container) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _MEDIA[container],
        "sha256": file.sha256,
    }


def _record_set(path: str, split: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    # Croissant has no type for an object of any shape: such columns are in the file, and not described.
    known = {column: kind for column, kind in facts["columns"].items() if kind != "json"}
    fields = [_field(path, f"{split}/{column}", column, kind) for column, kind in known.items()]
    return {"@type": "cr:RecordSet", "@id": split, "name": split, "field": fields}


def _field(path: str, place: str, column: str, kind: str) -> dict[str, Any]:
    field: dict[str, Any] = {"@type": "cr:Field", "@id": place, "name": column}
    if column in _TOLD:
        field["description"] = _TOLD[column]
    if kind.endswith("s"):
        field["repeated"] = True
    source = {"fileObject": {"@id": path}, "extract": {"column": column}}
    parts = _PARTS.get(kind)
    if parts is None:
        return {**field, "dataType": _TYPES.get(kind, "sc:Text"), "source": source}
    inner = [
        {
            "@type": "cr:Field",
            "@id": f"{place}/{part}",
            "name": part,
            "dataType": data_type,
            "source": {**source, "transform": {"jsonPath": part}},
        }
        for part, data_type in parts.items()
    ]
    return {**field, "subField": inner}


_TOLD = {
    "shares": f"The probability of every label by panel and votes. Of records that a person decided, {OLDER_SHARES}."
}
"""Columns whose names do not say all that has to be known."""
_CHAT, _SAID = dict.fromkeys(("role", "content"), "sc:Text"), dict.fromkeys(("from", "value"), "sc:Text")
_PARTS = {
    "turn": _CHAT,
    "turns": _CHAT,
    "said": _SAID,
    "saids": _SAID,
    "shares": {"label": "sc:Text", "share": "sc:Float"},
}


def _responsible(facts: Mapping[str, Any], limits: Sequence[str]) -> dict[str, Any]:
    records, decided = facts["records"], facts["decided"]
    stated = sum(count for value, count in facts["consents"].items() if value != NOT_STATED)
    return {
        "rai:dataCollection": "Seeds of the project's own were answered by language models or came with answers; "
        f"sources of the seeds: {_spell(facts['sources'])}.",
        "rai:dataCollectionType": ["Synthetic data"],
        "rai:dataAnnotationProtocol": "Critics hold every answer against a written constitution; judges compare the "
        "answers in both orders; where they are unsure, split, or by random draw, an expert decides without seeing the "
        "votes.",
        "rai:dataAnnotationPlatform": ["Solon"],
        "rai:dataAnnotationAnalysis": f"{decided} of {records} records were decided by a person, the others by the "
        f"panel's consensus; {facts['provisional']} were accepted while no certificate was in force.",
        "rai:annotatorDemographics": [
            f"{facts['annotators']} experts, pseudonymous; nothing else is recorded here"
        ],
        "rai:machineAnnotationTools": list(facts["models"]) or ["none named"],
        "rai:dataBiases": [
            "Models prefer some lengths, styles and families of answers; what was measured is in the project's report."
        ],
        "rai:dataLimitations": list(limits),
        "rai:dataUseCases": ["training and evaluation of language models by preference or instruction"],
        "rai:personalSensitiveInformation": [
            f"consent is stated for {stated} of {records} records ({_spell(facts['consents'])}); "
            "texts were not searched for personal data by this export"
        ],
        "rai:dataManipulationProtocol": "Texts are written as they are; ties, flagged answers and records that are no "
        "data are left out and counted in the manifest.",
    }


def _spell(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{value} ({count})" for value, count in counts.items())
