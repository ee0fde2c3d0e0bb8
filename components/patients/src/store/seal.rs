//! The key of links to next pages, read once in an instance's life.

use std::cell::RefCell;
use std::rc::Rc;

use kit::database::{Database, Fault, Row};
use kit::seal::Seal;

thread_local! {
    static LAST: RefCell<Option<Rc<Seal>>> = const { RefCell::new(None) };
}

/// What positions are sealed with.
pub(crate) async fn seal(database: &Database) -> Result<Rc<Seal>, Fault> {
    if let Some(seal) = LAST.with_borrow(Option::clone) {
        return Ok(seal);
    }
    let mut rows = key(database).await?;
    // Of two who make the first key one does, and the other has looked before that was there.
    if rows.is_empty() {
        rows = key(database).await?;
    }
    let key: Option<Vec<u8>> = rows.first().map(|row| row.get(0)).transpose()?;
    let seal = key.and_then(|key| Seal::new(&key)).map(Rc::new);
    let seal = seal.ok_or_else(|| Fault::Other("page-key".to_owned()))?;
    LAST.set(Some(Rc::clone(&seal)));
    Ok(seal)
}

async fn key(database: &Database) -> Result<Vec<Row>, Fault> {
    database.query(include_str!("seal.sql"), Vec::new()).await
}
