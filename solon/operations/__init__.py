"""What is done with a project beside running it: preview, plan, compare, migrate, forget, doctor, many machines.

Stands on the workspace; never imports the evaluation, the review server or the command line.
"""
