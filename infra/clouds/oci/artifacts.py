"""The bucket, which only the container instance may use."""

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
    """The bucket, and the right to use it.

    ``emptied`` empties it when it goes: what writes to it depends on that, and so is gone before.
    """

    def __init__(self, plan: OciPlan, scope: Scope, identity: Identity) -> None:
        super().__init__("oci", "artifacts")
        scope = scope.within(self)
        settings = plan.settings
        versioning = _versioning(plan, scope)
        bucket = objectstorage.Bucket(
            "artifacts",
            name=plan.names.bucket,
            namespace=scope.namespace,
            access_type="NoPublicAccess",
            storage_tier="Standard",
            versioning=versioning,
            **scope.inside,
            opts=scope.data,
        )
        where = f"target.bucket.name = '{plan.names.bucket}'"
        identity.allow("manage objects", where)
        identity.allow("read buckets", where)
        _lifecycle(plan, scope, bucket, versioning)
        self.emptied = EmptiedBucket(
            "artifacts-emptied",
            {
                "namespace": scope.namespace,
                "bucket": bucket.name,
                "keep_data": settings.keep_data,
            },
            scope.kept,
        )
        self.finish()


def _versioning(plan: OciPlan, scope: Scope) -> Output[str]:
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
        if all(bucket.name != plan.names.bucket for bucket in found.bucket_summaries):
            return Output.from_input(_NEVER)
        bucket = objectstorage.get_bucket_output(
            name=plan.names.bucket, namespace=scope.namespace, opts=invoke
        )
        return bucket.versioning.apply(lambda now: now if now == _NEVER else _NO_MORE)

    return there.apply(off)


def _lifecycle(
    plan: OciPlan, scope: Scope, bucket: objectstorage.Bucket, versioning: Output[str]
) -> None:
    """What an upload left behind, and versions that nobody wants back any more."""
    service = f"objectstorage-{plan.settings.region}"
    may = oci_identity.Policy(
        "lifecycle-may",
        compartment_id=plan.settings.compartment_id,
        name=f"{plan.names.identity}-lifecycle",
        description=f"Object Storage's own lifecycle rules in {plan.names.bucket}",
        statements=[
            f"Allow service {service} to manage object-family in compartment id "
            f"{plan.settings.compartment_id} where target.bucket.name = '{plan.names.bucket}'"
        ],
        freeform_tags=dict(plan.tags),
        opts=scope.home,
    )
    unfinished = _rule("unfinished-uploads", "multipart-uploads", "ABORT", _UPLOAD_DAYS)
    old = _rule("old-versions", "previous-object-versions", "DELETE", _KEPT_DAYS)
    objectstorage.ObjectLifecyclePolicy(
        "artifacts-lifecycle",
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
