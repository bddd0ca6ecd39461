#!/usr/bin/env python3
# Copyright The otelcol-dify Authors
# SPDX-License-Identifier: Apache-2.0
"""Prints texts as Python writes them, with what its own traceback module says they contain: python.py > python-3.X.jsonl"""

import asyncio
import concurrent.futures
import contextlib
import functools
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


def recursion_limit():
    def forever(n):
        return forever(n + 1)

    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(100)
    try:
        forever(0)
    finally:
        sys.setrecursionlimit(usual)


def mutual_recursion():
    def even(n):
        return odd(n - 1)

    def odd(n):
        if n < 0:
            raise LookupError("odd")
        return even(n - 1)

    even(12)


def comprehension():
    return [1 // n for n in (1, 0)]


def generator():
    def numbers():
        yield 1
        raise ValueError("in a generator")

    return sum(n for n in numbers())


def in_lambda():
    return sorted([1, 2], key=lambda n: n.missing)


def class_body():
    class Broken:
        value = int("x")


def context_manager():
    @contextlib.contextmanager
    def managed():
        try:
            yield
        except ValueError as e:
            raise RuntimeError("managed") from e

    with managed():
        plain()


def decorated():
    def decorator(f):
        @functools.wraps(f)
        def wrapper(*args):
            return f(*args)

        return wrapper

    decorator(plain)()


def json_error():
    json.loads("{not json}")


def unicode_error():
    b"\xff".decode("utf-8")


def assertion():
    assert 1 == 2, (
        "one is not two"
    )


def quoted_traceback():
    raise RuntimeError('{"args":{},"error_type":"PluginInvokeError","message":"Traceback (most recent call last):\\n  File"}')


def message_is_a_traceback():
    try:
        plain()
    except ValueError:
        text = traceback.format_exc()
    raise RuntimeError(text)


def colon_in_type():
    raise KeyError("a: b", {"c": 1})


def tuple_message():
    raise OSError(2, "No such file or directory", "/app/api/storage/x: y")


def system_exit():
    raise SystemExit(3)


def stop_iteration():
    next(iter([]))


def long_message():
    raise ValueError("x" * 600)


def blank_message():
    raise ValueError("   ")


def only_line_breaks():
    raise ValueError("\n\n")


def indentation():
    compile("def f():\nreturn 1\n", "broken.py", "exec")


def tab_error():
    compile("if 1:\n        x\n\ty\n", "broken.py", "exec")


def syntax_without_line():
    raise SyntaxError("made by hand")


def syntax_in_template():
    compile("{{ a b }}", "<template>", "eval")


def syntax_as_cause():
    try:
        compile("a b", "<code node>", "exec")
    except SyntaxError as e:
        raise RuntimeError("code node failed") from e


def five():
    try:
        three()
    except OSError as e:
        try:
            raise ConnectionError("fourth") from e
        except ConnectionError:
            raise RuntimeError("fifth")


def both_sides():
    """A cause that itself was raised while another was handled."""
    try:
        implicit()
    except TypeError as e:
        raise RuntimeError("outer") from e


def async_chain():
    async def inner():
        plain()

    async def outer():
        try:
            await asyncio.wait_for(inner(), 5)
        except ValueError as e:
            raise RuntimeError("after awaiting") from e

    asyncio.run(outer())


def group_notes():
    e = ExceptionGroup("noted", [ValueError("a")])
    e.add_note("a note\nof two lines")
    raise e


def group_deep():
    e = ValueError("bottom")
    for n in range(12):
        e = ExceptionGroup("level %d" % n, [e])
    raise e


def group_of_syntax_errors():
    def broken():
        compile("a b", "<string>", "exec")

    raise ExceptionGroup("both", [raised(broken), raised(implicit)])


def expected(e):
    te = traceback.TracebackException.from_exception(e)
    return describe(te)


def describe(te, depth=1):
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
    if depth < 10:  # what is deeper, or more than 15, is not printed
        for m in (getattr(te, "exceptions", None) or [])[:15]:
            out["members"].append(describe(m, depth + 1))
    text = list(te.format_exception_only())
    message = "".join(text).rstrip("\n")
    out["final"] = message
    return out


CASES = [
    plain, explicit, implicit, three, suppressed, never_raised, recursion, multi_line, join_in_message, statement_over_lines,
    local_class, inner_class, silent, unprintable, no_source, syntax, frozen, chinese, in_thread, recursion_limit,
    mutual_recursion, comprehension, generator, in_lambda, class_body, context_manager, decorated, json_error, unicode_error,
    assertion, quoted_traceback, message_is_a_traceback, colon_in_type, tuple_message, system_exit, stop_iteration,
    long_message, blank_message, only_line_breaks, indentation, tab_error, syntax_without_line, syntax_in_template,
    syntax_as_cause, five, both_sides, async_chain,
]
if sys.version_info >= (3, 11):
    CASES += [
        with_note, group, group_nested, group_last_is_group, group_many, group_as_cause, group_as_context,
        group_message_lines, task_group, group_notes, group_deep, group_of_syntax_errors,
    ]


def main():
    for f in CASES:
        e = raised(f)
        e.__traceback__ = e.__traceback__.tb_next  # without raised() itself
        text = "".join(traceback.format_exception(type(e), e, e.__traceback__))
        line = json.dumps({"name": f.__name__, "text": text, "want": expected(e)}, ensure_ascii=False)
        line = line.replace(__file__, "/app/api/core/example.py").replace(sys.base_prefix + "/lib/", "/usr/local/lib/")
        print(line)


main()
