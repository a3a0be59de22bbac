-- Processes that live on the store, with the ids of the keys that each can read: `key rotate --use` asks them.
create table process (
    holder_user text collate "C" not null,
    holder_host text collate "C" not null,
    holder_pid bigint not null,
    holder_start text collate "C" not null,
    ring text collate "C" not null,
    keys text collate "C" not null,
    seen_at bigint not null,
    primary key (holder_host, holder_pid, holder_start)
);
