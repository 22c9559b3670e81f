"""Measured, not asserted: one command each, results beside them with date and machine."""
