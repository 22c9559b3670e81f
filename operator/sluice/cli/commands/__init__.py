"""One file per command of `kubectl sluice`."""
