"""The state graphs, their nodes, routing and runner. The only room that knows langgraph. Must never import learning,
nor what stands above it."""
