#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""options.t - the command line: what is accepted, and what is said of the rest."""

import json
import pathlib
import tempfile
import unittest

import tap_unittest
from mshare_bench import cli, matrix
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
    ("--configs stock,foo", '"foo"; expected some of stock, hugetlb'),
    ("--configs stock,stock", "twice"),
    ("--configs=", 'configuration ""'),
    ("--shared-memory-type posix", "posix"),
    ("--workloads touch-all,foo", '"foo"; expected some of touch-all'),
    ("--workloads tpcb,tpcb", "twice"),
    ("--clients 10,10", "twice"),
    ("--clients 10,x", '"x"'),
    ("--rounds 0", '--rounds: "0"'),
    ("--matrix nowhere", 'no matrix "nowhere"; expected a file, or one of default'),
    ("--quick --matrix smoke", "--quick"),
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
        """the default matrix"""
        options = cli.parse([])
        self.assertEqual([(s.clients, s.shared_buffers, s.configs, s.shared_memory_type) for s in options.sets],
                         [(1000, 2 ** 30, ("stock", "mshare"), "mmap")])
        self.assertFalse(options.native)

    def test_quick(self):
        """--quick changes only what is not given"""
        only, = cli.parse(["--quick", "--clients", "300"]).sets
        self.assertEqual((only.clients, only.shared_buffers), (300, 2 ** 29))

    def test_given(self):
        """every combination of what is given is a set, with a name of its own"""
        options = cli.parse("--clients 7,9 --shared-buffers 256MB,1GB --configs mshare,stock "
                            "--native --shared-memory-type sysv,mmap --rounds 4 --workloads churn".split())
        self.assertEqual([s.name for s in options.sets],
                         ["sysv-7-256MB", "sysv-9-256MB", "mmap-7-256MB", "mmap-9-256MB",
                          "sysv-7-1GB", "sysv-9-1GB", "mmap-7-1GB", "mmap-9-1GB"])
        first = options.sets[0]
        self.assertEqual((first.configs, first.workloads, first.rounds, options.native),
                         (("mshare", "stock"), ("churn",), 4, True))

    def test_matrices(self):
        """every matrix can be read, and a set survives its way into the guest"""
        self.assertEqual(matrix.names(), ["default", "full", "quick", "scale", "smoke"])
        for name in matrix.names():
            for one in cli.parse(["--matrix", name]).sets:
                self.assertEqual(matrix.from_json(json.loads(json.dumps(one.to_json()))), one)
        self.assertEqual(len(cli.parse(["--matrix", "full"]).sets), 24)

    def test_bad_matrix(self):
        """a matrix that is wrong is named, with what is wrong in it"""
        for text, named in (("clients = [1", "matrix.toml"), ('client = [1]', '"client" means nothing'),
                            ("clients = [0]", '"0"'), ('configs = ["stock"]', "does not say")):
            with self.subTest(text), tempfile.TemporaryDirectory() as name:
                path = pathlib.Path(name) / "matrix.toml"
                path.write_text(text)
                with self.assertRaises(UsageError) as caught:
                    cli.parse(["--matrix", str(path), *(["--configs", "stock", "--shared-memory-type", "mmap",
                                "--shared-buffers", "1GB", "--workloads", "churn", "--seconds", "5", "--rounds", "1"]
                               if "clients" in text else [])])
                self.assertIn(named, str(caught.exception))

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
