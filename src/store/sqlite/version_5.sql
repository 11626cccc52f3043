-- What an update said when it was answered, as SHA-256; answers before this version do not say.
ALTER TABLE updates ADD COLUMN digest BLOB CHECK (digest IS NULL OR length(digest) = 32);
