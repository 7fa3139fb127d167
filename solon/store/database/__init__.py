"""The database itself: engine, connections, the one writer, ids, clock, the sealed audit log, tombstones.

Imports tables and migrations only.
"""
