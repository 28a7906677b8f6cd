"""Routes of the model registry."""

TABLE = """
# Registered models and their versions
write model      POST        /api/2.0/mlflow/model-versions/create
write model      DELETE      /api/2.0/mlflow/model-versions/delete
write model      DELETE      /api/2.0/mlflow/model-versions/delete-tag
read  model      GET         /api/2.0/mlflow/model-versions/get
read  model      GET         /api/2.0/mlflow/model-versions/get-download-uri
read  model      GET         /api/2.0/mlflow/model-versions/search
write model      POST        /api/2.0/mlflow/model-versions/set-tag
write model      POST        /api/2.0/mlflow/model-versions/transition-stage
write model      PATCH       /api/2.0/mlflow/model-versions/update
write model      POST,DELETE /api/2.0/mlflow/registered-models/alias
read  model      GET         /api/2.0/mlflow/registered-models/alias
write model      POST        /api/2.0/mlflow/registered-models/create
write model      DELETE      /api/2.0/mlflow/registered-models/delete
write model      DELETE      /api/2.0/mlflow/registered-models/delete-tag
read  model      GET         /api/2.0/mlflow/registered-models/get
read  model      GET,POST    /api/2.0/mlflow/registered-models/get-latest-versions
write model      POST        /api/2.0/mlflow/registered-models/rename
read  model      GET         /api/2.0/mlflow/registered-models/search
write model      POST        /api/2.0/mlflow/registered-models/set-tag
write model      PATCH       /api/2.0/mlflow/registered-models/update
"""
