"""The serial line: what it can be set to, and the implementations of it."""
