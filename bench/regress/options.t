#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""options.t - the command line: what is accepted, and what is said of the rest."""

import unittest

import tap_unittest
from mshare_bench import cli
from mshare_bench.errors import UsageError

# Command lines that make no sense, and what the one line of complaint must name.
REFUSED = (
    ("--clients x", '--clients: "x"'),
    ("--clients 0", '--clients: "0"'),
    ("--clients -5", "--clients"),
    ("--clients 1e3", '--clients: "1e3"'),
    ("--clients 99999", "to 20000"),
    ("--seconds 1", '--seconds: "1"'),
    ("--shared-buffers 512", '--shared-buffers: "512"'),
    ("--shared-buffers 64MB", "at least 128 MB"),
    ("--configs stock,foo", '"foo"; expected some of stock, mshare'),
    ("--configs stock,stock", "twice"),
    ("--configs=", 'configuration ""'),
    ("--shared-memory-type posix", "posix"),
    ("--vm --native", "not allowed"),
    ("--accel xen", "xen"),
    ("--kernel /nowhere/bzImage", "/nowhere/bzImage"),
    ("--mem lots", '--mem: "lots"'),
    ("--cpus 0", '--cpus: "0"'),
    ("--client 10", "--client"),
    ("--nonsense", "--nonsense"),
    ("word", "word"),
)


class Options(unittest.TestCase):
    """Parsing only; nothing is run."""

    def test_defaults(self):
        """defaults"""
        options = cli.parse([])
        self.assertEqual((options.clients, options.shared_buffers, options.configs,
                          options.native, options.shared_memory_type),
                         (1000, 2 ** 30, ["stock", "mshare"], False, "mmap"))

    def test_quick(self):
        """--quick changes only what is not given"""
        options = cli.parse(["--quick", "--clients", "300"])
        self.assertEqual((options.clients, options.shared_buffers), (300, 2 ** 29))

    def test_given(self):
        """given values"""
        options = cli.parse("--clients 7 --shared-buffers 256MB --configs mshare,stock "
                            "--native --shared-memory-type sysv".split())
        self.assertEqual((options.clients, options.shared_buffers, options.configs,
                          options.native, options.shared_memory_type),
                         (7, 2 ** 28, ["mshare", "stock"], True, "sysv"))

    def test_refused(self):
        """what makes no sense is named in one line"""
        for line, named in REFUSED:
            with self.subTest(line):
                with self.assertRaises(UsageError) as caught:
                    cli.parse(line.split())
                self.assertIn(named, str(caught.exception))
                self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    tap_unittest.main()
