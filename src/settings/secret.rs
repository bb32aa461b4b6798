//! Secrets come from files or the environment; one written into the settings file is refused with the remedy.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::problem::Place;
use super::reader::{Section, as_text};

/// Largest secret file, in bytes: an RSA key of 16,384 bits in PEM has 13 KiB.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Whether secret files and variables are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// They are: the engine starts only with all its secrets.
    Full,
    /// They are not: for checks on machines that must not hold them.
    WithoutSecrets,
}

/// Where a secret was found to come from.
pub(super) struct Asked<'a> {
    /// Key under which it would stand in the file, where it is refused.
    pub(super) inline: &'static str,
    /// Key that names a file.
    pub(super) file: &'static str,
    /// Key that names an environment variable, if there is such a key.
    pub(super) variable: Option<&'static str>,
    /// What it is, for people.
    pub(super) what: &'a str,
}

/// What secrets are read with.
pub(super) struct Vault<'a> {
    pub(super) reading: Reading,
    /// Paths in the settings are relative to this directory.
    pub(super) base: &'a Path,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Vault<'_> {
    /// Finds one secret. `None` after a problem was noted, or where it is absent and not `required`.
    pub(super) fn secret(&self, section: &mut Section<'_>, asked: &Asked<'_>, required: bool) -> Option<SecretString> {
        let inline = section.node(asked.inline, None);
        let file = section.optional(asked.file, |_| Ok(()));
        let variable = asked.variable.and_then(|key| section.optional(key, |_| Ok(())));
        if let Some(node) = inline {
            if !node.is_environment() {
                section.wrong_secret(asked.inline, &node.place, self.remedy(asked));
                return None;
            }
            return as_text(node).map(|text| SecretString::from(text.to_owned()));
        }
        if file.is_some()
            && let (Some(_), Some(key)) = (&variable, asked.variable)
        {
            let place = section.place.clone();
            section.wrong_secret(asked.file, &place, format!("stands beside {key}: keep one of the two"));
            return None;
        }
        if self.reading == Reading::WithoutSecrets && (file.is_some() || variable.is_some()) {
            return Some(SecretString::from(String::new()));
        }
        if let Some(path) = file {
            let place = section
                .node(asked.file, None)
                .map_or_else(|| section.place.clone(), |node| node.place.clone());
            return self.open(section, asked.file, &place, &path);
        }
        if let (Some(name), Some(key)) = (variable, asked.variable) {
            let found = (self.environment)(&name).filter(|text| !text.is_empty());
            if found.is_none() {
                let place = section
                    .node(key, None)
                    .map_or_else(|| section.place.clone(), |node| node.place.clone());
                section.wrong_secret(
                    key,
                    &place,
                    format!("names {name}, which is not set in the environment"),
                );
            }
            return found.map(SecretString::from);
        }
        if required && self.reading == Reading::Full {
            section.missing(asked.file, &self.remedy(asked));
        }
        None
    }

    /// Reads a secret file; blanks around the secret are no part of it.
    pub(super) fn open(&self, section: &Section<'_>, key: &str, place: &Place, path: &str) -> Option<SecretString> {
        let path = self.path(path);
        let text = std::fs::metadata(&path).and_then(|about| {
            if about.len() > SECRET_BYTES_MAX {
                return Err(std::io::Error::other(format!(
                    "it has more than {SECRET_BYTES_MAX} bytes"
                )));
            }
            std::fs::read_to_string(&path)
        });
        match text {
            Ok(text) if !text.trim().is_empty() => Some(SecretString::from(text.trim().to_owned())),
            Ok(_) => {
                section.wrong_secret(key, place, format!("names {}, which is empty", path.display()));
                None
            }
            Err(why) => {
                section.wrong_secret(
                    key,
                    place,
                    format!("names {}, which cannot be read: {why}", path.display()),
                );
                None
            }
        }
    }

    /// A path of the settings, relative to the settings file.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    fn remedy(&self, asked: &Asked<'_>) -> String {
        let variable = asked.variable.map_or_else(String::new, |key| {
            format!(", or name an environment variable with {key} = \"…\"")
        });
        format!(
            "{} never stands in the settings: put it into a file and name that with {} = \"…\"{variable}",
            asked.what, asked.file
        )
    }
}

/// A 32-byte key in base64.
pub(super) fn key_of(text: &SecretString) -> Option<SecretBox<[u8; 32]>> {
    let mut bytes = base64::engine::general_purpose::STANDARD
        .decode(text.expose_secret())
        .ok()?;
    let key = <[u8; 32]>::try_from(bytes.as_slice()).ok();
    zeroize::Zeroize::zeroize(&mut bytes);
    key.map(|key| SecretBox::new(Box::new(key)))
}
