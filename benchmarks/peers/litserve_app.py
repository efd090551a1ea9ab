"""LitServe: one API class. It takes pictures as form files; a raw body it would read as JSON.

No postponed annotations here: it looks at the type of `request` itself.
"""

import sys
from typing import Any

import litserve as ls
from fastapi import Request
from plain import Plain


class Api(ls.LitAPI):
    """setup once per worker, then decode, predict, encode."""

    def setup(self, device: str) -> None:
        self._model = Plain(sys.argv[1])

    def decode_request(self, request: Request) -> bytes:
        return request["image"].file.read()

    def predict(self, body: bytes) -> dict[str, Any]:
        return self._model.answer(body)

    def encode_response(self, answer: dict[str, Any]) -> dict[str, Any]:
        return answer


if __name__ == "__main__":
    ls.LitServer(Api(api_path="/classify"), accelerator="cpu").run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False
    )
