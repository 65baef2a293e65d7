"""A port: one line, who holds it, and what moves between them. No sockets, no asyncio."""
