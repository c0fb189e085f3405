"""What an index is, wherever it is stored: its interface, its sources, its filters, and how an update works.

| module | what |
|---|---|
| `interface` | `Index`, `IndexWriter`, `Lookup` and `Manifest`: all that the rest of the program knows about an index |
| `sources` | `Source`: what an index is made from, and how to read it |
| `changes` | what has changed in the sources since the last update |
| `filters` | `Filter`: which quotes may be found |
| `schema` | the tables of an index and the checksum of a quote, the same for both stores |
| `staging` | the quotes of the changed files, in a temporary table |
| `merge` | which of those quotes are new, and what has changed in the others |
| `update` | the steps of an update |
| `summary` | the result of an update |

The two stores are `index.local`, a directory with a SQLite database and one matrix, and `index.lance`, a Lance dataset.
The modules here import neither of them.
"""
