# ruff: noqa: N802 - the protocol names the methods
"""The provider protocol on top of a cloud: wire format, previews, faults and the journal."""

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar, cast

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.provider.conditions import Fault
from infra.rehearsal.provider.errors import CancelledError, CloudError, DroppedError, NotReadyError
from infra.rehearsal.provider.resource import Call, Cloud, Resource
from infra.rehearsal.provider.responses import Context, detailed, not_ready
from infra.rehearsal.provider.values import Path, Props, Sealed, decode, encode, redact

_Result = TypeVar("_Result")
_DEFAULT_TIMEOUT = 300.0


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine for one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._resources = {resource.token: resource for resource in cloud.resources}
        self._functions = {function.token: function for function in cloud.functions}
        # All provider instances of a stack share this server. Each has a connection of its own,
        # and no other call says which of them it comes from.
        self._configs: dict[str, Props] = {}

    def Handshake(self, request: Any, context: Any) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: Any) -> Empty:
        self._cloud.engine = request.address
        return Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._cloud.version)

    def Cancel(self, request: Any, context: Any) -> Empty:
        self._cloud.cancelled.set()
        return Empty()

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: Context
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: Context
    ) -> provider_pb2.DiffResponse:
        same = decode(request.olds) == decode(request.news)
        none, some = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=none if same else some)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Context
    ) -> provider_pb2.ConfigureResponse:
        self._cloud.cancelled.clear()
        config = decode(request.args).values
        self._configs[context.peer()] = config
        try:
            self._cloud.configured(config)
        except CloudError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(
        self, request: provider_pb2.CheckRequest, context: Context
    ) -> provider_pb2.CheckResponse:
        resource, sealed = self._resource(request, context), decode(request.news)
        olds = decode(request.olds).values
        with self._answering("Check", request, context, inputs=redact(sealed)):
            checked, problems = resource.checked(sealed.values, olds, request.randomSeed)
        failures = [
            provider_pb2.CheckFailure(property=problem.path, reason=problem.reason)
            for problem in problems
        ]
        return provider_pb2.CheckResponse(inputs=encode(checked, sealed.secrets), failures=failures)

    def Diff(
        self, request: provider_pb2.DiffRequest, context: Context
    ) -> provider_pb2.DiffResponse:
        resource = self._resource(request, context)
        state, news = decode(request.olds).values, decode(request.news).values
        olds = resource.compared(decode(request.old_inputs).values, state)
        changed = sorted(
            name
            for name in {*olds, *news}
            if not name.startswith("__") and not resource.same(name, olds.get(name), news.get(name))
        )
        replacing = sorted(resource.replacing(changed, olds, news))
        response = provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME
            if changed
            else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=sorted({path.split(".")[0] for path in replacing}),
            deleteBeforeReplace=bool(replacing) and resource.delete_first(olds, news),
            hasDetailedDiff=True,
        )
        for name in changed:
            for path, how in detailed(name, olds, news, name in response.replaces):
                response.detailedDiff[path].CopyFrom(how)
        with self._answering(
            "Diff", request, context, changed=changed, replaces=list(response.replaces)
        ):
            return response

    def Create(
        self, request: provider_pb2.CreateRequest, context: Context
    ) -> provider_pb2.CreateResponse:
        resource, sealed = self._resource(request, context), decode(request.properties)
        secrets = _secrets(resource, sealed)
        with self._answering("Create", request, context, secrets, inputs=redact(sealed)) as entry:
            if request.preview:
                planned = resource.planned(sealed.values, {})
                return provider_pb2.CreateResponse(properties=encode(planned, secrets))

            def create() -> tuple[str, Props]:
                self._within_quota(resource)
                resource.verify(sealed.values)
                id, props = resource.create(sealed.values)
                self._keep(resource, id, props)
                return id, props

            id, props = self._struck("Create", request, resource, create)
            entry["id"] = id
            return provider_pb2.CreateResponse(id=id, properties=encode(props, secrets))

    def Read(
        self, request: provider_pb2.ReadRequest, context: Context
    ) -> provider_pb2.ReadResponse:
        resource = self._resource(request, context)
        known, inputs = decode(request.properties), decode(request.inputs)
        with self._answering("Read", request, context):
            props = self._struck(
                "Read", request, resource, lambda: resource.read(request.id, known.values)
            )
            if props is None:
                self._cloud.store.delete(request.id)
                return provider_pb2.ReadResponse()
            read = resource.readable_inputs(props, inputs.values, known.values)
            return provider_pb2.ReadResponse(
                id=request.id,
                properties=encode(props, _secrets(resource, known) | inputs.secrets),
                inputs=encode(read, inputs.secrets),
            )

    def Update(
        self, request: provider_pb2.UpdateRequest, context: Context
    ) -> provider_pb2.UpdateResponse:
        resource, sealed = self._resource(request, context), decode(request.news)
        known, secrets = decode(request.olds).values, _secrets(resource, sealed)
        with self._answering("Update", request, context, secrets, inputs=redact(sealed)):
            if request.preview:
                planned = resource.planned(sealed.values, known)
                return provider_pb2.UpdateResponse(properties=encode(planned, secrets))

            def update() -> Props:
                resource.verify(sealed.values)
                props = resource.update(request.id, sealed.values, known)
                self._keep(resource, request.id, props)
                return props

            props = self._struck("Update", request, resource, update)
            return provider_pb2.UpdateResponse(properties=encode(props, secrets))

    def Delete(self, request: provider_pb2.DeleteRequest, context: Context) -> Empty:
        resource, known = self._resource(request, context), decode(request.properties).values
        with self._answering("Delete", request, context):

            def delete() -> None:
                resource.delete(request.id, known)
                self._cloud.store.delete(request.id)

            self._struck("Delete", request, resource, delete)
            return Empty()

    def Invoke(
        self, request: provider_pb2.InvokeRequest, context: Context
    ) -> provider_pb2.InvokeResponse:
        function = self._functions.get(request.tok)
        if function is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"no function {request.tok} here")
        sealed = decode(request.args)
        with self._answering("Invoke", request, context, token=request.tok, inputs=redact(sealed)):
            called = function(Call(self._cloud, self._config(context)))
            result = self._struck("Invoke", request, called, lambda: called.invoke(sealed.values))
            # What comes of a secret is secret.
            secrets: set[Path] = {(name,) for name in result} if sealed.secrets else set()
            response = provider_pb2.InvokeResponse()
            getattr(response, "return").CopyFrom(encode(result, secrets))
            return response

    def _config(self, context: Context) -> Props:
        return self._configs.get(context.peer(), {})

    def _resource(self, request: Any, context: Context) -> Resource:
        token, name = cast("str", request.type), cast("str", request.name)
        if token not in self._resources:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED,
                f"the rehearsal cloud {self._cloud.name} has no {token} yet",
            )
        timeout = float(getattr(request, "timeout", 0) or _DEFAULT_TIMEOUT)
        call = Call(
            self._cloud,
            self._config(context),
            name,
            cast("str", request.urn),
            timeout,
            getattr(request, "id", ""),
        )
        return self._resources[token](call)

    def _within_quota(self, resource: Resource) -> None:
        most = self._cloud.conditions.quotas.get(resource.token)
        if most is not None and len(self._cloud.store.find(resource.token)) >= most:
            raise resource.quota_error(most)

    def _keep(self, resource: Resource, id: str, props: Props) -> None:
        visible_at = time.time() + self._cloud.conditions.lag if self._cloud.conditions.lag else 0
        self._cloud.store.put(id, resource.token, props, visible_at=visible_at)

    def _struck(
        self, method: str, request: Any, target: Any, work: Callable[[], _Result]
    ) -> _Result:
        """Do the work under the cloud's conditions: faults and latency."""
        conditions = self._cloud.conditions
        fault = conditions.strike(method, target.token)
        if method in ("Create", "Update", "Delete"):
            self._cloud.pause(conditions.latency)
        if fault and fault.kind == "error":
            raise CloudError("ServiceUnavailable", fault.message, 503)
        if fault and fault.kind == "timeout":
            self._cloud.pause(target.call.timeout)
            raise DroppedError(grpc.StatusCode.DEADLINE_EXCEEDED, "context deadline exceeded")
        result = work()
        if fault:
            _spoil(fault, result)
        return result

    @contextmanager
    def _answering(
        self,
        method: str,
        request: Any,
        context: Context,
        secrets: Iterable[Path] = (),
        **entry: Any,
    ) -> "Generator[dict[str, Any]]":
        """Log the call, and turn exceptions into errors of the protocol."""
        begun, written = time.monotonic(), entry
        for name in ("urn", "id", "preview"):
            if value := getattr(request, name, None):
                written[name] = value
        written.setdefault("token", getattr(request, "type", ""))
        try:
            yield written
        except NotReadyError as error:
            written["error"] = str(error)
            context.abort_with_status(not_ready(error, secrets))
        except CancelledError as error:
            written["error"] = str(error)
            context.abort(grpc.StatusCode.CANCELLED, str(error))
        except DroppedError as error:
            written["error"] = str(error)
            context.abort(error.code, str(error))
        except CloudError as error:
            written["error"] = f"{error.code}: {error}"
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except (RehearsalError, TimeoutError) as error:
            # This machine's fault, not the cloud's.
            written["error"] = str(error)
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        finally:
            written["seconds"] = round(time.monotonic() - begun, 4)
            self._cloud.journal.write(self._cloud.name, method, **written)


def _secrets(resource: Resource, sealed: Sealed) -> frozenset[Path]:
    return sealed.secrets | {(name,) for name in resource.secret_outputs}


def _spoil(fault: Fault, result: Any) -> NoReturn:
    if fault.kind == "partial" and isinstance(result, tuple):
        id, props = cast("tuple[str, Props]", result)
        raise NotReadyError(id, props, fault.message)
    raise DroppedError(grpc.StatusCode.UNKNOWN, "connection reset by peer while reading the answer")
