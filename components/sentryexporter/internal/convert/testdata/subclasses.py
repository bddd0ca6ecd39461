"""Prints the subclasses of what Dify ignores, as OpenTelemetry names them."""

import calendar
import graphlib
import hashlib
import importlib
import ipaddress
import json
import plistlib
import ssl
import statistics
import tomllib

# What Dify's API runs on, as far as the tests have it installed.
for library in ("flask", "httpx", "redis", "requests", "urllib3", "werkzeug.routing"):
    importlib.import_module(library)


def name(cls):
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def subclasses(cls):
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


from werkzeug.exceptions import HTTPException  # noqa: E402

for base in (ValueError, FileNotFoundError, HTTPException):
    for sub in subclasses(base):
        # The parser of mails collects its defects, it does not raise them; the others are not Dify.
        if not sub.__module__.startswith(("email.errors", "opentelemetry", "pkg_resources", "setuptools")):
            print(name(sub))
