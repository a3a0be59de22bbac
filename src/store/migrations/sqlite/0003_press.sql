-- What was done by pressing a card: each thing once for a card, whoever presses and however often.
create table press (
    integration_id text not null references integration (id) on delete cascade,
    message_id text not null,
    action text not null,
    member_id text not null,
    member_name text not null,
    at integer not null,
    primary key (integration_id, message_id, action)
) without rowid;
