# SPDX-License-Identifier: PostgreSQL
"""Tells what is being done, and how long it took the last time."""

import contextlib
import json
import pathlib
import sys
import time


# What the steps took elsewhere, for whoever has not run them yet.
_TYPICAL = pathlib.Path(__file__).with_name("durations.json")


class Progress:
    """Prints a line for each step; remembers durations in a file.

    Durations are kept by scenario (a machine, a number of clients, ...),
    because those of one say nothing of another.
    """

    def __init__(self, path, scenario, stream=sys.stderr):
        self.path = pathlib.Path(path)
        self.scenario = scenario
        self.part = ""
        self.stream = stream
        self.start = time.monotonic()
        self.known = _load(self.path)
        self.typical = _load(_TYPICAL)

    def _hint(self, step):
        """How long the step will take, as far as anybody knows."""
        for known, words in ((self.known, "last time"), (self.typical, "about")):
            seconds = known.get(self.scenario, {}).get(self.part + step)
            if seconds is not None:
                return f" ({words} {seconds:.0f} s)"
        return ""

    def say(self, text):
        """A line with the time since the start before it."""
        elapsed = time.monotonic() - self.start
        print(f"[{elapsed:6.1f} s] {text}", file=self.stream, flush=True)

    @contextlib.contextmanager
    def within(self, part):
        """The steps inside are those of a part, and take their own time."""
        with self.step(part):
            outer, self.part = self.part, f"{self.part}{part}: "
            try:
                yield
            finally:
                self.part = outer

    @contextlib.contextmanager
    def step(self, name):
        """Announce a step, and record its duration unless it fails."""
        self.say(f"{name} ...{self._hint(name)}")
        part, start = self.part, time.monotonic()
        yield
        took = time.monotonic() - start
        self.known.setdefault(self.scenario, {})[part + name] = round(took, 1)
        self.say(f"{name}: {took:.1f} s")

    def save(self):
        """Write the durations; that they are lost is no reason to fail."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.known, indent=1))


def _load(path):
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(path.read_text())
        if isinstance(known, dict):
            return known
    return {}


def merge(source, target):
    """Add the durations of one file, from a guest, to those of another."""
    progress = Progress(target, "")
    for scenario, steps in _load(pathlib.Path(source)).items():
        progress.known.setdefault(scenario, {}).update(steps)
    progress.save()
