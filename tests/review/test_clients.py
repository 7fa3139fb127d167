"""Clients generated from the description of the API, in Python and in TypeScript, work against the server."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from running import Server

PACKAGES = Path(sys.prefix) / "typescript" / "node_modules"
DONE = {
    "lease": "leased", "draft": "leased", "kind": "decided", "refused": "already_decided", "undone": True,
    "released": "released",
}  # fmt: skip
"""What a client tells of the six operations of the core, and of a second answer that was refused."""


@pytest.fixture
def description(server: Server, tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(server.app.openapi()))
    return file


def test_a_python_client(
    server: Server, description: Path, person: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = pytest.importorskip("openapi_python_client", reason="make test installs it")
    config = importlib.import_module("openapi_python_client.config")
    settings = config.ConfigFile(post_hooks=[])
    out = tmp_path / "reviewclient"
    problems = make.generate(
        config=config.Config.from_sources(settings, config.MetaType.NONE, description, "utf-8", True, out)
    )
    assert list(problems) == []
    monkeypatch.syspath_prepend(tmp_path)
    models = importlib.import_module("reviewclient.models")
    core = {
        name: importlib.import_module(f"reviewclient.api.core.{name}")
        for name in ("next_", "heartbeat", "draft", "decision", "undo", "release")
    }
    client = importlib.import_module("reviewclient").AuthenticatedClient(server.address, person("Ada")[1])
    with client:
        item = core["next_"].sync(client=client).item
        lease = core["heartbeat"].sync(item.assignment, client=client)
        typed = models.DraftIn.from_dict({"draft": {"choice": "tie"}})
        draft = core["draft"].sync(item.assignment, client=client, body=typed)
        answers = [
            models.DecisionIn.from_dict(
                {"token": item.token, "answer": {"choice": choice, "rationale": "So."}}
            )
            for choice in ("tie", "both_bad")
        ]
        done, refused = (core["decision"].sync(item.review, client=client, body=one) for one in answers)
        undone = core["undo"].sync(done.decision, client=client)
        again = core["next_"].sync(client=client).item
        released = core["release"].sync(again.assignment, client=client)
    assert isinstance(refused, models.Problem)
    assert {
        "lease": lease.state, "draft": draft.state, "kind": done.kind, "refused": refused.error,
        "undone": undone.decision == done.decision, "released": released.state,
    } == DONE  # fmt: skip


@pytest.mark.skipif(
    not PACKAGES.is_dir() or shutil.which("node") is None, reason="no node and npm here (make test uses them)"
)
def test_a_typescript_client(server: Server, description: Path, person: Any, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(Path(__file__).with_name("client.ts"), tmp_path)

    def node(script: str, *arguments: str) -> str:
        done = subprocess.run(["node", script, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    fields = "--default-non-nullable=false"  # a field that has a default may be left out
    node("node_modules/openapi-typescript/bin/cli.js", str(description), "-o", "schema.d.ts", fields)
    strict = ("--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext")
    node("node_modules/typescript/bin/tsc", *strict, "--lib", "es2022,dom", "client.ts")
    assert json.loads(node("client.js", server.address, person("Ada")[1])) == DONE
