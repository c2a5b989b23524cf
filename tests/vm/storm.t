#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""storm.t - the crash in small: stock stops at the limit of memory, under the library all processes finish.

Reads $storm_result, the storm.json of a storm whose page tables do not fit in its guest's memory.
"""

import json
import os
import sys

COUNT = 0
FAILED = 0


def ok(passed, name, found):
    """One line of TAP, and what was found where that matters."""
    global COUNT, FAILED
    COUNT += 1
    FAILED += not passed
    print(f"{'ok' if passed else 'not ok'} {COUNT} - {name}", flush=True)
    if not passed:
        print(f"# found: {found}", flush=True)


def check(stock, mshare):
    """The two storms."""
    need = stock["process_needs_bytes"]
    ok(stock["all_need_bytes"] > stock["mem_total_bytes"], "all would need more than there is", stock)
    ok(stock["outcome"] == "limit", "stock: stopped by itself", stock)
    ok(3 <= stock["reached"] < stock["procs"] / 2, "stock: few processes got through", stock["reached"])
    # each of them has what arithmetic says, and a little of its own
    paid = stock["processes_vmpte_bytes"] / stock["reached"]
    ok(need <= paid < need * 1.01 + 2 ** 18, "stock: each pays for all of the memory", paid)
    ok(stock["mem_available_bytes"] > stock["reserve_bytes"], "stock: what was to be left is left", stock)
    ok(mshare["outcome"] == "finished", "mshare: all processes finish", mshare)
    ok(mshare["backend"] == "msharefs", "mshare: by msharefs", mshare["backend"])
    region = mshare["region_page_table_bytes"]
    ok(need <= region < need + 2 ** 16, "mshare: page tables are paid once", region)
    ok(mshare["processes_vmpte_bytes"] < mshare["procs"] * 2 ** 17, "mshare: a process pays for itself only",
       mshare["processes_vmpte_bytes"])


def main():
    """Check one result."""
    with open(os.environ["storm_result"], encoding="utf-8") as file:
        result = json.load(file)
    ok("errors" not in result, "everything was measured", result.get("errors"))
    storms = {storm["config"]: storm for storm in result["storms"]}
    ok(sorted(storms) == ["mshare", "stock"], "both storms are there", sorted(storms))
    if len(storms) == 2:
        check(storms["stock"], storms["mshare"])
    print(f"1..{COUNT}")
    return int(FAILED > 0)


if __name__ == "__main__":
    sys.exit(main())
