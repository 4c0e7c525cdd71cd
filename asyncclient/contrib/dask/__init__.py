"""A crawl over many machines: dask's workers fetch, and one process has the frontier."""
