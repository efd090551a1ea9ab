"""What course projects and tutorials deploy: torchvision's network in eager PyTorch, on a decoded picture."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision import transforms
from torchvision.models import get_model


class Plain:
    """A model folder of ours (weights as `state_dict.pt`), served the usual way.

    Args:
        folder: with state_dict.pt, classes.json and model.json.
    """

    def __init__(self, folder: str) -> None:
        model = json.loads((Path(folder) / "model.json").read_text())
        self._classes = json.loads((Path(folder) / "classes.json").read_text())
        self._network = get_model(model["arch"], weights=None, num_classes=len(self._classes))
        self._network.load_state_dict(torch.load(Path(folder) / "state_dict.pt", weights_only=True))
        self._network.eval()
        transform = model["transform"]
        self._transform = transforms.Compose(
            [
                transforms.Resize(transform["resize"]),
                transforms.CenterCrop(transform["crop"]),
                transforms.ToTensor(),
                transforms.Normalize(transform["mean"], transform["std"]),
            ]
        )

    def answer(self, body: bytes) -> dict[str, Any]:
        """The classes of the picture in these bytes, most probable first."""
        picture = Image.open(io.BytesIO(body)).convert("RGB")
        with torch.inference_mode():
            shares = self._network(self._transform(picture)[None]).softmax(1)[0]
        best = shares.argsort(descending=True)[:5].tolist()
        predictions = [{"class": self._classes[i], "confidence": float(shares[i])} for i in best]
        return {"predicted_class": predictions[0]["class"], "predictions": predictions}
