"""Licences under which a corpus's videos may not be handed on."""

from __future__ import annotations

import re

_FORBIDDING = re.compile(r"no[ -]redistribution|not be redistributed|all[ -]rights[ -]reserved|panda-?70m|ego4d")
"""Panda-70M (github.com/snap-research/Panda-70M, LICENSE) and Ego4D (ego4d-data.org, licence agreement) by name; others
by the words that say it."""


def forbids_redistribution(license: str) -> bool:
    """Whether a licence, named or in words, rules out that its videos are published again."""
    return _FORBIDDING.search(license.lower()) is not None
