"""HastyHub: `sendensed serve` with a bug put in: it acknowledges a batch before it commits it.

What proves that nothing is lost has to find it.
"""

import sys

import trio

from sendensed.__main__ import main
from sendensed.actors.writer import Writer


async def acknowledge_first(self, plans):
    for plan in plans:
        for receipt, answer in plan.answers:
            receipt.settle(answer)
    await trio.sleep(0.02)
    return await save(self, plans)


save, Writer._save = Writer._save, acknowledge_first

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
