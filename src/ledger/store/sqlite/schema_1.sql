-- Times are microseconds since the epoch; money is 10^-12 USD; maps are JSON objects with their keys in order.

-- What records share. `id`: the first 16 bytes of the SHA-256 of the rest.
CREATE TABLE dimensions (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    service TEXT NOT NULL,
    tags TEXT NOT NULL,
    operation TEXT NOT NULL,
    requested_model TEXT,
    source_model TEXT,
    profile_arn TEXT,
    region TEXT NOT NULL,
    key_id TEXT
) STRICT;

-- The ids of prices, which are long and few.
CREATE TABLE prices (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
) STRICT;

-- One row per call. `id`: a version 7 UUID, whose first 48 bits are `started_at` in milliseconds, so that a span of
-- time is a range of ids, and rows are added at the end. `dimensions`, `price`: keys of these tables.
-- `finished_after`: from `started_at` on. `aws_request_id`: a UUID as its 16 bytes, anything else as text.
-- `rollup_labels`: those of `labels` that lead to the record's rollup.
CREATE TABLE records (
    id BLOB NOT NULL PRIMARY KEY,
    dimensions INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_after INTEGER NOT NULL,
    status INTEGER,
    outcome TEXT NOT NULL,
    client_gone INTEGER NOT NULL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_5m_tokens INTEGER,
    cache_write_1h_tokens INTEGER,
    extras TEXT,
    usage_source TEXT NOT NULL,
    usage_missing TEXT,
    usage_raw TEXT,
    service_tier TEXT,
    latency_tier TEXT,
    invoked_model TEXT,
    cost INTEGER,
    price INTEGER,
    unpriced TEXT,
    time_to_first_byte INTEGER,
    duration INTEGER NOT NULL,
    aws_request_id ANY,
    labels TEXT,
    rollup_labels TEXT
) STRICT, WITHOUT ROWID;

-- Sums over the records of an hour that share dimensions, and labels of the allow-list.
CREATE TABLE rollups (
    hour INTEGER NOT NULL,
    dimensions INTEGER NOT NULL,
    labels TEXT NOT NULL,
    calls INTEGER NOT NULL,
    failed_calls INTEGER NOT NULL,
    estimated_calls INTEGER NOT NULL,
    missing_calls INTEGER NOT NULL,
    unpriced_calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    images INTEGER NOT NULL,
    queries INTEGER NOT NULL,
    text_units INTEGER NOT NULL,
    guardrail_images INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    cost_of_estimates INTEGER NOT NULL,
    PRIMARY KEY (hour, dimensions, labels)
) STRICT, WITHOUT ROWID;

-- What records cost before they were rated again, and after.
CREATE TABLE reratings (
    record BLOB NOT NULL,
    at INTEGER NOT NULL,
    old_cost INTEGER,
    old_price_id TEXT,
    old_unpriced TEXT,
    new_cost INTEGER,
    new_price_id TEXT,
    new_unpriced TEXT,
    PRIMARY KEY (record, at)
) STRICT, WITHOUT ROWID;
