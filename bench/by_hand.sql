-- PKH of the fourth quarter of 2026, written by hand for DuckDB as one would for this programme alone.
-- It means what src/salur/rulebooks/pkh.toml means on 2026-09-30: three values for every criterion, stale facts
-- unknown, one more unknown member where the members are not known, components assigned at least and at most
-- (one for each member, dearest first, then each cut to its most, then four slots).
-- {families} and {persons} are tables. The masks are built once a member and joined by bit_or; the two counts
-- of each component are eight bits each in a sum.
WITH fresh AS (
    SELECT
        family_id, sex, birth_date, severe_disability, occupation,
        public_pensioner, wage_above_minimum, certified_teacher, village_official, company_owner,
        CASE WHEN pregnant__as_of IS NULL OR pregnant__as_of >= DATE '2025-12-24' THEN pregnant END AS pregnant,
        CASE WHEN school_level__as_of IS NULL OR school_level__as_of >= DATE '2025-09-25' THEN school_level END
            AS school_level,
        birth_date <= DATE '2011-09-30' AS adult,
        birth_date <= DATE '2020-09-30' AND birth_date > DATE '2004-09-30' AS school_age
    FROM {persons}
),
member AS (
    SELECT
        family_id,
        -- who excludes the family for certain
        CASE WHEN adult THEN
            CASE occupation WHEN 'civil_servant' THEN 2 WHEN 'military' THEN 4 WHEN 'police' THEN 8
                WHEN 'state_company' THEN 32 ELSE 0 END
            | CASE WHEN wage_above_minimum THEN 64 ELSE 0 END
            | CASE WHEN certified_teacher THEN 128 ELSE 0 END
            | CASE WHEN village_official THEN 256 ELSE 0 END
        ELSE 0 END
            | CASE WHEN public_pensioner THEN 16 ELSE 0 END
            | CASE WHEN company_owner THEN 512 ELSE 0 END AS excludes,
        -- who may exclude it
        CASE WHEN adult THEN
            CASE WHEN occupation IS NULL THEN 2 | 4 | 8 | 32 ELSE 0 END
            | CASE WHEN wage_above_minimum IS NULL THEN 64 ELSE 0 END
            | CASE WHEN certified_teacher IS NULL THEN 128 ELSE 0 END
            | CASE WHEN village_official IS NULL THEN 256 ELSE 0 END
        WHEN adult IS NULL THEN
            CASE occupation WHEN 'civil_servant' THEN 2 WHEN 'military' THEN 4 WHEN 'police' THEN 8
                WHEN 'state_company' THEN 32 ELSE CASE WHEN occupation IS NULL THEN 2 | 4 | 8 | 32 ELSE 0 END END
            | CASE WHEN wage_above_minimum IS NULL OR wage_above_minimum THEN 64 ELSE 0 END
            | CASE WHEN certified_teacher IS NULL OR certified_teacher THEN 128 ELSE 0 END
            | CASE WHEN village_official IS NULL OR village_official THEN 256 ELSE 0 END
        ELSE 0 END
            | CASE WHEN public_pensioner IS NULL THEN 16 ELSE 0 END
            | CASE WHEN company_owner IS NULL THEN 512 ELSE 0 END AS may_exclude,
        -- the dearest component of the member, for certain
        CASE
            WHEN pregnant AND sex = 'female' THEN 1
            WHEN birth_date <= DATE '2026-09-30' AND birth_date > DATE '2019-09-30' THEN 1 << 8
            WHEN severe_disability THEN 1 << 16
            WHEN birth_date <= DATE '1966-09-30' THEN 1 << 24
            WHEN school_age THEN CASE school_level
                WHEN 'upper_secondary' THEN 1::BIGINT << 32
                WHEN 'lower_secondary' THEN 1::BIGINT << 40
                WHEN 'primary' THEN 1::BIGINT << 48 ELSE 0 END
            ELSE 0 END AS serves,
        -- the dearest that may hold
        CASE
            WHEN coalesce(pregnant AND sex = 'female', TRUE) THEN 1
            WHEN coalesce(birth_date <= DATE '2026-09-30' AND birth_date > DATE '2019-09-30', TRUE) THEN 1 << 8
            WHEN coalesce(severe_disability, TRUE) THEN 1 << 16
            WHEN birth_date <= DATE '1966-09-30' THEN 1 << 24
            WHEN school_age THEN CASE school_level
                WHEN 'upper_secondary' THEN 1::BIGINT << 32
                WHEN 'lower_secondary' THEN 1::BIGINT << 40
                WHEN 'primary' THEN 1::BIGINT << 48
                ELSE CASE WHEN school_level IS NULL THEN 1::BIGINT << 32 ELSE 0 END END
            ELSE 0 END AS may_serve
    FROM fresh
),
summed AS (
    SELECT family_id, bit_or(excludes) AS excludes, bit_or(may_exclude) AS may_exclude,
        sum(serves)::BIGINT AS serves, sum(may_serve)::BIGINT AS may_serve
    FROM member GROUP BY family_id
),
judged AS (
    SELECT
        f.family_id, f.region, f.found,
        CASE WHEN decile__as_of IS NULL OR decile__as_of >= DATE '2025-09-25' THEN decile END AS decile,
        coalesce(excludes, 0) AS excludes,
        coalesce(may_exclude, 0) | CASE WHEN members_known THEN 0 ELSE 1022 END AS may_exclude,
        coalesce(serves, 0) AS serves,
        coalesce(may_serve, 0) + CASE WHEN members_known THEN 0 ELSE 1 END AS may_serve
    FROM {families} f LEFT JOIN summed USING (family_id)
),
cut AS (
    SELECT
        family_id, region, found, decile, excludes, may_exclude & ~excludes AS may_exclude,
        least(serves & 255, 2) AS s0, least((serves >> 8) & 255, 2) AS s1, (serves >> 16) & 255 AS s2,
        (serves >> 24) & 255 AS s3, (serves >> 32) & 255 AS s4, (serves >> 40) & 255 AS s5, serves >> 48 AS s6,
        least(may_serve & 255, 2) AS p0, least((may_serve >> 8) & 255, 2) AS p1, (may_serve >> 16) & 255 AS p2,
        (may_serve >> 24) & 255 AS p3, (may_serve >> 32) & 255 AS p4, (may_serve >> 40) & 255 AS p5,
        may_serve >> 48 AS p6
    FROM judged
),
filled AS (
    -- four slots, dearest first: what is left after the components before
    SELECT
        family_id, region, found, decile, excludes, may_exclude,
        s0, s1, least(s2, 4 - s0 - s1) AS s2, least(s3, greatest(4 - s0 - s1 - s2, 0)) AS s3,
        least(s4, greatest(4 - s0 - s1 - s2 - s3, 0)) AS s4,
        least(s5, greatest(4 - s0 - s1 - s2 - s3 - s4, 0)) AS s5,
        least(s6, greatest(4 - s0 - s1 - s2 - s3 - s4 - s5, 0)) AS s6,
        p0, p1, least(p2, 4 - p0 - p1) AS p2, least(p3, greatest(4 - p0 - p1 - p2, 0)) AS p3,
        least(p4, greatest(4 - p0 - p1 - p2 - p3, 0)) AS p4,
        least(p5, greatest(4 - p0 - p1 - p2 - p3 - p4, 0)) AS p5,
        least(p6, greatest(4 - p0 - p1 - p2 - p3 - p4 - p5, 0)) AS p6
    FROM cut
),
priced AS (
    SELECT
        *,
        s0 + s1 + s2 + s3 + s4 + s5 + s6 AS sure, p0 + p1 + p2 + p3 + p4 + p5 + p6 AS possible,
        750000 * (s0 + s1) + 600000 * (s2 + s3) + 500000 * s4 + 375000 * s5 + 225000 * s6 AS least_amount,
        750000 * (p0 + p1) + 600000 * (p2 + p3) + 500000 * p4 + 375000 * p5 + 225000 * p6 AS most_amount
    FROM filled
),
masked AS (
    SELECT
        *,
        excludes | CASE WHEN decile > 4 THEN 1 ELSE 0 END | CASE WHEN possible = 0 THEN 1024 ELSE 0 END AS failed,
        may_exclude | CASE WHEN decile IS NULL THEN 1 ELSE 0 END
            | CASE WHEN possible > 0 AND sure = 0 THEN 1024 ELSE 0 END AS unknown
    FROM priced
),
decided AS (
    SELECT *, found AND failed = 0 AND unknown = 0 AS eligible FROM masked
)
SELECT
    family_id AS unit_id,
    family_id,
    CASE WHEN NOT found THEN 'not_found' WHEN failed <> 0 THEN 'not_eligible'
        WHEN unknown <> 0 THEN 'needs_data' ELSE 'eligible' END AS outcome,
    failed::BIGINT AS failed,
    unknown::BIGINT AS unknown,
    CASE WHEN eligible THEN least_amount ELSE 0 END::BIGINT AS amount,
    CASE WHEN eligible THEN greatest(least_amount, most_amount) WHEN NOT found OR failed = 0 THEN most_amount
        ELSE 0 END::BIGINT AS amount_most,
    CASE WHEN eligible THEN s0 ELSE 0 END::BIGINT AS n_pregnancy,
    CASE WHEN eligible THEN s1 ELSE 0 END::BIGINT AS n_early_childhood,
    CASE WHEN eligible THEN s2 ELSE 0 END::BIGINT AS n_severe_disability,
    CASE WHEN eligible THEN s3 ELSE 0 END::BIGINT AS n_elderly,
    CASE WHEN eligible THEN s4 ELSE 0 END::BIGINT AS n_upper_secondary,
    CASE WHEN eligible THEN s5 ELSE 0 END::BIGINT AS n_lower_secondary,
    CASE WHEN eligible THEN s6 ELSE 0 END::BIGINT AS n_primary
FROM decided
ORDER BY region, family_id
