"""The dataset card's front matter against what the hub's own libraries state of its schema, offline.

The hub's validator is a service on the network and is not called. What is here instead: the keys of `DatasetCardData`
and of the hub's example card, the closed sets that `huggingface_hub` states in its docstring and `datasets` brings as
files, its known tasks and language codes, and its reader of `configs`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from solon.formats import span_formats
from solon.formats.card import LICENCES, SIZES, front_matter
from solon.formats.exports import FORMATS, ExportFile, ExportSummary
from solon.formats.folder import About, export_folder
from solon.formats.records import Completion, CritiqueOf, ExportRow, ScoredRow

hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
metadata = pytest.importorskip("datasets.utils.metadata", reason="datasets is not installed")

# of the hub's example card, beside the arguments of DatasetCardData
MORE_KEYS = {
    "tags",
    "configs",
    "license_name",
    "license_link",
    "license_details",
    "language_details",
    "dataset_info",
}
# the hub's table of licences, as its documentation has it
HUB_LICENCES = """apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0
cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0
cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl
lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib
pddl lgpl-lr unknown other""".split()  # noqa: SIM905
WORDS = ("Licence 7: <ours> & others", "CC-BY-4.0", "MIT", "", "not: a [yaml] {thing} # no", "'\"\n- x: y")


def resource(name: str) -> Any:
    return json.loads((resources.files("datasets.utils.resources") / name).read_text(encoding="utf-8"))


def options_of(key: str) -> set[str]:
    """The closed set that the docstring of DatasetCardData states for a key."""
    found = re.search(rf"\n\s+{key} \(.*?\n(?=\s+\w+ \()", hub.DatasetCardData.__doc__, re.DOTALL)
    assert found is not None, key
    return set(re.findall(r"'([^']+)'", found.group().partition("Options are")[2]))


def check(meta: Mapping[str, Any]) -> None:
    """Every key, and every value of a closed set."""
    arguments = set(inspect.signature(hub.DatasetCardData).parameters) - {"ignore_metadata_errors", "kwargs"}
    assert set(meta) <= arguments | MORE_KEYS
    creators = resource("creators.json")
    for key, kind in (("annotations_creators", "annotations"), ("language_creators", "language")):
        assert set(meta[key]) <= options_of(key) & set(creators[kind])
        assert meta[key]
    assert set(meta["size_categories"]) <= options_of("size_categories") & set(
        resource("size_categories.json")
    )
    assert set(meta["source_datasets"]) <= options_of("source_datasets")
    assert set(meta["task_categories"]) <= set(metadata.known_task_ids)
    assert set(meta.get("language", ())) <= set(resource("languages.json"))
    assert meta["license"] in HUB_LICENCES
    assert ("license_name" in meta) == (meta["license"] == "other")
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", meta.get("license_name", "x"))
    assert all(isinstance(tag, str) and re.fullmatch(r"[a-z0-9][a-z0-9.-]*", tag) for tag in meta["tags"])
    assert len(set(meta["tags"])) == len(meta["tags"])
    assert isinstance(meta["pretty_name"], str)
    assert meta["pretty_name"]


def rows(licence: str | None) -> list[ExportRow]:
    return [
        ScoredRow(
            id=f"r{i}",
            recipe="preference",
            seed_id=f"s{i}",
            lang=("no", "de-CH", "y", "Klingon maybe")[i % 4],
            prompt=f"Question {i}?",
            messages=[{"role": "user", "content": f"Question {i}?"}],
            chosen=f"Good {i}",
            rejected=f"Bad {i}",
            route="decided" if i % 2 else "consensus",
            licence=licence or None,
            completions=(
                Completion("k1", "scripted:default", f"Good {i}", 4.5, {"clear": 5.0, "true": 4.0}),
                Completion("k2", "given", f"Bad {i}", 2.0, {"clear": 2.0, "true": 2.0}),
            ),
            critiques=(CritiqueOf("Bad", ("- minor, clear: Say it.",), revision=f"Good {i}"),),
            faults={"chosen": [], "rejected": []},
            lineage={"criteria": [{"id": "C1", "name": "", "text": "Says so.", "weight": 1.0, "scores": []}]},
        )
        for i in range(8)
    ]


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {form.name for form in span_formats.FORMATS}))
def test_the_card_of_every_format_keeps_to_the_hubs_schema(tmp_path: Path, form: str) -> None:
    for number, word in enumerate(WORDS):
        folder = tmp_path / str(number)
        about = About(name=word or "none", licence="" if number % 2 else word)
        export_folder(rows(word), format=form, path=folder, about_set=about, test_fraction=0.4)
        card = hub.RepoCard.load(folder / "README.md", repo_type="dataset")
        meta = card.data.to_dict()
        check(meta)
        assert meta["language"] == ["de", "no"]
        configs = metadata.MetadataConfigs.from_dataset_card_data(hub.DatasetCardData(**meta))
        assert configs.get_default_config_name() == "default"
        paths = [part["path"] for part in configs["default"]["data_files"]]
        assert all((folder / path).is_file() for path in paths)
        assert [part["split"] for part in configs["default"]["data_files"]] == ["train", "test"]
        # what the hub's library writes back is the same
        assert hub.DatasetCard(str(card)).data.to_dict() == meta


def test_our_licences_are_the_hubs() -> None:
    assert set(HUB_LICENCES) >= LICENCES


def test_sizes_are_the_hubs_at_every_border() -> None:
    known = resource("size_categories.json")
    assert [name for _, name in SIZES] == known[1:-1]
    borders = [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**9, "1B<n<10B")]
    for size, name in [*borders, (10**12 - 1, "100B<n<1T"), (10**12, "n>1T")]:
        file = ExportFile("data/records.jsonl", None, size, 1, "0" * 64)
        facts = {"languages": {}, "licences": {}, "records": size, "decided": 0}
        made = ExportSummary("jsonl", (file,), "m.json", size, size, facts=facts)
        meta = front_matter(made, FORMATS["jsonl"], name="x")
        check(meta)
        assert meta["size_categories"] == [name]
