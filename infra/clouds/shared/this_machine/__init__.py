"""What is asked of the machine on which the engine runs."""
