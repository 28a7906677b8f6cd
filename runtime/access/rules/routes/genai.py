"""Routes of MLflow's GenAI part: traces, datasets, labels, reviews, issues and scorers."""

TABLE = """
# Traces
read  experiment GET         /api/2.0/mlflow/get-online-trace-details
read  experiment GET         /api/2.0/mlflow/get-trace-artifact
read  experiment GET         /api/3.0/mlflow/get-trace-artifact
read  experiment GET         /api/2.0/mlflow/traces
write experiment POST        /api/2.0/mlflow/traces
write experiment POST        /api/2.0/mlflow/traces/delete-traces
write experiment POST        /api/2.0/mlflow/traces/link-prompts
write run        POST        /api/2.0/mlflow/traces/link-to-run
write experiment PATCH       /api/2.0/mlflow/traces/{request_id}
read  experiment GET         /api/2.0/mlflow/traces/{request_id}/info
write experiment PATCH,DELETE /api/2.0/mlflow/traces/{request_id}/tags
write experiment POST        /api/3.0/mlflow/traces
read  experiment GET         /api/3.0/mlflow/traces/batchGet
read  experiment POST        /api/3.0/mlflow/traces/batchGetInfos
read  experiment POST        /api/3.0/mlflow/traces/calculate-filter-correlation
write experiment POST        /api/3.0/mlflow/traces/delete-traces
read  experiment GET         /api/3.0/mlflow/traces/get
read  experiment POST        /api/3.0/mlflow/traces/metrics
read  experiment POST        /api/3.0/mlflow/traces/search
read  experiment GET         /api/3.0/mlflow/traces/{trace_id}
write experiment POST        /api/3.0/mlflow/traces/{trace_id}/assessments
write experiment PATCH,DELETE /api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}
read  experiment GET         /api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}
write experiment PATCH,DELETE /api/3.0/mlflow/traces/{trace_id}/tags
read  experiment GET         /api/2.0/mlflow/unified-traces

# Datasets
write experiment POST        /api/3.0/mlflow/datasets/create
read  experiment GET,POST    /api/3.0/mlflow/datasets/search
write experiment DELETE      /api/3.0/mlflow/datasets/{dataset_id}
read  experiment GET         /api/3.0/mlflow/datasets/{dataset_id}
write experiment POST        /api/3.0/mlflow/datasets/{dataset_id}/add-experiments
read  experiment GET         /api/3.0/mlflow/datasets/{dataset_id}/experiment-ids
write experiment POST,DELETE /api/3.0/mlflow/datasets/{dataset_id}/records
read  experiment GET         /api/3.0/mlflow/datasets/{dataset_id}/records
write experiment POST        /api/3.0/mlflow/datasets/{dataset_id}/remove-experiments
write experiment PATCH       /api/3.0/mlflow/datasets/{dataset_id}/tags
write experiment DELETE      /api/3.0/mlflow/datasets/{dataset_id}/tags/{key}

# Label schemas
write experiment POST        /api/3.0/mlflow/label-schemas/create
write experiment DELETE      /api/3.0/mlflow/label-schemas/delete
read  experiment GET         /api/3.0/mlflow/label-schemas/get
read  experiment GET         /api/3.0/mlflow/label-schemas/get-by-name
read  experiment GET         /api/3.0/mlflow/label-schemas/list
write experiment PATCH       /api/3.0/mlflow/label-schemas/update

# Review queues
write experiment POST        /api/3.0/mlflow/review-queues/create
write experiment POST        /api/3.0/mlflow/review-queues/delete
read  experiment GET         /api/3.0/mlflow/review-queues/get
read  experiment GET         /api/3.0/mlflow/review-queues/get-by-name
write experiment POST        /api/3.0/mlflow/review-queues/get-or-create-user
write experiment POST        /api/3.0/mlflow/review-queues/items/add
read  experiment GET         /api/3.0/mlflow/review-queues/items/list
write experiment POST        /api/3.0/mlflow/review-queues/items/remove
write experiment POST        /api/3.0/mlflow/review-queues/items/set-status
read  experiment GET         /api/3.0/mlflow/review-queues/list
write experiment POST        /api/3.0/mlflow/review-queues/update

# Issues
write experiment POST        /api/3.0/mlflow/issues
admin experiment POST        /api/3.0/mlflow/issues/invoke
read  experiment POST        /api/3.0/mlflow/issues/search
read  experiment GET         /api/3.0/mlflow/issues/{issue_id}
write experiment PATCH       /api/3.0/mlflow/issues/{issue_id}

# Scorers, and evaluation by them
admin experiment POST        /api/3.0/mlflow/genai/evaluate/invoke
admin experiment POST        /api/3.0/mlflow/scorer/invoke
write experiment DELETE      /api/3.0/mlflow/scorers/delete
read  experiment GET         /api/3.0/mlflow/scorers/get
read  experiment GET         /api/3.0/mlflow/scorers/list
admin experiment PUT         /api/3.0/mlflow/scorers/online-config
read  experiment GET         /api/3.0/mlflow/scorers/online-configs
write experiment POST        /api/3.0/mlflow/scorers/register
read  experiment GET         /api/3.0/mlflow/scorers/versions
"""
