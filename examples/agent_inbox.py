"""Solon's reviews in an Agent Inbox: a graph for a LangGraph server, whose thread asks one review after the other.

SOLON_URL is where `solon review serve` runs, SOLON_TOKEN the token of the person who answers.
"""

import os
from typing import Any, TypedDict

import httpx
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt


class State(TypedDict, total=False):
    item: dict[str, Any] | None
    refused: str


def api() -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {os.environ['SOLON_TOKEN']}"}
    return httpx.AsyncClient(base_url=os.environ["SOLON_URL"], headers=headers)


async def lease(state: State) -> State:
    """What is in hand already comes first, so that a refused answer is asked for again."""
    async with api() as http:
        found = (await http.post("/api/v1/inbox/next", json={})).raise_for_status().json()
    return {"item": found["item"]}


async def ask(state: State) -> State:
    item, refused = state["item"], state.get("refused")
    asked = item["interrupt"]
    if refused:
        asked = {**asked, "description": f"**not taken**: {refused}\n\n{asked['description']}"}
    response = interrupt([asked])
    async with api() as http:
        url, body = f"/api/v1/inbox/{item['review']}/response", {"token": item["token"], "response": response}
        answer = await http.post(url, json=body)
    if answer.is_server_error:
        answer.raise_for_status()
    return {"refused": answer.json()["cause"] if answer.is_client_error else ""}


builder = StateGraph(State)
builder.add_node(lease)
builder.add_node(ask)
builder.add_edge(START, "lease")
builder.add_conditional_edges("lease", lambda state: "ask" if state["item"] else END, ["ask", END])
builder.add_edge("ask", "lease")
graph = builder.compile()
