-- Which threads of a chat were active lately is asked for each room after a gap: without the rows themselves.
create index message_chat_thread on message (chat_id, created_at, thread_id) where thread_id is not null;
