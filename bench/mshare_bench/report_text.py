# SPDX-License-Identifier: PostgreSQL
"""A report as a page (one file, nothing from the network) and as Markdown."""

import html
import re

from . import charts, report

_COLOURS = {"stock": ("#c0392b", "#ff7a6b"), "hugetlb": ("#b9770e", "#e8a33d"), "thp": ("#7d6608", "#c9b458"),
            "mshare": ("#1a6fb4", "#5db3f5"), "mshare-thp": ("#117a65", "#45c4a0"),
            "mshare-hugetlb": ("#5b3fa0", "#a48cf0"), "preload-hugetlb": ("#a04080", "#e58cc4"),
            "preload-thp": ("#4d5d6c", "#a9b8c6")}
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #5c6670; --line: #d5dae0; --wash: #f4f6f8; %s }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --paper: #14181c; --soft: #9aa5b0; --line: #343b43;
 --wash: #1d2329; %s } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 80rem; padding: 1.2rem; background: var(--paper); color: var(--ink);
 font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 .3rem } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
p, li { max-width: 46rem } .soft { color: var(--soft) }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .8rem; margin: 1.2rem 0 }
.figure { background: var(--wash); border-radius: .5rem; padding: .8rem 1rem }
.figure b { display: block; font-size: 1.9rem; line-height: 1.2 }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%%), 1fr)); gap: 1rem }
figure { margin: 0; break-inside: avoid } figcaption { font-weight: 600; margin-bottom: .3rem }
svg { width: 100%%; height: auto; color: var(--ink); display: block }
svg text { fill: var(--ink) }
.wide { overflow-x: auto; -webkit-overflow-scrolling: touch }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap }
.n { text-align: right }
.words td, .words th { white-space: normal; min-width: 6rem }
.warning { border-left: .3rem solid var(--c-stock); padding: .3rem .8rem; background: var(--wash) }
@media print { body { max-width: none; font-size: 11px } .wide { overflow: visible }
 table { font-size: 8.5px } th, td { white-space: normal; padding: .2rem .3rem }
 h2 { break-after: avoid } tr { break-inside: avoid } .charts { grid-template-columns: 1fr 1fr } }
"""
# A figure with or without a unit, and perhaps its spread; or none.
_UNIT = re.compile(r"(?<=\d) (?=(B|kB|MB|GB|ms|s|tps|×|%)(\W|$))")
_NUMBER = re.compile(r"[+-]?\d[\d,.]*( (B|kB|MB|GB|ms|s|tps|×|%|of \d[\d,]*))?( \(.*\))?|-")


def _style():
    light, dark = (" ".join(f"{charts.colour(name)}: {pair[n]};" for name, pair in _COLOURS.items()) for n in (0, 1))
    return _STYLE % (light, dark)


def _numbers(head, rows):
    """Which columns hold nothing but numbers, and so stand to the right."""
    return [all(_NUMBER.fullmatch(row[n]) for row in rows) for n in range(len(head))]


def _table(title, head, rows):
    words = " words" if head[-1] in ("why", "log") else ""
    sides = [" class=\"n\"" if number else "" for number in _numbers(head, rows)]

    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}{side}>{_UNIT.sub('&nbsp;', html.escape(cell))}</{tag}>" for cell, side in zip(cells, sides)) + "</tr>"

    return (f"<h2>{html.escape(title)}</h2>\n<div class=\"wide{words}\"><table>\n<thead>{line(head, 'th')}</thead>\n<tbody>\n"
            + "".join(f"{line(row, 'td')}\n" for row in rows) + "</tbody></table></div>\n")


def _page(title, parts):
    return ("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            f"<title>{html.escape(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
            + "".join(parts) + "</body>\n</html>\n")


def _list(title, lines):
    return f"<h2>{title}</h2>\n<ul>\n" + "".join(f"<li>{html.escape(line)}</li>\n" for line in lines) + "</ul>\n"


def page(results):
    """report.html."""
    parts = ["<h1>What shared memory costs in page tables</h1>\n",
             f"<p class=\"soft\">{html.escape(report.machine_lines(results)[0])}</p>\n"]
    if results.summary.get("incomplete"):
        parts.append("<p class=\"warning\">The benchmark did not come to its end; these figures are what was measured "
                     "before.</p>\n")
    figures = report.headlines(results)
    if figures:
        parts.append("<div class=\"figures\">" + "".join(
            f"<div class=\"figure\"><b>{html.escape(figure)}</b>{html.escape(text)}</div>" for figure, text in figures)
            + "</div>\n")
    if charts.available():
        parts.append("<div class=\"charts\">\n" + "".join(
            f"<figure><figcaption>{html.escape(chart['title'])}</figcaption>{charts.draw(chart)}</figure>\n"
            for chart in report.chart_list(results)) + "</div>\n")
    else:
        parts.append("<p class=\"warning\">There are no charts: gnuplot is not installed.</p>\n")
    parts += [_table(*table) for table in report.all_tables(results)]
    parts += [_list("Machine", report.machine_lines(results)),
              _list("How it was measured, and what the figures do not say", report.caveats(results))]
    return _page("mshare-bench", parts)


def _markdown_table(title, head, rows):
    def line(cells):
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "| " + " | ".join("---:" if number else "---" for number in _numbers(head, rows)) + " |"
    return [f"### {title}", "", line(head), rule, *map(line, rows), ""]


def markdown(results):
    """report.md."""
    lines = ["## What shared memory costs in page tables", "", *report.machine_lines(results), ""]
    lines += [f"* **{figure}** {text}" for figure, text in report.headlines(results)] + [""]
    for table in report.all_tables(results):
        lines += _markdown_table(*table)
    lines += [f"* {line}" for line in report.caveats(results)]
    return "\n".join(lines) + "\n"


def compare(many):
    """(page, Markdown) of several benchmarks; those of guests and of machines stand apart."""
    head = ["benchmark", "set", "configuration", "page tables", "of the region", "minor faults", "connect all", "tps"]
    parts, lines = ["<h1>Benchmarks compared</h1>\n"], ["## Benchmarks compared", ""]
    for mode, title in (("vm", "Measured in guests"), ("native", "Measured natively")):
        rows = [row for results in many if results.mode == mode for row in _compared(results)]
        if rows:
            parts.append(_table(title, head, rows))
            lines += _markdown_table(title, head, rows)
    about = [f"{results.name}: {' '.join(report.machine_lines(results))}" for results in many]
    note = ("Sizes can be compared between benchmarks; times cannot, unless the machine is the same, and never those "
            "of an emulated processor.")
    parts += [_list("Machines", about), f"<p>{note}</p>\n"]
    lines += [f"* {line}" for line in about] + ["", note]
    return _page("mshare-bench: comparison", parts), "\n".join(lines) + "\n"


def _compared(results):
    for of_set in results.summary["sets"]:
        for config in of_set["configs"]:
            touch, storm, select = (results.of(config, name, of_set)[:1] for name in ("touch-all", "storm", "pgbench"))
            cells = [_cell(touch, "page_tables_bytes", "bytes"), _cell(touch, "region_page_table_bytes", "bytes"),
                     _cell(touch, "backend_minor_faults", "number"), _cell(storm, "connect_all_s", "s"),
                     _cell(select, "tps", "number")]
            if any(cell != "-" for cell in cells):
                yield [results.name, of_set["name"], config, *cells]


def _cell(runs, key, kind):
    return report.summary.cell(runs[0] if runs else None, key, kind)
