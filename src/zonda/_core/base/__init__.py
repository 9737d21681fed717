"""Floor 0: what every room may use: the clock, the limits, the errors."""
