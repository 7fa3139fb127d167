"""Records of spans: JSON lines with offsets, CoNLL (IOB2), spaCy, Label Studio. Imports `contract`, `records`, `spans`.

Offsets count characters (code points), the end exclusive, as spaCy and Label Studio (since 1.5) do. Sources, read in
code: spaCy, `Example.from_dict` of `training/example.pyx` (`entities`, and `spans` where they overlap); Label Studio,
"Labels" and "Text" in its JSON format of annotated tasks; CoNLL-2003's two columns with the tags of Ramshaw and Marcus
1995 in the form IOB2.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from solon.formats.contract import Format, LeftOut, Piece, Remark
from solon.formats.records import ExportRow
from solon.spans import Span, bio_tags


def find_spans(row: ExportRow) -> tuple[str, list[dict[str, Any]]] | LeftOut:
    """Return the text of a record and its spans, or why it has none that may be learned from."""
    if row.outcome != "spans":
        return LeftOut(row.outcome if row.outcome != "accepted" else "no_spans")
    if row.flags:
        return LeftOut("flagged")
    return row.input or row.prompt, row.fields["spans"]


def lean(row: ExportRow) -> Iterator[Piece]:
    """Yield the text with its spans, each with the readings that had it, and who settled the record."""
    found = find_spans(row)
    if isinstance(found, LeftOut):
        yield found
        return
    text, spans = found
    yield {
        "id": row.seed_id,
        "text": text,
        "spans": spans,
        **{name: row.fields.get(name, 0) for name in ("readings", "repaired", "dropped")},
        "route": row.route,
        "confidence": row.confidence,
        "provisional": row.provisional,
        "annotator": row.annotator,
        "models": row.lineage.get("models", []),
    }


def conll(row: ExportRow) -> Iterator[Piece]:
    """Yield the text's tokens, each with its tag on a line, and an empty line after them; and a remark where a token is
    tagged of which a span has only a part."""
    found = find_spans(row)
    if isinstance(found, LeftOut):
        yield found
        return
    text, spans = found
    tagged = bio_tags(text, [Span(one["start"], one["end"], one["label"].replace(" ", "_")) for one in spans])
    if tagged is None:
        yield LeftOut("overlapping")
        return
    yield {"text": "".join(f"{token}\t{tag}\n" for token, tag in tagged.tokens) + "\n"}
    if tagged.widened:
        yield Remark("widened")


def spacy(row: ExportRow) -> Iterator[Piece]:
    """Yield the text with what `Example.from_dict(nlp.make_doc(text), annotations)` takes: all spans in the group `sc`,
    which a span categorizer learns from, and as entities where none overlap."""
    found = find_spans(row)
    if isinstance(found, LeftOut):
        yield found
        return
    text, spans = found
    told = [[one["start"], one["end"], one["label"]] for one in spans]
    crossing = any(before[1] > after[0] for before, after in pairwise(told))
    yield {
        "text": text,
        "annotations": {"spans": {"sc": told}} | ({} if crossing else {"entities": told}),
        "id": row.seed_id,
    }


def label_studio(row: ExportRow) -> Iterator[Piece]:
    """Yield the record as a task with one annotation, for `<Labels name="label" toName="text">` over
    `<Text name="text" value="$text"/>`."""
    found = find_spans(row)
    if isinstance(found, LeftOut):
        yield found
        return
    text, spans = found
    result = [
        {
            "id": f"{row.id[:8]}-{place}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": s["start"], "end": s["end"], "text": s["text"], "labels": [s["label"]]},
        }
        for place, s in enumerate(spans)
    ]
    data = {"text": text, "id": row.seed_id, "record": row.id, "route": row.route}
    yield {"data": data, "annotations": [{"result": result}]}


FORMATS = (
    Format("spans", "texts with spans by character offsets, votes and who settled them", lean),
    Format("conll", "tokens and IOB2 tags in two columns, as CoNLL-2003", conll, "text"),
    Format("spacy", "texts with entities for spaCy's Example.from_dict", spacy),
    Format("label-studio-spans", "tasks with annotated spans for Label Studio", label_studio, "json"),
)
