from pathlib import Path

import pytest

from runtime.database.uri import shown_store, store_uri
from runtime.errors import UserError
from runtime.settings import RuntimeSettings, load, variable

# Stack files, images that run and other people's scripts have these names.
_PUBLISHED = """
    TRACKSTACK_DATA_DIR MLFLOW_BACKEND_STORE_URI MLFLOW_ARTIFACTS_DESTINATION
    MLFLOW_DEFAULT_ARTIFACT_ROOT TRACKSTACK_ARTIFACT_LOCATIONS
    TRACKSTACK_ADOPT_ARTIFACTS MLFLOW_SERVE_ARTIFACTS MLFLOW_TRACKING_URI MLFLOW_REGISTRY_URI
    MLFLOW_TRACKING_TOKEN
    MLFLOW_TRACKING_SERVER_CERT_PATH TRACKSTACK_TARGET_TOKEN TRACKSTACK_TARGET_SERVER_CERT_PATH
    TRACKSTACK_SECRETS_KEY TRACKSTACK_SECRETS_KEY_ROTATION
    MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY MLFLOW_CRYPTO_KEK_PASSPHRASE MLFLOW_HOST MLFLOW_PORT
    MLFLOW_WORKERS
    MLFLOW_STATIC_PREFIX MLFLOW_GUNICORN_OPTS TRACKSTACK_LOG_LEVEL
    TRACKSTACK_LOG_FORMAT
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION TRACKSTACK_ASSISTANT TRACKSTACK_IMAGE TRACKSTACK_STACK
    TRACKSTACK_SUPERVISED TRACKSTACK_UPGRADE
    TRACKSTACK_PROTECT_REGISTRY TRACKSTACK_JOB_TOKEN TRACKSTACK_RUNNER_TOKEN
    TRACKSTACK_PUBLIC_URL TRACKSTACK_OIDC_ISSUER
    TRACKSTACK_OIDC_CLIENT_ID TRACKSTACK_OIDC_CLIENT_SECRET TRACKSTACK_OIDC_USER_CLAIM
    TRACKSTACK_ALLOWED_GROUPS
    TRACKSTACK_ALLOWED_USERS TRACKSTACK_ADMIN_GROUPS TRACKSTACK_READ_GROUPS
    TRACKSTACK_TOKEN_MAX_DAYS TRACKSTACK_TOKEN_SIGN_IN_DAYS
    TRACKSTACK_TLS_CERT_FILE TRACKSTACK_TLS_KEY_FILE TRACKSTACK_BEHIND_PROXY FORWARDED_ALLOW_IPS
    TRACKSTACK_AUDIT_LOG
    TRACKSTACK_AUDIT_READS TRACKSTACK_HEARTBEAT
    TRACKSTACK_MAX_REQUEST_BYTES TRACKSTACK_MAX_ARTIFACT_BYTES
    TRACKSTACK_SEARCH_SECONDS TRACKSTACK_SEARCH_CONDITIONS
    MLFLOW_SERVER_ALLOWED_HOSTS MLFLOW_SERVER_CORS_ALLOWED_ORIGINS MLFLOW_TRACKING_GC_TTL
    MLFLOW_TRACKING_ENTITY_TTL
    TRACKSTACK_GC_SCHEDULE TRACKSTACK_PRUNE_SCHEDULE TRACKSTACK_PRUNE_ACTION
    TRACKSTACK_PRUNE_NOTICE TRACKSTACK_PRUNE_REGISTRY TRACKSTACK_PRUNE_WEBHOOK
    TRACKSTACK_BACKUP_SCHEDULE TRACKSTACK_BACKUP_DRILL_SCHEDULE
    TRACKSTACK_BACKUP_DESTINATION TRACKSTACK_EARLIER_BACKUPS
    TRACKSTACK_BACKUP_ENCRYPTION TRACKSTACK_BACKUP_KEY TRACKSTACK_EARLIER_BACKUP_KEYS
    TRACKSTACK_BACKUP_KEEP
    TRACKSTACK_BACKUP_ALARM
    TRACKSTACK_RESTORE_BACKUP TRACKSTACK_DATABASE_ADMIN_URI DB_SECRET_OCID BACKEND_PROVIDER
    OCIFS_IAM_TYPE
    OCI_CONFIG_FILE OCI_CONFIG_PROFILE OCI_RESOURCE_PRINCIPAL_VERSION TRACKSTACK_OCI_METRICS
"""


def test_no_published_name_is_changed_or_forgotten() -> None:
    """A new variable is added here; one that goes or is renamed is a line in CHANGELOG."""
    assert [variable(field) for field in RuntimeSettings.model_fields] == _PUBLISHED.split()


def test_without_variables_everything_lies_in_the_data_directory(tmp_path: Path) -> None:
    settings = load({"TRACKSTACK_DATA_DIR": str(tmp_path)})
    assert shown_store(settings) == f"sqlite:///{tmp_path}/store/mydb.sqlite"
    assert settings.artifacts_destination == f"{tmp_path}/artifacts"
    assert (settings.gc_ttl, settings.entity_ttl_days) == ("30d0h0m0s", 30)
    assert settings.serve_artifacts
    assert not settings.job_execution


def test_the_published_names_are_read() -> None:
    settings = load(
        {
            "MLFLOW_BACKEND_STORE_URI": "postgresql://u:pw@db:5432/mlflow",
            "MLFLOW_ARTIFACTS_DESTINATION": "oci://bucket@namespace/prefix/",
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": "oci://bucket@namespace/prefix/",
            "MLFLOW_SERVE_ARTIFACTS": "false",
            "MLFLOW_TRACKING_URI": "https://mlflow.example.org",
            "MLFLOW_TRACKING_TOKEN": "t0ken",
            "MLFLOW_TRACKING_GC_TTL": "0d0h10m0s",
            "MLFLOW_TRACKING_ENTITY_TTL": "7",
            "MLFLOW_HOST": "0.0.0.0",
            "MLFLOW_PORT": "80",
            "MLFLOW_WORKERS": "3",
            "MLFLOW_GUNICORN_OPTS": "--log-level debug",
            "MLFLOW_SERVER_ALLOWED_HOSTS": "a.example.org,b.example.org",
        }
    )
    assert shown_store(settings) == "postgresql://u:***@db:5432/mlflow"
    assert settings.artifacts_destination == "oci://bucket@namespace/prefix/"
    assert settings.tracking_uri == "https://mlflow.example.org"
    assert (settings.host, settings.port, settings.workers) == ("0.0.0.0", 80, 3)
    assert settings.allowed_hosts == ("a.example.org", "b.example.org")
    assert "t0ken" not in repr(settings)
    assert "pw" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "opened"),
    [
        (
            "postgresql://u:p@h/d?sslmode=verify-full",
            "postgresql+psycopg2://u:p@h/d?sslmode=verify-full",
        ),
        ("postgres://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql+pg8000://u:p@h/d", "postgresql+pg8000://u:p@h/d"),
        ("mysql+pymysql://u:p@h/d", "mysql+pymysql://u:p@h/d"),
        ("sqlite:////d/x", "sqlite:////d/x"),
    ],
)
def test_postgresql_is_opened_by_the_driver_that_mlflow_works_with(given: str, opened: str) -> None:
    settings = load({"MLFLOW_BACKEND_STORE_URI": given, "TRACKSTACK_DATABASE_ADMIN_URI": given})
    assert store_uri(settings) == opened
    assert settings.database_admin_uri
    assert settings.database_admin_uri.get_secret_value() == opened
    # Shown as its owner wrote it.
    assert shown_store(settings) == given.replace(":p@", ":***@")


def test_each_age_and_schedule_may_be_never() -> None:
    names = ("TRACKSTACK_GC_SCHEDULE", "TRACKSTACK_PRUNE_SCHEDULE", "TRACKSTACK_BACKUP_SCHEDULE")
    ages = ("MLFLOW_TRACKING_GC_TTL", "MLFLOW_TRACKING_ENTITY_TTL")
    settings = load(dict.fromkeys((*names, *ages), "never"))
    assert settings.entity_ttl_days is None
    assert settings.gc_ttl == settings.gc_schedule == settings.prune_schedule == "never"
    assert settings.backup_schedule == "never"


def test_a_secret_may_come_from_a_mounted_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t0ken\n")
    token = load({"MLFLOW_TRACKING_TOKEN_FILE": str(file)}).tracking_token
    assert token is not None
    assert token.get_secret_value() == "t0ken"


def test_a_mounted_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"MLFLOW_TRACKING_TOKEN_FILE: cannot read .*/none: No such"
    ):
        load({"MLFLOW_TRACKING_TOKEN_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("MLFLOW_PORT", "none", "valid integer"),
        ("MLFLOW_PORT", "70000", "less than or equal to 65535"),
        ("MLFLOW_WORKERS", "0", "greater than or equal to 1"),
        ("MLFLOW_TRACKING_ENTITY_TTL", "1.5", "whole days from 1 to 36500, or never"),
        ("MLFLOW_TRACKING_ENTITY_TTL", "999999", "whole days from 1 to 36500, or never"),
        ("MLFLOW_TRACKING_ENTITY_TTL", "9" * 5000, "whole days from 1 to 36500, or never"),
        ("TRACKSTACK_PRUNE_ACTION", "purge", "'report' or 'delete'"),
        ("MLFLOW_TRACKING_GC_TTL", "soon", "days, hours, minutes and seconds"),
        ("TRACKSTACK_GC_SCHEDULE", "hourly", "five fields"),
        ("MLFLOW_SERVE_ARTIFACTS", "perhaps", "valid boolean"),
    ],
)
def test_a_wrong_value_is_one_line_with_name_value_and_what_is_allowed(
    name: str, value: str, allowed: str
) -> None:
    with pytest.raises(UserError) as raised:
        load({name: value})
    message = str(raised.value)
    assert message.startswith(f"{name}: ")
    assert repr(value) in message
    assert allowed in message
    assert "\n" not in message
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("given", "proxies"),
    [
        ({}, ""),
        ({"TRACKSTACK_PUBLIC_URL": "http://mlflow.example.com"}, ""),
        ({"TRACKSTACK_PUBLIC_URL": "https://mlflow.example.com"}, "127.0.0.1,::1"),
        (
            {
                "TRACKSTACK_PUBLIC_URL": "https://mlflow.example.com",
                "TRACKSTACK_TLS_CERT_FILE": "c",
            },
            "",
        ),
        ({"TRACKSTACK_BEHIND_PROXY": "true"}, "*"),
        ({"TRACKSTACK_BEHIND_PROXY": "true", "FORWARDED_ALLOW_IPS": "10.0.0.2"}, "10.0.0.2"),
        ({"FORWARDED_ALLOW_IPS": "*"}, "*"),
    ],
)
def test_only_a_proxy_that_is_known_says_who_asks(given: dict[str, str], proxies: str) -> None:
    assert load(given).proxies == proxies
