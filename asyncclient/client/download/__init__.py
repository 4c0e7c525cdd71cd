"""Downloads: a response stored in a file, resumed after a failure."""
