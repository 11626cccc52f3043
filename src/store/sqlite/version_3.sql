-- What earlier holders said, as a JSON array: for the team that a message goes to, not for those who listen to events.
ALTER TABLE facts ADD COLUMN packet BLOB;
