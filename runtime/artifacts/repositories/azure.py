"""MLflow artifacts in Blob storage: MLflow's own repository, which sends large files in parts.

It names them mlflow_block_9 and mlflow_block_10, and Azure takes no blob with names of two lengths:
https://learn.microsoft.com/rest/api/storageservices/put-block#uri-parameters
"""

from base64 import b64encode
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from mlflow.store.artifact.azure_blob_artifact_repo import AzureBlobArtifactRepository

# A blob has at most 50,000 parts.
_NAME = "part-{:05}"


class BlobArtifactRepository(AzureBlobArtifactRepository):
    """MLflow finds it by its entry point for ``wasbs``."""

    def create_multipart_upload(
        self, local_file: str, num_parts: int = 1, artifact_path: str | None = None
    ) -> Any:
        """As MLflow's, with names of one length; at the end it reads them from the URLs."""
        own: Any = super()
        made = own.create_multipart_upload(local_file, num_parts, artifact_path)
        for part in made.credentials:
            part.url = _named(part.url, part.part_number)
        return made


def _named(url: str, number: int) -> str:
    # What is signed is the blob, not the part of it.
    name = b64encode(_NAME.format(number).encode()).decode()
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | {"blockid": name}
    return parts._replace(query=urlencode(query)).geturl()
