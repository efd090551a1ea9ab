"""timm's models without what timm has besides: loaders and augmentations, which import torchvision.

Two rooms build networks by timm, in a job's and a server's first seconds. All of `timm` takes 4 to 6 s to
import, nearly all of it for torchvision, which neither image has, and for PyTorch's compiler; this takes one.
"""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

VERSION: Final = "1.0.31"
"""Of timm, that `networks.csv` was made of."""

_DATA: Final = "timm.data"
_VISION: Final = ("torchvision", "torchvision.ops", "torchvision.ops.misc")


class FrozenBatchNorm2d:
    """Stands for torchvision's, which timm compares layers with; none of its models has one."""


def timm() -> Any:
    """The package `timm`, with its models and nothing of its data loading.

    Raises:
        ImportError: it is not installed.
    """
    if "timm" in sys.modules:
        return sys.modules["timm"]
    spec = importlib.util.find_spec("timm")  # looks where it is, and runs nothing of it
    if spec is None or spec.origin is None:
        raise ImportError("timm is not installed")
    data = ModuleType(_DATA)
    folder = Path(spec.origin).parent / "data"
    data.__path__ = [str(folder)]
    data.__dict__.update(_constants(folder / "constants.py"))
    vision = {name: ModuleType(name) for name in _VISION}
    vision["torchvision.ops.misc"].__dict__["FrozenBatchNorm2d"] = FrozenBatchNorm2d
    stand_ins = {_DATA: data, **({} if "torchvision" in sys.modules else vision)}
    compiler: Any = importlib.import_module("torch.compiler")
    mark = compiler.disable
    sys.modules.update(stand_ins)
    try:
        # One family marks functions that the compiler is to leave alone, and the mark imports the compiler.
        compiler.disable = _as_it_is
        return importlib.import_module("timm")
    finally:  # whoever wants the real ones gets them
        compiler.disable = mark
        for name in stand_ins:
            sys.modules.pop(name, None)


def _as_it_is(function: Any) -> Any:
    return function


def _constants(path: Path) -> dict[str, Any]:
    """The means and standard deviations that models are described with."""
    return {name: value for name, value in runpy.run_path(str(path)).items() if name.isupper()}
