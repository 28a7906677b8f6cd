"""The secret keys, which are no fields: the program alone has their values (infra.inputs)."""

SECRETS = {
    "earlierBackupKeys": "Keys of backups that another stack encrypted, or this one before, with "
    "spaces between; `make recover` sets it.",
    "backendStoreUri": "The SQLAlchemy URI of your own PostgreSQL or MySQL.",
    "oidcClientSecret": "The client's secret, where the issuer asks for one.",
    "pruneWebhook": "The `https://` address that is told what the scheduled prune is going to "
    "delete, `pruneNotice` before. Where it does not answer, nothing is deleted.",
    "registryPassword": "The password of `registryUser`.",
    "tlsKey": "With `tls: files`: the certificate's private key in PEM.",
}
