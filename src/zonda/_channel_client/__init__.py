"""Topics of a server elsewhere: the client of channels behind `zonda.channels`."""
