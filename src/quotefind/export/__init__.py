"""Taking quotes out of an index, in formats that `index` reads again.

| module | what |
|---|---|
| `rendering` | the formats, and the ways in which each can say a quote |
| `exporting` | `export_quotes`: which of these ways reads back right; what could not be kept |
| `strfile` | the index of a fortune file |
| `replacing` | files that are written beside and then put in place |
"""
