//! A settings directory for one test.

use std::path::PathBuf;

use tandem::settings::{Problems, Reading, Settings, load_with};

/// A directory with a settings file and object files; gone with the test.
pub(crate) struct Files {
    dir: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// 32 bytes.
pub(crate) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A tenant that is right.
pub(crate) const TENANT: &str = "[tenants.acme.org]\n\
    flow = \"client_credentials\"\n\
    login_url = \"https://acme.my.salesforce.com\"\n\
    client_id = \"consumer\"\n\
    client_secret_file = \"secret\"\n";

/// An object file that is right.
pub(crate) const COMPANY: &str = "object = \"company\"\nsalesforce = \"Account\"\n[fields]\nname = \"Name\"\n";

impl Files {
    /// With this settings text, the object file [`COMPANY`], a key and a client secret.
    pub(crate) fn new(settings: &str) -> Self {
        let files = Self {
            dir: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
        };
        files
            .with("tandem.toml", settings)
            .with("objects/company.toml", COMPANY)
            .with("secret", "s3cret\n")
            .variable("TANDEM_SECRETS__REGIONAL_KEY", KEY)
    }

    /// With one more file.
    pub(crate) fn with(self, name: &str, text: &str) -> Self {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// With one more environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without an environment.
    pub(crate) fn bare(mut self) -> Self {
        self.environment.clear();
        self
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("tandem.toml")
    }

    pub(crate) fn load(&self) -> Result<Settings, Problems> {
        load_with(&self.path(), &self.environment, Reading::Full)
    }

    /// All problems as lines, without the directory's name.
    pub(crate) fn problems(&self) -> Vec<String> {
        let problems = match self.load() {
            Ok(_) => return Vec::new(),
            Err(problems) => problems,
        };
        let dir = format!("{}/", self.dir.path().display());
        problems
            .0
            .iter()
            .map(|problem| problem.to_string().replace(&dir, ""))
            .collect()
    }
}
