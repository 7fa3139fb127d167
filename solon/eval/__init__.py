"""Suites, replay of recorded panels, and reports."""
