"""The languages in which the server can be asked for predictions."""
