-- What the team that a fact is addressed to holds after it: seats in use and the effort in them. Facts before this version
-- do not say.
ALTER TABLE facts ADD COLUMN used INTEGER;
ALTER TABLE facts ADD COLUMN used_minutes INTEGER;
-- The fact with which a conflict was declared; absent for those before this version.
ALTER TABLE conflicts ADD COLUMN seq INTEGER;
