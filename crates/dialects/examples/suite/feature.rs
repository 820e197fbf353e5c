//! Reads scenarios as Gherkin writes them, with their examples put in.

/// A scenario, once for each of its examples.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// Of the feature, the scenario and the examples.
    pub(crate) tags: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

/// A step, without its first word.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) text: String,
    /// The rows of its table.
    pub(crate) table: Vec<Vec<String>>,
}

/// Where lines of a table belong.
enum Place {
    Step,
    Examples {
        tags: Vec<String>,
        names: Option<Vec<String>>,
    },
}

/// What was read so far.
struct Reader {
    feature_tags: Vec<String>,
    background: Vec<Step>,
    current: Option<Scenario>,
    /// Whether the scenario stands for its examples.
    has_examples: bool,
    place: Place,
    all: Vec<Scenario>,
}

/// All scenarios of a feature.
pub(crate) fn scenarios(text: &str) -> Vec<Scenario> {
    let mut reader = Reader {
        feature_tags: Vec::new(),
        background: Vec::new(),
        current: None,
        has_examples: false,
        place: Place::Step,
        all: Vec::new(),
    };
    let mut tags = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('@') {
            tags.extend(line.split_whitespace().map(str::to_owned));
        } else if line.starts_with("Feature:") {
            reader.feature_tags = std::mem::take(&mut tags);
        } else if let Some((_, name)) = line.split_once(':').filter(|_| line.starts_with("Scenario")) {
            reader.begin(name.trim(), std::mem::take(&mut tags));
        } else if line.starts_with("Examples:") {
            let tags = std::mem::take(&mut tags);
            reader.has_examples = true;
            reader.place = Place::Examples { tags, names: None };
        } else if line.starts_with('|') {
            reader.row(cells(line));
        } else {
            reader.step(line);
        }
    }
    reader.end();
    reader.all
}

impl Reader {
    fn begin(&mut self, name: &str, tags: Vec<String>) {
        self.end();
        self.current = Some(Scenario {
            name: name.to_owned(),
            tags: self.feature_tags.iter().cloned().chain(tags).collect(),
            steps: self.background.clone(),
        });
        self.place = Place::Step;
    }

    fn end(&mut self) {
        let current = self.current.take();
        self.all.extend(current.filter(|_| !self.has_examples));
        self.has_examples = false;
    }

    fn step(&mut self, line: &str) {
        let Some((word, text)) = line.split_once(' ') else {
            return;
        };
        if !["Given", "When", "Then", "And", "But"].contains(&word) {
            return;
        }
        let step = Step {
            text: text.trim().to_owned(),
            table: Vec::new(),
        };
        match &mut self.current {
            Some(current) => current.steps.push(step),
            None => self.background.push(step),
        }
    }

    fn row(&mut self, cells: Vec<String>) {
        let Some(current) = &mut self.current else { return };
        match &mut self.place {
            Place::Step => {
                if let Some(step) = current.steps.last_mut() {
                    step.table.push(cells);
                }
            }
            Place::Examples {
                names: names @ None, ..
            } => *names = Some(cells),
            Place::Examples {
                tags,
                names: Some(names),
            } => {
                let mut example = current.clone();
                example.tags.extend(tags.iter().cloned());
                for step in &mut example.steps {
                    for (name, cell) in names.iter().zip(&cells) {
                        step.text = step.text.replace(&format!("<{name}>"), cell);
                    }
                }
                example.name = format!("{} {cells:?}", example.name);
                self.all.push(example);
            }
        }
    }
}

/// The cells of a row of a table, in which `\|`, `\n` and `\\` stand for a bar, an end of a line and a backslash.
fn cells(line: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut letters = line.chars().skip(1);
    while let Some(letter) = letters.next() {
        match letter {
            '|' => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            '\\' => match letters.next() {
                Some('n') => cell.push('\n'),
                Some(letter @ ('|' | '\\')) => cell.push(letter),
                Some(letter) => cell.extend(['\\', letter]),
                None => cell.push('\\'),
            },
            letter => cell.push(letter),
        }
    }
    cells
}
