"""Asking a deployed classifier from Python: `Client(url, key).classify("dog.jpg").predicted_class`."""

from classifier_client.answers import Answer, Confidence, Explanation
from classifier_client.client import AsyncClient, Client
from classifier_client.errors import ApiError, NotAnswered, NotAPicture, Refused

__all__ = [
    "Answer",
    "ApiError",
    "AsyncClient",
    "Client",
    "Confidence",
    "Explanation",
    "NotAPicture",
    "NotAnswered",
    "Refused",
]
