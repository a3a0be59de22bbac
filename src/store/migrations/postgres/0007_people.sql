-- Who may do what: by login; '*' is everybody who is not listed. An empty table: everybody is admin.
create table role (
    who text collate "C" primary key,
    role text collate "C" not null,
    set_by text collate "C" not null,
    set_at bigint not null
);

-- Who a process is where roles are assigned, what it is (console, gateway, …) and since when.
alter table process add column identity text collate "C" not null default '';
alter table process add column what text collate "C" not null default '';
alter table process add column since_at bigint;
