-- Signing in by browser. Of what browsers and people hold, only hashes are kept.

-- States of logins that have come back: each is good once. Those that never come back leave nothing here.
create table login_state (
    state_hash text collate "C" primary key,
    expires_at bigint not null
);
create index login_state_expires on login_state (expires_at);

create table session (
    id_hash text collate "C" primary key,
    integration_id text collate "C" not null,
    app_id text collate "C" not null,
    open_id text collate "C" not null,
    name text collate "C" not null,
    -- The newest generation of the cookie that has come back, and since when.
    generation bigint not null,
    rotated_at bigint not null,
    signed_in_at bigint not null,
    expires_at bigint not null
);
create index session_expires on session (expires_at);
create index session_integration on session (integration_id);

create table invitation (
    id_hash text collate "C" primary key,
    integration_id text collate "C" not null,
    member_id text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint
);
create index invitation_expires on invitation (expires_at);
create index invitation_member on invitation (integration_id, member_id);

-- Whose phone an account has.
create index member_phone on member (phone) where phone is not null;
