"""Authentication: Basic, Bearer, Digest, and credentials from netrc files."""
