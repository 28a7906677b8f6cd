"""What the variables mean that no key of a stack file describes, by field of RuntimeSettings."""

MEANINGS = {
    "data_dir": "The data directory: SQLite, artifacts, jobs' state and backups, unless they are "
    "elsewhere.",
    "given_backend_store_uri": "The SQLAlchemy URI of the backend store; without it SQLite in the "
    "data directory.",
    "default_artifact_root": "Where new experiments keep artifacts that do not go through the "
    "server.",
    "given_tracking_uri": "The server as this machine reaches it; without it its own address.",
    "registry_uri": "Told where it is another address than that of the server: models are kept "
    "where runs are.",
    "tracking_token": "The token that the server takes, and that commands ask it with.",
    "tracking_certificate": "The certificate authority that commands trust, in PEM.",
    "target_token": "For `promote`: the token of the server that is promoted to.",
    "target_certificate": "For `promote`: the authority of the server that is promoted to, in PEM.",
    "secrets_key": "What the keys of webhooks' and the gateway's secrets are made of: 256 random "
    "bits, the newest first where there are several.",
    "webhook_key": "What encrypts webhooks' secrets; without it made of TRACKSTACK_SECRETS_KEY, "
    "else of the jobs' token, or of the first one.",
    "gateway_passphrase": "What encrypts the gateway's secrets; without it made of "
    "TRACKSTACK_SECRETS_KEY, else of the jobs' token, or MLflow's own default.",
    "host": "The address that the server listens on; another than loopback needs TLS or a proxy.",
    "port": "The port that the server listens on.",
    "gunicorn_opts": "Read for `--log-level` alone, as published stacks set it.",
    "log_level": "The server's log; without it what MLFLOW_GUNICORN_OPTS says, else `info`.",
    "image": "The image that runs, by digest, as `/metrics` tells it.",
    "stack": "The stack's name, for the sign-in page, and for the commands that doctor names.",
    "supervised": "The process ends when its supervisor does.",
    "upgrade": "The server backs up and migrates an older store before it serves.",
    "job_token": "The token of the stack's own jobs.",
    "runner_token": "The token of MLflow's background jobs, which the server makes at each start.",
    "given_public_url": "The address that people and clients use; the server answers to its host "
    "name and loopback alone.",
    "tls_cert_file": "The server's own certificate, in PEM; goes with the key.",
    "tls_key_file": "The certificate's private key, in PEM.",
    "behind_proxy": "Only a TLS proxy can reach the server, which may then listen in plain HTTP.",
    "audit_log": "The file of the audit log; without it stdout.",
    "forwarded_allow_ips": "The proxy whose `X-Forwarded-For` counts: addresses or networks.",
    "heartbeat": "The log has a line of each worker every 150 s, for who counts them.",
    "max_request_bytes": "The most bytes of a request's body, but for uploads; 0: no limit.",
    "max_artifact_bytes": "The most bytes of an uploaded artifact; 0: no limit.",
    "search_seconds": "Seconds that a query of a request that only reads may take; 0: any time.",
    "search_conditions": "Conditions and orders that one search may have; 0: any number.",
    "adopt_artifacts": "The store, gone for good, whose artifact destination is this one's now.",
    "allowed_hosts": "The host names that are answered, beside loopback.",
    "allowed_origins": "Other origins whose pages may ask with a token; without it the public one.",
    "backup_schedule": "When a backup is made: five-field cron in UTC, or `never`.",
    "backup_destination": "Where backups go: a directory, or a URI that MLflow knows.",
    "earlier_backups": "Where an earlier version kept this store's backups: they are listed, "
    "restored and retired as well; none is made there.",
    "backup_key": "What encrypts backups and opens them again: 32 characters or more.",
    "earlier_backup_keys": "Keys that only open backups, with spaces between.",
    "database_admin_uri": "For `database`: the administrator's URI of the new database server.",
    "db_secret_ocid": "The secret in OCI Vault that holds the backend store's URI.",
    "backend_provider": "The kind of database, as published stacks say it: `mysql` or `postgresql` "
    "without a URI or secret of such a one is refused.",
    "given_oci_login": "How to log in to OCI: `api_key`, `resource_principal` or "
    "`instance_principal`.",
    "oci_config_file": "The file of OCI's command line, for `api_key`.",
    "oci_config_profile": "The profile in it.",
    "oci_resource_principal": "Set by OCI where a resource principal can be had.",
    "oci_metrics": "Compartment and stack, with `/` between them: where OCI Monitoring is told how "
    "jobs went.",
}
