-- A statement that inserts no event woke the relay as well: that of a refused request. Equal
-- notifications of one transaction are one, however many rows it inserts.
DROP TRIGGER outbox_notify ON outbox;
CREATE TRIGGER outbox_notify AFTER INSERT ON outbox
    FOR EACH ROW EXECUTE FUNCTION outbox_notify();
