-- Portable on purpose: no foreign keys, triggers, collations of columns or unique keys apart from primary ones, which
-- PostgreSQLs that spread tables over machines don't have, or not all. docs/scale.md says which does what.

CREATE SEQUENCE user_id;
CREATE SEQUENCE token_id;
CREATE SEQUENCE event_id;

CREATE TABLE users (
    username     text    NOT NULL PRIMARY KEY,
    uid          bigint  NOT NULL,
    email        text    NOT NULL,
    restricted   boolean NOT NULL,
    role         text    NOT NULL,
    created      bigint  NOT NULL,
    suspended_at bigint,
    removed_at   bigint
);

CREATE INDEX users_uid ON users (uid ASC);

-- One row, made with the first user: whoever else makes one at that moment finds it there.
CREATE TABLE founding (
    place integer NOT NULL PRIMARY KEY
);

-- One row is all that a verification reads, so it carries its owner's name, which never changes.
CREATE TABLE token (
    handle       text   NOT NULL PRIMARY KEY,
    digest       bytea  NOT NULL,
    id           bigint NOT NULL,
    uid          bigint NOT NULL,
    username     text   NOT NULL,
    label        text   NOT NULL,
    label_folded text   NOT NULL,
    scopes       text   NOT NULL,
    created      bigint NOT NULL,
    expiry       bigint,
    parent       bigint,
    revoked_at   bigint,
    disabled_at  bigint
);

CREATE INDEX token_id_order ON token (id ASC);
CREATE INDEX token_listing ON token (uid, id ASC) INCLUDE (expiry, revoked_at, disabled_at);
CREATE INDEX token_parent ON token (parent) WHERE parent IS NOT NULL;

-- Apart from tokens, so that nobody who revokes one waits for it.
CREATE TABLE token_use (
    handle  text   NOT NULL PRIMARY KEY,
    at      bigint NOT NULL,
    address text   NOT NULL
);

-- Answers to batches, encrypted with what only their senders know.
CREATE TABLE sealed (
    key     bytea  NOT NULL PRIMARY KEY,
    request bytea  NOT NULL,
    answer  bytea  NOT NULL,
    until   bigint NOT NULL
);

CREATE INDEX sealed_until ON sealed (until);

CREATE TABLE event (
    id          bigint NOT NULL,
    at          bigint NOT NULL,
    action      text   NOT NULL,
    username    text   NOT NULL,
    token_id    bigint,
    actor       text,
    actor_token bigint,
    detail      text   NOT NULL,
    writer      text   NOT NULL,
    sequence    bigint NOT NULL,
    previous    bytea  NOT NULL,
    heads       text,
    hash        bytea  NOT NULL,
    PRIMARY KEY (writer, sequence)
);

CREATE INDEX event_order ON event (id ASC);
CREATE INDEX event_user ON event (username, id ASC);

-- The last line of each chain that the beginning of no other chain has named.
CREATE TABLE head (
    writer   text   NOT NULL PRIMARY KEY,
    sequence bigint NOT NULL,
    hash     text   NOT NULL
);

-- How often anything about a user has changed; all users together have no name. The sum over the shards counts: each
-- process adds to one of them, so that not all wait for the same row.
CREATE TABLE change (
    username text    NOT NULL,
    shard    integer NOT NULL,
    changes  bigint  NOT NULL,
    PRIMARY KEY (username, shard)
);
