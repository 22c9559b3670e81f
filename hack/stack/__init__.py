"""Puts the whole product on a cluster. Used by the demo, the e2e tests and the benchmarks."""
