"""Routes of tracking: experiments, runs, logged models and their artifacts."""

TABLE = """
# Artifacts through the server
read  path       GET         /api/2.0/mlflow-artifacts/artifacts
write path       PUT,DELETE  /api/2.0/mlflow-artifacts/artifacts/{artifact_path:path}
read  path       GET         /api/2.0/mlflow-artifacts/artifacts/{artifact_path:path}
write path       POST        /api/2.0/mlflow-artifacts/mpu/abort/{artifact_path:path}
write path       POST        /api/2.0/mlflow-artifacts/mpu/complete/{artifact_path:path}
write path       POST        /api/2.0/mlflow-artifacts/mpu/create/{artifact_path:path}
read  path       GET         /api/2.0/mlflow-artifacts/presigned/{artifact_path:path}

# Artifacts by run
read  run        GET         /api/2.0/mlflow/artifacts/list
read  run        POST        /api/2.0/mlflow/artifacts/presigned-download-url
write run        POST        /api/2.0/mlflow/artifacts/presigned-upload-url
write run        POST        /api/2.0/mlflow/upload-artifact

# Experiments
write experiment POST        /api/2.0/mlflow/experiments/create
write experiment POST        /api/2.0/mlflow/experiments/delete
write experiment POST        /api/2.0/mlflow/experiments/delete-experiment-tag
read  experiment GET         /api/2.0/mlflow/experiments/get
read  experiment GET         /api/2.0/mlflow/experiments/get-by-name
write experiment POST        /api/2.0/mlflow/experiments/restore
read  experiment GET,POST    /api/2.0/mlflow/experiments/search
read  experiment POST        /api/2.0/mlflow/experiments/search-datasets
write experiment POST        /api/2.0/mlflow/experiments/set-experiment-tag
write experiment POST        /api/2.0/mlflow/experiments/update
read  experiment POST        /api/2.0mlflow/experiments/search-datasets

# Runs
read  run        GET         /api/2.0/mlflow/metrics/get-history
read  run        GET         /api/2.0/mlflow/metrics/get-history-bulk
read  run        GET         /api/2.0/mlflow/metrics/get-history-bulk-interval
write experiment POST        /api/2.0/mlflow/runs/create
write experiment POST        /api/2.0/mlflow/runs/create-promptlab-run
write run        POST        /api/2.0/mlflow/runs/delete
write run        POST        /api/2.0/mlflow/runs/delete-tag
read  run        GET         /api/2.0/mlflow/runs/get
write run        POST        /api/2.0/mlflow/runs/log-batch
write run        POST        /api/2.0/mlflow/runs/log-inputs
write run        POST        /api/2.0/mlflow/runs/log-metric
write run        POST        /api/2.0/mlflow/runs/log-model
write run        POST        /api/2.0/mlflow/runs/log-parameter
write run        POST        /api/2.0/mlflow/runs/outputs
write run        POST        /api/2.0/mlflow/runs/restore
read  experiment POST        /api/2.0/mlflow/runs/search
write run        POST        /api/2.0/mlflow/runs/set-tag
write run        POST        /api/2.0/mlflow/runs/update

# Logged models
write experiment POST        /api/2.0/mlflow/logged-models
read  experiment POST        /api/2.0/mlflow/logged-models/search
write experiment PATCH,DELETE /api/2.0/mlflow/logged-models/{model_id}
read  experiment GET         /api/2.0/mlflow/logged-models/{model_id}
read  experiment GET         /api/2.0/mlflow/logged-models/{model_id}/artifacts/directories
read  experiment GET         /api/2.0/mlflow/logged-models/{model_id}/artifacts/files
write experiment POST        /api/2.0/mlflow/logged-models/{model_id}/params
write experiment PATCH       /api/2.0/mlflow/logged-models/{model_id}/tags
write experiment DELETE      /api/2.0/mlflow/logged-models/{model_id}/tags/{tag_key}
"""
