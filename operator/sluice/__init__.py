"""Sluice: a Kubernetes controller that rolls out new versions of machine-learning models."""
