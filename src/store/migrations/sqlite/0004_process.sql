-- Processes that live on the store, with the ids of the keys that each can read: `key rotate --use` asks them.
create table process (
    holder_user text not null,
    holder_host text not null,
    holder_pid integer not null,
    holder_start text not null,
    ring text not null,
    keys text not null,
    seen_at integer not null,
    primary key (holder_host, holder_pid, holder_start)
) without rowid;
