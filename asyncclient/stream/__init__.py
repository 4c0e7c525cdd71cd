"""Streams on asyncio: connecting, TLS, deadlines, and the ByteStream on a transport."""
