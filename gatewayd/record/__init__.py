"""The record of a port: what passed over its line and what happened there, in files."""
