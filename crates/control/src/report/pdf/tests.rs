use std::time::Duration;

use domain::Timestamp;
use domain::analytics::{Granularity, TimeRange};
use domain::report::{
    Report, ReportCell, ReportColumn, ReportContent, ReportFigure, ReportLine, ReportRow, ReportSection,
    ReportUnit,
};

use super::sheet::{LEFT, ROOM, Shape, Sheets};
use super::text::Fonts;
use super::written::{Clock, number, since};
use super::{head, part, write};

const DAY: Duration = Duration::from_hours(24);
/// The last moments that there are: 30 December 9999.
const FAR: i64 = 253_402_207_200_000_000;
/// What users might write, and what nobody should.
const HOSTILE: [&str; 14] = [
    "",
    " ",
    "\n\r\t\u{0}\u{7f}\u{85}",
    "\u{202e}\u{2066}\u{200f}\u{feff}",
    "\u{2028}\u{2029}\u{200b}\u{ad}",
    "API عربية ومزيد abc עברית 123 def",
    "مرحبا بالعالم",
    "漢字 😀👩‍👩‍👧‍👦🇩🇪 \u{10ffff}\u{fffe}\u{ffff}",
    "Z\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}a\u{300}",
    "\u{300}\u{301}",
    "ﬁﬂ ᚠᛇ ᠮᠣᠩᠭᠣᠯ हिन्दी ไทย ភាសាខ្មែរ",
    "<b>&amp;</b> \"'() \\ % ]]> <?xml?>",
    "=1+1",
    "/v1/orders/{id}",
];

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn report(sections: Vec<ReportSection>) -> Report {
    Report {
        name: "traffic".to_owned(),
        title: "Traffic and latency".to_owned(),
        about: "How much is called, how fast the answers are.".to_owned(),
        period: TimeRange {
            from: moment("2026-10-31T23:00:00Z"),
            to: moment("2026-11-30T23:00:00Z"),
        },
        time_zone: "Europe/Berlin".to_owned(),
        made_at: moment("2026-12-01T07:15:30Z"),
        sections,
    }
}

fn section(title: &str, content: ReportContent) -> ReportSection {
    ReportSection {
        name: "part".to_owned(),
        title: title.to_owned(),
        text: "How to read it.".to_owned(),
        content,
    }
}

fn figure(unit: ReportUnit, value: ReportCell, previous: Option<f64>) -> ReportFigure {
    ReportFigure {
        name: "figure".to_owned(),
        title: "A figure".to_owned(),
        unit,
        value,
        previous,
    }
}

fn column(title: &str, unit: ReportUnit) -> ReportColumn {
    ReportColumn {
        name: title.to_owned(),
        title: title.to_owned(),
        unit,
    }
}

fn table(columns: Vec<ReportColumn>, rows: Vec<Vec<ReportCell>>, left_out: u64) -> ReportContent {
    ReportContent::Table {
        columns,
        rows: rows.into_iter().map(|cells| ReportRow { cells }).collect(),
        left_out,
        nothing: "Nobody called.".to_owned(),
    }
}

fn course(spans: u32, lines: Vec<ReportLine>) -> ReportContent {
    let first = moment("2026-10-31T23:00:00Z");
    ReportContent::Course {
        per: Granularity::Day,
        at: (0..spans).map(|day| first.after(DAY * day)).collect(),
        unit: ReportUnit::Count,
        lines,
    }
}

fn line(title: &str, expected: bool, values: &[Option<f64>]) -> ReportLine {
    ReportLine {
        name: title.to_owned(),
        title: title.to_owned(),
        expected,
        values: values.iter().copied().map(ReportCell::from).collect(),
    }
}

/// The texts of each page, from the top to the bottom as they were laid out.
fn pages(report: &Report) -> Vec<Vec<String>> {
    let fonts = Fonts::new().unwrap();
    let clock = Clock::of(&report.time_zone);
    let mut sheets = Sheets::new(&fonts);
    head(&mut sheets, &clock, report);
    for section in &report.sections {
        part(&mut sheets, &clock, section);
    }
    sheets.feet(super::SMALL, &report.title);
    let texts = sheets.pages.into_iter().map(|marks| {
        let texts = marks.into_iter().filter_map(|mark| match mark.shape {
            Shape::Text(_, line) => Some(line.text.trim().to_owned()),
            Shape::Path(..) | Shape::Dot(..) => None,
        });
        texts.collect()
    });
    texts.collect()
}

fn says(page: &[String], text: &str) -> bool {
    page.iter().any(|line| line == text)
}

fn mixed() -> Report {
    let values: Vec<_> = (0..31)
        .map(|day| (day != 7).then(|| f64::from(day) * 100.0))
        .collect();
    let rows = (0..60_i64).map(|row| vec![format!("Application {row}").into(), (row * 1000).into()]);
    let columns = vec![
        column("Application", ReportUnit::Text),
        column("Calls", ReportUnit::Count),
    ];
    report(vec![
        section(
            "Sums",
            ReportContent::Figures {
                figures: vec![
                    figure(ReportUnit::Count, 12_345.0.into(), Some(10_000.0)),
                    figure(ReportUnit::Text, "Orders".into(), None),
                ],
            },
        ),
        section(
            "Course",
            course(
                31,
                vec![line("Calls", false, &values), line("Expected", true, &values)],
            ),
        ),
        section("Applications", table(columns, rows.collect(), 1_234)),
    ])
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let once = write(&mixed()).unwrap();
    assert_eq!(once, write(&mixed()).unwrap());
    assert!(once.starts_with(b"%PDF-1.7"));
    let has = |text: &str| once.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("D:20261201071530"), "the creation date is that of the report");
    assert!(has("/Lang(en)"));
    assert!(has("/StructTreeRoot"));
    assert!(
        once.len() < 100_000,
        "only the characters that are used are embedded"
    );
}

#[test]
fn a_report_says_what_it_is_about() {
    let pages = pages(&mixed());
    let first = &pages[0];
    for text in [
        "Traffic and latency",
        "1 Nov 2026 to 30 Nov 2026 (Europe/Berlin)",
        "How much is called, how fast the answers are.",
        "Made on 1 Dec 2026, 08:15.",
        "Sums",
        "How to read it.",
        "12,345",
        "+23 % since the time before",
        "Orders",
        "Course",
        "per day",
        "Expected",
        "4,000",
        "1 Nov",
        "Gateline · Traffic and latency",
        "· page 1 of 3",
    ] {
        assert!(says(first, text), "`{text}` is missing in {first:?}");
    }
}

#[test]
fn a_table_goes_on_with_its_header_on_the_next_page() {
    let pages = pages(&mixed());
    assert_eq!(pages.len(), 3);
    for page in &pages[1..] {
        assert!(says(page, "Application") && says(page, "Calls"), "{page:?}");
    }
    for row in 0..60 {
        let name = format!("Application {row}");
        assert_eq!(pages.iter().filter(|page| says(page, &name)).count(), 1, "{name}");
    }
    assert!(says(&pages[2], "and 1,234 more"));
}

#[test]
fn a_title_stands_with_what_it_is_about() {
    let section_of = |rows: usize| {
        let rows = (0..rows).map(|row| vec![format!("Row {row}").into()]);
        let columns = vec![column("What", ReportUnit::Text)];
        section("Rows", table(columns, rows.collect(), 0))
    };
    for rows in 20..50 {
        let chart = section("Chart", course(3, vec![line("Calls", false, &[Some(1.0)])]));
        for page in pages(&report(vec![section_of(rows), chart, section_of(3)])) {
            assert_eq!(says(&page, "Chart"), says(&page, "per day"), "{rows}");
            let has_title = says(&page, "Rows");
            assert!(!has_title || says(&page, "Row 1"), "{rows}: {page:?}");
        }
    }
}

#[test]
fn nothing_is_said_where_there_is_nothing() {
    let nothing = report(vec![
        section("A", table(vec![column("What", ReportUnit::Text)], Vec::new(), 0)),
        section("B", ReportContent::Figures { figures: Vec::new() }),
        section("C", course(31, vec![line("Calls", false, &[None; 31])])),
    ]);
    let pages = pages(&nothing);
    for text in ["Nobody called.", "There are no figures.", "There are no numbers."] {
        assert!(says(&pages[0], text), "{text}");
    }
}

#[test]
fn a_wide_table_fits_between_the_margins() {
    let units = [ReportUnit::Text, ReportUnit::Count, ReportUnit::Moment];
    for count in [1, 2, 7, 12, 24, 300] {
        let columns = (0..count).map(|place| column("Promised availability", units[place % 3]));
        let cell = |place: usize| match place % 3 {
            0 => ReportCell::from("A rather long name of an application"),
            1 => ReportCell::from(1_234_567.0),
            _ => ReportCell::from(moment("2026-11-30T23:00:00Z")),
        };
        let row: Vec<_> = (0..count).map(cell).collect();
        let wide = report(vec![section("Wide", table(columns.collect(), vec![row; 3], 0))]);
        let fonts = Fonts::new().unwrap();
        let mut sheets = Sheets::new(&fonts);
        part(&mut sheets, &Clock::of("UTC"), &wide.sections[0]);
        for mark in sheets.pages.iter().flatten() {
            if let Shape::Text((x, _), line) = &mark.shape {
                let (left, right) = (LEFT, LEFT + ROOM);
                assert!(
                    *x > left - 0.5 && x + line.width < right + 0.5,
                    "{count}: {line:?} at {x}"
                );
            }
        }
    }
}

#[test]
fn no_text_stops_a_report() {
    let long = "W".repeat(5_000);
    let deep = "many words ".repeat(600);
    for text in HOSTILE.into_iter().chain([long.as_str(), deep.as_str()]) {
        let cell = |id: Option<&str>| ReportCell {
            text: Some(text.to_owned()),
            id: id.map(str::to_owned),
            ..ReportCell::default()
        };
        let mut named = figure(ReportUnit::Text, cell(None), Some(1.0));
        text.clone_into(&mut named.title);
        let columns = vec![column(text, ReportUnit::Text), column(text, ReportUnit::Moment)];
        let mut hostile = report(vec![
            section(text, ReportContent::Figures { figures: vec![named] }),
            section(text, course(2, vec![line(text, true, &[Some(1.0), None])])),
            section(
                text,
                table(columns.clone(), vec![vec![cell(Some(text)), cell(None)]], 1),
            ),
            section(text, table(columns, Vec::new(), 0)),
        ]);
        text.clone_into(&mut hostile.title);
        text.clone_into(&mut hostile.about);
        text.clone_into(&mut hostile.time_zone);
        for section in &mut hostile.sections {
            text.clone_into(&mut section.text);
        }
        assert!(write(&hostile).is_ok(), "{text:?}");
    }
}

#[test]
fn no_number_stops_a_report() {
    let numbers = [
        0.0,
        -0.0,
        -1.5,
        1e-300,
        1e15,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        -3.0,
        5.0,
    ];
    let units = [
        ReportUnit::Text,
        ReportUnit::Moment,
        ReportUnit::Count,
        ReportUnit::Share,
        ReportUnit::Change,
        ReportUnit::Microseconds,
        ReportUnit::Seconds,
        ReportUnit::Bytes,
        ReportUnit::Amount,
    ];
    let values: Vec<_> = numbers.into_iter().map(Some).collect();
    let mut sections = Vec::new();
    for unit in units {
        let figures = numbers.map(|number| figure(unit, number.into(), Some(-number)));
        sections.push(section(
            "Figures",
            ReportContent::Figures {
                figures: figures.into(),
            },
        ));
        let columns = numbers.map(|_| column("Number", unit)).to_vec();
        let row = numbers.map(ReportCell::from).to_vec();
        sections.push(section("Table", table(columns, vec![row], u64::MAX)));
        for values in [&values[..], &values[..1], &values[2..3], &values[5..7]] {
            let mut content = course(10, vec![line("Line", false, values)]);
            if let ReportContent::Course { unit: of, .. } = &mut content {
                *of = unit;
            }
            sections.push(section("Course", content));
        }
    }
    assert!(write(&report(sections)).is_ok());
}

#[test]
fn no_form_stops_a_report() {
    let some = || vec![Some(1.0); 50];
    let many = (0..100).map(|place| line(&format!("Line {place}"), place % 2 == 0, &some()));
    let columns = || vec![column("A", ReportUnit::Text), column("B", ReportUnit::Count)];
    let ragged = vec![
        Vec::new(),
        vec!["a".into()],
        vec![1.0.into(), 2.0.into(), 3.0.into()],
    ];
    let hostile = report(vec![
        section("No lines", course(31, Vec::new())),
        section("No spans", course(0, vec![line("Calls", false, &some())])),
        section(
            "More values than spans",
            course(3, vec![line("Calls", false, &some())]),
        ),
        section("Fewer", course(60, vec![line("Calls", false, &[Some(1.0)])])),
        section("One span", course(1, vec![line("Calls", false, &[Some(1.0)])])),
        section("Many lines", course(50, many.collect())),
        section(
            "Long",
            course(10_000, vec![line("Calls", false, &[Some(2.0); 10_000])]),
        ),
        section("Ragged", table(columns(), ragged.clone(), 0)),
        section("No columns", table(Vec::new(), ragged, 3)),
    ]);
    assert!(write(&hostile).is_ok());
    assert!(write(&report(Vec::new())).is_ok());
    let mut times = report(Vec::new());
    for (from, to) in [(i64::MIN, FAR), (FAR, i64::MIN), (0, 0)] {
        times.period.from = Timestamp::from_micros(from);
        times.period.to = Timestamp::from_micros(to);
        times.made_at = Timestamp::from_micros(from);
        for zone in ["Pacific/Kiritimati", "America/Los_Angeles", "Nowhere"] {
            zone.clone_into(&mut times.time_zone);
            assert!(write(&times).is_ok());
        }
    }
}

#[test]
fn numbers_are_written_with_their_units() {
    let cases = [
        (ReportUnit::Count, 1_234_567.4, "1,234,567"),
        (ReportUnit::Count, -0.2, "0"),
        (ReportUnit::Count, -1_234.0, "−1,234"),
        (ReportUnit::Count, 1e300, "1.00e300"),
        (ReportUnit::Share, 0.0, "0.00 %"),
        (ReportUnit::Share, 0.999_5, "99.95 %"),
        (ReportUnit::Share, 0.999_99, ">99.99 %"),
        (ReportUnit::Share, 0.000_01, "<0.01 %"),
        (ReportUnit::Share, 1.0, "100.00 %"),
        (ReportUnit::Change, 0.5, "+50 %"),
        (ReportUnit::Change, -0.035, "−3.5 %"),
        (ReportUnit::Change, 0.0, "±0 %"),
        (ReportUnit::Change, 12.5, "+1,250 %"),
        (ReportUnit::Microseconds, 320.0, "320 µs"),
        (ReportUnit::Microseconds, 4_200.0, "4.2 ms"),
        (ReportUnit::Microseconds, 42_000.0, "42 ms"),
        (ReportUnit::Microseconds, 1_300_000.0, "1.30 s"),
        (ReportUnit::Seconds, 40.0, "40 s"),
        (ReportUnit::Seconds, 5_400.0, "1.5 h"),
        (ReportUnit::Seconds, 86_400.0 * 12.0, "12 d"),
        (ReportUnit::Amount, 12_345.678, "12,345.68"),
        (ReportUnit::Amount, 0.5, "0.500"),
        (ReportUnit::Amount, 0.000_012_34, "0.0000123"),
        (ReportUnit::Amount, 0.0, "0.00"),
        (ReportUnit::Bytes, 512.0, "512 B"),
        (ReportUnit::Bytes, 3_200_000.0, "3.2 MB"),
    ];
    for (unit, value, text) in cases {
        assert_eq!(number(unit, value), text);
    }
}

#[test]
fn figures_are_compared_with_the_time_before() {
    let cases = [
        (Some(12.0), Some(10.0), "+20 % since the time before"),
        (Some(10.0), Some(10.0), "as in the time before"),
        (Some(10.0), Some(0.0), "none in the time before"),
        (Some(10.0), None, ""),
        (None, Some(10.0), ""),
    ];
    for (now, before, text) in cases {
        assert_eq!(since(&figure(ReportUnit::Count, now.into(), before)), text);
    }
}

#[test]
fn moments_are_written_in_the_time_zone_of_the_report() {
    let period = |from: &str, to: &str| TimeRange {
        from: moment(from),
        to: moment(to),
    };
    let cases = [
        (
            "Europe/Berlin",
            period("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
            "1 Nov 2026 to 30 Nov 2026 (Europe/Berlin)",
        ),
        (
            "UTC",
            period("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
            "1 Nov 2026 (UTC)",
        ),
        (
            "UTC",
            period("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
            "31 Oct 2026, 23:00 to 30 Nov 2026, 23:00 (UTC)",
        ),
        (
            "Nowhere/Else",
            period("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z"),
            "1 Nov 2026 to 2 Nov 2026 (UTC)",
        ),
    ];
    for (zone, period, text) in cases {
        assert_eq!(Clock::of(zone).period(&period), text);
    }
    let clock = Clock::of("Europe/Berlin");
    let cell = ReportCell::from("2026-11-20T11:00:00Z");
    assert_eq!(clock.cell(ReportUnit::Moment, &cell), "20 Nov 2026, 12:00");
    assert_eq!(clock.cell(ReportUnit::Moment, &"soon".into()), "soon");
    let code = ReportCell::named("key_missing", Some("No key"));
    assert_eq!(clock.cell(ReportUnit::Text, &code), "No key (key_missing)");
    let api = ReportCell::named("api_01jd9zk5v8", Some("Orders"));
    assert_eq!(clock.cell(ReportUnit::Text, &api), "Orders");
}
