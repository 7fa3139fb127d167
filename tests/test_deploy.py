"""The files of deploy/: every reference meets something, every command parses, and no secret stands in them.

They are checked here and not run: that takes Docker, a Kubernetes cluster with KubeRay, and GPUs. The services of the
compose file that need no GPU are run by tests/review/test_compose.py, as processes.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from solon.cli import main
from solon.cli.app import command_tree
from solon.config import parse_config
from solon.config.layers import read_layers

FOLDER = Path(__file__).parents[1] / "deploy"
MANIFESTS = sorted((FOLDER / "kubernetes").glob("*.yaml"))


def objects() -> list[dict[str, Any]]:
    return [made for file in MANIFESTS for made in yaml.safe_load_all(file.read_text("utf-8"))]


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
    return found


def walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def containers() -> list[dict[str, Any]]:
    return [c for made in objects() for node in walk(made) for c in node.get("containers", ())]


def commands() -> Iterator[list[str]]:
    """Every command line of Solon's, in containers and in comments."""
    for service in compose()["services"].values():
        if service.get("entrypoint") == ["solon"]:
            yield service["command"]
    for container in containers():
        if container["image"].startswith("solon") and "args" in container:
            yield container["args"]
    for file in (*MANIFESTS, FOLDER / "compose.yaml"):
        for line in re.findall(r"(?:exec .*) solon (.+)$", file.read_text("utf-8"), re.MULTILINE):
            yield shlex.split(line)


def test_every_command_is_one_that_solon_knows() -> None:
    found = list(commands())
    assert len(found) >= 5
    for words in found:
        command, left = command_tree(), list(words)
        context = None
        while hasattr(command, "commands"):
            context = command.make_context(
                left.pop(0) if context else "solon", [], parent=context, resilient_parsing=True
            )
            command = command.commands[left[0]]
        # Parsing fails on an option or argument that is not there; nothing is run.
        command.make_context(left[0], left[1:], parent=context)


def test_every_server_takes_its_arguments_and_begins_the_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on the first start: there is no store. Only the listening itself is left out."""
    serving = [words for words in commands() if words[:2] == ["review", "serve"]]
    assert len(serving) == 2
    heard: list[str] = []
    monkeypatch.setattr("solon.review.serve.serve", lambda *_, host, **__: heard.append(host))
    for n, words in enumerate(serving):
        monkeypatch.setenv("SOLON_STORE", f"sqlite:///{tmp_path}/{n}.db")
        assert main(words) == 0, words
    assert heard == ["0.0.0.0"] * 2


def test_every_variable_is_a_key_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables: dict[str, str] = {}
    for made in objects():
        if made["kind"] == "ConfigMap":
            variables |= made["data"]
    beside = ("SOLON_STORE", "OPENAI_API_KEY")
    variables |= {k: v for k, v in compose()["services"]["ray"]["environment"].items() if k not in beside}
    variables = {k: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", v) for k, v in variables.items()}
    assert all(name.startswith("SOLON_") for name in variables)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    from solon.config import Config

    config = parse_config(
        read_layers(tmp_path / "none.toml", None, roots=set(Config.model_fields), overrides={})
    )
    assert config.models["default"].provider == "openai"
    assert config.models["default"].base_url


def test_what_is_referred_to_is_there() -> None:
    made = objects()
    labels = [c["metadata"]["labels"] for m in made for c in [m.get("spec", {}).get("template", {})] if c]
    for service in (m for m in made if m["kind"] == "Service"):
        assert service["spec"]["selector"] in labels, service["metadata"]["name"]
    maps = {m["metadata"]["name"] for m in made if m["kind"] == "ConfigMap"}
    for container in containers():
        assert {source["configMapRef"]["name"] for source in container.get("envFrom", ())} <= maps
        assert "memory" in container["resources"]["limits"], container["name"]
    services = compose()["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for other, wanted in service.get("depends_on", {}).items():
            assert wanted["condition"] != "service_healthy" or "healthcheck" in services[other]


def test_the_image_takes_extras_that_bring_something() -> None:
    [taken] = re.findall(r"'\.\[(.+)\]'", (FOLDER / "Dockerfile").read_text("utf-8"))
    extras = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    assert all(extras.get(name) for name in taken.split(","))


def test_the_image_is_built_without_secrets_and_data() -> None:
    ignored = {
        line.strip("/") for line in (FOLDER.parent / ".dockerignore").read_text("utf-8").split() if line
    }
    held = [str(one) for service in compose()["services"].values() for one in service.get("volumes", ())]
    data = {f"deploy/{one[2:].partition(':')[0]}" for one in held if one.startswith("./")}
    assert data
    assert {".git", "deploy/.env", "**/*.db", *data} <= ignored
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {"solon", "pyproject.toml", project["readme"], *project.get("license-files", ())}
    assert not needed & ignored
    assert all((FOLDER.parent / name).exists() for name in needed)


def test_the_lines_for_env_name_variables_that_the_services_take_and_servers_that_they_reach() -> None:
    service, text = compose()["services"]["worker"], (FOLDER / "compose.yaml").read_text("utf-8")
    said = re.findall(r"^#   (\w+)=(.+)$", text, re.MULTILINE)
    assert {name for name, _ in said} < set(service["environment"])
    hosts = [urlsplit(value).hostname for name, value in said if name.endswith("BASE_URL")]
    assert hosts == ["api.openai.com", *(one.partition(":")[0] for one in service["extra_hosts"])]
    assert service["working_dir"] in [one.partition(":")[2] for one in service["volumes"]]


def test_no_secret_stands_in_a_file() -> None:
    for node in (node for made in [*objects(), compose()] for node in walk(made)):
        if str(node.get("name", "")).endswith(("PASSWORD", "STORE", "KEY")):
            assert "value" not in node
            assert "secretKeyRef" in node["valueFrom"]
        for key, value in node.items():
            if key.endswith("_KEY"):
                assert value == f"${{{key}:-}}"
            elif key.endswith(("PASSWORD", "SOLON_STORE")):
                assert "${POSTGRES_PASSWORD:?" in str(value)


def test_the_ray_of_the_manifests_is_one_that_solon_takes() -> None:
    [cluster] = [made for made in objects() if made["kind"] == "RayCluster"]
    assert re.fullmatch(r"2\.\d+\.\d+", cluster["spec"]["rayVersion"])
