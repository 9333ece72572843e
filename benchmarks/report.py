"""The report on the terminal, made from the same plain dict that goes into the JSON file."""

from __future__ import annotations

from typing import Any

from . import busy, fit, kernels, memory, predict, scaling, startup, step
from .frameworks import FRAMEWORKS
from .stats import ratio, summarize
from .tables import OURS, Result, cells, columns, interval, label, number, ratios, remarks, spread, table


def times_table(results: list[Result], floors: dict[str, float]) -> str:
    """Milliseconds, a row per network and a column per framework; with the arithmetic's floor where it is known."""
    names = columns(results)
    rows = [[label(result), *cells(names, result["times"], spread)] for result in results]
    if floors:
        for row, result in zip(rows, results, strict=True):
            row.append(number(floors[result["network"]] * 1e3))
    return table(["network (batch)", *names, *(["floor"] if floors else [])], rows)


def ratio_table(results: list[Result]) -> str:
    """How many times faster scratchnet is, with the 95% interval; empty where it was not timed."""
    found = [ratios(result) for result in results]
    names = list(dict.fromkeys(name for row in found for name in row))
    if not names:
        return ""
    rows = [[label(result), *cells(names, row, interval)] for result, row in zip(results, found, strict=True)]
    return table(["peer's time / scratchnet's", *names], rows)


def timed(results: list[Result], floors: dict[str, float] | None = None) -> list[str]:
    """The tables of parts ``step``, ``fit`` and ``predict``."""
    return [times_table(results, floors or {}), ratio_table(results), *remarks(results)]


def fit_over_step(parts: dict[str, list[Result]]) -> list[str]:
    """What scratchnet's ``fit`` costs over its bare step, where both parts were run."""
    bare = {result["network"]: result["times"].get(OURS) for result in parts.get("step", [])}
    lines = []
    for result in parts.get("fit", []):
        whole, steps = result["times"].get(OURS), bare.get(result["network"])
        if whole and steps:
            share = summarize(whole).median / summarize(steps).median - 1
            lines.append(f"{result['network']}: scratchnet's fit takes {share:+.0%} over its bare step")
    return lines


def startup_tables(results: list[Result]) -> list[str]:
    """A table per network, a row per framework."""
    keys, blocks = ("import", "cold", "warm"), []
    for result in results:
        rows = [[name, *(spread(times[key], 1) for key in keys)] for name, times in result["times"].items()]
        headers = [result["network"], "import", "first step, cold", "first step, warm"]
        blocks += [table(headers, rows), *remarks([result])]
    return blocks


def memory_table(results: list[Result]) -> list[str]:
    """Peak memory, and under it how many times scratchnet's it is."""
    names, rows = columns(results, "memory"), []
    for result in results:
        found = result["memory"]
        mebibytes = cells(names, found, lambda one: f"{one['bytes'] / 2**20:.0f} ({one['after_import'] / 2**20:.0f})")
        rows.append([result["network"], *mebibytes])
        if OURS in found:
            over = {name: one["bytes"] / found[OURS]["bytes"] for name, one in found.items()}
            rows.append(["  over scratchnet's", *cells(names, over, "{:.2f}".format)])
    return [table(["network", *names], rows), *remarks(results)]


def kernel_tables(results: list[Result]) -> list[str]:
    """A table per network, a row per op call of its step."""
    blocks = []
    for result in results:
        rows = []
        for op in result["ops"]:
            rate = number(op["flops"] / op["seconds"] / 1e9) if op["flops"] else "-"
            copied = number(op["bytes"] / op["seconds"] / 1e9)
            share = f"{op['of_limit']:.0%}"
            rows.append([op["op"], op["shapes"], number(op["seconds"] * 1e6), rate, copied, share])
        total = sum(op["seconds"] for op in result["ops"])
        blocks += [
            f"{result['network']}: {number(total * 1e3)} ms in {len(rows)} op calls per step",
            table(["op", "shapes", "us", "GFLOP/s", "GB/s", "of limit"], rows),
            *remarks([result]),
        ]
    return blocks


def scaling_tables(results: list[Result]) -> list[str]:
    """A table per sweep, a row per value."""
    blocks = []
    for result in results:
        names = columns(result["outcomes"])
        points = zip(result["values"], result["outcomes"], strict=True)
        rows = [[f"{value:g}", *cells(names, outcome["times"], spread)] for value, outcome in points]
        blocks.append(table([f"{result['network']}: {result['what']}", *names], rows))
        blocks += [line for line in remarks(result["outcomes"]) if "NOT TIMED" in line or "WARNING" in line]
    return blocks


def busy_table(results: list[Result]) -> list[str]:
    """Idle milliseconds, and times as long with one core taken."""
    names, rows = columns(results), []
    for result in results:
        both = {name: (idle, result["notes"]["busy"].get(name)) for name, idle in result["times"].items()}
        both = {name: pair for name, pair in both.items() if pair[1]}
        shown = cells(names, both, lambda pair: f"{spread(pair[0])} x{interval(ratio(pair[1], pair[0]))}")
        rows.append([label(result), *shown])
    return [table(["network (batch)", *names], rows), *remarks(results)]


def heading(result: dict[str, Any]) -> str:
    """What was compared with what, on which machine, and why that is fair."""
    machine, settings = result["machine"], result["settings"]
    limits = [
        f"measured limits, {count} thread{'' if count == '1' else 's'}: sgemm {found['sgemm']:.0f} GFLOP/s, "
        f"copy in memory {list(found['copy'].values())[-1]:.1f} GB/s"
        for count, found in result["limits"].items()
    ]
    lines = [
        f"{machine['cpu']} ({machine['vector']}), {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}",
        f"Python {machine['python']}, NumPy {machine['numpy']}, commit {machine['commit'] or 'unknown'}, "
        f"{machine['when']}, load average {machine['load'][0]:.2f}",
        f"command: {result['command']}",
        *limits,
        *(
            f"WARNING: limits: {found['busy']['warning']}"
            for found in result["limits"].values()
            if found["busy"]["warning"]
        ),
        "Fair by construction: the same initial weights, the same batches of real images in the same order, float32, "
        f"Adam, {settings['threads']} threads (pools and CPU affinity) for everybody; compilation and warm-up are over "
        "before the clock starts; each framework has a process of its own, stopped while the others run; they take "
        f"turns in {settings['rounds']} interleaved rounds, in random order. Nobody is timed whose losses disagree.",
        "Shown: median [quartiles]; ratios of medians with 95% bootstrap intervals over the rounds.",
        *(f"{name} {version}: {FRAMEWORKS[name].says}" for name, version in result["versions"].items()),
        *(f"{name} is left out: {why}" for name, why in result["left_out"].items()),
    ]
    return "\n".join(lines)


def render(result: dict[str, Any]) -> str:
    """The whole report as text."""
    parts = result["parts"]
    makers = {
        "step": (step.NOTE, lambda found: timed(found, result["floors"])),
        "fit": (fit.NOTE, lambda found: [*timed(found), *fit_over_step(parts)]),
        "predict": (predict.NOTE, timed),
        "startup": (startup.NOTE, startup_tables),
        "memory": (memory.NOTE, memory_table),
        "kernels": (kernels.NOTE, kernel_tables),
        "scaling": (scaling.NOTE, scaling_tables),
        "busy": (busy.NOTE, busy_table),
    }
    blocks = [heading(result)]
    for name, found in parts.items():
        note, make = makers[name]
        tables = [block + "\n" if "\n" in block else block for block in make(found) if block]
        blocks.append("\n".join([f"== {name} ==", note, "", *tables]).rstrip())
    return "\n\n".join(blocks)
