"""Pure builders of the objects that run a revision; each is complete, for server-side apply."""
