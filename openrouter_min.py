# SPDX-License-Identifier: MIT
"""OpenRouter in one file: hundreds of language models behind one call, nothing to install.

    from openrouter_min import Llm

    llm = Llm(model="openai/gpt-4o-mini")            # key: OPENROUTER_API_KEY
    print(llm.complete("Explain quantum computing in simple terms").content)
    for text in llm.stream("Write a poem about AI"):
        print(text, end="", flush=True)

On the command line: ``python -m openrouter_min "prompt"``; ``--mock`` needs neither key nor network.

Map of the file; a section uses only what stands above it:

    Defaults             URLs, times and sizes, each with its reason
    Errors               the tree below, and what to do about each
    Models and prices    Pricing, ModelInfo, METADATA, the cost of a usage
    Configuration        LlmConfig
    Results              Usage, ToolCall, Attempt, Completion, Chunk, Embeddings
    Wire format          bytes and dicts in, values out: bodies, SSE, chunks, errors
    Policy               is it worth a retry, how long to wait, which model next
    Operation log        one SQLite row per operation, and helpers to read them
    Transport            the only place that knows sockets, TLS and urllib
    Client               Llm and Stream join all of the above
    Mock server          MockOpenRouter speaks the real wire format on loopback
    Command line         main()
    Price table          the rows, as text

Errors:

    OpenRouterError                    message, hint, attempts, partial
      ConfigError (ValueError)         nothing was sent: fix the argument it names
      APIConnectionError               no answer; .sent says whether it may have been billed
        APITimeoutError
      APIStatusError                   the server said no: status, error_type, retry_after, ...
        BadRequestError 400, AuthenticationError 401, InsufficientCreditsError 402,
        PermissionDeniedError 403, ModelNotFoundError 404 (and the 400 for an unknown model),
        RateLimitError 429, ProviderError 408 and 5xx
      APIResponseError                 an answer that is no answer: not JSON, no choices, empty
      StreamInterruptedError           .partial is the Completion so far
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import io
import json
import math
import operator
import os
import re
import sys
import threading
import time
import weakref
from dataclasses import dataclass, field

# Type checkers take any name TYPE_CHECKING as true; `import typing` would cost its milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client
    import socket
    import sqlite3
    import ssl
    import urllib.request
    from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import Any, Generic, TypeVar, Union

    Json = dict[str, Any]
    Row = dict[str, Any]
    T = TypeVar("T")
    LogTarget = Union[None, bool, str, os.PathLike[str]]
    Moment = Union[str, datetime]
    _ModelMapping = Mapping[str, "ModelInfo"]
    _RowList = list[Row]
    _VectorList = list[list[float]]
else:
    from collections.abc import Mapping as _ModelMapping

    _RowList = _VectorList = list
    T = None

    class Generic:
        """Stand-in for typing.Generic."""

        def __class_getitem__(cls, item):
            return cls


__version__ = "0.1.0"

# fmt: off
__all__ = [
    "OpenRouterError", "ConfigError", "APIConnectionError", "APITimeoutError", "APIStatusError", "BadRequestError",
    "AuthenticationError", "InsufficientCreditsError", "PermissionDeniedError", "ModelNotFoundError",
    "RateLimitError", "ProviderError", "APIResponseError", "StreamInterruptedError",
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
# Numbers and names that are decisions. Nothing here may depend on anything else.

BASE_URL = "https://openrouter.ai/api/v1"
KEYS_URL = "https://openrouter.ai/keys"
CREDITS_URL = "https://openrouter.ai/settings/credits"
PRIVACY_URL = "https://openrouter.ai/settings/privacy"
MODELS_URL = "https://openrouter.ai/models"

DEFAULT_MODEL = "openrouter/auto"
PROGRESS_TIMEOUT = 300.0  # s without data; reasoning models are silent for minutes
CONNECT_TIMEOUT = 10.0  # s for TCP and TLS; a distant region needs under 1
MAX_RETRIES = 2  # requests after the first; OpenRouter has tried other providers already
RETRY_WAIT_MAX = 60.0  # s; a script that waits longer looks hung
BACKOFF_FIRST = 0.5  # s before the first retry, doubled each time
BACKOFF_MAX = 8.0  # s
MODELS_PER_REQUEST = 3  # longer `models` lists are answered 400

MAX_HEAD = 256 * 1024  # bytes of status line and headers, informational answers included
MAX_EVENT = 16 * 1024 * 1024  # bytes of one event; images travel as base64 in one
MAX_BODY = 128 * 1024 * 1024  # bytes of one answer
MAX_ATTACHMENT = 64 * 1024 * 1024  # bytes of one file; base64 makes a third more of it
MAX_TOOL_ROUNDS = 10  # times that functions run for one question; a model may ask for ever
READ_SIZE = 64 * 1024  # bytes asked of the socket at once
SHOWN_BODY = 200  # characters of an unreadable body that an error shows

WAIT_SLICE = 0.5  # s; Windows delivers Ctrl-C only between receives
IDLE_LIMIT = 30.0  # s a kept connection may be idle; servers give up after a minute or so
END_GRACE = 0.02  # s for the last framing bytes after [DONE], so that a connection can be kept
CANCEL_GRACE = 0.4  # s that a cancelled coroutine leaves its thread to write the log row
MAP_AHEAD = 4  # times the concurrency: answers that may wait for a slow reader, or behind a slow one
ASYNC_BACKLOG = 1024  # chunks that may wait for a slow consumer before the reader pauses

LOG_BUSY_TIMEOUT = 10.0  # s to wait for another process that writes the log
LOG_ENV = "OPENROUTER_MIN_LOG"
LOG_CONTENT_ENV = "OPENROUTER_MIN_LOG_CONTENT"
KEY_ENV = "OPENROUTER_API_KEY"
MODEL_ENV = "OPENROUTER_MODEL"
BASE_URL_ENV = "OPENROUTER_BASE_URL"


# --- Errors ---------------------------------------------------------------------------------
# What can go wrong, split by what the caller would do about it. No I/O, no decoding.


# Patterns are texts: re compiles and keeps each at its first use, which most programs spare themselves.
_KEY_SHAPE = r"sk-or-[A-Za-z0-9_-]{8,}"
REDACTED = "sk-or-[hidden]"
SECRET_LENGTH = 8  # characters; "test" as a key must not black out every test in a text


def redact(text: str, key: str | None) -> str:
    """Return the text without the key: by its value, also cut off at its end, and by the shape of OpenRouter's."""
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

    partial: "Completion | None" = None

    def __init__(self, message: str, *, hint: str = "", **fields: Any) -> None:
        self.message = redact(message, None)
        self.hint = redact(hint, None)
        super().__init__(self.message)
        self.attempts: list["Attempt"] = []
        for name, value in fields.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
            setattr(self, name, value)

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class ConfigError(OpenRouterError, ValueError):
    """A bad argument or setting; nothing was sent."""


class APIConnectionError(OpenRouterError):
    """No answer came back; with ``sent`` the request had left whole and may have been billed."""

    sent: bool = False


class APITimeoutError(APIConnectionError):
    """No data for ``timeout`` seconds, or ``deadline`` or ``connect_timeout`` has passed."""


class APIStatusError(OpenRouterError):
    """The server answered with an error, by HTTP status or inside a 200."""

    status: int = 0  # the HTTP status, or the error's own code
    error_type: str | None = None
    body: Any = None  # the decoded answer, or its text
    metadata: Mapping[str, Any] = {}
    retry_after: float | None = None  # s
    retryable: bool = False
    fallback_models: Sequence[str] = ()
    generation_id: str | None = None
    availability: Mapping[str, Any] = {}


class BadRequestError(APIStatusError):
    """400: the request is malformed, too long, or asks for what the model can't do."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong or disabled."""


class InsufficientCreditsError(APIStatusError):
    """402: the account or the key has no credits left for this request."""


class PermissionDeniedError(APIStatusError):
    """403: moderation, a guardrail, a budget, a region, or a key without the right."""


class ModelNotFoundError(APIStatusError):
    """404, or the 400 for an unknown slug: no such model, or none that your settings allow."""


class RateLimitError(APIStatusError):
    """429: too many requests, of yours or of everybody's."""


class ProviderError(APIStatusError):
    """408 or 5xx: the provider behind the model failed."""


class APIResponseError(OpenRouterError):
    """An answer that is no answer: not JSON, no choices, an empty generation."""

    retryable: bool = False


class StreamInterruptedError(OpenRouterError):
    """The answer broke off; ``partial`` is the Completion so far."""

    status: int | None = None  # these two from the error frame, where there was one
    error_type: str | None = None


ERROR_CLASSES: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    408: ProviderError,
    429: RateLimitError,
}

# The stable discriminator of OpenRouter's error bodies, for answers that carry no status.
ERROR_TYPE_STATUS = {
    name: status
    for status, names in {
        400: "context_length_exceeded max_tokens_exceeded token_limit_exceeded string_too_long invalid_request"
        " invalid_prompt content_policy_violation refusal",
        401: "authentication",
        402: "payment_required",
        403: "permission_denied",
        404: "not_found image_not_found",
        412: "precondition_failed",
        413: "payload_too_large",
        422: "unprocessable",
        429: "rate_limit_exceeded",
        500: "server server_error unmapped",
        502: "provider_unavailable",
        503: "provider_overloaded",
        504: "timeout",
    }.items()
    for name in names.split()
}


def error_class(status: int) -> type[APIStatusError]:
    """Return the class that the one table gives for a status."""
    return ProviderError if 500 <= status <= 599 else ERROR_CLASSES.get(status, APIStatusError)


# --- Models and prices ----------------------------------------------------------------------
# What a model costs and can do. Pure; the rows stand at the end of the file as text.


class _Value:
    """What dataclass() would write into each frozen class anew, which a program pays at each import."""

    def _cells(self) -> tuple[Any, ...]:
        return tuple(getattr(self, f.name) for f in dataclasses.fields(self) if f.compare)  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Value) or type(other) is not type(self):
            return NotImplemented
        return self._cells() == other._cells()

    def __hash__(self) -> int:
        return hash(self._cells())

    def __repr__(self) -> str:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields if f.repr)
        return f"{type(self).__qualname__}({shown})"


@dataclass(frozen=True, eq=False, repr=False)
class Pricing(_Value):
    """Prices in USD per 1,000,000 tokens; None is unknown, 0 is free."""

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


@dataclass(frozen=True, eq=False, repr=False)
class ModelInfo(_Value):
    """A model of the catalogue: lengths in tokens, None where the catalogue does not say."""

    id: str
    name: str = ""
    context_length: int | None = None
    max_completion_tokens: int | None = None
    input_modalities: tuple[str, ...] = ()
    tools: bool | None = None
    pricing: Pricing = Pricing()
    # (more prompt tokens than, prices from there on): long contexts cost more on some models
    tiers: tuple[tuple[int, Pricing], ...] = ()

    def pricing_at(self, prompt_tokens: int) -> Pricing:
        """Return the prices that hold for a prompt of that length."""
        return next((tier for above, tier in reversed(self.tiers) if prompt_tokens > above), self.pricing)


# These suffixes choose among providers and have no price of their own; the others do.
_ROUTING_SUFFIX = r":(?:nitro|floor|online|exacto)(?=:|$)"
_PROVIDER_PREFIX = "^openrouter-"


class _Catalogue(_ModelMapping):
    """A read-only mapping of model id to ModelInfo; a row of the price table is parsed when it is looked up.

    Rows that ``stored()`` returns (after a line with their date) are preferred to the bundled ones.
    """

    stored: Callable[[], str] = str

    def __init__(self) -> None:
        self._models: dict[str, ModelInfo] = {}

    @functools.cached_property
    def _stored(self) -> list[str]:
        return self.stored().splitlines()

    @functools.cached_property
    def _rows(self) -> dict[str, str]:
        lines = [*PRICE_ROWS.splitlines(), *(line for line in self._stored if line.count(" ") == _ROW_CELLS - 1)]
        return {line.partition(" ")[0]: line for line in lines if line}

    @functools.cached_property
    def _aliases(self) -> dict[str, str]:
        lines = [*ALIAS_ROWS.splitlines(), *(line for line in self._stored if line.count(" ") == _ALIAS_CELLS - 1)]
        return dict(line.split(" ") for line in lines if line)

    @property
    def as_of(self) -> str:
        """The day of the prices."""
        return self._stored[0] if self._stored else PRICES_AS_OF

    def _find(self, name: object) -> ModelInfo | None:
        if not isinstance(name, str):
            return None
        name = re.sub(_PROVIDER_PREFIX, "", name)
        plain = re.sub(_ROUTING_SUFFIX, "", name)
        ids = (name, self._aliases.get(name), plain, self._aliases.get(plain))
        return next((self._model(i) for i in ids if i in self._rows), None)

    def _model(self, model_id: str) -> ModelInfo:
        found = self._models.get(model_id)
        if found is None:
            row, start = self._rows[model_id], f"{model_id} "
            lines = self._stored if row in self._stored else TIER_ROWS.splitlines()
            tiers = [line for line in lines if line.startswith(start) and line.count(" ") == _TIER_CELLS - 1]
            try:
                made = model_from_row(row, tiers)
            except ValueError:  # a stored row that somebody has changed
                made = ModelInfo(model_id)
            # setdefault: threads that parse the same row get one and the same model
            found = self._models.setdefault(model_id, made)
        return found

    def renew(self) -> None:
        """Forget all that was read, and read it anew at the next look-up."""
        for name in ("_stored", "_rows", "_aliases"):
            self.__dict__.pop(name, None)
        self._models = {}

    def __getitem__(self, name: str) -> ModelInfo:
        found = self._find(name)
        if found is None:
            near = ", ".join(self.near(name))
            raise KeyError(f"no model {name!r} in the price table" + (f"; near: {near}" if near else ""))
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
        """Return up to ``count`` ids like the name, never the name itself, full slugs first."""
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

_ROW_CELLS, _TIER_CELLS, _ALIAS_CELLS = 9, 6, 2


def rows_from_listing(listing: Iterable[Json]) -> list[str]:
    """Return the rows of the price table for entries of GET /models: of models, of their tiers, of aliases."""
    rows, extra = [], []
    for entry in listing:
        model, slug = model_from_listing(entry), _str(entry.get("canonical_slug"))
        if not re.fullmatch(r"[\w.-]+/[\w.:-]+", model.id) or model.id.endswith(":batch"):
            continue
        lengths = [_cell(model.context_length), _cell(model.max_completion_tokens)]
        tools = "-" if model.tools is None else str(int(model.tools))
        modalities = ",".join(model.input_modalities) or "-"
        rows.append(" ".join([model.id, *_price_cells(model.pricing), *lengths, modalities, tools]))
        extra += [" ".join([model.id, str(threshold), *_price_cells(tier)]) for threshold, tier in model.tiers]
        if slug != model.id and ":" not in model.id and re.fullmatch(r"\S+", slug):
            extra.append(f"{slug} {model.id}")
    return rows + extra


def _price_cells(pricing: Pricing) -> list[str]:
    return [_cell(price) for price in dataclasses.astuple(pricing)]


def _cell(number: float | None) -> str:
    return "-" if number is None else f"{number:.12g}"


def model_from_row(row: str, tiers: Iterable[str] = ()) -> ModelInfo:
    """Decode ``id input output cache_read cache_write context max_out modalities tools`` and the rows of its tiers."""
    model_id, *prices, context, max_out, modalities, tools = row.split(" ")
    tier_cells = [tier.split(" ") for tier in tiers]
    return ModelInfo(
        model_id,
        model_id,
        None if context == "-" else int(context),
        None if max_out == "-" else int(max_out),
        () if modalities == "-" else tuple(modalities.split(",")),
        None if tools == "-" else tools == "1",
        Pricing(*map(_price, prices)),
        tuple((int(threshold), Pricing(*map(_price, prices))) for _, threshold, *prices in tier_cells),
    )


def _price(cell: str) -> float | None:
    return None if cell == "-" else float(cell)


def _per_million(value: object) -> float | None:
    """Turn a price of GET /models (USD per token, a decimal string; "-1" is unknown) into USD/M."""
    try:
        price = float(str(value))
    except ValueError:
        return None
    return round(price * 1e6, 9) if price >= 0 else None


def model_from_listing(entry: Json) -> ModelInfo:
    """Decode one entry of GET /models; nothing but ``id`` is needed."""
    pricing = _dict(entry.get("pricing"))
    top = _dict(entry.get("top_provider"))
    supported = entry.get("supported_parameters")
    return ModelInfo(
        id=str(entry.get("id", "")),
        name=str(entry.get("name") or entry.get("id", "")),
        context_length=_int_or_none(entry.get("context_length")),
        max_completion_tokens=_int_or_none(top.get("max_completion_tokens")),
        input_modalities=tuple(map(str, _list(_dict(entry.get("architecture")).get("input_modalities")))),
        tools="tools" in supported if isinstance(supported, list) else None,
        pricing=_listed_prices(pricing),
        tiers=tuple(_listed_tiers(pricing)),
    )


_LISTED_PRICES = ("prompt", "completion", "input_cache_read", "input_cache_write")


def _listed_prices(pricing: Json, base: Json | None = None) -> Pricing:
    return Pricing(*(_per_million(pricing.get(k, (base or {}).get(k))) for k in _LISTED_PRICES))


def _listed_tiers(pricing: Json) -> Iterator[tuple[int, Pricing]]:
    for override in _dicts(pricing.get("overrides")):
        threshold = _int_or_none(override.get("min_prompt_tokens"))
        if threshold is not None and "utc_start" not in override:
            yield threshold, _listed_prices(override, pricing)


def estimate_cost(model: str | None, usage: "Usage") -> float | None:
    """Return USD by the price table, or None where the model or its price is unknown.

    Cached and freshly written tokens are inside prompt_tokens; Gemini counts a fresh write as
    cached too, which would make the plain part negative. A blank cache price is the prompt's.
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


def cost_of(model: str | None, usage: "Usage") -> tuple[float | None, str | None]:
    """Return (USD, source): what the server reported, else an estimate, else (None, None).

    With a provider key of your own (BYOK) ``usage.cost`` is only OpenRouter's fee; the provider
    bills ``upstream_cost`` on top. No tokens at all are tokens that nobody counted.
    """
    if usage.cost is not None:
        return usage.cost + (usage.upstream_cost or 0 if usage.is_byok else 0), "reported"
    is_counted = usage.prompt_tokens > 0 or usage.completion_tokens > 0
    cost = estimate_cost(model, usage) if is_counted else None
    return cost, None if cost is None else "estimated"


# Decoders of what a network may send in place of a dict, a list or a number.


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[Json]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _int_or_none(value: object) -> int | None:
    number = None if isinstance(value, str) else _number_or_none(value)
    return None if number is None else int(number)


def _number_or_none(value: object) -> float | None:
    """Keep a number as it came (0 stays the integer 0); read one from a string; else None."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _count(counters: Json, name: str) -> int:
    return max(0, _int_or_none(_number_or_none(counters.get(name))) or 0)


def _amount(value: object) -> float | None:
    """Return a sum of money; a negative one stands for an unknown one."""
    number = _number_or_none(value)
    return None if number is None or number < 0 else number


def _str_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""


# --- Configuration --------------------------------------------------------------------------
# LlmConfig and its checks: every bad value is named with its fix before anything is sent.
# The environment is read in one place, _environment.

_OFF = ("0", "off", "false", "no")  # in the environment
# The body fields of POST /chat/completions, to recognise a near miss; others pass as they are.
BODY_FIELDS = frozenset(
    "messages prompt model models stream stream_options usage max_tokens max_completion_tokens temperature top_p top_k"
    " min_p top_a frequency_penalty presence_penalty repetition_penalty seed logit_bias logprobs top_logprobs stop"
    " response_format structured_outputs tools tool_choice parallel_tool_calls max_tool_calls stop_server_tools_when"
    " reasoning reasoning_effort include_reasoning verbosity plugins provider route preset service_tier speed"
    " session_id prompt_cache_key prompt_cache_options cache_control user metadata trace prediction modalities"
    " image_config audio web_search_options x_search_filter debug transforms n".split()
)
# What one call may set anew; all other settings belong to the Llm.
CALL_SETTINGS = frozenset(
    "model fallbacks headers temperature max_tokens system_prompt timeout connect_timeout deadline max_retries"
    " retry_wait_max session_id workspace agent_id log_content".split()
)
# What one call may carry that is neither a setting nor a body field.
CALL_ONLY = frozenset({"action_id", "schema", "attachments", "max_tool_rounds"})
# Body fields that are settings as well.
SETTING_FIELDS = ("temperature", "max_tokens", "session_id")

_URL = r"(?i)(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[!-\"$->@-~]*)?"
_LOOPBACK = r"(?i)(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])"
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_CONTROL = r"[\x00-\x08\x0a-\x1f\x7f]"
_NOT_IN_HEADER = _CONTROL + r"|[^\x00-\xff]"
# Set by the transport or by the key; a second value would be ambiguous or leak the key.
OWN_HEADERS = frozenset(
    "host content-length transfer-encoding connection authorization proxy-authorization accept-encoding".split()
)


def _environment(name: str) -> str | None:
    """Read a default from the environment: the one place where settings are taken from it."""
    return os.environ.get(name, "").strip() or None


@dataclass(frozen=True, eq=False, repr=False)
class LlmConfig(_Value):
    """Settings of an Llm; use keywords. A bad value raises ConfigError that names field and fix.

    Times are seconds. ``timeout`` counts time without data (keep-alive comments and padding
    blanks are no data), ``deadline`` the whole call with its retries, waits and rounds of functions.
    ``api_key``: argument, then OPENROUTER_API_KEY. ``model``: argument, then OPENROUTER_MODEL,
    then "openrouter/auto". ``base_url``: argument, then OPENROUTER_BASE_URL, then OpenRouter.
    ``params`` holds further body fields. ``log``: None is the default path, False is off.
    ``log_content=False`` (or OPENROUTER_MIN_LOG_CONTENT=0) keeps prompt and answer text out of the log.
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
    params: Mapping[str, Any] | None = None
    log: LogTarget = None
    log_content: bool = True
    allow_plain_http: bool = False
    session_id: str | None = None
    workspace: str | None = None
    agent_id: str | None = None

    def __new__(cls, *args: Any, **settings: Any) -> LlmConfig:
        known = [f.name for f in dataclasses.fields(cls)]
        for name in settings:
            if name not in known:  # said before the generated __init__ could say TypeError without a fix
                near = _near_name(name, known)
                hint = f"did you mean {near}?" if near else "body fields of the API go into params={...} or the call"
                raise ConfigError(f"LlmConfig has no setting {name!r}", hint=hint)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if self.provider != "openrouter":
            hint = "leave it out: the maker goes into model='openai/gpt-4', routing into params={'provider': {...}}"
            raise ConfigError(f"provider={self.provider!r}: only 'openrouter' is built in", hint=hint)
        put = object.__setattr__  # the way to fill a frozen dataclass while it is being made
        put(self, "api_key", _checked_key(self.api_key))
        model = self.model if self.model is not None else _environment(MODEL_ENV) or DEFAULT_MODEL
        put(self, "model", _checked_model("model", model))
        put(self, "fallbacks", _checked_fallbacks(self.fallbacks))
        put(self, "headers", _checked_headers(self.headers))
        url = self.base_url if self.base_url is not None else _environment(BASE_URL_ENV) or BASE_URL
        put(self, "base_url", _checked_url(url, self.allow_plain_http))
        put(self, "params", _checked_mapping("params", self.params, "{'top_p': 0.9}"))
        for name in self.params or {}:
            if name == "model" or name in CALL_SETTINGS - BODY_FIELDS:
                raise ConfigError(f"params: {name} is a setting of its own", hint=f"Llm({name}=..., params={{...}})")
            if name in CALL_ONLY:
                raise ConfigError(f"params: {name} belongs to one call", hint=f"complete(..., {name}=...)")
        check_body_fields(self.params or {})
        if (_environment(LOG_CONTENT_ENV) or "").lower() in _OFF:
            put(self, "log_content", False)
        for name in _RULES:
            if hasattr(self, name):
                _check_rule(name, getattr(self, name))
        if not isinstance(self.log, (bool, str, _NONE)) and not hasattr(self.log, "__fspath__"):
            raise ConfigError(f"log is {_kind(self.log)}", hint="a path, None for the default one, or False")

    def __repr__(self) -> str:
        shown = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        shown["api_key"] = "(hidden)" if self.api_key else None
        changed = [f"{f.name}={shown[f.name]!r}" for f in dataclasses.fields(self) if shown[f.name] != f.default]
        return redact(f"LlmConfig({', '.join(changed)})", self.api_key)

    @property
    def key_source(self) -> str:
        """Say where the key came from, without showing it."""
        if self.api_key and self.api_key == _environment(KEY_ENV):
            return f"the environment variable {KEY_ENV}"
        return "the api_key argument" if self.api_key else "nowhere"


def _near_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that this one misses by a typo, other case or other joints."""
    import difflib

    plain = re.sub(r"[-_]", "", name).lower()
    by_plain = {k.replace("_", ""): k for k in sorted(known)}
    close = difflib.get_close_matches(plain, list(by_plain), n=1, cutoff=0.8)
    return by_plain[close[0]] if close else None


def _checked_key(key: object) -> str | None:
    if key is None:
        key = _environment(KEY_ENV)
    if key is None:
        return None
    if not isinstance(key, str):
        raise ConfigError(f"api_key is {_kind(key)}, not a str", hint=f"keys: {KEYS_URL}")
    key = key.strip(" \t")
    if not key or not re.fullmatch(r"[!-~]+", key):
        problem = "is empty" if not key else "holds a line break, blank or non-ASCII character"
        raise ConfigError(f"api_key {problem}", hint=f"copy it anew from {KEYS_URL}, or set {KEY_ENV}")
    return key


def _checked_model(name: str, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\S+", value) or re.search(_CONTROL, value):
        raise ConfigError(f"{name}={value!r} is no model name", hint="a name is maker/model, such as 'openai/gpt-4'")
    return value


def _checked_fallbacks(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise ConfigError(f"fallbacks={value!r} is no list", hint="fallbacks=['openai/gpt-4', ...]")
    return tuple(_checked_model("fallbacks", v) for v in value)


def _checked_mapping(name: str, value: Any, example: str) -> dict[Any, Any]:
    if value is None:
        return {}
    if not hasattr(value, "items"):
        raise ConfigError(f"{name} is {_kind(value)}, not a dict", hint=f"{name}={example}")
    return dict(value.items())


def _checked_headers(value: object) -> dict[str, str]:
    headers = _checked_mapping("headers", value, "{'X-Title': 'My app'}")
    for name, text in headers.items():
        if not isinstance(name, str) or not re.fullmatch(_HEADER_NAME, name):
            raise ConfigError(f"headers: {name!r} is no header name", hint="letters, digits and - only")
        if name.lower() in OWN_HEADERS:
            fix = "pass the key as api_key" if "auth" in name.lower() else "it is set for you"
            raise ConfigError(f"headers: {name} can't be set here", hint=fix)
        bad = re.search(_NOT_IN_HEADER, text) if isinstance(text, str) else None
        if bad or not isinstance(text, str):
            problem = f"holds {bad.group()!r}" if bad else f"is {_kind(text)}"
            hint = "a header is one line of Latin-1 text, without a line break or control character"
            raise ConfigError(f"headers: the value of {name} {problem}", hint=hint)
    return headers


def _checked_url(value: object, allow_plain_http: bool) -> str:
    match = re.fullmatch(_URL, value.strip()) if isinstance(value, str) else None
    if not match or int((match.group(3) or ":1")[1:]) not in range(1, 65536):
        hint = f"leave it out, or write scheme, host and path like {BASE_URL}"
        raise ConfigError(f"base_url={redact(repr(value), None)} is no http(s) URL", hint=hint)
    scheme, host = match.group(1).lower(), match.group(2)
    if scheme == "http" and not re.fullmatch(_LOOPBACK, host) and not allow_plain_http:
        hint = "use https, or set allow_plain_http=True for a gateway inside your own network"
        raise ConfigError(f"base_url would send the key unencrypted to {host}", hint=hint)
    return f"{scheme}://{host.lower()}{match.group(3) or ''}{(match.group(4) or '').rstrip('/')}"


def check_body_fields(given: Mapping[str, Any]) -> None:
    """Raise ConfigError for a near miss of a known body field, or a value out of its range."""
    for name, value in given.items():
        if not isinstance(name, str):
            raise ConfigError(f"{name!r} is no name of a body field", hint="names are strings")
        if name == "messages":
            raise ConfigError("messages is no option", hint="it is the argument of chat() and stream()")
        if name in _RULES:
            _check_rule(name, value)
        if name not in BODY_FIELDS | CALL_ONLY:
            near = _near_name(name, BODY_FIELDS | CALL_SETTINGS | CALL_ONLY | {"concurrency"})
            if near:
                hint = f"did you mean {near}? Llm.request sends any body as it stands"
                raise ConfigError(f"{name!r} is no field of the API", hint=hint)


# What can be checked without knowing the model: (types, lowest, highest, the rule in words)
_NONE = type(None)
_RULES: dict[str, tuple[tuple[type, ...], float, float, str]] = {
    "temperature": ((int, float, _NONE), 0, 2, "lies between 0 and 2"),
    "top_p": ((int, float, _NONE), 0, 1, "lies between 0 and 1"),
    "max_tokens": ((int, _NONE), 1, math.inf, "is a whole number from 1"),
    "max_completion_tokens": ((int, _NONE), 1, math.inf, "is a whole number from 1"),
    "timeout": ((int, float), 0.001, 1e9, "is a positive number of seconds"),
    "connect_timeout": ((int, float), 0.001, 1e9, "is a positive number of seconds"),
    "deadline": ((int, float, _NONE), 0.001, 1e9, "is a positive number of seconds, or None"),
    "max_retries": ((int,), 0, 1000, "is a whole number from 0"),
    "retry_wait_max": ((int, float), 0, 1e9, "is a number of seconds from 0"),
    "max_tool_rounds": ((int,), 1, 1000, "is a whole number from 1"),
    **dict.fromkeys(("system_prompt", "session_id", "workspace", "agent_id"), ((str, _NONE), 0, 0, "is a str")),
    **dict.fromkeys(("log_content", "allow_plain_http"), ((bool,), 0, 1, "is True or False")),
}


def _check_rule(name: str, value: Any) -> None:
    types, low, high, rule = _RULES[name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ConfigError(f"{name} is {_kind(value)}", hint=f"{name} {rule}")
    if isinstance(value, (int, float)) and not low <= value <= high:
        raise ConfigError(f"{name}={value!r} is out of range", hint=f"{name} {rule}")


def _kind(value: object) -> str:
    return "None" if value is None else f"{'an' if type(value).__name__[0] in 'aeiou' else 'a'} {type(value).__name__}"


# --- Results --------------------------------------------------------------------------------
# Frozen values that cross to the caller. They know how to read a decoded answer, not the wire.


@dataclass(frozen=True, eq=False, repr=False)
class Usage(_Value):
    """Tokens and money of one answer, or the sum of several.

    Cached and written tokens are inside prompt_tokens, reasoning tokens inside
    completion_tokens. ``cost`` is USD as the server sent it, None where it did not.
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

    @classmethod
    def from_wire(cls, value: object) -> Usage:
        """Read a ``usage`` object of any age; the Responses API names its counters input and output."""
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
        pairs = zip(self._cells(), other._cells())
        return Usage(*(_sum_known(a, b) for a, b in pairs))


def _sum_known(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return a or b if isinstance(a, bool) else a + b


@dataclass(frozen=True, eq=False, repr=False)
class ToolCall(_Value):
    """A function that the model asks for; ``arguments`` is its string, '' where there was none."""

    id: str
    name: str
    arguments: str = ""

    @property
    def args(self) -> Any:
        """The decoded arguments, {} for ''; raises APIResponseError where they are not JSON."""
        try:
            return decode_json(self.arguments) if self.arguments.strip() else {}
        except ValueError as error:
            hint = "if completion.truncated is true, raise max_tokens; else tell the model what was wrong"
            raise APIResponseError(f"the arguments of {self.name} are not JSON: {error}", hint=hint) from None


@dataclass(frozen=True, eq=False, repr=False)
class Attempt(_Value):
    """One request of an operation: HTTP status or None, what failed, and the wait after it."""

    models: tuple[str, ...]
    status: int | None = None
    error: str | None = None
    waited_s: float = 0.0


# What providers call "the token limit was hit"; finish_reason may say tool_calls all the same.
_LIMIT_REASONS = frozenset({"length", "max_tokens", "max_output_tokens"})


@dataclass(frozen=True, eq=False, repr=False)
class Completion(_Value):
    """A whole answer; ``str()`` is its text. None: not sent; lists are empty where nothing came.

    ``model`` is the one that served, ``provider`` the upstream, ``cost`` USD by ``cost_source``
    ("reported" or "estimated"; both None where unknown), ``images`` their URLs, ``message`` what
    to append to the history, ``parsed`` what ``schema=`` asked for, ``headers`` the answer's,
    looked up in any case, ``raw`` the decoded answer (of a stream: put together). After functions
    ran, usage, cost, times and attempts are the sums of all rounds, and ``rounds`` the messages
    between question and answer.
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
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    raw: Json = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.content

    @property
    def truncated(self) -> bool:
        """Whether a token limit cut the answer; tool arguments may then be half a JSON text."""
        reasons = (self.finish_reason, self.native_finish_reason)
        return any(r is not None and r.lower() in _LIMIT_REASONS for r in reasons)

    @property
    def files(self) -> list[str]:
        """URLs of the images and the sound that came back: data URLs, or links."""
        sound = _str(_dict(self.audio).get("data"))
        return [*self.images, *([f"data:audio/x;base64,{sound}"] if sound else [])]

    @property
    def messages(self) -> list[Json]:
        """What to add to the history: the rounds of functions, where there were some, and the message."""
        return [*self.rounds, self.message]

    @property
    def message(self) -> Json:
        """The assistant message for the history: tool calls and reasoning unchanged."""
        functions = [(call.id, {"name": call.name, "arguments": call.arguments}) for call in self.tool_calls]
        parts = {
            "tool_calls": [{"id": i, "type": "function", "function": function} for i, function in functions],
            "reasoning_details": self.reasoning_details,
            "reasoning": None if self.reasoning_details else self.reasoning,
            "refusal": self.refusal,
            "annotations": self.annotations,
            "images": _list(_message(_first_choice(self.raw)).get("images")),
        }
        return {"role": "assistant", "content": self.content, **{k: v for k, v in parts.items() if v}}


@dataclass(frozen=True, eq=False, repr=False)
class Chunk(_Value):
    """One event of a stream as it came; ``tool_calls`` are fragments, merged in the Completion."""

    content: str = ""
    reasoning: str = ""
    tool_calls: list[Json] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage | None = None
    raw: Json = field(default_factory=dict, repr=False)


class Embeddings(_VectorList):
    """A list of vectors in the order of the inputs, with what they cost."""

    usage = Usage()
    cost: float | None = None
    cost_source: str | None = None
    model: str | None = None
    raw: Json

    def __init__(self, vectors: Iterable[list[float]], **about: Any) -> None:
        super().__init__(vectors)
        self.__dict__.update(about)


def _choice_zero(body: Json) -> Json:
    """Return the choice of index 0, or {}: ``choices`` may be empty, and there may be others."""
    for choice in _list(body.get("choices")):  # no generator: this runs for every chunk
        if isinstance(choice, dict) and not choice.get("index"):
            return choice
    return {}


def _first_choice(body: Json) -> Json:
    """Return the choice of index 0, or the first there is, or {}."""
    return _choice_zero(body) or next(iter(_dicts(body.get("choices"))), {})


def _message(choice: Json) -> Json:
    return _dict(choice.get("message") or choice.get("delta"))


# NaN and Infinity are no JSON, but one of them in a counter must not cost a paid answer.
_DECODER = json.JSONDecoder(parse_constant=lambda name: None)


def decode_json(text: str) -> Any:
    """Decode JSON text; raises ValueError also for what is nested too deep."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def text_of(content: object) -> str:
    """Return the text of a message content: a string, a list of parts, or null."""
    if isinstance(content, str):
        return content
    return "".join(_str(part.get("text")) for part in _dicts(content))


# --- Wire format ----------------------------------------------------------------------------
# Bytes and dicts in, values out. No clock, no socket, no file: all of it can be fed by a test.


def messages_of(prompt: object, system_prompt: str | None) -> list[Json]:
    """Return the messages of a prompt or a history; raise ConfigError for what can't be sent."""
    if isinstance(prompt, str):
        if not prompt.strip():
            raise ConfigError("the prompt is empty", hint="pass some text")
        messages: list[Json] = [{"role": "user", "content": prompt}]
    else:
        messages = _checked_messages(prompt)
    if system_prompt and not any(m["role"] in ("system", "developer") for m in messages):
        messages.insert(0, {"role": "system", "content": system_prompt})
    return messages


def _checked_messages(value: object) -> list[Json]:
    if not isinstance(value, (list, tuple)):
        hint = "messages=[{'role': 'user', 'content': '...'}]; for a plain prompt use complete()"
        raise ConfigError(f"messages is {_kind(value)}, not a list", hint=hint)
    if not value:
        raise ConfigError("messages is empty", hint="give at least one {'role': 'user', 'content': '...'}")
    for i, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            hint = "{'role': 'user', 'content': '...'}; of an answer append completion.message"
            raise ConfigError(f"messages[{i}] is no dict with a role: {redact(repr(message)[:80], None)}", hint=hint)
    return list(value)


def build_body(config: LlmConfig, messages: list[Json], params: Json, *, stream: bool) -> Json:
    """Return the body of POST /chat/completions: what was asked for and nothing else."""
    fields: Json = {name: getattr(config, name) for name in SETTING_FIELDS if name not in params}
    fields.update(config.params or {}, **({"stream": True} if stream else {}))
    fields.update((k, v) for k, v in params.items() if k not in CALL_SETTINGS or k in SETTING_FIELDS)
    body: Json = {"model": config.model, "messages": messages}
    body.update((k, v) for k, v in fields.items() if v is not None or k not in SETTING_FIELDS)
    if "models" in body:
        if config.fallbacks:
            raise ConfigError("both fallbacks and models are given", hint="they are one thing: keep fallbacks")
        if config.model == DEFAULT_MODEL and "model" not in params:
            del body["model"]  # nobody asked for it, and it would be tried first
    return body


def with_models(body: Json, models: Sequence[str]) -> Json:
    """Return the body for one attempt: one model as ``model``, several as ``models``."""
    if len(models) < 2:
        return {**body, "model": models[0]} if models else body
    return {"models": list(models), **{k: v for k, v in body.items() if k != "model"}}


def encode_body(body: object) -> bytes:
    """Encode compactly in the given key order; raise ConfigError that names what is no JSON."""
    try:
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        hint = "use strings, numbers, booleans, None, lists and dicts"
        raise ConfigError(f"{_unencodable(body)} can't be sent as JSON: {error}", hint=hint) from None
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it, UTF-8 can't
        return json.dumps(body, separators=(",", ":")).encode()


def _unencodable(body: object) -> str:
    for name, value in _dict(body).items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return str(name)
    return "the body"


class LimitError(ValueError):
    """The other side sent more than a named limit allows."""


class SSEDecoder:
    """Server-sent events from bytes cut anywhere, as the WHATWG standard splits them.

    Lines end at CR, LF or CRLF only (U+2028 is legal inside JSON); comments are dropped; several
    ``data`` lines are joined. ``pending`` counts the bytes held of an event that is not yet
    whole, so that a caller can tell data from keep-alive comments.
    """

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._line: list[bytes] = []  # the pieces of a line whose end has not come
        self._line_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._after_cr = False
        self._at_start = True

    @property
    def pending(self) -> int:
        """Bytes held of an unfinished event; comment lines don't count."""
        is_data = bool(self._line) and b"data".startswith(b"".join(self._line[:2])[:4])
        return self._data_size + (self._line_size if is_data else 0)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of each event that this piece completes; raises LimitError."""
        if self._after_cr and data:
            data = data[1:] if data[:1] == b"\n" else data
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            self._hold(data)
            return []
        if self._line:
            head = b"".join(self._line) + head
        self._line, self._line_size = [], 0
        events = self._events(head.split(b"\n"))
        self._hold(tail)
        return events

    def _hold(self, piece: bytes) -> None:
        self._line_size += len(piece)
        if self._line_size + self._data_size > self._max_event:
            raise LimitError(f"an event of more than {self._max_event:,} bytes")
        if self._line and len(piece) < 1024 and len(self._line[-1]) < 1024:
            self._line[-1] += piece  # a drip of single bytes must not become a list of them
        elif piece:
            self._line.append(piece)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        if self._at_start and lines[0][:3] == b"\xef\xbb\xbf":
            lines[0] = lines[0][3:]
        self._at_start = False
        events = []
        for line in lines:
            name, _, value = line.partition(b":")
            if name == b"data":
                value = value[1:] if value[:1] == b" " else value
                self._data.append(value)
                self._data_size += len(value) + 1
                self._hold(b"")  # which looks at the size
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data, self._data_size = [], 0
        return events


class LengthFraming:
    """An HTTP body of known length, or (None) one that ends with the connection."""

    def __init__(self, length: int | None) -> None:
        self.left = length
        self.done = length == 0
        self.rest = b""
        self.failure = None

    def feed(self, data: bytes) -> bytes:
        """Return the body bytes of this piece."""
        if self.left is None:
            return data
        body, self.rest = data[: self.left], data[self.left :]
        self.left -= len(body)
        self.done = self.left == 0
        return body

    def end(self) -> bool:
        """Take note that the connection ended; return whether the body is whole."""
        self.done = self.done or self.left is None
        return self.done


class ChunkedFraming:
    """An HTTP body in chunks (RFC 9112, section 7.1), from bytes cut anywhere."""

    MAX_LINE = 8192  # bytes of a chunk's head or a trailer line

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self.failure: ValueError | None = None
        self._chunk_left = 0
        self._held = b""
        self._state = "head"  # head, data, gap (the line end after data), trailer

    def feed(self, data: bytes) -> bytes:
        """Return the body bytes of this piece; where it is no longer chunked, ``failure`` says why."""
        data = self._held + data if self._held else data
        out: list[bytes] = []
        at = 0
        while not self.done:
            if self._state == "data":
                piece = data[at : at + self._chunk_left]
                out.append(piece)
                at += len(piece)
                self._chunk_left -= len(piece)
                if self._chunk_left:
                    break
                self._state = "gap"
            end = data.find(b"\n", at)
            if end < 0:
                break
            self._line(data[at:end].rstrip(b"\r"))
            at = end + 1
            if self.failure:
                break
        self._held = b"" if self.done else data[at:]
        self.rest = data[at:] if self.done else b""
        if len(self._held) > self.MAX_LINE and not self.failure:
            self.failure = LimitError("a chunk head of more than 8 KiB")
        return out[0] if len(out) == 1 else b"".join(out)

    def _line(self, line: bytes) -> None:
        if self._state == "head":
            size = line.split(b";", 1)[0].strip()
            if not 0 < len(size) < 16 or size.strip(b"0123456789abcdefABCDEF"):  # int() takes more than digits
                self.failure = ValueError(f"a chunk head {line[:40]!r}")
                return
            self._chunk_left = int(size, 16)
            self._state = "data" if self._chunk_left else "trailer"
        elif self._state == "gap":
            if line:
                self.failure = ValueError(f"{line[:40]!r} after a chunk")
            self._state = "head"
        elif not line:
            self.done = True

    def end(self) -> bool:
        """Take note that the connection ended; return whether the body is whole."""
        return self.done


# How the pieces of a delta grow into the value of a message. What is not named here: the last
# value that is not null wins.
_LAST_EVENTS = ("response.completed", "response.incomplete", "message_stop")
_TEXT_KEYS = ("content", "reasoning", "reasoning_content", "refusal")
_LIST_KEYS = ("images", "annotations")
_OUTPUT_KEYS = frozenset([*_TEXT_KEYS, "tool_calls", "reasoning_details", "images", "audio"])
_GROWING_KEYS = frozenset(["text", "summary", "data", "transcript"])  # of reasoning blocks and audio


class ChunkAssembler:
    """Put the chunks of a stream together into the body that a plain answer would have had."""

    def __init__(self) -> None:
        self._envelope: Json = {}
        self._choices: dict[int, Json] = {}
        self._is_over = False
        self.has_output = False

    @property
    def has_finish(self) -> bool:
        """Whether every answer that has begun (``n`` may be several) has come to its end."""
        return self._is_over or bool(self._choices) and all(c["finish_reason"] for c in self._choices.values())

    def add(self, chunk: Json) -> None:
        """Take one chunk; odd types are kept out of the message, never fatal."""
        for key, value in chunk.items():
            if key == "choices":
                for choice in _dicts(value):
                    self._add_choice(choice)
            elif value is not None:
                self._envelope[key] = value
        if "type" in chunk:  # an event of /responses or /messages, which carry their answer inside
            self._is_over = self._is_over or chunk["type"] in _LAST_EVENTS
            self._envelope.update(_dict(chunk.get("response")) or _dict(chunk.get("message")))

    def _add_choice(self, delta_choice: Json) -> None:
        index = _int_or_none(delta_choice.get("index")) or 0
        begun: Json = {"index": index, "message": {"role": "assistant"}, "finish_reason": None}
        choice = self._choices.setdefault(index, begun)
        for key, value in delta_choice.items():
            if value is None or key == "index":
                continue
            if key in ("delta", "message"):
                self._add_delta(choice["message"], _dict(value))
            elif key == "logprobs":
                _merge(choice.setdefault(key, {}), _dict(value))
            elif key in ("finish_reason", "native_finish_reason"):
                choice[key] = choice.get(key) or value  # the first; it may come twice
            else:
                choice[key] = value

    def _add_delta(self, message: Json, delta: Json) -> None:
        for key, value in delta.items():
            new = text_of(value) if key in _TEXT_KEYS else value
            if not new or key == "role":
                continue
            if key in _TEXT_KEYS:
                message.setdefault(key, []).append(new)  # joined at the end
            elif key == "tool_calls":
                merge_tool_calls(message.setdefault(key, []), new)
            elif key == "reasoning_details":
                _merge_reasoning(message.setdefault(key, []), new)
            elif key in _LIST_KEYS:
                message.setdefault(key, []).extend(_list(new))
            elif key == "audio":
                _merge(message.setdefault(key, {}), _dict(new))
            else:
                message[key] = new
            self.has_output = self.has_output or key in _OUTPUT_KEYS

    def body(self) -> Json:
        """Return the answer so far in the shape of a plain one."""
        choices = []
        for _, choice in sorted(self._choices.items()):
            message = {k: "".join(v) if k in _TEXT_KEYS else v for k, v in choice["message"].items()}
            message.setdefault("content", "")
            if "tool_calls" in message:
                message["tool_calls"] = sorted(message["tool_calls"], key=lambda call: call["index"])
            choices.append({**choice, "message": message})
        return {**self._envelope, "choices": choices}


def merge_tool_calls(calls: list[Json], fragments: object) -> None:
    """Merge fragments by ``index``; a later null or empty id or name never overwrites the first."""
    for fragment in _dicts(fragments):
        call_id, function = _str(fragment.get("id")), _dict(fragment.get("function"))
        index = _int_or_none(fragment.get("index"))
        if index is None:  # without a number: a new call with a new id, else the one of that id, or the last
            known = [c for c in calls if not call_id or c["id"] == call_id]
            index = known[-1]["index"] if known else calls[-1]["index"] + 1 if calls else 0
        call = next((c for c in calls if c["index"] == index), None)
        if call is None:
            call = {"index": index, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            calls.append(call)
        call["id"] = call["id"] or call_id
        call["type"] = _str(fragment.get("type")) or call["type"]
        target = call["function"]
        target["name"] = target["name"] or _str(function.get("name"))
        target["arguments"] += _str(function.get("arguments"))


def _merge_reasoning(details: list[Json], fragments: object) -> None:
    """Merge pieces by (type, index), in order of first sight; what has no index stays as it is.

    Two types may share one index. A Claude block is many texts and a signature that comes last.
    """
    for fragment in _dicts(fragments):
        index, kind = fragment.get("index"), fragment.get("type")
        same = [d for d in details if d.get("index") == index and d.get("type") == kind]
        if not isinstance(index, int) or not same:
            same = [{}]
            details += same
        _merge(same[-1], fragment)


def _merge(target: Json, piece: Json) -> None:
    """Add what grows; of the rest the last value that says something stays."""
    for key, value in piece.items():
        held = target.get(key)
        if key in _GROWING_KEYS and isinstance(value, str):
            target[key] = _str(held) + value
        elif isinstance(value, list) and isinstance(held, list):
            held.extend(value)
        elif value or held is None:
            target[key] = list(value) if isinstance(value, list) else value


def decode_completion(
    body: Json,
    *,
    requested_model: str | None = None,
    attempts: Sequence[Attempt] = (),
    latency_ms: int | None = None,
    first_token_ms: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Completion:
    """Read a plain or an assembled answer; unknown fields stay in ``raw``."""
    choice = _first_choice(body)
    message = _message(choice)
    usage = Usage.from_wire(body.get("usage"))
    model = _str_or_none(body.get("model"))
    details = _dicts(message.get("reasoning_details"))
    cost, source = cost_of(model or requested_model, usage)
    return Completion(
        content=text_of(message.get("content")),
        reasoning=_reasoning_text(message, details),
        tool_calls=[_tool_call(c) for c in _dicts(message.get("tool_calls"))],
        model=model,
        requested_model=requested_model,
        provider=_str_or_none(body.get("provider")),
        finish_reason=_str_or_none(choice.get("finish_reason")),
        native_finish_reason=_str_or_none(choice.get("native_finish_reason")),
        usage=usage,
        cost=cost,
        cost_source=source,
        id=_str_or_none(body.get("id")),
        created=_int_or_none(body.get("created")),
        latency_ms=latency_ms,
        first_token_ms=first_token_ms,
        attempts=list(attempts),
        images=[url for url in map(_image_url, _list(message.get("images"))) if url],
        audio=message.get("audio") if isinstance(message.get("audio"), dict) else None,
        annotations=_dicts(message.get("annotations")),
        reasoning_details=details,
        refusal=_str_or_none(message.get("refusal")),
        logprobs=choice.get("logprobs") if isinstance(choice.get("logprobs"), dict) else None,
        headers=headers or {},
        raw=body,
    )


def _tool_call(call: Json) -> ToolCall:
    function = _dict(call.get("function"))
    arguments = function.get("arguments")
    if isinstance(arguments, (dict, list)):  # an upstream that forgot to make it a string
        arguments = json.dumps(arguments)
    return ToolCall(_str(call.get("id")), _str(function.get("name")), _str(arguments))


def _reasoning_text(message: Json, details: list[Json]) -> str | None:
    for key in ("reasoning", "reasoning_content"):
        if isinstance(message.get(key), str):
            return str(message[key])
    return "".join(_str(d.get("text")) or _str(d.get("summary")) for d in details) or None


def _image_url(image: object) -> str:
    url = _dict(image).get("image_url")
    return _str(url) or _str(_dict(url).get("url"))


def decode_chunk(chunk: Json) -> Chunk:
    """Read one event of a stream for the caller."""
    delta = _message(_choice_zero(chunk))
    usage = chunk.get("usage")
    return Chunk(
        content=text_of(delta.get("content")),
        reasoning=_reasoning_text(delta, _dicts(delta.get("reasoning_details"))) or "",
        tool_calls=_dicts(delta.get("tool_calls")),
        finish_reason=_str_or_none(_choice_zero(chunk).get("finish_reason")),
        usage=Usage.from_wire(usage) if isinstance(usage, dict) else None,
        raw=chunk,
    )


def chunk_text(chunk: Json) -> str:
    """Return the text that a chunk adds to the answer."""
    return text_of(_message(_choice_zero(chunk)).get("content"))


def answer_text(completion: Completion) -> str | None:
    """Return the text of an answer of /chat/completions, /responses or /messages."""
    body = completion.raw
    inside = [text_of(item.get("content")) for item in _dicts(body.get("output"))]
    return completion.content or completion.refusal or "".join(inside) or text_of(body.get("content")) or None


def check_generation(completion: Completion) -> None:
    """Raise APIResponseError for an answer without choices and for an empty generation.

    Empty is: no output at all, no completion tokens and a null finish_reason, as a model that is
    still starting gives (API page, "Failures that arrive with HTTP 200"). Empty content with
    ``stop`` or ``length`` is an answer.
    """
    output = "content reasoning tool_calls refusal images audio reasoning_details finish_reason".split()
    if not _list(completion.raw.get("choices")):
        said = "the answer has no choices: " + shown_body(json.dumps(completion.raw))
        raise APIResponseError(said, hint="nothing was generated; try again, or name fallbacks", retryable=True)
    if not completion.usage.completion_tokens and not any(getattr(completion, name) for name in output):
        said = "the model generated nothing (no text, no tokens, no finish_reason)"
        hint = "it may be starting up, and it is not billed: try again in a minute, or name fallbacks"
        raise APIResponseError(said, hint=hint, retryable=True)


def decode_embeddings(body: Json, requested_model: str | None, count: int) -> Embeddings:
    """Read the answer of POST /embeddings; base64 vectors (little-endian float32) are decoded."""
    entries = _dicts(body.get("data"))
    if all(isinstance(entry.get("index"), int) for entry in entries):
        entries.sort(key=lambda entry: entry["index"])
    usage = Usage.from_wire(body.get("usage"))
    model = _str_or_none(body.get("model"))
    cost, source = cost_of(model or requested_model, usage)
    vectors = [_vector(entry.get("embedding")) for entry in entries]
    if len(vectors) != count or not all(vectors):
        raise APIResponseError(
            f"the answer holds {sum(map(bool, vectors))} embeddings for {count} texts: {shown_body(json.dumps(body))}",
            hint="send fewer texts at once, or another model",
        )
    return Embeddings(vectors, usage=usage, cost=cost, cost_source=source, model=model, raw=body)


def _vector(value: object) -> list[float]:
    if isinstance(value, str):
        import base64
        import struct

        try:
            data = base64.b64decode(value, validate=True)
            return list(struct.unpack(f"<{len(data) // 4}f", data))
        except (ValueError, struct.error):
            return []
    return _list(value)


# Errors on the wire: one decoder for an HTTP status, an ``error`` in a 200 body, a per-choice
# error and an error frame in a stream.

_UNKNOWN_MODEL = r"(?i)(\S+) is not a valid model ID|Model (\S+) does not exist"
_DAILY_LIMIT = r"(?i)per[- ]day|daily limit"
# Failures of one model: another one may do. The others end at once.
_MODEL_BOUND_TYPES = frozenset({"content_policy_violation", "refusal", "not_found"})
_MODEL_BOUND_CODES = frozenset(
    "model_not_found no_endpoints model_deprecated model_unavailable_upstream capacity_exhausted"
    " temporarily_unavailable region_restricted privacy_restricted constraint_filtered free_variant_ended".split()
)


def find_error(body: object) -> Json | None:
    """Return what tells of a failure in a decoded 200 body or chunk: it, or its first bad choice."""
    if not isinstance(body, dict):
        return None
    if body.get("error"):
        return body
    for choice in _dicts(body.get("choices")):
        if choice.get("error") or choice.get("finish_reason") == "error":
            return {"error": choice.get("error") or {"message": "the provider ended the answer with an error"}}
    if body.get("type") in ("error", "response.failed"):  # /messages and /responses
        return {"error": _dict(body.get("response")).get("error") or body}
    if "choices" not in body and "code" in body and isinstance(body.get("message"), str):  # a gateway's own
        return {"error": body}
    return None


def decode_error(
    body: object, *, status: int, headers: Mapping[str, str], models: Sequence[str], key_note: str, now: float
) -> APIStatusError:
    """Turn an error answer into its class, with the server's words and a hint.

    ``body`` is decoded JSON or text, ``models`` what was asked for, ``now`` epoch seconds.
    """
    error = _dict(body).get("error", body if _dict(body).get("message") else None)
    fields = _dict(error)
    metadata, availability = _dict(fields.get("metadata")), _dict(fields.get("availability"))
    kind = metadata.get("error_type") or fields.get("error_type") or _dict(body).get("error_type") or fields.get("type")
    code = _error_status(status, fields, kind)
    message = _error_message(error, body, f"HTTP {code}" if status == code else f"error {code}")
    is_unknown = re.search(_UNKNOWN_MODEL, message) or availability.get("code") == "model_not_found"
    made = (ModelNotFoundError if code == 400 and is_unknown else error_class(code))(
        message,
        status=code,
        error_type=_str_or_none(kind) or _str_or_none(fields.get("code")),
        body=body,
        metadata=metadata,
        retry_after=_retry_after(availability, headers, metadata, now),
        retryable=_is_retryable(code, message, availability),
        fallback_models=[m for m in _list(availability.get("fallback_models")) if isinstance(m, str)],
        generation_id=headers.get("X-Generation-Id") or _str_or_none(_dict(body).get("id")),
        availability=availability,
    )
    made.hint = hint_for(made, models=models, key_note=key_note, now=now)
    return made


def _error_status(status: int, fields: Json, kind: object) -> int:
    if not 200 <= status <= 299:
        return status
    for value in (fields.get("code"), fields.get("http_status"), ERROR_TYPE_STATUS.get(str(kind))):
        number = _int_or_none(_number_or_none(value))
        if number and 300 <= number <= 599:
            return number
    return ERROR_TYPE_STATUS.get(str(fields.get("code")), 502)


def _error_message(error: object, body: object, label: str) -> str:
    fields = _dict(error)
    words = _str(error) or _str(fields.get("message"))
    if not words.strip():
        said = body if isinstance(body, str) else json.dumps(body) if body else ""
        return f"{label}: {shown_body(said)}" if said else f"{label} without a word"
    metadata = _dict(fields.get("metadata"))
    provider, upstream = _str(metadata.get("provider_name")), _upstream_text(metadata.get("raw"))
    words += f" ({provider})" if provider else ""
    detail = _str(_dict(_dict(fields.get("availability")).get("constraint")).get("detail"))
    for more in (upstream, detail):
        words += f": {more}" if more not in words else ""
    return f"{label}: {words}"


def _upstream_text(raw: object) -> str:
    """Return the words of the upstream's own error: of JSON in any shape its message, else the text."""
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


def shown_body(text: str) -> str:
    """Return the head of an unreadable body on one line; of an HTML page its words."""
    if re.match(r"\s*<", text):
        text = re.sub(r"(?is)<(script|style).*?</\1>|<[^>]*>", " ", text[: 64 * 1024])
    text = " ".join(text[: 16 * SHOWN_BODY].split())
    return text if len(text) <= SHOWN_BODY else text[:SHOWN_BODY] + "..."


def _is_retryable(status: int, message: str, availability: Json) -> bool:
    told = availability.get("retryable")
    is_daily = status == 429 and re.search(_DAILY_LIMIT, message)
    return told if isinstance(told, bool) else not is_daily and error_class(status) in (RateLimitError, ProviderError)


def _retry_after(availability: Json, headers: Mapping[str, str], metadata: Json, now: float) -> float | None:
    for asked in (availability.get("retry_after"), headers.get("Retry-After")):
        wait = parse_retry_after(asked, now)
        if wait is not None:
            return wait
    inside = {str(k).lower(): v for k, v in _dict(metadata.get("headers")).items()}
    return parse_reset(headers.get("X-RateLimit-Reset") or inside.get("x-ratelimit-reset"), now)


_FOR_EVER = 1e9  # s; 31 years, which a date can still hold


def parse_retry_after(value: object, now: float) -> float | None:
    """Return the seconds that Retry-After asks for (seconds or an HTTP date); None for nonsense."""
    number = _number_or_none(value)
    if number is None and _str(value).strip().isdigit():
        number = _FOR_EVER  # more digits than a float holds
    if number is not None:
        return min(number, _FOR_EVER) if number >= 0 else None
    if not isinstance(value, str):
        return None
    from email.utils import parsedate_to_datetime

    try:
        wait = parsedate_to_datetime(value).timestamp() - now
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(wait, _FOR_EVER) if wait >= 0 else None


def parse_reset(value: object, now: float) -> float | None:
    """Return the seconds until X-RateLimit-Reset, an epoch in milliseconds (or, by size, seconds)."""
    epoch = _number_or_none(value)
    if epoch is None or epoch < 1e9:
        return None
    return min(max(0.0, (epoch / 1000 if epoch > 1e11 else epoch) - now), _FOR_EVER)


def other_model_may_help(error: OpenRouterError) -> bool:
    """Say whether the failure belongs to the model, so that a fallback can cure it."""
    if isinstance(error, APIResponseError):
        return error.retryable
    if not isinstance(error, APIStatusError) or error.partial is not None:
        return False
    if isinstance(error, (ModelNotFoundError, RateLimitError, ProviderError)):
        return True
    if error.error_type in _MODEL_BOUND_TYPES or error.availability.get("code") in _MODEL_BOUND_CODES:
        return True
    return error.status == 403 and ("flagged_input" in error.metadata or "reasons" in error.metadata)


def unknown_model(error: OpenRouterError, models: Sequence[str]) -> str | None:
    """Return which of the models the server does not know, if that is what it says."""
    if not isinstance(error, ModelNotFoundError) or error.status != 400:
        return None
    named = re.search(_UNKNOWN_MODEL, error.message)
    name = (named.group(1) or named.group(2)).strip("'\"`") if named else ""
    return name if name in models else models[0] if models else None


_RATE_HINT = (
    "OpenRouter or the provider limits the rate: send less at once, name fallbacks, add a provider key of your own,"
    " or consider upgrading"
)
# Hints: (status, what the server's words and codes hold, what to do now). The first row is taken that
# fits and whose facts are known. 404 is every unknown or unavailable model.

_HINTS = (
    ("402", "", f"set max_tokens=%(afford)s or less, or add credits at {CREDITS_URL}"),
    ("429", _DAILY_LIMIT, "the free daily limit resets at %(reset)s UTC; waiting seconds or more keys will not"
     " help: use the paid model (without :free), or buy 10 credits once, which raises it from 50 to 1000 a day"),
    ("404", "data policy", f"your data policy excluded every provider: allow more at {PRIVACY_URL}, or drop"
     " data_collection='deny' / zdr from provider={...}"),
    ("404", "zdr", f"zero data retention excluded every provider: relax zdr in provider={{...}} or at {PRIVACY_URL}"),
    ("404", "max price", "every provider costs more than provider={'max_price': ...}: raise it"),
    ("404", "tool use", "this model cannot take tools: leave them out or choose one that can (METADATA[id].tools)"),
    ("404", "requested? param|require param", "no provider takes all you sent: send less, or drop require_parameters"),
    ("404", "quantization", "no provider has that quantization: relax quantizations in provider={...}"),
    ("404", "context length", "the prompt is longer than every provider takes: shorten it or choose a longer context"),
    ("404", "allowed providers", "provider={'only': ...} or your account's list excludes all: name other providers"),
    ("404", "ignored", "provider={'ignore': ...} or your account's list excludes all: ignore fewer providers"),
    ("404", r"\bgeo\b", "no provider serves this model in your region: choose another model"),
    ("404", "data region", "no provider of this model works in that region: use another base_url or model"),
    ("404", "image input", "this model cannot read images: choose one with image among METADATA[id].input_modalities"),
    ("404", "provider returned error", "the provider failed, not the name: try again, or name fallbacks=[...]"),
    (".*", "", "OpenRouter offers instead: %(offered)s (they may differ in price); see fallbacks="),
    ("404", "", f"did you mean %(near)s? names are maker/model-name: {MODELS_URL}"),
    ("404", "deprecated", f"%(asked)s is no longer served: choose its successor at {MODELS_URL}"),
    ("404", "", f"check the exact name %(asked)s (maker/model-name) at {MODELS_URL}, and your provider settings"),
    ("404", "", "check the path and the id in it; the record of a generation comes some seconds after its answer"),
    ("401", "", f"verify your key at {KEYS_URL}; %(key_note)s"),
    ("403", "", "moderation flagged the input (%(reasons)s): change it, or name a fallback"),
    ("403", "flagged|moderation", "moderation flagged the input: change it, or name a fallback"),
    ("403", "key limit", f"the key has used up its own limit: raise it at {KEYS_URL}, or wait until it resets"),
    ("403", "budget", "a budget of the workspace, guardrail or key is spent: raise it, or wait until it resets"),
    ("403", "guardrail|patterns", "a guardrail of your account blocked the request: change the text or the guardrail"),
    ("403", "management|provisioning", "this needs a management key; a key for inference can't do it, nor the reverse"),
    ("403", "region|country", "the model is not offered in your region: choose another model"),
    ("403", "", f"the key may not do this: check its rights at {KEYS_URL}, and your guardrails"),
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
    (".*", "", "correct the request as the message says"),
)  # fmt: skip


def hint_for(error: APIStatusError, *, models: Sequence[str], key_note: str, now: float) -> str:
    """Say what to do now; the server's own words stand in the message."""
    is_model = isinstance(error, ModelNotFoundError)
    unknown = unknown_model(error, models)
    said = "" if unknown else _words_of(error)  # an unknown name may hold any word of the table
    wanted = unknown or (models[0] if models and is_model and models[0] not in METADATA else None)
    afford = re.search(r"can (?:only )?afford ([\d,]+)", said)
    reset = now + error.retry_after if error.retry_after else (now // 86400 + 1) * 86400
    facts = {
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
    for statuses, words, advice in _HINTS:
        needed = re.findall(r"%\((\w+)\)", advice)
        if re.fullmatch(statuses, status) and re.search(words, said) and all(facts[n] for n in needed):
            return advice % facts
    return ""


def _words_of(error: APIStatusError) -> str:
    """Return all that an error says of its reason, in words and in codes."""
    why = error.availability
    codes = [error.error_type, why.get("code"), _dict(why.get("constraint")).get("field"), *error.metadata]
    words = [error.message, error.metadata.get("raw"), *codes, *_list(why.get("excluded_by"))]
    return " ".join(str(w) for w in words if w).lower().replace("_", " ")


# Attachments: what the first bytes or the name say that a file is, and the content part that carries it.

# (part, MIME type or audio format, first bytes, endings of names); what a name says decides where the bytes fit several
_MEDIA = (
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
    ("video", "video/mp4", rb"....ftyp(?!hei|hev|mif|msf|avi)", "mp4 m4v"),  # no picture of HEIC or AVIF
    ("audio", "m4a", rb"....ftyp(?!hei|hev|mif|msf|avi)", "m4a"),
    ("video", "video/webm", rb"\x1aE\xdf\xa3", "webm"),
    ("video", "video/mpeg", rb"\x00\x00\x01[\xb3\xba]", "mpeg mpg"),
)


def attachment_part(name: str, data: bytes) -> Json:
    """Return the content part of a file: known media by content and name, else text in UTF-8."""
    fitting = [row for row in _MEDIA if re.match(row[2], data, re.S)]
    text = None if fitting else _text_in(data)
    if text is not None:
        return {"type": "text", "text": f"{name}:\n{text}"}
    rows = [row for row in fitting or _MEDIA if _ending(name) in row[3].split()] or fitting
    if not rows:
        known = " ".join(dict.fromkeys(" ".join(row[3] for row in _MEDIA).split()))
        raise ConfigError(f"attachments: {name} is of no known kind", hint=f"known: {known}, and text in UTF-8")
    import base64

    part, kind, _, endings = rows[0]
    encoded = base64.b64encode(data).decode()
    if part == "audio":
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": kind}}
    full_name = name if _ending(name) else f"{name}.{endings.split()[0]}"
    return _link_part(part, f"data:{kind};base64,{encoded}", full_name)


def _text_in(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def data_of_url(url: str) -> bytes:
    """Return what a data URL (RFC 2397) holds; raises ValueError where it is torn."""
    import base64
    from urllib.parse import unquote_to_bytes

    head, comma, text = url.partition(",")
    if not comma:
        raise ValueError("a data URL without a comma")
    return base64.b64decode(text, validate=True) if head.endswith(";base64") else unquote_to_bytes(text)


def media_ending(data: bytes) -> str:
    """Return the ending that suits a file's first bytes; "bin" for what is not known, such as raw sound."""
    known = (row[3].split()[0] for row in _MEDIA if re.match(row[2], data, re.S))
    return next(known, "svg" if b"<svg" in data[:1000] else "bin")


def _ending(name: str) -> str:
    return os.path.splitext(name)[1][1:].lower()


def _link_part(part: str, url: str, name: str) -> Json:
    if part == "file":
        return {"type": "file", "file": {"filename": name, "file_data": url}}
    return {"type": f"{part}_url", f"{part}_url": {"url": url}}


def url_part(url: str) -> Json:
    """Return the content part of an http(s) URL, by the ending of its path; an image where that tells nothing."""
    name = re.split("[?#]", url)[0].rstrip("/").rpartition("/")[2]
    part = next((row[0] for row in _MEDIA if _ending(name) in row[3].split()), "image")
    if part == "audio":
        raise ConfigError(f"attachments: {url} is audio, which goes out as a file only", hint="download it first")
    is_film = re.match(r"https?://((www|m)\.)?(youtube\.com|youtu\.be)/", url, re.I)
    return _link_part("video" if is_film else part, url, name)


def with_attachments(messages: list[Json], parts: list[Json]) -> list[Json]:
    """Return the messages with the parts after the text of the last one, which must be the user's."""
    *earlier, last = messages
    if last["role"] != "user":
        raise ConfigError("attachments: the last message is not the user's", hint="put the parts into its content")
    content = last.get("content")
    said = [{"type": "text", "text": content}] if isinstance(content, str) else _list(content)
    return [*earlier, {**last, "content": [*said, *parts]}]


# Schemas: from type hints to JSON Schema, and from decoded JSON back to what the hints say. For
# functions as tools and for structured output.

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def schema_of(hint: Any, *, strict: bool = False, inside: tuple[Any, ...] = ()) -> Json:
    """Return the JSON Schema of a type hint; raises ConfigError for what JSON can't carry.

    ``strict``: every property is required, as structured output wants it (API page, section 8).
    ``inside``: the hints around this one.
    """
    import typing

    def schema(inner: Any) -> Json:
        return schema_of(inner, strict=strict, inside=(*inside, hint))

    hint = _named(hint)
    kind, args = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hasattr(hint, "__metadata__"):  # Annotated
        said = [m for m in hint.__metadata__ if isinstance(m, str)]
        return {**schema(hint.__origin__), **({"description": said[0]} if said else {})}
    if hint is typing.Any or hint is object:
        return {}
    if _is_union(kind):
        return {"anyOf": [schema(a) for a in args]}
    if kind is typing.Literal:
        return _choice(args)
    if isinstance(kind, type) and hint not in inside:
        if kind in _JSON_TYPES:
            return {"type": _JSON_TYPES[kind]}
        if hasattr(kind, "__members__"):  # Enum
            return _choice([member.value for member in kind])  # type: ignore[attr-defined]
        if _has_fields(kind):
            fields = {name: (schema(inner), has_default) for name, (inner, has_default) in _fields_of(kind).items()}
            return _object(fields, strict=strict)
        if hasattr(kind, "keys"):
            return {"type": "object", "additionalProperties": schema(args[1]) if len(args) > 1 else True}
        if _is_collection(kind):
            return _items(kind, args, schema)
    why = "it contains itself" if hint in inside else "JSON can't carry it"
    raise ConfigError(f"{hint!r} has no schema here: {why}", hint="use plain hints, or give the schema as a dict")


def _object(fields: dict[str, tuple[Json, bool]], *, strict: bool = False) -> Json:
    """Return the schema of an object from {name: (schema, whether it has a default)}."""
    required = [name for name, (_, has_default) in fields.items() if strict or not has_default]
    properties = {name: schema for name, (schema, _) in fields.items()}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _named(hint: Any) -> Any:
    """Return what a NewType or a type alias stands for, else the hint itself."""
    return getattr(hint, "__supertype__", None) or getattr(hint, "__value__", hint)


def _is_union(kind: Any) -> bool:
    import typing

    return kind is typing.Union or getattr(kind, "__name__", "") == "UnionType"  # the X | Y of 3.10


def _is_collection(kind: Any) -> bool:
    from collections.abc import Collection

    return issubclass(kind, Collection) and not issubclass(kind, (bytes, str)) and not hasattr(kind, "_fields")


def _items(kind: Any, args: tuple[Any, ...], schema: Callable[[Any], Json]) -> Json:
    """Return the schema of a container; a tuple of fixed length holds items of one kind."""
    kinds = [a for a in args if a is not ...]
    if any(a != kinds[0] for a in kinds):
        raise ConfigError(f"a {kind.__name__} of {args!r} has no schema here", hint="make it a dataclass")
    size = {"minItems": len(args), "maxItems": len(args)} if kind is tuple and kinds == list(args) != [] else {}
    return {"type": "array", "items": schema(kinds[0]) if kinds else {}, **size}


def _choice(values: Sequence[Any]) -> Json:
    values = [getattr(v, "value", v) for v in values]  # a Literal may name the member of an Enum
    for value in values:
        if not isinstance(value, tuple(_JSON_TYPES)):
            raise ConfigError(f"JSON can't carry the choice {value!r}", hint="choices are strings and numbers")
    types = list(dict.fromkeys(_JSON_TYPES.get(type(v), "string") for v in values))
    return {"type": types[0] if len(types) == 1 else types, "enum": values}


def _has_fields(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) or (issubclass(kind, dict) and hasattr(kind, "__total__"))


def _hints_of(thing: Any) -> Json:
    """Return the evaluated hints of a class or function, Annotated ones whole."""
    import typing

    try:
        extras: Json = {"include_extras": True} if sys.version_info >= (3, 9) else {}
        return typing.get_type_hints(thing, **extras)
    except Exception as error:  # a hint may be any expression
        name = getattr(thing, "__name__", repr(thing))
        hint = "define its types at module level"
        raise ConfigError(f"the hints of {name} can't be read: {error}", hint=hint) from None


def _fields_of(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return {name: (hint, whether it has a default)} of a dataclass or TypedDict."""
    hints = _hints_of(kind)
    if dataclasses.is_dataclass(kind):
        none = dataclasses.MISSING
        fields = [f for f in dataclasses.fields(kind) if f.init]
        return {f.name: (hints[f.name], f.default is not none or f.default_factory is not none) for f in fields}
    optional = getattr(kind, "__optional_keys__", frozenset() if kind.__total__ else frozenset(hints))
    return {name: _unmarked(hint, name in optional) for name, hint in hints.items()}


def _unmarked(hint: Any, is_optional: bool) -> tuple[Any, bool]:
    """Take Required[...] or NotRequired[...] off a TypedDict's hint: where hints are text, it alone tells."""
    import typing

    mark = str(typing.get_origin(hint)).rpartition(".")[2]
    return (typing.get_args(hint)[0], mark[0] == "N") if mark in ("Required", "NotRequired") else (hint, is_optional)


def misfit(value: Any, schema: Any, root: Any = None, where: str = "") -> str:
    """Say where decoded JSON does not fit a JSON Schema, '' where it does.

    Judges $ref, anyOf, oneOf, allOf, type, enum, const, properties, required, additionalProperties,
    items, minItems and maxItems; other keywords are left to the model.
    """
    if not isinstance(schema, dict):
        return f"{where or 'the answer'} is not allowed" if schema is False else ""
    root, place = schema if root is None else root, where or "the answer"
    if "$ref" in schema:
        return misfit(value, _referred(schema["$ref"], root), root, where)
    for kind in ("anyOf", "oneOf"):
        tried = [misfit(value, s, root, where) for s in schema.get(kind, ())]
        if tried and all(tried):
            return max(tried, key=len)
    types = schema.get("type", [])
    if types and not any(_is_json_type(value, t) for t in ([types] if isinstance(types, str) else types)):
        return f"{place} is {json.dumps(value)[:60]}, not of type {types}"
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if choices is not None and value not in choices:
        return f"{place} is {json.dumps(value)[:60]}, not one of {choices}"
    parts = [misfit(value, s, root, where) for s in schema.get("allOf", ())]
    if isinstance(value, dict):
        parts += [f"{place} lacks {name!r}" for name in schema.get("required", ()) if name not in value]
        known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        other = True if "patternProperties" in schema else other  # patterns are not judged
        parts += [misfit(v, known.get(k, other), root, f"{where}.{k}".lstrip(".")) for k, v in value.items()]
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return f"{place} has {len(value)} items, not {schema.get('minItems', 0)} to {schema.get('maxItems', 'any')}"
        parts += [misfit(v, schema.get("items", True), root, f"{where}[{i}]") for i, v in enumerate(value)]
    return next(filter(None, parts), "")


def _referred(pointer: str, root: Any) -> Any:
    for step in filter(None, pointer.lstrip("#").split("/")):
        root = _dict(root).get(step.replace("~1", "/").replace("~0", "~"), {})
    return root


def _is_json_type(value: Any, name: str) -> bool:
    if name in ("array", "object"):
        return isinstance(value, list if name == "array" else dict)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    is_whole = isinstance(value, float) and value.is_integer()
    return _JSON_TYPES.get(type(value)) == name or is_whole and name == "integer"


def build(hint: Any, value: Any) -> Any:
    """Turn decoded JSON that fits the hint's schema into the hint's own objects."""
    import typing

    hint = _named(hint)
    kind, args = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hasattr(hint, "__metadata__"):
        return build(hint.__origin__, value)
    if _is_union(kind):
        return build(next(a for a in args if not misfit(value, schema_of(a))), value)
    if kind is typing.Literal:
        return next((a for a in args if getattr(a, "value", a) == value), value)
    if not isinstance(kind, type) or value is None:
        return value
    if hasattr(kind, "__members__") or kind in (int, float):
        return kind(value)
    if _has_fields(kind):
        inner = _fields_of(kind)
        return kind(**{name: build(inner[name][0], v) for name, v in value.items() if name in inner})
    if isinstance(value, dict):
        return {build(args[0], k): build(args[1], v) for k, v in value.items()} if args else value
    if isinstance(value, list) and _is_collection(kind):
        items = [build(args[0] if args else object, v) for v in value]
        return items if kind.__module__ == "collections.abc" else kind(items)
    return value


def tool_of(function: Callable[..., Any]) -> Json:
    """Return the tool definition of a function: name, docstring, parameters from its hints.

    A parameter is described by Annotated[..., "text"], or in the docstring by a line
    ``name: text`` or ``:param name: text``.
    """
    import inspect

    name = _function_name(function)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise ConfigError(f"tools: {name!r} is no function name", hint="def a function, with a docstring and hints")
    said, hints = inspect.getdoc(_inner(function)) or "", _function_hints(function)
    fields: dict[str, tuple[Json, bool]] = {}
    for parameter in _parameters(function):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ConfigError(f"tools: {name} takes {parameter.name} by position only", hint="remove the / from it")
        schema = schema_of(hints.get(parameter.name, object))
        about = re.search(rf"^\s*(?::param (?:\S+ )?)?{parameter.name}\s*(?:\([^)]*\))?:\s*(.+)$", said, re.M)
        if about:
            schema.setdefault("description", about.group(1))
        if type(parameter.default) in (str, bool, int, float):
            schema["default"] = parameter.default
        fields[parameter.name] = schema, parameter.default is not parameter.empty
    about_it = said.split("\n\n")[0].replace("\n", " ")
    parameters = _object(fields)
    return {"type": "function", "function": {"name": name, "description": about_it, "parameters": parameters}}


def _function_name(function: Any) -> str:
    return str(getattr(_inner(function), "__name__", type(function).__name__))


def _inner(function: Any) -> Any:
    """Return the function that has the name, hints and docstring of a functools.partial."""
    return function.func if isinstance(function, functools.partial) else function


def _function_hints(function: Any) -> Json:
    """Return the hints of the parameters; a default of None allows None, as it did by itself until Python 3.10."""
    import typing

    inner = _inner(function)
    hints = _hints_of(inner if hasattr(inner, "__name__") else type(inner).__call__)
    for parameter in _parameters(function):
        hint = hints.get(parameter.name, object)
        if parameter.default is None and misfit(None, schema_of(hint)):
            hints[parameter.name] = typing.Optional[hint]
    return hints


def _parameters(function: Any) -> list[Any]:
    import inspect

    bound = function.keywords if isinstance(function, functools.partial) else {}
    try:
        return [p for p in inspect.signature(function).parameters.values() if p.name not in bound]
    except ValueError as error:  # of some that are written in C
        raise ConfigError(f"tools: {error}", hint="def a function around it") from None


def functions_of(tools: Sequence[Any]) -> dict[str, Callable[..., Any]]:
    """Return the functions among tools by name; raises ConfigError for what is neither function nor dict."""
    functions: dict[str, Any] = {}
    for i, tool in enumerate(tools):
        if not callable(tool) and not isinstance(tool, dict):
            raise ConfigError(f"tools[{i}] is {_kind(tool)}", hint="a function, or {'type': 'function', ...}")
        name = _function_name(tool) if callable(tool) else _str(_dict(tool.get("function")).get("name"))
        if name and functions.setdefault(name, tool) is not tool:
            raise ConfigError(f"tools: two are called {name}", hint="rename one")
    return {name: tool for name, tool in functions.items() if callable(tool)}


def fitting_arguments(function: Callable[..., Any], call: ToolCall) -> Json:
    """Return the arguments of a call as the function's hints want them; raises ValueError that says what is wrong."""
    values = decode_json(call.arguments) if call.arguments.strip(" \t\r\n") not in ("", "null") else {}
    problem = misfit(values, tool_of(function)["function"]["parameters"])
    if problem:
        raise ValueError(problem.replace("the answer", "the arguments"))
    hints = _function_hints(function)
    return {name: build(hints.get(name, object), value) for name, value in values.items()}


def tool_text(value: Any) -> str:
    """Return what a function gave back as the text of a tool message: a str as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return list(value) if isinstance(value, (set, frozenset)) else getattr(value, "value", str(value))


def with_call_ids(completion: Completion) -> Completion:
    """Return the completion with an id for each call that came without; the others stay as they are."""
    if all(call.id for call in completion.tool_calls):
        return completion
    calls = [dataclasses.replace(c, id=c.id or f"call_{i}") for i, c in enumerate(completion.tool_calls)]
    return dataclasses.replace(completion, tool_calls=calls)


def sum_of_rounds(completions: Sequence[Completion], rounds: list[Json]) -> Completion:
    """Return the last answer with usage, cost, time and attempts of all; an unknown cost makes the sum unknown."""
    costs = [c.cost for c in completions if c.cost is not None]
    is_known = len(costs) == len(completions)
    sources = {c.cost_source for c in completions}
    return dataclasses.replace(
        completions[-1],
        usage=functools.reduce(operator.add, [c.usage for c in completions]),
        cost=sum(costs) if is_known else None,
        cost_source=("estimated" if "estimated" in sources else "reported") if is_known else None,
        latency_ms=sum(c.latency_ms or 0 for c in completions),
        first_token_ms=completions[0].first_token_ms,
        attempts=[a for c in completions for a in c.attempts],
        rounds=rounds,
    )


@dataclass(frozen=True, eq=False, repr=False)
class Structure(_Value):
    """What ``schema=`` asks for: the JSON Schema that goes out, and the class that it stands for."""

    schema: Json
    hint: Any = None

    @classmethod
    def of(cls, wanted: Any) -> Structure:
        """Read a dataclass, TypedDict or JSON Schema dict; raises ConfigError for anything else."""
        if isinstance(wanted, dict):
            if wanted.get("type") == "json_schema" or "json_schema" in wanted:
                raise ConfigError("schema is a whole response_format", hint="response_format={...} takes it as it is")
            encode_body(wanted)
            try:
                misfit({}, wanted)
                misfit([None], wanted)
            except (AttributeError, TypeError, RecursionError) as error:
                raise ConfigError(f"schema is no JSON Schema: {error}", hint="{'type': 'object', ...}") from None
            return cls(wanted)
        if not isinstance(wanted, type) or not _has_fields(wanted):
            raise ConfigError(f"schema={wanted!r}", hint="a dataclass (the class itself) or a JSON Schema dict")
        return cls(schema_of(wanted, strict=True), wanted)

    def response_format(self) -> Json:
        """Return the body field that asks for it."""
        name = str(self.schema.get("title") or getattr(self.hint, "__name__", "answer"))
        name = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]
        return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": self.schema}}

    def parse(self, completion: Completion) -> Completion:
        """Return the completion with ``parsed``; raises APIResponseError, with the text kept, where it does not fit."""
        try:
            return dataclasses.replace(completion, parsed=self._value(completion.content))
        except Exception as error:  # of the class's own __post_init__: anything
            problem = f"the answer does not fit the schema: {error}"
        hint = "the text is in .partial.content; try again, or a model with structured outputs"
        if completion.truncated:
            hint = "the token limit cut it: raise max_tokens"
        elif completion.refusal:
            problem, hint = f"the model refused: {completion.refusal}", "change the request"
        raise APIResponseError(problem, hint=hint, partial=completion)

    def _value(self, text: str) -> Any:
        value = decode_fenced(text)
        problem = misfit(value, self.schema if self.hint is None else schema_of(self.hint))
        if problem:
            raise ValueError(problem)
        return value if self.hint is None else build(self.hint, value)


def decode_fenced(text: str) -> Any:
    """Decode JSON that a model may have put into a Markdown fence, or between words; raises ValueError."""
    inner = text[len(re.match(r"[^{\[]*", text).group()) : 1 + max(text.rfind("}"), text.rfind("]"))]  # type: ignore[union-attr]
    problem = "it is not JSON but empty"
    for found in (text, inner, *re.findall(r"```[\w-]*\s(.*?)```", text, re.S)):
        try:
            return decode_json(found)
        except ValueError as error:
            problem = f"it is not JSON: {error}" if found else problem
    raise ValueError(problem)


# --- Policy ---------------------------------------------------------------------------------
# Is it worth another request, after how long, to which models. Pure: a clock, a random number
# and what happened come in; a Step comes out.


@dataclass(frozen=True, eq=False, repr=False)
class Step(_Value):
    """What comes next: the models still in the queue, and seconds to wait before asking them.

    Without models: give up, and ``note`` says why if a wait would have been too long.
    """

    models: tuple[str, ...] | None
    wait: float = 0.0
    note: str = ""


def backoff(retries: int, chance: float) -> float:
    """Return the wait before retry number ``retries`` (from 0), shortened by up to half by chance."""
    full = min(BACKOFF_MAX, BACKOFF_FIRST * 2.0 ** min(retries, 30))
    return full * (1 - chance / 2)


def is_retryable(error: OpenRouterError) -> bool:
    """Say whether the same request may be sent once more: never after output, never twice billed."""
    if error.partial is not None:
        return False
    if isinstance(error, (APIStatusError, APIResponseError)):
        return error.retryable
    return isinstance(error, APIConnectionError) and not error.sent


def next_step(
    error: OpenRouterError, models: tuple[str, ...], *, retries: int, config: LlmConfig, time_left: float, chance: float
) -> Step:
    """Decide what to do after a failed request.

    ``models`` is the queue whose first three were asked. An unknown one is dropped and the
    others run; while others are left in the queue they come next, without a wait; the last
    ones are retried. A wait that is longer than ``retry_wait_max`` or ``time_left`` is not
    waited for.
    """
    asked, left = models[:MODELS_PER_REQUEST], models[MODELS_PER_REQUEST:]
    if len(models) > 1 and other_model_may_help(error):
        unknown = unknown_model(error, asked)
        if unknown:
            return Step(tuple(m for m in models if m != unknown))
        if left:
            return Step(left)
    if not is_retryable(error) or retries >= config.max_retries:
        return Step(None)
    asked_wait = error.retry_after if isinstance(error, APIStatusError) else None
    wait = backoff(retries, chance) if asked_wait is None else asked_wait
    if wait > min(config.retry_wait_max, time_left):
        limit = "retry_wait_max" if wait > config.retry_wait_max else "deadline"
        return Step(None, note=f"the next try would be in {wait:,.0f} s, more than {limit} allows")
    return Step(models, wait)


# --- Operation log --------------------------------------------------------------------------
# One SQLite row per operation: opened before the request leaves, closed after. A fault of the
# log warns once and never costs the caller an answer.

LOG_APPLICATION_ID = 0x4F52_6D31  # "ORm1": tells our files from others
LOG_VERSION = 1

# Long texts last, so that a scan of the numbers need not read them.
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


# What must not be shared with a forked child: connections, and locks that another thread may hold.
_FORK_SENSITIVE: weakref.WeakSet[Any] = weakref.WeakSet()


def _renew_after_fork() -> None:
    for thing in list(_FORK_SENSITIVE):
        thing.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)


class _ForeignLog(Exception):
    """The file is not ours to write to."""


def log_path(target: LogTarget) -> str | None:
    """Return the file of the log, or None for off: the setting, OPENROUTER_MIN_LOG, the state folder."""
    if target is False:
        return None
    if target is None or target is True:
        target = _environment(LOG_ENV)
        if target is None:
            return _default_log_path()
        if target.lower() in _OFF:
            return None
    return os.path.abspath(os.path.expanduser(os.fspath(target)))


def _default_log_path() -> str | None:
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Application Support")
    else:
        base = os.environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return os.path.join(base, "openrouter_min", "log.db") if os.path.isabs(base) else None


def models_path() -> str | None:
    """Return the file beside the log that holds the refreshed catalogue."""
    log = log_path(None) or _default_log_path()
    return os.path.join(os.path.dirname(log), "openrouter_min-models.txt") if log else None


def _stored_models() -> str:
    path = models_path()
    try:
        with open(path or "", encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return ""
    return text if re.match(r"\d{4}-\d\d-\d\d\n", text) else ""


METADATA.stored = _stored_models


def store_models(listing: Iterable[Json]) -> str:
    """Keep the live catalogue beside the log, where METADATA prefers it from now on; return the file's path."""
    path = models_path()
    if path is None:
        raise ConfigError("there is no place for the catalogue", hint=f"set {LOG_ENV} to the path of a log")
    rows = rows_from_listing(listing)
    if not rows:
        raise APIResponseError("the catalogue that came is empty", hint="the one there was is kept; try again")
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
        file.write("\n".join([utc_timestamp()[:10], *rows]) + "\n")
    os.replace(file.name, path)  # at once: others may be reading it
    METADATA.renew()
    return path


class _Log:
    """The writer of one log file: one connection per process, opened at the first row."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._abandoned: list[sqlite3.Connection] = []
        self._connection: sqlite3.Connection | None = None
        self.renew()

    def renew(self) -> None:
        """Start anew in a forked child; closing the parent's connection here would drop its locks."""
        if self._connection is not None:
            self._abandoned.append(self._connection)
        self._connection = None
        self._is_unusable = self._has_warned = False
        self._lock = threading.RLock()
        _FORK_SENSITIVE.add(self)

    def disconnect(self) -> None:
        """Close the file; a further row would open it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def open(self, row: Row) -> None:
        """Insert the row of an operation whose request is about to leave."""
        names = ", ".join(row)
        self._write(f"INSERT INTO operations ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))

    def close(self, operation_id: str, row: Row) -> None:
        """Fill the row of an operation that has ended."""
        changes = ", ".join(f"{name} = ?" for name in row)
        self._write(f"UPDATE operations SET {changes} WHERE operation_id = ?", [*row.values(), operation_id])

    def _write(self, sql: str, values: list[Any]) -> None:
        with self._lock:
            if self._is_unusable:
                return
            try:
                if self._connection is not None and not os.path.exists(self.path):  # removed by somebody
                    self._connection.close()
                    self._connection = None
                if self._connection is None:
                    self._connection = connect_log(self.path)
                self._connection.execute(sql, values)
            except Exception as error:  # whatever SQLite, the disk or the folder think of
                self._is_unusable = self._connection is None
                if self._connection is not None and "locked" in str(error):
                    # Who locks it for so long may do so again: lose a row, not the time.
                    self._connection.execute("PRAGMA busy_timeout = 250")
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        import warnings

        if self._has_warned:
            return
        self._has_warned = True
        said = f"the operation log {self.path} can't be written ({error}); going on without it"
        try:
            warnings.warn(said, RuntimeWarning, stacklevel=2)
        except RuntimeWarning:  # under -W error: a log must not cost a paid answer
            sys.stderr.write(f"openrouter_min: {said}\n")


_LOGS: dict[str, _Log] = {}


def _log_for(target: LogTarget) -> _Log | None:
    path = log_path(target)
    if path is None:
        return None
    return _LOGS.get(path) or _LOGS.setdefault(path, _Log(path))


def _close_logs() -> None:
    """Close every log, which moves its rows from the -wal file to the log itself."""
    for log in _LOGS.values():
        log.disconnect()


def connect_log(path: str) -> sqlite3.Connection:
    """Open the log for writing, make it where there is none; raise for a file that is not ours."""
    import sqlite3

    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    # Made here, since SQLite would make it readable by all; its -wal and -shm take the mode over.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=LOG_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        _prepare_log(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare_log(connection: sqlite3.Connection) -> None:
    version = _log_version(connection)
    if version != LOG_VERSION:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts only before the first table
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")
    if version == LOG_VERSION:
        return
    with connection:  # all or nothing: a table without our mark would be a stranger's
        connection.execute("BEGIN IMMEDIATE")  # of many processes that start at once one makes the table
        if _log_version(connection) != LOG_VERSION:
            connection.execute(f"CREATE TABLE operations (id INTEGER PRIMARY KEY, {_COLUMNS})")
            connection.execute(f"PRAGMA application_id = {LOG_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {LOG_VERSION}")


def _log_version(connection: sqlite3.Connection) -> int:
    """Return our schema's version, 0 for an empty file; raise for foreign and newer files."""
    # In one statement: between two of them another process may make the table.
    version, owner, tables = connection.execute(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if owner != LOG_APPLICATION_ID and (tables or owner):
        raise _ForeignLog("it is the database of another program")
    if version > LOG_VERSION:
        raise _ForeignLog(f"a newer openrouter_min made it (version {version})")
    return int(version)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite answers busy at once while another process does the same."""
    import sqlite3

    until = time.monotonic() + LOG_BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def new_operation_id() -> str:
    """Return an id that sorts by time, so that the index grows at its end."""
    return f"op-{time.time_ns() // 1000:015x}-{os.urandom(5).hex()}"


def utc_timestamp() -> str:
    """Return the time as ISO 8601 in UTC with milliseconds."""
    from datetime import datetime, timezone

    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def log_cell(value: Any, key: str | None) -> Any:
    """Make a value fit for a cell: JSON for what is nested, valid UTF-8, and never the key."""
    if isinstance(value, (list, dict, tuple)):
        value = json.dumps(value, ensure_ascii=False, default=str) if value else None
    if isinstance(value, int) and abs(value) >= 1 << 63:  # more than SQLite holds
        return None
    if isinstance(value, str):
        value = redact(value, key)
        if not value.isascii():
            value = value.encode("utf-8", "replace").decode()  # lone surrogates
    return value


_DATA_URL = r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,"


def without_media(value: Any) -> Any:
    """Copy messages with images, files and audio replaced by type, size and hash."""
    if isinstance(value, list):
        return [without_media(v) for v in value]
    if isinstance(value, dict):
        if isinstance(value.get("data"), str) and "format" in value:  # input_audio: bare base64
            return {**value, "data": _media_note(str(value["format"]), value["data"])}
        return {k: without_media(v) for k, v in value.items()}
    if isinstance(value, str) and value.startswith("data:"):
        match = re.match(_DATA_URL, value)
        return _media_note(match.group(1) or "", value[match.end() :]) if match else value
    return value


def _media_note(kind: str, base64_text: str) -> str:
    import base64
    import hashlib

    try:
        data = base64.b64decode(base64_text)
    except ValueError:  # the server will say so
        data = base64_text.encode("utf-8", "replace")
    return f"[{kind}, {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}]"


def shape_of(value: Any) -> Any:
    """Return numbers, booleans and null as they are, and only the size of texts and containers."""
    return f"{type(value).__name__}[{len(value)}]" if isinstance(value, (str, list, dict, tuple)) else value


class Operations(_RowList):
    """Rows of the log as dicts; prints as an aligned table."""

    def __init__(self, rows: Iterable[Row] = (), columns: Sequence[str] = ()) -> None:
        super().__init__(rows)
        self.columns = list(columns) or (list(self[0]) if self else [])

    def select(self, columns: Sequence[str]) -> Operations:
        """Return the same rows with these columns only; raises KeyError for an unknown one."""
        names = [columns] if isinstance(columns, str) else list(columns)
        for name in names:
            if name not in self.columns:
                raise KeyError(f"no column {name!r}; there are: {', '.join(self.columns)}")
        return Operations(({n: row[n] for n in names} for row in self), names)

    def to_polars(self) -> Any:
        """Return a polars.DataFrame; raises ImportError where polars is not installed."""
        import polars  # type: ignore[import-not-found, unused-ignore]

        data = {name: [row[name] for row in self] for name in self.columns}
        return polars.DataFrame(data, strict=False)

    def to_pandas(self) -> Any:
        """Return a pandas.DataFrame; raises ImportError where pandas is not installed."""
        import pandas  # type: ignore[import-untyped, unused-ignore]

        return pandas.DataFrame(list(self), columns=self.columns)

    def __str__(self) -> str:
        return format_table(self.columns, [[row[c] for c in self.columns] for row in self])

    def __repr__(self) -> str:
        return f"<Operations: {len(self)} rows, {len(self.columns)} columns>"


CELL_WIDTH = 48  # characters; a longer text ends in dots
MIN_CELL_WIDTH = 16  # characters; less can't be told apart
_UNPRINTABLE = r"[\x00-\x1f\x7f-\x9f]+"
_TTY_UNSAFE = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"


def format_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None) -> str:
    """Return an aligned table: numbers to the right, texts cut, no control character.

    ``width`` is what it must fit into: texts give way, from the second column on first, then the last columns go.
    """
    if not columns:
        return "(no rows)"
    numeric = [any(isinstance(r[i], (int, float)) for r in rows) for i in range(len(columns))]
    cells = [[re.sub(_UNPRINTABLE, " ", number_text(v)) for v in row] for row in rows]
    widths = [min(CELL_WIDTH, max(map(_width, column))) for column in zip(columns, *cells)]
    _fit(widths, width, [i for i, c in enumerate(columns) if i and c and not numeric[i]])
    lines = [columns, ["-" * w for w in widths], *cells]
    shown = ["  ".join(map(_padded, line, widths, numeric)).rstrip() for line in lines]
    return "\n".join(shown if rows else [*shown, "(no rows)"])


def number_text(value: Any) -> str:
    """Return a value as text; of a float six places, and never 0 for what is not."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    if 0 < abs(value) < 1e-6:
        return f"{value:.1e}"
    return f"{value:,.6f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.2f}"


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal: East Asian letters and emoji take two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _fit(widths: list[int], width: int | None, yielding: list[int]) -> None:
    while width and len(widths) > 1 and sum(widths) + 2 * (len(widths) - 1) > width:
        widest = max((i for i in yielding if i < len(widths)), key=widths.__getitem__, default=0)
        if widths[widest] > MIN_CELL_WIDTH:
            widths[widest] -= 1
        else:
            widths.pop()


def _padded(text: str, width: int, is_number: bool) -> str:
    if _width(text) > width:
        while _width(text) > width - 2:
            text = text[:-1]
        text += ".."
    pad = " " * (width - _width(text))
    return pad + text if is_number else text + pad


# What totals() may group by, as SQL.
_GROUPS = {
    name: name
    for name in "session_id workspace agent_id action_id operation_type provider model served_model upstream_provider"
    " status finish_reason error_type".split()
}
_GROUPS["day"] = "substr(timestamp, 1, 10)"
_SQLITE_ATTACH = 24  # sqlite3 names it only from 3.11 on; an authorizer's 0 is yes, 1 no


class LlmOperationCollector:
    """Helpers over the log; ``path=None`` is the default log. A log that does not exist is empty."""

    @classmethod
    def from_db(
        cls,
        path: LogTarget = None,
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
        """Return the operations that fit every filter, newest first.

        ``model`` is the one asked for or the one that served; ``since`` (included) and ``until``
        (not) are datetimes or ISO texts in UTC; ``search`` finds a text in prompts, answers and
        error messages.
        """
        conditions: list[tuple[str, Any]] = [
            ("provider = ?", provider),
            ("status = ?", status),
            ("timestamp >= ?", _moment(since)),
            ("timestamp < ?", _moment(until)),
            ("session_id = ?", session_id),
            ("agent_id = ?", agent_id),
            ("? IN (model, served_model)", model),
            ("instr(lower(coalesce(user_prompt,'')||' '||coalesce(messages,'')||' '||coalesce(response,'')"
             "||' '||coalesce(error_message,'')), lower(?)) > 0", search),
        ]  # fmt: skip
        given = [(sql, value) for sql, value in conditions if value is not None]
        where = " AND ".join(sql for sql, _ in given) or "1"
        sql = f"SELECT {', '.join(LOG_COLUMNS)} FROM operations WHERE {where} ORDER BY id DESC LIMIT ?"
        rows = cls.query(sql, [*(v for _, v in given), -1 if limit is None else limit], path=path)
        return Operations(rows, LOG_COLUMNS)

    @classmethod
    def polars_from_db(cls, path: LogTarget = None, **filters: Any) -> Any:
        """Return from_db's rows as a polars.DataFrame, or where there is no polars as Operations."""
        operations = cls.from_db(path, **filters)
        try:
            return operations.to_polars()
        except ImportError:
            return operations

    @classmethod
    def get(cls, operation_id: str, *, path: LogTarget = None) -> Row | None:
        """Return one operation, or None."""
        sql = f"SELECT {', '.join(LOG_COLUMNS)} FROM operations WHERE operation_id = ?"
        rows = cls.query(sql, [operation_id], path=path)
        return rows[0] if rows else None

    @classmethod
    def totals(
        cls, by: str = "model", *, since: Moment | None = None, until: Moment | None = None, path: LogTarget = None
    ) -> Operations:
        """Return calls, errors, tokens, USD and latencies per model, day, session_id, …; dearest first.

        ``unpriced`` counts successful calls of unknown cost; p50_ms and p95_ms are of successful ones.
        """
        if by not in _GROUPS:
            raise ConfigError(f"totals(by={by!r})", hint=f"by is one of {', '.join(sorted(_GROUPS))}")
        rows = cls.query(_totals_sql(by), [_moment(since) or "", _moment(until) or "~"], path=path)
        return Operations(rows, [by, *_TOTALS])

    @classmethod
    def query(cls, sql: str, params: Sequence[Any] = (), *, path: LogTarget = None) -> Operations:
        """Run one read-only SQL statement over the table ``operations``."""
        import sqlite3
        from contextlib import closing
        from pathlib import Path

        file = log_path(path)
        if file is None or not os.path.exists(file) or not os.path.getsize(file):
            return Operations()
        uri = Path(file).as_uri() + "?mode=ro"
        try:
            with closing(sqlite3.connect(uri, timeout=LOG_BUSY_TIMEOUT, uri=True, isolation_level=None)) as connection:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("PRAGMA threads = 2")  # which may sort what GROUP BY takes in
                # ATTACH would make a file where there is none.
                connection.set_authorizer(lambda action, *_: int(action == _SQLITE_ATTACH))
                cursor = connection.execute(sql, list(params))
                names = [d[0] for d in cursor.description or ()]
                return Operations((dict(zip(names, row)) for row in cursor), names)
        except (sqlite3.Error, sqlite3.Warning) as error:
            hint = "is it a log of openrouter_min? query() takes one SELECT over the table operations"
            raise ConfigError(f"the log {file} can't be read: {error}", hint=hint) from error

    @classmethod
    def purge(cls, *, before: Moment, path: LogTarget = None) -> int:
        """Delete the operations from before that moment, shrink the file, return how many they were."""
        import sqlite3
        from contextlib import closing

        file = log_path(path)
        if file is None or not os.path.exists(file):
            return 0
        moment = _moment(before)
        try:
            with closing(connect_log(file)) as connection:
                count = connection.execute("DELETE FROM operations WHERE timestamp < ?", [moment]).rowcount
                connection.executescript("PRAGMA incremental_vacuum")  # execute() would free a single page
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except (_ForeignLog, sqlite3.Error, OSError) as error:
            raise ConfigError(f"{file} can't be purged: {error}", hint="is it a log of openrouter_min?") from None
        return count


def _moment(value: Moment | None) -> str | None:
    """Return an ISO text in UTC that compares with the column timestamp; a text without a zone is in UTC."""
    from datetime import datetime, timezone

    if value is None:
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", value.strip()))
            value = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    except (AttributeError, TypeError, ValueError, OverflowError):
        hint = "an ISO text such as '2026-11-23' or '2026-11-23T18:00+01:00', or a datetime"
        raise ConfigError(f"{value!r} is no moment", hint=hint) from None


_TOTALS = "calls errors input_tokens output_tokens total_tokens cost unpriced p50_ms p95_ms".split()


def _totals_sql(by: str) -> str:
    """Sum up per group; a percentile is the first latency at which enough of the calls are done.

    First by latency too: a million rows shrink to some thousands before any window looks at them.
    Its numbers tell most rows apart, and are sorted faster than the texts of the names.
    """
    rank = "min(CASE WHEN success AND done >= (fine * {0} + 99) / 100 THEN latency_ms END)"
    sums = ", ".join(f"sum({name}) AS {name}" for name in ("input_tokens", "output_tokens", "total_tokens"))
    return f"""
        WITH cells AS (
            SELECT {_GROUPS[by]} AS name, success, latency_ms, count(*) AS calls,
                sum(status IN ('error', 'interrupted')) AS errors, {sums},
                sum(cost) AS cost, sum(success AND cost IS NULL) AS unpriced
            FROM operations WHERE timestamp >= ? AND timestamp < ? GROUP BY latency_ms, name, success),
        ranked AS (
            SELECT *, sum(calls) OVER (PARTITION BY name, success ORDER BY latency_ms) AS done,
                sum(calls) OVER (PARTITION BY name, success) AS fine FROM cells)
        SELECT name AS "{by}", sum(calls) AS calls, sum(errors) AS errors, {sums},
            round(sum(cost), 9) AS cost, coalesce(sum(unpriced), 0) AS unpriced,
            {rank.format(50)} AS p50_ms, {rank.format(95)} AS p95_ms
        FROM ranked GROUP BY name ORDER BY sum(cost) DESC, calls DESC"""


# --- Transport ------------------------------------------------------------------------------
# The only place that knows sockets, TLS and urllib. urllib finds the proxy, http.client reads
# the heads, the framings above the bodies; the clock of the call watches every receive.


class _Cancelled(Exception):
    """The call was cancelled from outside while a thread worked for it."""


class _Call:
    """The clock and the cancel switch of one operation, shared by the threads it concerns."""

    def __init__(self, config: LlmConfig) -> None:
        self.config = config
        self.started = time.monotonic()
        self.ends = self._expires = math.inf
        self.is_cancelled = False  # read twice a receive, where an Event would cost a call
        self._cancelled = threading.Event()
        self._lock = threading.RLock()
        self._sock: socket.socket | None = None
        self.loop: Any = None  # the asyncio loop in which somebody waits for the call

    def begin(self) -> None:
        """Start the clock of an operation; the deadline runs from the first one that shares the call."""
        self.started = time.monotonic()
        self.ends = min(self.ends, self.started + (self.config.deadline or math.inf))

    def progress(self) -> None:
        """Take note that data came: the clock of ``timeout`` starts anew."""
        self._expires = time.monotonic() + self.config.timeout

    def connecting(self) -> None:
        """Start the clock of ``connect_timeout``; it runs until progress()."""
        self._expires = time.monotonic() + self.config.connect_timeout

    def elapsed_ms(self) -> int:
        """Milliseconds since the operation began."""
        return round((time.monotonic() - self.started) * 1000)

    def time_left(self) -> float:
        """Seconds until the deadline, infinite without one."""
        return self.ends - time.monotonic()

    def patience(self) -> float:
        """Seconds that the next receive may take; raises when they are used up."""
        if self.is_cancelled:
            raise _Cancelled
        now = time.monotonic()
        if now >= self.ends:
            self.check_deadline()
        if now >= self._expires:
            hint = "raise timeout, ask for a shorter answer, or name a faster model"
            said = f"no data for {self.config.timeout:g} s (keep-alive comments are no data)"
            raise APITimeoutError(said, hint=hint, sent=True)
        return min(self.ends, self._expires) - now

    def check_deadline(self) -> None:
        """Raise if the deadline has passed."""
        if time.monotonic() >= self.ends:
            said = f"the deadline of {self.config.deadline:g} s has passed"
            raise APITimeoutError(said, hint="raise deadline", sent=True)

    def check(self) -> None:
        """Raise if the call was cancelled."""
        if self.is_cancelled:
            raise _Cancelled

    def sleep(self, seconds: float) -> None:
        """Wait; a cancel ends the wait at once."""
        if self._cancelled.wait(seconds):
            raise _Cancelled

    def attach(self, sock: socket.socket | None) -> None:
        """Name the socket that a cancel has to shut down."""
        with self._lock:
            self._sock = sock
        if sock is not None:
            self.check()

    def cancel(self) -> None:
        """End the call from any thread: a blocked receive wakes up at once."""
        self.is_cancelled = True
        self._cancelled.set()
        with self._lock:
            if self._sock is not None:
                _shut_down(self._sock)


def _shut_down(sock: socket.socket) -> None:
    import socket as sockets

    with contextlib.suppress(OSError):  # not connected yet, or gone: nobody is blocked on it
        # Not SSLSocket.shutdown, which would turn the rest of the stream into plain reads.
        sockets.socket.shutdown(sock, sockets.SHUT_RDWR)


class _Receiver(io.RawIOBase):
    """The raw side of a connection's buffered reader: no receive without the call's clock."""

    def __init__(self, sock: socket.socket) -> None:
        import socket as sockets

        self._sock = sock
        self._timeout_error = sockets.timeout  # TimeoutError only from 3.10 on
        self.call: _Call | None = None  # None: between calls, nothing may be received
        self.received = 0
        self.is_over = False  # whether the other side has closed
        self.head_left: int | None = None  # bytes that the head may still take

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        call = self.call
        if call is None:
            return None
        while True:
            wait = min(call.patience(), WAIT_SLICE)
            if self._sock.gettimeout() != wait:  # to set it is a system call, and gives other threads the GIL
                self._sock.settimeout(wait)
            try:
                count = self._sock.recv_into(buffer)
                break
            except self._timeout_error:
                continue
        if call.is_cancelled:
            raise _Cancelled
        self.received += count
        self.is_over = not count
        if self.head_left is not None:
            self.head_left -= count
            if self.head_left < 0:
                raise LimitError(f"status line and headers of more than {MAX_HEAD:,} bytes")
        return count


class _Connection:
    """A connected socket and its reader; http.client takes it for a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.receiver = _Receiver(sock)
        self.reader: io.BufferedReader = io.BufferedReader(self.receiver, READ_SIZE)
        self.idle_since = 0.0

    def makefile(self, mode: str) -> Any:
        """Return the one reader, as http.client.HTTPResponse asks of a socket."""
        return self.reader

    def send(self, call: _Call, data: bytes) -> None:
        """Send all, within the call's clock."""
        self.sock.settimeout(call.patience())
        self.sock.sendall(data)

    def receive_head(self, method: str) -> http.client.HTTPResponse:
        """Return the final head; informational ones (1xx) are skipped, all within one size limit."""
        import http.client

        self.receiver.head_left = MAX_HEAD
        while True:
            head = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]
            try:
                head.begin()
            except http.client.HTTPException as error:
                if isinstance(error, OSError):  # closed before a byte came
                    raise
                raise OSError(f"what came is no HTTP answer: {error!r}") from error
            finally:
                head.fp = None  # type: ignore[assignment]  # else it closes our reader when it is freed
            if self.receiver.is_over:  # http.client takes the end of the connection for the end of the head
                raise ConnectionError("closed in the middle of the head")
            if not 100 <= head.status <= 199 or head.status == 101:
                self.receiver.head_left = None
                return head

    def is_reusable(self) -> bool:
        """Whether the idle connection is still there, and silent as it should be."""
        import select

        if time.monotonic() - self.idle_since > IDLE_LIMIT or self.reader.peek(1):
            return False
        try:
            readable, _, _ = select.select([self.sock], [], [], 0)
        except (OSError, ValueError):  # closed, or a number too high for select
            return False
        return not readable

    def close(self) -> None:
        """Close at once."""
        self.receiver.call = None
        self.sock.close()


class _Answer:
    """Status, headers and body of one exchange; give it back with finish() or close()."""

    def __init__(
        self,
        connection: _Connection,
        head: http.client.HTTPResponse,
        call: _Call,
        keep: Callable[[_Connection], None] | None,
    ) -> None:
        self.status: int = head.status
        self.headers = head.headers
        self._connection = connection
        self._call = call
        self._keep = keep if not head.will_close else None
        self.is_cut = False
        self._read = 0
        self._framing: ChunkedFraming | LengthFraming
        self._framing = ChunkedFraming() if head.chunked else LengthFraming(head.length)
        # Without a length or chunks only the end of the connection says that the body is over.
        self.has_proof = head.chunked or head.length is not None

    def read(self) -> bytes:
        """Return the next piece of the body, b"" at its end; then ``is_cut`` says if that came too soon."""
        while not self._framing.done and not self.is_cut:
            if self._framing.failure:
                raise self._framing.failure
            data = self._receive()
            if not data:
                self.is_cut = not self._framing.end()
                break
            body = self._framing.feed(data)
            if body:
                return body
        return b""

    def _receive(self) -> bytes:
        data = self._connection.reader.read1(READ_SIZE)
        self._read += len(data)
        if self._read > MAX_BODY:
            raise LimitError(f"an answer of more than {MAX_BODY:,} bytes")
        return data

    def finish(self) -> None:
        """Keep the connection for the next call if the body is read to its end, else close it."""
        if self._keep and not (self._framing.done or self.is_cut):
            self._read_the_rest()
        self._call.attach(None)
        self._connection.receiver.call = None
        if self._keep and self._framing.done and not self._framing.rest:
            self._keep(self._connection)
        else:
            self._connection.close()

    def _read_the_rest(self) -> None:
        """Take the framing bytes that follow [DONE], if they are here or about to be."""
        import select

        connection = self._connection
        try:
            if select.select([connection.sock], [], [], END_GRACE)[0]:
                self._framing.feed(self._receive())
        except (OSError, ValueError, OpenRouterError):
            self._keep = None  # it can't be used again, which is no error after [DONE]

    def close(self) -> None:
        """Close the connection, whatever is still to come on it."""
        self._call.attach(None)
        self._connection.close()


class _Transport:
    """Sends requests to one base_url over connections that are kept alive."""

    def __init__(self, config: LlmConfig) -> None:
        match = re.fullmatch(_URL, config.base_url or "")
        assert match  # LlmConfig has checked it
        self._scheme, self._host = match.group(1), match.group(2)
        self._netloc = self._host + (match.group(3) or "")
        self._idle: list[_Connection] = []
        self._is_closed = False
        self.renew()
        # For an Llm that nobody closes: its sockets go with it.
        weakref.finalize(self, _close_all, self._idle)

    def renew(self) -> None:
        """Start with no connection, as a forked child must: its parent uses the old ones."""
        self._idle.clear()
        self._lock = threading.RLock()
        _FORK_SENSITIVE.add(self)

    def close(self) -> None:
        """Close the idle connections, and keep none from now on."""
        with self._lock:
            self._is_closed = True
            _close_all(self._idle)

    def send(self, call: _Call, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> _Answer:
        """Send one request and return its answer, of whatever status; redirects are not followed.

        Raises APIConnectionError (with ``sent`` if the request had left whole) or _Cancelled.
        """
        target, proxy, proxy_auth = self._route(url)
        if proxy and self._scheme == "http" and proxy_auth:
            headers = {**headers, "Proxy-Authorization": proxy_auth}
        data = request_head(method, target, self._netloc, headers, body) + (body or b"")
        kept = self._take()
        if kept is not None:
            before = kept.receiver.received
            try:
                return self._exchange(kept, call, method, data)
            except APIConnectionError as error:
                if kept.receiver.received > before or isinstance(error, APITimeoutError):
                    raise
                call.check()  # it had died unseen, before a byte came back: once more on a fresh one
        return self._exchange(self._connect(call, proxy, proxy_auth), call, method, data)

    @functools.cached_property
    def _opener(self) -> urllib.request.OpenerDirector | None:
        """What knows the way through a proxy; None where there is none, as urllib.request takes 4 ms to load."""
        return None if re.fullmatch(_LOOPBACK, self._host) or not _may_have_proxy() else _build_opener()

    def _route(self, url: str) -> tuple[str, str | None, str | None]:
        """Return the target of the request line, the proxy's host and port, and its credentials."""
        if self._opener is None:
            return url[len(f"{self._scheme}://{self._netloc}") :], None, None
        import urllib.request

        request: urllib.request.Request = self._opener.open(urllib.request.Request(url))
        proxy = request.host if request.host != self._netloc else None
        return request.selector, proxy, request.get_header("Proxy-authorization")

    def _exchange(self, connection: _Connection, call: _Call, method: str, data: bytes) -> _Answer:
        """Send on one connection, which is closed if no head of an answer comes."""
        sent = False
        try:
            call.progress()
            call.attach(connection.sock)
            connection.receiver.call = call
            try:
                connection.send(call, data)
                sent = True
            except ConnectionError:
                call.check()  # else: an early answer, such as 413, may be waiting
            head = connection.receive_head(method)
            return _Answer(connection, head, call, self._keep if sent else None)
        except BaseException as error:
            connection.close()
            call.attach(None)
            call.check()
            if isinstance(error, APIConnectionError):
                error.sent = sent
            if isinstance(error, _FAULTS):
                raise _connection_error(error, sent) from error
            raise

    def _take(self) -> _Connection | None:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None or connection.is_reusable():
                return connection
            connection.close()

    def _keep(self, connection: _Connection) -> None:
        """Take a connection back; those that nobody took for long, the first of the list, go."""
        now = connection.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(connection)
            while self._idle and (self._is_closed or now - self._idle[0].idle_since > IDLE_LIMIT):
                self._idle.pop(0).close()

    def _connect(self, call: _Call, proxy: str | None, proxy_auth: str | None) -> _Connection:
        call.connecting()
        try:
            return self._connect_once(call, proxy, proxy_auth)
        except _UnknownCA:
            _tls_context(with_file=True)
            return self._connect_once(call, proxy, proxy_auth)

    def _connect_once(self, call: _Call, proxy: str | None, proxy_auth: str | None) -> _Connection:
        host, port = _split_netloc(proxy, 80) if proxy else _split_netloc(self._netloc, _PORTS[self._scheme])
        sock = None
        try:
            sock = _dial(host, port, call)
            if self._scheme == "https":
                if proxy:
                    _tunnel(sock, self._netloc, proxy_auth, call)
                sock = _secure(sock, self._host, call)
            return _Connection(sock)
        except BaseException as error:
            call.attach(None)
            if sock is not None:
                sock.close()
            call.check()
            if isinstance(error, (APITimeoutError, *_FAULTS)):
                raise _connect_error(error, host, port, proxy, call) from error
            raise


def _close_all(connections: list[_Connection]) -> None:
    while connections:
        connections.pop().close()


class _UnknownCA(Exception):
    """The CA of a certificate is not in the folder; it may be in the file."""


_PORTS = {"http": 80, "https": 443}
# What sockets, TLS and the decoders raise for a bad network or a bad peer.
_FAULTS = (OSError, ValueError, EOFError)


def _may_have_proxy() -> bool:
    """Say whether urllib could find a proxy: in the environment, or where the system keeps one."""
    return os.name == "nt" or sys.platform == "darwin" or any(n.lower().endswith("_proxy") for n in os.environ)


def _build_opener() -> urllib.request.OpenerDirector:
    """Return an opener that sends nothing: it gives a request back as urllib's proxy rules have changed it.

    The rules are those of HTTPS_PROXY, NO_PROXY, …; sending is done here, where no redirect takes
    the key to another host and the bodies of errors are read.
    """
    import urllib.request

    class Handler(urllib.request.BaseHandler):
        def http_open(self, request: urllib.request.Request) -> urllib.request.Request:
            return request

        https_open = http_open

    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(Handler())
    return opener


def request_head(method: str, target: str, netloc: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return request line and headers as bytes; the values were checked when they were set."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {netloc}", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _split_netloc(netloc: str, port: int) -> tuple[str, int]:
    host, colon, number = netloc.rpartition(":")
    if colon and number.isdigit():
        return host.strip("[]"), int(number)
    return netloc.strip("[]"), port


def _dial(host: str, port: int, call: _Call) -> socket.socket:
    """Connect to the first address that answers; the DNS look-up itself can't be timed or cancelled.

    Each address gets its share of the time that is left: a dead IPv6 must not use up IPv4's.
    """
    import socket as sockets

    failure: OSError | None = None
    addresses = sockets.getaddrinfo(host, port, 0, sockets.SOCK_STREAM)
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = sockets.socket(family, kind, protocol)
        try:
            call.attach(sock)
            sock.settimeout(call.patience() / (len(addresses) - tried))
            sock.connect(address)
            sock.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
            return sock
        except BaseException as error:
            sock.close()
            call.check()
            if not isinstance(error, OSError):
                raise
            failure = error
    raise failure or OSError(f"no address for {host}")


def _tunnel(sock: socket.socket, target: str, proxy_auth: str | None, call: _Call) -> None:
    """Ask the proxy for a tunnel (CONNECT); the key is not in what it gets to see."""
    netloc = target if re.search(r":\d+$", target) else f"{target}:443"
    headers = {"Proxy-Authorization": proxy_auth} if proxy_auth else {}
    plain = _Connection(sock)
    plain.receiver.call = call
    plain.send(call, request_head("CONNECT", netloc, netloc, headers, None))
    head = plain.receive_head("CONNECT")
    if head.status != 200:
        raise OSError(f"the proxy refused the tunnel: {head.status} {head.reason}")
    plain.receiver.call = None


class _ForkSafeLock:
    """A lock that a forked child finds open, whoever held it in its parent."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Make the lock anew."""
        self.lock = threading.Lock()
        _FORK_SENSITIVE.add(self)


_TLS = _ForkSafeLock()
# The one context, and whether it trusts the CAs of the file too.
_TLS_CONTEXTS: list[tuple[ssl.SSLContext, bool]] = []


def _ca_folder() -> str | None:
    """Return OpenSSL's folder of CAs if it may be asked before the file that holds them all.

    To read that file takes 17 ms; in the folder a hash in the name leads to the one CA that is
    needed. Who names a file in the environment and no folder wants the file.
    """
    import ssl

    paths = ssl.get_default_verify_paths()
    is_file_named = paths.openssl_cafile_env in os.environ and paths.openssl_capath_env not in os.environ
    if sys.platform != "linux" or not paths.capath or is_file_named:
        return None
    try:
        names = os.listdir(paths.capath)
    except OSError:
        return None
    return paths.capath if any(re.fullmatch(r"[0-9a-f]{8}\.\d+", name) for name in names) else None


def _tls_context(*, with_file: bool = False) -> tuple[ssl.SSLContext, bool]:
    """Return the verifying context and whether it trusts all that Python trusts by default, not the folder alone."""
    import ssl

    with _TLS.lock:
        if not _TLS_CONTEXTS or with_file and not _TLS_CONTEXTS[0][1]:
            folder = None if with_file else _ca_folder()
            context = ssl.create_default_context(capath=folder)
            context.set_alpn_protocols(["http/1.1"])
            _TLS_CONTEXTS[:] = [(context, folder is None)]
        return _TLS_CONTEXTS[0]


def _secure(sock: socket.socket, host: str, call: _Call) -> socket.socket:
    """Wrap the socket in TLS with certificate and host name verified; raises _UnknownCA if the CAs' file may help."""
    import ssl

    context, is_whole = _tls_context()
    sock.settimeout(call.patience())
    wrapped = context.wrap_socket(sock, server_hostname=host.strip("[]"), do_handshake_on_connect=False)
    try:
        call.attach(wrapped)
        wrapped.do_handshake()
    except BaseException as error:
        wrapped.close()
        if isinstance(error, ssl.SSLCertVerificationError) and not is_whole:
            raise _UnknownCA from error
        raise
    return wrapped


def _connection_error(error: BaseException, sent: bool) -> APIConnectionError:
    """Name what ended an exchange; with ``sent`` the request may have been worked on and billed."""
    import socket as sockets

    if isinstance(error, sockets.timeout):
        return APITimeoutError("sending the request took too long", hint="raise timeout", sent=sent)
    if isinstance(error, LimitError):
        return APIConnectionError(f"the server sent {error}", sent=sent)
    what = str(error) or type(error).__name__
    return APIConnectionError(f"the connection broke: {what}", hint="" if sent else "try again", sent=sent)


def _connect_error(error: BaseException, host: str, port: int, proxy: str | None, call: _Call) -> APIConnectionError:
    """Name why there is no connection, in words that tell time, name, port, proxy and certificate apart."""
    import socket as sockets
    import ssl

    where = f"{'the proxy ' if proxy else ''}{host}:{port}"
    if isinstance(error, (APITimeoutError, sockets.timeout)):
        name = "deadline" if call.time_left() <= 0 else "connect_timeout"
        limit = getattr(call.config, name)
        hint = f"is the network up? else raise {name}"
        return APITimeoutError(f"no connection to {where} within {limit:g} s", hint=hint)
    if isinstance(error, sockets.gaierror):
        return APIConnectionError(f"the name {host} can't be looked up: {error}", hint="is the network up?")
    if isinstance(error, ssl.SSLCertVerificationError):
        return APIConnectionError(
            f"the certificate of {host} can't be verified: {error.verify_message}",
            hint="behind an inspecting proxy set SSL_CERT_FILE to its CA bundle; with Python from python.org on"
            " macOS run 'Install Certificates.command'",
        )
    hint = "check HTTPS_PROXY and NO_PROXY" if proxy else "is base_url right, and the network up?"
    return APIConnectionError(f"no connection to {where}: {error}", hint=hint)


# --- Client ---------------------------------------------------------------------------------
# The only joiner of log, transport, policy and prices. complete, chat, stream, request and
# their async forms are one path: an _Operation whose events() is run by somebody.


class _Asked:
    """What a caller waits for: one operation, or the several of a tool loop."""

    config: LlmConfig
    call: _Call
    body: Json | None = None
    result: Any = None
    # Weak: a loop that is left must be the last to know its generator, whose end closes the socket.
    reader: weakref.ref[Any] | None = None

    def events(self) -> Generator[Json, None, None]:
        """Send, and yield each decoded event; then ``result`` is set."""
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
        """Return the whole answer; raises StreamInterruptedError before its end."""
        if isinstance(self.result, Completion):
            return self.result
        hint = "read it to the end first; what there is stands in .partial"
        raise StreamInterruptedError("the stream has not come to its end", hint=hint, partial=self.partial())


# What the log keeps of an answer: columns, and the fields of a Completion and of its Usage that fill them.
_ANSWER_COLUMNS = {"served_model": "model", "upstream_provider": "provider", "finish_reason": "finish_reason",
                   "cost": "cost", "cost_source": "cost_source"}  # fmt: skip
_USAGE_COLUMNS = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens", "total_tokens": "total_tokens",
                  "cached_tokens": "cached_tokens", "reasoning_tokens": "reasoning_tokens"}  # fmt: skip


class _Operation(_Asked):
    """One thing asked of a model: its log row, its attempts, its answer."""

    def __init__(
        self,
        llm: Llm,
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
        self.config = config
        self.call = call or _Call(config)
        self.is_stream = False
        self._llm = llm
        self._method = method
        self._path = path
        self.body = body
        self._fields = body or {}
        self._action_id = action_id
        self._is_completion = is_completion
        self._parse = parse
        first = next(iter(_list(self._fields.get("models"))), None)
        self.requested_model = _str_or_none(self._fields.get("model") or first)
        self._models: tuple[str, ...] = ()
        if is_completion and self.requested_model and "models" not in self._fields:
            self._models = tuple(dict.fromkeys([self.requested_model, *config.fallbacks]))
        self._payload = self._encode(self._models)
        self._assembler = ChunkAssembler()
        self._attempts: list[Attempt] = []
        self._plain: Json = {}
        self._first_token_ms: int | None = None
        self._answer_headers: Any = {}
        self._log: _Log | None = llm._log if method != "GET" else None
        self._has_begun = False
        self.operation_id = new_operation_id()

    def _encode(self, models: Sequence[str]) -> bytes | None:
        return None if self.body is None else encode_body(with_models(self.body, models[:MODELS_PER_REQUEST]))

    # The path of every operation.

    def events(self) -> Generator[Json, None, None]:
        """Send, and yield each decoded event (of a plain answer the one body); then ``result`` is set.

        The row is opened before and closed after, whatever ends this: also a caller who stops.
        """
        if self._has_begun:
            raise ConfigError("a stream can be read once", hint="its text is stream.completion.content")
        self._has_begun = True
        self._llm._enter(self)
        self.call.begin()
        self._open_row()
        failure: BaseException | None = None
        try:
            yield from self._attempts_until_done()
        except _Cancelled as error:
            failure = error
            raise self._interrupted(_CLOSED) from None
        except BaseException as error:
            failure = error
            if isinstance(error, OpenRouterError):
                self._scrub(error)
            raise
        finally:
            self._llm._forget(self)
            self._close(failure)

    def _attempts_until_done(self) -> Iterator[Json]:
        models, retries = self._models, 0
        while True:
            self.call.check()
            try:
                yield from self._attempt()
                self._finish(self._attempt_of(models, 200, None, 0.0))
                return
            except OpenRouterError as error:
                import random

                left, chance = self.call.time_left(), random.random()
                step = next_step(error, models, retries=retries, config=self.config, time_left=left, chance=chance)
                self._note_attempt(error, models, step)
                if step.models is None:
                    raise
            retries += step.models == models
            if step.models != models:
                models, self._payload = step.models, self._encode(step.models)
            self._assembler, self._plain, self.is_stream = ChunkAssembler(), {}, False
            self.call.sleep(step.wait)

    def _note_attempt(self, error: OpenRouterError, models: tuple[str, ...], step: Step) -> None:
        status = getattr(error, "status", None)
        self._attempts.append(self._attempt_of(models, status, error.message, step.wait))
        error.attempts = list(self._attempts)
        billed = _MAY_BE_BILLED if isinstance(error, APIConnectionError) and error.sent else ""
        error.hint = "; ".join(filter(None, [step.note, error.hint, billed]))

    def _attempt_of(self, models: Sequence[str], status: int | None, said: str | None, wait: float) -> Attempt:
        """Return what is told of a request; the key may stand in any of it, by mistake or by an echo."""
        key = self.config.api_key
        asked = tuple(redact(model, key) for model in models[:MODELS_PER_REQUEST])
        return Attempt(asked, status, said and redact(said, key), wait)

    def _attempt(self) -> Iterator[Json]:
        """Make one request and yield what it answers; raises the error that it is."""
        url = f"{self.config.base_url}{self._path}"
        answer = self._llm._transport.send(self.call, self._method, url, self._headers(), self._payload)
        self._answer_headers = answer.headers
        failure: OpenRouterError | None = None
        try:
            encoding = answer.headers.get("Content-Encoding", "identity").lower()
            if not 200 <= answer.status <= 299:
                failure = self._status_error(answer, encoding)
            elif encoding not in ("identity", ""):
                said = f"the answer is encoded as {encoding}, though identity was asked for"
                raise APIResponseError(said, hint="a proxy or gateway does this: switch its compression off")
            elif "text/event-stream" in answer.headers.get("Content-Type", "").lower():
                yield from self._read_stream(answer)
            else:
                yield from self._read_plain(answer)
        except BaseException:
            answer.close()
            raise
        answer.finish()
        if failure is not None:
            raise failure

    def _headers(self) -> dict[str, str]:
        headers = {
            "User-Agent": f"openrouter_min/{__version__}",
            "Accept": "text/event-stream" if self._fields.get("stream") is True else "application/json",
            **({} if self._payload is None else {"Content-Type": "application/json"}),
        }
        given = self.config.headers or {}
        names = {name.lower() for name in given}
        headers = {**{k: v for k, v in headers.items() if k.lower() not in names}, **given}
        if self.config.api_key:
            headers["Authorization"] = f"Bearer {self.config.api_key}"
        return headers

    def _read_stream(self, answer: _Answer) -> Iterator[Json]:
        """Yield the chunks; return only with proof that the answer is whole."""
        decoder, is_done = SSEDecoder(), False
        try:
            while not is_done:
                data = answer.read()
                if not self.is_stream and data.lstrip()[:1] == b"{":  # no stream, whatever its type says
                    yield from self._read_plain(answer, data)
                    return
                self.is_stream, held = True, decoder.pending
                for event in decoder.feed(data or b"\n\n"):  # a last event may lack its blank line
                    if event.strip() == b"[DONE]":
                        is_done = True
                        break
                    chunk = self._take_chunk(event, is_torn=not data)
                    if chunk:
                        yield chunk
                if decoder.pending > held:
                    self.call.progress()
                if not data:
                    break
        except (APIConnectionError, *_FAULTS) as error:
            if not self._assembler.has_finish:
                self.call.check()
                broken = self._while_streaming(_reading_error(error))
                raise broken from (None if broken is error else error)
            answer.close()
        if not is_done and not self._assembler.has_finish:
            raise self._interrupted("the stream ended without finish_reason or [DONE]")

    def _take_chunk(self, event: bytes, *, is_torn: bool) -> Json:
        """Decode an event and add it; {} for one that says nothing, or that the end of the connection tore."""
        if not event.strip():  # one more way to keep a connection alive
            return {}
        try:
            chunk = decode_json(str(event, "utf-8", "replace"))
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            if is_torn or self._assembler.has_finish:
                return {}
            said = shown_body(str(event[: 16 * SHOWN_BODY], "utf-8", "replace"))
            hint = "is base_url OpenRouter, or a gateway that changes answers?"
            odd = APIResponseError(f"an event of the stream is no JSON object: {said}", hint=hint)
            raise self._while_streaming(odd)
        self.call.progress()
        self._assembler.add(chunk)
        if self._first_token_ms is None and self._assembler.has_output:
            self._first_token_ms = self.call.elapsed_ms()
        self._check_for_error(chunk)
        if not self._is_completion:  # no chunk of a chat: the caller is about to have it
            self._assembler.has_output = True
        return chunk

    def _check_for_error(self, body: Json) -> None:
        """Raise what an ``error`` inside a 200 means: before any output by its code, else interrupted."""
        found = find_error(body)
        if found is None:
            return
        failure = self._decode_error(found, 200, {"X-Generation-Id": str(body.get("id") or "")})
        if self._assembler.has_output:
            about = {"hint": failure.hint, "status": failure.status, "error_type": failure.error_type}
            raise self._interrupted(f"the stream broke off: {failure.message}", **about) from failure
        if text_of(_message(_first_choice(body)).get("content")):
            failure.partial = self.partial()
        raise failure

    def _read_plain(self, answer: _Answer, head: bytes = b"") -> Iterator[Json]:
        """Read a body to its proven end and yield it; what is no JSON is the ``result`` itself."""
        body = self._read_body(answer, head)
        if answer.is_cut:
            raise APIConnectionError("the connection was closed before the answer was whole", sent=True)
        if not self._is_completion and not _is_text(answer.headers.get("Content-Type", "").lower(), body):
            self.result = body
            return
        value = self._decode_body(body, answer)
        if isinstance(value, dict):
            self._plain = value
            self._check_for_error(value)
        elif self._is_completion:
            raise APIResponseError(f"the answer is no JSON object: {shown_body(json.dumps(value))}")
        self.result = value
        yield value

    def _read_body(self, answer: _Answer, head: bytes = b"") -> bytes:
        """Return the body; the blanks that keep a connection alive before it are no progress."""
        parts = [head]
        try:
            while True:
                data = answer.read()
                if not data:
                    return b"".join(parts)
                if data.strip():
                    self.call.progress()
                parts.append(data)
        except _FAULTS as error:
            self.call.check()
            raise _reading_error(error) from error

    def _decode_body(self, body: bytes, answer: _Answer) -> Any:
        try:
            return decode_json(str(body, "utf-8", "replace").lstrip("\ufeff \t\r\n"))
        except ValueError as error:
            body = body.strip()
            if not body:
                raise APIResponseError(f"HTTP {answer.status} with an empty body", hint="is base_url right?") from None
            if not answer.has_proof and body[:1] in (b"{", b"["):
                raise APIConnectionError("the answer was cut off", sent=True) from None
            said = shown_body(str(body[: 64 * 1024], "utf-8", "replace"))
            raise APIResponseError(f"the answer is not JSON ({error}): {said}", hint="is base_url right?") from None

    def _finish(self, attempt: Attempt) -> None:
        """Turn what came into the result, and refuse what is no answer."""
        result = self.result
        if self._is_completion:
            result = self.partial()
            check_generation(result)
            result.attempts.append(attempt)
        if self._parse and not (self._is_completion and result.tool_calls):
            result = self._parse(result)
        self.result = result
        self._attempts.append(attempt)

    def partial(self) -> Completion:
        """Return the answer so far."""
        return decode_completion(
            self._plain or self._assembler.body(),
            requested_model=self.requested_model,
            attempts=self._attempts,
            latency_ms=self.call.elapsed_ms(),
            first_token_ms=self._first_token_ms,
            headers=self._answer_headers,
        )

    # Errors of one attempt.

    def _status_error(self, answer: _Answer, encoding: str) -> OpenRouterError:
        try:
            said: Any = str(self._read_body(answer), "utf-8-sig", "replace")
        except (APIConnectionError, APIResponseError) as error:  # the status alone tells enough
            said = f"(its body did not come: {error.message})"
        if encoding not in ("identity", ""):
            said = f"(its body is encoded as {encoding}, though identity was asked for)"
        try:
            said = decode_json(said)
        except ValueError:
            said = redact(said, self.config.api_key)
        return self._decode_error(said, answer.status, answer.headers)

    def _decode_error(self, body: Any, status: int, headers: Any) -> APIStatusError:
        if isinstance(body, dict):
            body = decode_json(redact(json.dumps(body), self.config.api_key))
        config = self.config
        shape = "" if (config.api_key or "").startswith("sk-or-") else "; it does not begin with sk-or-"
        note = f"it came from {config.key_source}{shape}"
        models = self._models or ((self.requested_model,) if self.requested_model else ())
        error = decode_error(body, status=status, headers=headers, models=models, key_note=note, now=time.time())
        error.generation_id = error.generation_id and redact(error.generation_id, config.api_key)
        return error

    def _interrupted(self, message: str, **fields: Any) -> StreamInterruptedError:
        fields.setdefault("hint", "the text so far is in .partial; it may have been billed")
        return StreamInterruptedError(message, partial=self.partial(), **fields)

    def _while_streaming(self, error: OpenRouterError) -> OpenRouterError:
        """Return the error, or after any output the interruption that it is."""
        return self._interrupted(error.message) if self._assembler.has_output else error

    def _scrub(self, error: OpenRouterError) -> None:
        """Take the key out of an error and of what caused it."""
        key = self.config.api_key
        error.hint = redact(error.hint, key)
        error.message = redact(error.message, key)
        link, seen = error.__cause__ or error.__context__, {id(error)}
        error.args = (error.message,)
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            link.args = tuple(redact(a, key) if isinstance(a, str) else a for a in link.args)
            link = link.__cause__ or link.__context__

    # The row of the log.

    def _open_row(self) -> None:
        if self._log is None:
            return
        config, body, path = self.config, self._fields, self._path.split("?")[0].strip("/")
        row: Row = {
            "operation_id": self.operation_id,
            "timestamp": utc_timestamp(),
            "session_id": body.get("session_id") or config.session_id,
            "workspace": config.workspace,
            "agent_id": config.agent_id,
            "action_id": self._action_id,
            "operation_type": "completion" if path == "chat/completions" else path,
            "provider": config.provider,
            "model": self.requested_model,
            "status": "running",
            "temperature": _number_or_none(body.get("temperature")),
            "max_tokens": _int_or_none(body.get("max_tokens") or body.get("max_completion_tokens")),
            **self._content_cells(body),
        }
        self._log.open({k: log_cell(v, config.api_key) for k, v in row.items() if v is not None})

    def _content_cells(self, body: Json) -> Row:
        messages = _list(body.get("messages"))
        args = {k: v for k, v in body.items() if k not in ("messages", "input", "prompt", "documents")}
        if self.config.fallbacks:
            args["fallbacks"] = list(self.config.fallbacks)
        if not self.config.log_content:
            shown = ("model", "models", "fallbacks")
            return {"completion_args": {k: v if k in shown else shape_of(v) for k, v in args.items()}}
        asked = body.get("input") or body.get("prompt") or body.get("query")
        return {
            "system_prompt": _last_text(messages, ("system", "developer")),
            "user_prompt": _last_text(messages, ("user",)) or (asked if isinstance(asked, str) else None),
            "messages": without_media(messages or ([asked] if asked and not isinstance(asked, str) else [])),
            "completion_args": without_media(args),
        }

    def _close(self, failure: BaseException | None) -> None:
        """Count what it cost and fill the row, however it ended."""
        completion = self.result if isinstance(self.result, Completion) else self.partial()
        self._llm._add_usage(completion)
        if self._log is None:
            return
        row = self._answer_cells(completion)
        row["generation_id"] = completion.id or getattr(failure, "generation_id", None)
        row["generation_id"] = row["generation_id"] or self._answer_headers.get("X-Generation-Id")
        row["latency_ms"] = self.call.elapsed_ms()
        row["first_token_ms"] = self._first_token_ms
        row["attempts"] = max(1, len(self._attempts))
        row["status"] = _row_status(failure)
        row["success"] = int(row["status"] == "ok")
        if isinstance(failure, OpenRouterError):
            name, kind = type(failure).__name__, getattr(failure, "error_type", None)
            is_told = self.config.log_content  # else: a server may have taken words from the prompt
            row["error_type"] = kind if kind and (is_told or kind in ERROR_TYPE_STATUS) else name
            untold = f"{name} {getattr(failure, 'status', None) or ''}".rstrip()
            row["error_message"] = str(failure) if is_told else untold
        self._log.close(self.operation_id, {k: log_cell(v, self.config.api_key) for k, v in row.items()})

    def _answer_cells(self, completion: Completion) -> Row:
        usage = completion.usage if completion.raw.get("usage") else None
        extras = {
            "native_finish_reason": completion.native_finish_reason,
            "service_tier": completion.raw.get("service_tier"),
            "tool_calls": [dataclasses.asdict(c) for c in completion.tool_calls],
            "attempts": [dataclasses.asdict(a) for a in self._attempts if a.error],
            "files": without_media(completion.files),
            "is_refusal": bool(completion.refusal and not completion.content),
        }
        if not self.config.log_content:
            extras["tool_calls"] = shape_of(extras["tool_calls"]) if completion.tool_calls else None
            extras["attempts"] = [[a.status, a.waited_s] for a in self._attempts if a.error]
            extras["files"] = shape_of(extras["files"])
        return {
            **{column: getattr(completion, name) for column, name in _ANSWER_COLUMNS.items()},
            **{column: usage and getattr(usage, name) for column, name in _USAGE_COLUMNS.items()},
            "response": answer_text(completion) if self.config.log_content else None,
            "extras": {k: v for k, v in extras.items() if v},
        }


def completion_of(row: Row) -> Completion:
    """Return what a row of the log keeps of an answer."""
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
    """Return the messages of a logged conversation; files, of which the log keeps no content, as notes on them."""
    messages: list[Json] = _dicts(decode_json(row["messages"] or "[]"))
    for message in messages:
        if isinstance(message.get("content"), list):
            message["content"] = [_without_file(part) for part in _dicts(message["content"])]
    return [*messages, dataclasses.replace(completion_of(row), tool_calls=[]).message]  # nobody has answered them


def _without_file(part: Json) -> Json:
    inner = _dict(part.get(str(part.get("type"))))
    note = next((v for v in inner.values() if isinstance(v, str) and "bytes, sha256" in v), None)
    return {"type": "text", "text": note} if note else part


_CLOSED = "the call was closed before its answer was whole"
_MAY_BE_BILLED = "the request had been sent whole, so it may have been billed: it was not sent again"


def _is_text(kind: str, body: bytes) -> bool:
    """Say by its content type, or where that says little by its first byte, whether a body should be JSON."""
    is_vague = not kind or kind.startswith("text/plain")
    return "json" in kind or "html" in kind or is_vague and body.lstrip()[:1] in (b"{", b"[")


def _reading_error(error: BaseException) -> OpenRouterError:
    """Name what ended the reading of an answer: a fault of the connection, or a broken limit."""
    if isinstance(error, OpenRouterError):
        return error
    if isinstance(error, LimitError):
        return APIResponseError(f"the server sent {error}", hint="ask for less at once")
    return _connection_error(error, sent=True)


def _last_text(messages: list[Any], roles: tuple[str, ...]) -> str | None:
    last: Json = next((m for m in reversed(messages) if _dict(m).get("role") in roles), {})
    return text_of(last.get("content")) or None


def _row_status(failure: BaseException | None) -> str:
    if failure is None:
        return "ok"
    if isinstance(failure, StreamInterruptedError):
        return "interrupted"
    return "error" if isinstance(failure, Exception) and not isinstance(failure, _Cancelled) else "cancelled"


class _ToolLoop(_Asked):
    """Rounds of one question: the model asks for functions, they run, what they return goes back.

    Each round is an operation with a row of its own; ``action_id`` ties them together.
    """

    def __init__(
        self,
        llm: Llm,
        begin: Callable[[list[Json], _Call | None], _Operation],
        messages: list[Json],
        tools: Sequence[Any],
        max_rounds: int,
    ) -> None:
        self._llm = llm
        self._begin = begin
        self._messages = messages
        self._functions = functions_of(tools)
        self._of_caller = {_dict(t.get("function")).get("name") for t in tools if isinstance(t, dict)}
        self._max_rounds = max_rounds
        self._completions: list[Completion] = []
        self._messages_between: list[Json] = []
        self._lock = threading.RLock()
        self._own_loop: Any = None
        self._is_over = threading.Event()
        self._operation = begin(messages, None)
        self.call = self._operation.call

    def partial(self) -> Completion:
        """Return the answer so far: the present round's, with what the earlier ones cost and said."""
        if isinstance(self.result, Completion):
            return self.result
        is_done = self._operation.result is not None  # then it is among the completions, and its functions run
        return self._sum() if is_done and self._completions else self._sum(self._operation.partial())

    def _sum(self, *last: Completion) -> Completion:
        return sum_of_rounds([*self._completions, *last], self._messages_between)

    def _sum_without_answer(self) -> Completion:
        """Return what the rounds cost; where the next one has failed, with nothing of an answer in it."""
        total = self._sum()
        if self._operation.result is not None:
            return total
        nothing: Json = {"content": "", "tool_calls": [], "reasoning": None, "reasoning_details": [], "raw": {}}
        return dataclasses.replace(total, **nothing, finish_reason=None)

    def events(self) -> Generator[Json, None, None]:
        """Yield the events of every round; then ``result`` is the last answer with the sums of all."""
        self._llm._enter(self)  # a close of the client ends it between the rounds too
        try:
            yield from self._rounds()
        except OpenRouterError as error:  # what the rounds before have done is not lost
            if self._completions:
                error.partial = self._sum(error.partial) if error.partial else self._sum_without_answer()
            raise
        finally:
            self._llm._forget(self)
            with self._lock:
                self._is_over.set()
                loop, self._own_loop = self._own_loop, None
            if loop is not None:
                with contextlib.suppress(RuntimeError):  # it saw that all is over before it began
                    loop.call_soon_threadsafe(loop.stop)

    def _rounds(self) -> Iterator[Json]:
        while True:
            yield from self._operation.events()
            completion = with_call_ids(self._operation.completion())
            if not self._is_for_us(completion):
                self.result = self._sum(completion)
                return
            self._completions.append(completion)
            if len(self._completions) > self._max_rounds:
                said = f"after {self._max_rounds} rounds of functions the model still asks for more"
                raise APIResponseError(said, hint="raise max_tool_rounds, or tell the model when to stop")
            results = self._results(completion.tool_calls)
            self._messages_between = [*self._messages_between, completion.message, *results]
            self._operation = self._begin([*self._messages, *self._messages_between], self.call)

    def _is_for_us(self, completion: Completion) -> bool:
        """Whether to run functions: not half-written calls, nor the caller's own, nor an echo of what a server ran."""
        named = {call.name for call in completion.tool_calls}
        if not named or completion.truncated or named & self._of_caller:
            return False
        return completion.finish_reason == "tool_calls" or bool(named & set(self._functions))

    def _results(self, calls: Sequence[ToolCall]) -> list[Json]:
        """Run what was asked for, several at once, and return the messages that answer."""
        answers = [""] * len(calls)
        ends: list[BaseException] = []  # KeyboardInterrupt and SystemExit: not for the model, but for the caller

        def work(i: int) -> None:
            try:
                answers[i] = self._answer(calls[i])
            except BaseException as error:
                ends.append(error)

        if len(calls) == 1:
            work(0)  # in the caller's own thread, which what the function uses may belong to
        else:
            threads = [_thread(work, i) for i in range(len(calls))]
            while threads and not ends and not self.call.is_cancelled:
                self.call.check_deadline()
                threads[0].join(self._slice())
                threads = [t for t in threads if t.is_alive()]
        if ends:
            raise ends[0]
        self.call.check_deadline()
        if self.call.is_cancelled:
            raise StreamInterruptedError(_CLOSED)
        return [{"role": "tool", "tool_call_id": c.id, "content": a} for c, a in zip(calls, answers)]

    def _answer(self, call: ToolCall) -> str:
        """Run one function; what goes wrong is told to the model, which may do better next time."""
        import inspect

        function = self._functions.get(call.name)
        if function is None:
            return f"Error: there is no function {call.name!r}; there are: {', '.join(self._functions)}"
        try:
            value = function(**fitting_arguments(function, call))
            return tool_text(self._await(value) if inspect.isawaitable(value) else value)
        except Exception as error:  # of the caller's function: anything, also one that can't be shown
            with contextlib.suppress(Exception):
                return f"Error: {type(error).__name__}: {error}"
            return f"Error: {type(error).__name__}"

    def _await(self, awaitable: Any) -> Any:
        """Await in the loop where the caller waits, or where there is none in one of our own."""
        import asyncio
        import concurrent.futures

        async def result() -> tuple[Any, BaseException | None]:
            try:
                return await awaitable, None
            except (KeyboardInterrupt, SystemExit) as error:  # which would end the loop before it tells anybody
                return None, error

        loop = self._loop()
        if loop is None:  # a function that nobody waits for any more
            getattr(awaitable, "close", str)()
            raise concurrent.futures.CancelledError
        future = asyncio.run_coroutine_threadsafe(result(), loop)
        try:
            while not concurrent.futures.wait([future], self._slice()).done:
                self.call.check_deadline()
                if self.call.is_cancelled or self._is_over.is_set():
                    break
        finally:
            future.cancel()  # which does nothing to one that is done
        value, end = future.result()
        if end:
            raise end
        return value

    def _slice(self) -> float:
        return max(0.0, min(WAIT_SLICE, self.call.time_left()))

    def _loop(self) -> Any:
        """Return the loop for coroutines: one for all, since what they use may be bound to it; None after the end."""
        import asyncio

        with self._lock:
            if self._is_over.is_set():
                return None
            if self.call.loop is None and self._own_loop is None:
                self._own_loop = asyncio.new_event_loop()
                _thread(_run_loop, self._own_loop, self._is_over)
            return self.call.loop or self._own_loop


def _run_loop(loop: Any, is_over: threading.Event) -> None:
    """Run a loop until all is over; what still runs in it then is cancelled."""
    import asyncio

    async def end() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.shutdown_asyncgens()

    try:
        while not is_over.is_set():  # a task may stop it, or exit
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                loop.run_forever()
        loop.run_until_complete(end())
    finally:
        loop.close()


def _thread(target: Callable[..., None], *args: Any) -> threading.Thread:
    """Start a daemon thread that sees the context variables of its maker."""
    import contextvars

    work = contextvars.copy_context().run
    thread = threading.Thread(target=work, args=(target, *args), name="openrouter_min", daemon=True)
    thread.start()
    return thread


class Llm:
    """A client for one model or a list of them; safe to use from many threads.

    ``Llm(config)``, ``Llm(config, model=...)`` or ``Llm(model=...)``. Each call may set anew:
    model, fallbacks, headers (added to the client's), temperature, max_tokens, system_prompt,
    timeout, connect_timeout, deadline, max_retries, retry_wait_max, session_id, workspace,
    agent_id, action_id, log_content; any other keyword is a field of the request body.
    ``tools``: functions are run for you, for at most max_tool_rounds (10) rounds; dicts are
    yours to run. ``schema``: a dataclass or JSON Schema that the answer must fit, see
    ``completion.parsed``. ``attachments``: paths, URLs, bytes or (name, bytes) of images, PDF,
    audio, video or text that go with the last message.
    """

    def __init__(self, config: LlmConfig | None = None, **overrides: Any) -> None:
        if config is not None and not isinstance(config, LlmConfig):
            raise ConfigError(f"config is {_kind(config)}, not an LlmConfig", hint="Llm(LlmConfig(model=...))")
        self.config = dataclasses.replace(config, **overrides) if config else LlmConfig(**overrides)
        self._transport = _Transport(self.config)
        self._log = _log_for(self.config.log)
        self._usage = Usage()
        self._is_closed = False
        self.renew()

    def renew(self) -> None:
        """Hold what a forked child can use: no lock that a thread of its parent may have taken, nothing that runs."""
        # RLock, here and above: garbage collection, at any moment, may end a stream that this thread has left.
        self._lock = threading.RLock()
        self._running: set[_Asked] = set()
        _FORK_SENSITIVE.add(self)

    def __repr__(self) -> str:
        return f"Llm({self.config!r})"

    def complete(self, prompt: str, **params: Any) -> Completion:
        """Answer a prompt; blocks until the answer is whole.

        Raises ConfigError before anything is sent, else an OpenRouterError as the server or the
        network gives reason.
        """
        return self._ask(_checked_prompt(prompt), params).run()

    def chat(self, messages: Sequence[Json], **params: Any) -> Completion:
        """Answer a list of messages; append ``completion.message`` to it to go on. Raises as complete."""
        return self._ask(_checked_messages(messages), params).run()

    def stream(self, prompt_or_messages: str | Sequence[Json], **params: Any) -> Stream:
        """Return a Stream for ``for`` or ``async for``; nothing is sent before its first iteration.

        Bad arguments raise ConfigError here, all else is raised while it is read.
        """
        return Stream(self._ask(prompt_or_messages, params, stream=True))

    async def acomplete(self, prompt: str, **params: Any) -> Completion:
        """Await an answer to a prompt; as complete, in a thread of its own. Cancel ends it at once."""
        return await _run_in_thread(self._ask(_checked_prompt(prompt), params))

    async def achat(self, messages: Sequence[Json], **params: Any) -> Completion:
        """Await an answer to a list of messages; as chat, in a thread of its own."""
        return await _run_in_thread(self._ask(_checked_messages(messages), params))

    def map(self, prompts: Iterable[Any], *, concurrency: int = 8, **params: Any) -> Iterator[Completion | Exception]:
        """Answer many prompts, ``concurrency`` at a time; yield the results in order, as they come.

        A prompt is a str, a list of messages, or a dict with ``prompt`` or ``messages`` and what
        else holds for it alone. What one fails with stands in its place; the others go on. Not
        more than 4 times ``concurrency`` answers wait for a slow reader. To stop early, also by
        Ctrl-C, cancels what runs, and asks no more. Raises ConfigError at once for what is wrong
        for all, and what the iterable itself raises, after the answers before it.
        """
        return _Many(self, prompts, concurrency, params).results()

    def amap(
        self, prompts: Iterable[Any], *, concurrency: int = 8, **params: Any
    ) -> AsyncIterator[Completion | Exception]:
        """Yield for ``async for`` what map yields."""
        many = _Many(self, prompts, concurrency, params)
        return _iterate_in_thread(many, many.results())

    @property
    def usage(self) -> Usage:
        """Tokens and USD of all that this client was billed for; estimated costs are in the sum."""
        return self._usage

    def models(self, query: str | None = None) -> list[ModelInfo]:
        """Return the live catalogue; ``query``: words that id or name must hold. Needs no key."""
        words = str(query or "").lower().split()
        found = map(model_from_listing, self.listing())
        return [m for m in found if all(w in f"{m.id} {m.name}".lower() for w in words)]

    def listing(self) -> Iterator[Json]:
        """Yield the entries of GET /models as they came."""
        path: str | None = "/models"
        for _ in range(100):  # pages of up to 1000; a server whose links go round must not hold us
            if path is None:
                return
            page = _dict(self.request("GET", path))
            yield from _dicts(page.get("data"))
            path = self._relative(_str_or_none(_dict(page.get("links")).get("next")))

    def _relative(self, link: str | None) -> str | None:
        base_path = "/" + (self.config.base_url or "").partition("://")[2].partition("/")[2]
        for prefix in (self.config.base_url or "", base_path):
            if link and link.startswith(prefix + "/"):
                return link[len(prefix) :]
        return link

    def embed(self, texts: str | Sequence[Any], *, model: str, **params: Any) -> Embeddings:
        """Return a vector per text, with usage and cost; ``params`` are as those of complete. Raises as it."""
        if not texts or not isinstance(texts, (str, list, tuple)):
            hint = "embed(['a', 'b'], model=...)"
            raise ConfigError(f"embed: texts is {_kind(texts) if texts else 'empty'}", hint=hint)
        config = self._configured({**params, "model": model})
        fields = {k: v for k, v in params.items() if k not in CALL_SETTINGS | CALL_ONLY}
        body = {"model": model, "input": texts, **fields}
        count = 1 if isinstance(texts, str) else len(texts)
        kind: Json = {
            "action_id": params.get("action_id"),
            "parse": lambda a: decode_embeddings(_dict(a), model, count),
        }
        vectors: Embeddings = self._send(config, "POST", "/embeddings", body, **kind)
        return vectors

    def key(self) -> Json:
        """Return what OpenRouter knows of the key: limit, use by day, week and month."""
        return self._data("/key")

    def credits(self) -> Json:
        """Return total_credits and total_usage in USD; needs a management key."""
        return self._data("/credits")

    def generation(self, generation_id: str) -> Json:
        """Return the record of a generation; right after a completion it is often still a 404."""
        from urllib.parse import quote

        if not isinstance(generation_id, str) or not generation_id:
            raise ConfigError(f"generation_id={generation_id!r}", hint="completion.id, such as 'gen-...'")
        return self._data(f"/generation?id={quote(generation_id, safe='')}")

    def _data(self, path: str) -> Json:
        return _dict(_dict(self.request("GET", path)).get("data"))

    def request(self, method: str, path: str, body: Json | None = None) -> Any:
        """Send any request of the API; same errors, retries and log row (GETs leave none).

        ``path`` is relative to base_url ("/rerank"). Returns decoded JSON; bytes where the answer
        is not JSON; an iterator of decoded events where it is SSE.
        """
        method = method.upper() if isinstance(method, str) else ""
        if method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            raise ConfigError(f"method={method!r}", hint="GET, POST, PUT, PATCH or DELETE")
        if not isinstance(path, str) or not re.fullmatch(r"[!-\"$-~]+", path) or "://" in path.split("?")[0]:
            raise ConfigError(f"path={path!r} is no path", hint="relative to base_url, such as '/rerank'")
        if not isinstance(body, (dict, type(None))):
            raise ConfigError(f"body is {_kind(body)}, not a dict", hint="request('POST', '/rerank', {...})")
        return self._send(self.config, method, "/" + path.lstrip("/"), body)

    def _send(self, config: LlmConfig, method: str, path: str, body: Json | None, **kind: Any) -> Any:
        operation = self._begin(config, method, path, body, **kind)
        events = operation.events()
        first = next(events, None)
        if operation.is_stream:
            return _rest_of(first, events)
        for _ in events:
            continue
        return operation.result

    def close(self) -> None:
        """End all running calls and close all connections; the client can't be used again."""
        with self._lock:
            self._is_closed = True
            running = list(self._running)
        for operation in running:
            operation.call.cancel()
        self._transport.close()

    def __enter__(self) -> Llm:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # What an _Operation needs of its client.

    def _ask(self, prompt: object, params: Json, *, stream: bool = False) -> _Asked:
        """Check everything and make the operation of a chat completion, or a tool loop; nothing is sent."""
        config = self._configured(params)
        fields = {k: v for k, v in params.items() if k not in CALL_ONLY}
        messages = messages_of(prompt, config.system_prompt)
        if params.get("attachments"):
            messages = with_attachments(messages, [read_attachment(a) for a in params["attachments"]])
        structure = Structure.of(params["schema"]) if params.get("schema") is not None else None
        if structure:
            fields["response_format"] = structure.response_format()
        parse = structure and structure.parse
        tools = {**(config.params or {}), **fields}.get("tools") or []
        has_functions = bool(functions_of(tools))
        if has_functions:
            fields["tools"] = [tool_of(t) if callable(t) else t for t in tools]
        action_id = params.get("action_id") or (new_operation_id() if has_functions else None)

        def begin(messages: list[Json], call: _Call | None) -> _Operation:
            body = build_body(config, messages, fields, stream=stream)
            if call and body.get("tool_choice") not in ("auto", "none", None):
                body["tool_choice"] = "auto"  # what had to be called has been
            kind: Json = {"action_id": action_id, "is_completion": True, "parse": parse, "call": call}
            return self._begin(config, "POST", "/chat/completions", body, **kind)

        if not has_functions:
            return begin(messages, None)
        return _ToolLoop(self, begin, messages, tools, params.get("max_tool_rounds", MAX_TOOL_ROUNDS))

    def _configured(self, params: Json) -> LlmConfig:
        """Check what one call carries, and return the settings that hold for it; model=None is not given."""
        _check_params(params)
        settings = {k: v for k, v in params.items() if k in CALL_SETTINGS and (k != "model" or v is not None)}
        if "headers" in settings:
            settings["headers"] = {**(self.config.headers or {}), **_checked_headers(settings["headers"])}
        return dataclasses.replace(self.config, **settings) if settings else self.config

    def _begin(self, config: LlmConfig, method: str, path: str, body: Json | None, **kind: Any) -> _Operation:
        is_listing = method == "GET" and path.split("?")[0].startswith("/models")
        if not config.api_key and not is_listing:
            hint = f"make one at {KEYS_URL}, then set {KEY_ENV} or pass api_key=..."
            raise ConfigError("there is no API key", hint=hint)
        return _Operation(self, config, method, path, body, **kind)

    def _enter(self, operation: _Asked) -> None:
        with self._lock:
            if self._is_closed:
                raise ConfigError("this Llm is closed", hint="make a new one")
            self._running.add(operation)

    def _forget(self, operation: _Asked) -> None:
        with self._lock:
            self._running.discard(operation)

    def _add_usage(self, completion: Completion) -> None:
        if completion.raw.get("usage"):
            usage = dataclasses.replace(completion.usage, cost=completion.cost)
            with self._lock:
                self._usage += usage


def _check_params(params: Json) -> None:
    """Raise ConfigError for what a call can't carry, before anything is made of it."""
    for name in params:
        if name not in BODY_FIELDS | CALL_SETTINGS and name in LlmConfig.__dataclass_fields__:
            raise ConfigError(f"{name} can't be set per call", hint=f"Llm(..., {name}=...); body fields go in directly")
    if not isinstance(params.get("action_id"), (str, type(None))):
        raise ConfigError(f"action_id is {_kind(params['action_id'])}, not a str", hint="action_id='...'")
    if "provider" in params and not isinstance(params["provider"], (dict, type(None))):
        hint = "provider={'only': ['openai']} or provider={'sort': 'price'}"
        raise ConfigError(f"provider={params['provider']!r}: per call it is OpenRouter's routing object", hint=hint)
    if params.get("schema") is not None and "response_format" in params:
        raise ConfigError("both schema and response_format are given", hint="they are one thing: keep schema")
    for name in ("tools", "attachments"):
        if not isinstance(params.get(name), (list, tuple, type(None))):
            raise ConfigError(f"{name} is {_kind(params[name])}, not a list", hint=f"{name}=[...]")
    check_body_fields({k: v for k, v in params.items() if k not in CALL_SETTINGS})


def read_attachment(thing: Any) -> Json:
    """Return the content part of a path, bytes, (name, bytes) or a URL; raises ConfigError before anything is sent."""
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
        said = repr(thing) if isinstance(thing, (str, os.PathLike)) else _kind(thing)
        raise ConfigError(f"attachments: {said[:200]}: {error}", hint="a path, URL, bytes or (name, bytes)") from None
    if not data:
        raise ConfigError(f"attachments: {name} is empty", hint="a path, URL, bytes or (name, bytes)")
    if len(data) > MAX_ATTACHMENT:
        raise ConfigError(f"attachments: {name} has more than {MAX_ATTACHMENT:,} bytes", hint="make it smaller")
    return attachment_part(str(name), data)


def _checked_prompt(prompt: object) -> str:
    if not isinstance(prompt, str):
        hint = "for messages use chat()" if isinstance(prompt, (list, tuple)) else "complete('...')"
        raise ConfigError(f"the prompt is {_kind(prompt)}, not a str", hint=hint)
    return prompt


def _rest_of(first: Json | None, events: Iterator[Json]) -> Iterator[Json]:
    if first is not None:
        yield first
        yield from events


class _Many:
    """Many prompts at once: threads that take the next one when they are done. A _Call to the bridge."""

    def __init__(
        self,
        llm: Llm,
        prompts: Iterable[Any],
        concurrency: int,
        params: Json,
        on_result: Callable[[Completion | Exception], None] | None = None,
    ) -> None:
        if isinstance(prompts, (str, dict)) or not hasattr(prompts, "__iter__"):
            raise ConfigError(f"prompts is {_kind(prompts)}, not a list of prompts", hint="map(['one', 'two'])")
        if not isinstance(concurrency, int) or not 1 <= concurrency <= 1000:
            raise ConfigError(f"concurrency={concurrency!r}", hint="a whole number from 1 to 1000")
        llm._begin(llm._configured(params), "POST", "/chat/completions", {})  # what is wrong for all is said at once
        self._llm = llm
        self._prompts = iter(prompts)
        self._concurrency = concurrency
        self._params = params
        self._on_result = on_result
        self._changed = threading.Condition()
        self._taking = threading.Lock()  # one of its own: an iterable may be slow, and no result waits for it
        self._results: dict[int, Completion | Exception] = {}
        self._running: weakref.WeakSet[_Asked] = weakref.WeakSet()  # also some that are done, which no cancel harms
        self._taken = self._given = 0
        self._is_at_end = False
        self._failure: BaseException | None = None  # of the iterable itself, or what ends the program
        self.is_cancelled = False
        self.loop: Any = None

    def results(self) -> Generator[Completion | Exception, None, None]:
        """Start the threads and yield the results in order."""
        threads: list[threading.Thread] = []
        try:
            for _ in range(self._concurrency):
                threads.append(_thread(self._work))
            while self._wait_for_next():
                yield self._results.pop(self._given - 1)
            if self._failure:
                raise self._failure
        finally:
            self.cancel()
            until = time.monotonic() + CANCEL_GRACE  # for the rows of the log
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))

    def done_behind(self) -> list[tuple[int, Completion]]:
        """Return (number, answer) of what was done out of turn when the results were left."""
        return [(index, done) for index, done in sorted(self._results.items()) if isinstance(done, Completion)]

    def _wait_for_next(self) -> bool:
        with self._changed:
            while self._given not in self._results:
                if self.is_cancelled or self._is_at_end and self._given == self._taken:
                    return False
                self._changed.wait(WAIT_SLICE)
            self._given += 1
            self._changed.notify_all()
            return True

    def _work(self) -> None:
        try:
            for index, prompt in iter(self._take, None):
                self._answer(index, prompt)
        except BaseException as error:  # a function that ends the program, as by SystemExit, ends them all
            self._failure = error
            self.cancel()

    def _take(self) -> tuple[int, Any] | None:
        with self._taking:
            with self._changed:
                while self._taken - self._given >= MAP_AHEAD * self._concurrency and not self.is_cancelled:
                    self._changed.wait(WAIT_SLICE)  # nobody reads: what is not asked is not billed
            if self.is_cancelled or self._is_at_end:
                return None
            try:
                prompt = next(self._prompts)
            except BaseException as error:  # of a generator: anything
                with self._changed:
                    self._is_at_end = True
                    self._failure = self._failure if isinstance(error, StopIteration) else error
                    self._changed.notify_all()
                return None
            with self._changed:
                self._taken += 1
                return self._taken - 1, prompt

    def _answer(self, index: int, prompt: Any) -> None:
        result: Completion | Exception
        try:
            asked = self._llm._ask(*_prompt_and_params(prompt, self._params))
            asked.call.loop = self.loop
            with self._changed:
                self._running.add(asked)
            if self.is_cancelled:
                asked.call.cancel()
            result = asked.run()
        except Exception as error:  # it stands in the answer's place
            result = error
        with self._changed:
            self._results[index] = result
            if self._on_result and not self.is_cancelled:
                self._on_result(result)
            self._changed.notify_all()

    def cancel(self) -> None:
        """End all that run, and take no more."""
        with self._changed:
            self.is_cancelled = True
            running = list(self._running)
            self._changed.notify_all()
        for asked in running:
            asked.call.cancel()


def _prompt_and_params(prompt: Any, params: Json) -> tuple[Any, Json]:
    """Return what to ask and with which parameters; a dict holds both."""
    if not isinstance(prompt, dict):
        return prompt, params
    own = {k: v for k, v in prompt.items() if k not in ("prompt", "messages")}
    if ("prompt" in prompt) == ("messages" in prompt):
        raise ConfigError("a dict asks with prompt or with messages", hint="{'prompt': '...', 'temperature': 0}")
    return prompt.get("prompt", prompt.get("messages")), {**params, **own}


class _Pieces(Generic[T]):
    """What a stream yields, for ``for`` and for ``async for``, through one conversion of its events."""

    def __init__(self, operation: _Asked, convert: Callable[[Json], T | None]) -> None:
        self._operation = operation
        self._convert = convert

    def __iter__(self) -> Iterator[T]:
        reader = self._read()
        self._operation.reader = weakref.ref(reader)
        return reader

    def _read(self) -> Iterator[T]:
        with contextlib.closing(self._operation.events()) as events:
            yield from filter(None, map(self._convert, events))

    def __aiter__(self) -> AsyncIterator[T]:
        return _iterate_in_thread(self._operation.call, self._read())

    def close(self) -> None:
        """End it, from any thread: the connection is closed, the row says cancelled."""
        self._operation.call.cancel()
        reader = self._operation.reader() if self._operation.reader else None
        if reader is not None:
            with contextlib.suppress(ValueError):  # another thread is inside; the closed connection ends it
                reader.close()


class Stream(_Pieces[str]):
    """An answer as it comes: iterate for text, with ``for`` or ``async for``, once.

    Nothing is sent before the first iteration. To break out of the loop or to leave ``with``
    closes the connection, which ends the billing at the providers that support it. Raises
    StreamInterruptedError, with the partial answer, where the answer is not whole.
    """

    def __init__(self, operation: _Asked) -> None:
        super().__init__(operation, chunk_text)

    def chunks(self) -> _Pieces[Chunk]:
        """Return an iterable (``for`` or ``async for``) of decoded chunks instead of text."""
        return _Pieces(self._operation, decode_chunk)

    @property
    def partial(self) -> Completion:
        """The answer so far, at any time."""
        return self._operation.partial()

    @property
    def completion(self) -> Completion:
        """The whole answer, after the end; before it, or without one, StreamInterruptedError."""
        return self._operation.completion()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()


# Threads for asyncio. Our own and daemons: the default executor has few workers, and holds
# asyncio.run until the last of them is done.


class _Bridge:
    """Carries the items of an iterator from its thread to a loop: in batches, with back-pressure."""

    def __init__(self, call: _Call | _Many) -> None:
        import asyncio

        self._call = call
        self._loop = call.loop = asyncio.get_running_loop()
        self._items: list[Any] = []
        self._room = threading.Condition()
        self._waiter: Any = None
        self.is_over = False
        self.error: BaseException | None = None

    def pump(self, iterator: Iterator[Any]) -> None:
        """Run the iterator to its end in this thread."""
        try:
            for item in iterator:
                self._put([item])
        except BaseException as error:  # it belongs to the one who iterates
            self.error = error
        self.is_over = True
        self._put([])

    def _put(self, items: list[Any]) -> None:
        with self._room:
            while len(self._items) >= ASYNC_BACKLOG and not self._call.is_cancelled:
                self._room.wait(WAIT_SLICE)
                if self._loop.is_closed():
                    self._call.cancel()
            self._items += items
            waiter, self._waiter = self._waiter, None
        try:
            if waiter is not None:
                self._loop.call_soon_threadsafe(lambda: waiter.done() or waiter.set_result(None))
        except RuntimeError:  # the loop is closed, and nobody waits any more
            self._call.cancel()

    async def batch(self) -> list[Any]:
        """Wait for items and return all that are there; [] once it is over."""
        while True:
            with self._room:
                items, self._items = self._items, []
                if items or self.is_over:
                    self._room.notify()
                    return items
                waiter = self._waiter = self._loop.create_future()
            await waiter

    def close(self) -> None:
        """Cancel the call; a pump that waits for room goes on, and ends."""
        self._call.cancel()
        with self._room:
            self._room.notify()


async def _iterate_in_thread(call: _Call | _Many, iterator: Iterator[T]) -> AsyncIterator[T]:
    """Yield what the iterator gives in a thread of its own; to stop early cancels its call."""
    import asyncio

    bridge = _Bridge(call)
    _thread(bridge.pump, iterator)
    try:
        while True:
            items = await bridge.batch()
            if not items:
                break
            for item in items:
                yield item
        if bridge.error is not None:
            raise bridge.error
    finally:
        bridge.close()
        until = time.monotonic() + CANCEL_GRACE  # for the thread of a cancelled call to write its row
        while not bridge.is_over and time.monotonic() < until:
            await asyncio.sleep(0.005)


async def _run_in_thread(operation: _Asked) -> Completion:
    """Await the answer of an operation: its events are read as those of a stream, and dropped."""
    async for _ in _iterate_in_thread(operation.call, operation.events()):
        continue
    return operation.completion()


# --- Mock server ----------------------------------------------------------------------------
# A loopback OpenRouter for tests and for --mock: real HTTP, the real shapes of stream and error.

MOCK_PROVIDER = "Mock"  # on the log it tells mock calls from real ones
MOCK_MODEL = "openai/gpt-4o-mini"  # what openrouter/auto is answered with
MOCK_STEPS = frozenset({"ok", "error", "cut", "stall", "empty", "reset"})


@dataclass(frozen=True, eq=False, repr=False)
class MockRequest(_Value):
    """A request as it arrived; ``headers`` are looked up in any case, ``json`` is None without a body."""

    method: str
    path: str
    headers: Mapping[str, str]
    json: Any

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class MockOpenRouter:
    """A loopback server that speaks OpenRouter's wire format; use as a context manager.

        with MockOpenRouter(429, "Hello there") as mock:
            llm = Llm(base_url=mock.url, api_key="any", log=False)
            assert llm.complete("hi").content == "Hello there"

    Each item answers one POST: "ok"; an int (that HTTP status); "error" (an error frame after
    some text); "cut" (the connection closes after some text); "stall" (comments only, no data);
    "empty"; "reset"; any other string is the text to answer. Then "ok". ``delay``: seconds
    between the pieces of a stream. Costs are the price table's: nothing is asked, nothing is billed.
    """

    def __init__(self, *script: str | int, delay: float = 0.0) -> None:
        for step in script:
            if isinstance(step, bool) or not isinstance(step, (str, int)):
                raise ConfigError(f"MockOpenRouter: {step!r} is no step", hint="a str or an HTTP status")
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
        self._server = server = _mock_server(self)
        _thread(server.serve_forever, 0.01)
        return self

    def __exit__(self, *exc: object) -> None:
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()
        for sock in list(self.connections):
            _shut_down(sock)

    def take(self, request: MockRequest) -> str | int:
        """Note a request and return the step that answers it."""
        with self._lock:
            self.requests.append(request)
            return self._script.pop(0) if self._script and request.method == "POST" else "ok"


def _mock_server(mock: MockOpenRouter) -> Any:
    """Return a server that answers for the mock; http.server's import is not for every start."""
    import http.server

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of clients that leave, which is their right; all else is a bug."""
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
            # http.server's headers are a mapping that is looked up in any case
            request = MockRequest(self.command, self.path, self.headers, decoded)  # type: ignore[arg-type]
            step = mock.take(request)
            _MockAnswer(mock, self, request).send(step)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: stderr is the user's."""

    return Server(("127.0.0.1", 0), Handler)


class _MockAnswer:
    """The answer to one request of a mock server: a status, and the pieces of a chunked body."""

    def __init__(self, mock: MockOpenRouter, handler: Any, request: MockRequest) -> None:
        self._mock = mock
        self._handler = handler
        self._request = request
        self._body = _dict(request.json)
        self._messages = _list(self._body.get("messages"))
        self._asked = str(self._body.get("model") or next(iter(_list(self._body.get("models"))), ""))
        self._model = MOCK_MODEL if self._asked.startswith("openrouter/") else self._asked
        self._number = len(mock.requests)

    def send(self, step: str | int) -> None:
        """Answer as the step of the script says."""
        handler = self._handler
        if step == "reset":
            self._reset()
            return
        status, pieces = self._answer(step)
        is_stream = status == 200 and self._body.get("stream") is True
        handler.send_response(status)
        handler.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
        handler.send_header("X-Generation-Id", f"gen-mock-{self._number}")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces:
            self._write(piece)
        if step == "cut":
            handler.close_connection = True
        else:
            self._write(b"")

    def _write(self, piece: bytes) -> None:
        self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def _reset(self) -> None:
        import socket as sockets
        import struct

        self._handler.close_connection = True
        linger = struct.pack("ii", 1, 0)  # close with RST instead of FIN
        self._handler.connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, linger)
        sockets.close(self._handler.connection.detach())

    def _answer(self, step: str | int) -> tuple[int, Iterable[bytes]]:
        path = self._request.path.split("?")[0]
        if self._request.method == "GET" and path.endswith("/models"):
            return 200, [json.dumps({"data": [_listing_of(METADATA[i]) for i in METADATA]}).encode()]
        if self._request.method == "GET" and path.endswith("/key"):
            return 200, [b'{"data": {"label": "mock", "limit": null, "limit_remaining": null, "usage": 0}}']
        if not (self._request.headers.get("Authorization") or "").startswith("Bearer "):
            return self._error(401, "Missing Authentication header")
        if isinstance(step, int):
            return self._error(step, f"mock error {step}")
        if not path.endswith("/chat/completions") or self._request.method == "GET":
            return self._error(404, f"the mock server has no {path}")
        if "/" not in self._asked and not self._asked.startswith("@"):
            return self._error(400, f"{self._asked} is not a valid model ID")
        return 200, self._stream(step) if self._body.get("stream") is True else self._plain(step)

    def _error(self, status: int, message: str) -> tuple[int, list[bytes]]:
        return status, [json.dumps({"error": {"code": status, "message": message}, "user_id": "user_mock"}).encode()]

    def _plain(self, step: str) -> Iterator[bytes]:
        yield b"\n         \n" * 2
        yield from self._stall(step, b"\n         \n")
        words = self._words(step)
        choice: Json = {"index": 0, "finish_reason": "stop", "native_finish_reason": "stop"}
        choice["message"] = {"role": "assistant", "content": "".join(words), "refusal": None, "reasoning": None}
        if step == "empty":
            choice.update(finish_reason=None, native_finish_reason=None)
        if step == "error":
            choice.update(finish_reason="error", error=_MOCK_ERROR)
        body = self._envelope("chat.completion", choice, usage=self._usage(len(words)))
        data = json.dumps(body).encode()
        yield data[: len(data) // 2] if step == "cut" else data

    def _stream(self, step: str) -> Iterator[bytes]:
        yield _MOCK_COMMENT * 2
        yield from self._stall(step, _MOCK_COMMENT)
        words = self._words(step)
        for word in words[: len(words) // 2] if step in ("cut", "error") else words:
            yield self._event(word, None)
            time.sleep(self._mock.delay)
        if step == "cut":
            return
        if step == "error":
            yield self._event("", "error", error=_MOCK_ERROR)
        elif step != "empty":
            yield self._event("", "stop")
            yield self._event("", "stop", usage=self._usage(len(words)))
        yield b"data: [DONE]\n\n"

    def _stall(self, step: str, filler: bytes) -> Iterator[bytes]:
        while step == "stall" and not self._mock.is_closing.wait(0.02):
            yield filler

    def _event(self, content: str, finish_reason: str | None, **more: Any) -> bytes:
        choice: Json = {"index": 0, "finish_reason": finish_reason, "native_finish_reason": finish_reason}
        choice["delta"] = {"role": "assistant", "content": content}
        return b"data: " + json.dumps(self._envelope("chat.completion.chunk", choice, **more)).encode() + b"\n\n"

    def _envelope(self, kind: str, choice: Json, **more: Any) -> Json:
        head = {"id": f"gen-mock-{self._number}", "provider": MOCK_PROVIDER, "model": self._model, "object": kind}
        return {**head, "created": int(time.time()), "choices": [choice], **more}

    def _words(self, step: str) -> list[str]:
        """Cut the text to answer as a model streams it: a word and its blank at a time."""
        text = step
        if step in MOCK_STEPS:
            prompt = _last_text(self._messages, ("user",)) or ""
            asked = prompt if len(prompt) <= 200 else prompt[:200] + "..."
            text = (
                f"This is a mock answer: no model was asked, and nothing was billed. {self._model} would have been"
                f' asked: "{asked}". Set {KEY_ENV} and leave --mock out for a real one.'
            )
        return [] if step == "empty" else re.findall(r"\s*\S+|\s+$", text)

    def _usage(self, made: int) -> Json:
        asked = sum(len(text_of(_dict(m).get("content"))) for m in self._messages)
        sent = max(1, asked // 4)  # the usual guess: four characters a token
        usage: Json = {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}
        cost = estimate_cost(self._model, Usage.from_wire(usage))
        return {**usage, **({} if cost is None else {"cost": cost, "is_byok": False})}


_MOCK_COMMENT = b": OPENROUTER PROCESSING\n\n"
_MOCK_ERROR = {
    "code": 502,
    "message": "mock provider failed in the middle of the answer",
    "metadata": {"error_type": "provider_unavailable", "provider_name": MOCK_PROVIDER},
}


def _listing_of(model: ModelInfo) -> Json:
    prices = dict(zip(_LISTED_PRICES, dataclasses.astuple(model.pricing)))
    return {
        "id": model.id,
        "canonical_slug": model.id,
        "name": model.name,
        "context_length": model.context_length,
        "architecture": {"input_modalities": list(model.input_modalities)},
        "pricing": {k: "-1" if v is None else f"{v / 1e6:.12f}" for k, v in prices.items()},
        "top_provider": {"max_completion_tokens": model.max_completion_tokens},
        "supported_parameters": ["tools"] if model.tools else [],
    }


# --- Command line ---------------------------------------------------------------------------
# The only place that prints or reads stdin. The answer goes to stdout, all else to stderr.

_EXIT_CODES: list[tuple[type[OpenRouterError], int]] = [
    (ConfigError, 2),
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
exit codes: 0 done, 1 other API error, 2 usage or configuration, 3 key refused, 4 no credits,
5 rate limit, 6 model not found, 7 network or timeout, 8 stream interrupted, 130 Ctrl-C
environment: OPENROUTER_API_KEY, OPENROUTER_MODEL, OPENROUTER_BASE_URL,
OPENROUTER_MIN_LOG (a path, or off), OPENROUTER_MIN_LOG_CONTENT=0, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    _use_utf8()
    try:
        code = _run(_argument_parser().parse_intermixed_args(argv))
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    except OpenRouterError as error:
        _say(f"error: {error}")
        return _exit_code(error)
    except KeyboardInterrupt:
        _say("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        _discard(sys.stdout)
        return 0
    except OSError as error:  # a full disk behind >
        _say(f"error: {error}")
        _discard(sys.stdout)
        return EXIT_OTHER_ERROR


def _exit_code(error: OpenRouterError) -> int:
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), EXIT_OTHER_ERROR)


def _use_utf8() -> None:
    """Write UTF-8 also on consoles that default to something older; never die of a character."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, io.StringIO())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _discard(stream: Any) -> None:
    """Let what is still to be written go nowhere: the interpreter flushes once more at its end."""
    with contextlib.suppress(OSError, ValueError):  # a test's StringIO has no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _argument_parser() -> Any:
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m openrouter_min",
        usage="%(prog)s [-h] [options] [prompt ...]",
        description="Ask a language model through OpenRouter. Piped input is added under the prompt.",
        epilog=_EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=80),
    )
    _add_request_options(parser.add_argument)
    _add_other_options(parser.add_argument)
    # Not before: each option makes a formatter, and one without a width loads shutil to find it.
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _add_request_options(add: Callable[..., Any]) -> None:
    many: Json = {"action": "append", "default": []}
    add("prompt", nargs="*", help="the words of the prompt")
    add("-m", "--model", metavar="M", help="maker/model, such as openai/gpt-4o-mini")
    add("-f", "--fallback", metavar="M", **many, help="a model to try next; repeatable")
    add("-s", "--system", metavar="TEXT|@FILE", help="system prompt")
    add("-t", "--temperature", metavar="N", type=float, help="0 to 2")
    add("--max-tokens", metavar="N", type=int, help="limit of the answer, reasoning included")
    add("-o", "--option", metavar="KEY=VALUE", **many, help="any body field, as JSON; repeatable")
    add("-H", "--header", metavar="'NAME: VALUE'", **many, help="a request header; repeatable")
    add("-a", "--attach", metavar="PATH|URL", **many, help="image, PDF, audio, video or text; repeatable")
    add("--schema", metavar="FILE", help="JSON Schema that the answer must fit; prints JSON")
    add("--timeout", metavar="S", type=float, help=f"seconds without data (default {PROGRESS_TIMEOUT:g})")


def _add_other_options(add: Callable[..., Any]) -> None:
    add("--json", action="store_true", help="print the whole answer as JSON")
    add("--no-stream", action="store_true", help="print the answer when it is whole")
    add("-u", "--usage", action="store_true", help="tokens, cost, model and time on stderr")
    add("--reasoning", action="store_true", help="the model's reasoning, dim, on stderr")
    add("--save", metavar="DIR", help="where images and audio that come back are saved (a temporary folder)")
    add("--chat", action="store_true", help="talk; /help lists the commands")
    add("-c", "--continue", action="store_true", dest="goes_on", help="go on from this terminal's last conversation")
    add("--conversation", metavar="ID", help="go on from that conversation")
    add("--batch", metavar="FILE", help="a prompt or JSON object a line (- is stdin); answers as JSONL,"
        " those of lines asked before from the log")  # fmt: skip
    add("--out", metavar="FILE", help="where a batch adds its answers; those in it are not asked for again")
    add("--concurrency", metavar="N", type=int, help="how many of a batch at once (8)")
    add("--models", metavar="QUERY", nargs="?", const="", help="list models with prices; QUERY: words to find")
    add("--refresh", action="store_true", help="with --models: ask for the live list first, and keep it beside the log")
    add("--log", metavar="N", nargs="?", type=int, const=10, help="show the last N operations (10)")
    add("--costs", metavar="BY", nargs="?", const="model", help="what was spent per model, day or session_id")
    add("--key", action="store_true", help="limit and use of the key, and where it came from")
    add("--mock", action="store_true", help="ask a mock server on this machine: no key, no network")
    add("--db", metavar="PATH", help="the log file")
    add("--no-log", action="store_true", help="write no log")
    add("--version", action="version", version=f"openrouter_min {__version__}")


# (option, the option that it needs, the options that it can't go with)
_COMPANIONS = (
    ("refresh", "models", ()),
    ("out", "batch", ()),
    ("batch", "", ("prompt", "chat", "goes_on", "conversation", "json", "reasoning")),
    ("chat", "", ("json", "schema", "no_stream")),
    ("goes_on", "", ("conversation",)),
    ("key", "", ("prompt", "chat", "batch")),
    ("concurrency", "batch", ()),
)


def _check_companions(options: Any) -> None:
    names = {"goes_on": "--continue", "prompt": "words of a prompt"}

    def shown(name: str) -> str:
        return names.get(name, "--" + name.replace("_", "-"))

    for name, value in vars(options).items():
        if value == "" and name != "models":
            raise ConfigError(f"{shown(name)} is empty", hint="is a variable of the shell not set?")
    for name, needed, excluded in _COMPANIONS:
        given = getattr(options, name) not in (None, False)
        if given and needed and getattr(options, needed) is None:
            raise ConfigError(f"{shown(name)} goes with {shown(needed)} only", hint="--help lists the options")
        for other in excluded if given else ():
            if getattr(options, other):
                raise ConfigError(f"{shown(name)} can't go with {shown(other)}", hint="--help lists the options")


def _run(options: Any) -> int:
    _check_companions(options)
    if options.models is not None:
        if options.refresh:
            _refresh(options)
        return _show_models(options.models)
    if options.log is not None:
        return _show_log(options.db, options.log)
    if options.costs is not None:
        return _show_costs(options.db, options.costs)
    settings = _settings(options)
    if not options.mock:
        return _with_client(options, settings)
    with MockOpenRouter(delay=0.02) as mock:
        return _with_client(options, {**settings, "base_url": mock.url, "api_key": "mock"})


def _with_client(options: Any, settings: Json) -> int:
    path = log_path(settings.get("log"))
    is_new_log = path is not None and not os.path.exists(path)
    if options.save:  # before anything is paid for
        with contextlib.suppress(OSError):
            os.makedirs(options.save, exist_ok=True)
        if not os.path.isdir(options.save) or not os.access(options.save, os.W_OK):
            raise ConfigError(f"--save {options.save}: nothing can be written there", hint="name another folder")
    work = _show_key if options.key else _batch if options.batch is not None else _talk if options.chat else _ask
    history: list[Json] = []
    if options.goes_on or options.conversation:
        history, settings = _earlier(options, settings)
    elif options.chat:
        settings["session_id"] = new_operation_id()
    try:
        with Llm(**settings) as llm:
            return work(options, llm, history)
    finally:
        if is_new_log and path and os.path.exists(path):
            _say(f"note: operations are logged in {path} (switch off: --no-log, or {LOG_ENV}=off)")


def _prompt(words: Sequence[str]) -> str:
    parts = [" ".join(words)] if words else []
    if _stdin_is_given():
        parts.append(_stdin_text())
    return "\n\n".join(p for p in parts if p.strip())


def _stdin_text() -> str:
    return sys.stdin.read().lstrip("\ufeff")  # some editors of Windows begin a file with one


def _stdin_is_given() -> bool:
    """Say whether something is piped in: a pipe, file or socket; not a terminal, not /dev/null."""
    import stat

    try:
        return not stat.S_ISCHR(os.fstat(sys.stdin.fileno()).st_mode)
    except (OSError, ValueError):  # no file behind it: a test's StringIO
        return not sys.stdin.isatty()


def _settings(options: Any) -> Json:
    """Return the settings of LlmConfig that the options stand for."""
    headers = {}
    for header in options.header:
        name, colon, value = header.partition(":")
        if not colon:
            raise ConfigError(f"-H {header!r} has no colon", hint="-H 'X-Title: My app'")
        headers[name.strip()] = value.strip()
    system = options.system
    settings = {
        "model": options.model,
        "fallbacks": options.fallback,
        "system_prompt": _file_text(system[1:], f"-s {system}") if (system or "").startswith("@") else system,
        "temperature": options.temperature,
        "max_tokens": options.max_tokens,
        "headers": headers,
        "timeout": options.timeout,
        "log": False if options.no_log else options.db,
        "agent_id": _terminal(),
    }
    return {name: value for name, value in settings.items() if value is not None}


def _terminal() -> str:
    """Name the terminal, so that --continue does not take up what was said in another one."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        try:
            return f"cli {os.ttyname(stream.fileno())}"
        except (AttributeError, OSError, ValueError):  # no terminal; or Windows, which has no names for them
            continue
    return f"cli {os.environ.get('WT_SESSION', '')}".strip()


def _file_text(path: str, option: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{option}: {error}", hint="name a text file in UTF-8") from None


def _fields(options: Any) -> Json:
    """Return what each call carries: body fields, attachments, schema."""
    fields: Json = {"attachments": options.attach} if options.attach else {}
    if options.schema:
        text = _file_text(options.schema, "--schema")
        try:
            fields["schema"] = {**decode_json(text)}
        except (TypeError, ValueError) as error:
            raise ConfigError(f"--schema {options.schema} is no JSON Schema: {error}", hint="a JSON object") from None
    for pair in options.option:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"-o {pair!r} is no KEY=VALUE", hint='-o top_p=0.9 -o \'reasoning={"effort": "low"}\'')
        try:
            fields[name] = json.loads(value, parse_constant=str)  # NaN is no JSON, but may be a text
        except ValueError:
            fields[name] = value
    return fields


def _ask(options: Any, llm: Llm, history: list[Json]) -> int:
    prompt = _prompt(options.prompt)
    if not prompt.strip():
        _say('error: no prompt\n  python -m openrouter_min "Explain quantum computing in simple terms"')
        return EXIT_USAGE
    _answer(options, llm, [*history, {"role": "user", "content": prompt}], _fields(options))
    return 0


def _answer(options: Any, llm: Llm, messages: list[Json], fields: Json) -> None:
    if not (options.no_stream or options.json or options.schema):
        _stream_answer(options, llm.stream(messages, **fields))
        return
    try:
        completion = llm.chat(messages, **fields)
    except APIResponseError as error:  # what does not fit was paid for all the same
        if error.partial:
            _say(error.partial.content)
        raise
    if options.reasoning and completion.reasoning:
        _say(completion.reasoning, is_dim=True)
    shown = completion.raw if options.json else completion.parsed
    text = completion.content if shown is None else json.dumps(shown, indent=2, ensure_ascii=False)
    print(_shown(text, sys.stdout))
    _add_to_answer(options, completion)


def _stream_answer(options: Any, stream: Stream) -> Completion:
    """Print the text as it comes; whatever ends it, what was printed stays and ends its line."""
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
                print(_shown(last, sys.stdout), end="", flush=True)
    finally:
        if is_thinking:
            _say("")
        if last and not last.endswith("\n"):
            print(flush=True)
    _add_to_answer(options, stream.completion)
    return stream.completion


def _add_to_answer(options: Any, completion: Completion) -> None:
    """Show what else came: files as their paths, remarks, usage."""
    for path in _save_media(completion, options.save):
        (_say if options.json or options.schema else print)(path)
    _remark(completion)
    if options.usage:
        _say(_usage_line(completion))


def _save_media(completion: Completion, folder: str | None) -> list[str]:
    """Write images and audio that came back into files, and return their paths, or the URLs of what is elsewhere."""
    import tempfile

    shown = []
    for number, url in enumerate(completion.files, 1):
        if not url.startswith("data:"):
            shown.append(url)
            continue
        try:
            data = data_of_url(url)
        except ValueError as error:
            _say(f"note: a file that came back is torn ({error}); --json shows all that came")
            continue
        folder = folder or tempfile.mkdtemp(prefix="openrouter_min-")  # it was paid for: never dropped
        stem = re.sub("[^A-Za-z0-9_-]", "_", completion.id or new_operation_id())
        path = os.path.join(folder, f"{stem}-{number}.{media_ending(data)}")
        if os.path.exists(path):  # a gateway that gives every answer one id
            path = os.path.join(folder, f"{new_operation_id()}-{number}.{media_ending(data)}")
        with open(path, "wb") as file:
            file.write(data)
        shown.append(path)
    return shown


def _remark(completion: Completion) -> None:
    """Say what an answer's text does not show: a refusal, a cut, a tool call."""
    if completion.refusal:
        _say(f"note: the model refused: {completion.refusal}")
    if completion.truncated and (completion.content or completion.tool_calls):
        _say("note: the token limit cut the answer; raise --max-tokens")
    elif completion.truncated:
        _say("note: reasoning used up the token limit before any text; raise --max-tokens")
    for call in completion.tool_calls:
        _say(f"note: the model asks for {call.name}({call.arguments})")


def _usage_line(completion: Completion) -> str:
    served = f"{completion.model}" + (f" ({completion.provider})" if completion.provider else "")
    asked = f", asked for {completion.requested_model}" if completion.requested_model != completion.model else ""
    source = f" {completion.cost_source}" if completion.cost_source else ""
    times = f"{(completion.latency_ms or 0) / 1000:.2f} s"
    if completion.first_token_ms is not None:
        times += f", first text after {completion.first_token_ms / 1000:.2f} s"
    return f"{served}{asked} | {_tokens_and_cost(completion.usage, completion.cost)}{source} | {times}"


def _tokens_and_cost(usage: Usage, cost: float | None) -> str:
    tokens = f"{usage.prompt_tokens:,} in + {usage.completion_tokens:,} out = {usage.total_tokens:,} tokens"
    return f"{tokens} | " + ("cost unknown" if cost is None else f"${number_text(cost)}")


# Conversations: what the log knows of the earlier one, and the talk on the terminal.


def _earlier(options: Any, settings: Json) -> tuple[list[Json], Json]:
    """Return the history to go on from, and the settings with its id and model."""
    wanted, value = "agent_id = ?", settings["agent_id"]
    if options.conversation:
        wanted, value = "? IN (session_id, operation_id)", options.conversation
    rows = LlmOperationCollector.query(
        f"SELECT * FROM operations WHERE {wanted} AND operation_type = 'completion' AND messages IS NOT NULL"
        " AND response IS NOT NULL AND coalesce(action_id, '') NOT LIKE 'batch-%' ORDER BY id DESC LIMIT 1",
        [value],
        path=settings.get("log"),
    )
    if not rows:
        said = options.conversation or "to continue in this terminal"
        hint = "--log shows what it knows; --no-log keeps none"
        raise ConfigError(f"the log knows no conversation {said}", hint=hint)
    row = rows[0]
    history = history_of(row)
    if options.system:
        history = [m for m in history if m["role"] not in ("system", "developer")]
    session_id = row["session_id"] or row["operation_id"]
    _say(f"conversation {session_id}")
    return history, {"model": row["model"], **settings, "session_id": session_id}


class _Talk:
    """A conversation on the terminal: what was said, and the commands that begin with a slash."""

    HELP = """\
/model NAME   ask another model from now on; without a name: which is asked
/system TEXT  give another system prompt from now on (- for none); without a text: which is given
/usage        tokens and cost of this conversation so far
/save FILE    write the conversation: as JSON if FILE ends in .json, else as text
/quit         leave (or Ctrl-D); Ctrl-C stops an answer
a line that ends in \\ goes on in the next; \""" begins and ends a text of many lines"""

    def __init__(self, options: Any, llm: Llm, history: list[Json]) -> None:
        self._options = options
        self._llm = llm
        self._messages = history
        self._fields = _fields(options)
        self._parts = [read_attachment(a) for a in self._fields.pop("attachments", [])]  # of the first message
        self.failure: OpenRouterError | None = None
        llm.stream("?", **self._fields)  # never read: what is wrong for all is said before the first question

    def run(self) -> None:
        """Read and answer until /quit or the end of the input."""
        text = " ".join(self._options.prompt)
        while True:
            try:
                text = text or self._read()
                is_command = re.match(r"/[a-z]*(\s|$)", text) and "\n" not in text
                if is_command and self._command(text):
                    return
                if text.strip() and not is_command:
                    self._answer(text)
            except EOFError:
                return
            except KeyboardInterrupt:
                if not sys.stdin.isatty():
                    raise
                _say("\n(/quit or Ctrl-D leaves)")
            except (OpenRouterError, OSError) as error:
                _say(f"error: {error}")
                self.failure = error if isinstance(error, OpenRouterError) else None
            text = ""

    def _read(self) -> str:
        line = _input("> ")
        is_block = line.startswith('"""')
        lines = [line[3:] if is_block else line]
        try:
            while not lines[-1].rstrip().endswith('"""') if is_block else lines[-1].endswith("\\"):
                lines.append(_input(". "))
        except EOFError:  # what there is counts
            lines.append("")
        if is_block:
            return re.sub(r'"""\s*$', "", "\n".join(lines)).strip("\n")
        return "\n".join(line[:-1] if line.endswith("\\") else line for line in lines)

    def _answer(self, text: str) -> None:
        asked: list[Json] = [*self._messages, {"role": "user", "content": text}]
        if self._parts:
            asked = with_attachments(asked, self._parts)
        stream = self._llm.stream(asked, **self._fields)
        try:
            completion = _stream_answer(self._options, stream)
        except (KeyboardInterrupt, StreamInterruptedError) as error:
            _say(f"error: {error}" if isinstance(error, StreamInterruptedError) else "(stopped)")
            if isinstance(error, KeyboardInterrupt) and not sys.stdin.isatty():
                raise
            completion = stream.partial
        if completion.content and not completion.tool_calls:  # calls that nobody answers would spoil what follows
            self._messages, self._parts = [*asked, *completion.messages], []
        else:
            _say("note: this exchange is not kept in the conversation")

    def _command(self, line: str) -> bool:
        """Do what a /command says; return whether it ends the talk."""
        name, _, rest = line[1:].strip().partition(" ")
        if name in ("quit", "exit", "q"):
            return True
        commands = {"model": self._set_model, "system": self._set_system, "usage": self._show_usage, "save": self._save}
        unknown = f"there is no /{name}; a question that begins with a slash goes after a blank\n" if rest else ""
        _say(commands[name](rest.strip()) if name in commands else unknown + self.HELP)
        return False

    def _set_model(self, name: str) -> str:
        if name:
            self._fields["model"] = _checked_model("/model", name)
        near = ", ".join(METADATA.near(name)) if name and name not in METADATA else ""
        said = f"model: {name or self._fields.get('model') or self._llm.config.model}"
        return said + (f" (not in the price table; near: {near})" if near else "")

    def _system(self) -> str | None:
        told = _last_text(self._messages, ("system", "developer"))
        return told or _str_or_none(self._fields.get("system_prompt", self._llm.config.system_prompt))

    def _set_system(self, text: str) -> str:
        if text:
            self._messages = [m for m in self._messages if m["role"] not in ("system", "developer")]
            self._fields["system_prompt"] = None if text == "-" else text
        return f"system prompt: {self._system() or 'none'}"

    def _show_usage(self, _: str) -> str:
        return _tokens_and_cost(self._llm.usage, self._llm.usage.cost)

    def _save(self, path: str) -> str:
        if not path:
            return "/save needs the name of a file"
        said = messages_of(self._messages, self._system()) if self._messages else []
        shown = "\n\n".join(f"{m['role']}: {text_of(m.get('content'))}" for m in said)
        if path.endswith(".json"):
            shown = json.dumps(said, indent=2, ensure_ascii=False)
        with open(os.path.expanduser(path), "w", encoding="utf-8") as file:
            file.write(shown + "\n")
        return f"saved {len(said)} messages in {path}"


def _input(prompt: str) -> str:
    """Read a line; stdout is for answers, unless it is the terminal on which input() edits."""
    if not sys.stdin.isatty():
        return input()
    if not sys.stdout.isatty():
        _say(prompt, end="")
        prompt = ""
    return input(prompt)


def _talk(options: Any, llm: Llm, history: list[Json]) -> int:
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):  # Windows has none
            import readline  # input() uses it

            readline.parse_and_bind("set enable-bracketed-paste on")  # a pasted text is one question, not many
    talk = _Talk(options, llm, history)
    if not history:
        _say(f"conversation {llm.config.session_id}")
    _say("/help lists the commands")
    talk.run()
    return _exit_code(talk.failure) if talk.failure and not sys.stdin.isatty() else 0


# Batches: the log, or the file of --out, knows which lines have been answered.


def _batch(options: Any, llm: Llm, history: list[Json]) -> int:
    items = _batch_items(options, llm)
    with _batch_sink(options) as (written, write):
        keys = {item["key"] for item in items}
        answers: dict[str, Any] = {**_answered(llm.config, keys), **{line["key"]: line for line in written}}
        todo = {item["key"]: item for item in items if item["key"] not in answers}
        progress = _Progress(len(items), len(items) - len(todo))
        refusals: list[AuthenticationError] = []

        def landed(answer: Completion | Exception) -> None:
            progress.count(answer)
            if isinstance(answer, AuthenticationError):  # which all that follow would meet, too
                refusals.append(answer)
                many.cancel()

        many = _Many(llm, map(_question, todo.values()), options.concurrency or 8, {}, landed)
        results = many.results()
        put = progress.aside()(write)
        try:
            for item in items:
                put(item, _answer_to(item["key"], answers, results, refusals))
        except BaseException as error:
            results.close()
            for index, answer in many.done_behind():  # paid for, though not in turn
                with contextlib.suppress(OSError):
                    put(list(todo.values())[index], answer)
            if not isinstance(error, BrokenPipeError):  # `| head` has seen enough
                progress.end("stopped; the same command again asks for the rest only")
            raise
    progress.end("done")
    return EXIT_OTHER_ERROR if progress.failed else 0


def _answer_to(key: str, answers: dict[str, Any], results: Iterator[Any], refusals: list[AuthenticationError]) -> Any:
    """Return the answer known or next in turn; raises the refusal of the key, which has ended all."""
    if key not in answers:
        answers[key] = next(results, None)
    if refusals and not isinstance(answers[key], (Completion, dict)):
        raise refusals[0]
    return answers[key]


def _question(item: Json) -> Json:
    """Return what is asked for a line, tied to its key on the log."""
    return {**{k: v for k, v in item.items() if k not in ("id", "key")}, "action_id": f"batch-{item['key']}"}


_LINE_START = b'{"id": '


def _written(file: Any) -> list[Json]:
    """Return the lines that earlier runs wrote; the half of one that a kill left is cut off."""
    file.seek(0)
    whole, newline, torn = file.read().rpartition(b"\n")
    with contextlib.suppress(ValueError):
        if "key" in _dict(decode_json(torn.decode())):  # whole but for its end, which an editor dropped
            file.write(b"\n")
            whole, newline, torn = whole + newline + torn, b"\n", b""
    try:
        lines = [decode_json(line) for line in whole.decode().split("\n") if line]
        if not all(isinstance(line["key"], str) for line in lines) or not torn.startswith(_LINE_START[: len(torn)]):
            raise ValueError(torn)
    except (KeyError, TypeError, ValueError):
        raise ConfigError(f"--out {file.name} holds what no batch wrote", hint="name another file") from None
    if torn:
        file.truncate(len(whole + newline))
    return lines


def _lock(file: Any) -> None:
    """Keep other batches from the file while this one writes to it; Windows, without fcntl, does not."""
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"another batch writes to {file.name}", hint="wait for it, or name another file"
            ) from None


@contextlib.contextmanager
def _batch_sink(options: Any) -> Iterator[tuple[list[Json], Callable[[Json, Any], None]]]:
    """Say what is written already, and where lines go: to stdout, or answers to the end of a file that keeps them."""
    if options.out and os.path.exists(options.out) and not os.path.isfile(options.out):
        raise ConfigError(f"--out {options.out} is no file", hint="leave --out away: the lines go to stdout")
    with open(options.out, "a+b") if options.out else contextlib.nullcontext() as file:
        if file:
            _lock(file)
        written = _written(file) if file else []
        known = {(line["key"], json.dumps(line.get("id"))) for line in written}

        def write(item: Json, answer: Any) -> None:
            """Write the line of an answer: a completion, an exception, or a line of an earlier run."""
            head = {k: item[k] for k in ("id", "key", "prompt", "messages") if k in item}
            cells = answer if isinstance(answer, dict) else _batch_cells(item, answer, options.save)
            line = json.dumps({**head, **cells, **head}, ensure_ascii=False) + "\n"  # what was written gives way
            if file is None:
                sys.stdout.write(line)
                sys.stdout.flush()
            elif isinstance(answer, Exception):
                _say(f"id {item['id']}: {answer}")
            elif (item["key"], json.dumps(item["id"])) not in known:
                file.write(line.encode("utf-8", "replace"))
                file.flush()
                os.fsync(file.fileno())

        yield written, write


def _batch_items(options: Any, llm: Llm) -> list[Json]:
    """Read all lines, check that each can be sent, and key them by all that goes out."""
    import hashlib

    source = "stdin" if options.batch == "-" else options.batch
    text = _stdin_text() if options.batch == "-" else _file_text(options.batch, "--batch")
    shared, items = _fields(options), []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = {"id": number, **shared, **_batch_item(line.strip())}
            asked = llm._ask(*_prompt_and_params(_question({**item, "key": ""}), {}))
        except ConfigError as error:
            raise ConfigError(f"{source} line {number}: {error.message}", hint=error.hint) from None
        where = "mock" if options.mock else llm.config.base_url
        about = [where, asked.body, asked.config.fallbacks, asked.config.headers]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        items.append({**item, "key": digest[:32]})
    return items


def _batch_item(line: str) -> Json:
    try:
        value = decode_json(line) if line[0] in '{"' else line
    except ValueError as error:
        hint = "a prompt that begins with { or a quote goes in as JSON"
        raise ConfigError(f"it is no JSON: {error}", hint=hint) from None
    return value if isinstance(value, dict) else {"prompt": value}


def _answered(config: LlmConfig, keys: set[str]) -> dict[str, Completion]:
    """Return the answers to these keys that the log holds of earlier batches."""
    query = functools.partial(LlmOperationCollector.query, path=config.log)
    found = query(
        "SELECT id, action_id FROM operations WHERE action_id LIKE 'batch-%' AND success AND messages NOT NULL"
    )
    ids = [row["id"] for row in found if row["action_id"][len("batch-") :] in keys]
    answers = {}
    for at in range(0, len(ids), 500):  # SQLite takes some thousands
        names = ", ".join(c for c in LOG_COLUMNS if c not in ("messages", "system_prompt", "user_prompt"))
        for row in query(f"SELECT {names} FROM operations WHERE id IN ({', '.join(map(str, ids[at : at + 500]))})"):
            answers[row["action_id"][len("batch-") :]] = completion_of(row)
    return answers


def _batch_cells(item: Json, answer: Completion | Exception, folder: str | None) -> Json:
    if isinstance(answer, Exception):
        failed = {"error": str(answer), "error_type": type(answer).__name__}
        partial = getattr(answer, "partial", None)
        return {**failed, "content": partial.content, "cost": partial.cost} if partial else failed
    extras = {
        "refusal": answer.refusal,
        "tool_calls": [dataclasses.asdict(call) for call in answer.tool_calls],
        "files": _save_media(answer, folder),
    }
    cells: Json = {
        "content": answer.content,
        **{k: v for k, v in extras.items() if v},
        "model": answer.model,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "cost": answer.cost,
    }
    if item.get("schema") is not None and not answer.tool_calls:
        cells["parsed"] = decode_fenced(answer.content)
    return cells


class _Progress:
    """The bar of a batch on a terminal, and the line that sums it up."""

    def __init__(self, total: int, known: int) -> None:
        self.failed = 0
        self._total = total
        self._known = known
        self._done = known
        self._usd = 0.0
        self._began = time.monotonic()
        self._has_bar = sys.stderr.isatty()
        self._lock = threading.RLock()
        self._draw()

    def count(self, answer: Completion | Exception) -> None:
        """Count an answer that has come, from whatever thread."""
        with self._lock:
            self._done += 1
            self.failed += isinstance(answer, Exception)
            completion = answer if isinstance(answer, Completion) else getattr(answer, "partial", None)
            self._usd += (completion.cost if completion else 0) or 0
            self._draw()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while a line is written."""
        with self._lock:
            self._put("")
            yield
            self._draw()

    def end(self, how: str) -> None:
        """Take the bar away and say how it ended."""
        with self._lock:
            self._put("")
            self._has_bar = False
        seconds = time.monotonic() - self._began
        _say(f"{how}: {self._counts()}, {self._known} of them known before, {seconds:.1f} s")

    def _draw(self) -> None:
        rate = (self._done - self._known) / max(0.001, time.monotonic() - self._began)
        speed = f", {rate:.1f}/s, {(self._total - self._done) / rate:,.0f} s left" if rate else ""
        self._put(f"{_bar(self._done, max(1, self._total)).ljust(BAR_WIDTH)} {self._counts()}{speed}")

    def _put(self, text: str) -> None:
        if not self._has_bar:
            return
        width = 80
        try:
            with contextlib.suppress(ValueError):  # no file behind it: a test's StringIO
                width = os.get_terminal_size(sys.stderr.fileno()).columns
            sys.stderr.write("\r\x1b[K" + text[: width - 1])
            sys.stderr.flush()
        except OSError:  # the terminal is gone, the batch goes on
            self._has_bar = False

    def _counts(self) -> str:
        return f"{self._done} of {self._total}, {self.failed} failed, ${number_text(self._usd)}"


def _show_key(options: Any, llm: Llm, history: list[Json]) -> int:
    about = llm.key()
    key, config = llm.config.api_key or "", llm.config
    mask = f"{'sk-or-' if key.startswith('sk-or-') else ''}...{key[-4:]}" if len(key) >= 20 else "(hidden)"
    periods = {"today": "daily", "this week": "weekly", "this month": "monthly"}
    used = [f"{_money(about.get(f'usage_{period}'))} {name}" for name, period in periods.items()]
    limit, left = about.get("limit"), about.get("limit_remaining")
    resets = f", resets {about['limit_reset']}" if about.get("limit_reset") else ""
    rows = {
        "key": f"{mask}, from {config.key_source}",
        "label": redact(_str(about.get("label")), key),
        "limit": "none" if limit is None else f"{_money(limit)}{resets}",
        "left": "no limit of the key's own; the account's balance is not told here" if left is None else _money(left),
        "used": ", ".join([*used, f"{_money(about.get('usage'))} in all"]),
    }
    for name, value in rows.items():
        print(_shown(f"{name:6} {value}", sys.stdout))
    return 0


def _money(value: object) -> str:
    number = _amount(value)
    return "?" if number is None else f"${number_text(float(number))}"


def _say(text: str, end: str = "\n", *, is_dim: bool = False) -> None:
    shown = _shown(text, sys.stderr)
    if is_dim and sys.stderr.isatty():
        shown = f"\x1b[2m{shown}\x1b[22m"
    try:
        sys.stderr.write(shown + end)
        sys.stderr.flush()
    except OSError:  # nobody reads it
        _discard(sys.stderr)


def _shown(text: str, stream: Any) -> str:
    """Return the text for a stream: a terminal must not get control codes from the network."""
    return re.sub(_TTY_UNSAFE, "", text) if stream.isatty() else text


def _show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], note: str) -> int:
    """Print a table that fits the terminal (piped, nothing is cut), and say the note beside it."""
    import shutil

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(format_table(columns, rows, width))
    _say(note)
    return 0


def _refresh(options: Any) -> None:
    if options.mock:
        raise ConfigError("the mock server has no live prices", hint="leave --mock out: reading them needs no key")
    with Llm(**_settings(options)) as llm:
        _say(f"stored in {store_models(llm.listing())}")


def _show_models(query: str) -> int:
    words = query.lower().split()
    found = [METADATA[i] for i in METADATA if all(w in i for w in words)]
    if not found:
        near = METADATA.near(query, 5)
        _say(f"no model matches {query!r}" + (f"; near: {', '.join(near)}" if near else ""))
        return EXIT_NOT_FOUND
    columns = ["model", "in $/M", "out $/M", "context", "max out", "input", "tools"]
    cells = operator.attrgetter("id", "pricing.input", "pricing.output", "context_length", "max_completion_tokens")
    tools = {True: "yes", False: "no", None: "?"}
    rows = [[*cells(m), ",".join(m.input_modalities), tools[m.tools]] for m in found]
    note = f"{len(found)} models; prices in USD per million tokens, as of {METADATA.as_of}; live ones: --refresh"
    return _show_table(columns, rows, note)


_LOG_VIEW = ("model", "status", "total_tokens", "cost", "latency_ms", "user_prompt")


def _show_log(path: str | None, count: int) -> int:
    from datetime import datetime

    operations = LlmOperationCollector.from_db(path, limit=max(0, count))
    times = [datetime.fromisoformat(r["timestamp"]).astimezone().strftime("%m-%d %H:%M") for r in operations]
    rows = [[t, *(r[c] for c in _LOG_VIEW), r["response"] or r["error_message"]] for t, r in zip(times, operations)]
    columns = ["time", "model", "status", "tokens", "USD", "ms", "prompt", "answer"]
    return _show_table(columns, rows, f"log: {log_path(path) or 'off'}")


BAR_WIDTH = 10  # characters of the dearest row's bar
_COSTS_VIEW = ("calls", "total_tokens", "errors", "unpriced", "p50_ms", "p95_ms")


def _show_costs(path: str | None, by: str) -> int:
    totals = LlmOperationCollector.totals(by, path=path)
    costs = [row["cost"] or 0 for row in totals]
    columns = {by: [row[by] for row in totals], "USD": [row["cost"] for row in totals]}
    if sys.stdout.isatty():
        columns[""] = [_bar(cost, max(costs)) for cost in costs]
    columns.update((name.replace("total_", "").replace("_", " "), [r[name] for r in totals]) for name in _COSTS_VIEW)
    spent = f"total ${number_text(float(sum(costs)))} in {sum(columns['calls'])} calls"
    if sum(columns["unpriced"]):
        spent += f"; {sum(columns['unpriced'])} calls of unknown cost are not in it"
    by_provider = LlmOperationCollector.totals("upstream_provider", path=path)
    mocked = sum(row["cost"] or 0 for row in by_provider if row["upstream_provider"] == MOCK_PROVIDER)
    if mocked:
        spent += f"; ${number_text(mocked)} of it by the mock server, which bills nothing"
    return _show_table(list(columns), list(zip(*columns.values())), f"{spent}; log: {log_path(path) or 'off'}")


def _bar(value: float, most: float) -> str:
    """Draw a share as a bar of eighths of a block."""
    eighths = round(value / most * BAR_WIDTH * 8) if most else 0
    return "\u2588" * (eighths // 8) + " \u258f\u258e\u258d\u258c\u258b\u258a\u2589"[eighths % 8].strip()


# --- Price table ----------------------------------------------------------------------------
# Text, since a dict of this size would cost 9 ms to import without a .pyc. Parsed row by row.
# Each row: id input output cache_read cache_write context max_out modalities tools, prices in USD
# per million tokens, "-" unknown, sorted by id. To make it anew from the live GET /models:
#     python test_openrouter_min.py prices
# which rewrites the rows in this file; models that README and tests name keep their last one.

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

# id, prompt tokens above which, then input output cache_read cache_write from there on
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
aion-labs/aion-2.0-20260223 aion-labs/aion-2.0
aion-labs/aion-3.0-20260707 aion-labs/aion-3.0
aion-labs/aion-3.0-mini-20260707 aion-labs/aion-3.0-mini
aion-labs/aion-3.5-20260923 aion-labs/aion-3.5
aion-labs/aion-3.5-mini-20260923 aion-labs/aion-3.5-mini
anthropic/claude-4-opus-20250522 anthropic/claude-opus-4
anthropic/claude-4-sonnet-20250522 anthropic/claude-sonnet-4
anthropic/claude-4.1-opus-20250805 anthropic/claude-opus-4.1
anthropic/claude-4.5-haiku-20251001 anthropic/claude-haiku-4.5
anthropic/claude-4.5-haiku-20251001:beta anthropic/claude-haiku-4.5
anthropic/claude-4.5-opus-20251124 anthropic/claude-opus-4.5
anthropic/claude-4.5-opus-20251124:beta anthropic/claude-opus-4.5
anthropic/claude-4.5-sonnet-20250929 anthropic/claude-sonnet-4.5
anthropic/claude-4.5-sonnet-20250929:beta anthropic/claude-sonnet-4.5
anthropic/claude-4.6-opus-20260205 anthropic/claude-opus-4.6
anthropic/claude-4.6-opus-20260205:beta anthropic/claude-opus-4.6
anthropic/claude-4.6-sonnet-20260217 anthropic/claude-sonnet-4.6
anthropic/claude-4.6-sonnet-20260217:beta anthropic/claude-sonnet-4.6
anthropic/claude-4.7-opus-20260416 anthropic/claude-opus-4.7
anthropic/claude-4.8-opus-20260528 anthropic/claude-opus-4.8
anthropic/claude-5-fable-20260609 anthropic/claude-fable-5
anthropic/claude-fable-5.1-20260831 anthropic/claude-fable-5.1
anthropic/claude-fable-5.1:beta anthropic/claude-fable-5.1
anthropic/claude-fable-5:beta anthropic/claude-fable-5
anthropic/claude-haiku-4.5-20251001 anthropic/claude-haiku-4.5
anthropic/claude-haiku-4.5-20251001:beta anthropic/claude-haiku-4.5
anthropic/claude-haiku-4.5:beta anthropic/claude-haiku-4.5
anthropic/claude-haiku-5.5-20261007 anthropic/claude-haiku-5.5
anthropic/claude-opus-4.5-20251124 anthropic/claude-opus-4.5
anthropic/claude-opus-4.5-20251124:beta anthropic/claude-opus-4.5
anthropic/claude-opus-4.5:beta anthropic/claude-opus-4.5
anthropic/claude-opus-4.6-20260205 anthropic/claude-opus-4.6
anthropic/claude-opus-4.6-20260205:beta anthropic/claude-opus-4.6
anthropic/claude-opus-4.6:beta anthropic/claude-opus-4.6
anthropic/claude-opus-4.7:beta anthropic/claude-opus-4.7
anthropic/claude-opus-4.8:beta anthropic/claude-opus-4.8
anthropic/claude-opus-5-20260723 anthropic/claude-opus-5
anthropic/claude-opus-5.5-20260921 anthropic/claude-opus-5.5
anthropic/claude-opus-5.5:beta anthropic/claude-opus-5.5
anthropic/claude-opus-5:beta anthropic/claude-opus-5
anthropic/claude-sonnet-4.5-20250929 anthropic/claude-sonnet-4.5
anthropic/claude-sonnet-4.5-20250929:beta anthropic/claude-sonnet-4.5
anthropic/claude-sonnet-4.5:beta anthropic/claude-sonnet-4.5
anthropic/claude-sonnet-4.6-20260217 anthropic/claude-sonnet-4.6
anthropic/claude-sonnet-4.6-20260217:beta anthropic/claude-sonnet-4.6
anthropic/claude-sonnet-4.6:beta anthropic/claude-sonnet-4.6
anthropic/claude-sonnet-5-20260630 anthropic/claude-sonnet-5
anthropic/claude-sonnet-5.5-20260928 anthropic/claude-sonnet-5.5
anthropic/claude-sonnet-5.5:beta anthropic/claude-sonnet-5.5
anthropic/claude-sonnet-5:beta anthropic/claude-sonnet-5
bytedance-seed/seed-1.6-20250625 bytedance-seed/seed-1.6
bytedance-seed/seed-1.6-flash-20250625 bytedance-seed/seed-1.6-flash
bytedance-seed/seed-2-1-turbo-20260810 bytedance-seed/seed-2-1-turbo
bytedance-seed/seed-2.0-code-20260730 bytedance-seed/seed-2.0-code
bytedance-seed/seed-2.0-lite-20260309 bytedance-seed/seed-2.0-lite
bytedance-seed/seed-2.0-mini-20260224 bytedance-seed/seed-2.0-mini
cohere/command-a-03-2025 cohere/command-a
cohere/command-a-plus-05-2026 cohere/command-a-plus
deepseek/deepseek-chat-v3 deepseek/deepseek-chat
deepseek/deepseek-v3.2-20251201 deepseek/deepseek-v3.2
deepseek/deepseek-v4-flash-20260423 deepseek/deepseek-v4-flash
deepseek/deepseek-v4-flash-20260731 deepseek/deepseek-v4-flash-0731
deepseek/deepseek-v4-flash-vision-exp-20260821 deepseek/deepseek-v4-flash-vision-exp
deepseek/deepseek-v4-pro-20260423 deepseek/deepseek-v4-pro
deepseek/deepseek-v4-pro-20260813 deepseek/deepseek-v4-pro-0813
deepseek/deepseek-v4.1-flash-20260910 deepseek/deepseek-v4.1-flash
elorian/glimpse-20261016 elorian/glimpse
fireworks/ember-1-20260923 fireworks/ember-1
google/gemini-2.5-pro-preview-06-05 google/gemini-2.5-pro-preview
google/gemini-3-flash-preview-20251217 google/gemini-3-flash-preview
google/gemini-3-pro-image-20260528 google/gemini-3-pro-image
google/gemini-3-pro-image-preview-20251120 google/gemini-3-pro-image-preview
google/gemini-3.1-flash-image-20260528 google/gemini-3.1-flash-image
google/gemini-3.1-flash-image-preview-20260226 google/gemini-3.1-flash-image-preview
google/gemini-3.1-flash-lite-20260507 google/gemini-3.1-flash-lite
google/gemini-3.1-flash-lite-image-20260630 google/gemini-3.1-flash-lite-image
google/gemini-3.1-flash-lite-preview-20260303 google/gemini-3.1-flash-lite-preview
google/gemini-3.1-pro-preview-20260219 google/gemini-3.1-pro-preview
google/gemini-3.1-pro-preview-customtools-20260219 google/gemini-3.1-pro-preview-customtools
google/gemini-3.5-flash-20260519 google/gemini-3.5-flash
google/gemini-3.5-flash-lite-20260721 google/gemini-3.5-flash-lite
google/gemini-3.6-flash-20260721 google/gemini-3.6-flash
google/gemini-3.7-flash-20260813 google/gemini-3.7-flash
google/gemini-3.8-flash-20260902 google/gemini-3.8-flash
google/gemini-4-argon-20261013 google/gemini-4-argon
google/gemini-nano-banana-2.1-20261006 google/gemini-nano-banana-2.1
google/gemini-omni-1.1-flash-20260911 google/gemini-omni-1.1-flash
google/gemini-omni-1.2-flash-20261105 google/gemini-omni-1.2-flash
google/gemma-4-26b-a4b-it-20260403 google/gemma-4-26b-a4b-it
google/gemma-4-31b-it-20260402 google/gemma-4-31b-it
ibm-granite/granite-4.1-8b-20260429 ibm-granite/granite-4.1-8b
ibm-granite/granite-4.2-8b-20260831 ibm-granite/granite-4.2-8b
inception/mercury-2-20260304 inception/mercury-2
inception/mercury-2.5-20260908 inception/mercury-2.5
inception/mercury-3-20261019 inception/mercury-3
inclusionai/ling-3.0-flash-20260723 inclusionai/ling-3.0-flash
inclusionai/ling-3.0-flash-vl-20260910 inclusionai/ling-3.0-flash-vl
inclusionai/ling-3.0-tiny-20260806 inclusionai/ling-3.0-tiny
inclusionai/ling-3.1-flash-20261002 inclusionai/ling-3.1-flash
inference-net/schematron-v2-small-20260902 inference-net/schematron-v2-small
inference-net/schematron-v2-turbo-20260902 inference-net/schematron-v2-turbo
kwaipilot/kat-coder-pro-v2-20260327 kwaipilot/kat-coder-pro-v2
kwaipilot/kat-coder-pro-v2.5-20260710 kwaipilot/kat-coder-pro-v2.5
liquid/lfm-2.5-2.6b-20260811 liquid/lfm-2.5-2.6b
liquid/lfm-2.5-24b-a2b-20261012 liquid/lfm-2.5-24b-a2b
liquid/lfm-3-1.7b-20261106 liquid/lfm-3-1.7b
meituan/longcat-2.0-20260720 meituan/longcat-2.0
meta-llama/llama-4-maverick-17b-128e-instruct meta-llama/llama-4-maverick
meta-llama/llama-4-scout-17b-16e-instruct meta-llama/llama-4-scout
meta/muse-glimmer-30b-20260810 meta/muse-glimmer-30b
meta/muse-spark-1.1-20260709 meta/muse-spark-1.1
meta/muse-spark-1.2-20260805 meta/muse-spark-1.2
meta/muse-spark-1.2-contributor-20260805 meta/muse-spark-1.2-contributor
meta/muse-spark-1.3-20260902 meta/muse-spark-1.3
meta/muse-spark-1.3-contributor-20260902 meta/muse-spark-1.3-contributor
meta/muse-spark-open-20261015 meta/muse-spark-open
meta/muse-wonder-20261012 meta/muse-wonder
minimax/minimax-m2-her-20260123 minimax/minimax-m2-her
minimax/minimax-m2.5-20260211 minimax/minimax-m2.5
minimax/minimax-m2.7-20260318 minimax/minimax-m2.7
minimax/minimax-m3-20260531 minimax/minimax-m3
mistralai/mistral-large-4-0-20261006 mistralai/mistral-large-4-0
mistralai/mistral-medium-3.5-20260430 mistralai/mistral-medium-3-5
mistralai/mistral-saba-2502 mistralai/mistral-saba
mistralai/mistral-small-3.1-24b-instruct-2503 mistralai/mistral-small-3.1-24b-instruct
mistralai/mistral-small-3.2-24b-instruct-2506 mistralai/mistral-small-3.2-24b-instruct
moondream/moondream3-preview-20261013 moondream/moondream3-preview
moondream/moondream3.1-9b-a2b-20261013 moondream/moondream3.1-9b-a2b
moonshotai/kimi-k2-thinking-20251106 moonshotai/kimi-k2-thinking
moonshotai/kimi-k2.5-0127 moonshotai/kimi-k2.5
moonshotai/kimi-k2.6-20260420 moonshotai/kimi-k2.6
moonshotai/kimi-k2.7-code-20260612 moonshotai/kimi-k2.7-code
moonshotai/kimi-k3-20260715 moonshotai/kimi-k3
moonshotai/kimi-k3.1-pro-20261023 moonshotai/kimi-k3.1-pro
nex-agi/nex-n2.5-mini-20260908 nex-agi/nex-n2.5-mini
nex-agi/nex-n2.5-pro-20260907 nex-agi/nex-n2.5-pro
nvidia/nemotron-3-super-120b-a12b-20230311 nvidia/nemotron-3-super-120b-a12b
nvidia/nemotron-3-ultra-550b-a55b-20260604 nvidia/nemotron-3-ultra-550b-a55b
nvidia/nemotron-3.5-content-safety-20260604 nvidia/nemotron-3.5-content-safety
nvidia/nemotron-3.5-lightning-20260807 nvidia/nemotron-3.5-lightning
nvidia/nemotron-3.5-super-vl-20261015 nvidia/nemotron-3.5-super-vl
openai/gpt-4.1-2025-04-14 openai/gpt-4.1
openai/gpt-4.1-mini-2025-04-14 openai/gpt-4.1-mini
openai/gpt-4.1-nano-2025-04-14 openai/gpt-4.1-nano
openai/gpt-5-2025-08-07 openai/gpt-5
openai/gpt-5-mini-2025-08-07 openai/gpt-5-mini
openai/gpt-5-nano-2025-08-07 openai/gpt-5-nano
openai/gpt-5-pro-2025-10-06 openai/gpt-5-pro
openai/gpt-5.1-20251113 openai/gpt-5.1
openai/gpt-5.1-codex-20251113 openai/gpt-5.1-codex
openai/gpt-5.1-codex-max-20251204 openai/gpt-5.1-codex-max
openai/gpt-5.1-codex-mini-20251113 openai/gpt-5.1-codex-mini
openai/gpt-5.2-20251211 openai/gpt-5.2
openai/gpt-5.2-chat-20251211 openai/gpt-5.2-chat
openai/gpt-5.2-codex-20260114 openai/gpt-5.2-codex
openai/gpt-5.2-pro-20251211 openai/gpt-5.2-pro
openai/gpt-5.3-codex-20260224 openai/gpt-5.3-codex
openai/gpt-5.4-20260305 openai/gpt-5.4
openai/gpt-5.4-image-2-20260421 openai/gpt-5.4-image-2
openai/gpt-5.4-mini-20260317 openai/gpt-5.4-mini
openai/gpt-5.4-nano-20260317 openai/gpt-5.4-nano
openai/gpt-5.4-pro-20260305 openai/gpt-5.4-pro
openai/gpt-5.5-20260423 openai/gpt-5.5
openai/gpt-5.5-pro-20260423 openai/gpt-5.5-pro
openai/gpt-5.6-luna-20260709 openai/gpt-5.6-luna
openai/gpt-5.6-luna-pro-20260709 openai/gpt-5.6-luna-pro
openai/gpt-5.6-sol-20260709 openai/gpt-5.6-sol
openai/gpt-5.6-sol-pro-20260709 openai/gpt-5.6-sol-pro
openai/gpt-5.6-terra-20260709 openai/gpt-5.6-terra
openai/gpt-5.6-terra-pro-20260709 openai/gpt-5.6-terra-pro
openai/gpt-6-astra-20260903 openai/gpt-6-astra
openai/gpt-6-astra-pro-20260903 openai/gpt-6-astra
openai/gpt-6-luna-20260922 openai/gpt-6-luna
openai/gpt-6-sol-20260922 openai/gpt-6-sol
openai/gpt-6.1-sol-20260929 openai/gpt-6.1-sol
openai/gpt-6.1-terra-20261026 openai/gpt-6.1-terra
openai/gpt-6.1-terra-pro openai/gpt-6.1-terra
openai/gpt-6.1-terra-pro-20261026 openai/gpt-6.1-terra
openai/gpt-chat-latest-20260505 openai/gpt-chat-latest
openai/o1-2024-12-17 openai/o1
openai/o3-2025-04-16 openai/o3
openai/o3-mini-2025-01-31 openai/o3-mini
openai/o3-mini-high-2025-01-31 openai/o3-mini-high
openai/o3-pro-2025-06-10 openai/o3-pro
openai/o4-mini-2025-04-16 openai/o4-mini
openai/o4-mini-high-2025-04-16 openai/o4-mini-high
particle-ai/particle-1-20261027 particle-ai/particle-1
perceptron/perceptron-mk1-20260512 perceptron/perceptron-mk1
perceptron/perceptron-mk1.5-20260925 perceptron/perceptron-mk1.5
poolside/laguna-s-2.1-20260720 poolside/laguna-s-2.1
poolside/laguna-xs-2.1-20260625 poolside/laguna-xs-2.1
prism-ml/ternary-bonsai-2-27b-20260918 prism-ml/ternary-bonsai-2-27b
prism-ml/ternary-bonsai-2-9b-20261015 prism-ml/ternary-bonsai-2-9b
qwen/qwen-plus-2025-01-25 qwen/qwen-plus
qwen/qwen3-14b-04-28 qwen/qwen3-14b
qwen/qwen3-235b-a22b-04-28 qwen/qwen3-235b-a22b
qwen/qwen3-235b-a22b-07-25 qwen/qwen3-235b-a22b-2507
qwen/qwen3-30b-a3b-04-28 qwen/qwen3-30b-a3b
qwen/qwen3-32b-04-28 qwen/qwen3-32b
qwen/qwen3-8b-04-28 qwen/qwen3-8b
qwen/qwen3-coder-480b-a35b-07-25 qwen/qwen3-coder
qwen/qwen3-coder-next-2025-02-03 qwen/qwen3-coder-next
qwen/qwen3-max-thinking-20260123 qwen/qwen3-max-thinking
qwen/qwen3-next-80b-a3b-instruct-2509 qwen/qwen3-next-80b-a3b-instruct
qwen/qwen3-next-80b-a3b-thinking-2509 qwen/qwen3-next-80b-a3b-thinking
qwen/qwen3.5-122b-a10b-20260224 qwen/qwen3.5-122b-a10b
qwen/qwen3.5-27b-20260224 qwen/qwen3.5-27b
qwen/qwen3.5-35b-a3b-20260224 qwen/qwen3.5-35b-a3b
qwen/qwen3.5-397b-a17b-20260216 qwen/qwen3.5-397b-a17b
qwen/qwen3.5-9b-20260310 qwen/qwen3.5-9b
qwen/qwen3.5-flash-20260224 qwen/qwen3.5-flash-02-23
qwen/qwen3.5-plus-20260216 qwen/qwen3.5-plus-02-15
qwen/qwen3.6-27b-20260422 qwen/qwen3.6-27b
qwen/qwen3.6-35b-a3b-20260415 qwen/qwen3.6-35b-a3b
qwen/qwen3.6-max-preview-20260420 qwen/qwen3.6-max-preview
qwen/qwen3.6-plus-04-02 qwen/qwen3.6-plus
qwen/qwen3.7-flash-20260727 qwen/qwen3.7-flash
qwen/qwen3.7-max-20260520 qwen/qwen3.7-max
qwen/qwen3.7-plus-20260602 qwen/qwen3.7-plus
qwen/qwen3.8-2.4t-a95b-20260812 qwen/qwen3.8-2.4t-a95b
qwen/qwen3.8-27b-20260814 qwen/qwen3.8-27b
qwen/qwen3.8-flash-20260826 qwen/qwen3.8-flash
qwen/qwen3.8-max-20260803 qwen/qwen3.8-max
qwen/qwen3.8-max-20260902 qwen/qwen3.8-max-0902
qwen/qwen3.8-max-prime-20260923 qwen/qwen3.8-max-prime
qwen/qwen3.8-omni-flash-20260918 qwen/qwen3.8-omni-flash
reflection/beam-1.0-501b-a23b-20261016 reflection/beam-1.0-501b-a23b
rekaai/reka-edge-2603 rekaai/reka-edge
relace/relace-search-20251208 relace/relace-search
ricursiveai/ripple-65b-preview-20261104 ricursiveai/ripple-65b-preview
sakana/fugu-max-20260911 sakana/fugu-max
sakana/fugu-ultra-20260615 sakana/fugu-ultra
sakana/fugu-ultra-v2-20260911 sakana/fugu-ultra
sakana/namazu-20260811 sakana/sakana-namazu
sao10k/l3.3-euryale-70b-v2.3 sao10k/l3.3-euryale-70b
scaledown/extract-20260928 scaledown/extract
scaledown/summarize-20260928 scaledown/summarize
stepfun/step-3.7-flash-20260528 stepfun/step-3.7-flash
stepfun/step-5-preview-20261008 stepfun/step-5-preview
tencent/hy-mt2-1.8b-20260521 tencent/hy-mt2-1.8b
tencent/hy-mt2-30b-a3b-20260521 tencent/hy-mt2-30b-a3b
tencent/hy-mt2-7b-20260521 tencent/hy-mt2-7b
tencent/hy3-20260706 tencent/hy3
tencent/hy3-preview-20260421 tencent/hy3-preview
tencent/hy4-20261104 tencent/hy4
thinkingmachines/inkling-20260715 thinkingmachines/inkling
thinkingmachines/inkling-small-20260730 thinkingmachines/inkling-small
unbiased/pareto-26.10-20261015 unbiased/pareto-26.10
unbiased/pareto-26.9-20260917 unbiased/pareto-26.9
upstage/solar-mini4-20260922 upstage/solar-mini4
upstage/solar-pro4-20260810 upstage/solar-pro4
venice/uncensored cognitivecomputations/dolphin-mistral-24b-venice-edition
writer/palmyra-x5-20250428 writer/palmyra-x5
x-ai/grok-4.20-20260309 x-ai/grok-4.20
x-ai/grok-4.20-multi-agent-20260309 x-ai/grok-4.20-multi-agent
x-ai/grok-4.3-20260430 x-ai/grok-4.3
x-ai/grok-4.5-20260708 x-ai/grok-4.5
x-ai/grok-4.6-20260810 x-ai/grok-4.6
x-ai/grok-4.7-20260916 x-ai/grok-4.7
x-ai/grok-build-0.1-20260520 x-ai/grok-build-0.1
xiaomi/mimo-v2.5-20260422 xiaomi/mimo-v2.5
xiaomi/mimo-v2.5-pro-20260422 xiaomi/mimo-v2.5-pro
xiaomi/mimo-v2.6-flash-20260921 xiaomi/mimo-v2.6-flash
xiaomi/mimo-v2.6-pro-20260921 xiaomi/mimo-v2.6-pro
xiaomi/mimo-v2.6-pro-ultraspeed-20260921 xiaomi/mimo-v2.6-pro-ultraspeed
z-ai/glm-4.6-20251208 z-ai/glm-4.6v
z-ai/glm-4.7-20251222 z-ai/glm-4.7
z-ai/glm-4.7-flash-20260119 z-ai/glm-4.7-flash
z-ai/glm-5-20260211 z-ai/glm-5
z-ai/glm-5-turbo-20260315 z-ai/glm-5-turbo
z-ai/glm-5.1-20260406 z-ai/glm-5.1
z-ai/glm-5.2-20260616 z-ai/glm-5.2
z-ai/glm-5.3-20260816 z-ai/glm-5.3
z-ai/glm-5.3-flash-20260826 z-ai/glm-5.3-flash
z-ai/glm-5.3-flashx-20260918 z-ai/glm-5.3-flashx
z-ai/glm-5.3-flashx-legal-20261102 z-ai/glm-5.3-flashx-legal
z-ai/glm-5.3-prime-20260921 z-ai/glm-5.3-prime
z-ai/glm-5v-turbo-20260401 z-ai/glm-5v-turbo
~typesafe/jev-latest typesafe/jev-1.14
"""


# --- Start ----------------------------------------------------------------------------------

if __name__ == "__main__":
    exit_code = main()
    with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C
        _close_logs()
    # Python would look through all objects for cycles before it ends; all that has to be closed is closed.
    gc.freeze()
    raise SystemExit(exit_code)
