"""Solon as a node of a support agent's graph, whose interrupt is answered on the review page, by somebody who never
sees this graph.

The scripted fake answers here, no model stands behind it; leave `config` out for the models of your `solon.toml`.
"""

from typing import TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from solon import Project


class Ticket(TypedDict, total=False):
    question: str
    prompt: str
    outcome: str
    reason: str
    record: dict
    reply: str


def read_ticket(ticket: Ticket) -> Ticket:
    return {"prompt": f"Answer a customer: {ticket['question']}"}


def reply(ticket: Ticket) -> Ticket:
    chosen = ticket["record"]["chosen"] if ticket["outcome"] == "accepted" else None
    if chosen is None:  # it was not accepted, or both answers are as good: a tie chooses none
        return {"reply": f"A colleague will call you ({ticket['reason']})."}
    return {"reply": chosen}


def support(solon, checkpointer):
    graph = StateGraph(Ticket)
    graph.add_node("read_ticket", read_ticket)
    graph.add_node("solon", solon)
    graph.add_node("reply", reply)
    graph.add_edge(START, "read_ticket")
    graph.add_edge("read_ticket", "solon")
    graph.add_edge("solon", "reply")
    graph.add_edge("reply", END)
    return graph.compile(checkpointer=checkpointer)


if __name__ == "__main__":
    config = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}
    with Project("sqlite:///support.db", config=config) as project:
        agent = support(project.graph("preference"), InMemorySaver())
        thread = {"configurable": {"thread_id": "ticket-7"}}
        state = agent.invoke({"question": "How do I descale the kettle?"}, thread)
        asked = state["__interrupt__"][0].value
        print("waits for an answer:", asked["page"].rpartition("=")[0] + "=...")

        # Meanwhile somebody answers on the page (`solon review serve`); here in its place:
        review = project.review(asked["review"])
        project.decide(review, "prefer", review.candidates[1], rationale="It names the steps.")

        state = agent.invoke(None, thread)  # the agent's next call finds the answer
        print(state["outcome"], "|", state["reply"] == review.candidates[1].text)
