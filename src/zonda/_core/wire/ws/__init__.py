"""RFC 6455 and RFC 7692: WebSocket frames, handshakes, compression."""
