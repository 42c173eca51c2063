-- Device ids that are bound to a module are told to all stations, so that each knows them without the network.

ALTER TABLE line.state ADD COLUMN bindings bigint NOT NULL DEFAULT 0;
-- Counts the bindings, in the order of their commits.
ALTER TABLE line.device ADD COLUMN change bigint;
WITH numbered AS (
    SELECT product, id, row_number() OVER (ORDER BY product, id) AS change
    FROM line.device WHERE imei IS NOT NULL)
UPDATE line.device d SET change = n.change FROM numbered n WHERE (d.product, d.id) = (n.product, n.id);
UPDATE line.state SET bindings = (SELECT count(*) FROM line.device WHERE imei IS NOT NULL);
CREATE INDEX device_change ON line.device (product, change) WHERE change IS NOT NULL;
