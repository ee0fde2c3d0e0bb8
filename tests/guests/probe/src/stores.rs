//! Probes of variables and of key-value stores (`store` names one, `default` if it is missing).

use spin_sdk::key_value::Store;
use spin_sdk::variables;

use crate::{Outcome, Query, text};

/// `name`: a variable's value.
pub(crate) async fn variable(query: &Query) -> Outcome {
    variables::get(query.get("name")?).await.map_err(text)
}

async fn store(query: &Query) -> Result<Store, String> {
    Store::open(query.get_or("store", "default")).await.map_err(text)
}

/// `key`, `value`: write.
pub(crate) async fn set(query: &Query) -> Outcome {
    let store = store(query).await?;
    store.set(query.get("key")?, query.get("value")?).await.map_err(text)?;
    Ok("set".to_owned())
}

/// `key`: read; `none` if it is not there.
pub(crate) async fn get(query: &Query) -> Outcome {
    let value = store(query).await?.get(query.get("key")?).await.map_err(text)?;
    Ok(match value {
        Some(value) => format!("some {}", String::from_utf8_lossy(&value)),
        None => "none".to_owned(),
    })
}

/// `key`: delete.
pub(crate) async fn delete(query: &Query) -> Outcome {
    store(query).await?.delete(query.get("key")?).await.map_err(text)?;
    Ok("deleted".to_owned())
}

/// All keys, sorted, with commas between.
pub(crate) async fn list(query: &Query) -> Outcome {
    let mut keys = store(query).await?.get_keys().await.collect().await.map_err(text)?;
    keys.sort_unstable();
    Ok(keys.join(","))
}
