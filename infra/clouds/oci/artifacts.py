"""The buckets of artifacts and backups, which only the server may use."""

from pulumi import Output
from pulumi_oci import identity as oci_identity
from pulumi_oci import objectstorage

from infra.clouds.oci.emptied import EmptiedBucket
from infra.clouds.oci.identity import Identity
from infra.clouds.oci.scope import Scope
from infra.clouds.shared.part import Part
from infra.plan.oci import OciPlan

_KEPT_DAYS, _UPLOAD_DAYS = 14, 7
_ON, _NEVER, _NO_MORE = "Enabled", "Disabled", "Suspended"


class Artifacts(Part):
    """The buckets, and the right to use them.

    ``emptied`` empty them when they go: what writes to them depends on that, and so is gone before.
    """

    def __init__(self, plan: OciPlan, scope: Scope, identity: Identity) -> None:
        super().__init__("oci", "artifacts")
        scope = scope.within(self)
        own = {"artifacts": plan.names.bucket, "backups": plan.names.backup_bucket}
        may = _lifecycle_may(plan, scope)
        self.emptied = [self._make(of, name, plan, scope, may) for of, name in own.items()]
        # It also deletes the backups that are no longer kept.
        named = ", ".join(f"target.bucket.name = '{name}'" for name in own.values())
        identity.allow("manage objects", f"any {{{named}}}")
        identity.allow("read buckets", f"any {{{named}}}")
        self.finish()

    @staticmethod
    def _make(
        of: str, name: str, plan: OciPlan, scope: Scope, may: oci_identity.Policy
    ) -> EmptiedBucket:
        versioning = _versioning(name, plan, scope)
        bucket = objectstorage.Bucket(
            of,
            name=name,
            namespace=scope.namespace,
            access_type="NoPublicAccess",
            storage_tier="Standard",
            versioning=versioning,
            **scope.inside,
            opts=scope.data,
        )
        _lifecycle(of, scope, bucket, versioning, may)
        return EmptiedBucket(
            f"{of}-emptied",
            {
                "namespace": scope.namespace,
                "bucket": bucket.name,
                "keep_data": plan.settings.keep_data,
            },
            scope.kept,
        )


def _versioning(name: str, plan: OciPlan, scope: Scope) -> Output[str]:
    """Whether the bucket keeps what is overwritten or deleted.

    One that ever did can only cease to: OCI takes `Disabled` of a new bucket alone.
    """
    if plan.settings.versioning:
        return Output.from_input(_ON)
    inside, invoke = plan.settings.compartment_id, scope.invoke
    there = objectstorage.get_bucket_summaries_output(
        compartment_id=inside, namespace=scope.namespace, opts=invoke
    )

    def off(found: objectstorage.GetBucketSummariesResult) -> Output[str]:
        if all(bucket.name != name for bucket in found.bucket_summaries):
            return Output.from_input(_NEVER)
        bucket = objectstorage.get_bucket_output(name=name, namespace=scope.namespace, opts=invoke)
        return bucket.versioning.apply(lambda now: now if now == _NEVER else _NO_MORE)

    return there.apply(off)


def _lifecycle_may(plan: OciPlan, scope: Scope) -> oci_identity.Policy:
    """The right of Object Storage itself to follow the buckets' lifecycle rules."""
    service = f"objectstorage-{plan.settings.region}"
    names = (plan.names.bucket, plan.names.backup_bucket)
    return oci_identity.Policy(
        "lifecycle-may",
        compartment_id=plan.settings.compartment_id,
        name=f"{plan.names.identity}-lifecycle",
        description=f"Object Storage's own lifecycle rules in {plan.names.bucket}",
        statements=[
            f"Allow service {service} to manage object-family in compartment id "
            f"{plan.settings.compartment_id} where target.bucket.name = '{name}'"
            for name in names
        ],
        freeform_tags=dict(plan.tags),
        opts=scope.home,
    )


def _lifecycle(
    of: str,
    scope: Scope,
    bucket: objectstorage.Bucket,
    versioning: Output[str],
    may: oci_identity.Policy,
) -> None:
    """What an upload left behind, and versions that nobody wants back any more."""
    unfinished = _rule("unfinished-uploads", "multipart-uploads", "ABORT", _UPLOAD_DAYS)
    old = _rule("old-versions", "previous-object-versions", "DELETE", _KEPT_DAYS)
    objectstorage.ObjectLifecyclePolicy(
        f"{of}-lifecycle",
        bucket=bucket.name,
        namespace=scope.namespace,
        rules=versioning.apply(lambda now: [unfinished, *([] if now == _NEVER else [old])]),
        opts=scope.after(may),
    )


def _rule(
    name: str, target: str, action: str, days: int
) -> objectstorage.ObjectLifecyclePolicyRuleArgs:
    return objectstorage.ObjectLifecyclePolicyRuleArgs(
        name=name,
        target=target,
        action=action,
        is_enabled=True,
        time_amount=str(days),
        time_unit="DAYS",
    )
