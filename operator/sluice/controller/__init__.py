"""Drives the decisions: observe, decide, apply. The only async code with a will of its own."""
