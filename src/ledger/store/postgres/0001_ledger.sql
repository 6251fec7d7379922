-- The ledger's tables, in the schema `tollgate`. Money is in 10^-12 USD, spans are in microseconds.

-- What calls share. Never deleted: another gateway may be about to refer to a row.
CREATE TABLE dimensions (
    id uuid PRIMARY KEY,
    service text NOT NULL,
    tags text NOT NULL, -- a JSON object with its keys in order
    operation text NOT NULL,
    requested_model text,
    source_model text,
    profile_arn text,
    region text NOT NULL,
    key_id text
);

-- One row per call. The id begins with the milliseconds at which the call started; each partition is a month of it.
CREATE TABLE records (
    id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    dimensions uuid NOT NULL,
    duration bigint NOT NULL,
    time_to_first_byte bigint,
    input_tokens bigint,
    output_tokens bigint,
    cache_read_tokens bigint,
    cache_write_5m_tokens bigint,
    cache_write_1h_tokens bigint,
    images bigint, -- these four are in `extras` as well, which sums do not look into
    queries bigint,
    text_units bigint,
    guardrail_images bigint,
    cost bigint,
    status smallint,
    client_gone boolean NOT NULL,
    outcome text NOT NULL,
    usage_source text NOT NULL,
    usage_missing text,
    price_id text,
    unpriced text,
    service_tier text,
    latency_tier text,
    invoked_model text,
    aws_request_id text,
    labels text, -- a JSON object with its keys in order
    rollup_labels text, -- those that lead to the record's rollup
    extras text, -- JSON: usage by other units than tokens
    usage_raw text -- JSON, as upstream stated it
) PARTITION BY RANGE (id);

-- Sums by hour, always in step with the records.
CREATE TABLE rollups (
    hour timestamptz NOT NULL,
    dimensions uuid NOT NULL,
    labels text COLLATE "C" NOT NULL, -- a JSON object with its keys in order
    calls bigint NOT NULL,
    failed_calls bigint NOT NULL,
    estimated_calls bigint NOT NULL,
    missing_calls bigint NOT NULL,
    unpriced_calls bigint NOT NULL,
    input_tokens numeric NOT NULL,
    output_tokens numeric NOT NULL,
    cache_read_tokens numeric NOT NULL,
    cache_write_5m_tokens numeric NOT NULL,
    cache_write_1h_tokens numeric NOT NULL,
    images numeric NOT NULL,
    queries numeric NOT NULL,
    text_units numeric NOT NULL,
    guardrail_images numeric NOT NULL,
    cost numeric NOT NULL,
    cost_of_estimates numeric NOT NULL,
    PRIMARY KEY (hour, dimensions, labels)
) WITH (fillfactor = 70); -- the hour that runs is updated again and again

-- What records cost before they were rated again.
CREATE TABLE reratings (
    record uuid NOT NULL,
    at timestamptz NOT NULL,
    cost bigint,
    price_id text,
    unpriced text
);
CREATE INDEX ON reratings (record);
