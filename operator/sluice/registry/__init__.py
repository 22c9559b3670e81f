"""The MLflow registry: from what the user names to a version and a digest."""
