"""An index that machines share: a Lance dataset in a directory that all see, or on S3; and the only code that knows it.

| module | what |
|---|---|
| `dataset` | the dataset: its columns, its versions, its manifest |
| `sources` | what it was made from: the sources and their files |
| `rows` | its rows: from a quote, and to one |
| `reader` | `LanceIndex`: one committed version, to search |
| `filters` | a `Filter` as Lance's SQL |
| `bm25` | the words of a text, and BM25, as SQLite's FTS5 has them |
| `writer` | `LanceIndexWriter`: add, refresh, remove, compact, encode anew |
| `versions` | the versions that a writer makes, one after the other |
| `publish` | the last of them made whole, and shown to readers |
| `merge` | an update decided: which quotes are new |
| `proposals` | proposed tags stored and forgotten |
| `workspace` | the part of the index that an update touches, as a database in a temporary file |
| `encoding` | new quotes encoded in this process, into fragments of the dataset |
| `ray_cluster` | Ray: new quotes encoded, indexes built and searches answered by several machines |
| `ray_health` | whether the head of a cluster answers, before Ray is asked |
| `vector_index` | the index of the vectors: of what kind, and how much of the truth it finds |
| `lock` | one writer at a time, wherever it runs |
| `verify` | every vector and every hash looked at |

Lance and Ray are imported where they are used, and come with the extra `scale`.
"""
