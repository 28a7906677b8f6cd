"""Layers that look into what is sent."""
