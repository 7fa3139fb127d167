"""Forgetting: what came of a seed is found, and erased to the last byte. Nothing of the store imports it."""
