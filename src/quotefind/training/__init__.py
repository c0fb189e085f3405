"""Fine-tune a model on (query, quote) pairs, and evaluate how well models answer queries."""
