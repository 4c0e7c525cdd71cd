"""The high-level client: rules of HTTP above the pool, each in a module of its own."""
