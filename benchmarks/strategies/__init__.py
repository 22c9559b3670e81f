"""The classic table of strategies, measured: `make bench-strategies`."""
