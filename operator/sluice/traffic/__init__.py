"""How traffic is split: render a split into objects, read the split back from objects; both pure."""
