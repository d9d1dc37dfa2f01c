#!/usr/bin/env python3
"""Measure openrouter_min beside plain code of the standard library, and print a table of figures and targets.

    .ci/bench.py [--quick] [--peers]

The floor is ``http.client`` kept alive and ``json``; for a process a ten-line ``urllib`` script, for the
import json, urllib.request, ssl and sqlite3. All talk to a server on this machine. Every figure comes
from a fresh process that holds nothing but the source of the functions it runs, so that neither this
file nor the server is in it. Contestants of a race take turns.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import heapq
import importlib.util
import inspect
import json
import os
import platform
import queue
import re
import socket
import ssl
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Iterator, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openrouter_min import connect_log
from test_openrouter_min import DONE, HERE, SSE_HEAD, answer, event, framed, json_answer, setUpModule

# Key and certificate of 127.0.0.1 until 2126, made with openssl: test data, no secret.
PEM = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTgho6UCkuS7whObR
1hH+MlFcDC6NqakbeX2XXv6w2iqhRANCAASOZwmslPfE+HE0tUOa3scC7WrUee0h
soBkCtAu+1kJzJQtsSVPj0MwzCzgMVU1upZeej0GU98OroTRLLly55tj
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBqzCCAVGgAwIBAgIUTjM1YlBFe9QFq6QzeHWav1D2wyYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTA2MzQwM1oYDzIxMjYxMTAx
MDYzNDAzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASOZwmslPfE+HE0tUOa3scC7WrUee0hsoBkCtAu+1kJzJQtsSVPj0Mw
zCzgMVU1upZeej0GU98OroTRLLly55tjo38wfTAdBgNVHQ4EFgQUG56F/etij7fi
X7dYZ7T/zSoTeaEwHwYDVR0jBBgwFoAUG56F/etij7fiX7dYZ7T/zSoTeaEwGgYD
VR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0P
AQH/BAQDAgKEMAoGCCqGSM49BAMCA0gAMEUCIBbdUlwwuNzNLHqbrz2LP1W6oQ/b
D4NPBkjnvbjfu1MAAiEA3Fj8AjexH9WvYOBEVV/h9gV9K3kR6V3PSnI/glar4RY=
-----END CERTIFICATE-----
"""


# The server: a thread per connection, and one more that sends what is paced.


def bench_chunk(text: str, finish: str | None = None, **more: Any) -> bytes:
    """Return an event as OpenRouter sends it, in an HTTP chunk of its own."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}
    choice.update(native_finish_reason=finish, logprobs=None)
    envelope = {"id": "gen-1762064096-m5VxL2xrxOREwashCey6", "provider": "xAI", "model": "x-ai/grok-4"}
    kind = {"object": "chat.completion.chunk", "created": 1762064097}
    return framed(event({**envelope, **kind, "choices": [choice], **more}))


BENCH_CHUNK = bench_chunk(" word")
BENCH_USAGE = answer()["usage"]
BENCH_END = bench_chunk("", "stop", usage=BENCH_USAGE) + framed(DONE) + b"0\r\n\r\n"
BENCH_ANSWER = {**answer("Hello, this is a short answer. " * 16), "object": "chat.completion", "created": 1762064097}
BENCH_PLAIN = b"".join(json_answer({**BENCH_ANSWER, "system_fingerprint": None}).pieces)


@functools.lru_cache(maxsize=None)
def bench_stream(chunks: int) -> bytes:
    return SSE_HEAD + BENCH_CHUNK * chunks + BENCH_END


def bench_requests(sock: socket.socket) -> Iterator[dict]:
    """Yield the JSON body of each request on a connection."""
    data = b""
    while True:
        head, blank, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head) if blank else None
        if length and len(body) >= int(length.group(1)):
            yield json.loads(body[: int(length.group(1))])
            data = body[int(length.group(1)) :]
            continue
        piece = sock.recv(65536)
        if not piece:
            return
        data += piece


def bench_connection(sock: socket.socket, context: Any, paced: queue.Queue) -> None:
    """Answer as the model says: "bench/<chunks>" at once, "bench/<chunks>/<ms>" one each so many ms."""
    with contextlib.suppress(OSError), contextlib.closing(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock = context.wrap_socket(sock, server_side=True) if context else sock
        for body in bench_requests(sock):
            numbers = [int(n) for n in re.findall(r"/(\d+)", body.get("model", ""))]
            if not body.get("stream"):
                sock.sendall(BENCH_PLAIN)
            elif len(numbers) < 2:
                sock.sendall(bench_stream(numbers[0] if numbers else 3))
            else:
                sock.sendall(SSE_HEAD)
                paced.put([time.perf_counter(), id(sock), sock, numbers[0], numbers[1] / 1000])


def bench_pacer(paced: queue.Queue) -> None:
    due: list[list] = []
    while True:
        while not due or not paced.empty():
            heapq.heappush(due, paced.get())
        stream = due[0]
        if stream[0] > time.perf_counter():
            time.sleep(0.0005)
            continue
        at, _, sock, left, gap = stream
        with contextlib.suppress(OSError):
            sock.sendall(BENCH_CHUNK if left else BENCH_END)
        if left:
            stream[0], stream[3] = at + gap, left - 1
            heapq.heapreplace(due, stream)
        else:
            heapq.heappop(due)


def bench_listen(context: Any, paced: queue.Queue) -> int:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)

    def accept() -> None:
        while True:
            args = (listener.accept()[0], context, paced)
            threading.Thread(target=bench_connection, args=args, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def bench_serve(pem: str) -> None:
    """Serve HTTP and HTTPS until stdin ends; their ports are the first line on stdout."""
    open_more_files()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    paced: queue.Queue = queue.Queue()
    print(bench_listen(None, paced), bench_listen(context, paced), flush=True)
    threading.Thread(target=bench_pacer, args=(paced,), daemon=True).start()
    sys.stdin.read()


# The contestants: each returns (ask, stream). Sources travel, so they import what they use; time is there.


def floor_client(url: str) -> tuple[Callable, Callable]:
    import http.client
    import json

    scheme, _, netloc, path = url.split("/", 3)
    connection = (http.client.HTTPSConnection if scheme == "https:" else http.client.HTTPConnection)(netloc)
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}

    def post(**fields: Any) -> Any:
        body = json.dumps({"messages": [{"role": "user", "content": "hi"}], **fields})
        connection.request("POST", f"/{path}/chat/completions", body, headers)
        return connection.getresponse()

    def ask() -> str:
        return json.loads(post(model="bench").read())["choices"][0]["message"]["content"]

    def stream(model: str) -> Iterator[str]:
        for line in post(model=model, stream=True):
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])["choices"][0]["delta"]["content"]

    return ask, stream


def ours_client(url: str, log: Any = False) -> tuple[Callable, Callable]:
    from openrouter_min import Llm

    llm = Llm(base_url=url, api_key="k", log=log, model="bench")
    return (lambda: llm.complete("hi").content), (lambda model: llm.stream("hi", model=model))


def httpx_client(url: str) -> tuple[Callable, Callable]:
    import json

    import httpx

    client = httpx.Client(base_url=url, headers={"Authorization": "Bearer k"})
    body = {"model": "bench", "messages": [{"role": "user", "content": "hi"}]}

    def ask() -> str:
        return client.post("/chat/completions", json=body).json()["choices"][0]["message"]["content"]

    def stream(model: str) -> Iterator[str]:
        with client.stream("POST", "/chat/completions", json={**body, "model": model, "stream": True}) as response:
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    yield json.loads(line[6:])["choices"][0]["delta"]["content"]

    return ask, stream


def sdk_client(url: str, name: str) -> tuple[Callable, Callable]:
    """The official SDKs of OpenAI and OpenRouter differ in two names only."""
    if name == "openai":
        import openai

        send = openai.OpenAI(base_url=url, api_key="k").chat.completions.create
    else:
        import openrouter

        send = openrouter.OpenRouter(server_url=url, api_key="k").chat.send
    messages = [{"role": "user", "content": "hi"}]

    def stream(model: str) -> Iterator[str]:
        return (c.choices[0].delta.content for c in send(model=model, messages=messages, stream=True))

    return (lambda: send(model="bench", messages=messages).choices[0].message.content), stream


def openai_async_client(url: str) -> tuple[Callable, Callable]:
    import openai

    settings, messages = {"base_url": url, "api_key": "k"}, [{"role": "user", "content": "hi"}]
    client = openai.AsyncOpenAI(**settings)

    def ask() -> str:
        plain = openai.OpenAI(**settings)  # the other one would keep its connection in a loop that has ended
        return plain.chat.completions.create(model="bench", messages=messages).choices[0].message.content

    async def stream(model: str) -> AsyncIterator[str]:
        async for c in await client.chat.completions.create(model=model, messages=messages, stream=True):
            yield c.choices[0].delta.content

    return ask, stream


# The programs: each returns what it measured. CPU is that of all threads of the process; "first" is when
# half of the streams had their first text.


def peak_mb() -> float | None:
    """Peak memory of this process; getrusage would count what the parent had before exec."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return None


def open_more_files() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if 0 < hard < 8192 else max(soft, 8192), hard))


def import_modules(*names: str) -> dict:
    import os  # noqa: F401  # every plain start loads it

    start = time.process_time()
    for name in names:
        __import__(name)
    return {"ms": (time.process_time() - start) * 1000, "MB": peak_mb()}


def ask_by_urllib(url: str) -> str:
    import json
    import urllib.request

    body = {"model": "bench", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)["choices"][0]["message"]["content"]


def time_calls(client: Callable, count: int, *args: Any) -> dict:
    ask, _ = client(*args)
    for _ in range(20):
        ask()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(count):
        ask()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu": cpu / count * 1000, "wall": wall / count * 1000}


def time_stream(client: Callable, chunks: int, is_async: bool, *args: Any) -> dict:
    import asyncio

    ask, stream = client(*args)
    ask()

    async def count() -> int:
        return sum([1 async for text in stream(f"bench/{chunks}") if text])

    cpu = time.process_time()
    got = asyncio.run(count()) if is_async else sum(1 for text in stream(f"bench/{chunks}") if text)
    cpu = time.process_time() - cpu
    assert got == chunks, got
    return {"us": cpu / chunks * 1e6, "s": cpu}


def paced_in_threads(client: Callable, streams: int, chunks: int, gap: int, is_shared: bool, url: str) -> dict:
    import threading

    made = [client(url)] * streams if is_shared else [client(url) for _ in range(streams)]
    made[0][0]()  # what a first call loads is measured elsewhere
    got, first = [], []

    def read(stream: Callable) -> None:
        count = 0
        for text in stream(f"bench/{chunks}/{gap}"):
            if text:
                if not count:
                    first.append(time.perf_counter() - start)
                count += 1
        got.append(count)

    threads = [threading.Thread(target=read, args=(stream,)) for _, stream in made]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - start
    median = sorted(first)[streams // 2] * 1000 if len(first) > streams // 2 else None
    return {"ms": wall * 1000, "first": median, "MB": peak_mb(), "lost": streams - got.count(chunks)}


def paced_async(client: Callable, streams: int, chunks: int, gap: int, url: str) -> dict:
    import asyncio
    import threading

    open_more_files()
    ask, stream = client(url)
    ask()
    first = []

    async def count() -> int:
        got = 0
        async for text in stream(f"bench/{chunks}/{gap}"):
            if text:
                if not got:
                    first.append(time.perf_counter() - start)
                got += 1
        return got

    async def count_all() -> list:
        return await asyncio.gather(*[count() for _ in range(streams)], return_exceptions=True)

    start = time.perf_counter()
    lost = streams - asyncio.run(count_all()).count(chunks)
    wall = time.perf_counter() - start
    median = sorted(first)[streams // 2] * 1000 if len(first) > streams // 2 else None
    time.sleep(0.1)
    left = threading.active_count() - 1
    return {"ms": wall * 1000, "first": median, "MB": peak_mb(), "lost": lost, "threads": left}


def insert_rows(path: str, count: int) -> dict:
    from openrouter_min import _Log, new_operation_id, utc_timestamp

    log, texts = _Log(path), {"user_prompt": "What is it? " * 6, "messages": "[...] " * 20}
    for i in range(-20, count):
        if i == 0:
            wall = time.perf_counter()
        key, at = new_operation_id(), utc_timestamp()
        row = {"operation_id": key, "timestamp": at, "model": "a/b", "status": "running", **texts}
        log.write(row)
        log.write(row, {"status": "ok", "success": 1, "cost": 0.5, "latency_ms": 900, "response": "It is. " * 30})
    return {"ms": (time.perf_counter() - wall) / count * 1000}


def read_log(path: str) -> dict:
    from openrouter_min import LlmOperationCollector, _Log

    LlmOperationCollector.get("", path=path)
    start = time.perf_counter()
    assert len(LlmOperationCollector.from_db(path, limit=20)) == 20
    latest = time.perf_counter()
    assert LlmOperationCollector.totals(by="model", path=path)
    summed = time.perf_counter()
    log = _Log(path)
    log.spent_today()  # the first look sums up the rows of the day, the later ones see what is new
    looked = time.perf_counter()
    log.spent_today()
    spent = (time.perf_counter() - looked) * 1000
    return {"from_db": (latest - start) * 1000, "totals": summed - latest, "spent": spent}


def look_up_prices() -> dict:
    from openrouter_min import METADATA

    start = time.perf_counter()
    METADATA["openrouter-openai/gpt-4"]
    first = time.perf_counter()
    for _ in range(10000):
        METADATA["openrouter-openai/gpt-4"]
    return {"first": (first - start) * 1000, "later": (time.perf_counter() - first) * 100}


# The races, the targets, the table.


class Bench:
    """The machinery of one run: server, folder, environment of the measured processes."""

    def __init__(self, folder: str, is_quick: bool) -> None:
        self.folder = Path(folder)
        self.is_quick = is_quick
        self.rows = 100_000 if is_quick else 1_000_000
        pem = self.folder / "test.pem"
        pem.write_text(PEM, encoding="ascii")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        paths = os.pathsep.join([str(HERE), sysconfig.get_path("purelib")])
        self.env.update(self._trusted(), PYTHONPATH=paths, OPENROUTER_API_KEY="k")
        command = [sys.executable, __file__, "--serve", str(pem)]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ports = self.server.stdout.readline().split()
        self.http, self.https = (f"{s}://127.0.0.1:{int(p)}/api/v1" for s, p in zip(("http", "https"), ports))

    def _trusted(self) -> dict[str, str]:
        """Return where OpenSSL finds our certificate: in a folder, and in a file with all of the machine's.

        To read that file is a part of the cost of TLS.
        """
        certificate = PEM[PEM.index("-----BEGIN C") :]
        machine = ssl.get_default_verify_paths().cafile
        known = Path(machine).read_text(encoding="utf-8", errors="replace") if machine else ""
        (self.folder / "bundle.pem").write_text(known + certificate, encoding="utf-8")
        (self.folder / "certs").mkdir()
        (self.folder / "certs" / "ce275665.0").write_text(certificate, encoding="ascii")
        return {"SSL_CERT_FILE": self.path("bundle.pem"), "SSL_CERT_DIR": self.path("certs")}

    def close(self) -> None:
        self.server.stdin.close()
        self.server.wait()

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def measure(self, program: Callable, *args: Any, client: Callable | None = None) -> Callable[[], dict]:
        """Return a function that runs a program in a fresh process and returns its figures."""
        used = [f for f in (peak_mb, open_more_files, client, program) if f]
        given = ([client.__name__] if client else []) + [repr(a) for a in args]
        code = ["from __future__ import annotations\nimport time", *map(inspect.getsource, used)]
        code.append(f"print({program.__name__}({', '.join(given)}))")
        return lambda: ast.literal_eval(self._run(["-c", "\n".join(code)]))

    def process(self, *command: str, **env: str) -> Callable[[], dict]:
        """Return a function that runs a whole process and returns how long it took."""

        def run() -> dict:
            start = time.perf_counter()
            self._run(command, **env)
            return {"ms": (time.perf_counter() - start) * 1000}

        return run

    def _run(self, command: Sequence[str], **env: str) -> str:
        """Run Python without ``site``: what a machine loads at each start would hide what is measured."""
        full, env = [sys.executable, "-S", *command], {**self.env, **env}
        return subprocess.check_output(full, env=env, stdin=subprocess.DEVNULL, cwd=self.folder).decode()

    def fill_log(self, rows: int) -> str:
        """Make a log of so many rows in one statement and return its path."""
        path = self.path(f"{rows}.db")
        sql = """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
            INSERT INTO operations (operation_id, timestamp, provider, model, status, success, input_tokens,
                output_tokens, total_tokens, cost, latency_ms, user_prompt, messages, response)
            SELECT printf('op-%015x-%010x', i, i), strftime('%Y-%m-%dT%H:%M:%f+00:00', 1.7e9 + i, 'unixepoch'),
                'openrouter', 'maker/model-' || (i % 12), 'ok', i % 50 > 0, 100 + i % 900, i % 500,
                100 + i % 900 + i % 500, i % 1000 * 1e-6, abs(random()) % 5000, ?, ?, ? FROM n"""
        with contextlib.closing(connect_log(path)) as connection:
            connection.execute(sql, [rows, "What is it? " * 6, "[...] " * 20, "It is. " * 30])
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return path

    def whole(self, url: str, log: str) -> dict[str, Callable[[], dict]]:
        script = f"{inspect.getsource(ask_by_urllib)}print(ask_by_urllib({url!r}))"
        ours = ("-m", "openrouter_min", "hi")
        return {
            "floor": self.process("-c", script),
            "ours": self.process(*ours, "--no-log", OPENROUTER_BASE_URL=url),
            "log": self.process(*ours, "--db", log, OPENROUTER_BASE_URL=url),
        }

    def races(self) -> dict[str, dict[str, Callable[[], dict]]]:
        """Return, per race, who takes part."""
        measure, http, https, ours, floor = self.measure, self.http, self.https, ours_client, floor_client
        calls, chunks = (300, 10_000) if self.is_quick else (1000, 30_000)
        calls_log, small, big = map(self.fill_log, (1, 1000, self.rows))
        return {
            "import": {
                "bare": measure(import_modules),
                "floor": measure(import_modules, "json", "urllib.request", "ssl", "sqlite3"),
                "ours": measure(import_modules, "openrouter_min"),
            },
            "http": self.whole(http, calls_log),
            "https": self.whole(https, calls_log),
            "call": {
                "floor": measure(time_calls, calls, http, client=floor),
                "ours": measure(time_calls, calls, http, client=ours),
                "log": measure(time_calls, calls, http, calls_log, client=ours),
            },
            "call TLS": {
                "floor": measure(time_calls, calls, https, client=floor),
                "ours": measure(time_calls, calls, https, client=ours),
            },
            "stream": {
                "floor": measure(time_stream, chunks, False, http, client=floor),
                "ours": measure(time_stream, chunks, False, http, client=ours),
                "async": measure(time_stream, chunks, True, http, client=ours),
                "ten": measure(time_stream, 10_000, False, http, client=ours),
                "hundred": measure(time_stream, 100_000, False, http, client=ours),
            },
            "200": {
                "floor": measure(paced_in_threads, 200, 50, 5, False, http, client=floor),
                "ours": measure(paced_in_threads, 200, 50, 5, True, http, client=ours),
                "async": measure(paced_async, 200, 50, 5, http, client=ours),
            },
            # slow streams: all are open at once, and the texts after the first are little work
            "start": {
                "floor": measure(paced_in_threads, 200, 20, 50, False, http, client=floor),
                "ours": measure(paced_in_threads, 200, 20, 50, True, http, client=ours),
                "async": measure(paced_async, 200, 20, 50, http, client=ours),
            },
            "1000": {"async": measure(paced_async, 1000, 20, 50, http, client=ours)},
            "log": {
                "small": measure(insert_rows, small, calls),
                "big": measure(insert_rows, big, calls),
                "read": measure(read_log, big),
            },
            "prices": {"ours": measure(look_up_prices)},
        }

    def add_peers(self, races: dict, targets: list) -> None:
        """Let the clients that are installed run where they can, without a target."""
        for name in filter(importlib.util.find_spec, ("httpx", "openai", "openrouter")):
            client, args = (httpx_client, ()) if name == "httpx" else (sdk_client, (name,))
            races["import"][name] = self.measure(import_modules, name)
            races["call"][name] = self.measure(time_calls, 100, self.http, *args, client=client)
            races["call TLS"][name] = self.measure(time_calls, 100, self.https, *args, client=client)
            races["stream"][name] = self.measure(time_stream, 2000, False, self.http, *args, client=client)
            for race in ("import", "call", "call TLS", "stream"):
                what, _, _, *compared, _ = next(t for t in TARGETS if t[1:3] == (race, "ours"))
                targets.append((f"{name}: {what}", race, name, *compared, None))
        if importlib.util.find_spec("openai"):
            races["start"]["openai"] = self.measure(paced_async, 200, 20, 50, self.http, client=openai_async_client)
            what, _, _, *compared, _ = next(t for t in TARGETS if t[1:3] == ("start", "async"))
            targets.append((f"openai: {what}", "start", "openai", *compared, None))


# (what, race, measured, its floor, figure, unit, how compared, target): "x" the ratio to the floor,
# "+" the difference, "=" the figure itself
TARGETS = [
    ("import, CPU", "import", "ours", "floor", "ms", "ms", "x", 0.8),
    ("import, memory over bare Python", "import", "ours", "bare", "MB", "MB", "+", 5),
    ("whole process, http, no log", "http", "ours", "floor", "ms", "ms", "x", 1.25),
    ("whole process, https, no log", "https", "ours", "floor", "ms", "ms", "x", 1.15),
    ("whole process, http, log", "http", "log", "floor", "ms", "ms", "x", 1.45),
    ("whole process, https, log", "https", "log", "floor", "ms", "ms", "x", 1.3),
    ("CPU per call, kept connection", "call", "ours", "floor", "cpu", "ms", "x", 2),
    ("CPU per call that the log adds", "call", "log", "ours", "cpu", "ms", "+", 0.2),
    ("wall per call, TLS kept", "call TLS", "ours", "floor", "wall", "ms", "x", 2),
    ("CPU per streamed chunk", "stream", "ours", "floor", "us", "us", "x", 1.3),
    ("CPU per streamed chunk, async", "stream", "async", "floor", "us", "us", "x", 1.6),
    ("200 streams x 50 chunks, threads", "200", "ours", "floor", "ms", "ms", "x", 1.3),
    ("200 streams x 50 chunks, threads, peak", "200", "ours", "floor", "MB", "MB", "=", 36),
    ("200 streams x 50 chunks, async", "200", "async", "floor", "ms", "ms", "x", 1.6),
    ("200 streams x 50 chunks, async, peak", "200", "async", "floor", "MB", "MB", "=", 36),
    ("200 async streams start at once, first text (median)", "start", "async", "floor", "first", "ms", "=", 216),
    ("200 threads start to stream at once, first text (median)", "start", "ours", "floor", "first", "ms", "=", None),
    ("1,000 async streams that did not complete", "1000", "async", "", "lost", "", "=", 0),
    ("1,000 async streams, peak", "1000", "async", "", "MB", "MB", "=", 90),
    ("1,000 async streams, threads left", "1000", "async", "", "threads", "", "=", 0),
    ("log: a row at {rows:,} rows (floor: at 1,000)", "log", "big", "small", "ms", "ms", "x", 1.3),
    ("log: from_db(limit=20) of {rows:,}", "log", "read", "", "from_db", "ms", "=", 10),
    ("log: totals(by='model') of {rows:,}", "log", "read", "", "totals", "s", "=", 1),
    ("log: the sum of the day, again, of {rows:,}", "log", "read", "", "spent", "ms", "=", 2),
    ("METADATA, first", "prices", "ours", "", "first", "ms", "=", 1),
    ("METADATA, later", "prices", "ours", "", "later", "us", "=", 2),
    ("stream of 100,000 chunks (floor: 10,000)", "stream", "hundred", "ten", "s", "s", "x", 11),
]


def table_line(target: tuple, figures: dict, rows: int) -> list[str]:
    """Compare the medians of one target: what, floor, ours, spread, compared, target, met."""
    what, race, ours_name, floor_name, figure, unit, kind, limit = target
    ours = [sample[figure] for sample in figures[race, ours_name]]
    floors = [sample[figure] for sample in figures.get((race, floor_name), [])]
    cells = [what.format(rows=rows)]
    if None in ours:
        return [*cells, "", "not known here", "", "", "", ""]
    value = statistics.median(ours)
    floor = statistics.median(floors) if floors else 0.0
    compared = {"x": value / (floor or 1), "+": value - floor, "=": value}[kind]
    cells += [f"{floor:,.3g} {unit}" if floors else "", f"{value:,.3g} {unit}", f"{min(ours):,.3g} - {max(ours):,.3g}"]
    cells.append({"x": f"{compared:.2f} x", "+": f"+{compared:.2g} {unit}", "=": ""}[kind])
    if limit is None:
        return [*cells, "", ""]
    return [*cells, f"{limit:g} {'x' if kind == 'x' else unit}", "yes" if compared <= limit else "NO"]


def print_table(rows: list[list[str]]) -> None:
    """Print a table that is Markdown as well."""
    head = ["what", "floor", "ours", "spread", "compared", "target", "met"]
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    for row in [head, ["-" * w for w in widths], *rows]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")


def race_all(races: dict, rounds: int) -> dict[tuple[str, str], list[dict]]:
    """Return the samples by race and contestant; the contestants of a race take turns."""
    figures: dict[tuple[str, str], list[dict]] = {}
    for race, contestants in races.items():
        print(f"race: {race}", file=sys.stderr)
        is_short = race in ("import", "http", "https", "prices")
        for turn in range(1 + rounds * (3 if is_short else 1)):
            for name, run in contestants.items():
                sample = run()
                if turn:  # the first one fills caches
                    figures.setdefault((race, name), []).append(sample)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, calls and rows")
    parser.add_argument("--peers", action="store_true", help="openai, openrouter, httpx too, where installed")
    parser.add_argument("--only", metavar="RACES", help="a comma list such as call,stream,start")
    parser.add_argument("--serve", metavar="PEM", help=argparse.SUPPRESS)  # the server is a process of its own
    options = parser.parse_args()
    if options.serve:
        bench_serve(options.serve)
        return 0
    setUpModule()
    started, targets = time.monotonic(), list(TARGETS)
    rounds = 2 if options.quick else 5
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Bench(folder, options.quick)) as bench:
        races = bench.races()
        if options.peers:
            bench.add_peers(races, targets)
        if options.only:
            races = {name: races[name] for name in options.only.split(",")}
            targets = [target for target in targets if target[1] in races]
        figures = race_all(races, rounds)
    seconds, machine = time.monotonic() - started, f"{platform.platform()}, {os.cpu_count()} CPUs"
    python, today = f"Python {platform.python_version()}", time.strftime("%Y-%m-%d")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{machine}, {python}, {today}: medians of {rounds} rounds, {seconds:.0f} s in all{load}")
    print_table([table_line(target, figures, bench.rows) for target in targets])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
