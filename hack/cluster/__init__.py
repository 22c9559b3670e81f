"""A real single-node Kubernetes for tests and the demo, built from package registries alone."""
