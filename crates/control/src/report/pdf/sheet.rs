//! The pages of a report before they are written: what stands where, and what it is to those who have them read aloud.

use krilla::tagging::{Tag, TagKind};

use super::text::{Fonts, Line, Style};

/// A4, portrait, in points.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
pub(super) const LEFT: f32 = 48.0;
pub(super) const RIGHT: f32 = WIDTH - 48.0;
/// What is between the margins.
pub(super) const ROOM: f32 = RIGHT - LEFT;
const TOP: f32 = 50.0;
const BOTTOM: f32 = HEIGHT - 62.0;
/// Where the foot of a page stands.
const FOOT: f32 = HEIGHT - 34.0;

pub(super) const INK: Colour = Colour(0x1a, 0x1f, 0x24);
pub(super) const INK_2: Colour = Colour(0x54, 0x5c, 0x63);
pub(super) const LINE: Colour = Colour(0xe3, 0xe3, 0xdc);
pub(super) const LINE_STRONG: Colour = Colour(0xa9, 0xab, 0xa4);
pub(super) const ACCENT: Colour = Colour(0x0b, 0x65, 0x77);
pub(super) const BAD: Colour = Colour(0xb3, 0x26, 0x1e);
pub(super) const WARN: Colour = Colour(0x8a, 0x52, 0x00);

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour(pub(super) u8, pub(super) u8, pub(super) u8);

/// A line that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stroke {
    pub(super) colour: Colour,
    pub(super) width: f32,
    /// Lengths of line and gap in turn; empty if it has no gaps.
    pub(super) dashes: &'static [f32],
}

/// A point of a page, from its upper left corner.
pub(super) type Spot = (f32, f32);

/// What is drawn.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A text that begins there, on the line on which letters stand.
    Text(Spot, Line),
    /// A line through these.
    Path(Vec<Spot>, Stroke),
    /// A dot as wide as this around a point.
    Dot(Spot, f32, Colour),
}

/// A part of the report to those who have it read aloud.
pub(super) type PartId = usize;

/// What all parts belong to.
pub(super) const WHOLE: PartId = 0;

/// Something on a page.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) shape: Shape,
    /// What it belongs to; nothing if it only adorns the page.
    pub(super) part: Option<PartId>,
}

/// A part of the report and those that it is made of.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) tag: TagKind,
    pub(super) parts: Vec<PartId>,
}

/// The pages of a report, written from the top to the bottom.
pub(super) struct Sheets<'a> {
    pub(super) fonts: &'a Fonts,
    pub(super) pages: Vec<Vec<Mark>>,
    pub(super) parts: Vec<Part>,
    /// The upper edge of what comes next.
    pub(super) y: f32,
}

impl<'a> Sheets<'a> {
    /// An empty page.
    pub(super) fn new(fonts: &'a Fonts) -> Self {
        let whole = Part {
            tag: Tag::Section.into(),
            parts: Vec::new(),
        };
        Self {
            fonts,
            pages: vec![Vec::new()],
            parts: vec![whole],
            y: TOP,
        }
    }

    /// Begins a part of another.
    pub(super) fn part(&mut self, of: PartId, tag: impl Into<TagKind>) -> PartId {
        let id = self.parts.len();
        self.parts.push(Part {
            tag: tag.into(),
            parts: Vec::new(),
        });
        self.parts[of].parts.push(id);
        id
    }

    /// Whether something of this height is still to stand on this page: nothing is moved to where it has not more room.
    pub(super) fn has_room(&self, height: f32) -> bool {
        self.y + height <= BOTTOM || self.is_at_top()
    }

    /// Goes on to a new page if something of this height has no room on this one.
    pub(super) fn make_room(&mut self, height: f32) {
        if !self.has_room(height) {
            self.new_page();
        }
    }

    pub(super) fn new_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    pub(super) fn is_at_top(&self) -> bool {
        self.y <= TOP
    }

    /// Leaves a gap, but not at the top of a page.
    pub(super) fn gap(&mut self, height: f32) {
        if !self.is_at_top() {
            self.y += height;
        }
    }

    pub(super) fn draw(&mut self, shape: Shape, part: Option<PartId>) {
        if let Some(page) = self.pages.last_mut() {
            page.push(Mark { shape, part });
        }
    }

    /// A line of text whose upper edge is there.
    pub(super) fn text(&mut self, (x, y): Spot, line: Line, part: Option<PartId>) {
        let foot = y + line.style.ascent();
        self.draw(Shape::Text((x, foot), line), part);
    }

    /// The same, ending at `x`.
    pub(super) fn text_before(&mut self, (x, y): Spot, line: Line, part: Option<PartId>) {
        self.text((x - line.width, y), line, part);
    }

    /// A line from the left to the right that only adorns.
    pub(super) fn rule(&mut self, y: f32, colour: Colour, width: f32) {
        let stroke = Stroke {
            colour,
            width,
            dashes: &[],
        };
        self.draw(Shape::Path(vec![(LEFT, y), (RIGHT, y)], stroke), None);
    }

    /// A text over the whole width, on as many lines and pages as it takes.
    pub(super) fn paragraph(&mut self, of: PartId, text: &str, style: Style) {
        let lines = self.fonts.wrap(text, style, ROOM, usize::MAX);
        self.lines(of, Tag::P, lines);
    }

    /// Lines below each other; nothing if there is none.
    pub(super) fn lines(&mut self, of: PartId, tag: impl Into<TagKind>, lines: Vec<Line>) {
        if lines.is_empty() {
            return;
        }
        let part = Some(self.part(of, tag));
        for line in lines {
            let height = line.style.leading();
            self.make_room(height);
            self.text((LEFT, self.y), line, part);
            self.y += height;
        }
    }

    /// Writes the foot of every page, once it is known how many there are.
    pub(super) fn feet(&mut self, style: Style, title: &str) {
        let count = self.pages.len();
        for (index, page) in self.pages.iter_mut().enumerate() {
            let number = self
                .fonts
                .line(&format!(" · page {} of {count}", index + 1), style);
            let room = ROOM - number.width;
            let title = self.fonts.cut(&format!("Gateline · {title}"), style, room);
            let after = LEFT + title.width;
            for (x, line) in [(LEFT, title), (after, number)] {
                let shape = Shape::Text((x, FOOT), line);
                page.push(Mark { shape, part: None });
            }
        }
    }
}
