//! Tracked events: what takes them, and the log of a control plane that has no gateway node in its process.

use std::sync::Arc;
use std::time::Duration;

use events::ingest::IngestSettings;
use events::intake::{IntakeFigures, IntakeSettings};
use events::pump::PumpSettings;
use events::{Ingest, Intake, Log, Pump, Sink, sink};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Error, Stop};
use crate::folder::Folder;
use crate::settings::Settings;

/// How long what is in the log may take to reach its sink at the end; what does not stays in the log.
const LAST_SHIPPING: Duration = Duration::from_secs(10);

/// What takes events into a log.
pub(super) fn ingest(log: &Arc<Log>, settings: &Settings) -> Result<Ingest, Error> {
    let settings = &settings.tracking;
    let intake = IntakeSettings {
        bytes_max: settings.waiting_bytes_max,
        window: Duration::from_secs(settings.duplicates_seconds),
        ids_max: settings.duplicates_max,
    };
    let intake = Intake::open(Arc::clone(log), intake)?;
    let judging = IngestSettings {
        age_max: Duration::from_secs(settings.age_max_seconds),
    };
    Ok(Ingest::new(intake, judging))
}

/// What `/metrics` shows of them.
pub(super) fn figures(ingest: &Ingest) -> Vec<api::Figure> {
    let figure = |name, help, read: fn(&IntakeFigures) -> u64| {
        let intake = ingest.intake().clone();
        api::Figure {
            name,
            help,
            #[expect(clippy::cast_precision_loss, reason = "a figure for people; exact up to 2^53")]
            read: Arc::new(move || read(&intake.figures()) as f64),
        }
    };
    vec![
        figure(
            "gateline_events_accepted",
            "Tracked events that were written since the start.",
            |figures| figures.accepted,
        ),
        figure(
            "gateline_events_duplicates",
            "Tracked events that came again.",
            |figures| figures.duplicates,
        ),
        figure(
            "gateline_events_delayed",
            "Tracked events refused because too many waited.",
            |figures| figures.busy,
        ),
        figure(
            "gateline_events_unwritten",
            "Tracked events refused because the disk did not take them.",
            |figures| figures.unwritten,
        ),
        figure(
            "gateline_events_waiting_bytes",
            "Bytes of tracked events that wait for the disk.",
            |figures| figures.waiting_bytes,
        ),
        figure(
            "gateline_events_known_ids",
            "Ids by which tracked events are recognised when they come again.",
            |figures| figures.ids,
        ),
    ]
}

/// The log of a control plane that has no gateway node in its process.
pub(super) struct OwnLog {
    ingest: Ingest,
    pump: Pump,
    stop: Stop,
    shipping: JoinHandle<()>,
}

impl OwnLog {
    /// Opens the log and begins to bring to both sinks what is in it.
    pub(super) fn open(
        settings: &Settings,
        folder: &Folder,
        (usage, lake): (impl Sink + 'static, impl Sink + 'static),
    ) -> Result<Self, Error> {
        let path = folder.sub("control")?.join("log.redb");
        let log = Arc::new(Log::open(&path, settings.usage.log())?);
        let ingest = ingest(&log, settings)?;
        let pump = Pump::start_with(
            Arc::clone(&log),
            PumpSettings::default(),
            Some(ingest.intake().clone()),
        );
        let pump = pump.map_err(|source| Error::Runtime { source })?;
        let stop = Stop::new();
        let (interval, told) = (settings.lake.commit_interval(), stop.clone());
        let shipping = async move {
            sink::ship_both(&log, usage, lake, interval, || told.told()).await;
        };
        Ok(Self {
            ingest,
            pump,
            shipping: tokio::spawn(shipping),
            stop,
        })
    }

    /// What takes events.
    pub(super) fn ingest(&self) -> &Ingest {
        &self.ingest
    }

    /// Writes what waits, then brings what is in the log as far as it gets.
    pub(super) async fn stop(self) {
        if let Ok(Err(error)) = spawn_blocking(|| self.pump.stop()).await {
            tracing::error!(%error, "the event log cannot be written at the end");
        }
        self.stop.now();
        if tokio::time::timeout(LAST_SHIPPING, self.shipping).await.is_err() {
            tracing::warn!("not all events are counted yet; the log keeps them for the next start");
        }
    }
}
