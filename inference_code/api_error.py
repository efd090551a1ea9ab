"""The error that a request is answered with.

Every reason for not answering a request is an `ApiError`: an HTTP status, a stable code for programs and a
message for people which says what is wrong and what to do. Under AWS's inference toolkit a refusal is also
one of the toolkit's own errors, so that it keeps its status there instead of turning into a 500.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from contract.api import error_of

if TYPE_CHECKING:
    Base = Exception
else:
    try:
        # https://github.com/aws/sagemaker-inference-toolkit/blob/master/src/sagemaker_inference/errors.py
        from sagemaker_inference.errors import BaseInferenceToolkitError as Base
    except ImportError:
        Base = Exception


class ApiError(Base):
    """A request that gets no prediction; `code` is in PascalCase."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        # The three arguments are those of the toolkit's error: status, message, reason phrase.
        super().__init__(status.value, message, code)
        self.status = status
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def as_json(self) -> str:
        """The body of the answer."""
        return json.dumps(error_of(self.code, self.message), ensure_ascii=False)
