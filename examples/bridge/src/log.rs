//! The log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::{
    EnvFilter,
    filter::{FilterExt, FilterFn, Targets},
    prelude::*,
};

use crate::telemetry::Telemetry;

/// From here on `RUST_LOG` says what is logged, and the configuration what is traced: neither takes from the other.
pub(crate) fn start(telemetry: Option<&Telemetry>) {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let (filter, wrong) = match EnvFilter::try_new(&wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let is_line = FilterFn::new(|metadata| metadata.is_event());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter(is_line.and(quiet_stack()).and(filter));
    tracing_subscriber::registry()
        .with(lines)
        .with(telemetry.map(Telemetry::layer))
        .init();
    if let Some(error) = wrong {
        tracing::warn!("RUST_LOG is not understood, so the level is info: {error}");
    }
}

/// Whatever `RUST_LOG` says, the SIP stack's own log of whole messages stays out: they carry credentials and digits.
fn quiet_stack() -> Targets {
    format!("trace,{}", conclave_sip::QUIET_STACK)
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(tracing::Level::WARN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn the_stack_is_quiet_and_nothing_else_is() {
        let targets = quiet_stack();
        assert!(targets.would_enable("rsipstack::transaction::endpoint", &Level::WARN));
        assert!(!targets.would_enable("rsipstack::transaction::endpoint", &Level::INFO));
        assert!(targets.would_enable("conclave_bridge::shell", &Level::TRACE));
    }
}
