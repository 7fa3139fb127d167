"""The graph that `langgraph dev` serves by langgraph.json: without a checkpointer, since the server has one."""

from solon import Project

project = Project(
    "sqlite:///served.db",
    config={"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}},
)
graph = project.graph("preference", checkpointer=False)
