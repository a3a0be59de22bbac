-- The rows of the call ledger, which are in a file of their own beside a SQLite store.
-- Text sorts by bytes: keys are locked in one order, and a report reads a range of them.
create table permit_app (
  app text collate "C" primary key,
  tenant text collate "C" not null
);
-- Rewritten with every permit: room in the page keeps the new version beside the old one, and the ring in it.
create table permit_bucket (
  key text collate "C" primary key,
  state bytea not null,
  touched_us bigint not null
) with (fillfactor = 40);
alter table permit_bucket alter column state set storage main;
create table permit_day (
  app text collate "C" not null,
  day bigint not null,
  endpoint text collate "C" not null,
  feature text collate "C" not null,
  counted bigint not null,
  exempt bigint not null,
  failed bigint not null,
  unknown bigint not null,
  primary key (app, day, endpoint, feature)
) with (fillfactor = 60);
create table permit_minute (
  app text collate "C" not null,
  minute bigint not null,
  calls bigint not null,
  primary key (app, minute)
) with (fillfactor = 60);
create table permit_month (
  app text collate "C" not null,
  month_day bigint not null,
  base bigint not null,
  is_official bigint not null,
  is_closed bigint not null,
  primary key (app, month_day)
);
-- The run of the database's clock. Not logged: after a crash or on a promoted standby it is empty, and that is
-- another run.
create unlogged table permit_clock (
  id bigint primary key check (id = 1),
  tag bigint not null
);
