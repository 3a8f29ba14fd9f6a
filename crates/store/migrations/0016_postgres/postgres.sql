-- The consumer of the event log writes hundreds of rows at once. GIN gathers them in a list of up to so many kB and then puts all rows of a
-- lexeme into the index together, at a third of the cost. Until then searches read the list too.

ALTER INDEX search_message_tokens SET (fastupdate = on, gin_pending_list_limit = 1024);
ALTER INDEX search_person_tokens SET (fastupdate = on, gin_pending_list_limit = 1024);
