//! Writes pages as PDF, tagged so that they can be read aloud (ISO 32000-1, 14.8).

use krilla::Document;
use krilla::color::rgb;
use krilla::error::KrillaError;
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, LineCap, LineJoin, Stroke as PaintedStroke, StrokeDash};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ContentTag, Identifier, TagGroup, TagTree};

use super::sheet::{Colour, HEIGHT, Mark, Part, PartId, Shape, Sheets, Spot, Stroke, WHOLE, WIDTH};
use super::text::{Fonts, Line};

/// The language of what the reports say themselves.
pub(super) const LANGUAGE: &str = "en";

/// Writes pages, and what is known about them.
pub(super) fn document(sheets: &Sheets<'_>, metadata: Metadata) -> Result<Vec<u8>, KrillaError> {
    let mut document = Document::new();
    let mut drawn = vec![Vec::new(); sheets.parts.len()];
    for marks in &sheets.pages {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).unwrap_or_default();
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for marks in marks.chunk_by(|one, next| one.part == next.part) {
            together(&mut surface, sheets.fonts, marks, &mut drawn);
        }
        surface.finish();
        page.finish();
    }
    let mut tree = TagTree::new().with_lang(Some(LANGUAGE.to_owned()));
    tree.push(group(&sheets.parts, WHOLE, &mut drawn));
    document.set_tag_tree(tree);
    document.set_metadata(metadata);
    document.finish()
}

/// Draws marks that belong to the same part, and notes that they do.
fn together(surface: &mut Surface<'_>, fonts: &Fonts, marks: &[Mark], drawn: &mut [Vec<Identifier>]) {
    let part = marks.first().and_then(|mark| mark.part);
    let tag = match part {
        Some(_) => ContentTag::Other,
        None => ContentTag::Artifact(Artifact::default()),
    };
    let identifier = surface.start_tagged(tag);
    for mark in marks {
        match &mark.shape {
            Shape::Text(spot, line) => text(surface, fonts, *spot, line),
            Shape::Path(spots, stroke) => path(surface, spots, stroke),
            Shape::Dot(spot, width, colour) => dot(surface, *spot, *width, *colour),
        }
    }
    surface.end_tagged();
    // The writer panics if one is left out.
    if let Some(part) = part {
        drawn[part].push(identifier);
    }
}

/// A part with all that it is made of: what is drawn, then its own parts.
fn group(parts: &[Part], id: PartId, drawn: &mut [Vec<Identifier>]) -> TagGroup {
    let mut group = TagGroup::new(parts[id].tag.clone());
    for identifier in std::mem::take(&mut drawn[id]) {
        group.push(identifier);
    }
    for part in &parts[id].parts {
        group.push(self::group(parts, *part, drawn));
    }
    group
}

fn text(surface: &mut Surface<'_>, fonts: &Fonts, (x, y): Spot, line: &Line) {
    surface.set_stroke(None);
    surface.set_fill(Some(fill(line.style.colour)));
    let font = fonts.font(line.style.weight);
    let start = Point::from_xy(x, y);
    surface.draw_glyphs(start, &line.glyphs, font, &line.text, line.style.size, false);
}

fn path(surface: &mut Surface<'_>, spots: &[Spot], stroke: &Stroke) {
    let Some(path) = through(spots) else { return };
    let dash = (!stroke.dashes.is_empty()).then(|| StrokeDash {
        array: stroke.dashes.to_vec(),
        offset: 0.0,
    });
    surface.set_fill(None);
    surface.set_stroke(Some(PaintedStroke {
        paint: rgb_of(stroke.colour).into(),
        width: stroke.width,
        miter_limit: 10.0,
        line_cap: LineCap::Butt,
        line_join: LineJoin::Round,
        opacity: NormalizedF32::ONE,
        dash,
    }));
    surface.draw_path(&path);
}

fn through(spots: &[Spot]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let mut spots = spots.iter();
    let (x, y) = spots.next()?;
    builder.move_to(*x, *y);
    for (x, y) in spots {
        builder.line_to(*x, *y);
    }
    builder.finish()
}

fn dot(surface: &mut Surface<'_>, (x, y): Spot, width: f32, colour: Colour) {
    let mut builder = PathBuilder::new();
    let Some(square) = Rect::from_xywh(x - width / 2.0, y - width / 2.0, width, width) else {
        return;
    };
    builder.push_rect(square);
    let Some(path) = builder.finish() else { return };
    surface.set_stroke(None);
    surface.set_fill(Some(fill(colour)));
    surface.draw_path(&path);
}

fn fill(colour: Colour) -> Fill {
    Fill {
        paint: rgb_of(colour).into(),
        opacity: NormalizedF32::ONE,
        rule: FillRule::NonZero,
    }
}

fn rgb_of(Colour(red, green, blue): Colour) -> rgb::Color {
    rgb::Color::new(red, green, blue)
}
