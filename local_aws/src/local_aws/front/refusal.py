"""Why a request is turned away: AWS's own code, and a sentence for people."""

from __future__ import annotations


class Refused(Exception):
    """The request goes no further."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def incomplete(message: str) -> Refused:
    """A signature of which something is missing or said twice."""
    return Refused("IncompleteSignature", message)


def mismatch() -> Refused:
    """A signature that another secret, or another request, has made."""
    return Refused(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method.",
    )
