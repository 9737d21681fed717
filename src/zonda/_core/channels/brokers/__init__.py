"""Who carries messages between processes: one module each, chosen by URL."""
