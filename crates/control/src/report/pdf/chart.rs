//! Courses over time as line charts.

use domain::Timestamp;
use domain::analytics::Granularity;
use domain::report::{ReportLine, ReportUnit};
use krilla::tagging::Tag;

use super::sheet::{
    ACCENT, BAD, Colour, INK_2, LEFT, LINE, LINE_STRONG, PartId, RIGHT, Shape, Sheets, Spot, Stroke, WARN,
};
use super::text::{Fonts, Line, Style, Weight};
use super::written::{Clock, number, span};

/// Marks a number that stands alone.
const DOT: f32 = 3.2;
/// More lines are not drawn: nobody could tell them apart.
const LINES_MAX: usize = 12;
/// More points do not fit beside each other.
const POINTS_MAX: usize = 480;
const TICKS_MAX: usize = 8;
const PLOT_HEIGHT: f32 = 118.0;
const TICKS_HEIGHT: f32 = 15.0;
/// Between the labels of an axis and what they are about.
const LABEL_GAP: f32 = 5.0;
/// A piece of a line in the legend.
const SAMPLE: f32 = 20.0;
const LEGEND_GAP: f32 = 14.0;
const LEGEND_WIDTH_MAX: f32 = 170.0;

const LABEL: Style = Style {
    weight: Weight::Regular,
    size: 7.0,
    colour: INK_2,
};
const COLOURS: [Colour; 4] = [ACCENT, INK_2, BAD, WARN];
/// They differ without colour, too: on paper there may be none.
const DASHES: [&[f32]; 4] = [&[], &[6.0, 3.0], &[2.0, 2.0], &[8.0, 2.5, 2.0, 2.5]];
/// A line that would have no gaps, if it is only expected.
const EXPECTED: &[f32] = &[3.5, 2.0];
/// Shares that are not less than this are shown from near it on, not from nothing.
const NEARLY_ALL: f64 = 0.9;
/// Round numbers whose half is round as well.
const ROUND: [f64; 6] = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];

/// A chart that is ready to be drawn.
pub(super) struct Chart {
    /// What it says to those who have it read aloud.
    told: String,
    /// The rows of the legend: where each entry begins, how it is drawn, and what it is called.
    legend: Vec<Vec<(f32, Stroke, Line)>>,
    /// What a point is.
    note: Line,
    labels: [Line; 3],
    ticks: Vec<(f32, Line)>,
    /// Each with the height of its points: 0 at the bottom, 1 at the top.
    lines: Vec<(Stroke, Vec<Option<f32>>)>,
    /// How many points there are beside each other.
    points: usize,
}

/// What a course is about, beside its lines.
pub(super) struct Course<'a> {
    pub(super) title: &'a str,
    pub(super) per: Granularity,
    pub(super) at: &'a [Timestamp],
    pub(super) unit: ReportUnit,
}

impl Chart {
    /// A chart; none if there is no number to show.
    pub(super) fn new(
        fonts: &Fonts,
        clock: &Clock,
        course: &Course<'_>,
        lines: &[ReportLine],
    ) -> Option<Self> {
        let hidden = lines.len().saturating_sub(LINES_MAX);
        let lines = &lines[..lines.len() - hidden];
        let each = course.at.len().div_ceil(POINTS_MAX).max(1);
        let values: Vec<_> = lines
            .iter()
            .map(|line| thinned(line, course.at.len(), each))
            .collect();
        let scale = Scale::of(course.unit, values.iter().flatten().copied().flatten())?;
        let labels =
            [0.0, 0.5, 1.0].map(|part| fonts.line(&format!("{} ", scale.label(course.unit, part)), LABEL));
        let drawn = values.iter().enumerate().map(|(place, values)| {
            let heights = values.iter().map(|value| value.map(|value| scale.height(value)));
            (stroke(place, lines[place].expected), heights.collect())
        });
        let drawn: Vec<_> = drawn.collect();
        let points = course.at.len().div_ceil(each);
        let plot = Plot::of(&labels, points);
        Some(Self {
            told: told(course, lines, &values),
            legend: legend(fonts, lines, &drawn),
            note: fonts.line(&format!("{} ", note(course.per, each, hidden)), LABEL),
            ticks: ticks(fonts, clock, course, each, &plot),
            lines: drawn,
            labels,
            points,
        })
    }

    pub(super) fn height(&self) -> f32 {
        let rows = number_of(self.legend.len() + 1);
        rows * LABEL.leading() + LABEL_GAP + LABEL.leading() + PLOT_HEIGHT + TICKS_HEIGHT
    }

    pub(super) fn draw(self, sheets: &mut Sheets<'_>, of: PartId) {
        sheets.make_room(self.height());
        let part = Some(sheets.part(of, Tag::Figure(Some(self.told))));
        let plot = Plot::of(&self.labels, self.points);
        sheets.text((LEFT, sheets.y), self.note, part);
        sheets.y += LABEL.leading();
        for row in self.legend {
            for (x, stroke, title) in row {
                entry(sheets, x, stroke, title, part);
            }
            sheets.y += LABEL.leading();
        }
        sheets.y += LABEL_GAP + LABEL.leading() / 2.0;
        let foot = sheets.y + PLOT_HEIGHT;
        let [bottom, middle, top] = self.labels;
        level(sheets, &plot, foot, bottom, LINE_STRONG, part);
        level(sheets, &plot, foot - PLOT_HEIGHT / 2.0, middle, LINE, part);
        level(sheets, &plot, foot - PLOT_HEIGHT, top, LINE, part);
        for (x, tick) in self.ticks {
            sheets.text((x, foot + LABEL_GAP), tick, part);
        }
        for (stroke, heights) in self.lines {
            course(sheets, &plot, foot, &stroke, &heights, part);
        }
        sheets.y = foot + TICKS_HEIGHT;
    }
}

/// Where the points of a chart stand.
struct Plot {
    left: f32,
    slot: f32,
}

impl Plot {
    fn of(labels: &[Line; 3], points: usize) -> Self {
        let widest = labels.iter().map(|label| label.width).fold(0.0, f32::max);
        let left = LEFT + widest + LABEL_GAP;
        let slot = (RIGHT - left) / number_of(points.max(1));
        Self { left, slot }
    }

    fn x(&self, point: usize) -> f32 {
        self.left + self.slot * (number_of(point) + 0.5)
    }
}

/// Which number stands at the bottom and which at the top.
struct Scale {
    bottom: f64,
    top: f64,
}

impl Scale {
    fn of(unit: ReportUnit, values: impl Iterator<Item = f64>) -> Option<Self> {
        let (least, greatest) = values.fold(None, |bounds, value| {
            let (least, greatest) = bounds.unwrap_or((value, value));
            Some((value.min(least), value.max(greatest)))
        })?;
        let (bottom, top) = if least < 0.0 && greatest > 0.0 {
            // Nothing stands in the middle.
            let farthest = ceiling(unit, greatest.max(-least));
            (-farthest, farthest)
        } else if least < 0.0 {
            (-ceiling(unit, -least), 0.0)
        } else if unit == ReportUnit::Share && least >= NEARLY_ALL && greatest <= 1.0 {
            // From nothing on, all availabilities would be one line.
            (1.0 - ceiling(unit, 1.0 - least), 1.0)
        } else {
            (0.0, ceiling(unit, greatest))
        };
        Some(Self { bottom, top })
    }

    /// How high a number stands: 0 at the bottom, 1 at the top.
    fn height(&self, value: f64) -> f32 {
        // Halved first, so that even the greatest numbers have a difference.
        let part = (value / 2.0 - self.bottom / 2.0) / (self.top / 2.0 - self.bottom / 2.0);
        let part = if part.is_finite() {
            part.clamp(0.0, 1.0)
        } else {
            0.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "between 0 and 1; it loses digits that nobody sees"
        )]
        let part = part as f32;
        part
    }

    fn label(&self, unit: ReportUnit, part: f64) -> String {
        let value = self.bottom * (1.0 - part) + self.top * part;
        if value == 0.0 {
            return "0".to_owned();
        }
        let written = number(unit, value);
        let (digits, unit) = written.split_once(' ').unwrap_or((&written, ""));
        let digits = match digits.contains('.') && !digits.contains('e') {
            true => digits.trim_end_matches('0').trim_end_matches('.'),
            false => digits,
        };
        format!("{digits} {unit}").trim_end().to_owned()
    }
}

/// The next round number at or above, so that the scale reads well.
fn ceiling(unit: ReportUnit, value: f64) -> f64 {
    let (least, step) = match unit {
        ReportUnit::Share | ReportUnit::Change => (0.01, 1.0),
        ReportUnit::Seconds => {
            let units = [86_400.0, 3_600.0, 60.0];
            (
                4.0,
                units.into_iter().find(|length| value >= *length).unwrap_or(1.0),
            )
        }
        _ => (4.0, 1.0),
    };
    if value <= least {
        return least;
    }
    let value = value / step;
    let magnitude = 10_f64.powf(value.log10().floor());
    let round = ROUND.into_iter().map(|factor| factor * magnitude);
    let above = round.into_iter().find(|round| *round >= value).unwrap_or(value);
    (above * step).min(f64::MAX)
}

/// A number for each point: the greatest of its spans, so that peaks stay.
fn thinned(line: &ReportLine, spans: usize, each: usize) -> Vec<Option<f64>> {
    let numbers = line
        .values
        .iter()
        .map(|cell| cell.number.filter(|number| number.is_finite()));
    let numbers: Vec<_> = numbers.chain(std::iter::repeat(None)).take(spans).collect();
    let greatest = |numbers: &[Option<f64>]| numbers.iter().copied().flatten().reduce(f64::max);
    numbers.chunks(each).map(greatest).collect()
}

fn stroke(place: usize, is_expected: bool) -> Stroke {
    // From the fifth line on, colours come again, with other dashes.
    let dashes = DASHES[(place + place / COLOURS.len()) % DASHES.len()];
    Stroke {
        colour: COLOURS[place % COLOURS.len()],
        width: 1.3,
        dashes: if is_expected && dashes.is_empty() {
            EXPECTED
        } else {
            dashes
        },
    }
}

fn note(per: Granularity, each: usize, hidden: usize) -> String {
    let span = span(per);
    let mut note = match each {
        1 => format!("per {span}"),
        _ => format!("per {span}; each point is the greatest of {each} {span}s"),
    };
    if hidden > 0 {
        note.push_str(&format!("; {hidden} more lines are not shown"));
    }
    note
}

/// What the lines say, in words.
fn told(course: &Course<'_>, lines: &[ReportLine], values: &[Vec<Option<f64>>]) -> String {
    let mut told = format!("Line chart: {} per {}.", course.title, span(course.per));
    for (line, values) in lines.iter().zip(values) {
        let known = || values.iter().copied().flatten();
        let bounds = known().reduce(f64::min).zip(known().reduce(f64::max));
        let bounds = bounds.map_or_else(
            || "no numbers".to_owned(),
            |(least, greatest)| {
                let (least, greatest) = (number(course.unit, least), number(course.unit, greatest));
                format!("between {least} and {greatest}")
            },
        );
        told.push_str(&format!(" {}: {bounds}.", line.title));
    }
    told
}

/// The legend, in as many rows as it takes.
fn legend(
    fonts: &Fonts,
    lines: &[ReportLine],
    drawn: &[(Stroke, Vec<Option<f32>>)],
) -> Vec<Vec<(f32, Stroke, Line)>> {
    let mut rows: Vec<Vec<_>> = Vec::new();
    let mut x = RIGHT;
    for (line, (stroke, _)) in lines.iter().zip(drawn) {
        let title = fonts.cut(&line.title, LABEL, LEGEND_WIDTH_MAX);
        // What is read aloud next is another title.
        let title = fonts.line(&format!("{} ", title.text), LABEL);
        let width = SAMPLE + LABEL_GAP + title.width;
        if x + width > RIGHT {
            rows.push(Vec::new());
            x = LEFT;
        }
        if let Some(row) = rows.last_mut() {
            row.push((x, stroke.clone(), title));
        }
        x += width + LEGEND_GAP;
    }
    rows
}

/// The labels below some of the points, and where they begin.
fn ticks(fonts: &Fonts, clock: &Clock, course: &Course<'_>, each: usize, plot: &Plot) -> Vec<(f32, Line)> {
    let every = course.at.chunks(each).len().div_ceil(TICKS_MAX).max(1);
    let (first, last) = (course.at.first(), course.at.last());
    let day = 24 * domain::time::HOUR_MICROS;
    let length = first.zip(last).map_or(0, |(first, last)| {
        last.as_micros().saturating_sub(first.as_micros())
    });
    let points = course.at.chunks(each).enumerate().step_by(every);
    let ticks = points.filter_map(|(point, spans)| {
        let written = clock.tick(*spans.first()?, course.per, length >= day);
        let line = fonts.line(&format!("{written} "), LABEL);
        let begin = plot.x(point) - line.width / 2.0;
        Some((begin.min(RIGHT - line.width).max(LEFT), line))
    });
    ticks.collect()
}

/// A line of the legend.
fn entry(sheets: &mut Sheets<'_>, x: f32, stroke: Stroke, title: Line, part: Option<PartId>) {
    let middle = sheets.y + LABEL.leading() / 2.0;
    let sample = vec![(x, middle), (x + SAMPLE, middle)];
    sheets.draw(Shape::Path(sample, stroke), part);
    sheets.text((x + SAMPLE + LABEL_GAP, sheets.y), title, part);
}

/// A line from the left to the right, with the number that stands for this height.
fn level(sheets: &mut Sheets<'_>, plot: &Plot, y: f32, label: Line, colour: Colour, part: Option<PartId>) {
    let stroke = Stroke {
        colour,
        width: 0.5,
        dashes: &[],
    };
    sheets.draw(Shape::Path(vec![(plot.left, y), (RIGHT, y)], stroke), part);
    let above = y - LABEL.leading() / 2.0;
    sheets.text_before((plot.left - LABEL_GAP, above), label, part);
}

/// Draws a line: broken where there is no number, a dot where one stands alone.
fn course(
    sheets: &mut Sheets<'_>,
    plot: &Plot,
    foot: f32,
    stroke: &Stroke,
    heights: &[Option<f32>],
    part: Option<PartId>,
) {
    let mut open: Vec<Spot> = Vec::new();
    let ends = heights.iter().copied().chain([None]).enumerate();
    for (point, height) in ends {
        if let Some(height) = height {
            open.push((plot.x(point), foot - PLOT_HEIGHT * height));
            continue;
        }
        let shape = match open.as_slice() {
            [] => continue,
            [alone] => Shape::Dot(*alone, DOT, stroke.colour),
            _ => Shape::Path(std::mem::take(&mut open), stroke.clone()),
        };
        sheets.draw(shape, part);
        open.clear();
    }
}

fn number_of(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}
