#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""report.t - the report of a stored benchmark: page, Markdown, charts, comparison.

report/ holds a real benchmark (mshare-bench --matrix smoke in a guest) to whose summary a refusal and an error
were added, and what must come of it: report.md, page.html (without what gnuplot drew, which differs between its
versions) and charts.gnuplot. With REGENERATE=1 in the environment they are written anew, to be read before commit.
native/ is one of this kernel's own huge pages (--native, 1 GB), schema-2/ the summary of one from before schema 3.
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

import report_traces
import tap_unittest
import traces
from mshare_bench import charts, configs, report, report_cli, report_text, schema
from mshare_bench.errors import UsageError
from mshare_bench.units import format_size

STORED = tap_unittest.HERE / "report"
NATIVE = tap_unittest.HERE / "native"
SCHEMA_2 = tap_unittest.HERE / "schema-2"
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

    def test_kinds_apart(self):
        """sets of another kind of shared memory have a chart of their own, of the same configurations"""
        alone = report.chart_list(self.results)[0]
        of_set = self.results.summary["sets"][0]
        self.results.summary["sets"].append({**of_set, "name": "other", "shared_buffers": 2 * of_set["shared_buffers"]})
        self.results.runs += [{**run, "set": "other", "page_tables_bytes": 2 * run["page_tables_bytes"]}
                              for run in self.results.runs if run["workload"] == "touch-all"]
        tables = [chart for chart in report.chart_list(self.results) if chart["name"].startswith("tables")]
        self.assertEqual([chart["title"] for chart in tables],
                         [f"{alone['title']}; mmap, {size}" for size in ("128 MB", "256 MB")])
        self.assertEqual(tables[0]["script"].replace("tables_0", "tables"), alone["script"])
        self.assertNotEqual(tables[1]["script"].replace("tables_1", "tables"), alone["script"])

    def test_native(self):
        """report.md of huge pages, natively"""
        results = report.Results(NATIVE)
        self.assertEqual(schema.problems(results.summary), [])
        text = report_text.markdown(results)
        if os.environ.get("REGENERATE"):
            (NATIVE / "report.md").write_text(text)
        self.assertEqual(text.splitlines(), (NATIVE / "report.md").read_text().splitlines())


class Model(unittest.TestCase):
    """What arithmetic says of stored benchmarks, and what was measured."""

    def test_to_the_table(self):
        """each configuration has the page tables that were predicted"""
        for directory, names in ((STORED, ["stock", "mshare"]),
                                 (NATIVE, ["stock", "hugetlb", "thp", "preload-hugetlb", "preload-thp"])):
            rows = report.model_table(report.Results(directory))[2]
            self.assertEqual([(row[1], row[4]) for row in rows], [(name, "+0.00 %") for name in names])

    def test_shared_by_the_kernel(self):
        """preload-hugetlb begins at a whole GB; its backends have no fault for a page of a GB that is shared"""
        results = report.Results(NATIVE)
        rows = {row[1]: row for row in report.huge_table(results)[2]}
        self.assertEqual(list(rows), ["hugetlb", "preload-hugetlb"])
        self.assertEqual(int(rows["preload-hugetlb"][2], 16) % 2 ** 30, 0)
        self.assertEqual(rows["preload-hugetlb"][3][:5], "1 of ")
        pages, faults = ([float(rows[name][n].split(" ")[0].replace(",", "")) for name in rows] for n in (4, 5))
        self.assertEqual(pages[0] - pages[1], 512 * (1 - int(rows["hugetlb"][3][0])))
        # But for those of the library, which a backend has of its own.
        self.assertLess(abs((faults[0] - faults[1]) - (pages[0] - pages[1])), 100)


class Extension(unittest.TestCase):
    """What pg_mshare_savings said."""

    def test_table(self):
        """a row for each touch-all"""
        results = report.Results(STORED)
        _, head, rows = report.extension_table(results)
        said = results.of("mshare", "touch-all", {"name": "mmap-40-128MB"})[0]["extension"]
        self.assertEqual([row[1] for row in rows], ["stock", "mshare"])
        self.assertEqual(rows[1][2:], [str(said["processes"]), *(format_size(said[f"{name}_bytes"]) for name in (
            "page_tables_private", "page_tables_shared", "unshared_worst", "saved")), f"{said['ratio']:,.1f}"])
        self.assertEqual(len(head), len(rows[0]))


class Schema2(unittest.TestCase):
    """A benchmark from before schema 3, of which there are no raw files either."""

    def test_readable(self):
        """it is reported as ever, without what it does not have"""
        results = report.Results(SCHEMA_2)
        self.assertEqual((results.summary["schema"], schema.problems(results.summary)), (2, []))
        text = report_text.markdown(results)
        self.assertEqual(report.extension_table(results)[2], [])
        self.assertIn("* **38 ×** fewer page tables for shared memory with 40 clients: 292 kB instead of 10.8 MB", text)
        self.assertIn("| mmap-40-128MB | stock | 11.4 MB | 10.8 MB | -5.48 % | - |", text)
        self.assertIn("| mmap-40-128MB | mshare | pgbench | transactions per second | 482.7 tps | 966.2 tps | 2.002 × | 1 |", text)
        self.assertEqual(_Page(report_text.page(results)).open, [])


class Traces(unittest.TestCase):
    """Every number comes from a raw file."""

    def copy(self, stored):
        """A folder to be spoilt."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return shutil.copytree(stored, pathlib.Path(directory.name) / "copy")

    def test_summary(self):
        """summary.json is what is computed anew from the raw files"""
        for stored in (STORED, NATIVE):
            self.assertEqual(traces.untraced(stored), [])

    def test_report(self):
        """report.md is what summary.json says"""
        for stored in (STORED, NATIVE):
            self.assertEqual(report_traces.unexplained(stored), [])

    def test_noticed(self):
        """no number of a run can be another without being noticed"""
        spoilt = self.copy(STORED)
        summary = json.loads((spoilt / "summary.json").read_text())
        changed = 0
        for run in summary["runs"]:
            for name, value in list(run.items()):
                if isinstance(value, (int, float)):
                    (spoilt / "summary.json").write_text(json.dumps({**summary, "runs": [
                        {**other, name: value + 1} if other is run else other for other in summary["runs"]]}))
                    self.assertTrue([text for text in traces.untraced(spoilt) if f"{run['raw']}: {name}:" in text], name)
                    changed += 1
        self.assertGreater(changed, 100)

    def test_noticed_in_report(self):
        """no figure of a report can be another without being noticed"""
        spoilt = self.copy(STORED)
        text = (spoilt / "report.md").read_text()
        figures = list(re.finditer(r"(?<=\| )\d[\d,.]*(?= (?:\w+|×) )", text.partition("\n* Sizes")[0]))
        self.assertGreater(len(figures), 50)
        for match in figures:
            figure = match.group(0)
            other = figure[:-1] + str((int(figure[-1]) + 5) % 10)
            (spoilt / "report.md").write_text(text[:match.start()] + other + text[match.end():])
            self.assertTrue(report_traces.unexplained(spoilt), text[match.start() - 80:match.end() + 20])


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
        """the folders that runs name are there"""
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
        self.assertEqual(len(drawn), 8)
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

    def test_large(self):
        """large figures are written in full"""
        found = json.loads((STORED / "summary.json").read_text())
        for row in found["comparisons"]:
            for side in ("stock", "other"):
                row[side] = {**row[side], "values": [value * 12345.678 for value in row[side]["values"]]}
        (self.one / "summary.json").write_text(json.dumps(found))
        report_cli.main([str(self.one)])
        self.assertNotRegex((self.one / "report.md").read_text(), r"\de\+")
        self.assertEqual(report_traces.unexplained(self.one), [])

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
