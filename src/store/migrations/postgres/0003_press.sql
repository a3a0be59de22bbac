-- What was done by pressing a card: each thing once for a card, whoever presses and however often.
create table press (
    integration_id text collate "C" not null references integration (id) on delete cascade,
    message_id text collate "C" not null,
    action text collate "C" not null,
    member_id text collate "C" not null,
    member_name text collate "C" not null,
    at bigint not null,
    primary key (integration_id, message_id, action)
);
