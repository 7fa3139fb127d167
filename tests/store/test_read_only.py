"""A store that cannot be written is read, says why it takes nothing, and is left as it was."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from solon.errors import SolonError
from solon.formats.containers import write_text_at_once
from solon.observers import SolonWarning
from solon.project import Project
from solon.store.database.engine import log_of, sqlite_uri
from solon.store.privacy import forgetting

CONFIG = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "never"}}

PROGRAM = """
import os, sys, tempfile
from solon.errors import StoreError
from solon.project import Project
config = {"models": {"default": {"model": "scripted:default"}}, "routing": {"policy": "never"}}
if os.getuid() == 0:  # root may write everything; import all that it takes, then be nobody
    with tempfile.TemporaryDirectory() as place, Project(f"sqlite:///{place}/a.db", config=config) as project:
        project.run("preference", ["to import everything"])
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with Project(sys.argv[1], config=config) as project:
        (record,) = project.records()
        project.trace(record.id)
        with tempfile.TemporaryDirectory() as place:
            exported = project.export("jsonl", f"{place}/all.jsonl")
        print("read", project.summarize().accepted, exported.written, len(project.runs()), flush=True)
        project.run("preference", ["another one"])
except StoreError as error:
    print("StoreError:", error)
"""


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that every user may enter: the own ones of pytest are closed by each session that begins."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.mark.sqlite("permissions of its file")
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs file permissions of POSIX")
@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_store_that_may_not_be_written(open_path: Path, closed: str) -> None:
    folder = open_path / "stores"
    folder.mkdir()
    path = folder / "store.db"
    url = f"sqlite:///{path}"
    with Project(url, config=CONFIG) as project:
        assert project.run("preference", ["Why is the sky blue?"]).accepted == 1
    before = path.read_bytes()
    path.chmod(0o444)
    folder.chmod(0o555 if closed == "folder" else 0o777)
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, url], capture_output=True, text=True, check=False, cwd="/"
        )
    finally:
        folder.chmod(0o755)
        path.chmod(0o644)
    assert "read 1 1 1\n" in done.stdout, done.stderr
    assert "StoreError:" in done.stdout, done.stderr
    assert "writable" in done.stdout
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == before
    with Project(url, config=CONFIG) as project:
        assert project.summarize().accepted == 1


@pytest.mark.sqlite("how its files are opened")
def test_a_file_in_a_closed_folder_is_read_as_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where nobody can write: beside a log there may be a writer, and the log belongs to the file."""
    path = tmp_path / "store.db"
    path.touch()
    assert sqlite_uri(path) == path.as_uri()
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    assert sqlite_uri(path) == f"{path.as_uri()}?mode=ro&immutable=1"
    log_of(path).touch()
    assert sqlite_uri(path) == f"{path.as_uri()}?mode=ro"


def test_what_a_disk_refuses_is_no_mistake_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that cannot be written: the file is named, and what was there stays."""
    target = tmp_path / "page.html"
    target.write_text("before")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(target))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SolonError, match=r"page\.html cannot be written: Read-only file system"):
        write_text_at_once(target, ["after"])
    monkeypatch.undo()
    assert target.read_text() == "before"


@pytest.mark.parametrize(
    ("said", "warned"),
    [
        ("database or disk is full", True),
        ("attempt to write a readonly database", False),
        ("cannot execute INSERT in a read-only transaction", False),
    ],
)
def test_an_export_that_cannot_be_noted_says_so_unless_the_store_is_only_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, warned: bool
) -> None:
    with Project(f"sqlite:///{tmp_path / 'read-only.db'}", config=CONFIG) as project:

        def fail(*_: object) -> None:
            raise sqlite3.OperationalError(said)

        monkeypatch.setattr(forgetting, "insert_rows", fail)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            forgetting.mark_export(project.store, "local:me", [str(tmp_path / "a.jsonl")], run=None)
    told = [str(one.message) for one in caught if issubclass(one.category, SolonWarning)]
    assert len(told) == warned
    assert all(str(tmp_path / "a.jsonl") in one and said in one for one in told)
