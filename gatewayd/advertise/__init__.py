"""Adverts: the ports as DNS-SD services, published by the machine's Avahi over D-Bus."""
