"""Which GPUs of this machine a run may use, found without loading torch."""

from __future__ import annotations

import functools
import os
import subprocess


def gpus_to_use(wanted: int | str) -> list[str]:
    """Names for CUDA_VISIBLE_DEVICES: those that it lists already, or all; the first `wanted` of them, or "all"."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        found = [str(number) for number in range(_count())]
    else:
        found = [name.strip() for name in listed.split(",") if name.strip() not in ("", "-1")]
    return found if wanted == "all" else found[: int(wanted)]


@functools.cache
def _count() -> int:
    """GPUs that the NVIDIA driver shows; 0 without one."""
    try:
        shown = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in shown.stdout.splitlines()) if shown.returncode == 0 else 0
