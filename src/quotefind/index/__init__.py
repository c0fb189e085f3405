"""The index: a directory with a SQLite database and one matrix, and the only code that knows them.

| module | what |
|---|---|
| `reader` | `Index`: one committed state, to search |
| `light` | `open_light`: the same for one quote, without NumPy and without the matrix |
| `writer` | `open_to_write`, `IndexWriter`: add, refresh, remove, compact, encode anew |
| `sources` | what an index is made from, and whether that has changed |
| `filters` | `Filter`: which quotes may answer |
| `proposals` | tags that were proposed, apart from those of the sources |
| `verify` | `verify`: every row and every hash looked at |

They are imported one by one: a search has no use for what writes.
"""
