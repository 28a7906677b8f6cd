"""What makes the resources of a rehearsed cloud real on this machine."""
