"""Trains, judges and registers the models that the demo and the tests of Sluice roll out."""
