"""Cookies: the jar, Set-Cookie and Cookie fields, and cookie files."""
