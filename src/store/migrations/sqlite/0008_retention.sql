-- Messages that were written before this instant are not kept; null: all are.
alter table store_meta add column kept_from integer;

-- At which number the feed stood at some instants: what of it is old.
create table feed_mark (
    seq integer primary key,
    at integer not null
);
