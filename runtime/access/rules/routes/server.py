"""Routes of the server itself: pages, jobs, the assistant and webhooks, and Trackstack's own."""

# All of MLflow's assistant, by both of its spellings.
ASSISTANT = ("/ajax-api/3.0/mlflow/assistant/", "/api/3.0/mlflow/assistant/")

TABLE = """
# Pages, files, traces by OTLP, and GraphQL (its queries are a reader's: see `queries`)
read  none       GET         /
read  none       GET         /build/{filename:path}
read  run        GET         /get-artifact
write global     GET,POST    /graphql
read  none       GET         /health
read  model      GET         /model-versions/get-artifact
read  none       GET         /static-files/{path:path}
write experiment POST        /v1/traces
read  none       GET         /version
read  global     GET         /metrics
admin global     GET,POST    /trackstack/backups
read  none       GET         /trackstack/store
read  none       GET,POST,DELETE /trackstack/api/tokens
admin none       PATCH       /trackstack/api/tokens
admin none       GET,POST,DELETE /trackstack/api/people
read  none       GET         /trackstack/api/openapi.json
read  global     GET         /trackstack/api/status
admin none       GET         /trackstack/api/changes
read  global     GET         /trackstack/

# The server itself
write global     POST        /api/3.0/mlflow/demo/delete
write global     POST        /api/3.0/mlflow/demo/generate
read  none       GET         /api/3.0/mlflow/server-info
read  none       GET         /api/3.0/mlflow/ui-telemetry
write none       POST        /api/3.0/mlflow/ui-telemetry
read  global     GET         /api/3.0/mlflow/workspaces
admin global     POST        /api/3.0/mlflow/workspaces
admin global     GET,PATCH,DELETE /api/3.0/mlflow/workspaces/{workspace_name}

# Jobs of MLflow's own
admin global     POST        /api/3.0/jobs/
admin global     PATCH       /api/3.0/jobs/cancel/{job_id}
admin global     POST        /api/3.0/jobs/search
admin global     GET         /api/3.0/jobs/{job_id}
admin global     PATCH       /api/3.0/mlflow/jobs/cancel/{job_id}
admin global     GET         /api/3.0/mlflow/jobs/{job_id}
admin experiment POST        /api/3.0/mlflow/prompt-optimization/jobs
admin experiment GET,POST    /api/3.0/mlflow/prompt-optimization/jobs/search
admin experiment GET,DELETE  /api/3.0/mlflow/prompt-optimization/jobs/{job_id}
admin experiment POST        /api/3.0/mlflow/prompt-optimization/jobs/{job_id}/cancel

# Assistant
read  global     GET         /api/3.0/mlflow/assistant/config
admin global     PUT         /api/3.0/mlflow/assistant/config
admin global     POST        /api/3.0/mlflow/assistant/message
read  global     GET         /api/3.0/mlflow/assistant/providers
admin global     GET         /api/3.0/mlflow/assistant/providers/{provider}/health
admin global     GET         /api/3.0/mlflow/assistant/providers/{provider}/models
admin global     PATCH       /api/3.0/mlflow/assistant/sessions/{session_id}
admin global     POST        /api/3.0/mlflow/assistant/sessions/{session_id}/permission
admin global     GET         /api/3.0/mlflow/assistant/sessions/{session_id}/stream
admin global     POST        /api/3.0/mlflow/assistant/sessions/{session_id}/tool-result
admin global     POST        /api/3.0/mlflow/assistant/skills/install

# Webhooks
admin global     GET,POST    /api/2.0/mlflow/webhooks
admin global     GET,PATCH,DELETE /api/2.0/mlflow/webhooks/{webhook_id}
admin global     POST        /api/2.0/mlflow/webhooks/{webhook_id}/test
"""
