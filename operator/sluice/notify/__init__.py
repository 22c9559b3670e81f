"""Tells people who do not look at the cluster what happened: in a chat, by mail, at a webhook."""
