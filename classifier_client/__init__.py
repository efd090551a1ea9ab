"""Asking a deployed classifier from Python: `Client(url, key).classify("dog.jpg").predicted_class`."""

from classifier_client.answers import Answer, Confidence, Explanation
from classifier_client.client import AsyncClient, Client, Outcome
from classifier_client.errors import ApiError, NotAnswered, NotAPicture, Refused
from classifier_client.policy import Patience

__all__ = [
    "Answer",
    "ApiError",
    "AsyncClient",
    "Client",
    "Confidence",
    "Explanation",
    "NotAPicture",
    "NotAnswered",
    "Outcome",
    "Patience",
    "Refused",
]
