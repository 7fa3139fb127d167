"""Runs and their items: what they are pinned to, their calls and verdicts, the law and certificates they work under.

Imports the database only.
"""
