-- fixed, temporary or none; null: the source of the roster does not say.
alter table member add column licence text;
