-- Accounts of the invented patients, and of one who was deleted long ago, loaded only on request and
-- only into empty tables: they are there before any event has come. John Doe has paid part of what he owes, Jane Smith had a
-- charge undone, Alice Johnson owes nothing yet. Each comes with the events that the API would have left in the outbox.

INSERT INTO accounts (id, patient_id, status, currency, balance, version) VALUES
    ('b1111111-0000-4000-8000-000000000000', '123e4567-e89b-12d3-a456-426614174000',
     'ACTIVE', 'EUR', 7550, 3),
    ('b1111111-0000-4000-8000-000000000001', '123e4567-e89b-12d3-a456-426614174001',
     'ACTIVE', 'EUR', 0, 3),
    ('b1111111-0000-4000-8000-000000000002', '123e4567-e89b-12d3-a456-426614174002',
     'ACTIVE', 'EUR', 0, 1),
    ('b1111111-0000-4000-8000-000000000013', '123e4567-e89b-12d3-a456-426614174003',
     'ACTIVE', 'EUR', 0, 1),
    ('b1111111-0000-4000-8000-000000000014', '123e4567-e89b-12d3-a456-426614174004',
     'ACTIVE', 'EUR', 0, 1),
    ('b1111111-0000-4000-8000-000000000015', '123e4567-e89b-12d3-a456-426614174005',
     'ACTIVE', 'EUR', 0, 1),
    ('b1111111-0000-4000-8000-000000000016', '123e4567-e89b-12d3-a456-426614174006',
     'ACTIVE', 'EUR', 0, 1),
    ('b1111111-0000-4000-8000-000000000017', '123e4567-e89b-12d3-a456-426614174007',
     'ACTIVE', 'EUR', 0, 1),
    ('b1111111-0000-4000-8000-000000000018', '123e4567-e89b-12d3-a456-426614174008',
     'ACTIVE', 'EUR', 0, 1),
    ('b1111111-0000-4000-8000-000000000019', '123e4567-e89b-12d3-a456-426614174009',
     'ACTIVE', 'EUR', 0, 1),
    ('b1111111-0000-4000-8000-000000000003', '6f9619ff-8b86-4d11-b42d-00c04fc964ff',
     'CLOSED', 'EUR', 0, 1);

INSERT INTO entries
    (id, account_id, account_version, kind, amount, currency, balance_after, description, reverses)
VALUES
    ('e1111111-0000-4000-8000-000000000000', 'b1111111-0000-4000-8000-000000000000',
     2, 'CHARGE', 12550, 'EUR', 12550, 'Consultation', NULL),
    ('e1111111-0000-4000-8000-000000000001', 'b1111111-0000-4000-8000-000000000000',
     3, 'PAYMENT', -5000, 'EUR', 7550, 'Card payment', NULL),
    ('e1111111-0000-4000-8000-000000000002', 'b1111111-0000-4000-8000-000000000001',
     2, 'CHARGE', 4200, 'EUR', 4200, 'Blood test', NULL),
    ('e1111111-0000-4000-8000-000000000003', 'b1111111-0000-4000-8000-000000000001',
     3, 'REVERSAL', -4200, 'EUR', 0, 'Booked on the wrong account',
     'e1111111-0000-4000-8000-000000000002');

INSERT INTO postings (entry_id, ledger, amount)
SELECT id, 'RECEIVABLE', amount FROM entries
UNION ALL
SELECT id, CASE kind WHEN 'PAYMENT' THEN 'CASH' ELSE 'REVENUE' END, -amount FROM entries;

INSERT INTO outbox (aggregate_id, aggregate_version, type, payload)
SELECT id, 1, CASE status WHEN 'CLOSED' THEN 'ACCOUNT_CLOSED' ELSE 'ACCOUNT_OPENED' END, jsonb_build_object(
    'id', id, 'patientId', patient_id, 'status', status, 'currency', currency, 'balance', 0)
FROM accounts ORDER BY id;

INSERT INTO outbox (aggregate_id, aggregate_version, type, payload)
SELECT a.id, e.account_version,
    CASE e.kind
        WHEN 'CHARGE' THEN 'CHARGE_POSTED'
        WHEN 'PAYMENT' THEN 'PAYMENT_RECORDED'
        ELSE 'ENTRY_VOIDED'
    END,
    jsonb_build_object(
        'id', a.id, 'patientId', a.patient_id, 'status', a.status, 'currency', a.currency,
        'balance', e.balance_after,
        'entry', jsonb_strip_nulls(jsonb_build_object(
            'id', e.id, 'kind', e.kind, 'amount', e.amount, 'reverses', e.reverses)))
FROM entries e JOIN accounts a ON a.id = e.account_id ORDER BY a.id, e.account_version;
