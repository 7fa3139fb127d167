"""Frozen exports: creating, verifying and comparing them, and keeping benchmark texts out."""
