-- The users the README logs in with, one of each role, all with the password password123. Loaded only
-- by `--demo`, and only into an empty database: a password that is in a repository is no password.
INSERT INTO users (id, email, name, password_hash, role)
SELECT id::uuid, email, name,
    '$argon2id$v=19$m=19456,t=2,p=1$QqiaXQ38BFfOGsIamAlCxQ$US9+t8cr0Iv9lY0lEKtiwa6dJDGx6gvNnhy7B/brgDw',
    role
FROM (VALUES
    ('223e4567-e89b-12d3-a456-426614174006', 'testuser@test.com', 'Test User', 'ADMIN'),
    ('223e4567-e89b-12d3-a456-426614174007', 'doctor@test.com', 'Dora Doctor', 'DOCTOR'),
    ('223e4567-e89b-12d3-a456-426614174008', 'nurse@test.com', 'Nils Nurse', 'NURSE'),
    ('223e4567-e89b-12d3-a456-426614174009', 'receptionist@test.com', 'Rita Reception', 'RECEPTIONIST'),
    ('223e4567-e89b-12d3-a456-42661417400a', 'billing@test.com', 'Bill Billing', 'BILLING'),
    ('223e4567-e89b-12d3-a456-42661417400b', 'auditor@test.com', 'Aude Auditor', 'AUDITOR')
) AS users (id, email, name, role);
