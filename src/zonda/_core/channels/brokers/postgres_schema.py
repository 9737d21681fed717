"""The tables and functions of the PostgreSQL broker.

Every call of the broker is one of these functions, so one round trip and one transaction.  Names of
functions end in a number: one whose arguments or meaning change gets the next, so that processes of two
versions of zonda work on one database while the one replaces the other.

Order: a publish to a topic with history locks the topic's row until it is committed, so that commits, and
with them notifications, come in the order of offsets.  Batches take the rows in the order of names, and
cleaning skips what is locked: nobody waits in a circle.  Each statement of a function sees what was
committed before it began (READ COMMITTED, which the connections ask for): what is read after the lock is
current.

What may go when the server crashes is not logged (UNLOGGED): presence, which is recorded anew, and the
outbox, whose messages are delivered at most once.
"""

import re

#: NOTIFY takes less than 8000 bytes; beside the body there are names and positions in it.
INLINE_BYTES = 7400

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,39}")

# Texts of a topic: COLLATE "C", compared as bytes; the database's collation may be slow, and may change.
_INSTALL = """
CREATE TABLE IF NOT EXISTS {s}.topics (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    epoch text NOT NULL DEFAULT left(replace(gen_random_uuid()::text, '-', ''), 12),
    top bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS {s}.messages (
    topic bigint NOT NULL,
    "offset" bigint NOT NULL,
    expires timestamptz NOT NULL,
    is_binary boolean NOT NULL,
    origin text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (topic, "offset")
);
CREATE INDEX IF NOT EXISTS messages_expires ON {s}.messages (expires);

CREATE TABLE IF NOT EXISTS {s}.keys (
    topic bigint NOT NULL,
    key bytea NOT NULL,
    "offset" bigint NOT NULL,
    expires timestamptz NOT NULL,
    PRIMARY KEY (topic, key)
);
CREATE INDEX IF NOT EXISTS keys_expires ON {s}.keys (expires);

CREATE UNLOGGED TABLE IF NOT EXISTS {s}.outbox (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    expires timestamptz NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_expires ON {s}.outbox (expires);

CREATE UNLOGGED TABLE IF NOT EXISTS {s}.nodes (
    node text COLLATE "C" PRIMARY KEY,
    seen timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE UNLOGGED TABLE IF NOT EXISTS {s}.presence (
    topic text COLLATE "C" NOT NULL,
    client text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    info text NOT NULL,
    PRIMARY KEY (topic, client, node)
);
CREATE INDEX IF NOT EXISTS presence_node ON {s}.presence (node);

-- A notification: seven fields in lines, the last one the body, if it is short enough; by reference, which
-- a kind in capitals says, its size.  `number`: equal notifications of one transaction are sent once.
CREATE OR REPLACE FUNCTION {s}.notify_1(
    channel text, kind text, topic text, origin text, epoch text, place text, number bigint, body text
) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify(channel, concat_ws(E'\\n', kind, topic, origin, epoch, place, number, body))
$$;

CREATE OR REPLACE FUNCTION {s}.publish_1(
    origin text, channels text[], names text[], bodies bytea[], binaries boolean[], all_keys bytea[],
    sizes integer[], ttls float8[], key_ttl float8, outbox_ttl float8
) RETURNS TABLE (n bigint, e text, o bigint, d boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    item record;
    topic_id bigint;
    topic_name text;
    topic_epoch text;
    topic_top bigint;
    locked_top bigint;
    moment timestamptz := clock_timestamp();
    kind text;
    place text;
    content text;
BEGIN
    FOR item IN
        SELECT * FROM unnest(channels, names, bodies, binaries, all_keys, sizes, ttls) WITH ORDINALITY
            AS u (channel, name, body, is_binary, key, size, ttl, number)
        ORDER BY name COLLATE "C", number
    LOOP
        n := item.number; e := ''; o := 0; d := false;
        IF item.size IS NOT NULL OR item.key IS NOT NULL THEN
            IF topic_name IS DISTINCT FROM item.name THEN
                IF topic_top > locked_top THEN
                    UPDATE {s}.topics SET top = topic_top WHERE id = topic_id;
                END IF;
                SELECT t.id, t.epoch, t.top INTO topic_id, topic_epoch, locked_top
                    FROM {s}.topics t WHERE t.name = item.name FOR NO KEY UPDATE;
                IF NOT FOUND THEN
                    INSERT INTO {s}.topics (name) VALUES (item.name) ON CONFLICT DO NOTHING;
                    SELECT t.id, t.epoch, t.top INTO topic_id, topic_epoch, locked_top
                        FROM {s}.topics t WHERE t.name = item.name FOR NO KEY UPDATE;
                END IF;
                topic_name := item.name;
                topic_top := locked_top;
                -- Behind the lock, or what waited for it would be older than what came before.
                moment := clock_timestamp();
            END IF;
            IF item.size IS NOT NULL THEN
                o := topic_top + 1;
                e := topic_epoch;
            END IF;
            IF item.key IS NOT NULL THEN
                INSERT INTO {s}.keys AS k (topic, key, "offset", expires)
                    VALUES (topic_id, item.key, o, moment + make_interval(secs => key_ttl))
                    ON CONFLICT (topic, key)
                    DO UPDATE SET "offset" = excluded."offset", expires = excluded.expires
                    WHERE k.expires <= moment;
                IF NOT FOUND THEN
                    SELECT k."offset" INTO o FROM {s}.keys k WHERE k.topic = topic_id AND k.key = item.key;
                    IF o = 0 THEN e := ''; ELSE e := topic_epoch; END IF;
                    d := true;
                    RETURN NEXT;
                    CONTINUE;
                END IF;
            END IF;
        END IF;
        place := o::text;
        IF item.size IS NOT NULL THEN
            topic_top := o;
            INSERT INTO {s}.messages (topic, "offset", expires, is_binary, origin, body) VALUES
                (topic_id, o, moment + make_interval(secs => item.ttl), item.is_binary, origin, item.body);
            -- What is beyond the size goes now and then, along the primary key.
            IF o % greatest(1, least(item.size / 4, 64)) = 0 THEN
                DELETE FROM {s}.messages m WHERE m.topic = topic_id AND m."offset" <= o - item.size;
            END IF;
        END IF;
        kind := CASE WHEN item.is_binary THEN 'b' ELSE 't' END;
        IF octet_length(item.body) <= (CASE WHEN item.is_binary THEN {inline} * 2 / 3 ELSE {inline} END) THEN
            IF item.is_binary THEN
                content := encode(item.body, 'base64');
            ELSE
                content := convert_from(item.body, 'UTF8');
            END IF;
        ELSE
            kind := upper(kind);
            content := octet_length(item.body);
            IF item.size IS NULL THEN
                INSERT INTO {s}.outbox AS x (expires, body)
                    VALUES (moment + make_interval(secs => outbox_ttl), item.body) RETURNING x.id INTO place;
            END IF;
        END IF;
        PERFORM {s}.notify_1(item.channel, kind, item.name, origin, e, place, n, content);
        RETURN NEXT;
    END LOOP;
    IF topic_top > locked_top THEN
        UPDATE {s}.topics SET top = topic_top WHERE id = topic_id;
    END IF;
END
$$;

-- The first row: the top, and whether what was asked for is there; then the messages.
CREATE OR REPLACE FUNCTION {s}.history_1(
    topic_name text, size bigint, since_epoch text, since_offset bigint, most bigint
) RETURNS TABLE (o bigint, e text, recovered boolean, origin text, is_binary boolean, body bytea)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    topic record;
    first bigint;
    moment timestamptz := clock_timestamp();
BEGIN
    SELECT * INTO topic FROM {s}.topics t WHERE t.name = topic_name;
    IF NOT FOUND THEN
        INSERT INTO {s}.topics (name) VALUES (topic_name) ON CONFLICT DO NOTHING;
        SELECT * INTO topic FROM {s}.topics t WHERE t.name = topic_name;
    END IF;
    o := topic.top; e := topic.epoch; recovered := true;
    IF since_epoch IS NULL THEN
        first := greatest(topic.top - size, topic.top - most, 0);
    ELSE
        first := since_offset;
        recovered := since_epoch = topic.epoch AND since_offset BETWEEN topic.top - size AND topic.top
            AND (since_offset = topic.top OR EXISTS (
                SELECT FROM {s}.messages m
                WHERE m.topic = topic.id AND m."offset" = since_offset + 1 AND m.expires > moment));
    END IF;
    RETURN NEXT;
    IF recovered AND first < topic.top THEN
        RETURN QUERY SELECT m."offset", topic.epoch, true, m.origin, m.is_binary, m.body
            FROM {s}.messages m
            WHERE m.topic = topic.id AND m."offset" > first AND m."offset" <= topic.top AND m.expires > moment
            ORDER BY m."offset";
    END IF;
END
$$;

-- What notifications refer to.
CREATE OR REPLACE FUNCTION {s}.read_1(
    names text[], epochs text[], offsets bigint[], numbers bigint[], ids uuid[], id_numbers bigint[]
) RETURNS TABLE (n bigint, body bytea) LANGUAGE sql STABLE AS $$
    -- OFFSET 0: one look into the index for each, never a join over all that is kept.
    SELECT u.number, m.body
        FROM unnest(names, epochs, offsets, numbers) AS u (name, epoch, "offset", number)
        CROSS JOIN LATERAL (
            SELECT m.body FROM {s}.messages m WHERE m."offset" = u."offset" AND m.topic = (
                SELECT t.id FROM {s}.topics t WHERE t.name = u.name AND t.epoch = u.epoch
            ) OFFSET 0
        ) m
    UNION ALL
    SELECT u.number, x.body
        FROM unnest(ids, id_numbers) AS u (id, number)
        CROSS JOIN LATERAL (SELECT x.body FROM {s}.outbox x WHERE x.id = u.id OFFSET 0) x
$$;

-- An event of presence, in the same form: `event` is JSON.
CREATE OR REPLACE FUNCTION {s}.tell_1(
    channel text, kind text, topic text, node text, event text, outbox_ttl float8
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place text := '';
BEGIN
    IF octet_length(event) > {inline} THEN
        INSERT INTO {s}.outbox AS x (expires, body)
            VALUES (clock_timestamp() + make_interval(secs => outbox_ttl), convert_to(event, 'UTF8'))
            RETURNING x.id INTO place;
        kind := upper(kind);
        event := octet_length(event);
    END IF;
    PERFORM {s}.notify_1(channel, kind, topic, node, '', place, 0, event);
END
$$;

CREATE OR REPLACE FUNCTION {s}.join_1(
    channel text, topic_name text, client_id text, node_id text, client_info text, event text,
    outbox_ttl float8
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- Locks the node too: `forget_1` comes before or behind, not between.
    INSERT INTO {s}.nodes (node, seen) VALUES (node_id, clock_timestamp())
        ON CONFLICT (node) DO UPDATE SET seen = excluded.seen;
    INSERT INTO {s}.presence (topic, client, node, info) VALUES (topic_name, client_id, node_id, client_info)
        ON CONFLICT (topic, client, node) DO UPDATE SET info = excluded.info;
    PERFORM {s}.tell_1(channel, 'j', topic_name, node_id, event, outbox_ttl);
END
$$;

CREATE OR REPLACE FUNCTION {s}.leave_1(
    channel text, topic_name text, client_id text, node_id text, event text, outbox_ttl float8
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM {s}.presence WHERE topic = topic_name AND client = client_id AND node = node_id;
    IF FOUND THEN
        PERFORM {s}.tell_1(channel, 'l', topic_name, node_id, event, outbox_ttl);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION {s}.members_1(topic_name text, timeout float8)
RETURNS TABLE (client text, info text, node text) LANGUAGE sql STABLE AS $$
    SELECT p.client, p.info, p.node FROM {s}.presence p JOIN {s}.nodes n USING (node)
        WHERE p.topic = topic_name AND n.seen > clock_timestamp() - make_interval(secs => timeout)
$$;

CREATE OR REPLACE FUNCTION {s}.forget_1(channel text, node_id text) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM {s}.nodes WHERE node = node_id;
    DELETE FROM {s}.presence WHERE node = node_id;
    PERFORM {s}.notify_1(channel, 'gone', '', node_id, '', '', 0, '');
END
$$;

-- A sign of life, and the removal of those who give none; whether the node was not known.
CREATE OR REPLACE FUNCTION {s}.beat_1(channel text, node_id text, timeout float8)
RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    fresh boolean;
    gone text;
BEGIN
    UPDATE {s}.nodes SET seen = clock_timestamp() WHERE node = node_id;
    fresh := NOT FOUND;
    IF fresh THEN
        INSERT INTO {s}.nodes (node, seen) VALUES (node_id, clock_timestamp()) ON CONFLICT DO NOTHING;
    END IF;
    FOR gone IN
        SELECT node FROM {s}.nodes WHERE seen < clock_timestamp() - make_interval(secs => timeout)
        FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM {s}.forget_1(channel, gone);
    END LOOP;
    RETURN fresh;
END
$$;

-- Removes up to `most` rows of each kind whose time is over; the largest number removed of one.
CREATE OR REPLACE FUNCTION {s}.clean_1(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz := clock_timestamp();
    removed bigint;
    largest bigint := 0;
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['messages', 'keys', 'outbox'] LOOP
        EXECUTE format(
            'DELETE FROM {s}.%1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM {s}.%1$I WHERE expires <= $1'
            ' ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED))', target) USING moment, most;
        GET DIAGNOSTICS removed = ROW_COUNT;
        largest := greatest(largest, removed);
    END LOOP;
    RETURN largest;
END
$$;
"""

#: Whether everything is there: the function made last tells, for all are made in one transaction.
_INSTALLED = "SELECT to_regprocedure('{s}.clean_1(integer)') IS NOT NULL"


def check_schema(name: str) -> str:
    """The name, if the tables may be in a schema of that name.  Raises `ValueError`."""
    if not _SCHEMA.fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} is no name of a schema for the broker: 1 to 40 small letters, digits and _ are"
        )
    return name


def installed(schema: str) -> str:
    """A query: is all that the broker needs there?"""
    return _INSTALLED.format(s=schema)


def install(schema: str) -> list[str]:
    """What makes it, in one transaction.  The lock lets one process at a time do so, and is kept until the
    end: whoever comes second finds everything made.
    """
    return [
        f"SELECT pg_advisory_xact_lock(hashtextextended('zonda.{schema}', 0))",
        # Asked first: somebody who may not make schemas may have been given this one.
        f"DO $$ BEGIN IF to_regnamespace('{schema}') IS NULL THEN CREATE SCHEMA {schema}; END IF; END $$",
        _INSTALL.format(s=schema, inline=INLINE_BYTES),
    ]
