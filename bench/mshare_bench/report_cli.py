# SPDX-License-Identifier: PostgreSQL
"""mshare-bench report: a report from stored data alone, or a comparison of several benchmarks."""

import pathlib

from . import found, report, report_text, summary
from .errors import BenchError
from .options import Parser


def _parser():
    parser = Parser(
        prog="mshare-bench report",
        description="Makes DIR/report.html and DIR/report.md anew from what a benchmark has stored.\n"
                    "With several folders also comparison.html and comparison.md.")
    parser.add_argument("directories", metavar="DIR", nargs="+", type=pathlib.Path,
                        help="--out of a benchmark")
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path, default=pathlib.Path("."),
                        help="where a comparison goes (default: this folder)")
    return parser


# What is made in the folder of a benchmark.
NAMES = ("report.html", "report.md")


def _write(path, text):
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.rename(path)
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _recover(directory):
    """The summary of a benchmark that could not write it any more, by what its sets had found."""
    paths = sorted((directory / "sets").glob("*.json"))
    if paths and not (directory / summary.NAME).exists():
        summary.write(directory, summary.build(list(filter(None, map(found.load, paths)))))


def render(directory):
    """Make the report of a folder."""
    _recover(directory)
    results = report.Results(directory)
    _write(results.directory / "report.html", report_text.page(results))
    _write(results.directory / "report.md", report_text.markdown(results))
    return results


def main(arguments):
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    many = [render(directory) for directory in options.directories]
    written = [directory / "report.html" for directory in options.directories]
    if len(many) > 1:
        page, text = report_text.compare(many)
        options.out.mkdir(parents=True, exist_ok=True)
        _write(options.out / "comparison.html", page)
        _write(options.out / "comparison.md", text)
        written.append(options.out / "comparison.html")
    for path in written:
        print(path)
    return 0
