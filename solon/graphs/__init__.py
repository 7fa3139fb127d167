"""The state graphs, their nodes, routing and runner. The only room that knows langgraph."""
