# SPDX-License-Identifier: MIT
"""OpenRouter in one file: hundreds of language models behind one call, nothing to install.

    from openrouter_min import Llm

    llm = Llm(model="openai/gpt-4o-mini")            # key: OPENROUTER_API_KEY
    print(llm.complete("Explain quantum computing in simple terms").content)
    for text in llm.stream("Write a poem about AI"):
        print(text, end="", flush=True)

On the command line: ``python -m openrouter_min "prompt"``; ``--mock`` needs neither key nor network.

Map of the file. A section uses only what stands above it. Read the core first; everything after it is optional.

    Core
      Defaults             URLs, times and size limits, each with its reason
      Errors               the tree below
      Models and prices    Pricing, ModelInfo, METADATA, the cost of a usage
      Configuration        LlmConfig, and what a call may carry
      Results              Usage, ToolCall, Attempt, Completion, Chunk, Embeddings
      Wire format          request bodies, server-sent events, assembling chunks, AnswerReader
      Service errors       one decoder for all shapes of an error, and the table of hints
      Policy               whether to retry, after how long, with which model
      Operation log        one SQLite row per operation, and helpers that read the rows
      Transport            the only place that knows sockets, TLS and proxies
      Operation            one question from request to result; Stream; the bridge to asyncio
    Optional
      Tools and schemas    type hints to JSON Schema and back; the tool loop
      Attachments          the type of a file, and the content part that carries it
      Many prompts         map and amap
      Client               Llm joins all of the above
      Mock server          MockOpenRouter speaks the real wire format on loopback
      Report               an HTML page about the log
      Command line         main()
      Price table          the rows, as text

Errors:

    OpenRouterError                    message, hint, attempts, partial
      ConfigError (ValueError)         nothing was sent: fix the argument it names
      BudgetError                      nothing was sent: max_cost or max_cost_per_day is used up
      APIConnectionError               no answer arrived; if .sent is true, it may have been billed
        APITimeoutError
      APIStatusError                   the server answered with an error: status, error_type, ...
        BadRequestError 400, AuthenticationError 401, InsufficientCreditsError 402,
        PermissionDeniedError 403, ModelNotFoundError 404 (and the 400 for an unknown model),
        RateLimitError 429, ProviderError 408 and 5xx
      APIResponseError                 the answer is not usable: not JSON, no choices, or empty
      StreamInterruptedError           the answer broke off; .partial is the Completion so far
"""

from __future__ import annotations

import collections.abc
import contextlib
import contextvars
import dataclasses
import functools
import gc
import io
import itertools
import json
import math
import operator
import os
import re
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

if sys.version_info < (3, 8):  # noqa: UP036 - a sentence instead of a traceback
    raise SystemExit("openrouter_min needs Python 3.8 or newer")

# Type checkers treat any variable called TYPE_CHECKING as true. Importing typing would add 3 ms to every start, so at
# run time these names are only placeholders, which typing.get_type_hints needs to read the annotations.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client
    import socket
    import sqlite3
    import ssl
    from datetime import datetime
    from typing import Any, Union

    Json = dict[str, Any]
    Row = dict[str, Any]
    Event = tuple[Json, Json]
    LogTarget = Union[None, bool, str, os.PathLike[str]]
    LogTargets = Union[LogTarget, Sequence[LogTarget]]
    Moment = Union[str, datetime]
    _RowList = list[Row]
    _VectorList = list[list[float]]
    _HeaderDict = dict[str, str]
else:
    Any = LogTarget = LogTargets = Moment = object
    Json = Row = _HeaderDict = dict
    Event = tuple
    _RowList = _VectorList = list

__version__ = "0.2.0"

# fmt: off
__all__ = [
    "OpenRouterError", "ConfigError", "BudgetError", "APIConnectionError", "APITimeoutError", "APIStatusError",
    "BadRequestError", "AuthenticationError", "InsufficientCreditsError", "PermissionDeniedError",
    "ModelNotFoundError", "RateLimitError", "ProviderError", "APIResponseError", "StreamInterruptedError",
    "Pricing", "ModelInfo", "METADATA",
    "LlmConfig",
    "Usage", "ToolCall", "Attempt", "Completion", "Chunk", "Embeddings",
    "LlmOperationCollector", "Operations",
    "Llm", "Stream",
    "MockOpenRouter",
    "main",
]
# fmt: on


# --- Defaults -------------------------------------------------------------------------------
# Numbers and names that somebody had to decide on, each with its unit and its reason.
# This section uses nothing else of the file.

BASE_URL = "https://openrouter.ai/api/v1"
KEYS_URL = "https://openrouter.ai/keys"
CREDITS_URL = "https://openrouter.ai/settings/credits"
PRIVACY_URL = "https://openrouter.ai/settings/privacy"
MODELS_URL = "https://openrouter.ai/models"

DEFAULT_MODEL = "openrouter/auto"
PROGRESS_TIMEOUT = 300.0  # s of waiting without data; reasoning models can be silent for minutes
CONNECT_TIMEOUT = 10.0  # s for DNS, TCP and TLS; a distant region needs under 1
MAX_RETRIES = 2  # requests after the first; OpenRouter has already tried other providers
RETRY_WAIT_MAX = 60.0  # s; a script that waits longer looks hung
RETRY_WAIT_MIN = 0.1  # s; a server that asks for a wait of 0 s is still under load
BACKOFF_FIRST = 0.5  # s before the first retry, doubled each time
BACKOFF_MAX = 8.0  # s
MODELS_PER_REQUEST = 3  # the service answers longer `models` lists with 400

MAX_HEAD = 256 * 1024  # bytes of status line and headers, 1xx answers included
MAX_BODY = 128 * 1024 * 1024  # bytes of one answer; images and sound are inside it as base64
MAX_ATTACHMENT = 64 * 1024 * 1024  # bytes of one file; base64 adds a third
POSITIONAL_SETTINGS = 5  # of LlmConfig, up to max_tokens; the order of the others may change
MAX_TOOL_ROUNDS = 10  # rounds of functions for one question; a model may ask for them endlessly
READ_SIZE = 64 * 1024  # bytes requested from the socket at once
SEND_SIZE = 256 * 1024  # bytes passed to the socket at once, so that progress can be seen
STRAY_LINES = 50  # lines kept of a stream that are not events, to show them in an error
SHOWN_BODY = 200  # characters of an unreadable body that an error message shows
JSON_STARTS = 1000  # brackets tried as the start of JSON in an answer

WAIT_SLICE = 0.5  # s of one blocking wait; Windows delivers Ctrl-C only between waits
POLL_SLICE = 0.05  # s between two checks for a cancel while a coroutine of the caller runs
IDLE_LIMIT = 30.0  # s that a kept connection may be idle; servers close theirs after about a minute
END_GRACE = 0.02  # s of waiting for the last framing bytes after [DONE], which lets us keep the connection
FINISH_GRACE = 10.0  # s of waiting for usage and [DONE] after finish_reason; some servers keep the connection open
ERROR_GRACE = 1.0  # s of waiting for the usage that may follow an error event
CANCEL_GRACE = 0.4  # s that a cancelled call gives its thread to write the log row
MAP_AHEAD = 4  # map holds at most this many times `concurrency` answers for a slow reader
BACKLOG_SLICE = 0.01  # s between two checks of a full backlog
ASYNC_BACKLOG = 1024  # chunks that may wait for a slow consumer before the reader pauses

LOG_BUSY_TIMEOUT = 10.0  # s of waiting for another process that writes the log
LOG_BUSY_AGAIN = 0.25  # s of waiting once such a wait has failed: better lose a row than delay every call
LOG_ENV = "OPENROUTER_MIN_LOG"
LOG_CONTENT_ENV = "OPENROUTER_MIN_LOG_CONTENT"
KEY_ENV = "OPENROUTER_API_KEY"
MODEL_ENV = "OPENROUTER_MODEL"
BASE_URL_ENV = "OPENROUTER_BASE_URL"
PLAIN_HTTP_ENV = "OPENROUTER_ALLOW_PLAIN_HTTP"
DAY_LIMIT_ENV = "OPENROUTER_MAX_COST_PER_DAY"


# --- Errors ---------------------------------------------------------------------------------
# The exceptions, one class for each thing that a caller would do next. Every error has a hint.
# This section does no I/O and decodes nothing.

# Patterns are plain strings: re compiles each at its first use and caches it, and most programs use few of them.
_KEY_SHAPE = r"sk-or-[A-Za-z0-9_-]{8,}"
REDACTED = "sk-or-[hidden]"
SECRET_LENGTH = 8  # characters; a key "test" must not hide every "test" in a text


def redact(text: str, key: str | None) -> str:
    """Return the text without the key, whole or cut short, and without anything that looks like a key."""
    if key and len(key) >= SECRET_LENGTH:
        head = key[: max(SECRET_LENGTH, len(key) // 2)]
        at = text.find(head)
        while at >= 0:
            text = text[:at] + REDACTED + text[at + len(os.path.commonprefix([text[at:], key])) :]
            at = text.find(head, at + len(REDACTED))
    return re.sub(_KEY_SHAPE, REDACTED, text) if "sk-or-" in text else text


class OpenRouterError(Exception):
    """Base of all errors raised here; ``str`` shows what happened and what to do now.

    ``attempts`` holds one Attempt per request, ``partial`` the Completion so far where there is one.
    """

    partial: Completion | None = None
    default_hint = "read the message; the same call may work later"

    def __init__(self, message: str, *, hint: str = "", **fields: Any) -> None:
        self.message = redact(message, None)
        self.hint = redact(hint or self.default_hint, None)
        super().__init__(self.message)
        self.attempts: list[Attempt] = []
        for name, value in fields.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
            setattr(self, name, value)

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}"


class ConfigError(OpenRouterError, ValueError):
    """A bad argument or setting; nothing was sent."""

    default_hint = "correct what the message names"


class BudgetError(OpenRouterError):
    """The limit ``max_cost`` or ``max_cost_per_day`` is used up; nothing was sent."""


class APIConnectionError(OpenRouterError):
    """No answer arrived. If ``sent``, the whole request had left, so it may have been billed."""

    sent: bool = False
    retryable: bool = True  # False if waiting does not help, as with a certificate that can't be verified
    default_hint = "is the network up? try again later"


class APITimeoutError(APIConnectionError):
    """No data for ``timeout`` seconds, or ``deadline`` or ``connect_timeout`` has passed."""


class APIStatusError(OpenRouterError):
    """The server answered with an error, as an HTTP status or inside a 200."""

    status: int = 0  # the code in the error, else the HTTP status
    error_type: str | None = None
    body: Any = None  # the decoded JSON of the answer, else its text
    metadata: Mapping[str, Any] = {}
    retry_after: float | None = None  # s
    retryable: bool = False
    fallback_models: Sequence[str] = ()
    generation_id: str | None = None
    availability: Mapping[str, Any] = {}


class BadRequestError(APIStatusError):
    """400: the request is malformed, too long, or asks for something that the model can't do."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong or disabled."""


class InsufficientCreditsError(APIStatusError):
    """402: the account or the key has no credits left for this request."""


class PermissionDeniedError(APIStatusError):
    """403: refused by moderation, a policy, a guardrail, a budget or a region, or the key lacks the right."""


class ModelNotFoundError(APIStatusError):
    """404, or the 400 for an unknown name: there is no such model, or your settings exclude all providers."""


class RateLimitError(APIStatusError):
    """429: too many requests, yours or those of all users."""


class ProviderError(APIStatusError):
    """408 or 5xx: the provider behind the model failed."""


class APIResponseError(OpenRouterError):
    """The answer is not usable: not JSON, no choices, an empty generation, or it does not fit the schema."""

    retryable: bool = False
    default_hint = "check base_url: is it OpenRouter, or a gateway that changes answers?"


class StreamInterruptedError(OpenRouterError):
    """The answer broke off; ``partial`` is the Completion so far."""

    status: int | None = None  # this and error_type come from the error event, if there was one
    error_type: str | None = None
    default_hint = "the text so far is in .partial; it may have been billed"


# --- Models and prices ----------------------------------------------------------------------
# What each model costs and can do. The rows are at the end of the file, as text.
# This section is pure: it knows nothing of networks and files.


# Decoded JSON may hold any type anywhere. These helpers return the expected type, or an empty value of it.


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[Json]:
    if isinstance(value, list):
        return [v for v in value if isinstance(v, dict)]
    return [value] if isinstance(value, dict) else []  # some servers send one object instead of a list


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""


def _str_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number_or_none(value: object) -> float | None:
    """Return a number unchanged (0 stays the integer 0), or read it from a string; else None."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _int_or_none(value: object) -> int | None:
    number = None if isinstance(value, str) else _number_or_none(value)
    return None if number is None else int(number)


def _count(counters: Json, name: str) -> int:
    return max(0, _int_or_none(_number_or_none(counters.get(name))) or 0)


def _amount(value: object) -> float | None:
    """Return an amount of money; a negative one means unknown."""
    number = _number_or_none(value)
    return None if number is None or number < 0 else number


@dataclass(frozen=True)
class Pricing:
    """Prices in USD per 1,000,000 tokens; None means unknown, 0 means free."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None

    @property
    def prompt(self) -> float | None:
        """USD per 10,000 input tokens, so that ``prompt / 10`` is the price of 1,000."""
        return None if self.input is None else self.input / 100

    @property
    def completion(self) -> float | None:
        """USD per 10,000 output tokens, so that ``completion / 10`` is the price of 1,000."""
        return None if self.output is None else self.output / 100


@dataclass(frozen=True)
class ModelInfo:
    """A model of the catalogue: lengths are in tokens; None means that the catalogue does not say."""

    id: str
    name: str = ""
    context_length: int | None = None
    max_completion_tokens: int | None = None
    input_modalities: tuple[str, ...] = ()
    tools: bool | None = None
    pricing: Pricing = Pricing()
    # (number of prompt tokens, prices above it): some models charge more for long prompts
    tiers: tuple[tuple[int, Pricing], ...] = ()

    def pricing_at(self, prompt_tokens: int) -> Pricing:
        """Return the prices for a prompt of this length."""
        return next((tier for above, tier in reversed(self.tiers) if prompt_tokens > above), self.pricing)


def model_from_row(row: str, tiers: Iterable[str] = ()) -> ModelInfo:
    """Decode a row of the price table, and the rows of its tiers.

    A row is ``id input output cache_read cache_write context max_out modalities tools``.
    """

    def pricing(cells: Sequence[str]) -> Pricing:
        return Pricing(*(None if cell == "-" else float(cell) for cell in cells))

    model_id, *prices, context, max_out, modalities, tools = row.split(" ")
    tier_cells = [tier.split(" ") for tier in tiers]
    return ModelInfo(
        model_id,
        model_id,
        None if context == "-" else int(context),
        None if max_out == "-" else int(max_out),
        () if modalities == "-" else tuple(modalities.split(",")),
        None if tools == "-" else tools == "1",
        pricing(prices),
        tuple((int(threshold), pricing(prices)) for _, threshold, *prices in tier_cells),
    )


LISTED_PRICES = ("prompt", "completion", "input_cache_read", "input_cache_write")


def model_from_listing(entry: Json) -> ModelInfo:
    """Decode one entry of GET /models; every field but ``id`` may be missing."""

    def per_million(value: object) -> float | None:
        # USD per token, as a decimal string; "-1" means unknown. Adding 6 to the exponent keeps all digits.
        number, _, exponent = str(value).lower().partition("e")
        try:
            price = float(f"{number}e{int(exponent or 0) + 6}")
        except ValueError:
            return None
        return price if 0 <= price < math.inf else None

    listed = _dict(entry.get("pricing"))
    tiers = [
        (threshold, Pricing(*(per_million(override.get(k, listed.get(k))) for k in LISTED_PRICES)))
        for override in _dicts(listed.get("overrides"))
        for threshold in [_int_or_none(override.get("min_prompt_tokens"))]
        if threshold is not None and "utc_start" not in override
    ]
    supported = entry.get("supported_parameters")
    return ModelInfo(
        id=str(entry.get("id", "")),
        name=str(entry.get("name") or entry.get("id", "")),
        context_length=_int_or_none(entry.get("context_length")),
        max_completion_tokens=_int_or_none(_dict(entry.get("top_provider")).get("max_completion_tokens")),
        input_modalities=tuple(map(str, _list(_dict(entry.get("architecture")).get("input_modalities")))),
        tools="tools" in supported if isinstance(supported, list) else None,
        pricing=Pricing(*(per_million(listed.get(k)) for k in LISTED_PRICES)),
        tiers=tuple(tiers),
    )


# Suffixes that don't change the price: those that choose among providers, and the old one for unmoderated models.
_FREE_SUFFIX = r":(?:nitro|floor|online|exacto|beta)(?=:|$)"
_DATE_SUFFIX = r"-20\d{6}(?=:|$)"  # answers add the release date to the name of the model
_PROVIDER_PREFIX = "^openrouter-"


class _Catalogue(Mapping):  # type: ignore[type-arg] # Python 3.8 knows no Mapping[...]
    """A read-only mapping of model id to ModelInfo; each row of the price table is parsed at its first use."""

    def __init__(self) -> None:
        self._models: dict[str, ModelInfo] = {}

    @functools.cached_property
    def _rows(self) -> dict[str, str]:
        return {line.partition(" ")[0]: line for line in PRICE_ROWS.splitlines() if line}

    @property
    def as_of(self) -> str:
        """The date of the prices."""
        return PRICES_AS_OF

    def _find(self, name: object) -> ModelInfo | None:
        if not isinstance(name, str):
            return None
        if name not in self._models:
            slug = re.sub(_PROVIDER_PREFIX, "", name)
            plain = re.sub(_FREE_SUFFIX, "", slug)
            forms = (slug, plain, re.sub(_DATE_SUFFIX, "", plain))
            aliases = dict(line.split(" ") for line in ALIAS_ROWS.splitlines() if line)
            found = next((i for form in forms for i in (form, aliases.get(form)) if i in self._rows), None)
            if found is None:
                return None
            tiers = [line for line in TIER_ROWS.splitlines() if line.startswith(f"{found} ")]
            # setdefault: two threads that parse the same row get the same object.
            model = self._models.setdefault(found, model_from_row(self._rows[found], tiers))
            self._models.setdefault(name, model)
        return self._models[name]

    def __getitem__(self, name: str) -> ModelInfo:
        found = self._find(name)
        if found is None:
            near = ", ".join(self.near(name))
            raise KeyError(f"no model {name!r} in the price table" + (f"; similar: {near}" if near else ""))
        return found

    def __contains__(self, name: object) -> bool:
        return self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<METADATA: {len(self)} models, prices of {self.as_of}>"

    def near(self, name: object, count: int = 3) -> list[str]:
        """Return up to ``count`` ids that are similar to the name, without the name itself."""
        import difflib

        if not isinstance(name, str):
            return []
        wanted = re.sub(_PROVIDER_PREFIX, "", name.lower())
        same_tail = [i for i in self if i.partition("/")[2] == wanted]
        ids = {i if "/" in wanted else i.partition("/")[2]: i for i in self}
        close = difflib.get_close_matches(wanted, list(ids), n=count + 1, cutoff=0.6)
        unique = dict.fromkeys(same_tail + [ids[c] for c in close])
        return [i for i in unique if i != name][:count]


METADATA = _Catalogue()


def estimate_cost(model: str | None, usage: Usage) -> float | None:
    """Return USD by the price table, or None if the model or its price is unknown.

    ``prompt_tokens`` includes the tokens read from the cache and those written to it. Gemini
    counts a written token as cached too, which would make the rest negative. Where a cache price
    is unknown, the price of the prompt is used.
    """
    info = METADATA.get(model or "")
    price = info.pricing_at(usage.prompt_tokens) if info else Pricing()
    if price.input is None or price.output is None:
        return None
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    plain = usage.prompt_tokens - cached - written
    if plain < 0:
        plain = max(0, usage.prompt_tokens - max(cached, written))
    read_price = price.input if price.cache_read is None else price.cache_read
    write_price = price.input if price.cache_write is None else price.cache_write
    total = plain * price.input + cached * read_price + written * write_price
    return round((total + usage.completion_tokens * price.output) / 1e6, 12)


def cost_of(model: str | None, usage: Usage) -> tuple[float | None, str | None]:
    """Return (USD, source): what the server reported, else an estimate, else (None, None).

    With your own provider key (BYOK) ``usage.cost`` is only OpenRouter's fee; the provider bills
    ``upstream_cost`` in addition. If no tokens are reported at all, they were not counted.
    """
    if usage.cost is not None:
        return usage.cost + (usage.upstream_cost or 0 if usage.is_byok else 0), "reported"
    is_counted = usage.prompt_tokens > 0 or usage.completion_tokens > 0
    cost = estimate_cost(model, usage) if is_counted else None
    return cost, None if cost is None else "estimated"


# --- Configuration --------------------------------------------------------------------------
# LlmConfig, and one table of all that a call may carry. A bad value raises an error that names the fix,
# before anything is sent. Settings in the environment are read by one function, _environment.

_OFF = ("0", "off", "false", "no")  # values of environment variables
_ON = ("1", "on", "true", "yes")

# Where each known name belongs. An unknown name passes as a new body field, unless it looks like a typing error.
# "body": a field of the request body. "both": a setting that is also a body field. "setting": a setting of the Llm
# that a call may override. "call": belongs to one call. "client": belongs to the Llm.
WHERE = {
    name: where
    for where, names in {
        "body": "messages prompt models stream stream_options usage max_completion_tokens top_p top_k min_p top_a"
        " frequency_penalty presence_penalty repetition_penalty seed logit_bias logprobs top_logprobs stop"
        " response_format structured_outputs tools tool_choice parallel_tool_calls max_tool_calls"
        " stop_server_tools_when reasoning reasoning_effort include_reasoning verbosity plugins provider route preset"
        " service_tier speed prompt_cache_key prompt_cache_options cache_control user metadata trace prediction"
        " modalities image_config audio web_search_options x_search_filter deferred_tools debug transforms n"
        " safe_prompt raw_mode",
        "both": "temperature max_tokens session_id",
        "setting": "model fallbacks headers system_prompt timeout connect_timeout deadline max_retries retry_wait_max"
        " workspace agent_id log_content",
        "call": "action_id schema schema_retries attachments max_tool_rounds",
        "client": "api_key base_url params log allow_plain_http max_cost max_cost_per_day",
    }.items()
    for name in names.split()
}

# Names from other libraries, and what to write here instead.
_FOREIGN_NAMES = {
    "system": "system_prompt='...'",
    "system_message": "system_prompt='...'",
    "instructions": "system_prompt='...'",
    "max_retry": "max_retries=...",
    "retries": "max_retries=...",
    "num_retries": "max_retries=...",
    "images": "attachments=[...]",
    "image": "attachments=[...]",
    "files": "attachments=[...]",
    "extra_body": "its fields directly, as in complete('hi', top_k=5)",
    "extra_headers": "headers={...}",
    "request_timeout": "timeout=...",
    "timeout_s": "timeout=...",
    "max_output_tokens": "max_tokens=...",
    "max_new_tokens": "max_tokens=...",
    "stop_sequences": "stop=[...]",
    "functions": "tools=[...]",
    "tool": "tools=[...]",
    "function_call": "tool_choice=...",
    "json_schema": "schema=...",
    "response_model": "schema=...",
    "fallback_models": "fallbacks=[...]",
    "api_base": "Llm(base_url=...)",
}

_URL = r"(?i)(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[!-\"$->@-~]*)?"
# A connection to 0.0.0.0 or [::] also stays on this machine.
_LOOPBACK = r"(?i)(?:localhost|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1?\])"
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_CONTROL = r"[\x00-\x08\x0a-\x1f\x7f]"
_NOT_IN_HEADER = _CONTROL + r"|[^\x00-\xff]"
# The transport sets these headers itself; a second value would be ambiguous, or would leak the key.
OWN_HEADERS = frozenset(
    "host content-length transfer-encoding connection authorization proxy-authorization accept-encoding".split()
)

# What can be checked without knowing the model: (types, lowest value, highest value, the rule in words)
_NONE = type(None)
_RULES: dict[str, tuple[tuple[type, ...], float, float, str]] = {
    "temperature": ((int, float, _NONE), 0, 2, "must be between 0 and 2"),
    "top_p": ((int, float, _NONE), 0, 1, "must be between 0 and 1"),
    "max_tokens": ((int, _NONE), 1, math.inf, "must be a whole number from 1"),
    "max_completion_tokens": ((int, _NONE), 1, math.inf, "must be a whole number from 1"),
    "timeout": ((int, float), 0.001, 1e9, "must be a positive number of seconds"),
    "connect_timeout": ((int, float), 0.001, 1e9, "must be a positive number of seconds"),
    "deadline": ((int, float, _NONE), 0.001, 1e9, "must be a positive number of seconds, or None"),
    "max_retries": ((int,), 0, 1000, "must be a whole number from 0"),
    "retry_wait_max": ((int, float), 0, 1e9, "must be a number of seconds from 0"),
    "max_tool_rounds": ((int,), 1, 1000, "must be a whole number from 1"),
    "schema_retries": ((int,), 0, 10, "must be a whole number from 0 to 10"),
    "max_cost": ((int, float, _NONE), 0, 1e9, "must be an amount in USD, or None"),
    "max_cost_per_day": ((int, float, _NONE), 0, 1e9, "must be an amount in USD, or None"),
    **dict.fromkeys(("system_prompt", "session_id", "workspace", "agent_id", "action_id"), ((str, _NONE), 0, 0,
                                                                                           "must be a str")),
    **dict.fromkeys(("log_content", "allow_plain_http"), ((bool,), 0, 1, "must be True or False")),
    **dict.fromkeys(("tools", "attachments"), ((list, tuple, _NONE), 0, 0, "must be a list: [...]")),
}  # fmt: skip


def _environment(name: str) -> str | None:
    """Return a setting from the environment; nothing else in the file reads settings from it."""
    return os.environ.get(name, "").strip() or None


def type_name(value: object) -> str:
    """Return the type of a value for a message, such as "a str", "an int" or "None"."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _near_name(name: str) -> str | None:
    """Return the known name that differs only in ``_``, ``-``, case, or one typing error; else None."""
    plain = re.sub(r"[-_]", "", name).lower()
    for known in sorted(WHERE):
        a, b = plain, known.replace("_", "")
        if a == b:
            return known
        start = len(os.path.commonprefix([a, b]))
        end = len(os.path.commonprefix([a[start:][::-1], b[start:][::-1]]))
        left, right = a[start : len(a) - end], b[start : len(b) - end]
        is_swap = len(left) == 2 and left == right[::-1]
        if len(a) > 4 and (is_swap or max(len(left), len(right)) <= 1):  # many short names differ in one letter
            return known
    return None


def check_value(name: str, value: Any) -> None:
    """Raise ConfigError if a value has the wrong type or is out of range."""
    if name not in _RULES:
        return
    types, low, high, rule = _RULES[name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ConfigError(f"{name} is {type_name(value)}", hint=f"{name} {rule}")
    if isinstance(value, (int, float)) and not low <= value <= high:
        raise ConfigError(f"{name}={value!r} is out of range", hint=f"{name} {rule}")


def check_params(params: Mapping[str, Any], *, of_call: bool = True) -> None:
    """Raise ConfigError for a name or value that a call (if not ``of_call``: ``LlmConfig.params``) can't carry."""
    for name, value in params.items():
        if not isinstance(name, str):
            raise ConfigError(f"{name!r} is not the name of a body field", hint="names are strings")
        where = WHERE.get(name)
        if name == "messages":
            raise ConfigError("messages is not an option", hint="it is the argument of chat() and stream()")
        if where == "client":
            raise ConfigError(f"{name} can't be set per call", hint=f"Llm(..., {name}=...); body fields go in directly")
        if not of_call and (where == "setting" or name == "model"):
            raise ConfigError(f"params: {name} is a setting", hint=f"Llm({name}=..., params={{...}})")
        if not of_call and where == "call":
            raise ConfigError(f"params: {name} belongs to one call", hint=f"complete(..., {name}=...)")
        if name in _FOREIGN_NAMES:
            raise ConfigError(f"{name!r} is not known here", hint=f"use {_FOREIGN_NAMES[name]}")
        near = None if where else _near_name(name)
        if near:
            hint = f"did you mean {near}? Llm.request sends any body unchanged"
            raise ConfigError(f"{name!r} is not a field of the API", hint=hint)
        check_value(name, value)
        if name == "provider" and not isinstance(value, (dict, _NONE)):
            hint = "use provider={'only': ['openai']} or provider={'sort': 'price'}"
            raise ConfigError(f"provider={value!r}: per call it is OpenRouter's routing object", hint=hint)
    if params.get("schema") is not None and "response_format" in params:
        raise ConfigError("both schema and response_format are given", hint="they mean the same: keep schema")


def checked_model(name: str, value: object) -> str:
    """Return the name of a model; raise ConfigError if it can't be one."""
    if not isinstance(value, str) or not re.fullmatch(r"\S+", value) or re.search(_CONTROL, value):
        raise ConfigError(f"{name}={value!r} is not a model name", hint="a name is maker/model, such as 'openai/gpt-4'")
    return value


def _checked_mapping(name: str, value: Any, example: str) -> dict[Any, Any]:
    if value is None:
        return {}
    if not hasattr(value, "items"):
        raise ConfigError(f"{name} is {type_name(value)}, not a dict", hint=f"use {name}={example}")
    return dict(value.items())


def checked_headers(value: object) -> dict[str, str]:
    """Return the request headers as a dict; raise ConfigError for a bad one."""
    headers = _checked_mapping("headers", value, "{'X-Title': 'My app'}")
    for name, text in headers.items():
        if not isinstance(name, str) or not re.fullmatch(_HEADER_NAME, name):
            raise ConfigError(f"headers: {name!r} is not a header name", hint="use letters, digits and - only")
        if name.lower() in OWN_HEADERS:
            fix = "pass the key as api_key" if "auth" in name.lower() else "it is set for you"
            raise ConfigError(f"headers: {name} can't be set here", hint=fix)
        bad = re.search(_NOT_IN_HEADER, text) if isinstance(text, str) else None
        if bad or not isinstance(text, str):
            problem = f"contains {bad.group()!r}" if bad else f"is {type_name(text)}"
            hint = "use one line of Latin-1 text, without a line break or control character"
            raise ConfigError(f"headers: the value of {name} {problem}", hint=hint)
    return headers


def _checked_url(value: object, *, allow_plain_http: bool) -> str:
    match = re.fullmatch(_URL, value.strip()) if isinstance(value, str) else None
    if not match or int((match.group(3) or ":1")[1:]) not in range(1, 65536):
        hint = f"leave it out, or write scheme, host and path like {BASE_URL}"
        raise ConfigError(f"base_url={redact(repr(value), None)} is not an http(s) URL", hint=hint)
    scheme, host, path = match.group(1).lower(), match.group(2), (match.group(4) or "").rstrip("/")
    if scheme == "http" and not re.fullmatch(_LOOPBACK, host) and not allow_plain_http:
        hint = f"use https; for a gateway inside your own network set {PLAIN_HTTP_ENV}=1 or allow_plain_http=True"
        raise ConfigError(f"base_url would send the key unencrypted to {host}", hint=hint)
    if path.endswith("/completions"):
        hint = "base_url ends before it, as in https://openrouter.ai/api/v1; each call adds its own path"
        raise ConfigError(f"base_url ends in {path[-30:]}, which is the path of one endpoint", hint=hint)
    return f"{scheme}://{host.lower()}{match.group(3) or ''}{path}"


@dataclass(frozen=True, repr=False)
class LlmConfig:
    """Settings of an Llm; use keywords. A bad value raises a ConfigError that names the field and the fix.

    Settings of the same name in a call override these; Llm.complete describes them.

    provider          "openrouter", the only one
    api_key           argument, else OPENROUTER_API_KEY; never shown in a repr
    model             argument, else OPENROUTER_MODEL, else "openrouter/auto"
    base_url          argument, else OPENROUTER_BASE_URL, else https://openrouter.ai/api/v1
    params            further body fields of every call, such as {"top_p": 0.9}
    log               path of the log; None: OPENROUTER_MIN_LOG, else the default path; False: no log
    log_content       False (or OPENROUTER_MIN_LOG_CONTENT=0) keeps texts of prompts and answers out of the log
    allow_plain_http  True (or OPENROUTER_ALLOW_PLAIN_HTTP=1) allows sending the key over http
    max_cost          USD that this Llm may spend
    max_cost_per_day  USD that all programs with this log may spend in a local day (or OPENROUTER_MAX_COST_PER_DAY)

    When a limit of cost is reached, BudgetError is raised before anything is sent. Calls that are
    running at that moment may exceed it.
    """

    provider: str = "openrouter"
    api_key: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    fallbacks: Sequence[str] = ()
    headers: Mapping[str, str] | None = None
    system_prompt: str | None = None
    base_url: str | None = None
    timeout: float = PROGRESS_TIMEOUT
    connect_timeout: float = CONNECT_TIMEOUT
    deadline: float | None = None
    max_retries: int = MAX_RETRIES
    retry_wait_max: float = RETRY_WAIT_MAX
    max_cost: float | None = None
    max_cost_per_day: float | None = None
    params: Mapping[str, Any] | None = None
    log: LogTarget = None
    log_content: bool = True
    allow_plain_http: bool = False
    session_id: str | None = None
    workspace: str | None = None
    agent_id: str | None = None

    def __new__(cls, *args: Any, **settings: Any) -> LlmConfig:
        if len(args) > POSITIONAL_SETTINGS:
            hint = "name the others, as in fallbacks=['openai/gpt-4']"
            raise ConfigError(f"LlmConfig takes {POSITIONAL_SETTINGS} settings by position, not {len(args)}", hint=hint)
        for name in settings:  # the generated __init__ would raise a TypeError without a hint
            if name not in cls.__dataclass_fields__:
                near = _near_name(name)
                hint = f"did you mean {near}?" if near else "pass body fields of the API in params={...} or in the call"
                raise ConfigError(
                    f"LlmConfig has no setting {name!r}",
                    hint=f"use {_FOREIGN_NAMES[name]}" if name in _FOREIGN_NAMES else hint,
                )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if self.provider != "openrouter":
            hint = "leave it out: the maker goes into model='openai/gpt-4', routing into params={'provider': {...}}"
            raise ConfigError(f"provider={self.provider!r}: only 'openrouter' is built in", hint=hint)
        put = object.__setattr__  # the dataclass is frozen
        key: object = _environment(KEY_ENV) if self.api_key is None else self.api_key
        if key is not None:
            if not isinstance(key, str):
                raise ConfigError(f"api_key is {type_name(key)}, not a str", hint=f"keys: {KEYS_URL}")
            key = key.strip(" \t")
            if not re.fullmatch(r"[!-~]+", key):
                problem = "contains a line break, blank or non-ASCII character" if key else "is empty"
                raise ConfigError(f"api_key {problem}", hint=f"copy it again from {KEYS_URL}, or set {KEY_ENV}")
        put(self, "api_key", key)
        model = self.model if self.model is not None else _environment(MODEL_ENV) or DEFAULT_MODEL
        put(self, "model", checked_model("model", model))
        if isinstance(self.fallbacks, str) or not hasattr(self.fallbacks, "__iter__"):
            raise ConfigError(f"fallbacks={self.fallbacks!r} is not a list", hint="use fallbacks=['openai/gpt-4', ...]")
        put(self, "fallbacks", tuple(checked_model("fallbacks", v) for v in self.fallbacks))
        put(self, "headers", checked_headers(self.headers))
        put(self, "params", _checked_mapping("params", self.params, "{'top_p': 0.9}"))
        check_params(self.params or {}, of_call=False)
        day_limit = _environment(DAY_LIMIT_ENV)
        if self.max_cost_per_day is None and day_limit:
            if _number_or_none(day_limit) is None:
                raise ConfigError(
                    f"{DAY_LIMIT_ENV}={day_limit} is not a number", hint="use an amount in USD, such as 2.50"
                )
            put(self, "max_cost_per_day", _number_or_none(day_limit))
        if (_environment(LOG_CONTENT_ENV) or "").lower() in _OFF:
            put(self, "log_content", False)
        if (_environment(PLAIN_HTTP_ENV) or "").lower() in _ON:
            put(self, "allow_plain_http", True)
        for name in self.__dataclass_fields__:
            check_value(name, getattr(self, name))
        url = self.base_url if self.base_url is not None else _environment(BASE_URL_ENV) or BASE_URL
        put(self, "base_url", _checked_url(url, allow_plain_http=self.allow_plain_http))
        if not isinstance(self.log, (bool, str, _NONE)) and not hasattr(self.log, "__fspath__"):
            raise ConfigError(f"log is {type_name(self.log)}", hint="use a path, None for the default log, or False")

    def __repr__(self) -> str:
        shown = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        shown["api_key"] = "(hidden)" if self.api_key else None
        changed = [f"{f.name}={shown[f.name]!r}" for f in dataclasses.fields(self) if shown[f.name] != f.default]
        return redact(f"LlmConfig({', '.join(changed)})", self.api_key)

    @property
    def key_source(self) -> str:
        """Where the key comes from; the key itself is not shown."""
        if self.api_key and self.api_key == _environment(KEY_ENV):
            return f"the environment variable {KEY_ENV}"
        return "the api_key argument" if self.api_key else "nowhere"


# --- Results --------------------------------------------------------------------------------
# Frozen values that the caller gets, and the table of media types.
# They are made from decoded answers and know nothing of sockets. Only Completion.save writes files.

# Not strict: some models write line breaks inside strings.
_DECODER = json.JSONDecoder(parse_constant=lambda name: None, strict=False)


def decode_json(text: str) -> Any:
    """Decode JSON text; raise ValueError, also if it is nested too deeply."""
    # NaN and Infinity are not JSON, but a paid answer must not be lost because a counter is NaN.
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def plain_iso(text: str) -> str:
    """Return an ISO time in the form that Python reads before 3.11: zone +00:00, no fraction or six digits of it."""
    text = re.sub("[zZ]$", "+00:00", text.strip())
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text) if ":" in text else text
    return re.sub(r"(:\d\d)[.,](\d+)", lambda m: f"{m[1]}.{m[2][:6]:0<6}", text)


def decode_base64(text: str) -> bytes:
    """Decode base64, also URL-safe, with line breaks, without padding, or joined from padded pieces."""
    import base64

    runs = re.findall(r"[^=]+", re.sub(r"\s+", "", text).replace("-", "+").replace("_", "/"))
    return b"".join(base64.b64decode(run + "=" * (-len(run) % 4), validate=True) for run in runs)


def data_of_url(url: str) -> bytes:
    """Return the data in a data URL (RFC 2397); raise ValueError if it is damaged."""
    from urllib.parse import unquote_to_bytes

    head, comma, text = url.partition(",")
    if not comma:
        raise ValueError("a data URL without a comma")
    data = unquote_to_bytes(text)
    return decode_base64(data.decode("latin-1")) if head.lower().endswith(";base64") else data


# (kind of content part, media type or audio format, first bytes, file name extensions). If the bytes match several
# rows, the extension decides.
MEDIA = (
    ("image", "image/png", rb"\x89PNG", "png"),
    ("image", "image/jpeg", rb"\xff\xd8\xff", "jpg jpeg"),
    ("image", "image/gif", rb"GIF8", "gif"),
    ("image", "image/webp", rb"RIFF....WEBP", "webp"),
    ("file", "application/pdf", rb"%PDF-", "pdf"),
    ("audio", "wav", rb"RIFF....WAVE", "wav"),
    ("audio", "mp3", rb"ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa\xfb]", "mp3"),
    ("audio", "flac", rb"fLaC", "flac"),
    ("audio", "ogg", rb"OggS", "ogg oga opus"),
    ("audio", "aiff", rb"FORM....AIF", "aiff aif"),
    ("audio", "aac", rb"\xff[\xf0\xf1\xf8\xf9]", "aac"),
    ("audio", "m4a", rb"....ftypM4A", "m4a"),
    ("video", "video/mov", rb"....ftypqt", "mov"),
    ("video", "video/mp4", rb"....ftyp(?!hei|hev|mif|msf|avi)", "mp4 m4v"),  # not an HEIC or AVIF picture
    ("audio", "m4a", rb"....ftyp(?!hei|hev|mif|msf|avi)", "m4a"),
    ("video", "video/webm", rb"\x1aE\xdf\xa3", "webm"),
    ("video", "video/mpeg", rb"\x00\x00\x01[\xb3\xba]", "mpeg mpg"),
)


def media_rows(data: bytes) -> list[tuple[str, str, bytes, str]]:
    """Return the rows of MEDIA that match the first bytes of a file."""
    return [row for row in MEDIA if re.match(row[2], data, re.S)]


class Headers(_HeaderDict):
    """The headers of an answer: a dict whose look-up ignores letter case."""

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__((str(name).lower(), value) for name, value in items)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a header, or the default."""
        return super().get(name.lower(), default)


@dataclass(frozen=True)
class Usage:
    """Tokens and cost of one answer, or the sum of several.

    ``prompt_tokens`` includes the tokens read from and written to the cache, ``completion_tokens``
    the reasoning tokens. ``cost`` is USD as the server reported it, else None. In a sum, ``cost``
    covers the answers of known cost, and ``unpriced`` counts the others.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float | None = None
    is_byok: bool = False
    upstream_cost: float | None = None
    unpriced: int = 0

    @classmethod
    def from_wire(cls, value: object) -> Usage:
        """Read a ``usage`` object, old or new; the Responses API calls its counters input and output."""
        usage = _dict(value)
        prompt, completion = ("prompt", "completion") if "prompt_tokens" in usage else ("input", "output")
        inside = _dict(usage.get(f"{prompt}_tokens_details"))
        outside = _dict(usage.get(f"{completion}_tokens_details"))
        sent, made = _count(usage, f"{prompt}_tokens"), _count(usage, f"{completion}_tokens")
        return cls(
            sent,
            made,
            _count(usage, "total_tokens") or sent + made,
            _count(inside, "cached_tokens"),
            _count(inside, "cache_write_tokens"),
            _count(outside, "reasoning_tokens"),
            _amount(usage.get("cost")),
            usage.get("is_byok") is True,
            _amount(_dict(usage.get("cost_details")).get("upstream_inference_cost")),
        )

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented

        def known_sum(a: Any, b: Any) -> Any:
            if a is None or b is None:
                return b if a is None else a
            return a or b if isinstance(a, bool) else a + b

        return Usage(*(known_sum(getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class ToolCall:
    """A call of a function that the model asks for; ``arguments`` is JSON text, '' if there are none."""

    id: str
    name: str
    arguments: str = ""

    @property
    def args(self) -> Any:
        """The decoded arguments, {} for ''; raises APIResponseError if they are not JSON."""
        try:
            return decode_json(self.arguments) if self.arguments.strip() else {}
        except ValueError as error:
            hint = "if completion.truncated is true, raise max_tokens; else tell the model what was wrong"
            raise APIResponseError(f"the arguments of {self.name} are not JSON: {error}", hint=hint) from None


@dataclass(frozen=True)
class Attempt:
    """One request of an operation: HTTP status, or None without an answer; the error; the wait after it."""

    models: tuple[str, ...]
    status: int | None = None
    error: str | None = None
    waited_s: float = 0.0


# How providers name the token limit. It may stand in native_finish_reason while finish_reason is "tool_calls".
_LIMIT_REASONS = frozenset("length max_tokens max_output_tokens model_length model_context_window_exceeded".split())

# After these a tool call may be incomplete.
_CUT_REASONS = frozenset("content_filter safety recitation malformed_function_call error".split())

# Fields that Completion.message builds itself; all other fields go back to the service unchanged.
_MESSAGE_FIELDS = ("role", "content", "tool_calls", "reasoning_details", "reasoning", "refusal", "annotations", "audio")
_SHOWN_CONTENT = 120  # characters of the text in a repr, so that a repr fits on three lines


def _message(choice: Json) -> Json:
    return _dict(choice.get("message") or choice.get("delta"))


def first_choice(body: Json) -> Json:
    """Return the choice of index 0, else the first choice, else {}."""
    choices = _dicts(body.get("choices"))
    return next((c for c in choices if not c.get("index")), choices[0] if choices else {})


@dataclass(frozen=True, repr=False)
class Completion:
    """A whole answer; ``str()`` of it is its text. A field that the service did not send is None or empty.

    model        the model that answered; requested_model is the one that was asked
    provider     the company that ran the model
    cost         USD; cost_source is "reported" or "estimated". Both are None if the cost is unknown
    images       URLs; files adds the sound; save(folder) writes both
    message      what to append to the history
    parsed       the value that ``schema=`` asked for
    headers      of the answer; look-up ignores letter case
    raw          the decoded answer; of a stream, the answer that its chunks make up
    rounds       if functions ran: the messages between question and answer. Then usage, cost and
                 attempts are the sums of all rounds, and latency_ms includes the functions.
    """

    content: str = ""
    reasoning: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    model: str | None = None
    requested_model: str | None = None
    provider: str | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    usage: Usage = Usage()
    cost: float | None = None
    cost_source: str | None = None
    id: str | None = None
    created: int | None = None
    latency_ms: int | None = None
    first_token_ms: int | None = None
    attempts: list[Attempt] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    audio: Json | None = None
    annotations: list[Json] = field(default_factory=list)
    reasoning_details: list[Json] = field(default_factory=list)
    refusal: str | None = None
    logprobs: Json | None = None
    parsed: Any = None
    rounds: list[Json] = field(default_factory=list, repr=False)
    headers: Mapping[str, str] = field(default_factory=Headers, repr=False, compare=False)
    raw: Json = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.content

    def __repr__(self) -> str:
        names = [call.name for call in self.tool_calls]
        about = {
            "tool_calls": names if len(names) < 3 else [*names[:2], "..."],
            "files": len(self.files),
            "model": self.model,
            "finish_reason": self.finish_reason,
            "tokens": self.usage.total_tokens,
            "cost": self.cost,
            "id": self.id,
        }
        shown = ", ".join(f"{name}={value!r}" for name, value in about.items() if value)
        room = max(20, _SHOWN_CONTENT - len(shown) // 2)
        text = self.content if len(self.content) <= room else self.content[:room] + "..."
        return f"Completion({text!r}, {shown})" if shown else f"Completion({text!r})"

    def _repr_markdown_(self) -> str:
        """Show as its text in notebooks."""
        return self.content

    @property
    def truncated(self) -> bool:
        """Whether a token limit cut the answer; the arguments of a tool call may then be incomplete JSON."""
        reasons = (self.finish_reason, self.native_finish_reason)
        return any(r is not None and r.lower() in _LIMIT_REASONS for r in reasons)

    @property
    def files(self) -> list[str]:
        """URLs of the images and the sound in the answer: data URLs, or links."""
        sound = _str(_dict(self.audio).get("data"))
        return [*self.images, *([f"data:audio/x;base64,{sound}"] if sound else [])]

    def save(self, folder: Any) -> list[str]:
        """Write the images and the sound of the answer into a folder, and return the paths.

        A file that the answer only links to is not downloaded: the list has its URL instead of a
        path. The folder is made if needed. Raises OSError, and ValueError for a damaged file.
        """
        saved = []
        os.makedirs(folder, exist_ok=True)
        for number, url in enumerate(self.files, 1):
            if url[:5].lower() != "data:":
                saved.append(url)
                continue
            data = data_of_url(url)
            endings = [row[3].split()[0] for row in media_rows(data)]
            ending = endings[0] if endings else "svg" if b"<svg" in data[:1000] else "bin"
            stem, copy = re.sub("[^A-Za-z0-9_-]", "_", self.id or "answer"), 1
            path = os.path.join(folder, f"{stem}-{number}.{ending}")
            while os.path.exists(path):  # some gateways give every answer the same id
                copy += 1
                path = os.path.join(folder, f"{stem}-{number}-{copy}.{ending}")
            with open(path, "wb") as file:
                file.write(data)
            saved.append(path)
        return saved

    @property
    def messages(self) -> list[Json]:
        """What to add to the history: the rounds of functions, if there were any, and the message."""
        return [*self.rounds, self.message]

    @property
    def message(self) -> Json:
        """The assistant message for the history, with every field that the service may need again."""
        raw = _message(first_choice(self.raw))
        raw_calls = _dicts(raw.get("tool_calls"))
        if len(raw_calls) != len(self.tool_calls):
            raw_calls = [{}] * len(self.tool_calls)
        calls = []
        for call, raw_call in zip(self.tool_calls, raw_calls):
            function = {**_dict(raw_call.get("function")), "name": call.name, "arguments": call.arguments}
            extra = {k: v for k, v in raw_call.items() if k != "index" and v is not None}
            calls.append({**extra, "id": call.id, "type": raw_call.get("type") or "function", "function": function})
        sound_id = _dict(self.audio).get("id")
        fields = {
            "tool_calls": calls,
            "reasoning_details": self.reasoning_details,
            "reasoning": None if self.reasoning_details else raw.get("reasoning"),
            "refusal": self.refusal,
            "annotations": self.annotations,
            "audio": {"id": sound_id} if sound_id else None,  # the service keeps the sound under its id
            **{k: v for k, v in raw.items() if k not in _MESSAGE_FIELDS},
        }
        return {"role": "assistant", "content": self.content, **{k: v for k, v in fields.items() if v}}


@dataclass(frozen=True)
class Chunk:
    """One event of a stream; ``tool_calls`` are fragments, the Completion has the whole calls."""

    content: str = ""
    reasoning: str = ""
    tool_calls: list[Json] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage | None = None
    raw: Json = field(default_factory=dict, repr=False)


class Embeddings(_VectorList):
    """A list of vectors in the order of the texts, with usage and cost."""

    def __init__(
        self,
        vectors: Iterable[list[float]],
        *,
        usage: Usage | None = None,
        cost: float | None = None,
        cost_source: str | None = None,
        model: str | None = None,
        raw: Json | None = None,
    ) -> None:
        super().__init__(vectors)
        self.usage = usage or Usage()
        self.cost = cost
        self.cost_source = cost_source
        self.model = model
        self.raw: Json = raw or {}


def join_surrogates(text: str, alone: str = "surrogatepass") -> str:
    """Join the two halves of a character (a surrogate pair) that arrived in two JSON strings.

    ``alone``: how the codec handles a half without its other half; "replace" makes it U+FFFD.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", alone)
    return text


def text_of(content: object) -> str:
    """Return the text of a message content: a string, a list of parts, null, or (from some gateways) other JSON."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return _str(content.get("text")) if "text" in content or "type" in content else json.dumps(content)
    return join_surrogates("".join(_str(part.get("text")) for part in _dicts(content)))


# --- Wire format ----------------------------------------------------------------------------
# Turns dicts into request bodies, and the bytes of answers into decoded JSON.
# This section is pure: it uses no clock, socket or file, so a test can call all of it directly.


def checked_messages(value: object) -> list[Json]:
    """Return a history as a list; raise ConfigError if it can't be sent."""
    if not isinstance(value, (list, tuple)):
        hint = "use messages=[{'role': 'user', 'content': '...'}]; for a plain prompt use complete()"
        raise ConfigError(f"messages is {type_name(value)}, not a list", hint=hint)
    if not value:
        raise ConfigError("messages is empty", hint="give at least one {'role': 'user', 'content': '...'}")
    for i, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            hint = "use {'role': 'user', 'content': '...'}; for an answer append completion.message"
            raise ConfigError(f"messages[{i}] is not a dict with a role: {redact(repr(message)[:80], None)}", hint=hint)
    return list(value)


def build_body(config: LlmConfig, messages: list[Json], params: Json, *, stream: bool) -> Json:
    """Return the body of POST /chat/completions: what the caller asked for, and nothing else."""
    sent_settings = [name for name, where in WHERE.items() if where == "both"]
    fields: Json = {name: getattr(config, name) for name in sent_settings if name not in params}
    fields.update(config.params or {}, **({"stream": True} if stream else {}))
    fields.update((k, v) for k, v in params.items() if WHERE.get(k, "body") in ("body", "both"))
    body: Json = {"model": config.model, "messages": messages}
    body.update((k, v) for k, v in fields.items() if v is not None or k not in sent_settings)
    if "models" in body:
        if config.fallbacks:
            raise ConfigError("both fallbacks and models are given", hint="they mean the same: keep fallbacks")
        if config.model == DEFAULT_MODEL and "model" not in params:
            del body["model"]  # the caller did not ask for it, and it would be tried first
    return body


def with_models(body: Json, models: Sequence[str]) -> Json:
    """Return the body for one request: one model as ``model``, several as ``models``."""
    if len(models) < 2:
        return {**body, "model": models[0]} if models else body
    return {"models": list(models), **{k: v for k, v in body.items() if k != "model"}}


def encode_body(body: object) -> bytes:
    """Encode as compact JSON; raise a ConfigError that names the field that JSON can't carry."""

    def encoded(value: object) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    try:
        text = encoded(body)
    except (TypeError, ValueError, RecursionError) as problem:
        name = "the body"
        for field_name, value in _dict(body).items():
            try:
                encoded(value)
            except (TypeError, ValueError, RecursionError):
                name = field_name
        hint = "use strings, numbers, booleans, None, lists and dicts"
        raise ConfigError(f"{name} can't be sent as JSON: {problem}", hint=hint) from None
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can escape but UTF-8 can't encode
        return json.dumps(body, separators=(",", ":")).encode()


class SSEDecoder:
    """Split bytes into server-sent events, as the WHATWG standard defines; pieces may be cut anywhere.

    Lines end at CR, LF or CRLF only (U+2028 is legal inside JSON); comments are dropped; several
    ``data`` lines are joined. ``pending`` counts the bytes of an incomplete event, so that a
    caller can tell data from keep-alive comments.
    """

    def __init__(self) -> None:
        self.stray: list[bytes] = []  # the first lines that are not fields of events, such as an error in plain JSON
        self._line: list[bytes] = []  # the pieces of an incomplete line
        self._line_size = 0
        self._name = ""
        self._data: list[bytes] = []
        self._data_size = 0
        self._after_cr = False
        self._at_start = True

    @property
    def pending(self) -> int:
        """Bytes of an incomplete event; comment lines don't count."""
        is_data = bool(self._line) and b"data".startswith(b"".join(self._line[:2])[:4])
        return self._data_size + (self._line_size if is_data else 0)

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Return (name, data) of each event that this piece completes."""
        if self._after_cr and data:
            data = data[1:] if data[:1] == b"\n" else data
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, newline, tail = data.rpartition(b"\n")
        lines: list[bytes] = []
        if newline:
            lines = (b"".join(self._line) + head if self._line else head).split(b"\n")
            self._line, self._line_size = [], 0
            if self._at_start and lines[0][:3] == b"\xef\xbb\xbf":
                lines[0] = lines[0][3:]
            self._at_start = False
        self._line_size += len(tail)
        if self._line and len(tail) < 1024 and len(self._line[-1]) < 1024:
            self._line[-1] += tail  # a server that sends single bytes must not make a list of them
        elif tail:
            self._line.append(tail)
        events = []
        for line in lines:
            name, _, value = line.partition(b":")
            if name == b"data" or name == b"error":  # llama.cpp writes errors in a field "error"
                self._data.append(value[1:] if value[:1] == b" " else value)
                self._data_size += len(value) + 1
                if name == b"error":
                    self._name = "error"
            elif name == b"event":
                self._name = str(value.strip(), "utf-8", "replace")
            elif not line:
                if self._data:
                    events.append((self._name, b"\n".join(self._data)))
                    self._data, self._data_size = [], 0
                self._name = ""
            elif name not in (b"", b"id", b"retry") and len(self.stray) < STRAY_LINES:
                self.stray.append(line)
        return events


# How the values of deltas become one message: these grow. Of other fields the last value that is not null is kept.
_TEXT_KEYS = ("content", "reasoning", "reasoning_content", "refusal")
_OUTPUT_KEYS = frozenset([*_TEXT_KEYS, "tool_calls", "reasoning_details", "images", "audio"])
_GROWING_KEYS = frozenset(["text", "summary", "data", "transcript"])  # inside reasoning blocks and audio
_LAST_EVENTS = ("response.completed", "response.incomplete", "message_stop")  # of /responses and /messages


def is_half(character: str) -> bool:
    """Return whether this is the first half of a surrogate pair."""
    return "\ud800" <= character <= "\udbff"


def _argument_text(function: Json) -> str:
    """Return the arguments of a call as JSON text; some providers send an object, or use another name."""
    arguments = function.get("arguments")
    if arguments is None:
        arguments = function.get("parameters", function.get("input", function.get("args")))
    return arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)


def _is_json(text: str) -> bool:
    try:
        decode_json(text)
    except ValueError:
        return False
    return True


def merge_tool_calls(calls: list[Json], fragments: object) -> None:
    """Merge fragments into calls. A new id or name begins a new call, even under the same ``index``.

    A fragment without a name continues the call of its index, or the last call if the arguments
    of that one are incomplete. Without ids, a repeated name begins a new call if the arguments
    so far are complete.
    """
    for fragment in _dicts(fragments):
        call_id, function = _str(fragment.get("id")), _dict(fragment.get("function"))
        name, arguments = _str(function.get("name")), _argument_text(function)
        index = _int_or_none(fragment.get("index"))
        same = [c for c in calls if index is None or c["index"] == index]
        known = [c for c in calls if call_id and c["id"] == call_id]
        if known and (index is None or not name):
            same = [c for c in known if c in same] or known
        call = same[-1] if same else None
        begun = calls[-1]["function"]["arguments"] if calls and not known and call in (None, calls[-1]) else ""
        if not name and arguments and begun and not _is_json(begun):
            call = calls[-1]  # some servers send a new index or a new id with each fragment
        elif call is not None:
            held = call["function"]
            is_other_id = bool(call_id and call["id"] and call["id"] != call_id)
            is_other_name = bool(name and held["name"] and held["name"] != name)
            is_again = bool(name and held["name"] == name and not call_id and arguments and _is_json(held["arguments"]))
            if is_other_id or is_other_name or is_again:
                call = known[-1] if known and not is_other_name else None
        if call is None:
            place = index if index is not None else calls[-1]["index"] + 1 if calls else 0
            call = {"index": place, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            calls.append(call)
        held = call["function"]
        held.update((k, v) for k, v in function.items() if k not in held and v is not None)
        held["name"] = held["name"] or name
        so_far = held["arguments"]
        is_whole = bool(so_far) and arguments[:1] == "{" and _is_json(arguments) and not _is_json(so_far + arguments)
        if is_whole and (_is_json(so_far) or arguments.startswith(so_far)):
            so_far = ""  # the same call is sent again, or its real arguments after a first {}
        held["arguments"] = so_far + arguments
        call["id"] = call["id"] or call_id
        call.update((k, v) for k, v in fragment.items() if k not in ("index", "id", "function") and v)


def _merge(target: Json, piece: Json) -> None:
    """Append to texts and lists that grow; of other fields keep the last value that is not empty."""
    for key, value in piece.items():
        held = target.get(key)
        if key in _GROWING_KEYS and isinstance(value, str):
            target[key] = _str(held) + value
        elif isinstance(value, list) and isinstance(held, list):
            held.extend(value)
        elif value or held is None:
            target[key] = list(value) if isinstance(value, list) else value


def _merge_reasoning(details: list[Json], fragments: object) -> None:
    """Merge fragments with the same type, index and id; a fragment without an index stays as it is.

    Two types may share an index, and so may the encrypted blocks of two calls, whose ids differ.
    Claude sends many texts and then a signature for each block.
    """
    for fragment in _dicts(fragments):
        index, detail_type, detail_id = fragment.get("index"), fragment.get("type"), fragment.get("id")
        same = [d for d in details if d.get("index") == index and d.get("type") == detail_type]
        same = [d for d in same if not detail_id or d.get("id") in (None, detail_id)]
        if not isinstance(index, int) or not same:
            same = [{}]
            details += same
        _merge(same[-1], fragment)


def _joined(message: Json) -> Json:
    """Return a message with its texts joined, its tool calls sorted, and its base64 decodable."""
    whole: Json = {k: join_surrogates("".join(v), "replace") if k in _TEXT_KEYS else v for k, v in message.items()}
    whole.setdefault("content", "")
    if "tool_calls" in whole:
        for call in whole["tool_calls"]:
            call["function"]["arguments"] = join_surrogates(call["function"]["arguments"])
        whole["tool_calls"] = sorted(whole["tool_calls"], key=lambda call: call["index"])
    for grown in (*_dicts(whole.get("reasoning_details")), _dict(whole.get("audio"))):
        grown.update((k, join_surrogates(v)) for k, v in grown.items() if k in _GROWING_KEYS and isinstance(v, str))
    sound = _str(_dict(whole.get("audio")).get("data"))
    if "=" in sound.rstrip("="):  # joined from pieces that each have padding
        import base64

        with contextlib.suppress(ValueError):
            whole["audio"] = {**whole["audio"], "data": base64.b64encode(decode_base64(sound)).decode()}
    return whole


def _reasoning_text(message: Json, details: list[Json]) -> str | None:
    for key in ("reasoning", "reasoning_content"):
        if isinstance(message.get(key), str):
            return str(message[key])
    return "".join(_str(d.get("text")) or _str(d.get("summary")) for d in details) or None


def _has_text(delta: Json) -> bool:
    return any(bool(value) for key, value in delta.items() if key != "role")


class ChunkAssembler:
    """Assemble the chunks of a stream into the body that a plain answer would have.

    ``is_single``: the request asked for one answer. Then the index of a choice is ignored: some
    servers increase it with each chunk.
    """

    def __init__(self, *, is_single: bool = True) -> None:
        self._is_single = is_single
        self._envelope: Json = {}
        self._choices: dict[int, Json] = {}
        self._is_over = False
        self._halves: dict[str, str] = {}  # by field: the first half of a character that is still incomplete
        self._has_wide_text = False  # whether a text was not ASCII: only then can a character be cut
        self._has_deltas = False
        self._last_index = 0
        self._has_reason = False  # whether a finish_reason has arrived: keeps has_finish cheap before that
        self.has_mixed = False  # whether chunks of several answers are mixed, though one was asked for
        self.has_output = False

    @property
    def has_finish(self) -> bool:
        """Whether every answer that has begun is finished; with ``n`` there may be several.

        If the index of the choices increases, only [DONE] proves that the last one has arrived.
        """
        if not self._has_reason or self._last_index:
            return self._is_over
        return all(choice["finish_reason"] for choice in self._choices.values())

    def add(self, chunk: Json) -> Json:
        """Add a chunk and return what it adds to the first answer; unexpected types are ignored."""
        new: Json = {}
        for key, value in chunk.items():
            if key == "choices":
                choices = _dicts(value)
                for choice in choices:
                    new = self._add_choice(choice) or new
                if len(choices) > 1 and self._is_single:
                    with_text = [choice for choice in choices if _has_text(_dict(choice.get("delta")))]
                    self.has_mixed = self.has_mixed or len(with_text) > 1
            elif key == "usage":
                self.add_usage(value)
            elif value is not None and value != "":
                self._envelope[key] = value
        if "type" in chunk:  # an event of /responses or /messages, which contain their answer
            self._is_over = self._is_over or chunk["type"] in _LAST_EVENTS
            self.add(
                {k: v for k, v in (_dict(chunk.get("response")) or _dict(chunk.get("message"))).items() if k != "type"}
            )
        if "x_groq" in chunk:
            self.add_usage(_dict(chunk["x_groq"]).get("usage"))
        return new

    def add_usage(self, value: object) -> None:
        """Add a usage; one without counters, or with zeros, does not change an earlier one."""
        held = self._envelope.setdefault("usage", {})
        held.update((k, v) for k, v in _dict(value).items() if v or k not in held)

    def _add_choice(self, piece: Json) -> Json:
        index = piece.get("index") or 0
        index = index if isinstance(index, int) and index > 0 else 0
        if self._is_single:
            self.has_mixed = self.has_mixed or index < self._last_index and _has_text(_dict(piece.get("delta")))
            self._last_index, index = max(index, self._last_index), 0
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = {"index": index, "message": {"role": "assistant"}, "finish_reason": None}
        message, new = choice["message"], _dict(piece.get("delta"))
        if new:
            self._has_deltas = True
            self._add_delta(message, new)
            if "reasoning_details" in new and not new.get("reasoning"):
                text = _reasoning_text(new, _dicts(new["reasoning_details"])) or ""
                new = {**new, "reasoning": text}
                self._has_wide_text = self._has_wide_text or not text.isascii()
        if "message" in piece:  # a snapshot of the answer so far
            new = {**new, **self._add_snapshot(message, _dict(piece["message"]))}
        for key, value in piece.items():
            if value is None or key in ("index", "delta", "message"):
                continue
            if key == "logprobs":
                _merge(choice.setdefault(key, {}), _dict(value))
            elif key in ("finish_reason", "native_finish_reason"):
                if not choice.get(key) or isinstance(value, str) and value.lower() in _LIMIT_REASONS:
                    choice[key] = value  # else keep the first; it may be sent twice
                    self._has_reason = True
            elif key == "usage":
                self.add_usage(value)
            else:
                choice[key] = value
        if index:
            return {}
        return self._whole_characters(new) if self._has_wide_text else new

    def _add_delta(self, message: Json, delta: Json) -> None:
        for key, value in delta.items():
            new = text_of(value) if key in _TEXT_KEYS else value
            if not new or key == "role":
                continue
            if key in _TEXT_KEYS:
                message.setdefault(key, []).append(new)  # joined at the end
                self._has_wide_text = self._has_wide_text or not new.isascii()
            elif key == "tool_calls":
                merge_tool_calls(message.setdefault(key, []), new)
            elif key == "reasoning_details":
                _merge_reasoning(message.setdefault(key, []), new)
            elif key in ("images", "annotations"):
                message.setdefault(key, []).extend(_list(new))
            elif key == "audio":
                _merge(message.setdefault(key, {}), _dict(new))
            else:
                message[key] = new
            self.has_output = self.has_output or key in _OUTPUT_KEYS

    def _add_snapshot(self, message: Json, snapshot: Json) -> Json:
        """Add what a snapshot has and the deltas lacked; return it as a delta."""
        new: Json = {}
        for key, value in snapshot.items():
            held = message.get(key)
            if key in _TEXT_KEYS:
                text, so_far = text_of(value), "".join(held or ())
                # Next to deltas a snapshot may only add what they left out; without them it may be one more piece.
                if is_half(so_far[-1:]) and text.startswith(so_far[:-1]) and not text.startswith(so_far):
                    so_far = so_far[:-1]  # the snapshot contains the whole character
                    message[key][-1] = message[key][-1][:-1]
                    self._halves.pop(key, None)
                if not text.startswith(so_far):
                    text = so_far + ("" if self._has_deltas else text)
                if len(text) > len(so_far):
                    new[key] = text[len(so_far) :]
            elif not held:
                new[key] = value
        self._add_delta(message, new)
        return new

    def _whole_characters(self, delta: Json) -> Json:
        """Hold back the first half of a character until its second half arrives."""
        delta = dict(delta)
        for key in _TEXT_KEYS:
            text = self._halves.pop(key, "") + text_of(delta.get(key))
            if is_half(text[-1:]):
                self._halves[key], text = text[-1], text[:-1]
            if text or delta.get(key):
                delta[key] = join_surrogates(text)
        return delta

    def body(self) -> Json:
        """Return the answer so far in the form of a plain one."""
        choices = [{**choice, "message": _joined(choice["message"])} for _, choice in sorted(self._choices.items())]
        envelope = {k: v for k, v in self._envelope.items() if k != "usage" or v}
        return {**envelope, "choices": choices}


def decode_completion(
    body: Json,
    *,
    requested_model: str | None = None,
    attempts: Sequence[Attempt] = (),
    latency_ms: int | None = None,
    first_token_ms: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Completion:
    """Decode a plain or assembled answer; fields that we don't know are in ``raw``."""

    def image_url(image: object) -> str:
        url = _dict(image).get("image_url", image)
        found = _str(url) or _str(_dict(url).get("url"))
        data = _str(_dict(url).get("b64_json"))
        return f"data:image/png;base64,{data}" if data and not found else found

    def tool_call(number: int, call: Json) -> ToolCall:
        function = _dict(call.get("function"))
        call_id = _str(call.get("id")) or f"call_{number}"  # the message with its result needs an id
        return ToolCall(call_id, _str(function.get("name")), _argument_text(function))

    choice = first_choice(body)
    message = _message(choice)
    usage = Usage.from_wire(body.get("usage"))
    model = _str_or_none(body.get("model"))
    details = _dicts(message.get("reasoning_details"))
    image_parts = [part for part in _dicts(message.get("content")) if "image_url" in part]
    cost, source = cost_of(model or requested_model, usage)
    return Completion(
        content=text_of(message.get("content")),
        reasoning=_reasoning_text(message, details),
        tool_calls=[tool_call(i, c) for i, c in enumerate(_dicts(message.get("tool_calls")))],
        model=model,
        requested_model=requested_model,
        provider=_str_or_none(body.get("provider")),
        finish_reason=_str_or_none(choice.get("finish_reason")),
        native_finish_reason=_str_or_none(choice.get("native_finish_reason")),
        usage=usage,
        cost=cost,
        cost_source=source,
        id=_str_or_none(body.get("id")) or (headers or {}).get("X-Generation-Id"),
        created=_int_or_none(body.get("created")),
        latency_ms=latency_ms,
        first_token_ms=first_token_ms,
        attempts=list(attempts),
        images=list(dict.fromkeys(filter(None, map(image_url, [*_list(message.get("images")), *image_parts])))),
        audio=message.get("audio") if isinstance(message.get("audio"), dict) else None,
        annotations=_dicts(message.get("annotations")),
        reasoning_details=details,
        refusal=_str_or_none(message.get("refusal")),
        logprobs=choice.get("logprobs") if isinstance(choice.get("logprobs"), dict) else None,
        headers=headers or Headers(),
        raw=body,
    )


def decode_chunk(event: Event) -> Chunk:
    """Decode one event of a stream for the caller."""
    chunk, delta = event
    usage = chunk.get("usage")
    choice = next((c for c in _dicts(chunk.get("choices")) if not c.get("index")), {})
    return Chunk(
        content=text_of(delta.get("content")),
        reasoning=_reasoning_text(delta, _dicts(delta.get("reasoning_details"))) or "",
        tool_calls=_dicts(delta.get("tool_calls")),
        finish_reason=_str_or_none(choice.get("finish_reason")),
        usage=Usage.from_wire(usage) if isinstance(usage, dict) else None,
        raw=chunk,
    )


def chunk_text(event: Event) -> str:
    """Return the text that an event adds to the answer."""
    content = event[1].get("content")
    return content if isinstance(content, str) else text_of(content)


def answer_text(completion: Completion) -> str | None:
    """Return the text of an answer of /chat/completions, /responses or /messages."""
    body = completion.raw
    inside = [text_of(item.get("content")) for item in _dicts(body.get("output"))]
    return completion.content or completion.refusal or "".join(inside) or text_of(body.get("content")) or None


_EMPTY_HINT = "the model may be starting, and this was not billed: try again in a minute, or name fallbacks"


def shown_body(text: str) -> str:
    """Return the first words of an unreadable body on one line; of an HTML page without its tags."""
    if re.match(r"\s*<", text):
        text = re.sub(r"(?is)<(script|style).*?</\1>|<[^>]*>", " ", text[: 64 * 1024])
    text = " ".join(text[: 16 * SHOWN_BODY].split())
    return text if len(text) <= SHOWN_BODY else text[:SHOWN_BODY] + "..."


def check_generation(completion: Completion) -> None:
    """Raise APIResponseError for an answer without choices and for an empty generation.

    A generation is empty if it has no output, no completion tokens and no finish_reason, as from
    a model that is still starting (API page, "Failures that arrive with HTTP 200"). Empty content
    with ``stop`` or ``length`` is a valid answer.
    """
    output = "content reasoning tool_calls refusal images audio reasoning_details finish_reason".split()
    problem, hint = "", _EMPTY_HINT
    if not _list(completion.raw.get("choices")):
        problem = "the answer has no choices: " + shown_body(json.dumps(completion.raw))
        hint = "nothing was generated; try again, or name fallbacks"
    elif not completion.usage.completion_tokens and not any(getattr(completion, name) for name in output):
        problem = "the model generated nothing (no text, no tokens, no finish_reason)"
    is_billed = bool(completion.usage.completion_tokens or completion.usage.cost)
    if is_billed:
        price = "" if completion.cost is None else f" ({completion.cost} USD)"
        hint = f"it was billed{price}, so it was not sent again"
    if problem:
        raise APIResponseError(problem, hint=hint, retryable=not is_billed)


def decode_embeddings(body: Json, requested_model: str | None, count: int) -> Embeddings:
    """Decode the answer of POST /embeddings, also base64 vectors (little-endian float32)."""
    import struct

    def vector(value: object) -> list[float]:
        if not isinstance(value, str):
            return _list(value)
        try:
            data = decode_base64(value)
            return list(struct.unpack(f"<{len(data) // 4}f", data))
        except (ValueError, struct.error):
            return []

    entries = _dicts(body.get("data"))
    places = [_int_or_none(_number_or_none(entry.get("index"))) for entry in entries]
    if sorted(place for place in places if place is not None) == list(range(len(entries))):
        entries = [entries[places.index(i)] for i in range(len(entries))]
    usage = Usage.from_wire(body.get("usage"))
    model = _str_or_none(body.get("model"))
    cost, source = cost_of(model or requested_model, usage)
    vectors = [vector(entry.get("embedding")) for entry in entries]
    if len(vectors) != count or not all(vectors):
        raise APIResponseError(
            f"the answer has {sum(map(bool, vectors))} embeddings for {count} texts: {shown_body(json.dumps(body))}",
            hint="send fewer texts at once, or use another model",
        )
    return Embeddings(vectors, usage=usage, cost=cost, cost_source=source, model=model, raw=body)


def find_error(body: object) -> Json | None:
    """Return the error in a decoded 200 body or chunk, as {"error": …}, else None."""
    if not isinstance(body, dict):
        return None
    if body.get("error"):
        return body
    for choice in _dicts(body.get("choices")):
        if choice.get("error") or choice.get("finish_reason") == "error":
            unnamed = {"code": 502, "message": "the provider ended the answer with an error"}
            return {"error": choice.get("error") or unnamed, "usage": body.get("usage")}
    if body.get("type") in ("error", "response.failed"):  # /messages and /responses
        return {"error": _dict(body.get("response")).get("error") or body}
    if "choices" not in body and "code" in body and isinstance(body.get("message"), str):  # from a gateway
        return {"error": body}
    return None


def _upstream_text(raw: object) -> str:
    """Return the message of a provider's own error: inside JSON of any shape, else the text itself."""
    if isinstance(raw, str):
        try:
            return _upstream_text(decode_json(raw)) or raw
        except ValueError:
            return raw
    fields = _dict(raw)
    for key in ("error", "message", "detail", "msg"):
        value = fields.get(key)
        if value:
            return value if isinstance(value, str) else _upstream_text(value) or json.dumps(value)
    return json.dumps(raw) if fields else ""


def _usage_in(body: object) -> Json | None:
    """Return the usage inside an error, or next to it."""
    error = _dict(_dict(body).get("error"))
    for holder in (_dict(body), error, _dict(error.get("metadata"))):
        if isinstance(holder.get("usage"), dict):
            return _dict(holder["usage"])
    return None


class AnswerReader:
    """Decode one answer: feed() takes bytes and returns events; end() sets the result or raises.

    An event is (chunk, delta): the decoded JSON, and what it adds to the first answer. A plain
    body is one event. ``is_completion``: the answer of a chat. If its content type is missing or
    wrong, its first bytes decide whether it is a stream. For other answers the content type
    decides, and a body that is neither JSON nor a stream is returned as bytes.
    """

    def __init__(self, content_type: str, *, is_completion: bool, is_single: bool = True) -> None:
        self._content_type = content_type.lower()
        self._is_completion = is_completion
        self._assembler = ChunkAssembler(is_single=is_single)
        self._decoder = SSEDecoder()
        self._parts: list[bytes] = []  # of a plain body, or of a body of still unknown form
        self._plain: Json = {}
        self._has_begun = False
        self.is_stream: bool | None = None  # None: not known yet
        self.is_done = False  # whether [DONE] has arrived
        self.has_data = False  # whether the last piece was more than keep-alive
        self.has_output = False
        self.error: Json | None = None  # the error in the answer, wherever it stands
        self.is_error_late = False  # whether there was output before the error
        self.failure: APIResponseError | None = None  # an event that can't be read; the events before it are good
        self.result: Any = None  # set by end(): the body, decoded or as bytes

    @property
    def has_finish(self) -> bool:
        """Whether every answer that has begun is finished."""
        return self._assembler.has_finish

    def body(self) -> Json:
        """Return the answer so far in the form of a plain one."""
        return self._plain or self._assembler.body()

    def text(self) -> str:
        """Return the plain body so far, as text."""
        return str(b"".join(self._parts), "utf-8-sig", "replace")

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that this piece completes."""
        if not self.is_stream:
            self._parts.append(data)
            self.has_data = bool(data.strip())
            if self.is_stream is None and self.has_data:
                data = b"".join(self._parts)
                self.is_stream = self._looks_like_stream(data)
            if not self.is_stream:
                return []
            self._parts = []
        held = self._decoder.pending
        events = self._add_events(self._decoder.feed(data), is_last=False)
        self.has_data = bool(events) or self._decoder.pending > held
        return events

    def _looks_like_stream(self, data: bytes) -> bool | None:
        """Decide by the content type and the first bytes that are not blank; None if these are too few."""
        start = data.lstrip(b"\xef\xbb\xbf \t\r\n")
        if "text/event-stream" in self._content_type:
            return start[:1] not in (b"{", b"[", b"<")
        if not self._is_completion or start[:1] in (b"{", b"[", b"<"):
            return False
        if re.match(rb"(data|event|id|retry|error)?:", start):
            return True
        return None if any(name.startswith(start) for name in (b"data", b"event", b"id", b"retry", b"error")) else False

    def _add_events(self, events: list[tuple[str, bytes]], *, is_last: bool) -> list[Event]:
        added: list[Event] = []
        for name, data in events:
            if self.is_done:
                break
            if data.strip() == b"[DONE]":
                self.is_done = True
            elif data.strip() or name == "error":  # an event without data is keep-alive too
                try:
                    event = self._add_event(name, data, is_last=is_last)
                except APIResponseError as failure:
                    self.failure = failure
                    break
                if event is not None:
                    added.append(event)
        return added

    def _add_event(self, name: str, data: bytes, *, is_last: bool) -> Event | None:
        """Decode and add an event. Return None if it adds nothing.

        ``is_last``: the body ended inside this event, so it may be cut.
        """
        try:
            chunk = decode_json(str(data, "utf-8", "replace"))
        except ValueError:
            if name == "error":
                chunk = str(data, "utf-8", "replace")
            elif name not in ("", "message") or is_last or self._assembler.has_finish or self.error:
                return None
            else:
                words = shown_body(str(data[: 16 * SHOWN_BODY], "utf-8", "replace"))
                raise APIResponseError(f"an event of the stream is not JSON: {words}") from None
        if name == "error":
            if not isinstance(chunk, dict):
                chunk = {"error": {"message": chunk if isinstance(chunk, str) else json.dumps(chunk)}}
            elif not chunk.get("error"):
                chunk = {"error": {**chunk, "message": _upstream_text(chunk)}, "usage": chunk.get("usage")}
            self._set_error(chunk)
            return None
        if not isinstance(chunk, dict):
            return None
        is_ours = name in ("", "message") or not self._is_completion or "choices" in chunk or "error" in chunk
        self._has_begun = self._has_begun or name != "ping"
        if not is_ours and "usage" not in chunk:
            return None
        if self.error is not None:
            usage = _usage_in(chunk)
            if usage:  # the failed answer was billed
                self._assembler.add_usage(usage)
            return None
        delta = self._assembler.add(chunk)
        self.has_output = self._assembler.has_output or self.has_output
        found = find_error(chunk)
        if found is not None:
            self._set_error(found)
            return None
        if not self._is_completion:  # the caller is about to get the chunk itself
            self.has_output = True
        return chunk, delta

    def _set_error(self, found: Json) -> None:
        if self.error is None:
            self.error, self.is_error_late = found, self.has_output
        self._assembler.add_usage(_usage_in(found))

    def end(self, *, is_cut: bool = False, has_proof: bool = True) -> list[Event]:
        """Handle the end of the body: set ``result`` and return the last events, or raise an error.

        ``is_cut``: the connection broke before the announced end. ``has_proof`` is false if only
        the end of the connection marks the end of the body. An error that the answer itself
        reports is not raised; it is in ``error``.
        """
        if self.is_stream:
            return self._end_stream(is_cut=is_cut)
        body = b"".join(self._parts)
        is_event_stream = "text/event-stream" in self._content_type
        if is_event_stream and not body.strip():
            self.is_stream = True
            return self._end_stream(is_cut=is_cut)
        if is_cut:
            raise APIConnectionError("the connection was closed before the answer was complete", sent=True)
        is_vague = not self._content_type or self._content_type.startswith("text/plain")
        is_json = "json" in self._content_type or "html" in self._content_type or is_event_stream
        if not (self._is_completion or is_json or is_vague and body.lstrip()[:1] in (b"{", b"[")):
            self.result = body
            return []
        try:
            value = self.result = decode_json(str(body, "utf-8", "replace").lstrip("\ufeff \t\r\n"))
        except ValueError as error:
            body = body.strip()
            if not body:
                raise APIResponseError("the answer has an empty body", hint="check base_url") from None
            if not has_proof and body[:1] in (b"{", b"["):
                raise APIConnectionError("the answer was cut off", sent=True) from None
            words = shown_body(str(body[: 64 * 1024], "utf-8", "replace"))
            raise APIResponseError(f"the answer is not JSON ({error}): {words}", hint="check base_url") from None
        if isinstance(value, dict):
            self._plain = value
            self.error = find_error(value)
            usage = _usage_in(self.error)
            if usage:
                self._plain = {**value, "usage": usage}
        elif self._is_completion:
            raise APIResponseError(f"the answer is not a JSON object: {shown_body(json.dumps(value))}")
        return [(value, _message(first_choice(self._plain)))]

    def _end_stream(self, *, is_cut: bool) -> list[Event]:
        has_begun = self._has_begun or self._decoder.pending > 0
        if self.failure is not None:
            raise self.failure
        events = self._add_events(self._decoder.feed(b"\n\n"), is_last=True)  # the last event may lack its blank line
        stray = str(b"\n".join(self._decoder.stray), "utf-8", "replace")
        with contextlib.suppress(ValueError):  # it is not JSON
            found = find_error(decode_json(stray)) if stray else None
            if found is not None:
                self._set_error(found)
        self.result = self.body()
        if self.error is not None or self.is_done or self.has_finish:
            if self._assembler.has_mixed and self.error is None:
                message = "the server mixed several answers, though one was asked for"
                raise StreamInterruptedError(message, hint="ask for several with n=..., or name another model")
            return events
        words = stray or ("" if self.has_output or not has_begun else json.dumps(self.body()))
        if stray and not has_begun:
            raise APIResponseError(f"the answer is not a stream of events: {shown_body(stray)}", hint="check base_url")
        if not has_begun and not is_cut:
            raise APIResponseError("the stream ended without any data", hint=_EMPTY_HINT, retryable=True)
        message = "the stream ended without finish_reason or [DONE]" + (f": {shown_body(words)}" if words else "")
        hint = "" if self.has_output else "no text had arrived, but it may have been billed"
        raise StreamInterruptedError(message, hint=hint)


# --- Service errors -------------------------------------------------------------------------
# One decoder for errors from every place: an HTTP status, an ``error`` in a 200 body, in a choice, in a chunk,
# or in an ``event: error``. An error that the tables don't know is not retried.
# This section is pure; it does not know how the answer arrived.

ERROR_CLASSES: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    408: ProviderError,
    429: RateLimitError,
}

# The status of each named error, for answers without a status: first OpenRouter's names, then those that OpenAI,
# Anthropic and gateways in front of them use as ``type`` or ``code``.
ERROR_TYPE_STATUS = {
    name: status
    for status, names in {
        400: "context_length_exceeded max_tokens_exceeded token_limit_exceeded string_too_long invalid_request"
        " invalid_prompt invalid_image image_too_large image_too_small unsupported_image_format image_download_failed"
        " invalid_request_error string_above_max_length unsupported_parameter unsupported_value unknown_parameter"
        " missing_required_parameter invalid_type invalid_value bad_request invalid_image_format",
        401: "authentication authentication_error invalid_api_key incorrect_api_key unauthorized",
        402: "payment_required insufficient_quota insufficient_credits billing_error billing_hard_limit_reached"
        " billing_not_active",
        403: "permission_denied permission_error content_policy_violation refusal forbidden"
        " unsupported_country_region_territory",
        404: "not_found image_not_found not_found_error model_not_found deployment_not_found",
        412: "precondition_failed",
        413: "payload_too_large request_too_large",
        422: "unprocessable",
        429: "rate_limit_exceeded rate_limit_error rate_limit too_many_requests tokens requests RESOURCE_EXHAUSTED"
        " exceeded_current_quota_error",
        500: "server server_error unmapped api_error internal_error internal_server_error",
        502: "provider_unavailable bad_gateway upstream_error",
        503: "provider_overloaded overloaded_error overloaded engine_overloaded engine_overloaded_error"
        " server_overloaded service_unavailable UNAVAILABLE",
        504: "timeout timeout_error gateway_timeout",
    }.items()
    for name in names.split()
}

# Neither waiting nor another model helps against these, whatever the status.
_FINAL_NAMES = frozenset(
    "insufficient_quota exceeded_current_quota_error billing_error billing_hard_limit_reached"
    " billing_not_active".split()
)

# Failures of one model: a fallback may help. After the others no fallback is tried.
_MODEL_BOUND_NAMES = frozenset(
    "content_policy_violation refusal not_found model_not_found no_endpoints model_deprecated"
    " model_unavailable_upstream capacity_exhausted temporarily_unavailable region_restricted privacy_restricted"
    " constraint_filtered free_variant_ended".split()
)
_UNKNOWN_MODEL = r"(?i)(\S+) is not a valid model ID|Model (\S+) does not exist"
_UNKNOWN_PATH = r"(?i)invalid url|unknown_url|unknown request url"  # of OpenAI and gateways like it
_DAILY_LIMIT = r"(?i)free.*(per[- ]day|daily limit)|(per[- ]day|daily limit).*free"  # OpenRouter's, not a provider's
_LONGEST_WAIT = 1e9  # s; 31 years, still a valid date


def error_class(status: int) -> type[APIStatusError]:
    """Return the class of error for a status."""
    return ProviderError if 500 <= status <= 599 else ERROR_CLASSES.get(status, APIStatusError)


def parse_retry_after(value: object, now: float) -> float | None:
    """Return the seconds that Retry-After asks for (a number, or an HTTP date); None if it is neither."""
    number = _number_or_none(value)
    if number is None and _str(value).strip().isdigit():
        number = _LONGEST_WAIT  # too many digits for a float
    if number is not None:
        return min(number, _LONGEST_WAIT) if number >= 0 else None
    if not isinstance(value, str):
        return None
    from email.utils import parsedate_to_datetime

    try:
        wait = parsedate_to_datetime(value).timestamp() - now
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(wait, _LONGEST_WAIT) if wait >= 0 else None


def parse_reset(value: object, now: float) -> float | None:
    """Return the seconds until X-RateLimit-Reset, an epoch time in milliseconds, or in seconds if it is small."""
    epoch = _number_or_none(value)
    if epoch is None or epoch < 1e9:
        return None
    return min(max(0.0, (epoch / 1000 if epoch > 1e11 else epoch) - now), _LONGEST_WAIT)


def _retry_after(metadata: Json, headers: Mapping[str, str], availability: Json, now: float) -> float | None:
    inside = {str(k).lower(): v for k, v in _dict(metadata.get("headers")).items()}
    asked = (
        metadata.get("retry_after_seconds"),
        inside.get("retry-after"),
        headers.get("Retry-After"),
        availability.get("retry_after"),
    )
    waits = [wait for wait in (parse_retry_after(value, now) for value in asked) if wait is not None]
    return waits[0] if waits else parse_reset(headers.get("X-RateLimit-Reset") or inside.get("x-ratelimit-reset"), now)


def _error_message(error: object, body: object, label: str) -> str:
    fields = _dict(error)
    words = _str(error) or _str(fields.get("message"))
    if not words.strip():
        shown = body if isinstance(body, str) else json.dumps(body)
        return f"{label}: {shown_body(shown)}" if shown else f"{label} without a word"
    metadata = _dict(fields.get("metadata"))
    provider, upstream = _str(metadata.get("provider_name")), _upstream_text(metadata.get("raw"))
    words += f" ({provider})" if provider else ""
    detail = _str(_dict(_dict(fields.get("availability")).get("constraint")).get("detail"))
    for more in (upstream, detail):
        words += f": {more}" if more not in words else ""
    return f"{label}: {words}"


def _provider_error_names(metadata: Json) -> list[str]:
    """Return code and type of a provider's own error, which is JSON inside ``raw``."""
    try:
        error = _dict(_dict(decode_json(_str(metadata.get("raw")))).get("error"))
    except ValueError:
        return []
    return [_str(error.get("code")), _str(error.get("type"))]


_RATE_HINT = (
    "OpenRouter or the provider limits the rate: send less at once, name fallbacks, add a provider key of your own,"
    " or consider upgrading"
)
# Hints: (status, what the server's words and codes contain, what to do now). The first row that matches, and whose
# %(facts)s are all known, is used. Status 404 covers every unknown or unavailable model.
_HINTS = (
    ("404", "", "%(address)s"),
    ("402", "in flight", "running requests reserve the budget: wait %(wait)s s, send less at once, or set max_tokens"),
    ("402", "in flight", "running requests reserve the budget: wait a minute, send less at once, or set max_tokens"),
    ("402", "weight exceeds budget", f"this request alone exceeds the budget: lower max_tokens or add credits at"
     f" {CREDITS_URL}"),
    ("402", "key limit", f"the key's own limit is used up: raise it at {KEYS_URL}, or wait until it resets"),
    ("402", "", f"set max_tokens=%(afford)s or less, or add credits at {CREDITS_URL}"),
    ("429", _DAILY_LIMIT, "the free daily limit resets at %(reset)s UTC; waiting seconds or more keys will not"
     " help: use the paid model (without :free), or buy 10 credits once, which raises it from 50 to 1000 a day"),
    ("429", "insufficient quota|billing", "the account of this key has no quota left: add credits, or use another key"),
    ("404", "data policy", f"your data policy excluded every provider: allow more at {PRIVACY_URL}, or drop"
     " data_collection='deny' / zdr from provider={...}"),
    ("404", "zdr", f"zero data retention excluded every provider: relax zdr in provider={{...}} or at {PRIVACY_URL}"),
    ("404", "max price", "every provider costs more than provider={'max_price': ...} allows: raise it"),
    ("404", "tool use", "this model cannot take tools: leave them out or choose one that can (METADATA[id].tools)"),
    ("404", "requested? param|require param", "no provider takes all these: send fewer, or drop require_parameters"),
    ("404", "quantization", "no provider has that quantization: relax quantizations in provider={...}"),
    ("404", "context length", "the prompt is too long for every provider: shorten it, or choose another model"),
    ("404", "allowed providers", "provider={'only': ...} or your account's list excludes all: name other providers"),
    ("404", "ignored", "provider={'ignore': ...} or your account's list excludes all: ignore fewer providers"),
    ("404", r"\bgeo\b", "no provider serves this model in your region: choose another model"),
    ("404", "data region", "no provider of this model works in that region: use another base_url or model"),
    ("404", "image input", "this model cannot read images: choose one with image in METADATA[id].input_modalities"),
    ("404", "provider returned error", "the provider failed, the name is right: try again, or name fallbacks=[...]"),
    (".*", "", "OpenRouter offers instead: %(offered)s (prices may differ): name fallbacks"),
    ("404", "", f"did you mean %(near)s? names are maker/model-name: {MODELS_URL}"),
    ("404", "deprecated", f"%(asked)s is no longer served: choose its successor at {MODELS_URL}"),
    ("404", "", f"check the exact name %(asked)s (maker/model-name) at {MODELS_URL}, and your provider settings"),
    ("404", "", "check the path and the id in it; the record of a generation comes some minutes after its answer"),
    ("401", "", f"verify your key at {KEYS_URL}; %(key_note)s"),
    ("401", "", f"verify your key at {KEYS_URL}"),
    ("403", "", "moderation flagged the input (%(reasons)s): change it, or name a fallback"),
    ("403", "flagged|moderation", "moderation flagged the input: change it, or name a fallback"),
    ("403", "content policy|refusal", "the provider's policy refused the request: change it, or name a fallback"),
    ("403", "key limit", f"the key has used up its own limit: raise it at {KEYS_URL}, or wait until it resets"),
    ("403", "budget", "a budget of the workspace, guardrail or key is spent: raise it, or wait until it resets"),
    ("403", "guardrail|patterns", "a guardrail of your account blocked the request: change the text or the guardrail"),
    ("403", "management|provisioning", "this needs a management key; a key for inference can't do it, nor the reverse"),
    ("403", "region|country", "the model is not offered in your region: choose another model"),
    ("403", "", f"the key may not do this: check its rights at {KEYS_URL}, and your guardrails"),
    ("407", "", "the proxy wants a login: write it as HTTPS_PROXY=http://user:password@host:port"),
    (".*", "context length", "shorten the prompt, lower max_tokens, choose a model with a longer context, or pass"
     " plugins=[{'id': 'context-compression'}]"),
    ("400", "token limit reached", "raise max_tokens, of which reasoning takes its part, or lower the reasoning"),
    ("402", "", f"add credits at {CREDITS_URL}, raise the key's limit, or lower max_tokens"),
    ("429", "", f"wait %(wait)s s; {_RATE_HINT}"),
    ("429", "", _RATE_HINT),
    ("408", "", "the request took too long: try again, or name fallbacks"),
    ("413", "", "the request is too large: send less text, smaller images or fewer files"),
    ("3..", "", "redirects are refused, since the key would travel with them: correct base_url"),
    ("500", "", "OpenRouter failed; try again later"),
    ("5..", "", "the provider failed or is overloaded: try again later, or name fallbacks=[...]"),
    ("200", "", "the server gives no code, so it was not sent again: do what its words say"),
    (".*", "", "correct the request as the message says"),
)  # fmt: skip


def unknown_models(error: OpenRouterError, models: Sequence[str]) -> list[str]:
    """Return those of the models that the server does not know, if that is the error."""
    if not isinstance(error, ModelNotFoundError) or error.status != 400 and error.error_type != "model_not_found":
        return []
    named = re.search(_UNKNOWN_MODEL, error.message)
    names = [(named.group(1) or named.group(2)).strip("'\"`")] if named else []
    names += map(str, _list(error.availability.get("requested_models")))
    found = [m for m in models if m in names]
    return found if found and len(found) < len(models) else list(models[:1])


def hint_for(error: APIStatusError, *, models: Sequence[str], key_note: str, base_url: str, now: float) -> str:
    """Return what to do now; the server's own words are in the message."""
    is_model = isinstance(error, ModelNotFoundError)
    unknown = unknown_models(error, models)
    why = error.availability
    codes = [error.error_type, why.get("code"), _dict(why.get("constraint")).get("field"), *error.metadata]
    reasons = [error.metadata.get("raw"), error.metadata.get("reason"), error.metadata.get("limit_source")]
    words = [error.message, *reasons, *codes, *_list(why.get("excluded_by"))]
    # The name of an unknown model may contain any word of the table.
    text = "" if unknown else " ".join(str(w) for w in words if w).lower().replace("_", " ")
    wanted = unknown[0] if unknown else models[0] if models and is_model and models[0] not in METADATA else None
    afford = re.search(r"can (?:only )?afford ([\d,]+)", text)
    reset = now + error.retry_after if error.retry_after else (now // 86400 + 1) * 86400
    facts = {
        "address": ""
        if is_model
        else f"{base_url} does not know this path: correct base_url, which ends before /chat/completions",
        "afford": afford and afford.group(1).replace(",", "").lstrip("0"),
        "asked": models[0] if models else "",
        "reset": time.strftime("%Y-%m-%d %H:%M", time.gmtime(reset)),
        "offered": ", ".join(error.fallback_models),
        "near": " or ".join(METADATA.near(wanted)),
        "key_note": key_note,
        "reasons": ", ".join(map(str, _list(error.metadata.get("reasons")))),
        "wait": None if error.retry_after is None else f"{error.retry_after:.0f}",
    }
    status = "404" if is_model else str(error.status)
    for statuses, pattern, advice in _HINTS:
        needed = re.findall(r"%\((\w+)\)", advice)
        if re.fullmatch(statuses, status) and re.search(pattern, text) and all(facts[n] for n in needed):
            return advice % facts
    return error.hint


def decode_error(
    body: object,
    *,
    status: int,
    headers: Mapping[str, str],
    models: Sequence[str],
    key_note: str = "",
    base_url: str = BASE_URL,
    now: float,
) -> APIStatusError:
    """Turn an error answer into an exception of its class, with the server's words and a hint.

    ``body`` is decoded JSON or text, ``models`` the models that were asked, ``now`` epoch seconds.
    """
    error = _dict(body).get("error", body if _dict(body).get("message") else None)
    fields = _dict(error)
    metadata, availability = _dict(fields.get("metadata")), _dict(fields.get("availability"))
    names = (metadata.get("error_type"), fields.get("error_type"), _dict(body).get("error_type"), fields.get("code"),
             fields.get("type"))  # fmt: skip
    types = [name for name in names if isinstance(name, str) and not name.isdigit()]
    known = [name for name in types if name in ERROR_TYPE_STATUS]
    code = status
    if 200 <= status <= 299:
        numbers = [_int_or_none(_number_or_none(v)) for v in (fields.get("code"), fields.get("http_status"))]
        numbers += [ERROR_TYPE_STATUS[name] for name in known]
        code = next((n for n in numbers if n and 300 <= n <= 599), 200)
    message = _error_message(error, body, f"HTTP {code}" if status == code != 200 else f"error {code}")
    is_unknown = re.search(_UNKNOWN_MODEL, message) or availability.get("code") == "model_not_found"
    made_class = ModelNotFoundError if code == 400 and is_unknown else error_class(code)
    is_ours = bool(_dict(body).get("error") and (fields.get("message") or availability))
    is_path = re.search(_UNKNOWN_PATH, f"{message} {' '.join(types)}")
    if code == status == 404 and not is_unknown and (is_path or not is_ours):
        made_class = APIStatusError  # not the API's form of an error: a gateway or web server does not know the path
    made = made_class(
        message.replace("error 200:", "error:"),
        status=code,
        error_type=next(iter(known or types), None),
        body=body,
        metadata=metadata,
        retry_after=_retry_after(metadata, headers, availability, now),
        fallback_models=[m for m in _list(availability.get("fallback_models")) if isinstance(m, str)],
        generation_id=headers.get("X-Generation-Id") or _str_or_none(_dict(body).get("id")),
        availability=availability,
    )
    retryable = availability.get("retryable")
    is_final = metadata.get("reason") == "weight_exceeds_budget" or code == 429 and re.search(_DAILY_LIMIT, message)
    is_final = is_final or not _FINAL_NAMES.isdisjoint([*types, *_provider_error_names(metadata)])
    is_in_flight = code == 402 and "in_flight" in f"{metadata.get('limit_source')} {metadata.get('reason')}"
    is_in_flight = is_in_flight and made.retry_after is not None  # retry only if the server names a wait
    if isinstance(retryable, bool):
        made.retryable = retryable
    elif not is_final:
        made.retryable = is_in_flight or made_class in (RateLimitError, ProviderError)
    made.hint = hint_for(made, models=models, key_note=key_note, base_url=base_url, now=now)
    return made


def other_model_may_help(error: OpenRouterError) -> bool:
    """Return whether the failure concerns the model, so that a fallback may help."""
    if isinstance(error, APIResponseError):
        return error.retryable
    if not isinstance(error, APIStatusError) or error.partial is not None:
        return False
    names = {error.error_type, error.availability.get("code")}
    if names & _FINAL_NAMES:
        return False
    if isinstance(error, (ModelNotFoundError, RateLimitError, ProviderError)) or names & _MODEL_BOUND_NAMES:
        return True
    return error.status == 403 and ("flagged_input" in error.metadata or "reasons" in error.metadata)


# --- Policy ---------------------------------------------------------------------------------
# Decides whether to send another request, after how long, and to which models.
# This section is pure: it gets the error, the time left and a random number, and returns a Step.


@dataclass(frozen=True)
class Step:
    """What to do next: wait, then ask the models that are still in the queue.

    ``models`` is None to give up; if a wait would be too long, ``note`` says so.
    """

    models: tuple[str, ...] | None
    wait: float = 0.0  # s
    note: str = ""


def is_retryable(error: OpenRouterError) -> bool:
    """Return whether to send the same request again: not after output, and not if it may have been billed."""
    if error.partial is not None:
        return False
    if isinstance(error, (APIStatusError, APIResponseError)):
        return error.retryable
    return isinstance(error, APIConnectionError) and error.retryable and not error.sent


def next_step(
    error: OpenRouterError, models: tuple[str, ...], *, retries: int, config: LlmConfig, time_left: float, chance: float
) -> Step:
    """Decide what to do after a failed request.

    ``models`` is the queue; its first three were asked. A model that the server does not know is
    dropped. If other models are left in the queue, they are asked at once; otherwise the same
    models are asked again after a wait. ``chance`` (0 to 1) shortens our own wait by up to half.
    Give up if the server asks for a longer wait than ``retry_wait_max``, or if the wait is longer
    than ``time_left``.
    """
    asked, left = models[:MODELS_PER_REQUEST], models[MODELS_PER_REQUEST:]
    if len(models) > 1 and other_model_may_help(error):
        unknown = unknown_models(error, asked)
        if unknown:
            return Step(tuple(m for m in models if m not in unknown))
        if left:
            return Step(left)
    if not is_retryable(error) or retries >= config.max_retries:
        return Step(None)
    asked_wait = error.retry_after if isinstance(error, APIStatusError) else None
    backoff = min(BACKOFF_MAX, BACKOFF_FIRST * 2.0 ** min(retries, 30)) * (1 - chance / 2)
    wait = min(backoff, config.retry_wait_max) if asked_wait is None else max(asked_wait, RETRY_WAIT_MIN)
    limit = "retry_wait_max" if asked_wait and asked_wait > config.retry_wait_max else "deadline"
    if limit == "retry_wait_max" or wait > time_left:
        return Step(None, note=f"the next try would be in {wait:,.0f} s, later than {limit} allows")
    return Step(models, wait)


# --- Operation log --------------------------------------------------------------------------
# One SQLite row per operation, inserted before the request leaves and completed at its end.
# If the log fails, there is one warning, and the caller still gets the answer.
# This section does not know how requests are sent.

LOG_APPLICATION_ID = 0x4F52_6D31  # "ORm1": marks our files
LOG_VERSION = 1
LOG_OUT_OF_ORDER = 1000  # first rows of a day that may be out of order: one for each program that starts at once
LOGS_AT_ONCE = 10  # SQLite's limit of attached files

# Long texts come last, so that a scan of the numbers need not read them.
_COLUMNS = """
operation_id TEXT NOT NULL UNIQUE, timestamp TEXT NOT NULL,
session_id TEXT, workspace TEXT, agent_id TEXT, action_id TEXT, operation_type TEXT,
provider TEXT, model TEXT, served_model TEXT, upstream_provider TEXT, generation_id TEXT,
status TEXT NOT NULL, success INTEGER, finish_reason TEXT, temperature REAL, max_tokens INTEGER,
input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER, reasoning_tokens INTEGER, total_tokens INTEGER,
cost REAL, cost_source TEXT, latency_ms INTEGER, first_token_ms INTEGER, attempts INTEGER,
error_type TEXT, error_message TEXT,
system_prompt TEXT, user_prompt TEXT, response TEXT, messages TEXT, completion_args TEXT, extras TEXT"""
LOG_COLUMNS = tuple(column.split()[0] for column in _COLUMNS.split(","))

# Objects that a forked child must not share: connections, and locks that another thread may hold.
_FORK_SENSITIVE: weakref.WeakSet[Any] = weakref.WeakSet()


def _after_fork() -> None:
    for thing in list(_FORK_SENSITIVE):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def log_path(target: LogTarget) -> str | None:
    """Return the path of the log: the setting, else OPENROUTER_MIN_LOG, else the default. None: no log."""
    if target is False:
        return None
    if target is None or target is True:
        target = _environment(LOG_ENV)
    if isinstance(target, str) and target.lower() in _OFF:
        return None
    if target is not None:
        return os.path.abspath(os.path.expanduser(os.fspath(target)))
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Application Support")
    else:
        base = os.environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return os.path.join(base, "openrouter_min", "log.db") if os.path.isabs(base) else None


def log_paths(targets: LogTargets) -> list[str]:
    """Return the paths of one log or several, each once."""
    several = targets if isinstance(targets, (list, tuple)) else [targets]
    return list(dict.fromkeys(filter(None, map(log_path, several))))


def new_operation_id() -> str:
    """Return an id that sorts by time, so that new ids go to the end of the index."""
    return f"op-{time.time_ns() // 1000:015x}-{os.urandom(5).hex()}"


def utc_timestamp() -> str:
    """Return the time as ISO 8601 in UTC with milliseconds."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}+00:00"


# The cells of a row: pure functions of the request and its answer.


def log_cell(value: Any, key: str | None) -> Any:
    """Return a value for a cell: lists and dicts as JSON, texts as valid UTF-8 and without the key."""
    if isinstance(value, (list, dict, tuple)):
        value = json.dumps(value, ensure_ascii=False, default=str) if value else None
    if isinstance(value, int) and abs(value) >= 1 << 63:  # too large for SQLite
        return None
    if isinstance(value, str):
        value = redact(value, key)
        if not value.isascii():
            value = value.encode("utf-8", "replace").decode()  # lone surrogates
    return value


_DATA_URL = r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,"


def without_media(value: Any) -> Any:
    """Return a copy of messages with type, size and hash in place of images, files and audio."""

    def note(media_type: str, base64_text: str) -> str:
        import hashlib

        try:
            data = decode_base64(base64_text)
        except ValueError:  # the server will report it
            data = base64_text.encode("utf-8", "replace")
        return f"[{media_type}, {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}]"

    if isinstance(value, list):
        return [without_media(v) for v in value]
    if isinstance(value, dict):
        if isinstance(value.get("data"), str) and "format" in value:  # input_audio: bare base64
            return {**value, "data": note(str(value["format"]), value["data"])}
        return {k: without_media(v) for k, v in value.items()}
    if isinstance(value, str) and value.startswith("data:"):
        match = re.match(_DATA_URL, value)
        return note(match.group(1) or "", value[match.end() :]) if match else value
    return value


def shape_of(value: Any) -> Any:
    """Return numbers, booleans and None unchanged, and only type and size of texts and containers."""
    return f"{type(value).__name__}[{len(value)}]" if isinstance(value, (str, list, dict, tuple)) else value


def last_text(messages: list[Any], roles: tuple[str, ...]) -> str | None:
    """Return the text of the last message with one of these roles."""
    last: Json = next((m for m in reversed(messages) if _dict(m).get("role") in roles), {})
    return text_of(last.get("content")) or None


def opened_row(config: LlmConfig, path: str, body: Json, requested_model: str | None) -> Row:
    """Return the cells that are known before the request leaves."""
    path = path.split("?")[0].strip("/")
    messages = _list(body.get("messages"))
    args = {k: v for k, v in body.items() if k not in ("messages", "input", "prompt", "documents")}
    if config.fallbacks:
        args["fallbacks"] = list(config.fallbacks)
    row: Row = {
        "session_id": body.get("session_id") or config.session_id,
        "workspace": config.workspace,
        "agent_id": config.agent_id,
        "operation_type": "completion" if path == "chat/completions" else path,
        "provider": config.provider,
        "model": requested_model,
        "temperature": _number_or_none(body.get("temperature")),
        "max_tokens": _int_or_none(body.get("max_tokens") or body.get("max_completion_tokens")),
    }
    if not config.log_content:
        shown = ("model", "models", "fallbacks")
        return {**row, "completion_args": {k: v if k in shown else shape_of(v) for k, v in args.items()}}
    asked = body.get("input") or body.get("prompt") or body.get("query")
    return {
        **row,
        "system_prompt": last_text(messages, ("system", "developer")),
        "user_prompt": last_text(messages, ("user",)) or (asked if isinstance(asked, str) else None),
        "messages": without_media(messages or ([asked] if asked and not isinstance(asked, str) else [])),
        "completion_args": without_media(args),
    }


# Columns, and the fields of Completion and of Usage that fill them.
_ANSWER_COLUMNS = {"served_model": "model", "upstream_provider": "provider", "finish_reason": "finish_reason",
                   "cost": "cost", "cost_source": "cost_source"}  # fmt: skip
_USAGE_COLUMNS = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens", "total_tokens": "total_tokens",
                  "cached_tokens": "cached_tokens", "reasoning_tokens": "reasoning_tokens"}  # fmt: skip


def closed_row(
    completion: Completion,
    status: str,
    error: OpenRouterError | None,
    attempts: Sequence[Attempt],
    *,
    has_content: bool,
) -> Row:
    """Return the cells that are known at the end of an operation, successful or not."""
    usage = completion.usage if completion.raw.get("usage") else None
    failed = [a for a in attempts if a.error]
    calls = [dataclasses.asdict(c) for c in completion.tool_calls]
    extras = {
        "native_finish_reason": completion.native_finish_reason,
        "service_tier": completion.raw.get("service_tier"),
        "tool_calls": calls if has_content else shape_of(calls) if calls else None,
        "attempts": [dataclasses.asdict(a) if has_content else [a.status, a.waited_s] for a in failed],
        "files": without_media(completion.files) if has_content else shape_of(completion.files),
        "is_refusal": bool(completion.refusal and not completion.content),
    }
    row = {
        **{column: getattr(completion, name) for column, name in _ANSWER_COLUMNS.items()},
        **{column: usage and getattr(usage, name) for column, name in _USAGE_COLUMNS.items()},
        "generation_id": completion.id or getattr(error, "generation_id", None),
        "latency_ms": completion.latency_ms,
        "first_token_ms": completion.first_token_ms,
        "attempts": max(1, len(attempts)),
        "status": status,
        "success": int(status == "ok"),
        "response": answer_text(completion) if has_content else None,
        "extras": {k: v for k, v in extras.items() if v},
    }
    if error is not None:
        class_name, error_type = type(error).__name__, getattr(error, "error_type", None)
        # Without content only names are kept: the server may quote the prompt.
        row["error_type"] = error_type if error_type in ERROR_TYPE_STATUS or error_type and has_content else class_name
        row["error_message"] = (
            str(error) if has_content else f"{class_name} {getattr(error, 'status', None) or ''}".rstrip()
        )
    return row


def completion_of(row: Row) -> Completion:
    """Return the answer in a row of the log, as far as the log keeps it."""
    extras = _dict(decode_json(row["extras"] or "{}"))
    refusal = row["response"] if extras.get("is_refusal") else None
    tokens: Row = {name: row[column] or 0 for column, name in _USAGE_COLUMNS.items()}
    return Completion(
        "" if refusal else row["response"] or "",
        refusal=refusal,
        tool_calls=[ToolCall(**call) for call in _dicts(extras.get("tool_calls"))],
        images=_list(extras.get("files")),
        requested_model=row["model"],
        usage=Usage(**tokens),
        id=row["generation_id"],
        **{name: row[column] for column, name in _ANSWER_COLUMNS.items()},
    )


def history_of(row: Row) -> list[Json]:
    """Return the messages of a logged conversation. The log has no content of files: they become notes."""

    def without_file(part: Json) -> Json:
        inner = _dict(part.get(str(part.get("type"))))
        note = next((v for v in inner.values() if isinstance(v, str) and "bytes, sha256" in v), None)
        return {"type": "text", "text": note} if note else part

    messages: list[Json] = _dicts(decode_json(row["messages"] or "[]"))
    for message in messages:
        if isinstance(message.get("content"), list):
            message["content"] = [without_file(part) for part in _dicts(message["content"])]
    return [
        *messages,
        dataclasses.replace(completion_of(row), tool_calls=[]).message,
    ]  # calls without results would be refused


# The file.


class _ForeignLog(Exception):
    """The file belongs to another program, or to a newer version of this one."""


def _log_version(connection: sqlite3.Connection) -> int:
    """Return the version of our table, 0 for an empty file; raise _ForeignLog for a file that isn't ours."""
    # One statement, because another process may make the table between two of them.
    version, owner, tables = connection.execute(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if owner != LOG_APPLICATION_ID and (tables or owner):
        raise _ForeignLog("it is the database of another program")
    if version > LOG_VERSION:
        raise _ForeignLog(f"a newer openrouter_min made it (version {version})")
    return int(version)


def connect_log(path: str, patience: float = LOG_BUSY_TIMEOUT) -> sqlite3.Connection:
    """Open the log for writing, and make it if needed; raise _ForeignLog for a file that isn't ours.

    ``patience``: seconds to wait for another process that writes to it.
    """
    import sqlite3

    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    # Made here, because SQLite would make it readable for everybody. Its -wal and -shm files get the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        version = _log_version(connection)
        if version != LOG_VERSION:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has no effect after the first table is made
        until = time.monotonic() + patience
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:  # here SQLite does not wait for another process
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.01)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        if version != LOG_VERSION:
            with connection:  # all or nothing: a table without our mark would look like another program's
                connection.execute("BEGIN IMMEDIATE")  # of many processes that start at once, one makes the table
                if _log_version(connection) != LOG_VERSION:
                    connection.execute(f"CREATE TABLE operations (id INTEGER PRIMARY KEY, {_COLUMNS})")
                    connection.execute(f"PRAGMA application_id = {LOG_APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version = {LOG_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


class _Log:
    """The writer of one log file: one connection per process, opened at the first row."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._users = 0
        self._abandoned: list[sqlite3.Connection] = []
        self._connection: sqlite3.Connection | None = None
        self.after_fork()

    def after_fork(self) -> None:
        """Start without a connection in a forked child; closing the parent's here would release its locks."""
        if self._connection is not None:
            self._abandoned.append(self._connection)
        self._connection = None
        self._patience = LOG_BUSY_TIMEOUT
        self._day = self._summed = 0.0  # midnight of the day that was summed up, and its sum in USD
        self._summed_id = 0  # the id of the last row in the sum
        self._unfinished = ""  # ids of older rows that are not in the sum yet, since they are still running
        self._is_foreign = self._has_warned = False
        # An RLock, here and below: garbage collection may close an abandoned stream while this thread holds the lock.
        self._lock = threading.RLock()
        _FORK_SENSITIVE.add(self)

    def enter(self) -> None:
        """Count one more client that writes here."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """Close the file with the last client; SQLite then moves the rows from the -wal file to the log itself."""
        with self._lock:
            self._users -= 1
            if self._users <= 0:
                self.disconnect()

    def disconnect(self) -> None:
        """Close the file; the next row opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def spent_today(self) -> float:
        """Return the USD spent in the local day so far; raise ConfigError if the log can't be read.

        An operation_id begins with its time, so its index leads to the first row of the day. Each
        completed row is added once; further calls read only new rows and those that were running.
        """
        midnight = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1))
        with self._lock:
            try:
                connection = self._connected()
                if self._day != midnight:
                    sql = (
                        "SELECT min(id) FROM (SELECT id FROM operations WHERE operation_id >= ?"
                        f" ORDER BY operation_id LIMIT {LOG_OUT_OF_ORDER})"
                    )
                    first = connection.execute(sql, [f"op-{int(midnight * 1e6):015x}"]).fetchone()[0]
                    if first is None:
                        return 0.0
                    self._day, self._summed_id, self._summed, self._unfinished = midnight, first - 1, 0.0, ""
                # One statement, so that no row can change between its parts.
                sql = (
                    "SELECT (SELECT max(id) FROM operations), total(cost),"
                    " coalesce(group_concat(CASE WHEN status = 'running' THEN id END), '')"
                    " FROM (SELECT id, status, cost FROM operations WHERE id > ? UNION ALL"  # OR would scan the table
                    f" SELECT id, status, cost FROM operations WHERE id IN ({self._unfinished}))"
                )
                newest, usd, unfinished = connection.execute(sql, [self._summed_id]).fetchone()
                if (newest or 0) < self._summed_id:  # the rows were deleted, and ids start again
                    self._day = 0.0
                    return self.spent_today()
            except Exception as error:  # from SQLite, the disk or the folder: any
                hint = "max_cost_per_day needs a log that can be read"
                raise ConfigError(f"the log {self.path} can't be read: {error}", hint=hint) from error
            self._summed_id, self._summed, self._unfinished = newest, self._summed + usd, unfinished
            return self._summed

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and not os.path.exists(self.path):  # somebody has deleted the file
            self.disconnect()
        if self._connection is None:
            self._connection = connect_log(self.path, self._patience)
        return self._connection

    def write(self, row: Row, changes: Row | None = None) -> None:
        """Insert a row, or apply changes to it; a row that is not there is inserted with its changes."""
        with self._lock:
            if self._is_foreign:
                return
            try:
                connection = self._connected()
                if changes is not None:
                    names = ", ".join(f"{name} = ?" for name in changes)
                    sql = f"UPDATE operations SET {names} WHERE operation_id = ?"
                    if connection.execute(sql, [*changes.values(), row["operation_id"]]).rowcount:
                        return
                row = {**row, **(changes or {})}
                sql = f"INSERT INTO operations ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
                connection.execute(sql, list(row.values()))
            except Exception as error:  # from SQLite, the disk or the folder: any
                import warnings

                self._is_foreign = isinstance(error, _ForeignLog)
                if "locked" in str(error):
                    self._patience = LOG_BUSY_AGAIN
                    if self._connection is not None:
                        self._connection.execute(f"PRAGMA busy_timeout = {LOG_BUSY_AGAIN * 1000:.0f}")
                if self._has_warned:
                    return
                self._has_warned = True
                message = f"the operation log {self.path} can't be written ({error}); continuing without it"
                try:
                    warnings.warn(message, RuntimeWarning, stacklevel=2)
                except RuntimeWarning:  # under -W error: a paid answer must not be lost because of the log
                    sys.stderr.write(f"openrouter_min: {message}\n")


_LOGS: dict[str, _Log] = {}


def log_for(target: LogTarget) -> _Log | None:
    """Return the writer of that log, or None if it is off; each file has one writer."""
    path = log_path(target)
    if path is None:
        return None
    return _LOGS.get(path) or _LOGS.setdefault(path, _Log(path))


# Tables.

_UNPRINTABLE = r"[\x00-\x1f\x7f-\x9f]+"


def number_text(value: Any) -> str:
    """Return a value as text; a float has six places, and only 0 is shown as 0."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    if 0 < abs(value) < 1e-6:
        return f"{value:.1e}"
    return f"{value:,.6f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.2f}"


def text_width(text: str) -> int:
    """Return the width of a text on a terminal: East Asian characters and emoji take two columns."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def fitted(text: str, width: int) -> str:
    """Return the text, cut to a width if it is longer; two dots mark the cut."""
    if text_width(text) <= width:
        return text
    text = text[:width]
    while text_width(text) > width - 2:
        text = text[:-1]
    return text + ".."


def format_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None) -> str:
    """Return an aligned table: numbers on the right, no control characters, no text cut.

    A table that is wider than ``width`` becomes paragraphs: the first cell of a row, and under it
    the other cells with their names.
    """
    if not columns:
        return "(no rows)"
    numeric = [any(isinstance(r[i], (int, float)) for r in rows) for i in range(len(columns))]
    cells = [[re.sub(_UNPRINTABLE, " ", number_text(v)) for v in row] for row in rows]
    widths = [max(map(text_width, column)) for column in zip(columns, *cells)]

    def line(values: Sequence[str]) -> str:
        shown = []
        for text, size, is_number in zip(values, widths, numeric):
            pad = " " * (size - text_width(text))
            shown.append(pad + text if is_number else text + pad)
        return "  ".join(shown).rstrip()

    if width and rows and sum(widths) + 2 * (len(widths) - 1) > width:
        lines = []
        for row in cells:
            pairs = list(zip(columns, row))
            lines.append("  ".join([row[0], *(text for name, text in pairs[1:] if not name)]))
            lines.append("   ")
            for named in (f" {name} {text}" for name, text in pairs[1:] if name):
                if lines[-1].strip() and text_width(lines[-1] + " " + named) > width:
                    lines.append("   ")
                lines[-1] += (" " if lines[-1].strip() else "") + named
        return "\n".join(lines)
    lines = [line(columns), line(["-" * w for w in widths]), *map(line, cells)]
    return "\n".join(lines if rows else [*lines, "(no rows)"])


class Operations(_RowList):
    """Rows of the log as dicts; prints as an aligned table."""

    def __init__(self, rows: Iterable[Row] = (), columns: Sequence[str] = ()) -> None:
        super().__init__(rows)
        self.columns = list(columns) or (list(self[0]) if self else [])

    def select(self, columns: Sequence[str]) -> Operations:
        """Return the same rows with only these columns; raises KeyError for an unknown one."""
        names = [columns] if isinstance(columns, str) else list(columns)
        for name in names:
            if name not in self.columns:
                raise KeyError(f"no column {name!r}; there are: {', '.join(self.columns)}")
        return Operations(({n: row[n] for n in names} for row in self), names)

    def to_polars(self) -> Any:
        """Return a polars.DataFrame; raises ImportError if polars is not installed."""
        import polars  # type: ignore[import-not-found, unused-ignore]

        data = {name: [row[name] for row in self] for name in self.columns}
        return polars.DataFrame(data, strict=False)

    def to_csv(self, path: Any) -> None:
        """Write the rows as CSV (UTF-8, with a header line); ``path`` may also be an open text file."""
        import csv

        if not hasattr(path, "write"):
            with open(path, "w", encoding="utf-8", newline="") as file:
                self.to_csv(file)
                return
        writer = csv.DictWriter(path, self.columns)
        writer.writeheader()
        writer.writerows(self)

    def to_pandas(self) -> Any:
        """Return a pandas.DataFrame; raises ImportError if pandas is not installed."""
        import pandas  # type: ignore[import-untyped, unused-ignore]

        return pandas.DataFrame(list(self), columns=self.columns)

    def __str__(self) -> str:
        return format_table(self.columns, [[row[c] for c in self.columns] for row in self])

    def __repr__(self) -> str:
        return f"<Operations: {len(self)} rows, {len(self.columns)} columns>"

    def _repr_html_(self) -> str:
        """Show as a table in notebooks; the first hundred rows."""
        from html import escape

        def line(cells: Iterable[Any], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(str(cell)[:200])}</{tag}>" for cell in cells) + "</tr>"

        rows = [line((number_text(row[c]) for c in self.columns), "td") for row in self[:100]]
        return f"<table>{line(self.columns, 'th')}{''.join(rows)}</table>{escape(repr(self))}"


def _moment(value: Moment | None) -> str | None:
    """Return a moment as the column ``timestamp`` has it, in UTC; a text without a zone is local time."""
    from datetime import datetime, timezone

    if value is None:
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(plain_iso(value))
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    except (AttributeError, TypeError, ValueError, OverflowError, OSError):
        hint = "use an ISO text such as '2026-11-23' or '2026-11-23T18:00+01:00', or a datetime"
        raise ConfigError(f"{value!r} is not a date or time", hint=hint) from None


def _strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else _list(value):
        yield from _strings_in(inner)


# What totals() can group by, as SQL.
_GROUPS = {
    name: name
    for name in "session_id workspace agent_id action_id operation_type provider model served_model upstream_provider"
    " status finish_reason error_type".split()
}
_GROUPS["day"] = "date(timestamp, 'localtime')"
_TOTALS = (
    "calls errors input_tokens output_tokens cached_tokens total_tokens cost unpriced p50_ms p95_ms first_p50_ms"
    " tokens_per_s".split()
)
_SQLITE_ATTACH = 24  # sqlite3 has this constant only from Python 3.11 on


def _totals_sql(by: Sequence[str], where: str) -> str:
    """Return the SQL that sums up per group; a percentile is the first latency that enough calls don't exceed.

    The inner query groups by latency too, so that the window functions get some thousands of rows
    instead of a million. The latency comes first in it, because numbers sort faster than names.
    """
    names = ", ".join(f"g{i}" for i in range(len(by)))
    groups = ", ".join(f"{_GROUPS[name]} AS g{i}" for i, name in enumerate(by))
    shown = ", ".join(f'g{i} AS "{name}"' for i, name in enumerate(by))
    rank = "min(CASE WHEN success AND done >= (fine * {0} + 99) / 100 THEN latency_ms END)"
    tokens = ("input_tokens", "output_tokens", "cached_tokens", "total_tokens")
    sums = ", ".join(f"sum({name}) AS {name}" for name in tokens)
    return f"""
        WITH cells AS (
            SELECT {groups}, success, latency_ms, count(*) AS calls, {sums},
                sum(success = 0 AND status IN ('error', 'interrupted')) AS errors, -- most rows stop at the first part
                sum(cost) AS cost, sum(success AND cost IS NULL) AS unpriced
            FROM operations WHERE {where} GROUP BY latency_ms, {names}, success),
        ranked AS (
            SELECT *, sum(calls) OVER (PARTITION BY {names}, success ORDER BY latency_ms) AS done,
                sum(calls) OVER (PARTITION BY {names}, success) AS fine FROM cells)
        SELECT {shown}, sum(calls) AS calls, sum(errors) AS errors, {sums},
            round(sum(cost), 9) AS cost, coalesce(sum(unpriced), 0) AS unpriced,
            {rank.format(50)} AS p50_ms, {rank.format(95)} AS p95_ms, NULL AS first_p50_ms,
            round(1000.0 * sum(CASE WHEN success THEN output_tokens END)
                / sum(CASE WHEN success THEN latency_ms * calls END), 1) AS tokens_per_s
        FROM ranked GROUP BY {names} ORDER BY sum(cost) DESC, calls DESC"""


def _holds(text: Any, *cells: Any) -> bool:
    """Return whether a text is in one of the cells, in any letter case; the last cell is JSON."""
    wanted = str(text).casefold()  # SQLite's lower() only handles ASCII
    *texts, messages = (cell or "" for cell in cells)
    if any(wanted in cell.casefold() for cell in texts):
        return True
    if "\\" not in messages and wanted not in messages.casefold():
        return False
    try:
        return any(wanted in text.casefold() for text in _strings_in(decode_json(messages)))
    except ValueError:  # a row that another program has changed
        return False


class LlmOperationCollector:
    """Read the log. ``path=None`` is the default log; a list of up to ten logs is read as one.

    A log that does not exist counts as empty.
    """

    @classmethod
    def from_db(
        cls,
        path: LogTargets = None,
        *,
        provider: str | None = None,
        model: str | None = None,
        status: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        session_id: str | None = None,
        agent_id: str | None = None,
        search: str | None = None,
        limit: int | None = None,
    ) -> Operations:
        """Return the operations that match every filter, newest first.

        ``model`` is the model that was asked or that answered. ``since`` (included) and ``until``
        (excluded) are datetimes or ISO texts, in local time if they name no zone. ``search`` finds
        a text in prompts, answers and error messages, in any letter case.
        """
        conditions: list[tuple[str, Any]] = [
            ("provider = ?", provider),
            ("status = ?", status),
            ("timestamp >= ?", _moment(since)),
            ("timestamp < ?", _moment(until)),
            ("session_id = ?", session_id),
            ("agent_id = ?", agent_id),
            ("? IN (model, served_model)", model),
            ("holds(?, system_prompt, user_prompt, response, error_message, messages)", search),
        ]
        given = [(sql, value) for sql, value in conditions if value is not None]
        where = " AND ".join(sql for sql, _ in given) or "1"
        order = "operation_id" if isinstance(path, (list, tuple)) else "id"  # ids of several logs have no common order
        sql = f"SELECT {', '.join(LOG_COLUMNS)} FROM operations WHERE {where} ORDER BY {order} DESC LIMIT ?"
        rows = cls.query(sql, [*(v for _, v in given), -1 if limit is None else limit], path=path)
        return Operations(rows, LOG_COLUMNS)

    @classmethod
    def polars_from_db(cls, path: LogTargets = None, **filters: Any) -> Any:
        """Return the rows of from_db as a polars.DataFrame, or as Operations if polars is not installed."""
        operations = cls.from_db(path, **filters)
        try:
            return operations.to_polars()
        except ImportError:
            return operations

    @classmethod
    def get(cls, operation_id: str, *, path: LogTargets = None) -> Row | None:
        """Return one operation, or None."""
        sql = f"SELECT {', '.join(LOG_COLUMNS)} FROM operations WHERE operation_id = ?"
        rows = cls.query(sql, [operation_id], path=path)
        return rows[0] if rows else None

    @classmethod
    def totals(
        cls,
        by: str | Sequence[str] = "model",
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        path: LogTargets = None,
    ) -> Operations:
        """Return calls, errors, tokens, USD and times per group, the most expensive first.

        ``by`` is a column such as model, day, served_model, upstream_provider, status or
        session_id, or a list of them. A day is a local day. ``unpriced`` counts successful calls
        of unknown cost. The times are those of successful calls: p50_ms and p95_ms of the whole
        answer, first_p50_ms until the first text, tokens_per_s of output.
        """
        names = [by] if isinstance(by, str) else list(dict.fromkeys(by))
        for name in names or [""]:
            if name not in _GROUPS:
                raise ConfigError(
                    f"totals: by={name!r} is not a column", hint=f"by is one of {', '.join(sorted(_GROUPS))}"
                )
        bounds = [("timestamp >= ?", _moment(since)), ("timestamp < ?", _moment(until))]
        where = " AND ".join(sql for sql, moment in bounds if moment) or "1"
        span = [moment for _, moment in bounds if moment]
        rows = cls.query(_totals_sql(names, where), span, path=path)
        groups = ", ".join(_GROUPS[name] for name in names)
        first = cls.query(
            f"SELECT {groups}, first_token_ms AS clock, count(*) AS calls FROM operations WHERE {where}"
            f" AND success AND first_token_ms NOT NULL GROUP BY first_token_ms, {groups}"
            " ORDER BY first_token_ms", span, path=path)  # fmt: skip
        times: dict[Any, list[tuple[int, int]]] = {}  # by group: (ms, calls), sorted
        for *group, clock, calls in (row.values() for row in first):
            times.setdefault(tuple(group), []).append((clock, calls))
        for row in rows:
            of_group = times.get(tuple(row[n] for n in names), [])
            left = (sum(calls for _, calls in of_group) + 1) // 2
            for clock, calls in of_group:
                left -= calls
                if left <= 0:
                    row["first_p50_ms"] = clock
                    break
        return Operations(rows, [*names, *_TOTALS])

    @classmethod
    def query(cls, sql: str, params: Sequence[Any] = (), *, path: LogTargets = None) -> Operations:
        """Run one read-only SQL statement on the table ``operations``.

        ``path`` may be a list of logs, which are read as one. In SQL, ``holds(text, column, ...,
        messages)`` finds a text in any letter case. Raises ConfigError if SQLite refuses it.
        """
        import sqlite3
        from pathlib import Path

        files = [file for file in log_paths(path) if os.path.exists(file) and os.path.getsize(file)]
        if not files:
            return Operations()
        if len(files) > LOGS_AT_ONCE:
            raise ConfigError(f"{len(files)} logs at once", hint=f"SQLite reads at most {LOGS_AT_ONCE} as one")
        uris = [Path(file).as_uri() + "?mode=ro" for file in files]
        try:
            first = uris[0] if len(uris) == 1 else ":memory:"
            connection = sqlite3.connect(first, timeout=LOG_BUSY_TIMEOUT, uri=True, isolation_level=None)
            with contextlib.closing(connection):
                logs = ["main"] if len(uris) == 1 else [f"log{i}" for i in range(len(uris))]
                if len(uris) > 1:
                    for log, uri in zip(logs, uris):
                        connection.execute(f"ATTACH ? AS {log}", [uri])
                # A log without a table is empty: another process is just making it.
                logs = [log for log in logs if connection.execute(f"SELECT 1 FROM {log}.sqlite_master").fetchone()]
                if not logs:
                    return Operations()
                if len(uris) > 1:
                    each = (f"SELECT id, {', '.join(LOG_COLUMNS)} FROM {log}.operations" for log in logs)
                    connection.execute(f"CREATE TEMP VIEW operations AS {' UNION ALL '.join(each)}")
                connection.execute("PRAGMA query_only = ON")
                connection.execute("PRAGMA threads = 2")  # for the sorting of GROUP BY
                connection.create_function("holds", -1, _holds)
                # Refuse (1) ATTACH, which would make a file that does not exist.
                connection.set_authorizer(lambda action, *_: int(action == _SQLITE_ATTACH))
                cursor = connection.execute(sql, list(params))
                names = [d[0] for d in cursor.description or ()]
                return Operations((dict(zip(names, row)) for row in cursor), names)
        except (sqlite3.Error, sqlite3.Warning) as error:
            hint = "is it a log of openrouter_min? query() takes one SELECT over the table operations"
            raise ConfigError(f"the log {', '.join(files)} can't be read: {error}", hint=hint) from error

    @classmethod
    def purge(cls, *, before: Moment, path: LogTarget = None) -> int:
        """Delete the operations before a moment, shrink the file, and return the number of deleted rows."""

        def delete(connection: sqlite3.Connection) -> int:
            count = connection.execute("DELETE FROM operations WHERE timestamp < ?", [_moment(before)]).rowcount
            connection.executescript("PRAGMA incremental_vacuum")  # execute() would free only one page
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return count

        _moment(before)
        return cls._change(delete, path)

    @classmethod
    def reconcile(cls, llm: Any, *, since: Moment | None = None, path: LogTarget = None) -> int:
        """Ask GET /generation for unknown costs, write them to the log, and return the number of rows.

        Asks for each operation with a generation id and without a cost, such as a cancelled
        stream, one after the other. The service may know a generation only some minutes later;
        until then its cost stays unknown. ``path`` is by default the log of ``llm``. Raises the
        errors of ``llm.generation``; costs that were learned before are written.
        """
        sql = (
            "SELECT operation_id, generation_id FROM operations WHERE cost IS NULL AND generation_id IS NOT NULL"
            " AND status != 'running' AND coalesce(upstream_provider, '') != 'Mock' AND timestamp >= ? ORDER BY id"
        )
        change = (
            "UPDATE operations SET cost = ?, cost_source = 'reconciled', input_tokens = coalesce(input_tokens, ?),"
            " output_tokens = coalesce(output_tokens, ?) WHERE operation_id = ?"
        )
        learned: list[tuple[Any, ...]] = []
        path = llm.config.log if path is None else path
        if isinstance(path, (list, tuple)):
            raise ConfigError("reconcile() writes to one log", hint="call it once for each")

        def update(connection: sqlite3.Connection) -> int:
            connection.executemany(change, learned)
            return len(learned)

        try:
            for row in cls.query(sql, [_moment(since) or ""], path=path):
                try:
                    about = llm.generation(row["generation_id"])
                except (ModelNotFoundError, APIResponseError):  # not known yet, or no longer
                    continue
                cost = _amount(about.get("total_cost", about.get("usage")))
                if cost is not None:
                    tokens = [_int_or_none(about.get(f"native_tokens_{name}")) for name in ("prompt", "completion")]
                    learned.append((cost, *tokens, row["operation_id"]))
        finally:  # also after an error
            count = cls._change(update, path) if learned else 0
        return count

    @classmethod
    def report(cls, file: Any, *, since: Moment | None = None, path: LogTargets = None) -> int:
        """Write an HTML page about spending, speed and failures; return the number of operations.

        ``file`` is the path of the page, ``path`` the log or a list of logs. Raises ConfigError if the
        page can't be written.
        """
        if os.path.abspath(file) in log_paths(path):
            raise ConfigError(f"{file} is the log itself", hint="name another file for the page")
        page, count = report_html(since, path)
        try:
            with open(file, "w", encoding="utf-8", errors="replace") as out:
                out.write(page)
        except OSError as error:
            raise ConfigError(f"the page can't be written: {error}", hint="name another file for it") from None
        return count

    @classmethod
    def _change(cls, change: Callable[[sqlite3.Connection], int], path: LogTarget) -> int:
        """Apply a change to a log and return its result; 0 if there is no log."""
        import sqlite3

        file = log_path(path)
        if file is None or not os.path.exists(file):
            return 0
        try:
            with contextlib.closing(connect_log(file)) as connection:
                return change(connection)
        except (_ForeignLog, sqlite3.Error, OSError) as error:
            raise ConfigError(f"{file} can't be changed: {error}", hint="is it a log of openrouter_min?") from None


# --- Transport ------------------------------------------------------------------------------
# The only section that uses sockets, TLS and proxies. http.client reads heads and bodies, and every wait runs
# under the clock of the call. This section knows nothing of models, prompts and logs.


class _Cancelled(Exception):
    """Another thread has cancelled the call."""


def shut_down(sock: socket.socket) -> None:
    """Wake up a thread that is blocked on the socket."""
    import socket as sockets

    with contextlib.suppress(OSError):  # not connected yet, or closed: no thread is blocked on it
        # Not SSLSocket.shutdown, after which reads would return encrypted bytes.
        sockets.socket.shutdown(sock, sockets.SHUT_RDWR)


class _Call:
    """The clock and the cancel switch of one operation; several threads use them."""

    def __init__(self, config: LlmConfig) -> None:
        self.config = config
        self.started = time.monotonic()  # of the current operation
        self.asked = math.inf  # when the first operation of the call began
        self.ends = math.inf
        self.is_cancelled = False  # a plain attribute, because it is read at each receive
        self._patience = self._left = config.timeout  # s that the call may wait for data, and how many are left
        self._cancelled = threading.Event()
        self._lock = threading.RLock()
        self._sock: socket.socket | None = None

    def begin(self) -> None:
        """Start the clock of an operation; the deadline counts from the first operation of the call."""
        self.started = time.monotonic()
        self.asked = min(self.asked, self.started)
        self.ends = min(self.ends, self.started + (self.config.deadline or math.inf))

    def sending(self) -> None:
        """Start the clock of ``timeout`` for a request; what hurry() allowed to an earlier answer is over."""
        self._patience = self._left = self.config.timeout

    def progress(self) -> None:
        """Start the clock of ``timeout`` again, because data was received or sent."""
        self._left = self._patience

    def connecting(self) -> None:
        """Start the clock of ``connect_timeout``; it runs until progress()."""
        self._left = self.config.connect_timeout

    def hurry(self, seconds: float) -> None:
        """Wait at most this long for the rest."""
        self._patience = self._left = min(self._left, seconds)

    def elapsed_ms(self) -> int:
        """Return the milliseconds since the operation began."""
        return round((time.monotonic() - self.started) * 1000)

    def question_ms(self) -> int:
        """Return the milliseconds since the first operation of the call began."""
        return round((time.monotonic() - min(self.asked, self.started)) * 1000)

    def time_left(self) -> float:
        """Return the seconds until the deadline; infinite without one."""
        return self.ends - time.monotonic()

    def connect_time_left(self) -> float:
        """Seconds that may still be spent on connecting."""
        return min(self._left, self.time_left())

    def wait(self, sock: socket.socket | None, limit: float, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that may block on the socket, for at most ``limit`` seconds.

        Only the time in here counts for ``timeout``, not the pauses of the caller between two
        events. Raises APITimeoutError if no time is left, and the errors of the function.
        """
        self.check()
        began = time.monotonic()
        if began >= self.ends:
            self.check_deadline()
        if self._left <= 0:
            raise APITimeoutError(
                f"no data for {self.config.timeout:g} s (keep-alive comments don't count)",
                hint="raise timeout, ask for a shorter answer, or name a faster model",
                sent=True,
            )
        if sock is not None:
            limit = min(limit, self.ends - began, self._left)
            if sock.gettimeout() != limit:  # setting it is a system call, and releases the GIL
                sock.settimeout(limit)
        try:
            return function(*args)
        finally:
            self._left -= time.monotonic() - began

    def check_deadline(self) -> None:
        """Raise if the deadline has passed."""
        if time.monotonic() >= self.ends:
            message = f"the deadline of {self.config.deadline:g} s has passed"
            raise APITimeoutError(message, hint="raise deadline", sent=True)

    def check(self) -> None:
        """Raise if the call was cancelled."""
        if self.is_cancelled:
            raise _Cancelled

    def sleep(self, seconds: float) -> None:
        """Wait; a cancel ends the wait immediately."""
        if self._cancelled.wait(seconds):
            raise _Cancelled

    def attach(self, sock: socket.socket | None) -> None:
        """Set the socket that a cancel shuts down."""
        with self._lock:
            self._sock = sock
        if sock is not None:
            self.check()

    def cancel(self) -> None:
        """End the call, from any thread: a blocked receive wakes up immediately."""
        self.is_cancelled = True
        self._cancelled.set()
        with self._lock:
            if self._sock is not None:
                shut_down(self._sock)


class LimitError(Exception):
    """The server sent more than a limit allows. Not a ValueError, because http.client would swallow it."""


def is_timeout(error: BaseException) -> bool:
    """Return whether a wait on a socket took too long; before Python 3.10 that is not a TimeoutError."""
    return type(error).__name__ in ("timeout", "TimeoutError") or isinstance(error, APITimeoutError)


class _Receiver(io.RawIOBase):
    """The raw input of a connection: every receive runs under the clock of the call and a size limit."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.call: _Call | None = None  # None between calls, when nothing is received
        self.received = 0
        self.is_over = False  # whether the server has closed the connection
        self._left = 0
        self._limit_error = ""

    def limit(self, size: int, message: str) -> None:
        """Allow this many bytes more; after them LimitError is raised with this message."""
        self._left, self._limit_error = size, message

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        call, sock = self.call, self._sock
        if call is None:
            return None
        while True:
            try:
                count: int = call.wait(sock, WAIT_SLICE, sock.recv_into, buffer)
                break
            except OSError as error:
                if not is_timeout(error):
                    raise
        call.check()
        self.received += count
        self.is_over = not count
        self._left -= count
        if self._left < 0:
            raise LimitError(self._limit_error)
        return count


class _Reader(io.BufferedReader):
    def close(self) -> None:
        """Do nothing: http.client closes its file after each answer, but the connection is kept."""

    def flush(self) -> None:
        """Do nothing: Python 3.13 flushes the file when it frees an answer, and then it may be closed."""


class _Connection:
    """A connected socket and its reader; for http.client it looks like a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.receiver = _Receiver(sock)
        self.reader = _Reader(self.receiver, READ_SIZE)
        self.idle_since = 0.0

    def makefile(self, mode: str) -> Any:
        """Return the reader; http.client.HTTPResponse calls this on a socket."""
        return self.reader

    def send(self, call: _Call, data: bytes) -> None:
        """Send all of the data; each piece that is accepted starts the clock of ``timeout`` again."""
        at, view = 0, memoryview(data)
        while at < len(data):
            try:
                at += call.wait(self.sock, WAIT_SLICE, self.sock.send, view[at : at + SEND_SIZE])
                call.progress()
            except OSError as error:
                if not is_timeout(error):
                    raise

    def receive_head(self, method: str) -> http.client.HTTPResponse:
        """Return status line and headers; 1xx answers are skipped. One size limit covers them all."""
        import http.client

        self.receiver.limit(MAX_HEAD, f"status line and headers of more than {MAX_HEAD:,} bytes")
        while True:
            head = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]
            try:
                head.begin()
            except http.client.HTTPException as error:
                if isinstance(error, OSError):  # closed before the first byte
                    raise
                raise OSError(f"the answer is not HTTP: {error!r}") from error
            if self.receiver.is_over:  # http.client treats the end of the connection as the end of the head
                raise ConnectionError("closed in the middle of the head")
            if not 100 <= head.status <= 199 or head.status == 101:
                self.receiver.limit(MAX_BODY, f"an answer of more than {MAX_BODY:,} bytes")
                return head

    def is_reusable(self) -> bool:
        """Return whether the idle connection is still open, and no unexpected data has arrived."""
        import select

        if time.monotonic() - self.idle_since > IDLE_LIMIT or self.reader.peek(1):
            return False
        try:
            return not select.select([self.sock], [], [], 0)[0]
        except (OSError, ValueError):  # closed, or its number is too high for select
            return False

    def close(self) -> None:
        """Close immediately."""
        self.receiver.call = None
        self.sock.close()


# What sockets, TLS and decoders raise because of the network or the server.
FAULTS = (OSError, ValueError, EOFError, LimitError)


class _Answer:
    """Status, headers and body of one answer; finish() or close() must end it."""

    def __init__(
        self,
        connection: _Connection,
        response: http.client.HTTPResponse,
        call: _Call,
        keep: Callable[[_Connection], None] | None,
    ) -> None:
        self.status: int = response.status
        self.headers = Headers(response.headers.items())
        # Without a length or chunks only the end of the connection marks the end of the body.
        self.has_proof = response.chunked or response.length is not None
        self._connection = connection
        self._response = response
        self._call = call
        self._keep = keep if not response.will_close else None

    @property
    def is_cut(self) -> bool:
        """Whether the connection ended before the announced length."""
        return bool(self._response.length) and self._response.isclosed()

    def read(self) -> bytes:
        """Return the next piece of the body, b"" at its end; raise EOFError if the body is cut."""
        try:
            data = self._response.read1(READ_SIZE)
        except Exception as error:
            import http.client

            if not isinstance(error, http.client.HTTPException):
                raise
            raise EOFError("the chunks of its body are broken or cut") from error
        if not data and self.is_cut:
            raise EOFError("closed before the answer was complete")
        return data

    def finish(self) -> None:
        """Keep the connection for the next call if the body has been read to its end, else close it."""
        import select

        connection, call = self._connection, self._call
        connection.receiver.call = None  # now peek() does not wait
        if self._keep and not self._is_whole():
            try:  # to read the last framing bytes after [DONE]
                is_here = connection.reader.peek(1) or getattr(connection.sock, "pending", int)()
                if is_here or select.select([connection.sock], [], [], END_GRACE)[0]:
                    call.hurry(END_GRACE)
                    connection.receiver.call = call
                    self.read()
            except (*FAULTS, OpenRouterError):
                self._keep = None  # the connection can't be used again; after [DONE] that is not an error
            connection.receiver.call = None
        call.attach(None)
        if self._keep and self._is_whole() and not connection.reader.peek(1):
            self._keep(connection)
        else:
            connection.close()

    def _is_whole(self) -> bool:
        return self._response.length == 0 or self._response.isclosed() and not self.is_cut

    def close(self) -> None:
        """Close the connection, even if the body has not been read to its end."""
        self._call.attach(None)
        self._connection.close()


_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, eq=False, repr=False)
class _Proxy:
    """An HTTP proxy: its address, the variable that names it, and the value of Proxy-Authorization."""

    host: str
    port: int
    source: str
    login: str | None = None


def _is_direct(host: str, port: int) -> bool:
    """Return whether NO_PROXY or the system excludes a host: by name, .name, *.name, host:port or network."""
    import ipaddress
    import urllib.request

    if urllib.request.proxy_bypass(f"{host}:{port}"):
        return True
    name = host.strip("[]").lower()
    # urllib handles neither networks nor stars.
    for entry in re.split(r"[\s,]+", urllib.request.getproxies().get("no", "").lower()):
        tail = entry[1:] if entry.startswith("*.") else ""
        if tail and (name.endswith(tail) or name == tail[1:]):
            return True
        with contextlib.suppress(ValueError):  # it is a name, not an address
            if ipaddress.ip_address(name) in ipaddress.ip_network(entry.strip("[]"), strict=False):
                return True
    return False


def find_proxy(scheme: str, host: str, port: int) -> _Proxy | None:
    """Return the proxy for a target; raise ConfigError for a kind of proxy that is not supported.

    The rules are urllib's: HTTPS_PROXY, HTTP_PROXY and ALL_PROXY in the environment, in upper or
    lower case, or the settings of macOS and Windows. A loopback target never uses a proxy.
    """
    may_have_one = os.name == "nt" or sys.platform == "darwin" or any(n.lower().endswith("_proxy") for n in os.environ)
    if re.fullmatch(_LOOPBACK, host) or not may_have_one:
        return None  # most programs end here, and need not import urllib.request, which takes 4 ms
    import urllib.request
    from urllib.parse import unquote, urlsplit

    proxies = urllib.request.getproxies()
    name = scheme if proxies.get(scheme) else "all"
    url = proxies.get(name)
    if not url or _is_direct(host, port):
        return None
    source = f"{name.upper()}_PROXY"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        proxy_port = parts.port or 80
    except ValueError as error:
        raise ConfigError(f"{source} is not a URL: {error}", hint=f"{source}=http://host:port") from None
    if parts.scheme.lower() != "http" or not parts.hostname:
        where = f"{parts.scheme}://{parts.hostname or ''}"
        hint = f"name an HTTP proxy, {source}=http://host:port; https:// and socks proxies are not supported"
        raise ConfigError(f"{source} names the proxy {where}, which can't be used", hint=hint)
    login = None
    if parts.username is not None:
        import base64

        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = "Basic " + base64.b64encode(pair.encode()).decode()
    return _Proxy(parts.hostname, proxy_port, source, login)


# One for each pair of SSL_CERT_FILE and SSL_CERT_DIR, because making one takes 17 ms.
_TLS_CONTEXTS: dict[tuple[str | None, ...], ssl.SSLContext] = {}


class _ProxyRefusal(OSError):
    """The proxy refused to open a tunnel."""


def _connect_error(error: BaseException, target: str, proxy: _Proxy | None, call: _Call) -> APIConnectionError:
    """Return the error that says why there is no connection: timeout, proxy, name, certificate or port."""
    import ssl

    where = f"the proxy {proxy.host}:{proxy.port} (of {proxy.source})" if proxy else target
    if is_timeout(error):
        name = "deadline" if call.time_left() <= 0 else "connect_timeout"
        limit = getattr(call.config, name)
        return APITimeoutError(f"no connection to {where} within {limit:g} s",
                               hint=f"is the network up? if so, raise {name}")  # fmt: skip
    if isinstance(error, _ProxyRefusal):
        hint = f"set {proxy.source if proxy else 'HTTPS_PROXY'}=http://user:password@host:port, or NO_PROXY"
        return APIConnectionError(f"{where} {error}", hint=hint, retryable=False)
    if type(error).__name__ == "gaierror":
        name = proxy.host if proxy else target.rpartition(":")[0]
        hint = f"is the network up, and {proxy.source if proxy else 'base_url'} right?"
        return APIConnectionError(f"the name {name} can't be looked up: {error}", hint=hint)
    if isinstance(error, ssl.SSLCertVerificationError):
        _TLS_CONTEXTS.clear()  # the user may correct the CA files before the next call
        file = os.environ.get("SSL_CERT_FILE")
        hint = (
            "behind an inspecting proxy set SSL_CERT_FILE to its CA bundle; with Python from python.org on macOS run"
            " 'Install Certificates.command'"
        )
        if file and not os.path.isfile(file):
            hint = f"SSL_CERT_FILE names {file}, which is not a file: correct it"
        message = f"the certificate of {target.rpartition(':')[0]} can't be verified: {error.verify_message}"
        return APIConnectionError(message, hint=hint, retryable=False)
    hint = f"check {proxy.source} and NO_PROXY" if proxy else "check base_url and the network"
    return APIConnectionError(f"no connection to {where}: {error}", hint=hint)


def request_head(method: str, target: str, netloc: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return request line and headers as bytes; the values have been checked before."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {netloc}", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _close_all(connections: list[_Connection]) -> None:
    while connections:
        connections.pop().close()


def connection_error(error: BaseException, *, sent: bool) -> APIConnectionError:
    """Return the error for a broken connection; if ``sent``, the request may have been billed."""
    if isinstance(error, LimitError):
        return APIConnectionError(f"the server sent {error}", hint="check base_url", sent=sent)
    what = str(error) or type(error).__name__
    hint = "" if sent else "try again"
    return APIConnectionError(f"the connection broke: {what}", hint=hint, sent=sent)


class _Transport:
    """Sends requests to one base_url over connections that are kept alive."""

    def __init__(self, base_url: str) -> None:
        match = re.fullmatch(_URL, base_url)
        assert match  # LlmConfig has checked it
        self._scheme, self._host = match.group(1), match.group(2)
        self._netloc = self._host + (match.group(3) or "")
        self._port = int((match.group(3) or ":0")[1:]) or _PORTS[self._scheme]
        self._idle: list[_Connection] = []
        self._is_closed = False
        self.after_fork()
        # If nobody closes the Llm, its connections are closed when it is freed.
        weakref.finalize(self, _close_all, self._idle)

    def after_fork(self) -> None:
        """Start without connections; a forked child must not use those of its parent."""
        self._idle.clear()
        self._lock = threading.RLock()
        _FORK_SENSITIVE.add(self)

    def close(self) -> None:
        """Close the idle connections, and keep no connection from now on."""
        with self._lock:
            self._is_closed = True
            _close_all(self._idle)

    @functools.cached_property
    def proxy(self) -> _Proxy | None:
        """The proxy for base_url, looked up once."""
        return find_proxy(self._scheme, self._host, self._port)

    def send(self, call: _Call, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> _Answer:
        """Send one request and return its answer, whatever its status; redirects are not followed.

        Raises APIConnectionError (with ``sent`` if the whole request had left) or _Cancelled.
        """
        target = url[len(f"{self._scheme}://{self._netloc}") :]
        if self.proxy and self._scheme == "http":  # the proxy gets the whole URL
            target = url
            headers = {**headers, **({"Proxy-Authorization": self.proxy.login} if self.proxy.login else {})}
        data = request_head(method, target, self._netloc, headers, body) + (body or b"")
        kept = None
        while kept is None and self._idle:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is not None and not kept.is_reusable():
                kept.close()
                kept = None
        if kept is not None:
            before = kept.receiver.received
            try:
                return self._exchange(kept, call, method, data)
            except APIConnectionError as error:
                if kept.receiver.received > before or isinstance(error, APITimeoutError):
                    raise
                call.check()  # the kept connection was dead: no byte came back, so send again on a new one
        return self._exchange(self._connect(call), call, method, data)

    def _exchange(self, connection: _Connection, call: _Call, method: str, data: bytes) -> _Answer:
        """Send on one connection; close it if there is no answer."""
        sent = False
        try:
            call.sending()
            call.attach(connection.sock)
            connection.receiver.call = call
            try:
                connection.send(call, data)
                sent = True
            except ConnectionError:
                call.check()  # else there may be an early answer, such as 413
            head = connection.receive_head(method)
            return _Answer(connection, head, call, self._keep if sent else None)
        except BaseException as error:
            connection.close()
            call.attach(None)
            call.check()
            if isinstance(error, APIConnectionError):
                if not sent and call.time_left() > 0:
                    error.message = f"the server accepted no more of the request for {call.config.timeout:g} s"
                error.sent = sent
            if isinstance(error, FAULTS):
                raise connection_error(error, sent=sent) from error
            raise

    def _keep(self, connection: _Connection) -> None:
        """Keep a connection for the next call, and close those that have been idle for too long."""
        now = connection.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(connection)
            while self._idle and (self._is_closed or now - self._idle[0].idle_since > IDLE_LIMIT):
                self._idle.pop(0).close()

    def _connect(self, call: _Call, report: Callable[[str, str], None] = lambda step, result: None) -> _Connection:
        """Connect, through the proxy if there is one; ``report`` gets each step before it, with "", and after it."""
        proxy, target = self.proxy, f"{self._host}:{self._port}"
        call.connecting()
        sock = None
        try:
            sock = self._dial(call, report)
            if self._scheme == "https":
                if proxy:
                    report("tunnel", "")
                    self._open_tunnel(sock, proxy, call)
                    report("tunnel", f"to {target}")
                report("TLS", "")
                places = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
                context = _TLS_CONTEXTS.get(places)
                if context is None:
                    import ssl

                    context = _TLS_CONTEXTS[places] = ssl.create_default_context()
                    context.set_alpn_protocols(["http/1.1"])
                name = self._host.strip("[]")
                sock = secured = context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
                call.attach(sock)
                call.wait(sock, math.inf, secured.do_handshake)
            return _Connection(sock)
        except BaseException as error:
            call.attach(None)
            if sock is not None:
                sock.close()
            call.check()
            if isinstance(error, (APITimeoutError, *FAULTS)):
                raise _connect_error(error, target, proxy, call) from error
            raise

    def probe(self, config: LlmConfig, report: Callable[[str, str], None]) -> None:
        """Connect once and report each step; raises ConfigError or APIConnectionError in the step that fails."""
        proxy, call = self.proxy, _Call(config)
        names = [name for name in os.environ if name.lower().endswith("_proxy") and os.environ[name]]
        why = f"though {', '.join(sorted(names))} is set" if names else "no proxy is set"
        report("proxy", f"{proxy.host}:{proxy.port}, by {proxy.source}" if proxy else f"none for {self._netloc}, {why}")
        call.begin()
        connection: Any = self._connect(call, report)
        if self._scheme == "https":
            cells = connection.sock.getpeercert().get("issuer", ())
            issuer = {key: value for pairs in cells for key, value in pairs}
            name = issuer.get("organizationName") or issuer.get("commonName")
            report("TLS", f"{connection.sock.version()}, the certificate of {self._host} is issued by {name}")
        connection.close()

    def _dial(self, call: _Call, report: Callable[[str, str], None]) -> socket.socket:
        """Connect to the first address that answers; the DNS look-up itself can't be limited or cancelled.

        The addresses share the time that is left, so that a dead IPv6 address leaves time for IPv4.
        """
        import socket as sockets

        host, port = (self.proxy.host, self.proxy.port) if self.proxy else (self._host.strip("[]"), self._port)
        failure: OSError | None = None
        report("look-up", "")
        addresses = call.wait(None, math.inf, sockets.getaddrinfo, host, port, 0, sockets.SOCK_STREAM)
        report("look-up", f"{host} is {addresses[0][4][0]}" if addresses else f"{host} has no address")
        report("connect", "")
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = sockets.socket(family, kind, protocol)
            try:
                call.attach(sock)
                share = call.connect_time_left() / (len(addresses) - tried)
                call.wait(sock, share, sock.connect, address)
                sock.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
                report("connect", f"{host}:{port}")
                return sock
            except BaseException as error:
                sock.close()
                call.check()
                if not isinstance(error, OSError):
                    raise
                failure = error
        raise failure or OSError(f"no address for {host}")

    def _open_tunnel(self, sock: socket.socket, proxy: _Proxy, call: _Call) -> None:
        """Ask the proxy for a tunnel (CONNECT); the proxy does not see the key."""
        netloc = f"{self._host}:{self._port}"
        headers = {"Proxy-Authorization": proxy.login} if proxy.login else {}
        plain = _Connection(sock)
        plain.receiver.call = call
        plain.send(call, request_head("CONNECT", netloc, netloc, headers, None))
        call.connecting()
        head = plain.receive_head("CONNECT")
        if head.status != 200:
            raise _ProxyRefusal(f"refused the tunnel: {head.status} {head.reason}")
        plain.receiver.call = None


# --- Operation ------------------------------------------------------------------------------
# One question from request to result: attempts, clock, log row. Stream iterates over its events; the bridge to
# asyncio does so in a thread. complete, chat, stream, request and their async forms all run the events() of an
# operation. This section does not know functions, schemas and files.

_CLOSED = "the call was closed before its answer was complete"
_MAY_BE_BILLED = "the whole request had been sent and may have been billed, so it was not sent again"

# The asyncio loop that awaits the call, if there is one.
CALLERS_LOOP: contextvars.ContextVar[Any] = contextvars.ContextVar("openrouter_min_loop", default=None)

# Called before each wait with its seconds and the reason; the command line prints them.
ON_WAIT: contextvars.ContextVar[Callable[[float, str], None]] = contextvars.ContextVar("openrouter_min_on_wait")


class _Question:
    """What a caller waits for: one operation, or the operations of a tool loop."""

    call: _Call
    result: Any = None
    _has_begun = False

    def begin(self) -> None:
        """Mark the events as being read; raise ConfigError if they have been read before."""
        if self._has_begun:
            raise ConfigError("a stream can be read once", hint="its text is stream.completion.content")
        self._has_begun = True

    def events(self) -> Generator[Event, None, None]:
        """Send the request and yield each event; then set ``result``."""
        raise NotImplementedError

    def partial(self) -> Completion:
        """Return the answer so far."""
        raise NotImplementedError

    def run(self) -> Completion:
        """Run to the end and return the answer."""
        for _ in self.events():
            continue
        return self.completion()

    def completion(self) -> Completion:
        """Return the whole answer; raise StreamInterruptedError before its end."""
        if isinstance(self.result, Completion):
            return self.result
        hint = "read it to the end first; the answer so far is in .partial"
        raise StreamInterruptedError("the stream is not at its end", hint=hint, partial=self.partial())


class _Session:
    """What all operations of a client share: connections, log, running questions, the sum of usage."""

    def __init__(self, config: LlmConfig) -> None:
        self.transport = _Transport(config.base_url or "")
        self.log = log_for(config.log)
        self._max_cost = config.max_cost
        self._max_cost_per_day = config.max_cost_per_day
        if self._max_cost_per_day is not None and self.log is None:
            hint = f"name a log with log=... or {LOG_ENV}"
            raise ConfigError("max_cost_per_day needs the log, which is switched off", hint=hint)
        self.usage = Usage()
        self._is_closed = False
        if self.log:
            self.log.enter()
        self.after_fork()

    def after_fork(self) -> None:
        """Start with a new lock and nothing running; in a forked child a thread of the parent may hold the old lock."""
        self._lock = threading.RLock()
        self.running: set[_Question] = set()
        _FORK_SENSITIVE.add(self)

    def enter(self, question: _Question) -> None:
        """Add a running question; raise ConfigError after close()."""
        with self._lock:
            if self._is_closed:
                raise ConfigError("this Llm is closed", hint="make a new one")
            self.running.add(question)

    def check_budget(self) -> None:
        """Raise BudgetError if a limit of cost is used up; the cost of running calls is not known yet."""
        spent = self.usage.cost or 0.0
        if self._max_cost is not None and spent >= self._max_cost:
            message = f"max_cost of ${number_text(self._max_cost)} is used up: ${number_text(spent)} were spent"
            raise BudgetError(message, hint="raise max_cost, or make a new Llm, which starts at 0")
        if self._max_cost_per_day is not None and self.log is not None:
            spent = self.log.spent_today()
            if spent >= self._max_cost_per_day:
                limit = number_text(self._max_cost_per_day)
                message = f"max_cost_per_day of ${limit} is used up: ${number_text(spent)} were spent today"
                raise BudgetError(message, hint=f"it resets at midnight, local time; raise it or {DAY_LIMIT_ENV}")

    def leave(self, question: _Question) -> None:
        """Remove a question that has ended."""
        with self._lock:
            self.running.discard(question)

    def add_usage(self, usage: Usage) -> None:
        """Add the usage of an answer to the sum."""
        with self._lock:
            self.usage += usage

    def close(self) -> None:
        """End all running calls and close all connections."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            running = list(self.running)
        for question in running:
            question.call.cancel()
        self.transport.close()
        if self.log and not was_closed:
            self.log.leave()


def require_key(config: LlmConfig) -> None:
    """Raise ConfigError if there is no API key."""
    if not config.api_key:
        hint = f"make one at {KEYS_URL}, then set {KEY_ENV} or pass api_key=..."
        raise ConfigError("there is no API key", hint=hint)


class _Operation(_Question):
    """One request to the service with its attempts, its answer and its row in the log."""

    def __init__(
        self,
        session: _Session,
        config: LlmConfig,
        method: str,
        path: str,
        body: Json | None,
        *,
        action_id: str | None = None,
        is_completion: bool = False,
        parse: Callable[[Any], Any] | None = None,
        call: _Call | None = None,
    ) -> None:
        if method != "GET" or not path.startswith("/models"):
            require_key(config)
        self.config = config
        self.body = body
        self.call = call or _Call(config)
        self._session = session
        self._method = method
        self._path = path
        self._action_id = action_id
        self._is_completion = is_completion
        self._parse = parse
        fields = body or {}
        self._is_single = fields.get("n") in (None, 1)
        first = next(iter(_list(fields.get("models"))), None)
        self.requested_model = _str_or_none(fields.get("model") or first)
        self._models: tuple[str, ...] = ()
        if is_completion and self.requested_model and "models" not in fields:
            self._models = tuple(dict.fromkeys([self.requested_model, *config.fallbacks]))
        self._payload = self._encode(self._models)
        self._reader = self._new_reader("")
        self._attempts: list[Attempt] = []
        self._first_token_ms: int | None = None
        self._answer_headers = Headers()
        self._log = session.log if method != "GET" else None
        self._row: Row = {}
        self._lost_cost = 0.0  # USD of failed requests that were sent again

    def _encode(self, models: Sequence[str]) -> bytes | None:
        return None if self.body is None else encode_body(with_models(self.body, models[:MODELS_PER_REQUEST]))

    def first_body(self) -> Json:
        """Return the body of the first request, as it is sent."""
        return _dict(decode_json((self._payload or b"{}").decode()))

    def _new_reader(self, content_type: str) -> AnswerReader:
        return AnswerReader(content_type, is_completion=self._is_completion, is_single=self._is_single)

    @property
    def is_stream(self) -> bool:
        """Whether the answer comes as events."""
        return self._reader.is_stream is True

    def partial(self) -> Completion:
        """Return the answer so far."""
        return decode_completion(
            self._reader.body(),
            requested_model=self.requested_model,
            attempts=self._attempts,
            latency_ms=self.call.elapsed_ms(),
            first_token_ms=self._first_token_ms,
            headers=self._answer_headers,
        )

    # The path of every operation.

    def events(self) -> Generator[Event, None, None]:
        """Send the request and yield each event; a plain answer is one event, its body. Then set ``result``.

        The row of the log is inserted before, and completed after any end: success, an error, or a
        caller who stops early.
        """
        self.begin()
        self._session.enter(self)
        try:
            if self._method != "GET":
                self._session.check_budget()
        except BaseException:
            self._session.leave(self)
            raise
        self.call.begin()
        if self._log is not None:
            row = {
                "operation_id": new_operation_id(),
                "timestamp": utc_timestamp(),
                "action_id": self._action_id,
                "status": "running",
                **opened_row(self.config, self._path, self.body or {}, self.requested_model),
            }
            self._row = {k: log_cell(v, self.config.api_key) for k, v in row.items() if v is not None}
            self._log.write(self._row)
        failure: BaseException | None = None
        try:
            yield from self._attempts_until_done()
        except _Cancelled as error:
            failure = error
            raise StreamInterruptedError(_CLOSED, partial=self.partial()) from None
        except BaseException as error:
            failure = error
            if isinstance(error, OpenRouterError):
                self._scrub(error)
            raise
        finally:
            self._session.leave(self)
            self._close_row(failure)

    def _attempts_until_done(self) -> Iterator[Event]:
        """Send requests as the policy decides, until there is an answer or the last error."""
        models, retries = self._models, 0
        while True:
            self.call.check()
            try:
                yield from self._attempt()
                result, attempt = self._reader.result, self._attempt_of(models, 200, None, 0.0)
                if self._is_completion:
                    result = self.partial()
                    check_generation(result)
                    result.attempts.append(attempt)
                if self._parse and not (self._is_completion and result.tool_calls):
                    result = self._parse(result)
                self.result = result
                self._attempts.append(attempt)
                return
            except OpenRouterError as error:
                import random

                if isinstance(error, StreamInterruptedError) and error.partial is None:
                    error.partial = self.partial()
                left, chance = self.call.time_left(), random.random()
                step = next_step(error, models, retries=retries, config=self.config, time_left=left, chance=chance)
                status = getattr(error, "status", None)
                self._attempts.append(self._attempt_of(models, status, error.message, step.wait))
                error.attempts = list(self._attempts)
                billed = _MAY_BE_BILLED if isinstance(error, APIConnectionError) and error.sent else ""
                error.hint = "; ".join(filter(None, [step.note, error.hint, billed]))
                if step.models is None:
                    raise
                message, lost = error.message, self.partial()
                if lost.raw.get("usage"):  # the failed answer was billed
                    self._session.add_usage(dataclasses.replace(lost.usage, cost=lost.cost))
                    self._lost_cost += lost.cost or 0
            retries += step.models == models
            if step.models != models:
                models, self._payload = step.models, self._encode(step.models)
            self._reader = self._new_reader("")
            on_wait = ON_WAIT.get(None)
            if on_wait is not None:
                on_wait(step.wait, message)
            self.call.sleep(step.wait)

    def _attempt_of(self, models: Sequence[str], status: int | None, error: str | None, wait: float) -> Attempt:
        """Return the record of a request, without the key: a user may pass it as a model, a server may echo it."""
        key = self.config.api_key
        asked = tuple(redact(model, key) for model in models[:MODELS_PER_REQUEST])
        return Attempt(asked, status, error and redact(error, key), wait)

    def _attempt(self) -> Iterator[Event]:
        """Send one request and yield the events of its answer, or raise its error."""
        own = {
            "User-Agent": f"openrouter_min/{__version__}",
            "Accept": "text/event-stream" if (self.body or {}).get("stream") is True else "application/json",
            **({} if self._payload is None else {"Content-Type": "application/json"}),
        }
        given = self.config.headers or {}
        names = {name.lower() for name in given}
        headers = {**{k: v for k, v in own.items() if k.lower() not in names}, **given}
        if self.config.api_key:
            headers["Authorization"] = f"Bearer {self.config.api_key}"
        url = f"{self.config.base_url}{self._path}"
        self._answer_headers = Headers()
        answer = self._session.transport.send(self.call, self._method, url, headers, self._payload)
        self._answer_headers = answer.headers
        self._reader = self._new_reader(answer.headers.get("Content-Type", ""))
        failure: OpenRouterError | None = None
        try:
            encoding = answer.headers.get("Content-Encoding", "").strip().lower()
            encoding = "" if encoding in ("identity", "none") else encoding
            if not 200 <= answer.status <= 299:
                failure = self._status_error(answer, encoding)
            elif encoding:
                problem = f"the answer is encoded as {encoding}, though identity was asked for"
                raise APIResponseError(problem, hint="switch off the compression of your proxy or gateway")
            else:
                yield from self._read(answer)
        except BaseException:
            answer.close()
            raise
        answer.finish()
        if self._reader.error is not None and failure is None:
            failure = self._error_in_answer(self._reader.error)
        if failure is not None:
            raise failure

    def _read(self, answer: _Answer) -> Iterator[Event]:
        """Yield the events of an answer; return only if it is proven to be complete, or contains an error."""
        reader, call = self._reader, self.call
        try:
            while not reader.is_done:
                data = answer.read()
                if not data:
                    break
                for event in reader.feed(data):
                    if self._first_token_ms is None and reader.has_output and self._is_completion:
                        self._first_token_ms = call.elapsed_ms()
                    yield event
                if reader.failure is not None:
                    raise reader.failure
                if reader.error is not None:
                    call.hurry(ERROR_GRACE)  # the usage may follow
                elif reader.has_data:
                    call.progress()
                    if self._is_single and reader.has_finish:  # of several answers another one may still begin
                        call.hurry(FINISH_GRACE)
        except (APIConnectionError, *FAULTS) as error:
            call.check()
            if reader.has_finish or reader.error is not None:
                answer.close()
            elif isinstance(error, LimitError):
                raise self._while_reading(APIResponseError(f"the server sent {error}", hint="ask for less")) from error
            elif isinstance(error, EOFError):
                yield from reader.end(is_cut=True)  # raises, unless the answer was complete before the cut
            elif isinstance(error, APIConnectionError):
                broken = self._while_reading(error)
                raise broken from (None if broken is error else error)
            else:
                raise self._while_reading(connection_error(error, sent=True)) from error
            return
        except APIResponseError as error:
            raise self._while_reading(error) from None
        yield from reader.end(has_proof=answer.has_proof)

    def _while_reading(self, error: OpenRouterError) -> OpenRouterError:
        """Return the error before any output, and a StreamInterruptedError after it."""
        return StreamInterruptedError(error.message) if self._reader.has_output else error

    # Errors of one attempt.

    def _status_error(self, answer: _Answer, encoding: str) -> APIStatusError:
        """Return the error of an error answer; if its body can't be read, the status is enough."""
        content_type = answer.headers.get("Content-Type", "").lower()
        is_stream = "text/event-stream" in content_type
        reader = AnswerReader(content_type if is_stream else "application/json", is_completion=False)
        self._reader = reader
        body: Any = ""
        try:
            for data in iter(answer.read, b""):
                reader.feed(data)
                if reader.has_data:
                    self.call.progress()
            reader.end()
            body = reader.error or reader.result
        except (APIResponseError, StreamInterruptedError):
            body = reader.body() if reader.is_stream else redact(reader.text(), self.config.api_key)
        except (APIConnectionError, *FAULTS) as error:
            self.call.check()
            body = f"(its body did not arrive: {getattr(error, 'message', None) or error})"
        if encoding:
            body = f"(its body is encoded as {encoding}, though identity was asked for)"
        return self._decode_error(body, answer.status, answer.headers)

    def _error_in_answer(self, body: Json) -> OpenRouterError:
        """Return the exception for an ``error`` inside a 200: the one of its code, after output an interruption."""
        whole = self._reader.body()
        # Not X-RateLimit-Reset, which says nothing about this error.
        names = [name for name in ("X-Generation-Id", "Retry-After") if name in self._answer_headers]
        failure = self._decode_error(body, 200, Headers((name, self._answer_headers[name]) for name in names))
        failure.generation_id = failure.generation_id or _str_or_none(whole.get("id"))
        if self._reader.is_error_late:
            message = f"the stream broke off: {failure.message}"
            broken = StreamInterruptedError(message, hint=failure.hint, status=failure.status)
            broken.error_type, broken.__cause__ = failure.error_type, failure
            return broken
        if text_of(_dict(first_choice(whole).get("message")).get("content")):
            failure.partial = self.partial()
        return failure

    def _decode_error(self, body: Any, status: int, headers: Headers) -> APIStatusError:
        config = self.config
        if isinstance(body, dict):
            body = decode_json(redact(json.dumps(body), config.api_key))
        shape = "" if (config.api_key or "").startswith("sk-or-") else "; it does not begin with sk-or-"
        error = decode_error(
            body,
            status=status,
            headers=headers,
            models=self._models or ((self.requested_model,) if self.requested_model else ()),
            key_note=f"it came from {config.key_source}{shape}",
            base_url=config.base_url or "",
            now=time.time(),
        )
        error.generation_id = error.generation_id and redact(error.generation_id, config.api_key)
        return error

    def _scrub(self, error: OpenRouterError) -> None:
        """Remove the key from an error and from its causes."""
        key = self.config.api_key
        error.hint = redact(error.hint, key)
        error.message = redact(error.message, key)
        error.args = (error.message,)
        link, seen = error.__cause__ or error.__context__, {id(error)}
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            link.args = tuple(redact(a, key) if isinstance(a, str) else a for a in link.args)
            link = link.__cause__ or link.__context__

    # The row of the log, and the sum of usage.

    def _close_row(self, failure: BaseException | None) -> None:
        """Add the cost to the sum and complete the row, after any end."""
        completion = self.result if isinstance(self.result, Completion) else self.partial()
        if completion.raw.get("usage") or self.result is not None or self._reader.has_output:
            usage = dataclasses.replace(completion.usage, cost=completion.cost)
            if self._method != "GET" and completion.cost is None:
                usage = dataclasses.replace(usage, unpriced=1)
            self._session.add_usage(usage)
        if self._log is None:
            return
        status = "ok"
        if isinstance(failure, StreamInterruptedError):
            status = "interrupted"
        elif failure is not None:
            is_error = isinstance(failure, Exception) and not isinstance(failure, _Cancelled)
            status = "error" if is_error else "cancelled"
        error = failure if isinstance(failure, OpenRouterError) else None
        row = closed_row(completion, status, error, self._attempts, has_content=self.config.log_content)
        row["latency_ms"] = self.call.elapsed_ms()
        if self._lost_cost:
            row["cost"] = (row["cost"] or 0) + self._lost_cost
        self._log.write(self._row, {k: log_cell(v, self.config.api_key) for k, v in row.items()})


# Threads for asyncio. They are our own daemon threads, because the default executor has few workers, and makes
# asyncio.run wait until the last one is done.


def start_thread(target: Callable[..., Any], *args: Any) -> threading.Thread:
    """Start a daemon thread with the context variables of the caller."""
    work = contextvars.copy_context().run
    thread = threading.Thread(target=work, args=(target, *args), name="openrouter_min", daemon=True)
    thread.start()
    return thread


async def iterate_in_thread(items: Iterator[Any], cancel: Callable[[], None]) -> AsyncIterator[Any]:
    """Run an iterator in a thread and yield its items; a caller who stops early causes a call of ``cancel``.

    At most ASYNC_BACKLOG items wait for a slow caller. Errors of the iterator are raised here.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    ready: deque[Any] = deque()
    sleeper: asyncio.Future[None] | None = None
    error: BaseException | None = None
    is_over = is_left = False

    def wake_up(future: asyncio.Future[None]) -> None:
        if not future.done():  # else it was cancelled
            future.set_result(None)

    def wake() -> None:
        nonlocal sleeper
        future, sleeper = sleeper, None
        if future is not None:
            try:
                loop.call_soon_threadsafe(wake_up, future)
            except RuntimeError:  # the loop is closed, so nobody waits for the items
                cancel()

    def pump() -> None:
        nonlocal is_over, error
        CALLERS_LOOP.set(loop)
        try:
            for item in items:
                ready.append(item)
                wake()
                while len(ready) >= ASYNC_BACKLOG and not (is_left or loop.is_closed()):
                    time.sleep(BACKLOG_SLICE)
        except BaseException as raised:  # raised again for the caller
            error = raised
        is_over = True
        wake()

    start_thread(pump)
    try:
        while True:
            while ready:
                yield ready.popleft()
            if is_over and not ready:
                break
            future = sleeper = loop.create_future()
            if not ready and not is_over:  # else the thread added something before it could see the sleeper
                await future
        if error is not None:
            raise error
    finally:
        is_left = True
        cancel()
        until = time.monotonic() + CANCEL_GRACE  # so that the thread of a cancelled call can write its row
        while not is_over and time.monotonic() < until:
            await asyncio.sleep(0.005)


async def run_in_thread(question: _Question) -> Completion:
    """Await the answer of a question, which runs in a thread."""
    async for _ in iterate_in_thread((question.run() for _ in range(1)), question.call.cancel):
        continue
    return question.completion()


class _StreamView:
    """The events of a question, converted, for ``for`` and for ``async for``."""

    def __init__(self, question: _Question, convert: Callable[[Event], Any]) -> None:
        self._question = question
        self._convert = convert
        # A weak reference: if the caller abandons the loop, the generator must be freed so that its finally runs.
        self._reader: weakref.ref[Any] | None = None

    def _read(self) -> Iterator[Any]:
        with contextlib.closing(self._question.events()) as events:
            yield from filter(None, map(self._convert, events))

    def __iter__(self) -> Iterator[Any]:
        reader = self._read()
        self._reader = weakref.ref(reader)
        return reader

    def __aiter__(self) -> AsyncIterator[Any]:
        return iterate_in_thread(self._read(), self._question.call.cancel)

    def close(self) -> None:
        """End the stream, from any thread: close the connection, and log the call as cancelled."""
        self._question.call.cancel()
        reader = self._reader() if self._reader else None
        if reader is not None:
            with contextlib.suppress(ValueError):  # another thread is running it, and is ended by the cancel
                reader.close()


class Stream(_StreamView):
    """An answer as it arrives: iterate over its text once, with ``for`` or ``async for``.

    Nothing is sent before the first iteration. Leaving the loop or the ``with`` block closes the
    connection, which ends the billing at providers that support it. If the answer breaks off,
    StreamInterruptedError is raised; its ``partial`` is the answer so far.
    """

    def __init__(self, question: _Question) -> None:
        super().__init__(question, chunk_text)
        self._chunks = _StreamView(question, decode_chunk)

    def chunks(self) -> Iterable[Chunk]:
        """Return an iterable, for ``for`` or ``async for``, of Chunk objects instead of text."""
        return self._chunks

    def close(self) -> None:
        """End the stream, from any thread: close the connection, and log the call as cancelled."""
        self._chunks.close()
        super().close()

    @property
    def partial(self) -> Completion:
        """The answer so far, at any time."""
        return self._question.partial()

    @property
    def completion(self) -> Completion:
        """The whole answer, after the end of the stream; raises StreamInterruptedError before it."""
        return self._question.completion()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()


# --- Tools and schemas ----------------------------------------------------------------------
# Type hints to JSON Schema and back, checking JSON against a schema, and the tool loop.
# Optional: the core does not use it. This section is pure, except that the loop runs functions in threads.

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def _is_json_type(value: Any, name: str) -> bool:
    if name in ("array", "object"):
        return isinstance(value, list if name == "array" else dict)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    is_whole = isinstance(value, float) and value.is_integer()
    return _JSON_TYPES.get(type(value)) == name or is_whole and name == "integer"


def referred(schema: Json, root: Any) -> Any:
    """Return the part of the root schema that a $ref points to."""
    target = root
    for step in filter(None, schema["$ref"].lstrip("#").split("/")):
        target = _dict(target).get(step.replace("~1", "/").replace("~0", "~"), {})
    return target


def schema_problem(value: Any, schema: Any, root: Any = None, where: str = "") -> str:
    """Return where decoded JSON does not fit a JSON Schema; '' if it fits.

    Checks $ref, anyOf, oneOf, allOf, type, enum, const, properties, required, additionalProperties,
    prefixItems, items, minItems and maxItems. Other keywords are ignored.
    """
    if not isinstance(schema, dict):
        return f"{where or 'the answer'} is not allowed" if schema is False else ""
    root, place = schema if root is None else root, where or "the answer"
    if value is None and schema.get("nullable") is True:  # OpenAPI
        return ""
    parts = [schema_problem(value, referred(schema, root), root, where)] if "$ref" in schema else []
    for keyword in ("anyOf", "oneOf"):
        tried = [schema_problem(value, s, root, where) for s in schema.get(keyword, ())]
        if tried and all(tried):  # an alternative with a wrong name or kind is probably not the one that is meant
            return max(tried, key=lambda problem: (" not one of " not in problem, len(problem)))
    types = schema.get("type", [])
    if types and not any(_is_json_type(value, t) for t in ([types] if isinstance(types, str) else types)):
        return f"{place} is {json.dumps(value)[:60]}, not of type {types}"
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if choices is not None and value not in choices:
        return f"{place} is {json.dumps(value)[:60]}, not one of {choices}"
    parts += [schema_problem(value, s, root, where) for s in schema.get("allOf", ())]
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        other = True if "patternProperties" in schema else other  # patterns are not checked
        parts += [schema_problem(v, known.get(k, other), root, f"{where}.{k}".lstrip(".")) for k, v in value.items()]
        parts += [f"{place} lacks {name!r}" for name in schema.get("required", ()) if name not in value]
    if isinstance(value, list):
        first = schema.get("prefixItems", ())
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return f"{place} has {len(value)} items, not {schema.get('minItems', 0)} to {schema.get('maxItems', 'any')}"
        inner = [*first, *[schema.get("items", True)] * max(0, len(value) - len(first))]
        parts += [schema_problem(v, s, root, f"{where}[{i}]") for i, (v, s) in enumerate(zip(value, inner))]
    return next(filter(None, parts), "")


@dataclass(frozen=True, eq=False, repr=False)
class Shape:
    """A type hint as JSON: its schema, and a function that builds the hint's object from decoded JSON."""

    schema: Json
    build: Callable[[Any], Any] = lambda value: value

    def described(self, description: str | None) -> Shape:
        """Return the shape with a description, unless it already has one."""
        if not description or "description" in self.schema:
            return self
        return dataclasses.replace(self, schema={**self.schema, "description": description})


def _text_shapes() -> dict[Any, Shape]:
    """Return the shapes of types that JSON carries as text."""
    import datetime
    import decimal
    import pathlib
    import uuid

    def number(text: Any) -> decimal.Decimal:
        try:
            return decimal.Decimal(str(text))
        except ArithmeticError:
            raise ValueError(f"{text!r} is not a decimal number") from None

    return {
        datetime.datetime: Shape(
            {"type": "string", "format": "date-time"}, lambda text: datetime.datetime.fromisoformat(plain_iso(text))
        ),
        datetime.date: Shape({"type": "string", "format": "date"}, datetime.date.fromisoformat),
        datetime.time: Shape(
            {"type": "string", "format": "time"}, lambda text: datetime.time.fromisoformat(plain_iso(text))
        ),
        decimal.Decimal: Shape({"type": ["number", "string"]}, number),
        uuid.UUID: Shape({"type": "string", "format": "uuid"}, uuid.UUID),
        pathlib.Path: Shape({"type": "string"}, pathlib.Path),
        pathlib.PurePath: Shape({"type": "string"}, pathlib.PurePath),
    }


def _with_definitions_on_top(schema: Json) -> Json:
    """Move the $defs of inner schemas to the root, because a $ref starts there.

    If two definitions have the same name and differ, the second gets a number.
    """
    found: Json = {}

    def moved(value: Any, names: Mapping[str, str]) -> Any:
        if isinstance(value, list):
            return [moved(inner, names) for inner in value]
        if not isinstance(value, dict):
            return value
        own = _dict(value.get("$defs"))
        if own:
            names = dict(names)
            for name, definition in own.items():
                new = name
                while new in found and found[new] != definition:
                    new += "_2"
                names[f"#/$defs/{name}"] = f"#/$defs/{new}"
                found[new] = definition
            for name, definition in own.items():
                found[names[f"#/$defs/{name}"].rpartition("/")[2]] = moved(definition, names)
        inner = {key: moved(v, names) for key, v in value.items() if key != "$defs"}
        if isinstance(inner.get("$ref"), str):
            inner["$ref"] = names.get(inner["$ref"], inner["$ref"])
        return inner

    schema = moved(schema, {})
    return {**schema, "$defs": found} if found else schema


def _object_schema(fields: Mapping[str, tuple[Shape, bool]], *, strict: bool = False) -> Json:
    """Return the schema of an object from {name: (shape, whether it has a default)}."""
    schema = {
        "type": "object",
        "properties": {name: shape.schema for name, (shape, _) in fields.items()},
        "required": [name for name, (_, has_default) in fields.items() if strict or not has_default],
        "additionalProperties": False,
    }
    return _with_definitions_on_top(schema)


def _choice_shape(choices: dict[Any, Any]) -> Shape:
    """Return the shape of a choice from {value in JSON: value in Python}."""
    for value in choices:
        if not isinstance(value, tuple(_JSON_TYPES)):
            raise ConfigError(f"JSON can't carry the choice {value!r}", hint="use strings and numbers as choices")
    types = list(dict.fromkeys(_JSON_TYPES.get(type(v), "string") for v in choices))
    schema = {"type": types[0] if len(types) == 1 else types, "enum": list(choices)}
    return Shape(schema, lambda value: choices.get(value, value))


def function_name(function: Any) -> str:
    """Return the name of a function, of the function in a functools.partial, or of a callable's class."""
    inner = function.func if isinstance(function, functools.partial) else function
    return str(getattr(inner, "__name__", type(function).__name__))


def _hints_of(thing: Any) -> Json:
    """Return the evaluated type hints of a class or of the parameters of a function, including Annotated."""
    import inspect
    import types
    import typing

    try:
        names = None
        if not isinstance(thing, type):  # without the result, whose hint may need an import for type checkers only
            function = inspect.unwrap(thing)
            names = getattr(function, "__globals__", None)
            annotations = {k: v for k, v in getattr(function, "__annotations__", {}).items() if k != "return"}
            thing = types.SimpleNamespace(__annotations__=annotations, __name__=function_name(function))
        if sys.version_info >= (3, 9):
            return typing.get_type_hints(thing, names, include_extras=True)
        return typing.get_type_hints(thing, names)
    except Exception as error:  # a hint may be any expression
        name = getattr(thing, "__name__", repr(thing))
        hint = "define its types at the top level of the module"
        raise ConfigError(f"the hints of {name} can't be read: {error}", hint=hint) from None


def _fields_of(origin: Any, inner_shape: Callable[[Any], Shape]) -> dict[str, tuple[Shape, bool]]:
    """Return {name: (shape, whether it has a default)} for a dataclass or TypedDict."""
    import typing

    hints = _hints_of(origin)
    if dataclasses.is_dataclass(origin):
        none = dataclasses.MISSING
        return {
            f.name: (
                inner_shape(hints[f.name]).described(_str_or_none(f.metadata.get("description"))),
                f.default is not none or f.default_factory is not none,
            )
            for f in dataclasses.fields(origin)
            if f.init
        }
    optional = getattr(origin, "__optional_keys__", frozenset() if origin.__total__ else frozenset(hints))
    fields = {}
    for name, hint in hints.items():
        mark = str(typing.get_origin(hint)).rpartition(".")[2]  # __optional_keys__ is wrong if hints are strings
        is_marked = mark in ("Required", "NotRequired")
        shape = inner_shape(typing.get_args(hint)[0] if is_marked else hint)
        fields[name] = shape, mark == "NotRequired" if is_marked else name in optional
    return fields


def _collection_shape(origin: Any, args: tuple[Any, ...], inner_shape: Callable[[Any], Shape]) -> Shape:
    """Return the shape of a collection; the items of a tuple must all have the same type."""
    types = [a for a in args if a is not ...]
    if any(a != types[0] for a in types):
        raise ConfigError(f"a {origin.__name__} of {args!r} has no schema here", hint="make it a dataclass")
    items = inner_shape(types[0]) if types else Shape({})
    size = {"minItems": len(args), "maxItems": len(args)} if origin is tuple and types == list(args) != [] else {}
    make = list if origin.__module__ == "collections.abc" else origin
    return Shape({"type": "array", "items": items.schema, **size}, lambda value: make([items.build(v) for v in value]))


def _union_shape(shapes: Sequence[Shape]) -> Shape:
    def build(value: Any) -> Any:
        problem = ValueError("it matches none of the alternatives")
        for shape in shapes:
            if not schema_problem(value, shape.schema):
                try:
                    return shape.build(value)
                except ValueError as error:
                    problem = error
        raise problem

    return Shape({"anyOf": [s.schema for s in shapes]}, build)


def shape_of_hint(hint: Any, *, strict: bool = False, inside: tuple[Any, ...] = ()) -> Shape:
    """Return the shape of a type hint; raise ConfigError if JSON can't carry it.

    ``strict``: all properties are required, as structured outputs demand (API page, section 8).
    ``inside``: the hints that contain this one.
    """
    import typing

    def inner_shape(inner: Any) -> Shape:
        return shape_of_hint(inner, strict=strict, inside=(*inside, hint))

    hint = getattr(hint, "__supertype__", None) or getattr(hint, "__value__", hint)  # NewType, or a type alias
    origin, args = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hasattr(hint, "__metadata__"):  # Annotated
        return inner_shape(hint.__origin__).described(next((m for m in hint.__metadata__ if isinstance(m, str)), None))
    if hint is typing.Any or hint is object:
        return Shape({})
    if origin is typing.Union or getattr(origin, "__name__", "") == "UnionType":  # the X | Y of 3.10
        return _union_shape([inner_shape(a) for a in args])
    if origin is typing.Literal:
        return _choice_shape({getattr(a, "value", a): a for a in args})
    if isinstance(origin, type) and hint not in inside:
        if hasattr(origin, "model_json_schema"):  # a pydantic model
            model: Any = origin
            return Shape(model.model_json_schema(), lambda value: model.model_validate_json(json.dumps(value)))
        if origin in _JSON_TYPES:
            build: Callable[[Any], Any] = origin if origin in (int, float) else lambda value: value
            return Shape({"type": _JSON_TYPES[origin]}, build)
        if hasattr(origin, "__members__"):  # Enum
            return _choice_shape({member.value: member for member in origin})  # type: ignore[attr-defined]
        if dataclasses.is_dataclass(origin) or issubclass(origin, dict) and hasattr(origin, "__total__"):
            fields = _fields_of(origin, inner_shape)
            make: Any = origin
            return Shape(
                _object_schema(fields, strict=strict),
                lambda value: make(**{name: fields[name][0].build(v) for name, v in value.items() if name in fields}),
            )
        if hasattr(origin, "keys"):
            values = inner_shape(args[1]) if len(args) > 1 else Shape({})
            names = inner_shape(args[0]) if args else Shape({})
            schema = _with_definitions_on_top({"type": "object", "additionalProperties": values.schema or True})

            def key_of(text: str) -> Any:
                key = decode_json(text) if schema_problem(text, names.schema) else text  # in JSON keys are texts
                if schema_problem(key, names.schema):
                    raise ValueError(f"the key {text!r} does not fit: {schema_problem(key, names.schema)}")
                return names.build(key)

            return Shape(schema, lambda value: {key_of(k): values.build(v) for k, v in value.items()})
        is_text_or_tuple = issubclass(origin, (bytes, str)) or hasattr(origin, "_fields")  # a NamedTuple
        if issubclass(origin, Collection) and not is_text_or_tuple:
            return _collection_shape(origin, args, inner_shape)
        text_shape = _text_shapes().get(origin)
        if text_shape is not None:
            return text_shape
    why = "it contains itself" if hint in inside else "JSON can't carry it"
    raise ConfigError(f"{hint!r} has no schema here: {why}", hint="use plain hints, or give the schema as a dict")


# Functions as tools.

_SECTIONS = r"(?i)(args|arguments|parameters|params|other parameters|keyword args|keyword arguments)\s*:?\s*$"
_OTHER_SECTIONS = (
    r"(?i)(returns?|yields?|raises?|examples?|notes?|see also|warnings?|attributes|references|todo)\s*:?\s*$"
)


def parse_docstring(text: str, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Return the description of a function and of its parameters.

    Understands the styles of Google (``Args:``), NumPy (``Parameters`` above a line of dashes) and
    Sphinx (``:param name: text``), and lines ``name: text``. A description continues on indented
    lines. Sections about other things, such as Returns, are skipped.
    """
    known = "|".join(map(re.escape, names)) or "(?!)"
    about: list[str] = []
    found: dict[str, list[str]] = {}
    lines, section, current, depth = text.split("\n"), "", "", 0
    for number, line in enumerate(lines):
        words, indent = line.strip(), len(line) - len(line.lstrip())
        rule = lines[number + 1].strip() if number + 1 < len(lines) else ""
        is_numpy = len(rule) > 2 and not rule.strip("-")
        if is_numpy or re.fullmatch(_SECTIONS, words) or re.fullmatch(_OTHER_SECTIONS, words) and words.endswith(":"):
            section, current = "args" if re.fullmatch(_SECTIONS, words) else "other", ""
            section = "numpy" if section == "args" and is_numpy else section
            continue
        if len(words) > 2 and not words.strip("-"):
            continue
        sphinx = re.match(rf":param\s+(?:[^:]*\s)?({known})\s*:\s*(.*)", words)
        plain = re.match(rf"(\*{{0,2}})({known})\s*(\([^)]*\))?\s*:\s*(.*)", words)
        if sphinx:
            current, depth, found[sphinx.group(1)] = sphinx.group(1), indent, [sphinx.group(2)]
        elif section == "numpy":
            head = re.match(rf"({known})(?:\s*,\s*({known}))*\s*(?::.*)?$", words)
            if head and (not current or indent <= depth):
                current, depth = head.group(1), indent
                shared: list[str] = []
                found.update((n, shared) for n in re.split(r"\s*,\s*", words.partition(":")[0].strip()))
            elif current and words and indent > depth:
                found[current].append(words)
            elif words:
                current = ""  # a parameter that is not passed, such as *args
        elif section != "other" and plain and (not current or indent <= depth):
            current, depth, found[plain.group(2)] = plain.group(2), indent, [plain.group(4)]
        elif current and words and indent > depth:
            found[current].append(words)
        else:
            current = ""
            if not section and not words.startswith(":"):
                about.append(words)
    paragraphs = [" ".join(p.split()) for p in "\n".join(about).split("\n\n")]
    described = {name: " ".join(filter(None, parts)) for name, parts in found.items()}
    return "\n\n".join(filter(None, paragraphs)), {k: v for k, v in described.items() if v}


@dataclass(frozen=True, eq=False, repr=False)
class Tool:
    """A function that a model may call: its definition in the request, and the shapes of its arguments."""

    name: str
    function: Callable[..., Any]
    definition: Json
    shapes: Mapping[str, Shape]

    @classmethod
    def of(cls, function: Any) -> Tool:
        """Make a tool from a function's name, docstring and hints; raise ConfigError if it can't be one.

        The description of a parameter comes from Annotated[..., "text"] or the docstring.
        """
        import inspect
        import typing

        inner = function.func if isinstance(function, functools.partial) else function
        bound = function.keywords if isinstance(function, functools.partial) else {}
        name = function_name(function)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise ConfigError(
                f"tools: {name!r} is not a function name", hint="use a function with a name, a docstring and type hints"
            )
        try:
            parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in bound]
        except ValueError as error:  # some functions written in C have no signature
            raise ConfigError(f"tools: {error}", hint="write a function around it") from None
        parameters = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        hints = _hints_of(inner if hasattr(inner, "__name__") else type(inner).__call__)
        description, descriptions = parse_docstring(inspect.getdoc(inner) or "", [p.name for p in parameters])
        fields: dict[str, tuple[Shape, bool]] = {}
        for parameter in parameters:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise ConfigError(f"tools: {name} takes {parameter.name} by position only", hint="remove the / from it")
            hint = hints.get(parameter.name, object)
            shape = shape_of_hint(hint)
            if parameter.default is None and schema_problem(None, shape.schema):
                shape = shape_of_hint(typing.Optional[hint])  # get_type_hints does this only before Python 3.11
            shape = shape.described(descriptions.get(parameter.name))
            if type(parameter.default) in (str, bool, int, float):
                shape = dataclasses.replace(shape, schema={**shape.schema, "default": parameter.default})
            fields[parameter.name] = shape, parameter.default is not parameter.empty
        about = {"name": name, "description": description, "parameters": _object_schema(fields)}
        shapes = {name: shape for name, (shape, _) in fields.items()}
        return cls(name, function, {"type": "function", "function": about}, shapes)

    def arguments(self, call: ToolCall) -> Json:
        """Return the arguments of a call, of the types in the hints; raise ValueError if they don't fit."""
        is_empty = call.arguments.strip(" \t\r\n") in ("", "null")
        values = {} if is_empty else decode_json(call.arguments)
        problem = schema_problem(values, self.definition["function"]["parameters"])
        if problem:
            raise ValueError(problem.replace("the answer", "the arguments"))
        return {name: self.shapes[name].build(value) for name, value in values.items()}


def tools_of(tools: Sequence[Any]) -> dict[str, Tool]:
    """Return the functions among tools by name; raise ConfigError for an item that is no function or dict."""
    named: dict[str, Any] = {}
    for i, tool in enumerate(tools):
        if not callable(tool) and not isinstance(tool, dict):
            raise ConfigError(f"tools[{i}] is {type_name(tool)}", hint="use a function, or {'type': 'function', ...}")
        name = function_name(tool) if callable(tool) else _str(_dict(tool.get("function")).get("name"))
        if name and named.setdefault(name, tool) is not tool:
            raise ConfigError(f"tools: two have the name {name}", hint="rename one")
    return {name: Tool.of(tool) for name, tool in named.items() if callable(tool)}


def tool_text(value: Any) -> str:
    """Return the result of a function as text for a tool message: a str unchanged, other values as JSON."""

    def plain(value: Any) -> Any:
        if hasattr(value, "__members__") or isinstance(value, type):
            return str(value)
        if hasattr(type(value), "__members__"):  # a member of an Enum
            return plain(value.value)
        if value is None or isinstance(value, (str, int, float)):
            return value
        if dataclasses.is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if hasattr(value, "model_dump"):  # a pydantic model
            return value.model_dump(mode="json")
        if isinstance(value, Mapping):
            return {tool_text(plain(k)): plain(v) for k, v in value.items()}
        views = collections.abc.Set, collections.abc.ValuesView
        if isinstance(value, (Sequence, Iterator, *views)) and not isinstance(value, (bytes, bytearray)):
            return [plain(inner) for inner in value]
        return plain(value.tolist()) if hasattr(value, "tolist") else str(value)  # NumPy

    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)


# Structured output.


def find_json(text: str, fits: Callable[[Any], bool] = lambda value: True) -> Any:
    """Return the JSON in the answer of a model; raise ValueError if there is none.

    A model may write its thoughts first, put the JSON into a code block, write words around it, or
    break lines inside strings. Of several values, the last one that ``fits`` is returned, else the
    last one.
    """
    answer = re.sub(r"(?s)^.*</(think|thinking|thought|reasoning)>", "", text).strip() or text.strip()
    problem = "it is not JSON: it is empty"
    found: list[Any] = []
    for candidate in (text, answer, *re.findall(r"```[\w-]*\s(.*?)```", answer, re.S)):
        try:
            found.append(_DECODER.decode(candidate.strip()))
        except (ValueError, RecursionError) as error:
            problem = f"it is not JSON: {error}" if candidate.strip() else problem
    if found and fits(found[0]):
        return found[0]
    at = tried = 0
    while tried < JSON_STARTS:
        start = re.compile(r"[\[{]").search(answer, at)
        if start is None:
            break
        tried += 1
        try:
            value, at = _DECODER.raw_decode(answer, start.start())
            if start.start() == 0 and isinstance(value, list) and fits(value):
                return value  # later lists may be citations
            found.append(value)
        except (ValueError, RecursionError):
            at = start.end()
    if not found:
        raise ValueError(problem)
    inner = (v for value in found for v in (value.values() if isinstance(value, dict) else ()))
    return next((value for value in (*reversed(found), *inner) if fits(value)), found[-1])


def _is_strict(schema: Any) -> bool:
    """Return whether strict mode accepts a schema: each object allows and requires exactly its properties."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if {"allOf", "oneOf", "not"} & set(schema):
        return False
    if schema.get("type") == "object" or "properties" in schema:
        names = _dict(schema.get("properties"))
        if schema.get("additionalProperties") is not False or set(names) - set(_list(schema.get("required"))):
            return False
    return all(_is_strict(inner) for key, inner in schema.items() if key not in ("enum", "const", "default"))


@dataclass(frozen=True, eq=False, repr=False)
class Structure:
    """What ``schema=`` asks for: the schema in the request, and the shape that an answer must have.

    The root of a schema must be an object. Any other type is put into one, under ``key``.
    """

    name: str
    schema: Json  # in the request
    shape: Shape  # of the answer
    key: str | None = None

    @classmethod
    def of(cls, wanted: Any) -> Structure:
        """Make it from a type hint, a pydantic model or a JSON Schema; raise ConfigError for anything else."""
        if isinstance(wanted, dict):
            if wanted.get("type") == "json_schema" or "json_schema" in wanted:
                raise ConfigError("schema is a whole response_format", hint="pass it as response_format={...}")
            encode_body(wanted)
            try:
                samples: tuple[Any, ...] = ({}, [None])
                for sample in samples:  # a broken schema must be found before the answer is paid for
                    schema_problem(sample, wanted)
            except (AttributeError, TypeError, RecursionError) as error:
                raise ConfigError(f"schema is not a JSON Schema: {error}", hint="use {'type': 'object', ...}") from None
            return cls(str(wanted.get("title") or "answer"), wanted, Shape(wanted))
        if not isinstance(wanted, type) and not hasattr(wanted, "__args__") and not hasattr(wanted, "__supertype__"):
            hint = "use a dataclass (the class itself), list[...] or a JSON Schema"
            raise ConfigError(f"schema={wanted!r} is not a type", hint=hint)
        name = getattr(wanted, "__name__", "answer")
        strict, shape = shape_of_hint(wanted, strict=True), shape_of_hint(wanted)
        if strict.schema.get("type") == "object":
            return cls(name, strict.schema, shape)

        def inside(inner: Json) -> Json:
            return _object_schema({"value": (Shape(inner), False)})

        return cls(name, inside(strict.schema), Shape(inside(shape.schema), lambda v: shape.build(v["value"])), "value")

    def response_format(self) -> Json:
        """Return the field of the request body that asks for it."""
        name = re.sub(r"[^A-Za-z0-9_-]", "_", self.name)[:64]
        is_strict = self.schema.get("type") == "object" and _is_strict(self.schema)
        about = {"name": name, "strict": is_strict, "schema": self.schema}
        return {"type": "json_schema", "json_schema": about}

    def value(self, text: str) -> Any:
        """Return the value in the text of an answer; raise ValueError, or an error of the class itself."""
        schema = self.shape.schema
        value = find_json(text, lambda found: not schema_problem(found, schema))
        if self.key and not (isinstance(value, dict) and self.key in value):
            value = {self.key: value}  # some models answer without the object around it
        problem = schema_problem(value, schema)
        if problem:
            raise ValueError(problem)
        return self.shape.build(value)

    def parse(self, completion: Completion) -> Completion:
        """Return the completion with ``parsed``; raise APIResponseError with ``partial`` if it does not fit."""
        try:
            return dataclasses.replace(completion, parsed=self.value(completion.content))
        except Exception as error:  # __post_init__ of the class may raise anything
            problem = f"the answer does not fit the schema: {error}"
        hint = "the text is in .partial.content; try again, or use a model with structured outputs"
        if completion.truncated:
            hint = "the token limit cut it: raise max_tokens"
        elif completion.refusal:
            problem, hint = f"the model refused: {completion.refusal}", "change the request"
        raise APIResponseError(problem, hint=hint, partial=completion)


# The loop.


def sum_of_rounds(completions: Sequence[Completion], rounds: list[Json], latency_ms: int) -> Completion:
    """Return the last answer with the sums of usage, cost and attempts; if one cost is unknown, so is the sum."""
    costs = [c.cost for c in completions if c.cost is not None]
    unpriced = len(completions) - len(costs)
    sources = {c.cost_source for c in completions}
    usage = functools.reduce(operator.add, [c.usage for c in completions])
    return dataclasses.replace(
        completions[-1],
        usage=dataclasses.replace(usage, unpriced=unpriced) if len(completions) > 1 else usage,
        cost=None if unpriced else sum(costs),
        cost_source=None if unpriced else "estimated" if "estimated" in sources else "reported",
        latency_ms=latency_ms,
        first_token_ms=completions[0].first_token_ms,
        attempts=[a for c in completions for a in c.attempts],
        rounds=rounds,
    )


class _Rounds(_Question):
    """A question in rounds: the model asks for functions, they run, and their results go back to it.

    An answer that does not fit the schema goes back too, at most ``repairs`` times. Each round is
    an operation with its own row in the log; all have the same ``action_id``.
    """

    def __init__(
        self,
        session: _Session,
        begin: Callable[[list[Json], _Call | None], _Operation],
        messages: list[Json],
        tools: Mapping[str, Tool],
        others: Sequence[str],
        max_rounds: int,
        repairs: int,
    ) -> None:
        self._session = session
        self._begin = begin
        self._repairs = repairs
        self._messages = messages
        self._tools = tools
        self._others = set(others)  # tools that the caller runs
        self._max_rounds = max_rounds
        self._function_rounds = 0
        self._completions: list[Completion] = []
        self._rounds_so_far: list[Json] = []
        self._operation = begin(messages, None)
        self.call = self._operation.call

    @property
    def body(self) -> Json | None:
        """The body of the current round."""
        return self._operation.body

    def first_body(self) -> Json:
        """Return the body of the current round's first request, as it is sent."""
        return self._operation.first_body()

    @property
    def config(self) -> LlmConfig:
        """The settings of the question."""
        return self._operation.config

    def partial(self) -> Completion:
        """Return the answer so far: that of the current round, with the sums of all rounds."""
        if isinstance(self.result, Completion):
            return self.result
        is_done = self._operation.result is not None  # then it is in the completions, and its functions run
        return self._sum() if is_done and self._completions else self._sum(self._operation.partial())

    def _sum(self, *last: Completion) -> Completion:
        return sum_of_rounds([*self._completions, *last], self._rounds_so_far, self.call.question_ms())

    def events(self) -> Generator[Event, None, None]:
        """Yield the events of all rounds; then set ``result`` to the last answer with the sums of all."""
        self.begin()
        self._session.enter(self)  # so that Llm.close() also ends it between two rounds
        try:
            while self.result is None:
                try:
                    yield from self._operation.events()
                except APIResponseError as error:  # its partial is the whole answer, which does not fit
                    answer = error.partial
                    is_final = answer is None or answer.refusal or answer.truncated
                    if not self._repairs or answer is None or is_final or answer.finish_reason == "content_filter":
                        raise  # another answer would not help
                    self._repairs -= 1
                    self._completions.append(answer)
                    words = f"{error.message}. Answer again, with JSON that fits the schema and nothing else."
                    self._next_round([answer.message, {"role": "user", "content": words}])
                    continue
                completion = self._operation.completion()
                if self._is_for_us(completion):
                    self._run_functions(completion)
                else:
                    self.result = self._sum(completion)
        except OpenRouterError as error:  # keep the answers of the earlier rounds
            if error.partial:
                error.partial = self._sum(error.partial) if self._completions else error.partial
            elif self._completions:
                error.partial = self._sum()
                if self._operation.result is None:  # the failed round has no answer
                    nothing: Json = {"content": "", "tool_calls": [], "reasoning": None, "reasoning_details": []}
                    error.partial = dataclasses.replace(error.partial, **nothing, raw={}, finish_reason=None)
            raise
        finally:
            self._session.leave(self)

    def _is_for_us(self, completion: Completion) -> bool:
        """Return whether to run functions: not for cut calls, the caller's own tools, or tools that the server ran."""
        named = {call.name for call in completion.tool_calls}
        reasons = {str(completion.finish_reason).lower(), str(completion.native_finish_reason).lower()}
        is_cut = completion.truncated or bool(reasons & _CUT_REASONS)
        if completion.finish_reason is None:  # only [DONE] marks the end
            is_cut = is_cut or not all(call.arguments for call in completion.tool_calls)
        if not named or is_cut or named & self._others:
            return False
        return completion.finish_reason == "tool_calls" or bool(named & set(self._tools))

    def _run_functions(self, completion: Completion) -> None:
        """Run the functions that the answer asks for, in parallel, and begin the next round with their results."""
        self._completions.append(completion)
        self._function_rounds += 1
        if self._function_rounds > self._max_rounds:
            problem = f"after {self._max_rounds} rounds of functions the model still asks for more"
            raise APIResponseError(problem, hint="raise max_tool_rounds, or tell the model when to stop")
        calls = completion.tool_calls
        answers = [""] * len(calls)
        ends: list[BaseException] = []  # KeyboardInterrupt and SystemExit, which go to the caller, not to the model

        def work(i: int) -> None:
            try:
                answers[i] = self._answer(calls[i])
            except BaseException as error:
                ends.append(error)

        if len(calls) == 1:
            work(0)  # in the caller's thread, because the function may use objects that belong to it
        else:
            threads = [start_thread(work, i) for i in range(len(calls))]
            while threads and not ends and not self.call.is_cancelled:
                self.call.check_deadline()
                threads[0].join(max(0.0, min(WAIT_SLICE, self.call.time_left())))
                threads = [t for t in threads if t.is_alive()]
        if ends:
            raise ends[0]
        self.call.check_deadline()
        if self.call.is_cancelled:
            raise StreamInterruptedError(_CLOSED)
        results = [{"role": "tool", "tool_call_id": c.id, "content": a} for c, a in zip(calls, answers)]
        self._next_round([completion.message, *results])

    def _next_round(self, messages: list[Json]) -> None:
        self._rounds_so_far = [*self._rounds_so_far, *messages]
        self._operation = self._begin([*self._messages, *self._rounds_so_far], self.call)

    def _answer(self, call: ToolCall) -> str:
        """Run one function and return the text for the model: its result, or the error, which the model may correct."""
        import inspect

        tool = self._tools.get(call.name)
        if tool is None:
            return f"Error: there is no function {call.name!r}; there are: {', '.join(self._tools)}"
        try:
            value = tool.function(**tool.arguments(call))
            return tool_text(self._await(value) if inspect.isawaitable(value) else value)
        except Exception as error:  # a function may raise anything
            with contextlib.suppress(Exception):  # from the __str__ of the error
                return f"Error: {type(error).__name__}: {error}"
            return f"Error: {type(error).__name__}"

    def _await(self, awaitable: Any) -> Any:
        """Await a coroutine in the caller's loop, or with asyncio.run if the call is synchronous.

        A cancel of the call and its deadline end the coroutine.
        """
        import asyncio
        from concurrent.futures import CancelledError

        async def guarded() -> tuple[Any, BaseException | None]:
            try:
                return await awaitable, None
            except BaseException as error:  # KeyboardInterrupt and SystemExit would end the loop itself
                return None, error

        async def bounded() -> tuple[Any, BaseException | None]:
            task = asyncio.ensure_future(guarded())
            try:
                while not task.done():
                    await asyncio.wait([task], timeout=max(0.0, min(POLL_SLICE, self.call.time_left())))
                    if not task.done() and (self.call.is_cancelled or self.call.time_left() <= 0):
                        task.cancel()
                return task.result()
            finally:
                task.cancel()

        loop = CALLERS_LOOP.get()
        if loop is not None:
            value, failure = asyncio.run_coroutine_threadsafe(bounded(), loop).result()
        elif asyncio._get_running_loop():  # a synchronous call inside a loop, as in a notebook
            outcome: list[Any] = []
            start_thread(lambda: outcome.append(asyncio.run(bounded()))).join()
            value, failure = outcome[0]
        else:
            value, failure = asyncio.run(bounded())
        if isinstance(failure, asyncio.CancelledError):
            raise CancelledError  # an Exception, unlike asyncio's: the model gets it as a result
        if failure is not None:
            raise failure
        return value


# --- Attachments ----------------------------------------------------------------------------
# Finds the type of a file by its first bytes or its name, and makes the content part that carries it.
# Optional, and pure: the section Client reads the files.


def _ending(name: str) -> str:
    return os.path.splitext(name)[1][1:].lower()


def _link_part(part: str, url: str, name: str) -> Json:
    if part == "file":
        return {"type": "file", "file": {"filename": name, "file_data": url}}
    return {"type": f"{part}_url", f"{part}_url": {"url": url}}


def text_encoding(start: bytes) -> str:
    """Return the encoding that the byte order mark of a text names, else UTF-8."""
    if start[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "utf-32"
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def text_in(data: bytes) -> str | None:
    """Return bytes decoded as text, by their byte order mark or as UTF-8; None if they are not text."""
    try:
        text = data.decode(text_encoding(data))
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def attachment_part(name: str, data: bytes) -> Json:
    """Return the content part of a file: media if its content or name is known, else text."""
    fitting = media_rows(data)
    text = None if fitting else text_in(data)
    if text is not None:
        return {"type": "text", "text": f"{name}:\n{text}"}
    rows = [row for row in fitting or MEDIA if _ending(name) in row[3].split()] or fitting
    if not rows:
        known = " ".join(dict.fromkeys(" ".join(row[3] for row in MEDIA).split()))
        raise ConfigError(f"attachments: the type of {name} is not known", hint=f"known: {known}, and text in UTF-8")
    import base64

    part, media_type, _, endings = rows[0]
    encoded = base64.b64encode(data).decode()
    if part == "audio":
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": media_type}}
    full_name = name if _ending(name) else f"{name}.{endings.split()[0]}"
    return _link_part(part, f"data:{media_type};base64,{encoded}", full_name)


def url_part(url: str) -> Json:
    """Return the content part of an http(s) URL, by the extension of its path; without a known one, an image."""
    name = re.split("[?#]", url)[0].rstrip("/").rpartition("/")[2]
    part = next((row[0] for row in MEDIA if _ending(name) in row[3].split()), "image")
    if part == "audio":
        raise ConfigError(f"attachments: {url} is audio, which can't be sent as a URL", hint="download it first")
    is_film = re.match(r"https?://((www|m)\.)?(youtube\.com|youtu\.be)/", url, re.I)
    return _link_part("video" if is_film else part, url, name)


def with_attachments(messages: list[Json], parts: list[Json]) -> list[Json]:
    """Return the messages with the parts added to the last one, which must be the user's."""
    *earlier, last = messages
    if last["role"] != "user":
        raise ConfigError("attachments: the last message is not the user's", hint="put the parts into its content")
    content = last.get("content")
    words = _list(content)
    if isinstance(content, str) and content.strip():
        words = [{"type": "text", "text": content}]
    return [*earlier, {**last, "content": [*words, *parts]}]


# --- Many prompts ---------------------------------------------------------------------------
# map and amap: several questions run at once, and reading the results starts the next ones.
# Optional: it can start a question, but does not know its contents.


class _PromptMap:
    """Ask many prompts, ``concurrency`` at a time, and yield the results in order."""

    def __init__(
        self,
        prompts: Iterable[Any],
        ask: Callable[[Any], _Question],
        concurrency: int,
        on_result: Callable[[Completion | Exception], None] | None = None,
    ) -> None:
        if isinstance(prompts, (str, dict)) or not hasattr(prompts, "__iter__"):
            raise ConfigError(f"prompts is {type_name(prompts)}, not a list of prompts", hint="use map(['one', 'two'])")
        if not isinstance(concurrency, int) or not 1 <= concurrency <= 1000:
            raise ConfigError(f"concurrency={concurrency!r} is out of range", hint="use a whole number from 1 to 1000")
        self._prompts = iter(prompts)
        self._ask = ask
        self._concurrency = concurrency
        self._on_result = on_result  # called with each result when it arrives, in the thread of its question
        self._changed = threading.Condition()
        self._running: dict[int, _Question | None] = {}  # by number; None: being prepared
        self._results: dict[int, Completion | Exception] = {}
        self._end: BaseException | None = None  # an exception that ends all, such as SystemExit in a function
        self.is_cancelled = False

    def results(self) -> Generator[Completion | Exception, None, None]:
        """Yield the results in order; a caller who stops early cancels the running questions."""
        taken = given = 0
        failure: BaseException | None = None  # an error of the iterable, or StopIteration
        threads: list[threading.Thread] = []

        def may_start() -> bool:
            is_ahead = taken - given >= MAP_AHEAD * self._concurrency
            return failure is None and not is_ahead and len(self._running) < self._concurrency

        def has_news() -> bool:
            return given in self._results or self._end is not None or self.is_cancelled or may_start()

        try:
            while True:
                if given in self._results:
                    given += 1
                    yield self._results.pop(given - 1)
                elif self._end is not None or self.is_cancelled:
                    break
                elif may_start():
                    try:
                        prompt = next(self._prompts)
                    except BaseException as error:  # a generator may raise anything
                        failure = error
                        continue
                    self._running[taken] = None
                    threads = [t for t in threads if t.is_alive()]
                    threads.append(start_thread(self._answer, taken, prompt))
                    taken += 1
                elif given == taken:
                    break
                else:
                    with self._changed:
                        self._changed.wait_for(has_news, WAIT_SLICE)
            failure = self._end or failure
            if failure is not None and not isinstance(failure, StopIteration):
                raise failure
        finally:
            self.cancel()
            until = time.monotonic() + CANCEL_GRACE  # so that the threads can write their rows
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))

    def _answer(self, number: int, prompt: Any) -> None:
        result: Completion | Exception
        try:
            question = self._ask(prompt)
            with self._changed:
                self._running[number] = question
            if self.is_cancelled:
                question.call.cancel()
            result = question.run()
        except Exception as error:  # it is the result
            result = error
        except BaseException as error:
            with self._changed:
                self._end = error
                self._changed.notify_all()
            return
        with self._changed:
            self._results[number] = result
            del self._running[number]
            if self._on_result and not self.is_cancelled:
                self._on_result(result)
            self._changed.notify_all()

    def stop(self) -> None:
        """Start no more questions; the running ones continue."""
        self._prompts = iter(())

    def done_behind(self) -> list[tuple[int, Completion]]:
        """Return (number, answer) for answers that arrived but were not yielded."""
        return [(number, done) for number, done in sorted(self._results.items()) if isinstance(done, Completion)]

    def cancel(self) -> None:
        """End the running questions, and start no more."""
        with self._changed:
            self.is_cancelled = True
            running = [question for question in self._running.values() if question is not None]
            self._changed.notify_all()
        for question in running:
            question.call.cancel()


# --- Client ---------------------------------------------------------------------------------
# Llm joins all sections above. It checks what a call carries, prepares it once, and asks.


def read_attachment(thing: Any) -> Json:
    """Return the content part of a path, bytes, (name, bytes) or a URL; raise ConfigError if it can't be read."""
    if isinstance(thing, str) and re.match("https?://", thing, re.I):
        return url_part(thing)
    try:
        if isinstance(thing, str) and thing.startswith("data:"):
            thing = data_of_url(thing)
        if isinstance(thing, (str, os.PathLike)):
            with open(thing, "rb") as file:
                thing = os.path.basename(os.fspath(thing)), file.read(MAX_ATTACHMENT + 1)
        name, data = thing if isinstance(thing, tuple) else ("attachment", thing)
        data = bytes(memoryview(data))
    except (OSError, TypeError, ValueError) as error:
        shown = repr(thing) if isinstance(thing, (str, os.PathLike)) else type_name(thing)
        raise ConfigError(
            f"attachments: {shown[:200]}: {error}", hint="use a path, URL, bytes or (name, bytes)"
        ) from None
    if not data:
        raise ConfigError(f"attachments: {name} is empty", hint="use a path, URL, bytes or (name, bytes)")
    if len(data) > MAX_ATTACHMENT:
        raise ConfigError(f"attachments: {name} has more than {MAX_ATTACHMENT:,} bytes", hint="make it smaller")
    return attachment_part(str(name), data)


def split_prompt(prompt: Any) -> tuple[Any, Json]:
    """Return the prompt or the messages of a prompt for map, and its own parameters; a dict has both."""
    if not isinstance(prompt, dict):
        return prompt, {}
    if ("prompt" in prompt) == ("messages" in prompt):
        raise ConfigError("a dict needs either prompt or messages", hint="use {'prompt': '...', 'temperature': 0}")
    return prompt.get("prompt", prompt.get("messages")), {
        k: v for k, v in prompt.items() if k not in ("prompt", "messages")
    }


class _Plan:
    """The parameters of one call or many, checked and prepared: settings, body fields, tools, schema, attachments."""

    def __init__(self, session: _Session, config: LlmConfig, params: Json) -> None:
        check_params(params)
        settings = {k: v for k, v in params.items() if WHERE.get(k) in ("setting", "both")}
        if settings.get("model", "") is None:  # None means "not given", as in LlmConfig
            del settings["model"]
        if "headers" in settings:
            settings["headers"] = {**(config.headers or {}), **checked_headers(settings["headers"])}
        self.config = dataclasses.replace(config, **settings) if settings else config
        self._session = session
        self._fields = {k: v for k, v in params.items() if WHERE.get(k) != "call"}
        self._action_id = params.get("action_id")
        self._max_rounds = params.get("max_tool_rounds", MAX_TOOL_ROUNDS)
        self._repairs = params.get("schema_retries", 0) if params.get("schema") is not None else 0
        self._parts = [read_attachment(a) for a in params.get("attachments") or ()]
        self._structure = Structure.of(params["schema"]) if params.get("schema") is not None else None
        if self._structure:
            self._fields["response_format"] = self._structure.response_format()
        tools = {**(self.config.params or {}), **self._fields}.get("tools") or []
        self._tools = tools_of(tools)
        self._others = [_str(_dict(t.get("function")).get("name")) for t in tools if isinstance(t, dict)]
        if self._tools:
            self._fields["tools"] = [self._tools[function_name(t)].definition if callable(t) else t for t in tools]

    def ask(self, prompt: object, *, stream: bool = False) -> _Operation | _Rounds:
        """Make the question for a prompt or a history; nothing is sent before its events are read."""
        if isinstance(prompt, str):
            if not prompt.strip() and not self._parts:
                raise ConfigError("the prompt is empty", hint="pass some text")
            messages: list[Json] = [{"role": "user", "content": prompt}]
        else:
            messages = checked_messages(prompt)
        config = self.config
        if config.system_prompt and not any(m["role"] in ("system", "developer") for m in messages):
            messages.insert(0, {"role": "system", "content": config.system_prompt})
        if self._parts:
            messages = with_attachments(messages, self._parts)
        action_id = self._action_id or (new_operation_id() if self._tools or self._repairs else None)

        def begin(messages: list[Json], call: _Call | None) -> _Operation:
            body = build_body(config, messages, self._fields, stream=stream)
            if call and body.get("tool_choice") not in ("auto", "none", None):
                body["tool_choice"] = "auto"  # the forced call was made in the first round
            return _Operation(
                self._session,
                config,
                "POST",
                "/chat/completions",
                body,
                action_id=action_id,
                is_completion=True,
                parse=self._structure.parse if self._structure else None,
                call=call,
            )

        if not self._tools and not self._repairs:
            return begin(messages, None)
        return _Rounds(
            self._session, begin, messages, self._tools, self._others, self._max_rounds, repairs=self._repairs
        )

    def send(self, path: str, body: Json, parse: Callable[[Any], Any]) -> Any:
        """Send a body to another endpoint with these settings, and return the parsed answer."""
        fields = {k: v for k, v in self._fields.items() if WHERE.get(k) != "setting"}
        operation = _Operation(
            self._session, self.config, "POST", path, {**body, **fields}, action_id=self._action_id, parse=parse
        )
        for _ in operation.events():
            continue
        return operation.result


class Llm:
    """A client for one model or a list of models; many threads may use it at once.

    ``Llm(config)``, ``Llm(config, model=...)`` or ``Llm(model=...)``; the settings are those of
    LlmConfig. ``Llm.complete`` lists what each call may carry.
    """

    def __init__(self, config: LlmConfig | None = None, **overrides: Any) -> None:
        if config is not None and not isinstance(config, LlmConfig):
            raise ConfigError(f"config is {type_name(config)}, not an LlmConfig", hint="Llm(LlmConfig(model=...))")
        self.config = dataclasses.replace(config, **overrides) if config else LlmConfig(**overrides)
        self._session = _Session(self.config)

    def __repr__(self) -> str:
        return f"Llm({self.config!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the settings; a key from the environment is not pickled but read again by the receiver."""
        fields = dataclasses.fields(self.config)
        settings = {f.name: getattr(self.config, f.name) for f in fields}
        if self.config.api_key == _environment(KEY_ENV):
            settings["api_key"] = None
        changed = {f.name: settings[f.name] for f in fields if settings[f.name] != f.default}
        return functools.partial(type(self), **changed), ()

    def _plan(self, params: Json) -> _Plan:
        return _Plan(self._session, self.config, params)

    @staticmethod
    def _checked_prompt(prompt: object) -> str:
        if not isinstance(prompt, str):
            hint = "for messages use chat()" if isinstance(prompt, (list, tuple)) else "pass a text: complete('...')"
            raise ConfigError(f"the prompt is {type_name(prompt)}, not a str", hint=hint)
        return prompt

    def complete(self, prompt: str, **params: Any) -> Completion:
        """Answer a prompt; block until the answer is complete.

        Each call, also of the other methods, may carry these settings for this call only:

        model             such as "openai/gpt-4o-mini"
        fallbacks         models to try next, in order
        headers           request headers, added to those of the client
        system_prompt     text of the system message; not used if the messages have one
        temperature       0 to 2
        max_tokens        limit of the answer, including reasoning
        session_id        a conversation's name, for the service and the log
        workspace         a name of yours for the log, such as that of a project
        agent_id          a name of yours for the log, such as that of the program
        action_id         a name of yours for the log, such as that of the task
        timeout           s of waiting without data; keep-alive comments and your own pauses don't count
        connect_timeout   s for DNS, TCP and TLS
        deadline          s for the whole call, with retries, waits and rounds of functions
        max_retries       requests after the first
        retry_wait_max    s of the longest wait between two requests
        log_content       False keeps texts of prompt and answer out of the log
        tools             functions, which run until the model answers; or dicts, whose calls you handle
        max_tool_rounds   how often functions may run (10)
        schema            a dataclass, TypedDict, list[...], pydantic model or JSON Schema for completion.parsed
        schema_retries    how often an answer that does not fit is sent back to the model (0)
        attachments       paths, URLs, bytes or (name, bytes), sent with the last message
        any other name    a field of the request body, such as top_p=0.9 or reasoning={"effort": "low"}

        Raises ConfigError before anything is sent, else the OpenRouterError that the server or the
        network causes.
        """
        return self._plan(params).ask(self._checked_prompt(prompt)).run()

    def chat(self, messages: Sequence[Json], **params: Any) -> Completion:
        """Answer a list of messages; append ``completion.message`` to continue. Else as complete."""
        return self._plan(params).ask(checked_messages(messages)).run()

    def stream(self, prompt_or_messages: str | Sequence[Json], **params: Any) -> Stream:
        """Return a Stream for ``for`` or ``async for``; nothing is sent before its first iteration.

        Takes the parameters of complete. Bad ones raise ConfigError here; other errors are raised
        by the iteration.
        """
        return Stream(self._plan(params).ask(prompt_or_messages, stream=True))

    async def acomplete(self, prompt: str, **params: Any) -> Completion:
        """Await the answer to a prompt; as complete, in a thread. Cancelling the task ends the call immediately."""
        return await run_in_thread(self._plan(params).ask(self._checked_prompt(prompt)))

    async def achat(self, messages: Sequence[Json], **params: Any) -> Completion:
        """Await the answer to a list of messages; as chat, in a thread."""
        return await run_in_thread(self._plan(params).ask(checked_messages(messages)))

    def _question(self, prompt: Any) -> _Operation | _Rounds:
        """Make the question for a prompt of map; nothing is sent."""
        text_or_messages, own = split_prompt(prompt)
        return self._plan(own).ask(text_or_messages)

    def _prompt_map(
        self,
        prompts: Iterable[Any],
        concurrency: int,
        params: Json,
        on_result: Callable[[Completion | Exception], None] | None = None,
    ) -> _PromptMap:
        """Prepare map and amap; ``on_result`` is called with each result when it arrives."""
        plan = self._plan(params)  # errors that concern all prompts are raised here
        require_key(plan.config)

        def ask(prompt: Any) -> _Question:
            text_or_messages, own = split_prompt(prompt)
            return (self._plan({**params, **own}) if own else plan).ask(text_or_messages)

        return _PromptMap(prompts, ask, concurrency, on_result)

    def map(self, prompts: Iterable[Any], *, concurrency: int = 8, **params: Any) -> Iterator[Completion | Exception]:
        """Answer many prompts, ``concurrency`` at a time; yield the results in the order of the prompts.

        A prompt is a str, a list of messages, or a dict with ``prompt`` or ``messages`` and
        parameters for this prompt alone. If a prompt fails, its result is the exception; the
        others continue. At most 4 × ``concurrency`` answers are held for a slow reader. Stopping
        early, also by Ctrl-C, cancels the running calls. The iterable is read in your thread. A
        parameter that is wrong for all prompts raises ConfigError immediately; an error of the
        iterable is raised after the answers to the prompts before it.
        """
        return self._prompt_map(prompts, concurrency, params).results()

    def amap(
        self, prompts: Iterable[Any], *, concurrency: int = 8, **params: Any
    ) -> AsyncIterator[Completion | Exception]:
        """Yield the results of map for ``async for``."""
        many = self._prompt_map(prompts, concurrency, params)
        return iterate_in_thread(many.results(), many.cancel)

    @property
    def usage(self) -> Usage:
        """Tokens and USD of all answers to this client; the sum includes estimated costs.

        ``usage.cost`` covers the answers of known cost; ``usage.unpriced`` counts the others.
        """
        return self._session.usage

    def models(self, query: str | None = None) -> list[ModelInfo]:
        """Return the live catalogue; ``query``: words that must be in id or name. Needs no key."""
        words = str(query or "").lower().split()
        found: list[ModelInfo] = []
        path: str | None = "/models"
        base_path = "/" + (self.config.base_url or "").partition("://")[2].partition("/")[2]
        for _ in range(100):  # pages of up to 1000; a limit, in case the links form a circle
            page = self.request("GET", path)
            entries = page.get("data") if isinstance(page, dict) else None
            if not isinstance(entries, list) or len(_dicts(entries)) < len(entries):
                raise APIResponseError(f"the answer is not a catalogue: {shown_body(json.dumps(page, default=str))}")
            found += map(model_from_listing, _dicts(entries))
            path = _str_or_none(_dict(page.get("links")).get("next"))
            if path is None:
                break
            for prefix in (self.config.base_url or "", base_path):
                if path.startswith(prefix + "/"):
                    path = path[len(prefix) :]
        return [m for m in found if all(w in f"{m.id} {m.name}".lower() for w in words)]

    def embed(self, texts: str | Sequence[Any], *, model: str, **params: Any) -> Embeddings:
        """Return a vector for each text, with usage and cost. Parameters and errors as in complete."""
        if not texts or not isinstance(texts, (str, list, tuple)):
            hint = "use embed(['a', 'b'], model=...)"
            raise ConfigError(f"embed: texts is {type_name(texts) if texts else 'empty'}", hint=hint)
        count = 1 if isinstance(texts, str) else len(texts)
        plan = self._plan({**params, "model": model})
        body = {"model": model, "input": texts}
        vectors: Embeddings = plan.send("/embeddings", body, lambda a: decode_embeddings(_dict(a), model, count))
        return vectors

    def key(self) -> Json:
        """Return the record of the key: its limit, its use by day, week and month, its budgets."""
        return self._data("/key")

    def credits(self) -> Json:
        """Return total_credits and total_usage in USD; needs a management key."""
        return self._data("/credits")

    def generation(self, generation_id: str) -> Json:
        """Return the record of a generation; in the first minutes the service may answer 404."""
        from urllib.parse import quote

        if not isinstance(generation_id, str) or not generation_id:
            raise ConfigError(
                f"generation_id={generation_id!r} is not an id", hint="use completion.id, such as 'gen-...'"
            )
        return self._data(f"/generation?id={quote(generation_id, safe='')}")

    def _data(self, path: str) -> Json:
        answer = self.request("GET", path)
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, dict):
            raise APIResponseError(f"the answer has no data: {shown_body(json.dumps(answer, default=str))}")
        return data

    def request(self, method: str, path: str | None, body: Json | None = None) -> Any:
        """Send any request of the API, with the same errors, retries and log row; a GET has no row.

        ``path`` is relative to base_url, such as "/rerank". Returns decoded JSON, an iterator of
        decoded events if the answer is a stream, and bytes if it is neither.
        """
        method = method.upper() if isinstance(method, str) else ""
        if method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            raise ConfigError(f"method={method!r} is not supported", hint="use GET, POST, PUT, PATCH or DELETE")
        if not isinstance(path, str) or not re.fullmatch(r"[!-\"$-~]+", path) or "://" in path.split("?")[0]:
            raise ConfigError(f"path={path!r} is not a path", hint="use a path below base_url, such as '/rerank'")
        if not isinstance(body, (dict, type(None))):
            raise ConfigError(f"body is {type_name(body)}, not a dict", hint="use request('POST', '/rerank', {...})")
        operation = _Operation(self._session, self.config, method, "/" + path.lstrip("/"), body)
        events = operation.events()
        first = next(events, None)
        if operation.is_stream:
            return (chunk for chunk, _ in itertools.chain([first] if first else (), events))
        for _ in events:
            continue
        return operation.result

    def close(self) -> None:
        """End all running calls and close all connections; the client can't be used again."""
        self._session.close()

    def __enter__(self) -> Llm:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Llm:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()


# --- Mock server ----------------------------------------------------------------------------
# A loopback OpenRouter for tests and for --mock: real HTTP, with streams and errors of the real form.
# Optional: only the command line uses it.

MOCK_PROVIDER = "Mock"  # marks mock calls in the log
MOCK_MODEL = "openai/gpt-4o-mini"  # the model that answers for openrouter/auto
MOCK_STEPS = frozenset({"ok", "error", "cut", "stall", "empty", "reset"})
_MOCK_COMMENT = b": OPENROUTER PROCESSING\n\n"
_MOCK_ERROR = {
    "code": 502,
    "message": "mock provider failed in the middle of the answer",
    "metadata": {"error_type": "provider_unavailable", "provider_name": MOCK_PROVIDER},
}


@dataclass(frozen=True, eq=False, repr=False)
class MockRequest:
    """A request that arrived. The look-up of ``headers`` ignores letter case; ``json`` is None without a body."""

    method: str
    path: str
    headers: Mapping[str, str]
    json: Any

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


_SAMPLE_DEPTH = 8  # limit for schemas that contain themselves


def sample_of(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """Return a value that fits a JSON Schema."""
    if depth > _SAMPLE_DEPTH:
        return None
    root, schema = schema if root is None else root, _dict(schema)
    if "$ref" in schema:
        return sample_of(referred(schema, root), root, depth + 1)
    for keyword in ("anyOf", "oneOf", "allOf"):
        if schema.get(keyword):
            samples = [sample_of(inner, root, depth + 1) for inner in schema[keyword]]
            if keyword == "allOf" and all(isinstance(sample, dict) for sample in samples):
                return {name: value for sample in samples for name, value in sample.items()}
            return samples[0]
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    types = schema.get("type", "object" if "properties" in schema else "string")
    json_type = types[0] if isinstance(types, list) else types
    if json_type == "object":
        return {name: sample_of(inner, root, depth + 1) for name, inner in _dict(schema.get("properties")).items()}
    if json_type == "array":
        count = _int_or_none(schema.get("minItems")) or int(depth < 1 or "$ref" not in _dict(schema.get("items")))
        return [sample_of(schema.get("items", {}), root, depth + 1)] * count
    moments = {"date": "2026-01-01", "date-time": "2026-01-01T00:00:00+00:00", "time": "00:00:00",
               "uuid": "00000000-0000-4000-8000-000000000000"}  # fmt: skip
    plain = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(json_type, moments.get(schema.get("format", ""), "mock"))


def _words(text: object) -> list[str]:
    """Split a text into the pieces of a stream: each is a word with the blanks before it."""
    return re.findall(r"\s*\S+|\s+$", text_of(text))


def _listing_of(model: ModelInfo) -> Json:
    """Return a model as an entry of GET /models."""

    def per_token(price: float | None) -> str:
        return "-1" if price is None else f"{price / 1e6:.12f}"

    return {
        "id": model.id,
        "canonical_slug": model.id,
        "name": model.name,
        "context_length": model.context_length,
        "architecture": {"input_modalities": list(model.input_modalities)},
        "pricing": dict(zip(LISTED_PRICES, map(per_token, dataclasses.astuple(model.pricing)))),
        "top_provider": {"max_completion_tokens": model.max_completion_tokens},
        "supported_parameters": ["tools"] if model.tools else [],
    }


class _MockAnswer:
    """The answer to one request of a mock server: a status, and the pieces of a chunked body."""

    def __init__(self, mock: MockOpenRouter, handler: Any, request: MockRequest, number: int) -> None:
        self._mock = mock
        self._handler = handler
        self._request = request
        self._body = _dict(request.json)
        self._messages = _list(self._body.get("messages"))
        self._asked = str(self._body.get("model") or next(iter(_list(self._body.get("models"))), ""))
        self._model = MOCK_MODEL if self._asked.startswith("openrouter/") else self._asked
        self._number = number

    def send(self, step: Any) -> None:
        """Send the answer for a step of the script."""
        handler = self._handler
        if step == "reset":
            import socket as sockets
            import struct

            handler.close_connection = True
            linger = struct.pack("ii", 1, 0)  # close with RST instead of FIN
            handler.connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, linger)
            sockets.close(handler.connection.detach())
            return
        status, pieces = self._answer(step)
        is_stream = status == 200 and self._body.get("stream") is True
        handler.send_response(status)
        handler.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
        handler.send_header("X-Generation-Id", f"gen-mock-{self._number}")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if step == "cut":
            handler.close_connection = True
        else:
            handler.wfile.write(b"0\r\n\r\n")

    def _answer(self, step: Any) -> tuple[int, Iterable[bytes]]:
        path, method = self._request.path.split("?")[0], self._request.method
        if method == "GET" and path.endswith("/models/count"):
            return self._json({"data": {"count": len(METADATA)}})
        if method == "GET" and path.endswith("/models"):
            return self._json({"data": [_listing_of(METADATA[i]) for i in METADATA]})
        if method == "GET" and path.endswith("/key"):
            return self._json({"data": {"label": "mock", "limit": None, "limit_remaining": None, "usage": 0}})
        if not (self._request.headers.get("Authorization") or "").startswith("Bearer "):
            return self._error(401, "Missing Authentication header")
        if method == "GET" and path.endswith("/credits"):
            return self._json({"data": {"total_credits": 0, "total_usage": 0}})
        if method == "GET" and path.endswith("/generation"):
            wanted = self._request.path.partition("id=")[2]
            return self._json({"data": {"id": wanted, "model": MOCK_MODEL, "total_cost": 0.0, "native_tokens_prompt": 1,
                                        "native_tokens_completion": 1, "cancelled": False}})  # fmt: skip
        if isinstance(step, int):
            return self._error(step, f"mock error {step}")
        if "/" not in self._asked and not self._asked.startswith("@") and method == "POST":
            return self._error(400, f"{self._asked} is not a valid model ID")
        if method == "POST" and path.endswith("/embeddings"):
            texts = self._body.get("input")
            size = _int_or_none(self._body.get("dimensions")) or 8
            data = [
                {"index": i, "embedding": [len(str(text)) % 97 / 97 + n / size for n in range(size)]}
                for i, text in enumerate([texts] if isinstance(texts, str) else _list(texts))
            ]
            return self._json({"object": "list", "data": data, "model": self._asked, "usage": self._usage(0)})
        if not path.endswith("/chat/completions") or method == "GET":
            return self._error(404, f"the mock server has no {path}")
        return 200, self._stream(step) if self._body.get("stream") is True else self._plain(step)

    def _json(self, body: Json) -> tuple[int, list[bytes]]:
        return 200, [json.dumps(body).encode()]

    def _error(self, status: int, message: str) -> tuple[int, list[bytes]]:
        return status, [json.dumps({"error": {"code": status, "message": message}, "user_id": "user_mock"}).encode()]

    def _message(self, step: Any) -> tuple[Json, Json]:
        """Return the message for a step, and the fields that belong to its choice and body."""
        if isinstance(step, dict):
            outside = {k: step[k] for k in ("finish_reason", "native_finish_reason", "usage", "model") if k in step}
            message = {"content": "", **{k: v for k, v in step.items() if k not in outside}}
            calls = [
                {"index": i, "type": "function", "id": f"call_{i}", **call}
                for i, call in enumerate(_dicts(message.get("tool_calls")))
            ]
            if calls:
                message["tool_calls"] = calls
                outside.setdefault("finish_reason", "tool_calls")
            return message, outside
        text = step
        if step in MOCK_STEPS:
            prompt = last_text(self._messages, ("user",)) or ""
            asked = prompt if len(prompt) <= 200 else prompt[:200] + "..."
            wanted = _dict(_dict(self._body.get("response_format")).get("json_schema")).get("schema")
            text = (
                f"This is a mock answer: no model was asked, and nothing was billed. {self._model} would have been"
                f' asked: "{asked}". For a real answer set {KEY_ENV} and leave out --mock.'
            )
            if wanted is not None:
                text = json.dumps(sample_of(wanted))
        return {"content": "" if step == "empty" else text}, {}

    def _plain(self, step: Any) -> Iterator[bytes]:
        yield b"\n         \n" * 2
        yield from self._stall(step, b"\n         \n")
        message, outside = self._message(step)
        usage = outside.pop("usage", None) or self._usage(len(_words(message["content"])))
        message = {"role": "assistant", "refusal": None, "reasoning": None, **message}
        reason = outside.pop("finish_reason", None if step == "empty" else "stop")
        choice: Json = {"index": 0, "message": message, "finish_reason": reason, "native_finish_reason": reason}
        if step == "error":
            choice.update(finish_reason="error", error=_MOCK_ERROR)
        body = {**self._envelope("chat.completion"), **outside, "choices": [choice], "usage": usage}
        data = json.dumps(body).encode()
        yield data[: len(data) // 2] if step == "cut" else data

    def _stream(self, step: Any) -> Iterator[bytes]:
        def event(delta: Json, reason: str | None, **more: Any) -> bytes:
            choice = {"index": 0, "finish_reason": reason, "native_finish_reason": reason, "delta": delta}
            chunk = {**self._envelope("chat.completion.chunk"), **outside, "choices": [choice], **more}
            return b"data: " + json.dumps(chunk).encode() + b"\n\n"

        yield _MOCK_COMMENT * 2
        yield from self._stall(step, _MOCK_COMMENT)
        message, outside = self._message(step)
        words, reason = _words(message.pop("content")), outside.pop("finish_reason", "stop")
        usage = outside.pop("usage", None) or self._usage(len(words))
        if message:
            yield event({"role": "assistant", "content": "", **message}, None)
        for word in words[: len(words) // 2] if step in ("cut", "error") else words:
            yield event({"role": "assistant", "content": word}, None)
            time.sleep(self._mock.delay)
        if step == "cut":
            return
        if step == "error":
            yield event({"role": "assistant", "content": ""}, "error", error=_MOCK_ERROR)
        elif step != "empty":
            yield event({"role": "assistant", "content": ""}, reason)
            yield event({"role": "assistant", "content": ""}, reason, usage=usage)
        yield b"data: [DONE]\n\n"

    def _stall(self, step: Any, filler: bytes) -> Iterator[bytes]:
        while step == "stall" and not self._mock.is_closing.wait(0.02):
            yield filler

    def _envelope(self, kind: str) -> Json:
        head = {"id": f"gen-mock-{self._number}", "provider": MOCK_PROVIDER, "model": self._model, "object": kind}
        return {**head, "created": int(time.time())}

    def _usage(self, made: int) -> Json:
        texts = [text_of(_dict(m).get("content")) for m in self._messages]
        asked = sum(map(len, texts)) + len(str(self._body.get("input", "")))
        sent = max(1, asked // 4)  # the usual estimate: four characters per token
        usage: Json = {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}
        cost = estimate_cost(self._model, Usage.from_wire(usage))
        return {**usage, **({} if cost is None else {"cost": cost, "is_byok": False})}


def _mock_server(mock: MockOpenRouter) -> Any:
    """Return the HTTP server of a mock; http.server is slow to import."""
    import http.server

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore clients that close the connection; other errors are bugs."""
            if not isinstance(sys.exc_info()[1], OSError):
                super().handle_error(request, client_address)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            mock.connections.add(self.connection)

        def finish(self) -> None:
            mock.connections.discard(self.connection)
            super().finish()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                decoded = decode_json(body.decode()) if body else None
            except ValueError:
                decoded = None
            request = MockRequest(self.command, self.path, Headers(self.headers.items()), decoded)
            step, number = mock.take(request)
            _MockAnswer(mock, self, request, number).send(step)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing; stderr belongs to the user."""

    return Server(("127.0.0.1", 0), Handler)


class MockOpenRouter:
    """A loopback server that speaks OpenRouter's wire format; use as a context manager.

        with MockOpenRouter(429, "Hello there") as mock:
            llm = Llm(base_url=mock.url, api_key="any", log=False)
            assert llm.complete("hi").content == "Hello there"

    Each item answers one POST, and "ok" answers all further ones:

    "ok"        an answer; for a ``schema``, JSON that fits it
    429         an int: this HTTP status
    "error"     an error after half of the text
    "cut"       the connection closes after half of the text
    "stall"     only keep-alive comments, no data
    "empty"     an answer without text
    "reset"     the connection is reset
    other text  an answer with this text
    a dict      fields of the message, such as ``tool_calls``, and ``usage``, ``finish_reason`` or ``model``
    a function  gets the MockRequest and returns one of these

    ``delay``: seconds between the pieces of a stream. The costs in the answers are those of the
    price table, but nothing is billed. ``requests`` lists what arrived.
    """

    def __init__(self, *script: Any, delay: float = 0.0) -> None:
        for step in script:
            if isinstance(step, bool) or not (isinstance(step, (str, int, dict)) or callable(step)):
                hint = "use a str, an HTTP status, a dict of a message, or a function of the request"
                raise ConfigError(f"MockOpenRouter: {step!r} is not a step of a script", hint=hint)
        self.requests: list[MockRequest] = []
        self.delay = delay
        self._script = list(script)
        self._lock = threading.Lock()
        self._server: Any = None
        self.is_closing = threading.Event()
        self.connections: set[Any] = set()

    @property
    def url(self) -> str:
        """The base_url of the running server."""
        if self._server is None:
            raise ConfigError("the mock server is not running", hint="with MockOpenRouter() as mock: ...")
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/v1"

    def __enter__(self) -> MockOpenRouter:
        self.is_closing.clear()
        self._server = server = _mock_server(self)
        start_thread(server.serve_forever, 0.01)
        return self

    def __exit__(self, *exc: object) -> None:
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()
        for sock in list(self.connections):
            shut_down(sock)

    def take(self, request: MockRequest) -> tuple[Any, int]:
        """Store a request, and return the step that answers it and its number."""
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            step = self._script.pop(0) if self._script and request.method == "POST" else "ok"
        return (step(request) if callable(step) else step), number


# --- Report ---------------------------------------------------------------------------------
# An HTML page about a log in one file: no scripts, no network, SVG inside.
# Optional: it reads the log only through LlmOperationCollector.

_REPORT_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #667085; --paper: #fff; --line: #d8dde5; --bar: #4f7bd9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #9aa4b5; --paper: #14181f; --line: #313946; --bar: #6f97ee; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1200px; padding: 16px; color: var(--ink); background: var(--paper);
  font: 15px/1.45 system-ui, sans-serif }
h1 { font-size: 1.4em; margin: 0 0 2px } h2 { font-size: 1.1em; margin: 28px 0 8px } p { color: var(--soft); margin: 0 }
.cards { display: flex; flex-wrap: wrap; gap: 10px; margin: 16px 0 }
.card { flex: 1 1 150px; border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px }
.card b { display: block; font-size: 1.5em } .card span, th { color: var(--soft); font-size: .9em }
.wide { overflow-x: auto } svg { width: 100%; height: auto; min-width: 640px; display: block }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft) }
table { border-collapse: collapse; width: 100% } th { font-weight: normal; text-align: right; padding: 4px 8px }
td { text-align: right; padding: 4px 8px; border-top: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child, .text { text-align: left } td.text { white-space: normal; overflow-wrap: anywhere;
  min-width: 180px } td:first-child { overflow-wrap: anywhere; white-space: normal; min-width: 130px }
i.bar { display: block; height: 4px; border-radius: 2px; background: var(--bar); margin-top: 3px }
.key { display: inline-block; margin: 6px 14px 0 0; color: var(--soft) }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px }
"""
_REPORT_COLORS = ("#4f7bd9", "#e08a3c", "#3fa37a", "#b0578d", "#8a7fd1", "#c9b13a", "#5aa9c4", "#98a2b3")
_REPORT_DEAREST = 20  # rows of the most expensive calls
_REPORT_TEXT = 180  # characters of a question or an error


def _report_table(head: Sequence[str], rows: Sequence[Sequence[Any]], bars: Sequence[int] = (), text: int = -1) -> str:
    """Return an HTML table. Columns in ``bars`` show bars relative to their largest value; ``text`` is prose."""
    from html import escape

    most = {i: max((row[i] or 0 for row in rows), default=0) for i in bars}
    lines = []
    for row in rows:
        cells = []
        for i, value in enumerate(row):
            share = 100 * (value or 0) / most[i] if most.get(i) else 0
            bar = f'<i class="bar" style="width:{share:.0f}%"></i>' if i in most else ""
            style = ' class="text"' if i == text else ""
            shown = re.sub(_UNPRINTABLE, " ", f"{value:,}" if isinstance(value, int) else number_text(value))
            cells.append(f"<td{style}>{escape(shown)}{bar}</td>")
        lines.append("<tr>" + "".join(cells) + "</tr>")
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    none = "" if lines else f'<tr><td colspan="{len(head)}">none</td></tr>'
    return f'<div class="wide"><table><tr>{names}</tr>{"".join(lines)}{none}</table></div>'


def _report_days(rows: Sequence[Row]) -> str:
    """Return the spending per local day as stacked bars in SVG; each of the most expensive models has a colour."""
    from html import escape

    sums: dict[str, float] = {}
    days: dict[str, dict[str, float]] = {}
    for row in rows:
        sums[str(row["model"])] = sums.get(str(row["model"]), 0.0) + (row["cost"] or 0)
    top = sorted(sums, key=sums.__getitem__, reverse=True)[: len(_REPORT_COLORS) - 1]
    for row in rows:
        costs = days.setdefault(str(row["day"]), {})
        name = str(row["model"]) if str(row["model"]) in top else "others"
        costs[name] = costs.get(name, 0.0) + (row["cost"] or 0)
    shown = sorted(days)[-60:]
    names = [*top, *(["others"] if len(sums) > len(top) else [])]
    colors = dict(zip(names, _REPORT_COLORS))
    most = max((sum(days[day].values()) for day in shown), default=0) or 1
    width, height, step = 900, 220, 900 / max(1, len(shown))
    parts = [f'<text x="0" y="12">${escape(number_text(float(most)))}</text>']
    for i, day in enumerate(shown):
        top_edge = height - 20.0
        for name in names:
            size = days[day].get(name, 0.0) / most * (height - 40)
            top_edge -= size
            title = f"{day} {name}: ${number_text(days[day].get(name, 0.0))}"
            parts.append(
                f'<rect x="{i * step + step * 0.1:.1f}" y="{top_edge:.1f}" width="{min(60.0, step * 0.8):.1f}"'
                f' height="{size:.1f}" fill="{colors[name]}"><title>{escape(title)}</title></rect>'
            )
        if i % max(1, len(shown) // 8) == 0:
            parts.append(f'<text x="{min(i * step, width - 32):.1f}" y="{height - 4}">{escape(day[5:])}</text>')
    keys = "".join(
        f'<span class="key"><i style="background:{colors[name]}"></i>{escape(name)}</span>' for name in names
    )
    return f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>{keys}'


def report_html(since: Moment | None, path: LogTargets) -> tuple[str, int]:
    """Return the HTML page about a log, and the number of operations in it."""
    from html import escape

    def query(columns: str, more: str = "") -> Operations:
        sql = f"SELECT {columns} FROM operations WHERE timestamp >= ? {more}"
        return LlmOperationCollector.query(sql, [_moment(since) or ""], path=path)

    def line(text: object) -> str:
        return " ".join(str(text or "-").split())[:_REPORT_TEXT]

    models = LlmOperationCollector.totals("model", since=since, path=path)
    days = query("date(timestamp, 'localtime') AS day, model, sum(cost) AS cost", "GROUP BY 1, 2")
    reported = query("sum(cost) AS usd", "AND cost_source = 'reported'")
    span = query("date(min(timestamp), 'localtime') || ' to ' || date(max(timestamp), 'localtime') AS text")
    minute = "substr(datetime({}, 'localtime'), 1, 16)"
    dearest = query(f"{minute.format('timestamp')}, model, cost, total_tokens, latency_ms, user_prompt",
                    f"AND cost > 0 ORDER BY cost DESC LIMIT {_REPORT_DEAREST}")  # fmt: skip
    failed_ones = "AND NOT coalesce(success, 0) AND status != 'running'"
    failures = query(f"coalesce(error_type, status), count(*), {minute.format('max(timestamp)')}, max(error_message)",
                     f"{failed_ones} GROUP BY 1 ORDER BY 2 DESC LIMIT 30")  # fmt: skip
    unknown = query("status, model, count(*), sum(output_tokens)", "AND cost IS NULL AND status IN"
                    " ('interrupted', 'cancelled') GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 30")  # fmt: skip
    calls, spent = sum(row["calls"] for row in models), sum(row["cost"] or 0.0 for row in models)
    cards = {
        "spent": f"${number_text(float(spent))}",
        "calls": f"{calls:,}",
        "errors": f"{sum(row['errors'] for row in models):,}",
        "calls of unknown cost": f"{sum(row['unpriced'] for row in models):,}",
        "of the cost reported by the server": f"{100 * (reported[0]['usd'] or 0) / spent:.0f} %" if spent else "-",
    }
    shown_cards = "".join(f'<div class="card"><b>{escape(v)}</b><span>{k}</span></div>' for k, v in cards.items())
    per_model = [
        [row["model"] or "-", row["cost"], row["calls"], row["total_tokens"], row["p50_ms"], row["p95_ms"],
         row["first_p50_ms"], row["tokens_per_s"], round(100.0 * row["errors"] / row["calls"], 1),
         round(100.0 * (row["cached_tokens"] or 0) / row["input_tokens"], 1) if row["input_tokens"] else None]
        for row in models
    ]  # fmt: skip
    head = ["model", "USD", "calls", "tokens", "p50 ms", "p95 ms", "first text ms", "tokens/s", "errors %", "cached %"]
    calls_of = [[*list(row.values())[:-1], line(row["user_prompt"])] for row in dearest]
    failed = [[*list(row.values())[:-1], line(list(row.values())[-1])] for row in failures]
    when = (span[0]["text"] if span else None) or "no operations"
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Operations</title>',
        f"<style>{_REPORT_STYLE}</style></head><body>",
        f"<h1>What the models cost</h1><p>{escape(when)}, made {time.strftime('%Y-%m-%d %H:%M')}</p>",
        f'<div class="cards">{shown_cards}</div>',
        f'<h2>Spending per day, by model</h2><div class="wide">{_report_days(days)}</div>',
        "<h2>Models</h2>", _report_table(head, per_model, bars=range(1, 10)),
        f"<h2>The {len(dearest)} most expensive calls</h2>",
        _report_table(["time", "model", "USD", "tokens", "ms", "question"], calls_of, bars=[2], text=5),
        "<h2>Failures by type</h2>", _report_table(["type", "calls", "last", "example"], failed, [1], text=3),
        "<h2>Interrupted and cancelled calls whose cost is unknown</h2>",
        _report_table(["status", "model", "calls", "output tokens"], [list(row.values()) for row in unknown], [2]),
        "<p>To learn these costs from the service, run --costs --reconcile.</p></body></html>",
    ]  # fmt: skip
    return "".join(parts), calls


# --- Command line ---------------------------------------------------------------------------
# The only section that prints or reads stdin. The answer goes to stdout, everything else to stderr.
# main() does not close or replace the streams of its caller.

_EXIT_CODES: list[tuple[type[OpenRouterError], int]] = [
    (ConfigError, 2),
    (BudgetError, 4),
    (AuthenticationError, 3),
    (PermissionDeniedError, 3),
    (InsufficientCreditsError, 4),
    (RateLimitError, 5),
    (ModelNotFoundError, 6),
    (APIConnectionError, 7),
    (StreamInterruptedError, 8),
]
EXIT_OTHER_ERROR = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 6
EXIT_INTERRUPTED = 130
_EPILOG = """\
exit codes: 0 done, 1 other API error, 2 usage or configuration, 3 key refused,
4 no credits or budget used up, 5 rate limit, 6 model not found,
7 network or timeout, 8 stream interrupted, 130 Ctrl-C
environment: OPENROUTER_API_KEY, OPENROUTER_MODEL, OPENROUTER_BASE_URL,
OPENROUTER_MAX_COST_PER_DAY, OPENROUTER_MIN_LOG (a path, or off),
OPENROUTER_MIN_LOG_CONTENT=0, OPENROUTER_ALLOW_PLAIN_HTTP=1,
HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE"""


# Words in the library's hints, and their replacements on the command line.
_OPTION_WORDS: Sequence[tuple[str, str | Callable[[re.Match[str]], str]]] = (
    (r" or pass api_key=\.\.\.| or allow_plain_http=True| Llm\.request sends any body unchanged", ""),
    (r"\bname (a fallback|fallbacks)(=\[\.\.\.\])?|\bfallbacks=(\[\.\.\.\])?", "name a fallback with -f"),
    (r"\bset max_tokens=(\d+)", r"give --max-tokens \1"),
    (r"\bmax_tokens\b(=(\.\.\.)?)?", "--max-tokens "),
    (r"\b(?<!connect_)timeout\b(?!_)(=(\.\.\.)?)?", "--timeout "),
    (r"\bmax_cost\b(?!_)", "--max-cost"),
    (r", or make a new Llm, which starts at 0", ""),
    (r"a path, URL, bytes or \(name, bytes\)", "a path, a URL, or - for piped bytes"),
    (r"\btemperature=", "-t "),
    (r"\bmodel=", "-m "),
    (r"\bsystem_prompt=('\.\.\.')?", "-s TEXT "),
    (r"\bheaders=(\{\.\.\.\})?", "-H "),
    (r"\battachments(=\[\.\.\.\]|:)", "-a FILE "),
    (r"\b(plugins|provider|params)=([\[{].*?[\]}]+)", lambda m: "-o '{}={}'".format(m[1], m[2].replace("'", '"'))),
    (r"METADATA\[id\]\.\w+", "--models"),
    (r"\bbase_url\b=?", f"{BASE_URL_ENV} "),
    (r"\bapi_key\b=?", f"{KEY_ENV} "),
    (r"the text( so far)? is in \.partial(\.content)?", "the text so far is above"),
    (r", or a datetime\b", ", or an age such as 7d or 12h"),
)
STDIN_PATIENCE = 2.0  # s without input on an open pipe, after which a note says that we wait for it
_TTY_UNSAFE = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"


def _exit_code(error: OpenRouterError) -> int:
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), EXIT_OTHER_ERROR)


# Streams.


@contextlib.contextmanager
def _utf8_streams() -> Iterator[None]:
    """Use UTF-8 for the standard streams, also if the console has an older encoding."""
    before = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
    encodings = []
    for name, stream in before.items():
        if stream is None:  # closed by the caller
            setattr(sys, name, io.StringIO())
        elif isinstance(stream, io.TextIOWrapper):
            encodings.append((stream, stream.encoding, stream.errors))
            with contextlib.suppress(io.UnsupportedOperation):  # the caller has read from it already
                stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)
        for stream, encoding, errors in encodings:
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(encoding=encoding, errors=errors)


def _width(stream: Any) -> int | None:
    """Return the width of the stream's terminal in columns, or None if it is not a terminal."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80  # some terminals report 0
    except (OSError, ValueError):  # not a real file, such as the StringIO of a test
        return 80


def _print(text: str, end: str = "\n") -> None:
    if sys.stdout.isatty():  # control codes in an answer could take over the terminal
        text = re.sub(_TTY_UNSAFE, "", text)
    print(text, end=end, flush=True)


def _say(text: str, end: str = "\n", *, is_dim: bool = False) -> None:
    """Write to stderr; on a terminal dim, or wrapped at words."""
    width = _width(sys.stderr)
    if width:
        text = re.sub(_TTY_UNSAFE, "", text)
        if is_dim and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
            text = f"\x1b[2m{text}\x1b[22m"
        elif end:
            import textwrap

            fill = functools.partial(textwrap.fill, break_long_words=False, break_on_hyphens=False)
            text = "\n".join(fill(line, max(width, 20), subsequent_indent="    ") for line in text.split("\n"))
    with contextlib.suppress(OSError):  # stderr may be closed
        sys.stderr.write(text + end)
        sys.stderr.flush()


def _say_error(error: OpenRouterError) -> None:
    """Print an error and its hint, with options instead of parameters; the words of a server stay unchanged."""
    message, hint = error.message, error.hint
    for pattern, words in _OPTION_WORDS:
        hint = re.sub(pattern, words, hint)
        message = re.sub(pattern, words, message) if isinstance(error, (ConfigError, BudgetError)) else message
    _say("\n  ".join(re.sub(r" +(?=[ ,;:.?)]|$)", "", text) for text in (f"error: {message}", hint)))


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _is_stdin_given() -> bool:
    """Return whether stdin is a pipe, file or socket; a terminal and /dev/null are not input."""
    import stat

    try:
        return not stat.S_ISCHR(os.fstat(sys.stdin.fileno()).st_mode)
    except (OSError, ValueError):  # not a real file, such as the StringIO of a test
        return not sys.stdin.isatty()


def _stdin_bytes() -> bytes:
    """Read stdin to its end; if nothing arrives for a while, print a note."""
    note = "note: waiting for the end of the input on stdin (</dev/null if there is none)"
    timer = threading.Timer(STDIN_PATIENCE, _say, [note])
    timer.daemon = True
    timer.start()
    try:
        stream = getattr(sys.stdin, "buffer", None)
        return stream.read() if stream is not None else sys.stdin.read().encode("utf-8", "surrogateescape")
    except OSError:  # a test runner may forbid reading it
        return b""
    finally:
        timer.cancel()


def _decoded(data: bytes, source: str) -> str:
    text = text_in(data)
    if text is None:
        raise ConfigError(
            f"{source} is not text in UTF-8 or UTF-16", hint="convert it, for example with iconv -t utf-8"
        )
    return text.lstrip("\ufeff")


def _file_text(path: str, option: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ConfigError(f"{option}: {error}", hint="use a text file in UTF-8") from None
    return _decoded(data, f"{option} {path}").replace("\r\n", "\n")


# Options.


def _moment_of(text: str) -> Any:
    """Return the moment so many hours or days ago ("12h", "90d"); return any other text unchanged."""
    from datetime import datetime, timedelta, timezone

    match = re.fullmatch(r"(\d+)([hd])", text)
    if not match:
        return text
    hours = int(match.group(1)) * (24 if match.group(2) == "d" else 1)
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return now - timedelta(hours=min(hours, 24 * 36500))  # at most a century, because more could overflow


def _argument_parser() -> Any:
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m openrouter_min",
        usage="%(prog)s [options] [prompt ...]",
        description="Ask a language model through OpenRouter. Piped input is added under the prompt.",
        epilog=_EPILOG,
        # Without a width, argparse would ask for that of the terminal, which imports a slow module.
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=80, max_help_position=26),
    )
    many: Json = {"action": "append", "default": []}
    flag: Json = {"action": "store_true"}
    add = parser.add_argument_group("ask").add_argument
    add("prompt", nargs="*", help="the words of the prompt; -- before words with a dash")
    add("-m", "--model", metavar="M", help="maker/model, such as openai/gpt-4o-mini")
    add("-f", "--fallback", metavar="M", **many, help="a model to try next; repeatable")
    add("-s", "--system", metavar="TEXT", help="system prompt; @FILE reads it from a file")
    add("-t", "--temperature", metavar="N", type=float, help="0 to 2")
    add("--max-tokens", metavar="N", type=int, help="limit of the answer, reasoning included")
    add("-o", "--option", metavar="K=V", **many, help="any body field, as JSON; repeatable")
    add("-H", "--header", metavar="N:V", **many, help="a request header; repeatable")
    add("-a", "--attach", metavar="FILE", **many, help="a path, a URL, or - for piped bytes; repeatable")
    add("--schema", metavar="S", help="FILE, JSON or 'name, age int': the form of the answer")
    add("--timeout", metavar="S", type=float, help=f"seconds without data ({PROGRESS_TIMEOUT:g})")
    add("--max-cost", metavar="USD", type=float, help="stop when this much is spent")
    add("--json", **flag, help="the whole answer as JSON")
    add("--no-stream", **flag, help="print the answer when it is whole")
    add("-x", "--extract", **flag, help="print only the first code block")
    add("-u", "--usage", **flag, help="tokens, cost, model and time on stderr")
    add("--reasoning", **flag, help="the model's reasoning, dim, on stderr")
    add("--save", metavar="DIR", help="where images and sound that come back are saved")
    add("--dry-run", **flag, help="print what would be sent, and what it may cost")
    add = parser.add_argument_group("talk").add_argument
    add("--chat", **flag, help="talk; /help lists the commands")
    add("-c", "--continue", **flag, dest="goes_on", help="continue the last conversation of this terminal")
    add("--conversation", metavar="ID", help="continue this conversation")
    add = parser.add_argument_group("many").add_argument
    add("--batch", metavar="FILE", help="a prompt or JSON object on each line; prints JSONL")
    add("--concurrency", metavar="N", type=int, help="lines of a batch at once (8)")
    add = parser.add_argument_group("look").add_argument
    add("--models", metavar="WORDS", nargs="?", const="", help="models and prices; WORDS to search for")
    add("--live", **flag, help="with --models: the live list")
    add("--log", metavar="N|ID|WORDS", nargs="?", const="", help="the last N, one in full, or those with WORDS")
    add("--costs", metavar="BY", nargs="?", const="model", help="per model,day,status,provider,served_model,session_id")
    add("--reconcile", **flag, help="with --costs: ask the service for unknown costs")
    add("--report", metavar="FILE", help="write an HTML page about spending and failures")
    add("--purge", metavar="AGE", type=_moment_of, help="delete operations older than AGE, such as 90d or 12h")
    add("--since", metavar="DATE", type=_moment_of, help="only from this date on, or only the last 7d or 12h")
    add("--csv", **flag, help="print a view as CSV")
    add("--check", **flag, help="test TLS, proxy, network, key and log")
    add("--key", **flag, help="show limit, use and source of the key")
    add = parser.add_argument_group("where").add_argument
    add("--mock", **flag, help="a mock server on this machine: no key, no network")
    add("--db", metavar="PATH", **many, help="the log file; views read several")
    add("--no-log", **flag, help="write no log")
    add("--version", action="version", version=f"openrouter_min {__version__}")
    return parser


_ASKING = "model fallback system temperature max_tokens option header timeout mock db no_log save attach max_cost"

# (mode, the options that have an effect in it); the last mode is used if no other is given
_MODES = (
    ("models", "prompt live json"),
    ("log", "prompt db json csv since extract model"),
    ("costs", "db json csv since reconcile"),
    ("report", "db since"),
    ("purge", "db"),
    ("check", "mock header timeout db no_log"),
    ("key", "mock header timeout db no_log"),
    ("batch", f"{_ASKING} schema concurrency dry_run prompt"),
    ("chat", f"{_ASKING} prompt usage goes_on conversation reasoning"),
    ("prompt", f"{_ASKING} usage schema json no_stream reasoning goes_on conversation extract dry_run"),
)
_ONLY_WITH = {"live": "--models", "concurrency": "--batch", "reconcile": "--costs", "csv": "--log and --costs"}
_EXCLUSIVE = (("goes_on", "conversation"), ("json", "csv"), ("json", "extract"), ("csv", "extract"))


def _check_options(options: Any) -> str:
    """Return the mode of the command; raise ConfigError for an option that would have no effect in it."""

    def shown(name: str) -> str:
        return {"goes_on": "--continue", "prompt": "words of a prompt"}.get(name, "--" + name.replace("_", "-"))

    given = {name for name, value in vars(options).items() if value is not None and value is not False and value != []}
    for name in sorted(given - {"models", "log", "prompt"}):
        value = getattr(options, name)
        if value == "" or isinstance(value, list) and "" in value:
            raise ConfigError(f"{shown(name)} is empty", hint="maybe a shell variable is not set")
    mode, useful = next((row for row in _MODES if row[0] in given), _MODES[-1])
    for name in sorted(given - {mode, *useful.split()}):
        needed = _ONLY_WITH.get(name)
        problem = f"works only with {needed}" if needed else f"can't be used with {shown(mode)}"
        raise ConfigError(f"{shown(name)} {problem}", hint="--help lists the options")
    for one, other in _EXCLUSIVE:
        if {one, other} <= given:
            raise ConfigError(f"{shown(one)} can't be used with {shown(other)}", hint="use one of them")
    if len(options.db) > 1 and (mode not in ("log", "costs", "report") or options.reconcile):
        raise ConfigError("--db is given twice", hint="only --log, --costs and --report read several logs")
    return mode


def _terminal() -> str:
    """Return a name for this terminal, so that --continue does not continue a conversation of another one."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        try:
            return f"cli {os.ttyname(stream.fileno())}"
        except (AttributeError, OSError, ValueError):  # not a terminal, or Windows, where they have no names
            continue
    return f"cli {os.environ.get('WT_SESSION', '')}".strip()


def _settings(options: Any) -> Json:
    """Return the settings of LlmConfig that the options stand for."""
    headers = {}
    for header in options.header:
        name, colon, value = header.partition(":")
        if not colon:
            raise ConfigError(f"-H {header!r} has no colon", hint="use -H 'X-Title: My app'")
        headers[name.strip()] = value.strip()
    system = options.system or ""
    settings = {
        "model": options.model,
        "fallbacks": options.fallback,
        "system_prompt": _file_text(system[1:], "-s") if system.startswith("@") else options.system,
        "temperature": options.temperature,
        "max_tokens": options.max_tokens,
        "headers": headers,
        "timeout": options.timeout,
        "max_cost": options.max_cost,
        "log": False if options.no_log else options.db,
        "agent_id": _terminal(),
    }
    return {name: value for name, value in settings.items() if value not in (None, [], {})}


_FIELD_TYPES = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array", "items": {"type": "string"}},
}


def _schema_of_option(text: str) -> Json:
    """Return the schema that --schema names: a file, JSON, or a short form such as 'name, age int, tags list'."""
    is_json = text.lstrip().startswith("{")
    if is_json or os.path.exists(text):
        source = text if is_json else _file_text(text, "--schema")
        try:
            return {**decode_json(source)}
        except (TypeError, ValueError) as error:
            raise ConfigError(f"--schema {text} is not a JSON Schema: {error}", hint="use a JSON object") from None
    properties = {}
    for part in text.split(","):
        match = re.fullmatch(rf"\s*(\w+)(?:\s+({'|'.join(_FIELD_TYPES)}))?\s*", part)
        if not match:
            hint = f"use a file, a JSON object, or 'name, age int, tags list' (types: {', '.join(_FIELD_TYPES)})"
            raise ConfigError(f"--schema {text}: there is no such file, and {part!r} is not a field", hint=hint)
        properties[match.group(1)] = _FIELD_TYPES[match.group(2) or "str"]
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _fields(options: Any) -> Json:
    """Return the parameters of each call, without attachments: body fields and schema."""
    fields: Json = {"schema": _schema_of_option(options.schema)} if options.schema else {}
    for pair in options.option:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigError(
                f"-o {pair!r} is not KEY=VALUE", hint='use -o top_p=0.9 -o \'reasoning={"effort": "low"}\''
            )
        try:
            fields[name] = json.loads(value, parse_constant=str)  # NaN is not JSON, so it is a text
        except ValueError:
            fields[name] = value
    return fields


# One question.


def _print_code(text: str) -> int:
    """Print the first fenced code block of a Markdown text; return the exit code."""
    match = re.search(r"(?ms)^( *)(```+|~~~+)[^\n]*\n(.*?)^ *\2 *$", text.replace("\r\n", "\n") + "\n")
    if match is None:
        _say(f"note: there is no code block in the answer:\n{text}")
        return EXIT_OTHER_ERROR
    _print(re.sub(f"(?m)^ {{0,{len(match.group(1))}}}", "", match.group(3)), end="")  # a block in a list is indented
    return 0


def _estimate(bodies: Sequence[Json]) -> str:
    """Return an estimate of tokens and the highest possible cost of these bodies."""
    tokens_in, tokens_out, cost, unknown, is_bounded = 0, 0, 0.0, 0, True
    for body in bodies:
        sent = len(json.dumps(without_media(body.get("messages")), ensure_ascii=False)) // 4
        own_limit = _int_or_none(body.get("max_tokens") or body.get("max_completion_tokens"))
        costs, limits = [], []
        for name in _list(body.get("models")) or [body.get("model")]:  # any of these may answer
            model = METADATA.get(str(name))
            limit = own_limit or (model.max_completion_tokens if model else None) or 0
            limits.append(limit * (_int_or_none(body.get("n")) or 1))
            price = model.pricing_at(sent) if model else Pricing()
            if price.input is not None and price.output is not None and limits[-1]:
                costs.append((sent * price.input + limits[-1] * price.output) / 1e6)
        tokens_in += sent
        tokens_out += max(limits)
        is_bounded = is_bounded and all(limits)
        unknown += len(costs) < len(limits)
        cost += max(costs) if len(costs) == len(limits) else 0
    money = f"at most ${number_text(cost)}" + (f", without {unknown} of unknown price" if unknown else "")
    if unknown == len(bodies):
        money = "the price of the model is unknown"
    out = f"at most {tokens_out:,} out" if is_bounded else "no known limit for the answer"
    return f"estimate: about {tokens_in:,} tokens in, {out}; {money} (attached files not counted)"


def _tokens_and_cost(usage: Usage, cost: float | None) -> str:
    tokens = f"{usage.prompt_tokens:,} in + {usage.completion_tokens:,} out = {usage.total_tokens:,} tokens"
    unknown = (
        f" and {_counted(usage.unpriced, 'answer')} of unknown cost" if usage.unpriced and cost is not None else ""
    )
    return f"{tokens} | " + ("cost unknown" if cost is None else f"${number_text(cost)}{unknown}")


def _usage_facts(completion: Completion) -> dict[str, str]:
    """Return the model, tokens with cost, and times of an answer, for --usage and --log ID."""
    served, asked, first = completion.model, completion.requested_model, completion.first_token_ms
    model = f"{served or asked}" + (f" ({completion.provider})" if completion.provider else "")
    source = f" {completion.cost_source}" if completion.cost_source else ""
    times = "-" if completion.latency_ms is None else f"{completion.latency_ms / 1000:.2f} s"
    return {
        "model": model + (f", {asked} was asked" if served and asked != served else ""),
        "usage": _tokens_and_cost(completion.usage, completion.cost) + source,
        "times": times + ("" if first is None else f", first text after {first / 1000:.2f} s"),
    }


def _save_media(completion: Completion, folder: str | None) -> list[str]:
    """Write images and sound of an answer into files; return their paths, or the URLs of linked files."""
    if not any(url[:5].lower() == "data:" for url in completion.files):
        return completion.files
    import tempfile

    try:  # the files were paid for, so they are saved even without --save
        return completion.save(folder or tempfile.mkdtemp(prefix="openrouter_min-"))
    except ValueError as error:
        _say(f"note: a file in the answer is damaged ({error}); --json shows the whole answer")
        return []


def _add_to_answer(options: Any, completion: Completion) -> None:
    """Print the rest of an answer: paths of its files, notes on an unusual end, usage."""
    for path in _save_media(completion, options.save):
        (_say if options.json or options.schema else _print)(path)
    reason, native = completion.finish_reason, completion.native_finish_reason
    if completion.refusal:
        _say(f"note: the model refused: {completion.refusal}")
    elif completion.truncated:
        is_cut = completion.content or completion.tool_calls
        what = "the token limit cut the answer" if is_cut else "reasoning used up the token limit before any text"
        _say(f"note: {what}; raise --max-tokens")
    elif reason == "content_filter":
        _say("note: a content filter cut the answer")
    elif not (completion.content or completion.tool_calls or completion.files):
        _say(f"note: the answer has no text (finish reason {reason or 'none'}" + (f", {native})" if native else ")"))
    elif reason not in ("stop", "tool_calls", None):
        _say(f"note: the answer ended with {reason}")
    for call in completion.tool_calls:
        _say(f"note: the model asks for {call.name}({call.arguments})")
    if options.usage:
        _say(" | ".join(_usage_facts(completion).values()))


def _stream_answer(options: Any, stream: Stream) -> Completion:
    """Print the text as it arrives; after any end, the printed text ends with a line break."""
    last, is_thinking = "", False
    try:
        for chunk in stream.chunks():
            if chunk.reasoning and options.reasoning:
                is_thinking = True
                _say(chunk.reasoning, end="", is_dim=True)
            if chunk.content and is_thinking:
                _say("")
            if chunk.content:
                last, is_thinking = chunk.content, False
                _print(last, end="")
    finally:
        if is_thinking:
            _say("")
        if last and not last.endswith("\n"):
            _print("")
    _add_to_answer(options, stream.completion)
    return stream.completion


def _ask(options: Any, llm: Llm, history: list[Json]) -> int:
    """Ask one question: the words of the prompt, the piped input under them, and the attached files."""
    parts, files = [" ".join(options.prompt)], list(options.attach)
    if _is_stdin_given() or "-" in files:
        data = _stdin_bytes()
        if "-" in files:
            files[files.index("-")] = ("stdin", data)
        elif data and media_rows(data):
            files.append(("stdin", data))
        elif data.strip():
            parts.append(_decoded(data, "stdin"))
    prompt = "\n\n".join(part for part in parts if part.strip())
    if not prompt and not files:
        raise ConfigError(
            "there is no prompt", hint='such as python -m openrouter_min "Explain quantum computing in simple terms"'
        )
    fields = {**_fields(options), **({"attachments": files} if files else {})}
    messages = [*history, {"role": "user", "content": prompt}]
    is_streamed = not (options.no_stream or options.json or options.schema or options.extract)
    if options.dry_run:
        body = llm._plan(fields).ask(messages, stream=is_streamed).first_body()
        _print(json.dumps(body, indent=2, ensure_ascii=False))
        _say(_estimate([body]))
        return 0
    if is_streamed:
        _stream_answer(options, llm.stream(messages, **fields))
        return 0
    try:
        completion = llm.chat(messages, **fields)
    except APIResponseError as error:  # an answer that does not fit the schema was paid for too
        if error.partial:
            _say(error.partial.content)
        raise
    if options.reasoning and completion.reasoning:
        _say(completion.reasoning, is_dim=True)
    code = 0
    value = completion.raw if options.json else completion.parsed
    if options.extract:
        code = _print_code(completion.content)
    else:
        _print(completion.content if value is None else json.dumps(value, indent=2, ensure_ascii=False))
    _add_to_answer(options, completion)
    return code


# Conversations.


def _earlier(options: Any, settings: Json) -> tuple[list[Json], Json]:
    """Return the history to continue, and the settings with the conversation's id, model and options."""
    wanted, value = "agent_id = ?", settings["agent_id"]
    if options.conversation:
        wanted, value = "? IN (session_id, operation_id)", options.conversation
    rows = LlmOperationCollector.query(
        f"SELECT * FROM operations WHERE {wanted} AND operation_type = 'completion'"
        " AND (response IS NOT NULL OR success AND messages IS NULL)"
        " AND coalesce(action_id, '') NOT LIKE 'batch-%' ORDER BY id DESC LIMIT 1",
        [value],
        path=settings.get("log"),
    )
    if not rows:
        name = options.conversation or "to continue in this terminal"
        hint = "--log lists the operations; calls with --no-log are not in it"
        raise ConfigError(f"the log has no conversation {name}", hint=hint)
    row = rows[0]
    if row["messages"] is None:
        hint = f"it ran with {LOG_CONTENT_ENV}=0; --conversation ID continues another one"
        raise ConfigError("the last conversation was logged without content, so it can't be continued", hint=hint)
    history = history_of(row)
    if options.system:
        history = [m for m in history if m["role"] not in ("system", "developer")]
    session_id = row["session_id"] or row["operation_id"]
    args = _dict(decode_json(row["completion_args"] or "{}"))
    own = ("model", "models", "fallbacks", "stream", "session_id", "tools", "tool_choice", "response_format")
    params = {k: v for k, v in args.items() if k not in own and WHERE.get(k, "body") == "body"}
    kept: Json = {"model": row["model"], "params": params}
    kept.update((k, args[k]) for k in ("temperature", "max_tokens", "fallbacks") if args.get(k) is not None)
    settings = {**kept, **settings, "session_id": session_id}
    _say(f"conversation {session_id}\nmodel {settings['model']}")
    if re.search(r"bytes, sha256 [0-9a-f]{16}\]", row["messages"]):
        _say("note: its files are not in the log; attach them again with -a if needed")
    return history, settings


def _line(prompt: str) -> str:
    """Read a line of stdin, on a terminal after a prompt; raise EOFError at the end."""
    is_edited = sys.stdin.isatty() and sys.stdout.isatty()
    if sys.stdin.isatty() and not is_edited:  # stdout is for answers only
        _say(prompt, end="")
    try:
        return input(prompt if is_edited else "").rstrip("\r")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"stdin is not text in UTF-8: {error}", hint="convert it, for example with iconv -t utf-8"
        ) from None


def _question_lines() -> str:
    """Read a question: a line, lines that end in a backslash, or a block between triple quotes."""
    line = _line("> ")
    is_block = line.startswith('"""')
    lines = [line[3:] if is_block else line]
    try:
        while not lines[-1].rstrip().endswith('"""') if is_block else lines[-1].endswith("\\"):
            lines.append(_line(". "))
    except EOFError:  # the end of the input also ends the question
        lines.append("")
    if is_block:
        return re.sub(r'"""\s*$', "", "\n".join(lines)).strip("\n")
    return "\n".join(line[:-1] if line.endswith("\\") else line for line in lines)


class _Talk:
    """A conversation on the terminal: its messages, and the commands that start with a slash."""

    HELP = """\
/model NAME   ask another model from now on; without NAME: show the model
/system TEXT  use another system prompt from now on (- for none); without TEXT: show it
/attach FILE  send this file or URL with the next question
/retry        ask the last question again and forget its answer
/usage        show tokens and cost of this conversation
/save FILE    write the conversation, as JSON if FILE ends in .json, else as text
/quit         leave (also: exit, quit, Ctrl-D); Ctrl-C stops an answer
a line that ends in \\ continues on the next; \""" starts and ends a text of many lines"""

    def __init__(self, options: Any, llm: Llm, history: list[Json]) -> None:
        self._options = options
        self._llm = llm
        self._messages = history
        self._fields = _fields(options)
        check_params(self._fields)  # report bad options before the first question
        self._parts = [read_attachment(a) for a in options.attach]  # of the next question
        self._last: tuple[list[Json], Json] | None = None  # the last question, and the messages before it

    def run(self) -> int:
        """Read and answer until /quit or the end of the input; return the exit code."""
        if sys.stdin.isatty():
            with contextlib.suppress(ImportError):  # Windows has none
                import readline  # input() uses it

                readline.parse_and_bind("set enable-bracketed-paste on")  # a pasted text is one question
        elif isinstance(sys.stdin, io.TextIOWrapper) and isinstance(sys.stdin.buffer, io.BufferedReader):
            start = sys.stdin.buffer.peek(4)[:64]
            if media_rows(start):
                raise ConfigError("stdin is not text", hint="attach a file with -a")
            sys.stdin.reconfigure(encoding=text_encoding(start), errors="strict")
        if not self._messages:
            _say(f"conversation {self._llm.config.session_id}")
        _say("/help lists the commands")
        for message in self._messages[-2:]:  # the end of the earlier conversation
            _say(f"{message['role']}: {text_of(message.get('content'))}", is_dim=True)
        text, code, is_typed = " ".join(self._options.prompt), 0, sys.stdin.isatty()
        while True:
            try:
                text = text or _question_lines()
                command = re.fullmatch(r"/([a-z]*)([ \t].*)?", text)
                if text.strip() in ("exit", "quit") or command and command.group(1) in ("exit", "quit", "q"):
                    return code
                if command:
                    self._command(command.group(1), (command.group(2) or "").strip())
                elif text.strip():
                    question: Json = {"role": "user", "content": text}
                    question = with_attachments([question], self._parts)[0] if self._parts else question
                    self._ask(self._messages, question)
            except EOFError:
                return code
            except KeyboardInterrupt:
                if not is_typed:
                    raise
                _say("\n(stopped; leave with /quit or Ctrl-D)")
            except OpenRouterError as error:
                if isinstance(error, ConfigError) and not is_typed:  # nobody can correct it
                    raise
                _say_error(error)
                code = 0 if is_typed else _exit_code(error)
            text = ""

    def _ask(self, history: list[Json], question: Json) -> None:
        """Ask, print the answer, and add both to the conversation; of a broken answer the part that arrived."""
        self._last = history, question
        stream = self._llm.stream([*history, question], **self._fields)
        failure: BaseException | None = None
        try:
            completion = _stream_answer(self._options, stream)
        except (KeyboardInterrupt, StreamInterruptedError) as error:
            completion, failure = stream.partial, error
        if completion.content and not completion.tool_calls:
            self._messages = [*history, question, *completion.messages]
            self._parts = [part for part in self._parts if part not in _list(question["content"])]
        else:  # a tool call without a result would make the next question fail
            _say("note: this question and its answer are not kept in the conversation")
        if failure is not None:
            raise failure

    def _command(self, name: str, rest: str) -> None:
        """Run a /command and print its result."""
        fields, config, messages = self._fields, self._llm.config, self._messages
        own = last_text(messages, ("system", "developer"))
        system = own or _str_or_none(fields.get("system_prompt", config.system_prompt))
        if name == "model":
            if rest:
                fields["model"] = checked_model("/model", rest)
            near = ", ".join(METADATA.near(rest)) if rest and rest not in METADATA else ""
            note = f" (not in the price table; similar: {near})" if near else ""
            _say(f"model: {fields.get('model') or config.model}{note}")
        elif name == "system":
            if rest:
                self._messages = [m for m in messages if m["role"] not in ("system", "developer")]
                system = fields["system_prompt"] = None if rest == "-" else rest
            _say(f"system prompt: {system or 'none'}")
        elif name == "retry":
            asked = [i for i, m in enumerate(messages) if m["role"] == "user"]
            if self._last is not None:
                self._ask(*self._last)
            elif asked:
                self._ask(messages[: asked[-1]], messages[asked[-1]])
            else:
                _say("there is no question yet")
        elif name == "usage":
            _say(_tokens_and_cost(self._llm.usage, self._llm.usage.cost))
        elif name in ("attach", "save") and not rest:
            _say(f"/{name} needs a file name")
        elif name == "attach":
            self._parts.append(read_attachment(rest if "://" in rest else os.path.expanduser(rest)))
            _say(f"{rest} will be sent with the next question")
        elif name == "save":
            head = [{"role": "system", "content": system}] if system and messages and not own else []
            saved = [*head, *messages]
            shown = "\n\n".join(f"{m['role']}: {text_of(m.get('content'))}" for m in saved)
            try:
                if rest.endswith(".json"):
                    shown = json.dumps(saved, indent=2, ensure_ascii=False)
                with open(os.path.expanduser(rest), "w", encoding="utf-8") as file:
                    file.write(shown + "\n")
                _say(f"saved {len(saved)} messages in {rest}")
            except OSError as error:
                _say(f"error: {error}")
        else:
            if name not in ("", "help"):
                _say(f"there is no command /{name}; put a blank before a question that starts with a slash")
            _say(self.HELP)


# Batches. The log shows which lines have been answered.


@dataclass
class _BatchLine:
    """A line of a batch: its id, the hash of its whole request, and the parameters of the question."""

    id: Any
    key: str
    asked: Json


def _batch_item(line: str, template: str) -> Json:
    """Return the prompt of a line; with a template, the template with the {fields} of the line filled in."""
    try:
        value = decode_json(line) if line[0] in '{"' else line
    except ValueError as error:
        hint = "write a prompt that starts with { or a quote as a JSON string"
        raise ConfigError(f"it is not JSON: {error}", hint=hint) from None
    item = value if isinstance(value, dict) else {"prompt": value}
    if not template:
        return item

    def fill(match: re.Match[str]) -> str:
        if match.group(1) not in item:
            raise ConfigError(f"it has no field {match.group(1)!r}, which the prompt uses", hint="add it to the object")
        cell = item[match.group(1)]
        return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)

    prompt = re.sub(r"\{(\w+)\}", fill, template)
    return {"prompt": prompt, **({"id": item["id"]} if "id" in item else {})}


def _batch_lines(options: Any, llm: Llm) -> list[_BatchLine]:
    """Read all lines and check that each can be sent. Equal lines are separate samples: their keys are numbered."""
    import hashlib

    source = "stdin" if options.batch == "-" else options.batch
    text = _decoded(_stdin_bytes(), "stdin") if source == "stdin" else _file_text(source, "--batch")
    shared = {**_fields(options), **({"attachments": options.attach} if options.attach else {})}
    template = " ".join(options.prompt)
    if template and not re.search(r"\{\w+\}", template):
        raise ConfigError("the prompt contains no {field}", hint="write {prompt} where the line belongs")
    lines: list[_BatchLine] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            asked = {**shared, **_batch_item(line.strip(), template)}
            name = asked.pop("id", number)
            if "action_id" in asked:
                raise ConfigError("a batch uses action_id itself", hint="use id")
            question = llm._question(asked)
        except ConfigError as error:
            raise ConfigError(f"{source} line {number}: {error.message}", hint=error.hint) from None
        where = "mock" if options.mock else llm.config.base_url
        about = [where, question.body, question.config.fallbacks, question.config.headers]
        key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
        counts[key] = counts.get(key, 0) + 1
        lines.append(_BatchLine(name, key if counts[key] == 1 else f"{key}-{counts[key]}", asked))
    return lines


def _answered(config: LlmConfig, keys: set[str]) -> dict[str, Completion]:
    """Return the answers of earlier batches to these keys, from the log."""
    query = functools.partial(LlmOperationCollector.query, path=config.log)
    found = query(
        "SELECT id, action_id FROM operations WHERE action_id LIKE 'batch-%' AND success AND messages NOT NULL"
    )
    ids = [str(row["id"]) for row in found if row["action_id"][len("batch-") :] in keys]
    answers = {}
    names = ", ".join(c for c in LOG_COLUMNS if c not in ("messages", "system_prompt", "user_prompt"))
    for at in range(0, len(ids), 500):  # SQLite limits the length of a statement
        for row in query(f"SELECT {names} FROM operations WHERE id IN ({', '.join(ids[at : at + 500])})"):
            answers[row["action_id"][len("batch-") :]] = completion_of(row)
    return answers


def _batch_cells(line: _BatchLine, answer: Completion | Exception, folder: str | None) -> Json:
    """Return the output for a line: the question, and its answer or error."""
    cells: Json = {"id": line.id, "key": line.key}
    cells.update((k, line.asked[k]) for k in ("prompt", "messages") if k in line.asked)
    if not isinstance(answer, Completion):
        partial = getattr(answer, "partial", None)
        cells.update(error=str(answer), error_type=type(answer).__name__)
        return {**cells, "content": partial.content, "cost": partial.cost} if partial else cells
    extras = {
        "refusal": answer.refusal,
        "tool_calls": [dataclasses.asdict(call) for call in answer.tool_calls],
        "files": _save_media(answer, folder),
    }
    cells.update(content=answer.content, **{k: v for k, v in extras.items() if v})
    cells.update(
        model=answer.model,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        cost=answer.cost,
    )
    if line.asked.get("schema") is not None and not answer.tool_calls:
        cells["parsed"] = Structure.of(line.asked["schema"]).value(answer.content)
    return cells


BAR_WIDTH = 10  # characters of a full bar


def _bar(value: float, most: float) -> str:
    """Return a bar of block characters; its smallest step is an eighth of a block."""
    eighths = round(value / most * BAR_WIDTH * 8) if most else 0
    return "\u2588" * (eighths // 8) + " \u258f\u258e\u258d\u258c\u258b\u258a\u2589"[eighths % 8].strip()


class _Progress:
    """The progress of a batch: a bar on a terminal while it runs, and a summary at its end."""

    def __init__(self, total: int, known: int) -> None:
        self.failures: dict[str, list[str]] = {}  # messages by class
        self._total = total
        self._known = known
        self._new = 0
        self._usd = 0.0
        self._unpriced = 0
        self._began = time.monotonic()
        self._has_bar = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._lock = threading.Lock()  # answers arrive in many threads
        self._draw()

    def count(self, answer: Completion | Exception) -> None:
        """Count an answer that has arrived; any thread may call this."""
        with self._lock:
            self._new += 1
            if isinstance(answer, Exception):
                self.failures.setdefault(type(answer).__name__, []).append(str(answer).split("\n")[0])
            completion = answer if isinstance(answer, Completion) else getattr(answer, "partial", None)
            self._usd += (completion.cost if completion else 0) or 0
            self._unpriced += completion is not None and completion.cost is None
            self._draw()

    def write(self, cells: Json) -> None:
        """Print the output for a line, and draw the bar again below it."""
        with self._lock:
            self._put("")
            _print(json.dumps(cells, ensure_ascii=False))
            self._draw()

    def end(self, how: str) -> None:
        """Remove the bar and print the summary."""
        with self._lock:
            self._put("")
            self._has_bar = False
        seconds = time.monotonic() - self._began
        for kind, messages in self.failures.items():
            _say(f"{len(messages)} x {kind}, such as: {messages[0]}")
        _say(f"{how}: {self._counts()}, {self._known} of them answered before, {seconds:.1f} s")

    def _counts(self) -> str:
        failed = sum(map(len, self.failures.values()))
        unknown = f" and {self._unpriced} of unknown cost" if self._unpriced else ""
        return f"{self._known + self._new} of {self._total}, {failed} failed, ${number_text(self._usd)}{unknown}"

    def _draw(self) -> None:
        rate = self._new / max(0.001, time.monotonic() - self._began)
        done = self._known + self._new
        speed = f", {rate:.1f}/s, {(self._total - done) / rate:,.0f} s left" if rate else ""
        self._put(f"{_bar(done, max(1, self._total)).ljust(BAR_WIDTH)} {self._counts()}{speed}")

    def _put(self, text: str) -> None:
        if self._has_bar:
            with contextlib.suppress(OSError):  # without a terminal the batch continues
                sys.stderr.write("\r\x1b[K" + text[: (_width(sys.stderr) or 80) - 1])
                sys.stderr.flush()


def _batch(options: Any, llm: Llm) -> int:
    lines = _batch_lines(options, llm)
    known = _answered(llm.config, {line.key for line in lines})
    todo = [line for line in lines if line.key not in known]
    if options.dry_run:
        _say(f"{_counted(len(lines), 'line')}, {len(lines) - len(todo)} of them answered before, {len(todo)} to ask")
        if todo:
            _say(_estimate([llm._question(line.asked).first_body() for line in todo]))
        return 0
    progress = _Progress(len(lines), len(lines) - len(todo))
    refusals: list[OpenRouterError] = []

    def landed(answer: Completion | Exception) -> None:
        progress.count(answer)
        if isinstance(
            answer, (AuthenticationError, InsufficientCreditsError, BudgetError)
        ):  # all others would fail too
            refusals.append(answer)
            many.stop()

    questions = ({**line.asked, "action_id": f"batch-{line.key}"} for line in todo)
    many = llm._prompt_map(questions, 8 if options.concurrency is None else options.concurrency, {}, landed)
    results, written = many.results(), 0
    try:
        for line in lines:
            if line.key in known:
                progress.write({**_batch_cells(line, known[line.key], options.save), "reused": True})
                continue
            answer = next(results, None)
            if answer is not None and answer not in refusals:
                progress.write(_batch_cells(line, answer, options.save))
                written += 1
        if refusals:
            raise refusals[0]
    except BaseException as error:
        results.close()
        for number, answer in many.done_behind():  # paid for, but not printed yet
            with contextlib.suppress(OSError):
                progress.write(_batch_cells(todo[number], answer, options.save))
                written += 1
        if not isinstance(error, BrokenPipeError):  # `| head` has enough
            left = len(todo) - written
            again = "asks only for these" if log_path(llm.config.log) else "asks all lines again, since there is no log"
            progress.end(f"stopped, {_counted(left, 'line')} left: the same command {again}")
        raise
    progress.end("done")
    return EXIT_OTHER_ERROR if progress.failures else 0


# Views.


def _report_key(llm: Llm, report: Callable[[str, str], None]) -> None:
    """Report what GET /key says, as (name, text); the key itself is not shown."""

    def money(value: object) -> str:
        number = _amount(value)
        return "?" if number is None else f"${number_text(float(number))}"

    about = llm.key()
    key, limit, left = llm.config.api_key or "", about.get("limit"), about.get("limit_remaining")
    mask = f"{'sk-or-' if key.startswith('sk-or-') else ''}...{key[-4:]}" if len(key) >= 20 else "(hidden)"
    report("key", f"{mask}, from {llm.config.key_source}")
    report("label", redact(_str(about.get("label")) or "-", key))
    resets = f", resets {about['limit_reset']}" if about.get("limit_reset") else ""
    report("limit", "none" if limit is None else f"{money(limit)}{resets}")
    report(
        "left", "the key has no limit; this does not show the balance of the account" if left is None else money(left)
    )
    periods = (("daily", "today"), ("weekly", "this week"), ("monthly", "this month"))
    used = [f"{money(about.get(f'usage_{period}'))} {name}" for period, name in periods]
    report("used", ", ".join([*used, f"{money(about.get('usage'))} in all"]))
    free = _dict(about.get("free_model_daily_requests"))
    if free:
        counts = f"{free.get('remaining', '?')} of {free.get('limit', '?')}"
        report("free", f"{counts} requests to free models left today (UTC)")
    for budget in _dicts(about.get("budgets")):
        until = f", resets {budget['resets_at']}" if budget.get("resets_at") else ""
        text = f"{money(budget.get('remaining_usd'))} left of {money(budget.get('limit_usd'))}{until}"
        report(f"budget {_str(budget.get('scope')).replace('_', ' ')}".strip(), text)


def _print_as_data(options: Any, rows: Operations) -> bool:
    """Print rows as CSV or JSON lines if an option asks for it; return whether one does."""
    if options.csv:
        text = io.StringIO()
        rows.to_csv(text)
        _print(text.getvalue(), end="")
    elif options.json:
        for row in rows:
            _print(json.dumps(row, ensure_ascii=False))
    return bool(options.csv or options.json)


def _show_models(options: Any) -> int:
    words = " ".join([options.models, *options.prompt]).lower().split()
    if options.live:
        with Llm() as llm:
            found = llm.models(" ".join(words))
    else:
        found = [METADATA[name] for name in METADATA if all(word in name for word in words)]
    if not found:
        near = METADATA.near("".join(words), 5)
        _say(f"no model matches {' '.join(words)!r}" + (f"; similar: {', '.join(near)}" if near else ""))
        return EXIT_NOT_FOUND
    if _print_as_data(options, Operations(map(dataclasses.asdict, found))):
        return 0
    columns = ["model", "in $/M", "out $/M", "context", "max out", "input", "tools"]
    cells = operator.attrgetter("id", "pricing.input", "pricing.output", "context_length", "max_completion_tokens")
    tools = {True: "yes", False: "no", None: "?"}
    rows = [[*cells(m), ",".join(m.input_modalities), tools[m.tools]] for m in found]
    _print(format_table(columns, rows, _width(sys.stdout)))
    as_of = "live" if options.live else f"as of {METADATA.as_of}; --live shows the current ones"
    _say(f"{_counted(len(found), 'model')}; prices in USD per million tokens, {as_of}")
    return 0


def _local_time(row: Row, form: str) -> str:
    from datetime import datetime

    return datetime.fromisoformat(row["timestamp"]).astimezone().strftime(form)


def _show_operation(row: Row) -> None:
    """Print one operation in full."""
    completion = dataclasses.replace(
        completion_of(row), latency_ms=row["latency_ms"], first_token_ms=row["first_token_ms"]
    )
    about = {
        "operation": row["operation_id"],
        "generation": row["generation_id"],
        "conversation": row["session_id"],
        "action": row["action_id"],
        "time": _local_time(row, "%Y-%m-%d %H:%M:%S %z"),
        "status": f"{row['status']}" + (f" ({row['finish_reason']})" if row["finish_reason"] else ""),
        **_usage_facts(completion),
        "attempts": row["attempts"],
        "options": row["completion_args"],
    }
    for name, value in about.items():
        if value is not None:
            _print(f"{name:12} {value}")
    for attempt in _list(_dict(decode_json(row["extras"] or "{}")).get("attempts")):
        _print(f"{'failed':12} {json.dumps(attempt, ensure_ascii=False)}")
    calls = "\n".join(f"{call.name}({call.arguments})" for call in completion.tool_calls)
    texts = {"system": row["system_prompt"], "question": row["user_prompt"], "answer": row["response"],
             "calls": calls, "error": row["error_message"]}  # fmt: skip
    for name, text in texts.items():
        if text:
            _print(f"\n{name}:\n{text}")


def _show_operations(rows: Operations) -> None:
    """Print numbers, question and answer of each row: two lines on a terminal, one in a pipe."""
    width = _width(sys.stdout)
    for row in rows:
        cost = "-" if row["cost"] is None else f"${number_text(row['cost'])}"
        seconds = "-" if row["latency_ms"] is None else f"{row['latency_ms'] / 1000:.1f} s"
        numbers = [row["status"], f"{number_text(row['total_tokens'])} tok", cost, seconds, str(row["model"] or "-")]
        head = "  ".join([row["operation_id"][-8 if width else 0 :], _local_time(row, "%m-%d %H:%M"), *numbers])
        texts = (row["user_prompt"], row["response"] or row["error_message"])
        question, answer = (" ".join(re.sub(_UNPRINTABLE, " ", str(text or "-")).split()) for text in texts)
        if width:
            _print(fitted(head, width) + "\n" + fitted(f"  {fitted(question, width // 2)} -> {answer}", width))
        else:
            _print(f"{head}  {question} -> {answer}")


def _show_log(options: Any) -> int:
    words = " ".join(filter(None, [options.log, *options.prompt]))
    rows = Operations()
    if words and not re.search(r"\s|^[0-9]{1,5}$", words):  # it may be an id, or the end of one
        sql = (
            f"SELECT {', '.join(LOG_COLUMNS)} FROM operations WHERE ? IN (operation_id, generation_id, session_id)"
            " OR substr(operation_id, -?) = ? ORDER BY operation_id DESC LIMIT 1"
        )
        rows = LlmOperationCollector.query(sql, [words, max(len(words), 6), words], path=options.db)
    has_id = bool(rows)
    if not has_id:
        count = int(words) if re.fullmatch(r"[0-9]{1,9}", words) else None
        search = words if words and count is None else None
        limit = 10 if not words and not options.since else count
        rows = LlmOperationCollector.from_db(
            options.db, limit=limit, search=search, since=options.since, model=options.model
        )
    if options.extract:
        return _print_code((rows[0]["response"] or "") if rows else "")
    if _print_as_data(options, rows):
        pass
    elif has_id:
        _show_operation(rows[0])
    else:
        _show_operations(rows)
    names = ", ".join(log_paths(options.db)) or "off"
    _say(f"{_counted(len(rows), 'operation')}; --log ID shows one in full; log: {names}")
    return 0


# Columns of totals() and their heads.
_COSTS_COLUMNS = {"cost": "USD", "calls": "calls", "errors": "errors", "unpriced": "unpriced", "input_tokens": "in",
                  "output_tokens": "out", "cached_tokens": "cached", "p50_ms": "p50 ms", "p95_ms": "p95 ms",
                  "first_p50_ms": "first ms", "tokens_per_s": "tok/s"}  # fmt: skip


def _show_costs(options: Any) -> int:
    names = [name.strip() for name in options.costs.split(",")]
    names = ["upstream_provider" if name == "provider" else name for name in names]
    period: Json = {"since": options.since, "path": options.db}
    if options.reconcile:
        with Llm(log=options.db) as llm:
            count = LlmOperationCollector.reconcile(llm, **period)
        _say(f"{_counted(count, 'unknown cost')} found")
    totals = LlmOperationCollector.totals(names, **period)
    if _print_as_data(options, totals):
        return 0
    calls, unpriced, spent = (sum(row[name] or 0 for row in totals) for name in ("calls", "unpriced", "cost"))
    heads = {**{name: name for name in names}, **_COSTS_COLUMNS}
    if not unpriced:
        del heads["unpriced"]
    rows = [[row[name] for name in heads] for row in totals]
    width = _width(sys.stdout)
    if width:
        heads["bar"] = ""
        most = max((row["cost"] or 0 for row in totals), default=0)
        rows = [[*cells, _bar(row["cost"] or 0, most)] for cells, row in zip(rows, totals)]
    _print(format_table(list(heads.values()), rows, width))
    note = f"total ${number_text(float(spent))} in {_counted(calls, 'call')}"
    if unpriced:
        note += f", without {unpriced} of unknown cost"
    by_provider = LlmOperationCollector.totals("upstream_provider", **period)
    mocked = sum(row["cost"] or 0 for row in by_provider if row["upstream_provider"] == MOCK_PROVIDER)
    if mocked:
        note += f"; ${number_text(mocked)} of it from the mock server, which bills nothing"
    _say(note)
    return 0


def _report_cas(report: Callable[[str, str], None]) -> None:
    """Report which CA certificates are trusted; raise ConfigError if there are none."""
    import ssl

    report("python", f"{sys.version.split()[0]} on {sys.platform}, {ssl.OPENSSL_VERSION}")
    report("CAs", "")
    paths, named = ssl.get_default_verify_paths(), os.environ.get("SSL_CERT_FILE")
    places = named or paths.openssl_cafile, os.environ.get("SSL_CERT_DIR") or paths.openssl_capath
    found = [place for place in places if place and os.path.exists(place)]
    hint = "set SSL_CERT_FILE to a file of CA certificates"
    if not found or named and named not in found:
        raise ConfigError(f"{places[0]} is not there", hint=hint)
    try:
        ssl.create_default_context(cafile=named)
    except OSError as error:  # SSLError is one
        raise ConfigError(f"{named} holds no CA certificates: {error}", hint=hint) from None
    report("CAs", f"{' and '.join(found)} ({'SSL_CERT_FILE' if named else 'the default of OpenSSL'})")


def _report_log(path: str, report: Callable[[str, str], None]) -> None:
    """Report place and size of a log; raise ConfigError if it can't be read or written."""
    rows = LlmOperationCollector.query("SELECT count(*) AS n FROM operations", path=path)
    place = path
    while not os.path.exists(place):
        place = os.path.dirname(place)
    if not os.access(place, os.W_OK) or place != path and not os.path.isdir(place):
        raise ConfigError(f"{path} can't be written", hint=f"name another file with --db or {LOG_ENV}")
    size = os.path.getsize(path) if place == path else 0
    report("log", f"{path}: {rows[0]['n'] if rows else 0:,} operations, {size:,} bytes, writable")


def _check(llm: Llm) -> int:
    """Print a line for each step that a call needs: ok, FAIL with reason and fix, or - if it was not tried."""
    config, path = llm.config, log_path(llm.config.log)
    failures: list[OpenRouterError] = []
    current, began = "", 0.0  # the step that is being tried, and since when

    def report(step: str, result: str) -> None:
        nonlocal current, began
        if not result:
            current, began = step, time.monotonic()
            return
        took = f" ({(time.monotonic() - began) * 1000:.0f} ms)" if began else ""
        _print(f"{'ok':5} {step:8} {result}{took}")
        began = 0.0

    def ask(report: Callable[[str, str], None]) -> None:
        answer = "answers"
        report("HTTP", "")
        try:
            llm.request("GET", "/models/count")
        except APIStatusError as error:
            answer = f"answers with status {error.status}"
        report("HTTP", f"{config.base_url} {answer}")

    prices = f"of {METADATA.as_of}, {len(METADATA)} models; --models --live shows the current ones"
    no_key = f"there is none: make one at {KEYS_URL}, then set {KEY_ENV}"
    steps: list[tuple[str, Callable[[Callable[[str, str], None]], None], str]] = [
        ("python", _report_cas, ""),
        ("proxy", functools.partial(llm._session.transport.probe, config), ""),
        ("HTTP", ask, ""),
        ("key", functools.partial(_report_key, llm), "" if config.api_key else no_key),
        ("log", functools.partial(_report_log, path or ""), "" if path else "it is switched off"),
        ("prices", lambda report: report("prices", prices), ""),
    ]
    for step, run, missing in steps:
        reason = missing or (failures and step in ("HTTP", "key") and "not tried, because a step before it failed")
        if reason:
            _print(f"{'-':5} {step:8} {reason}")
            continue
        current, began = step, 0.0
        try:
            run(report)
        except OpenRouterError as error:
            failures.append(error)
            _print(f"{'FAIL':5} {current:8} {error.message}\n{'':15}{error.hint}")
    return _exit_code(failures[0]) if failures else 0


# The way through.


def _with_client(options: Any, mode: str, settings: Json) -> int:
    path = log_path(settings.get("log"))
    is_new_log = path is not None and not os.path.exists(path)
    if options.save:  # check it before anything is paid for
        with contextlib.suppress(OSError):
            os.makedirs(options.save, exist_ok=True)
        if not os.path.isdir(options.save) or not os.access(options.save, os.W_OK):
            raise ConfigError(f"--save {options.save} can't be written", hint="name another folder")
    history: list[Json] = []
    if options.goes_on or options.conversation:
        history, settings = _earlier(options, settings)
    elif mode == "chat":
        settings["session_id"] = new_operation_id()
    if options.dry_run:
        settings["api_key"] = "none"  # nothing is sent
    try:
        with Llm(**settings) as llm:
            if mode == "check":
                return _check(llm)
            require_key(llm.config)
            if mode == "key":
                _report_key(llm, lambda name, text: _print(f"{name:6} {text}"))
                return 0
            if mode == "batch":
                return _batch(options, llm)
            return _Talk(options, llm, history).run() if mode == "chat" else _ask(options, llm, history)
    finally:
        if is_new_log and path and os.path.exists(path):
            _say(f"note: operations are logged in {path} (switch off: --no-log, or {LOG_ENV}=off)")


def _run(options: Any) -> int:
    mode = _check_options(options)
    if len(options.db) < 2:  # else a view reads several logs
        options.db = options.db[0] if options.db else None
    if mode in ("models", "log", "costs"):
        return {"models": _show_models, "log": _show_log, "costs": _show_costs}[mode](options)
    if mode == "report":
        count = LlmOperationCollector.report(options.report, since=options.since, path=options.db)
        _say(f"{_counted(count, 'operation')} in {options.report}")
        return 0
    if mode == "purge":
        count = LlmOperationCollector.purge(before=options.purge, path=options.db)
        moment = options.purge if isinstance(options.purge, str) else options.purge.astimezone()
        _print(f"deleted {_counted(count, 'operation')} from before {moment}")
        return 0

    def announce(seconds: float, reason: str) -> None:
        if seconds > 1 and mode != "batch":  # the many waits of a batch would hide its progress
            _say(f"waiting {seconds:.0f} s: {reason}")

    ON_WAIT.set(announce)
    settings = _settings(options)
    if not options.mock:
        return _with_client(options, mode, settings)
    with MockOpenRouter(delay=0.02) as mock:
        return _with_client(options, mode, {**settings, "base_url": mock.url, "api_key": "mock"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; the streams of the caller are not closed or replaced."""
    import warnings

    with _utf8_streams(), warnings.catch_warnings():
        # Users of a command don't need the file name and line of a warning.
        warnings.showwarning = lambda message, *about, **more: _say(f"note: {message}")
        try:
            words = list(sys.argv[1:] if argv is None else argv)
            at = words.index("--") if "--" in words else len(words)  # argparse would also read options after it
            options = _argument_parser().parse_intermixed_args(words[:at])
            options.prompt += words[at + 1 :]
            code = contextvars.copy_context().run(_run, options)
            sys.stdout.flush()
            return code
        except SystemExit as stop:  # argparse has printed the reason
            return stop.code if isinstance(stop.code, int) else EXIT_USAGE
        except OpenRouterError as error:
            _say_error(error)
            return _exit_code(error)
        except KeyboardInterrupt:
            _say("interrupted")
            return EXIT_INTERRUPTED
        except OSError as error:
            is_pipe = isinstance(error, BrokenPipeError)  # `| head` has enough; else the disk may be full
            if not is_pipe:
                _say(f"error: {error}")
            if argv is None:  # the interpreter flushes stdout again at its end, so send the rest to nowhere
                try:
                    sys.stdout.flush()
                except (OSError, ValueError):
                    with contextlib.suppress(OSError, ValueError):
                        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0 if is_pipe else EXIT_OTHER_ERROR


# --- Price table ----------------------------------------------------------------------------
# Text, because a dict of this size would take 9 ms to import without a .pyc. Each row is parsed at its first use:
# id input output cache_read cache_write context max_out modalities tools. Prices are USD per million tokens, "-"
# means unknown; rows are sorted by id. `.ci/prices.py` makes the table from the live GET /models; models that the
# README and the tests use keep their last row.

PRICES_AS_OF = "2026-11-23"

PRICE_ROWS = """
aion-labs/aion-2.0 0.8 1.6 0.2 - 131072 32768 text 1
aion-labs/aion-3.0 3 6 0.75 - 131072 32768 text 1
aion-labs/aion-3.0-mini 0.7 1.4 0.18 - 131072 32768 text 1
aion-labs/aion-3.5 3 6 0.75 - 262144 32768 text 1
aion-labs/aion-3.5-mini 0.7 1.4 0.18 - 262144 32768 text 1
aion-labs/aion-rp-llama-3.1-8b 0.8 1.6 - - 32768 29491 text 0
amazon/nova-2-lite-v1 0.3 2.5 - - 1000000 65535 text,image,file,video 1
amazon/nova-lite-v1 0.06 0.24 - - 300000 5120 text,image 1
amazon/nova-micro-v1 0.035 0.14 - - 128000 5120 text 1
amazon/nova-premier-v1 2.5 12.5 0.625 - 1000000 32000 text,image 1
amazon/nova-pro-v1 0.8 3.2 - - 300000 5120 text,image 1
anthracite-org/magnum-v4-72b 2.5 5 - - 32768 4096 text 0
anthropic/claude-2 8 24 - - 200000 4096 text 0
anthropic/claude-3-haiku 0.25 1.25 0.03 0.3 200000 4096 text,image 1
anthropic/claude-3-opus 15 75 1.5 18.75 200000 4096 text,image 1
anthropic/claude-fable-5 10 50 1 12.5 1000000 128000 text,image,file 1
anthropic/claude-fable-5.1 10 50 0.25 12.5 1000000 128000 text,image,file 1
anthropic/claude-haiku-4.5 1 5 0.1 1.25 200000 64000 text,image,file 1
anthropic/claude-haiku-5.5 0.1 0.5 0.01 0.125 1000000 128000 text,image,file 1
anthropic/claude-opus-4 15 75 1.5 18.75 200000 32000 text,image,file 1
anthropic/claude-opus-4.1 15 75 1.5 18.75 200000 32000 text,image,file 1
anthropic/claude-opus-4.5 5 25 0.5 6.25 200000 64000 text,image,file 1
anthropic/claude-opus-4.6 5 25 0.5 6.25 1000000 128000 text,image,file 1
anthropic/claude-opus-4.7 5 25 0.5 6.25 1000000 128000 text,image,file 1
anthropic/claude-opus-4.8 5 25 0.5 6.25 1000000 128000 text,image,file 1
anthropic/claude-opus-5 5 25 0.5 6.25 1000000 128000 text,image,file 1
anthropic/claude-opus-5.5 4 20 0.2 5 1000000 128000 text,image,file 1
anthropic/claude-sonnet-4 3 15 0.3 3.75 200000 64000 text,image,file 1
anthropic/claude-sonnet-4.5 3 15 0.3 3.75 1000000 64000 text,image,file 1
anthropic/claude-sonnet-4.6 3 15 0.3 3.75 1000000 128000 text,image,file 1
anthropic/claude-sonnet-5 2 10 0.2 2.5 1000000 128000 text,image,file 1
anthropic/claude-sonnet-5.5 2 10 0.1 2.5 1000000 128000 text,image,file 1
apodex/apodex-1.1-mini:free 0 0 - - 262144 235929 text 1
arcee-ai/trinity-large-thinking 0.25 0.8 0.06 - 262144 80000 text 1
baidu/ernie-4.5-vl-424b-a47b 0.42 1.25 - - 123000 16000 text,image 0
bytedance-seed/seed-1.6 0.25 2 - - 262144 32768 text,image,video 1
bytedance-seed/seed-1.6-flash 0.075 0.3 - - 262144 32768 text,image,video 1
bytedance-seed/seed-2-1-turbo 0.5 2.5 - - 262144 235929 text,image,video 1
bytedance-seed/seed-2.0-code 0.5 3 - - 262144 131072 text,image,video 1
bytedance-seed/seed-2.0-lite 0.25 2 - - 262144 131072 text,image,video 1
bytedance-seed/seed-2.0-mini 0.1 0.4 - - 262144 131072 text,image,video 1
bytedance/ui-tars-1.5-7b 0.1 0.2 0.1 - 128000 2048 text,image 0
cloudflare/clef 0.24 0 - - 65536 - - -
cloudflare/clef-flash 0.09 0 - - 65536 - - -
cognitivecomputations/dolphin-mistral-24b-venice-edition 0.2 0.9 - - 128000 8192 text 0
cohere/command-a 2.5 10 - - 256000 8192 text 0
cohere/command-a-plus 0.3 1.5 0.15 - 192000 64000 text,image 1
cohere/command-r-08-2024 0.15 0.6 - - 128000 4000 text 1
cohere/command-r-plus-08-2024 2.5 10 - - 128000 4000 text 1
cohere/command-r7b-12-2024 0.0375 0.15 - - 128000 4000 text 0
cohere/north-mini-code:free 0 0 - - 256000 64000 text 1
deepseek/deepseek-chat 0.2574 1.0287 - - 163840 16384 text 1
deepseek/deepseek-chat-v3-0324 0.25 1 0.11 - 163840 115200 text 1
deepseek/deepseek-chat-v3.1 0.27 1 - - 163840 32768 text 1
deepseek/deepseek-r1 0.7 2.5 0.14 - 64000 16000 text 1
deepseek/deepseek-r1-0528 0.5 2.15 0.35 - 163840 32768 text 1
deepseek/deepseek-r1-distill-llama-70b 0.8 0.8 - - 8192 7372 text 0
deepseek/deepseek-v3.1-terminus 0.27 1 0.135 - 163840 147456 text 1
deepseek/deepseek-v3.2 0.26 0.38 0.13 - 163840 147456 text 1
deepseek/deepseek-v3.2-exp 0.27 0.41 - - 163840 147456 text 1
deepseek/deepseek-v4-flash 0.105 0.21 0.021 - 1048576 943718 text 1
deepseek/deepseek-v4-flash-0731 0.14 0.28 0.05 - 1048576 943718 text 1
deepseek/deepseek-v4-flash-0731:free 0 0 - - 1048576 393216 text 1
deepseek/deepseek-v4-flash-vision-exp 0.2156 0.6468 0.00686 - 1048576 262144 text,image 1
deepseek/deepseek-v4-pro 1.416 2.832 0.118 - 1048576 384000 text 1
deepseek/deepseek-v4-pro-0813 0.66 1.98 0.022 - 1048576 393216 text 1
deepseek/deepseek-v4.1-flash 0.21 0.84 0.0042 - 1048576 943718 text,image 1
dots-studio/dots-3-note-preview:free 0 0 - - 512000 460800 text,image 1
elorian/glimpse 0.6 3 0.06 - 262144 - - -
fireworks/ember-1 3 15 0.3 - 1048576 943718 text,image 1
google/gemini-2.5-flash 0.3 2.5 0.03 0.083333 1048576 65535 text,image,file,audio,video 1
google/gemini-2.5-flash-image 0.3 2.5 0.03 0.083333 32768 8192 text,image 0
google/gemini-2.5-flash-lite 0.1 0.4 0.01 0.083333 1048576 65535 text,image,file,audio,video 1
google/gemini-2.5-pro 1.25 10 0.125 0.375 1048576 65536 text,image,file,audio,video 1
google/gemini-2.5-pro-preview 1.25 10 0.125 0.375 1048576 65536 text,image,file,audio 1
google/gemini-2.5-pro-preview-05-06 1.25 10 0.125 0.375 1048576 65535 text,image,file,audio,video 1
google/gemini-3-flash-preview 0.5 3 0.05 0.083333 1048576 65536 text,image,file,audio,video 1
google/gemini-3-pro-image 2 12 0.2 0.375 131072 32768 text,image 1
google/gemini-3-pro-image-preview 2 12 0.2 0.375 65536 32768 text,image 0
google/gemini-3.1-flash-image 0.5 3 - - 131072 32768 text,image 0
google/gemini-3.1-flash-image-preview 0.5 3 - - 65536 58982 text,image 0
google/gemini-3.1-flash-lite 0.25 1.5 0.025 0.083333 1048576 65536 text,image,file,audio,video 1
google/gemini-3.1-flash-lite-image 0.25 1.5 - - 65536 58982 text,image 0
google/gemini-3.1-flash-lite-preview 0.25 1.5 0.025 0.083333 1048576 65536 text,image,file,audio,video 1
google/gemini-3.1-pro-preview 2 12 0.2 0.375 1048576 65536 text,image,file,audio,video 1
google/gemini-3.1-pro-preview-customtools 2 12 0.2 0.375 1048576 65536 text,image,file,audio,video 1
google/gemini-3.5-flash 1.5 9 0.15 0.083333 1048576 65536 text,image,file,audio,video 1
google/gemini-3.5-flash-lite 0.3 2.5 0.03 0.083333 1048576 65536 text,image,file,audio,video 1
google/gemini-3.6-flash 0.75 3.75 0.075 0.041667 1048576 65536 text,image,file,audio,video 1
google/gemini-3.7-flash 0.75 3.75 0.075 0.041667 1048576 65536 text,image,file,audio,video 1
google/gemini-3.8-flash 0.75 3.75 0.075 0.041667 1048576 65536 text,image,file,audio,video 1
google/gemini-4-argon 2 10 0.1 0.1875 1048576 - - -
google/gemini-nano-banana-2.1 1.5 7.5 - - 65536 58982 text,image 1
google/gemini-omni-1.1-flash 1.5 9 - - 131072 - - -
google/gemini-omni-1.2-flash 1.5 9 - - 131072 - - -
google/gemini-pro 0.5 1.5 - - 32760 - - -
google/gemma-2-27b-it 0.65 0.65 - - 8192 2048 text 0
google/gemma-3-12b-it 0.05 0.15 - - 131072 16384 text,image 1
google/gemma-3-27b-it 0.08 0.35 0.04 - 131072 117964 text,image 1
google/gemma-3-4b-it 0.04 0.05 0.02 - 131072 16384 text,image 0
google/gemma-4-26b-a4b-it 0.15 0.6 0.0425 - 262144 235929 text,image,video 1
google/gemma-4-26b-a4b-it:free 0 0 - - 262144 32768 text,image,video 1
google/gemma-4-31b-it 0.15 0.4 0.06 - 262144 16384 text,image,video 1
google/gemma-4-31b-it:free 0 0 - - 262144 32768 text,image,video 1
gryphe/mythomax-l2-13b 0.08 0.11 - - 8192 3686 text 0
ibm-granite/granite-4.0-h-micro 0.017 0.112 - - 131000 117900 text 0
ibm-granite/granite-4.1-8b 0.05 0.1 0.05 - 131072 131072 text 1
ibm-granite/granite-4.2-8b 0.06 0.15 0.015 - 131072 117964 text 1
inception/mercury-2 0.25 0.75 0.025 - 128000 50000 text 1
inception/mercury-2.5 0.04 0.15 0.004 - 260000 65536 text 1
inception/mercury-2.5-preview 0.04 0.15 - - 260000 65536 text -
inception/mercury-3 0.1 0.35 0.01 - 1000000 - - -
inclusionai/ling-3.0-flash 0.021 0.063 0.0042 - 262144 32768 text 1
inclusionai/ling-3.0-flash-fin 0.042 0.1232 0.0084 - 262144 32768 text 1
inclusionai/ling-3.0-flash-fin:free 0 0 - - 262144 32768 text 1
inclusionai/ling-3.0-flash-sante 0.042 0.1232 0.0084 - 262144 32768 text 1
inclusionai/ling-3.0-flash-sante:free 0 0 - - 262144 32768 text 1
inclusionai/ling-3.0-flash-vl 0.06 0.18 0.012 - 131072 32768 text,image,video 1
inclusionai/ling-3.0-flash-vl:free 0 0 - - 262144 32768 text,image 1
inclusionai/ling-3.0-tiny 0.015 0.045 0.003 - 262144 - text -
inclusionai/ling-3.1-flash 0.045 0.135 0.009 - 262144 32768 text 1
inference-net/schematron-v2-small 0.05 0.23 0.05 - 128000 4096 text 0
inference-net/schematron-v2-turbo 0.03 0.15 0.03 - 128000 8192 text 0
kwaipilot/kat-coder-pro-v2 0.3 1.2 0.06 - 262144 144000 text 1
kwaipilot/kat-coder-pro-v2.5 0.74 2.96 0.15 - 262144 235929 text 1
liquid/lfm-2.5-2.6b 0.35 0.5 0.04 - 128000 - - -
liquid/lfm-2.5-2.6b:free 0 0 - - 65536 8192 text 1
liquid/lfm-2.5-24b-a2b 0.05 0.7 0.025 - 128000 - - -
liquid/lfm-3-1.7b 0.08 0.2 0.02 - 262144 - - -
liquid/lfm-3-1.7b:free 0 0 - - 262144 - - -
mancer/weaver 0.4 0.75 - - 8000 6000 text 0
meituan/longcat-2.0 0.3 1.2 0.006 - 1048756 262144 text 1
meta-llama/llama-2-13b-chat 0.22 0.22 - - 4096 - text 0
meta-llama/llama-3.1-70b-instruct 0.72 0.72 - - 131072 16384 text 1
meta-llama/llama-3.1-8b-instruct 0.05 0.08 0.025 - 131072 117964 text 1
meta-llama/llama-3.2-1b-instruct 0.027 0.201 - - 60000 54000 text 0
meta-llama/llama-3.2-3b-instruct 0.0509 0.335 - - 131072 117964 text 0
meta-llama/llama-3.3-70b-instruct 0.59 0.79 0.295 - 131072 16384 text 1
meta-llama/llama-4-maverick 0.35 1 0.17 - 1048576 16384 text,image 1
meta-llama/llama-4-scout 0.1 0.3 - - 1310720 16384 text,image 1
meta-llama/llama-guard-4-12b 0.18 0.18 - - 163840 16384 text,image 0
meta/muse-glimmer-30b 0.3 1.2 0.04 - 131072 16384 text,image 1
meta/muse-spark-1.1 1.25 4.25 0.15 - 1048576 943718 text,image,file,audio,video 1
meta/muse-spark-1.2 1.25 4.25 0.15 - 1048576 943718 text,image,file,audio,video 1
meta/muse-spark-1.2-contributor 0.1 0.2 0.002 - 1048576 943718 text,image,file,video 1
meta/muse-spark-1.3 1.25 4.25 0.15 - 1048576 943718 text,image,file,video 1
meta/muse-spark-1.3-contributor 0.1 0.2 0.002 - 1048576 943718 text,image,file,video 1
meta/muse-spark-open 1.25 4.25 0.15 - 1048576 - - -
meta/muse-wonder 4 20 0.2 - 1048576 - - -
microsoft/phi-4 0.07 0.14 - - 16384 14745 text 0
microsoft/wizardlm-2-8x22b 0.62 0.62 - - 65535 8000 text 0
minimax/minimax-01 0.2 1.1 - - 1000192 900172 text,image 0
minimax/minimax-m1 0.55 2.2 - - 1000000 40000 text 1
minimax/minimax-m2 0.255 1.02 0.03 - 204800 176947 text 1
minimax/minimax-m2-her 0.3 1.2 0.03 - 65536 2048 text 0
minimax/minimax-m2.1 0.3 1.2 0.03 0 204800 131072 text 1
minimax/minimax-m2.5 0.295 1.2 0.06 - 204800 128000 text 1
minimax/minimax-m2.7 0.27 1.08 0.054 - 204800 176947 text 1
minimax/minimax-m2.7:free 0 0 - - 196608 176947 text 1
minimax/minimax-m3 0.3 1.2 0.06 - 1048576 512000 text,image,video 1
minimax/minimax-m3.1-flash:free 0 0 - - 1000000 - - -
minimax/minimax-m3:free 0 0 - - 1048576 943718 text,image,video 1
mistralai/codestral-2508 0.3 0.9 0.03 - 256000 204800 text,file 1
mistralai/devstral-2512 0.4 2 0.04 - 262144 209715 text,file 1
mistralai/ministral-14b-2512 0.2 0.2 0.02 - 262144 209715 text,image 1
mistralai/ministral-3b-2512 0.1 0.1 0.01 - 131072 104857 text,image 1
mistralai/ministral-8b-2512 0.15 0.15 0.015 - 262144 209715 text,image 1
mistralai/mistral-large 2 6 0.2 - 128000 102400 text,file 1
mistralai/mistral-large-2407 2 6 0.2 - 131072 104857 text,file 1
mistralai/mistral-large-2512 0.5 1.5 0.05 - 262144 209715 text,image,file 1
mistralai/mistral-large-4-0 0.7 2.1 0.07 - 1048576 262144 text,image 1
mistralai/mistral-medium 2.75 8.1 - - 32768 - text 1
mistralai/mistral-medium-3 0.4 2 0.04 - 131072 104857 text,image,file 1
mistralai/mistral-medium-3-5 1.5 7.5 - - 262144 209715 text,image,file 1
mistralai/mistral-medium-3.1 0.4 2 0.04 - 131072 104857 text,image,file 1
mistralai/mistral-nemo 0.15 0.15 0.015 - 131072 16384 text 1
mistralai/mistral-saba 0.2 0.6 0.02 - 32768 26214 text,file 1
mistralai/mistral-small-24b-instruct-2501 0.05 0.08 - - 32768 16384 text 0
mistralai/mistral-small-2603 0.15 0.6 0.015 - 262144 209715 text,image 1
mistralai/mistral-small-3.1-24b-instruct 0.351 0.555 - - 128000 102400 text,image 1
mistralai/mistral-small-3.2-24b-instruct 0.1 0.3 0.01 - 256000 16384 text,image 1
mistralai/mistral-tiny 0.25 0.25 - - 32768 - text 1
mistralai/mixtral-8x22b-instruct 2 6 0.2 - 65536 52428 text,file 1
mistralai/voxtral-small-24b-2507 0.1 0.3 0.01 - 32768 26214 text,file,audio 1
moondream/moondream3-preview 0.3 2.5 - - 32000 - - -
moondream/moondream3.1-9b-a2b 0.3 2.5 - - 32000 - - -
moonshotai/kimi-k2 0.57 2.3 - - 131072 98304 text 1
moonshotai/kimi-k2-0905 0.6 2.5 - - 262144 98304 text 1
moonshotai/kimi-k2-thinking 0.6 2.5 0.15 - 262144 98304 text 1
moonshotai/kimi-k2.5 0.532 3.325 0.209 - 262144 235929 text,image 1
moonshotai/kimi-k2.6 0.95 4 0.16 - 262144 235929 text,image 1
moonshotai/kimi-k2.7-code 0.95 4 0.19 - 262144 235929 text,image 1
moonshotai/kimi-k3 3 15 0.3 - 1048576 943718 text,image 1
moonshotai/kimi-k3.1-pro 2 10 0.2 - 1048576 - - -
morph/morph-v3-fast 0.8 1.2 - - 81920 38000 text 0
morph/morph-v3-large 0.9 1.9 - - 262144 131072 text 0
nex-agi/nex-n2-mini 0.025 0.1 0.0025 - 262144 262144 text,image 1
nex-agi/nex-n2-pro 0.25 1 0.025 - 262144 262144 text,image 1
nex-agi/nex-n2.5-mini 0.025 0.1 0.0025 - 262144 235929 text,image 0
nex-agi/nex-n2.5-mini:free 0 0 - - 262144 235929 text,image 1
nex-agi/nex-n2.5-pro 0.075 0.25 0.015 - 262144 235929 text,image 1
nex-agi/nex-n2.5-pro:free 0 0 - - 262144 235929 text,image 1
nousresearch/hermes-3-llama-3.1-405b 1 1 - - 131072 16384 text 0
nousresearch/hermes-3-llama-3.1-70b 0.7 0.7 - - 131072 16384 text 0
nousresearch/hermes-4-405b 1 3 0.2 - 131072 117964 text 0
nousresearch/hermes-4-70b 0.13 0.4 - - 131072 117964 text 0
nvidia/nemotron-3-nano-30b-a3b 0.06 0.24 0.012 - 262144 235929 text 1
nvidia/nemotron-3-nano-omni-30b-a3b-reasoning:free 0 0 - - 256000 65536 text,image,audio,video 1
nvidia/nemotron-3-super-120b-a12b 0.08 0.45 - - 262144 235929 text 1
nvidia/nemotron-3-super-120b-a12b:free 0 0 - - 262144 235929 text 1
nvidia/nemotron-3-ultra-550b-a55b 0.6 2.4 0.12 - 262144 16384 text 1
nvidia/nemotron-3-ultra-550b-a55b:free 0 0 - - 1000000 65536 text 1
nvidia/nemotron-3.5-content-safety 0.2 0.2 - - 131072 117964 text,image 0
nvidia/nemotron-3.5-content-safety:free 0 0 - - 128000 8192 text,image 0
nvidia/nemotron-3.5-lightning 0.05 0.2 0.01 - 262144 131072 text 1
nvidia/nemotron-3.5-lightning:free 0 0 - - 1000000 65536 text 1
nvidia/nemotron-3.5-super-vl 0.15 0.5 0.02 - 1048576 - - -
nvidia/nemotron-3.5-super-vl:free 0 0 - - 1000000 - - -
openai/gpt-3.5-turbo 0.5 1.5 - - 16385 4096 text 1
openai/gpt-3.5-turbo-0613 1 2 - - 4095 3685 text 1
openai/gpt-3.5-turbo-16k 3 4 - - 16385 4096 text 1
openai/gpt-3.5-turbo-instruct 1.5 2 - - 4095 3685 text 0
openai/gpt-4 30 60 - - 8191 4096 text 1
openai/gpt-4-turbo 10 30 - - 128000 4096 text,image 1
openai/gpt-4-turbo-preview 10 30 - - 128000 4096 text 1
openai/gpt-4.1 2 8 0.5 - 1047576 32768 text,image,file 1
openai/gpt-4.1-mini 0.4 1.6 0.1 - 1047576 32768 text,image,file 1
openai/gpt-4.1-nano 0.1 0.4 0.03 - 1047576 32768 text,image,file 1
openai/gpt-4o 2.5 10 1.25 - 128000 16384 text,image,file 1
openai/gpt-4o-2024-05-13 5 15 - - 128000 4096 text,image,file 1
openai/gpt-4o-2024-08-06 2.5 10 1.25 - 128000 16384 text,image,file 1
openai/gpt-4o-2024-11-20 2.5 10 1.25 - 128000 16384 text,image,file 1
openai/gpt-4o-mini 0.15 0.6 0.075 - 128000 16384 text,image,file 1
openai/gpt-4o-mini-2024-07-18 0.15 0.6 0.075 - 128000 16384 text,image,file 1
openai/gpt-5 1.25 10 0.125 - 400000 128000 text,image,file 1
openai/gpt-5-image 10 10 1.25 - 400000 128000 text,image,file 0
openai/gpt-5-image-mini 2.5 2 0.25 - 400000 128000 text,image,file 0
openai/gpt-5-mini 0.25 2 0.025 - 400000 128000 text,image,file 1
openai/gpt-5-nano 0.05 0.4 0.005 - 400000 128000 text,image,file 1
openai/gpt-5-pro 15 120 - - 400000 128000 text,image,file 1
openai/gpt-5.1 1.25 10 0.125 - 400000 128000 text,image,file 1
openai/gpt-5.1-codex 1.25 10 0.13 - 400000 128000 text,image 1
openai/gpt-5.1-codex-max 1.25 10 0.125 - 400000 128000 text,image 1
openai/gpt-5.1-codex-mini 0.25 2 0.03 - 400000 128000 text,image 1
openai/gpt-5.2 1.75 14 0.175 - 400000 128000 text,image,file 1
openai/gpt-5.2-chat 1.75 14 0.175 - 128000 32000 text,image,file 1
openai/gpt-5.2-codex 1.75 14 0.175 - 400000 128000 text,image 1
openai/gpt-5.2-pro 21 168 - - 400000 128000 text,image,file 1
openai/gpt-5.3-codex 1.75 14 0.175 - 400000 128000 text,image,file 1
openai/gpt-5.4 2.5 15 0.25 - 1050000 128000 text,image,file 1
openai/gpt-5.4-image-2 8 15 2 - 272000 128000 text,image,file 0
openai/gpt-5.4-mini 0.75 4.5 0.075 - 400000 128000 text,image,file 1
openai/gpt-5.4-nano 0.2 1.25 0.02 - 400000 128000 text,image,file 1
openai/gpt-5.4-pro 30 180 - - 1050000 128000 text,image,file 1
openai/gpt-5.5 5 30 0.5 - 1050000 128000 text,image,file 1
openai/gpt-5.5-pro 30 180 - - 1050000 128000 text,image,file 1
openai/gpt-5.6-luna 0.2 1.2 0.02 0.25 1050000 128000 text,image,file 1
openai/gpt-5.6-luna-pro 0.2 1.2 0.02 0.25 1050000 128000 text,image,file 1
openai/gpt-5.6-sol 4 20 0.4 5 1050000 128000 text,image,file 1
openai/gpt-5.6-sol-pro 4 20 0.4 5 1050000 128000 text,image,file 1
openai/gpt-5.6-terra 2 12 0.2 2.5 1050000 128000 text,image,file 1
openai/gpt-5.6-terra-pro 2 12 0.2 2.5 1050000 128000 text,image,file 1
openai/gpt-6-astra 10 50 1 12.5 1050000 128000 text,image,file 1
openai/gpt-6-astra-pro 10 50 1 12.5 1050000 128000 text,image,file 1
openai/gpt-6-luna 0.1 0.5 0.01 0.125 1050000 128000 text,image,file 1
openai/gpt-6-luna-pro 0.1 0.5 0.01 0.125 1050000 128000 text,image,file 1
openai/gpt-6-sol 2 10 0.2 2.5 1050000 128000 text,image,file 1
openai/gpt-6-sol-pro 2 10 0.2 2.5 1050000 128000 text,image,file 1
openai/gpt-6.1-sol 2 10 0.1 2.5 1050000 128000 text,image,file 1
openai/gpt-6.1-sol-pro 2 10 0.1 2.5 1050000 128000 text,image,file 1
openai/gpt-6.1-terra 1 5 0.05 1.25 1050000 - - -
openai/gpt-audio 2.5 10 - - 128000 16384 text,audio 1
openai/gpt-audio-mini 0.6 2.4 - - 128000 16384 text,audio 1
openai/gpt-chat-latest 5 30 0.5 - 400000 128000 text,image,file 1
openai/gpt-oss-120b 0.1 0.5 - - 131072 117964 text 1
openai/gpt-oss-20b 0.03 0.14 0.009 - 131072 32768 text 1
openai/gpt-oss-safeguard-20b 0.075 0.3 0.0375 - 131072 65536 text 1
openai/o1 15 60 7.5 - 200000 100000 text,image,file 1
openai/o1-pro 150 600 - - 200000 100000 text,image,file 0
openai/o3 2 8 0.5 - 200000 100000 text,image,file 1
openai/o3-mini 1.1 4.4 0.55 - 200000 100000 text,file 1
openai/o3-mini-high 1.1 4.4 0.55 - 200000 100000 text,file 1
openai/o3-pro 20 80 - - 200000 100000 text,image,file 1
openai/o4-mini 1.1 4.4 0.275 - 200000 100000 text,image,file 1
openai/o4-mini-high 1.1 4.4 0.275 - 200000 100000 text,image,file 1
openrouter/auto - - - - 2000000 - text,image,file,audio,video 1
openrouter/auto-beta - - - - 2000000 - text,image,file,audio,video 1
openrouter/bodybuilder - - - - 128000 - text -
openrouter/free 0 0 - - 200000 8000 text,image 1
openrouter/fusion - - - - 1000000 - text -
openrouter/fusion-flash - - - - - - - -
openrouter/pareto-code - - - - 2000000 - text -
particle-ai/particle-1 0.05 0.5 0.003 - 1048576 - - -
perceptron/perceptron-mk1 0.15 1.5 - - 32768 8192 text,image,video 0
perceptron/perceptron-mk1.5 0.15 1.5 - - 36864 8192 text,image,audio,video 1
perplexity/pplx-decider-v1-27b 0.04 0 - - 262144 - - -
perplexity/pplx-decider-v1.1-27b 0.02 0 - - 262144 - - -
perplexity/sonar 1 1 - - 127072 114364 text,image 0
perplexity/sonar-deep-research 2 8 - - 128000 115200 text 0
perplexity/sonar-pro 3 15 - - 200000 8000 text,image 0
perplexity/sonar-pro-search 3 15 - - 200000 8000 text,image 0
perplexity/sonar-reasoning-pro 2 8 - - 128000 115200 text,image 0
poolside/laguna-s-2.1 0.09 0.18 0.009 - 1048576 131072 text 1
poolside/laguna-s-2.1:free 0 0 - - 262144 32768 text 1
poolside/laguna-xs-2.1 0.06 0.12 0.03 - 262144 32768 text 1
poolside/laguna-xs-2.1:free 0 0 - - 262144 32768 text 1
prism-ml/ternary-bonsai-2-27b 0.075 0.5 0.0375 - 262144 32768 text,image 1
prism-ml/ternary-bonsai-2-9b 0.08 0.13 0.04 - 262144 - - -
qwen/qwen-2.5-72b-instruct 0.36 0.4 - - 32768 16384 text 1
qwen/qwen-2.5-7b-instruct 0.1 0.2 - - 32768 29491 text 1
qwen/qwen-2.5-coder-32b-instruct 0.66 1 - - 32768 29491 text 0
qwen/qwen-plus 0.26 0.78 0.052 0.325 1000000 32768 text 1
qwen/qwen-plus-2025-07-28 0.26 0.78 0.052 0.325 1000000 32768 text 1
qwen/qwen2.5-vl-72b-instruct 0.8 1 0.4 - 128000 115200 text,image 0
qwen/qwen3-14b 0.1 0.22 - - 131072 16384 text 1
qwen/qwen3-235b-a22b 0.455 1.82 - - 131072 8192 text 1
qwen/qwen3-235b-a22b-2507 0.09 0.55 - - 262144 16384 text 1
qwen/qwen3-235b-a22b-thinking-2507 0.45 3.5 - - 131072 117964 text 1
qwen/qwen3-30b-a3b 0.12 0.5 - - 131072 16384 text 1
qwen/qwen3-30b-a3b-instruct-2507 0.09 0.3 - - 262144 235929 text 1
qwen/qwen3-30b-a3b-thinking-2507 0.2 2.4 - - 81920 32768 text 1
qwen/qwen3-32b 0.14 0.4 0.09 - 131072 16384 text 1
qwen/qwen3-8b 0.117 0.455 - - 131072 8192 text 1
qwen/qwen3-coder 0.3 1 0.1 - 262144 65536 text 1
qwen/qwen3-coder-30b-a3b-instruct 0.07 0.28 - - 262144 235929 text 1
qwen/qwen3-coder-flash 0.195 0.975 0.039 0.24375 1000000 65536 text 1
qwen/qwen3-coder-next 0.12 0.8 0.07 - 262144 235929 text 1
qwen/qwen3-coder-plus 0.65 3.25 0.13 0.8125 1000000 65536 text 1
qwen/qwen3-max 0.78 3.9 0.156 0.975 262144 65536 text 1
qwen/qwen3-max-thinking 0.78 3.9 - - 262144 65536 text 1
qwen/qwen3-next-80b-a3b-instruct 0.1 1.1 0.07 - 262144 16384 text 1
qwen/qwen3-next-80b-a3b-thinking 0.15 1.2 - - 262144 32768 text 1
qwen/qwen3-vl-235b-a22b-instruct 0.21 1.9 0.1 - 262144 32768 text,image 1
qwen/qwen3-vl-235b-a22b-thinking 0.4 4 - - 131072 32768 text,image 1
qwen/qwen3-vl-30b-a3b-instruct 0.2 0.7 - - 262144 16384 text,image 1
qwen/qwen3-vl-30b-a3b-thinking 0.29 1 - - 262144 32768 text,image 1
qwen/qwen3-vl-32b-instruct 0.104 0.416 - - 131072 32768 text,image 1
qwen/qwen3-vl-8b-instruct 0.25 0.75 0.12 - 262144 32768 text,image 1
qwen/qwen3-vl-8b-thinking 0.18 2.1 - - 131072 32768 text,image 1
qwen/qwen3.5-122b-a10b 0.26 2.08 - - 262144 235929 text,image,video 1
qwen/qwen3.5-27b 0.195 1.56 - - 262144 81920 text,image,video 1
qwen/qwen3.5-35b-a3b 0.1625 1.3 0.05 - 262144 65536 text,image,video 1
qwen/qwen3.5-397b-a17b 0.39 2.34 0.3 - 262144 235929 text,image,video 1
qwen/qwen3.5-9b 0.1 0.15 - - 262144 32768 text,image,video 1
qwen/qwen3.5-flash-02-23 0.065 0.26 - - 1000000 65536 text,image,video 1
qwen/qwen3.5-plus-02-15 0.26 1.56 - - 1000000 65536 text,image,video 1
qwen/qwen3.5-plus-20260420 0.3 1.8 - 0.375 1000000 65536 text,image,video 1
qwen/qwen3.6-27b 0.45 2.7 0.025 - 262144 65536 text,image,video 1
qwen/qwen3.6-35b-a3b 0.1 0.95 0.05 - 262144 235929 text,image,video 1
qwen/qwen3.6-flash 0.1875 1.125 - 0.234375 1000000 65536 text,image,video 1
qwen/qwen3.6-max-preview 1.027 6.162 - 1.28375 262144 65536 text 1
qwen/qwen3.6-plus 0.325 1.95 - 0.40625 1000000 65536 text,image,video 1
qwen/qwen3.7-flash 0.03 0.13 0.006 0.038 1000000 65536 text,image,video 1
qwen/qwen3.7-max 1.475 4.425 0.295 1.84375 1000000 131072 text 1
qwen/qwen3.7-plus 0.32 1.28 0.064 0.4 1000000 131072 text,image 1
qwen/qwen3.8-2.4t-a95b 2 6 0.25 2.5 1048576 131072 text 1
qwen/qwen3.8-27b 0.425 2.55 0.085 0.53125 1000000 131072 text,image,video 1
qwen/qwen3.8-27b:free 0 0 - - 262144 235929 text,image,video 1
qwen/qwen3.8-flash 0.15 0.47 0.016 0.2 1000000 131072 text,image,video 1
qwen/qwen3.8-max 2 6 0.25 2.5 1000000 131072 text,image,video 1
qwen/qwen3.8-max-0902 2 6 0.25 2.5 1000000 131072 text,image,video 1
qwen/qwen3.8-max-prime 4 12 0.5 - 1000000 131072 text,image,video 1
qwen/qwen3.8-omni-flash 0.15 0.47 0.016 - 1000000 131072 text,image,audio,video 1
recursive/flint-v1.0:free 0 0 - - 262144 - - -
reflection/beam-1.0-501b-a23b 0.4 1.2 0.04 - 1048576 - - -
rekaai/reka-edge 0.1 0.1 - - 16384 14745 text,image,video 1
rekaai/reka-flash-3 0.1 0.2 - - 65536 58982 text 0
relace/relace-apply-3 0.85 1.25 - - 256000 128000 text 0
relace/relace-search 1 3 - - 256000 128000 text 1
ricursiveai/ripple-65b-preview 0.2 0.6 0.05 - 1048576 - - -
sakana/fugu-max 2 6 0.25 - 1000000 128000 text,image,file 1
sakana/fugu-ultra 5 30 0.5 - 1000000 128000 text,image 1
sakana/fugu-ultra-v2 5 30 0.5 - 1000000 128000 text,image,file 1
sakana/sakana-namazu 0.95 4 0.15 - 262144 65536 text,image,file 1
sao10k/l3-lunaris-8b 0.04 0.05 - - 8192 7372 text 0
sao10k/l3.1-euryale-70b 0.85 0.85 - - 131072 16384 text 1
sao10k/l3.3-euryale-70b 0.65 0.75 - - 131072 16384 text 0
scaledown/extract 0.04 0 - - 1000000 - - -
scaledown/summarize 0.04 0 - - 1000000 - - -
stealth/crouton-alpha 0 0 - - 1048576 - - -
stealth/space-bunny-alpha 0 0 - - 1000000 524288 text,image,video 1
stealth/union-alpha 0 0 - - 262144 131072 text,image 1
stepfun/step-3.5-flash 0.1 0.3 0.02 - 262144 65536 text 1
stepfun/step-3.7-flash 0.2 1.15 0.04 - 262144 230400 text,image,video 1
stepfun/step-5-preview 1 2.7 0.1 - 1048576 64000 text,image,video 1
tencent/hunyuan-a13b-instruct 0.14 0.57 - - 131072 117964 text 0
tencent/hy-mt2-1.8b 0.044 0.177 - - 8192 4096 text 0
tencent/hy-mt2-30b-a3b 0.074 0.295 - - 8192 4096 text 0
tencent/hy-mt2-7b 0.074 0.295 - - 8192 4096 text 0
tencent/hy3 0.132 0.528 0.033 - 262144 128000 text 1
tencent/hy3-preview 0.18 0.6 0.06 - 262144 235929 text 1
tencent/hy4 0.417 1.2505 0.021 - 1048576 - - -
tencent/hy4-preview 0.834 2.501 0.042 - 1048576 64000 text 1
thedrummer/cydonia-24b-v4.1 0.3 0.5 0.15 - 131072 117964 text 0
thedrummer/skyfall-36b-v2 0.55 0.8 0.25 - 32768 29491 text 0
thedrummer/unslopnemo-12b 0.4 0.4 - - 1024000 819200 text 0
thinkingmachines/inkling 1 4.05 0.17 - 524288 471859 text,image,audio 1
thinkingmachines/inkling-small 0.45 1.2 0.1 - 524288 262144 text,image,audio 1
thinkingmachines/inkling-small:free 0 0 - - 1048576 262144 text,image,audio 1
thinkingmachines/inkling:free 0 0 - - 1048576 262144 text,image,audio 1
typesafe/jev-1.13 0.042 0 - - 32000 28800 text -
typesafe/jev-1.14 0.042 0 - - 32000 - - -
unbiased/pareto 2.5 7.5 0.25 - 262144 131072 text,image 1
unbiased/pareto-26.10 0.8 3.2 0.03 - 1048576 - - -
unbiased/pareto-26.10-preview 0.8 3.2 0.03 - 1048576 131072 text,image 1
unbiased/pareto-26.9 2.5 7.5 0.25 - 262144 - - -
undi95/remm-slerp-l2-13b 0.35 0.65 - - 6144 5529 text 0
upstage/solar-mini4 0.05 0.2 0.005 - 524288 131072 text 1
upstage/solar-pro-3 0.15 0.6 0.015 - 131072 117964 text 1
upstage/solar-pro4 0.15 0.6 0.03 - 524288 131072 text 1
writer/palmyra-x5 0.6 6 - - 1040000 8192 text 0
x-ai/grok-4.20 1.25 2.5 0.2 - 2000000 1800000 text,image,file 1
x-ai/grok-4.20-multi-agent 1.25 2.5 0.2 - 2000000 1800000 text,image,file 0
x-ai/grok-4.3 1.25 2.5 0.2 - 1000000 900000 text,image,file 1
x-ai/grok-4.5 2 6 0.3 - 500000 450000 text,image,file 1
x-ai/grok-4.6 2 6 0.5 - 500000 450000 text,image,file 1
x-ai/grok-4.7 2 6 0.5 - 500000 450000 text,image,file 1
x-ai/grok-build-0.1 1 2 0.2 - 256000 230400 text,image,file 1
xiaomi/mimo-v2.5 0.4 2 0.08 - 1050000 131072 text,image,audio,video 1
xiaomi/mimo-v2.5-pro 0.435 0.87 0.0036 0 1050000 131072 text 1
xiaomi/mimo-v2.6-flash 0.14 0.28 0.0028 - 1050000 131072 text,image,audio,video 1
xiaomi/mimo-v2.6-pro 0.435 0.87 0.0036 - 1050000 131072 text,image,audio,video 1
xiaomi/mimo-v2.6-pro-ultraspeed 4.35 8.7 0.036 - 1048576 131072 text,image,audio,video 1
xingchen-agi/xing4.0-29b-a4b:free 0 0 - - 262144 - - -
z-ai/glm-4.5 0.6 2.2 0.11 - 131072 98304 text 1
z-ai/glm-4.5-air 0.2 1.1 0.03 - 131072 98304 text 1
z-ai/glm-4.5v 0.6 1.8 0.11 - 65536 16384 text,image 1
z-ai/glm-4.6 0.6 2.2 0.11 - 204800 16384 text 1
z-ai/glm-4.6v 0.3 0.9 0.05 - 131072 32768 text,image,video 1
z-ai/glm-4.7 0.6 2.2 0.11 0 204800 131072 text 1
z-ai/glm-4.7-flash 0.0605 0.4 0.01 0 200000 117964 text 1
z-ai/glm-5 1 3.2 0.2 - 204800 128000 text 1
z-ai/glm-5-turbo 1.2 4 0.24 - 202752 131072 text 1
z-ai/glm-5.1 1.4 4.4 0.26 - 204800 128000 text 1
z-ai/glm-5.2 1.4 4.4 0.26 - 1048576 943718 text 1
z-ai/glm-5.2:free 0 0 - - 32768 29491 text 0
z-ai/glm-5.3 1.4 4.4 0.26 - 1048576 943718 text 1
z-ai/glm-5.3-flash 0.15 0.5 0.03 - 1310720 131072 text,image,video 1
z-ai/glm-5.3-flashx 0.37 1.25 0.075 - 1048576 131072 text,image,video 1
z-ai/glm-5.3-flashx-legal 0.37 1.25 0.075 - 1048576 - - -
z-ai/glm-5.3-prime 2.8 8.8 0.56 - 1000000 131072 text 1
z-ai/glm-5v-turbo 1.2 4 0.24 - 202752 131072 text,image,video 1
"""

# id, number of prompt tokens, and the prices above it: input output cache_read cache_write
TIER_ROWS = """
anthropic/claude-haiku-5.5 100000 0.5 2.5 0.05 0.625
anthropic/claude-opus-4.6 200000 10 37.5 1 12.5
anthropic/claude-opus-4.7 200000 10 37.5 1 12.5
anthropic/claude-sonnet-4 200000 6 22.5 0.6 7.5
anthropic/claude-sonnet-4.5 200000 6 22.5 0.6 7.5
anthropic/claude-sonnet-4.6 200000 6 22.5 0.6 7.5
bytedance-seed/seed-1.6 128000 0.5 4 - -
bytedance-seed/seed-1.6-flash 128000 0.1 0.8 - -
bytedance-seed/seed-2.0-code 128000 1 6 - -
bytedance-seed/seed-2.0-lite 128000 0.5 4 - -
bytedance-seed/seed-2.0-mini 128000 0.2 0.8 - -
google/gemini-2.5-pro 200000 2.5 15 0.25 -
google/gemini-2.5-pro-preview 200000 2.5 15 0.25 -
google/gemini-3.1-pro-preview 200000 4 18 0.4 0.25
google/gemini-3.1-pro-preview-customtools 200000 4 18 0.4 -
openai/gpt-5.4 272000 5 22.5 0.5 -
openai/gpt-5.4-pro 272000 60 270 - -
openai/gpt-5.5 272000 10 45 1 -
openai/gpt-5.5-pro 272000 60 270 - -
openai/gpt-5.6-luna 272000 0.4 1.8 0.04 0.5
openai/gpt-5.6-luna-pro 272000 0.4 1.8 0.04 0.5
openai/gpt-5.6-sol 272000 4 15 0.4 5
openai/gpt-5.6-sol-pro 272000 4 15 0.4 5
openai/gpt-5.6-terra 272000 4 18 0.4 5
openai/gpt-5.6-terra-pro 272000 4 18 0.4 5
openai/gpt-6-astra 272000 20 75 2 25
openai/gpt-6-astra-pro 272000 20 75 2 25
openai/gpt-6-luna 272000 0.2 0.75 0.02 0.25
openai/gpt-6-luna-pro 272000 0.2 0.75 0.02 0.25
openai/gpt-6-sol 272000 4 15 0.4 5
openai/gpt-6-sol-pro 272000 4 15 0.4 5
openai/gpt-6.1-sol 272000 4 15 0.2 5
openai/gpt-6.1-sol-pro 272000 4 15 0.2 5
qwen/qwen-plus 256000 0.78 2.34 0.156 0.975
qwen/qwen-plus-2025-07-28 256000 0.78 2.34 - -
qwen/qwen3-coder-flash 32000 0.325 1.625 0.065 0.40625
qwen/qwen3-coder-flash 128000 0.52 2.6 0.104 0.65
qwen/qwen3-coder-plus 32000 1.17 5.85 0.234 1.4625
qwen/qwen3-coder-plus 128000 1.95 9.75 0.39 2.4375
qwen/qwen3-max 32000 1.56 7.8 0.312 1.95
qwen/qwen3-max 128000 1.95 9.75 0.39 2.4375
qwen/qwen3-max-thinking 32000 1.56 7.8 - -
qwen/qwen3-max-thinking 128000 1.95 9.75 - -
qwen/qwen3.5-plus-02-15 256000 0.325 1.95 - -
qwen/qwen3.5-plus-20260420 256000 0.375 2.25 - 0.46875
qwen/qwen3.6-flash 256000 0.75 3 - 0.9375
qwen/qwen3.6-max-preview 128000 1.58 9.48 - 1.975
qwen/qwen3.6-plus 256000 1.3 3.9 - 1.625
qwen/qwen3.7-flash 32000 0.1 0.4 0.02 0.125
qwen/qwen3.7-flash 256000 0.2 0.8 0.04 0.25
qwen/qwen3.7-plus 256000 0.96 3.84 0.192 1.2
sakana/fugu-ultra 272000 10 45 1 -
sakana/fugu-ultra-v2 272000 10 45 1 -
x-ai/grok-4.20 200000 2.5 5 0.4 -
x-ai/grok-4.20-multi-agent 200000 2.5 5 0.4 -
x-ai/grok-4.3 200000 2.5 5 0.4 -
x-ai/grok-4.5 200000 4 12 0.6 -
x-ai/grok-4.6 200000 4 12 1 -
x-ai/grok-4.7 200000 4 12 1 -
x-ai/grok-build-0.1 200000 2 4 0.4 -
"""

# Answers name their model by canonical slug: alias, id
ALIAS_ROWS = """
anthropic/claude-4-opus-20250522 anthropic/claude-opus-4
anthropic/claude-4-sonnet-20250522 anthropic/claude-sonnet-4
anthropic/claude-4.1-opus-20250805 anthropic/claude-opus-4.1
anthropic/claude-4.5-haiku-20251001 anthropic/claude-haiku-4.5
anthropic/claude-4.5-opus-20251124 anthropic/claude-opus-4.5
anthropic/claude-4.5-sonnet-20250929 anthropic/claude-sonnet-4.5
anthropic/claude-4.6-opus-20260205 anthropic/claude-opus-4.6
anthropic/claude-4.6-sonnet-20260217 anthropic/claude-sonnet-4.6
anthropic/claude-4.7-opus-20260416 anthropic/claude-opus-4.7
anthropic/claude-4.8-opus-20260528 anthropic/claude-opus-4.8
anthropic/claude-5-fable-20260609 anthropic/claude-fable-5
cohere/command-a-03-2025 cohere/command-a
cohere/command-a-plus-05-2026 cohere/command-a-plus
deepseek/deepseek-chat-v3 deepseek/deepseek-chat
deepseek/deepseek-v4-flash-20260731 deepseek/deepseek-v4-flash-0731
deepseek/deepseek-v4-pro-20260813 deepseek/deepseek-v4-pro-0813
google/gemini-2.5-pro-preview-06-05 google/gemini-2.5-pro-preview
meta-llama/llama-4-maverick-17b-128e-instruct meta-llama/llama-4-maverick
meta-llama/llama-4-scout-17b-16e-instruct meta-llama/llama-4-scout
mistralai/mistral-medium-3.5-20260430 mistralai/mistral-medium-3-5
mistralai/mistral-saba-2502 mistralai/mistral-saba
mistralai/mistral-small-3.1-24b-instruct-2503 mistralai/mistral-small-3.1-24b-instruct
mistralai/mistral-small-3.2-24b-instruct-2506 mistralai/mistral-small-3.2-24b-instruct
moonshotai/kimi-k2.5-0127 moonshotai/kimi-k2.5
openai/gpt-4.1-2025-04-14 openai/gpt-4.1
openai/gpt-4.1-mini-2025-04-14 openai/gpt-4.1-mini
openai/gpt-4.1-nano-2025-04-14 openai/gpt-4.1-nano
openai/gpt-5-2025-08-07 openai/gpt-5
openai/gpt-5-mini-2025-08-07 openai/gpt-5-mini
openai/gpt-5-nano-2025-08-07 openai/gpt-5-nano
openai/gpt-5-pro-2025-10-06 openai/gpt-5-pro
openai/gpt-6-astra-pro-20260903 openai/gpt-6-astra
openai/gpt-6.1-terra-pro openai/gpt-6.1-terra
openai/o1-2024-12-17 openai/o1
openai/o3-2025-04-16 openai/o3
openai/o3-mini-2025-01-31 openai/o3-mini
openai/o3-mini-high-2025-01-31 openai/o3-mini-high
openai/o3-pro-2025-06-10 openai/o3-pro
openai/o4-mini-2025-04-16 openai/o4-mini
openai/o4-mini-high-2025-04-16 openai/o4-mini-high
qwen/qwen-plus-2025-01-25 qwen/qwen-plus
qwen/qwen3-14b-04-28 qwen/qwen3-14b
qwen/qwen3-235b-a22b-04-28 qwen/qwen3-235b-a22b
qwen/qwen3-235b-a22b-07-25 qwen/qwen3-235b-a22b-2507
qwen/qwen3-30b-a3b-04-28 qwen/qwen3-30b-a3b
qwen/qwen3-32b-04-28 qwen/qwen3-32b
qwen/qwen3-8b-04-28 qwen/qwen3-8b
qwen/qwen3-coder-480b-a35b-07-25 qwen/qwen3-coder
qwen/qwen3-coder-next-2025-02-03 qwen/qwen3-coder-next
qwen/qwen3-next-80b-a3b-instruct-2509 qwen/qwen3-next-80b-a3b-instruct
qwen/qwen3-next-80b-a3b-thinking-2509 qwen/qwen3-next-80b-a3b-thinking
qwen/qwen3.5-flash-20260224 qwen/qwen3.5-flash-02-23
qwen/qwen3.5-plus-20260216 qwen/qwen3.5-plus-02-15
qwen/qwen3.6-plus-04-02 qwen/qwen3.6-plus
qwen/qwen3.8-max-20260902 qwen/qwen3.8-max-0902
rekaai/reka-edge-2603 rekaai/reka-edge
sakana/fugu-ultra-v2-20260911 sakana/fugu-ultra
sakana/namazu-20260811 sakana/sakana-namazu
sao10k/l3.3-euryale-70b-v2.3 sao10k/l3.3-euryale-70b
venice/uncensored cognitivecomputations/dolphin-mistral-24b-venice-edition
z-ai/glm-4.6-20251208 z-ai/glm-4.6v
~typesafe/jev-latest typesafe/jev-1.14
"""


# --- Start ----------------------------------------------------------------------------------
# Runs only with python -m, not with an import.

if __name__ == "__main__":
    exit_code = main()
    with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C
        for log in _LOGS.values():
            log.disconnect()  # moves the rows from the -wal file to the log itself
    # Everything is closed. Without this, Python would search all objects for cycles before it ends.
    gc.freeze()
    raise SystemExit(exit_code)
