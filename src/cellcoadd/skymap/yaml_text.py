"""YAML that people write, read so that whatever is wrong with it is an error that says so."""

from __future__ import annotations

__all__ = ["read_yaml"]

from typing import Any

import yaml

from ..errors import SkyMapError

_MOST_DIGITS = 40  # whoever writes more has slipped; Python refuses to print 4,300 of them


def read_yaml(text: str) -> Any:
    """Return what YAML says: mappings, lists, texts, numbers.

    Parameters
    ----------
    text
        The YAML.

    Raises
    ------
    SkyMapError
        If it is not YAML, is nested too deeply, or holds a number of endless digits.
    """
    try:
        content = yaml.safe_load(text)
        _check_numbers(content)
    except RecursionError as error:
        raise SkyMapError("is nested too deeply to be a definition.") from error
    except (yaml.YAMLError, ValueError) as error:  # the latter of dates and numbers
        raise SkyMapError(f"is not YAML: {' '.join(str(error).split())}") from error
    return content


def _check_numbers(content: Any) -> None:
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        for each in content:
            _check_numbers(each)
    elif isinstance(content, int) and abs(content) >= 10**_MOST_DIGITS:
        raise SkyMapError(f"holds a number of more than {_MOST_DIGITS} digits.")
