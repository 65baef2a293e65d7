"""The configuration: what can be set, how a file is judged, what changed between two."""
