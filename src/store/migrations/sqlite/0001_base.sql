-- Integers are 64 bits: counts, flags (0, 1) and milliseconds since the epoch. Texts are UTF-8 without U+0000.

create table store_meta (
    id integer primary key check (id = 1),
    generation text not null,
    file_id text not null,
    seq integer not null,
    feed_floor integer not null,
    early_recalls integer not null,
    created_at integer not null
);

-- Numbers come from store_meta.seq, raised in the transaction that writes the row: one writer at a time, so
-- they become visible in order; and they outlive the rows, so none is used twice.
create table feed (
    seq integer primary key,
    what integer not null,
    key text not null,
    chat_id text
);

create table integration (
    id text primary key,
    name text not null unique,
    kind text not null,
    base_url text,
    app_id text,
    tenant text,
    bot_name text,
    bot_open_id text,
    war_room integer not null,
    receive text not null,
    created_at integer not null,
    check ((base_url is null) = (app_id is null))
) without rowid;
create unique index integration_app on integration (base_url, app_id) where app_id is not null;
-- At most one integration has War Room.
create unique index integration_war_room on integration (war_room) where war_room = 1;

create table secret (
    integration_id text not null,
    column_name text not null,
    key_id text not null,
    nonce blob not null,
    sealed blob not null,
    primary key (integration_id, column_name)
) without rowid;

create table member (
    id text primary key,
    name text not null,
    email text,
    email_key text,
    phone text,
    team text,
    created_at integer not null,
    seq integer not null,
    -- id, name and email with separators: what an index in memory reads of everybody at once.
    packed text not null
) without rowid;
create unique index member_email on member (email_key) where email_key is not null;
create index member_name on member (name, id);
create index member_seq on member (seq);

create table member_link (
    integration_id text not null,
    member_id text not null,
    open_id text,
    linked_at integer,
    origin text,
    reason text,
    looked_up_at integer,
    seq integer not null,
    primary key (integration_id, member_id)
) without rowid;
create unique index member_link_account on member_link (integration_id, open_id) where open_id is not null;
create index member_link_seq on member_link (seq);

create table link_journal (
    id integer primary key,
    batch text not null,
    undo_of text,
    integration_id text not null,
    member_id text not null,
    at integer not null,
    author_user text not null,
    author_host text not null,
    author_pid integer not null,
    before_open_id text,
    before_linked_at integer,
    before_origin text,
    after_open_id text,
    after_linked_at integer,
    after_origin text,
    undone integer not null
);
create index link_journal_batch on link_journal (integration_id, batch);

create table room (
    chat_id text primary key,
    integration_id text not null,
    name text not null,
    description text not null,
    kind text not null,
    status text not null,
    member_count integer,
    counted integer not null,
    last_message_at integer,
    complete_to integer
) without rowid;
create index room_integration on room (integration_id);

create table room_member (
    chat_id text not null,
    open_id text not null,
    name text not null,
    primary key (chat_id, open_id)
) without rowid;

create table person (
    id text primary key,
    name text,
    known_at integer not null
) without rowid;

create table message (
    message_id text not null,
    chat_id text not null,
    created_at integer not null,
    seq integer not null,
    root_id text,
    parent_id text,
    thread_id text,
    sender_id text not null,
    sender_kind text not null,
    msg_type text not null,
    content text not null,
    mentions text,
    updated_at integer,
    edited integer not null,
    recalled integer not null,
    own integer not null,
    via text not null
);
create unique index message_id on message (message_id);
create index message_place on message (chat_id, created_at);
create index message_thread on message (thread_id, created_at) where thread_id is not null;
create index message_root on message (root_id, created_at) where root_id is not null;

create table mention (
    chat_id text not null,
    person text not null,
    created_at integer not null,
    message_id text not null,
    primary key (chat_id, person, created_at, message_id)
) without rowid;

create table reaction (
    message_id text not null,
    emoji text not null,
    operator text not null,
    primary key (message_id, emoji, operator)
) without rowid;

-- Recalls that came before their messages; store_meta.early_recalls counts them.
create table early_recall (
    message_id text primary key,
    at integer not null
) without rowid;

create table event_seen (
    event_id text primary key,
    at integer not null
) without rowid;
create index event_seen_at on event_seen (at);

create table seam (
    seq integer primary key,
    chat_id text not null,
    from_at integer not null,
    to_at integer not null,
    recovered integer not null,
    missing text not null
);
create index seam_place on seam (chat_id, to_at);

create table lease (
    base_url text not null,
    app_id text not null,
    epoch integer not null,
    beat integer not null,
    holder_user text,
    holder_host text,
    holder_pid integer,
    state text not null,
    since_at integer,
    last_event_at integer,
    last_event_via text,
    primary key (base_url, app_id)
) without rowid;

create table outbox (
    uuid text primary key,
    integration_id text not null,
    chat_id text not null,
    reply_to text,
    in_thread integer not null,
    text text not null,
    author text not null,
    holder_user text not null,
    holder_host text not null,
    holder_pid integer not null,
    holder_start text not null,
    state text not null,
    message_id text,
    reason text,
    queued_at integer not null,
    changed_at integer not null
) without rowid;
create index outbox_state on outbox (state, queued_at);
create index outbox_message on outbox (message_id) where message_id is not null;

create table operation (
    seq integer primary key,
    at integer not null,
    author_user text not null,
    author_host text not null,
    author_pid integer not null,
    operation text not null,
    target text not null,
    result text not null,
    code integer,
    log_id text,
    reason text,
    hint text
);
create index operation_at on operation (at);

create table read_mark (
    reader text not null,
    chat_id text not null,
    at integer not null,
    message_id text not null,
    counted integer not null,
    primary key (reader, chat_id)
) without rowid;

create table ui (
    reader text not null,
    key text not null,
    value text not null,
    primary key (reader, key)
) without rowid;
