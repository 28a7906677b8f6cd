"""The API of tokens, people and sign-in, as OpenAPI 3.1: the one place that describes it."""

from typing import Any

from runtime.client.server import EXCHANGE, STATUS, TOKENS
from runtime.tokens.served import PEOPLE

DOCUMENT, CHANGES = "/trackstack/api/openapi.json", "/trackstack/api/changes"

_ROLE = {"type": "string", "enum": ["read", "write", "admin"]}
_TEXT = {"type": "string"}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_SHARED = {"name": "shared", "in": "query", "schema": _TEXT}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _content(schema: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _body(schema: Any) -> dict[str, Any]:
    return {"required": True, **_content(schema)}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(
    summary: str, status: int, said: str, schema: Any | None = None, **more: Any
) -> dict[str, Any]:
    answer = {"description": said, **(_content(schema) if schema else {})}
    refused = {
        "400": {"description": "What is asked for is wrong", **_content(_ref("Error"))},
        "403": {"description": "The caller may not do this", **_content(_ref("Error"))},
    }
    return {"summary": summary, "responses": {str(status): answer, **refused}, **more}


_SCHEMAS: dict[str, Any] = {
    "Error": _object(error_code=_TEXT, message=_TEXT),
    "Token": _object(
        id={"type": ["string", "null"], "description": "Null for a shared token."},
        name=_TEXT,
        owner={"type": ["string", "null"]},
        made_by={
            "type": ["string", "null"],
            "description": "Who gave a shared one its value; null where a command did.",
        },
        role=_ROLE,
        created=_TIME,
        expires={**_TIME, "description": "When it ends: of itself, or with its owner's rights."},
        valid={"type": "boolean"},
        disabled={"type": "boolean"},
        used={**_TIME, "description": "Its last use, to the hour."},
        used_from={"type": ["string", "null"], "description": "The address of its last use."},
    ),
    "Made": {
        "allOf": [_ref("Token"), _object(token={**_TEXT, "description": "Its value: only here."})]
    },
    "Status": _object(
        stack={"type": ["string", "null"]},
        trackstack=_TEXT,
        mlflow=_TEXT,
        schema={"type": ["string", "null"]},
        time=_TIME,
        jobs={"type": "array", "items": _ref("Job")},
        growth={"type": "array", "items": _ref("Day"), "description": "The oldest first."},
        database={
            "description": "Null where the store does not answer.",
            **_object(kind=_TEXT, bytes={"type": "integer"}),
            "type": ["object", "null"],
        },
        disks={
            "type": "array",
            "items": _object(
                holds={"type": "array", "items": {"enum": ["data", "artifacts", "backups"]}},
                free_bytes={"type": "integer"},
                total_bytes={"type": "integer"},
            ),
            "description": "Of the server that answers.",
        },
        certificate_ends={**_TIME, "description": "Null for plain HTTP, or where it is not seen."},
        retention={
            "description": "By prune's last report; null before it made one.",
            **_object(
                reported=_TIME,
                deletes={"type": "boolean", "description": "False where it only reports."},
                stale={"type": "integer"},
                next={**_TIME, "description": "From when on a pass deletes the counts below."},
                counts={"type": "object", "additionalProperties": {"type": "integer"}},
                stop={**_TEXT, "description": "How to stop that."},
            ),
            "type": ["object", "null"],
        },
        tokens_ending={
            "type": "array",
            "items": _object(name=_TEXT, owner={"type": ["string", "null"]}, expires=_TIME),
            "description": "Your own that end within a day, for admins the shared ones of a week.",
        },
        problems={"type": "array", "items": _TEXT, "description": "None where all is well."},
    ),
    "Change": _object(
        time=_TIME,
        who=_TEXT,
        role=_ROLE,
        method=_TEXT,
        path=_TEXT,
        status={"type": "integer"},
        client={**_TEXT, "description": "From which address."},
    ),
    "Day": _object(
        day={"type": "string", "format": "date"},
        runs={"type": "integer"},
        bytes={"type": "integer", "description": "Of the database."},
    ),
    "Job": _object(
        name=_TEXT,
        schedule={**_TEXT, "description": "Five-field cron in UTC."},
        next=_TIME,
        overdue={"type": "boolean", "description": "It should have begun, and has not."},
        running_since=_TIME,
        last=_TIME,
        last_success=_TIME,
        seconds={"type": ["number", "null"]},
        exit_code={"type": ["integer", "null"]},
        counts={"type": "object", "additionalProperties": {"type": "number"}},
    ),
    "Person": _object(
        name=_TEXT,
        role={**_ROLE, "type": ["string", "null"], "enum": [*_ROLE["enum"], None]},
        signed_in={**_TIME, "description": "When the issuer last said who they are."},
        removed={"type": "boolean"},
    ),
}
_PATHS: dict[str, Any] = {
    TOKENS: {
        "get": _operation(
            "List your own tokens; for admins with all=true everybody's and the shared ones",
            200,
            "The tokens, without their values",
            _object(
                tokens={"type": "array", "items": _ref("Token")},
                max_days={"type": ["integer", "null"]},
            ),
            parameters=[{"name": "all", "in": "query", "schema": {"type": "boolean"}}],
        ),
        "post": _operation(
            "Make a token of your own while signed in; for admins with shared=true a shared one",
            201,
            "The token with its value, which is told nowhere else",
            _ref("Made"),
            requestBody=_body(
                _object(
                    ("name",),
                    name={**_TEXT, "minLength": 1, "maxLength": 64},
                    role={**_ROLE, "description": "At most your own; write where it may be."},
                    expires={
                        **_TEXT,
                        "description": "An age such as 30d; without it as long as may be.",
                    },
                    shared={"type": "boolean", "default": False},
                )
            ),
        ),
        "patch": _operation(
            "For admins: give a shared token another value, or enable one that a restore disabled",
            200,
            "The token's name, with its new value where it was rotated",
            _object(name=_TEXT, token=_TEXT),
            parameters=[{**_SHARED, "required": True}],
            requestBody=_body(
                _object(("action",), action={"type": "string", "enum": ["rotate", "enable"]})
            ),
        ),
        "delete": _operation(
            "End a token by its id; admins anybody's, and by name a shared one",
            200,
            "It is valid nowhere any more, within 5 seconds",
            parameters=[{"name": "id", "in": "query", "schema": _TEXT}, _SHARED],
        ),
    },
    PEOPLE: {
        "get": _operation(
            "For admins: who has signed in by the issuer",
            200,
            "The people",
            _object(people={"type": "array", "items": _ref("Person")}),
        ),
        "delete": _operation(
            "For admins: remove a person: their sessions and tokens end, and they cannot come back",
            200,
            "They are removed, within 5 seconds",
            parameters=[{"name": "name", "in": "query", "required": True, "schema": _TEXT}],
        ),
        "post": _operation(
            "For admins: take a removal back; what had ended stays ended",
            200,
            "They may sign in again",
            parameters=[{"name": "name", "in": "query", "required": True, "schema": _TEXT}],
        ),
    },
    CHANGES: {
        "get": _operation(
            "For admins: the last 500 changes of tokens, people and models, and what was deleted",
            200,
            "The changes, the newest first, the same from every replica",
            _object(changes={"type": "array", "items": _ref("Change")}),
        ),
    },
    STATUS: {
        "get": _operation(
            "How the server is: versions, its jobs' last and next runs",
            200,
            "The facts, the same from every replica",
            _ref("Status"),
        ),
    },
    EXCHANGE: {
        "post": _operation(
            "Take what a signed-in person let a computer have: needs no token",
            200,
            "A token of that person's own",
            _ref("Made"),
            requestBody=_body(
                _object(
                    ("verifier", "code"),
                    verifier={**_TEXT, "description": "What the challenge is the SHA-256 of."},
                    code={**_TEXT, "description": "What the page shows, or sends to loopback."},
                )
            ),
        ),
    },
}


def document(prefix: str = "") -> dict[str, Any]:
    """The whole document, of a server below the path ``prefix``."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Trackstack",
            "version": "1",
            "description": "Tokens, people and sign-in, beside MLflow's own API.",
        },
        "servers": [{"url": prefix or "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": _PATHS,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "trackstack_session",
                    "description": "From this server's own pages alone; the name goes on with the "
                    "stack's own digits.",
                },
            },
        },
    }
