"""A store that cannot be written says so, and is left as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from solon.project import Project

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
        print(project.summarize().accepted)
        project.run("preference", ["another one"])
except StoreError as error:
    print("StoreError:", error)
"""


@pytest.mark.sqlite("permissions of its file")
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs file permissions of POSIX")
@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_store_that_may_not_be_written(tmp_path: Path, closed: str) -> None:
    folder = tmp_path / "stores"
    folder.mkdir()
    path = folder / "store.db"
    url = f"sqlite:///{path}"
    with Project(url, config=CONFIG) as project:
        assert project.run("preference", ["Why is the sky blue?"]).accepted == 1
    before = path.read_bytes()
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == os.getuid() and len(parent.parts) > 2:
            parent.chmod(0o755)
    path.chmod(0o444)
    folder.chmod(0o555 if closed == "folder" else 0o777)
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, url], capture_output=True, text=True, check=False, cwd="/"
        )
    finally:
        folder.chmod(0o755)
        path.chmod(0o644)
    assert "StoreError:" in done.stdout, done.stderr
    assert "writable" in done.stdout
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == before
    with Project(url, config=CONFIG) as project:
        assert project.summarize().accepted == 1
