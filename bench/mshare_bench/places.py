# SPDX-License-Identifier: PostgreSQL
"""Where the things lie that a benchmark needs: built, or installed."""

import dataclasses
import pathlib
import subprocess

from .errors import UsageError


@dataclasses.dataclass(frozen=True)
class Places:
    """Directories, as the launcher and the options name them.

    bindir has PostgreSQL's programs, bin_dir our own.
    build_dir is that of the tree we run from, or None when we are installed.
    """
    source_dir: pathlib.Path
    build_dir: pathlib.Path | None
    libexec_dir: pathlib.Path
    lib_dir: pathlib.Path
    bin_dir: pathlib.Path
    bindir: pathlib.Path

    def check(self, preload):
        """An error, before anything is done, if something is missing."""
        self.connect_hold()
        self.extension_library()
        self.extension_scripts()
        if preload:
            self.preload_library()

    def connect_hold(self):
        """The helper program that opens connections."""
        return self._first("connect-hold", [
            self._built("bench/connect-hold"), self.libexec_dir / "connect-hold"])

    def storm(self):
        """The program with one object and many processes."""
        return self._first("sga-storm", [self._built("bench/sga-storm"), self.bin_dir / "sga-storm"])

    def preload_library(self):
        """The library that the server is started with."""
        return self._first("libmshare_preload.so", [
            self._built("preload/.libs/libmshare_preload.so"),
            self.lib_dir / "libmshare_preload.so"])

    def extension_library(self):
        """The extension's library."""
        return self._first("pg_mshare.so", [
            self._built("pgext/pg_mshare.so"),
            self._pg_config("--pkglibdir") / "pg_mshare.so"])

    def extension_scripts(self):
        """The SQL scripts of the extension, one after the other: its first version, and each update."""
        scripts = [self._first("pg_mshare--1.0.sql", [
            self.build_dir and self.source_dir / "pgext/pg_mshare--1.0.sql",
            self._pg_config("--sharedir") / "extension/pg_mshare--1.0.sql"])]
        while True:
            version = scripts[-1].stem.rpartition("--")[2]
            update = sorted(scripts[0].parent.glob(f"pg_mshare--{version}--*.sql"))
            if not update:
                return scripts
            scripts.append(update[-1])

    def kernel_script(self, name):
        """One of the scripts that build and boot the kernel."""
        path = self.source_dir / "kernel/scripts" / name
        if not path.exists():
            raise UsageError(f"{path} does not exist: run from the source tree, "
                             "or measure this kernel with --native")
        return path

    def _built(self, name):
        return self.build_dir and self.build_dir / name

    def _pg_config(self, option):
        answer = subprocess.run([self.bindir / "pg_config", option], check=True,
                                stdout=subprocess.PIPE, text=True)
        return pathlib.Path(answer.stdout.strip())

    def _first(self, name, candidates):
        """In a build tree, nothing but what was built there will do."""
        candidates = [path for path in candidates if path]
        if self.build_dir:
            candidates = candidates[:1]
        for path in candidates:
            if path.exists():
                return path.resolve()
        raise UsageError(f"{name} is missing, looked for {candidates[0]}: run make")


def postgres_bindir(given):
    """PostgreSQL's programs: where the user says, else where pg_config says."""
    if given:
        bindir = pathlib.Path(given)
    else:
        try:
            answer = subprocess.run(["pg_config", "--bindir"], check=True,
                                    stdout=subprocess.PIPE, text=True)
        except (OSError, subprocess.CalledProcessError):
            raise UsageError("pg_config is not to be found: install "
                             "postgresql-server-dev-15, or give --pg-bindir") from None
        bindir = pathlib.Path(answer.stdout.strip())
    for name in ("initdb", "pg_ctl", "pgbench", "postgres", "psql"):
        if not (bindir / name).exists():
            raise UsageError(f"{bindir} has no {name}: install postgresql-15 and "
                             "postgresql-contrib, or give --pg-bindir")
    return bindir
