"""Cookies: the jar, the fields that set and send them, and the files that keep them."""
