-- DuckDB statements over the resource's six columns. Each must give through PatQL what DuckDB gives over a table of that
-- name with the same rows: as written, and once more as the generator writes it. One statement a line; anyone can add
-- one.
SELECT * FROM linode.profile.tokens t ORDER BY id
SELECT id, label FROM linode.profile.tokens t WHERE id % 2 = 0 ORDER BY id
SELECT count(*), count(expiry), count(DISTINCT label) FROM linode.profile.tokens t
SELECT label, count(*) AS n FROM linode.profile.tokens t GROUP BY label HAVING count(*) > 1 ORDER BY n DESC, label
SELECT label, count(*) FROM linode.profile.tokens t GROUP BY ALL ORDER BY ALL
SELECT DISTINCT label FROM linode.profile.tokens t ORDER BY label NULLS LAST
SELECT DISTINCT ON (label) label, id FROM linode.profile.tokens t ORDER BY label, id
SELECT id FROM linode.profile.tokens t ORDER BY expiry DESC NULLS FIRST, id LIMIT 5 OFFSET 2
SELECT id FROM linode.profile.tokens t ORDER BY expiry, id
SELECT id FROM linode.profile.tokens t ORDER BY label DESC, id DESC LIMIT 3
SELECT id FROM linode.profile.tokens t LIMIT 10%
SELECT id FROM linode.profile.tokens t WHERE label LIKE 'L%' ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE label ILIKE 'l%' ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE label NOT LIKE '%\_%' ESCAPE '\' ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE label SIMILAR TO 'l[0-9]+' ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE label GLOB 'l*' ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE regexp_matches(label, '^l[0-3]$') ORDER BY id
SELECT regexp_replace(label, '([a-z])(\d)', '\2\1', 'g') FROM linode.profile.tokens t ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE expiry IS NULL AND label IS NOT NULL ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE expiry IS NOT DISTINCT FROM NULL ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE id BETWEEN 3 AND 7 ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE id NOT BETWEEN 3 AND 7 ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE id IN (1, 3, 5) OR label = 'l2' ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE id NOT IN (SELECT id FROM linode.profile.tokens t WHERE id > 3) ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE (id, label) IN ((1, 'l1'), (2, 'x')) ORDER BY id
SELECT id FROM linode.profile.tokens a WHERE EXISTS (SELECT 1 FROM linode.profile.tokens b WHERE b.id = a.id + 1 AND b.label <> a.label) ORDER BY id
SELECT id FROM linode.profile.tokens a WHERE id = (SELECT max(b.id) FROM linode.profile.tokens b WHERE b.label = a.label) ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE id > ALL (SELECT id FROM linode.profile.tokens t WHERE id < 5) ORDER BY id
SELECT id FROM linode.profile.tokens t WHERE id = ANY ([1, 4]) ORDER BY id
SELECT a.id, b.id FROM linode.profile.tokens a JOIN linode.profile.tokens b ON a.id = b.id - 1 ORDER BY 1
SELECT a.id, b.id FROM linode.profile.tokens a LEFT JOIN linode.profile.tokens b ON a.id = b.id - 1 ORDER BY 1 NULLS LAST, 2
SELECT a.id, b.id FROM linode.profile.tokens a RIGHT JOIN linode.profile.tokens b ON a.id = b.id - 1 ORDER BY 2
SELECT a.id, b.id FROM linode.profile.tokens a FULL OUTER JOIN linode.profile.tokens b ON a.id = b.id - 1 ORDER BY 1, 2
SELECT count(*) FROM linode.profile.tokens a CROSS JOIN linode.profile.tokens b
SELECT count(*) FROM linode.profile.tokens a, linode.profile.tokens b WHERE a.id < b.id
SELECT id FROM linode.profile.tokens a SEMI JOIN (SELECT 2 AS id) b USING (id)
SELECT id FROM linode.profile.tokens a ANTI JOIN (SELECT 2 AS id) b USING (id) ORDER BY id
SELECT a.id, b.id FROM linode.profile.tokens a ASOF JOIN linode.profile.tokens b ON a.id >= b.id ORDER BY 1
SELECT a.id, x.n FROM linode.profile.tokens a, LATERAL (SELECT a.id * 2 AS n) x ORDER BY 1
SELECT t.id, u.v FROM linode.profile.tokens t, unnest([1, 2]) AS u(v) ORDER BY 1, 2
SELECT id, unnest([10, 20]) AS v FROM linode.profile.tokens t ORDER BY 1, 2
WITH x AS (SELECT id FROM linode.profile.tokens t), y AS (SELECT id + 1 AS id FROM x) SELECT sum(id) FROM y
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT t.id FROM linode.profile.tokens t JOIN r ON t.id = r.n ORDER BY 1
WITH x AS MATERIALIZED (SELECT * FROM linode.profile.tokens t) SELECT count(*) FROM x
SELECT id FROM linode.profile.tokens t UNION SELECT id + 1 FROM linode.profile.tokens t ORDER BY 1
SELECT id FROM linode.profile.tokens t UNION ALL BY NAME SELECT label, id FROM linode.profile.tokens t ORDER BY ALL
SELECT id FROM linode.profile.tokens t INTERSECT SELECT id FROM linode.profile.tokens t WHERE id > 3 ORDER BY 1
SELECT id FROM linode.profile.tokens t EXCEPT SELECT id FROM linode.profile.tokens t WHERE id > 3 ORDER BY 1
SELECT id, row_number() OVER (ORDER BY id DESC) FROM linode.profile.tokens t ORDER BY id
SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM linode.profile.tokens t ORDER BY id
SELECT id, lag(label, 1, 'none') OVER w FROM linode.profile.tokens t WINDOW w AS (PARTITION BY length(label) ORDER BY id) ORDER BY id
SELECT label, max(id) FILTER (WHERE id > 2) FROM linode.profile.tokens t GROUP BY label ORDER BY label
SELECT id FROM linode.profile.tokens t QUALIFY rank() OVER (PARTITION BY label ORDER BY id) = 1 ORDER BY id
SELECT GROUPING(label), label, count(*) FROM linode.profile.tokens t GROUP BY ROLLUP (label) ORDER BY ALL
SELECT label, count(*) FROM linode.profile.tokens t GROUP BY GROUPING SETS ((label), ()) ORDER BY ALL
SELECT label, count(*) FROM linode.profile.tokens t GROUP BY CUBE (label) ORDER BY ALL
SELECT CASE WHEN id < 3 THEN 'low' WHEN id < 6 THEN 'mid' ELSE 'high' END AS band, count(*) FROM linode.profile.tokens t GROUP BY band ORDER BY band
SELECT CASE label WHEN 'l1' THEN 1 ELSE 0 END FROM linode.profile.tokens t ORDER BY id
SELECT coalesce(expiry, 'never'), nullif(label, 'l1'), ifnull(expiry, '-') FROM linode.profile.tokens t ORDER BY id
SELECT id // 2, id / 2, id % 3, id ** 2, -id, id << 1, id & 3, id | 4, xor(id, 1) FROM linode.profile.tokens t ORDER BY id
SELECT 7 // 2, 7 / 2, -7 // 2, -7 % 3, 1e3, 1_000_000, 0x1F, 0.5 FROM linode.profile.tokens t LIMIT 1
SELECT label || '-' || id, concat(label, NULL, id), concat_ws('/', label, id) FROM linode.profile.tokens t ORDER BY id
SELECT label[1], label[1:2], label[-1], label[2:] FROM linode.profile.tokens t ORDER BY id
SELECT [id, id + 1][1], [1, 2, 3][2:3], list_value(id)[1] FROM linode.profile.tokens t ORDER BY id
SELECT {'a': id, 'b': label}.a, struct_pack(x := id).x, row(id, label) FROM linode.profile.tokens t ORDER BY id
SELECT MAP {'k': id}['k'], MAP([1, 2], ['a', 'b'])[2] FROM linode.profile.tokens t ORDER BY id
SELECT list_transform([1, 2, 3], lambda x: x + id), [x * 2 FOR x IN [1, 2, 3] IF x > 1] FROM linode.profile.tokens t ORDER BY id LIMIT 2
SELECT list(id ORDER BY id DESC), string_agg(label, ',' ORDER BY id), array_agg(DISTINCT label ORDER BY label) FROM linode.profile.tokens t
SELECT median(id), quantile_cont(id, 0.25), mode(1), stddev_samp(id), arg_max(label, id) FROM linode.profile.tokens t
SELECT approx_count_distinct(id) > 0, bool_and(id > 0), bit_or(id), first(id ORDER BY id), histogram(id % 2) FROM linode.profile.tokens t
SELECT CAST(id AS VARCHAR), id::DOUBLE, TRY_CAST(label AS INTEGER), id::DECIMAL(5, 2), '5'::INT FROM linode.profile.tokens t ORDER BY id
SELECT CAST(created AS TIMESTAMP), CAST(created AS DATE), CAST(created AS TIMESTAMPTZ) FROM linode.profile.tokens t ORDER BY id
SELECT extract(year FROM CAST(created AS TIMESTAMP)), date_part('month', CAST(created AS DATE)), year(CAST(created AS DATE)) FROM linode.profile.tokens t ORDER BY id
SELECT date_trunc('month', CAST(created AS TIMESTAMP)), CAST(created AS DATE) + 1, CAST(created AS TIMESTAMP) + INTERVAL 1 MONTH FROM linode.profile.tokens t ORDER BY id
SELECT date_diff('day', CAST(created AS DATE), DATE '2026-06-15'), age(TIMESTAMP '2026-06-15', CAST(created AS TIMESTAMP)) FROM linode.profile.tokens t ORDER BY id
SELECT strftime(CAST(created AS TIMESTAMP), '%Y-%m'), strptime('2026-01-02', '%Y-%m-%d'), epoch(CAST(created AS TIMESTAMP)) FROM linode.profile.tokens t ORDER BY id
SELECT INTERVAL 3 DAY, INTERVAL '1 month 2 days', INTERVAL (id) HOUR, to_days(2) FROM linode.profile.tokens t ORDER BY id
SELECT DATE '2026-01-01', TIMESTAMP '2026-01-01 10:00:00', TIME '10:00:00', TIMESTAMPTZ '2026-01-01 00:00:00+02' FROM linode.profile.tokens t LIMIT 1
SELECT id FROM linode.profile.tokens t WHERE CAST(created AS TIMESTAMP) < TIMESTAMP '2026-01-03' ORDER BY id
SELECT upper(label), lower(label), length(label), reverse(label), trim('  x '), lpad(label, 5, '*'), replace(label, 'l', 'm') FROM linode.profile.tokens t ORDER BY id
SELECT split_part(scopes, ':', 1), string_split(scopes, ' '), strip_accents('é'), substring(label FROM 2), position('1' IN label) FROM linode.profile.tokens t ORDER BY id
SELECT starts_with(label, 'l'), contains(label, '1'), label ^@ 'l', suffix(label, '1'), md5(label) FROM linode.profile.tokens t ORDER BY id
SELECT format('{}-{}', id, label), printf('%03d', id), chr(65), ascii('a'), hex(id), '\n', E'\n', 'it''s', $$a'b$$ FROM linode.profile.tokens t ORDER BY id LIMIT 2
SELECT greatest(id, 3), least(id, 3), abs(-id), round(id / 3.0, 2), floor(1.5), ceil(1.5), sign(-2), sqrt(id), ln(id), power(id, 2) FROM linode.profile.tokens t ORDER BY id
SELECT * EXCLUDE (token, scopes) FROM linode.profile.tokens t ORDER BY id
SELECT * REPLACE (id * 10 AS id) FROM linode.profile.tokens t ORDER BY id
SELECT * RENAME (label AS name) FROM linode.profile.tokens t ORDER BY id
SELECT COLUMNS('^(id|label)$') FROM linode.profile.tokens t ORDER BY ALL
SELECT min(COLUMNS(* EXCLUDE (token))) FROM linode.profile.tokens t
SELECT t FROM linode.profile.tokens t ORDER BY id LIMIT 1
SELECT t.* FROM linode.profile.tokens t ORDER BY id LIMIT 1
SELECT id AS "the id", label AS "select" FROM linode.profile.tokens t ORDER BY "the id" LIMIT 2
SELECT sum(id) AS total, total + 1 AS more FROM linode.profile.tokens t
SELECT id AS i FROM linode.profile.tokens t WHERE i > 5 ORDER BY i
SELECT json_extract('{"a": [1, 2]}', '$.a[1]'), '{"a": 1}'::JSON ->> 'a', '{"a": 1}'::JSON -> '$.a', json_object('id', id) FROM linode.profile.tokens t ORDER BY id LIMIT 2
SELECT NULL AS x, TRUE AND NULL, NOT id > 3, id > 3 IS TRUE, id IS DISTINCT FROM 3 FROM linode.profile.tokens t ORDER BY id
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(n, s) JOIN linode.profile.tokens t ON t.id = v.n ORDER BY 1
SELECT * FROM range(3) r(i) LEFT JOIN linode.profile.tokens t ON t.id = r.i ORDER BY i
SELECT generate_series FROM generate_series(1, 3) WHERE generate_series IN (SELECT id FROM linode.profile.tokens t) ORDER BY 1
SELECT x.a FROM (SELECT id AS a FROM linode.profile.tokens t) AS x WHERE x.a > 4 ORDER BY 1
SELECT a FROM (SELECT id, label FROM linode.profile.tokens t) AS x(a, b) WHERE b = 'l2'
SELECT * FROM linode.profile.tokens t PIVOT (count(*) FOR label IN ('l1', 'l2')) ORDER BY ALL
SELECT * FROM (SELECT id, label, scopes FROM linode.profile.tokens t) UNPIVOT (v FOR k IN (label, scopes)) ORDER BY ALL
FROM linode.profile.tokens t
FROM linode.profile.tokens t SELECT id ORDER BY id LIMIT 1
FROM linode.profile.tokens a JOIN linode.profile.tokens b ON a.id = b.id - 1 SELECT a.id, b.label WHERE b.id > 3 ORDER BY 1
FROM linode.profile.tokens a, linode.profile.tokens b SELECT count(*) WHERE a.id < b.id
FROM (SELECT id FROM linode.profile.tokens t) a LEFT JOIN linode.profile.tokens b ON a.id = b.id + 1 ORDER BY a.id
FROM linode.profile.tokens a ANTI JOIN (FROM linode.profile.tokens x JOIN linode.profile.tokens y ON x.id = y.id + 1 SELECT x.id) b USING (id) SELECT id
SELECT sum(CASE WHEN expiry IS NULL THEN 1 ELSE 0 END)::INT AS never FROM linode.profile.tokens t
SELECT array_length([1, 2]), len('abc'), list_contains([1, 2], id), flatten([[1], [2]]), list_sort([3, 1, 2]) FROM linode.profile.tokens t ORDER BY id LIMIT 2
SELECT id FROM linode.profile.tokens t TABLESAMPLE 100% ORDER BY id
SELECT try(CAST(label AS INTEGER)) FROM linode.profile.tokens t ORDER BY id LIMIT 1
SELECT 'a' < 'B', 'Z' < 'a', '10' < '9', label COLLATE NOCASE = 'L1' FROM linode.profile.tokens t ORDER BY id
SELECT bar(id, 0, 10), hash(label) IS NOT NULL, typeof(id), typeof(label), typeof(expiry) FROM linode.profile.tokens t ORDER BY id LIMIT 1
SELECT max(id), min_by(label, id), any_value(label) IS NOT NULL, count_if(id > 3) FROM linode.profile.tokens t
SELECT #2, #1 FROM linode.profile.tokens t ORDER BY id
SELECT a, b FROM linode.profile.tokens t(a, b, c, d, e, f) WHERE a = 3
SELECT label FROM linode.profile.tokens t(label, id, c, d, e, f) WHERE id > '2026-01-03' ORDER BY label
SELECT a.id, b.id FROM linode.profile.tokens a ASOF JOIN linode.profile.tokens b ON a.id >= b.id WHERE b.id = 3 ORDER BY 1
SELECT a.id, b.id FROM linode.profile.tokens a ASOF LEFT JOIN linode.profile.tokens b ON a.id > b.id WHERE b.id = 2 ORDER BY 1
SELECT a.id, b.id FROM linode.profile.tokens a POSITIONAL JOIN linode.profile.tokens b WHERE b.id = 2
SELECT count(*) FROM linode.profile.tokens t WHERE id = 2 USING SAMPLE 100%
SELECT a.id, b.id FROM linode.profile.tokens a LEFT JOIN linode.profile.tokens b ON a.id = b.id + 1 WHERE b.id = 2
SELECT a.id, b.id FROM linode.profile.tokens a FULL JOIN linode.profile.tokens b ON a.id = b.id + 1 WHERE b.id = 8
SELECT a.id FROM linode.profile.tokens a ANTI JOIN linode.profile.tokens b ON a.id = b.id + 1 WHERE a.id = 1
SELECT id FROM linode.profile.tokens a NATURAL JOIN (SELECT 3 AS id) b
SELECT id FROM linode.profile.tokens t WHERE id = 3 AND label = (SELECT label FROM linode.profile.tokens u WHERE u.id = t.id)
SELECT id FROM linode.profile.tokens WHERE id = 3 GROUP BY id HAVING count(*) = 1
SELECT * FROM (SELECT *, CAST(created AS TIMESTAMP) AS born FROM linode.profile.tokens) WHERE born < TIMESTAMP '2026-01-03' ORDER BY id
SELECT id FROM (SELECT * REPLACE (CAST(created AS DATE) AS created) FROM linode.profile.tokens) WHERE created <= DATE '2026-01-02' ORDER BY id
SELECT to_json(t) FROM linode.profile.tokens t WHERE t.id = 1
SELECT count(t.id) FROM linode.profile.tokens t
SELECT EXISTS (SELECT * FROM linode.profile.tokens WHERE id = 3)
SELECT id, (SELECT count(*) FROM linode.profile.tokens b WHERE b.id < a.id) FROM linode.profile.tokens a ORDER BY id
SELECT E'\'' AS a, E'a\' || (SELECT 1) --' AS b, E'\x41\u00e9\101\t\\' AS c, 'a\' AS d FROM linode.profile.tokens t WHERE id = 3
SELECT $a$ ' $a$, $$ $a$ ; -- $$, 'x' /* ' */, "id" FROM linode.profile.tokens WHERE "id" = 3 -- ' ;
