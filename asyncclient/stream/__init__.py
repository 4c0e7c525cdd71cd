"""Where bytes come from and go to: the protocol that the engine pulls from, and asyncio under it."""
