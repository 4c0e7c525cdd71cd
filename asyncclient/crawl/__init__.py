"""Crawling: a frontier of URLs, fetched politely, with the pages as they are received."""
