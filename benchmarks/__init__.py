"""What the house promises about speed, measured: `python -m benchmarks`."""
