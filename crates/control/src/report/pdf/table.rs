//! Tables: as many rows on a page as there is room for, each page with the header.

use domain::report::{ReportColumn, ReportRow, ReportUnit};
use krilla::tagging::{TableHeaderScope, Tag};

use super::sheet::{INK, INK_2, LEFT, LINE, LINE_STRONG, PartId, ROOM, Sheets};
use super::text::{Fonts, Line, Style, Weight};
use super::written::{Clock, count, is_number};

/// More than these are not shown: nobody could read them.
const COLUMNS_MAX: usize = 16;
/// From so many columns on, a smaller font is tried first.
const MANY_COLUMNS: usize = 8;
/// The sizes of the font that are tried, the first for tables of few columns.
const SIZES: [f32; 5] = [8.5, 7.5, 6.8, 6.0, 5.2];
const HEADER_LINES_MAX: usize = 3;
const CELL_LINES_MAX: usize = 4;
/// A word that is wider than so many times the size of its font may be broken so that others have room,
const WORD: f32 = 7.5;
/// and no cell is given more room than this while others want some.
const WIDE: f32 = 34.0;
/// Above and below a row.
const PADDING: f32 = 2.6;
/// Stands where there is nothing.
const NOTHING: &str = "–";

/// A table that is ready to be drawn.
pub(super) struct Table {
    columns: Vec<Column>,
    header: Vec<Vec<Line>>,
    rows: Vec<Vec<Vec<Line>>>,
    /// What is said below it.
    note: String,
    body: Style,
}

/// A column and the room that it has.
#[derive(Debug, Clone, Copy)]
struct Column {
    is_number: bool,
    left: f32,
    width: f32,
}

/// How wide a column would like to be, and must be so that only texts are wrapped.
#[derive(Debug, Clone, Copy)]
struct Wish {
    least: f32,
    whole: f32,
}

impl Table {
    /// A table; one without rows or columns says what is told if there is nothing.
    pub(super) fn new(
        fonts: &Fonts,
        clock: &Clock,
        columns: &[ReportColumn],
        rows: &[ReportRow],
        left_out: u64,
    ) -> Self {
        let hidden = columns.len().saturating_sub(COLUMNS_MAX);
        let hidden_note = (hidden > 0).then(|| format!("{hidden} more columns are not shown"));
        let notes = [left_out_note(left_out), hidden_note].into_iter().flatten();
        let note = notes.collect::<Vec<_>>().join("; ");
        let columns = &columns[..columns.len() - hidden];
        let cells: Vec<Vec<String>> = rows.iter().map(|row| written(clock, columns, row)).collect();
        let (size, widths) = fitted(fonts, columns, &cells);
        let (head, body) = styles(size);
        let columns_at = placed(columns, &widths, size);
        let line = |text: &str, column: &Column, style: Style, lines_max: usize| match column.is_number
            && style.weight == Weight::Regular
        {
            true => vec![fonts.cut(text, style, column.width)],
            false => fonts.wrap(text, style, column.width, lines_max),
        };
        let titles = columns.iter().zip(&columns_at);
        let header = titles.map(|(column, at)| line(&column.title, at, head, HEADER_LINES_MAX));
        let rows = cells.iter().map(|cells| {
            let cells = cells.iter().zip(&columns_at);
            cells
                .map(|(cell, at)| line(cell, at, body, CELL_LINES_MAX))
                .collect()
        });
        Self {
            header: header.collect(),
            rows: rows.collect(),
            columns: columns_at,
            note,
            body,
        }
    }

    /// How high the header and the first two rows are.
    pub(super) fn first(&self) -> f32 {
        let rows = self.rows.iter().take(2).map(|row| height(row, self.body));
        height(&self.header, self.body) + rows.sum::<f32>()
    }

    pub(super) fn draw(self, sheets: &mut Sheets<'_>, of: PartId, note: Style) {
        let table = sheets.part(of, Tag::Table);
        let head = sheets.part(table, Tag::THead);
        let head = sheets.part(head, Tag::TR);
        let cell = |_| Some(sheets.part(head, Tag::TH(TableHeaderScope::Column)));
        let cells: Vec<_> = self.header.iter().map(cell).collect();
        let body = sheets.part(table, Tag::TBody);
        self.draw_header(sheets, &cells);
        for row in &self.rows {
            if !sheets.has_room(height(row, self.body)) {
                sheets.new_page();
                // Read aloud, it would stand in the middle of the rows.
                self.draw_header(sheets, &[]);
            }
            let part = sheets.part(body, Tag::TR);
            let cells: Vec<_> = row.iter().map(|_| Some(sheets.part(part, Tag::TD))).collect();
            self.draw_row(sheets, row, &cells);
            sheets.rule(sheets.y, LINE, 0.5);
        }
        if !self.note.is_empty() {
            sheets.y += 5.0;
            sheets.paragraph(of, &self.note, note);
        }
    }

    fn draw_header(&self, sheets: &mut Sheets<'_>, parts: &[Option<PartId>]) {
        self.draw_row(sheets, &self.header, parts);
        sheets.rule(sheets.y, LINE_STRONG, 0.8);
    }

    fn draw_row(&self, sheets: &mut Sheets<'_>, row: &[Vec<Line>], parts: &[Option<PartId>]) {
        for (place, (lines, column)) in row.iter().zip(&self.columns).enumerate() {
            let part = parts.get(place).copied().flatten();
            let mut y = sheets.y + PADDING;
            for line in lines {
                let leading = line.style.leading();
                match column.is_number {
                    true => sheets.text_before((column.left + column.width, y), line.clone(), part),
                    false => sheets.text((column.left, y), line.clone(), part),
                }
                y += leading;
            }
        }
        sheets.y += height(row, self.body);
    }
}

fn left_out_note(left_out: u64) -> Option<String> {
    (left_out > 0).then(|| format!("and {} more", count(left_out)))
}

fn styles(size: f32) -> (Style, Style) {
    let head = Style {
        weight: Weight::Bold,
        size,
        colour: INK_2,
    };
    let body = Style {
        weight: Weight::Regular,
        size,
        colour: INK,
    };
    (head, body)
}

fn height(row: &[Vec<Line>], style: Style) -> f32 {
    let heights = row
        .iter()
        .map(|lines| lines.iter().map(|line| line.style.leading()).sum());
    heights.fold(style.leading(), f32::max) + 2.0 * PADDING
}

/// A cell for every column, even if the row has fewer or more.
fn written(clock: &Clock, columns: &[ReportColumn], row: &ReportRow) -> Vec<String> {
    let cells = columns.iter().enumerate().map(|(place, column)| {
        let cell = row.cells.get(place);
        let text = cell.map(|cell| clock.cell(column.unit, cell));
        // A moment has one place where it may be wrapped: before its hour.
        let text = text.map(|text| match column.unit {
            ReportUnit::Moment => text.replace(' ', "\u{a0}").replace(",\u{a0}", ", "),
            _ => text,
        });
        text.filter(|text| !text.trim().is_empty())
            .unwrap_or_else(|| NOTHING.to_owned())
    });
    cells.collect()
}

/// The greatest size of the font in which no number is cut, and how wide the columns are in it.
fn fitted(fonts: &Fonts, columns: &[ReportColumn], cells: &[Vec<String>]) -> (f32, Vec<f32>) {
    let sizes = &SIZES[usize::from(columns.len() >= MANY_COLUMNS)..];
    let [first, .., last] = SIZES;
    // All widths grow with the size.
    let wishes = wishes(fonts, columns, cells, first);
    let at = |size: f32| {
        let scaled = wishes.iter().map(|wish| Wish {
            least: wish.least * size / first,
            whole: wish.whole * size / first,
        });
        let scaled: Vec<_> = scaled.collect();
        let room = ROOM - gap(size) * number(columns.len().saturating_sub(1));
        (scaled, room)
    };
    let fits = sizes.iter().copied().find(|size| {
        let (wishes, room) = at(*size);
        wishes.iter().map(|wish| wish.least).sum::<f32>() <= room
    });
    let size = fits.unwrap_or(last);
    let (wishes, room) = at(size);
    (size, shared(columns, &wishes, room))
}

/// Between two columns.
fn gap(size: f32) -> f32 {
    size * 1.2
}

fn wishes(fonts: &Fonts, columns: &[ReportColumn], cells: &[Vec<String>], size: f32) -> Vec<Wish> {
    let (head, body) = styles(size);
    let wish = |(place, column): (usize, &ReportColumn)| {
        let widest = |texts: &mut dyn Iterator<Item = f32>| texts.fold(0.0, f32::max);
        let title = fonts.cut(&column.title, head, size * WIDE).width;
        let words = column.title.split_whitespace();
        let title_word = widest(&mut words.map(|word| fonts.cut(word, head, size * WORD).width));
        let texts = || cells.iter().filter_map(|row| row.get(place));
        let cell = widest(&mut texts().map(|text| fonts.cut(text, body, size * WIDE).width));
        let words = || texts().flat_map(|text| text.split(' '));
        let least = match is_number(column.unit) {
            true => cell,
            false => widest(&mut words().map(|word| fonts.cut(word, body, size * WORD).width)),
        };
        Wish {
            least: least.max(title_word),
            whole: cell.max(title),
        }
    };
    columns.iter().enumerate().map(wish).collect()
}

/// Shares a width among columns.
fn shared(columns: &[ReportColumn], wishes: &[Wish], room: f32) -> Vec<f32> {
    let least: f32 = wishes.iter().map(|wish| wish.least).sum();
    let whole: f32 = wishes.iter().map(|wish| wish.whole).sum();
    if whole <= room {
        return grown(columns, wishes, room - whole);
    }
    if least >= room {
        return wishes.iter().map(|wish| wish.least * room / least).collect();
    }
    // What is beyond the least is shared by who would like more.
    let part = (room - least) / (whole - least);
    let width = |wish: &Wish| wish.least + (wish.whole - wish.least) * part;
    wishes.iter().map(width).collect()
}

/// Gives what is left over to the texts, or to all columns if there is none, so that a table is as wide as the page.
fn grown(columns: &[ReportColumn], wishes: &[Wish], left: f32) -> Vec<f32> {
    let texts = columns.iter().filter(|column| !is_number(column.unit)).count();
    let takes = |column: &ReportColumn| texts == 0 || !is_number(column.unit);
    let each = left / number(if texts == 0 { columns.len() } else { texts }.max(1));
    let widths = columns.iter().zip(wishes).map(|(column, wish)| {
        let more = if takes(column) { each } else { 0.0 };
        wish.whole + more
    });
    widths.collect()
}

fn placed(columns: &[ReportColumn], widths: &[f32], size: f32) -> Vec<Column> {
    let mut left = LEFT;
    let placed = columns.iter().zip(widths).map(|(column, width)| {
        let at = Column {
            is_number: is_number(column.unit),
            left,
            width: *width,
        };
        left += width + gap(size);
        at
    });
    placed.collect()
}

fn number(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}
