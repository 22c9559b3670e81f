"""Serves one version of an MLflow model over HTTP."""
