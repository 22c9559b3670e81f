"""`make demo`: the main job of Sluice, for real, in a few minutes."""
