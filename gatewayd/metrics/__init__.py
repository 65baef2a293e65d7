"""Metrics: what the gateway counts, as Prometheus and others scrape it."""
