"""The front desk: where people and scripts choose a port, and the keys they have there."""
