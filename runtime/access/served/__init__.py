"""MLflow's application as this server runs it: bounded in memory and in time."""
