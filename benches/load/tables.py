"""The figures as tables: the same rows for a terminal and for docs/PERFORMANCE.md."""

from cases import CASES, KIB, MIB

# For each column its head, the figure, and how it is written.
RATE = ("per second", "rate", "{:,.0f}")
CPU = ("CPU, us", "cpu_us", "{:,.1f}")
CPU_RATIO = ("to nginx's", "cpu_to_nginx", "{:.2f}")
TIMES = [(f"{name}, us", f"{key}_us", "{:,.0f}") for name, key in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"))]
ADDED = [(f"added {name}", f"added_{key}_us", "{:,.0f}")
         for name, key in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"))]
PEAK = ("RSS, MiB", "peak_mib", "{:.1f}")
CALLS = [RATE, ("to nginx's", "rate_to_nginx", "{:.2f}"), CPU, CPU_RATIO,
         ("LiteLLM's to it", "litellm_to_cpu", "{:,.0f}"), *TIMES, *ADDED, PEAK]
BODIES = [("MiB per second", "mib_rate", "{:,.0f}"), ("to nginx's", "rate_to_nginx", "{:.2f}"),
          ("to SHA-256's", "rate_to_sha256", "{:.2f}"), CPU, CPU_RATIO, PEAK,
          ("memory per call, bodies", "bodies_per_call", "{:.2f}")]
STREAMS = [("events per second", "rate", "{:,.0f}"), ("CPU per event, us", "cpu_us", "{:.1f}"), CPU_RATIO,
           ("KiB per stream", "stream_kib", "{:.1f}"), ("first byte p50, us", "p50_us", "{:,.0f}"),
           ("p99, us", "p99_us", "{:,.0f}"), PEAK]
COUNTS = [("system calls", "syscalls", "{:.1f}"), ("allocations", "allocations", "{:.1f}"),
          ("instructions", "instructions", "{:,.0f}")]


def tables(results):
    """Returns the tables that there are figures for: title, heads, rows of text."""
    measured = [case for case in CASES if case.name in results["cases"]]
    whole = [case for case in measured if not case.streams]
    groups = [
        ("Calls", CALLS, [case for case in whole if case.body <= KIB]),
        ("Large bodies", BODIES, [case for case in whole if case.body > KIB]),
        ("Open streams", STREAMS, [case for case in measured if case.streams]),
        ("Counted per call", COUNTS, [case for case in whole if case.counted]),
    ]
    for title, columns, cases in groups:
        rows = [row for case in cases for row in rows_of(case, columns, results["cases"][case.name])]
        # A column that nobody has a figure for is none.
        used = [0, 1, *(at for at in range(2, len(columns) + 2) if any(row[at] != "-" for row in rows))]
        heads = ["load", "through", *(head for head, _, _ in columns)]
        if len(used) > 2:
            yield title, [heads[at] for at in used], [[row[at] for at in used] for row in rows]


def rows_of(case, columns, figures):
    for name, row in figures.items():
        texts = [written(row.get(figure), form) for _, figure, form in columns]
        if any(text != "-" for text in texts):
            yield [case.title, name, *texts]


def written(value, form):
    return "-" if value is None else form.format(value)


def idle(results):
    """Returns a sentence on what memory is taken before the first call, the most of all cases."""
    most = {}
    for figures in results["cases"].values():
        for name, row in figures.items():
            if "idle_mib" in row:
                most[name] = max(most.get(name, 0), row["idle_mib"])
    if not most:
        return None
    return "Memory before the first call: " + ", ".join(f"{name} {mib:.1f} MiB" for name, mib in most.items()) + "."


def for_terminal(results):
    """Returns all tables, in columns."""
    lines = []
    for title, heads, rows in tables(results):
        widths = [max(map(len, column)) for column in zip(heads, *rows)]
        lines += ["", title]
        before = None
        for row in [heads, *rows]:
            # A load's name stands before the first of its rows only.
            cells = ["" if row[0] == before else row[0], *row[1:]]
            before = row[0]
            aligned = [cell.ljust(width) if at < 2 else cell.rjust(width)
                       for at, (cell, width) in enumerate(zip(cells, widths))]
            lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines + ["", *filter(None, [idle(results)]), about(results)])


def for_markdown(results):
    """Returns all tables, and how they came to be, in Markdown."""
    lines = [about(results)]
    for title, heads, rows in tables(results):
        lines += ["", f"### {title}", "", row_of(heads), row_of(["---", "---", *["--:"] * (len(heads) - 2)])]
        before = None
        for row in rows:
            lines.append(row_of(["" if row[0] == before else row[0], *row[1:]]))
            before = row[0]
    return "\n".join(lines + ["", *filter(None, [idle(results)])])


def row_of(cells):
    return "| " + " | ".join(cells) + " |"


def about(results):
    """Returns when, where and how the figures were taken."""
    run, machine = results["run"], results["machine"]
    builds = "; ".join(f"{name} is {version}" for name, version in run["builds"].items())
    return (f"{run['date']}, {machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, {run['nginx']}, "
            f"SHA-256 at {run['sha256_rate'] / MIB:,.0f} MiB per second; {builds}. `{run['command']}`: "
            f"medians of {run['rounds']} rounds, turns of {run['seconds']} s.")


def rewrite(path, text):
    """Puts text between the two marks of a document."""
    begin, end = "<!-- benches/load/run begins -->", "<!-- benches/load/run ends -->"
    before, rest = path.read_text().split(begin)
    _, after = rest.split(end)
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
