"""Reads a JUnit file with junitparser, a library that tools for test reports are made with, and says what it found."""

import json
import sys

import junitparser

report = junitparser.JUnitXml.fromfile(sys.argv[1])
report.update_statistics()
cases = []
for suite in report:
    for case in suite:
        result = case.result[0] if case.result else None
        cases.append({
            "suite": suite.name,
            "class": case.classname,
            "name": case.name,
            "seconds": case.time,
            "result": type(result).__name__ if result is not None else None,
            "message": result.message if result is not None else None,
            "type": result.type if result is not None else None,
            "text": result.text if result is not None else None,
        })
print(json.dumps({
    "name": report.name,
    "tests": report.tests,
    "failures": report.failures,
    "skipped": report.skipped,
    "errors": report.errors,
    "seconds": report.time,
    "cases": cases,
}))
