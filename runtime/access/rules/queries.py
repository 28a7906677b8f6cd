"""GraphQL: MLflow's page loads experiments and runs by POST; only the body says what it does."""

import json

from graphql import GraphQLError, parse
from graphql.language.ast import FragmentDefinitionNode, OperationDefinitionNode, OperationType

PATH = "/graphql"
# What the page of MLflow 3.17.2 sends for a run has less than 2 KiB and 150 tokens.
LARGEST_BODY = 256 << 10
_MOST_TOKENS = 2000


def is_query(body: bytes) -> bool:
    """Whether a request's body asks for queries alone; False for what cannot be understood.

    Decided by the whole document, whichever of its operations is named. Reads JSON as MLflow does:
    of two values under one name, the last counts.
    """
    try:
        text = json.loads(body)["query"]
        document = parse(text, no_location=True, max_tokens=_MOST_TOKENS) if text else None
    except (ValueError, TypeError, KeyError, RecursionError, GraphQLError):
        return False
    if document is None:
        return False
    operations = [d for d in document.definitions if not isinstance(d, FragmentDefinitionNode)]
    return bool(operations) and all(
        isinstance(operation, OperationDefinitionNode)
        and operation.operation is OperationType.QUERY
        for operation in operations
    )
