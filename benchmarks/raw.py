"""The lower bound: the same requests, byte for byte as Solon's prompts make them, over bare aiohttp; rows into a list.

No journal, no graph, no store, no retries, no validation beyond reading the answers.
"""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
from typing import Any

import aiohttp

from benchmarks.work import IN_FLIGHT


def prompts() -> dict[str, Any]:
    """What `benchmarks.prompts` says."""
    made: dict[str, Any] = json.loads(subprocess.check_output([sys.executable, "-m", "benchmarks.prompts"]))
    return made


async def run(seeds: list[dict[str, Any]], url: str, made: dict[str, Any]) -> list[dict[str, Any]]:
    """One preference row a seed."""
    rows: list[dict[str, Any]] = []
    gate = asyncio.Semaphore(IN_FLIGHT)
    queue = iter(enumerate(seeds))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call(name: str, fill: dict[str, str], **more: Any) -> dict[str, Any]:
            system, user = made[name]
            for mark, text in fill.items():
                user = user.replace(mark, text)
            messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
            body = {"model": "fake", "messages": messages, **more}
            data = json.dumps(body, separators=(",", ":")).encode()
            async with (
                gate,
                session.post(url, data=data, headers={"Content-Type": "application/json"}) as response,
            ):
                choice: dict[str, Any] = json.loads(await response.read())["choices"][0]
                return choice

        async def one(number: int, seed: dict[str, Any]) -> None:
            asked = {"<P>": seed["prompt"]}
            drafts = await asyncio.gather(
                *(
                    call("generator.draft", asked, max_tokens=512, temperature=t, seed=number)
                    for t in (0.7, 1.0)
                )
            )
            a, b = (draft["message"]["content"] for draft in drafts)
            critiques = await asyncio.gather(
                *(
                    call(
                        "critic.critique",
                        {**asked, "<1>": text},
                        max_tokens=320,
                        seed=1,
                        response_format=made["schema"],
                    )
                    for text in (a, b)
                )
            )
            found = [json.loads(critique["message"]["content"]) for critique in critiques]
            letter: dict[str, Any] = {
                "max_tokens": 1,
                "temperature": 0.0,
                "logprobs": True,
                "top_logprobs": 10,
            }
            sides = await asyncio.gather(
                *(
                    call("judge.pair", {**asked, "<1>": first, "<2>": second}, **letter)
                    for first, second in ((a, b), (b, a))
                )
            )
            p = (_share(sides[0], "A") + _share(sides[1], "B")) / 2
            chosen, rejected = (a, b) if p >= 0.5 else (b, a)
            rows.append(
                {"prompt": seed["prompt"], "chosen": chosen, "rejected": rejected, "p": p, "found": found}
            )

        async def worker() -> None:
            for number, seed in queue:
                await one(number, seed)

        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return rows


def _share(choice: dict[str, Any], letter: str) -> float:
    weights = {"A": 0.0, "B": 0.0}
    for entry in choice["logprobs"]["content"][0]["top_logprobs"]:
        side = entry["token"].strip()
        if side in weights:
            weights[side] += math.exp(entry["logprob"])
    return weights[letter] / (weights["A"] + weights["B"])
