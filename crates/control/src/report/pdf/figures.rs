//! Figures: a grid of boxes.

use domain::report::ReportFigure;
use krilla::tagging::Tag;

use super::sheet::{INK, INK_2, LEFT, LINE_STRONG, PartId, ROOM, Shape, Sheets, Stroke};
use super::text::{Fonts, Line, Style, Weight};
use super::written::{Clock, since};

/// Boxes beside each other.
const BESIDE: usize = 4;
const BESIDE_WIDTH: f32 = 4.0;
const GAP: f32 = 8.0;
const PADDING: f32 = 8.0;
const WIDTH: f32 = (ROOM - GAP * (BESIDE_WIDTH - 1.0)) / BESIDE_WIDTH;
/// What is between the paddings.
const INSIDE: f32 = WIDTH - 2.0 * PADDING;

const TITLE: Style = Style {
    weight: Weight::Regular,
    size: 7.5,
    colour: INK_2,
};
/// A value is written smaller if it has no room.
const VALUE_SIZES: [f32; 3] = [16.0, 13.0, 10.5];
/// A text that has no room even so is wrapped.
const WRAPPED_SIZE: f32 = 8.5;
const WRAPPED_LINES_MAX: usize = 2;
const VALUE_HEIGHT: f32 = 23.0;
const SINCE: Style = Style {
    weight: Weight::Regular,
    size: 6.5,
    colour: INK_2,
};

/// A figure that is ready to be drawn.
struct Figure {
    title: Vec<Line>,
    value: Vec<Line>,
    since: Line,
}

/// Figures that are ready to be drawn.
pub(super) struct Figures {
    all: Vec<Figure>,
}

impl Figures {
    pub(super) fn new(fonts: &Fonts, clock: &Clock, figures: &[ReportFigure]) -> Self {
        let all = figures.iter().map(|figure| {
            let mut written = clock.cell(figure.unit, &figure.value);
            if written.is_empty() {
                "–".clone_into(&mut written);
            }
            Figure {
                title: fonts.wrap(&figure.title, TITLE, INSIDE, 2),
                value: value(fonts, &written),
                since: fonts.cut(&since(figure), SINCE, INSIDE),
            }
        });
        Self { all: all.collect() }
    }

    /// How high the first row is.
    pub(super) fn first(&self) -> f32 {
        self.all.chunks(BESIDE).next().map_or(0.0, height)
    }

    pub(super) fn draw(self, sheets: &mut Sheets<'_>, of: PartId) {
        for row in self.all.chunks(BESIDE) {
            let height = height(row);
            sheets.make_room(height);
            let mut x = LEFT;
            for figure in row {
                one(sheets, of, x, height, figure);
                x += WIDTH + GAP;
            }
            sheets.y += height + GAP;
        }
        sheets.y -= GAP;
    }
}

fn value(fonts: &Fonts, written: &str) -> Vec<Line> {
    let style = |size| Style {
        weight: Weight::Bold,
        size,
        colour: INK,
    };
    let mut sizes = VALUE_SIZES.into_iter().map(style);
    let fits = sizes.find(|style| fonts.width(written, *style) <= INSIDE);
    match fits {
        Some(style) => vec![fonts.line(written, style)],
        None => fonts.wrap(written, style(WRAPPED_SIZE), INSIDE, WRAPPED_LINES_MAX),
    }
}

fn titles_height(row: &[Figure]) -> f32 {
    let heights = row.iter().map(|figure| {
        let leading = |line: &Line| line.style.leading();
        figure.title.iter().map(leading).sum()
    });
    heights.fold(TITLE.leading(), f32::max)
}

fn height(row: &[Figure]) -> f32 {
    let has_since = row.iter().any(|figure| !figure.since.text.is_empty());
    let since = if has_since { SINCE.leading() } else { 0.0 };
    2.0 * PADDING + titles_height(row) + VALUE_HEIGHT + since
}

/// A box and what stands in it: the title above, the value below, so that the values of a row stand on one line.
fn one(sheets: &mut Sheets<'_>, of: PartId, x: f32, height: f32, figure: &Figure) {
    let part = Some(sheets.part(of, Tag::P));
    let y = sheets.y;
    frame(sheets, x, height);
    let inside = x + PADDING;
    let mut below = y + PADDING;
    for line in &figure.title {
        sheets.text((inside, below), spaced(sheets.fonts, line), part);
        below += TITLE.leading();
    }
    let foot = y + height
        - PADDING
        - if figure.since.text.is_empty() {
            0.0
        } else {
            SINCE.leading()
        };
    let mut above = foot - figure.value.iter().map(|line| line.style.leading()).sum::<f32>();
    for line in &figure.value {
        sheets.text((inside, above), spaced(sheets.fonts, line), part);
        above += line.style.leading();
    }
    if !figure.since.text.is_empty() {
        sheets.text((inside, foot), figure.since.clone(), part);
    }
}

/// With a space at its end, which divides it from what is read next.
fn spaced(fonts: &Fonts, line: &Line) -> Line {
    fonts.line(&format!("{} ", line.text), line.style)
}

fn frame(sheets: &mut Sheets<'_>, x: f32, height: f32) {
    let stroke = Stroke {
        colour: LINE_STRONG,
        width: 0.5,
        dashes: &[],
    };
    let (right, y) = (x + WIDTH, sheets.y);
    let corners = vec![(x, y), (right, y), (right, y + height), (x, y + height), (x, y)];
    sheets.draw(Shape::Path(corners, stroke), None);
}
