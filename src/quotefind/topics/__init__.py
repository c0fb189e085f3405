"""Topics: the themes of a collection, found by clustering its vectors."""
