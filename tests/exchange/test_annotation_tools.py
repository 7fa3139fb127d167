"""Argilla's client and Label Studio's SDK read what Solon writes for them, and Solon reads what they write.

Neither is among what Solon is developed with (`pip install argilla requests`, `pip install label-studio-sdk`). No
server of theirs runs: Argilla's client is given a stand-in for the connection, which none of this uses.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from solon.formats.annotation import (
    LABEL_STUDIO_PAIR,
    LABEL_STUDIO_SINGLE,
    PAIR,
    SINGLE,
    Question,
    argilla_settings,
    read_argilla,
    read_label_studio,
    write_argilla,
    write_label_studio,
)
from solon.formats.imported import Imported, Pieces

pytestmark = [pytest.mark.annotation, pytest.mark.filterwarnings("default")]
TEXTS = (("aa", "one\n\nmore"), ("bb", "<b>two</b> \U0001f600"))
KINDS = {
    "pair": Question("5e1f", "preference", "Which is $it?", "", TEXTS),
    "single": Question("5e2f", "instruction", "Is it?", "below", TEXTS[:1]),
}
LABELS = {"pair": PAIR, "single": SINGLE}
MEANT = {
    "prefer answer_1": ("prefer", 0),
    "prefer answer_2": ("prefer", 1),
    "tie": ("tie", None),
    "both_bad": ("both_bad", None),
    "accept": ("accept", 0),
    "reject": ("reject", 0),
}


def seeds_of(pieces: Pieces) -> list[Imported]:
    return [one for one in pieces if isinstance(one, Imported)]


@pytest.fixture
def rg(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("requests", reason="argilla needs requests")
    argilla = pytest.importorskip("argilla", reason="argilla is not installed")
    monkeypatch.setattr(argilla.Argilla, "_default_client", MagicMock(name="a stand-in for the server"))
    return argilla


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_argilla_takes_settings_and_records_and_its_answers_come_back(
    rg: Any, tmp_path: Path, kind: str
) -> None:
    from argilla.records._io import JsonIO

    (tmp_path / "settings.json").write_text(json.dumps(argilla_settings(kind)))
    settings = rg.Settings.from_json(tmp_path / "settings.json")
    settings.validate()
    assert [label["value"] for label in settings.serialize()["questions"][0]["settings"]["options"]] == list(
        LABELS[kind]
    )
    question, dataset = KINDS[kind], rg.Dataset(name="reviews", settings=settings)
    (tmp_path / "out.json").write_text(json.dumps([write_argilla(question)]))
    loaded = JsonIO._records_from_json(tmp_path / "out.json")[0]
    assert loaded.to_dict()["fields"]["answer_1"] == "one\n\nmore"
    assert set(loaded.fields) == {field.name for field in settings.fields}
    for number, label in enumerate(LABELS[kind]):
        record = rg.Record.from_dict(write_argilla(question), dataset=dataset)
        one, other = uuid.UUID(int=1), uuid.UUID(int=2)
        record.responses.add(rg.Response("choice", label, user_id=one, status="submitted"))
        record.responses.add(rg.Response("rationale", "Because.", user_id=one, status="submitted"))
        record.responses.add(rg.Response("choice", None, user_id=other, status="discarded"))
        record.api_model()  # what would go to the server is valid
        path = JsonIO.to_json([record], tmp_path / f"back{number}.json")
        [back] = seeds_of(read_argilla(json.loads(path.read_text())[0]))
        assert (back.review, back.candidates) == (
            question.review,
            tuple(name for name, _ in question.candidates),
        )
        assert [(s.choice, s.response, s.by, s.rationale) for s in back.said] == [
            (*MEANT[label], str(one), "Because.")
        ]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_label_studio_takes_interface_and_tasks_and_its_answers_come_back(kind: str) -> None:
    pytest.importorskip("label_studio_sdk", reason="label-studio-sdk is not installed")
    from label_studio_sdk.label_interface import LabelInterface
    from label_studio_sdk.label_interface.objects import AnnotationValue

    interface = LabelInterface(LABEL_STUDIO_PAIR if kind == "pair" else LABEL_STUDIO_SINGLE)
    interface.validate()
    question = KINDS[kind]
    task = write_label_studio(question)
    assert interface.validate_task(task)
    for label in LABELS[kind]:
        side = {"prefer answer_1": "left", "prefer answer_2": "right"}.get(label)
        control = interface.get_control("choice" if side else "verdict")
        regions = [control.label(side or label), interface.get_control("rationale").label("Because.")]
        made = AnnotationValue(result=[region._dict() for region in regions], completed_by=7).model_dump()
        annotation = json.loads(json.dumps(made, default=str))
        # The SDK refuses the region that its own Pairwise tag makes: from and to are one name there.
        checked = {**annotation, "result": annotation["result"][1 if side else 0 :]}
        assert interface._validate_object(checked, return_errors=True) == []
        [back] = seeds_of(read_label_studio({**task, "id": 1, "annotations": [annotation]}))
        assert (back.review, back.candidates) == (
            question.review,
            tuple(name for name, _ in question.candidates),
        )
        assert [(s.choice, s.response, s.by, s.rationale) for s in back.said] == [
            (*MEANT[label], "7", "Because.")
        ]


def test_label_studios_own_sample_of_an_answer_is_read() -> None:
    pytest.importorskip("label_studio_sdk", reason="label-studio-sdk is not installed")
    from label_studio_sdk.label_interface import LabelInterface

    sample = LabelInterface(LABEL_STUDIO_SINGLE).generate_complete_sample_task(raise_on_failure=True)
    [found] = seeds_of(read_label_studio(json.loads(json.dumps(sample, default=str))))
    assert found.kind == "single"
    assert found.said[0].choice in SINGLE


def test_label_studios_converter_reads_the_interface(tmp_path: Path) -> None:
    pytest.importorskip("label_studio_sdk.converter", reason="label-studio-sdk is not installed")
    from label_studio_sdk.converter import Converter

    result = [
        {"from_name": "choice", "to_name": "choice", "type": "pairwise", "value": {"selected": "right"}},
        {"from_name": "rationale", "to_name": "prompt", "type": "textarea", "value": {"text": ["Because."]}},
    ]
    task = {
        **write_label_studio(KINDS["pair"]),
        "id": 1,
        "annotations": [{"id": 3, "completed_by": 7, "was_cancelled": False, "result": result}],
    }
    (tmp_path / "in.json").write_text(json.dumps([task]))
    made = Converter(LABEL_STUDIO_PAIR, project_dir=None)
    made.convert_to_json(str(tmp_path / "in.json"), str(tmp_path / "full"), is_dir=False)
    written = json.loads(next((tmp_path / "full").rglob("*.json")).read_text())
    [back] = seeds_of(read_label_studio(written[0]))
    assert [(s.choice, s.response, s.rationale) for s in back.said] == [("prefer", 1, "Because.")]
