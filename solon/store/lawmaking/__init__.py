"""How law is made of decisions: precedents, amendments and their impact, and the items that new law touches. Must
never import records or privacy."""
