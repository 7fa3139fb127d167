"""Forgetting: what was reached from a seed is found, and erased to the last byte."""
