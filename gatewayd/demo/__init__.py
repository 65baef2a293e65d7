"""A simulated instrument on a pseudo terminal, to try gatewayd without hardware."""
