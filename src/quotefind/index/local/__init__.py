"""A local index: a directory with a SQLite database, which is the truth, and one append-only `.npy` matrix.

| module | what |
|---|---|
| `reader` | `LocalIndex`: one committed state, for searching |
| `lookup` | a quote or two, without the matrix and NumPy |
| `quotes` | quotes read from the database, each compared with its checksum |
| `complete` | names for completion |
| `writer` | `LocalIndexWriter`: update, remove, compact, rebuild |
| `merge` | new quotes and their vectors added |
| `rewrite` | a new matrix that replaces the old one |
| `proposals` | proposed tags stored and dropped |
| `verify` | every row and every checksum checked |
| `database`, `vectors`, `manifest` | the files |
| `lock` | one writer at a time |
| `migrate` | earlier formats brought up to date |

Modules are imported one by one: a search does not load what writes.
"""
