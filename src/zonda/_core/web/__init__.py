"""Floor 5: applications, routes, handlers."""
