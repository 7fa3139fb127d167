"""Forgetting: what came of a seed is found, and erased to the last byte."""
