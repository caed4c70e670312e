"""What a wake costs: `make bench-wake`."""
