//! `cargo xtask fuzz-api [SERVICE…]`: builds the application, then has `ward-fuzz-api` (in
//! `tests/`) try its APIs with requests made up from their documents.

use crate::attack;

/// Tries the named services, or all; arguments go to `ward-fuzz-api`.
pub(crate) fn fuzz_api(arguments: &[String]) -> Result<(), String> {
    attack::built("ward-fuzz-api", arguments)
}
