"""The daemon: its ports, its place under the service manager, its log."""
