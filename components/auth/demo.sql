-- The user the README logs in with: testuser@test.com, password123. Loaded only by `--demo`, and
-- only into an empty database: a password that is in a repository is no password.
INSERT INTO users (id, email, password_hash, role)
VALUES (
    '223e4567-e89b-12d3-a456-426614174006',
    'testuser@test.com',
    '$argon2id$v=19$m=19456,t=2,p=1$QqiaXQ38BFfOGsIamAlCxQ$US9+t8cr0Iv9lY0lEKtiwa6dJDGx6gvNnhy7B/brgDw',
    'ADMIN'
);
