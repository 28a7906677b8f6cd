"""What a user's laptop has: sign-in to servers, and MLflow's plug-in that sends their tokens.

Imports the standard library and click alone, so that `pip install trackstack` is all it takes.
"""
