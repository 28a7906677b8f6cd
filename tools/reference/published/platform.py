"""An enterprise platform's server and prune guides."""

from tools.reference.published.line import Line

TITLE = "An enterprise platform's server and prune guides"
LINES = (
    Line(
        "`MLFLOW_BACKEND_STORE_URI`",
        "the same; in a stack the secret key `backendStoreUri`",
        "same",
        "without it SQLite in the data directory; never in plain text in a stack file",
        variables={"MLFLOW_BACKEND_STORE_URI": "sqlite:///data/mlflow/store/mydb.sqlite"},
        keys=("backendStoreUri",),
    ),
    Line(
        "`MLFLOW_ARTIFACTS_DESTINATION`",
        "the same; the key `artifactsDestination`",
        "same",
        variables={"MLFLOW_ARTIFACTS_DESTINATION": "data/mlflow/artifacts"},
        keys=("artifactsDestination",),
    ),
    Line(
        "`MLFLOW_TRACKING_URI`, `MLFLOW_TRACKING_TOKEN`",
        "the same; `make up` prints both lines",
        "same",
        variables={"MLFLOW_TRACKING_URI": "https://m.example", "MLFLOW_TRACKING_TOKEN": "t"},
        targets=("up", "token"),
    ),
    Line(
        "`MLFLOW_REGISTRY_URI`",
        "leave it out, or give it the tracking URI",
        "same",
        "another one is not used, which the server says",
        variables={"MLFLOW_REGISTRY_URI": "databricks-uc"},
        told="MLFLOW_REGISTRY_URI=databricks-uc is not used",
    ),
    Line(
        "`MLFLOW_TRACKING_GC_TTL=30d0h0m0s`",
        "the same; the key `gcTtl`",
        "same",
        variables={"MLFLOW_TRACKING_GC_TTL": "30d0h0m0s"},
        keys=("gcTtl",),
    ),
    Line(
        "`MLFLOW_TRACKING_GC_TTL=30`",
        "`30d`",
        "other",
        "a number alone is refused, with the form to write",
        variables={"MLFLOW_TRACKING_GC_TTL": "30"},
        refused="days, hours, minutes and seconds",
    ),
    Line(
        "`MLFLOW_TRACKING_ENTITY_TTL=30`",
        "the same; the key `entityTtlDays`",
        "same",
        variables={"MLFLOW_TRACKING_ENTITY_TTL": "30"},
        keys=("entityTtlDays",),
    ),
    Line(
        "commands `TrackingServer`, `GarbageCollection`, `DatabaseUpgrade`, `Report`, `Prune`",
        "the same after `trackstack`; or `server`, `gc`, `upgrade`, `report`, `prune`",
        "same",
        "`upgrade` backs up first; a scheduled prune reports, and deletes where "
        "`pruneAction: delete` says so",
        commands={
            "TrackingServer": "server",
            "GarbageCollection": "gc",
            "DatabaseUpgrade": "upgrade",
            "Report": "report",
            "Prune": "prune",
        },
        keys=("pruneAction",),
    ),
    Line(
        "schedules `*/10 * * * *` for gc, `0 0 * * *` for prune",
        "are the defaults; the keys `gcSchedule` and `pruneSchedule`",
        "same",
        variables={
            "TRACKSTACK_GC_SCHEDULE": "*/10 * * * *",
            "TRACKSTACK_PRUNE_SCHEDULE": "0 0 * * *",
        },
        keys=("gcSchedule", "pruneSchedule"),
    ),
    Line(
        "these variables as settings of a deployment",
        "keys of the stack file; others under `environment:`",
        "other",
        "a variable that stands there as a key is told its key",
        keys=("environment",),
        test="tests/infra/settings/test_settings.py::"
        "test_a_published_variable_as_a_key_is_told_ours",
    ),
    Line(
        "environment, command line tool and upload of a project archive",
        "`make up`",
        "other",
        targets=("up",),
    ),
    Line(
        "deployment's info and token",
        "`make status`, `make token`",
        "other",
        targets=("status", "token"),
    ),
    Line(
        "a new token at every restart",
        "the token stays",
        "better",
        "`trackstack token rotate` changes one, with no restart",
        test="tests/runtime/tokens/test_token.py::"
        "test_a_token_is_valid_until_it_is_rotated_or_revoked_without_a_restart",
    ),
    Line(
        "a private endpoint with a static name",
        "the keys `private`, `hostname`, `name`",
        "other",
        "with a token on every route",
        keys=("private", "hostname", "name"),
    ),
    Line(
        "access for a group",
        "the key `allowedGroups`, with `oidcIssuer`",
        "same",
        keys=("allowedGroups", "oidcIssuer"),
    ),
    Line(
        "access for `everyone`",
        '`allowedGroups: ["*"]`',
        "same",
        "everybody whom the issuer lets in; the server says so at its start",
        variables={
            "TRACKSTACK_OIDC_ISSUER": "https://issuer.example",
            "TRACKSTACK_ALLOWED_GROUPS": "*",
        },
        told="everybody whom https://issuer.example lets in",
    ),
    Line(
        "disaster recovery before the start",
        "`make recover STACK=NAME FROM=PLACE`",
        "better",
        "all rows and artifacts are compared; into any database and cloud",
        targets=("recover",),
    ),
    Line(
        "other dependency versions",
        "the keys `extraPackages` and `baseImage`",
        "other",
        "versions that the lock has stay as they are",
        keys=("extraPackages", "baseImage"),
    ),
)
