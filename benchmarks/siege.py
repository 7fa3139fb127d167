"""Kill, freeze and broken pipe against a run, a review server and a worker: `python -m benchmarks.siege --rounds 30`.

One store is prepared and copied for each round. A process works on the copy, a fault hits it at a random moment,
another process goes on, and the export of the round is compared with that of an undisturbed round: every item must end
in the same state, with the same texts chosen and rejected. Calls that were made again after they had been written to
the journal count as a fault. The model is the scripted fake; the answers of the expert follow a rule on the texts.

With `--faults forward backward` the clock of the round's processes jumps by a day while they work, and back again; the
machine of whoever answers keeps the right time. This takes libfaketime (Debian: `apt-get install faketime`).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from solon.project import Project
from solon.store.database.store import Store
from solon.store.runs.seed_texts import load_prompt

CLAIM_SECONDS = 2.0
"""In place of two minutes: what a frozen process holds is free after it."""
PATIENCE = 120.0
"""Seconds in which something must come to its end."""
LAPSED = 5
"""Exit code of a process whose claim another took over."""

COMMAND = f"""
import os, select, sys, time
from solon.agents.models import scripted
from solon.store.runs import items

items.CLAIM_SECONDS = {CLAIM_SECONDS}
answer = scripted.answer_by_default

def signed(question, **options):
    text, probabilities = answer(question, **options)
    by = " (process %s)" % os.getpid() if question.role == "generator" and question.schema is None else ""
    return text + by, probabilities

if os.environ.get("SIEGE_SIGNED"):  # like a real model: no process writes what another does
    scripted.answer_by_default = signed
if os.environ.get("FAKETIME_TIMESTAMP_FILE"):  # libfaketime breaks a sleep up to a moment of the monotonic clock
    time.sleep = lambda seconds: select.select((), (), (), seconds) and None
from solon.cli import main

sys.exit(main())
"""
CONFIG = """
[models.default]
model = "scripted:default"
concurrency = 8
options = { latency = 0.03, log = "calls.jsonl" }
[routing]
policy = "threshold"
audit_share = 0.0
[run]
concurrency = 6
[[judges]]
persona = "a careful expert"
[[judges]]
persona = "the person who asked"
"""


class Broken(AssertionError):
    """A round that did not come out as an undisturbed one does."""


@dataclass(slots=True)
class Site:
    """A folder with a store, its configuration, and a log of the calls that the fake model got.

    Attributes:
        signed: no process writes what another does.
        library: path of libfaketime, by which the processes read how far their clock is off; empty: it is right.
    """

    folder: Path
    signed: bool = False
    library: str = ""

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'solon.db'}"

    @property
    def log(self) -> Path:
        return self.folder / "calls.jsonl"

    def configure(self) -> None:
        self.log.touch()
        (self.folder / "solon.toml").write_text(CONFIG)

    def copy_to(self, folder: Path) -> Site:
        shutil.copytree(self.folder, folder)
        copy = Site(folder)
        copy.log.write_text("")
        return copy

    def start(self, *arguments: str, stderr: Any = None) -> subprocess.Popen[bytes]:
        with (self.folder / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-c", COMMAND, *arguments, "--store", self.url],
                cwd=self.folder,
                env={**os.environ, "SIEGE_SIGNED": "1" if self.signed else "", **self._clock()},
                stdout=said,
                stderr=stderr or said,
            )

    def _clock(self) -> dict[str, str]:
        if not self.library:
            return {}
        flags = dict.fromkeys(("FAKETIME_CACHE_DURATION", "FAKETIME_DONT_FAKE_MONOTONIC"), "1")
        return {
            "LD_PRELOAD": self.library,
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock.txt"),
            **flags,
        }

    def set_clock(self, off: str) -> None:
        """Set by how much the clock of the processes is off, as libfaketime writes it (`+1d`)."""
        part = self.folder / "clock.part"
        part.write_text(off)
        part.replace(self.folder / "clock.txt")

    def run(self, *arguments: str, codes: tuple[int, ...] = (0, 3)) -> int:
        code = self.start(*arguments).wait(PATIENCE)
        if code not in codes:
            raise Broken(
                f"solon {arguments[0]} ended with {code}:\n{(self.folder / 'said.txt').read_text()[-2000:]}"
            )
        return code

    def calls(self) -> list[str]:
        return [json.loads(line)["key"] for line in self.log.read_text().splitlines() if line.endswith("}")]

    def wait_for_calls(self, wanted: int, process: subprocess.Popen[bytes]) -> None:
        wait_for(lambda: len(self.calls()) >= wanted or process.poll() is not None)

    def outcome(self) -> dict[str, Any]:
        """What an undisturbed round must agree with: per seed what was chosen, rejected and by which way."""
        target = self.folder / "out.jsonl"
        with Project(self.url, config=self.folder / "solon.toml") as project:
            summary = project.summarize()
            project.export("jsonl", target)
        rows = [json.loads(line) for line in target.read_text().splitlines()]
        ids = [row["seed_id"] for row in rows]
        if len(ids) != len(set(ids)):
            raise Broken("a seed has two records")
        states = {
            name: getattr(summary, name) for name in ("items", "accepted", "rejected", "failed", "parked")
        }
        pairs = {row["seed_id"]: [row["chosen"], row["rejected"], row["outcome"]] for row in rows}
        return {"states": states, "to_apply": summary.decisions_to_apply, "pairs": pairs}

    def mixed(self) -> list[str]:
        """Verdicts in force on a text that their judge did not read, and candidates that their call did not write."""
        read = """
            SELECT v.id, v.call_id, substr(shown.body, -60) FROM verdicts v
            JOIN records r ON r.item_id = v.item_id AND r.attempt = v.attempt
            JOIN candidates k ON k.id IN (v.a_id, v.b_id) JOIN texts shown ON shown.id = k.text_id
            WHERE r.superseded_at IS NULL
        """
        written = """
            SELECT k.id FROM candidates k JOIN records r ON k.id IN (r.chosen_id, r.rejected_id)
            JOIN calls c ON c.id = k.call_id JOIN texts made ON made.id = c.answer_id JOIN texts t ON t.id = k.text_id
            WHERE r.superseded_at IS NULL AND instr(made.body, substr(t.body, -60)) = 0
        """
        with Store(self.url) as store, store.connect() as connection:
            verdicts = connection.exec_driver_sql(read).all()
            other = [
                name for name, call, shown in verdicts if shown not in (load_prompt(connection, call) or "")
            ]
            texts = connection.exec_driver_sql(written).scalars().all()
        told = [*(f"verdict {name}" for name in other), *(f"candidate {name}" for name in texts)]
        return [f"{name} speaks of another text" for name in told]


def wait_for(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise Broken("it did not come to its end in time")
        time.sleep(0.02)


def preferred(candidates: list[Any], text: Callable[[Any], str]) -> Any:
    """The rule that the expert of every round follows."""
    return min(candidates, key=text)


def answer_all(site: Site) -> int:
    """Every review that waits is answered in this process; none is delivered by it."""
    with Project(site.url, config=site.folder / "solon.toml") as project:
        reviews = project.reviews(limit=10_000)
        for review in reviews:
            chosen = preferred(review.candidates, lambda candidate: candidate.text)
            project.decide(review, "prefer", chosen, rationale="the rule")
    return len(reviews)


def prepare(folder: Path, items: int) -> tuple[Site, Site]:
    """A store whose items are queued, and one whose panel has spoken on all of them."""
    queued = Site(folder / "queued")
    queued.folder.mkdir(parents=True)
    queued.configure()
    seeds = [
        {"id": f"seed-{i}", "prompt": f"Explain thing number {i} of the long list."} for i in range(items)
    ]
    (queued.folder / "seeds.jsonl").write_text("".join(json.dumps(seed) + "\n" for seed in seeds))
    queued.run("run", "preference", "--seeds", "seeds.jsonl", "--max-calls", "1", codes=(4,))
    queued.log.write_text("")
    judged = queued.copy_to(folder / "judged")
    judged.run("resume")
    return queued, judged


def hit(
    site: Site, process: subprocess.Popen[bytes], fault: str, meanwhile: Callable[[], None]
) -> dict[str, Any]:
    """Do the fault to a process that works, let others go on, and see how the process ends."""
    if fault in JUMPS:
        site.set_clock(JUMPS[fault])
        time.sleep(1.5)  # libfaketime looks once a second
        meanwhile()
        site.set_clock("+0")
        return {}
    if fault == "pipe":
        assert process.stderr is not None
        process.stderr.read(1)
        process.stderr.close()
        return {}
    process.send_signal(signal.SIGKILL if fault == "kill" else signal.SIGSTOP)
    if fault == "kill":
        process.wait(PATIENCE)
        meanwhile()
        return {}
    time.sleep(CLAIM_SECONDS * 1.5)  # the claim of the frozen process runs out: this is the fault itself
    locked = False
    try:
        meanwhile()
    except Broken as error:
        if "database is locked" not in str(error):
            raise
        locked = True  # frozen in the middle of a write: nobody can write to the file before it goes on
    process.send_signal(signal.SIGCONT)
    return {"thawed": True, "locked": locked}


def siege_of_run(site: Site, fault: str, draw: random.Random, items: int) -> dict[str, Any]:
    process = site.start("resume", stderr=subprocess.PIPE if fault == "pipe" else None)
    site.wait_for_calls(draw.randrange(2, items * 8), process)
    told = hit(site, process, fault, lambda: site.run("resume") and None)
    code = process.wait(PATIENCE)
    site.run("resume")
    answer_all(site)
    site.run("resume")
    return {**told, "code": code}


def siege_of_worker(site: Site, fault: str, draw: random.Random, items: int) -> dict[str, Any]:
    waiting = answer_all(site)
    begun = [site.start("worker", stderr=subprocess.PIPE if fault == "pipe" else None)]
    wait_for(lambda: applied(site) >= draw.randrange(0, max(1, waiting // 2)) or begun[0].poll() is not None)

    def go_on() -> None:
        begun.append(site.start("worker"))
        wait_for(lambda: left_to_apply(site) == 0)

    told = hit(site, begun[0], fault, go_on)
    wait_for(lambda: left_to_apply(site) == 0)
    codes = [stop(process, 5.0 if "thawed" in told else 0.0) for process in begun]
    return {**told, "code": codes[0]}


def siege_of_server(site: Site, fault: str, draw: random.Random, items: int) -> dict[str, Any]:
    token = make_expert(site)
    port = free_port()
    server = [serve(site, port, subprocess.PIPE if fault == "pipe" else None)]
    moment = draw.randrange(1, max(2, items // 3))
    told: dict[str, Any] = {}

    def go_on() -> None:
        if fault == "kill":
            server.append(serve(site, port))
        else:
            site.run("resume")

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
        answered = 0
        while answer_one(http, token):
            answered += 1
            if answered == moment:
                told = hit(site, server[0], fault, go_on)
    wait_for(lambda: left_to_apply(site) == 0)
    codes = [stop(process) for process in server]
    return {**told, "code": codes[-1], "answered": answered}


def make_expert(site: Site) -> str:
    from solon.store.reviewing.experts import add_expert

    with Project(site.url, config=site.folder / "solon.toml") as project:
        return add_expert(project.store, "Ada", by="local:siege")[1]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def serve(site: Site, port: int, stderr: Any = None) -> subprocess.Popen[bytes]:
    process = site.start("review", "serve", "--port", str(port), stderr=stderr)

    def answers() -> bool:
        if process.poll() is not None:
            raise Broken(f"the server ended: {(site.folder / 'said.txt').read_text()[-2000:]}")
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    wait_for(answers)
    return process


def answer_one(http: httpx.Client, token: str) -> bool:
    """Answer one item as the page does; what the server did not hear is sent again under the same token."""
    http.headers["Authorization"] = f"Bearer {token}"
    item = send(http, "/next", {}).json()["item"]
    if item is None:
        return False
    chosen = preferred(item["candidates"], lambda candidate: candidate["text"])
    answer = {"choice": "prefer", "candidate": chosen["id"], "rationale": "the rule"}
    reply = send(http, f"/reviews/{item['review']}/decision", {"token": item["token"], "answer": answer})
    if reply.status_code != 200:
        raise Broken(f"an answer was refused: {reply.text[:300]}")
    return True


def send(http: httpx.Client, path: str, body: dict[str, Any]) -> httpx.Response:
    for _ in range(200):
        try:
            reply = http.post(f"/api/v1{path}", json=body)
            if reply.status_code < 500:
                return reply
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise Broken("the server did not come back")


def stop(process: subprocess.Popen[bytes], patience: float = 0.0) -> int:
    """End a process that does not end by itself; returns its exit code. SIGTERM: who was begun in the background may
    ignore SIGINT until it has set up its own handling."""
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
    return process.wait(PATIENCE)


def left_to_apply(site: Site) -> int:
    with Project(site.url, config=site.folder / "solon.toml") as project:
        return int(project.summarize().decisions_to_apply)


def applied(site: Site) -> int:
    with Project(site.url, config=site.folder / "solon.toml") as project:
        return int(project.summarize().accepted)


SIEGES = {"run": siege_of_run, "server": siege_of_server, "worker": siege_of_worker}
FAULTS = ("kill", "freeze", "pipe")
JUMPS = {"forward": "+1d", "backward": "-1d"}
"""What the clock says while others go on; afterwards it is right again."""


def differences(reference: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What is not as in the undisturbed round, in words."""
    wrong = [
        f"{key}: {found[key]} in place of {reference[key]}"
        for key in ("states", "to_apply")
        if found[key] != reference[key]
    ]
    for seed, pair in reference["pairs"].items():
        if found["pairs"].get(seed) != pair:
            wrong.append(f"{seed}: {'no record' if seed not in found['pairs'] else 'another record'}")
    return wrong + [
        f"{seed}: a record too many" for seed in found["pairs"].keys() - reference["pairs"].keys()
    ]


def find_faketime() -> str:
    """The path of libfaketime for programs with threads."""
    found = sorted(Path("/usr/lib").rglob("libfaketimeMT.so.1"))
    if not found:
        raise Broken("libfaketime is not installed: apt-get install faketime")
    return str(found[0])


def repeated(calls: list[str]) -> int:
    return len(calls) - len(set(calls))


def one_round(
    number: int, sources: tuple[Site, Site], reference: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    combinations = [(target, fault) for target in options.targets for fault in options.faults]
    target, fault = combinations[number % len(combinations)]
    site = sources[0 if target == "run" else 1].copy_to(sources[0].folder.parent / f"round-{number}")
    row: dict[str, Any] = {"round": number, "target": target, "fault": fault}
    try:
        site.signed = target == "run" and fault == "freeze"
        if fault in JUMPS:
            site.library = find_faketime()
            site.set_clock("+0")
        row |= SIEGES[target](site, fault, random.Random(f"{options.seed}:{number}"), options.items)
        learns = fault in JUMPS and target != "run"
        if learns:  # decisions of a day ago are learnt from, and other items are asked about then
            site.run("resume")
            answer_all(site)
            site.run("resume")
        found = site.outcome()
        others = {"pairs": found["pairs"]} if site.signed or learns else {}
        row["wrong"] = differences({**reference, **others}, found)
        row["wrong"] += site.mixed()
        if site.signed and not row["locked"] and row["code"] != LAPSED:
            row["wrong"].append(f"the process that lost its claims ended with {row['code']}, not {LAPSED}")
    except (Broken, subprocess.TimeoutExpired) as error:
        row["wrong"] = [str(error)]
    row["repeated_calls"] = repeated(site.calls())
    if not row["wrong"] and not options.keep:
        shutil.rmtree(site.folder)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", nargs="+", default=list(SIEGES), choices=list(SIEGES))
    parser.add_argument("--faults", nargs="+", default=list(FAULTS), choices=(*FAULTS, *JUMPS))
    parser.add_argument("--keep", action="store_true", help="keep the folder of every round")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="siege-"))
    os.environ.pop("SOLON_STORE", None)
    sources = prepare(folder, options.items)
    undisturbed = sources[1].copy_to(folder / "undisturbed")
    answer_all(undisturbed)
    undisturbed.run("resume")
    reference = undisturbed.outcome()
    rows = []
    for number in range(options.rounds):
        rows.append(one_round(number, sources, reference, options))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    wrong = [row for row in rows if row["wrong"]]
    print(
        json.dumps(
            {
                "rounds": len(rows),
                "wrong": len(wrong),
                "repeated_calls": sum(r["repeated_calls"] for r in rows),
                "items": options.items,
                "reference": reference["states"],
                "folder": str(folder),
            }
        )
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
