"""What MLflow finds by its entry points: repositories of artifacts in clouds."""
