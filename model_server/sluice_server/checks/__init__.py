"""Checks of a new version before its first request; each runs as a Job and answers by its exit code and a sentence."""
