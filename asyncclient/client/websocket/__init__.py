"""WebSocket (RFC 6455): opening a connection by a request, and messages on it."""
