"""One exchange over a ByteStream: a request goes out, a response comes in. Coroutines that know no loop."""
