"""Frozen exports: creating, verifying and comparing them, and keeping benchmark texts out. Must never import suites,
replay or report."""
