"""Law: constitutions, rubrics and how they change. Must never import graphs, agents or review."""
