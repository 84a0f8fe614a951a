-- Statements of every kind, which test_fuzz_parse.py takes apart, together with those of statements.sql and queries.yaml.
-- One statement a line; anyone can add one.
INSERT INTO linode.profile.tokens (label, scopes) VALUES ('ci', 'linodes:read_only'), ('it''s', '*') RETURNING id, token
INSERT INTO linode.profile.tokens (data__label) SELECT name FROM 'people.csv' WHERE name <> '' RETURNING *
INSERT INTO linode.profile.tokens DEFAULT VALUES
WITH x AS (SELECT 'a' AS label) INSERT INTO linode.profile.tokens (label) SELECT label FROM x
UPDATE linode.profile.tokens AS t SET label = t.label || '-2', data__label = 'x' WHERE t.id IN (SELECT max(id) FROM linode.profile.tokens) RETURNING id
REPLACE linode.profile.tokens SET label = 'x' WHERE tokenId = 2
REPLACE INTO linode.profile.tokens (label) VALUES ('x')
DELETE FROM linode.profile.tokens WHERE created < now() - INTERVAL 90 DAY AND label NOT LIKE '%prod%' RETURNING id, label
DELETE FROM linode.profile.tokens
EXEC linode.profile.tokens.deletePersonalAccessToken @tokenId = 2
EXEC /*+ SHOWRESULTS */ linode.profile.tokens.createPersonalAccessToken @@json = '{"label": "new", "expiry": null}'
EXEC linode.profile.tokens.updatePersonalAccessToken @tokenId = '2', @@json = $${"label": "it's"}$$
EXECUTE linode.profile.tokens._getPersonalAccessTokens @page = 1 @page_size = -25
SELECT label FROM (EXEC linode.profile.tokens._getPersonalAccessToken @tokenId = 2) t
SHOW PROVIDERS
SHOW EXTENDED SERVICES FROM linode LIKE 'pro%'
SHOW RESOURCES IN linode.profile WHERE name = 'tokens'
SHOW EXTENDED METHODS IN linode.profile.tokens LIKE 'delete%'
SHOW INSERT INTO linode.profile.tokens
SHOW INSERT /*+ REQUIRED */ INTO linode.profile.tokens
SHOW AUTH linode
SHOW VERSION
DESCRIBE linode.profile.tokens
DESC EXTENDED linode.profile.tokens
DESCRIBE METHOD EXTENDED linode.profile.tokens.createPersonalAccessToken
USE linode.profile
REGISTRY PULL linode v1
AUTH LOGIN linode
EXPLAIN SELECT id FROM linode.profile.tokens WHERE tokenId IN (1, 2)
EXPLAIN ANALYZE DELETE FROM linode.profile.tokens WHERE id = 2
COPY (SELECT * FROM linode.profile.tokens) TO 'tokens.parquet' (FORMAT parquet, COMPRESSION zstd)
COPY people FROM 'people.csv' (HEADER, DELIMITER ';')
CREATE TABLE old AS SELECT * FROM linode.profile.tokens WHERE expiry IS NOT NULL
CREATE OR REPLACE TEMP TABLE t (id BIGINT PRIMARY KEY, name VARCHAR DEFAULT 'x', CHECK (id > 0))
CREATE VIEW v AS SELECT label, count(*) AS n FROM old GROUP BY ALL
CREATE TABLE IF NOT EXISTS t AS FROM 'people.csv'
INSERT INTO people SELECT id, label FROM linode.profile.tokens
UPDATE people SET name = 'x' FROM old WHERE people.id = old.id
ALTER TABLE people ADD COLUMN born DATE
DROP TABLE IF EXISTS people CASCADE
TRUNCATE people
SELECT id FROM linode.profile.tokens WHERE label = $name AND id > $2
SELECT * FROM acme.shop.parts p JOIN acme.shop.things t ON p.thingId = t.id AND p.size > t.size WHERE t.zone IN ('eu', 'us east')
SELECT t.*, (SELECT count(*) FROM acme.shop.parts p WHERE p.thingId = t.id) AS n FROM acme.shop.things t ORDER BY n DESC LIMIT 5
SELECT x.owner.login, x.tags[1], x.owner ->> '$.id' FROM acme.shop.users x ORDER BY ALL NULLS LAST
SELECT * FROM 'people.csv' p ANTI JOIN linode.profile.tokens t ON p.name = t.label
PIVOT linode.profile.tokens ON scopes USING count(*) GROUP BY label
UNPIVOT people ON (a, b) INTO NAME k VALUE v
SUMMARIZE linode.profile.tokens
ATTACH 'x.duckdb' AS x
SET threads = 4
PRAGMA table_info('people')
BEGIN TRANSACTION
CALL pragma_version()
INSTALL httpfs
MERGE INTO people USING old ON people.id = old.id WHEN MATCHED THEN DELETE
SELECT 1; SELECT 2 /* ; */; -- three; four
SELECT "a""b", `c`, 'd''e', E'f\'g', $$h'i$$, $tag$ j $$ k $tag$ FROM (VALUES (1)) v("a""b")
