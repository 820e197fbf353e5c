//! The railway: eight stations on two lines, and the trains of a day.

use serde::Serialize;

/// A place where trains stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Station {
    /// Short name in URLs.
    pub(crate) code: &'static str,
    /// What people read.
    pub(crate) name: &'static str,
    /// How many platforms it has.
    pub(crate) platforms: u8,
}

/// A train's stop at a station.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stop {
    /// The station's code.
    pub(crate) station: &'static str,
    /// When the train leaves there (arrives, at the last stop), as `08:15`.
    pub(crate) time: String,
}

/// A train that leaves a station, the same every day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Departure {
    /// Its id, as `hbr-0815-n`.
    pub(crate) id: String,
    /// The line: `north` or `coast`.
    pub(crate) line: &'static str,
    /// The station's code.
    pub(crate) station: &'static str,
    /// Where the train ends: a station's code.
    pub(crate) destination: &'static str,
    /// When it leaves by the timetable, as `08:15`.
    pub(crate) time: String,
    /// From which platform.
    pub(crate) platform: u8,
    /// This stop and those after it.
    #[serde(skip)]
    pub(crate) stops: Vec<Stop>,
}

/// Seats of one train that can be sold.
pub(crate) const SEATS: u16 = 120;
/// What one stop costs, in cents.
const STOP_CENTS: u32 = 180;
const FIRST_MINUTE: u16 = 5 * 60;
const LAST_MINUTE: u16 = 23 * 60;
const TRAIN_EVERY_MINUTES: u16 = 30;
const STOP_EVERY_MINUTES: u16 = 9;

/// The stations in alphabetical order of their codes.
pub(crate) const STATIONS: [Station; 8] = [
    Station {
        code: "alder",
        name: "Alder Hill",
        platforms: 2,
    },
    Station {
        code: "bay",
        name: "Bay Front",
        platforms: 2,
    },
    Station {
        code: "cross",
        name: "King's Cross Gate",
        platforms: 4,
    },
    Station {
        code: "dunes",
        name: "The Dunes",
        platforms: 1,
    },
    Station {
        code: "harbour",
        name: "Harbour Central",
        platforms: 6,
    },
    Station {
        code: "light",
        name: "Lighthouse Point",
        platforms: 1,
    },
    Station {
        code: "mill",
        name: "Mill Lane",
        platforms: 2,
    },
    Station {
        code: "north",
        name: "Northfield",
        platforms: 3,
    },
];

const LINES: [(&str, &[&str]); 2] = [
    ("north", &["harbour", "cross", "mill", "alder", "north"]),
    ("coast", &["harbour", "cross", "bay", "dunes", "light"]),
];

/// The station of this code.
pub(crate) fn station(code: &str) -> Option<&'static Station> {
    STATIONS.iter().find(|station| station.code == code)
}

/// What a ticket between two stations costs, in cents; `None` if no train goes from one to the other.
pub(crate) fn fare_cents(from: &str, to: &str) -> Option<u32> {
    LINES.iter().find_map(|(_, stations)| {
        let at = |code: &str| stations.iter().position(|station| *station == code);
        let stops = at(from)?.abs_diff(at(to)?);
        (stops > 0).then(|| u32::try_from(stops).map_or(u32::MAX, |stops| stops * STOP_CENTS))
    })
}

/// All departures of a day: by time, then by id.
pub(crate) fn departures() -> Vec<Departure> {
    let mut all = Vec::new();
    for (place, (line, stations)) in LINES.iter().enumerate() {
        // The lines leave the common first station in turn.
        let shift = u16::try_from(place).unwrap_or(0) * (TRAIN_EVERY_MINUTES / 2);
        let back: Vec<&'static str> = stations.iter().rev().copied().collect();
        for stops in [stations.to_vec(), back] {
            let mut minute = FIRST_MINUTE + shift;
            while minute < LAST_MINUTE {
                run(line, &stops, minute, &mut all);
                minute += TRAIN_EVERY_MINUTES;
            }
        }
    }
    all.sort_by(|a, b| (&a.time, &a.id).cmp(&(&b.time, &b.id)));
    all
}

/// Adds the departures of one train: one at each stop but the last.
fn run(line: &'static str, stations: &[&'static str], start: u16, all: &mut Vec<Departure>) {
    let stops: Vec<Stop> = (0_u16..)
        .zip(stations)
        .map(|(place, station)| Stop {
            station,
            time: clock(start + place * STOP_EVERY_MINUTES),
        })
        .collect();
    let Some(destination) = stations.last() else {
        return;
    };
    for (place, stop) in stops.iter().enumerate().take(stops.len() - 1) {
        let platforms = station(stop.station).map_or(1, |station| station.platforms);
        let outward = stations[0] == "harbour";
        all.push(Departure {
            id: format!("{}-{}-{destination}", stop.station, stop.time.replace(':', "")),
            line,
            station: stop.station,
            destination,
            time: stop.time.clone(),
            platform: if outward { 1 } else { platforms },
            stops: stops[place..].to_vec(),
        });
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
