# SPDX-License-Identifier: PostgreSQL
"""Runs unittest cases and prints TAP, so that they count like all other tests."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))


class _TapResult(unittest.TestResult):
    """A line of TAP for each case."""

    _failed_parts = ()

    def _line(self, outcome, test, detail=""):
        name = test if isinstance(test, str) else test.shortDescription()
        print(f"{outcome} {self.testsRun} - {name}", flush=True)
        for line in detail.splitlines():
            print(f"# {line}")

    def addSuccess(self, test):
        self._line("ok", test)

    def addError(self, test, err):
        super().addError(test, err)
        self._line("not ok", test, self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._line("not ok", test, self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line("ok", f"{test.shortDescription()} # SKIP {reason}")

    def startTest(self, test):
        super().startTest(test)
        self._failed_parts = []

    def addSubTest(self, test, subtest, err):
        """A sub-test that fails, fails its case: one line for all of them, when the case is done."""
        if err:
            super().addSubTest(test, subtest, err)
            self._failed_parts.append(self._exc_info_to_string(err, subtest))

    def stopTest(self, test):
        if self._failed_parts:
            self._line("not ok", test, "\n".join(self._failed_parts))
        super().stopTest(test)


def main(module="__main__"):
    """Run all cases of a module; the exit status tells whether all passed."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[module])
    print(f"1..{suite.countTestCases()}")
    result = _TapResult()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
