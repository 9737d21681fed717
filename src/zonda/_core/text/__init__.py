"""Floor 1: the template engine."""
