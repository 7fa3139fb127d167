"""A project as it lies on disk: its store, configuration, seeds, and what can be looked at in it.

What lies above takes a workspace; it never imports operations, the evaluation, the review server or the command line.
"""
