"""File formats: seeds in, records out. Must never import store, graphs, agents or review."""
