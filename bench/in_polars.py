"""PKH on 2026-09-30 in Polars' lazy expressions: the same semantics as by_hand.sql, as a peer."""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import or_
from pathlib import Path

import polars as pl

ITEMS = (
    "pregnancy",
    "early_childhood",
    "severe_disability",
    "elderly",
    "upper_secondary",
    "lower_secondary",
    "primary",
)
PRICES = (750_000, 750_000, 600_000, 600_000, 500_000, 375_000, 225_000)
SLOTS, CUT = 4, 2


def decided(population: Path) -> pl.LazyFrame:
    """The decisions of a population in its order."""
    persons = pl.scan_parquet(str(population / "persons" / "*.parquet"))
    families = pl.scan_parquet(str(population / "families" / "*.parquet"))
    born, job = pl.col("birth_date"), pl.col("occupation")
    adult = born <= date(2011, 9, 30)
    school = (born <= date(2020, 9, 30)) & (born > date(2004, 9, 30))
    level = _fresh("school_level", date(2025, 9, 25))
    excludes = [
        (job == "civil_servant") & adult, (job == "military") & adult, (job == "police") & adult,
        pl.col("public_pensioner"), (job == "state_company") & adult, pl.col("wage_above_minimum") & adult,
        pl.col("certified_teacher") & adult, pl.col("village_official") & adult, pl.col("company_owner"),
    ]  # fmt: skip
    serves = [
        _fresh("pregnant", date(2025, 12, 24)) & (pl.col("sex") == "female"),
        (born <= date(2026, 9, 30)) & (born > date(2019, 9, 30)), pl.col("severe_disability"),
        born <= date(1966, 9, 30), (level == "upper_secondary") & school, (level == "lower_secondary") & school,
        (level == "primary") & school,
    ]  # fmt: skip
    members = persons.select(
        "family_id",
        _bits([test.fill_null(False) for test in excludes]).alias("excludes"),
        _bits([test.is_null() for test in excludes]).alias("may_exclude"),
        _first([test.fill_null(False) for test in serves]).alias("sure"),
        _first([test.fill_null(True) for test in serves]).alias("possible"),
    )
    summed = members.group_by("family_id").agg(
        pl.col("excludes").bitwise_or(), pl.col("may_exclude").bitwise_or(), pl.col("sure", "possible").sum()
    )
    unlisted = ~pl.col("members_known")
    judged = families.join(summed, on="family_id", how="left", maintain_order="left").with_columns(
        _fresh("decile", date(2025, 9, 25)),
        pl.col("excludes").fill_null(0),
        pl.col("may_exclude").fill_null(0) | pl.when(unlisted).then(1022).otherwise(0),
        pl.col("sure").fill_null(0),
        pl.col("possible").fill_null(0) + unlisted.cast(pl.Int64),
    )
    filled = judged
    for word, short in (("sure", "s"), ("possible", "p")):
        counts = [(pl.col(word) // 256**k) % 256 for k in range(len(ITEMS))]
        counts[0], counts[1] = (pl.min_horizontal(count, CUT) for count in counts[:2])
        filled = filled.with_columns(count.alias(f"{short}{k}") for k, count in enumerate(counts))
        upto = [
            pl.min_horizontal(pl.sum_horizontal(f"{short}{j}" for j in range(k + 1)), SLOTS)
            for k in range(len(ITEMS))
        ]
        filled = filled.with_columns(total.alias(f"{short}t{k}") for k, total in enumerate(upto))
        filled = filled.with_columns(
            (pl.col(f"{short}t{k}") - (pl.col(f"{short}t{k - 1}") if k else 0)).alias(f"{short}{k}")
            for k in range(len(ITEMS))
        )
    last = len(ITEMS) - 1
    masked = filled.with_columns(
        (pl.col("excludes") | _flag(pl.col("decile") > 4, 1) | _flag(pl.col(f"pt{last}") == 0, 1024)).alias(
            "failed"
        ),
        (
            (pl.col("may_exclude") & ~pl.col("excludes"))
            | _flag(pl.col("decile").is_null(), 1)
            | _flag((pl.col(f"pt{last}") > 0) & (pl.col(f"st{last}") == 0), 1024)
        ).alias("unknown"),
        *(
            pl.sum_horizontal(pl.col(f"{short}{k}") * price for k, price in enumerate(PRICES)).alias(name)
            for short, name in (("s", "least"), ("p", "most"))
        ),
    )
    found, failed, unknown = pl.col("found"), pl.col("failed") != 0, pl.col("unknown") != 0
    eligible = found & ~failed & ~unknown
    outcome = (
        pl.when(~found).then(pl.lit("not_found")).when(failed).then(pl.lit("not_eligible"))
        .when(unknown).then(pl.lit("needs_data")).otherwise(pl.lit("eligible"))
    )  # fmt: skip
    most = (
        pl.when(eligible).then(pl.max_horizontal("least", "most"))
        .when(~found | ~failed).then(pl.col("most")).otherwise(0)
    )  # fmt: skip
    return masked.select(
        pl.col("family_id").alias("unit_id"), "family_id", outcome.alias("outcome"),
        pl.col("failed").cast(pl.Int64), pl.col("unknown").cast(pl.Int64),
        pl.when(eligible).then(pl.col("least")).otherwise(0).cast(pl.Int64).alias("amount"),
        most.cast(pl.Int64).alias("amount_most"),
        *(pl.when(eligible).then(pl.col(f"s{k}")).otherwise(0).cast(pl.Int64).alias(f"n_{item}")
          for k, item in enumerate(ITEMS)),
    )  # fmt: skip


def _fresh(fact: str, oldest: date) -> pl.Expr:
    dated = pl.col(f"{fact}__as_of")
    return pl.when(dated.is_null() | (dated >= oldest)).then(pl.col(fact)).alias(fact)


def _flag(test: pl.Expr, bit: int) -> pl.Expr:
    return pl.when(test).then(bit).otherwise(0)


def _bits(tests: list[pl.Expr]) -> pl.Expr:
    """Bit i + 1 for the i-th test: bit 0 is the decile."""
    return reduce(or_, (_flag(test, 2 << bit) for bit, test in enumerate(tests)))


def _first(tests: list[pl.Expr]) -> pl.Expr:
    """One in the eight bits of the first component that holds."""
    chosen = pl.lit(0, pl.Int64)
    for place in reversed(range(len(tests))):
        chosen = pl.when(tests[place]).then(pl.lit(256**place, pl.Int64)).otherwise(chosen)
    return chosen
