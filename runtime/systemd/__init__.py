"""What a virtual machine runs beside the runtime image: its agent, and its units' hardening."""
