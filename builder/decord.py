"""The opt-in decoder decord2: the same frames as `video.decode`, through another library.

One thread: with `threads=0` it hangs. It applies rotation itself. The file is opened by `media.open_media` first, which
is what refuses anything but plain containers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from .clip import Frames, Images, Sampling
from .errors import ClipError, Reason, RunError
from .frames import Resizer, moments_at, wanted_times
from .packets import Reader, scan

if TYPE_CHECKING:
    from .video import Decode
