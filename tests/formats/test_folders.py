"""Dataset folders are read by the libraries they are made for: `datasets`, `huggingface_hub`, `mlcroissant`."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from solon.errors import UsageError
from solon.formats import span_formats
from solon.formats.card import front_matter, hub_languages, hub_licence
from solon.formats.exports import FORMATS, export
from solon.formats.folder import About, export_folder
from solon.formats.records import Completion, CritiqueOf, ExportRow, ScoredRow

HOSTILE = "a | b\n## <script>x</script> [l](u): {{ y }}"
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "And now?"}]
MARKS = {form.name for form in span_formats.FORMATS}
"""Formats of marked texts, which the records of this file are not: see test_spans."""
WRITTEN = sorted(set(FORMATS) - MARKS - {"csv-spreadsheet"})


def rows(n: int = 40) -> list[ExportRow]:
    made = []
    for i in range(n):
        pair = ScoredRow(
            id=f"r{i}",
            recipe="preference",
            seed_id=f"s{i}",
            group=f"g{i // 2}",
            lang="de-CH" if i % 2 else "en",
            prompt=f"Question {i}?",
            messages=CHAT if i % 8 == 7 else [{"role": "user", "content": f"Question {i}?"}],
            chosen=f"Step one.\n\nStep two of {i}.",
            rejected=f"Bad {i}",
            margin=0.5,
            confidence=0.75,
            route="decided" if i % 4 == 0 else "consensus",
            source=HOSTILE,
            licence="CC0-1.0",
            consent="given" if i % 2 else None,
            completions=(
                Completion("k1", "scripted:default", f"Good {i}", 4.5, {"clear": 5.0, "true": 4.0}),
                Completion("k2", "given", f"Bad {i}", 2.0, {"clear": 2.0, "true": 2.0}),
            ),
            critiques=(CritiqueOf("Bad", ("- minor, clear: Say it.",), revision=f"Good {i}"),),
            faults={"chosen": [[0, 9]], "rejected": []},
            lineage={
                "models": ["scripted:default"],
                "decided_by": "aa11" if i % 4 == 0 else None,
                "criteria": [{"id": "C1", "name": "", "text": "Says so.", "weight": 1.0, "scores": []}],
            },
        )
        made.append(pair)
    return made


@pytest.fixture
def datasets(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    loaded = pytest.importorskip("datasets")
    loaded.disable_progress_bars()
    return loaded


@pytest.mark.parametrize("name", ["trl-preference", "trl-stepwise", "llama-factory", "alpaca", "parquet"])
def test_datasets_loads_a_folder_by_its_card(tmp_path: Path, datasets: Any, name: str) -> None:
    made = export_folder(rows(), format=name, path=tmp_path / "set", test_fraction=0.3)
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "test"}
    assert {split: len(part) for split, part in loaded.items()} == {f.split: f.rows for f in made.files}
    assert sorted(path.name for path in (tmp_path / "set").iterdir())[:2] == ["README.md", "croissant.json"]


def test_the_card_is_the_hubs(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    export_folder(
        rows(), format="trl-preference", path=tmp_path / "set", about_set=About(limits=("Only 40.",))
    )
    text = (tmp_path / "set" / "README.md").read_text()
    card = hub.DatasetCard(text)
    meta = card.data.to_dict()
    assert meta["license"] == "cc0-1.0"
    assert meta["language"] == ["de", "en"]
    assert meta["size_categories"] == ["n<1K"]
    assert meta["annotations_creators"] == ["expert-generated", "machine-generated"]
    assert meta["configs"][0]["data_files"] == [{"split": "train", "path": "data/records.jsonl"}]
    # The hub's validator is a network call; these are its closed sets.
    assert set(meta["task_categories"]) <= {"text-generation"}
    assert hub.DatasetCardData(**meta).to_dict() == meta
    assert "\n## <script>" not in text
    assert "- Only 40." in text
    assert yaml.safe_load(text.split("---")[1])["pretty_name"] == "set"


def test_licences_and_languages_in_the_hubs_words(tmp_path: Path) -> None:
    assert hub_licence("Apache-2.0") == {"license": "apache-2.0"}
    assert hub_licence("House rules 3") == {"license": "other", "license_name": "house-rules-3"}
    assert hub_licence("<!>") == {"license": "other", "license_name": "own"}
    assert hub_licence("") == {"license": "unknown"}
    assert hub_languages({"not stated": 3, "zh_Hans": 1, "Klingon maybe": 2, "en": 1}) == ["en", "zh"]
    mixed = [*rows(2), replace(rows(3)[2], licence=None)]
    made = export(mixed, format="jsonl", path=tmp_path / "o.jsonl")
    assert front_matter(made, FORMATS["jsonl"], name="x")["license"] == "unknown"
    assert front_matter(made, FORMATS["jsonl"], name="x", licence="MIT")["license"] == "mit"


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.filterwarnings("ignore")
def test_croissant_is_valid_and_gives_the_rows(tmp_path: Path, name: str) -> None:
    croissant = pytest.importorskip("mlcroissant")
    logging.getLogger("absl").setLevel(logging.ERROR)
    made = export_folder(rows(), format=name, path=tmp_path / "set", test_fraction=0.3)
    content = json.loads((tmp_path / "set" / "croissant.json").read_text())
    assert "http://mlcommons.org/croissant/RAI/1.0" in content["conformsTo"]
    assert content["rai:annotatorDemographics"][0].startswith("1 experts")
    assert HOSTILE in content["rai:dataCollection"]
    found = croissant.Dataset(jsonld=str(tmp_path / "set" / "croissant.json"))
    assert not found.metadata.issues.errors
    for file in made.files:
        records = list(found.records(file.split))
        assert len(records) == file.rows > 0
    if name == "trl-preference":
        assert records[0]["test/chosen"][0]["test/chosen/role"] == b"assistant"


def test_a_folder_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        export_folder(rows(), format="jsonl", path=tmp_path / "set")
    assert [path.name for path in tmp_path.rglob("*")] == ["set", "mine.txt"]
    with pytest.raises(UsageError, match="no folder"):
        export_folder(rows(), format="jsonl", path=tmp_path / "a" / "b")


def test_the_same_rows_give_the_same_folder(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        export_folder(rows(), format="trl-preference", path=tmp_path / place / "set")
    one, two = (
        {
            p.relative_to(tmp_path / place): p.read_bytes()
            for p in (tmp_path / place).rglob("*")
            if p.is_file()
        }
        for place in ("a", "b")
    )
    assert one == two
    assert len(one) == 4


def test_an_empty_set_is_a_valid_folder(tmp_path: Path) -> None:
    made = export_folder([], format="trl-preference", path=tmp_path / "none")
    assert made.written == 0
    assert "configs" not in (tmp_path / "none" / "README.md").read_text()


def test_facts_are_counted_in_bounded_memory(tmp_path: Path) -> None:
    many = [replace(rows(1)[0], id=f"r{i}", seed_id=f"s{i}", source=f"source {i}") for i in range(120)]
    facts = export(many, format="trl-preference", path=tmp_path / "o.jsonl").facts
    assert facts["records"] == facts["decided"] == 120
    assert len(facts["sources"]) == 51
    assert facts["sources"]["(others)"] == 70
    assert facts["columns"] == {"prompt": "turns", "chosen": "turns", "rejected": "turns"}
    assert facts["annotators"] == 1
