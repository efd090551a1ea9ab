"""Why there is no answer."""

from __future__ import annotations

from typing import Final

SLEEPING: Final = ("Asleep", "EndpointStarting")
"""Codes of a model that comes by itself, in minutes."""
HOPELESS: Final = ("NoModelYet", "QuotaExceeded", "EndpointFailed")
"""Codes that no waiting helps against."""
_OF_CALLER: Final = (401, 403, 404)
"""Statuses of a key or an address that is not right."""


class ApiError(Exception):
    """The API gave no answer.

    Attributes:
        status: HTTP's; 0 where nothing came back.
        code: the API's name for the reason, which stays (docs/api.md); empty where it gave none.
        message: what is wrong and what to do, for people.
        request_id: finds the request in the deployment's logs; empty where there is none.
    """

    def __init__(self, status: int, code: str, message: str, request_id: str = "") -> None:
        super().__init__(f"{message} ({status} {code})" if code else message)
        self.status, self.code, self.message, self.request_id = status, code, message, request_id

    @property
    def of_all(self) -> bool:
        """Whether any other picture would get the same: the service, its address or the key is the reason."""
        codes = (*SLEEPING, *HOPELESS, "ModelNotReady")
        return self.status == 0 or self.status in _OF_CALLER or self.code in codes


class Refused(ApiError):
    """The request is at fault: asked again it would be refused again."""


class NotAnswered(ApiError):
    """The service did not answer in the time that the client waits."""


class NotAPicture(TypeError):
    """What was given is nothing that the client can send as a picture."""
