//! What goes to standard output, and how a command fails.

use std::io::{self, Write};

use serde_json::Value;

use crate::{config::ConfigError, data::DataError, prompts::PromptError};

/// Why a command came to nothing: a message that says what to do, and an exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    /// 2 where what was typed or configured is wrong, 1 where the machine is.
    pub(crate) status: u8,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 2,
        }
    }

    pub(crate) fn machine(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 1,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let message = error.to_string();
        match error {
            DataError::None(_) => Self::usage(message),
            DataError::Keys(_) | DataError::Store(_) => Self::machine(message),
        }
    }
}

impl From<conclave_store::StoreError> for Failure {
    fn from(error: conclave_store::StoreError) -> Self {
        Self::machine(error.to_string())
    }
}

/// Prints a line. A closed pipe (`| head`) is no failure.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::machine(format!(
            "cannot write to standard output: {error}"
        ))),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&value.to_string())
}
