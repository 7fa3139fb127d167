"""How decisions become law: drafts by the legislator, weights fitted to decisions, items judged again under new law.

May import the store, the agents and the graphs; never the workspace, the review server or the command line.
"""
