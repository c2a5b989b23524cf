# SPDX-License-Identifier: PostgreSQL
"""The raw files of a run: everything that a number was computed from."""

import pathlib
import shutil


class Raw:
    """A directory DIR/raw/CONFIG-WORKLOAD."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        """Path of a raw file, made by whoever asks."""
        return self.directory / name

    def write(self, name, text):
        """Write a raw file; returns its path."""
        path = self.path(name)
        path.write_text(text)
        return path

    def append(self, name, text):
        """Add to a raw file."""
        with open(self.path(name), "a", encoding="utf-8") as file:
            file.write(text)

    def keep(self, path):
        """Copy a file of somebody else's, if it exists; returns where to."""
        kept = self.path(path.name)
        if path.exists():
            shutil.copyfile(path, kept)
        return kept

    def write_processes(self, name, processes):
        """What each backend costs, as tab-separated values."""
        rows = [f"{p.pid}\t{p.vmpte_bytes}\t{p.minor_faults}\t{p.rss_bytes}\n"
                for p in processes]
        self.write(name, "pid\tvmpte_bytes\tminor_faults\trss_bytes\n" + "".join(rows))
