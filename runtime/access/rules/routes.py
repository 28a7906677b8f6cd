"""Every route, and the role that each of its methods needs: MLflow 3.17.2's and Trackstack's own.

A line is a role, methods and a path template: `{name}` is one part of a path, `{name:path}` any
number of parts. `/api/` stands for `/ajax-api/` too, and GET for HEAD too. What reads is a
reader's, what changes the team's records a writer's, what shows a secret, starts a job, runs code
or decides about the server an administrator's.

What is not here needs an administrator: a route that a newer MLflow adds is closed to everybody
else until it is added here and to the test's own list, tests/runtime/access/routes.txt.
"""

TABLE = """
# Pages, files, traces by OTLP, and GraphQL (its queries are a reader's: see `queries`)
read  GET            /
read  GET            /build/{filename:path}
read  GET            /get-artifact
write GET,POST       /graphql
read  GET            /health
read  GET            /model-versions/get-artifact
read  GET            /static-files/{path:path}
write POST           /v1/traces
read  GET            /version
read  GET            /metrics
admin GET,POST       /trackstack/backups

# The server itself
write POST           /api/3.0/mlflow/demo/delete
write POST           /api/3.0/mlflow/demo/generate
read  GET            /api/3.0/mlflow/server-info
read  GET            /api/3.0/mlflow/ui-telemetry
write POST           /api/3.0/mlflow/ui-telemetry
read  GET            /api/3.0/mlflow/workspaces
admin POST           /api/3.0/mlflow/workspaces
admin GET,PATCH,DELETE /api/3.0/mlflow/workspaces/{workspace_name}

# Artifacts through the server
read  GET            /api/2.0/mlflow-artifacts/artifacts
write PUT,DELETE     /api/2.0/mlflow-artifacts/artifacts/{artifact_path:path}
read  GET            /api/2.0/mlflow-artifacts/artifacts/{artifact_path:path}
write POST           /api/2.0/mlflow-artifacts/mpu/abort/{artifact_path:path}
write POST           /api/2.0/mlflow-artifacts/mpu/complete/{artifact_path:path}
write POST           /api/2.0/mlflow-artifacts/mpu/create/{artifact_path:path}
read  GET            /api/2.0/mlflow-artifacts/presigned/{artifact_path:path}

# Artifacts by run
read  GET            /api/2.0/mlflow/artifacts/list
read  POST           /api/2.0/mlflow/artifacts/presigned-download-url
write POST           /api/2.0/mlflow/artifacts/presigned-upload-url
write POST           /api/2.0/mlflow/upload-artifact

# Experiments
write POST           /api/2.0/mlflow/experiments/create
write POST           /api/2.0/mlflow/experiments/delete
write POST           /api/2.0/mlflow/experiments/delete-experiment-tag
read  GET            /api/2.0/mlflow/experiments/get
read  GET            /api/2.0/mlflow/experiments/get-by-name
write POST           /api/2.0/mlflow/experiments/restore
read  GET,POST       /api/2.0/mlflow/experiments/search
read  POST           /api/2.0/mlflow/experiments/search-datasets
write POST           /api/2.0/mlflow/experiments/set-experiment-tag
write POST           /api/2.0/mlflow/experiments/update
read  POST           /api/2.0mlflow/experiments/search-datasets

# Runs
read  GET            /api/2.0/mlflow/metrics/get-history
read  GET            /api/2.0/mlflow/metrics/get-history-bulk
read  GET            /api/2.0/mlflow/metrics/get-history-bulk-interval
write POST           /api/2.0/mlflow/runs/create
write POST           /api/2.0/mlflow/runs/create-promptlab-run
write POST           /api/2.0/mlflow/runs/delete
write POST           /api/2.0/mlflow/runs/delete-tag
read  GET            /api/2.0/mlflow/runs/get
write POST           /api/2.0/mlflow/runs/log-batch
write POST           /api/2.0/mlflow/runs/log-inputs
write POST           /api/2.0/mlflow/runs/log-metric
write POST           /api/2.0/mlflow/runs/log-model
write POST           /api/2.0/mlflow/runs/log-parameter
write POST           /api/2.0/mlflow/runs/outputs
write POST           /api/2.0/mlflow/runs/restore
read  POST           /api/2.0/mlflow/runs/search
write POST           /api/2.0/mlflow/runs/set-tag
write POST           /api/2.0/mlflow/runs/update

# Logged models
write POST           /api/2.0/mlflow/logged-models
read  POST           /api/2.0/mlflow/logged-models/search
write PATCH,DELETE   /api/2.0/mlflow/logged-models/{model_id}
read  GET            /api/2.0/mlflow/logged-models/{model_id}
read  GET            /api/2.0/mlflow/logged-models/{model_id}/artifacts/directories
read  GET            /api/2.0/mlflow/logged-models/{model_id}/artifacts/files
write POST           /api/2.0/mlflow/logged-models/{model_id}/params
write PATCH          /api/2.0/mlflow/logged-models/{model_id}/tags
write DELETE         /api/2.0/mlflow/logged-models/{model_id}/tags/{tag_key}

# Registered models and their versions
write POST           /api/2.0/mlflow/model-versions/create
write DELETE         /api/2.0/mlflow/model-versions/delete
write DELETE         /api/2.0/mlflow/model-versions/delete-tag
read  GET            /api/2.0/mlflow/model-versions/get
read  GET            /api/2.0/mlflow/model-versions/get-download-uri
read  GET            /api/2.0/mlflow/model-versions/search
write POST           /api/2.0/mlflow/model-versions/set-tag
write POST           /api/2.0/mlflow/model-versions/transition-stage
write PATCH          /api/2.0/mlflow/model-versions/update
write POST,DELETE    /api/2.0/mlflow/registered-models/alias
read  GET            /api/2.0/mlflow/registered-models/alias
write POST           /api/2.0/mlflow/registered-models/create
write DELETE         /api/2.0/mlflow/registered-models/delete
write DELETE         /api/2.0/mlflow/registered-models/delete-tag
read  GET            /api/2.0/mlflow/registered-models/get
read  GET,POST       /api/2.0/mlflow/registered-models/get-latest-versions
write POST           /api/2.0/mlflow/registered-models/rename
read  GET            /api/2.0/mlflow/registered-models/search
write POST           /api/2.0/mlflow/registered-models/set-tag
write PATCH          /api/2.0/mlflow/registered-models/update

# Traces
read  GET            /api/2.0/mlflow/get-online-trace-details
read  GET            /api/2.0/mlflow/get-trace-artifact
read  GET            /api/3.0/mlflow/get-trace-artifact
read  GET            /api/2.0/mlflow/traces
write POST           /api/2.0/mlflow/traces
write POST           /api/2.0/mlflow/traces/delete-traces
write POST           /api/2.0/mlflow/traces/link-prompts
write POST           /api/2.0/mlflow/traces/link-to-run
write PATCH          /api/2.0/mlflow/traces/{request_id}
read  GET            /api/2.0/mlflow/traces/{request_id}/info
write PATCH,DELETE   /api/2.0/mlflow/traces/{request_id}/tags
write POST           /api/3.0/mlflow/traces
read  GET            /api/3.0/mlflow/traces/batchGet
read  POST           /api/3.0/mlflow/traces/batchGetInfos
read  POST           /api/3.0/mlflow/traces/calculate-filter-correlation
write POST           /api/3.0/mlflow/traces/delete-traces
read  GET            /api/3.0/mlflow/traces/get
read  POST           /api/3.0/mlflow/traces/metrics
read  POST           /api/3.0/mlflow/traces/search
read  GET            /api/3.0/mlflow/traces/{trace_id}
write POST           /api/3.0/mlflow/traces/{trace_id}/assessments
write PATCH,DELETE   /api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}
read  GET            /api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}
write PATCH,DELETE   /api/3.0/mlflow/traces/{trace_id}/tags
read  GET            /api/2.0/mlflow/unified-traces

# Datasets
write POST           /api/3.0/mlflow/datasets/create
read  GET,POST       /api/3.0/mlflow/datasets/search
write DELETE         /api/3.0/mlflow/datasets/{dataset_id}
read  GET            /api/3.0/mlflow/datasets/{dataset_id}
write POST           /api/3.0/mlflow/datasets/{dataset_id}/add-experiments
read  GET            /api/3.0/mlflow/datasets/{dataset_id}/experiment-ids
write POST,DELETE    /api/3.0/mlflow/datasets/{dataset_id}/records
read  GET            /api/3.0/mlflow/datasets/{dataset_id}/records
write POST           /api/3.0/mlflow/datasets/{dataset_id}/remove-experiments
write PATCH          /api/3.0/mlflow/datasets/{dataset_id}/tags
write DELETE         /api/3.0/mlflow/datasets/{dataset_id}/tags/{key}

# Label schemas
write POST           /api/3.0/mlflow/label-schemas/create
write DELETE         /api/3.0/mlflow/label-schemas/delete
read  GET            /api/3.0/mlflow/label-schemas/get
read  GET            /api/3.0/mlflow/label-schemas/get-by-name
read  GET            /api/3.0/mlflow/label-schemas/list
write PATCH          /api/3.0/mlflow/label-schemas/update

# Review queues
write POST           /api/3.0/mlflow/review-queues/create
write POST           /api/3.0/mlflow/review-queues/delete
read  GET            /api/3.0/mlflow/review-queues/get
read  GET            /api/3.0/mlflow/review-queues/get-by-name
write POST           /api/3.0/mlflow/review-queues/get-or-create-user
write POST           /api/3.0/mlflow/review-queues/items/add
read  GET            /api/3.0/mlflow/review-queues/items/list
write POST           /api/3.0/mlflow/review-queues/items/remove
write POST           /api/3.0/mlflow/review-queues/items/set-status
read  GET            /api/3.0/mlflow/review-queues/list
write POST           /api/3.0/mlflow/review-queues/update

# Issues
write POST           /api/3.0/mlflow/issues
admin POST           /api/3.0/mlflow/issues/invoke
read  POST           /api/3.0/mlflow/issues/search
read  GET            /api/3.0/mlflow/issues/{issue_id}
write PATCH          /api/3.0/mlflow/issues/{issue_id}

# Scorers, and evaluation by them
admin POST           /api/3.0/mlflow/genai/evaluate/invoke
admin POST           /api/3.0/mlflow/scorer/invoke
write DELETE         /api/3.0/mlflow/scorers/delete
read  GET            /api/3.0/mlflow/scorers/get
read  GET            /api/3.0/mlflow/scorers/list
admin PUT            /api/3.0/mlflow/scorers/online-config
read  GET            /api/3.0/mlflow/scorers/online-configs
write POST           /api/3.0/mlflow/scorers/register
read  GET            /api/3.0/mlflow/scorers/versions

# MCP servers
read  GET            /api/3.0/mlflow/mcp-servers
write POST           /api/3.0/mlflow/mcp-servers
read  GET            /api/3.0/mlflow/mcp-servers/endpoints
write PATCH,DELETE   /api/3.0/mlflow/mcp-servers/{name:path}
read  GET            /api/3.0/mlflow/mcp-servers/{name:path}
write POST           /api/3.0/mlflow/mcp-servers/{name:path}/aliases
write DELETE         /api/3.0/mlflow/mcp-servers/{name:path}/aliases/{alias:path}
read  GET            /api/3.0/mlflow/mcp-servers/{name:path}/aliases/{alias:path}
read  GET            /api/3.0/mlflow/mcp-servers/{name:path}/endpoints
write POST           /api/3.0/mlflow/mcp-servers/{name:path}/endpoints
write PATCH,DELETE   /api/3.0/mlflow/mcp-servers/{name:path}/endpoints/{endpoint_id}
read  GET            /api/3.0/mlflow/mcp-servers/{name:path}/endpoints/{endpoint_id}
write POST           /api/3.0/mlflow/mcp-servers/{name:path}/tags
write DELETE         /api/3.0/mlflow/mcp-servers/{name:path}/tags/{key:path}
read  GET            /api/3.0/mlflow/mcp-servers/{name:path}/versions
write POST           /api/3.0/mlflow/mcp-servers/{name:path}/versions
write PATCH,DELETE   /api/3.0/mlflow/mcp-servers/{name:path}/versions/{version:path}
read  GET            /api/3.0/mlflow/mcp-servers/{name:path}/versions/{version:path}
write POST           /api/3.0/mlflow/mcp-servers/{name:path}/versions/{version:path}/tags
write DELETE         /api/3.0/mlflow/mcp-servers/{name:path}/versions/{version:path}/tags/{key:path}

# Calls of the gateway's endpoints
read  GET            /api/2.0/mlflow/gateway-proxy
write POST           /api/2.0/mlflow/gateway-proxy
write POST           /gateway/anthropic/v1/messages
write POST           /gateway/gemini/v1beta/models/{endpoint_name}:generateContent
write POST           /gateway/gemini/v1beta/models/{endpoint_name}:streamGenerateContent
write POST           /gateway/mlflow/v1/chat/completions
read  GET            /gateway/mlflow/v1/models
write POST           /gateway/openai/v1/chat/completions
write POST           /gateway/openai/v1/embeddings
write POST           /gateway/openai/v1/responses
write POST           /gateway/openai/v1/responses/compact
write POST           /gateway/proxy/{endpoint_name}/{path:path}
write POST           /gateway/typesafe/v1/systemone
write POST           /gateway/{endpoint_name}/mlflow/invocations

# The gateway's own secrets, endpoints, budgets: all but which endpoints there are
admin POST           /api/3.0/mlflow/gateway/budgets/create
admin DELETE         /api/3.0/mlflow/gateway/budgets/delete
admin GET            /api/3.0/mlflow/gateway/budgets/get
admin GET            /api/3.0/mlflow/gateway/budgets/list
admin POST           /api/3.0/mlflow/gateway/budgets/update
admin GET            /api/3.0/mlflow/gateway/budgets/windows
admin POST           /api/3.0/mlflow/gateway/endpoints/bindings/create
admin DELETE         /api/3.0/mlflow/gateway/endpoints/bindings/delete
admin GET            /api/3.0/mlflow/gateway/endpoints/bindings/list
admin POST           /api/3.0/mlflow/gateway/endpoints/create
admin DELETE         /api/3.0/mlflow/gateway/endpoints/delete
admin DELETE         /api/3.0/mlflow/gateway/endpoints/delete-tag
read  GET            /api/3.0/mlflow/gateway/endpoints/get
read  GET            /api/3.0/mlflow/gateway/endpoints/list
admin POST           /api/3.0/mlflow/gateway/endpoints/models/attach
admin POST           /api/3.0/mlflow/gateway/endpoints/models/detach
admin POST           /api/3.0/mlflow/gateway/endpoints/set-tag
admin POST           /api/3.0/mlflow/gateway/endpoints/update
admin POST           /api/3.0/mlflow/gateway/guardrails/add-to-endpoint
admin POST           /api/3.0/mlflow/gateway/guardrails/create
admin DELETE         /api/3.0/mlflow/gateway/guardrails/delete
admin GET            /api/3.0/mlflow/gateway/guardrails/get
admin GET            /api/3.0/mlflow/gateway/guardrails/list
admin GET            /api/3.0/mlflow/gateway/guardrails/list-for-endpoint
admin DELETE         /api/3.0/mlflow/gateway/guardrails/remove-from-endpoint
admin PATCH          /api/3.0/mlflow/gateway/guardrails/update-config
admin POST           /api/3.0/mlflow/gateway/model-definitions/create
admin DELETE         /api/3.0/mlflow/gateway/model-definitions/delete
admin GET            /api/3.0/mlflow/gateway/model-definitions/get
admin GET            /api/3.0/mlflow/gateway/model-definitions/list
admin POST           /api/3.0/mlflow/gateway/model-definitions/update
admin GET            /api/3.0/mlflow/gateway/provider-config
admin GET            /api/3.0/mlflow/gateway/secrets/config
admin POST           /api/3.0/mlflow/gateway/secrets/create
admin DELETE         /api/3.0/mlflow/gateway/secrets/delete
admin GET            /api/3.0/mlflow/gateway/secrets/get
admin GET            /api/3.0/mlflow/gateway/secrets/list
admin POST           /api/3.0/mlflow/gateway/secrets/update
admin GET            /api/3.0/mlflow/gateway/supported-models
admin GET            /api/3.0/mlflow/gateway/supported-providers

# Jobs of MLflow's own
admin POST           /api/3.0/jobs/
admin PATCH          /api/3.0/jobs/cancel/{job_id}
admin POST           /api/3.0/jobs/search
admin GET            /api/3.0/jobs/{job_id}
admin PATCH          /api/3.0/mlflow/jobs/cancel/{job_id}
admin GET            /api/3.0/mlflow/jobs/{job_id}
admin POST           /api/3.0/mlflow/prompt-optimization/jobs
admin GET,POST       /api/3.0/mlflow/prompt-optimization/jobs/search
admin GET,DELETE     /api/3.0/mlflow/prompt-optimization/jobs/{job_id}
admin POST           /api/3.0/mlflow/prompt-optimization/jobs/{job_id}/cancel

# Assistant
read  GET            /api/3.0/mlflow/assistant/config
admin PUT            /api/3.0/mlflow/assistant/config
admin POST           /api/3.0/mlflow/assistant/message
read  GET            /api/3.0/mlflow/assistant/providers
admin GET            /api/3.0/mlflow/assistant/providers/{provider}/health
admin GET            /api/3.0/mlflow/assistant/providers/{provider}/models
admin PATCH          /api/3.0/mlflow/assistant/sessions/{session_id}
admin POST           /api/3.0/mlflow/assistant/sessions/{session_id}/permission
admin GET            /api/3.0/mlflow/assistant/sessions/{session_id}/stream
admin POST           /api/3.0/mlflow/assistant/sessions/{session_id}/tool-result
admin POST           /api/3.0/mlflow/assistant/skills/install

# Webhooks
admin GET,POST       /api/2.0/mlflow/webhooks
admin GET,PATCH,DELETE /api/2.0/mlflow/webhooks/{webhook_id}
admin POST           /api/2.0/mlflow/webhooks/{webhook_id}/test
"""
