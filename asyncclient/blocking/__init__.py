"""The blocking client: asyncclient.Client for threads."""
