"""The gateways of a network, as seen from one machine: found by DNS-SD, asked over ssh."""
