"""Quotes that say the same, or nearly, and what they do not agree on."""
