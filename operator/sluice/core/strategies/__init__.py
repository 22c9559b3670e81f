"""One file per strategy behind one Protocol."""
