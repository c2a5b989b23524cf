# SPDX-License-Identifier: PostgreSQL
"""What the measurement of a set has found so far, in a file that is always whole.

DIR/sets/NAME.json is written anew after each run, so that an interrupt, a full
disk or a guest that dies costs what was under way and nothing else.  In a guest
it is also handed out at once, with the raw files, since the guest's own memory
goes with it.
"""

import contextlib
import json
import os
import pathlib
import shutil

# What kernel/scripts/boot tells the command in a guest: the folder that is on the host.
_HANDED_OUT = "MSHARE_GUEST_OUT"


def write_json(path, found):
    """Write a file; never a half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_text(json.dumps(found, indent=2) + "\n")
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def path_of(out, what):
    """The file of a set."""
    return out / "sets" / f"{what.name}.json"


def load(path):
    """What was found, or None if there is no such file, or none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text())
    return None


class Found:
    """The runs, errors and refusals of a set."""

    def __init__(self, out, what, machine):
        self.out = pathlib.Path(out)
        self.path = path_of(self.out, what)
        (self.out / "raw").mkdir(parents=True, exist_ok=True)
        self.state = {"set": {"name": what.name, **what.to_json()}, "complete": False, "machine": machine,
                      "runs": [], "errors": [], "refused": []}
        self.write()

    def write(self):
        """Write the file, and hand it out."""
        write_json(self.path, self.state)
        outside = os.environ.get(_HANDED_OUT)
        if outside:
            target = pathlib.Path(outside)
            shutil.copytree(self.out / "raw", target / "raw", dirs_exist_ok=True)
            write_json(target / self.path.relative_to(self.out), self.state)

    def run(self, run):
        """A measured run."""
        self.state["runs"].append(run)
        self.write()

    def drop(self, what, config, number):
        """The runs of a configuration in a round are worth nothing."""
        self.state["runs"] = [run for run in self.state["runs"]
                              if (run["set"], run["config"], run["round"]) != (what.name, config, number)]

    def error(self, what, config, workload, number, message, log):
        """A run that could not be measured."""
        if log and pathlib.Path(log).is_relative_to(self.out):
            log = pathlib.Path(log).relative_to(self.out)
        self.state["errors"].append({"set": what.name, "config": config, "workload": workload, "round": number,
                                     "error": message, "log": str(log)})
        self.write()

    def refuse(self, what, config, number, reason):
        """A configuration that the machine cannot be set to: said once."""
        row = {"set": what.name, "config": config, "clients": what.clients,
               "shared_buffers_bytes": what.shared_buffers, "shared_memory_type": what.shared_memory_type,
               "reason": reason}
        if number == 1:
            self.state["refused"].append(row)
            self.write()

    def add_refused(self, rows):
        """Refusals by arithmetic."""
        self.state["refused"] += rows
        self.write()

    def complete(self):
        """All has been done that was to be done."""
        self.state["complete"] = True
        self.write()
