//! The keys of the data directory, as a running bridge holds them: a rotation beside it is seen within a second.

use std::sync::{Arc, Mutex, PoisonError};

use conclave_store::{Keys, KeysFile};
use tracing::{error, info};

pub(crate) struct Keyring(Mutex<Inner>);

struct Inner {
    file: KeysFile,
    keys: Arc<Keys>,
}

impl Keyring {
    pub(crate) fn new(file: KeysFile) -> Self {
        let keys = Arc::new(file.keys().clone());
        Self(Mutex::new(Inner { file, keys }))
    }

    pub(crate) fn current(&self) -> Arc<Keys> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&inner.keys)
    }

    /// Looks whether the file was replaced. Where it can't be read the keys stay as they were.
    pub(crate) fn refresh(&self) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.file.changed() {
            return;
        }
        match inner.file.reload() {
            Ok(keys) => {
                let keys = Arc::new(keys.clone());
                info!(
                    pin_key = keys.current_pin_key_id(),
                    "the keys were replaced"
                );
                inner.keys = keys;
            }
            Err(problem) => {
                error!("the keys can't be read again, the old ones stay in use: {problem}")
            }
        }
    }
}
