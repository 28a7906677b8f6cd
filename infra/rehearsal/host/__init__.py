"""What runs the resources of a rehearsed cloud on this machine."""
