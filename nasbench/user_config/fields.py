"""Keys of the configuration file, and what is read from it; only imported where something is configured."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nasbench.errors import InputError, MissingData
from nasbench.protocols.protocol import validated
from nasbench.user_config import DEFAULTS, FILE_VARIABLE, VARIABLES, Setting, config_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class UserConfig(BaseModel):
    """Keys of the configuration file. All can be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    data_folder: str = Field(
        DEFAULTS["data_folder"], min_length=1, description="folder of cifar10, cifar100, imagenet and decoded images"
    )
    devices: str = Field(DEFAULTS["devices"], min_length=1, description="devices of new searches, e.g. cuda:0,cuda:1")
    price: str = Field(
        DEFAULTS["price"],
        description="USD per device-hour of new searches, or a CSV price table; empty: the shipped table",
    )
    verbosity: Literal["quiet", "normal", "verbose", "debug"] = Field(
        DEFAULTS["verbosity"],  # type: ignore[arg-type]
        description="what commands print besides their results",
    )

    @field_validator("devices", mode="before")
    @classmethod
    def _join(cls, value: Any) -> Any:
        """Read a list of devices as their names with commas."""
        names = isinstance(value, list) and all(isinstance(name, str) for name in value)
        return ",".join(value) if names else value

    @field_validator("price", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """Read a number as the option --price has it."""
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def read_settings() -> dict[str, Setting]:
    """Read the configuration file and the variables.

    Returns:
        The values in effect by key; see `user_settings`.

    Raises:
        InputError, MissingData: see `user_settings`.
    """
    path = config_path()
    written = _read(path)
    model = validated(UserConfig, written, f"configuration file {str(path)!r}")
    settings = {}
    for key, variable in VARIABLES.items():
        given = os.environ.get(variable)
        if given:
            value = getattr(validated(UserConfig, {key: given}, f"environment variable {variable}"), key)
            settings[key] = Setting(value, "environment", variable)
        elif key in written:
            settings[key] = Setting(_from_folder(key, getattr(model, key), path.parent), "file", str(path))
        else:
            settings[key] = Setting(getattr(model, key), "default", "")
    return settings


def _read(path: Path) -> dict[str, Any]:
    """Read the file's keys; none if there is no file and none was asked for."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get(FILE_VARIABLE):
            raise MissingData(
                f"{FILE_VARIABLE} names the configuration file {str(path)!r}, which does not exist: create it, or unset "
                f"{FILE_VARIABLE}"
            ) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"configuration file {str(path)!r} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"configuration file {str(path)!r} is not valid TOML: {error}") from None


def _from_folder(key: str, value: str, folder: Path) -> str:
    """Make paths of the file independent of the current folder: they are relative to the file's own."""
    if key == "data_folder" or (key == "price" and value and not _is_number(value)):
        return str(folder.absolute() / Path(value).expanduser())
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
