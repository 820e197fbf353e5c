//! Reports as PDF: to print, and to send to those who have no account.
//!
//! A report is laid out from the top to the bottom ([`sheet`]) by what knows how to show figures, courses and tables, and
//! written at the end ([`draw`]), when it is known how many pages there are. The same report gives the same bytes.

mod chart;
mod draw;
mod figures;
mod sheet;
mod table;
mod text;
mod written;

use std::num::NonZeroU16;

use domain::Timestamp;
use domain::report::{Report, ReportContent, ReportSection};
use jiff::tz::TimeZone;
use krilla::metadata::{DateTime, Metadata};
use krilla::tagging::{Tag, TagKind};

use self::chart::{Chart, Course};
use self::figures::Figures;
use self::sheet::{ACCENT, INK, INK_2, PartId, ROOM, Sheets, WHOLE};
use self::table::Table;
use self::text::{Fonts, Style, Weight};
use self::written::Clock;

const TITLE: Style = Style {
    weight: Weight::Bold,
    size: 22.0,
    colour: INK,
};
const PERIOD: Style = Style {
    weight: Weight::Regular,
    size: 10.5,
    colour: ACCENT,
};
const HEADING: Style = Style {
    weight: Weight::Bold,
    size: 12.5,
    colour: INK,
};
const TEXT: Style = Style {
    weight: Weight::Regular,
    size: 9.0,
    colour: INK_2,
};
const SMALL: Style = Style {
    weight: Weight::Regular,
    size: 7.5,
    colour: INK_2,
};
const TITLE_LINES_MAX: usize = 3;
/// Above a section.
const SECTION_GAP: f32 = 22.0;
/// Between the head of a section and what it tells.
const HEAD_GAP: f32 = 6.0;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The fonts that are built in cannot be read.
    #[error("reading the fonts")]
    Fonts,
    /// The pages cannot be written.
    #[error("writing the pages")]
    Write(#[source] krilla::error::KrillaError),
}

/// Writes a report as PDF, A4, tagged so that it can be read aloud.
///
/// The same report gives the same bytes.
///
/// # Errors
/// If the library that writes it refuses to; no content of a report is known to be a reason.
pub fn write(report: &Report) -> Result<Vec<u8>, Error> {
    let fonts = Fonts::new().ok_or(Error::Fonts)?;
    let clock = Clock::of(&report.time_zone);
    let mut sheets = Sheets::new(&fonts);
    head(&mut sheets, &clock, report);
    for section in &report.sections {
        part(&mut sheets, &clock, section);
    }
    sheets.feet(SMALL, &report.title);
    draw::document(&sheets, metadata(report, &clock)).map_err(Error::Write)
}

fn metadata(report: &Report, clock: &Clock) -> Metadata {
    let title = format!("{}, {}", report.title, clock.period(&report.period));
    Metadata::new()
        // XML 1.0 has no place for other characters, and part of this is written as such.
        .title(title.replace(
            |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'),
            " ",
        ))
        .creator("Gateline".to_owned())
        .producer("Gateline".to_owned())
        .language(draw::LANGUAGE.to_owned())
        .creation_date(date(report.made_at))
}

/// A moment as PDF writes it, in UTC.
fn date(moment: Timestamp) -> DateTime {
    let moment = moment.to_jiff().to_zoned(TimeZone::UTC);
    let small = |number: i8| u8::try_from(number).unwrap_or(0);
    DateTime::new(u16::try_from(moment.year()).unwrap_or(0))
        .month(small(moment.month()))
        .day(small(moment.day()))
        .hour(small(moment.hour()))
        .minute(small(moment.minute()))
        .second(small(moment.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

/// What the report is and which time it is about.
fn head(sheets: &mut Sheets<'_>, clock: &Clock, report: &Report) {
    let title = sheets.fonts.wrap(&report.title, TITLE, ROOM, TITLE_LINES_MAX);
    sheets.lines(WHOLE, heading(1, &report.title), title);
    sheets.y += 2.0;
    sheets.paragraph(WHOLE, &clock.period(&report.period), PERIOD);
    sheets.y += 6.0;
    sheets.paragraph(WHOLE, &report.about, TEXT);
    let made = format!("Made on {}.", clock.moment(report.made_at));
    sheets.paragraph(WHOLE, &made, TEXT);
}

fn heading(level: u16, title: &str) -> TagKind {
    let level = NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN);
    Tag::Hn(level, Some(title.to_owned())).into()
}

/// What a section tells, ready to be drawn.
enum Content {
    Figures(Figures),
    Chart(Box<Chart>),
    Table(Table),
    /// That there is nothing.
    Nothing(String),
}

impl Content {
    fn of(fonts: &Fonts, clock: &Clock, section: &ReportSection) -> Self {
        match &section.content {
            ReportContent::Figures { figures } => match figures.is_empty() {
                true => Self::Nothing("There are no figures.".to_owned()),
                false => Self::Figures(Figures::new(fonts, clock, figures)),
            },
            ReportContent::Course { per, at, unit, lines } => {
                let course = Course {
                    title: &section.title,
                    per: *per,
                    at,
                    unit: *unit,
                };
                match Chart::new(fonts, clock, &course, lines) {
                    Some(chart) => Self::Chart(Box::new(chart)),
                    None => Self::Nothing("There are no numbers.".to_owned()),
                }
            }
            ReportContent::Table {
                rows,
                columns,
                nothing,
                ..
            } if rows.is_empty() || columns.is_empty() => Self::Nothing(nothing.clone()),
            ReportContent::Table {
                columns,
                rows,
                left_out,
                ..
            } => Self::Table(Table::new(fonts, clock, columns, rows, *left_out)),
        }
    }

    /// The height of what stands on the same page as the title.
    fn first(&self) -> f32 {
        match self {
            Self::Figures(figures) => figures.first(),
            Self::Chart(chart) => chart.height(),
            Self::Table(table) => table.first(),
            Self::Nothing(_) => TEXT.leading(),
        }
    }

    fn draw(self, sheets: &mut Sheets<'_>, of: PartId) {
        match self {
            Self::Figures(figures) => figures.draw(sheets, of),
            Self::Chart(chart) => chart.draw(sheets, of),
            Self::Table(table) => table.draw(sheets, of, SMALL),
            Self::Nothing(said) => {
                sheets.paragraph(of, &said, TEXT);
            }
        }
    }
}

fn part(sheets: &mut Sheets<'_>, clock: &Clock, section: &ReportSection) {
    let content = Content::of(sheets.fonts, clock, section);
    let title = sheets.fonts.wrap(&section.title, HEADING, ROOM, TITLE_LINES_MAX);
    let text = sheets.fonts.wrap(&section.text, TEXT, ROOM, usize::MAX);
    let lines = title.iter().chain(&text).map(|line| line.style.leading());
    let height = lines.sum::<f32>() + HEAD_GAP;
    sheets.gap(SECTION_GAP);
    sheets.make_room(height + content.first());
    let of = sheets.part(WHOLE, Tag::Section);
    sheets.lines(of, heading(2, &section.title), title);
    sheets.lines(of, Tag::P, text);
    sheets.y += HEAD_GAP;
    content.draw(sheets, of);
}

#[cfg(test)]
mod tests;
