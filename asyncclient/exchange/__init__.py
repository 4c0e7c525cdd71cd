"""One exchange over a ByteStream: a request is sent, a response is received. Coroutines without an event loop."""
