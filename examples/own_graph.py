"""A graph of one's own: a node that finds a source, then Solon, with a check of units between panel and experts.

The scripted fake answers here, no model stands behind it; leave `config` out for the models of your `solon.toml`.
"""

import re
from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from solon import Project
from solon.recipes import Answer, Ask, Pair, Recipe, Step, StepItem

LEAFLETS = {"paracetamol": "Adults: 500 to 1000 mg every 4 to 6 hours, at most 4000 mg a day."}


async def check_units(item: StepItem) -> Ask | None:
    """Ask a person where the source speaks of milligrams and a candidate does not."""
    wanted = set(re.findall(r"\b(mg|ml)\b", item.input))
    missing = [one for one in item.candidates if not wanted <= set(re.findall(r"\b(mg|ml)\b", one.text))]
    return (
        Ask(f"{len(missing)} of {len(item.candidates)} answers leave out {', '.join(wanted)}")
        if missing
        else None
    )


DOSES = Recipe(
    name="doses",
    record="preference",
    maker=Answer(),
    question=Pair(),
    steps=("draft", "critique", "revise", "judge", Step("check_units", check_units, may=(Ask,)), "review"),
)


class State(TypedDict, total=False):
    prompt: str
    input: str
    outcome: str
    record: dict


def find_leaflet(state: State) -> State:
    """The source that the question is about."""
    return {"input": next((text for name, text in LEAFLETS.items() if name in state["prompt"].lower()), "")}


if __name__ == "__main__":
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {"policy": "threshold", "audit_share": 0.0},
    }
    with Project("sqlite:///doses.db", config=config, recipes=[DOSES]) as project:
        graph = StateGraph(State)
        graph.add_node("find_leaflet", find_leaflet)
        graph.add_node("solon", project.graph("doses"))
        graph.add_edge(START, "find_leaflet")
        graph.add_edge("find_leaflet", "solon")
        graph.add_edge("solon", END)
        app = graph.compile(checkpointer=project.checkpointer("doses-app"))

        thread = {"configurable": {"thread_id": "question-1"}}
        state = app.invoke({"prompt": "How much paracetamol may an adult take?"}, thread)
        asked = state["__interrupt__"][0].value
        print("waits for a person:", project.reviews()[0].reasons[0])
        first = asked["candidates"][0]["id"]
        answer = {"choice": "prefer", "candidate": first, "rationale": "It keeps to the leaflet."}
        state = app.invoke(Command(resume=answer), thread)
        print(state["outcome"], "by way of", state["record"]["route"])
