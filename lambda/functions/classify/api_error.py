"""Every answer of the API that is not 200 for what the endpoint says or for its absence."""

from __future__ import annotations

from functions.common.rest import ApiError


def no_model_yet() -> ApiError:
    """Nothing was promoted so far."""
    return ApiError(
        503,
        "NoModelYet",
        "No model is serving yet. Upload pictures (classifier upload DIR) and start a search (classifier "
        "tune): the best model comes here by itself; classifier status --watch shows how far it is.",
    )


def starting() -> ApiError:
    """There is an endpoint, but it does not answer yet."""
    text = "The model is being brought up, which takes some minutes. Try again soon."
    return ApiError(503, "EndpointStarting", text, 30)


def waking() -> ApiError:
    """Nobody had asked for a while, so the model's last instance was given up."""
    text = "The model was asleep and is being woken, which takes some minutes. Send the picture again then."
    return ApiError(503, "Asleep", text, 60)


def asleep(*, waking: bool) -> ApiError:
    """The endpoint was taken away while nobody asked; a picture wakes it, a look at the model does not."""
    text = "The model sleeps to cost nothing"
    if waking:
        return ApiError(503, "Asleep", f"{text}. It is waking up now, which takes minutes; try again.", 30)
    return ApiError(503, "Asleep", f"{text}. Classify a picture, or run classifier wake, to wake it.", 60)


def busy() -> ApiError:
    """The endpoint is there and has no room, or is just being replaced."""
    return ApiError(503, "Overloaded", "The model is busy or being replaced. Try again in a moment.", 2)


def broken() -> ApiError:
    """The model server failed in a way that says nothing about the picture."""
    return ApiError(
        503, "ModelFailed", "The model server failed on this request; its log says why. Try again.", 5
    )


def timeout() -> ApiError:
    """The model took too long."""
    return ApiError(
        504, "ModelTimeout", "The model did not answer in time. Try again or send a smaller picture.", 5
    )


def slow_down() -> ApiError:
    """SageMaker's own limit on requests."""
    return ApiError(429, "TooManyRequests", "Too many requests at once. Wait a second and try again.", 1)
