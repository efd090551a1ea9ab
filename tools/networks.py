"""Writes contract/networks.csv: what timm says of each of its networks, for those who have no timm.

`python -m tools.networks`, after timm's version has changed. A test compares the file with the timm there is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final

from contract import networks, timm_models
from contract.networks import BLOCKS, Backbone

_TORCHVISIONS: Final = "bsd-3-clause"


def rows() -> Iterator[Backbone]:
    """Each network, first with the weights that timm takes where nobody says which.

    Our own ResNets stand there with torchvision's weights and transform, and with each of timm's by its tag.
    """
    timm = timm_models.timm()
    generator = sys.modules["timm.models._registry"]
    for name in timm.list_models():
        if name in BLOCKS:
            yield Backbone(name, 224, "bilinear", 0.875, "imagenet", _TORCHVISIONS)
        default = timm.get_pretrained_cfg(name)
        configurations = generator._model_default_cfgs.get(name)
        if default is None or configurations is None:
            yield Backbone(name, 224, "bicubic", 0.875, "imagenet", networks.UNKNOWN)
            continue
        tags = sorted(configurations.cfgs, key=lambda tag: (tag != (default.tag or ""), tag))
        for tag in tags:
            yield _row(f"{name}.{tag}" if tag else name, configurations.cfgs[tag])


def _row(name: str, cfg: Any) -> Backbone:
    colours = next(
        (word for word, each in networks.COLOURS.items() if each == (tuple(cfg.mean), tuple(cfg.std))), None
    )
    if colours is None:
        raise SystemExit(
            f"{name}: mean {cfg.mean} and std {cfg.std} need a word in contract.networks.COLOURS"
        )
    crop = 0.0 if cfg.crop_mode == "squash" else round(float(cfg.crop_pct or 0.875), 4)
    licence = (cfg.license or networks.UNKNOWN).lower()
    return Backbone(name, int(cfg.input_size[-1]), cfg.interpolation, crop, colours, licence)


def main() -> None:
    """Write the table."""
    lines = [",".join(networks.COLUMNS)]
    lines += [
        f"{each.name},{each.size},{each.interpolation},{each.crop:g},{each.colours},{each.licence}"
        for each in rows()
    ]
    networks.TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(
        f"{networks.TABLE.name}: {len(lines) - 1} networks with their weights, of timm {timm_models.VERSION}"
    )


if __name__ == "__main__":
    main()
