"""Floor 1: bytes to events and back; no clock, no socket, no asyncio."""
