"""What binds a sign-in to the computer that began it, as PKCE has it (S256).

https://www.rfc-editor.org/rfc/rfc7636#section-4.2
"""

import base64
import hashlib


def challenge_of(verifier: str) -> str:
    """The challenge of a verifier: 43 URL-safe characters."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
