"""The one error that a command shows to its user as a line, not as a stack trace."""

from urllib.parse import urlsplit

# The exit code of work that is done, of which somebody must look at the result: done again it
# would be the same.
ALARM = 3


# Of the SDKs of artifact stores, as their errors' modules begin.
_SDKS = ("azure.", "boto3.", "botocore.", "oci.")
_LONGEST_WORD = 300


class UserError(Exception):
    """A mistake or a state that the user can put right; the message says how.

    The command line prints the message on stderr and exits with ``exit_code``:
    2 for wrong input, 1 for work that failed, 75 (EX_TEMPFAIL of sysexits.h) for
    something that may pass by itself, such as a server that is not up yet.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    @classmethod
    def of_extra(cls, what: str, extra: str) -> "UserError":
        """``what`` needs one of pyproject.toml's optional dependencies."""
        return cls(
            f"{what} needs the extra `{extra}`, which is not installed: build the image with "
            f"--build-arg EXTRAS=postgresql,mysql,oidc,{extra}; outside of an image, in a clone of "
            f"Trackstack, pip install '.[{extra}]'",
            2,
        )


def of_artifact_store(error: Exception) -> UserError | None:
    """What an artifact store that cannot be used says by its SDK, as a line for its user; None for
    any other error. Pure.
    """
    if not type(error).__module__.startswith(_SDKS):
        return None
    said = str(getattr(error, "message", None) or error).strip().splitlines()
    word = said[0][:_LONGEST_WORD] if said else type(error).__name__
    cure = _of_blobs(error) or "see its URI, and the login to it"
    return UserError(f"the artifact store cannot be used: {word}; {cure}", 75)


def _of_blobs(error: Exception) -> str:
    """What to do where Azure refuses a login at its blobs; empty where that is not it.

    https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory
    """
    code = getattr(error, "error_code", "")
    if code == "AuthorizationFailure":
        return "its account does not let this network in; with private: true, its own alone"
    request = getattr(getattr(error, "response", None), "request", None)
    if code != "AuthorizationPermissionMismatch" or request is None:
        return ""
    where = urlsplit(str(request.url))
    account, container = str(where.hostname).partition(".")[0], where.path.split("/")[1]
    role = "Reader" if request.method in ("GET", "HEAD") else "Contributor"
    return (
        "neither Owner nor Contributor may read or write blobs: have an owner run, in its "
        "subscription (az account set): az role assignment create "
        f"--assignee LOGIN --role 'Storage Blob Data {role}' --scope "
        f'"$(az storage account show --name {account} --query id --output tsv)'
        f'/blobServices/default/containers/{container}", and wait some minutes'
    )


def for_user(error: Exception) -> UserError:
    """An error as lines for its user; raises it again where it is not the user's to put right."""
    told = error if isinstance(error, UserError) else of_artifact_store(error)
    if told is None:
        raise error
    return told
