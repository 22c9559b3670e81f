"""What the project needs around itself: the embedded cluster, images, the demo."""
