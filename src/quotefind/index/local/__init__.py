"""A local index: a directory with a SQLite database, which is authoritative, and one append-only `.npy` matrix.

| module | what |
|---|---|
| `reader` | `LocalIndex`: one committed state, for searching |
| `lookup` | single quotes, without the matrix and NumPy |
| `quotes` | reads quotes from the database and compares each with its checksum |
| `complete` | names for completion |
| `writer` | `LocalIndexWriter`: update, remove, compact, rebuild |
| `merge` | adds new quotes and their vectors |
| `rewrite` | writes a new matrix that replaces the old one |
| `proposals` | stores and drops proposed tags |
| `verify` | checks every row and every checksum |
| `database`, `vectors`, `manifest` | the files |
| `lock` | one writer at a time |
| `migrate` | upgrades earlier formats |

Import these modules one by one: a search must not load the code that writes.
"""
