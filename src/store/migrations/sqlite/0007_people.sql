-- Who may do what: by OS user@host; '*' is everybody who is not listed. An empty table: everybody is admin.
create table role (
    who text primary key,
    role text not null,
    set_by text not null,
    set_at integer not null
) without rowid;

-- Who a process is where roles are assigned, what it is (console, gateway, …) and since when.
alter table process add column identity text not null default '';
alter table process add column what text not null default '';
alter table process add column since_at integer;
