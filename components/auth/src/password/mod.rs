//! Passwords: argon2id for everybody, and bcrypt until the next login for users who came from
//! elsewhere. Pure functions; whoever calls them holds the database.
//!
//! Checking a password costs about 24 ms of CPU in wasm and 19 MiB of memory. It never waits for
//! anything, so one instance checks one password at a time; how many are checked at once is for
//! the host's limits on instances to say.
//!
//! A password is compared in Unicode's form NFKC (NIST SP 800-63B), in which it is hashed:
//! keyboards differ in the form in which they send an ü, and some have wide letters. Hashes from
//! before may be of NFC, those from elsewhere of what was typed or of NFD, so these are tried as
//! well, and the hash is replaced.
//!
//! A wrong password takes as long as an unknown address, because [`DECOY`] is checked then, as many
//! times. The one exception: a user whose hash is still bcrypt takes as long as bcrypt does, until
//! the first successful login has replaced it.

pub(crate) mod rule;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use kit::text;

/// Memory of one hash in KiB, passes over it, and lanes: OWASP's and ASVS 5.0's second row
/// (t = 2, m >= 19 MiB).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Length of a salt.
const SALT_BYTES: usize = 16;
/// Length of a hash.
const HASH_BYTES: usize = 32;

/// What an imported hash may cost at most. The component has 128 MiB and a deadline; a hash that
/// asks for more can never be checked and counts as a wrong password.
const IMPORTED_MEMORY_KIB_MAX: u32 = 65_536;
const IMPORTED_PASSES_MAX: u32 = 10;
const IMPORTED_LANES_MAX: u32 = 4;
const BCRYPT_COST_MAX: u32 = 14;

/// bcrypt reads 72 bytes, of which a terminating zero is one where it still fits.
const BCRYPT_BYTES_MAX: usize = 72;

/// A hash with today's parameters that no password is known for.
const DECOY: &str = "\
    $argon2id$v=19$m=19456,t=2,p=1$\
    jhp4w/ZZ89LVXdt1BansNA$kC8st/e54/Amh1Gw9+YaCRrOQSPBkVo3N/wTbGjjYy4";

/// What comparing a password with a stored hash says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not the password.
    Wrong,
    /// A hash that cannot be checked: nobody can log in with it.
    Unusable,
    /// The password, and the stored hash is as it should be.
    Right,
    /// The password, and the stored hash should be replaced by a new one.
    RightButOutdated,
}

/// Hashing failed; only a lack of memory, or of randomness, makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password could not be hashed")]
pub(crate) struct HashError;

/// Compares a password with a stored hash, or with a decoy where there is none.
pub(crate) fn verify(password: &str, stored: Option<&str>) -> Verdict {
    let forms = forms(password);
    let any = |verify: &dyn Fn(&str) -> Verdict| {
        let mut found = forms.iter().map(|form| (form, verify(form)));
        let found = found.find(|(_, verdict)| *verdict != Verdict::Wrong);
        match found {
            // The hash of another form than the one that hashes are made of.
            Some((form, Verdict::Right)) if *form != text::compatible(password) => {
                Verdict::RightButOutdated
            }
            Some((_, verdict)) => verdict,
            None => Verdict::Wrong,
        }
    };
    match stored.map(Stored::parse) {
        Some(Some(Stored::Argon2(hash))) => any(&|form| verify_argon2(form, &hash)),
        Some(Some(Stored::Bcrypt(hash))) => any(&|form| verify_bcrypt(form, hash)),
        other => {
            let decoy = PasswordHash::new(DECOY);
            // Whatever comes of it is wrong; the black box keeps the work from being left out.
            std::hint::black_box(decoy.map(|decoy| any(&|form| verify_argon2(form, &decoy))).ok());
            if other.is_some() { Verdict::Unusable } else { Verdict::Wrong }
        }
    }
}

/// The forms of a password that are tried, what was typed first. Most have one.
fn forms(password: &str) -> Vec<String> {
    let mut forms = vec![password.to_owned()];
    let others = [text::compatible(password), text::composed(password), text::decomposed(password)];
    for form in others {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// A new hash of a password, with a salt of its own.
pub(crate) fn new_hash(password: &str) -> Result<String, HashError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|_| HashError)?;
    hash(password, salt)
}

/// A new hash in PHC form, of the password in NFKC. `salt` must be fresh random bytes.
fn hash(password: &str, salt: [u8; SALT_BYTES]) -> Result<String, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(|_| HashError)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| HashError)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(text::compatible(password).as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| HashError)
}

/// A stored hash of a kind that can be checked at a bearable cost.
enum Stored<'a> {
    Argon2(Box<PasswordHash<'a>>),
    Bcrypt(&'a str),
}

impl<'a> Stored<'a> {
    fn parse(stored: &'a str) -> Option<Self> {
        if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| stored.starts_with(prefix)) {
            let cost = stored.parse::<bcrypt::HashParts>().ok()?.get_cost();
            return (cost <= BCRYPT_COST_MAX).then_some(Self::Bcrypt(stored));
        }
        let hash = PasswordHash::new(stored).ok()?;
        Algorithm::try_from(hash.algorithm).ok()?;
        let params = Params::try_from(&hash).ok().filter(|_| hash.hash.is_some())?;
        let bearable = params.m_cost() <= IMPORTED_MEMORY_KIB_MAX
            && params.t_cost() <= IMPORTED_PASSES_MAX
            && params.p_cost() <= IMPORTED_LANES_MAX;
        bearable.then(|| Self::Argon2(Box::new(hash)))
    }
}

fn verify_argon2(password: &str, hash: &PasswordHash<'_>) -> Verdict {
    match Argon2::default().verify_password(password.as_bytes(), hash) {
        Err(_) => Verdict::Wrong,
        Ok(()) if is_current(hash) => Verdict::Right,
        Ok(()) => Verdict::RightButOutdated,
    }
}

/// Whether a hash is what [`hash`] would make today.
fn is_current(hash: &PasswordHash<'_>) -> bool {
    let id = Algorithm::try_from(hash.algorithm) == Ok(Algorithm::Argon2id);
    let version = hash.version == Some(Version::V0x13.into());
    let params = Params::try_from(hash).is_ok_and(|params| {
        (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
    });
    let length = hash.hash.is_some_and(|output| output.len() == HASH_BYTES);
    id && version && params && length
}

/// bcrypt ignores what is past its 72 bytes and takes `x` and `x\0x` for the same password. The
/// first cannot be told from the right password, so such a user logs in but keeps the old hash:
/// a new one would fix whatever happened to be past the limit this time.
fn verify_bcrypt(password: &str, hash: &str) -> Verdict {
    let matches = !password.contains('\0') && bcrypt::verify(password, hash).unwrap_or(false);
    match matches {
        false => Verdict::Wrong,
        true if password.len() < BCRYPT_BYTES_MAX => Verdict::RightButOutdated,
        true => Verdict::Right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse battery staple";

    fn argon2_with(algorithm: Algorithm, memory: u32, passes: u32, length: usize) -> String {
        let params = Params::new(memory, passes, 1, Some(length)).unwrap();
        let salt = SaltString::encode_b64(&[7; SALT_BYTES]).unwrap();
        Argon2::new(algorithm, Version::V0x13, params)
            .hash_password(PASSWORD.as_bytes(), &salt)
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_new_hash_is_current_and_salted() {
        let first = hash(PASSWORD, [1; SALT_BYTES]).unwrap();
        let second = hash(PASSWORD, [2; SALT_BYTES]).unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
        assert_eq!(verify(PASSWORD, Some(&first)), Verdict::Right);
        for wrong in ["", "correct horse battery stapl", "correct horse battery staple "] {
            assert_eq!(verify(wrong, Some(&first)), Verdict::Wrong);
        }
    }

    #[test]
    fn other_argon2_hashes_are_replaced() {
        for (algorithm, memory, passes, length) in [
            (Algorithm::Argon2id, 4096, 3, 32),
            (Algorithm::Argon2id, MEMORY_KIB, 3, 32),
            (Algorithm::Argon2id, MEMORY_KIB, PASSES, 16),
            (Algorithm::Argon2i, MEMORY_KIB, PASSES, 32),
        ] {
            let stored = argon2_with(algorithm, memory, passes, length);
            assert_eq!(verify(PASSWORD, Some(&stored)), Verdict::RightButOutdated, "{stored}");
            assert_eq!(verify("wrong", Some(&stored)), Verdict::Wrong, "{stored}");
        }
    }

    #[test]
    fn bcrypt_hashes_of_imported_users() {
        let parts = bcrypt::hash_with_salt(PASSWORD, 4, [9; 16]).unwrap();
        for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
            let stored = parts.format_for_version(version);
            assert_eq!(verify(PASSWORD, Some(&stored)), Verdict::RightButOutdated, "{stored}");
            assert_eq!(verify("wrong", Some(&stored)), Verdict::Wrong, "{stored}");
        }
        // Made by another implementation (htpasswd's form), for the password "password123".
        let foreign = "$2b$05$VI7DL4dePugcD.vd4DyrZ.Fr.uTTA1.dksUkbeJPjtqJDnCVAhcEa";
        assert_eq!(verify("password123", Some(foreign)), Verdict::RightButOutdated);
    }

    #[test]
    fn the_limits_of_bcrypt_are_not_made_permanent() {
        for (length, expected) in [
            (71, Verdict::RightButOutdated),
            (72, Verdict::Right),
            (73, Verdict::Right),
            (200, Verdict::Right),
        ] {
            let password = "p".repeat(length);
            let stored = bcrypt::hash_with_salt(&password, 4, [9; 16]).unwrap().to_string();
            assert_eq!(verify(&password, Some(&stored)), expected, "{length} bytes");
        }
        let stored = bcrypt::hash_with_salt("x", 4, [9; 16]).unwrap().to_string();
        assert_eq!(verify("x\0x", Some(&stored)), Verdict::Wrong);
    }

    #[test]
    fn hashes_that_cannot_be_checked_are_wrong_passwords() {
        let dear = "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0$";
        let tail = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for stored in [
            "",
            "password123",
            "$1$abc$def",
            "$2x$04$abcdefghijklmnopqrstuv",
            "$2b$31$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
            "$2b$04$short",
            "$argon2id$",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0",
            "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            &format!("{dear}{tail}"),
        ] {
            assert_eq!(verify("password123", Some(stored)), Verdict::Unusable, "{stored}");
        }
    }

    #[test]
    fn a_password_is_the_same_from_every_keyboard() {
        let (composed, decomposed) = ("p\u{e4}ssw\u{f6}rd", "pa\u{308}sswo\u{308}rd");
        let new = hash(decomposed, [1; SALT_BYTES]).unwrap();
        for form in [composed, decomposed, "pa\u{308}ssw\u{f6}rd"] {
            assert_eq!(verify(form, Some(&new)), Verdict::Right, "{form:?}");
        }
        assert_eq!(verify("password", Some(&new)), Verdict::Wrong);
        let wide = "\u{ff50}\u{e4}ssw\u{f6}rd";
        assert_eq!(verify(wide, Some(&new)), Verdict::Right);
        // As it came, whatever that was, by programs that do not normalise.
        let salt = SaltString::encode_b64(&[7; SALT_BYTES]).unwrap();
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let old = argon2.hash_password(decomposed.as_bytes(), &salt).unwrap().to_string();
        for form in [composed, decomposed] {
            assert_eq!(verify(form, Some(&old)), Verdict::RightButOutdated, "{form:?}");
        }
        // Composed, as it was hashed here before.
        let salt = SaltString::encode_b64(&[7; SALT_BYTES]).unwrap();
        let old = argon2.hash_password(wide.as_bytes(), &salt).unwrap().to_string();
        assert_eq!(verify(wide, Some(&old)), Verdict::RightButOutdated);
    }

    #[test]
    fn a_password_has_few_forms() {
        assert_eq!(forms("password"), ["password"]);
        assert_eq!(forms("\u{e4}"), ["\u{e4}", "a\u{308}"]);
        assert_eq!(forms("a\u{308}"), ["a\u{308}", "\u{e4}"]);
        assert_eq!(forms("a\u{308}\u{e4}").len(), 3);
        assert_eq!(forms("\u{ff41}o\u{308}\u{e4}").len(), 4);
    }

    /// The decoy must cost what a real hash costs, which its parameters decide.
    #[test]
    fn the_decoy_is_current_and_matches_nothing() {
        let decoy = PasswordHash::new(DECOY).unwrap();
        assert!(is_current(&decoy));
        for password in ["", "password", "password123", PASSWORD] {
            assert_eq!(verify(password, None), Verdict::Wrong);
        }
    }

    #[test]
    fn the_demo_user_can_log_in_with_the_password_the_readme_gives() {
        let demo = include_str!("../../demo.sql");
        let stored = demo.split('\'').find(|text| text.starts_with("$argon2id$")).unwrap();
        assert_eq!(verify("password123", Some(stored)), Verdict::Right);
    }
}
