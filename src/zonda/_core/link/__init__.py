"""Floor 3: a protocol engine plugged into a stream."""
