"""The page: a process of its own between browsers and the control sockets. No tty, no file of the
configuration, nothing that the daemon would miss."""
