"""How things are shown to people: text, tables and cards for a notebook, progress. Imports nothing of Solon but
`errors` and `observers`."""
