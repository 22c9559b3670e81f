"""The decisions: pure functions over frozen data. No kopf, HTTP, clock, random or logging in here."""
