-- The line's tables. The stations' journals are the truth: all of `record`, `quarantine` and `journal` can be
-- built anew from them.

CREATE TABLE line.state (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    -- Changes when the line is rebuilt: the stations then send and settle everything again.
    identity uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Counts the changes of units, in the order of their commits.
    changes bigint NOT NULL DEFAULT 0,
    -- Counts the grants: a database that was restored from a backup has a lower count than its stations know.
    grants bigint NOT NULL DEFAULT 0,
    -- Why nothing is granted; empty: grants are given.
    hold text NOT NULL DEFAULT ''
);
INSERT INTO line.state DEFAULT VALUES;

CREATE TABLE line.station (
    name text PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    -- Null: the first key that comes with this name is taken; only while the line is rebuilt.
    key_sha256 text,
    added_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

-- One row a station, changed every few seconds: room in its page keeps the updates off the index.
CREATE TABLE line.presence (
    station text PRIMARY KEY REFERENCES line.station,
    seen_at timestamptz NOT NULL DEFAULT now(),
    tool_version text NOT NULL,
    clock_offset_ms bigint,
    backlog bigint NOT NULL,
    lanes int NOT NULL,
    running int NOT NULL,
    note text NOT NULL,
    -- The database that the station has sent everything to, as far as `backlog` says.
    identity text NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE line.journal (
    id text PRIMARY KEY,
    station text NOT NULL REFERENCES line.station,
    next_seq bigint NOT NULL DEFAULT 1,
    head text NOT NULL DEFAULT '',
    last_at timestamptz NOT NULL DEFAULT '-infinity',
    opened_at timestamptz NOT NULL DEFAULT now(),
    -- When another history was refused under this name, and how often.
    forked_at timestamptz,
    forks int NOT NULL DEFAULT 0
);

CREATE TABLE line.record (
    journal text NOT NULL REFERENCES line.journal,
    seq bigint NOT NULL,
    digest text NOT NULL,
    id text,
    station text NOT NULL,
    lane int,
    batch text,
    unit text,
    imei text,
    serial text,
    -- The serial number of the unit's label; of a record that no station wrote, the module's.
    label text,
    outcome text NOT NULL,
    exit_code int NOT NULL,
    is_countable boolean NOT NULL,
    is_passed boolean NOT NULL,
    failure text,
    started_at timestamptz,
    ended_at timestamptz,
    -- The end by the server's clock: the station's, corrected, and in the order of its journal.
    at timestamptz NOT NULL,
    duration_ms bigint,
    version_before text,
    version_after text,
    operator text,
    tool_version text,
    received_at timestamptz NOT NULL DEFAULT now(),
    document jsonb NOT NULL,
    PRIMARY KEY (journal, seq)
);
-- A document of a kilobyte is compressed in a third of the time, where the server was built with it.
DO $$ BEGIN
    ALTER TABLE line.record ALTER COLUMN document SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
CREATE INDEX record_unit ON line.record (unit, at);
CREATE INDEX record_serial ON line.record (serial) WHERE serial IS NOT NULL;
CREATE INDEX record_label ON line.record (label) WHERE label IS NOT NULL;
CREATE INDEX record_batch ON line.record (batch, unit, at, journal, seq)
    INCLUDE (is_countable, is_passed, failure, duration_ms) WHERE batch IS NOT NULL;
CREATE INDEX record_at ON line.record (at);

CREATE TABLE line.quarantine (
    journal text NOT NULL REFERENCES line.journal,
    seq bigint NOT NULL,
    digest text NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (journal, seq)
);

-- Records and quarantine are appended to, and nothing else.
CREATE FUNCTION line.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the line refuses this: % is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER record_guard BEFORE UPDATE OR DELETE ON line.record
    FOR EACH ROW EXECUTE FUNCTION line.refuse();
CREATE TRIGGER quarantine_guard BEFORE UPDATE OR DELETE ON line.quarantine
    FOR EACH ROW EXECUTE FUNCTION line.refuse();

CREATE TABLE line.batch (
    id text PRIMARY KEY,
    product text,
    target text,
    quota bigint NOT NULL CHECK (quota >= 0),
    granted bigint NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (granted BETWEEN 0 AND quota)
);

-- A part of a batch's quota that one station may spend. What came back or was written off by the station's
-- word is no longer granted; what an engineer wrote off stays granted: it may have been spent.
CREATE TABLE line.allotment (
    id text PRIMARY KEY,
    batch text NOT NULL REFERENCES line.batch,
    station text NOT NULL REFERENCES line.station,
    size bigint NOT NULL CHECK (size >= 0),
    spent bigint NOT NULL DEFAULT 0 CHECK (spent >= 0),
    returned bigint NOT NULL DEFAULT 0 CHECK (returned >= 0),
    written_off bigint NOT NULL DEFAULT 0 CHECK (written_off >= 0),
    granted_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    reason text,
    CHECK (spent + returned + written_off <= size)
);
CREATE INDEX allotment_batch ON line.allotment (batch, station);

CREATE TABLE line.device (
    product text NOT NULL,
    id text NOT NULL,
    state text NOT NULL DEFAULT 'free' CHECK (state IN ('free', 'leased', 'bound', 'retired')),
    -- The request that leased it: the same request again gets the same devices.
    request text,
    station text,
    imei text,
    PRIMARY KEY (product, id)
);
CREATE INDEX device_free ON line.device (product, id) WHERE state = 'free';
CREATE INDEX device_request ON line.device (request) WHERE request IS NOT NULL;
CREATE UNIQUE INDEX device_imei ON line.device (product, imei) WHERE imei IS NOT NULL;

CREATE TABLE line.claim (
    imei text PRIMARY KEY,
    station text NOT NULL REFERENCES line.station ON DELETE CASCADE,
    lane int,
    job text NOT NULL,
    until timestamptz NOT NULL
);

-- The last passed record of every unit, and the serial number that it is bound to.
CREATE TABLE line.unit (
    imei text PRIMARY KEY,
    serial text,
    change bigint NOT NULL,
    station text NOT NULL,
    lane int,
    batch text,
    outcome text,
    version text,
    done_at timestamptz,
    record text
);
CREATE INDEX unit_change ON line.unit (change);
CREATE INDEX unit_serial ON line.unit (serial) WHERE serial IS NOT NULL;

CREATE TABLE line.conflict (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    imei text,
    serial text,
    first_journal text NOT NULL,
    first_seq bigint NOT NULL,
    second_journal text NOT NULL,
    second_seq bigint NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, first_journal, first_seq, second_journal, second_seq)
);

CREATE TABLE line.person (
    name text PRIMARY KEY,
    role text NOT NULL CHECK (role IN ('read', 'lead', 'engineer')),
    salt bytea NOT NULL,
    pin bytea NOT NULL,
    failures int NOT NULL DEFAULT 0,
    locked_until timestamptz,
    added_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE line.audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    person text NOT NULL,
    action text NOT NULL,
    detail jsonb NOT NULL
);

-- For other tools: SELECT on these is all that they need.

-- A unit is a module; an attempt counts if it reached the module and did not end by the station's fault.
CREATE VIEW line.attempt AS
    SELECT batch, unit, imei, serial, label, station, lane, operator, outcome, failure, is_passed,
           started_at, ended_at, at, duration_ms, version_before, version_after, journal, seq
    FROM line.record WHERE is_countable;

CREATE VIEW line.unit_attempts AS
    SELECT batch, unit, count(*) AS attempts,
           (array_agg(is_passed ORDER BY at, journal, seq))[1] AS first_passed,
           (array_agg(is_passed ORDER BY at DESC, journal DESC, seq DESC))[1] AS last_passed
    FROM line.record WHERE is_countable AND batch IS NOT NULL GROUP BY batch, unit;

CREATE VIEW line.batch_yield AS
    SELECT batch, count(*) AS units,
           count(*) FILTER (WHERE last_passed) AS passed,
           count(*) FILTER (WHERE NOT last_passed) AS failed,
           count(*) FILTER (WHERE first_passed) AS first_passed,
           count(*) FILTER (WHERE attempts > 1) AS retested
    FROM line.unit_attempts GROUP BY batch;

CREATE VIEW line.pareto AS
    SELECT batch, failure AS key, count(*) AS count
    FROM line.record WHERE is_countable AND NOT is_passed AND batch IS NOT NULL GROUP BY batch, failure;

CREATE VIEW line.lane_hour AS
    SELECT batch, station, lane, date_trunc('hour', at) AS hour,
           count(DISTINCT unit) FILTER (WHERE is_passed) AS passed, count(*) AS attempts,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS median_ms
    FROM line.record WHERE is_countable GROUP BY batch, station, lane, date_trunc('hour', at);
