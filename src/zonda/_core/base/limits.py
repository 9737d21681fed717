"""Every bound of the server, the client and the parsers, in one frozen object.

Each path that does a job reads the same field here: a limit enforced on one path and not on its
sibling is the commonest hole in this field.  Defaults are Tornado 6.6.1's where it has one.
"""

from dataclasses import dataclass

#: Tornado's `max_buffer_size`: 100 MiB.
_DEFAULT_BODY = 104857600


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds; sizes in bytes, times in seconds, `None` = no bound."""

    #: Request line or status line (414 past it).
    line_bytes: int = 65536
    #: Whole head: first line and headers, blank line included (431 past it).  Tornado: `max_header_size`.
    head_bytes: int = 65536
    #: Number of header fields in one head (431 past it).
    header_count: int = 1000
    #: Body as it travels (400 past it, as Tornado answers).  Tornado: `max_body_size`.
    body_bytes: int = _DEFAULT_BODY
    #: Body after Content-Encoding is undone (400 past it, as Tornado answers).
    decompressed_body_bytes: int = _DEFAULT_BODY
    #: Bytes of chunk sizes, chunk extensions and trailers in one chunked body,
    #: beyond `chunk_overhead_bytes` for each chunk (413 past it).
    chunk_extra_bytes: int = 65536
    #: What one chunk may cost in framing before it counts as extra.
    chunk_overhead_bytes: int = 16
    #: Chunks of a body that is held whole (413 past it); a streamed body may have any number.
    chunk_count: int = 1_000_000
    #: Piece of a body handed on at once.  Tornado: `chunk_size`.
    chunk_size: int = 65536
    #: Requests of one connection that are parsed and not yet answered; reading pauses at it.
    pipelined_requests: int = 64
    #: Bytes received and not yet parsed; reading pauses at it.
    read_ahead_bytes: int = 262144
    #: Bytes written and not yet taken by the kernel, past which a writer has to wait (`flush()`).
    write_high_water: int = 65536
    #: Bytes written and not yet taken by the kernel, past which the connection is aborted.
    write_buffer_bytes: int = 2 * _DEFAULT_BODY
    #: Open connections of one listener; past it new ones are closed at once.
    connections: int = 100_000
    #: From the first byte of a head to its end (408 past it).
    head_timeout: float = 60.0
    #: Between requests.  Tornado: `idle_connection_timeout`.
    idle_timeout: float = 3600.0
    #: From the end of a head to the end of its body (408 past it).  Tornado: `body_timeout`.
    body_timeout: float | None = None
    #: Without any progress while a body is being received, or an answer taken.
    stall_timeout: float = 120.0
    #: For requests being answered when the server is told to stop; past it they are cut off.
    drain_timeout: float = 30.0
    #: For a connection that is idle when the server is told to stop: it may send one more request.
    drain_grace: float = 2.0
    #: For a worker process to load the application, before it is given up.
    worker_start_timeout: float = 60.0
    #: Before a worker that has died is started again; doubled each time, up to the second.
    worker_restart_delay: float = 0.1
    worker_restart_delay_max: float = 30.0
    #: That a worker has to live for its restart to begin with the shortest delay again.
    worker_settled: float = 30.0
    #: A client's connection that waits for its next request; past it the connection is closed.
    client_idle_timeout: float = 30.0
    #: TLS handshake.
    handshake_timeout: float = 60.0
    #: One WebSocket message, inflated (close code 1009 past it).  Tornado: `websocket_max_message_size`.
    websocket_message_bytes: int = 10485760
    #: Fragments of one WebSocket message (close code 1008 past it).
    websocket_frames: int = 16384
    #: Bytes written to a WebSocket and not taken by the kernel, past which another message closes it.
    websocket_write_bytes: int = 16777216
    #: Compression contexts that all WebSockets of the process keep between messages, in bytes; past it new
    #: connections agree to keep none (`no_context_takeover`).
    websocket_deflate_memory: int | None = 67108864
    #: For the peer's answer to our Close frame, and for its going behind a failure.
    websocket_close_timeout: float = 5.0
    #: One event of a stream of server-sent events, read by a client.
    sse_event_bytes: int = 10485760
    #: Arguments in one query string or urlencoded body.  Tornado: `ParseUrlEncodedConfig.max_arguments`.
    arguments: int = 1000
    #: Parts in one multipart body.  Tornado: `ParseMultipartConfig.max_parts`.
    parts: int = 100
    #: Headers of one part.  Tornado: `ParseMultipartConfig.max_part_header_size`.
    part_header_bytes: int = 10240
    #: Ranges answered in one Range request; past it the whole file is sent.
    ranges: int = 1
    #: One message of a topic, encoded.
    channel_message_bytes: int = 1048576
    #: Topics of one subscriber's connection, and of one cursor.
    channel_topics: int = 100
    #: Commands of one client that are under way; past it nothing more is read from it.
    channel_commands: int = 32
    #: Between signs of life on a client's connection to topics (pings, lines of comment).
    channel_keepalive: float = 25.0
    #: For which a long poll waits for something to tell, at most.
    channel_poll_wait: float = 25.0
    #: Bytes of messages in the answer to a long poll; the next one gets the rest.
    channel_poll_bytes: int = 1048576
    #: For which a client that polls counts as present behind a poll.
    channel_poll_linger: float = 10.0
    #: Topics that a broker in memory keeps (history, presence); past it the one unused for longest is
    #: forgotten.
    channel_topics_kept: int = 100_000
    #: Bytes of one topic's history in a broker in memory; past it the oldest messages go, whatever their
    #: number.
    history_bytes: int = 67108864
    #: Messages under way to or from a broker, in bytes; past it publishing fails, or the connection is
    #: given up.
    broker_buffer_bytes: int = 67108864
    #: For anything that a broker is asked.
    broker_timeout: float = 10.0
    #: Between looks whether a topic's history has moved on without us.
    channel_check_interval: float = 10.0
    #: For which a topic that nobody of this process is subscribed to any more is kept, in case somebody
    #: comes again.
    channel_linger: float = 5.0
    #: Without a sign of life of a process, past which those present on it count as gone.
    presence_timeout: float = 15.0
    #: Messages of one topic that wait in a client; past it nothing more is read.
    channel_client_bytes: int = 1048576
    #: Commands of a client that wait for their answers; past it no more are taken.
    channel_client_command_bytes: int = 8388608
    #: For a command of a client, its repetitions included.
    channel_client_timeout: float = 30.0
    #: For a client to open a transport, and for a sign of life when one is due.
    channel_answer_timeout: float = 10.0
    #: Before a client tries again what failed: at first, and at most.
    channel_retry: float = 0.5
    channel_retry_most: float = 30.0
    #: Before a client tries a better transport than the one that worked; doubles up to an hour.
    channel_better_interval: float = 60.0
    #: For which an idempotency key is known again.
    idempotency_ttl: float = 300.0
    #: Idempotency keys that a broker in memory remembers.
    idempotency_keys: int = 100_000


#: What applies where nobody says otherwise.
DEFAULT_LIMITS = Limits()
