# SPDX-License-Identifier: PostgreSQL
"""Library and extension where the server's user can read them, not installed."""

import shutil


class Staged:
    """Copies in a directory of the server's, and the extension's objects in SQL.

    The build tree may lie below a home directory that only its owner may enter.
    """

    def __init__(self, places, directory, preload):
        self.preload = None
        if preload:
            self.preload = _copy(places.preload_library(),
                                 directory / "libmshare_preload.so")
        extension = _copy(places.extension_library(), directory / "pg_mshare.so")
        self.script = "\n".join(_without_extension(script.read_text(), str(extension))
                                for script in places.extension_scripts())


def _copy(source, target):
    shutil.copyfile(source, target)
    target.chmod(0o755)
    return target


def _without_extension(script, library):
    """CREATE EXTENSION needs an installed one; psql runs its script as well."""
    lines = [line for line in script.splitlines() if not line.startswith("\\echo")]
    return "\n".join(lines).replace("MODULE_PATHNAME", library)
