"""The clusters that the demo and the tests run on: embedded, kind, or the user's own. Needs nothing but Python."""
