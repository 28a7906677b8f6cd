"""Routes to other services: MCP servers and the gateway."""

TABLE = """
# MCP servers
read  global     GET         /api/3.0/mlflow/mcp-servers
write global     POST        /api/3.0/mlflow/mcp-servers
read  global     GET         /api/3.0/mlflow/mcp-servers/endpoints
write global     PATCH,DELETE /api/3.0/mlflow/mcp-servers/{name:path}
read  global     GET         /api/3.0/mlflow/mcp-servers/{name:path}
write global     POST        /api/3.0/mlflow/mcp-servers/{name:path}/aliases
write global     DELETE      /api/3.0/mlflow/mcp-servers/{name:path}/aliases/{alias:path}
read  global     GET         /api/3.0/mlflow/mcp-servers/{name:path}/aliases/{alias:path}
read  global     GET         /api/3.0/mlflow/mcp-servers/{name:path}/endpoints
write global     POST        /api/3.0/mlflow/mcp-servers/{name:path}/endpoints
write global     PATCH,DELETE /api/3.0/mlflow/mcp-servers/{name:path}/endpoints/{endpoint_id}
read  global     GET         /api/3.0/mlflow/mcp-servers/{name:path}/endpoints/{endpoint_id}
write global     POST        /api/3.0/mlflow/mcp-servers/{name:path}/tags
write global     DELETE      /api/3.0/mlflow/mcp-servers/{name:path}/tags/{key:path}
read  global     GET         /api/3.0/mlflow/mcp-servers/{name:path}/versions
write global     POST        /api/3.0/mlflow/mcp-servers/{name:path}/versions
write global     PATCH,DELETE /api/3.0/mlflow/mcp-servers/{name:path}/versions/{version:path}
read  global     GET         /api/3.0/mlflow/mcp-servers/{name:path}/versions/{version:path}
write global     POST        /api/3.0/mlflow/mcp-servers/{name:path}/versions/{version:path}/tags
write global DELETE /api/3.0/mlflow/mcp-servers/{name:path}/versions/{version:path}/tags/{key:path}

# Calls of the gateway's endpoints
read  global     GET         /api/2.0/mlflow/gateway-proxy
write global     POST        /api/2.0/mlflow/gateway-proxy
write global     POST        /gateway/anthropic/v1/messages
write global     POST        /gateway/gemini/v1beta/models/{endpoint_name}:generateContent
write global     POST        /gateway/gemini/v1beta/models/{endpoint_name}:streamGenerateContent
write global     POST        /gateway/mlflow/v1/chat/completions
read  global     GET         /gateway/mlflow/v1/models
write global     POST        /gateway/openai/v1/chat/completions
write global     POST        /gateway/openai/v1/embeddings
write global     POST        /gateway/openai/v1/responses
write global     POST        /gateway/openai/v1/responses/compact
write global     POST        /gateway/proxy/{endpoint_name}/{path:path}
write global     POST        /gateway/typesafe/v1/systemone
write global     POST        /gateway/{endpoint_name}/mlflow/invocations

# The gateway's own secrets, endpoints, budgets: all but which endpoints there are
admin global     POST        /api/3.0/mlflow/gateway/budgets/create
admin global     DELETE      /api/3.0/mlflow/gateway/budgets/delete
admin global     GET         /api/3.0/mlflow/gateway/budgets/get
admin global     GET         /api/3.0/mlflow/gateway/budgets/list
admin global     POST        /api/3.0/mlflow/gateway/budgets/update
admin global     GET         /api/3.0/mlflow/gateway/budgets/windows
admin global     POST        /api/3.0/mlflow/gateway/endpoints/bindings/create
admin global     DELETE      /api/3.0/mlflow/gateway/endpoints/bindings/delete
admin global     GET         /api/3.0/mlflow/gateway/endpoints/bindings/list
admin global     POST        /api/3.0/mlflow/gateway/endpoints/create
admin global     DELETE      /api/3.0/mlflow/gateway/endpoints/delete
admin global     DELETE      /api/3.0/mlflow/gateway/endpoints/delete-tag
read  global     GET         /api/3.0/mlflow/gateway/endpoints/get
read  global     GET         /api/3.0/mlflow/gateway/endpoints/list
admin global     POST        /api/3.0/mlflow/gateway/endpoints/models/attach
admin global     POST        /api/3.0/mlflow/gateway/endpoints/models/detach
admin global     POST        /api/3.0/mlflow/gateway/endpoints/set-tag
admin global     POST        /api/3.0/mlflow/gateway/endpoints/update
admin global     POST        /api/3.0/mlflow/gateway/guardrails/add-to-endpoint
admin global     POST        /api/3.0/mlflow/gateway/guardrails/create
admin global     DELETE      /api/3.0/mlflow/gateway/guardrails/delete
admin global     GET         /api/3.0/mlflow/gateway/guardrails/get
admin global     GET         /api/3.0/mlflow/gateway/guardrails/list
admin global     GET         /api/3.0/mlflow/gateway/guardrails/list-for-endpoint
admin global     DELETE      /api/3.0/mlflow/gateway/guardrails/remove-from-endpoint
admin global     PATCH       /api/3.0/mlflow/gateway/guardrails/update-config
admin global     POST        /api/3.0/mlflow/gateway/model-definitions/create
admin global     DELETE      /api/3.0/mlflow/gateway/model-definitions/delete
admin global     GET         /api/3.0/mlflow/gateway/model-definitions/get
admin global     GET         /api/3.0/mlflow/gateway/model-definitions/list
admin global     POST        /api/3.0/mlflow/gateway/model-definitions/update
admin global     GET         /api/3.0/mlflow/gateway/provider-config
read  global     GET         /api/3.0/mlflow/gateway/secrets/config
admin global     POST        /api/3.0/mlflow/gateway/secrets/create
admin global     DELETE      /api/3.0/mlflow/gateway/secrets/delete
admin global     GET         /api/3.0/mlflow/gateway/secrets/get
admin global     GET         /api/3.0/mlflow/gateway/secrets/list
admin global     POST        /api/3.0/mlflow/gateway/secrets/update
admin global     GET         /api/3.0/mlflow/gateway/supported-models
admin global     GET         /api/3.0/mlflow/gateway/supported-providers
"""
