"""Reports of requests and connections, for tracers and the log."""
