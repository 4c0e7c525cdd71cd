"""HTTP/1.1 messages as values: bytes become values here and values bytes, and nothing waits."""
