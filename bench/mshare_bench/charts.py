# SPDX-License-Identifier: PostgreSQL
"""Charts of a report, drawn by gnuplot as SVG that takes its colours from the page it stands in."""

import re
import shutil
import subprocess

from . import configs
from .errors import UsageError

# Colours by configuration: numbers that gnuplot passes through and that are no colours of anything else.
_CODES = {name: (1, 2, 10 + number) for number, name in enumerate(configs.NAMES)}
_HEAD = """set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "{name}"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\\t"
"""


def available():
    """Whether there is a gnuplot; a report without charts is still one."""
    return shutil.which("gnuplot") is not None


def colour(config):
    """The name of the page's variable for a configuration's colour."""
    return f"--c-{config}"


def _rgb(config):
    return "#{:02x}{:02x}{:02x}".format(*_CODES[config])


def _block(label, rows):
    return f"${label} << EOD\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows) + "EOD\n"


def lines(name, title, series, xlabel, ylabel, logscale="", points=True):
    """gnuplot's script for curves: series is {configuration: [(x, y)]}."""
    text = _HEAD.format(name=name) + f'set xlabel "{xlabel}"\nset ylabel "{ylabel}"\n'
    if logscale:
        text += f"set logscale {logscale}\n"
    if "y" not in logscale:
        text += "set yrange [0:*]\n"
    text += "".join(_block(f"d{n}", rows) for n, rows in enumerate(series.values()))
    style = "linespoints lw 2 pt 7 ps 0.6" if points else "lines lw 2"
    text += "plot " + ", ".join(f'$d{n} using 1:2 with {style} lc rgb "{_rgb(config)}" title "{config}"'
                                for n, config in enumerate(series)) + "\n"
    return {"name": name, "title": title, "script": text}


def bars(name, title, series, ylabel, logscale=False):
    """gnuplot's script for bars with their spread: series is {configuration: (value, least, most)}."""
    text = _HEAD.format(name=name) + f'set ylabel "{ylabel}"\nset style fill solid 0.85\nset boxwidth 0.6\n' \
        f"set xrange [-0.6:{len(series) - 0.4:.1f}]\nunset key\n"
    least = min(low for _, low, _ in series.values())
    text += f"set logscale y\nset yrange [{least / 3:.6g}:*]\n" if logscale else "set yrange [0:*]\n"
    if logscale and least > 1000:
        text += 'set format y "%.0s %c"\n'
    ticks = ", ".join(f'"{config}" {n}' for n, config in enumerate(series))
    # Long names beside each other would overlap.
    text += "set xtics rotate by -30\n" if len("".join(series)) > 40 else ""
    text += f"set xtics ({ticks})\n"
    text += "".join(_block(f"d{n}", [(n, *values)]) for n, values in enumerate(series.values()))
    plots = []
    for n, (config, (_, low, high)) in enumerate(series.items()):
        plots.append(f'$d{n} using 1:2 with boxes lc rgb "{_rgb(config)}"')
        if low != high:
            # Error bars would have a point in their middle, with a white patch around it.
            plots.append(f'$d{n} using 1:3:(0):($4-$3) with vectors heads size graph 0.012,90 lw 2 lc rgb "black"')
    return {"name": name, "title": title, "script": text + "plot " + ", ".join(plots) + "\n"}


def draw(chart):
    """The SVG element of a chart."""
    try:
        done = subprocess.run(["gnuplot"], input=chart["script"], text=True, capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError("gnuplot is not to be found: install gnuplot-nox") from None
    if done.returncode != 0 or "</svg>" not in done.stdout:
        raise UsageError(f"gnuplot cannot draw {chart['name']}: {' '.join(done.stderr.split())}")
    return _themed(done.stdout[done.stdout.index("<svg"):], chart)


def _themed(svg, chart):
    """Colours become those of the page; ids are made the chart's own."""
    for config, code in _CODES.items():
        pattern = r"rgb\(\s*{},\s*{},\s*{}\)".format(*code)
        svg = re.sub(rf"(fill|stroke)\s*=\s*(['\"]){pattern}\2", rf'style="\1:var({colour(config)})"', svg)
        svg = re.sub(pattern, f"var({colour(config)})", svg)
        svg = re.sub(r"#{:02x}{:02x}{:02x}".format(*code), f"var({colour(config)})", svg, flags=re.IGNORECASE)
    svg = re.sub(r"(['\"])(black|rgb\(\s*0,\s*0,\s*0\))\1", r"\1currentColor\1", svg)
    svg = re.sub(r"\bid=(['\"])", rf"id=\1{chart['name']}-", svg)
    svg = re.sub(r"(href=['\"]#|url\(#)", rf"\1{chart['name']}-", svg)
    svg = re.sub(r"<title>[^<]*</title>|<desc>[^<]*</desc>", "", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{chart["title"]}"', 1)
