"""Quotes with the same or nearly the same words, and how they differ."""
