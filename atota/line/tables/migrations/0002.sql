-- Faster: records and figures.

-- A record is written under the lock of its journal's row, so its journal is there; and journals stay.
ALTER TABLE line.record DROP CONSTRAINT record_journal_fkey;
CREATE TRIGGER journal_guard BEFORE DELETE ON line.journal FOR EACH ROW EXECUTE FUNCTION line.refuse();

-- A figure of a batch reads its index alone where the table's pages are known to be visible to all. By default
-- that is found out after a fifth of the table is new: here after a day of a hundred stations.
ALTER TABLE line.record SET (
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);
