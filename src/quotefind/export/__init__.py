"""Export quotes from an index, in formats that `index` can read.

| module | what |
|---|---|
| `rendering` | the file formats, and the ways in which each can write a quote |
| `exporting` | `export_quotes`: writes each quote so that it reads back the same; counts what a format cannot keep |
| `strfile` | the index of a fortune file |
| `replacing` | replaces files only when the new ones are complete |
"""
