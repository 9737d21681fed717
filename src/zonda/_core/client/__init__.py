"""Floor 4: connections made."""
