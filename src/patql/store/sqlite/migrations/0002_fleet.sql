ALTER TABLE user ADD COLUMN suspended_at INTEGER;
ALTER TABLE user ADD COLUMN removed_at INTEGER;

-- The descendants of a token; by id, so that those of one parent are added at the index's end, not all over it.
CREATE INDEX token_parent ON token (parent, id) WHERE parent IS NOT NULL;

-- Apart from tokens, so that nobody who revokes one waits for it.
CREATE TABLE token_use (
    handle  TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    address TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Answers to batches, encrypted with what only their senders know.
CREATE TABLE sealed (
    key     BLOB    NOT NULL PRIMARY KEY,
    request BLOB    NOT NULL,
    answer  BLOB    NOT NULL,
    until   INTEGER NOT NULL
) STRICT;

CREATE INDEX sealed_until ON sealed (until);

-- The audit becomes chains; what was written before them becomes a chain of its own.
DROP TRIGGER event_stays;
DROP TRIGGER event_unchanged;
DROP INDEX event_user;
ALTER TABLE event RENAME TO event_unchained;

CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    username    TEXT    NOT NULL,
    token_id    INTEGER,
    actor       TEXT,
    actor_token INTEGER,
    detail      TEXT    NOT NULL,
    writer      TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    previous    BLOB    NOT NULL,
    heads       TEXT,
    hash        BLOB    NOT NULL
) STRICT;

WITH RECURSIVE chain AS (
    SELECT id, 1 AS sequence, zeroblob(32) AS previous, '[]' AS heads,
           chain_digest(id, at, action, username, token_id, actor, actor_token, detail, 'before-chains', 1, zeroblob(32), '[]') AS hash
    FROM event_unchained WHERE id = (SELECT min(id) FROM event_unchained)
    UNION ALL
    SELECT e.id, c.sequence + 1, c.hash, NULL,
           chain_digest(e.id, at, action, username, token_id, actor, actor_token, detail, 'before-chains', c.sequence + 1, c.hash, NULL)
    FROM chain c JOIN event_unchained e ON e.id = (SELECT min(id) FROM event_unchained WHERE id > c.id)
)
INSERT INTO event
SELECT id, at, action, username, token_id, actor, actor_token, detail, 'before-chains', sequence, previous, heads, hash
FROM chain JOIN event_unchained USING (id);

DROP TABLE event_unchained;

CREATE INDEX event_user ON event (username, id);
CREATE UNIQUE INDEX event_chain ON event (writer, sequence);
-- The few lines that aren't about a token's life, which its owner's list of events leaves out.
CREATE INDEX event_others ON event (username, id)
WHERE action NOT IN ('token_create', 'token_update', 'token_delete');

CREATE TRIGGER event_stays BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'audit lines are never deleted'); END;

CREATE TRIGGER event_unchanged BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'audit lines never change'); END;

-- The last line of each chain that the beginning of no other chain has named.
CREATE TABLE head (
    writer   TEXT    NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    hash     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO head
SELECT writer, sequence, lower(hex(hash)) FROM event ORDER BY id DESC LIMIT 1;
