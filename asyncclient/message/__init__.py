"""HTTP/1.1 messages: parsing and building them, without I/O."""
