"""A/B tests: which users came to which version, what became of them, and the sums that the operator concludes from."""
