"""Every table, in the order in which the numbered steps of `migrations` make them; commented column by column."""

APPLICATION_ID = 0x536D4368
"""Written into the file's header, so that a stranger's database is not taken for ours: "SmCh"."""
SCHEMA_VERSION = 9
"""The number of the last step in `migrations`."""
LEGACY_TABLES = ("dispatches", "dispatches_new")
"""What the service before this program kept; the second is left where a power cut caught it widening the first."""

INITIAL_SCHEMA = (
    """
    CREATE TABLE dispatches (           -- every (start, end) the supplier ever named; only marked, never deleted
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('planned', 'completed')),
        device TEXT NOT NULL DEFAULT '', -- the supplier's device id; '' for completed ones and for rows older than that
        start TEXT NOT NULL CHECK (start LIKE '____-__-__T__:__:__Z'),
        end TEXT NOT NULL CHECK (end LIKE '____-__-__T__:__:__Z'), -- exclusive
        delta_kwh REAL,                 -- energy, negative = import; NULL where the supplier is silent
        type TEXT,                      -- the supplier's word; older rows: 'SMART_FLEX', or NULL
        source TEXT,                    -- the supplier's word
        location TEXT,                  -- the supplier's word
        gcal_event_id TEXT,             -- UID of the calendar event that the service before this one sent
        gcal_sequence INTEGER NOT NULL DEFAULT 0, -- its SEQUENCE
        fetched_at TEXT NOT NULL,       -- the last answer that named it and changed something in this row
        first_seen_at TEXT NOT NULL,
        missing_since TEXT,             -- the first answer without it, while that is not yet a withdrawal
        withdrawn_at TEXT,
        superseded_by INTEGER REFERENCES dispatches (id), -- the revision that took its place
        UNIQUE (kind, device, start, end),
        CHECK (superseded_by IS NULL OR withdrawn_at IS NOT NULL)
    ) STRICT
    """,
    "CREATE INDEX dispatches_by_end ON dispatches (kind, end)",
    "CREATE INDEX dispatches_by_revision ON dispatches (superseded_by) WHERE superseded_by IS NOT NULL",
    """
    CREATE TABLE fetches (              -- freshness of the plan, one row a device
        device TEXT PRIMARY KEY,        -- the supplier's device id
        watched INTEGER NOT NULL DEFAULT 0 CHECK (watched IN (0, 1)),   -- a live electric vehicle
        boosting INTEGER NOT NULL DEFAULT 0 CHECK (boosting IN (0, 1)), -- the owner forces a charge
        state TEXT,                     -- the supplier's word, for people only
        asked_at TEXT,                  -- whatever came of it
        last_ok_at TEXT,                -- the last answer that was one
        failures INTEGER NOT NULL DEFAULT 0, -- running
        last_error TEXT
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE services (             -- trouble with the outside; no row, or an old one: no trouble
        service TEXT PRIMARY KEY CHECK (service IN ('kraken', 'zappi', 'tesla', 'mail')),
        asked_at TEXT,
        ok_at TEXT,                     -- when the last trouble was over
        failures INTEGER NOT NULL DEFAULT 0, -- running
        not_before TEXT,                -- patience that was asked for, or that we keep
        refused_for TEXT,               -- fingerprint of the configuration that was refused; no secret
        refused_at TEXT,
        host TEXT,                      -- the server that this account lives on
        last_error TEXT
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE holds (                -- our promises
        id INTEGER PRIMARY KEY,
        opened_at TEXT NOT NULL CHECK (opened_at LIKE '____-__-__T__:__:__Z'),
        until TEXT NOT NULL CHECK (until LIKE '____-__-__T__:__:__Z'),
        kind TEXT NOT NULL CHECK (kind IN ('WINDOW', 'EXTENSION')),
        because TEXT NOT NULL,          -- the rule that opened it or last changed it
        window_start TEXT,              -- start of the contiguous window it belongs to, where known
        closed_at TEXT CHECK (closed_at LIKE '____-__-__T__:__:__Z'),
        closed_because TEXT,
        CHECK ((closed_at IS NULL) = (closed_because IS NULL))
    ) STRICT
    """,
    "CREATE UNIQUE INDEX one_open_hold ON holds ((closed_at IS NULL)) WHERE closed_at IS NULL",
    "CREATE INDEX holds_by_close ON holds (COALESCE(closed_at, '~'))",
    """
    CREATE TABLE battery (              -- one row; what is remembered of the Powerwall between runs
        id INTEGER PRIMARY KEY CHECK (id = 1),
        owned_since TEXT,
        owns_mode INTEGER NOT NULL CHECK (owns_mode IN (0, 1)),         -- ours to bring back
        owns_reserve INTEGER NOT NULL CHECK (owns_reserve IN (0, 1)),
        before_mode TEXT,               -- found before the first write
        before_reserve_pct INTEGER,
        confirmed_mode TEXT,            -- last agreed to by a read-back
        confirmed_reserve_pct INTEGER,
        in_doubt_since TEXT,            -- written, not yet read back
        unproven_until TEXT,            -- until then a holding value that was written may still take effect
        rate_plan_missing INTEGER NOT NULL CHECK (rate_plan_missing IN (0, 1)),
        rested_at TEXT,                 -- last verified midnight reset
        CHECK ((before_mode IS NULL) = (before_reserve_pct IS NULL))
    ) STRICT
    """,
    """
    CREATE TABLE owner (                -- one row; the owner's hand
        id INTEGER PRIMARY KEY CHECK (id = 1),
        paused_since TEXT,              -- NULL: not paused
        paused_until TEXT,              -- NULL: until resumed
        stood_down_at TEXT,             -- NULL: not stood down
        stood_down_until TEXT,
        CHECK ((stood_down_at IS NULL) = (stood_down_until IS NULL))
    ) STRICT
    """,
    """
    CREATE TABLE readings (             -- what was measured, only where it was asked for anyway
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL CHECK (at LIKE '____-__-__T__:__:__Z'),
        kind TEXT NOT NULL CHECK (kind IN ('charger', 'battery')),
        state TEXT CHECK (state IN ('CHARGING', 'IDLE', 'UNKNOWN')),
        watts REAL,                     -- into the car
        session_kwh REAL,               -- the charger's session counter
        serials TEXT,                   -- the chargers that answered, with blanks between
        soe_pct REAL,                   -- state of energy of the house battery
        why TEXT,                       -- what the state was read from, for people
        error TEXT,
        CHECK ((kind = 'charger') = (state IS NOT NULL))
    ) STRICT
    """,
    "CREATE INDEX readings_by_kind ON readings (kind)",
    "CREATE INDEX readings_by_time ON readings (at)",
    """
    CREATE TABLE journal (              -- what was decided anew, done, or failed; enough to decide it again
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL CHECK (at LIKE '____-__-__T__:__:__Z'),
        command TEXT NOT NULL,
        because TEXT,                   -- the rule
        situation TEXT CHECK (situation IS NULL OR json_valid(situation)), -- all that the decision knew
        outcome TEXT NOT NULL,
        error TEXT,
        detail TEXT
    ) STRICT
    """,
    "CREATE INDEX journal_by_time ON journal (at)",
    "CREATE INDEX journal_by_command ON journal (command)",
    """
    CREATE TRIGGER journal_is_append_only BEFORE UPDATE ON journal
    BEGIN SELECT RAISE (ABORT, 'the journal is append-only'); END
    """,
    """
    CREATE TABLE outbox (               -- mail, written in the transaction of the change that caused it
        id INTEGER PRIMARY KEY,
        uid TEXT NOT NULL,              -- of the event
        sequence INTEGER NOT NULL,
        method TEXT NOT NULL,
        message BLOB NOT NULL,          -- the frozen bytes: a repeat is the same mail
        recipient TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'inflight', 'sent', 'failed', 'superseded')),
        not_before TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        last_error TEXT,
        created_at TEXT NOT NULL,
        sent_at TEXT,
        UNIQUE (uid, sequence)
    ) STRICT
    """,
    "CREATE INDEX outbox_unsent ON outbox (state, not_before) WHERE state IN ('queued', 'inflight')",
    "CREATE INDEX outbox_by_state ON outbox (state)",
    """
    CREATE TABLE episodes (             -- trouble that goes on, so that it is told once
        command TEXT NOT NULL,
        kind TEXT NOT NULL,
        since TEXT NOT NULL,
        count INTEGER NOT NULL,         -- failures running
        told_at TEXT,                   -- NULL: nobody has heard of it yet
        PRIMARY KEY (command, kind)
    ) STRICT, WITHOUT ROWID
    """,
)

INVITES_SCHEMA = (
    """
    CREATE TABLE installation (         -- one row; what tells this installation from every other
        id INTEGER PRIMARY KEY CHECK (id = 1),
        salt TEXT NOT NULL,             -- goes into every UID; no secret
        feed TEXT                       -- what the .ics file for subscription was last made of
    ) STRICT
    """,
    "INSERT INTO installation (id, salt) VALUES (1, lower(hex(randomblob(16))))",
    """
    CREATE TABLE events (               -- every revision of every calendar event, as intended; append-only
        id INTEGER PRIMARY KEY,
        uid TEXT NOT NULL,
        sequence INTEGER NOT NULL CHECK (sequence >= 0),
        method TEXT NOT NULL CHECK (method IN ('REQUEST', 'CANCEL')),
        first_start TEXT NOT NULL CHECK (first_start LIKE '____-__-__T__:__:__Z'), -- of the window; its event's name
        starts_at TEXT NOT NULL CHECK (starts_at LIKE '____-__-__T__:__:__Z'),
        ends_at TEXT NOT NULL CHECK (ends_at LIKE '____-__-__T__:__:__Z'), -- exclusive
        energy_kwh REAL,                -- into the car, about; NULL where the supplier is silent
        stamped_at TEXT NOT NULL CHECK (stamped_at LIKE '____-__-__T__:__:__Z'),
        UNIQUE (uid, sequence),
        CHECK (starts_at < ends_at)
    ) STRICT
    """,
    "CREATE INDEX events_by_name ON events (first_start)",
    "ALTER TABLE outbox ADD COLUMN may_have_arrived INTEGER NOT NULL DEFAULT 0 CHECK (may_have_arrived IN (0, 1))",
    "ALTER TABLE outbox ADD COLUMN tried_at TEXT",  # the last attempt
    "CREATE INDEX outbox_by_attempt ON outbox (tried_at)",
)


LEDGER_AND_IDLE_SCHEMA = (
    "ALTER TABLE readings ADD COLUMN capacity_kwh REAL CHECK (capacity_kwh IS NULL OR kind = 'battery')",  # when full
    "ALTER TABLE services ADD COLUMN requests INTEGER NOT NULL DEFAULT 0",  # ever sent there, besides the next
    "ALTER TABLE fetches ADD COLUMN requests INTEGER NOT NULL DEFAULT 0",  # ever sent for answers that named the device
    """
    CREATE TABLE quiet (                -- one row; until when each command has nothing to do
        id INTEGER PRIMARY KEY CHECK (id = 1),
        of TEXT NOT NULL,               -- the database, program and configuration that this was worked out from
        since TEXT NOT NULL,
        fetch_dispatches TEXT NOT NULL, -- up to and including this time, as all that follow
        reconcile TEXT NOT NULL,
        midnight_reset TEXT NOT NULL,
        send_invites TEXT NOT NULL,
        tick TEXT NOT NULL
    ) STRICT
    """,
)


TIMED_HOLD_SCHEMA = (
    "ALTER TABLE battery ADD COLUMN leased_until TEXT",
)  # until then the gateway itself holds, and ends it


IDLE_FORECAST_SCHEMA = (  # in the row that every answer writes anyway, not on a page of its own
    "ALTER TABLE fetches ADD COLUMN foreseen TEXT",  # by the latest answer: how long each command has nothing to do
    """
    UPDATE fetches SET foreseen = (SELECT since || ' - - - - - ' || of FROM quiet) -- for nothing: it tells whose it is
    WHERE device = (SELECT device FROM fetches ORDER BY watched DESC, device LIMIT 1)
    """,
    "DROP TABLE quiet",
)


BATTERY_SITE_SCHEMA = (  # comments as in INITIAL_SCHEMA
    "ALTER TABLE battery ADD COLUMN site_backend TEXT",  # way to the owned battery: cloud, fleetapi, v1r
    "ALTER TABLE battery ADD COLUMN site TEXT",  # its energy site, or the gateway's DIN
    # commands that no reading has shown yet; NULL: none
    "ALTER TABLE battery ADD COLUMN unconfirmed_releasing INTEGER CHECK (unconfirmed_releasing IN (0, 1))",
    "ALTER TABLE battery ADD COLUMN unconfirmed_runs INTEGER",  # runs that tried without success
    "ALTER TABLE battery ADD COLUMN unconfirmed_mode TEXT",  # accepted by Tesla; NULL: refused
    "ALTER TABLE battery ADD COLUMN unconfirmed_mode_at TEXT",  # when the mode was commanded last
    "ALTER TABLE battery ADD COLUMN unconfirmed_reserve_pct INTEGER",  # accepted by Tesla; NULL: refused
    "ALTER TABLE battery ADD COLUMN unconfirmed_reserve_at TEXT",  # when the reserve was commanded last
)


SOLAR_SCHEMA = (
    # the charging car takes surplus solar power only
    "ALTER TABLE readings ADD COLUMN solar_only INTEGER NOT NULL DEFAULT 0 CHECK (solar_only IN (0, 1))",
)


EVENTS_SCHEMA = (  # names as in the program, and no supplier's in a rule
    "ALTER TABLE holds ADD COLUMN confirmed_at TEXT",  # the first read-back that showed the hold; NULL: none has
    "ALTER TABLE battery RENAME COLUMN unproven_until TO unverified_until",
    "ALTER TABLE battery RENAME COLUMN leased_until TO timed_hold_until",
    "ALTER TABLE battery RENAME COLUMN rested_at TO midnight_reset_at",
    "ALTER TABLE owner RENAME COLUMN stood_down_at TO override_at",
    "ALTER TABLE owner RENAME COLUMN stood_down_until TO override_until",
    "ALTER TABLE episodes RENAME COLUMN told_at TO notified_at",
    "ALTER TABLE episodes RENAME TO alerts",
    "ALTER TABLE fetches RENAME COLUMN foreseen TO forecast",
    "DROP TRIGGER journal_is_append_only",
)
SERVICES_TABLE = """
    CREATE TABLE services (             -- trouble with the outside; no row, or an old one: no trouble
        service TEXT PRIMARY KEY CHECK (service <> ''), -- which service, as the program names it
        asked_at TEXT,                  -- the last attempt that is recorded nowhere else
        ok_at TEXT,                     -- when the last trouble was over
        failures INTEGER NOT NULL DEFAULT 0, -- running
        not_before TEXT,                -- not to be asked again before this time
        refused_for TEXT,               -- fingerprint of the credentials that were refused; no secret
        refused_at TEXT,
        host TEXT,                      -- the server that this account lives on
        last_error TEXT,
        requests INTEGER NOT NULL DEFAULT 0 -- ever sent there, besides those counted in fetches
    ) STRICT, WITHOUT ROWID
    """
JOURNAL_TRIGGER = """
    CREATE TRIGGER journal_is_append_only BEFORE UPDATE ON journal
    BEGIN SELECT RAISE (ABORT, 'the journal is append-only'); END
    """
