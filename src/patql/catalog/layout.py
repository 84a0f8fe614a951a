"""Where a folder has a provider's documents: `<provider>/<version>/provider.yaml`, as StackQL's registry lays them out."""

import re
from pathlib import Path

from patql.kernel.errors import Code, PatqlError

DOCUMENT = "provider.yaml"


def find_version(folder: Path) -> Path:
    """The folder of the newest version of the provider that a folder holds.

    Args:
        folder: the one that holds `provider.yaml`, or the one above (a folder for each version), or the one above that,
            where it holds one provider only.

    Raises:
        PatqlError: USAGE where there is no provider, or more than one.
    """
    if (folder / DOCUMENT).is_file():
        return folder.resolve()
    for pattern in (f"*/{DOCUMENT}", f"*/*/{DOCUMENT}"):
        versions = [path.parent for path in folder.glob(pattern) if path.is_file()]
        if not versions:
            continue
        providers = sorted({version.parent.name for version in versions})
        if len(providers) > 1:
            message = f"{folder} holds more than one provider ({', '.join(providers)}): give the folder of one"
            raise PatqlError(Code.USAGE, message)
        return max(versions, key=_age).resolve()
    message = f"{folder} holds no provider document: `<version>/{DOCUMENT}` was expected in it"
    raise PatqlError(Code.USAGE, message)


def _age(version: Path) -> tuple[tuple[int, ...], str]:
    numbers = tuple(int(number) for number in re.findall(r"\d{1,18}", version.name))
    return numbers, version.name
