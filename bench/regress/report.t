#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""report.t - the report of a stored benchmark: page, Markdown, charts, comparison.

report/ holds a real benchmark (mshare-bench --matrix smoke in a guest) to whose summary a refusal and an error
were added, and what must come of it: report.md, page.html (without what gnuplot drew, which differs between its
versions) and charts.gnuplot. With REGENERATE=1 in the environment they are written anew, to be read before commit.
"""

import html.parser
import json
import os
import pathlib
import re
import shutil
import tempfile
import unittest
import xml.etree.ElementTree

import tap_unittest
from mshare_bench import charts, configs, report, report_cli, report_text, schema
from mshare_bench.errors import UsageError

STORED = tap_unittest.HERE / "report"
_SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


class _Page(html.parser.HTMLParser):
    """What a page refers to, and whether its elements are closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.cells = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


class Golden(unittest.TestCase):
    """What is made of the stored benchmark, to the letter."""

    def setUp(self):
        self.results = report.Results(STORED)

    def golden(self, name, text):
        """Compare with a stored file."""
        if os.environ.get("REGENERATE"):
            (STORED / name).write_text(text)
        self.assertEqual(text.splitlines(), (STORED / name).read_text().splitlines())

    def test_summary(self):
        """the stored summary is what its schema says"""
        self.assertEqual(schema.problems(self.results.summary), [])

    def test_markdown(self):
        """report.md"""
        self.golden("report.md", report_text.markdown(self.results))

    def test_page(self):
        """report.html, without the charts"""
        self.golden("page.html", _SVG.sub("<svg/>", report_text.page(self.results)))

    def test_charts(self):
        """what gnuplot is told to draw"""
        self.golden("charts.gnuplot", "".join(f"# {c['title']}\n{c['script']}\n" for c in
                                              report.chart_list(self.results)))


class Extension(unittest.TestCase):
    """What pg_mshare_savings said, where a run has it."""

    def test_table(self):
        """a row for each touch-all that has it, and none for those of schema 2"""
        results = report.Results(STORED)
        self.assertEqual(report.extension_table(results)[2], [])
        results.of("mshare", "touch-all", {"name": "mmap-40-128MB"})[0]["extension"] = {
            "processes": 46, "page_tables_private_bytes": 5 * 2 ** 20, "page_tables_shared_bytes": 299008,
            "page_tables_bytes": 5 * 2 ** 20 + 299008, "unshared_worst_bytes": 18 * 2 ** 20,
            "unshared_measured_bytes": None, "saved_bytes": 13 * 2 ** 20, "ratio": 3.418}
        _, head, rows = report.extension_table(results)
        self.assertEqual(rows, [["mmap-40-128MB", "mshare", "46", "5.00 MB", "292 kB", "18.0 MB", "13.0 MB", "3.4"]])
        self.assertEqual(len(head), len(rows[0]))
        self.assertIn("| mmap-40-128MB | mshare | 46 |", report_text.markdown(results))


class Stored(unittest.TestCase):
    """The results that are kept with the sources."""

    def test_reports(self):
        """each stored report is what is made of the data beside it"""
        made = 0
        for path in (tap_unittest.HERE.parent / "results").glob("*/report.md"):
            results = report.Results(path.parent)
            self.assertEqual(schema.problems(results.summary), [])
            self.assertEqual(report_text.markdown(results).splitlines(), path.read_text().splitlines())
            page = path.with_suffix(".html").read_text()
            self.assertEqual(_SVG.sub("<svg/>", report_text.page(results)), _SVG.sub("<svg/>", page))
            made += 1
        self.assertGreater(made, 0)

    def test_raw_files(self):
        """every number can be traced: the folders that runs name are there"""
        for path in (tap_unittest.HERE.parent / "results").glob("*/report.md"):
            for run in report.Results(path.parent).runs:
                self.assertTrue(any((path.parent / run["raw"]).iterdir()), run["raw"])


class Page(unittest.TestCase):
    """What must be so of every page."""

    @classmethod
    def setUpClass(cls):
        cls.results = report.Results(STORED)
        cls.text = report_text.page(cls.results)
        cls.page = _Page(cls.text)

    def test_self_contained(self):
        """nothing comes from elsewhere, every element is closed"""
        self.assertEqual([link for link in self.page.links if not link.startswith("#")], [])
        self.assertNotRegex(self.text, r"@import|url\((?!['\"]?#)|https?://(?!www\.w3\.org)")
        self.assertEqual(self.page.open, [])

    def test_escaped(self):
        """text of logs is text"""
        self.assertIn("a &lt;backend&gt; died &amp; left", self.text)

    def test_charts_are_drawn(self):
        """all charts are there as SVG, in the page's colours"""
        drawn = _SVG.findall(self.text)
        self.assertEqual(len(drawn), 7)
        ids = []
        for svg in drawn:
            ids += [e.get("id") for e in xml.etree.ElementTree.fromstring(svg).iter() if e.get("id")]
            for name in ("stock", "mshare"):
                self.assertIn(f"var({charts.colour(name)})", svg)
            self.assertNotRegex(svg, r"rgb\(\s*1,\s*2,")
        self.assertEqual(len(ids), len(set(ids)))

    def test_colours(self):
        """every configuration has a colour, light and dark"""
        for name in configs.NAMES:
            self.assertEqual(len(re.findall(rf"{charts.colour(name)}: #", self.text)), 2)

    def test_every_number_has_its_raw_files(self):
        """every run's row names the folder of its raw files"""
        for run in self.results.runs:
            self.assertIn(run["raw"], self.page.cells)


class Commands(unittest.TestCase):
    """mshare-bench report."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.top = pathlib.Path(self.directory.name)
        self.one = self.top / "one"
        shutil.copytree(STORED, self.one)

    def test_from_stored_data_alone(self):
        """a report is made anew from the folder; twice the same"""
        self.assertEqual(report_cli.main([str(self.one)]), 0)
        first = (self.one / "report.html").read_text()
        report_cli.main([str(self.one)])
        self.assertEqual((self.one / "report.html").read_text(), first)
        self.assertEqual((self.one / "report.md").read_text(), (STORED / "report.md").read_text())

    def test_comparison(self):
        """several are compared; those of guests and of machines stand apart"""
        shutil.copytree(STORED, self.top / "two")
        found = json.loads((self.top / "two/summary.json").read_text())
        found["machine"]["mode"] = "native"
        (self.top / "two/summary.json").write_text(json.dumps(found))
        report_cli.main([str(self.one), str(self.top / "two"), "--out", str(self.top)])
        text = (self.top / "comparison.md").read_text()
        guests, natives = text.split("### Measured natively")
        self.assertIn("### Measured in guests", guests)
        self.assertIn("| one | mmap-40-128MB | stock |", guests)
        self.assertNotIn("| two |", guests)
        self.assertIn("| two | mmap-40-128MB | mshare |", natives)
        self.assertEqual(_Page((self.top / "comparison.html").read_text()).open, [])

    def test_without_samples(self):
        """raw files that are not there cost their chart only"""
        shutil.rmtree(self.one / "raw")
        self.assertEqual(len(report.chart_list(report.Results(self.one))), 4)

    def test_refused(self):
        """no benchmark, no JSON, another schema: one line"""
        (self.top / "old").mkdir()
        for text, said in ((None, "No such file"), ("{", "is no JSON"), ('{"schema": 1}', "has schema 1")):
            if text:
                (self.top / "old/summary.json").write_text(text)
            with self.assertRaisesRegex(UsageError, said) as caught:
                report_cli.main([str(self.top / "old")])
            self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    if not charts.available():
        print("1..0 # SKIP gnuplot is not installed")
        raise SystemExit(77)
    tap_unittest.main()
