"""Other libraries at the same work, in turn with Solon and with bare calls: `make bench-peers`.

Each library is installed by uv into an environment of its own under `.venv-peers/`; one that cannot be installed or
run here is told as such. What they keep differs: none of them journals calls, or stops for a person and goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.run import Told, _contender, _machine, _median, _on, fake_server

FOLDER = Path(".venv-peers")
PEERS = {
    "curator": ["bespokelabs-curator==0.1.31"],
    # litellm carries tiktoken's vocabulary, which both would fetch otherwise
    "data-designer": ["data-designer==0.9.7", "litellm"],
    "distilabel": ["distilabel[openai]==1.5.3", "requests", "beautifulsoup4"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default=",".join(PEERS), help="comma-separated names of peers")
    parser.add_argument("--limit", type=float, default=900, help="seconds for one run of a peer")
    parser.add_argument("-o", "--output", type=Path, help="write the JSON here too")
    given = parser.parse_args()
    found: Told = {"machine": _machine(), "rows": given.rows, "repeats": given.repeats, "left_out": {}}
    names = [name for name in given.only.split(",") if _install(name, found["left_out"])]
    runs = _take_turns(names, given, found["left_out"])
    found |= {name: _median(told) for name, told in runs.items() if told}
    print(_table(found), file=sys.stderr)
    text = json.dumps(found)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")
    print(text)


def _take_turns(
    names: list[str], given: argparse.Namespace, left_out: dict[str, str]
) -> dict[str, list[Told]]:
    runs: dict[str, list[Told]] = {name: [] for name in ("raw", "solon", *names)}
    with tempfile.TemporaryDirectory() as folder, fake_server() as port:
        prompts = Path(folder, "prompts.json")
        prompts.write_bytes(subprocess.check_output([sys.executable, "-m", "benchmarks.prompts"]))
        for turn in range(given.repeats):
            for name in [name for name in runs if name not in left_out]:
                print(f"... {name}, {turn + 1} of {given.repeats}", file=sys.stderr, flush=True)
                if name not in PEERS:
                    runs[name].append(_contender(name, port, given.rows))
                    continue
                told, problem = _run(name, port, given.rows, prompts, given.limit)
                if told is None:
                    left_out[name] = problem
                else:
                    runs[name].append(told)
    return runs


def _install(name: str, left_out: dict[str, str]) -> bool:
    place = FOLDER / name
    if (place / "installed").exists():
        return True
    FOLDER.mkdir(exist_ok=True)
    print(f"installing {name} ...", file=sys.stderr, flush=True)
    python = str(place / "bin" / "python")
    for command in (
        ["uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(place)],
        ["uv", "pip", "install", "--quiet", "--python", python, *PEERS[name]],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            left_out[name] = "uv is not installed"
            return False
        if done.returncode != 0:
            left_out[name] = f"cannot be installed: {done.stderr.strip()[-300:]}"
            return False
    (place / "installed").write_text("\n".join(PEERS[name]) + "\n")
    return True


def _run(name: str, port: int, rows: int, prompts: Path, limit: float) -> tuple[Told | None, str]:
    module = f"benchmarks.peers.{name.replace('-', '_')}"
    python = str(FOLDER / name / "bin" / "python")
    command = [python, "-m", module, "--port", str(port), "--rows", str(rows), "--prompts", str(prompts)]
    try:
        ended = subprocess.run(
            [*command, *_on(0)], capture_output=True, text=True, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return None, f"did not end within {limit:.0f} s"
    last = ended.stdout.strip().splitlines()[-1:]
    if ended.returncode != 0 or not last or not last[0].startswith("{"):
        return None, f"failed: {ended.stderr.strip()[-300:]}"
    told: Told = json.loads(last[0])
    return told, ""


def _table(found: Told) -> str:
    lines = [f"{'0 ms server':<14}{'rows/s':>9}{'CPU-ms/row':>12}{'peak MB':>9}"]
    lines += [
        f"{name:<14}{told['rows_per_s']:>9.1f}{told['cpu_ms_per_row']:>12.2f}{told['peak_mb']:>9.0f}"
        for name in ("raw", "solon", *PEERS)
        if (told := found.get(name))
    ]
    lines += [f"{name}: left out, {why}" for name, why in found["left_out"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
