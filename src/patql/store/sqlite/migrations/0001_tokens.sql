CREATE TABLE user (
    uid        INTEGER PRIMARY KEY,
    username   TEXT    NOT NULL UNIQUE,
    email      TEXT    NOT NULL,
    restricted INTEGER NOT NULL,
    role       TEXT    NOT NULL,
    created    INTEGER NOT NULL
) STRICT;

-- One row is all that a verification reads, so it carries its owner's name, which never changes.
CREATE TABLE token (
    handle      TEXT    NOT NULL PRIMARY KEY,
    digest      BLOB    NOT NULL,
    id          INTEGER NOT NULL UNIQUE,
    uid         INTEGER NOT NULL REFERENCES user,
    username    TEXT    NOT NULL,
    label       TEXT    NOT NULL,
    scopes      TEXT    NOT NULL,
    created     INTEGER NOT NULL,
    expiry      INTEGER,
    parent      INTEGER,
    revoked_at  INTEGER,
    disabled_at INTEGER
) STRICT, WITHOUT ROWID;

-- A user's listing, its counts and its offsets, read in order without a look into the table.
CREATE INDEX token_listing
ON token (uid, id, expiry, revoked_at, disabled_at, created, label, scopes);

CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    uid         INTEGER NOT NULL REFERENCES user,
    username    TEXT    NOT NULL,
    token_id    INTEGER,
    actor       TEXT,
    actor_token INTEGER,
    detail      TEXT    NOT NULL
) STRICT;

CREATE INDEX event_user ON event (uid, id);

CREATE TRIGGER event_stays BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'audit lines are never deleted'); END;

CREATE TRIGGER event_unchanged BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'audit lines never change'); END;
