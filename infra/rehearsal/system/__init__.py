"""What a rehearsal needs of this machine: Docker, packages, free ports, locks."""
