-- Messages that were written before this instant are not kept; null: all are.
alter table store_meta add column kept_from bigint;

-- At which number the feed stood at some instants: what of it is old.
create table feed_mark (
    seq bigint primary key,
    at bigint not null
);
