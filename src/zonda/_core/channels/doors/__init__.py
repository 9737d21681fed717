"""How browsers come in: WebSocket, server-sent events, long polling."""
