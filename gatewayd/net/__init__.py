"""Listeners and connections: the asyncio shell around the sessions."""
