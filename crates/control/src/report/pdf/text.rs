//! The fonts, and lines of text that are ready to be drawn.
//!
//! Texts come from users: whatever they hold is drawn, if need be as the box that stands for a missing character.

use std::borrow::Cow;
use std::ops::Range;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, GlyphBuffer, ShapePlan, UnicodeBuffer};
use unicode_bidi::ParagraphBidiInfo;

use super::sheet::Colour;

/// Says that a text goes on.
const ELLIPSIS: char = '…';
/// No line holds more characters, so that a word without end is not measured to its end for each line.
const LINE_CHARS_MAX: usize = 400;
/// All characters before this one are of one script (Unicode, the block "IPA Extensions").
const LATIN_END: char = '\u{250}';
/// From here on there are scripts that are written from right to left (Unicode, the block "Hebrew").
const FIRST_RIGHT_TO_LEFT: char = '\u{590}';

/// Which of the fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub(super) weight: Weight,
    pub(super) size: f32,
    pub(super) colour: Colour,
}

impl Style {
    /// From one line to the next.
    pub(super) fn leading(self) -> f32 {
        self.size * 1.35
    }

    /// From the upper edge of a line to the foot of its letters.
    pub(super) fn ascent(self) -> f32 {
        self.size * 1.02
    }
}

/// A line of text that is ready to be drawn.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) glyphs: Vec<KrillaGlyph>,
    pub(super) style: Style,
    /// Without the space at its end, if there is one.
    pub(super) width: f32,
}

struct Face {
    /// What is embedded: only the characters that are used.
    font: Font,
    /// What says which glyph stands where.
    shapes: rustybuzz::Face<'static>,
    /// How it does that for nearly all texts; to find that out takes longer than to do it.
    latin: ShapePlan,
}

impl Face {
    fn new(data: &'static [u8]) -> Option<Self> {
        let shapes = rustybuzz::Face::from_slice(data, 0)?;
        let script = Some(rustybuzz::script::LATIN);
        let latin = ShapePlan::new(&shapes, Direction::LeftToRight, script, None, &[]);
        Some(Self {
            font: Font::new(data.into(), 0)?,
            shapes,
            latin,
        })
    }

    /// The glyphs of a text that is written in one direction.
    fn shaped(&self, text: &str, direction: Direction) -> GlyphBuffer {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        if text.chars().all(|c| c < LATIN_END) {
            buffer.set_direction(Direction::LeftToRight);
            buffer.set_script(rustybuzz::script::LATIN);
            return rustybuzz::shape_with_plan(&self.shapes, &self.latin, buffer);
        }
        buffer.guess_segment_properties();
        buffer.set_direction(direction);
        rustybuzz::shape(&self.shapes, &[], buffer)
    }
}

/// The fonts of all reports.
pub(super) struct Fonts {
    regular: Face,
    bold: Face,
}

impl Fonts {
    /// Reads those that are built in; nothing if they are broken.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            regular: Face::new(dejavu::sans_condensed::regular())?,
            bold: Face::new(dejavu::sans_condensed::bold())?,
        })
    }

    pub(super) fn font(&self, weight: Weight) -> Font {
        self.face(weight).font.clone()
    }

    fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    /// A text as one line, however long that is.
    pub(super) fn line(&self, text: &str, style: Style) -> Line {
        let text = clean(text);
        let face = self.face(style.weight);
        let mut glyphs = Vec::with_capacity(text.len());
        for (run, direction) in runs(&text) {
            shape(face, &text, run, direction, &mut glyphs);
        }
        let end = text.trim_end().len();
        let advances = glyphs.iter().filter(|glyph| glyph.text_range.start < end);
        let width = advances.map(|glyph| glyph.x_advance).sum::<f32>() * style.size;
        Line {
            text: text.into_owned(),
            glyphs,
            style,
            width,
        }
    }

    pub(super) fn width(&self, text: &str, style: Style) -> f32 {
        self.line(text, style).width
    }

    /// A text as one line that is no wider than this; an ellipsis stands for what there is no room for.
    pub(super) fn cut(&self, text: &str, style: Style, width: f32) -> Line {
        let text = clean(text);
        let start = &text[..bytes_of(&text, LINE_CHARS_MAX)];
        let whole = self.line(start, style);
        if whole.width <= width && start.len() == text.len() {
            return whole;
        }
        let ellipsis = self.line("…", style);
        if ellipsis.width > width {
            return self.line("", style);
        }
        let fits = fitting(&whole, width - ellipsis.width).unwrap_or(0);
        let kept = start[..fits].trim_end();
        self.line(&format!("{kept}{ELLIPSIS}"), style)
    }

    /// A text as lines that are no wider than this, and at most so many: the last ends with an ellipsis if that is not
    /// enough. A text of nothing has no line.
    pub(super) fn wrap(&self, text: &str, style: Style, width: f32, lines_max: usize) -> Vec<Line> {
        let text = clean(text);
        let text = text.trim();
        let mut lines = Vec::new();
        let mut rest = text;
        while !rest.is_empty() && lines.len() < lines_max {
            let first = self.first_line(rest, style, width);
            if lines.len() + 1 == lines_max && first < rest.len() {
                lines.push(self.cut(rest, style, width));
                break;
            }
            let (line, after) = rest.split_at(first);
            // The space at its end stays, so that who reads the text without its form does not join words.
            let line = match after.starts_with(' ') {
                true => Cow::Owned(format!("{line} ")),
                false => Cow::Borrowed(line),
            };
            lines.push(self.line(&line, style));
            rest = after.trim_start();
        }
        lines
    }

    /// How many bytes of a text that does not begin with a space stand in its first line: at least one character.
    fn first_line(&self, text: &str, style: Style, width: f32) -> usize {
        let space = self.width("n n", style) - self.width("nn", style);
        let mut end = 0;
        let mut filled = 0.0;
        for word in text.split(' ') {
            let start = if end == 0 { 0 } else { end + 1 };
            let before = if end == 0 { 0.0 } else { filled + space };
            let shown = &word[..bytes_of(word, LINE_CHARS_MAX)];
            let line = self.line(shown, style);
            if before + line.width <= width && shown.len() == word.len() {
                filled = before + line.width;
                end = start + word.len();
            } else if end == 0 {
                return broken(word, fitting(&line, width));
            } else {
                return end;
            }
        }
        end
    }
}

/// Where a word that is too long is broken: behind a mark that divides it if there is one, else where the room ends.
fn broken(word: &str, fits: Option<usize>) -> usize {
    let first = bytes_of(word, 1);
    let fits = fits.unwrap_or_else(|| bytes_of(word, LINE_CHARS_MAX)).max(first);
    let mark = word[..fits].rfind(['/', '-', '_', '.', ',', '&', '?', '=']);
    mark.map(|mark| mark + 1)
        .filter(|end| *end > fits / 2)
        .unwrap_or(fits)
}

/// How many bytes of a line fit into a width; nothing if all do.
fn fitting(line: &Line, width: f32) -> Option<usize> {
    let mut glyphs: Vec<_> = line.glyphs.iter().collect();
    // Those of scripts from right to left stand the other way round.
    glyphs.sort_by_key(|glyph| glyph.text_range.start);
    let mut filled = 0.0;
    for glyph in glyphs {
        filled += glyph.x_advance * line.style.size;
        if filled > width {
            return Some(glyph.text_range.start);
        }
    }
    None
}

/// The length in bytes of the first so many characters.
fn bytes_of(text: &str, characters: usize) -> usize {
    text.char_indices()
        .nth(characters)
        .map_or(text.len(), |(end, _)| end)
}

/// A text without line breaks and other characters that are not to be seen.
///
/// Those that turn the direction of a text are left out as well: they make it look like another (CVE-2021-42574).
fn clean(text: &str) -> Cow<'_, str> {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks =
        |c: char| c.is_control() || (c.is_whitespace() && c != ' ' && c != '\u{a0}' && c != '\u{202f}');
    if !text.contains(|c| turns(c) || breaks(c)) && !text.contains("  ") {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !turns(*c)) {
        let c = if breaks(c) { ' ' } else { c };
        if c != ' ' || !cleaned.ends_with(' ') {
            cleaned.push(c);
        }
    }
    Cow::Owned(cleaned)
}

/// The parts of a text that are written in one direction, from left to right.
fn runs(text: &str) -> Vec<(Range<usize>, Direction)> {
    if text.chars().all(|c| c < FIRST_RIGHT_TO_LEFT) {
        return vec![(0..text.len(), Direction::LeftToRight)];
    }
    let directions = ParagraphBidiInfo::new(text, None);
    let (levels, runs) = directions.visual_runs(0..text.len());
    let runs = runs.into_iter().map(|run| {
        let is_turned = levels.get(run.start).is_some_and(unicode_bidi::Level::is_rtl);
        let direction = match is_turned {
            true => Direction::RightToLeft,
            false => Direction::LeftToRight,
        };
        (run, direction)
    });
    runs.collect()
}

/// Adds the glyphs of a part of a text.
fn shape(face: &Face, text: &str, run: Range<usize>, direction: Direction, glyphs: &mut Vec<KrillaGlyph>) {
    let shaped = face.shaped(&text[run.clone()], direction);
    let start = |info: &rustybuzz::GlyphInfo| run.start + usize::try_from(info.cluster).unwrap_or(0);
    let mut starts: Vec<_> = shaped.glyph_infos().iter().map(start).collect();
    starts.sort_unstable();
    starts.dedup();
    let em = f32::from(u16::try_from(face.shapes.units_per_em()).unwrap_or(1).max(1));
    #[expect(clippy::cast_precision_loss, reason = "font units are exact up to 2^24")]
    let ems = |units: i32| units as f32 / em;
    for (info, position) in shaped.glyph_infos().iter().zip(shaped.glyph_positions()) {
        let begin = start(info);
        let after = starts.partition_point(|other| *other <= begin);
        let end = starts.get(after).copied().unwrap_or(run.end);
        glyphs.push(KrillaGlyph::new(
            GlyphId::new(info.glyph_id),
            ems(position.x_advance),
            ems(position.x_offset),
            ems(position.y_offset),
            ems(position.y_advance),
            begin..end,
            None,
        ));
    }
}
