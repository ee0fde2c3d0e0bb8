//! `cargo xtask sqlmap [PLACE…]`: builds the application, then has `ward-sqlmap` (in `tests/`) look
//! for a way to have it run a client's SQL.

use crate::attack;

/// Tries the named places, or all; arguments go to `ward-sqlmap`.
pub(crate) fn sqlmap(arguments: &[String]) -> Result<(), String> {
    attack::built("ward-sqlmap", arguments)
}
