"""Lets the pure-torch half of torchvision be imported beside a CPU build of torch.

Its wheel links CUDA, so that its C++ operators never load there; it looks for two of their names, which are given here.
`make test` copies this file into its environment, as vLLM starts processes of its own.
"""

import importlib.abc
import sys


class _Names(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            if torch.version.cuda is None:
                global _library
                _library = torch.library.Library("torchvision", "DEF")
                for operator in ("nms", "qnms"):
                    _library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return


sys.meta_path.insert(0, _Names())
