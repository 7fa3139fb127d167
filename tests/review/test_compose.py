"""The services of deploy/compose.yaml run as it says, without Docker: page and worker as processes over PostgreSQL.

Commands, environment, order and health check are read from the file. In the place of the container of PostgreSQL stands
a private server, in that of the port of the page a free one, and the model is one that .env may name.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from running import free_port, wait_for

from solon.cli import main
from solon.project import Project

FILE = Path(__file__).parents[2] / "deploy" / "compose.yaml"
TEXT = FILE.read_text("utf-8")
PORT = "8080"
PATIENCE = 150.0
"""Seconds after which something that takes a few on a machine of its own is given up."""


def read_services(given: dict[str, str]) -> dict[str, Any]:
    """The services that start without a profile, with the variables of .env in their places."""

    def value(match: re.Match[str]) -> str:
        name, kind, word = match.groups()
        assert name in given or kind == "-", f"{name}: {word}"
        return given.get(name, word)

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(one) for key, one in node.items()}
        if isinstance(node, list):
            return [filled(one) for one in node]
        return re.sub(r"\$\{(\w+):([-?])([^}]*)\}", value, node) if isinstance(node, str) else node

    found = yaml.safe_load(TEXT)["services"]
    return {name: filled(service) for name, service in found.items() if "profiles" not in service}


def in_order(services: dict[str, Any]) -> Iterator[str]:
    """Their names, each after those that it depends on."""
    left = dict(services)
    while left:
        ready = [name for name, one in left.items() if not set(one.get("depends_on", ())) & set(left)]
        assert ready, f"a circle: {list(left)}"
        yield from ready
        left = {name: one for name, one in left.items() if name not in ready}


def said_in_comments(command: str) -> list[str]:
    """The words of a command that the comments name, after `solon`."""
    [line] = re.findall(rf"exec worker solon ({command} .+)$", TEXT, re.MULTILINE)
    return shlex.split(line)


@contextmanager
def running(name: str, service: dict[str, Any], folder: Path, port: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process of a service, healthy where the file says how to tell; it ends well on SIGTERM."""
    assert service["entrypoint"] == ["solon"]
    words = [port if word == PORT else word for word in service["command"]]
    env = {name: text for name, text in os.environ.items() if not name.startswith("SOLON_")}
    log = folder / f"{name}.txt"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "solon", *words],
            env=env | service["environment"], cwd=folder, stdout=told, stderr=told,
        )  # fmt: skip
    try:
        if "healthcheck" in service:
            kind, program, *rest = service["healthcheck"]["test"]
            assert (kind, program) == ("CMD", "python")
            check = [sys.executable, *(word.replace(PORT, port) for word in rest)]

            def is_up() -> bool:
                assert process.poll() is None, log.read_text()
                return "Reviews at" in log.read_text()

            wait_for(is_up)
            wait_for(lambda: subprocess.run(check, capture_output=True).returncode == 0)
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM), log.read_text()
    finally:
        process.kill()
        process.wait()


def test_the_services_carry_an_answer_to_its_record(
    new_postgres_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    env = {"POSTGRES_PASSWORD": "p", "SOLON_MODELS__DEFAULT__MODEL": "scripted:split"}
    services, url, port = read_services(env), new_postgres_database(), str(free_port())
    assert list(in_order(services)) == ["database", "review", "worker"]
    assert services["review"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    environment = services["worker"]["environment"]
    assert environment == services["review"]["environment"]
    assert environment["SOLON_STORE"] == "postgresql://solon:p@database/solon"
    environment |= {"SOLON_STORE": url}
    services["review"]["environment"] = environment
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seeds.jsonl").write_text(json.dumps({"id": "a", "prompt": "Why is the sky blue?"}))
    with running("review", services["review"], tmp_path, port):
        assert main(said_in_comments("expert add")) == 0
        token = capfd.readouterr().out.split()[-1]
        run = [word.replace("/data", str(tmp_path)) for word in said_in_comments("run")]
        assert main(run) == 3  # it waits for a person
        with running("worker", services["worker"], tmp_path, port), Project(url) as project:
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers) as http:
                item = http.post("/next", json={}).json()["item"]
                chosen = item["candidates"][0]["id"]
                answer = {"choice": "prefer", "candidate": chosen, "rationale": "It is right."}
                given = {"token": item["token"], "answer": answer}
                done = http.post(f"/reviews/{item['review']}/decision", json=given)
                assert done.json()["kind"] == "decided", done.text
            wait_for(lambda: project.summarize().accepted == 1)
            [record] = project.records()
            assert record.route == "decided"
