"""What an index is, whatever stores it: its interface, its sources, its filters, and how an update is decided.

| module | what |
|---|---|
| `interface` | `Index`, `IndexWriter`, `Lookup` and `Manifest`: what the rest of the program knows of an index |
| `sources` | what an index is made from, and what has changed there |
| `filters` | `Filter`: which quotes may answer |
| `staging` | what the sources hold now, in a temporary table |
| `merge` | which of the staged quotes are new, and what the others say differently |
| `update` | the course of an update |
| `summary` | what a run did |

The two stores are `index.local`, a directory with a SQLite database and one matrix, and `index.lance`, a Lance dataset.
"""
