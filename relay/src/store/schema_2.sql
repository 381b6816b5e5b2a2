-- Epoch tickets: who holds an agent's identity, and why it is stopped when two do.
alter table agents add column ticket_newest integer not null default 0;
alter table agents add column ticket_current text;
alter table agents add column ticket_next text;
-- JSON: the machine that was welcomed last.
alter table agents add column holder text;
-- JSON: why the agent is stopped, since when, and the two machines.
alter table agents add column stopped text;
-- Keys that an agent offered and has not used yet, and the fingerprint that it had before its last change of keys.
alter table agents add column next_signing_key text;
alter table agents add column next_sealing_key text;
alter table agents add column former_fingerprint text;
