"""The Telnet protocol (RFC 854 and its options) as a pure state machine."""
