"""Buckets; vaults with their keys and secrets."""

from infra.rehearsal.oci.access.policies import lets_service
from infra.rehearsal.oci.ids import NAMESPACE, REGION, ocid
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.values import Props, child, items

_DAYS, _YEARS = "DAYS", "YEARS"


class Bucket(OciResource):
    token = "oci:ObjectStorage/bucket:Bucket"
    kind = "bucket"
    endpoint = "objectstorage"
    service = "Object Storage"
    name_input = "name"
    autoname_separator = "-"

    def identify(self, inputs: Props) -> str:
        return f"n/{inputs['namespace']}/b/{inputs['name']}"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name, namespace = inputs["name"], inputs["namespace"]
        if namespace != NAMESPACE:
            missing = "You do not have authorization to perform this request, or the requested"
            missing += f" resource could not be found: namespace '{namespace}'."
            raise self.refusal("NamespaceNotFound", missing, 404)
        wrong = f"The bucket name '{name}' is invalid: letters, digits, '-', '_' and '.' only."
        checks.named(name, r"[\w.-]*", 1, 256, self.refusal("InvalidBucketName", wrong))
        if inputs.get("accessType", "NoPublicAccess") not in (
            "NoPublicAccess",
            "ObjectRead",
            "ObjectReadWithoutList",
        ):
            kinds = "NoPublicAccess, ObjectRead or ObjectReadWithoutList"
            raise self.refusal("InvalidParameter", f"publicAccessType must be {kinds}.")
        versioning = inputs.get("versioning")
        allowed = ("Enabled", "Suspended") if self.call.id else ("Enabled", "Disabled")
        was = self.store.get(self.call.id) if self.call.id else None
        if versioning not in (None, *allowed) and not (
            was and was.props.get("versioning") == versioning
        ):
            raise self.refusal(
                "InvalidParameter",
                f"unsupported enum value for Versioning: {versioning}. Supported values are: "
                f"{','.join(allowed)}.",
            )
        if key := inputs.get("kmsKeyId"):
            self.referred(key, Key)

    def compute(self, id: str, inputs: Props) -> Props:
        return {**super().compute(id, inputs), "bucketId": ocid("bucket", id)}

    def create(self, inputs: Props) -> tuple[str, Props]:
        made = super().create(inputs)
        if self.emulator:
            self.emulator.objects.buckets.setdefault(inputs["name"], {})
        return made

    def delete(self, id: str, known: Props) -> None:
        if self.emulator and self.emulator.objects.buckets.get(known["name"]):
            message = f"Bucket named '{known['name']}' is not empty. Delete all objects first."
            raise self.refusal("BucketNotEmpty", message, 409)
        if self.emulator:
            self.emulator.objects.buckets.pop(known["name"], None)
        super().delete(id, known)


class GetNamespace(Function):
    token = "oci:ObjectStorage/getNamespace:getNamespace"

    def invoke(self, args: Props) -> Props:
        return {"id": NAMESPACE, "namespace": NAMESPACE}


class GetBucketSummaries(Function):
    token = "oci:ObjectStorage/getBucketSummaries:getBucketSummaries"

    def invoke(self, args: Props) -> Props:
        same = {name: args[name] for name in ("compartmentId", "namespace")}
        found = self.cloud.store.find(Bucket.token, **same)
        return {"id": "buckets", **same, "bucketSummaries": [bucket.props for bucket in found]}


class GetBucket(Function):
    token = "oci:ObjectStorage/getBucket:getBucket"

    def invoke(self, args: Props) -> Props:
        record = self.cloud.store.get(f"n/{args['namespace']}/b/{args['name']}")
        if record is None:
            code = "BucketNotFound"
            raise CloudError(code, f"404-{code}, {args['name']}", 404)
        return {"id": record.id, "versioning": "Disabled", **record.props}


class LifecyclePolicy(OciResource):
    token = "oci:ObjectStorage/objectLifecyclePolicy:ObjectLifecyclePolicy"
    kind = "lifecycle"
    service = "Object Storage"

    def identify(self, inputs: Props) -> str:
        return f"n/{inputs['namespace']}/b/{inputs['bucket']}/l"

    def verify(self, inputs: Props) -> None:
        bucket = self.find(self.identify(inputs).removesuffix("/l"), Bucket.token)
        if bucket is None:
            raise self.not_found()
        service, name = f"objectstorage-{REGION}", inputs["bucket"]
        if not lets_service(self.store, service, bucket.props["compartmentId"], name):
            raise self.refusal(
                "InsufficientServicePermissions",
                f"Permissions granted to the object storage service principal '{service}' to this"
                " bucket are insufficient.",
            )
        for rule in items(inputs, "rules"):
            if rule.get("target") == "previous-object-versions" and (
                bucket.props.get("versioning") not in ("Enabled", "Suspended")
            ):
                raise self.refusal("InvalidParameter", "The bucket keeps no versions.")
            if rule.get("timeUnit") not in (_DAYS, _YEARS):
                raise self.refusal("InvalidParameter", "timeUnit must be DAYS or YEARS.")


class Vault(OciResource):
    token = "oci:Kms/vault:Vault"
    kind = "vault"
    endpoint = "secrets"
    service = "Kms"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        if inputs["vaultType"] not in ("DEFAULT", "VIRTUAL_PRIVATE", "EXTERNAL"):
            wrong = f"Invalid vaultType {inputs['vaultType']}: DEFAULT, VIRTUAL_PRIVATE, EXTERNAL."
            raise self.refusal("InvalidParameter", wrong)

    def compute(self, id: str, inputs: Props) -> Props:
        short = id.rsplit(".", 1)[-1][:13]
        ends = {
            f"{part}Endpoint": f"https://{short}-{part}.kms.eu-frankfurt-1.oraclecloud.com"
            for part in ("management", "crypto")
        }
        return {**super().compute(id, inputs), **ends}


class GetVault(Function):
    token = "oci:Kms/getVault:getVault"

    def invoke(self, args: Props) -> Props:
        record = self.cloud.store.get(args["vaultId"])
        if record is None:
            code = "NotAuthorizedOrNotFound"
            raise CloudError(code, f"404-{code}, {args['vaultId']}", 404)
        return {"id": record.id, "vaultId": record.id, **record.props}


class Key(OciResource):
    token = "oci:Kms/key:Key"
    kind = "key"
    service = "Kms"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        if not self.store.find(Vault.token, managementEndpoint=inputs["managementEndpoint"]):
            raise self.not_found()
        shape = child(inputs, "keyShape")
        if shape.get("algorithm") == "AES" and shape.get("length") not in (16, 24, 32):
            wrong = f"AES key length {shape.get('length')} is invalid: 16, 24 or 32 bytes."
            raise self.refusal("InvalidParameter", wrong)

    def compute(self, id: str, inputs: Props) -> Props:
        found = self.store.find(Vault.token, managementEndpoint=inputs["managementEndpoint"])
        return {**super().compute(id, inputs), "state": "ENABLED", "vaultId": found[0].id}


class Secret(OciResource):
    token = "oci:Vault/secret:Secret"
    kind = "vaultsecret"
    service = "Vault"

    @property
    def _pending(self) -> set[tuple[str, str]]:
        return getattr(self.cloud, "pending", set[tuple[str, str]]())

    def delete(self, id: str, known: Props) -> None:
        super().delete(id, known)
        self._pending.add((known["vaultId"], known["secretName"]))

    def compute(self, id: str, inputs: Props) -> Props:
        known = self.store.get(id)
        was = child(known.props, "secretContent").get("content") if known else None
        number = known.props["currentVersionNumber"] if known else 0
        changed = was != child(inputs, "secretContent").get("content")
        return {**super().compute(id, inputs), "currentVersionNumber": str(int(number) + changed)}

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        self.referred(inputs["vaultId"], Vault)
        if self.referred(inputs["keyId"], Key)["vaultId"] != inputs["vaultId"]:
            raise self.not_found()
        same = {"vaultId": inputs["vaultId"], "secretName": inputs["secretName"]}
        if (inputs["vaultId"], inputs["secretName"]) in self._pending:
            message = f"The secret {inputs['secretName']} is pending deletion."
            raise self.refusal("Conflict", message, 409)
        if any(other.id != self.call.id for other in self.store.find(self.token, **same)):
            taken = f"The secret {inputs['secretName']} already exists in the vault."
            raise self.refusal("Conflict", taken, 409)
