"""What the running program is given: its stack file, by the engine's configuration."""

from dataclasses import dataclass, fields

import pulumi
from pulumi.runtime import config as engine_config
from pydantic.alias_generators import to_camel

from infra import settings
from infra.settings import PROJECT, Settings


@dataclass(frozen=True)
class Secrets:
    """The secret keys of a stack file, each an Output that Pulumi keeps encrypted."""

    backend_store_uri: pulumi.Output[str] | None = None
    earlier_backup_keys: pulumi.Output[str] | None = None
    oidc_client_secret: pulumi.Output[str] | None = None
    prune_webhook: pulumi.Output[str] | None = None
    registry_password: pulumi.Output[str] | None = None
    tls_key: pulumi.Output[str] | None = None

    @property
    def of_processes(self) -> dict[str, pulumi.Output[str]]:
        """Those that server and jobs read as they are, by the names of their files."""
        given = {
            "earlier_backup_keys": self.earlier_backup_keys,
            "oidc_client_secret": self.oidc_client_secret,
            "prune_webhook": self.prune_webhook,
        }
        return {name: value for name, value in given.items() if value is not None}

    def backup_keys(self, own: pulumi.Output[str] | None) -> pulumi.Output[str] | None:
        """All that opens the backups of a stack that encrypts them: its ``own`` key, and those that
        it is given.
        """
        if own is None or self.earlier_backup_keys is None:
            return own
        return pulumi.Output.all(own, self.earlier_backup_keys).apply(" ".join)

    def keys(self) -> frozenset[str]:
        """The keys that are given, as the stack file names them."""
        given = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        return frozenset(map(to_camel, given))


def load() -> tuple[Settings, Secrets]:
    """Read the stack file of the running program; raises StackError as ``settings.read`` does."""
    prefix = f"{PROJECT}:"
    everything = engine_config.get_config_env() | engine_config.CONFIG.get()
    given = {k.removeprefix(prefix): v for k, v in everything.items() if k.startswith(prefix)}
    secret = {key for key in given if engine_config.is_config_secret(f"{prefix}{key}")}
    plain = {key: value for key, value in given.items() if key not in secret}
    config = pulumi.Config(PROJECT)
    values = {field.name: config.get_secret(to_camel(field.name)) for field in fields(Secrets)}
    return settings.read(plain, secret), Secrets(**values)
