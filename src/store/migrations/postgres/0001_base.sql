-- As SQLite's of the same number. Texts are compared byte by byte, as there: ids and keys sort alike on both.

create table larkdeck_schema (
    version bigint primary key,
    at bigint not null
);

-- One row, written by each transaction with news: what it leaves behind is cleaned on its page.
create table store_meta (
    id bigint primary key check (id = 1),
    generation text collate "C" not null,
    file_id text collate "C" not null,
    seq bigint not null,
    feed_floor bigint not null,
    early_recalls bigint not null,
    created_at bigint not null
) with (fillfactor = 10);

-- Numbers come from store_meta.seq, raised in the transaction that writes the row. Every transaction that writes
-- locks that row first: one writer at a time, so they become visible in order; and they outlive the rows, so
-- none is used twice.
create table feed (
    seq bigint primary key,
    what bigint not null,
    key text collate "C" not null,
    chat_id text collate "C"
);

create table integration (
    id text collate "C" primary key,
    name text collate "C" not null unique,
    kind text collate "C" not null,
    base_url text collate "C",
    app_id text collate "C",
    tenant text collate "C",
    bot_name text collate "C",
    bot_open_id text collate "C",
    war_room bigint not null,
    receive text collate "C" not null,
    created_at bigint not null,
    check ((base_url is null) = (app_id is null))
);
create unique index integration_app on integration (base_url, app_id) where app_id is not null;
-- At most one integration has War Room.
create unique index integration_war_room on integration (war_room) where war_room = 1;

create table secret (
    integration_id text collate "C" not null,
    column_name text collate "C" not null,
    key_id text collate "C" not null,
    nonce bytea not null,
    sealed bytea not null,
    primary key (integration_id, column_name)
);

create table member (
    id text collate "C" primary key,
    name text collate "C" not null,
    email text collate "C",
    email_key text collate "C",
    phone text collate "C",
    team text collate "C",
    created_at bigint not null,
    seq bigint not null,
    -- id, name and email with separators: what an index in memory reads of everybody at once.
    packed text collate "C" not null
);
create unique index member_email on member (email_key) where email_key is not null;
create index member_name on member (name, id);
create index member_seq on member (seq);

create table member_link (
    integration_id text collate "C" not null,
    member_id text collate "C" not null,
    open_id text collate "C",
    linked_at bigint,
    origin text collate "C",
    reason text collate "C",
    looked_up_at bigint,
    seq bigint not null,
    primary key (integration_id, member_id)
);
create unique index member_link_account on member_link (integration_id, open_id) where open_id is not null;
create index member_link_seq on member_link (seq);

create table link_journal (
    id bigint primary key,
    batch text collate "C" not null,
    undo_of text collate "C",
    integration_id text collate "C" not null,
    member_id text collate "C" not null,
    at bigint not null,
    author_user text collate "C" not null,
    author_host text collate "C" not null,
    author_pid bigint not null,
    before_open_id text collate "C",
    before_linked_at bigint,
    before_origin text collate "C",
    after_open_id text collate "C",
    after_linked_at bigint,
    after_origin text collate "C",
    undone bigint not null
);
create index link_journal_batch on link_journal (integration_id, batch);

create table room (
    chat_id text collate "C" primary key,
    integration_id text collate "C" not null,
    name text collate "C" not null,
    description text collate "C" not null,
    kind text collate "C" not null,
    status text collate "C" not null,
    member_count bigint,
    counted bigint not null,
    last_message_at bigint,
    complete_to bigint
) with (fillfactor = 50);
create index room_integration on room (integration_id);

create table room_member (
    chat_id text collate "C" not null,
    open_id text collate "C" not null,
    name text collate "C" not null,
    primary key (chat_id, open_id)
);

create table person (
    id text collate "C" primary key,
    name text collate "C",
    known_at bigint not null
);

create table message (
    message_id text collate "C" primary key,
    chat_id text collate "C" not null,
    created_at bigint not null,
    seq bigint not null,
    root_id text collate "C",
    parent_id text collate "C",
    thread_id text collate "C",
    sender_id text collate "C" not null,
    sender_kind text collate "C" not null,
    msg_type text collate "C" not null,
    content text collate "C" not null,
    mentions text collate "C",
    updated_at bigint,
    edited bigint not null,
    recalled bigint not null,
    own bigint not null,
    via text collate "C" not null
);
create index message_place on message (chat_id, created_at, message_id);
create index message_thread on message (thread_id, created_at) where thread_id is not null;
create index message_root on message (root_id, created_at) where root_id is not null;

create table mention (
    chat_id text collate "C" not null,
    person text collate "C" not null,
    created_at bigint not null,
    message_id text collate "C" not null,
    primary key (chat_id, person, created_at, message_id)
);

create table reaction (
    message_id text collate "C" not null,
    emoji text collate "C" not null,
    operator text collate "C" not null,
    primary key (message_id, emoji, operator)
);

-- Recalls that came before their messages; store_meta.early_recalls counts them.
create table early_recall (
    message_id text collate "C" primary key,
    at bigint not null
);

create table event_seen (
    event_id text collate "C" primary key,
    at bigint not null
);
create index event_seen_at on event_seen (at);

create table seam (
    seq bigint primary key,
    chat_id text collate "C" not null,
    from_at bigint not null,
    to_at bigint not null,
    recovered bigint not null,
    missing text collate "C" not null
);
create index seam_place on seam (chat_id, to_at);

-- A beat every 2 s.
create table lease (
    base_url text collate "C" not null,
    app_id text collate "C" not null,
    epoch bigint not null,
    beat bigint not null,
    holder_user text collate "C",
    holder_host text collate "C",
    holder_pid bigint,
    state text collate "C" not null,
    since_at bigint,
    last_event_at bigint,
    last_event_via text collate "C",
    primary key (base_url, app_id)
) with (fillfactor = 10);

create table outbox (
    uuid text collate "C" primary key,
    integration_id text collate "C" not null,
    chat_id text collate "C" not null,
    reply_to text collate "C",
    in_thread bigint not null,
    text text collate "C" not null,
    author text collate "C" not null,
    holder_user text collate "C" not null,
    holder_host text collate "C" not null,
    holder_pid bigint not null,
    holder_start text collate "C" not null,
    state text collate "C" not null,
    message_id text collate "C",
    reason text collate "C",
    queued_at bigint not null,
    changed_at bigint not null
);
create index outbox_state on outbox (state, queued_at);
create index outbox_message on outbox (message_id) where message_id is not null;

create table operation (
    seq bigint primary key,
    at bigint not null,
    author_user text collate "C" not null,
    author_host text collate "C" not null,
    author_pid bigint not null,
    operation text collate "C" not null,
    target text collate "C" not null,
    result text collate "C" not null,
    code bigint,
    log_id text collate "C",
    reason text collate "C",
    hint text collate "C"
);
create index operation_at on operation (at);

create table read_mark (
    reader text collate "C" not null,
    chat_id text collate "C" not null,
    at bigint not null,
    message_id text collate "C" not null,
    counted bigint not null,
    primary key (reader, chat_id)
);

create table ui (
    reader text collate "C" not null,
    key text collate "C" not null,
    value text collate "C" not null,
    primary key (reader, key)
);
