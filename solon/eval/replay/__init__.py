"""Recorded panels and crowds played back: what a panel would have done, and what people would have answered. Must
never import suites, releases or report."""
