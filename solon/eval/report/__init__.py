"""The report: one page that says what was made and how far it can be trusted."""
