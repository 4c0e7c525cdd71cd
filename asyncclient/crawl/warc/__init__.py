"""Archives of exchanges in the format WARC 1.1 (ISO 28500:2017)."""
