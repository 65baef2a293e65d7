"""What somebody would add to gatewayd, each in one file: kept short, and kept running."""
