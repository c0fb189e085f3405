"""Training: from (request, quote) pairs to a fine-tuned model with its card, and the measuring of what it is worth."""
