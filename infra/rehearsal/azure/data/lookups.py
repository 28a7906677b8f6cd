"""Data sources of flexible servers."""

from typing import ClassVar

from infra.rehearsal.azure.data.database import MysqlServer, PostgresServer
from infra.rehearsal.azure.data.servers import FlexibleServer
from infra.rehearsal.azure.resource import refusal
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.values import Props


class _GetServer(Function):
    kind: ClassVar[type[FlexibleServer]]

    def invoke(self, args: Props) -> Props:
        record = self.cloud.store.get(self.kind(self.call).identify(args))
        if record is None:
            message = f"The Resource '{args['serverName']}' was not found."
            raise refusal("ResourceNotFound", message, 404)
        return record.props


class GetPostgresServer(_GetServer):
    token = "azure-native:dbforpostgresql:getServer"
    kind = PostgresServer


class GetMysqlServer(_GetServer):
    token = "azure-native:dbformysql:getServer"
    kind = MysqlServer
