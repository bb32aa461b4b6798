//! What the simulated org itself can do: how fast it starts, takes and gives rows, and what a row costs in memory.

use std::sync::Arc;
use std::time::Instant;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value as Json, json};

use crate::cli::OrgsimSpeed;
use crate::error::LoadError;
use crate::figures::{Bound, Figures, percentile};
use crate::report::say;
use crate::stack::{Binaries, Orgs, OrgsPlan, Scratch, Warden};
use crate::usage::{cpu_seconds, resident_mib};

/// Rows of a full call.
const ROWS: u32 = 200;
/// Starts that are timed.
const STARTS: usize = 11;
/// Bounds: milliseconds from the command to its line; rows a second of processor time through Collections, written one
/// way or another; MiB of memory with a million records.
const START_MS: f64 = 100.0;
const ROWS_PER_S: f64 = 30_000.0;
const MEMORY_MIB: f64 = 1_536.0;
/// The records that the bound on memory speaks of.
const MILLION: u32 = 1_000_000;

/// Runs the scenario.
///
/// # Errors
/// When the run could not be made.
pub async fn run(wanted: &OrgsimSpeed) -> Result<Figures, LoadError> {
    let binaries = Binaries::find(wanted.programs.bin_dir.as_deref(), wanted.programs.build, false).await?;
    let scratch = Scratch::new(wanted.programs.keep.as_deref())?;
    let warden = Arc::new(Warden::start()?);
    let names = ["bench".to_owned()];
    let plan = OrgsPlan {
        program: &binaries.orgsim,
        dir: scratch.path(),
        names: &names,
        seed: 1,
        fence: true,
    };
    let mut figures = Figures::default();
    figures.note("object", "Contact with change events, fence and histories");

    say("starting");
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let orgs = Orgs::start(&plan, &warden).await?;
        starts.push(began.elapsed().as_secs_f64() * 1_000.0);
        drop(orgs);
    }
    starts.sort_by(f64::total_cmp);
    figures.measure("start_ms", percentile(&starts, 50.0), 1, Bound::Below(START_MS));

    let orgs = Orgs::start(&plan, &warden).await?;
    let empty = resident_mib(orgs.pid())?;
    let caller = Caller::new(&orgs, wanted)?;
    figures.count("records", u64::from(wanted.records), None);
    for (verb, name, seq) in [
        (Verb::Create, "create_rows_per_core_s", 1),
        (Verb::Upsert, "upsert_rows_per_core_s", 2),
    ] {
        say(&format!("{name}: {} records", wanted.records));
        let speed = caller.all(verb, seq).await?;
        figures.measure(name, speed, 0, Bound::AtLeast(ROWS_PER_S));
        if verb == Verb::Create {
            let used = resident_mib(orgs.pid())?;
            let bound = (wanted.records <= MILLION).then_some(Bound::Below(MEMORY_MIB));
            figures.measure("rss_mib", used, 0, bound);
            let bytes = (used - empty) * 1_048_576.0 / f64::from(wanted.records);
            figures.measure("bytes_per_record", bytes, 0, None);
        }
    }
    say("reading all of them by SOQL");
    figures.measure("query_rows_per_core_s", caller.read().await?, 0, None);
    figures.measure("rss_mib_at_the_end", resident_mib(orgs.pid())?, 0, None);
    Ok(figures)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Upsert,
}

struct Caller {
    client: reqwest::Client,
    base: String,
    token: String,
    pid: u32,
    records: u32,
    lanes: usize,
}

impl Caller {
    fn new(orgs: &Orgs, wanted: &OrgsimSpeed) -> Result<Self, LoadError> {
        let org = orgs.infos.first().cloned().unwrap_or_default();
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            base: format!("{}/services/data/v67.0", org.login_url),
            token: org.access_token,
            pid: orgs.pid(),
            records: wanted.records,
            lanes: usize::from(wanted.lanes),
        })
    }

    /// Writes every record once; rows for each second of the simulator's processor time.
    async fn all(&self, verb: Verb, seq: u32) -> Result<f64, LoadError> {
        let before = cpu_seconds(self.pid)?;
        let firsts = (0..self.records).step_by(ROWS as usize);
        stream::iter(firsts)
            .map(|first| self.write(verb, first..(first + ROWS).min(self.records), seq))
            .buffer_unordered(self.lanes)
            .try_collect::<()>()
            .await?;
        Ok(f64::from(self.records) / (cpu_seconds(self.pid)? - before))
    }

    async fn write(&self, verb: Verb, numbers: std::ops::Range<u32>, seq: u32) -> Result<(), LoadError> {
        let records: Vec<Json> = numbers.map(|number| contact(number, seq)).collect();
        let request = match verb {
            Verb::Create => self.client.post(format!("{}/composite/sobjects", self.base)),
            Verb::Upsert => {
                let url = format!("{}/composite/sobjects/Contact/Tandem_Key__c", self.base);
                self.client.patch(url)
            }
        };
        let body = json!({"allOrNone": false, "records": records});
        let answer = request.bearer_auth(&self.token).json(&body).send().await?;
        let results: Vec<Json> = answer.error_for_status()?.json().await?;
        let refused = results.iter().find(|row| row.get("success") != Some(&Json::Bool(true)));
        match refused {
            None if results.len() == records.len() => Ok(()),
            _ => Err(LoadError::Stack(format!(
                "rows were refused, the first with {refused:?}"
            ))),
        }
    }

    /// Reads every record, page after page.
    async fn read(&self) -> Result<f64, LoadError> {
        let before = cpu_seconds(self.pid)?;
        let soql =
            "SELECT Id, FirstName, LastName, Email, Phone, Tandem_Key__c, Tandem_Seq__c, SystemModstamp FROM Contact";
        let first = self.client.get(format!("{}/query", self.base)).query(&[("q", soql)]);
        let (mut request, mut rows) = (first, 0);
        let root = self.base.trim_end_matches("/services/data/v67.0");
        loop {
            let answer = request.bearer_auth(&self.token).send().await?;
            let page: Json = answer.error_for_status()?.json().await?;
            rows += page["records"].as_array().map_or(0, Vec::len);
            match page["nextRecordsUrl"].as_str() {
                Some(next) => request = self.client.get(format!("{root}{next}")),
                None => break,
            }
        }
        if rows != self.records as usize {
            return Err(LoadError::Stack(format!("{rows} of {} rows were read", self.records)));
        }
        Ok(rows as f64 / (cpu_seconds(self.pid)? - before))
    }
}

/// A Contact as the engine writes it: key, number and eight fields.
fn contact(number: u32, seq: u32) -> Json {
    json!({
        "attributes": {"type": "Contact"},
        "Tandem_Key__c": format!("customer-{number}"), "Tandem_Seq__c": seq,
        "FirstName": format!("First {seq}"), "LastName": format!("Last {number}"),
        "Email": format!("person.{number}@customer.example"), "Phone": format!("+1 555 {number:07}"),
        "Title": "Head of Operations", "MailingCity": "Springfield", "MailingStreet": format!("{number} Main Street"),
        "Department": "Operations",
    })
}
