"""The plain loop: the pure core that the actors run, driven without them over recorded markets."""
