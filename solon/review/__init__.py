"""The room where experts decide: the HTTP API, its pages and the worker that carries decisions to their graphs.

Only `cli` imports it; it must never import langgraph or a library of the database.
"""
