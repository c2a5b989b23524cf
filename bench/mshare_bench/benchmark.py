# SPDX-License-Identifier: PostgreSQL
"""All sets of a benchmark, one after the other: here, or each in a guest of its own."""

import json
import shutil
import sys

from . import configs, found, guest, machine, measure, plan, procfs, progress, redirect, report_cli, summary
from .errors import BenchError, UsageError
from .progress import Progress
from .signals import Interrupted, deferred
from .units import GB

_ANSWER = "inner-durations.json"
# What boot leaves to the host.
_HOST_MARGIN = 2 * GB


class Benchmark:
    """What is to be measured, with what, and where results go."""

    def __init__(self, options, places, launcher, command_line, cache):
        self.options = options
        self.places = places
        self.launcher = launcher
        self.command_line = command_line
        self.cache = cache
        self.out = options.out
        self.errors = []
        self.status = 0

    def run(self):
        """Measure all sets; results are written whatever happens.  Returns the exit status."""
        try:
            self._clear()
            for what in self.options.sets:
                if not self._done(what):
                    self._run_set(what)
        except Interrupted as signal:
            self._stopped(f"interrupted by {signal}")
            raise
        except OSError as error:
            self._stopped(f"{error.strerror}: {error.filename or self.out}")
            raise BenchError(f"{error.strerror}: {error.filename or self.out}; what was measured before is "
                             f"in {self.out}") from None
        result = self._write()
        if not self.options.set:
            print(summary.table(result), flush=True)
        return self.status or (1 if result.get("errors") else 0)

    def _stopped(self, why):
        with deferred():
            self.errors.append({"set": "all", "config": "all", "workload": "all", "round": 0, "error": why,
                                "log": ""})
            try:
                self._write()
            except OSError:
                pass                # the disk is full; what the sets have written is still there

    def _states(self):
        """What was found of the sets, in their order."""
        return list(filter(None, (found.load(found.path_of(self.out, what)) for what in self.options.sets)))

    def _write(self):
        result = summary.build(self._states(), self.errors)
        summary.write(self.out, result)
        return result

    def _clear(self):
        """Make the directory for results, without those of an earlier benchmark unless that is resumed."""
        if self.options.resume:
            return self._check_resumed()
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            for name in (summary.NAME, *report_cli.NAMES):
                (self.out / name).unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"--out: {self.out}: {error.strerror}") from None
        shutil.rmtree(self.out / "sets", ignore_errors=True)
        shutil.rmtree(self.out / "raw", ignore_errors=True)
        return None

    def _check_resumed(self):
        if not (self.out / "sets").is_dir():
            raise UsageError(f"--resume: {self.out} holds no benchmark that could be resumed")
        for path in (self.out / "sets").glob("*.json"):
            state = found.load(path)
            mode = state and state["machine"].get("mode")
            if mode and mode != self._mode():
                raise UsageError(f"--resume: {self.out} was measured with --{mode}; figures of the two are never "
                                 f"mixed, use --{mode} or another --out")

    def _mode(self):
        return self.options.mode or ("native" if self.options.native else "vm")

    def _done(self, what):
        """Whether a set is complete; only then is what it has found of one piece, and kept."""
        state = found.load(found.path_of(self.out, what))
        same = state and state["set"] == json.loads(json.dumps({"name": what.name, **what.to_json()}))
        if same and state["complete"] and not state["errors"]:
            print(f"{what.name}: measured already", file=sys.stderr)
            return True
        found.path_of(self.out, what).unlink(missing_ok=True)
        shutil.rmtree(self.out / "raw" / what.name, ignore_errors=True)
        return False

    def _run_set(self, what):
        if self.options.native:
            self._run_here(what, procfs.meminfo("MemAvailable"))
        else:
            self._run_in_guest(what)

    def _found(self, what):
        about = machine.describe(self.places.bindir, command_line=self.command_line, mode=self._mode())
        return found.Found(self.out, what, about)

    def _run_here(self, what, available):
        names, refused = measure.holdable(what, available)
        names = [name for name in names if not self._has_no_msharefs(what, name, refused)]
        state = self._found(what)
        state.add_refused(refused)
        if names:
            steps = Progress(self.options.durations or self.cache, self._scenario(what))
            try:
                measure.Bench(what, names, self.places, steps, self.out, state).run()
            finally:
                steps.save()
        state.complete()

    def _has_no_msharefs(self, what, name, refused):
        if not configs.BY_NAME[name].once or redirect.kernel_has_msharefs():
            return False
        refused.append({"set": what.name, "config": name, "clients": what.clients,
                        "shared_buffers_bytes": what.shared_buffers, "shared_memory_type": what.shared_memory_type,
                        "reason": "this kernel has no msharefs: use --vm"})
        return True

    def _scenario(self, what):
        return f"{machine.acceleration(machine.cpuinfo())} {what.name}"

    def _run_in_guest(self, what):
        most = self.options.mem or min(plan.DEFAULT_GUEST,
                                       (procfs.meminfo("MemAvailable") - _HOST_MARGIN) // GB * GB)
        names, refused = measure.holdable(what, most - plan.GUEST_BYTES)
        if not names:
            state = self._found(what)
            state.add_refused(refused)
            state.complete()
            return
        memory = self.options.mem or plan.guest_memory(what, most)
        guest.check_memory(memory, "fewer --clients or smaller --shared-buffers, or try --quick")
        status = guest.boot(self.options, self.places, memory, self._inner(what))
        self._take_durations()
        state = found.load(found.path_of(self.out, what))
        if status not in (0, 1) or not state or not state["complete"]:
            self._died(what, status)

    def _inner(self, what):
        """The command line that measures the same inside the guest."""
        durations = self.out / _ANSWER
        if self.cache.exists():
            shutil.copyfile(self.cache, durations)
        command = [sys.executable, self.launcher, "--native", "--set", json.dumps(what.to_json()), "--mode", "vm",
                   "--out", self.out, "--pg-bindir", self.places.bindir, "--durations", durations,
                   "--called", self.command_line]
        if self.places.build_dir:
            command += ["--build-dir", self.places.build_dir]
        return command

    def _take_durations(self):
        answer = self.out / _ANSWER
        if answer.exists():
            progress.merge(answer, self.cache)
            answer.unlink()

    def _died(self, what, status):
        """No numbers from a guest with a splat; those before the end from one that died, marked as incomplete."""
        splat = status == guest.SPLAT_STATUS
        path = found.path_of(self.out, what)
        state = found.load(path) or self._found(what).state
        reason = "the kernel log holds a splat" if splat else f"the guest ended with exit status {status}"
        state["errors"].append({"set": what.name, "config": "all", "workload": "all", "round": 0, "error": reason,
                                "log": "kernel.log"})
        state["complete"] = False
        if splat:
            state["runs"] = []
        found.write_json(path, state)
        self.status = status or 1
