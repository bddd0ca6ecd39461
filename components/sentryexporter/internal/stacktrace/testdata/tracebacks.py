#!/usr/bin/env python3
# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes tracebacks.json: texts as Python prints them, with what its own traceback module says they contain."""

import asyncio
import concurrent.futures
import json
import sys
import traceback


class Outer:
    class Inner(Exception):
        pass


class Silent(Exception):
    def __str__(self):
        return ""


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no")


def plain():
    raise ValueError("plain message")


def nested(n):
    if n == 0:
        return {}["missing"]
    return nested(n - 1)


def explicit():
    try:
        nested(2)
    except KeyError as e:
        raise RuntimeError("wrapped") from e


def implicit():
    try:
        plain()
    except ValueError:
        raise TypeError("second")


def three():
    try:
        explicit()
    except RuntimeError as e:
        raise OSError(111, "Connection refused") from e


def suppressed():
    try:
        plain()
    except ValueError:
        raise TypeError("alone") from None


def never_raised():
    raise RuntimeError("outer") from KeyError("never raised")


def recursion():
    return recursion_inner(40)


def recursion_inner(n):
    if n == 0:
        raise LookupError("deep")
    return recursion_inner(n - 1)


def multi_line():
    raise ValueError("first line\n\nthird line\n  File \"fake.py\", line 3, in fake\n    not a frame")


def join_in_message():
    raise ValueError("one\nDuring handling of the above exception, another exception occurred:\ntwo")


def with_note():
    e = ValueError("noted")
    e.add_note("a note\nof two lines")
    raise e


def statement_over_lines():
    return plain_call(
        1,
        "two",
    )


def plain_call(a, b):
    return (a
            + b)


def local_class():
    class L2(Exception):
        pass

    raise L2("from a local class")


def inner_class():
    raise Outer.Inner("nested class")


def silent():
    raise Silent("x")


def unprintable():
    raise Unprintable()


def no_source():
    exec(compile("def f():\n    raise ValueError('no source')\nf()", "<string>", "exec"), {})


def syntax():
    compile("x = (1,\ny = 2\n", "broken.py", "exec")


def frozen():
    __import__("no_such_module_at_all")


def chinese():
    raise ValueError("参数错误: 节点「开始」")


def group():
    try:
        nested(1)
    except KeyError as e:
        raise ExceptionGroup("two", [ValueError("a"), TypeError("b")]) from e


def raised(f):
    try:
        f()
    except BaseException as e:
        return e


def group_nested():
    raise ExceptionGroup("outer", [raised(explicit), ExceptionGroup("inner", [raised(plain), OSError("x")]), KeyError("k")])


def group_last_is_group():
    raise ExceptionGroup("outer", [ValueError("v"), ExceptionGroup("inner", [TypeError("t")])])


def group_many():
    raise ExceptionGroup("many", [ValueError(str(i)) for i in range(20)])


def group_as_cause():
    try:
        group_last_is_group()
    except ExceptionGroup as e:
        raise RuntimeError("after the group") from e


def group_as_context():
    try:
        group()
    except ExceptionGroup:
        raise RuntimeError("while handling a group")


def group_message_lines():
    raise ExceptionGroup("first\nsecond | third", [ValueError("x\ny")])


def task_group():
    async def fail():
        await asyncio.sleep(0)
        plain()

    async def run():
        async with asyncio.TaskGroup() as tg:
            tg.create_task(fail())

    asyncio.run(run())


def in_thread():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(plain).result()


def expected(e, seen):
    te = traceback.TracebackException.from_exception(e)
    return describe(te)


def describe(te):
    kind = te.exc_type.__qualname__
    if te.exc_type.__module__ not in ("builtins", "__main__"):
        kind = te.exc_type.__module__ + "." + kind
    out = {"type": kind, "frames": [], "cause": None, "relation": "", "members": []}
    for f in te.stack:
        out["frames"].append({"file": f.filename, "line": f.lineno, "function": f.name, "source": f.line or ""})
    if te.__cause__ is not None:
        out["cause"], out["relation"] = describe(te.__cause__), "__cause__"
    elif te.__context__ is not None and not te.__suppress_context__:
        out["cause"], out["relation"] = describe(te.__context__), "__context__"
    for m in (te.exceptions or [])[:15]:
        out["members"].append(describe(m))
    text = list(te.format_exception_only())
    message = "".join(text).rstrip("\n")
    out["final"] = message
    return out


CASES = [
    plain, explicit, implicit, three, suppressed, never_raised, recursion, multi_line, join_in_message, with_note,
    statement_over_lines, local_class, inner_class, silent, unprintable, no_source, syntax, frozen, chinese, group,
    group_nested, group_last_is_group, group_many, group_as_cause, group_as_context, group_message_lines, task_group, in_thread,
]


def main():
    out = []
    for f in CASES:
        e = raised(f)
        e.__traceback__ = e.__traceback__.tb_next  # without raised() itself
        out.append({"name": f.__name__, "text": "".join(traceback.format_exception(e)), "want": expected(e, set())})
    text = json.dumps({"python": sys.version.split()[0], "cases": out}, indent=1, ensure_ascii=False)
    print(text.replace(__file__, "/app/api/core/tracebacks.py"))


main()
