"""A dataset card: YAML front matter in the hub's schema, then what was made, how, and what it does not know.

Source of the schema: huggingface_hub, `DatasetCardData` and the hub's `datasetcard.md`. Imports `contract` and
`exports` only; knows no file. Every foreign text is quoted: sources and licences are what seeds said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from solon.formats import span_formats
from solon.formats.contract import Format
from solon.formats.exports import ExportSummary
from solon.formats.facts import NOT_STATED, OLDER_SHARES, OTHERS, spell_collapse

SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
    (10_000_000_000, "1B<n<10B"), (100_000_000_000, "10B<n<100B"), (1_000_000_000_000, "100B<n<1T"),
)  # fmt: skip
LICENCES = frozenset((
    "apache-2.0", "mit", "openrail", "bigscience-openrail-m", "bsl-1.0", "bsd", "bsd-2-clause", "bsd-3-clause",
    "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0",
    "cdla-permissive-2.0", "wtfpl", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1",
    "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "isc", "lppl-1.3c", "ms-pl",
    "mpl-2.0", "odc-by", "odbl", "osl-3.0", "postgresql", "ofl-1.1", "ncsa", "unlicense", "zlib", "pddl",
))  # fmt: skip
"""Licence identifiers that the hub knows."""
_RUBRIC = (
    "Four things to ask of a data set (DataRubrics, Winata et al. 2025), over all records in force of these runs, so "
    "also over those that this folder leaves out; n counts them. No grade is given.\n"
)
LONGEST = 1000
"""Characters of what is told of one criterion."""
_MODEL_TAG = "made-with-solon"


def write_card(
    summary: ExportSummary,
    form: Format,
    *,
    name: str,
    licence: str = "",
    limits: Sequence[str] = (),
    promise: Mapping[str, Any] | None = None,
    made: Sequence[str] = (),
    set_rubric: Sequence[str] = (),
) -> str:
    """Return the dataset card as Markdown; paths of `summary.files` are relative to it.

    Args:
        form: the format that the files are in.
        name: title of the data set.
        licence: of the set as a whole; empty: the seeds' own, where they all state the same.
        limits: what the set does not know, one sentence each.
        promise: what is promised of the set, as the manifest of a release holds it; None where nothing is.
        made: what is told of its making beyond what was counted, one sentence each.
        set_rubric: what is known of its originality, diversity, quality control and documentation, one sentence each.
    """
    head = yaml.safe_dump(
        front_matter(summary, form, name=name, licence=licence), sort_keys=False, allow_unicode=True
    )
    facts = summary.facts
    parts = [
        f"---\n{head}---\n",
        f"# {_plain(name)}\n",
        f"{summary.written} rows from {facts['records']} records of a panel of language-model agents and a few "
        f"experts. Format: `{form.name}` ({form.about}).\n",
        f"Licence: {_plain(licence or common_value(facts['licences']) or 'not stated')}.\n",
        *(["## What is promised\n", _promise(promise)] if promise is not None else []),
        "## How it was made\n",
        _how(facts, summary.runs) + "".join(f"- {_plain(line, LONGEST)}\n" for line in made),
        "## What is in it\n",
        _table(facts, ("languages", "licences", "sources", "consents", "routes", "models")),
        *_by_rubric(set_rubric),
        "## What was left out\n",
        _left_out(summary),
        "## Files\n",
        _files(summary),
        "## Limits\n",
        "\n".join(f"- {_plain(limit)}" for limit in (*limits, *STANDING_LIMITS)) + "\n",
    ]
    return "\n".join(parts)


STANDING_LIMITS = (
    "Agreement with experts is not truth: where the experts err, so does what was measured against them.",
    "Texts are the work of models and of whoever wrote the seeds. Nothing in them was checked for personal data.",
    "Margins, confidences, soft labels, shares and weights are those of the panel and consensus named in the manifest.",
)


def front_matter(summary: ExportSummary, form: Format, *, name: str, licence: str = "") -> dict[str, Any]:
    """Return the card's metadata, in the keys and closed sets of the hub."""
    facts = summary.facts
    meta: dict[str, Any] = {"pretty_name": name}
    if languages := hub_languages(facts["languages"]):
        meta["language"] = languages
    meta |= hub_licence(licence or common_value(facts["licences"]))
    decided, records = facts["decided"], facts["records"]
    machine = ["machine-generated"] if decided < records or not records else []
    meta["annotations_creators"] = [*(["expert-generated"] if decided else []), *machine]
    meta["language_creators"] = ["machine-generated"]
    meta["source_datasets"] = ["original"]
    meta["size_categories"] = [_size(summary.written)]
    marks = form.name in {one.name for one in span_formats.FORMATS}
    meta["task_categories"] = ["token-classification" if marks else "text-generation"]
    meta["tags"] = ["synthetic", _MODEL_TAG, form.name, *_trainer_tags(form.name)]
    files = [{"split": file.split or "train", "path": file.path} for file in summary.files if file.rows]
    if files:
        meta["configs"] = [{"config_name": "default", "data_files": files}]
    return meta


def hub_languages(counts: Mapping[str, int]) -> list[str]:
    """Return the language codes among the stated languages: `en`, `de-CH` and `zh_Hans` become en, de, zh."""
    codes = {
        re.split(r"[-_]", name.strip().lower())[0] for name in counts if name not in (NOT_STATED, OTHERS)
    }
    return sorted(code for code in codes if re.fullmatch(r"[a-z]{2,3}", code))


def hub_licence(name: str) -> dict[str, str]:
    """Return the card's keys for a licence.

    They are `license`, with an id made of its name where the hub does not know it; `unknown` where nobody
    stated one.
    """
    if not name:
        return {"license": "unknown"}
    known = name.strip().lower()
    if known in LICENCES:
        return {"license": known}
    own = re.sub(r"[^a-z0-9.]+", "-", known).strip("-.")[:100]
    return {"license": "other", "license_name": own or "own"}


def common_value(counts: Mapping[str, int]) -> str:
    """Return the one value that every record states; empty where they differ or some state none."""
    return next(iter(counts)) if len(counts) == 1 and NOT_STATED not in counts else ""


def _size(rows: int) -> str:
    return next((name for limit, name in SIZES if rows < limit), "n>1T")


PAIRED = (
    "trl-preference",
    "trl-preference-standard",
    "llama-factory",
    "openai-preference",
    "axolotl",
    "openrlhf",
    "lm-eval",
)
"""The formats of pairs."""


def _trainer_tags(format: str) -> list[str]:
    tags = ["trl"] if format.startswith("trl-") else []
    if format in PAIRED:
        tags += ["preference", "dpo"]
    return tags


def _how(facts: Mapping[str, Any], runs: Mapping[str, int]) -> str:
    lines = [
        f"- Runs in force, with the records of each: {_list(runs) or 'none'}.",
        f"- Recipes: {_list(facts['recipes'])}.",
        f"- Models that were asked to draft, criticise or judge: {_list(facts['models']) or 'none'}. Judges whose "
        "verdicts came with the seeds are not among them.",
        f"- Decided by a person: {facts['decided']} of the {facts['records']} records written here, by "
        f"{facts['annotators']} people (pseudonymous). The others were settled by the panel's consensus.",
        f"- Accepted while no certificate was in force (provisional): {facts['provisional']}.",
    ]
    if "shares" in facts["columns"]:
        lines.append(
            f"- With the probability of every label (`shares`), as panel and votes have it: {facts['weighed']}. "
            f"Of records that a person decided, {OLDER_SHARES}."
        )
    if facts.get("shown"):
        lines.append(
            f"- Tasks by generation (1: made of a seed, each further one of a task before): "
            f"{_list(facts['generations'])}. Of the {facts['shown']} texts that they were made of and shown "
            f"{facts['shown_seeds']} are seeds."
        )
    lines += [
        f"- Warning: {_plain(one)}."
        for one in spell_collapse(facts.get("shown_seeds", 0), facts.get("shown", 0))
    ]
    return "\n".join(lines) + "\n"


def _promise(promise: Mapping[str, Any]) -> str:
    lines = [
        f"**{_plain(promise['sentence'])}**\n",
        *(f"- {_plain(line)}" for line in promise["arithmetic"]),
        "- Who signs for it does so later: names and dates stand in `signatures.json` beside this card.",
        "\nIt does not say\n",
        *(f"- {_plain(line)}" for line in promise["does_not_say"]),
    ]
    return "\n".join(lines) + "\n"


def _by_rubric(lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return ["## By a rubric\n", _RUBRIC, "\n".join(f"- {_plain(line, LONGEST)}" for line in lines) + "\n"]


def _table(facts: Mapping[str, Any], names: Sequence[str]) -> str:
    rows = [
        f"| {name} | {_plain(value)} | {count} |"
        for name in names
        for value, count in facts.get(name, {}).items()
    ]
    return "\n".join(["| of | value | records |", "|---|---|---|", *rows]) + "\n"


def _left_out(summary: ExportSummary) -> str:
    if not summary.left_out:
        return "Nothing.\n"
    return "\n".join(f"- {count} {_plain(reason)}" for reason, count in summary.left_out.items()) + "\n"


def _files(summary: ExportSummary) -> str:
    rows = [f"| `{file.path}` | {file.rows} | {file.bytes} | `{file.sha256}` |" for file in summary.files]
    return "\n".join(["| file | rows | bytes | SHA-256 |", "|---|---|---|---|", *rows]) + "\n"


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{_plain(name)} ({count})" for name, count in counts.items())


def _plain(text: str, longest: int = 300) -> str:
    """Foreign text on one line of Markdown, as text and nothing else."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]
    return re.sub(r"([\\`*_{}\[\]<>()#|!&~])", r"\\\1", line)
