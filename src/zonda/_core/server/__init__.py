"""Floor 4: connections accepted."""
