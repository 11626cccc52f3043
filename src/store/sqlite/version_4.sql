-- What the team of a fact holds after it, where that may have changed: seats in use and the effort in them. Facts before
-- this version do not say.
ALTER TABLE facts ADD COLUMN used INTEGER;
ALTER TABLE facts ADD COLUMN used_minutes INTEGER;
-- The fact with which a conflict was declared; absent for those before this version.
ALTER TABLE conflicts ADD COLUMN seq INTEGER;

-- Both a team's messages and what it holds are found by the team; a seat may be kept for it without a message.
DROP INDEX messages_by_team;
CREATE INDEX facts_by_team ON facts (team) WHERE addressed IS NOT NULL OR used IS NOT NULL;
