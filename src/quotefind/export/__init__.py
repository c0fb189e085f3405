"""Exporting quotes from an index, in formats that `index` reads again.

| module | what |
|---|---|
| `rendering` | the file formats, and the ways in which each can write a quote |
| `exporting` | `export_quotes`: writes each quote in a way that reads back the same; counts what a format cannot keep |
| `strfile` | the index of a fortune file |
| `replacing` | files that are written beside the old ones and then take their names |
"""
