"""Which bodies are taken, by their size and by what their sender calls them."""

from __future__ import annotations

from http import HTTPStatus

from contract.api import RAW_BYTES
from inference_code.api_error import ApiError
from inference_code.environment import whole

# 6 MiB is what SageMaker's InvokeEndpoint safely carries.
MAX_IMAGE_BYTES = whole("MAX_IMAGE_BYTES", 6 * 1024 * 1024, 1, 100 * 1024 * 1024)


def check_size(size: int, *, whole: bool = True) -> None:
    """Whether a body of so many bytes is taken, or one that is not `whole` yet and has so many by now.

    Raises:
        ApiError: 413 PayloadTooLarge.
    """
    if size <= MAX_IMAGE_BYTES:
        return
    what = f"The body has {size:,} bytes" if whole else "The body is too large"
    raise ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "PayloadTooLarge",
        f"{what}; at most {MAX_IMAGE_BYTES:,} bytes are taken. Scale the picture down: "
        "a few hundred pixels per side are enough.",
    )


def check_content_type(content_type: str | None) -> None:
    """Whether a body that says it is of this type is taken; one that says nothing is.

    Raises:
        ApiError: 415 UnsupportedMediaType.
    """
    kind = (content_type or RAW_BYTES[-1]).partition(";")[0].strip().lower()
    if kind.startswith("image/") or kind in RAW_BYTES:
        return
    hint = " Not as a form: curl needs --data-binary and this header." if "form" in kind else ""
    raise ApiError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedMediaType",
        f"The content type {kind!r} is not taken. Send the bytes of the picture with Content-Type "
        f"image/jpeg, image/* or application/octet-stream.{hint}",
    )
