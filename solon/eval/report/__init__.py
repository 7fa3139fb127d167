"""The report: one page that says what was made and how far it can be trusted. Must never import releases; nothing of
the evaluation imports it."""
