#!/usr/bin/env python3
"""Make the price table of openrouter_min.py anew from the live catalogue, which needs no key.

    .ci/prices.py            ask the live catalogue and rewrite the three tables and their date
    .ci/prices.py --tidy     only drop the alias rows that nobody needs; offline
    .ci/prices.py --check    test this script on the bundled tables, changing nothing; offline

A model that the catalogue no longer has leaves the table, unless the provider page names it. A slug
that ends in a date (``-20251222``), in ``:beta`` or in a routing suffix has the price of the slug
without it, so only the exceptions are alias rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import openrouter_min
from openrouter_min import BASE_URL, Llm, MockOpenRouter, model_from_listing
from test_openrouter_min import (
    PAGE_MODELS,
    setUpModule,  # noqa: F401  # unittest calls it: it takes away what the machine sets
)

MODULE = Path(openrouter_min.__file__)

# The provider page names these, and programs that follow it ask for their prices.
NAMED = re.findall(r"`([\w-]+/[\w.-]+)`", PAGE_MODELS)


# --- The tables in the source of the module -------------------------------------------------


def span_of(source, table):
    return re.search(rf'^{table} = """\n(.*?)^"""', source, re.M | re.S).span(1)


def rows_of(source, table):
    start, end = span_of(source, table)
    return source[start:end].splitlines()


def with_rows(source, table, rows):
    start, end = span_of(source, table)
    return source[:start] + "".join(f"{row}\n" for row in rows) + source[end:]


# --- Rows from the catalogue ----------------------------------------------------------------


def tables_from_listing(listing, kept=()):
    """Return the rows of models, of tiers and of aliases for entries of GET /models.

    ``kept``: rows that stay where the listing has no such model.
    """
    rows, tiers, aliases = {row.split(" ")[0]: row for row in kept}, [], {}
    for entry in listing:
        model, slug = model_from_listing(entry), entry.get("canonical_slug")
        # "~maker/latest" is another model every week, and a batch is nothing that the module sends
        if not re.fullmatch(r"[\w.-]+/[\w.:-]+", model.id) or model.id.endswith(":batch"):
            continue
        lengths = [cell(model.context_length), cell(model.max_completion_tokens)]
        modalities = ",".join(model.input_modalities) or "-"
        tools = "-" if model.tools is None else str(int(model.tools))
        rows[model.id] = " ".join([model.id, *price_cells(model.pricing), *lengths, modalities, tools])
        tiers += [(model.id, above, " ".join(price_cells(tier))) for above, tier in model.tiers]
        if isinstance(slug, str) and re.fullmatch(r"\S+", slug) and ":" not in model.id:
            aliases[slug] = model.id
    aliases = {alias: model_id for alias, model_id in aliases.items() if alias not in rows}
    return (
        [rows[model_id] for model_id in sorted(rows)],
        ["{} {} {}".format(*tier) for tier in sorted(tiers)],  # thresholds of a model by size, not as text
        alias_rows(aliases, rows),
    )


def price_cells(pricing):
    return [cell(price) for price in dataclasses.astuple(pricing)]


def cell(number):
    return "-" if number is None else f"{number:.12g}"


# --- Aliases --------------------------------------------------------------------------------


def found(name, ids, aliases):
    """Return the id whose price a name has: as it stands, else without suffixes, else without its date too."""
    plain = re.sub(r":(?:nitro|floor|online|exacto|beta)(?=:|$)", "", name)
    for tried in (name, plain, re.sub(r"-\d{8}$", "", plain)):
        for model_id in (tried, aliases.get(tried)):
            if model_id in ids:
                return model_id
    return None


def alias_rows(aliases, ids):
    """Return the rows of those aliases that would else lead nowhere, or to another model."""
    needed = dict(aliases)
    for alias in sorted(aliases, key=len, reverse=True):  # stripped of its end, a long one may be a shorter one
        model_id = needed.pop(alias)
        if found(alias, ids, needed) != model_id:
            needed[alias] = model_id
    return [f"{alias} {needed[alias]}" for alias in sorted(needed)]


# --- What the script does -------------------------------------------------------------------


def make_anew(source, url):
    """Return the source with tables and date of today's catalogue."""
    with Llm(base_url=url, log=False) as llm:
        listing = llm.request("GET", "/models")["data"]
    kept = [row for row in rows_of(source, "PRICE_ROWS") if row.split(" ")[0] in NAMED]
    for table, rows in zip(("PRICE_ROWS", "TIER_ROWS", "ALIAS_ROWS"), tables_from_listing(listing, kept)):
        source = with_rows(source, table, rows)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return re.sub(r'^PRICES_AS_OF = ".*?"', f'PRICES_AS_OF = "{today}"', source, flags=re.M)


def tidy(source):
    """Return the source without the alias rows that nobody needs."""
    ids = {row.split(" ")[0] for row in rows_of(source, "PRICE_ROWS")}
    aliases = dict(row.split(" ") for row in rows_of(source, "ALIAS_ROWS"))
    return with_rows(source, "ALIAS_ROWS", alias_rows(aliases, ids))


class PricesTests(unittest.TestCase):
    SOURCE = MODULE.read_text(encoding="utf-8")

    def test_the_bundled_table_is_what_its_own_listing_would_make(self):
        with MockOpenRouter() as server:
            made = make_anew(self.SOURCE, server.url)
        for new, old in zip(rows_of(made, "PRICE_ROWS"), rows_of(self.SOURCE, "PRICE_ROWS")):
            self.assertEqual(new.split(" ")[:8], old.split(" ")[:8])  # that listing can't say "tools: unknown"
        self.assertEqual(len(rows_of(made, "PRICE_ROWS")), len(rows_of(self.SOURCE, "PRICE_ROWS")))
        self.assertEqual(rows_of(made, "ALIAS_ROWS"), [])
        self.assertIn(time.strftime('\nPRICES_AS_OF = "%Y-%m-%d"', time.gmtime()), made)
        compile(made, "made", "exec")

    def test_batch_and_floating_rows_stay_out_and_kept_ones_stay(self):
        entry = {"id": "a/b", "canonical_slug": "a/b-2026", "pricing": {"prompt": "0.0000005"}}
        kept = ["x/y 1 2 - - - - - -", "a/b 7 - - - - - - -"]
        tables = tables_from_listing([entry, {"id": "~a/latest"}, {"id": "a/b:batch"}], kept)
        self.assertEqual(tables, (["a/b 0.5 - - - - - - -", "x/y 1 2 - - - - - -"], [], ["a/b-2026 a/b"]))

    def test_tiers_stand_by_size(self):
        overrides = [{"min_prompt_tokens": n, "prompt": "0.000001"} for n in (128000, 32000)]
        _, tiers, _ = tables_from_listing([{"id": "a/b", "pricing": {"overrides": overrides}}])
        self.assertEqual(tiers, ["a/b 32000 1 - - -", "a/b 128000 1 - - -"])

    def test_only_exceptions_are_alias_rows(self):
        aliases = {
            "a/b-20260101": "a/b",
            "a/b-20260101:beta": "a/b",
            "a/b:beta": "a/b",
            "a/b-20260202": "a/b-0202",  # leads to another model without the date
            "a/b-20260202:beta": "a/b-0202",
            "a/b-2026": "a/b",  # no date of eight digits
            "a/c-20260101": "a/b",  # there is no a/c
            "a/c-20260101:beta": "a/b",
        }
        ids = {"a/b", "a/b-0202"}
        rows = alias_rows(aliases, ids)
        self.assertEqual(rows, ["a/b-2026 a/b", "a/b-20260202 a/b-0202", "a/c-20260101 a/b"])
        self.assertEqual({alias: found(alias, ids, dict(r.split(" ") for r in rows)) for alias in aliases}, aliases)
        self.assertEqual(found("a/b-20260303:nitro:online", ids, {}), "a/b")
        self.assertIsNone(found("a/b-20260303:free", ids, {}))

    def test_tidying_changes_no_price(self):
        tidied = tidy(self.SOURCE)
        ids = {row.split(" ")[0] for row in rows_of(tidied, "PRICE_ROWS")}
        left = dict(row.split(" ") for row in rows_of(tidied, "ALIAS_ROWS"))
        for row in rows_of(self.SOURCE, "ALIAS_ROWS"):
            alias, model_id = row.split(" ")
            self.assertEqual(found(alias, ids, left), model_id)
        self.assertEqual(tidy(tidied), tidied)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--tidy", action="store_true", help="only drop the alias rows that nobody needs; offline")
    what.add_argument("--check", action="store_true", help="test this script, changing nothing; offline")
    parser.add_argument("--module", type=Path, default=MODULE, metavar="FILE", help="the file to rewrite, if not ours")
    parser.add_argument("--url", default=BASE_URL, help="where the catalogue is, if not at %(default)s")
    options = parser.parse_args()
    if options.check:
        tests = unittest.defaultTestLoader.loadTestsFromTestCase(PricesTests)
        return 0 if unittest.TextTestRunner(stream=sys.stdout).run(tests).wasSuccessful() else 1
    source = options.module.read_text(encoding="utf-8")
    made = tidy(source) if options.tidy else make_anew(source, options.url)
    options.module.write_text(made, encoding="utf-8")
    for table in ("PRICE_ROWS", "TIER_ROWS", "ALIAS_ROWS"):
        print(f"{table}: {len(rows_of(source, table))} rows before, {len(rows_of(made, table))} now")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
