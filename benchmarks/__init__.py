"""Measurements of Solon's own cost beside the model. `python -m benchmarks.run` runs them all."""
