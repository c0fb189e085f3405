"""Topics: what a collection is about, found by clustering its vectors."""
