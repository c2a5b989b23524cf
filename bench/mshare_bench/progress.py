# SPDX-License-Identifier: PostgreSQL
"""Tells what is being done, and how long it took the last time."""

import contextlib
import json
import pathlib
import sys
import time


class Progress:
    """Prints a line for each step; remembers durations in a file.

    Durations are kept by scenario (a machine, a number of clients, ...),
    because those of one say nothing of another.
    """

    def __init__(self, path, scenario, stream=sys.stderr):
        self.path = pathlib.Path(path)
        self.scenario = scenario
        self.stream = stream
        self.start = time.monotonic()
        self.known = _load(self.path)

    def expected(self, step):
        """Seconds that the step took the last time, or None."""
        return self.known.get(self.scenario, {}).get(step)

    def say(self, text):
        """A line with the time since the start before it."""
        elapsed = time.monotonic() - self.start
        print(f"[{elapsed:6.1f} s] {text}", file=self.stream, flush=True)

    @contextlib.contextmanager
    def step(self, name):
        """Announce a step, and record its duration unless it fails."""
        seconds = self.expected(name)
        hint = f" (last time {seconds:.0f} s)" if seconds is not None else ""
        self.say(f"{name} ...{hint}")
        start = time.monotonic()
        yield
        took = time.monotonic() - start
        self.known.setdefault(self.scenario, {})[name] = round(took, 1)
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
