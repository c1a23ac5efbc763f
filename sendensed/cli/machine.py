"""Machine: one machine: how its backups went, what runs now, and its newest runs."""

import argparse

from sendensed.cli import columns, hub, output, words

_WHOLE = columns.MACHINES._replace(
    columns=tuple(column._replace(wide=False) for column in columns.MACHINES.columns)
)


def run(options: argparse.Namespace) -> int:
    """Prints the machine; `-o name` prints the ids of its runs. Returns 0. Raises SendensedError."""
    with hub.of(options) as asked:
        detail = asked.machine(options.name, options.runs)
    form, headers = options.output, not options.no_headers
    if form == "json":
        print(output.json_pretty(detail))
    elif form == "ndjson":
        print(output.json(detail))
    elif form == "name":
        output.write(columns.JOBS, detail.runs, asked.now, form)
    else:
        output.write(_WHOLE, [detail.machine], asked.now, form, headers=headers)
        print()
        output.write(columns.JOBS, detail.runs, asked.now, form, headers=headers)
        if detail.next:
            output.say(f"there are more: these are the {len(detail.runs)} newest runs; --runs N shows more")
        for job in detail.active:
            output.say(f"{job.status} now: sendensed watch {words.plain(job.id)}")
    return 0
