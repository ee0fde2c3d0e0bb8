INSERT INTO things (name) VALUES ('tea'), ('sugar');
