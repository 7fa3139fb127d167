"""Evaluation: suites that measure a store, replays of recorded panels, releases, the report, and imports.

Must never import project, review or cli, which stand above it.
"""
