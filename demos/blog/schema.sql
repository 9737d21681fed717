CREATE TABLE IF NOT EXISTS authors (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    salt bytea NOT NULL,
    password_key bytea NOT NULL
);

CREATE TABLE IF NOT EXISTS entries (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    author integer NOT NULL REFERENCES authors (id),
    title text NOT NULL,
    body text NOT NULL,
    published timestamptz NOT NULL DEFAULT now(),
    changed timestamptz
);
