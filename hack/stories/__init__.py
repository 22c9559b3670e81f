"""Stories of rollouts, lived through on a real cluster: docs/stories.md."""
