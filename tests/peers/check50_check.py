"""Reads a result of check50 with check50's own code: each check becomes its own record, and its own pages are made of the whole."""

import json
import sys

import attr
import check50.renderer
from check50.runner import CheckResult

with open(sys.argv[1], encoding="utf-8") as file:
    whole = json.load(file)
results = [CheckResult.from_dict(one) for one in whole["results"]]
assert [attr.asdict(one) for one in results] == whole["results"], "there are keys that check50 does not know"
assert set(whole) == {"slug", "results", "version"}, sorted(whole)
print(json.dumps({
    "ansi": check50.renderer.to_ansi(**whole, _log=True),
    "html": check50.renderer.to_html(**whole),
    "json": json.loads(check50.renderer.to_json(**whole)) == whole,
}))
