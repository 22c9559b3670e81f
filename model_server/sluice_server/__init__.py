"""Serves one version of an MLflow model over HTTP."""

__version__ = "0.1.0"
