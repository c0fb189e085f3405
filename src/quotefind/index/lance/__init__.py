"""An index in a Lance dataset, in a directory or on S3, which several machines can share.

| module | contents |
|---|---|
| `dataset` | the dataset: its columns, versions and manifest |
| `sources` | the sources and files that the index was made from |
| `rows` | rows of the dataset from quotes, and quotes from rows |
| `reader` | `LanceIndex`: searches one committed version |
| `filters` | a `Filter` as a condition in Lance's SQL |
| `bm25` | the terms of a text, and BM25, as in SQLite's FTS5 |
| `writer` | `LanceIndexWriter`: updates, removes, rebuilds and compacts |
| `versions` | commits the versions of the dataset |
| `publish` | completes the last version of an update and shows it to readers |
| `merge` | decides which quotes of an update are new |
| `proposals` | stores and deletes proposed tags |
| `workspace` | the part of the index that an update touches, as a database in a temporary file |
| `encoding` | encodes new quotes and writes them into fragments of the dataset |
| `machines` | `Machines`: what the other modules need of a cluster |
| `ray_cluster` | `Cluster`: the `Machines` of Ray |
| `ray_health` | checks whether the head of a cluster answers |
| `vector_index` | the index of the vectors, and its recall |
| `lock` | one writer at a time, on any machine |
| `verify` | checks every vector and checksum |

Lance and Ray belong to the extra `scale` and are imported where they are used.
"""
