-- E-mail addresses that need not be there and that several patients may have, where the application
-- says so (the variable patient_email). Such an address is in a column of its own, which no unique
-- index is about; email is NULL then. What is in email is unique, as ever and for all versions of
-- the component, and the index they name stays as it is. Wards of the previous version cannot show
-- patients without email: the variable is for when they are gone.
ALTER TABLE patients
    ALTER COLUMN email DROP NOT NULL,
    ADD COLUMN shared_email text CHECK (char_length(shared_email) BETWEEN 3 AND 254),
    ADD CONSTRAINT patients_one_email CHECK (email IS NULL OR shared_email IS NULL);

CREATE INDEX patients_by_shared_email ON patients (lower(shared_email COLLATE "C"))
    WHERE deleted_at IS NULL AND shared_email IS NOT NULL;

-- By which a new patient is known as one who was deleted: the address, or name and date of birth.
CREATE INDEX patients_gone_by_email ON patients (lower(email COLLATE "C"))
    WHERE deleted_at IS NOT NULL;
CREATE INDEX patients_gone_by_name ON patients (search_key, date_of_birth)
    WHERE deleted_at IS NOT NULL;
