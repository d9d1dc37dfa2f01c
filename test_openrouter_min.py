"""Tests of openrouter_min. They need Python and nothing else, no key and no network.

    python test_openrouter_min.py              all of them
    python test_openrouter_min.py -k Stream    those whose name holds a word

Beside them, in .ci: bench.py measures, prices.py makes the price table anew, replay.py replays recorded traffic.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import collections
import concurrent.futures
import contextlib
import contextvars
import copy
import csv
import dataclasses
import datetime
import email.utils
import enum
import functools
import gc
import gzip
import hashlib
import html.parser
import http.client
import importlib.util
import inspect
import io
import itertools
import json
import logging
import operator
import os
import pickle
import random
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
import typing
import unittest
import uuid
import warnings
from decimal import Decimal
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Literal,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypedDict,
    Union,
)
from unittest import mock

import openrouter_min as orm
from openrouter_min import (
    METADATA,
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    InsufficientCreditsError,
    Llm,
    LlmConfig,
    LlmOperationCollector,
    MockOpenRouter,
    ModelNotFoundError,
    OpenRouterError,
    Operations,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
    StreamInterruptedError,
    Usage,
)

HERE = Path(__file__).resolve().parent
KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"


# --- Helpers --------------------------------------------------------------------------------


def setUpModule():
    """Take away what the machine sets: keys, proxies, CAs and the default log."""
    for name in list(os.environ):
        if name.startswith(("OPENROUTER_", "SSL_CERT_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["OPENROUTER_MIN_LOG"] = "off"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
    home = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(home.cleanup)
    os.environ.update(HOME=home.name, XDG_STATE_HOME=home.name, LOCALAPPDATA=home.name)
    # The many processes that are started compile the module once.
    os.environ.update(PYTHONPYCACHEPREFIX=os.path.join(home.name, "cache"), PYTHONDONTWRITEBYTECODE="")


class Pieces:
    """A scripted answer: bytes to send, floats to wait, and how it ends.

    ``end``: "keep" the connection, "close" it, "reset" it, or "hang" until the client leaves.
    """

    def __init__(self, *pieces, end="keep"):
        self.pieces = pieces
        self.end = end


def http_answer(body=b"", status=200, content_type="application/json", headers=(), length=True, end="keep"):
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {content_type}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return Pieces("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body, end=end)


def json_answer(value, status=200, headers=(), **kind):
    return http_answer(json.dumps(value).encode(), status, headers=headers, **kind)


SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def framed(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def sse_answer(*pieces, end="keep", last=b"0\r\n\r\n"):
    """A chunked stream; bytes are framed, floats are waits."""
    return Pieces(SSE_HEAD, *(framed(p) if isinstance(p, bytes) else p for p in pieces), last, end=end)


def event(value):
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def chunk(content=None, finish=None, **more):
    delta = {"role": "assistant", "content": content, **more.pop("delta", {})}
    return {"id": "gen-1", "model": "a/b", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


DONE = b"data: [DONE]\n\n"
WHOLE_STREAM = event(chunk("Hel")) + event(chunk("lo")) + event(chunk("", "stop")) + DONE


def answer(content="Hello", finish="stop", **message):
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cost": 0.5}
    return {"id": "gen-1", "model": "a/b", "provider": "P", "choices": [choice], "usage": usage}


def error_body(message, code=400, **more):
    return {"error": {"code": code, "message": message, **more}}


class Seen:
    """A request as it arrived on the wire."""

    def __init__(self, head, body):
        self.line, *lines = head.split("\r\n")
        self.method, self.path, _ = self.line.split(" ", 2)
        self.header_lines = [line.split(": ", 1) for line in lines if line]
        self.headers = {k.lower(): v for k, v in self.header_lines}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class LoopbackServer:
    """Answers each request with the next item of its script, byte for byte.

    An item is Pieces or a function of the request that returns them. A request that is not in
    the script fails the test at the end of the ``with``. ``left_at`` notes when clients left.
    """

    def __init__(self, *script, wrap=None):
        self.script = list(script)
        self.requests = []
        self.connections = 0
        self.left_at = []
        self.unscripted = []
        self._wrap = wrap
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._open = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=600)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api/v1"

    def __enter__(self):
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, kind, *rest):
        self._stop.set()
        with contextlib.suppress(OSError):  # wakes accept(), which could else take the next server's connection
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._acceptor.join(2)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.close()
        if kind is None and self.unscripted:
            raise AssertionError(f"not in the script: {self.unscripted}")

    def _accept(self):
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._wrap:
                sock = self._wrap(sock)
            reader = sock.makefile("rb")
            while not self._stop.is_set() and self._exchange(sock, reader):
                pass
        except (OSError, ValueError):
            pass
        finally:
            self.left_at.append(time.monotonic())
            with contextlib.suppress(OSError):
                sock.close()

    def _exchange(self, sock, reader):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = reader.readline()
            if not line:
                return False
            head += line
        seen = Seen(head.decode("latin-1"), b"")
        seen.body = reader.read(int(seen.headers.get("content-length", 0)))
        with self._lock:
            self.requests.append(seen)
            item = self.script.pop(0) if self.script else None
        if item is None:
            self.unscripted.append(seen.line)
            item = json_answer(error_body("not in the script", 418), 418)
        return self._send(sock, item(seen) if callable(item) else item)

    def _send(self, sock, item):
        for piece in item.pieces:
            if isinstance(piece, bytes):
                sock.sendall(piece)
            else:
                self._stop.wait(piece)
        if item.end == "hang":
            sock.settimeout(20)
            with contextlib.suppress(OSError):
                sock.recv(1)
            return False
        if item.end == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(sock.detach())
            return False
        if item.end == "close":
            sock.shutdown(socket.SHUT_RDWR)
        return item.end == "keep"


def client(server, **settings):
    settings = {"api_key": KEY, "model": "a/b", "log": False, "max_retries": 0, "timeout": 5.0, **settings}
    return Llm(base_url=server.url, **settings)


# The four ways of calling, each returning the text of the answer.


def by_complete(llm, **params):
    return llm.complete("hi", **params).content


def by_stream(llm, **params):
    stream = llm.stream("hi", **params)
    text = "".join(stream)
    assert stream.completion.content == text
    return text


def by_acomplete(llm, **params):
    return asyncio.run(llm.acomplete("hi", **params)).content


def by_async_for(llm, **params):
    async def read():
        return "".join([text async for text in llm.stream("hi", **params)])

    return asyncio.run(read())


WAYS = [by_complete, by_stream, by_acomplete, by_async_for]


def instant(llm):
    """Let the waits between retries pass at once; return the list that notes them."""
    waits = []
    mock.patch.object(orm._Call, "sleep", lambda call, seconds: waits.append(seconds)).start()
    return waits


def busy_address(case):
    """The address of a listener that accepts nobody and whose queue is full."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    case.addCleanup(listener.close)
    for _ in range(8):
        waiting = socket.socket()
        case.addCleanup(waiting.close)
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    return listener.getsockname()


def at_once(*calls, threads=6):
    """Make all these calls, some at a time, since each of them waits; return their results in order."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def b64(data):
    return base64.b64encode(data).decode()


async def gathered(iterator):
    return [item async for item in iterator]


class Case(unittest.TestCase):
    def setUp(self):
        self.addCleanup(mock.patch.stopall)

    def assertFields(self, thing, **fields):
        """Compare attributes of a thing, or entries of a dict."""
        found = {n: thing[n] if isinstance(thing, dict) else getattr(thing, n) for n in fields}
        self.assertEqual(found, fields)

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._forget_folder, folder)
        return Path(folder.name)

    def _forget_folder(self, folder):
        for path, log in list(orm._LOGS.items()):
            if path.startswith(folder.name) and orm._LOGS.pop(path) and log._connection is not None:
                log._connection.close()  # Windows removes no open file
        folder.cleanup()

    def serve(self, *script, **kind):
        server = LoopbackServer(*script, **kind)
        server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        return server

    def llm(self, server, **settings):
        llm = client(server, **settings)
        self.addCleanup(llm.close)
        return llm


# --- Wire format ----------------------------------------------------------------------------

# (what is tested, bytes, the events: the data of each, or its name and its data)
# fmt: off
SSE_CASES = [
    ("one event", b"data: a\n\n", [b"a"]), ("no space after the colon", b"data:a\n\n", [b"a"]),
    ("only one space is taken", b"data:  a\n\n", [b" a"]), ("empty data", b"data:\n\ndata\n\n", [b"", b""]),
    ("several data lines", b"data: a\ndata: b\ndata\n\n", [b"a\nb\n"]),
    ("CRLF", b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]), ("CR", b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    ("mixed line ends", b"data: a\r\n\ndata: b\r\r\ndata: c\n\r\n", [b"a", b"b", b"c"]),
    ("comments", b": OPENROUTER PROCESSING\n\n:\n: x\n\ndata: a\n: y\n\n", [b"a"]),
    ("id then blank lines", b"id: 1\n\n\ndata: a\n\n\n\n", [b"a"]), ("a BOM", b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    ("a name, and a field retry", b"event: x\nretry: 10\ndata: a\n\n", [("x", b"a")]),
    ("a name above an event", b"event: error\ndata: a\n\ndata: b\n\n", [("error", b"a"), b"b"]),
    ("a name above no event", b"event: x\n\ndata: a\n\n", [b"a"]),
    ("an error line", b"error: a\n\n", [("error", b"a")]), ("no last blank line", b"data: a\n\ndata: b\n", [b"a"]),
    ("separators inside a line", "data: a\u2028b\u0085c\x0cd\n\n".encode(), ["a\u2028b\u0085c\x0cd".encode()]),
    ("four-byte characters", "data: \U0001f600\n\n".encode(), ["\U0001f600".encode()]),
    ("a field that only begins like data", b"datax: a\ndata: b\n\n", [b"b"]),
    ("the stream of the tests", WHOLE_STREAM, [e[6:] for e in WHOLE_STREAM.split(b"\n\n") if e]),
]
# fmt: on


def splits(data, seed=7):
    """The ways to cut a body: whole, byte by byte, in two at each place, in random pieces."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]
    chance = random.Random(seed)
    for _ in range(20):
        borders = sorted(chance.sample(range(len(data) + 1), min(5, len(data))))
        yield [data[a:b] for a, b in zip([0, *borders], [*borders, len(data)])]


class SSEDecoderTests(Case):
    def test_every_case_comes_out_right_however_it_is_cut(self):
        for name, data, expected in SSE_CASES:
            wanted = [e if isinstance(e, tuple) else ("", e) for e in expected]
            for pieces in splits(data):
                decoder = orm.SSEDecoder()
                self.assertEqual([e for piece in pieces for e in decoder.feed(piece)], wanted, (name, pieces))
        self.assertEqual(orm.SSEDecoder().feed(b"data: a\r\r"), [("", b"a")])  # is not held back

    def test_pending_grows_with_data_and_not_with_comments(self):
        decoder, held = orm.SSEDecoder(), [0]
        for piece in (b": x", b"y\n\n", b"da", b"ta: abc", b"\n", b": c", b"\n\n"):
            decoder.feed(piece)
            held.append(decoder.pending)
        self.assertEqual([b > a for a, b in zip(held, held[1:])], [False, False, True, True, False, False, False])
        self.assertEqual(held[-1], 0)

    def test_a_long_line_in_small_pieces_costs_linear_time(self):
        decoder, began = orm.SSEDecoder(), time.thread_time()
        for piece in [b"data: ", *[b"x" * 100] * 40_000]:
            decoder.feed(piece)
        self.assertEqual(len(decoder.feed(b"\n\n")[0][1]), 4_000_000)
        self.assertLess(time.thread_time() - began, 1)


def assembled(*chunks):
    assembler = orm.ChunkAssembler()
    for one in chunks:
        assembler.add(one)
    return orm.decode_completion(assembler.body())


class CompletionTests(Case):
    def test_odd_types_are_never_fatal(self):
        for value in [None, 7, "x", [], {}, True]:
            for body in ({"choices": value}, {"choices": [value]}, {"choices": [{"delta": value, "index": value}]}):
                assembled(body)
            for key in ("content", "reasoning", "tool_calls", "reasoning_details", "images", "audio", "annotations"):
                assembled(chunk(delta={key: value}), chunk(delta={key: [value]}))
            for key in ("usage", "model", "id", "created", "provider"):
                assembled({**chunk("a"), key: value})
            orm.Usage.from_wire({"prompt_tokens": value, "cost": value, "prompt_tokens_details": value})

    def test_fields_of_an_answer(self):
        call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": '{ "x":1}'}}
        details = [{"type": "reasoning.text", "text": "t", "signature": "S", "index": 0}]
        body = answer(None, tool_calls=[{**call, "index": 0}], reasoning_details=details, reasoning="t")
        message = {"role": "assistant", "content": "", "tool_calls": [call], "reasoning_details": details}
        for wire, fields in [
            (answer(None), {"content": "", "reasoning": None, "images": []}),
            (answer([{"type": "text", "text": "a"}, {"text": "b"}]), {"content": "ab"}),
            (body, {"message": message}),  # can be appended to the history
        ]:
            self.assertFields(orm.decode_completion(wire), **fields)
        self.assertEqual(str(orm.decode_completion(answer(None))), "")
        for finish, native, is_cut in [
            ("length", None, True), ("tool_calls", "max_output_tokens", True), ("stop", "MAX_TOKENS", True),
            ("stop", "STOP", False), (None, None, False),
        ]:  # fmt: skip
            done = orm.Completion("x", finish_reason=finish, native_finish_reason=native)
            self.assertEqual(done.truncated, is_cut, (finish, native))
        self.assertEqual(orm.ToolCall("i", "f", "").args, {})
        with self.assertRaisesRegex(APIResponseError, "arguments of f are not JSON"):
            orm.ToolCall("i", "f", '{"x": ').args  # noqa: B018

    def test_the_pieces_of_a_stream_are_merged(self):
        def summary(**fields):
            return {"type": "reasoning.summary", "index": 0, **fields}

        def text(**fields):
            return {"type": "reasoning.text", **fields}

        def logprobs(number):
            return {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": [number], "refusal": None}}]}

        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
        secret, loose = {"type": "reasoning.encrypted", "index": 0, "data": "X", "id": "rs_1"}, text(text="no index")
        details = [
            summary(summary="a"), secret, summary(summary="b", format="f"), text(index=1, text="t", signature=None),
            text(index=1, signature="S"), loose, loose,
        ]  # fmt: skip
        done = assembled(
            {**chunk(delta={"annotations": [{"type": "url_citation"}], "mood": "good"}), "galaxy": 1},
            chunk("a", delta={"images": [image], "audio": {"id": "x", "data": "AA", "transcript": "h"}}),
            chunk("b", "length", delta={"audio": {"data": "BB", "transcript": "i"}}),
            *(chunk(delta={"reasoning_details": [detail]}) for detail in details),
            *map(logprobs, (1, 2)),
            {**chunk("", "stop"), "usage": {"prompt_tokens": 1}},
            {"choices": [], "usage": {"prompt_tokens": 7, "total_tokens": 9}},
        )
        merged = [summary(summary="ab", format="f"), secret, text(index=1, text="t", signature="S"), loose, loose]
        self.assertFields(
            done, content="ab", images=["data:image/png;base64,AA=="], annotations=[{"type": "url_citation"}],
            audio={"id": "x", "data": "AABB", "transcript": "hi"}, reasoning_details=merged,
            reasoning="abtno indexno index", finish_reason="length", usage=Usage(7, 0, 9),
        )  # fmt: skip
        self.assertEqual(done.logprobs["content"], [1, 2])
        self.assertEqual((done.raw["galaxy"], done.raw["choices"][0]["message"]["mood"]), (1, "good"))

    def test_of_two_answers_the_first_is_streamed_and_both_are_kept(self):
        pieces = [(1, "B", None), (0, "A", None), (1, "b", "stop"), (0, "a", "length")]
        choices = [{"index": i, "delta": {"content": text}, "finish_reason": end} for i, text, end in pieces]
        events = b"".join(event({"choices": [choice]}) for choice in choices) + DONE
        stream = self.llm(self.serve(sse_answer(events))).stream("hi", n=2)
        shown = [(c.content, c.finish_reason) for c in stream.chunks()]
        self.assertEqual(shown, [("", None), ("A", None), ("", None), ("a", "length")])
        self.assertEqual([c["message"]["content"] for c in stream.completion.raw["choices"]], ["Aa", "Bb"])

    def test_an_empty_generation_is_no_answer_but_empty_text_with_stop_is(self):
        body = answer(None, None)
        body["usage"]["completion_tokens"] = 0
        self.assertRaises(APIResponseError, orm.check_generation, orm.decode_completion(body))
        for finish in ("stop", "length", "content_filter", "galaxy"):
            orm.check_generation(orm.decode_completion(answer("", finish)))

    def test_usages_add_up_and_unknown_costs_stay_unknown(self):
        a, b = Usage(1, 2, 3, cost=None), Usage(10, 20, 30, 4, 5, 6, 0.5, True, 0.25)
        self.assertEqual(a + b, Usage(11, 22, 33, 4, 5, 6, 0.5, True, 0.25))
        self.assertIsNone((a + a).cost)
        self.assertEqual((Usage(cost=1.0) + Usage(unpriced=1) + Usage(unpriced=1)).unpriced, 2)

    def test_values_can_be_compared_and_not_be_changed(self):
        for kind in (Usage, orm.ToolCall, orm.Attempt, orm.Pricing, orm.Chunk, orm.Completion, orm.ModelInfo):
            value = kind(*"xxx")
            self.assertEqual(value, kind(*"xxx"))
            self.assertNotEqual(value, kind(*"yxx"))
            name = dataclasses.fields(kind)[0].name
            self.assertRaises(dataclasses.FrozenInstanceError, setattr, value, name, 7)
        self.assertEqual(repr(orm.ToolCall("i", "f")), "ToolCall(id='i', name='f', arguments='')")
        self.assertNotIn("secret", repr(orm.Completion("x", raw={"y": "secret"}, headers={"z": "secret"})))
        self.assertNotEqual(LlmConfig(model="a/b"), LlmConfig(model="a/c"))
        for kind in (orm.Completion, orm.Chunk, LlmConfig):
            self.assertEqual(kind(), kind())
            self.assertRaises(TypeError, hash, kind())  # it holds lists


# --- Errors and hints -----------------------------------------------------------------------


def decode(body, status=200, headers=None, models=("anthropic/claude-3-opus",), now=1_800_000_000.0):
    return orm.decode_error(
        body, status=status, headers=headers or {}, models=models, key_note="it came from X", now=now
    )


def unavailable(code, status, **more):
    availability = {"code": code, "retryable": False, **more}
    return {"error": {"message": "m", "error_type": "x", "http_status": status, "availability": availability}}


# (body, HTTP status, class, key words of the hint)
# fmt: off
HINT_CASES = [
    (401, AuthenticationError, "No auth credentials found", "openrouter.ai/keys", "it came from X"),
    (402, InsufficientCreditsError, "This request requires more credits, or fewer max_tokens. You requested up to 65536"
     " tokens, but can only afford 1234.", "max_tokens=1234"),
    (402, InsufficientCreditsError, "You can only afford 1,234 tokens", "max_tokens=1234"),
    (402, InsufficientCreditsError, "requires more credits, can only afford 0", "add credits"),
    (402, InsufficientCreditsError, "Insufficient credits", "settings/credits"),
    (403, PermissionDeniedError, error_body("Input flagged", 403, metadata={"reasons": ["violence"]}),
     "moderation", "violence"),
    (403, PermissionDeniedError, error_body("Blocked by guardrail", 403, metadata={"patterns": ["x"]}), "guardrail"),
    (403, PermissionDeniedError, "Workspace budget exceeded", "budget"),
    (403, PermissionDeniedError, "Only management keys can do this", "management key"),
    (403, PermissionDeniedError, "Key limit exceeded (total limit)", "the key has used up its own limit"),
    (403, PermissionDeniedError, unavailable("region_restricted", 403), "region"),
    (404, ModelNotFoundError, "No endpoints found matching your data policy", "settings/privacy"),
    (404, ModelNotFoundError, "No endpoints found that support tool use.", "cannot take tools"),
    (404, ModelNotFoundError, "No allowed providers are available for the selected model.", "only"),
    (404, ModelNotFoundError, "All providers have been ignored.", "ignore"),
    (404, ModelNotFoundError, "No endpoints found that can handle the requested parameters", "require_parameters"),
    (404, ModelNotFoundError, "no endpoints for foo/geode-7b", "exact name"),
    (404, ModelNotFoundError, error_body("Provider returned error", 404, metadata={"raw": "oops"}), "try again"),
    *((404, ModelNotFoundError, unavailable(code, 404, **more), words) for code, more, words in [
        ("constraint_filtered", {"excluded_by": ["max_price"]}, "max_price"),
        ("privacy_restricted", {"excluded_by": ["data_policy:zdr"]}, "data policy"),
        ("constraint_filtered", {"constraint": {"field": "quantization"}}, "quantization"),
        ("constraint_filtered", {"excluded_by": ["require_parameters"]}, "require_parameters"),
        ("no_endpoints", {"fallback_models": ["x/y", "z/w"]}, "x/y, z/w"),
        ("model_deprecated", {"fallback_models": ["x/new"]}, "x/new"), ("model_deprecated", {}, "successor"),
        ("free_variant_ended", {"fallback_models": ["x/paid"]}, "x/paid"),
        ("model_unavailable_upstream", {}, "openrouter.ai/models"),
    ]),
    (400, ModelNotFoundError, unavailable("model_not_found", 400), "maker/model-name"),
    (400, ModelNotFoundError, "acme/pigeon-zdr is not a valid model ID", "maker/model-name"),  # no matter of privacy
    (400, BadRequestError, unavailable("wrong_endpoint", 400), "as the message says"),
    (400, BadRequestError, "This endpoint's maximum context length is 200000 tokens", "shorten"),
    (400, BadRequestError, "Token limit reached", "raise max_tokens"),
    (429, RateLimitError, error_body(
        "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day", 429,
        metadata={"headers": {"X-RateLimit-Reset": "1800057600000"}}), "2027-01-16 00:00", "waiting seconds", "1000 a"),
    (429, RateLimitError, "Rate limit exceeded", "upgrading"),
    (429, RateLimitError, unavailable("capacity_exhausted", 429, retry_after=7), "wait 7 s"),
    (413, APIStatusError, "x", "too large"), (302, APIStatusError, "", "base_url"),
    *((status, ProviderError, "x", "fallbacks") for status in (408, 502, 503, 524, 529)),
]
# what a hint must not say, by what its message says
MISLEADING = {"can only afford 0": "max_tokens=0", "1,234": "max_tokens=1 ", "Token limit": "as the message says",
              "Key limit": "rights", "requested parameters": "exact name", "model_deprecated": "exact name",
              "oops": "exact name", "geode": "region", "pigeon": "data policy"}
# fmt: on


class ErrorTests(Case):
    def test_each_error_says_what_to_do_now_and_no_hint_leads_astray(self):
        for status, kind, body, *words in HINT_CASES:
            whole = error_body(body, status) if body and isinstance(body, str) else body
            error = decode(whole, status, models=("a/b",))
            with self.subTest(body):
                self.assertEqual((type(error), error.status), (kind, status))
                self.assertEqual([w for w in words if w not in error.hint], [], error.hint)
                wrong = [n for w, n in MISLEADING.items() if w in str(body) and n in error.hint]
                self.assertEqual(wrong, [], error.hint)
        hint = decode(error_body("No generation gen-x", 404), 404, models=()).hint
        self.assertTrue("the path and the id" in hint and "maker/model" not in hint, hint)

    def test_an_unknown_model_brings_near_names_and_never_itself(self):
        for wanted, near in [
            ("anthropic/claude-3-opu", "anthropic/claude-3-opus"), ("claude-3-opus", "anthropic/claude-3-opus"),
            ("openai/gpt4", "openai/gpt-4"), ("gpt-4", "openai/gpt-4"),
        ]:  # fmt: skip
            self.assertRaisesRegex(KeyError, near, METADATA.__getitem__, wanted)
            for words in (f"{wanted} is not a valid model ID", f"Model {wanted} does not exist"):
                error = decode(error_body(words), 400, models=(wanted,))
                self.assertIs(type(error), ModelNotFoundError)
                self.assertIn(near, error.hint)
        hint = decode(error_body("openai/gpt-4 is not a valid model ID"), 400, models=("openai/gpt-4",)).hint
        self.assertNotRegex(hint, r"openai/gpt-4(?![\w.-])")
        self.assertLessEqual(hint.count(" or "), 2)

    def test_the_words_of_an_error_reach_its_message(self):
        def upstream(raw):
            return error_body("Provider returned error", 429, metadata={"raw": raw, "provider_name": "Foo"})

        why = {"code": "wrong_endpoint", "retryable": False, "constraint": {"field": "x", "detail": "use /embeddings"}}
        page = "<head><style>b{}</style><title>502 Bad</title></head>" + "<p>cloud</p>" * 99
        for body, words in [
            ({"error": "just words"}, "just words"), ({"odd": 1}, '{"odd": 1}'), (page, "502 Bad cloud cloud"),
            (error_body("no", availability=why), "use /embeddings"), ("", "HTTP 502 without a word"),
            (upstream("the model is limited"), "Provider returned error (Foo): the model is limited"),
            (upstream('{"type":"error","error":{"type":"t","message":"Input \\"x\\" bad"}}'), '(Foo): Input "x" bad'),
            (upstream('{"message":"plain"}'), "(Foo): plain"), (upstream('{"detail":[1]}'), "[1]"),
            (upstream({"error": "as object"}), "(Foo): as object"), (upstream("{broken"), "(Foo): {broken"),
        ]:  # fmt: skip
            message = decode(body, 502).message
            self.assertIn(words, message)
            self.assertTrue("<" not in message and len(message) < 300, message)

    def test_one_table_for_every_place_an_error_can_stand_in(self):
        for fields, status in [
            ({"code": 429}, 429), ({"code": "429"}, 429), ({"code": "server_error"}, 500), ({"http_status": 404}, 404),
            ({"code": "rate_limit_exceeded"}, 429), ({"metadata": {"error_type": "payment_required"}}, 402),
            ({"error_type": "authentication"}, 401), ({"type": "invalid_request"}, 400), ({}, 200),
            ({"code": True}, 200), ({"code": 7}, 200), ({"code": "galaxy"}, 200),
        ]:  # fmt: skip
            error = decode({"error": {"message": "m", **fields}})
            self.assertEqual((error.status, error.message[-3:]), (status, ": m"), fields)
            self.assertIs(type(error), orm.error_class(status))
            self.assertEqual(error.retryable, status in (429, 500), fields)
            self.assertEqual(orm.other_model_may_help(error), status in (404, 429, 500), fields)
        self.assertEqual(decode({"error": "just words", "error_type": "timeout"}).status, 504)
        coded, failed = {"error": {"code": 400}}, {"error": {"code": "server_error", "message": "m"}}
        for body in (
            coded, {"choices": [coded]}, {"choices": [{"finish_reason": "error"}]},
            {"error": {"code": "x"}, "choices": []}, {"type": "error", "error": {"type": "x"}},
            {"type": "response.failed", "response": failed},
        ):  # fmt: skip
            self.assertIsNotNone(orm.find_error(body), body)
        for body in (chunk("a"), {"choices": []}, {"error": None}, [], None, 7):
            self.assertIsNone(orm.find_error(body))

    def test_forms_of_waits(self):
        now, huge = 1_800_000_000.0, "9" * 400
        waits = {"7": 7, "1.5": 1.5, 3: 3, huge: 1e9, "Fri, 15 Jan 2027 08:00:30 GMT": 30}
        dates = ("Fri, 15 Jan 2027 07:59:00 GMT", "Fri, 99 Jan 2027 07:59:00 GMT")
        waits.update(dict.fromkeys(("-1", "soon", "nan", "inf", "", None, *dates)))
        self.assertEqual({value: orm.parse_retry_after(value, now) for value in waits}, waits)
        resets = {"1800000009000": 9, 1_800_000_009: 9, "1799999999000": 0, "60": None, "x": None}
        self.assertEqual({value: orm.parse_reset(value, now) for value in resets}, resets)
        for wait in ("1e20", huge):  # such waits were exceptions of Python's own
            error = decode(error_body("free-models-per-day", 429), 429, {"Retry-After": wait})
            self.assertIn("resets at", error.hint)
        error = decode(error_body("x", 503, availability={"retry_after": 10**400}), 503)
        self.assertGreater(error.retry_after, 1e8)

    def test_which_of_several_waits_counts(self):
        places = [
            ({"metadata": {"retry_after_seconds": 2}}, {}, 2), ({"metadata": {"headers": {"Retry-After": "3"}}}, {}, 3),
            ({}, {"Retry-After": "4"}, 4), ({"availability": {"retry_after": 5}}, {}, 5),
            ({}, {"X-RateLimit-Reset": "1800000009000"}, 9),
            ({"metadata": {"headers": {"X-RateLimit-Reset": "1800000011000"}}}, {}, 11),
        ]  # fmt: skip
        for first, (_, _, wanted) in enumerate(places):  # each wins over all that follow
            fields, headers = {"metadata": {}}, {}
            for more, heads, _ in reversed(places[first:]):
                metadata = {**fields["metadata"], **more.get("metadata", {})}
                fields, headers = {**fields, **more, "metadata": metadata}, {**headers, **heads}
            self.assertEqual(decode(error_body("m", 429, **fields), 429, headers).retry_after, wanted, fields)


# --- Policy ---------------------------------------------------------------------------------


class PolicyTests(Case):
    def step(self, error, models=("a/a",), retries=0, time_left=1e9, chance=0.0, **settings):
        config = LlmConfig(api_key=KEY, log=False, **settings)
        return orm.next_step(error, models, retries=retries, config=config, time_left=time_left, chance=chance)

    def test_what_is_retried_and_when_another_model_is_asked(self):
        def failed(status, message="m", **more):
            return decode(error_body(message, status, **more), status)

        five = ("a/a", "b/b", "c/c", "d/d", "e/e")
        for errors, is_retried, models in [  # the models after these five: the rest, the same again, or none
            ([failed(429), failed(503), APIResponseError("empty", retryable=True)], True, five[3:]),
            ([failed(408), failed(500), failed(529)], True, five[3:]),
            ([failed(429, "free-models-per-day")], False, five[3:]),  # a free daily limit ends at once
            ([failed(404), failed(403, metadata={"reasons": ["x"]})], False, five[3:]),
            ([failed(400, metadata={"error_type": "content_policy_violation"})], False, five[3:]),
            ([failed(400), failed(401), failed(402), failed(403)], False, None),  # no other model cures them
            ([decode(unavailable("x", 404, retryable=True), 404)], True, five[3:]),
            ([decode(unavailable("x", 503, retryable=False), 503)], False, five[3:]),
            ([decode(unavailable("model_not_found", 400), 400)], False, five[1:]),
            ([APIConnectionError("refused"), APITimeoutError("connect")], True, five),
            ([APIConnectionError("no answer", sent=True), APITimeoutError("no data", sent=True)], False, None),
            ([StreamInterruptedError("cut"), APIResponseError("not JSON")], False, None),
        ]:
            for error in errors:
                self.assertEqual(self.step(error).models, ("a/a",) if is_retried else None, repr(error))
                step = self.step(error, five)
                self.assertEqual(step.models, models, repr(error))
                self.assertEqual(step.wait > 0, step.models == five, "to ask another model needs no wait")
        for retries, more, is_retried in [(1, {}, True), (2, {}, False), (0, {"max_retries": 0}, False)]:
            self.assertEqual(self.step(failed(500), retries=retries, **more).models is not None, is_retried)

    def test_the_wait_doubles_is_capped_and_shortened_by_chance(self):
        error = decode(error_body("m", 500), 500)
        waits = [self.step(error, retries=n, max_retries=99).wait for n in range(7)]
        self.assertEqual(waits, [0.5, 1, 2, 4, 8, 8, 8])
        self.assertEqual(self.step(error, retries=5, max_retries=99, retry_wait_max=3).wait, 3)
        self.assertEqual(self.step(error, retries=0, chance=1.0).wait, 0.25)
        for wait, time_left, note in [("3600", 1e9, "3,600 s, later than retry_wait_max"), ("9", 5, "deadline")]:
            step = self.step(decode(error_body("m", 429), 429, {"Retry-After": wait}), time_left=time_left)
            self.assertIsNone(step.models)
            self.assertIn(note, step.note)


# --- Prices ---------------------------------------------------------------------------------

# The models that the page names whose blocks PageTests runs.
PAGE_MODELS = """
    openai/gpt-3.5-turbo openai/gpt-4 openai/gpt-4-turbo anthropic/claude-2 anthropic/claude-3-opus
    google/gemini-pro mistralai/mistral-tiny mistralai/mistral-medium meta-llama/llama-2-13b-chat
"""


class PriceTests(Case):
    def test_the_table_is_sorted_dated_and_sound(self):
        ids = [line.split(" ")[0] for line in orm.PRICE_ROWS.split("\n") if line]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertGreater(len(ids), 430)
        self.assertRegex(orm.PRICES_AS_OF, r"^\d{4}-\d\d-\d\d$")
        for model_id, model in METADATA.items():
            prices = [price for price in dataclasses.astuple(model.pricing) if price is not None]
            self.assertTrue(all(price >= 0 for price in prices), model_id)
            self.assertRegex(model_id, r"^[\w.-]+/[\w.:-]+$")
            self.assertEqual([t for t, _ in model.tiers], sorted(t for t, _ in model.tiers))
        for alias, target in (line.split(" ") for line in orm.ALIAS_ROWS.split("\n") if line):
            self.assertIn(target, METADATA, alias)
            self.assertEqual(METADATA[alias].id, target)
        for model in PAGE_MODELS.split():
            self.assertIsNotNone(METADATA[model].pricing.completion, model)

    def test_look_ups(self):
        for name in ("openrouter-openai/gpt-4", "openai/gpt-4:nitro", "openai/gpt-4:nitro:online"):
            self.assertIs(METADATA[name], METADATA["openai/gpt-4"])
            self.assertIn(name, METADATA)
        for name in ("openai/nothing", 7, None):
            self.assertNotIn(name, METADATA)
            self.assertIsNone(METADATA.get(name))
            self.assertRaises(KeyError, METADATA.__getitem__, name)
        self.assertEqual(len(METADATA), len(list(METADATA)))
        self.assertFields(METADATA["openai/gpt-4"].pricing, input=30, output=60, prompt=0.3, completion=0.6)
        self.assertFields(orm.Pricing(), prompt=None, completion=None)
        self.assertEqual([threshold for threshold, _ in METADATA["anthropic/claude-sonnet-4"].tiers], [200000])

    def test_the_cost_of_a_usage(self):
        opus, sonnet, gpt = "anthropic/claude-3-opus", "anthropic/claude-sonnet-4", "openai/gpt-4"
        for model, usage, cost in [
            (gpt, Usage(1000, 1000), 0.09), (gpt, Usage(0, 0), 0), (gpt, Usage(1000, 0, 0, 400), 0.03),
            (opus, Usage(1000, 0, 0, 400, 100), (500 * 15 + 400 * 1.5 + 100 * 18.75) / 1e6),
            (opus, Usage(1000, 0, 0, 900, 800), (100 * 15 + 900 * 1.5 + 800 * 18.75) / 1e6),
            (sonnet, Usage(200_000, 0), 0.6), (sonnet, Usage(200_001, 0), round(200_001 * 6 / 1e6, 12)),  # upper tier
            *((unknown, Usage(1000, 1000), None) for unknown in ("openrouter/auto", "no/model", None)),
        ]:  # fmt: skip
            self.assertEqual(orm.estimate_cost(model, usage), cost, (model, usage))
        for model, usage, *cost in [
            (gpt, Usage(1000, 0, cost=0.5), 0.5, "reported"), (gpt, Usage(1000, 0, cost=0), 0, "reported"),
            (gpt, Usage(1000, 0, cost=0.5, upstream_cost=2.0), 0.5, "reported"),
            (gpt, Usage(1000, 0, cost=0.5, is_byok=True, upstream_cost=2.0), 2.5, "reported"),
            (gpt, Usage(1000, 0, cost=0.5, is_byok=True), 0.5, "reported"), (gpt, Usage(1000, 0), 0.03, "estimated"),
            (gpt, Usage(), None, None), ("no/model", Usage(5, 5), None, None),
        ]:  # fmt: skip
            self.assertEqual(orm.cost_of(model, usage), tuple(cost), usage)
        for usage, cost in [  # tokens that nobody counted cost nothing estimated
            ({"prompt_tokens": None, "completion_tokens": None}, None), ({"total_tokens": 900}, None), ([1], None),
            ({"prompt_tokens": "1000", "completion_tokens": "0"}, 0.03),
            ({"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 500}}, 0.015),
            ({"prompt_tokens": 1000, "completion_tokens": 0, "cost": -1}, 0.03),
        ]:  # fmt: skip
            completion = orm.decode_completion({**answer(), "model": gpt, "usage": usage})
            self.assertEqual(completion.cost, cost, usage)

    def test_live_entries_of_any_shape(self):
        overrides = [{"min_prompt_tokens": 5, "prompt": "0.000002"}, {"utc_start": 0, "min_prompt_tokens": 1}, None]
        pricing = {"prompt": "0.000001", "completion": "-1", "overrides": overrides}
        odd = {"context_length": None, "top_provider": {"max_completion_tokens": None}}
        more = {"architecture": {"input_modalities": ["text", "image"]}, "supported_parameters": ["tools"]}
        model = orm.model_from_listing({"id": "x/y", "name": "Y", "pricing": pricing, **odd, **more})
        self.assertEqual((model.pricing.input, model.pricing.output, model.tools), (1, None, True))
        self.assertEqual((model.pricing_at(6).input, len(model.tiers)), (2, 1))
        orm.model_from_listing({"id": "x/z"})
        for listed, price in [
            ("0.0000000208333333333333", 0.0208333333333333), ("0.00000015", 0.15), ("0.0000006", 0.6),
            ("0.0000000000001", 1e-07), ("-1", None), ("0.000075", 75.0), (1.5e-07, 0.15), ("0", 0.0),
        ]:  # fmt: skip
            with self.subTest("a listed price was rounded", listed=listed):
                model = orm.model_from_listing({"id": "a/one", "pricing": {"prompt": listed, "completion": listed}})
                self.assertFields(model.pricing, input=price, output=price)


# --- Configuration --------------------------------------------------------------------------

# fmt: off
# (settings, what the error says of each of them)
BAD_SETTINGS = [
    ({"provider": "openai"}, "provider"), ({"api_key": 7}, "api_key"), ({"api_key": ""}, "api_key is empty"),
    ({"api_key": "sk-or-a\r\nX: y"}, "api_key"), ({"api_key": "sk-or-\u00e9"}, "api_key"),
    ({"model": 7}, "model=7"), ({"model": "a b"}, "model='a b'"), ({"model": ""}, "is not a model name"),
    ({"model": 0}, "is not a model name"), ({"temperature": 2.1}, "temperature=2.1"),
    ({"temperature": -0.1}, "between 0 and 2"), ({"temperature": "hot"}, "temperature is a str"),
    ({"temperature": True}, "temperature is a bool"), ({"temperature": float("nan")}, "temperature=nan"),
    ({"max_tokens": -5}, "max_tokens=-5"), ({"max_tokens": 0}, "max_tokens=0"),
    ({"max_tokens": 1.5}, "max_tokens is a float"), ({"fallbacks": "a/b"}, "fallbacks"),
    ({"fallbacks": [7]}, "fallbacks"), ({"system_prompt": 7}, "system_prompt"),
    *(({"base_url": url}, "base_url") for url in (
        "ftp://x", "file:///etc/passwd", "openrouter.ai", "", "https://u:p@x/", "https://x/?a=b",
        "https://x/\r\nX: y", "https://x:99999")),
    *(({"base_url": f"http://{host}/v1"}, "allow_plain_http") for host in (
        "example.com", "127.evil.com", "localhost.evil.com", "0.0.0.0.example.com", "10.0.0.0", "0.0.0.1", "[::2]")),
    ({"timeout": 0}, "timeout"), ({"timeout": None}, "timeout"), ({"deadline": -1}, "deadline"),
    ({"max_retries": -1}, "max_retries"), ({"max_retries": 1.5}, "max_retries"),
    ({"retry_wait_max": "x"}, "retry_wait_max"), ({"log": 7}, "log"), ({"log_content": "no"}, "log_content"),
    ({"temprature": 1}, "did you mean temperature"), ({"maxTokens": 1}, "did you mean max_tokens"),
    ({"galaxy": 1}, "params="), ({"headers": ["a"]}, "headers"), ({"params": ["x"]}, "params"),
    *(({"headers": {name: value}}, words) for name, value, words in [
        ("X-Title", "a\nb", "X-Title"), ("X-Title", "a\rb", "X-Title"), ("X-Title", "a\0b", "X-Title"),
        ("X-Title", 7, "X-Title"), ("X-Title", "\u4f60", "Latin-1"), ("X-Title\n", "a", "header name"),
        ("Authorization", "Bearer x", "api_key"), ("content-length", "3", "set for you"),
    ]),
    *(({"params": {name: value}}, words) for name, value, words in [  # they let pass what the settings refuse
        ("max_token", 5, "max_tokens"), ("top_p", 7, "top_p"), ("temperature", 9, "temperature=9 is out"),
        ("max_tokens", -3, "max_tokens"), ("model", "a/b", "is a setting"), ("timeout", 5, "is a setting"),
        ("messages", [], "messages is not an option"), ("modle", "a/b", "did you mean model"),
    ]),
]
# fmt: on


class ConfigTests(Case):
    def test_each_bad_value_is_named_with_its_fix(self):
        for settings, words in BAD_SETTINGS:
            for make in (LlmConfig, Llm):
                with self.subTest(settings), self.assertRaises(ConfigError) as caught:
                    make(**settings)
                self.assertIn(words, str(caught.exception), settings)
                self.assertTrue(caught.exception.hint, settings)
        self.assertRaises(ConfigError, Llm, {"model": "a/b"})
        self.assertTrue(issubclass(ConfigError, ValueError))

    def test_defaults_come_from_the_environment(self):
        environ = {"OPENROUTER_API_KEY": f" {KEY}\n", "OPENROUTER_MODEL": "x/y", "OPENROUTER_BASE_URL": "https://z/v1/"}
        given = {"api_key": "other-key-1", "model": "a/b", "base_url": "https://w"}
        with mock.patch.dict(os.environ, environ):
            self.assertFields(LlmConfig(), api_key=KEY, model="x/y", base_url="https://z/v1")
            self.assertIn("OPENROUTER_API_KEY", LlmConfig().key_source)
            self.assertFields(LlmConfig(**given), **given)
            self.assertIn("argument", LlmConfig(**given).key_source)
        self.assertFields(LlmConfig(), model=orm.DEFAULT_MODEL, base_url=orm.BASE_URL, log_content=True)
        for word in ("0", "off", "False", "NO"):
            with mock.patch.dict(os.environ, {"OPENROUTER_MIN_LOG_CONTENT": word}):
                self.assertFalse(LlmConfig().log_content, word)
        for url in ("http://127.0.0.1:8000/api/v1", "http://localhost", "http://[::1]:80/x", "http://[::]:8080/v1"):
            self.assertEqual(LlmConfig(base_url=url).base_url, url)
        self.assertEqual(LlmConfig(base_url="http://gw.lan", allow_plain_http=True).base_url, "http://gw.lan")
        named = LlmConfig(provider="openrouter", api_key=KEY, model="a/b", temperature=0.5, max_tokens=10)
        self.assertEqual(LlmConfig("openrouter", KEY, "a/b", 0.5, 10), named)  # the positions of the page

    def test_the_key_is_never_in_a_repr(self):
        config = LlmConfig(api_key=KEY, model=KEY, headers={"X-Key": KEY}, system_prompt=KEY, params={"user": KEY})
        for thing in (config, Llm(config), Llm(config).stream("x"), dataclasses.replace(config, temperature=1)):
            self.assertNotIn(KEY, repr(thing) + str(thing))
        with self.assertRaises(ConfigError) as caught:
            LlmConfig(base_url="https://x/?key=" + KEY)
        self.assertNotIn(KEY, str(caught.exception))

    def test_bad_calls_raise_before_anything_is_sent(self):
        server = self.serve()
        llm = self.llm(server, max_retries=2)
        ask, chat, send = llm.complete, llm.chat, llm.request
        for call, words in [
            (lambda: ask(""), "empty"), (lambda: ask(" \n"), "empty"), (lambda: ask(7), "prompt is an int"),
            (lambda: ask([{"role": "user", "content": "x"}]), "chat()"), (lambda: chat("hi"), "complete()"),
            (lambda: chat([]), "messages is empty"), (lambda: chat([{"content": "x"}]), "messages[0]"),
            (lambda: chat(["x"]), "messages[0]"), (lambda: chat({"role": "user"}), "messages is a dict"),
            (lambda: llm.stream(None), "messages is None"), (lambda: send("POST", "/x", [1]), ""),
            (lambda: send("POST", "/x", "str"), ""), (lambda: send("GET", "http://evil/"), "path="),
            (lambda: send("GET", "/x\r\nY: z"), "path="), (lambda: send("BREW", "/x"), "method="),
            (lambda: llm.embed([], model="x/y"), "texts is empty"), (lambda: llm.generation(None), ""),
            (lambda: llm.embed("a", model="e/m", modle=1), "did you mean model"),
            (lambda: Llm(base_url=server.url, log=False).complete("hi"), "OPENROUTER_API_KEY"),
            (lambda: asyncio.run(llm.acomplete("")), ""), (lambda: asyncio.run(llm.achat([])), ""),
            (lambda: asyncio.run(llm.acomplete("x", max_token=1)), ""),
            *((lambda params=params: ask("hi", **params), words) for params, words in [
                ({"max_tokens": -1}, "max_tokens=-1"), ({"modell": "x"}, "did you mean model"),
                ({"time_out": 3}, "did you mean timeout"), ({"api_key": "x"}, "api_key can't be set per call"),
                ({"base_url": "x"}, "base_url can't be set per call"), ({"provider": "openai"}, "routing object"),
                ({"seed": {1}}, "seed can't be sent as"), ({"seed": float("nan")}, "seed can't be sent as JSON"),
                ({"headers": {"X": "a\nb"}}, "line break"), ({"action_id": {1}}, "action_id"),
                ({"models": ["x/y"], "fallbacks": ["z/w"]}, "fallbacks and models"),
                ({"model": ""}, "is not a model name"), ({"model": 0}, "is not a model name"),  # asked for another one
            ]),
            (lambda: llm.stream("hi", temperature=3), "temperature=3"), (lambda: llm.close() or ask("hi"), "closed"),
        ]:  # fmt: skip
            with self.subTest(words), self.assertRaises(ConfigError) as caught:
                call()
            self.assertIn(words, str(caught.exception))
        self.assertEqual(server.requests, [])


# --- Operation log --------------------------------------------------------------------------


class LogTests(Case):
    def setUp(self):
        super().setUp()
        self.path = self.folder() / "sub" / "log.db"

    def rows(self, **filters):
        return LlmOperationCollector.from_db(self.path, **filters)

    def ask(self, *script, way=by_complete, **settings):
        """Ask a mock server once per step; errors are what some steps are for."""
        with MockOpenRouter(*script) as server:
            settings = {"api_key": KEY, "model": "openai/gpt-4", "max_retries": 0, "log": self.path, **settings}
            with Llm(base_url=server.url, **settings) as llm:
                for _ in script:
                    with contextlib.suppress(OpenRouterError):
                        way(llm)

    def logged(self, *script):
        return self.llm(self.serve(*script), log=self.path)

    def insert(self, *rows):
        """Write these rows, without a call, to the log."""
        with contextlib.closing(orm.connect_log(str(self.path))) as connection:
            for row in rows:
                row = {"operation_id": os.urandom(8).hex(), "status": "ok", **row}
                sql = f"INSERT INTO operations ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
                connection.execute(sql, list(row.values()))

    def test_what_a_row_holds(self):
        ours = {"session_id": "s", "workspace": "w", "agent_id": "a", "temperature": 0.5, "max_tokens": 9}
        ours["system_prompt"] = "Be brief"
        self.ask("Hello there", **ours, params={"top_p": 0.5}, fallbacks=["x/y"])
        row = self.rows()[0]
        expected = {
            **ours, "operation_type": "completion", "provider": "openrouter", "model": "openai/gpt-4",
            "served_model": "openai/gpt-4", "upstream_provider": "Mock", "generation_id": "gen-mock-1", "status": "ok",
            "success": 1, "finish_reason": "stop", "user_prompt": "hi", "response": "Hello there", "output_tokens": 2,
            "cost_source": "reported", "attempts": 1, "error_type": None, "error_message": None,
        }  # fmt: skip
        self.assertFields(row, **expected)
        self.assertEqual(json.loads(row["messages"])[1], {"role": "user", "content": "hi"})
        self.assertEqual(json.loads(row["completion_args"])["top_p"], 0.5)
        self.assertRegex(row["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")
        self.assertEqual(list(row), list(orm.LOG_COLUMNS))
        self.assertEqual(LlmOperationCollector.get(row["operation_id"], path=self.path), row)
        self.assertIsNone(LlmOperationCollector.get("nothing", path=self.path))
        if os.name != "nt":
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        body = {"model": "openai/gpt-4", "messages": [{"role": "user", "content": "hi"}]}
        self.ask("ok", way=lambda llm: llm.request("POST", "/chat/completions", body))
        self.assertFields(self.rows()[0], operation_type="completion", user_prompt="hi")

    def test_rows_of_other_apis_and_failures_lost_what_was_reported(self):
        usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "cost": 0.5}
        text = [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}]
        done = {"id": "gen-9", "model": "a/c", "usage": usage, "output": text}
        streamed = sse_answer(event({"type": "response.completed", "response": done}) + DONE)
        llm = self.logged(streamed, json_answer(done), json_answer({**answer(), "choices": []}))
        list(llm.request("POST", "/responses", {"model": "a/b", "stream": True, "input": "x"}))
        llm.request("POST", "/responses", {"model": "a/b", "input": "x"})
        self.assertRaises(APIResponseError, llm.complete, "x")
        failed, *rows = self.rows()
        self.assertFields(failed, cost=0.5, total_tokens=5)
        wanted = {"served_model": "a/c", "generation_id": "gen-9", "response": "Hello", "status": "ok"}
        for row in rows:
            self.assertFields(row, cost=0.5, total_tokens=5, **wanted)

    def test_filters_and_totals(self):
        self.ask("apple pie", "banana", 401, session_id="one")
        self.ask("cherry", session_id="two", agent_id="bot", model="no/price")
        for filters, count in [
            ({}, 4), ({"limit": 2}, 2), ({"status": "error"}, 1), ({"session_id": "one"}, 3), ({"agent_id": "bot"}, 1),
            ({"model": "no/price"}, 1), ({"provider": "openrouter"}, 4), ({"provider": "other"}, 0),
            ({"search": "APPLE"}, 1), ({"since": "2020-01-01"}, 4), ({"until": "2020-01-01"}, 0),
        ]:  # fmt: skip
            self.assertEqual(len(self.rows(**filters)), count, filters)
        self.assertEqual(self.rows(limit=1)[0]["response"], "cherry")
        totals = {row["model"]: row for row in LlmOperationCollector.totals("model", path=self.path)}
        self.assertFields(totals["openai/gpt-4"], calls=3, errors=1, unpriced=0)
        self.assertGreater(totals["openai/gpt-4"]["cost"], 0)
        self.assertFields(totals["no/price"], calls=1, cost=None, unpriced=1)
        with self.assertRaisesRegex(ConfigError, "by is one of"):
            LlmOperationCollector.totals("prompt; DROP TABLE operations", path=self.path)

    def test_percentiles_are_of_successful_calls(self):
        now = orm.utc_timestamp()
        self.insert(*({"timestamp": now, "success": 1, "latency_ms": n * 10} for n in range(1, 20)))
        self.insert({"timestamp": now, "success": 0, "latency_ms": 99999, "status": "error"})
        self.assertFields(LlmOperationCollector.totals(path=self.path)[0], p50_ms=100, p95_ms=190, calls=20)

    def test_query_is_read_only(self):
        self.ask("x")
        query = functools.partial(LlmOperationCollector.query, path=self.path)
        found = query("SELECT count(*) AS n FROM operations WHERE model = ?", ["openai/gpt-4"])
        self.assertEqual(found, [{"n": 1}])
        other = self.path.parent / "other.db"
        statements = ["DELETE FROM operations", "DROP TABLE operations", "nonsense", "SELECT 1; SELECT 2"]
        for sql in [*statements, f"ATTACH '{other}' AS other"]:
            self.assertRaises(ConfigError, query, sql)
        with contextlib.suppress(ConfigError):
            query("PRAGMA user_version = 9")
        self.assertEqual((len(self.rows()), query("PRAGMA user_version")[0]["user_version"]), (1, 1))
        self.assertFalse(other.exists())

    def test_purge_deletes_old_rows_and_shrinks_the_file(self):
        old, now = "2020-01-01T00:00:00.000+00:00", orm.utc_timestamp()
        self.insert(*({"timestamp": moment, "response": "word " * 3000} for moment in [old] * 28 + [now] * 2))
        size = self.path.stat().st_size
        self.assertEqual(LlmOperationCollector.purge(before="2021-01-01", path=self.path), 28)
        self.assertLess(self.path.stat().st_size, size / 3)
        self.assertEqual(len(self.rows()), 2)

    def test_a_log_that_does_not_exist_is_empty(self):
        with MockOpenRouter() as server:
            self.assertGreater(len(Llm(base_url=server.url, log=self.path).models()), 400)  # a GET leaves no row
        self.assertEqual(self.rows(), [])
        self.assertEqual(str(self.rows().select(["model", "cost"])).split(), "model cost ----- ---- (no rows)".split())
        self.assertEqual(len(LlmOperationCollector.totals(path=self.path).select(["model", "cost"])), 0)
        self.assertEqual(LlmOperationCollector.purge(before="2021-01-01", path=self.path), 0)
        self.assertFalse(self.path.exists())

    def test_other_files_are_never_written_to_and_warn_once(self):
        folder = self.path.parent
        (folder / "folder.db").mkdir(parents=True)
        newer, foreign, text = (folder / name for name in ("newer.db", "foreign.db", "text.db"))
        orm.connect_log(str(newer)).close()
        for path, sql in [(newer, "PRAGMA user_version = 99"), (foreign, "CREATE TABLE t (x)")]:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute(sql)
        text.write_text("not a database, but a letter to a friend. " * 50)
        server = self.serve(*[json_answer(answer())] * 15)
        for path in (foreign, newer, text, folder / "folder.db", text / "under-a-file.db"):
            before = path.read_bytes() if path.is_file() else None
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                llm = self.llm(server, log=path)
                self.assertEqual([by_complete(llm) for _ in range(3)], ["Hello"] * 3)
            self.assertEqual(len(caught), 1, path)
            self.assertIn("log", str(caught[0].message))
            if path.exists():
                with self.assertRaisesRegex(ConfigError, "can't be changed"):
                    LlmOperationCollector.purge(before="2030-01-01", path=path)
            self.assertEqual(path.read_bytes() if path.is_file() else None, before)
        self.assertRaises(ConfigError, LlmOperationCollector.from_db, text)

    def test_warnings_as_errors_do_not_cost_the_answer(self):
        self.path.mkdir(parents=True)
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()) as shown:
            warnings.simplefilter("error")
            self.assertEqual(self.logged(json_answer(answer())).complete("hi").content, "Hello")
        self.assertIn("continuing without it", shown.getvalue())

    def test_where_the_log_is(self):
        self.assertEqual([orm.log_path(None), orm.log_path(False)], [None, None])  # the environment says off
        self.assertEqual(orm.log_path("x.db"), str(Path("x.db").absolute()))
        with mock.patch.dict(os.environ, {"OPENROUTER_MIN_LOG": str(self.path)}):
            self.assertEqual(orm.log_path(None), str(self.path))
            self.ask("x", log=None)
            self.assertEqual(len(LlmOperationCollector.from_db()), 1)
        with mock.patch.dict(os.environ, {"HOME": "/home/x", "XDG_STATE_HOME": ""}):
            del os.environ["OPENROUTER_MIN_LOG"]
            for platform, end in [("linux", ".local/state"), ("darwin", "Library/Application Support")]:
                with mock.patch.object(sys, "platform", platform):
                    self.assertIn(end, (orm.log_path(None) or "").replace("\\", "/"))

    def test_the_table_is_aligned_and_carries_no_control_code(self):
        odd = {"model": "a/b\x1b[31m\nX\x9b", "cost": 0.5, "n": 1200}
        rows = Operations([odd, {"model": "x" * 99, "cost": None, "n": 7}])
        lines = str(rows).split("\n")
        self.assertNotRegex(str(rows).replace("\n", ""), r"[\x00-\x1f\x7f-\x9f]")
        self.assertEqual(len(lines), 4)
        self.assertTrue(lines[2].endswith("0.5  1200") and lines[3].endswith("-     7"), lines)
        narrow = orm.format_table(rows.columns, [list(r.values()) for r in rows], 40).split("\n")
        self.assertEqual([line.strip() for line in narrow[2:]], ["x" * 99, "cost -  n 7"])  # no name is cut
        self.assertRaisesRegex(KeyError, "no column 'price'", rows.select, ["price"])

    def test_a_moment_that_is_none_emptied_the_whole_log(self):
        self.insert({"timestamp": "2020-01-01T00:00:00.000+00:00"})
        for moment in ("30 days ago", "yesterday", "25.11.2026", 5):
            with self.assertRaisesRegex(ConfigError, "is not a date or time"):
                LlmOperationCollector.purge(before=moment, path=self.path)
            self.assertRaisesRegex(ConfigError, "is not a date or time", self.rows, since=moment)
        self.assertEqual(len(self.rows()), 1)

    @unittest.skipUnless(hasattr(time, "tzset"), "the time zone can't be set here")
    def test_moments_of_any_zone_and_form_compare_and_without_a_zone_are_local(self):
        self.insert(*({"timestamp": f"2026-11-23T{hour:02}:00:00.000+00:00"} for hour in range(24)))
        self.addCleanup(time.tzset)
        with mock.patch.dict(os.environ, {"TZ": "JST-9"}):
            time.tzset()
            for moment, count in [
                ("2026-11-23", 24), ("2026-11-24", 9), ("2026-11-23T14:00", 19), ("2026-11-23T14:00+09:00", 19),
                ("2026-11-23 05:00:00+00:00", 19), ("2026-11-23T05:00:00Z", 19),
                (datetime.datetime(2026, 11, 23, 14), 19),
                (datetime.datetime(2026, 11, 23, 5, tzinfo=datetime.timezone.utc), 19),
            ]:  # fmt: skip
                found = [len(self.rows(**{end: moment})) for end in ("since", "until")]
                self.assertEqual(found, [count, 24 - count], moment)
            days = {row["day"]: row["calls"] for row in LlmOperationCollector.totals("day", path=self.path)}
            self.assertEqual(days, {"2026-11-23": 15, "2026-11-24": 9})
            self.assertEqual(LlmOperationCollector.purge(before="2026-11-24", path=self.path), 15)

    def test_one_odd_value_switched_the_log_off(self):
        odd = answer("x\ud83d")  # and half of a surrogate pair costs neither call nor row
        odd["usage"]["prompt_tokens"] = 10**19
        llm = self.logged(json_answer(odd), json_answer(answer()))
        self.assertEqual(llm.complete("y\ude00").content, "x\ud83d")
        llm.complete("two")
        self.assertEqual([(r["status"], r["response"]) for r in self.rows()], [("ok", "Hello"), ("ok", "x?")])

    @unittest.skipIf(os.name == "nt", "an open file can't be removed")
    def test_a_removed_log_swallowed_rows(self):
        llm = self.logged(*[json_answer(answer())] * 2)
        llm.complete("one")
        for file in self.path.parent.iterdir():
            file.unlink()
        llm.complete("two")
        self.assertEqual([row["user_prompt"] for row in self.rows()], ["two"])


# --- Client ---------------------------------------------------------------------------------


class CallTests(Case):
    def test_every_field_of_a_completion(self):
        body = {**answer("Hello"), "created": 123}
        body["choices"][0]["native_finish_reason"] = "STOP"
        done = self.llm(self.serve(json_answer(body)), model="x/asked").complete("hi")
        self.assertFields(
            done, model="a/b", requested_model="x/asked", provider="P", id="gen-1", created=123, finish_reason="stop",
            native_finish_reason="STOP", usage=Usage(3, 2, 5, cost=0.5), cost=0.5, cost_source="reported",
            first_token_ms=None, raw=body, attempts=[orm.Attempt(("x/asked",), 200)],
        )  # fmt: skip
        self.assertGreaterEqual(done.latency_ms, 0)

    def test_the_request_on_the_wire(self):
        server = self.serve(*[json_answer(answer())] * 3)
        llm = self.llm(server, headers={"HTTP-Referer": "https://d.com", "X-Title": "App"})
        llm.complete("h\u00e9 \U0001f600", temperature=0.5, top_p=0.25, headers={"x-title": "Other"})
        messages = [{"role": "user", "content": "x\ude00"}]
        llm.chat(messages, provider={"sort": "price"}, galaxy=[1], temperature=None, model=None)
        Llm(base_url=server.url, api_key=KEY, log=False).complete("plain")
        first, second, third = server.requests
        self.assertEqual((first.method, first.path), ("POST", "/api/v1/chat/completions"))
        sent = {"authorization": f"Bearer {KEY}", "http-referer": "https://d.com", "x-title": "Other"}
        self.assertEqual({name: first.headers[name] for name in sent}, sent)
        self.assertIn("\U0001f600".encode(), first.body)
        self.assertEqual(list(first.json), ["model", "messages", "temperature", "top_p"])
        self.assertIn(b"\\ude00", second.body)
        body = {"model": "a/b", "messages": messages, "provider": {"sort": "price"}, "galaxy": [1]}
        self.assertEqual(second.json, body)
        self.assertEqual([k for k, _ in second.header_lines].count("X-Title"), 1)
        names = "host accept-encoding user-agent accept content-type content-length authorization"
        self.assertEqual(set(third.headers), set(names.split()))

    def test_config_reaches_the_body_and_calls_override_it(self):
        settings = {"temperature": 0.7, "max_tokens": 10, "params": {"top_k": 3}, "session_id": "s1"}
        user, system = {"role": "user", "content": "hi"}, {"role": "system", "content": "S"}
        sent = {"model": "a/b", "temperature": 0.7, "max_tokens": 10, "top_k": 3, "session_id": "s1"}
        changes = {"model": "x/y", "temperature": 0, "top_k": 4}
        more = {**changes, "max_tokens": None, "system_prompt": "T"}
        without_limit = {name: value for name, value in sent.items() if name != "max_tokens"}
        server = self.serve(*[json_answer(answer())] * 4)
        llm = self.llm(server, system_prompt="S", **settings)
        for messages, params, messages_sent, rest in [
            ([user], {}, [system, user], sent),
            ([user], more, [{**system, "content": "T"}, user], {**without_limit, **changes}),
            ([{**system, "content": "own"}, user], {}, [{**system, "content": "own"}, user], sent),
            ([user, {**system, "content": "last"}], {}, [user, {**system, "content": "last"}], sent),
        ]:
            given = copy.deepcopy(messages)
            llm.chat(messages, **params)
            self.assertEqual(server.requests[-1].json, {**rest, "messages": messages_sent})
            self.assertEqual(messages, given)

    def test_a_stream_sends_nothing_before_it_is_read_and_is_read_once(self):
        server = self.serve(sse_answer(WHOLE_STREAM))
        stream = self.llm(server).stream("hi")
        with self.assertRaisesRegex(StreamInterruptedError, "not at its end"):
            stream.completion  # noqa: B018
        self.assertEqual(server.requests, [])
        self.assertEqual(list(stream), ["Hel", "lo"])
        self.assertFields(stream.completion, content="Hello", finish_reason="stop")
        self.assertIsNotNone(stream.completion.first_token_ms)
        self.assertRaisesRegex(ConfigError, "read once", list, stream)

    def test_chunks_show_reasoning_tools_and_usage(self):
        events = [
            chunk("", delta={"reasoning": "hm"}),
            chunk(delta={"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": ""}}]}),
            chunk("x", "stop"),
            {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0}},
        ]
        llm = self.llm(self.serve(*[sse_answer(b"".join(map(event, events)) + DONE)] * 2))
        stream = llm.stream("hi")
        chunks = list(stream.chunks())
        self.assertEqual(asyncio.run(gathered(llm.stream("hi").chunks())), chunks)
        self.assertEqual([c.reasoning for c in chunks], ["hm", "", "", ""])
        self.assertEqual((chunks[1].tool_calls[0]["id"], chunks[2].finish_reason), ("t", "stop"))
        self.assertEqual((chunks[3].usage.cost, chunks[3].raw), (0, events[3]))
        self.assertEqual((stream.completion.tool_calls[0].args, stream.completion.message["reasoning"]), ({}, "hm"))

    def test_fallbacks_are_sent_and_used(self):
        unknown = json_answer(error_body("a/a is not a valid model ID"), 400)
        missing = json_answer(error_body("No endpoints found", 404), 404)
        server = self.serve(unknown, missing, json_answer({**answer(), "model": "f/f"}))
        llm = self.llm(server, model="a/a", fallbacks=["b/b", "c/c", "d/d", "e/e", "f/f"], max_retries=2)
        waits = instant(llm)
        done = llm.complete("hi")
        sent = [request.json["models"] for request in server.requests]
        self.assertEqual(sent, [["a/a", "b/b", "c/c"], ["b/b", "c/c", "d/d"], ["e/e", "f/f"]])
        self.assertNotIn("model", server.requests[0].json)
        self.assertFields(done, requested_model="a/a", model="f/f")
        self.assertEqual(([a.status for a in done.attempts], sum(waits)), ([400, 404, 200], 0))

    def test_async_calls_run_in_parallel(self):
        everyone = threading.Barrier(40)

        def answer_when_all_ask(request):
            everyone.wait(5)
            return json_answer(answer())

        async def run():
            return await asyncio.gather(*(llm.acomplete("hi") for _ in range(40)))

        llm = self.llm(self.serve(*[answer_when_all_ask] * 40))
        self.assertEqual(len(asyncio.run(run())), 40)

    def test_request_is_the_door_to_all_other_apis(self):
        sound = b"\x00\x01MP3"
        server = self.serve(
            json_answer({"results": [1]}), http_answer(sound, content_type="audio/mpeg"), json_answer([1, 2]),
            sse_answer(event({"type": "a"}) + event({"type": "b"}) + DONE), json_answer(error_body("m", 402), 402),
            json_answer({"data": {"usage": 1}}), json_answer({"data": {"id": "gen-1"}}),
        )  # fmt: skip
        llm = self.llm(server)
        self.assertEqual(llm.request("POST", "/rerank", {"query": "x"}), {"results": [1]})
        self.assertEqual(llm.request("POST", "audio/speech", {"input": "x"}), sound)
        self.assertEqual(llm.request("GET", "/things"), [1, 2])
        events = llm.request("POST", "/responses", {"input": "x", "stream": True})
        self.assertEqual([e["type"] for e in events], ["a", "b"])
        self.assertRaises(InsufficientCreditsError, llm.request, "POST", "/rerank", {})
        self.assertEqual((llm.key(), llm.generation("gen 1&x")), ({"usage": 1}, {"id": "gen-1"}))
        self.assertEqual([r.path for r in server.requests[-2:]], ["/api/v1/key", "/api/v1/generation?id=gen%201%26x"])
        self.assertEqual(server.requests[0].json, {"query": "x"})

    def test_embeddings_in_order_and_from_base64(self):
        data = [{"index": 1, "embedding": "AACAPwAAAEA="}, {"index": 0, "embedding": [0.5]}]  # the text is 1.0, 2.0
        usage = {"prompt_tokens": 4, "total_tokens": 4, "cost": 0.25}
        server = self.serve(json_answer({"data": data, "model": "e/m", "usage": usage}))
        llm = self.llm(server)
        more = {"timeout": 5, "agent_id": "me", "headers": {"X-A": "b"}}  # these went into the body
        vectors = llm.embed(["a", "b"], model="e/m", dimensions=2, **more)
        self.assertEqual((list(vectors), vectors.cost, vectors.model), ([[0.5], [1.0, 2.0]], 0.25, "e/m"))
        self.assertEqual(server.requests[0].json, {"model": "e/m", "input": ["a", "b"], "dimensions": 2})
        self.assertEqual(server.requests[0].headers["x-a"], "b")
        self.assertFields(llm.usage, cost=0.25, prompt_tokens=4)

    def test_models_follow_the_pages_and_need_no_key(self):
        def page(n, link):
            entry = {"id": f"x/model-{n}", "name": f"The Model {n}", "pricing": {"prompt": "-1"}}
            return json_answer({"data": [entry], "total_count": 2, "links": {"next": link}})

        server = self.serve(page(1, "/api/v1/models?offset=1&limit=1"), page(2, None), page(1, None))
        llm = Llm(base_url=server.url, log=False)
        self.assertEqual([m.id for m in llm.models("the MODEL")], ["x/model-1", "x/model-2"])
        self.assertEqual(server.requests[1].path, "/api/v1/models?offset=1&limit=1")
        self.assertNotIn("authorization", server.requests[0].headers)
        self.assertEqual(llm.models("other"), [])


class OddAnswerTests(Case):
    """Answers that were taken for what they are not, each named for what it did."""

    def stream(self, *events, tail=b"0\r\n\r\n", max_retries=1, **params):
        body = b"".join(e if isinstance(e, bytes) else event(e) for e in events)
        server = self.serve(Pieces(SSE_HEAD, framed(body), tail, end="close"), json_answer(answer("second")))
        return self.llm(server, max_retries=max_retries).stream("x", **params)

    def test_streams_were_taken_for_what_they_are_not(self):
        def piece(index, text, finish=None):
            return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]}

        details = [{"type": "reasoning.text", "index": 0, "text": value} for value in (5, "x")]
        odd = [chunk(delta={"reasoning_details": [detail]}) for detail in details]
        odd += [chunk(delta={"audio": {"data": value}}) for value in (5, "x")]
        torn = "a whole answer was lost when a later event was torn"
        whole, cut = b"0\r\n\r\n", b""
        for symptom, events, tail, text in [
            *(
                (torn, [chunk("abc", "stop"), b"data: " + tear], tail, "abc")
                for tear, tail in itertools.product((b'{"id', b'{"id\n\n', b"broken"), (whole, cut))
            ),
            ("odd values were exceptions of Python's own", [*odd, chunk("ok", "stop")], whole, "ok"),
            ("an answer may count its pieces", [*map(piece, (0, 1, 2), "And"), DONE], whole, "And"),
            ("pieces may have one number", [*map(piece, (0, 1, 1), "xyz"), DONE], whole, "xyz"),
            ("pieces may have no number 0", [*map(piece, (1, 1), "xy"), DONE], whole, "xy"),
            ("JSON under the type of a stream was no answer", [json.dumps(answer("plain")).encode()], whole, "plain"),
        ]:
            with self.subTest(symptom, events=events, tail=tail):
                stream = self.stream(*events, tail=tail)
                self.assertEqual(("".join(stream), stream.completion.content), (text, text))
        begun = [chunk("The answer is"), piece(1, "B", "stop")]
        mixed = [*map(piece, (0, 1, 2, 0), "AndA"), DONE]
        beside = {**chunk("partial text", "error"), "error": {"code": "server_error", "message": "boom"}}
        slow = json.dumps(error_body("slow down", 429)).encode()
        gateway = {"message": "Internal server error", "code": 500}
        once, broken = {"max_retries": 0}, StreamInterruptedError
        for symptom, events, params, kind, words, partial in [
            ("a tear before any text", [b'data: {"id":"g'], {}, broken, "", ""),
            ("one choice that never ended", begun, {}, broken, "", "The answer isB"),
            ("one of two choices that never ended passed as whole", begun, {"n": 2}, broken, "", "The answer is"),
            ("several answers were mixed", mixed, {}, broken, "mixed several", None),
            ("text beside an error was lost and asked for again", [beside], {}, broken, "boom", "partial text"),
            ("an error under the type of a stream", [slow], once, RateLimitError, "slow down", None),
            ("a gateway's own error frame was an empty stream", [gateway], once, ProviderError, "Internal", None),
        ]:
            with self.subTest(symptom), self.assertRaisesRegex(kind, words) as raised:
                list(self.stream(*events, **params))
            if partial is not None:
                self.assertEqual(raised.exception.partial.content, partial, symptom)

    def test_events_of_other_apis_were_sent_again_and_spliced(self):
        failed = {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "boom"}}}
        server = self.serve(sse_answer(event({"type": "response.output_text.delta", "delta": "a"}) + event(failed)))
        events = self.llm(server, max_retries=2).request("POST", "/responses", {"model": "a/b", "stream": True})
        self.assertEqual(next(events)["delta"], "a")
        self.assertRaisesRegex(StreamInterruptedError, "boom", next, events)

    def test_bodies_were_taken_for_what_they_are_not(self):
        for body in (b"\x20\x00\x01\x02", b"{\x01\x02\x03", b"   "):  # binary answers lost their first bytes
            llm = self.llm(self.serve(http_answer(body, content_type="audio/pcm")))
            self.assertEqual(llm.request("POST", "/audio/speech", {"input": "x"}), body)
        path = self.folder() / "log.db"
        for data in ([{"embedding": None}], [{"embedding": "!!!"}], [], [{"embedding": [1.0], "index": None}] * 2):
            llm = self.llm(self.serve(json_answer({"data": data})), log=path)
            with self.assertRaisesRegex(APIResponseError, "embeddings for 1 texts"):  # they were empty vectors
                llm.embed("a", model="e/m")
        self.assertEqual({r["status"] for r in LlmOperationCollector.from_db(path)}, {"error"})

    def test_words_of_ours_posed_as_the_servers_and_keys_were_half_hidden(self):
        stalled = Pieces(b"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", 9.0)
        zipped = http_answer(b"\x1f\x8b\x00", status=500, headers=["Content-Encoding: gzip"])
        key, own = "gw-SECRETKEY-abcdefghijklmnopqrstuvwxyz", "sk-or-[hidden]"
        torn = http_answer(b"x" * (orm.SHOWN_BODY - 22) + b" " + key.encode())
        echo = json_answer(error_body(f"no user for {own} and {own}", 401), 401)  # which hung the call
        for item, settings, kind, words in [
            (stalled, {"timeout": 0.15}, ProviderError, "its body did not arrive: no data"),
            (zipped, {}, ProviderError, "its body is encoded as gzip"),
            (torn, {"api_key": key}, APIResponseError, "hidden"),
            (echo, {"api_key": own}, AuthenticationError, "no user for"),
        ]:
            with self.assertRaisesRegex(kind, words) as raised:
                self.llm(self.serve(item), **settings).complete("x")
            self.assertNotIn("SECRETKEY", str(raised.exception))


class ConnectTests(Case):
    def test_a_proxy_that_trickles_its_head_hung_the_call(self):
        def trickle():
            sock, _ = listener.accept()
            with sock, contextlib.suppress(OSError):
                while True:
                    sock.sendall(b"HTTP/1.1 100 x\r\n\r\n")
                    time.sleep(0.01)

        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        threading.Thread(target=trickle, daemon=True).start()
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with mock.patch.dict(os.environ, {"HTTPS_PROXY": proxy}):
            llm = Llm(api_key=KEY, log=False, deadline=0.1, max_retries=0)
            self.assertRaisesRegex(APITimeoutError, "within 0.1 s", llm.complete, "hi")

    def test_a_dead_first_address_used_up_the_time_of_the_second(self):
        server = self.serve(json_answer(answer()))
        addresses = busy_address(self), ("127.0.0.1", server.port)
        both = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
        with mock.patch("socket.getaddrinfo", return_value=both):
            self.assertEqual(self.llm(server, connect_timeout=0.4).complete("hi").content, "Hello")

    def test_idle_connections_that_nobody_took_stayed_open(self):
        server = self.serve(*[json_answer(answer())] * 3)
        llm = self.llm(server)
        llm.complete("one")
        old = llm._session.transport._idle.pop()
        llm.complete("two")
        llm._session.transport._idle.insert(0, old)
        old.idle_since -= orm.IDLE_LIMIT + 1
        llm.complete("three")
        self.assertEqual((old.sock.fileno(), len(llm._session.transport._idle)), (-1, 1))


# --- Tools, schemas, attachments, many prompts ----------------------------------------------
# Hints that are read at run time are written as Python 3.8 reads them: hence noqa UP006 and UP045.


class Unit(enum.Enum):
    C = "celsius"
    F = "fahrenheit"


@dataclasses.dataclass
class Place:
    city: str
    country: Optional[str] = None  # noqa: UP045
    tags: List[str] = dataclasses.field(default_factory=list)  # noqa: UP006
    noted: float = dataclasses.field(default=0.0, init=False)


@dataclasses.dataclass
class Trip:
    """What structured output is asked for."""

    stops: List[Place]  # noqa: UP006
    unit: Unit
    mood: Literal["good", "bad"]
    budget: float
    by_day: Dict[int, float] = dataclasses.field(default_factory=dict)  # noqa: UP006


class Filter(TypedDict, total=False):
    most: int
    near: Place


class Grid(NamedTuple):
    x: int
    y: int


class Pairs(enum.Enum):
    PAIR = (1, 2)


@dataclasses.dataclass
class Node:
    children: List[Node]  # noqa: UP006


def object_schema(required="", **properties):
    named = required.split()
    return {"type": "object", "properties": properties, "required": named, "additionalProperties": False}


TEXT, INT, NUMBER, NULL = ({"type": name} for name in ("string", "integer", "number", "null"))
TEXTS = {"type": "array", "items": TEXT}
OPTIONAL_TEXT = {"anyOf": [TEXT, NULL]}
PLACE = object_schema("city", city=TEXT, country=OPTIONAL_TEXT, tags=TEXTS)

MOMENT = datetime.datetime(2026, 11, 27, 8, tzinfo=datetime.timezone.utc)

# (hint, its schema, decoded JSON that fits, what is built of it)
TYPE_CASES = [
    (str, TEXT, "a", "a"), (int, INT, 3.0, 3), (float, NUMBER, 3, 3.0), (bool, {"type": "boolean"}, True, True),
    (Any, {}, {"a": [1]}, {"a": [1]}), (Optional[int], {"anyOf": [INT, NULL]}, None, None),
    (Optional[int], {"anyOf": [INT, NULL]}, 2, 2), (Union[Place, List[Unit]], None, ["celsius"], [Unit.C]),
    (Union[Place, List[Unit]], None, {"city": "Oslo"}, Place("Oslo")),
    (list, {"type": "array", "items": {}}, [1, "a"], [1, "a"]), (List[str], TEXTS, ["a"], ["a"]),
    (Sequence[str], TEXTS, ["a"], ["a"]), (Set[str], TEXTS, ["a", "a"], {"a"}),
    (Tuple[str, ...], TEXTS, ["a", "b"], ("a", "b")),
    (Tuple[int, int], {"type": "array", "items": INT, "minItems": 2, "maxItems": 2}, [1, 2], (1, 2)),
    (dict, {"type": "object", "additionalProperties": True}, {"a": 1}, {"a": 1}),
    (Dict[str, int], {"type": "object", "additionalProperties": INT}, {"a": 1}, {"a": 1}),
    (Dict[int, Unit], None, {"1": "celsius"}, {1: Unit.C}), (Dict[Unit, Any], None, {"celsius": 1}, {Unit.C: 1}),
    (Mapping[str, int], {"type": "object", "additionalProperties": INT}, {"a": 1}, {"a": 1}),
    (Literal["a", 1], {"type": ["string", "integer"], "enum": ["a", 1]}, 1, 1),
    (Literal[Unit.C], {"type": "string", "enum": ["celsius"]}, "celsius", Unit.C),
    (Unit, {"type": "string", "enum": ["celsius", "fahrenheit"]}, "fahrenheit", Unit.F),
    (Place, PLACE, {"city": "Oslo", "tags": ["x"]}, Place("Oslo", None, ["x"])),
    (Filter, object_schema(most=INT, near=PLACE), {"near": {"city": "Rome"}}, {"near": Place("Rome")}),
    (datetime.datetime, {**TEXT, "format": "date-time"}, "2026-11-27T08:00:00Z", MOMENT),
    (datetime.date, {**TEXT, "format": "date"}, "2026-11-27", datetime.date(2026, 11, 27)),
    (datetime.time, {**TEXT, "format": "time"}, "08:30", datetime.time(8, 30)),
    (Decimal, {"type": ["number", "string"]}, "1.10", Decimal("1.10")),
    (Decimal, {"type": ["number", "string"]}, 1.1, Decimal("1.1")),
    (uuid.UUID, {**TEXT, "format": "uuid"}, str(uuid.UUID(int=7)), uuid.UUID(int=7)), (Path, TEXT, "a/b", Path("a/b")),
    (Union[datetime.date, str], None, "soon", "soon"),
]  # fmt: skip
BAD_HINTS = [bytes, complex, Callable, 5, Node, datetime.timedelta, List[bytes], Dict[str, Node]]
BAD_HINTS += [Grid, Pairs, Literal[b"a"], Tuple[str, int]]

# (hint or schema, decoded JSON, what the misfit says)
MISFITS = [
    (int, True, "the answer is true, not of type integer"), (int, 1.5, "not of type integer"),
    (float, "1", "not of type number"), (float, True, "not of type number"),
    (str, None, "the answer is null, not of type string"), (List[str], ["a", 1], "[1] is 1, not of type string"),
    (Place, {}, "the answer lacks 'city'"), (Place, {"city": "a", "tags": [None]}, "tags[0] is null"),
    (Place, {"city": "a", "town": 1}, "town is not allowed"), (Unit, "kelvin", "not one of ['celsius', 'fahrenheit']"),
    (Optional[int], "x", "not of type"), (Dict[str, Place], {"a": {"city": 1}}, "a.city is 1"),
    ({"const": 1}, 2, "not one of [1]"), ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": TEXT}}, 1, "not of type string"),
    ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1}, "lacks 'b'"),
    ({"oneOf": [TEXT, INT]}, [], "not of type"), ({"type": ["string", "null"]}, 1, "not of type ['string', 'null']"),
    ({"properties": {"a": {"$ref": "#"}}, "additionalProperties": False}, {"a": {"b": 1}}, "a.b is not allowed"),
]  # fmt: skip


def forecast(place: Place, days: int = 3, unit: Unit = Unit.C, *, mood: Literal["good", "bad"] = "good"):
    """Tell the weather
    of the next days.

    Args:
        place: where; a city
        days (int): how many
    :param unit: of degrees
    """
    return {"city": place.city, "days": days, "unit": unit, "mood": mood}


class Counter:
    """Counts what it is called with."""

    step = 2

    def add(self, number: int) -> int:
        """Add."""
        return number + self.step

    async def __call__(self, number: int = 0) -> int:
        return number + self.step


class SchemaTests(Case):
    def test_hints_become_schemas_and_answers_objects(self):
        for hint, schema, value, built in TYPE_CASES:
            with self.subTest(hint):
                if schema is not None:
                    self.assertEqual(orm.shape_of_hint(hint).schema, schema)
                self.assertEqual(orm.schema_problem(value, orm.shape_of_hint(hint).schema), "")
                made = orm.shape_of_hint(hint).build(value)
                self.assertEqual((made, type(made)), (built, type(built)))

    def test_hints_that_json_can_t_carry(self):
        for hint in BAD_HINTS:
            with self.subTest(hint), self.assertRaises(ConfigError):
                orm.shape_of_hint(hint)

    def test_texts_that_are_not_what_a_hint_wants_are_told_to_the_model(self):
        def meet(day: datetime.date = None, price: Decimal = None, id: uuid.UUID = None):
            """Meet."""
            return str(day)

        for arguments, words in [
            ({"day": "soon"}, "Error: ValueError: "), ({"price": "much"}, "Error: ValueError: "),
            ({"id": "x"}, "Error: ValueError: "), ({"day": "2026-11-25"}, "2026-11-25"),
        ]:  # fmt: skip
            server = self.serve(asking(json.dumps(arguments), name="meet"), reply("Done"))
            self.llm(server).complete("hi", tools=[meet])
            self.assertTrue(said(server)[0].startswith(words), said(server))

    def test_a_misfit_is_told_with_its_place(self):
        for wanted, value, words in MISFITS:
            schema = wanted if isinstance(wanted, dict) else orm.shape_of_hint(wanted).schema
            self.assertIn(words, orm.schema_problem(value, schema), (wanted, value))
        for schema, value in [  # what other keywords say is left to the model
            ({"type": "integer", "minimum": 5}, 1), ({"type": "object", "properties": {"a": INT}}, {"b": 1}),
            ({}, None), (True, 1), ({"enum": [1, None]}, None),
            ({"$ref": "#/$defs/x", "$defs": {"x": {"anyOf": [INT, {"$ref": "#/$defs/y"}]}, "y": TEXT}}, "a"),
        ]:  # fmt: skip
            self.assertEqual(orm.schema_problem(value, schema), "", schema)

    def test_the_definition_of_a_function(self):
        made = orm.Tool.of(forecast).definition["function"]
        self.assertEqual((made["name"], made["description"]), ("forecast", "Tell the weather of the next days."))
        unit = {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "of degrees"}
        mood = {"type": "string", "enum": ["good", "bad"], "default": "good"}
        place = {**PLACE, "description": "where; a city"}
        days = {"type": "integer", "description": "how many", "default": 3}
        wanted = object_schema("place", place=place, days=days, unit=unit, mood=mood)
        self.assertEqual(made["parameters"], wanted)

    def test_methods_and_callables_are_functions_too(self):
        number = {"add": INT, "Counter": {**INT, "default": 0}}
        for tool, name, about in [(Counter().add, "add", "Add."), (Counter(), "Counter", Counter.__doc__)]:
            made = orm.Tool.of(tool).definition["function"]
            self.assertEqual((made["name"], made["description"]), (name, about))
            self.assertEqual(made["parameters"]["properties"], {"number": number[name]})

    @unittest.skipIf(sys.version_info < (3, 10), "hints of 3.9 and 3.10")
    def test_annotated_texts_describe_and_new_unions_are_unions(self):
        names = {"Annotated": __import__("typing").Annotated}
        exec("def f(a: Annotated[int | None, 'how many'], b: list[str] = ()):\n 'Do.'", names)
        made = orm.Tool.of(names["f"]).definition["function"]["parameters"]["properties"]
        self.assertEqual(made, {"a": {"anyOf": [INT, NULL], "description": "how many"}, "b": TEXTS})

    def test_null_for_a_default_of_none_was_an_error_from_python_3_11_on(self):
        def search(text: str = None, place: Union[Place, int] = None, other=None):  # noqa: UP007
            """Search."""

        made = orm.Tool.of(search).definition["function"]["parameters"]["properties"]
        self.assertEqual(made, {"text": OPTIONAL_TEXT, "place": {"anyOf": [PLACE, INT, NULL]}, "other": {}})
        nulls = dict.fromkeys(("text", "place", "other"))
        self.assertEqual(orm.Tool.of(search).arguments(orm.ToolCall("", "search", json.dumps(nulls))), nulls)

    @unittest.skipIf(sys.version_info < (3, 11), "NotRequired of 3.11")
    def test_fields_of_a_typed_dict_that_are_not_required_were_where_hints_are_text(self):
        for head in ("", "from __future__ import annotations\n"):
            names = {**vars(__import__("typing")), "__name__": __name__}
            exec(head + "class A(TypedDict):\n a: int\n b: NotRequired[int]", names)
            exec(head + "class B(TypedDict, total=False):\n a: Required[int]\n b: int", names)
            with mock.patch.dict(sys.modules[__name__].__dict__, {k: names[k] for k in ("Required", "NotRequired")}):
                for kind in (names["A"], names["B"]):
                    self.assertEqual(orm.shape_of_hint(kind).schema, object_schema("a", a=INT, b=INT))

    def test_a_partial_lost_its_name_and_hints_and_showed_what_it_binds(self):
        def find(base: bytes, text: str, most: int = 3, *, other: bytes = b"") -> str:
            """Find it."""
            return f"{base}{text}{most}{other}"

        tool = functools.partial(find, b"1", other=b"2")
        made = orm.Tool.of(tool).definition["function"]
        self.assertEqual((made["name"], made["description"]), ("find", "Find it."))
        self.assertEqual(made["parameters"], object_schema("text", text=TEXT, most={**INT, "default": 3}))
        server = self.serve(asking('{"text": "a"}', '{"text": "a", "other": "b"}', name="find"), reply("Done"))
        self.llm(server).complete("hi", tools=[tool])
        self.assertEqual(said(server), ["b'1'a3b'2'", "Error: ValueError: other is not allowed"])

    def test_what_is_no_tool_is_refused_before_anything_is_sent(self):
        def positional(a, /):
            """Refuse."""

        def unreadable(a: NoSuchName):  # noqa: F821
            """Refuse."""

        llm = self.llm(self.serve())
        for tools, words, *more in [
            ([lambda x: x], "'<lambda>' is not a function name"), ([positional], "by position only"),
            ([unreadable], "can't be read"), ([max], "no signature found for builtin"),
            ([note, functools.wraps(note)(forecast)], "two have the name note"),
            ([note, {"type": "function", "function": {"name": "note"}}], "two have the name note"),
            (["forecast"], "tools[0] is a str"), (forecast, "tools is a function"),
            *(([forecast], "max_tool_rounds", rounds) for rounds in (0, "3", True)),
        ]:  # fmt: skip
            for ask in (llm.complete, llm.stream):
                with self.subTest(words), self.assertRaises(ConfigError) as caught:
                    ask("hi", tools=tools, **({"max_tool_rounds": more[0]} if more else {}))
                self.assertIn(words, str(caught.exception))


def reply(content=None, calls=(), finish=None, native=None, headers=(), **message):
    """An answer in the form that is asked for, plain or streamed; calls are (name, arguments[, id])."""
    finish = finish or ("tool_calls" if calls else "stop")
    made = [
        {
            "index": i, "id": (*call, f"call-{i}")[2], "type": "function",
            "function": dict(zip(("name", "arguments"), call)),
        }
        for i, call in enumerate(calls)
    ]  # fmt: skip
    whole = answer(content, finish, **message, **({"tool_calls": made} if made else {}))
    whole["choices"][0]["native_finish_reason"] = native

    def send(seen):
        if not seen.json.get("stream"):
            return json_answer(whole, headers=headers)
        parts = [chunk(content, delta=message)]
        for call in made:
            text, name = call["function"]["arguments"], call["function"]["name"]
            parts.append(chunk(delta={"tool_calls": [{**call, "function": {"name": name, "arguments": text[:3]}}]}))
            rest = {"index": call["index"], "function": {"arguments": text[3:]}}
            parts.append(chunk(delta={"tool_calls": [rest]}))
        end = chunk("", finish, usage=whole["usage"])
        end["choices"][0]["native_finish_reason"] = native
        return sse_answer(*map(event, [*parts, end]), DONE)

    return send


def asking(*arguments, name="note", **more):
    return reply(calls=[(name, a) for a in arguments], **more)


def streamed(stream):
    for _ in stream:
        continue
    return stream.completion


async def streamed_async(stream):
    async for _ in stream.chunks():
        continue
    return stream.completion


# The six ways of calling, each returning the completion.
DOORS = {
    "complete": lambda llm, **params: llm.complete("hi", **params),
    "chat": lambda llm, **params: llm.chat([{"role": "user", "content": "hi"}], **params),
    "stream": lambda llm, **params: streamed(llm.stream("hi", **params)),
    "acomplete": lambda llm, **params: asyncio.run(llm.acomplete("hi", **params)),
    "achat": lambda llm, **params: asyncio.run(llm.achat([{"role": "user", "content": "hi"}], **params)),
    "async for": lambda llm, **params: asyncio.run(streamed_async(llm.stream("hi", **params))),
}


def note(text: str, count: int = 1) -> str:
    """Note it."""
    return text * count


async def acount() -> int:
    """Count."""
    return 2


async def anote(text: str) -> str:
    """Note it, without a thread."""
    await asyncio.sleep(0)
    return text


DICT_TOOL = {"type": "function", "function": {"name": "own", "parameters": {"type": "object"}}}
SEARCH = {"type": "openrouter:web_search", "parameters": {"max_results": 2}}


def said(server, request=-1):
    """What the tool messages of a request say."""
    return [m["content"] for m in server.requests[request].json["messages"] if m["role"] == "tool"]


class ToolTests(Case):
    def test_a_round_goes_back_whole_by_every_way(self):
        details = [{"type": "reasoning.encrypted", "data": "xyz", "index": 0}]
        for way, ask in DOORS.items():
            with self.subTest(way):
                first = reply(None, [("note", '{"text": "å", "count": 2}')], reasoning_details=details)
                server = self.serve(first, reply("Done"))
                llm = self.llm(server)
                done = ask(llm, tools=[note, SEARCH], temperature=0, tool_choice="auto")
                bodies = [r.json for r in server.requests]
                calls = [{"id": "call-0", "type": "function"}]
                calls[0]["function"] = {"name": "note", "arguments": '{"text": "å", "count": 2}'}
                rounds = [
                    {"role": "assistant", "content": "", "tool_calls": calls, "reasoning_details": details},
                    {"role": "tool", "tool_call_id": "call-0", "content": "åå"},
                ]
                self.assertEqual(bodies[1]["messages"], [{"role": "user", "content": "hi"}, *rounds])
                self.assertEqual(bodies[1]["tools"], [orm.Tool.of(note).definition, SEARCH])
                self.assertEqual({**bodies[0], "messages": 0}, {**bodies[1], "messages": 0})
                self.assertEqual((done.content, done.rounds, done.messages), ("Done", rounds, [*rounds, done.message]))
                self.assertEqual((done.usage.total_tokens, done.usage.cost, done.cost), (10, 1.0, 1.0))
                self.assertEqual((done.cost_source, len(done.attempts), done.tool_calls), ("reported", 2, []))
                self.assertEqual((llm.usage.total_tokens, llm.usage.cost), (10, 1.0))

    def test_what_models_do_wrong_is_told_to_them(self):
        for arguments, words in [
            ("", "lacks 'text'"), ("  ", "lacks 'text'"), ("null", "lacks 'text'"), ('{"text": "a"', "Error: "),
            ("{'text': 'a'}", "Error: "), ('__import__("os").abort()', "Error: "), ('"{}"', "not of type object"),
            ("[" * 100_000, "Error: "), ('{"text": 1}', "text is 1, not of type string"),
            ('{"text": "a", "count": "2"}', 'count is "2", not of type integer'),
            ('{"text": "a", "size": 2}', "size is not allowed"), ('{"text": "a", "count": 2.0}', "aa"),
            ('\n{"text": "a"}\n', "a"), ('{"text": "\\ud83d"}', "\ud83d"),
        ]:  # fmt: skip
            with self.subTest(arguments[:30]):
                server = self.serve(asking(arguments, finish="stop"), reply("Done"))  # a stop with calls runs them
                self.llm(server).complete("hi", tools=[note])
                self.assertIn(words, said(server)[0])
                self.assertEqual(said(server)[0].startswith("Error: "), len(words) > 2)
                sent = server.requests[1].json["messages"][1]["tool_calls"][0]["function"]["arguments"]
                self.assertEqual(sent, arguments)

    def test_several_calls_are_answered_in_order_whatever_their_ids(self):
        calls = [("note", '{"text": "a"}', "x"), ("none", "{}", "y"), ("anote", '{"text": "c"}', "x"), ("note", "", "")]
        for way, ask in DOORS.items():
            with self.subTest(way):
                server = self.serve(reply(calls=calls), reply("Done"))
                ask(self.llm(server), tools=[note, anote])
                messages = [m for m in server.requests[1].json["messages"] if m["role"] == "tool"]
                self.assertEqual([m["tool_call_id"] for m in messages], ["x", "y", "x", "call_3"])
                self.assertEqual([m["content"] for m in messages][::2], ["a", "c"])
                self.assertEqual(messages[1]["content"], "Error: there is no function 'none'; there are: note, anote")
                self.assertIn("lacks 'text'", messages[3]["content"])

    def test_calls_of_one_answer_run_at_once(self):
        for way, ask in DOORS.items():
            both, loops = threading.Barrier(2), []

            def meet() -> str:
                """Meet."""
                return f"met {both.wait(5) < 2}"  # noqa: B023

            async def ameet() -> str:
                """Meet."""
                loops.append(asyncio.get_running_loop())  # noqa: B023
                for _ in range(500):
                    if len(loops) == 2:  # noqa: B023
                        return "met True"
                    await asyncio.sleep(0.002)
                return "alone"

            for tool in (meet, ameet):
                with self.subTest(f"{way} {tool.__name__}"):
                    server = self.serve(asking("", "{}", name=tool.__name__), reply("Done"))
                    ask(self.llm(server), tools=[tool])
                    self.assertEqual(said(server), ["met True", "met True"])
            if way.startswith("a"):
                self.assertEqual(len(set(loops)), 1, way)  # the caller's, to which what they use may be bound

    def test_a_function_runs_where_the_caller_is(self):
        seen = []

        def where() -> None:
            """Say."""
            seen.append(threading.current_thread())

        server = self.serve(asking("", name="where"), reply("Done"))
        self.llm(server).complete("hi", tools=[where])
        self.assertEqual((seen, said(server)), ([threading.current_thread()], ["null"]))

    def test_an_async_callable_failed_where_a_loop_ran(self):
        def later() -> Any:
            """Return a coroutine, as a decorated one does."""
            return asyncio.sleep(0, "slept")

        async def ask(tool):
            server = self.serve(asking("{}", name=orm.function_name(tool)), reply("Done"))
            self.llm(server).complete("hi", tools=[tool])
            return said(server)

        for tool, words in [(Counter(), "2"), (acount, "2"), (later, "slept")]:
            self.assertEqual(asyncio.run(ask(tool)), [words])

    def test_a_deadline_did_not_bound_functions(self):
        ended = []

        async def endless() -> None:
            """Never end."""
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(1)

        def slow() -> None:
            """End late."""
            time.sleep(0.3)

        def run(tool, count, ask):
            server, began = self.serve(*[asking(*[""] * count, name=tool.__name__)] * 2), time.monotonic()
            with self.assertRaisesRegex(APITimeoutError, r"the deadline of 0\.2 s has passed") as caught:
                ask(self.llm(server, deadline=0.2), tools=[tool])
            self.assertLess(time.monotonic() - began, 0.9)
            self.assertEqual((caught.exception.partial.usage.total_tokens, len(server.requests)), (5, 1))

        jobs = itertools.product((endless, slow), (1, 2), DOORS.values())
        at_once(*(functools.partial(run, *job) for job in jobs))
        self.assertTrue(wait_until(lambda: len(ended) == 18, 2), ended)

    def test_an_error_in_a_later_round_lost_what_the_earlier_ones_did(self):
        for ending, kind, text, cost in [
            (json_answer(error_body("no", 402), 402), InsufficientCreditsError, "", 0.5), (reply(""), None, "", 1.0),
            (sse_answer(event(chunk("Hal")), end="close", last=b""), StreamInterruptedError, "Hal", 0.5),
        ]:  # fmt: skip
            for way in ("stream", "async for", "complete"):
                with self.subTest(f"{way} {kind}"):
                    server, seen = self.serve(asking("", name="look"), ending), []

                    def look() -> None:
                        """Look; what was partial then counted a round twice."""
                        seen.append(stream and stream.partial)  # noqa: B023

                    llm = self.llm(server, max_retries=2)
                    stream = llm.stream("hi", tools=[look]) if way == "stream" else None
                    error = outcome(lambda: list(stream) if stream else DOORS[way](llm, tools=[look]))  # noqa: B023
                    self.assertEqual((llm.usage.cost, len(server.requests)), (cost, 2))
                    if stream:
                        self.assertEqual((seen[0].usage.total_tokens, seen[0].cost), (5, 0.5))
                    if kind:
                        self.assertIsInstance(error, kind)
                        self.assertEqual((error.partial.usage.total_tokens, error.partial.content), (5, text))
                        self.assertEqual([m["role"] for m in error.partial.rounds], ["assistant", "tool"])
                        self.assertEqual(error.partial.message, {"role": "assistant", "content": text})

    def test_context_variables_are_those_of_the_caller(self):
        variable = contextvars.ContextVar("variable", default="none")

        def plain() -> str:
            """Look."""
            return variable.get()

        async def later() -> str:
            """Look."""
            return variable.get()

        for (way, ask), tool in itertools.product(DOORS.items(), (plain, later)):
            with self.subTest(f"{way} {tool.__name__}"):
                server = self.serve(asking("", "", name=tool.__name__), reply("Done"))
                variable.set("mine")
                ask(self.llm(server), tools=[tool])
                self.assertEqual(said(server), ["mine", "mine"])

    def test_an_exit_in_a_task_of_a_coroutine_hung_the_call(self):
        async def leave() -> None:
            """Leave."""
            await asyncio.ensure_future(exit_soon())

        async def exit_soon():
            sys.exit(3)

        with self.assertRaises(SystemExit):
            self.llm(self.serve(asking("", name="leave"))).complete("hi", tools=[leave])

    def test_a_late_coroutine_left_a_loop_behind(self):
        def late() -> Any:
            """Return a coroutine when nobody waits any more."""
            time.sleep(0.1)
            return asyncio.sleep(0)

        server = self.serve(asking("", "", name="late"))
        with self.assertRaises(APITimeoutError):
            self.llm(server, deadline=0.05).complete("hi", tools=[late])
        time.sleep(0.1)
        ours = [t for t in threading.enumerate() if t.name == "openrouter_min"]
        self.assertTrue(wait_until(lambda: not any(t.is_alive() for t in ours), 2), ours)

    def test_a_second_reading_after_coroutines_said_that_a_loop_is_closed(self):
        async def nothing() -> None:
            """Do nothing."""

        stream = self.llm(self.serve(asking("", name="nothing"), reply("Done"))).stream("hi", tools=[nothing])
        self.assertEqual(list(stream), ["Done"])
        time.sleep(0.05)
        with self.assertRaisesRegex(ConfigError, "a stream can be read once"):
            list(stream)

    def test_an_echo_of_a_server_tool_cost_one_more_round(self):
        call = [("openrouter:web_search", "{}")]
        server = self.serve(reply("Found", call, finish="stop"))
        done = self.llm(server).complete("hi", tools=[note, {"type": "openrouter:web_search"}])
        self.assertEqual((done.content, done.tool_calls[0].name), ("Found", "openrouter:web_search"))

    def test_what_a_function_returns_or_raises_goes_back_as_text(self):
        class Shy(Exception):
            def __str__(self):
                return "nobody"

        class Broken(Exception):
            def __str__(self):
                raise KeyError

        loop: list = []
        loop.append(loop)
        for value, words in [
            ("plain", "plain"), ("", ""), (None, "null"), (7, "7"), ({"a": [1, "å"]}, '{"a": [1, "å"]}'),
            (Place("Oslo"), '{"city": "Oslo", "country": null, "tags": [], "noted": 0.0}'), (Unit.C, '"celsius"'),
            ({1}, "[1]"), (Path("a"), '"a"'), (b"\xff", "\"b'\\\\xff'\""), (float("nan"), "NaN"), ("\ud800", "\ud800"),
            (loop, "Error: RecursionError: maximum recursion depth"),
            ({(1, 2): 3, Unit.C: 4}, '{"[1, 2]": 3, "celsius": 4}'), (KeyError("x"), "Error: KeyError: 'x'"),
            (Shy(), "Error: Shy: nobody"), (Broken(), "Error: Broken"),
            (RecursionError("deep"), "Error: RecursionError: deep"), (asyncio.TimeoutError(), "Error: TimeoutError: "),
            (ConfigError("bad", hint="mend it"), "Error: ConfigError: bad"),
        ]:  # fmt: skip

            def give() -> Any:
                """Give."""
                if isinstance(value, Exception):  # noqa: B023
                    raise value  # noqa: B023
                return value  # noqa: B023

            with self.subTest(type(value)):
                server = self.serve(asking("", name="give"), reply("Done"))
                self.assertEqual(self.llm(server).complete("hi", tools=[give]).content, "Done")
                self.assertEqual(said(server)[0][: len(words)], words)

    def test_arguments_cut_by_the_limit_are_not_executed(self):
        for finish, native in [("length", None), ("tool_calls", "length"), ("tool_calls", "MAX_TOKENS")]:
            for way, ask in DOORS.items():
                with self.subTest(f"{way} {finish} {native}"):
                    server = self.serve(asking('{"text": "a"}', finish=finish, native=native))
                    with mock.patch.object(orm.Tool, "arguments", side_effect=AssertionError):
                        done = ask(self.llm(server), tools=[note])
                    self.assertEqual((done.truncated, done.tool_calls[0].name, done.rounds), (True, "note", []))

    def test_a_model_that_never_stops_is_stopped(self):
        for rounds, ask in zip((None, 1, 2, 3, 2, 1), DOORS.values()):
            expected = rounds or orm.MAX_TOOL_ROUNDS
            server = self.serve(*[asking('{"text": "a"}')] * (expected + 1))
            with self.assertRaises(APIResponseError) as caught:
                ask(self.llm(server, max_retries=2), tools=[note], **({"max_tool_rounds": rounds} if rounds else {}))
            self.assertIn(f"after {expected} rounds", str(caught.exception))
            partial = caught.exception.partial
            self.assertEqual((partial.cost, len(partial.rounds)), ((expected + 1) * 0.5, 2 * expected))
            self.assertEqual(len(server.requests), expected + 1)

    def test_calls_of_dict_tools_are_the_caller_s(self):
        for name, arguments in [("own", "{}"), ("own", '{"half'), ("own", "")]:
            server = self.serve(reply(calls=[(name, arguments)]))
            done = self.llm(server).complete("hi", tools=[note, DICT_TOOL, SEARCH])
            self.assertEqual([(c.name, c.arguments) for c in done.tool_calls], [(name, arguments)])
        server = self.serve(asking('{"text": "a"}'), reply(calls=[("note", '{"text": "b"}'), ("own", "{}")]))
        done = self.llm(server).complete("hi", tools=[note, DICT_TOOL])
        self.assertEqual([c.name for c in done.tool_calls], ["note", "own"])  # none ran: all are to be answered
        self.assertEqual((len(done.rounds), done.cost), (2, 1.0))
        server = self.serve(asking('{"text": "a"}'))
        done = self.llm(server).complete("hi", tools=[DICT_TOOL])  # dicts alone: no loop
        self.assertEqual((done.tool_calls[0].name, len(server.requests)), ("note", 1))

    def test_a_forced_choice_is_not_forced_for_ever(self):
        forced = {"type": "function", "function": {"name": "note"}}
        for choice, then in [("required", "auto"), (forced, "auto"), ("auto", "auto"), ("none", "none")]:
            for settings, params in [({}, {"tool_choice": choice}), ({"params": {"tool_choice": choice}}, {})]:
                server = self.serve(*[asking('{"text": "a"}')] * 2, reply("Done"))
                self.llm(server, **settings).complete("hi", tools=[note], **params)
                self.assertEqual([r.json["tool_choice"] for r in server.requests], [choice, then, then])

    def test_a_round_is_retried_and_falls_back_like_any_call(self):
        busy = json_answer(error_body("busy", 503), 503)
        script = [busy, asking('{"text": "a"}'), busy, busy, reply("Done")]
        server = self.serve(*script)
        llm = self.llm(server, max_retries=2, fallbacks=["c/d"])
        instant(llm)
        done = llm.complete("hi", tools=[note])
        self.assertEqual([a.status for a in done.attempts], [503, 200, 503, 503, 200])
        self.assertEqual([r.json["models"] for r in server.requests], [["a/b", "c/d"]] * 5)
        self.assertEqual(said(server), ["a"])

    def test_times_are_those_of_all_rounds_and_an_unknown_cost_makes_the_sum_unknown(self):
        def slow() -> None:
            """Wait longer than timeout."""
            time.sleep(0.25)

        def free(seen):
            body = answer("Done")
            del body["usage"]["cost"]
            return json_answer(body)

        def late(seen):
            time.sleep(0.05)
            return asking("", name="slow")(seen)

        done = DOORS["stream"](self.llm(self.serve(late, reply("Done")), timeout=0.2), tools=[slow])
        self.assertGreaterEqual(done.first_token_ms, 45)
        self.assertGreaterEqual(done.latency_ms, 300)  # with the time of the function
        done = self.llm(self.serve(asking('{"text": "a"}'), free)).complete("hi", tools=[note])
        self.assertEqual((done.cost, done.cost_source, done.usage.total_tokens), (None, None, 10))
        self.assertEqual((done.usage.cost, done.usage.unpriced), (0.5, 1))

    def test_each_round_is_a_row_and_one_action(self):
        path = self.folder() / "log.db"
        for params in ({}, {"action_id": "mine"}):
            server = self.serve(asking('{"text": "a"}'), asking('{"text": "b"}'), reply("Done"))
            self.llm(server, log=path).complete("hi", tools=[note], **params)
            rows = LlmOperationCollector.from_db(path)[:3]
            actions = {r["action_id"] for r in rows}
            self.assertEqual((len(actions), params.get("action_id") in {None, *actions}), (1, True))
            self.assertEqual([(r["status"], r["cost"], r["finish_reason"]) for r in rows][0], ("ok", 0.5, "stop"))
            self.assertEqual(len(json.loads(rows[0]["messages"])), 5)
            self.assertEqual(json.loads(rows[-1]["extras"])["tool_calls"][0]["arguments"], '{"text": "a"}')

    def test_an_interrupt_in_a_function_ends_the_call(self):
        for way in ("complete", "stream", "acomplete"):
            for error in (KeyboardInterrupt, SystemExit):

                def stop() -> None:
                    """Stop."""
                    raise error  # noqa: B023

                for calls in ([""], ["", ""]):
                    server = self.serve(asking(*calls, name="stop"))
                    with self.subTest(f"{way} {error.__name__} {calls}"), self.assertRaises(error):
                        DOORS[way](self.llm(server), tools=[stop])

    def test_a_coroutine_that_cancels_itself_is_told_to_the_model(self):
        async def give_up() -> None:
            """Give up."""
            raise asyncio.CancelledError

        for way, ask in DOORS.items():
            server = self.serve(asking("", name="give_up"), reply("Done"))
            with self.subTest(way):
                ask(self.llm(server), tools=[give_up])
                self.assertEqual(said(server), ["Error: CancelledError: "])

    def test_a_caller_who_cancels_does_not_wait_for_the_function(self):
        release, cancelled = threading.Event(), []
        self.addCleanup(release.set)

        def sleep() -> None:
            """Sleep."""
            release.wait(5)

        async def asleep() -> None:
            """Sleep."""
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        async def leave(llm, tool):
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(llm.acomplete("hi", tools=[tool]), 0.1)
            left = time.monotonic()
            while tool is asleep and not cancelled and time.monotonic() < left + 2:
                await asyncio.sleep(0.01)
            self.assertEqual(cancelled, [True] * (tool is asleep))  # and not only by the end of the loop
            return left

        for tool in (sleep, asleep):
            llm = self.llm(self.serve(asking("", name=tool.__name__)))
            began = time.monotonic()
            self.assertLess(asyncio.run(leave(llm, tool)) - began, 1)

    def test_functions_of_the_settings_could_not_be_left_out_of_a_call(self):
        for params, answers in [({}, 2), ({"tools": []}, 1), ({"tools": None}, 1), ({"tools": [DICT_TOOL]}, 1)]:
            server = self.serve(*[asking('{"text": "a"}'), reply("Done")][:answers])
            llm = self.llm(server, params={"tools": [note]})
            self.assertEqual(len(llm.complete("hi", **params).tool_calls), 2 - answers)
            self.assertEqual(server.requests[0].json["tools"], params.get("tools", [orm.Tool.of(note).definition]))

    def test_close_did_not_end_a_round_in_which_functions_ran(self):
        async def close() -> str:
            """Close."""
            llm.close()
            await asyncio.sleep(2)

        def close_and_go_on() -> None:
            """Close."""
            llm.close()

        def leave() -> None:
            """Leave."""
            stream.close()

        for tool, way in itertools.product((close, close_and_go_on, leave), ("complete", "async for")):
            server = self.serve(asking("", name=tool.__name__))
            llm, began = self.llm(server), time.monotonic()
            stream = llm.stream("hi", tools=[tool])
            with self.subTest(f"{way} {tool.__name__}"), self.assertRaises(StreamInterruptedError) as caught:
                streamed(stream) if tool is leave else DOORS[way](llm, tools=[tool])
            self.assertEqual(caught.exception.partial.tool_calls[0].name, tool.__name__)
            self.assertLess(time.monotonic() - began, 1.5)
            self.assertEqual((llm._session.running, len(server.requests)), (set(), 1))

    def test_the_stream_yields_the_text_of_all_rounds(self):
        server = self.serve(reply("Let me see. ", [("note", '{"text": "a"}')]), reply("Done"))
        stream = self.llm(server).stream("hi", tools=[note])
        self.assertEqual(("".join(stream), stream.completion.content), ("Let me see. Done", "Done"))
        self.assertEqual(stream.partial.content, "Done")
        with self.assertRaises(ConfigError):
            list(stream)


TRIP = {"stops": [{"city": "Oslo", "country": None, "tags": ["cold"]}], "unit": "celsius", "mood": "good", "budget": 5}
ANY_OBJECT = {"title": "My answer!", "type": "object", "required": ["a"], "properties": {"a": INT}}


class StructuredTests(Case):
    def test_a_hint_that_is_no_object_goes_inside_one(self):
        for hint, text, parsed in [
            (List[Place], '{"value": [{"city": "Oslo"}]}', [Place("Oslo")]),
            (List[Place], '[{"city": "Oslo"}]', [Place("Oslo")]), (int, '{"value": 7}', 7), (Unit, '"celsius"', Unit.C),
        ]:  # fmt: skip
            server = self.serve(reply(text))
            self.assertEqual(self.llm(server).complete("hi", schema=hint).parsed, parsed)
            sent = server.requests[0].json["response_format"]["json_schema"]["schema"]
            self.assertEqual((sent["type"], sent["required"]), ("object", ["value"]))

    def test_what_goes_out_is_strict_where_it_can_be(self):
        server = self.serve(reply(json.dumps(TRIP)), reply('{"a": 1}'), reply('{"city": "Oslo"}'))
        llm = self.llm(server, params={"response_format": {"type": "json_object"}})
        llm.complete("hi", schema=Trip)
        llm.complete("hi", schema=ANY_OBJECT)
        llm.complete("hi", schema=Place)
        first, second, third = (r.json["response_format"] for r in server.requests)
        place = {**PLACE, "required": ["city", "country", "tags"]}
        stops, by_day = {"type": "array", "items": place}, {"type": "object", "additionalProperties": NUMBER}
        unit, mood = {"type": "string", "enum": ["celsius", "fahrenheit"]}, {"type": "string", "enum": ["good", "bad"]}
        names = "stops unit mood budget by_day"
        wanted = object_schema(names, stops=stops, unit=unit, mood=mood, budget=NUMBER, by_day=by_day)
        for sent, name, strict, schema in [
            (first, "Trip", False, wanted),  # by_day has names that nobody knows before
            (second, "My_answer_", False, ANY_OBJECT),  # it lets more properties pass
            (third, "Place", True, place),
        ]:
            about = {"name": name, "strict": strict, "schema": schema}
            self.assertEqual(sent, {"type": "json_schema", "json_schema": about})
        self.assertNotIn("schema", server.requests[0].json)

    def test_what_comes_back_is_an_instance_by_every_way(self):
        trip = Trip([Place("Oslo", None, ["cold"])], Unit.C, "good", 5.0)
        for way, ask in DOORS.items():
            with self.subTest(way):
                done = ask(self.llm(self.serve(reply(json.dumps(TRIP)))), schema=Trip)
                self.assertEqual((done.parsed, json.loads(done.content)), (trip, TRIP))
                self.assertIs(type(done.parsed.budget), float)

    def test_all_kinds_of_json(self):
        fenced = '{"a": 1, "text": "```py\\nx\\n```"}'
        for text, schema, value in [
            *((text, ANY_OBJECT, json.loads(fenced)) for text in (fenced, f"```json\n{fenced}\n```")),
            (' \n{"a": 1}\n', ANY_OBJECT, {"a": 1}), ('```json\n{"a": 1}', ANY_OBJECT, {"a": 1}),
            ('```json {"a": 1} ```', ANY_OBJECT, {"a": 1}), ("null", {}, None), ("[1]", {"items": INT}, [1]),
            ('"x"', TEXT, "x"),
        ]:  # fmt: skip
            self.assertEqual(self.llm(self.serve(reply(text))).complete("hi", schema=schema).parsed, value, text)

    def test_a_broken_schema_was_noticed_when_the_answer_was_paid(self):
        for schema in ({"required": None}, {"type": 5}, {"$ref": "#"}, {"items": {"minItems": "x"}, "maxItems": "y"}):
            with self.assertRaisesRegex(ConfigError, "schema is not a JSON Schema: "):
                self.llm(self.serve()).complete("hi", schema=schema)

    def test_an_answer_that_does_not_fit_says_where_and_keeps_the_text(self):
        path = self.folder() / "log.db"
        for text, finish, words in [
            (json.dumps({**TRIP, "mood": "ugly"}), "stop", 'mood is "ugly", not one of'),
            (json.dumps({**TRIP, "stops": [{"city": "a"}, {"city": 2}]}), "stop", "stops[1].city is 2"),
            (json.dumps({**TRIP, "extra": 1}), "stop", "extra is not allowed"), ("Sorry.", "stop", "it is not JSON"),
            ("```json\nno\n```", "stop", "it is not JSON"), ("", "stop", "it is not JSON"),
            ("[" * 2000, "stop", "does not fit"), (json.dumps(TRIP)[:50], "length", "raise max_tokens"),
            ('{"a": 1,\n "b": x}', "stop", "line 2 column 7 (char 15)"),  # it was said to break at its first character
            ('As asked:\n```json\n{"a" 1}\n```', "stop", "line 1 column 6 (char 5)"),
        ]:  # fmt: skip
            for way in ("complete", "stream", "acomplete"):
                llm = self.llm(self.serve(reply(text, finish=finish)), max_retries=2, fallbacks=["c/d"], log=path)
                with self.subTest(f"{way} {words}"), self.assertRaises(APIResponseError) as caught:
                    DOORS[way](llm, schema=Trip)
                self.assertIn(words, str(caught.exception))
                self.assertEqual((caught.exception.partial.content, caught.exception.partial.cost), (text, 0.5))
        row = LlmOperationCollector.from_db(path)[0]
        self.assertEqual((row["status"], row["error_type"], row["cost"]), ("error", "APIResponseError", 0.5))
        self.assertEqual((row["response"], llm.usage.cost), (text, 0.5))
        with self.assertRaisesRegex(APIResponseError, "the model refused: I can't."):
            self.llm(self.serve(reply(None, refusal="I can't."))).complete("hi", schema=Trip)

    def test_what_a_class_raises_itself_was_no_typed_error(self):
        for error in (LookupError("no such town"), ValueError("no such town"), ConfigError("no such town")):
            with mock.patch.object(Place, "__init__", side_effect=error):
                with self.assertRaises(APIResponseError) as caught:
                    self.llm(self.serve(reply('{"city": "x"}'))).complete("hi", schema=Place)
            self.assertIn("no such town", str(caught.exception))
            self.assertEqual(caught.exception.partial.content, '{"city": "x"}')

    def test_tools_and_structure_together(self):
        server = self.serve(asking('{"text": "a"}'), reply('{"a": 1}'))
        done = self.llm(server).complete("hi", tools=[note], schema=ANY_OBJECT)
        self.assertEqual((done.parsed, len(done.rounds)), ({"a": 1}, 2))
        self.assertEqual(*[r.json["response_format"] for r in server.requests])
        done = self.llm(self.serve(reply("", [("own", "{}")]))).complete("hi", tools=[DICT_TOOL], schema=ANY_OBJECT)
        self.assertEqual((done.parsed, done.tool_calls[0].name), (None, "own"))

    def test_what_is_no_schema_is_refused(self):
        llm = self.llm(self.serve())
        for schema, words in [
            (Place("Oslo"), "a dataclass (the class itself)"), (bytes, "JSON can't carry it"), ([Place], "schema=["),
            (Node, "it contains itself"), ({"type": "json_schema", "json_schema": {}}, "response_format={...}"),
            ({"enum": {1}}, "can't be sent as JSON"),
        ]:  # fmt: skip
            with self.subTest(words), self.assertRaises(ConfigError) as caught:
                llm.stream("hi", schema=schema)
            self.assertIn(words, str(caught.exception))
        with self.assertRaises(ConfigError):
            llm.complete("hi", schema=Trip, response_format={"type": "json_object"})


PNG, PDF, WAV = b"\x89PNG\r\n\x1a\n\0", b"%PDF-1.4\n\xff", b"RIFF\0\0\0\0WAVEfmt "
MP4, ID3 = b"\0\0\0\x18ftypisom\0\0", b"ID3\x04\0"


def link(kind, url):
    return {"type": f"{kind}_url", f"{kind}_url": {"url": url}}


def pdf(name, url):
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def sound(data, form):
    return {"type": "input_audio", "input_audio": {"data": b64(data), "format": form}}


# (name of a file, its bytes, the part that carries it)
FILES = [
    ("a.png", PNG, link("image", "data:image/png;base64," + b64(PNG))),
    ("photo", b"\xff\xd8\xff\xe0", link("image", "data:image/jpeg;base64," + b64(b"\xff\xd8\xff\xe0"))),
    ("wrong.png", b"GIF89a", link("image", "data:image/gif;base64," + b64(b"GIF89a"))),
    ("a", b"RIFF\0\0\0\nWEBPVP8 ", link("image", "data:image/webp;base64," + b64(b"RIFF\0\0\0\nWEBPVP8 "))),
    ("report", PDF, pdf("report.pdf", "data:application/pdf;base64," + b64(PDF))),
    ("Ünder two.PDF", PDF, pdf("Ünder two.PDF", "data:application/pdf;base64," + b64(PDF))),
    ("a.wav", WAV, sound(WAV, "wav")), ("song", ID3, sound(ID3, "mp3")),
    ("song.mp3", b"\xff\xfb\x90", sound(b"\xff\xfb\x90", "mp3")), ("odd.mp3", b"\0\1", sound(b"\0\1", "mp3")),
    ("a.aac", b"\xff\xf1\x50", sound(b"\xff\xf1\x50", "aac")), ("a.opus", b"OggS\0", sound(b"OggS\0", "ogg")),
    ("a.flac", b"fLaC\0", sound(b"fLaC\0", "flac")),
    ("a.aiff", b"FORM\0\0\0\0AIFF", sound(b"FORM\0\0\0\0AIFF", "aiff")), ("a.m4a", MP4, sound(MP4, "m4a")),
    ("film", MP4, link("video", "data:video/mp4;base64," + b64(MP4))),
    ("a.mov", b"\0\0\0\x14ftypqt  ", link("video", "data:video/mov;base64," + b64(b"\0\0\0\x14ftypqt  "))),
    ("a.webm", b"\x1aE\xdf\xa3", link("video", "data:video/webm;base64," + b64(b"\x1aE\xdf\xa3"))),
    ("a.mpg", b"\0\0\1\xba", link("video", "data:video/mpeg;base64," + b64(b"\0\0\1\xba"))),
    ("notes.md", "# Å".encode(), {"type": "text", "text": "notes.md:\n# Å"}),
    ("bom.csv", b"\xef\xbb\xbfa;b", {"type": "text", "text": "bom.csv:\na;b"}),
    ("fake.png", b"<html>", {"type": "text", "text": "fake.png:\n<html>"}),
    ("opus", b"a work", {"type": "text", "text": "opus:\na work"}),
]  # fmt: skip

URLS = [
    ("https://x.org/a.jpeg?size=2.pdf#p", link("image", "https://x.org/a.jpeg?size=2.pdf#p")),
    ("https://x.org/image/1", link("image", "https://x.org/image/1")),
    ("HTTPS://X.ORG/pdf", link("image", "HTTPS://X.ORG/pdf")),
    ("http://x.org/a/Report.PDF", pdf("Report.PDF", "http://x.org/a/Report.PDF")),
    ("https://x.org/a.mp4", link("video", "https://x.org/a.mp4")),
    ("https://www.youtube.com/watch?v=1", link("video", "https://www.youtube.com/watch?v=1")),
    ("https://youtu.be/1", link("video", "https://youtu.be/1")),
    ("data:image/png;base64," + b64(PNG), link("image", "data:image/png;base64," + b64(PNG))),
]


class AttachmentTests(Case):
    def sent(self, attachments, prompt="hi", **settings):
        server = self.serve(reply("ok"))
        llm = self.llm(server, **settings)
        (llm.complete if isinstance(prompt, str) else llm.chat)(prompt, attachments=attachments)
        self.assertNotIn("attachments", server.requests[0].json)
        return server.requests[0].json["messages"]

    def test_each_kind_has_its_part_by_path_and_by_bytes(self):
        folder = self.folder()
        for name, data, part in FILES:
            with self.subTest(name):
                (folder / name).write_bytes(data)
                for thing in (folder / name, str(folder / name), (name, data), (name, bytearray(data))):
                    self.assertEqual(orm.read_attachment(thing), part)
        self.assertEqual(orm.read_attachment(memoryview(PDF))["file"]["filename"], "attachment.pdf")

    def test_urls_go_as_they_are(self):
        for url, part in URLS:
            self.assertEqual(orm.read_attachment(url), part)

    def test_parts_stand_after_the_text_of_the_last_message(self):
        parts = [part for _, _, part in FILES[:2]]
        things = [(name, data) for name, data, _ in FILES[:2]]
        text, system = {"type": "text", "text": "hi"}, {"role": "system", "content": "Be brief"}
        wanted = {"role": "user", "content": [text, *parts]}
        self.assertEqual(self.sent(things, system_prompt="Be brief"), [system, wanted])
        history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        last = {"role": "user", "content": [text], "name": "me"}
        self.assertEqual(self.sent(things, [*history, last]), [*history, {**wanted, "name": "me"}])
        self.assertEqual(last["content"], [text])  # what the caller gave stays as it was
        self.assertEqual(self.sent([]), [{"role": "user", "content": "hi"}])

    def test_attachments_stay_in_every_round_of_tools(self):
        server = self.serve(asking('{"text": "a"}'), reply("Done"))
        self.llm(server).complete("hi", tools=[note], attachments=[PNG])
        self.assertEqual(*[r.json["messages"][0] for r in server.requests])
        self.assertEqual(len(server.requests[1].json["messages"][0]["content"]), 2)

    def test_what_can_t_be_attached_is_named_before_anything_is_sent(self):
        folder, llm = self.folder(), self.llm(self.serve())
        (folder / "big").write_bytes(b"x" * 31)
        for thing, words in [
            ("no/such/file", "no/such/file"), (folder, "attachments: "), ("a\0b", "attachments: "),
            (7, "attachments: an int"), (("a", "text"), "attachments: a tuple"),
            (("a", b"", b""), "attachments: a tuple"), (b"\0\1\2", "the type of attachment is not known"),
            (("a.png", b""), "a.png is empty"), ("data:,", "attachment is empty"),
            ("data:image/png", "without a comma"),
            (("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1"), "the type of photo.heic is not known"),
            (("photo.avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1"), "the type of photo.avif is not known"),
            (("a.bin", "ä".encode("latin-1")), "the type of a.bin is not known"),
            ("https://x.org/a.mp3", "can't be sent as a URL"),
            ("data:image/png;base64,!!", "attachments: "), (b"x" * 31, "attachment has more than 30 bytes"),
            (folder / "big", "big has more than 30 bytes"),
        ]:  # fmt: skip
            with mock.patch.object(orm, "MAX_ATTACHMENT", 30), self.subTest(words):
                with self.assertRaises(ConfigError) as caught:
                    llm.complete("hi", attachments=[thing])
                self.assertIn(words, str(caught.exception))
        for attachments in (PNG, "a.png"):
            self.assertRaises(ConfigError, llm.complete, "hi", attachments=attachments)
        history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        self.assertRaises(ConfigError, llm.chat, history, attachments=[PNG])

    def test_the_log_keeps_type_size_and_hash(self):
        path, secret = self.folder() / "log.db", b"not to be found" * 9
        server = self.serve(reply("ok"))
        heads = [("a.png", PNG), ("a.pdf", PDF), ("a.wav", WAV), ("a.mp4", MP4)]
        things, url = [(name, head + secret) for name, head in heads], "https://example.com/a.png"
        self.llm(server, log=path).complete("hi", attachments=[*things, url])
        row = LlmOperationCollector.from_db(path)[0]
        for _, data in things:
            digest = hashlib.sha256(data).hexdigest()[:16]
            self.assertIn(f"{len(data)} bytes, sha256 {digest}]", row["messages"])
            self.assertIn(b64(data), server.requests[0].body.decode())
            self.assertNotIn(b64(data)[24:48], json.dumps(dict(row)))
        for words in ("[image/png, ", "[application/pdf, ", "[wav, ", "[video/mp4, ", url, "a.pdf"):
            self.assertIn(words, row["messages"])
        self.assertEqual(row["user_prompt"], "hi")


# (what one call carries): as it is on the wire
# fmt: off
BODY_PARAMS = [
    {"reasoning": {"effort": "high", "exclude": False}, "include_reasoning": True, "reasoning_effort": "low",
     "cache_control": {"type": "ephemeral", "ttl": "1h"}, "prompt_cache_key": "k", "speed": "fast", "verbosity": "low",
     "prompt_cache_options": {"mode": "explicit"}, "provider": {"order": ["a", "b"], "sort": "price", "zdr": True},
     "route": "fallback", "plugins": [{"id": "web", "max_results": 2}, {"id": "file-parser", "pdf": {"engine": "x"}}]},
    {"preset": "mine", "transforms": ["middle-out"], "user": "u", "metadata": {"a": "b"}, "max_tool_calls": 3,
     "tools": [SEARCH, {"type": "web_search"}], "parallel_tool_calls": False, "web_search_options": {},
     "stop_server_tools_when": [{"type": "max_cost", "max_cost_in_dollars": 0.5}], "service_tier": "flex", "seed": 7,
     "stop": ["a"], "logit_bias": {"5": -100}, "models": ["a/b", "c/d"], "modalities": ["image", "text"],
     "image_config": {"aspect_ratio": "1:1"}, "response_format": {"type": "json_object"}, "structured_outputs": True,
     "usage": {"include": True}, "some_field_of_tomorrow": {"x": [None, True]}},
]
# fmt: on


class PassThroughTests(Case):
    def test_what_is_asked_reaches_the_wire_by_every_way(self):
        variants = ("@preset/mine", "a/b@preset/mine", "a/b:free:online", "~a/b-latest", "openrouter/auto")
        for params, (way, ask) in itertools.product([*BODY_PARAMS, *({"model": m} for m in variants)], DOORS.items()):
            with self.subTest(f"{way} {list(params)}"):
                server = self.serve(reply("ok"))
                ask(self.llm(server), **params)
                body = server.requests[0].json
                self.assertEqual({k: body.get(k) for k in params}, params)
        server = self.serve(*[reply("ok")] * 3)
        llm = self.llm(server, params={"service_tier": "flex", "reasoning": {"enabled": False}})
        llm.complete("hi")
        llm.complete("hi", service_tier=None, reasoning={"max_tokens": 9})
        self.assertEqual([r.json["service_tier"] for r in server.requests], ["flex", None])
        self.assertEqual(server.requests[1].json["reasoning"], {"max_tokens": 9})
        part = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
        marked = {"type": "text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicit"}}
        messages = [{"role": "system", "content": [part]}, {"role": "user", "content": [marked]}]
        llm.chat(messages)
        self.assertEqual(server.requests[2].json["messages"], messages)

    def test_request_headers_go_out_and_cache_headers_come_back(self):
        asked = {"X-OpenRouter-Cache": "true", "X-OpenRouter-Cache-TTL": "60", "x-anthropic-beta": "b"}
        came = ["X-OpenRouter-Cache-Status: HIT", "X-OpenRouter-Cache-Age: 5", "X-Generation-Id: gen-9"]
        for way, ask in DOORS.items():
            with self.subTest(way):
                answers = [reply("ok", headers=came)] if "stream" not in way and "for" not in way else []
                head = SSE_HEAD.replace(b"\r\n\r\n", "\r\n{}\r\n\r\n".format("\r\n".join(came)).encode())
                server = self.serve(*answers or [Pieces(head, framed(WHOLE_STREAM), b"0\r\n\r\n")])
                done = ask(self.llm(server, headers={"HTTP-Referer": "https://me"}), headers=asked)
                seen = server.requests[0].headers
                self.assertEqual({k: seen[k.lower()] for k in asked}, asked)
                self.assertEqual(seen["http-referer"], "https://me")
                self.assertEqual(
                    (done.headers["x-openrouter-cache-status"], done.headers.get("X-Nothing")), ("HIT", None)
                )

    def test_what_the_server_tells_reaches_the_completion(self):
        cite = {"type": "url_citation", "url_citation": {"url": "https://x", "title": "X"}}
        body = answer("ok", annotations=[cite])
        body["usage"]["prompt_tokens_details"] = {"cached_tokens": 2, "cache_write_tokens": 1}
        body["usage"]["server_tool_use_details"] = {"web_search_requests": 1}
        body.update(openrouter_metadata={"strategy": "auto"}, service_tier="flex")
        last = chunk("", "stop", **{k: body[k] for k in ("usage", "openrouter_metadata", "service_tier")})
        streamed_answer = sse_answer(event(chunk("ok", delta={"annotations": [cite]})), event(last), DONE)
        for way, item in [("complete", json_answer(body)), ("stream", streamed_answer), ("async for", streamed_answer)]:
            path = self.folder() / "log.db"
            with self.subTest(way):
                done = DOORS[way](self.llm(self.serve(item), log=path))
                self.assertEqual((done.usage.cached_tokens, done.usage.cache_write_tokens), (2, 1))
                self.assertEqual((done.annotations, done.message["annotations"]), ([cite], [cite]))
                self.assertEqual(done.raw["openrouter_metadata"], {"strategy": "auto"})
                self.assertEqual(done.raw["usage"]["server_tool_use_details"], {"web_search_requests": 1})
                row = LlmOperationCollector.from_db(path)[0]
                self.assertEqual((row["cached_tokens"], json.loads(row["extras"])["service_tier"]), (2, "flex"))


def echo(delays=(), errors=()):
    """A script item that answers with the prompt, some late, and some with an error."""

    def send(seen):
        prompt = seen.json["messages"][-1]["content"]
        time.sleep(dict(delays).get(prompt, 0))
        return json_answer(error_body("no", 400), 400) if prompt in errors else json_answer(answer(prompt))

    return send


def all_of_amap(llm, prompts, **params):
    async def gather():
        return [result async for result in llm.amap(prompts, **params)]

    return asyncio.run(gather())


def all_of(llm, prompts, **params):
    return list(llm.map(prompts, **params)), all_of_amap(llm, prompts, **params)


class MapTests(Case):
    def test_results_come_in_order_and_as_they_come(self):
        gate = threading.Event()

        def late(seen):
            if seen.json["messages"][-1]["content"] == "c":
                gate.wait(5)
            return echo()(seen)

        server = self.serve(*[late] * 4)
        results = self.llm(server).map(["a", "b", "c", "d"])
        self.assertEqual([str(next(results)), str(next(results))], ["a", "b"])  # while c still waits
        gate.set()
        self.assertEqual([str(r) for r in results], ["c", "d"])
        server = self.serve(*[echo({"a": 0.1})] * 8)
        for made in all_of(self.llm(server), list("abcd")):
            self.assertEqual([r.content for r in made], list("abcd"))

    def test_an_exception_stands_in_its_place(self):
        mine, talk = {"prompt": "p", "model": "c/d", "seed": 6}, [{"role": "user", "content": "m"}]
        server = self.serve(*[echo(errors=["bad"])] * 8)
        for made in all_of(self.llm(server), ["a", "bad", 7, "", mine, talk, {"x": 1}], concurrency=3, seed=5):
            kinds = [r.content if isinstance(r, orm.Completion) else type(r) for r in made]
            self.assertEqual(kinds, ["a", BadRequestError, ConfigError, ConfigError, "p", "m", ConfigError])
        sent = sorted((r.json["model"], r.json["seed"]) for r in server.requests)
        self.assertEqual(sent, [("a/b", 5)] * 6 + [("c/d", 6)] * 2)

    def test_as_many_run_at_once_as_asked_for_and_no_more(self):
        for concurrency in (1, 4):
            all_here, running, most = threading.Barrier(concurrency), [], []

            def together(seen):
                running.append(seen)  # noqa: B023
                most.append(len(running))  # noqa: B023
                all_here.wait(5)  # noqa: B023
                running.pop()  # noqa: B023
                return json_answer(answer())

            llm = self.llm(self.serve(*[together] * 12))
            results = list(llm.map(["a"] * 12, concurrency=concurrency))
            self.assertEqual([str(r) for r in results], ["Hello"] * 12)
            self.assertLessEqual(max(most), concurrency)

    def test_to_stop_cancels_what_runs_and_asks_no_more(self):
        async def first_of_amap(llm):
            results = llm.amap(itertools.repeat("a"), concurrency=1)
            result = await results.__anext__()
            await results.aclose()
            return result

        for stop in (lambda llm: next(llm.map(itertools.repeat("a"), concurrency=1)),
                     lambda llm: asyncio.run(first_of_amap(llm))):  # fmt: skip
            path = self.folder() / "log.db"
            server = self.serve(echo(), Pieces(end="hang"))
            began = time.monotonic()
            self.assertEqual(stop(self.llm(server, log=path)).content, "a")
            self.assertLess(time.monotonic() - began, 2)
            statuses = [r["status"] for r in LlmOperationCollector.from_db(path)]
            self.assertIn(statuses, (["ok"], ["interrupted", "ok"], ["cancelled", "ok"]))

    def test_a_cancelled_task_stops_all(self):
        server = self.serve(*[Pieces(end="hang")] * 4)
        llm = self.llm(server)

        async def read():
            return [r async for r in llm.amap(["a"] * 9, concurrency=4)]

        began = time.monotonic()
        with self.assertRaises(asyncio.TimeoutError):
            asyncio.run(asyncio.wait_for(read(), 0.15))
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertEqual((len(server.requests), llm._session.running), (4, set()))

    def test_close_of_the_client_ends_them_all_in_their_places(self):
        server = self.serve(*[Pieces(end="hang")] * 2)
        llm = self.llm(server)
        threading.Timer(0.1, llm.close).start()
        made = list(llm.map(["a", "b", "c"], concurrency=2))
        self.assertEqual([type(r) for r in made], [StreamInterruptedError, StreamInterruptedError, ConfigError])

    def test_threads_that_could_not_all_start_went_on_asking(self):
        started, start = [], threading.Thread.start

        def start_some(thread):
            if thread.name == "openrouter_min":
                started.append(thread)
                if len(started) > 3:
                    raise RuntimeError("can't start new thread")
            start(thread)

        server = self.serve(*[Pieces(end="hang")] * 3)
        llm = self.llm(server)
        with mock.patch.object(threading.Thread, "start", start_some):
            with self.assertRaisesRegex(RuntimeError, "can't start"):
                list(llm.map(["x"] * 10_000, concurrency=9))
        self.assertTrue(wait_until(lambda: not any(t.is_alive() for t in started), 2))
        self.assertEqual((len(started), llm._session.running), (4, set()))

    def test_prompts_are_taken_as_they_are_needed_and_their_own_error_comes_last(self):
        def prompts():
            yield "a"
            yield "b"
            raise KeyError("end")

        server = self.serve(*[echo()] * 2)
        results = self.llm(server).map(prompts())
        self.assertEqual([str(next(results)), str(next(results))], ["a", "b"])
        with self.assertRaises(KeyError):
            next(results)
        self.assertEqual(all_of(self.llm(self.serve()), []), ([], []))
        taken = []
        with mock.patch.object(orm, "MAP_AHEAD", 1.5):
            server = self.serve(*[echo()] * 6)
            results = self.llm(server).map((taken.append(p) or p for p in "abcdef"), concurrency=2)
            self.assertEqual(str(next(results)), "a")
            time.sleep(0.1)
            self.assertLessEqual(len(taken), 4)
            self.assertEqual(len(list(results)), 5)

    def test_a_result_did_not_come_before_a_slow_iterable_gave_what_there_was_no_room_for(self):
        def prompts():
            yield "a"
            came.append(got.wait(3))
            yield "b"

        got, came = threading.Event(), []
        results = self.llm(self.serve(*[echo()] * 2)).map(prompts(), concurrency=1)
        self.assertEqual(str(next(results)), "a")
        got.set()
        self.assertEqual(([str(r) for r in results], came), (["b"], [True]))

    def test_tools_and_structures_work_inside(self):
        loops = set()

        async def look() -> None:
            """Look."""
            loops.add(asyncio.get_running_loop())

        def turn(seen):
            return reply('{"a": 1}') if len(seen.json["messages"]) > 1 else asking("", name="look")

        server = self.serve(*[lambda seen: turn(seen)(seen)] * 12)
        for made in all_of(self.llm(server), ["a", "b", "c"], tools=[look], schema=ANY_OBJECT):
            self.assertEqual([(r.parsed, len(r.rounds), r.cost) for r in made], [({"a": 1}, 2, 1.0)] * 3)
        self.assertEqual(len(loops), 3 + 1)  # map: one for each; amap: the caller's

    def test_a_function_that_ended_its_thread_was_waited_for_for_ever(self):
        def leave() -> None:
            """Leave."""
            raise SystemExit(3)

        llm = self.llm(self.serve(*[asking("", name="leave")] * 2))
        for read in (lambda: list(llm.map(["a"], tools=[leave])), lambda: all_of_amap(llm, ["a"], tools=[leave])):
            raised = []

            def wait():
                try:
                    read()  # noqa: B023
                except SystemExit as error:
                    raised.append(error.code)  # noqa: B023

            thread = threading.Thread(target=wait, daemon=True)
            thread.start()
            thread.join(5)
            self.assertEqual(raised, [3])

    def test_bad_arguments_are_said_at_once(self):
        llm = self.llm(self.serve())
        for prompts, params in [
            ("one prompt", {}), ({"prompt": "a"}, {}), (None, {}), (["a"], {"concurrency": 0}),
            (["a"], {"concurrency": "8"}), (["a"], {"temprature": 1}), (["a"], {"temperature": 3}),
        ]:  # fmt: skip
            for call in (llm.map, llm.amap, Llm(log=False).map):
                self.assertRaises(ConfigError, call, prompts, **params)
        self.assertRaises(ConfigError, Llm(log=False).map, ["a"])


# --- Weather --------------------------------------------------------------------------------


def wait_until(condition, seconds=0.5):
    """Poll until the condition holds; return whether it came to hold in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def for_ever(start, *cycle):
    """A script item whose pieces never end."""

    def item(seen):
        pieces = Pieces(end="close")
        pieces.pieces = itertools.chain([start], itertools.cycle(cycle))
        return pieces

    return item


def drip(data, size, pause):
    return [p for i in range(0, len(data), size) for p in (data[i : i + size], pause)]


def open_files():
    """Count of open descriptors, where the system tells it."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def client_threads():
    """Threads that are not those of a LoopbackServer."""
    return {t for t in threading.enumerate() if "LoopbackServer" not in repr(getattr(t, "_target", None))}


def run_python(code, *args, environ=None):
    """Start a Python that runs this code with the module at hand."""
    environ = {**os.environ, "PYTHONPATH": str(HERE), **(environ or {})}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], env=environ, **pipes)


CLI = """if True:
    import signal, openrouter_min
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
    raise SystemExit(openrouter_min.main())
    """
JSON_BODY = json.dumps(answer()).encode()
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SIZED = JSON_HEAD + b"Content-Length: %d\r\n\r\n" % len(JSON_BODY)
CHUNKED = JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
OPEN_SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"  # ends with the connection
HEL, LO, STOP = (framed(event(c)) for c in (chunk("Hel"), chunk("lo"), chunk("lo", "stop")))
USAGE = framed(event({"id": "gen-1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}))
UTF8 = event(json.dumps(chunk("é"), ensure_ascii=False).encode())
UTF8_CUT = UTF8.index(b"\xc3") + 1
BLANK = framed(event(chunk("")))
COMMENT = framed(b": OPENROUTER PROCESSING\n\n")
ERROR_FRAME = event({"error": {"code": 400, "message": "m"}})
DEEP = 100_000

# For localhost, 127.0.0.1 and api.weather.test, until 2126; its key guards nothing. Made anew by: openssl req -x509
# -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost -addext basicConstraints=
# critical,CA:TRUE -addext keyUsage=critical,digitalSignature,keyCertSign -addext subjectAltName=DNS:localhost,…
PEM = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5eTDkDUCCj0jVbZO
yeAKbvSrWXZy91vFltfG8iRD3/yhRANCAARiK6FrkHiIWoitmPcGRtkn28LcvYFM
9H8SRMPpssxg8ybaj4vbzZHo4KESenTpYN996QUpAEQjoQuiALJJa/cw
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBvjCCAWWgAwIBAgIUcH9BGjLHxaBAg491oMvvE86wgyQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTA2MzY1M1oYDzIxMjYxMTAx
MDYzNjUzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARiK6FrkHiIWoitmPcGRtkn28LcvYFM9H8SRMPpssxg8ybaj4vbzZHo
4KESenTpYN996QUpAEQjoQuiALJJa/cwo4GSMIGPMB0GA1UdDgQWBBTfZKTReM04
grIvouJ1+oWTF4rUsjAfBgNVHSMEGDAWgBTfZKTReM04grIvouJ1+oWTF4rUsjAs
BgNVHREEJTAjgglsb2NhbGhvc3SCEGFwaS53ZWF0aGVyLnRlc3SHBH8AAAEwDwYD
VR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAoQwCgYIKoZIzj0EAwIDRwAwRAIg
KjcLrVA+U2+ubmJRO0o4PuGoR2egKGVwL2Jfp27nMfECIF5F0iLf84Qeyjk01kSF
FOqJV1y6cQVO1NBjzzPsFVY+
-----END CERTIFICATE-----
"""


def certificate(case):
    """Write the certificate to a file, and let the client read its CAs anew."""
    path = case.folder() / "cert.pem"
    path.write_text(PEM)
    mock.patch.object(orm, "_TLS_CONTEXTS", {}).start()
    return path


def in_tls(case, before=lambda sock: None):
    """Return a server's wrap that speaks TLS, after what ``before`` does on the bare socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(case))

    def wrap(sock):
        before(sock)
        return context.wrap_socket(sock, server_side=True)

    return wrap


Fault = collections.namedtuple("Fault", "symptom item want partial posts settings")


def fault(symptom, item, want, partial=None, posts=1, **settings):
    return Fault(symptom, item, want, partial, posts, settings)


# What the tables below expect, in short.
Torn, Lost, Late, Odd = StreamInterruptedError, APIConnectionError, APITimeoutError, APIResponseError

# fmt: off
# Where an answer ends too soon: (place, bytes so far, what a close means, what a reset means, text so far)
CUTS = [
    ("before the head", b"", Lost, Lost, None), ("in the status line", b"HTTP/1.1 20", Lost, Lost, None),
    ("in a header", b"HTTP/1.1 200 OK\r\nContent-Ty", Lost, Lost, None),
    ("before the end of the head", JSON_HEAD, Lost, Lost, None), ("before a sized body", SIZED, Lost, Lost, None),
    ("in a sized body", SIZED + JSON_BODY[:90], Lost, Lost, None),
    ("one byte early", SIZED + JSON_BODY[:-1], Lost, Lost, None),
    ("in a chunked body", CHUNKED + framed(JSON_BODY[:90]), Lost, Lost, None),
    ("before the last chunk", CHUNKED + framed(JSON_BODY), Lost, Lost, None),
    ("in a body without length", JSON_HEAD + b"\r\n" + JSON_BODY[:90], Lost, Lost, None),
    ("before the first event", SSE_HEAD, Torn, Lost, ""), ("after a comment", SSE_HEAD + COMMENT, Torn, Lost, ""),
    ("in the first event", OPEN_SSE + b'data: {"id": "ge', Torn, Lost, ""),
    ("in the second event", SSE_HEAD + HEL + LO[:40], Torn, Torn, "Hel"),
    ("between events", SSE_HEAD + HEL, Torn, Torn, "Hel"),
    ("inside a character", SSE_HEAD + HEL + framed(UTF8[:UTF8_CUT]), Torn, Torn, "Hel"),
    ("after finish_reason", SSE_HEAD + HEL + STOP, "Hello", "Hello", None),
    ("in the usage after finish_reason", SSE_HEAD + HEL + STOP + USAGE[:60], "Hello", "Hello", None),
    ("after the usage", SSE_HEAD + HEL + STOP + USAGE, "Hello", "Hello", None),
    ("after [DONE]", SSE_HEAD + HEL + LO + framed(DONE), "Hello", "Hello", None),
]

SLOW = {"timeout": 0.25}
STALLS = [
    fault("silence before the head", Pieces(end="hang"), Late, **SLOW),
    fault("silence in the head", Pieces(JSON_HEAD, end="hang"), Late, **SLOW),
    fault("silence in a body", Pieces(SIZED + JSON_BODY[:90], end="hang"), Late, **SLOW),
    fault("silence before the first event", Pieces(SSE_HEAD, end="hang"), Late, **SLOW),
    fault("silence after text", Pieces(SSE_HEAD + HEL, end="hang"), Torn, "Hel", **SLOW),
    fault("silence after finish_reason", Pieces(SSE_HEAD + HEL + STOP, end="hang"), "Hello", **SLOW),
    fault("silence after [DONE]", Pieces(SSE_HEAD + HEL + LO + framed(DONE), end="hang"), "Hello"),
    fault("comments for ever", for_ever(SSE_HEAD, COMMENT, 0.01), Late, **SLOW),
    fault("bare CR comments for ever", for_ever(SSE_HEAD, framed(b":\r"), 0.01), Late, **SLOW),
    fault("other fields for ever", for_ever(SSE_HEAD, framed(b"id: 1\n\n"), 0.01), Late, **SLOW),
    fault("empty events for ever", for_ever(SSE_HEAD, framed(b"data:\n\n"), 0.02), Late, **SLOW),
    fault("comments after text", for_ever(SSE_HEAD + HEL, COMMENT, 0.01), Torn, "Hel", **SLOW),
    fault("comments after finish_reason", for_ever(SSE_HEAD + HEL + STOP, COMMENT, 0.01), "Hello", **SLOW),
    fault("padding for ever", for_ever(CHUNKED, framed(b"    \n"), 0.01), Late, **SLOW),
    fault("sized padding for ever", for_ever(SIZED, b" ", 0.01), Late, **SLOW),
    fault("a head that drips", for_ever(JSON_HEAD + b"X: ", b"x", 0.01), Late, **SLOW),
    fault("1xx for ever", for_ever(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.01), Late, **SLOW),
    fault("1xx in a flood", for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99), Lost),
    fault("a slow drip of JSON", Pieces(SIZED, *drip(JSON_BODY, 9, 0.01)), "Hello", **SLOW),
    fault("a slow drip of events", sse_answer(*drip(WHOLE_STREAM, 12, 0.01)), "Hello", **SLOW),
    fault("a drip past the deadline", for_ever(SSE_HEAD + framed(b"data: "), framed(b"x"), 0.01), Late, deadline=0.25),
    fault("text past the deadline", for_ever(SSE_HEAD + HEL, BLANK, 0.01), Torn, "Hel", deadline=0.25),
]

MOVED = (301, 302, 303, 304, 307, 308)
REDIRECT = ("Location: https://elsewhere.invalid/api/v1/chat/completions",)
HTML = b"<html><head><title>Oh</title></head><body>Bad <b>gateway</b></body></html>"
PACKED = gzip.compress(JSON_BODY)
GZIP = ["Content-Encoding: gzip"]
PACKED_SSE = SSE_HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n" + framed(gzip.compress(WHOLE_STREAM)) + b"0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
UNTYPED = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"
EXTENDED = b"5;x=1\r\n%s\r\n%x ;y\r\n%s\r\n0;z\r\nX: y\r\n\r\n" % (JSON_BODY[:5], len(JSON_BODY) - 5, JSON_BODY[5:])
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
FAILED = JSON_HEAD.replace(b"200", b"503")
DEEP_ERRORS = [b"[" * DEEP] + [b'{"error": ' + b"[" * n + b"]" * n + b"}" for n in (5000, 900)]
SCALARS = (b"not JSON", b"null", b"[]", b'"x"', b"7")
NESTED = [JSON_BODY[:-1] + b', "x": ' + b"[" * n + b"]" * n + b"}" for n in (200, 900, 5000)]
BAD_UTF8 = JSON_BODY.replace(b"Hello", b"Hel\xfflo")
BIG_NUMBERS = JSON_BODY.replace(b'"completion_tokens": 2', b'"completion_tokens": ' + b"9" * 30)
LONG_NUMBER = JSON_BODY.replace(b"{", b'{"x": ' + b"9" * 5000 + b", ", 1)
ODD_ANSWERS = [
    fault("204", Pieces(EMPTY), Odd), fault("1xx before the answer", Pieces(HINTS * 3 + SIZED + JSON_BODY), "Hello"),
    fault("101", Pieces(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", end="close"), APIStatusError),
    *(fault(f"redirect {n}", http_answer(b"", n, headers=REDIRECT), APIStatusError) for n in MOVED),
    *(fault(f"HTML {n}", http_answer(HTML, n, "text/html"), ProviderError, posts=3) for n in (500, 502, 503, 524)),
    fault("HTML 403", http_answer(HTML, 403, "text/html"), PermissionDeniedError),
    fault("HTML 200", http_answer(HTML, 200, "text/html"), Odd),
    fault("an error cut short", Pieces(FAILED + b'Content-Length: 9\r\n\r\n{"', end="close"), ProviderError, posts=3),
    *(fault(f"an error body {len(b)} long and deep", http_answer(b, 500), ProviderError, posts=3) for b in DEEP_ERRORS),
    fault("an error body gzipped", http_answer(PACKED, 503, headers=GZIP), ProviderError, posts=3),
    fault("an endless error body", for_ever(FAILED + b"\r\n", b"x" * 9999), ProviderError, posts=3),
    fault("an empty body", http_answer(b""), Odd),
    fault("an empty body without length", Pieces(JSON_HEAD + b"\r\n", end="close"), Odd),
    fault("only blanks", http_answer(b"   \n\n"), Odd),
    *(fault(f"the body {v.decode()}", http_answer(v), Odd) for v in SCALARS),
    fault("the body {}", http_answer(b"{}"), Odd, posts=3),
    fault("a body 100,000 deep", http_answer(b"[" * DEEP + b"]" * DEEP), Odd),
    fault("objects 30,000 deep", http_answer(b'{"a":' * 30_000), Odd),
    *(fault(f"a field nested {n}", http_answer(b), ("Hello", Odd)) for n, b in zip((200, 900, 5000), NESTED)),
    fault("an event 100,000 deep", sse_answer(event(b"[" * DEEP + b"]" * DEEP)), Odd),
    fault("NaN and Infinity", http_answer(JSON_BODY.replace(b"0.5", b"NaN").replace(b"5}", b"-Infinity}")), "Hello"),
    fault("numbers beyond 64 bits", http_answer(BIG_NUMBERS), "Hello"),
    fault("a number of 5,000 digits", http_answer(LONG_NUMBER), ("Hello", Odd)),
    fault("invalid UTF-8", http_answer(BAD_UTF8), "Hel\ufffdlo"),
    fault("invalid UTF-8 in an event", sse_answer(event(BAD_UTF8.replace(b"message", b"delta"))), "Hel\ufffdlo"),
    fault("a BOM", http_answer(b"\xef\xbb\xbf" + JSON_BODY), "Hello"),
    fault("a BOM before the events", sse_answer(b"\xef\xbb\xbf" + WHOLE_STREAM), "Hello"),
    fault("gzip unasked", http_answer(PACKED, headers=GZIP), Odd),
    fault("gzip unasked on a stream", Pieces(PACKED_SSE), Odd),
    fault("an endless body", for_ever(CHUNKED + framed(b'{"x": "'), framed(b"x" * 9999)), Odd),
    fault("an endless body without length", for_ever(JSON_HEAD + b"\r\n{", b"x" * 9999), Odd),
    fault("endless padding in a flood", for_ever(CHUNKED, framed(b" " * 9999)), Odd),
    fault("endless comments in a flood", for_ever(SSE_HEAD, framed(b": x\n" * 2500)), Odd),
    fault("endless events", for_ever(SSE_HEAD, HEL * 99, 0.001), Torn, "Hel"),
    fault("an endless line", for_ever(SSE_HEAD + framed(b"data: "), framed(b"x" * 9999)), Odd),
    fault("an endless line after text", for_ever(SSE_HEAD + HEL, framed(b"x" * 9999)), Torn, "Hel"),
    fault("an endless event of lines", for_ever(SSE_HEAD, framed(b"data: x\n" * 999)), Odd),
    fault("an endless header", for_ever(JSON_HEAD + b"X: ", b"x" * 9999), Lost),
    fault("endless headers", for_ever(JSON_HEAD, b"X: y\r\n" * 999), Lost),
    fault("200 headers", http_answer(JSON_BODY, headers=["X: y"] * 200), Lost),
    fault("no HTTP", Pieces(b"SSH-2.0-OpenSSH_9.6\r\n", end="close"), Lost),
    fault("HTTP/2 in words", Pieces(SIZED.replace(b"/1.1", b"/2") + JSON_BODY, end="close"), Lost),
    fault("a status that is no number", Pieces(SIZED.replace(b"200", b"two") + JSON_BODY, end="close"), Lost),
    fault("a header without colon", Pieces(JSON_HEAD + b"nonsense\r\n\r\n" + JSON_BODY, end="close"), "Hello"),
    fault("a length of x", Pieces(JSON_HEAD + b"Content-Length: x\r\n\r\n" + JSON_BODY, end="close"), "Hello"),
    fault("bare line feeds", Pieces((SIZED + JSON_BODY).replace(b"\r\n", b"\n")), "Hello"),
    fault("a chunk size that is no number", Pieces(CHUNKED + b"zz\r\n", end="close"), Lost),
    fault("a negative chunk size", Pieces(CHUNKED + b"-5\r\nabc", end="close"), Lost),
    fault("nonsense between chunks", Pieces(SSE_HEAD + HEL + b"zz\r\n", end="close"), Torn, "Hel"),
    fault("HTTP/1.0", Pieces((SIZED + JSON_BODY).replace(b"HTTP/1.1", b"HTTP/1.0"), end="close"), "Hello"),
    fault("HTTP/1.0 without length", Pieces(b"HTTP/1.0 200 OK\r\n\r\n" + JSON_BODY, end="close"), "Hello"),
    fault("HTTP/1.0 events", Pieces(OPEN_SSE.replace(b"1.1", b"1.0") + WHOLE_STREAM, end="close"), "Hello"),
    fault("two answers in one packet", Pieces((SIZED + JSON_BODY) * 2), "Hello"),
    fault("two streams in one packet", Pieces((SSE_HEAD + framed(WHOLE_STREAM) + b"0\r\n\r\n") * 2), "Hello"),
    fault("chunk extensions and trailers", Pieces(CHUNKED + EXTENDED), "Hello"),
    fault("events under a JSON type", http_answer(WHOLE_STREAM), "Hello"),
    fault("events under no type", Pieces(UNTYPED + WHOLE_STREAM, end="close"), "Hello"),
    fault("JSON that is no object among the events", sse_answer(event(b"7") + event(b"[]") + WHOLE_STREAM), "Hello"),
    fault("text that is no JSON among the events", sse_answer(event(b"Hi") + WHOLE_STREAM), Odd),
    fault("a stream without a byte", sse_answer(), Odd, posts=3),
    fault("a stream of comments", sse_answer(b": x\n\n" * 9), Odd, posts=3),
    fault("an open stream without a byte", Pieces(OPEN_SSE, end="close"), Odd, posts=3),
    fault("an open stream of comments", Pieces(OPEN_SSE + b": x\n\n" * 9, end="close"), Odd, posts=3),
    fault("an error without a code", json_answer({"error": {"message": "m"}}), APIStatusError),
    fault("an error without a code in a stream", sse_answer(event({"error": "m"})), APIStatusError),
    fault("HTML 404", http_answer(HTML, 404, "text/html"), APIStatusError),
]
FAULTS = [
    *(fault(f"closed {at}", Pieces(data, end="close"), want, text if want is Torn else None)
      for at, data, want, _, text in CUTS),
    *(fault(f"reset {at}", Pieces(data, 0.03, end="reset"), want, text if want is Torn else None)
      for at, data, _, want, text in CUTS),
    *STALLS,
    *ODD_ANSWERS,
    fault("refused", None, Lost, posts=0),
]
# fmt: on


class WeatherTests(Case):
    """Every fault by every way of calling, the four ways at once; then nothing may be left of it."""

    LIMITS = {"MAX_BODY": 400_000, "MAX_HEAD": 150_000}
    SLACK = 1.0  # s beyond the limit that ends a fault
    AT_ONCE = 6  # faults, each by every way

    def setUp(self):
        super().setUp()
        self.log = self.folder() / "log.db"
        for name, value in self.LIMITS.items():
            mock.patch.object(orm, name, value).start()
        mock.patch.object(orm._Call, "sleep", lambda call, seconds: None).start()
        keeper = Llm(api_key=KEY, log=self.log)  # which keeps the log open, so that descriptors can be counted
        self.addCleanup(keeper.close)
        self.servers = [self.serve() for _ in range(self.AT_ONCE * len(WAYS))]
        self.nobody = socket.socket()  # bound and not listening: its port refuses
        self.nobody.bind(("127.0.0.1", 0))
        self.addCleanup(self.nobody.close)

    def call(self, weather, way, server):
        """Make one call; return (client, text or error, seconds)."""
        server.script[:] = [weather.item] * weather.posts
        server.requests.clear()
        url = server.url if weather.item else f"http://127.0.0.1:{self.nobody.getsockname()[1]}/v1"
        settings = {"timeout": 5.0, **weather.settings}
        llm = Llm(base_url=url, api_key=KEY, model="a/b", log=self.log, max_retries=2,
                  agent_id=f"{weather.symptom} {way.__name__}", **settings)  # fmt: skip
        guard = threading.Timer(9.0, llm.close)  # a call that hangs fails the test, and does not hold it
        guard.start()
        began = time.monotonic()
        try:
            outcome = way(llm)
        except Exception as error:
            outcome = error
        guard.cancel()
        return llm, outcome, time.monotonic() - began

    def check(self, weather, way, server, outcome, seconds):
        wants = weather.want if isinstance(weather.want, tuple) else (weather.want,)
        got = outcome if isinstance(outcome, str) else type(outcome)
        self.assertIn(got, wants, repr(outcome))
        self.assertEqual(len(server.requests), weather.posts)
        self.assertEqual(server.unscripted, [])
        self.assertLess(seconds, min([5.0, *weather.settings.values()]) + self.SLACK)
        if weather.partial is not None:
            self.assertEqual(outcome.partial.content[:3], weather.partial)
        self.check_row(weather, way, outcome)
        if isinstance(outcome, OpenRouterError):
            self.assertTrue(outcome.hint.strip(), repr(outcome))
            self.assertTrue(weather.partial is not None or ".partial" not in str(outcome), outcome)
            self.assertEqual(len(outcome.attempts), weather.posts or 3)
        if isinstance(outcome, APIConnectionError) and weather.posts:
            self.assertTrue(outcome.sent)
        if isinstance(outcome, APIConnectionError):
            self.assertEqual("may have been billed" in str(outcome), bool(weather.posts))

    def check_row(self, weather, way, outcome):
        rows = LlmOperationCollector.from_db(self.log, agent_id=f"{weather.symptom} {way.__name__}")
        status = "ok" if isinstance(outcome, str) else "interrupted" if weather.partial is not None else "error"
        self.assertEqual([r["status"] for r in rows], [status])
        if status == "ok":
            self.assertEqual(rows[0]["response"], outcome)
        elif weather.partial:
            self.assertTrue(rows[0]["response"].startswith(weather.partial))
        else:
            self.assertFalse(rows[0]["response"])

    def brew(self, faults, pool, said, threads, files):
        jobs = [(*job, server) for job, server in zip(itertools.product(faults, WAYS), self.servers)]
        calls = list(pool.map(lambda job: self.call(*job), jobs))
        kept = sum(len(llm._session.transport._idle) for llm, _, _ in calls)
        is_clean = wait_until(lambda: client_threads() <= threads and open_files() <= files + 2 * kept, 1)
        for (weather, way, server), (llm, outcome, seconds) in zip(jobs, calls):
            with self.subTest(weather.symptom, way=way.__name__):
                self.check(weather, way, server, outcome, seconds)
            server.unscripted.clear()
            llm.close()
        with self.subTest([weather.symptom for weather in faults]):
            self.assertTrue(is_clean, f"left: {client_threads() - threads}, {open_files() - files} descriptors")
            self.assertTrue(wait_until(lambda: open_files() <= files), "close() left a socket")
            self.assertEqual(said.getvalue(), "")
        said.truncate(said.seek(0))

    def test_every_fault_by_every_way(self):
        self.assertEqual(len({f.symptom for f in FAULTS}), len(FAULTS))
        count = self.AT_ONCE * len(WAYS)
        said, pool = io.StringIO(), concurrent.futures.ThreadPoolExecutor(count)
        with contextlib.redirect_stderr(said), warnings.catch_warnings(), pool:
            warnings.simplefilter("always")
            barrier = threading.Barrier(count)
            list(pool.map(lambda n: barrier.wait(5), range(count)))  # now all threads are there
            fair = fault("fair weather", json_answer(answer()), "Hello")
            self.brew([fair], pool, said, client_threads(), 2**20)
            threads, files = client_threads(), open_files()
            for first in range(0, len(FAULTS), self.AT_ONCE):
                self.brew(FAULTS[first : first + self.AT_ONCE], pool, said, threads, files)

    @unittest.skipUnless(importlib.util.find_spec("resource"), "nothing measures memory here")
    def test_a_line_of_50_megabytes_costs_no_more_memory_than_max_body_names(self):
        block = b"x" * 2**20
        many = Pieces(SSE_HEAD, framed(event(chunk("Hel"))), framed(b"data: "), *[framed(block)] * 50, end="close")
        code = """if True:
            import resource, sys, openrouter_min as orm
            orm.MAX_BODY = 8 * 2**20
            llm = orm.Llm(base_url=sys.argv[1], api_key=sys.argv[2], model="a/b", log=False)
            import http.client, urllib.request
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                llm.complete("hi")
            except orm.StreamInterruptedError as error:
                print(error.partial.content, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
            """
        out, err = run_python(code, self.serve(many).url, KEY).communicate(timeout=20)
        self.assertEqual((out.split()[:1], err), ([b"Hel"], b""))
        grown = int(out.split()[1]) / (2**20 if sys.platform == "darwin" else 2**10)
        self.assertLess(grown, 4 * 8)


class ClockTests(Case):
    """``timeout`` counts data only; ``deadline`` and ``connect_timeout`` bound what they name."""

    def timed(self, call, at_least, at_most):
        """Make a call that fails; return its error. One that hangs is ended, and fails the test."""
        llm = call.__self__
        guard = threading.Timer(3.0, llm.close)
        guard.start()
        began = time.monotonic()
        try:
            with self.assertRaises(OpenRouterError) as caught:
                call("hi")
        finally:
            guard.cancel()
        seconds = time.monotonic() - began
        self.assertTrue(at_least <= seconds <= at_most, f"{seconds:.2f} s until {caught.exception!r}")
        return caught.exception

    def test_data_turns_the_clock_back_and_neither_comments_nor_blanks_do(self):
        body = [framed(JSON_BODY[:50]), 0.15, framed(JSON_BODY[50:]), b"0\r\n\r\n"]
        blanks, comments = [framed(b" \n"), 0.03] * 5, [COMMENT, 0.03] * 5
        calm = [CHUNKED, *blanks, *body], [SSE_HEAD, *comments, HEL, *comments, HEL, *comments, STOP, b"0\r\n\r\n"]

        def run(kind, pieces):
            llm = self.llm(self.serve(Pieces(*pieces, end="hang" if kind else "keep")), timeout=0.3)
            if not kind:
                return self.assertTrue(llm.complete("hi").content)
            error = self.timed(llm.complete, 0.29, 1.0)
            self.assertIsInstance(error, kind)
            return kind is Late or self.assertIsInstance(error.__cause__, Late)

        at_once(*(functools.partial(run, *job) for job in [
            *((None, pieces) for pieces in calm), (Late, [CHUNKED, *blanks * 4, *body]),
            (Late, [CHUNKED, framed(b"{"), *blanks * 4, *body]), (Late, [SSE_HEAD, *comments * 4, HEL]),
            (Torn, [SSE_HEAD, HEL, *comments * 4, HEL]), (Torn, [SSE_HEAD, HEL]),
        ]), threads=7)  # fmt: skip

    def test_the_deadline_bounds_retries_and_their_waits(self):
        busy = json_answer(error_body("busy", 429), 429, headers=["Retry-After: 0.1"])
        server = self.serve(*[busy] * 9)
        self.timed(self.llm(server, max_retries=9, deadline=0.35).complete, 0.1, 1.0)
        self.assertIn(len(server.requests), (2, 3, 4))
        server = self.serve(json_answer(error_body("busy", 429), 429, headers=["Retry-After: 9"]))
        error = self.timed(self.llm(server, max_retries=9, deadline=0.5).complete, 0.0, 0.4)
        self.assertIn("9 s, later than deadline allows", str(error))

    def test_limits_bound_an_upload_a_connect_a_handshake_and_a_tunnel(self):
        listener = socket.create_server(("127.0.0.1", 0))  # accepts by its backlog and never reads
        self.addCleanup(listener.close)
        silent = f"127.0.0.1:{listener.getsockname()[1]}"
        busy = (
            "http://{}:{}/v1".format(*busy_address(self)) if sys.platform == "linux" else None
        )  # elsewhere it refuses

        def run(url, **settings):
            llm = Llm(base_url=url, api_key=KEY, model="a/b", log=False, max_retries=0, **settings)
            error = self.timed(llm.complete, 0.24, 1.2)
            llm.close()
            self.assertIsInstance(error, APITimeoutError)
            self.assertFalse(error.sent)
            return str(error)

        big = "x" * 9_000_000
        jobs = [functools.partial(run, f"http://{silent}/v1", system_prompt=big, **{name: 0.25})
                for name in ("deadline", "timeout")]  # fmt: skip
        jobs += [functools.partial(run, busy, **{n: 0.25}) for n in ("connect_timeout", "deadline") if busy]
        at_once(*jobs, functools.partial(run, f"https://{silent}/v1", connect_timeout=0.25))
        with mock.patch.dict(os.environ, {"HTTPS_PROXY": f"http://{silent}"}):
            told = run("https://a.test/v1", connect_timeout=0.25)
        self.assertRegex(told, "no connection to the proxy .* within 0.25 s")


class RetryTests(Case):
    def test_waits_stood_where_nobody_looked(self):
        now = time.time()
        soon, past = (email.utils.formatdate(now + s, usegmt=True) for s in (30, -30))
        reset = {"headers": {"X-RateLimit-Reset": str(int((now + 20) * 1000))}}
        inside, odd = {"headers": {"Retry-After": "0.12"}}, ("-7", "soon", "nan", "inf", past)
        for headers, more, low, high in [
            (["Retry-After: 5"], {"metadata": {"retry_after_seconds": 0.11}}, 0.11, 0.11),
            ([], {"metadata": inside}, 0.12, 0.12), (["Retry-After: 5"], {"metadata": inside}, 0.12, 0.12),
            ([], {"metadata": {"retry_after_seconds": 0.11, "headers": {"Retry-After": "5"}}}, 0.11, 0.11),
            (["Retry-After: 0.13"], {}, 0.13, 0.13), (["Retry-After: 0"], {}, 0.1, 0.1),
            ([], {"metadata": {"headers": {"Retry-After": "0"}}}, 0.1, 0.1), (["Retry-After: 2"], {}, 2, 2),
            ([f"Retry-After: {soon}"], {}, 25, 30), *(([f"Retry-After: {text}"], {}, 0.25, 0.5) for text in odd),
            ([], {"metadata": reset}, 15, 20), ([f"X-RateLimit-Reset: {int((now + 40) * 1000)}"], {}, 35, 40),
            ([], {"availability": {"retry_after": 3}}, 3, 3),
            (["Retry-After: 9"], {"availability": {"retry_after": 3}}, 9, 9),
            (["Retry-After: 9"], {"metadata": reset}, 9, 9),
        ]:  # fmt: skip
            for status in (429, 503):
                busy = json_answer(error_body("busy", status, **more), status, headers=headers)
                llm = self.llm(self.serve(busy, json_answer(answer())), max_retries=1)
                waits = instant(llm)
                with self.subTest(headers, more=more, status=status):
                    self.assertEqual((llm.complete("hi").content, len(waits)), ("Hello", 1))
                    self.assertTrue(low <= waits[0] <= high, waits)
        for value in ("61", "9" * 12, "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"):
            server = self.serve(json_answer(error_body("busy", 503), 503, headers=[f"Retry-After: {value}"]))
            llm = self.llm(server, max_retries=3)
            waits = instant(llm)
            with self.assertRaisesRegex(ProviderError, "the next try would be in .* s, later than retry_wait_max"):
                llm.complete("hi")
            self.assertEqual((waits, len(server.requests)), ([], 1))

    def test_after_text_nothing_is_sent_again_whatever_comes(self):
        late = event({"error": {"code": 503, "message": "m"}, "choices": []})
        for end, last in (("close", b""), ("reset", b""), ("keep", framed(late) + b"0\r\n\r\n")):
            for way in WAYS:
                server = self.serve(Pieces(SSE_HEAD, HEL, 0.02, last, end=end))
                llm = self.llm(server, max_retries=3, fallbacks=["c/1", "c/2", "c/3"])
                with self.assertRaises(StreamInterruptedError) as caught:
                    way(llm)
                self.assertEqual((len(server.requests), caught.exception.partial.content), (1, "Hel"))


# Where a call can be cancelled: (moment, what the server sends, text so far, is a connection open then)
BUSY = json_answer(error_body("busy", 429), 429, headers=["Retry-After: 30"])
HALF_EVENT = framed(event(chunk("Half")))
MOMENTS = [
    ("before the head", Pieces(end="hang"), "", True),
    ("in the head", Pieces(b"HTTP/1.1 200 OK\r\nX: ", end="hang"), "", True),
    ("after text", Pieces(SSE_HEAD, HALF_EVENT, end="hang"), "Half", True),
    ("among comments", for_ever(SSE_HEAD + HALF_EVENT, COMMENT, 0.01), "Half", True),
    ("in a JSON body", Pieces(SIZED + JSON_BODY[:60], end="hang"), "", True),
    ("in a wait before a retry", BUSY, "", False),
]


def arrival(server):
    """Return what waits until the request is there, and the client has read what was answered."""

    def wait():
        wait_until(lambda: server.requests, 2)
        time.sleep(0.03)

    return wait


def cancelled_by_close(close):
    """A way to end a call from another thread; ``close`` gets the client and the stream."""

    def run(case, llm, arrived):
        stream, moment = llm.stream("hi"), []

        def later():
            arrived()
            moment.append(time.monotonic())
            close(llm, stream)

        thread = threading.Thread(target=later)
        thread.start()
        with case.assertRaises(StreamInterruptedError) as caught:
            "".join(stream)
        thread.join()
        return moment[0], caught.exception.partial.content

    return run


def cancelled_task(call):
    def run(case, llm, arrived):
        async def main():
            task = asyncio.ensure_future(call(llm))
            await asyncio.get_running_loop().run_in_executor(None, arrived)
            moment = time.monotonic()
            task.cancel()
            await asyncio.wait([task])
            case.assertTrue(task.cancelled())
            return moment, None

        return asyncio.run(main())

    return run


def cancelled_by_wait_for(call):
    def run(case, llm, arrived):
        async def main():
            with case.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(call(llm), 0.15)

        began = time.monotonic()
        asyncio.run(main())
        return began + 0.15, None

    return run


async def read_all(llm):
    return "".join([text async for text in llm.stream("hi")])


CANCELS = {
    "Stream.close() in another thread": cancelled_by_close(lambda llm, stream: stream.close()),
    "Llm.close() in another thread": cancelled_by_close(lambda llm, stream: llm.close()),
    "a cancelled acomplete": cancelled_task(lambda llm: llm.acomplete("hi")),
    "a cancelled async for": cancelled_task(read_all),
    "wait_for around acomplete": cancelled_by_wait_for(lambda llm: llm.acomplete("hi")),
    "wait_for around async for": cancelled_by_wait_for(read_all),
}


class CancelTests(Case):
    """Whatever ends a call: the connection is closed within 0.5 s, the row says so, with the text so far."""

    def setUp(self):
        super().setUp()
        self.log = self.folder() / "log.db"

    def settle(self, server, moment, text, is_open=True, **filters):
        """Check what a cancel at this moment must leave behind."""
        now = time.monotonic()
        self.assertLess(now - moment, 0.5, "the call came back late")
        if is_open:
            self.assertTrue(wait_until(lambda: server.left_at, 0.5 - (now - moment)), "the connection stayed open")
        rows = LlmOperationCollector.from_db(self.log, **filters)
        self.assertEqual([(r["status"], r["response"] or "") for r in rows], [("cancelled", text)])

    def test_garbage_collected_while_a_lock_is_held_hung_the_thread(self):
        server = self.serve(*[sse_answer(event(chunk("Hel")), end="hang", last=b"")] * 3)
        llm = self.llm(server, log=self.log)
        for lock in (llm._session._lock, llm._session.log._lock, llm._session.transport._lock):
            reader = iter(llm.stream("hi"))
            next(reader)

            def collect():
                with lock:  # noqa: B023
                    reader.close()  # noqa: B023

            thread = threading.Thread(target=collect, daemon=True)
            thread.start()
            thread.join(2)
            self.assertFalse(thread.is_alive())
        self.assertEqual([r["status"] for r in LlmOperationCollector.from_db(self.log)], ["cancelled"] * 3)

    def test_every_cancel_at_every_moment(self):
        def run(name, cancel, moment, item, text, is_open):
            server, label = self.serve(item), f"{name} {moment}"
            llm = self.llm(server, log=self.log, max_retries=2, agent_id=label, retry_wait_max=60)
            at, partial = cancel(self, llm, arrival(server))
            self.settle(server, at, text, is_open, agent_id=label)
            self.assertIn(partial, (None, text))

        gc.collect()  # what others have left is not ours
        threads, said = client_threads(), io.StringIO()
        with contextlib.redirect_stderr(said), concurrent.futures.ThreadPoolExecutor(6) as pool:
            jobs = [(*cancel, *moment) for cancel, moment in itertools.product(CANCELS.items(), MOMENTS)]
            for job, future in [(job, pool.submit(run, *job)) for job in jobs]:
                with self.subTest(job[0], at=job[2]):
                    future.result()
        self.assertTrue(wait_until(lambda: client_threads() <= threads), "a thread is left")
        gc.collect()  # asyncio complains of what nobody fetched when it is freed
        self.assertEqual(said.getvalue(), "")

    def test_leaving_the_loop_or_the_with_ends_the_call(self):
        def by_break(llm):
            for _ in llm.stream("hi"):
                break

        def by_with(llm):
            with llm.stream("hi") as stream:
                next(iter(stream))

        def by_error(llm):
            with contextlib.suppress(KeyError):
                for _ in llm.stream("hi"):
                    raise KeyError

        def by_chunks(llm):
            for _ in llm.stream("hi").chunks():
                break

        async def by_async_break(llm):
            async for _ in llm.stream("hi"):
                break

        async def by_async_with(llm):
            async with llm.stream("hi") as stream:
                async for _ in stream:
                    break

        threads = client_threads()
        for leave in (by_break, by_with, by_error, by_chunks, by_async_break, by_async_with):
            with self.subTest(leave.__name__):
                server = self.serve(Pieces(SSE_HEAD, HALF_EVENT, end="hang"))
                llm = self.llm(server, log=self.log, agent_id=leave.__name__)
                began = time.monotonic()
                result = leave(llm)
                if result is not None:
                    asyncio.run(result)
                self.settle(server, began, "Half", agent_id=leave.__name__)
                self.assertTrue(wait_until(lambda: client_threads() <= threads), "a thread is left")

    def test_over_tls_too(self):
        server = self.serve(Pieces(SSE_HEAD, HALF_EVENT, end="hang"), wrap=in_tls(self))
        llm = Llm(base_url=server.url.replace("http:", "https:"), api_key=KEY, model="a/b", log=self.log)
        self.addCleanup(llm.close)
        with mock.patch.dict(os.environ, {"SSL_CERT_FILE": str(certificate(self))}):
            at, partial = CANCELS["Stream.close() in another thread"](self, llm, arrival(server))
        self.settle(server, at, "Half")
        self.assertEqual(partial, "Half")

    @unittest.skipIf(os.name == "nt", "no SIGINT to one process")
    def test_ctrl_c_at_any_moment_exits_with_130_and_keeps_the_text(self):
        def run(process, server, log, shown, text, is_open):
            self.assertTrue(wait_until(lambda: server.requests, 20))
            self.assertEqual(process.stdout.read(len(shown)).decode(), shown)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            out, err = process.communicate(timeout=5)
            self.assertLess(time.monotonic() - began, 1.0)
            self.assertEqual((process.returncode, out), (130, b"\n" if shown else b""))
            self.assertNotIn(b"Traceback", err)
            if is_open:
                self.assertTrue(wait_until(lambda: server.left_at))
                self.assertLess(server.left_at[0] - began, 0.5)
            row = LlmOperationCollector.from_db(log)[0]
            self.assertEqual((row["status"], row["response"] or ""), ("cancelled", text))

        jobs = []
        for (moment, item, text, is_open), argv in [
            *((m, []) for m in MOMENTS),
            *((m, ["--no-stream"]) for m in MOMENTS[3:5]),
        ]:
            server, log = self.serve(item), self.folder() / "log.db"
            environ = {"OPENROUTER_BASE_URL": server.url, "OPENROUTER_API_KEY": KEY, "OPENROUTER_MIN_LOG": str(log)}
            process = run_python(CLI, "hi", *argv, environ=environ)
            self.addCleanup(process.kill)
            jobs.append((moment, (process, server, log, "" if argv else text, text, is_open)))
        for moment, job in jobs:
            with self.subTest(moment):
                run(*job)


class KeptConnectionTests(Case):
    def fill(self, llm, count):
        """Leave this many idle connections, by as many calls at once."""
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            for done in [pool.submit(llm.complete, "hi") for _ in range(count)]:
                done.result()
        self.assertEqual(len(llm._session.transport._idle), count)

    def slow_answers(self, count):
        return [Pieces(0.1, SIZED + JSON_BODY)] * count

    def test_what_was_read_to_its_end_is_reused_and_nothing_else(self):
        whole = Pieces(SIZED + JSON_BODY)

        def run(symptom, first, connections, way):
            server = self.serve(first, whole)
            llm = self.llm(server)
            with contextlib.suppress(OpenRouterError):
                way(llm)
            time.sleep(0.1 if "behind" in symptom else 0)
            self.assertEqual(way(llm), "Hello", symptom)
            self.assertEqual((server.connections, len(server.requests)), (connections, 2), symptom)

        rows = [
            ("JSON", whole, 1), ("chunked JSON", Pieces(CHUNKED, framed(JSON_BODY), b"0\r\n\r\n"), 1),
            ("a stream", sse_answer(WHOLE_STREAM), 1), ("an error", json_answer(error_body("m", 400), 400), 1),
            ("a stream whose last chunk comes late", sse_answer(WHOLE_STREAM, 0.005), 1),
            ("Connection: close", http_answer(JSON_BODY, headers=["Connection: close"]), 2),
            ("HTTP/1.0", Pieces((SIZED + JSON_BODY).replace(b"HTTP/1.1", b"HTTP/1.0")), 2),
            ("two answers in one packet", Pieces(SIZED + JSON_BODY + SIZED + b"x" * len(JSON_BODY)), 2),
            ("a second answer right behind", Pieces(SIZED + JSON_BODY, 0.01, SIZED + b"x" * len(JSON_BODY)), 2),
            ("[DONE] without a last chunk", sse_answer(WHOLE_STREAM, last=b""), 2),
            ("an event that is no JSON", sse_answer(event(b"{")), 2), ("an error frame", sse_answer(ERROR_FRAME), 1),
            ("an error frame whose last chunk comes late", sse_answer(ERROR_FRAME, 0.02), 1),
            ("an error frame without a last chunk", sse_answer(ERROR_FRAME, 0.4, last=b""), 2),
        ]  # fmt: skip
        with mock.patch.object(orm, "ERROR_GRACE", 0.2):
            jobs = itertools.product(rows, (by_complete, by_async_for))
            at_once(*(functools.partial(run, *row, way) for row, way in jobs), threads=4)

    def test_an_idle_one_is_checked_and_dropped_when_old_closed_or_noisy(self):
        whole = Pieces(SIZED + JSON_BODY)
        noisy = Pieces(SIZED + JSON_BODY, 0.01, b"HTTP/1.1 408 Timeout\r\n\r\n", end="close")
        closed, reset = (Pieces(*whole.pieces, 0.01, end=end) for end in ("close", "reset"))
        for symptom, first, limit in [
            ("old", whole, 0.01), ("closed", closed, 30), ("reset", reset, 30), ("noisy", noisy, 30),
        ]:  # fmt: skip
            with self.subTest(symptom), mock.patch.object(orm, "IDLE_LIMIT", limit):
                server = self.serve(first, whole)
                llm = self.llm(server)
                for _ in range(2):
                    self.assertEqual(llm.complete("hi").content, "Hello")
                    time.sleep(0.03)
                self.assertEqual((server.connections, len(server.requests)), (2, 2))
                self.assertTrue(wait_until(lambda server=server: len(server.left_at) == 1), "not closed")

    def test_a_reused_one_that_dies_before_a_byte_is_replaced_once_by_a_fresh_one(self):
        for end in ("close", "reset"):
            for last in (Pieces(SIZED + JSON_BODY), Pieces(end=end)):
                server = self.serve(Pieces(SIZED + JSON_BODY), Pieces(end=end), last)
                llm = self.llm(server)
                llm.complete("hi")
                with self.assertRaises(APIConnectionError) if last.end == end else contextlib.nullcontext():
                    self.assertEqual(llm.complete("hi").content, "Hello")
                self.assertEqual((len(server.requests), server.connections), (3, 2))

    def test_with_many_idle_ones_that_die_the_request_still_goes_out_only_twice(self):
        server = self.serve(*self.slow_answers(4), *[Pieces(end="close")] * 6)
        llm = self.llm(server)
        self.fill(llm, 4)
        with self.assertRaises(APIConnectionError):
            llm.complete("hi")
        self.assertEqual(len(server.requests) - 4, 2, "each copy may have been billed")

    def test_a_reused_one_that_dies_after_a_byte_or_in_silence_is_not_replaced(self):
        for item in (Pieces(b"H", end="close"), Pieces(end="hang")):
            server = self.serve(Pieces(SIZED + JSON_BODY), item)
            llm = self.llm(server, timeout=0.2)
            llm.complete("hi")
            with self.assertRaises(APIConnectionError):
                llm.complete("hi")
            self.assertEqual(len(server.requests), 2)

    @unittest.skipUnless(hasattr(os, "fork"), "no fork")
    def test_a_fork_starts_with_no_connection_and_leaves_its_parent_s_alone(self):
        server = self.serve(*[Pieces(SIZED + JSON_BODY)] * 4)
        code = """if True:
            import os, sys, openrouter_min as orm
            llm = orm.Llm(base_url=sys.argv[1], api_key=sys.argv[2], model="a/b", log=sys.argv[3])
            llm.complete("before")
            child = os.fork()
            llm.complete("parent" if child else "child")
            if child:
                assert os.waitpid(child, 0)[1] == 0
                llm.complete("after")
            """
        log = self.folder() / "log.db"
        out = run_python(code, server.url, KEY, log).communicate(timeout=20)
        self.assertEqual((out, server.connections), ((b"", b""), 2))
        rows = LlmOperationCollector.from_db(log, status="ok")
        self.assertEqual(sorted(r["user_prompt"] for r in rows), ["after", "before", "child", "parent"])

    def test_close_and_the_end_of_a_forgotten_client_close_all(self):
        for leave in (Llm.close, lambda llm: None):
            server = self.serve(*self.slow_answers(3))
            llm = client(server)
            self.fill(llm, 3)
            leave(llm)
            del llm
            gc.collect()
            self.assertTrue(wait_until(lambda: len(server.left_at) == 3), leave)  # noqa: B023

    def test_eight_threads_share_a_client_and_never_an_answer_or_a_row(self):
        def work(number):
            texts = [f"{number} {n}" for n in range(25)]
            return [llm.complete(text).content for text in texts] == texts

        server, log = self.serve(*[echo()] * 200), self.folder() / "log.db"
        llm = self.llm(server, log=log)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertTrue(all(pool.map(work, range(8))))
        self.assertLessEqual(server.connections, 8)
        rows = LlmOperationCollector.from_db(log)
        self.assertEqual((len(rows), len({r["operation_id"] for r in rows})), (200, 200))
        self.assertEqual({(r["status"], r["user_prompt"] == r["response"]) for r in rows}, {("ok", True)})


WRITER = """if True:
    import sys, openrouter_min as orm
    log = orm.log_for(sys.argv[1])
    for n in range(int(sys.argv[3])):
        row = {"operation_id": orm.new_operation_id(), "timestamp": orm.utc_timestamp(), "status": "running"}
        row.update(agent_id=sys.argv[2], user_prompt="p" * 200)
        log.write(row)
        log.write(row, {"status": "ok", "response": f"{sys.argv[2]} {n}"})
    """
ASKER = """if True:
    import os, sys, warnings, openrouter_min as orm, http.client, sqlite3, urllib.request, email.parser
    url, key, path, before = sys.argv[1:]
    warnings.simplefilter("always")
    orm.Llm(base_url=url, api_key=key, model="a/b", log=False).complete("hi")
    llm = orm.Llm(base_url=url, api_key=key, model="a/b", log=path)
    for n in range(3):
        if n == 1 or "late" not in before:
            exec(before)
        print(llm.complete("hi " * 9000).content)
    """
AS_NOBODY = "os.getuid() == 0 and os.setuid(65534)"
DISK_FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (%s, resource.RLIM_INFINITY))"


class LogStressTests(Case):
    def setUp(self):
        super().setUp()
        self.path = self.folder() / "log.db"

    def count(self, sql="SELECT count(*) FROM operations"):
        with contextlib.closing(sqlite3.connect(str(self.path))) as connection:
            return connection.execute(sql).fetchone()[0]

    def check_rows(self, count, distinct="response"):
        self.assertEqual(self.count("SELECT count(*) FROM operations WHERE status = 'ok'"), count)
        self.assertEqual(self.count(), count)
        self.assertEqual(self.count(f"SELECT count(DISTINCT {distinct}) FROM operations"), count)
        self.assertEqual(self.count("PRAGMA integrity_check"), "ok")

    def test_many_processes_at_once_lose_and_double_no_row(self):
        sizes = [150] * 4 + [25] * 6
        writers = [run_python(WRITER, self.path, n, size) for n, size in enumerate(sizes)]
        said = [writer.communicate(timeout=60) for writer in writers]
        self.assertEqual(set(said), {(b"", b"")})
        self.check_rows(sum(sizes))

    @unittest.skipUnless(hasattr(signal, "SIGKILL"), "no SIGKILL")
    def test_kill_9_leaves_a_running_row_and_a_sound_file(self):
        server = self.serve(Pieces(SSE_HEAD, HEL, end="hang"))
        environ = {"OPENROUTER_BASE_URL": server.url, "OPENROUTER_API_KEY": KEY, "OPENROUTER_MIN_LOG": str(self.path)}
        victims = [run_python(CLI, "hi", environ=environ)]
        self.assertEqual(victims[0].stdout.read(3), b"Hel")
        victims += [run_python(WRITER, self.path, n, 10**6) for n in range(2)]
        written = "SELECT count(*) FROM operations WHERE agent_id = '{}'".format
        self.assertTrue(wait_until(lambda: min(self.count(written(n)) for n in range(2)) > 20, 9))
        for victim in victims:
            victim.kill()
            victim.communicate()
        self.assertEqual(self.count("PRAGMA integrity_check"), "ok")
        rows = LlmOperationCollector.from_db(self.path, status="running")
        self.assertEqual([r["user_prompt"] for r in rows if r["agent_id"].startswith("cli")], ["hi"])
        self.assertLessEqual(len(rows), 3)
        self.assertGreater(self.count("SELECT count(*) FROM operations WHERE status = 'ok'"), 40)

    def write(self, path):
        """Write a row to a log of this process, as WRITER does in another."""
        row = {"operation_id": orm.new_operation_id(), "timestamp": orm.utc_timestamp(), "status": "running"}
        log = orm.log_for(path)
        log.write(row)
        log.write(row, {"status": "ok"})

    @unittest.skipUnless(importlib.util.find_spec("resource"), "no such modes and limits here")
    def test_a_bad_disk_costs_one_warning_and_no_answer(self):
        server = self.serve(*[json_answer(answer())] * 40)
        jobs = []
        for symptom, exists, before, rows in [
            ("read-only folder", False, AS_NOBODY, 0), ("read-only file", True, AS_NOBODY, 1),
            ("no space for a file", False, DISK_FULL % 0, 0),
            *((f"no space for a table in {n}", False, DISK_FULL % n, None) for n in (9000, 20_000)),
            ("no space for a row", True, DISK_FULL % "os.path.getsize(path)", None),
            ("no space later", False, DISK_FULL % "os.path.getsize(path)" + "  # late", None),
        ]:  # fmt: skip
            path = self.folder() / "log.db"
            if exists:
                run = orm.connect_log(str(path))
                run.execute("INSERT INTO operations (operation_id, timestamp, status) VALUES ('x', '2026', 'ok')")
                run.commit()
                run.close()
            if before == AS_NOBODY:
                path.parent.chmod(0o555)
            jobs.append((symptom, path, rows, run_python(ASKER, server.url, KEY, path, before)))
        for symptom, path, rows, job in jobs:
            out, err = job.communicate(timeout=30)
            path.parent.chmod(0o755)
            with self.subTest(symptom):
                self.assertEqual((job.returncode, out.split()), (0, [b"Hello"] * 3), err)
                self.assertEqual(err.count(b"RuntimeWarning"), 1, err)
                self.assertIn(b"continuing without it", err)
                self.assertEqual(rows, len(LlmOperationCollector.from_db(path)) if rows is not None else None)
            with self.subTest(symptom, later="the disk is well again"), warnings.catch_warnings():
                warnings.simplefilter("error")
                self.write(path)
                self.assertGreater(len(LlmOperationCollector.from_db(path)), 0)

    def ask_twice(self):
        """Make two calls; return the warnings."""
        with warnings.catch_warnings(record=True) as caught, MockOpenRouter() as server:
            warnings.simplefilter("always")
            with Llm(base_url=server.url, api_key=KEY, model="a/b", log=self.path) as llm:
                self.assertTrue(llm.complete("hi").content and llm.complete("hi").content)
        return [w for w in caught if issubclass(w.category, RuntimeWarning)]

    def test_a_lock_that_is_held(self):
        for symptom, begin, seconds, limit, warned in [
            ("in a new file, for a while", "EXCLUSIVE", 0.2, 10.0, 0),
            ("in a new file, too long", "EXCLUSIVE", 0.3, 0.05, 1),
            ("in a log, for a while", "IMMEDIATE", 0.2, 10.0, 0), ("in a log, too long", "IMMEDIATE", 0.3, 0.05, 1),
        ]:  # fmt: skip
            self.path = self.folder() / "log.db"
            if begin == "IMMEDIATE":
                orm.connect_log(str(self.path)).close()
            other = sqlite3.connect(str(self.path), isolation_level=None, check_same_thread=False)
            other.execute(f"BEGIN {begin}")
            release = threading.Timer(seconds, other.close)
            release.start()
            with self.subTest(symptom), mock.patch.object(orm, "LOG_BUSY_TIMEOUT", limit):
                self.assertEqual(len(self.ask_twice()), warned)
                release.join()
                if not warned:
                    self.assertEqual(self.count("SELECT count(*) FROM operations WHERE status = 'ok'"), 2)

    def test_a_log_that_another_makes_at_the_same_moment(self):
        def make_it():
            with mock.patch.object(sqlite3, "connect", real):
                with contextlib.suppress(sqlite3.OperationalError):  # its turn has not come
                    orm.connect_log(str(self.path), 0.05).close()

        class Raced(sqlite3.Connection):
            def execute(self, *args):
                steps.append(args)
                if len(steps) == moment:
                    make_it()
                return super().execute(*args)

        real = sqlite3.connect
        for moment in range(1, 10):
            self.path, steps = self.folder() / "log.db", []
            patch = mock.patch.object(sqlite3, "connect", lambda *args, **kind: real(*args, factory=Raced, **kind))
            with self.subTest(moment), patch:
                self.assertEqual([str(w.message) for w in self.ask_twice()], [])
            with self.subTest(moment):
                self.check_rows(2, "operation_id")

    @unittest.skipIf(os.name == "nt", "a VFS of Unix")
    def test_a_file_system_without_wal_still_gets_its_rows(self):
        def connect(path, **kind):
            path = path if kind.get("uri") else Path(path).as_uri() + "?vfs=unix-dotfile"
            return real(path, **{**kind, "uri": True})

        real = sqlite3.connect
        with mock.patch.object(sqlite3, "connect", connect):
            self.assertLessEqual(len(self.ask_twice()), 1)
        self.assertEqual(self.count("PRAGMA journal_mode"), "delete")
        self.assertEqual(self.count("SELECT count(*) FROM operations WHERE status = 'ok'"), 2)

    def test_content_off_no_server_s_echo_reaches_the_file(self):
        secret = "PROMPTTEXT"
        moderated = error_body(secret, 403, metadata={"flagged_input": secret, "reasons": [secret], "raw": secret})
        calls = [{"function": {"arguments": secret}}]
        items = [
            json_answer(moderated, 403), http_answer(secret.encode(), 500, "text/plain"), http_answer(secret.encode()),
            json_answer({"error": {"type": secret, "message": "x"}}, 400), sse_answer(event(secret.encode())),
            sse_answer(event(chunk(secret)) + event({"error": {"code": 502, "message": secret}})),
            Pieces(SSE_HEAD, framed(event(chunk(secret))), end="close"),
            Pieces(f"HTTP/1.1 {secret}\r\n\r\n".encode(), end="close"),
            json_answer(answer(secret, reasoning=secret, refusal=secret, tool_calls=calls)),
        ]  # fmt: skip
        vectors = json_answer({"data": [{"embedding": [1], "index": 0}]})
        server = self.serve(*items, vectors, json_answer({"results": []}))
        llm = self.llm(server, log=self.path, log_content=False, system_prompt=secret, params={"stop": [secret]})
        tool = {"type": "function", "function": {"name": "f", "description": secret, "parameters": {}}}
        for _ in items:
            with contextlib.suppress(OpenRouterError):
                "".join(llm.stream(secret, tools=[tool], user=secret, metadata={"x": secret}))
        llm.embed([secret], model="e/m")
        llm.request("POST", "/rerank", {"model": "r/m", "query": secret, "documents": [secret]})
        rows = LlmOperationCollector.from_db(self.path)
        self.assertEqual((len(rows), rows[-4]["error_message"]), (len(items) + 2, "BadRequestError 400"))
        self.assertEqual(json.loads(rows[2]["completion_args"])["stop"], "list[1]")
        for path in self.path.parent.iterdir():
            self.assertNotIn(secret.encode(), path.read_bytes(), path)


# fmt: off
# (NO_PROXY, host, how it is reached)
NO_PROXY = [
    ("localhost,10.0.0.0/8", "10.1.2.3", "direct"), ("10.1.2.3/32", "10.1.2.3:8080", "direct"),
    (" 10.1.2.0/24 , x.test", "10.1.2.3", "direct"), ("fd00::/8", "[fd00::1]:8080", "direct"),
    ("10.1.0.0/16,192.168.0.0/16", "10.9.9.9", "proxy"), ("10.0.0.0/33,nonsense/8", "10.1.2.3", "proxy"),
    ("10.0.0.0/8", "[fd00::1]", "proxy"), ("10.0.0.0/8", "api.example.test", "proxy"),
    ("10.0.0.0/8, .example.test", "api.example.test", "direct"), ("10.0.0.0/8,gate.test", "gate.test", "direct"),
    ("*", "gate.test", "direct"), ("*.example.test", "api.example.test", "direct"),
    ("*.example.test", "example.test.other", "proxy"), (".example.test", "a.b.example.test", "direct"),
    ("EXAMPLE.test", "api.example.test", "direct"), ("ample.test", "api.example.test", "proxy"),
    ("gate.test:8080", "gate.test:8080", "direct"), ("gate.test:8080", "gate.test:9090", "proxy"),
    ("gate.test:80", "gate.test", "direct"), ("10.1.2.3", "10.1.2.3", "direct"), ("[fd00::1]", "[fd00::1]", "direct"),
    ("fd00::1", "[fd00::1]:8080", "direct"), ("[fd00::1]:8080", "[fd00::1]:8080", "direct"),
    ("fd00::2", "[fd00::1]", "proxy"), ("", "gate.test", "proxy"),
]
# fmt: on

SETTINGS = [field.name for field in dataclasses.fields(LlmConfig)]


class SecurityTests(Case):
    """The key is in the Authorization header to its own base_url, and nowhere else."""

    def setUp(self):
        super().setUp()
        self.log = self.folder() / "log.db"

    def assert_hidden(self, error):
        """No form in which an error can be shown holds the key."""
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        fields = {k: v for k, v in vars(error).items() if k != "attempts"}
        said = [a.error for a in error.attempts]
        for what in (text, str(error), repr(error), repr(error.args), repr(fields), repr(said)):
            self.assertNotIn(KEY, what)

    def test_a_redirect_takes_the_key_nowhere(self):
        other = self.serve()
        for status in (301, 302, 303, 307, 308):
            server = self.serve(http_answer(b"", status, headers=[f"Location: {other.url}/chat/completions"]))
            with self.assertRaisesRegex(APIStatusError, "base_url"):
                self.llm(server).complete("hi")
        self.assertEqual((other.connections, other.requests), (0, []))

    def test_a_plain_proxy_gets_a_plain_request_and_a_loopback_server_none(self):
        proxy, server = self.serve(json_answer(answer())), self.serve(json_answer(answer()))
        environ = {"HTTP_PROXY": proxy.url.replace("//", "//user:secret@")}
        with mock.patch.dict(os.environ, environ):
            self.llm(server).complete("hi")
            self.assertEqual(proxy.connections, 0)
            llm = Llm(base_url="http://gateway.test/v1", api_key=KEY, model="a/b", log=False, allow_plain_http=True)
            self.assertEqual(llm.complete("hi").content, "Hello")
            llm.close()
        seen = proxy.requests[0]
        self.assertEqual(seen.line, "POST http://gateway.test/v1/chat/completions HTTP/1.1")
        self.assertEqual(seen.headers["host"], "gateway.test")
        self.assertTrue(seen.headers["proxy-authorization"].startswith("Basic "))
        self.assertEqual([name for name, text in seen.header_lines if KEY in text], ["Authorization"])

    def connect_proxy(self, reply=b"HTTP/1.1 200 Established\r\n\r\n"):
        """Return a proxy that is itself the server behind its tunnel, and the heads of its tunnels."""
        heads = []

        def tunnel(sock):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += sock.recv(1)
            heads.append(head.decode())
            sock.sendall(reply)

        server = self.serve(json_answer(answer()), json_answer(answer()), wrap=in_tls(self, tunnel))
        return server, heads

    def test_an_https_proxy_sees_connect_and_never_the_key(self):
        server, heads = self.connect_proxy()
        proxy = f"http://user:secret@127.0.0.1:{server.port}"
        with mock.patch.dict(os.environ, {"HTTPS_PROXY": proxy, "SSL_CERT_FILE": str(certificate(self))}):
            llm = Llm(base_url="https://api.weather.test/v1", api_key=KEY, model="a/b", log=False, connect_timeout=3)
            self.addCleanup(llm.close)
            self.assertEqual([by_complete(llm), by_async_for(llm)], ["Hello"] * 2)
        self.assertEqual(len(heads), 1)  # the tunnel is kept
        self.assertTrue(heads[0].startswith("CONNECT api.weather.test:443 HTTP/1.1\r\n"), heads)
        self.assertIn("Proxy-Authorization: Basic ", heads[0])
        self.assertNotIn("sk-or", heads[0].lower())
        self.assertNotIn("\nAuthorization", heads[0])
        self.assertNotIn("proxy-authorization", server.requests[0].headers)
        self.assertEqual(server.requests[0].path, "/v1/chat/completions")

    def test_a_proxy_that_refuses_is_named(self):
        for reply in (b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", b"nonsense\r\n\r\n", b"HTTP/1.1 200"):
            server, heads = self.connect_proxy(reply)
            with mock.patch.dict(os.environ, {"HTTPS_PROXY": f"http://127.0.0.1:{server.port}"}):
                settings = {"api_key": KEY, "log": False, "max_retries": 0, "connect_timeout": 0.3}
                llm = Llm(base_url="https://api.weather.test", **settings)
                with self.assertRaisesRegex(APIConnectionError, "proxy") as caught:
                    llm.complete("hi")
            self.assert_hidden(caught.exception)
            self.assertEqual((len(heads), server.requests), (1, []))

    @unittest.skipIf(os.name == "nt" or sys.platform == "darwin", "the system may keep a proxy")
    def test_which_proxy_is_taken(self):
        proxy, host = "http://u:%40@p.test:3128", "api.weather.test"
        for environ, target, found in [
            ({}, host, None), ({"HTTPS_PROXY": proxy}, host, "HTTPS_PROXY"),
            ({"https_proxy": proxy}, host, "HTTPS_PROXY"), ({"All_Proxy": proxy}, host, "ALL_PROXY"),
            ({"ALL_PROXY": proxy, "HTTPS_PROXY": proxy}, host, "HTTPS_PROXY"), ({"HTTP_PROXY": proxy}, host, None),
            ({"HTTPS_PROXY": "p.test:3128"}, host, "HTTPS_PROXY"),
            *(({"HTTPS_PROXY": proxy}, target, None) for target in ("localhost", "127.0.0.1", "[::1]")),
        ]:  # fmt: skip
            with self.subTest(target, environ=environ), mock.patch.dict(os.environ, environ):
                made = orm.find_proxy("https", target, 443)
                self.assertEqual(made and (made.host, made.port, made.source), found and ("p.test", 3128, found))
        for (value, host, expected), name in zip(NO_PROXY, itertools.cycle(("NO_PROXY", "no_proxy"))):
            name_of, _, port = host.rpartition(":") if re.search(r"[^:]:\d+$", host) else (host, "", 80)
            with self.subTest("read more narrowly than by others", value=value, host=host):
                with mock.patch.dict(os.environ, {"HTTP_PROXY": proxy, name: value}):
                    self.assertEqual(bool(orm.find_proxy("http", name_of, int(port))), expected == "proxy")
        for url in ("socks5://p.test:1080", "https://p.test", "http://p.test:x", "http://"):
            with self.subTest(url), mock.patch.dict(os.environ, {"HTTPS_PROXY": url}):
                with self.assertRaisesRegex(ConfigError, "HTTPS_PROXY"):
                    orm.find_proxy("https", "api.weather.test", 443)

    @unittest.skipIf(os.name == "nt" or sys.platform == "darwin", "the system may keep a proxy")
    def test_who_has_no_proxy_does_not_load_what_finds_it(self):
        code = (
            "import sys; before = set(sys.modules); import openrouter_min as orm; orm.main(['--mock', 'hi']); "
            "print('urllib.request' in set(sys.modules) - before)"
        )
        out, _ = run_python(code).communicate(timeout=20)
        self.assertEqual(out.split()[-1], b"False")

    def test_no_proxy_goes_straight_there(self):
        server = self.serve(json_answer(answer()), wrap=in_tls(self))
        there = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
        environ = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "x.test,api.weather.test"}
        environ["SSL_CERT_FILE"] = str(certificate(self))
        with mock.patch.dict(os.environ, environ), mock.patch.object(socket, "getaddrinfo") as asked:
            asked.return_value = there
            llm = Llm(base_url=f"https://api.weather.test:{server.port}/v1", api_key=KEY, model="a/b", log=False)
            self.addCleanup(llm.close)
            self.assertEqual(llm.complete("hi").content, "Hello")
        self.assertEqual(asked.call_args[0][0], "api.weather.test")

    def test_tls_is_verified_by_name_and_by_ca(self):
        unverified = mock.patch.object(ssl, "_create_default_https_context", ssl._create_unverified_context)
        for host, has_ca, words in [
            ("127.0.0.1", True, None), ("localhost", True, None), ("wrong.weather.test", True, "can't be verified"),
            ("127.0.0.1", False, "can't be verified.*SSL_CERT_FILE"),
        ]:  # fmt: skip
            server = self.serve(json_answer(answer()), wrap=in_tls(self))
            there = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
            environ = {"PYTHONHTTPSVERIFY": "0", **({"SSL_CERT_FILE": str(certificate(self))} if has_ca else {})}
            patch = mock.patch.object(socket, "getaddrinfo", return_value=there)
            with self.subTest(host), mock.patch.dict(os.environ, environ), patch, unverified:
                llm = Llm(base_url=f"https://{host}:{server.port}/v1", api_key=KEY, log=False, max_retries=2)
                self.addCleanup(llm.close)
                if words is None:
                    self.assertEqual(llm.complete("hi").content, "Hello")
                    continue
                with self.assertRaisesRegex(APIConnectionError, "(?s)" + words) as caught:
                    llm.complete("hi")
                self.assertEqual((server.requests, caught.exception.sent), ([], False))
                tried = (len(caught.exception.attempts), server.connections)
                self.assertEqual(tried, (1, 1), "a certificate was tried three times")

    @unittest.skipUnless(sys.platform == "linux", "elsewhere the system has its own CAs")
    def test_a_ca_may_stand_in_the_folder_or_in_the_file_and_nowhere_else(self):
        no_file, with_ca = str(self.folder() / "none.pem"), str(certificate(self))
        right, other = self.folder(), self.folder()
        (right / "ce275665.0").write_text(PEM)  # named by its hash: openssl x509 -hash
        (other / "00000000.0").write_text("")
        server = self.serve(*[json_answer(answer())] * 5, wrap=in_tls(self))
        there = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
        mock.patch.object(socket, "getaddrinfo", return_value=there).start()
        late = self.folder() / "late.pem"
        late.write_text("")
        for tries, (host, file, folder, is_trusted) in enumerate([
            ("localhost", no_file, right, True),
            ("localhost", with_ca, other, True),
            ("localhost", with_ca, None, True),
            ("localhost", with_ca, None, True),
            ("localhost", no_file, other, False),
            ("wrong.weather.test", with_ca, right, False),
            ("localhost", late, other, False),
            ("localhost", late, other, True),  # it holds the CA now
        ], 1):  # fmt: skip
            environ = {"SSL_CERT_FILE": str(file), **({"SSL_CERT_DIR": str(folder)} if folder else {})}
            with self.subTest(host=host, file=file, folder=folder), mock.patch.dict(os.environ, environ):
                llm = Llm(base_url=f"https://{host}:{server.port}/v1", api_key=KEY, log=False, max_retries=2)
                self.addCleanup(llm.close)
                if is_trusted:
                    self.assertEqual(llm.complete("hi").content, "Hello")
                else:
                    with self.assertRaisesRegex(APIConnectionError, "can't be verified") as caught:
                        llm.complete("hi")
                    self.assertFalse(caught.exception.sent)
                self.assertEqual(server.connections, tries)  # neither tried again nor over a second connection
            if file == late:
                late.write_text(PEM)

    def test_a_line_break_reaches_no_head(self):
        server = self.serve()
        llm = self.llm(server)
        for text in ("x\r\nX-Evil: 1", "x\n", "x\r", "x\0"):
            for call in (
                lambda text=text: Llm(api_key=text),
                lambda text=text: Llm(api_key=KEY, base_url=f"{server.url}{text}/v1"),
                lambda text=text: llm.complete("hi", headers={"X-A": text}),
                lambda text=text: llm.complete("hi", headers={text: "a"}),
                lambda text=text: llm.request("GET", "/" + text),
                lambda text=text: llm.request("GET" + text, "/key"),
            ):
                self.assertRaises(ConfigError, call)
        server.script.append(json_answer({"data": {}}))
        llm.generation("a\r\nX-Evil: 1")
        self.assertEqual([seen.headers.get("x-evil") for seen in server.requests], [None])

    def test_no_setting_that_holds_the_key_by_mistake_shows_it(self):
        values = (KEY, f"{KEY}\n", [KEY, f"{KEY}\n"], {KEY: f"{KEY}\n"}, {"user": {KEY}})
        for name, value in itertools.product(SETTINGS, values):
            with self.subTest(name, value=str(type(value))):
                try:
                    text = repr(Llm(LlmConfig(**{"api_key": KEY, "log": False, name: value})))
                    self.assertNotIn(KEY, text)
                except OpenRouterError as error:
                    self.assert_hidden(error)
        for argv in (f"-HAuthorization: Bearer {KEY}", f"-H{KEY}", f"-o{KEY}", f"-oapi_key={KEY}", f"-m{KEY} "):
            said = io.StringIO()
            with self.subTest(argv), contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                with mock.patch.dict(os.environ, {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": self.serve().url}):
                    orm.main(["hi", argv])
                self.assertNotIn(KEY, said.getvalue())

    def test_wherever_a_server_echoes_the_key_no_error_and_no_row_holds_it(self):
        echo = answer(KEY, KEY, tool_calls=[{"id": KEY, "function": {"name": KEY, "arguments": KEY}}], refusal=KEY)
        halves = chunk(KEY[:20]), chunk(KEY[20:])
        items = [
            json_answer(error_body(KEY, metadata={"raw": KEY, KEY: KEY}, type=KEY), 400, [f"X-Generation-Id: {KEY}"]),
            http_answer(f"<p>{KEY}</p>".encode(), 500, "text/html"), http_answer(KEY.encode(), 401, "text/plain"),
            http_answer(KEY.encode()), json_answer({"choices": [], "x": KEY}),
            json_answer({**echo, "id": KEY, "model": KEY, "provider": KEY, "service_tier": KEY}),
            Pieces(f"{KEY} nonsense\r\n\r\n".encode(), end="close"),
            http_answer(JSON_BODY, headers=[f"Content-Encoding: {KEY}"]),
            Pieces(CHUNKED + KEY.encode() + b"\r\n", end="close"), sse_answer(event(KEY.encode())),
            sse_answer(*map(event, halves), event({"error": {"code": 502, "message": KEY}})),
            Pieces(SSE_HEAD, *map(framed, map(event, halves)), end="close"),
        ]  # fmt: skip
        server = self.serve(*[item for item in items for _ in WAYS])
        llm = self.llm(
            server, log=self.log, session_id=KEY, workspace=KEY, agent_id=KEY, headers={"X-Key": KEY},
            system_prompt=KEY, fallbacks=[KEY, "a/b"], params={"user": KEY, "metadata": {KEY: KEY}},
        )  # fmt: skip
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertLogs(level="DEBUG") as logged:
            logging.getLogger().debug("one line, since assertLogs wants it")
            for number, way in itertools.product(range(len(items)), WAYS):
                with self.subTest(number, way=way.__name__):
                    try:
                        way(llm, model=KEY, action_id=KEY, stop=[KEY])
                    except OpenRouterError as error:
                        error.partial = None  # the answer itself is the server's, and the caller's
                        self.assert_hidden(error)
                        self.assertNotIn(KEY, repr(error.attempts))
        self.assertEqual(len(LlmOperationCollector.from_db(self.log)), len(items) * len(WAYS))
        data = b"".join(path.read_bytes() for path in self.log.parent.iterdir())
        self.assertTrue(b"[hidden]" in data and KEY.encode() not in data)
        self.assertNotIn(KEY, said.getvalue() + str(logged.output) + repr(llm))


# --- Helpers of the sections below ----------------------------------------------------------

HALF, WORDS, EMOJI = "half an ans", "upstream overloaded", "\U0001f600"
PAID = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.5}
BILL = {"id": "gen-1", "choices": [], "usage": PAID}
PNG_FILE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(17)
TITLE = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


def entered(case, context):
    """Enter a context until the end of the test; return what it gives."""
    value = context.__enter__()
    case.addCleanup(context.__exit__, None, None, None)
    return value


def closed(*events, done=True):
    """A stream that is all there is on its connection; bytes go as they are."""
    parts = [e if isinstance(e, bytes) else event(e) for e in events]
    return Pieces(OPEN_SSE, *parts, DONE if done else b"", end="close")


def deltas(*fields, finish="stop"):
    """A stream with a delta of each of these fields; a text is one of content."""
    return closed(*(chunk(delta=f if isinstance(f, dict) else {"content": f}) for f in fields), chunk("", finish))


def choice(finish=None, index=0, **fields):
    """A chunk whose choice has a ``delta``, a ``message`` or both; texts are their content."""
    fields = {name: {"content": value} if isinstance(value, str) else value for name, value in fields.items()}
    return {"id": "g", "model": "a/b", "choices": [{"index": index, "finish_reason": finish, **fields}]}


def part(arguments=None, name=None, call_id=None, index=None):
    """A piece of a tool call, without what is None."""
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    return {**{k: v for k, v in (("index", index), ("id", call_id)) if v is not None}, "function": function}


def calling(*pieces):
    """A stream of these pieces of tool calls, a list of them in each event."""
    return deltas(*({"tool_calls": p} for p in pieces), finish="tool_calls")


def pictures(*urls):
    return [{"type": "image_url", "image_url": {"url": url}} for url in urls]


def failed(message="no", status=200, headers=(), **fields):
    return json_answer({"error": {"message": message, **fields}}, status, headers)


def named_event(data, name="event: error"):
    return f"{name}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def costing(usd, content="x", **more):
    """A step of the mock server that costs so much."""
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost": usd}
    return {"content": content, "usage": usage, **more}


def echoed(request):
    """A step of the mock server: answer with the prompt."""
    return request.json["messages"][-1]["content"]


def days_ago(days):
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)


def put(path, *rows):
    """Write rows into a log as they stand; ``days``: how many days ago they were."""
    with contextlib.closing(orm.connect_log(str(path))) as connection:
        for row in rows:
            at = days_ago(row.get("days", 0))
            own = {"operation_id": f"op-{int(at.timestamp() * 1e6):015x}-{uuid.uuid4().hex[:10]}", "success": 1,
                   "timestamp": at.isoformat(timespec="milliseconds"), "status": "ok"}  # fmt: skip
            row = {name: value for name, value in {**own, **row}.items() if name != "days"}
            sql = f"INSERT INTO operations ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
            connection.execute(sql, list(row.values()))


def mapped(llm, **params):
    (result,) = llm.map(["hi"], **params)
    if isinstance(result, Exception):
        raise result
    return result


EVERY_DOOR = {**{way: DOORS[way] for way in ("complete", "stream", "acomplete", "async for")}, "map": mapped}
FEW = {way: DOORS[way] for way in ("complete", "stream")}
READINGS = {  # the pieces of text of a stream
    "for": lambda llm, **params: list(llm.stream("hi", **params)),
    "chunks": lambda llm, **params: [c.content for c in llm.stream("hi", **params).chunks()],
    "async": lambda llm, **params: asyncio.run(gathered(llm.stream("hi", **params))),
}


def by_doors(rows, fully=3, doors=EVERY_DOOR):
    """The first rows with every door, the others (not reported, but of the same kind) with two in turn."""
    for number, row in enumerate(rows):
        ways = list(doors.items())
        for way, ask in ways if number < fully else dict.fromkeys([ways[1], ways[number % len(ways)]]):
            yield row, way, ask


def outcome(ask, *args, **params):
    """What comes back: a result, or the error, which has a hint whatever it is."""
    try:
        return ask(*args, **params)
    except OpenRouterError as error:
        assert error.hint.strip(), repr(error)
        return error


def text_of(done):
    return getattr(done, "content", done)


def piped(data):
    """A stdin that is a pipe with these bytes in it."""
    reader, writer = os.pipe()
    with open(writer, "wb") as file:
        file.write(data)
    return open(reader, encoding="utf-8")


class Tty(io.StringIO):
    def isatty(self):
        return True


class CommandLineCase(Case):
    IS_LOGGED = False

    def setUp(self):
        super().setUp()
        self.path = self.folder() / "log.db"
        log = str(self.path) if self.IS_LOGGED else "off"
        environ = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_MIN_LOG": log, "TERM": "xterm"}
        entered(self, mock.patch.dict(os.environ, environ))

    def file(self, name, data=b""):
        path = self.path.parent / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(path)

    @functools.cached_property
    def mock_server(self):
        """A mock server for all runs of a test, since to end one takes a while."""
        return entered(self, MockOpenRouter(*[self.next_step] * 999))

    def next_step(self, request):
        step = self.steps.pop(0) if self.steps else "ok"
        return step(request) if callable(step) else step

    def main(self, *argv, script=(), server=None, stdin=None, out=io.StringIO, log=None, **environ):
        """Run the command line in this process; return (code, stdout, stderr).

        It asks a mock server with this script, or ``server``. Bytes for stdin come through a pipe.
        """
        given = piped(stdin) if isinstance(stdin, bytes) else Tty() if stdin is None else stdin
        stdout, stderr = out(), out()
        self.server = server or self.mock_server
        if server is None:
            self.steps = list(script)
            self.server.requests.clear()
        log = {"OPENROUTER_MIN_LOG": str(log)} if log else {}
        environ = {"OPENROUTER_BASE_URL": self.server.url, **log, **environ}
        with contextlib.closing(given), mock.patch.dict(os.environ, environ):
            with mock.patch.multiple(sys, stdin=given, stdout=stdout, stderr=stderr):
                code = orm.main(list(argv))
        return code, stdout.getvalue(), stderr.getvalue()

    def success(self, *argv, **kind):
        code, out, err = self.main(*argv, **kind)
        self.assertEqual(code, 0, err)
        return out, err

    def failure(self, expected, *argv, **kind):
        code, out, err = self.main(*argv, **kind)
        self.assertEqual((code, out, "Traceback" in err), (expected, "", False), err)
        return err

    def raw(self, item, *argv, **kind):
        """Run the command line against a server that answers with this item, again and again."""
        return self.main(*argv, server=self.serve(*[item] * 9), **kind)

    def json_rows(self, *argv, **kind):
        """The rows that a view prints as JSON lines."""
        return [json.loads(line) for line in self.success(*argv, "--json", **kind)[0].splitlines()]

    def sent(self, number=-1):
        """The texts of the messages of a request."""
        return [m["content"] for m in self.server.requests[number].json["messages"]]

    def assert_all_in(self, words, text):
        self.assertEqual([word for word in words if word not in text], [], text)

    def ask(self, ask, *script, settings=None, **params):
        """The outcome of asking, by that door, a server with this script."""
        self.server = self.serve(*script)
        return outcome(ask, self.llm(self.server, **(settings or {})), **params)

    def check(self, rows, look, doors=EVERY_DOOR, fully=3, **params):
        """Rows: (symptom, what the server answers, what ``look`` makes of the result)."""
        for (symptom, item, expected), way, ask in by_doors(rows, fully, doors):
            with self.subTest(symptom, way=way):
                self.assertEqual(look(self.ask(ask, item, **params)), expected)

    def check_text(self, rows):
        """Rows: (symptom, stream, text), by the doors, in pieces and on the command line."""
        self.check(rows, text_of)
        for symptom, item, text in rows:
            for way, read in READINGS.items():
                with self.subTest(symptom, pieces=way):
                    pieces = self.ask(read, item)
                    self.assertEqual((pieces if isinstance(pieces, OpenRouterError) else "".join(pieces)), text)
                    self.assertEqual([p for p in pieces if re.search("[\ud800-\udfff]", p)], [])
        for symptom, item, text in rows[:2]:
            with self.subTest(symptom, way="command line"):
                self.assertEqual(self.raw(item, "hi")[:2], (0, text + "\n"))


# --- The provider page ----------------------------------------------------------------------

# The blocks of the page; only their import lines are replaced, by one from openrouter_min.
PAGE = """
from aicore.llm.config import LlmConfig

config = LlmConfig(
    provider="openrouter",
    api_key="your_openrouter_api_key",  # Get from https://openrouter.ai/keys
    model="openai/gpt-4",  # Format: provider/model-name
    temperature=0.7,
    max_tokens=1000
)
----
from aicore.models_metadata import METADATA

model_data = METADATA["openrouter-openai/gpt-4"]
print(f"Price per 1k tokens: ${model_data.pricing.completion/10:.4f}")
----
from aicore.llm import Llm

llm = Llm(config=config)
response = llm.complete("Explain quantum computing in simple terms")
print(response.content)
----
async for chunk in llm.stream("Write a poem about AI"):
    print(chunk, end="", flush=True)
----
messages = [
    {"role": "system", "content": "You are a helpful assistant"},
    {"role": "user", "content": "What's the weather today?"}
]

response = llm.chat(messages)
----
config = LlmConfig(
    provider="openrouter",
    api_key="your_api_key",
    model="anthropic/claude-3-opus",
    headers={
        "HTTP-Referer": "https://yourdomain.com",
        "X-Title": "Your App Name"
    }
)
----
config = LlmConfig(
    provider="openrouter",
    api_key="your_api_key",
    model="anthropic/claude-3-opus",
    fallbacks=["openai/gpt-4", "google/gemini-pro"]
)
----
from aicore.observability.collector import LlmOperationCollector

# View OpenRouter operations
operations = LlmOperationCollector.polars_from_db(provider="openrouter")
print(operations.select(["model", "latency_ms", "total_tokens"]))
""".split("----")


class PageTests(Case):
    def setUp(self):
        super().setUp()
        self.server = entered(self, MockOpenRouter())
        environ = {"OPENROUTER_BASE_URL": self.server.url, "OPENROUTER_MIN_LOG": str(self.folder() / "log.db")}
        entered(self, mock.patch.dict(os.environ, environ))
        self.names = {name: getattr(orm, name) for name in orm.__all__}

    def run_block(self, number):
        """Run a block as printed, in a coroutine since one of them is; return what it prints."""
        lines = PAGE[number].strip().split("\n")
        code = "\n".join(line for line in lines if not line.startswith("from aicore"))
        self.assertLessEqual(len(lines) - len(code.split("\n")), 1)
        source = "async def block():\n    global config, llm, response, operations\n" + textwrap.indent(code, "    ")
        exec(source, self.names)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            asyncio.run(self.names["block"]())
        return printed.getvalue()

    def test_the_eight_blocks_run_as_printed(self):
        printed = [self.run_block(number) for number in range(5)]
        printed[4] = self.names["response"].content
        self.assertEqual(printed[1], "Price per 1k tokens: $0.0600\n")
        asked = {2: "Explain quantum computing in simple terms", 3: "Write a poem about AI", 4: "What's the weather"}
        for number, words in asked.items():
            self.assertIn(words, printed[number])
        for number in (5, 6):
            self.run_block(number)
            orm.Llm(self.names["config"]).complete("hi")
        first, second, third, headed, falling = self.server.requests
        self.assertEqual([r.json["model"] for r in (first, second, third)], ["openai/gpt-4"] * 3)
        self.assertEqual([r.json.get("stream") for r in (first, second, third)], [None, True, None])
        self.assertEqual((first.json["temperature"], first.json["max_tokens"]), (0.7, 1000))
        self.assertEqual(third.json["messages"][0]["role"], "system")
        expected = {"HTTP-Referer": "https://yourdomain.com", "X-Title": "Your App Name",
                    "Authorization": "Bearer your_api_key"}  # fmt: skip
        self.assertEqual({name: headed.headers[name] for name in expected}, expected)
        self.assertEqual(falling.json["models"], ["anthropic/claude-3-opus", "openai/gpt-4", "google/gemini-pro"])
        with mock.patch.dict(sys.modules, {"polars": None}):
            table = self.run_block(7).split("\n")
        self.assertEqual(table[0].split(), ["model", "latency_ms", "total_tokens"])
        self.assertEqual((len(table), table[-2].split()[0]), (2 + 5 + 1, "openai/gpt-4"))
        with mock.patch.dict(sys.modules, {"polars": mock.Mock()}):
            self.assertIs(orm.LlmOperationCollector.polars_from_db(), sys.modules["polars"].DataFrame.return_value)


# --- Mock server ----------------------------------------------------------------------------

PIXEL, CALL_F = "data:image/png;base64,iVBORw0K", {"function": {"name": "f", "arguments": "{}"}}
# (a step that answers, a field of the completion, its value)
GOOD_STEPS = [
    ("my text", "content", "my text"), ({"content": "hi"}, "content", "hi"), ({"reasoning": "hm"}, "reasoning", "hm"),
    (costing(1.5), "cost", 1.5), ({"images": pictures(PIXEL)}, "images", [PIXEL]), ({"refusal": "no"}, "refusal", "no"),
    ({"content": "x", "finish_reason": "length"}, "truncated", True),
    ({"content": "x", "model": "m/n"}, "model", "m/n"),
    ({"tool_calls": [CALL_F]}, "finish_reason", "tool_calls"),
    ({"tool_calls": [CALL_F]}, "tool_calls", [orm.ToolCall("call_0", "f", "{}")]),
    (lambda request: echoed(request) + "!", "content", "hi!"), (lambda request: {"content": "d"}, "content", "d"),
]  # fmt: skip
# (a step that fails, the error of an answer or of a stream)
BAD_STEPS = [
    (429, RateLimitError), (lambda request: 429, RateLimitError), ("stall", APITimeoutError),
    ("empty", APIResponseError), ("error", (ProviderError, StreamInterruptedError)),
    ("cut", (APIConnectionError, StreamInterruptedError)), ("reset", APIConnectionError),
]  # fmt: skip


class MockTests(Case):
    def test_each_step_of_a_script_comes_out_as_it_says(self):
        def fail(step, expected, way):
            with MockOpenRouter(step) as server, client(server, timeout=0.2, model="openai/gpt-4") as llm:
                self.assertRaises(expected, way, llm)

        at_once(*(functools.partial(fail, *row, way) for row in BAD_STEPS for way in WAYS), threads=8)
        with MockOpenRouter(*(step for step, _, _ in GOOD_STEPS for _ in FEW)) as server, client(server) as llm:
            for step, name, expected in GOOD_STEPS:
                with self.subTest(step, name=name):
                    self.assertEqual([getattr(ask(llm), name) for ask in FEW.values()], [expected] * 2)
            self.assertIn("mock answer", llm.complete("hi").content)
            late = client(server)
            late.complete("hi")
        with late, self.assertRaises(APIConnectionError):  # a kept connection was answered after the end
            late.complete("hi")
        for step in (None, True, [], 1.5):
            self.assertRaises(ConfigError, MockOpenRouter, step)

    def test_the_shape_of_its_stream_is_the_real_one(self):
        with MockOpenRouter("two words") as server:
            request = {"model": "openai/gpt-4", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
            with contextlib.closing(http.client.HTTPConnection(server.url.split("/")[2])) as connection:
                headers = {"Authorization": "Bearer x"}
                connection.request("POST", "/api/v1/chat/completions", json.dumps(request), headers)
                response = connection.getresponse()
                self.assertEqual(response.headers["Transfer-Encoding"], "chunked")
                body = response.read()
        self.assertEqual((body.startswith(b": OPENROUTER PROCESSING\n\n"), body.endswith(DONE)), (True, True))
        chunks = [json.loads(data) for _, data in orm.SSEDecoder().feed(body)[:-1]]
        self.assertEqual({c["choices"][0]["delta"]["role"] for c in chunks}, {"assistant"})
        self.assertEqual([("usage" in c) for c in chunks], [False, False, False, True])
        self.assertEqual(chunks[-1]["usage"]["cost"], round(30 * 1 / 1e6 + 60 * 2 / 1e6, 12))

    def test_what_arrived_can_be_looked_at_and_what_the_real_one_refuses_is_refused(self):
        with MockOpenRouter() as server:
            client(server).complete("hi", top_p=0.5)
            seen = server.requests[0]
            with self.assertRaisesRegex(ModelNotFoundError, "did you mean openai/gpt-4"):
                client(server, model="gpt-4").complete("hi")
        self.assertEqual((seen.path, seen.json["top_p"], seen["path"]), ("/api/v1/chat/completions", 0.5, seen.path))
        self.assertEqual(seen.headers["authorization"], f"Bearer {KEY}")

    def test_schemas_other_endpoints_and_a_second_start(self):
        fields = {"a": {"type": "array", "items": {"$ref": "#/$defs/b"}, "minItems": 2}, "c": {"enum": ["x", "y"]},
                  "k": {"const": 0}, "n": {"type": ["null", "string"]},
                  "u": {"anyOf": [{"type": "number"}]}}  # fmt: skip
        schema = {"type": "object", "properties": fields, "required": list(fields), "$defs": {"b": {"type": "boolean"}}}
        tree = {"type": "object", "properties": {"sub": {"type": "array", "items": {"$ref": "#"}}}, "required": ["sub"]}
        with MockOpenRouter() as server, client(server) as llm:  # numbers and trees made it fall over
            for wanted in (schema, tree, List[Point], Colour, Model, Decimal, datetime.time, datetime.date, uuid.UUID):
                with self.subTest(wanted):
                    self.assertIsNotNone(llm.complete("q", schema=wanted).parsed)
        server = MockOpenRouter("one", "ok", "two")
        for text in ("one", "two", "nothing was billed"):
            with server, client(server) as llm:
                self.assertIn(text, llm.complete("q").content)
                vectors = llm.embed(["a", "bb"], model="openai/text-embedding-3-small", dimensions=3)
                about = (llm.generation("gen-1")["id"], llm.key()["label"], "total_usage" in llm.credits())
                self.assertEqual(([len(v) for v in vectors], about), ([3, 3], ("gen-1", "mock", True)))


# --- Command line ---------------------------------------------------------------------------

# (symptom, arguments, script of the mock, exit code, pattern of all of stdout, pattern in stderr)
COMMANDS = [
    ("an answer", "Say hello -u", ["Hello\nthere"], 0, "Hello\nthere\n",
     r"\d tokens \| (cost unknown|\$0\.\d{6} reported)"),
    ("an answer that ends its line", "hi", ["x\n"], 0, "x\n", r"\A\Z"),
    ("--no-stream", "hi --no-stream", ["Hello"], 0, "Hello\n", r"\A\Z"),
    ("--json", "hi --json", ["Hello"], 0, r'\{.*"content": "Hello".*\}\n', r"\A\Z"),
    ("options between the words broke the prompt", "hi -m a/b world -t 0.5 there", [echoed], 0, "hi world there\n", ""),
    *(("words after two dashes were read as options", f"-- {words}", [echoed], 0, f"{words}\n", r"\A\Z")
      for words in ("-x is a flag", "--what now", "-c")),
    *((f"exit code of {step}", "hi", [step] * 3, code, "", "error: ")
      for step, code in [(400, 1), (401, 3), (403, 3), (402, 4), (404, 6), ("reset", 7), (429, 5), ("empty", 1)]),
    ("an answer that is cut", "hi", ["cut"], 8, "This is a mock answer.*\n", "without finish_reason"),
    *((f"-x {text!r}", "-x q", [text], 0, code, r"\A\Z") for text, code in [
        ("a\n```py\nx = 1\n\ny\n```\nb\n```\nz\n```", "x = 1\n\ny\n"), ("```\n```", ""),
        ("````md\n```\nx\n```\n````", "```\nx\n```\n"), ("~~~ js\na\n```\n~~~", "a\n```\n"),
        ("1. in a list\n   ```py\n   if a:\n     b\n   ```\n", "if a:\n  b\n"),
        ("CRLF\r\n```py\r\nif a:\r\n  b\r\n```\r\n", "if a:\n  b\n"),
    ]),
    *((f"-x without code: {text!r}", "-x q", [text], 1, "", text) for text in ("none", "```py\nopen")),
    *((f"bad: {line}", line, [], 2, "", f"error: .*{words}") for line, words in [
        ("hi -t 9", "-t 9"), ("hi -o x", "KEY=VALUE"), ("hi -H x", "colon"), ("hi -s @/no/file", "/no/file"),
        ("", "prompt"), ("hi -t warm", ""), ("hi -a /no/such", "/no/such"), ("--costs mood", "by is one of"),
        ("--costs ,", "by is one of"),
        ("--batch x -c", "--continue can't be used with --batch"),
        ("--batch x --json", "--json can't be used with --batch"),
        ("--chat --json", "--json can't be used with --chat"),
        ("--chat --schema x", "--schema can't be used with --chat"),
        ("-c --conversation x hi", "--continue can't be used with --conversation"), ("--log --costs", ""),
        ("--key hi", "words of a prompt can't be used with --key"),
        ("--models --log", "--log can't be used with --models"),
        ("--models -m a/b", "--model can't be used with --models"),
        ("--log -t 0", "--temperature can't be used with --log"),
        ("--concurrency 3 hi", "--concurrency works only with --batch"),
        ("--live hi", "--live works only with --models"),
        ("--costs model stray", ""), ("--log -a x", ""), ("--costs -c", ""), ("--costs --save .", ""),
        ("--costs --reconcile --mock", ""), ("--costs --chat", ""), ("--models --batch -", ""),
        ("--batch - --concurrency 0", ""), ("--batch - --concurrency -1", ""),
        ("q --schema no/such.json", "schema"), ("q --schema name,", "schema"), ('q --schema {"a":', "schema"),
        ("q --schema [1]", "schema"), ("--purge 1d --db a --db b", "--db is given twice"),
        ("--conversation nope x", "has no conversation nope"), ("-c x --no-log", "has no conversation"),
    ]),
    ("an unknown option", "--nonsense", [], 2, "", "nonsense"),
    ("an unknown model", "--models claude-3-opuss", [], 6, "", "claude-3-opus"),
]  # fmt: skip


class Utf8(io.TextIOWrapper):
    """A stream with a strict encoding, as a real one is."""

    def __init__(self, encoding="latin-1"):
        super().__init__(io.BytesIO(), encoding, "strict")

    def getvalue(self):
        return self.buffer.getvalue().decode("utf-8")


class CommandLineTests(CommandLineCase):
    def test_what_is_printed_and_how_it_ends(self):
        instant(None)
        nobody = self.serve()  # fails the test if it is asked
        for symptom, line, script, code, out, err in COMMANDS:
            with self.subTest(symptom):
                server = None if script else nobody
                got = self.main(*line.split(), script=script, server=server, stdin=io.StringIO())
                self.assertEqual((got[0], "Traceback" in got[2]), (code, False), got)
                self.assertRegex(got[1], rf"(?s)\A(?:{out})\Z")
                self.assertRegex(got[2], rf"(?s){err}")
        for option in ("--schema", "--conversation", "--save", "--batch", "--db", "--model"):
            self.assertIn(f"{option} is empty", self.failure(2, option, ""))
        self.assertIn("schema", self.failure(2, "q", "--schema", "name, age integer"))
        self.failure(2, "--chat", stdin=io.StringIO("one\ntwo\n"), OPENROUTER_API_KEY="")  # it asked on for every line
        err = self.failure(2, "hi", OPENROUTER_API_KEY="")
        self.assertRegex(err, r"(?s)\A(?=.*https://openrouter.ai/keys)(?=.*OPENROUTER_API_KEY)[^\n]*\n[^\n]*\n\Z")
        out, err = self.success("hi", "--mock", "--no-stream", "-u", OPENROUTER_API_KEY="")
        self.assertEqual(("nothing was billed" in out, "(Mock)" in err), (True, True))

    def test_tables_that_did_not_fit(self):
        columns = ["time", "model", "status", "tokens", "USD", "ms", "prompt", "answer"]
        row = ["11-25 06:32", "anthropic/claude-3-opus", "interrupted", 12345, 0.00228, 61234, "x" * 90]
        wide = "\u4f60\u597d" * 40
        lines = orm.format_table(columns, [[*row, wide], [*row[:6], None, "\U0001f600"]], 400).split("\n")
        self.assertEqual(len({orm.text_width(line) for line in lines[1:3]}), 1)
        for width, last in itertools.product((40, 80, 200), ("y" * 90, wide)):
            with self.subTest(width, last=last[0]):
                lines = orm.format_table(columns, [[*row, last]], width).split("\n")
                too_wide = [line.split()[0] for line in lines if orm.text_width(line) > width]
                self.assertLessEqual(set(too_wide), {"prompt", "answer"})  # a cell that is wider than the terminal
                self.assertEqual(lines[0], "11-25 06:32")
                cells = ("modelanthropic/claude-3-opus", "USD0.00228", "x" * 90, last)
                self.assert_all_in(cells, "".join("".join(lines).split()))  # nothing is cut
        texts = [orm.number_text(v) for v in (1e-7, 0.0, 0.5, 0.000021, 1234.5)]
        self.assertEqual(texts, ["1.0e-07", "0", "0.5", "0.000021", "1,234.50"])

    def test_options_reach_the_wire(self):
        system = self.file("system.txt", "Be \u00e9")
        line = f"p q -m x/y -f z/1 -f z/2 -s @{system} -t 0.5 --max-tokens 9 -o top_p=0.5 -o user=me --timeout 9"
        argv = [*line.split(), "-o", 'reasoning={"effort": "low"}', "-H", "X-Title: App"]
        self.success(*argv, stdin=io.StringIO("piped"))
        seen = self.server.requests[0]
        messages = [{"role": "system", "content": "Be \u00e9"}, {"role": "user", "content": "p q\n\npiped"}]
        body = {"models": ["x/y", "z/1", "z/2"], "messages": messages, "temperature": 0.5, "max_tokens": 9,
                "stream": True, "top_p": 0.5, "user": "me", "reasoning": {"effort": "low"}}  # fmt: skip
        self.assertEqual((seen.json, seen.headers["X-Title"]), (body, "App"))
        text = {"type": "string"}
        fields = {"name": text, "age": {"type": "integer"}, "tags": {"type": "array", "items": text}}
        whole = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
        for schema in ("name, age int, tags list", json.dumps(whole), self.file("s.json", json.dumps(whole))):
            out, _ = self.success("q", "--schema", schema)
            self.assertEqual([type(v) for v in json.loads(out).values()], [str, int, list])
            self.assertEqual(self.server.requests[0].json["response_format"]["json_schema"]["schema"], whole)

    def test_models(self):
        out, err = self.success("--models", "openai gpt-4")
        self.assertRegex(out, r"openai/gpt-4 +30 +60 +8,?191")
        self.assertIn("per million tokens", err)
        self.assertEqual(self.success("--models", "openai", "GPT-4"), (out, err))
        found = [row["id"] for row in self.json_rows("--models", "openai")]
        self.assertTrue(len(found) > 9 and all("openai" in name for name in found), found)
        self.assertLessEqual(max(map(len, self.success("--models", out=Tty)[0].split("\n"))), 80)
        shown = self.success("--models")[0].split()
        self.assertEqual([m for m in METADATA if m not in shown], [])  # none is cut where there is no terminal

    def test_the_live_list_of_models(self):
        tiers = [{"min_prompt_tokens": 5, "prompt": "2e-5"}]
        pricing = {"prompt": "0.000009", "completion": "1e-5", "overrides": tiers}
        listing = [{"id": f"{name}/gpt-4", "name": name, "pricing": pricing} for name in ("openai", "other")]
        server = self.serve(*[json_answer({"data": listing})] * 2, failed("no", 400), json_answer({"data": []}))
        live = functools.partial(self.main, "--models", "--live", server=server)
        code, out, err = live("openai", "GPT-4", OPENROUTER_API_KEY="")
        self.assertRegex(out, r"openai/gpt-4 +9 +10 ")
        self.assertEqual((code, "other/gpt-4" in out), (0, False))
        self.assertIn("1 model; prices in USD per million tokens, live", err)
        self.assertEqual(METADATA["openai/gpt-4"].pricing.input, 30)  # it is shown and not kept
        models = [json.loads(line) for line in live("--json")[1].splitlines()]
        self.assertEqual([(m["id"], m["pricing"]["input"]) for m in models], [("openai/gpt-4", 9), ("other/gpt-4", 9)])
        self.assertEqual(live()[0], 1)
        self.assertEqual(live(OPENROUTER_MAX_COST_PER_DAY="1", log=self.path)[0], 6)  # none matches; nothing is spent
        self.assertEqual({r.line for r in server.requests}, {"GET /api/v1/models HTTP/1.1"})

    def test_what_an_answer_shows_beside_its_text(self):
        instant(None)
        about = {"label": "mine", "limit": 10, "limit_remaining": 7.5, "limit_reset": "monthly", "usage": 12.25,
                 "usage_daily": 0.5, "usage_weekly": 1, "usage_monthly": 2.5}  # fmt: skip
        key = r"key +sk-or-\.\.\.cdef, from .*OPENROUTER_API_KEY.*\$10, resets monthly.*\$7\.5"
        used = r"\$0\.5 today, \$1 this week, \$2\.5 this month, \$12\.25 in all\n"
        thought = deltas({"reasoning": "hm "}, {"reasoning": "\x1b[0m so"}, "Yes")
        plain = json_answer(answer("Yes", reasoning="hm"))
        slow = {s: failed("busy", 429, [f"Retry-After: {s}"]) for s in (1, 7)}
        waiting, dim = "waiting 7 s: HTTP 429: busy\n", "\x1b[2mhm \x1b[22m\x1b[2m[0m so\x1b[22m\n"
        for line, items, kind, out, err in [
            ("--key", [json_answer({"data": about})], {}, f"{key}.*{used}", ""),
            ("--key", [json_answer({"data": {"limit": None}})], {}, ".*limit  none.*", ""),
            ("q --reasoning", [thought], {"out": Tty}, "Yes\n", dim), ("q", [thought], {}, "Yes\n", ""),
            ("q --reasoning", [thought], {"out": Tty, "NO_COLOR": "1"}, "Yes\n", "hm [0m so\n"),
            ("q --reasoning", [thought], {"out": Tty, "TERM": "dumb"}, "Yes\n", "hm [0m so\n"),
            ("q --reasoning --no-stream", [plain], {}, "Yes\n", "hm\n"),
            ("q --reasoning --no-stream", [plain], {"out": Tty}, "Yes\n", "\x1b[2mhm\x1b[22m\n"),
            ("q --reasoning --no-stream", [plain], {"out": Tty, "NO_COLOR": "1"}, "Yes\n", "hm\n"),
            ("q", [slow[7], reply("Yes")], {"out": Tty}, "Yes\n", waiting),
            ("q", [slow[7], reply("Yes")], {}, "Yes\n", waiting),
            ("q", [slow[1], reply("Yes")], {"out": Tty}, "Yes\n", ""),
        ]:  # fmt: skip
            with self.subTest(line, kind=kind):
                code, shown, told = self.main(*line.split(), server=self.serve(*items), **kind)
                self.assertEqual((code, told, KEY[:16] in shown), (0, err, False))
                self.assertRegex(shown, rf"(?s)\A{out}\Z")


class ProcessTests(CommandLineCase):
    """What only a process of its own can show."""

    @unittest.skipIf(os.name == "nt", "needs a POSIX shell")
    def test_closed_and_full_outputs_were_tracebacks(self):
        def run(command):
            command = command.replace("PYTHON", f"'{sys.executable}' -m openrouter_min")
            environ = {**os.environ, "PATH": os.defpath, "PYTHONPATH": str(HERE)}
            kind = {"capture_output": True, "text": True, "timeout": 30, "env": environ}
            return subprocess.run(["/bin/sh", "-c", command], check=False, **kind)

        cases = [("PYTHON --mock hi >&-", 0), ("PYTHON -t 5 hi 2>&-", 2)]
        if os.path.exists("/dev/full"):
            cases += [("PYTHON --mock hi >/dev/full", 1), ("PYTHON --models >/dev/full", 1)]
        for (command, code), done in zip(cases, at_once(*(functools.partial(run, c) for c, _ in cases), threads=2)):
            self.assertEqual((done.returncode, "Traceback" in done.stderr), (code, False), (command, done.stderr))

    def test_as_a_process(self):
        prompts, folder = self.file("prompts.txt", "\n".join(map(str, range(60)))), self.folder()
        argv = ("--mock", "--no-stream", "--db", str(folder / "log.db"), "h\u00e9 \U0001f600")
        old = run_python(CLI, *argv, environ={"PYTHONIOENCODING": "cp1252"})
        pipes = [run_python(CLI, *argv) for argv in (["--models"], ["--mock", "--no-log", "--batch", prompts])]
        out, err = old.communicate(timeout=20)
        self.assertEqual((old.returncode, err.count(b"\n")), (0, 1))  # where the log is
        self.assertIn("h\u00e9 \U0001f600".encode(), out)
        self.assertEqual(os.listdir(folder), ["log.db"])  # neither -wal nor -shm
        self.assertEqual(len(LlmOperationCollector.from_db(folder / "log.db")), 1)
        for process in pipes:  # a closed pipe is silent
            process.stdout.readline()
            process.stdout.close()
            self.assertIsNone(re.search(b"Traceback|stopped", process.stderr.read()))
            process.stderr.close()
            self.assertEqual(process.wait(timeout=20), 0)


def interrupt_when(condition):
    """Press Ctrl-C once the condition holds; return the thread that does it."""
    stop = threading.Thread(target=lambda: wait_until(condition, 5) and os.kill(os.getpid(), signal.SIGINT))
    stop.start()
    return stop


# (symptom, what is typed after --chat, script, exit code where nobody types, the last request, words in stderr)
CHATS = [
    ("a file was gone from the second turn on", "/attach FILE\none\ntwo\n", "A B", 0,
     [["one", "a.txt:\ninside"], "A", "two"], ["a.txt will be sent with"]),
    ("a question that began with a slash was taken for a command",
     '/etc/hosts what is it\n"""/usr/bin\nis what"""\n/system\n/system x\n/system -\n"""half\nof it\n', "A B C", 0,
     ["/etc/hosts what is it", "A", "/usr/bin\nis what", "B", "half\nof it"],
     ["system prompt: none\n", "system prompt: x\n"]),
    ("a blank before the slash", "/etc is what?\n /etc is what?\n", "A", 0, [" /etc is what?"],
     ["there is no command /etc; put a blank before a question that starts with a slash"]),
    ("an error ended the chat", "first\nsecond\n/save\n/save /no/such/folder/x\n", "402 B", 4, ["second"],
     ["mock error 402", "/save needs", "No such file"]),
    ("/retry asked an older question", "one\ntwo\n/retry\n", "A 400 B", 1, ["one", "A", "two"], []),
    ("/retry lost the exchange", "one\n/retry\nthree\n", "A 400 B", 1, ["one", "A", "three"], []),
    ("the words of a chat", "hi\n/nope\n/attach FILE\n/attach\n/attach none.txt\nsee\n/retry\nexit\nnever\n",
     "A B C", 2, ["hi", "A", ["see", "a.txt:\ninside"]],
     ["there is no command /nope", "/attach FILE", "/attach needs", "none.txt"]),
    *((f"{word} leaves", f"{word}\nnever\n", "", 0, None, []) for word in ("quit", "/exit", "/quit")),
]  # fmt: skip


class TalkTests(CommandLineCase):
    """Conversations: -c, --conversation and --chat."""

    IS_LOGGED = True

    def test_what_is_typed_in_a_chat(self):
        file = self.file("a.txt", "inside")
        for (symptom, text, script, code, asked, words), is_typed in itertools.product(CHATS, (True, False)):
            if is_typed or symptom != "the words of a chat":  # a bad command ends it where nobody types
                with self.subTest(symptom, is_typed=is_typed):
                    steps = [int(step) if step.isdigit() else step for step in script.split()]
                    stdin = (Tty if is_typed else io.StringIO)(text.replace("FILE", file))
                    out, err = io.StringIO(), io.StringIO()
                    got = self.main("--chat", stdin=stdin, script=steps, out=iter([out, err]).__next__)[0]
                    self.assertEqual((got, len(self.server.requests)), (0 if is_typed else code, len(steps)))
                    self.assertEqual(out.getvalue().split(), [step for step in steps if isinstance(step, str)])
                    self.assertEqual(asked, self.sent() if asked else None)
                    self.assert_all_in([*words, *["> "] * is_typed], err.getvalue())

    def sent(self, number=-1):
        """The texts of the messages of a request; a list of those of its parts."""
        contents = super().sent(number)
        return [c if isinstance(c, str) else [p.get("text") or p["type"] for p in c] for c in contents]

    def test_chat_remembers_and_obeys_commands(self):
        saved = self.path.parent / "talk.json"
        lines = ["hi", "/model z/z", "/system Be brief", "again \\", "and again", '"""a', 'b"""', "/usage",
                 f"/save {saved}", "/bogus", "/quit", "never"]  # fmt: skip
        stdin = io.StringIO("\n".join(lines))
        out, err = self.success("--chat", "-m", "x/y", stdin=stdin, script=["A", "B", "C"])
        told = ["Be brief", "hi", "A", "again \nand again", "B", "a\nb"]
        self.assertEqual((out, self.sent(0), self.sent(1), self.sent(2)), ("A\nB\nC\n", ["hi"], told[:4], told))
        self.assertEqual([r.json["model"] for r in self.server.requests], ["x/y", "z/z", "z/z"])
        self.assertEqual(len({r.json["session_id"] for r in self.server.requests}), 1)
        self.assertEqual([m["content"] for m in json.loads(saved.read_text())], [*told, "C"])
        self.assertRegex(err, r"(?s)\d+ in \+ \d+ out = \d+ tokens.*/quit")
        _, err = self.success("-c", "--chat", stdin=io.StringIO("more\n"), script=["D"])
        self.assertEqual(self.sent(), [*told, "C", "more"])
        self.assertRegex(err, r"conversation op-.*\nmodel z/z\n(.*\n)*user: a\nb\nassistant: C\n")

    def test_continue_goes_on_from_the_last_prompt_of_this_terminal(self):
        own = ("-t", "0", "--max-tokens", "5", "-o", "top_p=0.5")  # a temperature of 0 was forgotten
        self.success("one", "-m", "x/y", "-f", "c/d", "-s", "Be brief", *own, script=["first"])
        self.success("not this one", script=["?"], WT_SESSION="another terminal")
        _, err = self.success("-c", "two", script=["second"])
        session = re.search(r"conversation (op-[\w-]+)\nmodel x/y\n", err).group(1)
        kept = {"models": ["x/y", "c/d"], "temperature": 0, "max_tokens": 5, "top_p": 0.5, "session_id": session}
        told = ["Be brief", "one", "first", "two", "second", "three", "third", "four"]
        self.assertEqual((self.sent(), self.body()), (told[:4], kept))
        self.success("-c", "three", "-m", "z/z", "-s", "Be long", "-t", "1", "-o", "top_p=1", script=["third"])
        changed = {"models": ["z/z", "c/d"], "temperature": 1, "top_p": 1}
        self.assertEqual((self.sent(), self.body()), (["Be long", *told[1:6]], {**kept, **changed}))
        _, err = self.success("--conversation", session, "four", "-t", "0", script=["fourth"])
        self.assertEqual((self.sent(), self.body()["temperature"]), (["Be long", *told[1:]], 0))
        self.assertIn(f"conversation {session}", err)

    def body(self):
        return {k: v for k, v in self.server.requests[0].json.items() if k not in ("messages", "stream")}

    def test_a_conversation_with_a_file_went_on_with_a_broken_one(self):
        files = ("-a", self.file("a.png", PNG_FILE), "-a", "https://example.com/b.pdf")
        self.success("see", *files, script=["a cat"])
        self.assertIn("base64", json.dumps(self.server.requests[0].json))
        for argv, stdin in [(["-c", "sure?"], None), (["--chat", "-c"], io.StringIO("sure?\n"))]:
            _, err = self.success(*argv, stdin=stdin, script=["yes"])
            self.assertIn("its files are not in the log; attach them again", err)  # the answer was about nothing
            text, picture, kind = self.sent()[0]
            self.assertRegex(picture, r"^\[image/png, 33 bytes, sha256 [0-9a-f]{16}\]$")
            self.assertEqual((text, kind, self.sent()[-1]), ("see", "file", "sure?"))
        self.success("what is it?", script=["a cat"])
        self.assertNotIn("attach", self.success("-c", "and its colour?", script=["red"])[1])

    def test_another_conversation_was_put_in_the_place_of_one_without_content(self):
        self.success("my name is Ann", script=["hi"])
        self.success("a secret", script=["hi"], OPENROUTER_MIN_LOG_CONTENT="0")
        for argv, stdin in [(["-c", "go on"], None), (["--chat", "-c"], io.StringIO("go on\n"))]:
            self.assertIn("without content", self.failure(2, *argv, stdin=stdin))
            self.assertEqual(self.server.requests, [])
        self.success("my name is Bob", script=["hi"])
        self.success("-c", "go on", script=["yes"], OPENROUTER_MIN_LOG_CONTENT="0")
        self.assertEqual(self.sent(), ["my name is Bob", "hi", "go on"])

    def test_calls_that_nobody_answers_were_sent_on(self):
        self.success("one", "--no-stream", script=[{"content": "Let me see", "tool_calls": [CALL_F]}])
        self.success("-c", "two", script=["x"])
        expected = {"role": "assistant", "content": "Let me see"}
        self.assertEqual(self.server.requests[0].json["messages"][1], expected)

    @unittest.skipIf(os.name == "nt", "Windows has no way to send Ctrl-C to oneself")
    def test_ctrl_c_stops_the_answer_and_not_the_chat(self):
        server = self.serve(sse_answer(event(chunk("Half")), end="hang", last=b""), sse_answer(WHOLE_STREAM))
        out, err = io.StringIO(), io.StringIO()
        stop = interrupt_when(lambda: out.getvalue() == "Half")
        code = self.main("--chat", stdin=Tty("one\ntwo\n"), server=server, out=iter([out, err]).__next__)[0]
        stop.join()
        self.assertEqual((code, out.getvalue(), self.sent()), (0, "Half\nHello\n", ["one", "Half", "two"]))
        self.assertIn("(stopped;", err.getvalue())
        self.assertEqual([r["status"] for r in LlmOperationCollector.from_db()], ["ok", "cancelled"])


THREE, COLOURS = ["Name a colour"] * 3, ["red", "green", "blue"]
NEVER, AGAIN = " 0 of them answered before", " [1-9] of them answered before"
LINES = ["one", "", '{"prompt": "two", "temperature": 0, "id": "x7"}', "one", '"{three}"']
FIELDS = ['{"text": "Tag {n}", "n": 5, "id": "a"}', "", '{"text": null, "n": ["ü"]}']
NO_SCHEMA = ['{"prompt": "one", "schema": null}']  # which was a traceback
# (symptom, runs that share a log: (lines, script, arguments, exit code, contents, pattern in stderr))
BATCHES = [
    ("a second run pays only for what is missing", [
        (LINES, ["A", 400, "C", "D\u2028"], "", 1, ["A", None, "C", "D\u2028"],
         r"1 x BadRequestError, .*400.*\ndone: 4 of 4, 1 failed, \$1\.5, 0 of them answered before"),
        (LINES[::-1], ["B"], "", 0, ["D\u2028", "A", "B", "C"], r"4 of 4, 0 failed, \$0\.5, 3 of them answered before"),
    ]),
    ("other parameters are another question", [
        (NO_SCHEMA, ["A"], "", 0, ["A"], NEVER), (NO_SCHEMA, ["B"], "-t 0", 0, ["B"], NEVER),
        (NO_SCHEMA, ["C"], "-H X-A:b", 0, ["C"], NEVER), (NO_SCHEMA, [], "-t 0", 0, ["B"], AGAIN),
        (NO_SCHEMA, [], "", 0, ["A"], AGAIN),
    ]),
    ("equal lines were asked once", [
        (THREE, COLOURS, "--no-log --concurrency 3", 0, COLOURS, NEVER), (THREE, COLOURS, "", 0, COLOURS, NEVER),
        (THREE, [], "", 0, COLOURS, " 3 of them"), (THREE[:2], [], "", 0, COLOURS[:2], " 2 of them"),
        ([*THREE, THREE[0]], ["pink"], "", 0, [*COLOURS, "pink"], " 3 of them"),
    ]),
    ("a failed one of equal lines is asked again alone", [
        (THREE, ["red", 400, "blue"], "", 1, ["red", None, "blue"], "1 failed"),
        (THREE, ["green"], "", 0, COLOURS, AGAIN),
    ]),
    ("fields of a line fill the words", [
        (FIELDS, [echo()] * 2, 'Say_{text}_{n}_as_{"a":1}_{}', 0,
         ['Say Tag {n} 5 as {"a":1} {}', 'Say null ["ü"] as {"a":1} {}'], NEVER),
        (["a", "b"], [echo()] * 2, "Say_{prompt}", 0, ["Say a", "Say b"], NEVER),
        (["b", "a"], [], "Say_{prompt}", 0, ["Say b", "Say a"], "2 of them answered before"),
    ]),
    *((f"a bad line: {line}", [(["fine", line], [], words, 2, [], problem)]) for line, words, problem in [
        ("{not json", "", "line 2: it is not JSON"), ("{b", "{prompt}", "line 2: it is not JSON"),
        ('{"text": "x"}', "", "line 2: a dict needs either prompt or messages"),
        ('{"prompt": "x", "temperature": 9}', "", "line 2: (temperature=|-t )9 is out of range"),
        ('{"prompt": "x", "max_token": 9}', "", "line 2: .max_token"), ("x", "no_field", "contains no {field}"),
        ("{}", "Say_{other}", "line 1: it has no field 'other'"),
    ]),
]  # fmt: skip


class BatchTests(CommandLineCase):
    IS_LOGGED = True

    def setUp(self):
        super().setUp()
        self.at = self.serve()  # one for all runs, since the address belongs to what is asked

    def batch(self, lines, script, *argv, code=0, **kind):
        """Run a batch, one line at a time unless told otherwise; return the lines that came out.

        Steps of the script: a text, the status of an error, or what a server answers.
        """
        made = {str: lambda text: json_answer(answer(text)), int: lambda status: failed("no", status, code=status)}
        self.at.script[:] = [made.get(type(step), lambda item: item)(step) for step in script]
        self.at.requests[:] = []
        file = self.file("prompts.txt", "".join(f"{line}\n" for line in lines))
        got, out, self.err = self.main("--batch", file, "--concurrency", "1", *argv, server=self.at, **kind)
        self.assertEqual(got, code, self.err)
        return [json.loads(line) for line in out.split("\n") if line]

    def contents(self, *args, **kind):
        return [line.get("content") for line in self.batch(*args, **kind)]

    def test_what_is_asked_and_what_is_known(self):
        for symptom, runs in BATCHES:
            log = self.folder() / "log.db"
            for number, (lines, script, argv, code, expected, err) in enumerate(runs):
                with self.subTest(symptom, run=number):
                    argv = [word.replace("_", " ") for word in argv.split()]
                    found = self.contents(lines, script, *argv, code=code, log=log)
                    if "--concurrency" in argv:
                        found, expected = sorted(found), sorted(expected)
                    self.assertEqual(found, expected)
                    self.assertEqual(len(self.at.requests), len(script))
                    self.assertRegex(self.err, err)

    def test_what_a_line_of_answers_holds(self):
        first, second = self.batch(LINES, ["A", 400, "C", "D"], code=1), self.batch(LINES[:4], ["B"])
        self.assertEqual([(line["id"], line.get("prompt")) for line in first],
                         [(1, "one"), ("x7", "two"), (4, "one"), (5, "{three}")])  # fmt: skip
        self.assertEqual(
            (first[1]["error_type"], "parsed" in self.batch(NO_SCHEMA, ["N"])[0]), ("BadRequestError", False)
        )
        self.assertEqual([second[0], second[2]], [{**first[0], "reused": True}, {**first[2], "reused": True}])
        self.assertEqual((second[1]["content"], "reused" in second[1]), ("B", False))

    def test_answers_without_text_were_asked_again(self):
        images = pictures("data:image/png;base64," + b64(b"\x89PNG"))
        argv = ["--save", str(self.path.parent / "saved")]
        first = self.batch("abcd", [
            json_answer(answer(None, "tool_calls", tool_calls=[{"id": "t", **CALL_F}])),
            json_answer(answer(None, refusal="No.")), "",
            json_answer(answer("", images=images, audio={"data": b64(b"RIFF0000WAVE")})),
        ], *argv)  # fmt: skip
        self.assertEqual((first[0]["tool_calls"][0]["name"], first[1]["refusal"]), ("f", "No."))
        self.assertEqual(len(first[3]["files"]), 2)
        again = self.batch("abcd", [], *argv)
        self.assertEqual(again[:3], [{**line, "reused": True} for line in first[:3]])
        for file, begin in zip(again[3]["files"], (r"\[image/png, 4 bytes, sha256 ", r"\[audio/x, 12 bytes, sha256 ")):
            self.assertRegex(file, "^" + begin)

    def test_what_a_failure_had_paid_for_was_dropped(self):
        schema = self.file("schema.json", '{"type": "object", "required": ["a"]}')
        picture = json_answer(answer('{"a": 1}', images=pictures("data:image/png;base64," + b64(b"\x89PNG"))))
        argv = ["--schema", schema, "--save", str(self.path.parent / "saved")]
        done = self.batch(["\ufeffx", "y", "z"], ["no JSON", picture, "{}"], *argv, code=1, out=Tty)
        self.assertEqual((done[0]["content"], done[0]["cost"], done[1]["parsed"]), ("no JSON", 0.5, {"a": 1}))
        self.assertEqual(Path(done[1]["files"][0]).read_bytes(), b"\x89PNG")
        self.assertIn("lacks 'a'", done[2]["error"])
        self.assertRegex(self.err, "\u2588.* 1 of 3, 1 failed, \\$0.5, .*/s, .* s left")  # a bar on a terminal
        self.assertNotIn("\x1b", self.raw(reply("x"), "--batch", self.file("lines", "x"), out=Tty, TERM="dumb")[2])
        lines = ["one", '{"id": "\\ud800", "prompt": "two"}']  # half of a surrogate pair ended a batch
        self.assertEqual(self.contents(lines, ["half \ud83d", "B"], out=Utf8), ["half ?", "B"])

    def test_a_refused_key_dropped_what_others_had_answered(self):
        def item(seen):
            asked = seen.json["messages"][0]["content"]
            if asked == "bad":
                wait_until(lambda: len(self.at.requests) > len(kept), 5)  # those that are kept are on their way
                refused.set()
                return failed("Not you", status, code=status if status > 200 else 402)
            if asked == "slow":
                refused.wait(5)
            return Pieces(0.05 if asked == "slow" else 0.0, *json_answer(answer(asked)).pieces)

        for status, code, lines, concurrency, kept in [
            (401, 3, "bad b c", 1, []), (402, 4, "bad b c", 1, []), (401, 3, "bad b c", 4, ["b", "c"]),
            (401, 3, "slow b bad d", 4, ["slow", "b", "d"]), (401, 3, "slow bad x y", 2, ["slow"]),
            (200, 4, "a b bad x y z", 1, ["a", "b"]),  # without credits it asked on
        ]:  # fmt: skip
            refused = threading.Event()
            argv = ["--no-log", "--concurrency", str(concurrency)]
            self.assertEqual(self.contents(lines.split(), [item] * 6, *argv, code=code), kept)
            self.assertEqual(len(self.at.requests), len(kept) + 1)
            self.assertIn("Not you", self.err)
        self.assertRegex(self.err, "stopped, 4 lines left: the same command .*: 3 of 6, 1 failed")

    @unittest.skipIf(os.name == "nt", "Windows has no way to send Ctrl-C to oneself")
    def test_ctrl_c_dropped_what_was_done_out_of_turn(self):
        def item(seen):
            asked = seen.json["messages"][0]["content"]
            return Pieces(end="hang") if asked == "slow" else json_answer(answer(asked))

        out, err = io.StringIO(), Tty()
        stop = interrupt_when(lambda: "2 of 3" in err.getvalue())
        streams = iter([out, err]).__next__
        done = self.batch(["slow", "b", "c"], [item] * 3, "--concurrency", "3", code=130, out=streams)
        stop.join()
        self.assertEqual([(line["id"], line["content"]) for line in done], [(2, "b"), (3, "c")])
        self.assertIn("1 line left: the same command asks only for these", " ".join(self.err.split()))
        self.assertEqual(self.contents(["slow", "b", "c"], ["A"]), ["A", "b", "c"])


# (symptom, the answer, what a note has to say where the answer itself does not)
CUT = "The first step is to"
ENDS = [
    ("a filter", reply(CUT, finish="content_filter"), "(?i)filter"),
    ("another end", reply(CUT, finish="recitation"), "(?i)recitation"),
    ("a filter without text", reply("", finish="content_filter", native="SAFETY"), "(?i)filter"),
    ("no text", reply("", finish="stop", native="MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
    ("no text at all", reply(None), r"(?i)\b(empty|nothing|no text|without text)\b"),
    ("a whole answer", reply("fine"), "^$"), ("the limit", reply(CUT, finish="length"), "cut the answer"),
    ("only thoughts", reply(None, finish="length", reasoning="hm"), "used up"),
    ("a refusal", reply(None, refusal="I can't"), "refused: I can't"),
    ("a call", reply(None, [("f", "{}")]), r"asks for f\({}\)"),
    ("a torn call", reply(None, [("f", "{")], finish="length"), "cut the answer"),
]  # fmt: skip
PIECES = "data:image/png;base64," + base64.encodebytes(PNG_FILE * 6).decode()
# (symptom, the answer, the files that it holds)
MEDIA = [
    *((symptom, deltas(*({"audio": {"data": d}} for d in pieces)), [b"helloworld"]) for symptom, *pieces in [
        ("padded pieces", "aGVsbG8=", "d29ybGQ="), ("cut anywhere", "aGVsbG", "93", "b3JsZA=="),
        ("four pieces", "aGVs", "bG8=", "d29y", "bGQ="), ("padded and cut", "aGVsb", "G8=d2", "9ybG", "Q", "="),
        ("padding cut in two", "aA=", "=", "ZWxsb3dvcmxk"), ("blanks", " aGVs bG93b3JsZA== "),
        ("line breaks in sound", "aGVs\nbG8=\n", "d29y\r\nbGQ="),
    ]),
    ("line breaks", deltas({"images": pictures(PIECES)}), [PNG_FILE * 6]),
    ("CRLF", deltas({"images": pictures(PIECES.replace("\n", "\r\n"))}), [PNG_FILE * 6]),
    ("line breaks, plain", json_answer(answer("", images=pictures(PIECES))), [PNG_FILE * 6]),
    ("padding, plain", json_answer(answer("", audio={"data": "aGVsbG8=d29ybGQ="})), [b"helloworld"]),
    *((f"torn: {data}", json_answer(answer("", audio={"data": data})), []) for data in ("abcde", "!!!!")),
]  # fmt: skip
BAD = "\x1b]0;owned\x07\x9b2J\x7f"
# (arguments, an answer with control characters)
CONTROLS = [
    ("draw", deltas({"images": pictures(f"https://x/{BAD}")})), ("hi", deltas(BAD)),
    *((f"{option} draw", json_answer(answer("", images=pictures(f"https://x/{BAD}"))))
      for option in ("--no-stream", "--json")),
    ("-u hi", closed({**chunk("fine", "stop"), "provider": f"P{BAD}", "model": f"m/{BAD}"}, BILL)),
    ("--no-stream hi", json_answer(answer("x", refusal=BAD))), ("hi", calling([part(BAD, f"f{BAD}", "a", 0)])),
    ("hi", reply("x", finish=f"odd{BAD}", native=BAD)), ("hi", failed(f"no {BAD}", 400)),
    ("hi", http_answer(BAD.encode(), 400, "text/html")),
    ("--save FOLDER hi", closed({**chunk("x", "stop", delta={"audio": {"data": "aGk="}}), "id": BAD})),
    ("--schema title hi", json_answer(answer(json.dumps({"title": BAD}, ensure_ascii=False)))),
    ("--key", json_answer({"data": {"label": BAD, "limit": 1, "limit_reset": BAD}})),
    ("--log", reply("x")), ("--costs", reply("x")), ("--log --csv", reply("x")),
]  # fmt: skip


class OutputTests(CommandLineCase):
    def test_an_end_that_says_nothing(self):
        for (symptom, item, expected), argv in itertools.product(
            ENDS, (["hi"], ["--no-stream", "hi"], ["--json", "hi"], ["--chat", "hi"])
        ):
            with self.subTest(symptom, argv=argv):
                _, _, err = self.raw(item, *argv, stdin=io.StringIO())
                notes = [line for line in err.splitlines() if re.match("note|warning|error", line)]
                self.assertRegex("\n".join(notes), expected)

    def test_a_paid_file_was_torn_by_padding_and_line_breaks(self):
        for symptom, item, data in MEDIA:
            with self.subTest(symptom):
                code, out, err = self.raw(item, "speak", "--save", str(self.folder()))
                files = [Path(line).read_bytes() for line in out.splitlines() if line]
                self.assertEqual((code, files, err.count("is damaged")), (0, data, "torn: " in symptom), err)

    def test_images_and_sound_that_come_back_are_files(self):
        picture, sound = b"\x89PNG" + b"p" * 20, b"RIFF0000WAVE" + b"s" * 20
        images = pictures("https://x/y.png", f"data:image/png;base64,{b64(picture)}")
        item = json_answer(answer("Here", images=images, audio={"data": b64(sound)}))
        folder = self.path.parent / "new" / "folder"
        for names in (["gen-1-2.png", "gen-1-3.wav"], ["gen-1-2-2.png", "gen-1-3-2.wav"]):  # nothing is overwritten
            text, link, *paths = self.raw(item, "draw", "--save", str(folder))[1].splitlines()
            self.assertEqual((text, link, [os.path.basename(p) for p in paths]), ("Here", "https://x/y.png", names))
            self.assertEqual([Path(p).read_bytes() for p in paths], [picture, sound])
        self.assertEqual(self.raw(item, "draw", "--save", str(folder / "gen-1-2.png"))[0], 2)
        _, out, err = self.raw(item, "draw", "--json")
        self.assertEqual(json.loads(out)["id"], "gen-1")
        kept = Path(err.splitlines()[-1])
        self.addCleanup(shutil.rmtree, kept.parent)
        self.assertEqual(kept.read_bytes(), sound)

    def test_control_characters_reached_the_terminal(self):
        put(self.path, {"model": f"m/{BAD}", "user_prompt": BAD, "response": BAD})
        unsafe = "[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # a line feed and a tab are text
        for line, item in CONTROLS:
            with self.subTest(line, item=item):
                argv = line.replace("FOLDER", str(self.folder())).split()
                _, out, err = self.raw(item, *argv, out=Tty, log=self.path)
                self.assertEqual(re.findall(unsafe, out + err), [])
                out = self.raw(item, "--batch", self.file("lines", "hi"), out=Tty)[1] if argv == ["hi"] else ""
                self.assertEqual(re.findall(unsafe, out), [])
        self.assertEqual(self.raw(CONTROLS[0][1], "draw")[1].strip(), f"https://x/{BAD}")

    def test_stdout_went_nowhere_after_a_file_could_not_be_written(self):
        long_named = closed({**chunk("x", "stop", delta={"audio": {"data": "aGk="}}), "id": "i" * 300})
        rows, path = [(str(self.folder()), long_named)], self.path.parent / "out"
        if os.path.isdir("/proc/self") and os.access("/proc", os.W_OK):
            rows.append(("/proc", deltas({"images": pictures("data:image/png;base64,iVBORw0KGgo=")})))
        for folder, item in rows:
            with self.subTest(folder), mock.patch.dict(os.environ, OPENROUTER_BASE_URL=self.serve(item).url):
                with open(path, "w", encoding="utf-8") as file:
                    with mock.patch.multiple(sys, stdin=Tty(), stdout=file, stderr=io.StringIO()):
                        orm.main(["--save", folder, "draw"])
                        print("after")
                self.assertIn("after", path.read_text("utf-8"))

    def test_the_streams_of_the_caller_were_changed(self):
        server = self.serve(reply("fine \u20ac"))
        for argv in (["hi"], ["hi", "-t", "9"], ["--nonsense"], ["--help"]):
            made = [Utf8() for _ in range(3)]
            with self.subTest(argv), mock.patch.multiple(sys, **dict(zip(("stdin", "stdout", "stderr"), made))):
                with mock.patch.dict(os.environ, OPENROUTER_BASE_URL=server.url):
                    orm.main(argv)
                after = [sys.stdin, sys.stdout, sys.stderr]
                self.assertEqual([a is m for a, m in zip(after, made)], [True] * 3)
                self.assertEqual([(m.closed, m.encoding, m.errors) for m in made], [(False, "latin-1", "strict")] * 3)
                self.assertTrue(argv != ["hi"] or made[1].getvalue() == "fine \u20ac\n")
        with mock.patch.multiple(sys, stdin=None, stdout=None, stderr=None):
            orm.main(["hi", "-t", "9"])
            self.assertEqual([sys.stdin, sys.stdout, sys.stderr], [None] * 3)


class Captured(io.StringIO):
    """What a test runner puts in the place of stdin."""

    buffer = property(lambda self: self)

    def read(self, *args):
        raise OSError("reading from stdin while output is captured")


PIPED = "alpha \u00fc \u20ac"
PDF_FILE = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
# (symptom, what is piped, the text that is sent, or the parts, or None: it is refused)
PIPES = [
    ("UTF-8", PIPED.encode(), PIPED), ("UTF-8 with a mark", b"\xef\xbb\xbf" + PIPED.encode(), PIPED),
    ("UTF-16 LE", b"\xff\xfe" + PIPED.encode("utf-16-le"), PIPED), ("empty", b"", ""),
    ("UTF-16 BE", b"\xfe\xff" + (PIPED + EMOJI).encode("utf-16-be"), PIPED + EMOJI),
    ("UTF-16 torn", b"\xff\xfe" + PIPED.encode("utf-16-le")[:-1], None), ("cp1252", PIPED.encode("cp1252"), None),
    ("UTF-16 without a mark", PIPED.encode("utf-16-le"), None), ("UTF-8 torn", PIPED.encode()[:-1], None),
    ("UTF-32", b"\xff\xfe\0\0" + PIPED.encode("utf-32-le"), PIPED), ("PNG", PNG_FILE, "image_url"),
    ("GIF", b"GIF89a\x01\0\x01\0\0\0\0;", "image_url"), ("PDF", PDF_FILE, "file"),
    ("unknown", b"\x7fELF\x02" + bytes(50) + b"\xc3\x28", None),
]  # fmt: skip


class InputTests(CommandLineCase):
    def test_what_is_piped_and_is_not_utf_8_was_sent_as_garbage(self):
        for symptom, data, wanted in PIPES:
            with self.subTest(symptom):
                code, _, err = self.main("sum up", stdin=data)
                if wanted is None:
                    self.assertEqual((code, self.server.requests, "error" in err), (2, [], True))
                    continue
                (content,) = self.sent()
                is_text = isinstance(content, str)
                found = content.replace("\ufeff", "") if is_text else [p["type"] for p in content]
                self.assertEqual((code, err), (0, ""))  # a closed pipe is answered at once and without a word
                self.assertEqual(found, f"sum up\n\n{wanted}".strip() if is_text else ["text", wanted])

    def test_lines_that_are_not_utf_8_were_sent_as_garbage(self):
        for (symptom, data), argv in itertools.product([
            ("UTF-8", b"\xef\xbb\xbf\xc3\xa4\nbeta\n"), ("cp1252", "\u00e4\nbeta\n".encode("cp1252")),
            ("PNG", PNG_FILE), ("UTF-16 LE", b"\xff\xfe" + "\u00e4\nbeta\n".encode("utf-16-le")),
            ("UTF-16 BE", b"\xfe\xff" + "\u00e4\r\nbeta\r\n".encode("utf-16-be")),
        ], (["--batch", "-"], ["--chat"])):  # fmt: skip
            with self.subTest(symptom, argv=argv):
                code, _, err = self.main(*argv, stdin=data)
                sent = sorted(r.json["messages"][-1]["content"].strip("\ufeff\r") for r in self.server.requests)
                self.assertEqual((code, sent), (0, ["beta", "\u00e4"]) if "UTF" in symptom else (2, []), err)

    def test_an_open_pipe_to_which_nobody_writes_hung(self):
        for argv, late, expected in [
            (["say", "hi"], b"", "say hi\n"), (["sum", "up"], b"the diff\n", "sum up\n\nthe diff"),
            (["--batch", "-"], b"", ""),
        ]:  # fmt: skip
            reader, writer = os.pipe()
            file = open(writer, "wb")
            err = io.StringIO()
            told = threading.Thread(
                target=lambda: wait_until(err.getvalue, 5) and file.write(late) is None or file.close()  # noqa: B023
            )
            told.start()
            with self.subTest(argv), mock.patch.object(orm, "STDIN_PATIENCE", 0.02):
                streams = iter([io.StringIO(), err]).__next__
                out = self.main(*argv, stdin=open(reader), script=[echoed], out=streams)[1]
                told.join()
                self.assertEqual(out.strip(), expected.strip())
                self.assertIn("waiting for the end of the input on stdin", err.getvalue())

    def test_an_attachment_without_words_was_no_prompt(self):
        path, text, link = self.file("p.png", PNG_FILE), self.file("a.txt", "inside"), "https://x.test/p.png"
        url = "data:image/png;base64," + b64(PNG_FILE)
        picture, inside = pictures(url)[0], {"type": "text", "text": "a.txt:\ninside"}
        see, line = {"type": "text", "text": "see"}, json.dumps({"prompt": "", "attachments": [path]}).encode()
        for argv, stdin, expected in [
            (f"-a {path}", None, [picture]), (f"-a {link}", None, pictures(link)), ("--batch -", line, [picture]),
            ("", PNG_FILE, [picture]), ("", b"text", "text"), ("see -a -", PNG_FILE, [see, picture]),
            ("see -a -", b"text", [see, {"type": "text", "text": "stdin:\ntext"}]), (f"-a {text}", b"", [inside]),
            (f"-a {text} -a -", PNG_FILE, [inside, picture]),
        ]:  # fmt: skip
            with self.subTest(argv, stdin=stdin):
                self.success(*argv.split(), stdin=stdin)
                self.assertEqual(self.sent(), [expected])
        self.assertIn("is empty", self.failure(2, "see", "-a", "-", stdin=b""))
        empty = {
            "complete": lambda llm, **more: llm.complete("", **more),
            "stream": lambda llm, **more: list(llm.stream("", **more)),
            "acomplete": lambda llm, **more: asyncio.run(llm.acomplete("", **more)),
            "map": lambda llm, **more: next(llm.map([{"prompt": "", **more}])),
            "chat": lambda llm, **more: llm.chat([{"role": "user", "content": ""}], **more),
        }
        for way, ask in empty.items():
            with self.subTest(way):
                self.ask(ask, reply("fine"), attachments=[("p.png", PNG_FILE)])
                self.assertEqual(self.sent(), [[picture]])
                self.assertTrue(way == "chat" or isinstance(self.ask(ask, attachments=[]), ConfigError))

    def test_a_stdin_that_can_t_be_read_was_an_error(self):
        for argv in (["hi"], ["-u", "hi"], ["--no-stream", "hi"], ["--batch", self.file("lines.txt", "hi\n")]):
            out, _ = self.success(*argv, stdin=Captured(), script=["fine"])
            self.assertEqual(("fine" in out, self.sent()), (True, ["hi"]))


# --- What users of other clients reported ---------------------------------------------------
# Each test is named after a symptom; its table holds the reported input, and others of the same kind.


def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


def clock(tz: str = "here") -> str:
    """Tell the time."""
    return f"noon in {tz}"


OSLO, ROME, UTC, HEAD, TAIL = '{"city": "Oslo"}', '{"city": "Rome"}', '{"tz": "UTC"}', '{"city":', ' "Oslo"}'
BOTH = ["rain in Oslo", "noon in UTC"]
# (how they come, the pieces in each event, what the functions say)
CALLS = [
    ("two at index 0", [[part(OSLO, "weather", "a", 0)], [part(UTC, "clock", "b", 0)]], BOTH),
    ("two with neither index nor id", [[part(OSLO, "weather")], [part(UTC, "clock")]], BOTH),
    ("two of one function at index 0", [[part(OSLO, "weather", "a", 0)], [part(ROME, "weather", "b", 0)]],
     ["rain in Oslo", "rain in Rome"]),
    ("one, its id in each piece", [[part(HEAD, "weather", "a", 0)], [part(' "Os', None, "a", 0)],
     [part('lo"}', "weather", "a", 0)]], BOTH[:1]),
    ("two of one function with neither", [[part(OSLO, "weather")], [part(ROME, "weather")]],
     ["rain in Oslo", "rain in Rome"]),
    ("two with neither in one event", [[part(OSLO, "weather"), part(UTC, "clock")]], BOTH),
    ("two at index 0, later pieces without id", [[part(HEAD, "weather", "a", 0)], [part(TAIL, index=0)],
     [part('{"tz":', "clock", "b", 0)], [part(' "UTC"}', index=0)]], BOTH),
    ("two at 2 and 1 that take turns", [[part('{"tz":', "clock", "b", 2)], [part(HEAD, "weather", "a", 1)],
     [part(' "UTC"}', index=2)], [part(TAIL, index=1)]], BOTH),
    ("two without arguments at index 0", [[part("", "clock", "a", 0)], [part("", "clock", "b", 0)]],
     ["noon in here"] * 2),
    ("two with empty objects and no id", [[part("{}", "clock")], [part("{}", "clock")]], ["noon in here"] * 2),
    ("one, its id and name empty later", [[part(HEAD, "weather", "a", 0)], [part(TAIL, "", "", 0)]], BOTH[:1]),
    ("one without index", [[part(HEAD, "weather", "a")], [part(TAIL), 7]], BOTH[:1]),
    ("one whose index counts its pieces", [[part(HEAD, "weather", "a", 0)], [part(TAIL, None, "a", 1)]], BOTH[:1]),
    ("one with a new id in each piece", [[part(HEAD, "weather", "a", 0)], [part(TAIL, None, "b", 0)]], BOTH[:1]),
    ("one with its name again at its end", [[part(OSLO, "weather", "a", 0)], [part("", "weather", "a", 0)]], BOTH[:1]),
]  # fmt: skip


class CallPieceTests(CommandLineCase):
    def test_parallel_calls_became_one_and_one_became_several(self):
        for (symptom, pieces, results), way, ask in by_doors(CALLS, 4):
            with self.subTest(symptom, way=way):
                done = self.ask(ask, calling(*pieces), reply("Done"), tools=[weather, clock])
                self.assertEqual((text_of(done), said(self.server)), ("Done", results))
                _, asked, *told = self.server.requests[1].json["messages"]
                ids = [c["id"] for c in asked["tool_calls"]]
                self.assertEqual((len(set(ids)), [r["tool_call_id"] for r in told]), (len(results), ids))

    def test_arguments_that_came_as_an_object_were_dropped_and_everything_was_deleted(self):
        ran = []

        def delete(folder: str = "everything") -> str:
            """Delete it."""
            ran.append(folder)
            return "gone"

        tmp, old = {"folder": "tmp"}, {"folder": "old"}
        odd = [[[part(value, "delete", "a", 0)]] for value in (["tmp"], 5, True, '["tmp"]')]  # these run nothing
        for (symptom, pieces, folders), way, ask in by_doors([
            ("whole", [[part(tmp, "delete", "a", 0)]], [tmp]),
            ("after the name", [[part("", "delete", "a", 0)], [part(tmp, index=0)]], [tmp]),
            ("two at index 0", [[part(old, "delete", "a", 0)], [part(tmp, "delete", "b", 0)]], [old, tmp]),
            *((f"of another type: {pieces}", pieces, []) for pieces in odd),
        ]):  # fmt: skip
            items = [calling(*pieces)]
            if len(pieces) == 1:
                items.append(json_answer(answer(None, "tool_calls", tool_calls=pieces[0])))
            for item in items:
                with self.subTest(symptom, way=way, item=item.pieces[0][:60]):
                    ran.clear()
                    self.ask(ask, item, reply("Done"), tools=[delete])
                    calls = self.server.requests[1].json["messages"][1]["tool_calls"]
                    sent = [json.loads(c["function"]["arguments"]) for c in calls]
                    self.assertEqual(sorted(ran), [folder["folder"] for folder in folders])
                    self.assertEqual(folders or sent, sent)

    def test_what_is_not_known_of_a_call_was_not_sent_back(self):
        sign = {"google": {"thought_signature": "SIG"}}
        function = {"name": "weather", "arguments": OSLO, "thought": "T"}
        whole = {"id": "a", "type": "function", "function": function, "extra_content": sign}
        begun = {**whole, "index": 0, "function": {**function, "arguments": ""}}
        late = {**part(OSLO, index=0), "extra_content": sign}
        late["function"]["thought"] = "T"
        for (symptom, item), way, ask in by_doors([
            ("plain", json_answer(answer(None, "tool_calls", tool_calls=[whole]))),
            ("streamed", calling([begun], [part(OSLO, index=0)])),
            ("later", calling([part("", "weather", "a", 0)], [late])),
            ("in a message", closed(choice("tool_calls", message={"content": None, "tool_calls": [whole]}))),
        ]):  # fmt: skip
            with self.subTest(symptom, way=way):
                self.ask(ask, item, reply("Done"), tools=[weather])
                call = self.server.requests[1].json["messages"][1]["tool_calls"][0]
                self.assertEqual((call.get("extra_content"), call["function"]), (sign, function))
        for item in (json_answer(answer("x", extra_content=sign)), deltas({"content": "x", "extra_content": sign})):
            self.assertEqual(self.ask(DOORS["chat"], item).message.get("extra_content"), sign)


class OddStreamTests(CommandLineCase):
    def test_halves_of_an_emoji_stayed_halves(self):
        one, two, whole = "hi \ud83d", "\ude00!", f"hi {EMOJI}!"
        parts = [{"content": [{"type": "text", "text": text}]} for text in (one, two)]
        self.check_text([
            ("in two events", deltas(one, two), whole),
            ("half after half", deltas("hi ", "\ud83d", "\ude00", "!"), whole),
            ("twice", deltas(one, "\ude00\ud83d", two), f"hi {EMOJI}{EMOJI}!"), ("in parts", deltas(*parts), whole),
            ("before the whole", closed(chunk(one), chunk(two), choice("stop", message=whole)), whole),
            ("in growing messages", closed(choice(message=one), choice("stop", message=whole)), whole),
            ("in a message in pieces", closed(choice(message=one), choice("stop", message=two)), whole),
        ])  # fmt: skip
        halves = [{"type": "reasoning.text", "index": 0, "text": half} for half in ("\ud83d", "\ude00")]
        cut = calling([part('{"text": "\ud83d', "note", "a", 0)], [part('\ude00"}', index=0)])
        thought = deltas(*({"reasoning_details": [half]} for half in halves))
        heard = deltas({"audio": {"transcript": "\ud83d"}}, {"audio": {"transcript": "\ude00"}})
        both = deltas({"reasoning": "\ud83d"}, {"reasoning": "\ude00"}, one, two)
        for name, item, look in [
            ("reasoning", both, operator.attrgetter("reasoning")),
            ("transcript", heard, lambda done: done.audio["transcript"]),
            ("refusal", deltas({"refusal": "\ud83d"}, {}, {"refusal": "\ude00"}), operator.attrgetter("refusal")),
            ("arguments", cut, lambda done: done.tool_calls[0].args["text"]),
            ("message", cut, lambda done: json.loads(done.message["tool_calls"][0]["function"]["arguments"])["text"]),
            ("details", thought, lambda done: done.reasoning_details[0]["text"] + done.reasoning[1:]),
            ("parts", json_answer(answer(halves)), lambda done: done.content),
        ]:  # fmt: skip
            self.check([(name, item, EMOJI)], look)
        chunks = self.llm(self.serve(both)).stream("hi").chunks()
        self.assertEqual([c.reasoning for c in chunks if c.reasoning], [EMOJI])
        code, out, err = self.raw(both, "--reasoning", "hi", log=self.path)
        self.assertEqual((code, out, EMOJI in err), (0, whole + "\n", True))
        self.assertEqual(LlmOperationCollector.from_db(self.path)[0]["response"], whole)

    def test_a_whole_message_beside_the_deltas_was_added_to_them(self):
        whole, one, two = "One two.", "One ", "two."
        parts = {"content": [{"type": "text", "text": whole}]}
        self.check_text([(symptom, closed(*events), whole) for symptom, *events in [
            ("at the end", choice(delta=one), choice(delta=two), choice("stop", message=whole)),
            ("in each event", choice(delta=one, message=one), choice("stop", delta=two, message=whole)),
            ("alone", choice("stop", message=whole)),
            ("beside an empty delta", choice(delta=one), choice(delta=two), choice("stop", delta={}, message=whole)),
            ("after the finish", choice(delta=one), choice("stop", delta=two), choice("stop", message=whole)),
            ("in parts", choice(delta=one), choice(delta=two), choice("stop", message=parts)),
            ("with more than the deltas", choice(delta=one), choice("stop", message=whole)),
            ("growing, without deltas", choice(message=one), choice("stop", message=whole)),
            ("in pieces, without deltas", choice(message=one), choice("stop", message=two)),
        ]])  # fmt: skip
        trimmed = closed(chunk(whole + " "), choice("stop", message=whole))
        self.assertEqual("".join(self.ask(READINGS["for"], trimmed)).strip(), whole)
        call, page = part(OSLO, "weather", "a", 0), {"type": "url_citation", "url_citation": {"url": "https://x"}}
        fields = {
            "content": whole, "reasoning": "hm", "refusal": "no", "tool_calls": [call], "annotations": [page],
            "images": pictures("https://x/y"), "audio": {"id": "s", "data": "aGVsbG8=", "transcript": "hello"},
            "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "hm"}],
        }  # fmt: skip
        item = closed(chunk(delta=fields), choice("tool_calls", message=fields))
        once = [whole, "hm", "no", [OSLO], ["https://x/y"], [page], "aGVsbG8=", "hello", ["hm"]]
        self.check([("all fields", item, once)], lambda d: [
            d.content, d.reasoning, d.refusal, [c.arguments for c in d.tool_calls], d.images, d.annotations,
            d.audio["data"], d.audio["transcript"], [x["text"] for x in d.reasoning_details],
        ])  # fmt: skip

    def test_text_of_another_index_was_dropped_in_silence(self):
        rows = []
        for symptom, *indexes in [
            ("counts up", 0, 1, 2, 3), ("is 1", 1, 1, 1, 1), ("begins at 1", 1, 2, 3, 4), ("is missing", *[None] * 4),
        ]:  # fmt: skip
            words = [choice(delta=w, index=i) for w, i in zip(["Whis", "per is", " a model."], indexes)]
            item = closed(*words, choice("stop", delta={}, index=indexes[3]))
            rows.append((symptom, item, "Whisper is a model."))
        self.check_text(rows)
        two = [choice(delta=t, index=i) for t, i in [("A1 ", 0), ("B1 ", 1), ("A2", 0), ("B2", 1)]]
        item = closed(*two, choice("stop", delta={}), choice("stop", delta={}, index=1))
        for way, read in READINGS.items():
            self.assertEqual("".join(self.ask(read, item, n=2)), "A1 A2", way)

    def test_a_big_picture_in_one_event_was_lost(self):
        url = "data:image/png;base64," + "A" * (5 << 20)
        self.assertEqual(self.ask(DOORS["stream"], deltas({"images": pictures(url)})).images, [url])


# (how an error in a stream is told, the bytes)
TOLD = [
    ("a message", named_event({"message": WORDS})), ("a detail", named_event({"detail": WORDS})),
    ("a field", b'error: {"code": 500, "message": "%s", "type": "server_error"}\n\n' % WORDS.encode()),
    ("words", named_event(WORDS)), ("a JSON text", named_event(json.dumps(WORDS))),
    ("an error in words", named_event({"error": WORDS})),
    ("an error object", named_event({"error": {"message": WORDS}})),
    ("an error with a code", named_event(error_body(WORDS, 502))),
    ("of Anthropic's", named_event({"type": "error", "error": {"type": "overloaded_error", "message": WORDS}})),
    ("no blank after the colon", b'event:error\ndata:{"message":"%s"}\n\n' % WORDS.encode()),
    ("CRLF and a comment", b"event: error\r\n: x\r\ndata: %s\r\n\r\n" % WORDS.encode()),
    ("the name after the data", b"data: %s\nevent: error\n\n" % WORDS.encode()),
    ("a field in words", b"error: %s\n\n" % WORDS.encode()),
]  # fmt: skip
TORN, FRAME = answer(HALF, "error"), {"id": "gen-1", **error_body(WORDS, 502), "choices": chunk("", "error")["choices"]}
TORN["choices"][0].update(error_body(WORDS, 502))
# (where the cost of a failed answer stands, the answer, has it a text)
FAILED_COSTS = [
    ("after a frame", closed(chunk(HALF), FRAME, BILL), True),
    ("in a frame", closed(chunk(HALF), {**FRAME, "usage": PAID}), True),
    ("after event: error", closed(chunk(HALF), TOLD[0][1], BILL), True),
    ("after a frame without text", closed(FRAME, BILL), False),
    ("in a stream that broke off", closed(chunk(HALF, usage=PAID), done=False), True),
    ("beside a choice's error", json_answer({**TORN, "usage": PAID}), True),
    ("in a body", json_answer({"id": "gen-1", **error_body(WORDS, 502), "usage": PAID}), False),
    *((f"in a body of {status}", json_answer({**error_body(WORDS, status), "usage": PAID}, status), False)
      for status in (400, 402, 429, 502)),
]  # fmt: skip


class ToldErrorTests(CommandLineCase):
    def test_half_an_answer_before_event_error_was_a_success(self):
        def by_request(llm):
            return list(llm.request("POST", "/chat/completions", {"messages": [], "stream": True}))

        doors = {**EVERY_DOOR, "request": by_request, "no [DONE]": DOORS["stream"]}
        for (symptom, data), way, ask in by_doors(TOLD, 4, doors):
            with self.subTest(symptom, way=way):
                error = self.ask(ask, closed(chunk(HALF), data, done=way != "no [DONE]"))
                self.assertEqual((type(error), WORDS in str(error)), (StreamInterruptedError, True))
                self.assertTrue(way == "request" or error.partial.content == HALF)
                error = self.ask(ask, closed(data, done=way != "no [DONE]"))  # which lost its words
                self.assertEqual((isinstance(error, OpenRouterError), WORDS in str(error)), (True, True))
        code, out, err = self.raw(closed(chunk(HALF), TOLD[0][1]), "hi")
        self.assertEqual((code, out, WORDS in err), (8, HALF + "\n", True))
        for data in ("{}", "null", "[]"):  # an error that says nothing
            item = closed(chunk(HALF), named_event(data), chunk("", "stop"))
            self.check([(data, item, StreamInterruptedError)], type, FEW)

    def test_events_of_other_names_were_no_json_or_part_of_the_answer(self):
        hel, lo, ping = event(chunk("Hel")), event(chunk("lo", "stop")), named_event({}, "event: ping")
        self.check_text([(symptom, closed(*events), "Hello") for symptom, *events in [
            ("pings", ping, hel, named_event({"type": "ping"}, "event: ping"), lo),
            ("words", named_event("alive", "event: heartbeat"), hel, named_event("12:00", "event: ping"), lo),
            ("no data", b"event: ping\n\n", hel, b"event: ping\n\n", lo),
            ("named chunks", b"event: message\n" + hel, b"event: chat.completion.chunk\n" + lo),
            ("a ping right before", ping + hel, named_event("x", "event: ping") + lo),
        ]])  # fmt: skip

    def test_what_a_failed_answer_cost_was_not_counted(self):
        for (symptom, item, has_partial), way, ask in by_doors(FAILED_COSTS, 1):
            with self.subTest(symptom, way=way):
                llm = self.llm(self.serve(item), log=self.path)
                error = outcome(ask, llm)
                self.assertRegex(str(error), WORDS if "broke" not in symptom else "without finish_reason")
                row = LlmOperationCollector.from_db(self.path)[0]
                self.assertEqual((row["cost"], row["total_tokens"], row["success"]), (0.5, 15, 0))
                for usage in (llm.usage, *[error.partial and error.partial.usage] * has_partial):
                    self.assertEqual((usage.cost, usage.total_tokens), (0.5, 15))
        instant(None)
        llm = self.llm(self.serve(FAILED_COSTS[-1][1], reply("fine")), max_retries=1)
        self.assertEqual((llm.complete("hi").content, llm.usage.cost), ("fine", 1.0))

    def test_an_error_that_is_followed_by_silence_is_told_at_once(self):
        item, began = Pieces(OPEN_SSE, event(chunk(HALF)), event(error_body(WORDS, 502)), end="hang"), time.monotonic()
        with mock.patch.object(orm, "ERROR_GRACE", 0.05):  # in which the usage may come
            self.assertIsInstance(self.ask(DOORS["stream"], item), StreamInterruptedError)
        self.assertLess(time.monotonic() - began, 3)  # and not the 5 s of the timeout


@dataclasses.dataclass
class Item:
    name: str = dataclasses.field(metadata={"description": "its name, in English"})


@dataclasses.dataclass
class Basket:
    items: List[Item]


def weigh(item: Item) -> str:
    """Weigh it."""
    return item.name


SUMMARY, QUERY, MODE = "Search the archive.", "Words to look for, in English.", "One of: fast, deep."
NUMPY, GOOGLE = f"{SUMMARY}\n\nParameters\n----------\nquery : str\n    ", f"{SUMMARY}\n\nArgs:\n    query"
# (style, docstring, what the parameters query and mode are said to be)
DOCSTRINGS = [
    ("NumPy", f"{NUMPY}{QUERY}\nmode : str, optional\n    {MODE}\n", QUERY, MODE),
    ("NumPy, several lines", f"{NUMPY}Words to look for,\n    in English.\n", QUERY, ""),
    ("NumPy, results", f"{NUMPY}{QUERY}\n\nReturns\n-------\nmode : str\n    Used.\n", QUERY, ""),
    ("NumPy, names that share a line were not described", f"{NUMPY}x\n".replace("query", "query, mode"), "x", "x"),
    ("Google", f"{GOOGLE} (str): Words to look for,\n        in English.\n    mode: One of:\n        fast, deep.\n",
     QUERY, MODE),
    ("Google, results", f"{GOOGLE}: {QUERY}\n\nReturns:\n    mode: what was used\n", QUERY, ""),
    ("Google, errors", f"{GOOGLE}: {QUERY}\n\nRaises:\n    mode: never\n", QUERY, ""),
    ("Sphinx", f"{SUMMARY}\n\n:param query: Words to look for,\n    in English.\n:param str mode: {MODE}\n:return: x\n",
     QUERY, MODE),
    ("paragraphs", f"{SUMMARY}\n\nIt charges the card: ask before you call it.\n\nquery: {QUERY}\n", QUERY, ""),
]  # fmt: skip
TEXTS_SCHEMA = {"type": "array", "items": {"type": "string"}}
# (what stands around the JSON, the answer, the schema, the value, or None where it does not fit)
AMONG_WORDS = [
    *((symptom, text, TITLE, {"title": "T"}) for symptom, text in [
        ("a thought", '<think>maybe {"title": "draft"} first</think>\n{"title": "T"}'),
        ("braces after it", '{"title": "T"}\n\nSay if {this} is wrong.'),
        ("brackets before it", 'As asked in [1]: {"title": "T"}'),
        ("braces before it", 'With {x} = 5: {"title": "T"}.'),
        ("a thought in a fence", '<think>\n```json\n{"title": "draft"}\n```\n</think>\n```json\n{"title": "T"}\n```'),
        ("a fence and braces", 'Set {a}:\n```json\n{"title": "T"}\n```\nand {b}.'),
        ("a fence of another language", '```python\nd = {"name": 1}\n```\n```json\n{"title": "T"}\n```'),
        ("an object before that does not fit", '{"name": 1}\nNo, that lacks it:\n{"title": "T"}'),
        ("an apostrophe, a quote and an open brace", 'It\'s "so": {"title": "T"} (see {'),
    ]),
    *(("odd", text, TITLE, value) for text, value in [
        ('So: {"title": "a } b { c"} {ok}', {"title": "a } b { c"}), ('{"titel": "T"}', None), ("none", None),
        ('So: {"title": "say \\"}\\" ok"} {', {"title": 'say "}" ok'}), ('{"title": "T', None),
        ('Here:\n```json\n{"title": "one\ntwo"}\n```\n{ok}', {"title": "one\ntwo"}),
        ('{"title": "T", "more": {"a": [{}, {"b": 1}]}} {x}', {"title": "T", "more": {"a": [{}, {"b": 1}]}}),
        ('<think>{"title": "T"}</think>I don\'t know.', None),
    ]),
    ("a list", '[1] says so: ["a", "b"] [2]', TEXTS_SCHEMA, ["a", "b"]),
    ("a dataclass", '{x} {"name": "n"}', Item, Item("n")),
]  # fmt: skip


class SchemaReportTests(CommandLineCase):
    def test_docstrings_were_read_by_one_pattern_for_all_styles(self):
        def search(query: str, mode: str = "fast") -> str:
            return query

        for style, text, *expected in DOCSTRINGS:
            with self.subTest(style):
                search.__doc__ = text
                self.ask(DOORS["chat"], reply("Done"), tools=[search])
                function = self.server.requests[0].json["tools"][0]["function"]
                fields = map(function["parameters"]["properties"].get, ("query", "mode"))
                self.assertEqual([" ".join(f.get("description", "").split()) for f in fields], expected)
                for words in (SUMMARY, "It charges the card: ask before you call it."):
                    self.assertTrue(words not in text or words in function["description"], function["description"])

    def test_the_description_of_a_field_was_left_out(self):
        for params, way, ask in by_doors(({"schema": Item}, {"schema": Basket}, {"tools": [weigh]})):
            with self.subTest(str(params), way=way):
                self.ask(ask, reply("{}"), **params)
                self.assertIn(b'"its name, in English"', self.server.requests[0].body)

    def test_a_paid_answer_was_refused_for_what_stands_around_its_json(self):
        for (symptom, text, schema, value), way, ask in by_doors(AMONG_WORDS):
            with self.subTest(symptom, text=text, way=way):
                done = self.ask(ask, reply(text), schema=schema)
                found = done.parsed if isinstance(done, orm.Completion) else type(done)
                self.assertEqual(found, APIResponseError if value is None else value)
        schema, line = self.file("title.json", json.dumps(TITLE)), json.dumps({"prompt": "x", "schema": TITLE})
        out, _ = self.success("x", "--schema", schema, script=[AMONG_WORDS[0][1]])
        self.assertEqual(json.loads(out), {"title": "T"})
        out, _ = self.success("--batch", "-", stdin=io.StringIO(line), script=[AMONG_WORDS[0][1]])
        self.assertEqual(json.loads(out)["parsed"], {"title": "T"})
        _, out, err = self.raw(reply('{"title": 1}'), "x", "--schema", schema)
        self.assertEqual((out, "title is 1, not of type string" in err, '{"title": 1}' in err), ("", True, True))

    @unittest.skipIf(sys.version_info < (3, 10), "hints are written as X | Y")
    def test_hints_were_names_that_only_a_type_checker_knows(self):
        for name in orm.__all__:
            thing = getattr(orm, name)
            inside = {n: v for n, v in vars(thing).items() if n[0] != "_"} if isinstance(thing, type) else {}
            for where, one in {"": thing, **inside}.items():
                one = getattr(one, "__func__", getattr(one, "fget", one))
                if isinstance(one, type) or inspect.isfunction(one):
                    with self.subTest(name, where=where):
                        typing.get_type_hints(one)


NO_MONEY, BUSY_BODY = (InsufficientCreditsError, RateLimitError), (ProviderError, RateLimitError)
QUOTA = {"type": "insufficient_quota", "code": "insufficient_quota"}
# (the error's fields, what it is, whether the request is sent again, the HTTP status that it may come with)
NAMES = [
    (QUOTA, NO_MONEY, False, 429), ({"type": "insufficient_quota"}, (*NO_MONEY, ProviderError), False, 500),
    ({"type": "invalid_request_error", "code": "invalid_api_key"}, AuthenticationError, False, 401),
    ({"code": "model_not_found"}, ModelNotFoundError, False, 404),
    ({"type": "rate_limit_error"}, RateLimitError, True, 429), ({"type": "overloaded_error"}, BUSY_BODY, True, 529),
    ({"type": "api_error"}, ProviderError, True, 500), ({"type": "timeout_error"}, ProviderError, True, 504),
    ({"type": "requests", "code": "rate_limit_exceeded"}, RateLimitError, True, 429),
    ({"type": "permission_error"}, PermissionDeniedError, False, 403),
    ({"type": "not_found_error"}, ModelNotFoundError, False, 404),
    ({"type": "billing_error"}, InsufficientCreditsError, False, 402),
    ({"code": "billing_hard_limit_reached"}, NO_MONEY, False, 402),
    ({"type": "invalid_request_error", "code": "context_length_exceeded"}, BadRequestError, False, 400),
    ({"type": "request_too_large"}, APIStatusError, False, 413),
    ({"type": "refusal"}, PermissionDeniedError, False, 403),
    ({"metadata": {"error_type": "content_policy_violation"}}, PermissionDeniedError, False, 403),
    ({"type": "brand_new_error"}, OpenRouterError, False, 400),  # what the table does not know
    ({"metadata": {"error_type": "brand_new"}}, OpenRouterError, False, 400),
]  # fmt: skip
PLACES = {
    "a body": lambda error, status: json_answer(error),
    "a frame": lambda error, status: closed({"id": "gen-1", "choices": [], **error}),
    "event: error": lambda error, status: closed(named_event(error)),
    "a status": lambda error, status: json_answer(error, status, ["Retry-After: 0.02"]),
}
IN_FLIGHT = {"limit_source": "openrouter_in_flight_budget", "reason": "in_flight_budget_exhausted"}
TOO_HEAVY = {"limit_source": "openrouter_in_flight_budget", "reason": "weight_exceeds_budget"}


class ErrorNameTests(CommandLineCase):
    def expect(self, item, kind, is_again, ask=DOORS["stream"], **settings):
        """Ask; check the class of the error, and whether the request was sent once more."""
        instant(None)
        settings = {"max_retries": 1, "retry_wait_max": 0.1, **settings}
        done = self.ask(ask, item, *[reply("fine")] * 3, settings=settings)
        self.assertEqual((text_of(done) == "fine", len(self.server.requests)), (is_again, 1 + is_again), done)
        error = self.ask(ask, item, settings={"max_retries": 0}) if is_again else done
        self.assertIsInstance(error, kind)
        self.assertEqual(error.status == 403, kind is PermissionDeniedError)
        return error

    def test_hopeless_requests_were_repeated_and_blamed_on_the_provider(self):
        for (fields, kind, is_again, status), (place, item) in itertools.product(NAMES, PLACES.items()):
            with self.subTest(fields=fields, place=place):
                self.expect(item({"error": {"message": "no", **fields}}, status), kind, is_again)
        for (fields, kind, is_again, status), ask in itertools.product(NAMES[:5:2], EVERY_DOOR.values()):
            self.expect(failed(**fields), kind, is_again, ask)
        for fields, kind, _, status in (NAMES[0], NAMES[1], NAMES[-1]):  # no other model cures these
            self.expect(failed(status=status, **fields), kind, False, fallbacks=["c/d", "e/f", "g/h"])
        self.assertIn(self.raw(failed(**QUOTA), "hi")[0], (4, 5))

    def test_a_402_that_passes_was_final(self):
        asked, inside = ["Retry-After: 0.05"], {**IN_FLIGHT, "headers": {"retry-after": "0.05"}}
        for (symptom, metadata, headers, is_again), way, ask in by_doors([
            ("by header", IN_FLIGHT, asked, True), ("by body", inside, [], True),
            ("without a wait", IN_FLIGHT, [], False),
            ("too long a wait of 120", {**IN_FLIGHT, "headers": {"Retry-After": "120"}}, [], False),
            ("more than the budget", {**TOO_HEAVY, "headers": {"Retry-After": "0.05"}}, asked, False),
            ("no money", {"limit_source": "openrouter_credits"}, asked, False), ("nothing known", {}, asked, False),
        ], 2):  # fmt: skip
            body = error_body("in flight", 402, metadata=metadata)
            places = list(PLACES.values())[:3] if symptom in ("by body", "without a wait") else []
            for item in [json_answer(body, 402, headers), *(place(body, 402) for place in places)]:
                with self.subTest(symptom, way=way, item=item.pieces[-1]):
                    error = self.expect(item, InsufficientCreditsError, is_again, ask)
                    self.assertTrue("120" in str(error) or "120" not in symptom, error)

    def test_a_small_retry_wait_max_meant_no_retry(self):
        waits = instant(None)
        for item, way, ask in by_doors((failed("busy", 503, code=503), failed("busy", code=429))):
            with self.subTest(way):
                done = self.ask(ask, item, item, reply("fine"), settings={"max_retries": 2, "retry_wait_max": 0.02})
                self.assertEqual((text_of(done), len(self.server.requests)), ("fine", 3))
        self.assertTrue(0 < max(waits) <= 0.02, waits)

    def test_another_model_than_the_unknown_one_was_dropped(self):
        missing = {"code": "model_not_found", "retryable": False, "requested_models": ["b/b"]}
        models = {"model": "a/a", "fallbacks": ["b/b", "c/c", "d/d", "e/e"]}
        for item, way, ask in by_doors([
            failed(status=400, availability=missing), failed("b/b is not a valid model ID", 400, code=400),
            failed("Model b/b does not exist", 400, code=400),
            failed("The model `b/b` does not exist", 404, code="model_not_found"),
        ], 1):  # fmt: skip
            with self.subTest(item.pieces[-1], way=way):
                self.assertEqual(text_of(self.ask(ask, item, reply("fine"), settings=models)), "fine")
                self.assertEqual(self.server.requests[1].json["models"], ["a/a", "c/c", "d/d"])

    def test_errors_had_no_hint(self):
        for data in (b'{"error": null}', b'{"error": []}'):
            for item in (closed(b"data: " + data + b"\n\n"), http_answer(data), http_answer(data, 400)):
                self.assertIsInstance(self.ask(DOORS["stream"], item), OpenRouterError)
        llm, nobody = self.llm(self.serve()), self.llm(mock.Mock(url="http://127.0.0.1:1/v1"))
        for number, ask in enumerate([
            lambda: Llm(log=5), lambda: llm.complete(5), lambda: llm.complete("x", tools=[5]),
            lambda: llm.complete("x", attachments=["/no/such"]), lambda: llm.embed([], model="x"), lambda: llm.chat([]),
            lambda: llm.map([], concurrency=0), lambda: llm.request("X", "/x"), lambda: MockOpenRouter(None),
            lambda: LlmOperationCollector.totals("mood"), lambda: nobody.models(), lambda: nobody.complete("x"),
            lambda: LlmOperationCollector.from_db(since="soon"), lambda: orm.ToolCall("a", "b", "{").args,
            lambda: self.ask(FEW["stream"], reply("x"), schema=TITLE),
            lambda: self.ask(FEW["stream"], *[asking("{}", name="clock")] * 3, tools=[clock], max_tool_rounds=2),
        ]):  # fmt: skip
            with self.subTest(number=number):
                self.assertIsInstance(outcome(ask), OpenRouterError)

    def test_an_answer_of_another_shape_was_an_empty_catalogue(self):
        self.assertEqual(self.ask(Llm.models, json_answer({"data": []})), [])
        doors = {"models": Llm.models, "words": lambda llm: llm.models("a"), "key": Llm.key, "credits": Llm.credits,
                 "generation": lambda llm: llm.generation("g")}  # fmt: skip
        self.check([("{}", json_answer({}), APIResponseError)], type, {"models": Llm.models})
        items = map(json_answer, ({"object": 1}, {"data": None}, None, "x", 5, {"data": "x"}, {"data": [1]}))
        for item in [*items, http_answer(b"<p>Please log in</p>", content_type="text/html")]:
            self.check([(item.pieces[-1], item, APIResponseError)], type, doors)
            self.assertEqual(self.raw(item, "--key")[:2], (1, ""))


class NetworkTests(CommandLineCase):
    def test_the_clock_counted_the_reader_s_own_time(self):
        first, second, last = (event(c) for c in (chunk("w0 "), chunk("w1 "), chunk("w2", "stop")))
        steady = Pieces(OPEN_SSE, first, 0.03, second, 0.03, last, DONE, end="close")
        silent = Pieces(OPEN_SSE, first, second, end="hang")

        async def read_async(pieces, pause):
            async for _ in pieces:
                time.sleep(pause)

        def read(item, pause, text, is_async, is_chunks):
            stream = self.llm(self.serve(item), timeout=0.2).stream("hi")
            pieces = stream.chunks() if is_chunks else stream
            with self.assertRaises(StreamInterruptedError) if item is silent else contextlib.nullcontext():
                if is_async:
                    asyncio.run(read_async(pieces, pause))
                else:
                    for _ in pieces:
                        time.sleep(pause)
            self.assertEqual(stream.partial.content, text)

        ways = list(itertools.product((False, True), (False, True)))
        jobs = [functools.partial(read, steady, 0.22, "w0 w1 w2", *way) for way in ways]
        at_once(*jobs, *(functools.partial(read, silent, 0.1, "w0 w1 ", *way) for way in ways), threads=8)

    def test_a_steady_upload_died(self):
        began = time.monotonic()
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200_000)

        def take_slowly():
            sock, piece = listener.accept()[0], b""
            with sock:
                while not piece.endswith(b"]}"):
                    time.sleep(0.02 if time.monotonic() < began + 0.5 else 0)
                    piece = sock.recv(200_000) or b"]}"  # or the client has left
                sock.sendall(SIZED + JSON_BODY)

        threading.Thread(target=take_slowly, daemon=True).start()
        server = mock.Mock(url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        llm = self.llm(server, system_prompt="x" * (12 << 20), timeout=0.3)
        self.assertEqual(text_of(outcome(llm.complete, "hi")), "Hello")
        if sys.platform == "linux":  # the buffers of other systems take it at once
            self.assertGreater(time.monotonic() - began, 0.3)

    def asked(self, url, **settings):
        def ask():
            with Llm(api_key=KEY, base_url=url, allow_plain_http=True, **settings) as llm:
                return llm.complete("hi")

        settings = {"model": "test/model", "log": False, "max_retries": 0, "connect_timeout": 2, **settings}
        return outcome(ask)

    def test_proxies_of_another_kind_got_the_credentials_in_the_clear(self):
        server = self.serve()
        secure, plain = "https://api.example.test/v1", "http://api.example.test/v1"
        unknown = socket.gaierror(socket.EAI_NONAME, "no such name")
        for name, url, scheme in [
            ("HTTPS_PROXY", secure, "socks5"), ("https_proxy", secure, "socks5h"), ("HTTP_PROXY", plain, "socks4"),
            ("ALL_PROXY", secure, "SOCKS5"), ("all_proxy", plain, "socks5"), ("HTTPS_PROXY", secure, "https"),
        ]:  # fmt: skip
            proxy = f"{scheme}://user:secret@127.0.0.1:{server.port}"
            with self.subTest(name, proxy=proxy), mock.patch.dict(os.environ, {name: proxy}):
                with mock.patch("socket.getaddrinfo", side_effect=unknown):
                    error = self.asked(url, max_retries=1, retry_wait_max=0.01)
                self.assertIsInstance(error, OpenRouterError)
                self.assertRegex(str(error), f"(?is)(?=.*{scheme}).*prox")
                self.assertEqual(("secret" in str(error), len(error.attempts) > 1), (False, False))
        err = self.failure(2, "hi", OPENROUTER_BASE_URL=secure, HTTPS_PROXY=f"socks5://127.0.0.1:{server.port}")
        self.assertEqual(("socks5" in err, server.connections), (True, 0))
        for environ in ({"HTTP_PROXY": "socks5://x:1"}, {"HTTP_PROXY": "http://x:1", "ALL_PROXY": "http://x:1"}):
            url = f"http://0.0.0.0:{self.serve(reply('fine')).port}/v1"  # on this machine, where no proxy matters
            self.assertEqual(self.success("hi", OPENROUTER_BASE_URL=url, **environ)[0], "fine\n")

    def test_a_wrong_base_url_was_blamed_on_the_model(self):
        def only(missing):
            known = "/api/v1/chat/completions"
            return self.serve(lambda seen: reply("fine")(seen) if seen.path == known else missing).url

        bodies = ({"detail": "Not Found"}, {"message": "Not Found"}, {"error": "Not Found"}, {"error": {"code": 404}},
                  {"status": 404, "error": "Not Found", "path": "/x"}, "Not Found", None, [], {})  # fmt: skip
        items = [http_answer(b"404 page not found", 404, "text/plain"), http_answer(b"", 404), http_answer(HTML, 404)]
        items += [json_answer(body, 404) for body in bodies]
        rows = [(items[0], "/chat/completions", ConfigError), *((item, "/v1", APIStatusError) for item in items)]
        for missing, path, kind in rows:
            with self.subTest(missing.pieces[-1][-60:], path=path):
                error = self.asked(only(missing) + path)
                found = (type(error), "base_url" in str(error), "exact name" in str(error))
                self.assertEqual(found, (kind, True, False), error)
        for path in ("/chat/completions/", "/v1"):
            _, out, err = self.main("hi", OPENROUTER_BASE_URL=only(items[-1]) + path)
            self.assertRegex(err, "(?i)base_url", out)
        doors = {**EVERY_DOOR, "models": Llm.models, "embed": lambda llm: llm.embed("x", model="a/b")}
        self.check([("by every door", items[-1], True)], lambda error: "base_url" in str(error), doors)
        self.check([("the API's own", failed("No endpoints found for a/b.", 404), ModelNotFoundError)], type)

    def test_advice_of_the_library_was_given_where_only_a_command_line_is_at_hand(self):
        url = "http://litellm.internal:4000/v1"
        err = self.failure(2, "hi", OPENROUTER_BASE_URL=url)
        port, look_up = self.serve(reply("fine")).port, socket.getaddrinfo
        with mock.patch("socket.getaddrinfo", lambda *a, **k: look_up("127.0.0.1", port)):
            allowed = {re.search(r"(OPENROUTER_\w+)=1", err).group(1): "1"}
            self.assertEqual(self.success("hi", OPENROUTER_BASE_URL=url, **allowed)[0], "fine\n")
        instant(None)
        texts = [err, *(self.main("hi", *argv)[2] for argv in (["-t", "9"], ["--timeout", "0"], ["-f", " "]))]
        texts.append(self.main("hi", OPENROUTER_API_KEY="")[2])
        texts += [self.raw(failed(message, status), "hi")[2] for status, message in [
            (400, "maximum context length is 9"), (402, "can only afford 1234"), (404, "No endpoints found"),
            (404, "matching your data policy"), (413, "x"), (429, "free-models-per-day"), (503, "x"),
        ]]  # fmt: skip
        names = "allow_plain_http|max_tokens|fallbacks|api_key|timeout|retry_wait_max|base_url"
        for text in texts:
            with self.subTest(text):
                self.assertIn("error", text)
                self.assertNotRegex(text, rf"(?<![\w-])({names})=")


# (the name in another library, or a slip of the fingers; a value; what the error has to name)
FOREIGN = [
    ("system", "Be brief", "system_prompt"), ("max_retry", 3, "max_retries"), ("images", ["a.png"], "attachments"),
    ("maxTokens", 5, "max_tokens"), ("extra_headers", {"X-A": "b"}, "\\bheaders"),
    ("extra_body", {"top_k": 5}, "(?i)body|params|top_k"), ("timeout_s", 5, "timeout\\b"),
    ("files", ["a"], "attachments"), ("max_output_tokens", 5, "max_tokens"), ("max_token", 5, "max_tokens"),
    ("temprature", 1, "temperature"), ("topp", 1, "top_p"), ("frequency_penality", 1, "frequency_penalty"),
]  # fmt: skip
NEW = {"reasoning_format": "parsed", "thinking_budget": 5, "min_tokens": 5, "guided_json": {}, "safe_prompt": True,
       "enable_thinking": True, "search_parameters": {}, "chat_template_kwargs": {}, "raw_mode": 1}  # fmt: skip


class FieldTests(CommandLineCase):
    def test_names_of_other_libraries_went_out_without_effect(self):
        doors = {
            **EVERY_DOOR,
            "map of dicts": lambda llm, **given: next(llm.map([{"prompt": "hi", **given}])),
            "params": lambda llm, **given: Llm(api_key=KEY, log=False, params=given),
            "embed": lambda llm, **given: llm.embed("x", model="a/b", **given),
        }
        own = {"Llm": lambda llm, **given: Llm(api_key=KEY, log=False, **given)}
        server = self.serve()  # which nobody asks
        for name, value, wanted in FOREIGN:
            is_own = wanted in ("system_prompt", "max_retries", "timeout\\b", "max_tokens", "temperature")
            for way, ask in {**doors, **(own if is_own else {})}.items():
                with self.subTest(name, way=way):
                    error = outcome(ask, self.llm(server), **{name: value})
                    self.assertIs(type(error), ConfigError)
                    self.assertRegex(str(error).replace(name, "", 1), wanted)
            with self.subTest(name, way="command line"):
                self.failure(2, "hi", "-o", f"{name}={json.dumps(value)}", server=server)
                lines = io.StringIO(json.dumps({"prompt": "hi", name: value}))
                self.failure(2, "--batch", "-", stdin=lines, server=server)

    def test_a_new_field_of_the_api_was_taken_for_a_slip(self):
        options = [option for name, value in NEW.items() for option in ("-o", f"{name}={json.dumps(value)}")]
        server = self.serve(*[reply("fine")] * (2 + len(EVERY_DOOR)))
        for ask in EVERY_DOOR.values():
            ask(self.llm(server), **NEW)
        self.llm(server, params=NEW).complete("hi")
        self.success("hi", *options, server=server)
        self.assertEqual([{name: r.json.get(name) for name in NEW} for r in server.requests], [NEW] * 7)

    def test_an_answer_was_no_plain_data(self):
        def plain(value):
            return json.loads(json.dumps(dataclasses.asdict(value)))["content"]

        kept = reply('{"name": "x"}', headers=["X-OpenRouter-Cache-Status: HIT"], reasoning="hm")
        for way, ask in EVERY_DOOR.items():
            with self.subTest(way):
                done = self.ask(ask, asking(OSLO, name="weather"), kept, tools=[weather], schema=Item)
                self.assertEqual((plain(done), copy.deepcopy(done)), (done.content, done))
        done = self.ask(DOORS["complete"], kept)
        for name in ("x-openrouter-cache-status", "X-OPENROUTER-CACHE-STATUS"):
            self.assertEqual(done.headers[name], "HIT")
        self.assertEqual("".join(map(plain, self.llm(self.serve(kept)).stream("hi").chunks())), done.content)
        self.assertEqual(plain(self.ask(DOORS["stream"], closed(chunk(HALF), error_body(WORDS))).partial), HALF)

    def test_a_sum_left_out_what_it_does_not_know(self):
        unknown = json_answer({**answer("x"), "usage": {**PAID, "cost": None}})
        for way, ask in EVERY_DOOR.items():
            with self.subTest(way):
                llm, told = self.llm(self.serve(reply("fine"), unknown, reply("fine"))), []
                for _ in range(3):
                    ask(llm)
                    told.append((llm.usage.cost, llm.usage.unpriced))
                self.assertEqual(told, [(0.5, 0), (0.5, 1), (1.0, 1)])
        server = self.serve(reply("fine"), unknown)
        err = self.success("--batch", "-", stdin=io.StringIO("one\ntwo\n"), server=server)[1]
        self.assertIn("$0.5 and 1 of unknown cost", err)


# --- Views of the log, budgets, checks ------------------------------------------------------


def record(usd):
    return json_answer({"data": {"total_cost": usd, "native_tokens_prompt": 7, "native_tokens_completion": 9}})


class LogReadingTests(CommandLineCase):
    IS_LOGGED = True
    CODE = "by\n```sh\nls\n```\nand\n```\nno\n```"

    def log_two(self):
        """Log an answer and an error, as the command line does; return the newer row and the older one."""
        self.success("Straße 42", "-m", "openai/gpt-4", "-s", "Be kind", "--no-stream", script=[self.CODE])
        self.failure(1, "second " + "y" * 150, "-m", "a/b", script=[400])
        return LlmOperationCollector.from_db()

    def test_the_log_is_found_by_number_words_and_ids(self):
        newer, older = self.log_two()
        put(self.path, *({"user_prompt": f"n{i}"} for i in range(10)))
        latest, first, second = [f"n{i}" for i in range(9, -1, -1)], ["Straße 42"], [newer["user_prompt"]]
        for argv, expected in [
            ((), latest), (("2",), latest[:2]), (("12",), latest + second + first), (("STRASSE",), first), (("0",), []),
            (("Strasse", "42"), first), (("AND",), first), (("be kind",), first), (("mock error 400",), second),
            (("-m", "a/b"), second), (("5", "explain", "this"), []), ((older["operation_id"],), first),
            *(((odd,), []) for odd in ("²", "9" * 30, "%", "______")),  # which were tracebacks
        ]:  # fmt: skip
            self.assertEqual([row["user_prompt"] for row in self.json_rows("--log", *argv)], expected, argv)
        short = self.success("--log", "12")[0].splitlines()[-1].split()[0]
        self.assert_all_in(
            ("question:\nStraße 42\n", f"answer:\n{self.CODE}\n", "system:\nBe kind", "openai/gpt-4", " reported",
             older["operation_id"], older["generation_id"]), self.success("--log", short)[0])  # fmt: skip
        self.assertEqual(self.success("--log", short, "-x")[0], "ls\n")
        out, _ = self.success("--log", newer["operation_id"])
        self.assert_all_in(("y" * 150, "error:\nHTTP 400: mock error 400", "unknown"), out)
        conversation = self.success("-c", "third", script=["C"])[1].split()[1]
        self.assertIn("question:\nthird", self.success("--log", conversation)[0])
        other = self.path.parent / "other.db"
        self.success("hi", "--no-log")
        self.success("hi", "--db", str(other))
        self.assertEqual([len(LlmOperationCollector.from_db(p)) for p in (other, self.path)], [1, 13])

    def test_two_lines_a_row_on_a_terminal_and_nothing_cut_in_a_pipe(self):
        self.log_two()
        name, wide = "maker/a-name-of-28-characters", "anthropic/claude-sonnet-4.5"
        put(self.path, {"user_prompt": "你" * 90, "response": "\x1b[31m好\n" * 90, "model": name},
            {"status": "running", "success": None},
            {"model": wide, "status": "interrupted", "total_tokens": 123456, "cost": 0.123456, "latency_ms": 61234,
             "session_id": "s" * 90, "first_token_ms": 5})  # fmt: skip
        lines = self.success("--log", out=Tty)[0].splitlines()  # in 80 columns
        self.assertEqual((len(lines), "\x1b" in "".join(lines)), (10, False))
        self.assertLessEqual(max(map(orm.text_width, lines)), 80)
        for line, words in zip(lines[4:], (name, "你你", "a/b", "mock error", "openai/gpt-4", "42 -> by")):
            self.assertIn(words, line)
        out, _ = self.success("--log")
        self.assertEqual(("y" * 150 in out, "你" * 90 in out, out.count("好"), "\x1b" in out), (True, True, 90, False))
        self.assertIn("s" * 90, self.success("--costs", "session_id")[0])
        read = list(csv.DictReader(io.StringIO(self.success("--log", "--csv")[0])))
        self.assertEqual((list(read[0]), read[4]["response"]), (list(orm.LOG_COLUMNS), self.CODE))
        put(self.path, {"response": "z" * 1_000_000})
        began = time.perf_counter()
        self.assertIn("zz..", self.success("--log", out=Tty)[0])
        self.assertLess(time.perf_counter() - began, 1)  # a long answer took many seconds

    def test_since_limits_every_view_and_purge_deletes(self):
        put(self.path, {"days": 10, "user_prompt": "old", "cost": 1.0}, {}, {})
        page = self.file("r.html")
        for since, count in [("7d", 2), ("480h", 3), (days_ago(11).isoformat(), 3), ("2999-01-01", 0)]:
            costs = sum(row["calls"] for row in self.json_rows("--costs", "--since", since))
            self.assertEqual((len(self.json_rows("--log", "--since", since)), costs), (count, count), since)
            self.assertIn(f"{count} operations", self.success("--report", page, "--since", since)[1])
        for argv in (["--log", "--since=yesterday"], [f"--report={page}", "--since=-1d"], ["--purge=yesterday"]):
            self.assertIn("is not a date or time", self.failure(2, *argv), argv)
        for age, count in [("20d", 0), ("7d", 1), ("168h", 0), ("2999-01-01", 2)]:
            self.assertRegex(self.success("--purge", age)[0], rf"^deleted {count} operations? from before 2")

    def test_several_logs_are_read_as_one(self):
        paths = [self.path.parent / f"o'dd #{n}?%20.db" for n in range(11)]
        put(paths[0], *[{"days": 1, "user_prompt": f"old {n}", "model": "m", "cost": 0.5} for n in range(3)])
        put(paths[1], {"user_prompt": "new", "model": "m", "cost": 0.25})
        found = LlmOperationCollector.from_db(path=paths[:2], limit=2)  # they were not the newest
        self.assertEqual([r["user_prompt"] for r in found], ["new", "old 2"])
        both = [text for path in paths[:3] for text in ("--db", str(path))]  # the third is not there
        self.assertEqual(len(self.json_rows("--log", *both)), 4)
        (row,) = self.json_rows("--costs", *both)
        self.assertEqual((row["calls"], row["cost"]), (4, 1.75))
        self.assertNotIn("unpriced", self.success("--costs", *both)[0])
        self.assertIn("4 operations", self.success("--report", self.file("r.html"), *both)[1])
        for sql in ("DELETE FROM operations", "DELETE FROM log0.operations", "ATTACH 'new.db' AS new"):
            with self.assertRaises(ConfigError):
                LlmOperationCollector.query(sql, path=paths[:2])
        for path in paths[2:]:
            put(path, {})
        self.assertEqual(sum(r["calls"] for r in LlmOperationCollector.totals(path=paths[:10])), 12)
        with self.assertRaisesRegex(ConfigError, "11 logs"):  # SQLite attaches ten
            LlmOperationCollector.totals(path=paths)
        half = self.path.parent / "half.db"  # another program is just making it
        with contextlib.closing(sqlite3.connect(str(half))) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # the file has a head, and no table yet
            for path, count in ((half, 0), ([half, paths[1]], 1), ([half, half], 0)):
                self.assertEqual(len(LlmOperationCollector.from_db(path)), count)

    def test_sums_and_times_of_each_group(self):
        tokens = {"input_tokens": 5, "output_tokens": 10, "cached_tokens": 3, "total_tokens": 15}
        fine = [(100, 10, 0.5), (200, 20, 0.5), (300, 30, None), (400, None, 0.25)]
        put(self.path, *({"model": "m", "upstream_provider": "P", "latency_ms": ms, "first_token_ms": first,
                          "cost": usd, **tokens} for ms, first, usd in fine),
            {"model": "m", "status": "error", "success": 0, "latency_ms": 9000, "cost": 0.125},
            {"model": "old", "days": 2, "status": "interrupted", "success": 0, "first_token_ms": 5})  # fmt: skip
        row, old = LlmOperationCollector.totals(by=["model"], path=self.path)
        self.assertEqual(row, {
            "model": "m", "calls": 5, "errors": 1, "cost": 1.375, "unpriced": 1, "p50_ms": 200, "p95_ms": 400,
            "first_p50_ms": 20, "tokens_per_s": 40, **{name: 4 * count for name, count in tokens.items()},
        })  # fmt: skip
        self.assertEqual([old[n] for n in ("calls", "errors", "p50_ms", "first_p50_ms")], [1, 1, None, None])
        for by, groups in [("model,day", 2), ("model,model", 2), ("provider, status", 3), ("session_id", 1)]:
            rows = self.json_rows("--costs", by)
            self.assertEqual((len(rows), sum(r["calls"] for r in rows)), (groups, 6), by)
        out, err = self.success("--costs", "provider,status")
        self.assert_all_in(("P ", "first ms", "tok/s", "cached", "unpriced", "interrupted"), out)
        drawn = self.success("--costs", out=Tty)[0]
        self.assertEqual(("\u2588" in out, "\u2588" * orm.BAR_WIDTH in drawn), (False, True))
        self.assertIn("total $1.375 in 6 calls, without 1 of unknown cost", err)
        read = list(csv.DictReader(io.StringIO(self.success("--costs", "--csv")[0])))
        cells = [[r[n] for n in ("model", "cost", "first_p50_ms")] for r in read]
        self.assertEqual(cells, [["m", "1.375", "20"], ["old", "", ""]])
        put(self.path, {"cost": 0.5, "upstream_provider": "Mock"})
        self.assertIn("; $0.5 of it from the mock server, which bills nothing", self.success("--costs")[1])

    def test_tables_go_to_spreadsheets_and_notebooks(self):
        file = self.path.parent / "x.csv"
        rows = Operations([{"model": "<b>&", "cost": None, "text": 'a,"b"\nü'}] * 120)
        rows.to_csv(file)
        read = list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))
        self.assertEqual((read[0], len(read)), ({"model": "<b>&", "cost": "", "text": 'a,"b"\nü'}, 120))
        shown = rows._repr_html_()
        self.assertEqual((shown.count("<tr><td>&lt;b&gt;&amp;</td><td>-</td>"), "120 rows" in shown), (100, True))

    def test_costs_that_are_unknown_are_asked_for(self):
        put(self.path, {"cost": 1.0, "generation_id": "known"}, {"generation_id": "old", "days": 9},
            {"generation_id": None}, {"generation_id": "a b"}, {"generation_id": "gone", "input_tokens": 5},
            {"generation_id": "now", "status": "running", "success": None})  # fmt: skip
        server = self.serve(record(0.25), failed("not yet", 404, code=404))
        self.assertEqual(LlmOperationCollector.reconcile(self.llm(server), since=days_ago(5), path=self.path), 1)
        self.assertEqual([r.path.partition("id=")[2] for r in server.requests], ["a%20b", "gone"])
        rows = {r["generation_id"]: [r[n] for n in ("cost", "cost_source", "input_tokens", "output_tokens")]
                for r in LlmOperationCollector.from_db(self.path)}  # fmt: skip
        self.assertEqual((rows["a b"], rows["gone"]), ([0.25, "reconciled", 7, 9], [None, None, 5, None]))
        self.assertEqual([rows[name][0] for name in ("known", "old", "now")], [1.0, None, None])
        with self.assertRaises(RateLimitError):  # what was learned before an error was not written
            server = self.serve(record(0.5), failed("slow", 429, code=429))
            LlmOperationCollector.reconcile(self.llm(server), path=self.path)
        err = self.success("--costs", "--reconcile", server=self.serve(record(2)))[1]
        self.assertRegex(err, r"1 unknown cost found\ntotal \$3\.75 in 6 call")

    @unittest.skipUnless(hasattr(time, "tzset"), "needs time zones by TZ")
    def test_one_call_was_of_two_days(self):
        self.addCleanup(time.tzset)
        for zone, moment, day in [
            ("JST-9", "2026-11-20T20:30", "11-21"), ("PST8PDT,M3.2.0,M11.1.0", "2026-11-21T04:30", "11-20"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-07-01T04:30", "07-01"), ("UTC0", "2026-11-20T23:59", "11-20"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-31T22:30", "08-01"),
        ]:  # fmt: skip
            path = self.folder() / "log.db"
            put(path, {"timestamp": f"{moment}:00.000+00:00"})
            with self.subTest(zone, moment=moment), mock.patch.dict(os.environ, TZ=zone):
                time.tzset()
                log, costs = (self.success(*argv, "--db", str(path))[0] for argv in (["--log"], ["--costs", "day"]))
                self.assertEqual(re.findall(r"(\d\d-\d\d)[ T]\d\d:\d\d", log), [day])
                self.assertEqual(re.findall(r"\d{4}-(\d\d-\d\d)", costs), [day])

    def test_texts_were_searched_in_a_form_that_nobody_typed(self):
        refused = failed("\u00dcble Sache 'x'", 400)
        server = self.serve(reply("Gr\u00f6\u00dfe \u00dcBER alles"), reply("100% of a_b"), refused)
        llm = self.llm(server, log=self.path)
        asked = ['Please say "hello" ok\nto C:\\temp \u00c4rger \U0001f600', "h\u00f6ren", "\u00c9t\u00e9?"]
        roles = ("user", "assistant", "user")
        llm.chat([{"role": r, "content": c} for r, c in zip(roles, asked)], system_prompt='\u00d6l "x"\ny')
        llm.complete("plain")
        outcome(llm.complete, "third")
        for rows, *texts in [
            (1, "\u00fcber", "\u00dcBER", "Gr\u00f6\u00dfe", "gr\u00d6\u00dfe", "\u00e9T\u00c9", "\u00e4RGER"),
            (1, 'say "hello"', "ok\nto", "C:\\temp", "\U0001f600", 'hello"', "\u00fcble sache", "'x'"),
            (1, "100%", "a_b", "A_B", "%", "_"), (0, "1%0", "axb", "10_%", "100%%", "' OR 1=1 --"),
            (0, "ok\\nto", "C:\\\\temp", '\\"hello\\"', '"role"', "\\u00"),
        ]:  # fmt: skip
            found = {text: len(LlmOperationCollector.from_db(self.path, search=text)) for text in texts}
            self.assertEqual({text: count for text, count in found.items() if count != rows}, {})

    def test_a_fault_of_the_log_was_told_in_python(self):
        for make, argv in itertools.product(("below", "foreign"), ("hi", "--no-stream hi", "--chat hi", "--db LOG hi")):
            with self.subTest(make, argv=argv), warnings.catch_warnings():
                warnings.simplefilter("always")
                folder = self.folder()  # each its own, since a fault is told once
                path = str(folder / "file" / "log.db" if make == "below" else folder / "log.db")
                if make == "below":
                    (folder / "file").write_text("x")
                else:
                    with contextlib.closing(sqlite3.connect(path)) as db, db:
                        db.execute("CREATE TABLE theirs (x)")
                log = "off" if "LOG" in argv else path
                argv = argv.replace("LOG", path).split()
                out, err = self.success(*argv, script=["fine"], log=log, stdin=io.StringIO())
                about = [line.partition(":")[0] in ("note", "warning") for line in err.splitlines() if " log" in line]
                self.assertEqual((out, about), ("fine\n", [True]), err)
                self.assertNotRegex(err, r"RuntimeWarning|_warn|\.py:")

    def test_one_failure_switched_the_log_off_for_ever(self):
        mock.patch.multiple(orm, LOG_BUSY_TIMEOUT=0.02, LOG_BUSY_AGAIN=0.02).start()
        llm = self.llm(self.serve(reply("one"), reply("two")), log=self.path)
        other = sqlite3.connect(str(self.path), isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")  # another process holds it, longer than is waited for
        with self.assertWarnsRegex(RuntimeWarning, "continuing without it"):
            llm.complete("hi")
        other.close()
        llm.complete("hi")
        self.assertIn("two", [r["response"] for r in LlmOperationCollector.from_db(self.path)])


class Page(html.parser.HTMLParser):
    """What a page holds: its tags, its text; fails at what loads or runs anything."""

    def __init__(self, text):
        super().__init__()
        self.text, self.open = "", []
        self.feed(text)
        self.close()
        assert "<svg" in text and not self.open and "@import" not in text, self.open

    def handle_starttag(self, tag, attributes):
        self.open += [] if tag in ("meta", "br", "hr") else [tag]
        assert tag not in ("script", "img", "link", "iframe", "object", "a"), tag
        for name, value in attributes:
            assert not re.match("on|src|href", name), (name, value)
            assert not re.search(r"url\(|//|\bnan\b|\binf\b", value or ""), (name, value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.open)

    def handle_data(self, data):
        self.text += data


class ReportPageTests(CommandLineCase):
    IS_LOGGED = True
    EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)></td></style></svg>&amp;<!--"

    def page(self, *rows, **kind):
        put(self.path, *rows)
        file = self.path.parent / "page.html"
        self.count = LlmOperationCollector.report(file, **{"path": self.path, **kind})
        return Page(file.read_text(encoding="utf-8"))

    def test_whatever_the_log_holds_the_page_stays_a_page(self):
        evil = [{name: self.EVIL, "cost": 1.0} for name in ("model", "user_prompt", "upstream_provider")]
        evil += [{name: self.EVIL, "success": 0} for name in ("error_type", "error_message", "model", "status")]
        for name, rows in [
            ("nothing", []), ("evil", evil), ("no model", [{"cost": 1.0}]), ("no cost", [{"model": "m"}]),
            ("huge", [{"cost": 1e15}]), ("tiny", [{"cost": 1e-12, "model": "m"}]), ("negative", [{"cost": -1.0}]),
            ("no money", [{"cost": 0.0, "model": "m"}]), ("running", [{"status": "running", "success": None}]),
            ("no error", [{"status": "error", "success": 0}]), ("long", [{"user_prompt": "x " * 99999, "cost": 2.0}]),
            ("many", [{"model": f"m/{i}", "cost": float(i), "days": i} for i in range(90)]),
        ]:  # fmt: skip
            with self.subTest(name):
                page = self.page(*rows)
                self.assertGreaterEqual(self.count, len(rows))
                self.assertGreaterEqual(page.text.count(self.EVIL), 3 if name == "evil" else 0)

    def test_what_the_page_tells(self):
        other = self.path.parent / "b.db"
        put(other, {"cost": 1.5, "cost_source": "estimated", "model": "b/model", "days": 1})
        page = self.page(
            {"cost": 4.5, "cost_source": "reported", "model": "a/model", "user_prompt": "dearest", "latency_ms": 1234},
            {"status": "interrupted", "success": 0, "model": "c/model", "error_type": "busy", "output_tokens": 77},
            {"cost": 9.0, "model": "old/model", "days": 9}, since=days_ago(3), path=[self.path, other],
        )  # fmt: skip
        told = ("$6", "75 %", "a/model", "b/model", "c/model", "dearest", "1,234", "busy", "77")
        self.assert_all_in(told, page.text)
        self.assertNotIn("old/model", page.text)
        for path in (self.path.parent / "none.db", False, []):
            self.assertIn("no operations", self.page(path=path).text)
        self.failure(2, "--report", str(self.path.parent / "none" / "x.html"))
        for argv in (("--db", str(self.path)), ()):  # it overwrote the log
            self.assertIn("is the log itself", self.failure(2, "--report", str(self.path), *argv))


class BudgetTests(CommandLineCase):
    IS_LOGGED = True

    def test_every_way_of_asking_stops_when_the_sum_is_used_up(self):
        for way in [*WAYS, lambda llm: llm.embed("x", model="a/b"), lambda llm: llm.request("POST", "/x", {})]:
            with self.subTest(way), MockOpenRouter(*[costing(0.4)] * 5) as server:
                with Llm(base_url=server.url, api_key=KEY, max_cost=0.8) as llm:
                    self.assertEqual([llm.complete("q").cost for _ in range(2)], [0.4, 0.4])
                    with self.assertRaisesRegex(orm.BudgetError, r"\$0\.8 .*\$0\.8 were spent"):
                        way(llm)
                    self.assertEqual([type(r) for r in llm.map(["a", "b"])], [orm.BudgetError] * 2)
                    self.assertEqual((llm.key()["label"], len(server.requests)), ("mock", 3))
        self.assertEqual(len(LlmOperationCollector.from_db()), 12)  # what was not sent has no row
        call = costing(0.4, tool_calls=[{"function": {"name": "clock", "arguments": "{}"}}])
        with MockOpenRouter(*[call] * 5) as server, Llm(base_url=server.url, api_key=KEY, max_cost=0.7) as llm:
            error = outcome(llm.complete, "x", tools=[clock])
        self.assertEqual((len(server.requests), type(error), error.partial.cost), (2, orm.BudgetError, 0.8))

    def test_a_day_is_shared_by_all_that_write_the_log(self):
        put(self.path, {"days": 1.01, "cost": 100.0})
        code = """if True:
            import sys, openrouter_min as orm
            llm = orm.Llm(base_url=sys.argv[1], log=sys.argv[2], max_cost_per_day=1.05)
            try:
                [llm.complete("x") for _ in range(30)]
            except orm.BudgetError as error:
                print(error)"""
        with MockOpenRouter(*[costing(0.1)] * 60) as server:
            for process in [run_python(code, server.url, self.path) for _ in range(2)]:
                told = process.communicate()[0].decode()
                self.assertRegex(told, r"_day of \$1\.05 is used up: \$1\.[12]\d* were spent today\s.*midnight")
            self.assertIn(len(server.requests), (11, 12))  # one call may be in flight in the other process

    def test_a_purge_ended_the_day_s_budget_of_a_program_that_runs(self):
        with MockOpenRouter(*[costing(0.01)] * 9, *[costing(0.4)] * 9) as server:
            with Llm(base_url=server.url, api_key=KEY, log=self.path, max_cost_per_day=1) as llm:
                for _ in range(9):
                    llm.complete("q")
                LlmOperationCollector.purge(before=days_ago(-1), path=self.path)  # the next row has the number 1 again
                with self.assertRaises(orm.BudgetError):
                    for _ in range(5):
                        llm.complete("q")
        self.assertEqual(len(server.requests), 9 + 3)

    def test_the_sum_of_a_day_missed_what_was_written_out_of_turn(self):
        put(self.path, {"cost": 1.0}, {"status": "running", "success": None}, *[{"cost": 0.5}] * 4)
        midnight = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1))
        log, seen = orm.log_for(self.path), []
        with contextlib.closing(orm.connect_log(str(self.path))) as connection:
            for change in (
                f"operation_id = 'op-{int(midnight * 1e6) + 1:015x}-first' WHERE id = 4",  # of two that began at once
                "cost = 9.0 WHERE id = 3",  # it counts as summed up
                "cost = 8.0, status = 'ok' WHERE id = 2",  # which was summed up again and again
            ):
                connection.execute(f"UPDATE operations SET {change}")
                seen += [log.spent_today(), log.spent_today()]
        self.assertEqual(seen, [3.0, 3.0, 3.0, 3.0, 11.0, 11.0])

    def test_a_budget_that_can_t_be_kept_is_refused(self):
        nan, inf, below = float("nan"), float("inf"), os.path.join(self.file("plain"), "log.db")
        for settings in (
            {"max_cost_per_day": 1, "log": False}, {"max_cost": True}, {"max_cost": "1"}, {"max_cost": -1},
            {"max_cost": nan}, {"max_cost_per_day": inf}, {"max_cost_per_day": 1, "log": below},
        ):  # fmt: skip
            with self.subTest(settings), self.assertRaisesRegex(ConfigError, "max_cost"):
                Llm(api_key=KEY, base_url="http://127.0.0.1:1", **settings).complete("q")
        with self.assertRaisesRegex(ConfigError, "can't be set per call"):
            Llm(api_key=KEY).complete("x", max_cost=1)
        for value, argv in [("2,50", ()), ("nan", ()), ("much", ()), ("-1", ()), ("1", ("--no-log",))]:
            self.failure(2, "hi", *argv, OPENROUTER_MAX_COST_PER_DAY=value)
        with mock.patch.dict(os.environ, OPENROUTER_MAX_COST_PER_DAY="1"):
            self.assertEqual([Llm(max_cost_per_day=n).config.max_cost_per_day for n in (None, 3)], [1, 3])

    def test_the_command_line_ends_with_4_and_a_batch_says_what_is_left(self):
        put(self.path, {"cost": 0.5})
        self.assertIn("$0.5 were spent today", self.failure(4, "hi", OPENROUTER_MAX_COST_PER_DAY="0.5"))
        self.assertEqual(self.server.requests, [])
        argv = ("--batch", self.file("p.txt", "".join(f"line {i}\n" for i in range(9))), "--max-cost", "1")
        with MockOpenRouter(*[costing(0.5)] * 9) as server:
            for known, left in [(0, 7), (2, 5)]:
                code, out, err = self.main(*argv, "--concurrency", "1", server=server)
                found = (code, out.count("\n"), out.count('"reused"'), "Budget" in out)
                self.assertEqual(found, (4, 2 + known, known, False))
                self.assertIn(f"stopped, {left} lines left: the same command asks only for these", err)
                told = self.success(*argv, "--dry-run", server=server)[1]
                self.assertIn(f"9 lines, {9 - left} of them answered before, {left} to ask\nestimate: about ", told)
        self.assertEqual(len(server.requests), 4)

    def test_a_dry_run_needs_no_key_and_sends_nothing(self):
        asked = ["hello", "-m", "openai/gpt-4o-mini", "-f", "openai/gpt-4", "-s", "S", "-o", "top_p=0.5"]
        asked += ["-a", self.file("a.txt", "inside")]
        out, err = self.success("--dry-run", *asked, OPENROUTER_API_KEY="")
        self.assertRegex(err, r"estimate: about \d+ tokens in, at most [\d,]+ out; at most \$0\.[2-9]")  # the dearest
        self.assertEqual((self.server.requests, self.path.exists()), ([], False))
        self.success(*asked)
        self.assertEqual(self.server.requests[0].json, json.loads(out))
        self.assertNotIn("at most 0 out", self.success("hi", "--dry-run", "-m", "some/model")[1])


class CheckTests(CommandLineCase):
    IS_LOGGED = True

    def check(self, server, code=0, *argv, **environ):
        """Run --check; return its lines by step, and all of it."""
        got, out, err = self.main("--check", *argv, server=server, **environ)
        self.assertEqual((got, err, KEY[:16] in out), (code, "", False), out)
        return {line.split()[1]: line for line in out.splitlines() if not line.startswith(" ")}, out

    def test_a_way_that_works(self):
        about = json_answer({"data": {"label": "mine", "limit": 10, "limit_remaining": 7.5}})
        server, cert = self.serve(json_answer({"data": {"count": 1}}), about, wrap=in_tls(self)), str(certificate(self))
        url = f"https://127.0.0.1:{server.port}/v1"
        lines, _ = self.check(server, OPENROUTER_BASE_URL=url, SSL_CERT_FILE=cert)
        for step, words in [
            ("python", sys.version.split()[0]), ("CAs", cert), ("proxy", "none"), ("look-up", "127.0.0.1"),
            ("connect", " ms)"), ("TLS", "issued by localhost"), ("HTTP", "answers"), ("key", "OPENROUTER_API_KEY"),
            ("limit", "$10"), ("left", "$7.5"), ("log", str(self.path)), ("prices", orm.METADATA.as_of),
        ]:  # fmt: skip
            self.assertTrue(lines[step].startswith("ok ") and words in lines[step], lines.get(step))
        _, out = self.check(None, 0, "--no-log", "--mock", SSL_CERT_FILE=cert)
        self.assertRegex(out, r"ok +HTTP +http://127.*\n(?:.*\n)*- +log +it is switched off")

    def test_the_first_failure_is_named_and_gives_the_exit_code(self):
        usual, named = {"SSL_CERT_FILE": str(certificate(self))}, "https://api.weather.test/v1"
        refusal = Pieces(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", end="close")
        ok, look_up = json_answer({"data": {"count": 1}}), socket.getaddrinfo
        no_name = mock.Mock(side_effect=socket.gaierror(-2, "Name or service not known"))
        for script, url, environ, code, step, words in [
            ([refusal], named, {"HTTPS_PROXY": "127.0.0.1:PORT"}, 7, "tunnel", "refused the tunnel: 407"),
            ([], named, {"HTTPS_PROXY": "socks5://x:1"}, 2, "proxy", "socks"),
            ([], "http://127.0.0.1:1/v1", {}, 7, "connect", "127.0.0.1:1"),
            ([ok, ok], "", {"SSL_CERT_FILE": "/no/file"}, 2, "CAs", "/no/file is not there"),
            ([ok, ok], "", {"SSL_CERT_FILE": self.file("text.pem", "no PEM")}, 2, "CAs", "holds no CA certificates"),
            ([ok, failed(status=401)], "", {}, 3, "key", "401"), ([], named, {}, 7, "look-up", "api.weather.test"),
            ([ok], "", {"OPENROUTER_API_KEY": ""}, 0, "", ""),
        ]:  # fmt: skip
            with self.subTest(step), LoopbackServer(*script) as server:
                environ = {k: v.replace("PORT", str(server.port)) for k, v in environ.items()}
                environ["OPENROUTER_BASE_URL"] = url or server.url
                with mock.patch.object(socket, "getaddrinfo", no_name if step == "look-up" else look_up):
                    lines, out = self.check(server, code, **{**usual, **environ})
                failures = [s for s, line in lines.items() if line.startswith("FAIL")]
                self.assertEqual(failures[:1], [step] if step else [], out)
                self.assertRegex(out, rf"FAIL +{step} .*{words}.*\n {{15}}\S" if step else "key .*there is none")


# --- Schemas, answers, the README -----------------------------------------------------------


class Point(TypedDict):
    x: int
    name: str


Colour = enum.Enum("Colour", {"RED": "red", "BLUE": "blue"})


@dataclasses.dataclass
class Model:
    """It has the two methods of a pydantic model by which it is known."""

    n: int

    @classmethod
    def model_json_schema(cls):
        n = {"$ref": "#/$defs/N"}
        return {"type": "object", "properties": {"n": n}, "required": ["n"], "$defs": {"N": {"type": "integer"}}}

    @classmethod
    def model_validate_json(cls, text):
        if json.loads(text)["n"] < 0:
            raise ValueError("n is below 0")
        return cls(**json.loads(text))


class Sub(Llm):
    """At module level, where pickle finds it."""


class AnswerTests(CommandLineCase):
    def parsed(self, schema, *script, **params):
        self.server, self.steps = self.mock_server, list(script)
        self.server.requests.clear()
        return self.llm(self.server).complete("q", schema=schema, **params)

    def test_each_kind_of_schema(self):
        for schema, text, made in [
            (Point, '{"x": 1, "name": "n"}', {"x": 1, "name": "n"}), (Optional[int], "null", None),
            (List[Decimal], '["1.10", 2]', [Decimal("1.10"), Decimal(2)]), (Model, '{"n": 3}', Model(3)),
            (List[Model], '[{"n": 3}]', [Model(3)]), (Dict[str, Path], '{"a": "b"}', {"a": Path("b")}),
            *((schema, text, APIResponseError) for schema, text in [
                (Model, '{"n": -1}'), (Model, '{"n": "1"}'), (Point, '{"x": 1}'), (Colour, '"green"'),
                (Decimal, '"1,5"'), (datetime.time, '"25:00"'), (datetime.datetime, '"soon"'), (List[Point], "[null]"),
            ]),
            *((schema, "", ConfigError) for schema in (bytes, "Point", Model(1), 5)),
        ]:  # fmt: skip
            with self.subTest(schema, text=text):
                done = self.ask(DOORS["complete"], reply(text), schema=schema)
                self.assertEqual(type(done) if isinstance(done, Exception) else done.parsed, made)
                self.assertTrue(made is not APIResponseError or done.partial.content == text)

    def test_a_mismatch_is_sent_back_and_each_round_is_an_operation(self):
        good = {"x": 1, "name": "n"}
        with MockOpenRouter(costing(0.1, "nope"), costing(0.2, '{"x": "1"}'), costing(0.4, json.dumps(good))) as server:
            with client(server, log=self.path) as llm:
                error = outcome(llm.complete, "q", schema=Point, schema_retries=1)
                self.assertEqual(llm.complete("q", schema=Point, schema_retries=1).parsed, good)
        found = (type(error), error.partial.cost, error.partial.content)
        self.assertEqual(found, (APIResponseError, 0.1 + 0.2, '{"x": "1"}'))
        told = [[m["content"] for m in r.json["messages"]] for r in server.requests]
        self.assertEqual(([len(contents) for contents in told], told[1][:2]), ([1, 3, 1], ["q", "nope"]))
        self.assertIn("not JSON", told[1][2])
        rows = LlmOperationCollector.from_db(self.path)
        self.assertEqual([(r["status"], r["cost"]) for r in rows], [("ok", 0.4), ("error", 0.2), ("error", 0.1)])
        self.assertEqual(rows[1]["action_id"], rows[2]["action_id"])
        done = self.parsed(Point, "nope", '{"x": 1}', json.dumps(good), schema_retries=2)
        self.assertEqual((len(done.attempts), [m["role"][0] for m in done.messages]), (3, list("auaua")))
        for count in (-1, True, "1", 1.5, 99):
            with self.subTest(count), self.assertRaisesRegex(ConfigError, "schema_retries"):
                self.parsed(Point, schema_retries=count)
        for step in ({"refusal": "no"}, {"content": "{", "finish_reason": "length"}):  # it was sent back for repair
            self.assertRaises(APIResponseError, self.parsed, Model, step, "{}", schema_retries=1)
            self.assertEqual(len(self.server.requests), 1)

    def test_the_definitions_of_an_inner_model_were_out_of_reach(self):
        def tool(one: Model):
            """It is called."""

        outer = dataclasses.make_dataclass("Outer", [("inner", Model)])
        hints = (outer, Optional[Model], List[List[Model]], Dict[str, Model])
        for params in ({"tools": [tool]}, *({"schema": hint} for hint in hints)):
            with self.subTest(params):
                self.ask(DOORS["complete"], reply("{}"), **params)
                tools = self.server.requests[0].json.get("tools")
                sent = tools[0]["function"]["parameters"] if tools else self.sent_schema()["schema"]
                self.assertIn("N", sent.get("$defs", {}))  # where "#/$defs/N" points to

    def sent_schema(self):
        return self.server.requests[0].json["response_format"]["json_schema"]

    def test_strict_was_sent_with_what_the_strict_mode_refuses(self):
        text, closed = {"type": "string"}, {"type": "object", "additionalProperties": False, "required": ["a"]}
        for strict, schema in [
            (True, {**closed, "properties": {"a": text}}), (False, {**closed, "properties": {"a": text, "b": text}}),
            (False, {"type": "object", "properties": {"a": text}, "required": ["a"]}), (False, {"type": "object"}),
            (False, {**closed, "properties": {"a": {"type": "array", "items": {"type": "object"}}}}),
            (False, {"type": "array", "items": text}), (False, {}), (False, {"anyOf": [text]}),
            (False, {"type": ["object", "null"]}), (False, {**closed, "properties": {"a": {"allOf": [text]}}}),
        ]:  # fmt: skip
            with self.subTest(schema):
                self.ask(DOORS["complete"], reply("{}"), schema=schema)
                self.assertEqual(self.sent_schema()["strict"], strict)

    def test_an_answer_in_a_notebook_and_as_json(self):
        call = {"tool_calls": [{"function": {"name": "weather", "arguments": "{}"}}], "content": "**word** " * 99}
        with MockOpenRouter(call) as server, client(server, model="anthropic/claude-sonnet-4.5") as llm:
            done = llm.complete("q")
        self.assertRegex(repr(done), r"\*\*word\*\* .*weather.*claude-sonnet-4\.5.*gen-mock-1")
        self.assertEqual(done._repr_markdown_(), done.content)
        self.assertEqual(json.loads(json.dumps(dataclasses.asdict(done)))["tool_calls"][0]["name"], "weather")
        for count in range(12):  # it took more than three lines
            calls = [orm.ToolCall("call_1", "get_weather", "{}")] * count
            made = dataclasses.replace(done, id="gen-1234567890-abcdefghijkl", tool_calls=calls)
            self.assertLess(len(repr(made)), 240)

    def test_files_that_came_back_are_saved(self):
        urls = ["data:image/png;base64,iVBORw0KGgo=", "https://x.test/y.png", "data:image/svg+xml,%3Csvg%20/%3E"]
        done = orm.Completion(images=urls, audio={"data": "UklGRjEyMzRXQVZF"}, id="../x")
        folder = self.folder() / "new" / "one"
        png, link, svg, wav = done.save(folder)
        self.assertEqual((link, [Path(p).suffix for p in (png, svg, wav)]), (urls[1], [".png", ".svg", ".wav"]))
        self.assertEqual(({Path(p).parent for p in (png, svg, wav)}, Path(svg).read_bytes()), ({folder}, b"<svg />"))
        self.assertEqual(set(done.save(folder)) & {png, link, svg, wav}, {link})  # nothing is overwritten
        with self.assertRaises(ValueError):
            orm.Completion(images=["data:image/png;base64,!!"]).save(folder)

    def test_a_client_closes_after_async_with_and_travels_as_its_settings(self):
        async def ask():
            async with client(server) as llm:
                self.assertEqual((await llm.acomplete("hi")).content, "one")
            with self.assertRaisesRegex(ConfigError, "closed"):
                await llm.acomplete("hi")

        secret, worker = KEY + "-of-this-machine", KEY + "-of-the-worker"
        with mock.patch.dict(os.environ, OPENROUTER_API_KEY=secret), MockOpenRouter("one", "two") as server:
            asyncio.run(ask())
            settings = {"headers": {"X-A": "b"}, "max_cost": 3, "params": {"top_p": 0.5}, "fallbacks": ["c/d"]}
            llm = Sub(base_url=server.url, log=False, **settings)
            data, kept = pickle.dumps(llm), pickle.dumps(Llm(llm.config, api_key=KEY + "-given"))
            self.assertNotIn(secret.encode(), data)
            os.environ["OPENROUTER_API_KEY"] = worker
            twin = pickle.loads(data)
            self.assertIs(type(twin), Sub)  # it came out as its base
            self.assertEqual((twin.complete("hi").content, server.requests[-1].json["top_p"]), ("two", 0.5))
            self.assertEqual(server.requests[-1].headers["Authorization"], f"Bearer {worker}")
            self.assertEqual(dataclasses.replace(twin.config, api_key=secret), llm.config)
            self.assertEqual(pickle.loads(kept).config.api_key, KEY + "-given")


class ReadmeTests(Case):
    def setUp(self):
        super().setUp()
        self.box = self.folder()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.box)
        files = {"invoice.pdf": b"%PDF-1.4\n", "chart.png": b"\x89PNG\r\n\x1a\n", "prompts.txt": b"one\ntwo\n",
                 "data.jsonl": b'{"text": "Good morning", "language": "French"}\n',
                 "test_openrouter_min.py": b""}  # fmt: skip
        for name, data in files.items():  # the last runs already
            (self.box / name).write_bytes(data)
        code = "```sh\nwc -w\n```"
        script = [lambda request: code if "script" in json.dumps(request.json) else "ok"] * 99
        url, log = entered(self, MockOpenRouter(*script)).url, str(self.box / "log.db")
        environ = {"OPENROUTER_BASE_URL": url, "OPENROUTER_API_KEY": "any", "OPENROUTER_MIN_LOG": log}
        entered(self, mock.patch.dict(os.environ, environ))

    def blocks(self, kind):
        """Yield (the name of a block, its text)."""
        found = re.findall(rf"```{kind}\n(.*?)```", (HERE / "README.md").read_text(encoding="utf-8"), re.S)
        self.assertGreater(len(found), 3)
        for number, block in enumerate(found, 1):
            yield f"{kind} block {number}: {block.splitlines()[0]}", block

    def test_its_python_runs_as_printed(self):
        names = {"__name__": "__main__"}
        for name, block in self.blocks("python"):
            with self.subTest(name), contextlib.redirect_stdout(io.StringIO()):
                waiting = eval(compile(block, f"README, {name}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True), names)
                if inspect.iscoroutine(waiting):
                    asyncio.run(waiting)

    @unittest.skipIf(os.name == "nt", "needs a POSIX shell")
    def test_its_commands_run_as_printed(self):
        python = self.box / "bin" / "python"
        python.parent.mkdir()
        python.write_text(f"#!/bin/sh\nexec '{sys.executable}' -S \"$@\"\n")
        python.chmod(0o755)
        path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        kind = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "timeout": 60}
        kind["env"] = {**os.environ, "PATH": path, "PYTHONPATH": str(HERE)}

        def run(line):
            return subprocess.run(["sh", "-c", line], check=False, **kind)

        lines = [line[2:] for _, block in self.blocks("console") for line in block.splitlines() if line[:2] == "$ "]
        late = [line for line in lines if " -c " in line]  # what it goes on from comes first
        for some in ([line for line in lines if line not in late], late):
            for line, done in zip(some, at_once(*(functools.partial(run, line) for line in some), threads=4)):
                with self.subTest(line):
                    self.assertEqual(done.returncode, 0, done.stdout.decode()[-600:])


# --- Honesty --------------------------------------------------------------------------------


class HonestyTests(Case):
    SOURCE = (HERE / "openrouter_min.py").read_text(encoding="utf-8")
    TREE = ast.parse(SOURCE)
    NODES = list(ast.walk(TREE))
    README = (HERE / "README.md").read_text(encoding="utf-8")
    SECTIONS = """Defaults, Errors, Models and prices, Configuration, Results, Wire format, Service errors, Policy,
        Operation log, Transport, Operation, Tools and schemas, Attachments, Many prompts, Client, Mock server, Report,
        Command line, Price table, Start"""
    BELOW = {"PRICE_ROWS", "TIER_ROWS", "ALIAS_ROWS", "PRICES_AS_OF"}  # generated, and read when they are needed

    def test_all_names_what_is_public_and_every_class_in_it_has_a_docstring(self):
        for name in orm.__all__:
            thing = getattr(orm, name)
            self.assertTrue(not isinstance(thing, type) or thing.__doc__, name)
        defs = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
        tops = [n for n in self.TREE.body if isinstance(n, defs)]
        inner = [m for n in tops if isinstance(n, ast.ClassDef) for m in n.body if isinstance(m, defs)]
        for node in tops + inner:
            if node.name[0] != "_" and node.name not in ("readable", "readinto"):  # whose meaning is io's
                self.assertTrue(ast.get_docstring(node), node.name)
        for name in ("complete", "chat"):  # the async twins take what the others take
            twins = (getattr(Llm, name), getattr(Llm, "a" + name))
            self.assertEqual(*(inspect.signature(t) for t in twins))

    def test_only_the_standard_library_is_imported_and_nothing_heavy_at_first(self):
        names = [a.name for n in self.NODES if isinstance(n, ast.Import) for a in n.names]
        names += [n.module for n in self.NODES if isinstance(n, ast.ImportFrom)]
        imported = {name.split(".")[0] for name in names}
        known = set(getattr(sys, "stdlib_module_names", imported)) | {"polars", "pandas"}
        self.assertEqual(imported - known, set())
        code = """if True:
            import sys, threading
            before = set(sys.modules)
            import openrouter_min
            print(*{m.split('.')[0] for m in set(sys.modules) - before}, threading.active_count())"""
        *loaded, threads = run_python(code).communicate(timeout=20)[0].decode().split()
        heavy = set("asyncio sqlite3 ssl http urllib socket argparse typing email logging".split())
        self.assertEqual((heavy & set(loaded), threads), (set(), "1"))

    def test_only_the_command_line_prints_and_functions_are_short(self):
        calls = [n for n in self.NODES if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"]
        first = self.SOURCE[: self.SOURCE.index("# --- Command line")].count("\n")
        self.assertGreater(min(n.lineno for n in calls), first)
        for node in self.NODES:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.assertLessEqual(node.end_lineno - node.lineno, 60, node.name)

    def test_every_option_and_every_setting_is_in_the_readme_and_the_version_stands_once(self):
        words = [f"`{option}" for option in re.findall(r'add\((?:"-\w", )?"(--[\w-]+)"', self.SOURCE)]
        words += [f"`{field.name}`" for field in dataclasses.fields(LlmConfig)]
        words += [name for name in orm.__all__ if name.endswith("Error")]
        self.assertEqual([word for word in words if word not in self.README], [])
        self.assertIn('version = { attr = "openrouter_min.__version__" }', (HERE / "pyproject.toml").read_text())

    def test_sections_stand_in_order_and_say_what_they_do(self):
        found = re.findall(r"^# --- (.*?) -+\n((?:#.*\n)*)", self.SOURCE, re.M)
        self.assertEqual([name for name, _ in found], re.split(r",\s+", self.SECTIONS))
        for name, opening in found:
            self.assertRegex(opening, r"# \w.*\.", name)

    def test_the_module_reads_from_top_to_bottom(self):
        home, used = {}, {}
        for node in self.TREE.body:
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            names = [node.name] if hasattr(node, "name") else [t.id for t in targets if isinstance(t, ast.Name)]
            for name in names:
                home.setdefault(name, node.lineno)
            inner = list(ast.walk(node))
            hints = [getattr(n, field, None) for n in inner for field in ("annotation", "returns")]
            hinted = {id(n) for hint in hints if hint for n in ast.walk(hint)}
            loads = [n for n in inner if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
            used[names[0] if names else node.lineno] = (node.lineno, {n.id for n in loads if id(n) not in hinted})
        for user, (line, names) in used.items():
            below = {name for name in names - self.BELOW if home.get(name, 0) > line}
            below = {name for name in below if user not in used[name][1]}  # functions that call each other are fine
            self.assertEqual(below, set(), f"line {line}: {user}")


# --- Faults of the wire and of hints, each named after its symptom ---------------------------


class WireFaultTests(Case):
    def events(self, *events, ways=(list,), tail=b"", **settings):
        """Stream these events; return the pieces of text, and the completion or the error."""
        server = self.serve(sse_answer(*events, tail, end="close"), json_answer(answer("second")))
        stream = self.llm(server, **settings).stream("x")
        pieces = []
        try:
            pieces.extend(stream)  # what was yielded before an error stays
        except OpenRouterError as error:
            return pieces, error
        return pieces, stream.completion

    def test_a_cut_call_could_never_be_reconciled_since_its_id_was_dropped(self):
        head = [
            b"HTTP/1.1 200 OK\r\nX-Generation-Id: gen-77\r\n",
            b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n",
        ]
        log = self.folder() / "log.db"
        for case, item in {
            "half a body": Pieces(*head, b'{"id"', end="close"),
            "blanks and a reset": Pieces(*head, b"\n  ", end="reset"),
            "silence": Pieces(*head, end="hang"),
            "an error in a 200": json_answer(error_body("no", 400), headers=["X-Generation-Id: gen-77"]),
        }.items():
            with self.subTest(case), self.assertRaises(OpenRouterError):
                self.llm(self.serve(item), timeout=0.1, log=log).complete("x")
            self.assertEqual(LlmOperationCollector.from_db(log)[0]["generation_id"], "gen-77", case)
        whole = json_answer({**answer(), "id": None}, headers=["X-Generation-Id: gen-77"])
        self.assertEqual(self.llm(self.serve(whole)).complete("x").id, "gen-77")

    def test_a_cut_call_ran_with_the_defaults_of_its_function(self):
        ran = []

        def delete(folder: str = "everything"):
            ran.append(folder)

        call = {"index": 0, "id": "c1", "function": {"name": "delete", "arguments": ""}}
        begun = chunk(delta={"tool_calls": [call]})
        for end in [
            [chunk("", "content_filter")], [chunk("", "length")], [chunk("", "tool_calls"), chunk("", "length")], [],
            [{"choices": [{"delta": {}, "finish_reason": "stop", "native_finish_reason": "MALFORMED_FUNCTION_CALL"}]}],
            [{"choices": [{"delta": {}, "finish_reason": "tool_calls", "native_finish_reason": "model_length"}]}],
        ]:  # fmt: skip
            with self.subTest(end):
                server = self.serve(sse_answer(b"".join(map(event, [begun, *end])) + DONE))
                stream = self.llm(server).stream("x", tools=[delete])
                self.assertEqual((list(stream), ran, stream.completion.tool_calls[0].name), ([], [], "delete"))
        call["function"] = {"name": "delete", "parameters": {"folder": "tmp"}}
        server = self.serve(json_answer(answer(None, "tool_calls", tool_calls=[call])), json_answer(answer()))
        self.llm(server).complete("x", tools=[delete])
        self.assertEqual(ran, ["tmp"])

    def test_text_was_lost_if_the_event_behind_it_was_unreadable(self):
        for pieces in [
            [event(chunk("long answer")) + event(b"garbage")],
            [event(chunk("long answer")), event(b"garbage")],
        ]:
            text, error = self.events(*pieces)
            self.assertEqual((text, error.partial.content), (["long answer"], "long answer"))
            self.assertRegex(str(error), "not JSON: garbage")

    def test_a_paid_empty_answer_was_asked_for_again(self):
        empty = {"choices": [{"message": {"content": None}}], "usage": {"prompt_tokens": 9, "cost": 0.5}}
        for body in (empty, {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "cost": 0.5}}):
            llm = self.llm(self.serve(json_answer(body)), max_retries=2)
            with self.assertRaisesRegex(APIResponseError, r"it was billed \(0.5 USD\)"):
                llm.complete("x")
            self.assertEqual(llm.usage.cost, 0.5)

    def test_a_later_usage_erased_the_earlier_one(self):
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.5}
        for last in [
            {"usage": {}},
            {"usage": {"prompt_tokens": 0, "completion_tokens": 0}},
            {"usage": None},
            {"error": {"code": 502, "message": "x"}, "usage": {}},
        ]:
            assembler = orm.ChunkAssembler()
            for piece in [chunk("Hi", usage=usage), {"choices": [], **last}]:
                assembler.add(piece)
            self.assertEqual(assembler.body()["usage"], usage, last)
        for parts in [
            [chunk("Hi", x_groq={"usage": usage})],
            [{"choices": [{"delta": {"content": "Hi"}, "usage": usage}]}],
            [{"type": "message_start", "message": {"usage": {"prompt_tokens": 10}}},
             {"type": "message_delta", "usage": {"completion_tokens": 5, "cost": 0.5}}],
        ]:  # fmt: skip
            assembler = orm.ChunkAssembler()
            for piece in parts:
                assembler.add(piece)
            self.assertEqual(assembler.body()["usage"], usage, parts)

    def test_a_call_that_was_sent_twice_had_broken_arguments(self):
        for pieces, whole in [
            (['{"x":1}', '{"x":1}'], '{"x":1}'), ([{"x": 1}, {"x": 1}], '{"x": 1}'), (['{"x"', '{"x":1}'], '{"x":1}'),
            (["{}", '{"x":1}'], '{"x":1}'), (["null", '{"x":1}'], '{"x":1}'),
            (['{"a":', '{"a":', "1}}"], '{"a":{"a":1}}'),
        ]:  # fmt: skip
            calls = []
            for number, piece in enumerate(pieces):
                function = {"arguments": piece, **({"name": "f"} if not number else {})}
                orm.merge_tool_calls(calls, [{"index": 0, "id": "a", "function": function}])
            self.assertEqual([c["function"]["arguments"] for c in calls], [whole], pieces)

    def test_two_answers_in_one_chunk_passed_as_one(self):
        both = {"choices": [{"index": i, "delta": {"content": c}} for i, c in enumerate("AB")]}
        _, error = self.events(event(both) + event(chunk("", "stop")) + DONE)
        self.assertRegex(str(error), "mixed several answers")
        counted = [chunk("A"), {"choices": [{"index": 1, "delta": {"content": "B"}}]}, chunk("", "stop")]
        self.assertEqual(self.events(b"".join(map(event, counted)) + DONE)[0], ["A", "B"])

    def test_errors_in_a_wrong_form_lost_their_words(self):
        for status, tail, kind, words in [
            (402, event({"error": {"code": 402, "message": "no credits"}}), InsufficientCreditsError, "no credits"),
            (200, b': x\n\n{"error":{"code":402,"message":"no credits"}}', InsufficientCreditsError, "no credits"),
            (200, b"upstream connect error", APIResponseError, "upstream connect error"),
            (200, b'data: {"detail":"boom"}\n\n', StreamInterruptedError, "boom"),
            (200, event(chunk("Hi")) + b'{"error":{"code":429,"message":"slow"}}', StreamInterruptedError, "slow"),
            (200, b'event: response.created\ndata: {"type":"x"}\n\n', StreamInterruptedError, "ended without"),
        ]:  # fmt: skip
            with self.subTest(tail):
                server = self.serve(http_answer(tail, status, "text/event-stream"))
                with self.assertRaisesRegex(kind, words):
                    list(self.llm(server, max_retries=2).stream("x"))

    def test_a_wait_named_in_the_head_of_a_200_was_ignored(self):
        limited = json_answer(error_body("busy", 429), headers=["Retry-After: 7", "X-RateLimit-Reset: 99999999999999"])
        llm = self.llm(self.serve(limited, json_answer(answer())), max_retries=1)
        waits = instant(llm)
        self.assertEqual((llm.complete("x").content, waits), ("Hello", [7.0]))

    def test_errors_of_other_servers_were_blamed_on_the_wrong_thing(self):
        def decode(body, status, headers=()):
            return orm.decode_error(body, status=status, headers=orm.Headers(headers), models=["test/model"], now=0)

        vllm = {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}
        self.assertIsInstance(decode(vllm, 404), ModelNotFoundError)
        for openai in ({"message": "Invalid URL (POST /v1/x)"}, {"message": "no", "code": "unknown_url"}):
            self.assertIn("correct base_url", str(decode({"error": openai}, 404)))
        raw = {"metadata": {"raw": "You exceeded your requests per day. Please retry in 1s"}}
        error = decode(error_body("Provider returned error", 429, **raw), 429, [("Retry-After", "1")])
        self.assertEqual((error.retryable, "free" in error.hint), (True, False))
        for raw in ('{"error": {"code": "insufficient_quota"}}', '{"error": {"type": "exceeded_current_quota_error"}}'):
            error = decode(error_body("Provider returned error", 429, metadata={"raw": raw}), 429)
            self.assertFalse(error.retryable)
        self.assertEqual(decode(error_body("x", "RESOURCE_EXHAUSTED"), 200).status, 429)

    def test_a_finished_stream_that_stays_open_held_the_call_for_the_whole_timeout(self):
        server = self.serve(Pieces(SSE_HEAD, framed(event(chunk("Hi", "stop"))), end="hang"))
        with mock.patch.object(orm, "FINISH_GRACE", 0.05):
            self.assertEqual(by_stream(self.llm(server, timeout=20)), "Hi")

    def test_a_retry_after_an_error_in_a_stream_had_only_one_second(self):
        broken = sse_answer(event(error_body("x", 502)) + DONE)
        for first in (broken, sse_answer(event(error_body("x", 502)), last=b"", end="hang")):
            server = self.serve(first, Pieces(0.3, *sse_answer(WHOLE_STREAM).pieces))
            with mock.patch.object(orm, "ERROR_GRACE", 0.05):
                llm = self.llm(server, max_retries=1)
                instant(llm)
                self.assertEqual(by_stream(llm), "Hello")

    def test_an_answer_that_says_it_is_not_encoded_was_refused(self):
        for encoding in ("none", "identity ", "NONE"):
            reply = json_answer(answer(), headers=[f"Content-Encoding: {encoding}"])
            self.assertEqual(by_complete(self.llm(self.serve(reply))), "Hello")

    def test_half_characters_of_reasoning_details_left_through_chunks(self):
        parts = [
            {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": t}]} for t in ("a\ud83d", "\ude00")
        ]
        body = b"".join(event(chunk(delta=part)) for part in parts) + event(chunk("", "stop")) + DONE
        chunks = list(self.llm(self.serve(sse_answer(body))).stream("x").chunks())
        self.assertEqual("|".join(c.reasoning for c in chunks if c.reasoning), "a|\U0001f600")

    def test_media_in_other_forms_were_lost(self):
        picture = b"\x89PNG" + b"\xff\xfe" * 9
        urlsafe = base64.urlsafe_b64encode(picture).decode()
        images = ["https://x/y.png", {"url": "https://x/z.png"}, {"b64_json": urlsafe}]
        content = [
            {"type": "text", "text": "Hi"},
            {"type": "image_url", "image_url": {"url": f"DATA:image/png;BASE64,{urlsafe}"}},
        ]
        done = self.llm(self.serve(json_answer(answer(content, images=images)))).complete("x")
        self.assertEqual((done.content, len(done.images)), ("Hi", 4))
        saved = done.save(self.folder())
        self.assertEqual([Path(p).read_bytes() for p in saved[2:]], [picture, picture])
        self.assertEqual(orm.data_of_url("data:image/png;base64," + b64(picture).replace("+", "%2B")), picture)
        self.assertEqual(json.loads(orm.text_of({"title": "T"})), {"title": "T"})

    def test_an_empty_id_in_a_later_chunk_replaced_the_id(self):
        late = {**chunk("", "stop"), "id": "", "model": ""}
        _, done = self.events(event(chunk("Hi")) + event(late) + DONE)
        self.assertEqual((done.id, done.model), ("gen-1", "a/b"))

    def test_texts_as_indexes_gave_each_text_the_vector_of_another(self):
        data = [{"index": "1", "embedding": [1.0]}, {"index": "0", "embedding": [0.0]}]
        self.assertEqual(
            list(self.llm(self.serve(json_answer({"data": data}))).embed(["a", "b"], model="e/m")), [[0.0], [1.0]]
        )


class ContractTests(Case):
    def test_the_help_of_a_call_has_a_line_for_each_name(self):
        names = [name for name, where in orm.WHERE.items() if where in ("both", "setting", "call")]
        for name in [*names, "tools"]:
            self.assertRegex(Llm.complete.__doc__, rf"(?m)^ *{name} +\S")

    def test_settings_after_the_fifth_have_no_place(self):
        self.assertEqual(LlmConfig("openrouter", KEY, "a/b", 0.5, 9).max_tokens, 9)
        with self.assertRaisesRegex(ConfigError, "takes 5 settings by position, not 6"):
            LlmConfig("openrouter", KEY, "a/b", 0.5, 9, ["c/d"])

    @unittest.skipUnless(hasattr(time, "tzset"), "needs a time zone that can be set")
    def test_days_of_the_report_were_those_of_utc(self):
        log, page = self.folder() / "log.db", self.folder() / "page.html"
        row = {"operation_id": "op-1", "timestamp": "2026-11-26T20:30:00.000+00:00", "status": "ok", "success": 1}
        orm.log_for(str(log)).write({**row, "cost": 0.5, "model": "a/b"})
        self.addCleanup(time.tzset)
        with mock.patch.dict(os.environ, TZ="Asia/Tokyo"):
            time.tzset()
            LlmOperationCollector.report(page, path=log)
        text = page.read_text("utf-8")
        self.assertIn("2026-11-27 to 2026-11-27, made", text)
        self.assertIn("<td>2026-11-27 05:30</td>", text)
        self.assertNotIn("2026-11-26", text)


class HintFaultTests(Case):
    def test_the_json_of_an_answer_was_taken_from_its_citations_or_lost(self):
        for text, value in [
            ("[1,2] as in [3]", [1, 2]), ("[5,6]\n\nSources: [1]", [5, 6]), ("first [1], at last [5,6]", [5, 6]),
            ('{"t": "a </think> b"}', {"t": "a </think> b"}), ('{"t": "c"}<think>so</think>', {"t": "c"}),
            ('<think>{"t": 1}</think>{"t": 2}', {"t": 2}), ('{"t": "two\nlines"}', {"t": "two\nlines"}),
        ]:  # fmt: skip
            schema = {"type": "array" if isinstance(value, list) else "object"}
            self.assertEqual(orm.Structure.of(schema).value(text), value, text)
        self.assertEqual(orm.ToolCall("c", "f", '{"t": "two\nlines"}').args, {"t": "two\nlines"})

    def test_what_a_function_returns_was_hollowed_out(self):
        class Model:
            value = 5

            def model_dump(self, mode):
                return {"value": 5, "unit": "kg"}

        class Level(enum.IntEnum):
            LOW = 1

        class Odd:
            value = 5

            def __str__(self):
                return "odd"

        day = datetime.date(2026, 1, 1)
        for value, text in [
            (Model(), '{"value": 5, "unit": "kg"}'), ([Model()], '[{"value": 5, "unit": "kg"}]'), (Odd(), '"odd"'),
            (collections.deque([1]), "[1]"), (range(2), "[0, 1]"), ({1: 2}.keys(), "[1]"),
            ((c for c in "ab"), '["a", "b"]'),
            ({day: 1, Level.LOW: 2}, '{"2026-01-01": 1, "1": 2}'), ({True: 3}, '{"true": 3}'), (Level.LOW, "1"),
            (b"a", "\"b'a'\""),
        ]:  # fmt: skip
            self.assertEqual(orm.tool_text(value), text)

    def test_times_that_only_newer_pythons_read_were_refused(self):
        utc = datetime.timezone.utc
        for hint, text, value in [
            (datetime.time, "10:00:00Z", datetime.time(10, tzinfo=utc)),
            (datetime.time, "10:00:00.5", datetime.time(10, 0, 0, 500000)),
            (datetime.datetime, "2026-01-02T10:00:05.1+0000", datetime.datetime(2026, 1, 2, 10, 0, 5, 100000, utc)),
            (datetime.datetime, "2026-01-02", datetime.datetime(2026, 1, 2)),
        ]:  # fmt: skip
            self.assertEqual(orm.shape_of_hint(hint).build(text), value)

    def test_a_hint_of_the_result_that_can_t_be_read_refused_the_tool(self):
        def load(path: str) -> "NotImported":  # noqa: F821
            """Load."""

        @functools.wraps(load)
        def wrapped(*args, **kwargs):
            return load(*args, **kwargs)

        made = orm.Tool.of(Place).definition["function"]["parameters"]  # a class is called with its fields
        self.assertEqual(made["properties"]["city"], {"type": "string"})
        for function in (load, wrapped):
            parameters = orm.Tool.of(function).definition["function"]["parameters"]
            self.assertEqual(parameters["properties"], {"path": {"type": "string"}})

    def test_docstrings_with_types_and_stars_were_misread(self):
        def do(*args, c: dict, d: int = 0):
            """Do.

            Parameters
            ----------
            c : dict
                The c.
            *args
                No type.
            d : int
                The d.
            """

        fields = orm.Tool.of(do).definition["function"]["parameters"]["properties"]
        self.assertEqual((fields["c"]["description"], fields["d"]["description"]), ("The c.", "The d."))
        self.assertEqual(orm.parse_docstring(":param dict[str, int] c: the c", ["c"]), ("", {"c": "the c"}))

    def test_tuples_nullables_and_siblings_of_a_reference_were_misjudged(self):
        pair = {"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False}
        beside = {"$ref": "#/$defs/a", "required": ["b"], "$defs": {"a": {"type": "object"}}}
        for value, schema, problem in [
            ([1, "a"], pair, ""), ([1, 2], pair, "[1] is 2, not of type string"),
            ([1, "a", 2], pair, "[2] is not allowed"),
            (None, {"type": "string", "nullable": True}, ""), ({}, beside, "the answer lacks 'b'"),
            (1, beside, "the answer is 1, not of type object"),
        ]:  # fmt: skip
            self.assertEqual(orm.schema_problem(value, schema), problem, schema)

    def test_keys_of_a_dict_stayed_texts(self):
        class Level(enum.IntEnum):
            LOW = 1

        for key, text, value in [(bool, "false", False), (Level, "1", Level.LOW), (int, "7", 7), (str, "1", "1")]:
            self.assertEqual(orm.shape_of_hint(Dict[key, int]).build({text: 2}), {value: 2})
        for key, text in [(Level, "9"), (Unit, "green"), (bool, "1")]:
            with self.assertRaises(ValueError):
                orm.shape_of_hint(Dict[key, int]).build({text: 2})

    def test_the_problem_with_a_union_named_the_wrong_alternative(self):
        kinds = [{"properties": {"kind": {"const": c}, c: {}}, "required": [c], "type": "object"} for c in "ab"]
        self.assertEqual(orm.schema_problem({"kind": "b"}, {"anyOf": kinds}), "the answer lacks 'b'")

    def test_one_object_in_place_of_a_list_was_lost(self):
        call = {"id": "c1", "function": {"name": "f", "arguments": "{}"}}
        done = self.llm(self.serve(json_answer(answer(None, "tool_calls", tool_calls=call)))).complete("x")
        self.assertEqual([c.name for c in done.tool_calls], ["f"])

    def test_a_schema_can_be_a_new_type_and_a_filtered_answer_is_not_sent_back(self):
        self.assertEqual(orm.Structure.of(typing.NewType("Count", int)).value("7"), 7)
        llm = self.llm(self.serve(json_answer(answer("no", "content_filter"))))
        with self.assertRaisesRegex(APIResponseError, "does not fit the schema"):
            llm.complete("x", schema=List[int], schema_retries=3)

    def test_advice_on_the_command_line_could_not_be_pasted(self):
        body = error_body("maximum context length is 9 tokens")
        server = self.serve(json_answer(body, 400))
        with mock.patch.dict(os.environ, {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": server.url}):
            with contextlib.redirect_stderr(io.StringIO()) as err, mock.patch("sys.stdin", io.StringIO("")):
                self.assertEqual(orm.main(["-m", "a/b", "hi"]), 1)
        self.assertIn("""-o 'plugins=[{"id": "context-compression"}]'""", err.getvalue())


if __name__ == "__main__":
    unittest.main()
