-- Ten invented patients, loaded only on request and only into empty tables. Each comes with the
-- event that its creation through the API would have left in the outbox.

WITH demo (id, name, email, address, date_of_birth, registered_date) AS (
    VALUES
    ('123e4567-e89b-12d3-a456-426614174000'::uuid, 'John Doe', 'john.doe@example.com',
     '123 Main St, Springfield', '1985-06-15'::date, '2024-01-10'::date),
    ('123e4567-e89b-12d3-a456-426614174001', 'Jane Smith', 'jane.smith@example.com',
     '456 Elm St, Shelbyville', '1990-09-23', '2023-12-01'),
    ('123e4567-e89b-12d3-a456-426614174002', 'Alice Johnson', 'alice.johnson@example.com',
     '789 Oak St, Capital City', '1978-03-12', '2022-06-20'),
    ('123e4567-e89b-12d3-a456-426614174003', 'Bob Brown', 'bob.brown@example.com',
     '321 Pine St, Springfield', '1982-11-30', '2023-05-14'),
    ('123e4567-e89b-12d3-a456-426614174004', 'Emily Davis', 'emily.davis@example.com',
     '654 Maple St, Shelbyville', '1995-02-05', '2024-03-01'),
    ('123e4567-e89b-12d3-a456-426614174005', 'Michael Green', 'michael.green@example.com',
     '987 Cedar St, Springfield', '1988-07-25', '2024-02-15'),
    ('123e4567-e89b-12d3-a456-426614174006', 'Sarah Taylor', 'sarah.taylor@example.com',
     '123 Birch St, Shelbyville', '1992-04-18', '2023-08-25'),
    ('123e4567-e89b-12d3-a456-426614174007', 'David Wilson', 'david.wilson@example.com',
     '456 Ash St, Capital City', '1975-01-11', '2022-10-10'),
    ('123e4567-e89b-12d3-a456-426614174008', 'Laura White', 'laura.white@example.com',
     '789 Palm St, Springfield', '1989-09-02', '2024-04-20'),
    ('123e4567-e89b-12d3-a456-426614174009', 'James Harris', 'james.harris@example.com',
     '321 Cherry St, Shelbyville', '1993-11-15', '2023-06-30')
),
loaded AS (
    INSERT INTO patients (id, name, name_key, email, address, date_of_birth, registered_date)
    SELECT id, name, lower(name), email, address, date_of_birth, registered_date FROM demo
    RETURNING *
)
INSERT INTO outbox (aggregate_id, aggregate_version, type, payload)
SELECT id, version, 'PATIENT_CREATED', jsonb_build_object(
    'id', id, 'name', name, 'email', email, 'address', address,
    'dateOfBirth', date_of_birth, 'registeredDate', registered_date)
FROM loaded ORDER BY id;
