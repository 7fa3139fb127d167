"""What learning reads, and what changes when a new consensus version is adopted. Must never import lawmaking,
records or privacy."""
