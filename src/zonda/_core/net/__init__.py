"""Floor 2: the kernel's side: loops, sockets, TLS, processes."""
