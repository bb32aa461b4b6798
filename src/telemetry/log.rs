//! Setting logs up: JSON for machines, text for people.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For a terminal.
    Text,
}

/// Logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level cannot be read.
    #[error("log level '{0}' is not understood; use error, warn, info, debug or trace, or target=level pairs")]
    Level(String),
    /// Something else logs already.
    #[error("logs were set up twice in one process")]
    Twice,
}

/// Writes logs of this level and above to standard error. Other crates are heard from `warn` on: what they print at
/// lower levels can hold what they were given.
///
/// # Errors
/// When the level cannot be read, or logs are set up already.
pub fn start(format: Format, level: &str) -> Result<(), LogError> {
    let subscriber = subscriber(format, level, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)
}

/// What [`start`] installs, writing elsewhere.
///
/// # Errors
/// When the level cannot be read.
pub fn subscriber<W>(
    format: Format,
    level: &str,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let directives = if level.contains('=') {
        level.to_owned()
    } else {
        format!("warn,tandem={level},tandem_core={level}")
    };
    let filter = EnvFilter::try_new(directives).map_err(|_| LogError::Level(level.to_owned()))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match format {
        Format::Json => Box::new(lines.json().flatten_event(true).finish()),
        Format::Text => Box::new(lines.finish()),
    })
}
