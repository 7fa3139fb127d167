"""Bytes of strangers, bent: whatever reads them takes them, or refuses them with one of Solon's own errors.

Valid examples of every file, answer and request that comes from elsewhere are cut, doubled, filled with NUL, nested,
and given absurd numbers, halves of characters and values of other kinds. Examples for each reader: SOLON_FUZZ_EXAMPLES
(default 10; `make fuzz`: 2,000). A format that is new gets a file in `foreign/`, and a line in `READERS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
import os
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.shared.exceptions import MCPError
from pypdf import PdfWriter

from solon.agents.models.answers import find_answer
from solon.agents.models.batches import Batches, Batching, _Request
from solon.agents.models.failures import Server
from solon.agents.models.tries import Tries
from solon.agents.outputs import Findings, PairVerdict, ResolutionAnswer
from solon.cli.app import command_tree
from solon.cli.mcp import Tools, make_server
from solon.cli.review import _read_spans
from solon.config import load_config
from solon.errors import SolonError
from solon.eval.releases.releases import read_manifest, read_rows
from solon.eval.releases.signatures import read_signatures
from solon.eval.replay import recorded
from solon.formats.labelled import read_labelled
from solon.formats.named_texts import read_texts
from solon.formats.seeds import read_seeds
from solon.formats.votes import read_votes
from solon.law.amendments import parse_amendment
from solon.law.documents import parse_constitution, parse_rubric, parse_rules
from solon.operations.backup import read_backup
from solon.project import Project
from solon.prompts.library import PromptLibrary
from solon.reading import read_text
from solon.recipes.personas import draw_line
from solon.review.app import create_app
from solon.review.language import read_language
from solon.review.state import Options
from solon.store.database.tombstones import stones_in_file
from solon.store.reviewing.experts import add_expert
from tests.exchange.reading import read_import

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("SOLON_FUZZ_EXAMPLES", "10"))
FILES = Path(__file__).parent / "foreign"
"""A valid example of each; one called `import-*` is imported."""
MOST = 200_000


def parquet(**columns: list[Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def zstd(content: bytes) -> bytes:
    sink = io.BytesIO()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
        stream.flush()
        return sink.getvalue()


def pdf() -> bytes:
    sink = io.BytesIO()
    made = PdfWriter()
    made.add_blank_page(width=72, height=72)
    made.write(sink)
    return sink.getvalue()


# Readers: each takes a file and reads it to the end ------------------------------------------------------------------


def drain(rows: Iterator[Any]) -> None:
    for row in rows:
        assert repr(row)


def of_text(parse: Callable[[str], Any]) -> Callable[[Path], Any]:
    return lambda path: parse(read_text(path))


def imported(path: Path) -> None:
    found = read_import("auto", path)
    assert all(bad.reason for bad in found.bad)


def find_answers(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    for schema in (PairVerdict, Findings, ResolutionAnswer):
        found, problem = find_answer(text, schema)
        assert found is not None or problem


class Provider:
    """A provider's side of a batch whose results are these."""

    server = Server("http://127.0.0.1:9/v1", "m")

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def send(self, *_: Any, **__: Any) -> bytes:
        return self._content


def read_batch(path: Path) -> None:
    async def go() -> None:
        batches = Batches(Provider(path.read_bytes()), Batching(0.0, False), 1)  # type: ignore[arg-type]
        answers = {name: asyncio.get_running_loop().create_future() for name in ("c1", "c2", "c3")}
        requests = {name: _Request(name, b"{}", Tries(), answer) for name, answer in answers.items()}
        await batches._deliver("b1", {"status": "completed", "output_file_id": "f1"}, requests)
        for answer in answers.values():
            assert answer.done()
            assert answer.exception() is None or isinstance(answer.exception(), Exception)

    asyncio.run(go())


class Keyed:
    key, url = "k", "sqlite:///none.db"


def read_stones(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stones_in_file(Keyed(), path)  # type: ignore[arg-type]


def example(name: str) -> bytes:
    return (FILES / name).read_bytes()


def seeds(path: Path) -> None:
    drain(read_seeds(path))


def document(path: Path) -> None:
    drain(read_seeds(path, documents=True))


LAW = ROOT / "solon" / "law" / "starters"
READERS: dict[str, tuple[Callable[[Path], Any], bytes]] = {
    **{path.name: (imported, path.read_bytes()) for path in sorted(FILES.glob("import-*"))},
    **{f"seeds.{ending}": (seeds, example(f"seeds.{ending}")) for ending in ("jsonl", "json", "csv", "tsv")},
    "seeds.parquet": (seeds, parquet(prompt=["a", "b"], tags=[["x"], None])),
    "seeds.gz.jsonl": (seeds, gzip.compress(example("seeds.jsonl"))),
    "seeds.zst.jsonl": (seeds, zstd(example("seeds.jsonl"))),
    "seeds.utf-16.jsonl": (seeds, example("seeds.jsonl").decode().encode("utf-16")),
    "page.txt": (document, example("page.txt")),
    "page.html": (document, example("page.html")),
    "page.pdf": (document, pdf()),
    "recording.jsonl": (recorded.load, example("recording.jsonl")),
    "votes.jsonl": (lambda path: read_votes(path, ("card", "fees"), MOST), example("votes.jsonl")),
    "labels.csv": (lambda path: drain(read_labelled(path)), example("labels.csv")),
    "texts.jsonl": (lambda path: drain(read_texts(path)), example("texts.jsonl")),
    "personas.jsonl": (lambda path: draw_line(path, 3), example("personas.jsonl")),
    "configuration.toml": (load_config, example("configuration.toml")),
    "constitution.yaml": (of_text(parse_constitution), (LAW / "constitutions" / "general.yaml").read_bytes()),
    "rubric.yaml": (of_text(parse_rubric), (LAW / "rubrics" / "general.yaml").read_bytes()),
    "rules.yaml": (of_text(parse_rules), example("rules.yaml")),
    "amendment.yaml": (of_text(parse_amendment), example("amendment.yaml")),
    "judge.pair.md": (
        lambda path: PromptLibrary(path.parent),
        (ROOT / "solon" / "prompts" / "templates" / "judge.pair.md").read_bytes(),
    ),
    "language.toml": (lambda path: read_language(str(path)), example("language.toml")),
    "release.json": (lambda path: read_manifest(path.parent), example("release.json")),
    "rows.jsonl": (lambda path: drain(read_rows(path.parent)), example("rows.jsonl")),
    "signatures.json": (lambda path: read_signatures(path.parent), example("signatures.json")),
    "manifest.json": (lambda path: read_backup(path.parent), example("manifest.json")),
    "tombstones.jsonl": (read_stones, example("tombstones.jsonl")),
    "verdict.txt": (find_answers, example("verdict.txt")),
    "batch.jsonl": (read_batch, example("batch.jsonl")),
    "spans.json": (of_text(_read_spans), example("spans.json")),
}


# How examples are bent -----------------------------------------------------------------------------------------------

ODD = [
    None,
    True,
    False,
    0,
    -1,
    1e308,
    10**30,
    float("inf"),
    float("nan"),
    "",
    "\0",
    "\ud800",
    "x" * 3000,
    [],
    {},
    [[]],
    {"": None},
    ["a", 1],
    {"role": 1},
    "1e999",
    {"$ref": "#"},
]
PIECES = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"9" * 5000,
    b"1e999",
    b"-",
    b"[" * 2000,
    b'{"a":' * 2000,
    b'"',
    b"\r",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"&a [*a,*a]",
    b"{{",
    b"%s",
    b"'''",
    "\u202e\u2028".encode(),
    b"!!python/object:os.system",
]
BENDS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "drop", "double", "put", "swap", "swap", "swap"]), st.integers(0, 2**32)
    ),
    min_size=1,
    max_size=3,
)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """The values within a value, each with what holds it and where."""
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from places(node[key])


def swapped(content: bytes, draw: random.Random) -> bytes:
    """Another value in the place of one in some line of JSON; of what is none, a digit or letter more."""
    begin = content.rfind(b"\n", 0, draw.randrange(len(content) + 1)) + 1
    for start, end in ((0, len(content)), (begin, content.find(b"\n", begin) % (len(content) + 1))):
        try:
            value = json.loads(content[start:end])
            held, key = draw.choice(list(places(value)))
        except (ValueError, IndexError, RecursionError):
            continue
        held[key] = draw.choice(ODD)
        return content[:start] + json.dumps(value).encode() + content[end:]
    at = draw.randrange(len(content) + 1)
    return content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :]


def bent(content: bytes, bends: list[tuple[str, int]]) -> bytes:
    for how, number in bends:
        draw = random.Random(number)
        start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
        match how:
            case "cut":
                content = content[:end]
            case "drop":
                content = content[:start] + content[end:]
            case "double":
                content = content[:end] + content[start:]
            case "put":
                content = content[:start] + draw.choice(PIECES) + content[start:]
            case "swap":
                content = swapped(content, draw)
    return content


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    return lambda: tmp_path_factory.mktemp("bent")


FUZZED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", READERS)
def test_whatever_a_file_holds_is_read_or_refused(name: str, folders: Callable[[], Path]) -> None:
    reader, valid = READERS[name]

    def read(content: bytes) -> None:
        path = folders() / name
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(SolonError):
                reader(path)

    @FUZZED
    @given(BENDS)
    def bend(bends: list[tuple[str, int]]) -> None:
        read(bent(valid, bends))

    read(valid)
    bend()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with a review that waits for somebody."""
    config = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}
    with Project(f"sqlite:///{tmp_path_factory.mktemp('asked')}/solon.db", config=config) as project:
        project.run("preference", [{"id": "s", "prompt": "Explain it."}])
        yield project


def test_whatever_a_body_holds_is_taken_or_refused(asked: Project) -> None:
    _, token = add_expert(asked.store, "Ada", role="admin", by="local:test")
    app, review = create_app(asked, Options(work=False)), asked.reviews()[0]
    transport, headers = httpx.ASGITransport(app=app), {"Authorization": f"Bearer {token}"}
    first = review.candidates[0].id
    answer = {
        "choice": "prefer",
        "candidate": first,
        "rationale": "So.",
        "flags": {first: ["unsafe"]},
        "scores": {"a": 3},
        "evidence": [{"candidate": first, "start": 0, "end": 3, "flag": "unsafe"}],
        "ranking": [[first]],
    }
    bodies = {
        f"reviews/{review.id}/decision": {
            "token": "0" * 32,
            "answer": answer,
            "times": {"active_seconds": 3},
        },
        "next": {"exclude": [review.id]},
        "experts": {"name": "Bo", "role": "expert", "specialties": ["law"], "languages": ["en"]},
    }

    @FUZZED
    @given(st.sampled_from(sorted(bodies)), BENDS)
    def post(path: str, bends: list[tuple[str, int]]) -> None:
        async def go() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=transport, base_url="http://solon.test", headers=headers
            ) as http:
                return await http.post(
                    f"/api/v1/{path}", content=bent(json.dumps(bodies[path]).encode(), bends)
                )

        told = asyncio.run(go())
        assert told.status_code < 500, told.text
        assert told.status_code < 400 or told.json()["cause"], told.text

    post()


def test_whatever_an_agent_asks_is_answered_or_refused(asked: Project) -> None:
    server = make_server(Tools(lambda: Project(asked.store.url, read_only=True), command_tree()))
    calls = [
        {"name": "show_review", "arguments": {"review": asked.reviews()[0].id}},
        {"name": "list_reviews", "arguments": {"state": "waiting", "limit": 5}},
        {"name": "evaluate", "arguments": {"suite": "judges", "run": None}},
        {"name": "read_docs", "arguments": {"part": "formats", "about": "trl"}},
    ]

    @FUZZED
    @given(st.sampled_from(calls), BENDS)
    def call(valid: dict[str, Any], bends: list[tuple[str, int]]) -> None:
        try:
            request = json.loads(bent(json.dumps(valid).encode(), bends))
            name, arguments = request["name"], request["arguments"]
            assert isinstance(name, str)
            assert isinstance(arguments, dict)
            json.dumps(request, ensure_ascii=False).encode()
        except (ValueError, TypeError, KeyError, AssertionError, RecursionError):
            return  # no request that an agent's program can send

        async def go() -> Any:
            async with Client(server) as client:
                return await client.call_tool(name, arguments)

        try:
            told = asyncio.run(go())
        except MCPError:
            return
        assert not told.is_error or "Traceback" not in told.content[0].text

    call()
