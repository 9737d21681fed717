"""HTTP/1.1 between bytes and events."""
