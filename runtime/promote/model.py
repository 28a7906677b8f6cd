"""Promote a model version: copy it within one server, or carry it to another one."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from runtime.errors import UserError
from runtime.promote import gates, lineage
from runtime.promote.gates import Facts, Gate, Verdict
from runtime.promote.lineage import Manifest, ModelUri, Version
from runtime.retention.inventory import Client, entered
from runtime.settings import RuntimeSettings

# Where models live that came from another server; prune and gc leave it alone by its tag.
EXPERIMENT = "trackstack-promotions"
_PAGE = 1000


@dataclass(frozen=True)
class Options:
    """What is to be promoted, what to call it there, on which conditions, and who says so."""

    uri: ModelUri
    name: str
    aliases: Sequence[str]
    gates: Sequence[Gate]
    by: str


@dataclass(frozen=True)
class Outcome:
    """What was done, or would be: ``action`` is copy, upload, keep or refuse."""

    action: str
    source: str
    server: str
    name: str
    version: str | None
    digest: str | None
    files: int
    bytes: int
    aliases: list[str]
    gates: list[Verdict]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def find_version(client: Client, uri: ModelUri) -> Version:
    """The version that ``uri`` names; UserError where there is none or it is a prompt."""
    if uri.alias:
        version = client.get_model_version_by_alias(uri.name, uri.alias)
    else:
        version = client.get_model_version(uri.name, uri.version)
    if version.tags.get("mlflow.prompt.is_prompt") == "true":
        raise UserError(f"{uri.name} is a prompt; only models are promoted", 2)
    return version


def facts_of(client: Client, version: Version) -> Facts:
    """The metrics of the version's run and of its logged model (which come first), and its tags."""
    metrics: dict[str, float] = {}
    if version.run_id:
        metrics |= client.get_run(version.run_id).data.metrics
    if version.model_id:
        logged: list[Any] = client.get_logged_model(version.model_id).metrics or []
        metrics |= {metric.key: metric.value for metric in logged}
    return Facts(metrics, version.tags)


def promote(
    source: RuntimeSettings, target: RuntimeSettings, options: Options, dry_run: bool
) -> Outcome:
    """Promote by ``options``; done again it changes nothing, and an interrupted one goes on."""
    with entered(source) as client:
        version = find_version(client, options.uri)
        verdicts = gates.decide(facts_of(client, version), options.gates)
        if not all(verdict.passed for verdict in verdicts):
            return _outcome("refuse", version, target, options, verdicts)
    with tempfile.TemporaryDirectory(prefix="trackstack-promote-") as scratch:
        with entered(source):
            folder = _download(f"models:/{version.name}/{version.version}", Path(scratch) / "model")
        manifest = lineage.manifest_of(folder)
        same_server = source.tracking_uri.rstrip("/") == target.tracking_uri.rstrip("/")
        with entered(target) as client:
            carrier = _Carrier(client, source.tracking_uri, version, options, manifest)
            action, promoted = carrier.plan(same_server)
            if not dry_run:
                promoted = carrier.apply(action, promoted, folder)
            return _outcome(action, version, target, options, verdicts, promoted, manifest)


def _outcome(
    action: str,
    version: Version,
    target: RuntimeSettings,
    options: Options,
    verdicts: list[Verdict],
    promoted: Version | None = None,
    manifest: Manifest | None = None,
) -> Outcome:
    return Outcome(
        action=action,
        source=f"models:/{version.name}/{version.version}",
        server=target.tracking_uri,
        name=options.name,
        version=str(promoted.version) if promoted else None,
        digest=lineage.digest_of(manifest) if manifest else None,
        files=len(manifest or {}),
        bytes=sum(file.size for file in (manifest or {}).values()),
        aliases=list(options.aliases),
        gates=verdicts,
    )


def _download(uri: str, folder: Path) -> Path:
    repository = _repository(uri)
    size = sum(_sizes(repository).values())
    free = shutil.disk_usage(folder.parent).free
    if size >= free:
        raise UserError(
            f"{uri} has {size} bytes, and {folder.parent} only {free} free; "
            "free some, or set TMPDIR to a larger disk"
        )
    folder.mkdir()
    return Path(repository.download_artifacts("", str(folder)))


def _repository(uri: str) -> Any:
    """MLflow's access to the artifacts of a model, which has no types."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(uri)


def _sizes(repository: Any) -> dict[str, int]:
    """Bytes of all files, by their path."""
    sizes: dict[str, int] = {}
    folders: list[str | None] = [None]
    while folders:
        for found in repository.list_artifacts(folders.pop()):
            if found.is_dir:
                folders.append(found.path)
            else:
                sizes[found.path] = found.file_size or 0
    return sizes


@dataclass(frozen=True)
class _Carrier:
    """Takes one version's content into the target's registry."""

    client: Client
    origin: str
    version: Version
    options: Options
    manifest: Manifest

    @property
    def source(self) -> str:
        return f"models:/{self.version.name}/{self.version.version}"

    def plan(self, same_server: bool) -> tuple[str, Version | None]:
        """What is to be done, and the version that is there already."""
        digest = lineage.digest_of(self.manifest)
        # A registered model of another name only: one's own version is no copy of itself.
        found = lineage.find_same(self._versions(), digest, self.source if same_server else None)
        if same_server and self.version.name == self.options.name:
            found = self.version
        if found:
            return "keep", found
        return "copy" if same_server else "upload", None

    def apply(self, action: str, there: Version | None, folder: Path) -> Version:
        """Make the version where it is missing; give it its lineage, then its aliases."""
        if action == "copy":
            there = self.client.copy_model_version(self.source, self.options.name)
        elif action == "upload":
            there = self._upload(folder)
        assert there is not None  # noqa: S101 - plan() names it where nothing is made
        self._tag(there)
        for alias in self.options.aliases:
            self.client.set_registered_model_alias(self.options.name, alias, there.version)
        return there

    def _versions(self) -> Iterator[Version]:
        token: str | None = None
        while True:
            page = self.client.search_model_versions(
                f"name = '{self.options.name}'", max_results=_PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _lineage(self) -> dict[str, str]:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        digest = lineage.digest_of(self.manifest)
        return lineage.tags_of(self.origin, self.version, digest, self.options.by, now)

    def _tag(self, there: Version) -> None:
        """The digest goes last: a version that has it has all the others."""
        digest = lineage.digest_of(self.manifest)
        if there.tags.get(lineage.DIGEST_TAG) == digest or there.name == self.version.name:
            return
        for key, value in sorted(self._lineage().items(), key=lambda t: t[0] == lineage.DIGEST_TAG):
            self.client.set_model_version_tag(there.name, there.version, key, value)

    def _upload(self, folder: Path) -> Version:
        model = self._unfinished() or self.client.create_logged_model(
            self._experiment(),
            name=re.sub(r"[^\w-]", "-", self.options.name),
            tags=self._lineage(),
        )
        self._send(model.model_id, folder)
        self.client.finalize_logged_model(model.model_id, "READY")
        self._register()
        own = {k: v for k, v in self.version.tags.items() if not k.startswith(("mlflow.", "trac"))}
        return self.client.create_model_version(
            self.options.name,
            f"models:/{model.model_id}",
            tags={**own, **self._lineage()},
            description=self.version.description,
            model_id=model.model_id,
        )

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found is None:
            tags = {"trackstack.keep": "true"}
            return self.client.create_experiment(EXPERIMENT, tags=tags)
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def _unfinished(self) -> Any:
        """The logged model that an interrupted promotion of this content began."""
        digest = lineage.digest_of(self.manifest)
        found = self.client.search_logged_models(
            [self._experiment()],
            filter_string=f"tags.`{lineage.DIGEST_TAG}` = '{digest}'",
            max_results=1,
        )
        return found[0] if found else None

    def _send(self, model_id: str, folder: Path) -> None:
        """Send what is missing or differs; read all of it back and compare."""
        for path in self._differing(model_id, folder.parent):
            parent = os.path.dirname(path)  # noqa: PTH120 - an artifact's path, not a file's
            self.client.log_model_artifact(model_id, str(folder / path), parent or None)
        wrong = self._differing(model_id, folder.parent)
        if wrong:
            raise UserError(
                f"{wrong[0]} came back from the target other than it was sent; run it again", 75
            )

    def _differing(self, model_id: str, scratch: Path) -> list[str]:
        repository = _repository(f"models:/{model_id}")
        there = _sizes(repository)
        differing: list[str] = []
        for path, file in self.manifest.items():
            same = there.get(path) == file.size
            if same:
                # One file at a time, so that the disk holds the model once.
                with tempfile.TemporaryDirectory(dir=scratch) as place:
                    back = Path(repository.download_artifacts(path, place))
                    same = lineage.file_of(back) == file
            if not same:
                differing.append(path)
        return differing

    def _register(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(self.options.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
