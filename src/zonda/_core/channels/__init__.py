"""Topics: publish and subscribe across processes and machines, with history and presence."""
