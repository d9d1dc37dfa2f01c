#!/usr/bin/env python3
"""Replay recorded exchanges, byte for byte, through every way of calling openrouter_min.

    .ci/replay.py RECORDED.jsonl [--schema SCHEMA.json]

A server on this machine answers as the recorded one did. What must come out is computed here from
the recorded bytes, not by the module's decoders. The JSON Schema of requests is used where
jsonschema is installed. The last line says how many exchanges were replayed and how many single
comparisons were made; the exit code is 1 where one of them failed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import collections
import contextlib
import dataclasses
import inspect
import json
import random
import re
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import openrouter_min as orm
from openrouter_min import (
    APIResponseError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Llm,
    RateLimitError,
    StreamInterruptedError,
)
from test_openrouter_min import (
    KEY,
    Case,
    LoopbackServer,
    Pieces,
    answer,
    framed,
    http_answer,
    json_answer,
    setUpModule,  # noqa: F401  # unittest calls it: it takes away what the machine sets
    streamed,
)

RECORDED = Path()  # main() sets both
VALIDATOR = None


def recorded(*apis):
    """Read the exchanges of some APIs, anew each time: no test can change what another one sees."""
    with open(RECORDED, encoding="utf-8") as file:
        exchanges = [json.loads(line) for line in file]
    assert exchanges, RECORDED
    return [e for e in exchanges if e["api"] in apis]


def wire_body(exchange):
    response = exchange["response"]
    if response.get("body_encoding") == "base64":
        return base64.b64decode(response["body"])
    return response["body"].encode("utf-8", "surrogatepass")


def recorded_answer(exchange, pieces=None):
    """The recorded response as an answer of the loopback server: a stream in chunks, cut as told."""
    response, body = exchange["response"], wire_body(exchange)
    headers = [f"{k}: {v}" for k, v in response["headers"].items() if k not in ("content-type", "content-length")]
    kind = response["headers"].get("content-type", "application/json")
    if exchange["kind"] != "stream":
        return http_answer(body, response["status"], kind, headers)
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {kind}", "Transfer-Encoding: chunked", *headers, "", ""])
    framed_pieces = [framed(p) for p in pieces or [body] if p]
    return Pieces(head.encode("latin-1"), *framed_pieces, b"0\r\n\r\n")


def expected_events(exchange):
    """The decoded events of a recorded stream, split by a rule of its own: no multi-line data was recorded."""
    lines = exchange["response"]["body"].split("\n")
    events = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [json.loads(e) for e in events if e != "[DONE]"]


def expected_from_stream(exchange):
    """What a stream says, gathered from its deltas."""
    want = {"content": "", "reasoning": None, "refusal": None, "finish": None, "native": None, "usage": None}
    want.update(details=[], annotations=[], images=[], logprobs=[], audio={}, envelope={}, error=None, output=False)
    tools, blocks = {}, {}
    for e in expected_events(exchange):
        want["envelope"].update({k: e[k] for k in ("id", "model", "provider") if e.get(k) is not None})
        want["usage"] = e.get("usage") or want["usage"]
        want["error"] = e.get("error") or want["error"]
        for choice in e.get("choices") or []:
            if choice.get("index"):
                continue
            want["finish"] = want["finish"] or choice.get("finish_reason")
            want["native"] = want["native"] or choice.get("native_finish_reason")
            want["logprobs"] += (choice.get("logprobs") or {}).get("content") or []
            delta = choice.get("delta") or {}
            want["content"] += delta.get("content") or ""
            for name in ("reasoning", "refusal"):
                if delta.get(name):
                    want[name] = (want[name] or "") + delta[name]
            want["annotations"] += delta.get("annotations") or []
            want["images"] += [i["image_url"]["url"] for i in delta.get("images") or []]
            for name, value in (delta.get("audio") or {}).items():
                joins = name in ("data", "transcript") and name in want["audio"]
                want["audio"][name] = want["audio"][name] + value if joins else value
            for call in delta.get("tool_calls") or []:
                known = tools.setdefault(call.get("index", 0), {"id": None, "name": None, "arguments": ""})
                known["id"] = known["id"] or call.get("id")
                known["name"] = known["name"] or (call.get("function") or {}).get("name")
                known["arguments"] += (call.get("function") or {}).get("arguments") or ""
            for detail in delta.get("reasoning_details") or []:
                place = (detail["type"], detail["index"]) if isinstance(detail.get("index"), int) else (object(),)
                block = blocks.setdefault(place, {})
                for name, value in detail.items():
                    if name in ("text", "summary", "data") and block.get(name) is not None:
                        block[name] += value or ""
                    elif value is not None and (name == "signature" or block.get(name) is None):
                        block[name] = value
    want["tools"] = [(c["id"], c["name"], c["arguments"]) for _, c in sorted(tools.items())]
    want["details"] = list(blocks.values())
    return want


def expected_from_body(exchange):
    """What a plain answer says."""
    body = json.loads(exchange["response"]["body"])
    choice = next(c for c in body["choices"] if not c.get("index"))
    message = choice["message"]
    calls = message.get("tool_calls") or []
    return {
        "content": message.get("content") or "",
        "reasoning": message.get("reasoning"),
        "refusal": message.get("refusal"),
        "finish": choice.get("finish_reason"),
        "native": choice.get("native_finish_reason"),
        "usage": body.get("usage"),
        "details": message.get("reasoning_details") or [],
        "annotations": message.get("annotations") or [],
        "images": [i["image_url"]["url"] for i in message.get("images") or []],
        "logprobs": (choice.get("logprobs") or {}).get("content") or [],
        "audio": message.get("audio") or {},
        "envelope": {k: body[k] for k in ("id", "model", "provider") if body.get(k) is not None},
        "tools": [(c["id"], c["function"]["name"], c["function"].get("arguments") or "") for c in calls],
        "error": None,
    }


def expected_end(exchange):
    return expected_from_stream(exchange) if exchange["kind"] == "stream" else expected_from_body(exchange)


def without_empty(details):
    """Details without the fields that say nothing: an empty fragment may have named them or not."""
    return [{k: v for k, v in d.items() if v not in (None, "")} for d in details]


def schema_errors(body):
    return {e.message[:80] for e in VALIDATOR.iter_errors(body)} if VALIDATOR else set()


class ReplayTests(Case):
    maxDiff = 4000
    checks = 0
    rewritten = 0
    table = collections.Counter()

    def equal(self, got, wanted, what):
        ReplayTests.checks += 1
        if got != wanted:
            self.fail(f"{what}\n   got {got!r}\nwanted {wanted!r}"[:2000])

    def count(self, exchange):
        ReplayTests.table[exchange["api"], exchange["kind"]] += 1

    def client_for(self, exchange, server):
        headers = {
            k: v
            for k, v in exchange["request"]["headers"].items()
            if k in ("http-referer", "x-title", "x-openrouter-title")
        }
        return Llm(base_url=server.url, api_key=KEY, log=False, max_retries=0, timeout=20, headers=headers)

    def run_way(self, way, llm, exchange):
        """Ask as the recorded request did, by one of the ways; return the completion."""
        params = dict(exchange["request"]["json"])
        messages = params.pop("messages")
        if way == "chat":
            return llm.chat(messages, **params)
        if way == "achat":
            return asyncio.run(llm.achat(messages, **params))
        stream = llm.stream(messages, **params)
        if way == "stream":
            text = "".join(stream)
        else:

            async def read():
                return "".join([piece async for piece in stream])

            text = asyncio.run(read())
        self.equal(stream.completion.content, text, (exchange["id"], way, "streamed text"))
        return stream.completion

    def check_completion(self, done, want, where):
        self.equal(done.content, want["content"], (*where, "content"))
        for name in ("finish", "native"):
            self.equal(
                getattr(done, {"finish": "finish_reason", "native": "native_finish_reason"}[name]),
                want[name],
                (*where, name),
            )
        if want["reasoning"] is not None:
            self.equal(done.reasoning, want["reasoning"], (*where, "reasoning"))
        else:
            texts = [d.get("text") or d.get("summary") or "" for d in want["details"]]
            self.equal(done.reasoning, "".join(texts) or None, (*where, "reasoning"))
        self.equal(done.refusal, want["refusal"], (*where, "refusal"))
        self.equal([(c.id, c.name, c.arguments) for c in done.tool_calls], want["tools"], (*where, "tool calls"))
        self.equal(without_empty(done.reasoning_details), without_empty(want["details"]), (*where, "reasoning_details"))
        for name in ("annotations", "images"):
            self.equal(getattr(done, name), want[name], (*where, name))
        self.equal((done.logprobs or {}).get("content") or [], want["logprobs"], (*where, "logprobs"))
        self.equal(done.audio or {}, want["audio"], (*where, "audio"))
        for name in ("id", "model", "provider"):
            self.equal(getattr(done, name), want["envelope"].get(name), (*where, name))
        self.check_usage(done, want["usage"], where)

    def check_usage(self, done, usage, where):
        usage = usage or {}
        inside, outside = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
        upstream = (usage.get("cost_details") or {}).get("upstream_inference_cost")
        wanted = (
            usage.get("prompt_tokens", 0),
            usage.get("completion_tokens", 0),
            usage.get("total_tokens", 0),
            inside.get("cached_tokens") or 0,
            inside.get("cache_write_tokens") or 0,
            outside.get("reasoning_tokens") or 0,
            usage.get("cost"),
            bool(usage.get("is_byok")),
            upstream,
        )
        self.equal(dataclasses.astuple(done.usage), (*wanted, 0), (*where, "usage"))
        if usage.get("cost") is not None:
            total = usage["cost"] + (upstream or 0 if usage.get("is_byok") else 0)
            self.equal((done.cost, done.cost_source), (total, "reported"), (*where, "cost"))
        else:
            self.equal(done.cost_source in ("estimated", None), True, (*where, "cost source"))

    def check_request(self, seen, exchange, way, where):
        wanted = dict(exchange["request"]["json"])
        if way in ("stream", "async for"):
            wanted.setdefault("stream", True)
        self.equal(seen.json, wanted, (*where, "request"))
        if way == "stream":
            known = schema_errors(exchange["request"]["json"])
            self.equal(schema_errors(seen.json) - known, set(), (*where, "schema"))
        rest = [k for k in wanted if k not in ("model", "messages", "stream")]
        self.equal([k for k in seen.json if k in rest], rest, (*where, "key order"))
        for name in ("messages", "tools"):
            self.equal(json.dumps(seen.json.get(name)), json.dumps(wanted.get(name)), (*where, "inner key order"))
        text = seen.body.decode("utf-8")
        self.equal(
            bool(re.search(r"\\u(?!d[89a-f])[0-9a-f]{4}", text))
            and "\\\\u" not in text
            and not re.search(r"\\u00[01]", text),
            False,
            (*where, "escapes"),
        )
        self.equal(seen.headers["authorization"], f"Bearer {KEY}", (*where, "key"))
        given = exchange["request"]["headers"]
        for name in ("http-referer", "x-title", "x-openrouter-title"):
            self.equal(seen.headers.get(name), given.get(name), (*where, name))

    WAYS = ("chat", "stream", "achat", "async for")

    def test_every_chat_answer_comes_out_right_by_every_way(self):
        chance = random.Random(11)
        for exchange in recorded("chat"):
            if exchange["kind"] == "error":
                continue
            self.count(exchange)
            body, is_stream = wire_body(exchange), exchange["kind"] == "stream"
            want = expected_from_stream(exchange) if is_stream else expected_from_body(exchange)
            answers = [recorded_answer(exchange)] * 4
            if is_stream:
                borders = sorted(chance.randrange(len(body)) for _ in range(12))
                cut = [body[a:b] for a, b in zip([0, *borders], [*borders, len(body)])]
                answers[1] = answers[3] = recorded_answer(exchange, cut)
            with LoopbackServer(*answers) as server, contextlib.closing(self.client_for(exchange, server)) as llm:
                for way in self.WAYS:
                    where = (exchange["id"], way)
                    self.check_one(way, llm, exchange, want, where)
                    self.check_request(server.requests[-1], exchange, way, where)

    def check_one(self, way, llm, exchange, want, where):
        if want["error"] is None:
            return self.check_completion(self.run_way(way, llm, exchange), want, where)
        with self.assertRaises(StreamInterruptedError) as caught:
            self.run_way(way, llm, exchange)
        error = caught.exception
        self.equal(error.status, want["error"]["code"], (*where, "status of the error frame"))
        self.equal(want["error"]["message"] in str(error), True, (*where, "message of the error frame"))
        return self.check_completion(error.partial, want, where)

    def test_every_stream_comes_out_right_byte_by_byte(self):
        with mock.patch.object(orm, "READ_SIZE", 1):
            for exchange in recorded("chat"):
                if exchange["kind"] == "stream" and len(exchange["response"]["body"]) < 60_000:
                    want = expected_from_stream(exchange)
                    with LoopbackServer(recorded_answer(exchange)) as server:
                        with contextlib.closing(self.client_for(exchange, server)) as llm:
                            self.check_one("chat", llm, exchange, want, (exchange["id"], "byte by byte"))

    def test_every_recorded_error_has_its_class_and_the_server_s_words(self):
        for exchange in recorded("chat"):
            if exchange["kind"] != "error":
                continue
            self.count(exchange)
            error_in_body = json.loads(exchange["response"]["body"])["error"]
            with LoopbackServer(*[recorded_answer(exchange)] * 4) as server:
                llm = self.client_for(exchange, server)
                for way in self.WAYS:
                    where = (exchange["id"], way)
                    with self.assertRaises(APIStatusError) as caught:
                        self.run_way(way, llm, exchange)
                    error = caught.exception
                    kinds = {400: BadRequestError, 401: AuthenticationError, 429: RateLimitError}
                    self.equal(type(error), kinds[exchange["response"]["status"]], (*where, "class"))
                    self.equal(error_in_body["message"] in str(error), True, (*where, "message"))
                    raw = (error_in_body.get("metadata") or {}).get("raw")
                    if raw:
                        try:
                            inner = json.loads(raw)
                            raw = inner.get("message") or inner["error"]["message"]
                        except ValueError:
                            pass
                        self.equal(raw in str(error), True, (*where, "upstream's text"))
                    self.check_request(server.requests[-1], exchange, way, where)
                llm.close()

    def test_the_other_apis_come_through_the_one_door(self):
        for exchange in recorded("responses", "embeddings", "models", "images", "transcription"):
            self.count(exchange)
            asked = exchange["request"]
            path = asked["path"][len("/api/v1") :]
            with LoopbackServer(*[recorded_answer(exchange)] * 2) as server:
                llm = self.client_for(exchange, server)
                got = llm.request(asked["method"], path, asked["json"])
                if exchange["kind"] == "stream":
                    self.equal(list(got), expected_events(exchange), (exchange["id"], "events"))
                else:
                    self.equal(got, json.loads(exchange["response"]["body"]), (exchange["id"], "body"))
                if asked["json"] is not None:
                    sent = json.dumps(asked["json"], separators=(",", ":"), ensure_ascii=False).encode()
                    self.equal(server.requests[0].body, sent, (exchange["id"], "request"))
                if exchange["api"] == "embeddings":
                    params = dict(asked["json"])
                    vectors = llm.embed(params.pop("input"), **params)
                    data = json.loads(exchange["response"]["body"])
                    self.equal(len(vectors), len(data["data"]), (exchange["id"], "vectors"))
                    self.equal(vectors.usage.cost, data["usage"].get("cost"), (exchange["id"], "cost"))
                    self.equal(vectors.model, data["model"], (exchange["id"], "model"))
                elif exchange["api"] == "models":
                    listed = json.loads(exchange["response"]["body"])["data"]
                    self.equal([m.id for m in llm.models()], [m["id"] for m in listed], (exchange["id"], "ids"))
                llm.close()

    def test_the_message_sent_back_is_what_the_recorded_follow_ups_sent(self):
        by_history, pairs = {}, 0
        exchanges = [e for e in recorded("chat") if e["kind"] != "error"]
        for exchange in exchanges:
            history = json.dumps(exchange["request"]["json"]["messages"], sort_keys=True)
            by_history.setdefault((exchange["source"], history), []).append(exchange)
        for follow_up in exchanges:
            messages = follow_up["request"]["json"]["messages"]
            last = max((i for i, m in enumerate(messages) if m["role"] == "assistant"), default=None)
            if last is None:
                continue
            history = json.dumps(messages[:last], sort_keys=True)
            for first in by_history.get((follow_up["source"], history), []):
                if first is follow_up:
                    continue
                with LoopbackServer(recorded_answer(first)) as server:
                    with contextlib.closing(self.client_for(first, server)) as llm:
                        done = self.run_way("chat", llm, first)
                pairs += self.check_follow_up(done, messages[last], (first["id"], follow_up["id"]))
        self.assertGreater(pairs, 50)
        print(f"{pairs} follow-up pairs, of which the other client rewrote the reasoning of {self.rewritten}")

    def check_follow_up(self, done, sent, where):
        """Compare a message with the one another client sent back, but for its way to write the same."""
        ours = done.message
        text = sent.get("content") or ""
        if not isinstance(text, str) or [c["id"] for c in sent.get("tool_calls", [])] != [
            c.id for c in done.tool_calls
        ]:
            return 0  # another recording of the same question, answered in another way
        if text.strip() != done.content.strip() and text:
            return 0
        ReplayTests.checks += 1
        calls = [(c["id"], c["type"], c["function"]["name"]) for c in sent.get("tool_calls", [])]
        self.equal([(c["id"], c["type"], c["function"]["name"]) for c in ours.get("tool_calls", [])], calls, where)
        for mine, theirs in zip(ours.get("tool_calls", []), sent.get("tool_calls", [])):
            arguments = (mine["function"]["arguments"], theirs["function"]["arguments"])
            if arguments[0] != arguments[1]:  # that client wrote the JSON anew
                self.equal(*[json.loads(a or "{}") for a in arguments], (*where, "arguments"))
        if sent.get("reasoning_details"):
            mine = without_empty(ours.get("reasoning_details", []))
            theirs = without_empty(sent["reasoning_details"])
            if [d["type"] for d in mine] != [d["type"] for d in theirs]:
                ReplayTests.rewritten += 1  # that client made a plain text of summary and encrypted blocks
                return 1
            for a, b in zip(mine, theirs):
                for name, value in b.items():
                    mine_value = a.get(name)
                    if name in ("text", "summary") and mine_value != value:
                        mine_value = mine_value[-len(value) :]  # one of the clients loses its first fragment
                    self.equal(mine_value, value, (*where, "reasoning_details", name))
        return 1

    def conversations(self):
        """The recorded chains of exchanges in which functions were called, from question to last answer."""
        exchanges = [e for e in recorded("chat") if e["kind"] != "error"]

        def follows(first, then):
            before, after = (e["request"]["json"]["messages"] for e in (first, then))
            added = after[len(before) :]
            if first["source"] != then["source"] or after[: len(before)] != before or not added:
                return False
            want = expected_end(first)
            asked = [c.get("id") for c in added[0].get("tool_calls") or []]
            return asked == [c[0] for c in want["tools"]] != [] and {m["role"] for m in added[1:]} == {"tool"}

        by_source = {}
        for exchange in exchanges:
            by_source.setdefault(exchange["source"], []).append(exchange)
        for first in exchanges:
            if first["request"]["json"]["messages"][-1]["role"] == "tool":
                continue
            chain = [first]
            while chain[-1]:
                chain.append(next((e for e in by_source[first["source"]] if follows(chain[-1], e)), None))
            if len(chain) > 2:
                yield chain[:-1]

    def functions_for(self, chain):
        """The recorded tools as functions that return what the recorded client sent back; server tools as they are."""
        last, known = chain[-1]["request"]["json"], {}
        said = {m["tool_call_id"]: m["content"] for m in last["messages"] if m["role"] == "tool"}
        for message in last["messages"]:
            for call in message.get("tool_calls") or []:
                function = call["function"]
                given = json.loads(function.get("arguments") or "{}")
                known.setdefault((function["name"], json.dumps(given, sort_keys=True)), []).append(said[call["id"]])

        def function_of(definition):
            def run(**arguments):
                return known[definition["name"], json.dumps(arguments, sort_keys=True)].pop(0)

            names = definition.get("parameters", {}).get("properties", {})
            kind = inspect.Parameter.KEYWORD_ONLY
            run.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
            run.__name__, run.__doc__ = definition["name"], definition.get("description")
            return run

        return [function_of(t["function"]) if "function" in t else t for t in last["tools"]]

    def test_recorded_conversations_run_through_the_tool_loop(self):
        count = 0
        for chain in self.conversations():
            wanted = chain[-1]
            params = {**chain[0]["request"]["json"], "tools": self.functions_for(chain)}
            messages, is_stream = params.pop("messages"), params.pop("stream", False)
            want = expected_end(wanted)
            if want["tools"] or want["error"]:
                continue
            where = (chain[0]["id"], len(chain))
            with LoopbackServer(*map(recorded_answer, chain)) as server:
                with contextlib.closing(self.client_for(chain[0], server)) as llm:
                    done = streamed(llm.stream(messages, **params)) if is_stream else llm.chat(messages, **params)
            count += 1
            self.equal((done.content, done.finish_reason), (want["content"], want["finish"]), where)
            usages = [e["usage"] for e in map(expected_end, chain) if e["usage"]]
            self.equal(done.usage.total_tokens, sum(u["total_tokens"] for u in usages), (*where, "tokens"))
            if all(u.get("cost") is not None for u in usages):
                self.equal(round(done.cost, 12), round(sum(u["cost"] for u in usages), 12), (*where, "cost"))
            for seen, exchange in zip(server.requests, chain):
                bodies = (seen.json, exchange["request"]["json"])
                ours, theirs = ([m for m in b["messages"] if m["role"] == "tool"] for b in bodies)
                self.equal(*[sorted(m["tool_call_id"] for m in ms) for ms in (ours, theirs)], (*where, "ids"))
                texts = [t if isinstance(t, str) else json.dumps(t) for t in (m["content"] for m in theirs)]
                self.equal(sorted(m["content"] for m in ours), sorted(texts), (*where, "results"))
        self.assertGreater(count, 50)
        print(f"{count} conversations through the tool loop")

    def test_recorded_answers_to_a_schema_are_parsed_or_refused(self):
        count = 0
        for exchange in recorded("chat"):
            params = dict(exchange["request"]["json"])
            asked = params.get("response_format") or {}
            if asked.get("type") != "json_schema" or exchange["kind"] == "error":
                continue
            count += 1
            del params["response_format"]
            messages, is_stream = params.pop("messages"), params.pop("stream", False)
            want = expected_end(exchange)
            with LoopbackServer(recorded_answer(exchange)) as server:
                with contextlib.closing(self.client_for(exchange, server)) as llm, contextlib.ExitStack() as stack:
                    caught = want["refusal"] and stack.enter_context(self.assertRaises(APIResponseError))
                    params["schema"] = asked["json_schema"]["schema"]
                    done = streamed(llm.stream(messages, **params)) if is_stream else llm.chat(messages, **params)
            if caught:
                self.equal(f"refused: {want['refusal']}" in str(caught.exception), True, (exchange["id"], "refusal"))
            else:
                self.equal(done.parsed, json.loads(want["content"]), (exchange["id"], "parsed"))
            sent = server.requests[0].json["response_format"]
            sent["json_schema"]["name"] = asked["json_schema"]["name"]
            self.equal(sent, asked, (exchange["id"], "response_format"))
        self.assertGreater(count, 8)

    def test_recorded_files_are_recognised_and_sent_in_the_same_shape(self):
        count = collections.Counter()
        for exchange in recorded("chat"):
            params = dict(exchange["request"]["json"])
            message = params.pop("messages")[-1]
            parts = message["content"] if isinstance(message["content"], list) else []
            parts = [p for p in parts if p["type"] != "text" and "__sidecar" not in json.dumps(p)]
            if message["role"] != "user" or not parts or exchange["kind"] == "error":
                continue
            things, wanted = [], []
            for part in parts:
                inner = {k: v for k, v in part[part["type"]].items() if k != "detail"}
                url = inner.get("url") or inner["file_data"]
                data = url.startswith("data:") and base64.b64decode(url.partition(",")[2])
                name = inner.get("filename", "attachment")
                if "filename" in inner and not data:
                    inner["filename"] = url.rpartition("/")[2]
                things.append((name, data) if data else url)
                wanted.append({"type": part["type"], part["type"]: inner})
                count[part["type"], bool(data)] += 1
            params.pop("stream", None)
            with LoopbackServer(recorded_answer(exchange)) as server:
                with contextlib.closing(self.client_for(exchange, server)) as llm:
                    done = llm.complete("What is it?", attachments=things, **params)
            sent = server.requests[0].json["messages"][-1]["content"]
            self.equal(sent, [{"type": "text", "text": "What is it?"}, *wanted], (exchange["id"], "parts"))
            self.equal(done.content, expected_end(exchange)["content"], (exchange["id"], "content"))
        self.assertGreater(len(count), 3, count)

    def test_recorded_reasoning_comes_in_pieces_and_whole(self):
        count = 0
        for exchange in recorded("chat"):
            if exchange["kind"] != "stream" or {"reasoning", "error"} & set(exchange["features"]) != {"reasoning"}:
                continue
            params = dict(exchange["request"]["json"])
            with LoopbackServer(recorded_answer(exchange)) as server:
                with contextlib.closing(self.client_for(exchange, server)) as llm:
                    stream = llm.stream(params.pop("messages"), **params)
                    pieces = [c.reasoning for c in stream.chunks()]
            count += any(pieces)
            self.equal("".join(pieces), stream.completion.reasoning or "", (exchange["id"], "reasoning"))
        self.assertGreater(count, 20)

    def test_the_settings_of_a_client_fit_the_published_schema(self):
        if VALIDATOR is None:
            self.skipTest("no --schema, or jsonschema is not installed")
        settings = {"temperature": 1, "max_tokens": 5, "fallbacks": ["c/d"], "session_id": "s"}
        server = self.serve(json_answer(answer()))
        self.llm(server, **settings).complete("x")
        self.equal(server.requests[0].json["models"], ["a/b", "c/d"], "models")
        self.equal(schema_errors(server.requests[0].json), set(), "schema")


def schema_validator(path):
    """Return what checks a request's body, or None where jsonschema is not installed."""
    try:
        import jsonschema
    except ImportError:
        return None
    schema = json.loads(path.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator({**schema, "$ref": "#/$defs/chat_request"})


def main():
    global RECORDED, VALIDATOR
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recorded", type=Path, metavar="RECORDED.jsonl", help="one recorded exchange a line")
    parser.add_argument("--schema", type=Path, metavar="SCHEMA.json", help="JSON Schema that requests must fit")
    options = parser.parse_args()
    for path in filter(None, (options.recorded, options.schema)):
        if not path.is_file():
            parser.error(f"there is no file {path}")
    RECORDED, VALIDATOR = options.recorded, options.schema and schema_validator(options.schema)
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(ReplayTests)
    passed = unittest.TextTestRunner(stream=sys.stdout).run(tests).wasSuccessful()
    for (api, kind), count in sorted(ReplayTests.table.items()):
        print(f"{api} {kind}: {count} exchanges")
    print(f"replayed {sum(ReplayTests.table.values())} exchanges, {ReplayTests.checks} checks")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
