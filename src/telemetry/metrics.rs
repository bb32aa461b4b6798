//! The meter provider and its Prometheus text.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder, Registry, TextEncoder};

use super::names::{Kind, Metric};

/// Bounds of histograms in seconds: from the engine's own milliseconds to an outage's hour.
const SECONDS: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0,
];
/// Bounds of histograms of rows; 200 is what one call takes.
const ROWS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 150.0, 200.0];

/// Metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The exporter refused.
    #[error("metrics could not be set up: {0}; this is a fault of the build, please report it")]
    Exporter(#[from] opentelemetry_sdk::error::OTelSdkError),
    /// The text could not be made.
    #[error("metrics could not be written as text: {0}")]
    Text(#[from] prometheus::Error),
}

/// A gauge's value now.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Which gauge.
    pub metric: Metric,
    /// Its labels.
    pub labels: Vec<KeyValue>,
    /// Its value.
    pub value: f64,
}

/// Where gauges come from: read at each scrape.
pub trait Gauges: Send + Sync {
    /// All readings; bounded by the implementation.
    fn read(&self) -> Vec<Reading>;
}

type Source = Arc<OnceLock<Arc<dyn Gauges>>>;

/// All metrics of the process.
pub struct Telemetry {
    registry: Registry,
    /// Keeps the pipeline alive.
    _provider: SdkMeterProvider,
    /// By position in [`Metric::ALL`].
    counters: Vec<Option<Counter<u64>>>,
    histograms: Vec<Option<Histogram<f64>>>,
    source: Source,
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    /// Makes every instrument.
    ///
    /// # Errors
    /// When the exporter cannot be built.
    pub fn new() -> Result<Self, TelemetryError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_units()
            .without_counter_suffixes()
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        let provider = SdkMeterProvider::builder().with_reader(exporter).build();
        let meter = provider.meter("tandem");
        let source = Source::default();
        let counters = Metric::ALL.iter().map(|m| counter(&meter, *m)).collect();
        let histograms = Metric::ALL.iter().map(|m| histogram(&meter, *m)).collect();
        for metric in Metric::ALL {
            gauge(&meter, *metric, &source);
        }
        Ok(Self {
            registry,
            _provider: provider,
            counters,
            histograms,
            source,
        })
    }

    /// Says where gauges come from. The first call counts.
    pub fn watch(&self, gauges: Arc<dyn Gauges>) {
        self.source.get_or_init(|| gauges);
    }

    /// Adds to a counter.
    pub fn add(&self, metric: Metric, by: u64, labels: &[KeyValue]) {
        if by > 0
            && let Some(Some(counter)) = self.counters.get(metric as usize)
        {
            counter.add(by, labels);
        }
    }

    /// Records into a histogram.
    pub fn record(&self, metric: Metric, value: f64, labels: &[KeyValue]) {
        if let Some(Some(histogram)) = self.histograms.get(metric as usize) {
            histogram.record(value, labels);
        }
    }

    /// The text for Prometheus. Metrics without a sample yet are there with help and type, so that dashboards and
    /// alerts can be checked against a fresh process.
    ///
    /// # Errors
    /// When the text cannot be made.
    pub fn text(&self) -> Result<String, TelemetryError> {
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut bytes)?;
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        for metric in Metric::ALL {
            let head = format!("# TYPE {} {}\n", metric.name(), metric.kind().word());
            if !text.contains(&head) {
                // Writing into a String cannot fail.
                let _infallible = write!(text, "# HELP {} {}\n{head}", metric.name(), metric.help());
            }
        }
        Ok(text)
    }
}

fn counter(meter: &Meter, metric: Metric) -> Option<Counter<u64>> {
    (metric.kind() == Kind::Counter).then(|| {
        meter
            .u64_counter(metric.name())
            .with_description(metric.help())
            .with_unit(metric.unit())
            .build()
    })
}

fn histogram(meter: &Meter, metric: Metric) -> Option<Histogram<f64>> {
    (metric.kind() == Kind::Histogram).then(|| {
        let bounds = if metric.unit() == "s" {
            SECONDS.to_vec()
        } else {
            ROWS.to_vec()
        };
        meter
            .f64_histogram(metric.name())
            .with_description(metric.help())
            .with_unit(metric.unit())
            .with_boundaries(bounds)
            .build()
    })
}

/// Observed only: what is not read at a scrape is not shown, so a tenant that recovers leaves the worst-of list.
fn gauge(meter: &Meter, metric: Metric, source: &Source) {
    if metric.kind() != Kind::Gauge {
        return;
    }
    let source = Arc::clone(source);
    // The instrument lives in the provider; the handle is of no use.
    let _instrument = meter
        .f64_observable_gauge(metric.name())
        .with_description(metric.help())
        .with_unit(metric.unit())
        .with_callback(move |observer| {
            let readings = source.get().map(|s| s.read()).unwrap_or_default();
            for reading in readings.iter().filter(|r| r.metric == metric) {
                observer.observe(reading.value, &reading.labels);
            }
        })
        .build();
}
