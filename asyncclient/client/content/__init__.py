"""Response content: decoding, text, JSON, and reading in pieces."""
