"""An index in a directory: a SQLite database, which is the truth, and one append-only `.npy` matrix.

Modules are imported one by one: a search has no use for what writes.
"""
