"""Documents as rows: parts with their places, text of pages and PDF files, and every file that is none."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.errors import SeedError, UsageError
from solon.formats.documents import PART, _cut, read_documents
from solon.formats.seed_files import BadRow
from solon.formats.seeds import read_seeds
from solon.recipes.sources import Documents, find_seeds


@given(st.text("a .\n", max_size=400), st.integers(1, 40), st.integers(1, 30))
def test_parts_are_the_text_in_order(text: str, size: int, step: int) -> None:
    parts = list(_cut([text[at : at + step] for at in range(0, len(text), step)], size))
    after = 0
    for start, part in parts:
        assert text[start : start + len(part)] == part
        assert len(part) <= size
        assert not text[after:start].strip()
        after = start + len(part)
    assert not text[after:].strip()


def test_a_passage_stands_where_it_says_whatever_part_it_is_of(tmp_path: Path) -> None:
    text = "\n\n".join(f"Paragraph {number} of a long text." for number in range(9000))
    (tmp_path / "long.md").write_text(text)
    rows = list(read_seeds(tmp_path / "long.md", documents=True))
    assert len(rows) == 3
    passages = [
        seed for row in rows if not isinstance(row, BadRow) for seed in find_seeds(Documents(size=500), row)
    ]
    for seed in passages:
        place = seed.metadata["passage"]
        assert text[place["start"] : place["end"]] == seed.prompt
        assert seed.id == f"long.md#{place['start']}-{place['end']}"
        assert (seed.group, PART in seed.metadata) == ("long.md", False)
    assert "\n\n".join(seed.prompt for seed in passages) == text


def test_a_row_that_only_looks_like_a_part_is_a_document_of_its_own() -> None:
    from solon.formats.seed_rows import SeedRow

    for hostile in ("text", {"document": "x"}, {"document": "x", "start": "0"}, {"document": 3, "start": 0}):
        (seed,) = find_seeds(Documents(), SeedRow("own", "words", metadata={PART: hostile}))
        assert seed.id == "own#0-5"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<h1>A</h1><p>b <i>c</i>\n d<br>e</p>", "A\n\nb c d\ne"),
        ("<head><title>no</title></head><body>yes<script>no()</script><style>no{}</style></body>", "yes"),
        ("<ul><li>one<li>two</ul>&lt;b&gt;&eacute;", "one\n\ntwo\n\n<b>é"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
        ("<p>never <b>closed", "never closed"),
        ("<script>left open<body>all hidden", ""),
        (
            "a<table>\n<tr><th></th> <th>Mon</th>\n</tr>\n<tr><td><p>rye</p></td><td>3<br>kg</td></tr></table>b",
            "a\n\n | Mon\nrye | 3 kg\n\nb",
        ),
        ("<table><td><p>one</p><p>two</p><table><tr><td>x<td>y</table>z</table>", "one\n\ntwo\n\nx | y\n\nz"),
        ("<td>a<td>b", "a\n\nb"),
        ("a<svg><text>no</text></svg>b</body></svg></p>c", "a\n\nb\n\nc"),
    ],
)
def test_the_text_of_a_page(tmp_path: Path, page: str, text: str) -> None:
    (tmp_path / "page.html").write_text(page)
    (row,) = read_documents(tmp_path / "page.html", 1000)
    found = "" if isinstance(row, BadRow) else row[1]["prompt"]
    assert found.strip() == text


class Pdf:
    """As much of pypdf as is used: what stands in the file says how it behaves."""

    def __init__(self, path: Path) -> None:
        self.said = path.read_text()
        if self.said == "broken":
            raise ValueError("no PDF")
        self.is_encrypted = self.said == "locked"
        self.pages = [SimpleNamespace(extract_text=lambda text=text: text) for text in self.said.split("|")]

    def decrypt(self, password: str) -> int:
        return 0


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("one|two", "one\ntwo\n"),
        ("nul\x00 here", "nul here\n"),
        ("locked", "not readable without its password; save it without one: 'a.pdf'"),
        ("broken", "not readable as PDF (ValueError): 'a.pdf'"),
        ("", "not a word of text in the document 'a.pdf'"),
    ],
)
def test_pdf_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, found: str) -> None:
    (tmp_path / "a.pdf").write_text(said)
    monkeypatch.setitem(sys.modules, "pypdf", SimpleNamespace(PdfReader=Pdf))  # type: ignore[arg-type]
    (row,) = read_documents(tmp_path, 1000)
    assert (row.reason if isinstance(row, BadRow) else row[1]["prompt"]) == found


def test_pdf_files_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pdf").write_text("one")
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(UsageError, match="pypdf is not installed") as refused:
        list(read_documents(tmp_path, 1000))
    assert 'pip install "solon[pdf]"' in (refused.value.next_step or "")


def test_what_is_no_document_is_named(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "blank.txt": b" \n ", "bytes.txt": b"\xff\xfe\xfa", "empty.md": b"", "nul.txt": b"a\x00b", "pic.png": b"x",
        "marks.md": b"---\n\n***\n", "tags.md": b"&nbsp;<br><div></div>", "links.md": b"[](http://x.y) ![](a.png)",
        "letter.txt": b"x", "zip.txt": b"PK\x03\x04", "good.txt": b"good", ".hidden.txt": b"hidden",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link.txt").symlink_to(tmp_path / "good.txt")
    rows = list(read_documents(tmp_path, 1000))
    bad = {row.line: row.reason for row in rows if isinstance(row, BadRow)}
    assert [row[1]["id"] for row in rows if not isinstance(row, BadRow)] == ["good.txt"]
    assert all(reason.startswith("not ") for reason in bad.values())
    for name in {*files, "link.txt"} - {"good.txt", ".hidden.txt"}:
        assert any(name in reason for reason in bad.values()), name


def test_a_row_without_a_word_is_refused_as_a_document() -> None:
    from solon.formats.seed_rows import RowProblem, SeedRow

    with pytest.raises(RowProblem, match="not a word"):
        find_seeds(Documents(), SeedRow("marks", "---\n***"))
    (seed,) = find_seeds(Documents(size=20), SeedRow("rule", f"The gate opens.\n\n{'-' * 20}"))
    assert seed.prompt == "The gate opens."


def test_a_folder_without_a_file_is_refused_and_documents_only_where_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="no document in the folder"):
        list(read_seeds(tmp_path, documents=True))
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(SeedError, match="no known seed format"):
        read_seeds(tmp_path / "a.txt")
    (tmp_path / "data-00000-of-00001.jsonl").write_text('{"prompt": "a row"}')
    (row,) = read_seeds(tmp_path, documents=True)
    assert not isinstance(row, BadRow)
    assert row.prompt == "a row", "a folder of datasets stays one"
