"""gatewayd-labgrid: the ports of a gateway as resources of a labgrid coordinator, leased while they
are acquired. A process of its own, in labgrid's environment."""
